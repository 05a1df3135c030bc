/* conclude: what leaves the engine for one decision: acknowledgment, exception, dead letter, and what the decide function emitted. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/encode.h"
#include "common/codec/wire.h"
#include "common/platform/hash.h"
#include "common/runtime/engine_internal.h"

static void output_send(struct decision *decision, const struct engine_output *output) {
    const struct engine_sink *sink = &decision->engine->options.sink;
    struct error error = {{0}};
    if (!sink->send(sink->context, output, &error)) decision_fail(decision, ENGINE_ABORT, "%s: %s", output->topic, error.text);
}

void conclude_send(struct decision *decision, const char *topic, int32_t partition, struct slice value, const struct record_header *headers, size_t count) {
    const struct engine_output output = {.topic = topic, .partition = partition, .key = decision->message->key, .value = value, .headers = headers,
                                         .header_count = count, .task = decision->task};
    output_send(decision, &output);
}

struct slice conclude_bytes(struct decision *decision, const struct output_topic *topic, const void *record) {
    struct buffer *scratch = &decision->engine->scratch;
    buffer_reset(scratch);
    if (!codec_wire_append(scratch, topic->schema_id) || !codec_encode(topic->type, record, scratch)) {
        if (scratch->failed) decision_fail(decision, ENGINE_ABORT, "out of memory");
        decision_fail(decision, ENGINE_FATAL, "%s: a record for %s cannot be encoded: a value has no place in its schema", decision->engine->processor->name, topic->name);
    }
    char *bytes = decision_alloc(decision, scratch->length);
    memcpy(bytes, scratch->data, scratch->length);
    return (struct slice){bytes, scratch->length};
}

static void record_send(struct decision *decision, const struct output_topic *topic, const void *record) {
    conclude_send(decision, topic->name, -1, conclude_bytes(decision, topic, record), NULL, 0);
}

/* The decision's reasons and missing keys as records of a schema of its own: the same fields under other names. */
#define REASONS_FILL(decision, type, to) \
    type to[REASONS_MAXIMUM]; \
    for (size_t i = 0; i < (decision)->reason_count; i++) \
        to[i] = (type){slice_of(reasons[(decision)->reasons[i].reason].code), slice_of((decision)->reasons[i].field), slice_of((decision)->reasons[i].text)}
#define MISSING_FILL(decision, type, to) \
    type to[MISSING_MAXIMUM]; \
    for (size_t i = 0; i < (decision)->missing_count; i++) to[i] = (type){missing_name(decision, i), (decision)->missing[i].key}

static struct slice missing_name(const struct decision *decision, size_t i) {
    const struct parked_missing *key = &decision->missing[i];
    return slice_of(key->table >= 0 ? master_tables[key->table].name : decision->engine->processor->stores[key->store].name);
}

static bool has_amount(const struct envelope *envelope) { return envelope->has_amount && codec_decimal_is_number(envelope->amount_e4); }

static void step_send(struct decision *decision, bool waits, const char *step) {
    const struct envelope *envelope = &decision->envelope;
    const int64_t decided_ms = decision->task->stream_time_ms > decision->time_ms ? decision->task->stream_time_ms : decision->time_ms;
    REASONS_FILL(decision, struct step_reason, why);
    MISSING_FILL(decision, struct step_missing_key, missing);
    struct document_step record = {.entity = envelope->entity, .flow = decision_flow(decision), .partner = envelope->partner, .document = envelope->number,
        .step = slice_of(step), .processor = slice_of(decision->engine->processor->name), .kind = slice_of(envelope->kind), .event_id = envelope->event_id,
        .source = envelope->source, .origin = decision_origin(decision), .correlation_id = envelope->correlation_id, .occurred_at_ms = decision->time_ms,
        .decided_at_ms = decided_ms, .user = envelope->user, .has_document_date = envelope->document_date != 0, .document_date = envelope->document_date, .currency = envelope->currency,
        .has_amount = has_amount(envelope), .amount_e4 = envelope->amount_e4, .method = envelope->method, .reference = envelope->reference,
        .has_value_date = envelope->has_value_date, .value_date = envelope->value_date, .payment_blocked = decision->payment_blocked};
    record.reasons.items = why;
    record.reasons.count = decision->reason_count;
    record.missing.items = missing;
    record.missing.count = waits ? decision->missing_count : 0;
    record.journals.items = decision->journals;
    record.journals.count = decision->journal_count;
    record.links.items = decision->links;
    record.links.count = decision->link_count;
    const struct output_topic *topic = &decision->engine->steps;
    const struct engine_output output = {.topic = topic->name, .partition = -1, .key = decision->step_key, .value = conclude_bytes(decision, topic, &record),
                                         .task = decision->task, .timestamp_ms = decided_ms};   /* the step's own time, so that its reader's goes on */
    output_send(decision, &output);
}

