/* reviewer: people decide what processors hold or let wait, and correct what is held, waits or was rejected.
 *
 * Refuses, in this order: DECISION_INCOMPLETE, ITEM_UNKNOWN (waits for it first), ALREADY_DECIDED, DECISION_STALE, DECISION_EXPIRED, SELF_APPROVAL, ROLE_MISSING,
 * NOT_DELEGATED, LIMIT_EXCEEDED; then by action ALREADY_DECIDED (twice by one person), NOT_APPROVABLE, CORRECTION_INVALID. What was asked is on the topic audit, done or
 * refused (docs/review.md). */
#include "processors/reviewer/reviewer.h"

#include "schemas/corrected_event.h"
#include "schemas/exception.h"
#include "schemas/expense_event.h"
#include "schemas/invoice_event.h"
#include "schemas/journal_event.h"
#include "schemas/payment_event.h"
#include "schemas/procurement_event.h"
#include "schemas/resolution.h"

static const int64_t minute_ms = 60000;
enum { WAIT_MINUTES = 5, CLOCK_MINUTES = 5 };

/* ---- envelopes ---- */

static void exception_envelope(struct decision *decision, const void *record, struct envelope *envelope) {
    const struct exception_record *told = record;
    (void)decision;
    *envelope = (struct envelope){.event_id = told->event_id, .source = told->source, .entity = told->entity, .partner = told->partner, .number = told->document,
        .kind = "exception", .document.store = -1};
}

static void decision_of(struct decision *decision, const void *record, struct envelope *envelope) {
    static const char *const flows[] = {"procurement", "invoice", "payment", "expense", "journal"};
    const struct review_decision *asked = record;
    *envelope = (struct envelope){.event_id = asked->event_id, .source = asked->source, .entity = asked->entity, .partner = asked->partner,
        .number = asked->document.length && asked->origin.length ? asked->document : asked->origin, .kind = review_action_name(asked->action), .user = asked->user,
        .document = {STORE_ITEMS, KEY(decision, asked->origin)}};
    for (size_t i = 0; i < sizeof flows / sizeof *flows; i++)
        if (slice_equal(origin_flow(asked->origin), slice_of(flows[i]))) linked(decision, "decides", flows[i], asked->document);
}

/* ---- checks ---- */

static void complete_check(const struct ruling *ruling) {
    const struct review_decision *asked = ruling->asked;
    struct decision *decision = ruling->decision;
    if (asked->action == REVIEW_ACTION_UNKNOWN) report(decision, REASON_DECISION_INCOMPLETE, "action", "none that this version knows");
    if (!asked->user.length) report(decision, REASON_DECISION_INCOMPLETE, "user", "empty");
    if (!asked->role.length) report(decision, REASON_DECISION_INCOMPLETE, "role", "empty");
    if (!asked->reason.length) report(decision, REASON_DECISION_INCOMPLETE, "reason", "empty");
    if (asked->action == REVIEW_ACTION_REASSIGN && !asked->assignee.length) report(decision, REASON_DECISION_INCOMPLETE, "assignee", "empty");
}

static void item_unknown(const struct ruling *ruling) {
    struct decision *decision = ruling->decision;
    wait_limits(decision, WAIT_MINUTES * minute_ms, WAIT_MINUTES * minute_ms);
    if (decision_is_late(decision)) report_as(decision, CLASS_REJECTED, REASON_ITEM_UNKNOWN, "origin", SLICE_FORMAT, SLICE_ARGUMENT(ruling->asked->origin));
    else wait_for_state(decision, REASON_ITEM_UNKNOWN, "origin", STORE_ITEMS, ruling->key);
}

