/* restore: brings the states of tasks forward from the changelog, all of them at once.
 *
 * The caller has read the group's stable committed offsets before: whatever a predecessor has committed lies below the end that is asked for then. The end
 * is the log's, open transactions included; read are committed records, until the reader's end is at or past it. A state whose position is not in the
 * changelog any more (below its start, or past its end), or whose changelog has another header now (deleted and made anew), is emptied and built from the
 * beginning. A changelog that does not begin with its header is not whole and is refused. One thread. */
#ifndef KONTOR_RUNTIME_RESTORE_H
#define KONTOR_RUNTIME_RESTORE_H
#include "common/runtime/failure.h"
#include "common/runtime/tail.h"
#include "common/state/state.h"

struct restore;

struct restore_options {
    struct tail *tail;
    const char *changelog;
    int32_t partition_count;
};
/* What options point to must outlive it. */
MUST_CHECK bool restore_open(struct restore **restore, const struct restore_options *options, struct error *error);
void restore_close(struct restore *restore);

/* Begins with a task's state, which stays the caller's. */
void restore_add(struct restore *restore, int32_t partition, struct state *state);
void restore_remove(struct restore *restore, int32_t partition);

/* Reads and applies what is there, waiting at most timeout_ms for the broker's word on ends. *moved: whether anything was done. A failure of LMDB, of a
 * record's checksum, or a changelog of another kind is fatal. */
MUST_CHECK enum step restore_step(struct restore *restore, int timeout_ms, bool *moved, struct fatal_cause *fatal);

/* Whether the task's state is at the end; the caller then takes it with restore_remove. */
bool restore_is_done(const struct restore *restore, int32_t partition);
struct restore_progress { int tasks; int64_t records_left; };
struct restore_progress restore_progress(const struct restore *restore);
const char *restore_reason(const struct restore *restore);
#endif
