#include "tests/driver/instance.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/codec/wire.h"
#include "common/platform/hash.h"
#include "common/runtime/engine_internal.h"
#include "tests/driver/allocation.h"

enum { PATH_SIZE = 512 };

static int delete_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status; (void)kind; (void)place;
    return remove(path);
}

void folder_delete(const char *path) { nftw(path, delete_entry, 16, FTW_DEPTH | FTW_PHYS); }

/* ---- what the engine stands on ---- */

static enum schema_answer plan_find(void *context, const struct codec_type *reader, uint32_t schema_id, const struct codec_plan **plan, struct error *error) {
    const struct surroundings *surroundings = context;
    if (surroundings->registry_down) { error_set(error, "the registry does not answer"); return SCHEMA_UNREACHABLE; }
    if (!schema_id || schema_id > broker_schema_count) { error_set(error, "no schema has id %u", schema_id); return SCHEMA_UNKNOWN; }
    const struct codec_type *writer = broker_schemas[schema_id - 1];
    *plan = surroundings->broker->plans[schema_id - 1];
    if (writer == reader) return SCHEMA_READABLE;
    error_set(error, "%s cannot be read as %s", writer->name, reader->name);
    return SCHEMA_INCOMPATIBLE;
}

static uint32_t id_find(void *context, const struct codec_type *type, const char *topic) {
    (void)context; (void)topic;
    return broker_schema_id(type);
}

static bool send(void *context, const struct engine_output *output, struct error *error) {
    struct instance *instance = context;
    struct engine_output placed = *output;
    if (placed.partition < 0) placed.partition = hash_partition(output->key, PARTITIONS);
    allocation_suspend(true);
    bool ok = broker_append(instance->surroundings->broker, instance->processor->name, &placed, error);
    allocation_suspend(false);
    return ok;
}

static bool engine_make(struct instance *instance, struct error *error) {
    const struct engine_options options = {.processor = instance->processor, .version = "0.1.0", .schemas = {instance->surroundings, plan_find, id_find},
        .tables = instance->tables, .sink = {instance, send}, .partition_count = PARTITIONS, .batch_memory = BATCH_MEMORY, .erps = "tryton",
        .wait_limit_ms = INT64_C(30) * 86400000, .keep_event_ids_days = 35, .keep_documents_days = 800, .flood_window = 1000, .flood_percent = 100};
    return engine_new(&instance->engine, &options, error);
}

static bool path_make(const struct instance *instance, const char *name, char path[PATH_SIZE]) {
    snprintf(path, PATH_SIZE, "%s/%s", instance->surroundings->folder, instance->processor->name);
    mkdir(path, 0755);
    return snprintf(path, PATH_SIZE, "%s/%s/%s", instance->surroundings->folder, instance->processor->name, name) < PATH_SIZE;
}

static bool tables_make(struct instance *instance, struct error *error) {
    char path[PATH_SIZE];
    const struct table *list[MASTER_COUNT + 1];
    const char *sources[MASTER_COUNT];
    for (int i = 0; i < MASTER_COUNT; i++) sources[i] = MASTER_SOURCE;
    engine_tables(instance->processor, list);
    path_make(instance, "tables", path);
    const struct tables_options options = {.dir = path, .tables = list, .sources = sources, .now_ms = instance->surroundings->now_ms};
    return tables_open(&instance->tables, &options, error);
}

/* ---- tasks ---- */

/* Brings a state forward from the changelog, as common/runtime/restore.c does it with a broker. */
static bool state_restore(struct instance *instance, int32_t partition, struct state *state, int64_t position, struct error *error) {
    char topic[128];
    snprintf(topic, sizeof topic, "kontor.%s.changelog", instance->processor->name);
    const struct stored *stored;
    for (int64_t next = position < 0 ? 0 : position; (stored = broker_read(instance->surroundings->broker, topic, partition, next)); next = stored->offset + 1) {
        const struct state_change change = {stored->key, stored->value};
        const struct state_position at = {stored->offset + 1, instance->surroundings->now_ms};
        if (!state_apply(state, &change, 1, at, true, error)) return false;
    }
    return true;
}

static bool task_make(struct instance *instance, int32_t partition, struct error *error) {
    char path[PATH_SIZE], name[32];
    struct state *state;
    struct state_opening opening;
    if (instance->tasks[partition].task) return true;
    const struct state_identity identity = {.processor = instance->processor->name, .partition = (uint32_t)partition, .partition_count = PARTITIONS, .changelog_id = "driver"};
    snprintf(name, sizeof name, "state-%d", partition);
    path_make(instance, name, path);
    instance->tasks[partition].used = true;
    if (!state_open(&state, path, &identity, instance->surroundings->now_ms, 0, &opening, error)) return false;
    if (!state_restore(instance, partition, state, opening.at.position, error) ||
        task_open(&instance->tasks[partition].task, instance->engine, partition, state, error) != ENGINE_DONE) {
        state_close(state);
        return false;
    }
    instance->tasks[partition].state = state;
    return true;
}

