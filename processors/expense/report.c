/* report: the life of an expense report: submitted, approved, rejected, withdrawn, corrected, cancelled, reimbursed. */
#include "processors/expense/expense.h"

static bool in_status(const struct expense *expense, enum report_status status) { return expense->report && expense->report->status == status; }

/* ---- lines as they are kept ---- */

#define LINE_COPY(to, from) do { \
    (to)->line = (from)->line; (to)->category = (from)->category; (to)->date = (from)->date; (to)->country = (from)->country; (to)->currency = (from)->currency; \
    (to)->has_gross = (from)->has_gross; (to)->gross_e4 = (from)->gross_e4; (to)->tax_code = (from)->tax_code; (to)->has_tax = (from)->has_tax; (to)->tax_e4 = (from)->tax_e4; \
    (to)->rate_kind = (from)->rate_kind; (to)->quantity_e6 = (from)->quantity_e6; (to)->place = (from)->place; (to)->breakfasts = (from)->breakfasts; \
    (to)->lunches = (from)->lunches; (to)->dinners = (from)->dinners; (to)->paid_by = (from)->paid_by; (to)->card_transaction = (from)->card_transaction; \
    (to)->personal = (from)->personal; (to)->proof = (from)->proof; (to)->merchant = (from)->merchant; (to)->account = (from)->account; \
    (to)->cost_centre = (from)->cost_centre; (to)->project = (from)->project; \
} while (0)

static void lines_keep(const struct claim *claim, struct expense_report *report) {
    report->lines.items = decision_alloc(claim->expense->decision, (claim->count + 1) * sizeof *report->lines.items);
    report->lines.count = claim->count;
    for (size_t i = 0; i < claim->count; i++) LINE_COPY(&report->lines.items[i], claim->items[i].line);
}

static void lines_of_report(struct claim *claim, const struct expense_report *report) {
    struct expense_line *lines = decision_alloc(claim->expense->decision, (report->lines.count + 1) * sizeof *lines);
    for (size_t i = 0; i < report->lines.count; i++) LINE_COPY(&lines[i], &report->lines.items[i]);
    expense_lines_begin(claim, lines, report->lines.count);
}

/* ---- what is claimed ---- */

/* From the event; what it does not say is as it was submitted, if it is about that (report). */
static void claim_begin(struct claim *claim, struct expense *expense, const struct expense_report *submitted) {
    const struct expense_event *event = expense->event;
    *claim = (struct claim){.expense = expense, .has_total = event->has_total, .total_e4 = event->total_e4, .has_amount = event->has_amount, .amount_e4 = event->amount_e4,
                            .has_tax_date = event->has_tax_date, .tax_date = event->tax_date, .advance = event->advance};
    if (!submitted) { expense_lines_begin(claim, event->lines.items, event->lines.count); return; }
    if (!claim->has_total) claim->has_total = submitted->has_total, claim->total_e4 = submitted->total_e4;
    if (!claim->has_amount) claim->has_amount = submitted->has_advance_amount, claim->amount_e4 = submitted->advance_amount_e4;
    if (!claim->has_tax_date) claim->has_tax_date = submitted->has_tax_date, claim->tax_date = submitted->tax_date;
    if (!claim->advance.length) claim->advance = submitted->advance;
    lines_of_report(claim, submitted);
}

/* The report as it is then; what belongs to its payments stays. */
static struct expense_report report_make(const struct claim *claim, enum report_status status) {
    const struct expense *expense = claim->expense;
    struct expense_report report = expense->report ? *expense->report : (struct expense_report){0};
    report.status = status;
    report.currency = expense->currency;
    report.has_tax_date = claim->has_tax_date;
    report.tax_date = claim->tax_date;
    report.has_total = claim->has_total;
    report.total_e4 = claim->total_e4;
    report.advance = claim->advance;
    report.has_advance_amount = claim->has_amount;
    report.advance_amount_e4 = claim->amount_e4;
    lines_keep(claim, &report);
    return report;
}

