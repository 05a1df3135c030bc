#include "cli/sandbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/changelog.h"
#include "common/codec/plan.h"
#include "common/platform/clock.h"
#include "common/runtime/settings.h"
#include "common/state/state.h"
#include "processors.h"

enum { BATCH_MEMORY = 64 << 20, VALUE_MEMORY = 64 << 20, PATH_SIZE = 512, KEEP_EVENT_IDS_DAYS = 35, KEEP_DOCUMENTS_DAYS = 800, FLOOD_WINDOW = 1000 };

#define DECLARE(name) extern const struct processor name##_processor;
KONTOR_PROCESSORS(DECLARE)
#define REFER(name) &name##_processor,
const struct processor *const known_processors[] = {KONTOR_PROCESSORS(REFER)};
const size_t known_processor_count = sizeof known_processors / sizeof *known_processors;

const struct processor *processor_named(struct slice name) {
    for (size_t i = 0; i < known_processor_count; i++)
        if (slice_equal(name, slice_of(known_processors[i]->name))) return known_processors[i];
    return NULL;
}

bool processor_posts(const struct processor *processor) {
    for (size_t i = 0; processor->tables[i] != END_OF_TABLES; i++)
        if (processor->tables[i] == MASTER_POSTING_RULES) return true;
    return false;
}

/* What stands before the ERP's name in the topics of its output per ERP; the reviewer's is one per processor. "": it has none. */
static void prefix_per_erp(const struct processor *processor, char *prefix, size_t size) {
    *prefix = 0;
    for (int i = 0; i < OUTPUTS_MAXIMUM && processor->outputs[i].topic; i++)
        if (processor->outputs[i].per_erp) snprintf(prefix, size, "%s.", processor->outputs[i].topic);
}

/* The ERPs that have a topic, and how many partitions the first input has. */
static bool cluster_look(struct sandbox *sandbox, struct error *error) {
    char prefix[256];
    prefix_per_erp(sandbox->processor, prefix, sizeof prefix);
    const size_t length = strlen(prefix);
    struct client_events events = {.role = "client"};
    rd_kafka_t *client = NULL;
    const struct rd_kafka_metadata *metadata = NULL;
    const struct client_property none[] = {{NULL, NULL}};
    const struct connection *connection = sandbox->connection;
    const char *input = sandbox->processor->inputs[0].topic;
    bool ok = connection_client(connection, RD_KAFKA_CONSUMER, none, none, &events, NULL, &events, &client, error) && connection_metadata(connection, client, &metadata, error);
    const struct rd_kafka_metadata_topic *topic = ok ? metadata_topic(metadata, input) : NULL;
    if (ok && !topic) ok = connection_no_topic(connection, metadata, input, error);
    if (ok) sandbox->partition_count = topic->partition_cnt;
    for (int i = 0; ok && i < metadata->topic_cnt; i++) {
        const char *name = metadata->topics[i].topic;
        size_t used = strlen(sandbox->erps);
        if (length && strncmp(name, prefix, length) == 0) snprintf(sandbox->erps + used, sizeof sandbox->erps - used, "%s%s", used ? "," : "", name + length);
    }
    if (metadata) rd_kafka_metadata_destroy(metadata);
    if (client) rd_kafka_destroy(client);
    return ok;
}

bool sandbox_open(struct sandbox *sandbox, const struct connection *connection, const struct processor *processor,
                  bool (*output)(void *context, const struct engine_output *output, struct error *error), void *context, struct error *error) {
    *sandbox = (struct sandbox){.connection = connection, .processor = processor, .output = output, .context = context};
    arena_init(&sandbox->arena, 1 << 16, VALUE_MEMORY);
    engine_tables(processor, sandbox->list);
    while (sandbox->list[sandbox->table_count]) sandbox->table_count++;
    return folder_make(sandbox->folder, "replay", error) && cluster_look(sandbox, error) && values_open(&sandbox->values, connection, error);
}

void sandbox_close(struct sandbox *sandbox) {
    sandbox_stop(sandbox);
    tables_close(sandbox->tables);
    values_close(sandbox->values);
    arena_free(&sandbox->arena);
    if (sandbox->folder[0]) folder_delete(sandbox->folder);
    *sandbox = (struct sandbox){.connection = NULL};
}

/* ---- tables ---- */

