/* tables: checkpoints, restarts, kills, damage, room; and the whole against a simple model. */
#include "tests/unit/tables_support.h"

#include <errno.h>
#include <sys/mount.h>

enum { CODES = 5000 };

/* Codes [from, to) with one rate, in one batch. */
static bool load(struct tables *tables, int from, int to, int64_t rate) {
    const int64_t next[] = {rate + 1, -1};
    if (!tables_begin(tables, &error)) return false;
    for (int i = from; i < to; i++) {
        char code[20], key[60];
        snprintf(code, sizeof code, "T%05d", i);
        snprintf(key, sizeof key, "1000|%s|2018-01-01", code);
        struct tax_code record = tax_code(code, DAY_2018_01_01, rate);
        struct slice tags[] = {SLICE("a text that makes the record about as long as records of master data are, give or take some"), SLICE("of bytes")};
        record.tags = (struct codec_list){tags, 2};
        if (put(tables, TAX_CODES, key, &record, rate) != TABLE_PUT_GOOD) return false;
    }
    return tables_commit(tables, next, 1000 * rate, &error);
}

static void assert_loaded(struct tables *tables, int count, int64_t rate) {
    char key[60];
    assert_int_equal(tables_entries(tables, TAX_CODES), count);
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof key, "1000|T%05d", i);
        assert_rate(tables, key, DAY_2020_03_01, rate);
        tables_trim(tables);
    }
    snprintf(key, sizeof key, "1000|T%05d", count);
    assert_rate(tables, key, DAY_2020_03_01, -1);
}

static void load_and_close(void) {
    struct tables *tables = open_tables();
    assert_true(load(tables, 0, CODES, 41));
    tables_close(tables);
}

static void goes_on_where_it_was(void **unused) {
    (void)unused;
    struct tables *tables = open_tables();
    assert_null(tables_rebuilt_because(tables));
    assert_int_equal(tables_position(tables, TAX_CODES), 0);
    assert_int_equal(tables_position(tables, RULES), 0);
    begin(tables);
    commit(tables, 7, 9);
    begin(tables);
    commit(tables, -1, 10);
    tables_close(tables);
    tables = open_tables();
    assert_null(tables_rebuilt_because(tables));
    assert_int_equal(tables_position(tables, TAX_CODES), 7);
    assert_int_equal(tables_position(tables, RULES), 10);
    assert_true(load(tables, 0, CODES, 41));
    assert_loaded(tables, CODES, 41);
    tables_close(tables);
    tables = open_tables();
    assert_int_equal(tables_position(tables, TAX_CODES), 42);
    assert_loaded(tables, CODES, 41);
    assert_true(tables_bytes(tables) == file_size(path_in("tables/data.mdb")));
    tables_close(tables);
    tables_close(NULL);
}

static void a_batch_given_up_leaves_no_trace(void **unused) {
    (void)unused;
    struct tables *tables = open_tables();
    const struct tax_code record = tax_code("V21", DAY_2018_01_01, 1), other = tax_code("V22", DAY_2018_01_01, 2);
    const struct rule_text one = rule_text("GL", DAY_2018_01_01, "one"), two = rule_text("GL", DAY_2018_01_01, "two");
    assert_int_equal(put(tables, TAX_CODES, "1000|V21|2018-01-01", &record, 1), TABLE_PUT_FAILED); /* no begin */
    assert_int_equal(tables_remove(tables, TAX_CODES, SLICE("1000|V21|2018-01-01"), 1, &error), TABLE_PUT_FAILED);
    assert_false(tables_commit(tables, (const int64_t[]){1, 1}, 0, &error));
    put_alone(tables, RULES, "GL|2018-01-01", &one, 1);
    begin(tables);
    assert_int_equal(put(tables, TAX_CODES, "1000|V21|2018-01-01", &record, 1), TABLE_PUT_GOOD);
    assert_int_equal(put(tables, RULES, "GL|2018-01-01", &two, 2), TABLE_PUT_GOOD);
    begin(tables); /* again, without a commit */
    assert_int_equal(put(tables, TAX_CODES, "1000|V22|2018-01-01", &other, 1), TABLE_PUT_GOOD);
    commit(tables, 2, -1);
    assert_rate(tables, "1000|V21", DAY_2018_01_01, -1);
    assert_rate(tables, "1000|V22", DAY_2018_01_01, 2);
    assert_rules(tables, "GL", DAY_2018_01_01, "one");
    tables_close(tables);
    assert_int_equal(rules_alive, 0);
}

