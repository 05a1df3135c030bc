#include "cli/rewrite.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/holding.h"
#include "cli/transactions.h"
#include "common/platform/clock.h"
#include "common/runtime/layout_text.h"

enum { BATCH_RECORDS = 4000, BATCH_BYTES = 8 << 20, OPEN_TRANSACTION_MS = 40000, ENGINE_STORE = 0 };

/* ---- taking hold ---- */

static int64_t end_of(const struct connection *connection, const char *topic, int32_t partitions, const char *isolation, struct error *error) {
    const struct client_property fixed[] = {{"isolation.level", isolation}, {NULL, NULL}};
    struct client_events events = {.role = "consumer"};
    rd_kafka_t *client;
    if (!connection_client(connection, RD_KAFKA_CONSUMER, NULL, fixed, &events, NULL, &events, &client, error)) return -1;
    int64_t sum = 0;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int32_t p = 0; p < partitions; p++) rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_END;
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

/* Until all that was written there is decided: what an instance that was killed has left open ends by its time-out; of a transaction of ours that was committed the broker may still
 * be writing the markers. */
static bool wait_for_transactions(const struct rewriting *rewriting, const char *topic, struct error *error) {
    for (const int64_t deadline_ms = clock_monotonic_ms() + OPEN_TRANSACTION_MS;;) {
        rd_kafka_consumer_group_metadata_t *metadata;
        const int64_t stable = end_of(rewriting->connection, topic, rewriting->group->partition_count, "read_committed", error);
        const int64_t end = stable < 0 ? -1 : end_of(rewriting->connection, topic, rewriting->group->partition_count, "read_uncommitted", error);
        if (end < 0) return false;
        if (stable == end) return true;
        if (clock_monotonic_ms() > deadline_ms)
            return error_set(error, "a transaction on %s has been open for %d s: it hangs in the broker; kafka-transactions.sh find-hanging shows it, and ends it with abort", topic,
                             OPEN_TRANSACTION_MS / 1000);
        if (!holding_alone(rewriting->holding, &metadata, error)) return false;
        rd_kafka_consumer_group_metadata_destroy(metadata);
        usleep(20000);
    }
}

/* Between reading the group and holding it an instance may have come and gone. */
static bool is_as_it_was(const struct rewriting *rewriting, struct error *error) {
    const struct group *then = rewriting->group;
    struct group now;
    if (!group_read(&now, rewriting->connection, then->processor, error)) return false;
    bool same = now.places->cnt == then->places->cnt, any = false;
    for (int i = 0; same && i < then->places->cnt; i++) {
        const rd_kafka_topic_partition_t *a = &then->places->elems[i], *b = &now.places->elems[i];
        same = strcmp(a->topic, b->topic) == 0 && a->partition == b->partition && a->offset == b->offset;
        any |= a->offset >= 0;
    }
    group_free(&now);
    if (!same) return error_set(error, "an instance of %s has run meanwhile: give the same command again", then->processor);
    return any || error_set(error, "group %s has no committed offsets: they have expired or were deleted. Say with `kontor offsets reset` where it is to go on", then->name);
}

bool rewriting_open(struct rewriting *rewriting, struct connection *connection, const struct group *group, struct error *error) {
    const char *topics[INPUT_TOPICS_MAXIMUM];
    char changelog[CHANGELOG_NAME_SIZE];
    for (size_t i = 0; i < group->topic_count; i++) topics[i] = group->inputs[i];
    *rewriting = (struct rewriting){.connection = connection, .group = group};
    snprintf(rewriting->transactional_id, sizeof rewriting->transactional_id, "kontor-cli.state.%s", group->processor);
    return holding_open(&rewriting->holding, &connection->settings, group->name, topics, group->topic_count, group->partition_count, error) &&
           is_as_it_was(rewriting, error) &&
           transactions_open(&rewriting->transactions, &connection->settings, rewriting->transactional_id, error) && transactions_ready(rewriting->transactions, error) &&
           wait_for_transactions(rewriting, changelog_name(group->processor, 0, changelog), error);
}

