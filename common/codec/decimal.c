#include "common/codec/decimal.h"

__extension__ typedef unsigned __int128 wide;

int64_t codec_decimal_limit(uint32_t precision) {
    if (precision > 18) return INT64_MAX - 1;
    int64_t limit = 1;
    for (uint32_t i = 0; i < precision; i++) limit *= 10;
    return limit - 1;
}

static wide power_of_ten(uint32_t digits) {
    wide power = 1;
    while (digits--) power *= 10;
    return power;
}

/* Long division by 10^down, byte by byte, so that no length needs more than 128 bits. A negative number is worked on as its complement
 * u = -amount - 1, which needs no carry: -amount is a multiple of the divisor when u leaves the largest remainder. */
int64_t codec_decimal_rescale(const unsigned char *bytes, size_t length, uint32_t up, uint32_t down, int64_t limit) {
    const wide divisor = power_of_ten(down);
    const unsigned char complement = bytes[0] & 0x80 ? 0xff : 0;
    wide remainder = 0, quotient = 0;
    for (size_t i = 0; i < length; i++) {
        wide current = remainder * 256 + (bytes[i] ^ complement);
        quotient = quotient * 256 + current / divisor;
        remainder = current % divisor;
        if (quotient > (wide)INT64_MAX) return CODEC_DECIMAL_OVERFLOW;
    }
    if (remainder != (complement ? divisor - 1 : 0)) return CODEC_DECIMAL_INEXACT;
    int64_t amount = complement ? -(int64_t)quotient - 1 : (int64_t)quotient;
    if (amount != 0 && up > CODEC_SCALE_MAXIMUM) return CODEC_DECIMAL_OVERFLOW;
    if (amount != 0 && __builtin_mul_overflow(amount, (int64_t)power_of_ten(up), &amount)) return CODEC_DECIMAL_OVERFLOW;
    return amount > limit || amount < -limit ? CODEC_DECIMAL_OVERFLOW : amount;
}
