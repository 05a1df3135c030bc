#include "cli/state_making.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/generation.h"
#include "cli/holding.h"
#include "common/platform/clock.h"
#include "common/runtime/layout_text.h"

enum { OPEN_TRANSACTION_MS = 90000, PAUSE_MS = 20 };

static int32_t partitions_of(const struct state_making *making) { return making->group->partition_count; }

/* ---- looking ---- */

static int32_t partitions_there(const struct rd_kafka_metadata *metadata, const char *topic) {
    const struct rd_kafka_metadata_topic *found = metadata_topic(metadata, topic);
    return found ? found->partition_cnt : 0;
}

bool state_making_look(struct state_making *making, const struct connection *connection, const struct group *group, struct error *error) {
    const struct rd_kafka_metadata *metadata;
    *making = (struct state_making){.connection = connection, .group = group};
    if (!connection_topic_list(connection, &making->list, NULL, NULL, 0, error) || !making_open(&making->making, connection, &making->list, error) ||
        !generation_live(connection, group->processor, &making->live, error) || !connection_metadata(connection, making->making.admin, &metadata, error)) return false;
    const int32_t there = partitions_there(metadata, making->live.changelog);
    bool ok = there || connection_no_topic(connection, metadata, making->live.changelog, error);
    if (ok && there != partitions_of(making))
        ok = error_set(error, "%s has %" PRId32 " partitions, the inputs have %" PRId32 ": kontor rekey moves keys; kontor state does not", making->live.changelog, there, partitions_of(making));
    making->live.partitions = there;
    making_next(metadata, group->processor, making->live.number, &making->next);
    making->next.partitions = there;
    rd_kafka_metadata_destroy(metadata);
    return ok;
}

void state_making_close(struct state_making *making) {
    making_writer_close(making->writer);
    making_close(&making->making);
    holding_close(making->holding);
    topic_list_free(&making->list);
    making->writer = NULL;
    making->holding = NULL;
}

/* ---- taking hold ---- */

static int64_t end_of(const struct state_making *making, const char *topic, const char *isolation, struct error *error) {
    const struct client_property fixed[] = {{"isolation.level", isolation}, {NULL, NULL}};
    struct client_events events = {.role = "consumer"};
    rd_kafka_t *client;
    if (!connection_client(making->connection, RD_KAFKA_CONSUMER, NULL, fixed, &events, NULL, &events, &client, error)) return -1;
    int64_t sum = 0;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions_of(making));
    for (int32_t p = 0; p < partitions_of(making); p++) rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_END;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(client, list, KAFKA_TIMEOUT_MS);
    for (int i = 0; !code && i < list->cnt; i++) {
        code = list->elems[i].err;
        sum += list->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(client);
    if (code) error_set(error, "the end of %s cannot be read: %s", topic, rd_kafka_err2str(code));
    return code ? -1 : sum;
}

/* Until all that was written there is decided: what an instance that was killed has left open ends by its time-out. */
static bool wait_for_transactions(struct state_making *making, const char *topic, struct error *error) {
    for (const int64_t deadline_ms = clock_monotonic_ms() + OPEN_TRANSACTION_MS;;) {
        const int64_t stable = end_of(making, topic, "read_committed", error);
        const int64_t end = stable < 0 ? -1 : end_of(making, topic, "read_uncommitted", error);
        if (end < 0) return false;
        if (stable == end) return true;
        if (clock_monotonic_ms() > deadline_ms)
            return error_set(error, "a transaction on %s has been open for %d s: it hangs in the broker; kafka-transactions.sh find-hanging shows it, and ends it with abort", topic,
                             OPEN_TRANSACTION_MS / 1000);
        if (!state_making_alone(making, error)) return false;
        usleep(PAUSE_MS * 1000);
    }
}

/* Between reading the group and holding it an instance may have come and gone. */
static bool is_as_it_was(const struct state_making *making, struct error *error) {
    const struct group *then = making->group;
    struct generation live;
    struct group now;
    if (!generation_live(making->connection, then->processor, &live, error) || !group_read(&now, making->connection, then->processor, error)) return false;
    bool same = live.number == making->live.number && now.places->cnt == then->places->cnt, any = false;
    for (int i = 0; same && i < then->places->cnt; i++) {
        const rd_kafka_topic_partition_t *a = &then->places->elems[i], *b = &now.places->elems[i];
        same = strcmp(a->topic, b->topic) == 0 && a->partition == b->partition && a->offset == b->offset;
        any |= a->offset >= 0;
    }
    group_free(&now);
    if (!same) return error_set(error, "an instance of %s has run meanwhile, or another generation was made: give the same command again", then->processor);
    return any || error_set(error, "group %s has no committed offsets: they have expired or were deleted. Say with `kontor offsets reset` where it is to go on", then->name);
}

