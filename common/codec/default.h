/* default: a schema's default value, which stands in the schema as JSON in Avro's own form, as the C value.
 * Source: Apache Avro specification 1.11, "Complex Types / Records", table "field default values". */
#ifndef KONTOR_CODEC_DEFAULT_H
#define KONTOR_CODEC_DEFAULT_H
#include "common/codec/type.h"
#include "common/platform/arena.h"
#include "common/platform/error.h"

/* Writes the field's default into the record at `record` (value and flag). Strings and arrays are put into the arena. False with the reason when the
 * field has no default, or one that its type does not take, or the arena is full. */
bool codec_default(const struct codec_field *field, struct arena *arena, void *record, struct error *error) MUST_CHECK;
#endif
