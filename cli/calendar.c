#include "cli/calendar.h"

#include "common/ledger/date.h"

enum { DAYS_OF_WEEK = 7, MONTHS_OF_YEAR = 12 };

/* The first of a month; one beyond December is of the next year. */
static int32_t month_begin(int year, int month) {
    int32_t date = DATE_NONE;
    if (!date_from_civil(year + (month - 1) / MONTHS_OF_YEAR, (month - 1) % MONTHS_OF_YEAR + 1, 1, &date)) return DATE_NONE;   /* never: the year was checked */
    return date;
}

/* The day after the last such weekday before the fiscal year's first month. */
static int32_t year_begin(const struct calendar *calendar, int year) {
    const int32_t last = month_begin(year, calendar->first_month) - 1;
    return last - (date_day_of_week(last) - calendar->last_weekday + DAYS_OF_WEEK) % DAYS_OF_WEEK + 1;
}

static void weeks_fill(const struct calendar *calendar, int year, struct calendar_period periods[CALENDAR_PERIODS]) {
    static const int weeks[] = {4, 4, 5};
    int32_t day = year_begin(calendar, year);
    for (int i = 0; i < CALENDAR_PERIODS; i++) {
        const int32_t next = day + weeks[i % 3] * DAYS_OF_WEEK;
        periods[i] = (struct calendar_period){day, next - 1};
        day = next;
    }
    periods[CALENDAR_PERIODS - 1].last_day = year_begin(calendar, year + 1) - 1;   /* a 53rd week */
}

bool calendar_year(const struct calendar *calendar, int year, struct calendar_period periods[CALENDAR_PERIODS], struct error *error) {
    if (year < CALENDAR_YEAR_MINIMUM || year > CALENDAR_YEAR_MAXIMUM)
        return error_set(error, "year %d: expected %d to %d", year, CALENDAR_YEAR_MINIMUM, CALENDAR_YEAR_MAXIMUM);
    if (calendar->first_month < 1 || calendar->first_month > MONTHS_OF_YEAR) return error_set(error, "first month %d: expected 1 to 12", calendar->first_month);
    if (calendar->weeks && (calendar->last_weekday < 1 || calendar->last_weekday > DAYS_OF_WEEK))
        return error_set(error, "last weekday %d: expected 1 to 7", calendar->last_weekday);
    if (calendar->weeks) {
        weeks_fill(calendar, year, periods);
        return true;
    }
    for (int i = 0; i < CALENDAR_PERIODS; i++)
        periods[i] = (struct calendar_period){month_begin(year, calendar->first_month + i), month_begin(year, calendar->first_month + i + 1) - 1};
    return true;
}
