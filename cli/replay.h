/* replay: a processor run over the past events on the topics, away from everything: its state lies in a temporary folder, its outputs go to whoever asked,
 * nothing is written to Kafka. The same production struct and engine as in the process itself.
 *
 * Tables are read once, as they are now; look-ups are as of each event's date. What is parked at the end stays parked: time limits that no event reached do
 * not pass. Events of one partition are held in memory while it is replayed. */
#ifndef KONTOR_CLI_REPLAY_H
#define KONTOR_CLI_REPLAY_H
#include "cli/connection.h"
#include "common/runtime/engine.h"

struct replay_options {
    const struct connection *connection;
    const struct processor *processor;
    /* Master records that are put behind those of the topics: value is Avro of our own schema, without the wire header. A bad one is an error. */
    const struct replay_record { enum master table; struct slice key, value; } *instead;
    size_t instead_count;
    /* Every output of the processor, in the order that it came about; event_time_ms: of the event at hand. False stops the replay. */
    bool (*output)(void *context, const struct engine_output *output, int64_t event_time_ms, struct error *error);
    void *context;
};

/* What became of the events, as in the processor's metrics. */
MUST_CHECK bool replay_run(const struct replay_options *options, struct engine_counts *counts, struct error *error);
#endif
