#include "cli/probe_send.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/record_line.h"
#include "common/platform/clock.h"
#include "common/runtime/engine.h"

struct probe_maker { const char *topic; struct record_maker maker; };

struct probe_send {
    struct client_events events;    /* first: client.h */
    const struct connection *connection;
    const struct topic_list *topics;
    void (*delivered)(void *context, uintptr_t number, const char *why);
    void *context;
    rd_kafka_t *client;
    struct probe_maker makers[PROBE_FLOWS_MAXIMUM];
    size_t maker_count;
};

static void take_report(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
    struct probe_send *send = opaque;
    (void)client;
    if (!message->err) client_reached(&send->events);
    send->delivered(send->context, (uintptr_t)message->_private, message->err ? rd_kafka_err2str(message->err) : NULL);
}

static void set_report(rd_kafka_conf_t *conf, void *opaque) {
    (void)opaque;
    rd_kafka_conf_set_dr_msg_cb(conf, take_report);
}

bool probe_send_open(struct probe_send **result, const struct connection *connection, const struct topic_list *topics, int64_t timeout_ms,
                     void (*delivered)(void *context, uintptr_t number, const char *why), void *context, struct error *error) {
    static const struct client_property usual[] = {{"client.id", "kontor-probe"}, {"socket.nagle.disable", "true"}, {"reconnect.backoff.max.ms", "1000"}, {NULL, NULL}};
    char timeout[24];
    snprintf(timeout, sizeof timeout, "%" PRId64, timeout_ms);
    const struct client_property fixed[] = {{"enable.idempotence", "true"}, {"acks", "all"}, {"partitioner", "murmur2_random"}, {"linger.ms", "0"}, {"message.timeout.ms", timeout}, {NULL, NULL}};
    struct probe_send *send = calloc(1, sizeof *send);
    if (!send) return error_set(error, "out of memory");
    *send = (struct probe_send){.events = {.role = "producer"}, .connection = connection, .topics = topics, .delivered = delivered, .context = context};
    if (connection_client(connection, RD_KAFKA_PRODUCER, usual, fixed, &send->events, set_report, send, &send->client, error)) {
        *result = send;
        return true;
    }
    free(send);
    return false;
}

void probe_send_close(struct probe_send *send) {
    if (!send) return;
    rd_kafka_purge(send->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(send->client, 500);
    rd_kafka_destroy(send->client);
    for (size_t i = 0; i < send->maker_count; i++) record_maker_close(&send->makers[i].maker);
    free(send);
}

void probe_send_step(struct probe_send *send) { rd_kafka_poll(send->client, 0); }

/* The maker of the topic's records; NULL with the reason: the registry does not answer, or has not our schema. */
static struct record_maker *maker_of(struct probe_send *send, const char *name, struct error *error) {
    for (size_t i = 0; i < send->maker_count; i++)
        if (strcmp(send->makers[i].topic, name) == 0) return &send->makers[i].maker;
    const struct topic *topic = topic_list_find(send->topics, name);
    char subject[SUBJECT_SIZE];
    uint32_t id = 0;
    if (send->maker_count == PROBE_FLOWS_MAXIMUM) {
        error_set(error, "more than %d topics", PROBE_FLOWS_MAXIMUM);
        return NULL;
    }
    struct registry *registry = connection_registry(send->connection, error);
    if (!registry) return NULL;
    const enum registry_result found = registry_lookup_id(registry, subject_of(name, subject), topic->type->schema, &id, error);
    registry_free(registry);
    if (found == REGISTRY_UNKNOWN) error_set(error, "the registry has not this version's schema of %s; kontor schemas register puts it there", name);
    if (found != REGISTRY_FOUND) return NULL;
    struct probe_maker *made = &send->makers[send->maker_count];
    if (!record_maker_open(&made->maker, topic->type, id, topic->key[0] ? topic->key : NULL, error)) return NULL;
    made->topic = topic->name;
    send->maker_count++;
    return &made->maker;
}

static bool produce(struct probe_send *send, const char *topic, struct record_maker *maker, uintptr_t number, struct error *error) {
    rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {maker->key_bytes.data, maker->key_bytes.length}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {maker->value_bytes.data, maker->value_bytes.length}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = clock_wall_ms()},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)number},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = maker->headers},
    };
    rd_kafka_error_t *refused = rd_kafka_produceva(send->client, parts, sizeof parts / sizeof *parts);
    if (!refused) {
        maker->headers = NULL;
        return true;
    }
    error_set(error, "it cannot be sent: %s", rd_kafka_error_string(refused));
    rd_kafka_error_destroy(refused);
    return false;
}

bool probe_send_event(struct probe_send *send, const struct probe_event *event, const char *id, uintptr_t number, struct buffer *key, struct error *error) {
    struct record_maker *maker = maker_of(send, event->topic, error);
    if (!maker) return false;
    json_t *value = probe_event_fill(event, id, clock_wall_ms());
    json_t *record = value ? json_pack("{s:{s:s}, s:o}", "headers", SYNTHETIC_HEADER, "kontor probe", "value", value) : NULL;
    char *line = record ? json_dumps(record, JSON_COMPACT) : NULL;
    json_decref(record);
    bool ok = line ? record_make(maker, slice_of(line), error) : error_set(error, "out of memory");
    free(line);
    return ok && (buffer_append(key, maker->key_bytes.data, maker->key_bytes.length) || error_set(error, "out of memory")) && produce(send, event->topic, maker, number, error);
}
