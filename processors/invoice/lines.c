/* lines: the arithmetic of an invoice's lines, and the match of those with an order. */
#include "processors/invoice/invoice.h"

/* Quantity of an order line on a credit note: goods that went back. Without quantity it is a credit of the price. */
static bool is_goods(const struct invoice *invoice, const struct invoice_line *line) {
    return invoice->form == FORM_CREDIT_NOTE && line->order.length && line->quantity_e6 > 0;
}

static const char *line_step(const struct invoice *invoice, const struct invoice_line *line) {
    switch (invoice->form) {
    case FORM_CREDIT_NOTE: return is_goods(invoice, line) ? "credit_note_goods" : "credit_note";
    case FORM_REBATE: return "rebate";
    case FORM_SUBSEQUENT_DEBIT: return "subsequent_debit";
    case FORM_INVOICE: break;
    }
    return line->order.length ? "invoice_with_order" : "invoice_without_order";
}

const char *invoice_step(const struct invoice *invoice) {
    const struct invoice_event *event = invoice->event;
    static const struct invoice_line without;
    for (size_t i = 0; i < event->lines.count; i++)
        if (event->lines.items[i].order.length && (invoice->form != FORM_CREDIT_NOTE || is_goods(invoice, &event->lines.items[i]))) return line_step(invoice,
            &event->lines.items[i]);
    return line_step(invoice, &without);
}

/* Its path is made only when there is something to say. */
static void stated_amount_check(struct invoice *invoice, int64_t amount_e4, const char *field, size_t i) {
    const struct facts *facts = &invoice->facts;
    if (facts_amount_fits(amount_e4) && (!facts->has_currency || money_precise(amount_e4, facts->currency))) return;
    facts_amount_check(invoice->decision, facts, amount_e4, FACTS_HEAD, decision_format(invoice->decision, "taxes[%zu].%s", i, field).data);
}

void invoice_amounts_check(struct invoice *invoice) {
    struct decision *decision = invoice->decision;
    const struct invoice_event *event = invoice->event;
    const struct facts *facts = &invoice->facts;
    if (event->has_total) facts_amount_check(decision, facts, event->total_e4, FACTS_HEAD, "total");
    if (event->has_tax) facts_amount_check(decision, facts, event->tax_e4, FACTS_HEAD, "tax");
    if (event->has_retained) facts_amount_check(decision, facts, event->retained_e4, FACTS_HEAD, "retained");
    for (size_t i = 0; i < event->lines.count; i++) {
        const struct invoice_line *line = &event->lines.items[i];
        facts_quantity_check(decision, line->quantity_e6, i, "quantity");
        facts_amount_check(decision, facts, line->net_e4, i, "net");
        if (line->has_tax) facts_amount_check(decision, facts, line->tax_e4, i, "tax");
    }
    for (size_t i = 0; i < event->taxes.count; i++) {
        stated_amount_check(invoice, event->taxes.items[i].taxable_e4, "taxable", i);
        stated_amount_check(invoice, event->taxes.items[i].tax_e4, "tax", i);
    }
}

struct order_copy *invoice_order_require(struct invoice *invoice, size_t i) {
    struct decision *decision = invoice->decision;
    const struct invoice_event *event = invoice->event;
    const struct invoice_line *line = &event->lines.items[i];
    struct order_copy *copy = order_find(&invoice->book, order_key(decision, event->entity, line->order, line->order_line));
    if (!order_is_known(copy)) {
        wait_for_state(decision, REASON_ORDER_UNKNOWN, facts_path(decision, i, "order"), STORE_ORDERS, copy->key);
        return NULL;
    }
    if (slice_equal(copy->line.supplier, event->supplier)) return copy;
    report(decision, REASON_SUPPLIER_MISMATCH, "supplier", "order " SLICE_FORMAT " is " SLICE_FORMAT "'s", SLICE_ARGUMENT(line->order),
        SLICE_ARGUMENT(copy->line.supplier));
    return NULL;
}

/* ---- match ---- */

/* A failed match holds the invoice, or blocks its payment, as the policy says. */
static void match_failed(struct invoice *invoice, enum reason reason, const char *path, const char *text) {
    const bool blocks = slice_equal(invoice->facts.tolerance->match_failure, SLICE("block"));
    report_as(invoice->decision, blocks ? CLASS_NOTE : CLASS_HELD, reason, path, "%s", text);
    invoice->match_failed |= blocks;
}

