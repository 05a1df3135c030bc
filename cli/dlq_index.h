/* dlq_index: what is on the dead-letter topics, in a folder of this machine, so that a million of them are listed and filtered at once. It is brought forward from where
 * it ended, read_committed, and can be deleted at any time: the topics are the truth.
 *
 *     entries    a struct dead for each, as it lies in memory; in the order that they were read, of a partition that of its offsets
 *     strings    texts: four bytes of length, the bytes; named by where they begin
 *     state      what of both is good, and where each partition goes on; written last, and whole or not at all
 *
 * Which of them were replayed is on the topic audit (action replay, origin: the dead letter's place), written in one transaction with the replayed record. */
#ifndef KONTOR_CLI_DLQ_INDEX_H
#define KONTOR_CLI_DLQ_INDEX_H
#include "cli/connection.h"
#include "common/platform/slice.h"

enum { DEAD_REPLAYED = 1 };

struct dead {
    int64_t offset, time_ms, origin_offset;
    int32_t partition, origin_partition;
    /* Strings. topic: the dead-letter topic; origin_topic: where it came from. */
    uint32_t topic, origin_topic, reason, text, entity, source, key, event_id;
    uint16_t replays;       /* how often it came back before it lies here */
    uint16_t repeats;       /* ... in a row, and ended here for the same reason */
    uint32_t flags;
};

struct dlq_index {
    char folder[3072];
    int lock, entries_file, strings_file;
    struct dead *entries;       /* mapped */
    const char *strings;        /* mapped */
    uint64_t count, strings_size;
    struct index_place { char topic[256]; int32_t partition; int64_t next, begin; } *places;
    size_t place_count;
};

/* Opens or makes it; folder NULL: $XDG_CACHE_HOME/kontor/dlq/<cluster>. It waits while another process has it. */
MUST_CHECK bool dlq_index_open(struct dlq_index *index, const struct connection *connection, const char *folder, struct error *error);
/* Reads what is new. *read: how many dead letters that were. Entries move. */
MUST_CHECK bool dlq_index_update(struct dlq_index *index, const struct connection *connection, uint64_t *read, struct error *error);
void dlq_index_close(struct dlq_index *index);

struct slice dead_string(const struct dlq_index *index, uint32_t string);
/* <topic>/<partition>/<offset>: its name. */
enum { DEAD_NAME_SIZE = 320 };
const char *dead_name(const struct dlq_index *index, const struct dead *dead, char name[DEAD_NAME_SIZE]);
/* Whether the topic still holds it. */
bool dead_is_there(const struct dlq_index *index, const struct dead *dead);
/* By its place; NULL: there is none. */
struct dead *dlq_index_find(const struct dlq_index *index, struct slice topic, int32_t partition, int64_t offset);
#endif
