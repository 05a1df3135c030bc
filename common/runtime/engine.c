/* engine: takes the records of a task in order, decides them, and seals and commits what came of them. See engine.h for the promises. */
#include "common/runtime/engine.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/codec/plan.h"
#include "common/codec/wire.h"
#include "common/platform/hash.h"
#include "common/runtime/engine_internal.h"
#include "common/runtime/layout_text.h"
#include "schemas/source_permission.h"

enum { ARENA_BLOCK = 1 << 20, FLOOD_MINIMUM = 100, EXPIRY_STEP = 64 };

const char *const outcome_names[OUTCOME_COUNT] = {"accepted", "duplicate", "rejected", "held", "parked", "poison"};

/* ---- life ---- */

static void output_set(struct engine *engine, struct output_topic *output, const char *topic, const struct codec_type *type) {
    output->name = strdup(topic);
    output->type = type;
    output->schema_id = engine->options.schemas.id(engine->options.schemas.context, type, topic);
}

/* The engine's own output to a topic; NULL: it has none. */
static const struct output_topic *standard_output(const struct engine *engine, const char *topic) {
    const struct output_topic *const own[] = {&engine->acknowledgments, &engine->rejected, &engine->held, &engine->parked, &engine->steps, &engine->audit};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (own[i]->name && strcmp(own[i]->name, topic) == 0) return own[i];
    return NULL;
}

static bool outputs_make(struct engine *engine, struct error *error) {
    const struct processor *processor = engine->processor;
    output_set(engine, &engine->acknowledgments, "acknowledgments", &acknowledgment_type);
    output_set(engine, &engine->rejected, "exceptions.rejected", &exception_record_type);
    output_set(engine, &engine->held, "exceptions.held", &exception_record_type);
    output_set(engine, &engine->parked, "exceptions.parked", &exception_record_type);
    output_set(engine, &engine->steps, "document.steps", &document_step_type);
    output_set(engine, &engine->audit, "audit", &audit_entry_type);
    bool ok = engine->acknowledgments.name && engine->rejected.name && engine->held.name && engine->parked.name && engine->steps.name && engine->audit.name;
    for (int i = 0; i < OUTPUTS_MAXIMUM && processor->outputs[i].topic; i++) {
        const struct output_topic *own = standard_output(engine, processor->outputs[i].topic);
        if (own) engine->outputs[i] = *own;     /* equal topics are equal pointers */
        else output_set(engine, &engine->outputs[i], processor->outputs[i].topic, processor->outputs[i].type);
        ok = ok && engine->outputs[i].name;
    }
    for (int i = 0; i < INPUTS_MAXIMUM && processor->inputs[i].topic; i++)
        ok = ok && asprintf(&engine->dead_letters[i], "dlq.%s", processor->inputs[i].topic) > 0 &&
             (engine->flows[i] = strndup(processor->inputs[i].topic, strcspn(processor->inputs[i].topic, ".")));
    ok = ok && asprintf(&engine->timers, "kontor.%s.timers", processor->name) > 0;
    ok = ok && (engine->options.changelog ? (engine->changelog = strdup(engine->options.changelog)) != NULL : asprintf(&engine->changelog, "kontor.%s.changelog", processor->name) > 0);
    return ok || error_set(error, "out of memory");
}

static bool stores_make(struct engine *engine, struct error *error) {
    engine->store_types[STORE_ENGINE] = &task_clock_type;
    engine->store_types[STORE_PARKED] = &parked_event_type;
    for (int i = 0; i < STORES_MAXIMUM && engine->processor->stores[i].name; i++) engine->store_types[STORE_FIRST + i] = engine->processor->stores[i].type;
    return layouts_open(engine, error);
}

void engine_tables(const struct processor *processor, const struct table *tables[MASTER_COUNT + 1]) {
    size_t count = 0;
    for (; processor->tables[count] != END_OF_TABLES; count++) tables[count] = &master_tables[processor->tables[count]];
    tables[count] = NULL;
}

