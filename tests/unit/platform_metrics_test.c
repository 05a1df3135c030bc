/* Metrics: the text that Prometheus reads, adds from many threads, bounded series; and HTTP: fetched with libcurl. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <curl/curl.h>

#include "common/platform/http.h"

static void rendered(struct metrics *metrics, const char *expected) {
    struct buffer text = {0};
    assert_true(metrics_render(metrics, &text));
    assert_true(buffer_append(&text, "", 1));
    assert_string_equal(text.data, expected);
    buffer_free(&text);
}

static double answer_of(void *context) { return *(double *)context; }

static void renders_for_prometheus(void **state) {
    (void)state;
    struct metrics *metrics = metrics_new();
    assert_non_null(metrics);
    rendered(metrics, "");
    struct counter *accepted = metrics_counter(metrics, "kontor_events_total", "Events by outcome.", METRIC_LABELS("processor", "invoice", "outcome", "accepted"));
    struct gauge *open_periods = metrics_gauge(metrics, "kontor_periods_open", "Periods\\open\nnow.", NULL);
    struct counter *held = metrics_counter(metrics, "kontor_events_total", "Events by outcome.", METRIC_LABELS("processor", "in\"v\\o\nice", "outcome", "held"));
    assert_ptr_equal(metrics_counter(metrics, "kontor_events_total", "Events by outcome.", METRIC_LABELS("processor", "invoice", "outcome", "accepted")), accepted);
    counter_add(accepted, 3);
    counter_add(accepted, 4);
    counter_add(held, 1);
    gauge_set(open_periods, 12);
    gauge_add(open_periods, -20);
    struct gauge *oldest = metrics_gauge_ms(metrics, "kontor_parked_oldest_seconds", "Age.", NULL);
    gauge_set(oldest, 1500);
    double answers[] = {0.1, NAN, INFINITY};
    metrics_gauge_read(metrics, "kontor_lag", "Lag.", METRIC_LABELS("topic", "a"), answer_of, &answers[0]);
    metrics_gauge_read(metrics, "kontor_lag", "Lag.", METRIC_LABELS("topic", "b"), answer_of, &answers[1]);
    metrics_gauge_read(metrics, "kontor_lag", "Lag.", METRIC_LABELS("topic", "c"), answer_of, &answers[2]);
    rendered(metrics,
             "# HELP kontor_events_total Events by outcome.\n# TYPE kontor_events_total counter\n"
             "kontor_events_total{processor=\"invoice\",outcome=\"accepted\"} 7\n"
             "kontor_events_total{processor=\"in\\\"v\\\\o\\nice\",outcome=\"held\"} 1\n"
             "# HELP kontor_periods_open Periods\\\\open\\nnow.\n# TYPE kontor_periods_open gauge\nkontor_periods_open -8\n"
             "# HELP kontor_parked_oldest_seconds Age.\n# TYPE kontor_parked_oldest_seconds gauge\nkontor_parked_oldest_seconds 1.5\n"
             "# HELP kontor_lag Lag.\n# TYPE kontor_lag gauge\nkontor_lag{topic=\"a\"} 0.1\nkontor_lag{topic=\"c\"} +Inf\n");
    metrics_gauge_forget(metrics, &answers[0]);
    metrics_gauge_forget(metrics, &answers[2]);
    answers[1] = 1000000;
    struct buffer text = {0};
    assert_true(metrics_render(metrics, &text));
    assert_true(buffer_append(&text, "", 1));
    assert_non_null(strstr(text.data, "# TYPE kontor_lag gauge\nkontor_lag{topic=\"b\"} 1000000\n"));
    buffer_free(&text);
    metrics_free(metrics);
}

static void renders_histograms(void **state) {
    (void)state;
    struct metrics *metrics = metrics_new();
    const double seconds[] = {0.005, 0.5, 10};
    struct histogram *commit = metrics_histogram_seconds(metrics, "kontor_commit_seconds", "Commit.", METRIC_LABELS("processor", "invoice"), seconds, 3);
    const int64_t observed_ns[] = {0, 5000000, 5000001, 500000000, 10000000000, 10000000001, -1, 3000000000000000000};
    for (size_t i = 0; i < sizeof observed_ns / sizeof *observed_ns; i++) histogram_observe(commit, observed_ns[i]);
    const double sizes[] = {1, 10};
    struct histogram *batch = metrics_histogram(metrics, "kontor_batch_records", "Batch.", NULL, sizes, 2);
    histogram_observe(batch, 1);
    histogram_observe(batch, 2);
    histogram_observe(batch, 11);
    rendered(metrics,
             "# HELP kontor_commit_seconds Commit.\n# TYPE kontor_commit_seconds histogram\n"
             "kontor_commit_seconds_bucket{processor=\"invoice\",le=\"0.005\"} 3\n"
             "kontor_commit_seconds_bucket{processor=\"invoice\",le=\"0.5\"} 5\n"
             "kontor_commit_seconds_bucket{processor=\"invoice\",le=\"10\"} 6\n"
             "kontor_commit_seconds_bucket{processor=\"invoice\",le=\"+Inf\"} 8\n"
             "kontor_commit_seconds_sum{processor=\"invoice\"} 3000000020.51\n"
             "kontor_commit_seconds_count{processor=\"invoice\"} 8\n"
             "# HELP kontor_batch_records Batch.\n# TYPE kontor_batch_records histogram\n"
             "kontor_batch_records_bucket{le=\"1\"} 1\nkontor_batch_records_bucket{le=\"10\"} 2\nkontor_batch_records_bucket{le=\"+Inf\"} 3\n"
             "kontor_batch_records_sum 14\nkontor_batch_records_count 3\n");
    metrics_free(metrics);
}

static void bounds_its_series(void **state) {
    (void)state;
    struct metrics *metrics = metrics_new();
    char value[16];
    for (int i = 0; i < METRICS_SERIES_MAXIMUM + 500; i++) {
        snprintf(value, sizeof value, "R%d", i);
        counter_add(metrics_counter(metrics, "kontor_reasons_total", "Reasons.", METRIC_LABELS("processor", "p", "reason", value)), 1);
    }
    struct buffer text = {0};
    assert_true(metrics_render(metrics, &text));
    assert_true(buffer_append(&text, "", 1));
    assert_non_null(strstr(text.data, "kontor_reasons_total{processor=\"p\",reason=\"R999\"} 1\nkontor_reasons_total{processor=\"other\",reason=\"other\"} 500\n"));
    assert_null(strstr(text.data, "R1000"));
    buffer_free(&text);
    metrics_free(metrics);
}

struct shared { struct metrics *metrics; struct counter *counter; struct histogram *histogram; };

static void *work(void *context) {
    struct shared *shared = context;
    for (int i = 0; i < 100000; i++) {
        counter_add(shared->counter, 1);
        histogram_observe(shared->histogram, 1);
        if (i % 1000 == 0) metrics_gauge(shared->metrics, "kontor_late", "Late.", METRIC_LABELS("topic", i % 2000 ? "a" : "b"));
    }
    return NULL;
}

static void counts_from_threads(void **state) {
    (void)state;
    struct metrics *metrics = metrics_new();
    const double bounds[] = {1};
    struct shared shared = {metrics, metrics_counter(metrics, "kontor_a_total", "A.", NULL), metrics_histogram(metrics, "kontor_b", "B.", NULL, bounds, 1)};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, work, &shared), 0);
    struct buffer text = {0};
    for (int i = 0; i < 100; i++) {
        buffer_reset(&text);
        assert_true(metrics_render(metrics, &text));
    }
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    buffer_reset(&text);
    assert_true(metrics_render(metrics, &text) && buffer_append(&text, "", 1));
    assert_non_null(strstr(text.data, "kontor_a_total 400000\n"));
    assert_non_null(strstr(text.data, "kontor_b_bucket{le=\"1\"} 400000\nkontor_b_bucket{le=\"+Inf\"} 400000\nkontor_b_sum 400000\nkontor_b_count 400000\n"));
    buffer_free(&text);
    metrics_free(metrics);
}

/* ---- defects abort ---- */

