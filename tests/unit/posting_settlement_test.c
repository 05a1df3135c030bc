/* settlement: windows of batches, held against a clock that is read minute by minute: nothing here knows how the moment of a local time is computed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/platform/buffer.h"
#include "common/platform/timezone.h"
#include "common/posting/settlement.h"

static const int64_t minute_ms = 60000, day_ms = 86400000;
/* Changes at 1 and 2 o'clock UTC, at midnight, of half an hour, and on a day that was left out. */
static const char *const zone_names[] = {"UTC", "Europe/Amsterdam", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "America/Santiago"};
enum { ZONES = sizeof zone_names / sizeof *zone_names };

static struct { struct time_zone zone; struct buffer bytes; } zones[ZONES];

static int zones_read(void **unused) {
    (void)unused;
    struct error error;
    for (int i = 0; i < ZONES; i++)
        if (!timezone_read(zone_names[i], &zones[i].bytes, &error) || !time_zone_parse(buffer_slice(&zones[i].bytes), &zones[i].zone, &error)) fail_msg("%s: %s", zone_names[i], error.text);
    return 0;
}

static int zones_free(void **unused) {
    (void)unused;
    for (int i = 0; i < ZONES; i++) buffer_free(&zones[i].bytes);
    return 0;
}

static int32_t day(int year, int month, int number) {
    int32_t date;
    assert_true(date_from_civil(year, month, number, &date));
    return date;
}

/* What clocks show there, in minutes since 1970. */
static int64_t shown(const struct time_zone *zone, int64_t moment_ms) { return moment_ms / minute_ms + time_zone_offset_at(zone, moment_ms) / 60; }

/* The first moment of the days around at which clocks show the local time or more, having shown less the minute before: where it comes twice the first. */
static int64_t moment_read(const struct time_zone *zone, int32_t date, int minutes) {
    const int64_t local = (int64_t)date * 1440 + minutes;
    for (int64_t at = (date - 2) * day_ms; at < (date + 3) * day_ms; at += minute_ms)
        if (shown(zone, at) >= local && shown(zone, at - minute_ms) < local) return at;
    fail_msg("no moment of day %d, minute %d", (int)date, minutes);
    return 0;
}

static void moments_are_those_that_clocks_show(void **unused) {
    (void)unused;
    const unsigned seed = (unsigned)(getenv("SEED") ? atoi(getenv("SEED")) : (int)getpid());
    print_message("seed %u (repeat with SEED=%u)\n", seed, seed);
    srand(seed);
    for (int i = 0; i < ZONES; i++)
        for (int k = 0; k < 150; k++) {
            const int32_t date = day(2010, 1, 1) + rand() % 6000;
            const int minutes = k % 3 ? rand() % 1441 : 1440 * (rand() % 2);
            const int64_t read = moment_read(&zones[i].zone, date, minutes), got = time_zone_moment(&zones[i].zone, date, minutes);
            if (read != got) fail_msg("%s, day %d, minute %d: read %lld, computed %lld", zone_names[i], (int)date, minutes, (long long)read, (long long)got);
        }
}

