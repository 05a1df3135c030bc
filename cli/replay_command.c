/* kontor replay: past events of a time range decided once more, with the master data of that time: compared with what the topics hold, or into topics of their own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/compare.h"
#include "cli/divert.h"
#include "cli/replay.h"
#include "cli/show.h"
#include "cli/table.h"
#include "common/platform/nearest.h"

enum { SHOWN = 100, DIVERTED = 64 };

struct replaying {
    const struct invocation *invocation;
    struct connection connection;
    struct compare *compare;
    struct divert *divert;
    json_t *answers;        /* one of each processor */
    size_t differences, unexplained;
};

static enum replay_tables tables_wanted(const struct invocation *invocation) {
    return strcmp(option_text(invocation, "tables", "then"), "now") == 0 ? REPLAY_TABLES_NOW_ELSE_THEN : REPLAY_TABLES_THEN;
}

/* ---- dry run ---- */

static bool compare_one(struct replaying *replaying, const struct processor *processor, struct error *error) {
    const struct invocation *invocation = replaying->invocation;
    struct engine_counts counts;
    if (!compare_open(&replaying->compare, &replaying->connection, processor, option_number(invocation, "from", INT64_MIN), option_number(invocation, "to", INT64_MAX), error)) return false;
    const struct replay_options options = {.connection = &replaying->connection, .processor = processor, .tables = tables_wanted(invocation), .began = compare_began,
                                           .event = compare_event, .output = compare_output, .ended = compare_ended, .context = replaying->compare};
    bool ok = replay_run(&options, &counts, error);
    json_t *answer = ok ? compare_json(replaying->compare, (size_t)option_number(invocation, "limit", invocation->format == FORMAT_JSON ? INT64_MAX : SHOWN)) : NULL;
    if (ok && (!answer || json_array_append_new(replaying->answers, answer))) ok = error_set(error, "out of memory");
    if (ok) replaying->differences += compare_differences(replaying->compare);
    if (ok) replaying->unexplained += compare_unexplained(replaying->compare);
    compare_close(replaying->compare);
    replaying->compare = NULL;
    return ok;
}

static bool print_topics(const json_t *answers, struct error *error) {
    static const struct table_column columns[] = {{"processor", false}, {"topic", false}, {"same bytes", true}, {"other bytes", true}, {"only on the topic", true}, {"only in the replay", true}};
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    size_t i, k;
    json_t *answer, *topic;
    json_array_foreach(answers, i, answer) {
        json_array_foreach(json_object_get(answer, "topics"), k, topic) {
            static const char *const counts[] = {"same", "other", "only_on_topic", "only_in_replay"};
            json_int_t sum = 0;
            for (size_t n = 0; n < 4; n++) sum += json_integer_value(json_object_get(topic, counts[n]));
            if (!sum) continue;
            table_text(table, show_text(answer, "processor"));
            table_text(table, show_text(topic, "topic"));
            for (size_t n = 0; n < 4; n++) table_number(table, json_integer_value(json_object_get(topic, counts[n])));
        }
    }
    bool ok = table_print(table, FORMAT_TABLE, stdout) || error_set(error, "out of memory");
    table_free(table);
    return ok;
}

static bool print_differences(const json_t *answers, struct error *error) {
    static const struct table_column columns[] = {{"topic", false}, {"event", false}, {"document", false}, {"difference", false}, {"fields", false}, {"superseded master record", false}};
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    size_t i, k;
    json_t *answer, *difference;
    json_array_foreach(answers, i, answer) {
        json_array_foreach(json_object_get(answer, "differences"), k, difference) {
            json_t *fields = json_object_get(difference, "fields");
            char *text = json_object_size(fields) ? json_dumps(fields, JSON_COMPACT) : NULL;
            table_text(table, show_text(difference, "topic"));
            table_text(table, show_text(difference, "event"));
            table_text(table, show_text(difference, "document"));
            table_text(table, show_text(difference, "difference"));
            table_text(table, text ? text : "");
            table_text(table, *show_text(difference, "superseded") ? show_text(difference, "superseded") : "none found");
            free(text);
        }
    }
    bool ok = !table_rows(table) || (putchar('\n') != EOF && table_print(table, FORMAT_TABLE, stdout)) || error_set(error, "out of memory");
    table_free(table);
    return ok;
}

