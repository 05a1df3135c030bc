#include "common/tables/cache.h"

#include <stdlib.h>
#include <string.h>

#include "common/platform/hash.h"

bool cache_open(struct cache *cache) {
    arena_init(&cache->arena, 256 << 10, CACHE_BYTES_MAXIMUM);
    cache->entries = calloc(CACHE_SLOTS, sizeof *cache->entries);
    cache->generation = 1;
    cache->count = 0;
    return cache->entries;
}

void cache_close(struct cache *cache) {
    arena_free(&cache->arena);
    free(cache->entries);
    cache->entries = NULL;
}

const struct cache_entry *cache_find(const struct cache *cache, size_t table, struct slice key, int32_t date, size_t *slot) {
    uint64_t hash = (hash_slice(key) ^ table << 32 ^ (uint32_t)date) * 0x9E3779B97F4A7C15u;
    for (size_t at = hash >> 32;; at++) { /* a quarter of the slots is always free */
        const struct cache_entry *entry = &cache->entries[at % CACHE_SLOTS];
        *slot = at % CACHE_SLOTS;
        if (entry->generation != cache->generation) return NULL;
        if (entry->date == date && entry->table == table && slice_equal(key, (struct slice){entry->key, entry->key_length})) return entry;
    }
}

void cache_remember(struct cache *cache, size_t slot, size_t table, struct slice key, int32_t date, enum table_result result, const struct table_row *row) {
    if (cache->count == CACHE_ENTRIES || key.length > UINT16_MAX) return;
    const char *copy = arena_copy(&cache->arena, key.data, key.length);
    if (!copy) return;
    cache->entries[slot] = (struct cache_entry){cache->generation, date, (uint16_t)table, (uint16_t)key.length, result, copy, *row};
    cache->count++;
}

bool cache_is_full(const struct cache *cache) { return cache->count == CACHE_ENTRIES || cache->arena.reserved > CACHE_BYTES; }

void cache_empty(struct cache *cache) {
    if (cache_is_full(cache)) arena_free(&cache->arena); /* a large batch's memory goes back */
    else arena_reset(&cache->arena);
    cache->count = 0;
    if (++cache->generation != 0) return;
    memset(cache->entries, 0, CACHE_SLOTS * sizeof *cache->entries);
    cache->generation = 1;
}
