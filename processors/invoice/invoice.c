/* invoice: pay only what was ordered and received, once.
 *
 * Refuses, in this order: ENTITY_UNKNOWN, SUPPLIER_UNKNOWN, SUPPLIER_BLOCKED_FOR_POSTING, DATE_IMPLAUSIBLE, CURRENCY_UNKNOWN, AMOUNT_OVERFLOW,
 * CURRENCY_PRECISION; then by kind CONFIDENCE_LOW, DUPLICATE_DOCUMENT, POSSIBLE_DUPLICATE, PAYMENT_TERMS_UNKNOWN, TOTAL_MISMATCH, TAX_CODE_UNKNOWN,
 * TAX_AMOUNT_WRONG, TAX_PENDING, TAX_ID_INVALID, ORDER_UNKNOWN, SUPPLIER_MISMATCH, CURRENCY_MISMATCH, UNIT_MISMATCH, ORDER_DELETED, QUANTITY_TOLERANCE,
 * OVER_INVOICED, FINAL_INVOICED, GOODS_RECEIPT_MISSING, PRICE_TOLERANCE, INTERCOMPANY_UNPAIRED, RECEIPT_ALREADY_INVOICED, ORIGINAL_UNKNOWN,
 * ALREADY_REVERSED, ALREADY_CLEARED, PAYMENT_BLOCKED, PAYMENT_EXCEEDS_OPEN, CREDIT_EXCEEDS_ORIGINAL; then what a journal needs
 * (docs/purchase-to-pay.md, "Invoice"). Orders and receipts are followed on procurement.events. */
#include "processors/invoice/invoice.h"

#include "processors/shared/budget.h"
#include "processors/shared/order_events.h"
#include "schemas/companion_journals.h"
#include "schemas/invoice_amount.h"
#include "schemas/invoice_number.h"
#include "schemas/retention.h"
#include "schemas/tax_answer.h"

static const struct order_declaration followed_orders = {.orders = STORE_ORDERS, .receipts = STORE_RECEIPTS, .follows = true};

static void procurement_envelope(struct decision *decision, const void *record, struct envelope *envelope) {
    order_event_envelope(decision, record, &followed_orders, envelope);
}

static void follow_order(struct decision *decision, const void *record) { order_event_decide(decision, record, &followed_orders); }

struct slice invoice_key(struct decision *decision, const struct invoice_event *event, struct slice document) {
    return KEY(decision, event->entity, event->supplier, document);
}

static bool establishes(enum invoice_kind kind) {
    return kind == INVOICE_KIND_RECEIVED || kind == INVOICE_KIND_APPROVED || kind == INVOICE_KIND_CREDIT_NOTE || kind == INVOICE_KIND_SUBSEQUENT_DEBIT ||
           kind == INVOICE_KIND_CORRECTED || kind == INVOICE_KIND_REBATE || kind == INVOICE_KIND_GRNI_WRITTEN_OFF;
}

/* A block changes the payment of what is posted, not the posting: it need not wait for anything that does. */
static bool block_overtakes(struct decision *decision, const struct invoice_event *event, struct slice key) {
    if (event->kind != INVOICE_KIND_BLOCKED && event->kind != INVOICE_KIND_UNBLOCKED) return false;
    const struct invoice_state *state = state_find(decision, STORE_INVOICES, key);
    return state && state->status == INVOICE_STATUS_POSTED;
}

static void invoice_envelope(struct decision *decision, const void *record, struct envelope *envelope) {
    const struct invoice_event *event = record;
    *envelope = (struct envelope){.event_id = event->event_id, .source = event->source, .entity = event->entity, .partner = event->supplier,
        .correlation_id = event->correlation_id, .number = event->document, .kind = invoice_kind_name(event->kind),
        .document = {STORE_INVOICES, invoice_key(decision, event, event->document)}, .establishes = establishes(event->kind), .cancels.store = -1,
        .user = event->user, .currency = event->currency, .document_date = event->document_date, .has_amount = event->has_total, .amount_e4 = event->total_e4};
    linked(decision, "original", "invoice", event->reverses);
    for (size_t i = 0; i < event->lines.count; i++) linked(decision, "order", "procurement", event->lines.items[i].order);
    if (event->kind == INVOICE_KIND_TAX_ANSWERED) envelope->document.store = STORE_TAX_ANSWERS;   /* the document waits for it, not it for the document */
    if (event->kind == INVOICE_KIND_CANCELLED || event->kind == INVOICE_KIND_CORRECTED) {
        bool other = event->kind == INVOICE_KIND_CANCELLED && event->reverses.length;
        envelope->overtakes = true;
        envelope->cancels = (struct document){STORE_INVOICES, invoice_key(decision, event, other ? event->reverses : event->document)};
    } else envelope->overtakes = block_overtakes(decision, event, envelope->document.key);
}

