/* world_rules: the chart of accounts and the two sets of posting rules. */
#include <stdarg.h>
#include <stdio.h>

#include "tests/property/world.h"

static const char *const single_accounts[] = {"160000", "161000", "399000", ACCOUNT_INPUT_TAX, ACCOUNT_REVERSE_TAX, ACCOUNT_TRANSIT, ACCOUNT_FX_LOSS, ACCOUNT_FX_GAIN,
    ACCOUNT_ROUNDING, ACCOUNT_BANK,
    ACCOUNT_PREPAYMENT, ACCOUNT_CHARGES, ACCOUNT_DISCOUNT, ACCOUNT_EMPLOYEE, ACCOUNT_ADVANCE, ACCOUNT_PAYROLL, ACCOUNT_WITHHELD};
enum { SINGLE_ACCOUNTS = sizeof single_accounts / sizeof *single_accounts };

bool world_account(struct slice account) {
    for (size_t i = 0; i < SINGLE_ACCOUNTS; i++)
        if (slice_equal(account, slice_of(single_accounts[i]))) return true;
    if (account.length != 6 || account.data[5] < '0' || account.data[5] >= '0' + CATEGORIES) return false;
    return memcmp(account.data, PREFIX_GRNI, 5) == 0 || memcmp(account.data, PREFIX_EXPENSE, 5) == 0;
}

void world_put(struct harness *harness, const char *table, const char *format, ...) {
    char json[16384];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(json, sizeof json, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof json) die("a master record is too long");
    for (char *at = json; *at; at++)
        if (*at == '\'') *at = '"';
    harness_master(harness, table, json);
}

/* ---- rules ---- */

#define LINE(side, account, amount, more) "{'side':'" side "','account':'" account "','amount':'" amount "'" more "},"
#define DR(account, amount, more) LINE("debit", account, amount, more)
#define CR(account, amount, more) LINE("credit", account, amount, more)
#define CODED ",'cost_centre':true,'project':true"
#define OWED ",'partner':true"
#define TAXED ",'tax_code':true"
#define GRNI "map:grni:category"
#define COST "map:cost:category"
#define TAXES(tax, cost) DR(tax, "tax_deductible", TAXED) DR(cost, "tax_not_deductible", CODED) DR(tax, "tax_reverse_deductible", TAXED) \
    DR(cost, "tax_reverse_not_deductible", CODED) CR(ACCOUNT_REVERSE_TAX, "tax_reverse", TAXED)
#define TAXES_BACK(tax, cost) CR(tax, "tax_deductible", TAXED) CR(cost, "tax_not_deductible", CODED) CR(tax, "tax_reverse_deductible", TAXED) \
    CR(cost, "tax_reverse_not_deductible", CODED) DR(ACCOUNT_REVERSE_TAX, "tax_reverse", TAXED)
