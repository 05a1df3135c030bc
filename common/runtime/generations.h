/* generations: which changelog of a processor is the live one. The first is kontor.<processor>.changelog; `kontor rekey` and `kontor state` make others,
 * kontor.<processor>.changelog.<number>, and say in kontor.generations which one holds from then on – in the transaction that also has the group's offsets, so that both change at once or
 * not at all.
 * The topic is compacted and has one partition; key: the processor's name; value: text, fixed for good,
 *
 *     generation=<number> changelog=<topic> partitions=<count> from=<topic>
 *
 * A processor without a record is in its first generation. */
#ifndef KONTOR_RUNTIME_GENERATIONS_H
#define KONTOR_RUNTIME_GENERATIONS_H
#include "common/platform/slice.h"
#include "common/runtime/tail.h"

#define GENERATIONS_TOPIC "kontor.generations"
enum { GENERATION_NAME_MAXIMUM = 250, GENERATION_TEXT_SIZE = 640, GENERATION_MARK_SIZE = 4096 };

struct generation {
    int number;
    int32_t partitions;                     /* 0 in the first: as the topic has them */
    char changelog[GENERATION_NAME_MAXIMUM];
};

/* The first generation. */
void generation_first(struct generation *generation, const char *processor);
/* The number of a changelog's generation by its name; 0: the topic is no changelog of the processor. */
int generation_number(const char *topic, const char *processor);
/* The name of a generation's changelog. */
void generation_changelog(char name[GENERATION_NAME_MAXIMUM], const char *processor, int number);
/* A record's value, or a mark's. False: it is none. */
MUST_CHECK bool generation_parse(struct generation *generation, struct slice value);
int generation_format(char text[GENERATION_TEXT_SIZE], const struct generation *generation, const char *from);

/* The record that closes each partition of a changelog, in the same transaction; its value, sealed, is that of the generation that holds from then on. Who opens a task reads its
 * changelog to the end and finds it, even where it had asked for the generation just before. Behind GENERATION_OFFSETS it may say what the group had committed of the partition:
 * as long as that is so, `kontor state migrate --back` can open it again, by deleting the mark. */
extern const struct slice generation_closed_key;
#define GENERATION_OFFSETS " offsets="

enum generation_answer { GENERATION_FOUND, GENERATION_UNREACHABLE, GENERATION_WRONG };
/* The live one as the topic has it, which must exist. Waits at most timeout_ms. */
enum generation_answer generations_read(struct tail *tail, const char *processor, int timeout_ms, struct generation *generation, struct error *error);
#endif
