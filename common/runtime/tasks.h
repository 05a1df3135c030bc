/* tasks: the tasks of an instance, from assignment to ready: state opened, brought forward from the changelog, the tables as far as the task's last batch
 * had them, the engine's task opened.
 *
 * A state stays open while its partition may come back: through an aborted batch, and from a revocation to the assignment that follows. One thread. */
#ifndef KONTOR_RUNTIME_TASKS_H
#define KONTOR_RUNTIME_TASKS_H
#include "common/platform/metrics.h"
#include "common/runtime/consumer.h"
#include "common/runtime/engine.h"
#include "common/runtime/failure.h"
#include "common/runtime/tail.h"
#include "common/runtime/topics.h"

struct tasks;

struct tasks_options {
    const char *dir;                    /* the states' folder, one below it for each partition */
    const struct processor *processor;
    const struct topics *topics;
    size_t input_count, table_count;
    struct tail *tail;
    struct consumer *consumer;
    struct engine *engine;
    struct tables *tables;
    struct histogram *restore_seconds;
};
/* What options point to must outlive it. */
MUST_CHECK bool tasks_open(struct tasks **tasks, const struct tasks_options *options, struct error *error);
/* Closes every task and its state. */
void tasks_close(struct tasks *tasks);

/* The consumer has nothing any more. */
void tasks_revoke(struct tasks *tasks);
/* The consumer has what it says: opens the states, begins to restore. */
MUST_CHECK enum step tasks_assign(struct tasks *tasks, struct fatal_cause *fatal);
/* A batch was aborted and the consumer went back: every task's state is brought forward again. */
void tasks_renew(struct tasks *tasks);
/* The task's state is damaged: empties it, to be built from the changelog's beginning. */
MUST_CHECK enum step tasks_rebuild(struct tasks *tasks, int32_t partition, struct fatal_cause *fatal);

/* Restores and opens, a bounded piece; waits at most timeout_ms for the broker. */
MUST_CHECK enum step tasks_step(struct tasks *tasks, int timeout_ms, bool *moved, struct fatal_cause *fatal);
/* The task if it can take records now, else NULL. */
struct task *tasks_ready(struct tasks *tasks, int32_t partition);
/* It cannot go on for now: not ready for a while, longer each time; tasks_went_on ends that. */
void tasks_wait(struct tasks *tasks, int32_t partition, const char *why);
void tasks_went_on(struct tasks *tasks, int32_t partition);
/* Milliseconds until the next waiting task is to be tried again; -1: none waits. */
int64_t tasks_next_try_ms(const struct tasks *tasks);

/* Appends why not every owned task is ready, a line each. True: all are. */
bool tasks_explain(const struct tasks *tasks, struct buffer *lines);
struct tasks_totals { uint64_t parked, held, behind, state_bytes, state_entries; int64_t oldest_ms, oldest_held_ms, owned, ready; };
struct tasks_totals tasks_totals(const struct tasks *tasks);
void tasks_waiting(const struct tasks *tasks, struct waiting_sums *sums);
#endif
