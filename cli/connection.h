/* connection: how to reach the cluster and the registry, from --config and the environment, and the clients made of it. */
#ifndef KONTOR_CLI_CONNECTION_H
#define KONTOR_CLI_CONNECTION_H
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/command.h"
#include "common/codec/registry.h"
#include "cli/topic_list.h"
#include "common/platform/config.h"
#include "common/runtime/client.h"

enum { KAFKA_TIMEOUT_MS = 15000 };

struct connection { struct config *config; struct client_settings settings; };

MUST_CHECK bool connection_open(struct connection *connection, const struct invocation *invocation, struct error *error);
void connection_close(struct connection *connection);

/* The declared topics: `path` (NULL: the compiled-in list), and behind it the lists of topics.also and of `also` (NULL: none). Freed by topic_list_free. */
MUST_CHECK bool connection_topic_list(const struct connection *connection, struct topic_list *list, const char *path, const char *also, int tasks, struct error *error);

/* For messages: the brokers as configured. */
const char *connection_brokers(const struct connection *connection);

/* A client of the registry, nothing kept on disk; the caller's, to be freed by registry_free. NULL with the reason. */
MUST_CHECK struct registry *connection_registry(const struct connection *connection, struct error *error);
/* The subject of a topic's values, Confluent's TopicNameStrategy: <topic>-value. */
enum { SUBJECT_SIZE = 300 };
const char *subject_of(const char *topic, char subject[SUBJECT_SIZE]);

/* A client with what is configured; events is its opaque's beginning (client.h). Destroyed by rd_kafka_destroy. */
MUST_CHECK bool connection_client(const struct connection *connection, rd_kafka_type_t type, const struct client_property *usual,
                                  const struct client_property *fixed, struct client_events *events, void (*prepare)(rd_kafka_conf_t *, void *),
                                  void *opaque, rd_kafka_t **client, struct error *error);

/* All topics of the cluster; the caller frees it with rd_kafka_metadata_destroy. It never creates a topic. */
MUST_CHECK bool connection_metadata(const struct connection *connection, rd_kafka_t *client, const struct rd_kafka_metadata **metadata, struct error *error);
/* The cluster's topics whose names begin with the prefix, in the order of their names; texts are the caller's to free. False with names as they were. */
enum { CLUSTER_TOPICS_MAXIMUM = 128 };
struct topic_names { char *names[CLUSTER_TOPICS_MAXIMUM]; size_t count; };
MUST_CHECK bool connection_topics(const struct connection *connection, const char *prefix, struct topic_names *topics, struct error *error);
void topic_names_free(struct topic_names *topics);
/* NULL: no such topic. */
const struct rd_kafka_metadata_topic *metadata_topic(const struct rd_kafka_metadata *metadata, const char *name);
/* For `return connection_no_topic(...)`: there is none of that name; the nearest one, or how to create it. */
bool connection_no_topic(const struct connection *connection, const struct rd_kafka_metadata *metadata, const char *name, struct error *error);
#endif
