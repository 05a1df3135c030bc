/* slice: bytes that somebody else owns, not terminated. Strings of a decoded event are slices into its message. */
#ifndef KONTOR_PLATFORM_SLICE_H
#define KONTOR_PLATFORM_SLICE_H
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice { const char *data; size_t length; };

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
#define SLICE_FORMAT "%.*s"
#define SLICE_ARGUMENT(s) (int)(s).length, (s).length ? (s).data : ""

static inline struct slice slice_of(const char *text) { return (struct slice){text, text ? strlen(text) : 0}; }

static inline bool slice_equal(struct slice a, struct slice b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

/* Byte order, as LMDB and memcmp have it; a prefix comes first. */
static inline int slice_compare(struct slice a, struct slice b) {
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter ? memcmp(a.data, b.data, shorter) : 0;
    return order ? order : (a.length > b.length) - (a.length < b.length);
}
#endif
