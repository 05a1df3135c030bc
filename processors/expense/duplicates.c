/* duplicates: what an employee has claimed, and what his card was charged, by day, currency and amount; and which report holds which card transaction. */
#include <stdio.h>

#include "common/ledger/date.h"
#include "processors/expense/expense.h"

enum { NEAR_DAYS = 3 };
enum likeness { UNLIKE, NEAR, EXACT };

struct slice duplicates_key(struct expense *expense, struct slice currency, int64_t amount_e4, int32_t date) {
    char amount[24], day[16];
    snprintf(amount, sizeof amount, "%lld", (long long)amount_e4);
    snprintf(day, sizeof day, "%d", (int)date);
    return KEY(expense->decision, expense->event->entity, expense->event->employee, currency, slice_of(amount), slice_of(day));
}

static bool comparable(const struct item *item) { return item->has_gross && item->has_currency && item->gross_e4; }

static enum likeness likeness_of(const struct expense_day_entry *entry, const struct item *item, int days) {
    const struct expense_line *line = item->line;
    const bool by_rate = line->rate_kind.length > 0;
    if (entry->by_rate != by_rate || (entry->by_card && item->payer == PAYER_CARD)) return UNLIKE;
    const bool same_category = entry->report.length && slice_equal(entry->category, line->category);
    if (by_rate) return days == 0 && same_category ? EXACT : UNLIKE;
    const bool both_name_it = entry->merchant.length && slice_equal(entry->merchant, line->merchant), same_merchant = slice_equal(entry->merchant, line->merchant);
    if (days == 0 && (entry->report.length ? same_category && same_merchant : both_name_it)) return EXACT;
    return same_category || both_name_it ? NEAR : UNLIKE;
}

static void line_compare(struct claim *claim, size_t i, int days) {
    struct expense *expense = claim->expense;
    const struct item *item = &claim->items[i];
    if (!date_is_valid(item->line->date)) return;
    const struct expense_day *day = state_find(expense->decision, STORE_DAYS, duplicates_key(expense, currency_slice(&item->currency), item->gross_e4, item->line->date + days));
    for (size_t k = 0; day && k < day->entries.count; k++) {
        const struct expense_day_entry *entry = &day->entries.items[k];
        if (entry->report.length && slice_equal(entry->report, expense->document)) continue;
        const enum likeness likeness = likeness_of(entry, item, days);
        if (likeness == UNLIKE) continue;
        const struct slice other = entry->report.length ? entry->report : entry->transaction;
        report(expense->decision, likeness == EXACT ? REASON_DUPLICATE_DOCUMENT : REASON_POSSIBLE_DUPLICATE, facts_path(expense->decision, i, "gross"),
               "%s " SLICE_FORMAT, entry->report.length ? "report" : "card transaction", SLICE_ARGUMENT(other));
    }
}

void duplicates_check(struct claim *claim) {
    for (size_t i = 0; i < claim->count; i++) {
        if (!comparable(&claim->items[i])) continue;
        const int near = claim->items[i].line->rate_kind.length ? 0 : NEAR_DAYS;
        for (int days = -near; days <= near; days++) line_compare(claim, i, days);
    }
}

/* ---- in and out of the index ---- */

static struct book_entry *day_find(struct expense *expense, struct slice key) { return book_record(&expense->book, STORE_DAYS, key, sizeof(struct expense_day)); }

static void entry_add(struct expense *expense, struct slice key, struct expense_day_entry entry) {
    struct book_entry *place = day_find(expense, key);
    struct expense_day *day = place->value;
    const size_t count = day->entries.count;
    /* An array of ours has room up to the next power of two: many like lines cost no more than as many unlike ones. */
    if (!place->changed || (count & (count - 1)) == 0) {
        size_t capacity = 1;
        while (capacity <= count) capacity *= 2;
        struct expense_day_entry *entries = decision_alloc(expense->decision, capacity * sizeof *entries);
        if (count) memcpy(entries, day->entries.items, count * sizeof *entries);
        day->entries.items = entries;
    }
    day->entries.items[day->entries.count++] = entry;
    place->changed = true;
    place->removed = false;
}

