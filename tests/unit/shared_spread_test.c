/* Spreading a rounded sum: by hand, and that the parts add up and stay within a unit of their shares for random lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "processors/shared/spread.h"
#include "tests/unit/random_numbers.h"

enum { CENT = 100, PER_CENT = 1000000 };

static void by_hand(const int64_t nets_e4[], const int64_t expected_e4[], size_t count, int64_t rate_e4, int64_t whole_e4) {
    struct spread_share shares[8] = {{0}};
    for (size_t i = 0; i < count; i++) shares[i].numerator = (__int128)nets_e4[i] * rate_e4;
    assert_true(spread_out(shares, count, PER_CENT, CENT, whole_e4));
    for (size_t i = 0; i < count; i++) assert_int_equal(shares[i].part_e4, expected_e4[i]);
}

static void spreads_by_largest_remainder(void **state) {
    (void)state;
    /* 0.13 x 19 % = 0.0247 each; 0.07: the first of equals */
    by_hand((int64_t[]){1300, 1300, 1300}, (int64_t[]){300, 200, 200}, 3, 190000, 700);
    /* 1.9019, 1.9038, 1.9076; 5.71 */
    by_hand((int64_t[]){100100, 100200, 100400}, (int64_t[]){19000, 19000, 19100}, 3, 190000, 57100);
    /* -0.0247 each; -0.07 */
    by_hand((int64_t[]){-1300, -1300, -1300}, (int64_t[]){-300, -200, -200}, 3, 190000, -700);
    /* 0.0285 and -0.0285: nothing in all; 0.15 x 19 % */
    by_hand((int64_t[]){1500, -1500}, (int64_t[]){200, -200}, 2, 190000, 0);
    /* 19.006 stated as 19.02: further off than the lines are many */
    by_hand((int64_t[]){1000300}, (int64_t[]){190200}, 1, 190000, 190200);
}

static void refuses_what_cannot_be_spread(void **state) {
    (void)state;
    struct spread_share shares[1] = {{0}};
    assert_false(spread_out(shares, 0, PER_CENT, CENT, CENT));
    assert_true(spread_out(shares, 0, PER_CENT, CENT, 0));
    assert_false(spread_out(shares, 1, PER_CENT, CENT, 50));
    assert_false(spread_out(shares, 1, PER_CENT, 0, CENT));     /* a currency that has no minor unit */
    assert_false(spread_out(shares, 1, 0, CENT, CENT));
}

static void parts_add_up(void **state) {
    (void)state;
    random_seed("parts_add_up");
    for (int round = 0; round < 20000; round++) {
        enum { MOST = 40 };
        struct spread_share shares[MOST] = {{0}};
        size_t count = 1 + (size_t)random_below(MOST);
        int64_t rate_e4 = random_below(300000), parts_e4 = 0;
        __int128 sum = 0;
        for (size_t i = 0; i < count; i++) {
            shares[i].numerator = (__int128)(random_below(200000000) - 20000000) * CENT * rate_e4;
            sum += shares[i].numerator;
        }
        const __int128 unit = (__int128)PER_CENT * CENT;
        int64_t whole_e4 = (int64_t)((sum + (sum < 0 ? -unit / 2 : unit / 2)) / unit) * CENT;
        __int128 exact[MOST];
        for (size_t i = 0; i < count; i++) exact[i] = shares[i].numerator;
        assert_true(spread_out(shares, count, PER_CENT, CENT, whole_e4));
        for (size_t i = 0; i < count; i++) {
            __int128 off = (__int128)shares[i].part_e4 * PER_CENT - exact[i];
            if (off >= unit || -off >= unit) fail_msg("a part is a unit or more off its share");
            parts_e4 += shares[i].part_e4;
        }
        assert_int_equal(parts_e4, whole_e4);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(spreads_by_largest_remainder), cmocka_unit_test(refuses_what_cannot_be_spread), cmocka_unit_test(parts_add_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
