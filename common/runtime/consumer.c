#include "common/runtime/consumer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/platform/clock.h"
#include "common/platform/log.h"
#include "common/runtime/nudge.h"

enum {
    CHUNK = 128,            /* records taken from a queue of librdkafka at a time */
    AHEAD_RECORDS = 16000, AHEAD_RECORDS_LEAST = 500, AHEAD_RECORDS_MOST = 2000,                /* fetched ahead in all, for one partition */
    AHEAD_BYTES = 8 << 20, AHEAD_BYTES_LEAST = 128 << 10, AHEAD_BYTES_MOST = 512 << 10,
    COMMITTED_TIMEOUT_MS = 500,
    TROUBLE_MS = 60000,     /* how long after a lost answer being fenced may be our own doing */
    RENEWALS_MAXIMUM = 5,   /* within RENEWALS_MS */
    RENEWALS_MS = 600000,
    API_LEAVE_GROUP = 13
};

struct source {
    rd_kafka_queue_t *queue;        /* NULL until first assigned */
    rd_kafka_message_t *records[CHUNK];
    size_t count, next;
    bool at_end;
    int64_t position;
    int64_t end;                    /* where the log ended when at_end was told */
};

struct consumer {
    struct client_events events;    /* first: the client's opaque */
    struct consumer_options options;
    rd_kafka_t *client;
    rd_kafka_queue_t *group_queue;
    struct source *sources;         /* partition * topic_count + input */
    bool *owned;                    /* by partition */
    rd_kafka_topic_partition_list_t *wanted;    /* the assignment, NULL: none */
    bool settled;                   /* ... is being fetched */
    int ahead_records, ahead_bytes; /* for one partition */
    bool revoked, failed, fenced;
    struct fatal_cause failure;
    atomic_llong trouble_ms;        /* when a request last ended without an answer */
    int renewals;
    int64_t renewals_since_ms;
    void *generation;               /* the group metadata at the assignment, as bytes */
    size_t generation_size;
    struct nudge nudge;
    atomic_bool left;
    struct error reason;
};

static struct source *source_of(const struct consumer *consumer, int input, int32_t partition) {
    return &consumer->sources[(size_t)partition * consumer->options.topic_count + (size_t)input];
}

static void fail(struct consumer *consumer, enum exit_code code, const char *text) {
    if (consumer->failed) return;
    consumer->failed = true;
    fatal_because(&consumer->failure, code, "%s", text);
}

/* ---- sources ---- */

static void source_drop(struct source *source) {
    while (source->next < source->count) rd_kafka_message_destroy(source->records[source->next++]);
    source->count = source->next = 0;
    source->at_end = false;
    source->position = source->end = -1;
}

/* The queue is kept for the consumer's life: unforwarding survives every later assignment of the partition. */
static bool source_open(struct consumer *consumer, int input, int32_t partition) {
    static const uint64_t one = 1;
    struct source *source = source_of(consumer, input, partition);
    if (source->queue) return true;
    source->queue = rd_kafka_queue_get_partition(consumer->client, consumer->options.topics[input], partition);
    if (!source->queue) return false;
    rd_kafka_queue_forward(source->queue, NULL);
    rd_kafka_queue_io_event_enable(source->queue, consumer->options.wake, &one, sizeof one);
    return true;
}

static void refill(struct consumer *consumer, struct source *source, int input, int32_t partition) {
    source->next = source->count = 0;
    if (rd_kafka_queue_length(source->queue) == 0) return;
    ssize_t count = rd_kafka_consume_batch_queue(source->queue, 0, source->records, CHUNK);
    source->count = count > 0 ? (size_t)count : 0;
    if (source->count == CHUNK && (int)rd_kafka_queue_length(source->queue) <= consumer->ahead_records / 2)
        nudge_note(&consumer->nudge, consumer->options.topics[input], partition);
    if (source->count) client_reached(&consumer->events);
}