/* Whether there is still something to decide. */
static void status_check(const struct ruling *ruling) {
    struct decision *decision = ruling->decision;
    const struct review_item *item = ruling->item;
    const bool whole = ruling->asked->action == REVIEW_ACTION_APPROVE || ruling->asked->action == REVIEW_ACTION_REFUSE || ruling->asked->action == REVIEW_ACTION_RETRY;
    switch (item->status) {
    case ITEM_STATUS_OPEN: break;
    case ITEM_STATUS_SENT: report(decision, REASON_ALREADY_DECIDED, "origin", SLICE_FORMAT " has not said yet what came of it", SLICE_ARGUMENT(item->processor)); break;
    case ITEM_STATUS_CLOSED: report(decision, REASON_ALREADY_DECIDED, "origin", "it is not held any more, nor does it wait"); break;
    case ITEM_STATUS_CORRECTED: report(decision, REASON_ALREADY_DECIDED, "origin", "it was corrected as event " SLICE_FORMAT, SLICE_ARGUMENT(item->corrected_to)); break;
    case ITEM_STATUS_REJECTED:
        if (whole && !item->has_correction) report(decision, REASON_NOT_APPROVABLE, "action", "it is rejected: correct it");
    }
}

/* Whether what was seen is what there is, and not too long ago. */
static void shown_check(const struct ruling *ruling) {
    struct decision *decision = ruling->decision;
    const struct review_decision *asked = ruling->asked;
    const struct review_item *item = ruling->item;
    const bool talks = asked->action == REVIEW_ACTION_ASK || asked->action == REVIEW_ACTION_REASSIGN, blind = asked->action == REVIEW_ACTION_RETRY && !asked->shown.length;
    if (talks || item->status == ITEM_STATUS_CLOSED || item->status == ITEM_STATUS_CORRECTED) return;
    if (!blind && !slice_equal(asked->shown, item->shown)) report(decision, REASON_DECISION_STALE, "shown", "its reasons have changed since it was shown");
    else if (item->status == ITEM_STATUS_OPEN && asked->item != item->item) report(decision, REASON_DECISION_STALE, "item", "it was held anew since it was shown");
    else if (item->has_correction && asked->action == REVIEW_ACTION_APPROVE && asked->shown_at_ms < item->correction.proposed_at_ms)
        report(decision, REASON_DECISION_STALE, "shown_at", "a correction has been proposed since it was shown");
    if (is_expired(ruling, asked->shown_at_ms)) report(decision, REASON_DECISION_EXPIRED, "shown_at", "the policy allows %d hours", (int)ruling->policy->expiry_hours);
    else if (asked->shown_at_ms > decision_time_ms(decision) + CLOCK_MINUTES * minute_ms)
        report(decision, REASON_DECISION_EXPIRED, "shown_at", "said to have been seen after it was decided");
}

/* ---- effects ---- */

static struct slice person(struct decision *decision, struct slice user, struct slice for_user) {
    if (!for_user.length) return user;
    return decision_format(decision, SLICE_FORMAT " for " SLICE_FORMAT, SLICE_ARGUMENT(user), SLICE_ARGUMENT(for_user));
}

static void entry_tell(struct ruling *ruling, enum audit_outcome outcome, const char *text) {
    ruling->entry.outcome = outcome;
    ruling->entry.text = slice_of(text);
    audited(ruling->decision, &ruling->entry);
}

static void entry_begin(struct ruling *ruling) {
    struct decision *decision = ruling->decision;
    const struct review_decision *asked = ruling->asked;
    const struct review_item *item = ruling->item;
    struct slice *id = decision_alloc(decision, sizeof *id);
    *id = asked->event_id;
    ruling->entry = (struct audit_entry){.occurred_at_ms = decision_time_ms(decision), .action = slice_of(review_action_name(asked->action)),
        .by = person(decision, asked->user, asked->on_behalf_of), .role = asked->role, .why = asked->reason, .entity = asked->entity, .partner = asked->partner,
        .flow = origin_flow(asked->origin), .document = item ? item->document : asked->document, .event_id = item ? item->event_id : (struct slice){0}, .origin = asked->origin};
    ruling->entry.decisions.items = id;
    ruling->entry.decisions.count = 1;
    entry_tell(ruling, AUDIT_OUTCOME_DONE, "");
}

