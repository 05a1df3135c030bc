/* invoice: pay only what was ordered and received, once.
 *
 * Refuses, in this order: ENTITY_UNKNOWN, SUPPLIER_UNKNOWN, SUPPLIER_BLOCKED_FOR_POSTING, DATE_IMPLAUSIBLE, CURRENCY_UNKNOWN, AMOUNT_OVERFLOW,
 * CURRENCY_PRECISION; then by kind DUPLICATE_DOCUMENT, POSSIBLE_DUPLICATE, TOTAL_MISMATCH, TAX_CODE_UNKNOWN, TAX_AMOUNT_WRONG, ORDER_UNKNOWN,
 * SUPPLIER_MISMATCH, CURRENCY_MISMATCH, UNIT_MISMATCH, ORDER_DELETED, QUANTITY_TOLERANCE, OVER_INVOICED, GOODS_RECEIPT_MISSING, PRICE_TOLERANCE,
 * ORIGINAL_UNKNOWN, ALREADY_REVERSED, ALREADY_CLEARED, PAYMENT_BLOCKED, CREDIT_EXCEEDS_ORIGINAL; then what a journal needs
 * (docs/purchase-to-pay.md, "Invoice"). Orders and receipts are followed on procurement.events. */
#include "processors/invoice/invoice.h"

#include "processors/shared/number.h"
#include "processors/shared/order_events.h"
#include "schemas/invoice_number.h"

static const struct order_declaration followed_orders = {.orders = STORE_ORDERS, .receipts = STORE_RECEIPTS, .follows = true};

static void procurement_envelope(struct decision *decision, const void *record, struct envelope *envelope) {
    order_event_envelope(decision, record, &followed_orders, envelope);
}

static void follow_order(struct decision *decision, const void *record) { order_event_decide(decision, record, &followed_orders); }

static struct slice invoice_key(struct decision *decision, const struct invoice_event *event, struct slice document) {
    return KEY(decision, event->entity, event->supplier, document);
}

static bool establishes(enum invoice_kind kind) {
    return kind == INVOICE_KIND_RECEIVED || kind == INVOICE_KIND_APPROVED || kind == INVOICE_KIND_CREDIT_NOTE || kind == INVOICE_KIND_SUBSEQUENT_DEBIT;
}

static void invoice_envelope(struct decision *decision, const void *record, struct envelope *envelope) {
    const struct invoice_event *event = record;
    *envelope = (struct envelope){.event_id = event->event_id, .source = event->source, .entity = event->entity, .partner = event->supplier,
        .correlation_id = event->correlation_id, .number = event->document, .kind = invoice_kind_name(event->kind),
        .document = {STORE_INVOICES, invoice_key(decision, event, event->document)}, .establishes = establishes(event->kind),
        .overtakes = event->kind == INVOICE_KIND_CANCELLED};
    if (envelope->overtakes) envelope->cancels = (struct document){STORE_INVOICES, invoice_key(decision, event, event->reverses.length ? event->reverses : event->document)};
}

/* ---- the number ---- */

static struct slice number_key(struct invoice *invoice) {
    const struct invoice_event *event = invoice->event;
    if (!event->number.length) return (struct slice){0};
    return KEY(invoice->decision, event->entity, event->supplier, number_normalise(invoice->decision, event->number));
}

static void number_check(struct invoice *invoice) {
    const struct invoice_event *event = invoice->event;
    struct slice key = invoice->number_key = number_key(invoice);
    const struct invoice_number *other = key.length ? state_find(invoice->decision, STORE_NUMBERS, key) : NULL;
    if (!other || slice_equal(other->document, event->document)) return;
    bool same = other->has_total && event->has_total && other->total_e4 == event->total_e4 && slice_equal(other->currency, event->currency) &&
                other->document_date == event->document_date;
    report(invoice->decision, same ? REASON_DUPLICATE_DOCUMENT : REASON_POSSIBLE_DUPLICATE, "number", "document " SLICE_FORMAT " has it", SLICE_ARGUMENT(other->document));
}