/* ---- kinds ---- */

/* A document read by machine, and not read well enough. */
static void confidence_check(struct invoice *invoice) {
    const struct invoice_event *event = invoice->event;
    if (event->has_confidence && event->confidence < invoice->facts.tolerance->ocr_confidence)
        report(invoice->decision, REASON_CONFIDENCE_LOW, "confidence", "%d per cent", (int)event->confidence);
}

static void decide_announced(struct invoice *invoice) {
    const struct invoice_event *event = invoice->event;
    const struct invoice_state *before = invoice->state;
    if (before && before->status != INVOICE_STATUS_CANCELLED && event->kind != INVOICE_KIND_CORRECTED) {
        if (!refused(invoice->decision)) report(invoice->decision, REASON_NO_EFFECT, "", "");
        return;
    }
    confidence_check(invoice);
    invoice_duplicate_check(invoice);
    for (size_t i = 0; i < event->lines.count; i++)
        if (event->lines.items[i].order.length) (void)invoice_order_require(invoice, i);
    if (refused(invoice->decision)) return;
    struct invoice_state state = {.status = INVOICE_STATUS_ANNOUNCED, .version = before ? before->version : 0, .currency = event->currency,
                                  .total_e4 = event->has_total ? event->total_e4 : 0, .credit = invoice_is_credit(invoice)};
    if (before && before->status == INVOICE_STATUS_ANNOUNCED) {
        state.blocked = before->blocked;
        state.number_key = before->number_key;
    }
    invoice_number_take(invoice, &state);
    state_put(invoice->decision, STORE_INVOICES, invoice->key, &state);
}

static void original_check(struct invoice *invoice) {
    const struct invoice_event *event = invoice->event;
    if (invoice->form != FORM_CREDIT_NOTE || !event->reverses.length) return;
    const struct invoice_state *original = state_find(invoice->decision, STORE_INVOICES, invoice_key(invoice->decision, event, event->reverses));
    if (!original || original->status != INVOICE_STATUS_POSTED)
        report(invoice->decision, REASON_ORIGINAL_UNKNOWN, "reverses", SLICE_FORMAT, SLICE_ARGUMENT(event->reverses));
    else if (event->has_total && event->total_e4 > original->total_e4)
        report(invoice->decision, REASON_CREDIT_EXCEEDS_ORIGINAL, "total", "");
    if (!original || event->has_tax_date || !original->journal.length) return;
    const struct posting_command *sent = emitted(invoice->decision, OUTPUT_COMMANDS, original->journal);
    if (sent->has_tax_date) invoice->tax_date = sent->tax_date;   /* input tax goes back at the rate that it was deducted at */
}

/* What was posted before is taken back by a correction: here what the new version is checked against, in replaced_reverse what goes out. */
static void replaced_check(struct invoice *invoice) {
    if (invoice->state->cleared) report(invoice->decision, REASON_ALREADY_CLEARED, "document", "");
    posting_reversal_check(invoice->decision, &invoice->facts);
    intercompany_reversal_check(invoice, invoice->key);
    invoice_uncover(invoice, invoice->state);
}

static void replaced_reverse(struct invoice *invoice) {
    (void)posting_reverse(invoice->decision, &invoice->facts, OUTPUT_COMMANDS, invoice->state->journal);
    (void)intercompany_reverse(invoice, invoice->key, false);
    retention_take_back(invoice, invoice->key, false);
    payable_close(invoice, invoice->key);
}

