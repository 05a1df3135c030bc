/* kontor master: loads a folder of master data, a file of JSON lines for each table; and makes the periods of a calendar (periods.h). */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/feed.h"
#include "cli/periods.h"
#include "cli/table.h"
#include "common/platform/nearest.h"
#include "common/tables/master.h"

enum { PATH_SIZE = 4096 };

struct master_file { char name[NAME_MAX + 1]; bool there; };

/* Files of the tables in the order of master_tables, which puts what others refer to first. */
struct load { const char *dir; struct connection connection; struct topic_list list; struct master_file files[MASTER_COUNT]; };

static const char *next_table(void *context) {
    size_t *position = context;
    return *position < MASTER_COUNT ? master_tables[(*position)++].name : NULL;
}

/* The length of the name without .jsonl or .jsonl.gz; 0: another kind of file. */
static size_t table_length(const char *name) {
    static const char *const endings[] = {".jsonl", ".jsonl.gz"};
    for (size_t i = 0; i < 2; i++) {
        size_t length = strlen(name), ending = strlen(endings[i]);
        if (length > ending && strcmp(name + length - ending, endings[i]) == 0) return length - ending;
    }
    return 0;
}

static bool take_file(struct load *load, const char *name, struct error *error) {
    size_t length = table_length(name);
    char table[NAME_MAX + 1];
    if (!length || name[0] == '.') return true;
    snprintf(table, sizeof table, "%.*s", (int)length, name);
    for (size_t i = 0; i < MASTER_COUNT; i++) {
        if (strcmp(master_tables[i].name, table) != 0) continue;
        if (load->files[i].there) return error_set(error, "%s has two files for %s: %s and %s; keep one", load->dir, table, load->files[i].name, name);
        load->files[i].there = true;
        snprintf(load->files[i].name, sizeof load->files[i].name, "%s", name);
        return true;
    }
    size_t position = 0;
    const char *nearest = nearest_name(table, next_table, &position);
    if (nearest) return error_set(error, "%s/%s: there is no master table %s; did you mean %s? Nothing was loaded", load->dir, name, table, nearest);
    return error_set(error, "%s/%s: there is no master table %s; kontor topics check lists them as master.<table>. Nothing was loaded", load->dir, name, table);
}

static bool list_files(struct load *load, struct error *error) {
    DIR *dir = opendir(load->dir);
    if (!dir) return error_set(error, "%s cannot be read: %s; give a folder with <table>.jsonl files", load->dir, strerror(errno));
    bool ok = true;
    size_t count = 0;
    for (const struct dirent *entry; ok && (entry = readdir(dir));) {
        ok = take_file(load, entry->d_name, error);
        count += table_length(entry->d_name) > 0;
    }
    closedir(dir);
    if (ok && !count) return error_set(error, "%s has no <table>.jsonl file", load->dir);
    return ok;
}

static bool load_table(struct load *load, size_t table, struct text_table *summary, struct error *error) {
    char path[PATH_SIZE], topic[128];
    snprintf(path, sizeof path, "%s/%s", load->dir, load->files[table].name);
    snprintf(topic, sizeof topic, "master.%s", master_tables[table].name);
    const struct feed_options options = {.topic = topic, .path = path, .declared = topic_list_find(&load->list, topic), .partition = RD_KAFKA_PARTITION_UA};
    struct feed_result result;
    if (!feed_run(&load->connection, &options, &result, error)) return error_prefix(error, "%s (%" PRId64 " records of it were sent)", topic, result.sent);
    table_text(summary, master_tables[table].name);
    table_text(summary, topic);
    table_number(summary, result.sent);
    return true;
}

static enum exit_status load_run(const struct invocation *invocation) {
    static const struct table_column columns[] = {{"table", false}, {"topic", false}, {"records", true}};
    struct error error = {"out of memory"};
    struct load *load = calloc(1, sizeof *load);
    struct text_table *summary = table_new(columns, sizeof columns / sizeof *columns);
    bool ok = load && summary;
    if (ok) load->dir = invocation->words[1];
    ok = ok && list_files(load, &error) && connection_open(&load->connection, invocation, &error) &&
         connection_topic_list(&load->connection, &load->list, NULL, NULL, 0, &error);
    for (size_t i = 0; ok && i < MASTER_COUNT; i++)
        if (load->files[i].there) ok = load_table(load, i, summary, &error);
    if (ok && !table_print(summary, invocation->format, stdout)) ok = error_set(&error, "out of memory");
    table_free(summary);
    if (load) {
        connection_close(&load->connection);
        topic_list_free(&load->list);
    }
    free(load);
    return ok ? EXIT_DONE : command_failed(&error);
}

/* Options of periods say nothing of a load, and words behind DIR neither. */
static enum exit_status master_run(const struct invocation *invocation) {
    struct error error;
    const bool periods = strcmp(invocation->words[0], "periods") == 0;
    bool ok = true;
    if (periods && invocation->word_count != 3) ok = error_set(&error, "master periods needs ENTITY and LEDGER; kontor master --help explains it");
    if (!periods && invocation->word_count != 2) ok = error_set(&error, "master load takes one folder, not %s too", invocation->words[2]);
    for (const struct option *option = periods_options; ok && !periods && option->name; option++)
        if (option_given(invocation, option->name)) ok = error_set(&error, "--%s is for kontor master periods", option->name);
    if (ok) return periods ? periods_run(invocation) : load_run(invocation);
    (void)command_failed(&error);
    return EXIT_USAGE;
}

static const char *const words[] = {"load", "periods", NULL};

const struct command master_command = {
    .name = "master",
    .summary = "loads master data from a folder, or makes the periods of a calendar",
    .usage = "load DIR | periods ENTITY LEDGER --calendar CALENDAR --year YEAR --source SOURCE",
    .description = "Every DIR/<table>.jsonl (or .jsonl.gz) goes to the topic master.<table>, a record a line, keyed by the table's key\n"
                   "fields and valid_from. A record that is there already is written again, which changes nothing. A file that is\n"
                   "no table's is an error, and then nothing is loaded; a bad line ends the load and is named.\n\n"
                   "periods prints the accounting periods of an entity's ledger as lines for DIR/periods.jsonl and needs no\n"
                   "broker. A fiscal year is named by the calendar year of its first month and has twelve periods, YEAR-01 to\n"
                   "YEAR-12. monthly: calendar months. 4-4-5: quarters of 4, 4 and 5 weeks; the year ends on the last Saturday\n"
                   "(--starts: the last day of its weeks) of the month before its first month, so that it has 52 weeks or 53;\n"
                   "the 53rd week is in the last period.",
    .words = words,
    .words_minimum = 2,
    .words_maximum = 3,
    .options = periods_options,
    .default_format = "table",
    .example = "  kontor master load deploy/local/sample/master\n"
               "  kontor master periods ACME GL --calendar 4-4-5 --year 2026 --first-month 2 --source MDM >DIR/periods.jsonl",
    .run = master_run,
};
