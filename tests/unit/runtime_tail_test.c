/* The reader of whole partitions against librdkafka's mock cluster: the end of a partition whose leader has moved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/platform/clock.h"
#include "common/platform/log.h"
#include "common/runtime/tail.h"

static void silent(const rd_kafka_t *client, int level, const char *kind, const char *text) { (void)client, (void)level, (void)kind, (void)text; }

/* The client keeps who led a partition for minutes, and asked the old leader again and again: a state that was being restored stood still (chaos, seed 1210). */
static void end_is_known_soon_after_the_leader_moved(void **unused) {
    (void)unused;
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, silent);
    rd_kafka_t *host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    assert_non_null(host);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(host, 2);
    rd_kafka_mock_topic_create(cluster, "changelog", 1, 2);
    rd_kafka_mock_partition_set_leader(cluster, "changelog", 0, 1);
    struct client_settings settings = {0};
    struct error error;
    struct tail *tail;
    int64_t low, high;
    int wake = eventfd(0, EFD_NONBLOCK);
    assert_true(client_settings_add(&settings, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster), &error));
    assert_true(tail_open(&tail, &settings, wake, &error));
    int64_t deadline = clock_monotonic_ms() + 20000;
    while (!tail_bounds(tail, "changelog", 0, 500, &low, &high, &error)) assert_true(clock_monotonic_ms() < deadline);
    rd_kafka_mock_partition_set_leader(cluster, "changelog", 0, 2);
    deadline = clock_monotonic_ms() + 5000;
    while (!tail_bounds(tail, "changelog", 0, 500, &low, &high, &error))
        if (clock_monotonic_ms() > deadline) fail_msg("still after 5 s: %s", error.text);
    tail_close(tail);
    close(wake);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(end_is_known_soon_after_the_leader_moved)};
    log_start(LOG_LEVEL_ERROR, LOG_FORMAT_HUMAN, "test");
    return cmocka_run_group_tests_name("runtime_tail", tests, NULL, NULL);
}
