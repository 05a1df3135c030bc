/* payables: when a document falls due, and the open item that kontor-payment pays (docs/purchase-to-pay.md, "Payment terms", "Open items"). */
#include "processors/invoice/invoice.h"
#include "processors/shared/terms.h"

/* ---- terms ---- */

/* The document's terms, else the supplier's, else the entity's; *field is where their name comes from. What the supplier owes, and what is released of a retention,
 * is due at once, unless it has terms of its own. */
static struct slice terms_name(const struct invoice *invoice, const char **field) {
    const struct facts *facts = &invoice->facts;
    *field = "payment_terms";
    if (invoice->event->payment_terms.length || invoice_is_credit(invoice) ||
        invoice->event->kind == INVOICE_KIND_RETENTION_RELEASED) return invoice->event->payment_terms;
    *field = "supplier";
    if (facts->supplier && facts->supplier->payment_terms.length) return facts->supplier->payment_terms;
    *field = "entity";
    return facts->entity->payment_terms;
}

static bool terms_apply(struct invoice *invoice, const struct payment_term *term, struct payable *payable) {
    const int32_t document_date = invoice->facts.document_date, posting_date = invoice->facts.posting_date;
    if (!terms_due_date(term, document_date, posting_date, &payable->due_date)) return false;
    payable->discounts.items = decision_alloc(invoice->decision, (term->discounts.count + 1) * sizeof *payable->discounts.items);
    for (size_t i = 0; i < term->discounts.count; i++) {
        struct payable_discount *discount = &payable->discounts.items[i];
        discount->percent_e4 = term->discounts.items[i].percent_e4;
        if (discount->percent_e4 < 0 || discount->percent_e4 > 1000000 || !terms_discount_date(term, i, document_date, posting_date, &discount->date)) return false;
    }
    payable->discounts.count = term->discounts.count;
    return true;
}

void invoice_terms_find(struct invoice *invoice, struct posting *posting) {
    struct decision *decision = invoice->decision;
    const struct invoice_event *event = invoice->event;
    const struct facts *facts = &invoice->facts;
    struct payable *payable = &invoice->payable;
    if (!facts->entity) return;
    const char *field;
    const struct payment_term *term = NULL;
    payable->due_date = facts->document_date;
    payable->terms = terms_name(invoice, &field);
    if (payable->terms.length) {
        struct slice key = KEY(decision, payable->terms);
        term = require(decision, MASTER_PAYMENT_TERMS, key, facts->posting_date, REASON_PAYMENT_TERMS_UNKNOWN, field);
        if (term && !terms_apply(invoice, term, payable)) wait_for_table(decision, REASON_PAYMENT_TERMS_UNKNOWN, field, MASTER_PAYMENT_TERMS, key, facts->posting_date);
    }
    if (event->has_due_date) payable->due_date = event->due_date;
    if (event->has_due_date && !date_is_valid(event->due_date)) report(decision, REASON_DATE_IMPLAUSIBLE, "due_date", "");
    payable->method = event->payment_method.length ? event->payment_method
                      : facts->supplier && facts->supplier->payment_method.length ? facts->supplier->payment_method
                      : term ? term->method : (struct slice){0};
    posting->has_due_date = true;
    posting->due_date = payable->due_date;
    posting->has_discount_date = payable->discounts.count > 0;
    if (posting->has_discount_date) posting->discount_date = payable->discounts.items[0].date;
    posting->payment_terms = payable->terms;
    posting->payment_method = payable->method;
}

/* ---- open items ---- */

bool payable_is_open(const void *record) { return ((const struct payable *)record)->kind != PAYABLE_KIND_CLOSED; }

static void payable_send(struct invoice *invoice, struct slice key, struct payable *payable, enum payable_kind kind) {
    struct decision *decision = invoice->decision;
    const struct envelope *envelope = decision_envelope(decision);
    payable->kind = kind;
    payable->cause = envelope->event_id;
    payable->correlation_id = envelope->correlation_id;
    payable->event_id = decision_format(decision, SLICE_FORMAT "/" SLICE_FORMAT "/" SLICE_FORMAT "/%d/%s/" SLICE_FORMAT, SLICE_ARGUMENT(payable->entity),
        SLICE_ARGUMENT(payable->supplier), SLICE_ARGUMENT(payable->document), (int)payable->version, payable_kind_name(kind), SLICE_ARGUMENT(envelope->event_id));
    (void)emit(decision, OUTPUT_PAYABLES, (struct slice){0}, payable);
    state_put(decision, STORE_PAYABLES, key, payable);
}

void payable_open(struct invoice *invoice, const struct posting *posting, const struct invoice_state *state, struct slice document) {
    struct payable *payable = &invoice->payable;
    if (!payable->amount_e4) return;
    payable->credit = invoice_is_credit(invoice);
    if (payable->amount_e4 < 0) {   /* more taken off than charged: the other side owes */
        payable->credit = !payable->credit;
        payable->amount_e4 = -payable->amount_e4;
        payable->functional_e4 = -payable->functional_e4;
        payable->tax_e4 = -payable->tax_e4;
        payable->net_e4 = -payable->net_e4;
    }
    payable->entity = invoice->event->entity;
    payable->supplier = invoice->event->supplier;
    payable->document = document;
    payable->number = invoice->event->number;
    payable->source = SLICE("kontor-invoice");
    payable->version = state->version;
    payable->currency = state->currency;
    payable->document_date = invoice->facts.document_date;
    payable->posting_date = invoice->facts.posting_date;
    payable->blocked = state->blocked;
    payable->journal = posting->idempotency_key;
    payable_send(invoice, invoice_key(invoice->decision, invoice->event, document), payable, PAYABLE_KIND_OPENED);
}

void payable_change(struct invoice *invoice, struct slice key, bool blocked) {
    const struct payable *open = state_find(invoice->decision, STORE_PAYABLES, key);
    if (!open || open->kind == PAYABLE_KIND_CLOSED || open->blocked == blocked) return;
    struct payable changed = *open;
    changed.blocked = blocked;
    payable_send(invoice, key, &changed, PAYABLE_KIND_CHANGED);
}

void payable_close(struct invoice *invoice, struct slice key) {
    const struct payable *open = state_find(invoice->decision, STORE_PAYABLES, key);
    if (!open || open->kind == PAYABLE_KIND_CLOSED) return;
    struct payable closed = *open;
    payable_send(invoice, key, &closed, PAYABLE_KIND_CLOSED);
}