/* Those of the report, or, without one, of the transaction. */
static void entries_remove(struct expense *expense, struct slice key, struct slice of_report, struct slice transaction) {
    struct book_entry *place = day_find(expense, key);
    struct expense_day *day = place->value;
    struct expense_day_entry *entries = decision_alloc(expense->decision, (2 * day->entries.count + 1) * sizeof *entries);   /* room as entry_add expects it */
    size_t count = 0;
    for (size_t i = 0; i < day->entries.count; i++) {
        const struct expense_day_entry *entry = &day->entries.items[i];
        if (!(slice_equal(entry->report, of_report) && (of_report.length || slice_equal(entry->transaction, transaction)))) entries[count++] = *entry;
    }
    if (count == day->entries.count) return;
    day->entries.items = entries;
    day->entries.count = count;
    place->changed = true;
    place->removed = count == 0;
}

void duplicates_take(struct claim *claim, struct expense_report *report) {
    struct expense *expense = claim->expense;
    report->places.items = decision_alloc(expense->decision, (claim->count + 1) * sizeof *report->places.items);
    report->places.count = 0;
    for (size_t i = 0; i < claim->count; i++) {
        const struct item *item = &claim->items[i];
        const struct expense_line *line = item->line;
        if (item->charge) {
            ((struct card_charge *)item->charge->value)->report = expense->document;
            item->charge->changed = true;
        }
        if (!comparable(item)) continue;
        const struct slice key = duplicates_key(expense, currency_slice(&item->currency), item->gross_e4, line->date);
        entry_add(expense, key, (struct expense_day_entry){.report = expense->document, .category = line->category, .merchant = line->merchant,
                                                          .by_rate = line->rate_kind.length > 0, .by_card = item->payer == PAYER_CARD});
        report->places.items[report->places.count++] = key;
    }
}

void duplicates_give_back(struct expense *expense, const struct expense_report *report) {
    for (size_t i = 0; i < report->places.count; i++) entries_remove(expense, report->places.items[i], expense->document, (struct slice){0});
    for (size_t i = 0; i < report->lines.count; i++) {
        const struct slice transaction = report->lines.items[i].card_transaction;
        if (!transaction.length) continue;
        struct book_entry *entry = book_record(&expense->book, STORE_CHARGES, expense_key(expense, transaction), sizeof(struct card_charge));
        struct card_charge *charge = entry->value;
        if (!entry->known || !slice_equal(charge->report, expense->document)) continue;
        charge->report = (struct slice){0};
        entry->changed = true;
    }
}

/* ---- card transactions ---- */

void duplicates_charge_note(struct expense *expense) {
    const struct expense_event *event = expense->event;
    if (!event->has_amount || !event->amount_e4 || !event->merchant.length || !date_is_valid(event->document_date)) return;
    for (int days = -NEAR_DAYS; days <= NEAR_DAYS; days++) {
        const struct expense_day *day = state_find(expense->decision, STORE_DAYS, duplicates_key(expense, event->currency, event->amount_e4, event->document_date + days));
        for (size_t i = 0; day && i < day->entries.count; i++) {
            const struct expense_day_entry *entry = &day->entries.items[i];
            if (!entry->report.length || entry->by_card || entry->by_rate || !slice_equal(entry->merchant, event->merchant)) continue;
            report_as(expense->decision, CLASS_NOTE, REASON_POSSIBLE_DUPLICATE, "amount", "report " SLICE_FORMAT " has it as not paid by card", SLICE_ARGUMENT(entry->report));
        }
    }
}

void duplicates_charge_put(struct expense *expense, struct slice key) {
    entry_add(expense, key, (struct expense_day_entry){.transaction = expense->document, .merchant = expense->event->merchant, .by_card = true});
}

void duplicates_charge_remove(struct expense *expense, struct slice key, struct slice transaction) { entries_remove(expense, key, (struct slice){0}, transaction); }
