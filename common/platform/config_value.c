/* The kinds of values: reading one, and saying what is expected. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/platform/config_internal.h"

struct unit { const char *name; int64_t factor; };
static const struct unit byte_units[] = {{"", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}, {NULL, 0}};
static const struct unit duration_units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

static bool is_bounded(const struct config_key *key) { return key->minimum != 0 || key->maximum != 0; }

static bool read_number(const struct config_key *key, const struct unit *units, const char *text, int64_t *number) {
    const char *digits = *text == '-' ? text + 1 : text;
    size_t length = strspn(digits, "0123456789");
    if (length == 0) return false;
    errno = 0;
    int64_t value = strtoll(text, NULL, 10);
    if (errno != 0) return false;
    while (units->name && strcmp(units->name, digits + length) != 0) units++;
    if (!units->name || __builtin_mul_overflow(value, units->factor, &value)) return false;
    if (is_bounded(key) ? value < key->minimum || value > key->maximum : value < 0) return false;
    *number = value;
    return true;
}

/* Position of the text among words divided by blanks; -1: it is none. */
static int find_choice(const char *choices, const char *text) {
    size_t length = strlen(text);
    if (length == 0 || strchr(text, ' ')) return -1;
    int position = 0;
    for (const char *word = choices; *word; position++) {
        size_t word_length = strcspn(word, " ");
        if (word_length == length && memcmp(word, text, length) == 0) return position;
        word += word_length;
        word += strspn(word, " ");
    }
    return -1;
}

bool config_value_read(const struct config_key *key, const char *text, int64_t *number) {
    bool optional = key->fallback && key->fallback[0] == 0;
    *number = 0;
    if (text[0] == 0) {
        if (key->kind == CONFIG_CHOICE) *number = -1;
        return optional;
    }
    switch (key->kind) {
    case CONFIG_TEXT: return true;
    case CONFIG_INTEGER: return read_number(key, no_units, text, number);
    case CONFIG_BYTES: return read_number(key, byte_units, text, number);
    case CONFIG_DURATION_MS: return read_number(key, duration_units, text, number);
    case CONFIG_BOOLEAN:
        *number = strcmp(text, "true") == 0;
        return *number || strcmp(text, "false") == 0;
    case CONFIG_CHOICE:
        *number = find_choice(key->choices, text);
        return *number >= 0;
    }
    return false;
}

static void describe_number(const struct config_key *key, const char *what, const char *unit, char *text, size_t size) {
    if (is_bounded(key)) snprintf(text, size, "%s from %" PRId64 " to %" PRId64 "%s", what, key->minimum, key->maximum, unit);
    else snprintf(text, size, "%s, 0 or more", what);
}

void config_value_expected(const struct config_key *key, char *text, size_t size) {
    switch (key->kind) {
    case CONFIG_TEXT: snprintf(text, size, "a text that is not empty"); break;
    case CONFIG_INTEGER: describe_number(key, "a whole number", "", text, size); break;
    case CONFIG_BYTES: describe_number(key, "a size such as 1048576, 512KiB or 64MiB", " bytes", text, size); break;
    case CONFIG_DURATION_MS: describe_number(key, "a duration such as 1500ms, 30s, 5m, 12h or 7d", " ms", text, size); break;
    case CONFIG_BOOLEAN: snprintf(text, size, "true or false"); break;
    case CONFIG_CHOICE: snprintf(text, size, "one of: %s", key->choices); break;
    }
}

void config_environment_name(const char *name, char text[CONFIG_NAME_SIZE]) {
    size_t used = (size_t)snprintf(text, CONFIG_NAME_SIZE, "KONTOR_");
    for (; *name && used + 1 < CONFIG_NAME_SIZE; name++)
        text[used++] = isalnum((unsigned char)*name) ? (char)toupper((unsigned char)*name) : '_';
    text[used] = 0;
}

bool config_is_kafka_secret(const char *name) {
    return strncmp(name, "kafka.", 6) == 0 && (strstr(name, "password") || strstr(name, "secret") || strstr(name, "key.pem") ||
                                               strcmp(name, "kafka.sasl.oauthbearer.config") == 0);
}

static _Noreturn void defect(const char *name, const char *what) {
    fprintf(stderr, "configuration key %s: %s\n", name, what);
    abort();
}

void config_check_declaration(const struct config_key *keys, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct config_key *key = &keys[i];
        if (!key->name || !key->name[0] || strlen(key->name) > 200) defect(key->name ? key->name : "(none)", "declared without a usable name");
        if (!key->help) defect(key->name, "declared without help");
        if (key->kind == CONFIG_CHOICE && !key->choices) defect(key->name, "declared as a choice without choices");
        if (key->minimum > key->maximum) defect(key->name, "declared with a minimum above its maximum");
        int64_t number;
        if (key->fallback && !config_value_read(key, key->fallback, &number)) defect(key->name, "its fallback is no value that it allows");
        char mine[CONFIG_NAME_SIZE], other[CONFIG_NAME_SIZE];
        config_environment_name(key->name, mine);
        for (size_t j = 0; j < i; j++) {
            config_environment_name(keys[j].name, other);
            if (strcmp(mine, other) == 0) defect(key->name, "declared twice, or with the same environment variable as another");
        }
    }
}
