#include "common/codec/calendar.h"

#include <stdio.h>

#define DAY_SECONDS 86400

static int64_t floor_divide(int64_t number, int64_t by) { return number / by - (number % by < 0); }

static void civil_of(int64_t days, int64_t *year, int *month, int *day) {
    days += 719468; /* from 0000-03-01 */
    int64_t era = floor_divide(days, 146097);
    int64_t of_era = days - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

static int64_t days_of(int64_t year, int month, int day) {
    year -= month <= 2;
    int64_t era = floor_divide(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

size_t codec_date_text(int64_t days, char text[CODEC_CALENDAR_TEXT_SIZE]) {
    int64_t year;
    int month, day;
    civil_of(days, &year, &month, &day);
    const char *format = year >= 0 && year <= 9999 ? "%04lld-%02d-%02d" : "%+05lld-%02d-%02d";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    return (size_t)snprintf(text, CODEC_CALENDAR_TEXT_SIZE, format, (long long)year, month, day);
#pragma GCC diagnostic pop
}

size_t codec_timestamp_text(int64_t units, int64_t units_per_second, char text[CODEC_CALENDAR_TEXT_SIZE]) {
    int64_t seconds = floor_divide(units, units_per_second), fraction = units % units_per_second;
    if (fraction < 0) fraction += units_per_second;
    int64_t days = floor_divide(seconds, DAY_SECONDS), of_day = seconds - days * DAY_SECONDS;
    size_t used = codec_date_text(days, text);
    used += (size_t)snprintf(text + used, CODEC_CALENDAR_TEXT_SIZE - used, "T%02d:%02d:%02d", (int)(of_day / 3600), (int)(of_day / 60 % 60), (int)(of_day % 60));
    if (fraction)
        used += (size_t)snprintf(text + used, CODEC_CALENDAR_TEXT_SIZE - used, ".%0*lld", units_per_second == 1000 ? 3 : 6, (long long)fraction);
    used += (size_t)snprintf(text + used, CODEC_CALENDAR_TEXT_SIZE - used, "Z");
    return used;
}

/* ---- reading: each take_ moves on behind what it took ---- */

struct reader { const char *at, *end; };

static bool take(struct reader *reader, char expected) {
    if (reader->at == reader->end || *reader->at != expected) return false;
    reader->at++;
    return true;
}

static bool take_digits(struct reader *reader, int minimum, int maximum, int64_t *number) {
    int count = 0;
    for (*number = 0; count < maximum && reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; count++)
        *number = *number * 10 + (*reader->at++ - '0');
    return count >= minimum;
}

static bool take_date(struct reader *reader, int64_t *days) {
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year, month, day;
    bool minus = take(reader, '-'), has_sign = minus || take(reader, '+');
    if (!take_digits(reader, 4, has_sign ? 9 : 4, &year)) return false;
    if (!take(reader, '-') || !take_digits(reader, 2, 2, &month) || !take(reader, '-') || !take_digits(reader, 2, 2, &day)) return false;
    if (minus) year = -year;
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month < 1 || month > 12 || day < 1 || day > lengths[month - 1] + (month == 2 && is_leap)) return false;
    *days = days_of(year, (int)month, (int)day);
    return true;
}

/* Seconds east of UTC. */
static bool take_zone(struct reader *reader, int64_t *seconds) {
    *seconds = 0;
    if (take(reader, 'Z')) return true;
    int64_t hours, minutes;
    bool west = take(reader, '-');
    if (!west && !take(reader, '+')) return false;
    if (!take_digits(reader, 2, 2, &hours)) return false;
    take(reader, ':');
    if (!take_digits(reader, 2, 2, &minutes) || hours > 23 || minutes > 59) return false;
    *seconds = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

bool codec_date_parse(struct slice text, int32_t *days) {
    struct reader reader = {text.data, text.data + text.length};
    int64_t number;
    if (!take_date(&reader, &number) || reader.at != reader.end || number < INT32_MIN || number > INT32_MAX) return false;
    *days = (int32_t)number;
    return true;
}

bool codec_timestamp_parse(struct slice text, int64_t units_per_second, int64_t *units) {
    struct reader reader = {text.data, text.data + text.length};
    int64_t days, hour, minute, second, zone, fraction = 0;
    if (!take_date(&reader, &days) || !take(&reader, 'T') || !take_digits(&reader, 2, 2, &hour) || !take(&reader, ':')) return false;
    if (!take_digits(&reader, 2, 2, &minute) || !take(&reader, ':') || !take_digits(&reader, 2, 2, &second)) return false;
    if (hour > 23 || minute > 59 || second > 59) return false;
    if (take(&reader, '.')) {
        const char *start = reader.at;
        int digits = units_per_second == 1000 ? 3 : 6;
        if (!take_digits(&reader, 1, digits, &fraction)) return false;
        for (int64_t taken = reader.at - start; taken < digits; taken++) fraction *= 10;
        while (take(&reader, '0')) {}
    }
    if (!take_zone(&reader, &zone) || reader.at != reader.end) return false;
    int64_t seconds = days * DAY_SECONDS + hour * 3600 + minute * 60 + second - zone;
    /* The first second of the int64's range starts below it: count from the next one. */
    if (seconds < 0 && fraction) { seconds++; fraction -= units_per_second; }
    return !__builtin_mul_overflow(seconds, units_per_second, units) && !__builtin_add_overflow(*units, fraction, units);
}
