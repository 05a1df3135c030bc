/* reader: the plans for one struct of ours, by the schema id that a record carries. Used for each record.
 *
 *     switch (codec_reader_decode(reader, message, length, &arena, &event, &error)) { ... }
 *
 * A plan is made when its id is first met, with the registry's schema; then it is a look-up. One thread. */
#ifndef KONTOR_CODEC_READER_H
#define KONTOR_CODEC_READER_H
#include "common/codec/plan.h"
#include "common/codec/registry.h"

enum codec_reader_result {
    CODEC_READER_OK,
    CODEC_READER_NOT_FRAMED,           /* no magic byte and id: poison */
    CODEC_READER_DECODE_FAILED,        /* not a record of its schema, or one that our struct cannot hold: poison */
    CODEC_READER_TOO_LARGE,            /* the arena's limit: try again with an empty one; a record too large for that is poison */
    CODEC_READER_SCHEMA_UNKNOWN,       /* the registry has no such id: poison, unless every id is unknown */
    CODEC_READER_REGISTRY_UNREACHABLE, /* wait and ask again; the record is not to blame */
    CODEC_READER_INCOMPATIBLE,         /* records of this schema can never be read as our struct, or the schema is nonsense: poison */
    CODEC_READER_REGISTRY_CHANGED      /* fatal: registry.h */
};

struct codec_reader;

/* Keeps type and registry, which must outlive it. NULL when memory is out. */
struct codec_reader *codec_reader_new(const struct codec_type *type, struct registry *registry);
void codec_reader_free(struct codec_reader *reader);

/* What was INCOMPATIBLE is looked at anew when it comes again. */
void codec_reader_retry(struct codec_reader *reader, uint32_t schema_id);

/* The plan for a writer's schema id: OK, SCHEMA_UNKNOWN, REGISTRY_UNREACHABLE, INCOMPATIBLE or REGISTRY_CHANGED. The plan is the reader's. */
enum codec_reader_result codec_reader_plan(struct codec_reader *reader, uint32_t schema_id, const struct codec_plan **plan,
                                           struct error *error) MUST_CHECK;

/* A whole message with its header into *out (plan.h, codec_decode). For every result but OK *error tells why. */
enum codec_reader_result codec_reader_decode(struct codec_reader *reader, const void *message, size_t length, struct arena *arena, void *out,
                                             struct error *error) MUST_CHECK;
#endif