/* Holds nothing any more. */
static void report_empty(struct expense *expense, struct expense_report *report) {
    duplicates_give_back(expense, report);
    report->lines.count = report->places.count = 0;
    report->journal = (struct slice){0};
    report->applied_e4 = report->applied_functional_e4 = report->owed_e4 = report->owed_functional_e4 = 0;
}

/* ---- submitted ---- */

void expense_decide_submitted(struct expense *expense) {
    struct decision *decision = expense->decision;
    const struct employee *employee = expense->facts.employee;
    if (employee && slice_equal(employee->status, SLICE("left"))) report(decision, REASON_EMPLOYEE_LEFT, "employee", "");
    if (in_status(expense, REPORT_STATUS_POSTED)) report(decision, REASON_DUPLICATE_DOCUMENT, "document", "the report was posted already");
    struct claim claim;
    claim_begin(&claim, expense, NULL);
    expense_lines_check(&claim);
    advance_check(&claim);
    if (refused(decision)) return;
    struct expense_report report = report_make(&claim, REPORT_STATUS_SUBMITTED);
    report.submitter = expense->event->user;
    report.submitted_at_ms = decision_time_ms(decision);
    if (expense->report) duplicates_give_back(expense, expense->report);
    duplicates_take(&claim, &report);
    book_put(&expense->book);
    state_put(decision, STORE_REPORTS, expense->key, &report);
}

/* ---- posted ---- */

/* Who decided: somebody, and somebody else. */
static void approver_check(struct expense *expense) {
    const struct slice user = expense->event->user;
    if (!user.length) report(expense->decision, REASON_APPROVAL_MISSING, "user", "it is not told who approved");
    else if (slice_equal(user, expense->event->employee) || (expense->report && slice_equal(user, expense->report->submitter)))
        report(expense->decision, REASON_SELF_APPROVAL, "user", SLICE_FORMAT, SLICE_ARGUMENT(user));
}

/* What the lines owe the employee in functional currency, each converted as it is posted. */
static int64_t owed_functional(const struct claim *claim, const struct posting *posting) {
    int64_t sum_e4 = 0;
    bool fits = true;
    for (size_t i = 0; i < claim->count; i++)
        if (claim->items[i].payer == PAYER_EMPLOYEE) fits = fits && decimal_add(sum_e4, posting_functional(posting, claim->items[i].value_e4), &sum_e4);
    fits = fits && sum_e4 <= MONEY_MAXIMUM_E4 && sum_e4 >= -MONEY_MAXIMUM_E4;
    if (!fits) report(posting->decision, REASON_AMOUNT_OVERFLOW, "currency", "in functional currency");
    return fits ? sum_e4 : 0;
}

static void report_post(struct claim *claim, bool correction) {
    struct expense *expense = claim->expense;
    struct decision *decision = expense->decision;
    const struct expense_report *before = expense->report;
    struct posting posting;
    posting_begin(&posting, decision, &expense->facts, SLICE("expense_report"), expense->document, (before ? before->version : 0) + 1);
    if (correction) advance_give_back(expense, before);
    approver_check(expense);
    expense_lines_check(claim);
    advance_check(claim);
    expense_lines_post(claim, &posting);
    const int64_t functional_e4 = owed_functional(claim, &posting), applied_e4 = claim->applied_e4;
    /* All that is owed is all of it in functional currency too, however its lines were rounded. */
    const int64_t applied_functional_e4 = applied_e4 == claim->owed_e4 ? functional_e4 : posting_functional(&posting, applied_e4);
    advance_post(claim, &posting, applied_functional_e4);
    if (correction && before->journal.length) posting_follow(&posting, emitted(decision, OUTPUT_COMMANDS, before->journal));
    posting_check(&posting);
    if (correction) posting_reversal_check(decision, &expense->facts);
    if (refused(decision)) return;
    struct expense_report report_now = report_make(claim, REPORT_STATUS_POSTED);
    report_now.version = posting.version;
    report_now.applied_e4 = claim->applied_e4;
    report_now.applied_functional_e4 = claim->applied_functional_e4;
    report_now.owed_e4 = claim->owed_e4 - claim->applied_e4;
    report_now.owed_functional_e4 = functional_e4 - applied_functional_e4;   /* of amounts that were checked */
    posting.has_tax_date = true;
    posting.tax_date = claim->has_tax_date ? claim->tax_date : expense->event->document_date;
    const bool reversed = correction && posting_reverse(decision, &expense->facts, OUTPUT_COMMANDS, before->journal).length;
    report_now.journal = posting_emit(&posting, OUTPUT_COMMANDS);
    if (!report_now.journal.length && !reversed) report(decision, REASON_ZERO_VALUE, "", "");
    if (before) duplicates_give_back(expense, before);
    duplicates_take(claim, &report_now);
    book_put(&expense->book);
    state_put(decision, STORE_REPORTS, expense->key, &report_now);
}

