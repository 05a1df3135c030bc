/* harness: all production processors, each with its engine, its tables and local state per partition in LMDB, fed with Avro bytes; without a broker. An event
 * goes through every processor that reads its topic before the next is taken, and what one sends another reads (payables) is routed at once. What they send
 * otherwise is shown to the watcher and forgotten. What cannot go on (no memory, no disk, an engine that gives up) ends the program. */
#ifndef KONTOR_PROPERTY_HARNESS_H
#define KONTOR_PROPERTY_HARNESS_H
#include <stdint.h>

#include "common/codec/type.h"
#include "common/platform/error.h"
#include "common/platform/slice.h"

/* The bytes are gone after the call. value: wire format. */
struct watcher {
    void *context;
    void (*journal)(void *context, const char *topic, struct slice key, struct slice value);
    void (*answer)(void *context, struct slice value);
    void (*dead)(void *context, const char *topic, struct slice text);
};

struct harness;
/* folder: for tables and states; it is deleted when the harness is closed. */
struct harness *harness_open(const char *folder, int partitions, int batch_records, struct watcher watcher);
void harness_close(struct harness *harness);

/* Whether there is a processor that answers for the topic; its type, or NULL. */
const struct codec_type *harness_topic_type(const char *topic);
/* Calls visit for each topic of events that is answered for. */
void harness_topics(void (*visit)(void *context, const char *topic), void *context);

/* Master records, JSON text by the schema (codec/json.h), into the tables of every processor that has the table; between two calls of harness_masters. */
void harness_masters(struct harness *harness, bool begin);
void harness_master(struct harness *harness, const char *table, const char *json);

/* Where the next record of the topic with that key goes. */
void harness_place(struct harness *harness, const char *topic, struct slice key, int32_t *partition, int64_t *offset);
/* The record: decided by every processor that reads the topic, with all that it releases. The bytes must live until the next harness_commit. */
void harness_take(struct harness *harness, const char *topic, struct slice key, struct slice value, int64_t time_ms);
/* Ends the batch: changelog, state. It also happens by itself after so many records, when bytes of earlier events may go. */
void harness_commit(struct harness *harness);

uint64_t harness_batches(const struct harness *harness);
/* What the wire format's header says of records of the type. */
uint32_t harness_schema_id(const struct codec_type *type);
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);
#endif
