#include "common/ledger/decimal.h"

#include <string.h>

typedef unsigned __int128 wide;

static const uint64_t powers[DECIMAL_SCALE_MAXIMUM + 1] = {
    1u, 10u, 100u, 1000u, 10000u, 100000u, 1000000u, 10000000u, 100000000u, 1000000000u, 10000000000u, 100000000000u, 1000000000000u,
    10000000000000u, 100000000000000u, 1000000000000000u, 10000000000000000u, 100000000000000000u, 1000000000000000000u};

/* 10^exponent for 0 to 36: two of the largest power still fit in 120 bits. */
static wide power_of_ten(int exponent) {
    int rest = exponent > DECIMAL_SCALE_MAXIMUM ? exponent - DECIMAL_SCALE_MAXIMUM : 0;
    return (wide)powers[exponent - rest] * powers[rest];
}

static bool is_scale(int scale) { return scale >= 0 && scale <= DECIMAL_SCALE_MAXIMUM; }
static uint64_t magnitude(int64_t value) { return value < 0 ? 0 - (uint64_t)value : (uint64_t)value; }

/* ---- sums ---- */

bool decimal_add(int64_t a, int64_t b, int64_t *sum) {
    int64_t result;
    if (!decimal_is_number(a) || !decimal_is_number(b) || __builtin_add_overflow(a, b, &result) || !decimal_is_number(result)) return false;
    *sum = result;
    return true;
}

bool decimal_subtract(int64_t a, int64_t b, int64_t *difference) {
    return decimal_is_number(b) && decimal_add(a, -b, difference);
}

bool decimal_negate(int64_t value, int64_t *negated) {
    if (!decimal_is_number(value)) return false;
    *negated = -value;
    return true;
}

/* ---- products and quotients, exact until they are rounded ---- */

bool decimal_value(int64_t value, int scale, struct decimal_exact *exact) {
    if (!decimal_is_number(value) || !is_scale(scale)) return false;
    *exact = (struct decimal_exact){.negative = value < 0, .numerator = magnitude(value), .denominator = 1, .scale = scale};
    return true;
}

bool decimal_product(int64_t a, int a_scale, int64_t b, int b_scale, struct decimal_exact *exact) {
    if (!decimal_is_number(a) || !decimal_is_number(b) || !is_scale(a_scale) || !is_scale(b_scale)) return false;
    *exact = (struct decimal_exact){.negative = (a < 0) != (b < 0), .numerator = (wide)magnitude(a) * magnitude(b), .denominator = 1,
                                    .scale = a_scale + b_scale};
    return true;
}

bool decimal_quotient(int64_t a, int a_scale, int64_t b, int b_scale, struct decimal_exact *exact) {
    if (!decimal_is_number(a) || !decimal_is_number(b) || b == 0 || !is_scale(a_scale) || !is_scale(b_scale)) return false;
    *exact = (struct decimal_exact){.negative = (a < 0) != (b < 0), .numerator = magnitude(a), .denominator = magnitude(b), .scale = a_scale - b_scale};
    return true;
}

bool decimal_share(int64_t value, int scale, int64_t part, int64_t whole, struct decimal_exact *exact) {
    if (!decimal_is_number(value) || !decimal_is_number(part) || !decimal_is_number(whole) || whole == 0 || !is_scale(scale)) return false;
    *exact = (struct decimal_exact){.negative = ((value < 0) != (part < 0)) != (whole < 0), .numerator = (wide)magnitude(value) * magnitude(part),
                                    .denominator = magnitude(whole), .scale = scale};
    return true;
}

/* Whether the magnitude goes up by one: `rest` of `denominator` is what was cut off. */
static bool rounds_up(wide quotient, wide rest, wide denominator, enum decimal_rounding rounding) {
    wide missing = denominator - rest;
    if (rounding == DECIMAL_HALF_UP) return rest >= missing;
    if (rounding == DECIMAL_HALF_EVEN) return rest > missing || (rest == missing && (quotient & 1));
    return false;
}

bool decimal_round(struct decimal_exact exact, int scale, enum decimal_rounding rounding, int64_t *value) {
    if (!is_scale(scale) || exact.denominator == 0) return false;
    /* The numerator has at most 126 bits and grows only where the denominator has at most 63: past 128 bits the result would not fit anyway.
     * The denominator is at most 2^63 * 10^18 or 10^36. */
    if (exact.scale >= scale) {
        exact.denominator *= power_of_ten(exact.scale - scale);
    } else {
        wide factor = power_of_ten(scale - exact.scale);
        if (exact.numerator > ~(wide)0 / factor) return false;
        exact.numerator *= factor;
    }
    wide quotient = exact.numerator / exact.denominator, rest = exact.numerator % exact.denominator;
    if (rest != 0 && rounding == DECIMAL_EXACT) return false;
    if (rest != 0 && rounds_up(quotient, rest, exact.denominator, rounding)) quotient++;
    if (quotient > (wide)DECIMAL_MAXIMUM) return false;
    *value = exact.negative ? -(int64_t)quotient : (int64_t)quotient;
    return true;
}

