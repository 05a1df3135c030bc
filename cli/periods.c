#include "cli/periods.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/calendar.h"
#include "common/ledger/date.h"

enum { SATURDAY = 6, YEARS_MAXIMUM = 100 };

const struct option periods_options[] = {
    {"calendar", OPTION_TEXT, "CALENDAR", "of periods: monthly or 4-4-5"},
    {"year", OPTION_NUMBER, "YEAR", "of periods: the first fiscal year: the calendar year of its first month"},
    {"years", OPTION_NUMBER, "NUMBER", "of periods: so many fiscal years, 1 unless given"},
    {"first-month", OPTION_NUMBER, "MONTH", "of periods: the fiscal year's first month, 1 unless given"},
    {"starts", OPTION_TEXT, "DATE", "of periods: the first year's first day, 4-4-5 only: its weekday begins every week, Sunday unless given"},
    {"status", OPTION_TEXT, "STATUS", "of periods: open (unless given), soft_closed or closed"},
    {"source", OPTION_TEXT, "SOURCE", "of periods: the system that the records come from"},
    {NULL, OPTION_FLAG, NULL, NULL},
};

struct request {
    struct calendar calendar;
    int year, years;
    const char *entity, *ledger, *status, *source;
};

static bool number_take(const struct invocation *invocation, const char *name, int64_t fallback, int64_t least, int64_t most, int *number, struct error *error) {
    const int64_t given = option_number(invocation, name, fallback);
    if (given < least || given > most) return error_set(error, "--%s %lld: expected %lld to %lld", name, (long long)given, (long long)least, (long long)most);
    *number = (int)given;
    return true;
}

/* The weekday that ends the weeks. The year must begin on the day asked for: otherwise two years would overlap or leave a gap. */
static bool starts_take(const struct invocation *invocation, struct request *request, struct error *error) {
    const char *starts = option_text(invocation, "starts", NULL);
    struct calendar_period periods[CALENDAR_PERIODS];
    char first[DATE_TEXT_SIZE];
    int32_t day;
    request->calendar.last_weekday = SATURDAY;
    if (!starts) return true;
    if (!request->calendar.weeks) return error_set(error, "--starts is for --calendar 4-4-5: months begin on the 1st");
    if (!date_parse(slice_of(starts), &day)) return error_set(error, "--starts %s: expected a day such as 2026-02-01", starts);
    request->calendar.last_weekday = (date_day_of_week(day) + 5) % 7 + 1;
    if (!calendar_year(&request->calendar, request->year, periods, error)) return false;
    if (periods[0].first_day == day) return true;
    date_print(periods[0].first_day, first);
    return error_set(error, "--starts %s: with weeks that begin on that weekday and year ends on the last of the weekday before it in the month before month %d, year %d "
                     "begins on %s; give that day, another --first-month or another --year", starts, request->calendar.first_month, request->year, first);
}

static bool request_read(const struct invocation *invocation, struct request *request, struct error *error) {
    static const char *const statuses[] = {"open", "soft_closed", "closed"};
    const char *calendar = option_text(invocation, "calendar", NULL);
    bool status_known = false;
    *request = (struct request){.entity = invocation->words[1], .ledger = invocation->words[2], .status = option_text(invocation, "status", "open"),
                                .source = option_text(invocation, "source", NULL)};
    if (!calendar) return error_set(error, "master periods needs --calendar monthly or --calendar 4-4-5");
    request->calendar.weeks = strcmp(calendar, "4-4-5") == 0;
    if (!request->calendar.weeks && strcmp(calendar, "monthly") != 0) return error_set(error, "--calendar %s: expected monthly or 4-4-5", calendar);
    if (!option_given(invocation, "year")) return error_set(error, "master periods needs --year, for example --year 2026");
    if (!request->source || !*request->source) return error_set(error, "master periods needs --source, the system that master.periods come from");
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) status_known |= strcmp(request->status, statuses[i]) == 0;
    if (!status_known) return error_set(error, "--status %s: expected open, soft_closed or closed", request->status);
    return number_take(invocation, "year", 0, CALENDAR_YEAR_MINIMUM, CALENDAR_YEAR_MAXIMUM - YEARS_MAXIMUM, &request->year, error) &&
           number_take(invocation, "years", 1, 1, YEARS_MAXIMUM, &request->years, error) &&
           number_take(invocation, "first-month", 1, 1, 12, &request->calendar.first_month, error) && starts_take(invocation, request, error);
}

static bool period_print(const struct request *request, int year, int number, const struct calendar_period *period) {
    char name[32], first[DATE_TEXT_SIZE], last[DATE_TEXT_SIZE];
    snprintf(name, sizeof name, "%04d-%02d", year, number);
    date_print(period->first_day, first);
    date_print(period->last_day, last);
    json_t *record = json_pack("{ss ss ss ss ss ss ss}", "entity", request->entity, "ledger", request->ledger, "period", name, "last_day", last, "valid_from", first,
                               "status", request->status, "source", request->source);
    bool ok = record && json_dumpf(record, stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF;
    json_decref(record);
    return ok;
}

enum exit_status periods_run(const struct invocation *invocation) {
    struct error error = {"out of memory"};
    struct request request;
    struct calendar_period periods[CALENDAR_PERIODS];
    if (!request_read(invocation, &request, &error)) {
        (void)command_failed(&error);
        return EXIT_USAGE;
    }
    for (int year = request.year; year < request.year + request.years; year++) {
        if (!calendar_year(&request.calendar, year, periods, &error)) return command_failed(&error);
        for (int i = 0; i < CALENDAR_PERIODS; i++)
            if (!period_print(&request, year, i + 1, &periods[i])) {
                error_set(&error, "the periods cannot be written: a name is not UTF-8, or standard output takes no more");
                return command_failed(&error);
            }
    }
    return EXIT_DONE;
}
