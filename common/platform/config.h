/* config: one properties file, every key overridable by the environment, checked against a declaration before anything starts.
 *
 * File: UTF-8, a `key=value` a line, lines that start with # are comments, blanks around key and value are trimmed, a \ at the end of a line
 * continues it (the next line's leading blanks go). There is no other escape.
 * Environment: metrics.listen is KONTOR_METRICS_LISTEN and wins over the file. Every variable that starts with KONTOR_ must be a key.
 * Keys under `kafka.` go to librdkafka as they are, unchecked here unless declared; KONTOR_KAFKA_BOOTSTRAP_SERVERS is kafka.bootstrap.servers
 * (every underscore a dot).
 * Secrets: KEY.file=PATH (KONTOR_KEY_FILE) takes the value from a file, for keys declared secret and for kafka.* keys that name a password
 * or secret; the end of line at its end goes.
 * Empty: a value may be empty only where the fallback is; the key is then not set. */
#ifndef KONTOR_PLATFORM_CONFIG_H
#define KONTOR_PLATFORM_CONFIG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/platform/error.h"
#include "common/platform/slice.h"

enum config_kind {
    CONFIG_TEXT,
    CONFIG_INTEGER,
    CONFIG_BYTES,       /* 1048576, 512KiB, 64MiB, 2GiB */
    CONFIG_DURATION_MS, /* 1500 or 1500ms, 10s, 5m, 6h, 35d */
    CONFIG_BOOLEAN,     /* true, false */
    CONFIG_CHOICE       /* one of `choices`, which are separated by blanks */
};

struct config_key {
    const char *name;
    const char *fallback;      /* NULL: required; "": optional, not set */
    const char *help;
    enum config_kind kind;
    bool secret;               /* never shown; may come from a file */
    const char *choices;
    int64_t minimum, maximum;  /* of numbers, in bytes or milliseconds where that is the kind; both 0: any number that is not negative */
};

struct config;

/* Reads the file (NULL: none) and the environment. `keys` must outlive the config. On failure NULL, and the error holds every problem, a
 * line each, as far as they fit: origin, key, value (never a secret's), what is expected. A declaration that contradicts itself aborts. */
MUST_CHECK struct config *config_load(const struct config_key *keys, size_t count, const char *path, struct error *error);
/* The same from text; origin stands for the file's name. environment: NULL-terminated NAME=VALUE texts, or NULL for none. */
MUST_CHECK struct config *config_parse(const struct config_key *keys, size_t count, struct slice text, const char *origin,
                                       char *const *environment, struct error *error);
void config_free(struct config *config);

/* Values. Asking for a key that is not declared, or as another kind than declared, is a defect of the program: it aborts with a message.
 * Texts live as long as the config. */
const char *config_text(const struct config *config, const char *name);        /* any kind, as it was written; "" when not set */
int64_t config_integer(const struct config *config, const char *name);         /* integer, bytes, duration; 0 when not set */
bool config_boolean(const struct config *config, const char *name);            /* false when not set */
int config_choice(const struct config *config, const char *name);              /* position in `choices`, from 0; -1 when not set */
bool config_is_set(const struct config *config, const char *name);

/* Calls visit for every key that starts with the prefix ("kafka."), with the name behind it, declared or passed through, in the order of
 * declaration, then of names. Secrets are given in the clear. */
void config_each(const struct config *config, const char *prefix, void (*visit)(void *context, const char *name, const char *value),
                 void *context);

/* For --print-config: the effective values, a comment above each with its origin, secrets as ********. In the form of a properties file. */
void config_print(const struct config *config, FILE *stream);
/* For --help: every key with its kind, bounds, fallback and help. */
void config_describe(const struct config_key *keys, size_t count, FILE *stream);
#endif
