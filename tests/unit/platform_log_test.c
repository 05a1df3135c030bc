/* The log: a line is a line whatever is in it, and a flood is counted. JSON is checked with jansson, another implementation. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "common/platform/log.h"
#include "tests/unit/random_numbers.h"

static FILE *lines;

static int begin(void **state) {
    (void)state;
    lines = tmpfile();
    log_to(fileno(lines));
    return 0;
}

static int end(void **state) {
    (void)state;
    log_to(STDERR_FILENO);
    return fclose(lines);
}

/* What was written since begin, in static memory. */
static const char *written(void) {
    static char text[1 << 20];
    rewind(lines);
    size_t length = fread(text, 1, sizeof text - 1, lines);
    text[length] = 0;
    return text;
}

static json_t *only_line(void) {
    const char *text = written();
    size_t length = strlen(text);
    assert_true(length > 0 && length <= LOG_LINE_SIZE && text[length - 1] == '\n');
    assert_ptr_equal(strchr(text, '\n'), text + length - 1);
    json_error_t error;
    json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!line) fail_msg("%s: %s", error.text, text);
    return line;
}

static const char *text_of(const json_t *line, const char *key) { return json_string_value(json_object_get(line, key)); }

static void writes_json(void **state) {
    (void)state;
    log_start(LOG_LEVEL_INFO, LOG_FORMAT_JSON, "kontor-test");
    log_info_with("partition_assigned", LOG_FIELDS(LOG_TEXT("topic", "invoice.events"), LOG_INTEGER("partition", -3), LOG_SLICE("key", SLICE("E1|S\"1"))),
                  "took over %d partitions", 4);
    json_t *line = only_line();
    assert_string_equal(text_of(line, "level"), "info");
    assert_string_equal(text_of(line, "process"), "kontor-test");
    assert_string_equal(text_of(line, "event"), "partition_assigned");
    assert_string_equal(text_of(line, "message"), "took over 4 partitions");
    assert_string_equal(text_of(line, "topic"), "invoice.events");
    assert_string_equal(text_of(line, "key"), "E1|S\"1");
    assert_int_equal(json_integer_value(json_object_get(line, "partition")), -3);
    assert_int_equal(json_object_size(line), 8);
    int year, month, day, hour, minute, second, millisecond, used = 0;
    assert_int_equal(sscanf(text_of(line, "ts"), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &year, &month, &day, &hour, &minute, &second, &millisecond, &used), 7);
    assert_int_equal(used, 24);
    json_decref(line);
}

static void writes_for_people(void **state) {
    (void)state;
    log_start(LOG_LEVEL_DEBUG, LOG_FORMAT_HUMAN, "kontor-test");
    log_debug_with("probe", LOG_FIELDS(LOG_TEXT("plain", "a:b"), LOG_TEXT("blank", "a b"), LOG_TEXT("empty", ""), LOG_INTEGER("n", 7)), "it's \"here\": %s", "x\ny\x1b");
    const char *text = written();
    assert_string_equal(text + 24, " debug   probe: it's \"here\": x\\ny\\x1b plain=a:b blank=\"a b\" empty=\"\" n=7\n");
}

static void filters_by_level(void **state) {
    (void)state;
    log_start(LOG_LEVEL_WARNING, LOG_FORMAT_HUMAN, NULL);
    assert_false(log_enabled(LOG_LEVEL_INFO));
    log_debug("a", "not this");
    log_info("b", "nor this");
    log_warning("c", "this");
    log_error("d", "and this");
    const char *text = written();
    assert_null(strstr(text, "not this"));
    assert_null(strstr(text, "nor this"));
    assert_non_null(strstr(text, " warning c: this\n"));
    assert_non_null(strstr(text, " error   d: and this\n"));
}

static void keeps_errno(void **state) {
    (void)state;
    log_start(LOG_LEVEL_INFO, LOG_FORMAT_HUMAN, NULL);
    errno = ENOENT;
    log_info("open", "cannot: %m");
    assert_int_equal(errno, ENOENT);
    assert_non_null(strstr(written(), "open: cannot: No such file or directory\n"));
}

static void say(int number) { log_warning("flood", "number %d", number); }

static void counts_a_flood(void **state) {
    (void)state;
    log_start(LOG_LEVEL_INFO, LOG_FORMAT_JSON, NULL);
    for (int i = 0; i < 1000; i++) say(i);
    log_warning("other", "another place still speaks");
    log_finish();
    const char *text = written();
    int seen = 0, others = 0;
    json_int_t suppressed = 0;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        json_error_t error;
        json_t *object = json_loads(line, JSON_DISABLE_EOF_CHECK, &error);
        assert_non_null(object);
        if (strcmp(text_of(object, "event"), "flood") == 0) seen++;
        else others++;
        suppressed += json_integer_value(json_object_get(object, "suppressed"));
        json_decref(object);
    }
    assert_int_equal(seen, LOG_RATE_LINES + 1); /* the last one says how many */
    assert_int_equal(others, 1);
    assert_int_equal(suppressed, 1000 - LOG_RATE_LINES);
    log_finish(); /* nothing is left to say */
    assert_int_equal(strlen(written()), strlen(text));
}

