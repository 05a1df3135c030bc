#include "processors/shared/review.h"

static bool speaks_of(const struct review_policy *policy, struct slice topic) {
    size_t flow = 0;
    while (flow < topic.length && topic.data[flow] != '.') flow++;
    for (size_t i = 0; i < policy->flows.count; i++)
        if (slice_equal(policy->flows.items[i], (struct slice){topic.data, flow})) return true;
    return !policy->flows.count;
}

const struct review_policy *review_policy_find(struct decision *decision, struct slice entity, int32_t date) {
    const struct review_policy *policy = look_up(decision, MASTER_REVIEW_POLICIES, KEY(decision, entity), date, NULL);
    return policy && speaks_of(policy, decision_topic(decision)) ? policy : NULL;
}

void review_line(struct posting *posting, struct slice tax_code) {
    const struct review_policy *policy = posting->facts->review;
    if (!tax_code.length || posting->sensitive_tax.length) return;
    for (size_t i = 0; i < policy->tax_codes.count; i++)
        if (slice_equal(policy->tax_codes.items[i], tax_code)) posting->sensitive_tax = tax_code;
}

/* The document's total where its event says one, else the debits of its journal: in functional currency, without its sign. */
static int64_t amount_of(struct posting *posting) {
    const struct envelope *envelope = decision_envelope(posting->decision);
    int64_t amount_e4 = 0;
    if (envelope->has_amount && facts_amount_fits(envelope->amount_e4)) {
        amount_e4 = posting_functional(posting, envelope->amount_e4);
        return amount_e4 < 0 ? -amount_e4 : amount_e4;
    }
    for (size_t i = 0; i < posting->journal.count; i++)   /* the journal balances, so its sum fits */
        if (posting->journal.lines[i].side == LEDGER_DEBIT && !decimal_add(amount_e4, posting->journal.lines[i].functional_e4, &amount_e4)) return DECIMAL_MAXIMUM;
    return amount_e4;
}

static void amount_check(struct posting *posting, const struct review_policy *policy) {
    char amount[DECIMAL_TEXT_SIZE], limit[DECIMAL_TEXT_SIZE];
    const int64_t amount_e4 = policy->has_amount ? amount_of(posting) : 0;
    if (!policy->has_amount || amount_e4 < policy->amount_e4) return;
    decimal_print(amount_e4, MONEY_SCALE, 2, amount);
    decimal_print(policy->amount_e4, MONEY_SCALE, 2, limit);
    report(posting->decision, REASON_REVIEW_NEEDED, "review.amount", "%s %s; from %s on a person decides", amount, posting->facts->functional.code, limit);
}

static void intercompany_check(struct posting *posting) {
    struct decision *decision = posting->decision;
    const struct review_policy *policy = review_policy_find(decision, decision_envelope(decision)->entity, posting->facts->posting_date);
    if (policy && policy->intercompany)
        report(decision, REASON_REVIEW_NEEDED, "review.intercompany", "also in the books of " SLICE_FORMAT, SLICE_ARGUMENT(posting->facts->entity->entity));
}

void review_check(struct posting *posting) {
    const struct facts *facts = posting->facts;
    const struct review_policy *policy = facts->review;
    struct decision *decision = posting->decision;
    if (facts->other_entity) { intercompany_check(posting); return; }
    if (!policy) return;
    amount_check(posting, policy);
    if (posting->sensitive_tax.length) report(decision, REASON_REVIEW_NEEDED, "review.tax_code", SLICE_FORMAT, SLICE_ARGUMENT(posting->sensitive_tax));
    if (policy->soft_closed && posting->period.answer == PERIOD_OPEN && slice_equal(posting->period.period->status, SLICE("soft_closed")))
        report(decision, REASON_REVIEW_NEEDED, "review.period", "period " SLICE_FORMAT " is soft-closed", SLICE_ARGUMENT(posting->period.period->period));
    if (policy->corrections && strcmp(decision_envelope(decision)->kind, "corrected") == 0) report(decision, REASON_REVIEW_NEEDED, "review.correction", "");
}
