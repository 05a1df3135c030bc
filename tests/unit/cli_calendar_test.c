/* Periods of a calendar: by hand, and where years end by what companies with such a year have published. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "cli/calendar.h"
#include "cli/command.h"
#include "common/codec/json.h"
#include "common/ledger/date.h"
#include "common/platform/arena.h"
#include "schemas/period.h"

enum { SATURDAY = 6, SUNDAY = 7 };

static int32_t day(const char *text) {
    int32_t date;
    if (!date_parse(slice_of(text), &date)) fail_msg("%s is no day", text);
    return date;
}

static void period_is(const struct calendar_period *period, const char *first, const char *last) {
    char got_first[DATE_TEXT_SIZE], got_last[DATE_TEXT_SIZE];
    date_print(period->first_day, got_first);
    date_print(period->last_day, got_last);
    assert_string_equal(got_first, first);
    assert_string_equal(got_last, last);
}

static void year_make(struct calendar calendar, int year, struct calendar_period periods[CALENDAR_PERIODS]) {
    struct error error = {""};
    if (!calendar_year(&calendar, year, periods, &error)) fail_msg("%s", error.text);
}

static void months_and_leap_years(void **state) {
    (void)state;
    struct calendar_period periods[CALENDAR_PERIODS];
    year_make((struct calendar){.first_month = 1}, 2026, periods);
    period_is(&periods[0], "2026-01-01", "2026-01-31");
    period_is(&periods[1], "2026-02-01", "2026-02-28");
    period_is(&periods[11], "2026-12-01", "2026-12-31");
    year_make((struct calendar){.first_month = 1}, 2028, periods);
    period_is(&periods[1], "2028-02-01", "2028-02-29");
    year_make((struct calendar){.first_month = 1}, 2000, periods);      /* a leap year: divisible by 400 */
    period_is(&periods[1], "2000-02-01", "2000-02-29");
    year_make((struct calendar){.first_month = 1}, 2100, periods);      /* none: divisible by 100 alone */
    period_is(&periods[1], "2100-02-01", "2100-02-28");
}

/* The year 2027 of April: February is that of 2028. */
static void months_from_april(void **state) {
    (void)state;
    struct calendar_period periods[CALENDAR_PERIODS];
    year_make((struct calendar){.first_month = 4}, 2027, periods);
    period_is(&periods[0], "2027-04-01", "2027-04-30");
    period_is(&periods[8], "2027-12-01", "2027-12-31");
    period_is(&periods[9], "2028-01-01", "2028-01-31");
    period_is(&periods[10], "2028-02-01", "2028-02-29");
    period_is(&periods[11], "2028-03-01", "2028-03-31");
}

/* 2026 ends on Saturday, 26 December; 2025 did on the 27th. 28 December + 4 weeks is 25 January, and so on. */
static void weeks_of_2026(void **state) {
    (void)state;
    static const char *const days[CALENDAR_PERIODS][2] = {
        {"2025-12-28", "2026-01-24"}, {"2026-01-25", "2026-02-21"}, {"2026-02-22", "2026-03-28"}, {"2026-03-29", "2026-04-25"}, {"2026-04-26", "2026-05-23"},
        {"2026-05-24", "2026-06-27"}, {"2026-06-28", "2026-07-25"}, {"2026-07-26", "2026-08-22"}, {"2026-08-23", "2026-09-26"}, {"2026-09-27", "2026-10-24"},
        {"2026-10-25", "2026-11-21"}, {"2026-11-22", "2026-12-26"}};
    struct calendar_period periods[CALENDAR_PERIODS];
    year_make((struct calendar){true, 1, SATURDAY}, 2026, periods);
    for (int i = 0; i < CALENDAR_PERIODS; i++) period_is(&periods[i], days[i][0], days[i][1]);
}

