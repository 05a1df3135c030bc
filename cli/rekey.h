/* What the files of `kontor rekey` share: rekey.c (the command), rekey_look.c (what there is, and whether it may be touched), rekey_unread.c (events that are not taken
 * yet), rekey_build.c (the new changelogs; topics, writer and transaction are generation_make.h's), rekey_merge.c (a partner that becomes another one), rekey_switch.c (partitions, and the transaction that makes all of it hold). What is done and why: docs/rekey.md. */
#ifndef KONTOR_CLI_REKEY_H
#define KONTOR_CLI_REKEY_H
#include "cli/generation_make.h"
#include "cli/sandbox.h"
#include "common/platform/arena.h"
#include "common/runtime/rekeying.h"
#include "common/runtime/topics.h"

enum { REKEY_TOPICS_MAXIMUM = 96, REKEY_PROCESSORS_MAXIMUM = 32 };

/* An input: its partitions change in place, its records stay where they are. */
struct rekey_topic {
    char name[TOPIC_NAME_MAXIMUM];
    int32_t now;                    /* partitions */
    bool timers;                    /* ticks: what is unread of them is not needed */
    int64_t *low, *end;             /* by partition, below rekey.wide; open transactions have ended */
    uint64_t unread, misplaced;     /* records that no group has taken; of them in another partition than they are to be */
};

struct rekey_processor {
    const struct processor *processor;
    char group[TOPIC_NAME_MAXIMUM];
    struct generation live, next;
    int32_t from;                   /* partitions of the live changelog */
    struct topics_inputs inputs;
    size_t topic_of[INPUT_TOPICS_MAXIMUM];      /* in rekey.topics */
    int64_t *positions;             /* the group's, by input * wide + partition; -1: none */
    int64_t *changelog_end;         /* by old partition */
    uint64_t changelog_records;
    struct rekeying *rekeying;
    struct rekey_rewriting { const struct processor *of; struct values *values; uint32_t ids[INPUTS_MAXIMUM]; } rewriting;
    struct rekeying_merge merge;    /* the command's, with its own context */
};

/* An event that is not taken yet, to be sent again to where it belongs. */
struct carried { size_t topic; int32_t partition; int64_t offset, order_ms, timestamp_ms; struct slice key, value; rd_kafka_headers_t *headers; };

struct rekey {
    const struct invocation *invocation;
    struct connection connection;
    struct topic_list list;
    struct making making;           /* its producer: of a --yes */
    struct client_events committed_events;
    rd_kafka_t *committed;          /* a client to which a log ends at its first open transaction */
    struct tail *tail;
    int wake;
    bool merges;                    /* a partner becomes another one; the partitions stay */
    struct rekeying_merge merge;
    struct slice merge_key;         /* of the events of the one */
    char merge_key_text[STATE_KEY_MAXIMUM];
    struct values *values;
    int32_t to, wide;               /* wide: the most partitions that any of it has now or then */
    struct rekey_processor processors[REKEY_PROCESSORS_MAXIMUM];
    size_t processor_count;
    struct rekey_topic topics[REKEY_TOPICS_MAXIMUM];
    size_t topic_count;
    struct arena arena;
    struct carried *carried;
    size_t carried_count, carried_capacity;
    char folder[160];
};

/* ---- rekey_look.c ---- */
/* Clients; which processors, with all that read the same topics; their topics and generations. *done: there is nothing to move. */
MUST_CHECK bool rekey_look(struct rekey *rekey, bool *done, struct error *error);
void rekey_close(struct rekey *rekey);
/* No group of them, and none that writes what grows, has members. */
MUST_CHECK bool rekey_all_stopped(struct rekey *rekey, struct error *error);
/* Where the groups stand and the logs end, when no transaction is open any more. */
MUST_CHECK bool rekey_positions(struct rekey *rekey, struct error *error);
/* Whether the logs still end where rekey_positions found it. */
MUST_CHECK bool rekey_unchanged(struct rekey *rekey, struct error *error);
bool rekey_reads(const struct rekey_processor *of, size_t topic, size_t *input);

/* ---- rekey_unread.c ---- */
MUST_CHECK bool rekey_unread(struct rekey *rekey, struct error *error);

/* ---- rekey_build.c ---- */
MUST_CHECK bool rekey_build(struct rekey *rekey, struct error *error);      /* in the folder */
MUST_CHECK bool rekey_write(struct rekey *rekey, struct error *error);      /* to new topics, and reads them back */

/* ---- rekey_merge.c ---- */
MUST_CHECK bool rekey_merge_read(struct rekey *rekey, struct error *error);
/* Whether anything of the one is there. */
bool rekey_merge_found(const struct rekey *rekey);

/* ---- rekey_switch.c ---- */
MUST_CHECK bool rekey_grow(struct rekey *rekey, struct error *error);
MUST_CHECK bool rekey_switch(struct rekey *rekey, struct error *error);
#endif
