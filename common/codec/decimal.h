/* decimal: Avro's decimal (a big-endian two's complement integer, the amount times 10^scale) from and to an int64 at our scale.
 * Source: Apache Avro specification 1.11, "Logical Types / Decimal". Sentinels: type.h. */
#ifndef KONTOR_CODEC_DECIMAL_H
#define KONTOR_CODEC_DECIMAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/codec/type.h"

#define CODEC_RESCALE_DOWN_MAXIMUM 36 /* digits: 256 * 10^36 still fits 128 bits */

/* The largest amount of so many digits, and never a sentinel when negated. */
int64_t codec_decimal_limit(uint32_t precision);

/* The general way: any length of at least one byte, `up` digits appended or `down` digits taken off (one of them 0). */
int64_t codec_decimal_rescale(const unsigned char *bytes, size_t length, uint32_t up, uint32_t down, int64_t limit);

/* The same scale. length is at least 1. */
static inline int64_t codec_decimal_read(const unsigned char *bytes, size_t length, int64_t limit) {
    if (length > 8) return codec_decimal_rescale(bytes, length, 0, 0, limit);
    uint64_t bits = bytes[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < length; i++) bits = bits << 8 | bytes[i];
    int64_t amount = (int64_t)bits;
    return amount > limit || amount < -limit ? CODEC_DECIMAL_OVERFLOW : amount;
}

/* The shortest form, 1 to 8 bytes; returns their number. */
static inline size_t codec_decimal_write(int64_t amount, unsigned char bytes[8]) {
    uint64_t magnitude = (uint64_t)(amount < 0 ? ~amount : amount);
    size_t bits = 65 - (magnitude ? (size_t)__builtin_clzll(magnitude) : 64); /* with the sign's bit */
    size_t length = (bits + 7) / 8;
    for (size_t i = 0; i < length; i++) bytes[i] = (unsigned char)((uint64_t)amount >> (8 * (length - 1 - i)));
    return length;
}
#endif