/* What its processor is to do; with the decisions that led to it: the approvals that counted, and this one. */
static void resolution_send(const struct ruling *ruling, enum resolution_action action, struct slice text) {
    struct decision *decision = ruling->decision;
    const struct review_decision *asked = ruling->asked;
    const struct review_item *item = ruling->item;
    struct resolution resolution = {.processor = item->processor, .item = item->item, .origin = asked->origin, .shown = asked->shown, .action = action,
        .by = person(decision, asked->user, asked->on_behalf_of), .role = asked->role, .text = text, .occurred_at_ms = decision_time_ms(decision)};
    struct slice *ids = decision_alloc(decision, (item->decisions.count + 2) * sizeof *ids);
    size_t count = 0;
    for (size_t i = 0; action == RESOLUTION_ACTION_APPROVE && i < item->decisions.count; i++) {
        const struct taken_decision *taken = &item->decisions.items[i];
        if (!taken->counts || is_expired(ruling, taken->decided_at_ms)) continue;
        const struct slice other = person(decision, taken->user, taken->on_behalf_of);
        resolution.by = decision_format(decision, SLICE_FORMAT "," SLICE_FORMAT, SLICE_ARGUMENT(other), SLICE_ARGUMENT(resolution.by));
        ids[count++] = taken->event_id;
    }
    if (action == RESOLUTION_ACTION_REPLACE && !slice_equal(item->correction.decision, asked->event_id) && item->has_correction) ids[count++] = item->correction.decision;
    ids[count++] = asked->event_id;
    resolution.decisions.items = ids;
    resolution.decisions.count = count;
    emit(decision, OUTPUT_RESOLUTIONS, item->processor, &resolution);
}

/* The approvals so far have been used. */
static void approvals_use(struct review_item *item) {
    for (size_t i = 0; i < item->decisions.count; i++) item->decisions.items[i].counts = false;   /* a copy of item_decided's */
}

/* The corrected event goes out, and what it replaces is rejected in the same transaction. */
static void correction_apply(struct ruling *ruling, const struct proposed_correction *correction) {
    struct decision *decision = ruling->decision;
    struct review_item *item = item_decided(ruling, false);
    if (ruling->item->status == ITEM_STATUS_OPEN)
        resolution_send(ruling, RESOLUTION_ACTION_REPLACE, decision_format(decision, "corrected as event " SLICE_FORMAT ": " SLICE_FORMAT, SLICE_ARGUMENT(correction->event_id),
                                                                           SLICE_ARGUMENT(correction->reason)));
    item->status = ruling->item->status == ITEM_STATUS_OPEN ? ITEM_STATUS_SENT : ITEM_STATUS_CORRECTED;
    approvals_use(item);
    correction_send(ruling, item, correction);
    if (item->status == ITEM_STATUS_CORRECTED) item->value = (struct slice){0};
    state_put(decision, STORE_ITEMS, ruling->key, item);
    ruling->entry.difference = correction->difference;
    ruling->entry.corrected_to = correction->event_id;
    entry_tell(ruling, AUDIT_OUTCOME_DONE, decision_format(decision, "corrected as event " SLICE_FORMAT, SLICE_ARGUMENT(correction->event_id)).data);
}

/* ---- actions ---- */

static size_t approvals_count(const struct ruling *ruling) {
    const struct review_decision *asked = ruling->asked;
    size_t count = 0;
    for (size_t i = 0; i < ruling->item->decisions.count; i++) {
        const struct taken_decision *taken = &ruling->item->decisions.items[i];
        if (!taken->counts || is_expired(ruling, taken->decided_at_ms)) continue;
        count++;
        if (same_person(asked->user, asked->on_behalf_of, taken->user, taken->on_behalf_of))
            report(ruling->decision, REASON_ALREADY_DECIDED, "user", SLICE_FORMAT " has approved it already: another person must", SLICE_ARGUMENT(taken->user));
    }
    return count;
}

static bool any_approvable(const struct review_item *item) {
    for (size_t i = 0; i < item->reasons.count; i++)
        if (reason_is_approvable(item->reasons.items[i].code)) return true;
    return false;
}

