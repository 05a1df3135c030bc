/* probe_send: synthetic events into their topics, each with the mark, and what became of the sending. */
#ifndef KONTOR_CLI_PROBE_SEND_H
#define KONTOR_CLI_PROBE_SEND_H
#include "cli/connection.h"
#include "cli/probe_file.h"
#include "cli/values.h"

struct probe_send;

/* timeout_ms: a record that the broker has not taken by then is given up. delivered: called by probe_send_step, with what was given to probe_send_event; why NULL: the
 * broker has it. */
MUST_CHECK bool probe_send_open(struct probe_send **send, const struct connection *connection, const struct topic_list *topics, int64_t timeout_ms,
                                void (*delivered)(void *context, uintptr_t number, const char *why), void *context, struct error *error);
void probe_send_close(struct probe_send *send);
void probe_send_step(struct probe_send *send);
/* Sends one; key: the record's, appended to the buffer. Asks the registry for the topic's schema the first time. */
MUST_CHECK bool probe_send_event(struct probe_send *send, const struct probe_event *event, const char *id, uintptr_t number, struct buffer *key, struct error *error);
#endif
