#include "cli/replay.h"

#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/progress.h"
#include "cli/scan.h"
#include "cli/values.h"
#include "common/platform/clock.h"
#include "common/codec/plan.h"
#include "common/runtime/schemas.h"
#include "common/runtime/settings.h"
#include "common/state/state.h"
#include "common/tables/tables.h"

enum { BATCH_RECORDS = 2000, BATCH_MEMORY = 64 << 20, VALUE_MEMORY = 64 << 20, PATH_SIZE = 512, KEEP_EVENT_IDS_DAYS = 35, KEEP_DOCUMENTS_DAYS = 800, FLOOD_WINDOW = 1000 };

/* A record as it was read, in one allocation. */
struct kept_record { struct kept_record *next; int64_t offset, timestamp_ms; struct slice key, value; char bytes[]; };
struct queue { struct kept_record *first, **last; };

struct replay {
    const struct replay_options *options;
    char folder[64];
    struct registry *registry;
    struct schemas *schemas;
    struct values *values;
    struct arena arena;
    const struct table *list[MASTER_COUNT + 1];
    struct tables *tables;
    int64_t next_offset[TABLES_MAXIMUM];
    struct engine *engine;
    struct queue queues[INPUTS_MAXIMUM];
    int input_count;
    int32_t partition_count;
    int64_t event_time_ms, changelog_offset, records;
    char erps[1024];
};

/* ---- the temporary folder ---- */

static int delete_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status; (void)kind; (void)place;
    return remove(path);
}

static bool folder_make(struct replay *replay, struct error *error) {
    const char *parent = getenv("TMPDIR");
    int length = snprintf(replay->folder, sizeof replay->folder, "%s/kontor-replay-XXXXXX", parent && *parent ? parent : "/tmp");
    if (length >= (int)sizeof replay->folder) return error_set(error, "TMPDIR is too long a path: %s", parent);
    if (mkdtemp(replay->folder)) return true;
    error_set(error, "%s: a temporary folder cannot be made: %m", replay->folder);
    replay->folder[0] = 0;
    return false;
}

/* ---- tables ---- */

static enum scan_step take_master(void *context, const struct kafka_record *record, struct error *error) {
    struct replay *replay = context;
    const size_t table = record->topic_index;
    struct error why = {{0}}, bad;
    enum table_put put;
    replay->next_offset[table] = record->offset + 1;
    if (!record->value.data) {
        put = tables_remove(replay->tables, table, record->key, record->offset, error);
    } else {
        arena_reset(&replay->arena);
        void *value = arena_alloc(&replay->arena, replay->list[table]->type->size);
        enum values_result read = value ? values_decode(replay->values, record->value, replay->list[table]->type, &replay->arena, value, &why) : VALUES_FAILED;
        if (read == VALUES_FAILED) {
            error_set(error, "%s", value ? why.text : "out of memory");
            return SCAN_FAILED;
        }
        put = tables_put(replay->tables, table, record->key, read == VALUES_OK ? value : NULL, why.text, record->offset, &bad);
        if (put == TABLE_PUT_FAILED) *error = bad;
    }
    return put == TABLE_PUT_FAILED ? SCAN_FAILED : SCAN_MORE;   /* a bad one is stale here as there */
}

static bool put_one(struct replay *replay, size_t table, const struct replay_record *record, struct error *error) {
    struct codec_plan *plan = codec_plan_own(replay->list[table]->type, error);
    arena_reset(&replay->arena);
    void *value = plan ? arena_alloc(&replay->arena, replay->list[table]->type->size) : NULL;
    bool ok = value && codec_decode(plan, record->value.data, record->value.length, &replay->arena, value) == CODEC_OK;
    if (plan && !ok) error_set(error, "out of memory");
    int64_t offset = replay->next_offset[table] < 0 ? 0 : replay->next_offset[table];
    ok = ok && tables_put(replay->tables, table, record->key, value, "", offset, error) == TABLE_PUT_GOOD;
    replay->next_offset[table] = offset + 1;
    codec_plan_free(plan);
    return ok;
}

static bool put_instead(struct replay *replay, struct error *error) {
    for (size_t i = 0; i < replay->options->instead_count; i++)
        for (size_t table = 0; replay->list[table]; table++)
            if (replay->list[table] == &master_tables[replay->options->instead[i].table] && !put_one(replay, table, &replay->options->instead[i], error)) return false;
    return true;
}

