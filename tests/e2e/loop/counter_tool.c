/* counter_tool: sets up, feeds and checks what kontor-counter works on.
 *
 *     counter_tool setup BROKERS REGISTRY PARTITIONS     topics, schemas and the permission of the source
 *     counter_tool produce BROKERS FROM COUNT KEYS       events FROM.., alternately left and right
 *     counter_tool garbage BROKERS COUNT                 records that are nothing
 *     counter_tool check BROKERS EVENTS KEYS any|in-order
 *     counter_tool latency BROKERS FROM COUNT KEYS GAP_MS  lone events: from produce to the read_committed reader's poll */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/codec/encode.h"
#include "common/codec/registry.h"
#include "common/codec/wire.h"
#include "common/platform/clock.h"
#include "common/runtime/engine.h"
#include "schemas/count_event.h"
#include "schemas/source_permission.h"
#include "tests/e2e/loop/counter.h"
#include "tests/e2e/loop/counter_check.h"

enum { FILLER = 150, WARM_UP = 10 /* events: librdkafka looks at topics that it does not know once a second */ };
static const int64_t first_time_ms = 1700000000000;
static const char *const id_file = "count-event.id";    /* in the working folder: what setup has learned for produce */

static void delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
    (void)client, (void)opaque;
    must(!message->err, "delivery", rd_kafka_err2str(message->err));
}

static rd_kafka_t *producer_new(const char *brokers) {
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *const settings[][2] = {{"bootstrap.servers", brokers}, {"partitioner", "murmur2_random"}, {"linger.ms", "5"}, {"enable.idempotence", "true"},
                                       {"queue.buffering.max.messages", "2000000"}, {"socket.nagle.disable", "true"}, {"compression.type", "lz4"}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        must(rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof why) == RD_KAFKA_CONF_OK, settings[i][0], why);
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    must(client, "producer", why);
    return client;
}

/* The controller answers before the broker knows: who asks in between is told that there is no such topic, or one with no partitions. */
static void await_leaders(rd_kafka_t *client, const char *name, int partitions) {
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, name, NULL);
    const int64_t deadline_ms = clock_monotonic_ms() + 60000;
    for (int led = 0; led != partitions;) {
        const struct rd_kafka_metadata *metadata = NULL;
        must(clock_monotonic_ms() < deadline_ms, name, "no leaders");
        led = 0;
        if (rd_kafka_metadata(client, 0, topic, &metadata, 20000) == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1)
            for (int p = 0; p < metadata->topics[0].partition_cnt; p++) led += metadata->topics[0].partitions[p].leader >= 0;
        if (metadata) rd_kafka_metadata_destroy(metadata);
        if (led != partitions) rd_kafka_poll(client, 20);
    }
    rd_kafka_topic_destroy(topic);
}

static void create(rd_kafka_t *client, const char *name, int partitions, const char *policy, bool append_time) {
    char why[256];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, 1, why, sizeof why);
    rd_kafka_NewTopic_set_config(topic, "cleanup.policy", policy);
    rd_kafka_NewTopic_set_config(topic, "retention.ms", "-1");
    rd_kafka_NewTopic_set_config(topic, "delete.retention.ms", "604800000");
    if (append_time) rd_kafka_NewTopic_set_config(topic, "message.timestamp.type", "LogAppendTime");
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_CreateTopics(client, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 20000);
    must(event && !rd_kafka_event_error(event), name, event ? rd_kafka_event_error_string(event) : "no answer");
    size_t count;
    const rd_kafka_topic_result_t **results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    rd_kafka_resp_err_t err = rd_kafka_topic_result_error(results[0]);
    must(!err || err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, name, rd_kafka_err2str(err));
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
    await_leaders(client, name, partitions);
}

struct setting_up { rd_kafka_t *client; struct registry *registry; int partitions; };

static uint32_t enrol(struct registry *registry, const char *topic, const struct codec_type *type) {
    char subject[300];
    uint32_t id;
    struct error error;
    snprintf(subject, sizeof subject, "%s-value", topic);
    must(registry_register(registry, subject, type->schema, &id, &error) == REGISTRY_FOUND, subject, error.text);
    return id;
}

