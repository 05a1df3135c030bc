/* deciding: one event, from its bytes to what it leaves behind: read and checked, decided for the first time or anew, concluded. engine.c says when. */
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/encode.h"
#include "common/codec/measure.h"
#include "common/codec/plan.h"
#include "common/codec/wire.h"
#include "common/platform/hash.h"
#include "common/runtime/engine_internal.h"
#include "schemas/source_permission.h"

enum { IDENTIFIER_MAXIMUM = 200 };

void deciding_count(struct decision *decision, int outcome) {
    struct engine *engine = decision->engine;
    engine->batch.outcomes[outcome]++;
    for (size_t i = 0; i < decision->reason_count; i++) engine->batch.reasons[decision->reasons[i].reason]++;
    engine->batch.journals += decision->journal_count;
    if (outcome != OUTCOME_POISON && !decision_is_silent(decision)) shares_add(decision, outcome);
}

static void dead_letter(struct decision *decision) {
    if (decision->input->follows) return;
    for (size_t i = 0; i < decision->reason_count; i++)
        if (decision->reasons[i].class == CLASS_POISON) {
            conclude_dead_letter(decision, decision->reasons[i].reason, decision->reasons[i].text);
            return;
        }
}

static bool was_reported(const struct decision *decision, enum reason reason) {
    for (size_t i = 0; i < decision->reason_count; i++)
        if (decision->reasons[i].reason == reason) return true;
    return false;
}

/* Of a record that cannot be read or trusted. */
void deciding_poison(struct decision *decision) {
    if (decision->input->follows) return;
    dead_letter(decision);
    if (decision->input->dead && decision->record && !was_reported(decision, REASON_DECODE_FAILED)) {
        decision->input->dead(decision, decision->record);
        conclude_audited(decision);
    }
    deciding_count(decision, OUTCOME_POISON);
}

static bool source_may(const struct source_permission *permission, struct slice entity) {
    for (size_t i = 0; i < permission->entities.count; i++)
        if (slice_equal(permission->entities.items[i], SLICE("*")) || slice_equal(permission->entities.items[i], entity)) return true;
    return false;
}

/* The mark and the permission must agree: it hides nothing real, and what is meant to be synthetic is never posted. What waits was not marked, or would not. */
static void mark_check(struct decision *decision, const struct source_permission *permission) {
    const struct slice source = decision->envelope.source;
    if (decision->synthetic == permission->synthetic) return;
    if (decision->synthetic)
        report(decision, REASON_SOURCE_NOT_AUTHORISED, SYNTHETIC_HEADER, "marked as synthetic, which " SLICE_FORMAT " may not do on %s", SLICE_ARGUMENT(source), decision->input->topic);
    else report(decision, REASON_SOURCE_NOT_AUTHORISED, SYNTHETIC_HEADER, SLICE_FORMAT " may send nothing but what is marked as synthetic", SLICE_ARGUMENT(source));
}

