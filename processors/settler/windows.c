/* windows: closing, control totals, decisions of people. */
#include "processors/settler/settler.h"

#include "common/platform/hash.h"

static const int64_t day_ms = 86400000;
enum { REPORT_WAIT_DAYS = 3650 };

/* ---- due ---- */

/* One of our own events, at once: in this task, with this event's time. again: what its id ends with, of one that was sent before. */
static void follow_up(struct decision *decision, const struct window_id *id, enum settlement_kind kind, const char *what, int32_t number, const char *again) {
    const struct settlement_event event = {.event_id = decision_format(decision, SLICE_FORMAT "/%s/%d%s", SLICE_ARGUMENT(id->name), what, (int)number, again), .kind = kind,
        .source = SLICE(SETTLER), .entity = id->entity, .batch = id->batch, .document = id->name, .number = number};
    (void)emit(decision, OUTPUT_EVENTS, (struct slice){0}, &event);
}

void window_decide_due(struct decision *decision, const struct settlement_event *event, const struct window_id *id) {
    const struct settlement_window *before = state_find(decision, STORE_WINDOWS, id->key);
    if (!before || before->status != WINDOW_STATUS_OPEN || event->number != before->closings + 1) {
        report(decision, REASON_NO_EFFECT, "document", "");
        return;
    }
    struct settlement_window window = *before;
    const struct settlement_batch_state *batch = state_find(decision, STORE_BATCHES, batch_key(decision, id));
    struct settlement_batch_state closed = {.closed_until_ms = batch && batch->closed_until_ms > window.ends_ms ? batch->closed_until_ms : window.ends_ms};
    window.status = WINDOW_STATUS_CLOSED;
    window.closings++;
    window.groups.count = 0;   /* reopened, it begins new parts */
    state_put(decision, STORE_WINDOWS, id->key, &window);
    state_put(decision, STORE_BATCHES, batch_key(decision, id), &closed);
    follow_up(decision, id, SETTLEMENT_KIND_SETTLE_DUE, "settle", window.closings, "");
}

/* ---- control totals ---- */

struct totals { int64_t payments, refunds; __int128 payments_e4, refunds_e4; };

static struct totals totals_of_parts(struct decision *decision, const struct window_id *id, int32_t parts) {
    struct totals totals = {0};
    for (int32_t i = 1; i <= parts; i++) {
        const struct settlement_part *part = state_find(decision, STORE_PARTS, part_key(decision, id, i));
        if (!part) continue;   /* settled, and forgotten long ago */
        totals.payments += part->payments;
        totals.refunds += part->refunds;
        totals.payments_e4 += part->payments_amount_e4;
        totals.refunds_e4 += part->refunds_amount_e4;
    }
    return totals;
}

static struct totals totals_reported(const struct settlement_window *window) {
    return (struct totals){window->payments, window->refunds, window->has_payments_amount ? window->payments_amount_e4 : 0, window->has_refunds_amount ? window->refunds_amount_e4 : 0};
}

static bool totals_agree(struct totals a, struct totals b) {
    return a.payments == b.payments && a.refunds == b.refunds && a.payments_e4 == b.payments_e4 && a.refunds_e4 == b.refunds_e4;
}

static const char *totals_text(struct decision *decision, struct totals totals) {
    char payments[DECIMAL_TEXT_SIZE] = "more than fits", refunds[DECIMAL_TEXT_SIZE] = "more than fits";
    if (totals.payments_e4 <= MONEY_MAXIMUM_E4) decimal_print((int64_t)totals.payments_e4, MONEY_SCALE, 2, payments);
    if (totals.refunds_e4 <= MONEY_MAXIMUM_E4) decimal_print((int64_t)totals.refunds_e4, MONEY_SCALE, 2, refunds);
    return decision_format(decision, "%lld payments %s, %lld refunds %s", (long long)totals.payments, payments, (long long)totals.refunds, refunds).data;
}

