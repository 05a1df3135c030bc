#include "common/runtime/tail.h"

#include <stdlib.h>
#include <string.h>

#include "common/runtime/nudge.h"

enum { TOPICS_MAXIMUM = 40 };

struct tail_topic { const char *name; rd_kafka_topic_t *topic; };

struct tail_half { struct client_events events; rd_kafka_t *client; };  /* events first: the client's opaque */

struct tail {
    struct tail_half reading, asking;
    struct tail_topic topics[TOPICS_MAXIMUM];
    size_t topic_count;
    struct nudge nudge;
    int wake;
};

struct tail_queue { struct tail *tail; rd_kafka_queue_t *queue; };

static bool half_open(struct tail_half *half, const char *role, const char *isolation, const struct client_settings *settings, struct error *error) {
    const struct client_property usual[] = {
        {"socket.nagle.disable", "true"}, {"queued.max.messages.kbytes", "4096"}, {"queued.min.messages", "20000"},
        {"fetch.message.max.bytes", "1048576"}, {"fetch.max.bytes", "8388608"}, {"fetch.wait.max.ms", "100"}, {"fetch.error.backoff.ms", "100"},
        {"reconnect.backoff.ms", "50"}, {"reconnect.backoff.max.ms", "1000"}, {"socket.timeout.ms", "5000"}, {"socket.connection.setup.timeout.ms", "5000"}, {NULL, NULL}};
    const struct client_property fixed[] = {{"isolation.level", isolation}, {"enable.auto.commit", "false"}, {"enable.auto.offset.store", "false"},
                                            {"auto.offset.reset", "error"}, {"enable.partition.eof", "true"}, {NULL, NULL}};
    half->events.role = role;
    struct client_options options = {RD_KAFKA_CONSUMER, settings, usual, fixed, &half->events, NULL, half, false};
    return client_new(&half->client, &options, error);
}

bool tail_open(struct tail **result, const struct client_settings *settings, int wake, struct error *error) {
    struct tail *tail = calloc(1, sizeof *tail);
    if (!tail) return error_set(error, "out of memory");
    tail->wake = wake;
    nudge_open(&tail->nudge);
    if (!half_open(&tail->reading, "log reader", "read_committed", settings, error) ||
        !half_open(&tail->asking, "log ends", "read_uncommitted", settings, error)) {
        tail_close(tail);
        return false;
    }
    *result = tail;
    return true;
}

void tail_close(struct tail *tail) {
    if (!tail) return;
    for (size_t i = 0; i < tail->topic_count; i++) rd_kafka_topic_destroy(tail->topics[i].topic);
    if (tail->reading.client) rd_kafka_destroy(tail->reading.client);
    if (tail->asking.client) rd_kafka_destroy(tail->asking.client);
    nudge_close(&tail->nudge);
    free(tail);
}

rd_kafka_t *tail_client(struct tail *tail) { return tail->asking.client; }

/* The client believes what it has heard of a partition's leader for minutes, and asks the one that was. */
static void ask_who_leads(struct tail *tail, const char *topic, int timeout_ms) {
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(tail->asking.client, topic, NULL);
    if (!handle) return;
    if (rd_kafka_metadata(tail->asking.client, 0, handle, &metadata, timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR) rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
}

bool tail_bounds(struct tail *tail, const char *topic, int32_t partition, int timeout_ms, int64_t *low, int64_t *high, struct error *error) {
    rd_kafka_poll(tail->asking.client, 0);
    rd_kafka_resp_err_t err = rd_kafka_query_watermark_offsets(tail->asking.client, topic, partition, low, high, timeout_ms);
    if (err) ask_who_leads(tail, topic, timeout_ms);
    return !err || error_set(error, "the end of %s/%d cannot be asked for: %s", topic, partition, rd_kafka_err2str(err));
}

bool tail_queue_open(struct tail *tail, struct tail_queue **result, struct error *error) {
    static const uint64_t one = 1;
    struct tail_queue *queue = calloc(1, sizeof *queue);
    if (!queue) return error_set(error, "out of memory");
    queue->tail = tail;
    queue->queue = rd_kafka_queue_new(tail->reading.client);
    rd_kafka_queue_io_event_enable(queue->queue, tail->wake, &one, sizeof one);
    *result = queue;
    return true;
}

void tail_queue_close(struct tail_queue *queue) {
    if (!queue) return;
    rd_kafka_queue_io_event_enable(queue->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(queue->queue);
    free(queue);
}

static rd_kafka_topic_t *topic_of(struct tail *tail, const char *name) {
    for (size_t i = 0; i < tail->topic_count; i++)
        if (strcmp(tail->topics[i].name, name) == 0) return tail->topics[i].topic;
    if (tail->topic_count == TOPICS_MAXIMUM) return NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(tail->reading.client, name, NULL);
    if (topic) tail->topics[tail->topic_count++] = (struct tail_topic){rd_kafka_topic_name(topic), topic};
    return topic;
}

bool tail_start(struct tail_queue *queue, const char *topic, int32_t partition, int64_t offset, struct error *error) {
    rd_kafka_topic_t *handle = topic_of(queue->tail, topic);
    if (handle && rd_kafka_consume_start_queue(handle, partition, offset, queue->queue) == 0) return true;
    return error_set(error, "%s/%d cannot be read: %s", topic, partition, rd_kafka_err2str(rd_kafka_last_error()));
}

void tail_stop(struct tail_queue *queue, const char *topic, int32_t partition) {
    rd_kafka_topic_t *handle = topic_of(queue->tail, topic);
    if (handle) rd_kafka_consume_stop(handle, partition);
}

size_t tail_read(struct tail_queue *queue, rd_kafka_message_t **messages, size_t capacity) {
    rd_kafka_poll(queue->tail->reading.client, 0);
    ssize_t count = rd_kafka_consume_batch_queue(queue->queue, 0, messages, capacity);
    if (count <= 0) return 0;
    if ((size_t)count == capacity) {    /* there is more; librdkafka measures all partitions by the queue that they share */
        for (int i = 0; i < 2; i++) {
            const rd_kafka_message_t *one = messages[i == 0 ? 0 : count - 1];
            if (one->rkt) nudge_note(&queue->tail->nudge, rd_kafka_topic_name(one->rkt), one->partition);
        }
        nudge_send(&queue->tail->nudge, queue->tail->reading.client);
    }
    return (size_t)count;
}
