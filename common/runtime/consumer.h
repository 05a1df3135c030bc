/* consumer: the instance's member of the processor's group, with one queue for each partition, so that the loop can take records of a task in the order
 * that it wants.
 *
 * Eager rebalancing with the `range` assignor: inputs with equal partition counts get equal partitions, which is checked at every assignment. A static
 * member (group.instance.id): a restart within the session time-out moves nothing. Partitions start where the group's stable committed offsets say, and
 * at the beginning only where the group has never committed. Nothing is ever paused; what librdkafka has fetched ahead is bounded instead.
 *
 * Rebalances happen in consumer_poll only, which the loop calls with no transaction open. One thread. */
#ifndef KONTOR_RUNTIME_CONSUMER_H
#define KONTOR_RUNTIME_CONSUMER_H
#include <stdint.h>

#include "common/runtime/client.h"
#include "common/runtime/ends.h"
#include "common/runtime/failure.h"

struct consumer;

struct consumer_options {
    const struct client_settings *settings;
    const char *group, *instance;
    const char *const *topics;              /* the inputs, in order */
    size_t topic_count;
    int32_t partition_count;                /* of each of them */
    int session_timeout_ms;
    int wake;                               /* an eventfd, written to whenever there may be something to do */
    struct ends *ends;                      /* of the same topics and partitions, told which are owned; NULL: only what was fetched is known of them */
};

/* Joins the group in the background. What options point to must outlive the consumer. */
MUST_CHECK bool consumer_open(struct consumer **consumer, const struct consumer_options *options, struct error *error);
/* leave: give the place in the group up, for good; otherwise it is kept until the session times out. timeout_ms bounds the leaving. NULL is let be. */
void consumer_close(struct consumer *consumer, bool leave, int timeout_ms);

/* What a poll brought. Revoked: nothing is owned any more, whatever follows. Assigned: what consumer_owns says is owned, and starts at the group's offsets. */
struct consumer_change { bool revoked, assigned; };
/* STEP_ABORT never. STEP_FATAL: another instance has this name, offsets are gone from the log, the inputs' partitions were not assigned together. */
MUST_CHECK enum step consumer_poll(struct consumer *consumer, struct consumer_change *change, struct fatal_cause *fatal);
bool consumer_owns(const struct consumer *consumer, int32_t partition);
/* Whether the group has given this member its partitions, which may be none. */
bool consumer_is_assigned(const struct consumer *consumer);
/* What is waited for, "" when for nothing. */
const char *consumer_reason(const struct consumer *consumer);

/* The group's metadata for a transaction, freed by the caller; NULL when a rebalance has begun since the assignment: poll and do not begin. */
rd_kafka_consumer_group_metadata_t *consumer_group(struct consumer *consumer);

/* Forgets what was taken and not committed: every partition goes back to the group's committed offsets, read anew. False: the broker did not answer, call
 * again. timeout_ms bounds it. */
MUST_CHECK bool consumer_rewind(struct consumer *consumer, int timeout_ms);

/* Commits offsets without a transaction, and waits for the answer: at least once, for a test build that measures the difference. */
MUST_CHECK enum step consumer_commit(struct consumer *consumer, const rd_kafka_topic_partition_list_t *offsets, struct abort_cause *abort);

enum consumer_head {
    HEAD_RECORD,
    HEAD_END,       /* the partition is read to its end: do not wait for it */
    HEAD_WAIT       /* the broker has, or may have, more */
};
/* The next record of an input's partition; it stays the consumer's until consumer_take. */
enum consumer_head consumer_head(struct consumer *consumer, int input, int32_t partition, const rd_kafka_message_t **message);
/* Takes that record: the caller frees it with rd_kafka_message_destroy. */
rd_kafka_message_t *consumer_take(struct consumer *consumer, int input, int32_t partition);
/* The offset that comes next, to be committed; -1 when nothing is known: the group never committed and nothing was taken. */
int64_t consumer_position(const struct consumer *consumer, int input, int32_t partition);

/* Records behind the position, summed over the owned partitions of an input, by the newest of what was fetched and what was asked (ends.h); one for each partition of
 * which the broker has not told yet, and one before the first assignment: 0 means caught up. */
int64_t consumer_lag(struct consumer *consumer, int input);

const struct client_statistics *consumer_statistics(const struct consumer *consumer);
#endif
