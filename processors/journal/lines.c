/* lines: a journal's lines, with accounts named or by rules, and whether they balance (docs/journals.md). */
#include "processors/journal/journal.h"
#include "schemas/tax_code.h"

enum { PER_CENT_SCALE = 6 };   /* a rate in per cent at scale 4 is a share at scale 6 */

/* ---- amounts ---- */

void canonical_amounts_check(struct canonical *canonical) {
    struct decision *decision = canonical->decision;
    struct facts functional = canonical->facts;
    functional.currency = canonical->facts.functional;
    functional.has_currency = canonical->facts.entity != NULL;
    for (size_t i = 0; i < canonical->event->lines.count; i++) {
        const struct journal_event_line *line = &canonical->event->lines.items[i];
        facts_amount_check(decision, &canonical->facts, line->amount_e4, i, "amount");
        if (line->has_tax) facts_amount_check(decision, &canonical->facts, line->tax_e4, i, "tax");
        if (line->has_functional) facts_amount_check(decision, &functional, line->functional_e4, i, "functional");
    }
}

/* Whether its amounts are numbers: otherwise that is reported, and they are in no sum. */
static bool line_is_readable(const struct journal_event_line *line) {
    return facts_amount_fits(line->amount_e4) && (!line->has_tax || facts_amount_fits(line->tax_e4)) && (!line->has_functional || facts_amount_fits(line->functional_e4));
}

/* The code as of the tax date, in the books of the entity that bears the line; NULL: reported. */
static const struct tax_code *tax_code_require(struct canonical *canonical, size_t i, struct slice entity) {
    struct decision *decision = canonical->decision;
    const struct slice key = KEY(decision, entity, canonical->event->lines.items[i].tax_code);
    const struct tax_code *code = look_up(decision, MASTER_TAX_CODES, key, canonical->tax_date, NULL);
    return code ? code : require(decision, MASTER_TAX_CODES, key, canonical->tax_date, REASON_TAX_CODE_UNKNOWN, facts_path(decision, i, "tax_code"));
}

/* ---- accounts named ---- */

struct sums {
    __int128 debit_e4, credit_e4, functional_debit_e4, functional_credit_e4;
    size_t converted;
    bool whole, whole_functional;   /* every line is in them */
};

static void functional_check(struct canonical *canonical, size_t i) {
    const struct facts *facts = &canonical->facts;
    const struct journal_event_line *line = &canonical->event->lines.items[i];
    const struct slice bearer = line->bearer;
    if (!line->has_functional || !line_is_readable(line)) return;
    const char *wrong = NULL;
    if (facts->entity && facts->has_currency && currency_equal(facts->currency, facts->functional) && line->functional_e4 != line->amount_e4)
        wrong = "the journal is in functional currency, and it is not the amount";
    else if ((line->amount_e4 > 0 && line->functional_e4 < 0) || (line->amount_e4 < 0 && line->functional_e4 > 0)) wrong = "not of the amount's sign";
    else if (!line->amount_e4 && line->functional_e4 && bearer.length && !slice_equal(bearer, canonical->event->entity))
        wrong = "a functional value alone cannot be another entity's";
    if (wrong) report(canonical->decision, REASON_TOTAL_MISMATCH, facts_path(canonical->decision, i, "functional"), "%s", wrong);
}

static void line_sum(struct sums *sums, const struct journal_event_line *line, int64_t functional_e4) {
    const bool debit = line->side == JOURNAL_EVENT_SIDE_DEBIT;
    const bool turned = line->amount_e4 < 0 || (!line->amount_e4 && functional_e4 < 0);
    const int64_t sign = turned ? -1 : 1;
    *(debit != turned ? &sums->debit_e4 : &sums->credit_e4) += sign * line->amount_e4;
    *(debit != turned ? &sums->functional_debit_e4 : &sums->functional_credit_e4) += sign * functional_e4;
    sums->converted += !line->has_functional;
}

static void share_sum(struct share *share, const struct journal_event_line *line, int64_t functional_e4, int64_t own_e4) {
    const int64_t sign = line->side == JOURNAL_EVENT_SIDE_DEBIT ? 1 : -1;
    share->due_e4 += sign * line->amount_e4;
    share->due_functional_e4 += sign * functional_e4;
    share->due_own_e4 += sign * own_e4;
}

