/* kontor documents: where documents are: how many in each state, or, asked for some, which. */
#include <stdlib.h>

#include "cli/documents.h"
#include "cli/table.h"

static bool fits(const struct invocation *invocation, const char *option, struct slice value) {
    const char *wanted = option_text(invocation, option, NULL);
    return !wanted || slice_equal(value, slice_of(wanted));
}

static bool is_wanted(const struct invocation *invocation, const struct document_line *line) {
    return fits(invocation, "state", line->state) && fits(invocation, "entity", line->entity) && fits(invocation, "flow", line->flow) && fits(invocation, "partner", line->partner) &&
           fits(invocation, "document", line->document) && fits(invocation, "owner", line->owner) && (!option_given(invocation, "overdue") || line->overdue.length);
}

/* By flow, state and time. */
static int compare_lines(const void *a, const void *b) {
    const struct document_line *x = a, *y = b;
    int order = slice_compare(x->flow, y->flow);
    if (!order) order = slice_compare(x->state, y->state);
    if (!order) order = (x->since_ms > y->since_ms) - (x->since_ms < y->since_ms);
    return order ? order : slice_compare(x->key, y->key);
}

static void time_cell(struct text_table *table, int64_t time_ms) {
    char text[TIME_TEXT_SIZE];
    table_text(table, time_ms ? time_text(time_ms, text) : NULL);
}

static struct text_table *rows(const struct invocation *invocation, const struct document_list *list) {
    static const struct table_column columns[] = {{"flow", false}, {"document", false}, {"entity", false}, {"partner", false}, {"state", false}, {"since", false}, {"amount", true},
        {"currency", false}, {"reasons", false}, {"owner", false}, {"next", false}, {"due", false}, {"overdue", false}, {"overdue since", false}};
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    const int64_t limit = option_number(invocation, "limit", 0);
    for (size_t i = 0; i < list->count && (!limit || (int64_t)table_rows(table) < limit); i++) {
        const struct document_line *line = &list->items[i];
        if (!is_wanted(invocation, line)) continue;
        const struct slice before[] = {line->flow, line->document, line->entity, line->partner, line->state};
        for (size_t k = 0; k < sizeof before / sizeof *before; k++) table_slice(table, before[k]);
        time_cell(table, line->since_ms);
        if (line->has_amount) table_amount(table, line->amount_e4);
        else table_text(table, NULL);
        table_slice(table, line->currency);
        table_slice(table, line->reasons);
        table_slice(table, line->owner);
        table_slice(table, line->awaited);
        time_cell(table, line->has_due ? line->due_ms : 0);
        table_slice(table, line->overdue);
        time_cell(table, line->overdue_since_ms);
    }
    return table;
}

static struct text_table *counts(const struct document_list *list) {
    static const struct table_column columns[] = {{"flow", false}, {"state", false}, {"documents", true}, {"overdue", true}};
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    for (size_t i = 0, end; i < list->count; i = end) {
        int64_t overdue = 0;
        for (end = i; end < list->count && slice_equal(list->items[end].flow, list->items[i].flow) && slice_equal(list->items[end].state, list->items[i].state); end++)
            overdue += list->items[end].overdue.length > 0;
        table_slice(table, list->items[i].flow);
        table_slice(table, list->items[i].state);
        table_number(table, (int64_t)(end - i));
        table_number(table, overdue);
    }
    return table;
}

static enum exit_status documents_run(const struct invocation *invocation) {
    static const char *const filters[] = {"state", "entity", "flow", "partner", "document", "owner", "overdue", "limit"};
    struct connection connection = {0};
    struct document_list list = {.items = NULL};
    struct text_table *table = NULL;
    struct error error;
    bool some = false;
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) some |= option_given(invocation, filters[i]);
    bool ok = connection_open(&connection, invocation, &error) && documents_read(&list, &connection, NULL, &error);
    if (ok && !list.count) ok = error_set(&error, "the topic documents has none: is kontor-acknowledger running? Its /readyz says what it waits for");
    if (ok) {
        qsort(list.items, list.count, sizeof *list.items, compare_lines);
        table = some ? rows(invocation, &list) : counts(&list);
        ok = table_print(table, invocation->format, stdout) || error_set(&error, "out of memory");
    }
    table_free(table);
    documents_free(&list);
    connection_close(&connection);
    return ok ? EXIT_DONE : command_failed(&error);
}

static const struct option options[] = {
    {"state", OPTION_TEXT, "STATE", "in this state only, for example \"needs decision\" or posted"},
    {"overdue", OPTION_FLAG, NULL, "only those whose next step has not come in time"},
    {"entity", OPTION_TEXT, "ENTITY", "of this legal entity only"},
    {"flow", OPTION_TEXT, "FLOW", "of this flow only: procurement, invoice, payment, expense, journal"},
    {"partner", OPTION_TEXT, "PARTNER", "of this supplier or employee only"},
    {"document", OPTION_TEXT, "DOCUMENT", "of this number only"},
    {"owner", OPTION_TEXT, "OWNER", "of flows of this control owner only"},
    {"limit", OPTION_NUMBER, "N", "N documents at most"},
    {NULL, OPTION_FLAG, NULL, NULL},
};

const struct command documents_command = {
    .name = "documents",
    .summary = "where documents are, and which are overdue",
    .usage = "",
    .description = "Without an option: how many documents of each flow are in each state. With one: those that fit, a row each, with why they wait, who\n"
                   "answers for them, what comes next and by when. The states are those of docs/document-life.md.",
    .words_minimum = 0,
    .words_maximum = 0,
    .default_format = "table",
    .options = options,
    .example = "  kontor documents\n  kontor documents --overdue\n  kontor documents --state 'needs decision' --entity ACME --format json",
    .run = documents_run,
};
