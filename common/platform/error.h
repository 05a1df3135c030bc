/* error: what happened, to what, and what to do next, for the person who reads it.
 *
 * A fallible function of the library returns bool (true: it took effect) and fills the caller's struct error when it did not.
 * This is for the environment and for defects; a business refusal is an `enum reason` and never a struct error. */
#ifndef KONTOR_PLATFORM_ERROR_H
#define KONTOR_PLATFORM_ERROR_H
#include <stdbool.h>

#define MUST_CHECK __attribute__((warn_unused_result))

struct error { char text[512]; };

/* Formats the text, cut at its size, and returns false, so that `return error_set(error, ...)` reads as what it means.
 * error may be NULL when the caller has no use for the text. */
bool error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts `context: ` before the text that is there, and returns false. */
bool error_prefix(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
