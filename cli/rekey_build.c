/* The new changelogs: the old ones are read whole, the new states are built in a folder, written to topics that nobody reads yet, and read back: every record of the topic is
 * held to what was built, and none is missing. A run that is stopped before the switch leaves such a topic behind; the next one makes another,
 * and --drop-old deletes both when a later one holds. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/progress.h"
#include "cli/rekey.h"
#include "cli/scan.h"
#include "common/platform/clock.h"

enum { TAKE_AT_ONCE = 2000, TAKE_BYTES = 16 << 20, LED_MS = 60000, FLUSH_MS = 60000, GONE_MS = 60000, PAUSE_MS = 50 };

static uint64_t new_id(void) {
    uint64_t id;
    if (getrandom(&id, sizeof id, 0) == (ssize_t)sizeof id) return id;
    return (uint64_t)clock_wall_ms() << 20 ^ (uint64_t)getpid();
}

/* ---- reading and building ---- */

struct taking { struct rekey_processor *of; struct buffer bytes; struct state_change changes[TAKE_AT_ONCE]; size_t count; int32_t partition; int64_t next; };

static bool take_apply(struct taking *taking, struct error *error) {
    size_t at = 0;
    for (size_t i = 0; i < taking->count; i++) {    /* the buffer has moved while it grew */
        struct state_change *change = &taking->changes[i];
        change->key.data = taking->bytes.data + at;
        at += change->key.length;
        if (change->value.data) change->value.data = taking->bytes.data + at;
        at += change->value.length;
    }
    bool ok = !taking->count || rekeying_take(taking->of->rekeying, taking->partition, taking->changes, taking->count, taking->next, error);
    taking->count = 0;
    buffer_reset(&taking->bytes);
    return ok;
}

static enum scan_step take(void *context, const struct kafka_record *record, struct error *error) {
    struct taking *taking = context;
    if (record->partition != taking->partition && !take_apply(taking, error)) return SCAN_FAILED;
    taking->partition = record->partition;
    if (!buffer_append(&taking->bytes, record->key.data, record->key.length) || !buffer_append(&taking->bytes, record->value.data, record->value.length)) {
        error_set(error, "out of memory");
        return SCAN_FAILED;
    }
    taking->changes[taking->count++] = (struct state_change){{"", record->key.length}, {record->value.data ? "" : NULL, record->value.data ? record->value.length : 0}};
    taking->next = record->offset + 1;
    taking->of->changelog_records++;
    return (taking->count < TAKE_AT_ONCE && taking->bytes.length < TAKE_BYTES) || take_apply(taking, error) ? SCAN_MORE : SCAN_FAILED;
}

static bool changelog_read(struct rekey *rekey, struct rekey_processor *of, struct error *error) {
    struct taking *taking = calloc(1, sizeof *taking);
    if (!taking) return error_set(error, "out of memory");
    char what[64];
    taking->of = of;
    snprintf(what, sizeof what, "reading %.40s", of->processor->name);
    const struct scan scan = {.connection = &rekey->connection, .topics = {of->live.changelog}, .topic_count = 1, .partition = SCAN_ALL_PARTITIONS, .from_offset = SCAN_FROM_BEGINNING,
                              .progress = what, .visit = take, .context = taking};
    bool ok = scan_run(&scan, error) && take_apply(taking, error);
    buffer_free(&taking->bytes);
    free(taking);
    return ok || error_prefix(error, "%s", of->live.changelog);
}

static void built(void *context, uint64_t records) { progress_at(context, (int64_t)records, (int64_t)records); }

bool rekey_build(struct rekey *rekey, struct error *error) {
    if (rekey->merges && !values_open(&rekey->values, &rekey->connection, error)) return false;
    for (size_t i = 0; i < rekey->processor_count; i++) {
        struct rekey_processor *of = &rekey->processors[i];
        char folder[300];
        snprintf(folder, sizeof folder, "%s/%s", rekey->folder, of->processor->name);
        of->rewriting = (struct rekey_rewriting){.of = of->processor, .values = rekey->values};
        of->merge = rekey->merge;
        of->merge.context = &of->rewriting;
        const struct rekeying_options options = {.processor = of->processor, .version = KONTOR_VERSION, .folder = folder, .from = of->from, .to = rekey->to, .new_id = new_id,
                                                 .merge = rekey->merges ? &of->merge : NULL};
        rekey_say("reading %s and building its records for %" PRId32 " partitions", of->live.changelog, rekey->to);
        if (mkdir(folder, 0700) != 0) return error_set(error, "%s cannot be made: %m", folder);
        bool ok = rekeying_open(&of->rekeying, &options, error) && changelog_read(rekey, of, error);
        struct progress progress;
        progress_start(&progress, "building", (int64_t)of->changelog_records);
        ok = ok && rekeying_build(of->rekeying, built, &progress, error);
        progress_end(&progress);
        if (!ok) return error_prefix(error, "%s", of->processor->name);
    }
    return true;
}

