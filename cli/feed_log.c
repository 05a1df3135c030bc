#include "cli/feed_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/platform/clock.h"
#include "common/tables/master.h"

enum { KEPT_MEMORY = 1 << 30, KEY_SIZE = 1024, BEGIN_MS = 60000 /* a broker that has just started makes the topic of its transactions first */ };
static const char log_topic[] = "master.log";
static char of_the_log;     /* its address is the opaque of its records */

const char *feed_log_table(const char *topic) {
    for (size_t i = 0; i < MASTER_COUNT && strncmp(topic, "master.", 7) == 0; i++)
        if (strcmp(topic + 7, master_tables[i].name) == 0) return master_tables[i].name;
    return NULL;
}

static bool refused(struct error *error, const char *what, rd_kafka_error_t *why) {
    const bool fenced = rd_kafka_error_code(why) == RD_KAFKA_RESP_ERR__FENCED || rd_kafka_error_code(why) == RD_KAFKA_RESP_ERR_PRODUCER_FENCED;
    error_set(error, "%s: %s%s", what, rd_kafka_error_string(why),
              fenced ? "; another load of the same table has begun, or this one stood still for too long: run it again" : "; what was not confirmed is in no topic: run it again");
    rd_kafka_error_destroy(why);
    return false;
}

bool feed_log_open(struct feed_log *log, const struct connection *connection, rd_kafka_t *client, const char *table, struct error *error) {
    const struct rd_kafka_metadata *metadata;
    *log = (struct feed_log){.client = client, .table = table};
    arena_init(&log->kept, 1 << 20, KEPT_MEMORY);
    if (!connection_metadata(connection, client, &metadata, error)) return false;
    const bool there = metadata_topic(metadata, log_topic);
    rd_kafka_metadata_destroy(metadata);
    if (!there) return error_set(error, "there is no topic %s, which keeps every version of a master record; kontor topics apply creates it", log_topic);
    log->topic = rd_kafka_topic_new(client, log_topic, NULL);
    if (!log->topic) return error_set(error, "%s: %s", log_topic, rd_kafka_err2str(rd_kafka_last_error()));
    rd_kafka_error_t *why = rd_kafka_init_transactions(client, BEGIN_MS);
    return !why || refused(error, "transactions cannot be begun", why);
}

void feed_log_close(struct feed_log *log) {
    if (log->began_ms) {
        rd_kafka_error_t *why = rd_kafka_abort_transaction(log->client, KAFKA_TIMEOUT_MS);
        if (why) rd_kafka_error_destroy(why);
    }
    if (log->topic) rd_kafka_topic_destroy(log->topic);
    arena_free(&log->kept);
    log->topic = NULL;
    log->began_ms = 0;
}

bool feed_log_add(struct feed_log *log, struct slice key, struct slice value, void **opaque, struct error *error) {
    if (!log->began_ms) {
        rd_kafka_error_t *why = rd_kafka_begin_transaction(log->client);
        if (why) return refused(error, "a transaction cannot be begun", why);
        log->began_ms = clock_monotonic_ms();
    }
    struct logged *logged = &log->items[log->count];
    *logged = (struct logged){.offset = -1, .key = {arena_copy(&log->kept, key.data ? key.data : "", key.length), key.length},
                              .value = {value.data ? arena_copy(&log->kept, value.data, value.length) : NULL, value.length}};
    if (!logged->key.data || (value.data && !logged->value.data)) return error_set(error, "out of memory");
    log->count++;
    *opaque = logged;
    return true;
}

bool feed_log_told(struct feed_log *log, const rd_kafka_message_t *message) {
    if (message->_private == &of_the_log) return false;
    struct logged *logged = message->_private;
    if (log->table && logged && !message->err) logged->offset = message->offset;
    return true;
}

bool feed_log_due(const struct feed_log *log) {
    return log->began_ms && (log->count == FEED_LOG_RECORDS || clock_monotonic_ms() - log->began_ms >= FEED_LOG_MS);
}

static bool log_one(struct feed_log *log, const struct logged *logged, struct error *error) {
    char key[KEY_SIZE], offset[24];
    int length = snprintf(key, sizeof key, "%s|" SLICE_FORMAT, log->table, SLICE_ARGUMENT(logged->key));
    if (length >= (int)sizeof key) return error_set(error, "a key of %zu bytes is none of a master table", logged->key.length);
    snprintf(offset, sizeof offset, "%" PRId64, logged->offset);
    rd_kafka_resp_err_t code;
    do {
        code = rd_kafka_producev(log->client, RD_KAFKA_V_RKT(log->topic), RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                 RD_KAFKA_V_KEY(key, (size_t)length), RD_KAFKA_V_VALUE((void *)(uintptr_t)logged->value.data, logged->value.length),
                                 RD_KAFKA_V_HEADER("kontor-offset", offset, (ssize_t)strlen(offset)), RD_KAFKA_V_OPAQUE(&of_the_log), RD_KAFKA_V_END);
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) rd_kafka_poll(log->client, 50);
    } while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL);
    return !code || error_set(error, "%s: %s", log_topic, rd_kafka_err2str(code));
}

bool feed_log_commit(struct feed_log *log, struct error *error) {
    if (!log->began_ms) return true;
    rd_kafka_resp_err_t code = rd_kafka_flush(log->client, FEED_LOG_TIMEOUT_MS);
    if (code) return error_set(error, "the broker has not confirmed what was sent for %d s: %s; what is not committed is in no topic: run it again", FEED_LOG_TIMEOUT_MS / 1000, rd_kafka_err2str(code));
    for (size_t i = 0; i < log->count; i++) {
        if (log->items[i].offset < 0) return error_set(error, "the broker has not taken a record of the table; what is not committed is in no topic: run it again");
        if (!log_one(log, &log->items[i], error)) return false;
    }
    rd_kafka_error_t *why = rd_kafka_commit_transaction(log->client, KAFKA_TIMEOUT_MS);
    if (why) return refused(error, "the transaction is not confirmed", why);
    log->count = 0;
    log->began_ms = 0;
    arena_reset(&log->kept);
    return true;
}
