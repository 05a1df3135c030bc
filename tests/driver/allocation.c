#include "tests/driver/allocation.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "common/platform/arena.h"

static bool armed, suspended_now, failed;
static enum allocation_kind kind_now;
static long left;

void allocation_fail_at(enum allocation_kind kind, long nth) {
    kind_now = kind;
    left = nth;
    failed = false;
    armed = true;
}

bool allocation_end(void) {
    armed = false;
    return failed;
}

void allocation_suspend(bool suspended) { suspended_now = suspended; }

static bool fails(enum allocation_kind kind) {
    if (!armed || suspended_now || kind != kind_now || --left) return false;
    failed = true;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
void *__real_arena_alloc(struct arena *arena, size_t size);
char *__real_arena_copy(struct arena *arena, const void *bytes, size_t length);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_asprintf(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void *__wrap_arena_alloc(struct arena *arena, size_t size);
char *__wrap_arena_copy(struct arena *arena, const void *bytes, size_t length);

void *__wrap_malloc(size_t size) { return fails(ALLOCATION_HEAP) ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return fails(ALLOCATION_HEAP) ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *memory, size_t size) { return fails(ALLOCATION_HEAP) ? NULL : __real_realloc(memory, size); }
char *__wrap_strdup(const char *text) { return fails(ALLOCATION_HEAP) ? NULL : __real_strdup(text); }
void *__wrap_arena_alloc(struct arena *arena, size_t size) { return fails(ALLOCATION_ARENA) ? NULL : __real_arena_alloc(arena, size); }
char *__wrap_arena_copy(struct arena *arena, const void *bytes, size_t length) {
    return fails(ALLOCATION_ARENA) ? NULL : __real_arena_copy(arena, bytes, length);
}

int __wrap_asprintf(char **text, const char *format, ...) {
    if (fails(ALLOCATION_HEAP)) return -1;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(text, format, arguments);
    va_end(arguments);
    return length;
}
