#include "cli/dlq_index.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/dlq_read.h"
#include "common/platform/buffer.h"
#include "common/platform/file.h"

enum { STATE_LIMIT = 64 << 20, PLACES_MAXIMUM = 65536, FORMAT = 1 };

static bool file_name(const struct dlq_index *index, const char *name, char path[4096]) {
    return snprintf(path, 4096, "%s/%s", index->folder, name) < 4096;
}

/* ---- the folder ---- */

/* mkdir -p */
static bool folders_make(const char *path, struct error *error) {
    char part[3072];
    for (size_t i = 1; path[i - 1]; i++) {
        if (path[i] && path[i] != '/') continue;
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        if (mkdir(part, 0700) && errno != EEXIST) return error_set(error, "%s cannot be made: %s; name another folder with --index", part, strerror(errno));
    }
    return true;
}

/* The cluster's id is asked for, so that the index of one is not taken for another's. */
static bool folder_choose(struct dlq_index *index, const struct connection *connection, const char *folder, struct error *error) {
    struct client_events events = {.role = "client"};
    rd_kafka_t *client;
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (!connection_client(connection, RD_KAFKA_CONSUMER, NULL, NULL, &events, NULL, &events, &client, error)) return false;
    char *cluster = rd_kafka_clusterid(client, KAFKA_TIMEOUT_MS);
    bool ok = cluster || error_set(error, "no broker answers at %s; is it running (deploy/local/up), and is kafka.bootstrap.servers right?", connection_brokers(connection));
    int length = 0;
    if (ok && folder) length = snprintf(index->folder, sizeof index->folder, "%s/%s", folder, cluster);
    else if (ok && cache && *cache) length = snprintf(index->folder, sizeof index->folder, "%s/kontor/dlq/%s", cache, cluster);
    else if (ok && home && *home) length = snprintf(index->folder, sizeof index->folder, "%s/.cache/kontor/dlq/%s", home, cluster);
    else if (ok) ok = error_set(error, "there is no folder for the index: neither XDG_CACHE_HOME nor HOME is set; name one with --index");
    if (length >= (int)sizeof index->folder) ok = error_set(error, "the folder's name is too long");
    if (cluster) rd_kafka_mem_free(client, cluster);
    rd_kafka_destroy(client);
    return ok;
}

static bool open_file(const struct dlq_index *index, const char *name, int *file, struct error *error) {
    char path[4096];
    if (!file_name(index, name, path)) return error_set(error, "the folder's name is too long");
    *file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return *file >= 0 || error_set(error, "%s cannot be opened: %s; name another folder with --index", path, strerror(errno));
}

/* ---- what is good of it ---- */

static bool place_add(struct dlq_index *index, const char *topic, int32_t partition, struct index_place **place) {
    for (size_t i = 0; i < index->place_count; i++)
        if (index->places[i].partition == partition && strcmp(index->places[i].topic, topic) == 0) {
            *place = &index->places[i];
            return true;
        }
    if (index->place_count == PLACES_MAXIMUM) return false;
    if (!index->places && !(index->places = calloc(PLACES_MAXIMUM, sizeof *index->places))) return false;
    *place = &index->places[index->place_count++];
    snprintf((*place)->topic, sizeof (*place)->topic, "%s", topic);
    (*place)->partition = partition;
    return true;
}

struct index_place *dlq_index_place(struct dlq_index *index, const char *topic, int32_t partition) {
    struct index_place *place;
    return place_add(index, topic, partition, &place) ? place : NULL;
}

/* False: it is not to be believed, and begins anew. */
static bool state_read(struct dlq_index *index) {
    char path[4096];
    struct buffer text = {0};
    struct error error;
    struct stat entries, strings;
    int format = 0, at = 0;
    unsigned size = 0;
    bool ok = file_name(index, "state", path) && file_read(path, STATE_LIMIT, &text, &error) && buffer_append(&text, "", 1) &&
              sscanf(text.data, "format=%d entry=%u entries=%" SCNu64 " strings=%" SCNu64 "\n%n", &format, &size, &index->count, &index->strings_size, &at) == 4 && at > 0 &&
              format == FORMAT && size == sizeof(struct dead) && !fstat(index->entries_file, &entries) && !fstat(index->strings_file, &strings) &&
              (uint64_t)entries.st_size >= index->count * sizeof(struct dead) && (uint64_t)strings.st_size >= index->strings_size;
    for (const char *line = ok ? text.data + at : ""; ok && *line; line += strcspn(line, "\n") + 1) {
        char topic[256];
        int32_t partition;
        int64_t next, begin;
        struct index_place *place;
        ok = sscanf(line, "%255s %" SCNd32 " %" SCNd64 " %" SCNd64, topic, &partition, &next, &begin) == 4 && place_add(index, topic, partition, &place);
        if (ok) place->next = next;
        if (ok) place->begin = begin;
    }
    buffer_free(&text);
    return ok;
}

