#include "cli/feed.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/feed_log.h"
#include "cli/lines.h"
#include "cli/progress.h"
#include "cli/record_line.h"
#include "common/codec/layout.h"
#include "common/platform/clock.h"

enum { POLL_EVERY = 256, SILENCE_LIMIT_MS = 60000, BAD_LINES_TOLD = 20 };

static const struct client_property usual[] = {
    {"client.id", "kontor-cli"},      {"socket.nagle.disable", "true"},           {"linger.ms", "10"},
    {"batch.size", "1000000"},        {"batch.num.messages", "100000"},           {"queue.buffering.max.messages", "500000"},
    {"message.timeout.ms", "120000"}, {"queue.buffering.max.kbytes", "262144"},   {NULL, NULL},
};
#define FIXED {"enable.idempotence", "true"}, {"acks", "all"}, {"partitioner", "murmur2_random"}

struct feed {
    struct client_events events;        /* first: client.h */
    const struct feed_options *options;
    struct feed_result *result;
    rd_kafka_t *client;
    rd_kafka_topic_t *topic;
    const struct codec_type *parsed;    /* the registry's schema, when it is not ours */
    struct record_maker maker;
    struct lines lines;
    struct feed_log log;                /* of a master table */
    struct progress progress;
    int64_t delivered, refused, started_ms;
    struct error first_refusal;
};

static void take_report(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
    (void)client;
    struct feed *feed = opaque;
    const bool counts = feed_log_told(&feed->log, message);
    if (!message->err) {
        feed->delivered += counts;
        return;
    }
    if (!feed->refused++) error_set(&feed->first_refusal, "%s", rd_kafka_err2str(message->err));
}

static void set_report(rd_kafka_conf_t *conf, void *opaque) {
    (void)opaque;
    rd_kafka_conf_set_dr_msg_cb(conf, take_report);
}

/* Our own schema when the registry has it for this topic, else the newest that it has. */
static bool choose_schema(const struct connection *connection, struct feed *feed, struct error *error) {
    const struct feed_options *options = feed->options;
    const char *const *key = options->declared && options->declared->key[0] ? options->declared->key : NULL;
    if (options->raw) return record_maker_open(&feed->maker, NULL, 0, NULL, error);
    char subject[SUBJECT_SIZE];
    uint32_t id = 0;
    subject_of(options->topic, subject);
    const struct codec_type *own = options->declared ? options->declared->type : NULL, *type = NULL;
    struct registry *registry = connection_registry(connection, error);
    if (!registry) return false;
    enum registry_result result = own ? registry_lookup_id(registry, subject, own->schema, &id, error) : REGISTRY_UNKNOWN;
    if (result == REGISTRY_FOUND) type = own;
    struct slice schema;
    if (result == REGISTRY_UNKNOWN) {
        result = registry_latest(registry, subject, &id, &schema, error);
        if (result == REGISTRY_FOUND) type = feed->parsed = codec_type_parse(schema.data, error);
    }
    if (result == REGISTRY_UNKNOWN) error_set(error, "the registry has no schema for %s; kontor schemas register puts kontor's there, --raw sends bytes as they are", subject);
    registry_free(registry);
    return type && record_maker_open(&feed->maker, type, id, key, error);
}

static bool find_topic(const struct connection *connection, struct feed *feed, struct error *error) {
    const struct rd_kafka_metadata *metadata;
    const char *table = feed_log_table(feed->options->topic);
    char id[256];
    snprintf(id, sizeof id, "kontor-cli.%s", feed->options->topic);
    const struct client_property plain[] = {FIXED, {NULL, NULL}};
    const struct client_property transactional[] = {FIXED, {"transactional.id", id}, {"transaction.timeout.ms", "15000"}, {"message.timeout.ms", "15000"}, {NULL, NULL}},
                                 *fixed = table ? transactional : plain;
    if (!connection_client(connection, RD_KAFKA_PRODUCER, usual, fixed, &feed->events, set_report, feed, &feed->client, error) ||
        !connection_metadata(connection, feed->client, &metadata, error))
        return false;
    const struct rd_kafka_metadata_topic *topic = metadata_topic(metadata, feed->options->topic);
    int partitions = topic ? topic->partition_cnt : 0;
    if (!partitions) connection_no_topic(connection, metadata, feed->options->topic, error);
    rd_kafka_metadata_destroy(metadata);
    if (!partitions) return false;
    if (feed->options->partition >= partitions)
        return error_set(error, "%s has the partitions 0 to %d, not %" PRId32, feed->options->topic, partitions - 1, feed->options->partition);
    feed->topic = rd_kafka_topic_new(feed->client, feed->options->topic, NULL);
    if (!feed->topic) return error_set(error, "%s: %s", feed->options->topic, rd_kafka_err2str(rd_kafka_last_error()));
    return !table || feed_log_open(&feed->log, connection, feed->client, table, error);
}

/* Hands the record that was made to the producer; waits while its queue is full. */
static bool send_record(struct feed *feed, struct error *error) {
    struct record_maker *maker = &feed->maker;
    void *opaque = NULL;
    if (feed->log.table && !feed_log_add(&feed->log, buffer_slice(&maker->key_bytes), maker->has_value ? buffer_slice(&maker->value_bytes) : (struct slice){0}, &opaque, error)) return false;
    for (;;) {
        rd_kafka_vu_t parts[8] = {
            {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = feed->topic},
            {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = feed->options->partition},
            {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
            {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {maker->has_key ? (maker->key_bytes.length ? maker->key_bytes.data : "") : NULL, maker->key_bytes.length}},
            {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {maker->has_value ? (maker->value_bytes.length ? maker->value_bytes.data : "") : NULL, maker->value_bytes.length}},
            {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = maker->timestamp_ms},
            {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = opaque},
            {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = maker->headers},
        };
        rd_kafka_error_t *refused = rd_kafka_produceva(feed->client, parts, maker->headers ? 8 : 7);
        if (!refused) {
            maker->headers = NULL;
            feed->result->sent++;
            return true;
        }
        rd_kafka_resp_err_t code = rd_kafka_error_code(refused);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) error_set(error, "it cannot be sent: %s", rd_kafka_error_string(refused));
        rd_kafka_error_destroy(refused);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            if (feed->log.table) feed->log.count--;     /* it is in neither topic */
            return false;
        }
        rd_kafka_poll(feed->client, 50);
        if (feed->refused) return true; /* told at the end */
    }
}

