#include "common/codec/schema.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIXED_SIZE_MAXIMUM (1 << 24)
#define MEMBERS_MAXIMUM 10000 /* fields of a record, symbols of an enum, branches of a union, aliases */
#define SCHEMA_MEMORY_MAXIMUM (64u << 20)

struct parser {
    struct codec_schema *schema;
    struct codec_type **named;
    uint32_t named_count, type_capacity;
    struct error *error;
    char path[200]; /* the field being read, for messages */
};

static struct codec_type *parse_type(struct parser *parser, const json_t *json, const char *space, unsigned depth);

static const char *const kind_names[] = {
    [CODEC_NULL] = "null", [CODEC_BOOLEAN] = "boolean", [CODEC_INT] = "int", [CODEC_LONG] = "long", [CODEC_FLOAT] = "float",
    [CODEC_DOUBLE] = "double", [CODEC_BYTES] = "bytes", [CODEC_STRING] = "string", [CODEC_FIXED] = "fixed", [CODEC_DECIMAL] = "decimal",
    [CODEC_DATE] = "date", [CODEC_TIMESTAMP_MILLIS] = "timestamp-millis", [CODEC_TIMESTAMP_MICROS] = "timestamp-micros",
    [CODEC_UUID] = "uuid", [CODEC_ENUM] = "enum", [CODEC_RECORD] = "record", [CODEC_ARRAY] = "array", [CODEC_MAP] = "map",
    [CODEC_OPTIONAL] = "union", [CODEC_UNION] = "union"};

const char *codec_kind_name(enum codec_kind kind) { return kind_names[kind]; }

/* ---- errors and memory ---- */

static void *fail(struct parser *parser, const char *what, const char *about) {
    error_set(parser->error, "schema%s%s: %s%s%s", parser->path[0] ? " at " : "", parser->path, what, about ? " " : "", about ? about : "");
    return NULL;
}

static void *allocate(struct parser *parser, size_t size) {
    void *memory = arena_alloc(&parser->schema->arena, size);
    return memory ? memory : fail(parser, "out of memory", NULL);
}

static const char *copy(struct parser *parser, const char *text, size_t length) {
    const char *memory = arena_copy(&parser->schema->arena, text, length);
    return memory ? memory : fail(parser, "out of memory", NULL);
}

/* Returns the length of the path before, for path_leave. */
static size_t path_enter(struct parser *parser, const char *name) {
    size_t length = strlen(parser->path);
    snprintf(parser->path + length, sizeof parser->path - length, "%s%s", length ? "." : "", name);
    return length;
}

static void path_leave(struct parser *parser, size_t length) { parser->path[length] = 0; }

/* ---- names ---- */

static bool name_is_valid(const char *text, size_t length, bool dotted) {
    bool start = true;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (dotted && c == '.' && !start) { start = true; continue; }
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (start || c < '0' || c > '9')) return false;
        start = false;
    }
    return !start;
}

/* A string member; NULL with *wrong = false when absent, with *wrong = true when it is no string or has a zero byte in it. */
static const char *text_of(const json_t *object, const char *key, bool *wrong) {
    const json_t *value = json_object_get(object, key);
    *wrong = value && (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value));
    return value && !*wrong ? json_string_value(value) : NULL;
}

static const char *full_name(struct parser *parser, const char *name, const char *space) {
    if (!name_is_valid(name, strlen(name), true)) return fail(parser, "not a name:", name);
    if (strchr(name, '.') || !space || !*space) return copy(parser, name, strlen(name));
    size_t length = strlen(space) + 1 + strlen(name);
    char *full = allocate(parser, length + 1);
    if (full) snprintf(full, length + 1, "%s.%s", space, name);
    return full;
}

/* The namespace of a full name; "" when it has none. */
static const char *space_of(struct parser *parser, const char *full) {
    const char *dot = strrchr(full, '.');
    return dot ? copy(parser, full, (size_t)(dot - full)) : "";
}

static struct codec_type *find_named(const struct parser *parser, const char *full) {
    for (uint32_t i = 0; i < parser->named_count; i++)
        if (strcmp(parser->named[i]->name, full) == 0) return parser->named[i];
    return NULL;
}

static bool kind_of(const char *name, enum codec_kind last, enum codec_kind *kind) {
    for (enum codec_kind k = CODEC_NULL; k <= last; k++)
        if (strcmp(kind_names[k], name) == 0) { *kind = k; return true; }
    return false;
}

