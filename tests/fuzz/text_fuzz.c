/* Small texts from outside, each read by what reads it: days and times with their zones, names of windows, places of records, times of the command line,
 * base64, keys. What is read prints as what it was read from, or as what is read again as the same. */
#include <stdint.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/origins.h"
#include "cli/record_line.h"
#include "cli/values.h"
#include "common/codec/calendar.h"
#include "common/posting/settlement.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

static void check_calendar(struct slice text) {
    char printed[CODEC_CALENDAR_TEXT_SIZE];
    int32_t days, days_again;
    if (codec_date_parse(text, &days)) {
        size_t length = codec_date_text(days, printed);
        require(codec_date_parse((struct slice){printed, length}, &days_again) && days_again == days);
    }
    for (int64_t units = 1000; units <= 1000000; units *= 1000) {
        int64_t at, again;
        if (!codec_timestamp_parse(text, units, &at)) continue;
        size_t length = codec_timestamp_text(at, units, printed);
        require(codec_timestamp_parse((struct slice){printed, length}, units, &again) && again == at);
    }
}

static void check_window(struct slice text) {
    char printed[WINDOW_NAME_SIZE];
    int32_t day;
    int minutes;
    if (!window_parse(text, &day, &minutes)) return;
    const struct window window = {.last_day = day, .minutes = minutes};
    size_t length = window_print(&window, printed);
    require(slice_equal((struct slice){printed, length}, text));
}

static void check_origin(struct slice text) {
    struct slice topic;
    int32_t partition;
    int64_t offset;
    if (!origin_parse(text, &topic, &partition, &offset)) return;
    require(topic.length && topic.length < text.length && partition >= 0 && offset >= 0);
}

static void check_base64(struct slice text) {
    struct buffer bytes = {0}, again = {0}, read = {0};
    if (base64_read(&bytes, text)) {    /* bits behind the last byte are let be (RFC 4648, 3.5), so that text need not come again; the bytes do */
        require(base64_append(&again, buffer_slice(&bytes)) && again.length == text.length);
        require(base64_read(&read, buffer_slice(&again)) && slice_equal(buffer_slice(&read), buffer_slice(&bytes)));
    }
    buffer_free(&read);
    buffer_reset(&again);
    buffer_reset(&bytes);
    require(key_append(&bytes, text) && !memchr(bytes.length ? bytes.data : "", '|', bytes.length));
    buffer_free(&bytes);
    buffer_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct slice text = {(const char *)data, size};
    int64_t time_ms;
    check_calendar(text);
    check_window(text);
    check_origin(text);
    check_base64(text);
    char *line = malloc(size + 1);
    if (!line) return 0;
    memcpy(line, data, size);
    line[size] = 0;
    (void)time_parse(line, &time_ms);
    free(line);
    return 0;
}