/* Received or approved with lines, credit note, subsequent debit, correction: a journal. */
static void decide_posted(struct invoice *invoice) {
    struct decision *decision = invoice->decision;
    const struct invoice_event *event = invoice->event;
    const bool replaces = invoice->state && invoice->state->status == INVOICE_STATUS_POSTED;
    if (replaces && event->kind != INVOICE_KIND_CORRECTED) {
        if (!refused(decision)) report(decision, REASON_NO_EFFECT, "", "");
        return;
    }
    confidence_check(invoice);
    original_check(invoice);
    invoice_duplicate_check(invoice);
    if (replaces) replaced_check(invoice);
    struct invoice_state state = {.status = INVOICE_STATUS_POSTED, .version = (invoice->state ? invoice->state->version : 0) + 1, .currency = event->currency,
        .total_e4 = event->has_total ? event->total_e4 : 0, .credit = invoice_is_credit(invoice), .blocked = invoice->state && invoice->state->blocked,
        .number_key = invoice->state ? invoice->state->number_key : (struct slice){0}};
    struct posting posting;
    posting_begin(&posting, decision, &invoice->facts, slice_of(invoice_step(invoice)), event->document, state.version);
    invoice_terms_find(invoice, &posting);
    invoice_lines_check(invoice, &posting, &state);
    if (replaces && invoice->state->journal.length) posting_follow(&posting, emitted(decision, OUTPUT_COMMANDS, invoice->state->journal));
    posting_check(&posting);
    intercompany_check(invoice);
    if (refused(decision)) return;
    if (replaces) replaced_reverse(invoice);
    posting.number = event->number;
    posting.has_tax_date = true;
    posting.tax_date = invoice->tax_date;
    posting.payment_block = state.blocked |= invoice->match_failed;
    if (slice_equal(invoice->facts.supplier->status, SLICE("blocked_for_payment"))) {
        report(decision, REASON_SUPPLIER_BLOCKED_FOR_PAYMENT, "supplier", "");
        posting.payment_block = state.blocked = true;
    }
    state.journal = posting_emit(&posting, OUTPUT_COMMANDS);
    if (!intercompany_emit(invoice, &posting) && !state.journal.length) report(decision, REASON_ZERO_VALUE, "", "");
    invoice_number_take(invoice, &state);
    state_put(decision, STORE_INVOICES, invoice->key, &state);
    if (state_find(decision, STORE_TAX_ANSWERS, invoice->key)) state_remove(decision, STORE_TAX_ANSWERS, invoice->key);   /* a correction asks anew */
    retention_keep(invoice);
    payable_open(invoice, &posting, &state, event->document);
    order_book_put(&invoice->book);
}

/* A correction of what was never posted is the document itself; what is posted keeps its form. */
static void decide_corrected(struct invoice *invoice) {
    const struct invoice_state *state = invoice->state;
    if (state && state->status == INVOICE_STATUS_CANCELLED && !decision_voided(invoice->decision)) {
        report(invoice->decision, REASON_ALREADY_REVERSED, "document", "");
        return;
    }
    const bool posted = state && state->status == INVOICE_STATUS_POSTED;
    if (posted) {
        const struct posting_command *sent = state->journal.length ? emitted(invoice->decision, OUTPUT_COMMANDS, state->journal) : NULL;
        invoice->form = sent && slice_equal(sent->step, SLICE("rebate")) ? FORM_REBATE
                        : sent && slice_equal(sent->step, SLICE("subsequent_debit")) ? FORM_SUBSEQUENT_DEBIT
                        : state->credit ? FORM_CREDIT_NOTE : invoice->form;
    }
    if (!posted && slice_equal(invoice->facts.tolerance->invoice_posts_on, SLICE("approved"))) decide_announced(invoice);
    else decide_posted(invoice);
}

static void decide_cancelled(struct invoice *invoice) {
    struct decision *decision = invoice->decision;
    const struct invoice_event *event = invoice->event;
    struct slice document = event->reverses.length ? event->reverses : event->document, key = invoice_key(decision, event, document);
    const struct invoice_state *original = state_find(decision, STORE_INVOICES, key);
    if (!original || original->status == INVOICE_STATUS_ANNOUNCED) report(decision, REASON_ORIGINAL_UNKNOWN, "document", SLICE_FORMAT, SLICE_ARGUMENT(document));
    else if (original->status == INVOICE_STATUS_CANCELLED) report(decision, REASON_ALREADY_REVERSED, "document", SLICE_FORMAT, SLICE_ARGUMENT(document));
    posting_reversal_check(decision, &invoice->facts);
    intercompany_reversal_check(invoice, key);
    if (refused(decision)) return;
    invoice_uncover(invoice, original);
    struct invoice_state state = *original;
    state.status = INVOICE_STATUS_CANCELLED;
    state.covers.count = 0;
    bool reversed = posting_reverse(decision, &invoice->facts, OUTPUT_COMMANDS, original->journal).length > 0;
    reversed |= intercompany_reverse(invoice, key, true);
    if (!reversed) report(decision, REASON_ZERO_VALUE, "", "");
    invoice_number_free(invoice, document, original);
    state.number_key = state.journal = (struct slice){0};
    state_put(decision, STORE_INVOICES, key, &state);
    retention_take_back(invoice, key, true);
    payable_close(invoice, key);
    order_book_put(&invoice->book);
}