/* Names (full ones when `space` is given) out of an array of strings, each at most once. */
static bool parse_names(struct parser *parser, const json_t *array, const char *space, const char *what,
                        const char *const **names, uint32_t *count) {
    if (!array) return true;
    if (!json_is_array(array) || json_array_size(array) > MEMBERS_MAXIMUM) return fail(parser, "not a list of names:", what);
    const char **list = allocate(parser, (json_array_size(array) + 1) * sizeof *list);
    if (!list) return false;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        const char *name = json_string_value(item);
        if (!name || !name_is_valid(name, json_string_length(item), space != NULL)) return fail(parser, "not a name in", what);
        list[i] = space ? full_name(parser, name, space) : copy(parser, name, strlen(name));
        if (!list[i]) return false;
    }
    *names = list;
    *count = (uint32_t)json_array_size(array);
    return true;
}

/* ---- types ---- */

static struct codec_type *type_new(struct parser *parser, enum codec_kind kind) {
    struct codec_type *type = allocate(parser, sizeof *type);
    if (!type) return NULL;
    type->kind = kind;
    type->default_symbol = -1;
    return type;
}

static uint32_t nesting_over(uint32_t nesting, const struct codec_type *part) {
    return part->nesting + 1 > nesting ? part->nesting + 1 : nesting;
}

/* A type is complete: its parts are known. */
static struct codec_type *finish(struct parser *parser, struct codec_type *type) {
    static const uint32_t scalar_minimum[] = {[CODEC_NULL] = 0, [CODEC_FLOAT] = 4, [CODEC_DOUBLE] = 8};
    struct codec_schema *schema = parser->schema;
    uint64_t minimum = type->kind <= CODEC_DOUBLE ? scalar_minimum[type->kind] : 1;
    if (type->kind <= CODEC_DOUBLE && type->kind != CODEC_NULL && minimum == 0) minimum = 1;
    if (type->fixed_size) minimum = type->fixed_size;
    if (type->kind == CODEC_RECORD) {
        minimum = 0;
        for (uint32_t i = 0; i < type->field_count; i++) {
            minimum += type->fields[i].slot.type->wire_minimum;
            type->nesting = nesting_over(type->nesting, type->fields[i].slot.type);
        }
    }
    if (type->element.type && type->kind != CODEC_OPTIONAL) type->nesting = nesting_over(type->nesting, type->element.type);
    for (uint32_t i = 0; i < type->branch_count; i++) type->nesting = nesting_over(type->nesting, type->branches[i]);
    type->wire_minimum = minimum > UINT32_MAX ? UINT32_MAX : (uint32_t)minimum;
    if (type->nesting > CODEC_SCHEMA_NESTING_MAXIMUM) return fail(parser, "types are nested too deeply", NULL);
    if (schema->type_count == CODEC_SCHEMA_TYPES_MAXIMUM) return fail(parser, "too many types", NULL);
    if (schema->type_count == parser->type_capacity) {
        uint32_t capacity = parser->type_capacity ? parser->type_capacity * 2 : 64;
        struct codec_type **types = allocate(parser, capacity * sizeof(struct codec_type *));
        if (!types) return NULL;
        if (schema->type_count) memcpy(types, schema->types, schema->type_count * sizeof(struct codec_type *));
        schema->types = types;
        parser->type_capacity = capacity;
    }
    schema->types[schema->type_count++] = type;
    return type;
}

static struct codec_type *parse_name(struct parser *parser, const char *name, const char *space) {
    enum codec_kind kind;
    if (kind_of(name, CODEC_STRING, &kind)) {
        struct codec_type *type = type_new(parser, kind);
        return type ? finish(parser, type) : NULL;
    }
    const char *full = full_name(parser, name, space);
    if (!full) return NULL;
    struct codec_type *type = find_named(parser, full);
    if (!type) return fail(parser, "no such type:", full);
    if (type->kind == CODEC_RECORD && !type->fields) parser->schema->recursive = type->name; /* still being read */
    return type;
}

static bool decimal_fits(const struct codec_type *type, int64_t precision, int64_t scale) {
    if (precision < 1 || scale < 0 || scale > precision || precision > 100000) return false;
    if (type->kind == CODEC_BYTES) return true;
    /* The largest precision of n bytes is floor(log10(2^(8n-1) - 1)); log10(2) = 0.30103, exact enough below 10^5 digits. */
    int64_t bits = 8 * (int64_t)type->fixed_size - 1;
    return precision <= bits * 30103 / 100000;
}

