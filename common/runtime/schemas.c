#include "common/runtime/schemas.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/platform/clock.h"

enum { READERS_MAXIMUM = INPUTS_MAXIMUM + 4, OWN_MAXIMUM = OUTPUTS_MAXIMUM + INPUTS_MAXIMUM + 8, RIGHT_FOR_MS = 5000 };

struct own_schema { char topic[256], subject[300]; const struct codec_type *type; bool per_erp; uint32_t id; };

struct schemas {
    struct registry *registry;
    struct { const struct codec_type *type; struct codec_reader *reader; } readers[READERS_MAXIMUM];
    size_t reader_count;
    struct own_schema own[OWN_MAXIMUM];
    size_t own_count;
    int64_t right_until_ms;     /* the registry was found to be right a while ago */
    int64_t own_until_ms;       /* it gave ours for ours until then */
    bool changed;
    struct error change;
};

bool schemas_open(struct schemas **result, struct registry *registry, struct error *error) {
    struct schemas *schemas = calloc(1, sizeof *schemas);
    if (!schemas) return error_set(error, "out of memory");
    schemas->registry = registry;
    *result = schemas;
    return true;
}

void schemas_close(struct schemas *schemas) {
    if (!schemas) return;
    for (size_t i = 0; i < schemas->reader_count; i++) codec_reader_free(schemas->readers[i].reader);
    free(schemas);
}

static void add_own(void *context, const char *topic, const struct codec_type *type, bool per_erp) {
    struct schemas *schemas = context;
    if (!type || schemas->own_count == OWN_MAXIMUM) return;
    struct own_schema *own = &schemas->own[schemas->own_count++];
    snprintf(own->topic, sizeof own->topic, "%s", topic);
    own->type = type;
    own->per_erp = per_erp;
}

enum registry_result schemas_prepare(struct schemas *schemas, const struct processor *processor, const char *erps, struct error *error) {
    schemas->own_count = 0;
    engine_outputs(processor, add_own, schemas);
    for (size_t i = 0; i < schemas->own_count; i++) {
        struct own_schema *own = &schemas->own[i];
        /* Every ERP's topic has the same schema, and the same text has the same id: one subject stands for all. */
        if (own->per_erp) snprintf(own->subject, sizeof own->subject, "%s.%.*s-value", own->topic, (int)strcspn(erps, ","), erps);
        else snprintf(own->subject, sizeof own->subject, "%s-value", own->topic);
        enum registry_result result = registry_lookup_id(schemas->registry, own->subject, own->type->schema, &own->id, error);
        if (result == REGISTRY_FOUND) continue;
        error_prefix(error, "schema of subject %s%s", own->subject, result == REGISTRY_UNKNOWN ? " (see `kontor schemas register`)" : "");
        return result;
    }
    return REGISTRY_FOUND;
}

bool schemas_registry_is_right(struct schemas *schemas, struct error *error) {
    enum registry_result result = REGISTRY_UNKNOWN;
    if (clock_monotonic_ms() < schemas->right_until_ms) return true;
    for (size_t i = 0; result == REGISTRY_UNKNOWN && i < schemas->own_count; i++)
        result = registry_confirm(schemas->registry, schemas->own[i].subject, schemas->own[i].type->schema, schemas->own[i].id, error);
    if (result == REGISTRY_FOUND) {
        schemas->right_until_ms = clock_monotonic_ms() + RIGHT_FOR_MS;
        return true;
    }
    if (result != REGISTRY_UNKNOWN) return false;
    return error_set(error, "the registry does not have our own schemas either: is it the right registry, and not an empty one?");
}

/* A registry that has lost its memory, or is another one, gives other texts under ids that we know from elsewhere: before a record is blamed for its schema, it must
 * give ours for one of ours. */