/* On the days when the clock changes, every quarter of an hour. */
static void moments_of_days_when_the_clock_changes(void **unused) {
    (void)unused;
    static const struct { int zone, year, month, day; } changes[] = {{1, 2026, 3, 29}, {1, 2026, 10, 25}, {2, 2026, 3, 8}, {2, 2026, 11, 1}, {3, 2026, 4, 24}, {3, 2026, 10, 30},
                                                                    {4, 2026, 4, 5}, {4, 2026, 10, 4}, {6, 2011, 12, 30}, {6, 2011, 12, 31}, {7, 2026, 4, 5}, {7, 2026, 9, 6}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        for (int minutes = 0; minutes <= 1440; minutes += 15) {
            const struct time_zone *zone = &zones[changes[i].zone].zone;
            const int32_t date = day(changes[i].year, changes[i].month, changes[i].day);
            const int64_t read = moment_read(zone, date, minutes), got = time_zone_moment(zone, date, minutes);
            if (read != got) fail_msg("%s, day %d, minute %d: read %lld, computed %lld", zone_names[changes[i].zone], (int)date, minutes, (long long)read, (long long)got);
        }
}

/* ---- windows ---- */

/* Periods of four or five weeks from 28 December 2025, a Sunday, on. */
static int32_t period_end_of(int32_t date) {
    int32_t first = day(2025, 12, 28), last;
    for (int i = 0;; i++, first = last + 1) {
        last = first + (i % 3 == 2 ? 35 : 28) - 1;
        if (date <= last) return last;
    }
}

static struct window window_at(const struct batch_terms *batch, const struct time_zone *zone, int64_t moment_ms) {
    return settlement_window(batch, zone, period_end_of(time_zone_date_at(zone, moment_ms)), moment_ms);
}

/* Windows lie one behind the other, none is empty, none goes over the end of a period, and their names are theirs. */
static void windows_follow_one_another(void **unused) {
    (void)unused;
    static const int cut_offs[] = {1, 150, 1080, 1439, 1440};
    for (int z = 0; z < ZONES; z++)
        for (int kind = BATCH_BY_DAY; kind <= BATCH_BY_PERIOD; kind++)
            for (int c = 0; c < 5; c++) {
                const struct batch_terms batch = {.window = (enum batch_window)kind, .cut_off = cut_offs[c], .week_ends = 1 + (z + c) % 7};
                const struct time_zone *zone = &zones[z].zone;
                int64_t at = day(2026, 1, 5) * day_ms;
                for (const int64_t end = day(2026, 12, 1) * day_ms; at < end;) {
                    const struct window window = window_at(&batch, zone, at);
                    char name[WINDOW_NAME_SIZE];
                    int32_t last_day;
                    int minutes;
                    assert_true(window.ends_ms > at);
                    assert_true(time_zone_date_at(zone, window.ends_ms - 1) <= period_end_of(time_zone_date_at(zone, at)));
                    assert_int_equal(window_at(&batch, zone, window.ends_ms - 1).ends_ms, window.ends_ms);
                    assert_int_equal(window_at(&batch, zone, at + (window.ends_ms - at) / 2).ends_ms, window.ends_ms);
                    assert_true(window_at(&batch, zone, window.ends_ms).ends_ms > window.ends_ms);
                    const size_t length = window_print(&window, name);
                    assert_true(window_parse((struct slice){name, length}, &last_day, &minutes));
                    assert_int_equal(last_day, window.last_day);
                    assert_int_equal(minutes, window.minutes);
                    assert_int_equal(time_zone_moment(zone, last_day, minutes), window.ends_ms);
                    at = window.ends_ms;
                }
            }
}

static void names_that_are_none(void **unused) {
    (void)unused;
    static const char *const names[] = {"", "2026-03-5", "2026-02-30", "2026-03-05T", "2026-03-05T2400", "2026-03-05T0000", "2026-03-05T1860", "2026-03-05T18:00", "2026-03-05T18", "2026-03-05 1800",
                                        "2026-03-05T-100", "2026-03-05T18000"};
    int32_t last_day;
    int minutes;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (window_parse(slice_of(names[i]), &last_day, &minutes)) fail_msg("\"%s\" was taken for a window", names[i]);
    assert_true(window_parse(SLICE("2026-03-05T1800"), &last_day, &minutes));
    assert_int_equal(last_day, day(2026, 3, 5));
    assert_int_equal(minutes, 1080);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(moments_are_those_that_clocks_show), cmocka_unit_test(moments_of_days_when_the_clock_changes),
                                       cmocka_unit_test(windows_follow_one_another), cmocka_unit_test(names_that_are_none)};
    return cmocka_run_group_tests_name("posting_settlement", tests, zones_read, zones_free);
}
