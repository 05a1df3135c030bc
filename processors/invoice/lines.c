/* lines: the arithmetic of an invoice's lines, their tax, and the match of those with an order. */
#include "processors/invoice/invoice.h"
#include "schemas/tax_code.h"

enum { PER_CENT_SCALE = 6 };   /* a rate in per cent at scale 4 is a share at scale 6 */

const char *invoice_step(const struct invoice_event *event) {
    if (event->kind == INVOICE_KIND_CREDIT_NOTE) return "credit_note";
    if (event->kind == INVOICE_KIND_SUBSEQUENT_DEBIT) return "subsequent_debit";
    for (size_t i = 0; i < event->lines.count; i++)
        if (event->lines.items[i].order.length) return "invoice_with_order";
    return "invoice_without_order";
}

void invoice_amounts_check(struct invoice *invoice) {
    struct decision *decision = invoice->decision;
    const struct invoice_event *event = invoice->event;
    const struct facts *facts = &invoice->facts;
    if (event->has_total) facts_amount_check(decision, facts, event->total_e4, FACTS_HEAD, "total");
    if (event->has_tax) facts_amount_check(decision, facts, event->tax_e4, FACTS_HEAD, "tax");
    for (size_t i = 0; i < event->lines.count; i++) {
        const struct invoice_line *line = &event->lines.items[i];
        facts_quantity_check(decision, line->quantity_e6, i, "quantity");
        facts_amount_check(decision, facts, line->net_e4, i, "net");
        if (line->has_tax) facts_amount_check(decision, facts, line->tax_e4, i, "tax");
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
    report(decision, REASON_SUPPLIER_MISMATCH, "supplier", "order " SLICE_FORMAT " is " SLICE_FORMAT "'s", SLICE_ARGUMENT(line->order), SLICE_ARGUMENT(copy->line.supplier));
    return NULL;
}

/* ---- tax ---- */

/* Fills the tax amounts of a line and tells what the supplier charged. *known is cleared when it does not say and we cannot tell. */
static int64_t line_tax(struct invoice *invoice, size_t i, struct posting_line *amounts, bool *known) {
    struct decision *decision = invoice->decision;
    const struct facts *facts = &invoice->facts;
    const struct invoice_line *line = &invoice->event->lines.items[i];
    int64_t given_e4 = line->has_tax ? line->tax_e4 : 0, computed_e4 = 0, deductible_e4 = 0;
    if (!line->tax_code.length) {
        if (given_e4) report(decision, REASON_TAX_AMOUNT_WRONG, facts_path(decision, i, "tax"), "tax without a tax code");
        return given_e4;
    }
    const struct slice key = KEY(decision, invoice->event->entity, line->tax_code);
    const struct tax_code *code = look_up(decision, MASTER_TAX_CODES, key, invoice->tax_date, NULL);
    if (!code) (void)require(decision, MASTER_TAX_CODES, key, invoice->tax_date, REASON_TAX_CODE_UNKNOWN, facts_path(decision, i, "tax_code"));
    if (!code || !facts->has_currency) {
        *known &= line->has_tax;
        return given_e4;
    }
    amounts->tax_account = (struct posting_account){code->account, MASTER_TAX_CODES, key};
    if (!money_product(line->net_e4, MONEY_SCALE, code->rate_e4, PER_CENT_SCALE, facts->currency, &computed_e4)) {
        report(decision, REASON_AMOUNT_OVERFLOW, facts_path(decision, i, "tax"), "");
        return given_e4;
    }
    int64_t charged_e4 = code->reverse_charge || line->has_tax ? given_e4 : computed_e4, off_e4 = charged_e4 - computed_e4;
    if (code->reverse_charge ? given_e4 != 0 : off_e4 > money_minor_unit_e4(facts->currency) || -off_e4 > money_minor_unit_e4(facts->currency))
        report(decision, REASON_TAX_AMOUNT_WRONG, facts_path(decision, i, "tax"), code->reverse_charge ? "reverse charge: the supplier charges none" : "not net times rate");
    int64_t whole_e4 = code->reverse_charge ? computed_e4 : charged_e4;
    if (!money_product(whole_e4, MONEY_SCALE, code->deductible_e4, PER_CENT_SCALE, facts->currency, &deductible_e4)) return charged_e4;
    if (code->reverse_charge) {
        amounts->amounts_e4[RULE_TAX_REVERSE_DEDUCTIBLE] = deductible_e4;
        amounts->amounts_e4[RULE_TAX_REVERSE_NOT_DEDUCTIBLE] = whole_e4 - deductible_e4;
    } else {
        amounts->amounts_e4[RULE_TAX_DEDUCTIBLE] = deductible_e4;
        amounts->amounts_e4[RULE_TAX_NOT_DEDUCTIBLE] = whole_e4 - deductible_e4;
    }
    return charged_e4;
}

/* ---- match ---- */

/* Whether quantity and order let the line be covered. */
static bool coverable(struct invoice *invoice, size_t i, const struct order_copy *copy) {
    struct decision *decision = invoice->decision;
    const struct facts *facts = &invoice->facts;
    const struct invoice_line *line = &invoice->event->lines.items[i];
    const struct order_line *order = &copy->line;
    if (!slice_equal(invoice->event->currency, order->currency)) report(decision, REASON_CURRENCY_MISMATCH, "currency", "the order is in " SLICE_FORMAT, SLICE_ARGUMENT(order->currency));
    if (line->unit.length && order->unit.length && !slice_equal(line->unit, order->unit))
        report(decision, REASON_UNIT_MISMATCH, facts_path(decision, i, "unit"), "the order line is in " SLICE_FORMAT, SLICE_ARGUMENT(order->unit));
    if (order->status == ORDER_LINE_STATUS_CANCELLED) report(decision, REASON_ORDER_DELETED, facts_path(decision, i, "order_line"), "");
    if (line->quantity_e6 <= 0) { report(decision, REASON_QUANTITY_TOLERANCE, facts_path(decision, i, "quantity"), "not positive"); return false; }
    int64_t open_e6 = order_uncovered(order), covered_e6 = order->received_e6 - open_e6, invoiced_e6;
    if (!decimal_add(covered_e6, line->quantity_e6, &invoiced_e6)) { report(decision, REASON_AMOUNT_OVERFLOW, facts_path(decision, i, "quantity"), ""); return false; }
    if (order_exceeded(order, invoiced_e6, facts->tolerance->quantity_percent_e4)) report(decision, REASON_OVER_INVOICED, facts_path(decision, i, "quantity"), "more than ordered");
    if (line->quantity_e6 <= open_e6) return true;
    if (slice_equal(facts->tolerance->early_invoice, SLICE("hold"))) report_as(decision, CLASS_HELD, REASON_GOODS_RECEIPT_MISSING, facts_path(decision, i, "quantity"), "");
    else wait_for_state(decision, REASON_GOODS_RECEIPT_MISSING, facts_path(decision, i, "quantity"), STORE_ORDERS, copy->key);
    return false;
}

static bool price_exceeds(const struct facts *facts, int64_t net_e4, int64_t receipt_e4) {
    const __int128 above = (__int128)net_e4 - receipt_e4, hundred_percent = 1000000;
    __int128 share = (__int128)(receipt_e4 < 0 ? -(__int128)receipt_e4 : receipt_e4) * facts->tolerance->price_percent_e4, amount = (__int128)facts->tolerance->price_amount_e4 * hundred_percent;
    return above * hundred_percent > (share > amount ? share : amount);
}

static void cover_keep(struct decision *decision, struct slice key, const struct order_cover *cover, struct invoice_state *state) {
    struct invoice_cover *kept = &state->covers.items[state->covers.count++];
    *kept = (struct invoice_cover){.order_key = key, .value_e4 = cover->value_e4, .functional_e4 = cover->functional_e4};
    kept->ranges.items = decision_alloc(decision, cover->count * sizeof *kept->ranges.items + 1);
    kept->ranges.count = cover->count;
    for (size_t i = 0; i < cover->count; i++) kept->ranges.items[i] = (struct invoice_cover_range){cover->ranges[i].from_e6, cover->ranges[i].to_e6};
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
    if (invoice->event->kind == INVOICE_KIND_SUBSEQUENT_DEBIT || invoice->event->kind == INVOICE_KIND_CREDIT_NOTE) return;   /* value only */
    struct order_cover cover;
    if (!coverable(invoice, i, copy) || !facts->has_currency || !facts->entity) return;
    if (!order_cover_find(decision, &copy->line, facts->currency, facts->functional, line->quantity_e6, &cover)) {
        report(decision, REASON_AMOUNT_OVERFLOW, facts_path(decision, i, "quantity"), "");
        return;
    }
    if (price_exceeds(facts, line->net_e4, cover.value_e4)) {
        char expected[DECIMAL_TEXT_SIZE];
        money_print(cover.value_e4, facts->currency, expected);
        report(decision, REASON_PRICE_TOLERANCE, facts_path(decision, i, "net"), "received for %s", expected);
    }
    int64_t variance_e4 = line->net_e4 - cover.value_e4;
    amounts->amounts_e4[RULE_RECEIPT_VALUE] = cover.value_e4;
    amounts->amounts_e4[variance_e4 > 0 ? RULE_VARIANCE_ABOVE : RULE_VARIANCE_BELOW] = variance_e4 > 0 ? variance_e4 : -variance_e4;
    amounts->carried.has = true;
    amounts->carried.amount = RULE_RECEIPT_VALUE;
    amounts->carried.functional_e4 = cover.functional_e4;
    order_cover_take(decision, &copy->line, &cover);
    copy->changed = true;
    cover_keep(decision, copy->key, &cover, state);
}

/* ---- the whole ---- */

void invoice_lines_check(struct invoice *invoice, struct posting *posting, struct invoice_state *state) {
    struct decision *decision = invoice->decision;
    const struct invoice_event *event = invoice->event;
    if (!event->lines.count || !event->has_total) report(decision, REASON_TOTAL_MISMATCH, event->lines.count ? "total" : "lines", "missing");
    bool plain = event->kind == INVOICE_KIND_RECEIVED || event->kind == INVOICE_KIND_APPROVED;
    int64_t sum_e4 = 0, tax_e4 = 0;
    bool summed = event->has_total && facts_amount_fits(event->total_e4) && (!event->has_tax || facts_amount_fits(event->tax_e4));
    state->covers.items = decision_alloc(decision, event->lines.count * sizeof *state->covers.items + 1);
    for (size_t i = 0; i < event->lines.count; i++) {
        const struct invoice_line *line = &event->lines.items[i];
        if (!facts_amount_fits(line->net_e4) || !facts_quantity_fits(line->quantity_e6) || (line->has_tax && !facts_amount_fits(line->tax_e4))) {
            summed = false;   /* reported already: there is no sum to compare */
            continue;
        }
        struct posting_line amounts = {.step = slice_of(plain ? (line->order.length ? "invoice_with_order" : "invoice_without_order") : invoice_step(event)),
            .source_line = line->line, .category = line->category, .tax_code = line->tax_code, .cost_centre = line->cost_centre, .project = line->project, .account = line->account};
        amounts.amounts_e4[RULE_RECEIPT_VALUE] = line->net_e4;
        int64_t charged_e4 = line_tax(invoice, i, &amounts, &summed);
        if (line->order.length) line_match(invoice, i, &amounts, state);
        if (!decimal_add(sum_e4, line->net_e4, &sum_e4) || !decimal_add(tax_e4, charged_e4, &tax_e4) || !facts_amount_fits(sum_e4) || !facts_amount_fits(tax_e4)) {
            report(decision, REASON_AMOUNT_OVERFLOW, "lines", "their sum");
            return;
        }
        posting_add(posting, &amounts);
    }
    if (summed && sum_e4 + tax_e4 != event->total_e4) report(decision, REASON_TOTAL_MISMATCH, "total", "lines and tax add up to something else");
    if (summed && event->has_tax && tax_e4 != event->tax_e4) report(decision, REASON_TOTAL_MISMATCH, "tax", "not the sum of the lines' tax");
}