static void other_kind(struct metrics *m) { metrics_counter(m, "kontor_x_total", "X.", NULL), metrics_gauge(m, "kontor_x_total", "X.", NULL); }
static void other_help(struct metrics *m) { metrics_gauge(m, "kontor_x", "X.", NULL), metrics_gauge(m, "kontor_x", "Y.", NULL); }
static void other_labels(struct metrics *m) { metrics_gauge(m, "kontor_x", "X.", NULL), metrics_gauge(m, "kontor_x", "X.", METRIC_LABELS("a", "b")); }
static void no_total(struct metrics *m) { metrics_counter(m, "kontor_x", "X.", NULL); }
static void no_prefix(struct metrics *m) { metrics_gauge(m, "x", "X.", NULL); }
static void reserved_label(struct metrics *m) { metrics_gauge(m, "kontor_x", "X.", METRIC_LABELS("le", "b")); }
static void falling_bounds(struct metrics *m) { metrics_histogram(m, "kontor_x", "X.", NULL, (const double[]){2, 1}, 2); }

static void aborts_on_defects(void **state) {
    (void)state;
    void (*const defects[])(struct metrics *) = {other_kind, other_help, other_labels, no_total, no_prefix, reserved_label, falling_bounds};
    for (size_t i = 0; i < sizeof defects / sizeof *defects; i++) {
        pid_t child = fork();
        if (child == 0) {
            signal(SIGABRT, SIG_DFL);
            if (!freopen("/dev/null", "w", stderr)) _exit(1);
            defects[i](metrics_new());
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT) fail_msg("defect %zu went unseen", i);
    }
}

/* ---- HTTP ---- */

struct reply { long status; char body[4096]; size_t length; char type[128], allow[64]; };

static size_t take(char *bytes, size_t size, size_t count, void *context) {
    struct reply *reply = context;
    size_t length = size * count;
    assert_true(reply->length + length < sizeof reply->body);
    memcpy(reply->body + reply->length, bytes, length);
    reply->length += length;
    reply->body[reply->length] = 0;
    return length;
}

