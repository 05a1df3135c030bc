#include "cli/state_migrating.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/platform/clock.h"
#include "common/runtime/layout_text.h"

enum { KEEP_REPLICATION = 3, SETTLE_MS = 20000, LAYOUTS = 256, ENGINE_STORE = 0 };

static int32_t partitions_of(const struct migrating *migrating) { return migrating->group.partition_count; }

static bool in_partition(const struct migrating *migrating, const char *topic, int32_t partition, struct error *error) {
    const struct error why = *error;
    (void)migrating;
    return error_set(error, "%s/%" PRId32 ": %.440s", topic, partition, why.text);
}

/* ---- converting a partition ---- */

struct converting {
    struct migrating *migrating;
    struct fold *now, *target;
    struct filling *filling;
    struct slice layouts[LAYOUTS];      /* by number */
    int number;                         /* of the new layout here */
    bool used[LAYOUTS];                 /* which have values: of the others nothing need be known */
    bool counting, ok, foreign;         /* foreign: something is of another layout than the new one */
    struct error *error;
};

static void tell(void *context, const struct migration_remark *remark) {
    struct migrating *migrating = context;
    json_t *said = json_pack("{s:s, s:s, s:s, s:b}", "store", remark->store, "field", remark->field, "what", remark->text, "problem", remark->problem), *other;
    size_t i;
    json_array_foreach(migrating->remarks, i, other)
        if (said && json_equal(said, other)) {
            json_decref(said);
            return;
        }
    migrating->problems += remark->problem;
    if (said) json_array_append_new(migrating->remarks, said);
}

static bool learn_one(void *context, struct slice key, struct state_value value) {
    struct converting *converting = context;
    struct migrating *migrating = converting->migrating;
    int problems;
    const int number = key.length == layout_record_prefix.length + 1 ? (unsigned char)key.data[layout_record_prefix.length] : 0;
    converting->layouts[number] = value.body;
    if (slice_equal(value.body, buffer_slice(&migrating->layout))) converting->number = number;
    else converting->foreign = true;
    return converting->ok = !converting->used[number] || migration_learn(migrating->migration, value.body, tell, migrating, &problems, converting->error);
}

/* The number of the new layout in this partition: that which it has, or the first that no other has. */
static bool number_choose(struct converting *converting) {
    for (int i = 1; !converting->number && i < LAYOUTS; i++)
        if (!converting->layouts[i].data) converting->number = i;
    return converting->number || error_set(converting->error, "the state was written with %d layouts, there is no number left for another", LAYOUTS - 1);
}

static bool use_one(void *context, struct slice key, struct state_value value) {
    (void)key;
    ((struct converting *)context)->used[value.version] = true;
    return true;
}

/* The layouts of the partition, and the new one's number. */
static bool layouts_learn(struct converting *converting) {
    const enum state_result seen = state_scan(converting->now->state, (struct slice){0}, use_one, converting, converting->error);
    if (seen == STATE_CORRUPT || seen == STATE_FAILED) return false;
    const enum state_result result = state_scan(converting->now->state, layout_record_prefix, learn_one, converting, converting->error);
    return converting->ok && (result == STATE_FOUND || result == STATE_ABSENT) && number_choose(converting);
}

static bool is_text(struct slice key, struct state_value value) { return key.data[0] == ENGINE_STORE && value.version == 0; }

static void count(struct converting *converting, struct slice key, size_t length, struct slice new_key, size_t new_length, bool kept) {
    struct migrating *migrating = converting->migrating;
    if (!converting->counting) return;
    const int number = kept ? (unsigned char)new_key.data[0] : (unsigned char)key.data[0];
    struct store_sums *sums = &migrating->sums[number];
    sums->records++;
    sums->bytes += (int64_t)(key.length + length);
    if (!kept) return;
    sums->new_records++;
    sums->new_bytes += (int64_t)(new_key.length + new_length);
}

