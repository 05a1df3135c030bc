/* telling: what has come about is told to the document's source, passed on to the documents that it refers to, counted for the operator and watched. */
#include "processors/acknowledger/acknowledger.h"

#include "common/tables/tables.h"
#include "schemas/acknowledgment.h"

enum { IDENTIFIER_MAXIMUM = 200, KEY_ROOM = 470 };

/* ---- to the source ---- */

static void acknowledge(struct life *life, const struct document_event *event, struct acknowledgment *record) {
    const struct document_state *state = &life->state;
    record->source = event->source;
    record->event_id = event->event_id;
    record->processor = SLICE("acknowledger");
    record->origin = event->origin;
    record->entity = state->entity;
    record->partner = state->partner;
    record->document = state->document;
    record->kind = event->kind;
    record->correlation_id = event->correlation_id;
    record->outcome = ACKNOWLEDGED_OUTCOME_ACCEPTED;
    record->later = true;
    (void)emit_keyed(life->decision, OUTPUT_ACKNOWLEDGMENTS, (struct slice){0}, record, KEY(life->decision, state->entity, state->partner));
}

/* What the ERP did with the journals of an event, once all are posted or one is refused. */
static void answer_tell(const struct life *before, struct life *after, struct slice origin, int64_t at_ms) {
    const int answer = event_answer(after, origin);
    if (!answer || event_answer(before, origin) == answer) return;
    const struct document_state *state = &after->state;
    struct acknowledged_posting *postings = decision_alloc(after->decision, (state->journals.count + 1) * sizeof *postings);
    struct slice *journals = decision_alloc(after->decision, (state->journals.count + 1) * sizeof *journals);
    size_t count = 0;
    for (size_t i = 0; i < state->journals.count; i++) {
        const struct document_journal *journal = &state->journals.items[i];
        if (!slice_equal(journal->origin, origin) || !journal->has_answered_at) continue;
        journals[count] = journal->key;
        postings[count++] = (struct acknowledged_posting){.journal = journal->key, .erp = journal->erp, .number = journal->number, .year = journal->year,
            .period = journal->period, .has_posting_date = journal->has_posting_date, .posting_date = journal->posting_date, .reason = journal->reason, .text = journal->text};
    }
    struct acknowledgment record = {.step = answer > 0 ? SLICE("posted") : SLICE("refused by the ERP"), .occurred_at_ms = at_ms};
    record.postings.items = postings;
    record.journals.items = journals;
    record.postings.count = record.journals.count = count;
    acknowledge(after, event_find(after, origin), &record);
}

/* The event whose source hears of payments: the newest that posts, else none yet. */
static const struct document_event *addressee(const struct life *life) {
    for (size_t i = life->state.events.count; i-- > 0;) {
        const struct document_event *event = &life->state.events.items[i];
        if (event->journals && event_is(event, "validated") && !effect_takes_back(kind_effect(life->state.flow, event->kind))) return event;
    }
    return NULL;
}

static bool is_of_money(enum standing standing) {
    return standing == STANDING_PART_PAID || standing == STANDING_PAID || standing == STANDING_SETTLED || standing == STANDING_RETURNED;
}

static void payments_tell(const struct life *before, struct life *after) {
    const struct document_state *state = &after->state;
    const struct document_event *event = addressee(after);
    if (!event || !state->payments.count || !is_of_money(after->standing)) return;
    if (addressee(before) && after->standing == before->standing && state->paid_e4 == before->state.paid_e4) return;
    const struct document_payment *movement = &state->payments.items[state->payments.count - 1];
    const int32_t date = movement->has_value_date ? movement->value_date : date_at(movement->at_ms, 0);
    struct acknowledgment record = {.step = slice_of(standing_names[after->standing]), .occurred_at_ms = movement->at_ms, .payment = movement->document, .has_date = date != DATE_NONE,
        .date = date, .method = movement->method, .reference = movement->reference, .currency = state->currency, .has_amount = true, .amount_e4 = movement->amount_e4, .has_discount = true,
        .discount_e4 = movement->discount_e4, .has_withheld = true, .withheld_e4 = movement->withheld_e4, .has_remaining = state->has_remaining,
        .remaining_e4 = state->remaining_e4};
    acknowledge(after, event, &record);
}

/* ---- to other documents ---- */

/* Whether such a document can be: what an event refers to may be anything. */
static bool can_be_told(const struct document_step *step, const struct step_link *link) {
    char key[KEY_ROOM];
    const struct slice parts[] = {step->entity, link->flow, step->partner, link->document};
    return link->document.length && link->document.length <= IDENTIFIER_MAXIMUM && !memchr(link->document.data, 0, link->document.length) &&
           tables_key(key, sizeof key, parts, 4).length;
}

static void pass_on(struct life *life, const struct document_step *step, const struct step_link *link, bool money, struct slice known_as) {
    if (!can_be_told(step, link)) return;
    struct step_link *back = decision_alloc(life->decision, sizeof *back);
    *back = (struct step_link){.relation = kind_noun(step->flow, step->kind), .flow = step->flow, .document = known_as, .amount_e4 = money ? link->amount_e4 : 0,
                               .discount_e4 = money ? link->discount_e4 : 0, .withheld_e4 = money ? link->withheld_e4 : 0};
    struct document_step passed = {.entity = step->entity, .flow = link->flow, .partner = step->partner, .document = link->document,
        .step = money ? SLICE("payment") : SLICE("linked"), .processor = SLICE("acknowledger"), .kind = step->kind, .event_id = step->event_id, .source = step->source,
        .origin = step->origin, .correlation_id = step->correlation_id, .occurred_at_ms = step->occurred_at_ms, .decided_at_ms = step->decided_at_ms, .user = step->user,
        .currency = step->currency, .method = step->method, .reference = step->reference, .has_value_date = step->has_value_date, .value_date = step->value_date};
    passed.links.items = back;
    passed.links.count = 1;
    (void)emit_keyed(life->decision, OUTPUT_STEPS, (struct slice){0}, &passed, KEY(life->decision, step->entity, link->flow, step->partner, link->document));
}

