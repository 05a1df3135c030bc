/* changelog: a processor's state as a changelog topic has it, a partition at a time, in a temporary folder: only what is committed, every seal checked. */
#ifndef KONTOR_CLI_CHANGELOG_H
#define KONTOR_CLI_CHANGELOG_H
#include "cli/connection.h"
#include "cli/folder.h"
#include "common/state/state.h"

/* Brings a state that is empty to the end of the partition. next: where the log goes on. */
MUST_CHECK bool changelog_apply(const struct connection *connection, const char *topic, int32_t partition, struct state *state, int64_t *next, struct error *error);

/* Where the keys and values of changes lie, one behind the other in a buffer that has moved while it grew. A value that is NULL deletes. */
void changes_place(struct state_change *changes, size_t count, const char *bytes);

/* A partition's state, or what is to become one. */
struct fold { struct state *state; char folder[FOLDER_SIZE + 80]; int64_t next; };
/* Empty, below the folder; name tells it from others there. */
MUST_CHECK bool fold_open(struct fold *fold, const char *folder, const char *name, const char *processor, int32_t partition, struct error *error);
/* ... with what the topic has. */
MUST_CHECK bool fold_read(struct fold *fold, const struct connection *connection, const char *topic, int32_t partition, struct error *error);
void fold_close(struct fold *fold);
/* Puts records in, a few thousand at a time; bytes are copied. fold_flush behind the last. */
struct filling;
MUST_CHECK bool fold_fill(struct fold *fold, struct filling **filling, struct slice key, struct slice value, struct error *error);
MUST_CHECK bool fold_filled(struct fold *fold, struct filling **filling, bool keep, struct error *error);

/* What the header says. */
struct changelog_about { int format, partitions; char partitioner[32], version[32], id[17]; };
/* False: it has no header, or one that is not ours; *empty: there is nothing at all. */
MUST_CHECK bool fold_about(struct fold *fold, struct changelog_about *about, bool *empty, struct error *error);

/* A value as the changelog has it. */
struct slice state_value_sealed(struct state_value value);
/* Whether two states are the same, record by record. */
MUST_CHECK bool fold_equal(struct fold *a, struct fold *b, bool *equal, struct error *error);
#endif
