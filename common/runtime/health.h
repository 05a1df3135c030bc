/* health: the answer for a container's health check: asks the processor that runs beside it, so that an image needs no other program for that. */
#ifndef KONTOR_RUNTIME_HEALTH_H
#define KONTOR_RUNTIME_HEALTH_H
#include <stdbool.h>

#include "common/platform/buffer.h"
#include "common/platform/config.h"

/* Asks /readyz of the processor that listens on `listen` (metrics.listen; of any address: this machine's own). True when it is ready, or when it lacks nothing but
 * master data, which is loaded into the running system. What it said, or why nothing did, is appended to `answer`. */
bool health_ask(const char *listen, struct buffer *answer);

/* --health: the same for this configuration, of which only metrics.listen need be there. Prints the answer; the exit code. */
int health_check(const struct config_key *keys, size_t count, const char *config_path);

/* What /readyz's reasons that are no more than missing master data begin with. */
#define HEALTH_MASTER_DATA "master data: "
#endif
