/* Dates against glibc's calendar, and local dates against glibc's time zones: both are other implementations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/ledger/time_zone.h"
#include "common/platform/timezone.h"
#include "tests/unit/random_numbers.h"

static int32_t day(const char *text) {
    int32_t date = DATE_NONE;
    if (!date_parse(slice_of(text), &date)) fail_msg("no date: %s", text);
    return date;
}

static void is_the_calendar_of_glibc(void **state) {
    (void)state;
    for (int32_t date = DATE_MINIMUM; date <= DATE_MAXIMUM; date++) {
        time_t seconds = (time_t)date * 86400;
        struct tm utc;
        gmtime_r(&seconds, &utc);
        struct civil_date civil = date_to_civil(date);
        if (civil.year != utc.tm_year + 1900 || civil.month != utc.tm_mon + 1 || civil.day != utc.tm_mday) fail_msg("day %d", date);
        int32_t back;
        if (!date_from_civil(civil.year, civil.month, civil.day, &back) || back != date) fail_msg("day %d", date);
        if (date_day_of_week(date) % 7 != utc.tm_wday) fail_msg("day %d", date);
    }
}

static void reads_and_prints_iso(void **state) {
    (void)state;
    assert_int_equal(day("1970-01-01"), 0);
    assert_int_equal(day("2018-01-01"), 17532);
    assert_int_equal(day("2000-02-29"), 11016);
    assert_int_equal(day("0001-01-01"), DATE_MINIMUM);
    assert_int_equal(day("9999-12-31"), DATE_MAXIMUM);
    static const char *const refused[] = {"2018-02-29", "1900-02-29", "2018-13-01", "2018-00-10", "2018-01-00", "2018-04-31", "0000-01-01", "2018-1-01",
                                          "2018/01/01", "20180101", "2018-01-01 ", " 2018-01-01", "2018-01-0a", "+018-01-01", "-018-01-01", "", "2018-01-01T"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        int32_t date = 7;
        if (date_parse(slice_of(refused[i]), &date) || date != 7) fail_msg("\"%s\" was taken for a date", refused[i]);
    }
    char text[DATE_TEXT_SIZE];
    assert_int_equal(date_print(11016, text), 10);
    assert_string_equal(text, "2000-02-29");
    date_print(DATE_MINIMUM, text);
    assert_string_equal(text, "0001-01-01");
    assert_int_equal(date_print(DATE_NONE, text), 0);
    assert_string_equal(text, "");
    assert_int_equal(date_day_of_week(INT32_MAX), 0);
    assert_int_equal(date_last_of_month(INT32_MAX), DATE_NONE);
    assert_int_equal(date_to_civil(INT32_MIN).year, 0);
}

static void counts_days_and_months(void **state) {
    (void)state;
    int32_t date = 7;
    assert_int_equal(date_last_of_month(day("2018-02-03")), day("2018-02-28"));
    assert_int_equal(date_last_of_month(day("2020-02-29")), day("2020-02-29"));
    assert_int_equal(date_last_of_month(day("2018-12-31")), day("2018-12-31"));
    assert_true(date_add_months(day("2018-01-31"), 1, &date));
    assert_int_equal(date, day("2018-02-28"));
    assert_true(date_add_months(day("2018-01-31"), -2, &date));
    assert_int_equal(date, day("2017-11-30"));
    assert_true(date_add_months(day("2018-11-15"), 14, &date));
    assert_int_equal(date, day("2020-01-15"));
    assert_true(date_add_months(day("0001-02-01"), -1, &date));
    assert_int_equal(date, DATE_MINIMUM);
    assert_true(date_add_days(day("2018-12-31"), 1, &date));
    assert_int_equal(date, day("2019-01-01"));
    date = 7;
    assert_false(date_add_months(day("0001-01-01"), -1, &date));
    assert_false(date_add_months(day("9999-12-01"), 1, &date));
    assert_false(date_add_months(DATE_NONE, 1, &date));
    assert_false(date_add_months(0, INT32_MAX, &date));
    assert_false(date_add_days(0, INT64_MAX, &date));
    assert_false(date_add_days(0, INT64_MIN, &date));
    assert_false(date_add_days(DATE_NONE, 1, &date));
    assert_false(date_add_days(DATE_MAXIMUM, 1, &date));
    assert_int_equal(date, 7);
}

/* ---- time zones ---- */

struct loaded { struct buffer bytes; struct time_zone zone; };

