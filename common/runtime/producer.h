/* producer: the transactional producer of an instance, safe against the late request.
 *
 * librdkafka before KIP-890 has a hole: a request of one transaction that hangs in the network, while librdkafka repeats it on a new connection, can act
 * on the next transaction: records doubled, or lost with the offsets advanced and every call answering ok, or offsets set back. What closes it: we watch
 * requests leave and end (interceptors). One that can act on a transaction and ended without an answer, a Produce still under way, or any failed call puts
 * the producer in doubt; a producer in doubt is destroyed and made again, with the same transactional.id, before the next transaction begins. The new one's
 * init_transactions raises the epoch, and the broker refuses whatever lingers. There is one send-offsets a transaction, and every wait is finite.
 *
 * A cycle: producer_prepare until PRODUCER_READY; producer_begin; producer_send; producer_send_offsets once; producer_commit. After STEP_ABORT from any of
 * them, or a commit that is not COMMIT_DONE, producer_discard; then read the group's committed offsets: only they say what became of the transaction.
 *
 * Values of records are not copied: they must live until producer_commit answered COMMIT_DONE or producer_discard has returned. One thread. */
#ifndef KONTOR_RUNTIME_PRODUCER_H
#define KONTOR_RUNTIME_PRODUCER_H
#include <stdint.h>

#include "common/platform/slice.h"
#include "common/runtime/client.h"
#include "common/runtime/engine.h"
#include "common/runtime/failure.h"

struct producer;

/* The broker's time-out for a transaction, in milliseconds: a dead producer blocks read_committed readers for that long. */
enum { PRODUCER_TRANSACTION_TIMEOUT_MAXIMUM_MS = 15000 };

struct producer_options {
    const struct client_settings *settings;
    const char *transactional_id;
    int transaction_timeout_ms;             /* at most PRODUCER_TRANSACTION_TIMEOUT_MAXIMUM_MS */
    int call_timeout_ms;                    /* the longest that one call waits for the broker */
    const char *compression;                /* librdkafka's compression.type */
    const char *const *topics;              /* outputs: their metadata is fetched before the first record, not with it */
    size_t topic_count;
    bool (*hurried)(void);                  /* asked while waiting: true gives up, for a process that must end; NULL: never */
    bool at_least_once;                     /* no transactions: what they cost is measured against it. Only a test build can be told so (settings.c) */
};

/* Makes the client; needs no broker. options are copied, what they point to must outlive the producer. */
MUST_CHECK bool producer_open(struct producer **producer, const struct producer_options *options, struct error *error);
/* Aborts what is open, as far as that is quick, and frees. NULL is let be. */
void producer_close(struct producer *producer);

enum producer_state {
    PRODUCER_READY,     /* producer_begin may be called */
    PRODUCER_WAITING,   /* not yet: the broker is away or asks for patience; call again. producer_reason says why */
    PRODUCER_FAILED     /* stop: fenced again and again, not authorised */
};
/* Waits at most timeout_ms, a little longer when the producer has to be renewed. */
enum producer_state producer_prepare(struct producer *producer, int timeout_ms, struct fatal_cause *fatal);
const char *producer_reason(const struct producer *producer);

/* Where the last record of a kind (a task's changelog) came to lie. Set both to -1 before the batch. */
struct delivery { int64_t offset, broker_time_ms; };

MUST_CHECK enum step producer_begin(struct producer *producer, struct abort_cause *abort);
/* delivery: NULL, or what is told the record's offset; lives as long as the values. A full queue is waited for. */
MUST_CHECK enum step producer_send(struct producer *producer, const struct engine_output *output, struct delivery *delivery, struct abort_cause *abort);
/* Once a transaction, with at least one offset: the position that comes next, of every input partition of every task that has taken part. */
MUST_CHECK enum step producer_send_offsets(struct producer *producer, const rd_kafka_topic_partition_list_t *offsets,
                                           const rd_kafka_consumer_group_metadata_t *group, struct abort_cause *abort);
enum commit_outcome {
    COMMIT_DONE,        /* committed, and every delivery has its offset */
    COMMIT_ABORTED,     /* surely not committed: no commit request left */
    COMMIT_UNKNOWN      /* it may have been committed, or it was but an offset is missing */
};
/* At least once: waits until every record is delivered; the offsets are the consumer's to commit then (consumer_commit). */
enum commit_outcome producer_commit(struct producer *producer, struct abort_cause *cause);
/* Ends the transaction and the client: what was given to producer_send is free afterwards. producer_prepare makes a new one. */
void producer_discard(struct producer *producer);

struct producer_counts { int64_t committed, discarded, renewed, unknown; };
struct producer_counts producer_counts(const struct producer *producer);

const struct client_statistics *producer_statistics(const struct producer *producer);
#endif
