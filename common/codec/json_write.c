#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/codec/calendar.h"
#include "common/codec/json.h"

static bool write_slot(const struct codec_slot *slot, const char *base, struct buffer *out);

static bool write_text(struct buffer *out, const char *text) { return buffer_append(out, text, strlen(text)); }

static bool write_string(struct slice text, struct buffer *out) {
    static const char hex[] = "0123456789abcdef";
    if (text.length > SIZE_MAX / 8 || !buffer_reserve(out, text.length * 6 + 2)) return false;
    char *at = out->data + out->length;
    *at++ = '"';
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x20 && c != '"' && c != '\\') { *at++ = (char)c; continue; }
        *at++ = '\\';
        switch (c) {
        case '"': case '\\': *at++ = (char)c; break;
        case '\n': *at++ = 'n'; break;
        case '\r': *at++ = 'r'; break;
        case '\t': *at++ = 't'; break;
        default: memcpy(at, "u00", 3); at[3] = hex[c >> 4]; at[4] = hex[c & 15]; at += 5; break;
        }
    }
    *at++ = '"';
    out->length = (size_t)(at - out->data);
    return true;
}

static bool write_base64(struct slice bytes, struct buffer *out) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (bytes.length > SIZE_MAX / 8 || !buffer_reserve(out, bytes.length / 3 * 4 + 8)) return false;
    char *at = out->data + out->length;
    *at++ = '"';
    for (size_t i = 0; i < bytes.length; i += 3) {
        const unsigned char *b = (const unsigned char *)bytes.data + i;
        size_t left = bytes.length - i;
        uint32_t bits = (uint32_t)b[0] << 16 | (left > 1 ? (uint32_t)b[1] << 8 : 0) | (left > 2 ? b[2] : 0);
        *at++ = alphabet[bits >> 18];
        *at++ = alphabet[bits >> 12 & 63];
        *at++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
        *at++ = left > 2 ? alphabet[bits & 63] : '=';
    }
    *at++ = '"';
    out->length = (size_t)(at - out->data);
    return true;
}

/* The digits, the last `scale` of them behind a point (none for scale 0). */
static bool write_number(int64_t number, uint32_t scale, struct buffer *out) {
    char text[32], *at = text + sizeof text;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    for (uint32_t digits = 0; rest || digits <= scale; digits++, rest /= 10) {
        if (digits == scale && scale) *--at = '.';
        *--at = (char)('0' + rest % 10);
    }
    if (number < 0) *--at = '-';
    return buffer_append(out, at, (size_t)(text + sizeof text - at));
}

static bool write_decimal(int64_t amount, uint32_t scale, struct buffer *out) {
    if (!codec_decimal_is_number(amount)) return write_text(out, "null");
    return write_text(out, "\"") && write_number(amount, scale, out) && write_text(out, "\"");
}

static bool write_real(double number, int digits, struct buffer *out) {
    char text[40];
    if (!isfinite(number)) return write_text(out, "null");
    snprintf(text, sizeof text, "%.*g", digits, number);
    return write_text(out, text) && (strpbrk(text, ".e") != NULL || write_text(out, ".0"));
}

static bool write_moment(const struct codec_type *type, const void *place, struct buffer *out) {
    char text[CODEC_CALENDAR_TEXT_SIZE + 2] = "\"";
    size_t length = type->kind == CODEC_DATE ? codec_date_text(*(const int32_t *)place, text + 1)
        : codec_timestamp_text(*(const int64_t *)place, type->kind == CODEC_TIMESTAMP_MILLIS ? 1000 : 1000000, text + 1);
    text[length + 1] = '"';
    return buffer_append(out, text, length + 2);
}

static bool write_record(const struct codec_type *type, const char *value, struct buffer *out) {
    bool ok = write_text(out, "{");
    for (uint32_t i = 0; ok && i < type->field_count; i++) {
        const struct codec_field *field = &type->fields[i];
        ok = write_text(out, i ? ",\"" : "\"") && write_text(out, field->name) && write_text(out, "\":") && write_slot(&field->slot, value, out);
    }
    return ok && write_text(out, "}");
}

static bool write_list(const struct codec_type *type, const struct codec_list *list, struct buffer *out) {
    bool is_map = type->kind == CODEC_MAP, ok = write_text(out, is_map ? "{" : "[");
    const char *item = list->items;
    for (size_t i = 0; ok && i < list->count; i++, item += type->element_size) {
        if (i) ok = write_text(out, ",");
        if (ok && is_map) ok = write_string(*(const struct slice *)(const void *)item, out) && write_text(out, ":");
        ok = ok && write_slot(&type->element, item, out);
    }
    return ok && write_text(out, is_map ? "}" : "]");
}

static bool write_value(const struct codec_type *type, const char *value, struct buffer *out) {
    const void *place = value;
    switch (type->kind) {
    case CODEC_NULL: return write_text(out, "null");
    case CODEC_BOOLEAN: return write_text(out, *(const bool *)place ? "true" : "false");
    case CODEC_INT: return write_number(*(const int32_t *)place, 0, out);
    case CODEC_LONG: return write_number(*(const int64_t *)place, 0, out);
    case CODEC_FLOAT: return write_real((double)*(const float *)place, 9, out);
    case CODEC_DOUBLE: return write_real(*(const double *)place, 17, out);
    case CODEC_BYTES: case CODEC_FIXED: return write_base64(*(const struct slice *)place, out);
    case CODEC_STRING: case CODEC_UUID: return write_string(*(const struct slice *)place, out);
    case CODEC_DECIMAL: return write_decimal(*(const int64_t *)place, type->scale, out);
    case CODEC_DATE: case CODEC_TIMESTAMP_MILLIS: case CODEC_TIMESTAMP_MICROS: return write_moment(type, place, out);
    case CODEC_ENUM: {
        uint32_t symbol = *(const uint32_t *)place;
        return symbol < type->symbol_count ? write_string(slice_of(type->symbols[symbol]), out) : write_text(out, "null");
    }
    case CODEC_RECORD: return write_record(type, value, out);
    case CODEC_ARRAY: case CODEC_MAP: return write_list(type, place, out);
    case CODEC_OPTIONAL: case CODEC_UNION: break; /* write_slot's */
    }
    return false;
}

static bool write_slot(const struct codec_slot *slot, const char *base, struct buffer *out) {
    const struct codec_type *type = slot->type;
    const char *value = base + slot->offset;
    if (type->kind == CODEC_OPTIONAL)
        return *(const bool *)(base + slot->flag_offset) ? write_value(type->element.type, value, out) : write_text(out, "null");
    if (type->kind != CODEC_UNION) return write_value(type, value, out);
    unsigned position = *(const unsigned *)(const void *)(base + slot->flag_offset);
    if (position >= type->branch_count || type->branches[position]->kind == CODEC_NULL) return write_text(out, "null");
    const struct codec_type *branch = type->branches[position];
    return write_text(out, "{\"") && write_text(out, branch->name ? branch->name : codec_kind_name(branch->kind)) && write_text(out, "\":") &&
           write_value(branch, value, out) && write_text(out, "}");
}

bool codec_to_json(const struct codec_type *type, const void *value, struct buffer *out) {
    return write_value(type, value, out);
}
