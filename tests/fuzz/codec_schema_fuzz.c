/* Any text as a schema, and three parts divided by lines as writer, reader and record: parse, layout, defaults, plan, decode. */
#include <stdlib.h>
#include <string.h>

#include "common/codec/json.h"
#include "common/codec/layout.h"
#include "common/codec/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error error;
    const uint8_t *end = data + size, *first = memchr(data, '\n', size);
    size_t writer_length = first ? (size_t)(first - data) : size;
    const uint8_t *rest = first ? first + 1 : end;
    const uint8_t *second = memchr(rest, '\n', (size_t)(end - rest));
    size_t reader_length = second ? (size_t)(second - rest) : (size_t)(end - rest);
    const uint8_t *bytes = second ? second + 1 : end;

    struct codec_schema *writer = codec_schema_parse((struct slice){(const char *)data, writer_length}, &error);
    if (!writer) return 0;
    /* An empty second line: the writer's schema on both sides. */
    char *text = reader_length ? strndup((const char *)rest, reader_length) : strdup(writer->text);
    const struct codec_type *reader = codec_type_parse(text, &error);
    struct codec_plan *plan = reader ? codec_plan_new(writer, reader, &error) : NULL;
    codec_schema_free(writer);
    if (plan) {
        struct arena arena;
        arena_init(&arena, 4096, 1u << 20);
        void *value = malloc(reader->size + 1);
        struct buffer json = {0};
        if (codec_decode(plan, bytes, (size_t)(end - bytes), &arena, value) == CODEC_OK && !codec_to_json(reader, value, &json)) abort();
        json_t *object = json_loadb(json.length ? json.data : "", json.length, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
        if (object && !codec_from_json(reader, object, &arena, value, &error)) error.text[0] = 0; /* nulls for sentinels are refused: fine */
        json_decref(object);
        buffer_free(&json);
        free(value);
        arena_free(&arena);
    }
    codec_plan_free(plan);
    codec_type_free(reader);
    free(text);
    return 0;
}
