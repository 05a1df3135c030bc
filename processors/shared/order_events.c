#include "processors/shared/order_events.h"

#include "processors/shared/budget.h"
#include "processors/shared/order_book.h"
#include "schemas/commitment.h"

/* One event in the making. */
struct order_event {
    struct decision *decision;
    const struct order_declaration *declaration;
    const struct procurement_event *event;
    struct facts facts;
    struct order_book book;
};

static struct slice receipt_key(struct decision *decision, struct slice entity, struct slice document) { return KEY(decision, entity, document); }

/* ---- envelope ---- */

static bool is_receipt(enum procurement_kind kind) {
    return kind == PROCUREMENT_KIND_GOODS_RECEIVED || kind == PROCUREMENT_KIND_SERVICE_ENTERED || kind == PROCUREMENT_KIND_GOODS_RETURNED;
}
static bool is_receipt_cancellation(enum procurement_kind kind) {
    return kind == PROCUREMENT_KIND_GOODS_RECEIPT_CANCELLED || kind == PROCUREMENT_KIND_SERVICE_ENTRY_CANCELLED;
}
/* Kinds that leave nothing in the order book. */
static bool only_told(enum procurement_kind kind) {
    return kind == PROCUREMENT_KIND_UNKNOWN || kind == PROCUREMENT_KIND_STATUS || kind == PROCUREMENT_KIND_ORDER_APPROVED;
}
static bool followed(enum procurement_kind kind) {
    return !only_told(kind) && kind != PROCUREMENT_KIND_REQUISITION && kind != PROCUREMENT_KIND_SERVICE_ENTERED && kind != PROCUREMENT_KIND_SERVICE_ENTRY_CANCELLED;
}

void order_event_envelope(struct decision *decision, const struct procurement_event *event, const struct order_declaration *declaration, struct envelope *envelope) {
    *envelope = (struct envelope){.event_id = event->event_id, .source = event->source, .entity = event->entity, .partner = event->supplier,
        .correlation_id = event->correlation_id, .number = event->document, .kind = procurement_kind_name(event->kind), .document.store = -1,
        .user = event->user, .currency = event->currency, .document_date = event->document_date};
    if (!declaration->follows) {
        if (!slice_equal(event->order, event->document)) linked(decision, "order", "procurement", event->order);
        linked(decision, "original", "procurement", event->reverses);
    }
    if (declaration->follows && !followed(event->kind)) return;
    if (is_receipt(event->kind) || is_receipt_cancellation(event->kind)) {
        envelope->document = (struct document){declaration->receipts, receipt_key(decision, event->entity, event->document)};
        envelope->establishes = is_receipt(event->kind);
        envelope->overtakes = is_receipt_cancellation(event->kind);
        if (envelope->overtakes) envelope->cancels = (struct document){declaration->receipts, receipt_key(decision, event->entity, event->reverses)};
        return;
    }
    struct slice line = event->lines.count ? event->lines.items[0].line : (struct slice){0};
    envelope->document = (struct document){declaration->orders, order_key(decision, event->entity, event->order.length ? event->order : event->document, line)};
    envelope->establishes = event->kind == PROCUREMENT_KIND_ORDER_CREATED || event->kind == PROCUREMENT_KIND_REQUISITION;
    envelope->overtakes = event->kind == PROCUREMENT_KIND_ORDER_CANCELLED;
    envelope->cancels = envelope->document;
}

/* ---- pieces ---- */

static struct order_copy *line_find(struct order_event *order, size_t i) {
    const struct procurement_event *event = order->event;
    struct slice number = event->order.length ? event->order : event->document;
    return order_find(&order->book, order_key(order->decision, event->entity, number, event->lines.items[i].line));
}

/* ORDER_UNKNOWN, SUPPLIER_MISMATCH; NULL then. */
static struct order_copy *line_require(struct order_event *order, size_t i) {
    struct order_copy *copy = line_find(order, i);
    if (!order_is_known(copy)) {
        wait_for_state(order->decision, REASON_ORDER_UNKNOWN, facts_path(order->decision, i, "line"), order->declaration->orders, copy->key);
        return NULL;
    }
    if (slice_equal(copy->line.supplier, order->event->supplier)) return copy;
    report(order->decision, REASON_SUPPLIER_MISMATCH, "supplier", "the order is " SLICE_FORMAT "'s", SLICE_ARGUMENT(copy->line.supplier));
    return NULL;
}

