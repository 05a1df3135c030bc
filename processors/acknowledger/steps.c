/* steps: the set of a document's steps, one record for each event, journal, link, movement and breach. What is put in does not depend on the order in which it comes. */
#include "processors/acknowledger/acknowledger.h"

/* ---- order ---- */

/* <topic>/<partition>/<offset>: the offset is a number, so a longer one is later. */
static size_t offset_length(struct slice origin) {
    size_t digits = 0;
    while (digits < origin.length && origin.data[origin.length - 1 - digits] != '/') digits++;
    return digits;
}

static int origin_compare(struct slice a, struct slice b) {
    const size_t digits_a = offset_length(a), digits_b = offset_length(b);
    const int place = slice_compare((struct slice){a.data, a.length - digits_a}, (struct slice){b.data, b.length - digits_b});
    if (place) return place;
    if (digits_a != digits_b) return digits_a < digits_b ? -1 : 1;
    return slice_compare(a, b);
}

int order_compare(int64_t at_ms, struct slice origin, int64_t other_ms, struct slice other_origin) {
    if (at_ms != other_ms) return at_ms < other_ms ? -1 : 1;
    return origin_compare(origin, other_origin);
}

/* ---- lists: copied when they change, since what the state gave is not ours ---- */

/* The same items with room for one at the place. */
static void *list_with_room(struct decision *decision, const void *items, size_t count, size_t size, size_t place) {
    char *list = decision_alloc(decision, (count + 1) * size);
    if (place) memcpy(list, items, place * size);
    if (count > place) memcpy(list + (place + 1) * size, (const char *)items + place * size, (count - place) * size);
    return list;
}

static void *list_copy(struct decision *decision, const void *items, size_t count, size_t size) { return list_with_room(decision, items, count, size, count); }

static void list_drop(void *items, size_t *count, size_t size, size_t place) {
    char *list = items;
    memmove(list + place * size, list + (place + 1) * size, (*count - place - 1) * size);
    --*count;
}

#define ROOM(life, list, place) \
    ((life)->state.list.items = list_with_room((life)->decision, (life)->state.list.items, (life)->state.list.count, sizeof *(life)->state.list.items, (place)), \
     (life)->state.list.count++)
#define OWN(life, list) ((life)->state.list.items = list_copy((life)->decision, (life)->state.list.items, (life)->state.list.count, sizeof *(life)->state.list.items))
#define DROP(life, list, place) list_drop((life)->state.list.items, &(life)->state.list.count, sizeof *(life)->state.list.items, (place))

/* ---- reached ---- */

/* States of the same moment stand in the order of a life. */
static int state_rank(struct slice state) {
    static const char *const open[] = {"received", "waiting", "needs decision"};
    enum { OPEN = sizeof open / sizeof *open };
    for (int i = 0; i < OPEN; i++)
        if (slice_equal(state, slice_of(open[i]))) return i;
    for (int i = 0; i < STANDING_COUNT; i++)
        if (slice_equal(state, slice_of(standing_names[i]))) return OPEN + i;
    return OPEN + STANDING_COUNT;
}

void reached_at(struct life *life, const char *state, int64_t at_ms) {
    size_t place = life->state.reached.count;
    for (size_t i = 0; i < life->state.reached.count; i++) {
        const struct document_reached *reached = &life->state.reached.items[i];
        if (!slice_equal(reached->state, slice_of(state))) continue;
        if (reached->at_ms <= at_ms) return;
        OWN(life, reached);
        DROP(life, reached, i);
        place = life->state.reached.count;
        break;
    }
    while (place > 0) {
        const struct document_reached *before = &life->state.reached.items[place - 1];
        if (before->at_ms < at_ms || (before->at_ms == at_ms && state_rank(before->state) < state_rank(slice_of(state)))) break;
        place--;
    }
    ROOM(life, reached, place);
    life->state.reached.items[place] = (struct document_reached){slice_of(state), at_ms};
}