static void tell_undecided(const json_t *answers) {
    size_t i;
    json_t *answer;
    char count[AMOUNT_TEXT_SIZE];
    json_array_foreach(answers, i, answer) {
        const json_int_t undecided = json_integer_value(json_object_get(answer, "undecided"));
        if (undecided) fprintf(stderr, "kontor: kontor-%s has not decided %s events of the range yet: they are not compared\n", show_text(answer, "processor"), count_text(undecided, count));
    }
}

static bool print_comparison(const struct replaying *replaying, struct error *error) {
    if (replaying->invocation->format == FORMAT_JSON) {
        if (json_dumpf(replaying->answers, stdout, JSON_INDENT(2)) || putchar('\n') == EOF) return error_set(error, "out of memory");
    } else if (!print_topics(replaying->answers, error) || !print_differences(replaying->answers, error)) return false;
    fflush(stdout);
    tell_undecided(replaying->answers);
    if (!replaying->differences) return true;
    if (!replaying->unexplained) return error_set(error, "%zu records differ, each for a master record that has been superseded", replaying->differences);
    return error_set(error, "%zu records differ, %zu of them for no superseded master record that could be found: events that came in another order, state that was there then, or "
                            "another version of the processor", replaying->differences, replaying->unexplained);
}

/* ---- into topics of their own ---- */

static bool divert_event(void *context, struct slice origin, int64_t event_time_ms, struct error *error) {
    struct replaying *replaying = context;
    return compare_event(replaying->compare, origin, event_time_ms, error);
}

static bool divert_output(void *context, const struct engine_output *output, int64_t event_time_ms, struct error *error) {
    struct replaying *replaying = context;
    bool in_range;
    return compare_in_range(replaying->compare, output, event_time_ms, &in_range, error) && (!in_range || divert_send(replaying->divert, output, error));
}

static bool divert_one(struct replaying *replaying, const struct processor *processor, struct error *error) {
    const struct invocation *invocation = replaying->invocation;
    struct engine_counts counts;
    const char *topics[DIVERTED];
    size_t count = 0, i;
    json_t *topic;
    if (!compare_open(&replaying->compare, &replaying->connection, processor, option_number(invocation, "from", INT64_MIN), option_number(invocation, "to", INT64_MAX), error)) return false;
    json_t *answer = compare_json(replaying->compare, 0);
    json_array_foreach(json_object_get(answer, "topics"), i, topic)
        if (count < DIVERTED) topics[count++] = show_text(topic, "topic");
    const struct replay_options options = {.connection = &replaying->connection, .processor = processor, .tables = tables_wanted(invocation), .event = divert_event, .output = divert_output,
                                           .context = replaying};
    bool ok = (answer && divert_open(&replaying->divert, &replaying->connection, option_text(invocation, "to-prefix", ""), topics, count, error) && replay_run(&options, &counts, error) &&
               divert_end(replaying->divert, error));
    for (size_t k = 0; ok && k < count; k++)
        json_array_append_new(replaying->answers, json_pack("{s:s, s:s+, s:I}", "processor", processor->name, "topic", option_text(invocation, "to-prefix", ""), topics[k], "records",
                                                            (json_int_t)divert_count(replaying->divert, topics[k])));
    divert_close(replaying->divert);
    compare_close(replaying->compare);
    replaying->divert = NULL;
    replaying->compare = NULL;
    json_decref(answer);
    return ok;
}

static bool print_diverted(const struct replaying *replaying, struct error *error) {
    static const struct table_column columns[] = {{"processor", false}, {"topic", false}, {"records", true}};
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    size_t i;
    json_t *answer;
    json_array_foreach(replaying->answers, i, answer) {
        table_text(table, show_text(answer, "processor"));
        table_text(table, show_text(answer, "topic"));
        table_number(table, json_integer_value(json_object_get(answer, "records")));
    }
    bool ok = table_print(table, replaying->invocation->format, stdout) || error_set(error, "out of memory");
    table_free(table);
    return ok;
}

/* ---- the command ---- */

