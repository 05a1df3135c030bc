#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/platform/clock.h"
#include "common/platform/hash.h"
#include "common/runtime/layout_text.h"
#include "common/runtime/rekeying_internal.h"

enum { ARENA_BLOCK = 1 << 20, ARENA_LIMIT = 256 << 20, PATH_SIZE = 512 };

static const char clock_key[] = {STORE_ENGINE, 'c', 'l', 'o', 'c', 'k'}, header_key[] = {STORE_ENGINE, 'h', 'e', 'a', 'd', 'e', 'r'},
                  layout_key[] = {STORE_ENGINE, 'l', 'a', 'y', 'o', 'u', 't', OWN_LAYOUT};

static int32_t common_divisor(int32_t a, int32_t b) { return b ? common_divisor(b, a % b) : a; }
/* Whether a key of the old partition may lie in the new one: its hash has both remainders. */
static bool may_meet(const struct rekeying *r, int32_t from, int32_t to) {
    return (to - from) % common_divisor(r->options.from, r->options.to) == 0 || (r->change.key_from.length && from == r->merge_from && to == r->merge_to);
}

/* ---- life ---- */

static bool engine_make(struct rekeying *r, struct error *error) {
    struct engine *engine = &r->engine;
    engine->processor = r->options.processor;
    arena_init(&engine->arena, ARENA_BLOCK, ARENA_LIMIT);
    engine->store_types[STORE_ENGINE] = &task_clock_type;
    engine->store_types[STORE_PARKED] = &parked_event_type;
    for (int i = 0; i < STORES_MAXIMUM && engine->processor->stores[i].name; i++) engine->store_types[STORE_FIRST + i] = engine->processor->stores[i].type;
    while (engine->processor->tables[engine->table_count] != END_OF_TABLES) engine->table_count++;
    return layouts_open(engine, error);
}

static bool state_make(const struct rekeying *r, struct state **state, const char *kind, int32_t partition, int32_t count, struct error *error) {
    char path[PATH_SIZE];
    struct state_opening opening;
    const struct state_identity identity = {r->options.processor->name, (uint32_t)partition, (uint32_t)count, kind};
    if (snprintf(path, sizeof path, "%s/%s-%" PRId32, r->options.folder, kind, partition) >= (int)sizeof path) return error_set(error, "the folder's path is too long");
    return state_open(state, path, &identity, clock_wall_ms(), 0, &opening, error);
}

static bool merge_make(struct rekeying *r, const struct rekeying_merge *merge, struct error *error) {
    struct partner_change *change = &r->change;
    if (!r->options.processor->change_record || !r->options.processor->change_event) return error_set(error, "partners of %s cannot become others", r->options.processor->name);
    change->partner_from = merge->from;
    change->partner_to = merge->to;
    change->arena = &r->engine.arena;
    change->key_from = tables_key(r->keys[0], sizeof r->keys[0], (const struct slice[]){merge->entity, merge->from}, 2);
    change->key_to = tables_key(r->keys[1], sizeof r->keys[1], (const struct slice[]){merge->entity, merge->to}, 2);
    if (!change->key_from.length || !change->key_to.length) return error_set(error, "entity and partner are too long");
    r->merge_from = hash_partition(change->key_from, r->options.from);
    r->merge_to = hash_partition(change->key_to, r->options.to);
    return true;
}

bool rekeying_open(struct rekeying **result, const struct rekeying_options *options, struct error *error) {
    struct rekeying *r = calloc(1, sizeof *r);
    if (!r) return error_set(error, "out of memory");
    r->options = *options;
    r->sources = calloc((size_t)options->from, sizeof *r->sources);
    r->targets = calloc((size_t)options->to, sizeof *r->targets);
    bool ok = (r->sources && r->targets) || error_set(error, "out of memory");
    ok = ok && engine_make(r, error) && (!options->merge || merge_make(r, options->merge, error));
    for (int32_t p = 0; ok && p < options->from; p++) {
        struct task *task = calloc(1, sizeof *task);
        r->sources[p].task = task;
        ok = task || error_set(error, "out of memory");
        ok = ok && state_make(r, &r->sources[p].state, "old", p, options->from, error);
        if (ok) *task = (struct task){.engine = &r->engine, .state = r->sources[p].state, .partition = p};
    }
    for (int32_t p = 0; ok && p < options->to; p++) {
        r->targets[p].next_number = 1;
        r->targets[p].clock.stream_time_ms = INT64_MIN;
        for (int i = 0; i < MASTER_COUNT; i++) r->targets[p].table_offsets[i] = -1;
        ok = state_make(r, &r->targets[p].state, "new", p, options->to, error);
    }
    if (ok) *result = r;
    else rekeying_close(r);
    return ok;
}

