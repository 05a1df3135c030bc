/* changelog: a processor's state as a changelog topic has it, a partition at a time, in a temporary folder: only what is committed, every seal checked. */
#ifndef KONTOR_CLI_CHANGELOG_H
#define KONTOR_CLI_CHANGELOG_H
#include "cli/connection.h"
#include "cli/folder.h"
#include "common/state/state.h"

/* What the last record of the partition is: says who wrote there last. */
enum changelog_last { LAST_OTHER, LAST_GENERATION, LAST_CLOCK };
/* Brings a state that is empty to the end of the partition. next: where the log goes on. last: NULL, or what its last record is. */
MUST_CHECK bool changelog_apply(const struct connection *connection, const char *topic, int32_t partition, struct state *state, int64_t *next, enum changelog_last *last,
                                 struct error *error);

/* A partition's state, or what is to become one. */
struct fold { struct state *state; char folder[FOLDER_SIZE + 80]; int64_t next; enum changelog_last last; };
/* Empty, below the folder; name tells it from others there. */
MUST_CHECK bool fold_open(struct fold *fold, const char *folder, const char *name, const char *processor, int32_t partition, struct error *error);
/* ... with what the topic has. */
MUST_CHECK bool fold_read(struct fold *fold, const struct connection *connection, const char *topic, int32_t partition, struct error *error);
void fold_close(struct fold *fold);
/* Puts records in, a few thousand at a time; bytes are copied. fold_flush behind the last. */
struct filling;
MUST_CHECK bool fold_fill(struct fold *fold, struct filling **filling, struct slice key, struct slice value, struct error *error);
MUST_CHECK bool fold_filled(struct fold *fold, struct filling **filling, bool keep, struct error *error);

/* What the header and the generation's record say. */
struct changelog_about { int format, partitions; char partitioner[32], version[32], id[17]; };
/* False: it has no header, or one that is not ours; *empty: there is nothing at all. */
MUST_CHECK bool fold_about(struct fold *fold, struct changelog_about *about, bool *empty, struct error *error);

/* The generation of a changelog's partition: 1 until `kontor state` has made another. rewriting: one is being made, and was not finished. offsets: what the group had committed
 * of the partition when it was made, as text. A record of the engine's own store, sealed with version byte 0: the processors do not look at it. */
enum { OFFSETS_TEXT_SIZE = 1500 };
struct changelog_generation { int number; bool rewriting, complete; int64_t made_ms; char offsets[OFFSETS_TEXT_SIZE]; };
MUST_CHECK bool fold_generation(struct fold *fold, struct changelog_generation *generation, struct error *error);
/* The record's body. */
void generation_text(const struct changelog_generation *generation, char text[OFFSETS_TEXT_SIZE + 128]);

/* "kontor.<processor>.changelog", and of an older generation that was kept "kontor.<processor>.changelog.kept.<number>". */
enum { CHANGELOG_NAME_SIZE = 220 };
const char *changelog_name(const char *processor, int generation, char name[CHANGELOG_NAME_SIZE]);
#endif
