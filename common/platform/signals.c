#include "common/platform/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/platform/clock.h"

static atomic_bool stopping;
static atomic_int asked; /* signals received; lock-free, so it may be used in the handler */
static int descriptor = -1;

static void announce(void) {
    atomic_store(&stopping, true);
    const uint64_t one = 1;
    /* It can only fail when the counter is full: then it is readable already. */
    if (descriptor >= 0 && write(descriptor, &one, sizeof one) < 0) return;
}

static void on_stop(int number) {
    int reason = errno;
    if (atomic_fetch_add(&asked, 1) > 0) _exit(128 + number);
    announce();
    errno = reason;
}

bool signals_install(struct error *error) {
    if (descriptor < 0) descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (descriptor < 0) return error_set(error, "the descriptor that announces signals cannot be made: %s", strerror(errno));
    struct sigaction stop = {.sa_handler = on_stop, .sa_flags = SA_RESTART}, ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&stop.sa_mask);
    /* Each waits while the other is handled, so that the first announces before the second ends the process. */
    sigaddset(&stop.sa_mask, SIGTERM);
    sigaddset(&stop.sa_mask, SIGINT);
    sigemptyset(&ignore.sa_mask);
    if (sigaction(SIGTERM, &stop, NULL) != 0 || sigaction(SIGINT, &stop, NULL) != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0)
        return error_set(error, "signal handlers cannot be installed: %s", strerror(errno));
    return true;
}

bool signals_stopping(void) { return atomic_load_explicit(&stopping, memory_order_relaxed); }

void signals_stop(void) { announce(); }

int signals_descriptor(void) { return descriptor; }

bool signals_wait(int timeout_ms) {
    int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    struct pollfd watched = {.fd = descriptor, .events = POLLIN};
    for (int left_ms = timeout_ms; !signals_stopping();) {
        int count = poll(&watched, 1, left_ms);
        if (count > 0 || (count < 0 && errno != EINTR)) break;
        if (timeout_ms < 0) continue;
        int64_t rest_ms = deadline_ms - clock_monotonic_ms();
        if (rest_ms <= 0) break;
        left_ms = (int)rest_ms;
    }
    return signals_stopping();
}
