/* rekeying: every kind of record that the processors keep finds the partition of the events that make it, by the real declarations over real LMDB. What stands where is
 * said here by hand. */
#include "tests/unit/state_support.h"

#include "cli/sandbox.h"
#include "common/codec/encode.h"
#include "common/platform/hash.h"
#include "common/runtime/engine_internal.h"
#include "common/runtime/rekeying.h"
#include "schemas/corrected_event.h"
#include "schemas/invoice_amount.h"
#include "schemas/invoice_event.h"
#include "schemas/invoice_state.h"
#include "schemas/order_line.h"
#include "schemas/paid_account.h"
#include "schemas/payable.h"
#include "schemas/receipt.h"
#include "schemas/review_item.h"

enum { FROM = 4, TO = 6, RECORDS_MAXIMUM = 400 };
static struct error error;
static struct rekeying *rekeying;
static const struct processor *processor;
static int64_t positions[FROM];

/* ---- old states ---- */

static void give(int32_t partition, struct slice key, struct slice body, uint8_t version) {
    struct buffer sealed = {0};
    static const char spare[STATE_SEAL_SIZE] = {0};
    assert_true(buffer_append(&sealed, spare, sizeof spare) && buffer_append(&sealed, body.data, body.length));
    state_seal(sealed.data, sealed.length, key, version);
    const struct state_change change = {key, buffer_slice(&sealed)};
    if (!rekeying_take(rekeying, partition, &change, 1, ++positions[partition], &error)) fail_msg("%s", error.text);
    buffer_free(&sealed);
}

/* A body as overlay.c has it: day, number of seen events, the events, the record. */
static struct slice body_of(const struct codec_type *type, const void *record, int32_t day, size_t events, uint64_t first_event) {
    static struct buffer body;
    buffer_reset(&body);
    const char head[6] = {(char)(day & 255), (char)(day >> 8 & 255), (char)(day >> 16 & 255), (char)(day >> 24 & 255), (char)events, 0};
    assert_true(buffer_append(&body, head, sizeof head));
    for (size_t i = 0; i < events; i++) {
        const uint64_t hash = first_event + i;
        assert_true(buffer_append(&body, &hash, sizeof hash) && buffer_append(&body, head, 4));
    }
    if (record) assert_true(codec_encode(type, record, &body));
    return buffer_slice(&body);
}

static struct slice key_of(int store, const char *key) {
    static char bytes[8][STATE_KEY_MAXIMUM];
    static int turn;
    char *at = bytes[turn = (turn + 1) % 8];
    at[0] = (char)store;
    memcpy(at + 1, key, strlen(key));
    return (struct slice){at, 1 + strlen(key)};
}

static struct slice number_key(uint64_t number) {
    static char bytes[8][9];
    static int turn;
    char *at = bytes[turn = (turn + 1) % 8];
    at[0] = STORE_PARKED;
    for (int i = 8; i >= 1; i--, number >>= 8) at[i] = (char)(number & 255);
    return (struct slice){at, 9};
}

/* As the program writes it now: docs of layouts.c. */
static struct slice layout_text(void) {
    static struct buffer text;
    char line[400] = "inputs";
    buffer_reset(&text);
    for (int i = 0; i < INPUTS_MAXIMUM && processor->inputs[i].topic; i++) snprintf(line + strlen(line), sizeof line - strlen(line), " %s", processor->inputs[i].topic);
    const struct { const char *name; const struct codec_type *type; } own[] = {{"task-clock", &task_clock_type}, {"parked", &parked_event_type}};
    assert_true(buffer_append(&text, line, strlen(line)) && buffer_append(&text, "\n", 1));
    for (int store = 0; store < STORE_LIMIT; store++) {
        const char *name = store < STORE_FIRST ? own[store].name : processor->stores[store - STORE_FIRST].name;
        const struct codec_type *type = store < STORE_FIRST ? own[store].type : processor->stores[store - STORE_FIRST].type;
        if (!name) continue;
        snprintf(line, sizeof line, "store %d %s\n", store, name);
        assert_true(buffer_append(&text, line, strlen(line)) && buffer_append(&text, type->schema, strlen(type->schema)) && buffer_append(&text, "\n", 1));
    }
    return buffer_slice(&text);
}

static void give_clock(int32_t partition, int64_t stream_time_ms, int64_t broker_time_ms, const int64_t *marks, size_t mark_count, int64_t table_offset) {
    struct clock_table table = {SLICE("source-permissions"), table_offset};
    struct task_clock clock = {.stream_time_ms = stream_time_ms, .next_sequence = 100, .swept = 18000 + partition, .broker_time_ms = broker_time_ms};
    clock.tables.items = &table;
    clock.tables.count = 1;
    clock.marks.items = (int64_t *)(uintptr_t)marks;
    clock.marks.count = mark_count;
    give(partition, key_of(STORE_ENGINE, "header"), SLICE("format=2 partitions=4 partitioner=murmur2 version=0.1.0 id=00000000000000aa"), 0);
    give(partition, key_of(STORE_ENGINE, "layout\1"), layout_text(), 0);
    give(partition, key_of(STORE_ENGINE, "clock"), body_of(&task_clock_type, &clock, 19000, 0, 0), 1);
}

