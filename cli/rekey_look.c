#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cli/rekey.h"
#include "common/platform/clock.h"
#include "common/runtime/engine.h"

enum { SETTLE_MS = 90000, LED_MS = 30000, PAUSE_MS = 50 };

/* ---- clients ---- */

static bool clients_open(struct rekey *rekey, struct error *error) {
    static const struct client_property committed[] = {{"isolation.level", "read_committed"}, {"enable.auto.commit", "false"}, {NULL, NULL}};
    rekey->committed_events.role = "consumer";
    rekey->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return (rekey->wake >= 0 || error_set(error, "out of descriptors")) &&
           making_open(&rekey->making, &rekey->connection, &rekey->list, error) &&
           connection_client(&rekey->connection, RD_KAFKA_CONSUMER, NULL, committed, &rekey->committed_events, NULL, &rekey->committed_events, &rekey->committed, error) &&
           tail_open(&rekey->tail, &rekey->connection.settings, rekey->wake, error);
}

void rekey_close(struct rekey *rekey) {
    for (size_t i = 0; i < rekey->processor_count; i++) {
        rekeying_close(rekey->processors[i].rekeying);
        free(rekey->processors[i].positions);
        free(rekey->processors[i].changelog_end);
    }
    for (size_t i = 0; i < rekey->topic_count; i++) {
        free(rekey->topics[i].low);
        free(rekey->topics[i].end);
    }
    for (size_t i = 0; i < rekey->carried_count; i++)
        if (rekey->carried[i].headers) rd_kafka_headers_destroy(rekey->carried[i].headers);
    free(rekey->carried);
    arena_free(&rekey->arena);
    tail_close(rekey->tail);
    values_close(rekey->values);
    if (rekey->committed) rd_kafka_destroy(rekey->committed);
    making_close(&rekey->making);
    if (rekey->wake >= 0) close(rekey->wake);
    topic_list_free(&rekey->list);
    connection_close(&rekey->connection);
}

/* ---- which processors ---- */

static bool is_in(const struct rekey *rekey, const struct processor *processor) {
    for (size_t i = 0; i < rekey->processor_count; i++)
        if (rekey->processors[i].processor == processor) return true;
    return false;
}

static void add(struct rekey *rekey, const struct processor *processor) {
    if (is_in(rekey, processor)) return;
    struct rekey_processor *of = &rekey->processors[rekey->processor_count++];
    *of = (struct rekey_processor){.processor = processor};
    snprintf(of->group, sizeof of->group, "kontor.%s", processor->name);
    topics_inputs(processor, &of->inputs);
}

static bool share_an_input(const struct processor *a, const struct processor *b) {
    for (int i = 0; i < INPUTS_MAXIMUM && a->inputs[i].topic; i++)
        for (int k = 0; k < INPUTS_MAXIMUM && b->inputs[k].topic; k++)
            if (strcmp(a->inputs[i].topic, b->inputs[k].topic) == 0) return true;
    return false;
}

/* Those named, or all whose inputs have as many partitions in the list as there are tasks; and all that read the same topics. */
static bool choose(struct rekey *rekey, struct error *error) {
    const char *names = option_text(rekey->invocation, "processor", NULL);
    if (rekey->merges) {
        for (size_t i = 0; i < known_processor_count; i++)
            if (known_processors[i]->change_record) add(rekey, known_processors[i]);
        return true;
    }
    if (names) for (const char *at = names; *at; at += strspn(at, ",")) {
        const size_t length = strcspn(at, ",");
        const struct processor *processor = processor_named((struct slice){at, length});
        if (!processor) return error_set(error, "there is no processor %.*s; kontor status names them", (int)length, at);
        add(rekey, processor);
        at += length;
    } else for (size_t i = 0; i < known_processor_count; i++) {
        const struct topic *topic = topic_list_find(&rekey->list, known_processors[i]->inputs[0].topic);
        if (topic && topic->partitions == TASKS_IN_LIST) add(rekey, known_processors[i]);
    }
    for (size_t i = 0; i < rekey->processor_count; i++)
        for (size_t k = 0; k < known_processor_count; k++)
            if (!is_in(rekey, known_processors[k]) && share_an_input(rekey->processors[i].processor, known_processors[k])) {
                making_say("%s reads what %s reads: it goes with it", known_processors[k]->name, rekey->processors[i].processor->name);
                add(rekey, known_processors[k]);
            }
    return true;
}

/* ---- topics and generations ---- */