static bool everything_open(struct instance *instance, struct error *error) {
    if (!tables_make(instance, error) || !engine_make(instance, error)) return false;
    for (int32_t p = 0; p < PARTITIONS; p++)
        if (instance->tasks[p].used && !task_make(instance, p, error)) return false;
    return instance_follow_tables(instance, error) == ENGINE_DONE;
}

bool instance_open(struct instance *instance, const struct processor *processor, struct surroundings *surroundings, struct error *error) {
    *instance = (struct instance){.processor = processor, .surroundings = surroundings};
    return everything_open(instance, error);
}

void instance_close(struct instance *instance) {
    for (int32_t p = 0; p < PARTITIONS; p++) {
        task_close(instance->tasks[p].task);
        state_close(instance->tasks[p].state);
        instance->tasks[p].task = NULL;
        instance->tasks[p].state = NULL;
    }
    engine_free(instance->engine);
    tables_close(instance->tables);
    instance->engine = NULL;
    instance->tables = NULL;
}

bool instance_restart(struct instance *instance, bool forget, struct error *error) {
    char path[PATH_SIZE];
    instance_close(instance);
    instance->reopen = false;
    path_make(instance, "", path);
    if (forget) folder_delete(path);
    return everything_open(instance, error);
}

int instance_input(const struct instance *instance, const char *topic) {
    for (int i = 0; i < INPUTS_MAXIMUM && instance->processor->inputs[i].topic; i++)
        if (strcmp(instance->processor->inputs[i].topic, topic) == 0) return i;
    if (strncmp(topic, RESOLUTIONS, strlen(RESOLUTIONS)) == 0) return strcmp(topic + strlen(RESOLUTIONS), instance->processor->name) == 0 ? INPUT_RESOLUTIONS : -1;
    return strcmp(topic, TICKS_INPUT) == 0 ? INPUT_TICKS : -1;
}

/* ---- batches ---- */

static enum engine_result task_settle(struct instance *instance, struct task *task, struct error *error) {
    enum engine_result result = ENGINE_DONE;
    for (bool more = true; more && result == ENGINE_DONE;) result = engine_step(instance->engine, task, &more, error);
    return result;
}

enum engine_result instance_settle(struct instance *instance, struct error *error) {
    for (int32_t p = 0; p < PARTITIONS; p++) {
        enum engine_result result = instance->tasks[p].task ? task_settle(instance, instance->tasks[p].task, error) : ENGINE_DONE;
        if (result != ENGINE_DONE && result != ENGINE_WAIT) return result;
    }
    return ENGINE_DONE;
}

/* One record of a master topic: into the table as it came. */
static bool table_take(struct instance *instance, size_t position, struct stored *stored, const struct codec_plan *plan, struct error *error) {
    struct arena arena;
    uint32_t schema_id;
    struct slice payload;
    const struct codec_type *type = master_tables[instance->processor->tables[position]].type;
    enum table_put put;
    if (!stored->value.data) put = tables_remove(instance->tables, position, stored->key, stored->offset, error);
    else {
        arena_init(&arena, 1 << 16, 1 << 24);
        allocation_suspend(true);
        void *record = arena_alloc(&arena, type->size);
        bool readable = codec_wire_read(stored->value.data, stored->value.length, &schema_id, &payload) &&
                        codec_decode(plan, payload.data, payload.length, &arena, record) == CODEC_OK;
        allocation_suspend(false);
        put = tables_put(instance->tables, position, stored->key, readable ? record : NULL, "it is nonsense", stored->offset, error);
        arena_free(&arena);
    }
    if (put != TABLE_PUT_BAD) return put == TABLE_PUT_GOOD;
    stored->bad = true;
    instance->bad_record = *error;
    return true;
}

static bool table_follow(struct instance *instance, size_t position, int64_t *next, struct error *error) {
    char topic[128];
    const struct table *table = &master_tables[instance->processor->tables[position]];
    snprintf(topic, sizeof topic, "master.%s", table->name);
    allocation_suspend(true);
    struct codec_plan *plan = codec_plan_own(table->type, error);
    allocation_suspend(false);
    if (!plan) return false;
    bool ok = true;
    struct stored *stored;
    for (int64_t at = tables_position(instance->tables, position); ok && (stored = broker_read(instance->surroundings->broker, topic, 0, at)); at = *next) {
        ok = table_take(instance, position, stored, plan, error);
        *next = stored->offset + 1;
    }
    codec_plan_free(plan);
    return ok;
}

enum engine_result instance_follow_tables(struct instance *instance, struct error *error) {
    int64_t next[MASTER_COUNT];
    bool changed = false;
    for (int i = 0; i < MASTER_COUNT; i++) next[i] = -1;
    if (!tables_begin(instance->tables, error)) return ENGINE_ABORT;
    for (size_t i = 0; instance->processor->tables[i] != END_OF_TABLES; i++)
        if (!table_follow(instance, i, &next[i], error)) return ENGINE_ABORT;
    if (!tables_commit(instance->tables, next, instance->surroundings->now_ms, error)) return ENGINE_ABORT;
    for (int i = 0; i < MASTER_COUNT; i++) changed |= next[i] >= 0;
    if (changed) engine_tables_changed(instance->engine);
    return ENGINE_DONE;
}

