#include "tests/driver/broker.h"

#include <stdlib.h>

#include "common/codec/wire.h"
#include "common/platform/hash.h"
#include "schemas/acknowledgment.h"
#include "schemas/audit_entry.h"
#include "schemas/budget_movement.h"
#include "schemas/budget_use.h"
#include "schemas/commitment.h"
#include "schemas/document.h"
#include "schemas/document_step.h"
#include "schemas/exception.h"
#include "schemas/expense_event.h"
#include "schemas/invoice_event.h"
#include "schemas/journal_event.h"
#include "schemas/payable.h"
#include "schemas/payment_event.h"
#include "schemas/posting_ack.h"
#include "schemas/posting_command.h"
#include "schemas/procurement_event.h"
#include "schemas/resolution.h"
#include "schemas/review_decision.h"
#include "schemas/settlement_event.h"

const struct codec_type *broker_schemas[SCHEMAS_MAXIMUM] = {&procurement_event_type, &invoice_event_type, &acknowledgment_type, &exception_record_type,
                                                              &posting_command_type, &commitment_type, &payable_type, &payment_event_type, &expense_event_type, &journal_event_type,
                                                              &document_step_type, &audit_entry_type, &resolution_type, &review_decision_type, &settlement_event_type,
                                                              &document_state_type, &posting_ack_type, &budget_movement_type, &budget_use_type};
uint32_t broker_schema_count = SCHEMAS_OF_TREE;

static void schema_add(const struct codec_type *type) {
    if (type && !broker_schema_id(type) && broker_schema_count < SCHEMAS_MAXIMUM) broker_schemas[broker_schema_count++] = type;
}

void broker_schemas_add(const struct processor *processor) {
    for (size_t i = 0; i < INPUTS_MAXIMUM && processor->inputs[i].topic; i++) schema_add(processor->inputs[i].type);
    for (size_t i = 0; i < OUTPUTS_MAXIMUM && processor->outputs[i].topic; i++) schema_add(processor->outputs[i].type);
}

uint32_t broker_schema_id(const struct codec_type *type) {
    for (uint32_t i = 0; i < broker_schema_count; i++)
        if (broker_schemas[i] == type) return i + 1;
    return 0;
}

bool broker_open(struct broker *broker, struct error *error) {
    *broker = (struct broker){0};
    arena_init(&broker->arena, 1 << 20, (size_t)1 << 32);
    broker->plans = calloc(SCHEMAS_MAXIMUM, sizeof *broker->plans);
    for (uint32_t i = 0; broker->plans && i < broker_schema_count; i++)
        if (!(broker->plans[i] = codec_plan_own(broker_schemas[i], error))) return false;
    return broker->plans || error_set(error, "out of memory");
}

void broker_close(struct broker *broker) {
    for (uint32_t i = 0; broker->plans && i < broker_schema_count; i++) codec_plan_free(broker->plans[i]);
    free(broker->plans);
    free(broker->items);
    arena_free(&broker->arena);
}

bool stored_in(const struct stored *stored, const char *topic) { return strcmp(stored->topic, topic) == 0; }

struct slice stored_header(const struct stored *stored, const char *name) {
    for (size_t i = 0; i < stored->header_count; i++)
        if (strcmp(stored->headers[i].name, name) == 0) return stored->headers[i].value;
    return (struct slice){0};
}

static struct slice kept(struct arena *arena, struct slice bytes) {
    return bytes.data ? (struct slice){arena_copy(arena, bytes.data, bytes.length), bytes.length} : bytes;
}

/* Our own records must be readable by the schema they name. */
static bool decode(struct broker *broker, struct stored *stored, struct error *error) {
    const bool told = !stored->processor && strcmp(stored->topic, "settlement.entries") != 0;   /* entries are counted, whoever sent them */
    if (told || !strncmp(stored->topic, "dlq.", 4) || !strncmp(stored->topic, "kontor.", 7)) return true;
    uint32_t schema_id;
    struct slice payload;
    if (!codec_wire_read(stored->value.data, stored->value.length, &schema_id, &payload) || !schema_id || schema_id > broker_schema_count)
        return error_set(error, "%s: a record without a known schema id", stored->topic);
    const struct codec_type *type = broker_schemas[schema_id - 1];
    void *object = arena_alloc(&broker->arena, type->size);
    enum codec_result result = codec_decode(broker->plans[schema_id - 1], payload.data, payload.length, &broker->arena, object);
    if (result != CODEC_OK) return error_set(error, "%s: a record that cannot be read as %s: %s", stored->topic, type->name, codec_result_text(result));
    stored->decoded = object;
    return true;
}

bool broker_append(struct broker *broker, const char *processor, const struct engine_output *output, struct error *error) {
    if (broker->count == broker->capacity) {
        size_t capacity = broker->capacity ? broker->capacity * 2 : 256;
        struct stored **items = realloc(broker->items, capacity * sizeof *items);
        if (!items) return error_set(error, "out of memory");
        broker->items = items;
        broker->capacity = capacity;
    }
    struct arena *arena = &broker->arena;
    struct stored *stored = arena_alloc(arena, sizeof *stored);
    *stored = (struct stored){.topic = arena_copy(arena, output->topic, strlen(output->topic)), .processor = processor, .partition = output->partition, .timestamp_ms = output->timestamp_ms,
        .key = kept(arena, output->key), .value = kept(arena, output->value), .header_count = output->header_count,
        .headers = arena_alloc(arena, (output->header_count + 1) * sizeof *stored->headers)};
    stored->offset = broker_end(broker, stored->topic, stored->partition);
    for (size_t i = 0; i < output->header_count; i++)
        stored->headers[i] = (struct record_header){arena_copy(arena, output->headers[i].name, strlen(output->headers[i].name)), kept(arena, output->headers[i].value)};
    broker->items[broker->count++] = stored;
    return decode(broker, stored, error);
}

uint64_t broker_sent(const struct broker *broker, size_t from) {
    uint64_t sum = 0;
    for (size_t i = from; i < broker->count; i++) {
        const struct stored *stored = broker->items[i];
        if (!stored->processor) continue;
        sum = sum * 1099511628211u + hash_bytes(stored->topic, strlen(stored->topic)) + (uint64_t)stored->partition;
        sum = sum * 1099511628211u + hash_slice(stored->key) + (uint64_t)stored->timestamp_ms;
        sum = sum * 1099511628211u + hash_slice(stored->value);
        for (size_t k = 0; k < stored->header_count; k++) sum = sum * 1099511628211u + hash_slice(stored->headers[k].value);
    }
    return sum;
}

void broker_cut(struct broker *broker, size_t count) { broker->count = count; }

int64_t broker_end(const struct broker *broker, const char *topic, int32_t partition) {
    for (size_t i = broker->count; i-- > 0;)
        if (broker->items[i]->partition == partition && stored_in(broker->items[i], topic)) return broker->items[i]->offset + 1;
    return 0;
}

struct stored *broker_read(const struct broker *broker, const char *topic, int32_t partition, int64_t offset) {
    for (size_t i = 0; i < broker->count; i++)
        if (broker->items[i]->offset >= offset && broker->items[i]->partition == partition && stored_in(broker->items[i], topic)) return broker->items[i];
    return NULL;
}