/* What is not a record at the head of a source. */
static void take_notice(struct consumer *consumer, struct source *source, const rd_kafka_message_t *message, int input, int32_t partition) {
    const char *topic = consumer->options.topics[input];
    char text[512];
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        source->at_end = true;
        source->end = message->offset;
        if (message->offset >= 0 && source->position >= 0) source->position = message->offset;
        break;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        snprintf(text, sizeof text,
                 "%s/%d: the group's position is not in the log any more: records were deleted before they were read, or the topic was made anew (%s). "
                 "Say with `kontor offsets reset` where to go on",
                 topic, partition, rd_kafka_message_errstr(message));
        fail(consumer, EXIT_RUN, text);
        break;
    default:
        log_warning_with("fetch_failed", LOG_FIELDS(LOG_TEXT("topic", topic), LOG_INTEGER("partition", partition)), "%s", rd_kafka_message_errstr(message));
    }
}

enum consumer_head consumer_head(struct consumer *consumer, int input, int32_t partition, const rd_kafka_message_t **message) {
    struct source *source = source_of(consumer, input, partition);
    for (;;) {
        if (source->next == source->count) {
            refill(consumer, source, input, partition);
            if (source->count == 0) return source->at_end ? HEAD_END : HEAD_WAIT;
        }
        const rd_kafka_message_t *head = source->records[source->next];
        if (!head->err) {
            *message = head;
            return HEAD_RECORD;
        }
        take_notice(consumer, source, head, input, partition);
        rd_kafka_message_destroy(source->records[source->next++]);
    }
}

rd_kafka_message_t *consumer_take(struct consumer *consumer, int input, int32_t partition) {
    struct source *source = source_of(consumer, input, partition);
    rd_kafka_message_t *message = source->records[source->next++];
    source->at_end = false;
    source->position = message->offset + 1;
    return message;
}

int64_t consumer_position(const struct consumer *consumer, int input, int32_t partition) { return source_of(consumer, input, partition)->position; }

int64_t consumer_lag(struct consumer *consumer, int input) {
    if (!consumer_is_assigned(consumer)) return 1;
    int64_t lag = 0;
    for (int32_t p = 0; p < consumer->options.partition_count; p++) {
        if (!consumer->owned[p]) continue;
        const struct source *source = source_of(consumer, input, p);
        int64_t low, high, begin, end, position = source->position;
        if (rd_kafka_get_watermark_offsets(consumer->client, consumer->options.topics[input], p, &low, &high) || high < 0) low = high = -1;
        if (consumer->options.ends && ends_known(consumer->options.ends, (size_t)input, p, &begin, &end)) {
            if (low < begin) low = begin;
            if (high < end) high = end;
        }
        if (high < 0) {
            lag++;   /* not told yet: not caught up */
            continue;
        }
        if (position < low) position = low;
        if (source->at_end && source->end > position) position = source->end;   /* nothing but aborted records was there: none was ever taken */
        if (high > position) lag += high - position;
    }
    return lag;
}

/* ---- assignment ---- */

static bool serialised(struct consumer *consumer, rd_kafka_consumer_group_metadata_t **group, void **bytes, size_t *size) {
    *group = rd_kafka_consumer_group_metadata(consumer->client);
    if (!*group) return false;
    rd_kafka_error_t *error = rd_kafka_consumer_group_metadata_write(*group, bytes, size);
    if (!error) return true;
    rd_kafka_error_destroy(error);
    rd_kafka_consumer_group_metadata_destroy(*group);
    return false;
}

rd_kafka_consumer_group_metadata_t *consumer_group(struct consumer *consumer) {
    rd_kafka_consumer_group_metadata_t *group;
    void *bytes;
    size_t size;
    if (!consumer->settled || rd_kafka_assignment_lost(consumer->client) || !serialised(consumer, &group, &bytes, &size)) return NULL;
    bool same = size == consumer->generation_size && memcmp(bytes, consumer->generation, size) == 0;
    rd_kafka_mem_free(consumer->client, bytes);
    if (same) return group;
    rd_kafka_consumer_group_metadata_destroy(group);
    return NULL;
}

