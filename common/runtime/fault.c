#include "common/runtime/fault.h"

#ifdef KONTOR_FAULT_POINTS
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const char *const points[] = {"after-begin",   "after-produce", "before-seal",  "after-seal",   "before-offsets",
                                     "after-offsets", "before-commit", "after-commit", "before-state", "after-state"};
static const char *armed;
static long remaining;
static int blow = SIGKILL;

bool fault_arm(const char *text, struct error *error) {
    armed = NULL;
    if (!*text) return true;
    const char *colon = strchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : strlen(text);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        if (strlen(points[i]) == length && memcmp(points[i], text, length) == 0) armed = points[i];
    char *end = NULL;
    remaining = colon ? strtol(colon + 1, &end, 10) : 1;
    blow = end && strcmp(end, ":stop") == 0 ? SIGSTOP : SIGKILL;
    if (armed && remaining > 0 && (!end || !*end || blow == SIGSTOP)) return true;
    return error_set(error, "fault=%s is not POINT:N or POINT:N:stop with a point of common/runtime/fault.h", text);
}

void fault_reached(const char *point) {
    if (armed && strcmp(armed, point) == 0 && --remaining == 0) raise(blow);
}
#else
typedef int fault_points_are_not_compiled_in;
#endif