void engine_outputs(const struct processor *processor, void (*visit)(void *context, const char *topic, const struct codec_type *type, bool per_erp), void *context) {
    char name[256];
    static const struct { const char *topic; const struct codec_type *type; } own[] = {{"acknowledgments", &acknowledgment_type},
        {"exceptions.rejected", &exception_record_type}, {"exceptions.held", &exception_record_type}, {"exceptions.parked", &exception_record_type},
        {"document.steps", &document_step_type}, {"audit", &audit_entry_type}};
    enum { OWN = sizeof own / sizeof *own };
    for (size_t i = 0; i < OWN; i++) visit(context, own[i].topic, own[i].type, false);
    for (int i = 0; i < OUTPUTS_MAXIMUM && processor->outputs[i].topic; i++) {
        size_t k = 0;
        while (k < OWN && strcmp(own[k].topic, processor->outputs[i].topic) != 0) k++;
        if (k == OWN) visit(context, processor->outputs[i].topic, processor->outputs[i].type, processor->outputs[i].per_erp);
    }
    for (int i = 0; i < INPUTS_MAXIMUM && processor->inputs[i].topic; i++) {
        if (processor->inputs[i].follows) continue;
        snprintf(name, sizeof name, "dlq.%s", processor->inputs[i].topic);
        visit(context, name, NULL, false);
    }
    snprintf(name, sizeof name, "kontor.%s.timers", processor->name);
    visit(context, name, NULL, false);
    snprintf(name, sizeof name, "kontor.%s.changelog", processor->name);
    visit(context, name, NULL, false);
}

bool engine_new(struct engine **made, const struct engine_options *options, struct error *error) {
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine) return error_set(error, "out of memory");
    if (!(engine->shares = shares_new())) {
        free(engine);
        return error_set(error, "out of memory");
    }
    engine->options = *options;
    engine->processor = options->processor;
    arena_init(&engine->arena, ARENA_BLOCK, options->batch_memory);
    for (int i = 0; i < MASTER_COUNT; i++) engine->table_positions[i] = -1;
    while (engine->processor->tables[engine->table_count] != END_OF_TABLES) {
        engine->table_positions[engine->processor->tables[engine->table_count]] = (int)engine->table_count;
        engine->table_count++;
    }
    if (engine->table_positions[MASTER_SOURCE_PERMISSIONS] < 0) {
        error_set(error, "processor %s must declare the table source-permissions: every event is checked against it", engine->processor->name);
        shares_free(engine->shares);
        free(engine);
        return false;
    }
    if (!outputs_make(engine, error) || !stores_make(engine, error)) { engine_free(engine); return false; }
    *made = engine;
    return true;
}

void engine_free(struct engine *engine) {
    if (!engine) return;
    layouts_free(engine);
    for (int i = 0; i < OUTPUTS_MAXIMUM; i++) {
        if (engine->outputs[i].name && !standard_output(engine, engine->outputs[i].name)) free(engine->outputs[i].name);
        for (size_t k = 0; k < engine->per_erp[i].count; k++) free((char *)engine->per_erp[i].topics[k]);
        free(engine->per_erp[i].topics);
        free(engine->per_erp[i].erps);
    }
    free(engine->acknowledgments.name);
    free(engine->rejected.name);
    free(engine->held.name);
    free(engine->parked.name);
    free(engine->steps.name);
    free(engine->audit.name);
    free(engine->changelog);
    free(engine->timers);
    for (int i = 0; i < INPUTS_MAXIMUM; i++) {
        free(engine->dead_letters[i]);
        free(engine->flows[i]);
    }
    for (size_t i = 0; i < engine->tally_count; i++) free(engine->tallies[i].entity);
    free(engine->tallies);
    shares_free(engine->shares);
    free(engine->overlay.slots);
    buffer_free(&engine->scratch);
    arena_free(&engine->arena);
    free(engine);
}

/* ---- tasks ---- */

static const char clock_key[] = {STORE_ENGINE, 'c', 'l', 'o', 'c', 'k'}, header_key[] = {STORE_ENGINE, 'h', 'e', 'a', 'd', 'e', 'r'};