static void forget_assignment(struct consumer *consumer) {
    for (int32_t p = 0; p < consumer->options.partition_count; p++)
        for (size_t i = 0; i < consumer->options.topic_count; i++) source_drop(source_of(consumer, (int)i, p));
    for (int32_t p = 0; consumer->options.ends && p < consumer->options.partition_count; p++) ends_want(consumer->options.ends, p, false);
    memset(consumer->owned, 0, (size_t)consumer->options.partition_count * sizeof *consumer->owned);
    if (consumer->wanted) rd_kafka_topic_partition_list_destroy(consumer->wanted);
    consumer->wanted = NULL;
    consumer->settled = false;
    rd_kafka_mem_free(consumer->client, consumer->generation);
    consumer->generation = NULL;
}

/* A task is one partition number of every input. */
static bool is_whole(struct consumer *consumer, const rd_kafka_topic_partition_list_t *partitions, char *text, size_t size) {
    for (int i = 0; i < partitions->cnt; i++) {
        const rd_kafka_topic_partition_t *p = &partitions->elems[i];
        if (p->partition >= consumer->options.partition_count) {
            snprintf(text, size, "%s has a partition %d, but was made with %d: more partitions need new topics (`kontor rekey`)", p->topic, p->partition,
                     consumer->options.partition_count);
            return false;
        }
        for (size_t t = 0; t < consumer->options.topic_count; t++)
            if (!rd_kafka_topic_partition_list_find(partitions, consumer->options.topics[t], p->partition)) {
                snprintf(text, size, "%s/%d was assigned without %s/%d: a member of group %s has another assignor or other inputs than this one", p->topic,
                         p->partition, consumer->options.topics[t], p->partition, consumer->options.group);
                return false;
            }
    }
    return true;
}

static void rebalanced(rd_kafka_t *client, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *partitions, void *opaque) {
    struct consumer *consumer = opaque;
    char text[512];
    forget_assignment(consumer);
    if (err != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        if (rd_kafka_assignment_lost(client)) log_warning("assignment_lost", "the group has given the partitions to others");
        consumer->revoked = true;
        rd_kafka_assign(client, NULL);
        return;
    }
    if (!is_whole(consumer, partitions, text, sizeof text)) {
        fail(consumer, EXIT_RUN, text);
        rd_kafka_assign(client, NULL);
        return;
    }
    rd_kafka_consumer_group_metadata_t *group;
    if (serialised(consumer, &group, &consumer->generation, &consumer->generation_size)) rd_kafka_consumer_group_metadata_destroy(group);
    consumer->wanted = rd_kafka_topic_partition_list_copy(partitions);
}

static int input_of(const struct consumer *consumer, const char *topic) {
    size_t i = 0;
    while (strcmp(consumer->options.topics[i], topic) != 0) i++;
    return (int)i;
}

/* The wanted partitions with the group's stable committed offsets; the beginning where it has none. */
static bool read_committed(struct consumer *consumer, int timeout_ms) {
    rd_kafka_topic_partition_list_t *list = consumer->wanted;
    rd_kafka_resp_err_t err = list->cnt ? rd_kafka_committed(consumer->client, list, timeout_ms) : RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; !err && i < list->cnt; i++) err = list->elems[i].err;
    if (err) return error_set(&consumer->reason, "the group's committed offsets cannot be read: %s", rd_kafka_err2str(err));
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].offset < 0) list->elems[i].offset = RD_KAFKA_OFFSET_BEGINNING;
    return true;
}

static void start_sources(struct consumer *consumer) {
    for (int i = 0; i < consumer->wanted->cnt; i++) {
        const rd_kafka_topic_partition_t *p = &consumer->wanted->elems[i];
        struct source *source = source_of(consumer, input_of(consumer, p->topic), p->partition);
        source_drop(source);
        if (p->offset >= 0) source->position = p->offset;
        consumer->owned[p->partition] = true;
        if (consumer->options.ends) ends_want(consumer->options.ends, p->partition, true);
    }
}