void rewriting_close(struct rewriting *rewriting) {
    transactions_close(rewriting->transactions);
    holding_close(rewriting->holding);
    rewriting->transactions = NULL;
    rewriting->holding = NULL;
}

/* ---- writing ---- */

struct writing {
    struct rewriting *rewriting;
    const char *topic;
    int32_t partition;
    struct fold *now, *target;
    struct slice begun;             /* sealed */
    bool engine, values;            /* which records this pass is about */
    bool open;
    size_t records, bytes;
    struct error *error;
    bool ok;
};

/* The group's own position of a partition, which does not change: it is there for the broker to look whether we are still its only member. */
static rd_kafka_topic_partition_list_t *position_of(const struct group *group) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    for (int i = 0; i < group->places->cnt && !list->cnt; i++) {
        const rd_kafka_topic_partition_t *place = &group->places->elems[i];
        if (place->offset >= 0) rd_kafka_topic_partition_list_add(list, place->topic, place->partition)->offset = place->offset;
    }
    return list;
}

static bool commit(struct writing *writing) {
    struct rewriting *rewriting = writing->rewriting;
    rd_kafka_consumer_group_metadata_t *metadata;
    if (!writing->open) return true;
    writing->open = false;
    if (!holding_alone(rewriting->holding, &metadata, writing->error)) return false;
    rd_kafka_topic_partition_list_t *position = position_of(rewriting->group);
    bool ok = transactions_offsets(rewriting->transactions, position, metadata, writing->error) && transactions_commit(rewriting->transactions, writing->error);
    rd_kafka_topic_partition_list_destroy(position);
    rd_kafka_consumer_group_metadata_destroy(metadata);
    rewriting->written += (int64_t)writing->records;
    writing->records = writing->bytes = 0;
    return ok;
}

/* Values lie in what is open as long as the transaction is. */
static bool record_send(struct writing *writing, struct slice key, struct slice value) {
    struct rewriting *rewriting = writing->rewriting;
    if (!writing->open && !transactions_begin(rewriting->transactions, writing->error)) return false;
    writing->open = true;
    const struct engine_output output = {.topic = writing->topic, .partition = writing->partition, .key = key, .value = value};
    if (!transactions_send(rewriting->transactions, &output, writing->error)) return false;
    writing->bytes += key.length + value.length;
    return (++writing->records < BATCH_RECORDS && writing->bytes < BATCH_BYTES) || commit(writing);
}

/* Its sealed bytes lie before its body. */
static struct slice sealed(struct state_value value) { return (struct slice){value.body.data - STATE_SEAL_SIZE, value.body.length + STATE_SEAL_SIZE}; }

static bool in_this_pass(const struct writing *writing, struct slice key) { return key.data[0] == ENGINE_STORE ? writing->engine : writing->values; }
static bool is_generation(struct slice key) { return slice_equal(key, generation_record_key); }

static bool put_one(void *context, struct slice key, struct state_value value) {
    struct writing *writing = context;
    struct state_value there;
    if (!in_this_pass(writing, key) || (writing->begun.length && is_generation(key))) return true;
    const enum state_result result = state_get(writing->now->state, key, &there, writing->error);
    if (result == STATE_FOUND && slice_equal(sealed(there), sealed(value))) return true;
    writing->ok = (result == STATE_FOUND || result == STATE_ABSENT) && record_send(writing, key, sealed(value));
    return writing->ok;
}

static bool delete_one(void *context, struct slice key, struct state_value value) {
    struct writing *writing = context;
    struct state_value there;
    (void)value;
    if (!in_this_pass(writing, key) || (writing->begun.length && is_generation(key))) return true;
    const enum state_result result = state_get(writing->target->state, key, &there, writing->error);
    if (result == STATE_FOUND) return true;
    writing->ok = result == STATE_ABSENT && record_send(writing, key, (struct slice){0});
    return writing->ok;
}

