/* cache: answers of look-ups, by table, key and date, so that a batch about the same suppliers asks LMDB once for each.
 *
 * Rows stay where they are until cache_empty: callers hold them. So it does not replace: when its slots are used up it remembers nothing new, and
 * cache_is_full tells its owner to empty it at the next opportunity. Forgetting is a counter; decoded records lie in the arena. */
#ifndef KONTOR_TABLES_CACHE_H
#define KONTOR_TABLES_CACHE_H
#include "common/platform/arena.h"
#include "common/tables/tables.h"

enum {
    CACHE_SLOTS = 16384,                /* a power of two */
    CACHE_ENTRIES = CACHE_SLOTS / 4 * 3,
    CACHE_BYTES = 4 << 20,              /* past it cache_is_full */
    CACHE_BYTES_MAXIMUM = 256 << 20     /* of rows that one batch may hold */
};

struct cache_entry {
    uint32_t generation;
    int32_t date;
    uint16_t table, key_length;
    enum table_result result;
    const char *key;
    struct table_row row;
};

struct cache {
    struct cache_entry *entries;
    uint32_t generation;
    size_t count;
    struct arena arena;
};

/* False when memory is out. */
bool cache_open(struct cache *cache);
void cache_close(struct cache *cache);

/* What is remembered, or NULL; *slot is where cache_remember puts it. The pointer is valid until the next cache_remember. */
const struct cache_entry *cache_find(const struct cache *cache, size_t table, struct slice key, int32_t date, size_t *slot);
void cache_remember(struct cache *cache, size_t slot, size_t table, struct slice key, int32_t date, enum table_result result, const struct table_row *row);

bool cache_is_full(const struct cache *cache);
void cache_empty(struct cache *cache);
#endif
