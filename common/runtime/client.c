#include "common/runtime/client.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/platform/clock.h"
#include "common/platform/log.h"

/* Exactly-once, the order of records or our own wake-ups stand on these. */
static const char *const ours[] = {
    "transactional.id", "transaction.timeout.ms", "enable.idempotence", "enable.gapless.guarantee", "acks", "request.required.acks", "partitioner",
    "group.id", "group.instance.id", "partition.assignment.strategy", "isolation.level", "enable.auto.commit", "auto.commit.enable",
    "enable.auto.offset.store", "auto.offset.reset", "enable.partition.eof", "delivery.timeout.ms", "message.timeout.ms", "group.protocol"};

bool client_settings_add(struct client_settings *settings, const char *name, const char *value, struct error *error) {
    if (settings->count == CLIENT_SETTINGS_MAXIMUM) return error_set(error, "more than %d kafka.* properties", CLIENT_SETTINGS_MAXIMUM);
    struct client_setting *setting = &settings->items[settings->count++];
    *setting = (struct client_setting){CLIENT_BOTH, {name, value}};
    static const struct { const char *prefix; enum client_scope scope; } scopes[] = {{"producer.", CLIENT_PRODUCER}, {"consumer.", CLIENT_CONSUMER}};
    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++) {
        size_t length = strlen(scopes[i].prefix);
        if (strncmp(name, scopes[i].prefix, length) == 0) *setting = (struct client_setting){scopes[i].scope, {name + length, value}};
    }
    return true;
}

bool client_settings_check(const struct client_settings *settings, struct error *error) {
    for (size_t i = 0; i < settings->count; i++)
        for (size_t k = 0; k < sizeof ours / sizeof *ours; k++)
            if (strcmp(settings->items[i].property.name, ours[k]) == 0)
                return error_set(error, "kafka property %s is kontor's own, exactly-once stands on it: take it out of the configuration", ours[k]);
    return true;
}

static bool set_property(rd_kafka_conf_t *conf, const struct client_property *property, struct error *error) {
    char why[256];
    if (rd_kafka_conf_set(conf, property->name, property->value, why, sizeof why) == RD_KAFKA_CONF_OK) return true;
    return error_set(error, "kafka property %s: %s", property->name, why);
}

/* librdkafka repeats itself while a broker is away; a minute between two lines of a kind is enough to see that it still is. */
static void write_log(const rd_kafka_t *client, int level, const char *kind, const char *text) {
    enum { KINDS = 32, QUIET_MS = 60000 };
    static struct { _Atomic int64_t until_ms; } quiet[KINDS];
    const struct client_events *events = NULL;
    if (client) events = rd_kafka_opaque(client);
    uint32_t hash = 5381 + (events && events->role ? (uint32_t)events->role[0] * 31u : 0);
    for (const char *c = kind; *c; c++) hash = hash * 33 + (unsigned char)*c;
    int64_t now = clock_monotonic_ms(), until = atomic_load(&quiet[hash % KINDS].until_ms);
    const char *role = events && events->role ? events->role : "client";
    if (level > 4 || (until && now < until)) {
        log_debug_with("kafka", LOG_FIELDS(LOG_TEXT("client", role), LOG_TEXT("kind", kind)), "%s", text);
        return;
    }
    atomic_store(&quiet[hash % KINDS].until_ms, now + QUIET_MS);
    log_warning_with("kafka", LOG_FIELDS(LOG_TEXT("client", role), LOG_TEXT("kind", kind)), "%s", text);
}

/* Every opaque of ours begins with its struct client_events. */
static void take_error(rd_kafka_t *client, int code, const char *reason, void *opaque) {
    (void)client;
    struct client_events *events = opaque;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !atomic_exchange(&events->unreachable, true))
        log_warning_with("broker_unreachable", LOG_FIELDS(LOG_TEXT("client", events->role)), "no broker can be reached: %s; trying on", reason);
}

static int64_t integer_of(const json_t *object, const char *name) { return (int64_t)json_integer_value(json_object_get(object, name)); }

/* Fetched and not taken yet, of all partitions. */
static void sum_fetched(const json_t *root, int64_t *records, int64_t *bytes) {
    const char *name;
    json_t *topic, *partition;
    json_object_foreach(json_object_get(root, "topics"), name, topic) {
        const char *number;
        json_object_foreach(json_object_get(topic, "partitions"), number, partition) {
            *records += integer_of(partition, "fetchq_cnt");
            *bytes += integer_of(partition, "fetchq_size");
        }
    }
}