bool state_making_hold(struct state_making *making, struct error *error) {
    const struct group *group = making->group;
    for (size_t i = 0; i < group->topic_count; i++) making->topics[i] = group->inputs[i];
    return holding_open(&making->holding, &making->connection->settings, group->name, making->topics, group->topic_count, group->partition_count, error) &&
           making_producer(&making->making, error) && is_as_it_was(making, error) && wait_for_transactions(making, making->live.changelog, error);
}

bool state_making_alone(struct state_making *making, struct error *error) {
    rd_kafka_consumer_group_metadata_t *metadata;
    if (!holding_alone(making->holding, &metadata, error)) return false;
    rd_kafka_consumer_group_metadata_destroy(metadata);
    return true;
}

/* ---- the next one ---- */

bool state_making_create(struct state_making *making, struct error *error) {
    const char *processor = making->group->processor, *live = making->live.changelog;
    return making_generations_topic(&making->making, live, error) &&
           making_changelog_topic(&making->making, processor, live, making->next.changelog, partitions_of(making), error);
}

struct writing { struct state_making *making; struct error *error; bool header, ok; };

static bool write_one(void *context, struct slice key, struct state_value value) {
    struct writing *writing = context;
    if (slice_equal(key, header_record_key) != writing->header) return true;
    return writing->ok = making_writer_send(writing->making->writer, key, state_value_sealed(value), writing->error);
}

static bool pass(struct writing *writing, struct fold *target, bool header) {
    writing->header = header;
    const enum state_result result = state_scan(target->state, (struct slice){0}, write_one, writing, writing->error);
    return writing->ok && (result == STATE_FOUND || result == STATE_ABSENT);
}

bool state_making_write(struct state_making *making, const char *folder, struct fold *target, int32_t partition, struct error *error) {
    const char *topic = making->next.changelog;
    struct fold again = {.state = NULL};
    bool equal = false;
    if (!making->writer && !making_writer_open(&making->writer, &making->making, topic, 0, error)) return false;
    struct writing writing = {.making = making, .error = error, .ok = true};
    making_writer_partition(making->writer, partition);
    if (!pass(&writing, target, true) || !pass(&writing, target, false) || !making_writer_flush(making->writer, error) || !state_making_alone(making, error)) return false;
    bool ok = fold_open(&again, folder, "again", making->group->processor, partition, error) && fold_read(&again, making->connection, topic, partition, error) &&
              fold_equal(&again, target, &equal, error);
    if (ok && !equal) ok = error_set(error, "%s/%" PRId32 " does not hold what was written to it: look at the broker's log; nothing was changed", topic, partition);
    fold_close(&again);
    return ok;
}

/* ---- the switch ---- */

/* The group's own position of a partition, which does not change: it is there for the broker to look whether we are still its only member. */
static rd_kafka_topic_partition_list_t *position_of(const struct group *group) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    for (int i = 0; i < group->places->cnt && !list->cnt; i++) {
        const rd_kafka_topic_partition_t *place = &group->places->elems[i];
        if (place->offset >= 0) rd_kafka_topic_partition_list_add(list, place->topic, place->partition)->offset = place->offset;
    }
    return list;
}

static bool send_position(struct state_making *making, struct error *error) {
    rd_kafka_consumer_group_metadata_t *metadata;
    if (!holding_alone(making->holding, &metadata, error)) return false;
    rd_kafka_topic_partition_list_t *position = position_of(making->group);
    bool ok = making_offsets(&making->making, position, metadata, error) || error_prefix(error, "an instance of %s was started meanwhile, or", making->group->processor);
    rd_kafka_topic_partition_list_destroy(position);
    rd_kafka_consumer_group_metadata_destroy(metadata);
    return ok;
}

static bool offsets_make(const struct state_making *making, char ***offsets, struct error *error) {
    *offsets = calloc((size_t)partitions_of(making), sizeof **offsets);
    bool ok = *offsets || error_set(error, "out of memory");
    for (int32_t p = 0; ok && p < partitions_of(making); p++)
        ok = ((*offsets)[p] = malloc(OFFSETS_TEXT_SIZE)) ? state_offsets_text(making->group, p, (*offsets)[p], error) : error_set(error, "out of memory");
    return ok;
}

