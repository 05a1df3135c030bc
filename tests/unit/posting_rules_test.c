/* Rule sets: what is refused when it is loaded, and which rule is picked. Rules are written as accountants do: "dr ACCOUNT AMOUNT cr ACCOUNT AMOUNT". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/posting/rules.h"
#include "schemas/posting_rule_set.h"

#define TEXT(literal) {literal, sizeof(literal) - 1}
enum { LINES_MAXIMUM = 16, RULES_MAXIMUM = 3 };

static struct slice word_next(const char **at) {
    *at += strspn(*at, " ");
    struct slice word = {*at, strcspn(*at, " ")};
    *at += word.length;
    return word;
}

/* Memory for the lines of up to RULES_MAXIMUM rules, used in turn. */
static struct posting_rule rule(const char *name, const char *step, const char *category, const char *text) {
    static struct posting_rule_line memory[RULES_MAXIMUM][LINES_MAXIMUM];
    static size_t turn;
    struct posting_rule_line *lines = memory[turn++ % RULES_MAXIMUM];
    size_t count = 0;
    while (*(text += strspn(text, " "))) {
        struct slice side = word_next(&text), account = word_next(&text), amount = word_next(&text);
        assert_true(count < LINES_MAXIMUM);
        if (slice_equal(account, SLICE("none"))) account = (struct slice){0};
        lines[count++] = (struct posting_rule_line){.side = slice_equal(side, SLICE("dr")) ? POSTING_RULE_SIDE_DEBIT : POSTING_RULE_SIDE_CREDIT,
                                                    .account = account, .amount = amount};
    }
    return (struct posting_rule){.rule = slice_of(name), .step = slice_of(step), .category = slice_of(category), .supplier_group = TEXT("*"), .tax_code = TEXT("*"),
                                 .method = TEXT("*"), .lines = {lines, count}};
}

static struct rule_set *compile(struct posting_rule *rules, size_t count, struct error *error) {
    const struct posting_rule_set set = {.rule_set = TEXT("test"), .rules = {rules, count}};
    return rules_compile(&set, error);
}

static void refused(struct posting_rule *rules, size_t count, const char *text) {
    struct error error = {{0}};
    struct rule_set *set = compile(rules, count, &error);
    assert_string_equal(error.text, text);
    assert_null(set);
}

static void rule_refused(const char *step, const char *lines, const char *text) {
    struct posting_rule one = rule("r", step, "*", lines);
    refused(&one, 1, text);
}

static struct rule_set *loaded(struct posting_rule *rules, size_t count) {
    struct error error = {{0}};
    struct rule_set *set = compile(rules, count, &error);
    assert_string_equal(error.text, "");
    assert_non_null(set);
    return set;
}

static void unbalanced_is_refused(void **state) {
    (void)state;
    rule_refused("invoice_without_order", "dr 400000 net cr 160000 gross", "rule r does not balance: tax_deductible is credited more than debited");
    /* A balance that holds only while there is no price variance is none. */
    rule_refused("invoice_with_order", "dr 191100 receipt_value dr 154000 tax_deductible dr 400000 tax_not_deductible cr 160000 gross",
                 "rule r does not balance: variance_above is credited more than debited");
    /* What is retained is not payable. */
    rule_refused("invoice_without_order", "dr 400000 net dr 154000 tax_deductible dr 400000 tax_not_deductible cr 160000 payable",
                 "rule r does not balance: retained is debited more than credited");
}