void expense_decide_approved(struct expense *expense) {
    struct decision *decision = expense->decision;
    const bool with_lines = expense->event->lines.count > 0, submitted = in_status(expense, REPORT_STATUS_SUBMITTED);
    if (in_status(expense, REPORT_STATUS_POSTED)) {
        if (!refused(decision)) report(decision, REASON_NO_EFFECT, "", "");
        return;
    }
    if (!with_lines && !submitted) {
        if (!expense->report) wait_for_state(decision, REASON_ORIGINAL_UNKNOWN, "document", STORE_REPORTS, expense->key);
        else report(decision, REASON_ORIGINAL_UNKNOWN, "document", "the report is %s", report_status_name(expense->report->status));
        approver_check(expense);
        return;
    }
    if (!with_lines && expense->report->submitted_at_ms > decision_time_ms(decision))
        report(decision, REASON_APPROVAL_MISSING, "document", "what is submitted now is later than this approval");
    if (!with_lines && expense->event->currency.length && !slice_equal(expense->event->currency, expense->report->currency))
        report(decision, REASON_CURRENCY_MISMATCH, "currency", "submitted in " SLICE_FORMAT, SLICE_ARGUMENT(expense->report->currency));
    struct claim claim;
    claim_begin(&claim, expense, with_lines ? NULL : expense->report);
    report_post(&claim, false);
}

void expense_decide_corrected(struct expense *expense) {
    struct decision *decision = expense->decision;
    if (!in_status(expense, REPORT_STATUS_POSTED)) {
        const bool cancelled = in_status(expense, REPORT_STATUS_CANCELLED);
        report(decision, cancelled ? REASON_ALREADY_REVERSED : REASON_ORIGINAL_UNKNOWN, "document", "report " SLICE_FORMAT, SLICE_ARGUMENT(expense->document));
        approver_check(expense);
        return;
    }
    struct claim claim;
    claim_begin(&claim, expense, NULL);
    report_post(&claim, true);
}

/* ---- taken back ---- */

void expense_decide_refused(struct expense *expense, enum report_status status) {
    struct decision *decision = expense->decision;
    const bool submitted = in_status(expense, REPORT_STATUS_SUBMITTED);
    if (!expense->report) report(decision, REASON_ORIGINAL_UNKNOWN, "document", "report " SLICE_FORMAT, SLICE_ARGUMENT(expense->document));
    else if (in_status(expense, REPORT_STATUS_POSTED)) report(decision, REASON_ALREADY_POSTED, "document", "");
    if (refused(decision)) return;
    if (!submitted) { report(decision, REASON_NO_EFFECT, "", ""); return; }
    struct expense_report report_now = *expense->report;
    report_empty(expense, &report_now);
    report_now.status = status;
    book_put(&expense->book);
    state_put(decision, STORE_REPORTS, expense->key, &report_now);
}

