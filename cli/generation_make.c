#include "cli/generation_make.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cli/progress.h"
#include "cli/sandbox.h"
#include "common/platform/clock.h"
#include "common/state/state.h"

enum { LED_MS = 60000, FLUSH_MS = 60000, CALL_MS = 60000, PAUSE_MS = 50 };

void making_say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

bool making_open(struct making *making, const struct connection *connection, const struct topic_list *list, struct error *error) {
    *making = (struct making){.connection = connection, .list = list, .admin_events = {.role = "admin"}, .sending = {.events = {.role = "producer"}}};
    return connection_client(connection, RD_KAFKA_PRODUCER, NULL, NULL, &making->admin_events, NULL, &making->admin_events, &making->admin, error);
}

void making_close(struct making *making) {
    if (making->producer) rd_kafka_destroy(making->producer);
    if (making->admin) rd_kafka_destroy(making->admin);
    making->producer = making->admin = NULL;
}

/* ---- topics ---- */

void making_next(const struct rd_kafka_metadata *metadata, const char *processor, int live, struct generation *next) {
    *next = (struct generation){.number = live + 1};
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const int number = generation_number(metadata->topics[i].topic, processor);
        if (number >= next->number) next->number = number + 1;
    }
    generation_changelog(next->changelog, processor, next->number);
}

static bool is_led(struct making *making, const char *name, int32_t partitions, struct error *error) {
    const int64_t deadline_ms = clock_monotonic_ms() + LED_MS;
    for (;;) {
        const struct rd_kafka_metadata *metadata;
        if (!connection_metadata(making->connection, making->admin, &metadata, error)) return false;
        const struct rd_kafka_metadata_topic *topic = metadata_topic(metadata, name);
        int32_t led = 0;
        for (int p = 0; topic && p < topic->partition_cnt; p++) led += topic->partitions[p].leader >= 0;
        rd_kafka_metadata_destroy(metadata);
        if (led == partitions) return true;
        if (clock_monotonic_ms() > deadline_ms) return error_set(error, "%s has leaders for %" PRId32 " of %" PRId32 " partitions after %d s: look at the broker's log", name, led, partitions, LED_MS / 1000);
        rd_kafka_poll(making->admin, PAUSE_MS);
    }
}

static bool topic_create(struct making *making, const char *name, int32_t partitions, const struct topic *like, const char *live_changelog, struct error *error) {
    char why[256];
    const struct rd_kafka_metadata *metadata;
    if (!connection_metadata(making->connection, making->admin, &metadata, error)) return false;
    const struct rd_kafka_metadata_topic *model = metadata_topic(metadata, live_changelog);
    const int replication = model && model->partition_cnt ? model->partitions[0].replica_cnt : 1;   /* as many copies as the one that it follows */
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(name, partitions, replication, why, sizeof why);
    if (!wanted) return error_set(error, "%s cannot be made: %s", name, why);
    for (size_t i = 0; i < like->setting_count; i++) rd_kafka_NewTopic_set_config(wanted, like->settings[i].name, like->settings[i].value);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(making->admin);
    rd_kafka_CreateTopics(making->admin, &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 4 * KAFKA_TIMEOUT_MS);
    size_t count = 0;
    const rd_kafka_topic_result_t **results = event && !rd_kafka_event_error(event) ? rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count) : NULL;
    const rd_kafka_resp_err_t code = count ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    bool ok = !code || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS || error_set(error, "%s cannot be made: %s", name, count ? rd_kafka_topic_result_error_string(results[0]) : "no answer");
    if (event) rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(wanted);
    return ok && is_led(making, name, partitions, error);
}

bool making_generations_topic(struct making *making, const char *live_changelog, struct error *error) {
    const struct topic *like = topic_list_find(making->list, GENERATIONS_TOPIC);
    return (like || error_set(error, "%s is not in the list of topics", GENERATIONS_TOPIC)) && topic_create(making, GENERATIONS_TOPIC, 1, like, live_changelog, error);
}

/* The list may not have the topics of a processor of another project: its changelog is like all of them. */
bool making_changelog_topic(struct making *making, const char *processor, const char *live_changelog, const char *name, int32_t partitions, struct error *error) {
    char first[GENERATION_NAME_MAXIMUM], any[GENERATION_NAME_MAXIMUM];
    generation_changelog(first, processor, 1);
    generation_changelog(any, known_processors[0]->name, 1);
    const struct topic *like = topic_list_find(making->list, first);
    if (!like && !processor_named(slice_of(processor))) like = topic_list_find(making->list, any);
    return (like || error_set(error, "%s is not in the list of topics", first)) && topic_create(making, name, partitions, like, live_changelog, error);
}

