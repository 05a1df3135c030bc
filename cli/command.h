/* command: what a command of `kontor` declares of itself. Help, option parsing and suggestions come from the declaration alone; adding a command is one
 * file with one struct and one line in the list of commands.c.
 *
 * Exit status of every command: 0 it did what was asked, 1 it failed or found something wrong, 2 it was asked wrongly. What was asked for goes to
 * standard output, everything else to standard error. */
#ifndef KONTOR_CLI_COMMAND_H
#define KONTOR_CLI_COMMAND_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/platform/error.h"

enum exit_status { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };
enum { OPTIONS_MAXIMUM = 40, WORDS_MAXIMUM = 1024 };

enum option_kind {
    OPTION_FLAG,        /* stands alone */
    OPTION_TEXT,        /* any text */
    OPTION_NUMBER,      /* a whole number, not negative */
    OPTION_TIME,        /* 2018-01-31, 2018-01-31T10:00:00Z or milliseconds since 1970 */
    OPTION_AGE,         /* 90s, 30m, 12h, 3d or 2w: a number of milliseconds */
    OPTION_AMOUNT       /* 1234.50: a number of ten thousandths */
};

struct option {
    const char *name;       /* without the dashes; NULL ends a table */
    enum option_kind kind;
    const char *argument;   /* what stands for its value in the help, for example FILE; NULL for a flag */
    const char *help;
};

struct invocation;

struct command {
    const char *name;
    const char *summary;                /* one line */
    const char *usage;                  /* what follows the name, for example "TOPIC [FILE]" */
    const char *description;            /* lines of at most 100 characters */
    const char *const *words;           /* what the first word may be, NULL behind the last; NULL: anything */
    size_t words_minimum, words_maximum;
    const char *default_format;         /* one of formats */
    const char *const *formats;         /* what --format may be, NULL behind the last; NULL: table and json */
    const struct option *options;       /* its own; NULL: none */
    const char *example;                /* lines that can be typed as they are */
    enum exit_status (*run)(const struct invocation *invocation);
};

/* Behind the last: NULL. */
extern const struct command *const commands[];
/* Every command has these. */
extern const struct option common_options[];

enum output_format { FORMAT_TABLE, FORMAT_JSON };

/* One call as it was typed and checked. */
struct invocation {
    const struct command *command;
    const char *words[WORDS_MAXIMUM];
    size_t word_count;
    enum output_format format;          /* of a command without formats of its own */
    const char *format_name;
    bool help;
    struct option_value { bool given; const char *text; int64_t number; } values[OPTIONS_MAXIMUM]; /* by position, common options first */
};

/* Reads the words behind the command's name. False: what is wrong and what would be right. */
MUST_CHECK bool invocation_parse(struct invocation *invocation, const struct command *command, int count, char *const *words, struct error *error);

/* The value of an option that the command declares; the fallback when it was not given. */
bool option_given(const struct invocation *invocation, const char *name);
const char *option_text(const struct invocation *invocation, const char *name, const char *fallback);
int64_t option_number(const struct invocation *invocation, const char *name, int64_t fallback);

/* The command of that name; NULL: none. */
const struct command *command_find(const char *name);
/* Says on standard error that there is none, and which one may be meant. */
enum exit_status command_unknown(const char *name);
/* The list of commands, or one command's own help, on standard output. */
void command_list_help(void);
void command_help(const struct command *command);

/* Says on standard error what went wrong; for `return command_failed(&error);`. */
enum exit_status command_failed(const struct error *error);

/* 2018-01-31, 2018-01-31T10:00:00[.123]Z or milliseconds since 1970, all UTC. */
MUST_CHECK bool time_parse(const char *text, int64_t *time_ms);
/* 2018-01-31T10:00:00.123Z into at least 32 characters, and 2018-01-31 10:00:00 for people. */
enum { TIME_TEXT_SIZE = 32 };
const char *time_text(int64_t time_ms, char text[TIME_TEXT_SIZE]);
/* 90s, 30m, 12h, 3d or 2w. */
MUST_CHECK bool age_parse(const char *text, int64_t *age_ms);
/* The same for people, in the largest unit that it has two of: 47h, 3d. */
const char *age_text(int64_t age_ms, char text[TIME_TEXT_SIZE]);
/* 2018-01-31 from days since 1970. */
const char *date_text(int32_t days, char text[TIME_TEXT_SIZE]);
#endif
