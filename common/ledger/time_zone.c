#include "common/ledger/time_zone.h"

enum { HEADER_BYTES = 44, TYPE_BYTES = 6, OFFSET_MINIMUM = -89999, OFFSET_MAXIMUM = 93599 /* RFC 8536, 3.2 */ };

static int64_t floor_divide(int64_t value, int64_t divisor) { return value / divisor - (value % divisor < 0); }

static uint32_t read_32(const unsigned char *at) { return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]; }

static int64_t read_time(const struct time_zone *zone, size_t index) {
    const unsigned char *at = zone->times + index * zone->time_size;
    return zone->time_size == 4 ? (int32_t)read_32(at) : (int64_t)((uint64_t)read_32(at) << 32 | read_32(at + 4));
}

static int32_t type_offset(const struct time_zone *zone, size_t type) { return (int32_t)read_32(zone->types + type * TYPE_BYTES); }

/* ---- the footer: a rule of POSIX TZ, with the hours that version 3 allows (RFC 8536, 3.3) ---- */

struct text { const char *at, *end; };

static bool take(struct text *text, char wanted) {
    if (text->at == text->end || *text->at != wanted) return false;
    text->at++;
    return true;
}

static bool take_number(struct text *text, int maximum, int *number) {
    const char *start = text->at;
    for (*number = 0; text->at < text->end && *text->at >= '0' && *text->at <= '9' && *number <= maximum; text->at++)
        *number = *number * 10 + (*text->at - '0');
    return text->at > start && *number <= maximum;
}

/* Letters, or anything in <>. */
static bool take_abbreviation(struct text *text) {
    const char *start = text->at;
    if (take(text, '<')) {
        while (text->at < text->end && *text->at != '>') text->at++;
        return take(text, '>');
    }
    while (text->at < text->end && ((*text->at | 0x20) >= 'a' && (*text->at | 0x20) <= 'z')) text->at++;
    return text->at - start >= 3;
}

/* [+-]hours[:minutes[:seconds]] */
static bool take_time(struct text *text, int32_t *seconds) {
    int hours, minutes = 0, rest = 0;
    bool negative = take(text, '-');
    if (!negative) take(text, '+');
    if (!take_number(text, 167, &hours)) return false;
    if (take(text, ':')) {
        if (!take_number(text, 59, &minutes)) return false;
        if (take(text, ':') && !take_number(text, 59, &rest)) return false;
    }
    *seconds = hours * 3600 + minutes * 60 + rest;
    if (negative) *seconds = -*seconds;
    return true;
}

static bool take_change(struct text *text, struct time_zone_change *change) {
    *change = (struct time_zone_change){.seconds = 2 * 3600};
    if (!take(text, ',')) return false;
    if (take(text, 'M')) {
        change->by = TIME_ZONE_WEEKDAY;
        if (!take_number(text, 12, &change->month) || change->month < 1 || !take(text, '.')) return false;
        if (!take_number(text, 5, &change->week) || change->week < 1 || !take(text, '.')) return false;
        if (!take_number(text, 6, &change->weekday)) return false;
    } else {
        change->by = take(text, 'J') ? TIME_ZONE_DAY_WITHOUT_LEAP : TIME_ZONE_DAY_OF_YEAR;
        if (!take_number(text, 365, &change->day) || (change->by == TIME_ZONE_DAY_WITHOUT_LEAP && change->day < 1)) return false;
    }
    return !take(text, '/') || take_time(text, &change->seconds);
}

static bool parse_rule(struct time_zone *zone, struct text text) {
    zone->has_rule = zone->has_daylight = false;
    if (text.at == text.end) return true;
    /* POSIX counts west of Greenwich. */
    if (!take_abbreviation(&text) || !take_time(&text, &zone->standard_offset)) return false;
    zone->standard_offset = -zone->standard_offset;
    zone->daylight_offset = zone->standard_offset + 3600;
    zone->has_rule = true;
    if (text.at == text.end) return true;
    if (!take_abbreviation(&text)) return false;
    if (text.at < text.end && *text.at != ',') {
        if (!take_time(&text, &zone->daylight_offset)) return false;
        zone->daylight_offset = -zone->daylight_offset;
    }
    zone->has_daylight = true;
    return take_change(&text, &zone->to_daylight) && take_change(&text, &zone->to_standard) && text.at == text.end;
}

/* ---- the file ---- */

struct counts { uint64_t utc, standard, leaps, times, types, characters; };

static struct counts read_counts(const unsigned char *header) {
    return (struct counts){read_32(header + 20), read_32(header + 24), read_32(header + 28),
                           read_32(header + 32), read_32(header + 36), read_32(header + 40)};
}

/* Bytes of a data block; no overflow, since each count has 32 bits. */
static uint64_t block_bytes(struct counts counts, uint64_t time_size) {
    return counts.times * (time_size + 1) + counts.types * TYPE_BYTES + counts.characters + counts.leaps * (time_size + 4) + counts.standard + counts.utc;
}

static bool check_block(const struct time_zone *zone, struct counts counts, struct error *error) {
    if (counts.leaps > 0) return error_set(error, "the time zone file counts leap seconds; take the one that does not (outside the folder right)");
    if (counts.types == 0) return error_set(error, "the time zone file is damaged: it has no offset");
    for (size_t i = 0; i < zone->type_count; i++)
        if (type_offset(zone, i) < OFFSET_MINIMUM || type_offset(zone, i) > OFFSET_MAXIMUM)
            return error_set(error, "the time zone file is damaged: offset %zu is out of range", i);
    for (size_t i = 0; i < zone->time_count; i++) {
        if (zone->kinds[i] >= zone->type_count) return error_set(error, "the time zone file is damaged: transition %zu has no offset", i);
        if (i > 0 && read_time(zone, i) <= read_time(zone, i - 1)) return error_set(error, "the time zone file is damaged: transition %zu is out of order", i);
    }
    return true;
}