/* The number is the document's: what it had before under another one is free. */
static void number_take(struct invoice *invoice, struct invoice_state *state) {
    const struct invoice_event *event = invoice->event;
    if (state->number_key.length && !slice_equal(state->number_key, invoice->number_key) && invoice->number_key.length)
        state_remove(invoice->decision, STORE_NUMBERS, state->number_key);
    if (!invoice->number_key.length) return;
    const struct invoice_number number = {.document = event->document, .currency = event->currency, .has_total = event->has_total,
                                          .total_e4 = event->total_e4, .document_date = event->document_date};
    state_put(invoice->decision, STORE_NUMBERS, invoice->number_key, &number);
    state->number_key = invoice->number_key;
}

/* ---- kinds ---- */

static void decide_announced(struct invoice *invoice) {
    const struct invoice_event *event = invoice->event;
    if (invoice->state && invoice->state->status != INVOICE_STATUS_CANCELLED) {
        if (!refused(invoice->decision)) report(invoice->decision, REASON_NO_EFFECT, "", "");
        return;
    }
    number_check(invoice);
    for (size_t i = 0; i < event->lines.count; i++)
        if (event->lines.items[i].order.length) (void)invoice_order_require(invoice, i);
    if (refused(invoice->decision)) return;
    struct invoice_state state = {.status = INVOICE_STATUS_ANNOUNCED, .version = invoice->state ? invoice->state->version : 0, .currency = event->currency,
                                  .total_e4 = event->has_total ? event->total_e4 : 0};
    number_take(invoice, &state);
    state_put(invoice->decision, STORE_INVOICES, invoice->key, &state);
}

static void original_check(struct invoice *invoice) {
    const struct invoice_event *event = invoice->event;
    if (event->kind != INVOICE_KIND_CREDIT_NOTE || !event->reverses.length) return;
    const struct invoice_state *original = state_find(invoice->decision, STORE_INVOICES, invoice_key(invoice->decision, event, event->reverses));
    if (!original || original->status != INVOICE_STATUS_POSTED)
        report(invoice->decision, REASON_ORIGINAL_UNKNOWN, "reverses", SLICE_FORMAT, SLICE_ARGUMENT(event->reverses));
    else if (event->has_total && event->total_e4 > original->total_e4)
        report(invoice->decision, REASON_CREDIT_EXCEEDS_ORIGINAL, "total", "");
}

/* Received or approved with lines, credit note, subsequent debit: a journal. */
static void decide_posted(struct invoice *invoice) {
    struct decision *decision = invoice->decision;
    const struct invoice_event *event = invoice->event;
    if (invoice->state && invoice->state->status == INVOICE_STATUS_POSTED) {
        if (!refused(decision)) report(decision, REASON_NO_EFFECT, "", "");
        return;
    }
    original_check(invoice);
    number_check(invoice);
    struct invoice_state state = {.status = INVOICE_STATUS_POSTED, .version = (invoice->state ? invoice->state->version : 0) + 1, .currency = event->currency,
        .total_e4 = event->has_total ? event->total_e4 : 0, .credit = event->kind == INVOICE_KIND_CREDIT_NOTE, .blocked = invoice->state && invoice->state->blocked,
        .number_key = invoice->state ? invoice->state->number_key : (struct slice){0}};
    struct posting posting;
    posting_begin(&posting, decision, &invoice->facts, slice_of(invoice_step(event)), event->document, state.version);
    invoice_lines_check(invoice, &posting, &state);
    posting_check(&posting);
    if (refused(decision)) return;
    posting.number = event->number;
    posting.has_tax_date = true;
    posting.tax_date = invoice->tax_date;
    posting.payment_block = state.blocked;
    if (slice_equal(invoice->facts.supplier->status, SLICE("blocked_for_payment"))) {
        report(decision, REASON_SUPPLIER_BLOCKED_FOR_PAYMENT, "supplier", "");
        posting.payment_block = state.blocked = true;
    }
    state.journal = posting_emit(&posting, OUTPUT_COMMANDS);
    if (!state.journal.length) report(decision, REASON_ZERO_VALUE, "", "");
    number_take(invoice, &state);
    state_put(decision, STORE_INVOICES, invoice->key, &state);
    order_book_put(&invoice->book);
}

