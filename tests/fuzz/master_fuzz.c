/* Any bytes as a record of any master table: byte 0 chooses the table, byte 1 is the length of the Kafka key, which follows; behind it the value. The key is that
 * of a row or refused; the record is decoded and, where its table has a compiler, refused with a reason or compiled, asked and let go. */
#include <stdint.h>
#include <stdlib.h>

#include "common/codec/plan.h"
#include "common/posting/settlement.h"
#include "common/tables/key.h"
#include "common/tables/master.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

static void check_key(struct slice text, size_t fields) {
    struct key key;
    struct key_bytes bytes;
    int32_t valid_from;
    if (key_parse(text, fields, &key) != NULL) return;
    require(key.id.length < text.length);
    if (key_write(&bytes, 1, key.id, key.valid_from))
        require(key_same_id(&bytes, (struct slice){bytes.bytes, bytes.length}, &valid_from) && valid_from == key.valid_from);
}

static void ask(const void *compiled, size_t table) {
    if (table != MASTER_SETTLEMENT_RULES) return;
    const struct settled_document document = {SLICE("invoice_with_order"), SLICE("GOODS"), SLICE("trade"), SLICE("ISSUER"), 10000};
    const struct batch_terms *batch = settlement_pick(compiled, &document);
    if (!batch) return;
    require(batch->name.length <= BATCH_NAME_MAXIMUM && batch->cut_off >= 1 && batch->cut_off <= MINUTES_OF_DAY);
    require(settlement_find(compiled, batch->name) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct codec_plan *plans[MASTER_COUNT];
    static struct arena arena;
    struct error error = {""};
    if (size < 2) return 0;
    const size_t number = data[0] % MASTER_COUNT;
    const struct table *table = &master_tables[number];
    size_t key_length = data[1] < size - 2 ? data[1] : size - 2, fields = 0;
    while (table->keys[fields]) fields++;
    check_key((struct slice){(const char *)data + 2, key_length}, fields);
    if (!arena.limit) arena_init(&arena, 1 << 16, 1 << 22);
    if (!plans[number]) require((plans[number] = codec_plan_own(table->type, &error)) != NULL);
    arena_reset(&arena);
    void *record = arena_alloc(&arena, table->type->size);
    if (codec_decode(plans[number], data + 2 + key_length, size - 2 - key_length, &arena, record) != CODEC_OK || !table->compile) return 0;
    error.text[0] = 0;
    void *compiled = table->compile(record, &error);
    require(compiled || error.text[0]);
    if (!compiled) return 0;
    ask(compiled, number);
    table->release(compiled);
    return 0;
}
