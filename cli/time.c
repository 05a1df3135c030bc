#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/command.h"

/* So many digits as a number; moves *text behind them. */
static bool take_digits(const char **text, int count, int *number) {
    *number = 0;
    for (int i = 0; i < count; i++, (*text)++) {
        if (**text < '0' || **text > '9') return false;
        *number = *number * 10 + (**text - '0');
    }
    return true;
}

static bool take_letter(const char **text, char letter) { return **text == letter ? (*text)++, true : false; }

static bool take_date(const char **text, struct tm *day) {
    return take_digits(text, 4, &day->tm_year) && take_letter(text, '-') && take_digits(text, 2, &day->tm_mon) && take_letter(text, '-') &&
           take_digits(text, 2, &day->tm_mday);
}

static bool take_clock(const char **text, struct tm *day, int *milliseconds) {
    if (!take_digits(text, 2, &day->tm_hour) || !take_letter(text, ':') || !take_digits(text, 2, &day->tm_min) || !take_letter(text, ':') ||
        !take_digits(text, 2, &day->tm_sec) || day->tm_hour > 23 || day->tm_min > 59 || day->tm_sec > 59)
        return false;
    return !take_letter(text, '.') || take_digits(text, 3, milliseconds);
}

bool time_parse(const char *text, int64_t *time_ms) {
    size_t digits = strspn(text, "0123456789");
    if (digits && !text[digits]) {
        *time_ms = strtoll(text, NULL, 10);
        return digits <= 15;
    }
    struct tm day = {0}, given;
    int milliseconds = 0;
    if (!take_date(&text, &day)) return false;
    if (*text && !(take_letter(&text, 'T') && take_clock(&text, &day, &milliseconds) && take_letter(&text, 'Z'))) return false;
    day.tm_year -= 1900;
    day.tm_mon -= 1;
    given = day;
    int64_t seconds = timegm(&day);
    if (*text || day.tm_mon != given.tm_mon || day.tm_mday != given.tm_mday) return false; /* 30 February */
    *time_ms = seconds * 1000 + milliseconds;
    return true;
}

const char *time_text(int64_t time_ms, char text[TIME_TEXT_SIZE]) {
    int64_t milliseconds = time_ms % 1000 < 0 ? time_ms % 1000 + 1000 : time_ms % 1000;
    time_t seconds = (time_t)((time_ms - milliseconds) / 1000);
    struct tm day;
    if (!gmtime_r(&seconds, &day) || !strftime(text, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &day)) return strcpy(text, "?");
    size_t length = strlen(text);
    if (milliseconds) snprintf(text + length, TIME_TEXT_SIZE - length, ".%03dZ", (int)milliseconds);
    else snprintf(text + length, TIME_TEXT_SIZE - length, "Z");
    return text;
}

const char *date_text(int32_t days, char text[TIME_TEXT_SIZE]) {
    time_t seconds = (time_t)days * 86400;
    struct tm day;
    if (!gmtime_r(&seconds, &day) || !strftime(text, TIME_TEXT_SIZE, "%Y-%m-%d", &day)) return strcpy(text, "?");
    return text;
}

static const struct { char letter; int64_t ms; } units[] = {{'w', 7 * 86400000LL}, {'d', 86400000}, {'h', 3600000}, {'m', 60000}, {'s', 1000}};

bool age_parse(const char *text, int64_t *age_ms) {
    size_t digits = strspn(text, "0123456789");
    if (!digits || digits > 9 || !text[digits] || text[digits + 1]) return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (units[i].letter == text[digits]) {
            *age_ms = strtoll(text, NULL, 10) * units[i].ms;
            return true;
        }
    return false;
}

const char *age_text(int64_t age_ms, char text[TIME_TEXT_SIZE]) {
    if (age_ms < 0) age_ms = 0;
    for (size_t i = 1; i < sizeof units / sizeof *units; i++)
        if (age_ms >= 2 * units[i].ms || units[i].letter == 's') {
            snprintf(text, TIME_TEXT_SIZE, "%lld%c", (long long)(age_ms / units[i].ms), units[i].letter);
            break;
        }
    return text;
}
