/* Amounts and their conversion: hand-computed values for currencies of 0, 2, 3 and 4 digits, bounds of there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/ledger/fx.h"
#include "tests/unit/random_numbers.h"

#define EUR CURRENCY("EUR")
#define JPY CURRENCY("JPY")
#define KWD CURRENCY("KWD")
#define CLF CURRENCY("CLF")

static void knows_the_minor_unit(void **state) {
    (void)state;
    assert_int_equal(money_minor_unit_e4(EUR), 100);
    assert_int_equal(money_minor_unit_e4(JPY), 10000);
    assert_int_equal(money_minor_unit_e4(KWD), 10);
    assert_int_equal(money_minor_unit_e4(CLF), 1);
    assert_int_equal(money_minor_unit_e4(CURRENCY("XAU")), 0);
    assert_true(money_precise(123400, EUR));   /* 12.34 */
    assert_false(money_precise(123450, EUR));  /* 12.345 */
    assert_true(money_precise(123450, KWD));
    assert_false(money_precise(123456, KWD));
    assert_true(money_precise(123456, CLF));
    assert_true(money_precise(-120000, JPY));
    assert_false(money_precise(123000, JPY));
    assert_true(money_precise(0, JPY));
    assert_false(money_precise(0, CURRENCY("XAU")));
    assert_false(money_precise(DECIMAL_OVERFLOW, CLF));
    assert_false(money_precise(DECIMAL_INEXACT, CLF));
    assert_true(money_precise(MONEY_MAXIMUM_E4, CLF));
    assert_false(money_precise(MONEY_MAXIMUM_E4 + 1, CLF));
}

static void rounds_once_to_the_minor_unit(void **state) {
    (void)state;
    int64_t amount_e4 = 7;
    assert_true(money_from(12345, 3, EUR, &amount_e4)); /* 12.345 -> 12.35 */
    assert_int_equal(amount_e4, 123500);
    assert_true(money_from(-12345, 3, EUR, &amount_e4));
    assert_int_equal(amount_e4, -123500);
    assert_true(money_from(12344999, 6, EUR, &amount_e4)); /* not 12.345 first and then 12.35 */
    assert_int_equal(amount_e4, 123400);
    assert_true(money_from(5, 1, JPY, &amount_e4)); /* 0.5 -> 1 */
    assert_int_equal(amount_e4, 10000);
    assert_true(money_product(19999, 4, 3500, 3, EUR, &amount_e4)); /* 1.9999 × 3.500 = 6.99965 -> 7.00 */
    assert_int_equal(amount_e4, 70000);
    assert_true(money_product(12345, 4, 1000, 3, KWD, &amount_e4)); /* 1.2345 -> 1.235 */
    assert_int_equal(amount_e4, 12350);
    assert_true(money_share(1000000, 1, 3, EUR, &amount_e4)); /* 100 / 3 */
    assert_int_equal(amount_e4, 333300);
    assert_true(money_share(-1000000, 2, 3, EUR, &amount_e4));
    assert_int_equal(amount_e4, -666700);
    assert_true(money_share(1000000, 19, 100, JPY, &amount_e4));
    assert_int_equal(amount_e4, 190000);
    amount_e4 = 7;
    assert_false(money_share(1000000, 1, 0, EUR, &amount_e4));
    assert_false(money_from(1, 0, CURRENCY("XXX"), &amount_e4));
    assert_false(money_from(DECIMAL_INEXACT, 0, EUR, &amount_e4));
    assert_false(money_product(MONEY_MAXIMUM_E4, 4, 2, 0, EUR, &amount_e4));
    assert_false(money_from(100000000000000, 0, EUR, &amount_e4)); /* 19 digits at scale 4 */
    assert_int_equal(amount_e4, 7);
    assert_true(money_from(99999999999999, 0, EUR, &amount_e4));
    assert_int_equal(amount_e4, INT64_C(999999999999990000));
}

static void prints_the_currencys_digits(void **state) {
    (void)state;
    char text[DECIMAL_TEXT_SIZE];
    money_print(12345000, EUR, text);
    assert_string_equal(text, "1234.50");
    money_print(12350000, JPY, text);
    assert_string_equal(text, "1235");
    money_print(12345, JPY, text);
    assert_string_equal(text, "1.2345");
    money_print(-10, KWD, text);
    assert_string_equal(text, "-0.001");
    money_print(0, CLF, text);
    assert_string_equal(text, "0.0000");
}

