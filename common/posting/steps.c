#include "common/posting/steps.h"

const char *const rule_amount_names[RULE_AMOUNT_COUNT] = {
    "net", "receipt_value", "variance_above", "variance_below", "tax_deductible", "tax_not_deductible", "tax_reverse", "tax_reverse_deductible",
    "tax_reverse_not_deductible", "gross", "payable", "retained", "settled", "paid", "discount_net", "discount_tax", "withheld", "charges", "bank", "fx_loss", "fx_gain"};
const char *const rule_dimension_names[RULE_DIMENSION_COUNT] = {"category", "supplier_group", "tax_code", "method"};
const char *const rule_account_names[RULE_ACCOUNT_COUNT] = {
    [RULE_ACCOUNT_OF_LINE] = "line", [RULE_ACCOUNT_OF_SUPPLIER] = "supplier", [RULE_ACCOUNT_OF_EMPLOYEE] = "employee", [RULE_ACCOUNT_OF_TAX_CODE] = "tax_code",
    [RULE_ACCOUNT_OF_BANK] = "bank", [RULE_ACCOUNT_IN_TRANSIT] = "transit", [RULE_ACCOUNT_INTERCOMPANY] = "intercompany"};

/* ---- amounts ---- */

#define NET_PARTS [PART_RECEIPT_VALUE] = 1, [PART_VARIANCE_ABOVE] = 1, [PART_VARIANCE_BELOW] = -1
#define GROSS_PARTS NET_PARTS, [PART_TAX_DEDUCTIBLE] = 1, [PART_TAX_NOT_DEDUCTIBLE] = 1
const signed char steps_parts[RULE_AMOUNT_COUNT][PART_COUNT] = {
    [RULE_NET] = {NET_PARTS},
    [RULE_RECEIPT_VALUE] = {[PART_RECEIPT_VALUE] = 1},
    [RULE_VARIANCE_ABOVE] = {[PART_VARIANCE_ABOVE] = 1},
    [RULE_VARIANCE_BELOW] = {[PART_VARIANCE_BELOW] = 1},
    [RULE_TAX_DEDUCTIBLE] = {[PART_TAX_DEDUCTIBLE] = 1},
    [RULE_TAX_NOT_DEDUCTIBLE] = {[PART_TAX_NOT_DEDUCTIBLE] = 1},
    [RULE_TAX_REVERSE] = {[PART_TAX_REVERSE_DEDUCTIBLE] = 1, [PART_TAX_REVERSE_NOT_DEDUCTIBLE] = 1},
    [RULE_TAX_REVERSE_DEDUCTIBLE] = {[PART_TAX_REVERSE_DEDUCTIBLE] = 1},
    [RULE_TAX_REVERSE_NOT_DEDUCTIBLE] = {[PART_TAX_REVERSE_NOT_DEDUCTIBLE] = 1},
    [RULE_GROSS] = {GROSS_PARTS},
    [RULE_PAYABLE] = {GROSS_PARTS, [PART_RETAINED] = -1},
    [RULE_RETAINED] = {[PART_RETAINED] = 1},
    [RULE_SETTLED] = {[PART_PAID] = 1, [PART_DISCOUNT_NET] = 1, [PART_DISCOUNT_TAX] = 1, [PART_WITHHELD] = 1},
    [RULE_PAID] = {[PART_PAID] = 1},
    [RULE_DISCOUNT_NET] = {[PART_DISCOUNT_NET] = 1},
    [RULE_DISCOUNT_TAX] = {[PART_DISCOUNT_TAX] = 1},
    [RULE_WITHHELD] = {[PART_WITHHELD] = 1},
    [RULE_CHARGES] = {[PART_CHARGES] = 1},
    [RULE_BANK] = {[PART_PAID] = 1, [PART_CHARGES] = 1},
};
const enum rule_amount steps_part_amounts[PART_COUNT] = {
    RULE_RECEIPT_VALUE, RULE_VARIANCE_ABOVE, RULE_VARIANCE_BELOW, RULE_TAX_DEDUCTIBLE, RULE_TAX_NOT_DEDUCTIBLE, RULE_TAX_REVERSE_DEDUCTIBLE,
    RULE_TAX_REVERSE_NOT_DEDUCTIBLE, RULE_RETAINED, RULE_PAID, RULE_DISCOUNT_NET, RULE_DISCOUNT_TAX, RULE_WITHHELD, RULE_CHARGES};

