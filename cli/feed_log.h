/* feed_log: every version of a master record on master.log, in the same transaction as on its table's topic, so that a replay can use the records of then although the
 * table's topic is compacted.
 *
 * A record of master.log has the key <table>|<key>, the same value, and the header kontor-offset: its offset on master.<table>. Transactions are short: at most
 * FEED_LOG_RECORDS and FEED_LOG_MS; feed.c sends the records, tells their deliveries and asks for the commit. */
#ifndef KONTOR_CLI_FEED_LOG_H
#define KONTOR_CLI_FEED_LOG_H
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/connection.h"
#include "common/platform/arena.h"
#include "common/platform/slice.h"

enum { FEED_LOG_RECORDS = 5000, FEED_LOG_MS = 2000, FEED_LOG_TIMEOUT_MS = 15000 /* of a transaction */ };

/* offset -1: not delivered yet. */
struct logged { int64_t offset; struct slice key, value; };
struct feed_log {
    rd_kafka_t *client;
    rd_kafka_topic_t *topic;    /* master.log */
    const char *table;          /* NULL: nothing is logged */
    struct arena kept;
    struct logged items[FEED_LOG_RECORDS];
    size_t count;
    int64_t began_ms;
};

/* The table of a topic master.<table>; NULL: none of ours. */
const char *feed_log_table(const char *topic);
/* client: transactional. */
MUST_CHECK bool feed_log_open(struct feed_log *log, const struct connection *connection, rd_kafka_t *client, const char *table, struct error *error);
void feed_log_close(struct feed_log *log);
/* Keeps a record that is about to be sent; *opaque goes with it. Begins a transaction where none is open. */
MUST_CHECK bool feed_log_add(struct feed_log *log, struct slice key, struct slice value, void **opaque, struct error *error);
/* A delivery report. False: it was of master.log itself. */
bool feed_log_told(struct feed_log *log, const rd_kafka_message_t *message);
/* Whether the transaction should end now. */
bool feed_log_due(const struct feed_log *log);
/* Waits for the records, writes them to the log and commits. Nothing happens when none is open. */
MUST_CHECK bool feed_log_commit(struct feed_log *log, struct error *error);
#endif
