#include "common/runtime/rekeying.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/encode.h"
#include "common/platform/clock.h"
#include "common/platform/hash.h"
#include "common/runtime/engine_internal.h"

enum { ARENA_BLOCK = 1 << 20, ARENA_LIMIT = 256 << 20, PENDING_MAXIMUM = 2000, PENDING_BYTES = 8 << 20, HEAD_SIZE = 6, EVENT_SIZE = 12, PATH_SIZE = 512, OWN_LAYOUT = 1,
       PROGRESS_EVERY = 1000 };

static const char clock_key[] = {STORE_ENGINE, 'c', 'l', 'o', 'c', 'k'}, header_key[] = {STORE_ENGINE, 'h', 'e', 'a', 'd', 'e', 'r'},
                  layout_key[] = {STORE_ENGINE, 'l', 'a', 'y', 'o', 'u', 't', OWN_LAYOUT};

/* Records on their way into a new state: key and sealed value one behind the other. */
struct pending { struct buffer bytes; struct { size_t key, value; } lengths[PENDING_MAXIMUM]; size_t count; };

/* A new partition. */
struct target {
    struct state *state;
    struct pending pending;
    int64_t position;               /* counts what was put: the state wants one */
    uint64_t next_number;           /* of what waits */
    bool has_clock;
    struct task_clock clock;        /* tables: positions below; marks: those that something waits from */
    int64_t table_offsets[MASTER_COUNT];
    int64_t *marks;
    size_t mark_count, mark_capacity;
};

/* An old one. */
struct source {
    struct state *state;
    struct task *task;
    bool has_clock;
    int64_t stream_time_ms, broker_time_ms, *marks;
    size_t mark_count;
};

struct rekeying {
    struct rekeying_options options;
    struct engine engine;           /* of it what reading and writing values takes: schemas, layouts, memory */
    struct source *sources;
    struct target *targets;
    struct rekeying_counts counts;
    struct buffer scratch;
    struct error *error;            /* of the call that runs */
    int32_t source;                 /* whose records are being placed */
    void (*progress)(void *context, uint64_t records);
    void *context;
};

static int32_t common_divisor(int32_t a, int32_t b) { return b ? common_divisor(b, a % b) : a; }
/* Whether a key of the old partition may lie in the new one: its hash has both remainders. */
static bool may_meet(const struct rekeying *r, int32_t from, int32_t to) { return (to - from) % common_divisor(r->options.from, r->options.to) == 0; }

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