static bool topic_add(struct rekey *rekey, const struct rd_kafka_metadata *metadata, const char *name, bool timers, size_t *position, struct error *error) {
    for (*position = 0; *position < rekey->topic_count; ++*position)
        if (strcmp(rekey->topics[*position].name, name) == 0) return true;
    const struct rd_kafka_metadata_topic *there = metadata_topic(metadata, name);
    if (!there) return connection_no_topic(&rekey->connection, metadata, name, error);
    if (rekey->topic_count == REKEY_TOPICS_MAXIMUM) return error_set(error, "more than %d topics", REKEY_TOPICS_MAXIMUM);
    struct rekey_topic *topic = &rekey->topics[rekey->topic_count++];
    *topic = (struct rekey_topic){.now = there->partition_cnt, .timers = timers};
    snprintf(topic->name, sizeof topic->name, "%s", name);
    return true;
}

static bool generation_find(struct rekey *rekey, const struct rd_kafka_metadata *metadata, struct rekey_processor *of, struct error *error) {
    generation_first(&of->live, of->processor->name);
    if (metadata_topic(metadata, GENERATIONS_TOPIC) &&
        generations_read(rekey->tail, of->processor->name, KAFKA_TIMEOUT_MS, &of->live, error) != GENERATION_FOUND) return false;
    const struct rd_kafka_metadata_topic *changelog = metadata_topic(metadata, of->live.changelog);
    if (!changelog) return connection_no_topic(&rekey->connection, metadata, of->live.changelog, error);
    of->from = changelog->partition_cnt;
    making_next(metadata, of->processor->name, of->live.number, &of->next);
    if (rekey->merges) rekey->to = of->from;
    return true;
}

/* Inputs have the old number of partitions, or the new one where an earlier run was stopped; never another. */
static bool counts_check(struct rekey *rekey, bool *done, struct error *error) {
    *done = true;
    for (size_t i = 0; i < rekey->processor_count; i++) {
        struct rekey_processor *of = &rekey->processors[i];
        of->next.partitions = rekey->to;
        *done = *done && of->from == rekey->to && !rekey->merges;
        if (rekey->merges && of->from != rekey->to)
            return error_set(error, "%s has %" PRId32 " partitions, %s has %" PRId32 ": a partner's state is moved where all have as many", of->live.changelog, of->from,
                             rekey->processors[0].live.changelog, rekey->processors[0].from);
        if (rekey->to < of->from)
            return error_set(error, "%s has %" PRId32 " partitions: a topic of Kafka cannot have fewer, only more", of->live.changelog, of->from);
        for (size_t k = 0; k < of->inputs.count; k++) {
            const struct rekey_topic *topic = &rekey->topics[of->topic_of[k]];
            *done = *done && topic->now == rekey->to;
            if (topic->now != of->from && topic->now != rekey->to)
                return error_set(error, "%s has %" PRId32 " partitions, %s has %" PRId32 ": somebody has made it larger, or an earlier rekey was for another number; give --partitions %" PRId32,
                                 topic->name, topic->now, of->live.changelog, of->from, topic->now);
            if (topic->now > rekey->wide) rekey->wide = topic->now;
        }
        if (of->from > rekey->wide) rekey->wide = of->from;
    }
    if (rekey->to > rekey->wide) rekey->wide = rekey->to;
    return true;
}

static bool topics_find(struct rekey *rekey, const struct rd_kafka_metadata *metadata, bool *done, struct error *error) {
    for (size_t i = 0; i < rekey->processor_count; i++) {
        struct rekey_processor *of = &rekey->processors[i];
        for (size_t k = 0; k < of->inputs.count; k++)
            if (!topic_add(rekey, metadata, of->inputs.names[k], k + 1 == of->inputs.count, &of->topic_of[k], error)) return false;
        if (!generation_find(rekey, metadata, of, error)) return false;
    }
    return !rekey->to || counts_check(rekey, done, error);     /* none is asked for: only what is old is to be deleted */
}

bool rekey_look(struct rekey *rekey, bool *done, struct error *error) {
    const struct rd_kafka_metadata *metadata;
    if (!connection_topic_list(&rekey->connection, &rekey->list, NULL, NULL, 0, error) || !clients_open(rekey, error)) return false;
    /* First of all: what a run that was killed had begun is committed or aborted then, and one that still runs can commit nothing any more. */
    if (option_given(rekey->invocation, "yes") && !making_producer(&rekey->making, error)) return false;
    if (!choose(rekey, error) || !connection_metadata(&rekey->connection, rekey->making.admin, &metadata, error)) return false;
    bool ok = topics_find(rekey, metadata, done, error);
    rd_kafka_metadata_destroy(metadata);
    return ok;
}

bool rekey_reads(const struct rekey_processor *of, size_t topic, size_t *input) {
    for (*input = 0; *input < of->inputs.count; ++*input)
        if (of->topic_of[*input] == topic) return true;
    return false;
}

/* ---- members ---- */

struct writing { const struct rekey *rekey; bool writes; };

