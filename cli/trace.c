/* kontor trace: where a document is, and what became of it. */
#include "cli/trace.h"

#include "cli/table.h"

static enum exit_status trace_run(const struct invocation *invocation) {
    struct connection connection = {0};
    struct topic_list list = {.count = 0};
    struct error error;
    json_t *trace = NULL;
    int64_t searched = 0;
    bool ok = connection_open(&connection, invocation, &error) && connection_topic_list(&connection, &list, option_text(invocation, "topics", NULL), NULL, 0, &error) &&
              trace_find(&connection, &list, invocation->words[0], &trace, &searched, &error);
    if (ok && !trace) {
        char count[AMOUNT_TEXT_SIZE];
        ok = error_set(&error, "none of %s events names %s, be it as document, number, order, reversed document, event id, correlation id or origin "
                       "(<topic>/<partition>/<offset>); look at how its source writes it, or find its key with kontor consume TOPIC",
                       count_text(searched, count), invocation->words[0]);
    } else if (ok && invocation->format == FORMAT_JSON) {
        ok = (json_dumpf(trace, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF) || error_set(&error, "out of memory");
    } else if (ok) {
        trace_print(trace, stdout);
    }
    json_decref(trace);
    connection_close(&connection);
    topic_list_free(&list);
    return ok ? EXIT_DONE : command_failed(&error);
}

static const struct option options[] = {
    {"topics", OPTION_TEXT, "FILE", "list of topics; without it the one this program was built with (deploy/topics.tsv)"},
    {NULL, OPTION_FLAG, NULL, NULL},
};

const struct command trace_command = {
    .name = "trace",
    .summary = "everything about one document, from its events to its journals",
    .usage = "DOCUMENT",
    .description = "DOCUMENT is the number of an order, receipt or invoice, the supplier's own number, an event id, a correlation id, or where\n"
                   "an event lies (<topic>/<partition>/<offset>). Shown in order of time: each event with what its source was told, where it\n"
                   "waits or was refused and why, commitments, journals with their lines, and the documents it is linked to.",
    .words_minimum = 1,
    .words_maximum = 1,
    .default_format = "table",
    .options = options,
    .example = "  kontor trace 4507000647\n  kontor trace 4507000647-00010-IR1 --format json",
    .run = trace_run,
};
