/* standing: where a document is, from the set of its steps alone (docs/document-life.md, State). */
#include "processors/acknowledger/acknowledger.h"

const char *const standing_names[STANDING_COUNT] = {
    "named", "received", "validated", "rejected", "command sent", "posted", "refused by the ERP", "blocked", "part paid", "paid", "settled", "returned", "corrected", "reversed"};

/* The newest of a sort of event; at_ms 0 without origin: there is none. */
struct newest { const struct document_event *event; struct slice origin; int64_t at_ms; enum effect effect; };

static void newer(struct newest *newest, const struct document_event *event, struct slice origin, int64_t at_ms, enum effect effect) {
    if (newest->origin.length && order_compare(at_ms, origin, newest->at_ms, newest->origin) <= 0) return;
    *newest = (struct newest){event, origin, at_ms, effect};
}

/* What the document's events come to, by sort. */
struct events {
    const struct document_event *first, *accepted, *held, *waiting, *decided;   /* the first; the newest accepted; the oldest that needs a decision, that waits; the newest decided */
    struct newest posting, establishing, taking_back, block, clearing, moving, amount;
};

static bool has_reason(const struct document_event *event, const char *code) {
    for (size_t i = 0; i < event->reasons.count; i++)
        if (slice_equal(event->reasons.items[i].code, slice_of(code))) return true;
    return false;
}

static void accepted_sort(struct events *events, const struct document_event *event, enum effect effect) {
    const bool takes_back = effect_takes_back(effect) && effect != EFFECT_CORRECTS;
    events->accepted = event;
    if (event->no_effect && !takes_back) return;
    if (event->journals && !takes_back) newer(&events->posting, event, event->origin, event->occurred_at_ms, effect);
    if ((event->journals || effect == EFFECT_ESTABLISHES) && !takes_back) newer(&events->establishing, event, event->origin, event->occurred_at_ms, effect);
    if (event->journals && (effect == EFFECT_ESTABLISHES || effect == EFFECT_CORRECTS))    /* with the block that holds then */
        newer(&events->block, event, event->origin, event->occurred_at_ms, event->payment_blocked ? EFFECT_BLOCKS : EFFECT_UNBLOCKS);
    if ((effect == EFFECT_ESTABLISHES || effect == EFFECT_NONE || effect == EFFECT_CORRECTS) && event->has_amount)
        newer(&events->amount, event, event->origin, event->occurred_at_ms, effect);
    switch (effect) {
    case EFFECT_REVERSES: case EFFECT_REFUSES:
        if (!event->original.length) newer(&events->taking_back, event, event->origin, event->occurred_at_ms, effect);
        break;
    case EFFECT_BLOCKS: case EFFECT_UNBLOCKS: newer(&events->block, event, event->origin, event->occurred_at_ms, effect); break;
    case EFFECT_CLEARS: newer(&events->clearing, event, event->origin, event->occurred_at_ms, effect); break;
    case EFFECT_SENT: case EFFECT_ACCEPTED_BY_BANK: case EFFECT_SETTLED: case EFFECT_CAME_BACK: case EFFECT_REFUNDED: case EFFECT_APPLIED:
        if (!event->original.length) newer(&events->moving, event, event->origin, event->occurred_at_ms, effect);
        break;
    case EFFECT_NONE: case EFFECT_ESTABLISHES: case EFFECT_REVERSES_ORIGINAL: case EFFECT_CORRECTS: case EFFECT_PARTLY_BACK: break;
    }
}

