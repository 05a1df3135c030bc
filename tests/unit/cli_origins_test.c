/* Where events lie, interned texts, and the rule lines behind journal lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/explain.h"
#include "cli/intern.h"
#include "cli/origins.h"

static void test_origin_parse(void **state) {
    (void)state;
    struct slice topic;
    int32_t partition;
    int64_t offset;
    assert_true(origin_parse(SLICE("invoice.events/31/123456789012"), &topic, &partition, &offset));
    assert_true(slice_equal(topic, SLICE("invoice.events")));
    assert_int_equal(partition, 31);
    assert_true(offset == 123456789012);
    static const char *const wrong[] = {"", "/", "a/b", "a/1", "a/1/", "a//1", "/1/1", "a/1/x", "a/-1/1", "a/2147483648/1", "a/1/1234567890123456789", "a/1/1 "};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) assert_false(origin_parse(slice_of(wrong[i]), &topic, &partition, &offset));
}

static void test_origins(void **state) {
    (void)state;
    struct origins origins = {.topic_count = 0};
    struct origin *found, *again;
    assert_true(origins_add_topic(&origins, "a.events") && origins_add_topic(&origins, "b.events"));
    assert_true(origins_set_range(&origins, 1, 2, 100, 110) && origins_set_range(&origins, 0, 0, 0, 0));
    assert_int_equal(origins_find_text(&origins, SLICE("b.events/2/100"), &found), ORIGIN_FOUND);
    found->outcome = 6;
    found->label = ORIGIN_LABEL_MAXIMUM;
    assert_int_equal(origins_find(&origins, 1, 2, 100, &again), ORIGIN_FOUND);
    assert_ptr_equal(found, again);
    assert_int_equal(again->label, ORIGIN_LABEL_MAXIMUM);
    assert_int_equal(origins_find_text(&origins, SLICE("b.events/2/109"), &found), ORIGIN_FOUND);
    assert_int_equal(origins_find_text(&origins, SLICE("b.events/2/110"), &found), ORIGIN_OUTSIDE);
    assert_int_equal(origins_find_text(&origins, SLICE("b.events/2/99"), &found), ORIGIN_OUTSIDE);
    assert_int_equal(origins_find_text(&origins, SLICE("a.events/0/0"), &found), ORIGIN_OUTSIDE);
    assert_int_equal(origins_find_text(&origins, SLICE("b.events/3/100"), &found), ORIGIN_NONE);
    assert_int_equal(origins_find_text(&origins, SLICE("c.events/2/100"), &found), ORIGIN_NONE);
    assert_int_equal(origins_find_text(&origins, SLICE("nonsense"), &found), ORIGIN_NONE);
    origins_free(&origins);
}

static void test_intern(void **state) {
    (void)state;
    enum { COUNT = 20000 };
    struct intern intern;
    uint32_t number;
    bool added;
    char text[32];
    intern_init(&intern);
    assert_false(intern_has(&intern, SLICE("0")));
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < COUNT; i++) {
            snprintf(text, sizeof text, "%u", i);
            assert_true(intern_add(&intern, slice_of(text), &number, &added));
            assert_int_equal(number, i);
            assert_int_equal(added, round == 0);
        }
    assert_int_equal(intern.count, COUNT);
    assert_true(intern_has(&intern, SLICE("19999")));
    assert_false(intern_has(&intern, SLICE("20000")));
    assert_true(slice_equal(intern_text(&intern, 77), SLICE("77")));
    intern_free(&intern);
}

/* The rule line that made each journal line, from a set with a fixed, a mapped and a coded account. */
static json_t *rule_set(void) {
    return json_pack("{s:[{s:s, s:s, s:[{s:s,s:s,s:s,s:b}, {s:s,s:s,s:s,s:b}]}, {s:s, s:s, s:[{s:s,s:s,s:s}]}]}", "rules", "rule", "receipt", "step", "goods_receipt",
                     "lines", "side", "debit", "account", "map:purchase:category", "amount", "receipt_value", "cost_centre", 1, "side", "credit", "account", "191100",
                     "amount", "receipt_value", "partner", 1, "rule", "other", "step", "clearing", "lines", "side", "credit", "account", "191100", "amount", "gross");
}

static void check_line(const char *side, const char *account, bool swapped, size_t made_by, const char *how) {
    json_t *set = rule_set(), *mappings = json_pack("[{s:s,s:s,s:s}]", "mapping_set", "purchase", "code", "PAPER", "target", "410000");
    json_t *journal = json_pack("{s:s, s:s, s:[{s:s, s:s, s:s}]}", "rule", "p2p/receipt@2018-01-01", "step", swapped ? "goods_receipt_reversal" : "goods_receipt", "lines",
                                "side", side, "account", account, strcmp(account, "191100") == 0 ? "partner" : "cost_centre", "X");
    explain_lines(journal, set, mappings, "499900", swapped);
    const json_t *made = json_object_get(json_array_get(json_object_get(journal, "lines"), 0), "made_by");
    assert_int_equal(json_array_size(made), made_by);
    if (made_by) assert_string_equal(json_string_value(json_object_get(json_array_get(made, 0), "how")), how);
    json_decref(set);
    json_decref(mappings);
    json_decref(journal);
}

static void test_explain(void **state) {
    (void)state;
    check_line("debit", "410000", false, 1, "master.code-mappings purchase: category PAPER → 410000");
    check_line("credit", "191100", false, 1, "fixed");
    check_line("debit", "191100", true, 1, "fixed");    /* a reversal */
    check_line("credit", "410000", false, 1, "master.code-mappings purchase: category PAPER → 410000"); /* a negative net */
    check_line("debit", "499900", false, 1, "the legal entity's rounding account takes what the conversion left");
    check_line("debit", "777777", false, 0, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origin_parse), cmocka_unit_test(test_origins),
        cmocka_unit_test(test_intern),       cmocka_unit_test(test_explain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