/* ---- events ---- */

const struct document_event *event_find(const struct life *life, struct slice origin) {
    for (size_t i = life->state.events.count; i-- > 0;)
        if (slice_equal(life->state.events.items[i].origin, origin)) return &life->state.events.items[i];
    return NULL;
}

/* A step that is no outcome has no rank. */
static int outcome_rank(struct slice step) {
    static const struct { const char *step; int rank; } ranks[] = {{"validated", 3}, {"rejected", 3}, {"already received", 3}, {"needs decision", 2}, {"waiting", 1}};
    for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++)
        if (slice_equal(step, slice_of(ranks[i].step))) return ranks[i].rank;
    return 0;
}

/* Another document that the event takes back or corrects. */
static struct slice original_of(const struct document_step *step) {
    for (size_t i = 0; i < step->links.count; i++)
        if (slice_equal(step->links.items[i].relation, SLICE("original")) && !slice_equal(step->links.items[i].document, step->document)) return step->links.items[i].document;
    return (struct slice){0};
}

static struct document_event event_make(struct life *life, const struct document_step *step) {
    struct document_event event = {.origin = step->origin, .event_id = step->event_id, .source = step->source, .kind = step->kind, .step = step->step,
        .occurred_at_ms = step->occurred_at_ms, .decided_at_ms = step->decided_at_ms ? step->decided_at_ms : step->occurred_at_ms, .correlation_id = step->correlation_id,
        .has_document_date = step->has_document_date, .document_date = step->document_date, .currency = step->currency, .has_amount = step->has_amount,
        .amount_e4 = step->amount_e4, .journals = (int32_t)step->journals.count, .payment_blocked = step->payment_blocked,
        .original = original_of(step)};
    for (size_t i = 0; i < step->reasons.count; i++) event.no_effect |= slice_equal(step->reasons.items[i].code, SLICE("NO_EFFECT"));
    if (event_is(&event, "validated")) return event;
    event.reasons.items = decision_alloc(life->decision, (step->reasons.count + 1) * sizeof *event.reasons.items);
    event.reasons.count = step->reasons.count;
    for (size_t i = 0; i < step->reasons.count; i++)
        event.reasons.items[i] = (struct document_reason){step->reasons.items[i].code, step->reasons.items[i].field, step->reasons.items[i].text};
    event.missing.items = decision_alloc(life->decision, (step->missing.count + 1) * sizeof *event.missing.items);
    event.missing.count = step->missing.count;
    for (size_t i = 0; i < step->missing.count; i++) event.missing.items[i] = (struct document_missing_key){step->missing.items[i].table, step->missing.items[i].key};
    return event;
}

static bool reasons_equal(const struct document_event *a, const struct document_event *b) {
    if (a->reasons.count != b->reasons.count || a->missing.count != b->missing.count) return false;
    for (size_t i = 0; i < a->reasons.count; i++)
        if (!slice_equal(a->reasons.items[i].code, b->reasons.items[i].code) || !slice_equal(a->reasons.items[i].field, b->reasons.items[i].field) ||
            !slice_equal(a->reasons.items[i].text, b->reasons.items[i].text)) return false;
    for (size_t i = 0; i < a->missing.count; i++)
        if (!slice_equal(a->missing.items[i].table, b->missing.items[i].table) || !slice_equal(a->missing.items[i].key, b->missing.items[i].key)) return false;
    return true;
}

/* The oldest of the decided ones goes when there are too many. */
static void events_bound(struct life *life) {
    size_t decided = 0, oldest = life->state.events.count;
    for (size_t i = life->state.events.count; i-- > 0;) {
        if (event_is_open(&life->state.events.items[i])) continue;
        decided++;
        oldest = i;
    }
    if (decided > EVENTS_KEPT) DROP(life, events, oldest);
}

