/* matching: lines by card against the issuer's feed. The lines of a report that name the same transaction are compared with it together, and share what it
 * was charged and booked at. */
#include "processors/expense/expense.h"

/* The charge of a line by card; false: it cannot be compared, and that was reported. */
static bool charge_find(struct claim *claim, size_t i) {
    struct expense *expense = claim->expense;
    struct decision *decision = expense->decision;
    struct item *item = &claim->items[i];
    const struct slice transaction = item->line->card_transaction;
    if (!transaction.length) {
        report(decision, REASON_CARD_MISMATCH, facts_path(decision, i, "card_transaction"), "a line paid by card names its transaction");
        return false;
    }
    const struct slice key = expense_key(expense, transaction);
    item->charge = book_record(&expense->book, STORE_CHARGES, key, sizeof(struct card_charge));
    item->share = book_entry(&expense->book, BOOK_SHARES, key, sizeof *item->share)->value;
    const struct card_charge *charge = item->charge->value;
    if (item->charge->known && !charge->reversed && (!charge->report.length || slice_equal(charge->report, expense->document))) return true;
    const char *path = facts_path(decision, i, "card_transaction");
    if (!item->charge->known) wait_for_state(decision, REASON_ORIGINAL_UNKNOWN, path, STORE_CHARGES, key);
    else if (charge->reversed) report(decision, REASON_ALREADY_REVERSED, path, "");
    else report(decision, REASON_DUPLICATE_DOCUMENT, path, "report " SLICE_FORMAT " has it", SLICE_ARGUMENT(charge->report));
    return false;
}

/* Adds the line to what is compared. False: it is not known what it comes to. */
static bool line_compare(struct claim *claim, size_t i) {
    struct expense *expense = claim->expense;
    struct decision *decision = expense->decision;
    struct item *item = &claim->items[i];
    const struct card_charge *charge = item->charge->value;
    const int64_t apart = (int64_t)item->line->date - charge->date, days = apart < 0 ? -apart : apart;
    struct currency charged;
    if (days > expense->facts.tolerance->card_days)
        report(decision, REASON_CARD_MISMATCH, facts_path(decision, i, "date"), "%lld days from the transaction", (long long)days);
    if (!item->has_gross || !item->has_currency || !currency_find(charge->currency, &charged)) return false;
    if (!currency_equal(item->currency, charged)) item->share->converted = true;
    if (!exchange_value(expense, item->gross_e4, item->line->date, item->currency, charged, i, "currency", &item->compared_e4)) return false;
    if (decimal_add(item->share->compared_e4, item->compared_e4, &item->share->compared_e4)) return true;
    report(decision, REASON_AMOUNT_OVERFLOW, facts_path(decision, i, "gross"), "the sum of the transaction's lines");
    return false;
}

static bool charge_agrees(const struct facts *facts, const struct charge_share *share, const struct card_charge *charge) {
    const __int128 difference = (__int128)share->compared_e4 - charge->amount_e4, amount = charge->amount_e4, hundred_percent = 1000000;
    if (!share->converted) return difference == 0;
    return (difference < 0 ? -difference : difference) * hundred_percent <= (amount < 0 ? -amount : amount) * facts->tolerance->card_percent_e4;
}

/* What all lines of the transaction come to in the report's currency: what the issuer charged. */
static bool charge_value(struct claim *claim, size_t i) {
    struct expense *expense = claim->expense;
    const struct facts *facts = &expense->facts;
    const struct card_charge *charge = claim->items[i].charge->value;
    struct charge_share *share = claim->items[i].share;
    struct currency charged;
    if (!facts->has_currency || !facts->entity || !currency_find(charge->currency, &charged)) return false;
    share->functional_e4 = charge->functional_e4;
    if (!currency_equal(charged, facts->currency) && currency_equal(facts->currency, facts->functional)) {
        share->value_e4 = charge->functional_e4;
        return true;
    }
    return exchange_value(expense, charge->amount_e4, charge->date, charged, facts->currency, i, "card_transaction", &share->value_e4);
}

/* The part of an amount up to the line, less what the lines before it have. */
static bool part_take(const struct charge_share *share, int64_t amount_e4, struct currency currency, int64_t *taken_e4, int64_t *part_e4) {
    int64_t upto_e4 = 0;
    if (share->compared_e4 && !money_share(amount_e4, share->spread_e4, share->compared_e4, currency, &upto_e4)) return false;
    *part_e4 = upto_e4 - *taken_e4;
    *taken_e4 = upto_e4;
    return true;
}

static void line_value(struct claim *claim, size_t i) {
    struct decision *decision = claim->expense->decision;
    const struct facts *facts = &claim->expense->facts;
    struct item *item = &claim->items[i];
    struct charge_share *share = item->share;
    const struct card_charge *charge = item->charge->value;
    if (!charge_agrees(facts, share, charge)) {
        char text[DECIMAL_TEXT_SIZE];
        decimal_print(charge->amount_e4, MONEY_SCALE, 0, text);
        report(decision, REASON_CARD_MISMATCH, facts_path(decision, i, "gross"), "charged were " SLICE_FORMAT " %s", SLICE_ARGUMENT(charge->currency), text);
        return;
    }
    if (!charge_value(claim, i)) return;
    share->spread_e4 += item->compared_e4;   /* no more than their sum, which was checked */
    item->valued = part_take(share, share->value_e4, facts->currency, &share->spread_value_e4, &item->value_e4) &&
                   part_take(share, share->functional_e4, facts->functional, &share->spread_functional_e4, &item->functional_e4);
    if (!item->valued) report(decision, REASON_AMOUNT_OVERFLOW, facts_path(decision, i, "gross"), "");
}

void matching_check(struct claim *claim) {
    for (size_t i = 0; i < claim->count; i++) {
        struct item *item = &claim->items[i];
        if (item->payer != PAYER_CARD) continue;
        if ((!charge_find(claim, i) || !line_compare(claim, i)) && item->share) item->share->refused = true;
    }
    for (size_t i = 0; i < claim->count; i++)
        if (claim->items[i].share && !claim->items[i].share->refused) line_value(claim, i);
}
