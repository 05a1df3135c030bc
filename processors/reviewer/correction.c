/* correction: a corrected event that takes the place of one that is held or was rejected: whether it can, what differs, and sending it (docs/review.md, "Corrections"). */
#include "processors/reviewer/reviewer.h"
#include "schemas/corrected_event.h"
#include "schemas/expense_event.h"
#include "schemas/invoice_event.h"
#include "schemas/journal_event.h"
#include "schemas/payment_event.h"
#include "schemas/procurement_event.h"

/* What says which event it is, whatever its schema. */
struct identity { struct slice event_id, source, entity, partner, user; };

#define IDENTITY(name, partner_field) \
    static struct identity name##_identity(const void *record) { \
        const struct name##_event *event = record; \
        return (struct identity){event->event_id, event->source, event->entity, event->partner_field, event->user}; \
    }
IDENTITY(procurement, supplier)
IDENTITY(invoice, supplier)
IDENTITY(payment, supplier)
IDENTITY(expense, employee)
IDENTITY(journal, partner)

/* In the order of the outputs from OUTPUT_EVENTS on. */
static const struct { const char *topic; struct identity (*identity)(const void *record); } families[] = {
    {"procurement.events", procurement_identity}, {"invoice.events", invoice_identity}, {"payment.events", payment_identity},
    {"expense.events", expense_identity}, {"journal.events", journal_identity}};

/* Position among the families; -1: none of them. */
static int family_find(struct slice topic) {
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (slice_equal(topic, slice_of(families[i].topic))) return (int)i;
    return -1;
}

static void invalid(struct ruling *ruling, const char *field, struct slice is, struct slice must_be) {
    report(ruling->decision, REASON_CORRECTION_INVALID, field, "it is \"" SLICE_FORMAT "\" and must be \"" SLICE_FORMAT "\"", SLICE_ARGUMENT(is), SLICE_ARGUMENT(must_be));
}

/* The same source and person: a correction gives nobody a permission that the original lacked, and nobody the decision on what is theirs. */
static void identity_check(struct ruling *ruling, const struct identity *corrected) {
    struct decision *decision = ruling->decision;
    const struct review_decision *asked = ruling->asked;
    const struct review_item *item = ruling->item;
    if (!slice_equal(corrected->entity, asked->entity)) invalid(ruling, "entity", corrected->entity, asked->entity);
    if (!slice_equal(corrected->partner, asked->partner)) invalid(ruling, "partner", corrected->partner, asked->partner);
    if (!slice_equal(corrected->source, item->source)) invalid(ruling, "source", corrected->source, item->source);
    if (!slice_equal(corrected->user, item->user)) invalid(ruling, "user", corrected->user, item->user);
    if (asked->corrected_event_id.length && !slice_equal(asked->corrected_event_id, corrected->event_id)) invalid(ruling, "event_id", corrected->event_id, asked->corrected_event_id);
    if (!corrected->event_id.length || slice_equal(corrected->event_id, item->event_id) ||
        state_find(decision, STORE_CORRECTIONS, KEY(decision, asked->topic, corrected->event_id)))
        report(decision, REASON_CORRECTION_INVALID, "event_id", "\"" SLICE_FORMAT "\" is not its own", SLICE_ARGUMENT(corrected->event_id));
}

struct proposed_correction correction_check(struct ruling *ruling) {
    struct decision *decision = ruling->decision;
    const struct review_decision *asked = ruling->asked;
    struct proposed_correction correction = {.topic = asked->topic, .value = asked->value, .user = asked->user, .on_behalf_of = asked->on_behalf_of, .reason = asked->reason,
        .decision = asked->event_id, .proposed_at_ms = decision_time_ms(decision), .difference = asked->difference};
    const int family = family_find(asked->topic);
    if (family < 0 || !slice_equal(asked->topic, origin_topic(asked->origin))) { invalid(ruling, "topic", asked->topic, origin_topic(asked->origin)); return correction; }
    const void *after = read_as(decision, OUTPUT_EVENTS + family, asked->value);
    if (!after) { report(decision, REASON_CORRECTION_INVALID, "value", "its bytes are no event of " SLICE_FORMAT, SLICE_ARGUMENT(asked->topic)); return correction; }
    const struct identity corrected = families[family].identity(after);
    identity_check(ruling, &corrected);
    correction.event_id = corrected.event_id;
    const void *before = read_as(decision, OUTPUT_EVENTS + family, ruling->item->value);
    if (before) correction.difference = difference(decision, OUTPUT_EVENTS + family, before, after);
    return correction;
}

void correction_send(struct ruling *ruling, struct review_item *item, const struct proposed_correction *correction) {
    struct decision *decision = ruling->decision;
    const struct corrected_event kept = {correction->user, correction->on_behalf_of, ruling->asked->origin, KEY(decision, ruling->asked->entity, ruling->asked->partner)};
    emit_correction(decision, OUTPUT_EVENTS + family_find(correction->topic), correction->value, ruling->asked->origin);
    state_put(decision, STORE_CORRECTIONS, KEY(decision, correction->topic, correction->event_id), &kept);
    item->corrected_to = correction->event_id;
    item->has_correction = false;
}
