#include "common/runtime/migration.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/codec/encode.h"
#include "common/codec/layout.h"
#include "common/codec/plan.h"
#include "common/runtime/engine_internal.h"
#include "common/runtime/migration_changes.h"

enum { VALUE_MEMORY = 64 << 20, PROBLEMS_MAXIMUM = 100, NOWHERE = -1, BODY_HEAD = 6, BODY_EVENT = 12 /* overlay.c */ };

/* What becomes of the records of one store of one layout. */
struct way {
    int number, here;               /* on the wire: there and here; here NOWHERE: forgotten */
    bool as_it_is;
    const struct codec_type *reader;
    struct codec_plan *plan;
};

struct learned {
    struct learned *next;
    struct buffer bytes;
    struct layout_text text;
    struct way ways[LAYOUT_STORES_MAXIMUM];
    int inputs[LAYOUT_INPUTS_MAXIMUM];
    bool moved;                     /* inputs or stores stand elsewhere now */
    int problems;
};

struct migration {
    struct buffer bytes, key, value;
    struct layout_text target;
    struct changes changes;
    struct learned *learned;
    struct arena arena;
};

struct telling { void (*tell)(void *context, const struct migration_remark *remark); void *context; const char *store; int problems; };

bool migration_open(struct migration **made, struct slice target, struct slice changes, struct error *error) {
    struct migration *migration = calloc(1, sizeof *migration);
    if (!migration) return error_set(error, "out of memory");
    arena_init(&migration->arena, 1 << 16, VALUE_MEMORY);
    bool ok = buffer_append(&migration->bytes, target.data, target.length) || error_set(error, "out of memory");
    ok = ok && (layout_text_read(buffer_slice(&migration->bytes), &migration->target) || error_set(error, "it is no layout: it must be what kontor-<processor> --print-layout prints"));
    ok = ok && changes_read(&migration->changes, changes, error);
    if (ok) *made = migration;
    else migration_close(migration);
    return ok;
}

static void learned_free(struct learned *learned) {
    for (size_t i = 0; i < LAYOUT_STORES_MAXIMUM; i++) {
        codec_plan_free(learned->ways[i].plan);
        if (learned->ways[i].reader) codec_type_free(learned->ways[i].reader);
    }
    buffer_free(&learned->bytes);
    free(learned);
}

void migration_close(struct migration *migration) {
    if (!migration) return;
    for (struct learned *learned = migration->learned, *next; learned; learned = next) {
        next = learned->next;
        learned_free(learned);
    }
    changes_free(&migration->changes);
    buffer_free(&migration->bytes);
    buffer_free(&migration->key);
    buffer_free(&migration->value);
    arena_free(&migration->arena);
    free(migration);
}

/* ---- learning ---- */

static void __attribute__((format(printf, 4, 5))) remark(struct telling *telling, bool problem, const char *field, const char *format, ...) {
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    telling->problems += problem;
    telling->tell(telling->context, &(struct migration_remark){telling->store, field, text, problem});
}

static json_t *schema_json(struct slice schema) { return json_loadb(schema.data, schema.length, 0, NULL); }

static bool type_of(const json_t *json, const struct codec_type **type, struct error *error) {
    char *text = json_dumps(json, JSON_COMPACT);
    if (!text) return error_set(error, "out of memory");
    *type = codec_type_parse(text, error);
    free(text);
    return *type != NULL;
}

static struct codec_plan *plan_of(const json_t *writer, const struct codec_type *reader, struct error *error) {
    char *text = json_dumps(writer, JSON_COMPACT);
    struct codec_schema *schema = text ? codec_schema_parse(slice_of(text), error) : NULL;
    struct codec_plan *plan = schema ? codec_plan_relative(schema, reader, error) : NULL;
    codec_schema_free(schema);
    free(text);
    return plan;
}

/* "kontor.state.Order.items[].price: why" of record kontor.state.Order: items.price; "" when it is of the record as a whole. */
static void field_of(const char *text, const char *record, char path[256]) {
    const size_t name = strlen(record);
    size_t length = 0;
    if (strncmp(text, record, name) == 0 && text[name] == '.')
        for (const char *at = text + name + 1; *at && strncmp(at, ": ", 2) != 0 && length < 255; at++)
            if (*at != '[' && *at != ']') path[length++] = *at;
    path[length] = 0;
}

