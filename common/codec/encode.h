/* encode: a struct of ours as Avro bytes, by its own schema. */
#ifndef KONTOR_CODEC_ENCODE_H
#define KONTOR_CODEC_ENCODE_H
#include "common/codec/type.h"
#include "common/platform/buffer.h"
#include "common/platform/error.h"

/* Appends the record to the buffer. The same struct gives the same bytes, always. False, with the buffer as it was before, when memory is out (then
 * out->failed is set) or a value has no place in the schema: a decimal sentinel or one with more digits than the precision, an enum or branch out of range,
 * a fixed of another length. Strings are not checked for UTF-8: they come from decoded messages or from our own code. */
bool codec_encode(const struct codec_type *type, const void *value, struct buffer *out) MUST_CHECK;
#endif
