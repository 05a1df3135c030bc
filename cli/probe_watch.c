#include "cli/probe_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/record_line.h"
#include "common/platform/clock.h"
#include "common/platform/log.h"
#include "schemas/flow_policy.h"
#include "schemas/source_permission.h"

enum { CALL_MS = 1000, AGAIN_MS = 1000, VALUE_MEMORY = 64 << 20, POLICIES = 0, PERMISSIONS = 1, ACKNOWLEDGMENTS = 2, TOPICS = 3 };

static const char *const topic_names_read[TOPICS] = {"master.flow-policies", "master.source-permissions", "acknowledgments"};

static const struct client_property usual[] = {{"client.id", "kontor-probe"}, {"socket.nagle.disable", "true"}, {"fetch.wait.max.ms", "100"}, {"reconnect.backoff.max.ms", "1000"},
                                               {"queued.max.messages.kbytes", "16384"}, {NULL, NULL}};
static const struct client_property fixed[] = {{"isolation.level", "read_committed"}, {"enable.partition.eof", "true"}, {"enable.auto.commit", "false"}, {NULL, NULL}};

/* What one record of a table says. group: its key without the day. */
struct row { char *group; int32_t valid_from; bool active, synthetic; char *entities; };     /* entities: with a newline before and behind each */

struct probe_watch {
    struct client_events events;    /* first: client.h */
    const struct connection *connection;
    struct values *values;
    struct arena arena;
    rd_kafka_t *client;
    rd_kafka_queue_t *queue;
    rd_kafka_topic_t *topics[TOPICS];
    int32_t partitions[TOPICS], table_ends[TOPICS];     /* table_ends: partitions of a table that were read to their end */
    bool *ended[TOPICS];
    bool following;
    int64_t again_ms;
    struct row *rows[2];
    size_t row_count[2];
    rd_kafka_message_t *stuck;      /* the registry has to answer before it can be read */
    struct error reason;
};

/* ---- the topics ---- */

/* Where acknowledgments end now: what is told from here on is told of what is sent from here on. */
static bool ends_ask(struct probe_watch *watch, rd_kafka_topic_partition_list_t *list) {
    for (int32_t p = 0; p < watch->partitions[ACKNOWLEDGMENTS]; p++)
        rd_kafka_topic_partition_list_add(list, topic_names_read[ACKNOWLEDGMENTS], p)->offset = RD_KAFKA_OFFSET_END;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(watch->client, list, CALL_MS);
    for (int i = 0; !code && i < list->cnt; i++) code = list->elems[i].err;
    return !code || error_set(&watch->reason, "the end of acknowledgments cannot be asked for: %s", rd_kafka_err2str(code));
}

static bool partitions_find(struct probe_watch *watch) {
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t code = rd_kafka_metadata(watch->client, 1, NULL, &metadata, CALL_MS);
    if (code) return error_set(&watch->reason, "no broker answers at %s: %s", connection_brokers(watch->connection), rd_kafka_err2str(code));
    bool ok = true;
    for (int i = 0; ok && i < TOPICS; i++) {
        const struct rd_kafka_metadata_topic *topic = metadata_topic(metadata, topic_names_read[i]);
        ok = topic && !topic->err && topic->partition_cnt > 0 ? true : error_set(&watch->reason, "there is no topic %s; kontor topics apply creates it", topic_names_read[i]);
        if (!ok) break;
        watch->partitions[i] = topic->partition_cnt;
        free(watch->ended[i]);
        watch->ended[i] = calloc((size_t)topic->partition_cnt, sizeof *watch->ended[i]);
        ok = watch->ended[i] || error_set(&watch->reason, "out of memory");
    }
    rd_kafka_metadata_destroy(metadata);
    return ok;
}

static bool follow(struct probe_watch *watch) {
    rd_kafka_topic_partition_list_t *ends = rd_kafka_topic_partition_list_new(32);
    bool ok = partitions_find(watch) && ends_ask(watch, ends);
    for (int i = 0; ok && i < TOPICS; i++)
        for (int32_t p = 0; ok && p < watch->partitions[i]; p++) {
            const rd_kafka_topic_partition_t *end = i == ACKNOWLEDGMENTS ? rd_kafka_topic_partition_list_find(ends, topic_names_read[i], p) : NULL;
            if (rd_kafka_consume_start_queue(watch->topics[i], p, end ? end->offset : RD_KAFKA_OFFSET_BEGINNING, watch->queue))
                ok = error_set(&watch->reason, "%s cannot be read: %s", topic_names_read[i], rd_kafka_err2str(rd_kafka_last_error()));
        }
    rd_kafka_topic_partition_list_destroy(ends);
    return ok;
}

/* ---- the tables ---- */