/* CURRENCY_MISMATCH, UNIT_MISMATCH. */
static void measures_check(struct invoice *invoice, size_t i, const struct order_line *order) {
    struct decision *decision = invoice->decision;
    const struct invoice_line *line = &invoice->event->lines.items[i];
    if (!slice_equal(invoice->event->currency, order->currency)) report(decision, REASON_CURRENCY_MISMATCH, "currency", "the order is in " SLICE_FORMAT,
        SLICE_ARGUMENT(order->currency));
    if (line->unit.length && order->unit.length && !slice_equal(line->unit, order->unit))
        report(decision, REASON_UNIT_MISMATCH, facts_path(decision, i, "unit"), "the order line is in " SLICE_FORMAT, SLICE_ARGUMENT(order->unit));
}

/* Goods that are not there yet, or have not gone back yet. */
static void goods_wait(struct invoice *invoice, size_t i, const struct order_copy *copy) {
    struct decision *decision = invoice->decision;
    const char *path = facts_path(decision, i, "quantity");
    if (slice_equal(invoice->facts.tolerance->early_invoice, SLICE("hold"))) report_as(decision, CLASS_HELD, REASON_GOODS_RECEIPT_MISSING, path, "");
    else wait_for_state(decision, REASON_GOODS_RECEIPT_MISSING, path, STORE_ORDERS, copy->key);
}

/* Whether quantity and order let the line be covered. */
static bool coverable(struct invoice *invoice, size_t i, const struct order_copy *copy) {
    struct decision *decision = invoice->decision;
    const struct facts *facts = &invoice->facts;
    const struct invoice_line *line = &invoice->event->lines.items[i];
    const struct order_line *order = &copy->line;
    measures_check(invoice, i, order);
    if (order->status == ORDER_LINE_STATUS_CANCELLED) report(decision, REASON_ORDER_DELETED, facts_path(decision, i, "order_line"), "");
    if (line->quantity_e6 <= 0) { report(decision, REASON_QUANTITY_TOLERANCE, facts_path(decision, i, "quantity"), "not positive"); return false; }
    int64_t open_e6 = order_uncovered(order), covered_e6 = order->received_e6 - open_e6, invoiced_e6;
    if (!decimal_add(covered_e6, line->quantity_e6, &invoiced_e6)) { report(decision, REASON_AMOUNT_OVERFLOW, facts_path(decision, i, "quantity"), ""); return false; }
    const bool over = order_exceeded(order, invoiced_e6, facts->tolerance->quantity_percent_e4);
    if (over) match_failed(invoice, REASON_OVER_INVOICED, facts_path(decision, i, "quantity"), "more than ordered");
    if (line->quantity_e6 <= open_e6) return true;
    if (!over && order->completed && covered_e6 >= order_now(order)->quantity_e6) {   /* within the tolerance, but nothing more will come */
        report(decision, REASON_FINAL_INVOICED, facts_path(decision, i, "order_line"), "");
        return false;
    }
    goods_wait(invoice, i, copy);
    return false;
}
static bool price_exceeds(const struct facts *facts, int64_t net_e4, int64_t receipt_e4) {
    const __int128 above = (__int128)net_e4 - receipt_e4, hundred_percent = 1000000;
    __int128 share = (__int128)(receipt_e4 < 0 ? -(__int128)receipt_e4 : receipt_e4) * facts->tolerance->price_percent_e4,
        amount = (__int128)facts->tolerance->price_amount_e4 * hundred_percent;
    return above * hundred_percent > (share > amount ? share : amount);
}

void invoice_cover_keep(struct decision *decision, struct slice key, const struct order_cover *cover, struct invoice_state *state) {
    struct invoice_cover *kept = &state->covers.items[state->covers.count++];
    *kept = (struct invoice_cover){.order_key = key, .value_e4 = cover->value_e4, .functional_e4 = cover->functional_e4};
    kept->ranges.items = decision_alloc(decision, cover->count * sizeof *kept->ranges.items + 1);
    kept->ranges.count = cover->count;
    for (size_t i = 0; i < cover->count; i++) kept->ranges.items[i] = (struct invoice_cover_range){cover->ranges[i].from_e6, cover->ranges[i].to_e6};
}

/* Net into what was received for and what is more or less than it. */
static void match_split(struct posting_line *amounts, int64_t net_e4, const struct order_cover *cover) {
    int64_t variance_e4 = net_e4 - cover->value_e4;
    amounts->amounts_e4[RULE_RECEIPT_VALUE] = cover->value_e4;
    amounts->amounts_e4[variance_e4 > 0 ? RULE_VARIANCE_ABOVE : RULE_VARIANCE_BELOW] = variance_e4 > 0 ? variance_e4 : -variance_e4;
    amounts->carried.has = true;
    amounts->carried.amount = RULE_RECEIPT_VALUE;
    amounts->carried.functional_e4 = cover->functional_e4;
}

