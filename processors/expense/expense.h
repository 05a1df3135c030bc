/* expense: what the parts of kontor-expense share (docs/expenses.md): one event in the making, the lines of a report as they are worked out, and what each
 * file does for the others. Amounts are _e4, in the currency that their name or comment tells. */
#ifndef KONTOR_EXPENSE_EXPENSE_H
#define KONTOR_EXPENSE_EXPENSE_H
#include "processors/expense/book.h"
#include "processors/shared/posting.h"
#include "schemas/card.h"
#include "schemas/card_account.h"
#include "schemas/card_charge.h"
#include "schemas/card_statement.h"
#include "schemas/employee_advance.h"
#include "schemas/expense_day.h"
#include "schemas/expense_event.h"
#include "schemas/expense_policy.h"
#include "schemas/expense_report.h"
#include "schemas/tax_code.h"

enum { STORE_REPORTS, STORE_CHARGES, STORE_CARD_ACCOUNTS, STORE_STATEMENTS, STORE_ADVANCES, STORE_DAYS };
enum { OUTPUT_COMMANDS, OUTPUT_ENTRIES, OUTPUT_MOVEMENTS };
enum { PER_CENT_SCALE = 6 };   /* a rate in per cent at scale 4 is a share at scale 6 */

/* One event in the making. */
struct expense {
    struct decision *decision;
    const struct expense_event *event;
    struct slice document, key;         /* number and key of the document that it is about */
    const struct expense_report *report; /* as it was; NULL: never heard of, or the document is none */
    struct slice currency;              /* the event's, else the report's */
    struct facts facts;
    struct book book;
};

enum payer { PAYER_EMPLOYEE, PAYER_CARD, PAYER_COMPANY };

/* A card transaction as the report's lines share it. */
struct charge_share {
    bool refused, converted;            /* refused: reported already; converted: a line is in another currency */
    int64_t compared_e4;                /* sum of its lines, in its currency */
    int64_t value_e4, functional_e4;    /* of them all, in the report's currency and as booked */
    int64_t spread_e4, spread_value_e4, spread_functional_e4;   /* up to the line at hand */
};

/* A line of a report as it is worked out. */
struct item {
    const struct expense_line *line;
    enum payer payer;
    struct currency currency;           /* the line's */
    bool has_currency, has_gross;       /* has_gross: known, and within bounds */
    bool coded;                         /* its cost centre and project are in order */
    bool valued;
    int64_t gross_e4, tax_e4;           /* in the line's currency */
    int64_t value_e4, tax_value_e4, deductible_e4;  /* in the report's */
    struct slice cost_centre, tax_code, tax_key;
    const struct tax_code *code;        /* NULL: no tax code, or not known, and reported */
    const struct expense_policy *policy; /* NULL: none, and reported; or personal */
    struct book_entry *charge;          /* struct card_charge, of a line by card */
    struct charge_share *share;
    int64_t compared_e4;                /* by card: in the transaction's currency */
    int64_t functional_e4;              /* by card: what its part of the transaction was booked at */
};

/* What is claimed: a report's lines and head, from the event or, for an approval without lines, as they were submitted. */
struct claim {
    struct expense *expense;
    struct item *items;
    size_t count;
    bool has_total, has_amount, has_tax_date, summed;
    int64_t total_e4, amount_e4;
    int32_t tax_date;
    struct slice advance;
    int64_t owed_e4;                    /* values of what the employee paid */
    struct book_entry *advance_entry;   /* struct employee_advance; NULL: none, or not usable */
    int64_t applied_e4, applied_functional_e4;
};

/* expense.c */
struct slice expense_key(struct expense *expense, struct slice document);
/* TOTAL_MISMATCH: the event's amount is missing or not above 0. False then, and when it is no number. */
bool expense_amount_require(struct expense *expense);
/* BANK_ACCOUNT_UNKNOWN; makes the bank account's ledger accounts known to the rules. */
void expense_bank_take(struct expense *expense, struct posting *posting);
/* Tax and value date, as every journal of expenses has them. */
struct slice expense_emit(struct expense *expense, struct posting *posting);
/* The part of what was booked that goes with `part` of `whole`: all of it with all. */
int64_t expense_carried(const struct expense *expense, int64_t functional_e4, int64_t part_e4, int64_t whole_e4);

/* report.c */
void expense_decide_submitted(struct expense *expense);
void expense_decide_approved(struct expense *expense);
void expense_decide_corrected(struct expense *expense);
void expense_decide_refused(struct expense *expense, enum report_status status);
void expense_decide_cancelled(struct expense *expense);
void expense_decide_reimbursed(struct expense *expense);
/* What waited to establish the report was voided: it is in this status then. */
void expense_decide_report_voided(struct expense *expense, enum report_status status);

/* lines.c: everything that is asked of the lines themselves; fills the items. */
void expense_lines_begin(struct claim *claim, const struct expense_line *lines, size_t count);
void expense_lines_check(struct claim *claim);
/* Adds the lines to the posting. */
void expense_lines_post(const struct claim *claim, struct posting *posting);

/* travel.c: gross of a line by rate: TRAVEL_RATE_MISSING, CURRENCY_MISMATCH, QUANTITY_TOLERANCE, TOTAL_MISMATCH. Fills currency and gross. */
void travel_line_check(struct claim *claim, size_t line);

/* policy.c: EXPENSE_CATEGORY_UNKNOWN, POLICY_LIMIT, PROOF_MISSING, PROJECT_UNKNOWN; cost centre and project of the line. */
void policy_line_check(struct claim *claim, size_t line);

/* exchange.c: rates of a day. False: reported with the path of the line's field. */
MUST_CHECK bool exchange_rate(struct expense *expense, int32_t date, struct currency from, struct currency to, size_t line, const char *field, int64_t *rate_e10);
MUST_CHECK bool exchange_value(struct expense *expense, int64_t amount_e4, int32_t date, struct currency from, struct currency to, size_t line, const char *field,
                               int64_t *value_e4);

/* matching.c: lines by card against the feed. */
void matching_check(struct claim *claim);

/* duplicates.c: the index by day. */
void duplicates_check(struct claim *claim);
/* Takes the report's lines and card transactions, and gives back those that it had. */
void duplicates_take(struct claim *claim, struct expense_report *report);
void duplicates_give_back(struct expense *expense, const struct expense_report *report);
/* Of a card transaction: its key; the note that a report has it as paid by the employee; in and out of the index. */
struct slice duplicates_key(struct expense *expense, struct slice currency, int64_t amount_e4, int32_t date);
void duplicates_charge_note(struct expense *expense);
void duplicates_charge_put(struct expense *expense, struct slice key);
void duplicates_charge_remove(struct expense *expense, struct slice key, struct slice transaction);

/* cards.c */
void expense_decide_card_transaction(struct expense *expense);
void expense_decide_card_transaction_reversed(struct expense *expense);
void expense_decide_card_statement_paid(struct expense *expense);
void expense_decide_charge_voided(struct expense *expense);

/* advances.c */
void expense_decide_advance_paid(struct expense *expense);
void expense_decide_advance_returned(struct expense *expense);
/* What a report has open of its advance: gives back what it took, checks what it asks for. */
void advance_give_back(struct expense *expense, const struct expense_report *report);
void advance_check(struct claim *claim);
/* Sets it against the advance; adds the line to the posting. owed_functional_e4: what the employee is owed less by it. */
void advance_post(struct claim *claim, struct posting *posting, int64_t owed_functional_e4);
#endif
