/* From text and environment to checked values, with every problem told at once. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/platform/buffer.h"
#include "common/platform/config_internal.h"
#include "common/platform/file.h"
#include "common/platform/names.h"
#include "common/platform/utf8.h"

enum { CONFIG_BYTES_MAXIMUM = 1024 * 1024, SECRET_BYTES_MAXIMUM = 64 * 1024, ARENA_BLOCK = 16 * 1024, ARENA_LIMIT = 16 * 1024 * 1024 };

struct loader {
    struct config *config;
    const char *file;         /* name of the properties file for messages, or NULL */
    struct buffer problems;   /* a line each */
    bool out_of_memory;
};

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* ---- problems ---- */

static void problem(struct loader *loader, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void problem(struct loader *loader, const char *format, ...) {
    char text[sizeof(struct error)];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    buffer_append(&loader->problems, text, strlen(text));
    if (!buffer_append(&loader->problems, "\n", 1)) loader->out_of_memory = true;
}

/* Whole lines as far as they fit, then how many more there are. */
static bool report(const struct loader *loader, struct error *error) {
    const size_t room = sizeof error->text - sizeof "\n... and 99999 more problems";
    const char *text = loader->problems.data;
    size_t end = 0, shown = 0, all = 0;
    for (size_t at = 0; at < loader->problems.length; at++) {
        if (text[at] != '\n') continue;
        if (shown == all && (at <= room || shown == 0)) end = at, shown++;
        all++;
    }
    if (shown == all) return error_set(error, "%.*s", (int)end, text);
    return error_set(error, "%.*s\n... and %zu more problem%s", (int)least(end, room), text, all - shown, all - shown > 1 ? "s" : "");
}

/* ---- what is kept ---- */

static const char *keep(struct loader *loader, const char *bytes, size_t length) {
    const char *copy = arena_copy(&loader->config->arena, bytes, length);
    if (!copy) loader->out_of_memory = true;
    return copy ? copy : "";
}

/* Undeclared kafka.* keys, kept by name. */
static struct config_value *passed_value(struct loader *loader, const char *name) {
    struct config_value **place = &loader->config->passed;
    while (*place && strcmp((*place)->name, name) < 0) place = &(*place)->next;
    if (*place && strcmp((*place)->name, name) == 0) return *place;
    struct config_value *value = arena_alloc(&loader->config->arena, sizeof *value);
    if (!value) {
        loader->out_of_memory = true;
        return NULL;
    }
    *value = (struct config_value){.next = *place, .name = keep(loader, name, strlen(name)), .text = "", .origin = "", .secret = config_is_kafka_secret(name)};
    return *place = value;
}

static void set_value(struct loader *loader, struct config_value *value, enum config_layer layer, const char *origin, const char *text) {
    if (value->layer == layer) {
        problem(loader, "%s: %s is given twice, first at %s; keep one", origin, value->name, value->origin);
        return;
    }
    int64_t number = 0;
    if (value->key && !config_value_read(value->key, text, &number)) {
        char expected[256];
        config_value_expected(value->key, expected, sizeof expected);
        problem(loader, "%s: %s = \"%.80s\" is not valid; expected %s", origin, value->name, value->secret ? CONFIG_MASK : text, expected);
    }
    value->layer = layer;
    value->text = keep(loader, text, strlen(text));
    value->origin = keep(loader, origin, strlen(origin));
    value->number = number;
}

/* The value of NAME.file=PATH. */
static void set_from_file(struct loader *loader, struct config_value *value, enum config_layer layer, const char *origin, const char *path) {
    struct buffer bytes = {0};
    struct error error;
    char from[sizeof error.text];
    snprintf(from, sizeof from, "%.200s, from the file %.200s", origin, path);
    if (!file_read(path, SECRET_BYTES_MAXIMUM, &bytes, &error)) {
        problem(loader, "%s: the secret %s: %s", origin, value->name, error.text);
        value->layer = layer; /* it is given, though it cannot be read: not missing as well */
    } else {
        while (bytes.length > 0 && strchr("\r\n", bytes.data[bytes.length - 1])) bytes.length--;
        if (memchr(bytes.data ? bytes.data : "", 0, bytes.length)) problem(loader, "%s: the secret %s: %s holds a zero byte", origin, value->name, path);
        else set_value(loader, value, layer, from, keep(loader, bytes.data, bytes.length));
    }
    if (bytes.data) explicit_bzero(bytes.data, bytes.capacity);
    buffer_free(&bytes);
}

/* ---- names ---- */

static void unknown(struct loader *loader, const char *origin, const char *name, bool environment) {
    char nearest[CONFIG_NAME_SIZE] = "";
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < loader->config->count; i++) {
        const struct config_key *key = &loader->config->keys[i];
        for (int with_file = 0; with_file <= key->secret; with_file++) {
            char plain[CONFIG_NAME_SIZE], candidate[CONFIG_NAME_SIZE];
            snprintf(plain, sizeof plain, "%s%s", key->name, with_file ? ".file" : "");
            if (environment) config_environment_name(plain, candidate);
            else memcpy(candidate, plain, sizeof candidate);
            size_t found = name_distance(slice_of(name), slice_of(candidate));
            if (found >= best) continue;
            best = found;
            memcpy(nearest, candidate, sizeof nearest);
        }
    }
    const char *what = environment ? "unknown variable" : "unknown key";
    if (nearest[0]) problem(loader, "%s: %s \"%.80s\"; did you mean \"%s\"?", origin, what, name, nearest);
    else problem(loader, "%s: %s \"%.80s\"; no keys are known here", origin, what, name);
}

