/* generation: which changelog of a processor is the live one (common/runtime/generations.h), for commands. */
#ifndef KONTOR_CLI_GENERATION_H
#define KONTOR_CLI_GENERATION_H
#include "cli/connection.h"
#include "common/runtime/generations.h"

/* The first where kontor.generations does not exist. */
MUST_CHECK bool generation_live(const struct connection *connection, const char *processor, struct generation *generation, struct error *error);
#endif