static const struct rekeying_merge *merge;     /* of the next one that begins */

static void begin(const char *name) {
    const char *folder = path_in(name);
    processor = processor_named(slice_of(name));
    assert_non_null(processor);
    mkdir(folder, 0700);
    memset(positions, 0, sizeof positions);
    const struct rekeying_options options = {.processor = processor, .version = "9.9.9", .folder = folder, .from = FROM, .to = merge ? FROM : TO, .merge = merge};
    if (!rekeying_open(&rekeying, &options, &error)) fail_msg("%s", error.text);
}

static void begin_with_clocks(const char *name) {
    begin(name);
    for (int32_t p = 0; p < FROM; p++) give_clock(p, 1000 * p, 0, NULL, 0, p);
}

/* ---- new states ---- */

struct found { int32_t partition; size_t at; char key[STATE_KEY_MAXIMUM]; size_t key_length; uint8_t version; char body[24576]; size_t length; };
static struct found records[RECORDS_MAXIMUM];
static size_t record_count;
static int32_t visited;

static bool keep(void *context, struct slice key, struct slice value, struct error *why) {
    (void)why;
    struct found *found = &records[record_count];
    struct slice body;
    assert_true(record_count++ < RECORDS_MAXIMUM);
    assert_true(state_unseal(key, value, &body, &found->version) && body.length <= sizeof found->body);
    found->partition = visited;
    found->at = (*(size_t *)context)++;
    found->key_length = key.length;
    found->length = body.length;
    memcpy(found->key, key.data, key.length);
    memcpy(found->body, body.data, body.length);
    assert_true(rekeying_has(rekeying, visited, found->at == 0, key, value));
    return true;
}

static const struct rekeying_counts *build(void) {
    if (!rekeying_build(rekeying, NULL, NULL, &error)) fail_msg("%s", error.text);
    record_count = 0;
    for (visited = 0; visited < (merge ? FROM : TO); visited++) {
        size_t at = 0;
        if (!rekeying_each(rekeying, visited, keep, &at, &error)) fail_msg("%s", error.text);
        assert_int_equal(at, rekeying_size(rekeying, visited));
    }
    return rekeying_counts(rekeying);
}

/* The only record of that key in all partitions, or NULL. */
static const struct found *find(struct slice key) {
    const struct found *found = NULL;
    for (size_t i = 0; i < record_count; i++) {
        if (!slice_equal((struct slice){records[i].key, records[i].key_length}, key)) continue;
        if (found) fail_msg("a record is in partitions %d and %d", found->partition, records[i].partition);
        found = &records[i];
    }
    return found;
}

static const struct found *find_in(int32_t partition, struct slice key) {
    for (size_t i = 0; i < record_count; i++)
        if (records[i].partition == partition && slice_equal((struct slice){records[i].key, records[i].key_length}, key)) return &records[i];
    return NULL;
}

static void end(void) {
    rekeying_close(rekeying);
    rekeying = NULL;
}

static int32_t old_of(const char *owner) { return hash_partition(slice_of(owner), FROM); }
static int32_t new_of(const char *owner) { return hash_partition(slice_of(owner), TO); }

static void put(const char *owner, int store, const char *key, const void *record) {
    give(old_of(owner), key_of(STORE_FIRST + store, key), body_of(processor->stores[store].type, record, 19000, 1, 77), 1);
}

static void assert_placed(const char *owner, int store, const char *key) {
    const struct found *found = find(key_of(STORE_FIRST + store, key));
    if (!found) fail_msg("%s of %s is gone", key, processor->stores[store].name);
    if (found->partition != new_of(owner)) fail_msg("%s of %s is in partition %d, %s is in %d", key, processor->stores[store].name, found->partition, owner, new_of(owner));
    assert_int_equal(found->version, 1);
}

/* Partners that are spread over all partitions. */
static const char *const partners[] = {"S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12", "S13", "S14", "S15", "S16", "S17", "S18", "S19", "S20"};
enum { PARTNERS = sizeof partners / sizeof *partners };

static const char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *text(const char *format, ...) {
    static char texts[16][100];
    static int turn;
    va_list arguments;
    turn = (turn + 1) % 16;
    va_start(arguments, format);
    vsnprintf(texts[turn], sizeof texts[0], format, arguments);
    va_end(arguments);
    return texts[turn];
}

/* ---- tests ---- */