static void nonsense_is_refused(void **state) {
    (void)state;
    rule_refused("goods_recieved", "dr 1 net cr 2 net", "rule r: there is no step goods_recieved; did you mean goods_receipt?");
    rule_refused("payment_send", "dr 1 paid cr 2 paid", "rule r: there is no step payment_send; did you mean payment_sent?");
    rule_refused("", "dr 1 net cr 2 net", "a rule has no name or no step");
    rule_refused("goods_receipt", "dr 1 nett cr 2 net", "rule r: there is no amount nett; did you mean net?");
    rule_refused("payment_sent", "dr 1 setled cr 2 paid", "rule r: there is no amount setled; did you mean settled?");
    rule_refused("goods_receipt", "dr 1 gross cr 2 gross", "rule r: step goods_receipt has no amount gross");
    rule_refused("invoice_without_order", "dr 1 receipt_value cr 2 gross", "rule r: step invoice_without_order has no amount receipt_value");
    rule_refused("goods_receipt", "dr map:accounts:colour net cr 2 net", "rule r: account map:accounts:colour: there is no dimension colour; did you mean category?");
    rule_refused("goods_receipt", "dr map:accounts:categry net cr 2 net", "rule r: account map:accounts:categry: there is no dimension categry; did you mean category?");
    rule_refused("goods_receipt", "dr map:accounts net cr 2 net", "rule r: account map:accounts is not map:<set>:<dimension>");
    rule_refused("goods_receipt", "dr map::category net cr 2 net", "rule r: account map::category is not map:<set>:<dimension>");
    rule_refused("goods_receipt", "dr map: net cr 2 net", "rule r: account map: is not map:<set>:<dimension>");
    rule_refused("goods_receipt", "dr none net cr 2 net", "rule r: a line has no account");
    rule_refused("goods_receipt", "", "rule r has no lines");
}

static void accounts_of_others_are_refused(void **state) {
    (void)state;
    rule_refused("goods_receipt", "dr 1 net cr bank net", "rule r: step goods_receipt has no account of bank");
    rule_refused("invoice_without_order", "dr line net cr transit gross", "rule r: step invoice_without_order has no account of transit");
    rule_refused("payment_sent", "dr employee settled cr bank settled", "rule r: step payment_sent has no account of employee");
    rule_refused("reimbursement_bank", "dr supplier paid cr bank paid", "rule r: step reimbursement_bank has no account of supplier");
    rule_refused("clearing", "dr 160000 gross cr intercompany gross", "rule r: step clearing has no account of intercompany");
    rule_refused("invoice_without_order", "dr tax_code net cr 2 gross", "rule r: net is no tax: it cannot go to the account of a tax code");
}

static void incomplete_is_refused(void **state) {
    (void)state;
    rule_refused("invoice_with_order", "dr 191100 receipt_value cr 160000 receipt_value",
                 "rule r is incomplete: a rule of step invoice_with_order posts gross, or payable and retained");
    rule_refused("payment_sent", "dr 160000 paid cr 179000 paid", "rule r is incomplete: a rule of step payment_sent posts settled");
    rule_refused("payment_settled", "dr 1 charges cr 2 charges", "rule r is incomplete: a rule of step payment_settled posts settled, or paid, or bank");
    rule_refused("invoice_with_order", "dr 1 receipt_value dr 2 variance_above cr 2 variance_below dr 3 tax_deductible dr 4 tax_not_deductible cr 5 gross dr 6 fx_loss",
                 "rule r posts fx_loss only: fx_loss and fx_gain both or neither");
    rule_refused("payment_sent", "dr 1 settled cr 2 settled cr 6 fx_gain", "rule r posts fx_gain only: fx_loss and fx_gain both or neither");
    rule_refused("payment_sent", "dr 1 settled cr 2 settled dr 6 fx_gain cr 6 fx_loss", "rule r: fx_loss is debited and fx_gain credited");
}