/* Source of the fields: librdkafka, STATISTICS.md. */
bool client_statistics_take(struct client_events *events, bool produces, const char *text, size_t length) {
    json_t *root = json_loadb(text, length, 0, NULL), *broker;
    if (!root) return false;
    int64_t records = 0, bytes = 0, slowest_us = 0, up = 0, failed = 0;
    const char *name;
    json_object_foreach(json_object_get(root, "brokers"), name, broker) {
        const char *state = json_string_value(json_object_get(broker, "state"));
        int64_t mean_us = integer_of(json_object_get(broker, "rtt"), "avg");
        const char *source = json_string_value(json_object_get(broker, "source"));
        /* The bootstrap address is no broker, and the group's or transaction's coordinator is one by another name. */
        up += state && strcmp(state, "UP") == 0 && integer_of(broker, "nodeid") >= 0 && !(source && strcmp(source, "logical") == 0);
        failed += integer_of(broker, "txerrs") + integer_of(broker, "rxerrs") + integer_of(broker, "req_timeouts");
        if (mean_us > slowest_us) slowest_us = mean_us;
    }
    if (produces) {
        records = integer_of(root, "msg_cnt");
        bytes = integer_of(root, "msg_size");
    } else {
        sum_fetched(root, &records, &bytes);
    }
    json_decref(root);
    struct client_statistics *to = &events->statistics;
    atomic_store(&to->queued_records, records);
    atomic_store(&to->queued_bytes, bytes);
    atomic_store(&to->round_trip_us, slowest_us);
    atomic_store(&to->brokers_up, up);
    if (failed > events->failed_said) atomic_fetch_add(&to->failed_requests, failed - events->failed_said);
    events->failed_said = failed;
    atomic_store(&to->taken, true);
    return true;
}

static int take_statistics(rd_kafka_t *client, char *text, size_t length, void *opaque) {
    (void)client_statistics_take(opaque, rd_kafka_type(client) == RD_KAFKA_PRODUCER, text, length);
    return 0;   /* the text stays librdkafka's */
}

static bool fill(rd_kafka_conf_t *conf, const struct client_options *options, struct error *error) {
    char interval[16];
    snprintf(interval, sizeof interval, "%d", CLIENT_STATISTICS_MS);
    const struct client_property statistics = {"statistics.interval.ms", interval};
    if (options->measured && !set_property(conf, &statistics, error)) return false;
    for (const struct client_property *p = options->usual; p && p->name; p++)
        if (!set_property(conf, p, error)) return false;
    enum client_scope other = options->type == RD_KAFKA_PRODUCER ? CLIENT_CONSUMER : CLIENT_PRODUCER;
    for (size_t i = 0; i < options->settings->count; i++)
        if (options->settings->items[i].scope != other && !set_property(conf, &options->settings->items[i].property, error)) return false;
    for (const struct client_property *p = options->fixed; p && p->name; p++)
        if (!set_property(conf, p, error)) return false;
    return true;
}

/* A configuration that rd_kafka_new has refused is the caller's again. But librdkafka before 2.13 has freed its interceptors by then, and would free them once more: there it is
 * left, by a process that ends (for instance because a certificate is not where it should be); each points to the one before, so that none counts as lost. */
static void destroy_refused(rd_kafka_conf_t *conf, bool may_have_interceptors) {
    static _Atomic(rd_kafka_conf_t *) left;
    if (may_have_interceptors && rd_kafka_version() < 0x020d0000) rd_kafka_conf_set_opaque(conf, atomic_exchange(&left, conf));
    else rd_kafka_conf_destroy(conf);
}

bool client_new(rd_kafka_t **client, const struct client_options *options, struct error *error) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, write_log);
    rd_kafka_conf_set_error_cb(conf, take_error);
    rd_kafka_conf_set_opaque(conf, options->opaque);
    if (options->measured) rd_kafka_conf_set_stats_cb(conf, take_statistics);
    options->events->failed_said = 0;
    if (!fill(conf, options, error)) {
        rd_kafka_conf_destroy(conf);
        return false;
    }
    if (options->prepare) options->prepare(conf, options->opaque);
    char why[512];
    *client = rd_kafka_new(options->type, conf, why, sizeof why);
    if (*client) return true;
    destroy_refused(conf, options->prepare);
    return error_set(error, "a Kafka %s cannot be made: %s; look at the kafka.* configuration", options->events->role, why);
}
