/* rekeying: the state of a processor's tasks in another number of partitions, so that each record is where the events of its key are from then on. It needs no broker:
 * it is given the old changelog's records, builds the new states in a folder, and gives their records out, to be a new changelog (cli/rekey.c writes it).
 *
 * How each kind of record finds its partition:
 *     records of the processor    by the key of the events that make them (processor.h, owner); nothing in them changes
 *     seen events alone           the same, where the key tells it; else they lie in every partition: they answer only to an event that is there once
 *     what waits, is held or is deferred
 *                                 by the key that it has kept. It gets a new number, in which the events of a document keep their order, and keeps where it came from:
 *                                 its origin, which people and other processors know it by, stays the same (parked.avsc, partition)
 *     the task's clock            made of the clocks of all tasks that may give something: the stream time, broker time and table offsets are the largest
 *     header and layout           made anew: the layout is this program's, and what was written with another is written anew with it
 *
 * The largest stream time means that nothing is taken for newer than it was: what is known of an event is known for as long as before or shorter, by as much as the
 * partitions were apart, and waiting ends as much sooner. Limits that are counted by ticks keep their own tick.
 *
 * Records of two partitions under one key (two suppliers with one order number) cannot be told apart in one: a conflict, which is named. One thread. */
#ifndef KONTOR_RUNTIME_REKEYING_H
#define KONTOR_RUNTIME_REKEYING_H
#include "common/runtime/processor.h"
#include "common/state/state.h"

struct rekeying;

enum { REKEYING_CONFLICTS_MAXIMUM = 20 };
/* A partner of an entity becomes another one: what is its goes where the other's is, under its key. What waits is written anew, by rewrite: an event's bytes with the
 * other partner in them. What is held, and a document that both have, is a conflict. */
struct rekeying_merge {
    struct slice entity, from, to;      /* ids */
    bool (*rewrite)(void *context, int input, const struct partner_change *change, struct slice value, struct buffer *out, struct error *error);
    void *context;
};

struct rekeying_options {
    const struct processor *processor;
    const char *version;            /* of the software, for the header */
    const char *folder;             /* exists; what is made in it is the caller's to delete */
    int32_t from, to;               /* partitions */
    uint64_t (*new_id)(void);       /* for the header; NULL: 0 */
    const struct rekeying_merge *merge;     /* NULL: none */
};

struct rekeying_counts {
    uint64_t records;               /* of the processor's stores, as they were */
    uint64_t moved;                 /* of them to another partition */
    uint64_t everywhere;            /* seen events that lie in every partition now */
    uint64_t waiting, held, behind, deferred;   /* what waits, moved or not */
    uint64_t waits_moved;           /* of it */
    uint64_t merged, waits_merged;  /* records, and what waits, that are another partner's now */
    uint64_t written;               /* records of all new partitions */
    uint64_t conflicts;
    uint64_t unowned;               /* records that do not say whose they are */
    char conflict_texts[REKEYING_CONFLICTS_MAXIMUM][256];   /* of conflicts and records without owner, the first */
};

MUST_CHECK bool rekeying_open(struct rekeying **rekeying, const struct rekeying_options *options, struct error *error);
void rekeying_close(struct rekeying *rekeying);

/* Records of an old partition, in order, those that delete too. Checks every seal. position: the offset behind the last. */
MUST_CHECK bool rekeying_take(struct rekeying *rekeying, int32_t partition, const struct state_change *changes, size_t count, int64_t position, struct error *error);
/* All were taken: builds the new states. False: a record cannot be read. Conflicts are no failure, but what is built is not whole then. progress may be NULL. */
MUST_CHECK bool rekeying_build(struct rekeying *rekeying, void (*progress)(void *context, uint64_t records), void *context, struct error *error);
const struct rekeying_counts *rekeying_counts(const struct rekeying *rekeying);

/* The records of a new partition, sealed, the header first; bytes live during the visit. None where there is nothing to know. */
MUST_CHECK bool rekeying_each(struct rekeying *rekeying, int32_t partition, bool (*visit)(void *context, struct slice key, struct slice value, struct error *error),
                              void *context, struct error *error);
/* Whether a record of the new changelog is one of these; first: of its partition. */
bool rekeying_has(struct rekeying *rekeying, int32_t partition, bool first, struct slice key, struct slice value);
/* How many that are. */
uint64_t rekeying_size(const struct rekeying *rekeying, int32_t partition);
#endif
