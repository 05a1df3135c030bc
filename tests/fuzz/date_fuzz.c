/* Dates from any text and time zones from any bytes: nothing is read outside of them, a date prints as what it was read from, and an offset is within
 * what RFC 8536 allows. */
#include <stdint.h>
#include <stdlib.h>

#include "common/ledger/time_zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

static void check_date(struct slice text) {
    int32_t date;
    char printed[DATE_TEXT_SIZE];
    if (!date_parse(text, &date)) return;
    require(date_is_valid(date) && date_print(date, printed) == text.length && memcmp(printed, text.data, text.length) == 0);
}

static void check_arithmetic(int64_t bits) {
    int32_t date = (int32_t)bits, moved, back;
    struct civil_date civil = date_to_civil(date);
    require(date_is_valid(date) == date_from_civil(civil.year, civil.month, civil.day, &back));
    require(!date_is_valid(date) || back == date);
    if (date_add_days(date, bits >> 32, &moved)) require(date_is_valid(moved) && date_add_days(moved, -(bits >> 32), &back) && back == date);
    if (date_add_months(date, (int)(bits >> 40), &moved)) require(date_is_valid(moved));
    int32_t last = date_last_of_month(date);
    require(last == DATE_NONE || (last >= date && last < date + 31));
    int32_t at = date_at(bits, (int32_t)(bits >> 20));
    require(at == DATE_NONE || date_is_valid(at));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < sizeof(int64_t)) return 0;
    int64_t bits;
    memcpy(&bits, data, sizeof bits);
    check_arithmetic(bits);
    struct slice rest = {(const char *)data + sizeof bits, size - sizeof bits};
    check_date(rest);
    struct time_zone zone;
    struct error error;
    if (time_zone_parse(rest, &zone, &error)) {
        int32_t offset = time_zone_offset_at(&zone, bits), date = time_zone_date_at(&zone, bits);
        require(offset >= -168 * 3600 && offset <= 168 * 3600);
        require(date == DATE_NONE || date_is_valid(date));
    }
    return 0;
}
