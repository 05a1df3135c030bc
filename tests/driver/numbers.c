/* numbers: the mode in which every number of every record – amounts, counts, dates, times, its own time, also those that it does not have – takes the values at the ends of what can
 * be: of an amount also one that is larger than is held. Whatever the processor makes of it, it goes on, what it would keep and send can be written, and its
 * journals balance. */
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/encode.h"
#include "common/codec/plan.h"
#include "common/codec/wire.h"
#include "tests/driver/run.h"

enum { NUMBERS_MAXIMUM = 1024, AMOUNT_SIZE = 8 };

/* A number of a record: where it lies, and the field that it is. given: of one that may be null, whether it is not. */
struct number { char *place; bool *given; const struct codec_type *type; const char *field; };
struct numbers { struct number items[NUMBERS_MAXIMUM]; size_t count; };

static void value_collect(const struct codec_type *type, char *value, bool *given, const char *field, struct numbers *numbers);

static void slot_collect(const struct codec_slot *slot, char *base, const char *field, struct numbers *numbers) {
    const struct codec_type *type = slot->type;
    bool *given = type->kind == CODEC_OPTIONAL ? (bool *)(base + slot->flag_offset) : NULL;
    value_collect(given ? type->element.type : type, base + slot->offset, given, field, numbers);
}

static bool is_number(enum codec_kind kind) {
    return kind == CODEC_DECIMAL || kind == CODEC_INT || kind == CODEC_LONG || kind == CODEC_DATE || kind == CODEC_TIMESTAMP_MILLIS;
}

static void value_collect(const struct codec_type *type, char *value, bool *given, const char *field, struct numbers *numbers) {
    if (is_number(type->kind) && numbers->count < NUMBERS_MAXIMUM) numbers->items[numbers->count++] = (struct number){value, given, type, field};
    if (given && !*given) return;   /* what else may be null, and is, has nothing in it */
    for (uint32_t i = 0; type->kind == CODEC_RECORD && i < type->field_count; i++) slot_collect(&type->fields[i].slot, value, type->fields[i].name, numbers);
    if (type->kind != CODEC_ARRAY) return;
    const struct codec_list *list = (const struct codec_list *)(const void *)value;
    for (size_t i = 0; i < list->count; i++) slot_collect(&type->element, (char *)list->items + i * type->element_size, field, numbers);
}

static bool is_wide(const struct number *number) { return number->type->kind != CODEC_INT && number->type->kind != CODEC_DATE; }

static int64_t value_of(const struct number *number) { return is_wide(number) ? *(const int64_t *)(const void *)number->place : *(const int32_t *)(const void *)number->place; }

static void value_set(const struct number *number, int64_t value) {
    if (is_wide(number)) *(int64_t *)(void *)number->place = value;
    else *(int32_t *)(void *)number->place = (int32_t)value;
}

/* The values to try: their number; an amount that is not held comes besides. */
static size_t ends_of(const struct number *number, int64_t ends[5]) {
    static const int64_t amount = INT64_C(999999999999999999);
    const int64_t largest = number->type->kind == CODEC_DECIMAL ? amount : is_wide(number) ? INT64_MAX : INT32_MAX;
    const int64_t least = number->type->kind == CODEC_DECIMAL ? -amount : is_wide(number) ? INT64_MIN : INT32_MIN;
    memcpy(ends, (const int64_t[]){largest, least, 0, 1, -1}, 5 * sizeof *ends);
    return 5;
}

static bool record_write(const struct codec_type *type, const void *record, struct buffer *bytes) {
    buffer_reset(bytes);
    return codec_wire_append(bytes, broker_schema_id(type)) && codec_encode(type, record, bytes);
}

/* The record's bytes with more digits at the place than any schema's decimal has. No encoder of ours writes them: those of another amount, which is nowhere else, are
 * exchanged. */
