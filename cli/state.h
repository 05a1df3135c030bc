/* state: what the subcommands of `kontor state` share. */
#ifndef KONTOR_CLI_STATE_H
#define KONTOR_CLI_STATE_H
#include "cli/changelog.h"
#include "cli/group.h"
#include "cli/progress.h"

enum exit_status state_show(const struct invocation *invocation);
enum exit_status state_drop(const struct invocation *invocation);
enum exit_status state_migrate(const struct invocation *invocation);

/* The processor that the words name; false: none is named. */
MUST_CHECK bool state_processor(const struct invocation *invocation, const char **processor, struct error *error);
/* The name of a store, by the layouts of the state that is open; "store 7" when none has it. */
enum { STORE_NAME_SIZE = 64, STORE_NUMBERS = 256 };
struct store_names { char names[STORE_NUMBERS][STORE_NAME_SIZE]; };
MUST_CHECK bool store_names_read(struct store_names *names, struct fold *fold, struct error *error);
/* What the group has committed of a partition now, for the mark that closes a generation. */
enum { OFFSETS_TEXT_SIZE = 3000 };
MUST_CHECK bool state_offsets_text(const struct group *group, int32_t partition, char text[OFFSETS_TEXT_SIZE], struct error *error);
#endif