static const char *day_of(struct slice key, int32_t *valid_from, size_t *group) {
    size_t bar = key.length;
    while (bar && key.data[bar - 1] != '|') bar--;
    int64_t time_ms;
    char text[32];
    if (!bar || key.length - bar >= sizeof text) return NULL;
    snprintf(text, sizeof text, SLICE_FORMAT, (int)(key.length - bar), key.data + bar);
    if (!time_parse(text, &time_ms)) return NULL;
    *valid_from = (int32_t)(time_ms >= 0 ? time_ms / 86400000 : (time_ms - 86399999) / 86400000);
    *group = bar - 1;
    return key.data;
}

/* The row under that key, made if need be; NULL: it is no key of a table, or memory is out. */
static struct row *row_of(struct probe_watch *watch, int table, struct slice key) {
    int32_t valid_from;
    size_t length;
    if (!day_of(key, &valid_from, &length)) return NULL;
    for (size_t i = 0; i < watch->row_count[table]; i++) {
        struct row *row = &watch->rows[table][i];
        if (row->valid_from == valid_from && slice_equal(slice_of(row->group), (struct slice){key.data, length})) return row;
    }
    struct row *grown = realloc(watch->rows[table], (watch->row_count[table] + 1) * sizeof *grown);
    if (!grown) return NULL;
    watch->rows[table] = grown;
    char *group = strndup(key.data, length);
    if (!group) return NULL;
    grown[watch->row_count[table]] = (struct row){.group = group, .valid_from = valid_from};
    return &grown[watch->row_count[table]++];
}

static char *entities_of(const struct source_permission *permission) {
    struct buffer text = {0};
    bool ok = buffer_append(&text, "\n", 1);
    for (size_t i = 0; i < permission->entities.count; i++)
        ok = ok && buffer_append(&text, permission->entities.items[i].data, permission->entities.items[i].length) && buffer_append(&text, "\n", 1);
    ok = ok && buffer_append(&text, "", 1);
    char *made = ok ? strdup(text.data) : NULL;
    buffer_free(&text);
    return made;
}

/* False: the registry does not answer. */
static bool table_take(struct probe_watch *watch, int table, const rd_kafka_message_t *message) {
    union { struct flow_policy policy; struct source_permission permission; } record;
    struct error why;
    struct row *row = row_of(watch, table, (struct slice){message->key, message->key_len});
    if (!row) return true;
    enum values_result read = VALUES_UNREADABLE;
    arena_reset(&watch->arena);
    if (message->payload) read = values_decode(watch->values, (struct slice){message->payload, message->len}, table == POLICIES ? &flow_policy_type : &source_permission_type,
                                               &watch->arena, &record, &why);
    if (read == VALUES_FAILED) return error_set(&watch->reason, "%s", why.text);
    free(row->entities);
    *row = (struct row){.group = row->group, .valid_from = row->valid_from};    /* a tombstone, or nonsense, holds nothing */
    if (read != VALUES_OK) return true;
    row->active = slice_equal(table == POLICIES ? record.policy.status : record.permission.status, SLICE("active"));
    if (table == POLICIES) return true;
    row->synthetic = record.permission.synthetic;
    row->entities = entities_of(&record.permission);
    return true;
}

/* The row of a group that holds today; NULL: none. */
static const struct row *row_today(const struct probe_watch *watch, int table, const char *group, int32_t today) {
    const struct row *found = NULL;
    for (size_t i = 0; i < watch->row_count[table]; i++) {
        const struct row *row = &watch->rows[table][i];
        if (row->valid_from <= today && (!found || row->valid_from > found->valid_from) && strcmp(row->group, group) == 0) found = row;
    }
    return found && found->active ? found : NULL;
}

void probe_watch_flows(const struct probe_watch *watch, int32_t today, void (*visit)(void *context, const char *flow), void *context) {
    for (size_t i = 0; i < watch->row_count[POLICIES]; i++) {
        const char *group = watch->rows[POLICIES][i].group, *bar = strchr(group, '|');
        bool before = false;
        if (!bar || !row_today(watch, POLICIES, group, today)) continue;
        for (size_t k = 0; k < i && !before; k++) {
            const char *other = watch->rows[POLICIES][k].group, *there = strchr(other, '|');
            before = there && strcmp(there, bar) == 0 && row_today(watch, POLICIES, other, today);
        }
        if (!before) visit(context, bar + 1);
    }
}

bool probe_watch_permits(const struct probe_watch *watch, const char *source, const char *topic, const char *entity, int32_t today) {
    struct buffer group = {0};
    char line[300];
    bool permits = false;
    if (key_append(&group, slice_of(source)) && buffer_append(&group, "|", 1) && key_append(&group, slice_of(topic)) && buffer_append(&group, "", 1)) {
        const struct row *row = row_today(watch, PERMISSIONS, group.data, today);
        snprintf(line, sizeof line, "\n%.250s\n", entity);
        permits = row && row->synthetic && row->entities && (strstr(row->entities, "\n*\n") || strstr(row->entities, line));
    }
    buffer_free(&group);
    return permits;
}

/* ---- records ---- */