static bool apply_logical(struct parser *parser, struct codec_type *type, const json_t *json) {
    const json_t *logical = json_object_get(json, "logicalType");
    if (!json_is_string(logical)) return true;
    const char *name = json_string_value(logical);
    const json_t *scale = json_object_get(json, "scale");
    int64_t scale_value = scale ? (json_is_integer(scale) ? json_integer_value(scale) : -1) : 0;
    int64_t precision = json_integer_value(json_object_get(json, "precision"));
    enum codec_kind base = type->kind;
    if (strcmp(name, "decimal") == 0 && (base == CODEC_BYTES || base == CODEC_FIXED) && decimal_fits(type, precision, scale_value)) {
        type->kind = CODEC_DECIMAL;
        type->precision = (uint32_t)precision;
        type->scale = (uint32_t)scale_value;
    } else if (strcmp(name, "date") == 0 && base == CODEC_INT) type->kind = CODEC_DATE;
    else if (strcmp(name, "timestamp-millis") == 0 && base == CODEC_LONG) type->kind = CODEC_TIMESTAMP_MILLIS;
    else if (strcmp(name, "timestamp-micros") == 0 && base == CODEC_LONG) type->kind = CODEC_TIMESTAMP_MICROS;
    else if (strcmp(name, "uuid") == 0 && base == CODEC_STRING) type->kind = CODEC_UUID;
    else return (type->ignored_logical = copy(parser, name, strlen(name))) != NULL;
    return true;
}

/* ---- named types ---- */

static bool parse_named_head(struct parser *parser, struct codec_type *type, const json_t *json, const char **space) {
    bool wrong_name, wrong_space, wrong_doc;
    const char *name = text_of(json, "name", &wrong_name);
    const char *own_space = text_of(json, "namespace", &wrong_space);
    const char *doc = text_of(json, "doc", &wrong_doc);
    if (!name) return fail(parser, "a name is missing for a", codec_kind_name(type->kind));
    if (wrong_space || (own_space && *own_space && !name_is_valid(own_space, strlen(own_space), true)))
        return fail(parser, "namespace is wrong for", name);
    type->name = full_name(parser, name, own_space ? own_space : *space);
    if (!type->name || (doc && !(type->doc = copy(parser, doc, strlen(doc))))) return false;
    enum codec_kind primitive;
    const char *dot = strrchr(type->name, '.');
    if (kind_of(dot ? dot + 1 : type->name, CODEC_STRING, &primitive)) return fail(parser, "a primitive type's name is taken:", name);
    if (find_named(parser, type->name)) return fail(parser, "defined twice:", type->name);
    if (parser->named_count == CODEC_SCHEMA_NAMED_MAXIMUM) return fail(parser, "too many named types", NULL);
    *space = space_of(parser, type->name);
    if (!*space || !parse_names(parser, json_object_get(json, "aliases"), *space, "aliases", &type->aliases, &type->alias_count)) return false;
    parser->named[parser->named_count++] = type;
    return true;
}

static bool parse_field(struct parser *parser, struct codec_field *field, const json_t *json, const char *space, unsigned depth) {
    bool wrong;
    const char *name = text_of(json, "name", &wrong);
    if (!name || !name_is_valid(name, strlen(name), false)) return fail(parser, "a field's name is missing or wrong:", name);
    const char *doc = text_of(json, "doc", &wrong);
    size_t path = path_enter(parser, name);
    const json_t *type = json_object_get(json, "type");
    if (!type) return fail(parser, "the field has no type", NULL);
    field->name = copy(parser, name, strlen(name));
    if (!field->name || (doc && !(field->doc = copy(parser, doc, strlen(doc))))) return false;
    if (!parse_names(parser, json_object_get(json, "aliases"), NULL, "aliases", &field->aliases, &field->alias_count)) return false;
    field->slot.type = parse_type(parser, type, space, depth);
    if (!field->slot.type) return false;
    const json_t *default_value = json_object_get(json, "default");
    if (default_value) {
        char *text = json_dumps(default_value, JSON_ENCODE_ANY | JSON_COMPACT);
        field->default_json = text ? copy(parser, text, strlen(text)) : fail(parser, "the default cannot be read", NULL);
        free(text);
        if (!field->default_json) return false;
    }
    path_leave(parser, path);
    return true;
}