bool rekeying_open(struct rekeying **result, const struct rekeying_options *options, struct error *error) {
    struct rekeying *r = calloc(1, sizeof *r);
    if (!r) return error_set(error, "out of memory");
    r->options = *options;
    r->sources = calloc((size_t)options->from, sizeof *r->sources);
    r->targets = calloc((size_t)options->to, sizeof *r->targets);
    bool ok = (r->sources && r->targets) || error_set(error, "out of memory");
    ok = ok && engine_make(r, error);
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

/* ---- putting into the new states ---- */

static void say_conflict(struct rekeying *r, uint64_t *count, int store, struct slice key, const char *what) {
    const uint64_t said = r->counts.conflicts + r->counts.unowned;
    ++*count;
    if (said >= REKEYING_CONFLICTS_MAXIMUM) return;
    snprintf(r->counts.conflict_texts[said], sizeof r->counts.conflict_texts[said], "%.40s %.*s %.60s", r->options.processor->stores[store - STORE_FIRST].name,
             (int)(key.length < 140 ? key.length : 140), key.data, what);
}

/* The seen events of one value behind those of another: of what has no record besides. False: the bodies are no such. */
static bool events_join(struct rekeying *r, struct slice key, struct slice record, struct slice events) {
    const unsigned char *a = (const unsigned char *)record.data, *b = (const unsigned char *)events.data;
    const size_t have = (size_t)(a[4] | a[5] << 8), more = (size_t)(b[4] | b[5] << 8);
    size_t sum = have;
    buffer_reset(&r->scratch);
    static const char spare[STATE_SEAL_SIZE] = {0};
    bool ok = buffer_append(&r->scratch, spare, sizeof spare) && buffer_append(&r->scratch, record.data, HEAD_SIZE + have * EVENT_SIZE);
    for (size_t i = 0; ok && i < more && sum < EVENT_IDS_MAXIMUM; i++) {
        bool known = false;
        for (size_t k = 0; k < have; k++) known |= memcmp(record.data + HEAD_SIZE + k * EVENT_SIZE, events.data + HEAD_SIZE + i * EVENT_SIZE, EVENT_SIZE) == 0;
        if (known) continue;
        ok = buffer_append(&r->scratch, events.data + HEAD_SIZE + i * EVENT_SIZE, EVENT_SIZE);
        sum++;
    }
    const size_t from = HEAD_SIZE + have * EVENT_SIZE;
    ok = ok && buffer_append(&r->scratch, record.data + from, record.length - from);
    if (!ok) return error_set(r->error, "out of memory");
    r->scratch.data[STATE_SEAL_SIZE + 4] = (char)(sum & 255);
    r->scratch.data[STATE_SEAL_SIZE + 5] = (char)(sum >> 8);
    state_seal(r->scratch.data, r->scratch.length, key, OWN_LAYOUT);
    return true;
}

static bool is_events_alone(struct slice body) {
    const unsigned char *b = (const unsigned char *)body.data;
    return body.length == HEAD_SIZE + (size_t)(b[4] | b[5] << 8) * EVENT_SIZE;
}

/* Another old partition has given something under the key. Seen events alone join what is there. False: failed; *put: what goes in, empty: nothing. */
static bool meet(struct rekeying *r, struct slice key, struct slice there, struct slice value, struct slice *put) {
    const struct slice body = {value.data + STATE_SEAL_SIZE, value.length - STATE_SEAL_SIZE};
    const int store = (unsigned char)key.data[0];
    *put = (struct slice){0};
    const bool alone = is_events_alone(body);
    if (store < STORE_FIRST || (!alone && !is_events_alone(there))) {
        if (store < STORE_FIRST) return error_set(r->error, "two records of the runtime under one key: a defect");
        say_conflict(r, &r->counts.conflicts, store, (struct slice){key.data + 1, key.length - 1}, "is in two partitions that would become one");
        return true;
    }
    if (!events_join(r, key, alone ? there : body, alone ? body : there)) return false;
    *put = buffer_slice(&r->scratch);
    return true;
}

static bool flush(struct rekeying *r, struct target *target) {
    struct pending *pending = &target->pending;
    struct state_change changes[PENDING_MAXIMUM];
    size_t at = 0, count = 0;
    for (size_t i = 0; i < pending->count; i++) {
        struct state_value there;
        const struct slice key = {pending->bytes.data + at, pending->lengths[i].key};
        struct slice value = {key.data + key.length, pending->lengths[i].value};
        at += key.length + value.length;
        switch (state_get(target->state, key, &there, r->error)) {
        case STATE_ABSENT: break;
        case STATE_FOUND:
            if (!meet(r, key, there.body, value, &value)) return false;
            if (value.length) {     /* in the scratch: at once */
                const struct state_change one = {key, value};
                if (!state_apply(target->state, &one, 1, (struct state_position){++target->position, 0}, false, r->error)) return false;
            }
            continue;
        case STATE_CORRUPT: return error_set(r->error, "the new state cannot be read again: look at the disk of the folder");
        case STATE_FAILED: return false;
        }
        changes[count++] = (struct state_change){key, value};
    }
    target->position += (int64_t)count;
    bool ok = !count || state_apply(target->state, changes, count, (struct state_position){target->position, 0}, false, r->error);
    pending->count = 0;
    buffer_reset(&pending->bytes);
    return ok;
}

/* A record for a new partition: its body as it is, under our layout; or, text of our own, under none. */
static bool put(struct rekeying *r, int32_t partition, struct slice key, struct slice body, uint8_t layout) {
    struct target *target = &r->targets[partition];
    struct pending *pending = &target->pending;
    static const char spare[STATE_SEAL_SIZE] = {0};
    if ((pending->count == PENDING_MAXIMUM || pending->bytes.length > PENDING_BYTES) && !flush(r, target)) return false;
    const size_t before = pending->bytes.length;
    if (!buffer_append(&pending->bytes, key.data, key.length) || !buffer_append(&pending->bytes, spare, sizeof spare) || !buffer_append(&pending->bytes, body.data, body.length))
        return error_set(r->error, "out of memory");
    char *sealed = pending->bytes.data + before + key.length;
    state_seal(sealed, STATE_SEAL_SIZE + body.length, key, layout);
    pending->lengths[pending->count].key = key.length;
    pending->lengths[pending->count++].value = STATE_SEAL_SIZE + body.length;
    return true;
}

/* Day and seen events as they are, the record in our schema. */
static bool body_make(struct rekeying *r, int store, struct slice before, const struct kept *kept, struct buffer *body) {
    buffer_reset(body);
    bool ok = buffer_append(body, before.data, HEAD_SIZE + (size_t)kept->event_count * EVENT_SIZE) && (!kept->object || codec_encode(r->engine.store_types[store], kept->object, body));
    return ok || error_set(r->error, "a record of store %d cannot be written (%s)", store, body->failed ? "out of memory" : "a value has no place in its schema");
}

/* ---- whose a record is ---- */

/* The first two parts of a key; empty: it has not as many. */
static struct slice first_two(struct slice key) {
    const char *first = key.length ? memchr(key.data, '|', key.length) : NULL;
    if (!first) return (struct slice){0};
    const size_t rest = key.length - (size_t)(first + 1 - key.data);
    const char *second = rest ? memchr(first + 1, '|', rest) : NULL;
    return (struct slice){key.data, second ? (size_t)(second - key.data) : key.length};
}

/* Into `text`: the key of the record's events; empty: not told. */
static bool owner_find(struct rekeying *r, int store, struct slice key, const void *record, int depth, char text[STATE_KEY_MAXIMUM], struct slice *found) {
    struct record_owner owner = {.told = OWNER_BY_KEY};
    *found = (struct slice){0};
    if (r->engine.processor->owner) r->engine.processor->owner(store - STORE_FIRST, key, record, &owner);
    struct slice partner;
    char encoded[STATE_KEY_MAXIMUM];
    const char *bar = key.length ? memchr(key.data, '|', key.length) : NULL;
    switch (owner.told) {
    case OWNER_BY_KEY: owner.key = first_two(key); break;
    case OWNER_KEY: break;
    case OWNER_PARTNER:
        partner = tables_key(encoded, sizeof encoded, &owner.partner, 1);
        if (!bar || !partner.length) return true;
        *found = (struct slice){text, (size_t)snprintf(text, STATE_KEY_MAXIMUM, "%.*s|" SLICE_FORMAT, (int)(bar - key.data), key.data, SLICE_ARGUMENT(partner))};
        if (found->length >= STATE_KEY_MAXIMUM) *found = (struct slice){0};
        return true;
    case OWNER_OF_OTHER: {
        struct state_value value;
        struct kept kept;
        char whole[STATE_KEY_MAXIMUM];
        if (depth || owner.at.length + 1 > sizeof whole) return true;
        whole[0] = (char)(STORE_FIRST + owner.store);
        memcpy(whole + 1, owner.at.data, owner.at.length);
        const struct source *source = &r->sources[r->source];
        const struct slice other = {whole, owner.at.length + 1};
        if (state_get(source->state, other, &value, r->error) != STATE_FOUND) return true;
        if (overlay_decode(source->task, STORE_FIRST + owner.store, value, &kept) != ENGINE_DONE) return error_set(r->error, "a record of store %d cannot be read", owner.store);
        return owner_find(r, STORE_FIRST + owner.store, (struct slice){other.data + 1, other.length - 1}, kept.object, depth + 1, text, found);
    }
    case OWNER_NOT_TOLD: return true;
    }
    if (owner.key.length && owner.key.length < STATE_KEY_MAXIMUM) {
        memcpy(text, owner.key.data, owner.key.length);
        *found = (struct slice){text, owner.key.length};
    }
    return true;
}

/* ---- placing ---- */

static bool place_everywhere(struct rekeying *r, struct slice key, struct slice body) {
    r->counts.everywhere++;
    for (int32_t q = 0; q < r->options.to; q++)
        if (!put(r, q, key, body, OWN_LAYOUT)) return false;
    return true;
}

static bool place_record(struct rekeying *r, struct slice key, struct state_value value) {
    const struct source *source = &r->sources[r->source];
    const int store = (unsigned char)key.data[0];
    const struct slice own = {key.data + 1, key.length - 1};
    struct kept kept;
    struct slice owner;
    char text[STATE_KEY_MAXIMUM];
    if (overlay_decode(source->task, store, value, &kept) != ENGINE_DONE)
        return error_set(r->error, "old partition %" PRId32 ": a record of store %d cannot be read", r->source, store);
    if (!owner_find(r, store, own, kept.object, 0, text, &owner)) return false;
    r->counts.records++;
    struct buffer body = {0};
    const bool ours = !kept.object || source->task->layouts[value.version] == r->engine.own_layout;
    if (!ours && !body_make(r, store, value.body, &kept, &body)) { buffer_free(&body); return false; }
    const struct slice written = ours ? value.body : buffer_slice(&body);
    bool ok = true;
    if (owner.length) {
        const int32_t to = hash_partition(owner, r->options.to);
        r->counts.moved += to != r->source;
        ok = put(r, to, key, written, OWN_LAYOUT);
    } else if (!kept.object) ok = place_everywhere(r, key, written);
    else say_conflict(r, &r->counts.unowned, store, own, "does not say whose it is: written before that was kept");
    buffer_free(&body);
    return ok;
}

/* The mark from which the limit of what waits is counted, among those of its own task; -1: it has none yet. */
static int64_t mark_of(const struct source *source, const struct parked_event *parked) {
    for (size_t i = 0; i < source->mark_count; i++)
        if (source->marks[i] > parked->waits_from_ms) return source->marks[i];
    return -1;
}

static bool mark_add(struct rekeying *r, struct target *target, int64_t mark) {
    size_t at = 0;
    while (at < target->mark_count && target->marks[at] < mark) at++;
    if (at < target->mark_count && target->marks[at] == mark) return true;
    if (target->mark_count == target->mark_capacity) {
        const size_t capacity = target->mark_capacity ? target->mark_capacity * 2 : 64;
        int64_t *grown = realloc(target->marks, capacity * sizeof *grown);
        if (!grown) return error_set(r->error, "out of memory");
        target->marks = grown;
        target->mark_capacity = capacity;
    }
    memmove(target->marks + at + 1, target->marks + at, (target->mark_count - at) * sizeof *target->marks);
    target->marks[at] = mark;
    target->mark_count++;
    return true;
}

/* Counted from the same tick as before; where there was none yet, from the next. Marks of other tasks, which are among the new ones, must not count earlier. */
static bool keep_limit(struct rekeying *r, struct target *target, struct parked_event *parked) {
    if (parked->limit_ms < 0) return true;
    const int64_t mark = mark_of(&r->sources[r->source], parked);
    parked->waits_from_ms = mark >= 0 ? mark - 1 : target->clock.broker_time_ms;
    return mark < 0 || mark_add(r, target, mark);
}

static bool place_waiting(struct rekeying *r, struct slice key, struct state_value value) {
    const struct source *source = &r->sources[r->source];
    struct kept kept;
    if (key.length != 9 || overlay_decode(source->task, STORE_PARKED, value, &kept) != ENGINE_DONE || !kept.object)
        return error_set(r->error, "old partition %" PRId32 ": an event that waits cannot be read", r->source);
    struct parked_event parked = *(const struct parked_event *)kept.object;
    const int32_t to = hash_partition(parked.key, r->options.to);
    struct target *target = &r->targets[to];
    switch (parked.status) {
    case PARKED_STATUS_WAITING: r->counts.waiting++; break;
    case PARKED_STATUS_HELD: r->counts.held++; break;
    case PARKED_STATUS_BEHIND: r->counts.behind++; break;
    case PARKED_STATUS_DEFERRED: r->counts.deferred++; break;
    }
    r->counts.waits_moved += to != r->source;
    /* It may have come to its task from another one before. */
    if (parked.status != PARKED_STATUS_DEFERRED && parked.partition < 0) parked.partition = r->source;
    if (!keep_limit(r, target, &parked)) return false;
    char name[9] = {STORE_PARKED};
    uint64_t number = target->next_number++;
    for (int i = 8; i >= 1; i--, number >>= 8) name[i] = (char)(number & 255);
    struct buffer body = {0};
    kept.object = &parked;
    bool ok = body_make(r, STORE_PARKED, value.body, &kept, &body) && put(r, to, (struct slice){name, sizeof name}, buffer_slice(&body), OWN_LAYOUT);
    buffer_free(&body);
    return ok;
}

static bool place_one(void *context, struct slice key, struct state_value value) {
    struct rekeying *r = context;
    const int store = (unsigned char)key.data[0];
    bool ok = true;
    if (store == STORE_PARKED) ok = place_waiting(r, key, value);
    else if (store >= STORE_LIMIT || !r->engine.store_types[store])
        ok = error_set(r->error, "the state has a store number %d that this program does not know: a newer version has written it; take the command of that version", store);
    else if (store >= STORE_FIRST) ok = place_record(r, key, value);
    arena_reset(&r->engine.arena);
    if (r->progress && (r->counts.records + r->counts.waiting + r->counts.held) % PROGRESS_EVERY == 0) r->progress(r->context, r->counts.records);
    if (!ok && !r->error->text[0]) error_set(r->error, "old partition %" PRId32 " cannot be placed", r->source);
    return ok;
}

/* ---- clocks ---- */

static void clock_merge(struct rekeying *r, struct target *target, const struct task_clock *clock) {
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
    struct source *source = &r->sources[p];
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
static void marks_thin(struct target *target) {
    for (size_t drop = 1; target->mark_count > MARKS_MAXIMUM; drop = drop + 2 < target->mark_count ? drop + 1 : 1) {
        target->mark_count--;
        memmove(target->marks + drop, target->marks + drop + 1, (target->mark_count - drop) * sizeof *target->marks);
    }
}

static bool target_close(struct rekeying *r, int32_t q) {
    struct target *target = &r->targets[q];
    struct clock_table offsets[MASTER_COUNT];
    if (!target->has_clock) return target->pending.count ? error_set(r->error, "a partition without a clock: a defect") : flush(r, target);
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
    char header[160];
    const int length = snprintf(header, sizeof header, "format=%d partitions=%" PRId32 " partitioner=murmur2 version=%.31s id=%016" PRIx64, STATE_FORMAT, r->options.to,
                                r->options.version, r->options.new_id ? r->options.new_id() : 0);
    bool ok = body_make(r, STORE_ENGINE, (struct slice){head, sizeof head}, &kept, &body) && put(r, q, (struct slice){clock_key, sizeof clock_key}, buffer_slice(&body), OWN_LAYOUT) &&
              put(r, q, (struct slice){header_key, sizeof header_key}, (struct slice){header, (size_t)length}, 0) &&
              put(r, q, (struct slice){layout_key, sizeof layout_key}, buffer_slice(&r->engine.own_layout->text), 0) && flush(r, target);
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
        enum state_result result = state_scan_from(r->sources[r->source].state, (struct slice){0}, place_one, r, error);
        ok = result != STATE_CORRUPT && result != STATE_FAILED && !error->text[0];
        for (int32_t q = 0; ok && q < r->options.to; q++) ok = flush(r, &r->targets[q]);    /* records of two old partitions never wait together */
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
