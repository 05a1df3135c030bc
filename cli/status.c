/* kontor status: what became of everything, read back from the topics. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/summary.h"

static int compare_numbers(const void *a, const void *b, void *context) {
    const struct intern *intern = context;
    return slice_compare(intern_text(intern, *(const uint32_t *)a), intern_text(intern, *(const uint32_t *)b));
}

/* The numbers of all texts in the order of the texts; the caller frees it. */
static uint32_t *in_order(struct intern *intern) {
    uint32_t *order = calloc(intern->count + 1, sizeof *order);
    for (uint32_t i = 0; order && i < intern->count; i++) order[i] = i;
    if (order) qsort_r(order, intern->count, sizeof *order, compare_numbers, intern);
    return order;
}

/* How long it took, by the caller's clock or from the first output to the last. */
static int64_t duration_ms(const struct invocation *invocation, const struct summary *summary) {
    int64_t started = option_number(invocation, "started", summary->first_output_ms), finished = option_number(invocation, "finished", summary->last_output_ms);
    return finished > started ? finished - started : 0;
}

static int64_t events_per_second(const struct summary *summary, int64_t duration) { return duration ? summary->events_in * 1000 / duration : 0; }

/* ---- as JSON ---- */

static void set_slice_key(json_t *object, struct slice key, json_t *value) {
    char text[512];
    snprintf(text, sizeof text, SLICE_FORMAT, SLICE_ARGUMENT(key));
    json_object_set_new(object, text, value);
}

static json_t *total_json(const struct summary_total *total) {
    char debit[AMOUNT_TEXT_SIZE], credit[AMOUNT_TEXT_SIZE];
    return json_pack("{s:s, s:s}", "debit", amount_text(total->debit, false, debit), "credit", amount_text(total->credit, false, credit));
}

static json_t *problems_json(const struct summary *summary) {
    json_t *problems = json_array();
    for (int i = 0; i < PROBLEM_KINDS; i++)
        if (summary->troubles[i].count)
            json_array_append_new(problems, json_pack("{s:s, s:I, s:s}", "problem", summary_problem_texts[i], "count", (json_int_t)summary->troubles[i].count,
                                                      "first", summary->troubles[i].first));
    return problems;
}

static bool print_json(struct summary *summary, int64_t duration) {
    uint32_t *reasons = in_order(&summary->reasons), *currencies = in_order(&summary->currencies);
    json_t *all = json_object(), *by_reason = json_object(), *by_currency = json_object();
    bool ok = reasons && currencies && all && by_reason && by_currency;
    if (ok) {
        json_object_set_new(all, "events_in", json_integer(summary->events_in));
        for (int i = 0; i < SUMMARY_OUTCOMES; i++) json_object_set_new(all, summary_outcome_names[i], json_integer(summary->outcomes[i]));
        for (uint32_t i = 0; i < summary->reasons.count; i++)
            if (summary->reason_events[reasons[i]]) set_slice_key(by_reason, intern_text(&summary->reasons, reasons[i]), json_integer(summary->reason_events[reasons[i]]));
        for (uint32_t i = 0; i < summary->currencies.count; i++)
            set_slice_key(by_currency, intern_text(&summary->currencies, currencies[i]), total_json(&summary->totals[currencies[i]]));
        json_object_set(all, "reasons", by_reason);
        json_object_set_new(all, "journals", json_integer(summary->journals));
        json_object_set_new(all, "journal_lines", json_integer(summary->journal_lines));
        json_object_set(all, "currencies", by_currency);
        json_object_set_new(all, "acknowledgments", json_integer(summary->acknowledgments));
        json_object_set_new(all, "acknowledged_documents", json_integer(summary->acknowledged_documents));
        json_object_set_new(all, "seconds", json_real((double)duration / 1000));
        json_object_set_new(all, "events_per_second", json_integer(events_per_second(summary, duration)));
        if (summary_problems(summary)) json_object_set_new(all, "problems", problems_json(summary));
        ok = json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) == 0 && putchar('\n') != EOF;
    }
    free(reasons);
    free(currencies);
    json_decref(all);
    json_decref(by_reason);
    json_decref(by_currency);
    return ok;
}

/* ---- as a table ---- */

static bool print_and_free(struct text_table *table) {
    bool ok = table_print(table, FORMAT_TABLE, stdout);
    table_free(table);
    return ok;
}

static void add_count(struct text_table *table, const char *name, int64_t count) {
    table_text(table, name);
    table_number(table, count);
}

static bool print_counts(const struct summary *summary, int64_t duration) {
    static const struct table_column columns[] = {{"summary", false}, {"count", true}};
    struct text_table *table = table_new(columns, 2);
    char name[64];
    add_count(table, "events in", summary->events_in);
    for (int i = 0; i < SUMMARY_OUTCOMES; i++) {
        snprintf(name, sizeof name, "  %s", summary_outcome_names[i]);
        add_count(table, name, summary->outcomes[i]);
    }
    add_count(table, "journals", summary->journals);
    add_count(table, "journal lines", summary->journal_lines);
    add_count(table, "acknowledgments", summary->acknowledgments);
    add_count(table, "acknowledged documents", summary->acknowledged_documents);
    snprintf(name, sizeof name, "%lld.%03d", (long long)(duration / 1000), (int)(duration % 1000));
    table_text(table, "seconds");
    table_text(table, name);
    add_count(table, "events per second", events_per_second(summary, duration));
    return print_and_free(table);
}