/* Key, partition and source: whether the record is what and where it says. */
static void envelope_check(struct decision *decision, bool from_parking) {
    struct engine *engine = decision->engine;
    const struct envelope *envelope = &decision->envelope;
    const struct slice identifiers[] = {envelope->event_id, envelope->source, envelope->entity, envelope->partner, envelope->number};
    const char *const names[] = {"event_id", "source", "entity", "partner", "document"};
    for (size_t i = 0; i < sizeof identifiers / sizeof *identifiers; i++)
        if (!identifiers[i].length || identifiers[i].length > IDENTIFIER_MAXIMUM || memchr(identifiers[i].data, 0, identifiers[i].length))
            report(decision, REASON_DECODE_FAILED, names[i], "empty, longer than %d bytes or with a zero byte", IDENTIFIER_MAXIMUM);
    struct slice key = envelope->key.length ? envelope->key : KEY(decision, envelope->entity, envelope->partner);
    if (!slice_equal(key, decision->message->key))
        report(decision, REASON_KEY_MISMATCH, "", "the record's key is " SLICE_FORMAT ", its content's " SLICE_FORMAT, SLICE_ARGUMENT(decision->message->key), SLICE_ARGUMENT(key));
    else if (!from_parking && hash_partition(key, engine->options.partition_count) != decision->message->partition)
        report(decision, REASON_WRONG_PARTITION, "", "key " SLICE_FORMAT " belongs to partition %d of %d", SLICE_ARGUMENT(key),
               (int)hash_partition(key, engine->options.partition_count), (int)engine->options.partition_count);
    if (!decision_is_silent(decision)) decision->step_key = KEY(decision, envelope->entity, decision_flow(decision), envelope->partner, envelope->number);
    if (refused(decision)) return;
    if (decision->input->internal) {
        if (decision->synthetic) report(decision, REASON_SOURCE_NOT_AUTHORISED, SYNTHETIC_HEADER, "no source writes to %s: nothing on it is synthetic", decision->input->topic);
        return;
    }
    struct table_row row;
    struct slice permission = KEY(decision, envelope->source, slice_of(decision->input->topic));
    int32_t date = utc_day(decision->time_ms);
    switch (tables_find(engine->options.tables, (size_t)engine->table_positions[MASTER_SOURCE_PERMISSIONS], permission, date, &row)) {
    case TABLE_FOUND:
        if (!source_may(row.record, envelope->entity)) break;
        mark_check(decision, row.record);
        return;
    case TABLE_STALE:
        if (decision->synthetic) break;   /* it would be forgotten, and nobody knows whether it may be */
        (void)require(decision, MASTER_SOURCE_PERMISSIONS, permission, date, REASON_SOURCE_NOT_AUTHORISED, "source");
        return;
    case TABLE_MISSING: break;
    case TABLE_FAILED: decision_fail(decision, ENGINE_ABORT, "the master tables cannot be read");
    }
    report(decision, REASON_SOURCE_NOT_AUTHORISED, "source", SLICE_FORMAT " may not say this for " SLICE_FORMAT, SLICE_ARGUMENT(envelope->source), SLICE_ARGUMENT(envelope->entity));
}

/* Of events alone: what kontor's own records list comes of events, and may be several times as much. */
static void lists_check(struct decision *decision) {
    static const char events[] = ".events";
    const struct slice topic = slice_of(decision->input->topic);
    size_t count;
    const char *list = codec_longest_list(decision->input->type, decision->record, &count);
    if (count <= LIST_MAXIMUM || topic.length < sizeof events || memcmp(topic.data + topic.length - (sizeof events - 1), events, sizeof events - 1) != 0) return;
    report(decision, REASON_AMOUNT_OVERFLOW, list, "%zu of them, at most %d are decided", count, LIST_MAXIMUM);
}

