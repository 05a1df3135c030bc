#include "common/platform/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool error_set(struct error *error, const char *format, ...) {
    if (!error) return false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return false;
}

bool error_prefix(struct error *error, const char *format, ...) {
    if (!error) return false;
    char was[sizeof error->text];
    memcpy(was, error->text, sizeof was);
    va_list arguments;
    va_start(arguments, format);
    int used = vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    if (used < 0 || (size_t)used >= sizeof error->text - 3) return false;
    error->text[used++] = ':';
    error->text[used++] = ' ';
    size_t room = sizeof error->text - (size_t)used - 1, length = strnlen(was, sizeof was);
    if (length > room) length = room;
    memcpy(error->text + used, was, length);
    error->text[(size_t)used + length] = 0;
    return false;
}
