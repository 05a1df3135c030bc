/* From the produce of an invoice event to the read_committed poll that returns its acknowledgment, at a steady rate.
 *
 *     latency_bench BROKERS REGISTRY FILE RATE     FILE: lines {"key", "value"} of invoice.events whose event ids are L0, L1, L2 ...
 *
 * Both clocks are this process's. Records are encoded beforehand; the first fifth warms up and does not count. Prints one JSON object; an event that is not
 * answered within half a minute is an error, like every other. */
#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/codec/encode.h"
#include "common/codec/json.h"
#include "common/codec/plan.h"
#include "common/codec/registry.h"
#include "common/codec/wire.h"
#include "common/platform/clock.h"
#include "schemas/acknowledgment.h"
#include "schemas/invoice_event.h"

enum { EVENTS_MAXIMUM = 1000000, CALL_MS = 20000, ANSWER_MS = 30000 };
#define ANSWERS "acknowledgments"

struct event { struct slice key, value; _Atomic int64_t sent_ns; int64_t answered_ns; };

static struct event *events;
static long event_count;
static atomic_long answered;
static atomic_bool listening;
static rd_kafka_t *consumer;
static int partitions;

static void end(const char *what, const char *why) {
    fprintf(stderr, "latency_bench: %s: %s\n", what, why);
    exit(1);
}

static rd_kafka_t *client_make(rd_kafka_type_t type, const char *const (*settings)[2], const char *brokers) {
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof why) != RD_KAFKA_CONF_OK) end("bootstrap.servers", why);
    for (; (*settings)[0]; settings++)
        if (rd_kafka_conf_set(conf, (*settings)[0], (*settings)[1], why, sizeof why) != RD_KAFKA_CONF_OK) end((*settings)[0], why);
    rd_kafka_t *client = rd_kafka_new(type, conf, why, sizeof why);
    if (!client) end("client", why);
    return client;
}

/* ---- the events ---- */

static struct slice copied(const void *data, size_t length) {
    char *copy = malloc(length + 1);
    if (!copy) end("memory", "none left");
    memcpy(copy, data, length);
    return (struct slice){copy, length};
}

static void event_read(const char *line, uint32_t schema_id, struct event *event) {
    static struct arena arena;
    static struct invoice_event value;
    static struct buffer bytes;
    struct error error;
    json_t *json = json_loads(line, 0, NULL);
    const char *key = json_string_value(json_object_get(json, "key"));
    if (!arena.limit) arena_init(&arena, 1 << 16, 1 << 24);
    arena_reset(&arena);
    buffer_reset(&bytes);
    if (!key) end("a line without a key", line);
    if (!codec_from_json(&invoice_event_type, json_object_get(json, "value"), &arena, &value, &error)) end(line, error.text);
    if (!codec_wire_append(&bytes, schema_id) || !codec_encode(&invoice_event_type, &value, &bytes)) end(line, "cannot be encoded");
    event->key = copied(key, strlen(key));
    event->value = copied(bytes.data, bytes.length);
    json_decref(json);
}

static void events_read(const char *path, const char *registry_url) {
    struct error error;
    uint32_t schema_id = 0;
    struct registry *registry = registry_new(&(struct registry_options){.urls = registry_url}, &error);
    if (!registry || registry_lookup_id(registry, "invoice.events-value", invoice_event_type.schema, &schema_id, &error) != REGISTRY_FOUND) end("registry", error.text);
    registry_free(registry);
    FILE *file = fopen(path, "r");
    events = calloc(EVENTS_MAXIMUM, sizeof *events);
    if (!file || !events) end(path, "cannot be read");
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, file) > 0 && event_count < EVENTS_MAXIMUM) event_read(line, schema_id, &events[event_count++]);
    free(line);
    fclose(file);
    if (!event_count) end(path, "holds no events");
}

/* ---- the answers ---- */

static void answer_take(const struct codec_plan *plan, struct arena *arena, const rd_kafka_message_t *message, int64_t now_ns) {
    uint32_t schema_id;
    struct slice payload;
    struct acknowledgment answer;
    arena_reset(arena);
    if (!codec_wire_read(message->payload, message->len, &schema_id, &payload) || codec_decode(plan, payload.data, payload.length, arena, &answer) != CODEC_OK)
        end(ANSWERS, "an acknowledgment that cannot be read");
    long number = 0;
    if (answer.event_id.length < 2 || answer.event_id.data[0] != 'L') return;    /* of what was there before */
    for (size_t i = 1; i < answer.event_id.length; i++) number = number * 10 + (answer.event_id.data[i] - '0');
    if (number >= event_count || events[number].answered_ns) end(ANSWERS, "an acknowledgment of nothing, or a second one");
    if (answer.outcome != ACKNOWLEDGED_OUTCOME_ACCEPTED) end(ANSWERS, "an event was not accepted");
    events[number].answered_ns = now_ns;
    atomic_fetch_add(&answered, 1);
}

static void *listen_to_answers(void *context) {
    (void)context;
    struct error error;
    struct arena arena;
    struct codec_plan *plan = codec_plan_own(&acknowledgment_type, &error);
    if (!plan) end("plan", error.text);
    arena_init(&arena, 1 << 16, 1 << 24);
    for (int at_end = 0; atomic_load(&answered) < event_count;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
        int64_t now_ns = clock_monotonic_ns();
        if (!message) continue;
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            if (++at_end == partitions) atomic_store(&listening, true);
        } else if (message->err) {
            end(ANSWERS, rd_kafka_message_errstr(message));
        } else {
            answer_take(plan, &arena, message, now_ns);
        }
        rd_kafka_message_destroy(message);
    }
    arena_free(&arena);
    codec_plan_free(plan);
    return NULL;
}