static void commitment_emit(struct order_event *order, const struct order_copy *copy, enum commitment_movement movement, int64_t amount_e4) {
    if (order->declaration->follows || !amount_e4) return;
    const struct procurement_event *event = order->event;
    /* A cancellation need not repeat what it takes back, and a requisition may have no order. */
    struct slice number = event->kind == PROCUREMENT_KIND_REQUISITION ? event->order : order_key_part(order->decision, copy->key, 1);
    const struct commitment record = {.entity = event->entity, .supplier = event->supplier, .order = number, .line = order_key_part(order->decision, copy->key, 2), .document = event->document,
        .event_id = event->event_id, .origin = decision_origin(order->decision), .movement = movement, .amount_e4 = amount_e4,
        .committed_e4 = copy->line.committed_e4, .currency = copy->line.currency, .date = order->facts.posting_date, .category = copy->line.category,
        .cost_centre = copy->line.cost_centre, .project = copy->line.project};
    emit(order->decision, order->declaration->commitments, (struct slice){0}, &record);
}

static void commitment_move(struct order_event *order, struct order_copy *copy, enum commitment_movement movement, int64_t amount_e4) {
    copy->line.committed_e4 += amount_e4;   /* bounded by checked values of the order line */
    copy->changed = true;
    commitment_emit(order, copy, movement, amount_e4);
}

static void line_describe(struct order_event *order, struct order_line *line, const struct procurement_line *from) {
    line->supplier = order->event->supplier;
    line->currency = order->event->currency;
    line->unit = from->unit;
    line->category = from->category;
    line->cost_centre = from->cost_centre;
    line->project = from->project;
}

/* ---- requisition and order ---- */

static void decide_requisition(struct order_event *order) {
    const struct procurement_event *event = order->event;
    if (refused(order->decision)) return;
    bool effect = false;
    for (size_t i = 0; i < event->lines.count; i++) {
        const struct procurement_line *line = &event->lines.items[i];
        struct order_copy *copy = line_find(order, i);
        if (copy->exists) continue;
        copy->exists = copy->changed = effect = true;
        copy->line.status = ORDER_LINE_STATUS_REQUISITION;
        line_describe(order, &copy->line, line);
        copy->line.pre_committed_e4 = line->has_net ? line->net_e4 : 0;
        commitment_emit(order, copy, COMMITMENT_MOVEMENT_PRE_COMMIT, copy->line.pre_committed_e4);
    }
    if (!effect) report(order->decision, REASON_NO_EFFECT, "", "");
}

static void decide_order_created(struct order_event *order) {
    const struct procurement_event *event = order->event;
    for (size_t i = 0; i < event->lines.count; i++) {
        const struct procurement_line *line = &event->lines.items[i];
        if (order_is_known(line_find(order, i))) report(order->decision, REASON_DUPLICATE_DOCUMENT, facts_path(order->decision, i, "line"), "");
        if (line->quantity_e6 <= 0 || !line->has_net) report(order->decision, REASON_QUANTITY_TOLERANCE, facts_path(order->decision, i, "quantity"), "an order line has a quantity and a net value");
    }
    if (refused(order->decision)) return;
    for (size_t i = 0; i < event->lines.count; i++) {
        const struct procurement_line *line = &event->lines.items[i];
        struct order_copy *copy = line_find(order, i);
        if (order_is_known(copy)) continue;   /* twice in one event */
        line_describe(order, &copy->line, line);
        int64_t asked_e4 = copy->line.pre_committed_e4;
        copy->line.pre_committed_e4 = 0;
        copy->line.status = ORDER_LINE_STATUS_OPEN;
        copy->exists = true;
        order_price_set(order->decision, &copy->line, line->quantity_e6, line->net_e4);
        commitment_emit(order, copy, COMMITMENT_MOVEMENT_PRE_COMMIT, -asked_e4);
        commitment_move(order, copy, COMMITMENT_MOVEMENT_COMMIT, line->net_e4);
    }
}

