/* ends: where the logs of the inputs begin and end, asked for aside, by a thread of its own, every few seconds: librdkafka knows of a partition's end only what it last
 * fetched, and of one whose queue is full, because the processor takes nothing or little, it fetches nothing more.
 *
 * Ends include open transactions, as those that come with a fetch do. The functions without a thread of their own may be called by any. */
#ifndef KONTOR_RUNTIME_ENDS_H
#define KONTOR_RUNTIME_ENDS_H
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/platform/error.h"

struct ends;

enum { ENDS_EVERY_MS = 5000 };

/* client: asked from the thread, outlives the ends; its isolation.level is read_uncommitted. topics are the caller's and outlive it too. */
MUST_CHECK bool ends_open(struct ends **ends, rd_kafka_t *client, const char *const *topics, size_t topic_count, int32_t partition_count, struct error *error);
/* Within a second, also while no broker answers. NULL is let be. */
void ends_close(struct ends *ends);

/* Whether that partition of every topic is to be asked for; soon, when it has not been. */
void ends_want(struct ends *ends, int32_t partition, bool wanted);
/* Now, not when it is time. */
void ends_hurry(struct ends *ends);
/* The newest answer. False: there is none yet. */
bool ends_known(const struct ends *ends, size_t topic, int32_t partition, int64_t *begin, int64_t *end);
/* When the asking began of which all wanted were answered last, in milliseconds since 1970: what had been written by then is in every end known. 0: never. */
int64_t ends_time_ms(const struct ends *ends);
#endif
