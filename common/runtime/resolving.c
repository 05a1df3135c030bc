/* resolving: what people decided of an event that is held or waits. The decisions come checked, as records of resolutions.<processor>; what was done about each is told
 * on the topic audit, also when it is nothing because the event has been decided or has changed meanwhile. */
#include <stdio.h>

#include "common/codec/plan.h"
#include "common/codec/wire.h"
#include "common/runtime/engine_internal.h"

struct told { enum audit_outcome outcome; enum reason reason; const char *text; };

static struct told refused_because(enum reason reason, const char *text) { return (struct told){AUDIT_OUTCOME_REFUSED, reason, text}; }

static const struct resolution *resolution_read(struct decision *decision) {
    struct engine *engine = decision->engine;
    const struct engine_message *message = decision->message;
    uint32_t schema_id;
    struct slice payload;
    struct error error = {{0}};
    const struct codec_plan *plan = NULL;
    if (!message->value.data || !codec_wire_read(message->value.data, message->value.length, &schema_id, &payload)) return NULL;
    enum schema_answer answer = engine->options.schemas.plan(engine->options.schemas.context, &resolution_type, schema_id, &plan, &error);
    if (answer == SCHEMA_UNREACHABLE) decision_fail(decision, ENGINE_WAIT, "%s", error.text);
    if (answer != SCHEMA_READABLE) return NULL;
    struct resolution *resolution = decision_alloc(decision, sizeof *resolution);
    enum codec_result result = codec_decode(plan, payload.data, payload.length, &engine->arena, resolution);
    if (result == CODEC_NO_MEMORY) decision_fail(decision, ENGINE_ABORT, "out of batch memory (batch.memory.bytes)");
    return result == CODEC_OK ? resolution : NULL;
}

/* The event that waits, as a decision of its own within this one. */
static struct decision *item_begin(struct decision *decision, const struct parked_event *parked) {
    struct decision *item = decision_alloc(decision, sizeof *item);
    struct engine_message *message = decision_alloc(decision, sizeof *message);
    deciding_message(parked, decision, message);
    decision_begin(item, decision->engine, decision->task, message, decision->error);
    item->escape = decision->escape;
    item->part_of = decision;
    return item;
}

/* With what it is held for among what people have approved of. */
static const struct parked_event *approved(struct decision *decision, const struct parked_event *parked, const struct resolution *resolution, size_t *count) {
    struct parked_event *after = decision_alloc(decision, sizeof *after);
    *after = *parked;
    const size_t before = parked->approvals.count;
    struct parked_approval *approvals = decision_alloc(decision, (before + parked->reasons.count + 1) * sizeof *approvals);
    if (before) memcpy(approvals, parked->approvals.items, before * sizeof *approvals);
    *count = 0;
    for (size_t i = 0; i < parked->reasons.count; i++) {
        const struct parked_reason *why = &parked->reasons.items[i];
        const enum reason reason = reason_of(why->code);
        if (reason < REASON_COUNT && reasons[reason].approvable) approvals[before + (*count)++] = (struct parked_approval){why->code, why->field, resolution->by};
    }
    after->approvals.items = approvals;
    after->approvals.count = before + *count;
    return after;
}

/* Decided anew. What is still held has other reasons now, which people are told. */
static struct told again(struct decision *decision, struct decision *item, uint64_t sequence, const struct parked_event *parked, bool tell) {
    deciding_again(item, sequence, parked);
    const struct parked_event *after = parking_find(decision, sequence);
    if (!after) return (struct told){AUDIT_OUTCOME_DONE, REASON_COUNT, decision_verdict(item) == VERDICT_ACCEPTED ? "validated" : "rejected"};
    if (after->status != PARKED_STATUS_HELD) return (struct told){AUDIT_OUTCOME_DONE, REASON_COUNT, "waits"};
    if (tell && !decision_is_silent(item)) {
        item->held_until = true;    /* what it lacks besides releases it */
        parking_store(item, sequence, after, PARKED_STATUS_HELD);
        conclude_acknowledge(item, ACKNOWLEDGED_OUTCOME_HELD, "held");
        conclude_exception(item, &decision->engine->held, "held");
    }
    return (struct told){AUDIT_OUTCOME_DONE, REASON_COUNT, "still held"};
}