static void decide_order_changed(struct order_event *order) {
    const struct procurement_event *event = order->event;
    bool effect = false;
    for (size_t i = 0; i < event->lines.count; i++) {
        effect |= event->lines.items[i].has_net;
        (void)line_require(order, i);
    }
    if (refused(order->decision)) return;
    if (!effect) { report(order->decision, REASON_NO_EFFECT, "", ""); return; }
    for (size_t i = 0; i < event->lines.count; i++) {
        const struct procurement_line *line = &event->lines.items[i];
        struct order_copy *copy = line_find(order, i);
        if (!line->has_net) continue;
        int64_t before_e4 = order_now(&copy->line)->net_e4, quantity_e6 = line->quantity_e6 > 0 ? line->quantity_e6 : order_now(&copy->line)->quantity_e6;
        order_price_set(order->decision, &copy->line, quantity_e6, line->net_e4);
        copy->changed = true;
        if (copy->line.status == ORDER_LINE_STATUS_OPEN && !copy->line.completed)
            commitment_move(order, copy, COMMITMENT_MOVEMENT_CHANGE, line->net_e4 - before_e4);
    }
}

/* Cancelled, reopened, completed: each line has an effect or none. */
static void decide_order_status(struct order_event *order) {
    const struct procurement_event *event = order->event;
    enum procurement_kind kind = event->kind;
    for (size_t i = 0; i < event->lines.count; i++) (void)line_require(order, i);
    if (refused(order->decision)) return;
    bool effect = false;
    for (size_t i = 0; i < event->lines.count; i++) {
        struct order_copy *copy = line_find(order, i);
        struct order_line *line = &copy->line;
        bool cancelled = line->status == ORDER_LINE_STATUS_CANCELLED;
        if (kind == PROCUREMENT_KIND_ORDER_CANCELLED && !cancelled) {
            line->status = ORDER_LINE_STATUS_CANCELLED;
            commitment_move(order, copy, COMMITMENT_MOVEMENT_VOID, -line->committed_e4);
            effect = true;
        } else if (kind == PROCUREMENT_KIND_ORDER_REOPENED && (cancelled || line->completed)) {
            line->status = ORDER_LINE_STATUS_OPEN;
            line->completed = false;
            commitment_move(order, copy, COMMITMENT_MOVEMENT_COMMIT, order_now(line)->net_e4 - line->received_value_e4 - line->committed_e4);
            effect = true;
        } else if (kind == PROCUREMENT_KIND_ORDER_COMPLETED && !line->completed) {
            line->completed = true;
            commitment_move(order, copy, COMMITMENT_MOVEMENT_RELIEVE, -line->committed_e4);
            effect = true;
        }
    }
    if (!effect) report(order->decision, REASON_NO_EFFECT, "", "");
}

/* ---- receipts ---- */

/* A receipt that names no currency has its order's. */
static void receipt_currency_check(struct order_event *order, const struct order_line *known) {
    struct decision *decision = order->decision;
    struct slice currency = order->event->currency;
    if ((currency.length && !slice_equal(currency, known->currency)) || (order->facts.has_currency && !slice_equal(currency_slice(&order->facts.currency), known->currency)))
        report(decision, REASON_CURRENCY_MISMATCH, "currency", "the order is in " SLICE_FORMAT, SLICE_ARGUMENT(known->currency));
    else if (!order->facts.has_currency) order->facts.has_currency = currency_find(known->currency, &order->facts.currency);
}