static void visit_output(void *context, const char *topic, const struct codec_type *type, bool per_erp) {
    struct writing *writing = context;
    (void)type;
    const size_t length = strlen(topic);
    for (size_t i = 0; i < writing->rekey->topic_count; i++) {
        const char *name = writing->rekey->topics[i].name;
        if (per_erp ? strncmp(name, topic, length) == 0 && name[length] == '.' : strcmp(name, topic) == 0) writing->writes = true;
    }
}

static bool must_stop(const struct rekey *rekey, const struct processor *processor) {
    struct writing writing = {rekey, is_in(rekey, processor)};
    engine_outputs(processor, visit_output, &writing);
    return writing.writes;
}

static bool check_group(const struct rekey *rekey, const rd_kafka_ConsumerGroupDescription_t *group, struct error *error) {
    const char *name = rd_kafka_ConsumerGroupDescription_group_id(group);
    const rd_kafka_error_t *why = rd_kafka_ConsumerGroupDescription_error(group);
    /* Kafka 4 says so of a group that never was. */
    if (why && rd_kafka_error_code(why) == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) return true;
    if (why && rd_kafka_error_code(why)) return error_set(error, "the group %s cannot be looked at: %s", name, rd_kafka_error_string(why));
    const size_t members = rd_kafka_ConsumerGroupDescription_member_count(group);
    if (!members) return true;
    const char *client = rd_kafka_MemberDescription_group_instance_id(rd_kafka_ConsumerGroupDescription_member(group, 0));
    const char *own = name + strlen("kontor.");
    return error_set(error, "the group %s has %zu member%s (%s%s): stop every kontor-%s%s. One that was stopped keeps its place for session.timeout.ms; kontor-%s --leave gives it up at once", name,
                     members, members > 1 ? "s" : "", client ? client : "without a name", members > 1 ? ", ..." : "", own,
                     is_in(rekey, processor_named(slice_of(own))) ? "" : ", which writes to topics that grow", own);
}

bool rekey_all_stopped(struct rekey *rekey, struct error *error) {
    char names[REKEY_PROCESSORS_MAXIMUM][TOPIC_NAME_MAXIMUM];
    const char *groups[REKEY_PROCESSORS_MAXIMUM];
    size_t count = 0, described = 0;
    for (size_t i = 0; i < known_processor_count && count < REKEY_PROCESSORS_MAXIMUM; i++) {
        if (!must_stop(rekey, known_processors[i])) continue;
        snprintf(names[count], sizeof names[0], "kontor.%s", known_processors[i]->name);
        groups[count] = names[count];
        count++;
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rekey->making.admin);
    rd_kafka_DescribeConsumerGroups(rekey->making.admin, groups, count, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 4 * KAFKA_TIMEOUT_MS);
    bool ok = event && !rd_kafka_event_error(event);
    if (!ok) error_set(error, "the consumer groups cannot be looked at: %s", event ? rd_kafka_event_error_string(event) : "no answer; try again");
    const rd_kafka_ConsumerGroupDescription_t **found = ok ? rd_kafka_DescribeConsumerGroups_result_groups(rd_kafka_event_DescribeConsumerGroups_result(event), &described) : NULL;
    for (size_t i = 0; ok && i < described; i++) ok = check_group(rekey, found[i], error);
    if (ok && described != count) ok = error_set(error, "only %zu of %zu consumer groups were told of; try again", described, count);
    if (event) rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    return ok;
}

/* ---- where groups stand and logs end ---- */

/* Where a log begins and ends; a partition that was just made, or moves, has no leader for a moment. */
static bool bounds_of(struct rekey *rekey, const char *topic, int32_t partition, int64_t *low, int64_t *end, struct error *error) {
    const int64_t deadline_ms = clock_monotonic_ms() + LED_MS;
    while (!tail_bounds(rekey->tail, topic, partition, KAFKA_TIMEOUT_MS, low, end, error)) {
        const struct rd_kafka_metadata *leaders;
        if (clock_monotonic_ms() > deadline_ms) return false;
        rd_kafka_poll(rekey->making.admin, PAUSE_MS);
        if (!rd_kafka_metadata(tail_client(rekey->tail), 1, NULL, &leaders, KAFKA_TIMEOUT_MS)) rd_kafka_metadata_destroy(leaders);
    }
    return true;
}

/* The end for everybody, once it is the same for those to whom a log ends at its first open transaction. */
static bool end_of(struct rekey *rekey, const char *topic, int32_t partition, int64_t *low, int64_t *end, struct error *error) {
    const int64_t deadline_ms = clock_monotonic_ms() + SETTLE_MS;
    for (;;) {
        int64_t first, stable = -1;
        if (!bounds_of(rekey, topic, partition, low, end, error)) return false;
        const rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(rekey->committed, topic, partition, &first, &stable, KAFKA_TIMEOUT_MS);
        if (!code && stable >= *end) return true;
        if (code && clock_monotonic_ms() > deadline_ms) return error_set(error, "the end of %s/%" PRId32 " cannot be asked for: %s", topic, partition, rd_kafka_err2str(code));
        if (!code && clock_monotonic_ms() > deadline_ms)
            return error_set(error, "%s/%" PRId32 " ends at offset %" PRId64 " in a transaction that is open for more than %d s: a producer is at work on it, or it hangs in the broker "
                             "(kafka-transactions.sh find-hanging)", topic, partition, stable, SETTLE_MS / 1000);
        rd_kafka_poll(rekey->committed, PAUSE_MS);
    }
}

