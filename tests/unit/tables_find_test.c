/* tables: what a look-up finds as of a date, and what makes a key unusable. */
#include "tests/unit/tables_support.h"

static void key_is_joined_and_encoded(void **unused) {
    (void)unused;
    char room[40];
    const struct slice parts[] = {SLICE("10|00"), SLICE("50%"), SLICE("")};
    assert_true(slice_equal(tables_key(room, sizeof room, parts, 3), SLICE("10%7C00|50%25|")));
    assert_true(slice_equal(tables_key(room, 14, parts, 3), SLICE("10%7C00|50%25|")));
    for (size_t size = 0; size < 14; size++) assert_int_equal(tables_key(room, size, parts, 3).length, 0);
    assert_true(slice_equal(tables_key(room, sizeof room, (const struct slice[]){SLICE("V21")}, 1), SLICE("V21")));
}

static void finds_as_of_the_date(void **unused) {
    (void)unused;
    struct tables *tables = open_tables();
    const struct tax_code early = tax_code("V21", DAY_2018_01_01, 210000), leap = tax_code("V21", DAY_2020_02_29, 190000),
                          other = tax_code("V2", DAY_2020_02_28, 20000), longer = tax_code("V211", DAY_1970_01_01, 30000);
    begin(tables);
    assert_int_equal(put(tables, TAX_CODES, "1000|V21|2020-02-29", &leap, 4), TABLE_PUT_GOOD);
    assert_int_equal(put(tables, TAX_CODES, "1000|V21|2018-01-01", &early, 5), TABLE_PUT_GOOD);
    assert_int_equal(put(tables, TAX_CODES, "1000|V2|2020-02-28", &other, 6), TABLE_PUT_GOOD);
    assert_int_equal(put(tables, TAX_CODES, "1000|V211|1970-01-01", &longer, 7), TABLE_PUT_GOOD);
    commit(tables, 8, -1);
    assert_rate(tables, "1000|V21", DAY_2018_01_01 - 1, -1);
    assert_rate(tables, "1000|V21", DAY_2018_01_01, 210000);
    assert_rate(tables, "1000|V21", DAY_2018_01_01 + 1, 210000);
    assert_rate(tables, "1000|V21", DAY_2020_02_28, 210000);
    assert_rate(tables, "1000|V21", DAY_2020_02_29, 190000);
    assert_rate(tables, "1000|V21", DAY_2020_03_01, 190000);
    assert_rate(tables, "1000|V21", INT32_MAX, 190000);
    assert_rate(tables, "1000|V21", INT32_MIN, -1);
    assert_rate(tables, "1000|V2", DAY_2020_02_28 - 1, -1);
    assert_rate(tables, "1000|V2", DAY_2020_03_01, 20000);
    assert_rate(tables, "1000|V211", DAY_1969_12_31, -1);
    assert_rate(tables, "1000|V", INT32_MAX, -1);
    assert_rate(tables, "1000|V22", INT32_MAX, -1);
    assert_rate(tables, "0", INT32_MAX, -1);
    assert_rate(tables, "", INT32_MAX, -1);
    assert_rules(tables, "1000|V21", INT32_MAX, NULL); /* the other table has nothing of it */
    struct table_row row;
    assert_int_equal(find(tables, TAX_CODES, "1000|V21", DAY_2020_03_01, &row), TABLE_FOUND);
    assert_int_equal(row.offset, 4);
    assert_int_equal(row.valid_from, DAY_2020_02_29);
    assert_null(row.compiled);
    char key[600];
    memset(key, 'k', sizeof key);
    assert_int_equal(tables_find(tables, TAX_CODES, (struct slice){key, sizeof key}, 0, &row), TABLE_MISSING);
    assert_int_equal(tables_find(tables, TAX_CODES, (struct slice){"1000|V21\0\200", 10}, 0, &row), TABLE_MISSING);
    assert_int_equal(tables_find(tables, 5, SLICE("1000|V21"), 0, &row), TABLE_MISSING);
    tables_close(tables);
}