static bool event_put(struct life *life, const struct document_step *step) {
    const struct document_event *known = event_find(life, step->origin);
    struct document_event event = event_make(life, step);
    if (known) {
        if (outcome_rank(event.step) < outcome_rank(known->step)) return false;
        if (slice_equal(event.step, known->step) && (!event_is_open(&event) || reasons_equal(&event, known))) return false;
        const size_t place = (size_t)(known - life->state.events.items);
        OWN(life, events);
        life->state.events.items[place] = event;
        return true;
    }
    size_t place = life->state.events.count;
    while (place > 0 && order_compare(event.occurred_at_ms, event.origin, life->state.events.items[place - 1].occurred_at_ms, life->state.events.items[place - 1].origin) < 0)
        place--;
    ROOM(life, events, place);
    life->state.events.items[place] = event;
    return true;
}

/* ---- journals ---- */

/* By their keys. The place where it is or goes. */
static size_t journal_place(const struct life *life, struct slice key, bool *there) {
    size_t place = 0;
    int order = 1;
    while (place < life->state.journals.count && (order = slice_compare(life->state.journals.items[place].key, key)) < 0) place++;
    *there = place < life->state.journals.count && order == 0;
    return place;
}

static int64_t journal_time(const struct document_journal *journal) { return journal->has_sent_at ? journal->sent_at_ms : journal->answered_at_ms; }

static struct document_journal *journal_own(struct life *life, struct slice key) {
    bool there;
    size_t place = journal_place(life, key, &there);
    if (there) {
        OWN(life, journals);
        return &life->state.journals.items[place];
    }
    if (life->state.journals.count == JOURNALS_KEPT) {
        size_t oldest = 0;
        for (size_t i = 1; i < life->state.journals.count; i++)
            if (journal_time(&life->state.journals.items[i]) < journal_time(&life->state.journals.items[oldest])) oldest = i;
        OWN(life, journals);
        DROP(life, journals, oldest);
        place -= oldest < place;
    }
    ROOM(life, journals, place);
    life->state.journals.items[place] = (struct document_journal){.key = key, .state = SLICE("sent")};
    return &life->state.journals.items[place];
}

static void journals_put(struct life *life, const struct document_step *step, int64_t at_ms) {
    for (size_t i = 0; i < step->journals.count; i++) {
        struct document_journal *journal = journal_own(life, step->journals.items[i]);
        journal->origin = step->origin;
        journal->has_sent_at = true;
        journal->sent_at_ms = at_ms;
    }
    if (step->journals.count) reached_at(life, "command sent", at_ms);
}

bool steps_take_ack(struct life *life, const struct posting_ack *ack) {
    const bool refused = ack->outcome == POSTING_OUTCOME_REFUSED;
    bool there;
    const size_t place = journal_place(life, ack->idempotency_key, &there);
    if (ack->outcome == POSTING_OUTCOME_UNKNOWN) return false;
    if (there && life->state.journals.items[place].has_answered_at) {
        /* Posted is posted: an ERP that refuses a repetition has it. Of two refusals, or two numbers, the later one. */
        const struct document_journal *known = &life->state.journals.items[place];
        const bool was_refused = slice_equal(known->state, SLICE("refused"));
        if (refused && !was_refused) return false;
        if (refused == was_refused && ack->occurred_at_ms <= known->answered_at_ms) return false;
    }
    struct document_journal *journal = journal_own(life, ack->idempotency_key);
    *journal = (struct document_journal){.key = journal->key, .summary = journal->summary, .origin = ack->origin, .has_sent_at = journal->has_sent_at, .sent_at_ms = journal->sent_at_ms,
        .has_answered_at = true, .answered_at_ms = ack->occurred_at_ms, .state = refused ? SLICE("refused") : SLICE("posted"), .erp = ack->erp, .number = ack->number,
        .year = ack->year, .period = ack->period, .has_posting_date = ack->has_posting_date, .posting_date = ack->posting_date, .reason = ack->reason, .text = ack->text};
    return true;
}

