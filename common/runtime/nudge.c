#include "common/runtime/nudge.h"

#include "common/platform/clock.h"

enum { EVERY_MS = 10, PARTITIONS = 16 };

void nudge_open(struct nudge *nudge) { *nudge = (struct nudge){rd_kafka_topic_partition_list_new(PARTITIONS), 0}; }

void nudge_close(struct nudge *nudge) {
    if (nudge->drained) rd_kafka_topic_partition_list_destroy(nudge->drained);
    nudge->drained = NULL;
}

void nudge_note(struct nudge *nudge, const char *topic, int32_t partition) {
    if (nudge->drained->cnt >= PARTITIONS || rd_kafka_topic_partition_list_find(nudge->drained, topic, partition)) return;
    rd_kafka_topic_partition_list_add(nudge->drained, topic, partition)->offset = RD_KAFKA_OFFSET_END;
}

void nudge_send(struct nudge *nudge, rd_kafka_t *client) {
    int64_t now = clock_monotonic_ms();
    if (nudge->drained->cnt == 0 || now - nudge->sent_ms < EVERY_MS) return;
    rd_kafka_offsets_for_times(client, nudge->drained, 1);
    nudge_close(nudge);
    nudge_open(nudge);
    nudge->sent_ms = now;
}