/* Bytes to record and envelope. Leaves by decision_fail(ENGINE_WAIT) when the registry cannot be asked. */
void deciding_read(struct decision *decision, bool from_parking) {
    struct engine *engine = decision->engine;
    const struct engine_message *message = decision->message;
    uint32_t schema_id;
    struct slice payload;
    struct error error = {{0}};
    if (!message->value.data || !codec_wire_read(message->value.data, message->value.length, &schema_id, &payload)) {
        report(decision, REASON_DECODE_FAILED, "", "%s", message->value.data ? "not in the Confluent wire format" : "no value");
        return;
    }
    if (message->value.length > RECORD_SIZE_MAXIMUM && !decision->input->follows && !decision->input->internal) {
        report(decision, REASON_DECODE_FAILED, "", "%zu bytes, at most %d are read", message->value.length, RECORD_SIZE_MAXIMUM);
        return;
    }
    const struct codec_plan *plan = NULL;
    switch (engine->options.schemas.plan(engine->options.schemas.context, decision->input->type, schema_id, &plan, &error)) {
    case SCHEMA_READABLE: break;
    case SCHEMA_UNREACHABLE: decision_fail(decision, ENGINE_WAIT, "%s", error.text);
    case SCHEMA_UNKNOWN: report(decision, REASON_SCHEMA_UNKNOWN, "", "schema id %u", schema_id); return;
    case SCHEMA_INCOMPATIBLE: report(decision, REASON_DECODE_FAILED, "", "schema id %u: %s", schema_id, error.text); return;
    }
    void *record = decision_alloc(decision, decision->input->type->size);
    enum codec_result result = codec_decode(plan, payload.data, payload.length, &engine->arena, record);
    if (result == CODEC_NO_MEMORY) decision_fail(decision, ENGINE_ABORT, "out of batch memory (batch.memory.bytes)");
    if (result != CODEC_OK) {
        report(decision, REASON_DECODE_FAILED, "", "schema id %u: %s", schema_id, codec_result_text(result));
        return;
    }
    const char *unheld = decision->input->internal ? codec_not_a_number(decision->input->type, record) : NULL;
    if (unheld) {   /* kontor writes none such: whoever did is not told, and what cannot be written again must not come into the state */
        report(decision, REASON_DECODE_FAILED, unheld, "an amount with more digits than are held");
        return;
    }
    decision->record = record;
    decision->input->envelope(decision, record, &decision->envelope);
    envelope_check(decision, from_parking);
    lists_check(decision);
    const struct envelope *envelope = &decision->envelope;
    decision->event_hash = hash_bytes(envelope->event_id.data, envelope->event_id.length) ^ hash_bytes(envelope->source.data, envelope->source.length) * 0x9E3779B97F4A7C15u;
}

/* What is kept of a large event may be more than a record of the changelog can hold: Kafka would refuse it, and the batch be decided anew for ever. */
static void effects_measure(struct decision *decision) {
    enum { LARGE = 64 << 10 /* of less, nothing so large is made */ };
    struct buffer *scratch = &decision->engine->scratch;
    if (decision->message->value.length < LARGE) return;
    for (const struct effect *effect = decision->first_effect; effect; effect = effect->next) {
        buffer_reset(scratch);
        if (!effect->value || !codec_encode(decision->engine->store_types[STORE_FIRST + effect->store], effect->value, scratch) || scratch->length <= KEPT_SIZE_MAXIMUM) continue;
        report(decision, REASON_AMOUNT_OVERFLOW, "", "%zu bytes would be kept of it, at most %d are", scratch->length, KEPT_SIZE_MAXIMUM);
        return;
    }
}

static void decide(struct decision *decision) {
    decision->input->decide(decision, decision->record);
    effects_measure(decision);
}

/* The engine's sum for the tally's counter, entity and step. */
static void tallies_add(struct decision *decision, const struct tally *tally) {
    struct engine *engine = decision->engine;
    for (size_t i = 0; i < engine->tally_count; i++) {
        struct engine_tally *sum = &engine->tallies[i];
        if (sum->counter != tally->counter || strcmp(sum->step, tally->step) != 0 || !slice_equal(slice_of(sum->entity), tally->entity)) continue;
        sum->batch += tally->count;
        return;
    }
    if (engine->tally_count == engine->tally_capacity) {
        size_t capacity = engine->tally_capacity ? engine->tally_capacity * 2 : 8;
        struct engine_tally *grown = realloc(engine->tallies, capacity * sizeof *grown);
        if (!grown) decision_fail(decision, ENGINE_ABORT, "out of memory");
        engine->tallies = grown;
        engine->tally_capacity = capacity;
    }
    char *entity = strndup(tally->entity.data, tally->entity.length);
    if (!entity) decision_fail(decision, ENGINE_ABORT, "out of memory");
    engine->tallies[engine->tally_count++] = (struct engine_tally){tally->counter, entity, tally->step, 0, tally->count};
}

