/* nearest: which known name somebody may have meant who typed an unknown one, for "did you mean". */
#ifndef KONTOR_PLATFORM_NEAREST_H
#define KONTOR_PLATFORM_NEAREST_H
#include <stddef.h>

#include "common/platform/slice.h"

/* Letters (bytes) to insert, drop or change to make one name of the other, Levenshtein's distance: of their first NEAREST_LETTERS letters.
 * `limit` when it is that or more, SIZE_MAX: none. A search gives its best so far as the limit. */
enum { NEAREST_LETTERS = 127 };
size_t nearest_distance(const char *a, const char *b, size_t limit);

/* The name nearest to the word, the first of equals, or NULL when every one differs in more than a third of the word's letters and one. A name that
 * begins with the word (of at least three letters) counts as one letter away. next gives one name after the other, then NULL; the names must last. */
const char *nearest_name(const char *word, const char *(*next)(void *context), void *context);
/* The same of a list that ends with NULL. */
const char *nearest_word(const char *word, const char *const *names);
/* Of `count` names the nearest, however far it is, the first of equals: for a word that must be one of them. NULL when there are none. */
const char *nearest_of(struct slice word, const char *const *names, size_t count);
#endif
