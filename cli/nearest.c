#include <string.h>

#include "cli/command.h"

enum { NAME_MAXIMUM = 64 };

/* Letters to insert, delete or change to make one of the other (Levenshtein's distance). */
static size_t distance(const char *a, const char *b) {
    size_t row[NAME_MAXIMUM + 1], length = strlen(b);
    if (length > NAME_MAXIMUM || strlen(a) > NAME_MAXIMUM) return NAME_MAXIMUM;
    for (size_t j = 0; j <= length; j++) row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            size_t least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            row[j] = changed < least ? changed : least;
        }
    }
    return row[length];
}

const char *nearest_name(const char *word, const char *(*next)(void *context), void *context) {
    const char *best = NULL, *name;
    size_t least = strlen(word) / 3 + 2; /* more changes than that, and it is another word */
    while ((name = next(context))) {
        size_t found = strlen(word) >= 3 && strncmp(name, word, strlen(word)) == 0 ? 1 : distance(word, name);
        if (found < least) {
            least = found;
            best = name;
        }
    }
    return best;
}

static const char *next_in_list(void *context) {
    const char *const **position = context;
    return **position ? *(*position)++ : NULL;
}

const char *nearest_word(const char *word, const char *const *names) {
    return nearest_name(word, next_in_list, &names);
}