static bool print_reasons(struct summary *summary) {
    static const struct table_column columns[] = {{"reason", false}, {"events", true}};
    uint32_t *order = in_order(&summary->reasons);
    struct text_table *table = table_new(columns, 2);
    for (uint32_t i = 0; order && i < summary->reasons.count; i++) {
        if (!summary->reason_events[order[i]]) continue;
        table_slice(table, intern_text(&summary->reasons, order[i]));
        table_number(table, summary->reason_events[order[i]]);
    }
    bool any = table_rows(table) > 0, ok = order;
    free(order);
    if (any) putchar('\n');
    else table_free(table);
    return (!any || print_and_free(table)) && ok;
}

static bool print_currencies(struct summary *summary) {
    static const struct table_column columns[] = {{"currency", false}, {"debit", true}, {"credit", true}};
    uint32_t *order = in_order(&summary->currencies);
    struct text_table *table = table_new(columns, 3);
    for (uint32_t i = 0; order && i < summary->currencies.count; i++) {
        table_slice(table, intern_text(&summary->currencies, order[i]));
        table_amount(table, summary->totals[order[i]].debit);
        table_amount(table, summary->totals[order[i]].credit);
    }
    bool any = table_rows(table) > 0, ok = order;
    free(order);
    if (any) putchar('\n');
    else table_free(table);
    return (!any || print_and_free(table)) && ok;
}

/* ---- the trial balance ---- */

static void add_balance(struct text_table *table, struct slice entity, struct slice account, struct slice currency, const struct summary_total *total) {
    table_slice(table, entity);
    table_slice(table, account);
    table_slice(table, currency);
    table_amount(table, total->debit);
    table_amount(table, total->credit);
    table_amount(table, total->debit - total->credit);
}

static bool print_trial_balance(struct summary *summary, enum output_format format) {
    static const struct table_column columns[] = {{"entity", false}, {"account", false}, {"currency", false}, {"debit", true}, {"credit", true}, {"balance", true}};
    uint32_t *order = in_order(&summary->account_keys);
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    for (uint32_t i = 0; order && i < summary->account_keys.count; i++) {
        const struct summary_account *account = &summary->accounts[order[i]];
        add_balance(table, account->entity, account->account, account->currency, &account->functional);
    }
    /* The sum of each functional currency, for people: programs add up themselves. */
    for (uint32_t i = 0; order && format == FORMAT_TABLE && i < summary->account_keys.count; i++) {
        struct summary_total sum = {0, 0};
        struct slice currency = summary->accounts[i].currency;
        bool first = true;
        for (uint32_t k = 0; k < summary->account_keys.count; k++) {
            if (!slice_equal(summary->accounts[k].currency, currency)) continue;
            first = first && k >= i;
            sum.debit += summary->accounts[k].functional.debit;
            sum.credit += summary->accounts[k].functional.credit;
        }
        if (first) add_balance(table, SLICE("total"), SLICE(""), currency, &sum);
    }
    bool ok = order && table_print(table, format, stdout);
    table_free(table);
    free(order);
    return ok;
}

static enum exit_status tell_problems(const struct summary *summary) {
    fflush(stdout);
    for (int i = 0; i < PROBLEM_KINDS; i++) {
        const struct summary_trouble *trouble = &summary->troubles[i];
        char count[AMOUNT_TEXT_SIZE];
        if (trouble->count) fprintf(stderr, "kontor: %s %s, the first: %s\n", count_text(trouble->count, count), summary_problem_texts[i], trouble->first);
    }
    if (summary->troubles[PROBLEM_NO_OUTCOME].count) fprintf(stderr, "kontor: the processors may still be at work: look at their /readyz and logs, and ask again\n");
    return summary_problems(summary) ? EXIT_FAILED : EXIT_DONE;
}

static enum exit_status status_run(const struct invocation *invocation) {
    struct connection connection = {0};
    struct topic_list list = {.count = 0};
    struct summary summary = {.events_in = 0};
    struct error error;
    bool ok = connection_open(&connection, invocation, &error) && connection_topic_list(&connection, &list, option_text(invocation, "topics", NULL), NULL, 0, &error) &&
              summary_read(&summary, &connection, &list, &error);
    if (ok) {
        int64_t duration = duration_ms(invocation, &summary);
        if (option_given(invocation, "trial-balance")) ok = print_trial_balance(&summary, invocation->format);
        else if (invocation->format == FORMAT_JSON) ok = print_json(&summary, duration);
        else ok = print_counts(&summary, duration) && print_reasons(&summary) && print_currencies(&summary);
        if (!ok) error_set(&error, "out of memory");
    }
    enum exit_status status = ok ? tell_problems(&summary) : command_failed(&error);
    summary_free(&summary);
    connection_close(&connection);
    topic_list_free(&list);
    return status;
}

static const struct option options[] = {
    {"trial-balance", OPTION_FLAG, NULL, "debit, credit and balance of every entity and account, in its functional currency"},
    {"started", OPTION_TIME, "TIME", "when the run began, for seconds and events per second; without it the first output's time"},
    {"finished", OPTION_TIME, "TIME", "when it ended; without it the last output's time"},
    {"topics", OPTION_TEXT, "FILE", "list of topics; without it the one this program was built with (deploy/topics.tsv)"},
    {NULL, OPTION_FLAG, NULL, NULL},
};

const struct command status_command = {
    .name = "status",
    .summary = "what became of all events: outcomes, reasons, journals, balances",
    .usage = "",
    .description = "Read back from the topics, committed records only. An event's outcome is its newest acknowledgment, or poison when it lies\n"
                   "on a DLQ topic; the outcomes add up to the events. It exits with 1 and says so when they do not, when a journal is\n"
                   "unbalanced or there twice, or when an event has another outcome after a final one.",
    .words_maximum = 0,
    .default_format = "table",
    .options = options,
    .example = "  kontor status\n  kontor status --trial-balance\n  kontor status --format json",
    .run = status_run,
};
