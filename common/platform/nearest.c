#include "common/platform/nearest.h"

#include <stdint.h>
#include <string.h>

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* One row of the table of distances between the beginnings of both names at a time. */
size_t nearest_distance(const char *a, const char *b, size_t limit) {
    size_t row[NEAREST_LETTERS + 1], a_length = strnlen(a, NEAREST_LETTERS), b_length = strnlen(b, NEAREST_LETTERS);
    for (size_t j = 0; j <= b_length; j++) row[j] = j;
    size_t nearest_of_row = 0;
    for (size_t i = 1; i <= a_length && nearest_of_row < limit; i++) { /* a row's least never falls: what is beyond the limit stays there */
        size_t diagonal = row[0];
        nearest_of_row = row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least(changed, least(row[j], row[j - 1]) + 1);
            nearest_of_row = least(nearest_of_row, row[j]);
        }
    }
    return least(nearest_of_row < limit ? row[b_length] : limit, limit);
}

const char *nearest_name(const char *word, const char *(*next)(void *context), void *context) {
    const char *best = NULL, *name;
    size_t length = strlen(word), fewest = length / 3 + 2; /* more changes than that, and it is another word */
    while ((name = next(context))) {
        size_t found = length >= 3 && strncmp(name, word, length) == 0 ? 1 : nearest_distance(word, name, fewest);
        if (found >= fewest) continue;
        fewest = found;
        best = name;
    }
    return best;
}

static const char *next_in_list(void *context) {
    const char *const **position = context;
    return **position ? *(*position)++ : NULL;
}

const char *nearest_word(const char *word, const char *const *names) { return nearest_name(word, next_in_list, &names); }

const char *nearest_of(struct slice word, const char *const *names, size_t count) {
    char text[NEAREST_LETTERS + 1];
    size_t length = word.length < NEAREST_LETTERS ? word.length : NEAREST_LETTERS, best = SIZE_MAX;
    if (length) memcpy(text, word.data, length);
    text[length] = 0;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t found = nearest_distance(text, names[i], best);
        if (found >= best) continue;
        best = found;
        nearest = names[i];
    }
    return nearest;
}