/* Stores whose keys begin with entity and partner (settler: batch), one of each partner. */
static void keys_that_begin_with_their_owner(void **unused) {
    (void)unused;
    static const struct { const char *processor; int first, last; const char *rest; } stores[] = {
        {"invoice", 2, 8, "|D1"}, {"payment", 0, 1, "|D1"}, {"payment", 2, 2, ""}, {"expense", 0, 4, "|R1"}, {"expense", 5, 5, "|EUR|10.0000|2026-03-01"}, {"journal", 0, 0, "|J1"},
        {"settler", 0, 2, "|2026-03-02T00:00|EUR|1"}, {"settler", 3, 3, "|E1"}, {"settler", 4, 4, ""}, {"budget", 0, 2, "|2026-01-01"}};
    for (size_t i = 0; i < sizeof stores / sizeof *stores; i++) {
        begin_with_clocks(stores[i].processor);
        for (int store = stores[i].first; store <= stores[i].last; store++) {
            void *nothing = calloc(1, processor->stores[store].type->size);
            for (size_t k = 0; k < PARTNERS; k++) put(text("ACME|%s", partners[k]), store, text("ACME|%s%s", partners[k], stores[i].rest), nothing);
            free(nothing);
        }
        const struct rekeying_counts *counts = build();
        assert_int_equal(counts->conflicts + counts->unowned, 0);
        assert_int_equal(counts->records, PARTNERS * (size_t)(stores[i].last - stores[i].first + 1));
        assert_true(counts->moved > 0 && counts->moved < counts->records);
        for (int store = stores[i].first; store <= stores[i].last; store++)
            for (size_t k = 0; k < PARTNERS; k++) assert_placed(text("ACME|%s", partners[k]), store, text("ACME|%s%s", partners[k], stores[i].rest));
        end();
        delete_folder(path_in(stores[i].processor));
    }
}

/* Both processors that keep an order book: a line's supplier is in it, also one whose name is encoded in keys; a receipt's in it or, of old ones, in its order. */
static void orders_and_receipts(void **unused) {
    (void)unused;
    static const char *const names[] = {"procurement", "invoice"};
    for (size_t i = 0; i < 2; i++) {
        begin_with_clocks(names[i]);
        struct receipt_part part = {.order_key = SLICE("ACME|PO2|1")};
        const struct order_line first = {.supplier = SLICE("S|1%")}, second = {.supplier = SLICE("S2")};
        struct receipt_state own = {.supplier = SLICE("S3")}, of_order = {.cancelled = true}, nobody = {.service = true};
        of_order.parts.items = &part;
        of_order.parts.count = 1;
        put("ACME|S%7C1%25", 0, "ACME|PO1|1", &first);
        put("ACME|S2", 0, "ACME|PO2|1", &second);
        put("ACME|S3", 1, "ACME|GR1", &own);
        put("ACME|S2", 1, "ACME|GR2", &of_order);
        put("ACME|S2", 1, "ACME|SE1", &nobody);
        const struct rekeying_counts *counts = build();
        assert_placed("ACME|S%7C1%25", 0, "ACME|PO1|1");
        assert_placed("ACME|S2", 0, "ACME|PO2|1");
        assert_placed("ACME|S3", 1, "ACME|GR1");
        assert_placed("ACME|S2", 1, "ACME|GR2");
        assert_int_equal(counts->unowned, 1);
        assert_non_null(strstr(counts->conflict_texts[0], "receipts ACME|SE1 does not say whose it is"));
        end();
        delete_folder(path_in(names[i]));
    }
}

static void whole_keys_and_kept_owners(void **unused) {
    (void)unused;
    begin_with_clocks("acknowledger");
    void *nothing = calloc(1, processor->stores[0].type->size);
    for (size_t k = 0; k < PARTNERS; k++) put(text("ACME|invoice|S1|%s", partners[k]), 0, text("ACME|invoice|S1|%s", partners[k]), nothing);
    free(nothing);
    void *no_entries = calloc(1, processor->stores[1].type->size);    /* of summaries: beside their window's document */
    for (size_t k = 0; k < PARTNERS; k++) put(text("ACME|settlement|B|%s", partners[k]), 1, text("ACME|settlement|B|%s|ACME/%s/settlement/1", partners[k], partners[k]), no_entries);
    free(no_entries);
    assert_int_equal(build()->conflicts, 0);
    for (size_t k = 0; k < PARTNERS; k++) assert_placed(text("ACME|invoice|S1|%s", partners[k]), 0, text("ACME|invoice|S1|%s", partners[k]));
    for (size_t k = 0; k < PARTNERS; k++) assert_placed(text("ACME|settlement|B|%s", partners[k]), 1, text("ACME|settlement|B|%s|ACME/%s/settlement/1", partners[k], partners[k]));
    end();
    begin_with_clocks("reviewer");
    const struct review_item item = {.owner = SLICE("ACME|S5")}, old_item = {.document = SLICE("I1")};
    const struct corrected_event corrected = {.owner = SLICE("ACME|S6")};
    put("ACME|S5", 0, "invoice.events/3/17", &item);
    put("ACME|S5", 0, "invoice.events/3/18", &old_item);
    put("ACME|S6", 1, "invoice.events|C1", &corrected);
    assert_int_equal(build()->unowned, 1);
    assert_placed("ACME|S5", 0, "invoice.events/3/17");
    assert_placed("ACME|S6", 1, "invoice.events|C1");
    end();
}

