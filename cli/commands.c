/* Every command of kontor, in the order that help lists them. */
#include "cli/command.h"

extern const struct command topics_command, schemas_command, master_command, produce_command, consume_command, import_command, status_command, trace_command,
    documents_command, explain_command, export_command, rules_command, exceptions_command, dlq_command, replay_command, offsets_command, state_command, rekey_command, probe_command, new_command, help_command;

const struct command *const commands[] = {
    &topics_command, &schemas_command, &master_command, &produce_command, &consume_command, &import_command, &status_command, &trace_command,
    &documents_command, &explain_command, &export_command, &rules_command, &exceptions_command, &dlq_command, &replay_command, &offsets_command, &state_command, &rekey_command, &probe_command, &new_command, &help_command, NULL,
};
