#include "cli/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/platform/log.h"
#include "common/platform/nearest.h"
#include "common/runtime/settings.h"

/* The keys of any processor, so that its properties file and its environment serve here too; of them kafka.* and registry.* are used. */
enum { KEYS_MAXIMUM = 128 };
static struct config_key keys[KEYS_MAXIMUM];

static const struct { const char *name, *fallback; } own_fallbacks[] = {
    {"kafka.bootstrap.servers", "127.0.0.1:9092"}, {"log.level", "error"} /* what the clients say of themselves */, {"log.format", "human"}};

static size_t declare_keys(void) {
    static struct processor any = {.name = "kontor"};
    for (int i = 0; i < MASTER_COUNT; i++) any.tables[i] = (enum master)i;
    any.tables[MASTER_COUNT] = END_OF_TABLES;
    size_t count;
    const struct config_key *declared = settings_keys(&any, &count);
    for (size_t i = 0; i < count && i < KEYS_MAXIMUM; i++) {
        keys[i] = declared[i];
        for (size_t k = 0; k < sizeof own_fallbacks / sizeof *own_fallbacks; k++)
            if (strcmp(keys[i].name, own_fallbacks[k].name) == 0) keys[i].fallback = own_fallbacks[k].fallback;
        if (!keys[i].fallback) keys[i].fallback = "";
    }
    return count < KEYS_MAXIMUM ? count : KEYS_MAXIMUM;
}

struct addition { struct client_settings *settings; struct error *error; bool ok; };

static void add_setting(void *context, const char *name, const char *value) {
    struct addition *addition = context;
    if (addition->ok && *value) addition->ok = client_settings_add(addition->settings, name, value, addition->error);
}

bool connection_open(struct connection *connection, const struct invocation *invocation, struct error *error) {
    *connection = (struct connection){0};
    connection->config = config_load(keys, declare_keys(), option_text(invocation, "config", NULL), error);
    if (!connection->config) return false;
    log_start((enum log_level)config_choice(connection->config, "log.level"), (enum log_format)config_choice(connection->config, "log.format"), "kontor");
    struct addition addition = {&connection->settings, error, true};
    config_each(connection->config, "kafka.", add_setting, &addition);
    if (!addition.ok) connection_close(connection);
    return addition.ok;
}

void connection_close(struct connection *connection) {
    config_free(connection->config);
    *connection = (struct connection){0};
}

bool connection_topic_list(const struct connection *connection, struct topic_list *list, const char *path, const char *also, int tasks, struct error *error) {
    return topic_list_read(list, path, tasks, error) && topic_list_add(list, config_text(connection->config, "topics.also"), tasks, error) &&
           topic_list_add(list, also, tasks, error);
}

const char *connection_brokers(const struct connection *connection) { return config_text(connection->config, "kafka.bootstrap.servers"); }

static const char *set_text(const struct connection *connection, const char *name) {
    return config_is_set(connection->config, name) ? config_text(connection->config, name) : NULL;
}

struct registry *connection_registry(const struct connection *connection, struct error *error) {
    const struct registry_options options = {
        .urls = set_text(connection, "registry.url"), .user = set_text(connection, "registry.user"), .password = set_text(connection, "registry.password"),
        .ca_file = set_text(connection, "registry.ca.file"), .certificate_file = set_text(connection, "registry.certificate.file"),
        .key_file = set_text(connection, "registry.key.file")};
    return registry_new(&options, error);
}

const char *subject_of(const char *topic, char subject[SUBJECT_SIZE]) {
    snprintf(subject, SUBJECT_SIZE, "%s-value", topic);
    return subject;
}

bool connection_client(const struct connection *connection, rd_kafka_type_t type, const struct client_property *usual,
                       const struct client_property *fixed, struct client_events *events, void (*prepare)(rd_kafka_conf_t *, void *),
                       void *opaque, rd_kafka_t **client, struct error *error) {
    const struct client_options options = {
        .type = type, .settings = &connection->settings, .usual = usual, .fixed = fixed, .events = events, .prepare = prepare, .opaque = opaque};
    return client_new(client, &options, error);
}

bool connection_metadata(const struct connection *connection, rd_kafka_t *client, const struct rd_kafka_metadata **metadata, struct error *error) {
    rd_kafka_resp_err_t code = rd_kafka_metadata(client, 1, NULL, metadata, KAFKA_TIMEOUT_MS);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return true;
    return error_set(error, "no broker answers at %s: %s; is it running (deploy/local/up), and is kafka.bootstrap.servers right? KONTOR_LOG_LEVEL=warning tells more",
                     connection_brokers(connection), rd_kafka_err2str(code));
}

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

bool connection_topics(const struct connection *connection, const char *prefix, struct topic_names *topics, struct error *error) {
    struct client_events events = {.role = "admin"};
    rd_kafka_t *client;
    const struct rd_kafka_metadata *metadata = NULL;
    if (!connection_client(connection, RD_KAFKA_PRODUCER, NULL, NULL, &events, NULL, &events, &client, error)) return false;
    bool ok = connection_metadata(connection, client, &metadata, error);
    struct topic_names found = {.count = 0};
    for (int i = 0; ok && i < metadata->topic_cnt; i++) {
        if (strncmp(metadata->topics[i].topic, prefix, strlen(prefix)) != 0) continue;
        ok = found.count < CLUSTER_TOPICS_MAXIMUM || error_set(error, "more than %d topics begin with %s", CLUSTER_TOPICS_MAXIMUM, prefix);
        if (ok) ok = (found.names[found.count] = strdup(metadata->topics[i].topic)) || error_set(error, "out of memory");
        found.count += ok;
    }
    if (ok || found.count) qsort(found.names, found.count, sizeof *found.names, compare_names);
    if (metadata) rd_kafka_metadata_destroy(metadata);
    rd_kafka_destroy(client);
    if (ok) *topics = found;
    else topic_names_free(&found);
    return ok;
}

void topic_names_free(struct topic_names *topics) {
    for (size_t i = 0; i < topics->count; i++) free(topics->names[i]);
    topics->count = 0;
}

const struct rd_kafka_metadata_topic *metadata_topic(const struct rd_kafka_metadata *metadata, const char *name) {
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (strcmp(metadata->topics[i].topic, name) == 0) return &metadata->topics[i];
    return NULL;
}

struct topic_walk { const struct rd_kafka_metadata *metadata; int position; };

static const char *next_topic(void *context) {
    struct topic_walk *walk = context;
    return walk->position < walk->metadata->topic_cnt ? walk->metadata->topics[walk->position++].topic : NULL;
}

bool connection_no_topic(const struct connection *connection, const struct rd_kafka_metadata *metadata, const char *name, struct error *error) {
    const char *nearest = nearest_name(name, next_topic, &(struct topic_walk){metadata, 0}), *brokers = connection_brokers(connection);
    if (nearest) return error_set(error, "there is no topic %s at %s; did you mean %s?", name, brokers, nearest);
    return error_set(error, "there is no topic %s at %s; kontor topics apply creates those of kontor", name, brokers);
}
