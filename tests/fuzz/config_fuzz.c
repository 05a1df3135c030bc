/* Configuration from any bytes: the first byte is the length of an environment variable behind KONTOR_, what follows it is the file. Whatever comes
 * in, it ends with a configuration or with a message, and what was printed is read again as the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/platform/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct config_key keys[] = {
    {.name = "name", .fallback = "x", .help = "h"},
    {.name = "metrics.listen", .fallback = "", .help = "h"},
    {.name = "batch.records", .fallback = "1", .help = "h", .kind = CONFIG_INTEGER, .minimum = -5, .maximum = 100},
    {.name = "batch.bytes", .fallback = "1KiB", .help = "h", .kind = CONFIG_BYTES},
    {.name = "window", .fallback = "1d", .help = "h", .kind = CONFIG_DURATION_MS},
    {.name = "rekey", .fallback = "false", .help = "h", .kind = CONFIG_BOOLEAN},
    {.name = "format", .fallback = "human", .help = "h", .kind = CONFIG_CHOICE, .choices = "human json"},
};
enum { KEYS = sizeof keys / sizeof *keys };

static void ignore(void *context, const char *name, const char *value) { *(size_t *)context += strlen(name) + strlen(value); }

static void require(bool condition) {
    if (!condition) abort();
}

static char *printed(const struct config *config) {
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    require(stream != NULL);
    config_print(config, stream);
    fclose(stream);
    return text;
}

/* Values from a file have no line ends and no blanks around them: printing them is faithful. A masked secret is not, nor a value
 * that ends in a \. */
static void check_printed_again(const struct config *config) {
    struct error error;
    char *once = printed(config);
    if (!strstr(once, "\\\n") && !strstr(once, "********")) {
        struct config *again = config_parse(keys, KEYS, slice_of(once), "printed", NULL, &error);
        require(again != NULL);
        for (size_t i = 0; i < KEYS; i++) require(strcmp(config_text(config, keys[i].name), config_text(again, keys[i].name)) == 0);
        config_free(again);
    }
    free(once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    size_t length = data[0] < size ? data[0] : size - 1;
    char variable[7 + 256 + 1] = "KONTOR_";
    memcpy(variable + 7, data + 1, length);
    variable[7 + length] = 0;
    char *const environment[] = {variable, NULL};
    struct slice text = {(const char *)data + 1 + length, size - 1 - length};
    struct error error = {""};
    struct config *config = config_parse(keys, KEYS, text, "fuzz", environment, &error);
    if (config) {
        size_t total = 0;
        config_each(config, "", ignore, &total);
        require(config_integer(config, "batch.records") >= -5 && config_integer(config, "batch.records") <= 100);
        require(config_integer(config, "batch.bytes") >= 0 && config_integer(config, "window") >= 0);
        require(config_choice(config, "format") >= 0 && config_choice(config, "format") <= 1);
        free(printed(config));
        config_free(config);
    } else {
        require(error.text[0] != 0 && strnlen(error.text, sizeof error.text) < sizeof error.text);
    }
    config = config_parse(keys, KEYS, text, "fuzz", NULL, &error);
    if (config) check_printed_again(config);
    config_free(config);
    return 0;
}
