#include "tests/driver/records.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/codec/calendar.h"
#include "common/codec/encode.h"
#include "common/codec/json.h"
#include "common/codec/wire.h"
#include "common/ledger/date.h"
#include "common/ledger/decimal.h"

const struct codec_field *record_field(const struct codec_type *type, const char *name) {
    for (uint32_t i = 0; i < type->field_count; i++)
        if (strcmp(type->fields[i].name, name) == 0) return &type->fields[i];
    return NULL;
}

static json_t *value_make(const struct codec_type *type, const char *text);

static json_t *value_cut(const struct codec_type *type, const char *text, size_t length) {
    char *cut = strndup(text, length);
    json_t *value = value_make(type, cut);
    free(cut);
    return value;
}

/* A:B:C: the record's fields in the schema's order, as many as are given. */
static json_t *record_make(const struct codec_type *type, const char *text) {
    json_t *record = json_object();
    for (uint32_t i = 0; i < type->field_count; i++) {
        size_t length = strcspn(text, ":");
        if (length && json_object_set_new(record, type->fields[i].name, value_cut(type->fields[i].slot.type, text, length)) != 0) break;
        text += length;
        if (!*text) return record;
        text++;
    }
    json_decref(record);
    return NULL;
}

static json_t *list_make(const struct codec_type *type, const char *text) {
    json_t *list = json_array();
    while (*text) {
        size_t length = strcspn(text, ",");
        if (json_array_append_new(list, value_cut(type, text, length)) != 0) { json_decref(list); return NULL; }
        text += length + (text[length] == ',');
    }
    return list;
}

static json_t *value_make(const struct codec_type *type, const char *text) {
    switch (type->kind) {
    case CODEC_OPTIONAL: return strcmp(text, "none") == 0 ? json_null() : value_make(type->element.type, text);
    case CODEC_BOOLEAN: return strcmp(text, "yes") == 0 ? json_true() : strcmp(text, "no") == 0 ? json_false() : NULL;
    case CODEC_INT: case CODEC_LONG: {
        char *end;
        long number = strtol(text, &end, 10);
        return *text && !*end ? json_integer(number) : NULL;
    }
    case CODEC_STRING: case CODEC_DECIMAL: case CODEC_DATE: case CODEC_ENUM: case CODEC_TIMESTAMP_MILLIS: return json_string(text);
    case CODEC_ARRAY: return list_make(type->element.type, text);
    case CODEC_RECORD: return record_make(type, text);
    default: return NULL;
    }
}

bool record_set(json_t *record, const struct codec_type *type, const char *name, const char *text, struct error *error) {
    const struct codec_field *field = record_field(type, name);
    if (!field) return error_set(error, "%s has no field %s", type->name, name);
    json_t *value = value_make(field->slot.type, text);
    if (!value) return error_set(error, "%s: \"%s\" is no value of it", name, text);
    return json_object_set_new(record, name, value) == 0 || error_set(error, "out of memory");
}

bool record_encode(struct arena *arena, const struct codec_type *type, const json_t *record, uint32_t schema_id, struct slice *bytes, struct error *error) {
    struct buffer out = {0};
    void *value = arena_alloc(arena, type->size);
    bool ok = codec_from_json(type, record, arena, value, error);
    if (ok && !(codec_wire_append(&out, schema_id) && codec_encode(type, value, &out))) ok = error_set(error, "%s cannot be encoded", type->name);
    if (ok) *bytes = (struct slice){arena_copy(arena, out.data, out.length), out.length};
    buffer_free(&out);
    return ok;
}

/* ---- compared ---- */

static bool number_matches(const struct codec_type *type, const char *expected, const char *got) {
    int64_t wanted, is;
    int scale = (int)type->scale;
    return got && decimal_parse(slice_of(expected), scale, &wanted) == DECIMAL_READ && decimal_parse(slice_of(got), scale, &is) == DECIMAL_READ && wanted == is;
}

static bool time_matches(const char *expected, const char *got) {
    int64_t wanted, is;
    struct error error;
    return got && time_read(expected, &wanted, &error) && time_read(got, &is, &error) && wanted == is;
}

/* Part by part, as record_set reads them: the fields of a record, the items of a list. */
static bool parts_match(const struct codec_type *type, const json_t *got, const char *expected) {
    bool list = type->kind == CODEC_ARRAY, matches = true;
    size_t count = list ? json_array_size(got) : type->field_count, i = 0;
    for (; *expected && i < count && matches; i++) {
        size_t length = strcspn(expected, list ? "," : ":");
        char *part = strndup(expected, length);
        matches = list ? value_matches(type->element.type, json_array_get(got, i), part)
                       : value_matches(type->fields[i].slot.type, json_object_get(got, type->fields[i].name), part);
        free(part);
        expected += length + (expected[length] != '\0');
    }
    return matches && !*expected && (!list || i == count);
}

bool value_matches(const struct codec_type *type, const json_t *got, const char *expected) {
    if (json_is_null(got) || !got) return type->kind == CODEC_OPTIONAL && strcmp(expected, "none") == 0;
    switch (type->kind) {
    case CODEC_OPTIONAL: return value_matches(type->element.type, got, expected);
    case CODEC_DECIMAL: return number_matches(type, expected, json_string_value(got));
    case CODEC_TIMESTAMP_MILLIS: return time_matches(expected, json_string_value(got));
    case CODEC_ARRAY: case CODEC_RECORD: return parts_match(type, got, expected);
    default: break;
    }
    json_t *wanted = value_make(type, expected);
    bool equal = wanted && json_equal(wanted, got);
    json_decref(wanted);
    return equal;
}

/* ---- numbers, dates and times ---- */

bool time_read(const char *text, int64_t *time_ms, struct error *error) {
    char whole[64];
    size_t length = strlen(text);
    if (length == 10) snprintf(whole, sizeof whole, "%sT09:00:00Z", text);
    else if (length == 17) snprintf(whole, sizeof whole, "%.16s:00Z", text);
    else snprintf(whole, sizeof whole, "%s", text);
    return codec_timestamp_parse(slice_of(whole), 1000, time_ms) || error_set(error, "%s is no time: 2026-03-05T10:00Z", text);
}

const char *date_text(struct arena *arena, int64_t time_ms) {
    const int64_t day_ms = 86400000;
    char *text = arena_alloc(arena, DATE_TEXT_SIZE);
    date_print((int32_t)(time_ms / day_ms - (time_ms % day_ms < 0)), text);
    return text;
}

bool decimal_text_read(const char *text, int scale, int64_t *value, struct error *error) {
    return decimal_parse(slice_of(text), scale, value) == DECIMAL_READ || error_set(error, "%s is no number with at most %d digits behind the point", text, scale);
}