static void events_sort(const struct life *life, struct events *events) {
    *events = (struct events){.first = NULL};
    for (size_t i = 0; i < life->state.events.count; i++) {   /* in the order in which they happened */
        const struct document_event *event = &life->state.events.items[i];
        if (!events->first) events->first = event;
        if (event_is(event, "needs decision")) { if (!events->held) events->held = event; continue; }
        if (event_is(event, "waiting")) { if (!events->waiting) events->waiting = event; continue; }
        if (event_is(event, "validated")) accepted_sort(events, event, kind_effect(life->state.flow, event->kind));
        if (!event_is(event, "already received")) events->decided = event;
    }
    for (size_t i = 0; i < life->state.linked_by.count; i++) {
        const struct document_link *link = &life->state.linked_by.items[i];
        const enum effect effect = kind_effect(link->flow, link->kind);
        if (!slice_equal(link->flow, life->state.flow)) continue;
        if (effect_takes_back(effect)) newer(&events->taking_back, NULL, link->origin, link->at_ms, effect);
        else if (effect == EFFECT_CAME_BACK) newer(&events->moving, NULL, link->origin, link->at_ms, effect);
    }
}

/* ---- journals ---- */

struct answers { size_t sent, posted, refused; int64_t sent_ms, posted_ms, refused_ms; const struct document_journal *refusal; };

static int64_t later(int64_t a, int64_t b) { return a > b ? a : b; }

static struct answers answers_find(const struct life *life) {
    struct answers answers = {0};
    for (size_t i = 0; i < life->state.journals.count; i++) {
        const struct document_journal *journal = &life->state.journals.items[i];
        if (journal->has_sent_at) answers.sent_ms = later(answers.sent_ms, journal->sent_at_ms);
        if (!journal->has_answered_at) answers.sent++;
        else if (slice_equal(journal->state, SLICE("posted"))) {
            answers.posted++;
            answers.posted_ms = later(answers.posted_ms, journal->answered_at_ms);
        } else {
            if (!answers.refused++ || journal->answered_at_ms > answers.refused_ms) answers.refusal = journal;
            answers.refused_ms = later(answers.refused_ms, journal->answered_at_ms);
        }
    }
    return answers;
}

/* When all journals of the earliest event that has all of them posted were; 0: none has. */
static int64_t posted_first_ms(const struct life *life) {
    int64_t first_ms = 0;
    for (size_t i = 0; i < life->state.events.count; i++) {
        const struct document_event *event = &life->state.events.items[i];
        int64_t whole_ms = 0;
        if (event_answer(life, event->origin) <= 0) continue;
        for (size_t k = 0; k < life->state.journals.count; k++)
            if (slice_equal(life->state.journals.items[k].origin, event->origin)) whole_ms = later(whole_ms, life->state.journals.items[k].answered_at_ms);
        if (!first_ms || whole_ms < first_ms) first_ms = whole_ms;
    }
    return first_ms;
}

/* ---- where it stands ---- */

int64_t reached_ms(const struct life *life, const char *state, int64_t otherwise_ms) {
    for (size_t i = 0; i < life->state.reached.count; i++)
        if (slice_equal(life->state.reached.items[i].state, slice_of(state))) return life->state.reached.items[i].at_ms;
    return otherwise_ms;
}

static void stand(struct life *life, enum standing standing, int64_t since_ms) {
    life->standing = standing;
    life->standing_since_ms = since_ms;
}

/* By what was paid or moved; false: by something before that. */
static bool stand_by_money(struct life *life, const struct events *events, const struct paying *paying) {
    if (events->moving.origin.length) {   /* a payment */
        switch (events->moving.effect) {
        case EFFECT_SETTLED: case EFFECT_REFUNDED: case EFFECT_APPLIED: stand(life, STANDING_SETTLED, events->moving.at_ms); return true;
        case EFFECT_CAME_BACK: stand(life, STANDING_RETURNED, events->moving.at_ms); return true;
        default: return false;
        }
    }
    if (events->clearing.origin.length && paying->standing != STANDING_PAID && paying->standing != STANDING_SETTLED) {
        stand(life, STANDING_PAID, events->clearing.at_ms);
        return true;
    }
    if (paying->standing == STANDING_NAMED) return false;
    stand(life, paying->standing, paying->since_ms);
    return true;
}