/* The first time that the event is validated: what posts, takes back or moves money is heard of by the documents that it refers to. */
static void others_tell(const struct life *before, struct life *after, const struct document_step *step) {
    const struct document_event *event = event_find(after, step->origin), *was = event_find(before, step->origin);
    if (!step->links.count || !event || !event_is(event, "validated") || (was && event_is(was, "validated"))) return;
    if (event->no_effect && !effect_takes_back(kind_effect(step->flow, step->kind))) return;
    const bool moves = kind_moves_money(step->flow, step->kind);
    const enum effect effect = kind_effect(step->flow, step->kind);
    if (!moves && !step->journals.count && !effect_takes_back(effect) && effect != EFFECT_CAME_BACK) return;
    for (size_t i = 0; i < step->links.count; i++) {
        const struct step_link *link = &step->links.items[i];
        if (slice_equal(link->document, step->document) && slice_equal(link->flow, step->flow)) continue;
        const bool money = moves && slice_equal(link->relation, SLICE("invoice"));
        /* A return under a number of its own moves what the payment moved. */
        pass_on(after, step, link, money, money && event->original.length ? event->original : step->document);
    }
}

/* ---- to the operator ---- */

static bool is_overdue(const struct life *life, const char *step) {
    for (size_t i = 0; i < life->state.breaches.count; i++)
        if (!life->state.breaches.items[i].has_ended_at && slice_equal(life->state.breaches.items[i].awaited, slice_of(step))) return true;
    return false;
}

static void breaches_count(const struct life *before, struct life *after) {
    for (int i = 0; i < FLOW_STEP_COUNT && after->state.breaches.count; i++) {
        const bool was = is_overdue(before, flow_step_names[i]), is = is_overdue(after, flow_step_names[i]);
        if (is && !was) tallied(after->decision, COUNTER_BREACHES, after->state.entity, flow_step_names[i]);
        if (was && !is) tallied(after->decision, COUNTER_BREACHES_ENDED, after->state.entity, flow_step_names[i]);
    }
}

/* How long it took from one state to another, when that is first reached. */
static void durations_count(const struct life *before, struct life *after) {
    static const struct { const char *from, *to, *step; bool of_invoices; } spans[] = {
        {"command sent", "posted", "confirmed", false}, {"received", "posted", "invoice posted", true}, {"received", "paid", "invoice paid", true}};
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        const int64_t from_ms = reached_ms(after, spans[i].from, 0), to_ms = reached_ms(after, spans[i].to, 0);
        if (!from_ms || !to_ms || reached_ms(before, spans[i].to, 0) || (spans[i].of_invoices && !slice_equal(after->state.flow, SLICE("invoice")))) continue;
        tallied(after->decision, COUNTER_DURATIONS, after->state.entity, spans[i].step);
        tallied_more(after->decision, COUNTER_DURATION_SECONDS, after->state.entity, spans[i].step, to_ms > from_ms ? (to_ms - from_ms) / 1000 : 0);
    }
}

/* The alarm for the next step that is due; it rings unless it is taken back. */
static void watch(const struct life *before, struct life *after) {
    const struct document_state *was = &before->state, *state = &after->state;
    if (was->has_due_at == state->has_due_at && was->due_at_ms == state->due_at_ms && slice_equal(was->awaited, state->awaited) &&
        slice_equal(was->awaited_of, state->awaited_of))
        return;
    if (!state->has_due_at) {
        defer_cancel(after->decision, after->key);
        return;
    }
    const struct document_step overdue = {.entity = state->entity, .flow = state->flow, .partner = state->partner, .document = state->document, .step = SLICE("overdue"),
        .processor = SLICE("acknowledger"), .origin = state->awaited_of, .occurred_at_ms = state->due_at_ms, .decided_at_ms = state->due_at_ms, .awaited = state->awaited,
        .due_at_ms = state->due_at_ms, .owner = state->owner};
    defer(after->decision, after->key, OUTPUT_STEPS, &overdue, after->key, state->due_at_ms);
}

/* ---- the whole ---- */

static void told(const struct life *before, struct life *after) {
    payments_tell(before, after);
    breaches_count(before, after);
    durations_count(before, after);
    watch(before, after);
    state_put(after->decision, STORE_DOCUMENTS, after->key, &after->state);
    (void)emit(after->decision, OUTPUT_DOCUMENTS, (struct slice){0}, &after->state);
}

void telling_step(const struct life *before, struct life *after, const struct document_step *step) {
    others_tell(before, after, step);
    answer_tell(before, after, step->origin, step->decided_at_ms ? step->decided_at_ms : step->occurred_at_ms);
    told(before, after);
}

void telling_ack(const struct life *before, struct life *after, const struct posting_ack *ack) {
    answer_tell(before, after, ack->origin, ack->occurred_at_ms);
    told(before, after);
}
