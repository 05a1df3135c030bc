/* decision: what a decide function asks and answers (processor.h). Everything lives in the batch's memory; when that or anything else fails, the function
 * is left by longjmp, which is safe because it is pure: it holds nothing. */
#include <stdarg.h>
#include <stdio.h>

#include "common/codec/difference.h"
#include "common/codec/wire.h"
#include "common/runtime/engine_internal.h"

void decision_begin(struct decision *decision, struct engine *engine, struct task *task, const struct engine_message *message, struct error *error) {
    memset(decision, 0, sizeof *decision);
    decision->engine = engine;
    decision->task = task;
    decision->message = message;
    decision->input = &engine->processor->inputs[message->input];
    decision->time_ms = message->timestamp_ms < message->received_ms ? message->timestamp_ms : message->received_ms;
    decision->table_limit_ms = decision->state_limit_ms = engine->options.wait_limit_ms;
    decision->error = error;
    decision->last_effect = &decision->first_effect;
    decision->last_emission = &decision->first_emission;
    decision->last_deferral = &decision->first_deferral;
    for (int i = 0; i < MASTER_COUNT; i++) decision->table_offsets[i] = -1;
}

_Noreturn void decision_fail(struct decision *decision, enum engine_result failure, const char *format, ...) {
    char text[sizeof decision->error->text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    error_set(decision->error, "%s", text);
    /* Who made this decision for another one has taken something already: nothing may be given again. */
    for (; decision->part_of; decision = decision->part_of)
        if (failure == ENGINE_WAIT) failure = ENGINE_ABORT;
    decision->failure = failure;
    longjmp(*decision->escape, 1);
}

void *decision_alloc(struct decision *decision, size_t size) {
    void *memory = arena_alloc(&decision->engine->arena, size);
    if (!memory) decision_fail(decision, ENGINE_ABORT, "out of batch memory (batch.memory.bytes)");
    return memory;
}

bool decision_voided(const struct decision *decision) { return decision->voided; }

struct slice decision_format(struct decision *decision, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) { va_end(again); return (struct slice){0}; }
    char *text = decision_alloc(decision, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return (struct slice){text, (size_t)length};
}

struct slice decision_key(struct decision *decision, size_t count, const struct slice *parts) {
    char buffer[STATE_KEY_MAXIMUM - 1];
    struct slice key = tables_key(buffer, sizeof buffer, parts, count);
    if (!key.length && count) {
        report(decision, REASON_DECODE_FAILED, "", "identifiers of together more than %d bytes cannot be a key", STATE_KEY_MAXIMUM - 1);
        return (struct slice){0};
    }
    char *kept = decision_alloc(decision, key.length + 1);
    memcpy(kept, key.data, key.length);
    return (struct slice){kept, key.length};
}

int64_t decision_time_ms(const struct decision *decision) { return decision->time_ms; }
const struct envelope *decision_envelope(const struct decision *decision) { return &decision->envelope; }

/* Writes a number without stdio: once per event. */
static size_t number_write(char *to, uint64_t number) {
    char digits[20];
    size_t count = 0;
    do digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    for (size_t i = 0; i < count; i++) to[i] = digits[count - 1 - i];
    return count;
}

struct slice decision_origin(struct decision *decision) {
    if (decision->origin.data) return decision->origin;
    size_t topic = strlen(decision->input->topic), at = topic;
    char *text = decision_alloc(decision, topic + 44);
    memcpy(text, decision->input->topic, topic);
    text[at++] = '/';
    at += number_write(text + at, (uint64_t)decision->message->partition);
    text[at++] = '/';
    at += number_write(text + at, (uint64_t)decision->message->offset);
    decision->origin = (struct slice){text, at};
    return decision->origin;
}

static void links_grow(struct decision *decision) {
    size_t capacity = decision->link_capacity ? decision->link_capacity * 4 : 4;
    struct step_link *links = decision_alloc(decision, capacity * sizeof *links);
    if (decision->link_count) memcpy(links, decision->links, decision->link_count * sizeof *links);
    decision->links = links;
    decision->link_capacity = capacity;
}

void linked_amounts(struct decision *decision, const char *relation, const char *flow, struct slice document, int64_t amount_e4, int64_t discount_e4, int64_t withheld_e4) {
    const struct step_link link = {slice_of(relation), slice_of(flow), document, amount_e4, discount_e4, withheld_e4};
    if (!document.length || decision->link_count == LINKS_MAXIMUM) return;
    for (size_t i = 0; i < decision->link_count; i++)
        if (slice_equal(decision->links[i].document, document) && slice_equal(decision->links[i].relation, link.relation)) return;
    if (decision->link_count == decision->link_capacity) links_grow(decision);
    decision->links[decision->link_count++] = link;
}

void linked(struct decision *decision, const char *relation, const char *flow, struct slice document) {
    linked_amounts(decision, relation, flow, document, 0, 0, 0);
}

struct slice decision_topic(const struct decision *decision) { return slice_of(decision->input->topic); }

struct slice decision_flow(const struct decision *decision) { return slice_of(decision->engine->flows[decision->input - decision->engine->processor->inputs]); }

/* ---- asking ---- */

static enum table_result table_find(struct decision *decision, enum master table, struct slice key, int32_t date, struct table_row *row) {
    int position = decision->engine->table_positions[table];
    if (position < 0) decision_fail(decision, ENGINE_FATAL, "processor %s looks up %s without declaring it", decision->engine->processor->name, master_tables[table].name);
    if (!key.length) return TABLE_MISSING;
    enum table_result result = tables_find(decision->engine->options.tables, (size_t)position, key, date, row);
    if (result == TABLE_FAILED) decision_fail(decision, ENGINE_ABORT, "table %s cannot be read", master_tables[table].name);
    if (result == TABLE_FOUND && row->offset > decision->table_offsets[table]) decision->table_offsets[table] = row->offset;
    return result;
}

const void *look_up(struct decision *decision, enum master table, struct slice key, int32_t date, struct table_row *row) {
    struct table_row found;
    if (!row) row = &found;
    return table_find(decision, table, key, date, row) == TABLE_FOUND ? row->record : NULL;
}

bool require_row(struct decision *decision, enum master table, struct slice key, int32_t date, enum reason missing, const char *field, struct table_row *row) {
    enum table_result result = table_find(decision, table, key, date, row);
    if (result == TABLE_FOUND) return true;
    enum reason reason = result == TABLE_STALE ? REASON_MASTER_STALE : missing;
    report(decision, reason, field, "%s has no " SLICE_FORMAT, master_tables[table].name, SLICE_ARGUMENT(key));
    if (reasons[reason].class == CLASS_PARKED)
        decision_report_missing(decision, (struct parked_missing){.table = (int32_t)table, .store = -1, .key = key, .date = date});
    return false;
}

bool look_up_trusted(struct decision *decision, enum master table, struct slice key, int32_t date, const char *field, struct table_row *row) {
    switch (table_find(decision, table, key, date, row)) {
    case TABLE_FOUND: return true;
    case TABLE_STALE: (void)require_row(decision, table, key, date, REASON_MASTER_STALE, field, row); return false;
    case TABLE_MISSING:
    case TABLE_FAILED: break;
    }
    return false;
}

const void *require(struct decision *decision, enum master table, struct slice key, int32_t date, enum reason missing, const char *field) {
    struct table_row row;
    return require_row(decision, table, key, date, missing, field, &row) ? row.record : NULL;
}

const void *state_find(struct decision *decision, int store, struct slice key) {
    return overlay_object(overlay_find(decision, STORE_FIRST + store, key));
}

size_t decision_master_offsets(struct decision *decision, enum master *tables, int64_t *offsets, size_t capacity) {
    size_t count = 0;
    for (int i = 0; i < MASTER_COUNT && count < capacity; i++) {
        if (decision->table_offsets[i] < 0) continue;
        tables[count] = (enum master)i;
        offsets[count++] = decision->table_offsets[i];
    }
    return count;
}

const char *master_name(enum master table) { return master_tables[table].name; }

/* ---- answering ---- */

enum reason reason_of(struct slice code) {
    int reason = 0;
    while (reason < REASON_COUNT && !slice_equal(code, slice_of(reasons[reason].code))) reason++;
    return (enum reason)reason;
}

/* Who has approved of this reason for it to be held; empty: nobody. */
static struct slice approved_by(const struct decision *decision, enum reason reason, const char *field) {
    for (size_t i = 0; decision->waited && i < decision->waited->approvals.count; i++) {
        const struct parked_approval *approval = &decision->waited->approvals.items[i];
        if (slice_equal(approval->code, slice_of(reasons[reason].code)) && slice_equal(approval->field, slice_of(field))) return approval->by;
    }
    return (struct slice){0};
}

static void reason_add(struct decision *decision, enum reason_class class, enum reason reason, const char *field, const char *text) {
    if (class == CLASS_HELD && reasons[reason].approvable) {
        const struct slice by = approved_by(decision, reason, field);
        if (by.length) {
            class = CLASS_NOTE;
            text = decision_format(decision, "approved by " SLICE_FORMAT "%s%s", SLICE_ARGUMENT(by), *text ? ": " : "", text).data;
        }
    }
    if (class > decision->heaviest) decision->heaviest = class;
    if (decision->reason_count == REASONS_MAXIMUM) return;   /* a document with more is told the first ones */
    for (size_t i = 0; i < decision->reason_count; i++)
        if (decision->reasons[i].reason == reason && strcmp(decision->reasons[i].field, field) == 0) return;
    decision->reasons[decision->reason_count++] = (struct reported){reason, class, field, text};
}

static const char *__attribute__((format(printf, 2, 0))) text_make(struct decision *decision, const char *format, va_list arguments) {
    if (!*format) return "";
    char text[256];
    vsnprintf(text, sizeof text, format, arguments);
    size_t length = strlen(text);
    char *kept = decision_alloc(decision, length + 1);
    memcpy(kept, text, length);
    return kept;
}

void report(struct decision *decision, enum reason reason, const char *field, const char *text, ...) {
    va_list arguments;
    va_start(arguments, text);
    const char *made = text_make(decision, text, arguments);
    va_end(arguments);
    reason_add(decision, reasons[reason].class, reason, field, made);
}

void report_as(struct decision *decision, enum reason_class class, enum reason reason, const char *field, const char *text, ...) {
    va_list arguments;
    va_start(arguments, text);
    const char *made = text_make(decision, text, arguments);
    va_end(arguments);
    reason_add(decision, class, reason, field, made);
}

void decision_report_missing(struct decision *decision, struct parked_missing missing) {
    if (decision->missing_count == MISSING_MAXIMUM) return;   /* decided anew when any of the first comes, it finds the rest then */
    for (size_t i = 0; i < decision->missing_count; i++) {
        struct parked_missing *other = &decision->missing[i];
        if (other->table != missing.table || other->store != missing.store || other->date != missing.date || !slice_equal(other->key, missing.key)) continue;
        other->any_change |= missing.any_change;
        return;
    }
    decision->missing[decision->missing_count++] = missing;
}

void wait_for_state(struct decision *decision, enum reason reason, const char *field, int store, struct slice key) {
    reason_add(decision, CLASS_PARKED, reason, field, "");
    decision_report_missing(decision, (struct parked_missing){.table = -1, .store = store, .key = key});
}

void wait_for_table(struct decision *decision, enum reason reason, const char *field, enum master table, struct slice key, int32_t date) {
    reason_add(decision, CLASS_PARKED, reason, field, "");
    decision_report_missing(decision, (struct parked_missing){.table = (int32_t)table, .store = -1, .key = key, .date = date, .any_change = true});
}

void hold_until_state(struct decision *decision, enum reason reason, const char *field, int store, struct slice key) {
    reason_add(decision, CLASS_HELD, reason, field, "");
    decision_report_missing(decision, (struct parked_missing){.table = -1, .store = store, .key = key});
    decision->held_until = true;
}

void hold_until_table(struct decision *decision, enum reason reason, const char *field, enum master table, struct slice key, int32_t date) {
    reason_add(decision, CLASS_HELD, reason, field, "");
    decision_report_missing(decision, (struct parked_missing){.table = (int32_t)table, .store = -1, .key = key, .date = date, .any_change = true});
    decision->held_until = true;
}

void retry_held_at_state(struct decision *decision, int store, struct slice key) {
    if (decision->heaviest != CLASS_HELD) return;
    decision_report_missing(decision, (struct parked_missing){.table = -1, .store = store, .key = key});
    decision->held_until = true;
}

void retry_held_at_table(struct decision *decision, enum master table, struct slice key, int32_t date) {
    if (decision->heaviest != CLASS_HELD) return;
    decision_report_missing(decision, (struct parked_missing){.table = (int32_t)table, .store = -1, .key = key, .date = date, .any_change = true});
    decision->held_until = true;
}

void wait_limits(struct decision *decision, int64_t for_tables_ms, int64_t for_state_ms) {
    decision->table_limit_ms = for_tables_ms;
    decision->state_limit_ms = for_state_ms;
}

bool decision_is_late(const struct decision *decision) { return decision->late; }

bool refused(const struct decision *decision) { return decision->heaviest > CLASS_NOTE; }

enum verdict decision_verdict(const struct decision *decision) {
    switch (decision->heaviest) {
    case CLASS_POISON: return VERDICT_POISON;
    case CLASS_DUPLICATE: return VERDICT_DUPLICATE;
    case CLASS_REJECTED: return VERDICT_REJECTED;
    case CLASS_HELD: return VERDICT_HELD;
    case CLASS_PARKED: return decision->missing_count ? VERDICT_PARKED : VERDICT_HELD;   /* nothing could ever release it */
    case CLASS_NOTE: break;
    }
    return VERDICT_ACCEPTED;
}

/* ---- effects ---- */

void state_put(struct decision *decision, int store, struct slice key, const void *value) {
    const struct codec_type *type = decision->engine->store_types[STORE_FIRST + store];
    struct effect *effect = decision_alloc(decision, sizeof *effect);
    void *copy = decision_alloc(decision, type->size);
    memcpy(copy, value, type->size);
    *effect = (struct effect){.store = store, .key = key, .value = copy};
    *decision->last_effect = effect;
    decision->last_effect = &effect->next;
}

void state_remove(struct decision *decision, int store, struct slice key) {
    struct effect *effect = decision_alloc(decision, sizeof *effect);
    *effect = (struct effect){.store = store, .key = key};
    *decision->last_effect = effect;
    decision->last_effect = &effect->next;
}

struct slice emit(struct decision *decision, int output, struct slice erp, const void *record) {
    return emit_keyed(decision, output, erp, record, decision->message->key);
}

struct slice emit_keyed(struct decision *decision, int output, struct slice erp, const void *record, struct slice key) {
    struct emission *emission = decision_alloc(decision, sizeof *emission);
    *emission = (struct emission){.output = output, .erp = erp, .key = key, .bytes = conclude_bytes(decision, &decision->engine->outputs[output], record)};
    if (emission->bytes.length > RECORD_SIZE_MAXIMUM)   /* who reads it takes no more */
        report(decision, REASON_AMOUNT_OVERFLOW, "", "what comes of it takes %zu bytes on %s, more than a record may have", emission->bytes.length, decision->engine->outputs[output].name);
    *decision->last_emission = emission;
    decision->last_emission = &emission->next;
    return emission->bytes;
}

void emit_bytes(struct decision *decision, int output, struct slice bytes) { emit_correction(decision, output, bytes, (struct slice){0}); }

void emit_correction(struct decision *decision, int output, struct slice bytes, struct slice origin) {
    struct emission *emission = decision_alloc(decision, sizeof *emission);
    *emission = (struct emission){.output = output, .key = decision->message->key, .bytes = bytes, .corrects = origin};
    *decision->last_emission = emission;
    decision->last_emission = &emission->next;
}

static void deferral_add(struct decision *decision, struct deferral deferral) {
    struct deferral *kept = decision_alloc(decision, sizeof *kept);
    *kept = deferral;
    *decision->last_deferral = kept;
    decision->last_deferral = &kept->next;
}

void defer(struct decision *decision, struct slice name, int output, const void *record, struct slice key, int64_t at_ms) {
    struct engine *engine = decision->engine;
    deferral_add(decision, (struct deferral){.name = name, .output = output, .key = key, .at_ms = at_ms, .bytes = conclude_bytes(decision, &engine->outputs[output], record)});
}

void defer_cancel(struct decision *decision, struct slice name) { deferral_add(decision, (struct deferral){.name = name}); }

void audited(struct decision *decision, const struct audit_entry *entry) {
    struct audit_entry *kept = decision_alloc(decision, sizeof *kept);
    *kept = *entry;
    decision->audited = kept;
}

const void *read_as(struct decision *decision, int output, struct slice bytes) {
    struct engine *engine = decision->engine;
    const struct codec_type *type = engine->outputs[output].type;
    const struct codec_plan *plan;
    uint32_t schema_id;
    struct slice payload;
    struct error error = {{0}};
    if (!bytes.data || !codec_wire_read(bytes.data, bytes.length, &schema_id, &payload)) return NULL;
    enum schema_answer answer = engine->options.schemas.plan(engine->options.schemas.context, type, schema_id, &plan, &error);
    if (answer == SCHEMA_UNREACHABLE) decision_fail(decision, ENGINE_WAIT, "%s", error.text);
    if (answer != SCHEMA_READABLE) return NULL;
    void *record = decision_alloc(decision, type->size);
    enum codec_result result = codec_decode(plan, payload.data, payload.length, &engine->arena, record);
    if (result == CODEC_NO_MEMORY) decision_fail(decision, ENGINE_ABORT, "out of batch memory (batch.memory.bytes)");
    return result == CODEC_OK ? record : NULL;
}

struct slice difference(struct decision *decision, int output, const void *before, const void *after) {
    struct buffer *scratch = &decision->engine->scratch;
    buffer_reset(scratch);
    if (!codec_difference(decision->engine->outputs[output].type, before, after, scratch)) decision_fail(decision, ENGINE_ABORT, "out of memory");
    char *text = decision_alloc(decision, scratch->length + 1);
    memcpy(text, scratch->data, scratch->length);
    return (struct slice){text, scratch->length};
}

const void *emitted(struct decision *decision, int output, struct slice bytes) {
    struct engine *engine = decision->engine;
    const struct codec_type *type = engine->outputs[output].type;
    const struct codec_plan *plan;
    uint32_t schema_id;
    struct slice payload;
    if (!codec_wire_read(bytes.data, bytes.length, &schema_id, &payload)) decision_fail(decision, ENGINE_FATAL, "a kept %s has no schema id", type->name);
    struct error error = {{0}};
    enum schema_answer answer = engine->options.schemas.plan(engine->options.schemas.context, type, schema_id, &plan, &error);
    if (answer == SCHEMA_UNREACHABLE) decision_fail(decision, ENGINE_WAIT, "%s", error.text);
    if (answer != SCHEMA_READABLE) decision_fail(decision, ENGINE_FATAL, "a kept %s of schema id %u cannot be read: %s", type->name, schema_id, error.text);
    void *record = decision_alloc(decision, type->size);
    enum codec_result result = codec_decode(plan, payload.data, payload.length, &engine->arena, record);
    if (result == CODEC_NO_MEMORY) decision_fail(decision, ENGINE_ABORT, "out of batch memory (batch.memory.bytes)");
    if (result != CODEC_OK) decision_fail(decision, ENGINE_FATAL, "a kept %s cannot be read: %s", type->name, codec_result_text(result));
    return record;
}

int output_find(const struct decision *decision, const char *topic) {
    const struct processor_output *outputs = decision->engine->processor->outputs;
    for (int i = 0; i < OUTPUTS_MAXIMUM && outputs[i].topic; i++)
        if (strcmp(outputs[i].topic, topic) == 0) return i;
    return -1;
}

bool erp_known(const struct decision *decision, struct slice erp) {
    const char *at = decision->engine->options.erps;
    while (at && *at) {
        size_t length = strcspn(at, ",");
        if (slice_equal((struct slice){at, length}, erp)) return true;
        at += length + (at[length] == ',');
    }
    return false;
}

void posted(struct decision *decision, struct slice idempotency_key) {
    if (decision->journal_count == JOURNALS_MAXIMUM)
        decision_fail(decision, ENGINE_FATAL, "%s posts more than %d journals for one event", decision->engine->processor->name, JOURNALS_MAXIMUM);
    decision->journals[decision->journal_count++] = idempotency_key;
}

void payment_blocked(struct decision *decision) { decision->payment_blocked = true; }

void tallied_more(struct decision *decision, int counter, struct slice entity, const char *step, int64_t count) {
    struct tally *tally = decision_alloc(decision, sizeof *tally);
    *tally = (struct tally){decision->first_tally, counter, entity, step, (uint64_t)count};
    decision->first_tally = tally;
}

void tallied(struct decision *decision, int counter, struct slice entity, const char *step) { tallied_more(decision, counter, entity, step, 1); }