static void answers_follow(const char *brokers) {
    static const char *const settings[][2] = {{"group.id", "latency-bench"}, {"isolation.level", "read_committed"}, {"enable.auto.commit", "false"}, {"enable.partition.eof", "true"},
        {"auto.offset.reset", "error"}, {"socket.nagle.disable", "true"}, {NULL, NULL}};
    consumer = client_make(RD_KAFKA_CONSUMER, settings, brokers);
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(consumer, ANSWERS, NULL);
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t err = rd_kafka_metadata(consumer, 0, topic, &metadata, CALL_MS);
    if (err || metadata->topic_cnt != 1 || !metadata->topics[0].partition_cnt) end(ANSWERS, rd_kafka_err2str(err));
    partitions = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int p = 0; p < partitions; p++) rd_kafka_topic_partition_list_add(list, ANSWERS, p)->offset = RD_KAFKA_OFFSET_END;
    err = rd_kafka_assign(consumer, list);
    if (err) end("assign", rd_kafka_err2str(err));
    rd_kafka_topic_partition_list_destroy(list);
}

/* ---- the pace ---- */

static void delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
    (void)client; (void)opaque;
    if (message->err) end("delivery", rd_kafka_err2str(message->err));
}

static void pause_until(int64_t at_ns) {
    struct timespec at = {at_ns / 1000000000, at_ns % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static rd_kafka_t *producer_make(const char *brokers) {
    char why[256];
    static const char *const settings[][2] = {{"linger.ms", "0"}, {"acks", "all"}, {"enable.idempotence", "true"}, {"partitioner", "murmur2_random"}, {"socket.nagle.disable", "true"}};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof why) != RD_KAFKA_CONF_OK) end("bootstrap.servers", why);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof why) != RD_KAFKA_CONF_OK) end(settings[i][0], why);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!producer) end("producer", why);
    return producer;
}

/* The longest that an event left behind its time: a producer that cannot keep the pace measures something else. */
static int64_t events_send(const char *brokers, long rate) {
    rd_kafka_t *producer = producer_make(brokers);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, "invoice.events", NULL);
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t err = rd_kafka_metadata(producer, 0, topic, &metadata, CALL_MS);
    if (err) end("metadata", rd_kafka_err2str(err));
    rd_kafka_metadata_destroy(metadata);
    int64_t begun_ns = clock_monotonic_ns(), late_ns = 0;
    for (long i = 0; i < event_count; i++) {
        struct event *event = &events[i];
        int64_t due_ns = begun_ns + i * INT64_C(1000000000) / rate, now_ns;
        pause_until(due_ns);
        now_ns = clock_monotonic_ns();
        if (now_ns - due_ns > late_ns) late_ns = now_ns - due_ns;
        atomic_store(&event->sent_ns, now_ns);
        if (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)event->value.data, event->value.length, event->key.data, event->key.length, NULL) != 0)
            end("produce", rd_kafka_err2str(rd_kafka_last_error()));
        rd_kafka_poll(producer, 0);
    }
    rd_kafka_flush(producer, CALL_MS);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
    return late_ns;
}

static int by_size(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void report(int64_t late_ns) {
    long from = event_count / 5, count = event_count - from;
    int64_t *took = malloc((size_t)count * sizeof *took);
    if (!took) end("memory", "none left");
    for (long i = 0; i < count; i++) took[i] = events[from + i].answered_ns - atomic_load(&events[from + i].sent_ns);
    qsort(took, (size_t)count, sizeof *took, by_size);
    printf("{\"events\": %ld, \"p50_ms\": %.2f, \"p90_ms\": %.2f, \"p99_ms\": %.2f, \"longest_ms\": %.2f, \"latest_send_ms\": %.2f}\n", count, (double)took[count / 2] / 1e6,
           (double)took[count * 9 / 10] / 1e6, (double)took[count * 99 / 100] / 1e6, (double)took[count - 1] / 1e6, (double)late_ns / 1e6);
    free(took);
}

int main(int count, char **words) {
    if (count != 5 || atol(words[4]) <= 0) { fprintf(stderr, "latency_bench BROKERS REGISTRY FILE RATE\n"); return 2; }
    events_read(words[3], words[2]);
    answers_follow(words[1]);
    pthread_t listener;
    if (pthread_create(&listener, NULL, listen_to_answers, NULL) != 0) end("thread", "cannot be made");
    for (int64_t by_ms = clock_monotonic_ms() + CALL_MS; !atomic_load(&listening);) {
        if (clock_monotonic_ms() > by_ms) end(ANSWERS, "its end was not reached");
        pause_until(clock_monotonic_ns() + 1000000);
    }
    int64_t late_ns = events_send(words[1], atol(words[4])), by_ms = clock_monotonic_ms() + ANSWER_MS;
    while (atomic_load(&answered) < event_count) {
        if (clock_monotonic_ms() > by_ms) end(ANSWERS, "some events were not answered");
        pause_until(clock_monotonic_ns() + 10000000);
    }
    pthread_join(listener, NULL);
    report(late_ns);
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    for (long i = 0; i < event_count; i++) {
        free((void *)(uintptr_t)events[i].key.data);
        free((void *)(uintptr_t)events[i].value.data);
    }
    free(events);
    return 0;
}