/* Every field that does not resolve: each is told, and taken out to see whether there are more. */
static void tell_problems(struct telling *telling, const json_t *writer, json_t *reader, const char *why) {
    struct error error;
    error_set(&error, "%s", why);
    json_t *rest = json_deep_copy(reader);
    for (int i = 0; rest && i < PROBLEMS_MAXIMUM; i++) {
        const char *colon = strstr(error.text, ": ");
        const struct codec_type *type = NULL;
        char path[256] = "", record[256] = "";
        struct error parse_error;
        if (type_of(rest, &type, &parse_error)) {
            snprintf(record, sizeof record, "%s", type->name ? type->name : "");
            codec_type_free(type);
        }
        field_of(error.text, record, path);
        remark(telling, true, path, "%s", *path && colon ? colon + 2 : error.text);
        json_t *fields;
        size_t index;
        if (!*path || !schema_field(rest, path, &fields, &index) || json_array_remove(fields, index) || !type_of(rest, &type, &parse_error)) break;
        struct codec_plan *plan = plan_of(writer, type, &error);
        codec_type_free(type);
        if (plan) {
            codec_plan_free(plan);
            break;
        }
    }
    json_decref(rest);
}

static void tell_differences(struct telling *telling, json_t *writer, json_t *reader) {
    size_t i;
    json_t *field;
    json_array_foreach(json_object_get(reader, "fields"), i, field) {
        const char *name = json_string_value(json_object_get(field, "name"));
        json_t *there = schema_pair(writer, field), *value = json_object_get(field, "default");
        const char *was = there ? json_string_value(json_object_get(there, "name")) : NULL;
        char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        if (!there) remark(telling, false, name, "new: %s", text ? text : "");
        else if (was && name && strcmp(was, name) != 0) remark(telling, false, name, "was %s", was);
        else if (!schema_same(json_object_get(there, "type"), json_object_get(field, "type"))) remark(telling, false, name, "of another type, which reads the old one");
        free(text);
    }
    json_array_foreach(json_object_get(writer, "fields"), i, field) {
        size_t k;
        json_t *other;
        bool kept = false;
        json_array_foreach(json_object_get(reader, "fields"), k, other) kept |= schema_pair(writer, other) == field;
        const char *name = json_string_value(json_object_get(field, "name"));
        if (!kept && name) remark(telling, false, strncmp(name, forgotten_prefix, strlen(forgotten_prefix)) == 0 ? "" : name, "left out: what was in it is let go");
    }
}

static bool way_plan(struct migration *migration, struct telling *telling, const struct layout_store *there, const struct layout_store *here, const char *name, struct way *way,
                     struct error *error) {
    json_t *writer = schema_json(there->schema), *reader = schema_json(here->schema);
    bool ok = (writer && reader) || error_set(error, "the schema of store %s is not JSON", telling->store);
    const int changed = ok ? changes_apply(&migration->changes, telling->store, name, writer, reader) : 0;
    ok = ok && (changed >= 0 || error_set(error, "out of memory"));
    way->as_it_is = ok && !changed && slice_equal(there->schema, here->schema);
    if (ok && (!way->as_it_is || way->here == STORE_PARKED)) {      /* events that wait may have to be told of other places */
        struct error why;
        if (!type_of(reader, &way->reader, &why)) remark(telling, true, "", "%s", why.text);
        else if (!(way->plan = plan_of(writer, way->reader, &why))) tell_problems(telling, writer, reader, why.text);
        else tell_differences(telling, writer, reader);
    }
    json_decref(writer);
    json_decref(reader);
    return ok;
}

static const struct layout_store *store_named(const struct layout_text *text, const char *name) {
    for (size_t i = 0; i < text->store_count; i++)
        if (slice_equal(text->stores[i].name, slice_of(name))) return &text->stores[i];
    return NULL;
}