static bool tables_read(struct replay *replay, struct error *error) {
    char path[PATH_SIZE], names[TABLES_MAXIMUM][256];
    const char *sources[TABLES_MAXIMUM];
    const struct connection *connection = replay->options->connection;
    engine_tables(replay->options->processor, replay->list);
    struct scan scan = {.connection = connection, .partition = SCAN_ALL_PARTITIONS, .from_offset = SCAN_FROM_BEGINNING, .visit = take_master, .context = replay};
    for (; replay->list[scan.topic_count]; scan.topic_count++) {
        snprintf(names[scan.topic_count], sizeof names[0], "master.%s", replay->list[scan.topic_count]->name);
        scan.topics[scan.topic_count] = names[scan.topic_count];
    }
    settings_table_sources(connection->config, replay->options->processor, sources);
    for (size_t i = 0; replay->list[i]; i++)
        if (!*sources[i])
            return error_set(error, "the authoritative sources of the master tables are not known: give the processors' properties file with --config, or set KONTOR_TABLES_SOURCE");
    snprintf(path, sizeof path, "%s/tables", replay->folder);
    const struct tables_options options = {.dir = path, .tables = replay->list, .sources = sources, .now_ms = clock_wall_ms()};
    for (size_t i = 0; i < TABLES_MAXIMUM; i++) replay->next_offset[i] = -1;
    return tables_open(&replay->tables, &options, error) && tables_begin(replay->tables, error) && scan_run(&scan, error) && put_instead(replay, error) &&
           tables_commit(replay->tables, replay->next_offset, options.now_ms, error);
}

/* ---- the engine ---- */

static bool take_output(void *context, const struct engine_output *output, struct error *error) {
    struct replay *replay = context;
    if (output->changelog) {
        replay->changelog_offset++;
        return true;
    }
    return replay->options->output(replay->options->context, output, replay->event_time_ms, error);
}

/* The ERPs that have a topic, and how many partitions the first input has. */
static bool cluster_look(struct replay *replay, struct error *error) {
    static const char prefix[] = "posting.commands.";
    struct client_events events = {.role = "client"};
    rd_kafka_t *client = NULL;
    const struct rd_kafka_metadata *metadata = NULL;
    const struct client_property none[] = {{NULL, NULL}};
    const struct connection *connection = replay->options->connection;
    const char *input = replay->options->processor->inputs[0].topic;
    bool ok = connection_client(connection, RD_KAFKA_CONSUMER, none, none, &events, NULL, &events, &client, error) && connection_metadata(connection, client, &metadata, error);
    const struct rd_kafka_metadata_topic *topic = ok ? metadata_topic(metadata, input) : NULL;
    if (ok && !topic) ok = connection_no_topic(connection, metadata, input, error);
    if (ok) replay->partition_count = topic->partition_cnt;
    for (int i = 0; ok && i < metadata->topic_cnt; i++) {
        const char *name = metadata->topics[i].topic;
        size_t used = strlen(replay->erps);
        if (strncmp(name, prefix, sizeof prefix - 1) == 0) snprintf(replay->erps + used, sizeof replay->erps - used, "%s%s", used ? "," : "", name + sizeof prefix - 1);
    }
    if (metadata) rd_kafka_metadata_destroy(metadata);
    if (client) rd_kafka_destroy(client);
    return ok;
}

static bool engine_make(struct replay *replay, struct error *error) {
    replay->registry = connection_registry(replay->options->connection, error);
    if (!replay->registry || !schemas_open(&replay->schemas, replay->registry, error) ||
        schemas_prepare(replay->schemas, replay->options->processor, replay->erps, error) != REGISTRY_FOUND) return false;
    const struct engine_options options = {
        .processor = replay->options->processor, .version = KONTOR_VERSION, .schemas = schemas_for_engine(replay->schemas), .tables = replay->tables,
        .sink = {replay, take_output}, .partition_count = replay->partition_count, .batch_memory = BATCH_MEMORY, .erps = replay->erps,
        .wait_limit_ms = config_integer(replay->options->connection->config, "parking.limit"), .keep_event_ids_days = KEEP_EVENT_IDS_DAYS,
        .keep_documents_days = KEEP_DOCUMENTS_DAYS, .flood_window = FLOOD_WINDOW, .flood_percent = 100};
    return engine_new(&replay->engine, &options, error);
}

/* ---- a partition ---- */

static enum scan_step keep_record(void *context, const struct kafka_record *record, struct error *error) {
    struct replay *replay = context;
    struct kept_record *kept = malloc(sizeof *kept + record->key.length + record->value.length);
    if (!kept) {
        error_set(error, "out of memory for the events of partition %" PRId32, record->partition);
        return SCAN_FAILED;
    }
    *kept = (struct kept_record){.offset = record->offset, .timestamp_ms = record->timestamp_ms,
                                 .key = {record->key.data ? kept->bytes : NULL, record->key.length},
                                 .value = {record->value.data ? kept->bytes + record->key.length : NULL, record->value.length}};
    if (record->key.length) memcpy(kept->bytes, record->key.data, record->key.length);
    if (record->value.length) memcpy(kept->bytes + record->key.length, record->value.data, record->value.length);
    struct queue *queue = &replay->queues[record->topic_index];
    *queue->last = kept;
    queue->last = &kept->next;
    return SCAN_MORE;
}

static void queues_free(struct replay *replay) {
    for (int i = 0; i < replay->input_count; i++) {
        for (struct kept_record *record = replay->queues[i].first, *next; record; record = next) {
            next = record->next;
            free(record);
        }
        replay->queues[i].first = NULL;
        replay->queues[i].last = &replay->queues[i].first;
    }
}

