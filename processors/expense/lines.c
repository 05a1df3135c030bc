/* lines: what a report's lines come to: gross, tax, value in the report's currency, and their journal lines. */
#include "processors/expense/expense.h"

enum { OLDEST_EXPENSE = 7305 /* 1990-01-01 */, DAYS_AHEAD = 1 /* it is tomorrow already where it was spent */ };
static const int64_t hundred_percent_e4 = 1000000;

void expense_lines_begin(struct claim *claim, const struct expense_line *lines, size_t count) {
    claim->items = decision_alloc(claim->expense->decision, (count + 1) * sizeof *claim->items);
    claim->count = count;
    for (size_t i = 0; i < count; i++) claim->items[i].line = &lines[i];
}

/* ---- who paid, when, how much ---- */

static void payer_check(struct claim *claim, size_t i) {
    struct decision *decision = claim->expense->decision;
    struct item *item = &claim->items[i];
    const struct slice paid_by = item->line->paid_by;
    item->payer = slice_equal(paid_by, SLICE("card")) ? PAYER_CARD : slice_equal(paid_by, SLICE("company")) ? PAYER_COMPANY : PAYER_EMPLOYEE;
    if (item->payer == PAYER_EMPLOYEE && paid_by.length && !slice_equal(paid_by, SLICE("employee")))
        report(decision, REASON_CARD_MISMATCH, facts_path(decision, i, "paid_by"), "\"" SLICE_FORMAT "\" is not employee, card or company", SLICE_ARGUMENT(paid_by));
    else if (item->line->personal && item->payer != PAYER_CARD)
        report(decision, REASON_CARD_MISMATCH, facts_path(decision, i, "paid_by"), "a personal line is one on the company's card");
}

static void receipt_check(struct claim *claim, size_t i) {
    struct decision *decision = claim->expense->decision;
    struct item *item = &claim->items[i];
    const struct expense_line *line = item->line;
    if (line->currency.length) {
        item->has_currency = currency_find(line->currency, &item->currency);
        if (!item->has_currency) report(decision, REASON_CURRENCY_UNKNOWN, facts_path(decision, i, "currency"), "\"" SLICE_FORMAT "\"", SLICE_ARGUMENT(line->currency));
    } else {
        item->has_currency = claim->expense->facts.has_currency;
        item->currency = claim->expense->facts.currency;
    }
    const struct facts own = {.currency = item->currency, .has_currency = item->has_currency};
    if (!line->has_gross) report(decision, REASON_TOTAL_MISMATCH, facts_path(decision, i, "gross"), "missing");
    else facts_amount_check(decision, &own, line->gross_e4, i, "gross");
    facts_quantity_check(decision, line->quantity_e6, i, "quantity");   /* of no consequence, but kept */
    item->has_gross = line->has_gross && facts_amount_fits(line->gross_e4);
    item->gross_e4 = item->has_gross ? line->gross_e4 : 0;
}

static void date_check(struct claim *claim, size_t i) {
    const struct facts *facts = &claim->expense->facts;
    const int32_t date = claim->items[i].line->date, last = facts->document_date > facts->posting_date ? facts->document_date : facts->posting_date;
    if (date >= OLDEST_EXPENSE && (int64_t)date <= (int64_t)last + DAYS_AHEAD) return;
    report(claim->expense->decision, REASON_DATE_IMPLAUSIBLE, facts_path(claim->expense->decision, i, "date"), "before 1990, or after the report");
}

/* ---- tax ---- */