static bool assign_wanted(struct consumer *consumer) {
    if (!read_committed(consumer, COMMITTED_TIMEOUT_MS)) return false;
    for (int i = 0; i < consumer->wanted->cnt; i++) {
        const rd_kafka_topic_partition_t *p = &consumer->wanted->elems[i];
        if (!source_open(consumer, input_of(consumer, p->topic), p->partition))
            return error_set(&consumer->reason, "%s/%d has no queue", p->topic, p->partition);
    }
    rd_kafka_resp_err_t err = rd_kafka_assign(consumer->client, consumer->wanted);
    if (err) return error_set(&consumer->reason, "assigning the partitions: %s", rd_kafka_err2str(err));
    start_sources(consumer);
    return true;
}

enum step consumer_commit(struct consumer *consumer, const rd_kafka_topic_partition_list_t *offsets, struct abort_cause *abort) {
    rd_kafka_resp_err_t err = rd_kafka_commit(consumer->client, offsets, 0);
    return err ? abort_because(abort, "committing the offsets: %s", rd_kafka_err2str(err)) : STEP_DONE;
}

/* By seeking: librdkafka 2.0.2 stumbles over an assertion of its own when it is told to assign anew while it is still stopping what it had. */
bool consumer_rewind(struct consumer *consumer, int timeout_ms) {
    if (!consumer->settled || consumer->wanted->cnt == 0) return true;
    if (!read_committed(consumer, timeout_ms)) return false;
    rd_kafka_error_t *error = rd_kafka_seek_partitions(consumer->client, consumer->wanted, timeout_ms);
    rd_kafka_resp_err_t err = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (error) rd_kafka_error_destroy(error);
    for (int i = 0; !err && i < consumer->wanted->cnt; i++) err = consumer->wanted->elems[i].err;
    if (err) return error_set(&consumer->reason, "going back to the committed offsets: %s", rd_kafka_err2str(err));
    start_sources(consumer);
    return true;
}

/* ---- the client ---- */

