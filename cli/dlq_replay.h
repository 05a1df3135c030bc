/* dlq_replay: what the files of `kontor dlq replay` share. dlq_replay.c: which, and the command; dlq_send.c: sending; dlq_try.c: what would become of them. */
#ifndef KONTOR_CLI_DLQ_REPLAY_H
#define KONTOR_CLI_DLQ_REPLAY_H
#include "cli/connection.h"
#include "cli/dlq.h"
#include "cli/dlq_read.h"
#include "cli/progress.h"
#include "common/platform/arena.h"
#include "common/platform/buffer.h"

enum { ORIGINS_MAXIMUM = SCAN_TOPICS_MAXIMUM };

struct dlq_replaying {
    const struct invocation *invocation;
    struct connection connection;
    struct dlq_index index;
    struct dlq_filter filter;
    const char *user, *role, *why;
    struct topic_names names;                   /* of the dead-letter topics */
    char *origins[ORIGINS_MAXIMUM];             /* where they go, each once: a topic is known by its pointer */
    size_t origin_count;
    uint64_t *chosen;                           /* positions in the index, by topic, partition and offset */
    uint64_t chosen_count, loops, already, gone;
    struct transactions *transactions;
    uint32_t audit_schema;
    struct arena batch;
    struct buffer scratch;
    bool open;
    uint64_t batch_records, sent;
    int64_t batch_ms, started_ms;
    struct progress progress;
    struct scan scan;
    void *visiting;                             /* of read_chosen's visitor */
};

/* Finds what the filter names, and counts what of it is left alone. */
MUST_CHECK bool dlq_choose(struct dlq_replaying *replaying, struct error *error);
/* Reads the records of the chosen ones, of a partition in order. The context of visit is `replaying`. */
MUST_CHECK bool dlq_read_chosen(struct dlq_replaying *replaying, enum scan_step (*visit)(void *, const struct kafka_record *, struct error *), struct error *error);
/* The chosen one of that record; NULL: it is not chosen. */
const struct dead *dlq_chosen(const struct dlq_replaying *replaying, const struct kafka_record *record);

MUST_CHECK bool dlq_send_all(struct dlq_replaying *replaying, struct error *error);
MUST_CHECK bool dlq_try_all(struct dlq_replaying *replaying, struct error *error);
#endif