bool sandbox_tables(struct sandbox *sandbox, struct error *error) {
    char path[PATH_SIZE];
    const char *sources[TABLES_MAXIMUM];
    settings_table_sources(sandbox->connection->config, sandbox->processor, sources);
    for (size_t i = 0; i < sandbox->table_count; i++)
        if (!*sources[i])
            return error_set(error, "the authoritative sources of the master tables are not known: give the processors' properties file with --config, or set KONTOR_TABLES_SOURCE");
    snprintf(path, sizeof path, "%s/tables-%d", sandbox->folder, sandbox->tables_made);
    if (sandbox->tables) {
        tables_close(sandbox->tables);
        sandbox->tables = NULL;
        folder_delete(path);
    }
    snprintf(path, sizeof path, "%s/tables-%d", sandbox->folder, ++sandbox->tables_made);
    const struct tables_options options = {.dir = path, .tables = sandbox->list, .sources = sources, .now_ms = clock_wall_ms()};
    for (size_t i = 0; i < TABLES_MAXIMUM; i++) sandbox->next_offset[i] = -1;
    return tables_open(&sandbox->tables, &options, error);
}

bool sandbox_put(struct sandbox *sandbox, size_t table, struct slice key, struct slice value, int64_t offset, struct error *error) {
    struct error why = {{0}}, bad;
    enum table_put put;
    sandbox->next_offset[table] = offset + 1;
    if (!value.data) {
        put = tables_remove(sandbox->tables, table, key, offset, error);
    } else {
        arena_reset(&sandbox->arena);
        void *record = arena_alloc(&sandbox->arena, sandbox->list[table]->type->size);
        enum values_result read = record ? values_decode(sandbox->values, value, sandbox->list[table]->type, &sandbox->arena, record, &why) : VALUES_FAILED;
        if (read == VALUES_FAILED) return error_set(error, "%s", record ? why.text : "out of memory");
        put = tables_put(sandbox->tables, table, key, read == VALUES_OK ? record : NULL, why.text, offset, &bad);
        if (put == TABLE_PUT_FAILED) *error = bad;
    }
    return put != TABLE_PUT_FAILED;     /* a bad one is stale here as there */
}

bool sandbox_put_own(struct sandbox *sandbox, size_t table, struct slice key, struct slice value, struct error *error) {
    struct codec_plan *plan = codec_plan_own(sandbox->list[table]->type, error);
    arena_reset(&sandbox->arena);
    void *record = plan ? arena_alloc(&sandbox->arena, sandbox->list[table]->type->size) : NULL;
    bool ok = record && codec_decode(plan, value.data, value.length, &sandbox->arena, record) == CODEC_OK;
    if (plan && !ok) error_set(error, "out of memory");
    int64_t offset = sandbox->next_offset[table] < 0 ? 0 : sandbox->next_offset[table];
    ok = ok && tables_put(sandbox->tables, table, key, record, "", offset, error) == TABLE_PUT_GOOD;
    sandbox->next_offset[table] = offset + 1;
    codec_plan_free(plan);
    return ok;
}

bool sandbox_tables_commit(struct sandbox *sandbox, struct error *error) { return tables_commit(sandbox->tables, sandbox->next_offset, clock_wall_ms(), error); }

static enum scan_step take_master(void *context, const struct kafka_record *record, struct error *error) {
    return sandbox_put(context, record->topic_index, record->key, record->value, record->offset, error) ? SCAN_MORE : SCAN_FAILED;
}

bool sandbox_tables_today(struct sandbox *sandbox, struct error *error) {
    char names[TABLES_MAXIMUM][256];
    struct scan scan = {.connection = sandbox->connection, .partition = SCAN_ALL_PARTITIONS, .from_offset = SCAN_FROM_BEGINNING, .visit = take_master, .context = sandbox};
    for (; scan.topic_count < sandbox->table_count; scan.topic_count++) {
        snprintf(names[scan.topic_count], sizeof names[0], "master.%s", sandbox->list[scan.topic_count]->name);
        scan.topics[scan.topic_count] = names[scan.topic_count];
    }
    return sandbox_tables(sandbox, error) && tables_begin(sandbox->tables, error) && scan_run(&scan, error) && sandbox_tables_commit(sandbox, error);
}

/* ---- the engine ---- */

static bool take_output(void *context, const struct engine_output *output, struct error *error) {
    struct sandbox *sandbox = context;
    if (output->changelog) {
        sandbox->changelog_offset++;
        return true;
    }
    return sandbox->output(sandbox->context, output, error);
}

