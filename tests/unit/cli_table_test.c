/* Tables of the command line: alignment, separators, what a terminal must not get, JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/table.h"

static char *printed(const struct text_table *table, enum output_format format) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_true(table_print(table, format, out));
    fclose(out);
    return text;
}

static void test_amount_text(void **state) {
    (void)state;
    static const struct { sum_e4 amount; bool separators; const char *expected; } cases[] = {
        {0, false, "0.00"},          {1, false, "0.0001"},          {-1, true, "-0.0001"},      {10000, true, "1.00"},
        {123400, false, "12.34"},    {9999999, true, "999.9999"},   {10000000, true, "1,000.00"}, {-12345678900, true, "-1,234,567.89"},
        {1256169651100, true, "125,616,965.11"}, {1256169651100, false, "125616965.11"}, {12345, true, "1.2345"}, {12350, true, "1.235"},
    };
    char text[AMOUNT_TEXT_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) assert_string_equal(amount_text(cases[i].amount, cases[i].separators, text), cases[i].expected);
    /* The largest sum: 2^127 - 1 = 170141183460469231731687303715884105727 ten-thousandths. */
    sum_e4 largest = (sum_e4)(((unsigned __int128)1 << 127) - 1);
    assert_string_equal(amount_text(largest, true, text), "17,014,118,346,046,923,173,168,730,371,588,410.5727");
    assert_string_equal(amount_text(-largest - 1, false, text), "-17014118346046923173168730371588410.5728");
}

static void test_count_text(void **state) {
    (void)state;
    char text[AMOUNT_TEXT_SIZE];
    assert_string_equal(count_text(0, text), "0");
    assert_string_equal(count_text(999, text), "999");
    assert_string_equal(count_text(255462, text), "255,462");
    assert_string_equal(count_text(-1000, text), "-1,000");
    assert_string_equal(count_text(INT64_MIN, text), "-9,223,372,036,854,775,808");
}

static void test_width(void **state) {
    (void)state;
    assert_int_equal(text_width("abc"), 3);
    assert_int_equal(text_width("Größe"), 5);
    assert_int_equal(text_width("e\xCC\x81"), 1);            /* e and a combining accent */
    assert_int_equal(text_width("\xE6\x9D\xB1\xE4\xBA\xAC"), 4); /* Tokyo in two wide characters */
    assert_int_equal(text_width("\xFFx"), 2);
}

static void test_alignment(void **state) {
    (void)state;
    static const struct table_column columns[] = {{"name", false}, {"count", true}, {"amount", true}};
    struct text_table *table = table_new(columns, 3);
    table_text(table, "Müller");
    table_number(table, 7);
    table_amount(table, 12345600);
    table_text(table, "A");
    table_number(table, 1234567);
    table_amount(table, -500);
    char *text = printed(table, FORMAT_TABLE);
    assert_string_equal(text, "name        count    amount\n"
                              "Müller          7  1,234.56\n"
                              "A       1,234,567     -0.05\n");
    assert_int_equal(table_rows(table), 2);
    free(text);
    table_free(table);
}

static void test_control_characters_are_not_shown(void **state) {
    (void)state;
    static const struct table_column columns[] = {{"name", false}, {"next", false}};
    struct text_table *table = table_new(columns, 2);
    table_text(table, "a\x1B[2Jb\n");
    table_text(table, "\xC2\x9Bx\xFF"); /* CSI as one character of C1, and a byte that is no UTF-8 */
    char *text = printed(table, FORMAT_TABLE);
    assert_string_equal(text, "name     next\na\xEF\xBF\xBD[2Jb\xEF\xBF\xBD  \xEF\xBF\xBDx\xEF\xBF\xBD\n");
    free(text);
    table_free(table);
}

static void test_json(void **state) {
    (void)state;
    static const struct table_column columns[] = {{"topic", false}, {"bad lines", true}, {"amount", true}};
    struct text_table *table = table_new(columns, 3);
    table_text(table, "a\"b");
    table_number(table, 1234);
    table_amount(table, 12345600);
    table_text(table, NULL);
    table_number(table, -1);
    table_amount(table, 0);
    char *text = printed(table, FORMAT_JSON);
    assert_string_equal(text, "[\n  {\n    \"topic\": \"a\\\"b\",\n    \"bad_lines\": 1234,\n    \"amount\": \"1234.56\"\n  },\n"
                              "  {\n    \"topic\": null,\n    \"bad_lines\": -1,\n    \"amount\": \"0.00\"\n  }\n]\n");
    free(text);
    table_free(table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_amount_text), cmocka_unit_test(test_count_text),
        cmocka_unit_test(test_width),       cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_json),        cmocka_unit_test(test_control_characters_are_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
