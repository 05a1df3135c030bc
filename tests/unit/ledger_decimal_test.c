/* Decimals: against vectors of Python's fractions, against hand-computed values, at the edges of int64, and there and back as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/ledger/decimal.h"
#include "tests/unit/random_numbers.h"

static enum decimal_rounding rounding_named(const char *name) {
    static const char *const names[] = {"half_up", "half_even", "down", "exact"};
    for (int i = 0; i < 4; i++)
        if (strcmp(names[i], name) == 0) return (enum decimal_rounding)i;
    fail_msg("rounding %s", name);
    return DECIMAL_EXACT;
}

static void agrees_with_python(void **state) {
    (void)state;
    FILE *file = fopen("tests/unit/ledger_decimal_vectors.tsv", "r");
    assert_non_null(file);
    char line[256], operation[16], rounding[16], expected[32];
    int64_t a, b, c;
    int a_scale, b_scale, scale, count = 0;
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#') continue;
        assert_int_equal(sscanf(line, "%15s %" SCNd64 " %d %" SCNd64 " %d %" SCNd64 " %d %15s %31s", operation, &a, &a_scale, &b, &b_scale, &c, &scale,
                                rounding, expected), 9);
        enum decimal_rounding mode = rounding_named(rounding);
        struct decimal_exact exact;
        int64_t result = 4711;
        bool ok = strcmp(operation, "multiply") == 0 ? decimal_multiply(a, a_scale, b, b_scale, scale, mode, &result)
                  : strcmp(operation, "divide") == 0 ? decimal_divide(a, a_scale, b, b_scale, scale, mode, &result)
                  : strcmp(operation, "share") == 0  ? decimal_share(a, a_scale, b, c, &exact) && decimal_round(exact, scale, mode, &result)
                                                     : decimal_rescale(a, a_scale, scale, mode, &result);
        bool fails = strcmp(expected, "fails") == 0;
        if (ok == fails || result != (fails ? 4711 : strtoll(expected, NULL, 10))) fail_msg("%s gives %d %" PRId64, line, ok, result);
        count++;
    }
    fclose(file);
    assert_int_equal(count, 1200);
}

static void rounds_halves_by_name(void **state) {
    (void)state;
    static const struct { int64_t value; int64_t half_up, half_even, down; } cases[] = {
        {25, 3, 2, 2}, {35, 4, 4, 3}, {-25, -3, -2, -2}, {-35, -4, -4, -3}, {24, 2, 2, 2}, {26, 3, 3, 2}, {-5, -1, 0, 0}, {5, 1, 0, 0}, {0, 0, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t result;
        assert_true(decimal_rescale(cases[i].value, 1, 0, DECIMAL_HALF_UP, &result));
        assert_int_equal(result, cases[i].half_up);
        assert_true(decimal_rescale(cases[i].value, 1, 0, DECIMAL_HALF_EVEN, &result));
        assert_int_equal(result, cases[i].half_even);
        assert_true(decimal_rescale(cases[i].value, 1, 0, DECIMAL_DOWN, &result));
        assert_int_equal(result, cases[i].down);
    }
}

static void stops_at_the_edges(void **state) {
    (void)state;
    int64_t result = 7;
    assert_true(decimal_add(DECIMAL_MAXIMUM - 1, 1, &result));
    assert_int_equal(result, DECIMAL_MAXIMUM);
    result = 7;
    assert_false(decimal_add(DECIMAL_MAXIMUM, 1, &result));
    assert_false(decimal_add(-DECIMAL_MAXIMUM, -1, &result));
    assert_false(decimal_subtract(-DECIMAL_MAXIMUM, 1, &result));
    assert_false(decimal_add(INT64_MAX, -1, &result)); /* outside of the range already */
    assert_false(decimal_multiply(DECIMAL_MAXIMUM, 0, 2, 0, 0, DECIMAL_HALF_UP, &result));
    /* 2^62 × 2^62 × 10^18 is 0 in 128 bits. */
    assert_false(decimal_multiply(INT64_C(1) << 62, 0, INT64_C(1) << 62, 0, 18, DECIMAL_HALF_UP, &result));
    assert_false(decimal_divide(1, 0, 0, 0, 0, DECIMAL_HALF_UP, &result));
    assert_false(decimal_rescale(DECIMAL_MAXIMUM, 0, 1, DECIMAL_HALF_UP, &result));
    assert_false(decimal_rescale(1, 19, 0, DECIMAL_HALF_UP, &result));
    assert_int_equal(result, 7);
    /* 9,223,372,036,854,775,806 × 9,223,372,036,854,775,806 / 9,223,372,036,854,775,806: the product has 126 bits, the result fits. */
    struct decimal_exact exact;
    assert_true(decimal_share(DECIMAL_MAXIMUM, 0, DECIMAL_MAXIMUM, DECIMAL_MAXIMUM, &exact));
    assert_true(decimal_round(exact, 0, DECIMAL_EXACT, &result));
    assert_int_equal(result, DECIMAL_MAXIMUM);
}

