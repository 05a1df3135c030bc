/* Levenshtein's distance against its definition and the examples of the textbooks, and which name is meant by another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/platform/nearest.h"
#include "tests/unit/random_numbers.h"

static void distances_are_the_textbooks(void **state) {
    (void)state;
    static const struct { const char *a, *b; size_t distance; } rows[] = {
        {"kitten", "sitting", 3}, {"Saturday", "Sunday", 3}, {"flaw", "lawn", 2}, {"intention", "execution", 5}, {"", "", 0}, {"", "abc", 3},
        {"amuont", "amount", 2}, {"abc", "abc", 0}, {"abc", "xyz", 3}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(nearest_distance(rows[i].a, rows[i].b, SIZE_MAX), rows[i].distance);
        assert_int_equal(nearest_distance(rows[i].b, rows[i].a, SIZE_MAX), rows[i].distance);
    }
}

/* The definition, without a table: three ways to begin, the rest in the same way. */
static size_t defined(const char *a, const char *b) {
    if (!*a || !*b) return strlen(a) + strlen(b);
    if (*a == *b) return defined(a + 1, b + 1);
    size_t drop = defined(a + 1, b), insert = defined(a, b + 1), change = defined(a + 1, b + 1);
    size_t fewest = drop < insert ? drop : insert;
    return 1 + (change < fewest ? change : fewest);
}

static void random_word(char word[8]) {
    int64_t length = random_below(8);
    for (int64_t i = 0; i < length; i++) word[i] = (char)('a' + random_below(3));
    word[length] = 0;
}

static void distance_is_as_defined_up_to_the_limit(void **state) {
    (void)state;
    random_seed("platform_nearest_test");
    for (int i = 0; i < 3000; i++) {
        char a[8], b[8];
        random_word(a);
        random_word(b);
        size_t expected = defined(a, b);
        for (size_t limit = 0; limit < 10; limit++) {
            size_t found = nearest_distance(a, b, limit);
            if (found != (expected < limit ? expected : limit)) fail_msg("\"%s\", \"%s\", limit %zu: %zu, not %zu", a, b, limit, found, expected);
        }
    }
}

static void long_names_are_compared_in_their_beginnings(void **state) {
    (void)state;
    char a[300], b[300];
    memset(a, 'a', sizeof a);
    memset(b, 'a', sizeof b);
    a[299] = b[200] = 0;
    assert_int_equal(nearest_distance(a, b, SIZE_MAX), 0);
    b[NEAREST_LETTERS - 1] = 'b';
    assert_int_equal(nearest_distance(a, b, SIZE_MAX), 1);
    memset(b, 'b', 200);
    assert_int_equal(nearest_distance(a, b, SIZE_MAX), NEAREST_LETTERS);
    b[NEAREST_LETTERS] = 0;
    assert_int_equal(nearest_distance("", b, SIZE_MAX), NEAREST_LETTERS);
}

static void names_that_are_meant(void **state) {
    (void)state;
    const char *const names[] = {"suppliers", "accounts", "posting-rules", "periods", NULL};
    assert_string_equal(nearest_word("supplier", names), "suppliers");
    assert_string_equal(nearest_word("acounts", names), "accounts");
    assert_string_equal(nearest_word("posting", names), "posting-rules"); /* what begins like it */
    assert_string_equal(nearest_word("preiods", names), "periods");
    assert_null(nearest_word("warehouses", names));
    assert_null(nearest_word("x", names));
    assert_null(nearest_word("", names));
    const char *const equals[] = {"tab", "tag", NULL}, *const none[] = {NULL};
    assert_string_equal(nearest_word("tax", equals), "tab"); /* the first of equals */
    assert_null(nearest_word("tax", none));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_are_the_textbooks), cmocka_unit_test(distance_is_as_defined_up_to_the_limit),
        cmocka_unit_test(long_names_are_compared_in_their_beginnings), cmocka_unit_test(names_that_are_meant)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
