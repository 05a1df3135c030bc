/* Structs as JSON and back: what is written, what is refused and with which words, dates against known days. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <time.h>

#include "common/codec/calendar.h"
#include "common/codec/json.h"
#include "common/codec/layout.h"

static const char schema[] =
    "{\"type\":\"record\",\"name\":\"Claim\",\"fields\":["
    "{\"name\":\"number\",\"type\":\"string\"},"
    "{\"name\":\"amount\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":9,\"scale\":2},\"default\":\"\\u0000\"},"
    "{\"name\":\"day\",\"type\":[\"null\",{\"type\":\"int\",\"logicalType\":\"date\"}],\"default\":null},"
    "{\"name\":\"at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"},\"default\":0},"
    "{\"name\":\"kind\",\"type\":{\"type\":\"enum\",\"name\":\"Kind\",\"symbols\":[\"MEAL\",\"HOTEL\"]},\"default\":\"MEAL\"},"
    "{\"name\":\"proof\",\"type\":\"bytes\",\"default\":\"\"},"
    "{\"name\":\"lines\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"Line\",\"fields\":[{\"name\":\"count\",\"type\":\"int\"}]}},\"default\":[]},"
    "{\"name\":\"extra\",\"type\":[\"null\",\"int\",\"string\"],\"default\":null}]}";

/* The JSON after from_json and to_json, or the error's text. */
static const char *through(const char *text) {
    static char answer[2048];
    struct error error = {{0}};
    const struct codec_type *type = codec_type_parse(schema, &error);
    if (!type) fail_msg("%s", error.text);
    json_t *json = json_loads(text, 0, NULL);
    if (!json) fail_msg("not JSON: %s", text);
    struct arena arena;
    arena_init(&arena, 4096, 1u << 20);
    void *value = malloc(type->size);
    struct buffer out = {0};
    bool ok = codec_from_json(type, json, &arena, value, &error);
    json_decref(json);
    if (ok) assert_true(codec_to_json(type, value, &out));
    snprintf(answer, sizeof answer, "%.*s", ok ? (int)out.length : (int)sizeof error.text, ok ? out.data : error.text);
    buffer_free(&out);
    free(value);
    arena_free(&arena);
    codec_type_free(type);
    return answer;
}

static void gives(const char *text, const char *expected) { assert_string_equal(through(text), expected); }

static void says(const char *text, const char *words) {
    const char *is = through(text);
    if (!strstr(is, words)) fail_msg("%s: says \"%s\", not \"%s\"", text, is, words);
}

static void test_values(void **state) {
    (void)state;
    gives("{\"number\":\"1\"}", "{\"number\":\"1\",\"amount\":\"0.00\",\"day\":null,\"at\":\"1970-01-01T00:00:00Z\",\"kind\":\"MEAL\",\"proof\":\"\",\"lines\":[],\"extra\":null}");
    gives("{\"number\":\"\\\"\\\\\\n\\u0001\\u00e4\",\"amount\":\"-0.5\",\"day\":\"2018-01-31\",\"at\":\"2018-01-31T11:00:00.25+01:00\",\"kind\":\"HOTEL\","
          "\"proof\":\"AAEC/w==\",\"lines\":[{\"count\":3}],\"extra\":{\"string\":\"x\"}}",
          "{\"number\":\"\\\"\\\\\\n\\u0001\xc3\xa4\",\"amount\":\"-0.50\",\"day\":\"2018-01-31\",\"at\":\"2018-01-31T10:00:00.250Z\",\"kind\":\"HOTEL\","
          "\"proof\":\"AAEC/w==\",\"lines\":[{\"count\":3}],\"extra\":{\"string\":\"x\"}}");
    gives("{\"number\":\"\",\"amount\":100}", "{\"number\":\"\",\"amount\":\"100.00\",\"day\":null,\"at\":\"1970-01-01T00:00:00Z\",\"kind\":\"MEAL\",\"proof\":\"\",\"lines\":[],\"extra\":null}");
}

