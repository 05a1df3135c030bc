/* The floor: an exactly-once loop on plain librdkafka that copies a topic record by record – no decode, no checks, no state. What a processor costs beyond it
 * is what it does.
 *
 *     copy_bench BROKERS FROM TO NUMBER ID     copies NUMBER records; ID: a group and transactional id that nobody has used
 *
 * Prints one JSON object: events, seconds and CPU seconds from the first record to the last commit, transactions, memory. Any error ends it. */
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/platform/clock.h"

enum { CHUNK = 2000, BATCH_MS = 100, BATCH_RECORDS = 5000 /* as a processor's batch.max.ms and batch.max.records */, CALL_MS = 20000, SILENCE_MS = 60000 };

struct copy {
    rd_kafka_t *consumer, *producer;
    rd_kafka_queue_t *queue;
    rd_kafka_topic_t *to;
    long expected, copied, open, transactions;
    int64_t first_ns, begun_ns;
    double first_cpu;
};

static void end(const char *what, const char *why) {
    fprintf(stderr, "copy_bench: %s: %s\n", what, why);
    exit(1);
}

static void must(const char *what, rd_kafka_error_t *error) {
    if (error) end(what, rd_kafka_error_string(error));
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK) end(name, why);
}

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Without one every flush waits 10 ms. */
static void delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
    (void)client; (void)opaque;
    if (message->err) end("delivery", rd_kafka_err2str(message->err));
}

static void consumer_make(struct copy *copy, const char *brokers, const char *from, const char *id) {
    static const char *const settings[][2] = {{"enable.auto.commit", "false"}, {"isolation.level", "read_committed"}, {"auto.offset.reset", "earliest"},
        {"socket.nagle.disable", "true"}, {"fetch.wait.max.ms", "10"}};
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", brokers);
    set(conf, "group.id", id);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) set(conf, settings[i][0], settings[i][1]);
    copy->consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (!copy->consumer) end("consumer", why);
    rd_kafka_poll_set_consumer(copy->consumer);
    copy->queue = rd_kafka_queue_get_consumer(copy->consumer);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, from, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t err = rd_kafka_subscribe(copy->consumer, topics);
    if (err) end("subscribe", rd_kafka_err2str(err));
    rd_kafka_topic_partition_list_destroy(topics);
}

static void producer_make(struct copy *copy, const char *brokers, const char *to, const char *id) {
    static const char *const settings[][2] = {{"linger.ms", "2"}, {"queue.buffering.max.messages", "0"}, {"queue.buffering.max.kbytes", "2097151"}, {"compression.type", "lz4"},
        {"socket.nagle.disable", "true"}, {"retry.backoff.ms", "20"}, {"partitioner", "murmur2_random"}};
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", brokers);
    set(conf, "transactional.id", id);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) set(conf, settings[i][0], settings[i][1]);
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    copy->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!copy->producer) end("producer", why);
    copy->to = rd_kafka_topic_new(copy->producer, to, NULL);
    must("init_transactions", rd_kafka_init_transactions(copy->producer, CALL_MS));
    const struct rd_kafka_metadata *metadata;   /* and makes the topic, where the broker does that */
    rd_kafka_resp_err_t err = rd_kafka_metadata(copy->producer, 0, copy->to, &metadata, CALL_MS);
    if (err) end("metadata", rd_kafka_err2str(err));
    rd_kafka_metadata_destroy(metadata);
    must("begin_transaction", rd_kafka_begin_transaction(copy->producer));
}

static void take(struct copy *copy, rd_kafka_message_t *message) {
    if (message->err && message->err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) end("consume", rd_kafka_message_errstr(message));
    while (!message->err && rd_kafka_produce(copy->to, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, message->payload, message->len, message->key, message->key_len, NULL) != 0) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL && rd_kafka_last_error() != RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
            end("produce", rd_kafka_err2str(rd_kafka_last_error()));
        rd_kafka_poll(copy->producer, 10);
    }
    copy->copied += !message->err;
    copy->open += !message->err;
    rd_kafka_message_destroy(message);
}

static void commit(struct copy *copy) {
    rd_kafka_topic_partition_list_t *offsets;
    rd_kafka_assignment(copy->consumer, &offsets);
    rd_kafka_position(copy->consumer, offsets);
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(copy->consumer);
    must("send_offsets", rd_kafka_send_offsets_to_transaction(copy->producer, offsets, group, CALL_MS));
    must("commit_transaction", rd_kafka_commit_transaction(copy->producer, CALL_MS));
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(offsets);
    if (copy->copied < copy->expected) must("begin_transaction", rd_kafka_begin_transaction(copy->producer));
    copy->open = 0;
    copy->transactions++;
    copy->begun_ns = clock_monotonic_ns();
}

static void run(struct copy *copy) {
    static rd_kafka_message_t *messages[CHUNK];
    int64_t heard_ms = clock_monotonic_ms();
    while (copy->copied < copy->expected) {
        ssize_t count = rd_kafka_consume_batch_queue(copy->queue, 5, messages, CHUNK);
        if (count > 0) heard_ms = clock_monotonic_ms();
        if (clock_monotonic_ms() - heard_ms > SILENCE_MS) end("consume", "nothing came for a minute");
        if (count > 0 && !copy->first_ns) {
            copy->first_ns = copy->begun_ns = clock_monotonic_ns();
            copy->first_cpu = cpu_seconds();
        }
        for (ssize_t i = 0; i < count; i++) take(copy, messages[i]);
        rd_kafka_poll(copy->producer, 0);
        bool due = clock_monotonic_ns() - copy->begun_ns >= BATCH_MS * INT64_C(1000000) || copy->open >= BATCH_RECORDS || copy->copied >= copy->expected;
        if (copy->open && due) commit(copy);
    }
}

int main(int count, char **words) {
    if (count != 6) { fprintf(stderr, "copy_bench BROKERS FROM TO NUMBER ID\n"); return 2; }
    struct copy copy = {.expected = atol(words[4])};
    consumer_make(&copy, words[1], words[2], words[5]);
    producer_make(&copy, words[1], words[3], words[5]);
    run(&copy);
    double seconds = (double)(clock_monotonic_ns() - copy.first_ns) / 1e9, cpu = cpu_seconds() - copy.first_cpu;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"events\": %ld, \"seconds\": %.3f, \"cpu_seconds\": %.3f, \"transactions\": %ld, \"rss_mb\": %.1f}\n", copy.copied, seconds, cpu, copy.transactions,
           (double)usage.ru_maxrss / 1024);
    rd_kafka_topic_destroy(copy.to);
    rd_kafka_queue_destroy(copy.queue);
    rd_kafka_consumer_close(copy.consumer);
    rd_kafka_destroy(copy.consumer);
    rd_kafka_destroy(copy.producer);
    return 0;
}
