/* numbers: the same paper twice: by the supplier's number, and, where the policy asks for it, by amount and date. */
#include "processors/invoice/invoice.h"
#include "processors/shared/number.h"
#include "schemas/invoice_amount.h"
#include "schemas/invoice_number.h"

enum { AMOUNTS_KEPT_DAYS = 400 };   /* documents further apart are no duplicates whatever the policy says */

static struct slice number_key(struct invoice *invoice) {
    const struct invoice_event *event = invoice->event;
    if (!event->number.length) return (struct slice){0};
    return KEY(invoice->decision, event->entity, event->supplier, number_normalise(invoice->decision, event->number));
}

static struct slice amount_key(struct invoice *invoice, bool credit, struct slice currency, int64_t total_e4) {
    const struct envelope *envelope = decision_envelope(invoice->decision);
    char total[DECIMAL_TEXT_SIZE];
    decimal_print(total_e4, MONEY_SCALE, 0, total);
    return KEY(invoice->decision, envelope->entity, envelope->partner, credit ? SLICE("credit") : SLICE("invoice"), currency, slice_of(total));
}

static bool looks_for_amounts(const struct invoice *invoice) {
    return invoice->facts.tolerance->duplicate_days > 0 && invoice->event->has_total && invoice->event->total_e4 && facts_amount_fits(invoice->event->total_e4);
}

static void amount_check(struct invoice *invoice) {
    const struct invoice_event *event = invoice->event;
    if (!looks_for_amounts(invoice)) return;
    const struct invoice_amount *amount = state_find(invoice->decision, STORE_AMOUNTS, amount_key(invoice, invoice_is_credit(invoice), event->currency, event->total_e4));
    for (size_t i = 0; amount && i < amount->documents.count; i++) {
        const struct amount_document *other = &amount->documents.items[i];
        int64_t apart = (int64_t)event->document_date - other->document_date;
        if (apart > invoice->facts.tolerance->duplicate_days || -apart > invoice->facts.tolerance->duplicate_days || slice_equal(other->document,
            event->document)) continue;
        report(invoice->decision, REASON_POSSIBLE_DUPLICATE, "total", "document " SLICE_FORMAT " has the same amount, %d days apart", SLICE_ARGUMENT(other->document),
               (int)(apart < 0 ? -apart : apart));
        return;
    }
}

void invoice_duplicate_check(struct invoice *invoice) {
    const struct invoice_event *event = invoice->event;
    struct slice key = invoice->number_key = number_key(invoice);
    const struct invoice_number *other = key.length ? state_find(invoice->decision, STORE_NUMBERS, key) : NULL;
    amount_check(invoice);
    if (!other || slice_equal(other->document, event->document)) return;
    bool same = other->has_total && event->has_total && other->total_e4 == event->total_e4 && slice_equal(other->currency, event->currency) &&
                other->document_date == event->document_date;
    report(invoice->decision, same ? REASON_DUPLICATE_DOCUMENT : REASON_POSSIBLE_DUPLICATE, "number", "document " SLICE_FORMAT " has it",
        SLICE_ARGUMENT(other->document));
}

/* Puts the amount's documents without this one, and with it when it is added; those that are too old to be a duplicate of it are dropped. */
static void amount_put(struct invoice *invoice, struct slice key, struct slice document, bool added) {
    struct decision *decision = invoice->decision;
    const struct invoice_amount *before = state_find(decision, STORE_AMOUNTS, key);
    if (!before && !added) return;
    size_t count = before ? before->documents.count : 0, kept = 0;
    struct invoice_amount after = {.documents.items = decision_alloc(decision, (count + 1) * sizeof *after.documents.items)};
    for (size_t i = 0; i < count; i++) {
        const struct amount_document *other = &before->documents.items[i];
        bool old = added && (int64_t)other->document_date + AMOUNTS_KEPT_DAYS < invoice->event->document_date;
        if (!old && !slice_equal(other->document, document)) after.documents.items[kept++] = *other;
    }
    if (added) after.documents.items[kept++] = (struct amount_document){document, invoice->event->document_date};
    after.documents.count = kept;
    if (kept) state_put(decision, STORE_AMOUNTS, key, &after);
    else state_remove(decision, STORE_AMOUNTS, key);
}

void invoice_number_take(struct invoice *invoice, struct invoice_state *state) {
    const struct invoice_event *event = invoice->event;
    const struct invoice_state *before = invoice->state;
    struct slice amount = looks_for_amounts(invoice) ? amount_key(invoice, invoice_is_credit(invoice), event->currency, event->total_e4) : (struct slice){0};
    if (before && before->status != INVOICE_STATUS_CANCELLED && before->total_e4) {
        struct slice had = amount_key(invoice, before->credit, before->currency, before->total_e4);
        if (!slice_equal(had, amount)) amount_put(invoice, had, event->document, false);
    }
    if (amount.length) amount_put(invoice, amount, event->document, true);
    if (state->number_key.length && !slice_equal(state->number_key, invoice->number_key) && invoice->number_key.length)
        state_remove(invoice->decision, STORE_NUMBERS, state->number_key);
    if (!invoice->number_key.length) return;
    const struct invoice_number number = {.document = event->document, .currency = event->currency, .has_total = event->has_total,
                                          .total_e4 = event->total_e4, .document_date = event->document_date};
    state_put(invoice->decision, STORE_NUMBERS, invoice->number_key, &number);
    state->number_key = invoice->number_key;
}

void invoice_number_free(struct invoice *invoice, struct slice document, const struct invoice_state *state) {
    if (state->number_key.length) state_remove(invoice->decision, STORE_NUMBERS, state->number_key);
    if (state->total_e4) amount_put(invoice, amount_key(invoice, state->credit, state->currency, state->total_e4), document, false);
}