static rd_kafka_resp_err_t request_ended(rd_kafka_t *client, int socket, const char *broker, int32_t broker_id, int16_t api, int16_t version,
                                         int32_t correlation, size_t size, int64_t round_trip, rd_kafka_resp_err_t err, void *opaque) {
    (void)client, (void)socket, (void)broker, (void)broker_id, (void)version, (void)correlation, (void)size, (void)round_trip;
    struct consumer *consumer = opaque;
    if (api == API_LEAVE_GROUP) atomic_store(&consumer->left, true);
    if (err) atomic_store(&consumer->trouble_ms, clock_monotonic_ms());    /* any connection: a fetch is nearly always under way */
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t client_made(rd_kafka_t *client, const rd_kafka_conf_t *conf, void *opaque, char *text, size_t size) {
    (void)conf, (void)text, (void)size;
    return rd_kafka_interceptor_add_on_response_received(client, "leave", request_ended, opaque);
}

static void set_callbacks(rd_kafka_conf_t *conf, void *opaque) {
    rd_kafka_conf_set_rebalance_cb(conf, rebalanced);
    rd_kafka_conf_interceptor_add_on_new(conf, "leave", client_made, opaque);
}

static bool start_client(struct consumer *consumer, struct error *error) {
    char session_timeout[16], heartbeat[16], ahead_records[16], ahead_kbytes[16], fetch_bytes[16];
    snprintf(session_timeout, sizeof session_timeout, "%d", consumer->options.session_timeout_ms);
    snprintf(heartbeat, sizeof heartbeat, "%d", consumer->options.session_timeout_ms / 6);
    snprintf(ahead_records, sizeof ahead_records, "%d", consumer->ahead_records);
    snprintf(ahead_kbytes, sizeof ahead_kbytes, "%d", consumer->ahead_bytes / 1024);
    snprintf(fetch_bytes, sizeof fetch_bytes, "%d", consumer->ahead_bytes / 4);     /* compressed */
    /* What is ahead is small for the memory: a full queue of every partition is all of it. A partition that has more than the others is then left out of a fetch while it is full, and
     * waits for the others' answer: so that comes soon, also when they have nothing. */
    const struct client_property usual[] = {
        {"session.timeout.ms", session_timeout}, {"heartbeat.interval.ms", heartbeat}, {"socket.nagle.disable", "true"},
        {"queued.max.messages.kbytes", ahead_kbytes}, {"queued.min.messages", ahead_records}, {"fetch.message.max.bytes", fetch_bytes},
        {"fetch.max.bytes", "1048576"}, {"fetch.wait.max.ms", "20"}, {"fetch.error.backoff.ms", "100"},
        {"reconnect.backoff.ms", "50"}, {"reconnect.backoff.max.ms", "1000"}, {"socket.timeout.ms", "10000"}, {"socket.connection.setup.timeout.ms", "5000"}, {NULL, NULL}};
    const struct client_property fixed[] = {
        {"group.id", consumer->options.group}, {"group.instance.id", consumer->options.instance}, {"partition.assignment.strategy", "range"},
        {"isolation.level", "read_committed"}, {"enable.auto.commit", "false"}, {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"}, {"enable.partition.eof", "true"}, {NULL, NULL}};
    struct client_options options = {RD_KAFKA_CONSUMER, consumer->options.settings, usual, fixed, &consumer->events, set_callbacks, consumer, true};
    return client_new(&consumer->client, &options, error);
}

static bool subscribe(struct consumer *consumer, struct error *error) {
    static const uint64_t one = 1;
    rd_kafka_poll_set_consumer(consumer->client);
    consumer->group_queue = rd_kafka_queue_get_consumer(consumer->client);
    rd_kafka_queue_io_event_enable(consumer->group_queue, consumer->options.wake, &one, sizeof one);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new((int)consumer->options.topic_count);
    for (size_t i = 0; i < consumer->options.topic_count; i++)
        rd_kafka_topic_partition_list_add(topics, consumer->options.topics[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t err = rd_kafka_subscribe(consumer->client, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    return !err || error_set(error, "subscribing to the inputs: %s", rd_kafka_err2str(err));
}

static void stop_client(struct consumer *consumer) {
    size_t count = (size_t)consumer->options.partition_count * consumer->options.topic_count;
    forget_assignment(consumer);
    for (size_t i = 0; i < count; i++) {
        if (!consumer->sources[i].queue) continue;
        rd_kafka_queue_io_event_enable(consumer->sources[i].queue, -1, NULL, 0);
        rd_kafka_queue_destroy(consumer->sources[i].queue);
        consumer->sources[i].queue = NULL;
    }
    if (consumer->group_queue) {
        rd_kafka_queue_io_event_enable(consumer->group_queue, -1, NULL, 0);
        rd_kafka_queue_destroy(consumer->group_queue);
        consumer->group_queue = NULL;
    }
    if (consumer->client) rd_kafka_destroy_flags(consumer->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    consumer->client = NULL;
}

static bool renew_client(struct consumer *consumer, struct fatal_cause *fatal) {
    struct error error;
    log_warning("member_renewed", "the group takes this member for another of the same name, after a lost session: joining it anew");
    stop_client(consumer);
    consumer->fenced = false;
    consumer->revoked = true;
    if (start_client(consumer, &error) && subscribe(consumer, &error)) return true;
    fatal_because(fatal, EXIT_RUN, "%.500s", error.text);
    return false;
}

/* After a session that was lost to the network librdkafka joins anew as the same static member, and a request of the old membership that is answered late
 * is told that it was fenced: by ourselves. Without such trouble it is a twin. */
static bool may_be_our_own_doing(struct consumer *consumer) {
    int64_t now = clock_monotonic_ms(), trouble = atomic_load(&consumer->trouble_ms);
    if (now - consumer->renewals_since_ms > RENEWALS_MS) {
        consumer->renewals = 0;
        consumer->renewals_since_ms = now;
    }
    return trouble && now - trouble < TROUBLE_MS && consumer->renewals++ < RENEWALS_MAXIMUM;
}

static void take_group_error(struct consumer *consumer, const rd_kafka_message_t *message) {
    char text[400];
    if (message->err != RD_KAFKA_RESP_ERR__FATAL) {
        if (message->err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && message->err != RD_KAFKA_RESP_ERR__TRANSPORT)
            log_warning("group_error", "%s", rd_kafka_message_errstr(message));
        error_set(&consumer->reason, "%s", rd_kafka_message_errstr(message));
        return;
    }
    rd_kafka_resp_err_t err = rd_kafka_fatal_error(consumer->client, text, sizeof text);
    bool twin = err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
    if (twin && may_be_our_own_doing(consumer)) {
        consumer->fenced = true;
        return;
    }
    char whole[512];
    snprintf(whole, sizeof whole, twin ? "another process has joined group %s under the name %s: give each instance its own instance.name (%s)" : "group %s, member %s: %s",
             consumer->options.group, consumer->options.instance, text);
    fail(consumer, twin ? EXIT_TWIN : EXIT_RUN, whole);
}

enum step consumer_poll(struct consumer *consumer, struct consumer_change *change, struct fatal_cause *fatal) {
    *change = (struct consumer_change){0};
    rd_kafka_message_t *message;
    while ((message = rd_kafka_consumer_poll(consumer->client, 0))) {
        if (message->err) take_group_error(consumer, message);
        rd_kafka_message_destroy(message);
    }
    if (consumer->fenced && !renew_client(consumer, fatal)) return STEP_FATAL;
    if (consumer->wanted && !consumer->settled && assign_wanted(consumer)) {
        consumer->settled = change->assigned = true;
        consumer->reason.text[0] = 0;
        client_reached(&consumer->events);
    }
    change->revoked = consumer->revoked;
    consumer->revoked = false;
    nudge_send(&consumer->nudge, consumer->client);
    if (!consumer->failed) return STEP_DONE;
    *fatal = consumer->failure;
    return STEP_FATAL;
}

bool consumer_owns(const struct consumer *consumer, int32_t partition) { return consumer->settled && consumer->owned[partition]; }
bool consumer_is_assigned(const struct consumer *consumer) { return consumer->settled; }
const char *consumer_reason(const struct consumer *consumer) {
    if (consumer->settled) return "";
    if (client_is_unreachable(&consumer->events)) return "no broker can be reached";
    return consumer->reason.text[0] ? consumer->reason.text : "the group has not assigned partitions yet";
}

static int share(int all, int parts, int least, int most) {
    int one = all / parts;
    return one < least ? least : one > most ? most : one;
}

bool consumer_open(struct consumer **result, const struct consumer_options *options, struct error *error) {
    struct consumer *consumer = calloc(1, sizeof *consumer);
    if (!consumer) return error_set(error, "out of memory");
    consumer->options = *options;
    consumer->events.role = "consumer";
    int queues = (int)options->topic_count * options->partition_count;
    consumer->ahead_records = share(AHEAD_RECORDS, queues, AHEAD_RECORDS_LEAST, AHEAD_RECORDS_MOST);
    consumer->ahead_bytes = share(AHEAD_BYTES, queues, AHEAD_BYTES_LEAST, AHEAD_BYTES_MOST);
    consumer->sources = calloc((size_t)options->partition_count * options->topic_count, sizeof *consumer->sources);
    consumer->owned = calloc((size_t)options->partition_count, sizeof *consumer->owned);
    nudge_open(&consumer->nudge);
    bool done = consumer->sources && consumer->owned ? start_client(consumer, error) && subscribe(consumer, error) : error_set(error, "out of memory");
    if (done) *result = consumer;
    else consumer_close(consumer, false, 0);
    return done;
}

/* A static member that unsubscribes leaves the group; one that just goes keeps its place. */
static void leave_group(struct consumer *consumer, int timeout_ms) {
    int64_t deadline = clock_monotonic_ms() + timeout_ms;
    rd_kafka_unsubscribe(consumer->client);
    while (!atomic_load(&consumer->left) && clock_monotonic_ms() < deadline) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer->client, 10);
        if (message) rd_kafka_message_destroy(message);
    }
}

void consumer_close(struct consumer *consumer, bool leave, int timeout_ms) {
    if (!consumer) return;
    if (consumer->client && leave) leave_group(consumer, timeout_ms);
    if (consumer->sources && consumer->owned) stop_client(consumer);
    nudge_close(&consumer->nudge);
    free(consumer->sources);
    free(consumer->owned);
    free(consumer);
}

const struct client_statistics *consumer_statistics(const struct consumer *consumer) { return &consumer->events.statistics; }
