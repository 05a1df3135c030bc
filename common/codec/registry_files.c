#include "common/codec/registry_files.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/platform/file.h"
#include "common/platform/hash.h"

#define FILE_MAXIMUM (4u << 20) /* bytes */
#define PATH_SIZE 1200

bool registry_files_open(const char *directory, struct error *error) {
    char path[PATH_SIZE];
    int length = snprintf(path, sizeof path, "%s", directory);
    if (length < 1 || length > PATH_SIZE - 300) return error_set(error, "registry: the directory's name is empty or too long");
    for (char *slash = path + 1;; slash++) { /* each folder on the way */
        if (*slash && *slash != '/') continue;
        char was = *slash;
        *slash = 0;
        if (mkdir(path, 0755) != 0 && errno != EEXIST) return error_set(error, "registry: cannot make %.300s: %s", path, strerror(errno));
        *slash = was;
        if (!was) break;
    }
    return access(directory, R_OK | W_OK | X_OK) == 0 || error_set(error, "registry: cannot use %.300s: %s", directory, strerror(errno));
}

static bool schema_path(char path[PATH_SIZE], const char *directory, uint32_t id) {
    return (size_t)snprintf(path, PATH_SIZE, "%s/%" PRIu32 ".avsc", directory, id) < PATH_SIZE;
}

bool registry_files_read_schema(const char *directory, uint32_t id, struct buffer *out) {
    char path[PATH_SIZE];
    return schema_path(path, directory, id) && file_read(path, FILE_MAXIMUM, out, NULL);
}

bool registry_files_write_schema(const char *directory, uint32_t id, struct slice text, struct error *error) {
    char path[PATH_SIZE];
    if (!schema_path(path, directory, id)) return error_set(error, "registry: a path is too long");
    return file_write(path, text, 0644, error);
}

/* A subject may hold any letter: what is not plain is written as %XX, and a long one is cut; the fingerprint is of subject and schema. */
static bool id_path(char path[PATH_SIZE], const char *directory, const char *subject, const char *schema) {
    char plain[120];
    size_t used = 0;
    for (const unsigned char *c = (const unsigned char *)subject; *c && used + 4 < sizeof plain; c++) {
        bool is_plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '-' || *c == '_';
        if (is_plain || (*c == '.' && used)) plain[used++] = (char)*c;
        else used += (size_t)snprintf(plain + used, sizeof plain - used, "%%%02X", *c);
    }
    plain[used] = 0;
    uint64_t fingerprint = hash_slice(slice_of(schema)) ^ hash_slice(slice_of(subject)) * 0x9e3779b97f4a7c15;
    return (size_t)snprintf(path, PATH_SIZE, "%s/%s-%016" PRIx64 ".id", directory, plain, fingerprint) < PATH_SIZE;
}

static bool id_content(struct buffer *out, uint32_t id, const char *subject, const char *schema) {
    char number[16];
    int length = snprintf(number, sizeof number, "%" PRIu32 "\n", id);
    return buffer_append(out, number, (size_t)length) && buffer_append(out, subject, strlen(subject)) && buffer_append(out, "\n", 1) &&
           buffer_append(out, schema, strlen(schema));
}

bool registry_files_read_id(const char *directory, const char *subject, const char *schema, uint32_t *id) {
    char path[PATH_SIZE];
    struct buffer is = {0}, expected = {0};
    bool ok = id_path(path, directory, subject, schema) && file_read(path, FILE_MAXIMUM, &is, NULL) && buffer_append(&is, "", 1);
    if (ok) {
        *id = (uint32_t)strtoul(is.data, NULL, 10);
        ok = id_content(&expected, *id, subject, schema) && slice_equal((struct slice){is.data, is.length - 1}, buffer_slice(&expected));
    }
    buffer_free(&is);
    buffer_free(&expected);
    return ok;
}

bool registry_files_write_id(const char *directory, const char *subject, const char *schema, uint32_t id, struct error *error) {
    char path[PATH_SIZE];
    struct buffer content = {0};
    bool ok = id_path(path, directory, subject, schema) && id_content(&content, id, subject, schema);
    ok = ok ? file_write(path, buffer_slice(&content), 0644, error) : error_set(error, "registry: the subject %.100s cannot be kept", subject);
    buffer_free(&content);
    return ok;
}