static void refuses_what_is_no_number(void **state) {
    (void)state;
    static const int64_t marks[] = {DECIMAL_OVERFLOW, DECIMAL_INEXACT, INT64_MAX};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        int64_t result = 7;
        struct decimal_exact exact;
        assert_false(decimal_is_number(marks[i]));
        assert_false(decimal_add(marks[i], 1, &result));
        assert_false(decimal_add(1, marks[i], &result));
        assert_false(decimal_subtract(1, marks[i], &result));
        assert_false(decimal_subtract(marks[i], 1, &result));
        assert_false(decimal_negate(marks[i], &result));
        assert_false(decimal_multiply(marks[i], 0, 0, 0, 0, DECIMAL_HALF_UP, &result));
        assert_false(decimal_divide(0, 0, marks[i], 0, 0, DECIMAL_HALF_UP, &result));
        assert_false(decimal_rescale(marks[i], 0, 0, DECIMAL_HALF_UP, &result));
        assert_false(decimal_share(1, 0, marks[i], 1, &exact));
        assert_false(decimal_share(1, 0, 1, marks[i], &exact));
        assert_int_equal(result, 7);
    }
}

static void compares_over_scales(void **state) {
    (void)state;
    assert_int_equal(decimal_compare(100, 2, 1, 0), 0);
    assert_true(decimal_compare(101, 2, 1, 0) > 0);
    assert_true(decimal_compare(-101, 2, -1, 0) < 0);
    assert_true(decimal_compare(-1, 0, 1, 18) < 0);
    assert_int_equal(decimal_compare(0, 0, 0, 18), 0);
    assert_true(decimal_compare(DECIMAL_MAXIMUM, 0, DECIMAL_MAXIMUM, 18) > 0);
}

