#include "cli/record_line.h"

#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/values.h"
#include "common/codec/encode.h"
#include "common/codec/json.h"
#include "common/codec/wire.h"

enum { RECORD_MEMORY = 256 << 20 };

static const struct codec_field *field_of(const struct codec_type *type, const char *name) {
    for (uint32_t i = 0; i < type->field_count; i++)
        if (strcmp(type->fields[i].name, name) == 0) return &type->fields[i];
    return NULL;
}

static bool set_key_fields(struct record_maker *maker, const char *const *names, struct error *error) {
    for (; *names; names++) {
        const struct codec_field *field = field_of(maker->type, *names);
        if (!field || (field->slot.type->kind != CODEC_STRING && field->slot.type->kind != CODEC_DATE) || maker->key_field_count == RECORD_KEY_FIELDS_MAXIMUM)
            return error_set(error, "the key cannot be made of the field %s: %s has no text or date of that name", *names, maker->type->name);
        maker->key_fields[maker->key_field_count++] = field;
    }
    return true;
}

bool record_maker_open(struct record_maker *maker, const struct codec_type *type, uint32_t schema_id, const char *const *key, struct error *error) {
    *maker = (struct record_maker){.type = type, .schema_id = schema_id};
    arena_init(&maker->arena, 1 << 16, RECORD_MEMORY);
    if (!type) return true;
    if (type->kind != CODEC_RECORD) return error_set(error, "the topic's schema is no record, but %s: only records can be written as JSON lines", codec_kind_name(type->kind));
    maker->value = malloc(type->size ? type->size : 1);
    if (!maker->value) return error_set(error, "out of memory");
    const char *const usual[] = {"entity", field_of(type, "supplier") ? "supplier" : "partner", NULL};
    if (key) return set_key_fields(maker, key, error);
    return !field_of(type, usual[0]) || !field_of(type, usual[1]) || set_key_fields(maker, usual, error);
}

void record_maker_close(struct record_maker *maker) {
    if (maker->headers) rd_kafka_headers_destroy(maker->headers);
    arena_free(&maker->arena);
    buffer_free(&maker->key_bytes);
    buffer_free(&maker->value_bytes);
    free(maker->value);
    *maker = (struct record_maker){0};
}

bool key_append(struct buffer *key, struct slice id) {
    for (size_t i = 0, from = 0; i <= id.length; i++) {
        const char *code = i == id.length ? "" : id.data[i] == '%' ? "%25" : id.data[i] == '|' ? "%7C" : NULL;
        if (!code) continue;
        if (!buffer_append(key, id.data + from, i - from) || !buffer_append(key, code, strlen(code))) return false;
        from = i + 1;
    }
    return true;
}

static bool make_key(struct record_maker *maker, struct error *error) {
    if (!maker->key_field_count) return error_set(error, "key: this topic's key cannot be made of the value; give it with the line");
    for (size_t i = 0; i < maker->key_field_count; i++) {
        const struct codec_slot *slot = &maker->key_fields[i]->slot;
        const void *at = (const char *)maker->value + slot->offset;
        char date[TIME_TEXT_SIZE];
        struct slice part = slot->type->kind == CODEC_DATE ? slice_of(date_text(*(const int32_t *)at, date)) : *(const struct slice *)at;
        if ((i && !buffer_append(&maker->key_bytes, "|", 1)) || !key_append(&maker->key_bytes, part)) return error_set(error, "out of memory");
    }
    return maker->has_key = true;
}

/* Text, or {"base64": "..."}. */
static bool append_bytes(struct buffer *out, const json_t *json, const char *path, struct error *error) {
    if (json_is_string(json)) return buffer_append(out, json_string_value(json), json_string_length(json)) || error_set(error, "out of memory");
    const json_t *coded = json_is_object(json) && json_object_size(json) == 1 ? json_object_get(json, "base64") : NULL;
    if (json_is_string(coded) && base64_read(out, (struct slice){json_string_value(coded), json_string_length(coded)})) return true;
    return error_set(error, "%s: expected a text or {\"base64\": \"...\"}", path);
}

