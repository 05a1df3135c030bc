/* arena: memory for what lives as long as a batch. Allocation moves a pointer; reset forgets everything and keeps the blocks.
 * Bounded: past `limit` bytes an allocation answers NULL, which the caller reports (a single event must never take the machine).
 * One thread. */
#ifndef KONTOR_PLATFORM_ARENA_H
#define KONTOR_PLATFORM_ARENA_H
#include <stddef.h>

struct arena_block;
struct arena {
    struct arena_block *first, *current;
    size_t block_size, used_in_current, used, reserved, limit;
};

/* block_size: bytes of a block, larger requests get one of their own. limit: bytes in all blocks together. No memory is taken yet. */
void arena_init(struct arena *arena, size_t block_size, size_t limit);
/* size bytes aligned for any type, zeroed; NULL past the limit or out of memory. */
void *arena_alloc(struct arena *arena, size_t size);
/* A copy of the bytes with a terminating 0 behind them; NULL as above. */
char *arena_copy(struct arena *arena, const void *bytes, size_t length);
/* Bytes handed out since the last reset. */
static inline size_t arena_used(const struct arena *arena) { return arena->used; }
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);
#endif
