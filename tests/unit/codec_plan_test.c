/* Reading: schema resolution by the specification's rows, damaged bytes, decimals. Bytes are written by hand, from the specification. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/codec/encode.h"
#include "common/codec/json.h"
#include "common/codec/layout.h"
#include "common/codec/measure.h"
#include "common/codec/plan.h"

#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define FIELD_OR(name, type, value) "{\"name\":\"" name "\",\"type\":" type ",\"default\":" value "}"
#define RECORD(fields) "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" fields "]}"
#define DECIMAL(precision, scale) "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":" precision ",\"scale\":" scale "}"
#define LOGICAL(base, name) "{\"type\":\"" base "\",\"logicalType\":\"" name "\"}"
#define BYTES(literal) (literal), sizeof(literal) - 1

/* The struct as JSON, or the result's text, or the refusal. Static until the next call. */
static const char *read_as(const char *writer_text, const char *reader_text, const void *bytes, size_t length) {
    static char answer[4096];
    struct error error = {{0}};
    struct codec_schema *writer = codec_schema_parse(slice_of(writer_text), &error);
    if (!writer) fail_msg("writer: %s", error.text);
    const struct codec_type *reader = codec_type_parse(reader_text, &error);
    if (!reader) fail_msg("reader: %s", error.text);
    struct codec_plan *plan = codec_plan_new(writer, reader, &error);
    codec_schema_free(writer);
    if (!plan) snprintf(answer, sizeof answer, "refused: %s", error.text);
    else {
        /* Exactly so many bytes, so that the sanitizer sees a read beyond them. */
        char *exact = malloc(length + 1);
        memcpy(exact, bytes, length);
        exact = realloc(exact, length ? length : 1);
        struct arena arena;
        arena_init(&arena, 1024, 1u << 20);
        void *out = malloc(reader->size);
        struct buffer text = {0};
        enum codec_result result = codec_decode(plan, exact, length, &arena, out);
        if (result == CODEC_OK) assert_true(codec_to_json(reader, out, &text));
        snprintf(answer, sizeof answer, "%.*s", result == CODEC_OK ? (int)text.length : 100, result == CODEC_OK ? text.data : codec_result_text(result));
        buffer_free(&text);
        arena_free(&arena);
        free(out);
        free(exact);
    }
    codec_plan_free(plan);
    codec_type_free(reader);
    return answer;
}

static void reads(const char *writer, const char *reader, const void *bytes, size_t length, const char *expected) {
    const char *is = read_as(writer, reader, bytes, length);
    if (strcmp(is, expected) != 0) fail_msg("%s as %s: %s, expected %s", writer, reader, is, expected);
}

static void refuses(const char *writer, const char *reader, const char *words) {
    const char *is = read_as(writer, reader, "", 0);
    if (strncmp(is, "refused: ", 9) != 0 || !strstr(is, words)) fail_msg("%s as %s: %s, expected refused: %s", writer, reader, is, words);
}

/* One field, a, of one type and another. */
#define ONE(type) RECORD(FIELD("a", type))

