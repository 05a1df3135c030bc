#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/group.h"
#include "cli/offsets.h"
#include "cli/table.h"
#include "common/platform/file.h"

enum { FILE_MAXIMUM = 64 << 20 };

struct reset {
    const struct invocation *invocation;
    struct connection connection;
    struct group group;
    int64_t *goals;             /* of group.places, in their order; -1: stays as it is */
    int64_t time_ms;
    json_t *file;
    int64_t back, forward, moved;
};

static bool is_chosen(const struct reset *reset, const char *topic) {
    const char *only = option_text(reset->invocation, "topic", NULL);
    if (only) return strcmp(topic, only) == 0;
    return option_given(reset->invocation, "everything") || group_is_input(&reset->group, topic);
}

/* ---- where to ---- */

static int64_t number_of(const json_t *row, const char *name) {
    const json_t *number = json_object_get(row, name);
    return json_is_integer(number) ? json_integer_value(number) : -1;
}

static bool goals_by_file(struct reset *reset, struct error *error) {
    size_t i;
    json_t *row;
    const struct group *group = &reset->group;
    const char *path = reset->invocation->words[2];
    int taken = 0;
    json_array_foreach(reset->file, i, row) {
        const char *topic = json_string_value(json_object_get(row, "topic"));
        const int64_t partition = number_of(row, "partition"), committed = number_of(row, "committed");
        if (!topic || partition < 0) return error_set(error, "%s: row %zu has no topic or partition", path, i + 1);
        int at = 0;
        while (at < group->places->cnt && (strcmp(group->places->elems[at].topic, topic) != 0 || group->places->elems[at].partition != partition)) at++;
        if (at == group->places->cnt) return error_set(error, "%s: row %zu: group %s has no %s/%" PRId64, path, i + 1, group->name, topic, partition);
        if (committed < 0 || !is_chosen(reset, topic)) continue;
        if (committed < group->begins[at] || committed > group->ends[at])
            return error_set(error, "%s: row %zu: %s/%" PRId64 " has the offsets %" PRId64 " to %" PRId64 ", not %" PRId64, path, i + 1, topic, partition,
                             group->begins[at], group->ends[at], committed);
        reset->goals[at] = committed;
        taken++;
    }
    return taken || error_set(error, "%s has no committed offset of a topic that is to be reset", path);
}

static bool goals_by_time(struct reset *reset, struct error *error) {
    struct client_events events = {.role = "admin"};
    rd_kafka_t *client;
    const struct group *group = &reset->group;
    if (!connection_client(&reset->connection, RD_KAFKA_PRODUCER, NULL, NULL, &events, NULL, &events, &client, error)) return false;
    rd_kafka_topic_partition_list_t *asked = rd_kafka_topic_partition_list_copy(group->places);
    for (int i = 0; i < asked->cnt; i++) asked->elems[i].offset = reset->time_ms;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(client, asked, KAFKA_TIMEOUT_MS);
    for (int i = 0; !code && i < asked->cnt; i++) code = asked->elems[i].err;
    for (int i = 0; !code && i < group->places->cnt; i++) {
        const rd_kafka_topic_partition_t *found = rd_kafka_topic_partition_list_find(asked, group->places->elems[i].topic, group->places->elems[i].partition);
        if (is_chosen(reset, group->places->elems[i].topic)) reset->goals[i] = found && found->offset >= 0 ? found->offset : group->ends[i];   /* negative: nothing is that new */
    }
    rd_kafka_topic_partition_list_destroy(asked);
    rd_kafka_destroy(client);
    return !code || error_set(error, "the offsets of that time cannot be read: %s; try again, or look at the broker's log", rd_kafka_err2str(code));
}

static bool goals_find(struct reset *reset, struct error *error) {
    const struct group *group = &reset->group;
    const char *where = option_text(reset->invocation, "to", "");
    const bool to_beginning = strcmp(where, "beginning") == 0;
    reset->goals = malloc(((size_t)group->places->cnt + 1) * sizeof *reset->goals);
    if (!reset->goals) return error_set(error, "out of memory");
    int chosen = 0;
    for (int i = 0; i < group->places->cnt; i++) {
        const bool this = is_chosen(reset, group->places->elems[i].topic);
        reset->goals[i] = !this || reset->file || reset->time_ms ? -1 : to_beginning ? group->begins[i] : group->ends[i];
        chosen += this;
    }
    if (!chosen) return error_set(error, "group %s does not read %s; kontor offsets show %s lists its topics", group->name, option_text(reset->invocation, "topic", ""), group->processor);
    return reset->file ? goals_by_file(reset, error) : strcmp(where, "time") != 0 || goals_by_time(reset, error);
}

