#include <stdio.h>
#include <string.h>

#include "common/codec/calendar.h"
#include "common/codec/decimal.h"
#include "common/codec/default.h"
#include "common/codec/json.h"
#include "common/platform/names.h"

struct reading {
    struct arena *arena;
    struct error *error;
    char path[256];
};

static bool read_slot(struct reading *reading, const struct codec_slot *slot, const json_t *json, char *base);

/* ---- path and errors ---- */

static size_t path_enter(struct reading *reading, const char *name, size_t index) {
    size_t length = strlen(reading->path), room = sizeof reading->path - length;
    if (name) snprintf(reading->path + length, room, "%s%s", length ? "." : "", name);
    else snprintf(reading->path + length, room, "[%zu]", index);
    return length;
}

static bool wrong(struct reading *reading, const char *expected, const json_t *json) {
    char *is = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);
    error_set(reading->error, "%s: expected %s, not %.80s", reading->path[0] ? reading->path : "the record", expected, is ? is : "this");
    free(is);
    return false;
}

static bool full(struct reading *reading) { return error_set(reading->error, "%s: the record is too large", reading->path); }

static bool unknown_field(struct reading *reading, const struct codec_type *type, const char *name) {
    const char *nearest = NULL;
    size_t best = SIZE_MAX;
    for (uint32_t i = 0; i < type->field_count; i++) {
        size_t d = name_distance(slice_of(name), slice_of(type->fields[i].name));
        if (d < best) { best = d; nearest = type->fields[i].name; }
    }
    return error_set(reading->error, "%s%s%.80s: no such field in %s%s%s%s", reading->path, reading->path[0] ? "." : "", name, type->name,
                     nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

/* ---- scalars ---- */

static bool read_text(struct reading *reading, const json_t *json, const char *expected, struct slice *out) {
    if (!json_is_string(json)) return wrong(reading, expected, json);
    char *copy = arena_copy(reading->arena, json_string_value(json), json_string_length(json));
    if (!copy) return full(reading);
    *out = (struct slice){copy, json_string_length(json)};
    return true;
}

static int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool read_base64(struct reading *reading, const struct codec_type *type, const json_t *json, struct slice *out) {
    struct slice text;
    if (!read_text(reading, json, "bytes in base64", &text)) return false;
    size_t length = text.length, used = 0;
    if (length % 4 != 0) return wrong(reading, "bytes in base64, padded with =", json);
    for (int pad = 0; pad < 2 && length && text.data[length - 1] == '='; pad++) length--;
    unsigned char *bytes = arena_alloc(reading->arena, length + 1);
    if (!bytes) return full(reading);
    uint32_t bits = 0;
    for (size_t i = 0; i < length; i++) {
        int digit = base64_digit(text.data[i]);
        if (digit < 0) return wrong(reading, "bytes in base64", json);
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4) bytes[used++] = (unsigned char)(bits >> (2 * (3 - i % 4)));
    }
    if (length % 4 && (bits & (length % 4 == 2 ? 15u : 3u))) return wrong(reading, "bytes in base64 without stray bits", json);
    if (type->fixed_size && used != type->fixed_size) {
        char expected[64];
        snprintf(expected, sizeof expected, "%u bytes in base64", type->fixed_size);
        return wrong(reading, expected, json);
    }
    *out = (struct slice){(const char *)bytes, used};
    return true;
}

/* [-+]digits[.digits]; zeros behind the scale are let through. */
static bool read_decimal(struct reading *reading, const struct codec_type *type, const json_t *json, int64_t *out) {
    char integer[32], expected[96];
    snprintf(expected, sizeof expected, "an amount like \"100.00\" with at most %u digits, %u of them behind the point", type->precision, type->scale);
    snprintf(integer, sizeof integer, "%lld", (long long)json_integer_value(json));
    if (!json_is_string(json) && !json_is_integer(json)) return wrong(reading, expected, json);
    const char *at = json_is_string(json) ? json_string_value(json) : integer;
    bool minus = *at == '-', has_point = false, has_digit = false, ok = true;
    if (*at == '-' || *at == '+') at++;
    int64_t amount = 0;
    uint32_t fraction = 0;
    for (; *at && ok; at++) {
        if (*at == '.' && !has_point && has_digit) { has_point = true; continue; }
        ok = *at >= '0' && *at <= '9';
        has_digit = true;
        if (has_point && fraction == type->scale) ok = ok && *at == '0';
        else ok = ok && !__builtin_mul_overflow(amount, 10, &amount) && !__builtin_add_overflow(amount, *at - '0', &amount);
        if (has_point && fraction < type->scale) fraction++;
    }
    ok = ok && has_digit && at[-1] != '.';
    for (; ok && fraction < type->scale; fraction++) ok = !__builtin_mul_overflow(amount, 10, &amount);
    if (json_is_string(json) && strlen(json_string_value(json)) != json_string_length(json)) ok = false;
    if (!ok || amount > codec_decimal_limit(type->precision)) return wrong(reading, expected, json);
    *out = minus ? -amount : amount;
    return true;
}

static bool read_integer(struct reading *reading, const json_t *json, bool is_int, void *out) {
    int64_t number = json_integer_value(json);
    if (!json_is_integer(json)) return wrong(reading, "an integer", json);
    if (!is_int) { *(int64_t *)out = number; return true; }
    if (number < INT32_MIN || number > INT32_MAX) return wrong(reading, "an integer of 32 bits", json);
    *(int32_t *)out = (int32_t)number;
    return true;
}

static bool read_moment(struct reading *reading, const struct codec_type *type, const json_t *json, void *out) {
    struct slice text = {json_string_value(json), json_string_length(json)};
    if (type->kind == CODEC_DATE)
        return (json_is_string(json) && codec_date_parse(text, out)) || wrong(reading, "a date like \"2018-01-31\"", json);
    bool is_millis = type->kind == CODEC_TIMESTAMP_MILLIS;
    if (json_is_string(json) && codec_timestamp_parse(text, is_millis ? 1000 : 1000000, out)) return true;
    return wrong(reading, is_millis ? "a time like \"2018-01-31T10:00:00Z\", at most three digits of a fraction"
                                    : "a time like \"2018-01-31T10:00:00Z\", at most six digits of a fraction", json);
}

static bool read_enum(struct reading *reading, const struct codec_type *type, const json_t *json, int32_t *out) {
    for (uint32_t i = 0; json_is_string(json) && i < type->symbol_count; i++)
        if (strcmp(type->symbols[i], json_string_value(json)) == 0) { *out = (int32_t)i; return true; }
    char expected[200] = "one of";
    size_t used = strlen(expected);
    for (uint32_t i = 0; i < type->symbol_count && used < sizeof expected; i++)
        used += (size_t)snprintf(expected + used, sizeof expected - used, " %s", type->symbols[i]);
    return wrong(reading, expected, json);
}

/* ---- records, lists, unions ---- */

static bool read_record(struct reading *reading, const struct codec_type *type, const json_t *json, char *out) {
    if (!json_is_object(json)) return wrong(reading, "an object", json);
    size_t known = 0;
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct codec_field *field = &type->fields[i];
        const json_t *value = json_object_get(json, field->name);
        size_t path = path_enter(reading, field->name, 0);
        if (value) {
            known++;
            if (!read_slot(reading, &field->slot, value, out)) return false;
        } else if (!field->default_json) {
            return error_set(reading->error, "%s: the field is missing and has no default", reading->path);
        } else if (!codec_default(field, reading->arena, out, reading->error)) {
            return error_prefix(reading->error, "%s", reading->path);
        }
        reading->path[path] = 0;
    }
    if (known == json_object_size(json)) return true;
    const char *name;
    json_t *ignored;
    json_object_foreach((json_t *)json, name, ignored) {
        uint32_t i = 0;
        while (i < type->field_count && strcmp(type->fields[i].name, name) != 0) i++;
        if (i == type->field_count) return unknown_field(reading, type, name);
    }
    return true;
}