/* Of a cancelled receipt nothing is kept but its event: under a key that says no supplier it is everywhere; under the key of a record it joins that. */
static void seen_events_alone(void **unused) {
    (void)unused;
    begin_with_clocks("procurement");
    const struct receipt_state own = {.supplier = SLICE("S3")};
    for (int32_t p = 0; p < FROM; p += 2) give(p, key_of(STORE_FIRST + 1, "ACME|GC1"), body_of(NULL, NULL, 19001, 2, 500), 1);
    give(1, key_of(STORE_FIRST + 1, "ACME|GC1"), body_of(NULL, NULL, 19001, 1, 600), 1);
    put("ACME|S3", 1, "ACME|GR1", &own);
    give((old_of("ACME|S3") + 1) % FROM, key_of(STORE_FIRST + 1, "ACME|GR1"), body_of(NULL, NULL, 19001, 1, 900), 1);
    const struct rekeying_counts *counts = build();
    assert_int_equal(counts->everywhere, 3);
    assert_int_equal(counts->conflicts, 0);
    for (int32_t q = 0; q < TO; q++) {
        const struct found *found = find_in(q, key_of(STORE_FIRST + 1, "ACME|GC1"));
        assert_non_null(found);
        assert_int_equal(found->body[4], 3);
        assert_int_equal(found->length, 6 + 3 * 12);
    }
    const struct found *receipt = find_in(new_of("ACME|S3"), key_of(STORE_FIRST + 1, "ACME|GR1"));
    assert_non_null(receipt);
    assert_int_equal(receipt->body[4], 2);      /* its own and the other's */
    const struct slice expected = body_of(processor->stores[1].type, &own, 19000, 1, 77);
    assert_int_equal(receipt->length, expected.length + 12);
    assert_memory_equal(receipt->body + 6 + 24, expected.data + 6 + 12, expected.length - 18);
    end();
}

/* Two suppliers with one order number, each in a partition of its own until now. */
static void records_that_meet_are_named(void **unused) {
    (void)unused;
    const char *a = NULL, *b = NULL;
    for (size_t i = 0; i < PARTNERS && !b; i++)
        for (size_t k = i + 1; k < PARTNERS && !b; k++) {
            const char *left = text("ACME|%s", partners[i]), *right = text("ACME|%s", partners[k]);
            if (old_of(left) != old_of(right) && new_of(left) == new_of(right)) { a = partners[i]; b = partners[k]; }
        }
    assert_non_null(b);
    begin_with_clocks("procurement");
    const struct order_line first = {.supplier = slice_of(a)}, second = {.supplier = slice_of(b)};
    put(text("ACME|%s", a), 0, "ACME|PO1|1", &first);
    put(text("ACME|%s", b), 0, "ACME|PO1|1", &second);
    const struct rekeying_counts *counts = build();
    assert_int_equal(counts->conflicts, 1);
    assert_string_equal(counts->conflict_texts[0], "orders ACME|PO1|1 is in two partitions that would become one");
    end();
}

static void give_waiting(int32_t partition, uint64_t number, const struct parked_event *parked) {
    give(partition, number_key(number), body_of(&parked_event_type, parked, 19000, 0, 0), 1);
}

static struct parked_event *decoded(const struct found *found) {
    static struct arena arena;
    static struct codec_plan *plan;
    if (!plan) {
        arena_init(&arena, 1 << 16, 1 << 24);
        plan = codec_plan_own(&parked_event_type, &error);
    }
    struct parked_event *parked = arena_alloc(&arena, sizeof *parked);
    assert_int_equal(codec_decode(plan, found->body + 6, found->length - 6, &arena, parked), CODEC_OK);
    return parked;
}

