/* kontor dlq: what could not be read or trusted, and sending it again. */
#include "cli/dlq.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/platform/clock.h"
#include "common/platform/nearest.h"
#include "schemas/reasons.h"

const char *const dead_state_names[] = {"open", "replayed", "loop", "gone"};

/* ---- the filter ---- */

static struct slice text_option(const struct invocation *invocation, const char *name) { return slice_of(option_text(invocation, name, "")); }

static const char *next_code(void *context) {
    int *at = context;
    return *at < REASON_COUNT ? reasons[(*at)++].code : NULL;
}

static bool reason_known(struct slice code, struct error *error) {
    int at = 0;
    for (int i = 0; code.length && i < REASON_COUNT; i++)
        if (slice_equal(code, slice_of(reasons[i].code))) return true;
    if (!code.length) return true;
    const char *nearest = nearest_name(code.data, next_code, &at);
    return nearest ? error_set(error, "there is no reason %s; did you mean %s?", code.data, nearest) : error_set(error, "there is no reason %s; docs/reasons.md lists them", code.data);
}

bool dlq_filter_read(struct dlq_filter *filter, const struct invocation *invocation, const char *state, struct error *error) {
    static const char *const states[] = {"open", "replayed", "loop", "gone", "all", NULL};
    *filter = (struct dlq_filter){.topic = text_option(invocation, "topic"), .reason = text_option(invocation, "code"), .entity = text_option(invocation, "entity"),
                                  .source = text_option(invocation, "source"), .key = text_option(invocation, "key"), .text = text_option(invocation, "text"),
                                  .state = slice_of(option_text(invocation, "state", state)), .older_ms = option_number(invocation, "older", 0),
                                  .newer_ms = option_number(invocation, "newer", 0), .attempts = option_number(invocation, "replays", 0),
                                  .limit = option_number(invocation, "limit", INT64_MAX), .repeats = option_number(invocation, "attempts", DLQ_REPEATS),
                                  .ids = invocation->words + 1, .id_count = invocation->word_count - 1, .now_ms = clock_wall_ms()};
    if (strcmp(invocation->words[0], "list") == 0 && option_given(invocation, "reason")) filter->reason = text_option(invocation, "reason");
    if (filter->topic.length > 4 && memcmp(filter->topic.data, "dlq.", 4) == 0) filter->topic = (struct slice){filter->topic.data + 4, filter->topic.length - 4};
    for (size_t i = 0; states[i]; i++)
        if (slice_equal(filter->state, slice_of(states[i]))) return reason_known(filter->reason, error);
    const char *nearest = nearest_word(filter->state.data, states);
    return error_set(error, "--state %s: expected open, replayed, loop, gone or all%s%s", filter->state.data, nearest ? "; did you mean " : "", nearest ? nearest : "");
}

bool dlq_filter_asks(const struct dlq_filter *filter) {
    return filter->topic.length || filter->reason.length || filter->entity.length || filter->source.length || filter->key.length || filter->text.length || filter->older_ms ||
           filter->newer_ms || filter->attempts;
}

enum dead_state dead_state(const struct dlq_index *index, const struct dlq_filter *filter, const struct dead *dead) {
    if (dead->flags & DEAD_REPLAYED) return DEAD_CAME_BACK;
    if (!dead_is_there(index, dead)) return DEAD_GONE;
    return dead->repeats >= filter->repeats ? DEAD_LOOPS : DEAD_OPEN;
}

static bool is(const struct dlq_index *index, struct slice wanted, uint32_t string) { return !wanted.length || slice_equal(wanted, dead_string(index, string)); }

static bool holds(struct slice text, struct slice part) { return !part.length || (text.length && memmem(text.data, text.length, part.data, part.length)); }

static bool is_named(const struct dlq_index *index, const struct dlq_filter *filter, const struct dead *dead) {
    char name[DEAD_NAME_SIZE];
    if (!filter->id_count) return true;
    dead_name(index, dead, name);
    for (size_t i = 0; i < filter->id_count; i++)
        if (strcmp(filter->ids[i], name) == 0) return true;
    return false;
}

