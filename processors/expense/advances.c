/* advances: money ahead of a report, what reports are set against it, and what is given back. */
#include "processors/expense/expense.h"

void expense_decide_advance_paid(struct expense *expense) {
    struct decision *decision = expense->decision;
    const struct expense_event *event = expense->event;
    if (state_find(decision, STORE_ADVANCES, expense->key)) report(decision, REASON_DUPLICATE_DOCUMENT, "document", "the advance was paid already");
    const bool known = expense_amount_require(expense);
    struct posting posting;
    posting_begin(&posting, decision, &expense->facts, SLICE("advance_paid"), expense->document, 1);
    expense_bank_take(expense, &posting);
    struct posting_line line = {.method = event->method};
    if (known) line.amounts_e4[RULE_PAID] = event->amount_e4;
    posting_add(&posting, &line);
    posting_check(&posting);
    if (refused(decision)) return;
    const struct employee_advance advance = {.currency = event->currency, .open_e4 = event->amount_e4, .open_functional_e4 = posting_functional(&posting, event->amount_e4)};
    (void)expense_emit(expense, &posting);
    state_put(decision, STORE_ADVANCES, expense->key, &advance);
}

void expense_decide_advance_returned(struct expense *expense) {
    struct decision *decision = expense->decision;
    const struct expense_event *event = expense->event;
    const struct employee_advance *advance = state_find(decision, STORE_ADVANCES, expense->key);
    const bool known = expense_amount_require(expense);
    if (!advance) wait_for_state(decision, REASON_ORIGINAL_UNKNOWN, "document", STORE_ADVANCES, expense->key);
    else if (!slice_equal(event->currency, advance->currency))
        report(decision, REASON_CURRENCY_MISMATCH, "currency", "the advance is in " SLICE_FORMAT, SLICE_ARGUMENT(advance->currency));
    else if (known && event->amount_e4 > advance->open_e4) report(decision, REASON_ADVANCE_EXCEEDED, "amount", "more than is open");
    struct posting posting;
    posting_begin(&posting, decision, &expense->facts, SLICE("advance_returned"), expense->document, advance ? advance->returns + 1 : 1);
    expense_bank_take(expense, &posting);
    struct posting_line line = {.method = event->method};
    if (known) line.amounts_e4[RULE_PAID] = event->amount_e4;
    if (known && advance && event->amount_e4 <= advance->open_e4) {
        line.carried.has = true;
        line.carried.amount = RULE_SETTLED;
        line.carried.functional_e4 = expense_carried(expense, advance->open_functional_e4, event->amount_e4, advance->open_e4);
    }
    posting_add(&posting, &line);
    posting_check(&posting);
    if (refused(decision)) return;
    struct employee_advance changed = *advance;
    changed.open_e4 -= event->amount_e4;
    changed.open_functional_e4 -= line.carried.functional_e4;
    changed.returns++;
    (void)expense_emit(expense, &posting);
    state_put(decision, STORE_ADVANCES, expense->key, &changed);
}

/* ---- of a report ---- */

static struct book_entry *advance_find(struct expense *expense, struct slice advance) {
    return book_record(&expense->book, STORE_ADVANCES, expense_key(expense, advance), sizeof(struct employee_advance));
}

void advance_give_back(struct expense *expense, const struct expense_report *report) {
    if (!report->applied_e4) return;
    struct book_entry *entry = advance_find(expense, report->advance);
    if (!entry->known) return;   /* finished and forgotten long ago */
    struct employee_advance *advance = entry->value;
    advance->open_e4 += report->applied_e4;
    advance->open_functional_e4 += report->applied_functional_e4;
    entry->changed = true;
}

void advance_check(struct claim *claim) {
    struct expense *expense = claim->expense;
    struct decision *decision = expense->decision;
    if (!claim->advance.length) return;
    struct book_entry *entry = advance_find(expense, claim->advance);
    const struct employee_advance *advance = entry->value;
    if (!entry->known) { wait_for_state(decision, REASON_ORIGINAL_UNKNOWN, "advance", STORE_ADVANCES, entry->key); return; }
    if (!expense->facts.has_currency) return;
    if (!slice_equal(expense->currency, advance->currency)) {
        report(decision, REASON_CURRENCY_MISMATCH, "advance", "the advance is in " SLICE_FORMAT, SLICE_ARGUMENT(advance->currency));
        return;
    }
    if (!claim->summed || (claim->has_amount && !facts_amount_fits(claim->amount_e4))) return;
    const int64_t most_e4 = advance->open_e4 < claim->owed_e4 ? advance->open_e4 : claim->owed_e4;
    claim->applied_e4 = claim->has_amount ? claim->amount_e4 : most_e4 > 0 ? most_e4 : 0;
    if (claim->has_amount && (claim->amount_e4 < 0 || claim->amount_e4 > most_e4)) {
        report(decision, REASON_ADVANCE_EXCEEDED, "amount", "more than is open, or than the employee paid");
        claim->applied_e4 = 0;
    }
    claim->applied_functional_e4 = expense_carried(expense, advance->open_functional_e4, claim->applied_e4, advance->open_e4);
    claim->advance_entry = entry;
}

void advance_post(struct claim *claim, struct posting *posting, int64_t owed_functional_e4) {
    if (!claim->applied_e4) return;
    struct employee_advance *advance = claim->advance_entry->value;
    struct posting_line line = {.step = SLICE("advance_applied"), .method = claim->expense->event->method};
    line.amounts_e4[RULE_PAID] = claim->applied_e4;
    int64_t *booked_e4 = decision_alloc(claim->expense->decision, RULE_AMOUNT_COUNT * sizeof *booked_e4);
    booked_e4[RULE_PAID] = owed_functional_e4;
    booked_e4[RULE_SETTLED] = claim->applied_functional_e4;
    line.booked_e4 = booked_e4;
    posting_add(posting, &line);
    advance->open_e4 -= claim->applied_e4;
    advance->open_functional_e4 -= claim->applied_functional_e4;
    claim->advance_entry->changed = true;
}