static bool take_key(struct record_maker *maker, const json_t *key, struct error *error) {
    if (!key) return true; /* made of the value */
    if (json_is_null(key)) return true;
    maker->has_key = true;
    return append_bytes(&maker->key_bytes, key, "key", error);
}

static bool take_headers(struct record_maker *maker, json_t *headers, struct error *error) {
    if (!headers || json_is_null(headers) || (json_is_object(headers) && !json_object_size(headers))) return true;
    if (!json_is_object(headers)) return error_set(error, "headers: expected an object of names and texts");
    maker->headers = rd_kafka_headers_new(json_object_size(headers));
    const char *name;
    json_t *value;
    struct buffer bytes = {0};
    bool ok = true;
    json_object_foreach(headers, name, value) {
        char path[128];
        snprintf(path, sizeof path, "headers.%s", name);
        buffer_reset(&bytes);
        ok = ok && append_bytes(&bytes, value, path, error) &&
             (!rd_kafka_header_add(maker->headers, name, -1, bytes.length ? bytes.data : "", (ssize_t)bytes.length) || error_set(error, "%s: cannot be added", path));
    }
    buffer_free(&bytes);
    return ok;
}

static bool take_timestamp(struct record_maker *maker, const json_t *timestamp, struct error *error) {
    if (!timestamp || json_is_null(timestamp)) return true;
    maker->timestamp_ms = json_integer_value(timestamp);
    return (json_is_integer(timestamp) && maker->timestamp_ms > 0) || error_set(error, "timestamp: expected milliseconds since 1970, from 1");
}

static bool take_value(struct record_maker *maker, const json_t *value, struct error *error) {
    if (json_is_null(value)) return true;
    maker->has_value = true;
    if (!maker->type) {
        struct slice text = {json_string_value(value), json_string_length(value)};
        return (json_is_string(value) && base64_read(&maker->value_bytes, text)) || error_set(error, "value: --raw expects base64");
    }
    struct error why;
    if (!codec_from_json(maker->type, value, &maker->arena, maker->value, &why)) return error_set(error, "value: %s", why.text);
    if (codec_wire_append(&maker->value_bytes, maker->schema_id) && codec_encode(maker->type, maker->value, &maker->value_bytes)) return true;
    return error_set(error, maker->value_bytes.failed ? "out of memory" : "value: an amount has more digits than %s allows", maker->type->name);
}

/* Whether the object is a record around a value, and not the value itself. */
static bool is_envelope(const json_t *json) {
    static const char *const members[] = {"value", "key", "timestamp", "headers", "partition", "offset", "error"};
    size_t known = 0;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) known += json_object_get(json, members[i]) != NULL;
    return json_object_get(json, "value") && known == json_object_size(json);
}

static bool take_line(struct record_maker *maker, json_t *json, struct error *error) {
    if (!json_is_object(json)) return error_set(error, "expected a JSON object: a value, or {\"key\": ..., \"value\": {...}}");
    if (!is_envelope(json)) return take_value(maker, json, error) && make_key(maker, error);
    if (json_object_get(json, "error") && maker->type)
        return error_set(error, "the line says that its value could not be read; kontor produce --raw sends such a value as it is");
    const json_t *key = json_object_get(json, "key");
    if (!take_timestamp(maker, json_object_get(json, "timestamp"), error) || !take_key(maker, key, error) ||
        !take_headers(maker, json_object_get(json, "headers"), error) || !take_value(maker, json_object_get(json, "value"), error))
        return false;
    return key || !maker->type || (maker->has_value ? make_key(maker, error) : error_set(error, "key: a tombstone needs its key"));
}

bool record_make(struct record_maker *maker, struct slice line, struct error *error) {
    if (maker->headers) rd_kafka_headers_destroy(maker->headers);
    maker->headers = NULL;
    maker->has_key = maker->has_value = false;
    maker->timestamp_ms = 0;
    arena_reset(&maker->arena);
    buffer_reset(&maker->key_bytes);
    buffer_reset(&maker->value_bytes);
    json_error_t why;
    json_t *json = json_loadb(line.data, line.length, JSON_REJECT_DUPLICATES, &why);
    if (!json) return error_set(error, "not JSON: %s, at column %d", why.text, why.column);
    bool ok = take_line(maker, json, error);
    json_decref(json);
    return ok;
}
