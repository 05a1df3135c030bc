#include "common/platform/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    size_t size;
    alignas(max_align_t) unsigned char bytes[];
};

void arena_init(struct arena *arena, size_t block_size, size_t limit) {
    *arena = (struct arena){.block_size = block_size, .limit = limit};
}

static struct arena_block *block_for(struct arena *arena, size_t size) {
    /* After a reset the blocks are still chained: take the next one that is large enough. */
    struct arena_block *block = arena->current ? arena->current->next : arena->first;
    for (; block; block = block->next) {
        arena->current = block;
        arena->used_in_current = 0;
        if (block->size >= size) return block;
    }
    size_t capacity = size > arena->block_size ? size : arena->block_size;
    if (capacity > arena->limit || arena->reserved > arena->limit - capacity) return NULL;
    block = malloc(sizeof *block + capacity);
    if (!block) return NULL;
    block->next = NULL;
    block->size = capacity;
    if (arena->current) arena->current->next = block;
    else arena->first = block;
    arena->reserved += capacity;
    arena->current = block;
    arena->used_in_current = 0;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size) {
    const size_t alignment = alignof(max_align_t);
    if (size > SIZE_MAX - alignment) return NULL;
    size = (size + alignment - 1) / alignment * alignment;
    struct arena_block *block = arena->current;
    if (!block || block->size - arena->used_in_current < size) block = block_for(arena, size);
    if (!block) return NULL;
    void *memory = block->bytes + arena->used_in_current;
    arena->used_in_current += size;
    arena->used += size;
    memset(memory, 0, size);
    return memory;
}

char *arena_copy(struct arena *arena, const void *bytes, size_t length) {
    if (length == SIZE_MAX) return NULL;
    char *copy = arena_alloc(arena, length + 1);
    if (copy && length) memcpy(copy, bytes, length);
    return copy;
}

void arena_reset(struct arena *arena) {
    arena->current = NULL;
    arena->used_in_current = 0;
    arena->used = 0;
}

void arena_free(struct arena *arena) {
    for (struct arena_block *block = arena->first, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    *arena = (struct arena){.block_size = arena->block_size, .limit = arena->limit};
}