static bool convert_one(void *context, struct slice key, struct state_value value) {
    struct converting *converting = context;
    struct slice new_key, new_value;
    if (is_text(key, value)) {
        if (slice_equal(key, header_record_key))
            converting->ok = fold_fill(converting->target, &converting->filling, key, (struct slice){value.body.data - STATE_SEAL_SIZE, value.body.length + STATE_SEAL_SIZE}, converting->error);
        return converting->ok;
    }
    const struct slice layout = converting->layouts[value.version];
    struct error why;
    if (!layout.data) return converting->ok = error_set(converting->error, "a value names layout %d, which has no record", value.version);
    const enum migration_result result = migration_convert(converting->migrating->migration, layout, key, value.body, (uint8_t)converting->number, &new_key, &new_value, &why);
    if (result == MIGRATION_FAILED)
        return converting->ok = error_set(converting->error, "the record " SLICE_FORMAT " of store %u: %.300s", SLICE_ARGUMENT(((struct slice){key.data + 1, key.length - 1})),
                                          (unsigned)(unsigned char)key.data[0], why.text);
    const bool kept = result == MIGRATION_CONVERTED;
    count(converting, key, STATE_SEAL_SIZE + value.body.length, kept ? new_key : key, kept ? new_value.length : 0, kept);
    if (kept) converting->ok = fold_fill(converting->target, &converting->filling, new_key, new_value, converting->error);
    return converting->ok;
}

static bool put_text(struct converting *converting, struct slice key, struct slice text) {
    char *bytes = malloc(STATE_SEAL_SIZE + text.length);
    if (!bytes) return error_set(converting->error, "out of memory");
    memcpy(bytes + STATE_SEAL_SIZE, text.data, text.length);
    state_seal(bytes, STATE_SEAL_SIZE + text.length, key, 0);
    bool ok = fold_fill(converting->target, &converting->filling, key, (struct slice){bytes, STATE_SEAL_SIZE + text.length}, converting->error);
    free(bytes);
    return ok;
}

/* What the partition is to hold: every value in the new layout, the header, the one layout, and the generation. */
static bool convert(struct converting *converting, const struct changelog_generation *generation) {
    char key[32], text[OFFSETS_TEXT_SIZE + 128];
    const struct migrating *migrating = converting->migrating;
    enum state_result result = state_scan(converting->now->state, (struct slice){0}, convert_one, converting, converting->error);
    bool ok = converting->ok && (result == STATE_FOUND || result == STATE_ABSENT);
    memcpy(key, layout_record_prefix.data, layout_record_prefix.length);
    key[layout_record_prefix.length] = (char)converting->number;
    generation_text(generation, text);
    ok = ok && put_text(converting, (struct slice){key, layout_record_prefix.length + 1}, buffer_slice(&migrating->layout)) && put_text(converting, generation_record_key, slice_of(text));
    return fold_filled(converting->target, &converting->filling, ok, converting->error) && ok;
}

/* ---- look ---- */

static bool header_fits(const struct migrating *migrating, struct fold *now, bool *empty, struct error *error) {
    struct changelog_about about;
    if (!fold_about(now, &about, empty, error)) return *empty;
    if (about.format != STATE_FORMAT) return error_set(error, "it is of format %d, this program knows %d: use the kontor of a version that knows both", about.format, STATE_FORMAT);
    if (about.partitions != partitions_of(migrating))
        return error_set(error, "it was written with %d partitions, the inputs have %" PRId32 ": kontor rekey moves keys, state migrate does not", about.partitions, partitions_of(migrating));
    return true;
}

static bool look_at(struct migrating *migrating, struct fold *now, int32_t partition, struct error *error) {
    struct fold target = {.state = NULL};
    struct converting converting = {.migrating = migrating, .now = now, .target = &target, .counting = true, .ok = true, .error = error};
    struct changelog_generation *generation = &migrating->generations[partition];
    bool empty = false;
    if (!header_fits(migrating, now, &empty, error)) return false;
    if (empty) return true;
    if (!fold_generation(now, generation, error)) return false;
    if (!layouts_learn(&converting)) return false;
    migrating->todo += converting.foreign || generation->rewriting;
    if (migrating->problems) return true;
    const struct changelog_generation none = {.number = 1};
    bool ok = fold_open(&target, migrating->folder, "look", migrating->processor, partition, error) && convert(&converting, &none);
    fold_close(&target);
    return ok;
}

