#include "common/codec/reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/wire.h"

/* An id that was met: its plan, or why there is none. */
struct entry {
    uint32_t id;
    bool is_used;
    struct codec_plan *plan;
    char *refusal; /* INCOMPATIBLE: the text */
};

struct codec_reader {
    const struct codec_type *type;
    struct registry *registry;
    struct entry *entries;         /* open addressing, a power of two, at most half full */
    uint32_t capacity, count;
    const struct codec_plan *last; /* of last_id */
    uint32_t last_id;
};

struct codec_reader *codec_reader_new(const struct codec_type *type, struct registry *registry) {
    struct codec_reader *reader = calloc(1, sizeof *reader);
    if (!reader) return NULL;
    *reader = (struct codec_reader){.type = type, .registry = registry, .capacity = 16};
    reader->entries = calloc(reader->capacity, sizeof *reader->entries);
    if (reader->entries) return reader;
    free(reader);
    return NULL;
}

void codec_reader_free(struct codec_reader *reader) {
    if (!reader) return;
    for (uint32_t i = 0; i < reader->capacity; i++) {
        codec_plan_free(reader->entries[i].plan);
        free(reader->entries[i].refusal);
    }
    free(reader->entries);
    free(reader);
}

/* The id's entry, or the free one where it belongs. */
static struct entry *find(struct entry *entries, uint32_t capacity, uint32_t id) {
    uint32_t i = id * 2654435769u & (capacity - 1);
    while (entries[i].is_used && entries[i].id != id) i = (i + 1) & (capacity - 1);
    return &entries[i];
}

static bool grow(struct codec_reader *reader) {
    uint32_t capacity = reader->capacity * 2;
    struct entry *entries = calloc(capacity, sizeof *entries);
    if (!entries) return false;
    for (uint32_t i = 0; i < reader->capacity; i++)
        if (reader->entries[i].is_used) *find(entries, capacity, reader->entries[i].id) = reader->entries[i];
    free(reader->entries);
    reader->entries = entries;
    reader->capacity = capacity;
    return true;
}

static enum codec_reader_result from_registry(enum registry_result result) {
    switch (result) {
    case REGISTRY_FOUND: return CODEC_READER_OK;
    case REGISTRY_UNKNOWN: return CODEC_READER_SCHEMA_UNKNOWN;
    case REGISTRY_NOT_AVRO: return CODEC_READER_INCOMPATIBLE;
    case REGISTRY_CHANGED: return CODEC_READER_REGISTRY_CHANGED;
    case REGISTRY_REFUSED: case REGISTRY_UNREACHABLE: break; /* not allowed to ask: the record is not to blame */
    }
    return CODEC_READER_REGISTRY_UNREACHABLE;
}

/* Makes the plan of an id that is met for the first time. What cannot be read is remembered too; what may change is not. */
static enum codec_reader_result make(struct codec_reader *reader, uint32_t id, struct error *error) {
    struct slice text;
    struct error problem = {{0}};
    enum codec_reader_result result = from_registry(registry_schema_by_id(reader->registry, id, &text, &problem));
    if (result != CODEC_READER_OK && result != CODEC_READER_INCOMPATIBLE) {
        error_set(error, "%s", problem.text);
        return result;
    }
    struct entry entry = {.id = id, .is_used = true};
    struct codec_schema *writer = result == CODEC_READER_OK ? codec_schema_parse(text, &problem) : NULL;
    if (writer) entry.plan = codec_plan_new(writer, reader->type, &problem);
    codec_schema_free(writer);
    if (!entry.plan) {
        error_prefix(&problem, "schema id %" PRIu32, id);
        error_set(error, "%s", problem.text);
        entry.refusal = strdup(problem.text);
    }
    if ((!entry.plan && !entry.refusal) || (reader->count * 2 >= reader->capacity && !grow(reader))) {
        codec_plan_free(entry.plan);
        free(entry.refusal);
        error_set(error, "out of memory");
        return CODEC_READER_REGISTRY_UNREACHABLE;
    }
    struct entry *place = find(reader->entries, reader->capacity, id);
    if (!place->is_used) reader->count++;
    *place = entry;
    return entry.plan ? CODEC_READER_OK : CODEC_READER_INCOMPATIBLE;
}

void codec_reader_retry(struct codec_reader *reader, uint32_t schema_id) {
    struct entry *entry = find(reader->entries, reader->capacity, schema_id);
    free(entry->refusal);
    entry->refusal = NULL;
}

enum codec_reader_result codec_reader_plan(struct codec_reader *reader, uint32_t schema_id, const struct codec_plan **plan, struct error *error) {
    if (reader->last && reader->last_id == schema_id) {
        *plan = reader->last;
        return CODEC_READER_OK;
    }
    const struct entry *entry = find(reader->entries, reader->capacity, schema_id);
    if (!entry->is_used || (!entry->plan && !entry->refusal)) {
        enum codec_reader_result result = make(reader, schema_id, error);
        if (result != CODEC_READER_OK) return result;
        entry = find(reader->entries, reader->capacity, schema_id);
    }
    if (!entry->plan) {
        error_set(error, "%s", entry->refusal);
        return CODEC_READER_INCOMPATIBLE;
    }
    reader->last = *plan = entry->plan;
    reader->last_id = schema_id;
    return CODEC_READER_OK;
}

enum codec_reader_result codec_reader_decode(struct codec_reader *reader, const void *message, size_t length, struct arena *arena, void *out,
                                             struct error *error) {
    uint32_t schema_id;
    struct slice payload;
    const struct codec_plan *plan;
    if (!codec_wire_read(message, length, &schema_id, &payload)) {
        error_set(error, "no schema id in front: %zu bytes%s", length, length < CODEC_WIRE_HEADER_SIZE ? "" : ", the first is not 0");
        return CODEC_READER_NOT_FRAMED;
    }
    enum codec_reader_result found = codec_reader_plan(reader, schema_id, &plan, error);
    if (found != CODEC_READER_OK) return found;
    enum codec_result result = codec_decode(plan, payload.data, payload.length, arena, out);
    if (result == CODEC_OK) return CODEC_READER_OK;
    error_set(error, "%s of schema id %" PRIu32 ", %zu bytes: %s", reader->type->name ? reader->type->name : "a record", schema_id, payload.length,
              codec_result_text(result));
    return result == CODEC_NO_MEMORY ? CODEC_READER_TOO_LARGE : CODEC_READER_DECODE_FAILED;
}
