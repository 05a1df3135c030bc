/* instance: one processor as it runs in production – engine, tasks, local state and tables in folders – with topics in memory instead of a broker. */
#ifndef KONTOR_DRIVER_INSTANCE_H
#define KONTOR_DRIVER_INSTANCE_H
#include "tests/driver/broker.h"

enum { PARTITIONS = 32, BATCH_MEMORY = 64 << 20 };
#define MASTER_SOURCE "MDM"   /* the authoritative source of every table */
#define TICKS_INPUT "ticks"   /* stands for each processor's timers topic */
#define RESOLUTIONS "resolutions."
enum { INPUT_TICKS = INPUTS_MAXIMUM, INPUT_RESOLUTIONS };

/* What all instances share. */
struct surroundings {
    const char *folder;         /* for states and tables; a subfolder per processor */
    struct broker *broker;
    int64_t now_ms;             /* the broker's time */
    bool registry_down;
};

struct instance {
    const struct processor *processor;
    struct surroundings *surroundings;
    struct tables *tables;
    struct engine *engine;
    struct { bool used; struct state *state; struct task *task; } tasks[PARTITIONS];
    bool commit_fails;          /* from now on the first allocation after Kafka's commit fails */
    bool reopen;                /* the state may be behind: close and open it before anything else */
    struct error bad_record;    /* why the newest of the master records that were refused was */
};

/* Opens with what the folders hold; what is missing there is read from the topics. */
MUST_CHECK bool instance_open(struct instance *instance, const struct processor *processor, struct surroundings *surroundings, struct error *error);
void instance_close(struct instance *instance);
/* Closed and opened again, as after a restart; forget: on another machine, with nothing but the topics. */
MUST_CHECK bool instance_restart(struct instance *instance, bool forget, struct error *error);
/* Position of the topic among the processor's inputs, or -1; of TICKS_INPUT and of the processor's resolutions what stands for them. */
int instance_input(const struct instance *instance, const char *topic);

/* Reads what is new in the master topics. */
MUST_CHECK enum engine_result instance_follow_tables(struct instance *instance, struct error *error);
/* Works off what is released; nothing is sealed. A task that must wait for its surroundings does not keep the others from going on. */
MUST_CHECK enum engine_result instance_settle(struct instance *instance, struct error *error);
/* Takes a record, after what was to be released before it; nothing is sealed. message->input is filled in. Of a tick received_ms is all that counts. */
MUST_CHECK enum engine_result instance_take(struct instance *instance, const char *topic, struct engine_message *message, struct error *error);
/* Seals and commits; nothing to do when nothing was taken. ENGINE_FATAL: Kafka has it and the state does not: reopen is set. */
MUST_CHECK enum engine_result instance_commit(struct instance *instance, struct error *error);
/* The batch is void; the caller cuts the broker. */
MUST_CHECK bool instance_abort(struct instance *instance, struct error *error);

/* A hash over all keys and values of the states, to see that nothing changed. */
uint64_t instance_fingerprint(const struct instance *instance);
/* The record under a key of one of the processor's stores, as it was committed; NULL: none. It lives until the next batch. False: the state cannot be read. */
MUST_CHECK bool instance_state(const struct instance *instance, int store, struct slice key, const void **record, struct error *error);
/* How many records a store has. */
size_t instance_count(const struct instance *instance, int store);
struct task_waiting instance_waiting(const struct instance *instance);

void folder_delete(const char *path);
#endif
