#include "cli/scan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/progress.h"
#include "common/platform/clock.h"
#include "common/runtime/engine.h"

enum { BATCH = 4096, BATCH_WAIT_MS = 10 /* a batch that does not fill waits so long, the last one always */, SILENCE_LIMIT_MS = 30000 };

static const struct client_property usual[] = {
    {"client.id", "kontor-cli"},
    {"socket.nagle.disable", "true"},
    {"fetch.wait.max.ms", "10"},
    /* A queue at its limit makes librdkafka 2.0 pause its fetcher for a whole second: let bytes, not messages, be the limit, and a wide one. */
    {"queued.min.messages", "10000000"},
    {"queued.max.messages.kbytes", "262144"},
    {NULL, NULL},
};
static const struct client_property committed_only[] = {{"isolation.level", "read_committed"}, {"enable.partition.eof", "true"},
                                                        {"enable.auto.commit", "false"}, {NULL, NULL}};
static const struct client_property uncommitted_too[] = {{"isolation.level", "read_uncommitted"}, {"enable.partition.eof", "true"},
                                                         {"enable.auto.commit", "false"}, {NULL, NULL}};

struct part { rd_kafka_topic_t *topic; size_t topic_index; int32_t partition; int64_t begin, end; bool open, done; };

struct run {
    struct client_events events;    /* first: client.h */
    const struct scan *scan;
    rd_kafka_t *client;
    rd_kafka_queue_t *queue;
    rd_kafka_topic_t *topics[SCAN_TOPICS_MAXIMUM];
    struct part *parts;
    size_t part_count, parts_open, first_part[SCAN_TOPICS_MAXIMUM];
    struct progress progress;
    int64_t seen;
    bool enough;
};

/* Partitions without a leader for the moment: the broker has just started, or a leader moves. */
static bool is_passing(rd_kafka_resp_err_t code) {
    return code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION || code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
           code == RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH || code == RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH;
}

/* Asks for all partitions at once: `what` is RD_KAFKA_OFFSET_BEGINNING or _END, or a time in milliseconds. */
static bool ask_offsets(struct run *run, int64_t what, rd_kafka_topic_partition_list_t **answer, struct error *error) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)run->part_count);
    for (size_t i = 0; i < run->part_count; i++)
        rd_kafka_topic_partition_list_add(list, run->scan->topics[run->parts[i].topic_index], run->parts[i].partition)->offset = what;
    int64_t deadline_ms = clock_monotonic_ms() + KAFKA_TIMEOUT_MS;
    rd_kafka_resp_err_t code;
    for (;;) {
        code = rd_kafka_offsets_for_times(run->client, list, KAFKA_TIMEOUT_MS);
        for (int i = 0; !code && i < list->cnt; i++) code = list->elems[i].err;
        if (!is_passing(code) || clock_monotonic_ms() > deadline_ms) break;
        rd_kafka_poll(run->client, 100);
        const struct rd_kafka_metadata *leaders;   /* who leads now */
        if (!rd_kafka_metadata(run->client, 1, NULL, &leaders, KAFKA_TIMEOUT_MS)) rd_kafka_metadata_destroy(leaders);
        for (size_t i = 0; i < run->part_count; i++) list->elems[i].offset = what;
    }
    if (code) {
        rd_kafka_topic_partition_list_destroy(list);
        return error_set(error, "the offsets of the topics cannot be read: %s; try again, or look at the broker's log", rd_kafka_err2str(code));
    }
    *answer = list;
    return true;
}

/* The answer's order is librdkafka's own. */
static struct part *find_part(struct run *run, const char *topic, int32_t partition) {
    for (size_t i = 0; i < run->scan->topic_count; i++)
        if (strcmp(run->scan->topics[i], topic) == 0)
            return &run->parts[run->first_part[i] + (run->scan->partition == SCAN_ALL_PARTITIONS ? (size_t)partition : 0)];
    return NULL;
}