static void dates_before_1970_come_before(void **unused) {
    (void)unused;
    struct tables *tables = open_tables();
    const struct tax_code old = tax_code("A", DAY_1899_12_31, 1), eve = tax_code("A", DAY_1969_12_31, 2), epoch = tax_code("A", DAY_1970_01_01, 3);
    put_alone(tables, TAX_CODES, "1000|A|1970-01-01", &epoch, 1);
    put_alone(tables, TAX_CODES, "1000|A|1899-12-31", &old, 2);
    put_alone(tables, TAX_CODES, "1000|A|1969-12-31", &eve, 3);
    assert_int_equal(tables_stale(tables, TAX_CODES), 0);
    assert_rate(tables, "1000|A", DAY_1899_12_31 - 1, -1);
    assert_rate(tables, "1000|A", DAY_1969_12_31 - 1, 1);
    assert_rate(tables, "1000|A", DAY_1969_12_31, 2);
    assert_rate(tables, "1000|A", DAY_1970_01_01, 3);
    tables_close(tables);
}

static void record_comes_back_whole(void **unused) {
    (void)unused;
    struct tables *tables = open_tables();
    struct slice tags[] = {SLICE("domestic"), SLICE(""), SLICE("Zo\xc3\xab")};
    struct tax_code record = tax_code("5%|0", DAY_2018_01_01, -999999);
    record.tags = (struct codec_list){tags, 3};
    assert_int_equal(put_alone(tables, TAX_CODES, "1000|5%25%7C0|2018-01-01", &record, 1), TABLE_PUT_GOOD);
    struct table_row row;
    assert_int_equal(find(tables, TAX_CODES, "1000|5%25%7C0", DAY_2018_01_01, &row), TABLE_FOUND);
    const struct tax_code *found = row.record;
    assert_true(slice_equal(found->tax_code, SLICE("5%|0")));
    assert_int_equal(found->rate, -999999);
    assert_int_equal(found->tags.count, 3);
    for (int i = 0; i < 3; i++) assert_true(slice_equal(((struct slice *)found->tags.items)[i], tags[i]));
    tables_close(tables);
}

static void ended_and_tombstone_differ(void **unused) {
    (void)unused;
    struct tables *tables = open_tables();
    const struct tax_code first = tax_code("V21", DAY_2018_01_01, 1), mistaken = tax_code("V21", DAY_2020_02_28, 2);
    struct tax_code end = tax_code("V21", DAY_2020_02_29, 0);
    end.status = SLICE("ended");
    put_alone(tables, TAX_CODES, "1000|V21|2018-01-01", &first, 1);
    put_alone(tables, TAX_CODES, "1000|V21|2020-02-28", &mistaken, 2);
    put_alone(tables, TAX_CODES, "1000|V21|2020-02-29", &end, 3);
    assert_rate(tables, "1000|V21", DAY_2020_02_28, 2);
    assert_rate(tables, "1000|V21", DAY_2020_02_29, -1);
    assert_rate(tables, "1000|V21", DAY_2020_03_01, -1);
    assert_int_equal(tables_entries(tables, TAX_CODES), 3);
    begin(tables);
    assert_int_equal(tables_remove(tables, TAX_CODES, SLICE("1000|V21|2020-02-28"), 4, &error), TABLE_PUT_GOOD);
    assert_int_equal(tables_remove(tables, TAX_CODES, SLICE("1000|V21|2020-02-28"), 5, &error), TABLE_PUT_GOOD); /* nothing is there */
    assert_int_equal(tables_remove(tables, TAX_CODES, SLICE("1000|V21|yesterday"), 6, &error), TABLE_PUT_BAD);
    commit(tables, 7, -1);
    assert_rate(tables, "1000|V21", DAY_2020_02_28, 1);
    assert_rate(tables, "1000|V21", DAY_2020_02_29, -1);
    begin(tables);
    assert_int_equal(tables_remove(tables, TAX_CODES, SLICE("1000|V21|2020-02-29"), 7, &error), TABLE_PUT_GOOD);
    commit(tables, 8, -1);
    assert_rate(tables, "1000|V21", DAY_2020_03_01, 1);
    assert_int_equal(tables_entries(tables, TAX_CODES), 1);
    tables_close(tables);
}

static void assert_bad(struct tables *tables, const char *key, const struct tax_code *record, const char *word) {
    assert_int_equal(put_alone(tables, TAX_CODES, key, record, 77), TABLE_PUT_BAD);
    if (!strstr(error.text, word)) fail_msg("`%s` does not say `%s`", error.text, word);
    assert_non_null(strstr(error.text, "master.tax-codes, offset 77"));
    assert_non_null(strstr(error.text, key));
}

