#include "common/platform/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_all(int descriptor, const char *path, size_t limit, struct buffer *bytes, struct error *error) {
    size_t start = bytes->length;
    for (;;) {
        if (!buffer_reserve(bytes, 4096)) return error_set(error, "%s: out of memory while reading it", path);
        ssize_t got = read(descriptor, bytes->data + bytes->length, bytes->capacity - bytes->length);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return error_set(error, "%s cannot be read: %s", path, strerror(errno));
        if (got == 0) return true;
        bytes->length += (size_t)got;
        if (bytes->length - start > limit) return error_set(error, "%s is larger than the %zu bytes that are allowed", path, limit);
    }
}

bool file_read(const char *path, size_t limit, struct buffer *bytes, struct error *error) {
    /* Not blocking: the open of a pipe that nobody writes to would wait for ever. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return error_set(error, "%s cannot be opened: %s", path, strerror(errno));
    size_t start = bytes->length;
    struct stat status;
    bool ok = fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) ? read_all(descriptor, path, limit, bytes, error)
                                                                         : error_set(error, "%s is not a regular file", path);
    if (!ok) bytes->length = start;
    close(descriptor);
    return ok;
}

static bool write_all(int descriptor, struct slice content) {
    for (size_t written = 0; written < content.length;) {
        ssize_t put = write(descriptor, content.data + written, content.length - written);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return false;
        written += (size_t)put;
    }
    return true;
}

/* The rename itself lasts only when the folder has been synced. */
static bool sync_folder_of(const char *path) {
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return false;
    bool ok = fsync(folder) == 0;
    int reason = errno;
    close(folder);
    errno = reason;
    return ok;
}

bool file_write(const char *path, struct slice content, mode_t mode, struct error *error) {
    char temporary[PATH_MAX];
    int length = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (length < 0 || (size_t)length >= sizeof temporary) return error_set(error, "%s cannot be written: the path is too long", path);
    int descriptor = mkostemp(temporary, O_CLOEXEC);
    if (descriptor < 0) return error_set(error, "%s cannot be written: no file can be made beside it: %s", path, strerror(errno));
    bool ok = write_all(descriptor, content) && fchmod(descriptor, mode) == 0 && fsync(descriptor) == 0;
    int reason = errno;
    if (close(descriptor) != 0 && ok) { ok = false; reason = errno; }
    if (ok && rename(temporary, path) != 0) { ok = false; reason = errno; }
    if (!ok) {
        unlink(temporary);
        return error_set(error, "%s cannot be written: %s", path, strerror(reason));
    }
    if (!sync_folder_of(path)) return error_set(error, "%s was written, but its folder cannot be synced: %s", path, strerror(errno));
    return true;
}