/* Cancelled before it was posted: what was announced of it is over, its number is free. */
static void decide_voided(struct invoice *invoice) {
    const struct envelope *envelope = decision_envelope(invoice->decision);
    const struct invoice_state *announced = state_find(invoice->decision, STORE_INVOICES, envelope->cancels.key);
    struct invoice_state state = announced ? *announced : (struct invoice_state){0};
    if (announced) invoice_number_free(invoice, envelope->number, announced);
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
    payable_change(invoice, invoice->key, block);
    retention_block(invoice, block);
}

/* The journal that clears one open item. */
static void clearing_prepare(struct invoice *invoice, struct posting *posting, struct slice document, int32_t version, int64_t amount_e4) {
    posting_begin(posting, invoice->decision, &invoice->facts, SLICE("clearing"), document, version);
    struct posting_line line = {.step = SLICE("clearing")};
    line.amounts_e4[RULE_RECEIPT_VALUE] = amount_e4;
    posting_add(posting, &line);
    posting_check(posting);
}

/* ORIGINAL_UNKNOWN, ALREADY_CLEARED, PAYMENT_BLOCKED. False: there is nothing to clear. */
static bool cleared_check(struct invoice *invoice, size_t open_items) {
    struct decision *decision = invoice->decision;
    const struct invoice_state *state = invoice->state;
    if (!state || state->status == INVOICE_STATUS_ANNOUNCED) report(decision, REASON_ORIGINAL_UNKNOWN, "document", "");
    else if (state->status == INVOICE_STATUS_CANCELLED) {
        if (!refused(decision)) report(decision, REASON_NO_EFFECT, "", "offset against its cancellation");
        return false;
    } else if (state->cleared && !open_items) report(decision, REASON_ALREADY_CLEARED, "document", "");
    else if (state->blocked) report(decision, REASON_PAYMENT_BLOCKED, "document", "");
    return state || !refused(decision);
}

/* Clears what is open of the document: the invoice, and what was released of its retention. */
static void decide_cleared(struct invoice *invoice) {
    struct decision *decision = invoice->decision;
    const struct invoice_state *state = invoice->state;
    const struct payable **items;
    const size_t count = retention_open_items(invoice, &items);
    if (!cleared_check(invoice, count)) return;
    if (state) invoice->facts.has_currency = currency_find(state->currency, &invoice->facts.currency);
    struct posting *postings = decision_alloc(decision, (count + 1) * sizeof *postings);
    int64_t owed_e4 = state && !state->cleared ? state->total_e4 - retention_of(invoice, invoice->key) : 0;
    clearing_prepare(invoice, &postings[0], invoice->event->document, state ? state->version : 1, state && state->credit ? -owed_e4 : owed_e4);
    for (size_t i = 0; i < count; i++) clearing_prepare(invoice, &postings[i + 1], items[i]->document, items[i]->version, items[i]->amount_e4);
    if (refused(decision)) return;
    struct invoice_state changed = *state;
    changed.cleared = true;
    bool any = false;
    for (size_t i = 0; i <= count; i++) any |= posting_emit(&postings[i], OUTPUT_COMMANDS).length > 0;
    if (!any) report(decision, REASON_ZERO_VALUE, "", "");
    if (!state->cleared) payable_close(invoice, invoice->key);
    for (size_t i = 0; i < count; i++) payable_close(invoice, invoice_key(decision, invoice->event, items[i]->document));
    state_put(decision, STORE_INVOICES, invoice->key, &changed);
}

/* ---- the whole ---- */

static int64_t negated(int64_t amount_e4) { return facts_amount_fits(amount_e4) ? -amount_e4 : amount_e4; }