/* For every step a rule that is right, the same with an amount left out or on the wrong side, and what is said to that. */
static const struct { const char *step, *good, *broken, *text; } proofs[] = {
    {"goods_receipt", "dr 1 receipt_value cr 2 net dr 3 variance_above cr 3 variance_below", NULL, NULL},
    {"goods_receipt", "dr 1 receipt_value cr 2 receipt_value", "dr 1 receipt_value cr 2 net", "rule r does not balance: variance_above is credited more than debited"},
    {"goods_returned", "dr 2 receipt_value cr 1 receipt_value", "dr 2 receipt_value dr 1 receipt_value",
     "rule r does not balance: receipt_value is debited more than credited"},
    {"invoice_with_order", "dr 1 net dr 2 tax_deductible dr 3 tax_not_deductible cr 4 payable cr 5 retained",
     "dr 1 net dr 2 tax_deductible dr 3 tax_not_deductible cr 4 gross cr 5 retained", "rule r does not balance: retained is credited more than debited"},
    {"credit_note_goods", "dr 4 gross cr 1 receipt_value cr 2 tax_deductible cr 3 tax_not_deductible cr 5 variance_above dr 5 variance_below dr 6 fx_loss cr 7 fx_gain",
     "dr 4 gross cr 1 receipt_value cr 2 tax_deductible cr 3 tax_not_deductible", "rule r does not balance: variance_above is debited more than credited"},
    {"rebate", "dr supplier gross cr 1 net cr tax_code tax_deductible cr 1 tax_not_deductible", "dr supplier gross cr 1 net",
     "rule r does not balance: tax_deductible is debited more than credited"},
    {"subsequent_debit", "dr 1 net dr 2 tax_deductible dr 3 tax_not_deductible dr 2 tax_reverse_deductible dr 3 tax_reverse_not_deductible cr 5 tax_reverse cr 4 gross",
     "dr 1 net dr 2 tax_deductible dr 3 tax_not_deductible dr 2 tax_reverse_deductible cr 5 tax_reverse cr 4 gross",
     "rule r does not balance: tax_reverse_not_deductible is credited more than debited"},
    {"retention_released", "dr 1 retained cr supplier retained", "dr 1 retained", "rule r does not balance: retained is debited more than credited"},
    {"grni_written_off", "dr 1 receipt_value cr 2 receipt_value", "cr 2 receipt_value", "rule r does not balance: receipt_value is credited more than debited"},
    {"intercompany_payer", "dr intercompany settled cr bank paid cr 1 discount_net cr 2 discount_tax cr tax_code withheld", "dr intercompany settled cr bank paid",
     "rule r does not balance: discount_net is debited more than credited"},
    {"intercompany_bearer", "dr line net dr 1 tax_deductible dr line tax_not_deductible cr intercompany gross", "dr line net cr intercompany gross",
     "rule r does not balance: tax_deductible is credited more than debited"},
    {"recharge_payer", "dr intercompany gross cr 1 net cr 2 tax_deductible cr 1 tax_not_deductible", "dr intercompany gross cr 1 net cr 2 tax_deductible",
     "rule r does not balance: tax_not_deductible is debited more than credited"},
    {"recharge_bearer", "dr line net dr 2 tax_deductible dr line tax_not_deductible cr intercompany gross", "dr line gross cr intercompany net",
     "rule r does not balance: tax_deductible is debited more than credited"},
    {"payment_sent", "dr supplier settled cr transit paid cr 1 discount_net cr 2 discount_tax cr tax_code withheld dr 3 charges cr transit charges dr 4 fx_loss cr 5 fx_gain",
     "dr supplier settled cr transit bank cr 1 discount_net cr 2 discount_tax cr tax_code withheld", "rule r does not balance: charges is credited more than debited"},
    {"payment_settled", "dr transit paid dr 1 charges cr bank bank dr 4 fx_loss cr 5 fx_gain", "dr transit paid cr bank bank",
     "rule r does not balance: charges is credited more than debited"},
    {"payment_returned", "dr bank paid dr 1 discount_net dr 2 discount_tax dr 3 withheld cr supplier settled", "dr bank paid cr supplier settled",
     "rule r does not balance: discount_net is credited more than debited"},
    {"payment_refunded", "dr bank paid cr supplier paid", "dr bank paid dr supplier paid", "rule r does not balance: paid is debited more than credited"},
    {"payment_sent_bearer", "dr supplier settled cr intercompany paid cr 1 discount_net cr 2 discount_tax cr tax_code withheld dr 4 fx_loss cr 5 fx_gain",
     "dr supplier settled cr intercompany paid cr 1 discount_net cr 2 discount_tax", "rule r does not balance: withheld is debited more than credited"},
    {"payment_sent_payer", "dr intercompany paid cr transit paid", "dr intercompany paid cr transit bank", "rule r does not balance: charges is credited more than debited"},
    {"prepayment_sent", "dr 1 net dr 1 tax_not_deductible dr tax_code tax_deductible cr transit gross", "dr 1 net cr transit gross",
     "rule r does not balance: tax_deductible is credited more than debited"},
    {"prepayment_sent_bearer", "dr 1 net dr 1 tax_not_deductible dr tax_code tax_deductible cr intercompany gross", "dr 1 net cr 2 net",
     "rule r is incomplete: a rule of step prepayment_sent_bearer posts gross"},
    {"prepayment_applied", "dr supplier gross cr 1 net cr 1 tax_not_deductible cr tax_code tax_deductible dr 4 fx_loss cr 5 fx_gain", "dr supplier gross cr 1 gross",
     "rule r is incomplete: a rule of step prepayment_applied posts net and gross"},
    {"expense_paid_by_employee", "dr map:e:category net dr 1 tax_deductible dr map:e:category tax_not_deductible cr employee gross", "dr map:e:category net cr employee gross",
     "rule r does not balance: tax_deductible is credited more than debited"},
    {"expense_paid_by_card", "dr line gross cr 1 gross dr 4 fx_loss cr 5 fx_gain", "dr line net cr 1 gross",
     "rule r does not balance: tax_deductible is credited more than debited"},
    {"expense_personal", "dr employee gross cr 1 gross", "dr employee gross", "rule r does not balance: receipt_value is debited more than credited"},
    {"card_transaction", "dr 1 gross cr 2 gross", "dr 1 gross cr 2 net", "rule r does not balance: tax_deductible is debited more than credited"},
    {"card_statement_paid", "dr 2 paid cr bank paid", "dr 2 paid cr bank bank", "rule r does not balance: charges is credited more than debited"},
    {"advance_paid", "dr employee paid cr bank paid", "dr employee paid", "rule r does not balance: paid is debited more than credited"},
    {"advance_applied", "dr employee paid cr 1 settled dr 4 fx_loss cr 5 fx_gain", "cr 1 settled", "rule r does not balance: paid is credited more than debited"},
    {"advance_returned", "dr bank paid cr 1 paid", "cr 1 paid", "rule r does not balance: paid is credited more than debited"},
    {"reimbursement_bank", "dr employee paid cr bank paid", "dr employee paid dr bank paid", "rule r does not balance: paid is debited more than credited"},
    {"reimbursement_payroll", "dr employee settled cr 1 paid dr 4 fx_loss cr 5 fx_gain", "dr employee settled cr 1 bank",
     "rule r does not balance: charges is credited more than debited"},
    {"journal", "dr line net cr 1 net", "dr line net cr 1 gross", "rule r does not balance: tax_deductible is credited more than debited"},
    {"journal_payroll", "dr map:pay:category net cr 1 net", "dr map:pay:category net", "rule r does not balance: receipt_value is debited more than credited"},
};

