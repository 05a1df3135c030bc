/* Any bytes as a record of any input of any processor, with orders, invoices, payments and what waits in its state. Byte 0 chooses the processor; byte 1 the input and
 * what is made right for the bytes: the wire header, the key; byte 2 the time. Whatever comes, the processor takes it – as an event, a duplicate, a
 * dead letter – and goes on: nothing from outside may stop it, and what it sends can be read. */
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/wire.h"
#include "common/platform/hash.h"
#include "schemas/resolution.h"
#include "tests/driver/records.h"
#include "tests/fuzz/world.h"

enum { KEEP = 20000 /* inputs of one world: the broker's memory only grows */, INPUT_BITS = 15, FRAMED = 16, KEYED = 32, MISPLACED = 64, HEADED = 128, HEAD = 3, RECORD_MAXIMUM = 1 << 20 };

static struct run run;
static uint8_t framed[RECORD_MAXIMUM];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition, const struct error *error) {
    if (condition) return;
    fprintf(stderr, "%s\n", error->text);
    abort();
}

static void world_renew(void) {
    static unsigned used;
    if (used++ % KEEP != 0) return;
    if (used > 1) world_close(&run);
    world_open(&run, true);
    world_give(&run, KONTOR_SOURCE "/tests/fuzz/engine.case", NULL);
}

static int64_t time_of(uint8_t choice) {
    static const int64_t days[] = {0, 0, 0, 1, -1, 40, -400, 900};
    return choice == 255 ? INT64_MAX : choice == 254 ? -1 : choice == 253 ? 0 : run.clock_ms + days[choice % 8] * 86400000 + choice;
}

static struct slice text_field(const struct codec_type *type, const void *value, const char *name) {
    const struct codec_field *field = record_field(type, name);
    return field && field->slot.type->kind == CODEC_STRING ? *(const struct slice *)((const char *)value + field->slot.offset) : (struct slice){"", 0};
}

/* The key that the record's own content says, so that it is not a dead letter for that alone. */
static struct slice key_of(const struct codec_type *type, struct slice value, char *buffer, size_t size) {
    static struct arena arena;
    if (!arena.limit) arena_init(&arena, 1 << 16, 1 << 24);
    arena_reset(&arena);
    void *record = arena_alloc(&arena, type->size);
    if (codec_decode(run.broker.plans[broker_schema_id(type) - 1], value.data, value.length, &arena, record) != CODEC_OK) return SLICE("ACME|S1");
    const char *partner = record_field(type, "supplier") ? "supplier" : record_field(type, "employee") ? "employee" : "partner";
    const struct slice parts[] = {text_field(type, record, "entity"), text_field(type, record, partner)};
    struct slice key = tables_key(buffer, size, parts, 2);
    return key.length ? key : SLICE("ACME|S1");
}

static struct slice value_of(const struct codec_type *type, uint8_t flags, const uint8_t *data, size_t size) {
    struct buffer header = {0};
    if (!(flags & FRAMED) || !type || size + CODEC_WIRE_HEADER_SIZE > sizeof framed) return (struct slice){(const char *)data, size};
    must(codec_wire_append(&header, broker_schema_id(type)), &(struct error){"memory"});
    memcpy(framed, header.data, header.length);
    memcpy(framed + header.length, data, size);
    buffer_free(&header);
    return (struct slice){(const char *)framed, size + CODEC_WIRE_HEADER_SIZE};
}

/* Takes, seals, and takes all of it back. */
static void give(struct instance *instance, const char *topic, struct engine_message *message) {
    struct error error = {"taken"};
    size_t mark = run.broker.count;
    enum engine_result result = instance_take(instance, topic, message, &error);
    must(result == ENGINE_DONE, &error);
    must(instance_settle(instance, &error) == ENGINE_DONE, &error);
    must(engine_seal(instance->engine, &error) == ENGINE_DONE, &error);
    must(instance_abort(instance, &error), &error);
    broker_cut(&run.broker, mark);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct record_header headers[] = {{"kontor-replay-of", {"x", 1}}, {"", {NULL, 0}}, {"kontor-reason", {"", 0}}};
    char topic[128], key[4096];
    if (size < HEAD) return 0;
    world_renew();
    struct instance *instance = &run.instances[data[0] % family_count];
    const struct processor_input *inputs = instance->processor->inputs;
    int count = 0, input = 0;
    while (count < INPUTS_MAXIMUM && inputs[count].topic) count++;
    input = (data[1] & INPUT_BITS) % (count + 2);
    const struct codec_type *type = input < count ? inputs[input].type : NULL;
    if (input < count) snprintf(topic, sizeof topic, "%s", inputs[input].topic);
    else if (input == count) snprintf(topic, sizeof topic, "%s", TICKS_INPUT);
    else snprintf(topic, sizeof topic, RESOLUTIONS "%s", instance->processor->name);
    if (input == count + 1) type = &resolution_type;
    struct engine_message message = {.offset = 1000, .timestamp_ms = time_of(data[2]), .received_ms = run.clock_ms, .value = value_of(type, data[1], data + HEAD, size - HEAD)};
    message.key = (data[1] & KEYED) && (data[1] & FRAMED) && type ? key_of(type, (struct slice){(const char *)data + HEAD, size - HEAD}, key, sizeof key) : SLICE("ACME|S1");
    message.partition = (hash_partition(message.key, PARTITIONS) + (data[1] & MISPLACED ? 1 : 0)) % PARTITIONS;
    if (data[1] & HEADED) message.headers = headers, message.header_count = sizeof headers / sizeof *headers;
    give(instance, topic, &message);
    return 0;
}