static void set_output_up(void *context, const char *topic, const struct codec_type *type, bool per_erp) {
    struct setting_up *up = context;
    (void)per_erp;
    bool changelog = strstr(topic, ".changelog") != NULL, of_tasks = changelog || strstr(topic, ".timers") != NULL;
    create(up->client, topic, of_tasks ? up->partitions : 4, changelog ? "compact" : "delete", of_tasks);
    if (type) enrol(up->registry, topic, type);
}

static void send_record(rd_kafka_t *client, const char *topic, struct slice key, struct slice value, int64_t timestamp_ms) {
    rd_kafka_resp_err_t err;
    while ((err = rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(key.data, key.length), RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.length),
                                    RD_KAFKA_V_TIMESTAMP(timestamp_ms), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        rd_kafka_poll(client, 50);
    must(!err, topic, rd_kafka_err2str(err));
}

static void permit(rd_kafka_t *client, uint32_t id, const char *topic) {
    char key[128];
    struct buffer value = {0};
    struct slice everyone = SLICE("*");
    struct source_permission permission = {.source_system = SLICE("TEST"), .topic = slice_of(topic), .valid_from = 0, .status = SLICE("active"), .source = SLICE("MDM")};
    permission.entities.items = &everyone;
    permission.entities.count = 1;
    snprintf(key, sizeof key, "TEST|%s|1970-01-01", topic);
    must(codec_wire_append(&value, id) && codec_encode(&source_permission_type, &permission, &value), topic, "not encoded");
    send_record(client, "master.source-permissions", slice_of(key), buffer_slice(&value), clock_wall_ms());
    buffer_free(&value);
}

static int setup(const char *brokers, const char *urls, int partitions) {
    struct error error;
    struct setting_up up = {producer_new(brokers), registry_new(&(struct registry_options){.urls = urls}, &error), partitions};
    must(up.registry, urls, error.text);
    create(up.client, "master.source-permissions", 1, "compact", true);
    create(up.client, "resolutions.counter", partitions, "delete", true);
    engine_outputs(&counter_processor, set_output_up, &up);
    uint32_t id = enrol(up.registry, "master.source-permissions", &source_permission_type);
    FILE *file = fopen(id_file, "w");
    must(file, id_file, "not writable");
    for (int i = 0; i < COUNTER_INPUTS; i++) {
        const struct processor_input *input = &counter_processor.inputs[i];
        create(up.client, input->topic, partitions, "delete", false);
        permit(up.client, id, input->topic);
        fprintf(file, "%u\n", enrol(up.registry, input->topic, &count_event_type));
    }
    fclose(file);
    must(!rd_kafka_flush(up.client, 20000), "flush", "not delivered");
    rd_kafka_destroy(up.client);
    registry_free(up.registry);
    return 0;
}

static uint32_t event_schema(void) {
    unsigned id = 0;
    FILE *file = fopen(id_file, "r");
    must(file && fscanf(file, "%u", &id) == 1, id_file, "not there: run setup in this folder first");
    fclose(file);
    return id;
}

static void send_event(rd_kafka_t *client, uint32_t schema, struct buffer *value, int64_t number, int64_t keys, int64_t timestamp_ms) {
    char id[32], partner[32], key[40], filler[FILLER];
    memset(filler, 'x', sizeof filler);
    snprintf(id, sizeof id, "E%lld", (long long)number);
    snprintf(partner, sizeof partner, "K%lld", (long long)(number % keys));
    snprintf(key, sizeof key, "T|%s", partner);
    const struct count_event event = {slice_of(id), SLICE("TEST"), SLICE("T"), slice_of(partner), {filler, sizeof filler}};
    buffer_reset(value);
    must(codec_wire_append(value, schema) && codec_encode(&count_event_type, &event, value), "event", "not encoded");
    /* Not by parity alone: then a partner would be on one side only. */
    const char *topic = counter_processor.inputs[(number / keys + number) % COUNTER_INPUTS].topic;
    send_record(client, topic, slice_of(key), buffer_slice(value), timestamp_ms);
}

static int produce(const char *brokers, int64_t from, int64_t count, int64_t keys) {
    rd_kafka_t *client = producer_new(brokers);
    uint32_t schema = event_schema();
    struct buffer value = {0};
    for (int64_t n = from; n < from + count; n++) send_event(client, schema, &value, n, keys, first_time_ms + n);
    must(!rd_kafka_flush(client, 60000), "flush", "not delivered");
    rd_kafka_destroy(client);
    buffer_free(&value);
    return 0;
}

static int garbage(const char *brokers, int64_t count) {
    rd_kafka_t *client = producer_new(brokers);
    for (int64_t n = 0; n < count; n++) send_record(client, counter_processor.inputs[0].topic, SLICE("T|K0"), SLICE("nothing"), first_time_ms + n);
    must(!rd_kafka_flush(client, 60000), "flush", "not delivered");
    rd_kafka_destroy(client);
    return 0;
}

static int by_value(const void *a, const void *b) {
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int latency(const char *brokers, int64_t from, int64_t count, int64_t keys, int64_t gap_ms) {
    int partitions, ended = 0;
    rd_kafka_t *client = producer_new(brokers), *reader = reader_open(brokers, "count.copies", &partitions, true);
    uint32_t schema = event_schema();
    struct buffer value = {0};
    int64_t *taken_us = calloc((size_t)count, sizeof *taken_us);
    for (int64_t n = 0; n < count;) {
        rd_kafka_message_t *message;
        while (ended < partitions) {    /* the reader stands at the end */
            must((message = rd_kafka_consumer_poll(reader, 10000)), "reader", "nothing comes");
            ended += message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
            rd_kafka_message_destroy(message);
        }
        int64_t begun_ns = clock_monotonic_ns();
        send_event(client, schema, &value, from + n, keys, clock_wall_ms());
        rd_kafka_flush(client, 10000);
        do {
            must((message = rd_kafka_consumer_poll(reader, 10000)), "copy", "does not come");
            bool is_record = !message->err;
            rd_kafka_message_destroy(message);
            if (is_record) break;
        } while (true);
        taken_us[n++] = (clock_monotonic_ns() - begun_ns) / 1000;
        struct timespec rest = {gap_ms / 1000, gap_ms % 1000 * 1000000};
        nanosleep(&rest, NULL);
    }
    count -= WARM_UP;
    memmove(taken_us, taken_us + WARM_UP, (size_t)count * sizeof *taken_us);
    qsort(taken_us, (size_t)count, sizeof *taken_us, by_value);
    printf("latency events=%lld p50_ms=%.1f p90_ms=%.1f p99_ms=%.1f max_ms=%.1f\n", (long long)count, (double)taken_us[count / 2] / 1e3,
           (double)taken_us[count * 9 / 10] / 1e3, (double)taken_us[count * 99 / 100] / 1e3, (double)taken_us[count - 1] / 1e3);
    free(taken_us);
    buffer_free(&value);
    rd_kafka_destroy(reader);
    rd_kafka_destroy(client);
    return 0;
}

int main(int argc, char **argv) {
    const char *what = argc > 2 ? argv[1] : "";
    if (strcmp(what, "setup") == 0 && argc == 5) return setup(argv[2], argv[3], atoi(argv[4]));
    if (strcmp(what, "produce") == 0 && argc == 6) return produce(argv[2], atoll(argv[3]), atoll(argv[4]), atoll(argv[5]));
    if (strcmp(what, "garbage") == 0 && argc == 4) return garbage(argv[2], atoll(argv[3]));
    if (strcmp(what, "check") == 0 && argc == 6) return counter_check(argv[2], atoll(argv[3]), atoll(argv[4]), strcmp(argv[5], "in-order") == 0) ? 0 : 1;
    if (strcmp(what, "latency") == 0 && argc == 7) return latency(argv[2], atoll(argv[3]), atoll(argv[4]), atoll(argv[5]), atoll(argv[6]));
    fprintf(stderr, "usage: counter_tool setup|produce|check|latency ...; see the head of its source\n");
    return 2;
}
