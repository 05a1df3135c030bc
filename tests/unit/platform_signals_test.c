/* Signals: each case in a child, since it ends the process or changes its handlers. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/platform/clock.h"
#include "common/platform/signals.h"

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
            _exit(99); \
        } \
    } while (0)

static int status_of(void (*child_main)(void)) {
    pid_t child = fork();
    if (child == 0) {
        struct error error;
        CHECK(signals_descriptor() == -1);
        CHECK(signals_install(&error));
        child_main();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool is_readable(void) {
    struct pollfd watched = {.fd = signals_descriptor(), .events = POLLIN};
    return poll(&watched, 1, 0) == 1;
}

static void stop_once(int number) {
    CHECK(!signals_stopping() && !is_readable() && !signals_wait(0));
    CHECK(raise(number) == 0);
    CHECK(signals_stopping() && is_readable() && signals_wait(-1) && signals_wait(0));
}
static void terminate_once(void) { stop_once(SIGTERM); }
static void interrupt_once(void) { stop_once(SIGINT); }
static void terminate_twice(void) { terminate_once(), raise(SIGTERM); }
static void interrupt_then_terminate(void) { interrupt_once(), raise(SIGTERM); }
static void terminate_then_interrupt(void) { terminate_once(), raise(SIGINT); }

static void asks_from_inside(void) {
    signals_stop();
    signals_stop();
    CHECK(signals_stopping() && is_readable());
    raise(SIGTERM); /* the first of the two that end it */
    CHECK(signals_stopping());
}

static void survives_a_closed_pipe(void) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    close(ends[0]);
    CHECK(write(ends[1], "x", 1) == -1 && errno == EPIPE);
}

static void wakes_a_waiting_loop(void) {
    pid_t parent = getpid(), child = fork();
    if (child == 0) _exit(kill(parent, SIGTERM));
    int64_t before_ms = clock_monotonic_ms();
    CHECK(signals_wait(20000));
    CHECK(clock_monotonic_ms() - before_ms < 10000);
}

static void waits_no_longer_than_asked(void) {
    int64_t before_ns = clock_monotonic_ns();
    CHECK(!signals_wait(30));
    CHECK(clock_monotonic_ns() - before_ns >= 30000000);
}

static void signals_stop_the_process(void **state) {
    (void)state;
    assert_int_equal(status_of(terminate_once), 0);
    assert_int_equal(status_of(interrupt_once), 0);
    assert_int_equal(status_of(terminate_twice), 128 + SIGTERM);
    assert_int_equal(status_of(interrupt_then_terminate), 128 + SIGTERM);
    assert_int_equal(status_of(terminate_then_interrupt), 128 + SIGINT);
    assert_int_equal(status_of(asks_from_inside), 0);
    assert_int_equal(status_of(survives_a_closed_pipe), 0);
    assert_int_equal(status_of(wakes_a_waiting_loop), 0);
    assert_int_equal(status_of(waits_no_longer_than_asked), 0);
}

static void clocks_are_plausible(void **state) {
    (void)state;
    assert_true(clock_wall_ms() > INT64_C(1577836800000)); /* 2020 */
    int64_t first_ns = clock_monotonic_ns();
    assert_true(clock_monotonic_ns() >= first_ns);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(signals_stop_the_process), cmocka_unit_test(clocks_are_plausible)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
