/* allocation: makes the nth allocation of the code under test fail. The linker sends its malloc, calloc, realloc, strdup, asprintf, arena_alloc and arena_copy
 * here (-Wl,--wrap, CMakeLists.txt); liblmdb's, libjansson's and libc's own are left alone. */
#ifndef KONTOR_DRIVER_ALLOCATION_H
#define KONTOR_DRIVER_ALLOCATION_H
#include <stdbool.h>

enum allocation_kind { ALLOCATION_HEAP, ALLOCATION_ARENA, ALLOCATION_KINDS };

/* From now on the nth allocation of that kind fails, once. */
void allocation_fail_at(enum allocation_kind kind, long nth);
/* Ends it; whether an allocation failed since. */
bool allocation_end(void);
/* The driver's own work in between does not count. */
void allocation_suspend(bool suspended);
#endif