static bool receipt_line_check(struct order_event *order, size_t i, struct order_copy *copy) {
    struct decision *decision = order->decision;
    const struct procurement_line *line = &order->event->lines.items[i];
    const struct order_line *known = &copy->line;
    if (line->unit.length && known->unit.length && !slice_equal(line->unit, known->unit))
        report(decision, REASON_UNIT_MISMATCH, facts_path(decision, i, "unit"), "the order line is in " SLICE_FORMAT, SLICE_ARGUMENT(known->unit));
    if (known->status == ORDER_LINE_STATUS_CANCELLED) report(decision, REASON_ORDER_DELETED, facts_path(decision, i, "line"), "");
    if (line->quantity_e6 <= 0) { report(decision, REASON_QUANTITY_TOLERANCE, facts_path(decision, i, "quantity"), "not positive"); return false; }
    int64_t received_e6;
    if (!decimal_add(known->received_e6, line->quantity_e6, &received_e6)) { report(decision, REASON_AMOUNT_OVERFLOW, facts_path(decision, i, "quantity"), ""); return false; }
    if (order_exceeded(known, received_e6, order->facts.tolerance->quantity_percent_e4) && slice_equal(order->facts.tolerance->over_receipt, SLICE("hold")))
        report(decision, REASON_OVER_RECEIVED, facts_path(decision, i, "quantity"), "");
    if (known->completed) report(decision, REASON_DELIVERY_COMPLETED, facts_path(decision, i, "line"), "");
    return true;
}

/* Values the line and adds it to the order's copy: on copies nothing is lost if something else refuses the event. */
static bool receipt_line_add(struct order_event *order, size_t i, struct order_copy *copy, struct posting *posting, struct receipt_part *part) {
    struct order_line *line = &copy->line;
    int64_t quantity_e6 = order->event->lines.items[i].quantity_e6, received_e6, value_e4;
    if (!order->facts.has_currency) return false;
    if (order_now(line)->from_e6 > line->received_e6) order_price_set(order->decision, line, order_now(line)->quantity_e6, order_now(line)->net_e4);
    int64_t functional_e4 = 0;
    bool fits = facts_quantity_fits(quantity_e6) && decimal_add(line->received_e6, quantity_e6, &received_e6) && order_value(line, order->facts.currency, line->received_e6, received_e6, &value_e4) &&
                decimal_add(line->received_value_e4, value_e4, &line->received_value_e4) && money_precise(line->received_value_e4, order->facts.currency);
    if (fits) functional_e4 = posting_functional(posting, value_e4);
    fits = fits && decimal_add(line->received_functional_e4, functional_e4, &line->received_functional_e4);
    if (!fits) { report(order->decision, REASON_AMOUNT_OVERFLOW, facts_path(order->decision, i, "quantity"), ""); return false; }
    line->received_e6 = received_e6;
    copy->changed = true;
    *part = (struct receipt_part){copy->key, quantity_e6, value_e4, functional_e4};
    struct posting_line amounts = {.step = SLICE("goods_receipt"), .source_line = order->event->lines.items[i].line, .category = line->category,
                                   .cost_centre = line->cost_centre, .project = line->project, .tax_code = order->event->lines.items[i].tax_code};
    amounts.amounts_e4[RULE_RECEIPT_VALUE] = value_e4;
    posting_add(posting, &amounts);
    return true;
}

static void decide_goods_received(struct order_event *order) {
    struct decision *decision = order->decision;
    const struct procurement_event *event = order->event;
    struct slice key = receipt_key(decision, event->entity, event->document);
    if (state_find(decision, order->declaration->receipts, key)) report(decision, REASON_DUPLICATE_DOCUMENT, "document", "");
    struct receipt_state receipt = {.parts.items = decision_alloc(decision, event->lines.count * sizeof(struct receipt_part) + 1), .supplier = event->supplier};
    struct order_copy **copies = decision_alloc(decision, event->lines.count * sizeof *copies + 1);
    for (size_t i = 0; i < event->lines.count; i++)
        if ((copies[i] = line_require(order, i))) receipt_currency_check(order, &copies[i]->line);
    struct posting posting;
    posting_begin(&posting, decision, &order->facts, SLICE("goods_receipt"), event->document, 1);
    for (size_t i = 0; i < event->lines.count; i++)   /* a line sees what the lines before it received */
        if (copies[i] && receipt_line_check(order, i, copies[i]) && receipt_line_add(order, i, copies[i], &posting, &receipt.parts.items[receipt.parts.count]))
            receipt.parts.count++;
    posting_check(&posting);
    if (refused(decision)) return;
    if (!posting.count) report(decision, REASON_ZERO_VALUE, "", "");
    for (size_t i = 0; i < event->lines.count; i++)
        if (copies[i]->line.status == ORDER_LINE_STATUS_OPEN && !copies[i]->line.completed)
            commitment_move(order, copies[i], COMMITMENT_MOVEMENT_RELIEVE, -receipt.parts.items[i].value_e4);
    if (!order->declaration->follows) receipt.journal = posting_emit(&posting, order->declaration->commands);
    state_put(decision, order->declaration->receipts, key, &receipt);
}