/* What is between the last commit and a kill is read again; the same records give the same end. */
static void load_without_end(void *context) {
    struct tables *tables = open_tables();
    int *pipe_end = context;
    for (int64_t rate = tables_position(tables, TAX_CODES);; rate++)
        if (!load(tables, 0, CODES, rate) || write(*pipe_end, &rate, sizeof rate) != sizeof rate) _exit(1);
}

static int64_t load_and_be_killed(int rounds, int spins) {
    int ends[2], status;
    int64_t rate = -1, last;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) load_without_end(&ends[1]);
    close(ends[1]);
    for (int i = 0; i < rounds; i++) assert_int_equal(read(ends[0], &rate, sizeof rate), sizeof rate);
    for (volatile int i = 0; i < spins; i++) {}
    kill(child, SIGKILL);
    for (last = rate; read(ends[0], &rate, sizeof rate) == sizeof rate;) last = rate;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(ends[0]);
    return last;
}

static void survives_kill(void **unused) {
    (void)unused;
    random_start();
    for (int i = 0; i < 15; i++) {
        int64_t last = load_and_be_killed(1 + (int)random_below(3), (int)random_below(10000000));
        struct tables *tables = open_tables();
        assert_null(tables_rebuilt_because(tables));
        int64_t next = tables_position(tables, TAX_CODES);
        assert_in_range(next, last + 1, last + 2);
        assert_int_equal(tables_entries(tables, TAX_CODES), CODES);
        assert_true(load(tables, 0, CODES, next));
        assert_loaded(tables, CODES, next);
        tables_close(tables);
    }
}

static void killed_and_machine_restarted_is_read_anew(void **unused) {
    (void)unused;
    load_and_be_killed(1, 0);
    boot(2);
    struct tables *tables = open_tables();
    assert_non_null(tables_rebuilt_because(tables));
    assert_int_equal(tables_position(tables, TAX_CODES), 0);
    assert_loaded(tables, 0, 0);
    tables_close(tables);
    boot(3); /* closed in order */
    tables = open_tables();
    assert_null(tables_rebuilt_because(tables));
    tables_close(tables);
}

static void old_checkpoint_is_read_anew(void **unused) {
    (void)unused;
    load_and_close(); /* at 41 s */
    struct tables *tables = open_with(path_in("tables"), 141000, 100000);
    assert_null(tables_rebuilt_because(tables));
    assert_int_equal(tables_position(tables, TAX_CODES), 42);
    tables_close(tables);
    tables = open_with(path_in("tables"), 141001, 100000);
    assert_non_null(strstr(tables_rebuilt_because(tables), "old"));
    assert_int_equal(tables_position(tables, TAX_CODES), 0);
    assert_loaded(tables, 0, 0);
    tables_close(tables);
}

static void assert_read_anew(void) {
    struct tables *tables = open_tables();
    assert_string_equal(tables_rebuilt_because(tables), "tables, schemas or sources have changed");
    assert_int_equal(tables_position(tables, TAX_CODES), 0);
    assert_int_equal(tables_entries(tables, TAX_CODES), 0);
    tables_close(tables);
}

static void other_configuration_is_read_anew(void **unused) {
    (void)unused;
    const char *sources = source_list[0];
    load_and_close();
    source_list[0] = "sap";
    assert_read_anew();
    source_list[0] = sources;
    assert_read_anew();
    load_and_close();
    tax_table.name = "tax-rates";
    assert_read_anew();
    tax_table.name = "tax-codes";
    assert_read_anew();
    load_and_close();
    table_list[1] = NULL;
    assert_read_anew();
    table_list[1] = &rule_table;
    assert_read_anew();
}

