#include "tests/property/harness.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/codec/json.h"
#include "common/codec/wire.h"
#include "common/platform/hash.h"
#include "common/runtime/engine.h"
#include "processors.h"
#include "tests/property/records.h"

#define DECLARE(name) extern const struct processor name##_processor;
KONTOR_PROCESSORS(DECLARE)
#undef DECLARE
#define ADDRESS(name) &name##_processor,
static const struct processor *const processors[] = {KONTOR_PROCESSORS(ADDRESS)};
#undef ADDRESS
enum { PROCESSORS = sizeof processors / sizeof *processors, PARTITIONS_MAXIMUM = 8, TOPICS_MAXIMUM = 16, TYPES_MAXIMUM = 64, PATH_SIZE = 512, BATCH_MEMORY = 256 << 20 };
#define MASTER_SOURCE "MDM"
static const int64_t received_ms = INT64_C(2000000000000);   /* the broker's time: after every event */

struct part {   /* a processor */
    struct harness *harness;
    const struct processor *processor;
    struct tables *tables;
    struct engine *engine;
    struct task *tasks[PARTITIONS_MAXIMUM];
    struct state *states[PARTITIONS_MAXIMUM];
    int64_t changelog_ends[PARTITIONS_MAXIMUM];
    int64_t table_ends[MASTER_COUNT];
};

/* A record that one processor sent and another reads. */
struct routed { struct routed *next; const char *topic; struct slice key, value; int64_t time_ms; };

struct harness {
    const char *folder;
    int partitions, batch_records, taken;
    uint64_t batches;
    struct watcher watcher;
    struct part parts[PROCESSORS];
    struct { const char *topic; int64_t ends[PARTITIONS_MAXIMUM]; } topics[TOPICS_MAXIMUM];
    struct arena batch, masters;
    struct routed *routed, **routed_end;
};

