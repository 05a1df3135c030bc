/* rights: who may decide what, and up to which amount (docs/review.md, "Who may decide"). */
#include "common/ledger/date.h"
#include "common/ledger/fx.h"
#include "common/ledger/time_zone.h"
#include "processors/reviewer/reviewer.h"
#include "schemas/fx_rate.h"
#include "schemas/legal_entity.h"

static const int64_t hour_ms = 3600000;

/* ---- finding ---- */

static void functional_find(struct ruling *ruling, const struct legal_entity *entity) {
    const struct review_item *item = ruling->item;
    struct currency functional, currency;
    if (!item->has_amount || !decimal_is_number(item->amount_e4) || !currency_find(item->currency, &currency) || !currency_find(entity->functional_currency, &functional)) return;
    const int64_t amount_e4 = item->amount_e4 < 0 ? -item->amount_e4 : item->amount_e4;
    ruling->functional_e4 = amount_e4;
    ruling->has_functional = currency_equal(currency, functional);
    if (ruling->has_functional) return;
    const struct slice key = KEY(ruling->decision, SLICE("M"), currency_slice(&currency), currency_slice(&functional));
    const struct fx_rate *rate = look_up(ruling->decision, MASTER_FX_RATES, key, item->date, NULL);
    ruling->has_functional = rate && item->date - rate->valid_from <= rate->max_age_days && fx_convert(amount_e4, rate->rate_e10, FX_DIRECT, functional, &ruling->functional_e4);
}

void rights_find(struct ruling *ruling) {
    struct decision *decision = ruling->decision;
    const struct review_decision *asked = ruling->asked;
    struct table_row row;
    ruling->date = date_at(decision_time_ms(decision), 0);
    const struct legal_entity *entity = look_up(decision, MASTER_LEGAL_ENTITIES, KEY(decision, asked->entity), ruling->date, &row);
    if (entity) {
        ruling->date = time_zone_date_at(row.compiled, decision_time_ms(decision));
        functional_find(ruling, entity);
    }
    ruling->policy = look_up(decision, MASTER_REVIEW_POLICIES, KEY(decision, asked->entity), ruling->date, NULL);
    ruling->approver = look_up(decision, MASTER_APPROVERS, KEY(decision, asked->entity, asked->on_behalf_of.length ? asked->on_behalf_of : asked->user), ruling->date, NULL);
}

/* ---- roles ---- */

/* What the policy says of the role and the reason; a reason with entries of its own is not under *. */
static const struct decider *decider_find(const struct review_policy *policy, struct slice code, struct slice role) {
    const struct decider *found = NULL;
    bool own = false;
    for (size_t i = 0; i < policy->deciders.count; i++) own |= slice_equal(policy->deciders.items[i].reason, code);
    for (size_t i = 0; i < policy->deciders.count && !found; i++) {
        const struct decider *decider = &policy->deciders.items[i];
        if (slice_equal(decider->reason, own ? code : SLICE("*")) && slice_equal(decider->role, role)) found = decider;
    }
    return found;
}

static bool has_role(const struct approver *approver, struct slice role) {
    for (size_t i = 0; i < approver->roles.count; i++)
        if (slice_equal(approver->roles.items[i], role)) return true;
    return false;
}

static void limit_check(struct ruling *ruling, const char *field, bool has_limit, int64_t limit_e4) {
    if (!has_limit || (ruling->has_functional && ruling->functional_e4 <= limit_e4)) return;
    char amount[DECIMAL_TEXT_SIZE] = "unknown", limit[DECIMAL_TEXT_SIZE];
    if (ruling->has_functional) decimal_print(ruling->functional_e4, MONEY_SCALE, 2, amount);
    decimal_print(limit_e4, MONEY_SCALE, 2, limit);
    report(ruling->decision, REASON_LIMIT_EXCEEDED, field, "the amount is %s in functional currency, the limit %s", amount, limit);
}

/* Who approves must be allowed every reason that the approval covers; for anything else one of them is enough. */
static void role_check(struct ruling *ruling) {
    struct decision *decision = ruling->decision;
    const struct review_decision *asked = ruling->asked;
    const struct review_item *item = ruling->item;
    const bool approves = asked->action == REVIEW_ACTION_APPROVE && !item->has_correction;
    bool any = false;
    for (size_t i = 0; i < item->reasons.count; i++) {
        const struct slice code = item->reasons.items[i].code;
        const struct decider *decider = decider_find(ruling->policy, code, asked->role);
        any |= decider != NULL;
        if (!approves || !reason_is_approvable(code)) continue;
        if (!decider) report(decision, REASON_ROLE_MISSING, "role", SLICE_FORMAT " may not decide " SLICE_FORMAT, SLICE_ARGUMENT(asked->role), SLICE_ARGUMENT(code));
        else limit_check(ruling, "role", decider->has_limit, decider->limit_e4);
    }
    if (!any) report(decision, REASON_ROLE_MISSING, "role", SLICE_FORMAT " may decide none of its reasons", SLICE_ARGUMENT(asked->role));
}