static void every_step_is_proved(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof proofs / sizeof *proofs; i++) {
        struct posting_rule one;
        if (proofs[i].broken) {
            one = rule("r", proofs[i].step, "*", proofs[i].broken);
            refused(&one, 1, proofs[i].text);
            one = rule("r", proofs[i].step, "*", proofs[i].good);
            rules_release(loaded(&one, 1));
        } else {   /* a receipt has no variances */
            one = rule("r", proofs[i].step, "*", proofs[i].good);
            refused(&one, 1, "rule r: step goods_receipt has no amount variance_above");
        }
    }
    for (size_t step = 0; step < rule_step_count; step++) {
        bool known = strcmp(rule_steps[step].name, "invoice_without_order") == 0 || strcmp(rule_steps[step].name, "credit_note") == 0 ||
                     strcmp(rule_steps[step].name, "clearing") == 0;   /* in the cases */
        for (size_t i = 0; i < sizeof proofs / sizeof *proofs; i++) known |= strcmp(proofs[i].step, rule_steps[step].name) == 0;
        if (!known) fail_msg("no rule of step %s is tried here", rule_steps[step].name);
    }
}

static void tie_names_both(void **state) {
    (void)state;
    const char *lines = "dr 1 net cr 2 net";
    struct posting_rule rules[] = {rule("by-category", "goods_receipt", "paint", lines), rule("by-group", "goods_receipt", "*", lines)};
    rules[1].supplier_group = slice_of("trade");
    refused(rules, 2, "rules by-category and by-group of step goods_receipt match the same lines and neither is more specific");
    rules[1].supplier_group = slice_of("*");
    rules[1].method = slice_of("transfer");
    refused(rules, 2, "rules by-category and by-group of step goods_receipt match the same lines and neither is more specific");
    rules[1].rule = slice_of("by-category");
    refused(rules, 2, "two rules are named by-category");
    /* With different values of the same dimension there is no line for both. */
    rules[1] = rule("by-group", "goods_receipt", "solvent", lines);
    rules_release(loaded(rules, 2));
    /* Journals of two names never meet. */
    rules[0] = rule("a", "journal_payroll", "*", lines);
    rules[1] = rule("b", "journal_billing", "*", lines);
    rules_release(loaded(rules, 2));
    rules[1] = rule("b", "journal_payroll", "*", lines);
    refused(rules, 2, "rules a and b of step journal_payroll match the same lines and neither is more specific");
}