static enum engine_result one_take(struct instance *instance, struct task *task, int input, const struct engine_message *message, bool *again, struct error *error) {
    *again = false;
    if (input == INPUT_TICKS) return engine_tick(instance->engine, task, message->received_ms, again, error);
    if (input == INPUT_RESOLUTIONS) return engine_resolve(instance->engine, task, message, error);
    return engine_take(instance->engine, task, message, again, error);
}

enum engine_result instance_take(struct instance *instance, const char *topic, struct engine_message *message, struct error *error) {
    if (!instance->tasks[message->partition].task) {   /* a task is opened between batches */
        enum engine_result result = instance_commit(instance, error);
        if (result != ENGINE_DONE) return result;
        if (!task_make(instance, message->partition, error)) return ENGINE_ABORT;
    }
    const int input = instance_input(instance, topic);
    message->input = input < INPUTS_MAXIMUM ? input : 0;
    struct task *task = instance->tasks[message->partition].task;
    for (bool again = true; again;) {
        enum engine_result result = task_settle(instance, task, error);
        if (result == ENGINE_DONE) result = one_take(instance, task, input, message, &again, error);
        if (result != ENGINE_DONE) return result;
    }
    return ENGINE_DONE;
}

static struct state_position position_after(void *context, const struct task *task) {
    const struct instance *instance = context;
    char topic[128];
    snprintf(topic, sizeof topic, "kontor.%s.changelog", instance->processor->name);
    return (struct state_position){broker_end(instance->surroundings->broker, topic, task_partition(task)), instance->surroundings->now_ms};
}

enum engine_result instance_commit(struct instance *instance, struct error *error) {
    if (!engine_batch_records(instance->engine)) return ENGINE_DONE;
    enum engine_result result = engine_seal(instance->engine, error);
    if (result != ENGINE_DONE) return result;
    if (instance->commit_fails) allocation_fail_at(ALLOCATION_HEAP, 1);
    bool committed = engine_commit(instance->engine, position_after, instance, error);
    allocation_end();
    if (committed) return ENGINE_DONE;
    instance->reopen = true;
    return ENGINE_FATAL;
}

bool instance_abort(struct instance *instance, struct error *error) { return engine_abort(instance->engine, error); }

/* ---- looking at it ---- */

static bool fingerprint_add(void *context, struct slice key, struct state_value value) {
    uint64_t *sum = context;
    *sum += hash_slice(key) * 31 + hash_slice(value.body) * 17;
    return true;
}

uint64_t instance_fingerprint(const struct instance *instance) {
    uint64_t sum = 0;
    struct error error;
    for (int32_t p = 0; p < PARTITIONS; p++)
        if (instance->tasks[p].state) (void)state_scan(instance->tasks[p].state, (struct slice){"", 0}, fingerprint_add, &sum, &error);
    return sum;
}

bool instance_state(const struct instance *instance, int store, struct slice key, const void **record, struct error *error) {
    char whole[STATE_KEY_MAXIMUM];
    struct state_value value;
    struct kept kept;
    *record = NULL;
    if (key.length >= sizeof whole) return error_set(error, "a key of %zu bytes", key.length);
    whole[0] = (char)(STORE_FIRST + store);
    memcpy(whole + 1, key.data, key.length);
    for (int32_t p = 0; p < PARTITIONS && !*record; p++) {
        enum state_result result = instance->tasks[p].state ? state_get(instance->tasks[p].state, (struct slice){whole, key.length + 1}, &value, error) : STATE_ABSENT;
        if (result == STATE_ABSENT) continue;
        if (result != STATE_FOUND) return false;
        if (overlay_decode(instance->tasks[p].task, STORE_FIRST + store, value, &kept) != ENGINE_DONE) return error_set(error, "a record of the state cannot be read");
        *record = kept.object;
    }
    return true;
}

static bool count_add(void *context, struct slice key, struct state_value value) {
    (void)key; (void)value;
    ++*(size_t *)context;
    return true;
}

size_t instance_count(const struct instance *instance, int store) {
    const char prefix = (char)(STORE_FIRST + store);
    size_t count = 0;
    struct error error;
    for (int32_t p = 0; p < PARTITIONS; p++)
        if (instance->tasks[p].state) (void)state_scan(instance->tasks[p].state, (struct slice){&prefix, 1}, count_add, &count, &error);
    return count;
}

struct task_waiting instance_waiting(const struct instance *instance) {
    struct task_waiting sum = {0};
    for (int32_t p = 0; p < PARTITIONS; p++) {
        if (!instance->tasks[p].task) continue;
        struct task_waiting waiting = task_waiting(instance->tasks[p].task);
        sum.parked += waiting.parked;
        sum.held += waiting.held;
        sum.behind += waiting.behind;
    }
    return sum;
}