/* BALANCE_MISMATCH: held until the window changes. */
static void totals_check(struct decision *decision, const struct window_id *id, const struct settlement_window *window) {
    const struct totals booked = totals_of_parts(decision, id, window->parts), reported = totals_reported(window);
    if (totals_agree(booked, reported)) return;
    report(decision, REASON_BALANCE_MISMATCH, "document", "reported %s; the entries are %s", totals_text(decision, reported), totals_text(decision, booked));
    hold_until_state(decision, REASON_BALANCE_MISMATCH, "document", STORE_WINDOWS, id->key);
}

void window_decide_settle(struct decision *decision, const struct settlement_event *event, const struct window_id *id) {
    const struct settlement_window *before = state_find(decision, STORE_WINDOWS, id->key);
    if (!before || before->status != WINDOW_STATUS_CLOSED || event->number != before->closings) {
        report(decision, REASON_NO_EFFECT, "document", "");
        return;
    }
    if (!before->released_by.length && before->reported) totals_check(decision, id, before);
    else if (!before->released_by.length && before->awaits_report) {
        wait_limits(decision, REPORT_WAIT_DAYS * day_ms, REPORT_WAIT_DAYS * day_ms);
        wait_for_state(decision, REASON_REPORT_PENDING, "document", STORE_WINDOWS, id->key);
    }
    if (refused(decision)) return;
    struct settlement_window window = *before;
    for (int32_t i = window.parts_sent + 1; i <= window.parts; i++) follow_up(decision, id, SETTLEMENT_KIND_PART_DUE, "part", i, "");
    window.parts_sent = window.parts;
    window.status = WINDOW_STATUS_SETTLED;
    state_put(decision, STORE_WINDOWS, id->key, &window);
}

static void report_check(struct decision *decision, const struct settlement_event *event) {
    const bool has[] = {event->has_payments_amount, event->has_refunds_amount};
    const int64_t amounts_e4[] = {event->payments_amount_e4, event->refunds_amount_e4};
    const int32_t counts[] = {event->payments, event->refunds};
    static const char *const fields[][2] = {{"payments", "payments_amount"}, {"refunds", "refunds_amount"}};
    for (int i = 0; i < 2; i++) {
        if (counts[i] < 0) report(decision, REASON_TOTAL_MISMATCH, fields[i][0], "below 0");
        if (has[i] && (!decimal_is_number(amounts_e4[i]) || amounts_e4[i] < 0)) report(decision, REASON_TOTAL_MISMATCH, fields[i][1], "below 0, or with too many digits");
    }
}

static void unknown(struct decision *decision, const char *text) { report_as(decision, CLASS_REJECTED, REASON_ORIGINAL_UNKNOWN, "document", "%s", text); }

/* A window that nothing came for yet: it is one if the calendar has it. */
static bool window_reported_begin(struct decision *decision, const struct settlement_event *event, struct window *window, struct settlement_window *begun, int64_t *due_ms) {
    struct calendar calendar;
    struct window found;
    if (!calendar_require(decision, event->entity, event->batch, decision_time_ms(decision), &calendar)) return false;
    const int64_t last_ms = time_zone_moment(calendar.zone, window->last_day, window->minutes) - 1;
    struct calendar then = calendar;
    (void)!calendar_find(decision, event->entity, event->batch, last_ms, &then);
    if (!then.terms) then = calendar;
    if (!calendar_window(decision, &then, last_ms, &found)) return false;
    if (found.last_day != window->last_day || found.minutes != window->minutes) {
        unknown(decision, "the batch has no such window");
        return false;
    }
    *begun = window_begin(&then, &found);
    *due_ms = window_due_at(&then, found.ends_ms);
    return true;
}

void window_decide_reported(struct decision *decision, const struct settlement_event *event, const struct window_id *id, const struct window *named) {
    const struct settlement_window *before = state_find(decision, STORE_WINDOWS, id->key);
    struct settlement_window window = before ? *before : (struct settlement_window){0};
    struct window end = *named;
    int64_t due_ms = 0;
    report_check(decision, event);
    if (!before && !window_reported_begin(decision, event, &end, &window, &due_ms)) return;
    window.reported = true;
    window.payments = event->payments;
    window.has_payments_amount = event->has_payments_amount;
    window.payments_amount_e4 = event->payments_amount_e4;
    window.refunds = event->refunds;
    window.has_refunds_amount = event->has_refunds_amount;
    window.refunds_amount_e4 = event->refunds_amount_e4;
    if (!refused(decision) && window.status == WINDOW_STATUS_SETTLED) totals_check(decision, id, &window);
    if (refused(decision)) return;
    state_put(decision, STORE_WINDOWS, id->key, &window);
    if (!before) window_await(decision, id, &window, due_ms);
}

