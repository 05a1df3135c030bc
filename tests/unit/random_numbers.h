/* random_numbers: numbers for tests that print their seed. SEED=<number> repeats a run. */
#ifndef KONTOR_TESTS_RANDOM_H
#define KONTOR_TESTS_RANDOM_H
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t random_state;

static inline void random_seed(const char *test) {
    const char *given = getenv("SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    random_state = given ? strtoull(given, NULL, 10) : (uint64_t)now.tv_sec * 1000003u + (uint64_t)now.tv_nsec;
    printf("%s: seed %" PRIu64 " (SEED=%" PRIu64 " repeats it)\n", test, random_state, random_state);
}

/* Source: Sebastiano Vigna, splitmix64 (public domain). */
static inline uint64_t random_bits(void) {
    uint64_t mixed = random_state += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return mixed ^ mixed >> 31;
}

/* From 0 to below `count`. */
static inline int64_t random_below(int64_t count) { return (int64_t)(random_bits() % (uint64_t)count); }

/* Any magnitude is as likely as any other: small and large numbers alike. */
static inline int64_t random_magnitude(int bits) { return (int64_t)(random_bits() >> (64 - 1 - random_below(bits)) >> 1); }
#endif