bool steps_amounts_sum(int64_t amounts_e4[RULE_AMOUNT_COUNT]) {
    static const enum rule_amount sums[] = {RULE_NET, RULE_TAX_REVERSE, RULE_GROSS, RULE_PAYABLE, RULE_SETTLED, RULE_BANK};
    enum { SUMS = sizeof sums / sizeof *sums };
    __int128 totals[SUMS] = {0};
    for (int part = 0; part < PART_COUNT; part++) {   /* a line has few of them */
        const int64_t amount_e4 = amounts_e4[steps_part_amounts[part]];
        for (int i = 0; amount_e4 && i < SUMS; i++) totals[i] += (__int128)steps_parts[sums[i]][part] * amount_e4;
    }
    bool fits = true;
    for (int i = 0; i < SUMS; i++) {
        bool this_fits = totals[i] >= INT64_MIN && totals[i] <= INT64_MAX;
        amounts_e4[sums[i]] = this_fits ? (int64_t)totals[i] : 0;
        fits &= this_fits;
    }
    return fits;
}

/* ---- steps ---- */

#define B(amount) RULE_BIT(RULE_##amount)
#define TAX (B(TAX_DEDUCTIBLE) | B(TAX_NOT_DEDUCTIBLE) | B(TAX_REVERSE) | B(TAX_REVERSE_DEDUCTIBLE) | B(TAX_REVERSE_NOT_DEDUCTIBLE))
#define VARIANCES (B(VARIANCE_ABOVE) | B(VARIANCE_BELOW))
#define EXCHANGE (B(FX_LOSS) | B(FX_GAIN))
#define EXPENSE (B(NET) | TAX | B(GROSS))
#define INVOICE (EXPENSE | B(PAYABLE) | B(RETAINED))
#define DEDUCTIONS (B(DISCOUNT_NET) | B(DISCOUNT_TAX) | B(WITHHELD))
#define PAYMENT (B(SETTLED) | B(PAID) | DEDUCTIONS | B(CHARGES) | B(BANK) | EXCHANGE)
#define MOVEMENT (B(SETTLED) | B(PAID) | B(CHARGES) | B(BANK) | EXCHANGE)
#define EVERYTHING (RULE_BIT(RULE_AMOUNT_COUNT) - 1)
#define OWES {B(GROSS), B(PAYABLE) | B(RETAINED)}
#define MOVES {B(SETTLED), B(PAID), B(BANK)}

#define A(source) RULE_BIT(RULE_ACCOUNT_##source)
#define SUPPLIER (A(OF_LINE) | A(OF_SUPPLIER))
#define EMPLOYEE (A(OF_LINE) | A(OF_EMPLOYEE))
#define TAXES A(OF_TAX_CODE)
#define BANKS (A(OF_BANK) | A(IN_TRANSIT))
#define PAIR (SUPPLIER | EMPLOYEE | TAXES | BANKS | A(INTERCOMPANY))