#define EXCHANGE DR(ACCOUNT_FX_LOSS, "fx_loss", "") CR(ACCOUNT_FX_GAIN, "fx_gain", "")
#define RULE(step, lines) "{'rule':'" step "','step':'" step "','lines':[" lines "null]},"
#define SET(payable, variance, tax) "[" \
    RULE("goods_receipt", DR(COST, "receipt_value", CODED) CR(GRNI, "receipt_value", OWED)) \
    RULE("invoice_with_order", DR(GRNI, "receipt_value", OWED) TAXES(tax, COST) DR(variance, "variance_above", CODED) CR(variance, "variance_below", CODED) \
         EXCHANGE CR(payable, "gross", OWED)) \
    RULE("invoice_without_order", DR("line", "net", CODED) TAXES(tax, "line") CR(payable, "gross", OWED)) \
    RULE("subsequent_debit", DR(COST, "net", CODED) TAXES(tax, COST) CR(payable, "gross", OWED)) \
    RULE("credit_note", DR(payable, "gross", OWED) CR(COST, "net", CODED) TAXES_BACK(tax, COST)) \
    RULE("payment_sent", DR(payable, "settled", OWED) CR("transit", "paid", "") CR(ACCOUNT_DISCOUNT, "discount_net", "") CR(ACCOUNT_INPUT_TAX, "discount_tax", "") \
         CR(ACCOUNT_WITHHELD, "withheld", "") EXCHANGE) \
    RULE("payment_settled", DR("transit", "paid", "") DR(ACCOUNT_CHARGES, "charges", "") CR("bank", "bank", "") EXCHANGE) \
    RULE("payment_returned", DR("bank", "bank", "") CR(ACCOUNT_CHARGES, "charges", "") CR("transit", "paid", "") EXCHANGE) \
    RULE("payment_refunded", DR("bank", "bank", "") CR(ACCOUNT_CHARGES, "charges", "") CR(payable, "paid", OWED) EXCHANGE) \
    RULE("prepayment_sent", DR(ACCOUNT_PREPAYMENT, "net", OWED) DR(ACCOUNT_PREPAYMENT, "tax_not_deductible", OWED) DR(ACCOUNT_INPUT_TAX, "tax_deductible", TAXED) \
         CR("transit", "gross", "")) \
    RULE("prepayment_applied", DR(payable, "gross", OWED) CR(ACCOUNT_PREPAYMENT, "net", OWED) CR(ACCOUNT_PREPAYMENT, "tax_not_deductible", OWED) \
         CR(ACCOUNT_INPUT_TAX, "tax_deductible", TAXED) EXCHANGE) \
    RULE("expense_paid_by_employee", DR(COST, "net", CODED) DR(ACCOUNT_INPUT_TAX, "tax_deductible", TAXED) DR(COST, "tax_not_deductible", CODED) \
         CR("employee", "gross", OWED)) \
    RULE("advance_paid", DR(ACCOUNT_ADVANCE, "paid", OWED) CR("transit", "paid", "")) \
    RULE("advance_applied", DR("employee", "paid", OWED) CR(ACCOUNT_ADVANCE, "settled", OWED) EXCHANGE) \
    RULE("advance_returned", DR("bank", "paid", "") CR(ACCOUNT_ADVANCE, "settled", OWED) EXCHANGE) \
    RULE("reimbursement_bank", DR("employee", "settled", OWED) CR("transit", "paid", "") EXCHANGE) \
    RULE("reimbursement_payroll", DR("employee", "settled", OWED) CR(ACCOUNT_PAYROLL, "paid", "") EXCHANGE) \
    RULE("journal", DR("line", "net", CODED) TAXES(tax, "line") CR(ACCOUNT_PAYROLL, "gross", OWED)) \
    RULE("clearing", DR(payable, "gross", OWED) CR(ACCOUNT_TRANSIT, "gross", OWED)) "null]"

/* The macros end every list with `null`, which is taken out here. */
static void rules_load(struct harness *harness, const char *set, const char *rules) {
    static char json[32768];
    size_t length = (size_t)snprintf(json, sizeof json, "{'rule_set':'%s','rules':%s}", set, rules);
    if (length >= sizeof json) die("the rules are too long");
    char *to = json;
    for (const char *from = json; *from; from++) {
        if (strncmp(from, ",null", 5) == 0) from += 4;
        else *to++ = *from == '\'' ? '"' : *from;
    }
    *to = 0;
    harness_master(harness, "posting-rules", json);
}

static void codes_load(struct harness *harness) {
    for (size_t i = 0; i < SINGLE_ACCOUNTS; i++) world_put(harness, "accounts", "{'chart':'C','account':'%s','name':'x','type':'asset'}", single_accounts[i]);
    for (int i = 0; i < CATEGORIES; i++) {
        world_put(harness, "accounts", "{'chart':'C','account':'" PREFIX_GRNI "%d','name':'x','type':'liability'}", i);
        world_put(harness, "accounts", "{'chart':'C','account':'" PREFIX_EXPENSE "%d','name':'x','type':'expense'}", i);
        world_put(harness, "code-mappings", "{'mapping_set':'grni','code':'CAT%d','target':'" PREFIX_GRNI "%d'}", i, i);
        world_put(harness, "code-mappings", "{'mapping_set':'cost','code':'CAT%d','target':'" PREFIX_EXPENSE "%d'}", i, i);
    }
}

void world_load_rules(struct harness *harness) {
    codes_load(harness);
    rules_load(harness, "FIRST", SET("160000", "399000", ACCOUNT_INPUT_TAX));
    rules_load(harness, "SECOND", SET("supplier", COST, "tax_code"));
}
