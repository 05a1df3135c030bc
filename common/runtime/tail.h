/* tail: reads whole partitions outside of the group, from a known offset to their end and on: changelogs and master tables.
 *
 * Two clients. One reads committed records only. The other, read_uncommitted, is asked for ends: to a read_committed client a log ends at its first open
 * transaction, and a task that believed it would miss its predecessor's last batch. One thread. */
#ifndef KONTOR_RUNTIME_TAIL_H
#define KONTOR_RUNTIME_TAIL_H
#include <stdint.h>

#include "common/runtime/client.h"

struct tail;
/* Partitions that are read together. */
struct tail_queue;

/* wake: an eventfd, written to when there is something to read. */
MUST_CHECK bool tail_open(struct tail **tail, const struct client_settings *settings, int wake, struct error *error);
void tail_close(struct tail *tail);
/* The client for metadata and configurations. */
rd_kafka_t *tail_client(struct tail *tail);

/* Where a partition's log starts and ends, open transactions included. False: no answer within timeout_ms. */
MUST_CHECK bool tail_bounds(struct tail *tail, const char *topic, int32_t partition, int timeout_ms, int64_t *low, int64_t *high, struct error *error);

MUST_CHECK bool tail_queue_open(struct tail *tail, struct tail_queue **queue, struct error *error);
void tail_queue_close(struct tail_queue *queue);
MUST_CHECK bool tail_start(struct tail_queue *queue, const char *topic, int32_t partition, int64_t offset, struct error *error);
void tail_stop(struct tail_queue *queue, const char *topic, int32_t partition);
/* What is there, at most `capacity`: records, ends of partitions (err RD_KAFKA_RESP_ERR__PARTITION_EOF, offset the next one) and errors. The caller
 * frees them. */
size_t tail_read(struct tail_queue *queue, rd_kafka_message_t **messages, size_t capacity);
#endif
