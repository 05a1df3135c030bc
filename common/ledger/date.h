/* date: civil dates of the Gregorian calendar as days since 1970-01-01, as Avro's `date` has it. From 0001-01-01 to 9999-12-31.
 * A ledger date is the entity's local date: see time_zone.h. Source of the calendar arithmetic: Howard Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms". */
#ifndef KONTOR_LEDGER_DATE_H
#define KONTOR_LEDGER_DATE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/platform/error.h"
#include "common/platform/slice.h"

#define DATE_NONE INT32_MIN
#define DATE_MINIMUM (-719162) /* 0001-01-01 */
#define DATE_MAXIMUM 2932896   /* 9999-12-31 */

struct civil_date { int year, month, day; };

static inline bool date_is_valid(int32_t date) { return date >= DATE_MINIMUM && date <= DATE_MAXIMUM; }

/* False: there is no such day. */
MUST_CHECK bool date_from_civil(int year, int month, int day, int32_t *date);
/* All zero for a date that is not valid. */
struct civil_date date_to_civil(int32_t date);

/* Strictly YYYY-MM-DD. False: something else, or no such day. */
MUST_CHECK bool date_parse(struct slice text, int32_t *date);
enum { DATE_TEXT_SIZE = 11 };
/* YYYY-MM-DD; "" for a date that is not valid. Returns the length. */
size_t date_print(int32_t date, char text[DATE_TEXT_SIZE]);

/* 1 Monday to 7 Sunday, as ISO 8601; 0 for a date that is not valid. */
int date_day_of_week(int32_t date);
int date_days_in_month(int year, int month); /* 0: no such month */
/* DATE_NONE for a date that is not valid. */
int32_t date_last_of_month(int32_t date);
/* The same day so many months later (or earlier), the month's last when it is shorter. False: out of range. */
MUST_CHECK bool date_add_months(int32_t date, int months, int32_t *result);
MUST_CHECK bool date_add_days(int32_t date, int64_t days, int32_t *result);

/* The date at a moment for an offset from UTC, both of any sign. DATE_NONE: out of range. */
int32_t date_at(int64_t timestamp_ms, int32_t offset_seconds);
#endif