static void offsets_free(const struct state_making *making, char **offsets) {
    for (int32_t p = 0; offsets && p < partitions_of(making); p++) free(offsets[p]);
    free(offsets);
}

/* opens: the changelog to switch to was closed. */
static bool change_to(struct state_making *making, const struct generation *to, bool opens, struct error *error) {
    struct making *sending = &making->making;
    char **offsets;
    bool ok = offsets_make(making, &offsets, error);
    if (ok && making_begin(sending, error)) {
        ok = making_close_generation(sending, making->group->processor, making->live.changelog, partitions_of(making), to, offsets, error);
        for (int32_t p = 0; ok && opens && p < partitions_of(making); p++)
            ok = making_send(sending, to->changelog, p, generation_closed_key, (struct slice){0}, clock_wall_ms(), NULL, error);
        ok = ok && making_flush(sending, error) && send_position(making, error);
        ok = making_end(sending, ok, error);
    } else ok = false;
    offsets_free(making, offsets);
    return ok;
}

bool state_making_switch(struct state_making *making, struct error *error) { return change_to(making, &making->next, false, error); }

/* ---- back ---- */

static bool mark_of(struct fold *fold, char text[GENERATION_MARK_SIZE], struct error *error) {
    struct state_value value;
    const enum state_result result = state_get(fold->state, generation_closed_key, &value, error);
    *text = 0;
    if (result == STATE_FOUND) snprintf(text, GENERATION_MARK_SIZE, SLICE_FORMAT, SLICE_ARGUMENT(value.body));
    return result == STATE_FOUND || result == STATE_ABSENT;
}

static bool is_before(const struct state_making *making, const char *topic, bool *found, struct error *error) {
    char folder[FOLDER_SIZE], text[GENERATION_MARK_SIZE];
    struct fold fold = {.state = NULL};
    struct generation after;
    if (!folder_make(folder, "state", error)) return false;
    bool ok = fold_open(&fold, folder, "before", making->group->processor, 0, error) && fold_read(&fold, making->connection, topic, 0, error) && mark_of(&fold, text, error);
    *found = ok && generation_parse(&after, slice_of(text)) && after.number == making->live.number;
    fold_close(&fold);
    folder_delete(folder);
    return ok;
}

bool state_making_before(const struct state_making *making, struct generation *before, struct error *error) {
    const struct rd_kafka_metadata *metadata;
    bool found = false, ok = true;
    if (!connection_metadata(making->connection, making->making.admin, &metadata, error)) return false;
    for (int number = making->live.number - 1; ok && !found && number > 0; number--) {
        *before = (struct generation){.number = number};
        generation_changelog(before->changelog, making->group->processor, number);
        before->partitions = partitions_there(metadata, before->changelog);
        if (before->partitions) ok = is_before(making, before->changelog, &found, error);
    }
    rd_kafka_metadata_destroy(metadata);
    if (ok && !found) return error_set(error, "%s: there is no generation before, or it was dropped", making->live.changelog);
    if (ok && before->partitions != partitions_of(making))
        return error_set(error, "%s has %" PRId32 " partitions, the inputs have %" PRId32 " now: there is no way back over kontor rekey", before->changelog, before->partitions, partitions_of(making));
    return ok;
}

bool state_making_may_go_back(const struct state_making *making, const struct generation *before, struct fold *fold, int32_t partition, struct error *error) {
    char text[GENERATION_MARK_SIZE], now[OFFSETS_TEXT_SIZE];
    struct generation after;
    if (!mark_of(fold, text, error) || !state_offsets_text(making->group, partition, now, error)) return false;
    if (!generation_parse(&after, slice_of(text)) || after.number != making->live.number)
        return error_set(error, "%s/%" PRId32 " does not say that generation %d came behind it: there is no way back", before->changelog, partition, making->live.number);
    const char *then = strstr(text, GENERATION_OFFSETS);
    if (!then) return error_set(error, "%s was made by kontor rekey: there is no way back over it", making->live.changelog);
    then += strlen(GENERATION_OFFSETS);
    return strcmp(now, then) == 0 ||
           error_set(error, "%s has gone on in partition %" PRId32 " since the generation was made (then %.150s, now %.150s): what it has decided would be forgotten. Keep the new version",
                     making->group->processor, partition, then, now);
}

bool state_making_back(struct state_making *making, const struct generation *before, struct error *error) { return change_to(making, before, true, error); }