static void decide_approve(struct ruling *ruling) {
    struct decision *decision = ruling->decision;
    const struct review_item *before = ruling->item;
    const size_t given = before->has_correction ? 0 : approvals_count(ruling), needed = before->has_correction ? 1 : approvals_needed(ruling);
    if (before->status == ITEM_STATUS_OPEN && !before->has_correction && before->waits)
        report(decision, REASON_NOT_APPROVABLE, "action", "it waits for what may come: retry, correct or refuse it");
    else if (before->status == ITEM_STATUS_OPEN && !before->has_correction && !any_approvable(before))
        report(decision, REASON_NOT_APPROVABLE, "action", "correct it, put right what it names, or refuse it");
    if (refused(decision)) return;
    /* effects */
    if (before->has_correction) { correction_apply(ruling, &before->correction); return; }
    struct review_item *item = item_decided(ruling, true);
    if (given + 1 < needed) {
        state_put(decision, STORE_ITEMS, ruling->key, item);
        entry_tell(ruling, AUDIT_OUTCOME_PENDING, "another person must approve, too");
        return;
    }
    resolution_send(ruling, RESOLUTION_ACTION_APPROVE, ruling->asked->reason);
    item->status = ITEM_STATUS_SENT;
    approvals_use(item);
    state_put(decision, STORE_ITEMS, ruling->key, item);
}

/* One person is enough: nothing is posted. A correction that was proposed is dropped. */
static void decide_refuse(struct ruling *ruling) {
    if (refused(ruling->decision)) return;
    /* effects */
    struct review_item *item = item_decided(ruling, false);
    const bool held = item->status == ITEM_STATUS_OPEN;
    if (held) {
        resolution_send(ruling, RESOLUTION_ACTION_REFUSE, ruling->asked->reason);
        item->status = ITEM_STATUS_SENT;
    }
    if (item->has_correction) entry_tell(ruling, AUDIT_OUTCOME_DONE, held ? "with the correction that was proposed" : "the correction that was proposed");
    item->has_correction = false;
    approvals_use(item);
    state_put(ruling->decision, STORE_ITEMS, ruling->key, item);
}

static void decide_talk(struct ruling *ruling) {
    struct decision *decision = ruling->decision;
    const struct review_decision *asked = ruling->asked;
    const bool reassigns = asked->action == REVIEW_ACTION_REASSIGN;
    if (reassigns && !look_up(decision, MASTER_APPROVERS, KEY(decision, asked->entity, asked->assignee), ruling->date, NULL))
        report(decision, REASON_ROLE_MISSING, "assignee", "master.approvers has no " SLICE_FORMAT " of " SLICE_FORMAT, SLICE_ARGUMENT(asked->assignee), SLICE_ARGUMENT(asked->entity));
    if (reassigns && same_person(asked->assignee, (struct slice){0}, ruling->item->user, ruling->item->corrector))
        report(decision, REASON_SELF_APPROVAL, "assignee", SLICE_FORMAT " made or corrected it", SLICE_ARGUMENT(asked->assignee));
    if (refused(decision)) return;
    /* effects */
    struct review_item *item = item_decided(ruling, false);
    if (reassigns) item->assignee = asked->assignee;
    state_put(decision, STORE_ITEMS, ruling->key, item);
    if (asked->assignee.length) entry_tell(ruling, AUDIT_OUTCOME_DONE, decision_format(decision, "to " SLICE_FORMAT, SLICE_ARGUMENT(asked->assignee)).data);
}

static void decide_retry(struct ruling *ruling) {
    if (refused(ruling->decision)) return;
    /* effects */
    resolution_send(ruling, RESOLUTION_ACTION_RETRY, ruling->asked->reason);
    state_put(ruling->decision, STORE_ITEMS, ruling->key, item_decided(ruling, false));
}

static void decide_correct(struct ruling *ruling) {
    struct decision *decision = ruling->decision;
    const bool there = ruling->item->status == ITEM_STATUS_OPEN || ruling->item->status == ITEM_STATUS_REJECTED;
    struct proposed_correction correction = {0};
    if (there) correction = correction_check(ruling);
    ruling->entry.difference = correction.difference;
    entry_tell(ruling, AUDIT_OUTCOME_DONE, "");
    if (refused(decision)) return;
    /* effects */
    if (!ruling->policy->correction_decision) { correction_apply(ruling, &correction); return; }
    struct review_item *item = item_decided(ruling, false);
    item->has_correction = true;
    item->correction = correction;
    state_put(decision, STORE_ITEMS, ruling->key, item);
    entry_tell(ruling, AUDIT_OUTCOME_PENDING, decision_format(decision, "event " SLICE_FORMAT " goes out when another person approves", SLICE_ARGUMENT(correction.event_id)).data);
}

