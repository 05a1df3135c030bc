/* offsets: what the subcommands of `kontor offsets` share. */
#ifndef KONTOR_CLI_OFFSETS_H
#define KONTOR_CLI_OFFSETS_H
#include "cli/command.h"

enum exit_status offsets_reset(const struct invocation *invocation);
#endif