static void most_specific_is_picked(void **state) {
    (void)state;
    struct posting_rule rules[] = {rule("any", "goods_receipt", "*", "dr map:accounts:category net cr 2 net"),
                                   rule("paint", "goods_receipt", "paint", "dr map:accounts:category net cr 2 net"),
                                   rule("other-step", "goods_returned", "*", "dr 1 net cr 2 net")};
    struct rule_set *set = loaded(rules, 3);
    const struct slice paint[RULE_DIMENSION_COUNT] = {TEXT("paint"), TEXT("trade"), TEXT("V19"), TEXT("")},
                       ink[RULE_DIMENSION_COUNT] = {TEXT("ink"), TEXT("trade"), TEXT("V19"), TEXT("")};
    assert_true(slice_equal(rules_pick(set, SLICE("goods_receipt"), paint)->name, SLICE("paint")));
    assert_true(slice_equal(rules_pick(set, SLICE("goods_receipt"), ink)->name, SLICE("any")));
    assert_null(rules_pick(set, SLICE("invoice_with_order"), ink));
    assert_null(rules_pick(set, SLICE("no_such_step"), ink));
    const struct rule_line *first = &rules_pick(set, SLICE("goods_receipt"), paint)->lines[0];
    assert_int_equal(first->from, RULE_ACCOUNT_MAPPED);
    assert_int_equal(first->dimension, RULE_CATEGORY);
    assert_true(slice_equal(first->account, SLICE("accounts")));
    rules_release(set);
}