static void assert_refused(const char *word) {
    assert_null(open_with(path_in("tables"), 0, 0));
    if (!strstr(error.text, word)) fail_msg("`%s` does not say `%s`", error.text, word);
}

static void impossible_tables_are_refused(void **unused) {
    (void)unused;
    const char *sources = source_list[1];
    source_list[1] = " ,";
    assert_refused("table posting-rules has no authoritative source");
    source_list[1] = NULL;
    assert_refused("table posting-rules has no authoritative source");
    source_list[1] = sources;
    const char *key = tax_table.keys[1];
    tax_table.keys[1] = "rate";
    assert_refused("no field rate that is a string");
    tax_table.keys[1] = "colour";
    assert_refused("no field colour");
    tax_table.keys[1] = key;
    key = tax_table.keys[0];
    tax_table.keys[0] = NULL;
    assert_refused("no key fields");
    tax_table.keys[0] = key;
    struct tables *tables = open_tables();
    assert_refused("in use");
    tables_close(tables);
}

static void flip_in_record(void) {
    int64_t at = -1;
    for (int64_t next; (next = find_in_file(path_in("tables/data.mdb"), "T00077", (uint64_t)(at + 1))) >= 0; at = next)
        flip_byte(path_in("tables/data.mdb"), (uint64_t)next + 30, 4); /* behind the key, or in the record */
    assert_true(at >= 0);
}

/* At rest it is found by the opening; under the feet of the process by the look-up, and that is remembered. */
static void damage_is_never_an_answer(void **unused) {
    (void)unused;
    load_and_close();
    flip_in_record();
    struct tables *tables = open_tables();
    struct table_row row;
    assert_string_equal(tables_rebuilt_because(tables), "a value fails its checksum");
    assert_true(load(tables, 0, CODES, 41));
    tables_close(tables);
    tables = open_tables();
    assert_null(tables_rebuilt_because(tables));
    flip_in_record();
    assert_rate(tables, "1000|T00076", DAY_2018_01_01, 41);
    assert_int_equal(tables_find(tables, TAX_CODES, SLICE("1000|T00077"), DAY_2018_01_01, &row), TABLE_FAILED);
    assert_null(row.record);
    assert_non_null(strstr(tables_problem(tables), "checksum"));
    tables_close(tables);
    tables = open_tables();
    assert_string_equal(tables_rebuilt_because(tables), "it was found damaged");
    assert_loaded(tables, 0, 0);
    assert_true(load(tables, 0, CODES, 42));
    assert_loaded(tables, CODES, 42);
    tables_close(tables);
}

static void truncated_file_is_read_anew(void **unused) {
    (void)unused;
    load_and_close();
    assert_int_equal(truncate(path_in("tables/data.mdb"), 300000), 0);
    struct tables *tables = open_tables();
    assert_string_equal(tables_rebuilt_because(tables), "its data file is cut off");
    assert_int_equal(tables_position(tables, TAX_CODES), 0);
    tables_close(tables);
}