/* Each kind of bad record makes exactly its key unusable, until a good one or a tombstone comes. */
static void bad_record_makes_its_key_unusable(void **unused) {
    (void)unused;
    struct tables *tables = open_tables();
    const struct tax_code good = tax_code("V21", DAY_2018_01_01, 21), neighbour = tax_code("V22", DAY_2018_01_01, 22);
    struct tax_code foreign = good, partly = good, overflow = good, elsewhere = good, later = good;
    foreign.source = SLICE("excel");
    partly.source = SLICE("sa");
    overflow.rate = CODEC_DECIMAL_OVERFLOW;
    elsewhere.tax_code = SLICE("V22");
    later.valid_from++;
    const struct { const struct tax_code *record; const char *word; } bad[] = {
        {NULL, "truncated"}, {&foreign, "excel"}, {&partly, "mdm, sap"}, {&overflow, "digits"}, {&elsewhere, "another key"}, {&later, "another key"}};
    put_alone(tables, TAX_CODES, "1000|V22|2018-01-01", &neighbour, 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(put_alone(tables, TAX_CODES, "1000|V21|2018-01-01", &good, 2), TABLE_PUT_GOOD);
        assert_rate(tables, "1000|V21", DAY_2018_01_01, 21);
        assert_int_equal(tables_stale(tables, TAX_CODES), 0);
        assert_bad(tables, "1000|V21|2018-01-01", bad[i].record, bad[i].word);
        assert_rate(tables, "1000|V21", DAY_2018_01_01, -2);
        assert_rate(tables, "1000|V21", DAY_2018_01_01 - 1, -1);
        assert_rate(tables, "1000|V22", DAY_2018_01_01, 22);
        assert_int_equal(tables_stale(tables, TAX_CODES), 1);
        assert_int_equal(tables_entries(tables, TAX_CODES), 2);
        tables_close(tables); /* and it stays so */
        tables = open_tables();
        assert_rate(tables, "1000|V21", DAY_2018_01_01, -2);
        assert_int_equal(tables_stale(tables, TAX_CODES), 1);
    }
    begin(tables);
    assert_int_equal(tables_remove(tables, TAX_CODES, SLICE("1000|V21|2018-01-01"), 9, &error), TABLE_PUT_GOOD);
    commit(tables, 10, -1);
    assert_rate(tables, "1000|V21", DAY_2018_01_01, -1);
    assert_int_equal(tables_stale(tables, TAX_CODES), 0);
    assert_int_equal(tables_entries(tables, TAX_CODES), 1);
    struct tax_code second = good;
    second.source = SLICE("sap");
    assert_int_equal(put_alone(tables, TAX_CODES, "1000|V21|2018-01-01", &second, 11), TABLE_PUT_GOOD);
    tables_close(tables);
}

/* A bad record is bad from its own date on, like a good one. */
static void unusable_is_as_of_a_date_too(void **unused) {
    (void)unused;
    struct tables *tables = open_tables();
    const struct tax_code first = tax_code("V21", DAY_2018_01_01, 1), third = tax_code("V21", DAY_2020_03_01, 3);
    put_alone(tables, TAX_CODES, "1000|V21|2018-01-01", &first, 1);
    put_alone(tables, TAX_CODES, "1000|V21|2020-02-29", NULL, 2);
    put_alone(tables, TAX_CODES, "1000|V21|2020-03-01", &third, 3);
    assert_rate(tables, "1000|V21", DAY_2020_02_28, 1);
    assert_rate(tables, "1000|V21", DAY_2020_02_29, -2);
    assert_rate(tables, "1000|V21", DAY_2020_03_01, 3);
    tables_close(tables);
}

static void keys_that_name_nothing_spoil_nothing(void **unused) {
    (void)unused;
    struct tables *tables = open_tables();
    char longer[600];
    memset(longer, 'x', sizeof longer);
    memcpy(longer, "1000|", 5);
    strcpy(longer + 500, "|2018-01-01");
    const char *const keys[] = {"", "1000", "1000|V21", "1000|V21|2018-02-29", "1000|V21|2018-1-1", "1000|V21|2018-01-01|", "V21|2018-01-01",
                                "1000|V21|x|2018-01-01", "1000|V%21|2018-01-01", "1000|V%7c|2018-01-01", "1000|V%2|2018-01-01",
                                "1000|V21|+2018-01-01", "1000|V21|2018-01-01 ", longer};
    struct tax_code record = tax_code("V21", DAY_2018_01_01, 1);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        assert_int_equal(put_alone(tables, TAX_CODES, keys[i], &record, 1), TABLE_PUT_BAD);
        assert_int_equal(put_alone(tables, TAX_CODES, keys[i], NULL, 1), TABLE_PUT_BAD);
    }
    begin(tables);
    assert_int_equal(tables_put(tables, TAX_CODES, (struct slice){"1000|V\0|2018-01-01", 18}, &record, NULL, 1, &error), TABLE_PUT_BAD);
    commit(tables, -1, -1);
    assert_int_equal(tables_entries(tables, TAX_CODES), 0);
    record.entity = record.tax_code = SLICE("");
    assert_int_equal(put_alone(tables, TAX_CODES, "||2018-01-01", &record, 1), TABLE_PUT_GOOD); /* empty ids are ids: it is not ours to judge */
    tables_close(tables);
}

