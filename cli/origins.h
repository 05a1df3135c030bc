/* origins: the outcome of every event, found by where the event lies: topic, partition, offset. Four bytes an event. */
#ifndef KONTOR_CLI_ORIGINS_H
#define KONTOR_CLI_ORIGINS_H
#include <stdbool.h>
#include <stdint.h>

#include "common/platform/error.h"
#include "common/platform/slice.h"

enum { ORIGIN_TOPICS_MAXIMUM = 16, ORIGIN_PARTITIONS_MAXIMUM = 4096, ORIGIN_LABEL_MAXIMUM = (1 << 27) - 1 };

/* outcome: 0 none yet, else what the caller means by it, up to 7. label: up to ORIGIN_LABEL_MAXIMUM. there: the event itself was seen. synthetic: it carries the mark of docs/probe.md. */
struct origin { uint32_t outcome : 3, there : 1, synthetic : 1, label : 27; };

struct origin_partition { struct origin *events; int64_t begin, end; };
struct origins {
    const char *topics[ORIGIN_TOPICS_MAXIMUM];
    size_t topic_count;
    struct origin_partition *partitions[ORIGIN_TOPICS_MAXIMUM];     /* ORIGIN_PARTITIONS_MAXIMUM each */
};

/* Topics are added first; then each partition's range is told once. */
MUST_CHECK bool origins_add_topic(struct origins *origins, const char *topic);
MUST_CHECK bool origins_set_range(struct origins *origins, size_t topic, int32_t partition, int64_t begin, int64_t end);
void origins_free(struct origins *origins);

enum origin_result { ORIGIN_FOUND, ORIGIN_OUTSIDE, ORIGIN_NONE };
/* OUTSIDE: behind the end that the partition had, or before what is kept of it; NONE: there is no such topic or partition. */
enum origin_result origins_find(struct origins *origins, size_t topic, int32_t partition, int64_t offset, struct origin **origin);
/* The same for "<topic>/<partition>/<offset>". */
enum origin_result origins_find_text(struct origins *origins, struct slice text, struct origin **origin);

/* Splits "<topic>/<partition>/<offset>". */
MUST_CHECK bool origin_parse(struct slice text, struct slice *topic, int32_t *partition, int64_t *offset);
#endif