static bool way_find(struct migration *migration, struct telling *telling, const struct layout_store *there, struct way *way, struct error *error) {
    const bool own = there->number < STORE_FIRST;   /* the engine's stay where they are */
    const char *name = own ? telling->store : changes_store(&migration->changes, telling->store);
    *way = (struct way){.number = there->number, .here = NOWHERE};
    if (!name) {
        remark(telling, false, "", "forgotten, with its records");
        return true;
    }
    const struct layout_store *here = store_named(&migration->target, name);
    if (!here || (here->number < STORE_FIRST) != own || (own && here->number != there->number)) {
        remark(telling, true, "", "the new layout has no store %s: `forget-store %s` lets its records go, `rename-store %s NAME` says what it is called now", name, name, telling->store);
        return true;
    }
    way->here = here->number;
    if (here->number != there->number) remark(telling, false, "", "was store %d, is %d", there->number, here->number);
    if (strcmp(name, telling->store) != 0) remark(telling, false, "", "is called %s now", name);
    return way_plan(migration, telling, there, here, name, way, error);
}

/* Where inputs and stores are now, for events that wait. */
static void places_find(const struct migration *migration, struct learned *learned, struct telling *telling) {
    for (size_t i = 0; i < learned->text.input_count; i++) {
        learned->inputs[i] = NOWHERE;
        for (size_t k = 0; k < migration->target.input_count; k++)
            if (slice_equal(learned->text.inputs[i], migration->target.inputs[k])) learned->inputs[i] = (int)k;
        learned->moved |= learned->inputs[i] != (int)i;
    }
    for (size_t i = 0; i < learned->text.store_count; i++) learned->moved |= learned->ways[i].here != learned->ways[i].number;
    const struct layout_store *parked = store_named(&migration->target, "parked");
    if (!learned->moved || !parked || slice_equal(parked->schema, slice_of(parked_event_type.schema))) return;
    telling->store = "parked";
    remark(telling, true, "", "inputs or stores stand elsewhere now, and this program's events that wait are of another version: use the `kontor` that was built with the new processor");
}

static bool learn(struct migration *migration, struct learned *learned, struct telling *telling, struct error *error) {
    if (!layout_text_read(buffer_slice(&learned->bytes), &learned->text)) return error_set(error, "a layout's record of the state is not one of ours");
    for (size_t i = 0; i < learned->text.store_count; i++) {
        char name[256];
        snprintf(name, sizeof name, SLICE_FORMAT, SLICE_ARGUMENT(learned->text.stores[i].name));
        telling->store = name;
        if (!way_find(migration, telling, &learned->text.stores[i], &learned->ways[i], error)) return false;
    }
    places_find(migration, learned, telling);
    learned->problems = telling->problems;
    return true;
}

static struct learned *learned_find(const struct migration *migration, struct slice layout) {
    for (struct learned *learned = migration->learned; learned; learned = learned->next)
        if (slice_equal(buffer_slice(&learned->bytes), layout)) return learned;
    return NULL;
}

bool migration_learn(struct migration *migration, struct slice layout, void (*tell)(void *context, const struct migration_remark *remark), void *context, int *problems,
                     struct error *error) {
    struct learned *learned = learned_find(migration, layout);
    *problems = learned ? learned->problems : 0;
    if (learned) return true;
    struct telling telling = {.tell = tell, .context = context};
    learned = calloc(1, sizeof *learned);
    bool ok = (learned && buffer_append(&learned->bytes, layout.data, layout.length)) || error_set(error, "out of memory");
    ok = ok && learn(migration, learned, &telling, error);
    if (!ok) {
        if (learned) learned_free(learned);
        return false;
    }
    *problems = learned->problems;
    learned->next = migration->learned;
    migration->learned = learned;
    return true;
}

bool migration_all_used(const struct migration *migration, struct error *error) {
    for (size_t i = 0; i < migration->changes.count; i++) {
        const struct change *change = &migration->changes.items[i];
        if (!change->used)
            return error_set(error, "line %d of the changes fits nothing: no layout of the state has %s%s%s", change->line, change->store, *change->path ? "." : "", change->path);
    }
    return true;
}

/* ---- converting ---- */

static bool place_of(const struct learned *learned, int number, int *here) {
    for (size_t i = 0; i < learned->text.store_count; i++)
        if (learned->ways[i].number == number) return *here = learned->ways[i].here, *here != NOWHERE;
    return false;
}