static bool set_ranges(struct run *run, struct error *error) {
    rd_kafka_topic_partition_list_t *begin = NULL, *end = NULL, *from = NULL;
    bool ok = ask_offsets(run, RD_KAFKA_OFFSET_BEGINNING, &begin, error) && ask_offsets(run, RD_KAFKA_OFFSET_END, &end, error);
    if (ok && run->scan->from_ms) ok = ask_offsets(run, run->scan->from_ms, &from, error);
    for (int i = 0; ok && i < begin->cnt; i++) {
        find_part(run, begin->elems[i].topic, begin->elems[i].partition)->begin = begin->elems[i].offset;
        find_part(run, end->elems[i].topic, end->elems[i].partition)->end = end->elems[i].offset;
    }
    for (size_t i = 0; ok && i < run->part_count; i++) {
        struct part *part = &run->parts[i];
        if (run->scan->partition_range) run->scan->partition_range(run->scan->context, part->topic_index, part->partition, part->begin, part->end);
        int64_t wanted = run->scan->from_offset;
        if (run->scan->resume) wanted = run->scan->resume(run->scan->context, part->topic_index, part->partition, part->begin, part->end);
        if (wanted > part->begin) part->begin = wanted;
    }
    for (int i = 0; ok && from && i < from->cnt; i++) {
        struct part *part = find_part(run, from->elems[i].topic, from->elems[i].partition);
        part->begin = from->elems[i].offset < 0 ? part->end : from->elems[i].offset; /* negative: nothing is that new */
    }
    if (begin) rd_kafka_topic_partition_list_destroy(begin);
    if (end) rd_kafka_topic_partition_list_destroy(end);
    if (from) rd_kafka_topic_partition_list_destroy(from);
    return ok;
}

static bool list_parts(struct run *run, const struct rd_kafka_metadata *metadata, struct error *error) {
    const struct scan *scan = run->scan;
    size_t count = 0;
    for (size_t i = 0; i < scan->topic_count; i++) {
        const struct rd_kafka_metadata_topic *topic = metadata_topic(metadata, scan->topics[i]);
        if (!topic || topic->err) return connection_no_topic(scan->connection, metadata, scan->topics[i], error);
        if (scan->partition >= topic->partition_cnt)
            return error_set(error, "%s has the partitions 0 to %d, not %" PRId32, scan->topics[i], topic->partition_cnt - 1, scan->partition);
        count += (size_t)topic->partition_cnt;
    }
    run->parts = calloc(count + 1, sizeof *run->parts);
    if (!run->parts) return error_set(error, "out of memory");
    for (size_t i = 0; i < scan->topic_count; i++) {
        int32_t partitions = metadata_topic(metadata, scan->topics[i])->partition_cnt;
        run->first_part[i] = run->part_count;
        run->topics[i] = rd_kafka_topic_new(run->client, scan->topics[i], NULL);
        for (int32_t p = 0; p < partitions; p++)
            if (scan->partition == SCAN_ALL_PARTITIONS || scan->partition == p)
                run->parts[run->part_count++] = (struct part){.topic = run->topics[i], .topic_index = i, .partition = p};
    }
    return true;
}

static bool start(struct run *run, struct error *error) {
    const struct scan *scan = run->scan;
    const struct rd_kafka_metadata *metadata;
    if (!connection_client(scan->connection, RD_KAFKA_CONSUMER, usual, scan->uncommitted ? uncommitted_too : committed_only, &run->events, NULL, run,
                           &run->client, error) ||
        !connection_metadata(scan->connection, run->client, &metadata, error))
        return false;
    bool ok = list_parts(run, metadata, error) && (!run->part_count || set_ranges(run, error));
    rd_kafka_metadata_destroy(metadata);
    if (!ok) return false;
    run->queue = rd_kafka_queue_new(run->client);
    int64_t total = 0;
    for (size_t i = 0; i < run->part_count; i++) {
        struct part *part = &run->parts[i];
        part->done = !scan->follow && part->begin >= part->end;
        if (part->done) continue;
        if (rd_kafka_consume_start_queue(part->topic, part->partition, part->begin, run->queue))
            return error_set(error, "%s cannot be read: %s", scan->topics[part->topic_index], rd_kafka_err2str(rd_kafka_last_error()));
        part->open = true;
        run->parts_open++;
        total += part->end - part->begin;
    }
    progress_start(&run->progress, scan->progress, total);
    return true;
}