/* By the key that it has kept; its number is new, in the order of its old partition; where it came from stays. */
static void what_waits(void **unused) {
    (void)unused;
    begin_with_clocks("invoice");
    uint64_t numbers[FROM] = {0};
    for (size_t k = 0; k < PARTNERS; k++)
        for (int i = 0; i < 2; i++) {
            const char *owner = text("ACME|%s", partners[k]);
            const struct parked_event parked = {.status = i ? PARKED_STATUS_BEHIND : k % 2 ? PARKED_STATUS_HELD : PARKED_STATUS_WAITING, .input = 1, .offset = (int64_t)k * 10 + i,
                .timestamp_ms = 5, .key = slice_of(owner), .value = SLICE("value"), .document_store = STORE_FIRST, .document = slice_of(partners[k]), .deadline_ms = 9, .limit_ms = -1,
                .partition = k == 3 ? 1 : -1};    /* it had come from another task before */
            give_waiting(old_of(owner), numbers[old_of(owner)] += 7, &parked);
        }
    const struct rekeying_counts *counts = build();
    assert_int_equal(counts->waiting, PARTNERS / 2);
    assert_int_equal(counts->held, PARTNERS / 2);
    assert_int_equal(counts->behind, PARTNERS);
    uint64_t expected_next[TO] = {1, 1, 1, 1, 1, 1}, seen = 0;
    int64_t newest[PARTNERS];
    memset(newest, -1, sizeof newest);
    for (size_t i = 0; i < record_count; i++) {
        const struct found *found = &records[i];
        if (found->key[0] != STORE_PARKED) continue;
        assert_true(slice_equal((struct slice){found->key, found->key_length}, number_key(expected_next[found->partition]++)));
        const struct parked_event *parked = decoded(found);
        const size_t k = (size_t)parked->offset / 10;
        const char *owner = text("ACME|%s", partners[k]);
        assert_int_equal(found->partition, new_of(owner));
        assert_int_equal(parked->partition, k == 3 ? 1 : old_of(owner));
        assert_true(slice_equal(parked->key, slice_of(owner)) && slice_equal(parked->value, SLICE("value")) && parked->deadline_ms == 9);
        assert_true(parked->offset > newest[k]);    /* the event behind stays behind */
        newest[k] = parked->offset;
        seen++;
    }
    assert_int_equal(seen, 2 * PARTNERS);
    end();
}

/* A record that is to be sent later belongs to the task of its key; it has no origin. */
static void what_is_deferred(void **unused) {
    (void)unused;
    begin_with_clocks("acknowledger");
    const struct parked_event parked = {.status = PARKED_STATUS_DEFERRED, .input = 1, .timestamp_ms = 5, .key = SLICE("ACME|invoice|S1|I1"), .value = SLICE("step"), .document_store = STORE_ENGINE,
        .document = SLICE("name"), .deadline_ms = 5, .limit_ms = 5, .partition = -1};
    give_waiting(old_of("ACME|invoice|S1|I1"), 3, &parked);
    assert_int_equal(build()->deferred, 1);
    const struct found *found = find(number_key(1));
    assert_non_null(found);
    assert_int_equal(found->partition, new_of("ACME|invoice|S1|I1"));
    assert_int_equal(decoded(found)->partition, -1);
    end();
}

/* 4 and 6 have 2 in common: what was in partition 0 or 2 can be in 0, 2 or 4. Clocks are the largest; a limit keeps the tick that it is counted from. */
static void clocks_and_limits(void **unused) {
    (void)unused;
    static const int64_t marks_0[] = {100, 300}, marks_2[] = {150, 200};
    begin("invoice");
    give_clock(0, 5000, 400, marks_0, 2, 11);
    give_clock(2, 7000, 250, marks_2, 2, 9);
    give_clock(1, 3000, 50, NULL, 0, 2);
    const char *in_0 = NULL, *in_2 = NULL;
    for (size_t k = 0; k < PARTNERS; k++) {
        const char *owner = text("ACME|%s", partners[k]);
        if (old_of(owner) == 0 && new_of(owner) == 4 && !in_0) in_0 = strdup(owner);
        if (old_of(owner) == 2 && new_of(owner) == 4 && !in_2) in_2 = strdup(owner);
    }
    if (!in_0 || !in_2) fail_msg("no partner moves so: choose others");
    struct parked_event parked = {.status = PARKED_STATUS_WAITING, .key = slice_of(in_0), .value = SLICE("v"), .document = SLICE("d"), .document_store = STORE_FIRST, .limit_ms = 10, .partition = -1,
                                  .deadline_ms = INT64_MAX};
    parked.waits_from_ms = 120;     /* counted from 300; 150 and 200 are the other task's */
    give_waiting(0, 1, &parked);
    parked.waits_from_ms = 400;     /* no tick yet */
    give_waiting(0, 2, &parked);
    parked.key = slice_of(in_2);
    parked.waits_from_ms = 0;       /* counted from 150; 100 is the other task's */
    give_waiting(2, 1, &parked);
    (void)build();
    int64_t from[3];
    for (uint64_t number = 1; number <= 3; number++) {
        const struct found *found = find_in(4, number_key(number));
        assert_non_null(found);
        from[number - 1] = decoded(found)->waits_from_ms;
    }
    assert_int_equal(from[0], 299);
    assert_int_equal(from[1], 400);
    assert_int_equal(from[2], 149);
    struct codec_plan *plan = codec_plan_own(&task_clock_type, &error);
    struct arena arena;
    arena_init(&arena, 1 << 16, 1 << 20);
    for (int32_t q = 0; q < TO; q++) {
        const struct found *found = find_in(q, key_of(STORE_ENGINE, "clock"));
        struct task_clock clock;
        assert_non_null(found);
        assert_int_equal(codec_decode(plan, found->body + 6, found->length - 6, &arena, &clock), CODEC_OK);
        assert_int_equal(clock.stream_time_ms, q % 2 ? 3000 : 7000);
        assert_int_equal(clock.broker_time_ms, q % 2 ? 50 : 400);
        assert_int_equal(clock.tables.items[0].offset, q % 2 ? 2 : 11);
        assert_int_equal(clock.swept, q % 2 ? 18001 : 18000);
        assert_int_equal(clock.next_sequence, q == 4 ? 4 : 1);
        assert_int_equal(clock.marks.count, q == 4 ? 2 : 0);
        if (q == 4) assert_true(clock.marks.items[0] == 150 && clock.marks.items[1] == 300);
        /* The header stands first, then the layout. */
        const struct found *header = find_in(q, key_of(STORE_ENGINE, "header")), *layout = find_in(q, key_of(STORE_ENGINE, "layout\1"));
        const char *const begins = "format=2 partitions=6 partitioner=murmur2 version=9.9.9 id=";
        assert_true(header && header->at == 0 && header->version == 0 && memcmp(header->body, begins, strlen(begins)) == 0);
        assert_true(layout && layout->at == 1 && layout->version == 0 && slice_equal((struct slice){layout->body, layout->length}, layout_text()));
    }
    codec_plan_free(plan);
    arena_free(&arena);
    free((char *)(uintptr_t)in_0);
    free((char *)(uintptr_t)in_2);
    end();
}

