#include "common/platform/utf8.h"

static bool continues(unsigned char byte) { return (byte & 0xc0) == 0x80; }

size_t utf8_character(const char *bytes, size_t length) {
    const unsigned char *at = (const unsigned char *)bytes;
    if (length == 0) return 0;
    if (at[0] < 0x80) return 1;
    if (at[0] >= 0xc2 && at[0] <= 0xdf) return length >= 2 && continues(at[1]) ? 2 : 0;
    if (at[0] >= 0xe0 && at[0] <= 0xef) {
        if (length < 3 || !continues(at[1]) || !continues(at[2])) return 0;
        bool overlong = at[0] == 0xe0 && at[1] < 0xa0, surrogate = at[0] == 0xed && at[1] > 0x9f;
        return overlong || surrogate ? 0 : 3;
    }
    if (at[0] >= 0xf0 && at[0] <= 0xf4) {
        if (length < 4 || !continues(at[1]) || !continues(at[2]) || !continues(at[3])) return 0;
        bool overlong = at[0] == 0xf0 && at[1] < 0x90, too_large = at[0] == 0xf4 && at[1] > 0x8f;
        return overlong || too_large ? 0 : 4;
    }
    return 0;
}

bool utf8_is_valid(struct slice text) {
    for (size_t at = 0, step; at < text.length; at += step)
        if ((step = utf8_character(text.data + at, text.length - at)) == 0) return false;
    return true;
}
