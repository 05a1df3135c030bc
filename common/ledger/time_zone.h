/* time_zone: the local date of a moment. Works on the bytes of a TZif file (RFC 8536, versions 1 to 4), which platform/timezone.h reads.
 * Pure; no copy is made; any number of threads. */
#ifndef KONTOR_LEDGER_TIME_ZONE_H
#define KONTOR_LEDGER_TIME_ZONE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ledger/date.h"
#include "common/platform/error.h"
#include "common/platform/slice.h"

/* A day of the year when the offset changes, at `seconds` of local time: Mmonth.week.weekday, Jn or n of POSIX TZ. */
enum time_zone_day { TIME_ZONE_WEEKDAY, TIME_ZONE_DAY_WITHOUT_LEAP, TIME_ZONE_DAY_OF_YEAR };
struct time_zone_change { enum time_zone_day by; int month, week, weekday, day; int32_t seconds; };

struct time_zone {
    const unsigned char *times, *kinds, *types;  /* in the file's bytes: transition times, their types, type records of six bytes */
    size_t time_count, type_count, time_size;
    /* What holds after the last transition. */
    bool has_rule, has_daylight;
    int32_t standard_offset, daylight_offset;    /* seconds east of UTC */
    struct time_zone_change to_daylight, to_standard;
};

/* zone refers to the bytes, which must outlive it. An error when they are no whole, valid TZif file. */
MUST_CHECK bool time_zone_parse(struct slice bytes, struct time_zone *zone, struct error *error);

/* Seconds to add to UTC at that moment. */
int32_t time_zone_offset_at(const struct time_zone *zone, int64_t timestamp_ms);
/* The local date at that moment. DATE_NONE: out of date.h's range. */
int32_t time_zone_date_at(const struct time_zone *zone, int64_t timestamp_ms);
/* The moment when local clocks show so many minutes of the day, from 0 to 1440 (midnight at its end): the first one where they show it twice, and where they
 * never do the one at which they jump over it. */
int64_t time_zone_moment(const struct time_zone *zone, int32_t date, int minutes);
#endif
