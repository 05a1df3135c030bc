#include <stdio.h>

#include "cli/command.h"

static enum exit_status help_run(const struct invocation *invocation) {
    if (!invocation->word_count) {
        command_list_help();
        return EXIT_DONE;
    }
    const struct command *command = command_find(invocation->words[0]);
    if (command) {
        command_help(command);
        return EXIT_DONE;
    }
    return command_unknown(invocation->words[0]);
}

const struct command help_command = {
    .name = "help",
    .summary = "lists the commands, or explains one",
    .usage = "[COMMAND]",
    .description = "Without a word the list of commands, with one the same as kontor COMMAND --help.",
    .words_maximum = 1,
    .default_format = "table",
    .example = "  kontor help produce",
    .run = help_run,
};