static struct told approve(struct decision *decision, struct decision *item, uint64_t sequence, const struct parked_event *parked, const struct resolution *resolution) {
    size_t count;
    if (parked->status != PARKED_STATUS_HELD) return refused_because(REASON_ALREADY_DECIDED, "it is not held");
    const struct parked_event *after = approved(decision, parked, resolution, &count);
    if (!count) return refused_because(REASON_NOT_APPROVABLE, "correct it, put right what it names, or refuse it");
    parking_replace(item, sequence, after);
    return again(decision, item, sequence, after, true);
}

static struct told item_resolve(struct decision *decision, struct decision *item, uint64_t sequence, const struct parked_event *parked, const struct resolution *resolution) {
    switch (resolution->action) {
    case RESOLUTION_ACTION_APPROVE: return approve(decision, item, sequence, parked, resolution);
    case RESOLUTION_ACTION_RETRY:
        if (parked->status == PARKED_STATUS_BEHIND) return refused_because(REASON_OUT_OF_ORDER, "an earlier event of the document waits");
        return again(decision, item, sequence, parked, false);
    case RESOLUTION_ACTION_REFUSE:
    case RESOLUTION_ACTION_REPLACE: break;
    default: return refused_because(REASON_DECODE_FAILED, "an action that this version does not know");
    }
    const bool replaced = resolution->action == RESOLUTION_ACTION_REPLACE;
    deciding_read(item, true);
    item->item = sequence;
    deciding_void(item, sequence, parked, replaced ? REASON_REPLACED : REASON_REFUSED,
                  decision_format(decision, "by " SLICE_FORMAT "%s" SLICE_FORMAT, SLICE_ARGUMENT(resolution->by), resolution->text.length ? ": " : "",
                                  SLICE_ARGUMENT(resolution->text)).data);
    return (struct told){AUDIT_OUTCOME_DONE, REASON_COUNT, "rejected"};
}

static void audit(struct decision *decision, const struct decision *item, const struct resolution *resolution, struct told told) {
    const struct envelope none = {.kind = ""}, *envelope = item ? &item->envelope : &none;
    struct audit_entry entry = {.occurred_at_ms = resolution ? resolution->occurred_at_ms : decision->time_ms, .processor = slice_of(decision->engine->processor->name),
        .action = SLICE("unknown"), .outcome = told.outcome, .reason = told.reason == REASON_COUNT ? (struct slice){0} : slice_of(reasons[told.reason].code),
        .text = slice_of(told.text), .entity = envelope->entity, .partner = envelope->partner, .document = envelope->number, .event_id = envelope->event_id,
        .flow = item ? decision_flow(item) : (struct slice){0}};
    if (resolution) {
        entry.action = slice_of(resolution_action_name(resolution->action));
        entry.by = resolution->by;
        entry.role = resolution->role;
        entry.why = resolution->text;
        entry.origin = resolution->origin;
        entry.decisions.items = resolution->decisions.items;
        entry.decisions.count = resolution->decisions.count;
    }
    conclude_audit(decision, &entry);
}

void resolving_take(struct decision *decision) {
    const struct resolution *resolution = resolution_read(decision);
    if (!resolution) {
        audit(decision, NULL, NULL, refused_because(REASON_DECODE_FAILED, "a record of the topic of resolutions that cannot be read"));
        return;
    }
    uint64_t sequence = parking_of_origin(decision->task, resolution->origin);
    if (sequence == INDEX_NONE) sequence = resolution->item > 0 ? (uint64_t)resolution->item : 0;
    const struct parked_event *parked = sequence ? parking_find(decision, sequence) : NULL;
    struct decision *item = parked && parked->status != PARKED_STATUS_DEFERRED ? item_begin(decision, parked) : NULL;
    if (!item || !slice_equal(decision_origin(item), resolution->origin)) {
        audit(decision, NULL, resolution, refused_because(REASON_ALREADY_DECIDED, "it is not held any more"));
        return;
    }
    char shown[SHOWN_SIZE];
    conclude_shown_of(parked, shown);
    struct told told;
    if (slice_equal(resolution->shown, slice_of(shown)) || (!resolution->shown.length && resolution->action == RESOLUTION_ACTION_RETRY))
        told = item_resolve(decision, item, sequence, parked, resolution);
    else {
        deciding_read(item, true);
        told = refused_because(REASON_DECISION_STALE, "its reasons have changed since it was shown");
    }
    audit(decision, item, resolution, told);
}
