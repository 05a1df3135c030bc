/* generation_make: how a new generation of a changelog (common/runtime/generations.h) is made, for the commands that do it, kontor rekey and kontor state: its topic is created,
 * written, and read back by the command; then one transaction closes the generation before and names the new one. A run that is stopped before that transaction leaves a topic
 * behind that was never live; the next run takes another name, and `kontor rekey --drop-old` deletes it once a later one is live: one above the live one may be another run's.
 *
 * All such commands share one transactional id: a run fences one that was killed or is still at work. */
#ifndef KONTOR_CLI_GENERATION_MAKE_H
#define KONTOR_CLI_GENERATION_MAKE_H
#include "cli/connection.h"
#include "common/runtime/generations.h"

/* What the producer's call-backs are told; events first: the client's opaque. */
struct making_sending { struct client_events events; uint64_t failed; char why[200]; };

/* Does not move once it is open. */
struct making {
    const struct connection *connection;
    const struct topic_list *list;
    struct client_events admin_events;
    rd_kafka_t *admin;
    struct making_sending sending;
    rd_kafka_t *producer;
};

/* Says on standard error what is being done. */
void making_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A client to look with, and to make topics. What it is given must outlive it. making_close also after a failure. */
MUST_CHECK bool making_open(struct making *making, const struct connection *connection, const struct topic_list *list, struct error *error);
void making_close(struct making *making);

/* ---- topics ---- */
/* The number and name behind all that there are. */
void making_next(const struct rd_kafka_metadata *metadata, const char *processor, int live, struct generation *next);
/* kontor.generations, if there is none yet, and a changelog with as many copies as the live one has. Wait until every partition has a leader. */
MUST_CHECK bool making_generations_topic(struct making *making, const char *live_changelog, struct error *error);
MUST_CHECK bool making_changelog_topic(struct making *making, const char *processor, const char *live_changelog, const char *name, int32_t partitions, struct error *error);
MUST_CHECK bool making_delete(struct making *making, const char *topic, struct error *error);
/* Deletes the changelogs of a processor's generations before the live one, which never hold again unless somebody goes back. *count: how many. */
MUST_CHECK bool making_drop(struct making *making, const char *processor, int live, size_t *count, struct error *error);

/* ---- changelogs ---- */
uint64_t making_new_id(void);       /* for a changelog's header */
struct making_writer;
/* total: of records, for the progress line. */
MUST_CHECK bool making_writer_open(struct making_writer **writer, const struct making *making, const char *topic, int64_t total, struct error *error);
void making_writer_partition(struct making_writer *writer, int32_t partition);
MUST_CHECK bool making_writer_send(void *writer, struct slice key, struct slice value, struct error *error);
/* All that was sent is acknowledged. */
MUST_CHECK bool making_writer_flush(struct making_writer *writer, struct error *error);
void making_writer_close(struct making_writer *writer);

/* ---- the switch ---- */
/* The producer; what a run that was killed had begun is aborted now. */
MUST_CHECK bool making_producer(struct making *making, struct error *error);
MUST_CHECK bool making_begin(struct making *making, struct error *error);
/* Headers are the client's when it is true. value.data NULL: deletes. */
MUST_CHECK bool making_send(struct making *making, const char *topic, int32_t partition, struct slice key, struct slice value, int64_t timestamp_ms, rd_kafka_headers_t *headers, struct error *error);
/* The marks that close a generation, and the record that names the one that holds from then on. offsets: what the group had committed of each partition, as text, which the mark
 * carries for who wants to go back; NULL: there is no way back. */
MUST_CHECK bool making_close_generation(struct making *making, const char *processor, const char *closed, int32_t partitions, const struct generation *next, char *const *offsets,
                                        struct error *error);
MUST_CHECK bool making_offsets(struct making *making, const rd_kafka_topic_partition_list_t *offsets, const rd_kafka_consumer_group_metadata_t *group, struct error *error);
/* All that was sent in the transaction is acknowledged. */
MUST_CHECK bool making_flush(struct making *making, struct error *error);
/* Commits, or aborts when it was not ok so far; true: it is committed. */
MUST_CHECK bool making_end(struct making *making, bool ok, struct error *error);
#endif
