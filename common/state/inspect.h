/* inspect: looks a file of LMDB through before LMDB maps it, since LMDB trusts its pages: a flipped bit in a key, a branch or the beginning makes records absent,
 * one in the list of free pages lets the next write destroy others, and many make it fault. A value's own seal sees none of that.
 *
 * What is looked at: each tree's flags, each page's head and the bounds of what is on it; that keys are in order, and lie where their branches say; every record's seal; the
 * numbers of pages and records that each tree believes to have; that no free page is in use, and that no page is neither. Nothing in the file can make this
 * fault. About 0.3 s for a million records in the page cache.
 *
 * The layout is that of LMDB 0.9 on this machine: MDB_page, MDB_meta, MDB_db and MDB_node of its mdb.c. */
#ifndef KONTOR_STATE_INSPECT_H
#define KONTOR_STATE_INSPECT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/platform/slice.h"

struct meta_tree { uint32_t page_size; uint16_t flags, depth; size_t branch_pages, leaf_pages, overflow_pages, entries, root; };

/* What LMDB writes at the beginning of the first two pages; of two the one with the later transaction holds. */
struct meta_page {
    size_t number; uint16_t unused, flags; uint32_t pages;
    uint32_t magic, version;
    void *address;
    size_t map_size;
    struct meta_tree trees[2];      /* the free pages; the names of the databases */
    size_t last_page, transaction;
};

/* Why the data is not to be trusted, a static text, or NULL. meta: the one that holds, of a file of at least its pages. databases: the names, up to NULL,
 * of those that it has, unless it is empty; their values are sealed (seal.h). */
const char *inspect(int file, const struct meta_page *meta, const char *const *databases);
#endif
