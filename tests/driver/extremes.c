/* extremes: the mode in which every number and text of every record – amounts, counts, dates, times, names, its own time, also those that it does not have – takes the
 * values at the ends of what can be: of an amount also one that is larger than is held, of a text nothing, bytes that are no text, and more than a key takes; and every list has as
 * many items as are decided, and one more. Whatever the processor makes of it, it goes on, what it would keep and send can be written, and its journals balance. */
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/encode.h"
#include "common/codec/plan.h"
#include "common/codec/wire.h"
#include "common/runtime/engine_internal.h"
#include "tests/driver/run.h"

enum { VALUES_MAXIMUM = 4096, AMOUNT_SIZE = 8, SENT_MAXIMUM = (4 << 20) - 1000 /* producer.c, message.max.bytes, and what a record has besides */ };

/* A number or text of a record: where it lies, and the field that it is. given: of one that may be null, whether it is not. */
struct value { char *place; bool *given; const struct codec_type *type; const char *field; };
struct values { struct value items[VALUES_MAXIMUM]; size_t count; };

static void type_collect(const struct codec_type *type, char *place, bool *given, const char *field, struct values *values);

static void slot_collect(const struct codec_slot *slot, char *base, const char *field, struct values *values) {
    const struct codec_type *type = slot->type;
    bool *given = type->kind == CODEC_OPTIONAL ? (bool *)(base + slot->flag_offset) : NULL;
    type_collect(given ? type->element.type : type, base + slot->offset, given, field, values);
}

static bool is_text(const struct codec_type *type) { return type->kind == CODEC_STRING || type->kind == CODEC_BYTES; }

static bool is_number(const struct codec_type *type) {
    return type->kind == CODEC_DECIMAL || type->kind == CODEC_INT || type->kind == CODEC_LONG || type->kind == CODEC_DATE || type->kind == CODEC_TIMESTAMP_MILLIS;
}

static void type_collect(const struct codec_type *type, char *place, bool *given, const char *field, struct values *values) {
    if ((is_number(type) || is_text(type)) && values->count < VALUES_MAXIMUM) values->items[values->count++] = (struct value){place, given, type, field};
    if (given && !*given) return;   /* what else may be null, and is, has nothing in it */
    for (uint32_t i = 0; type->kind == CODEC_RECORD && i < type->field_count; i++) slot_collect(&type->fields[i].slot, place, type->fields[i].name, values);
    if (type->kind != CODEC_ARRAY) return;
    const struct codec_list *list = (const struct codec_list *)(const void *)place;
    for (size_t i = 0; i < list->count; i++) slot_collect(&type->element, (char *)list->items + i * type->element_size, field, values);
}

static bool is_wide(const struct codec_type *type) { return type->kind != CODEC_INT && type->kind != CODEC_DATE; }

static void number_set(const struct value *value, int64_t number) {
    if (is_wide(value->type)) *(int64_t *)(void *)value->place = number;
    else *(int32_t *)(void *)value->place = (int32_t)number;
}

/* ---- the extremes: so many of each value ---- */

static char long_text[3000];    /* more than any key takes */
static const struct slice texts[] = {{"", 0}, {"\0", 1}, {"|", 1}, {"\xff\xc0%n%s", 6}, {long_text, 479}, {long_text, sizeof long_text}};
enum { TEXTS = sizeof texts / sizeof *texts, NUMBERS = 5, AMOUNTS = NUMBERS + 1 /* one that is not held */ };

static size_t extremes_of(const struct codec_type *type) { return is_text(type) ? TEXTS : type->kind == CODEC_DECIMAL ? AMOUNTS : NUMBERS; }

static void number_to_extreme(const struct value *value, size_t extreme) {
    static const int64_t amount = INT64_C(999999999999999999);
    const bool is_amount = value->type->kind == CODEC_DECIMAL;
    const int64_t numbers[NUMBERS] = {is_amount ? amount : is_wide(value->type) ? INT64_MAX : INT32_MAX, is_amount ? -amount : is_wide(value->type) ? INT64_MIN : INT32_MIN, 0, 1, -1};
    number_set(value, numbers[extreme]);
}

static bool record_write(const struct codec_type *type, uint32_t schema, const void *record, struct buffer *bytes) {
    buffer_reset(bytes);
    return codec_wire_append(bytes, schema) && codec_encode(type, record, bytes);
}