/* What the task knows of itself, from its state; also after an abort. */
static enum engine_result task_load(struct task *task, struct error *error) {
    struct engine *engine = task->engine;
    task->stream_time_ms = INT64_MIN;
    task->next_sequence = 1;
    task->broker_time_ms = 0;
    task->mark_count = 0;
    for (int i = 0; i < MASTER_COUNT; i++) task->table_offsets[i] = -1;
    struct state_value value;
    struct kept kept = {0};
    enum engine_result layouts = layouts_load(task, error);
    if (layouts != ENGINE_DONE) return layouts;
    enum state_result result = state_get(task->state, (struct slice){clock_key, sizeof clock_key}, &value, error);
    if (result == STATE_FAILED) return ENGINE_REBUILD;
    const bool nothing_recorded = task->layout_missing && task->layout == 1;   /* then there can be no values either */
    if (result == STATE_CORRUPT || (result == STATE_FOUND && nothing_recorded) || (result == STATE_FOUND && overlay_decode(task, STORE_ENGINE, value, &kept) != ENGINE_DONE)) {
        error_set(error, "partition %d: the task's clock cannot be read from the state", task->partition);
        return ENGINE_REBUILD;
    }
    const struct task_clock *clock = kept.object;
    task->swept_day = clock ? clock->swept : 0;
    task->sweep.running = false;
    if (clock) {
        task->stream_time_ms = clock->stream_time_ms;
        task->next_sequence = (uint64_t)clock->next_sequence;
        task->broker_time_ms = clock->broker_time_ms;
        for (; task->mark_count < clock->marks.count && task->mark_count < MARKS_MAXIMUM; task->mark_count++)
            task->marks[task->mark_count] = (struct mark){.time_ms = clock->marks.items[task->mark_count]};
        for (size_t i = 0; i < clock->tables.count; i++)
            for (size_t t = 0; t < engine->table_count; t++)
                if (slice_equal(clock->tables.items[i].table, slice_of(master_tables[engine->processor->tables[t]].name)))
                    task->table_offsets[t] = clock->tables.items[i].offset;
    }
    task->header_missing = state_get(task->state, (struct slice){header_key, sizeof header_key}, &value, error) == STATE_ABSENT;
    task->touched = false;
    arena_reset(&engine->arena);
    return parking_load(task, error) ? ENGINE_DONE : ENGINE_REBUILD;
}

enum engine_result task_open(struct task **made, struct engine *engine, int32_t partition, struct state *state, struct error *error) {
    if (engine->batch_records) {
        error_set(error, "partition %d cannot be opened within a batch: a defect", partition);
        return ENGINE_FATAL;
    }
    overlay_reset(engine);   /* what a batch without records has looked up lies in the memory that loading takes */
    struct task *task = calloc(1, sizeof *task);
    if (!task) {
        error_set(error, "out of memory");
        return ENGINE_ABORT;
    }
    task->engine = engine;
    task->partition = partition;
    task->state = state;
    task->last_trigger = &task->first_trigger;
    task->last_dirty = &task->first_dirty;
    enum engine_result result = task_load(task, error);
    if (result != ENGINE_DONE) {
        parking_free(task);
        free(task);
        return result;
    }
    task->next = engine->tasks;
    engine->tasks = task;
    *made = task;
    return ENGINE_DONE;
}

void task_close(struct task *task) {
    if (!task) return;
    for (struct task **place = &task->engine->tasks; *place; place = &(*place)->next)
        if (*place == task) { *place = task->next; break; }
    parking_free(task);
    free(task);
}

int32_t task_partition(const struct task *task) { return task->partition; }
struct state *task_state(struct task *task) { return task->state; }
int64_t task_table_offset(const struct task *task, size_t table) { return task->table_offsets[table]; }

/* ---- taking ---- */

static bool flood(struct engine *engine, bool poisoned) {
    if (++engine->flood_seen > (uint32_t)engine->options.flood_window) engine->flood_seen = 1, engine->flood_poison = 0;
    engine->flood_poison += poisoned;
    return poisoned && engine->options.flood_percent < 100 && engine->flood_poison >= FLOOD_MINIMUM &&
           engine->flood_poison * 100 > engine->flood_seen * (uint32_t)engine->options.flood_percent;
}

static void clock_move(struct decision *decision) {
    struct task *task = decision->task;
    struct engine *engine = decision->engine;
    if (decision->time_ms > task->stream_time_ms) task->stream_time_ms = decision->time_ms;
    for (size_t i = 0; i < engine->table_count; i++) {
        int64_t offset = tables_position(engine->options.tables, i);
        if (offset > task->table_offsets[i]) task->table_offsets[i] = offset;
    }
    task->touched = true;
}

enum parked_turn { TURN_AGAIN, TURN_EXPIRY, TURN_EXPIRY_BY_TICK };

