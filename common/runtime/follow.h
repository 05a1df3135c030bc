/* follow: keeps an instance's tables up with their master.<table> topics: reads the tail at start, then follows, a bounded piece between two batches.
 *
 * A master topic has one partition. A record that cannot be decoded makes its key stale (tables.h); a registry that does not answer, or that
 * does not know our own schemas either, makes the follower wait: the record is not to blame. One thread. */
#ifndef KONTOR_RUNTIME_FOLLOW_H
#define KONTOR_RUNTIME_FOLLOW_H
#include "common/codec/reader.h"
#include "common/runtime/failure.h"
#include "common/runtime/tail.h"
#include "common/tables/tables.h"

struct follow;
struct schemas;

struct follow_options {
    struct tail *tail;
    struct tables *tables;
    const struct table *const *list;    /* as given to tables_open, NULL behind the last */
    struct registry *registry;
    struct schemas *schemas;            /* asked whether the registry is right */
    const char *dir;                    /* of the tables, for messages */
};
/* What options point to must outlive it. */
MUST_CHECK bool follow_open(struct follow **follow, const struct follow_options *options, struct error *error);
void follow_close(struct follow *follow);

/* Takes what is there, bounded. *moved: something was done; *changed: a table is another now. */
MUST_CHECK enum step follow_step(struct follow *follow, int timeout_ms, bool *moved, bool *changed, struct fatal_cause *fatal);
/* Whether every table has reached the end that its topic had at the start. */
bool follow_is_caught_up(const struct follow *follow);
const char *follow_reason(const struct follow *follow);
/* Records read and not usable. How long ago the table was last known to be at the topic's end, in ms; 0: it is. */
uint64_t follow_bad_records(const struct follow *follow, size_t table);
int64_t follow_staleness_ms(const struct follow *follow, size_t table, bool broker_is_reachable);
#endif