void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("kontor-property: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

/* ---- schemas: an id for each of our types, in the order in which they are asked for ---- */

static struct { const struct codec_type *type; struct codec_plan *plan; } schemas[TYPES_MAXIMUM];

uint32_t harness_schema_id(const struct codec_type *type) {
    struct error error;
    for (uint32_t i = 0; i < TYPES_MAXIMUM; i++) {
        if (schemas[i].type == type) return i + 1;
        if (schemas[i].type) continue;
        schemas[i].type = type;
        if (!(schemas[i].plan = codec_plan_own(type, &error))) die("%s: %s", type->name, error.text);
        return i + 1;
    }
    die("more than %d schemas", TYPES_MAXIMUM);
}

static uint32_t id_find(void *context, const struct codec_type *type, const char *topic) {
    (void)context; (void)topic;
    return harness_schema_id(type);
}

static enum schema_answer plan_find(void *context, const struct codec_type *reader, uint32_t schema_id, const struct codec_plan **plan, struct error *error) {
    (void)context;
    if (!schema_id || schema_id > TYPES_MAXIMUM || schemas[schema_id - 1].type != reader) {
        error_set(error, "schema %u is not of %s", schema_id, reader->name);
        return SCHEMA_UNKNOWN;
    }
    *plan = schemas[schema_id - 1].plan;
    return SCHEMA_READABLE;
}

/* ---- topics ---- */

static int input_find(const struct processor *processor, const char *topic) {
    for (int i = 0; i < INPUTS_MAXIMUM && processor->inputs[i].topic; i++)
        if (strcmp(processor->inputs[i].topic, topic) == 0) return i;
    return -1;
}

static bool is_input(const char *topic) {
    for (size_t i = 0; i < PROCESSORS; i++)
        if (input_find(processors[i], topic) >= 0) return true;
    return false;
}

const struct codec_type *harness_topic_type(const char *topic) {
    for (size_t i = 0; i < PROCESSORS; i++) {
        int input = input_find(processors[i], topic);
        if (input >= 0 && !processors[i]->inputs[input].follows) return processors[i]->inputs[input].type;
    }
    return NULL;
}

void harness_topics(void (*visit)(void *context, const char *topic), void *context) {
    for (size_t i = 0; i < PROCESSORS; i++)
        for (int k = 0; k < INPUTS_MAXIMUM && processors[i]->inputs[k].topic; k++)
            if (!processors[i]->inputs[k].follows) visit(context, processors[i]->inputs[k].topic);
}

static int64_t *topic_end(struct harness *harness, const char *topic, int32_t partition) {
    for (int i = 0; i < TOPICS_MAXIMUM; i++) {
        if (!harness->topics[i].topic) harness->topics[i].topic = topic;
        if (strcmp(harness->topics[i].topic, topic) == 0) return &harness->topics[i].ends[partition];
    }
    die("more than %d topics", TOPICS_MAXIMUM);
}

void harness_place(struct harness *harness, const char *topic, struct slice key, int32_t *partition, int64_t *offset) {
    *partition = hash_partition(key, harness->partitions);
    *offset = *topic_end(harness, topic, *partition);
}

/* ---- what processors send ---- */

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

static struct slice batch_copy(struct harness *harness, struct slice from) {
    char *bytes = arena_copy(&harness->batch, from.data, from.length);
    if (!bytes) die("out of memory");
    return (struct slice){bytes, from.length};
}

static bool send(void *context, const struct engine_output *output, struct error *error) {
    (void)error;
    struct part *part = context;
    struct harness *harness = part->harness;
    const struct watcher *watcher = &harness->watcher;
    if (output->changelog) {
        int32_t partition = output->partition >= 0 ? output->partition : task_partition(output->task);
        part->changelog_ends[partition]++;
    } else if (begins(output->topic, "posting.commands.")) {
        watcher->journal(watcher->context, output->topic, output->key, output->value);
    } else if (strcmp(output->topic, "acknowledgments") == 0) {
        watcher->answer(watcher->context, output->value);
    } else if (begins(output->topic, "dlq.")) {
        struct slice text = {0};
        for (size_t i = 0; i < output->header_count; i++)
            if (strcmp(output->headers[i].name, "kontor-text") == 0) text = output->headers[i].value;
        watcher->dead(watcher->context, output->topic, text);
    } else if (is_input(output->topic)) {
        struct routed *routed = arena_alloc(&harness->batch, sizeof *routed);
        if (!routed) die("out of memory");
        *routed = (struct routed){.topic = output->topic, .key = batch_copy(harness, output->key), .value = batch_copy(harness, output->value),
                                  .time_ms = output->timestamp_ms};
        *harness->routed_end = routed;
        harness->routed_end = &routed->next;
    }
    return true;
}

/* ---- opening ---- */

static void part_open(struct part *part) {
    struct harness *harness = part->harness;
    char path[PATH_SIZE];
    struct error error;
    const struct table *list[MASTER_COUNT + 1];
    const char *sources[MASTER_COUNT];
    for (int i = 0; i < MASTER_COUNT; i++) sources[i] = MASTER_SOURCE;
    engine_tables(part->processor, list);
    snprintf(path, sizeof path, "%s/%s", harness->folder, part->processor->name);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/%s/tables", harness->folder, part->processor->name);
    const struct tables_options tables = {.dir = path, .tables = list, .sources = sources, .now_ms = received_ms};
    if (!tables_open(&part->tables, &tables, &error)) die("%s", error.text);
    const struct engine_options options = {.processor = part->processor, .version = "0.1.0", .schemas = {NULL, plan_find, id_find}, .tables = part->tables,
        .sink = {part, send}, .partition_count = harness->partitions, .batch_memory = BATCH_MEMORY, .erps = "tryton,other",
        .wait_limit_ms = INT64_C(30) * 86400000, .keep_event_ids_days = 35, .keep_documents_days = 800, .flood_window = 1000, .flood_percent = 100};
    if (!engine_new(&part->engine, &options, &error)) die("%s", error.text);
    for (int32_t p = 0; p < harness->partitions; p++) {
        struct state_opening opening;
        const struct state_identity identity = {.processor = part->processor->name, .partition = (uint32_t)p, .partition_count = (uint32_t)harness->partitions,
            .changelog_id = "property"};
        snprintf(path, sizeof path, "%s/%s/state-%d", harness->folder, part->processor->name, p);
        if (!state_open(&part->states[p], path, &identity, received_ms, 0, &opening, &error)) die("%s", error.text);
        if (task_open(&part->tasks[p], part->engine, p, part->states[p], &error) != ENGINE_DONE) die("%s", error.text);
    }
}

struct harness *harness_open(const char *folder, int partitions, int batch_records, struct watcher watcher) {
    struct harness *harness = calloc(1, sizeof *harness);
    if (!harness) die("out of memory");
    harness->folder = strdup(folder);
    harness->partitions = partitions;
    harness->batch_records = batch_records;
    harness->watcher = watcher;
    harness->routed_end = &harness->routed;
    arena_init(&harness->batch, 1 << 20, (size_t)1 << 30);
    arena_init(&harness->masters, 1 << 20, (size_t)1 << 30);
    mkdir(folder, 0755);
    for (int i = 0; i < PROCESSORS; i++) {
        harness->parts[i].harness = harness;
        harness->parts[i].processor = processors[i];
        part_open(&harness->parts[i]);
    }
    return harness;
}

static int delete_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status; (void)kind; (void)place;
    return remove(path);
}