/* The value that a dotted name sets; *from_file: the name was NAME.file. NULL: unknown. */
static struct config_value *value_of(struct loader *loader, const char *name, bool *from_file) {
    struct config *config = loader->config;
    size_t length = strlen(name);
    bool is_file = length > 5 && strcmp(name + length - 5, ".file") == 0;
    *from_file = false;
    for (size_t i = 0; i < config->count; i++)
        if (strcmp(config->keys[i].name, name) == 0) return &config->values[i];
    for (size_t i = 0; i < config->count && is_file; i++)
        if (config->values[i].secret && strlen(config->keys[i].name) == length - 5 && memcmp(config->keys[i].name, name, length - 5) == 0) {
            *from_file = true;
            return &config->values[i];
        }
    if (strncmp(name, "kafka.", 6) != 0 || length == 6) return NULL;
    char base[CONFIG_NAME_SIZE];
    if (is_file && length - 5 < sizeof base) {
        memcpy(base, name, length - 5);
        base[length - 5] = 0;
        *from_file = config_is_kafka_secret(base);
    }
    return passed_value(loader, *from_file ? base : name);
}

static void apply(struct loader *loader, enum config_layer layer, const char *origin, const char *name, const char *text) {
    bool from_file;
    struct config_value *value = value_of(loader, name, &from_file);
    if (!value) {
        if (!loader->out_of_memory) unknown(loader, origin, name, false);
        return;
    }
    if (from_file) set_from_file(loader, value, layer, origin, text);
    else set_value(loader, value, layer, origin, text);
}

/* ---- the file ---- */

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static struct slice trim(struct slice text) {
    while (text.length > 0 && is_blank(text.data[0])) text.data++, text.length--;
    while (text.length > 0 && is_blank(text.data[text.length - 1])) text.length--;
    return text;
}

static struct slice next_line(struct slice *rest) {
    const char *end = memchr(rest->data, '\n', rest->length);
    struct slice line = {rest->data, end ? (size_t)(end - rest->data) : rest->length};
    size_t used = line.length + (end != NULL);
    *rest = (struct slice){rest->data + used, rest->length - used};
    return line;
}

static bool is_text(struct slice line) {
    for (size_t i = 0; i < line.length; i++)
        if (((unsigned char)line.data[i] < 0x20 && !is_blank(line.data[i])) || line.data[i] == 0x7f) return false;
    return utf8_is_valid(line);
}

static void apply_line(struct loader *loader, size_t number, struct slice line) {
    char origin[CONFIG_NAME_SIZE];
    snprintf(origin, sizeof origin, "%.200s:%zu", loader->file, number);
    if (!is_text(line)) {
        problem(loader, "%s: the line is not UTF-8 text; remove the bytes that are none", origin);
        return;
    }
    const char *equals = memchr(line.data, '=', line.length);
    struct slice name = trim((struct slice){line.data, equals ? (size_t)(equals - line.data) : 0});
    if (name.length == 0) {
        /* Not shown: it may be a piece of a secret. */
        problem(loader, "%s: the line is not KEY=VALUE", origin);
        return;
    }
    struct slice value = trim((struct slice){equals + 1, line.length - (size_t)(equals + 1 - line.data)});
    const char *name_text = keep(loader, name.data, name.length), *value_text = keep(loader, value.data, value.length);
    if (!loader->out_of_memory) apply(loader, LAYER_FILE, origin, name_text, value_text);
}

static void apply_text(struct loader *loader, struct slice rest) {
    if (rest.length >= 3 && memcmp(rest.data, "\xef\xbb\xbf", 3) == 0) rest = (struct slice){rest.data + 3, rest.length - 3};
    struct buffer joined = {0};
    for (size_t number = 1, start; rest.length > 0 && !loader->out_of_memory; number++) {
        start = number;
        struct slice line = trim(next_line(&rest));
        if (line.length == 0 || line.data[0] == '#') continue;
        buffer_reset(&joined);
        while (line.length > 0 && line.data[line.length - 1] == '\\') {
            buffer_append(&joined, line.data, line.length - 1);
            line = (struct slice){0};
            if (rest.length == 0) break;
            line = trim(next_line(&rest));
            number++;
        }
        buffer_append(&joined, line.data, line.length);
        if (joined.failed) loader->out_of_memory = true;
        else if (joined.length > 0) apply_line(loader, start, buffer_slice(&joined));
    }
    buffer_free(&joined);
}

/* ---- the environment ---- */

