/* overlay: the state as the running batch sees it, in the batch's memory. A record is read and decoded once a batch however many events ask for it, changed
 * as a struct, and encoded once at the end: a hot order line costs one changelog record a batch. Nothing reaches LMDB before Kafka has committed. */
#include <stdlib.h>

#include "common/codec/encode.h"
#include "common/codec/plan.h"
#include "common/platform/hash.h"
#include "common/runtime/engine_internal.h"

enum { SLOTS_AT_START = 4096 };

static bool slots_grow(struct overlay *overlay) {
    size_t count = overlay->slot_count ? overlay->slot_count * 2 : SLOTS_AT_START;
    struct overlay_entry **slots = calloc(count, sizeof *slots);
    if (!slots) return false;
    for (size_t i = 0; i < overlay->slot_count; i++) {
        if (!overlay->slots[i]) continue;
        size_t at = overlay->slots[i]->hash & (count - 1);
        while (slots[at]) at = (at + 1) & (count - 1);
        slots[at] = overlay->slots[i];
    }
    free(overlay->slots);
    overlay->slots = slots;
    overlay->slot_count = count;
    return true;
}

/* A body: the day (four bytes), the number of seen events (two), each event (fingerprint eight, day four), all little endian, then the record if there is one. */
enum { DAY_SIZE = 4, COUNT_SIZE = 2, EVENT_SIZE = 12 };

