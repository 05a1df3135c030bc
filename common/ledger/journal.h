/* journal: a builder of which no unbalanced journal comes out. Lines are added, then journal_finish checks the whole and only then are they to
 * be used; after a failure there are none.
 *
 *     struct journal journal;
 *     journal_begin(&journal, lines, 16, order_currency, functional_currency);
 *     journal_debit(&journal, (struct ledger_line){.account = expense, .amount_e4 = net_e4, .functional_e4 = net_functional_e4});
 *     journal_credit(&journal, (struct ledger_line){.account = grni, ...});
 *     if (journal_finish(&journal, (struct journal_rounding){.account = rounding_account}) != JOURNAL_OK) ...
 *
 * Amounts are in 1/10,000 of the unit, exact to the minor digits of their currency. Lines of an amount of zero in both currencies are left
 * out and counted; amount zero with a functional amount is an exchange difference and stays. A negative debit is entered as a credit and the other way
 * round, unless negative_posting is set: then it stays on its side, as systems with negative postings show a reversal.
 * The first failure sticks and journal_finish tells it, so that a row of lines is checked once.
 * (Not called journal_line: that is the line of the posting command's schema.) */
#ifndef KONTOR_LEDGER_JOURNAL_H
#define KONTOR_LEDGER_JOURNAL_H
#include "common/ledger/money.h"

enum ledger_side { LEDGER_DEBIT, LEDGER_CREDIT };

struct ledger_line {
    struct slice account, cost_centre, project, tax_code, partner, text;
    struct slice source_line;     /* line of the document that it comes from */
    size_t place;                 /* of that line in the document, from 1; 0: of no single line */
    int64_t amount_e4;            /* in transaction currency */
    int64_t functional_e4;        /* in functional currency */
    enum ledger_side side;        /* set by journal_debit and journal_credit */
};

enum journal_status {
    JOURNAL_OK,
    JOURNAL_UNBALANCED,           /* debits and credits differ in transaction currency, or in functional currency by more than rounding explains */
    JOURNAL_NO_ROUNDING_ACCOUNT,  /* a functional remainder, and the rule names no account for it */
    JOURNAL_OVERFLOW,             /* an amount or a sum does not fit, or is no number */
    JOURNAL_IMPRECISE,            /* more digits than the currency's minor unit */
    JOURNAL_CURRENCY_UNKNOWN,
    JOURNAL_LINE_INVALID,         /* no account; amounts of opposite signs; or one currency and two different amounts */
    JOURNAL_FULL,                 /* more lines than the caller gave room for */
    JOURNAL_EMPTY,                /* nothing but zero amounts: there is nothing to post */
    JOURNAL_OUT_OF_TURN           /* a line after journal_finish, journal_finish twice, or the reversal of a journal that is not finished */
};
/* A sentence for the operator. */
const char *journal_status_text(enum journal_status status);

struct journal {
    struct currency currency, functional_currency;
    bool negative_posting;        /* may be set between journal_begin and the first line */
    struct slice key;             /* the caller's idempotency key, for the link of a reversal */
    struct slice reverses;        /* key of the journal that this one reverses; set by journal_reverse */
    struct ledger_line *lines;    /* the caller's memory */
    size_t count, capacity;
    size_t zero_lines;            /* left out */
    int64_t debit_e4, credit_e4, functional_debit_e4, functional_credit_e4;
    int64_t rounding_e4;          /* functional remainder that went to the rounding account: positive when it was debited */
    enum journal_status status;
    bool finished;
};

/* lines: room for `capacity` lines, one of which a functional remainder may need; it must outlive the journal. */
void journal_begin(struct journal *journal, struct ledger_line *lines, size_t capacity, struct currency currency, struct currency functional_currency);
void journal_debit(struct journal *journal, struct ledger_line line);
void journal_credit(struct journal *journal, struct ledger_line line);
/* Debits less credits so far, for a line that takes a difference. False: the journal has already failed. */
MUST_CHECK bool journal_difference(const struct journal *journal, int64_t *amount_e4, int64_t *functional_e4);

/* Where a functional remainder goes, as the posting rule or the entity names it. */
struct journal_rounding {
    struct slice account, cost_centre, text;
    int64_t limit_e4;             /* more is JOURNAL_UNBALANCED. 0: half a minor unit for every line, what converting each once can leave */
};
/* On anything but JOURNAL_OK the journal has no lines. Call it once. */
MUST_CHECK enum journal_status journal_finish(struct journal *journal, struct journal_rounding rounding);

/* The opposite of a finished journal, linked to it and finished: sides change, or with negative_posting the signs. Both together are zero on
 * every account. lines: room for as many as the original has. */
MUST_CHECK enum journal_status journal_reverse(const struct journal *original, struct journal *reversal, struct ledger_line *lines, size_t capacity,
                                    bool negative_posting);
#endif
