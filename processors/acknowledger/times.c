/* times: when the next step of a document is due by its flow's policy, and which were overdue (docs/document-life.md, Time). */
#include "processors/acknowledger/acknowledger.h"

/* A step that is waited for: since when, and for which event (origin) or journal (key); empty: the document. */
struct awaited { bool is; int64_t from_ms; struct slice of; };

/* Steps may have any times. */
static int64_t due(int64_t from_ms, int64_t limit_ms) {
    int64_t due_ms;
    return __builtin_add_overflow(from_ms, limit_ms, &due_ms) ? INT64_MAX : due_ms;
}

static void earlier(struct awaited *awaited, int64_t from_ms, struct slice of) {
    if (awaited->is && (from_ms > awaited->from_ms || (from_ms == awaited->from_ms && slice_compare(of, awaited->of) >= 0))) return;
    *awaited = (struct awaited){true, from_ms, of};
}

/* A payment that is on its way is waited for by its flow; an invoice that is paid, and not on the statement yet, too. */
static int64_t sent_ms(const struct life *life) {
    int64_t at_ms = 0;
    for (size_t i = 0; i < life->state.events.count; i++) {
        const struct document_event *event = &life->state.events.items[i];
        if (event_is(event, "validated") && kind_effect(life->state.flow, event->kind) == EFFECT_SENT) at_ms = event->occurred_at_ms;
    }
    return at_ms;
}

static void awaited_find(const struct life *life, struct awaited awaited[FLOW_STEP_COUNT]) {
    const struct document_state *state = &life->state;
    const bool is_payment = slice_equal(state->flow, SLICE("payment"));
    for (int i = 0; i < FLOW_STEP_COUNT; i++) awaited[i] = (struct awaited){.is = false};
    for (size_t i = 0; i < state->events.count; i++)
        if (event_is_open(&state->events.items[i])) earlier(&awaited[FLOW_DECIDED], state->events.items[i].occurred_at_ms, state->events.items[i].origin);
    for (size_t i = 0; i < state->journals.count; i++)
        if (!state->journals.items[i].has_answered_at) earlier(&awaited[FLOW_POSTED], state->journals.items[i].sent_at_ms, state->journals.items[i].key);
    int64_t posted_ms = 0;
    for (size_t i = 0; i < state->journals.count; i++)
        if (state->journals.items[i].has_answered_at && state->journals.items[i].answered_at_ms > posted_ms) posted_ms = state->journals.items[i].answered_at_ms;
    switch (life->standing) {
    case STANDING_POSTED: case STANDING_BLOCKED: case STANDING_PART_PAID: case STANDING_RETURNED:
        if (!is_payment && posted_ms && !awaited[FLOW_POSTED].is) earlier(&awaited[FLOW_PAID], posted_ms, (struct slice){0});
        break;
    case STANDING_PAID: earlier(&awaited[FLOW_SETTLED], life->standing_since_ms, (struct slice){0}); break;
    default: break;
    }
    if (is_payment && (life->standing == STANDING_POSTED || life->standing == STANDING_COMMAND_SENT || life->standing == STANDING_REFUSED_BY_ERP) && sent_ms(life))
        earlier(&awaited[FLOW_SETTLED], sent_ms(life), (struct slice){0});
}

/* ---- breaches ---- */

static int step_of(struct slice name) {
    int step = 0;
    while (step < FLOW_STEP_COUNT && !slice_equal(name, slice_of(flow_step_names[step]))) step++;
    return step;
}

/* When what the breach waited for came; false: it has not, or nothing is known of it. */
static bool ended_ms(const struct life *life, const struct document_breach *breach, int step, int64_t *at_ms) {
    if (step == FLOW_DECIDED) {
        const struct document_event *event = event_find(life, breach->of);
        if (!event || event_is_open(event)) return false;
        *at_ms = event->decided_at_ms;
        return true;
    }
    if (step == FLOW_POSTED) {
        for (size_t i = 0; i < life->state.journals.count; i++) {
            const struct document_journal *journal = &life->state.journals.items[i];
            if (!slice_equal(journal->key, breach->of)) continue;
            *at_ms = journal->answered_at_ms;
            return journal->has_answered_at;
        }
        return false;
    }
    *at_ms = life->standing_since_ms;
    return true;
}

static bool breach_equals(const struct document_breach *breach, int step, int64_t due_ms, struct slice of) {
    return breach->due_at_ms == due_ms && slice_equal(breach->awaited, slice_of(flow_step_names[step])) && slice_equal(breach->of, of);
}

void times_derive(struct life *life) {
    struct document_state *state = &life->state;
    struct awaited awaited[FLOW_STEP_COUNT];
    struct document_breach *breaches = decision_alloc(life->decision, (state->breaches.count + 1) * sizeof *breaches);
    awaited_find(life, awaited);
    state->owner = life->policy ? life->policy->control_owner : (struct slice){0};
    state->exception_path = life->policy ? life->policy->exception_path : (struct slice){0};
    state->awaited = state->awaited_of = state->overdue = (struct slice){0};
    state->has_due_at = state->has_overdue_since = false;
    state->due_at_ms = state->overdue_since_ms = 0;
    bool open[FLOW_STEP_COUNT] = {false};
    for (size_t i = 0; i < state->breaches.count; i++) {
        struct document_breach *breach = &breaches[i];
        *breach = state->breaches.items[i];
        const int step = step_of(breach->awaited);
        const int64_t limit_ms = step < FLOW_STEP_COUNT && life->limits ? life->limits->ms[step] : 0;
        breach->has_ended_at = false;
        breach->ended_at_ms = 0;
        if (step == FLOW_STEP_COUNT) continue;
        if (awaited[step].is && limit_ms && breach_equals(breach, step, due(awaited[step].from_ms, limit_ms), awaited[step].of)) {
            open[step] = true;
            if (state->has_overdue_since && state->overdue_since_ms <= breach->due_at_ms) continue;
            state->overdue = slice_of(flow_step_names[step]);
            state->has_overdue_since = true;
            state->overdue_since_ms = breach->due_at_ms;
        } else breach->has_ended_at = ended_ms(life, breach, step, &breach->ended_at_ms);
    }
    state->breaches.items = breaches;
    for (int step = 0; life->limits && step < FLOW_STEP_COUNT; step++) {
        const int64_t due_ms = due(awaited[step].from_ms, life->limits->ms[step]);
        if (!awaited[step].is || !life->limits->ms[step] || open[step] || (state->has_due_at && state->due_at_ms <= due_ms)) continue;
        state->has_due_at = true;
        state->due_at_ms = due_ms;
        state->awaited = slice_of(flow_step_names[step]);
        state->awaited_of = awaited[step].of;
    }
}