/* A credit note's line for goods that went back: uncovers what was invoiced and is not there any more. */
static void line_match_returned(struct invoice *invoice, size_t i, struct order_copy *copy, struct posting_line *amounts, struct invoice_state *state) {
    struct decision *decision = invoice->decision;
    const struct facts *facts = &invoice->facts;
    const struct invoice_line *line = &invoice->event->lines.items[i];
    struct order_cover cover;
    measures_check(invoice, i, &copy->line);
    if (line->quantity_e6 > -order_uncovered(&copy->line)) { goods_wait(invoice, i, copy); return; }
    if (!facts->has_currency || !facts->entity) return;
    if (!order_returned_find(decision, &copy->line, facts->currency, facts->functional, line->quantity_e6, &cover)) {
        report(decision, REASON_AMOUNT_OVERFLOW, facts_path(decision, i, "quantity"), "");
        return;
    }
    match_split(amounts, line->net_e4, &cover);
    order_cover_give_back(decision, &copy->line, &cover);
    copy->changed = true;
    invoice_cover_keep(decision, copy->key, &cover, state);
}

/* An invoice line against its order: covers units, splits net into receipt value and variance. */
static void line_match(struct invoice *invoice, size_t i, struct posting_line *amounts, struct invoice_state *state) {
    struct decision *decision = invoice->decision;
    const struct facts *facts = &invoice->facts;
    const struct invoice_line *line = &invoice->event->lines.items[i];
    struct order_copy *copy = invoice_order_require(invoice, i);
    if (!copy) return;
    amounts->category = copy->line.category;
    amounts->cost_centre = copy->line.cost_centre;
    amounts->project = copy->line.project;
    if (is_goods(invoice, line)) { line_match_returned(invoice, i, copy, amounts, state); return; }
    if (invoice->form != FORM_INVOICE) return;   /* value only */
    struct order_cover cover;
    if (!coverable(invoice, i, copy) || !facts->has_currency || !facts->entity) return;
    if (!order_cover_find(decision, &copy->line, facts->currency, facts->functional, line->quantity_e6, &cover)) {
        report(decision, REASON_AMOUNT_OVERFLOW, facts_path(decision, i, "quantity"), "");
        return;
    }
    if (price_exceeds(facts, line->net_e4, cover.value_e4)) {
        char expected[DECIMAL_TEXT_SIZE];
        money_print(cover.value_e4, facts->currency, expected);
        match_failed(invoice, REASON_PRICE_TOLERANCE, facts_path(decision, i, "net"), decision_format(decision, "received for %s", expected).data);
    }
    match_split(amounts, line->net_e4, &cover);
    order_cover_take(decision, &copy->line, &cover);
    copy->changed = true;
    invoice_cover_keep(decision, copy->key, &cover, state);
}

void invoice_uncover(struct invoice *invoice, const struct invoice_state *posted) {
    struct decision *decision = invoice->decision;
    for (size_t i = 0; i < posted->covers.count; i++) {
        const struct invoice_cover *from = &posted->covers.items[i];
        struct order_cover cover = {.ranges = decision_alloc(decision, from->ranges.count * sizeof *cover.ranges + 1), .count = from->ranges.count,
                                    .value_e4 = from->value_e4, .functional_e4 = from->functional_e4};
        for (size_t k = 0; k < cover.count; k++) cover.ranges[k] = (struct covered_range){from->ranges.items[k].from_e6, from->ranges.items[k].to_e6};
        struct order_copy *copy = order_find(&invoice->book, from->order_key);
        (posted->credit ? order_cover_take : order_cover_give_back)(decision, &copy->line, &cover);   /* a credit note has given back itself */
        copy->changed = true;
    }
}

/* ---- the whole ---- */

