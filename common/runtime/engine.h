/* engine: everything a processor does that needs no broker. It takes records of a task in order, decides them, keeps what waits, and gives every
 * output to a sink; the Kafka loop (loop.h) and the test driver stand on it alike.
 *
 * A batch is the unit: engine_take any number of records, engine_seal (changelog records to the sink), then, when the sink's world has committed
 * everything, engine_commit writes the tasks' state; or engine_abort forgets the batch. State changes live in an overlay in memory until then, so local
 * state is never ahead.
 *
 * One thread. */
#ifndef KONTOR_RUNTIME_ENGINE_H
#define KONTOR_RUNTIME_ENGINE_H
#include <stdbool.h>
#include <stdint.h>

#include "common/codec/plan.h"
#include "common/platform/error.h"
#include "common/runtime/processor.h"
#include "common/state/state.h"
#include "common/tables/tables.h"

struct engine;
struct task;

/* A header of a record. */
struct record_header { const char *name; struct slice value; };

/* The header that marks a synthetic event (docs/probe.md), whatever its value: it is decided like any other, and nothing comes of it but its acknowledgment. */
#define SYNTHETIC_HEADER "kontor-synthetic"

/* A record as it came from a partition. Bytes must live until engine_commit or engine_abort. */
struct engine_message {
    int input;
    int32_t partition;
    int64_t offset, timestamp_ms;       /* the record's; clamped to received_ms */
    int64_t received_ms;                /* the broker's time as well as it is known: now */
    struct slice key, value;            /* data NULL: none */
    const struct record_header *headers; size_t header_count;
};

/* Where a record goes. Bytes live until engine_commit or engine_abort; topic is interned: equal topics are equal pointers for the engine's life. */
struct engine_output {
    const char *topic;
    int32_t partition;                  /* -1: by key */
    struct slice key, value;
    int64_t timestamp_ms;               /* the record's; 0: when it is sent */
    const struct record_header *headers; size_t header_count;
    bool changelog;                     /* its offset is the task's next position */
    struct task *task;
};

struct engine_sink {
    void *context;
    /* false: the batch cannot be completed and is to be aborted. */
    bool (*send)(void *context, const struct engine_output *output, struct error *error);
};

/* What became of a writer's schema id. */
enum schema_answer {
    SCHEMA_READABLE,
    SCHEMA_INCOMPATIBLE,
    SCHEMA_UNKNOWN,     /* there is none: the record is to blame */
    SCHEMA_UNREACHABLE  /* no answer, or one of a registry that knows nothing of us: the record is not to blame */
};

/* Where schemas come from: the registry with its caches (registry-backed: codec/reader.h), or the test driver. */
struct engine_schemas {
    void *context;
    /* The plan to read records of that writer with; error says why not. Called once a record: the answer for a known id must be quick. */
    enum schema_answer (*plan)(void *context, const struct codec_type *reader, uint32_t schema_id, const struct codec_plan **plan, struct error *error);
    /* The id of our own schema for a topic; known before the start (engine_outputs names them all). */
    uint32_t (*id)(void *context, const struct codec_type *type, const char *topic);
};

struct engine_options {
    const struct processor *processor;
    const char *version;                /* of the software, for the DLQ headers */
    uint64_t (*new_id)(void);           /* for a changelog that begins: never the same twice; NULL: 0 */
    const char *changelog;              /* its topic; NULL: the first generation, kontor.<processor>.changelog */
    struct engine_schemas schemas;
    struct tables *tables;              /* opened with engine_tables() of the processor */
    struct engine_sink sink;
    int32_t partition_count;            /* of the inputs */
    size_t batch_memory;                /* bytes; past half of it engine_full() */
    int32_t keep_event_ids_days;        /* a repeated event id is known for so long, in stream time */
    int32_t keep_documents_days;        /* a finished document is known for so long after it was last written; 0: for ever */
    const char *erps;                   /* comma-separated: the ERPs that have a topic */
    int64_t wait_limit_ms;              /* where a decision names none */
    int flood_window, flood_percent;    /* more than this share of poison in a window of records pauses; percent 100: never */
};

MUST_CHECK bool engine_new(struct engine **engine, const struct engine_options *options, struct error *error);
void engine_free(struct engine *engine);

/* The tables that the processor declares, for tables_open: fills an array of MASTER_COUNT + 1 pointers, NULL behind the last. */
void engine_tables(const struct processor *processor, const struct table *tables[MASTER_COUNT + 1]);

enum engine_result {
    ENGINE_DONE,
    ENGINE_WAIT,        /* the environment is not ready (registry unreachable): nothing was taken, give the same record again later */
    ENGINE_FLOOD,       /* too many poison records: nothing was taken; stop taking and say so */
    ENGINE_REBUILD,     /* the task's state is damaged: abort the batch, clear and restore that task */
    ENGINE_ABORT,       /* abort the batch and go again */
    ENGINE_FATAL        /* stop */
};

/* A task over an opened and restored state, not while a batch has records. The state stays the caller's. Loads what waits; looks all missing keys up at the first engine_step.
 * ENGINE_REBUILD: the state is damaged. ENGINE_FATAL: it was written by a version of the processor whose values this one cannot read. */
