/* kontor dlq replay: dead letters sent to their topics again, in the order in which they died. */
#include "cli/dlq_replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/transactions.h"
#include "cli/trial.h"
#include "common/platform/clock.h"

enum { BATCH_MEMORY = 1 << 30 };

/* ---- which ---- */

static const struct dlq_index *sorted;
static int compare_places(const struct dead *x, struct slice topic, int32_t partition, int64_t offset) {
    int order = slice_compare(dead_string(sorted, x->topic), topic);
    if (order) return order;
    if (x->partition != partition) return x->partition < partition ? -1 : 1;
    return x->offset == offset ? 0 : x->offset < offset ? -1 : 1;
}
static int by_place(const void *a, const void *b) {
    const struct dead *y = &sorted->entries[*(const uint64_t *)b];
    return compare_places(&sorted->entries[*(const uint64_t *)a], dead_string(sorted, y->topic), y->partition, y->offset);
}

/* All that the filter names are looked at, whatever their state, so that what is left alone can be told. */
bool dlq_choose(struct dlq_replaying *replaying, struct error *error) {
    const struct dlq_index *index = &replaying->index;
    struct dlq_filter every = replaying->filter;
    every.state = SLICE("all");
    free(replaying->chosen);
    replaying->chosen = malloc((index->count + 1) * sizeof *replaying->chosen);
    replaying->chosen_count = replaying->loops = replaying->already = replaying->gone = 0;
    if (!replaying->chosen) return error_set(error, "out of memory");
    for (uint64_t i = 0; i < index->count; i++) {
        if (!dlq_passes(index, &every, &index->entries[i])) continue;
        switch (dead_state(index, &replaying->filter, &index->entries[i])) {
        case DEAD_CAME_BACK: replaying->already++; break;
        case DEAD_GONE: replaying->gone++; break;
        case DEAD_LOOPS: replaying->loops++; break;
        case DEAD_OPEN: replaying->chosen[replaying->chosen_count++] = i;
        }
    }
    sorted = index;
    if (replaying->chosen_count) qsort(replaying->chosen, replaying->chosen_count, sizeof *replaying->chosen, by_place);
    if ((int64_t)replaying->chosen_count > replaying->filter.limit) replaying->chosen_count = (uint64_t)replaying->filter.limit;
    return true;
}

const struct dead *dlq_chosen(const struct dlq_replaying *replaying, const struct kafka_record *record) {
    uint64_t from = 0, to = replaying->chosen_count;
    while (from < to) {
        uint64_t middle = (from + to) / 2;
        const struct dead *dead = &replaying->index.entries[replaying->chosen[middle]];
        int order = compare_places(dead, slice_of(record->topic), record->partition, record->offset);
        if (!order) return dead;
        if (order < 0) from = middle + 1;
        else to = middle;
    }
    return NULL;
}

/* Reading begins in each partition at the first that is chosen, and not at all where none is. */
static int64_t resume(void *context, size_t topic, int32_t partition, int64_t begin, int64_t end) {
    const struct dlq_replaying *replaying = context;
    uint64_t from = 0, to = replaying->chosen_count;
    (void)begin;
    while (from < to) {
        uint64_t middle = (from + to) / 2;
        if (compare_places(&replaying->index.entries[replaying->chosen[middle]], slice_of(replaying->scan.topics[topic]), partition, INT64_MIN) < 0) from = middle + 1;
        else to = middle;
    }
    const struct dead *first = from < replaying->chosen_count ? &replaying->index.entries[replaying->chosen[from]] : NULL;
    return first && first->partition == partition && slice_equal(dead_string(&replaying->index, first->topic), slice_of(replaying->scan.topics[topic])) ? first->offset : end;
}

bool dlq_read_chosen(struct dlq_replaying *replaying, enum scan_step (*visit)(void *, const struct kafka_record *, struct error *), struct error *error) {
    replaying->scan = (struct scan){.connection = &replaying->connection, .partition = SCAN_ALL_PARTITIONS, .from_offset = SCAN_FROM_BEGINNING, .visit = visit, .resume = resume,
                                    .context = replaying};
    for (size_t i = 0; i < replaying->names.count; i++) replaying->scan.topics[replaying->scan.topic_count++] = replaying->names.names[i];
    sorted = &replaying->index;
    return scan_run(&replaying->scan, error);
}