/* What the line's value is in the books of who bears it. */
static int64_t share_functional(const struct canonical *canonical, const struct share *share, const struct journal_event_line *line) {
    if (line->has_functional && currency_equal(canonical->facts.functional, share->facts.functional)) return line->functional_e4;
    return posting_functional(&share->posting, line->amount_e4);
}

static void line_named_add(struct canonical *canonical, size_t i, struct sums *sums) {
    struct decision *decision = canonical->decision;
    const struct journal_event_line *from = &canonical->event->lines.items[i];
    struct share *share = share_find(canonical, i);
    if (!from->account.length) report_as(decision, CLASS_HELD, REASON_ACCOUNT_UNKNOWN, facts_path(decision, i, "account"), "the line names none");
    if (from->tax_code.length && (!share || share_is_usable(share))) (void)tax_code_require(canonical, i, share ? share->bearer : canonical->event->entity);
    if (from->has_tax && from->tax_e4) report(decision, REASON_TAX_AMOUNT_WRONG, facts_path(decision, i, "tax"), "where lines name accounts, tax is a line of its own");
    functional_check(canonical, i);
    if (!line_is_readable(from)) { sums->whole = sums->whole_functional = false; return; }
    if (!from->has_functional && !canonical->own.has_rate) sums->whole_functional = false;
    const int64_t functional_e4 = from->has_functional ? from->functional_e4 : posting_functional(&canonical->own, from->amount_e4);
    line_sum(sums, from, functional_e4);
    struct ledger_line line = {.account = from->account, .cost_centre = from->cost_centre, .project = from->project, .tax_code = from->tax_code, .partner = from->partner,
        .text = from->text, .source_line = from->line, .place = i + 1, .side = from->side == JOURNAL_EVENT_SIDE_DEBIT ? LEDGER_DEBIT : LEDGER_CREDIT,
        .amount_e4 = from->amount_e4, .functional_e4 = functional_e4};
    if (share && share_is_usable(share)) {
        line.functional_e4 = share_functional(canonical, share, from);
        share_sum(share, from, functional_e4, line.functional_e4);
    } else if (share) return;
    if (from->account.length) posting_add_outright(share ? &share->posting : &canonical->own, line);
}

/* ---- balance ---- */

static void difference_report(struct canonical *canonical, const char *field, __int128 difference_e4, struct currency currency) {
    char text[DECIMAL_TEXT_SIZE] = "too much";
    const bool debits = difference_e4 > 0;
    const __int128 size_e4 = debits ? difference_e4 : -difference_e4;
    if (size_e4 <= MONEY_MAXIMUM_E4) money_print((int64_t)size_e4, currency, text);
    report(canonical->decision, REASON_JOURNAL_UNBALANCED, field, "%s are larger by %s %s", debits ? "debits" : "credits", text, currency.code);
}

static void balance_check(struct canonical *canonical, const struct sums *sums) {
    const struct facts *facts = &canonical->facts;
    if (!sums->whole || !facts->has_currency) return;
    if (sums->debit_e4 != sums->credit_e4) difference_report(canonical, "lines.amount", sums->debit_e4 - sums->credit_e4, facts->currency);
    canonical->has_total = sums->debit_e4 <= INT64_MAX && facts_amount_fits((int64_t)sums->debit_e4);
    if (canonical->has_total) canonical->total_e4 = (int64_t)sums->debit_e4;
    else report(canonical->decision, REASON_AMOUNT_OVERFLOW, "lines", "one side comes to more than 1,000,000,000,000");
    if (!facts->entity || currency_equal(facts->currency, facts->functional) || !sums->whole_functional) return;
    const __int128 left_e4 = sums->functional_debit_e4 - sums->functional_credit_e4, limit_e4 = (__int128)sums->converted * money_minor_unit_e4(facts->functional) / 2;
    if (left_e4 > limit_e4 || left_e4 < -limit_e4) difference_report(canonical, "lines.functional", left_e4, facts->functional);
}

