/* state: what is written is there after closing, reading, scanning; what is refused. */
#include "tests/unit/state_support.h"

#include "common/state/state.h"

static const struct state_identity identity = {"invoice", 7, 32, "kontor.invoice.changelog/1"};
static struct error error;
static struct state_opening opening;

static struct state *open_as(const struct state_identity *who, int64_t now_ms, int64_t maximum_age_ms) {
    struct state *state;
    opening = (struct state_opening){{77, 77}, "not set"};
    if (state_open(&state, path_in("7"), who, now_ms, maximum_age_ms, &opening, &error)) return state;
    assert_null(state);
    return NULL;
}

static struct state *open_state(void) {
    struct state *state = open_as(&identity, 0, 0);
    if (!state) fail_msg("%s", error.text);
    return state;
}

/* A sealed value in a ring of buffers. */
static struct slice sealed(struct slice key, const char *body) {
    static char values[64][256];
    static int turn;
    char *value = values[turn = (turn + 1) % 64];
    size_t length = STATE_SEAL_SIZE + strlen(body);
    strcpy(value + STATE_SEAL_SIZE, body);
    state_seal(value, length, key, 4);
    return (struct slice){value, length};
}

static void put(struct state *state, const char *key, const char *body, int64_t position) {
    struct state_change change = {slice_of(key), {0}};
    if (body) change.value = sealed(change.key, body);
    if (!state_apply(state, &change, 1, (struct state_position){position, position * 10}, true, &error)) fail_msg("%s", error.text);
}

static void assert_body(struct state *state, const char *key, const char *expected) {
    struct state_value value;
    enum state_result result = state_get(state, slice_of(key), &value, &error);
    assert_int_equal(result, expected ? STATE_FOUND : STATE_ABSENT);
    if (!expected) return;
    assert_true(slice_equal(value.body, slice_of(expected)));
    assert_int_equal(value.version, 4);
}

/* CRC-32C over key, version byte and body, computed by a program of its own (Python, polynomial 0x82F63B78 reflected): of "order|1", 4, "123456789". */
static void seal_is_as_documented(void **unused) {
    (void)unused;
    static const unsigned char expected[] = {4, 0x1f, 0xcc, 0x43, 0xd5, '1', '2', '3', '4', '5', '6', '7', '8', '9'};
    struct slice value = sealed(SLICE("order|1"), "123456789"), body;
    uint8_t version;
    assert_int_equal(value.length, sizeof expected);
    assert_memory_equal(value.data, expected, sizeof expected);
    assert_true(state_unseal(SLICE("order|1"), value, &body, &version));
    assert_int_equal(version, 4);
    assert_true(slice_equal(body, SLICE("123456789")));
    assert_false(state_unseal(SLICE("order|2"), value, &body, &version));
    assert_false(state_unseal(SLICE("order|1"), (struct slice){value.data, 4}, &body, &version));
    for (size_t i = 0; i < sizeof expected * 8; i++) {
        char copy[sizeof expected];
        memcpy(copy, expected, sizeof copy);
        copy[i / 8] ^= (char)(1 << i % 8);
        assert_false(state_unseal(SLICE("order|1"), (struct slice){copy, sizeof copy}, &body, &version));
    }
}

static void is_empty_at_first(void **unused) {
    (void)unused;
    struct state *state = open_state();
    assert_null(opening.rebuilt_because);
    assert_int_equal(opening.at.position, -1);
    assert_int_equal(state_at(state).position, -1);
    assert_int_equal(state_entries(state), 0);
    assert_body(state, "a", NULL);
    state_close(state);
    state = open_state();
    assert_null(opening.rebuilt_because);
    assert_int_equal(opening.at.position, -1);
    state_close(state);
    state_close(NULL);
}

static void keeps_what_was_applied(void **unused) {
    (void)unused;
    struct state *state = open_state();
    put(state, "a", "one", 5);
    put(state, "b", "", 6);
    put(state, "c", "three", 7);
    put(state, "a", "four", 8);
    put(state, "c", NULL, 9);
    put(state, "never", NULL, 10);
    for (int i = 0; i < 2; i++) {
        assert_body(state, "a", "four");
        assert_body(state, "b", "");
        assert_body(state, "c", NULL);
        assert_int_equal(state_entries(state), 2);
        assert_int_equal(state_at(state).position, 10);
        assert_int_equal(state_at(state).broker_time_ms, 100);
        assert_true(state_bytes(state) == file_size(path_in("7/data.mdb")));
        state_close(state);
        state = open_state();
        assert_null(opening.rebuilt_because);
        assert_int_equal(opening.at.position, 10);
        assert_int_equal(opening.at.broker_time_ms, 100);
    }
    state_close(state);
}