/* ---- topics ---- */

static bool is_led(struct rekey *rekey, const char *name, int32_t partitions, struct error *error) {
    const int64_t deadline_ms = clock_monotonic_ms() + LED_MS;
    for (;;) {
        const struct rd_kafka_metadata *metadata;
        if (!connection_metadata(&rekey->connection, rekey->admin, &metadata, error)) return false;
        const struct rd_kafka_metadata_topic *topic = metadata_topic(metadata, name);
        int32_t led = 0;
        for (int p = 0; topic && p < topic->partition_cnt; p++) led += topic->partitions[p].leader >= 0;
        rd_kafka_metadata_destroy(metadata);
        if (led == partitions) return true;
        if (clock_monotonic_ms() > deadline_ms) return error_set(error, "%s has leaders for %" PRId32 " of %" PRId32 " partitions after %d s: look at the broker's log", name, led, partitions, LED_MS / 1000);
        rd_kafka_poll(rekey->admin, PAUSE_MS);
    }
}

bool rekey_create_topic(struct rekey *rekey, const char *name, int32_t partitions, const struct topic *like, struct error *error) {
    char why[256];
    const struct rd_kafka_metadata *metadata;
    if (!connection_metadata(&rekey->connection, rekey->admin, &metadata, error)) return false;
    const struct rd_kafka_metadata_topic *model = metadata_topic(metadata, rekey->processors[0].live.changelog);
    const int replication = model && model->partition_cnt ? model->partitions[0].replica_cnt : 1;   /* as many copies as the one that it follows */
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(name, partitions, replication, why, sizeof why);
    if (!wanted) return error_set(error, "%s cannot be made: %s", name, why);
    for (size_t i = 0; i < like->setting_count; i++) rd_kafka_NewTopic_set_config(wanted, like->settings[i].name, like->settings[i].value);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rekey->admin);
    rd_kafka_CreateTopics(rekey->admin, &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 4 * KAFKA_TIMEOUT_MS);
    size_t count = 0;
    const rd_kafka_topic_result_t **results = event && !rd_kafka_event_error(event) ? rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count) : NULL;
    const rd_kafka_resp_err_t code = count ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    bool ok = !code || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS || error_set(error, "%s cannot be made: %s", name, count ? rd_kafka_topic_result_error_string(results[0]) : "no answer");
    if (event) rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(wanted);
    return ok && is_led(rekey, name, partitions, error);
}

static bool topic_delete(struct rekey *rekey, const char *name, struct error *error) {
    rd_kafka_DeleteTopic_t *unwanted = rd_kafka_DeleteTopic_new(name);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rekey->admin);
    rd_kafka_DeleteTopics(rekey->admin, &unwanted, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 4 * KAFKA_TIMEOUT_MS);
    size_t count = 0;
    const rd_kafka_topic_result_t **results = event && !rd_kafka_event_error(event) ? rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count) : NULL;
    const rd_kafka_resp_err_t code = count ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    bool ok = !code || code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || error_set(error, "%s cannot be deleted: %s", name, rd_kafka_err2str(code));
    if (event) rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_DeleteTopic_destroy(unwanted);
    return ok;
}

/* A generation that was behind the live one once never holds again; one above it may be another run's, which is about to make it the live one. */
bool rekey_drop(struct rekey *rekey, struct rekey_processor *of, size_t *count, struct error *error) {
    const struct rd_kafka_metadata *metadata;
    if (!connection_metadata(&rekey->connection, rekey->admin, &metadata, error)) return false;
    bool ok = true;
    for (int i = 0; ok && i < metadata->topic_cnt; i++) {
        const char *name = metadata->topics[i].topic;
        const int number = generation_number(name, of->processor->name);
        if (!number || number >= of->live.number) continue;
        rekey_say("deleting %s", name);
        ok = topic_delete(rekey, name, error);
        *count += ok;
    }
    rd_kafka_metadata_destroy(metadata);
    return ok;
}

/* ---- writing ---- */

struct writing { struct client_events events; rd_kafka_t *producer; rd_kafka_topic_t *topic; int32_t partition; uint64_t sent, failed; struct progress progress; char why[200]; };   /* events first */

static void delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
    struct writing *writing = opaque;
    (void)client;
    if (message->err && !writing->failed++) snprintf(writing->why, sizeof writing->why, "%s", rd_kafka_err2str(message->err));
}

static void set_callbacks(rd_kafka_conf_t *conf, void *opaque) {
    (void)opaque;
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
}