/* False: the registry does not answer. */
static bool acknowledgment_take(struct probe_watch *watch, const rd_kafka_message_t *message, const struct probe_listener *listener) {
    struct acknowledgment acknowledgment;
    struct error why;
    if (!listener->wants(listener->context, (struct slice){message->key, message->key_len})) return true;
    arena_reset(&watch->arena);
    switch (values_decode(watch->values, (struct slice){message->payload, message->len}, &acknowledgment_type, &watch->arena, &acknowledgment, &why)) {
    case VALUES_FAILED: return error_set(&watch->reason, "%s", why.text);
    case VALUES_UNREADABLE: return true;
    case VALUES_OK: break;
    }
    if (acknowledgment.synthetic) listener->acknowledged(listener->context, &acknowledgment);
    return true;
}

static void notice_take(struct probe_watch *watch, const rd_kafka_message_t *message, int topic) {
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (topic >= 0 && !watch->ended[topic][message->partition]) {
            watch->ended[topic][message->partition] = true;
            watch->table_ends[topic]++;
        }
        return;
    }
    if (message->err != RD_KAFKA_RESP_ERR__TRANSPORT && message->err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        log_warning("fetch_failed", "%s: %s", topic >= 0 ? topic_names_read[topic] : "a topic", rd_kafka_message_errstr(message));
}

static bool message_take(struct probe_watch *watch, const rd_kafka_message_t *message, const struct probe_listener *listener) {
    int topic = TOPICS - 1;
    while (topic >= 0 && watch->topics[topic] != message->rkt) topic--;
    if (message->err) notice_take(watch, message, topic);
    else if (topic == ACKNOWLEDGMENTS) return acknowledgment_take(watch, message, listener);
    else if (topic >= 0) return table_take(watch, topic, message);
    return true;
}

/* ---- the whole ---- */

bool probe_watch_open(struct probe_watch **result, const struct connection *connection, struct error *error) {
    struct probe_watch *watch = calloc(1, sizeof *watch);
    if (!watch) return error_set(error, "out of memory");
    watch->events.role = "consumer";
    watch->connection = connection;
    arena_init(&watch->arena, 1 << 16, VALUE_MEMORY);
    error_set(&watch->reason, "it has just started");
    bool ok = values_open(&watch->values, connection, error) &&
              connection_client(connection, RD_KAFKA_CONSUMER, usual, fixed, &watch->events, NULL, watch, &watch->client, error);
    if (ok) watch->queue = rd_kafka_queue_new(watch->client);
    for (int i = 0; ok && i < TOPICS; i++) watch->topics[i] = rd_kafka_topic_new(watch->client, topic_names_read[i], NULL);
    *result = watch;
    if (ok) return true;
    probe_watch_close(watch);
    *result = NULL;
    return false;
}

void probe_watch_close(struct probe_watch *watch) {
    if (!watch) return;
    if (watch->stuck) rd_kafka_message_destroy(watch->stuck);
    for (int i = 0; watch->following && i < TOPICS; i++)
        for (int32_t p = 0; p < watch->partitions[i]; p++) rd_kafka_consume_stop(watch->topics[i], p);
    if (watch->queue) rd_kafka_queue_destroy(watch->queue);
    for (int i = 0; i < TOPICS; i++) {
        if (watch->topics[i]) rd_kafka_topic_destroy(watch->topics[i]);
        free(watch->ended[i]);
    }
    if (watch->client) rd_kafka_destroy(watch->client);
    for (int table = 0; table < 2; table++) {
        for (size_t i = 0; i < watch->row_count[table]; i++) {
            free(watch->rows[table][i].group);
            free(watch->rows[table][i].entities);
        }
        free(watch->rows[table]);
    }
    values_close(watch->values);
    arena_free(&watch->arena);
    free(watch);
}

void probe_watch_step(struct probe_watch *watch, int wait_ms, const struct probe_listener *listener) {
    rd_kafka_poll(watch->client, 0);
    if (!watch->following) {
        if (clock_monotonic_ms() < watch->again_ms) return;
        watch->again_ms = clock_monotonic_ms() + AGAIN_MS;
        watch->following = follow(watch);
        if (!watch->following) return;
    }
    for (rd_kafka_message_t *message; (message = watch->stuck ? watch->stuck : rd_kafka_consume_queue(watch->queue, wait_ms)); wait_ms = 0) {
        watch->stuck = NULL;
        client_reached(&watch->events);
        if (!message_take(watch, message, listener)) {
            watch->stuck = message;
            return;
        }
        rd_kafka_message_destroy(message);
    }
    watch->reason.text[0] = 0;
}

const char *probe_watch_reason(const struct probe_watch *watch) {
    if (client_is_unreachable(&watch->events)) return "no broker can be reached";
    if (watch->reason.text[0]) return watch->reason.text;
    for (int i = POLICIES; i <= PERMISSIONS; i++)
        if (watch->table_ends[i] < watch->partitions[i]) return "the master tables are being read";
    return "";
}