/* 2028 ends on 30 December, 53 weeks after 2027's end on the 25th: the last period has six weeks. */
static void the_53rd_week(void **state) {
    (void)state;
    struct calendar_period periods[CALENDAR_PERIODS];
    year_make((struct calendar){true, 1, SATURDAY}, 2028, periods);
    period_is(&periods[0], "2027-12-26", "2028-01-22");
    period_is(&periods[10], "2028-10-22", "2028-11-18");
    period_is(&periods[11], "2028-11-19", "2028-12-30");
    /* ends on a 31st, begins on a 1st */
    year_make((struct calendar){true, 1, SUNDAY}, 2023, periods);
    period_is(&periods[0], "2022-12-26", "2023-01-22");
    period_is(&periods[11], "2023-11-20", "2023-12-31");    /* 53 weeks */
    year_make((struct calendar){true, 1, SUNDAY}, 2024, periods);
    period_is(&periods[0], "2024-01-01", "2024-01-28");
}

/* Apple's fiscal year ends on the last Saturday of September: 24 September 2016, 30 September 2017 (53 weeks), 29 September 2018; 24 September 2022,
 * 30 September 2023 (53 weeks), 28 September 2024 (Forms 10-K). */
static void years_as_published(void **state) {
    (void)state;
    static const struct { int year; const char *ends; int weeks; } published[] = {
        {2016, "2017-09-30", 53}, {2017, "2018-09-29", 52}, {2022, "2023-09-30", 53}, {2023, "2024-09-28", 52}};
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        struct calendar_period periods[CALENDAR_PERIODS];
        year_make((struct calendar){true, 10, SATURDAY}, published[i].year, periods);
        assert_int_equal(periods[11].last_day, day(published[i].ends));
        assert_int_equal(periods[11].last_day - periods[0].first_day + 1, published[i].weeks * 7);
    }
}

/* No day is left out and none is in two periods, whatever the calendar. */
static void every_day_once(void **state) {
    (void)state;
    for (int month = 1; month <= 12; month++) {
        for (int weekday = 0; weekday <= 7; weekday++) {
            const struct calendar calendar = {weekday > 0, month, weekday};
            int32_t next = DATE_NONE;
            for (int year = 1999; year <= 2101; year++) {
                struct calendar_period periods[CALENDAR_PERIODS];
                year_make(calendar, year, periods);
                for (int i = 0; i < CALENDAR_PERIODS; i++) {
                    if (next != DATE_NONE) assert_int_equal(periods[i].first_day, next);
                    assert_true(periods[i].last_day >= periods[i].first_day + 27);
                    next = periods[i].last_day + 1;
                }
                if (weekday) assert_int_equal(date_day_of_week(next - 1), weekday);
            }
        }
    }
}

static void impossible_calendars(void **state) {
    (void)state;
    struct calendar_period periods[CALENDAR_PERIODS];
    struct error error;
    assert_false(calendar_year(&(struct calendar){.first_month = 13}, 2026, periods, &error));
    assert_false(calendar_year(&(struct calendar){.first_month = 0}, 2026, periods, &error));
    assert_false(calendar_year(&(struct calendar){true, 1, 8}, 2026, periods, &error));
    assert_false(calendar_year(&(struct calendar){.first_month = 1}, 9001, periods, &error));
}

/* ---- the command ---- */

/* Its exit status; what it wrote to standard output is in text. */
static enum exit_status command_run(char *const *words, int count, char *text, size_t size) {
    struct invocation invocation;
    struct error error;
    if (!invocation_parse(&invocation, command_find("master"), count, words, &error)) return EXIT_USAGE;
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stdout);
    const int kept = dup(STDOUT_FILENO);
    assert_true(kept >= 0 && dup2(fileno(file), STDOUT_FILENO) >= 0);
    const enum exit_status status = command_find("master")->run(&invocation);
    fflush(stdout);
    assert_true(dup2(kept, STDOUT_FILENO) >= 0);
    close(kept);
    rewind(file);
    text[fread(text, 1, size - 1, file)] = 0;
    fclose(file);
    return status;
}

