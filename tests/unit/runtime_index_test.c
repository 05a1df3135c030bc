/* The index of what waits, against a plain model, with random insertions and removals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "common/runtime/index.h"

enum { KEYS = 40, SEQUENCES = 60, STEPS = 20000 };

static bool count_key(void *context, struct slice key, uint64_t first) {
    (void)key;
    (void)first;
    ++*(size_t *)context;
    return true;
}

static void like_a_model(void **state) {
    (void)state;
    unsigned seed = getenv("SEED") ? (unsigned)strtoul(getenv("SEED"), NULL, 10) : (unsigned)time(NULL);
    printf("# seed %u (SEED=%u repeats it)\n", seed, seed);
    srand(seed);
    static bool model[KEYS][SEQUENCES];
    struct index index = {0};
    for (int step = 0; step < STEPS; step++) {
        int k = rand() % KEYS, s = rand() % SEQUENCES;
        char name[16];
        int length = snprintf(name, sizeof name, "key-%d", k);
        struct slice key = {name, (size_t)length};
        if (rand() % 2) { assert_true(index_add(&index, key, (uint64_t)s)); model[k][s] = true; }
        else { index_remove(&index, key, (uint64_t)s); model[k][s] = false; }
        int from = rand() % SEQUENCES, next = from;
        while (next < SEQUENCES && !model[k][next]) next++;
        assert_true(index_next(&index, key, (uint64_t)from) == (next < SEQUENCES ? (uint64_t)next : INDEX_NONE));
    }
    size_t expected = 0, found = 0;
    for (int k = 0; k < KEYS; k++)
        for (int s = 0; s < SEQUENCES; s++)
            if (model[k][s]) { expected++; break; }
    index_each(&index, count_key, &found);
    assert_int_equal(found, expected);
    assert_int_equal(index.key_count, expected);
    index_free(&index);
}

static void nothing_is_found_in_nothing(void **state) {
    (void)state;
    struct index index = {0};
    assert_true(index_next(&index, SLICE("x"), 0) == INDEX_NONE);
    index_remove(&index, SLICE("x"), 1);
    index_free(&index);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(like_a_model), cmocka_unit_test(nothing_is_found_in_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
