#include "common/runtime/index.h"

#include <stdlib.h>

#include "common/platform/hash.h"

struct index_entry {
    struct index_entry *next;
    uint64_t hash;
    uint64_t *sequences; /* ascending */
    size_t count, capacity, key_length;
    char key[];
};

static struct index_entry **place_of(const struct index *index, struct slice key, uint64_t hash) {
    struct index_entry **place = &index->slots[hash & (index->slot_count - 1)];
    while (*place && !((*place)->hash == hash && slice_equal((struct slice){(*place)->key, (*place)->key_length}, key))) place = &(*place)->next;
    return place;
}

static bool grow(struct index *index) {
    size_t slot_count = index->slot_count ? index->slot_count * 2 : 64;
    struct index_entry **slots = calloc(slot_count, sizeof *slots);
    if (!slots) return false;
    for (size_t i = 0; i < index->slot_count; i++)
        for (struct index_entry *entry = index->slots[i], *next; entry; entry = next) {
            next = entry->next;
            entry->next = slots[entry->hash & (slot_count - 1)];
            slots[entry->hash & (slot_count - 1)] = entry;
        }
    free(index->slots);
    index->slots = slots;
    index->slot_count = slot_count;
    return true;
}

/* The position of the first sequence number that is not below `from`. */
static size_t position_of(const struct index_entry *entry, uint64_t from) {
    size_t low = 0, high = entry->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entry->sequences[middle] < from) low = middle + 1;
        else high = middle;
    }
    return low;
}

static bool insert(struct index_entry *entry, uint64_t sequence) {
    size_t at = position_of(entry, sequence);
    if (at < entry->count && entry->sequences[at] == sequence) return true;
    if (entry->count == entry->capacity) {
        size_t capacity = entry->capacity ? entry->capacity * 2 : 2;
        uint64_t *sequences = realloc(entry->sequences, capacity * sizeof *sequences);
        if (!sequences) return false;
        entry->sequences = sequences;
        entry->capacity = capacity;
    }
    memmove(entry->sequences + at + 1, entry->sequences + at, (entry->count - at) * sizeof *entry->sequences);
    entry->sequences[at] = sequence;
    entry->count++;
    return true;
}

bool index_add(struct index *index, struct slice key, uint64_t sequence) {
    if (index->key_count >= index->slot_count && !grow(index)) return false;
    uint64_t hash = hash_bytes(key.data, key.length);
    struct index_entry **place = place_of(index, key, hash);
    if (*place) return insert(*place, sequence);
    struct index_entry *entry = calloc(1, sizeof *entry + key.length);
    if (!entry) return false;
    entry->hash = hash;
    entry->key_length = key.length;
    if (key.length) memcpy(entry->key, key.data, key.length);
    if (!insert(entry, sequence)) { free(entry); return false; }
    *place = entry;
    index->key_count++;
    return true;
}

void index_remove(struct index *index, struct slice key, uint64_t sequence) {
    if (!index->slot_count) return;
    struct index_entry **place = place_of(index, key, hash_bytes(key.data, key.length)), *entry = *place;
    if (!entry) return;
    size_t at = position_of(entry, sequence);
    if (at == entry->count || entry->sequences[at] != sequence) return;
    memmove(entry->sequences + at, entry->sequences + at + 1, (entry->count - at - 1) * sizeof *entry->sequences);
    if (--entry->count) return;
    *place = entry->next;
    free(entry->sequences);
    free(entry);
    index->key_count--;
}

uint64_t index_next(const struct index *index, struct slice key, uint64_t from) {
    if (!index->slot_count) return INDEX_NONE;
    const struct index_entry *entry = *place_of(index, key, hash_bytes(key.data, key.length));
    if (!entry) return INDEX_NONE;
    size_t at = position_of(entry, from);
    return at < entry->count ? entry->sequences[at] : INDEX_NONE;
}

void index_each(const struct index *index, bool (*visit)(void *context, struct slice key, uint64_t first), void *context) {
    for (size_t i = 0; i < index->slot_count; i++)
        for (const struct index_entry *entry = index->slots[i]; entry; entry = entry->next)
            if (!visit(context, (struct slice){entry->key, entry->key_length}, entry->sequences[0])) return;
}

void index_free(struct index *index) {
    for (size_t i = 0; i < index->slot_count; i++)
        for (struct index_entry *entry = index->slots[i], *next; entry; entry = next) {
            next = entry->next;
            free(entry->sequences);
            free(entry);
        }
    free(index->slots);
    *index = (struct index){0};
}
