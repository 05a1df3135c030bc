/* calendar: days and times as ISO 8601 text and back. Proleptic Gregorian calendar, UTC, no leap seconds, as Avro's date and timestamps.
 * Source of the day count: the era of 400 years has 146,097 days; years are taken from 1 March so that the leap day comes last. */
#ifndef KONTOR_CODEC_CALENDAR_H
#define KONTOR_CODEC_CALENDAR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/platform/slice.h"

#define CODEC_CALENDAR_TEXT_SIZE 48

/* "2018-01-31"; a year outside of 0000 to 9999 has a sign. Returns the length. */
size_t codec_date_text(int64_t days, char text[CODEC_CALENDAR_TEXT_SIZE]);
/* "2018-01-31T10:00:00Z" with digits of a fraction when it is not zero. units_per_second is 1,000 or 1,000,000. Returns the length. */
size_t codec_timestamp_text(int64_t units, int64_t units_per_second, char text[CODEC_CALENDAR_TEXT_SIZE]);

/* False when the text is no such date or time, does not exist in the calendar, or has a finer fraction than the units hold. The time needs its
 * zone: Z, +01:00 or -0130. A year has four digits, or a sign and up to nine. */
bool codec_date_parse(struct slice text, int32_t *days);
bool codec_timestamp_parse(struct slice text, int64_t units_per_second, int64_t *units);
#endif