static void effects_apply(struct decision *decision) {
    for (const struct effect *effect = decision->first_effect; effect; effect = effect->next) {
        overlay_put(overlay_find(decision, STORE_FIRST + effect->store, effect->key), effect->value);
        parking_trigger_state(decision, STORE_FIRST + effect->store, effect->key);
    }
    for (const struct deferral *deferral = decision->first_deferral; deferral; deferral = deferral->next) parking_defer(decision, deferral);
    for (const struct tally *tally = decision->first_tally; tally; tally = tally->next) tallies_add(decision, tally);
    conclude_emissions(decision);
}

static void remember_event(struct decision *decision) {
    const struct document *document = &decision->envelope.document;
    if (document->store < 0) return;
    overlay_saw(decision, overlay_find(decision, STORE_FIRST + document->store, document->key), decision->event_hash);
}

/* The final part of a verdict that lets the document go on; parked: it waited until now. */
static void accept(struct decision *decision, uint64_t sequence, const struct parked_event *parked) {
    const bool silent = decision_is_silent(decision);
    const struct document document = decision->envelope.document;
    if (parked) parking_remove(decision, sequence, parked);
    effects_apply(decision);
    remember_event(decision);
    if (!silent) conclude_acknowledge(decision, ACKNOWLEDGED_OUTCOME_ACCEPTED, "validated");
    conclude_audited(decision);
    if (parked || decision->envelope.overtakes) parking_trigger_document(decision, STORE_FIRST + document.store, document.key);
}

static void reject(struct decision *decision, uint64_t sequence, const struct parked_event *parked) {
    const struct document document = decision->envelope.document;
    if (parked) parking_remove(decision, sequence, parked);
    if (!decision_is_silent(decision)) {
        conclude_acknowledge(decision, ACKNOWLEDGED_OUTCOME_REJECTED, "rejected");
        conclude_exception(decision, &decision->engine->rejected, "rejected");
    }
    conclude_audited(decision);
    if (parked) parking_trigger_document(decision, STORE_FIRST + document.store, document.key);
}

static void hold(struct decision *decision, uint64_t sequence, const struct parked_event *parked) {
    parking_store(decision, sequence, parked, PARKED_STATUS_HELD);
    if (decision_is_silent(decision)) return;
    if (parked && parked->status != PARKED_STATUS_HELD) conclude_exception(decision, &decision->engine->parked, "released");
    conclude_acknowledge(decision, ACKNOWLEDGED_OUTCOME_HELD, "held");
    conclude_exception(decision, &decision->engine->held, "held");
    conclude_audited(decision);
}

static void park(struct decision *decision, uint64_t sequence, const struct parked_event *parked, enum parked_status status) {
    parking_store(decision, sequence, parked, status);
    if (decision_is_silent(decision)) return;
    conclude_acknowledge(decision, ACKNOWLEDGED_OUTCOME_PARKED, "waiting");
    conclude_exception(decision, &decision->engine->parked, "parked");
}

static void released(struct decision *decision, const struct parked_event *parked) {
    decision->engine->batch.released++;
    if (decision_is_silent(decision)) return;
    conclude_exception(decision, parked->status == PARKED_STATUS_HELD ? &decision->engine->held : &decision->engine->parked, "released");
}

static bool same_reasons(const struct decision *decision, const struct parked_event *parked) {
    if (decision->reason_count != parked->reasons.count || decision->missing_count != parked->missing.count) return false;
    for (size_t i = 0; i < decision->reason_count; i++)
        if (!slice_equal(parked->reasons.items[i].code, slice_of(reasons[decision->reasons[i].reason].code)) ||
            !slice_equal(parked->reasons.items[i].field, slice_of(decision->reasons[i].field))) return false;
    for (size_t i = 0; i < decision->missing_count; i++) {
        const struct parked_missing *now = &decision->missing[i], *then = &parked->missing.items[i];
        if (now->table != then->table || now->store != then->store || now->date != then->date || !slice_equal(now->key, then->key)) return false;
    }
    return true;
}