void harness_close(struct harness *harness) {
    for (int i = 0; i < PROCESSORS; i++) {
        struct part *part = &harness->parts[i];
        for (int p = 0; p < harness->partitions; p++) {
            task_close(part->tasks[p]);
            state_close(part->states[p]);
        }
        engine_free(part->engine);
        tables_close(part->tables);
    }
    nftw(harness->folder, delete_entry, 16, FTW_DEPTH | FTW_PHYS);
    arena_free(&harness->batch);
    arena_free(&harness->masters);
    free((char *)harness->folder);
    free(harness);
}

/* ---- batches ---- */

static void settle(struct part *part, int32_t partition) {
    struct error error = {{0}};
    for (bool more = true; more;) {
        enum engine_result result = engine_step(part->engine, part->tasks[partition], &more, &error);
        if (result != ENGINE_DONE) die("%s: a step ends with %d: %s", part->processor->name, (int)result, error.text);
    }
}

static void part_take(struct part *part, struct engine_message *message) {
    struct error error = {{0}};
    settle(part, message->partition);
    for (bool again = true; again;) {
        enum engine_result result = engine_take(part->engine, part->tasks[message->partition], message, &again, &error);
        if (result != ENGINE_DONE) die("%s: a record ends with %d: %s", part->processor->name, (int)result, error.text);
    }
    settle(part, message->partition);
}

static void record_take(struct harness *harness, const char *topic, struct slice key, struct slice value, int64_t time_ms) {
    int32_t partition = hash_partition(key, harness->partitions);
    int64_t offset = (*topic_end(harness, topic, partition))++;
    for (int i = 0; i < PROCESSORS; i++) {
        struct engine_message message = {.input = input_find(processors[i], topic), .partition = partition, .offset = offset, .timestamp_ms = time_ms,
                                         .received_ms = received_ms,
                                         .key = key, .value = value};
        if (message.input >= 0) part_take(&harness->parts[i], &message);
    }
}

static void routed_take(struct harness *harness) {
    while (harness->routed) {
        const struct routed *routed = harness->routed;
        harness->routed = routed->next;
        if (!harness->routed) harness->routed_end = &harness->routed;
        record_take(harness, routed->topic, routed->key, routed->value, routed->time_ms);
    }
}

