/* chance: the numbers of tests/unit/random_numbers.h, one row of them for all files of this program. */
#ifndef KONTOR_PROPERTY_CHANCE_H
#define KONTOR_PROPERTY_CHANCE_H
#include <stdbool.h>
#include <inttypes.h>

/* From SEED or the clock; prints it, and returns it. */
uint64_t chance_seed(void);
/* Goes on from here. */
void chance_set(uint64_t state);
/* From 0 to below `count`. */
int64_t chance_below(int64_t count);
/* Any magnitude is as likely as any other. */
int64_t chance_magnitude(int bits);
static inline bool one_in(int count) { return chance_below(count) == 0; }
#endif