static size_t take_header(char *bytes, size_t size, size_t count, void *context) {
    struct reply *reply = context;
    char line[256];
    snprintf(line, sizeof line, "%.*s", (int)(size * count), bytes);
    sscanf(line, "Content-Type: %127[^\r\n]", reply->type);
    sscanf(line, "Allow: %63[^\r\n]", reply->allow);
    return size * count;
}

static struct reply fetch(const struct http_server *server, const char *method, const char *path) {
    struct reply reply = {0};
    char url[256];
    snprintf(url, sizeof url, "http://%s%s", http_address(server), path);
    CURL *curl = curl_easy_init();
    assert_non_null(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &reply);
    if (strcmp(method, "HEAD") == 0) curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (strcmp(method, "POST") == 0) curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "body");
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK) fail_msg("%s %s: %s", method, url, curl_easy_strerror(code));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply.status);
    curl_easy_cleanup(curl);
    return reply;
}

static bool is_ready(void *context, struct buffer *reasons) {
    if (*(bool *)context) return true;
    buffer_append(reasons, "table suppliers is loading\n", 27);
    return false;
}

static void serves(void **state) {
    (void)state;
    struct metrics *metrics = metrics_new();
    counter_add(metrics_counter(metrics, "kontor_a_total", "A.", NULL), 5);
    bool ready = false;
    struct error error;
    struct http_server *server = http_start(&(struct http_options){"127.0.0.1:0", metrics, is_ready, &ready}, &error);
    if (!server) fail_msg("%s", error.text);
    assert_int_equal(strncmp(http_address(server), "127.0.0.1:", 10), 0);
    assert_true(strtol(http_address(server) + 10, NULL, 10) > 0);
    struct reply reply = fetch(server, "GET", "/metrics");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "# HELP kontor_a_total A.\n# TYPE kontor_a_total counter\nkontor_a_total 5\n");
    assert_string_equal(reply.type, "text/plain; version=0.0.4; charset=utf-8");
    reply = fetch(server, "HEAD", "/metrics");
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.length, 0);
    reply = fetch(server, "GET", "/healthz");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "alive\n");
    reply = fetch(server, "GET", "/readyz");
    assert_int_equal(reply.status, 503);
    assert_string_equal(reply.body, "table suppliers is loading\n");
    ready = true;
    reply = fetch(server, "GET", "/readyz?verbose=1");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "ready\n");
    assert_int_equal(fetch(server, "GET", "/").status, 404);
    assert_int_equal(fetch(server, "GET", "/metrics/").status, 404);
    static const char *const refused[] = {"POST", "PUT", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < 4; i++) {
        reply = fetch(server, refused[i], "/metrics");
        assert_int_equal(reply.status, 405);
        assert_string_equal(reply.allow, "GET, HEAD");
    }
    char taken[128], expected[512];
    snprintf(taken, sizeof taken, "%s", http_address(server));
    assert_null(http_start(&(struct http_options){taken, metrics, NULL, NULL}, &error));
    snprintf(expected, sizeof expected, "cannot listen on %s: Address already in use; choose another address or stop what uses it", taken);
    assert_string_equal(error.text, expected);
    http_stop(server);
    /* Its place is free again at once. */
    server = http_start(&(struct http_options){taken, metrics, NULL, NULL}, &error);
    if (!server) fail_msg("%s", error.text);
    assert_int_equal(fetch(server, "GET", "/readyz").status, 200);
    http_stop(server);
    http_stop(NULL);
    metrics_free(metrics);
}

static void reads_addresses(void **state) {
    (void)state;
    struct metrics *metrics = metrics_new();
    struct error error;
    static const char *const refused[] = {"", "localhost", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536", "::1:80", "[::1:80", "127.0.0.1:-1", "127.0.0.1:999999999999"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char expected[512];
        snprintf(expected, sizeof expected, "\"%s\" is no address to listen on; expected HOST:PORT, for example 127.0.0.1:9464", refused[i]);
        assert_null(http_start(&(struct http_options){refused[i], metrics, NULL, NULL}, &error));
        assert_string_equal(error.text, expected);
    }
    static const struct { const char *listen, *starts; } taken[] = {{":0", "127.0.0.1:"}, {"localhost:0", ""}, {"0.0.0.0:0", "0.0.0.0:"}};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        struct http_server *server = http_start(&(struct http_options){taken[i].listen, metrics, NULL, NULL}, &error);
        if (!server) fail_msg("%s", error.text);
        assert_int_equal(strncmp(http_address(server), taken[i].starts, strlen(taken[i].starts)), 0);
        http_stop(server);
    }
    metrics_free(metrics);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renders_for_prometheus), cmocka_unit_test(renders_histograms), cmocka_unit_test(bounds_its_series), cmocka_unit_test(counts_from_threads),
        cmocka_unit_test(aborts_on_defects), cmocka_unit_test(serves), cmocka_unit_test(reads_addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