/* ---- returns ---- */

/* What goes back is the units received last: their value as received, at the functional value that they were received at. */
static bool return_line_add(struct order_event *order, size_t i, struct order_copy *copy, struct posting *posting, struct receipt_part *part) {
    struct decision *decision = order->decision;
    struct order_line *line = &copy->line;
    const struct procurement_line *from = &order->event->lines.items[i];
    const struct facts *facts = &order->facts;
    int64_t value_e4, functional_e4;
    if (from->unit.length && line->unit.length && !slice_equal(from->unit, line->unit))
        report(decision, REASON_UNIT_MISMATCH, facts_path(decision, i, "unit"), "the order line is in " SLICE_FORMAT, SLICE_ARGUMENT(line->unit));
    if (from->quantity_e6 <= 0 || from->quantity_e6 > line->received_e6) {
        report(decision, REASON_QUANTITY_TOLERANCE, facts_path(decision, i, "quantity"), "not positive, or more than was received");
        return false;
    }
    if (!facts->has_currency || !facts->entity) return false;
    const bool all = from->quantity_e6 == line->received_e6;
    bool fits = all || order_value(line, facts->currency, line->received_e6 - from->quantity_e6, line->received_e6, &value_e4);
    if (all) value_e4 = line->received_value_e4;
    if (all) functional_e4 = line->received_functional_e4;
    else if (!fits || currency_equal(facts->currency, facts->functional) || !line->received_value_e4) functional_e4 = value_e4;
    else fits = money_share(line->received_functional_e4, value_e4, line->received_value_e4, facts->functional, &functional_e4);
    if (!fits) { report(decision, REASON_AMOUNT_OVERFLOW, facts_path(decision, i, "quantity"), ""); return false; }
    line->received_e6 -= from->quantity_e6;
    line->received_value_e4 -= value_e4;
    line->received_functional_e4 -= functional_e4;
    copy->changed = true;
    *part = (struct receipt_part){copy->key, -from->quantity_e6, -value_e4, -functional_e4};
    struct posting_line amounts = {.step = SLICE("goods_returned"), .source_line = from->line, .category = line->category, .cost_centre = line->cost_centre,
                                   .project = line->project, .tax_code = from->tax_code, .carried = {true, RULE_RECEIPT_VALUE, functional_e4}};
    amounts.amounts_e4[RULE_RECEIPT_VALUE] = value_e4;
    posting_add(posting, &amounts);
    return true;
}

/* Kept as a receipt of less than nothing, so that it is cancelled as one. */
static void decide_goods_returned(struct order_event *order) {
    struct decision *decision = order->decision;
    const struct procurement_event *event = order->event;
    struct slice key = receipt_key(decision, event->entity, event->document);
    if (state_find(decision, order->declaration->receipts, key)) report(decision, REASON_DUPLICATE_DOCUMENT, "document", "");
    struct receipt_state receipt = {.parts.items = decision_alloc(decision, event->lines.count * sizeof(struct receipt_part) + 1), .supplier = event->supplier};
    struct order_copy **copies = decision_alloc(decision, event->lines.count * sizeof *copies + 1);
    for (size_t i = 0; i < event->lines.count; i++)
        if ((copies[i] = line_require(order, i))) receipt_currency_check(order, &copies[i]->line);
    struct posting posting;
    posting_begin(&posting, decision, &order->facts, SLICE("goods_returned"), event->document, 1);
    for (size_t i = 0; i < event->lines.count; i++)
        if (copies[i] && return_line_add(order, i, copies[i], &posting, &receipt.parts.items[receipt.parts.count])) receipt.parts.count++;
    posting_check(&posting);
    if (refused(decision)) return;
    if (!posting.count) report(decision, REASON_ZERO_VALUE, "", "");
    for (size_t i = 0; i < event->lines.count; i++)
        if (copies[i]->line.status == ORDER_LINE_STATUS_OPEN && !copies[i]->line.completed)
            commitment_move(order, copies[i], COMMITMENT_MOVEMENT_RECOMMIT, -receipt.parts.items[i].value_e4);
    if (!order->declaration->follows) receipt.journal = posting_emit(&posting, order->declaration->commands);
    state_put(decision, order->declaration->receipts, key, &receipt);
}