bool making_delete(struct making *making, const char *topic, struct error *error) {
    rd_kafka_DeleteTopic_t *unwanted = rd_kafka_DeleteTopic_new(topic);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(making->admin);
    rd_kafka_DeleteTopics(making->admin, &unwanted, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 4 * KAFKA_TIMEOUT_MS);
    size_t count = 0;
    const rd_kafka_topic_result_t **results = event && !rd_kafka_event_error(event) ? rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count) : NULL;
    const rd_kafka_resp_err_t code = count ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    bool ok = !code || code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || error_set(error, "%s cannot be deleted: %s", topic, rd_kafka_err2str(code));
    if (event) rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_DeleteTopic_destroy(unwanted);
    return ok;
}

bool making_drop(struct making *making, const char *processor, int live, size_t *count, struct error *error) {
    const struct rd_kafka_metadata *metadata;
    if (!connection_metadata(making->connection, making->admin, &metadata, error)) return false;
    bool ok = true;
    for (int i = 0; ok && i < metadata->topic_cnt; i++) {
        const char *name = metadata->topics[i].topic;
        const int number = generation_number(name, processor);
        if (!number || number >= live) continue;
        making_say("deleting %s", name);
        ok = making_delete(making, name, error);
        *count += ok;
    }
    rd_kafka_metadata_destroy(metadata);
    return ok;
}

/* ---- changelogs ---- */

uint64_t making_new_id(void) {
    uint64_t id;
    if (getrandom(&id, sizeof id, 0) == (ssize_t)sizeof id) return id;
    return (uint64_t)clock_wall_ms() << 20 ^ (uint64_t)getpid();
}

struct making_writer { struct making_sending sending; rd_kafka_t *producer; rd_kafka_topic_t *topic; int32_t partition; uint64_t sent; struct progress progress; };  /* sending first */

static void delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
    struct making_sending *sending = opaque;
    (void)client;
    if (message->err && !sending->failed++) snprintf(sending->why, sizeof sending->why, "%s", rd_kafka_err2str(message->err));
}

static void set_callbacks(rd_kafka_conf_t *conf, void *opaque) {
    (void)opaque;
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
}

bool making_writer_open(struct making_writer **writer, const struct making *making, const char *topic, int64_t total, struct error *error) {
    static const struct client_property usual[] = {{"compression.type", "lz4"}, {"queue.buffering.max.messages", "500000"}, {"socket.nagle.disable", "true"}, {NULL, NULL}};
    static const struct client_property fixed[] = {{"enable.idempotence", "true"}, {"partitioner", "murmur2_random"}, {"message.max.bytes", "4194304"}, {NULL, NULL}};
    struct making_writer *made = calloc(1, sizeof *made);
    if (!made) return error_set(error, "out of memory");
    made->sending.events.role = "producer";
    if (!connection_client(making->connection, RD_KAFKA_PRODUCER, usual, fixed, &made->sending.events, set_callbacks, &made->sending, &made->producer, error)) {
        free(made);
        return false;
    }
    made->topic = rd_kafka_topic_new(made->producer, topic, NULL);
    progress_start(&made->progress, "writing", total);
    *writer = made;
    return true;
}

void making_writer_partition(struct making_writer *writer, int32_t partition) { writer->partition = partition; }

bool making_writer_send(void *context, struct slice key, struct slice value, struct error *error) {
    struct making_writer *writer = context;
    while (rd_kafka_produce(writer->topic, writer->partition, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)value.data, value.length, key.data, key.length, NULL)) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) return error_set(error, "%s cannot be written: %s", rd_kafka_topic_name(writer->topic), rd_kafka_err2str(rd_kafka_last_error()));
        rd_kafka_poll(writer->producer, PAUSE_MS);
    }
    rd_kafka_poll(writer->producer, 0);
    writer->sent++;
    progress_at(&writer->progress, (int64_t)writer->sent, (int64_t)writer->sent);
    return !writer->sending.failed || error_set(error, "%s cannot be written: %s", rd_kafka_topic_name(writer->topic), writer->sending.why);
}

bool making_writer_flush(struct making_writer *writer, struct error *error) {
    const char *topic = rd_kafka_topic_name(writer->topic);
    if (rd_kafka_flush(writer->producer, FLUSH_MS)) return error_set(error, "%s: records are not acknowledged after %d s", topic, FLUSH_MS / 1000);
    return !writer->sending.failed || error_set(error, "%s: %" PRIu64 " records were not written: %s", topic, writer->sending.failed, writer->sending.why);
}