void deciding_message(const struct parked_event *parked, const struct decision *now, struct engine_message *message) {
    *message = (struct engine_message){.input = parked->input, .partition = parked->partition >= 0 ? parked->partition : now->task->partition, .offset = parked->offset,
        .timestamp_ms = parked->timestamp_ms, .received_ms = parked->timestamp_ms, .key = parked->key, .value = parked->value};
}

void deciding_void(struct decision *decision, uint64_t sequence, const struct parked_event *parked, enum reason reason, const char *text) {
    decision->reason_count = decision->missing_count = 0;
    report(decision, reason, "", "%s", text);
    released(decision, parked);
    reject(decision, sequence, parked);
    if (!decision->input->follows) deciding_count(decision, OUTCOME_REJECTED);
}

/* Makes the waiting events that would establish the document rejected: it was cancelled before it came to be. */
static bool establishing_void(struct decision *cancellation) {
    struct task *task = cancellation->task;
    const struct document document = cancellation->envelope.cancels;
    bool any = false;
    for (uint64_t from = 0, sequence; (sequence = parking_first_of(task, STORE_FIRST + document.store, document.key, from)) != INDEX_NONE; from = sequence + 1) {
        const struct parked_event *parked = parking_find(cancellation, sequence);
        if (!parked || !parked->establishes) continue;
        struct engine_message message;
        struct decision *voided = decision_alloc(cancellation, sizeof *voided);
        deciding_message(parked, cancellation, &message);
        decision_begin(voided, cancellation->engine, task, &message, cancellation->error);
        voided->escape = cancellation->escape;
        voided->part_of = cancellation;
        deciding_read(voided, true);
        if (voided->heaviest == CLASS_POISON) continue;
        deciding_void(voided, sequence, parked, REASON_ALREADY_REVERSED,
                      decision_format(voided, "cancelled while it waited, by event " SLICE_FORMAT, SLICE_ARGUMENT(cancellation->envelope.event_id)).data);
        any = true;
    }
    return any;
}

static int conclude_new(struct decision *decision) {
    switch (decision_verdict(decision)) {
    case VERDICT_ACCEPTED: accept(decision, 0, NULL); return OUTCOME_ACCEPTED;
    case VERDICT_REJECTED: reject(decision, 0, NULL); return OUTCOME_REJECTED;
    case VERDICT_HELD: hold(decision, 0, NULL); return OUTCOME_HELD;
    case VERDICT_PARKED: park(decision, 0, NULL, PARKED_STATUS_WAITING); return OUTCOME_PARKED;
    case VERDICT_DUPLICATE:
        if (!decision_is_silent(decision)) conclude_acknowledge(decision, ACKNOWLEDGED_OUTCOME_DUPLICATE, "already received");
        return OUTCOME_DUPLICATE;
    case VERDICT_POISON:    /* one of its codes is too long to be a key */
        dead_letter(decision);
        conclude_audited(decision);
        break;
    }
    return OUTCOME_POISON;
}

/* Whether one of the document's waiting events would establish it. If none would, what waits does so for the document itself, or could not do without it:
 * an event that establishes the document must not wait behind. */
static bool establishing_waits(struct decision *decision, struct document document) {
    for (uint64_t from = 0, sequence; (sequence = parking_first_of(decision->task, STORE_FIRST + document.store, document.key, from)) != INDEX_NONE; from = sequence + 1) {
        const struct parked_event *parked = parking_find(decision, sequence);
        if (parked && parked->establishes) return true;
    }
    return false;
}

