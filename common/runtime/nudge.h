/* nudge: wakes the threads of librdkafka that fetch. When all queues that a broker fills are full, librdkafka 2.0.2 puts its thread to sleep for up to a second, however soon
 * they are drained. Any request wakes it: the ends of partitions that are drained are asked for, and nobody cares for the answer. */
#ifndef KONTOR_RUNTIME_NUDGE_H
#define KONTOR_RUNTIME_NUDGE_H
#include <librdkafka/rdkafka.h>
#include <stdint.h>

struct nudge {
    rd_kafka_topic_partition_list_t *drained;
    int64_t sent_ms;
};

void nudge_open(struct nudge *nudge);
void nudge_close(struct nudge *nudge);
/* That partition's queue is being drained; beyond the sixteenth between two requests nothing is noted. */
void nudge_note(struct nudge *nudge, const char *topic, int32_t partition);
/* For what was noted, at most every ten milliseconds; takes one. */
void nudge_send(struct nudge *nudge, rd_kafka_t *client);
#endif