/* The dotted name of KONTOR_...: a declared key's, one of kafka.*, or NULL. */
static const char *name_of_variable(struct loader *loader, const char *variable) {
    char candidate[CONFIG_NAME_SIZE], plain[CONFIG_NAME_SIZE];
    for (size_t i = 0; i < loader->config->count; i++)
        for (int with_file = 0; with_file <= loader->config->values[i].secret; with_file++) {
            snprintf(plain, sizeof plain, "%s%s", loader->config->keys[i].name, with_file ? ".file" : "");
            config_environment_name(plain, candidate);
            if (strcmp(candidate, variable) == 0) return keep(loader, plain, strlen(plain));
        }
    static const char kafka[] = "KONTOR_KAFKA_";
    size_t length = strlen(variable), skipped = sizeof "KONTOR_" - 1;
    if (strncmp(variable, kafka, sizeof kafka - 1) != 0 || length == sizeof kafka - 1 || length >= sizeof plain) return NULL;
    for (size_t i = skipped; i <= length; i++)
        plain[i - skipped] = variable[i] == '_' ? '.' : (char)(variable[i] >= 'A' && variable[i] <= 'Z' ? variable[i] + ('a' - 'A') : variable[i]);
    return keep(loader, plain, length - skipped);
}

static void apply_variable(struct loader *loader, const char *entry) {
    char variable[CONFIG_NAME_SIZE], origin[CONFIG_NAME_SIZE + 16];
    size_t length = strcspn(entry, "=");
    snprintf(variable, sizeof variable, "%.*s", (int)least(length, sizeof variable - 1), entry);
    snprintf(origin, sizeof origin, "environment %s", variable);
    const char *name = name_of_variable(loader, variable), *text = entry[length] ? entry + length + 1 : "";
    if (!name) unknown(loader, "environment", variable, true);
    else if (!utf8_is_valid(slice_of(text))) problem(loader, "%s: the value is not UTF-8 text", origin);
    else apply(loader, LAYER_ENVIRONMENT, origin, name, text);
}

static int compare_entries(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* In the order of names, so that messages come in the same order whoever started the process. */
static void apply_environment(struct loader *loader, char *const *environment) {
    size_t count = 0, used = 0;
    while (environment[count]) count++;
    if (count == 0) return;
    const char **entries = calloc(count, sizeof *entries);
    if (!entries) {
        loader->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (strncmp(environment[i], "KONTOR_", 7) == 0) entries[used++] = environment[i];
    qsort(entries, used, sizeof *entries, compare_entries);
    for (size_t i = 0; i < used && !loader->out_of_memory; i++) apply_variable(loader, entries[i]);
    free(entries);
}

/* ---- all of it ---- */

static void check_required(struct loader *loader) {
    for (size_t i = 0; i < loader->config->count; i++) {
        const struct config_value *value = &loader->config->values[i];
        if (value->key->fallback || value->layer != LAYER_DEFAULT) continue;
        char variable[CONFIG_NAME_SIZE];
        config_environment_name(value->name, variable);
        problem(loader, "required key %s is missing; set it in %s or as %s (%s)", value->name, loader->file ? loader->file : "a properties file",
                variable, value->key->help);
    }
}

static struct config *new_config(const struct config_key *keys, size_t count) {
    struct config *config = calloc(1, sizeof *config);
    struct config_value *values = calloc(count ? count : 1, sizeof *values);
    if (!config || !values) {
        free(config);
        free(values);
        return NULL;
    }
    arena_init(&config->arena, ARENA_BLOCK, ARENA_LIMIT);
    config->keys = keys;
    config->count = count;
    config->values = values;
    for (size_t i = 0; i < count; i++) {
        values[i] = (struct config_value){.key = &keys[i], .name = keys[i].name, .text = keys[i].fallback ? keys[i].fallback : "", .origin = "default",
                                          .secret = keys[i].secret || config_is_kafka_secret(keys[i].name)};
        if (keys[i].fallback && !config_value_read(&keys[i], keys[i].fallback, &values[i].number)) abort(); /* was checked */
    }
    return config;
}

struct config *config_parse(const struct config_key *keys, size_t count, struct slice text, const char *origin, char *const *environment,
                            struct error *error) {
    config_check_declaration(keys, count);
    struct loader loader = {.config = new_config(keys, count), .file = origin};
    bool ok = loader.config != NULL;
    if (ok) {
        if (text.length > 0) apply_text(&loader, text);
        if (environment) apply_environment(&loader, environment);
        check_required(&loader);
        ok = !loader.out_of_memory && loader.problems.length == 0;
    }
    if (!ok) {
        if (!loader.config || loader.out_of_memory) error_set(error, "out of memory while reading the configuration");
        else report(&loader, error);
        config_free(loader.config);
        loader.config = NULL;
    }
    buffer_free(&loader.problems);
    return loader.config;
}

struct config *config_load(const struct config_key *keys, size_t count, const char *path, struct error *error) {
    struct buffer text = {0};
    struct config *config = NULL;
    if (path && !file_read(path, CONFIG_BYTES_MAXIMUM, &text, error)) error_prefix(error, "the configuration file");
    else config = config_parse(keys, count, buffer_slice(&text), path, environ, error);
    buffer_free(&text);
    return config;
}
