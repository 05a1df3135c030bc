#include "cli/divert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/transactions.h"
#include "common/platform/arena.h"
#include "common/platform/clock.h"

enum { DIVERTED_MAXIMUM = 64, NAME_SIZE = 256, BATCH_RECORDS = 5000, BATCH_MS = 1000, BATCH_MEMORY = 1 << 30, BATCH_BYTES = 32 << 20, APPEAR_MS = 30000, ID_SIZE = 300 };

struct divert {
    const struct connection *connection;
    struct { const char *topic; char name[NAME_SIZE]; int partitions; bool there; uint64_t count; } topics[DIVERTED_MAXIMUM];
    size_t topic_count;
    struct transactions *transactions;
    struct arena batch;
    char id[ID_SIZE];
    uint64_t records;
    int64_t begun_ms;
    bool open;
};

/* ---- the topics ---- */

static bool is_empty(rd_kafka_t *client, const char *topic, int partitions, struct error *error) {
    for (int32_t p = 0; p < partitions; p++) {
        int64_t low, high;
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(client, topic, p, &low, &high, KAFKA_TIMEOUT_MS);
        if (code) return error_set(error, "%s cannot be looked at: %s", topic, rd_kafka_err2str(code));
        if (high > low) return error_set(error, "%s is not empty: choose another prefix, or delete the topics of this one; nothing was written", topic);
    }
    return true;
}

static bool look(struct divert *divert, rd_kafka_t *client, struct error *error) {
    const struct rd_kafka_metadata *metadata;
    if (!connection_metadata(divert->connection, client, &metadata, error)) return false;
    bool ok = true;
    for (size_t i = 0; ok && i < divert->topic_count; i++) {
        const struct rd_kafka_metadata_topic *of = metadata_topic(metadata, divert->topics[i].topic), *there = metadata_topic(metadata, divert->topics[i].name);
        if (!of) ok = connection_no_topic(divert->connection, metadata, divert->topics[i].topic, error);
        if (ok) divert->topics[i].partitions = of->partition_cnt;
        divert->topics[i].there = there && there->partition_cnt > 0;
        if (ok && divert->topics[i].there) ok = is_empty(client, divert->topics[i].name, there->partition_cnt, error);
    }
    rd_kafka_metadata_destroy(metadata);
    return ok;
}

static bool make_missing(struct divert *divert, rd_kafka_t *client, struct error *error) {
    rd_kafka_NewTopic_t *wanted[DIVERTED_MAXIMUM];
    size_t count = 0, failures = 0;
    char why[256];
    bool ok = true;
    for (size_t i = 0; ok && i < divert->topic_count; i++) {
        if (divert->topics[i].there) continue;
        wanted[count] = rd_kafka_NewTopic_new(divert->topics[i].name, divert->topics[i].partitions, -1, why, sizeof why);
        ok = wanted[count] || error_set(error, "%s cannot be made: %s", divert->topics[i].name, why);
        if (wanted[count]) {
            rd_kafka_NewTopic_set_config(wanted[count], "retention.ms", "-1");
            rd_kafka_NewTopic_set_config(wanted[count], "max.message.bytes", "4194304");
            count++;
        }
    }
    if (ok && count) {
        rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
        rd_kafka_CreateTopics(client, wanted, count, NULL, queue);
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 4 * KAFKA_TIMEOUT_MS);
        size_t made = 0;
        const rd_kafka_topic_result_t **results = event && !rd_kafka_event_error(event) ? rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &made) : NULL;
        for (size_t i = 0; i < made; i++)
            if (rd_kafka_topic_result_error(results[i]) && !failures++)
                error_set(error, "%s cannot be made: %s", rd_kafka_topic_result_name(results[i]), rd_kafka_topic_result_error_string(results[i]));
        if (!made) error_set(error, "the topics cannot be made: %s", event ? rd_kafka_event_error_string(event) : "no answer; try again");
        ok = made && !failures;
        if (event) rd_kafka_event_destroy(event);
        rd_kafka_queue_destroy(queue);
    }
    rd_kafka_NewTopic_destroy_array(wanted, count);
    return ok;
}

