/* prepayment: paid before there is an invoice, a claim on the supplier, with the tax of an advance invoice; and set against invoices later. */
#include "processors/payment/payment.h"

#include "schemas/tax_code.h"

enum { PER_CENT_SCALE = 6, HUNDRED_PER_CENT_E4 = 1000000 };

/* The tax in an amount: amount × rate ÷ (100 + rate), half up. */
static bool tax_in(int64_t amount_e4, int64_t rate_e4, struct currency currency, int64_t *tax_e4) {
    return money_share(amount_e4, rate_e4, HUNDRED_PER_CENT_E4 + rate_e4, currency, tax_e4);
}

void prepayment_tax_check(struct payment *payment) {
    struct decision *decision = payment->decision;
    const struct payment_event *event = payment->event;
    const struct facts *facts = &payment->facts;
    const int64_t given_e4 = event->has_tax && facts_amount_fits(event->tax_e4) ? event->tax_e4 : 0;
    if (!event->prepayment || !event->tax_code.length) {
        if (given_e4) report(decision, REASON_TAX_AMOUNT_WRONG, "tax", event->prepayment ? "tax without a tax code" : "only a prepayment has a tax of its own");
        return;
    }
    const struct slice key = KEY(decision, event->entity, event->tax_code);
    const struct tax_code *code = require(decision, MASTER_TAX_CODES, key, event->document_date, REASON_TAX_CODE_UNKNOWN, "tax_code");
    if (!code || !facts->has_currency || !event->has_amount || !facts_amount_fits(event->amount_e4)) return;
    int64_t computed_e4 = 0, deductible_e4 = 0;
    if (!code->reverse_charge && !tax_in(event->amount_e4, code->rate_e4, facts->currency, &computed_e4)) {
        report(decision, REASON_AMOUNT_OVERFLOW, "tax", "");
        return;
    }
    const int64_t tax_e4 = event->has_tax ? given_e4 : computed_e4, off_e4 = tax_e4 - computed_e4;
    const int64_t unit_e4 = code->reverse_charge ? 0 : money_minor_unit_e4(facts->currency);
    if (off_e4 > unit_e4 || -off_e4 > unit_e4)
        report(decision, REASON_TAX_AMOUNT_WRONG, "tax", code->reverse_charge ? "reverse charge: it is due with the invoice" : "not the tax in the amount");
    if (!money_product(tax_e4, MONEY_SCALE, code->deductible_e4, PER_CENT_SCALE, facts->currency, &deductible_e4)) return;
    payment->next.tax_deductible_e4 = deductible_e4;
    payment->next.tax_not_deductible_e4 = tax_e4 - deductible_e4;
}

static void tax_account_fill(struct payment *payment, struct posting_line *line) {
    if (!line->tax_code.length || !payment->facts.entity) return;
    const struct slice key = KEY(payment->decision, payment->facts.entity->entity, line->tax_code);
    const struct tax_code *code = look_up(payment->decision, MASTER_TAX_CODES, key, payment->facts.posting_date, NULL);
    line->tax_account = (struct posting_account){code ? code->account : (struct slice){0}, MASTER_TAX_CODES, key};
}

void prepayment_line_add(struct payment *payment, struct posting *posting, const char *step) {
    struct payment_state *next = &payment->next;
    struct posting_line line = {.step = slice_of(step), .tax_code = next->tax_code, .method = next->method};
    line.amounts_e4[RULE_TAX_DEDUCTIBLE] = next->tax_deductible_e4;
    line.amounts_e4[RULE_TAX_NOT_DEDUCTIBLE] = next->tax_not_deductible_e4;
    line.amounts_e4[RULE_RECEIPT_VALUE] = next->amount_e4 - next->tax_deductible_e4 - next->tax_not_deductible_e4;
    tax_account_fill(payment, &line);
    posting_add(posting, &line);
    next->net_functional_e4 = posting_functional(posting, line.amounts_e4[RULE_RECEIPT_VALUE]);
    next->deductible_functional_e4 = posting_functional(posting, next->tax_deductible_e4);
    next->not_deductible_functional_e4 = posting_functional(posting, next->tax_not_deductible_e4);
    next->transit_functional_e4 = posting_functional(posting, next->amount_e4);
    next->left_e4 = next->amount_e4;
    next->left_deductible_e4 = next->tax_deductible_e4;
    next->left_not_deductible_e4 = next->tax_not_deductible_e4;
}

/* ---- applied ---- */