static bool read_array(struct reading *reading, const struct codec_type *type, const json_t *json, struct codec_list *out) {
    if (!json_is_array(json)) return wrong(reading, "a list", json);
    size_t count = json_array_size(json);
    char *items = arena_alloc(reading->arena, count * type->element_size);
    if (!items) return full(reading);
    *out = (struct codec_list){items, count};
    for (size_t i = 0; i < count; i++) {
        size_t path = path_enter(reading, NULL, i);
        if (!read_slot(reading, &type->element, json_array_get(json, i), items + i * type->element_size)) return false;
        reading->path[path] = 0;
    }
    return true;
}

static bool read_map(struct reading *reading, const struct codec_type *type, const json_t *json, struct codec_list *out) {
    if (!json_is_object(json)) return wrong(reading, "an object", json);
    size_t count = json_object_size(json);
    char *entry = arena_alloc(reading->arena, count * type->element_size);
    if (!entry) return full(reading);
    *out = (struct codec_list){entry, count};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value) {
        size_t path = path_enter(reading, key, 0);
        char *copy = arena_copy(reading->arena, key, strlen(key));
        if (!copy) return full(reading);
        *(struct slice *)(void *)entry = (struct slice){copy, strlen(key)};
        if (!read_slot(reading, &type->element, value, entry)) return false;
        reading->path[path] = 0;
        entry += type->element_size;
    }
    return true;
}

