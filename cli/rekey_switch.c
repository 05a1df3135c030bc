/* The switch. Growing topics cannot be taken back and is done just before; from then until the transaction is committed the processors refuse to start, and running
 * `kontor rekey` again goes on. The transaction holds all of it: the unread events in their places, the groups' offsets, the mark in the old changelogs that closes
 * them, and the record that names the new ones. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/progress.h"
#include "cli/rekey.h"
#include "common/platform/clock.h"
#include "common/platform/hash.h"

enum { PAUSE_MS = 50, LED_MS = 60000 };

/* ---- more partitions ---- */

static bool take_grown(rd_kafka_event_t *event, struct error *error) {
    size_t count = 0;
    if (!event || rd_kafka_event_error(event)) return error_set(error, "the topics cannot get more partitions: %s", event ? rd_kafka_event_error_string(event) : "no answer; run this again");
    const rd_kafka_topic_result_t **results = rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event), &count);
    for (size_t i = 0; i < count; i++)
        if (rd_kafka_topic_result_error(results[i]))
            return error_set(error, "%s cannot get more partitions: %s; run this again when it can", rd_kafka_topic_result_name(results[i]), rd_kafka_topic_result_error_string(results[i]));
    return true;
}

static bool await_leaders(struct rekey *rekey, struct error *error) {
    const int64_t deadline_ms = clock_monotonic_ms() + LED_MS;
    for (size_t ready = 0; ready < rekey->topic_count;) {
        const struct rd_kafka_metadata *metadata;
        if (!connection_metadata(&rekey->connection, rekey->making.admin, &metadata, error)) return false;
        ready = 0;
        for (size_t i = 0; i < rekey->topic_count; i++) {
            const struct rd_kafka_metadata_topic *topic = metadata_topic(metadata, rekey->topics[i].name);
            int led = 0;
            for (int p = 0; topic && p < topic->partition_cnt; p++) led += topic->partitions[p].leader >= 0;
            ready += topic && led == rekey->to;
        }
        rd_kafka_metadata_destroy(metadata);
        if (ready < rekey->topic_count && clock_monotonic_ms() > deadline_ms) return error_set(error, "new partitions have no leader yet: look at the broker's log and run this again");
        if (ready < rekey->topic_count) rd_kafka_poll(rekey->making.admin, PAUSE_MS);
    }
    return true;
}

bool rekey_grow(struct rekey *rekey, struct error *error) {
    rd_kafka_NewPartitions_t *wanted[REKEY_TOPICS_MAXIMUM];
    size_t count = 0;
    char why[256];
    bool ok = true;
    for (size_t i = 0; ok && i < rekey->topic_count; i++) {
        if (rekey->topics[i].now == rekey->to) continue;
        wanted[count] = rd_kafka_NewPartitions_new(rekey->topics[i].name, (size_t)rekey->to, why, sizeof why);
        ok = wanted[count] || error_set(error, "%s: %s", rekey->topics[i].name, why);
        count += ok;
    }
    if (ok && count) {
        making_say("giving %zu topics %" PRId32 " partitions", count, rekey->to);
        rd_kafka_queue_t *queue = rd_kafka_queue_new(rekey->making.admin);
        rd_kafka_CreatePartitions(rekey->making.admin, wanted, count, NULL, queue);
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 4 * KAFKA_TIMEOUT_MS);
        ok = take_grown(event, error);
        if (event) rd_kafka_event_destroy(event);
        rd_kafka_queue_destroy(queue);
    }
    rd_kafka_NewPartitions_destroy_array(wanted, count);
    return ok && await_leaders(rekey, error);
}

/* ---- the transaction ---- */

/* As they came, with where they came from. */
static bool send_carried(struct rekey *rekey, struct error *error) {
    struct progress progress;
    bool ok = true;
    if (rekey->carried_count) making_say("sending %zu unread events to their partitions", rekey->carried_count);
    progress_start(&progress, "sending", (int64_t)rekey->carried_count);
    for (size_t i = 0; ok && i < rekey->carried_count; i++) {
        struct carried *carried = &rekey->carried[i];
        const char *topic = rekey->topics[carried->topic].name;
        char from[TOPIC_NAME_MAXIMUM + 40];
        snprintf(from, sizeof from, "%s/%" PRId32 "/%" PRId64, topic, carried->partition, carried->offset);
        if (!carried->headers) carried->headers = rd_kafka_headers_new(1);
        rd_kafka_header_add(carried->headers, "kontor-moved-from", -1, from, (ssize_t)strlen(from));
        ok = making_send(&rekey->making, topic, hash_partition(carried->key, rekey->to), carried->key, carried->value, carried->timestamp_ms, carried->headers, error);
        if (ok) carried->headers = NULL;    /* the client's now */
        progress_at(&progress, (int64_t)i, (int64_t)i);
    }
    progress_end(&progress);
    return ok;
}

/* Behind what was carried; where nothing was, where the group stood. Ticks are skipped: the next one counts. */
static int64_t next_offset(const struct rekey *rekey, const struct rekey_processor *of, size_t input, int32_t partition) {
    const struct rekey_topic *topic = &rekey->topics[of->topic_of[input]];
    if (partition >= topic->now) return 0;
    if (topic->misplaced || topic->timers) return topic->end[partition];
    const int64_t position = of->positions[input * (size_t)rekey->wide + (size_t)partition];
    return position >= topic->low[partition] ? position : topic->low[partition];
}

static bool send_offsets(struct rekey *rekey, const struct rekey_processor *of, struct error *error) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(64);
    for (size_t k = 0; k < of->inputs.count; k++)
        for (int32_t p = 0; p < rekey->to; p++) rd_kafka_topic_partition_list_add(list, of->inputs.names[k], p)->offset = next_offset(rekey, of, k, p);
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata_new(of->group);
    bool ok = making_offsets(&rekey->making, list, group, error);
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(list);
    return ok;
}

/* Going back over it is not possible: unread events have moved, or keys. */
bool rekey_switch(struct rekey *rekey, struct error *error) {
    struct making *making = &rekey->making;
    if (!making_begin(making, error)) return false;
    bool ok = send_carried(rekey, error);
    for (size_t i = 0; ok && i < rekey->processor_count; i++) {
        const struct rekey_processor *of = &rekey->processors[i];
        ok = making_close_generation(making, of->processor->name, of->live.changelog, of->from, &of->next, NULL, error) && send_offsets(rekey, of, error);
    }
    /* Who has joined since then reads the mark in its changelog before it takes anything; who has joined before is seen here. */
    ok = ok && making_flush(making, error) && rekey_all_stopped(rekey, error);
    return making_end(making, ok, error);
}
