/* spread: a rounded sum over the lines that it is the sum of, so that the parts add up to it exactly (largest remainder).
 *
 * Each line's exact share is numerator / denominator, in 1/10,000 of the currency's unit. A part is its share cut (toward zero) to the minor unit; what the
 * parts lack of the whole is given out one minor unit each, to those that lost most by the cut, the first of equals first. */
#ifndef KONTOR_SHARED_SPREAD_H
#define KONTOR_SHARED_SPREAD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/platform/error.h"

struct spread_share { __int128 numerator; int64_t part_e4; __int128 rest; size_t place; };

/* Sorts the shares by their place again before it returns: part_e4 of the i-th is what the i-th line gets. False: the whole has more
 * digits than the minor unit, there is no line to give anything to, or denominator or unit_e4 (0: of a currency without one) is not positive. */
MUST_CHECK bool spread_out(struct spread_share *shares, size_t count, int64_t denominator, int64_t unit_e4, int64_t whole_e4);
#endif
