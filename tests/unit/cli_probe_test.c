/* kontor probe's file of events and its metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli/probe_file.h"
#include "cli/probe_metrics.h"

static char path[] = "/tmp/kontor-probe-XXXXXX";
static struct topic_list topics;

static bool read_text(const char *text, struct probe_file *file, struct error *error) {
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
    return probe_file_read(file, path, &topics, error);
}

#define SETTLEMENT(more) "{\"settlement\": {\"value\": {\"kind\": \"unknown\", \"source\": \"PROBE\", \"entity\": \"HOME\", \"batch\": \"B\", \"document\": \"P-{id} of {today}, {now}{id}\"}" more "}}"

static void placeholders_are_filled(void **state) {
    (void)state;
    struct probe_file file;
    struct error error;
    if (!read_text(SETTLEMENT(""), &file, &error)) fail_msg("%s", error.text);
    assert_int_equal(file.count, 1);
    const struct probe_event *event = &probe_file_flow(&file, "settlement")->events[0];
    assert_string_equal(event->topic, "settlement.events");
    assert_string_equal(event->outcome, "accepted");
    assert_string_equal(event->source, "PROBE");
    json_t *value = probe_event_fill(event, "x-1", INT64_C(1575936000500));    /* 2019-12-10T00:00:00.500Z */
    assert_string_equal(json_string_value(json_object_get(value, "document")), "P-x-1 of 2019-12-10, 2019-12-10T00:00:00.500Zx-1");
    assert_string_equal(json_string_value(json_object_get(value, "event_id")), "x-1");
    assert_string_equal(json_string_value(json_object_get(value, "kind")), "unknown");
    json_decref(value);
    probe_file_free(&file);
}

static void several_in_turn_and_none(void **state) {
    (void)state;
    struct probe_file file;
    struct error error;
    if (!read_text("{\"review\": null, \"settlement\": [{\"value\": {\"kind\": \"unknown\", \"source\": \"P\", \"entity\": \"H\", \"batch\": \"B\", \"document\": \"1\"}, \"outcome\": \"rejected\"},"
                   " {\"value\": {\"kind\": \"unknown\", \"source\": \"P\", \"entity\": \"N\", \"batch\": \"B\", \"document\": \"2\"}}]}", &file, &error)) fail_msg("%s", error.text);
    assert_int_equal(probe_file_flow(&file, "review")->count, 0);
    assert_int_equal(probe_file_flow(&file, "settlement")->count, 2);
    assert_string_equal(probe_file_flow(&file, "settlement")->events[0].outcome, "rejected");
    assert_string_equal(probe_file_flow(&file, "settlement")->events[1].entity, "N");
    assert_null(probe_file_flow(&file, "invoice"));
    probe_file_free(&file);
}

static void what_is_wrong_is_refused(void **state) {
    (void)state;
    static const struct { const char *text, *says; } wrong[] = {
        {"", "not JSON"},
        {"[]", "expected an object"},
        {"{}", "expected an object"},
        {"{\"settlement\": []}", "settlement: an empty list"},
        {"{\"settlement\": 1}", "expected {\"value\": {...}}"},
        {SETTLEMENT(", \"outcom\": \"held\""), "outcom: there is topic, outcome and value"},
        {SETTLEMENT(", \"outcome\": \"lost\""), "\"lost\" is not accepted"},
        {SETTLEMENT(", \"topic\": \"invoice.events\""), "invoice.events is not of this flow"},
        {"{\"nothing\": {\"value\": {}}}", "nothing.events is no topic"},
        {"{\"settlement\": {\"value\": {\"source\": \"P\"}}}", "source and entity are needed"},
        {"{\"settlement\": {\"value\": {\"kind\": \"unknown\", \"source\": \"P\", \"entity\": \"H\", \"batch\": \"B\", \"document\": \"{di}\"}}}", "{id}, {today} or {now}"},
        {"{\"settlement\": {\"value\": {\"kind\": \"unknown\", \"source\": \"P\", \"entity\": \"H\", \"batch\": \"B\"}}}", "document"},
        {"{\"settlement\": {\"value\": {\"kind\": \"unknown\", \"source\": \"P\", \"entity\": \"H\", \"batch\": \"B\", \"document\": \"1\", \"numbr\": 1}}}", "did you mean number"},
        {"{\"settlement\": {\"value\": {}}, \"settlement\": null}", "duplicate"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct probe_file file;
        struct error error = {{0}};
        assert_false(read_text(wrong[i].text, &file, &error));
        if (!strstr(error.text, wrong[i].says)) fail_msg("%s\nsays \"%s\", not \"%s\"", wrong[i].text, error.text, wrong[i].says);
        probe_file_free(&file);
    }
}

static void the_samples_events_are_right(void **state) {
    (void)state;
    struct probe_file file;
    struct error error;
    if (!probe_file_read(&file, "deploy/probe/sample.json", &topics, &error)) fail_msg("%s", error.text);
    static const char *const flows[] = {"procurement", "invoice", "payment", "expense", "journal", "settlement", "review"};
    for (size_t i = 0; i < sizeof flows / sizeof *flows; i++) assert_non_null(probe_file_flow(&file, flows[i]));
    probe_file_free(&file);
}

/* docs/metrics.md has a row of each metric of a flow, with its kind and meaning. */
static void metrics_are_documented(void **state) {
    (void)state;
    struct metrics *metrics = metrics_new();
    struct probe_counts counts;
    struct buffer text = {0};
    char name[80], help[300], kind[16], row[600];
    int count = 0;
    probe_metrics_process(metrics, "1", 60000);
    probe_metrics_flow(metrics, "invoice", &counts);
    assert_true(metrics_render(metrics, &text) && buffer_append(&text, "", 1));
    FILE *file = fopen("docs/metrics.md", "r");
    assert_non_null(file);
    char *checked_in = calloc(1, 1 << 20);
    assert_true(fread(checked_in, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    for (const char *line = text.data; *line; line = strchr(line, '\n') + 1) {
        if (sscanf(line, "# HELP %79s %299[^\n]", name, help) != 2) continue;
        assert_int_equal(sscanf(strchr(line, '\n') + 1, "# TYPE %*s %15s", kind), 1);
        if (strncmp(name, "kontor_probe_", 13) == 0) {
            const bool reached = strstr(name, "failures"), whole = strstr(name, "interval"), number = strstr(name, "_total");
            snprintf(row, sizeof row, "| `%s` | %s | %s | %s | probe | %s |\n", name, kind, number ? "number" : "seconds", whole ? "" : reached ? "`flow`, `reached`" : "`flow`", help);
        } else snprintf(row, sizeof row, "| `%s` | %s |", name, kind);
        if (!strstr(checked_in, row)) fail_msg("docs/metrics.md lacks the row\n%s", row);
        count++;
    }
    assert_int_equal(count, 7);
    free(checked_in);
    buffer_free(&text);
    metrics_free(metrics);
}

int main(void) {
    struct error error;
    int file = mkstemp(path);
    if (file < 0 || !topic_list_read(&topics, NULL, 0, &error)) return 1;
    close(file);
    const struct CMUnitTest tests[] = {cmocka_unit_test(placeholders_are_filled), cmocka_unit_test(several_in_turn_and_none), cmocka_unit_test(what_is_wrong_is_refused),
                                       cmocka_unit_test(the_samples_events_are_right), cmocka_unit_test(metrics_are_documented)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    topic_list_free(&topics);
    unlink(path);
    return failed;
}
