/* client: what the Kafka clients of a process have in common: their configuration, their log, their errors.
 *
 * Configuration comes in three layers. `fixed` is what exactly-once stands on; a configured property of that name is refused (client_check). What the
 * operator configured (`kafka.*` for every client, `kafka.producer.*` and `kafka.consumer.*` for one kind) wins over our `usual` values. */
#ifndef KONTOR_RUNTIME_CLIENT_H
#define KONTOR_RUNTIME_CLIENT_H
#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/platform/error.h"

struct client_property { const char *name, *value; };

enum client_scope { CLIENT_BOTH, CLIENT_PRODUCER, CLIENT_CONSUMER };
struct client_setting { enum client_scope scope; struct client_property property; };

/* What the operator configured; texts are the caller's and outlive the clients. */
enum { CLIENT_SETTINGS_MAXIMUM = 128 };
struct client_settings { struct client_setting items[CLIENT_SETTINGS_MAXIMUM]; size_t count; };

/* Takes NAME=VALUE as configured under `kafka.`: "producer." and "consumer." before the name say for whom. False: one too many. */
MUST_CHECK bool client_settings_add(struct client_settings *settings, const char *name, const char *value, struct error *error);
/* Whether nothing that exactly-once stands on is configured otherwise. */
MUST_CHECK bool client_settings_check(const struct client_settings *settings, struct error *error);

/* From librdkafka's own statistics, every CLIENT_STATISTICS_MS, or as kafka.statistics.interval.ms says; of a client that is measured. */
enum { CLIENT_STATISTICS_MS = 10000 };
struct client_statistics {
    atomic_bool taken;                              /* false: nothing is known yet */
    _Atomic int64_t queued_records, queued_bytes;   /* produced and not delivered; fetched and not taken */
    _Atomic int64_t round_trip_us;                  /* mean over the last interval, of the slowest broker; 0: nothing was asked */
    _Atomic int64_t brokers_up;
    _Atomic int64_t failed_requests;                /* since the process started */
};

/* What a client said of itself, on whatever thread. The memory must outlive the client. */
struct client_events {
    const char *role;           /* for the log: "producer", "consumer", ... */
    atomic_bool unreachable;    /* no broker can be reached; false again after client_reached */
    struct client_statistics statistics;
    int64_t failed_said;        /* of this client; its call-backs' own */
};
static inline void client_reached(struct client_events *events) { atomic_store_explicit(&events->unreachable, false, memory_order_relaxed); }
static inline bool client_is_unreachable(const struct client_events *events) { return atomic_load_explicit(&events->unreachable, memory_order_relaxed); }

/* A configuration of the three layers; both lists end with a NULL name. prepare (NULL: none) sets call-backs before the client is made.
 * The client's opaque is `opaque`, its log goes to ours, quietly: one line a minute of each kind. */
struct client_options {
    rd_kafka_type_t type;
    const struct client_settings *settings;
    const struct client_property *usual, *fixed;
    struct client_events *events;
    void (*prepare)(rd_kafka_conf_t *conf, void *opaque);
    void *opaque;
    bool measured;              /* events->statistics are wanted */
};
/* Takes librdkafka's statistics: text is its JSON document. False: it is none, and nothing is changed. */
bool client_statistics_take(struct client_events *events, bool produces, const char *text, size_t length);
MUST_CHECK bool client_new(rd_kafka_t **client, const struct client_options *options, struct error *error);
#endif
