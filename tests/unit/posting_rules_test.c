/* Rule sets: what is refused when it is loaded, and which rule is picked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/posting/rules.h"
#include "schemas/posting_rule_set.h"

#define TEXT(literal) {literal, sizeof(literal) - 1}

static struct posting_rule_line line(enum posting_rule_side side, const char *account, const char *amount) {
    return (struct posting_rule_line){.side = side, .account = slice_of(account), .amount = slice_of(amount)};
}

static struct posting_rule rule(const char *name, const char *step, const char *category, struct posting_rule_line *lines, size_t count) {
    return (struct posting_rule){.rule = slice_of(name), .step = slice_of(step), .category = slice_of(category), .supplier_group = TEXT("*"), .tax_code = TEXT("*"), .method = TEXT("*"),
                                 .lines = {lines, count}};
}

static struct rule_set *compile(struct posting_rule *rules, size_t count, struct error *error) {
    const struct posting_rule_set set = {.rule_set = TEXT("test"), .rules = {rules, count}};
    return rules_compile(&set, error);
}

static void refused(struct posting_rule *rules, size_t count, const char *text) {
    struct error error = {{0}};
    assert_null(compile(rules, count, &error));
    assert_string_equal(error.text, text);
}

#define DEBIT POSTING_RULE_SIDE_DEBIT
#define CREDIT POSTING_RULE_SIDE_CREDIT

static void unbalanced_is_refused(void **state) {
    (void)state;
    struct posting_rule_line gross_only[] = {line(DEBIT, "400000", "net"), line(CREDIT, "160000", "gross")};
    struct posting_rule rules[] = {rule("no-tax", "invoice_without_order", "*", gross_only, 2)};
    refused(rules, 1, "rule no-tax does not balance: tax_deductible is credited more than debited");
    /* A balance that holds only while there is no price variance is none. */
    struct posting_rule_line no_variance[] = {line(DEBIT, "191100", "receipt_value"), line(DEBIT, "154000", "tax_deductible"),
                                              line(DEBIT, "400000", "tax_not_deductible"), line(CREDIT, "160000", "gross")};
    rules[0] = rule("no-variance", "invoice_with_order", "*", no_variance, 4);
    refused(rules, 1, "rule no-variance does not balance: variance_above is credited more than debited");
}

static void nonsense_is_refused(void **state) {
    (void)state;
    struct posting_rule_line amount[] = {line(DEBIT, "1", "nett"), line(CREDIT, "2", "net")}, mapping[] = {line(DEBIT, "map:accounts:colour", "net"), line(CREDIT, "2", "net")},
                             account[] = {line(DEBIT, "", "net"), line(CREDIT, "2", "net")};
    struct posting_rule rules[] = {rule("a", "goods_receipt", "*", amount, 2)};
    refused(rules, 1, "rule a: there is no amount nett; did you mean net?");
    rules[0] = rule("a", "goods_receipt", "*", mapping, 2);
    refused(rules, 1, "rule a: account map:accounts:colour: there is no dimension colour; did you mean category?");
    rules[0] = rule("a", "goods_receipt", "*", account, 2);
    refused(rules, 1, "rule a: a line has no account");
    rules[0] = rule("a", "goods_receipt", "*", NULL, 0);
    refused(rules, 1, "rule a has no lines");
}

static void tie_names_both(void **state) {
    (void)state;
    struct posting_rule_line lines[] = {line(DEBIT, "1", "net"), line(CREDIT, "2", "net")};
    struct posting_rule rules[] = {rule("by-category", "goods_receipt", "paint", lines, 2), rule("by-group", "goods_receipt", "*", lines, 2)};
    rules[1].supplier_group = slice_of("trade");
    refused(rules, 2, "rules by-category and by-group of step goods_receipt match the same lines and neither is more specific");
    /* With different values of the same dimension there is no line for both. */
    rules[1].supplier_group = slice_of("*");
    rules[1].category = slice_of("solvent");
    struct error error = {{0}};
    struct rule_set *set = compile(rules, 2, &error);
    assert_non_null(set);
    rules_release(set);
}

static void most_specific_is_picked(void **state) {
    (void)state;
    struct posting_rule_line lines[] = {line(DEBIT, "map:accounts:category", "net"), line(CREDIT, "2", "net")};
    struct posting_rule rules[] = {rule("any", "goods_receipt", "*", lines, 2), rule("paint", "goods_receipt", "paint", lines, 2), rule("other-step", "goods_returned", "*", lines, 2)};
    struct error error = {{0}};
    struct rule_set *set = compile(rules, 3, &error);
    assert_non_null(set);
    const struct slice paint[RULE_DIMENSION_COUNT] = {TEXT("paint"), TEXT("trade"), TEXT("V19")}, ink[RULE_DIMENSION_COUNT] = {TEXT("ink"), TEXT("trade"), TEXT("V19")};
    assert_true(slice_equal(rules_pick(set, SLICE("goods_receipt"), paint)->name, SLICE("paint")));
    assert_true(slice_equal(rules_pick(set, SLICE("goods_receipt"), ink)->name, SLICE("any")));
    assert_null(rules_pick(set, SLICE("invoice_with_order"), ink));
    const struct rule_line *first = &rules_pick(set, SLICE("goods_receipt"), paint)->lines[0];
    assert_int_equal(first->from, RULE_ACCOUNT_MAPPED);
    assert_int_equal(first->dimension, RULE_CATEGORY);
    assert_true(slice_equal(first->account, SLICE("accounts")));
    rules_release(set);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(unbalanced_is_refused), cmocka_unit_test(nonsense_is_refused), cmocka_unit_test(tie_names_both),
                                       cmocka_unit_test(most_specific_is_picked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
