/* counter_check: reads what kontor-counter has written, read_committed, and compares it with what must be there. */
#ifndef KONTOR_TESTS_COUNTER_CHECK_H
#define KONTOR_TESTS_COUNTER_CHECK_H
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

/* Events 0..events-1 were produced, number n for partner n % keys. in_order: all were there before the processor started, so the counts are known.
 * Prints a line and answers whether all is right. */
bool counter_check(const char *brokers, int64_t events, int64_t keys, bool in_order);

/* A consumer without a group's place, read_committed, at the start of every partition of the topic; count: of the partitions. */
rd_kafka_t *reader_open(const char *brokers, const char *topic, int *count, bool at_end);
void must(bool fine, const char *what, const char *why);
#endif