static void test_promotions(void **state) {
    (void)state;
    /* Specification 1.11, "Schema Resolution": 3 is 06, -1 is 01. */
    reads(ONE("\"int\""), ONE("\"long\""), BYTES("\x06"), "{\"a\":3}");
    reads(ONE("\"int\""), ONE("\"float\""), BYTES("\x06"), "{\"a\":3.0}");
    reads(ONE("\"int\""), ONE("\"double\""), BYTES("\x01"), "{\"a\":-1.0}");
    reads(ONE("\"long\""), ONE("\"float\""), BYTES("\x06"), "{\"a\":3.0}");
    reads(ONE("\"long\""), ONE("\"double\""), BYTES("\x06"), "{\"a\":3.0}");
    reads(ONE("\"float\""), ONE("\"double\""), BYTES("\x00\x00\xc0\x3f"), "{\"a\":1.5}");
    reads(ONE("\"string\""), ONE("\"bytes\""), BYTES("\x06" "abc"), "{\"a\":\"YWJj\"}");
    reads(ONE("\"bytes\""), ONE("\"string\""), BYTES("\x06" "abc"), "{\"a\":\"abc\"}");
    reads(ONE("\"bytes\""), ONE("\"string\""), BYTES("\x02\xff"), "not a value of its schema");
    static const char *const refused[][2] = {{"\"long\"", "\"int\""}, {"\"float\"", "\"long\""}, {"\"double\"", "\"float\""}, {"\"boolean\"", "\"int\""},
        {"\"int\"", "\"string\""}, {"\"string\"", "\"int\""}, {"\"null\"", "\"int\""}, {"\"int\"", "\"boolean\""},
        {LOGICAL("int", "date"), LOGICAL("long", "timestamp-millis")}, {LOGICAL("long", "timestamp-micros"), LOGICAL("long", "timestamp-millis")},
        {LOGICAL("int", "date"), "\"double\""}, {"\"bytes\"", DECIMAL("9", "2")}, {DECIMAL("9", "2"), "\"string\""}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char writer[300], reader[300];
        snprintf(writer, sizeof writer, "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":%s}]}", refused[i][0]);
        snprintf(reader, sizeof reader, "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":%s}]}", refused[i][1]);
        refuses(writer, reader, "R.a: the writer's ");
    }
}