static void good_rules_are_not_replaced_by_bad_ones(void **unused) {
    (void)unused;
    rules_made = rules_alive = 0;
    struct tables *tables = open_tables();
    const struct rule_text good = rule_text("GL", DAY_2018_01_01, "one"), better = rule_text("GL", DAY_2018_01_01, "two"),
                           bad = rule_text("GL", DAY_2018_01_01, "bad rule"), next = rule_text("GL", DAY_2020_02_29, "bad next");
    struct rule_text foreign = better;
    foreign.source = SLICE("mdm"); /* authoritative for the other table only */
    assert_int_equal(put_alone(tables, RULES, "GL|2018-01-01", &bad, 1), TABLE_PUT_BAD);
    assert_non_null(strstr(error.text, "bad rule does not balance"));
    assert_rules(tables, "GL", DAY_2018_01_01, "");
    assert_int_equal(put_alone(tables, RULES, "GL|2018-01-01", &good, 2), TABLE_PUT_GOOD);
    assert_rules(tables, "GL", DAY_2018_01_01, "one");
    uint64_t version = tables_version(tables, RULES);
    const void *const worse[] = {&bad, &foreign, NULL, &next};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(put_alone(tables, RULES, "GL|2018-01-01", worse[i], 3), TABLE_PUT_BAD);
        assert_non_null(strstr(error.text, "good record before it stays"));
        assert_rules(tables, "GL", DAY_2018_01_01, "one");
        assert_int_equal(tables_stale(tables, RULES), 0);
    }
    assert_int_equal(tables_version(tables, RULES), version);
    begin(tables); /* good and bad in one batch */
    assert_int_equal(put(tables, RULES, "GL|2018-01-01", &better, 4), TABLE_PUT_GOOD);
    assert_int_equal(put(tables, RULES, "GL|2018-01-01", &bad, 5), TABLE_PUT_BAD);
    commit(tables, -1, 6);
    assert_rules(tables, "GL", DAY_2018_01_01, "two");
    assert_int_equal(put_alone(tables, RULES, "GL|2020-02-29", &next, 6), TABLE_PUT_BAD); /* another date is another record */
    assert_rules(tables, "GL", DAY_2020_02_28, "two");
    assert_rules(tables, "GL", DAY_2020_02_29, "");
    assert_int_equal(rules_alive, 1);
    tables_close(tables);
    assert_int_equal(rules_alive, 0);
}

static void rules_are_compiled_once(void **unused) {
    (void)unused;
    rules_made = rules_alive = 0;
    struct tables *tables = open_tables();
    struct rule_text rules = rule_text("GL", DAY_2018_01_01, "one");
    put_alone(tables, RULES, "GL|2018-01-01", &rules, 1);
    for (int32_t day = 0; day < 50; day++) assert_rules(tables, "GL", DAY_2018_01_01 + day, "one");
    const struct tax_code other = tax_code("V21", DAY_2018_01_01, 1);
    put_alone(tables, TAX_CODES, "1000|V21|2018-01-01", &other, 1);
    assert_rules(tables, "GL", DAY_2018_01_01, "one");
    assert_int_equal(rules_made, 1);
    tables_close(tables);
    tables = open_tables(); /* then at the first look-up */
    assert_int_equal(rules_made, 1);
    for (int32_t day = 0; day < 50; day++) assert_rules(tables, "GL", DAY_2018_01_01 + day, "one");
    assert_int_equal(rules_made, 2);
    rules.status = SLICE("ended");
    put_alone(tables, RULES, "GL|2018-01-01", &rules, 2);
    assert_int_equal(rules_alive, 0);
    assert_rules(tables, "GL", DAY_2018_01_01, NULL);
    rules.status = SLICE("active");
    put_alone(tables, RULES, "GL|2018-01-01", &rules, 3);
    begin(tables);
    assert_int_equal(tables_remove(tables, RULES, SLICE("GL|2018-01-01"), 4, &error), TABLE_PUT_GOOD);
    commit(tables, -1, 5);
    assert_int_equal(rules_alive, 0);
    assert_rules(tables, "GL", DAY_2018_01_01, NULL);
    tables_close(tables);
}