/* Events that wait name inputs and stores by position. */
static bool parked_move(struct migration *migration, const struct learned *learned, struct parked_event *parked, struct error *error) {
    int here;
    if (parked->status != PARKED_STATUS_DEFERRED) {
        if (parked->input < 0 || (size_t)parked->input >= learned->text.input_count) return error_set(error, "it names an input that its layout does not have");
        if (learned->inputs[parked->input] == NOWHERE)
            return error_set(error, "it came from " SLICE_FORMAT ", which the new program does not read: decide it first (kontor exceptions)",
                             SLICE_ARGUMENT(learned->text.inputs[parked->input]));
        parked->input = learned->inputs[parked->input];
        if (!place_of(learned, parked->document_store, &here)) return error_set(error, "its document's store is let go: decide it first (kontor exceptions)");
        parked->document_store = here;
    }
    struct parked_missing *missing = arena_alloc(&migration->arena, (parked->missing.count + 1) * sizeof *missing);
    if (!missing) return error_set(error, "out of memory");
    for (size_t i = 0; i < parked->missing.count; i++) {
        missing[i] = parked->missing.items[i];
        if (missing[i].table >= 0 || missing[i].store < 0) continue;
        if (!place_of(learned, STORE_FIRST + missing[i].store, &here)) return error_set(error, "it waits for a store that is let go: decide it first (kontor exceptions)");
        missing[i].store = here - STORE_FIRST;
    }
    parked->missing.items = missing;
    return true;
}

static bool record_convert(struct migration *migration, const struct learned *learned, const struct way *way, struct slice record, struct error *error) {
    void *object = arena_alloc(&migration->arena, way->reader->size);
    if (!object) return error_set(error, "out of memory");
    enum codec_result result = codec_decode(way->plan, record.data, record.length, &migration->arena, object);
    if (result != CODEC_OK) return error_set(error, "it cannot be read as the new layout: %s", codec_result_text(result));
    if (way->here == STORE_PARKED && learned->moved && !parked_move(migration, learned, object, error)) return false;
    return codec_encode(way->reader, object, &migration->value) || error_set(error, migration->value.failed ? "out of memory" : "a value of it has no place in the new schema");
}

/* The day and the seen events in front of a record, which every layout has alike. */
static bool head_length(struct slice body, size_t *length) {
    if (body.length < BODY_HEAD) return false;
    *length = BODY_HEAD + BODY_EVENT * (size_t)((unsigned char)body.data[4] | (unsigned char)body.data[5] << 8);
    return *length <= body.length;
}

enum migration_result migration_convert(struct migration *migration, struct slice layout, struct slice key, struct slice body, uint8_t number, struct slice *new_key,
                                        struct slice *new_value, struct error *error) {
    static const char no_seal[STATE_SEAL_SIZE];
    const struct learned *learned = learned_find(migration, layout);
    const struct way *way = NULL;
    size_t head;
    for (size_t i = 0; learned && key.length && i < learned->text.store_count; i++)
        if (learned->ways[i].number == (unsigned char)key.data[0]) way = &learned->ways[i];
    if (!way) return error_set(error, "a record of a store that its layout does not have"), MIGRATION_FAILED;
    if (way->here == NOWHERE) return MIGRATION_FORGOTTEN;
    if (!head_length(body, &head)) return error_set(error, "a record of store %d is not one of ours", way->number), MIGRATION_FAILED;
    arena_reset(&migration->arena);
    buffer_reset(&migration->key);
    buffer_reset(&migration->value);
    bool ok = (buffer_append(&migration->key, key.data, key.length) && buffer_append(&migration->value, no_seal, sizeof no_seal) && buffer_append(&migration->value, body.data, head)) ||
              error_set(error, "out of memory");
    const struct slice record = {body.data + head, body.length - head};
    const bool whole = way->as_it_is && !(way->here == STORE_PARKED && learned->moved);
    if (ok && record.length) ok = whole ? buffer_append(&migration->value, record.data, record.length) || error_set(error, "out of memory") : record_convert(migration, learned, way, record, error);
    if (!ok) return MIGRATION_FAILED;
    migration->key.data[0] = (char)way->here;
    state_seal(migration->value.data, migration->value.length, buffer_slice(&migration->key), number);
    *new_key = buffer_slice(&migration->key);
    *new_value = buffer_slice(&migration->value);
    return MIGRATION_CONVERTED;
}