static bool positions_read(struct rekey *rekey, struct rekey_processor *of, struct error *error) {
    const struct client_property fixed[] = {{"group.id", of->group}, {"isolation.level", "read_committed"}, {"enable.auto.commit", "false"}, {NULL, NULL}};
    struct client_events events = {.role = "consumer"};
    rd_kafka_t *client;
    if (!connection_client(&rekey->connection, RD_KAFKA_CONSUMER, NULL, fixed, &events, NULL, &events, &client, error)) return false;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(64);
    for (size_t i = 0; i < of->inputs.count; i++)
        for (int32_t p = 0; p < rekey->topics[of->topic_of[i]].now; p++) rd_kafka_topic_partition_list_add(list, of->inputs.names[i], p);
    const int64_t deadline_ms = clock_monotonic_ms() + SETTLE_MS;
    rd_kafka_resp_err_t code;
    for (;;) {
        code = rd_kafka_committed(client, list, KAFKA_TIMEOUT_MS);
        for (int i = 0; !code && i < list->cnt; i++) code = list->elems[i].err;
        if (!code || clock_monotonic_ms() > deadline_ms) break;
        rd_kafka_poll(client, PAUSE_MS);    /* a commit of a killed instance is not decided yet */
    }
    for (int i = 0; !code && i < list->cnt; i++)
        for (size_t k = 0; k < of->inputs.count; k++)
            if (strcmp(list->elems[i].topic, of->inputs.names[k]) == 0)
                of->positions[k * (size_t)rekey->wide + (size_t)list->elems[i].partition] = list->elems[i].offset >= 0 ? list->elems[i].offset : -1;
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(client);
    return !code || error_set(error, "the committed offsets of the group %s cannot be read: %s", of->group, rd_kafka_err2str(code));
}

bool rekey_positions(struct rekey *rekey, struct error *error) {
    const size_t wide = (size_t)rekey->wide;
    bool ok = true;
    for (size_t i = 0; ok && i < rekey->topic_count; i++) {
        struct rekey_topic *topic = &rekey->topics[i];
        topic->low = calloc(wide, sizeof *topic->low);
        topic->end = calloc(wide, sizeof *topic->end);
        ok = (topic->low && topic->end) || error_set(error, "out of memory");
        for (int32_t p = 0; ok && p < topic->now; p++) ok = end_of(rekey, topic->name, p, &topic->low[p], &topic->end[p], error);
    }
    for (size_t i = 0; ok && i < rekey->processor_count; i++) {
        struct rekey_processor *of = &rekey->processors[i];
        of->positions = malloc(of->inputs.count * wide * sizeof *of->positions);
        of->changelog_end = calloc(wide, sizeof *of->changelog_end);
        ok = (of->positions && of->changelog_end) || error_set(error, "out of memory");
        for (size_t k = 0; ok && k < of->inputs.count * wide; k++) of->positions[k] = -1;
        for (int32_t p = 0; ok && p < of->from; p++) {
            int64_t low;
            ok = end_of(rekey, of->live.changelog, p, &low, &of->changelog_end[p], error);
        }
        ok = ok && positions_read(rekey, of, error);
    }
    return ok;
}

bool rekey_unchanged(struct rekey *rekey, struct error *error) {
    int64_t low, end;
    for (size_t i = 0; i < rekey->topic_count; i++)
        for (int32_t p = 0; p < rekey->topics[i].now; p++) {
            if (!bounds_of(rekey, rekey->topics[i].name, p, &low, &end, error)) return false;
            if (end != rekey->topics[i].end[p])
                return error_set(error, "%s/%" PRId32 " was written to meanwhile: stop what writes to it, wait until its clients know the new number of partitions, and run this again", rekey->topics[i].name, p);
        }
    for (size_t i = 0; i < rekey->processor_count; i++)
        for (int32_t p = 0; p < rekey->processors[i].from; p++) {
            if (!bounds_of(rekey, rekey->processors[i].live.changelog, p, &low, &end, error)) return false;
            if (end != rekey->processors[i].changelog_end[p])
                return error_set(error, "%s/%" PRId32 " was written to meanwhile: its processor has run; stop it and run this again", rekey->processors[i].live.changelog, p);
        }
    return true;
}
