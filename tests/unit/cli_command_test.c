/* What is typed behind `kontor`: options, words, suggestions, times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/command.h"

static enum exit_status run_nothing(const struct invocation *invocation) {
    (void)invocation;
    return EXIT_DONE;
}

static const char *const words[] = {"apply", "check", NULL};
static const struct option options[] = {
    {"partitions", OPTION_NUMBER, "N", "tasks"}, {"follow", OPTION_FLAG, NULL, "go on"}, {"started", OPTION_TIME, "TIME", "begin"}, {"key", OPTION_TEXT, "KEY", "one key"},
    {NULL, OPTION_FLAG, NULL, NULL},
};
static const struct command command = {.name = "try", .summary = "tries", .usage = "apply|check [FILE]", .description = "", .words = words, .words_minimum = 1,
                                       .words_maximum = 2, .default_format = "table", .options = options, .example = "", .run = run_nothing};

static struct invocation good(int count, const char *const *typed) {
    struct invocation invocation;
    struct error error = {""};
    bool ok = invocation_parse(&invocation, &command, count, (char *const *)(uintptr_t)typed, &error);
    assert_string_equal(error.text, "");
    assert_true(ok);
    return invocation;
}
#define GOOD(...) good(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})

/* It is refused, and the message says `part`. */
static void bad(const char *part, int count, const char *const *typed) {
    struct invocation invocation;
    struct error error = {""};
    assert_false(invocation_parse(&invocation, &command, count, (char *const *)(uintptr_t)typed, &error));
    if (!strstr(error.text, part)) fail_msg("expected \"%s\" in: %s", part, error.text);
}
#define BAD(part, ...) bad(part, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})

static void test_values(void **state) {
    (void)state;
    struct invocation invocation = GOOD("apply", "--partitions", "6", "--follow", "--key=a=b", "file", "--started=2018-01-31T10:00:00.500Z");
    assert_int_equal(invocation.word_count, 2);
    assert_string_equal(invocation.words[1], "file");
    assert_int_equal(option_number(&invocation, "partitions", 32), 6);
    assert_true(option_given(&invocation, "follow"));
    assert_string_equal(option_text(&invocation, "key", ""), "a=b");
    assert_true(option_number(&invocation, "started", 0) == 1517392800500); /* date -u -d 2018-01-31T10:00:00Z +%s */
    assert_int_equal(invocation.format, FORMAT_TABLE);
    invocation = GOOD("check", "--format", "json");
    assert_int_equal(option_number(&invocation, "partitions", 32), 32);
    assert_false(option_given(&invocation, "follow"));
    assert_int_equal(invocation.format, FORMAT_JSON);
    invocation = GOOD("apply", "--", "--follow");
    assert_string_equal(invocation.words[1], "--follow");
    assert_true(GOOD("--help").help);
    assert_true(GOOD("nonsense", "-h").help);
}

static void test_refused(void **state) {
    (void)state;
    BAD("did you mean --partitions", "apply", "--partition", "6");
    BAD("did you mean --follow", "apply", "--folow");
    BAD("--help lists them", "apply", "--xyzzy-plugh");
    BAD("did you mean apply", "aply");
    BAD("something is missing", "--follow");
    BAD("one word too many", "apply", "a", "b");
    BAD("needs a value", "apply", "--partitions");
    BAD("whole number", "apply", "--partitions", "-1");
    BAD("whole number", "apply", "--partitions", "6x");
    BAD("whole number", "apply", "--partitions", "99999999999999999999");
    BAD("takes no value", "apply", "--follow=yes");
    BAD("twice", "apply", "--key", "a", "--key", "b");
    BAD("expected a time", "apply", "--started", "yesterday");
    BAD("table or json", "apply", "--format", "xml");
    BAD("two dashes", "apply", "-f");
}

static void test_times(void **state) {
    (void)state;
    int64_t time_ms;
    char text[TIME_TEXT_SIZE];
    assert_true(time_parse("2018-01-31", &time_ms));
    assert_true(time_ms == 1517356800000); /* date -u -d 2018-01-31 +%s */
    assert_true(time_parse("1517356800000", &time_ms) && time_ms == 1517356800000);
    assert_true(time_parse("2016-02-29T23:59:59Z", &time_ms) && time_ms == 1456790399000);
    assert_string_equal(time_text(1456790399000, text), "2016-02-29T23:59:59Z");
    assert_string_equal(time_text(1517356800007, text), "2018-01-31T00:00:00.007Z");
    assert_string_equal(time_text(-1, text), "1969-12-31T23:59:59.999Z");
    assert_string_equal(date_text(17562, text), "2018-01-31"); /* 1517356800 / 86400 */
    assert_string_equal(date_text(-1, text), "1969-12-31");
    static const char *const wrong[] = {"", "2018-02-30", "2018-13-01", "2018-1-31", "2018-01-31T10:00", "2018-01-31T24:00:00Z", "2018-01-31T10:00:00", "2018-01-31x",
                                        "1234567890123456"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) assert_false(time_parse(wrong[i], &time_ms));
}

/* Every command says what it is, in the words of the house. */
static void test_declarations(void **state) {
    (void)state;
    for (const struct command *const *at = commands; *at; at++) {
        const struct command *declared = *at;
        assert_true(*declared->summary && *declared->description && *declared->example && declared->usage && declared->run);
        static const char *const usual[] = {"table", "json", NULL};
        const char *const *format = declared->formats ? declared->formats : usual;
        while (*format && strcmp(*format, declared->default_format) != 0) format++;
        assert_non_null(*format);
        assert_true(declared->words_maximum <= WORDS_MAXIMUM && declared->words_minimum <= declared->words_maximum);
        assert_ptr_equal(command_find(declared->name), declared);
        char typed[64];
        snprintf(typed, sizeof typed, "kontor %s", declared->name);
        assert_non_null(strstr(declared->example, typed));
        size_t count = 0;
        for (const struct option *option = declared->options; option && option->name; option++, count++) {
            assert_true(*option->help);
            assert_int_equal(option->argument == NULL, option->kind == OPTION_FLAG);
        }
        for (const struct option *option = common_options; option->name; option++) count++;
        assert_true(count <= OPTIONS_MAXIMUM);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_refused), cmocka_unit_test(test_times),
        cmocka_unit_test(test_declarations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
