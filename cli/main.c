/* kontor: the command line. Finds the command, reads its options, runs it. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

static enum exit_status usage_error(const struct error *error) {
    fprintf(stderr, "kontor: %s\n", error->text);
    return EXIT_USAGE;
}

int main(int count, char **words) {
    struct error error;
    if (count < 2) {
        command_list_help();
        return EXIT_USAGE;
    }
    if (strcmp(words[1], "--help") == 0 || strcmp(words[1], "-h") == 0) {
        command_list_help();
        return EXIT_DONE;
    }
    const struct command *command = command_find(words[1]);
    if (!command) return command_unknown(words[1]);
    struct invocation invocation;
    if (!invocation_parse(&invocation, command, count - 2, words + 2, &error)) return usage_error(&error);
    if (invocation.help) {
        command_help(command);
        return EXIT_DONE;
    }
    enum exit_status status = command->run(&invocation);
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "kontor: standard output could not be written; nothing of it can be relied on\n");
        return EXIT_FAILED;
    }
    return status;
}
