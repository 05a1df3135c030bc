/* values: Avro values as they lie on topics, read by the schema that wrote them. One registry client, and one plan per writer's schema and reader's type. */
#ifndef KONTOR_CLI_VALUES_H
#define KONTOR_CLI_VALUES_H
#include <stdbool.h>

#include "cli/connection.h"
#include "common/codec/plan.h"
#include "common/codec/registry.h"
#include "common/platform/arena.h"
#include "common/platform/buffer.h"

struct values;

MUST_CHECK bool values_open(struct values **values, const struct connection *connection, struct error *error);
void values_close(struct values *values);
struct registry *values_registry(struct values *values);

enum values_result {
    VALUES_OK,
    VALUES_UNREADABLE,  /* these bytes cannot be read; the error says why */
    VALUES_FAILED       /* the registry does not answer: nothing can be said of the bytes */
};

/* Reads into our own type. Strings point into the value, lists into the arena, which the caller resets. */
MUST_CHECK enum values_result values_decode(struct values *values, struct slice value, const struct codec_type *type, struct arena *arena, void *out,
                                            struct error *error);
/* Appends the value as one line of JSON (common/codec/json.h), with every field that the writer's schema has. */
MUST_CHECK enum values_result values_to_json(struct values *values, struct slice value, struct buffer *out, struct error *error);

/* Whether the bytes are UTF-8 without a 0, so that JSON can say them as they are. */
bool bytes_are_text(struct slice bytes);
/* Appends base64 (RFC 4648, padded). */
MUST_CHECK bool base64_append(struct buffer *out, struct slice bytes);
/* Appends what base64 text means; false when it is none. */
MUST_CHECK bool base64_read(struct buffer *out, struct slice text);
#endif
