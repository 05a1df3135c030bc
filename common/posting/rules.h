/* rules: posting rules as data. A set of master.posting-rules is compiled once, when it is loaded: names become numbers, every rule is shown to balance
 * whatever the amounts are, and two rules that could both be the most specific for the same document line are an error that names both. A set with any
 * such error is refused as a whole (tables.h: a bad set never replaces a good one). Per document nothing is interpreted but small integers. */
#ifndef KONTOR_POSTING_RULES_H
#define KONTOR_POSTING_RULES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/platform/error.h"
#include "common/platform/slice.h"

/* Amounts of a document line that a rule may post. net = receipt_value + variance_above - variance_below; gross = net + tax_deductible +
 * tax_not_deductible; tax_reverse = tax_reverse_deductible + tax_reverse_not_deductible. fx_loss and fx_gain have no transaction amount. */
enum rule_amount {
    RULE_NET, RULE_RECEIPT_VALUE, RULE_VARIANCE_ABOVE, RULE_VARIANCE_BELOW, RULE_TAX_DEDUCTIBLE, RULE_TAX_NOT_DEDUCTIBLE,
    RULE_TAX_REVERSE, RULE_TAX_REVERSE_DEDUCTIBLE, RULE_TAX_REVERSE_NOT_DEDUCTIBLE, RULE_GROSS, RULE_FX_LOSS, RULE_FX_GAIN,
    RULE_AMOUNT_COUNT
};
extern const char *const rule_amount_names[RULE_AMOUNT_COUNT];

/* What a rule may ask of a document line. */
enum rule_dimension { RULE_CATEGORY, RULE_SUPPLIER_GROUP, RULE_TAX_CODE, RULE_DIMENSION_COUNT };
extern const char *const rule_dimension_names[RULE_DIMENSION_COUNT];

enum rule_account { RULE_ACCOUNT_FIXED, RULE_ACCOUNT_OF_LINE, RULE_ACCOUNT_MAPPED };

struct rule_line {
    bool debit, cost_centre, project, tax_code, partner;
    enum rule_account from;
    enum rule_amount amount;
    enum rule_dimension dimension;  /* RULE_ACCOUNT_MAPPED */
    struct slice account;           /* its number, or the mapping set */
    struct slice text;
};

struct rule {
    struct slice name, step, dimensions[RULE_DIMENSION_COUNT];  /* dimension data NULL: any */
    int specificity;
    struct rule_line *lines;
    size_t line_count;
};

struct rule_set { struct slice name; int32_t valid_from; struct rule *rules; size_t rule_count; };

/* For table.compile and .release: record is a struct posting_rule_set; the result is one allocation with copies of all texts. */
void *rules_compile(const void *record, struct error *error);
void rules_release(void *compiled);

/* The most specific rule of the step for these dimensions, or NULL. */
const struct rule *rules_pick(const struct rule_set *set, struct slice step, const struct slice dimensions[RULE_DIMENSION_COUNT]);
#endif