/* One call site for each line, so that none is suppressed. */
static void write_once(enum log_level level, struct log_fields fields, const char *message) {
    static struct log_site sites[10000];
    static size_t count;
    log_write(&sites[count++], level, "random", fields, "%s", message);
}

static void cuts_what_is_too_long(void **state) {
    (void)state;
    log_start(LOG_LEVEL_INFO, LOG_FORMAT_JSON, "kontor-test");
    static char long_text[10000];
    memset(long_text, 'x', sizeof long_text - 1);
    log_info_with("long", LOG_FIELDS(LOG_TEXT("a", long_text), LOG_INTEGER("b", 1)), "%s", long_text);
    json_t *line = only_line();
    assert_true(json_is_true(json_object_get(line, "truncated")));
    assert_true(strlen(text_of(line, "message")) >= 2000);
    assert_true(strlen(text_of(line, "a")) >= 1000);
    assert_null(json_object_get(line, "b"));
    json_decref(line);
}

static void stays_one_valid_line(void **state) {
    (void)state;
    random_seed("stays_one_valid_line");
    for (int n = 0; n < 5000; n++) {
        assert_int_equal(ftruncate(fileno(lines), 0), 0);
        lseek(fileno(lines), 0, SEEK_SET);
        char message[3000], value[5000];
        size_t message_length = (size_t)random_below(random_below(2) ? 50 : 2999), value_length = (size_t)random_below(random_below(2) ? 50 : 5000);
        int spread = random_below(2) ? 256 : 128;
        for (size_t i = 0; i < message_length; i++) message[i] = (char)(random_below(spread - 1) + 1);
        message[message_length] = 0;
        for (size_t i = 0; i < value_length; i++) value[i] = (char)random_below(spread);
        log_start(LOG_LEVEL_INFO, LOG_FORMAT_JSON, random_below(2) ? "p" : NULL);
        write_once(LOG_LEVEL_INFO, LOG_FIELDS(LOG_SLICE("value", ((struct slice){value, value_length})), LOG_INTEGER("n", INT64_MIN), LOG_SLICE("again", ((struct slice){value, value_length}))), message);
        json_t *line = only_line();
        /* Text that is short and ASCII comes back as it was. */
        if (spread == 128 && message_length < 50) assert_string_equal(text_of(line, "message"), message);
        json_decref(line);
        assert_int_equal(ftruncate(fileno(lines), 0), 0);
        lseek(fileno(lines), 0, SEEK_SET);
        log_start(LOG_LEVEL_INFO, LOG_FORMAT_HUMAN, NULL);
        write_once(LOG_LEVEL_INFO, LOG_FIELDS(LOG_SLICE("value", ((struct slice){value, value_length}))), message);
        const char *text = written();
        size_t length = strlen(text);
        assert_true(length <= LOG_LINE_SIZE && text[length - 1] == '\n' && strchr(text, '\n') == text + length - 1);
    }
}

static void *speak(void *context) {
    for (int i = 0; i < 500; i++) {
        struct log_site *site = &((struct log_site *)context)[i];
        log_write(site, LOG_LEVEL_INFO, "thread", LOG_FIELDS(LOG_INTEGER("i", i)), "a sentence that is long enough to be torn apart, if it could be");
    }
    return NULL;
}

static void does_not_mix_threads(void **state) {
    (void)state;
    static struct log_site sites[4][500];
    log_start(LOG_LEVEL_INFO, LOG_FORMAT_JSON, "kontor-test");
    pthread_t threads[4];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    log_to(ends[1]);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, speak, sites[i]), 0);
    FILE *reader = fdopen(ends[0], "r");
    char line[LOG_LINE_SIZE + 1];
    for (int i = 0; i < 2000; i++) {
        assert_non_null(fgets(line, sizeof line, reader));
        json_error_t error;
        json_t *object = json_loads(line, 0, &error);
        assert_non_null(object);
        json_decref(object);
    }
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    log_to(STDERR_FILENO);
    fclose(reader);
    close(ends[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_json, begin, end), cmocka_unit_test_setup_teardown(writes_for_people, begin, end),
        cmocka_unit_test_setup_teardown(filters_by_level, begin, end), cmocka_unit_test_setup_teardown(keeps_errno, begin, end),
        cmocka_unit_test_setup_teardown(counts_a_flood, begin, end), cmocka_unit_test_setup_teardown(cuts_what_is_too_long, begin, end),
        cmocka_unit_test_setup_teardown(stays_one_valid_line, begin, end), cmocka_unit_test_setup_teardown(does_not_mix_threads, begin, end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
