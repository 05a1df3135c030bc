/* dlq_read: the part of dlq_index that reads topics, and what the files of `kontor dlq` know of a dead letter's record. */
#ifndef KONTOR_CLI_DLQ_READ_H
#define KONTOR_CLI_DLQ_READ_H
#include "cli/dlq_index.h"
#include "cli/scan.h"
#include "cli/topic_list.h"

/* Of dlq_index.c: */
/* Opens index->folder. */
MUST_CHECK bool dlq_index_open_folder(struct dlq_index *index, struct error *error);
struct index_place *dlq_index_place(struct dlq_index *index, const char *topic, int32_t partition);
MUST_CHECK bool dlq_index_write_state(struct dlq_index *index, struct error *error);
MUST_CHECK bool dlq_index_map(struct dlq_index *index, struct error *error);
void dlq_index_unmap(struct dlq_index *index);
MUST_CHECK bool dlq_index_reset(struct dlq_index *index, struct error *error);

/* A header's value as a number; the fallback where there is none. */
int64_t header_number(const struct kafka_record *record, const char *name, int64_t fallback);
/* Headers that are written by a replay, into the record that comes back; an ordinary record keeps them, and so does its dead letter. */
#define HEADER_REPLAY_OF "kontor-replay-of"             /* place of the dead letter */
#define HEADER_REPLAYS "kontor-replays"                 /* how often it has come back */
#define HEADER_REPLAY_REASON "kontor-replay-reason"     /* what it was dead for */
#define HEADER_REPLAY_REPEATS "kontor-replay-repeats"   /* how often in a row it was dead for that */
/* How often in a row the record has ended here for the reason that it lies here for, this time included and the first time not. */
int64_t dead_repeats(const struct kafka_record *record);

#endif