static enum registry_result gives_our_own(struct schemas *schemas, struct error *error) {
    if (clock_monotonic_ms() < schemas->own_until_ms || !schemas->own_count) return REGISTRY_FOUND;
    const struct own_schema *own = &schemas->own[0];
    char *text = NULL;
    enum registry_result result = registry_ask(schemas->registry, own->id, &text, error);
    if (result == REGISTRY_UNREACHABLE || result == REGISTRY_REFUSED) return REGISTRY_UNREACHABLE;
    if (result != REGISTRY_FOUND) return REGISTRY_CHANGED;
    struct error problem = {{0}};
    struct codec_schema *writer = codec_schema_parse(slice_of(text), &problem);
    struct codec_plan *plan = writer ? codec_plan_new(writer, own->type, &problem) : NULL;
    bool right = plan != NULL;
    codec_plan_free(plan);
    codec_schema_free(writer);
    free(text);
    if (!right) {
        error_set(error, "under our own id %" PRIu32 " the registry gives another schema than ours: is it the right registry, with its memory? (%s)", own->id, problem.text);
        return REGISTRY_CHANGED;
    }
    schemas->own_until_ms = clock_monotonic_ms() + RIGHT_FOR_MS;
    return REGISTRY_FOUND;
}

static struct codec_reader *reader_of(struct schemas *schemas, const struct codec_type *type) {
    for (size_t i = 0; i < schemas->reader_count; i++)
        if (schemas->readers[i].type == type) return schemas->readers[i].reader;
    if (schemas->reader_count == READERS_MAXIMUM) return NULL;
    struct codec_reader *reader = codec_reader_new(type, schemas->registry);
    if (!reader) return NULL;
    schemas->readers[schemas->reader_count].type = type;
    schemas->readers[schemas->reader_count++].reader = reader;
    return reader;
}

static enum schema_answer plan(void *context, const struct codec_type *type, uint32_t schema_id, const struct codec_plan **result, struct error *error) {
    struct schemas *schemas = context;
    struct codec_reader *reader = reader_of(schemas, type);
    if (!reader) {
        error_set(error, "out of memory");
        return SCHEMA_UNREACHABLE;
    }
    switch (codec_reader_plan(reader, schema_id, result, error)) {
    case CODEC_READER_OK: return SCHEMA_READABLE;
    case CODEC_READER_SCHEMA_UNKNOWN:
        if (schemas_registry_is_right(schemas, error)) return SCHEMA_UNKNOWN;
        error_prefix(error, "schema id %u is not known", schema_id);
        return SCHEMA_UNREACHABLE;
    case CODEC_READER_REGISTRY_CHANGED:
        schemas->changed = true;
        schemas->change = *error;
        return SCHEMA_UNREACHABLE;
    case CODEC_READER_REGISTRY_UNREACHABLE: return SCHEMA_UNREACHABLE;
    case CODEC_READER_NOT_FRAMED: case CODEC_READER_DECODE_FAILED: case CODEC_READER_TOO_LARGE: case CODEC_READER_INCOMPATIBLE: break;
    }
    struct error doubt = {{0}};
    enum registry_result own = gives_our_own(schemas, &doubt);
    if (own == REGISTRY_FOUND) return SCHEMA_INCOMPATIBLE;
    if (own == REGISTRY_CHANGED) {
        registry_forget(schemas->registry, schema_id);
        codec_reader_retry(reader, schema_id);
    }
    error_set(error, "schema id %" PRIu32 " cannot be read as ours, but %s", schema_id, doubt.text);
    return SCHEMA_UNREACHABLE;
}

static uint32_t id(void *context, const struct codec_type *type, const char *topic) {
    const struct schemas *schemas = context;
    for (size_t i = 0; i < schemas->own_count; i++)
        if (schemas->own[i].type == type && strcmp(schemas->own[i].topic, topic) == 0) return schemas->own[i].id;
    return 0;
}

struct engine_schemas schemas_for_engine(struct schemas *schemas) { return (struct engine_schemas){schemas, plan, id}; }
const char *schemas_changed(const struct schemas *schemas) { return schemas->changed ? schemas->change.text : NULL; }
