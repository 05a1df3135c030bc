/* Arena, buffer, slice and error text: what everything else stands on. */
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/platform/arena.h"
#include "common/platform/buffer.h"
#include "common/platform/error.h"
#include "tests/unit/random_numbers.h"

static void arena_is_bounded(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 1000, 4000);
    assert_non_null(arena_alloc(&arena, 2500)); /* a block of its own */
    assert_null(arena_alloc(&arena, 1600));
    assert_non_null(arena_alloc(&arena, 900));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_copy(&arena, "", SIZE_MAX));
    arena_reset(&arena);
    assert_non_null(arena_alloc(&arena, 2400)); /* the blocks are kept */
    assert_int_equal(arena.reserved, 2512 + 1000); /* 2,500 rounded up to a multiple of 16 */
    arena_free(&arena);
    assert_int_equal(arena.reserved, 0);
    assert_non_null(arena_alloc(&arena, 10));
    arena_free(&arena);
}

static void arena_gives_apart_zeroed_aligned(void **state) {
    (void)state;
    random_seed("arena_gives_apart_zeroed_aligned");
    struct arena arena;
    arena_init(&arena, 4096, 1 << 20);
    for (int round = 0; round < 50; round++) {
        unsigned char *given[200];
        size_t sizes[200], count = (size_t)random_below(200);
        for (size_t i = 0; i < count; i++) {
            sizes[i] = (size_t)random_below(random_below(20) ? 100 : 6000);
            given[i] = arena_alloc(&arena, sizes[i]);
            assert_non_null(given[i]);
            assert_int_equal((uintptr_t)given[i] % alignof(max_align_t), 0);
            for (size_t b = 0; b < sizes[i]; b++) assert_int_equal(given[i][b], 0);
            memset(given[i], (int)i + 1, sizes[i]);
        }
        for (size_t i = 0; i < count; i++)
            for (size_t b = 0; b < sizes[i]; b++) assert_int_equal(given[i][b], (unsigned char)(i + 1));
        arena_reset(&arena);
    }
    char *copy = arena_copy(&arena, "abc", 3);
    assert_string_equal(copy, "abc");
    assert_string_equal(arena_copy(&arena, NULL, 0), "");
    arena_free(&arena);
}

static void buffer_remembers_a_failure(void **state) {
    (void)state;
    struct buffer buffer = {0};
    assert_true(buffer_append(&buffer, NULL, 0));
    for (int i = 0; i < 1000; i++) assert_true(buffer_append(&buffer, "0123456789", 10));
    assert_int_equal(buffer.length, 10000);
    assert_memory_equal(buffer.data + 9990, "0123456789", 10);
    assert_false(buffer_reserve(&buffer, SIZE_MAX));
    assert_true(buffer.failed);
    assert_int_equal(buffer.length, 10000);
    buffer_reset(&buffer);
    assert_false(buffer.failed);
    assert_int_equal(buffer_slice(&buffer).length, 0);
    buffer_free(&buffer);
}

static void slices_compare_as_bytes(void **state) {
    (void)state;
    assert_true(slice_equal(SLICE("a"), slice_of("a")));
    assert_true(slice_equal((struct slice){0}, SLICE("")));
    assert_false(slice_equal(SLICE("a"), SLICE("ab")));
    assert_true(slice_compare(SLICE("a"), SLICE("ab")) < 0);
    assert_true(slice_compare(SLICE("b"), SLICE("ab")) > 0);
    assert_true(slice_compare(SLICE("\xff"), SLICE("a")) > 0);
    assert_int_equal(slice_compare((struct slice){0}, slice_of(NULL)), 0);
}

static void errors_are_cut_not_overrun(void **state) {
    (void)state;
    struct error error;
    char long_text[1000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    assert_false(error_set(&error, "%s cannot be read", "a"));
    assert_false(error_prefix(&error, "loading %d", 1));
    assert_string_equal(error.text, "loading 1: a cannot be read");
    assert_false(error_set(&error, "%s", long_text));
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
    assert_false(error_prefix(&error, "%s", long_text));
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
    assert_false(error_set(NULL, "nobody asks"));
    assert_false(error_prefix(NULL, "nobody asks"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_is_bounded), cmocka_unit_test(arena_gives_apart_zeroed_aligned), cmocka_unit_test(buffer_remembers_a_failure),
        cmocka_unit_test(slices_compare_as_bytes), cmocka_unit_test(errors_are_cut_not_overrun)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
