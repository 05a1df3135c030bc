/* Any bytes as a record, over pairs of schemas: the first byte chooses the pair. What is read must be encodable, and read again as the same. */
#include <stdlib.h>
#include <string.h>

#include "common/codec/encode.h"
#include "common/codec/json.h"
#include "common/codec/layout.h"
#include "common/codec/plan.h"

#define RECORD(fields) "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" fields "]}"
#define DECIMAL(precision, scale) "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":" precision ",\"scale\":" scale "}"
#define TREE "{\"type\":\"record\",\"name\":\"Tree\",\"fields\":[{\"name\":\"next\",\"type\":[\"null\",\"Tree\"]},{\"name\":\"all\",\"type\":{\"type\":\"array\",\"items\":\"Tree\"}}]}"

static const char *const pairs[][2] = {
    {RECORD("{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"s\",\"type\":\"string\"},{\"name\":\"d\",\"type\":" DECIMAL("18", "4") "},"
            "{\"name\":\"l\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"L\",\"fields\":[{\"name\":\"x\",\"type\":[\"null\",\"long\"]},{\"name\":\"y\",\"type\":\"bytes\"}]}}}"),
     RECORD("{\"name\":\"s\",\"type\":[\"null\",\"string\"]},{\"name\":\"a\",\"type\":\"long\"},{\"name\":\"d\",\"type\":" DECIMAL("9", "2") "},"
            "{\"name\":\"l\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"L\",\"fields\":[{\"name\":\"y\",\"type\":\"bytes\"},{\"name\":\"z\",\"type\":\"string\",\"default\":\"q\"}]}}}")},
    {RECORD("{\"name\":\"t\",\"type\":" TREE "},{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":[\"string\",\"null\",\"double\",{\"type\":\"array\",\"items\":\"null\"}]}}"),
     RECORD("{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"double\",\"string\",{\"type\":\"array\",\"items\":\"null\"}]}}")},
    {RECORD("{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\",\"C\"]}},{\"name\":\"f\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":20,"
            "\"logicalType\":\"decimal\",\"precision\":40,\"scale\":30}},{\"name\":\"n\",\"type\":{\"type\":\"array\",\"items\":\"null\"}}"),
     RECORD("{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"C\",\"A\"],\"default\":\"C\"}},{\"name\":\"f\",\"type\":" DECIMAL("30", "2") "},"
            "{\"name\":\"n\",\"type\":{\"type\":\"array\",\"items\":\"null\"}}")},
    {RECORD("{\"name\":\"g\",\"type\":{\"type\":\"map\",\"values\":{\"type\":\"array\",\"items\":{\"type\":\"map\",\"values\":\"float\"}}}},{\"name\":\"b\",\"type\":\"boolean\"}"), RECORD("")}};
#define PAIRS (sizeof pairs / sizeof *pairs)

static struct { const struct codec_type *reader; struct codec_plan *plan, *own; } made[PAIRS];

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    (void)count; (void)arguments;
    struct error error;
    for (size_t i = 0; i < PAIRS; i++) {
        struct codec_schema *writer = codec_schema_parse(slice_of(pairs[i][0]), &error);
        made[i].reader = codec_type_parse(pairs[i][1], &error);
        if (!writer || !made[i].reader) abort();
        made[i].plan = codec_plan_new(writer, made[i].reader, &error);
        made[i].own = codec_plan_own(made[i].reader, &error);
        if (!made[i].plan || !made[i].own) abort();
        codec_schema_free(writer);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    size_t i = data[0] % PAIRS;
    struct arena arena;
    arena_init(&arena, 4096, 1u << 20);
    void *value = malloc(made[i].reader->size), *again = malloc(made[i].reader->size);
    struct buffer json = {0}, bytes = {0}, bytes_again = {0};
    if (codec_decode(made[i].plan, data + 1, size - 1, &arena, value) == CODEC_OK) {
        if (!codec_to_json(made[i].reader, value, &json)) abort();
        if (codec_encode(made[i].reader, value, &bytes)) { /* a decimal sentinel is not encoded */
            if (codec_decode(made[i].own, bytes.data, bytes.length, &arena, again) == CODEC_OK) { /* else the arena's limit */
                if (!codec_encode(made[i].reader, again, &bytes_again)) abort();
                if (!slice_equal(buffer_slice(&bytes), buffer_slice(&bytes_again))) abort();
            }
        }
    }
    buffer_free(&json);
    buffer_free(&bytes);
    buffer_free(&bytes_again);
    free(value);
    free(again);
    arena_free(&arena);
    return 0;
}