static void decide_service_entered(struct order_event *order) {
    struct decision *decision = order->decision;
    const struct procurement_event *event = order->event;
    struct slice key = receipt_key(decision, event->entity, event->document);
    if (state_find(decision, order->declaration->receipts, key)) report(decision, REASON_DUPLICATE_DOCUMENT, "document", "");
    for (size_t i = 0; i < event->lines.count; i++) (void)line_require(order, i);
    if (refused(decision)) return;
    const struct receipt_state entry = {.service = true, .supplier = event->supplier};
    state_put(decision, order->declaration->receipts, key, &entry);
}

static void decide_receipt_cancelled(struct order_event *order) {
    struct decision *decision = order->decision;
    const struct procurement_event *event = order->event;
    bool service = event->kind == PROCUREMENT_KIND_SERVICE_ENTRY_CANCELLED;
    struct slice key = receipt_key(decision, event->entity, event->reverses);
    const struct receipt_state *original = event->reverses.length ? state_find(decision, order->declaration->receipts, key) : NULL;
    if (!original || original->service != service) report(decision, REASON_ORIGINAL_UNKNOWN, "reverses", SLICE_FORMAT, SLICE_ARGUMENT(event->reverses));
    else if (original->cancelled) report(decision, REASON_ALREADY_REVERSED, "reverses", SLICE_FORMAT, SLICE_ARGUMENT(event->reverses));
    if (!service) posting_reversal_check(decision, &order->facts);
    if (refused(decision)) return;
    for (size_t i = 0; i < original->parts.count; i++) {
        struct order_copy *copy = order_find(&order->book, original->parts.items[i].order_key);
        copy->line.received_e6 -= original->parts.items[i].quantity_e6;
        if (copy->line.received_e6 < 0) report(decision, REASON_QUANTITY_TOLERANCE, "reverses", "some of it was returned already");
    }
    if (refused(decision)) return;
    for (size_t i = 0; i < original->parts.count; i++) {
        const struct receipt_part *part = &original->parts.items[i];
        struct order_copy *copy = order_find(&order->book, part->order_key);
        copy->line.received_value_e4 -= part->value_e4;
        copy->line.received_functional_e4 -= part->functional_e4;
        copy->changed = true;
        if (copy->line.status == ORDER_LINE_STATUS_OPEN && !copy->line.completed) commitment_move(order, copy, COMMITMENT_MOVEMENT_RECOMMIT, part->value_e4);
    }
    struct receipt_state cancelled = *original;
    cancelled.cancelled = true;
    if (!service && !order->declaration->follows && !posting_reverse(decision, &order->facts, order->declaration->commands, original->journal).length)
        report(decision, REASON_ZERO_VALUE, "", "");
    state_put(decision, order->declaration->receipts, key, &cancelled);
}

/* ---- the whole ---- */

static void lines_check(struct order_event *order) {
    const struct procurement_event *event = order->event;
    for (size_t i = 0; i < event->lines.count; i++) {
        const struct procurement_line *line = &event->lines.items[i];
        facts_quantity_check(order->decision, line->quantity_e6, i, "quantity");
        if (line->has_net) facts_amount_check(order->decision, &order->facts, line->net_e4, i, "net");
    }
    if (!event->lines.count && !is_receipt_cancellation(event->kind)) report(order->decision, REASON_QUANTITY_TOLERANCE, "lines", "the event has none");
}

static bool has_amounts(const struct procurement_event *event) {
    for (size_t i = 0; i < event->lines.count; i++)
        if (event->lines.items[i].has_net) return true;
    return false;
}