/* Whether the processor has written since. The last record of a partition that was made is the one of its generation; in one that is half made it is none that a batch of the
 * processor would end with. */
static bool has_gone_on(const struct migrating *migrating, const struct fold *now, int32_t partition) {
    const struct changelog_generation *generation = &migrating->generations[partition];
    char offsets[OFFSETS_TEXT_SIZE];
    state_offsets_text(&migrating->group, partition, offsets);
    if (generation->rewriting) return now->last == LAST_CLOCK || strcmp(offsets, generation->offsets) != 0;
    return now->last != LAST_GENERATION;
}

/* From which generation to which: on from where an interrupted run was, unless the processor has worked on what that left. */
static void generations_choose(struct migrating *migrating) {
    int least = 0, most = 0, rewriting = 0;
    for (int32_t p = 0; p < partitions_of(migrating); p++) {
        const struct changelog_generation *generation = &migrating->generations[p];
        if (!generation->number) continue;
        if (!least || generation->number < least) least = generation->number;
        if (generation->number > most) most = generation->number;
        if (generation->rewriting) rewriting = generation->number;
    }
    for (int32_t p = 0; p < partitions_of(migrating); p++)
        migrating->anew |= (rewriting || least != most) && migrating->generations[p].number == most && migrating->gone_on[p] && !migrating->back;
    migrating->to = migrating->anew ? most + 1 : rewriting ? rewriting : least != most ? most : most + 1;
    migrating->from = migrating->to - 1;
    if (migrating->back && !rewriting && least == most) {
        migrating->to = most;
        migrating->from = most - 1;
    }
    for (int32_t p = 0; p < partitions_of(migrating); p++) migrating->todo += least != most && migrating->generations[p].number && migrating->generations[p].number != migrating->to;
}

bool migrating_look(struct migrating *migrating, struct error *error) {
    char topic[CHANGELOG_NAME_SIZE];
    struct progress progress;
    int64_t records = 0;
    bool ok = true;
    migrating->generations = calloc((size_t)partitions_of(migrating) + 1, sizeof *migrating->generations);
    migrating->gone_on = calloc((size_t)partitions_of(migrating) + 1, sizeof *migrating->gone_on);
    if (!migrating->generations || !migrating->gone_on) return error_set(error, "out of memory");
    changelog_name(migrating->processor, 0, topic);
    progress_start(&progress, "reading the changelog", partitions_of(migrating));
    for (int32_t p = 0; ok && p < partitions_of(migrating); p++) {
        struct fold now = {.state = NULL};
        ok = fold_open(&now, migrating->folder, "now", migrating->processor, p, error) && fold_read(&now, migrating->connection, topic, p, error);
        if (ok && migrating->back) {
            bool empty;
            ok = header_fits(migrating, &now, &empty, error) && (empty || fold_generation(&now, &migrating->generations[p], error));
        } else if (ok) ok = look_at(migrating, &now, p, error) || in_partition(migrating, topic, p, error);
        if (ok) migrating->gone_on[p] = has_gone_on(migrating, &now, p);
        records += now.state ? (int64_t)state_entries(now.state) : 0;
        fold_close(&now);
        progress_at(&progress, p + 1, records);
    }
    progress_end(&progress);
    if (ok) generations_choose(migrating);
    return ok && (migrating->back || migration_all_used(migrating->migration, error));
}

/* ---- keep ---- */