static void reads_text_strictly(void **state) {
    (void)state;
    static const struct { const char *text; int scale; enum decimal_reading reading; int64_t value; } cases[] = {
        {"100.00", 4, DECIMAL_READ, 1000000},
        {"-0", 4, DECIMAL_READ, 0},
        {"-0.0000", 4, DECIMAL_READ, 0},
        {"+1.5", 4, DECIMAL_READ, 15000},
        {"0.0001", 4, DECIMAL_READ, 1},
        {"-12.3400", 2, DECIMAL_READ, -1234},
        {"00000000000000012", 4, DECIMAL_READ, 120000},
        {"1.000000000000000000000000", 0, DECIMAL_READ, 1},
        {"999999999999999999", 0, DECIMAL_READ, DECIMAL_MAXIMUM},
        {"-999999999999999999", 0, DECIMAL_READ, -DECIMAL_MAXIMUM},
        {"99999999999999.9999", 4, DECIMAL_READ, DECIMAL_MAXIMUM},
        {"1000000000000000000", 0, DECIMAL_TOO_LARGE, 0},
        {"9223372036854775807", 0, DECIMAL_TOO_LARGE, 0},
        {"-9223372036854775808", 0, DECIMAL_TOO_LARGE, 0},
        {"100000000000000", 4, DECIMAL_TOO_LARGE, 0},
        {"100000000000000000000000000000000000000000", 0, DECIMAL_TOO_LARGE, 0},
        {"0.00001", 4, DECIMAL_TOO_PRECISE, 0},
        {"1.23456", 4, DECIMAL_TOO_PRECISE, 0},
        {"1.5", 0, DECIMAL_TOO_PRECISE, 0},
        {"", 4, DECIMAL_NOT_A_NUMBER, 0},
        {"-", 4, DECIMAL_NOT_A_NUMBER, 0},
        {"+-1", 4, DECIMAL_NOT_A_NUMBER, 0},
        {" 1", 4, DECIMAL_NOT_A_NUMBER, 0},
        {"1 ", 4, DECIMAL_NOT_A_NUMBER, 0},
        {"1.", 4, DECIMAL_NOT_A_NUMBER, 0},
        {".5", 4, DECIMAL_NOT_A_NUMBER, 0},
        {"1,5", 4, DECIMAL_NOT_A_NUMBER, 0},
        {"1.000.00", 4, DECIMAL_NOT_A_NUMBER, 0},
        {"1e3", 4, DECIMAL_NOT_A_NUMBER, 0},
        {"0x10", 4, DECIMAL_NOT_A_NUMBER, 0},
        {"NaN", 4, DECIMAL_NOT_A_NUMBER, 0},
        {"1.99999x", 4, DECIMAL_NOT_A_NUMBER, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value = 0;
        enum decimal_reading reading = decimal_parse(slice_of(cases[i].text), cases[i].scale, &value);
        if (reading != cases[i].reading || value != cases[i].value) fail_msg("\"%s\" at %d: %d %" PRId64, cases[i].text, cases[i].scale, reading, value);
    }
    int64_t value;
    assert_int_equal(decimal_parse((struct slice){"1\0", 2}, 4, &value), DECIMAL_NOT_A_NUMBER);
}

static void prints(void **state) {
    (void)state;
    static const struct { int64_t value; int scale, minimum; const char *text; } cases[] = {
        {1000000, 4, 2, "100.00"}, {-12345, 4, 2, "-1.2345"}, {12340, 4, 2, "1.234"}, {0, 4, 0, "0"}, {0, 4, 2, "0.00"}, {-1, 4, 4, "-0.0001"},
        {5, 0, 0, "5"}, {10, 0, 0, "10"}, {10, 1, 0, "1"}, {-1, 18, 0, "-0.000000000000000001"}, {DECIMAL_MAXIMUM, 0, 0, "999999999999999999"},
        {-DECIMAL_MAXIMUM, 18, 18, "-0.999999999999999999"}, {DECIMAL_OVERFLOW, 4, 2, "overflow"}, {DECIMAL_INEXACT, 4, 2, "inexact"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[DECIMAL_TEXT_SIZE];
        size_t length = decimal_print(cases[i].value, cases[i].scale, cases[i].minimum, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(length, strlen(text));
    }
}

static void reads_what_it_prints(void **state) {
    (void)state;
    random_seed("reads_what_it_prints");
    for (int i = 0; i < 100000; i++) {
        int64_t value = random_magnitude(59) * (random_below(2) ? 1 : -1), back = 0;
        int scale = (int)random_below(19), minimum = (int)random_below(scale + 1);
        char text[DECIMAL_TEXT_SIZE];
        size_t length = decimal_print(value, scale, minimum, text);
        assert_int_equal(decimal_parse((struct slice){text, length}, scale, &back), DECIMAL_READ);
        if (back != value) fail_msg("%" PRId64 " at %d became %s", value, scale, text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_python), cmocka_unit_test(rounds_halves_by_name), cmocka_unit_test(stops_at_the_edges),
        cmocka_unit_test(refuses_what_is_no_number), cmocka_unit_test(compares_over_scales), cmocka_unit_test(reads_text_strictly),
        cmocka_unit_test(prints), cmocka_unit_test(reads_what_it_prints)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