MUST_CHECK enum engine_result task_open(struct task **task, struct engine *engine, int32_t partition, struct state *state, struct error *error);
void task_close(struct task *task);
int32_t task_partition(const struct task *task);
struct state *task_state(struct task *task);
/* Table offsets that the task's last batch was decided with: the instance's tables must have reached them before the task goes on. */
int64_t task_table_offset(const struct task *task, size_t table);

/* Work that stands before the next record: releases that are due. ENGINE_DONE with *more = false: none is left. Does a bounded piece at a time. */
enum engine_result engine_step(struct engine *engine, struct task *task, bool *more, struct error *error);
/* Decides one record, after the waits whose limit its time has reached. Call it only when engine_step says there is no more. When *again is true the
 * record was not taken yet (a bounded piece of expiry came before it): seal or go on, then give it again. */
enum engine_result engine_take(struct engine *engine, struct task *task, const struct engine_message *message, bool *again, struct error *error);
/* A tick of the broker's time: ends waits whose limit has been over by it. *again as above. Ticks are taken from kontor.<processor>.timers, in their turn
 * behind the declared inputs; what is in them does not count. broker_time_ms: when the broker appended it. */
enum engine_result engine_tick(struct engine *engine, struct task *task, int64_t broker_time_ms, bool *again, struct error *error);
/* A record of resolutions.<processor>, which stands behind the declared inputs and before the ticks: what people decided of an event that is held or waits. */
enum engine_result engine_resolve(struct engine *engine, struct task *task, const struct engine_message *message, struct error *error);
/* Whether a tick is wanted: something waits that no tick has counted yet, or whose limit should be over by a clock that shows now_ms. That clock decides
 * nothing else. engine_send_tick gives one to the sink, as an output of the batch. */
bool task_wants_tick(const struct task *task, int64_t now_ms);
enum engine_result engine_send_tick(struct engine *engine, struct task *task, struct error *error);
/* A table changed: the tasks look their missing keys up at the next engine_step. */
void engine_tables_changed(struct engine *engine);

bool engine_full(const struct engine *engine);              /* the batch should be sealed */
uint64_t engine_batch_records(const struct engine *engine); /* taken or released in this batch; 0: nothing to commit */

/* Gives the changelog records of the batch to the sink. */
MUST_CHECK enum engine_result engine_seal(struct engine *engine, struct error *error);
/* The batch is committed: writes the tasks' state. at(): the changelog position after the batch of a task that had changes. False: stop, the changelog
 * is the truth. */
MUST_CHECK bool engine_commit(struct engine *engine, struct state_position (*at)(void *context, const struct task *task), void *context, struct error *error);
/* The batch is void. Tasks are as before it. */
MUST_CHECK bool engine_abort(struct engine *engine, struct error *error);

/* Counted for the metrics, committed batches only. */
struct engine_counts {
    uint64_t outcomes[6];                   /* accepted duplicate rejected held parked poison, as first decided or released */
    uint64_t reasons[REASON_COUNT];
    uint64_t journals, released, expired, ticks;
    uint64_t synthetic[6];                  /* outcomes of synthetic events, which count nowhere else */
};
enum { OUTCOME_ACCEPTED, OUTCOME_DUPLICATE, OUTCOME_REJECTED, OUTCOME_HELD, OUTCOME_PARKED, OUTCOME_POISON, OUTCOME_COUNT };
extern const char *const outcome_names[OUTCOME_COUNT];
const struct engine_counts *engine_counts(const struct engine *engine);
/* What the processor counts itself (tallied), committed batches only; the list grows, entries keep their place. batch: of the batch in the making. */
struct engine_tally { int counter; char *entity; const char *step; uint64_t committed, batch; };
const struct engine_tally *engine_tallies(const struct engine *engine, size_t *count);
/* Outcomes as counted above, of each source and of each legal entity that has come up, committed batches only; of events whose source is told what
 * became of them, without poison, whose source is not known. The list
 * grows, entries keep their place; past a number of names of a kind, further ones are `other`. batch: of the batch in the making. */
enum engine_share_kind { SHARE_SOURCE, SHARE_ENTITY, SHARE_KINDS };
struct engine_share { enum engine_share_kind kind; char *name; uint64_t committed[OUTCOME_COUNT], batch[OUTCOME_COUNT]; };
const struct engine_share *engine_shares(const struct engine *engine, size_t *count);
/* What waits now. oldest_ms: the earliest event time of what waits or is held, oldest_held_ms: of what is held; 0: nothing does. */
struct task_waiting { uint64_t parked, held, behind, deferred; int64_t oldest_ms, oldest_held_ms; int64_t stream_time_ms; };
struct task_waiting task_waiting(struct task *task);
/* By reason, and by the table, or store of the processor's own, that lacks a key: events with several count for each. Adds to the sums. */
struct waiting_sums { uint64_t parked_by_reason[REASON_COUNT], held_by_reason[REASON_COUNT], for_table[MASTER_COUNT], for_store[STORES_MAXIMUM]; };
void task_waiting_add(const struct task *task, struct waiting_sums *sums);

/* Every output topic of the processor but the per-ERP suffixes: declared outputs, acknowledgments, exceptions, DLQ of each input, timers, changelog; each topic once. Calls visit. */
void engine_outputs(const struct processor *processor, void (*visit)(void *context, const char *topic, const struct codec_type *type, bool per_erp), void *context);
#endif
