/* broker: topics in memory. What a batch sends stands behind its mark until the batch is committed, or is cut off when it is aborted. */
#ifndef KONTOR_DRIVER_BROKER_H
#define KONTOR_DRIVER_BROKER_H
#include <stdint.h>

#include "common/platform/arena.h"
#include "common/runtime/engine.h"

struct stored {
    const char *topic, *processor;      /* processor: who sent it, NULL: the case */
    int32_t partition;
    int64_t offset;                     /* within topic and partition */
    int64_t timestamp_ms;               /* 0: when it was sent */
    struct slice key, value;            /* data NULL: none */
    struct record_header *headers;
    size_t header_count;
    const void *decoded;                /* our struct, of what processors send but for dead letters and changelogs */
    bool claimed;                       /* a journal, entry or payable that an expectation named */
    bool answered;                      /* a journal that the case's ERP has answered */
    bool bad;                           /* a master record that a table refused */
};

struct broker {
    struct arena arena;
    struct stored **items;
    size_t count, capacity;
    struct codec_plan **plans;          /* of what is decoded, by schema id */
};

/* Our schemas, and those of a processor from outside, known to everybody: the id is the position + 1. */
enum { SCHEMAS_OF_TREE = 19, SCHEMAS_MAXIMUM = SCHEMAS_OF_TREE + INPUTS_MAXIMUM + OUTPUTS_MAXIMUM };
extern const struct codec_type *broker_schemas[SCHEMAS_MAXIMUM];
extern uint32_t broker_schema_count;
/* Makes the schemas of its inputs and outputs known, before the first broker is opened. */
void broker_schemas_add(const struct processor *processor);
uint32_t broker_schema_id(const struct codec_type *type);

MUST_CHECK bool broker_open(struct broker *broker, struct error *error);
void broker_close(struct broker *broker);

/* Copies the record. False: it is one of ours and cannot be decoded, or lies under another key than its content. */
MUST_CHECK bool broker_append(struct broker *broker, const char *processor, const struct engine_output *output, struct error *error);
void broker_cut(struct broker *broker, size_t count);
/* Where the next record of a topic's partition goes. */
int64_t broker_end(const struct broker *broker, const char *topic, int32_t partition);
/* The record at or behind the offset, or NULL. */
struct stored *broker_read(const struct broker *broker, const char *topic, int32_t partition, int64_t offset);
/* A hash over topics, partitions, keys, values and headers of what processors sent from a position on. */
uint64_t broker_sent(const struct broker *broker, size_t from);
struct slice stored_header(const struct stored *stored, const char *name);
bool stored_in(const struct stored *stored, const char *topic);
static inline bool is_entry(const struct stored *stored) { return stored->decoded && !strcmp(stored->topic, "settlement.entries"); }
static inline bool is_journal(const struct stored *stored) { return stored->decoded && !strncmp(stored->topic, "posting.commands.", 17); }
#endif
