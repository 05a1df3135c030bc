/* Bytes that are not ours to read, as JSON can hold them. */
#include <string.h>

#include "cli/values.h"

bool bytes_are_text(struct slice bytes) {
    const unsigned char *b = (const unsigned char *)bytes.data;
    for (size_t i = 0; i < bytes.length;) {
        size_t more = b[i] < 0x80 ? 0 : b[i] >= 0xC2 && b[i] < 0xE0 ? 1 : b[i] >= 0xE0 && b[i] < 0xF0 ? 2 : b[i] >= 0xF0 && b[i] < 0xF5 ? 3 : 4;
        if (more == 4 || b[i] == 0 || bytes.length - i <= more) return false;
        uint32_t character = more ? b[i] & (0x3Fu >> more) : b[i];
        for (size_t k = 1; k <= more; k++) {
            if ((b[i + k] & 0xC0) != 0x80) return false;
            character = character << 6 | (b[i + k] & 0x3F);
        }
        /* Overlong forms, surrogates and what lies beyond Unicode (RFC 3629, section 3). */
        if ((more == 2 && (character < 0x800 || (character >= 0xD800 && character <= 0xDFFF))) || (more == 3 && (character < 0x10000 || character > 0x10FFFF)))
            return false;
        i += more + 1;
    }
    return true;
}

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool base64_append(struct buffer *out, struct slice bytes) {
    const unsigned char *b = (const unsigned char *)bytes.data;
    for (size_t i = 0; i < bytes.length; i += 3) {
        size_t left = bytes.length - i;
        uint32_t group = (uint32_t)b[i] << 16 | (left > 1 ? (uint32_t)b[i + 1] << 8 : 0) | (left > 2 ? b[i + 2] : 0);
        const char four[4] = {digits[group >> 18], digits[group >> 12 & 63], left > 1 ? digits[group >> 6 & 63] : '=', left > 2 ? digits[group & 63] : '='};
        buffer_append(out, four, sizeof four);
    }
    return !out->failed;
}

bool base64_read(struct buffer *out, struct slice text) {
    if (text.length % 4) return false;
    for (size_t i = 0; i < text.length; i += 4) {
        uint32_t group = 0;
        size_t padding = i + 4 < text.length || text.data[i + 3] != '=' ? 0 : text.data[i + 2] == '=' ? 2 : 1;
        for (size_t k = 0; k < 4; k++) {
            const char *digit = k < 4 - padding ? memchr(digits, text.data[i + k], sizeof digits - 1) : digits;
            if (!digit) return false;
            group = group << 6 | (uint32_t)(digit - digits);
        }
        const char three[3] = {(char)(group >> 16), (char)(group >> 8), (char)group};
        if (!buffer_append(out, three, 3 - padding)) return false;
    }
    return true;
}