static void later_change_of_a_key_holds(void **unused) {
    (void)unused;
    struct state *state = open_state();
    struct slice key = SLICE("k");
    struct state_change changes[] = {{key, sealed(key, "one")}, {key, {0}}, {key, sealed(key, "two")}, {SLICE("l"), sealed(SLICE("l"), "x")}, {SLICE("l"), {0}}};
    assert_true(state_apply(state, changes, 5, (struct state_position){1, 1}, false, &error));
    assert_body(state, "k", "two");
    assert_body(state, "l", NULL);
    state_close(state);
}

static void clear_empties(void **unused) {
    (void)unused;
    struct state *state = open_state();
    put(state, "a", "one", 5);
    assert_true(state_clear(state, &error));
    assert_int_equal(state_at(state).position, -1);
    assert_body(state, "a", NULL);
    put(state, "b", "two", 1);
    state_close(state);
    state = open_state();
    assert_null(opening.rebuilt_because);
    assert_int_equal(opening.at.position, 1);
    assert_body(state, "a", NULL);
    assert_body(state, "b", "two");
    state_close(state);
}

static bool collect(void *context, struct slice key, struct state_value value) {
    char *text = context;
    assert_int_equal(value.version, 4);
    sprintf(text + strlen(text), SLICE_FORMAT "=" SLICE_FORMAT " ", SLICE_ARGUMENT(key), SLICE_ARGUMENT(value.body));
    return value.body.length == 0 || value.body.data[0] != '!';
}

static void scan_is_by_prefix_in_order(void **unused) {
    (void)unused;
    struct state *state = open_state();
    char text[200] = "";
    assert_int_equal(state_scan(state, SLICE(""), collect, text, &error), STATE_ABSENT);
    put(state, "ab|2", "4", 1);
    put(state, "b", "6", 2);
    put(state, "a", "1", 3);
    put(state, "ab|10", "3", 4);
    put(state, "ab", "2", 5);
    put(state, "ac", "5", 6);
    assert_int_equal(state_scan(state, SLICE("ab"), collect, text, &error), STATE_FOUND);
    assert_string_equal(text, "ab=2 ab|10=3 ab|2=4 ");
    text[0] = '\0';
    assert_int_equal(state_scan(state, SLICE(""), collect, text, &error), STATE_FOUND);
    assert_string_equal(text, "a=1 ab=2 ab|10=3 ab|2=4 ac=5 b=6 ");
    text[0] = '\0';
    assert_int_equal(state_scan(state, SLICE("b|"), collect, text, &error), STATE_ABSENT);
    assert_int_equal(state_scan(state, SLICE("c"), collect, text, &error), STATE_ABSENT);
    put(state, "ab|10", "!", 7);
    assert_int_equal(state_scan(state, SLICE("a"), collect, text, &error), STATE_FOUND);
    assert_string_equal(text, "a=1 ab=2 ab|10=! ");
    state_close(state);
}

static void assert_refused(const struct state_identity *who, const char *word) {
    assert_null(open_as(who, 0, 0));
    if (!strstr(error.text, word)) fail_msg("`%s` does not say `%s`", error.text, word);
    if (!strstr(error.text, path_in("7"))) fail_msg("`%s` does not name the folder", error.text);
}

static void folder_in_use_is_refused(void **unused) {
    (void)unused;
    struct state *state = open_state();
    assert_refused(&identity, "in use");
    put(state, "a", "one", 5);
    state_close(state);
    state = open_state();
    assert_body(state, "a", "one");
    state_close(state);
}