static void changes_are_seen_at_once(void **unused) {
    (void)unused;
    struct tables *tables = open_tables();
    uint64_t version = tables_version(tables, TAX_CODES), other = tables_version(tables, RULES);
    for (int64_t rate = 0; rate < 200; rate++) {
        const struct tax_code record = tax_code("V21", DAY_2018_01_01, rate);
        begin(tables);
        assert_int_equal(put(tables, TAX_CODES, "1000|V21|2018-01-01", &record, rate), TABLE_PUT_GOOD);
        assert_rate(tables, "1000|V21", DAY_2020_03_01, rate - 1); /* against the rules, and still of no harm */
        commit(tables, -1, -1);
        assert_rate(tables, "1000|V21", DAY_2020_03_01, rate);
        assert_true(tables_version(tables, TAX_CODES) > version);
        version = tables_version(tables, TAX_CODES);
    }
    assert_int_equal(tables_version(tables, RULES), other);
    tables_close(tables);
}

/* As many dates and tables as the cache has room for: no answer is taken for another's. */
static void cache_tells_dates_and_tables_apart(void **unused) {
    (void)unused;
    struct tables *tables = open_tables();
    for (int round = 0; round < 20; round++) { /* each put empties the cache */
        const struct tax_code first = tax_code("V21", DAY_2018_01_01, round), second = tax_code("V21", DAY_2020_02_29, 100 + round);
        put_alone(tables, TAX_CODES, "1000|V21|2018-01-01", &first, 1);
        put_alone(tables, TAX_CODES, "1000|V21|2020-02-29", &second, 2);
        int32_t middle = DAY_2020_02_29 + 10000 * round;
        for (int32_t day = middle - 3000; day < middle + 3000; day++) {
            assert_rate(tables, "1000|V21", day, day < DAY_2018_01_01 ? -1 : day < DAY_2020_02_29 ? round : 100 + round);
            assert_rules(tables, "1000|V21", day, NULL);
        }
    }
    tables_close(tables);
}

/* More keys than the cache holds: answers stay right, rows of a batch stay valid, and the cache is emptied between batches. */
static void cache_is_bounded_and_right(void **unused) {
    (void)unused;
    enum { KEYS = 20000 };
    struct tables *tables = open_tables();
    static const void *rows[KEYS];
    char key[40], code[20];
    begin(tables);
    for (int i = 0; i < KEYS; i++) {
        snprintf(code, sizeof code, "T%d", i);
        snprintf(key, sizeof key, "1000|T%d|2018-01-01", i);
        const struct tax_code record = tax_code(code, DAY_2018_01_01, i);
        assert_int_equal(put(tables, TAX_CODES, key, &record, i), TABLE_PUT_GOOD);
    }
    commit(tables, KEYS, -1);
    for (int batch = 0; batch < 3; batch++) {
        struct table_row row;
        for (int i = 0; i < KEYS; i++) {
            snprintf(key, sizeof key, "1000|T%d", i);
            assert_int_equal(tables_find(tables, TAX_CODES, slice_of(key), DAY_2018_01_01 + batch, &row), TABLE_FOUND);
            rows[i] = row.record;
        }
        for (int i = 0; i < KEYS; i++) {
            const struct tax_code *found = rows[i];
            snprintf(code, sizeof code, "T%d", i);
            assert_int_equal(found->rate, i);
            assert_true(slice_equal(found->tax_code, slice_of(code)));
        }
        tables_trim(tables);
    }
    tables_trim(tables);
    tables_close(tables);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_scratch, delete_scratch)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(key_is_joined_and_encoded), TEST(finds_as_of_the_date), TEST(dates_before_1970_come_before), TEST(record_comes_back_whole),
        TEST(ended_and_tombstone_differ), TEST(bad_record_makes_its_key_unusable), TEST(unusable_is_as_of_a_date_too),
        TEST(keys_that_name_nothing_spoil_nothing), TEST(good_rules_are_not_replaced_by_bad_ones), TEST(rules_are_compiled_once),
        TEST(changes_are_seen_at_once), TEST(cache_tells_dates_and_tables_apart), TEST(cache_is_bounded_and_right),
    };
    return cmocka_run_group_tests_name("tables_find", tests, make_types, free_types);
}