void making_writer_close(struct making_writer *writer) {
    if (!writer) return;
    progress_end(&writer->progress);
    if (writer->topic) rd_kafka_topic_destroy(writer->topic);
    rd_kafka_destroy(writer->producer);
    free(writer);
}

/* ---- the switch ---- */

/* Takes the error; false when there was one. */
static bool went(rd_kafka_error_t *failure, const char *doing, struct error *error) {
    if (!failure) return true;
    error_set(error, "%s: %s; run this again", doing, rd_kafka_error_string(failure));
    rd_kafka_error_destroy(failure);
    return false;
}

bool making_producer(struct making *making, struct error *error) {
    static const struct client_property usual[] = {{"compression.type", "lz4"}, {"queue.buffering.max.messages", "1000000"}, {"queue.buffering.max.kbytes", "2097151"}, {"socket.nagle.disable", "true"}, {NULL, NULL}};
    static const struct client_property fixed[] = {{"transactional.id", "kontor-cli.rekey"}, {"transaction.timeout.ms", "60000"}, {"partitioner", "murmur2_random"},
                                                   {"message.timeout.ms", "55000"}, {"message.max.bytes", "4194304"}, {NULL, NULL}};
    if (!connection_client(making->connection, RD_KAFKA_PRODUCER, usual, fixed, &making->sending.events, set_callbacks, &making->sending, &making->producer, error)) return false;
    return went(rd_kafka_init_transactions(making->producer, CALL_MS), "no transaction can be begun", error);
}

bool making_begin(struct making *making, struct error *error) { return went(rd_kafka_begin_transaction(making->producer), "no transaction can be begun", error); }

bool making_send(struct making *making, const char *topic, int32_t partition, struct slice key, struct slice value, int64_t timestamp_ms, rd_kafka_headers_t *headers, struct error *error) {
    rd_kafka_resp_err_t code;
    while ((code = rd_kafka_producev(making->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                     RD_KAFKA_V_KEY(key.data, key.length), RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.length),
                                     RD_KAFKA_V_TIMESTAMP(timestamp_ms), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        rd_kafka_poll(making->producer, PAUSE_MS);
    rd_kafka_poll(making->producer, 0);
    return !code || error_set(error, "%s/%" PRId32 " cannot be written: %s", topic, partition, rd_kafka_err2str(code));
}

bool making_close_generation(struct making *making, const char *processor, const char *closed, int32_t partitions, const struct generation *next, char *const *offsets, struct error *error) {
    char text[GENERATION_TEXT_SIZE], sealed[STATE_SEAL_SIZE + GENERATION_MARK_SIZE];
    const int length = generation_format(text, next, closed);
    for (int32_t p = 0; p < partitions; p++) {
        const int all = snprintf(sealed + STATE_SEAL_SIZE, GENERATION_MARK_SIZE, "%s%s%s", text, offsets ? GENERATION_OFFSETS : "", offsets ? offsets[p] : "");
        if (length >= GENERATION_TEXT_SIZE || all >= GENERATION_MARK_SIZE) return error_set(error, "%s/%" PRId32 ": what is to be said of its end is too long", closed, p);
        const struct slice mark = {sealed, STATE_SEAL_SIZE + (size_t)all};
        state_seal(sealed, mark.length, generation_closed_key, 0);
        if (!making_send(making, closed, p, generation_closed_key, mark, clock_wall_ms(), NULL, error)) return false;
    }
    return making_send(making, GENERATIONS_TOPIC, 0, slice_of(processor), (struct slice){text, (size_t)length}, clock_wall_ms(), NULL, error);
}

bool making_offsets(struct making *making, const rd_kafka_topic_partition_list_t *offsets, const rd_kafka_consumer_group_metadata_t *group, struct error *error) {
    return went(rd_kafka_send_offsets_to_transaction(making->producer, offsets, group, CALL_MS), "the offsets of a group cannot be set", error);
}

bool making_flush(struct making *making, struct error *error) {
    if (rd_kafka_flush(making->producer, CALL_MS)) return error_set(error, "records are not acknowledged after %d s; run this again", CALL_MS / 1000);
    return !making->sending.failed || error_set(error, "%" PRIu64 " records were not written: %s; run this again", making->sending.failed, making->sending.why);
}

bool making_end(struct making *making, bool ok, struct error *error) {
    if (ok) {
        making_say("committing");
        return went(rd_kafka_commit_transaction(making->producer, CALL_MS), "the transaction's end is not known", error);
    }
    rd_kafka_error_t *failure = rd_kafka_abort_transaction(making->producer, CALL_MS);     /* or the broker does, when its time is up */
    if (failure) rd_kafka_error_destroy(failure);
    return false;
}