/* ---- the whole ---- */

static void decide_decision(struct decision *decision, const void *record) {
    const struct review_decision *asked = record;
    struct ruling ruling = {.decision = decision, .asked = asked, .key = KEY(decision, asked->origin)};
    ruling.item = state_find(decision, STORE_ITEMS, ruling.key);
    entry_begin(&ruling);
    complete_check(&ruling);
    if (!ruling.item) {
        if (!refused(decision)) item_unknown(&ruling);
        return;
    }
    rights_find(&ruling);
    status_check(&ruling);
    shown_check(&ruling);
    rights_check(&ruling);
    switch (asked->action) {
    case REVIEW_ACTION_APPROVE: decide_approve(&ruling); break;
    case REVIEW_ACTION_REFUSE: decide_refuse(&ruling); break;
    case REVIEW_ACTION_ASK:
    case REVIEW_ACTION_REASSIGN: decide_talk(&ruling); break;
    case REVIEW_ACTION_CORRECT: decide_correct(&ruling); break;
    case REVIEW_ACTION_RETRY: decide_retry(&ruling); break;
    case REVIEW_ACTION_UNKNOWN: break;
    }
}

/* From a source that may not decide, or under another key than its own: refused, too, and nothing is looked up of what it is about. */
static void dead_decision(struct decision *decision, const void *record) {
    struct ruling ruling = {.decision = decision, .asked = record};
    entry_begin(&ruling);
}

/* Held or waiting: kept whatever its age. What was rejected can be corrected as long as finished documents are kept. */
static bool item_is_open(const void *record) {
    const struct review_item *item = record;
    return item->status == ITEM_STATUS_OPEN || item->status == ITEM_STATUS_SENT;
}

/* Their keys are places in topics. */
static void owner_of(int store, struct slice key, const void *record, struct record_owner *owner) {
    const struct slice kept = !record ? (struct slice){0} : store == STORE_ITEMS ? ((const struct review_item *)record)->owner : ((const struct corrected_event *)record)->owner;
    (void)key;
    *owner = (struct record_owner){.told = kept.length ? OWNER_KEY : OWNER_NOT_TOLD, .key = kept};
}

extern const struct processor reviewer_processor;
const struct processor reviewer_processor = {
    .name = "reviewer",
    .inputs = {{"exceptions.held", &exception_record_type, .internal = true, .envelope = exception_envelope, .decide = item_held},
               {"exceptions.rejected", &exception_record_type, .internal = true, .envelope = exception_envelope, .decide = item_rejected},
               {"review.decisions", &review_decision_type, .decides_late = true, .envelope = decision_of, .decide = decide_decision, .dead = dead_decision},
               {"exceptions.parked", &exception_record_type, .internal = true, .envelope = exception_envelope, .decide = item_parked}},
    .tables = {MASTER_SOURCE_PERMISSIONS, MASTER_LEGAL_ENTITIES, MASTER_FX_RATES, MASTER_REVIEW_POLICIES, MASTER_APPROVERS, END_OF_TABLES},
    .stores = {[STORE_ITEMS] = {"items", &review_item_type, item_is_open}, [STORE_CORRECTIONS] = {"corrections", &corrected_event_type, NULL}},
    .outputs = {[OUTPUT_RESOLUTIONS] = {"resolutions", &resolution_type, .per_erp = true},
                [OUTPUT_EVENTS] = {"procurement.events", &procurement_event_type, false, false}, {"invoice.events", &invoice_event_type, false, false},
                {"payment.events", &payment_event_type, false, false}, {"expense.events", &expense_event_type, false, false},
                {"journal.events", &journal_event_type, false, false}},
    .owner = owner_of,
};