bool sandbox_start(struct sandbox *sandbox, struct error *error) {
    if (!sandbox->registry) sandbox->registry = connection_registry(sandbox->connection, error);
    if (!sandbox->registry || (!sandbox->schemas && (!schemas_open(&sandbox->schemas, sandbox->registry, error) ||
        schemas_prepare(sandbox->schemas, sandbox->processor, sandbox->erps, error) != REGISTRY_FOUND))) return false;
    const struct engine_options options = {
        .processor = sandbox->processor, .version = KONTOR_VERSION, .schemas = schemas_for_engine(sandbox->schemas), .tables = sandbox->tables,
        .sink = {sandbox, take_output}, .partition_count = sandbox->partition_count, .batch_memory = BATCH_MEMORY, .erps = sandbox->erps,
        .wait_limit_ms = config_integer(sandbox->connection->config, "parking.limit"), .keep_event_ids_days = KEEP_EVENT_IDS_DAYS,
        .keep_documents_days = KEEP_DOCUMENTS_DAYS, .flood_window = FLOOD_WINDOW, .flood_percent = 100};
    return engine_new(&sandbox->engine, &options, error);
}

void sandbox_stop(struct sandbox *sandbox) {
    engine_free(sandbox->engine);
    schemas_close(sandbox->schemas);
    registry_free(sandbox->registry);
    sandbox->engine = NULL;
    sandbox->schemas = NULL;
    sandbox->registry = NULL;
}

/* ---- a task ---- */

static bool restore(struct sandbox *sandbox, int32_t partition, struct state *state, struct error *error) {
    char changelog[CHANGELOG_NAME_SIZE];
    return changelog_apply(sandbox->connection, changelog_name(sandbox->processor->name, 0, changelog), partition, state, &sandbox->changelog_offset, NULL, error);
}

bool sandbox_task_open(struct sandbox *sandbox, int32_t partition, bool restored, struct sandbox_task *task, struct error *error) {
    struct state_opening opening;
    const struct state_identity identity = {sandbox->processor->name, (uint32_t)partition, (uint32_t)sandbox->partition_count, "replay"};
    *task = (struct sandbox_task){.task = NULL};
    snprintf(task->folder, sizeof task->folder, "%s/%" PRId32, sandbox->folder, partition);
    sandbox->changelog_offset = 0;
    return state_open(&task->state, task->folder, &identity, clock_wall_ms(), 0, &opening, error) && (!restored || restore(sandbox, partition, task->state, error)) &&
           task_open(&task->task, sandbox->engine, partition, task->state, error) == ENGINE_DONE;
}

void sandbox_task_close(struct sandbox_task *task) {
    if (!task->folder[0]) return;
    task_close(task->task);
    state_close(task->state);
    folder_delete(task->folder);
    *task = (struct sandbox_task){.task = NULL};
}

static struct state_position position_after(void *context, const struct task *task) {
    const struct sandbox *sandbox = context;
    (void)task;
    return (struct state_position){sandbox->changelog_offset, clock_wall_ms()};
}

bool sandbox_commit(struct sandbox *sandbox, struct error *error) {
    if (!engine_batch_records(sandbox->engine)) return true;
    return engine_seal(sandbox->engine, error) == ENGINE_DONE && engine_commit(sandbox->engine, position_after, sandbox, error) &&
           (tables_trim(sandbox->tables), true);
}

bool sandbox_take(struct sandbox *sandbox, struct sandbox_task *task, const struct engine_message *message, struct error *error) {
    for (bool again = true, more = true; again;) {
        while (more) {
            if (engine_step(sandbox->engine, task->task, &more, error) != ENGINE_DONE) return false;
            if (engine_full(sandbox->engine) && !sandbox_commit(sandbox, error)) return false;
        }
        if (!message) return true;
        if (engine_take(sandbox->engine, task->task, message, &again, error) != ENGINE_DONE) return false;
        more = true;
    }
    return true;
}

bool sandbox_resolve(struct sandbox *sandbox, struct sandbox_task *task, const struct engine_message *message, struct error *error) {
    return sandbox_take(sandbox, task, NULL, error) && engine_resolve(sandbox->engine, task->task, message, error) == ENGINE_DONE &&
           sandbox_take(sandbox, task, NULL, error);
}
