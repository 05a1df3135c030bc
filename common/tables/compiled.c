#include "common/tables/compiled.h"

#include <stdlib.h>
#include <string.h>

#include "common/platform/hash.h"

struct compiled_entry {
    struct compiled_entry *next;
    void *object;
    void (*release)(void *object);
    size_t key_length;
    char key[];
};

/* The pointer that points, or would point, at the key's entry. */
static struct compiled_entry **place_of(const struct compiled *compiled, struct slice key) {
    struct compiled_entry **place = (struct compiled_entry **)&compiled->buckets[hash_slice(key) % COMPILED_BUCKETS];
    while (*place && !slice_equal(key, (struct slice){(*place)->key, (*place)->key_length})) place = &(*place)->next;
    return place;
}

static void release(struct compiled_entry *entry) {
    if (entry->release) entry->release(entry->object);
}

void *compiled_find(const struct compiled *compiled, struct slice key) {
    struct compiled_entry *entry = *place_of(compiled, key);
    return entry ? entry->object : NULL;
}

bool compiled_put(struct compiled *compiled, struct slice key, void *object, void (*release_object)(void *object)) {
    struct compiled_entry **place = place_of(compiled, key), *entry = *place;
    if (entry) release(entry);
    else {
        entry = malloc(sizeof *entry + key.length);
        if (!entry) return false;
        entry->next = NULL;
        entry->key_length = key.length;
        memcpy(entry->key, key.data, key.length);
        *place = entry;
    }
    entry->object = object;
    entry->release = release_object;
    return true;
}

void compiled_remove(struct compiled *compiled, struct slice key) {
    struct compiled_entry **place = place_of(compiled, key), *entry = *place;
    if (!entry) return;
    *place = entry->next;
    release(entry);
    free(entry);
}

void compiled_empty(struct compiled *compiled) {
    for (size_t i = 0; i < COMPILED_BUCKETS; i++)
        for (struct compiled_entry *entry = compiled->buckets[i], *next; entry; entry = next) {
            next = entry->next;
            release(entry);
            free(entry);
        }
    *compiled = (struct compiled){0};
}
