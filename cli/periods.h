/* periods: the word of `kontor master` that prints the periods of a calendar as records of master.periods. */
#ifndef KONTOR_CLI_PERIODS_H
#define KONTOR_CLI_PERIODS_H
#include "cli/command.h"

extern const struct option periods_options[];
enum exit_status periods_run(const struct invocation *invocation);
#endif
