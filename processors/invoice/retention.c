/* retention: what is kept back of an invoice until the work has stood the test (docs/purchase-to-pay.md, "Retention"). */
#include "processors/invoice/invoice.h"
#include "processors/shared/spread.h"
#include "schemas/retention.h"

enum { RELEASES_MAXIMUM = 32 };   /* all of an invoice's journals can be reversed in one decision */

void retention_spread(struct invoice *invoice, struct posting_line *lines, const int64_t gross_e4[], size_t count) {
    const struct invoice_event *event = invoice->event;
    struct decision *decision = invoice->decision;
    if (invoice->form != FORM_INVOICE || event->retained_e4 < 0 || event->retained_e4 > event->total_e4) {
        report(decision, REASON_TOTAL_MISMATCH, "retained", "more than the total, negative, or not of an invoice");
        return;
    }
    const int64_t unit_e4 = money_minor_unit_e4(invoice->facts.currency);
    if (!unit_e4) return;   /* of no currency that can be posted: refused for that */
    struct spread_share *shares = decision_alloc(decision, (count + 1) * sizeof *shares);
    for (size_t i = 0; i < count; i++) shares[i].numerator = (__int128)event->retained_e4 * gross_e4[i];
    if (!spread_out(shares, count, event->total_e4, unit_e4, event->retained_e4)) {
        report(decision, REASON_TOTAL_MISMATCH, "retained", "cannot be spread over the lines");
        return;
    }
    for (size_t i = 0; i < count; i++) lines[i].amounts_e4[RULE_RETAINED] = shares[i].part_e4;
}

void retention_keep(struct invoice *invoice) {
    struct slice key = invoice->key;
    const struct retention kept = {.retained_e4 = invoice->retained_e4, .functional_e4 = invoice->retained_functional_e4};
    if (kept.retained_e4) state_put(invoice->decision, STORE_RETENTIONS, key, &kept);
    else if (state_find(invoice->decision, STORE_RETENTIONS, key)) state_remove(invoice->decision, STORE_RETENTIONS, key);
}

int64_t retention_of(struct invoice *invoice, struct slice key) {
    const struct retention *kept = state_find(invoice->decision, STORE_RETENTIONS, key);
    return kept ? kept->retained_e4 : 0;
}

static struct slice item_key(struct invoice *invoice, const struct retention_item *item) { return invoice_key(invoice->decision, invoice->event, item->document); }

void retention_take_back(struct invoice *invoice, struct slice key, bool forget) {
    const struct retention *kept = state_find(invoice->decision, STORE_RETENTIONS, key);
    if (!kept) return;
    for (size_t i = 0; i < kept->items.count; i++) {
        (void)posting_reverse(invoice->decision, &invoice->facts, OUTPUT_COMMANDS, kept->items.items[i].journal);
        payable_close(invoice, item_key(invoice, &kept->items.items[i]));
    }
    if (forget) state_remove(invoice->decision, STORE_RETENTIONS, key);
}

void retention_block(struct invoice *invoice, bool blocked) {
    const struct retention *kept = state_find(invoice->decision, STORE_RETENTIONS, invoice->key);
    for (size_t i = 0; kept && i < kept->items.count; i++) payable_change(invoice, item_key(invoice, &kept->items.items[i]), blocked);
}

size_t retention_open_items(struct invoice *invoice, const struct payable ***items) {
    const struct retention *kept = state_find(invoice->decision, STORE_RETENTIONS, invoice->key);
    size_t count = 0;
    *items = decision_alloc(invoice->decision, ((kept ? kept->items.count : 0) + 1) * sizeof **items);
    for (size_t i = 0; kept && i < kept->items.count; i++) {
        const struct payable *item = state_find(invoice->decision, STORE_PAYABLES, item_key(invoice, &kept->items.items[i]));
        if (item && payable_is_open(item)) (*items)[count++] = item;
    }
    return count;
}

/* ---- release ---- */

static struct slice item_document(struct invoice *invoice, const struct retention *kept) {
    const struct slice document = invoice->event->document;
    if (!kept->items.count) return decision_format(invoice->decision, SLICE_FORMAT "/retention", SLICE_ARGUMENT(document));
    return decision_format(invoice->decision, SLICE_FORMAT "/retention-%zu", SLICE_ARGUMENT(document), kept->items.count + 1);
}

