/* utf8: whether bytes are text. Source: RFC 3629, 4 (no surrogates, no overlong forms, at most U+10FFFF). */
#ifndef KONTOR_PLATFORM_UTF8_H
#define KONTOR_PLATFORM_UTF8_H
#include <stdbool.h>
#include <stddef.h>

#include "common/platform/slice.h"

/* Length, 1 to 4, of the character that the bytes begin with; 0 when they begin with none. */
size_t utf8_character(const char *bytes, size_t length);
bool utf8_is_valid(struct slice text);
#endif