/* When the block came: with the posting, when that was decided. */
static int64_t blocked_ms(const struct document_event *event) { return event->payment_blocked ? event->decided_at_ms : event->occurred_at_ms; }

static void stand_by_events(struct life *life, const struct events *events, const struct answers *answers) {
    const struct document_event *decided = events->decided;
    const bool sent = life->state.journals.count > 0;
    if (sent && events->block.origin.length && events->block.effect == EFFECT_BLOCKS) stand(life, STANDING_BLOCKED, blocked_ms(events->block.event));
    else if (answers->refused) stand(life, STANDING_REFUSED_BY_ERP, answers->refused_ms);
    else if (answers->posted && !answers->sent) stand(life, STANDING_POSTED, answers->posted_ms);
    else if (sent) stand(life, STANDING_COMMAND_SENT, answers->sent_ms);
    else if (decided && event_is(decided, "rejected") && !has_reason(decided, "DUPLICATE_DOCUMENT")) stand(life, STANDING_REJECTED, decided->decided_at_ms);
    else if (events->accepted) stand(life, STANDING_VALIDATED, reached_ms(life, "validated", events->accepted->decided_at_ms));
    else if (events->first) stand(life, STANDING_RECEIVED, reached_ms(life, "received", events->first->occurred_at_ms));
    else stand(life, STANDING_NAMED, life->state.linked_by.count ? life->state.linked_by.items[0].at_ms : life->state.payments.count ? life->state.payments.items[0].at_ms : 0);
}

static void stand_derive(struct life *life, const struct events *events, const struct answers *answers, const struct paying *paying) {
    const struct newest *back = &events->taking_back, *there = &events->establishing;
    if (back->origin.length && (!there->origin.length || order_compare(back->at_ms, back->origin, there->at_ms, there->origin) >= 0))
        stand(life, back->effect == EFFECT_CORRECTS ? STANDING_CORRECTED : back->effect == EFFECT_REFUSES ? STANDING_REJECTED : STANDING_REVERSED, back->at_ms);
    else if (!stand_by_money(life, events, paying)) stand_by_events(life, events, answers);
}

/* ---- what follows from it ---- */

/* What is reached by several steps together is found anew each time. */
static void reached_derive(struct life *life, const struct answers *answers, const struct paying *paying) {
    static const enum standing found[] = {STANDING_POSTED, STANDING_REFUSED_BY_ERP, STANDING_BLOCKED, STANDING_PART_PAID, STANDING_PAID, STANDING_SETTLED, STANDING_RETURNED,
                                          STANDING_CORRECTED, STANDING_REVERSED};
    struct document_state *state = &life->state;
    struct document_reached *kept = decision_alloc(life->decision, (state->reached.count + 1) * sizeof *kept);
    size_t count = 0;
    for (size_t i = 0; i < state->reached.count; i++) {
        bool again = false;
        for (size_t k = 0; !again && k < sizeof found / sizeof *found; k++) again = slice_equal(state->reached.items[i].state, slice_of(standing_names[found[k]]));
        if (!again) kept[count++] = state->reached.items[i];
    }
    state->reached.items = kept;
    state->reached.count = count;
    const int64_t posted_ms = answers->posted ? posted_first_ms(life) : 0;
    if (posted_ms) reached_at(life, standing_names[STANDING_POSTED], posted_ms);
    for (size_t i = 0; answers->refused && i < state->journals.count; i++)
        if (slice_equal(state->journals.items[i].state, SLICE("refused"))) reached_at(life, standing_names[STANDING_REFUSED_BY_ERP], state->journals.items[i].answered_at_ms);
    for (int standing = STANDING_PART_PAID; standing <= STANDING_RETURNED; standing++)
        if (paying->first_ms[standing]) reached_at(life, standing_names[standing], paying->first_ms[standing]);
    for (size_t i = 0; i < state->events.count; i++) {
        const struct document_event *event = &state->events.items[i];
        if (!event_is(event, "validated") || event->no_effect || event->original.length) continue;
        if (event->payment_blocked) reached_at(life, standing_names[STANDING_BLOCKED], blocked_ms(event));
        switch (kind_effect(state->flow, event->kind)) {
        case EFFECT_BLOCKS: reached_at(life, standing_names[STANDING_BLOCKED], event->occurred_at_ms); break;
        case EFFECT_CORRECTS: reached_at(life, standing_names[STANDING_CORRECTED], event->occurred_at_ms); break;
        case EFFECT_CLEARS: reached_at(life, standing_names[STANDING_PAID], event->occurred_at_ms); break;
        case EFFECT_SETTLED: case EFFECT_REFUNDED: case EFFECT_APPLIED: reached_at(life, standing_names[STANDING_SETTLED], event->occurred_at_ms); break;
        case EFFECT_CAME_BACK: reached_at(life, standing_names[STANDING_RETURNED], event->occurred_at_ms); break;
        default: break;
        }
    }
    if (life->standing == STANDING_REVERSED || life->standing == STANDING_CORRECTED || life->standing == STANDING_RETURNED)
        reached_at(life, standing_names[life->standing], life->standing_since_ms);
}