void conclude_acknowledge(struct decision *decision, enum acknowledged_outcome outcome, const char *step) {
    const struct envelope *envelope = &decision->envelope;
    const bool waits = outcome == ACKNOWLEDGED_OUTCOME_PARKED;
    REASONS_FILL(decision, struct acknowledged_reason, why);
    MISSING_FILL(decision, struct missing_key, missing);
    struct acknowledgment record = {.source = envelope->source, .event_id = envelope->event_id, .processor = slice_of(decision->engine->processor->name),
        .origin = decision_origin(decision), .entity = envelope->entity, .partner = envelope->partner, .document = envelope->number,
        .kind = slice_of(envelope->kind), .correlation_id = envelope->correlation_id, .outcome = outcome, .step = slice_of(step),
        .occurred_at_ms = decision->time_ms, .synthetic = decision->synthetic};
    record.reasons.items = why;
    record.reasons.count = decision->reason_count;
    record.missing.items = missing;
    record.missing.count = waits ? decision->missing_count : 0;
    record.journals.items = decision->journals;
    record.journals.count = decision->journal_count;
    record_send(decision, &decision->engine->acknowledgments, &record);
    if (!decision->synthetic) step_send(decision, waits, outcome == ACKNOWLEDGED_OUTCOME_HELD ? "needs decision" : step);
}

static uint64_t shown_add(uint64_t sum, struct slice code, struct slice field) { return (sum * 31 + hash_slice(code)) * 31 + hash_slice(field); }
static void shown_write(char text[SHOWN_SIZE], uint64_t sum) { snprintf(text, SHOWN_SIZE, "%016" PRIx64, sum); }

void conclude_shown(const struct decision *decision, char text[SHOWN_SIZE]) {
    uint64_t sum = 0;
    for (size_t i = 0; i < decision->reason_count; i++) sum = shown_add(sum, slice_of(reasons[decision->reasons[i].reason].code), slice_of(decision->reasons[i].field));
    shown_write(text, sum);
}

void conclude_shown_of(const struct parked_event *parked, char text[SHOWN_SIZE]) {
    uint64_t sum = 0;
    for (size_t i = 0; i < parked->reasons.count; i++) sum = shown_add(sum, parked->reasons.items[i].code, parked->reasons.items[i].field);
    shown_write(text, sum);
}

void conclude_exception(struct decision *decision, const struct output_topic *topic, const char *outcome) {
    const struct envelope *envelope = &decision->envelope;
    char shown[SHOWN_SIZE];
    REASONS_FILL(decision, struct exception_reason, why);
    MISSING_FILL(decision, struct exception_missing_key, missing);
    conclude_shown(decision, shown);
    struct exception_record record = {.processor = slice_of(decision->engine->processor->name), .origin = decision_origin(decision),
        .source = envelope->source, .event_id = envelope->event_id, .entity = envelope->entity, .partner = envelope->partner,
        .document = envelope->number, .kind = slice_of(envelope->kind), .correlation_id = envelope->correlation_id, .outcome = slice_of(outcome),
        .item = (int64_t)decision->item, .shown = slice_of(shown), .user = envelope->user, .has_document_date = envelope->document_date != 0,
        .document_date = envelope->document_date, .currency = envelope->currency, .has_amount = has_amount(envelope), .amount_e4 = envelope->amount_e4,
        .occurred_at_ms = decision->time_ms, .value = decision->message->value};
    record.reasons.items = why;
    record.reasons.count = decision->reason_count;
    record.missing.items = missing;
    record.missing.count = decision->missing_count;
    record_send(decision, topic, &record);
}

void conclude_audit(struct decision *decision, const struct audit_entry *entry) { record_send(decision, &decision->engine->audit, entry); }

void conclude_audited(struct decision *decision) {
    if (!decision->audited) return;
    struct audit_entry entry = *decision->audited;
    const struct slice key = KEY(decision, entry.entity, entry.partner);    /* a dead letter's own may be another */
    entry.processor = slice_of(decision->engine->processor->name);
    for (size_t i = 0; refused(decision) && i < decision->reason_count; i++) {
        if (decision->reasons[i].class != decision->heaviest) continue;
        entry.outcome = AUDIT_OUTCOME_REFUSED;
        entry.reason = slice_of(reasons[decision->reasons[i].reason].code);
        entry.text = slice_of(decision->reasons[i].text);
        break;
    }
    const struct engine_output output = {.topic = decision->engine->audit.name, .partition = -1, .key = key, .value = conclude_bytes(decision, &decision->engine->audit, &entry),
                                         .task = decision->task};
    output_send(decision, &output);
}

