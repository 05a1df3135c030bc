/* posting: from a document's lines and the entity's rules to one balanced posting command.
 *
 *     posting_begin(&posting, decision, &facts, SLICE("goods_receipt"), document, 1);
 *     posting.accounts.bank = bank->account;      what the processor knows and its rules may name
 *     posting_add(&posting, &line);               for each document line; reports RULE_MISSING, MAPPING_MISSING
 *     posting_check(&posting);                    period, route, accounts, cost centres, projects; the journal balances; whether a person must decide (review.h)
 *     if (refused(decision)) return;
 *     struct slice bytes = posting_emit(&posting, OUTPUT_COMMANDS);     cannot fail any more; length 0: nothing but zeros, no journal
 *
 * An intercompany pair is two postings of one decision, the second over facts_of_entity; each balances in itself:
 *
 *     posting_pair(&payers, &bearers);            before both are emitted: each command names the other
 *
 * A processor that declares the output SETTLEMENT_ENTRIES, with the event's time, and the table MASTER_SETTLEMENT_RULES has its journals batched where a rule takes them
 * (docs/settlement.md): the same command goes to that topic. What is kept of it, and how it is reversed, is the same.
 */
#ifndef KONTOR_SHARED_POSTING_H
#define KONTOR_SHARED_POSTING_H
#include "common/ledger/journal.h"
#include "common/posting/rules.h"
#include "processors/shared/facts.h"
#include "schemas/posting_command.h"

/* The tables that posting looks up: for the processor's declaration. */
#define POSTING_TABLES MASTER_LEGAL_ENTITIES, MASTER_SUPPLIERS, MASTER_TOLERANCES, MASTER_PERIODS, MASTER_POSTING_RULES, MASTER_CODE_MAPPINGS, \
    MASTER_ACCOUNTS, MASTER_COST_CENTRES, MASTER_PROJECTS, MASTER_FX_RATES, MASTER_ERP_ROUTES, MASTER_REVIEW_POLICIES

#define SETTLEMENT_ENTRIES "settlement.entries"

/* An account that rules may name by a word, and the table key that is waited for when it is empty. Without a key the document is held instead. */
struct posting_account { struct slice account; enum master table; struct slice key; };

/* supplier and employee are filled from the facts by posting_begin. */
struct posting_accounts { struct posting_account supplier, employee, bank, transit, intercompany; };

/* A document line to be posted: its dimensions and its amounts in transaction currency. */
struct posting_line {
    struct slice step;                  /* of its rule; empty: the posting's */
    struct slice source_line, category, tax_code, method, cost_centre, project;
    struct slice account;               /* the line's own coding: rules that say `line` */
    struct slice partner;               /* of its journal lines; empty: the facts' */
    struct posting_account tax_account; /* rules that say `tax_code` */
    struct posting_account withholding_account;     /* ... of `withheld` */
    int64_t amounts_e4[RULE_AMOUNT_COUNT];  /* the parts; posting_add makes the sums of them (steps.h) */
    /* That amount was booked at this functional value, whatever the rate is now: what it differs by is an exchange loss or gain. */
    struct { bool has; enum rule_amount amount; int64_t functional_e4; } carried;
    /* All amounts were booked before, at these functional values: what the rule's lines do not balance by is an exchange loss or gain. NULL: at the rate. */
    const int64_t *booked_e4;
};

struct posting {
    struct decision *decision;
    const struct facts *facts;
    struct slice step, document;
    int32_t version;
    const struct rule_set *rules;       /* NULL: missing, and reported; or the journal is outright */
    struct slice rule_name;
    struct posting_accounts accounts;   /* may be set between posting_begin and posting_add */
    /* The same: journals that clear open items. Lines of `item_amount` stay apart for each source line, the others have none; `paid` and `bank` net to one line. */
    bool by_item;
    enum rule_amount item_amount;
    bool takes_back;                    /* the same: the sides of the rules' lines are swapped, for a reversal of a part of a journal */
    bool merges;                        /* the same, of a journal outright: posting_add_merged is used */
    struct slice programme;             /* the same: the card programme, for the rules of settlement */
    struct ledger_line *lines;
    size_t count, capacity, merged;
    uint32_t *slots;                    /* lines by hash, to merge like with like: position + 1, 0 empty */
    size_t slot_count;
    int64_t rate_e10;
    int32_t rate_date;
    bool has_rate;
    struct slice sensitive_tax;         /* first tax code among the lines that the policy of review names */
    struct slice erp;
    struct period_choice period;
    struct journal journal;             /* made by posting_check */
    struct slice idempotency_key;       /* ... with the journal */
    int64_t gross_e4, settled_e4;       /* sums of the lines added */
    struct slice category;              /* of all lines that have one */
    bool categories_differ;
    bool follows, followed_refund;      /* follows: batch is that of what it takes back or replaces, no rule is asked */
    struct slice batch;                 /* found by posting_check; empty: none */
    /* For the command's head; set by the caller before posting_emit. */
    struct slice number, payment_terms, payment_method, counterpart, reverses, text;
    bool has_tax_date, has_due_date, has_discount_date, has_value_date, payment_block;
    int32_t tax_date, due_date, discount_date, value_date;
    /* Of a summary; rate_type empty: as it was found. */
    const struct settled_entry *entries;
    size_t entry_count;
    struct slice rate_type;
    bool rate_undated;
};

void posting_begin(struct posting *posting, struct decision *decision, const struct facts *facts, struct slice step, struct slice document, int32_t version);
/* For a journal that names its accounts outright: no rules; its lines come by posting_add_outright. */
void posting_begin_outright(struct posting *posting, struct decision *decision, const struct facts *facts, struct slice step, struct slice document, int32_t version);
void posting_add(struct posting *posting, const struct posting_line *line);
/* A line of the journal as it is: not merged; one of 0 is left out, a negative one changes its side. With its place, reasons name the line. */
void posting_add_outright(struct posting *posting, struct ledger_line line);
/* The same, added to the like line of its side. */
void posting_add_merged(struct posting *posting, struct ledger_line line);
/* The batch of a journal that was sent, for one that takes a part of it back or stands in its place: before posting_check. */
void posting_follow(struct posting *posting, const struct posting_command *sent);
void posting_check(struct posting *posting);
/* Makes each the other's counterpart; both are checked and not emitted yet. One without lines has no journal, then neither has a counterpart. */
void posting_pair(struct posting *one, struct posting *other);
struct slice posting_emit(struct posting *posting, int output);

/* The functional value of an amount at the posting's rate; 0 while no rate is known (then FX_RATE_MISSING is reported). */
int64_t posting_functional(const struct posting *posting, int64_t amount_e4);

/* Reverses a command that was sent: sides swapped, linked, posted on the date that `facts` was asked for or, when its period is closed, on the next open one.
 * Reports PERIOD_UNKNOWN, PERIOD_MOVED; when nothing was refused, posting_reverse emits it. original: the bytes kept. */
void posting_reversal_check(struct decision *decision, const struct facts *facts);
struct slice posting_reverse(struct decision *decision, const struct facts *facts, int output, struct slice original);
/* The same with another step than the original's with `_reversal` behind it: of a journal that has a reversal of its own beside the one by an event. */
struct slice posting_reverse_as(struct decision *decision, const struct facts *facts, int output, struct slice original, const char *suffix);
#endif