static void named_add(struct canonical *canonical) {
    struct decision *decision = canonical->decision;
    const struct journal_event *event = canonical->event;
    struct sums sums = {.whole = true, .whole_functional = true};
    if (canonical->permission && !canonical->permission->journals)
        report_as(decision, CLASS_REJECTED, REASON_SOURCE_NOT_AUTHORISED, "by_rules", SLICE_FORMAT " may not name accounts outright: its permission does not say journals",
                  SLICE_ARGUMENT(event->source));
    posting_begin_outright(&canonical->own, decision, &canonical->facts, canonical->step, canonical->document, canonical->version);
    for (size_t i = 0; i < event->lines.count; i++) line_named_add(canonical, i, &sums);
    if (event->lines.count) balance_check(canonical, &sums);
    shares_due_add(canonical);
}

/* ---- by rules ---- */

struct line_tax { int64_t charged_e4, deductible_e4, reverse_e4; };

/* The line's tax by its code; false: it cannot be told, and that is reported. */
static bool tax_find(struct canonical *canonical, size_t i, const struct tax_code *code, struct line_tax *tax) {
    struct decision *decision = canonical->decision;
    const struct journal_event_line *line = &canonical->event->lines.items[i];
    const struct currency currency = canonical->facts.currency;
    int64_t computed_e4 = 0;
    const int64_t given_e4 = line->has_tax ? line->tax_e4 : 0, unit_e4 = money_minor_unit_e4(currency);
    if (slice_equal(code->kind, SLICE("withholding"))) {
        report_as(decision, CLASS_HELD, REASON_TAX_CODE_UNKNOWN, facts_path(decision, i, "tax_code"), "it is kept back from payments");
        return false;
    }
    if (code->external && !line->has_tax) {
        report_as(decision, CLASS_HELD, REASON_TAX_PENDING, facts_path(decision, i, "tax"), "an external engine computes it: send it with the line");
        return false;
    }
    bool fits = money_product(line->amount_e4, MONEY_SCALE, code->rate_e4, PER_CENT_SCALE, currency, &computed_e4) && facts_amount_fits(computed_e4);
    tax->charged_e4 = line->has_tax || code->reverse_charge ? given_e4 : computed_e4;
    const int64_t off_e4 = tax->charged_e4 - computed_e4;
    if (fits && code->reverse_charge && given_e4) report(decision, REASON_TAX_AMOUNT_WRONG, facts_path(decision, i, "tax"), "reverse charge: none is charged");
    else if (fits && !code->reverse_charge && !code->external && (off_e4 > unit_e4 || -off_e4 > unit_e4))
        report(decision, REASON_TAX_AMOUNT_WRONG, facts_path(decision, i, "tax"), "not amount times rate");
    tax->reverse_e4 = code->reverse_charge ? computed_e4 : 0;
    const int64_t whole_e4 = code->reverse_charge ? computed_e4 : tax->charged_e4;
    fits = fits && money_product(whole_e4, MONEY_SCALE, code->deductible_e4, PER_CENT_SCALE, currency, &tax->deductible_e4);
    if (!fits) report(decision, REASON_AMOUNT_OVERFLOW, facts_path(decision, i, "tax"), "");
    return fits;
}

/* Fills in the tax amounts of a line; *charged_e4: what is charged of it. */
static void tax_add(struct canonical *canonical, size_t i, struct slice entity, struct posting_line *line, int64_t *charged_e4) {
    struct decision *decision = canonical->decision;
    const struct journal_event_line *from = &canonical->event->lines.items[i];
    struct line_tax tax = {0};
    if (!from->tax_code.length) {
        if (from->has_tax && from->tax_e4) report(decision, REASON_TAX_AMOUNT_WRONG, facts_path(decision, i, "tax"), "tax without a tax code");
        return;
    }
    const struct tax_code *code = tax_code_require(canonical, i, entity);
    if (!code || !canonical->facts.has_currency || !tax_find(canonical, i, code, &tax)) return;
    line->tax_account = (struct posting_account){code->account, MASTER_TAX_CODES, KEY(decision, entity, from->tax_code)};
    line->amounts_e4[code->reverse_charge ? RULE_TAX_REVERSE_DEDUCTIBLE : RULE_TAX_DEDUCTIBLE] = tax.deductible_e4;
    line->amounts_e4[code->reverse_charge ? RULE_TAX_REVERSE_NOT_DEDUCTIBLE : RULE_TAX_NOT_DEDUCTIBLE] =
        (code->reverse_charge ? tax.reverse_e4 : tax.charged_e4) - tax.deductible_e4;
    *charged_e4 = tax.charged_e4;
}

