/* migration: values from one layout to another; Avro bytes are written here by hand (specification 1.11: a long is zig-zag, a string its length and bytes, an array its blocks). */
#include "tests/unit/state_support.h"

#include "common/runtime/migration.h"

static struct error error;

#define ORDERS(fields) "store 2 orders\n{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"t\",\"fields\":[" fields "]}\n"
#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define FIELD_OR(name, type, fallback) "{\"name\":\"" name "\",\"type\":" type ",\"default\":" fallback "}"
#define ITEMS(fields) "{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"Item\",\"fields\":[" fields "]}}"
#define HEAD "\x10\x27\x00\x00\x01\x00" "ABCDEFGH" "\x11\x27\x00\x00"    /* day 10000, one event seen on day 10001 */

struct said { char text[4000]; int problems; };

static void tell(void *context, const struct migration_remark *remark) {
    struct said *said = context;
    const size_t used = strlen(said->text);
    snprintf(said->text + used, sizeof said->text - used, "%s%s/%s: %s\n", remark->problem ? "!" : "", remark->store, remark->field, remark->text);
    said->problems += remark->problem;
}

static struct migration *made(const char *target, const char *changes) {
    struct migration *migration;
    if (!migration_open(&migration, slice_of(target), slice_of(changes), &error)) fail_msg("%s", error.text);
    return migration;
}

static int learn(struct migration *migration, const char *layout, struct said *said) {
    int problems;
    *said = (struct said){.problems = 0};
    if (!migration_learn(migration, slice_of(layout), tell, said, &problems, &error)) fail_msg("%s", error.text);
    assert_int_equal(problems, said->problems);
    return problems;
}

/* The value's key and body after converting; the seal must be right. */
static void comes_out(struct migration *migration, const char *layout, struct slice key, struct slice body, struct slice new_key, struct slice new_body) {
    struct slice got_key, got_value, got_body;
    uint8_t version;
    enum migration_result result = migration_convert(migration, slice_of(layout), key, body, 9, &got_key, &got_value, &error);
    if (result != MIGRATION_CONVERTED) fail_msg("%s", error.text);
    assert_true(state_unseal(got_key, got_value, &got_body, &version));
    assert_int_equal(version, 9);
    assert_int_equal(got_key.length, new_key.length);
    assert_memory_equal(got_key.data, new_key.data, new_key.length);
    assert_int_equal(got_body.length, new_body.length);
    assert_memory_equal(got_body.data, new_body.data, new_body.length);
}

static const char before[] = "inputs a.events b.events\n" ORDERS(FIELD("count", "\"int\"") "," FIELD("label", "\"string\"") "," FIELD("items", ITEMS(FIELD("price", "\"long\"") "," FIELD("note", "\"string\""))));
/* count 5, label "ab", one item: price 100, note "x" */
#define RECORD_BEFORE "\x0a" "\x04" "ab" "\x02\xc8\x01\x02x\x00"

static void what_avro_resolves(void **state) {
    (void)state;
    struct said said;
    static const char after[] = "inputs a.events b.events\n" ORDERS(FIELD_OR("weight", "\"long\"", "7") "," FIELD("items", ITEMS(FIELD("price", "\"long\""))) "," FIELD("count", "\"long\""));
    struct migration *migration = made(after, "");
    assert_int_equal(learn(migration, before, &said), 0);
    assert_non_null(strstr(said.text, "orders/weight: new: 7"));
    assert_non_null(strstr(said.text, "orders/label: left out"));
    /* weight 7, one item with price 100, count 5 */
    comes_out(migration, before, SLICE("\x02K"), SLICE(HEAD RECORD_BEFORE), SLICE("\x02K"), SLICE(HEAD "\x0e" "\x02\xc8\x01\x00" "\x0a"));
    /* seen events alone, without a record */
    comes_out(migration, before, SLICE("\x02K"), SLICE(HEAD), SLICE("\x02K"), SLICE(HEAD));
    migration_close(migration);
}

static void every_field_that_does_not_fit_is_told(void **state) {
    (void)state;
    struct said said;
    static const char after[] = "inputs a.events b.events\n" ORDERS(FIELD("owner", "\"string\"") "," FIELD("label", "\"long\"") "," FIELD("items", ITEMS(FIELD("price", "\"long\"") "," FIELD("unit", "\"string\""))) "," FIELD("count", "\"int\""));
    struct migration *migration = made(after, "");
    assert_int_equal(learn(migration, before, &said), 3);
    assert_non_null(strstr(said.text, "!orders/owner: "));
    assert_non_null(strstr(said.text, "!orders/label: "));
    assert_non_null(strstr(said.text, "!orders/items.unit: "));
    migration_close(migration);
    migration = made(after, "# what people say of it\n default orders.owner \"nobody\"\n\nforget orders.label\ndefault orders.label -1\nrename orders.items.note unit\n");
    assert_int_equal(learn(migration, before, &said), 0);
    assert_true(migration_all_used(migration, &error));
    /* owner "nobody", label -1, price 100, unit "x", count 5 */
    comes_out(migration, before, SLICE("\x02K"), SLICE(HEAD RECORD_BEFORE), SLICE("\x02K"), SLICE(HEAD "\x0c" "nobody" "\x01" "\x02\xc8\x01\x02x\x00" "\x0a"));
    migration_close(migration);
}

