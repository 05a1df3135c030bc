/* config_internal: what config.c, config_load.c and config_value.c share; for nobody else. */
#ifndef KONTOR_PLATFORM_CONFIG_INTERNAL_H
#define KONTOR_PLATFORM_CONFIG_INTERNAL_H
#include "common/platform/arena.h"
#include "common/platform/config.h"

#define CONFIG_MASK "********"

enum config_layer { LAYER_DEFAULT, LAYER_FILE, LAYER_ENVIRONMENT };

/* The effective value of a key; all texts in the config's arena or the declaration. */
struct config_value {
    struct config_value *next;      /* of the passed through ones */
    const struct config_key *key;   /* NULL: passed through */
    const char *name, *text, *origin;
    enum config_layer layer;
    bool secret;
    int64_t number;                 /* of a number, boolean (0, 1) or choice (position); 0 when not set */
};

struct config {
    struct arena arena;
    const struct config_key *keys;
    size_t count;
    struct config_value *values;    /* one for each declared key */
    struct config_value *passed;    /* undeclared kafka.* keys, by name */
};

/* Whether the text is a value of the key's kind and within its bounds; number as in struct config_value. */
bool config_value_read(const struct config_key *key, const char *text, int64_t *number);
/* "a whole number from 1 to 100", for messages and help. */
void config_value_expected(const struct config_key *key, char *text, size_t size);
/* Aborts on a declaration that contradicts itself. */
void config_check_declaration(const struct config_key *keys, size_t count);

enum { CONFIG_NAME_SIZE = 256 };
/* metrics.listen -> KONTOR_METRICS_LISTEN, cut at the size. */
void config_environment_name(const char *name, char text[CONFIG_NAME_SIZE]);
/* Whether a kafka.* key holds what must not be shown. */
bool config_is_kafka_secret(const char *name);
#endif
