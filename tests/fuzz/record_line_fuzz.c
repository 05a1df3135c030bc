/* A line of JSON as kontor produce takes it: byte 0 chooses the topic's type. It is refused with a reason, or made a record; its value, read and printed as JSON, makes
 * the same bytes again. */
#include <stdint.h>
#include <stdlib.h>

#include "cli/record_line.h"
#include "common/codec/json.h"
#include "common/codec/plan.h"
#include "common/codec/wire.h"
#include "schemas/expense_event.h"
#include "schemas/invoice_event.h"
#include "schemas/journal_event.h"
#include "schemas/posting_rule_set.h"
#include "schemas/supplier.h"

static const char *const supplier_key[] = {"supplier", "valid_from", NULL};
static const struct { const struct codec_type *type; const char *const *key; } topics[] = {
    {NULL, NULL}, {&invoice_event_type, NULL}, {&expense_event_type, NULL}, {&journal_event_type, NULL}, {&posting_rule_set_type, NULL}, {&supplier_type, supplier_key}};
enum { TOPICS = sizeof topics / sizeof *topics };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

/* The value once more, by way of JSON. */
static void check_again(const struct record_maker *maker, const struct codec_plan *plan) {
    static struct record_maker again;
    struct arena arena;
    struct buffer json = {0};
    struct slice payload;
    uint32_t schema_id;
    struct error error;
    arena_init(&arena, 1 << 16, 1 << 26);
    void *value = arena_alloc(&arena, maker->type->size);
    require(codec_wire_read(maker->value_bytes.data, maker->value_bytes.length, &schema_id, &payload) && schema_id == 7);
    require(codec_decode(plan, payload.data, payload.length, &arena, value) == CODEC_OK && buffer_append(&json, "{\"value\":", 9));
    require(codec_to_json(maker->type, value, &json) && buffer_append(&json, ",\"key\":\"k\"}", 11));
    require(record_maker_open(&again, maker->type, 7, NULL, &error) && record_make(&again, buffer_slice(&json), &error));
    require(slice_equal(buffer_slice(&again.value_bytes), buffer_slice(&maker->value_bytes)));
    record_maker_close(&again);
    buffer_free(&json);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct record_maker makers[TOPICS];
    static struct codec_plan *plans[TOPICS];
    struct error error = {""};
    if (size == 0) return 0;
    const size_t topic = data[0] % TOPICS;
    struct record_maker *maker = &makers[topic];
    if (!maker->arena.limit) {
        require(record_maker_open(maker, topics[topic].type, 7, topics[topic].key, &error));
        if (topics[topic].type) require((plans[topic] = codec_plan_own(topics[topic].type, &error)) != NULL);
    }
    if (!record_make(maker, (struct slice){(const char *)data + 1, size - 1}, &error)) {
        require(error.text[0]);
        return 0;
    }
    if (maker->type && maker->has_value) check_again(maker, plans[topic]);
    if (maker->headers) rd_kafka_headers_destroy(maker->headers);
    maker->headers = NULL;
    return 0;
}