static void head_derive(struct life *life, const struct events *events, const struct paying *paying) {
    struct document_state *state = &life->state;
    const struct document_event *told = events->posting.event ? events->posting.event : events->accepted ? events->accepted : events->first;
    state->kind = events->first ? events->first->kind : (struct slice){0};
    state->source = told ? told->source : (struct slice){0};
    state->correlation_id = told ? told->correlation_id : (struct slice){0};
    state->has_document_date = told && told->has_document_date;
    state->document_date = state->has_document_date ? told->document_date : 0;
    const struct document_event *amount = events->amount.event;
    state->currency = amount ? amount->currency : told ? told->currency : (struct slice){0};
    state->paid_e4 = paying->paid_e4;
    const int64_t paid_e4 = paying->paid_e4 < 0 ? -paying->paid_e4 : paying->paid_e4;
    state->has_remaining = state->has_amount && state->payments.count && decimal_subtract(state->amount_e4, paid_e4, &state->remaining_e4);
    if (!state->has_remaining) state->remaining_e4 = 0;
}

static void reasons_derive(struct life *life, const struct events *events, const struct answers *answers) {
    struct document_state *state = &life->state;
    const struct document_event *open = events->held ? events->held : events->waiting;
    const struct document_event *from = open ? open : life->standing == STANDING_REJECTED ? events->decided : NULL;
    state->reasons.count = from ? from->reasons.count : 0;
    state->reasons.items = from ? from->reasons.items : NULL;
    state->missing.count = from ? from->missing.count : 0;
    state->missing.items = from ? from->missing.items : NULL;
    if (from || life->standing != STANDING_REFUSED_BY_ERP || !answers->refusal) return;
    state->reasons.items = decision_alloc(life->decision, sizeof *state->reasons.items);
    state->reasons.items[0] = (struct document_reason){answers->refusal->reason, answers->refusal->key, answers->refusal->text};
    state->reasons.count = 1;
}

void life_derive(struct life *life) {
    struct document_state *state = &life->state;
    struct events events;
    events_sort(life, &events);
    state->has_amount = events.amount.event != NULL;
    state->amount_e4 = state->has_amount ? events.amount.event->amount_e4 : 0;
    const struct answers answers = answers_find(life);
    const struct paying paying = paying_find(life);
    stand_derive(life, &events, &answers, &paying);
    reached_derive(life, &answers, &paying);
    head_derive(life, &events, &paying);
    reasons_derive(life, &events, &answers);
    state->standing = slice_of(standing_names[life->standing]);
    state->state = events.held ? SLICE("needs decision") : events.waiting ? SLICE("waiting") : state->standing;
    const struct document_event *open = events.held ? events.held : events.waiting;
    state->since_ms = open ? open->occurred_at_ms : life->standing_since_ms;
    times_derive(life);
}