/* Sleeps until the record that comes next is due. */
static void keep_rate(struct feed *feed) {
    if (!feed->options->rate) return;
    for (;;) {
        int64_t due_ms = feed->started_ms + feed->result->sent * 1000 / feed->options->rate, wait_ms = due_ms - clock_monotonic_ms();
        if (wait_ms <= 0) return;
        rd_kafka_poll(feed->client, (int)(wait_ms < 100 ? wait_ms : 100));
    }
}

/* A line that cannot be sent: false ends the feed. */
static bool bad_line(struct feed *feed, const struct error *why, struct error *error) {
    feed->result->bad++;
    if (!feed->options->keep_going)
        return error_set(error, "%s: line %" PRId64 ": %s; mend it, or pass it over with --keep-going", feed->lines.name, feed->lines.number, why->text);
    if (feed->result->bad <= BAD_LINES_TOLD) {
        progress_end(&feed->progress);
        fprintf(stderr, "kontor: %s: line %" PRId64 ": %s\n", feed->lines.name, feed->lines.number, why->text);
    }
    return true;
}

/* Ends the transaction of a master table when it is time, and before the next line is waited for. */
static bool log_in_time(struct feed *feed, struct error *error) {
    const struct lines *lines = &feed->lines;
    const bool waits = !lines->size && !lines->ended && !memchr(lines->bytes.data ? lines->bytes.data + lines->at : "", '\n', lines->bytes.length - lines->at);
    return !feed->log.table || !(waits || feed_log_due(&feed->log)) || feed_log_commit(&feed->log, error);
}

static bool send_lines(struct feed *feed, struct error *error) {
    const struct feed_options *options = feed->options;
    struct slice line;
    enum lines_result step = LINES_GIVEN;
    progress_start(&feed->progress, "sending", feed->lines.size);
    feed->started_ms = clock_monotonic_ms();
    while ((!options->limit || feed->result->lines < options->limit) && !feed->refused && (step = lines_next(&feed->lines, &line, error)) == LINES_GIVEN) {
        struct error why;
        feed->result->lines++;
        keep_rate(feed);
        if (!record_make(&feed->maker, line, &why) ? !bad_line(feed, &why, error) : !send_record(feed, &why) && !bad_line(feed, &why, error)) return false;
        if (!log_in_time(feed, error)) return false;
        if (feed->result->lines % POLL_EVERY == 0) {
            rd_kafka_poll(feed->client, 0);
            progress_at(&feed->progress, feed->lines.read, feed->result->lines);
        }
    }
    return step != LINES_FAILED;
}

/* Waits until every record is acknowledged or given up. */
static bool wait_for_reports(struct feed *feed, struct error *error) {
    int64_t waited_ms = clock_monotonic_ms(), known = -1;
    if (feed->log.table && !feed->refused && !feed_log_commit(&feed->log, error)) return false;
    while (rd_kafka_outq_len(feed->client) > 0) {
        rd_kafka_flush(feed->client, 200);
        if (feed->delivered + feed->refused != known) {
            known = feed->delivered + feed->refused;
            waited_ms = clock_monotonic_ms();
        } else if (clock_monotonic_ms() - waited_ms > SILENCE_LIMIT_MS) {
            return error_set(error, "%" PRId64 " records were sent and %" PRId64 " acknowledged; the broker is silent. Look at it, then compare with kontor consume",
                             feed->result->sent, feed->delivered);
        }
    }
    if (!feed->refused) return true;
    return error_set(error, "%" PRId64 " of %" PRId64 " records were not taken: %s", feed->refused, feed->result->sent, feed->first_refusal.text);
}

static void close_feed(struct feed *feed) {
    progress_end(&feed->progress);
    feed_log_close(&feed->log);
    if (feed->topic) rd_kafka_topic_destroy(feed->topic);
    if (feed->client) {
        rd_kafka_purge(feed->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(feed->client, 1000);
        rd_kafka_destroy(feed->client);
    }
    record_maker_close(&feed->maker);
    if (feed->parsed) codec_type_free(feed->parsed);
    lines_close(&feed->lines);
}

static bool open_lines(struct feed *feed, struct error *error) {
    const struct feed_options *options = feed->options;
    return options->text.data ? lines_open_text(&feed->lines, options->text, options->path, error) : lines_open(&feed->lines, options->path, error);
}

bool feed_run(const struct connection *connection, const struct feed_options *options, struct feed_result *result, struct error *error) {
    struct feed *feed = calloc(1, sizeof *feed);
    struct error late;
    *result = (struct feed_result){0};
    if (!feed) return error_set(error, "out of memory");
    feed->events.role = "producer";
    feed->options = options;
    feed->result = result;
    bool ok = open_lines(feed, error) && find_topic(connection, feed, error) && choose_schema(connection, feed, error);
    bool started = ok;
    ok = ok && send_lines(feed, error);
    /* What was sent before a bad line is there: wait for it too. */
    if (started && !wait_for_reports(feed, ok ? error : &late)) ok = false;
    result->sent = feed->delivered;
    close_feed(feed);
    free(feed);
    return ok;
}