/* From where the group would go on by itself: the beginning, where it has committed nothing. */
static int64_t place_of(const struct group *group, int i) { return group->places->elems[i].offset >= 0 ? group->places->elems[i].offset : group->begins[i]; }

static void count_moves(struct reset *reset) {
    for (int i = 0; i < reset->group.places->cnt; i++) {
        if (reset->goals[i] < 0) continue;
        const int64_t by = reset->goals[i] - place_of(&reset->group, i);
        reset->moved += reset->goals[i] != reset->group.places->elems[i].offset;
        if (by < 0) reset->back -= by;
        else reset->forward += by;
    }
}

/* ---- saying and doing ---- */

static bool print_goals(const struct reset *reset, struct error *error) {
    static const struct table_column columns[] = {{"topic", false}, {"partition", true}, {"committed", true}, {"new", true}, {"moves", true}, {"end", true}};
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    for (int i = 0; i < reset->group.places->cnt; i++) {
        const rd_kafka_topic_partition_t *place = &reset->group.places->elems[i];
        if (reset->goals[i] < 0 || reset->goals[i] == place->offset) continue;
        table_text(table, place->topic);
        table_number(table, place->partition);
        if (place->offset >= 0) table_number(table, place->offset);
        else table_text(table, NULL);
        table_number(table, reset->goals[i]);
        table_number(table, reset->goals[i] - place_of(&reset->group, i));
        table_number(table, reset->group.ends[i]);
    }
    bool ok = table_print(table, reset->invocation->format, stdout) || error_set(error, "out of memory");
    table_free(table);
    fflush(stdout);
    return ok;
}

/* In one request, which the broker refuses when somebody has joined meanwhile. */
static bool send_goals(const struct reset *reset, struct error *error) {
    struct client_events events = {.role = "admin"};
    rd_kafka_t *client;
    const struct group *group = &reset->group;
    if (!connection_client(&reset->connection, RD_KAFKA_PRODUCER, NULL, NULL, &events, NULL, &events, &client, error)) return false;
    rd_kafka_topic_partition_list_t *goals = rd_kafka_topic_partition_list_new(group->places->cnt);
    for (int i = 0; i < group->places->cnt; i++)
        if (reset->goals[i] >= 0 && reset->goals[i] != group->places->elems[i].offset)
            rd_kafka_topic_partition_list_add(goals, group->places->elems[i].topic, group->places->elems[i].partition)->offset = reset->goals[i];
    rd_kafka_AlterConsumerGroupOffsets_t *wanted = rd_kafka_AlterConsumerGroupOffsets_new(group->name, goals);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_AlterConsumerGroupOffsets(client, &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, KAFKA_TIMEOUT_MS);
    bool ok = event && !rd_kafka_event_error(event);
    if (!ok) error_set(error, "the offsets of %s were perhaps not set: %s; kontor offsets show %s tells", group->name, event ? rd_kafka_event_error_string(event) : "no answer", group->processor);
    size_t count = 0;
    const rd_kafka_group_result_t **results = ok ? rd_kafka_AlterConsumerGroupOffsets_result_groups(rd_kafka_event_AlterConsumerGroupOffsets_result(event), &count) : NULL;
    const rd_kafka_error_t *why = count ? rd_kafka_group_result_error(results[0]) : NULL;
    const rd_kafka_topic_partition_list_t *set = count && !why ? rd_kafka_group_result_partitions(results[0]) : NULL;
    if (ok && why) ok = error_set(error, "the offsets of %s were not set: %s", group->name, rd_kafka_error_string(why));
    for (int i = 0; ok && set && i < set->cnt; i++)
        if (set->elems[i].err)
            ok = error_set(error, "the offset of %s/%d was not set: %s: has an instance been started meanwhile? The state of all others: kontor offsets show %s", set->elems[i].topic,
                           (int)set->elems[i].partition, rd_kafka_err2str(set->elems[i].err), group->processor);
    if (event) rd_kafka_event_destroy(event);
    rd_kafka_AlterConsumerGroupOffsets_destroy(wanted);
    rd_kafka_topic_partition_list_destroy(goals);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(client);
    return ok;
}