static bool copy_create(const struct migrating *migrating, const char *topic, struct error *error) {
    static const char *const settings[][2] = {{"cleanup.policy", "compact"}, {"message.timestamp.type", "LogAppendTime"}, {"max.message.bytes", "4194304"}, {"min.compaction.lag.ms", "0"}};
    struct client_events events = {.role = "admin"};
    rd_kafka_t *client;
    const struct rd_kafka_metadata *metadata = NULL;
    char why[256];
    if (!connection_client(migrating->connection, RD_KAFKA_PRODUCER, NULL, NULL, &events, NULL, &events, &client, error)) return false;
    bool ok = connection_metadata(migrating->connection, client, &metadata, error);
    const bool there = ok && metadata_topic(metadata, topic);
    const int replication = !ok || metadata->broker_cnt < KEEP_REPLICATION ? ok ? metadata->broker_cnt : 1 : KEEP_REPLICATION;
    if (metadata) rd_kafka_metadata_destroy(metadata);
    rd_kafka_NewTopic_t *wanted = ok && !there ? rd_kafka_NewTopic_new(topic, partitions_of(migrating), replication, why, sizeof why) : NULL;
    if (wanted) {
        for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) rd_kafka_NewTopic_set_config(wanted, settings[i][0], settings[i][1]);
        rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
        rd_kafka_CreateTopics(client, &wanted, 1, NULL, queue);
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, KAFKA_TIMEOUT_MS);
        size_t count = 0;
        ok = event && !rd_kafka_event_error(event);
        const rd_kafka_topic_result_t **results = ok ? rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count) : NULL;
        ok = ok && (!count || !rd_kafka_topic_result_error(results[0]) || rd_kafka_topic_result_error(results[0]) == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS);
        if (!ok) error_set(error, "%s, which is to keep the generation before, cannot be created: %s", topic,
                           !event ? "no answer; try again" : count ? rd_kafka_err2str(rd_kafka_topic_result_error(results[0])) : rd_kafka_event_error_string(event));
        if (event) rd_kafka_event_destroy(event);
        rd_kafka_queue_destroy(queue);
        rd_kafka_NewTopic_destroy(wanted);
    }
    for (const int64_t deadline_ms = clock_monotonic_ms() + SETTLE_MS; ok;) {     /* until every partition has a leader */
        int led = 0;
        if (!(ok = connection_metadata(migrating->connection, client, &metadata, error))) break;
        const struct rd_kafka_metadata_topic *found = metadata_topic(metadata, topic);
        const int count = found ? found->partition_cnt : 0;
        for (int p = 0; p < count; p++) led += found->partitions[p].leader >= 0;
        rd_kafka_metadata_destroy(metadata);
        if (count && count != partitions_of(migrating)) ok = error_set(error, "%s has %d partitions, not %" PRId32 ": delete it first", topic, count, partitions_of(migrating));
        if (count && led == count) break;
        if (ok && clock_monotonic_ms() > deadline_ms) ok = error_set(error, "%s has no leader %d s after it was created; look at the broker's log", topic, SETTLE_MS / 1000);
        rd_kafka_poll(client, 50);
    }
    rd_kafka_destroy(client);
    return ok;
}

static bool keep_partition(struct migrating *migrating, const char *from, const char *to, int32_t partition, struct error *error) {
    struct fold now = {.state = NULL}, kept = {.state = NULL};
    bool ok = fold_open(&now, migrating->folder, "now", migrating->processor, partition, error) && fold_read(&now, migrating->connection, from, partition, error) &&
              fold_open(&kept, migrating->folder, "kept", migrating->processor, partition, error) && fold_read(&kept, migrating->connection, to, partition, error) &&
              rewrite(&migrating->rewriting, to, &kept, &now, (struct slice){0}, error) && rewrite_verify(&migrating->rewriting, to, migrating->folder, &now, partition, error);
    fold_close(&now);
    fold_close(&kept);
    return ok;
}

bool migrating_keep(struct migrating *migrating, struct error *error) {
    char from[CHANGELOG_NAME_SIZE], to[CHANGELOG_NAME_SIZE];
    struct progress progress;
    changelog_name(migrating->processor, 0, from);
    changelog_name(migrating->processor, migrating->from, to);
    bool ok = copy_create(migrating, to, error);
    progress_start(&progress, "keeping the generation before", partitions_of(migrating));
    for (int32_t p = 0; ok && p < partitions_of(migrating); p++) {
        const struct changelog_generation *generation = &migrating->generations[p];
        if (generation->number && (migrating->anew || (!generation->rewriting && generation->number < migrating->to))) ok = keep_partition(migrating, from, to, p, error);
        progress_at(&progress, p + 1, migrating->rewriting.written);
    }
    progress_end(&progress);
    return ok;
}

