#include "common/codec/default.h"

#include <jansson.h>
#include <string.h>

#include "common/codec/decimal.h"

struct filler { struct arena *arena; struct error *error; };

static bool fill_slot(struct filler *filler, const struct codec_slot *slot, const json_t *json, char *base);

static bool mismatch(struct filler *filler, const struct codec_type *type) {
    return error_set(filler->error, "the default is no value of type %s", type->name ? type->name : codec_kind_name(type->kind));
}

/* Bytes stand in JSON as a text whose code points 0 to 255 are the bytes. */
static bool fill_bytes(struct filler *filler, const struct codec_type *type, const json_t *json, struct slice *out) {
    if (!json_is_string(json)) return mismatch(filler, type);
    const unsigned char *text = (const unsigned char *)json_string_value(json);
    size_t length = json_string_length(json), count = 0;
    char *bytes = arena_copy(filler->arena, text, length);
    if (!bytes) return error_set(filler->error, "the default is too large");
    for (size_t i = 0; i < length; i++) {
        if (text[i] < 0x80) bytes[count++] = (char)text[i];
        else if (text[i] == 0xc2 || text[i] == 0xc3) { bytes[count++] = (char)((text[i] & 3) << 6 | (text[i + 1] & 0x3f)); i++; }
        else return mismatch(filler, type);
    }
    if (type->fixed_size && count != type->fixed_size) return mismatch(filler, type);
    *out = (struct slice){bytes, count};
    return true;
}

static bool fill_decimal(struct filler *filler, const struct codec_type *type, const json_t *json, int64_t *out) {
    struct slice bytes;
    if (!fill_bytes(filler, type, json, &bytes)) return false;
    if (bytes.length == 0) return mismatch(filler, type);
    *out = codec_decimal_read((const unsigned char *)bytes.data, bytes.length, codec_decimal_limit(type->precision));
    return codec_decimal_is_number(*out) || error_set(filler->error, "the default has too many digits");
}

static bool fill_text(struct filler *filler, const struct codec_type *type, const json_t *json, struct slice *out) {
    if (!json_is_string(json)) return mismatch(filler, type);
    char *text = arena_copy(filler->arena, json_string_value(json), json_string_length(json));
    if (!text) return error_set(filler->error, "the default is too large");
    *out = (struct slice){text, json_string_length(json)};
    return true;
}

static bool fill_enum(struct filler *filler, const struct codec_type *type, const json_t *json, int32_t *out) {
    for (uint32_t i = 0; json_is_string(json) && i < type->symbol_count; i++)
        if (strcmp(type->symbols[i], json_string_value(json)) == 0) { *out = (int32_t)i; return true; }
    return mismatch(filler, type);
}

static bool fill_record(struct filler *filler, const struct codec_type *type, const json_t *json, char *out) {
    if (!json_is_object(json)) return mismatch(filler, type);
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct codec_field *field = &type->fields[i];
        const json_t *value = json_object_get(json, field->name);
        bool ok = value ? fill_slot(filler, &field->slot, value, out) : codec_default(field, filler->arena, out, filler->error);
        if (!ok) return error_prefix(filler->error, "%s", field->name);
    }
    return true;
}

static bool fill_list(struct filler *filler, const struct codec_type *type, const json_t *json, struct codec_list *out) {
    bool is_map = type->kind == CODEC_MAP;
    if (is_map ? !json_is_object(json) : !json_is_array(json)) return mismatch(filler, type);
    size_t count = is_map ? json_object_size(json) : json_array_size(json), i = 0;
    char *items = arena_alloc(filler->arena, count * type->element_size);
    if (!items) return error_set(filler->error, "the default is too large");
    *out = (struct codec_list){items, count};
    if (!is_map) {
        for (; i < count; i++)
            if (!fill_slot(filler, &type->element, json_array_get(json, i), items + i * type->element_size)) return false;
        return true;
    }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value) { /* keys with a zero byte end there: jansson's limit */
        char *entry = items + i++ * type->element_size;
        char *text = arena_copy(filler->arena, key, strlen(key));
        if (!text) return error_set(filler->error, "the default is too large");
        *(struct slice *)entry = (struct slice){text, strlen(key)};
        if (!fill_slot(filler, &type->element, value, entry)) return false;
    }
    return true;
}

static bool fill_integer(struct filler *filler, const struct codec_type *type, const json_t *json, char *out) {
    if (!json_is_integer(json)) return mismatch(filler, type);
    int64_t value = json_integer_value(json);
    if (type->size == sizeof(int64_t)) { *(int64_t *)(void *)out = value; return true; }
    if (value < INT32_MIN || value > INT32_MAX) return mismatch(filler, type);
    *(int32_t *)(void *)out = (int32_t)value;
    return true;
}

static bool fill_value(struct filler *filler, const struct codec_type *type, const json_t *json, char *out) {
    void *place = out;
    switch (type->kind) {
    case CODEC_NULL: return json_is_null(json) || mismatch(filler, type);
    case CODEC_BOOLEAN: *(bool *)place = json_is_true(json); return json_is_boolean(json) || mismatch(filler, type);
    case CODEC_INT: case CODEC_DATE: case CODEC_LONG: case CODEC_TIMESTAMP_MILLIS: case CODEC_TIMESTAMP_MICROS:
        return fill_integer(filler, type, json, out);
    case CODEC_FLOAT: *(float *)place = (float)json_number_value(json); return json_is_number(json) || mismatch(filler, type);
    case CODEC_DOUBLE: *(double *)place = json_number_value(json); return json_is_number(json) || mismatch(filler, type);
    case CODEC_BYTES: case CODEC_FIXED: return fill_bytes(filler, type, json, place);
    case CODEC_STRING: case CODEC_UUID: return fill_text(filler, type, json, place);
    case CODEC_DECIMAL: return fill_decimal(filler, type, json, place);
    case CODEC_ENUM: return fill_enum(filler, type, json, place);
    case CODEC_RECORD: return fill_record(filler, type, json, out);
    case CODEC_ARRAY: case CODEC_MAP: return fill_list(filler, type, json, place);
    case CODEC_OPTIONAL: case CODEC_UNION: break; /* fill_slot's */
    }
    return mismatch(filler, type);
}

/* A union's default is a value of its first branch. */
static bool fill_slot(struct filler *filler, const struct codec_slot *slot, const json_t *json, char *base) {
    const struct codec_type *type = slot->type;
    if (type->kind == CODEC_OPTIONAL) {
        type = type->branches[0];
        *(bool *)(base + slot->flag_offset) = type->kind != CODEC_NULL;
    } else if (type->kind == CODEC_UNION) {
        type = type->branches[0];
        *(int *)(void *)(base + slot->flag_offset) = 0;
    }
    return fill_value(filler, type, json, base + slot->offset);
}

bool codec_default(const struct codec_field *field, struct arena *arena, void *record, struct error *error) {
    if (!field->default_json) return error_set(error, "the field has no default");
    json_error_t problem;
    json_t *json = json_loads(field->default_json, JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);
    if (!json) return error_set(error, "the default cannot be read: %s", problem.text);
    struct filler filler = {arena, error};
    bool ok = fill_slot(&filler, &field->slot, json, record);
    json_decref(json);
    return ok;
}