/* One of the parked events: decided anew or expired. */
static enum engine_result parked_do(struct engine *engine, struct task *task, uint64_t sequence, enum parked_turn turn, struct error *error) {
    jmp_buf escape;
    struct decision decision;
    struct engine_message message = {0};
    decision_begin(&decision, engine, task, &message, error);
    decision.escape = &escape;
    if (setjmp(escape)) return decision.failure;
    const struct parked_event *parked = parking_find(&decision, sequence);
    const bool deferred = parked && parked->status == PARKED_STATUS_DEFERRED;
    if (!parked || (turn != TURN_AGAIN && parked->status != PARKED_STATUS_WAITING && !deferred)) return ENGINE_DONE;
    enum ticks_end end = turn == TURN_EXPIRY_BY_TICK ? ticks_is_over(task, sequence, parked) : TICKS_OVER;
    if (end == TICKS_NO_MEMORY) { error_set(error, "out of memory for the events that wait"); return ENGINE_ABORT; }
    if (end == TICKS_NOT_OVER) return ENGINE_DONE;
    if (deferred) {
        task->touched = true;
        conclude_deferred(&decision, parked);
        parking_remove(&decision, sequence, parked);
        engine->batch_records++;
        return ENGINE_DONE;
    }
    deciding_message(parked, &decision, &message);
    decision_begin(&decision, engine, task, &message, error);
    decision.escape = &escape;
    task->touched = true;
    if (turn != TURN_AGAIN) deciding_expire(&decision, sequence, parked);
    else deciding_again(&decision, sequence, parked);
    engine->batch_records++;
    return ENGINE_DONE;
}

enum engine_result engine_step(struct engine *engine, struct task *task, bool *more, struct error *error) {
    *more = false;
    if (task->look_all_up && !parking_look_up(task, error)) return ENGINE_ABORT;
    for (int done = 0; done < STEP_SIZE; done++) {
        uint64_t sequence = parking_next(task);
        if (sequence == INDEX_NONE) return ENGINE_DONE;
        enum engine_result result = parked_do(engine, task, sequence, TURN_AGAIN, error);
        if (result != ENGINE_DONE) {
            /* Its trigger is gone: look everything up again, so that it is not forgotten. */
            task->look_all_up = task->opened = true;
            return result;
        }
        if (engine_full(engine)) break;
    }
    *more = task->first_trigger != NULL;
    return ENGINE_DONE;
}

static bool is_marked(const struct engine_message *message) {
    for (size_t i = 0; i < message->header_count; i++)
        if (strcmp(message->headers[i].name, SYNTHETIC_HEADER) == 0) return true;
    return false;
}

enum engine_result engine_take(struct engine *engine, struct task *task, const struct engine_message *message, bool *again, struct error *error) {
    *again = false;
    jmp_buf escape;
    struct decision decision;
    decision_begin(&decision, engine, task, message, error);
    decision.synthetic = is_marked(message);
    decision.escape = &escape;
    if (setjmp(escape)) return decision.failure;
    if (decision.synthetic && decision.input->follows) {   /* who answers for it looks at it, nobody else */
        engine->batch_records++;
        return ENGINE_DONE;
    }
    deciding_read(&decision, false);
    bool poisoned = decision.heaviest == CLASS_POISON;
    /* What cannot be trusted does not move time either, nor does what never happened. */
    for (int done = 0; !poisoned && !decision.synthetic; done++) {
        uint64_t sequence = parking_expired(task, decision.time_ms);
        if (sequence == INDEX_NONE) break;
        enum engine_result result = parked_do(engine, task, sequence, TURN_EXPIRY, error);
        if (result != ENGINE_DONE) return result == ENGINE_WAIT ? ENGINE_ABORT : result;   /* an abort puts the deadline back */
        if (done == EXPIRY_STEP) { *again = true; return ENGINE_DONE; }
    }
    if (!decision.input->follows && flood(engine, poisoned)) {
        error_set(error, "%u of the last %u records are poison, the newest for %s: paused before the topic is drained into %s", engine->flood_poison,
                  engine->flood_seen, reasons[decision.reasons[0].reason].code, engine->dead_letters[message->input]);
        return ENGINE_FLOOD;
    }
    if (poisoned) deciding_poison(&decision);
    else if (decision.synthetic) deciding_synthetic(&decision);
    else {
        clock_move(&decision);
        deciding_new(&decision);
    }
    engine->batch_records++;
    return ENGINE_DONE;
}

enum engine_result engine_tick(struct engine *engine, struct task *task, int64_t broker_time_ms, bool *again, struct error *error) {
    *again = false;
    if (task->stream_time_ms > INT64_MIN) {   /* a task that has taken nothing yet has nothing that waits */
        if (!ticks_move(task, broker_time_ms)) {
            error_set(error, "out of memory for the events that wait");
            return ENGINE_ABORT;
        }
        task->touched = true;
        uint64_t sequence;
        for (int done = 0; (sequence = ticks_expired(task)) != INDEX_NONE; done++) {
            enum engine_result result = parked_do(engine, task, sequence, TURN_EXPIRY_BY_TICK, error);
            if (result != ENGINE_DONE) return result == ENGINE_WAIT ? ENGINE_ABORT : result;   /* an abort puts the deadline back */
            if (done == EXPIRY_STEP) { *again = true; return ENGINE_DONE; }
        }
        ticks_drop_marks(task);
    }
    engine->batch.ticks++;
    engine->batch_records++;
    return ENGINE_DONE;
}

