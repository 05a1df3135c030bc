#include "common/ledger/date.h"

static bool is_leap(int year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

int date_days_in_month(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12) return 0;
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

bool date_from_civil(int year, int month, int day, int32_t *date) {
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > date_days_in_month(year, month)) return false;
    /* Years begin in March here, so that the leap day is the last; an era is 400 years of 146,097 days. 719,468 days lie between
     * 0000-03-01 and 1970-01-01. */
    int shifted = year - (month <= 2), era = shifted / 400, year_of_era = shifted % 400;
    int day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    *date = era * 146097 + day_of_era - 719468;
    return true;
}

struct civil_date date_to_civil(int32_t date) {
    if (!date_is_valid(date)) return (struct civil_date){0};
    int days = date + 719468, era = days / 146097, day_of_era = days % 146097;
    int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100), month_index = (5 * day_of_year + 2) / 153;
    int month = month_index < 10 ? month_index + 3 : month_index - 9;
    return (struct civil_date){.year = era * 400 + year_of_era + (month <= 2), .month = month, .day = day_of_year - (153 * month_index + 2) / 5 + 1};
}

/* `count` digits as a number, or -1. */
static int digits(const char *text, int count) {
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9') return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

bool date_parse(struct slice text, int32_t *date) {
    if (text.length != 10 || text.data[4] != '-' || text.data[7] != '-') return false;
    return date_from_civil(digits(text.data, 4), digits(text.data + 5, 2), digits(text.data + 8, 2), date);
}

static void put_digits(char *text, int value, int count) {
    for (int i = count - 1; i >= 0; i--, value /= 10) text[i] = (char)('0' + value % 10);
}

size_t date_print(int32_t date, char text[DATE_TEXT_SIZE]) {
    text[0] = 0;
    if (!date_is_valid(date)) return 0;
    struct civil_date civil = date_to_civil(date);
    put_digits(text, civil.year, 4);
    text[4] = text[7] = '-';
    put_digits(text + 5, civil.month, 2);
    put_digits(text + 8, civil.day, 2);
    text[10] = 0;
    return 10;
}

int date_day_of_week(int32_t date) {
    /* 0001-01-01 was a Monday. */
    return date_is_valid(date) ? (date - DATE_MINIMUM) % 7 + 1 : 0;
}

int32_t date_last_of_month(int32_t date) {
    if (!date_is_valid(date)) return DATE_NONE;
    struct civil_date civil = date_to_civil(date);
    return date + date_days_in_month(civil.year, civil.month) - civil.day;
}

bool date_add_months(int32_t date, int months, int32_t *result) {
    if (!date_is_valid(date) || months < -120000 || months > 120000) return false;
    struct civil_date civil = date_to_civil(date);
    int count = civil.year * 12 + civil.month - 1 + months;
    if (count < 12) return false;
    int year = count / 12, month = count % 12 + 1;
    int last = date_days_in_month(year, month);
    return date_from_civil(year, month, civil.day < last ? civil.day : last, result);
}

bool date_add_days(int32_t date, int64_t days, int32_t *result) {
    int64_t sum;
    if (!date_is_valid(date) || __builtin_add_overflow((int64_t)date, days, &sum) || sum < DATE_MINIMUM || sum > DATE_MAXIMUM) return false;
    *result = (int32_t)sum;
    return true;
}

static int64_t floor_divide(int64_t value, int64_t divisor) { return value / divisor - (value % divisor < 0); }

int32_t date_at(int64_t timestamp_ms, int32_t offset_seconds) {
    int64_t date = floor_divide(floor_divide(timestamp_ms, 1000) + offset_seconds, 86400);
    return date < DATE_MINIMUM || date > DATE_MAXIMUM ? DATE_NONE : (int32_t)date;
}
