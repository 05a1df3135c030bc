/* docs/metrics.md: its table is what the processors serve: every metric, its kind, unit, labels and meaning. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/text_file.h"
#include "common/runtime/serve.h"
#include "processors.h"

#define DECLARED(name) extern const struct processor name##_processor;
KONTOR_PROCESSORS(DECLARED)
#define ADDRESS(name) &name##_processor,
static const struct processor *const processors[] = {KONTOR_PROCESSORS(ADDRESS)};

enum { METRICS_MAXIMUM = 100, PROCESSOR_COUNT = sizeof processors / sizeof *processors };
struct row { char name[80], kind[16], help[300], labels[100]; int processors; const char *first; };
static struct row rows[METRICS_MAXIMUM];
static size_t row_count;

static bool ends_with(const char *text, const char *end) { return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0; }

static const char *unit_of(const char *name) {
    if (ends_with(name, "_seconds") || ends_with(name, "_seconds_total")) return "seconds";
    if (ends_with(name, "_bytes")) return "bytes";
    if (ends_with(name, "_info") || ends_with(name, "_paused")) return "0 or 1";
    return "number";
}

/* name{a="x",b="y",le="1"} 5 -> `a`, `b` */
static void labels_of(const char *line, char *labels, size_t size) {
    size_t length = 0;
    const char *at = strchr(line, '{'), *end = strchr(line, '\n');
    labels[0] = 0;
    while (at && at < end && *at != '}') {
        const size_t name = strcspn(++at, "=");
        if (strncmp(at, "le=", 3) != 0) length += (size_t)snprintf(labels + length, size - length, "%s`%.*s`", length ? ", " : "", (int)name, at);
        at += name + 2;
        at += strcspn(at, "\"") + 1;    /* no value of these has an escaped quote */
    }
}

static void take(const char *text, const char *processor) {
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        char name[80], help[300], kind[16];
        if (sscanf(line, "# HELP %79s %299[^\n]", name, help) != 2) continue;
        const char *type = strchr(line, '\n') + 1;
        assert_int_equal(sscanf(type, "# TYPE %*s %15s", kind), 1);
        struct row *row = rows;
        while (row < rows + row_count && strcmp(row->name, name) != 0) row++;
        assert_true(row < rows + METRICS_MAXIMUM);
        if (row == rows + row_count) row_count++;
        if (!row->processors++) {
            snprintf(row->name, sizeof row->name, "%s", name);
            snprintf(row->help, sizeof row->help, "%s", help);
            snprintf(row->kind, sizeof row->kind, "%s", kind);
            row->first = processor;
            labels_of(strchr(type, '\n') + 1, row->labels, sizeof row->labels);
        }
        assert_string_equal(row->help, help);
    }
}

/* Every metric of a processor, those too that come up with the first event. */
static void ask(const struct processor *processor) {
    struct serve *serve;
    struct error error;
    struct buffer text = {0};
    if (!serve_open(&serve, processor, "1", "127.0.0.1:0", &error)) fail_msg("%s", error.text);
    for (int i = 0; i < COUNTERS_MAXIMUM && processor->counters[i].name; i++) serve_count(serve, i, "1000", "posted", 1);
    for (int kind = 0; kind < SHARE_KINDS; kind++) serve_share(serve, (enum engine_share_kind)kind, "1000", OUTCOME_HELD, 1);
    for (int client = 0; client < SERVE_CLIENTS; client++) (void)serve_client(serve, (enum serve_client)client);
    assert_true(metrics_render(serve_registry(serve), &text));
    buffer_append(&text, "", 1);
    take(text.data, processor->name);
    buffer_free(&text);
    serve_close(serve);
}

static void table_is_current(void **state) {
    (void)state;
    for (size_t i = 0; i < PROCESSOR_COUNT; i++) ask(processors[i]);
    FILE *file = fopen(KONTOR_GENERATED "/metrics.md", "w");
    assert_non_null(file);
    fprintf(file, "| metric | kind | unit | labels | of | meaning |\n|---|---|---|---|---|---|\n");
    for (const struct row *row = rows; row < rows + row_count; row++)
        fprintf(file, "| `%s` | %s | %s | %s | %s | %s |\n", row->name, row->kind, unit_of(row->name), row->labels,
                row->processors == PROCESSOR_COUNT ? "all" : row->processors == 1 ? row->first : "some", row->help);
    assert_int_equal(fclose(file), 0);
    char *checked_in = read_whole("docs/metrics.md"), *generated = read_whole(KONTOR_GENERATED "/metrics.md");
    if (!strstr(checked_in, generated)) fail_msg("docs/metrics.md is stale: its table must be %s/metrics.md", KONTOR_GENERATED);
    free(checked_in);
    free(generated);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(table_is_current)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
