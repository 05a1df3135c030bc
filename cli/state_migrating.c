#include "cli/state_migrating.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/platform/clock.h"
#include "common/runtime/layout_text.h"

enum { LAYOUTS = 256, ENGINE_STORE = 0 };

static int32_t partitions_of(const struct migrating *migrating) { return migrating->group.partition_count; }

static bool in_partition(const char *topic, int32_t partition, struct error *error) { return error_prefix(error, "%s/%" PRId32, topic, partition); }

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
    if (is_text(key, value)) return true;
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

/* What the partition is to hold: every value in the new layout, a header of its own, by which an instance knows that its copy is of another changelog, and the one layout. */
static bool convert(struct converting *converting) {
    char key[32], header[HEADER_TEXT_SIZE];
    const struct migrating *migrating = converting->migrating;
    enum state_result result = state_scan(converting->now->state, (struct slice){0}, convert_one, converting, converting->error);
    bool ok = converting->ok && (result == STATE_FOUND || result == STATE_ABSENT);
    memcpy(key, layout_record_prefix.data, layout_record_prefix.length);
    key[layout_record_prefix.length] = (char)converting->number;
    header_text(header, partitions_of(migrating), KONTOR_VERSION, making_new_id());
    ok = ok && put_text(converting, header_record_key, slice_of(header)) && put_text(converting, (struct slice){key, layout_record_prefix.length + 1}, buffer_slice(&migrating->layout));
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
    bool empty = false;
    if (!header_fits(migrating, now, &empty, error)) return false;
    if (empty) return true;
    if (!layouts_learn(&converting)) return false;
    migrating->todo += converting.foreign;
    if (migrating->problems) return true;
    bool ok = fold_open(&target, migrating->folder, "look", migrating->processor, partition, error) && convert(&converting);
    fold_close(&target);
    return ok;
}

bool migrating_look(struct migrating *migrating, struct error *error) {
    const char *topic = migrating->making.live.changelog;
    struct progress progress;
    int64_t records = 0;
    bool ok = true;
    progress_start(&progress, "reading the changelog", partitions_of(migrating));
    for (int32_t p = 0; ok && p < partitions_of(migrating); p++) {
        struct fold now = {.state = NULL};
        ok = fold_open(&now, migrating->folder, "now", migrating->processor, p, error) && fold_read(&now, migrating->connection, topic, p, error) &&
             (look_at(migrating, &now, p, error) || in_partition(topic, p, error));
        records += now.state ? (int64_t)state_entries(now.state) : 0;
        fold_close(&now);
        progress_at(&progress, p + 1, records);
    }
    progress_end(&progress);
    return ok && migration_all_used(migrating->migration, error);
}

bool migrating_look_back(struct migrating *migrating, struct error *error) {
    struct generation *before = &migrating->before;
    bool ok = state_making_before(&migrating->making, before, error);
    for (int32_t p = 0; ok && p < partitions_of(migrating); p++) {
        struct fold fold = {.state = NULL};
        bool empty;
        ok = fold_open(&fold, migrating->folder, "before", migrating->processor, p, error) && fold_read(&fold, migrating->connection, before->changelog, p, error) &&
             state_making_may_go_back(&migrating->making, before, &fold, p, error) && (state_entries(fold.state) == 1 || header_fits(migrating, &fold, &empty, error));
        fold_close(&fold);
    }
    return ok;
}

/* ---- writing ---- */

static bool write_partition(struct migrating *migrating, int32_t partition, struct error *error) {
    struct fold now = {.state = NULL}, target = {.state = NULL};
    struct converting converting = {.migrating = migrating, .now = &now, .target = &target, .ok = true, .error = error};
    bool ok = fold_open(&now, migrating->folder, "now", migrating->processor, partition, error) &&
              fold_read(&now, migrating->connection, migrating->making.live.changelog, partition, error);
    if (ok && state_entries(now.state)) {       /* of what is empty nothing is made: it is begun by the first who writes there */
        ok = fold_open(&target, migrating->folder, "target", migrating->processor, partition, error) && layouts_learn(&converting) && convert(&converting) &&
             state_making_write(&migrating->making, migrating->folder, &target, partition, error);
    }
    fold_close(&now);
    fold_close(&target);
    return ok;
}

bool migrating_write(struct migrating *migrating, struct error *error) {
    bool ok = state_making_create(&migrating->making, error);
    if (ok) making_say("writing %s", migrating->making.next.changelog);
    for (int32_t p = 0; ok && p < partitions_of(migrating); p++) ok = write_partition(migrating, p, error);
    return ok;
}
