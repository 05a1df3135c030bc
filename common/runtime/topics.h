/* topics: whether the topics that a processor reads and writes are there, and are what it needs. Asked once at start; a wrong one is said by name with
 * what to do, before the first record. */
#ifndef KONTOR_RUNTIME_TOPICS_H
#define KONTOR_RUNTIME_TOPICS_H
#include <stdint.h>

#include "common/platform/error.h"
#include "common/runtime/processor.h"
#include "common/runtime/tail.h"

enum topics_answer {
    TOPICS_FINE,
    TOPICS_UNREACHABLE, /* the broker does not answer: ask again */
    TOPICS_WRONG        /* error says which and what to do */
};

enum { TOPIC_NAMES_MAXIMUM = 64, TOPIC_NAME_MAXIMUM = 250 };

struct topics {
    int32_t partition_count;            /* of every input, of the timers and of the changelog */
    int64_t state_maximum_age_ms;       /* half of the changelog's delete.retention.ms: older states may have missed tombstones */
    int64_t tables_maximum_age_ms;      /* the same of the master topics; 0: the processor has none */
    char cluster[64];                   /* Kafka's id of the cluster */
    char erps[1024];                    /* the ERPs that have a topic of each output per ERP, separated by commas */
    char changelog[TOPIC_NAME_MAXIMUM]; /* of the live generation (generations.h) */
    char timers[TOPIC_NAME_MAXIMUM];    /* ticks of the broker's time (engine.h) */
    char outputs[TOPIC_NAMES_MAXIMUM][TOPIC_NAME_MAXIMUM];  /* with the topics per ERP, without the changelog */
    size_t output_count;
};

/* What the processor's group subscribes to, in the order in which its records are taken: its declared inputs, behind them what people decided of what it holds
 * (resolutions.<processor>), and the timers (kontor.<processor>.timers), last. */
enum { INPUT_TOPICS_MAXIMUM = INPUTS_MAXIMUM + 2 };
struct topics_inputs { const char *names[INPUT_TOPICS_MAXIMUM]; size_t count; char resolutions[TOPIC_NAME_MAXIMUM], timers[TOPIC_NAME_MAXIMUM]; };
void topics_inputs(const struct processor *processor, struct topics_inputs *inputs);

enum topics_answer topics_look(struct tail *tail, const struct processor *processor, int timeout_ms, struct topics *topics, struct error *error);
#endif
