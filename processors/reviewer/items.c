/* items: what can be decided, from the exceptions that processors tell: one item for each origin. */
#include "processors/reviewer/reviewer.h"

#include "common/ledger/date.h"
#include "schemas/corrected_event.h"
#include "schemas/exception.h"

enum { DECISIONS_MAXIMUM = 50 };

struct slice origin_topic(struct slice origin) {
    size_t length = 0;
    while (length < origin.length && origin.data[length] != '/') length++;
    return (struct slice){origin.data, length};
}

struct slice origin_flow(struct slice origin) {
    size_t length = 0;
    while (length < origin.length && origin.data[length] != '/' && origin.data[length] != '.') length++;
    return (struct slice){origin.data, length};
}

bool reason_is_approvable(struct slice code) {
    for (int reason = 0; reason < REASON_COUNT; reason++)
        if (reasons[reason].approvable && slice_equal(code, slice_of(reasons[reason].code))) return true;
    return false;
}

static struct review_item *item_make(struct decision *decision, const struct exception_record *told, const struct review_item *before, enum item_status status) {
    struct review_item *item = decision_alloc(decision, sizeof *item);
    if (before) *item = *before;
    else {
        const struct corrected_event *corrected = state_find(decision, STORE_CORRECTIONS, KEY(decision, origin_topic(told->origin), told->event_id));
        if (corrected) {
            item->corrector = corrected->user;
            item->corrector_for = corrected->on_behalf_of;
        }
    }
    item->status = status;
    item->processor = told->processor;
    item->item = told->item;
    item->shown = told->shown;
    item->seen_at_ms = decision_time_ms(decision);
    item->source = told->source;
    item->event_id = told->event_id;
    item->document = told->document;
    item->kind = told->kind;
    item->correlation_id = told->correlation_id;
    item->user = told->user;
    item->date = told->has_document_date ? told->document_date : date_at(told->occurred_at_ms, 0);
    item->currency = told->currency;
    item->has_amount = told->has_amount;
    item->amount_e4 = told->amount_e4;
    item->reasons.items = decision_alloc(decision, (told->reasons.count + 1) * sizeof *item->reasons.items);
    item->reasons.count = told->reasons.count;
    for (size_t i = 0; i < told->reasons.count; i++)
        item->reasons.items[i] = (struct review_reason){told->reasons.items[i].code, told->reasons.items[i].field, told->reasons.items[i].text};
    item->value = told->value;
    item->owner = KEY(decision, told->entity, told->partner);
    return item;
}

/* What was approved of is not what holds it now. */
static void approvals_void(struct decision *decision, struct review_item *item) {
    struct taken_decision *taken = decision_alloc(decision, (item->decisions.count + 1) * sizeof *taken);
    for (size_t i = 0; i < item->decisions.count; i++) {
        taken[i] = item->decisions.items[i];
        taken[i].counts = false;
    }
    item->decisions.items = taken;
}

/* It is not held any more, or does not wait. Of what was only waiting, and was never talked about, nothing is kept. */
static void item_close(struct decision *decision, struct slice key, const struct review_item *before) {
    if (before->waits && !before->decisions.count) { state_remove(decision, STORE_ITEMS, key); return; }
    struct review_item closed = *before;
    closed.status = ITEM_STATUS_CLOSED;
    closed.value = (struct slice){0};
    closed.has_correction = false;
    state_put(decision, STORE_ITEMS, key, &closed);
}

static void item_follow(struct decision *decision, const struct exception_record *told, bool waits) {
    const struct slice key = KEY(decision, told->origin);
    const struct review_item *before = state_find(decision, STORE_ITEMS, key);
    if (slice_equal(told->processor, SLICE("reviewer"))) return;
    /* The topics have no order between them: what is rejected stays so, and what is held does not wait any more. */
    if (before && (before->status == ITEM_STATUS_REJECTED || before->status == ITEM_STATUS_CORRECTED)) return;
    if (before && waits && !before->waits) return;
    if (slice_equal(told->outcome, SLICE("released"))) {
        if (before && before->waits == waits) item_close(decision, key, before);
        return;
    }
    struct review_item *item = item_make(decision, told, before, ITEM_STATUS_OPEN);
    item->waits = waits;
    if (before && !slice_equal(before->shown, told->shown)) approvals_void(decision, item);
    state_put(decision, STORE_ITEMS, key, item);
}

void item_parked(struct decision *decision, const void *exception) { item_follow(decision, exception, true); }
void item_held(struct decision *decision, const void *exception) { item_follow(decision, exception, false); }

void item_rejected(struct decision *decision, const void *exception) {
    const struct exception_record *told = exception;
    const struct slice key = KEY(decision, told->origin);
    if (slice_equal(told->processor, SLICE("reviewer"))) return;
    const struct review_item *before = state_find(decision, STORE_ITEMS, key);
    const bool corrected = before && before->corrected_to.length;
    struct review_item *item = item_make(decision, told, before, corrected ? ITEM_STATUS_CORRECTED : ITEM_STATUS_REJECTED);
    item->has_correction = item->waits = false;
    if (corrected) item->value = (struct slice){0};
    approvals_void(decision, item);
    state_put(decision, STORE_ITEMS, key, item);
}

struct review_item *item_decided(const struct ruling *ruling, bool counts) {
    struct decision *decision = ruling->decision;
    const struct review_decision *asked = ruling->asked;
    struct review_item *item = decision_alloc(decision, sizeof *item);
    *item = *ruling->item;
    const size_t drop = item->decisions.count >= DECISIONS_MAXIMUM ? item->decisions.count - DECISIONS_MAXIMUM + 1 : 0, kept = item->decisions.count - drop;
    struct taken_decision *taken = decision_alloc(decision, (kept + 1) * sizeof *taken);
    for (size_t i = 0; i < kept; i++) taken[i] = item->decisions.items[drop + i];
    taken[kept] = (struct taken_decision){.event_id = asked->event_id, .action = slice_of(review_action_name(asked->action)), .user = asked->user,
        .on_behalf_of = asked->on_behalf_of, .role = asked->role, .reason = asked->reason, .assignee = asked->assignee, .decided_at_ms = decision_time_ms(decision),
        .counts = counts};
    item->decisions.items = taken;
    item->decisions.count = kept + 1;
    return item;
}
