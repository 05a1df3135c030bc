#include "cli/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/progress.h"
#include "common/platform/clock.h"

enum { BATCH_RECORDS = 2000, ORIGIN_SIZE = 512 };

/* A record as it was read, in one allocation. */
struct kept_record { struct kept_record *next; int64_t offset, timestamp_ms; bool synthetic; struct slice key, value; char bytes[]; };
struct queue { struct kept_record *first, **last; };

struct replay {
    const struct replay_options *options;
    struct sandbox sandbox;
    struct history history;
    size_t next_happening;
    struct queue queues[INPUTS_MAXIMUM];
    int input_count;
    struct kept_record *taken;          /* of the batch, which lives until it is committed */
    int64_t event_time_ms, records;
};

/* ---- tables ---- */

static bool put_instead(struct replay *replay, struct error *error) {
    for (size_t i = 0; i < replay->options->instead_count; i++)
        for (size_t table = 0; table < replay->sandbox.table_count; table++)
            if (replay->sandbox.list[table] == &master_tables[replay->options->instead[i].table] &&
                !sandbox_put_own(&replay->sandbox, table, replay->options->instead[i].key, replay->options->instead[i].value, error)) return false;
    return true;
}

static bool tables_make(struct replay *replay, struct error *error) {
    if (replay->options->tables == REPLAY_TABLES_THEN) return sandbox_tables(&replay->sandbox, error);
    return sandbox_tables_today(&replay->sandbox, error) &&
           (!replay->options->instead_count || (tables_begin(replay->sandbox.tables, error) && put_instead(replay, error) && sandbox_tables_commit(&replay->sandbox, error)));
}

static bool take_output(void *context, const struct engine_output *output, struct error *error) {
    struct replay *replay = context;
    return replay->options->output(replay->options->context, output, replay->event_time_ms, error);
}

/* ---- events ---- */

static enum scan_step keep_record(void *context, const struct kafka_record *record, struct error *error) {
    struct replay *replay = context;
    struct kept_record *kept = malloc(sizeof *kept + record->key.length + record->value.length);
    if (!kept) {
        error_set(error, "out of memory for the events of partition %" PRId32, record->partition);
        return SCAN_FAILED;
    }
    *kept = (struct kept_record){.offset = record->offset, .timestamp_ms = record->timestamp_ms, .synthetic = record_is_synthetic(record),
                                 .key = {record->key.data ? kept->bytes : NULL, record->key.length},
                                 .value = {record->value.data ? kept->bytes + record->key.length : NULL, record->value.length}};
    if (record->key.length) memcpy(kept->bytes, record->key.data, record->key.length);
    if (record->value.length) memcpy(kept->bytes + record->key.length, record->value.data, record->value.length);
    struct queue *queue = &replay->queues[record->topic_index];
    *queue->last = kept;
    queue->last = &kept->next;
    return SCAN_MORE;
}

static void records_free(struct kept_record *record) {
    for (struct kept_record *next; record; record = next) {
        next = record->next;
        free(record);
    }
}

static void queues_free(struct replay *replay) {
    for (int i = 0; i < replay->input_count; i++) {
        records_free(replay->queues[i].first);
        replay->queues[i].first = NULL;
        replay->queues[i].last = &replay->queues[i].first;
    }
    records_free(replay->taken);
    replay->taken = NULL;
}

static bool commit(struct replay *replay, struct error *error) {
    if (!sandbox_commit(&replay->sandbox, error)) return false;
    records_free(replay->taken);
    replay->taken = NULL;
    return true;
}

/* The input whose head comes next: the least time, and of equal ones the first declared. */
static int next_input(const struct replay *replay) {
    int next = -1;
    for (int i = 0; i < replay->input_count; i++)
        if (replay->queues[i].first && (next < 0 || replay->queues[i].first->timestamp_ms < replay->queues[next].first->timestamp_ms)) next = i;
    return next;
}

/* ---- what happened besides ---- */