static void stores_are_known_by_their_names(void **state) {
    (void)state;
    struct said said;
    static const char old[] = "inputs a.events\n" ORDERS(FIELD("count", "\"int\"")) "store 3 gone\n{\"type\":\"record\",\"name\":\"Gone\",\"fields\":[]}\nstore 4 late\n{\"type\":\"record\",\"name\":\"Late\",\"fields\":[]}\n";
    static const char new[] = "inputs a.events\nstore 2 late\n{\"type\":\"record\",\"name\":\"Late\",\"fields\":[]}\nstore 3 purchases\n{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"t\",\"fields\":[" FIELD("count", "\"int\"") "]}\n";
    struct migration *migration = made(new, "");
    assert_int_equal(learn(migration, old, &said), 2);
    assert_non_null(strstr(said.text, "!orders/: the new layout has no store orders"));
    assert_non_null(strstr(said.text, "!gone/: the new layout has no store gone"));
    migration_close(migration);
    migration = made(new, "rename-store orders purchases\nforget-store gone\n");
    assert_int_equal(learn(migration, old, &said), 0);
    comes_out(migration, old, SLICE("\x02K"), SLICE(HEAD "\x0a"), SLICE("\x03K"), SLICE(HEAD "\x0a"));
    comes_out(migration, old, SLICE("\x04K"), SLICE(HEAD), SLICE("\x02K"), SLICE(HEAD));
    struct slice key, value;
    assert_int_equal(migration_convert(migration, slice_of(old), SLICE("\x03K"), SLICE(HEAD), 9, &key, &value, &error), MIGRATION_FORGOTTEN);
    migration_close(migration);
}

static void lines_that_are_wrong(void **state) {
    (void)state;
    static const struct { const char *line, *said; } wrong[] = {
        {"renmae orders.count number", "line 1: renmae"}, {"# fine\nrename orders number", "line 2: rename needs STORE.FIELD"}, {"default orders.count", "line 1"},
        {"default orders.count {", "is not JSON"}, {"forget orders.count now", "line 1"}, {"rename orders.count a b", "one name too many"}, {"forget-store", "needs STORE"}};
    struct migration *migration;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(migration_open(&migration, slice_of(before), slice_of(wrong[i].line), &error));
        if (!strstr(error.text, wrong[i].said)) fail_msg("`%s` is told: %s", wrong[i].line, error.text);
    }
    struct said said;
    migration = made(before, "forget orders.weight\n");
    assert_int_equal(learn(migration, before, &said), 0);
    assert_false(migration_all_used(migration, &error));
    assert_non_null(strstr(error.text, "line 1"));
    migration_close(migration);
    assert_false(migration_open(&migration, SLICE("store 2 x"), SLICE(""), &error));
}

/* An event that waits, of input 1 (b.events) and store 2, for a key of the processor's store 0: told where these are now. */
static void events_that_wait_are_told_where_their_places_are(void **state) {
    (void)state;
    struct said said;
    char old[20000], new[20000];
    const char *name, *parked = layout_store_type(&(struct processor){.name = "t"}, 1, &name)->schema;
    snprintf(old, sizeof old, "inputs a.events b.events\nstore 1 parked\n%s\n" ORDERS("") "store 3 late\n{\"type\":\"record\",\"name\":\"Late\",\"fields\":[]}\n", parked);
    snprintf(new, sizeof new, "inputs b.events\nstore 1 parked\n%s\nstore 2 late\n{\"type\":\"record\",\"name\":\"Late\",\"fields\":[]}\nstore 3 orders\n{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"t\",\"fields\":[]}\n", parked);
    struct migration *migration = made(new, "");
    assert_int_equal(learn(migration, old, &said), 0);
    /* input, offset 3, time 0, key, value, document_store, document, establishes, waiting, deadline 0, missing (table -1, store, key, date 0, no), no reasons, no approvals, no, limit 0, 0, partition -2 */
#define PARKED(input, document_store, store) input "\x06\x00\x02k\x02v" document_store "\x02" "D\x00\x00\x00" "\x02\x01" store "\x02" "M\x00\x00\x00" "\x00\x00\x00\x00\x00" "\x03"
    comes_out(migration, old, SLICE("\x01" "12345678"), SLICE(HEAD PARKED("\x02", "\x04", "\x00")), SLICE("\x01" "12345678"), SLICE(HEAD PARKED("\x00", "\x06", "\x02")));
    struct slice key, value;
    assert_int_equal(migration_convert(migration, slice_of(old), SLICE("\x01" "12345678"), SLICE(HEAD PARKED("\x00", "\x04", "\x00")), 9, &key, &value, &error), MIGRATION_FAILED);
    assert_non_null(strstr(error.text, "a.events, which the new program does not read"));
    migration_close(migration);
}

static void nonsense_is_an_error(void **state) {
    (void)state;
    struct said said;
    struct slice key, value;
    static const char after[] = "inputs a.events b.events\n" ORDERS(FIELD("count", "\"long\""));
    struct migration *migration = made(after, "");
    assert_int_equal(learn(migration, before, &said), 0);
    static const struct slice bodies[] = {{"", 0}, {"\x10\x27\x00\x00\x01\x00", 6}, {HEAD RECORD_BEFORE, 20}, {HEAD "\x0a\x04" "ab\x02\xc8", 24}};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        assert_int_equal(migration_convert(migration, slice_of(before), SLICE("\x02K"), bodies[i], 1, &key, &value, &error), MIGRATION_FAILED);
    assert_int_equal(migration_convert(migration, slice_of(before), SLICE("\x07K"), SLICE(HEAD), 1, &key, &value, &error), MIGRATION_FAILED);
    int problems;
    assert_false(migration_learn(migration, SLICE("inputs\nstore x\n"), tell, &said, &problems, &error));
    migration_close(migration);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_avro_resolves), cmocka_unit_test(every_field_that_does_not_fit_is_told), cmocka_unit_test(stores_are_known_by_their_names),
                                       cmocka_unit_test(lines_that_are_wrong), cmocka_unit_test(events_that_wait_are_told_where_their_places_are), cmocka_unit_test(nonsense_is_an_error)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
