/* dlq: what the files of `kontor dlq` share. dlq.c: the command, its filter and list; dlq_show.c; dlq_replay.c. */
#ifndef KONTOR_CLI_DLQ_H
#define KONTOR_CLI_DLQ_H
#include "cli/dlq_index.h"
#include "cli/table.h"

enum { DLQ_REPEATS = 3 };       /* --attempts: how often in a row for the same reason is enough */

enum dead_state { DEAD_OPEN, DEAD_CAME_BACK, DEAD_LOOPS, DEAD_GONE };
extern const char *const dead_state_names[];

struct dlq_filter {
    struct slice topic, reason, entity, source, key, text, state;
    int64_t older_ms, newer_ms, attempts, limit, repeats;
    const char *const *ids;
    size_t id_count;
    int64_t now_ms;
};
MUST_CHECK bool dlq_filter_read(struct dlq_filter *filter, const struct invocation *invocation, const char *state, struct error *error);
bool dlq_filter_asks(const struct dlq_filter *filter);
bool dlq_passes(const struct dlq_index *index, const struct dlq_filter *filter, const struct dead *dead);
enum dead_state dead_state(const struct dlq_index *index, const struct dlq_filter *filter, const struct dead *dead);

/* Opens the index and brings it forward. */
MUST_CHECK bool dlq_open(struct dlq_index *index, const struct connection *connection, const struct invocation *invocation, struct error *error);

enum exit_status dlq_show(const struct invocation *invocation);
enum exit_status dlq_replay(const struct invocation *invocation);
#endif
