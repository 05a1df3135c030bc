/* What is taken from librdkafka's statistics: a document as STATISTICS.md of librdkafka describes it, shortened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/runtime/client.h"
#include "common/runtime/consumer.h"
#include "common/runtime/producer.h"

static bool take(struct client_events *events, bool produces, const char *text) { return client_statistics_take(events, produces, text, strlen(text)); }

#define BROKER(name, id, state, rtt, errors) BROKER_OF("learned", name, id, state, rtt, errors)
#define BROKER_OF(source, name, id, state, rtt, errors) \
    "\"" name "\":{\"name\":\"" name "\",\"source\":\"" source "\",\"nodeid\":" id ",\"state\":\"" state "\",\"txerrs\":" errors ",\"rxerrs\":0,\"req_timeouts\":1,\"rtt\":{\"avg\":" rtt ",\"cnt\":3}}"

static void of_a_producer(void **state) {
    (void)state;
    struct client_events events = {.role = "producer"};
    assert_true(take(&events, true, "{\"msg_cnt\":7,\"msg_size\":900,\"brokers\":{" BROKER("boot", "-1", "UP", "0", "0") "," BROKER("one", "1", "UP", "2500", "4") ","
                                    BROKER("two", "2", "CONNECT", "1200", "0") "," BROKER_OF("logical", "TxnCoordinator", "1", "UP", "9", "0") "}}"));
    assert_int_equal(events.statistics.queued_records, 7);
    assert_int_equal(events.statistics.queued_bytes, 900);
    assert_int_equal(events.statistics.round_trip_us, 2500);
    assert_int_equal(events.statistics.brokers_up, 1);
    assert_int_equal(events.statistics.failed_requests, 4 + 4 * 1);
}

static void of_a_consumer(void **state) {
    (void)state;
    struct client_events events = {.role = "consumer"};
    assert_false(events.statistics.taken);
    assert_true(take(&events, false, "{\"msg_cnt\":99,\"msg_size\":99,\"brokers\":{},\"topics\":{\"a\":{\"partitions\":{\"0\":{\"fetchq_cnt\":3,\"fetchq_size\":30},"
                                     "\"-1\":{\"fetchq_cnt\":0,\"fetchq_size\":0}}},\"b\":{\"partitions\":{\"0\":{\"fetchq_cnt\":4,\"fetchq_size\":50}}}}}"));
    assert_int_equal(events.statistics.queued_records, 7);
    assert_int_equal(events.statistics.queued_bytes, 80);
    assert_true(events.statistics.taken);
    assert_int_equal(events.statistics.brokers_up, 0);
}

/* librdkafka counts since the client was made; a client is made anew after any doubt. */
static void failures_add_up_over_clients(void **state) {
    (void)state;
    struct client_events events = {.role = "producer"};
    assert_true(take(&events, true, "{\"brokers\":{" BROKER("one", "1", "UP", "0", "4") "}}"));
    assert_true(take(&events, true, "{\"brokers\":{" BROKER("one", "1", "UP", "0", "6") "}}"));
    assert_int_equal(events.statistics.failed_requests, 7);
    events.failed_said = 0;     /* as client_new does */
    assert_true(take(&events, true, "{\"brokers\":{" BROKER("one", "1", "UP", "0", "1") "}}"));
    assert_int_equal(events.statistics.failed_requests, 9);
}

/* Campaign 4001: both have interceptors, which librdkafka frees when it cannot make the client; they were freed again. */
static void refused_by_librdkafka(void **state) {
    (void)state;
    struct client_settings settings = {0};
    struct error error;
    static const char *const topics[] = {"in"};
    assert_true(client_settings_add(&settings, "bootstrap.servers", "127.0.0.1:1", &error));
    assert_true(client_settings_add(&settings, "security.protocol", "ssl", &error));
    assert_true(client_settings_add(&settings, "ssl.ca.location", "/nowhere/ca.pem", &error));
    struct producer *producer = NULL;
    assert_false(producer_open(&producer, &(struct producer_options){.settings = &settings, .transactional_id = "t", .transaction_timeout_ms = 10000, .call_timeout_ms = 1000, .compression = "lz4"}, &error));
    assert_non_null(strstr(error.text, "a Kafka producer cannot be made: ssl.ca.location"));
    struct consumer *consumer = NULL;
    assert_false(consumer_open(&consumer, &(struct consumer_options){.settings = &settings, .group = "g", .instance = "i", .topics = topics, .topic_count = 1, .partition_count = 1,
                                                                     .session_timeout_ms = 10000, .wake = -1}, &error));
    assert_non_null(strstr(error.text, "a Kafka consumer cannot be made: ssl.ca.location"));
}

static void nonsense_changes_nothing(void **state) {
    (void)state;
    struct client_events events = {.role = "producer"};
    assert_true(take(&events, true, "{\"msg_cnt\":7}"));
    for (size_t i = 0; i < 3; i++) assert_false(take(&events, true, ((const char *const[]){"", "{\"msg_cnt\":", "7"})[i]));
    assert_int_equal(events.statistics.queued_records, 7);
    assert_true(take(&events, true, "{\"msg_cnt\":\"many\",\"brokers\":[],\"topics\":5}"));
    assert_int_equal(events.statistics.queued_records, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(refused_by_librdkafka), cmocka_unit_test(of_a_producer), cmocka_unit_test(of_a_consumer), cmocka_unit_test(failures_add_up_over_clients),
                                       cmocka_unit_test(nonsense_changes_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
