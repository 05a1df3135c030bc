/* wide: the checker's own arithmetic, 128 bits, apart from common/ledger. Amounts are at scale 4, rates at scale 10, quantities at scale 6, per cents at scale 4. */
#ifndef KONTOR_PROPERTY_WIDE_H
#define KONTOR_PROPERTY_WIDE_H
#include <stddef.h>
#include <stdint.h>

typedef __int128 wide;

/* One minor unit of a currency with so many digits, at scale 4. */
static inline int64_t wide_unit(int digits) {
    static const int64_t units[] = {10000, 1000, 100, 10, 1};
    return units[digits];
}

/* The nearest whole number, a half away from zero; the divisor is positive. */
static inline wide wide_divide_half_up(wide value, wide divisor) {
    wide size = value < 0 ? -value : value, rounded = size / divisor + (size % divisor * 2 >= divisor);
    return value < 0 ? -rounded : rounded;
}

/* The amount times a rate, in a currency with so many digits. */
static inline wide wide_convert(wide amount_e4, int64_t rate_e10, int digits) {
    return wide_divide_half_up(amount_e4 * rate_e10, (wide)10000000000 * wide_unit(digits)) * wide_unit(digits);
}

/* So many per cent of the amount. */
static inline wide wide_share(wide amount_e4, int64_t percent_e4, int digits) {
    return wide_divide_half_up(amount_e4 * percent_e4, (wide)1000000 * wide_unit(digits)) * wide_unit(digits);
}

/* The value of the first units of an order line, cut to the minor unit. */
static inline wide wide_value_up_to(wide net_e4, wide units_e6, wide ordered_e6, int digits) {
    return net_e4 * units_e6 / (ordered_e6 * wide_unit(digits)) * wide_unit(digits);
}

static inline wide wide_size(wide value) { return value < 0 ? -value : value; }

enum { WIDE_TEXT_SIZE = 48 };
/* With four digits behind the point. */
const char *wide_print(wide amount_e4, char text[WIDE_TEXT_SIZE]);
#endif