/* Key of the tax code, length 0: none. */
static struct slice tax_code_find(struct claim *claim, struct item *item, int32_t tax_date) {
    struct expense *expense = claim->expense;
    struct decision *decision = expense->decision;
    const struct slice entity = expense->event->entity, country = item->line->country;
    item->tax_code = item->line->tax_code;
    if (item->tax_code.length) return KEY(decision, entity, item->tax_code);
    if (!item->policy || !item->policy->tax_code.length) return (struct slice){0};
    const struct slice code = item->policy->tax_code;
    if (country.length) {
        const struct slice of_country = decision_format(decision, SLICE_FORMAT "." SLICE_FORMAT, SLICE_ARGUMENT(code), SLICE_ARGUMENT(country));
        const struct slice key = KEY(decision, entity, of_country);
        if (look_up(decision, MASTER_TAX_CODES, key, tax_date, NULL)) {
            item->tax_code = of_country;
            return key;
        }
        const struct legal_entity *at_home = expense->facts.entity;
        /* A tax of one country is not reclaimed by a code of another. */
        if (at_home && at_home->country.length && !slice_equal(at_home->country, country)) return (struct slice){0};
    }
    item->tax_code = code;
    return KEY(decision, entity, code);
}

/* Whether a tax that a receipt shows can be: not above what the rate gives, but for a minor unit, nor of the other sign. */
static bool tax_plausible(int64_t given_e4, int64_t computed_e4, int64_t gross_e4, struct currency currency) {
    if (!facts_amount_fits(given_e4) || (gross_e4 == 0 && given_e4 != 0)) return false;
    if (gross_e4 < 0) given_e4 = -given_e4, computed_e4 = -computed_e4;
    return given_e4 >= 0 && given_e4 <= computed_e4 + money_minor_unit_e4(currency);
}

static void tax_check(struct claim *claim, size_t i) {
    struct decision *decision = claim->expense->decision;
    struct item *item = &claim->items[i];
    const struct expense_line *line = item->line;
    const int32_t tax_date = claim->has_tax_date ? claim->tax_date : line->date;
    const struct facts own = {.currency = item->currency, .has_currency = item->has_currency};
    if (line->has_tax) facts_amount_check(decision, &own, line->tax_e4, i, "tax");
    if (line->personal) return;
    item->tax_key = tax_code_find(claim, item, tax_date);
    if (!item->tax_key.length) {
        if (line->has_tax && line->tax_e4) report(decision, REASON_TAX_AMOUNT_WRONG, facts_path(decision, i, "tax"), "tax without a tax code");
        return;
    }
    const struct tax_code *code = look_up(decision, MASTER_TAX_CODES, item->tax_key, tax_date, NULL);
    if (!code) { (void)require(decision, MASTER_TAX_CODES, item->tax_key, tax_date, REASON_TAX_CODE_UNKNOWN, facts_path(decision, i, "tax_code")); return; }
    if (code->reverse_charge || slice_equal(code->kind, SLICE("withholding"))) {
        report_as(decision, CLASS_HELD, REASON_TAX_CODE_UNKNOWN, facts_path(decision, i, "tax_code"), SLICE_FORMAT ": reverse charge and withholding are not for expenses",
                  SLICE_ARGUMENT(item->tax_code));
        return;
    }
    item->code = code;
    if (!item->has_gross || !item->has_currency) return;
    int64_t computed_e4;
    if (!decimal_is_number(code->rate_e4) || !money_share(item->gross_e4, code->rate_e4, hundred_percent_e4 + code->rate_e4, item->currency, &computed_e4)) {
        report(decision, REASON_AMOUNT_OVERFLOW, facts_path(decision, i, "tax"), "");
        return;
    }
    item->tax_e4 = computed_e4;
    if (!line->has_tax) return;
    if (tax_plausible(line->tax_e4, computed_e4, item->gross_e4, item->currency)) item->tax_e4 = line->tax_e4;
    else report(decision, REASON_TAX_AMOUNT_WRONG, facts_path(decision, i, "tax"), "more than the rate gives, or of the other sign");
}

/* ---- values in the report's currency ---- */

