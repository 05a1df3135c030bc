#include "processors/shared/spread.h"

#include <stdlib.h>

static int rest_order(const void *a, const void *b) {
    const struct spread_share *left = a, *right = b;
    if (left->rest != right->rest) return left->rest > right->rest ? -1 : 1;
    return left->place < right->place ? -1 : left->place > right->place;
}

static int place_order(const void *a, const void *b) {
    const struct spread_share *left = a, *right = b;
    return left->place < right->place ? -1 : left->place > right->place;
}

bool spread_out(struct spread_share *shares, size_t count, int64_t denominator, int64_t unit_e4, int64_t whole_e4) {
    if (denominator <= 0 || unit_e4 <= 0) return false;
    const __int128 per_unit = (__int128)denominator * unit_e4;
    __int128 left = whole_e4;
    for (size_t i = 0; i < count; i++) {
        shares[i].place = i;
        shares[i].part_e4 = (int64_t)(shares[i].numerator / per_unit * unit_e4);
        shares[i].rest = shares[i].numerator % per_unit;
        left -= shares[i].part_e4;
    }
    if (!left) return true;
    const int sign = left < 0 ? -1 : 1;
    const __int128 units = left * sign / unit_e4;
    if (left % unit_e4 || !count) return false;
    for (size_t i = 0; i < count; i++) shares[i].rest *= sign;
    qsort(shares, count, sizeof *shares, rest_order);
    const int64_t each_e4 = (int64_t)(units / (__int128)count) * unit_e4;   /* 0 but for a whole that is itself further off */
    for (size_t i = 0; i < count; i++) shares[i].part_e4 += sign * (each_e4 + (i < (size_t)(units % (__int128)count) ? unit_e4 : 0));
    qsort(shares, count, sizeof *shares, place_order);
    return true;
}
