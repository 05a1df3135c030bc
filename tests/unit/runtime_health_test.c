/* --health: what a container's health check is told of a processor that is ready, of one that is not and why, and of none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/platform/http.h"
#include "common/runtime/health.h"

static bool ready(void *context, struct buffer *reasons) {
    const char *lines = context;
    if (lines) assert_true(buffer_append(reasons, lines, strlen(lines)));
    return lines == NULL;
}

/* Serves `lines` as the reasons why not (NULL: ready), listening on `listen`, and asks. */
static bool ask(const char *lines, const char *listen, struct buffer *answer) {
    struct error error;
    const struct http_options options = {.listen = listen, .metrics = NULL, .ready = ready, .context = (void *)(uintptr_t)lines};
    struct http_server *server = http_start(&options, &error);
    if (!server) fail_msg("%s", error.text);
    char address[128];
    snprintf(address, sizeof address, "%.*s%s", (int)strcspn(listen, ":"), listen, strrchr(http_address(server), ':'));
    buffer_reset(answer);
    bool healthy = health_ask(address, answer);
    http_stop(server);
    assert_true(buffer_append(answer, "", 1));
    return healthy;
}

static void ready_is_healthy(void **state) {
    (void)state;
    struct buffer answer = {0};
    assert_true(ask(NULL, "127.0.0.1:0", &answer));
    assert_string_equal(answer.data, "ready\n");
    buffer_free(&answer);
}

static void any_address_is_asked_on_this_machine(void **state) {
    (void)state;
    struct buffer answer = {0};
    assert_true(ask(NULL, "0.0.0.0:0", &answer));
    assert_true(ask(NULL, ":0", &answer));
    assert_true(ask(NULL, "localhost:0", &answer));
    buffer_free(&answer);
}

static void not_ready_is_not_healthy_and_says_why(void **state) {
    (void)state;
    struct buffer answer = {0};
    assert_false(ask("kafka: no broker answers\n", "127.0.0.1:0", &answer));
    assert_string_equal(answer.data, "kafka: no broker answers\n");
    assert_false(ask("", "127.0.0.1:0", &answer)); /* the server says "not ready" where nobody says why */
    buffer_free(&answer);
}

/* Master data is loaded into a system that runs: what lacks nothing else is up. */
static void missing_master_data_alone_is_healthy(void **state) {
    (void)state;
    struct buffer answer = {0};
    assert_true(ask("master data: no flow policy\n", "127.0.0.1:0", &answer));
    assert_true(ask("master data: a\nmaster data: b", "127.0.0.1:0", &answer));
    assert_false(ask("master data: a\nkafka: no broker answers\n", "127.0.0.1:0", &answer));
    assert_false(ask("kafka: master data: a\n", "127.0.0.1:0", &answer));
    assert_false(ask("master data: a\n\n", "127.0.0.1:0", &answer));
    buffer_free(&answer);
}

static void nobody_there_is_said(void **state) {
    (void)state;
    struct buffer answer = {0};
    assert_false(health_ask("127.0.0.1:1", &answer));
    assert_true(buffer_append(&answer, "", 1));
    assert_non_null(strstr(answer.data, "http://127.0.0.1:1/readyz does not answer: "));
    buffer_free(&answer);
}

/* The program itself, as a container calls it: none of the keys that it needs to run need be there. */
static void program_needs_no_more_than_the_address(void **state) {
    (void)state;
    struct error error;
    const struct http_options options = {.listen = "127.0.0.1:0", .ready = ready};
    struct http_server *server = http_start(&options, &error);
    assert_non_null(server);
    assert_int_equal(setenv("KONTOR_METRICS_LISTEN", http_address(server), 1), 0);
    const struct config_key keys[] = {{.name = "instance.name", .help = "x"}, {.name = "metrics.listen", .fallback = HTTP_LISTEN_DEFAULT, .help = "x"}};
    assert_int_equal(health_check(keys, 2, NULL), 0);
    http_stop(server);
    assert_int_equal(health_check(keys, 2, NULL), 1);
    assert_int_equal(health_check(keys, 1, NULL), 1); /* a variable that is no key */
    unsetenv("KONTOR_METRICS_LISTEN");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_is_healthy), cmocka_unit_test(any_address_is_asked_on_this_machine), cmocka_unit_test(not_ready_is_not_healthy_and_says_why),
        cmocka_unit_test(missing_master_data_alone_is_healthy), cmocka_unit_test(nobody_there_is_said), cmocka_unit_test(program_needs_no_more_than_the_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