/* An invoice of less than nothing is a credit note: the same event with the signs changed. */
static void negative_read(struct invoice *invoice) {
    const struct invoice_event *event = invoice->event;
    const bool plain = event->kind == INVOICE_KIND_RECEIVED || event->kind == INVOICE_KIND_APPROVED || event->kind == INVOICE_KIND_CORRECTED;
    if (!plain || !event->has_total || event->total_e4 >= 0 || !facts_amount_fits(event->total_e4)) return;
    struct invoice_event *credit = decision_alloc(invoice->decision, sizeof *credit);
    *credit = *event;
    credit->total_e4 = -event->total_e4;
    credit->tax_e4 = negated(event->tax_e4);
    credit->retained_e4 = negated(event->retained_e4);
    credit->lines.items = decision_alloc(invoice->decision, event->lines.count * sizeof *credit->lines.items + 1);
    for (size_t i = 0; i < event->lines.count; i++) {
        struct invoice_line *line = &credit->lines.items[i];
        *line = event->lines.items[i];
        line->net_e4 = negated(line->net_e4);
        line->tax_e4 = negated(line->tax_e4);
        if (facts_quantity_fits(line->quantity_e6)) line->quantity_e6 = -line->quantity_e6;
    }
    credit->taxes.items = decision_alloc(invoice->decision, event->taxes.count * sizeof *credit->taxes.items + 1);
    for (size_t i = 0; i < event->taxes.count; i++)
        credit->taxes.items[i] = (struct invoice_tax){event->taxes.items[i].tax_code, negated(event->taxes.items[i].taxable_e4), negated(event->taxes.items[i].tax_e4)};
    invoice->event = credit;
    invoice->form = FORM_CREDIT_NOTE;
    invoice->negated = true;
}

static void form_find(struct invoice *invoice) {
    switch (invoice->event->kind) {
    case INVOICE_KIND_CREDIT_NOTE: invoice->form = FORM_CREDIT_NOTE; break;
    case INVOICE_KIND_REBATE: invoice->form = FORM_REBATE; break;
    case INVOICE_KIND_SUBSEQUENT_DEBIT: invoice->form = FORM_SUBSEQUENT_DEBIT; break;
    default: invoice->form = FORM_INVOICE;
    }
}

static void decide_invoice(struct decision *decision, const void *record) {
    const struct invoice_event *event = record;
    struct invoice invoice = {.decision = decision, .event = event, .key = invoice_key(decision, event, event->document),
        .tax_date = event->has_tax_date ? event->tax_date : event->document_date, .book = {.decision = decision, .store = STORE_ORDERS}};
    if (decision_voided(decision) && event->kind == INVOICE_KIND_CANCELLED) { decide_voided(&invoice); return; }
    form_find(&invoice);
    negative_read(&invoice);
    event = invoice.event;
    const bool amounts = event->has_total || (event->lines.count && event->kind != INVOICE_KIND_GRNI_WRITTEN_OFF), told = event->kind == INVOICE_KIND_STATUS ||
        event->kind == INVOICE_KIND_UNKNOWN || event->kind == INVOICE_KIND_DEBIT_MEMO;
    const bool posts = !told && event->kind != INVOICE_KIND_BLOCKED && event->kind != INVOICE_KIND_UNBLOCKED && event->kind != INVOICE_KIND_TAX_ANSWERED;
    invoice.given = (struct facts_given){.has_posting_date = event->has_posting_date, .posting_date = event->posting_date, .document_date = event->document_date,
        .currency = event->currency, .has_amounts = amounts, .posts = posts, .reverses = event->kind == INVOICE_KIND_CANCELLED};
    facts_establish(decision, invoice.given, &invoice.facts);
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
    case INVOICE_KIND_REBATE: decide_posted(&invoice); break;
    case INVOICE_KIND_CORRECTED: decide_corrected(&invoice); break;
    case INVOICE_KIND_GRNI_WRITTEN_OFF: invoice_write_off(&invoice); break;
    case INVOICE_KIND_RETENTION_RELEASED: retention_release(&invoice); break;
    case INVOICE_KIND_TAX_ANSWERED: invoice_tax_answered(&invoice); break;
    case INVOICE_KIND_CANCELLED: decide_cancelled(&invoice); break;
    case INVOICE_KIND_BLOCKED: decide_block(&invoice, true); break;
    case INVOICE_KIND_UNBLOCKED: decide_block(&invoice, false); break;
    case INVOICE_KIND_CLEARED: decide_cleared(&invoice); break;
    case INVOICE_KIND_DEBIT_MEMO:
    case INVOICE_KIND_UNKNOWN:
    case INVOICE_KIND_STATUS: break;
    }
}