static void value_check(struct claim *claim, size_t i) {
    struct expense *expense = claim->expense;
    const struct facts *facts = &expense->facts;
    struct item *item = &claim->items[i];
    if (item->payer != PAYER_CARD)
        item->valued = item->has_gross && item->has_currency && facts->has_currency &&
                       exchange_value(expense, item->gross_e4, item->line->date, item->currency, facts->currency, i, "currency", &item->value_e4);
    if (!item->valued || !item->code || !item->tax_e4) return;
    bool fits = money_share(item->value_e4, item->tax_e4, item->gross_e4, facts->currency, &item->tax_value_e4);
    /* Without a receipt nothing is reclaimed. */
    if (fits && item->line->proof) fits = money_product(item->tax_value_e4, MONEY_SCALE, item->code->deductible_e4, PER_CENT_SCALE, facts->currency, &item->deductible_e4);
    if (!fits) report(expense->decision, REASON_AMOUNT_OVERFLOW, facts_path(expense->decision, i, "tax"), "");
}

static void totals_check(struct claim *claim) {
    struct expense *expense = claim->expense;
    int64_t sum_e4 = 0;
    claim->summed = claim->count > 0;
    for (size_t i = 0; i < claim->count; i++) {
        const struct item *item = &claim->items[i];
        claim->summed &= item->valued;
        if (!item->valued) continue;
        const bool owed = item->payer == PAYER_EMPLOYEE;
        if (!decimal_add(sum_e4, item->value_e4, &sum_e4) || !facts_amount_fits(sum_e4) ||
            (owed && (!decimal_add(claim->owed_e4, item->value_e4, &claim->owed_e4) || !facts_amount_fits(claim->owed_e4)))) {
            report(expense->decision, REASON_AMOUNT_OVERFLOW, "lines", "their sum");
            claim->summed = false;
            return;
        }
    }
    if (!claim->summed || !claim->has_total || !facts_amount_fits(claim->total_e4) || sum_e4 == claim->total_e4) return;
    char sum[DECIMAL_TEXT_SIZE];
    money_print(sum_e4, expense->facts.currency, sum);
    report(expense->decision, REASON_TOTAL_MISMATCH, "total", "the lines come to %s", sum);
}

void expense_lines_check(struct claim *claim) {
    struct decision *decision = claim->expense->decision;
    if (!claim->count) report(decision, REASON_TOTAL_MISMATCH, "lines", "missing");
    if (claim->has_total) facts_amount_check(decision, &claim->expense->facts, claim->total_e4, FACTS_HEAD, "total");
    for (size_t i = 0; i < claim->count; i++) {
        payer_check(claim, i);
        date_check(claim, i);
        if (claim->items[i].line->rate_kind.length) travel_line_check(claim, i);
        else receipt_check(claim, i);
        policy_line_check(claim, i);
        tax_check(claim, i);
    }
    matching_check(claim);
    for (size_t i = 0; i < claim->count; i++) value_check(claim, i);
    totals_check(claim);
    duplicates_check(claim);
}

/* ---- journal ---- */

void expense_lines_post(const struct claim *claim, struct posting *posting) {
    for (size_t i = 0; i < claim->count; i++) {
        const struct item *item = &claim->items[i];
        const struct expense_line *line = item->line;
        if (!item->coded || !item->valued || item->payer == PAYER_COMPANY || (!item->value_e4 && !item->functional_e4)) continue;
        struct posting_line to = {
            .step = line->personal ? SLICE("expense_personal") : item->payer == PAYER_CARD ? SLICE("expense_paid_by_card") : SLICE("expense_paid_by_employee"),
            .source_line = line->line, .category = line->category, .tax_code = item->tax_code, .method = claim->expense->event->method, .cost_centre = item->cost_centre,
            .project = line->project, .account = line->account};
        if (item->code) to.tax_account = (struct posting_account){item->code->account, MASTER_TAX_CODES, item->tax_key};
        to.amounts_e4[RULE_RECEIPT_VALUE] = item->value_e4 - item->tax_value_e4;
        to.amounts_e4[RULE_TAX_DEDUCTIBLE] = item->deductible_e4;
        to.amounts_e4[RULE_TAX_NOT_DEDUCTIBLE] = item->tax_value_e4 - item->deductible_e4;
        if (item->payer == PAYER_CARD) to.carried.has = true, to.carried.amount = RULE_GROSS, to.carried.functional_e4 = item->functional_e4;
        posting_add(posting, &to);
    }
}
