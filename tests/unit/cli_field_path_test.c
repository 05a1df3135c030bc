/* Fields of an event set by path, and the difference that is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/field_path.h"
#include "common/codec/json.h"
#include "common/platform/arena.h"
#include "schemas/invoice_event.h"

#define EVENT "{\"event_id\":\"e1\",\"kind\":\"received\",\"source\":\"ap\",\"entity\":\"1000\",\"supplier\":\"V1\",\"document\":\"I1\",\"number\":\"\",\"reverses\":\"\",\"correlation_id\":\"\"," \
    "\"document_date\":\"2018-01-31\",\"posting_date\":null,\"tax_date\":null,\"currency\":\"EUR\",\"total\":\"119.0000\",\"tax\":null,\"payment_terms\":\"\",\"due_date\":null," \
    "\"payment_method\":\"\",\"retained\":null,\"confidence\":null,\"user\":\"\",\"text\":\"\",\"lines\":[{\"line\":\"1\",\"net\":\"100.0000\",\"tax_code\":\"V19\"}],\"taxes\":[]}"

static json_t *event(void) {
    json_t *json = json_loads(EVENT, 0, NULL);
    assert_non_null(json);
    return json;
}

static json_t *set(const char *first, const char *second) {
    json_t *json = event();
    struct error error = {""};
    bool ok = field_path_set(&invoice_event_type, json, slice_of(first), &error) && (!second || field_path_set(&invoice_event_type, json, slice_of(second), &error));
    assert_string_equal(error.text, "");
    assert_true(ok);
    return json;
}

static void expect_difference(json_t *after, const char *expected) {
    json_t *before = event(), *difference = field_difference(before, after), *wanted = json_loads(expected, 0, NULL);
    assert_non_null(wanted);
    char *text = json_dumps(difference, JSON_COMPACT);
    if (!json_equal(difference, wanted)) fail_msg("expected %s, found %s", expected, text);
    free(text);
    json_decref(before);
    json_decref(after);
    json_decref(difference);
    json_decref(wanted);
}

static void refuse(const char *assignment, const char *part) {
    json_t *json = event();
    struct error error = {""};
    bool ok = field_path_set(&invoice_event_type, json, slice_of(assignment), &error);
    if (ok || !strstr(error.text, part)) fail_msg("%s: expected \"%s\" in: %s", assignment, part, ok ? "(it was taken)" : error.text);
    json_decref(json);
}

static void test_values(void **state) {
    (void)state;
    expect_difference(set("total=120.00", NULL), "{\"total\":[\"119.0000\",\"120.00\"]}");
    expect_difference(set("total=null", NULL), "{\"total\":[\"119.0000\",null]}");
    expect_difference(set("text=a = b, as typed", NULL), "{\"text\":[\"\",\"a = b, as typed\"]}");
    expect_difference(set("text=null", NULL), "{\"text\":[\"\",\"null\"]}");       /* a text that may not be null is that text */
    expect_difference(set("text=", NULL), "{}");
    expect_difference(set("confidence=93", NULL), "{\"confidence\":[null,93]}");
    expect_difference(set("kind=credit_note", "due_date=2018-03-01"), "{\"kind\":[\"received\",\"credit_note\"],\"due_date\":[null,\"2018-03-01\"]}");
}

static void test_lists(void **state) {
    (void)state;
    expect_difference(set("lines[0].tax_code=V7", NULL), "{\"lines[0].tax_code\":[\"V19\",\"V7\"]}");
    expect_difference(set("lines[0].cost_centre=CC1", NULL), "{\"lines[0].cost_centre\":[null,\"CC1\"]}");
    expect_difference(set("lines[1].line=2", "lines[1].net=5.00"), "{\"lines[1]\":[null,{\"line\":\"2\",\"net\":\"5.00\"}]}");
    expect_difference(set("lines[1]={\"line\":\"2\",\"net\":\"5.00\"}", NULL), "{\"lines[1]\":[null,{\"line\":\"2\",\"net\":\"5.00\"}]}");
    expect_difference(set("lines[0]=", NULL), "{\"lines[0]\":[{\"line\":\"1\",\"net\":\"100.0000\",\"tax_code\":\"V19\"},null]}");
    expect_difference(set("lines=[]", "total=0"), "{\"lines[0]\":[{\"line\":\"1\",\"net\":\"100.0000\",\"tax_code\":\"V19\"},null],\"total\":[\"119.0000\",\"0\"]}");
    expect_difference(set("taxes[0].tax_code=V19", NULL), "{\"taxes[0]\":[null,{\"tax_code\":\"V19\"}]}");
}

static void test_refused(void **state) {
    (void)state;
    refuse("total", "field=value");
    refuse("=1", "field=value");
    refuse("", "field=value");
    refuse("totl=1", "did you mean total?");
    refuse("lines[0].tax_cod=V7", "did you mean tax_code?");
    refuse("lines[0].quite_another=1", "no field quite_another");
    refuse("lines[2].net=1", "the next one is [1]");
    refuse("lines[1]=", "no such item");
    refuse("lines[]=1", "number of an item");
    refuse("lines[x]=1", "number of an item");
    refuse("lines[-1].net=1", "number of an item");
    refuse("lines[0=1", "number of an item");
    refuse("lines[99999999999999999999].net=1", "number of an item");
    refuse("lines.net=1", "no fields");
    refuse("total[0]=1", "no parts");
    refuse("total.net=1", "no parts");
    refuse("lines[0]net=1", "expected . or [");
    refuse("lines[0].=1", "name is missing");
    refuse(".total=1", "name is missing");
    refuse("[0]=1", "name is missing");
    refuse("lines=many", "as JSON");
    refuse("confidence=high", "expected int or null");
}

/* What the schema says of a value is said of the whole. */
static void test_whole(void **state) {
    (void)state;
    static const struct { const char *assignment, *part; } bad[] = {{"total=much", "total"}, {"document_date=2018-02-30", "document_date"}, {"kind=recieved", "kind"},
                                                                    {"lines[0]={\"lin\":\"1\"}", "lines[0]"}};
    struct arena arena;
    arena_init(&arena, 1 << 16, 1 << 24);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error error = {""};
        struct invoice_event read;
        json_t *json = set(bad[i].assignment, NULL);
        assert_false(codec_from_json(&invoice_event_type, json, &arena, &read, &error));
        if (!strstr(error.text, bad[i].part)) fail_msg("expected \"%s\" in: %s", bad[i].part, error.text);
        json_decref(json);
    }
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_lists), cmocka_unit_test(test_refused), cmocka_unit_test(test_whole)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
