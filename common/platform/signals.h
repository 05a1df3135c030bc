/* signals: SIGTERM and SIGINT ask the process to stop; a second one ends it at once (exit code 128 + signal). SIGPIPE is ignored: a closed
 * connection is an error of the call that wrote. One per process. */
#ifndef KONTOR_PLATFORM_SIGNALS_H
#define KONTOR_PLATFORM_SIGNALS_H
#include <stdbool.h>

#include "common/platform/error.h"

/* Call it in main before any thread is started. */
MUST_CHECK bool signals_install(struct error *error);

/* Whether stopping was asked for; a read of one flag, for any thread. */
bool signals_stopping(void);

/* Asks for stopping from inside, as SIGTERM would; the second call does not end the process. */
void signals_stop(void);

/* Readable (poll, epoll) from the moment stopping was asked for; do not read from it. -1 before signals_install. */
int signals_descriptor(void);

/* Waits at most timeout_ms (negative: without end) and answers signals_stopping(). */
bool signals_wait(int timeout_ms);
#endif