bool dlq_index_write_state(struct dlq_index *index, struct error *error) {
    char path[4096], line[400];
    struct buffer text = {0};
    int length = snprintf(line, sizeof line, "format=%d entry=%zu entries=%" PRIu64 " strings=%" PRIu64 "\n", FORMAT, sizeof(struct dead), index->count, index->strings_size);
    bool ok = buffer_append(&text, line, (size_t)length);
    for (size_t i = 0; ok && i < index->place_count; i++) {
        const struct index_place *place = &index->places[i];
        length = snprintf(line, sizeof line, "%s %" PRId32 " %" PRId64 " %" PRId64 "\n", place->topic, place->partition, place->next, place->begin);
        ok = buffer_append(&text, line, (size_t)length);
    }
    if (!ok) error_set(error, "out of memory");
    /* What the state speaks of is on the disk before it. */
    if (ok && ((index->entries && msync(index->entries, index->count * sizeof *index->entries, MS_SYNC)) || fdatasync(index->entries_file) || fdatasync(index->strings_file)))
        ok = error_set(error, "%s cannot be written: %s", index->folder, strerror(errno));
    ok = ok && file_name(index, "state", path) && file_write(path, buffer_slice(&text), 0600, error);
    buffer_free(&text);
    return ok;
}

void dlq_index_unmap(struct dlq_index *index) {
    if (index->entries) munmap(index->entries, index->count * sizeof *index->entries);
    if (index->strings) munmap((void *)(uintptr_t)index->strings, index->strings_size);
    index->entries = NULL;
    index->strings = NULL;
}

bool dlq_index_map(struct dlq_index *index, struct error *error) {
    dlq_index_unmap(index);
    void *entries = index->count ? mmap(NULL, index->count * sizeof *index->entries, PROT_READ | PROT_WRITE, MAP_SHARED, index->entries_file, 0) : NULL;
    void *strings = index->strings_size ? mmap(NULL, index->strings_size, PROT_READ, MAP_SHARED, index->strings_file, 0) : NULL;
    index->entries = entries == MAP_FAILED ? NULL : entries;
    index->strings = strings == MAP_FAILED ? NULL : strings;
    return (entries != MAP_FAILED && strings != MAP_FAILED) || error_set(error, "%s cannot be read: %s", index->folder, strerror(errno));
}

/* Behind what is good there may be what an interrupted run has left. */
bool dlq_index_reset(struct dlq_index *index, struct error *error) {
    dlq_index_unmap(index);
    index->count = index->strings_size = 0;
    index->place_count = 0;
    return (!ftruncate(index->entries_file, 0) && !ftruncate(index->strings_file, 0)) || error_set(error, "%s cannot be emptied: %s", index->folder, strerror(errno));
}

bool dlq_index_open(struct dlq_index *index, const struct connection *connection, const char *folder, struct error *error) {
    *index = (struct dlq_index){.lock = -1, .entries_file = -1, .strings_file = -1};
    return folder_choose(index, connection, folder, error) && dlq_index_open_folder(index, error);
}

bool dlq_index_open_folder(struct dlq_index *index, struct error *error) {
    if (!folders_make(index->folder, error) || !open_file(index, "lock", &index->lock, error)) return false;
    while (flock(index->lock, LOCK_EX))
        if (errno != EINTR) return error_set(error, "%s cannot be locked: %s", index->folder, strerror(errno));
    if (!open_file(index, "entries", &index->entries_file, error) || !open_file(index, "strings", &index->strings_file, error)) return false;
    if (!state_read(index)) return dlq_index_reset(index, error);
    if (ftruncate(index->entries_file, (off_t)(index->count * sizeof(struct dead))) || ftruncate(index->strings_file, (off_t)index->strings_size))
        return error_set(error, "%s: %s", index->folder, strerror(errno));
    return dlq_index_map(index, error);
}

void dlq_index_close(struct dlq_index *index) {
    dlq_index_unmap(index);
    if (index->entries_file > 0) close(index->entries_file);
    if (index->strings_file > 0) close(index->strings_file);
    if (index->lock > 0) close(index->lock);
    free(index->places);
    *index = (struct dlq_index){.lock = -1, .entries_file = -1, .strings_file = -1};
}

/* ---- asking ---- */

struct slice dead_string(const struct dlq_index *index, uint32_t string) {
    uint32_t length;
    if ((uint64_t)string + sizeof length > index->strings_size) return (struct slice){0};
    memcpy(&length, index->strings + string, sizeof length);
    if ((uint64_t)string + sizeof length + length > index->strings_size) return (struct slice){0};
    return (struct slice){index->strings + string + sizeof length, length};
}

const char *dead_name(const struct dlq_index *index, const struct dead *dead, char name[DEAD_NAME_SIZE]) {
    const struct slice topic = dead_string(index, dead->topic);
    snprintf(name, DEAD_NAME_SIZE, SLICE_FORMAT "/%" PRId32 "/%" PRId64, SLICE_ARGUMENT(topic), dead->partition, dead->offset);
    return name;
}

bool dead_is_there(const struct dlq_index *index, const struct dead *dead) {
    const struct slice topic = dead_string(index, dead->topic);
    for (size_t i = 0; i < index->place_count; i++)
        if (index->places[i].partition == dead->partition && slice_equal(topic, slice_of(index->places[i].topic))) return dead->offset >= index->places[i].begin;
    return false;
}

struct dead *dlq_index_find(const struct dlq_index *index, struct slice topic, int32_t partition, int64_t offset) {
    for (uint64_t i = 0; i < index->count; i++) {
        struct dead *dead = &index->entries[i];
        if (dead->offset == offset && dead->partition == partition && slice_equal(dead_string(index, dead->topic), topic)) return dead;
    }
    return NULL;
}