/* Until each has its leaders. */
static bool wait_for_topics(struct divert *divert, rd_kafka_t *client, struct error *error) {
    const int64_t deadline_ms = clock_monotonic_ms() + APPEAR_MS;
    for (size_t ready = 0; ready < divert->topic_count;) {
        const struct rd_kafka_metadata *metadata;
        if (!connection_metadata(divert->connection, client, &metadata, error)) return false;
        ready = 0;
        for (size_t i = 0; i < divert->topic_count; i++) {
            const struct rd_kafka_metadata_topic *topic = metadata_topic(metadata, divert->topics[i].name);
            int led = 0;
            for (int p = 0; topic && p < topic->partition_cnt; p++) led += topic->partitions[p].leader >= 0;
            ready += topic && led && led == topic->partition_cnt;
        }
        rd_kafka_metadata_destroy(metadata);
        if (ready < divert->topic_count && clock_monotonic_ms() > deadline_ms) return error_set(error, "the topics have no leader yet; look at the broker's log");
        if (ready < divert->topic_count) rd_kafka_poll(client, 50);
    }
    return true;
}

static bool topics_make(struct divert *divert, struct error *error) {
    struct client_events events = {.role = "admin"};
    rd_kafka_t *client;
    if (!connection_client(divert->connection, RD_KAFKA_PRODUCER, NULL, NULL, &events, NULL, &events, &client, error)) return false;
    bool ok = look(divert, client, error) && make_missing(divert, client, error) && wait_for_topics(divert, client, error);
    rd_kafka_destroy(client);
    return ok;
}

/* ---- sending ---- */

bool divert_open(struct divert **result, const struct connection *connection, const char *prefix, const char *const *topics, size_t count, struct error *error) {
    struct divert *divert = calloc(1, sizeof *divert);
    if (!divert) return error_set(error, "out of memory");
    divert->connection = connection;
    arena_init(&divert->batch, 1 << 20, BATCH_MEMORY);
    snprintf(divert->id, sizeof divert->id, "kontor-cli.replay.%s", prefix);
    bool ok = count <= DIVERTED_MAXIMUM || error_set(error, "more than %d topics", DIVERTED_MAXIMUM);
    for (size_t i = 0; ok && i < count; i++) {
        divert->topics[i].topic = topics[i];
        ok = snprintf(divert->topics[i].name, NAME_SIZE, "%s%s", prefix, topics[i]) < NAME_SIZE || error_set(error, "the prefix is too long");
        divert->topic_count++;
    }
    if (ok && topics_make(divert, error) && transactions_open(&divert->transactions, &connection->settings, divert->id, error) && transactions_ready(divert->transactions, error)) {
        *result = divert;
        return true;
    }
    divert_close(divert);
    return false;
}

void divert_close(struct divert *divert) {
    if (!divert) return;
    transactions_close(divert->transactions);
    arena_free(&divert->batch);
    free(divert);
}

bool divert_end(struct divert *divert, struct error *error) {
    if (!divert->open) return true;
    divert->open = false;
    divert->records = 0;
    bool ok = transactions_commit(divert->transactions, error);
    arena_reset(&divert->batch);
    return ok || error_prefix(error, "the topics of the prefix are not complete; delete them and begin again");
}

static struct slice copy(struct divert *divert, struct slice bytes, bool *ok) {
    const char *made = bytes.data ? arena_copy(&divert->batch, bytes.data, bytes.length) : NULL;
    *ok = *ok && (made || !bytes.data);
    return (struct slice){made, made ? bytes.length : 0};
}

bool divert_send(struct divert *divert, const struct engine_output *output, struct error *error) {
    size_t at = 0;
    while (at < divert->topic_count && strcmp(divert->topics[at].topic, output->topic) != 0) at++;
    if (at == divert->topic_count) return true;
    if (!divert->open && !transactions_begin(divert->transactions, error)) return false;
    if (!divert->open) divert->begun_ms = clock_monotonic_ms();
    divert->open = true;
    bool ok = true;
    struct engine_output sent = {.topic = divert->topics[at].name, .partition = -1, .key = copy(divert, output->key, &ok), .value = copy(divert, output->value, &ok),
                                 .timestamp_ms = output->timestamp_ms, .headers = output->headers, .header_count = output->header_count};
    if (!ok) return error_set(error, "out of memory");
    if (!transactions_send(divert->transactions, &sent, error)) return error_prefix(error, "the topics of the prefix are not complete; delete them and begin again");
    divert->topics[at].count++;
    const bool full = ++divert->records == BATCH_RECORDS || arena_used(&divert->batch) > BATCH_BYTES || clock_monotonic_ms() - divert->begun_ms > BATCH_MS;
    return !full || divert_end(divert, error);
}

uint64_t divert_count(const struct divert *divert, const char *topic) {
    for (size_t i = 0; i < divert->topic_count; i++)
        if (strcmp(divert->topics[i].topic, topic) == 0) return divert->topics[i].count;
    return 0;
}