/* What another version wrote, under a layout of its own, is written with ours: here without the fields that came since. */
static void records_of_another_layout(void **unused) {
    (void)unused;
    begin("procurement");
    struct buffer old_layout = {0};
    const struct slice now = layout_text();
    const char *const added = strstr(now.data, ",{\"name\":\"supplier\",\"type\":\"string\",\"default\":\"\"");
    assert_non_null(added);
    const char *const behind = strchr(added + 1, '}') + 1;
    assert_true(buffer_append(&old_layout, now.data, (size_t)(added - now.data)) && buffer_append(&old_layout, behind, now.length - (size_t)(behind - now.data)));
    struct receipt_part part = {.order_key = SLICE("ACME|PO2|1"), .quantity_e6 = 5000000};
    struct receipt_state receipt = {.cancelled = true};
    receipt.parts.items = &part;
    receipt.parts.count = 1;
    const struct order_line line = {.supplier = SLICE("S2")};
    for (int32_t p = 0; p < FROM; p++) give_clock(p, 1, 0, NULL, 0, 0);
    const int32_t partition = old_of("ACME|S2");
    give(partition, key_of(STORE_ENGINE, "layout\2"), buffer_slice(&old_layout), 0);
    put("ACME|S2", 0, "ACME|PO2|1", &line);
    struct slice body = body_of(processor->stores[1].type, &receipt, 19000, 1, 77);
    body.length--;      /* the empty supplier, one byte at the end */
    give(partition, key_of(STORE_FIRST + 1, "ACME|GR2"), body, 2);
    assert_int_equal(build()->unowned, 0);
    assert_placed("ACME|S2", 1, "ACME|GR2");
    const struct slice expected = body_of(processor->stores[1].type, &receipt, 19000, 1, 77);
    const struct found *found = find(key_of(STORE_FIRST + 1, "ACME|GR2"));
    assert_true(slice_equal((struct slice){found->body, found->length}, expected));
    buffer_free(&old_layout);
    end();
}

static void what_is_not_whole_is_refused(void **unused) {
    (void)unused;
    begin("journal");
    give(1, key_of(STORE_FIRST, "ACME|S1|J1"), body_of(NULL, NULL, 19000, 1, 1), 1);
    assert_false(rekeying_build(rekeying, NULL, NULL, &error));
    assert_non_null(strstr(error.text, "old partition 1 does not begin with its header"));
    end();
    delete_folder(path_in("journal"));
    begin_with_clocks("journal");
    give(2, key_of(STORE_FIRST + 9, "ACME|S1|J1"), body_of(NULL, NULL, 19000, 1, 1), 1);
    assert_false(rekeying_build(rekeying, NULL, NULL, &error));
    assert_non_null(strstr(error.text, "does not know"));
    end();
}

/* ---- a partner that becomes another one ---- */

/* The bytes of an event stand for it: what waits is written anew by whoever can read it. */
static bool rewrite(void *context, int input, const struct partner_change *change, struct slice value, struct buffer *out, struct error *why) {
    (void)why;
    ++*(int *)context;
    char text_[64];
    const int length = snprintf(text_, sizeof text_, "%d %.*s of " SLICE_FORMAT, input, (int)value.length, value.data, SLICE_ARGUMENT(change->partner_to));
    return buffer_append(out, text_, (size_t)length);
}

static int rewritten;
static const struct rekeying_merge b_takes_a = {SLICE("ACME"), SLICE("A|1"), SLICE("B"), rewrite, &rewritten};
static const char *const key_a = "ACME|A%7C1", *const key_b = "ACME|B";