enum engine_result engine_resolve(struct engine *engine, struct task *task, const struct engine_message *message, struct error *error) {
    jmp_buf escape;
    struct decision decision;
    decision_begin(&decision, engine, task, message, error);
    decision.escape = &escape;
    if (setjmp(escape)) return decision.failure;
    task->touched = true;
    resolving_take(&decision);
    engine->batch_records++;
    return ENGINE_DONE;
}

enum engine_result engine_send_tick(struct engine *engine, struct task *task, struct error *error) {
    const struct engine_output output = {.topic = engine->timers, .partition = task->partition, .value = SLICE("tick"), .task = task};
    return engine->options.sink.send(engine->options.sink.context, &output, error) ? ENGINE_DONE : ENGINE_ABORT;
}

void engine_tables_changed(struct engine *engine) {
    for (struct task *task = engine->tasks; task; task = task->next) task->look_all_up = true;
}

bool engine_full(const struct engine *engine) { return arena_used(&engine->arena) > engine->options.batch_memory / 2; }
uint64_t engine_batch_records(const struct engine *engine) { return engine->batch_records; }
const struct engine_counts *engine_counts(const struct engine *engine) { return &engine->committed; }

const struct engine_tally *engine_tallies(const struct engine *engine, size_t *count) {
    *count = engine->tally_count;
    return engine->tallies;
}

/* ---- sealing and committing ---- */

static bool changelog_send(struct engine *engine, struct task *task, struct slice key, struct slice value, struct error *error) {
    const struct engine_output output = {.topic = engine->changelog, .partition = task->partition, .key = key, .value = value, .changelog = true, .task = task};
    return engine->options.sink.send(engine->options.sink.context, &output, error);
}

/* The task's clock as an ordinary record of its state. */
static void clock_put(struct decision *decision) {
    struct task *task = decision->task;
    struct engine *engine = decision->engine;
    struct task_clock *clock = decision_alloc(decision, sizeof *clock);
    struct clock_table *offsets = decision_alloc(decision, (engine->table_count + 1) * sizeof *offsets);
    for (size_t i = 0; i < engine->table_count; i++)
        offsets[i] = (struct clock_table){slice_of(master_tables[engine->processor->tables[i]].name), task->table_offsets[i]};
    *clock = (struct task_clock){.stream_time_ms = task->stream_time_ms, .next_sequence = (int64_t)task->next_sequence, .swept = task->swept_day};
    clock->tables.items = offsets;
    clock->tables.count = engine->table_count;
    clock->broker_time_ms = task->broker_time_ms;
    clock->marks.items = decision_alloc(decision, (task->mark_count + 1) * sizeof *clock->marks.items);
    clock->marks.count = task->mark_count;
    for (size_t i = 0; i < task->mark_count; i++) clock->marks.items[i] = task->marks[i].time_ms;
    overlay_put(overlay_find(decision, STORE_ENGINE, (struct slice){clock_key + 1, sizeof clock_key - 1}), clock);
}

static enum engine_result clocks_put(struct engine *engine, struct error *error) {
    jmp_buf escape;
    struct decision decision;
    const struct engine_message none = {0};
    for (struct task *volatile task = engine->tasks; task; task = task->next) {
        if (!task->touched) continue;
        decision_begin(&decision, engine, task, &none, error);
        decision.escape = &escape;
        if (setjmp(escape)) return decision.failure;
        overlay_sweep(&decision);
        clock_put(&decision);
    }
    return ENGINE_DONE;
}

/* A record of text: its seal names no layout. */
static bool text_send(struct engine *engine, struct task *task, struct slice key, struct slice text, struct slice *sealed, struct error *error) {
    char *value = arena_alloc(&engine->arena, STATE_SEAL_SIZE + text.length), *kept_key = arena_copy(&engine->arena, key.data, key.length);
    if (!value || !kept_key) return error_set(error, "out of batch memory");
    memcpy(value + STATE_SEAL_SIZE, text.data, text.length);
    state_seal(value, STATE_SEAL_SIZE + text.length, key, 0);
    *sealed = (struct slice){value, STATE_SEAL_SIZE + text.length};
    return changelog_send(engine, task, (struct slice){kept_key, key.length}, *sealed, error);
}

