/* kontor offsets: how far processors have come in their inputs, and setting that anew while they stand still. */
#include "cli/offsets.h"

#include <string.h>

#include "cli/group.h"
#include "cli/table.h"

/* ---- show ---- */

static void add_rows(struct text_table *table, const struct group *group) {
    for (int i = 0; i < group->places->cnt; i++) {
        const rd_kafka_topic_partition_t *place = &group->places->elems[i];
        const int64_t from = place->offset >= 0 ? place->offset : group->begins[i];
        table_text(table, group->name);
        table_text(table, place->topic);
        table_number(table, place->partition);
        if (place->offset >= 0) table_number(table, place->offset);
        else table_text(table, NULL);
        table_number(table, group->ends[i]);
        table_number(table, group->ends[i] > from ? group->ends[i] - from : 0);
        const char *holder = group_holder(group, place->topic, place->partition);
        table_text(table, *holder ? holder : NULL);
    }
}

static bool show_one(struct text_table *table, const struct connection *connection, const char *processor, bool quiet, struct error *error) {
    struct group group;
    if (!group_read(&group, connection, processor, error)) return false;
    bool any = !quiet || group.member_count;
    for (int i = 0; i < group.places->cnt; i++) any |= group.places->elems[i].offset >= 0;
    if (any) add_rows(table, &group);
    group_free(&group);
    return true;
}

static enum exit_status show_run(const struct invocation *invocation) {
    static const struct table_column columns[] = {{"group", false}, {"topic", false}, {"partition", true}, {"committed", true}, {"end", true}, {"lag", true}, {"held by", false}};
    struct connection connection = {0};
    struct topic_names names = {.count = 0};
    struct error error;
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    bool ok = connection_open(&connection, invocation, &error);
    if (ok && invocation->word_count > 1) ok = show_one(table, &connection, invocation->words[1], false, &error);
    else if (ok) {
        ok = group_names(&connection, &names, &error);
        for (size_t i = 0; ok && i < names.count; i++) ok = show_one(table, &connection, names.names[i], true, &error);
    }
    ok = ok && (table_print(table, invocation->format, stdout) || error_set(&error, "out of memory"));
    topic_names_free(&names);
    table_free(table);
    connection_close(&connection);
    return ok ? EXIT_DONE : command_failed(&error);
}

/* ---- the command ---- */

static enum exit_status offsets_run(const struct invocation *invocation) {
    if (strcmp(invocation->words[0], "reset") == 0) return offsets_reset(invocation);
    if (invocation->word_count < 3) return show_run(invocation);
    const struct error error = {"one word too many: kontor offsets show [PROCESSOR]"};
    (void)command_failed(&error);
    return EXIT_USAGE;
}

static const char *const words[] = {"show", "reset", NULL};
static const struct option options[] = {
    {"to", OPTION_TEXT, "WHERE", "reset: beginning, end, time (with a time behind it) or offsets (with a file)"},
    {"topic", OPTION_TEXT, "TOPIC", "reset: this topic of the group only, which may be its resolutions or timers"},
    {"everything", OPTION_FLAG, NULL, "reset: resolutions and timers too, not only the declared inputs"},
    {"skip", OPTION_FLAG, NULL, "reset: also forward, over events that are then never decided"},
    {"yes", OPTION_FLAG, NULL, "reset: does it; without, only what would be done is shown"},
    {NULL, OPTION_FLAG, NULL, NULL},
};

const struct command offsets_command = {
    .name = "offsets",
    .summary = "how far processors have come in their inputs; sets that anew while they stand still",
    .usage = "show [PROCESSOR] | reset PROCESSOR --to beginning|end|time T|offsets FILE",
    .description = "show: every input of every processor (or of one) with what its group has committed, the log's end, the lag and the instance that holds\n"
                   "the partition. reset shows where the group would go on, and with --yes sets it, for all partitions at once; it is refused while the\n"
                   "group has members. FILE is what kontor offsets show PROCESSOR --format json printed.\n\n"
                   "The state is not touched: it still knows what was seen. An event that was accepted within the last 35 days of event time\n"
                   "(state.keep.event.ids) is a duplicate when it is taken again, and has no second effect. What was rejected is decided anew, what\n"
                   "waits is put behind itself, what was unreadable is dead once more. docs/operations.md has the whole procedure, also with a new\n"
                   "generation of the state (kontor state drop), after which everything is sent again.",
    .words = words,
    .words_minimum = 1,
    .words_maximum = 3,
    .default_format = "table",
    .options = options,
    .example = "  kontor offsets show invoice\n"
               "  kontor offsets show invoice --format json > before.json\n"
               "  kontor offsets reset invoice --to time 2026-03-01T00:00:00Z\n"
               "  kontor offsets reset invoice --to time 2026-03-01T00:00:00Z --yes\n"
               "  kontor offsets reset invoice --to offsets before.json --skip --yes",
    .run = offsets_run,
};