/* ---- the command ---- */

static bool agreed(const struct dlq_replaying *replaying, struct error *error) {
    char answer[8] = "", count[AMOUNT_TEXT_SIZE];
    if (replaying->filter.id_count || replaying->chosen_count <= 1 || option_given(replaying->invocation, "yes")) return true;
    count_text((int64_t)replaying->chosen_count, count);
    if (!isatty(STDIN_FILENO)) return error_set(error, "%s dead letters would be sent again and none was: say --yes to send them, --dry-run to see what would become of each", count);
    fprintf(stderr, "Send %s dead letters again? [y/N] ", count);
    return (fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y')) || error_set(error, "none was sent");
}

static bool ids_known(const struct dlq_replaying *replaying, struct error *error) {
    for (size_t i = 0; i < replaying->filter.id_count; i++) {
        const char *id = replaying->filter.ids[i], *slash = strchr(id, '/');
        int64_t offset = 0;
        const int32_t partition = origin_partition(slice_of(id), &offset);
        if (partition < 0 || !dlq_index_find(&replaying->index, (struct slice){id, slash ? (size_t)(slash - id) : 0}, partition, offset))
            return error_set(error, "there is no dead letter %s; kontor dlq list shows what is", id);
    }
    return true;
}

static bool print_result(const struct dlq_replaying *replaying, struct error *error) {
    static const struct table_column columns[] = {{"replayed", true}, {"replayed before", true}, {"left as REPLAY_LOOP", true}, {"gone from the topic", true}, {"milliseconds", true}};
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    table_number(table, (int64_t)replaying->sent);
    table_number(table, (int64_t)replaying->already);
    table_number(table, (int64_t)replaying->loops);
    table_number(table, (int64_t)replaying->gone);
    table_number(table, replaying->started_ms ? clock_monotonic_ms() - replaying->started_ms : 0);
    bool ok = table_print(table, replaying->invocation->format, stdout) || error_set(error, "out of memory");
    table_free(table);
    return ok;
}

static bool replay(struct dlq_replaying *replaying, struct error *error) {
    const bool dry = option_given(replaying->invocation, "dry-run");
    if (!connection_open(&replaying->connection, replaying->invocation, error) || !dlq_open(&replaying->index, &replaying->connection, replaying->invocation, error) ||
        !connection_topics(&replaying->connection, "dlq.", &replaying->names, error) || !ids_known(replaying, error) || !dlq_choose(replaying, error)) return false;
    if (dry) return dlq_try_all(replaying, error);
    if (!agreed(replaying, error)) return false;
    if (replaying->chosen_count && !dlq_send_all(replaying, error)) return false;
    return print_result(replaying, error);
}

enum exit_status dlq_replay(const struct invocation *invocation) {
    struct error error;
    struct dlq_replaying *replaying = calloc(1, sizeof *replaying);
    if (!replaying) return EXIT_FAILED;
    replaying->invocation = invocation;
    replaying->user = option_text(invocation, "user", "");
    replaying->role = option_text(invocation, "role", "");
    replaying->why = option_text(invocation, "reason", "");
    const bool dry = option_given(invocation, "dry-run");
    bool ok = dlq_filter_read(&replaying->filter, invocation, "open", &error);
    if (ok && !dry && !*replaying->user) ok = error_set(&error, "--user is missing: who does it");
    if (ok && !dry && !*replaying->why) ok = error_set(&error, "--reason is missing: why, in your words");
    if (ok && !replaying->filter.id_count && !dlq_filter_asks(&replaying->filter) && !option_given(invocation, "all"))
        ok = error_set(&error, "which? Give IDs as kontor dlq list prints them, a filter such as --code, or --all");
    if (!ok) {
        (void)command_failed(&error);
        free(replaying);
        return EXIT_USAGE;
    }
    arena_init(&replaying->batch, 1 << 20, BATCH_MEMORY);
    ok = replay(replaying, &error);
    transactions_close(replaying->transactions);
    dlq_index_close(&replaying->index);
    topic_names_free(&replaying->names);
    for (size_t i = 0; i < replaying->origin_count; i++) free(replaying->origins[i]);
    buffer_free(&replaying->scratch);
    arena_free(&replaying->batch);
    free(replaying->chosen);
    connection_close(&replaying->connection);
    free(replaying);
    return ok ? EXIT_DONE : command_failed(&error);
}