static void delegate_check(struct ruling *ruling) {
    const struct review_decision *asked = ruling->asked;
    const struct approver *approver = ruling->approver;
    if (!asked->on_behalf_of.length) return;
    const bool named = slice_equal(approver->delegate, asked->user);
    if (named && (!approver->has_delegate_from || ruling->date >= approver->delegate_from) && (!approver->has_delegate_until || ruling->date <= approver->delegate_until)) return;
    report(ruling->decision, REASON_NOT_DELEGATED, "on_behalf_of", SLICE_FORMAT " does not act for " SLICE_FORMAT "%s", SLICE_ARGUMENT(asked->user),
           SLICE_ARGUMENT(asked->on_behalf_of), named ? " on that day" : "");
}

bool same_person(struct slice user, struct slice for_user, struct slice other, struct slice for_other) {
    return (user.length && (slice_equal(user, other) || slice_equal(user, for_other))) || (for_user.length && (slice_equal(for_user, other) || slice_equal(for_user, for_other)));
}

/* Never who made it, nor who corrected it. */
static void self_check(struct ruling *ruling) {
    const struct review_decision *asked = ruling->asked;
    const struct review_item *item = ruling->item;
    struct decision *decision = ruling->decision;
    const struct slice nobody = {0};
    if (asked->action != REVIEW_ACTION_APPROVE && asked->action != REVIEW_ACTION_REFUSE) return;
    if (same_person(asked->user, asked->on_behalf_of, item->user, nobody)) report(decision, REASON_SELF_APPROVAL, "user", SLICE_FORMAT " made it", SLICE_ARGUMENT(item->user));
    else if (same_person(asked->user, asked->on_behalf_of, item->corrector, item->corrector_for))
        report(decision, REASON_SELF_APPROVAL, "user", SLICE_FORMAT " corrected it", SLICE_ARGUMENT(item->corrector));
    else if (item->has_correction && same_person(asked->user, asked->on_behalf_of, item->correction.user, item->correction.on_behalf_of))
        report(decision, REASON_SELF_APPROVAL, "user", SLICE_FORMAT " proposed the correction", SLICE_ARGUMENT(item->correction.user));
}

void rights_check(struct ruling *ruling) {
    struct decision *decision = ruling->decision;
    const struct review_decision *asked = ruling->asked;
    const struct slice who = asked->on_behalf_of.length ? asked->on_behalf_of : asked->user;
    self_check(ruling);
    if (!ruling->policy) report(decision, REASON_ROLE_MISSING, "role", "master.review-policies says nothing of " SLICE_FORMAT, SLICE_ARGUMENT(asked->entity));
    else role_check(ruling);
    if (!ruling->approver) {
        report(decision, REASON_ROLE_MISSING, "user", "master.approvers has no " SLICE_FORMAT " of " SLICE_FORMAT, SLICE_ARGUMENT(who), SLICE_ARGUMENT(asked->entity));
        return;
    }
    if (!has_role(ruling->approver, asked->role)) report(decision, REASON_ROLE_MISSING, "user", SLICE_FORMAT " is no " SLICE_FORMAT, SLICE_ARGUMENT(who), SLICE_ARGUMENT(asked->role));
    delegate_check(ruling);
    if (asked->action == REVIEW_ACTION_APPROVE) limit_check(ruling, "user", ruling->approver->has_limit, ruling->approver->limit_e4);
}

/* ---- how many, how old ---- */

size_t approvals_needed(const struct ruling *ruling) {
    const struct review_policy *policy = ruling->policy;
    return policy && policy->has_second_amount && (!ruling->has_functional || ruling->functional_e4 >= policy->second_amount_e4) ? 2 : 1;
}

bool is_expired(const struct ruling *ruling, int64_t time_ms) {
    const int32_t hours = ruling->policy ? ruling->policy->expiry_hours : 0;
    return hours > 0 && (__int128)decision_time_ms(ruling->decision) - time_ms > hours * hour_ms;   /* any time may have been told */
}