/* Counts and records are right though the batch was written in parts, and parts again after the file had grown. */
static void large_batch_is_written_in_parts(void **unused) {
    (void)unused;
    struct tables *tables = open_tables();
    const struct rule_text rules = rule_text("GL", DAY_2018_01_01, "one");
    begin(tables);
    for (int i = 0; i < 20000; i++) {
        char set[20], key[60];
        snprintf(set, sizeof set, "S%d", i);
        snprintf(key, sizeof key, "%s|2018-01-01", set);
        const struct rule_text record = rule_text(set, DAY_2018_01_01, i % 2 ? "bad" : "one"); /* each bad one looks into the tables */
        assert_int_equal(put(tables, RULES, key, &record, i), i % 2 ? TABLE_PUT_BAD : TABLE_PUT_GOOD);
    }
    assert_int_equal(tables_position(tables, RULES), 0);
    assert_int_equal(put(tables, RULES, "GL|2018-01-01", &rules, 20000), TABLE_PUT_GOOD);
    commit(tables, -1, 20001);
    assert_int_equal(tables_entries(tables, RULES), 20001);
    assert_int_equal(tables_stale(tables, RULES), 10000);
    assert_true(load(tables, 0, 50000, 5));
    assert_loaded(tables, 50000, 5);
    assert_true(load(tables, 0, 50000, 6));
    assert_loaded(tables, 50000, 6);
    assert_rules(tables, "S19998", DAY_2018_01_01, "one");
    assert_rules(tables, "S19999", DAY_2018_01_01, "");
    tables_close(tables);
}

static void full_disk_is_an_error(void **unused) {
    (void)unused;
    assert_int_equal(mkdir(path_in("disk"), 0700), 0);
    if (mount("tmpfs", path_in("disk"), "tmpfs", 0, "size=5m") != 0) {
        print_message("skipped: no small disk can be mounted here: %s\n", strerror(errno));
        skip();
    }
    struct tables *tables = open_with(path_in("disk/tables"), 0, 0);
    assert_non_null(tables);
    assert_true(load(tables, 0, CODES, 1));
    assert_false(load(tables, CODES, 20 * CODES, 2));
    assert_non_null(strstr(error.text, "no room on the disk"));
    assert_int_equal(put(tables, TAX_CODES, "1000|V21|2018-01-01", NULL, 3), TABLE_PUT_FAILED); /* begin again */
    assert_int_equal(tables_position(tables, TAX_CODES), 2);
    assert_rate(tables, "1000|T00000", DAY_2018_01_01, 1);
    tables_close(tables);
    tables = open_with(path_in("disk/tables"), 0, 0);
    assert_int_equal(tables_position(tables, TAX_CODES), 2);
    assert_rate(tables, "1000|T00000", DAY_2018_01_01, 1);
    tables_close(tables);
    assert_int_equal(umount(path_in("disk")), 0);
}

/* ---- against a model: every record of every key in one list, looked through from one end to the other ---- */

enum { MODEL_IDS = 12, MODEL_DAYS = 20 };
enum { NOTHING, GOOD, ENDED, STALE };
struct model { int kind[2][MODEL_IDS][MODEL_DAYS]; int64_t value[2][MODEL_IDS][MODEL_DAYS], offset; };

static const char *const ids[MODEL_IDS] = {"a", "ab", "b", "b|", "b|c", "%", "%2", "Z", "z", "\x01", "\xc3\xbc", "0"};
static const char *const encoded[MODEL_IDS] = {"a", "ab", "b", "b%7C", "b%7Cc", "%25", "%252", "Z", "z", "\x01", "\xc3\xbc", "0"};
static const char *const days[MODEL_DAYS] = { /* from 2020-02-20 on, each day */
    "2020-02-20", "2020-02-21", "2020-02-22", "2020-02-23", "2020-02-24", "2020-02-25", "2020-02-26", "2020-02-27", "2020-02-28", "2020-02-29",
    "2020-03-01", "2020-03-02", "2020-03-03", "2020-03-04", "2020-03-05", "2020-03-06", "2020-03-07", "2020-03-08", "2020-03-09", "2020-03-10"};

