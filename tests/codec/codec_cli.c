/* codec_cli: the codec for the differential tests. Reads lines {"writer": schema text, "reader": schema text, "bytes": hex, "avro_c": bool} and answers each
 * with one line: {"refused": text}, {"result": text of codec_result}, or {"value": the struct as JSON, "encoded": hex of it by our
 * own schema or null, "roundtrip": whether JSON and back gives the same bytes, "avro_c": hex}, where avro-c read the bytes and wrote them again. */
#include <avro.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/encode.h"
#include "common/codec/json.h"
#include "common/codec/layout.h"
#include "common/codec/plan.h"

static void print_hex(const char *label, const void *bytes, size_t length) {
    printf("\"%s\":\"", label);
    for (size_t i = 0; i < length; i++) printf("%02x", ((const unsigned char *)bytes)[i]);
    printf("\"");
}

static size_t from_hex(const char *text, unsigned char *bytes) {
    size_t length = 0;
    for (; text[0] && text[1]; text += 2) {
        unsigned value;
        if (sscanf(text, "%2x", &value) != 1) break;
        bytes[length++] = (unsigned char)value;
    }
    return length;
}

/* Reads what avro-c can (no logical types, no resolution) and writes it again. */
static void print_avro_c(const char *writer, const unsigned char *bytes, size_t length) {
    avro_schema_t schema;
    if (avro_schema_from_json_length(writer, strlen(writer), &schema) != 0) { printf(",\"avro_c\":null"); return; }
    avro_value_iface_t *iface = avro_generic_class_from_schema(schema);
    avro_value_t value;
    size_t room = length * 2 + 64, size = 0;
    char *out = malloc(room);
    avro_reader_t reader = avro_reader_memory((const char *)bytes, (int64_t)length);
    avro_writer_t target = avro_writer_memory(out, (int64_t)room);
    avro_generic_value_new(iface, &value);
    bool ok = avro_value_read(reader, &value) == 0 && avro_value_write(target, &value) == 0;
    size = ok ? (size_t)avro_writer_tell(target) : 0;
    printf(",");
    if (ok) print_hex("avro_c", out, size);
    else printf("\"avro_c\":null");
    avro_value_decref(&value);
    avro_value_iface_decref(iface);
    avro_reader_free(reader);
    avro_writer_free(target);
    avro_schema_decref(schema);
    free(out);
}

static bool same_after_json(const struct codec_type *type, const struct buffer *text, const struct buffer *encoded, struct arena *arena) {
    struct error error;
    json_t *json = json_loadb(text->data, text->length, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    void *copy = calloc(1, type->size + 1);
    struct buffer again = {0};
    bool same = json && codec_from_json(type, json, arena, copy, &error);
    if (json && !same) fprintf(stderr, "codec_cli: %s\n", error.text);
    same = same && codec_encode(type, copy, &again) && slice_equal(buffer_slice(&again), buffer_slice(encoded));
    json_decref(json);
    free(copy);
    buffer_free(&again);
    return same;
}

static void answer_value(const struct codec_type *reader, const void *value, struct arena *arena) {
    struct buffer text = {0}, encoded = {0};
    if (!codec_to_json(reader, value, &text)) exit(1);
    printf("{\"value\":%.*s,", (int)text.length, text.data);
    if (codec_encode(reader, value, &encoded)) {
        print_hex("encoded", encoded.data, encoded.length);
        printf(",\"roundtrip\":%s", same_after_json(reader, &text, &encoded, arena) ? "true" : "false");
    } else printf("\"encoded\":null");
    buffer_free(&text);
    buffer_free(&encoded);
}

static void refuse(const struct error *error) {
    json_t *text = json_string(error->text);
    char *quoted = json_dumps(text, JSON_ENCODE_ANY);
    printf("{\"refused\":%s}\n", quoted);
    free(quoted);
    json_decref(text);
}

static void answer(const json_t *request) {
    struct error error = {{0}};
    const char *writer_text = json_string_value(json_object_get(request, "writer")), *hex = json_string_value(json_object_get(request, "bytes"));
    struct codec_schema *writer = codec_schema_parse(slice_of(writer_text), &error);
    const struct codec_type *reader = writer ? codec_type_parse(json_string_value(json_object_get(request, "reader")), &error) : NULL;
    struct codec_plan *plan = reader ? codec_plan_new(writer, reader, &error) : NULL;
    codec_schema_free(writer); /* the plan must not need it */
    if (plan) {
        unsigned char *bytes = malloc(strlen(hex) / 2 + 1);
        size_t length = from_hex(hex, bytes);
        void *value = calloc(1, reader->size + 1);
        struct arena arena;
        arena_init(&arena, 4096, 16u << 20);
        enum codec_result result = codec_decode(plan, bytes, length, &arena, value);
        if (result == CODEC_OK) answer_value(reader, value, &arena);
        else printf("{\"result\":\"%s\"", codec_result_text(result));
        if (json_is_true(json_object_get(request, "avro_c"))) print_avro_c(writer_text, bytes, length);
        printf("}\n");
        arena_free(&arena);
        free(value);
        free(bytes);
    } else refuse(&error);
    codec_plan_free(plan);
    if (reader) codec_type_free(reader);
}

int main(void) {
    char *line = NULL;
    size_t size = 0;
    for (ssize_t length; (length = getline(&line, &size, stdin)) > 0;) {
        json_t *request = json_loadb(line, (size_t)length, JSON_ALLOW_NUL, NULL);
        if (!request) return 2;
        answer(request);
        json_decref(request);
        fflush(stdout);
    }
    free(line);
    return 0;
}
