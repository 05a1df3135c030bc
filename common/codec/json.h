/* json: structs of ours as JSON, for the command line, the sample and the tests. Not Avro's own JSON encoding but what a person would write:
 *
 *     decimal     "100.00" or 100 (an integer); written with exactly its scale
 *     date        "2018-01-31"
 *     timestamp   "2018-01-31T10:00:00Z", with fraction when there is one; read with any offset (+01:00), with at most the type's fraction digits
 *     enum        its symbol                        bytes, fixed   base64 (RFC 4648, padded)
 *     null or T   null or the plain value           other unions   {"branch": value}, the branch's full name or type; null is null
 *
 * A map's key with a zero byte in it can be written but not read again: jansson refuses it. */
#ifndef KONTOR_CODEC_JSON_H
#define KONTOR_CODEC_JSON_H
#include <jansson.h>

#include "common/codec/type.h"
#include "common/platform/arena.h"
#include "common/platform/buffer.h"
#include "common/platform/error.h"

/* Fills *out (type->size bytes, zeroed first); what it points to is copied into the arena, the JSON may go. A missing field takes the schema's default
 * or is an error; an unknown field is an error that names the nearest known one. Every error has the field's path. */
bool codec_from_json(const struct codec_type *type, const json_t *json, struct arena *arena, void *out, struct error *error) MUST_CHECK;

/* Appends one compact line, without a line end, fields in the schema's order. A decimal sentinel is written as null. Not-a-number and infinity are
 * written as null: JSON has no word for them. False only when memory is out. */
bool codec_to_json(const struct codec_type *type, const void *value, struct buffer *out) MUST_CHECK;
#endif
