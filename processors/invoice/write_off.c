/* write_off: what was received and will never be invoiced, or invoiced and never received: by order line (docs/purchase-to-pay.md, "Write-off"). */
#include "processors/invoice/invoice.h"

/* The order line's currency is the journal's: one for the whole document. */
static void currency_take(struct invoice *invoice, const struct order_line *order) {
    struct facts *facts = &invoice->facts;
    if (!facts->has_currency) facts->has_currency = currency_find(order->currency, &facts->currency);
    else if (!slice_equal(currency_slice(&facts->currency), order->currency))
        report(invoice->decision, REASON_CURRENCY_MISMATCH, "currency", "the order is in " SLICE_FORMAT, SLICE_ARGUMENT(order->currency));
}

static void line_write_off(struct invoice *invoice, size_t i, struct order_copy *copy, struct posting *posting, struct invoice_state *state) {
    struct decision *decision = invoice->decision;
    const struct facts *facts = &invoice->facts;
    struct order_line *order = &copy->line;
    struct order_cover cover;
    if (!facts->has_currency || !facts->entity) return;
    if (!order_rest_find(decision, order, facts->currency, facts->functional, &cover)) {
        report(decision, REASON_AMOUNT_OVERFLOW, facts_path(decision, i, "order_line"), "");
        return;
    }
    if (!cover.count && !cover.value_e4) { report(decision, REASON_RECEIPT_ALREADY_INVOICED, facts_path(decision, i, "order_line"), "nothing is left"); return; }
    struct posting_line amounts = {.source_line = invoice->event->lines.items[i].line, .category = order->category, .cost_centre = order->cost_centre,
        .project = order->project,
                                   .carried = {true, RULE_RECEIPT_VALUE, cover.functional_e4}};
    amounts.amounts_e4[RULE_RECEIPT_VALUE] = cover.value_e4;
    order_cover_take(decision, order, &cover);
    copy->changed = true;
    invoice_cover_keep(decision, copy->key, &cover, state);
    posting_add(posting, &amounts);
}

void invoice_write_off(struct invoice *invoice) {
    struct decision *decision = invoice->decision;
    const struct invoice_event *event = invoice->event;
    if (invoice->state && invoice->state->status == INVOICE_STATUS_POSTED) {
        if (!refused(decision)) report(decision, REASON_NO_EFFECT, "", "");
        return;
    }
    if (!event->lines.count) report(decision, REASON_QUANTITY_TOLERANCE, "lines", "the event has none");
    struct order_copy **copies = decision_alloc(decision, event->lines.count * sizeof *copies + 1);
    for (size_t i = 0; i < event->lines.count; i++)
        if ((copies[i] = invoice_order_require(invoice, i))) currency_take(invoice, &copies[i]->line);
    struct invoice_state state = {.status = INVOICE_STATUS_POSTED, .version = (invoice->state ? invoice->state->version : 0) + 1,
        .currency = invoice->facts.has_currency ? decision_format(decision, "%s", invoice->facts.currency.code) : event->currency,    /* the facts are gone when the state is sealed */
        .covers.items = decision_alloc(decision, event->lines.count * sizeof *state.covers.items + 1)};
    struct posting posting;
    posting_begin(&posting, decision, &invoice->facts, SLICE("grni_written_off"), event->document, state.version);
    for (size_t i = 0; i < event->lines.count; i++)
        if (copies[i]) line_write_off(invoice, i, copies[i], &posting, &state);
    posting_check(&posting);
    if (refused(decision)) return;
    state.journal = posting_emit(&posting, OUTPUT_COMMANDS);
    if (!state.journal.length) report(decision, REASON_ZERO_VALUE, "", "");
    state_put(decision, STORE_INVOICES, invoice->key, &state);
    order_book_put(&invoice->book);
}