static void *read_as_type(const struct found *found, const struct codec_type *type) {
    static struct arena arena;
    if (!arena.limit) arena_init(&arena, 1 << 16, 1 << 24);
    struct codec_plan *plan = codec_plan_own(type, &error);
    void *record = arena_alloc(&arena, type->size);
    const size_t from = 6 + 12 * (size_t)found->body[4];
    assert_int_equal(codec_decode(plan, found->body + from, found->length - from, &arena, record), CODEC_OK);
    codec_plan_free(plan);
    return record;
}

static const struct found *of_b(int store, const char *key) {
    const struct found *found = find(key_of(STORE_FIRST + store, key));
    if (!found) fail_msg("%s of %s is gone", key, processor->stores[store].name);
    assert_int_equal(found->partition, hash_partition(slice_of(key_b), FROM));
    return found;
}

static void a_partner_becomes_another(void **unused) {
    (void)unused;
    merge = &b_takes_a;
    begin_with_clocks("invoice");
    const struct order_line line_a = {.supplier = SLICE("A|1")}, line_c = {.supplier = SLICE("C")};
    const struct receipt_state receipt = {.supplier = SLICE("A|1")};
    const struct invoice_state invoice = {.number_key = SLICE("ACME|A%7C1|N7"), .currency = SLICE("EUR")};
    const struct payable payable = {.supplier = SLICE("A|1"), .document = SLICE("I7")};
    struct amount_document of_a = {SLICE("I7"), 1}, of_b_own = {SLICE("I8"), 2};
    struct invoice_amount amount_a = {.documents = {&of_a, 1}}, amount_b = {.documents = {&of_b_own, 1}};
    put(key_a, 0, "ACME|PO1|1", &line_a);
    put("ACME|C", 0, "ACME|PO2|1", &line_c);
    put(key_a, 1, "ACME|GR1", &receipt);
    put(key_a, 2, "ACME|A%7C1|I7", &invoice);
    put(key_a, 4, "ACME|A%7C1|I7", &payable);
    put(key_a, 5, "ACME|A%7C1|invoice|EUR|10.0000", &amount_a);
    put(key_b, 5, "ACME|B|invoice|EUR|10.0000", &amount_b);
    put("ACME|A%7C12", 2, "ACME|A%7C12|I7", &invoice);     /* another partner, whose name only begins so */
    const struct rekeying_counts *counts = build();
    assert_int_equal(counts->conflicts + counts->unowned, 0);
    assert_int_equal(counts->merged, 5);
    assert_true(slice_equal(((const struct order_line *)read_as_type(of_b(0, "ACME|PO1|1"), &order_line_type))->supplier, SLICE("B")));
    assert_true(slice_equal(((const struct order_line *)read_as_type(find(key_of(STORE_FIRST, "ACME|PO2|1")), &order_line_type))->supplier, SLICE("C")));
    assert_true(slice_equal(((const struct receipt_state *)read_as_type(of_b(1, "ACME|GR1"), &receipt_state_type))->supplier, SLICE("B")));
    assert_true(slice_equal(((const struct invoice_state *)read_as_type(of_b(2, "ACME|B|I7"), &invoice_state_type))->number_key, SLICE("ACME|B|N7")));
    assert_true(slice_equal(((const struct payable *)read_as_type(of_b(4, "ACME|B|I7"), &payable_type))->supplier, SLICE("B")));
    const struct invoice_amount *amount = read_as_type(of_b(5, "ACME|B|invoice|EUR|10.0000"), &invoice_amount_type);
    assert_int_equal(amount->documents.count, 2);
    assert_true(slice_equal(amount->documents.items[0].document, SLICE("I8")) && slice_equal(amount->documents.items[1].document, SLICE("I7")));
    assert_null(find(key_of(STORE_FIRST + 2, "ACME|A%7C1|I7")));
    assert_null(find(key_of(STORE_FIRST + 5, "ACME|A%7C1|invoice|EUR|10.0000")));
    assert_int_equal(find(key_of(STORE_FIRST + 2, "ACME|A%7C12|I7"))->partition, old_of("ACME|A%7C12"));
    assert_int_equal(find(key_of(STORE_FIRST + 2, "ACME|B|I7"))->body[4], 1);   /* its seen event is known still */
    end();
    delete_folder(path_in("invoice"));
    begin_with_clocks("payment");
    const struct paid_account paid_a = {.iban = SLICE("NL-A")}, paid_b = {.iban = SLICE("NL-B")};
    put(key_a, 2, key_a, &paid_a);
    put(key_b, 2, key_b, &paid_b);
    assert_int_equal(build()->conflicts, 0);
    assert_true(slice_equal(((const struct paid_account *)read_as_type(of_b(2, key_b), &paid_account_type))->iban, SLICE("NL-B")));
    assert_null(find(key_of(STORE_FIRST + 2, key_a)));
    end();
    merge = NULL;
}

