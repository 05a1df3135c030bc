/* divert: outputs of a replay into topics of their own, PREFIX<topic>: for an ERP that is rebuilt, or a new processor that is tried.
 *
 * The topics are made with the partitions of those that they stand for. They must be empty: what an interrupted run has left could not be told from what comes again. */
#ifndef KONTOR_CLI_DIVERT_H
#define KONTOR_CLI_DIVERT_H
#include "cli/connection.h"
#include "common/runtime/engine.h"

struct divert;

/* topics: those that may come. connection and prefix must outlive it. */
MUST_CHECK bool divert_open(struct divert **divert, const struct connection *connection, const char *prefix, const char *const *topics, size_t count, struct error *error);
void divert_close(struct divert *divert);
/* The bytes are copied. */
MUST_CHECK bool divert_send(struct divert *divert, const struct engine_output *output, struct error *error);
/* Behind the last one. */
MUST_CHECK bool divert_end(struct divert *divert, struct error *error);
/* How many records of that topic were sent. */
uint64_t divert_count(const struct divert *divert, const char *topic);
#endif
