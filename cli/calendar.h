/* calendar: accounting periods of a fiscal year, for master.periods.
 *
 * A fiscal year is named by the calendar year in which its first month lies, and has twelve periods. Monthly: calendar months. 4-4-5: quarters of 4, 4 and 5
 * weeks. It ends on the last such weekday (Saturday, if nothing else is asked for) of the month before the first month, and begins the day after the year
 * before ended: so it has 52 weeks or 53, and the 53rd is in the twelfth period. */
#ifndef KONTOR_CLI_CALENDAR_H
#define KONTOR_CLI_CALENDAR_H
#include <stdbool.h>
#include <stdint.h>

#include "common/platform/error.h"

enum { CALENDAR_PERIODS = 12, CALENDAR_YEAR_MINIMUM = 1900, CALENDAR_YEAR_MAXIMUM = 9000 };

struct calendar {
    bool weeks;             /* 4-4-5; otherwise calendar months */
    int first_month;        /* 1 to 12 */
    int last_weekday;       /* of 4-4-5: 1 Monday to 7 Sunday */
};

/* Days since 1970-01-01, both included. */
struct calendar_period { int32_t first_day, last_day; };

/* The periods of a year from CALENDAR_YEAR_MINIMUM to CALENDAR_YEAR_MAXIMUM. False: what of the calendar or the year cannot be. */
MUST_CHECK bool calendar_year(const struct calendar *calendar, int year, struct calendar_period periods[CALENDAR_PERIODS], struct error *error);
#endif
