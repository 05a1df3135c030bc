/* The producer against librdkafka's mock cluster: outcomes and doubt. What a broker makes visible is shown on a real one, by tests/suites/loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <string.h>

#include "common/platform/clock.h"
#include "common/platform/log.h"
#include "common/runtime/producer.h"

enum { API_PRODUCE = 0, API_END_TRANSACTION = 26, API_OFFSETS = 28 };
static const char *const out = "out";

struct bench {
    rd_kafka_t *host;       /* holds the mock cluster */
    rd_kafka_mock_cluster_t *cluster;
    struct client_settings settings;
    struct producer *producer;
};

static void silent(const rd_kafka_t *client, int level, const char *kind, const char *text) { (void)client, (void)level, (void)kind, (void)text; }

static int set_up(void **state) {
    static struct bench bench;
    char why[256];
    memset(&bench, 0, sizeof bench);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, silent);
    bench.host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    assert_non_null(bench.host);
    bench.cluster = rd_kafka_mock_cluster_new(bench.host, 1);
    rd_kafka_mock_topic_create(bench.cluster, out, 2, 1);
    struct error error;
    assert_true(client_settings_add(&bench.settings, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(bench.cluster), &error));
    const struct producer_options options = {&bench.settings, "test", 15000, 5000, "none", &out, 1, NULL, false};
    assert_true(producer_open(&bench.producer, &options, &error));
    log_start(LOG_LEVEL_ERROR, LOG_FORMAT_HUMAN, "test");
    *state = &bench;
    return 0;
}

static int tear_down(void **state) {
    struct bench *bench = *state;
    producer_close(bench->producer);
    rd_kafka_mock_cluster_destroy(bench->cluster);
    rd_kafka_destroy(bench->host);
    return 0;
}

static enum producer_state prepare(struct bench *bench, struct fatal_cause *fatal) {
    int64_t deadline = clock_monotonic_ms() + 20000;
    enum producer_state state;
    while ((state = producer_prepare(bench->producer, 100, fatal)) == PRODUCER_WAITING && clock_monotonic_ms() < deadline) rd_kafka_poll(bench->host, 10);
    return state;
}

static enum step send_offset(struct bench *bench, int64_t offset, struct abort_cause *cause) {
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata_new("group");
    if (offset >= 0) rd_kafka_topic_partition_list_add(offsets, "in", 0)->offset = offset;
    enum step step = producer_send_offsets(bench->producer, offsets, group, cause);
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(offsets);
    return step;
}

/* Begun, and one record sent to each of two partitions. */
static void transact_records(struct bench *bench, struct delivery *delivery) {
    struct abort_cause cause;
    struct fatal_cause fatal;
    assert_int_equal(prepare(bench, &fatal), PRODUCER_READY);
    assert_int_equal(producer_begin(bench->producer, &cause), STEP_DONE);
    const struct record_header header = {"kontor-reason", SLICE("NONE")};
    for (int32_t p = 0; p < 2; p++) {
        const struct engine_output output = {.topic = out, .partition = p, .key = SLICE("k"), .value = SLICE("v"), .headers = &header, .header_count = (size_t)p};
        assert_int_equal(producer_send(bench->producer, &output, p == 0 ? delivery : NULL, &cause), STEP_DONE);
    }
}

/* Up to the commit: the records and one offset. */
static void transact(struct bench *bench, struct delivery *delivery) {
    struct abort_cause cause;
    transact_records(bench, delivery);
    assert_int_equal(send_offset(bench, 1, &cause), STEP_DONE);
}

static void test_commit_tells_offsets(void **state) {
    struct bench *bench = *state;
    struct abort_cause cause;
    for (int64_t n = 0; n < 3; n++) {
        struct delivery delivery = {-1, -1};
        transact(bench, &delivery);
        assert_int_equal(producer_commit(bench->producer, &cause), COMMIT_DONE);
        assert_int_equal(delivery.offset, n);
    }
    assert_int_equal(producer_counts(bench->producer).committed, 3);
    assert_int_equal(producer_counts(bench->producer).renewed, 0);
}

