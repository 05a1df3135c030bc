/* compiled: what the hooks of tables made of records, one object per LMDB key, until the record changes. */
#ifndef KONTOR_TABLES_COMPILED_H
#define KONTOR_TABLES_COMPILED_H
#include <stdbool.h>

#include "common/platform/slice.h"

enum { COMPILED_BUCKETS = 1024 };

struct compiled_entry;
struct compiled { struct compiled_entry *buckets[COMPILED_BUCKETS]; };

/* NULL: not there. */
void *compiled_find(const struct compiled *compiled, struct slice key);
/* Takes the object over and releases what was there before; false, with nothing changed, when memory is out: the object is still the caller's. */
bool compiled_put(struct compiled *compiled, struct slice key, void *object, void (*release)(void *object));
void compiled_remove(struct compiled *compiled, struct slice key);
void compiled_empty(struct compiled *compiled);
#endif
