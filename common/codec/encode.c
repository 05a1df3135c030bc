#include "common/codec/encode.h"

#include <string.h>

#include "common/codec/decimal.h"

#define NUMBER_SIZE_MAXIMUM 10 /* bytes of a varint */

/* Where the next byte goes: within the buffer's room, whose length is set at the end. */
struct encoder { struct buffer *out; uint8_t *at, *end; };

static bool encode_slot(struct encoder *encoder, const struct codec_slot *slot, const char *base);

static bool grow(struct encoder *encoder, size_t more) {
    struct buffer *out = encoder->out;
    size_t length = out->length;
    if (encoder->at) out->length = (size_t)(encoder->at - (uint8_t *)out->data); /* what is written counts while the buffer moves */
    bool ok = buffer_reserve(out, more);
    encoder->at = (uint8_t *)out->data + out->length;
    encoder->end = (uint8_t *)out->data + out->capacity;
    out->length = length;
    return ok;
}

static inline bool reserve(struct encoder *encoder, size_t more) {
    return (size_t)(encoder->end - encoder->at) >= more || grow(encoder, more);
}

static inline bool put_long(struct encoder *encoder, int64_t value) {
    if (!reserve(encoder, NUMBER_SIZE_MAXIMUM)) return false;
    uint64_t bits = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    while (bits >= 0x80) { *encoder->at++ = (uint8_t)(bits | 0x80); bits >>= 7; }
    *encoder->at++ = (uint8_t)bits;
    return true;
}

static inline bool put_bytes(struct encoder *encoder, const void *bytes, size_t length) {
    if (!reserve(encoder, length)) return false;
    if (length) memcpy(encoder->at, bytes, length);
    encoder->at += length;
    return true;
}

static inline bool put_slice(struct encoder *encoder, const struct slice *slice) {
    return put_long(encoder, (int64_t)slice->length) && put_bytes(encoder, slice->data, slice->length);
}

static bool put_decimal(struct encoder *encoder, const struct codec_type *type, int64_t amount) {
    /* The limit of 18 digits is the usual one; the others are counted. */
    const int64_t limit = type->precision == 18 ? 999999999999999999 : codec_decimal_limit(type->precision);
    if (amount > limit || amount < -limit) return false;
    unsigned char bytes[8];
    size_t length = codec_decimal_write(amount, bytes);
    if (!type->fixed_size) return put_long(encoder, (int64_t)length) && put_bytes(encoder, bytes, length);
    if (length > type->fixed_size || !reserve(encoder, type->fixed_size)) return false;
    memset(encoder->at, amount < 0 ? 0xff : 0, type->fixed_size - length);
    encoder->at += type->fixed_size - length;
    return put_bytes(encoder, bytes, length);
}

static bool put_list(struct encoder *encoder, const struct codec_type *type, const struct codec_list *list) {
    if (list->count) {
        if (list->count > INT64_MAX || !put_long(encoder, (int64_t)list->count)) return false;
        const char *item = list->items;
        for (size_t i = 0; i < list->count; i++, item += type->element_size) {
            if (type->kind == CODEC_MAP && !put_slice(encoder, (const struct slice *)(const void *)item)) return false;
            if (!encode_slot(encoder, &type->element, item)) return false;
        }
    }
    return put_long(encoder, 0);
}

static bool encode_value(struct encoder *encoder, const struct codec_type *type, const char *value) {
    const void *place = value;
    switch (type->kind) {
    case CODEC_NULL: return true;
    case CODEC_STRING: case CODEC_UUID: case CODEC_BYTES: return put_slice(encoder, place);
    case CODEC_DECIMAL: return put_decimal(encoder, type, *(const int64_t *)place);
    case CODEC_INT: case CODEC_DATE: return put_long(encoder, *(const int32_t *)place);
    case CODEC_LONG: case CODEC_TIMESTAMP_MILLIS: case CODEC_TIMESTAMP_MICROS: return put_long(encoder, *(const int64_t *)place);
    case CODEC_ENUM: return *(const uint32_t *)place < type->symbol_count && put_long(encoder, *(const int32_t *)place);
    case CODEC_BOOLEAN: return put_bytes(encoder, *(const bool *)place ? "\1" : "\0", 1);
    case CODEC_FLOAT: return put_bytes(encoder, place, sizeof(float)); /* little endian: decode.c asserts it */
    case CODEC_DOUBLE: return put_bytes(encoder, place, sizeof(double));
    case CODEC_FIXED: {
        const struct slice *bytes = place;
        return bytes->length == type->fixed_size && put_bytes(encoder, bytes->data, bytes->length);
    }
    case CODEC_RECORD:
        for (uint32_t i = 0; i < type->field_count; i++)
            if (!encode_slot(encoder, &type->fields[i].slot, value)) return false;
        return true;
    case CODEC_ARRAY: case CODEC_MAP: return put_list(encoder, type, place);
    case CODEC_OPTIONAL: case CODEC_UNION: break; /* encode_slot's */
    }
    return false;
}

static bool encode_slot(struct encoder *encoder, const struct codec_slot *slot, const char *base) {
    const struct codec_type *type = slot->type;
    if (type->kind == CODEC_OPTIONAL) {
        bool has_value = *(const bool *)(base + slot->flag_offset);
        if (!put_long(encoder, has_value ? 1 - (int64_t)type->null_branch : (int64_t)type->null_branch)) return false;
        return !has_value || encode_value(encoder, type->element.type, base + slot->offset);
    }
    if (type->kind == CODEC_UNION) {
        unsigned branch = *(const unsigned *)(const void *)(base + slot->flag_offset);
        return branch < type->branch_count && put_long(encoder, branch) && encode_value(encoder, type->branches[branch], base + slot->offset);
    }
    return encode_value(encoder, type, base + slot->offset);
}

bool codec_encode(const struct codec_type *type, const void *value, struct buffer *out) {
    struct encoder encoder = {.out = out};
    if (!grow(&encoder, 256) || !encode_value(&encoder, type, value)) return false;
    out->length = (size_t)(encoder.at - (uint8_t *)out->data);
    return true;
}
