/* difference: what differs between two structs of one type, as one JSON object: the path of each field that differs, with its value before and after.
 *
 *     {"total":["1428.0000","1190.0000"],"lines[0].net":["1200.0000","1000.0000"],"lines[1]":[null,{...}]}
 *
 * Records and lists of records are gone into, everything else is compared as a whole; values are written as json.h writes them. The same: {}. */
#ifndef KONTOR_CODEC_DIFFERENCE_H
#define KONTOR_CODEC_DIFFERENCE_H
#include "common/codec/type.h"
#include "common/platform/buffer.h"
#include "common/platform/error.h"

/* Appends it. False only when memory is out. */
bool codec_difference(const struct codec_type *type, const void *before, const void *after, struct buffer *out) MUST_CHECK;
#endif
