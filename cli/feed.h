/* feed: JSON lines into a topic: an idempotent producer, Java's partitioner, every record acknowledged by all replicas before the command ends. */
#ifndef KONTOR_CLI_FEED_H
#define KONTOR_CLI_FEED_H
#include <stdbool.h>
#include <stdint.h>

#include "cli/connection.h"
#include "cli/topic_list.h"
#include "common/platform/slice.h"

struct feed_options {
    const char *topic;
    const char *path;           /* NULL: standard input */
    struct slice text;          /* the lines themselves, in place of a file; path then only names them. data NULL: from path */
    const struct topic *declared; /* its row in the list of topics; NULL: not one of ours */
    bool raw;                   /* values are base64 and sent as they are */
    bool keep_going;            /* a bad line is told and counted, and the next one taken */
    int32_t partition;          /* RD_KAFKA_PARTITION_UA: by the key */
    int64_t limit;              /* lines at most; 0: all */
    int64_t rate;               /* records a second at most; 0: as fast as it goes */
};

struct feed_result { int64_t lines, sent, bad; };

/* True when every line was sent, or with keep_going every good one. On error result tells what was sent before. */
MUST_CHECK bool feed_run(const struct connection *connection, const struct feed_options *options, struct feed_result *result, struct error *error);
#endif