/* ORIGINAL_UNKNOWN, ALREADY_REVERSED, CURRENCY_MISMATCH; NULL then, and when nothing is kept back any more. */
static const struct retention *retention_require(struct invoice *invoice) {
    struct decision *decision = invoice->decision;
    const struct invoice_state *state = invoice->state;
    if (!state || state->status == INVOICE_STATUS_ANNOUNCED) { report(decision, REASON_ORIGINAL_UNKNOWN, "document", ""); return NULL; }
    if (state->status == INVOICE_STATUS_CANCELLED) { report(decision, REASON_ALREADY_REVERSED, "document", ""); return NULL; }
    const struct retention *kept = state_find(decision, STORE_RETENTIONS, invoice->key);
    if (!kept || kept->released_e4 == kept->retained_e4) {
        if (!refused(decision)) report(decision, REASON_NO_EFFECT, "", "nothing is kept back");
        return NULL;
    }
    if (!invoice->event->currency.length) invoice->facts.has_currency = currency_find(state->currency, &invoice->facts.currency);
    else if (!slice_equal(invoice->event->currency, state->currency)) report(decision, REASON_CURRENCY_MISMATCH, "currency", "the invoice is in " SLICE_FORMAT,
        SLICE_ARGUMENT(state->currency));
    return kept;
}

/* What was retained was booked at the invoice's rate, and is owed at it. */
static bool functional_share(const struct invoice *invoice, const struct retention *kept, int64_t amount_e4, int64_t *functional_e4) {
    if (kept->released_e4 + amount_e4 == kept->retained_e4) { *functional_e4 = kept->functional_e4 - kept->released_functional_e4; return true; }
    return money_share(kept->functional_e4, amount_e4, kept->retained_e4, invoice->facts.functional, functional_e4);
}

void retention_release(struct invoice *invoice) {
    struct decision *decision = invoice->decision;
    const struct invoice_event *event = invoice->event;
    const struct retention *kept = retention_require(invoice);
    if (!kept) return;
    const int64_t left_e4 = kept->retained_e4 - kept->released_e4, amount_e4 = event->has_total ? event->total_e4 : left_e4;
    if (amount_e4 <= 0) report(decision, REASON_TOTAL_MISMATCH, "total", "not positive");
    else if (amount_e4 > left_e4) report(decision, REASON_PAYMENT_EXCEEDS_OPEN, "total", "more than is kept back");
    else if (kept->items.count + 1 == RELEASES_MAXIMUM && amount_e4 < left_e4) report(decision, REASON_PAYMENT_EXCEEDS_OPEN, "total",
        "the %dth release must be the rest", RELEASES_MAXIMUM);
    struct posting posting;
    struct payable *payable = &invoice->payable;
    struct slice document = item_document(invoice, kept);
    const struct payable *invoiced = state_find(decision, STORE_PAYABLES, invoice->key);
    (void)invoice_key(decision, event, document);   /* of the item: too long a key is found here, not when it is put */
    posting_begin(&posting, decision, &invoice->facts, SLICE("retention_released"), document, invoice->state->version);
    invoice_terms_find(invoice, &posting);
    struct posting_line line = {.category = invoiced ? invoiced->category : (struct slice){0}};
    line.amounts_e4[RULE_RETAINED] = payable->amount_e4 = facts_amount_fits(amount_e4) ? amount_e4 : 0;   /* else it is refused */
    line.carried.has = facts_amount_fits(amount_e4) && amount_e4 > 0 && invoice->facts.entity && functional_share(invoice, kept, amount_e4, &line.carried.functional_e4);
    line.carried.amount = RULE_RETAINED;
    payable->functional_e4 = line.carried.functional_e4;
    payable->category = line.category;
    posting_add(&posting, &line);
    posting_check(&posting);
    if (refused(decision)) return;
    posting.number = event->number;
    posting.payment_block = invoice->state->blocked;
    struct retention changed = *kept;
    changed.items.items = decision_alloc(decision, (kept->items.count + 1) * sizeof *changed.items.items);
    if (kept->items.count) memcpy(changed.items.items, kept->items.items, kept->items.count * sizeof *changed.items.items);
    changed.items.items[changed.items.count++] = (struct retention_item){document, posting_emit(&posting, OUTPUT_COMMANDS)};
    changed.released_e4 += amount_e4;
    changed.released_functional_e4 += payable->functional_e4;
    state_put(decision, STORE_RETENTIONS, invoice->key, &changed);
    payable_open(invoice, &posting, invoice->state, document);
}