/* The record with the value at that extreme. No encoder of ours writes more digits than are held: those of another amount, which is nowhere else, are exchanged. */
static bool record_write_extreme(const struct codec_type *type, uint32_t schema, const void *record, const struct value *value, size_t extreme, struct buffer *bytes) {
    static const unsigned char mark[1 + AMOUNT_SIZE] = {2 * AMOUNT_SIZE, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
    if (value->given) *value->given = true;
    if (is_text(value->type)) {
        memset(long_text, 'x', sizeof long_text);
        *(struct slice *)(void *)value->place = texts[extreme];
    } else if (extreme < NUMBERS) number_to_extreme(value, extreme);
    else number_set(value, 0x0123456789abcdef);
    if (!record_write(type, schema, record, bytes)) return false;
    if (is_text(value->type) || extreme < NUMBERS) return true;
    char *found = memmem(bytes->data, bytes->length, mark, sizeof mark);
    if (!found) return false;
    memset(found + 1, 0x7f, AMOUNT_SIZE);
    return true;
}

/* ---- one record with each ---- */

static bool journal_balances(const struct posting_command *command) {
    const struct command_difference difference = command_difference(command);
    return !difference.amount_e4 && !difference.functional_e4;
}

/* A record under trial: written as it is now, taken, sealed, and forgotten. */
struct trial {
    struct run *run;
    struct instance *instance;
    const struct given *given;
    const struct codec_type *type;
    const void *record;
    struct buffer bytes;
    bool too_long;      /* it must not be accepted */
    size_t memory;      /* it may take so much; 0: as much as there is */
};

static bool is_accepted(const struct stored *stored, const struct given *given) {
    if (!stored_in(stored, "acknowledgments")) return false;
    const struct acknowledgment *acknowledgment = stored->decoded;
    return acknowledgment->outcome == ACKNOWLEDGED_OUTCOME_ACCEPTED && slice_equal(acknowledgment->origin, slice_of(given->origin));
}

static void bytes_try(struct trial *trial, const struct given *given, struct slice bytes, const char *what) {
    struct run *run = trial->run;
    struct instance *instance = trial->instance;
    const size_t mark = run->broker.count;
    struct engine_message message = message_of(given, bytes);
    struct error error = {{0}};
    enum engine_result result = instance_take(instance, given->topic, &message, &error);
    if (result == ENGINE_DONE) result = instance_settle(instance, &error);
    if (result == ENGINE_DONE) result = engine_seal(instance->engine, &error);
    if (result != ENGINE_DONE) result_fail(run, given->statement, instance, what, result, &error);
    if (trial->memory && arena_used(&instance->engine->arena) > trial->memory) run_fail(run, given->statement, what, "more memory than that many may take");
    for (size_t i = mark; i < run->broker.count; i++) {
        const struct stored *sent = run->broker.items[i];
        if (sent->key.length + sent->value.length > SENT_MAXIMUM) run_fail(run, given->statement, what, "a larger record than the client sends");
        if (is_journal(sent) && !journal_balances(sent->decoded)) run_fail(run, given->statement, what, "a journal that does not balance");
        if (trial->too_long && is_accepted(sent, given)) run_fail(run, given->statement, what, "it was accepted");
    }
    run->tried++;
    (void)undo(run, instance, mark, given->statement);
}

static void value_try(struct trial *trial, const struct value *value) {
    const size_t size = is_text(value->type) ? sizeof(struct slice) : is_wide(value->type) ? sizeof(int64_t) : sizeof(int32_t);
    const bool was_given = !value->given || *value->given;
    char before[sizeof(struct slice)];
    memcpy(before, value->place, size);
    for (size_t i = 0; i < extremes_of(value->type); i++) {
        char what[120];
        snprintf(what, sizeof what, "%s at extreme %zu (tests/driver/extremes.c) taken", value->field, i);
        if (!record_write_extreme(trial->type, broker_schema_id(trial->type), trial->record, value, i, &trial->bytes)) run_fail(trial->run, trial->given->statement, what, "it cannot be written");
        else bytes_try(trial, trial->given, (struct slice){trial->bytes.data, trial->bytes.length}, what);
    }
    memcpy(value->place, before, size);
    if (!was_given) *value->given = false;
}

/* Of the record itself: who writes it chooses its time. */
static void times_try(struct trial *trial) {
    static const int64_t times_ms[] = {INT64_MIN, -1, 0, INT64_MAX};
    for (size_t i = 0; i < sizeof times_ms / sizeof *times_ms; i++) {
        struct given other = *trial->given;
        char what[80];
        other.time_ms = times_ms[i];
        snprintf(what, sizeof what, "a record of time %lld taken", (long long)times_ms[i]);
        bytes_try(trial, &other, other.value, what);
    }
}

/* ---- long lists ---- */

/* Whether the list of the sort of event has been met before among those. */
static bool is_new(const struct trial *trial, const char *list, const char *folder) {
    static char known[8000][120];
    static size_t count;
    char name[120];
    const struct statement *said = trial->given->statement;
    snprintf(name, sizeof name, "%.40s %s %s %s %.20s %.20s", folder, trial->instance->processor->name, trial->type->name, list, said->words[1], said->count > 2 ? said->words[2] : "");
    for (size_t i = 0; i < count; i++)
        if (strcmp(known[i], name) == 0) return false;
    if (count < sizeof known / sizeof *known) strcpy(known[count++], name);
    return true;
}

/* The folder of the case file, by its name. */
static const char *folder_of(const char *path) {
    const char *end = strrchr(path, '/'), *begin = end;
    while (begin && begin > path && begin[-1] != '/') begin--;
    return begin ? begin : path;
}

/* The list's items over and over, so many, with numbers of their own in their first field where that is a text. */
static struct codec_list list_repeat(const struct codec_type *type, const struct codec_list *list, size_t count, struct arena *arena) {
    char *items = arena_alloc(arena, count * type->element_size);
    const struct codec_slot *first = &type->element.type->fields[0].slot;
    for (size_t i = 0; i < count; i++) {
        char *item = items + i * type->element_size, *number = arena_alloc(arena, 12);
        memcpy(item, (const char *)list->items + i % list->count * type->element_size, type->element_size);
        if (first->type->kind == CODEC_STRING) *(struct slice *)(void *)(item + first->offset) = (struct slice){number, (size_t)sprintf(number, "%zu", i + 1)};
    }
    return (struct codec_list){items, count};
}

static void list_try(struct trial *trial, char *record, const struct codec_field *field, const struct codec_list *list, size_t count, struct arena *arena) {
    char what[120];
    snprintf(what, sizeof what, "%zu %s taken", count, field->name);
    trial->too_long = count > LIST_MAXIMUM && strstr(trial->given->topic, ".events");
    trial->memory = count < LIST_MAXIMUM ? BATCH_MEMORY / 2 / (LIST_MAXIMUM / count) : BATCH_MEMORY;
    *(struct codec_list *)(void *)(record + field->slot.offset) = list_repeat(field->slot.type, list, count, arena);
    if (!record_write(trial->type, broker_schema_id(trial->type), record, &trial->bytes)) run_fail(trial->run, trial->given->statement, what, "it cannot be written");
    else bytes_try(trial, trial->given, (struct slice){trial->bytes.data, trial->bytes.length}, what);
}

/* As many items as are decided, and one more; in each folder a quarter of them, in a quarter of the memory: what grows with their square is found. */
static void lists_try(struct trial *trial, char *record, struct arena *arena) {
    for (uint32_t i = 0; i < trial->type->field_count; i++) {
        const struct codec_field *field = &trial->type->fields[i];
        const struct codec_type *type = field->slot.type;
        if (type->kind != CODEC_ARRAY || type->element.type->kind != CODEC_RECORD) continue;
        struct codec_list *list = (struct codec_list *)(void *)(record + field->slot.offset);
        const struct codec_list before = *list;
        if (!before.count || !is_new(trial, field->name, folder_of(trial->run->path))) continue;
        list_try(trial, record, field, &before, LIST_MAXIMUM / 4, arena);
        if (is_new(trial, field->name, "any")) {
            list_try(trial, record, field, &before, LIST_MAXIMUM, arena);
            list_try(trial, record, field, &before, LIST_MAXIMUM + 1, arena);
        }
        *list = before;
    }
}

/* A record read into the arena, and its values. False: it is none of the type. */
static bool record_read(const struct codec_type *type, const struct codec_plan *plan, struct slice value, struct arena *arena, uint32_t *schema, char **record, struct values *values) {
    struct slice payload;
    if (!value.data || !codec_wire_read(value.data, value.length, schema, &payload)) return false;
    *record = arena_alloc(arena, type->size);
    if (codec_decode(plan, payload.data, payload.length, arena, *record) != CODEC_OK) return false;
    type_collect(type, *record, NULL, "", values);
    return values->count > 0;
}

void extremes_try(struct run *run, struct instance *instance, const struct given *given) {
    const struct codec_type *type = instance->processor->inputs[instance_input(instance, given->topic)].type;
    struct trial trial = {.run = run, .instance = instance, .given = given, .type = type};
    struct values *values = calloc(1, sizeof *values);
    struct arena arena;
    uint32_t schema;
    char *record;
    arena_init(&arena, 1 << 16, 1 << 26);
    if (record_read(type, run->broker.plans[broker_schema_id(type) - 1], given->value, &arena, &schema, &record, values) && schema == broker_schema_id(type)) {
        trial.record = record;
        if (run->mode == MODE_LISTS) lists_try(&trial, record, &arena);
        else {
            times_try(&trial);
            for (size_t i = 0; i < values->count; i++) value_try(&trial, &values->items[i]);
        }
    }
    buffer_free(&trial.bytes);
    free(values);
    arena_free(&arena);
}

/* ---- one value of a record ---- */

bool extreme_put(const struct codec_type *type, struct slice *value, uint64_t chance, struct arena *keeps) {
    struct values *values = calloc(1, sizeof *values);
    struct buffer bytes = {0};
    struct error error;
    struct arena arena;
    uint32_t schema;
    char *record;
    arena_init(&arena, 1 << 16, 1 << 24);
    struct codec_plan *plan = codec_plan_own(type, &error);
    bool ok = plan && record_read(type, plan, *value, &arena, &schema, &record, values);
    if (ok) {
        const struct value *chosen = &values->items[chance % values->count];
        ok = record_write_extreme(type, schema, record, chosen, chance / values->count % extremes_of(chosen->type), &bytes);
    }
    if (ok) *value = (struct slice){arena_copy(keeps, bytes.data, bytes.length), bytes.length};
    codec_plan_free(plan);
    buffer_free(&bytes);
    free(values);
    arena_free(&arena);
    return ok;
}