static void decide_cancelled(struct invoice *invoice) {
    struct decision *decision = invoice->decision;
    const struct invoice_event *event = invoice->event;
    struct slice document = event->reverses.length ? event->reverses : event->document, key = invoice_key(decision, event, document);
    const struct invoice_state *original = state_find(decision, STORE_INVOICES, key);
    if (!original || original->status == INVOICE_STATUS_ANNOUNCED) report(decision, REASON_ORIGINAL_UNKNOWN, "document", SLICE_FORMAT, SLICE_ARGUMENT(document));
    else if (original->status == INVOICE_STATUS_CANCELLED) report(decision, REASON_ALREADY_REVERSED, "document", SLICE_FORMAT, SLICE_ARGUMENT(document));
    posting_reversal_check(decision, &invoice->facts);
    if (refused(decision)) return;
    for (size_t i = 0; i < original->covers.count; i++) {
        const struct invoice_cover *from = &original->covers.items[i];
        struct order_cover cover = {.ranges = decision_alloc(decision, from->ranges.count * sizeof *cover.ranges + 1), .count = from->ranges.count,
                                    .value_e4 = from->value_e4, .functional_e4 = from->functional_e4};
        for (size_t k = 0; k < cover.count; k++) cover.ranges[k] = (struct covered_range){from->ranges.items[k].from_e6, from->ranges.items[k].to_e6};
        struct order_copy *copy = order_find(&invoice->book, from->order_key);
        order_cover_give_back(decision, &copy->line, &cover);
        copy->changed = true;
    }
    struct invoice_state state = *original;
    state.status = INVOICE_STATUS_CANCELLED;
    state.covers.count = 0;
    if (!posting_reverse(decision, &invoice->facts, OUTPUT_COMMANDS, original->journal).length) report(decision, REASON_ZERO_VALUE, "", "");
    if (original->number_key.length) state_remove(decision, STORE_NUMBERS, original->number_key);
    state.number_key = state.journal = (struct slice){0};
    state_put(decision, STORE_INVOICES, key, &state);
    order_book_put(&invoice->book);
}

/* Cancelled before it was posted: what was announced of it is over, its number is free. */
static void decide_voided(struct invoice *invoice) {
    const struct envelope *envelope = decision_envelope(invoice->decision);
    const struct invoice_state *announced = state_find(invoice->decision, STORE_INVOICES, envelope->cancels.key);
    struct invoice_state state = announced ? *announced : (struct invoice_state){0};
    if (state.number_key.length) state_remove(invoice->decision, STORE_NUMBERS, state.number_key);
    state.status = INVOICE_STATUS_CANCELLED;
    state.number_key = (struct slice){0};
    state_put(invoice->decision, STORE_INVOICES, envelope->cancels.key, &state);
    report(invoice->decision, REASON_NO_EFFECT, "", "cancelled what waited");
}

static void decide_block(struct invoice *invoice, bool block) {
    const struct invoice_state *state = invoice->state;
    if (block && !state) report(invoice->decision, REASON_ORIGINAL_UNKNOWN, "document", "");
    if (refused(invoice->decision)) return;
    if (!block && (!state || !state->blocked)) { report(invoice->decision, REASON_NO_EFFECT, "", ""); return; }
    struct invoice_state changed = *state;
    changed.blocked = block;
    state_put(invoice->decision, STORE_INVOICES, invoice->key, &changed);
}

static void decide_cleared(struct invoice *invoice) {
    struct decision *decision = invoice->decision;
    const struct invoice_event *event = invoice->event;
    const struct invoice_state *state = invoice->state;
    if (!state || state->status == INVOICE_STATUS_ANNOUNCED) report(decision, REASON_ORIGINAL_UNKNOWN, "document", "");
    else if (state->status == INVOICE_STATUS_CANCELLED) {
        if (!refused(decision)) report(decision, REASON_NO_EFFECT, "", "offset against its cancellation");
        return;
    } else if (state->cleared) report(decision, REASON_ALREADY_CLEARED, "document", "");
    else if (state->blocked) report(decision, REASON_PAYMENT_BLOCKED, "document", "");
    if (refused(decision) && !state) return;
    struct posting posting;
    if (state) invoice->facts.has_currency = currency_find(state->currency, &invoice->facts.currency);
    posting_begin(&posting, decision, &invoice->facts, SLICE("clearing"), event->document, state ? state->version : 1);
    struct posting_line line = {.step = SLICE("clearing")};
    if (state) line.amounts_e4[RULE_RECEIPT_VALUE] = state->credit ? -state->total_e4 : state->total_e4;
    posting_add(&posting, &line);
    posting_check(&posting);
    if (refused(decision)) return;
    struct invoice_state changed = *state;
    changed.cleared = true;
    if (!posting_emit(&posting, OUTPUT_COMMANDS).length) report(decision, REASON_ZERO_VALUE, "", "");
    state_put(decision, STORE_INVOICES, invoice->key, &changed);
}

