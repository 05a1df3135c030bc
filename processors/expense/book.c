#include "processors/expense/book.h"

#include "common/platform/hash.h"

enum { SLOTS_AT_START = 32 };

void book_begin(struct book *book, struct decision *decision) {
    *book = (struct book){.decision = decision, .slot_count = SLOTS_AT_START, .slots = decision_alloc(decision, SLOTS_AT_START * sizeof *book->slots)};
    book->last = &book->first;
}

static void slot_take(struct book *book, struct book_entry *entry) {
    size_t at = entry->hash & (book->slot_count - 1);
    while (book->slots[at]) at = (at + 1) & (book->slot_count - 1);
    book->slots[at] = entry;
}

static void book_grow(struct book *book) {
    book->slot_count *= 2;
    book->slots = decision_alloc(book->decision, book->slot_count * sizeof *book->slots);
    for (struct book_entry *entry = book->first; entry; entry = entry->next) slot_take(book, entry);
}

struct book_entry *book_entry(struct book *book, int store, struct slice key, size_t size) {
    const uint64_t hash = hash_slice(key) * 31 + (uint64_t)store;
    for (size_t at = hash & (book->slot_count - 1); book->slots[at]; at = (at + 1) & (book->slot_count - 1))
        if (book->slots[at]->store == store && slice_equal(book->slots[at]->key, key)) return book->slots[at];
    if (2 * ++book->count > book->slot_count) book_grow(book);
    struct book_entry *entry = decision_alloc(book->decision, sizeof *entry);
    *entry = (struct book_entry){.store = store, .key = key, .hash = hash, .value = decision_alloc(book->decision, size)};
    *book->last = entry;
    book->last = &entry->next;
    slot_take(book, entry);
    return entry;
}

struct book_entry *book_record(struct book *book, int store, struct slice key, size_t size) {
    struct book_entry *entry = book_entry(book, store, key, size);
    if (entry->looked_up) return entry;
    entry->looked_up = true;
    const void *kept = key.length ? state_find(book->decision, store, key) : NULL;
    if (kept) memcpy(entry->value, kept, size);
    entry->known = kept != NULL;
    return entry;
}

void book_put(const struct book *book) {
    for (const struct book_entry *entry = book->first; entry; entry = entry->next)
        if (entry->removed) state_remove(book->decision, entry->store, entry->key);
        else if (entry->changed) state_put(book->decision, entry->store, entry->key, entry->value);
}