static void compare(struct tables *tables, const struct model *model) {
    uint64_t entries[2] = {0}, stale[2] = {0};
    for (int table = 0; table < 2; table++)
        for (int id = 0; id < MODEL_IDS; id++) {
            char key[40], text[30];
            int at = -1; /* the newest on or before the day */
            snprintf(key, sizeof key, "%s%s", table == TAX_CODES ? "1000|" : "", encoded[id]);
            for (int day = -1; day < MODEL_DAYS; day++) {
                if (day >= 0 && model->kind[table][id][day] != NOTHING) {
                    at = day;
                    entries[table]++;
                    stale[table] += model->kind[table][id][day] == STALE;
                }
                int kind = at < 0 ? NOTHING : model->kind[table][id][at];
                int64_t value = kind == GOOD ? model->value[table][id][at] : kind == STALE ? -2 : -1;
                snprintf(text, sizeof text, "%lld", (long long)value);
                if (table == TAX_CODES) assert_rate(tables, key, DAY_2020_02_28 - 8 + day, value);
                else assert_rules(tables, key, DAY_2020_02_28 - 8 + day, value == -1 ? NULL : value == -2 ? "" : text);
            }
        }
    for (size_t table = 0; table < 2; table++) {
        assert_int_equal(tables_entries(tables, table), entries[table]);
        assert_int_equal(tables_stale(tables, table), stale[table]);
    }
}

static void change_random(struct tables *tables, struct model *model) {
    int table = (int)random_below(2), id = (int)random_below(MODEL_IDS), day = (int)random_below(MODEL_DAYS), kind = (int)random_below(4);
    int *known = &model->kind[table][id][day];
    char key[60], text[30];
    snprintf(key, sizeof key, "%s%s|%s", table == TAX_CODES ? "1000|" : "", encoded[id], days[day]);
    model->offset++;
    if (kind == NOTHING) {
        assert_int_equal(tables_remove(tables, (size_t)table, slice_of(key), model->offset, &error), TABLE_PUT_GOOD);
        *known = NOTHING;
        return;
    }
    int64_t value = (int64_t)random_below(100000);
    snprintf(text, sizeof text, "%s%lld", kind == STALE ? "bad" : "", (long long)value);
    struct tax_code tax = tax_code(ids[id], DAY_2020_02_28 - 8 + day, value);
    struct rule_text rules = rule_text(ids[id], DAY_2020_02_28 - 8 + day, text);
    if (kind == ENDED) tax.status = rules.status = SLICE("ended");
    if (kind == STALE) tax.source = SLICE("excel");
    const void *record = table == TAX_CODES ? (const void *)&tax : &rules;
    if (kind == STALE && random_below(2)) record = NULL;
    assert_int_equal(put(tables, (size_t)table, key, record, model->offset), kind == STALE ? TABLE_PUT_BAD : TABLE_PUT_GOOD);
    if (kind == STALE && table == RULES && (*known == GOOD || *known == ENDED)) return; /* the good one stays */
    *known = kind;
    model->value[table][id][day] = value;
}

static void behaves_as_a_model(void **unused) {
    (void)unused;
    static struct model model;
    random_start();
    memset(&model, 0, sizeof model);
    struct tables *tables = open_tables();
    for (int step = 0; step < 600; step++) {
        begin(tables);
        for (uint64_t count = random_below(20); count > 0; count--) change_random(tables, &model);
        commit(tables, model.offset, model.offset);
        if (step % 10 == 0) compare(tables, &model);
        if (random_below(40) == 0) {
            tables_close(tables);
            assert_int_equal(rules_alive, 0);
            tables = open_tables();
            assert_null(tables_rebuilt_because(tables));
            assert_int_equal(tables_position(tables, RULES), model.offset);
            compare(tables, &model);
        }
    }
    compare(tables, &model);
    tables_close(tables);
    assert_int_equal(rules_alive, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_scratch, delete_scratch)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(goes_on_where_it_was), TEST(a_batch_given_up_leaves_no_trace), TEST(survives_kill), TEST(killed_and_machine_restarted_is_read_anew),
        TEST(old_checkpoint_is_read_anew), TEST(other_configuration_is_read_anew), TEST(impossible_tables_are_refused), TEST(damage_is_never_an_answer),
        TEST(truncated_file_is_read_anew), TEST(large_batch_is_written_in_parts), TEST(full_disk_is_an_error), TEST(behaves_as_a_model),
    };
    return cmocka_run_group_tests_name("tables_load", tests, make_types, free_types);
}
