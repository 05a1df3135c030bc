#include "common/ledger/journal.h"

const char *journal_status_text(enum journal_status status) {
    switch (status) {
    case JOURNAL_OK: return "the journal is balanced";
    case JOURNAL_UNBALANCED: return "debits and credits differ";
    case JOURNAL_NO_ROUNDING_ACCOUNT: return "a rounding remainder in functional currency has no account";
    case JOURNAL_OVERFLOW: return "an amount or a sum is too large";
    case JOURNAL_IMPRECISE: return "an amount has more digits than its currency";
    case JOURNAL_CURRENCY_UNKNOWN: return "the currency is not in ISO 4217 or has no minor unit";
    case JOURNAL_LINE_INVALID: return "a line has no account, or its two amounts contradict each other";
    case JOURNAL_FULL: return "the journal has more lines than there is room for";
    case JOURNAL_EMPTY: return "all amounts are zero";
    case JOURNAL_OUT_OF_TURN: return "the journal was finished already, or not yet";
    }
    return "unknown";
}

void journal_begin(struct journal *journal, struct ledger_line *lines, size_t capacity, struct currency currency, struct currency functional_currency) {
    *journal = (struct journal){.currency = currency, .functional_currency = functional_currency, .lines = lines, .capacity = capacity};
    if (money_minor_unit_e4(currency) == 0 || money_minor_unit_e4(functional_currency) == 0) journal->status = JOURNAL_CURRENCY_UNKNOWN;
}

/* ---- lines ---- */

static bool is_postable(int64_t amount_e4) { return amount_e4 >= -MONEY_MAXIMUM_E4 && amount_e4 <= MONEY_MAXIMUM_E4; }

static enum journal_status check_line(const struct journal *journal, const struct ledger_line *line) {
    if (!is_postable(line->amount_e4) || !is_postable(line->functional_e4)) return JOURNAL_OVERFLOW;
    if (!money_precise(line->amount_e4, journal->currency) || !money_precise(line->functional_e4, journal->functional_currency)) return JOURNAL_IMPRECISE;
    if ((line->amount_e4 > 0 && line->functional_e4 < 0) || (line->amount_e4 < 0 && line->functional_e4 > 0)) return JOURNAL_LINE_INVALID;
    if (currency_equal(journal->currency, journal->functional_currency) && line->amount_e4 != line->functional_e4) return JOURNAL_LINE_INVALID;
    return JOURNAL_OK;
}

/* Adds the checked line as it is. */
static enum journal_status put_line(struct journal *journal, struct ledger_line line) {
    bool debit = line.side == LEDGER_DEBIT;
    int64_t *sum = debit ? &journal->debit_e4 : &journal->credit_e4;
    int64_t *functional_sum = debit ? &journal->functional_debit_e4 : &journal->functional_credit_e4;
    if (line.account.length == 0) return JOURNAL_LINE_INVALID;
    if (journal->count == journal->capacity) return JOURNAL_FULL;
    if (!decimal_add(*sum, line.amount_e4, sum) || !decimal_add(*functional_sum, line.functional_e4, functional_sum)) return JOURNAL_OVERFLOW;
    journal->lines[journal->count++] = line;
    return JOURNAL_OK;
}

static enum ledger_side other(enum ledger_side side) { return side == LEDGER_DEBIT ? LEDGER_CREDIT : LEDGER_DEBIT; }
static bool is_negative(const struct ledger_line *line) { return line->amount_e4 < 0 || line->functional_e4 < 0; }

static void add_line(struct journal *journal, struct ledger_line line, enum ledger_side side) {
    if (journal->finished) journal->status = JOURNAL_OUT_OF_TURN;
    if (journal->status != JOURNAL_OK) return;
    line.side = side;
    journal->status = check_line(journal, &line);
    if (journal->status != JOURNAL_OK) return;
    if (line.amount_e4 == 0 && line.functional_e4 == 0) {
        journal->zero_lines++;
        return;
    }
    if (is_negative(&line) && !journal->negative_posting) {
        line.amount_e4 = -line.amount_e4;
        line.functional_e4 = -line.functional_e4;
        line.side = other(side);
    }
    journal->status = put_line(journal, line);
}

void journal_debit(struct journal *journal, struct ledger_line line) { add_line(journal, line, LEDGER_DEBIT); }
void journal_credit(struct journal *journal, struct ledger_line line) { add_line(journal, line, LEDGER_CREDIT); }

bool journal_difference(const struct journal *journal, int64_t *amount_e4, int64_t *functional_e4) {
    return journal->status == JOURNAL_OK && decimal_subtract(journal->debit_e4, journal->credit_e4, amount_e4) &&
           decimal_subtract(journal->functional_debit_e4, journal->functional_credit_e4, functional_e4);
}

/* ---- the end ---- */

/* Converting each line once leaves at most half a minor unit of it. */
static int64_t explained_by_rounding_e4(const struct journal *journal) {
    return (int64_t)journal->count * money_minor_unit_e4(journal->functional_currency) / 2;
}

static enum journal_status balance(struct journal *journal, struct journal_rounding rounding) {
    int64_t difference_e4, remainder_e4;
    if (journal->status != JOURNAL_OK) return journal->status;
    if (journal->count == 0) return JOURNAL_EMPTY;
    if (!journal_difference(journal, &difference_e4, &remainder_e4)) return JOURNAL_OVERFLOW;
    if (difference_e4 != 0) return JOURNAL_UNBALANCED;
    if (remainder_e4 == 0) return JOURNAL_OK;
    int64_t limit_e4 = rounding.limit_e4 > 0 ? rounding.limit_e4 : explained_by_rounding_e4(journal), size_e4 = remainder_e4 < 0 ? -remainder_e4 : remainder_e4;
    if (size_e4 > limit_e4) return JOURNAL_UNBALANCED;
    if (rounding.account.length == 0) return JOURNAL_NO_ROUNDING_ACCOUNT;
    journal->rounding_e4 = -remainder_e4;
    return put_line(journal, (struct ledger_line){.account = rounding.account, .cost_centre = rounding.cost_centre, .text = rounding.text,
                                                  .functional_e4 = size_e4, .side = remainder_e4 > 0 ? LEDGER_CREDIT : LEDGER_DEBIT});
}

enum journal_status journal_finish(struct journal *journal, struct journal_rounding rounding) {
    journal->status = journal->finished ? JOURNAL_OUT_OF_TURN : balance(journal, rounding);
    journal->finished = journal->status == JOURNAL_OK;
    if (!journal->finished) journal->count = 0;
    return journal->status;
}

enum journal_status journal_reverse(const struct journal *original, struct journal *reversal, struct ledger_line *lines, size_t capacity,
                                    bool negative_posting) {
    journal_begin(reversal, lines, capacity, original->currency, original->functional_currency);
    reversal->negative_posting = negative_posting;
    reversal->reverses = original->key;
    if (!original->finished || original->status != JOURNAL_OK) reversal->status = JOURNAL_OUT_OF_TURN;
    for (size_t i = 0; i < original->count && reversal->status == JOURNAL_OK; i++) {
        struct ledger_line line = original->lines[i];
        if (negative_posting || is_negative(&line)) {
            line.amount_e4 = -line.amount_e4;
            line.functional_e4 = -line.functional_e4;
        } else {
            line.side = other(line.side);
        }
        reversal->status = put_line(reversal, line);
    }
    reversal->rounding_e4 = -original->rounding_e4;
    /* Sums of the original balance, so these do; nothing is left for rounding. */
    return journal_finish(reversal, (struct journal_rounding){0});
}
