/* rules: posting rules as data (docs/posting-rules.md). A set of master.posting-rules is compiled once, when it is loaded: names become numbers, every rule is
 * shown to balance whatever the amounts are and to post what its step must post, and two rules that could both be the most specific for the same document
 * line are an error that names both. A set with any such error is refused as a whole (tables.h: a bad set never replaces a good one). Per document nothing
 * is interpreted but small integers. */
#ifndef KONTOR_POSTING_RULES_H
#define KONTOR_POSTING_RULES_H
#include "common/platform/error.h"
#include "common/posting/steps.h"

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
    int step_number;                /* in rule_steps */
    int specificity;
    uint32_t parts;                 /* that its lines post, bits of PART_... */
    bool exchange;                  /* posts fx_loss and fx_gain */
    struct rule_line *lines;
    size_t line_count;
};

struct rule_set { struct slice name; int32_t valid_from; struct rule *rules; size_t rule_count; };

/* For table.compile and .release: record is a struct posting_rule_set; the result is one allocation with copies of all texts. */
void *rules_compile(const void *record, struct error *error);
void rules_release(void *compiled);

/* The most specific rule of the step for these dimensions, or NULL. */
const struct rule *rules_pick(const struct rule_set *set, struct slice step, const struct slice dimensions[RULE_DIMENSION_COUNT]);
/* The name of a part that is not zero and that the rule leaves out, or NULL: such a line is not to be posted by it. */
const char *rules_left_out(const struct rule *rule, const int64_t amounts_e4[RULE_AMOUNT_COUNT]);
/* How often the rule debits the amount, less how often it credits it. */
int rules_debits(const struct rule *rule, enum rule_amount amount);
#endif
