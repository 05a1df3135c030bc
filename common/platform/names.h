/* names: the right name for a wrong one, for error messages. */
#ifndef KONTOR_PLATFORM_NAMES_H
#define KONTOR_PLATFORM_NAMES_H
#include "common/platform/slice.h"

/* The number of letters to change, insert or drop between two names (Levenshtein's distance), of the first 127 bytes of each. */
size_t name_distance(struct slice a, struct slice b);
/* The one of the names with the smallest distance; the first of several. NULL when there are none. */
const char *name_nearest(struct slice wrong, const char *const *names, size_t count);
#endif