/* The changelog says in its first record of a partition what it is, and which: restore checks it. */
static bool header_send(struct engine *engine, struct task *task, struct error *error) {
    char text[HEADER_TEXT_SIZE];
    int length = header_text(text, engine->options.partition_count, engine->options.version, engine->options.new_id ? engine->options.new_id() : 0);
    return text_send(engine, task, (struct slice){header_key, sizeof header_key}, (struct slice){text, (size_t)length}, &task->header, error);
}

static bool layout_send(struct engine *engine, struct task *task, struct error *error) {
    char key[LAYOUT_KEY_SIZE];
    return text_send(engine, task, layouts_key(task, key), layouts_text(task), &task->layout_record, error);
}

enum engine_result engine_seal(struct engine *engine, struct error *error) {
    enum engine_result result = clocks_put(engine, error);
    if (result != ENGINE_DONE) return result;
    if ((result = overlay_seal(engine, error)) != ENGINE_DONE) return result;
    for (struct task *task = engine->tasks; task; task = task->next)
        if (task->touched && ((task->header_missing && !header_send(engine, task, error)) || (task->layout_missing && !layout_send(engine, task, error)))) return ENGINE_ABORT;
    for (struct task *task = engine->tasks; task; task = task->next)
        for (struct overlay_entry *entry = task->first_dirty; entry; entry = entry->next_dirty)
            if (!changelog_send(engine, task, entry->key, entry->sealed, error)) return ENGINE_ABORT;
    return ENGINE_DONE;
}

/* Kafka has committed: nothing may fail for want of batch memory any more. */
static bool task_commit(struct task *task, struct state_position at, struct error *error) {
    size_t count = 0;
    char key[LAYOUT_KEY_SIZE];
    struct state_change *changes = malloc((task->dirty_count + 2) * sizeof *changes);
    if (!changes) return error_set(error, "partition %d: out of memory", task->partition);
    for (const struct overlay_entry *entry = task->first_dirty; entry; entry = entry->next_dirty) changes[count++] = (struct state_change){entry->key, entry->sealed};
    if (task->header.length) changes[count++] = (struct state_change){{header_key, sizeof header_key}, task->header};
    if (task->layout_record.length) changes[count++] = (struct state_change){layouts_key(task, key), task->layout_record};
    bool ok = state_apply(task->state, changes, count, at, false, error) || error_prefix(error, "partition %d", task->partition);
    free(changes);
    if (task->header.length) task->header_missing = false;
    if (task->layout_record.length) task->layout_missing = false;
    task->touched = false;
    return ok;
}

bool engine_commit(struct engine *engine, struct state_position (*at)(void *context, const struct task *task), void *context, struct error *error) {
    bool ok = true;
    for (struct task *task = engine->tasks; ok && task; task = task->next)
        if (task->touched) ok = task_commit(task, at(context, task), error);
    for (int i = 0; i < OUTCOME_COUNT; i++) engine->committed.outcomes[i] += engine->batch.outcomes[i];
    for (int i = 0; i < REASON_COUNT; i++) engine->committed.reasons[i] += engine->batch.reasons[i];
    engine->committed.journals += engine->batch.journals;
    engine->committed.released += engine->batch.released;
    engine->committed.expired += engine->batch.expired;
    engine->committed.ticks += engine->batch.ticks;
    for (int i = 0; i < OUTCOME_COUNT; i++) engine->committed.synthetic[i] += engine->batch.synthetic[i];
    for (size_t i = 0; i < engine->tally_count; i++) {
        engine->tallies[i].committed += engine->tallies[i].batch;
        engine->tallies[i].batch = 0;
    }
    shares_commit(engine->shares, true);
    memset(&engine->batch, 0, sizeof engine->batch);
    engine->batch_records = 0;
    overlay_reset(engine);
    return ok;
}

bool engine_abort(struct engine *engine, struct error *error) {
    for (size_t i = 0; i < engine->tally_count; i++) engine->tallies[i].batch = 0;
    shares_commit(engine->shares, false);
    memset(&engine->batch, 0, sizeof engine->batch);
    engine->batch_records = 0;
    overlay_reset(engine);
    for (struct task *task = engine->tasks; task; task = task->next)
        if (task_load(task, error) != ENGINE_DONE) return false;
    return true;
}