bool dlq_passes(const struct dlq_index *index, const struct dlq_filter *filter, const struct dead *dead) {
    const int64_t age_ms = filter->now_ms - dead->time_ms;
    return is(index, filter->reason, dead->reason) && is(index, filter->entity, dead->entity) && is(index, filter->topic, dead->origin_topic) && is(index, filter->source, dead->source) &&
           is(index, filter->key, dead->key) && dead->replays >= filter->attempts && (!filter->older_ms || age_ms >= filter->older_ms) && (!filter->newer_ms || age_ms < filter->newer_ms) &&
           holds(dead_string(index, dead->text), filter->text) && is_named(index, filter, dead) &&
           (slice_equal(filter->state, SLICE("all")) || slice_equal(filter->state, slice_of(dead_state_names[dead_state(index, filter, dead)])));
}

bool dlq_open(struct dlq_index *index, const struct connection *connection, const struct invocation *invocation, struct error *error) {
    uint64_t read;
    return dlq_index_open(index, connection, option_text(invocation, "index", NULL), error) && dlq_index_update(index, connection, &read, error);
}

/* ---- list ---- */

static const struct dlq_index *sorted;
static int newest_first(const void *a, const void *b) {
    const struct dead *x = &sorted->entries[*(const uint64_t *)a], *y = &sorted->entries[*(const uint64_t *)b];
    if (x->time_ms != y->time_ms) return x->time_ms < y->time_ms ? 1 : -1;
    return x->offset == y->offset ? 0 : x->offset < y->offset ? 1 : -1;
}

static void add_row(struct text_table *table, const struct dlq_index *index, const struct dlq_filter *filter, const struct dead *dead, enum output_format format) {
    char name[DEAD_NAME_SIZE], time[TIME_TEXT_SIZE];
    const enum dead_state state = dead_state(index, filter, dead);
    table_text(table, dead_name(index, dead, name));
    table_text(table, format == FORMAT_JSON ? time_text(dead->time_ms, time) : age_text(filter->now_ms - dead->time_ms, time));
    table_text(table, state == DEAD_LOOPS ? "REPLAY_LOOP" : dead_state_names[state]);
    table_slice(table, dead_string(index, dead->reason));
    table_slice(table, dead_string(index, dead->entity));
    table_slice(table, dead_string(index, dead->source));
    table_slice(table, dead_string(index, dead->key));
    table_number(table, dead->replays);
    table_slice(table, dead_string(index, dead->text));
}

static bool print_list(const struct dlq_index *index, const struct dlq_filter *filter, const struct invocation *invocation, struct error *error) {
    static const struct table_column people[] = {{"id", false}, {"age", false}, {"state", false}, {"reason", false}, {"entity", false}, {"source", false}, {"key", false}, {"replays", true}, {"text", false}};
    static const struct table_column json[] = {{"id", false}, {"time", false}, {"state", false}, {"reason", false}, {"entity", false}, {"source", false}, {"key", false}, {"replays", true}, {"text", false}};
    const uint64_t limit = (uint64_t)option_number(invocation, "limit", invocation->format == FORMAT_JSON ? INT64_MAX : 100);
    uint64_t *found = malloc((index->count + 1) * sizeof *found), count = 0;
    struct text_table *table = table_new(invocation->format == FORMAT_JSON ? json : people, sizeof people / sizeof *people);
    for (uint64_t i = 0; found && i < index->count; i++)
        if (dlq_passes(index, filter, &index->entries[i])) found[count++] = i;
    sorted = index;
    if (found && count) qsort(found, count, sizeof *found, newest_first);
    for (uint64_t i = 0; found && i < count && i < limit; i++) add_row(table, index, filter, &index->entries[found[i]], invocation->format);
    bool ok = (found && table_print(table, invocation->format, stdout)) || error_set(error, "out of memory");
    table_free(table);
    free(found);
    fflush(stdout);
    char text[AMOUNT_TEXT_SIZE];
    if (ok && count > limit) fprintf(stderr, "kontor: %s are there; --limit shows more, --code, --entity and the like fewer\n", count_text((int64_t)count, text));
    return ok;
}