void conclude_dead_letter(struct decision *decision, enum reason reason, const char *text) {
    /* Key, value and headers go on untouched; what we know is said in headers of our own. */
    enum { OURS = 9, CUT = 1 };
    const struct engine_message *message = decision->message;
    const struct engine *engine = decision->engine;
    struct record_header *headers = decision_alloc(decision, (message->header_count + OURS + CUT) * sizeof *headers);
    if (message->header_count) memcpy(headers, message->headers, message->header_count * sizeof *headers);
    struct record_header *ours = headers + message->header_count;
    ours[0] = (struct record_header){"kontor-reason", slice_of(reasons[reason].code)};
    ours[1] = (struct record_header){"kontor-text", slice_of(text && *text ? text : reasons[reason].text)};
    ours[2] = (struct record_header){"kontor-processor", slice_of(engine->processor->name)};
    ours[3] = (struct record_header){"kontor-version", slice_of(engine->options.version)};
    ours[4] = (struct record_header){"kontor-topic", slice_of(decision->input->topic)};
    ours[5] = (struct record_header){"kontor-partition", decision_format(decision, "%d", (int)message->partition)};
    ours[6] = (struct record_header){"kontor-offset", decision_format(decision, "%lld", (long long)message->offset)};
    ours[7] = (struct record_header){"kontor-timestamp", decision_format(decision, "%lld", (long long)message->timestamp_ms)};
    ours[8] = (struct record_header){"kontor-time", decision_format(decision, "%lld", (long long)message->received_ms)};
    size_t count = message->header_count + OURS;
    struct slice value = message->value;
    if (value.length > RECORD_SIZE_MAXIMUM) {
        headers[count++] = (struct record_header){"kontor-cut-from", decision_format(decision, "%zu", value.length)};
        value.length = LETTER_SIZE_MAXIMUM;
    }
    conclude_send(decision, engine->dead_letters[message->input], -1, value, headers, count);
}

/* posting.commands.<erp>: each ERP's name is joined once and kept, so that equal topics are equal pointers. */
static const char *topic_per_erp(struct decision *decision, int output, struct slice erp) {
    struct engine *engine = decision->engine;
    size_t count = engine->per_erp[output].count;
    for (size_t i = 0; i < count; i++)
        if (slice_equal(engine->per_erp[output].erps[i], erp)) return engine->per_erp[output].topics[i];
    const char *base = engine->outputs[output].name;
    size_t length = strlen(base) + erp.length + 2;
    struct slice *erps = realloc(engine->per_erp[output].erps, (count + 1) * sizeof *erps);
    if (erps) engine->per_erp[output].erps = erps;
    const char **topics = erps ? realloc(engine->per_erp[output].topics, (count + 1) * sizeof *topics) : NULL;
    if (topics) engine->per_erp[output].topics = topics;
    char *name = topics ? malloc(length) : NULL;
    if (!name) decision_fail(decision, ENGINE_ABORT, "out of memory");
    snprintf(name, length, "%s." SLICE_FORMAT, base, SLICE_ARGUMENT(erp));
    topics[count] = name;
    erps[count] = (struct slice){name + strlen(base) + 1, erp.length};
    engine->per_erp[output].count++;
    return name;
}

void conclude_emissions(struct decision *decision) {
    for (const struct emission *emission = decision->first_emission; emission; emission = emission->next) {
        const struct processor_output *declared = &decision->engine->processor->outputs[emission->output];
        const char *topic = declared->per_erp ? topic_per_erp(decision, emission->output, emission->erp) : decision->engine->outputs[emission->output].name;
        const struct record_header corrects = {"kontor-corrects", emission->corrects};
        const struct engine_output output = {.topic = topic, .partition = -1, .key = emission->key, .value = emission->bytes, .task = decision->task,
                                             .headers = &corrects, .header_count = emission->corrects.length > 0,
                                             .timestamp_ms = declared->event_time ? decision->time_ms : 0};
        output_send(decision, &output);
    }
}

void conclude_deferred(struct decision *decision, const struct parked_event *deferred) {
    const struct engine_output output = {.topic = decision->engine->outputs[deferred->input].name, .partition = decision->task->partition, .key = deferred->key,
                                         .value = deferred->value, .task = decision->task, .timestamp_ms = deferred->timestamp_ms};
    output_send(decision, &output);
}