static int32_t day_read(const char *bytes) {
    const unsigned char *b = (const unsigned char *)bytes;
    return (int32_t)((uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24);
}

static void number_put(unsigned char *bytes, uint64_t number, size_t size) {
    for (size_t i = 0; i < size; i++, number >>= 8) bytes[i] = (unsigned char)number;
}

enum engine_result overlay_decode(const struct task *task, int wire_store, struct state_value value, struct kept *kept) {
    struct engine *engine = task->engine;
    const struct layout *layout = task->layouts[value.version];
    const struct slice body = value.body;
    const unsigned char *bytes = (const unsigned char *)body.data;
    *kept = (struct kept){0};
    if (body.length < DAY_SIZE + COUNT_SIZE) return ENGINE_REBUILD;
    kept->day = day_read(body.data);
    kept->event_count = (uint32_t)bytes[DAY_SIZE] | (uint32_t)bytes[DAY_SIZE + 1] << 8;
    size_t at = DAY_SIZE + COUNT_SIZE;
    if (kept->event_count > EVENT_IDS_MAXIMUM || body.length - at < (size_t)kept->event_count * EVENT_SIZE) return ENGINE_REBUILD;
    if (kept->event_count) {
        struct seen_event *events = arena_alloc(&engine->arena, kept->event_count * sizeof *events);
        if (!events) return ENGINE_ABORT;
        for (uint32_t i = 0; i < kept->event_count; i++, at += EVENT_SIZE) {
            for (size_t k = 8; k--;) events[i].hash = events[i].hash << 8 | bytes[at + k];
            events[i].day = day_read(body.data + at + 8);
        }
        kept->events = events;
    }
    if (at == body.length) return ENGINE_DONE;
    if (!layout || !layout->plans[wire_store]) return ENGINE_REBUILD;   /* its layout's record comes before it, or with it */
    const struct codec_type *type = engine->store_types[wire_store];
    /* The record outlives LMDB's page: its strings must not point there. */
    char *bytes_kept = arena_copy(&engine->arena, bytes + at, body.length - at);
    void *record = arena_alloc(&engine->arena, type->size);
    if (!bytes_kept || !record) return ENGINE_ABORT;
    switch (codec_decode(layout->plans[wire_store], bytes_kept, body.length - at, &engine->arena, record)) {
    case CODEC_OK: kept->object = record; return ENGINE_DONE;
    case CODEC_NO_MEMORY: return ENGINE_ABORT;
    default: return ENGINE_REBUILD;
    }
}

static void entry_load(struct decision *decision, struct overlay_entry *entry, int wire_store) {
    struct state_value value;
    struct error error = {{0}};
    switch (state_get(entry->task->state, entry->key, &value, &error)) {
    case STATE_ABSENT: return;
    case STATE_FOUND: break;
    case STATE_CORRUPT: decision_fail(decision, ENGINE_REBUILD, "state of partition %d: a record's checksum is wrong", entry->task->partition);
    case STATE_FAILED: decision_fail(decision, ENGINE_FATAL, "%s", error.text);
    }
    enum engine_result result = overlay_decode(entry->task, wire_store, value, &entry->kept);
    if (result == ENGINE_ABORT) decision_fail(decision, result, "out of batch memory (batch.memory.bytes)");
    if (result != ENGINE_DONE) decision_fail(decision, result, "state of partition %d: a record cannot be read", entry->task->partition);
}

struct overlay_entry *overlay_find(struct decision *decision, int wire_store, struct slice key) {
    struct engine *engine = decision->engine;
    struct overlay *overlay = &engine->overlay;
    char whole[STATE_KEY_MAXIMUM];
    if (key.length + 1 > sizeof whole)   /* envelope checks bound what comes from outside (decision.c) */
        decision_fail(decision, ENGINE_FATAL, "a key of store %d has %zu bytes, more than %d", wire_store, key.length, STATE_KEY_MAXIMUM - 1);
    whole[0] = (char)wire_store;
    if (key.length) memcpy(whole + 1, key.data, key.length);
    struct slice searched = {whole, key.length + 1};
    uint64_t hash = hash_bytes(whole, searched.length) ^ (uint64_t)(uint32_t)decision->task->partition * 0x9E3779B97F4A7C15u;
    if (overlay->entry_count * 2 >= overlay->slot_count && !slots_grow(overlay)) decision_fail(decision, ENGINE_ABORT, "out of memory");
    size_t at = hash & (overlay->slot_count - 1);
    for (; overlay->slots[at]; at = (at + 1) & (overlay->slot_count - 1)) {
        struct overlay_entry *entry = overlay->slots[at];
        if (entry->hash == hash && entry->task == decision->task && slice_equal(entry->key, searched)) return entry;
    }
    struct overlay_entry *entry = decision_alloc(decision, sizeof *entry);
    char *kept = decision_alloc(decision, searched.length);
    memcpy(kept, whole, searched.length);
    entry->task = decision->task;
    entry->hash = hash;
    entry->key = (struct slice){kept, searched.length};
    entry_load(decision, entry, wire_store);
    overlay->slots[at] = entry;
    overlay->entry_count++;
    return entry;
}

static void entry_soil(struct overlay_entry *entry) {
    if (entry->dirty) return;
    struct task *task = entry->task;
    entry->dirty = task->touched = true;
    *task->last_dirty = entry;
    task->last_dirty = &entry->next_dirty;
    task->dirty_count++;
}

/* ---- what is kept for how long ---- */

static int32_t today(const struct task *task) { return utc_day(task->stream_time_ms == INT64_MIN ? 0 : task->stream_time_ms); }

/* Documents that are open are kept whatever their age: the store's declaration says which are. */
static bool is_over(const struct overlay_entry *entry) {
    const struct engine *engine = entry->task->engine;
    int store = (unsigned char)entry->key.data[0] - STORE_FIRST;
    if (!engine->options.keep_documents_days || store < 0 || (int64_t)entry->kept.day + engine->options.keep_documents_days >= today(entry->task)) return false;
    bool (*is_open)(const void *record) = engine->processor->stores[store].is_open;
    return !entry->kept.object || !is_open || !is_open(entry->kept.object);
}

const void *overlay_object(const struct overlay_entry *entry) { return is_over(entry) ? NULL : entry->kept.object; }

static bool is_remembered(const struct overlay_entry *entry, const struct seen_event *event) {
    return (int64_t)event->day + entry->task->engine->options.keep_event_ids_days >= today(entry->task);
}

bool overlay_has_seen(const struct overlay_entry *entry, uint64_t event_hash) {
    for (uint32_t i = 0; i < entry->kept.event_count; i++)
        if (entry->kept.events[i].hash == event_hash && is_remembered(entry, &entry->kept.events[i])) return true;
    return false;
}

void overlay_put(struct overlay_entry *entry, const void *object) {
    entry->kept.object = object;
    entry->kept.day = today(entry->task);
    entry_soil(entry);
}

void overlay_saw(struct decision *decision, struct overlay_entry *entry, uint64_t event_hash) {
    /* The newest EVENT_IDS_MAXIMUM are kept: a source that repeats an older event of the same document is met by the document's own state. */
    struct kept *kept = &entry->kept;
    uint32_t count = 0, first = kept->event_count == EVENT_IDS_MAXIMUM ? 1 : 0;
    struct seen_event *events = decision_alloc(decision, (kept->event_count + 1) * sizeof *events);
    for (uint32_t i = first; i < kept->event_count; i++)
        if (is_remembered(entry, &kept->events[i])) events[count++] = kept->events[i];
    events[count++] = (struct seen_event){event_hash, today(entry->task)};
    kept->object = overlay_object(entry);
    kept->events = events;
    kept->event_count = count;
    kept->day = today(entry->task);
    entry_soil(entry);
}

/* ---- taking out ---- */

enum { SWEEP_EVERY_DAYS = 28, SWEEP_VISITS = 2000 };

struct sweeping { struct decision *decision; struct slice *old; size_t old_count, visits; };

static bool sweep_one(void *context, struct slice key, struct state_value value) {
    struct sweeping *sweeping = context;
    struct task *task = sweeping->decision->task;
    memcpy(task->sweep.from, key.data, key.length);
    task->sweep.length = key.length;
    if (sweeping->visits++ == SWEEP_VISITS) return false;
    const int store = (unsigned char)key.data[0];
    if (store >= STORE_LIMIT || !task->engine->store_types[store]) return true;   /* a newer program's store: it knows what is open there */
    if (value.body.length < DAY_SIZE || (int64_t)day_read(value.body.data) + task->engine->options.keep_documents_days >= today(task)) return true;
    char *copy = arena_copy(&task->engine->arena, key.data, key.length);
    if (!copy) return false;   /* the rest another time */
    sweeping->old[sweeping->old_count++] = (struct slice){copy, key.length};
    return true;
}

void overlay_sweep(struct decision *decision) {
    struct task *task = decision->task;
    if (!decision->engine->options.keep_documents_days) return;
    if (!task->swept_day) task->swept_day = today(task);
    if (!task->sweep.running) {
        if (today(task) - task->swept_day < SWEEP_EVERY_DAYS) return;
        task->sweep.running = true;
        task->sweep.from[0] = STORE_FIRST;
        task->sweep.length = 1;
    }
    struct sweeping sweeping = {.decision = decision, .old = decision_alloc(decision, SWEEP_VISITS * sizeof *sweeping.old)};
    enum state_result result = state_scan_from(task->state, (struct slice){task->sweep.from, task->sweep.length}, sweep_one, &sweeping, decision->error);
    if (result == STATE_CORRUPT) decision_fail(decision, ENGINE_REBUILD, "state of partition %d: a record's checksum is wrong", task->partition);
    if (result == STATE_FAILED) decision_fail(decision, ENGINE_FATAL, "state of partition %d cannot be read", task->partition);
    for (size_t i = 0; i < sweeping.old_count; i++) {
        struct overlay_entry *entry = overlay_find(decision, (unsigned char)sweeping.old[i].data[0], (struct slice){sweeping.old[i].data + 1, sweeping.old[i].length - 1});
        if (entry->dirty || !is_over(entry)) continue;
        entry->kept = (struct kept){0};
        entry_soil(entry);
    }
    if (sweeping.visits > SWEEP_VISITS) return;
    task->sweep.running = false;
    task->swept_day = today(task);
}

static enum engine_result entry_seal(struct engine *engine, struct overlay_entry *entry, struct error *error) {
    struct buffer *scratch = &engine->scratch;
    buffer_reset(scratch);
    const struct kept *kept = &entry->kept;
    if (!kept->object && !kept->event_count) { entry->sealed = (struct slice){0}; return ENGINE_DONE; }
    unsigned char head[STATE_SEAL_SIZE + DAY_SIZE + COUNT_SIZE] = {0}, event[EVENT_SIZE];
    number_put(head + STATE_SEAL_SIZE, (uint32_t)kept->day, DAY_SIZE);
    number_put(head + STATE_SEAL_SIZE + DAY_SIZE, kept->event_count, COUNT_SIZE);
    int store = (unsigned char)entry->key.data[0];
    bool ok = buffer_append(scratch, head, sizeof head);
    for (uint32_t i = 0; ok && i < kept->event_count; i++) {
        number_put(event, kept->events[i].hash, 8);
        number_put(event + 8, (uint32_t)kept->events[i].day, DAY_SIZE);
        ok = buffer_append(scratch, event, sizeof event);
    }
    ok = ok && (!kept->object || codec_encode(engine->store_types[store], kept->object, scratch));
    if (!ok) {
        error_set(error, "a record of store %d cannot be encoded (%s)", store, scratch->failed ? "out of memory" : "a value has no place in its schema");
        return scratch->failed ? ENGINE_ABORT : ENGINE_FATAL;
    }
    state_seal(scratch->data, scratch->length, entry->key, entry->task->layout);
    char *sealed = arena_copy(&engine->arena, scratch->data, scratch->length);
    if (!sealed) { error_set(error, "out of batch memory (batch.memory.bytes)"); return ENGINE_ABORT; }
    entry->sealed = (struct slice){sealed, scratch->length};
    return ENGINE_DONE;
}

enum engine_result overlay_seal(struct engine *engine, struct error *error) {
    enum engine_result result = ENGINE_DONE;
    for (struct task *task = engine->tasks; task; task = task->next)
        for (struct overlay_entry *entry = task->first_dirty; entry && result == ENGINE_DONE; entry = entry->next_dirty) result = entry_seal(engine, entry, error);
    return result;
}

void overlay_reset(struct engine *engine) {
    struct overlay *overlay = &engine->overlay;
    if (overlay->entry_count) memset(overlay->slots, 0, overlay->slot_count * sizeof *overlay->slots);
    overlay->entry_count = 0;
    for (struct task *task = engine->tasks; task; task = task->next) {
        task->first_dirty = NULL;
        task->last_dirty = &task->first_dirty;
        task->dirty_count = 0;
        task->header = task->layout_record = (struct slice){0};
    }
    arena_reset(&engine->arena);
    tables_trim(engine->options.tables);   /* no row that was looked up is needed any more */
}