static void identity_is_checked(void **unused) {
    (void)unused;
    struct state *state = open_state();
    put(state, "a", "one", 5);
    state_close(state);
    struct state_identity other = identity;
    other.processor = "payment";
    assert_refused(&other, "processor invoice");
    other = identity;
    other.partition = 8;
    assert_refused(&other, "partition 7");
    other = identity;
    other.partition_count = 64;
    assert_refused(&other, "32 partitions");
    other.partition_count = 31;
    assert_refused(&other, "rekey");
    state = open_state(); /* and nothing happened to it */
    assert_null(opening.rebuilt_because);
    assert_body(state, "a", "one");
    state_close(state);
    other = identity;
    other.changelog_id = "kontor.invoice.changelog/2";
    state = open_as(&other, 0, 0);
    assert_non_null(state);
    assert_string_equal(opening.rebuilt_because, "it followed another changelog topic");
    assert_int_equal(opening.at.position, -1);
    assert_body(state, "a", NULL);
    state_close(state);
    static char name[400];
    memset(name, 'x', sizeof name - 1);
    other.processor = name;
    assert_null(open_as(&other, 0, 0));
}

static void old_state_is_emptied(void **unused) {
    (void)unused;
    const int64_t day = 86400000;
    struct state *state = open_state();
    struct state_change change = {SLICE("a"), sealed(SLICE("a"), "one")};
    assert_true(state_apply(state, &change, 1, (struct state_position){5, 100 * day}, false, &error));
    state_close(state);
    state = open_as(&identity, 107 * day, 7 * day);
    assert_null(opening.rebuilt_because);
    state_close(state);
    state = open_as(&identity, 1000 * day, 0);
    assert_null(opening.rebuilt_because);
    state_close(state);
    state = open_as(&identity, 107 * day + 1, 7 * day);
    assert_non_null(strstr(opening.rebuilt_because, "old"));
    assert_int_equal(opening.at.position, -1);
    assert_body(state, "a", NULL);
    state_close(state);
    state = open_as(&identity, 2000 * day, 7 * day); /* empty has no age */
    assert_null(opening.rebuilt_because);
    state_close(state);
}

static void wrong_changes_change_nothing(void **unused) {
    (void)unused;
    struct state *state = open_state();
    char key[STATE_KEY_MAXIMUM + 2];
    memset(key, 'k', sizeof key);
    struct slice longest = {key, STATE_KEY_MAXIMUM}, longer = {key, STATE_KEY_MAXIMUM + 1};
    struct state_change changes[2] = {{longest, sealed(longest, "x")}, {longer, sealed(longer, "x")}};
    const struct state_position next = {9, 9};
    put(state, "a", "one", 5);
    assert_false(state_apply(state, changes, 2, next, false, &error));
    changes[1].key.length = 0;
    assert_false(state_apply(state, changes, 2, next, false, &error));
    changes[1] = (struct state_change){SLICE("b"), sealed(SLICE("c"), "other key")};
    assert_false(state_apply(state, changes, 2, next, true, &error));
    changes[1].value = SLICE("1234"); /* shorter than a seal */
    assert_false(state_apply(state, changes, 2, next, false, &error));
    assert_false(state_apply(state, changes, 1, (struct state_position){4, 9}, true, &error)); /* back */
    assert_int_equal(state_at(state).position, 5);
    assert_int_equal(state_entries(state), 1);
    assert_true(state_apply(state, changes, 1, next, true, &error));
    struct state_value value;
    assert_int_equal(state_get(state, longest, &value, &error), STATE_FOUND);
    state_close(state);
}

