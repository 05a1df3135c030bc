/* scan: topics read from their beginning to the end they have when it starts, all partitions at once through one client without a group: nothing is
 * committed, nobody else is disturbed. */
#ifndef KONTOR_CLI_SCAN_H
#define KONTOR_CLI_SCAN_H
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/connection.h"
#include "common/platform/slice.h"

/* Valid during the visit. key, value: data NULL when the record has none. */
struct kafka_record {
    const char *topic;
    size_t topic_index;             /* in scan.topics */
    int32_t partition;
    int64_t offset, timestamp_ms;   /* -1: no timestamp */
    struct slice key, value;
    rd_kafka_message_t *message;    /* for its headers */
};

enum scan_step { SCAN_MORE, SCAN_ENOUGH, SCAN_FAILED };
enum { SCAN_TOPICS_MAXIMUM = 256, SCAN_ALL_PARTITIONS = -1, SCAN_FROM_BEGINNING = -1 };

struct scan {
    const struct connection *connection;
    const char *topics[SCAN_TOPICS_MAXIMUM];
    size_t topic_count;
    int32_t partition;              /* SCAN_ALL_PARTITIONS or one */
    int64_t from_offset;            /* SCAN_FROM_BEGINNING or an offset */
    int64_t from_ms;                /* only records from this timestamp on; 0: all */
    bool uncommitted;               /* records of open and aborted transactions too */
    bool follow;                    /* never ends by itself */
    const char *progress;           /* what the progress line says; NULL: no such line */
    enum scan_step (*visit)(void *context, const struct kafka_record *record, struct error *error);
    /* Optional: told where each partition begins and ends before the first visit. */
    void (*partition_range)(void *context, size_t topic_index, int32_t partition, int64_t begin, int64_t end);
    /* Optional: where to begin in a partition, given where it begins and ends; what lies before its beginning is its beginning. */
    int64_t (*resume)(void *context, size_t topic_index, int32_t partition, int64_t begin, int64_t end);
    void *context;
};

/* Records of one partition come in order. A topic that does not exist is an error that names it. */
MUST_CHECK bool scan_run(const struct scan *scan, struct error *error);

/* A record's header, the newest of that name; data NULL: none. Valid during the visit. */
struct slice record_header(const struct kafka_record *record, const char *name);
/* Whether it carries the mark of a synthetic event (docs/probe.md). */
bool record_is_synthetic(const struct kafka_record *record);
#endif