void expense_decide_cancelled(struct expense *expense) {
    struct decision *decision = expense->decision;
    const struct expense_report *before = expense->report;
    const bool posted_before = in_status(expense, REPORT_STATUS_POSTED);
    if (in_status(expense, REPORT_STATUS_CANCELLED)) report(decision, REASON_ALREADY_REVERSED, "document", "");
    else if (!posted_before && !in_status(expense, REPORT_STATUS_SUBMITTED))
        report(decision, REASON_ORIGINAL_UNKNOWN, "document", "report " SLICE_FORMAT, SLICE_ARGUMENT(expense->document));
    if (posted_before) posting_reversal_check(decision, &expense->facts);
    if (refused(decision)) return;
    struct expense_report report_now = *before;
    if (posted_before && !posting_reverse(decision, &expense->facts, OUTPUT_COMMANDS, before->journal).length) report(decision, REASON_ZERO_VALUE, "", "");
    advance_give_back(expense, before);
    report_empty(expense, &report_now);
    report_now.status = REPORT_STATUS_CANCELLED;
    book_put(&expense->book);
    state_put(decision, STORE_REPORTS, expense->key, &report_now);
}

void expense_decide_report_voided(struct expense *expense, enum report_status status) {
    struct expense_report report_now = expense->report ? *expense->report : (struct expense_report){.currency = expense->event->currency};
    report_empty(expense, &report_now);
    report_now.status = status;
    book_put(&expense->book);
    state_put(expense->decision, STORE_REPORTS, expense->key, &report_now);
    report(expense->decision, REASON_NO_EFFECT, "", "what waited is void");
}

/* ---- reimbursed ---- */

static bool reimbursable(struct expense *expense, bool known) {
    struct decision *decision = expense->decision;
    const struct expense_report *before = expense->report;
    if (!before) wait_for_state(decision, REASON_ORIGINAL_UNKNOWN, "document", STORE_REPORTS, expense->key);
    else if (before->status != REPORT_STATUS_POSTED && before->status != REPORT_STATUS_CANCELLED)
        report(decision, REASON_APPROVAL_MISSING, "document", "the report is %s", report_status_name(before->status));
    else if (!slice_equal(expense->currency, before->currency))
        report(decision, REASON_CURRENCY_MISMATCH, "currency", "the report is in " SLICE_FORMAT, SLICE_ARGUMENT(before->currency));
    else if (known && expense->event->amount_e4 > before->owed_e4 - before->paid_e4) {
        char open[DECIMAL_TEXT_SIZE];
        decimal_print(before->owed_e4 - before->paid_e4, MONEY_SCALE, 0, open);
        report(decision, REASON_PAYMENT_EXCEEDS_OPEN, "amount", "open are %s", open);
    } else return known;
    return false;
}

void expense_decide_reimbursed(struct expense *expense) {
    struct decision *decision = expense->decision;
    const struct expense_event *event = expense->event;
    const struct expense_report *before = expense->report;
    const struct employee *employee = expense->facts.employee;
    const struct slice method = event->method.length ? event->method : employee ? employee->reimbursed_by : (struct slice){0};
    const bool known = expense_amount_require(expense), fits = reimbursable(expense, known);
    struct posting posting;
    posting_begin(&posting, decision, &expense->facts, slice_equal(method, SLICE("payroll")) ? SLICE("reimbursement_payroll") : SLICE("reimbursement_bank"), expense->document,
                  before ? before->reimbursements + 1 : 1);
    expense_bank_take(expense, &posting);
    posting.payment_method = method;
    struct posting_line line = {.method = method};
    if (known) line.amounts_e4[RULE_PAID] = event->amount_e4;
    if (fits) {
        line.carried.has = true;
        line.carried.amount = RULE_SETTLED;
        line.carried.functional_e4 = expense_carried(expense, before->owed_functional_e4 - before->paid_functional_e4, event->amount_e4, before->owed_e4 - before->paid_e4);
    }
    posting_add(&posting, &line);
    posting_check(&posting);
    if (refused(decision)) return;
    struct expense_report report_now = *before;
    report_now.reimbursements++;
    report_now.paid_e4 += event->amount_e4;
    report_now.paid_functional_e4 += line.carried.functional_e4;
    (void)expense_emit(expense, &posting);
    state_put(decision, STORE_REPORTS, expense->key, &report_now);
}