static struct loaded load(const char *name) {
    struct loaded loaded = {0};
    struct error error;
    if (!timezone_read(name, &loaded.bytes, &error)) fail_msg("%s", error.text);
    if (!time_zone_parse(buffer_slice(&loaded.bytes), &loaded.zone, &error)) fail_msg("%s: %s", name, error.text);
    return loaded;
}

/* 2018-03-25T00:59:59Z -> milliseconds */
static int64_t at(const char *date, int hour, int minute, int second) {
    return ((int64_t)day(date) * 86400 + hour * 3600 + minute * 60 + second) * 1000;
}

static void knows_amsterdam(void **state) {
    (void)state;
    struct loaded amsterdam = load("Europe/Amsterdam");
    const struct time_zone *zone = &amsterdam.zone;
    /* EU directive 2000/84/EC: at 01:00 UTC on the last Sundays of March and October. */
    assert_int_equal(time_zone_offset_at(zone, at("2018-03-25", 0, 59, 59)), 3600);
    assert_int_equal(time_zone_offset_at(zone, at("2018-03-25", 0, 59, 59) + 999), 3600);
    assert_int_equal(time_zone_offset_at(zone, at("2018-03-25", 1, 0, 0)), 7200);
    assert_int_equal(time_zone_offset_at(zone, at("2018-10-28", 0, 59, 59)), 7200);
    assert_int_equal(time_zone_offset_at(zone, at("2018-10-28", 1, 0, 0)), 3600);
    /* Behind the last transition of the file the rule holds. */
    assert_int_equal(time_zone_offset_at(zone, at("2061-03-27", 0, 59, 59)), 3600);
    assert_int_equal(time_zone_offset_at(zone, at("2061-03-27", 1, 0, 0)), 7200);
    assert_int_equal(time_zone_offset_at(zone, at("2061-10-30", 1, 0, 0)), 3600);
    /* The ledger's year ends at 23:00 UTC; a summer's month at 22:00. */
    assert_int_equal(time_zone_date_at(zone, at("2018-12-31", 22, 59, 59) + 999), day("2018-12-31"));
    assert_int_equal(time_zone_date_at(zone, at("2018-12-31", 23, 0, 0)), day("2019-01-01"));
    assert_int_equal(time_zone_date_at(zone, at("2018-06-30", 21, 59, 59)), day("2018-06-30"));
    assert_int_equal(time_zone_date_at(zone, at("2018-06-30", 22, 0, 0)), day("2018-07-01"));
    assert_int_equal(time_zone_date_at(zone, -1), day("1970-01-01"));
    assert_int_equal(time_zone_date_at(zone, INT64_MIN), DATE_NONE);
    assert_int_equal(time_zone_date_at(zone, INT64_MAX), DATE_NONE);
    buffer_free(&amsterdam.bytes);
}

static void agrees_with_glibc(void **state) {
    (void)state;
    random_seed("agrees_with_glibc");
    static const char *const zones[] = {"Europe/Amsterdam", "Europe/Dublin", "Europe/London", "Europe/Lisbon", "America/New_York", "America/Sao_Paulo",
                                        "America/St_Johns", "America/Santiago", "America/Nuuk", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Tokyo", "Asia/Tehran",
                                        "Asia/Gaza", "Australia/Sydney", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Apia",
                                        "Africa/Casablanca", "Africa/Cairo", "Antarctica/Troll", "UTC", "Etc/GMT+12"};
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        struct loaded loaded = load(zones[i]);
        char variable[64];
        snprintf(variable, sizeof variable, ":%s", zones[i]);
        assert_int_equal(setenv("TZ", variable, 1), 0);
        tzset();
        for (int n = 0; n < 20000; n++) {
            /* 1900 to 2400: glibc, as we, takes the footer's rule there. */
            time_t seconds = (time_t)random_below(INT64_C(15778800000)) - 2208988800;
            struct tm local;
            localtime_r(&seconds, &local);
            int32_t ours = time_zone_offset_at(&loaded.zone, (int64_t)seconds * 1000 + random_below(1000));
            if (ours != local.tm_gmtoff) fail_msg("%s at %lld: %d, but glibc says %ld", zones[i], (long long)seconds, ours, local.tm_gmtoff);
            struct civil_date civil = date_to_civil(time_zone_date_at(&loaded.zone, (int64_t)seconds * 1000));
            if (civil.year != local.tm_year + 1900 || civil.month != local.tm_mon + 1 || civil.day != local.tm_mday) fail_msg("%s at %lld", zones[i], (long long)seconds);
        }
        buffer_free(&loaded.bytes);
    }
    unsetenv("TZ");
    tzset();
}