/* A line's part of the open item. */
static void payable_add(struct invoice *invoice, const struct posting *posting, const struct posting_line *amounts, int64_t net_e4, int64_t gross_e4, bool first) {
    struct payable *payable = &invoice->payable;
    const int64_t retained_e4 = amounts->amounts_e4[RULE_RETAINED], owed_e4 = gross_e4 - retained_e4, tax_e4 = amounts->amounts_e4[RULE_TAX_DEDUCTIBLE];
    if (!decimal_add(payable->amount_e4, owed_e4, &payable->amount_e4) || !decimal_add(payable->functional_e4, posting_functional(posting, owed_e4),
        &payable->functional_e4))
        report(invoice->decision, REASON_AMOUNT_OVERFLOW, "lines", "their sum");
    if (retained_e4) {
        invoice->retained_e4 += retained_e4;   /* parts of the event's */
        invoice->retained_functional_e4 += posting_functional(posting, retained_e4);
    }
    if (first) payable->category = amounts->category;
    else if (!slice_equal(payable->category, amounts->category)) payable->category = (struct slice){0};
    if (!tax_e4) return;
    if (!invoice->taxed_lines++) payable->tax_code = amounts->tax_code;
    else if (!slice_equal(payable->tax_code, amounts->tax_code)) payable->tax_code = (struct slice){0};
    payable->tax_e4 += tax_e4;   /* parts of sums that were checked */
    payable->net_e4 += net_e4;
}

/* Sums of the lines beside what the document says. */
struct sums { int64_t net_e4, tax_e4; bool known; };

static void sums_check(struct invoice *invoice, const struct sums *sums) {
    const struct invoice_event *event = invoice->event;
    if (!event->lines.count || !event->has_total) report(invoice->decision, REASON_TOTAL_MISMATCH, event->lines.count ? "total" : "lines", "missing");
    if (sums->known && sums->net_e4 + sums->tax_e4 != event->total_e4) report(invoice->decision, REASON_TOTAL_MISMATCH, "total",
        "lines and tax add up to something else");
    if (sums->known && event->has_tax && sums->tax_e4 != event->tax_e4) report(invoice->decision, REASON_TOTAL_MISMATCH, "tax", "not the sum of the lines' tax");
}

void invoice_lines_check(struct invoice *invoice, struct posting *posting, struct invoice_state *state) {
    struct decision *decision = invoice->decision;
    const struct invoice_event *event = invoice->event;
    const size_t count = event->lines.count;
    struct sums sums = {.known = event->has_total && facts_amount_fits(event->total_e4) && (!event->has_tax || facts_amount_fits(event->tax_e4))};
    state->covers.items = decision_alloc(decision, count * sizeof *state->covers.items + 1);
    struct posting_line *lines = decision_alloc(decision, count * sizeof *lines + 1);
    int64_t *gross_e4 = decision_alloc(decision, count * sizeof *gross_e4 + 1);
    bool *summed = decision_alloc(decision, count + 1);
    invoice_taxes_check(invoice);
    for (size_t i = 0; i < count; i++) {
        const struct invoice_line *line = &event->lines.items[i];
        if (!facts_amount_fits(line->net_e4) || !facts_quantity_fits(line->quantity_e6) || (line->has_tax && !facts_amount_fits(line->tax_e4))) {
            sums.known = false;   /* reported already: there is no sum to compare */
            continue;
        }
        lines[i] = (struct posting_line){.step = slice_of(line_step(invoice, line)), .source_line = line->line, .category = line->category, .tax_code = line->tax_code,
            .cost_centre = line->cost_centre, .project = line->project, .account = line->account, .method = invoice->payable.method};
        lines[i].amounts_e4[RULE_RECEIPT_VALUE] = line->net_e4;
        int64_t charged_e4 = invoice_line_tax(invoice, i, &lines[i], &sums.known);
        if (line->order.length) line_match(invoice, i, &lines[i], state);
        if (!decimal_add(sums.net_e4, line->net_e4, &sums.net_e4) || !decimal_add(sums.tax_e4, charged_e4, &sums.tax_e4) || !facts_amount_fits(sums.net_e4) ||
            !facts_amount_fits(sums.tax_e4)) {
            report(decision, REASON_AMOUNT_OVERFLOW, "lines", "their sum");
            return;
        }
        gross_e4[i] = line->net_e4 + charged_e4;
        summed[i] = true;
    }
    sums_check(invoice, &sums);
    if (event->has_retained && event->retained_e4 && sums.known && facts_amount_fits(event->retained_e4)) retention_spread(invoice, lines, gross_e4, count);
    for (size_t i = 0; i < count; i++) {
        if (!summed[i]) continue;
        if (!intercompany_add(invoice, i, posting, &lines[i])) posting_add(posting, &lines[i]);
        payable_add(invoice, posting, &lines[i], event->lines.items[i].net_e4, gross_e4[i], i == 0);
    }
}
