/* subject: what the command line asks of the registry about a subject, beyond what every processor needs (common/codec/registry.h). */
#ifndef KONTOR_CLI_SUBJECT_H
#define KONTOR_CLI_SUBJECT_H
#include "cli/connection.h"
#include "common/codec/registry.h"
#include "common/platform/buffer.h"

/* The subject of a topic's values, Confluent's TopicNameStrategy: <topic>-value. */
enum { SUBJECT_SIZE = 300 };
const char *subject_of(const char *topic, char subject[SUBJECT_SIZE]);

/* The newest schema of a subject. Its text is put in place of what schema holds, with a 0 behind it. */
MUST_CHECK enum registry_result subject_latest(const struct connection *connection, const char *subject, uint32_t *id, struct buffer *schema,
                                               struct error *error);

/* Sets the compatibility level of the subject: BACKWARD, FULL, ... */
MUST_CHECK enum registry_result subject_set_compatibility(const struct connection *connection, const char *subject, const char *level, struct error *error);
#endif
