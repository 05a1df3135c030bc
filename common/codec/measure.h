/* measure: whether a record that was read can be worked with: whether it has all its amounts, and how long its lists are. A decoder cannot hold every decimal
 * (type.h): business code refuses an event with such an amount by its field's path; of a record that only kontor writes, where there is nobody to tell, it is
 * enough to know that it is none of ours. */
#ifndef KONTOR_CODEC_MEASURE_H
#define KONTOR_CODEC_MEASURE_H
#include "common/codec/type.h"

/* The name of a field whose decimal is no number, or NULL: then the record, or any part of it, can be written again. Static as the type is. */
const char *codec_not_a_number(const struct codec_type *record_type, const void *record);

/* The name of the longest of the record's own lists (not of lists within them), and how long it is; NULL: all are empty. */
const char *codec_longest_list(const struct codec_type *record_type, const void *record, size_t *count);
#endif
