#include "common/platform/config.h"

#include <stdlib.h>
#include <string.h>

#include "common/platform/config_internal.h"

/* ---- values ---- */

static _Noreturn void defect(const char *name, const char *what) {
    fprintf(stderr, "configuration key %s: %s\n", name, what);
    abort();
}

static const struct config_value *find(const struct config *config, const char *name) {
    for (size_t i = 0; i < config->count; i++)
        if (strcmp(config->keys[i].name, name) == 0) return &config->values[i];
    defect(name, "asked for, but not declared");
}

const char *config_text(const struct config *config, const char *name) { return find(config, name)->text; }

int64_t config_integer(const struct config *config, const char *name) {
    const struct config_value *value = find(config, name);
    enum config_kind kind = value->key->kind;
    if (kind != CONFIG_INTEGER && kind != CONFIG_BYTES && kind != CONFIG_DURATION_MS) defect(name, "asked for as a number, but declared as none");
    return value->number;
}

bool config_boolean(const struct config *config, const char *name) {
    const struct config_value *value = find(config, name);
    if (value->key->kind != CONFIG_BOOLEAN) defect(name, "asked for as true or false, but declared otherwise");
    return value->number != 0;
}

int config_choice(const struct config *config, const char *name) {
    const struct config_value *value = find(config, name);
    if (value->key->kind != CONFIG_CHOICE) defect(name, "asked for as a choice, but declared otherwise");
    return (int)value->number;
}

bool config_is_set(const struct config *config, const char *name) { return find(config, name)->text[0] != 0; }

void config_each(const struct config *config, const char *prefix, void (*visit)(void *context, const char *name, const char *value),
                 void *context) {
    size_t length = strlen(prefix);
    for (size_t i = 0; i < config->count; i++)
        if (strncmp(config->values[i].name, prefix, length) == 0 && config->values[i].text[0])
            visit(context, config->values[i].name + length, config->values[i].text);
    for (const struct config_value *value = config->passed; value; value = value->next)
        if (strncmp(value->name, prefix, length) == 0) visit(context, value->name + length, value->text);
}

void config_free(struct config *config) {
    if (!config) return;
    arena_free(&config->arena);
    free(config->values);
    free(config);
}

/* ---- for people ---- */

static void print_value(const struct config_value *value, FILE *stream) {
    bool masked = value->secret && value->text[0];
    fprintf(stream, "# %s\n%s=", value->origin, value->name);
    /* A certificate in the environment has several lines. */
    for (const char *c = masked ? CONFIG_MASK : value->text; *c; c++) {
        if (*c == '\n') fputs("\\n", stream);
        else fputc(*c, stream);
    }
    fputc('\n', stream);
}

void config_print(const struct config *config, FILE *stream) {
    for (size_t i = 0; i < config->count; i++) print_value(&config->values[i], stream);
    for (const struct config_value *value = config->passed; value; value = value->next) print_value(value, stream);
}

void config_describe(const struct config_key *keys, size_t count, FILE *stream) {
    for (size_t i = 0; i < count; i++) {
        char expected[256], environment[CONFIG_NAME_SIZE];
        config_value_expected(&keys[i], expected, sizeof expected);
        config_environment_name(keys[i].name, environment);
        const char *fallback = keys[i].fallback;
        fprintf(stream, "%s  (%s)\n    %s\n    %s; ", keys[i].name, environment, keys[i].help, expected);
        if (!fallback) fprintf(stream, "required\n");
        else if (!fallback[0]) fprintf(stream, "optional\n");
        else fprintf(stream, "default %s\n", keys[i].secret ? CONFIG_MASK : fallback);
    }
}