static void method_picks(void **state) {
    (void)state;
    struct posting_rule rules[] = {rule("transfer", "payment_sent", "*", "dr supplier settled cr transit settled"),
                                   rule("card", "payment_sent", "*", "dr supplier settled cr 1 settled")};
    rules[1].method = slice_of("card");
    struct rule_set *set = loaded(rules, 2);
    const struct slice card[RULE_DIMENSION_COUNT] = {TEXT(""), TEXT("trade"), TEXT(""), TEXT("card")},
                       cheque[RULE_DIMENSION_COUNT] = {TEXT(""), TEXT("trade"), TEXT(""), TEXT("cheque")};
    const struct rule *by_card = rules_pick(set, SLICE("payment_sent"), card), *by_cheque = rules_pick(set, SLICE("payment_sent"), cheque);
    assert_true(slice_equal(by_card->name, SLICE("card")));
    assert_true(slice_equal(by_cheque->name, SLICE("transfer")));
    assert_int_equal(by_cheque->lines[0].from, RULE_ACCOUNT_OF_SUPPLIER);
    assert_int_equal(by_cheque->lines[1].from, RULE_ACCOUNT_IN_TRANSIT);
    assert_int_equal(rules_debits(by_card, RULE_SETTLED), 0);
    rules_release(set);
}

/* 119.00 gross, 10.00 of it retained; 90.00 paid for an open 100.00 with 8.00 and 1.52 of discount, and 0.48 withheld. */
static void sums_follow_from_the_parts(void **state) {
    (void)state;
    int64_t amounts[RULE_AMOUNT_COUNT] = {[RULE_RECEIPT_VALUE] = 980000, [RULE_VARIANCE_ABOVE] = 30000, [RULE_VARIANCE_BELOW] = 10000, [RULE_TAX_DEDUCTIBLE] = 150000,
        [RULE_TAX_NOT_DEDUCTIBLE] = 40000, [RULE_TAX_REVERSE_DEDUCTIBLE] = 7, [RULE_TAX_REVERSE_NOT_DEDUCTIBLE] = 5, [RULE_RETAINED] = 100000, [RULE_PAID] = 900000,
        [RULE_DISCOUNT_NET] = 80000, [RULE_DISCOUNT_TAX] = 15200, [RULE_WITHHELD] = 4800, [RULE_CHARGES] = 25000};
    assert_true(steps_amounts_sum(amounts));
    assert_int_equal(amounts[RULE_NET], 1000000);
    assert_int_equal(amounts[RULE_GROSS], 1190000);
    assert_int_equal(amounts[RULE_PAYABLE], 1090000);
    assert_int_equal(amounts[RULE_TAX_REVERSE], 12);
    assert_int_equal(amounts[RULE_SETTLED], 1000000);
    assert_int_equal(amounts[RULE_BANK], 925000);
    int64_t huge[RULE_AMOUNT_COUNT] = {[RULE_PAID] = INT64_MAX, [RULE_CHARGES] = 1};
    assert_false(steps_amounts_sum(huge));
}

static void what_a_line_has_is_not_left_out(void **state) {
    (void)state;
    struct posting_rule one = rule("r", "invoice_without_order", "*", "dr 1 net dr 2 tax_deductible dr 1 tax_not_deductible cr 3 gross");
    struct rule_set *set = loaded(&one, 1);
    int64_t amounts[RULE_AMOUNT_COUNT] = {[RULE_RECEIPT_VALUE] = 1000000, [RULE_TAX_DEDUCTIBLE] = 190000};
    assert_null(rules_left_out(&set->rules[0], amounts));
    amounts[RULE_TAX_REVERSE_DEDUCTIBLE] = 1;
    assert_string_equal(rules_left_out(&set->rules[0], amounts), "tax_reverse_deductible");
    amounts[RULE_TAX_REVERSE_DEDUCTIBLE] = 0;
    amounts[RULE_RETAINED] = 1;
    assert_string_equal(rules_left_out(&set->rules[0], amounts), "retained");
    rules_release(set);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(unbalanced_is_refused), cmocka_unit_test(nonsense_is_refused), cmocka_unit_test(accounts_of_others_are_refused),
        cmocka_unit_test(incomplete_is_refused), cmocka_unit_test(every_step_is_proved), cmocka_unit_test(tie_names_both), cmocka_unit_test(most_specific_is_picked),
        cmocka_unit_test(method_picks), cmocka_unit_test(sums_follow_from_the_parts), cmocka_unit_test(what_a_line_has_is_not_left_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