void harness_take(struct harness *harness, const char *topic, struct slice key, struct slice value, int64_t time_ms) {
    record_take(harness, topic, key, value, time_ms);
    routed_take(harness);
    bool full = ++harness->taken >= harness->batch_records;
    for (int i = 0; i < PROCESSORS; i++) full |= engine_full(harness->parts[i].engine);
    if (full) harness_commit(harness);
}

static struct state_position position_after(void *context, const struct task *task) {
    const struct part *part = context;
    return (struct state_position){part->changelog_ends[task_partition(task)], received_ms};
}

void harness_commit(struct harness *harness) {
    struct error error = {{0}};
    for (int i = 0; i < PROCESSORS; i++) {
        struct part *part = &harness->parts[i];
        if (!engine_batch_records(part->engine)) continue;
        if (engine_seal(part->engine, &error) != ENGINE_DONE) die("%s: sealing: %s", part->processor->name, error.text);
        if (!engine_commit(part->engine, position_after, part, &error)) die("%s: committing: %s", part->processor->name, error.text);
    }
    arena_reset(&harness->batch);
    harness->taken = 0;
    harness->batches++;
}

uint64_t harness_batches(const struct harness *harness) { return harness->batches; }

/* ---- masters ---- */

void harness_masters(struct harness *harness, bool begin) {
    struct error error = {{0}};
    if (begin) harness_commit(harness);
    for (int i = 0; i < PROCESSORS; i++) {
        struct part *part = &harness->parts[i];
        if (begin ? !tables_begin(part->tables, &error) : !tables_commit(part->tables, part->table_ends, received_ms, &error)) die("%s", error.text);
        if (!begin) engine_tables_changed(part->engine);
    }
    if (begin) return;
    for (int i = 0; i < PROCESSORS; i++)
        for (int32_t p = 0; p < harness->partitions; p++) {
            settle(&harness->parts[i], p);
            routed_take(harness);
        }
    harness_commit(harness);
}

/* <key fields>|<valid_from>; ids of this program have nothing to encode. */
static size_t master_key(const struct table *table, json_t *record, char *key, size_t size) {
    size_t at = 0;
    for (int i = 0; i < TABLE_KEY_FIELDS_MAXIMUM && table->keys[i]; i++)
        at += (size_t)snprintf(key + at, size - at, "%s|", json_string_value(json_object_get(record, table->keys[i])));
    return at + (size_t)snprintf(key + at, size - at, "%s", json_string_value(json_object_get(record, "valid_from")));
}

void harness_master(struct harness *harness, const char *table, const char *json) {
    json_error_t where;
    json_t *record = json_loads(json, 0, &where);
    int number = 0;
    while (number < MASTER_COUNT && strcmp(master_tables[number].name, table) != 0) number++;
    if (!record || number == MASTER_COUNT) die("master %s %s: %s", table, json, record ? "there is no such table" : where.text);
    if (!json_object_get(record, "valid_from")) json_object_set_new(record, "valid_from", json_string("2020-01-01"));
    json_object_set_new(record, "source", json_string(MASTER_SOURCE));
    struct error error = {{0}};
    void *value = arena_alloc(&harness->masters, master_tables[number].type->size);
    if (!value || !codec_from_json(master_tables[number].type, record, &harness->masters, value, &error)) die("master %s %s: %s", table, json, error.text);
    char key[256];
    size_t length = master_key(&master_tables[number], record, key, sizeof key);
    for (int i = 0; i < PROCESSORS; i++) {
        struct part *part = &harness->parts[i];
        for (size_t k = 0; part->processor->tables[k] != END_OF_TABLES; k++) {
            if ((int)part->processor->tables[k] != number) continue;
            if (tables_put(part->tables, k, (struct slice){key, length}, value, "", part->table_ends[k]++, &error) != TABLE_PUT_GOOD)
                die("master %s %s: %s", table, json, error.text);
        }
    }
    json_decref(record);
    arena_reset(&harness->masters);
}
