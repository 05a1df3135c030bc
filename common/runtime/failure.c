#include "common/runtime/failure.h"

#include <stdarg.h>
#include <stdio.h>

enum step abort_because(struct abort_cause *cause, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(cause->error.text, sizeof cause->error.text, format, arguments);
    va_end(arguments);
    return STEP_ABORT;
}

enum step fatal_because(struct fatal_cause *cause, enum exit_code exit_code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(cause->error.text, sizeof cause->error.text, format, arguments);
    va_end(arguments);
    cause->exit_code = exit_code;
    return STEP_FATAL;
}