/* Every line is a record of master.periods. */
static void lines_to_load(void **state) {
    (void)state;
    static char text[65536];
    char *const words[] = {"periods", "ACME", "GL", "--calendar", "4-4-5", "--year", "2026", "--first-month", "2", "--starts", "2026-02-01", "--years", "2",
                           "--source", "MDM"};
    assert_int_equal(command_run(words, sizeof words / sizeof *words, text, sizeof text), EXIT_DONE);
    static const char first[] = "{\"entity\":\"ACME\",\"ledger\":\"GL\",\"period\":\"2026-01\","
        "\"last_day\":\"2026-02-28\",\"valid_from\":\"2026-02-01\",\"status\":\"open\",\"source\":\"MDM\"}\n";
    assert_memory_equal(text, first, sizeof first - 1);
    struct arena arena;
    arena_init(&arena, 1 << 16, 1 << 24);
    int count = 0;
    char name[16];
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), count++) {
        struct period period;
        struct error error = {""};
        json_t *json = json_loads(line, 0, NULL);
        if (!json || !codec_from_json(&period_type, json, &arena, &period, &error)) fail_msg("%s: %s", line, error.text);
        snprintf(name, sizeof name, "%d-%02d", 2026 + count / 12, count % 12 + 1);
        assert_true(slice_equal(period.period, slice_of(name)));
        json_decref(json);
    }
    assert_int_equal(count, 24);
    arena_free(&arena);
}

static void asked_wrongly(void **state) {
    (void)state;
    static char text[4096];
#define REFUSED(...) do { \
        char *const words[] = {__VA_ARGS__}; \
        assert_int_equal(command_run(words, sizeof words / sizeof *words, text, sizeof text), EXIT_USAGE); \
        assert_string_equal(text, ""); \
    } while (0)
    REFUSED("periods", "ACME", "--calendar", "monthly", "--year", "2026", "--source", "MDM");
    REFUSED("periods", "ACME", "GL", "--year", "2026", "--source", "MDM");
    REFUSED("periods", "ACME", "GL", "--calendar", "weekly", "--year", "2026", "--source", "MDM");
    REFUSED("periods", "ACME", "GL", "--calendar", "monthly", "--source", "MDM");
    REFUSED("periods", "ACME", "GL", "--calendar", "monthly", "--year", "2026");
    REFUSED("periods", "ACME", "GL", "--calendar", "monthly", "--year", "2026", "--source", "MDM", "--first-month", "13");
    REFUSED("periods", "ACME", "GL", "--calendar", "monthly", "--year", "2026", "--source", "MDM", "--years", "0");
    REFUSED("periods", "ACME", "GL", "--calendar", "monthly", "--year", "2026", "--source", "MDM", "--status", "opened");
    REFUSED("periods", "ACME", "GL", "--calendar", "monthly", "--year", "2026", "--source", "MDM", "--starts", "2026-01-01");
    REFUSED("periods", "ACME", "GL", "--calendar", "4-4-5", "--year", "2026", "--source", "MDM", "--starts", "2026-01-04");   /* it is 28 December 2025 */
    REFUSED("periods", "ACME", "GL", "--calendar", "4-4-5", "--year", "2026", "--source", "MDM", "--starts", "2026-02-30");
    REFUSED("load", "DIR", "GL");
    REFUSED("load", "DIR", "--calendar", "monthly");
#undef REFUSED
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(months_and_leap_years), cmocka_unit_test(months_from_april), cmocka_unit_test(weeks_of_2026),
        cmocka_unit_test(the_53rd_week), cmocka_unit_test(years_as_published), cmocka_unit_test(every_day_once), cmocka_unit_test(impossible_calendars),
        cmocka_unit_test(lines_to_load), cmocka_unit_test(asked_wrongly)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