static bool check(const struct invocation *invocation, struct error *error) {
    static const char *const tables[] = {"then", "now", NULL};
    const char *wanted = option_text(invocation, "tables", "then"), *processor = option_text(invocation, "processor", NULL), *names[64];
    if (strcmp(wanted, "then") != 0 && strcmp(wanted, "now") != 0) return error_set(error, "--tables %s: expected %s or %s", wanted, tables[0], tables[1]);
    if (option_given(invocation, "dry-run") == option_given(invocation, "to-prefix"))
        return error_set(error, "where to? --dry-run compares with what the topics hold, --to-prefix PREFIX writes to topics of its own; the topics themselves are never written again");
    if (option_given(invocation, "to-prefix") && !*option_text(invocation, "to-prefix", "")) return error_set(error, "--to-prefix: an empty prefix would be the topics themselves");
    if (!processor) return true;
    if (processor_named(slice_of(processor))) return true;
    for (size_t i = 0; i < known_processor_count; i++) names[i] = known_processors[i]->name;
    names[known_processor_count] = NULL;
    const char *nearest = nearest_word(processor, names);
    return error_set(error, "there is no processor %s%s%s", processor, nearest ? "; did you mean " : "; there are procurement, invoice and so on, without kontor-", nearest ? nearest : "");
}

static enum exit_status replay_run_command(const struct invocation *invocation) {
    struct error error = {"out of memory"};
    struct replaying replaying = {.invocation = invocation};
    const bool dry = option_given(invocation, "dry-run");
    const char *wanted = option_text(invocation, "processor", NULL);
    if (!check(invocation, &error)) {
        (void)command_failed(&error);
        return EXIT_USAGE;
    }
    replaying.answers = json_array();
    bool ok = replaying.answers && connection_open(&replaying.connection, invocation, &error);
    for (size_t i = 0; ok && i < known_processor_count; i++) {
        if (wanted ? strcmp(wanted, known_processors[i]->name) != 0 : !processor_posts(known_processors[i])) continue;
        ok = dry ? compare_one(&replaying, known_processors[i], &error) : divert_one(&replaying, known_processors[i], &error);
        if (!ok) error_prefix(&error, "%s", known_processors[i]->name);
    }
    ok = ok && (dry ? print_comparison(&replaying, &error) : print_diverted(&replaying, &error));
    json_decref(replaying.answers);
    connection_close(&replaying.connection);
    return ok ? EXIT_DONE : command_failed(&error);
}

static const struct option options[] = {
    {"from", OPTION_TIME, "TIME", "events of this time or later; without it all"},
    {"to", OPTION_TIME, "TIME", "events before this time"},
    {"processor", OPTION_TEXT, "NAME", "of this processor alone, for example invoice; without it of all that post by rules what sources send"},
    {"dry-run", OPTION_FLAG, NULL, "compare with what the topics hold, byte for byte; nothing is written"},
    {"to-prefix", OPTION_TEXT, "PREFIX", "write the outputs to topics PREFIX<topic>, which are made and must be empty"},
    {"tables", OPTION_TEXT, "WHEN", "then: master data as they were when each event was decided; now: as they are; then"},
    {"limit", OPTION_NUMBER, "N", "tell N differences of a processor at most; 100 in a table"},
    {NULL, OPTION_FLAG, NULL, NULL},
};

const struct command replay_command = {
    .name = "replay",
    .summary = "decides past events once more: the same bytes, or why not; or into other topics",
    .usage = "--from TIME --to TIME --dry-run | --to-prefix PREFIX",
    .description = "The processors' own code decides all events from the beginning of the topics, away from the running ones, so that the state is\n"
                   "what it was; told, or written, is what comes of those of the time range. Each event is decided with the master records\n"
                   "that there were when it was decided first (master.log keeps every version that kontor has loaded), and people's\n"
                   "decisions and the ticks of the broker's time come in their turn.\n\n"
                   "With --dry-run each output is looked for among what the topics hold. A difference is told with its fields and with the\n"
                   "master record that was used then and has been superseded since (table, key, offset). Exit status 1: something differs.\n"
                   "--tables now shows what today's master data would have made of the past. It needs the processors' tables.source (--config or\n"
                   "KONTOR_TABLES_SOURCE).",
    .default_format = "table",
    .options = options,
    .example = "  kontor replay --from 2026-03-01 --to 2026-04-01 --processor invoice --dry-run\n"
               "  kontor replay --from 2026-03-01 --to-prefix rebuild-1.",
    .run = replay_run_command,
};