static bool read_value(struct reading *reading, const struct codec_type *type, const json_t *json, char *out) {
    void *place = out;
    switch (type->kind) {
    case CODEC_NULL: return json_is_null(json) || wrong(reading, "null", json);
    case CODEC_BOOLEAN: *(bool *)place = json_is_true(json); return json_is_boolean(json) || wrong(reading, "true or false", json);
    case CODEC_INT: return read_integer(reading, json, true, place);
    case CODEC_LONG: return read_integer(reading, json, false, place);
    case CODEC_FLOAT: *(float *)place = (float)json_number_value(json); return json_is_number(json) || wrong(reading, "a number", json);
    case CODEC_DOUBLE: *(double *)place = json_number_value(json); return json_is_number(json) || wrong(reading, "a number", json);
    case CODEC_BYTES: case CODEC_FIXED: return read_base64(reading, type, json, place);
    case CODEC_STRING: case CODEC_UUID: return read_text(reading, json, "a text", place);
    case CODEC_DECIMAL: return read_decimal(reading, type, json, place);
    case CODEC_DATE: case CODEC_TIMESTAMP_MILLIS: case CODEC_TIMESTAMP_MICROS: return read_moment(reading, type, json, place);
    case CODEC_ENUM: return read_enum(reading, type, json, place);
    case CODEC_RECORD: return read_record(reading, type, json, out);
    case CODEC_ARRAY: return read_array(reading, type, json, place);
    case CODEC_MAP: return read_map(reading, type, json, place);
    case CODEC_OPTIONAL: case CODEC_UNION: break; /* read_slot's */
    }
    return false;
}

static bool read_union(struct reading *reading, const struct codec_slot *slot, const json_t *json, char *base) {
    const struct codec_type *type = slot->type;
    const char *name = json_is_null(json) ? "null" : json_object_iter_key(json_object_iter((json_t *)json));
    for (uint32_t i = 0; name && i < type->branch_count; i++) {
        const struct codec_type *branch = type->branches[i];
        if (strcmp(branch->name ? branch->name : codec_kind_name(branch->kind), name) != 0) continue;
        *(int *)(void *)(base + slot->flag_offset) = (int)i;
        if (json_is_null(json)) return true;
        if (json_object_size(json) != 1) break;
        size_t path = path_enter(reading, name, 0);
        if (!read_value(reading, branch, json_object_get(json, name), base + slot->offset)) return false;
        reading->path[path] = 0;
        return true;
    }
    return wrong(reading, "{\"branch\": value}, the branch named as in the schema", json);
}

static bool read_slot(struct reading *reading, const struct codec_slot *slot, const json_t *json, char *base) {
    if (slot->type->kind == CODEC_UNION) return read_union(reading, slot, json, base);
    if (slot->type->kind != CODEC_OPTIONAL) return read_value(reading, slot->type, json, base + slot->offset);
    *(bool *)(base + slot->flag_offset) = !json_is_null(json);
    return json_is_null(json) || read_value(reading, slot->type->element.type, json, base + slot->offset);
}

bool codec_from_json(const struct codec_type *type, const json_t *json, struct arena *arena, void *out, struct error *error) {
    struct reading reading = {.arena = arena, .error = error};
    memset(out, 0, type->size);
    return read_value(&reading, type, json, out);
}