/* The time of the partition's record at the offset; a delivery report of the mock cluster tells a time of its own. */
static int64_t record_time(struct bench *bench, int64_t offset) {
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(bench->cluster), NULL, 0);
    rd_kafka_conf_set(conf, "group.id", "reader", NULL, 0);
    rd_kafka_t *reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    assert_non_null(reader);
    rd_kafka_topic_partition_list_t *from = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(from, out, 0)->offset = offset;
    assert_int_equal(rd_kafka_assign(reader, from), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(from);
    int64_t deadline = clock_monotonic_ms() + 20000, found = -1;
    while (found < 0 && clock_monotonic_ms() < deadline) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, 100);
        if (message && !message->err) found = rd_kafka_message_timestamp(message, NULL);
        if (message) rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(reader);
    rd_kafka_destroy(reader);
    return found;
}

/* A record for another processor has the event's time, 1 April 2018 here; one without a time that of its sending. */
static void test_record_time(void **state) {
    struct bench *bench = *state;
    const int64_t event_ms = INT64_C(1522540800000);
    struct abort_cause cause;
    struct fatal_cause fatal;
    struct delivery delivery = {-1, -1};
    assert_int_equal(prepare(bench, &fatal), PRODUCER_READY);
    assert_int_equal(producer_begin(bench->producer, &cause), STEP_DONE);
    struct engine_output output = {.topic = out, .partition = 0, .key = SLICE("k"), .value = SLICE("v"), .timestamp_ms = event_ms};
    assert_int_equal(producer_send(bench->producer, &output, &delivery, &cause), STEP_DONE);
    output.timestamp_ms = 0;
    assert_int_equal(producer_send(bench->producer, &output, &delivery, &cause), STEP_DONE);
    assert_int_equal(send_offset(bench, 1, &cause), STEP_DONE);
    assert_int_equal(producer_commit(bench->producer, &cause), COMMIT_DONE);
    assert_int_equal(record_time(bench, 0), event_ms);
    assert_true(record_time(bench, 1) > event_ms);
}

/* A second one could lose to a late copy of the first, and without one the group would not fence the transaction. */
static void test_offsets_once_and_at_least_one(void **state) {
    struct bench *bench = *state;
    struct abort_cause cause;
    struct fatal_cause fatal;
    struct delivery delivery = {-1, -1};
    transact(bench, &delivery);
    assert_int_equal(send_offset(bench, 2, &cause), STEP_ABORT);
    producer_discard(bench->producer);
    assert_int_equal(prepare(bench, &fatal), PRODUCER_READY);
    assert_int_equal(producer_begin(bench->producer, &cause), STEP_DONE);
    assert_int_equal(send_offset(bench, -1, &cause), STEP_ABORT);
    producer_discard(bench->producer);
    assert_int_equal(producer_counts(bench->producer).committed, 0);
}

static void test_unanswered_request_renews(void **state) {
    static const int16_t apis[] = {API_PRODUCE, API_OFFSETS, API_END_TRANSACTION};
    struct bench *bench = *state;
    struct abort_cause cause;
    for (size_t i = 0; i < sizeof apis / sizeof *apis; i++) {
        struct delivery delivery = {-1, -1};
        struct fatal_cause fatal;
        assert_int_equal(prepare(bench, &fatal), PRODUCER_READY);
        int64_t renewed = producer_counts(bench->producer).renewed;
        rd_kafka_mock_push_request_errors(bench->cluster, apis[i], 1, RD_KAFKA_RESP_ERR__TRANSPORT);   /* the connection is cut instead */
        transact(bench, &delivery);
        enum commit_outcome outcome = producer_commit(bench->producer, &cause);
        /* Records may be under way when the offsets' connection is cut, and go with it; a repeated Produce is a duplicate: committed, but where? No record is under way at EndTxn. */
        if (apis[i] != API_END_TRANSACTION && outcome == COMMIT_UNKNOWN && strstr(cause.error.text, "without telling their offset")) producer_discard(bench->producer);
        else if (outcome != COMMIT_DONE) fail_msg("request %d cut: outcome %d: %s", apis[i], outcome, cause.error.text);
        assert_int_equal(producer_counts(bench->producer).renewed, renewed);
        assert_int_equal(prepare(bench, &fatal), PRODUCER_READY);
        assert_int_equal(producer_counts(bench->producer).renewed, renewed + 1);
    }
}