static void survives_damage(void **state) {
    (void)state;
    random_seed("survives_damage");
    struct loaded whole = load("Europe/Amsterdam");
    struct time_zone zone;
    struct error error;
    for (size_t length = 0; length < whole.bytes.length; length++) {
        char *copy = malloc(length ? length : 1); /* of exactly that size, so that a read behind it is seen */
        memcpy(copy, whole.bytes.data, length);
        assert_false(time_zone_parse((struct slice){copy, length}, &zone, &error));
        free(copy);
    }
    for (int n = 0; n < 100000; n++) {
        char *copy = malloc(whole.bytes.length);
        memcpy(copy, whole.bytes.data, whole.bytes.length);
        for (int64_t changes = random_below(4) + 1; changes > 0; changes--) copy[random_below(random_below(2) ? 100 : (int64_t)whole.bytes.length)] = (char)random_bits();
        if (time_zone_parse((struct slice){copy, whole.bytes.length}, &zone, &error)) time_zone_date_at(&zone, (int64_t)random_bits());
        free(copy);
    }
    buffer_free(&whole.bytes);
}

/* A file of version 1 header, version 2 header and a footer alone, with offset 0 and no transition. */
static struct slice footer_only(const char *rule, char bytes[256]) {
    memset(bytes, 0, 256);
    memcpy(bytes, "TZif2", 5);
    memcpy(bytes + 44, "TZif2", 5);
    bytes[44 + 39] = 1; /* one offset */
    int length = snprintf(bytes + 88 + 6, 150, "\n%s\n", rule);
    return (struct slice){bytes, 88 + 6 + (size_t)length};
}

static void reads_rules(void **state) {
    (void)state;
    static const char *const refused[] = {"CET", "CET-", "CE-1", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0",
                                          "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,M3.5.0,M10.5.0x", "CET-1CEST,M3.5.0,M10.5.0/168", "CET-1:60", "<+01-1", "CET-1CEST,J0,J365",
                                          "CET-1CEST,366,J365"};
    char bytes[256];
    struct time_zone zone;
    struct error error;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (time_zone_parse(footer_only(refused[i], bytes), &zone, &error)) fail_msg("the rule %s was taken", refused[i]);
    /* J60 is 1 March in every year, 59 counts the leap day. */
    assert_true(time_zone_parse(footer_only("AAA0BBB,J60/0,300/0", bytes), &zone, &error));
    assert_int_equal(time_zone_offset_at(&zone, at("2020-02-29", 23, 59, 59)), 0);
    assert_int_equal(time_zone_offset_at(&zone, at("2020-03-01", 0, 0, 0)), 3600);
    assert_int_equal(time_zone_offset_at(&zone, at("2019-03-01", 0, 0, 0)), 3600);
    assert_true(time_zone_parse(footer_only("AAA0BBB,59/0,300/0", bytes), &zone, &error));
    assert_int_equal(time_zone_offset_at(&zone, at("2020-02-29", 0, 0, 0)), 3600);
    assert_int_equal(time_zone_offset_at(&zone, at("2019-02-28", 23, 59, 59)), 0);
    assert_true(time_zone_parse(footer_only("<-0330>3:30:15", bytes), &zone, &error));
    assert_int_equal(time_zone_offset_at(&zone, 0), -12615);
}

static void reads_only_zones(void **state) {
    (void)state;
    static const char *const refused[] = {"", "/etc/passwd", "../../../etc/passwd", "Europe/../Europe/Amsterdam", "Europe//Amsterdam", "Europe/", "a b", "x\n"};
    struct buffer bytes = {0};
    struct error error;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_false(timezone_read(refused[i], &bytes, &error));
        assert_non_null(strstr(error.text, "is not the name of a time zone"));
    }
    assert_false(timezone_read("Europe/Nowhere", &bytes, &error));
    assert_string_equal(error.text, "time zone Europe/Nowhere is not known to this system; check the name, or install the package tzdata: "
                                    "/usr/share/zoneinfo/Europe/Nowhere cannot be opened: No such file or directory");
    assert_false(timezone_read("Europe", &bytes, &error));
    assert_int_equal(bytes.length, 0);
    buffer_free(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_calendar_of_glibc), cmocka_unit_test(reads_and_prints_iso), cmocka_unit_test(counts_days_and_months),
        cmocka_unit_test(knows_amsterdam), cmocka_unit_test(agrees_with_glibc), cmocka_unit_test(survives_damage), cmocka_unit_test(reads_rules),
        cmocka_unit_test(reads_only_zones)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
