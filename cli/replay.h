/* replay: a processor run over the past events on the topics, away from everything (sandbox.h): nothing is written to Kafka.
 *
 * Tables are either read once, as they are now, or (`then`) brought forward with the events: each is decided with the master records that there were when it was
 * decided first, and what people resolved and the ticks of the broker's time come in their turn. What is parked at the end stays parked. Events of one
 * partition are held in memory while it is replayed. */
#ifndef KONTOR_CLI_REPLAY_H
#define KONTOR_CLI_REPLAY_H
#include "cli/connection.h"
#include "cli/history.h"
#include "common/runtime/engine.h"

enum replay_tables {
    REPLAY_TABLES_NOW,          /* as they are, nothing else of the past but the events */
    REPLAY_TABLES_THEN,         /* as they were, with resolutions and ticks */
    REPLAY_TABLES_NOW_ELSE_THEN /* as they are, with resolutions and ticks of then */
};

struct replay_options {
    const struct connection *connection;
    const struct processor *processor;
    enum replay_tables tables;
    /* Master records that are put behind those of the topics: value is Avro of our own schema, without the wire header. A bad one is an error. */
    const struct replay_record { enum master table; struct slice key, value; } *instead;
    size_t instead_count;
    /* Told of the history before the first event, unless REPLAY_TABLES_NOW; it lives until replay_run returns. NULL: not asked for. */
    bool (*began)(void *context, const struct history *history, int32_t partition_count, struct error *error);
    /* Told of every event that the processor answers for, before it is decided. NULL: not asked for. */
    bool (*event)(void *context, struct slice origin, int64_t event_time_ms, struct error *error);
    /* Every output of the processor, in the order that it came about; event_time_ms: of the event at hand. False stops the replay. */
    bool (*output)(void *context, const struct engine_output *output, int64_t event_time_ms, struct error *error);
    /* Told behind the last event, while the history still lives. NULL: not asked for. */
    bool (*ended)(void *context, struct error *error);
    void *context;
};

/* What became of the events, as in the processor's metrics. */
MUST_CHECK bool replay_run(const struct replay_options *options, struct engine_counts *counts, struct error *error);
#endif
