#include "tests/e2e/loop/counter_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/plan.h"
#include "common/codec/wire.h"
#include "schemas/acknowledgment.h"
#include "schemas/count_copy.h"

void must(bool fine, const char *what, const char *why) {
    if (fine) return;
    fprintf(stderr, "counter_tool: %s: %s\n", what, why);
    exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char why[256];
    must(rd_kafka_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK, name, why);
}

rd_kafka_t *reader_open(const char *brokers, const char *topic, int *count, bool at_end) {
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", brokers);
    set(conf, "group.id", "kontor.counter.check");
    set(conf, "isolation.level", "read_committed");
    set(conf, "enable.partition.eof", "true");
    set(conf, "enable.auto.commit", "false");
    set(conf, "socket.nagle.disable", "true");
    set(conf, "fetch.wait.max.ms", "50");
    rd_kafka_t *reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    must(reader, "consumer", why);
    rd_kafka_poll_set_consumer(reader);
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(reader, topic, NULL);
    rd_kafka_resp_err_t err = rd_kafka_metadata(reader, 0, handle, &metadata, 10000);
    must(!err, topic, rd_kafka_err2str(err));
    *count = metadata->topics[0].partition_cnt;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(*count);
    for (int p = 0; p < *count; p++) rd_kafka_topic_partition_list_add(list, topic, p)->offset = at_end ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(reader, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    return reader;
}

struct found { uint8_t *copies, *acknowledgments; int32_t *counts; int64_t events, strange; };

static int64_t number_of(struct slice event_id) { return event_id.length > 1 && event_id.data[0] == 'E' ? strtoll(event_id.data + 1, NULL, 10) : -1; }

static void take(struct found *found, bool copy, const struct codec_plan *plan, struct arena *arena, const rd_kafka_message_t *message) {
    union { struct count_copy copy; struct acknowledgment acknowledgment; } record;
    uint32_t id;
    struct slice payload;
    bool fine = codec_wire_read(message->payload, message->len, &id, &payload) && codec_decode(plan, payload.data, payload.length, arena, &record) == CODEC_OK;
    int64_t number = fine ? number_of(copy ? record.copy.event_id : record.acknowledgment.event_id) : -1;
    arena_reset(arena);
    if (number < 0 || number >= found->events) {
        found->strange++;
        return;
    }
    uint8_t *times = copy ? &found->copies[number] : &found->acknowledgments[number];
    if (*times < 255) ++*times;
    if (copy) found->counts[number] = (int32_t)record.copy.count;
}

static void read_all(const char *brokers, const char *topic, bool copy, struct found *found) {
    int partitions, ended = 0;
    struct error error;
    struct arena arena;
    struct codec_plan *plan = codec_plan_own(copy ? &count_copy_type : &acknowledgment_type, &error);
    must(plan, topic, error.text);
    arena_init(&arena, 1 << 16, 1 << 24);
    rd_kafka_t *reader = reader_open(brokers, topic, &partitions, false);
    while (ended < partitions) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, 20000);
        must(message, topic, "nothing comes");
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) ended++;
        else must(!message->err, topic, rd_kafka_message_errstr(message));
        if (!message->err) take(found, copy, plan, &arena, message);
        rd_kafka_message_destroy(message);
    }
    rd_kafka_destroy(reader);
    arena_free(&arena);
    codec_plan_free(plan);
}

bool counter_check(const char *brokers, int64_t events, int64_t keys, bool in_order) {
    struct found found = {calloc((size_t)events, 1), calloc((size_t)events, 1), calloc((size_t)events, sizeof(int32_t)), events, 0};
    int64_t lost = 0, doubled = 0, unacknowledged = 0, acknowledged_twice = 0, wrong = 0;
    read_all(brokers, "count.copies", true, &found);
    read_all(brokers, "acknowledgments", false, &found);
    /* Each count of a partner must have come once; in order of time when that was complete at the start. */
    uint8_t *seen = calloc((size_t)events, 1);
    for (int64_t n = 0; n < events; n++) {
        lost += found.copies[n] == 0;
        doubled += found.copies[n] > 1;
        unacknowledged += found.acknowledgments[n] == 0;
        acknowledged_twice += found.acknowledgments[n] > 1;
        int64_t place = (found.counts[n] - 1) * keys + n % keys;
        if (found.counts[n] < 1 || place >= events || seen[place]++ || (in_order && place != n)) wrong++;
    }
    free(seen);
    free(found.copies);
    free(found.acknowledgments);
    free(found.counts);
    bool right = !lost && !doubled && !wrong && !unacknowledged && !acknowledged_twice && !found.strange;
    printf("%s events=%lld lost=%lld doubled=%lld wrong_counts=%lld unacknowledged=%lld acknowledged_twice=%lld strange=%lld\n", right ? "right" : "WRONG",
           (long long)events, (long long)lost, (long long)doubled, (long long)wrong, (long long)unacknowledged, (long long)acknowledged_twice,
           (long long)found.strange);
    return right;
}
