/* What differs between two structs of one type: paths and values by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/codec/difference.h"
#include "schemas/invoice_event.h"

static void differs(const struct invoice_event *before, const struct invoice_event *after, const char *expected) {
    struct buffer out = {0};
    assert_true(codec_difference(&invoice_event_type, before, after, &out));
    assert_true(buffer_append(&out, "", 1));
    assert_string_equal(out.data, expected);
    buffer_free(&out);
}

static struct invoice_event invoice(struct invoice_line *lines, size_t count) {
    struct invoice_event event = {.event_id = SLICE("e1"), .kind = INVOICE_KIND_RECEIVED, .document = SLICE("I1"), .has_total = true, .total_e4 = 1190000};
    event.lines.items = lines;
    event.lines.count = count;
    return event;
}

static void test_the_same(void **state) {
    (void)state;
    struct invoice_line lines[] = {{.line = SLICE("1"), .net_e4 = 1000000}}, copies[] = {{.line = SLICE("1"), .net_e4 = 1000000}};
    const struct invoice_event before = invoice(lines, 1), after = invoice(copies, 1);
    differs(&before, &after, "{}");
}

static void test_fields(void **state) {
    (void)state;
    struct invoice_line lines[] = {{.line = SLICE("1"), .net_e4 = 1000000}}, changed[] = {{.line = SLICE("1"), .net_e4 = 1010000, .tax_code = SLICE("V\"9")}};
    const struct invoice_event before = invoice(lines, 1);
    struct invoice_event after = invoice(changed, 1);
    after.kind = INVOICE_KIND_APPROVED;
    after.event_id = SLICE("e2");
    after.total_e4 = -50000;
    differs(&before, &after, "{\"event_id\":[\"e1\",\"e2\"],\"kind\":[\"received\",\"approved\"],\"total\":[\"119.0000\",\"-5.0000\"],"
                             "\"lines[0].net\":[\"100.0000\",\"101.0000\"],\"lines[0].tax_code\":[\"\",\"V\\\"9\"]}");
}

/* What only one of them has: an optional value, an item of a list. */
static void test_absent(void **state) {
    (void)state;
    struct invoice_line lines[] = {{.line = SLICE("1")}, {.line = SLICE("2")}};
    struct invoice_event before = invoice(lines, 2);
    const struct invoice_event after = invoice(lines, 1);
    before.has_total = false;
    struct buffer out = {0};
    assert_true(codec_difference(&invoice_event_type, &before, &after, &out));
    assert_true(buffer_append(&out, "", 1));
    assert_non_null(strstr(out.data, "\"total\":[null,\"119.0000\"]"));
    assert_non_null(strstr(out.data, "\"lines[1]\":[{\"line\":\"2\""));
    assert_string_equal(out.data + strlen(out.data) - 8, "},null]}");
    assert_null(strstr(out.data, "lines[0]"));
    buffer_free(&out);
}

/* Absent on both sides, whatever the memory behind it says. */
static void test_absent_on_both_sides(void **state) {
    (void)state;
    struct invoice_event before = invoice(NULL, 0), after = invoice(NULL, 0);
    before.has_total = after.has_total = false;
    after.total_e4 = 5;
    differs(&before, &after, "{}");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_same), cmocka_unit_test(test_fields), cmocka_unit_test(test_absent), cmocka_unit_test(test_absent_on_both_sides)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