/* All versions from here on that came in one go. */
static bool tables_advance(struct replay *replay, struct sandbox_task *task, int64_t until_ms, struct error *error) {
    const struct history *history = &replay->history;
    if (!commit(replay, error) || !tables_begin(replay->sandbox.tables, error)) return false;
    for (; replay->next_happening < history->count; replay->next_happening++) {
        const struct happening *version = &history->items[replay->next_happening];
        if (version->kind != HAPPENED_MASTER || version->time_ms > until_ms) break;
        if (!sandbox_put(&replay->sandbox, (size_t)version->number, version->key, version->value, version->offset, error)) return false;
    }
    if (!sandbox_tables_commit(&replay->sandbox, error)) return false;
    engine_tables_changed(replay->sandbox.engine);
    return sandbox_take(&replay->sandbox, task, NULL, error) && commit(replay, error);
}

static bool happens(struct replay *replay, struct sandbox_task *task, const struct happening *happening, struct error *error) {
    if (happening->kind == HAPPENED_TICK) {
        for (bool again = true, more; again;) {
            for (more = true; more;)
                if (engine_step(replay->sandbox.engine, task->task, &more, error) != ENGINE_DONE) return false;
            if (engine_tick(replay->sandbox.engine, task->task, happening->time_ms, &again, error) != ENGINE_DONE) return false;
        }
        return true;
    }
    const struct engine_message message = {.partition = happening->number, .offset = happening->offset, .timestamp_ms = happening->time_ms,
                                           .received_ms = happening->time_ms, .key = happening->key, .value = happening->value};
    return sandbox_resolve(&replay->sandbox, task, &message, error);
}

/* Everything up to that time, but master records when the tables are as they are now. */
static bool advance(struct replay *replay, struct sandbox_task *task, int64_t until_ms, struct error *error) {
    const struct history *history = &replay->history;
    while (replay->next_happening < history->count && history->items[replay->next_happening].time_ms <= until_ms) {
        const struct happening *happening = &history->items[replay->next_happening];
        if (happening->kind == HAPPENED_MASTER && replay->options->tables == REPLAY_TABLES_THEN) {
            if (!tables_advance(replay, task, until_ms, error)) return false;
            continue;
        }
        replay->next_happening++;
        if (happening->kind != HAPPENED_MASTER && happening->number == task_partition(task->task) && !happens(replay, task, happening, error)) return false;
    }
    return true;
}

/* ---- a partition ---- */

static bool take_event(struct replay *replay, struct sandbox_task *task, const struct engine_message *message, struct error *error) {
    char text[ORIGIN_SIZE];
    const struct processor_input *input = &replay->options->processor->inputs[message->input];
    int length = snprintf(text, sizeof text, "%s/%" PRId32 "/%" PRId64, input->topic, message->partition, message->offset);
    const struct slice origin = {text, (size_t)length};
    if (!input->follows && replay->options->event && !replay->options->event(replay->options->context, origin, message->timestamp_ms, error)) return false;
    if (replay->options->tables != REPLAY_TABLES_NOW && !input->follows && !advance(replay, task, history_decided_ms(&replay->history, origin), error)) return false;
    replay->event_time_ms = message->timestamp_ms;
    return sandbox_take(&replay->sandbox, task, message, error);
}

static bool take_all(struct replay *replay, struct sandbox_task *task, int32_t partition, struct error *error) {
    static const struct record_header mark = {SYNTHETIC_HEADER, {"", 0}};
    /* All that there was before the first decision, so that an event nobody was told of finds tables. */
    int64_t first_ms = INT64_MAX;
    for (uint32_t i = 0; i < replay->history.origins.count; i++)
        if (replay->history.decided_ms[i] < first_ms) first_ms = replay->history.decided_ms[i];
    if (replay->options->tables == REPLAY_TABLES_THEN && !advance(replay, task, first_ms, error)) return false;
    for (int input; (input = next_input(replay)) >= 0;) {
        struct queue *queue = &replay->queues[input];
        struct kept_record *record = queue->first;
        queue->first = record->next;
        if (!queue->first) queue->last = &queue->first;
        const struct engine_message message = {.input = input, .partition = partition, .offset = record->offset, .timestamp_ms = record->timestamp_ms,
                                               .received_ms = clock_wall_ms(), .key = record->key, .value = record->value,
                                               .headers = &mark, .header_count = record->synthetic};
        replay->records++;
        bool ok = take_event(replay, task, &message, error);
        record->next = replay->taken;
        replay->taken = record;
        if (!ok) return false;
        if ((engine_batch_records(replay->sandbox.engine) >= BATCH_RECORDS || engine_full(replay->sandbox.engine)) && !commit(replay, error)) return false;
    }
    return (replay->options->tables == REPLAY_TABLES_NOW || advance(replay, task, INT64_MAX, error)) && sandbox_take(&replay->sandbox, task, NULL, error) && commit(replay, error);
}

