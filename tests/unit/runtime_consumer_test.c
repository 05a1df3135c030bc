/* The consumer against librdkafka's mock cluster: heads, ends, positions, going back. Commits and rebalances are shown on a real broker, by tests/suites/loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/platform/clock.h"
#include "common/platform/log.h"
#include "common/runtime/consumer.h"

enum { PARTITIONS = 2 };
static const char *const topics[] = {"left", "right"};

struct bench {
    rd_kafka_t *host, *feeder;
    rd_kafka_mock_cluster_t *cluster;
    struct client_settings settings;
    struct consumer *consumer;
    int wake;
};

static void silent(const rd_kafka_t *client, int level, const char *kind, const char *text) { (void)client, (void)level, (void)kind, (void)text; }

static rd_kafka_t *producer_of(const char *brokers) {
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, silent);
    if (brokers) assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof why), RD_KAFKA_CONF_OK);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    assert_non_null(client);
    return client;
}

static void feed(struct bench *bench, const char *topic, int32_t partition, const char *value) {
    assert_int_equal(rd_kafka_producev(bench->feeder, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_VALUE((void *)(uintptr_t)value, strlen(value)),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(bench->feeder, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
}

static int set_up(void **state) {
    static struct bench bench;
    memset(&bench, 0, sizeof bench);
    bench.host = producer_of(NULL);
    bench.cluster = rd_kafka_mock_cluster_new(bench.host, 1);
    for (int i = 0; i < 2; i++) rd_kafka_mock_topic_create(bench.cluster, topics[i], PARTITIONS, 1);
    bench.feeder = producer_of(rd_kafka_mock_cluster_bootstraps(bench.cluster));
    bench.wake = eventfd(0, EFD_NONBLOCK);
    struct error error;
    assert_true(client_settings_add(&bench.settings, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(bench.cluster), &error));
    const struct consumer_options options = {&bench.settings, "group", "member", topics, 2, PARTITIONS, 6000, bench.wake, NULL};
    assert_true(consumer_open(&bench.consumer, &options, &error));
    log_start(LOG_LEVEL_ERROR, LOG_FORMAT_HUMAN, "test");
    *state = &bench;
    return 0;
}

static int tear_down(void **state) {
    struct bench *bench = *state;
    consumer_close(bench->consumer, false, 0);
    rd_kafka_destroy(bench->feeder);
    rd_kafka_mock_cluster_destroy(bench->cluster);
    rd_kafka_destroy(bench->host);
    close(bench->wake);
    return 0;
}

/* Waits for the wake-up that the loop sleeps on, as it does. */
static void sleep_until_woken(struct bench *bench) {
    struct pollfd descriptor = {bench->wake, POLLIN, 0};
    uint64_t count;
    if (poll(&descriptor, 1, 200) > 0) assert_int_equal(read(bench->wake, &count, sizeof count), sizeof count);
}

static void await_assignment(struct bench *bench) {
    struct consumer_change change = {0};
    struct fatal_cause fatal;
    int64_t deadline = clock_monotonic_ms() + 20000;
    assert_true(consumer_reason(bench->consumer)[0] != 0);
    while (!change.assigned && clock_monotonic_ms() < deadline) {
        sleep_until_woken(bench);
        assert_int_equal(consumer_poll(bench->consumer, &change, &fatal), STEP_DONE);
    }
    assert_true(consumer_is_assigned(bench->consumer));
    for (int32_t p = 0; p < PARTITIONS; p++) assert_true(consumer_owns(bench->consumer, p));
}

static enum consumer_head await_head(struct bench *bench, int input, int32_t partition, enum consumer_head wanted, const rd_kafka_message_t **message) {
    enum consumer_head head;
    int64_t deadline = clock_monotonic_ms() + 10000;
    while ((head = consumer_head(bench->consumer, input, partition, message)) != wanted && clock_monotonic_ms() < deadline) {
        struct consumer_change change;
        struct fatal_cause fatal;
        sleep_until_woken(bench);
        assert_int_equal(consumer_poll(bench->consumer, &change, &fatal), STEP_DONE);
    }
    return head;
}

static void expect_record(struct bench *bench, int input, int32_t partition, const char *value) {
    const rd_kafka_message_t *message;
    assert_int_equal(await_head(bench, input, partition, HEAD_RECORD, &message), HEAD_RECORD);
    rd_kafka_message_t *taken = consumer_take(bench->consumer, input, partition);
    assert_ptr_equal(taken, message);
    assert_int_equal(taken->len, strlen(value));
    assert_memory_equal(taken->payload, value, taken->len);
    rd_kafka_message_destroy(taken);
}

static void test_heads_ends_and_positions(void **state) {
    struct bench *bench = *state;
    const rd_kafka_message_t *message;
    feed(bench, "left", 1, "a");
    feed(bench, "left", 1, "b");
    await_assignment(bench);
    assert_int_equal(await_head(bench, 1, 1, HEAD_END, &message), HEAD_END);    /* empty: nothing to wait for, nothing to commit */
    assert_int_equal(consumer_position(bench->consumer, 1, 1), -1);
    assert_int_equal(consumer_position(bench->consumer, 0, 1), -1);
    expect_record(bench, 0, 1, "a");
    assert_int_equal(consumer_position(bench->consumer, 0, 1), 1);
    expect_record(bench, 0, 1, "b");
    assert_int_equal(await_head(bench, 0, 1, HEAD_END, &message), HEAD_END);
    assert_int_equal(consumer_position(bench->consumer, 0, 1), 2);
    assert_int_equal(consumer_lag(bench->consumer, 0), 0);
    feed(bench, "left", 1, "c");        /* the end was seen; a new record takes its place and wakes the loop */
    expect_record(bench, 0, 1, "c");
}

static void test_rewind_reads_again(void **state) {
    struct bench *bench = *state;
    for (int i = 0; i < 300; i++) {
        char value[16];
        snprintf(value, sizeof value, "v%d", i);
        feed(bench, "right", 0, value);
    }
    await_assignment(bench);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100 * (round + 1); i++) {
            char value[16];
            snprintf(value, sizeof value, "v%d", i);
            expect_record(bench, 1, 0, value);
        }
        int64_t deadline = clock_monotonic_ms() + 10000;
        while (!consumer_rewind(bench->consumer, 500)) assert_true(clock_monotonic_ms() < deadline);
        assert_int_equal(consumer_position(bench->consumer, 1, 0), -1);    /* nothing was ever committed */
    }
}

static void test_group_is_the_assignments(void **state) {
    struct bench *bench = *state;
    assert_null(consumer_group(bench->consumer));
    await_assignment(bench);
    rd_kafka_consumer_group_metadata_t *group = consumer_group(bench->consumer);
    assert_non_null(group);
    rd_kafka_consumer_group_metadata_destroy(group);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_heads_ends_and_positions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rewind_reads_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_group_is_the_assignments, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