/* Its journal is in a summary: one, for good. */
static bool summary_put(struct life *life, const struct document_step *step) {
    if (!step->journals.count || !step->entries.count) return false;
    bool there;
    const size_t place = journal_place(life, step->entries.items[0].journal, &there);
    if (there && slice_equal(life->state.journals.items[place].summary, step->journals.items[0])) return false;
    struct document_journal *journal = journal_own(life, step->entries.items[0].journal);
    journal->summary = step->journals.items[0];
    journal->origin = step->entries.items[0].origin;
    return true;
}

int event_answer(const struct life *life, struct slice origin) {
    const struct document_event *event = event_find(life, origin);
    int32_t posted = 0;
    if (!event || !event->journals) return 0;
    for (size_t i = 0; i < life->state.journals.count; i++) {
        const struct document_journal *journal = &life->state.journals.items[i];
        if (!slice_equal(journal->origin, origin) || !journal->has_answered_at) continue;
        if (slice_equal(journal->state, SLICE("refused"))) return -1;
        posted++;
    }
    return posted >= event->journals;
}

/* ---- links ---- */

struct links { struct document_link *items; size_t count; };

/* Of each document and relation the newest telling, in the order of their times; the oldest go when there are too many. */
static bool link_put(struct decision *decision, struct links *links, struct document_link link, size_t most) {
    size_t known = 0;
    while (known < links->count && !(slice_equal(links->items[known].document, link.document) && slice_equal(links->items[known].relation, link.relation) &&
                                     slice_equal(links->items[known].flow, link.flow))) known++;
    const bool there = known < links->count;
    if (there && order_compare(link.at_ms, link.origin, links->items[known].at_ms, links->items[known].origin) <= 0) return false;
    struct document_link *items = list_copy(decision, links->items, links->count, sizeof *items);
    size_t count = links->count;
    if (there) list_drop(items, &count, sizeof *items, known);
    size_t place = count;
    while (place > 0) {
        const struct document_link *before = &items[place - 1];
        const int order = order_compare(link.at_ms, link.origin, before->at_ms, before->origin);
        if (order > 0 || (order == 0 && slice_compare(link.document, before->document) > 0)) break;
        place--;
    }
    if (count == most && place == 0) return false;
    memmove(items + place + 1, items + place, (count - place) * sizeof *items);
    items[place] = link;
    count++;
    if (count > most) list_drop(items, &count, sizeof *items, 0);
    links->items = items;
    links->count = count;
    return true;
}

static void links_put(struct life *life, const struct document_step *step) {
    struct links links = {life->state.links.items, life->state.links.count};
    for (size_t i = 0; i < step->links.count; i++) {
        const struct step_link *from = &step->links.items[i];
        if (slice_equal(from->document, step->document) && slice_equal(from->flow, step->flow)) continue;
        (void)link_put(life->decision, &links, (struct document_link){from->relation, from->flow, from->document, step->kind, step->occurred_at_ms, step->origin}, LINKS_KEPT);
    }
    life->state.links.items = links.items;
    life->state.links.count = links.count;
}

static bool linked_put(struct life *life, const struct document_step *step) {
    struct links links = {life->state.linked_by.items, life->state.linked_by.count};
    bool changed = false;
    for (size_t i = 0; i < step->links.count; i++) {
        const struct step_link *from = &step->links.items[i];
        changed |= link_put(life->decision, &links, (struct document_link){from->relation, from->flow, from->document, step->kind, step->occurred_at_ms, step->origin}, LINKED_BY_KEPT);
    }
    life->state.linked_by.items = links.items;
    life->state.linked_by.count = links.count;
    return changed;
}

/* ---- movements of payments ---- */

/* A prepayment is applied by as many events as one likes; of the rest the newest of the payment and kind counts. */
static bool is_same_movement(const struct document_payment *a, const struct document_payment *b) {
    if (!slice_equal(a->document, b->document) || !slice_equal(a->kind, b->kind)) return false;
    return kind_effect(SLICE("payment"), a->kind) != EFFECT_APPLIED || slice_equal(a->origin, b->origin);
}