/* Whether the event has to wait until another of its document has been decided. */
static bool queues_behind(struct decision *decision) {
    const struct envelope *envelope = &decision->envelope;
    const struct document document = envelope->document;
    return document.store >= 0 && !envelope->overtakes && !envelope->passes && parking_first_of(decision->task, STORE_FIRST + document.store, document.key, 0) != INDEX_NONE &&
           (!envelope->establishes || establishing_waits(decision, document));
}

/* A record that was read and is to be trusted. */
void deciding_new(struct decision *decision) {
    const struct envelope *envelope = &decision->envelope;
    const struct document document = envelope->document;
    struct task *task = decision->task;
    int outcome;
    bool tracked = document.store >= 0, waits = tracked && parking_first_of(task, STORE_FIRST + document.store, document.key, 0) != INDEX_NONE;
    if (tracked && overlay_has_seen(overlay_find(decision, STORE_FIRST + document.store, document.key), decision->event_hash)) {
        report(decision, REASON_DUPLICATE_EVENT, "event_id", "");
        outcome = conclude_new(decision);
    } else if (queues_behind(decision)) {
        decision->reason_count = decision->missing_count = 0;
        report(decision, REASON_OUT_OF_ORDER, "", "");
        park(decision, 0, NULL, PARKED_STATUS_BEHIND);
        outcome = OUTCOME_PARKED;
    } else if (refused(decision)) outcome = conclude_new(decision);   /* its source's permission cannot be trusted now */
    else {
        decision->voided = envelope->overtakes && establishing_void(decision);
        decide(decision);
        outcome = conclude_new(decision);
        if (envelope->overtakes) parking_trigger_document(decision, STORE_FIRST + envelope->cancels.store, envelope->cancels.key);
        else if (waits && outcome == OUTCOME_ACCEPTED) parking_trigger_document(decision, STORE_FIRST + document.store, document.key);
    }
    if (!decision->input->follows) deciding_count(decision, outcome);
}

/* Its journal was built and balanced when it was decided; none of its effects is applied. What would wait is told so, and does not. */
void deciding_synthetic(struct decision *decision) {
    static const struct { enum acknowledged_outcome told; int outcome; const char *step; } ends[] = {
        [VERDICT_ACCEPTED] = {ACKNOWLEDGED_OUTCOME_ACCEPTED, OUTCOME_ACCEPTED, "validated"}, [VERDICT_DUPLICATE] = {ACKNOWLEDGED_OUTCOME_DUPLICATE, OUTCOME_DUPLICATE, "already received"},
        [VERDICT_REJECTED] = {ACKNOWLEDGED_OUTCOME_REJECTED, OUTCOME_REJECTED, "rejected"}, [VERDICT_HELD] = {ACKNOWLEDGED_OUTCOME_HELD, OUTCOME_HELD, "held"},
        [VERDICT_PARKED] = {ACKNOWLEDGED_OUTCOME_PARKED, OUTCOME_PARKED, "waiting"}};
    const struct envelope *envelope = &decision->envelope;
    const struct document document = envelope->document;
    enum verdict verdict = VERDICT_PARKED;
    if (document.store >= 0 && overlay_has_seen(overlay_find(decision, STORE_FIRST + document.store, document.key), decision->event_hash)) {
        report(decision, REASON_DUPLICATE_EVENT, "event_id", "");
        verdict = decision_verdict(decision);
    } else if (queues_behind(decision)) report(decision, REASON_OUT_OF_ORDER, "", "");
    else {
        decision->voided = envelope->overtakes && establishing_waits(decision, envelope->cancels);
        if (!refused(decision)) decide(decision);
        verdict = decision_verdict(decision);
    }
    if (verdict == VERDICT_POISON) { deciding_poison(decision); return; }   /* one of its codes is too long to be a key */
    conclude_acknowledge(decision, ends[verdict].told, ends[verdict].step);
    decision->engine->batch.synthetic[ends[verdict].outcome]++;
}

