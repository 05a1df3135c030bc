/* index: which events wait for a key: from bytes to an ascending list of sequence numbers, in memory. Rebuilt from the state when a task opens.
 * Insertions may run out of memory, removals never do. One thread. */
#ifndef KONTOR_RUNTIME_INDEX_H
#define KONTOR_RUNTIME_INDEX_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/platform/slice.h"

struct index_entry;
struct index { struct index_entry **slots; size_t slot_count, key_count; };

#define INDEX_NONE UINT64_MAX

bool index_add(struct index *index, struct slice key, uint64_t sequence);
void index_remove(struct index *index, struct slice key, uint64_t sequence);
/* The smallest sequence number under the key that is at least `from`, or INDEX_NONE. */
uint64_t index_next(const struct index *index, struct slice key, uint64_t from);
/* Calls visit for every key, in no order; the index must not change meanwhile. */
void index_each(const struct index *index, bool (*visit)(void *context, struct slice key, uint64_t first), void *context);
void index_free(struct index *index);
#endif
