/* JSON lines as records: keys made of values, envelopes, what is refused; base64 and UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/record_line.h"
#include "cli/topic_list.h"
#include "cli/values.h"
#include "common/codec/plan.h"
#include "common/codec/wire.h"
#include "common/tables/master.h"
#include "schemas/invoice_event.h"

#define EVENT "\"event_id\":\"e1\",\"kind\":\"received\",\"source\":\"ap\",\"entity\":\"1000\",\"supplier\":\"V|2%1\",\"document\":\"I1\",\"document_date\":\"2018-01-31\""

static struct topic_list list;

static struct record_maker maker_for(const char *topic_name) {
    struct record_maker maker;
    struct error error = {""};
    const struct topic *topic = topic_list_find(&list, topic_name);
    assert_non_null(topic);
    bool ok = record_maker_open(&maker, topic->type, 7, topic->key, &error);
    assert_string_equal(error.text, "");
    assert_true(ok);
    return maker;
}

static void make(struct record_maker *maker, const char *line) {
    struct error error = {""};
    bool ok = record_make(maker, slice_of(line), &error);
    assert_string_equal(error.text, "");
    assert_true(ok);
}

static void refuse(struct record_maker *maker, const char *line, const char *part) {
    struct error error = {""};
    assert_false(record_make(maker, slice_of(line), &error));
    if (!strstr(error.text, part)) fail_msg("expected \"%s\" in: %s", part, error.text);
}

static void assert_bytes(struct buffer bytes, const char *expected) {
    assert_int_equal(bytes.length, strlen(expected));
    assert_memory_equal(bytes.data, expected, bytes.length);
}

static void test_key_of_an_event(void **state) {
    (void)state;
    struct record_maker maker = maker_for("invoice.events");
    make(&maker, "{" EVENT "}");
    assert_true(maker.has_key && maker.has_value);
    assert_bytes(maker.key_bytes, "1000|V%7C2%251");
    assert_true(maker.timestamp_ms == 0);
    record_maker_close(&maker);
}

static void test_key_of_master_records(void **state) {
    (void)state;
    struct record_maker maker = maker_for("master.tax-codes");
    make(&maker, "{\"entity\":\"1000\",\"tax_code\":\"V21\",\"rate\":\"21\",\"valid_from\":\"2018-01-01\",\"source\":\"ERP\"}");
    assert_bytes(maker.key_bytes, "1000|V21|2018-01-01");
    record_maker_close(&maker);
    maker = maker_for("master.fx-rates"); /* the rate type by its default */
    make(&maker, "{\"from_currency\":\"USD\",\"to_currency\":\"EUR\",\"rate\":\"0.9\",\"valid_from\":\"1969-12-31\",\"source\":\"ECB\"}");
    assert_bytes(maker.key_bytes, "M|USD|EUR|1969-12-31");
    record_maker_close(&maker);
}

