#include "common/tables/key.h"

#include <string.h>

#include "common/codec/calendar.h"

struct slice tables_key(char *buffer, size_t size, const struct slice *parts, size_t count) {
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            if (length == size) return (struct slice){buffer, 0};
            buffer[length++] = '|';
        }
        for (size_t at = 0; at < parts[i].length; at++) {
            char byte = parts[i].data[at];
            const char *text = byte == '%' ? "%25" : byte == '|' ? "%7C" : &byte;
            size_t more = text == &byte ? 1 : 3;
            if (size - length < more) return (struct slice){buffer, 0};
            memcpy(buffer + length, text, more);
            length += more;
        }
    }
    return (struct slice){buffer, length};
}

/* Only what tables_key writes: another spelling of an id would never be found. */
static bool is_encoded(struct slice text) {
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] != '%') continue;
        if (text.length - i < 3 || (memcmp(text.data + i, "%25", 3) != 0 && memcmp(text.data + i, "%7C", 3) != 0)) return false;
        i += 2;
    }
    return true;
}

const char *key_parse(struct slice kafka_key, size_t field_count, struct key *key) {
    size_t bars = 0, last_bar = 0;
    for (size_t i = 0; i < kafka_key.length; i++)
        if (kafka_key.data[i] == '|') { bars++; last_bar = i; }
    if (bars != field_count) return "it has not as many parts as the table has key fields and a date";
    key->id = (struct slice){kafka_key.data, last_bar};
    struct slice date = {kafka_key.data + last_bar + 1, kafka_key.length - last_bar - 1};
    if (date.length != KEY_DATE_TEXT || !codec_date_parse(date, &key->valid_from)) return "it does not end with a date like 2018-01-31";
    return is_encoded(key->id) ? NULL : "a % in it is not followed by 25 or 7C";
}

bool key_is(struct slice kafka_key, const struct slice *parts, size_t count, int32_t valid_from) {
    char expected[KEY_ID_MAXIMUM], date[CODEC_CALENDAR_TEXT_SIZE];
    struct slice id = tables_key(expected, sizeof expected, parts, count);
    size_t date_length = codec_date_text(valid_from, date);
    return kafka_key.length == id.length + 1 + date_length && slice_equal(id, (struct slice){kafka_key.data, id.length}) &&
           kafka_key.data[id.length] == '|' && memcmp(kafka_key.data + id.length + 1, date, date_length) == 0;
}

bool key_write(struct key_bytes *out, size_t table, struct slice id, int32_t valid_from) {
    if (id.length == 0 || id.length > KEY_ID_MAXIMUM || memchr(id.data, 0, id.length)) return false;
    uint32_t date = (uint32_t)valid_from ^ 0x80000000u;
    char *at = out->bytes;
    *at++ = (char)table;
    memcpy(at, id.data, id.length);
    at += id.length;
    *at++ = '\0';
    for (int shift = 24; shift >= 0; shift -= 8) *at++ = (char)(date >> shift);
    out->length = (size_t)(at - out->bytes);
    return true;
}

bool key_same_id(const struct key_bytes *key, struct slice other, int32_t *valid_from) {
    size_t prefix = key->length - KEY_DATE_SIZE;
    if (other.length != key->length || memcmp(other.data, key->bytes, prefix) != 0) return false;
    const unsigned char *at = (const unsigned char *)other.data + prefix;
    *valid_from = (int32_t)(((uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]) ^ 0x80000000u);
    return true;
}
