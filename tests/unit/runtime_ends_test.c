/* ends against librdkafka's mock cluster: asked soon when wanted, again every few seconds, ended soon when nobody answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <string.h>
#include <unistd.h>

#include "common/platform/clock.h"
#include "common/runtime/ends.h"

enum { PARTITIONS = 2 };
static const char *const topics[] = {"left", "right"};
static rd_kafka_t *host, *feeder, *asking;
static rd_kafka_mock_cluster_t *cluster;

static void silent(const rd_kafka_t *client, int level, const char *kind, const char *text) { (void)client, (void)level, (void)kind, (void)text; }

static rd_kafka_t *client_of(rd_kafka_type_t type, const char *brokers) {
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, silent);
    if (brokers) assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof why), RD_KAFKA_CONF_OK);
    rd_kafka_t *client = rd_kafka_new(type, conf, why, sizeof why);
    assert_non_null(client);
    return client;
}

static void feed(const char *topic, int32_t partition, int count) {
    for (int i = 0; i < count; i++)
        assert_int_equal(rd_kafka_producev(feeder, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_VALUE((void *)(uintptr_t)"x", 1),
                                           RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(feeder, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
}

static int set_up(void **state) {
    (void)state;
    host = client_of(RD_KAFKA_PRODUCER, NULL);
    cluster = rd_kafka_mock_cluster_new(host, 1);
    for (int i = 0; i < 2; i++) rd_kafka_mock_topic_create(cluster, topics[i], PARTITIONS, 1);
    feeder = client_of(RD_KAFKA_PRODUCER, rd_kafka_mock_cluster_bootstraps(cluster));
    asking = client_of(RD_KAFKA_CONSUMER, rd_kafka_mock_cluster_bootstraps(cluster));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rd_kafka_destroy(asking);
    rd_kafka_destroy(feeder);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
    return 0;
}

static struct ends *opened(void) {
    struct ends *ends;
    struct error error;
    if (!ends_open(&ends, asking, topics, 2, PARTITIONS, &error)) fail_msg("%s", error.text);
    return ends;
}

static void await_end(const struct ends *ends, size_t topic, int32_t partition, int64_t wanted, int within_ms) {
    int64_t begin = -1, end = -1, deadline = clock_monotonic_ms() + within_ms;
    while (!(ends_known(ends, topic, partition, &begin, &end) && end == wanted) && clock_monotonic_ms() < deadline) usleep(5000);
    assert_int_equal(begin, 0);
    assert_int_equal(end, wanted);
}

static void what_is_wanted_is_asked_for_again_and_again(void **state) {
    (void)state;
    int64_t begin, end;
    feed("left", 1, 5);
    struct ends *ends = opened();
    assert_false(ends_known(ends, 0, 1, &begin, &end));
    ends_want(ends, 1, true);
    await_end(ends, 0, 1, 5, 20000);
    await_end(ends, 1, 1, 0, 20000);
    assert_false(ends_known(ends, 0, 0, &begin, &end));     /* somebody else's */
    feed("left", 1, 3);
    await_end(ends, 0, 1, 8, ENDS_EVERY_MS + 20000);        /* by itself */
    feed("right", 1, 2);
    ends_want(ends, 1, false);
    ends_want(ends, 1, true);                               /* assigned anew: at once */
    await_end(ends, 1, 1, 2, 20000);
    ends_close(ends);
}

/* Who waits for a time after now, and then finds nothing new, knows that nothing was there now. */
static void a_time_tells_what_the_answers_cover(void **state) {
    (void)state;
    struct ends *ends = opened();
    int64_t begin, end, written_ms, deadline = clock_monotonic_ms() + 20000;
    ends_want(ends, 0, true);
    await_end(ends, 0, 0, 0, 20000);
    for (int round = 1; round <= 5; round++) {
        feed("left", 0, 1);
        written_ms = clock_wall_ms();
        ends_hurry(ends);
        while (ends_time_ms(ends) <= written_ms && clock_monotonic_ms() < deadline) {
            usleep(1000);
            ends_hurry(ends);
        }
        assert_true(ends_time_ms(ends) > written_ms && ends_known(ends, 0, 0, &begin, &end));
        assert_int_equal(end, round);
    }
    rd_kafka_mock_broker_set_down(cluster, 1);
    int64_t answered_ms;
    do {        /* an answer that was under way may still come */
        answered_ms = ends_time_ms(ends);
        ends_hurry(ends);
        usleep(700000);
    } while (ends_time_ms(ends) != answered_ms && clock_monotonic_ms() < deadline);
    assert_int_equal(ends_time_ms(ends), answered_ms);
    ends_close(ends);
}

static void it_ends_though_nobody_answers(void **state) {
    (void)state;
    struct ends *ends = opened();
    ends_want(ends, 0, true);
    await_end(ends, 0, 0, 0, 20000);
    rd_kafka_mock_broker_set_down(cluster, 1);
    ends_want(ends, 1, true);       /* its question waits for an answer */
    int64_t begin, end, before = clock_monotonic_ms();
    ends_close(ends);
    assert_true(clock_monotonic_ms() - before < 2000);
    ends = opened();                /* and without a broker from the start */
    ends_want(ends, 0, true);
    assert_false(ends_known(ends, 0, 0, &begin, &end));
    before = clock_monotonic_ms();
    ends_close(ends);
    assert_true(clock_monotonic_ms() - before < 2000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(what_is_wanted_is_asked_for_again_and_again, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(a_time_tells_what_the_answers_cover, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(it_ends_though_nobody_answers, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