static void test_envelope(void **state) {
    (void)state;
    struct record_maker maker = maker_for("invoice.events");
    make(&maker, "{\"timestamp\":1517392800000,\"key\":\"k\",\"headers\":{\"a\":\"1\",\"b\":{\"base64\":\"AAH/\"}},\"value\":{" EVENT "},\"partition\":3,\"offset\":9}");
    assert_bytes(maker.key_bytes, "k");
    assert_true(maker.timestamp_ms == 1517392800000);
    const void *value;
    size_t size;
    assert_int_equal(rd_kafka_header_get_last(maker.headers, "b", &value, &size), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(size, 3);
    assert_memory_equal(value, "\x00\x01\xFF", 3);
    make(&maker, "{\"key\":\"k\",\"value\":null}");
    assert_true(maker.has_key && !maker.has_value && !maker.headers);
    make(&maker, "{\"key\":null,\"value\":{" EVENT "}}");
    assert_false(maker.has_key);
    record_maker_close(&maker);
}

static void test_bytes_are_what_the_schema_says(void **state) {
    (void)state;
    struct record_maker maker = maker_for("invoice.events");
    make(&maker, "{\"value\":{" EVENT ",\"total\":\"119.00\",\"currency\":\"EUR\"}}");
    uint32_t id = 0;
    struct slice payload = {0};
    assert_true(codec_wire_read(maker.value_bytes.data, maker.value_bytes.length, &id, &payload));
    assert_int_equal(id, 7);
    struct error error;
    struct codec_plan *plan = codec_plan_own(&invoice_event_type, &error);
    struct invoice_event event;
    assert_int_equal(codec_decode(plan, payload.data, payload.length, &maker.arena, &event), CODEC_OK);
    assert_true(event.has_total && event.total_e4 == 1190000 && event.document_date == 17562);
    assert_true(slice_equal(event.supplier, SLICE("V|2%1")));
    codec_plan_free(plan);
    record_maker_close(&maker);
}

static void test_refused_lines(void **state) {
    (void)state;
    struct record_maker maker = maker_for("invoice.events");
    refuse(&maker, "{", "not JSON");
    refuse(&maker, "[1]", "JSON object");
    refuse(&maker, "{" EVENT ",\"entity\":\"2000\"}", "duplicate");
    refuse(&maker, "{" EVENT ",\"totl\":\"1\"}", "total");
    refuse(&maker, "{" EVENT ",\"total\":\"1.00001\"}", "total");
    refuse(&maker, "{\"value\":{\"event_id\":\"e\"}}", "value: ");
    refuse(&maker, "{\"timestamp\":\"now\",\"value\":{" EVENT "}}", "timestamp");
    refuse(&maker, "{\"timestamp\":-5,\"value\":{" EVENT "}}", "timestamp");
    refuse(&maker, "{\"key\":5,\"value\":{" EVENT "}}", "key");
    refuse(&maker, "{\"headers\":[],\"value\":{" EVENT "}}", "headers");
    refuse(&maker, "{\"headers\":{\"a\":1},\"value\":{" EVENT "}}", "headers.a");
    refuse(&maker, "{\"value\":null}", "tombstone");
    refuse(&maker, "{\"key\":\"k\",\"value\":\"AAA=\",\"error\":\"truncated\"}", "--raw");
    record_maker_close(&maker);
}

static void test_raw(void **state) {
    (void)state;
    struct record_maker maker;
    struct error error;
    assert_true(record_maker_open(&maker, NULL, 0, NULL, &error));
    make(&maker, "{\"key\":\"k\",\"value\":\"AAEC/w==\"}");
    assert_int_equal(maker.value_bytes.length, 4);
    assert_memory_equal(maker.value_bytes.data, "\x00\x01\x02\xFF", 4);
    make(&maker, "{\"value\":\"\"}");
    assert_true(!maker.has_key && maker.has_value && maker.value_bytes.length == 0);
    refuse(&maker, "{\"value\":\"AAE\"}", "base64");
    refuse(&maker, "{\"value\":{}}", "base64");
    record_maker_close(&maker);
}

/* RFC 4648, section 10. */
static void test_base64(void **state) {
    (void)state;
    static const char *const vectors[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct buffer coded = {0}, plain = {0};
        assert_true(base64_append(&coded, slice_of(vectors[i][0])) && base64_read(&plain, slice_of(vectors[i][1])));
        assert_true(slice_equal(buffer_slice(&coded), slice_of(vectors[i][1])) && slice_equal(buffer_slice(&plain), slice_of(vectors[i][0])));
        buffer_free(&coded);
        buffer_free(&plain);
    }
    struct buffer plain = {0};
    static const char *const wrong[] = {"Zg=", "Zg", "Z===", "Zm9v=Zm9", "Zm9*", "====", "Zg==Zg=="};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) assert_false(base64_read(&plain, slice_of(wrong[i])));
    buffer_free(&plain);
}

/* RFC 3629: what is text and what is not. */
static void test_utf8(void **state) {
    (void)state;
    static const char *const text[] = {"", "abc", "\xC3\xBC", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF"};
    static const char *const not_text[] = {"\x80", "\xC3", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "a\xFF"};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) assert_true(bytes_are_text(slice_of(text[i])));
    for (size_t i = 0; i < sizeof not_text / sizeof *not_text; i++) assert_false(bytes_are_text(slice_of(not_text[i])));
    assert_false(bytes_are_text((struct slice){"a\0b", 3}));
}

static int read_list(void **state) {
    (void)state;
    struct error error;
    return topic_list_read(&list, NULL, 0, &error) ? 0 : -1;
}

static int free_list(void **state) {
    (void)state;
    topic_list_free(&list);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_of_an_event), cmocka_unit_test(test_key_of_master_records),
        cmocka_unit_test(test_envelope),        cmocka_unit_test(test_bytes_are_what_the_schema_says),
        cmocka_unit_test(test_refused_lines),   cmocka_unit_test(test_raw),
        cmocka_unit_test(test_base64),          cmocka_unit_test(test_utf8),
    };
    return cmocka_run_group_tests(tests, read_list, free_list);
}