static bool pass(struct writing *writing, struct fold *over, bool (*visit)(void *, struct slice, struct state_value), bool engine) {
    writing->engine = engine;
    writing->values = !engine;
    const enum state_result result = state_scan(over->state, (struct slice){0}, visit, writing, writing->error);
    return writing->ok && (result == STATE_FOUND || result == STATE_ABSENT);
}

static bool put_generation(struct writing *writing) {
    struct state_value value;
    if (!writing->begun.length) return true;
    const enum state_result result = state_get(writing->target->state, generation_record_key, &value, writing->error);
    return result == STATE_FOUND ? record_send(writing, generation_record_key, sealed(value)) : result == STATE_ABSENT && record_send(writing, generation_record_key, (struct slice){0});
}

bool rewrite(struct rewriting *rewriting, const char *topic, struct fold *now, struct fold *target, struct slice begun, struct error *error) {
    char bytes[STATE_SEAL_SIZE + OFFSETS_TEXT_SIZE + 128];
    struct writing writing = {.rewriting = rewriting, .topic = topic, .now = now, .target = target, .error = error, .ok = true};
    sscanf(strrchr(now->folder, '-') + 1, "%" SCNd32, &writing.partition);
    if (begun.length) {
        memcpy(bytes + STATE_SEAL_SIZE, begun.data, begun.length);
        state_seal(bytes, STATE_SEAL_SIZE + begun.length, generation_record_key, 0);
        writing.begun = (struct slice){bytes, STATE_SEAL_SIZE + begun.length};
    }
    bool ok = (!begun.length || record_send(&writing, generation_record_key, writing.begun)) && pass(&writing, target, put_one, true) && pass(&writing, target, put_one, false) &&
           pass(&writing, now, delete_one, false) && pass(&writing, now, delete_one, true) && put_generation(&writing) && commit(&writing);
    if (!ok) transactions_discard(rewriting->transactions);     /* it still has values that lie in the states */
    return ok;
}

/* ---- comparing ---- */

struct comparing { struct fold *other; bool equal; struct error *error; bool failed; size_t count; };

static bool compare_one(void *context, struct slice key, struct state_value value) {
    struct comparing *comparing = context;
    struct state_value there;
    if (is_generation(key)) return true;
    comparing->count++;
    const enum state_result result = state_get(comparing->other->state, key, &there, comparing->error);
    comparing->failed = result == STATE_CORRUPT || result == STATE_FAILED;
    comparing->equal = result == STATE_FOUND && slice_equal(sealed(there), sealed(value));
    return comparing->equal;
}

static bool count_one(void *context, struct slice key, struct state_value value) {
    (void)value;
    *(size_t *)context += !is_generation(key);
    return true;
}

bool fold_equal(struct fold *a, struct fold *b, bool *equal, struct error *error) {
    struct comparing comparing = {.other = b, .equal = true, .error = error};
    size_t others = 0;
    const enum state_result result = state_scan(a->state, (struct slice){0}, compare_one, &comparing, error), counted = state_scan(b->state, (struct slice){0}, count_one, &others, error);
    *equal = comparing.equal && comparing.count == others;
    return !comparing.failed && result != STATE_CORRUPT && result != STATE_FAILED && counted != STATE_CORRUPT && counted != STATE_FAILED;
}

bool rewrite_verify(struct rewriting *rewriting, const char *topic, const char *folder, struct fold *target, int32_t partition, struct error *error) {
    struct fold again = {.state = NULL};
    bool equal = false;
    bool ok = wait_for_transactions(rewriting, topic, error) && fold_open(&again, folder, "verify", rewriting->group->processor, partition, error) &&
              fold_read(&again, rewriting->connection, topic, partition, error) &&
              fold_equal(&again, target, &equal, error);
    if (ok && !equal)
        ok = error_set(error, "%s/%" PRId32 " does not hold what was written to it: has something else written there? Give the same command again", topic, partition);
    fold_close(&again);
    return ok;
}
