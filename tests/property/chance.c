#include "tests/property/chance.h"

#include "tests/unit/random_numbers.h"

uint64_t chance_seed(void) {
    random_seed("kontor-property");
    return random_state;
}

void chance_set(uint64_t state) { random_state = state; }
int64_t chance_below(int64_t count) { return random_below(count); }
int64_t chance_magnitude(int bits) { return random_magnitude(bits); }
