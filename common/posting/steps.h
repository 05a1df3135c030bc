/* steps: the vocabulary of posting rules – steps, amounts, dimensions, account sources – as tables (docs/posting-rules.md is checked against them).
 *
 * Amounts are sums of parts that vary freely (steps_parts): a document line gives the parts, everything else follows from them, and a rule balances when its
 * debits and credits have the same sum of each part. */
#ifndef KONTOR_POSTING_STEPS_H
#define KONTOR_POSTING_STEPS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/platform/slice.h"

/* Parts are those without a formula behind them. fx_loss and fx_gain are functional only. */
enum rule_amount {
    RULE_NET,                           /* receipt_value + variance_above - variance_below */
    RULE_RECEIPT_VALUE, RULE_VARIANCE_ABOVE, RULE_VARIANCE_BELOW, RULE_TAX_DEDUCTIBLE, RULE_TAX_NOT_DEDUCTIBLE,
    RULE_TAX_REVERSE,                   /* tax_reverse_deductible + tax_reverse_not_deductible */
    RULE_TAX_REVERSE_DEDUCTIBLE, RULE_TAX_REVERSE_NOT_DEDUCTIBLE,
    RULE_GROSS,                         /* net + tax_deductible + tax_not_deductible */
    RULE_PAYABLE,                       /* gross - retained */
    RULE_RETAINED,
    RULE_SETTLED,                       /* paid + discount_net + discount_tax + withheld */
    RULE_PAID, RULE_DISCOUNT_NET, RULE_DISCOUNT_TAX, RULE_WITHHELD, RULE_CHARGES,
    RULE_BANK,                          /* paid + charges */
    RULE_FX_LOSS, RULE_FX_GAIN,
    RULE_AMOUNT_COUNT
};
extern const char *const rule_amount_names[RULE_AMOUNT_COUNT];
#define RULE_BIT(amount) (UINT32_C(1) << (amount))

enum {
    PART_RECEIPT_VALUE, PART_VARIANCE_ABOVE, PART_VARIANCE_BELOW, PART_TAX_DEDUCTIBLE, PART_TAX_NOT_DEDUCTIBLE, PART_TAX_REVERSE_DEDUCTIBLE,
    PART_TAX_REVERSE_NOT_DEDUCTIBLE, PART_RETAINED, PART_PAID, PART_DISCOUNT_NET, PART_DISCOUNT_TAX, PART_WITHHELD, PART_CHARGES, PART_COUNT
};
/* How often each part is in an amount, and which amount is the part itself. */
extern const signed char steps_parts[RULE_AMOUNT_COUNT][PART_COUNT];
extern const enum rule_amount steps_part_amounts[PART_COUNT];

/* Fills the amounts that are sums from the parts. False: one does not fit (it is 0 then). */
bool steps_amounts_sum(int64_t amounts_e4[RULE_AMOUNT_COUNT]);

/* What a rule may ask of a document line. supplier_group: of the partner, also an employee's. */
enum rule_dimension { RULE_CATEGORY, RULE_SUPPLIER_GROUP, RULE_TAX_CODE, RULE_METHOD, RULE_DIMENSION_COUNT };
extern const char *const rule_dimension_names[RULE_DIMENSION_COUNT];

/* Where the account of a rule's line comes from. */
enum rule_account {
    RULE_ACCOUNT_FIXED, RULE_ACCOUNT_OF_LINE, RULE_ACCOUNT_MAPPED,
    RULE_ACCOUNT_OF_SUPPLIER, RULE_ACCOUNT_OF_EMPLOYEE, RULE_ACCOUNT_OF_TAX_CODE, RULE_ACCOUNT_OF_BANK, RULE_ACCOUNT_IN_TRANSIT, RULE_ACCOUNT_INTERCOMPANY,
    RULE_ACCOUNT_COUNT
};
/* NULL where the rule does not name the source by a word: a number, map:... */
extern const char *const rule_account_names[RULE_ACCOUNT_COUNT];

enum { STEP_ALTERNATIVES = 4 };
struct rule_step {
    const char *name;
    size_t name_length;
    uint32_t amounts;                               /* that its lines may post */
    uint32_t posts_one_of[STEP_ALTERNATIVES];       /* sets of amounts: a rule posts all of one of them; none: whatever it likes */
    uint32_t accounts;                              /* sources by word that there are, bits of enum rule_account */
};
/* The last stands for every step whose name begins with `journal`. */
extern const struct rule_step rule_steps[];
extern const size_t rule_step_count;
/* Its number, -1: none. */
int steps_find(struct slice name);
static inline bool steps_is_journal(int step) { return (size_t)step == rule_step_count - 1; }
#endif