static void what_both_have_is_a_conflict(void **unused) {
    (void)unused;
    merge = &b_takes_a;
    begin_with_clocks("invoice");
    const struct invoice_state invoice = {.currency = SLICE("EUR")};
    put(key_a, 2, "ACME|A%7C1|I7", &invoice);
    put(key_b, 2, "ACME|B|I7", &invoice);
    const struct parked_event held = {.status = PARKED_STATUS_HELD, .input = 1, .key = slice_of(key_a), .value = SLICE("x"), .document_store = STORE_FIRST + 2, .document = SLICE("ACME|A%7C1|I9"), .partition = -1};
    const struct parked_event waiting = {.status = PARKED_STATUS_WAITING, .establishes = true, .input = 1, .key = slice_of(key_a), .value = SLICE("x"), .document_store = STORE_FIRST + 2,
                                         .document = SLICE("ACME|A%7C1|I7"), .limit_ms = -1, .partition = -1};
    give_waiting(old_of(key_a), 1, &held);
    give_waiting(old_of(key_a), 2, &waiting);
    const struct rekeying_counts *counts = build();
    assert_int_equal(counts->conflicts, 3);
    assert_string_equal(counts->conflict_texts[0], "invoices ACME|A%7C1|I9 is held: decide on it first");
    assert_string_equal(counts->conflict_texts[1], "invoices ACME|B|I7 waits, and is there under the other partner");
    assert_string_equal(counts->conflict_texts[2], "invoices ACME|A%7C1|I7 is there under both partners");
    end();
    merge = NULL;
}

static void what_waits_of_a_partner(void **unused) {
    (void)unused;
    merge = &b_takes_a;
    rewritten = 0;
    begin_with_clocks("invoice");
    struct parked_missing missing[] = {{.table = MASTER_SUPPLIERS, .store = -1, .key = SLICE("A%7C1")}, {.table = -1, .store = 2, .key = SLICE("ACME|A%7C1|I1")},
                                       {.table = -1, .store = 0, .key = SLICE("ACME|PO1|1")}, {.table = MASTER_ACCOUNTS, .store = -1, .key = SLICE("A%7C1")}};
    struct parked_event waiting = {.status = PARKED_STATUS_WAITING, .input = 1, .offset = 17, .key = slice_of(key_a), .value = SLICE("event"), .document_store = STORE_FIRST + 2,
                                   .document = SLICE("ACME|A%7C1|I1"), .limit_ms = -1, .partition = -1};
    waiting.missing.items = missing;
    waiting.missing.count = 4;
    give_waiting(old_of(key_a), 9, &waiting);
    const struct rekeying_counts *counts = build();
    assert_int_equal(counts->conflicts, 0);
    assert_int_equal(counts->waits_merged, 1);
    assert_int_equal(rewritten, 1);
    const struct found *found = find(number_key(1));
    assert_non_null(found);
    assert_int_equal(found->partition, hash_partition(slice_of(key_b), FROM));
    const struct parked_event *parked = decoded(found);
    assert_true(slice_equal(parked->key, slice_of(key_b)) && slice_equal(parked->document, SLICE("ACME|B|I1")) && slice_equal(parked->value, SLICE("1 event of B")));
    assert_int_equal(parked->partition, old_of(key_a));
    assert_int_equal(parked->offset, 17);
    assert_true(slice_equal(parked->missing.items[0].key, SLICE("B")) && slice_equal(parked->missing.items[1].key, SLICE("ACME|B|I1")) &&
                slice_equal(parked->missing.items[2].key, SLICE("ACME|PO1|1")) && slice_equal(parked->missing.items[3].key, SLICE("A%7C1")));
    end();
    merge = NULL;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_that_begin_with_their_owner, make_scratch, delete_scratch),
        cmocka_unit_test_setup_teardown(orders_and_receipts, make_scratch, delete_scratch),
        cmocka_unit_test_setup_teardown(whole_keys_and_kept_owners, make_scratch, delete_scratch),
        cmocka_unit_test_setup_teardown(seen_events_alone, make_scratch, delete_scratch),
        cmocka_unit_test_setup_teardown(records_that_meet_are_named, make_scratch, delete_scratch),
        cmocka_unit_test_setup_teardown(what_waits, make_scratch, delete_scratch),
        cmocka_unit_test_setup_teardown(what_is_deferred, make_scratch, delete_scratch),
        cmocka_unit_test_setup_teardown(clocks_and_limits, make_scratch, delete_scratch),
        cmocka_unit_test_setup_teardown(records_of_another_layout, make_scratch, delete_scratch),
        cmocka_unit_test_setup_teardown(what_is_not_whole_is_refused, make_scratch, delete_scratch),
        cmocka_unit_test_setup_teardown(a_partner_becomes_another, make_scratch, delete_scratch),
        cmocka_unit_test_setup_teardown(what_both_have_is_a_conflict, make_scratch, delete_scratch),
        cmocka_unit_test_setup_teardown(what_waits_of_a_partner, make_scratch, delete_scratch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