/* In the order in which the event names the lines: the first may take what is left of a budget. */
static void budgets_tell(struct order_event *order) {
    const struct order_copy *told = NULL;
    while (told != order->book.first) {
        const struct order_copy *next = order->book.first;
        while (next->next != told) next = next->next;
        budget_order_line(order->decision, &order->facts, next, order->declaration->orders);
        told = next;
    }
}

void order_event_decide(struct decision *decision, const struct procurement_event *event, const struct order_declaration *declaration) {
    if (declaration->follows && !followed(event->kind)) return;
    if (decision_voided(decision)) { report(decision, REASON_NO_EFFECT, "", "cancelled what waited"); return; }
    struct order_event order = {.decision = decision, .declaration = declaration, .event = event, .book = {.decision = decision, .store = declaration->orders}};
    const bool posts = event->kind == PROCUREMENT_KIND_GOODS_RECEIVED || event->kind == PROCUREMENT_KIND_GOODS_RETURNED || event->kind == PROCUREMENT_KIND_GOODS_RECEIPT_CANCELLED;
    facts_establish(decision, (struct facts_given){.has_posting_date = event->has_posting_date, .posting_date = event->posting_date,
        .document_date = event->document_date, .currency = event->currency, .has_amounts = has_amounts(event), .posts = posts,
        .reverses = event->kind == PROCUREMENT_KIND_GOODS_RECEIPT_CANCELLED}, &order.facts);
    order.facts.of_order_lines = true;
    if (only_told(event->kind)) {
        if (!refused(decision)) report(decision, REASON_NO_EFFECT, "", "");
        return;
    }
    lines_check(&order);
    switch (event->kind) {
    case PROCUREMENT_KIND_REQUISITION: decide_requisition(&order); break;
    case PROCUREMENT_KIND_ORDER_CREATED: decide_order_created(&order); break;
    case PROCUREMENT_KIND_ORDER_CHANGED: decide_order_changed(&order); break;
    case PROCUREMENT_KIND_ORDER_CANCELLED:
    case PROCUREMENT_KIND_ORDER_REOPENED:
    case PROCUREMENT_KIND_ORDER_COMPLETED: decide_order_status(&order); break;
    case PROCUREMENT_KIND_GOODS_RECEIVED: decide_goods_received(&order); break;
    case PROCUREMENT_KIND_GOODS_RETURNED: decide_goods_returned(&order); break;
    case PROCUREMENT_KIND_SERVICE_ENTERED: decide_service_entered(&order); break;
    case PROCUREMENT_KIND_GOODS_RECEIPT_CANCELLED:
    case PROCUREMENT_KIND_SERVICE_ENTRY_CANCELLED: decide_receipt_cancelled(&order); break;
    case PROCUREMENT_KIND_UNKNOWN:
    case PROCUREMENT_KIND_STATUS:
    case PROCUREMENT_KIND_ORDER_APPROVED: break;
    }
    if (refused(decision)) return;
    if (!declaration->follows) budgets_tell(&order);
    order_book_put(&order.book);
}

void order_event_owner(const struct order_declaration *declaration, int store, const void *record, struct record_owner *owner) {
    const struct order_line *line = store == declaration->orders ? record : NULL;
    const struct receipt_state *receipt = store == declaration->receipts ? record : NULL;
    if (store != declaration->orders && store != declaration->receipts) return;
    if (line) *owner = (struct record_owner){.told = OWNER_PARTNER, .partner = line->supplier};
    else if (receipt && receipt->supplier.length) *owner = (struct record_owner){.told = OWNER_PARTNER, .partner = receipt->supplier};
    else if (receipt && receipt->parts.count)   /* written before the supplier was kept */
        *owner = (struct record_owner){.told = OWNER_OF_OTHER, .store = declaration->orders, .at = receipt->parts.items[0].order_key};
    else owner->told = OWNER_NOT_TOLD;
}

void order_event_change(const struct order_declaration *declaration, int store, void *record, const struct partner_change *change) {
    if (store == declaration->orders) ((struct order_line *)record)->supplier = change->partner_to;
    else if (store == declaration->receipts) ((struct receipt_state *)record)->supplier = change->partner_to;
}