static void finish(struct run *run) {
    progress_end(&run->progress);
    for (size_t i = 0; i < run->part_count; i++)
        if (run->parts[i].open) rd_kafka_consume_stop(run->parts[i].topic, run->parts[i].partition);
    if (run->queue) rd_kafka_queue_destroy(run->queue);
    for (size_t i = 0; i < run->scan->topic_count; i++)
        if (run->topics[i]) rd_kafka_topic_destroy(run->topics[i]);
    if (run->client) rd_kafka_destroy(run->client);
    free(run->parts);
}

static void close_part(struct run *run, struct part *part) {
    if (run->scan->follow || part->done) return;
    part->done = true;
    run->parts_open--;
}

static struct part *part_of(struct run *run, const rd_kafka_message_t *message) {
    for (size_t i = 0; i < run->scan->topic_count; i++)
        if (run->topics[i] == message->rkt)
            return &run->parts[run->first_part[i] + (run->scan->partition == SCAN_ALL_PARTITIONS ? (size_t)message->partition : 0)];
    return NULL;
}

/* An error event of the queue: the end of a partition, or something that does not go away. */
static bool take_event(struct run *run, const rd_kafka_message_t *message, struct error *error) {
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        struct part *part = part_of(run, message);
        if (part) close_part(run, part);
        return true;
    }
    if (message->err == RD_KAFKA_RESP_ERR__TRANSPORT || message->err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) return true;
    return error_set(error, "%s cannot be read: %s", message->rkt ? rd_kafka_topic_name(message->rkt) : "a topic", rd_kafka_message_errstr(message));
}

static bool take(struct run *run, rd_kafka_message_t *message, struct error *error) {
    if (message->err) return take_event(run, message, error);
    const struct scan *scan = run->scan;
    struct part *part = part_of(run, message);
    if (!part || run->enough || (!scan->follow && message->offset >= part->end)) {
        if (part) close_part(run, part);
        return true;
    }
    const struct kafka_record record = {
        .topic = scan->topics[part->topic_index], .topic_index = part->topic_index, .partition = part->partition, .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, NULL), .key = {message->key, message->key_len},
        .value = {message->payload, message->len}, .message = message};
    run->seen++;
    enum scan_step step = scan->visit(scan->context, &record, error);
    run->enough = step == SCAN_ENOUGH;
    if (!scan->follow && message->offset == part->end - 1) close_part(run, part);
    return step != SCAN_FAILED;
}

static bool read_all(struct run *run, struct error *error) {
    rd_kafka_message_t **messages = malloc(BATCH * sizeof *messages);
    if (!messages) return error_set(error, "out of memory");
    int64_t heard_ms = clock_monotonic_ms();
    bool ok = true;
    while (ok && !run->enough && (run->scan->follow || run->parts_open)) {
        ssize_t count = rd_kafka_consume_batch_queue(run->queue, BATCH_WAIT_MS, messages, BATCH);
        for (ssize_t i = 0; i < count; i++) {
            ok = ok && take(run, messages[i], error);
            rd_kafka_message_destroy(messages[i]);
        }
        if (run->scan->progress) progress_at(&run->progress, run->seen, run->seen);
        if (count > 0) {
            heard_ms = clock_monotonic_ms();
            client_reached(&run->events);
        } else if (!run->scan->follow && clock_monotonic_ms() - heard_ms > SILENCE_LIMIT_MS) {
            ok = error_set(error, "the broker at %s has sent nothing for %d s; look whether it runs", connection_brokers(run->scan->connection), SILENCE_LIMIT_MS / 1000);
        }
    }
    free(messages);
    return ok;
}

bool scan_run(const struct scan *scan, struct error *error) {
    struct run run = {.events = {.role = "consumer"}, .scan = scan};
    bool ok = start(&run, error) && read_all(&run, error);
    finish(&run);
    return ok;
}

struct slice record_header(const struct kafka_record *record, const char *name) {
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;
    if (rd_kafka_message_headers(record->message, &headers) || rd_kafka_header_get_last(headers, name, &value, &size)) return (struct slice){0};
    return (struct slice){value, size};
}

bool record_is_synthetic(const struct kafka_record *record) {
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;
    return !rd_kafka_message_headers(record->message, &headers) && !rd_kafka_header_get_last(headers, SYNTHETIC_HEADER, &value, &size);
}