void rekeying_close(struct rekeying *r) {
    if (!r) return;
    for (int32_t p = 0; r->sources && p < r->options.from; p++) {
        state_close(r->sources[p].state);
        free(r->sources[p].task);
        free(r->sources[p].marks);
    }
    for (int32_t p = 0; r->targets && p < r->options.to; p++) {
        state_close(r->targets[p].state);
        buffer_free(&r->targets[p].pending.bytes);
        free(r->targets[p].marks);
    }
    layouts_free(&r->engine);
    arena_free(&r->engine.arena);
    buffer_free(&r->scratch);
    free(r->sources);
    free(r->targets);
    free(r);
}

const struct rekeying_counts *rekeying_counts(const struct rekeying *r) { return &r->counts; }

bool rekeying_take(struct rekeying *r, int32_t partition, const struct state_change *changes, size_t count, int64_t position, struct error *error) {
    struct state *state = r->sources[partition].state;
    return state_apply(state, changes, count, (struct state_position){position, 0}, true, error) || error_prefix(error, "old partition %" PRId32, partition);
}

/* ---- clocks ---- */

static void clock_merge(struct rekeying *r, struct rekeying_target *target, const struct task_clock *clock) {
    struct task_clock *sum = &target->clock;
    if (clock->stream_time_ms > sum->stream_time_ms) sum->stream_time_ms = clock->stream_time_ms;
    if (clock->broker_time_ms > sum->broker_time_ms) sum->broker_time_ms = clock->broker_time_ms;
    if (!target->has_clock || clock->swept < sum->swept) sum->swept = clock->swept;
    target->has_clock = true;
    for (size_t i = 0; i < clock->tables.count; i++)
        for (size_t t = 0; t < r->engine.table_count; t++)
            if (slice_equal(clock->tables.items[i].table, slice_of(master_tables[r->engine.processor->tables[t]].name)) && clock->tables.items[i].offset > target->table_offsets[t])
                target->table_offsets[t] = clock->tables.items[i].offset;
}

/* Layouts and clock of an old partition, and what they give to the new ones. */
static bool source_open(struct rekeying *r, int32_t p) {
    struct rekeying_source *source = &r->sources[p];
    struct state_value value;
    struct kept kept;
    if (!state_entries(source->state)) return true;
    if (layouts_load(source->task, r->error) != ENGINE_DONE) return r->error->text[0] ? false : error_set(r->error, "old partition %" PRId32 ": its layouts cannot be read", p);
    if (state_get(source->state, (struct slice){header_key, sizeof header_key}, &value, r->error) != STATE_FOUND)
        return error_set(r->error, "old partition %" PRId32 " does not begin with its header: what is there is not the whole state; see `kontor state migrate`", p);
    if (state_get(source->state, (struct slice){clock_key, sizeof clock_key}, &value, r->error) != STATE_FOUND || overlay_decode(source->task, STORE_ENGINE, value, &kept) != ENGINE_DONE ||
        !kept.object)
        return error_set(r->error, "old partition %" PRId32 ": the task's clock cannot be read", p);
    const struct task_clock *clock = kept.object;
    source->mark_count = clock->marks.count;
    source->marks = malloc((clock->marks.count + 1) * sizeof *source->marks);
    if (!source->marks) return error_set(r->error, "out of memory");
    if (clock->marks.count) memcpy(source->marks, clock->marks.items, clock->marks.count * sizeof *source->marks);
    for (int32_t q = 0; q < r->options.to; q++)
        if (may_meet(r, p, q)) clock_merge(r, &r->targets[q], clock);
    arena_reset(&r->engine.arena);
    return true;
}

/* As many marks as a task keeps: one becomes the one after it, limits end later by that, never earlier. */
static void marks_thin(struct rekeying_target *target) {
    for (size_t drop = 1; target->mark_count > MARKS_MAXIMUM; drop = drop + 2 < target->mark_count ? drop + 1 : 1) {
        target->mark_count--;
        memmove(target->marks + drop, target->marks + drop + 1, (target->mark_count - drop) * sizeof *target->marks);
    }
}