static bool invoice_is_unpaid(const void *record) {
    const struct invoice_state *state = record;
    return state->status == INVOICE_STATUS_POSTED && !state->cleared;
}

/* As long as their document can be cancelled, and nothing here says when it cannot. */
static bool companions_are_open(const void *record) { return record != NULL; }

static bool retention_is_open(const void *record) {
    const struct retention *kept = record;
    return kept->released_e4 < kept->retained_e4;
}

static void owner_of(int store, struct slice key, const void *record, struct record_owner *owner) {
    (void)key;
    order_event_owner(&followed_orders, store, record, owner);
}

static bool change_record(int store, void *record, const struct partner_change *change) {
    struct invoice_state *state = store == STORE_INVOICES ? record : NULL;
    order_event_change(&followed_orders, store, record, change);
    if (store == STORE_PAYABLES) ((struct payable *)record)->supplier = change->partner_to;
    if (!state || state->number_key.length <= change->key_from.length) return true;
    const size_t rest = state->number_key.length - change->key_from.length;
    char *key = arena_alloc(change->arena, change->key_to.length + rest);
    if (!key) return false;
    memcpy(key, change->key_to.data, change->key_to.length);
    memcpy(key + change->key_to.length, state->number_key.data + change->key_from.length, rest);
    state->number_key = (struct slice){key, change->key_to.length + rest};
    return true;
}

static void change_event(int input, void *event, const struct partner_change *change) {
    if (input == 0) ((struct procurement_event *)event)->supplier = change->partner_to;
    else ((struct invoice_event *)event)->supplier = change->partner_to;
}

/* Documents of one amount, of both. */
static bool join_records(int store, void *into, const void *other, const struct partner_change *change) {
    struct invoice_amount *amount = into;
    const struct invoice_amount *more = other;
    if (store != STORE_AMOUNTS) return false;
    struct amount_document *documents = arena_alloc(change->arena, (amount->documents.count + more->documents.count + 1) * sizeof *documents);
    if (!documents) return false;
    if (amount->documents.count) memcpy(documents, amount->documents.items, amount->documents.count * sizeof *documents);
    if (more->documents.count) memcpy(documents + amount->documents.count, more->documents.items, more->documents.count * sizeof *documents);
    amount->documents.items = documents;
    amount->documents.count += more->documents.count;
    return true;
}

extern const struct processor invoice_processor;
const struct processor invoice_processor = {
    .name = "invoice",
    .inputs = {{"procurement.events", &procurement_event_type, .follows = true, .envelope = procurement_envelope, .decide = follow_order},
               {"invoice.events", &invoice_event_type, .envelope = invoice_envelope, .decide = decide_invoice}},
    .tables = {MASTER_SOURCE_PERMISSIONS, POSTING_TABLES, MASTER_TAX_CODES, MASTER_PAYMENT_TERMS, MASTER_INTERCOMPANY, MASTER_SETTLEMENT_RULES, END_OF_TABLES},
    .stores = {[STORE_ORDERS] = {"orders", &order_line_type, order_line_is_unsettled}, [STORE_RECEIPTS] = {"receipts", &receipt_state_type, NULL},
               [STORE_INVOICES] = {"invoices", &invoice_state_type, invoice_is_unpaid}, [STORE_NUMBERS] = {"numbers", &invoice_number_type, NULL},
               [STORE_PAYABLES] = {"payables", &payable_type, payable_is_open}, [STORE_AMOUNTS] = {"amounts", &invoice_amount_type, NULL},
               [STORE_TAX_ANSWERS] = {"tax-answers", &tax_answer_type, NULL}, [STORE_RETENTIONS] = {"retentions", &retention_type, retention_is_open},
               [STORE_COMPANIONS] = {"companions", &companion_journals_type, companions_are_open}},
    .outputs = {[OUTPUT_COMMANDS] = {"posting.commands", &posting_command_type, .per_erp = true}, [OUTPUT_PAYABLES] = {"payables", &payable_type, .event_time = true},
                [OUTPUT_ENTRIES] = {SETTLEMENT_ENTRIES, &posting_command_type, .event_time = true},
                [OUTPUT_MOVEMENTS] = {BUDGET_MOVEMENTS, &budget_movement_type, .event_time = true}},
    .owner = owner_of, .change_record = change_record, .change_event = change_event, .join = join_records,
};
