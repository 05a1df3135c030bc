/* loop: the exactly-once loop of a processor's instance. One thread decides; librdkafka's and the HTTP server's have their own.
 *
 * A turn: what the group and the tables have to say, with nothing open; a batch if there is anything to take; sleep until something comes. A lone event is
 * decided and committed at once; the next transaction begins no sooner than commit_gap_ms after the last commit; under load a batch grows to its bounds.
 *
 * Records of a task are taken by (event time, order of inputs, offset); the last input is the processor's timers (engine.h), to which the loop itself writes
 * where something waits, no more often than timers_interval_ms for a task. An input without a record is waited for only while the broker has, or may have,
 * some: until the end of its partition was seen.
 *
 * A batch that is aborted, or whose commit is in doubt: the producer is made anew, the consumer goes back to the group's committed offsets, every task's
 * state comes forward from the changelog, and the loop goes on. It survives a broker that is away for as long as that takes. */
#ifndef KONTOR_RUNTIME_LOOP_H
#define KONTOR_RUNTIME_LOOP_H
#include "common/codec/registry.h"
#include "common/runtime/client.h"
#include "common/runtime/failure.h"
#include "common/runtime/processor.h"
#include "common/runtime/serve.h"
#include "common/runtime/tail.h"
#include "common/runtime/topics.h"
#include "common/tables/tables.h"

struct schemas;

struct loop_options {
    const struct processor *processor;
    const char *version;
    const struct client_settings *settings;
    const char *group;              /* kontor.<processor> */
    const char *instance;           /* this instance's name in the group */
    const char *transactional_id;
    const char *states_dir, *tables_dir;
    const struct topics *topics;
    struct tail *tail;
    struct tables *tables;
    const struct table *const *table_list;
    struct registry *registry;
    struct schemas *schemas;
    struct serve *serve;
    int wake;                       /* the eventfd that the tail writes to */
    const char *compression;
    int session_timeout_ms, transaction_timeout_ms, call_timeout_ms;
    int64_t batch_records, batch_bytes, batch_memory, batch_ms, commit_gap_ms;
    int32_t keep_event_ids_days, keep_documents_days;
    int64_t wait_limit_ms, timers_interval_ms;
    int flood_window, flood_percent;
    bool leave;                     /* leave the group when stopped */
    bool at_least_once;             /* see producer.h */
    /* Asked in every wait: stop was asked for; no more time to finish. Both from signals, safe anywhere. */
    bool (*stopping)(void);
    void (*ending)(const struct fatal_cause *fatal);    /* told of a fatal end before the clients are closed, which may take a while */
    bool (*hurried)(void);
    int stop_descriptor;            /* readable when stopping, -1: none */
};

/* Runs until stopped (STEP_DONE) or until it must not go on (STEP_FATAL). */
MUST_CHECK enum step loop_run(const struct loop_options *options, struct fatal_cause *fatal);
#endif
