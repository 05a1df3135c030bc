#include "cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ledger/decimal.h"
#include "common/platform/nearest.h"

const struct option common_options[] = {
    {"config", OPTION_TEXT, "FILE", "properties file with kafka.* and registry.* keys; KONTOR_KAFKA_BOOTSTRAP_SERVERS and the like override it"},
    {"format", OPTION_TEXT, "FORMAT", "table or json, unless the command says otherwise"},
    {"help", OPTION_FLAG, NULL, "this text"},
    {NULL, OPTION_FLAG, NULL, NULL},
};
enum { COMMON_OPTIONS = 3 };

/* The options of a command by position, its own behind the common ones; NULL behind the last. */
static const struct option *option_at(const struct command *command, size_t position) {
    if (position < COMMON_OPTIONS) return &common_options[position];
    if (!command->options) return NULL;
    const struct option *option = command->options;
    for (size_t i = COMMON_OPTIONS; i < position && option->name; i++) option++;
    return option->name ? option : NULL;
}

struct option_walk { const struct command *command; size_t position; };

static const char *next_option(void *context) {
    struct option_walk *walk = context;
    const struct option *option = option_at(walk->command, walk->position++);
    return option ? option->name : NULL;
}

static bool find_option(const struct command *command, const char *name, size_t *position) {
    const struct option *option;
    for (*position = 0; (option = option_at(command, *position)); (*position)++)
        if (strcmp(option->name, name) == 0) return true;
    return false;
}

static const struct option_value *value_of(const struct invocation *invocation, const char *name) {
    size_t position;
    if (!find_option(invocation->command, name, &position)) {
        fprintf(stderr, "kontor: defect: %s asks for the option --%s, which it does not declare\n", invocation->command->name, name);
        abort();
    }
    return &invocation->values[position];
}

bool option_given(const struct invocation *invocation, const char *name) { return value_of(invocation, name)->given; }

const char *option_text(const struct invocation *invocation, const char *name, const char *fallback) {
    const struct option_value *value = value_of(invocation, name);
    return value->given ? value->text : fallback;
}

int64_t option_number(const struct invocation *invocation, const char *name, int64_t fallback) {
    const struct option_value *value = value_of(invocation, name);
    return value->given ? value->number : fallback;
}

static bool take_value(struct option_value *value, const struct option *option, const char *text, struct error *error) {
    if (value->given) return error_set(error, "--%s is given twice; give it once", option->name);
    value->given = true;
    value->text = text;
    if (option->kind == OPTION_NUMBER) {
        char *end;
        errno = 0;
        value->number = strtoll(text, &end, 10);
        if (errno || *end || end == text || value->number < 0)
            return error_set(error, "--%s %s: expected a whole number from 0", option->name, text);
    } else if (option->kind == OPTION_TIME && !time_parse(text, &value->number)) {
        return error_set(error, "--%s %s: expected a time such as 2018-01-31, 2018-01-31T10:00:00Z or milliseconds since 1970", option->name, text);
    } else if (option->kind == OPTION_AGE && !age_parse(text, &value->number)) {
        return error_set(error, "--%s %s: expected an age such as 90s, 30m, 12h, 3d or 2w", option->name, text);
    } else if (option->kind == OPTION_AMOUNT && decimal_parse(slice_of(text), 4, &value->number) != DECIMAL_READ) {
        return error_set(error, "--%s %s: expected an amount such as 1234.50, with at most four digits behind the point", option->name, text);
    }
    return true;
}

/* One option at words[*at], which begins with --; moves *at past its value. */
static bool take_option(struct invocation *invocation, int count, char *const *words, int *at, struct error *error) {
    char name[64];
    const char *word = words[*at] + 2, *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word), position;
    if (length >= sizeof name) return error_set(error, "unknown option %s; see kontor %s --help", words[*at], invocation->command->name);
    memcpy(name, word, length);
    name[length] = 0;
    if (!find_option(invocation->command, name, &position)) {
        struct option_walk walk = {invocation->command, 0};
        const char *nearest = nearest_name(name, next_option, &walk);
        return nearest ? error_set(error, "unknown option --%s; did you mean --%s?", name, nearest)
                       : error_set(error, "unknown option --%s; kontor %s --help lists them", name, invocation->command->name);
    }
    const struct option *option = option_at(invocation->command, position);
    struct option_value *value = &invocation->values[position];
    if (option->kind == OPTION_FLAG) {
        value->given = true;
        return equals ? error_set(error, "--%s takes no value", name) : true;
    }
    if (equals) return take_value(value, option, equals + 1, error);
    if (*at + 1 >= count) return error_set(error, "--%s needs a value: --%s %s", name, name, option->argument);
    return take_value(value, option, words[++*at], error);
}

static const char *const usual_formats[] = {"table", "json", NULL};