/* What is held stays held, and its source is not told again. If something may release it, that is what was found now; who decides must see that. */
static void stay_held(struct decision *decision, uint64_t sequence, const struct parked_event *parked) {
    decision->held_until |= parked->missing.count > 0;
    if (decision->held_until && !same_reasons(decision, parked)) {
        parking_store(decision, sequence, parked, PARKED_STATUS_HELD);
        if (!decision_is_silent(decision)) conclude_exception(decision, &decision->engine->held, "held");
    } else if (parked->again) {
        struct parked_event *done = decision_alloc(decision, sizeof *done);
        *done = *parked;
        done->again = false;
        parking_replace(decision, sequence, done);
    }
}

/* An event that waited. by_document: its turn has come; otherwise a key that it waits for arrived. */
void deciding_again(struct decision *decision, uint64_t sequence, const struct parked_event *parked) {
    decision->item = sequence;
    decision->waited = parked;
    deciding_read(decision, true);
    if (decision->heaviest < CLASS_POISON) {
        const struct document document = decision->envelope.document;
        if (document.store >= 0 && overlay_has_seen(overlay_find(decision, STORE_FIRST + document.store, document.key), decision->event_hash)) report(decision, REASON_DUPLICATE_EVENT, "event_id", "");
        else if (!refused(decision)) decide(decision);
    }
    int outcome;
    switch (decision_verdict(decision)) {
    case VERDICT_ACCEPTED: released(decision, parked); accept(decision, sequence, parked); outcome = OUTCOME_ACCEPTED; break;
    case VERDICT_REJECTED: released(decision, parked); reject(decision, sequence, parked); outcome = OUTCOME_REJECTED; break;
    case VERDICT_DUPLICATE:
        released(decision, parked);
        parking_remove(decision, sequence, parked);
        outcome = conclude_new(decision);
        parking_trigger_document(decision, parked->document_store, parked->document);
        break;
    case VERDICT_HELD:
        if (parked->status == PARKED_STATUS_HELD) { stay_held(decision, sequence, parked); return; }
        hold(decision, sequence, parked);
        outcome = OUTCOME_HELD;
        break;
    case VERDICT_PARKED:
        if (parked->status == PARKED_STATUS_HELD) { stay_held(decision, sequence, parked); return; }
        if (decision->late) { hold(decision, sequence, parked); outcome = OUTCOME_HELD; break; }
        if (parked->status == PARKED_STATUS_WAITING && same_reasons(decision, parked)) return;
        park(decision, sequence, parked, PARKED_STATUS_WAITING);
        outcome = OUTCOME_PARKED;
        break;
    case VERDICT_POISON:   /* what was readable is not any more, or its source lost its permission: a person must look */
    default:
        if (parked->status == PARKED_STATUS_HELD) return;
        hold(decision, sequence, parked);
        outcome = OUTCOME_HELD;
    }
    if (!decision->input->follows) deciding_count(decision, outcome);
}

/* Its time is over: what waited is held, with the reasons it had. */
void deciding_expire(struct decision *decision, uint64_t sequence, const struct parked_event *parked) {
    if (decision->input->decides_late) {
        decision->late = true;
        decision->engine->batch.expired++;
        deciding_again(decision, sequence, parked);
        return;
    }
    decision->item = sequence;
    deciding_read(decision, true);
    decision->reason_count = decision->missing_count = 0;
    for (size_t i = 0; i < parked->reasons.count; i++) {
        const struct parked_reason *why = &parked->reasons.items[i];
        const enum reason reason = reason_of(why->code);
        if (reason < REASON_COUNT) report(decision, reason, decision_format(decision, SLICE_FORMAT, SLICE_ARGUMENT(why->field)).data, "%s",
                                          decision_format(decision, SLICE_FORMAT, SLICE_ARGUMENT(why->text)).data);
    }
    hold(decision, sequence, parked);
    decision->engine->batch.expired++;
    if (!decision->input->follows) deciding_count(decision, OUTCOME_HELD);
}