static void converts_hand_computed(void **state) {
    (void)state;
    int64_t converted_e4 = 7;
    /* 1,000.00 USD at 0.9123 EUR per USD; at 1.0961 USD per EUR 912.3255... -> 912.33 */
    assert_true(fx_convert(10000000, 9123000000, FX_DIRECT, EUR, &converted_e4));
    assert_int_equal(converted_e4, 9123000);
    assert_true(fx_convert(10000000, 10961000000, FX_INVERSE, EUR, &converted_e4));
    assert_int_equal(converted_e4, 9123300);
    /* 123.45 EUR at 130.01 JPY per EUR = 16,049.7345 -> 16,050 */
    assert_true(fx_convert(1234500, 1300100000000, FX_DIRECT, JPY, &converted_e4));
    assert_int_equal(converted_e4, 160500000);
    /* 16,050 JPY at 130.01 JPY per EUR = 123.4520... -> 123.45 */
    assert_true(fx_convert(160500000, 1300100000000, FX_INVERSE, EUR, &converted_e4));
    assert_int_equal(converted_e4, 1234500);
    /* 100.00 EUR at 0.33665 KWD per EUR = 33.665 exactly; 10.01 EUR = 3.3698665 -> 3.370 */
    assert_true(fx_convert(1000000, 3366500000, FX_DIRECT, KWD, &converted_e4));
    assert_int_equal(converted_e4, 336650);
    assert_true(fx_convert(100100, 3366500000, FX_DIRECT, KWD, &converted_e4));
    assert_int_equal(converted_e4, 33700);
    /* Halves go away from zero: 0.01 × 0.5 = 0.005 */
    assert_true(fx_convert(100, 5000000000, FX_DIRECT, EUR, &converted_e4));
    assert_int_equal(converted_e4, 100);
    assert_true(fx_convert(-100, 5000000000, FX_DIRECT, EUR, &converted_e4));
    assert_int_equal(converted_e4, -100);
    assert_true(fx_convert(0, 5000000000, FX_DIRECT, EUR, &converted_e4));
    assert_int_equal(converted_e4, 0);
    assert_true(fx_convert(MONEY_MAXIMUM_E4, FX_RATE_ONE_E10, FX_DIRECT, CLF, &converted_e4));
    assert_int_equal(converted_e4, MONEY_MAXIMUM_E4);
}

static void refuses_to_convert(void **state) {
    (void)state;
    int64_t converted_e4 = 7;
    assert_false(fx_convert(10000, 0, FX_DIRECT, EUR, &converted_e4));
    assert_false(fx_convert(10000, 0, FX_INVERSE, EUR, &converted_e4));
    assert_false(fx_convert(10000, -1, FX_DIRECT, EUR, &converted_e4));
    assert_false(fx_convert(10000, DECIMAL_INEXACT, FX_DIRECT, EUR, &converted_e4));
    assert_false(fx_convert(DECIMAL_OVERFLOW, FX_RATE_ONE_E10, FX_DIRECT, EUR, &converted_e4));
    assert_false(fx_convert(10000, FX_RATE_ONE_E10, FX_DIRECT, CURRENCY("XAU"), &converted_e4));
    assert_false(fx_convert(MONEY_MAXIMUM_E4, 2 * FX_RATE_ONE_E10, FX_DIRECT, CLF, &converted_e4));
    assert_false(fx_convert(MONEY_MAXIMUM_E4, 1, FX_INVERSE, CLF, &converted_e4));
    assert_int_equal(converted_e4, 7);
}

static void crosses_over_the_euro(void **state) {
    (void)state;
    int64_t rate_e10 = 7;
    /* 1.10 USD and 0.88 GBP per EUR: 0.8 GBP per USD */
    assert_true(fx_cross(11000000000, 8800000000, &rate_e10));
    assert_int_equal(rate_e10, 8000000000);
    /* 3 and 1: 0.3333333333; 3 and 2: 0.6666666667 */
    assert_true(fx_cross(3 * FX_RATE_ONE_E10, FX_RATE_ONE_E10, &rate_e10));
    assert_int_equal(rate_e10, 3333333333);
    assert_true(fx_cross(3 * FX_RATE_ONE_E10, 2 * FX_RATE_ONE_E10, &rate_e10));
    assert_int_equal(rate_e10, 6666666667);
    rate_e10 = 7;
    assert_false(fx_cross(0, 1, &rate_e10));
    assert_false(fx_cross(1, 0, &rate_e10));
    assert_false(fx_cross(DECIMAL_MAXIMUM, 1, &rate_e10)); /* rounds to zero */
    assert_false(fx_cross(1, DECIMAL_MAXIMUM, &rate_e10));
    assert_int_equal(rate_e10, 7);
}

/* There the error is at most half a minor unit of the target; back, that over the rate, and half a minor unit of the source. */
static void comes_back_within_bounds(void **state) {
    (void)state;
    random_seed("comes_back_within_bounds");
    const struct currency currencies[] = {EUR, JPY, KWD, CLF};
    for (int i = 0; i < 200000; i++) {
        struct currency from = currencies[random_below(4)], to = currencies[random_below(4)];
        int64_t from_unit = money_minor_unit_e4(from), to_unit = money_minor_unit_e4(to), there, back;
        int64_t amount_e4 = random_magnitude(40) * from_unit * (random_below(2) ? 1 : -1), rate_e10 = random_below(1000 * FX_RATE_ONE_E10) + 100000000;
        if (!fx_convert(amount_e4, rate_e10, FX_DIRECT, to, &there)) continue;
        assert_true(money_precise(there, to));
        /* 2 × |there × 10^10 - amount × rate| <= unit × 10^10 */
        __int128 error = (__int128)there * FX_RATE_ONE_E10 - (__int128)amount_e4 * rate_e10;
        assert_true(2 * (error < 0 ? -error : error) <= (__int128)to_unit * FX_RATE_ONE_E10);
        if (!fx_convert(there, rate_e10, FX_INVERSE, from, &back)) continue;
        assert_true(money_precise(back, from));
        __int128 off = back - amount_e4;
        assert_true(2 * (off < 0 ? -off : off) * rate_e10 <= (__int128)to_unit * FX_RATE_ONE_E10 + (__int128)from_unit * rate_e10);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_minor_unit), cmocka_unit_test(rounds_once_to_the_minor_unit), cmocka_unit_test(prints_the_currencys_digits),
        cmocka_unit_test(converts_hand_computed), cmocka_unit_test(refuses_to_convert), cmocka_unit_test(crosses_over_the_euro),
        cmocka_unit_test(comes_back_within_bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