static void test_failed_commit_is_unknown(void **state) {
    struct bench *bench = *state;
    struct abort_cause cause;
    struct fatal_cause fatal;
    struct delivery delivery = {-1, -1};
    transact(bench, &delivery);
    rd_kafka_mock_push_request_errors(bench->cluster, API_END_TRANSACTION, 1, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE);
    assert_int_equal(producer_commit(bench->producer, &cause), COMMIT_UNKNOWN);
    producer_discard(bench->producer);
    assert_int_equal(prepare(bench, &fatal), PRODUCER_READY);
    assert_int_equal(producer_counts(bench->producer).unknown, 1);
}

/* A record that the broker refuses: no commit request leaves, so it is surely not committed. */
static void test_undelivered_is_aborted(void **state) {
    struct bench *bench = *state;
    struct abort_cause cause;
    struct delivery delivery = {-1, -1};
    rd_kafka_mock_push_request_errors(bench->cluster, API_PRODUCE, 2, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    transact_records(bench, &delivery);
    /* The answer may be there before the offsets are sent, or not. */
    if (send_offset(bench, 1, &cause) == STEP_DONE) {
        assert_int_equal(producer_commit(bench->producer, &cause), COMMIT_ABORTED);
        assert_non_null(strstr(cause.error.text, "out"));
    }
    producer_discard(bench->producer);
}

/* Once may be the broker's time-out of a transaction; again and again, without a commit between, is a twin. */
static void test_fenced_again_and_again_is_a_twin(void **state) {
    struct bench *bench = *state;
    struct abort_cause cause;
    struct fatal_cause fatal;
    enum producer_state prepared;
    int times = 0;
    while ((prepared = prepare(bench, &fatal)) == PRODUCER_READY && times < 20) {
        struct delivery delivery = {-1, -1};
        transact(bench, &delivery);
        rd_kafka_mock_push_request_errors(bench->cluster, API_END_TRANSACTION, 1, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH);
        assert_int_not_equal(producer_commit(bench->producer, &cause), COMMIT_DONE);
        producer_discard(bench->producer);
        rd_kafka_mock_clear_request_errors(bench->cluster, API_END_TRANSACTION);
        times++;
    }
    assert_int_equal(prepared, PRODUCER_FAILED);
    assert_in_range(times, 2, 19);
    assert_int_equal(fatal.exit_code, EXIT_TWIN);
    assert_non_null(strstr(fatal.error.text, "instance.name"));
}

static void test_without_a_broker_it_waits(void **state) {
    (void)state;
    struct client_settings settings = {0};
    struct error error;
    struct fatal_cause fatal;
    struct producer *producer;
    assert_true(client_settings_add(&settings, "bootstrap.servers", "127.0.0.1:1", &error));
    const struct producer_options options = {&settings, "test", 15000, 5000, "none", &out, 1, NULL, false};
    assert_true(producer_open(&producer, &options, &error));
    int64_t begun = clock_monotonic_ms();
    for (int i = 0; i < 5; i++) assert_int_equal(producer_prepare(producer, 50, &fatal), PRODUCER_WAITING);
    assert_true(clock_monotonic_ms() - begun < 2000);
    assert_true(producer_reason(producer)[0] != 0);
    producer_close(producer);
}

static void test_what_is_refused(void **state) {
    (void)state;
    struct error error;
    struct producer *producer;
    struct client_settings settings = {0};
    const struct producer_options options = {&settings, "test", 15001, 5000, "none", &out, 1, NULL, false};
    assert_false(producer_open(&producer, &options, &error));
    static const char *const names[] = {"transactional.id", "producer.partitioner", "consumer.isolation.level", "enable.auto.commit", "group.id"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct client_settings bad = {0};
        assert_true(client_settings_add(&bad, names[i], "x", &error));
        assert_false(client_settings_check(&bad, &error));
    }
    assert_true(client_settings_add(&settings, "producer.linger.ms", "1", &error) && client_settings_check(&settings, &error));
    assert_int_equal(settings.items[0].scope, CLIENT_PRODUCER);
    assert_string_equal(settings.items[0].property.name, "linger.ms");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_commit_tells_offsets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_record_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_offsets_once_and_at_least_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unanswered_request_renews, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failed_commit_is_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_undelivered_is_aborted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fenced_again_and_again_is_a_twin, set_up, tear_down),
        cmocka_unit_test(test_without_a_broker_it_waits),
        cmocka_unit_test(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