static struct state_position position_after(void *context, const struct task *task) {
    const struct replay *replay = context;
    (void)task;
    return (struct state_position){replay->changelog_offset, clock_wall_ms()};
}

static bool commit(struct replay *replay, struct error *error) {
    if (!engine_batch_records(replay->engine)) return true;
    return engine_seal(replay->engine, error) == ENGINE_DONE && engine_commit(replay->engine, position_after, replay, error);
}

/* Releases that are due, then the record. */
static bool take(struct replay *replay, struct task *task, const struct engine_message *message, struct error *error) {
    for (bool again = true, more = true; again;) {
        while (more) {
            if (engine_step(replay->engine, task, &more, error) != ENGINE_DONE) return false;
            if (engine_full(replay->engine) && !commit(replay, error)) return false;
        }
        if (!message) return true;
        if (engine_take(replay->engine, task, message, &again, error) != ENGINE_DONE) return false;
        more = true;
    }
    return true;
}

/* The input whose head comes next: the least time, and of equal ones the first declared. */
static int next_input(const struct replay *replay) {
    int next = -1;
    for (int i = 0; i < replay->input_count; i++)
        if (replay->queues[i].first && (next < 0 || replay->queues[i].first->timestamp_ms < replay->queues[next].first->timestamp_ms)) next = i;
    return next;
}

/* Records live until their batch is committed. */
static bool take_all(struct replay *replay, struct task *task, int32_t partition, struct error *error) {
    struct kept_record *taken = NULL;
    bool ok = true;
    for (int input; ok && (input = next_input(replay)) >= 0;) {
        struct queue *queue = &replay->queues[input];
        struct kept_record *record = queue->first;
        queue->first = record->next;
        if (!queue->first) queue->last = &queue->first;
        const struct engine_message message = {.input = input, .partition = partition, .offset = record->offset, .timestamp_ms = record->timestamp_ms,
                                               .received_ms = clock_wall_ms(), .key = record->key, .value = record->value};
        replay->event_time_ms = record->timestamp_ms;
        replay->records++;
        ok = take(replay, task, &message, error);
        record->next = taken;
        taken = record;
        if (ok && (engine_batch_records(replay->engine) < BATCH_RECORDS && !engine_full(replay->engine))) continue;
        ok = ok && commit(replay, error);
        for (struct kept_record *old = taken, *next; old; old = next) { next = old->next; free(old); }
        taken = NULL;
    }
    ok = ok && take(replay, task, NULL, error) && commit(replay, error);
    for (struct kept_record *old = taken, *next; old; old = next) { next = old->next; free(old); }
    return ok;
}

static bool partition_replay(struct replay *replay, int32_t partition, struct error *error) {
    const struct processor *processor = replay->options->processor;
    struct scan scan = {.connection = replay->options->connection, .partition = partition, .from_offset = SCAN_FROM_BEGINNING, .visit = keep_record, .context = replay};
    for (; scan.topic_count < INPUTS_MAXIMUM && processor->inputs[scan.topic_count].topic; scan.topic_count++)
        scan.topics[scan.topic_count] = processor->inputs[scan.topic_count].topic;
    replay->input_count = (int)scan.topic_count;
    queues_free(replay);
    if (!scan_run(&scan, error)) return false;
    char path[PATH_SIZE];
    struct state *state = NULL;
    struct task *task = NULL;
    struct state_opening opening;
    const struct state_identity identity = {processor->name, (uint32_t)partition, (uint32_t)replay->partition_count, "replay"};
    snprintf(path, sizeof path, "%s/%" PRId32, replay->folder, partition);
    replay->changelog_offset = 0;
    bool ok = state_open(&state, path, &identity, clock_wall_ms(), 0, &opening, error) && task_open(&task, replay->engine, partition, state, error) == ENGINE_DONE &&
              take_all(replay, task, partition, error);
    task_close(task);
    state_close(state);
    nftw(path, delete_entry, 16, FTW_DEPTH | FTW_PHYS);
    return ok;
}

bool replay_run(const struct replay_options *options, struct engine_counts *counts, struct error *error) {
    struct replay *replay = calloc(1, sizeof *replay);
    if (!replay) return error_set(error, "out of memory");
    replay->options = options;
    arena_init(&replay->arena, 1 << 16, VALUE_MEMORY);
    bool ok = folder_make(replay, error) && cluster_look(replay, error) && values_open(&replay->values, options->connection, error) && tables_read(replay, error) &&
              engine_make(replay, error);
    struct progress progress;
    progress_start(&progress, "replaying", replay->partition_count);
    for (int32_t p = 0; ok && p < replay->partition_count; p++) {
        ok = partition_replay(replay, p, error);
        progress_at(&progress, p + 1, replay->records);
    }
    progress_end(&progress);
    if (ok) *counts = *engine_counts(replay->engine);
    queues_free(replay);
    engine_free(replay->engine);
    schemas_close(replay->schemas);
    registry_free(replay->registry);
    tables_close(replay->tables);
    values_close(replay->values);
    arena_free(&replay->arena);
    if (replay->folder[0]) nftw(replay->folder, delete_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(replay);
    return ok;
}