/* The two halves of a line that another entity bears. */
static void line_shared_add(struct canonical *canonical, struct share *share, struct posting_line *line, int64_t charged_e4) {
    struct decision *decision = canonical->decision;
    const struct slice due_from = share_account(canonical, share, share->agreement->due_from_account);
    const struct slice due_to = share_account(canonical, share, share->agreement->due_to_account);
    if (!due_from.length || !due_to.length) return;
    struct posting_line payers = {.source_line = line->source_line, .category = line->category, .tax_code = line->tax_code, .partner = line->partner};
    payers.step = decision_format(decision, SLICE_FORMAT "_payer", SLICE_ARGUMENT(canonical->step));
    payers.amounts_e4[RULE_RECEIPT_VALUE] = line->amounts_e4[RULE_RECEIPT_VALUE];
    payers.amounts_e4[RULE_TAX_NOT_DEDUCTIBLE] = charged_e4;   /* it bears nothing: there is nothing to deduct from */
    line->step = decision_format(decision, SLICE_FORMAT "_bearer", SLICE_ARGUMENT(canonical->step));
    canonical->own.accounts.intercompany.account = due_from;
    share->posting.accounts.intercompany.account = due_to;
    posting_add(&canonical->own, &payers);
    posting_add(&share->posting, line);
}

static void line_by_rule_add(struct canonical *canonical, size_t i) {
    const struct journal_event_line *from = &canonical->event->lines.items[i];
    struct share *share = share_find(canonical, i);
    if (from->has_functional)
        report(canonical->decision, REASON_TOTAL_MISMATCH, facts_path(canonical->decision, i, "functional"), "what goes by rules is converted: it may not be given");
    if (!line_is_readable(from) || (share && !share_is_usable(share))) return;
    struct posting_line line = {.source_line = from->line, .category = from->category, .tax_code = from->tax_code, .cost_centre = from->cost_centre,
        .project = from->project, .account = from->account, .partner = from->partner};
    line.amounts_e4[RULE_RECEIPT_VALUE] = from->amount_e4;
    int64_t charged_e4 = 0;
    tax_add(canonical, i, share ? share->bearer : canonical->event->entity, &line, &charged_e4);
    if (!share) {
        line.step = canonical->step;
        posting_add(&canonical->own, &line);
    } else line_shared_add(canonical, share, &line, charged_e4);
}

static void by_rules_add(struct canonical *canonical) {
    const struct journal_event *event = canonical->event;
    __int128 total_e4 = 0;
    canonical->has_total = true;
    posting_begin(&canonical->own, canonical->decision, &canonical->facts, canonical->step, canonical->document, canonical->version);
    for (size_t i = 0; i < event->lines.count; i++) {
        line_by_rule_add(canonical, i);
        canonical->has_total &= line_is_readable(&event->lines.items[i]);
        if (canonical->has_total) total_e4 += event->lines.items[i].amount_e4;
    }
    if (!canonical->has_total) return;
    canonical->has_total = total_e4 <= INT64_MAX && total_e4 > INT64_MIN && facts_amount_fits((int64_t)total_e4);
    if (canonical->has_total) canonical->total_e4 = (int64_t)total_e4;
    else report(canonical->decision, REASON_AMOUNT_OVERFLOW, "lines", "their sum");
}

void canonical_lines_add(struct canonical *canonical) {
    const struct journal_event *event = canonical->event;
    if (!event->lines.count) report(canonical->decision, REASON_TOTAL_MISMATCH, "lines", "missing");
    (event->by_rules ? by_rules_add : named_add)(canonical);
}
