/* posting: from a document's lines and the entity's rules to one balanced posting command.
 *
 *     posting_begin(&posting, decision, &facts, SLICE("goods_receipt"), document, 1);
 *     posting_add(&posting, &line);               for each document line; reports RULE_MISSING, MAPPING_MISSING
 *     posting_check(&posting);                    period, route, rate, accounts, cost centres, projects
 *     if (refused(decision)) return;
 *     struct slice bytes = posting_emit(&posting, OUTPUT_COMMANDS);     cannot fail any more; length 0: nothing but zeros, no journal
 */
#ifndef KONTOR_SHARED_POSTING_H
#define KONTOR_SHARED_POSTING_H
#include "common/ledger/journal.h"
#include "common/posting/rules.h"
#include "processors/shared/facts.h"
#include "schemas/period.h"
#include "schemas/posting_command.h"

/* The tables that posting looks up: for the processor's declaration. */
#define POSTING_TABLES MASTER_LEGAL_ENTITIES, MASTER_SUPPLIERS, MASTER_TOLERANCES, MASTER_PERIODS, MASTER_POSTING_RULES, MASTER_CODE_MAPPINGS, \
    MASTER_ACCOUNTS, MASTER_COST_CENTRES, MASTER_PROJECTS, MASTER_FX_RATES, MASTER_ERP_ROUTES

/* A document line to be posted: its dimensions and its amounts in transaction currency. */
struct posting_line {
    struct slice step;                  /* of its rule */
    struct slice source_line, category, tax_code, cost_centre, project, account;
    int64_t amounts_e4[RULE_AMOUNT_COUNT];
    bool has_receipt_functional;        /* the receipt value was booked at this functional value, whatever the rate is now */
    int64_t receipt_functional_e4;
};

struct posting {
    struct decision *decision;
    const struct facts *facts;
    struct slice step, document;
    int32_t version;
    const struct rule_set *rules;       /* NULL: missing, and reported */
    struct slice rule_name;
    struct ledger_line *lines;
    size_t count, capacity, merged;
    uint32_t *slots;                    /* lines by hash, to merge like with like: position + 1, 0 empty */
    size_t slot_count;
    int64_t rate_e10;
    int32_t rate_date;
    bool has_rate;
    struct slice erp;
    const struct period *period;
    struct journal journal;             /* made by posting_check */
    /* For the command's head; set by the caller before posting_emit. */
    struct slice number;
    bool has_tax_date, payment_block;
    int32_t tax_date;
};

void posting_begin(struct posting *posting, struct decision *decision, const struct facts *facts, struct slice step, struct slice document, int32_t version);
void posting_add(struct posting *posting, const struct posting_line *line);
void posting_check(struct posting *posting);
struct slice posting_emit(struct posting *posting, int output);

/* The functional value of an amount at the posting's rate; 0 while no rate is known (then FX_RATE_MISSING is reported). */
int64_t posting_functional(const struct posting *posting, int64_t amount_e4);

/* Reverses a command that was sent: sides swapped, linked, posted on the date of `facts`. Reports PERIOD_UNKNOWN, PERIOD_CLOSED; when nothing was refused,
 * posting_reverse emits it. original: the bytes kept. */
void posting_reversal_check(struct decision *decision, const struct facts *facts);
struct slice posting_reverse(struct decision *decision, const struct facts *facts, int output, struct slice original);
#endif