#define STEP(name) name, sizeof(name) - 1
const struct rule_step rule_steps[] = {
    {STEP("goods_receipt"), B(NET) | B(RECEIPT_VALUE), {B(RECEIPT_VALUE), B(NET)}, SUPPLIER},
    {STEP("goods_returned"), B(NET) | B(RECEIPT_VALUE) | EXCHANGE, {B(RECEIPT_VALUE), B(NET)}, SUPPLIER},
    {STEP("invoice_with_order"), INVOICE | B(RECEIPT_VALUE) | VARIANCES | EXCHANGE, OWES, SUPPLIER | TAXES},
    {STEP("invoice_without_order"), INVOICE, OWES, SUPPLIER | TAXES},
    {STEP("subsequent_debit"), INVOICE, OWES, SUPPLIER | TAXES},
    {STEP("credit_note"), INVOICE, OWES, SUPPLIER | TAXES},
    {STEP("credit_note_goods"), INVOICE | B(RECEIPT_VALUE) | VARIANCES | EXCHANGE, OWES, SUPPLIER | TAXES},
    {STEP("rebate"), INVOICE, OWES, SUPPLIER | TAXES},
    {STEP("clearing"), B(GROSS) | EXCHANGE, {B(GROSS)}, SUPPLIER | BANKS},
    {STEP("retention_released"), B(RETAINED) | EXCHANGE, {B(RETAINED)}, SUPPLIER},
    {STEP("grni_written_off"), B(RECEIPT_VALUE) | EXCHANGE, {B(RECEIPT_VALUE)}, SUPPLIER},
    {STEP("intercompany_payer"), INVOICE | PAYMENT, {B(GROSS), B(SETTLED), B(PAID)}, PAIR},
    {STEP("intercompany_bearer"), INVOICE | PAYMENT, {B(GROSS), B(SETTLED), B(PAID)}, PAIR},
    {STEP("recharge_payer"), EXPENSE, {B(GROSS)}, PAIR},
    {STEP("recharge_bearer"), EXPENSE, {B(GROSS)}, PAIR},
    {STEP("payment_sent"), PAYMENT, {B(SETTLED)}, SUPPLIER | TAXES | BANKS},
    {STEP("payment_settled"), MOVEMENT, MOVES, SUPPLIER | BANKS},
    {STEP("payment_returned"), PAYMENT, MOVES, SUPPLIER | TAXES | BANKS},
    {STEP("payment_refunded"), MOVEMENT, MOVES, SUPPLIER | BANKS},
    {STEP("payment_sent_bearer"), PAYMENT, {B(SETTLED)}, SUPPLIER | TAXES | A(INTERCOMPANY)},
    {STEP("payment_sent_payer"), MOVEMENT, MOVES, BANKS | A(INTERCOMPANY)},
    {STEP("prepayment_sent"), EXPENSE, {B(GROSS)}, SUPPLIER | TAXES | BANKS},
    {STEP("prepayment_sent_bearer"), EXPENSE, {B(GROSS)}, SUPPLIER | TAXES | A(INTERCOMPANY)},
    {STEP("prepayment_applied"), EXPENSE | EXCHANGE, {B(GROSS) | B(NET)}, SUPPLIER | TAXES},
    {STEP("expense_paid_by_employee"), EXPENSE, {B(GROSS)}, EMPLOYEE | TAXES},
    {STEP("expense_paid_by_card"), EXPENSE | EXCHANGE, {B(GROSS)}, EMPLOYEE | TAXES},
    {STEP("expense_personal"), B(NET) | B(GROSS) | EXCHANGE, {B(GROSS), B(NET)}, EMPLOYEE},
    {STEP("card_transaction"), B(NET) | B(GROSS) | MOVEMENT, {B(GROSS), B(PAID), B(BANK)}, EMPLOYEE | BANKS},
    {STEP("card_statement_paid"), MOVEMENT, MOVES, EMPLOYEE | BANKS},
    {STEP("advance_paid"), MOVEMENT, MOVES, EMPLOYEE | BANKS},
    {STEP("advance_applied"), MOVEMENT, {B(SETTLED), B(PAID)}, EMPLOYEE},
    {STEP("advance_returned"), MOVEMENT, MOVES, EMPLOYEE | BANKS},
    {STEP("reimbursement_bank"), MOVEMENT, MOVES, EMPLOYEE | BANKS},
    {STEP("reimbursement_payroll"), MOVEMENT, {B(SETTLED), B(PAID)}, EMPLOYEE},
    {STEP("journal"), EVERYTHING, {0}, PAIR},
};
const size_t rule_step_count = sizeof rule_steps / sizeof *rule_steps;

int steps_find(struct slice name) {
    static const struct slice journal = {"journal", 7};
    for (size_t i = 0; i + 1 < rule_step_count; i++)
        if (slice_equal(name, (struct slice){rule_steps[i].name, rule_steps[i].name_length})) return (int)i;
    return name.length >= journal.length && memcmp(name.data, journal.data, journal.length) == 0 ? (int)rule_step_count - 1 : -1;
}