static void test_words(void **state) {
    (void)state;
    says("{}", "number: the field is missing and has no default");
    says("[]", "the record: expected an object");
    says("{\"number\":\"1\",\"amuont\":\"1\"}", "amuont: no such field in Claim; did you mean amount?");
    says("{\"number\":7}", "number: expected a text, not 7");
    says("{\"number\":\"1\",\"amount\":1.5}", "amount: expected an amount like");
    says("{\"number\":\"1\",\"amount\":\"1.005\"}", "amount: expected an amount like \"100.00\" with at most 9 digits, 2 of them behind the point, not \"1.005\"");
    says("{\"number\":\"1\",\"amount\":\"10000000.00\"}", "amount: expected");
    says("{\"number\":\"1\",\"amount\":\"99999999999999999999\"}", "amount: expected");
    says("{\"number\":\"1\",\"amount\":\"1,00\"}", "amount: expected");
    says("{\"number\":\"1\",\"amount\":\"\"}", "amount: expected");
    says("{\"number\":\"1\",\"amount\":\".5\"}", "amount: expected");
    says("{\"number\":\"1\",\"amount\":\"5.\"}", "amount: expected");
    says("{\"number\":\"1\",\"amount\":\"-\"}", "amount: expected");
    says("{\"number\":\"1\",\"day\":\"2018-02-29\"}", "day: expected a date like \"2018-01-31\", not \"2018-02-29\"");
    says("{\"number\":\"1\",\"at\":\"2018-01-31T10:00:00\"}", "at: expected a time like");
    says("{\"number\":\"1\",\"at\":\"2018-01-31T10:00:00.0001Z\"}", "at most three digits");
    says("{\"number\":\"1\",\"kind\":\"TAXI\"}", "kind: expected one of MEAL HOTEL, not \"TAXI\"");
    says("{\"number\":\"1\",\"proof\":\"A\"}", "proof: expected bytes in base64");
    says("{\"number\":\"1\",\"proof\":\"AB==\"}", "proof: expected bytes in base64 without stray bits");
    says("{\"number\":\"1\",\"lines\":[{\"count\":1},{\"count\":3000000000}]}", "lines[1].count: expected an integer of 32 bits");
    says("{\"number\":\"1\",\"lines\":[{\"count\":1},{}]}", "lines[1].count: the field is missing and has no default");
    says("{\"number\":\"1\",\"lines\":[5]}", "lines[0]: expected an object, not 5");
    says("{\"number\":\"1\",\"extra\":{\"int\":\"x\"}}", "extra.int: expected an integer, not \"x\"");
    says("{\"number\":\"1\",\"amount\":[]}", "amount: expected an amount like \"100.00\" with at most 9 digits, 2 of them behind the point, not []");
    says("{\"number\":\"1\",\"lines\":[{\"count\":1,\"cuont\":2}]}", "lines[0].cuont: no such field in Line; did you mean count?");
    says("{\"number\":\"1\",\"extra\":5}", "extra: expected {\"branch\": value}");
    says("{\"number\":\"1\",\"extra\":{\"long\":5}}", "extra: expected {\"branch\": value}");
}

static void test_more_fraction_zeros(void **state) {
    (void)state;
    says("{\"number\":\"1\",\"amount\":\"1.5000\"}", "\"amount\":\"1.50\"");
    says("{\"number\":\"1\",\"amount\":\"+0007.10\"}", "\"amount\":\"7.10\"");
}

/* Every day of eight centuries against the C library's calendar. */
static void test_calendar(void **state) {
    (void)state;
    char text[CODEC_CALENDAR_TEXT_SIZE];
    for (int64_t day = -150000; day < 150000; day++) {
        time_t seconds = (time_t)(day * 86400);
        struct tm parts;
        assert_non_null(gmtime_r(&seconds, &parts));
        char expected[32];
        strftime(expected, sizeof expected, "%Y-%m-%d", &parts);
        size_t length = codec_date_text(day, text);
        assert_string_equal(text, expected);
        int32_t again;
        assert_true(codec_date_parse((struct slice){text, length}, &again));
        assert_int_equal(again, day);
    }
}

static void test_calendar_ends(void **state) {
    (void)state;
    static const int64_t ends[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        for (int64_t per_second = 1000; per_second <= 1000000; per_second *= 1000) {
            char text[CODEC_CALENDAR_TEXT_SIZE];
            size_t length = codec_timestamp_text(ends[i], per_second, text);
            int64_t again;
            if (!codec_timestamp_parse((struct slice){text, length}, per_second, &again)) fail_msg("%s is not read", text);
            assert_true(again == ends[i]);
        }
    int32_t day;
    static const int32_t days[] = {INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < 2; i++) {
        char text[CODEC_CALENDAR_TEXT_SIZE];
        size_t length = codec_date_text(days[i], text);
        assert_true(codec_date_parse((struct slice){text, length}, &day) && day == days[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_words), cmocka_unit_test(test_more_fraction_zeros),
        cmocka_unit_test(test_calendar), cmocka_unit_test(test_calendar_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