static void test_times(void **state) {
    (void)state;
    /* 2018-01-31 is day 17562: zigzag 35124 = b4 92 02. 1000 ms: zigzag 2000 = d0 0f. */
    reads(ONE(LOGICAL("int", "date")), ONE(LOGICAL("int", "date")), BYTES("\xb4\x92\x02"), "{\"a\":\"2018-01-31\"}");
    reads(ONE(LOGICAL("long", "timestamp-millis")), ONE(LOGICAL("long", "timestamp-micros")), BYTES("\xd0\x0f"), "{\"a\":\"1970-01-01T00:00:01Z\"}");
    reads(ONE("\"int\""), ONE(LOGICAL("long", "timestamp-millis")), BYTES("\x01"), "{\"a\":\"1969-12-31T23:59:59.999Z\"}");
    reads(ONE(LOGICAL("long", "timestamp-millis")), ONE(LOGICAL("long", "timestamp-micros")),
          BYTES("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "a value that our schema cannot hold");
}

static void test_fields(void **state) {
    (void)state;
    const char *writer = RECORD(FIELD("a", "\"int\"") "," FIELD("gone", "{\"type\":\"map\",\"values\":[\"null\",\"string\"]}") "," FIELD("b", "\"string\""));
    /* a 1; gone: one block of 2 entries x:null y:"q", with its size in bytes; b "z". */
    static const char bytes[] = "\x02" "\x03\x10" "\x02x\x00" "\x02y\x02\x02q" "\x00" "\x02z";
    reads(writer, RECORD(FIELD("b", "\"string\"") "," FIELD("a", "\"int\"")), bytes, sizeof bytes - 1, "{\"b\":\"z\",\"a\":1}");
    reads(writer, RECORD(FIELD("a", "\"int\"") "," FIELD_OR("new", "[\"null\",\"int\"]", "null") "," FIELD_OR("text", "\"string\"", "\"EUR\"")), bytes,
          sizeof bytes - 1, "{\"a\":1,\"new\":null,\"text\":\"EUR\"}");
    reads(writer, "{\"type\":\"record\",\"name\":\"New\",\"aliases\":[\"R\"],\"fields\":[{\"name\":\"bee\",\"aliases\":[\"x\",\"b\"],\"type\":\"string\"}]}", bytes,
          sizeof bytes - 1, "{\"bee\":\"z\"}");
    refuses(writer, RECORD(FIELD("c", "\"int\"")), "R.c: the writer has no such field");
    refuses(writer, "{\"type\":\"record\",\"name\":\"New\",\"fields\":[]}", "record R cannot be read as our record New");
}

static void test_default_of_every_type(void **state) {
    (void)state;
    const char *reader = RECORD(
        FIELD_OR("flag", "\"boolean\"", "true") "," FIELD_OR("i", "\"int\"", "-5") "," FIELD_OR("d", "\"double\"", "1.5") ","
        FIELD_OR("b", "\"bytes\"", "\"\\u00ff\\u0000\"") "," FIELD_OR("amount", DECIMAL("9", "2"), "\"\\u00ff\\u0038\"") ","
        FIELD_OR("e", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", "\"B\"") ","
        FIELD_OR("list", "{\"type\":\"array\",\"items\":[\"string\",\"null\"]}", "[\"x\",\"y\"]") ","
        FIELD_OR("map", "{\"type\":\"map\",\"values\":\"int\"}", "{\"k\":7}") ","
        FIELD_OR("inner", "{\"type\":\"record\",\"name\":\"I\",\"fields\":[" FIELD("p", "\"int\"") "," FIELD_OR("q", "\"int\"", "2") "]}", "{\"p\":1}") ","
        FIELD_OR("u", "[\"int\",\"string\"]", "4"));
    /* ff 38 is -200. */
    reads(RECORD(""), reader, "", 0,
          "{\"flag\":true,\"i\":-5,\"d\":1.5,\"b\":\"/wA=\",\"amount\":\"-2.00\",\"e\":\"B\",\"list\":[\"x\",\"y\"],\"map\":{\"k\":7},"
          "\"inner\":{\"p\":1,\"q\":2},\"u\":{\"int\":4}}");
}

static void test_enums(void **state) {
    (void)state;
#define ENUM(rest) ONE("{\"type\":\"enum\",\"name\":\"E\"," rest "}")
    const char *writer = ENUM("\"symbols\":[\"A\",\"B\",\"C\"]");
    reads(writer, ENUM("\"symbols\":[\"C\",\"A\"]"), BYTES("\x04"), "{\"a\":\"C\"}");
    reads(writer, ENUM("\"symbols\":[\"C\",\"A\"]"), BYTES("\x02"), "a value that our schema cannot hold");
    reads(writer, ENUM("\"symbols\":[\"C\",\"A\"],\"default\":\"A\""), BYTES("\x02"), "{\"a\":\"A\"}");
    reads(writer, writer, BYTES("\x06"), "not a value of its schema");
    reads(writer, writer, BYTES("\x01"), "not a value of its schema");
}

static void test_unions(void **state) {
    (void)state;
    reads(ONE("[\"null\",\"int\"]"), ONE("[\"int\",\"null\"]"), BYTES("\x02\x06"), "{\"a\":3}");
    reads(ONE("[\"null\",\"int\"]"), ONE("[\"int\",\"null\"]"), BYTES("\x00"), "{\"a\":null}");
    reads(ONE("[\"null\",\"int\"]"), ONE("[\"null\",\"long\"]"), BYTES("\x02\x06"), "{\"a\":3}");
    reads(ONE("\"int\""), ONE("[\"null\",\"long\"]"), BYTES("\x06"), "{\"a\":3}");
    reads(ONE("[\"null\",\"int\"]"), ONE("\"long\""), BYTES("\x02\x06"), "{\"a\":3}");
    reads(ONE("[\"null\",\"int\"]"), ONE("\"long\""), BYTES("\x00"), "a value that our schema cannot hold");
    reads(ONE("[\"null\",\"int\"]"), ONE("[\"null\",\"int\"]"), BYTES("\x04"), "not a value of its schema");
    reads(ONE("[\"int\",\"string\",\"null\"]"), ONE("[\"string\",\"long\",\"int\"]"), BYTES("\x00\x06"), "{\"a\":{\"int\":3}}"); /* the same type first */
    reads(ONE("[\"int\",\"string\"]"), ONE("[\"null\",\"double\",\"bytes\"]"), BYTES("\x00\x06"), "{\"a\":{\"double\":3.0}}");
    reads(ONE("[\"int\",\"string\"]"), ONE("[\"null\",\"double\",\"bytes\"]"), BYTES("\x02\x02x"), "{\"a\":{\"bytes\":\"eA==\"}}");
    refuses(ONE("[\"null\",\"string\"]"), ONE("[\"null\",\"int\"]"), "R.a: ");
    refuses(ONE("\"string\""), ONE("[\"null\",\"int\"]"), "R.a: ");
}

static void test_decimals(void **state) {
    (void)state;
    const char *two = ONE(DECIMAL("9", "2"));
    reads(two, two, BYTES("\x04\x27\x10"), "{\"a\":\"100.00\"}"); /* 10000 */
    reads(two, ONE(DECIMAL("18", "4")), BYTES("\x04\x27\x10"), "{\"a\":\"100.0000\"}");
    reads(ONE(DECIMAL("18", "4")), two, BYTES("\x06\x0f\x42\x40"), "{\"a\":\"100.00\"}"); /* 1000000 */
    reads(ONE(DECIMAL("18", "4")), two, BYTES("\x06\x0f\x42\x41"), "{\"a\":null}");       /* 100.0001: inexact */
    reads(ONE(DECIMAL("18", "4")), two, BYTES("\x06\xf0\xbd\xc0"), "{\"a\":\"-100.00\"}");
    reads(ONE(DECIMAL("18", "4")), two, BYTES("\x06\xf0\xbd\xbf"), "{\"a\":null}");
    reads(two, two, BYTES("\x12\x00\x00\x00\x00\x00\x00\x00\x00\x01"), "{\"a\":\"0.01\"}"); /* nine bytes of a small number */
    reads(two, two, BYTES("\x12\x01\x00\x00\x00\x00\x00\x00\x00\x00"), "{\"a\":null}");     /* 2^64 */
    reads(two, two, BYTES("\x08\x3b\x9a\xca\x00"), "{\"a\":null}");                         /* 10^9: ten digits in precision 9 */
    reads(two, two, BYTES("\x08\x3b\x9a\xc9\xff"), "{\"a\":\"9999999.99\"}");
    reads(two, two, BYTES("\x00"), "not a value of its schema");
    reads(ONE("{\"type\":\"fixed\",\"name\":\"F\",\"size\":3,\"logicalType\":\"decimal\",\"precision\":6,\"scale\":2}"), two, BYTES("\xff\xff\xff"), "{\"a\":\"-0.01\"}");
}

static void test_decimal_sentinels(void **state) {
    (void)state;
    struct error error;
    struct arena arena;
    arena_init(&arena, 1024, 4096);
    const struct codec_type *type = codec_type_parse(ONE(DECIMAL("30", "2")), &error);
    struct codec_schema *writer = codec_schema_parse(slice_of(ONE(DECIMAL("30", "4"))), &error);
    struct codec_plan *plan = codec_plan_new(writer, type, &error);
    assert_non_null(plan);
    int64_t amount;
    assert_int_equal(codec_decode(plan, BYTES("\x02\x01"), &arena, &amount), CODEC_OK);
    assert_true(amount == CODEC_DECIMAL_INEXACT && !codec_decimal_is_number(amount));
    assert_int_equal(codec_decode(plan, BYTES("\x18\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), &arena, &amount), CODEC_OK);
    assert_true(amount == CODEC_DECIMAL_OVERFLOW && !codec_decimal_is_number(amount));
    struct buffer out = {0};
    assert_false(codec_encode(type, &amount, &out));
    amount = INT64_MAX - 1;
    assert_true(codec_encode(type, &amount, &out));
    buffer_free(&out);
    codec_plan_free(plan);
    codec_schema_free(writer);
    codec_type_free(type);
    arena_free(&arena);
}

/* The field of what one decimal stands in that is no number: bytes of 1.00 and of 10.00, of three digits at most. */
static const char *unheld_in(const char *type, const void *bytes, size_t length) {
    static char answer[64];
    struct error error = {{0}};
    char schema[1024];
    snprintf(schema, sizeof schema, RECORD(FIELD("before", "\"string\"") "," FIELD("a", "%s")), type);
    const struct codec_type *reader = codec_type_parse(schema, &error);
    if (!reader) fail_msg("%s", error.text);
    struct codec_plan *plan = codec_plan_own(reader, &error);
    struct arena arena;
    arena_init(&arena, 1024, 1u << 20);
    void *out = malloc(reader->size);
    assert_int_equal(codec_decode(plan, bytes, length, &arena, out), CODEC_OK);
    const char *unheld = codec_not_a_number(reader, out);
    struct buffer encoded = {0};
    assert_int_equal(codec_encode(reader, out, &encoded), !unheld);    /* what the answer is for */
    snprintf(answer, sizeof answer, "%s", unheld ? unheld : "none");
    buffer_free(&encoded);
    free(out);
    arena_free(&arena);
    codec_plan_free(plan);
    codec_type_free(reader);
    return answer;
}

static void test_not_a_number(void **state) {
    (void)state;
#define THREE DECIMAL("3", "2")
#define WITHIN(fields) "{\"type\":\"record\",\"name\":\"I\",\"fields\":[" fields "]}"
    assert_string_equal(unheld_in("\"string\"", BYTES("\x00\x02x")), "none");
    assert_string_equal(unheld_in(THREE, BYTES("\x00\x02\x64")), "none");
    assert_string_equal(unheld_in(THREE, BYTES("\x00\x04\x03\xe8")), "a");
    assert_string_equal(unheld_in("[\"null\"," THREE "]", BYTES("\x00\x00")), "none");
    assert_string_equal(unheld_in("[\"null\"," THREE "]", BYTES("\x00\x02\x02\x64")), "none");
    assert_string_equal(unheld_in("[\"null\"," THREE "]", BYTES("\x00\x02\x04\x03\xe8")), "a");
    assert_string_equal(unheld_in("[" THREE ",\"null\",\"string\"]", BYTES("\x00\x02")), "none");
    assert_string_equal(unheld_in("[" THREE ",\"null\",\"string\"]", BYTES("\x00\x00\x04\x03\xe8")), "a");
    assert_string_equal(unheld_in("{\"type\":\"array\",\"items\":" WITHIN(FIELD("x", "\"int\"") "," FIELD("y", THREE)) "}", BYTES("\x00\x04\x02\x02\x64\x02\x02\x64\x00")), "none");
    assert_string_equal(unheld_in("{\"type\":\"array\",\"items\":" WITHIN(FIELD("x", "\"int\"") "," FIELD("y", THREE)) "}", BYTES("\x00\x04\x02\x02\x64\x02\x04\x03\xe8\x00")), "a");
    assert_string_equal(unheld_in("{\"type\":\"map\",\"values\":" THREE "}", BYTES("\x00\x02\x02k\x02\x64\x00")), "none");
    assert_string_equal(unheld_in("{\"type\":\"map\",\"values\":" THREE "}", BYTES("\x00\x02\x02k\x04\x03\xe8\x00")), "a");
}

static void test_longest_list(void **state) {
    (void)state;
    struct error error = {{0}};
    const struct codec_type *type = codec_type_parse(RECORD(FIELD("a", "{\"type\":\"array\",\"items\":\"int\"}") "," FIELD("b", "{\"type\":\"map\",\"values\":\"int\"}") ","
                                                            FIELD("c", "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":\"int\"}}")), &error);
    static const struct { const char *bytes; size_t length; const char *longest; size_t count; } all[] = {
        {BYTES("\x00\x00\x00"), NULL, 0}, {BYTES("\x04\x00\x00\x00\x00\x00"), "a", 2}, {BYTES("\x02\x00\x00\x04\x02x\x00\x02y\x00\x00\x00"), "b", 2},
        {BYTES("\x02\x00\x00\x00\x04\x00\x00\x00"), "c", 2}, {BYTES("\x00\x00\x02\x06\x00\x00\x00\x00\x00"), "c", 1}};
    assert_non_null(type);
    struct codec_plan *plan = codec_plan_own(type, &error);
    struct arena arena;
    arena_init(&arena, 1024, 1u << 20);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        size_t count = 77;
        void *record = arena_alloc(&arena, type->size);
        assert_int_equal(codec_decode(plan, all[i].bytes, all[i].length, &arena, record), CODEC_OK);
        const char *longest = codec_longest_list(type, record, &count);
        assert_int_equal(count, all[i].count);
        if (all[i].longest) assert_string_equal(longest, all[i].longest);
        else assert_null(longest);
    }
    arena_free(&arena);
    codec_plan_free(plan);
    codec_type_free(type);
}

static void test_numbers(void **state) {
    (void)state;
    /* Zigzag, specification "Binary Encoding": 0 00, -1 01, 1 02, -64 7f, 64 80 01. */
    reads(ONE("\"long\""), ONE("\"long\""), BYTES("\x7f"), "{\"a\":-64}");
    reads(ONE("\"long\""), ONE("\"long\""), BYTES("\x80\x01"), "{\"a\":64}");
    reads(ONE("\"long\""), ONE("\"long\""), BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "{\"a\":-9223372036854775808}");
    reads(ONE("\"long\""), ONE("\"long\""), BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "not a value of its schema");
    reads(ONE("\"long\""), ONE("\"long\""), BYTES("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), "not a value of its schema");
    reads(ONE("\"int\""), ONE("\"int\""), BYTES("\xff\xff\xff\xff\x0f"), "{\"a\":-2147483648}");
    reads(ONE("\"int\""), ONE("\"int\""), BYTES("\x80\x80\x80\x80\x10"), "not a value of its schema");
    reads(ONE("\"boolean\""), ONE("\"boolean\""), BYTES("\x02"), "not a value of its schema");
}

static void test_damage(void **state) {
    (void)state;
    const char *list = ONE("{\"type\":\"array\",\"items\":\"int\"}"), *nulls = ONE("{\"type\":\"array\",\"items\":\"null\"}"), *text = ONE("\"string\"");
    reads(text, text, BYTES("\x06" "ab"), "truncated");
    reads(text, text, BYTES("\x01"), "not a value of its schema"); /* length -1 */
    reads(text, text, BYTES("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "truncated"); /* length 2^63 - 1 */
    reads(text, text, BYTES("\x02" "ab"), "more bytes behind the record");
    reads(text, text, BYTES("\x04\xc0\xaf"), "not a value of its schema"); /* overlong */
    reads(text, text, BYTES("\x06\xed\xa0\x80"), "not a value of its schema"); /* a surrogate */
    reads(list, list, BYTES("\x02\x06\x01\x02\x08\x00"), "{\"a\":[3,4]}"); /* two blocks, the second with its size */
    reads(list, list, BYTES("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02"), "truncated"); /* more items than bytes */
    reads(list, list, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02"), "not a value of its schema"); /* INT64_MIN items */
    reads(list, list, BYTES("\x01\x03\x00"), "not a value of its schema"); /* a block of -2 bytes */
    reads(nulls, nulls, BYTES("\x04\x00"), "{\"a\":[null,null]}");
    reads(nulls, nulls, BYTES("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"), "too large"); /* items without bytes */
}

/* A type that contains itself, in a field that we skip: good to a depth, then refused rather than the stack overrun. */
static void test_recursive_writer(void **state) {
    (void)state;
    const char *writer = RECORD(FIELD("tree", "{\"type\":\"record\",\"name\":\"Tree\",\"fields\":[" FIELD("next", "[\"null\",\"Tree\"]") "]}") "," FIELD("a", "\"int\""));
    reads(writer, ONE("\"int\""), BYTES("\x02\x02\x02\x00\x06"), "{\"a\":3}");
    char deep[1000];
    memset(deep, 2, sizeof deep);
    reads(writer, ONE("\"int\""), deep, sizeof deep, "too large");
}

static void test_every_truncation(void **state) {
    (void)state;
    const char *schema = RECORD(FIELD("s", "\"string\"") "," FIELD("d", DECIMAL("9", "2")) "," FIELD("o", "[\"null\",\"double\"]") ","
        FIELD("l", "{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"L\",\"fields\":[" FIELD("x", "\"long\"") "," FIELD("f", "\"float\"") "]}}") ","
        FIELD("m", "{\"type\":\"map\",\"values\":\"boolean\"}") "," FIELD("e", "{\"type\":\"fixed\",\"name\":\"F\",\"size\":4}"));
    static const char bytes[] = "\x06" "abc" "\x04\x27\x10" "\x02\x00\x00\x00\x00\x00\x00\xf8\x3f" "\x04" "\x80\x01\x00\x00\xc0\x3f" "\x02\x00\x00\xc0\x3f" "\x00"
                                "\x02\x02k\x01\x00" "WXYZ";
    reads(schema, schema, bytes, sizeof bytes - 1,
          "{\"s\":\"abc\",\"d\":\"100.00\",\"o\":1.5,\"l\":[{\"x\":64,\"f\":1.5},{\"x\":1,\"f\":1.5}],\"m\":{\"k\":true},\"e\":\"V1hZWg==\"}");
    for (size_t length = 0; length < sizeof bytes - 1; length++) {
        reads(schema, schema, bytes, length, "truncated");
        reads(schema, RECORD(""), bytes, length, "truncated"); /* the same when it is all skipped */
    }
}

static void test_encode(void **state) {
    (void)state;
    struct error error;
    const struct codec_type *type = codec_type_parse(RECORD(FIELD("s", "\"string\"") "," FIELD("d", DECIMAL("9", "2")) "," FIELD("o", "[\"null\",\"int\"]")), &error);
    assert_non_null(type);
    struct { struct slice s; int64_t d_e2; bool has_o; int32_t o; } value = {SLICE("abc"), 10000, true, -1};
    assert_int_equal(type->size, sizeof value);
    struct buffer out = {0};
    assert_true(codec_encode(type, &value, &out));
    assert_int_equal(out.length, 9);
    assert_memory_equal(out.data, "\x06" "abc" "\x04\x27\x10" "\x02\x01", 9);
    static const struct { int64_t amount; const char *bytes; size_t length; } amounts[] = {
        {0, "\x02\x00", 2}, {127, "\x02\x7f", 2}, {128, "\x04\x00\x80", 3}, {-128, "\x02\x80", 2}, {-129, "\x04\xff\x7f", 3}};
    value.has_o = false;
    for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++) {
        buffer_reset(&out);
        value.d_e2 = amounts[i].amount;
        assert_true(codec_encode(type, &value, &out));
        assert_memory_equal(out.data + 4, amounts[i].bytes, amounts[i].length);
        assert_int_equal(out.length, 4 + amounts[i].length + 1);
    }
    size_t before = out.length;
    value.d_e2 = 1000000000; /* ten digits */
    assert_false(codec_encode(type, &value, &out));
    value.d_e2 = CODEC_DECIMAL_OVERFLOW;
    assert_false(codec_encode(type, &value, &out));
    assert_int_equal(out.length, before);
    assert_false(out.failed);
    buffer_free(&out);
    codec_type_free(type);
}

static void test_arena_limit(void **state) {
    (void)state;
    struct error error;
    const struct codec_type *type = codec_type_parse(ONE("{\"type\":\"array\",\"items\":\"int\"}"), &error);
    struct codec_plan *plan = codec_plan_own(type, &error);
    struct arena arena;
    arena_init(&arena, 64, 64);
    struct codec_list list;
    char bytes[103] = "\xc8\x01"; /* 100 items of 4 bytes in C */
    assert_int_equal(codec_decode(plan, bytes, sizeof bytes, &arena, &list), CODEC_NO_MEMORY);
    codec_plan_free(plan);
    codec_type_free(type);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_promotions), cmocka_unit_test(test_times), cmocka_unit_test(test_fields), cmocka_unit_test(test_default_of_every_type),
        cmocka_unit_test(test_enums), cmocka_unit_test(test_unions), cmocka_unit_test(test_decimals), cmocka_unit_test(test_decimal_sentinels),
        cmocka_unit_test(test_not_a_number), cmocka_unit_test(test_longest_list), cmocka_unit_test(test_numbers), cmocka_unit_test(test_damage), cmocka_unit_test(test_recursive_writer), cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_encode), cmocka_unit_test(test_arena_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
