/* compare_internal: what compare.c (matching) and compare_names.c (the superseded master records) share. */
#ifndef KONTOR_CLI_COMPARE_INTERNAL_H
#define KONTOR_CLI_COMPARE_INTERNAL_H
#include "cli/compare.h"
#include "cli/scan.h"
#include "cli/values.h"

enum { COMPARED_TOPICS = 64 };

struct compared_topic {
    char name[256];
    const struct codec_type *type;          /* NULL: dead letters */
    const struct codec_field *origin, *processor, *document;
    struct codec_plan *plan;
    uint64_t same, other, only_there, only_here;
};

/* A record that only one side has, or two that stand in each other's place. */
struct difference {
    size_t topic;
    struct slice origin, document, there, here; /* values: on the topic, in the replay; data NULL: none */
    bool paired;
};

struct compare {
    const struct connection *connection;
    const struct processor *processor;
    int64_t from_ms, to_ms;
    const struct history *history;
    struct compared_topic topics[COMPARED_TOPICS];
    size_t topic_count;
    struct values *values;
    struct arena arena, kept;
    struct intern origins;                  /* of the range */
    uint64_t events, undecided;             /* undecided: of those, what the processor has not come to yet */
    struct { uint64_t hash; uint32_t count; } *slots;   /* what the topics hold; count 0 and hash 0: empty */
    size_t slot_count, used;
    struct difference *differences;
    size_t count, capacity, unexplained;
    struct slice *superseded;               /* by difference */
};

/* Fills compare->superseded. */
MUST_CHECK bool compare_names(struct compare *compare, struct error *error);
#endif