/* Takes the share of a part off what is left. */
static int64_t take(struct payment *payment, int64_t *left_e4, int64_t part_e4, int64_t of_e4, struct currency currency) {
    const int64_t share_e4 = payment_share(payment, *left_e4, part_e4, of_e4, currency);
    *left_e4 -= share_e4;
    return share_e4;
}

static void item_apply(struct payment *payment, struct posting *posting, const struct payment_item *from, struct open_item *item) {
    struct payment_state *next = &payment->next;
    const struct facts *facts = &payment->facts;
    const int64_t part_e4 = from->amount_e4, left_e4 = next->left_e4;
    if (!facts->has_currency || !facts->entity || part_e4 > left_e4 || part_e4 <= 0) return;
    int64_t *booked_e4 = decision_alloc(payment->decision, RULE_AMOUNT_COUNT * sizeof *booked_e4);
    struct posting_line line = {.source_line = from->document, .category = item->category, .tax_code = next->tax_code, .method = next->method, .booked_e4 = booked_e4};
    line.amounts_e4[RULE_TAX_DEDUCTIBLE] = take(payment, &next->left_deductible_e4, part_e4, left_e4, facts->currency);
    line.amounts_e4[RULE_TAX_NOT_DEDUCTIBLE] = take(payment, &next->left_not_deductible_e4, part_e4, left_e4, facts->currency);
    line.amounts_e4[RULE_RECEIPT_VALUE] = part_e4 - line.amounts_e4[RULE_TAX_DEDUCTIBLE] - line.amounts_e4[RULE_TAX_NOT_DEDUCTIBLE];
    booked_e4[RULE_GROSS] = item_settle(payment, item, part_e4);
    booked_e4[RULE_TAX_DEDUCTIBLE] = take(payment, &next->deductible_functional_e4, part_e4, left_e4, facts->functional);
    booked_e4[RULE_TAX_NOT_DEDUCTIBLE] = take(payment, &next->not_deductible_functional_e4, part_e4, left_e4, facts->functional);
    booked_e4[RULE_NET] = take(payment, &next->net_functional_e4, part_e4, left_e4, facts->functional);
    tax_account_fill(payment, &line);
    posting_add(posting, &line);
    next->left_e4 -= part_e4;
}

static void items_apply(struct payment *payment, struct posting *posting) {
    struct decision *decision = payment->decision;
    const struct payment_event *event = payment->event;
    int64_t sum_e4 = 0;
    items_begin(payment, event->items.count);
    for (size_t i = 0; i < event->items.count; i++) {
        const struct payment_item *from = &event->items.items[i];
        if (!facts_amount_fits(from->amount_e4)) continue;
        payment->summed &= decimal_add(sum_e4, from->amount_e4, &sum_e4);
        if (from->discount_e4 || from->withheld_e4)
            report(decision, REASON_TOTAL_MISMATCH, item_path(decision, i, "amount"), "a prepayment is applied without discount and withholding");
        struct open_item *item = item_check(payment, i, from->document, from->amount_e4, ITEM_APPLIED);
        if (item) item_apply(payment, posting, from, item);
    }
    if (!payment->summed) return;
    if (event->has_amount && sum_e4 != event->amount_e4) report(decision, REASON_TOTAL_MISMATCH, "amount", "not the sum of the items");
    if (sum_e4 > payment->state->left_e4) report(decision, REASON_PAYMENT_EXCEEDS_OPEN, "amount", "more than is left of the prepayment");
}

void payment_decide_prepayment_applied(struct payment *payment) {
    struct decision *decision = payment->decision;
    const struct payment_state *state = payment->state;
    if (!state->prepayment) {
        report(decision, REASON_PAYMENT_UNMATCHED, "document", "it is no prepayment");
        return;
    }
    if (!payment->event->items.count) report(decision, REASON_TOTAL_MISMATCH, "items", "missing");
    const struct posting_command *sent = emitted(decision, OUTPUT_COMMANDS, state->journal);
    struct facts facts = payment->facts;
    facts.rate_e10 = currency_equal(facts.currency, facts.functional) ? 0 : sent->rate_e10;
    struct posting posting;
    payment_posting_begin(payment, &posting, &facts, "prepayment_applied", state->applications + 1);
    posting.rate_date = sent->rate_date;
    posting.item_amount = RULE_GROSS;
    items_apply(payment, &posting);
    posting_check(&posting);
    if (refused(decision)) return;
    (void)posting_emit(&posting, OUTPUT_COMMANDS);
    payment->next.applications++;
    items_put(payment);
    state_put(decision, STORE_PAYMENTS, payment->key, &payment->next);
}