bool decimal_multiply(int64_t a, int a_scale, int64_t b, int b_scale, int scale, enum decimal_rounding rounding, int64_t *product) {
    struct decimal_exact exact;
    return decimal_product(a, a_scale, b, b_scale, &exact) && decimal_round(exact, scale, rounding, product);
}

bool decimal_divide(int64_t a, int a_scale, int64_t b, int b_scale, int scale, enum decimal_rounding rounding, int64_t *quotient) {
    struct decimal_exact exact;
    return decimal_quotient(a, a_scale, b, b_scale, &exact) && decimal_round(exact, scale, rounding, quotient);
}

bool decimal_rescale(int64_t value, int from_scale, int to_scale, enum decimal_rounding rounding, int64_t *rescaled) {
    struct decimal_exact exact;
    return decimal_value(value, from_scale, &exact) && decimal_round(exact, to_scale, rounding, rescaled);
}

int decimal_compare(int64_t a, int a_scale, int64_t b, int b_scale) {
    if ((a < 0) != (b < 0)) return a < 0 ? -1 : 1;
    int scale = a_scale > b_scale ? a_scale : b_scale;
    wide a_wide = magnitude(a) * power_of_ten(scale - a_scale), b_wide = magnitude(b) * power_of_ten(scale - b_scale);
    int order = (a_wide > b_wide) - (a_wide < b_wide);
    return a < 0 ? -order : order;
}

/* ---- text ---- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Whether the text, without its sign, is digits with an optional point and digits behind it. */
static bool is_number_text(struct slice text) {
    size_t whole = 0, fraction = 0;
    while (whole < text.length && is_digit(text.data[whole])) whole++;
    if (whole == text.length) return whole > 0;
    if (text.data[whole] != '.') return false;
    while (whole + 1 + fraction < text.length && is_digit(text.data[whole + 1 + fraction])) fraction++;
    return whole > 0 && fraction > 0 && whole + 1 + fraction == text.length;
}

enum decimal_reading decimal_parse(struct slice text, int scale, int64_t *value) {
    bool negative = text.length > 0 && text.data[0] == '-';
    if (negative || (text.length > 0 && text.data[0] == '+')) text.data++, text.length--;
    if (!is_scale(scale) || !is_number_text(text)) return DECIMAL_NOT_A_NUMBER;
    uint64_t amount = 0;
    int fraction_digits = 0;
    bool in_fraction = false, too_large = false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '.') { in_fraction = true; continue; }
        uint64_t digit = (uint64_t)(text.data[i] - '0');
        if (in_fraction && fraction_digits == scale) {
            if (digit != 0) return DECIMAL_TOO_PRECISE;
            continue;
        }
        fraction_digits += in_fraction;
        if (amount > ((uint64_t)DECIMAL_MAXIMUM - digit) / 10) too_large = true;
        else amount = amount * 10 + digit;
    }
    uint64_t factor = powers[scale - fraction_digits];
    if (too_large || amount > (uint64_t)DECIMAL_MAXIMUM / factor) return DECIMAL_TOO_LARGE;
    int64_t result = (int64_t)(amount * factor);
    *value = negative ? -result : result;
    return DECIMAL_READ;
}

size_t decimal_print(int64_t value, int scale, int minimum_digits, char text[DECIMAL_TEXT_SIZE]) {
    if (!decimal_is_number(value) || !is_scale(scale)) {
        const char *word = value == DECIMAL_INEXACT ? "inexact" : "overflow";
        memcpy(text, word, strlen(word) + 1);
        return strlen(word);
    }
    uint64_t rest = magnitude(value);
    int digits = scale;
    while (digits > minimum_digits && digits > 0 && rest % 10 == 0) rest /= 10, digits--;
    char reversed[DECIMAL_TEXT_SIZE];
    size_t length = 0, used = 0;
    for (int position = 0; rest > 0 || position <= digits; position++, rest /= 10) {
        if (position == digits && digits > 0) reversed[length++] = '.';
        reversed[length++] = (char)('0' + rest % 10);
    }
    if (value < 0) text[used++] = '-';
    while (length > 0) text[used++] = reversed[--length];
    text[used] = 0;
    return used;
}