static enum exit_status list_run(const struct invocation *invocation) {
    struct connection connection = {0};
    struct dlq_index index = {.lock = -1, .entries_file = -1, .strings_file = -1};
    struct dlq_filter filter;
    struct error error;
    if (!dlq_filter_read(&filter, invocation, "all", &error)) {
        (void)command_failed(&error);
        return EXIT_USAGE;
    }
    bool ok = connection_open(&connection, invocation, &error) && dlq_open(&index, &connection, invocation, &error) && print_list(&index, &filter, invocation, &error);
    dlq_index_close(&index);
    connection_close(&connection);
    return ok ? EXIT_DONE : command_failed(&error);
}

/* ---- the command ---- */

static enum exit_status dlq_run(const struct invocation *invocation) {
    if (strcmp(invocation->words[0], "list") == 0) return list_run(invocation);
    return strcmp(invocation->words[0], "show") == 0 ? dlq_show(invocation) : dlq_replay(invocation);
}

static const char *const words[] = {"list", "show", "replay", NULL};
static const struct option options[] = {
    {"topic", OPTION_TEXT, "TOPIC", "that came from this topic, for example invoice.events"},
    {"code", OPTION_TEXT, "CODE", "with this reason code"},
    {"entity", OPTION_TEXT, "ENTITY", "of this legal entity"},
    {"source", OPTION_TEXT, "SOURCE", "of this source, where the record says one"},
    {"key", OPTION_TEXT, "KEY", "with this key"},
    {"text", OPTION_TEXT, "PART", "whose text holds this"},
    {"older", OPTION_AGE, "AGE", "dead for this long or longer: 90s, 30m, 12h, 3d or 2w"},
    {"newer", OPTION_AGE, "AGE", "for less than that"},
    {"replays", OPTION_NUMBER, "N", "that have come back N times or more"},
    {"state", OPTION_TEXT, "STATE", "open, replayed, loop, gone (deleted from the topic) or all"},
    {"limit", OPTION_NUMBER, "N", "N at most"},
    {"index", OPTION_TEXT, "DIR", "where the index is kept; $XDG_CACHE_HOME/kontor/dlq"},
    {"all", OPTION_FLAG, NULL, "replay all that are open, without a filter"},
    {"user", OPTION_TEXT, "NAME", "replay: who does it"},
    {"role", OPTION_TEXT, "ROLE", "replay: in which role"},
    {"reason", OPTION_TEXT, "TEXT", "replay: why, in your words; list: the same as --code"},
    {"attempts", OPTION_NUMBER, "N", "leave alone what has come back and died for the same reason N times; 3"},
    {"rate", OPTION_NUMBER, "N", "at most N records a second"},
    {"dry-run", OPTION_FLAG, NULL, "replay: shows what would become of each by today's master data, and sends nothing"},
    {"yes", OPTION_FLAG, NULL, "replay more than one without asking"},
    {NULL, OPTION_FLAG, NULL, NULL},
};

const struct command dlq_command = {
    .name = "dlq",
    .summary = "dead letters: lists them, shows one, sends them again",
    .usage = "list | show ID | replay ID...",
    .description = "A dead letter is a record that could not be read or trusted, with its key, value and headers as they came. Its ID is its\n"
                   "place, <dead-letter topic>/<partition>/<offset>. The first call makes an index of the topics on this machine, later ones\n"
                   "bring it forward.\n\n"
                   "replay sends it to its topic again, under its key, in the order in which they died, and writes to the topic audit in the same\n"
                   "transaction: a run that was interrupted goes on where it was, and nothing is sent twice. One that is dead again is a new dead\n"
                   "letter that names the old one; what comes back for the same reason again and again is left alone (REPLAY_LOOP). An event\n"
                   "that was accepted meanwhile is a duplicate, and has no second effect.",
    .words = words,
    .words_minimum = 1,
    .words_maximum = WORDS_MAXIMUM,
    .default_format = "table",
    .options = options,
    .example = "  kontor dlq list --code SOURCE_NOT_AUTHORISED --entity 1000 --newer 1d\n"
               "  kontor dlq show dlq.invoice.events/3/17\n"
               "  kontor dlq replay --code SOURCE_NOT_AUTHORISED --dry-run\n"
               "  kontor dlq replay --code SOURCE_NOT_AUTHORISED --user olga --reason 'permission added' --yes --rate 5000",
    .run = dlq_run,
};