static bool target_close(struct rekeying *r, int32_t q) {
    struct rekeying_target *target = &r->targets[q];
    struct clock_table offsets[MASTER_COUNT];
    if (!target->has_clock) return target->pending.count ? error_set(r->error, "a partition without a clock: a defect") : rekeying_flush(r, target);
    for (size_t i = 0; i < r->engine.table_count; i++)
        offsets[i] = (struct clock_table){slice_of(master_tables[r->engine.processor->tables[i]].name), target->table_offsets[i]};
    marks_thin(target);
    target->clock.next_sequence = (int64_t)target->next_number;
    target->clock.tables.items = offsets;
    target->clock.tables.count = r->engine.table_count;
    target->clock.marks.items = target->marks;
    target->clock.marks.count = target->mark_count;
    const int32_t day = utc_day(target->clock.stream_time_ms == INT64_MIN ? 0 : target->clock.stream_time_ms);
    const char head[HEAD_SIZE] = {(char)(day & 255), (char)(day >> 8 & 255), (char)(day >> 16 & 255), (char)(day >> 24 & 255), 0, 0};
    const struct kept kept = {.object = &target->clock};
    struct buffer body = {0};
    char header[HEADER_TEXT_SIZE];
    const int length = header_text(header, r->options.to, r->options.version, r->options.new_id ? r->options.new_id() : 0);
    bool ok = rekeying_body(r, STORE_ENGINE, (struct slice){head, sizeof head}, &kept, &body) && rekeying_put(r, q, (struct slice){clock_key, sizeof clock_key}, buffer_slice(&body), OWN_LAYOUT) &&
              rekeying_put(r, q, (struct slice){header_key, sizeof header_key}, (struct slice){header, (size_t)length}, 0) &&
              rekeying_put(r, q, (struct slice){layout_key, sizeof layout_key}, buffer_slice(&r->engine.own_layout->text), 0) && rekeying_flush(r, target);
    buffer_free(&body);
    return ok;
}

bool rekeying_build(struct rekeying *r, void (*progress)(void *context, uint64_t records), void *context, struct error *error) {
    bool ok = true;
    r->error = error;
    error->text[0] = 0;
    r->progress = progress;
    r->context = context;
    for (int32_t p = 0; ok && p < r->options.from; p++) ok = source_open(r, p);
    for (r->source = 0; ok && r->source < r->options.from; r->source++) {
        enum state_result result = state_scan_from(r->sources[r->source].state, (struct slice){0}, rekeying_place, r, error);
        ok = result != STATE_CORRUPT && result != STATE_FAILED && !error->text[0];
        for (int32_t q = 0; ok && q < r->options.to; q++) ok = rekeying_flush(r, &r->targets[q]);    /* records of two old partitions never wait together */
    }
    for (int32_t q = 0; ok && q < r->options.to; q++) ok = target_close(r, q);
    for (int32_t q = 0; q < r->options.to; q++) r->counts.written += rekeying_size(r, q);
    return ok || error->text[0] ? ok : error_set(error, "the new states cannot be built");
}

/* ---- giving out ---- */

uint64_t rekeying_size(const struct rekeying *r, int32_t partition) { return state_entries(r->targets[partition].state); }

struct giving { struct rekeying *r; bool (*visit)(void *context, struct slice key, struct slice value, struct error *error); void *context; struct error *error; bool ok; };

static bool give(struct giving *giving, struct slice key, struct state_value value) {
    static const char spare[STATE_SEAL_SIZE] = {0};
    struct buffer *scratch = &giving->r->scratch;
    buffer_reset(scratch);
    giving->ok = (buffer_append(scratch, spare, sizeof spare) && buffer_append(scratch, value.body.data, value.body.length)) || error_set(giving->error, "out of memory");
    if (giving->ok) state_seal(scratch->data, scratch->length, key, value.version);
    giving->ok = giving->ok && giving->visit(giving->context, key, buffer_slice(scratch), giving->error);
    return giving->ok;
}

static bool is_first(struct slice key) {
    return slice_equal(key, (struct slice){header_key, sizeof header_key}) || slice_equal(key, (struct slice){layout_key, sizeof layout_key});
}

static bool give_one(void *context, struct slice key, struct state_value value) { return is_first(key) || give(context, key, value); }

bool rekeying_each(struct rekeying *r, int32_t partition, bool (*visit)(void *context, struct slice key, struct slice value, struct error *error), void *context,
                   struct error *error) {
    struct state *state = r->targets[partition].state;
    struct giving giving = {r, visit, context, error, true};
    static const struct { const char *key; size_t length; } first[] = {{header_key, sizeof header_key}, {layout_key, sizeof layout_key}};
    for (size_t i = 0; i < 2 && giving.ok; i++) {
        struct state_value value;
        const struct slice key = {first[i].key, first[i].length};
        const enum state_result result = state_get(state, key, &value, error);
        if (result == STATE_ABSENT) return true;
        if (result != STATE_FOUND || !give(&giving, key, value)) return false;
    }
    const enum state_result result = state_scan_from(state, (struct slice){0}, give_one, &giving, error);
    return giving.ok && result != STATE_CORRUPT && result != STATE_FAILED;
}

bool rekeying_has(struct rekeying *r, int32_t partition, bool first, struct slice key, struct slice value) {
    struct state_value there;
    struct slice body;
    uint8_t version;
    struct error why = {{0}};
    if (partition >= r->options.to || !value.data || (first && !slice_equal(key, (struct slice){header_key, sizeof header_key}))) return false;
    return state_unseal(key, value, &body, &version) && state_get(r->targets[partition].state, key, &there, &why) == STATE_FOUND && version == there.version && slice_equal(body, there.body);
}