/* In the order in which they happened. */
static bool payment_put(struct life *life, const struct document_step *step) {
    if (!step->links.count) return false;
    const struct step_link *link = &step->links.items[0];
    const struct document_payment made = {.document = link->document, .kind = step->kind, .at_ms = step->occurred_at_ms, .origin = step->origin, .amount_e4 = link->amount_e4,
        .discount_e4 = link->discount_e4, .withheld_e4 = link->withheld_e4, .method = step->method, .reference = step->reference, .has_value_date = step->has_value_date,
        .value_date = step->value_date};
    const struct document_payment *items = life->state.payments.items;
    size_t known = 0;
    while (known < life->state.payments.count && !is_same_movement(&items[known], &made)) known++;
    if (known < life->state.payments.count) {
        if (order_compare(made.at_ms, made.origin, items[known].at_ms, items[known].origin) <= 0) return false;
        OWN(life, payments);
        DROP(life, payments, known);
        items = life->state.payments.items;
    }
    size_t place = life->state.payments.count;
    while (place > 0 && order_compare(made.at_ms, made.origin, items[place - 1].at_ms, items[place - 1].origin) < 0) place--;
    if (place == 0 && life->state.payments.count == PAYMENTS_KEPT) return false;
    ROOM(life, payments, place);
    life->state.payments.items[place] = made;
    if (life->state.payments.count > PAYMENTS_KEPT) DROP(life, payments, 0);
    return true;
}

/* ---- breaches ---- */

/* By due time, step and what was waited for. */
static int breach_compare(const struct document_breach *a, const struct document_breach *b) {
    if (a->due_at_ms != b->due_at_ms) return a->due_at_ms < b->due_at_ms ? -1 : 1;
    const int order = slice_compare(a->awaited, b->awaited);
    return order ? order : slice_compare(a->of, b->of);
}

static bool breach_put(struct life *life, const struct document_step *step) {
    const struct document_breach made = {.awaited = step->awaited, .due_at_ms = step->due_at_ms, .of = step->origin};
    const struct document_breach *items = life->state.breaches.items;
    size_t place = life->state.breaches.count;
    while (place > 0 && breach_compare(&made, &items[place - 1]) < 0) place--;
    if (place > 0 && breach_compare(&made, &items[place - 1]) == 0) return false;
    if (place == 0 && life->state.breaches.count == BREACHES_KEPT) return false;
    ROOM(life, breaches, place);
    life->state.breaches.items[place] = made;
    if (life->state.breaches.count > BREACHES_KEPT) DROP(life, breaches, 0);
    return true;
}

/* ---- the whole ---- */

bool steps_take(struct life *life, const struct document_step *step) {
    if (slice_equal(step->step, SLICE("linked"))) return linked_put(life, step);
    if (slice_equal(step->step, SLICE("payment"))) return payment_put(life, step);
    if (slice_equal(step->step, SLICE("overdue"))) return breach_put(life, step);
    if (slice_equal(step->step, SLICE("in summary"))) return summary_put(life, step);
    if (!outcome_rank(step->step) || !event_put(life, step)) return false;
    const int64_t decided_ms = step->decided_at_ms ? step->decided_at_ms : step->occurred_at_ms;
    const bool open = outcome_rank(step->step) < 3, accepted = slice_equal(step->step, SLICE("validated"));
    reached_at(life, "received", step->occurred_at_ms);
    if (open) reached_at(life, slice_equal(step->step, SLICE("waiting")) ? "waiting" : "needs decision", step->occurred_at_ms);
    else if (accepted || slice_equal(step->step, SLICE("rejected"))) reached_at(life, accepted ? "validated" : "rejected", decided_ms);
    if (accepted) {
        journals_put(life, step, decided_ms);
        links_put(life, step);
    }
    events_bound(life);
    return true;
}