static bool record_write_unheld(const struct codec_type *type, const void *record, const struct number *number, struct buffer *bytes) {
    static const unsigned char mark[1 + AMOUNT_SIZE] = {2 * AMOUNT_SIZE, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
    value_set(number, 0x0123456789abcdef);
    if (!record_write(type, record, bytes)) return false;
    char *found = memmem(bytes->data, bytes->length, mark, sizeof mark);
    if (!found) return false;
    memset(found + 1, 0x7f, AMOUNT_SIZE);
    return true;
}

static bool journal_balances(const struct posting_command *command) {
    const struct command_difference difference = command_difference(command);
    return !difference.amount_e4 && !difference.functional_e4;
}

static void record_try(struct run *run, struct instance *instance, const struct given *given, struct slice bytes, const char *what) {
    const size_t mark = run->broker.count;
    struct engine_message message = message_of(given, bytes);
    struct error error = {{0}};
    enum engine_result result = instance_take(instance, given->topic, &message, &error);
    if (result == ENGINE_DONE) result = instance_settle(instance, &error);
    if (result == ENGINE_DONE) result = engine_seal(instance->engine, &error);
    if (result != ENGINE_DONE) result_fail(run, given->statement, instance, what, result, &error);
    for (size_t i = mark; i < run->broker.count; i++)
        if (is_journal(run->broker.items[i]) && !journal_balances(run->broker.items[i]->decoded)) run_fail(run, given->statement, what, "a journal that does not balance");
    run->tried++;
    (void)undo(run, instance, mark, given->statement);
}

static void number_try(struct run *run, struct instance *instance, const struct given *given, const struct codec_type *type, const void *record, const struct number *number,
                       struct buffer *bytes) {
    int64_t ends[5];
    const size_t count = ends_of(number, ends);
    const bool was_given = !number->given || *number->given;
    const int64_t before = was_given ? value_of(number) : 0;
    char what[120];
    if (!was_given) *number->given = true;
    for (size_t end = 0; end < count; end++) {
        value_set(number, ends[end]);
        snprintf(what, sizeof what, "%s with %lld for its number taken", number->field, (long long)ends[end]);
        if (!record_write(type, record, bytes)) run_fail(run, given->statement, what, "it cannot be written");
        else record_try(run, instance, given, (struct slice){bytes->data, bytes->length}, what);
    }
    if (number->type->kind == CODEC_DECIMAL) {
        snprintf(what, sizeof what, "%s of more digits than are held taken", number->field);
        if (!record_write_unheld(type, record, number, bytes)) run_fail(run, given->statement, what, "it cannot be written");
        else record_try(run, instance, given, (struct slice){bytes->data, bytes->length}, what);
    }
    value_set(number, before);
    if (!was_given) *number->given = false;
}

/* Of the record itself: who writes it chooses its time. */
static void times_try(struct run *run, struct instance *instance, const struct given *given) {
    static const int64_t times_ms[] = {INT64_MIN, -1, 0, INT64_MAX};
    for (size_t i = 0; i < sizeof times_ms / sizeof *times_ms; i++) {
        struct given other = *given;
        char what[80];
        other.time_ms = times_ms[i];
        snprintf(what, sizeof what, "a record of time %lld taken", (long long)times_ms[i]);
        record_try(run, instance, &other, given->value, what);
    }
}

void numbers_try(struct run *run, struct instance *instance, const struct given *given) {
    const struct codec_type *type = instance->processor->inputs[instance_input(instance, given->topic)].type;
    uint32_t schema;
    struct slice payload;
    if (!given->value.data || !codec_wire_read(given->value.data, given->value.length, &schema, &payload) || !schema || schema != broker_schema_id(type)) return;
    struct arena arena;
    arena_init(&arena, 1 << 16, 1 << 24);
    char *record = arena_alloc(&arena, type->size);
    struct numbers *numbers = calloc(1, sizeof *numbers);
    struct buffer bytes = {0};
    if (codec_decode(run->broker.plans[schema - 1], payload.data, payload.length, &arena, record) == CODEC_OK) value_collect(type, record, NULL, "", numbers);
    if (numbers->count) times_try(run, instance, given);
    for (size_t i = 0; i < numbers->count; i++) number_try(run, instance, given, type, record, &numbers->items[i], &bytes);
    buffer_free(&bytes);
    free(numbers);
    arena_free(&arena);
}