static bool send_one(void *context, struct slice key, struct slice value, struct error *error) {
    struct writing *writing = context;
    while (rd_kafka_produce(writing->topic, writing->partition, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)value.data, value.length, key.data, key.length, NULL)) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) return error_set(error, "%s cannot be written: %s", rd_kafka_topic_name(writing->topic), rd_kafka_err2str(rd_kafka_last_error()));
        rd_kafka_poll(writing->producer, PAUSE_MS);
    }
    rd_kafka_poll(writing->producer, 0);
    writing->sent++;
    progress_at(&writing->progress, (int64_t)writing->sent, (int64_t)writing->sent);
    return !writing->failed || error_set(error, "%s cannot be written: %s", rd_kafka_topic_name(writing->topic), writing->why);
}

static bool changelog_write(struct rekey *rekey, struct rekey_processor *of, struct error *error) {
    static const struct client_property usual[] = {{"compression.type", "lz4"}, {"queue.buffering.max.messages", "500000"}, {"socket.nagle.disable", "true"}, {NULL, NULL}};
    static const struct client_property fixed[] = {{"enable.idempotence", "true"}, {"partitioner", "murmur2_random"}, {NULL, NULL}};
    struct writing *writing = calloc(1, sizeof *writing);
    if (!writing) return error_set(error, "out of memory");
    writing->events.role = "producer";
    bool ok = connection_client(&rekey->connection, RD_KAFKA_PRODUCER, usual, fixed, &writing->events, set_callbacks, writing, &writing->producer, error);
    if (ok) writing->topic = rd_kafka_topic_new(writing->producer, of->next.changelog, NULL);
    progress_start(&writing->progress, "writing", (int64_t)rekeying_counts(of->rekeying)->written);
    for (; ok && writing->partition < rekey->to; writing->partition++) ok = rekeying_each(of->rekeying, writing->partition, send_one, writing, error);
    progress_end(&writing->progress);
    if (ok && rd_kafka_flush(writing->producer, FLUSH_MS)) ok = error_set(error, "%s: records are not acknowledged after %d s", of->next.changelog, FLUSH_MS / 1000);
    if (ok && writing->failed) ok = error_set(error, "%s: %" PRIu64 " records were not written: %s", of->next.changelog, writing->failed, writing->why);
    if (writing->topic) rd_kafka_topic_destroy(writing->topic);
    if (writing->producer) rd_kafka_destroy(writing->producer);
    free(writing);
    return ok;
}

/* ---- reading back ---- */

struct checking { struct rekey_processor *of; uint64_t *counts; };

static enum scan_step check(void *context, const struct kafka_record *record, struct error *error) {
    const struct checking *checking = context;
    if (!rekeying_has(checking->of->rekeying, record->partition, checking->counts[record->partition]++ == 0, record->key, record->value)) {
        error_set(error, "%s/%" PRId32 "/%" PRId64 " is not what was written: look at the broker's log; nothing was changed", record->topic, record->partition, record->offset);
        return SCAN_FAILED;
    }
    return SCAN_MORE;
}

static bool changelog_check(struct rekey *rekey, struct rekey_processor *of, struct error *error) {
    struct checking checking = {of, calloc((size_t)rekey->to, sizeof *checking.counts)};
    if (!checking.counts) return error_set(error, "out of memory");
    const struct scan scan = {.connection = &rekey->connection, .topics = {of->next.changelog}, .topic_count = 1, .partition = SCAN_ALL_PARTITIONS, .from_offset = SCAN_FROM_BEGINNING,
                              .progress = "reading back", .visit = check, .context = &checking};
    bool ok = scan_run(&scan, error);
    for (int32_t p = 0; ok && p < rekey->to; p++)
        if (checking.counts[p] != rekeying_size(of->rekeying, p))
            ok = error_set(error, "%s/%" PRId32 " has %" PRIu64 " records, %" PRIu64 " were written", of->next.changelog, p, checking.counts[p], rekeying_size(of->rekeying, p));
    free(checking.counts);
    return ok;
}

bool rekey_write(struct rekey *rekey, struct error *error) {
    for (size_t i = 0; i < rekey->processor_count; i++) {
        struct rekey_processor *of = &rekey->processors[i];
        char first[GENERATION_NAME_MAXIMUM];
        generation_changelog(first, of->processor->name, 1);
        const struct topic *like = topic_list_find(&rekey->list, first);
        if (!like) return error_set(error, "%s is not in the list of topics", first);
        rekey_say("writing %s", of->next.changelog);
        if (!rekey_create_topic(rekey, of->next.changelog, rekey->to, like, error) || !changelog_write(rekey, of, error)) return false;
        rekey_say("reading %s back", of->next.changelog);
        if (!changelog_check(rekey, of, error)) return false;
    }
    return true;
}