/* ---- the whole ---- */

static void decide_invoice(struct decision *decision, const void *record) {
    const struct invoice_event *event = record;
    struct invoice invoice = {.decision = decision, .event = event, .key = invoice_key(decision, event, event->document),
        .tax_date = event->has_tax_date ? event->tax_date : event->document_date, .book = {.decision = decision, .store = STORE_ORDERS}};
    if (decision_voided(decision)) { decide_voided(&invoice); return; }
    const bool amounts = event->has_total || event->lines.count, told = event->kind == INVOICE_KIND_STATUS || event->kind == INVOICE_KIND_UNKNOWN || event->kind == INVOICE_KIND_DEBIT_MEMO;
    const bool posts = !told && event->kind != INVOICE_KIND_BLOCKED && event->kind != INVOICE_KIND_UNBLOCKED;
    facts_establish(decision, (struct facts_given){.has_posting_date = event->has_posting_date, .posting_date = event->posting_date,
        .document_date = event->document_date, .currency = event->currency, .has_amounts = amounts, .posts = posts,
        .reverses = event->kind == INVOICE_KIND_CANCELLED}, &invoice.facts);
    invoice_amounts_check(&invoice);
    if (told) {
        if (!refused(decision)) report(decision, REASON_NO_EFFECT, "", "");
        return;
    }
    invoice.state = state_find(decision, STORE_INVOICES, invoice.key);
    switch (event->kind) {
    case INVOICE_KIND_RECEIVED:
        if (!event->lines.count || slice_equal(invoice.facts.tolerance->invoice_posts_on, SLICE("approved"))) decide_announced(&invoice);
        else decide_posted(&invoice);
        break;
    case INVOICE_KIND_APPROVED:
    case INVOICE_KIND_CREDIT_NOTE:
    case INVOICE_KIND_SUBSEQUENT_DEBIT: decide_posted(&invoice); break;
    case INVOICE_KIND_CANCELLED: decide_cancelled(&invoice); break;
    case INVOICE_KIND_BLOCKED: decide_block(&invoice, true); break;
    case INVOICE_KIND_UNBLOCKED: decide_block(&invoice, false); break;
    case INVOICE_KIND_CLEARED: decide_cleared(&invoice); break;
    case INVOICE_KIND_DEBIT_MEMO:
    case INVOICE_KIND_UNKNOWN:
    case INVOICE_KIND_STATUS:
    case INVOICE_KIND_CORRECTED:
    case INVOICE_KIND_REBATE:
    case INVOICE_KIND_RETENTION_RELEASED:
    case INVOICE_KIND_GRNI_WRITTEN_OFF:
    case INVOICE_KIND_TAX_ANSWERED: break;
    }
}

static bool invoice_is_unpaid(const void *record) {
    const struct invoice_state *state = record;
    return state->status == INVOICE_STATUS_POSTED && !state->cleared;
}

extern const struct processor invoice_processor;
const struct processor invoice_processor = {
    .name = "invoice",
    .inputs = {{"procurement.events", &procurement_event_type, true, procurement_envelope, follow_order},
               {"invoice.events", &invoice_event_type, false, invoice_envelope, decide_invoice}},
    .tables = {MASTER_SOURCE_PERMISSIONS, POSTING_TABLES, MASTER_TAX_CODES, END_OF_TABLES},
    .stores = {[STORE_ORDERS] = {"orders", &order_line_type, order_line_is_unsettled}, [STORE_RECEIPTS] = {"receipts", &receipt_state_type, NULL},
               [STORE_INVOICES] = {"invoices", &invoice_state_type, invoice_is_unpaid}, [STORE_NUMBERS] = {"numbers", &invoice_number_type, NULL}},
    .outputs = {[OUTPUT_COMMANDS] = {"posting.commands", &posting_command_type, .per_erp = true}},
};