static bool check_format(struct invocation *invocation, struct error *error) {
    const char *format = invocation->format_name = option_text(invocation, "format", invocation->command->default_format);
    const char *const *formats = invocation->command->formats ? invocation->command->formats : usual_formats;
    invocation->format = strcmp(format, "json") == 0 ? FORMAT_JSON : FORMAT_TABLE;
    char expected[128] = "";
    for (size_t i = 0; formats[i]; i++) {
        if (strcmp(format, formats[i]) == 0) return true;
        size_t length = strlen(expected);
        snprintf(expected + length, sizeof expected - length, "%s%s", !i ? "" : formats[i + 1] ? ", " : " or ", formats[i]);
    }
    return error_set(error, "--format %s: expected %s", format, expected);
}

static bool check_words(const struct invocation *invocation, struct error *error) {
    const struct command *command = invocation->command;
    if (invocation->word_count < command->words_minimum)
        return error_set(error, "something is missing: kontor %s %s", command->name, command->usage);
    if (!command->words || !invocation->word_count) return true;
    for (const char *const *word = command->words; *word; word++)
        if (strcmp(*word, invocation->words[0]) == 0) return true;
    const char *nearest = nearest_word(invocation->words[0], command->words);
    return nearest ? error_set(error, "kontor %s does not know %s; did you mean %s?", command->name, invocation->words[0], nearest)
                   : error_set(error, "kontor %s does not know %s; the usage is kontor %s %s", command->name, invocation->words[0], command->name, command->usage);
}

bool invocation_parse(struct invocation *invocation, const struct command *command, int count, char *const *words, struct error *error) {
    *invocation = (struct invocation){.command = command};
    bool options_end = false;
    for (int at = 0; at < count; at++) {
        if (!options_end && strcmp(words[at], "--") == 0) {
            options_end = true;
        } else if (!options_end && strncmp(words[at], "--", 2) == 0) {
            if (!take_option(invocation, count, words, &at, error)) return false;
        } else if (!options_end && strcmp(words[at], "-h") == 0) {
            invocation->values[COMMON_OPTIONS - 1].given = true;
        } else if (!options_end && words[at][0] == '-' && words[at][1]) {
            return error_set(error, "unknown option %s: options begin with two dashes, see kontor %s --help", words[at], command->name);
        } else if (invocation->word_count == command->words_maximum) {
            return error_set(error, "%s is one word too many: kontor %s %s", words[at], command->name, command->usage);
        } else {
            invocation->words[invocation->word_count++] = words[at];
        }
    }
    invocation->help = option_given(invocation, "help");
    return invocation->help || (check_format(invocation, error) && check_words(invocation, error));
}

static void print_option(const struct option *option) {
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s", option->name, option->argument ? " " : "", option->argument ? option->argument : "");
    printf("  %-22s %s\n", left, option->help);
}

void command_help(const struct command *command) {
    printf("kontor %s – %s\n\nUsage: kontor %s %s%s[OPTIONS]\n\n%s\n", command->name, command->summary, command->name, command->usage,
           *command->usage ? " " : "", command->description);
    if (command->options && command->options->name) {
        printf("\nOptions:\n");
        for (const struct option *option = command->options; option->name; option++) print_option(option);
    }
    printf("\nOptions of every command:\n");
    for (const struct option *option = common_options; option->name; option++) print_option(option);
    printf("\nExample:\n%s\n", command->example);
}

void command_list_help(void) {
    printf("kontor – the accounting layer between business systems and ledgers, on Kafka\n\nUsage: kontor COMMAND [OPTIONS]\n\nCommands:\n");
    for (const struct command *const *command = commands; *command; command++) printf("  %-10s %s\n", (*command)->name, (*command)->summary);
    printf("\nkontor COMMAND --help explains one. Exit status: 0 done, 1 failed, 2 asked wrongly.\n\nExample:\n"
           "  export KONTOR_KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 KONTOR_REGISTRY_URL=http://127.0.0.1:8081/apis/ccompat/v7\n"
           "  kontor status\n");
}

const struct command *command_find(const char *name) {
    for (const struct command *const *command = commands; *command; command++)
        if (strcmp((*command)->name, name) == 0) return *command;
    return NULL;
}

static const char *next_command(void *context) {
    const struct command *const **position = context;
    return **position ? (*(*position)++)->name : NULL;
}

enum exit_status command_unknown(const char *name) {
    const struct command *const *position = commands;
    const char *nearest = nearest_name(name, next_command, &position);
    if (nearest) fprintf(stderr, "kontor: there is no command %s; did you mean kontor %s?\n", name, nearest);
    else fprintf(stderr, "kontor: there is no command %s; kontor help lists them\n", name);
    return EXIT_USAGE;
}

enum exit_status command_failed(const struct error *error) {
    fflush(stdout);
    fprintf(stderr, "kontor: %s\n", error->text);
    return EXIT_FAILED;
}