static struct codec_type *parse_record(struct parser *parser, const json_t *json, const char *space, unsigned depth) {
    struct codec_type *type = type_new(parser, CODEC_RECORD);
    if (!type || !parse_named_head(parser, type, json, &space)) return NULL;
    const json_t *list = json_object_get(json, "fields");
    if (!json_is_array(list) || json_array_size(list) > MEMBERS_MAXIMUM) return fail(parser, "the list of fields is missing for", type->name);
    size_t path = parser->path[0] ? strlen(parser->path) : path_enter(parser, type->name);
    uint32_t count = (uint32_t)json_array_size(list);
    struct codec_field *fields = allocate(parser, (count + 1) * sizeof *fields);
    if (!fields) return NULL;
    json_t *seen = json_object();
    bool ok = seen != NULL;
    for (uint32_t i = 0; ok && i < count; i++) {
        ok = parse_field(parser, &fields[i], json_array_get(list, i), space, depth);
        if (ok && json_object_get(seen, fields[i].name)) ok = fail(parser, "the field is there twice:", fields[i].name);
        if (ok) ok = json_object_set_new(seen, fields[i].name, json_true()) == 0;
    }
    json_decref(seen);
    if (!ok) return NULL;
    type->fields = fields;
    type->field_count = count;
    path_leave(parser, path);
    return finish(parser, type);
}

static struct codec_type *parse_enum(struct parser *parser, const json_t *json, const char *space) {
    struct codec_type *type = type_new(parser, CODEC_ENUM);
    if (!type || !parse_named_head(parser, type, json, &space)) return NULL;
    if (!parse_names(parser, json_object_get(json, "symbols"), NULL, "symbols", &type->symbols, &type->symbol_count)) return NULL;
    if (type->symbol_count == 0) return fail(parser, "the list of symbols is missing for", type->name);
    json_t *seen = json_object();
    bool ok = seen != NULL;
    for (uint32_t i = 0; ok && i < type->symbol_count; i++) {
        if (json_object_get(seen, type->symbols[i])) ok = fail(parser, "the symbol is there twice:", type->symbols[i]);
        else ok = json_object_set_new(seen, type->symbols[i], json_integer(i)) == 0;
    }
    const json_t *fallback = json_object_get(json, "default");
    if (ok && fallback) {
        const json_t *position = json_is_string(fallback) ? json_object_get(seen, json_string_value(fallback)) : NULL;
        if (!position) ok = fail(parser, "the default is none of the symbols of", type->name);
        else type->default_symbol = (int32_t)json_integer_value(position);
    }
    json_decref(seen);
    return ok ? finish(parser, type) : NULL;
}

static struct codec_type *parse_fixed(struct parser *parser, const json_t *json, const char *space) {
    struct codec_type *type = type_new(parser, CODEC_FIXED);
    if (!type || !parse_named_head(parser, type, json, &space)) return NULL;
    const json_t *size = json_object_get(json, "size");
    if (!json_is_integer(size) || json_integer_value(size) < 1 || json_integer_value(size) > FIXED_SIZE_MAXIMUM)
        return fail(parser, "the size is missing or out of range for", type->name);
    type->fixed_size = (uint32_t)json_integer_value(size);
    return apply_logical(parser, type, json) ? finish(parser, type) : NULL;
}

/* ---- the rest ---- */

static bool branches_clash(const struct codec_type *a, const struct codec_type *b) {
    static const enum codec_kind bases[] = {
        [CODEC_NULL] = CODEC_NULL, [CODEC_BOOLEAN] = CODEC_BOOLEAN, [CODEC_INT] = CODEC_INT, [CODEC_LONG] = CODEC_LONG,
        [CODEC_FLOAT] = CODEC_FLOAT, [CODEC_DOUBLE] = CODEC_DOUBLE, [CODEC_BYTES] = CODEC_BYTES, [CODEC_STRING] = CODEC_STRING,
        [CODEC_FIXED] = CODEC_FIXED, [CODEC_DECIMAL] = CODEC_BYTES, [CODEC_DATE] = CODEC_INT, [CODEC_TIMESTAMP_MILLIS] = CODEC_LONG,
        [CODEC_TIMESTAMP_MICROS] = CODEC_LONG, [CODEC_UUID] = CODEC_STRING, [CODEC_ENUM] = CODEC_ENUM, [CODEC_RECORD] = CODEC_RECORD,
        [CODEC_ARRAY] = CODEC_ARRAY, [CODEC_MAP] = CODEC_MAP};
    if (a->name || b->name) return a == b;
    return bases[a->kind] == bases[b->kind];
}

