#include "cli/intern.h"

#include <stdlib.h>

#include "common/platform/hash.h"

enum { FIRST_CAPACITY = 1024 };

void intern_init(struct intern *intern) {
    *intern = (struct intern){.count = 0};
    arena_init(&intern->arena, 1 << 20, SIZE_MAX);
}

void intern_free(struct intern *intern) {
    arena_free(&intern->arena);
    free(intern->texts);
    free(intern->slots);
    *intern = (struct intern){.count = 0};
}

static bool grow(struct intern *intern) {
    if (intern->capacity > UINT32_MAX / 4) return false;
    uint32_t capacity = intern->capacity ? intern->capacity * 2 : FIRST_CAPACITY, mask = capacity * 2 - 1;
    struct interned *texts = realloc(intern->texts, capacity * sizeof *texts);
    if (!texts) return false;
    intern->texts = texts;
    uint32_t *slots = calloc((size_t)capacity * 2, sizeof *slots);
    if (!slots) return false;
    for (uint32_t i = 0; i < intern->count; i++) {
        uint32_t at = (uint32_t)texts[i].hash & mask;
        while (slots[at]) at = (at + 1) & mask;
        slots[at] = i + 1;
    }
    free(intern->slots);
    intern->slots = slots;
    intern->capacity = capacity;
    return true;
}

/* The slot of the text, or the empty one where it would go. There is an empty one. */
static uint32_t find_slot(const struct intern *intern, struct slice text, uint64_t hash) {
    uint32_t mask = intern->capacity * 2 - 1, at = (uint32_t)hash & mask;
    for (; intern->slots[at]; at = (at + 1) & mask) {
        const struct interned *found = &intern->texts[intern->slots[at] - 1];
        if (found->hash == hash && slice_equal(found->text, text)) break;
    }
    return at;
}

bool intern_has(const struct intern *intern, struct slice text) {
    uint32_t number;
    return intern_find(intern, text, &number);
}

bool intern_find(const struct intern *intern, struct slice text, uint32_t *number) {
    uint32_t slot = intern->count ? intern->slots[find_slot(intern, text, hash_slice(text))] : 0;
    *number = slot - 1;
    return slot > 0;
}

bool intern_add(struct intern *intern, struct slice text, uint32_t *number, bool *added) {
    if (intern->count == intern->capacity && !grow(intern)) return false;
    uint64_t hash = hash_slice(text);
    uint32_t at = find_slot(intern, text, hash);
    if (added) *added = !intern->slots[at];
    if (!intern->slots[at]) {
        const char *copy = arena_copy(&intern->arena, text.data, text.length);
        if (!copy) return false;
        intern->texts[intern->count++] = (struct interned){{copy, text.length}, hash};
        intern->slots[at] = intern->count;
    }
    *number = intern->slots[at] - 1;
    return true;
}
