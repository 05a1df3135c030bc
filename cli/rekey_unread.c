/* Events that no group has taken yet. Where one of a topic is in another partition than it is to be, all that is unread of that topic is sent again, each to its partition,
 * in the order of their times; the groups then go on behind what was. So the events of a key keep their order, and none is taken twice. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/rekey.h"
#include "cli/scan.h"
#include "common/platform/hash.h"

enum { CARRIED_MAXIMUM = 1000000, CARRIED_BYTES = 1 << 30 };

struct reading { struct rekey *rekey; size_t topic; int64_t *newest_ms; };

/* The lowest position of those who read it. */
static int64_t position_of(const struct rekey *rekey, size_t topic, int32_t partition) {
    int64_t lowest = INT64_MAX;
    for (size_t i = 0; i < rekey->processor_count; i++) {
        size_t input;
        if (!rekey_reads(&rekey->processors[i], topic, &input)) continue;
        const int64_t position = rekey->processors[i].positions[input * (size_t)rekey->wide + (size_t)partition];
        if (position < lowest) lowest = position;
    }
    return lowest == INT64_MAX || lowest < rekey->topics[topic].low[partition] ? rekey->topics[topic].low[partition] : lowest;
}

static int64_t resume(void *context, size_t topic_index, int32_t partition, int64_t begin, int64_t end) {
    const struct reading *reading = context;
    (void)topic_index, (void)begin, (void)end;
    return position_of(reading->rekey, reading->topic, partition);
}

/* All who read it have it before them. */
static bool is_unread_by_all(const struct rekey *rekey, size_t topic, int32_t partition, int64_t offset, struct error *error) {
    for (size_t i = 0; i < rekey->processor_count; i++) {
        size_t input;
        const struct rekey_processor *of = &rekey->processors[i];
        if (!rekey_reads(of, topic, &input) || of->positions[input * (size_t)rekey->wide + (size_t)partition] <= offset) continue;
        return error_set(error, "%s/%" PRId32 "/%" PRId64 " was taken by %s and not by all that read it: start them all and let them catch up, then stop them", rekey->topics[topic].name, partition,
                         offset, of->group);
    }
    return true;
}

static struct slice copy(struct rekey *rekey, struct slice bytes, bool *ok) {
    const char *made = bytes.data ? arena_copy(&rekey->arena, bytes.data, bytes.length) : NULL;
    *ok = *ok && (made || !bytes.data);
    return (struct slice){made, made ? bytes.length : 0};
}

static bool carry(struct reading *reading, const struct kafka_record *record, struct error *error) {
    struct rekey *rekey = reading->rekey;
    if (rekey->carried_count == CARRIED_MAXIMUM || arena_used(&rekey->arena) > CARRIED_BYTES)
        return error_set(error, "more is unread than can be moved at once: let the processors catch up first, then stop them");
    if (rekey->carried_count == rekey->carried_capacity) {
        const size_t capacity = rekey->carried_capacity ? rekey->carried_capacity * 2 : 1024;
        struct carried *grown = realloc(rekey->carried, capacity * sizeof *grown);
        if (!grown) return error_set(error, "out of memory");
        rekey->carried = grown;
        rekey->carried_capacity = capacity;
    }
    int64_t *newest = &reading->newest_ms[record->partition];
    if (record->timestamp_ms > *newest) *newest = record->timestamp_ms;
    bool ok = true;
    struct carried *carried = &rekey->carried[rekey->carried_count];
    *carried = (struct carried){.topic = reading->topic, .partition = record->partition, .offset = record->offset, .order_ms = *newest, .timestamp_ms = record->timestamp_ms,
                                .key = copy(rekey, record->key, &ok), .value = copy(rekey, record->value, &ok)};
    rd_kafka_headers_t *headers;
    if (ok && !rd_kafka_message_headers(record->message, &headers)) carried->headers = rd_kafka_headers_copy(headers);
    rekey->carried_count++;
    return ok || error_set(error, "out of memory");
}

static enum scan_step take(void *context, const struct kafka_record *record, struct error *error) {
    struct reading *reading = context;
    struct rekey *rekey = reading->rekey;
    struct rekey_topic *topic = &rekey->topics[reading->topic];
    if (record->offset >= topic->end[record->partition]) return SCAN_MORE;
    if (!record->key.data) {
        error_set(error, "%s/%" PRId32 "/%" PRId64 " is unread and has no key: where it belongs is not known; let its processor take it first", topic->name, record->partition, record->offset);
        return SCAN_FAILED;
    }
    if (rekey->merges && slice_equal(record->key, rekey->merge_key)) {
        error_set(error, "%s/%" PRId32 "/%" PRId64 " is unread and of " SLICE_FORMAT ": let its processor take it first, and stop what writes for that partner", topic->name, record->partition,
                  record->offset, SLICE_ARGUMENT(rekey->merge.from));
        return SCAN_FAILED;
    }
    if (!is_unread_by_all(rekey, reading->topic, record->partition, record->offset, error) || !carry(reading, record, error)) return SCAN_FAILED;
    topic->unread++;
    topic->misplaced += hash_partition(record->key, rekey->to) != record->partition;
    return SCAN_MORE;
}

static int carried_order(const void *a, const void *b) {
    const struct carried *left = a, *right = b;
    if (left->topic != right->topic) return left->topic < right->topic ? -1 : 1;
    if (left->order_ms != right->order_ms) return left->order_ms < right->order_ms ? -1 : 1;
    if (left->partition != right->partition) return left->partition < right->partition ? -1 : 1;
    return left->offset < right->offset ? -1 : left->offset > right->offset;
}

static bool topic_read(struct rekey *rekey, size_t position, struct error *error) {
    struct rekey_topic *topic = &rekey->topics[position];
    bool any = false;
    for (int32_t p = 0; p < topic->now; p++) any |= position_of(rekey, position, p) < topic->end[p];
    if (topic->timers || !any) return true;
    struct reading reading = {rekey, position, malloc((size_t)topic->now * sizeof *reading.newest_ms)};
    if (!reading.newest_ms) return error_set(error, "out of memory");
    for (int32_t p = 0; p < topic->now; p++) reading.newest_ms[p] = INT64_MIN;
    const size_t before = rekey->carried_count;
    const struct scan scan = {.connection = &rekey->connection, .topics = {topic->name}, .topic_count = 1, .partition = SCAN_ALL_PARTITIONS, .from_offset = SCAN_FROM_BEGINNING,
                              .progress = "reading what is unread", .visit = take, .resume = resume, .context = &reading};
    bool ok = scan_run(&scan, error);
    free(reading.newest_ms);
    if (!ok || topic->misplaced) return ok;
    while (rekey->carried_count > before) {     /* all of it is where it is to be */
        struct carried *carried = &rekey->carried[--rekey->carried_count];
        if (carried->headers) rd_kafka_headers_destroy(carried->headers);
    }
    return true;
}

bool rekey_unread(struct rekey *rekey, struct error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i < rekey->topic_count; i++) ok = topic_read(rekey, i, error);
    if (ok && rekey->carried_count) qsort(rekey->carried, rekey->carried_count, sizeof *rekey->carried, carried_order);
    return ok;
}
