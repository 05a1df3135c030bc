/* buffer: bytes that grow and are reused. A failed append leaves it as it was and marks it, so that a row of appends is checked once. */
#ifndef KONTOR_PLATFORM_BUFFER_H
#define KONTOR_PLATFORM_BUFFER_H
#include <stdbool.h>
#include <stddef.h>

#include "common/platform/slice.h"

struct buffer { char *data; size_t length, capacity; bool failed; };

/* Room for `more` bytes behind what is there; false (and failed) when out of memory. */
bool buffer_reserve(struct buffer *buffer, size_t more);
bool buffer_append(struct buffer *buffer, const void *bytes, size_t length);
static inline void buffer_reset(struct buffer *buffer) { buffer->length = 0; buffer->failed = false; }
static inline struct slice buffer_slice(const struct buffer *buffer) { return (struct slice){buffer->data, buffer->length}; }
void buffer_free(struct buffer *buffer);
#endif
