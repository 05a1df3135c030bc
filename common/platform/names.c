#include "common/platform/names.h"

#include <stdint.h>

enum { LENGTH_MAXIMUM = 127 };

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

size_t name_distance(struct slice a, struct slice b) {
    size_t row[LENGTH_MAXIMUM + 1], a_length = least(a.length, LENGTH_MAXIMUM), b_length = least(b.length, LENGTH_MAXIMUM);
    for (size_t j = 0; j <= b_length; j++) row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t above = row[j];
            row[j] = least(least(above, row[j - 1]) + 1, diagonal + (a.data[i - 1] != b.data[j - 1]));
            diagonal = above;
        }
    }
    return row[b_length];
}

const char *name_nearest(struct slice wrong, const char *const *names, size_t count) {
    const char *nearest = NULL;
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t found = name_distance(wrong, slice_of(names[i]));
        if (found >= best) continue;
        best = found;
        nearest = names[i];
    }
    return nearest;
}
