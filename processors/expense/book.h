/* book: records of the state as one decision changes them: each is read once, changed in memory, and put back when the event is accepted. Also sums under a
 * key, which no store keeps. Lives in the decision's memory. */
#ifndef KONTOR_EXPENSE_BOOK_H
#define KONTOR_EXPENSE_BOOK_H
#include "common/runtime/processor.h"

/* Not stores: sums of policy.c, shares of matching.c. */
enum { BOOK_SUMS = -1, BOOK_SHARES = -2 };

struct book_entry {
    struct book_entry *next;
    int store;
    struct slice key;
    uint64_t hash;
    void *value;                /* zeroed when it is new to the book */
    bool looked_up, known, changed, removed;
};

struct book { struct decision *decision; struct book_entry **slots, *first, **last; size_t slot_count, count; };

void book_begin(struct book *book, struct decision *decision);
/* The entry under the key; one that is new has `size` bytes of zeros. */
struct book_entry *book_entry(struct book *book, int store, struct slice key, size_t size);
/* The same of a store: as the state has it, if it does (known). */
struct book_entry *book_record(struct book *book, int store, struct slice key, size_t size);
/* Puts what was changed and takes out what was removed, in the order in which it came. */
void book_put(const struct book *book);
#endif