static bool work(struct reset *reset, struct error *error) {
    char back[AMOUNT_TEXT_SIZE], forward[AMOUNT_TEXT_SIZE];
    const char *processor = reset->invocation->words[1];
    const bool yes = option_given(reset->invocation, "yes");
    if (!connection_open(&reset->connection, reset->invocation, error) || !group_read(&reset->group, &reset->connection, processor, error) ||
        !group_is_empty(&reset->group, NULL, error) || !goals_find(reset, error)) return false;
    count_moves(reset);
    if (!print_goals(reset, error)) return false;
    if (reset->forward && !option_given(reset->invocation, "skip"))
        return error_set(error, "%s records lie between and would never be decided: nothing was changed; --skip passes over them", count_text(reset->forward, forward));
    if (!reset->moved) {
        fprintf(stderr, "kontor: the group is there already\n");
        return true;
    }
    if (yes && !send_goals(reset, error)) return false;
    fprintf(stderr, "kontor: %s records %s taken again, %s passed over%s\n", count_text(reset->back, back), yes ? "will be" : "would be", count_text(reset->forward, forward),
            yes ? "" : "; nothing was changed, --yes does it");
    if (reset->back)
        fprintf(stderr, "kontor: the state still knows what was accepted: of the last 35 days of event time (state.keep.event.ids) "
                        "each is a duplicate, without a second effect; see docs/operations.md\n");
    return true;
}

/* ---- what was typed ---- */

static bool read_file(struct reset *reset, const char *path, struct error *error) {
    struct buffer bytes = {0};
    json_error_t why;
    bool ok = file_read(path, FILE_MAXIMUM, &bytes, error);
    if (ok && !(reset->file = json_loadb(bytes.data, bytes.length, 0, &why)))
        ok = error_set(error, "%s is not JSON: line %d: %s; it must be what kontor offsets show --format json printed", path, why.line, why.text);
    if (ok && !json_is_array(reset->file)) ok = error_set(error, "%s is not a list: it must be what kontor offsets show --format json printed", path);
    buffer_free(&bytes);
    return ok;
}

static bool read_words(struct reset *reset, struct error *error) {
    const struct invocation *invocation = reset->invocation;
    const char *where = option_text(invocation, "to", NULL), *behind = invocation->word_count > 2 ? invocation->words[2] : NULL;
    if (invocation->word_count < 2) return error_set(error, "which processor? kontor offsets reset PROCESSOR --to beginning|end|time T|offsets FILE");
    if (!where) return error_set(error, "--to is missing: beginning, end, time T or offsets FILE");
    if (option_given(invocation, "topic") && option_given(invocation, "everything")) return error_set(error, "--topic and --everything: one of them");
    const bool time = strcmp(where, "time") == 0, file = strcmp(where, "offsets") == 0;
    if (!time && !file && strcmp(where, "beginning") != 0 && strcmp(where, "end") != 0) return error_set(error, "--to %s: expected beginning, end, time T or offsets FILE", where);
    if ((time || file) && !behind) return error_set(error, "--to %s needs %s behind it", where, time ? "a time such as 2018-01-31T10:00:00Z" : "a file");
    if (!time && !file && behind) return error_set(error, "%s is one word too many: --to %s stands alone", behind, where);
    if (time && (!time_parse(behind, &reset->time_ms) || reset->time_ms <= 0))
        return error_set(error, "--to time %s: expected a time such as 2018-01-31, 2018-01-31T10:00:00Z or milliseconds since 1970", behind);
    return !file || read_file(reset, behind, error);
}

enum exit_status offsets_reset(const struct invocation *invocation) {
    struct reset reset = {.invocation = invocation};
    struct error error;
    const bool asked_rightly = read_words(&reset, &error), ok = asked_rightly && work(&reset, &error);
    json_decref(reset.file);
    free(reset.goals);
    group_free(&reset.group);
    connection_close(&reset.connection);
    if (ok) return EXIT_DONE;
    (void)command_failed(&error);
    return asked_rightly ? EXIT_FAILED : EXIT_USAGE;
}