/* ---- rewrite ---- */

static bool target_convert(struct migrating *migrating, struct fold *now, struct fold *target, int32_t partition, struct changelog_generation *generation, struct error *error) {
    struct converting converting = {.migrating = migrating, .now = now, .target = target, .ok = true, .error = error};
    if (!layouts_learn(&converting)) return false;
    generation->number = migrating->to;
    generation->made_ms = clock_wall_ms();
    if (!generation->rewriting || migrating->anew) state_offsets_text(&migrating->group, partition, generation->offsets);    /* else: where it was when what is kept was kept */
    generation->rewriting = false;
    return convert(&converting, generation);
}

static bool rewrite_partition(struct migrating *migrating, int32_t partition, struct error *error) {
    char topic[CHANGELOG_NAME_SIZE], kept[CHANGELOG_NAME_SIZE], begun[OFFSETS_TEXT_SIZE + 128];
    struct fold now = {.state = NULL}, target = {.state = NULL};
    struct changelog_generation generation;
    changelog_name(migrating->processor, 0, topic);
    changelog_name(migrating->processor, migrating->from, kept);
    bool ok = fold_open(&now, migrating->folder, "now", migrating->processor, partition, error) && fold_read(&now, migrating->connection, topic, partition, error) &&
              fold_open(&target, migrating->folder, "target", migrating->processor, partition, error) && fold_generation(&now, &generation, error);
    if (ok) ok = migrating->back ? fold_read(&target, migrating->connection, kept, partition, error) : target_convert(migrating, &now, &target, partition, &generation, error);
    generation.number = migrating->to;
    generation.rewriting = true;
    generation_text(&generation, begun);
    if (ok && migrating->back && state_entries(target.state) == 0) ok = error_set(error, "%s/%" PRId32 " is empty: there is nothing to go back to", kept, partition);
    ok = ok && rewrite(&migrating->rewriting, topic, &now, &target, slice_of(begun), error) && rewrite_verify(&migrating->rewriting, topic, migrating->folder, &target, partition, error);
    fold_close(&now);
    fold_close(&target);
    return ok;
}

bool migrating_rewrite(struct migrating *migrating, struct error *error) {
    struct progress progress;
    bool ok = true;
    progress_start(&progress, "rewriting", partitions_of(migrating));
    for (int32_t p = 0; ok && p < partitions_of(migrating); p++) {
        const struct changelog_generation *generation = &migrating->generations[p];
        const bool done = migrating->back ? generation->number < migrating->to && !generation->rewriting : generation->number == migrating->to && !generation->rewriting;
        if (generation->number && (!done || migrating->anew)) ok = rewrite_partition(migrating, p, error);
        progress_at(&progress, p + 1, migrating->rewriting.written);
    }
    progress_end(&progress);
    return ok;
}

bool migrating_may_go_back(const struct migrating *migrating, struct error *error) {
    char now[OFFSETS_TEXT_SIZE];
    if (migrating->from < 1) return error_set(error, "this is the first generation: there is none before");
    for (int32_t p = 0; p < partitions_of(migrating); p++) {
        const struct changelog_generation *generation = &migrating->generations[p];
        if (!generation->number || generation->number < migrating->to) continue;
        if (migrating->gone_on[p])
            return error_set(error, "%s has gone on in partition %" PRId32 " since the generation was made: what it has decided would be forgotten. Keep the new version", migrating->processor, p);
        state_offsets_text(&migrating->group, p, now);
        if (strcmp(now, generation->offsets) != 0)
            return error_set(error, "the offsets of %s in partition %" PRId32 " are others than when the generation was made (then %.150s, now %.150s): what was decided between would be forgotten",
                             migrating->processor, p, generation->offsets, now);
    }
    return true;
}
