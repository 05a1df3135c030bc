#include "cli/values.h"

#include <stdlib.h>
#include <string.h>

#include "common/codec/json.h"
#include "common/codec/layout.h"
#include "common/codec/reader.h"
#include "common/codec/wire.h"

enum { TYPES_MAXIMUM = 32, SCHEMAS_MAXIMUM = 1024, VALUE_MEMORY = 64 << 20 };

/* Records of a writer's schema, read as they were written. plan NULL: `why` says why they cannot be. */
struct written { uint32_t id; const struct codec_type *type; struct codec_plan *plan; struct error why; };

struct values {
    struct registry *registry;
    struct { const struct codec_type *type; struct codec_reader *reader; } readers[TYPES_MAXIMUM];
    size_t reader_count;
    struct written *written;
    size_t written_count;
    struct arena arena;                 /* of values_to_json */
    void *record;                       /* of values_to_json, grown as needed */
    size_t record_size;
};

bool values_open(struct values **values, const struct connection *connection, struct error *error) {
    struct values *made = calloc(1, sizeof *made);
    struct written *written = calloc(SCHEMAS_MAXIMUM, sizeof *written);
    struct registry *registry = connection_registry(connection, error);
    if (!made || !written) error_set(error, "out of memory");
    if (!made || !written || !registry) {
        registry_free(registry);
        free(made);
        free(written);
        return false;
    }
    made->registry = registry;
    made->written = written;
    arena_init(&made->arena, 1 << 16, VALUE_MEMORY);
    *values = made;
    return true;
}

void values_close(struct values *values) {
    if (!values) return;
    for (size_t i = 0; i < values->reader_count; i++) codec_reader_free(values->readers[i].reader);
    for (size_t i = 0; i < values->written_count; i++) {
        codec_plan_free(values->written[i].plan);
        codec_type_free(values->written[i].type);
    }
    registry_free(values->registry);
    arena_free(&values->arena);
    free(values->record);
    free(values->written);
    free(values);
}

struct registry *values_registry(struct values *values) { return values->registry; }

static enum values_result failed(struct error *error, const char *what) {
    error_set(error, "%s", what);
    return VALUES_FAILED;
}

static struct codec_reader *reader_for(struct values *values, const struct codec_type *type) {
    size_t i = 0;
    while (i < values->reader_count && values->readers[i].type != type) i++;
    if (i < values->reader_count) return values->readers[i].reader;
    struct codec_reader *reader = i < TYPES_MAXIMUM ? codec_reader_new(type, values->registry) : NULL;
    if (!reader) return NULL;
    values->readers[i].type = type;
    values->readers[i].reader = reader;
    values->reader_count++;
    return reader;
}

enum values_result values_decode(struct values *values, struct slice value, const struct codec_type *type, struct arena *arena, void *out,
                                 struct error *error) {
    struct codec_reader *reader = reader_for(values, type);
    if (!reader) return failed(error, "out of memory");
    switch (codec_reader_decode(reader, value.data, value.length, arena, out, error)) {
    case CODEC_READER_OK: return VALUES_OK;
    case CODEC_READER_REGISTRY_UNREACHABLE:
    case CODEC_READER_REGISTRY_CHANGED: return VALUES_FAILED;
    default: return VALUES_UNREADABLE;
    }
}

/* Makes the plan; a schema that cannot be read is remembered with the reason. */
static void make_plan(struct written *written, struct slice text) {
    char *schema = strndup(text.data, text.length);
    written->type = schema ? codec_type_parse(schema, &written->why) : NULL;
    written->plan = written->type ? codec_plan_own(written->type, &written->why) : NULL;
    free(schema);
}

static enum values_result find_written(struct values *values, uint32_t id, const struct written **found, struct error *error) {
    for (size_t i = 0; i < values->written_count; i++)
        if (values->written[i].id == id) {
            *found = &values->written[i];
            return VALUES_OK;
        }
    struct slice text;
    enum registry_result result = registry_schema_by_id(values->registry, id, &text, error);
    if (result != REGISTRY_FOUND && result != REGISTRY_UNKNOWN) return VALUES_FAILED;
    if (values->written_count == SCHEMAS_MAXIMUM) return failed(error, "records of more than 1024 schemas; read the topic in parts");
    struct written *written = &values->written[values->written_count++];
    *written = (struct written){.id = id};
    if (result == REGISTRY_FOUND) make_plan(written, text);
    else error_set(&written->why, "the registry does not know schema id %u", id);
    *found = written;
    return VALUES_OK;
}

enum values_result values_to_json(struct values *values, struct slice value, struct buffer *out, struct error *error) {
    uint32_t id;
    struct slice payload;
    const struct written *written;
    if (!codec_wire_read(value.data, value.length, &id, &payload)) {
        error_set(error, "%zu bytes that do not begin with a zero byte and a schema id", value.length);
        return VALUES_UNREADABLE;
    }
    enum values_result result = find_written(values, id, &written, error);
    if (result != VALUES_OK) return result;
    if (!written->plan) {
        error_set(error, "%s", written->why.text);
        return VALUES_UNREADABLE;
    }
    if (written->type->size > values->record_size) {
        void *grown = realloc(values->record, written->type->size);
        if (!grown) return failed(error, "out of memory");
        values->record = grown;
        values->record_size = written->type->size;
    }
    arena_reset(&values->arena);
    enum codec_result decoded = codec_decode(written->plan, payload.data, payload.length, &values->arena, values->record);
    if (decoded != CODEC_OK) {
        error_set(error, "the value does not follow its schema (id %u): %s", id, codec_result_text(decoded));
        return VALUES_UNREADABLE;
    }
    return codec_to_json(written->type, values->record, out) ? VALUES_OK : failed(error, "out of memory");
}