/* ---- decisions ---- */

/* Who may, and says why: APPROVAL_MISSING, ROLE_MISSING. */
static void decider_check(struct decision *decision, const struct settlement_event *event, const struct calendar *calendar) {
    if (!event->user.length) report_as(decision, CLASS_REJECTED, REASON_APPROVAL_MISSING, "user", "it is not told who decided");
    if (!event->reason.length) report_as(decision, CLASS_REJECTED, REASON_APPROVAL_MISSING, "reason", "it is not told why");
    const struct slice role = calendar->terms->decides;
    if (!role.length) report(decision, REASON_ROLE_MISSING, "role", "the batch lets nobody decide");
    else if (!slice_equal(event->role, role)) report(decision, REASON_ROLE_MISSING, "role", "it takes the role " SLICE_FORMAT, SLICE_ARGUMENT(role));
}

/* The window that a person decides about, NULL: it cannot be, and that is reported. */
static const struct settlement_window *decided_require(struct decision *decision, const struct settlement_event *event, const struct window_id *id, struct calendar *calendar) {
    const struct settlement_window *window = state_find(decision, STORE_WINDOWS, id->key);
    if (!calendar_require(decision, event->entity, event->batch, decision_time_ms(decision), calendar)) return NULL;
    decider_check(decision, event, calendar);
    if (!window) unknown(decision, "nothing came for this window");
    else if (window->status == WINDOW_STATUS_OPEN) report(decision, REASON_ALREADY_OPEN, "document", "");
    return window;
}

void window_decide_reopened(struct decision *decision, const struct settlement_event *event, const struct window_id *id) {
    struct calendar calendar;
    struct window next;
    const struct settlement_window *before = decided_require(decision, event, id, &calendar);
    if (!before || refused(decision) || !calendar_window(decision, &calendar, decision_time_ms(decision), &next)) return;
    struct settlement_window window = *before;
    window.status = WINDOW_STATUS_OPEN;
    window.released_by = (struct slice){0};
    state_put(decision, STORE_WINDOWS, id->key, &window);
    window_await(decision, id, &window, window_due_at(&calendar, next.ends_ms));
}

/* What is due of the window is said once more: whether it is held, or a person has refused it, it is decided anew. The first that can be done is done, any other has no effect. */
static int32_t due_again(struct decision *decision, const struct settlement_event *event, const struct window_id *id, const struct settlement_window *window) {
    const char *again = decision_format(decision, "/again-%016llx", (unsigned long long)hash_slice(event->event_id)).data;
    int32_t sent = 0;
    if (window->status == WINDOW_STATUS_CLOSED) {
        follow_up(decision, id, SETTLEMENT_KIND_SETTLE_DUE, "settle", window->closings, again);
        return 1;
    }
    for (int32_t i = 1; i <= window->parts_sent; i++) {
        const struct settlement_part *part = state_find(decision, STORE_PARTS, part_key(decision, id, i));
        if (!part || part->posted) continue;
        follow_up(decision, id, SETTLEMENT_KIND_PART_DUE, "part", i, again);
        sent++;
    }
    return sent;
}

void window_decide_released(struct decision *decision, const struct settlement_event *event, const struct window_id *id) {
    struct calendar calendar;
    const struct settlement_window *before = decided_require(decision, event, id, &calendar);
    if (!before || refused(decision)) return;
    struct settlement_window window = *before;
    if (!due_again(decision, event, id, before)) {
        report(decision, REASON_NO_EFFECT, "document", "it is posted already");
        return;
    }
    window.released_by = event->user;
    state_put(decision, STORE_WINDOWS, id->key, &window);
}