static void age_folder(const char *name, int64_t seconds) {
    struct timespec times[2] = {{.tv_sec = time(NULL) - seconds}, {.tv_sec = time(NULL) - seconds}};
    const char *files[] = {"mark", "data.mdb"};
    for (size_t i = 0; i < 2; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", path_in(name), files[i]);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    }
}

static void make_task(const char *name, int64_t age_s) {
    struct state *state;
    if (!state_open(&state, path_in(name), &identity, 0, 0, &opening, &error)) fail_msg("%s", error.text);
    state_close(state);
    age_folder(name, age_s);
}

static void sweep_deletes_what_nobody_owned(void **unused) {
    (void)unused;
    struct state *used;
    make_task("0", 90000);
    make_task("1", 90000);
    make_task("2", 80000);
    make_task("3", 90000);
    make_task("4", 90000);
    mkdir(path_in("5"), 0700);
    write_text(path_in("5/data.mdb"), "of somebody else");
    write_text(path_in("4/notes"), "of somebody else");
    const struct timespec long_ago[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
    assert_int_equal(utimensat(AT_FDCWD, path_in("5/data.mdb"), long_ago, 0), 0);
    assert_true(state_open(&used, path_in("3"), &identity, 0, 0, &opening, &error));
    age_folder("3", 90000); /* looks unused, is held */
    const char *const keep[] = {"1"};
    state_sweep(scratch, keep, 1, 86400000);
    assert_int_not_equal(access(path_in("0"), F_OK), 0);
    assert_int_equal(access(path_in("1/data.mdb"), F_OK), 0);
    assert_int_equal(access(path_in("2/data.mdb"), F_OK), 0);
    assert_int_equal(access(path_in("3/data.mdb"), F_OK), 0);
    assert_int_not_equal(access(path_in("4/data.mdb"), F_OK), 0);
    assert_int_equal(access(path_in("4/notes"), F_OK), 0);
    assert_int_equal(access(path_in("5/data.mdb"), F_OK), 0);
    assert_int_equal(access(path_in("boot_id"), F_OK), 0);
    state_close(used);
    state_sweep(path_in("nowhere"), keep, 1, 86400000);
}

/* ---- against a model ---- */

enum { MODEL_KEYS = 300 };
struct model { int value[MODEL_KEYS]; int64_t position; }; /* 0: absent */

static struct slice model_body(int key, int value, char *bytes) {
    size_t length = (size_t)(value % 7 == 0 ? value % 9000 : value % 120); /* some on pages of their own */
    for (size_t i = 0; i < length; i++) bytes[STATE_SEAL_SIZE + i] = (char)(key * 31 + value + (int)i);
    return (struct slice){bytes, STATE_SEAL_SIZE + length};
}

static struct slice model_key(int key, char text[32]) {
    return (struct slice){text, (size_t)sprintf(text, "%c|%d|%.*s", 'a' + key % 3, key, key % 17, "xxxxxxxxxxxxxxxxx")};
}

static void compare(struct state *state, const struct model *model) {
    char text[32], expected[10000];
    uint64_t count = 0;
    for (int key = 0; key < MODEL_KEYS; key++) {
        struct state_value value;
        enum state_result result = state_get(state, model_key(key, text), &value, &error);
        assert_int_equal(result, model->value[key] ? STATE_FOUND : STATE_ABSENT);
        if (!model->value[key]) continue;
        struct slice want = model_body(key, model->value[key], expected);
        assert_int_equal(value.body.length, want.length - STATE_SEAL_SIZE);
        assert_memory_equal(value.body.data, want.data + STATE_SEAL_SIZE, value.body.length);
        count++;
    }
    assert_int_equal(state_entries(state), count);
    assert_int_equal(state_at(state).position, model->position);
}

static void apply_random(struct state *state, struct model *model) {
    static char names[40][32], bytes[40][10000];
    struct state_change changes[40];
    size_t count = random_below(41);
    for (size_t i = 0; i < count; i++) {
        int key = (int)random_below(MODEL_KEYS), value = random_below(3) ? (int)random_below(100000) + 1 : 0;
        changes[i] = (struct state_change){model_key(key, names[i]), {0}};
        if (value) {
            changes[i].value = model_body(key, value, bytes[i]);
            state_seal(bytes[i], changes[i].value.length, changes[i].key, 4);
        }
        model->value[key] = value;
    }
    model->position += (int64_t)random_below(3);
    if (!state_apply(state, changes, count, (struct state_position){model->position, 0}, random_below(2), &error)) fail_msg("%s", error.text);
}

static void behaves_as_a_model(void **unused) {
    (void)unused;
    struct model model = {.position = 0};
    random_start();
    struct state *state = open_state();
    for (int step = 0; step < 3000; step++) {
        apply_random(state, &model);
        if (step % 50 == 0) compare(state, &model);
        if (random_below(100) == 0) {
            state_close(state);
            state = open_state();
            assert_null(opening.rebuilt_because);
            compare(state, &model);
        }
        if (random_below(700) == 0) {
            assert_true(state_clear(state, &error));
            model = (struct model){.position = -1};
            compare(state, &model);
            model.position = 0;
        }
    }
    compare(state, &model);
    state_close(state);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_scratch, delete_scratch)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(seal_is_as_documented), TEST(is_empty_at_first), TEST(keeps_what_was_applied), TEST(later_change_of_a_key_holds), TEST(clear_empties),
        TEST(scan_is_by_prefix_in_order), TEST(folder_in_use_is_refused), TEST(identity_is_checked),  TEST(old_state_is_emptied), TEST(wrong_changes_change_nothing), TEST(sweep_deletes_what_nobody_owned), TEST(behaves_as_a_model),
    };
    return cmocka_run_group_tests_name("state_store", tests, NULL, NULL);
}