static bool partition_replay(struct replay *replay, int32_t partition, struct error *error) {
    const struct processor *processor = replay->options->processor;
    struct scan scan = {.connection = replay->options->connection, .partition = partition, .from_offset = SCAN_FROM_BEGINNING, .visit = keep_record, .context = replay};
    for (; scan.topic_count < INPUTS_MAXIMUM && processor->inputs[scan.topic_count].topic; scan.topic_count++)
        scan.topics[scan.topic_count] = processor->inputs[scan.topic_count].topic;
    replay->input_count = (int)scan.topic_count;
    queues_free(replay);
    if (!scan_run(&scan, error)) return false;
    struct sandbox_task task = {.task = NULL};
    replay->next_happening = 0;
    bool ok = sandbox_task_open(&replay->sandbox, partition, false, &task, error) && take_all(replay, &task, partition, error);
    sandbox_task_close(&task);
    return ok;
}

static void counts_add(struct engine_counts *sum, const struct engine_counts *counts) {
    for (int i = 0; i < OUTCOME_COUNT; i++) sum->outcomes[i] += counts->outcomes[i];
    for (int i = 0; i < REASON_COUNT; i++) sum->reasons[i] += counts->reasons[i];
    sum->journals += counts->journals;
    sum->released += counts->released;
    sum->expired += counts->expired;
    sum->ticks += counts->ticks;
}

/* Tables that go with the events begin anew with each partition, and the engine that looks things up in them. */
static bool partitions_replay(struct replay *replay, struct engine_counts *counts, struct error *error) {
    struct progress progress;
    bool ok = true;
    progress_start(&progress, "replaying", replay->sandbox.partition_count);
    for (int32_t p = 0; ok && p < replay->sandbox.partition_count; p++) {
        if (p == 0 || replay->options->tables == REPLAY_TABLES_THEN) {
            sandbox_stop(&replay->sandbox);
            ok = tables_make(replay, error) && sandbox_start(&replay->sandbox, error);
        }
        ok = ok && partition_replay(replay, p, error);
        if (ok && (p + 1 == replay->sandbox.partition_count || replay->options->tables == REPLAY_TABLES_THEN)) counts_add(counts, engine_counts(replay->sandbox.engine));
        progress_at(&progress, p + 1, replay->records);
    }
    progress_end(&progress);
    return ok;
}

bool replay_run(const struct replay_options *options, struct engine_counts *counts, struct error *error) {
    struct replay *replay = calloc(1, sizeof *replay);
    if (!replay) return error_set(error, "out of memory");
    replay->options = options;
    *counts = (struct engine_counts){.journals = 0};
    bool ok = sandbox_open(&replay->sandbox, options->connection, options->processor, take_output, replay, error);
    if (ok && options->tables != REPLAY_TABLES_NOW)
        ok = history_read(&replay->history, &replay->sandbox, error) &&
             (!options->began || options->began(options->context, &replay->history, replay->sandbox.partition_count, error));
    ok = ok && partitions_replay(replay, counts, error) && (!options->ended || options->ended(options->context, error));
    queues_free(replay);
    sandbox_close(&replay->sandbox);
    history_free(&replay->history);
    free(replay);
    return ok;
}
