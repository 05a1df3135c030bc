/* policy: what a category allows, and where a line is booked: limits, receipts, project, cost centre. */
#include <stdio.h>

#include "processors/expense/expense.h"
#include "schemas/cost_centre.h"
#include "schemas/project.h"

static const struct slice any_grade = {"*", 1};

static const struct expense_policy *policy_find(struct claim *claim, size_t i) {
    struct expense *expense = claim->expense;
    struct decision *decision = expense->decision;
    const struct expense_line *line = claim->items[i].line;
    if (!expense->facts.employee) return NULL;   /* his grade is not known, and the event waits for that */
    const struct slice grade = expense->facts.employee->grade, entity = expense->event->entity;
    const struct slice own = KEY(decision, entity, line->category, grade), any = KEY(decision, entity, line->category, any_grade);
    const struct expense_policy *policy = grade.length ? look_up(decision, MASTER_EXPENSE_POLICIES, own, line->date, NULL) : NULL;
    if (!policy) policy = look_up(decision, MASTER_EXPENSE_POLICIES, any, line->date, NULL);
    struct currency currency;
    if (policy && currency_find(policy->currency, &currency)) return policy;
    const char *path = facts_path(decision, i, "category");
    if (policy) {
        wait_for_table(decision, REASON_MASTER_STALE, path, MASTER_EXPENSE_POLICIES, KEY(decision, entity, line->category, policy->grade), line->date);
        return NULL;
    }
    if (grade.length) (void)require(decision, MASTER_EXPENSE_POLICIES, own, line->date, REASON_EXPENSE_CATEGORY_UNKNOWN, path);
    (void)require(decision, MASTER_EXPENSE_POLICIES, any, line->date, REASON_EXPENSE_CATEGORY_UNKNOWN, path);
    return NULL;
}

static void breach_report(struct claim *claim, size_t i, enum reason reason, const char *field, const char *text) {
    const struct slice on_breach = claim->items[i].policy->on_breach;
    const enum reason_class class = slice_equal(on_breach, SLICE("note")) ? CLASS_NOTE : slice_equal(on_breach, SLICE("reject")) ? CLASS_REJECTED : CLASS_HELD;
    report_as(claim->expense->decision, class, reason, facts_path(claim->expense->decision, i, field), "%s", text);
}

/* What counts against the limit with this line: by day and report, the sum so far. False: it does not fit. */
static bool counted(struct claim *claim, size_t i, int64_t amount_e4, int64_t *sum_e4) {
    struct expense *expense = claim->expense;
    const struct item *item = &claim->items[i];
    const struct slice per = item->policy->limit_per;
    *sum_e4 = amount_e4;
    if (!slice_equal(per, SLICE("day")) && !slice_equal(per, SLICE("report"))) return true;
    const struct slice day = slice_equal(per, SLICE("day")) ? decision_format(expense->decision, "%d", (int)item->line->date) : (struct slice){0};
    struct book_entry *entry = book_entry(&expense->book, BOOK_SUMS, KEY(expense->decision, item->line->category, item->policy->currency, day), sizeof *sum_e4);
    int64_t *sum = entry->value;
    if (!decimal_add(*sum, amount_e4, sum)) return false;
    *sum_e4 = *sum;
    return true;
}

static void limits_check(struct claim *claim, size_t i) {
    struct expense *expense = claim->expense;
    const struct item *item = &claim->items[i];
    const struct expense_policy *policy = item->policy;
    struct currency currency;
    int64_t amount_e4, sum_e4;
    if (!item->has_gross || !item->has_currency || (!policy->has_limit && !policy->has_proof_above) || !currency_find(policy->currency, &currency)) return;
    if (!exchange_value(expense, item->gross_e4, item->line->date, item->currency, currency, i, "currency", &amount_e4)) return;
    char text[64], limit[DECIMAL_TEXT_SIZE];
    if (policy->has_limit && !counted(claim, i, amount_e4, &sum_e4))
        report(expense->decision, REASON_AMOUNT_OVERFLOW, facts_path(expense->decision, i, "gross"), "the sum of the category");
    else if (policy->has_limit && sum_e4 > policy->limit_e4) {
        money_print(policy->limit_e4, currency, limit);
        snprintf(text, sizeof text, "above %s %s", currency.code, limit);
        breach_report(claim, i, REASON_POLICY_LIMIT, "gross", text);
    }
    if (policy->has_proof_above && amount_e4 > policy->proof_above_e4 && !item->line->proof) breach_report(claim, i, REASON_PROOF_MISSING, "proof", "");
}

static bool cost_centre_check(struct claim *claim, size_t i) {
    struct expense *expense = claim->expense;
    struct decision *decision = expense->decision;
    const struct slice code = claim->items[i].cost_centre, key = KEY(decision, expense->event->entity, code);
    if (!code.length) return true;
    const struct cost_centre *centre = look_up(decision, MASTER_COST_CENTRES, key, expense->facts.posting_date, NULL);
    if (centre && !slice_equal(centre->status, SLICE("closed"))) return true;
    const char *path = facts_path(decision, i, "cost_centre");
    if (centre) report(decision, REASON_COST_CENTRE_CLOSED, path, SLICE_FORMAT, SLICE_ARGUMENT(code));
    else (void)require(decision, MASTER_COST_CENTRES, key, expense->facts.posting_date, REASON_COST_CENTRE_UNKNOWN, path);
    return false;
}

static bool project_check(struct claim *claim, size_t i) {
    struct expense *expense = claim->expense;
    struct decision *decision = expense->decision;
    const struct item *item = &claim->items[i];
    const struct slice code = item->line->project, key = KEY(decision, expense->event->entity, code);
    if (!code.length) {
        if (!item->policy || !item->policy->project_required) return true;
        report_as(decision, CLASS_HELD, REASON_PROJECT_UNKNOWN, facts_path(decision, i, "project"), "the policy asks for one");
        return false;
    }
    const struct project *project = look_up(decision, MASTER_PROJECTS, key, expense->facts.posting_date, NULL);
    if (project && !slice_equal(project->status, SLICE("closed"))) return true;
    const char *path = facts_path(decision, i, "project");
    if (project) report(decision, REASON_PROJECT_CLOSED, path, SLICE_FORMAT, SLICE_ARGUMENT(code));
    else (void)require(decision, MASTER_PROJECTS, key, expense->facts.posting_date, REASON_PROJECT_UNKNOWN, path);
    return false;
}

void policy_line_check(struct claim *claim, size_t i) {
    struct item *item = &claim->items[i];
    const struct employee *employee = claim->expense->facts.employee;
    item->cost_centre = item->line->cost_centre.length ? item->line->cost_centre : employee ? employee->cost_centre : (struct slice){0};
    if (!item->line->personal) item->policy = policy_find(claim, i);
    if (item->policy) limits_check(claim, i);
    const bool centre = cost_centre_check(claim, i), project = project_check(claim, i);
    item->coded = centre && project;
}