static struct codec_type *parse_union(struct parser *parser, const json_t *json, const char *space, unsigned depth) {
    size_t count = json_array_size(json);
    if (count == 0 || count > 256) return fail(parser, "a union needs 1 to 256 branches", NULL);
    struct codec_type *type = type_new(parser, CODEC_UNION);
    const struct codec_type **branches = allocate(parser, count * sizeof *branches);
    if (!type || !branches) return NULL;
    for (size_t i = 0; i < count; i++) {
        branches[i] = parse_type(parser, json_array_get(json, i), space, depth);
        if (!branches[i]) return NULL;
        if (branches[i]->kind == CODEC_UNION || branches[i]->kind == CODEC_OPTIONAL) return fail(parser, "a union directly in a union", NULL);
        for (size_t j = 0; j < i; j++)
            if (branches_clash(branches[i], branches[j])) return fail(parser, "a union has a type twice:", codec_kind_name(branches[i]->kind));
    }
    type->branches = branches;
    type->branch_count = (uint32_t)count;
    if (count == 2 && (branches[0]->kind == CODEC_NULL || branches[1]->kind == CODEC_NULL)) {
        type->kind = CODEC_OPTIONAL;
        type->null_branch = branches[0]->kind == CODEC_NULL ? 0 : 1;
        type->element.type = branches[1 - type->null_branch];
    }
    return finish(parser, type);
}

static struct codec_type *parse_container(struct parser *parser, enum codec_kind kind, const json_t *json, const char *space, unsigned depth) {
    const char *key = kind == CODEC_ARRAY ? "items" : "values";
    const json_t *element = json_object_get(json, key);
    if (!element) return fail(parser, "missing:", key);
    struct codec_type *type = type_new(parser, kind);
    if (!type || !(type->element.type = parse_type(parser, element, space, depth))) return NULL;
    return finish(parser, type);
}

static struct codec_type *parse_object(struct parser *parser, const json_t *json, const char *space, unsigned depth) {
    const json_t *inner = json_object_get(json, "type");
    if (json_is_object(inner) || json_is_array(inner)) return parse_type(parser, inner, space, depth);
    bool wrong;
    const char *name = text_of(json, "type", &wrong);
    if (!name) return fail(parser, "a type has no \"type\"", NULL);
    if (strcmp(name, "record") == 0 || strcmp(name, "error") == 0) return parse_record(parser, json, space, depth);
    if (strcmp(name, "enum") == 0) return parse_enum(parser, json, space);
    if (strcmp(name, "fixed") == 0) return parse_fixed(parser, json, space);
    if (strcmp(name, "array") == 0) return parse_container(parser, CODEC_ARRAY, json, space, depth);
    if (strcmp(name, "map") == 0) return parse_container(parser, CODEC_MAP, json, space, depth);
    struct codec_type *type = parse_name(parser, name, space);
    return type && !type->name && !apply_logical(parser, type, json) ? NULL : type;
}

static struct codec_type *parse_type(struct parser *parser, const json_t *json, const char *space, unsigned depth) {
    if (depth == 0) return fail(parser, "types are nested too deeply", NULL);
    if (json_is_array(json)) return parse_union(parser, json, space, depth - 1);
    if (json_is_object(json)) return parse_object(parser, json, space, depth - 1);
    if (!json_is_string(json) || strlen(json_string_value(json)) != json_string_length(json))
        return fail(parser, "a type must be a name, an object or a list", NULL);
    return parse_name(parser, json_string_value(json), space);
}

struct codec_schema *codec_schema_parse(struct slice text, struct error *error) {
    if (text.length > CODEC_SCHEMA_TEXT_MAXIMUM) {
        error_set(error, "schema: %zu bytes are more than the %u allowed", text.length, CODEC_SCHEMA_TEXT_MAXIMUM);
        return NULL;
    }
    json_error_t problem;
    json_t *json = json_loadb(text.length ? text.data : "", text.length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &problem);
    if (!json) {
        error_set(error, "schema: not JSON, line %d column %d: %s", problem.line, problem.column, problem.text);
        return NULL;
    }
    struct codec_schema *schema = calloc(1, sizeof *schema);
    struct codec_type **named = calloc(CODEC_SCHEMA_NAMED_MAXIMUM, sizeof(struct codec_type *));
    char *compact = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);
    bool ok = schema && named && compact;
    if (!ok) error_set(error, "schema: out of memory");
    if (ok) {
        arena_init(&schema->arena, 16384, SCHEMA_MEMORY_MAXIMUM);
        struct parser parser = {.schema = schema, .named = named, .error = error};
        schema->root = parse_type(&parser, json, "", CODEC_SCHEMA_NESTING_MAXIMUM);
        ok = schema->root && (schema->text = copy(&parser, compact, strlen(compact)));
    }
    free(compact);
    free(named);
    json_decref(json);
    if (ok) return schema;
    codec_schema_free(schema);
    return NULL;
}

void codec_schema_free(struct codec_schema *schema) {
    if (!schema) return;
    arena_free(&schema->arena);
    free(schema);
}