static bool is_header(struct slice bytes, size_t at) { return bytes.length >= at + HEADER_BYTES && memcmp(bytes.data + at, "TZif", 4) == 0; }

bool time_zone_parse(struct slice bytes, struct time_zone *zone, struct error *error) {
    *zone = (struct time_zone){.time_size = 4};
    if (!is_header(bytes, 0)) return error_set(error, "this is no time zone file (TZif): its first bytes are others");
    const unsigned char *start = (const unsigned char *)bytes.data;
    char version = bytes.data[4];
    size_t header = 0;
    struct counts counts = read_counts(start);
    if (version >= '2') { /* the same again with times of 64 bits, and a footer */
        uint64_t skipped = HEADER_BYTES + block_bytes(counts, 4);
        if (skipped > bytes.length || !is_header(bytes, (size_t)skipped)) return error_set(error, "the time zone file is cut short");
        header = (size_t)skipped;
        counts = read_counts(start + header);
        zone->time_size = 8;
    }
    uint64_t block = block_bytes(counts, zone->time_size);
    if (block > bytes.length - header - HEADER_BYTES) return error_set(error, "the time zone file is cut short");
    zone->time_count = (size_t)counts.times;
    zone->type_count = (size_t)counts.types;
    zone->times = start + header + HEADER_BYTES;
    zone->kinds = zone->times + zone->time_count * zone->time_size;
    zone->types = zone->kinds + zone->time_count;
    if (!check_block(zone, counts, error)) return false;
    if (version < '2') return true;
    struct text footer = {bytes.data + header + HEADER_BYTES + block, bytes.data + bytes.length};
    const char *end = footer.at < footer.end ? memchr(footer.at + 1, '\n', (size_t)(footer.end - footer.at - 1)) : NULL;
    if (!end || !take(&footer, '\n')) return error_set(error, "the time zone file is cut short");
    footer.end = end;
    if (!parse_rule(zone, footer)) return error_set(error, "the rule \"%.*s\" at the time zone file's end cannot be read", (int)(footer.end - footer.at), footer.at);
    return true;
}

/* ---- look-up ---- */

/* The local second, counted as if it were UTC, at which the offset changes in a year. */
static int64_t change_in_year(const struct time_zone_change *change, int year) {
    int32_t first, date;
    int month = change->by == TIME_ZONE_WEEKDAY ? change->month : 1;
    if (!date_from_civil(year, month, 1, &first)) return 0; /* the year comes from a valid date */
    if (change->by == TIME_ZONE_WEEKDAY) {
        int sunday_based = date_day_of_week(first) % 7;
        date = first + (change->weekday - sunday_based + 7) % 7 + (change->week - 1) * 7;
        while (date > date_last_of_month(first)) date -= 7; /* week 5 is the last one */
    } else {
        bool after_leap_day = change->by == TIME_ZONE_DAY_WITHOUT_LEAP && change->day >= 60 && date_days_in_month(year, 2) == 29;
        date = first + change->day - (change->by == TIME_ZONE_DAY_WITHOUT_LEAP) + after_leap_day;
    }
    return (int64_t)date * 86400 + change->seconds;
}

static int32_t offset_by_rule(const struct time_zone *zone, int64_t timestamp_ms) {
    if (!zone->has_daylight) return zone->standard_offset;
    int32_t date = date_at(timestamp_ms, zone->standard_offset);
    if (date == DATE_NONE) return zone->standard_offset;
    int year = date_to_civil(date).year;
    int64_t seconds = floor_divide(timestamp_ms, 1000);
    int64_t begins = change_in_year(&zone->to_daylight, year) - zone->standard_offset;
    int64_t ends = change_in_year(&zone->to_standard, year) - zone->daylight_offset;
    bool daylight = begins < ends ? seconds >= begins && seconds < ends : seconds >= begins || seconds < ends; /* south: over the new year */
    return daylight ? zone->daylight_offset : zone->standard_offset;
}

int32_t time_zone_offset_at(const struct time_zone *zone, int64_t timestamp_ms) {
    int64_t seconds = floor_divide(timestamp_ms, 1000);
    /* The number of transitions at or before the moment. */
    size_t low = 0, high = zone->time_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (read_time(zone, middle) <= seconds) low = middle + 1;
        else high = middle;
    }
    if (low == zone->time_count && zone->has_rule) return offset_by_rule(zone, timestamp_ms);
    return type_offset(zone, low == 0 ? 0 : zone->kinds[low - 1]);
}

int32_t time_zone_date_at(const struct time_zone *zone, int64_t timestamp_ms) { return date_at(timestamp_ms, time_zone_offset_at(zone, timestamp_ms)); }

int64_t time_zone_moment(const struct time_zone *zone, int32_t date, int minutes) {
    enum { AROUND = 26 * 3600 };   /* no place is further from UTC, and no offset changes twice in twice as long */
    const int64_t local = (int64_t)date * 86400 + (int64_t)minutes * 60;
    int64_t before = local - AROUND, after = local + AROUND;
    const int32_t offset_before = time_zone_offset_at(zone, before * 1000), offset_after = time_zone_offset_at(zone, after * 1000);
    if (offset_before == offset_after) return (local - offset_before) * 1000;
    while (after - before > 1) {   /* the second of the change */
        const int64_t middle = before + (after - before) / 2;
        if (time_zone_offset_at(zone, middle * 1000) == offset_before) before = middle;
        else after = middle;
    }
    if (local < after + offset_before) return (local - offset_before) * 1000;
    return (local - offset_after > after ? local - offset_after : after) * 1000;
}
