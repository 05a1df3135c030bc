/* decimal: exact numbers with a scale, held as int64: 12.34 at scale 4 is 123400. No floating point.
 *
 * Every function is checked: false means that the result does not fit (AMOUNT_OVERFLOW), that a divisor is zero, or that an operand is no
 * number; the result is then untouched. Intermediates have 128 bits, so a result that fits is never lost on the way.
 * The two values below mark what a decoder could not hold; neither is a number, and arithmetic on them fails. */
#ifndef KONTOR_LEDGER_DECIMAL_H
#define KONTOR_LEDGER_DECIMAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/platform/error.h"
#include "common/platform/slice.h"

#define DECIMAL_OVERFLOW INT64_MIN       /* too large for int64 at our scale */
#define DECIMAL_INEXACT (INT64_MIN + 1)  /* more fraction digits than our scale */
#define DECIMAL_MAXIMUM INT64_C(999999999999999999) /* 18 digits, as every decimal of our schemas has: what is computed can always be written */
enum { DECIMAL_SCALE_MAXIMUM = 18 };

static inline bool decimal_is_number(int64_t value) { return value >= -DECIMAL_MAXIMUM && value <= DECIMAL_MAXIMUM; }

enum decimal_rounding {
    DECIMAL_HALF_UP,   /* to nearest, a half away from zero: the rule for money, see money_round */
    DECIMAL_HALF_EVEN, /* to nearest, a half to the even neighbour */
    DECIMAL_DOWN,      /* toward zero */
    DECIMAL_EXACT      /* digits that would be lost are a failure */
};

MUST_CHECK bool decimal_add(int64_t a, int64_t b, int64_t *sum);
MUST_CHECK bool decimal_subtract(int64_t a, int64_t b, int64_t *difference);
MUST_CHECK bool decimal_negate(int64_t value, int64_t *negated);

/* An exact result before its one rounding: numerator / (denominator × 10^scale). Made by the functions below only. */
struct decimal_exact { bool negative; unsigned __int128 numerator, denominator; int scale; };
MUST_CHECK bool decimal_value(int64_t value, int scale, struct decimal_exact *exact);
MUST_CHECK bool decimal_product(int64_t a, int a_scale, int64_t b, int b_scale, struct decimal_exact *exact);
MUST_CHECK bool decimal_quotient(int64_t a, int a_scale, int64_t b, int b_scale, struct decimal_exact *exact);
/* value × part / whole, as for a share of an amount; part and whole have the same scale. */
MUST_CHECK bool decimal_share(int64_t value, int scale, int64_t part, int64_t whole, struct decimal_exact *exact);
/* Rounds once, to `scale` digits. */
MUST_CHECK bool decimal_round(struct decimal_exact exact, int scale, enum decimal_rounding rounding, int64_t *value);

/* The same in one step. Scales are 0 to DECIMAL_SCALE_MAXIMUM. */
MUST_CHECK bool decimal_multiply(int64_t a, int a_scale, int64_t b, int b_scale, int scale, enum decimal_rounding rounding, int64_t *product);
MUST_CHECK bool decimal_divide(int64_t a, int a_scale, int64_t b, int b_scale, int scale, enum decimal_rounding rounding, int64_t *quotient);
MUST_CHECK bool decimal_rescale(int64_t value, int from_scale, int to_scale, enum decimal_rounding rounding, int64_t *rescaled);

/* Negative, zero or positive as a is less than, equal to or greater than b. Both must be numbers. */
int decimal_compare(int64_t a, int a_scale, int64_t b, int b_scale);

enum decimal_reading {
    DECIMAL_READ,
    DECIMAL_NOT_A_NUMBER,    /* anything but an optional sign, digits, and a point with digits behind it; blanks too */
    DECIMAL_TOO_PRECISE,     /* a digit other than 0 beyond the scale */
    DECIMAL_TOO_LARGE
};
/* "100.00", "+1.5", "-0" (which is 0). No exponent, no grouping, no comma. */
MUST_CHECK enum decimal_reading decimal_parse(struct slice text, int scale, int64_t *value);

enum { DECIMAL_TEXT_SIZE = 24 };
/* Writes the number with at least minimum_digits (at most scale) behind the point, and more only as long as they are not 0: 1000000 at scale 4 with 2 is
 * "100.00". Returns the length. A value that is no number gives "overflow" or "inexact". */
size_t decimal_print(int64_t value, int scale, int minimum_digits, char text[DECIMAL_TEXT_SIZE]);
#endif
