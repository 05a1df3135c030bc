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

enum engine_result overlay_decode(struct engine *engine, int wire_store, struct slice body, const void **object, const uint64_t **event_ids, uint32_t *count) {
    /* body: one byte with the number of event ids (255: two more bytes follow), the ids, then, if anything is left, the record. */
    const unsigned char *bytes = (const unsigned char *)body.data;
    size_t at = 1, ids;
    if (body.length < 1) return ENGINE_REBUILD;
    ids = bytes[0];
    if (ids == 255) {
        if (body.length < 3) return ENGINE_REBUILD;
        ids = (size_t)bytes[1] << 8 | bytes[2];
        at = 3;
    }
    if (ids > EVENT_IDS_MAXIMUM || body.length - at < ids * sizeof(uint64_t)) return ENGINE_REBUILD;
    uint64_t *copy = NULL;
    if (ids) {
        copy = arena_alloc(&engine->arena, ids * sizeof *copy);
        if (!copy) return ENGINE_ABORT;
        memcpy(copy, bytes + at, ids * sizeof *copy);
        at += ids * sizeof *copy;
    }
    *event_ids = copy;
    *count = (uint32_t)ids;
    *object = NULL;
    if (at == body.length) return ENGINE_DONE;
    const struct codec_type *type = engine->store_types[wire_store];
    /* The record outlives LMDB's page: its strings must not point there. */
    char *bytes_kept = arena_copy(&engine->arena, bytes + at, body.length - at);
    void *record = arena_alloc(&engine->arena, type->size);
    if (!bytes_kept || !record) return ENGINE_ABORT;
    switch (codec_decode(engine->store_plans[wire_store], bytes_kept, body.length - at, &engine->arena, record)) {
    case CODEC_OK: *object = record; return ENGINE_DONE;
    case CODEC_NO_MEMORY: return ENGINE_ABORT;
    default: return ENGINE_REBUILD;
    }
}

static void entry_load(struct decision *decision, struct overlay_entry *entry, int wire_store) {
    struct slice body;
    struct error error = {{0}};
    switch (state_get(entry->task->state, entry->key, &body, &error)) {
    case STATE_ABSENT: return;
    case STATE_FOUND: break;
    case STATE_CORRUPT: decision_fail(decision, ENGINE_REBUILD, "state of partition %d: a record's checksum is wrong", entry->task->partition);
    case STATE_FAILED: decision_fail(decision, ENGINE_FATAL, "%s", error.text);
    }
    enum engine_result result = overlay_decode(decision->engine, wire_store, body, &entry->object, &entry->event_ids, &entry->event_id_count);
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

static void entry_soil(struct engine *engine, struct overlay_entry *entry) {
    if (entry->dirty) return;
    entry->dirty = true;
    entry->task->touched = true;
    if (!engine->overlay.last_dirty) engine->overlay.last_dirty = &engine->overlay.first_dirty;
    *engine->overlay.last_dirty = entry;
    engine->overlay.last_dirty = &entry->next_dirty;
}

void overlay_put(struct engine *engine, struct overlay_entry *entry, const void *object) {
    entry->object = object;
    entry_soil(engine, entry);
}

bool overlay_has_seen(const struct overlay_entry *entry, uint64_t event_hash) {
    for (uint32_t i = 0; i < entry->event_id_count; i++)
        if (entry->event_ids[i] == event_hash) return true;
    return false;
}

void overlay_saw(struct decision *decision, struct overlay_entry *entry, uint64_t event_hash) {
    /* The newest EVENT_IDS_MAXIMUM are kept: a source that repeats an older event of the same document is met by the document's own state. */
    uint32_t dropped = entry->event_id_count == EVENT_IDS_MAXIMUM ? 1 : 0;
    uint64_t *ids = decision_alloc(decision, (entry->event_id_count + 1) * sizeof *ids);
    if (entry->event_id_count) memcpy(ids, entry->event_ids + dropped, (entry->event_id_count - dropped) * sizeof *ids);
    entry->event_id_count = entry->event_id_count - dropped + 1;
    ids[entry->event_id_count - 1] = event_hash;
    entry->event_ids = ids;
    entry_soil(decision->engine, entry);
}

static enum engine_result entry_seal(struct engine *engine, struct overlay_entry *entry, struct error *error) {
    struct buffer *scratch = &engine->scratch;
    buffer_reset(scratch);
    if (!entry->object && !entry->event_id_count) { entry->sealed = (struct slice){0}; return ENGINE_DONE; }
    unsigned char count[3] = {(unsigned char)entry->event_id_count};
    size_t count_length = 1;
    if (entry->event_id_count >= 255) {
        count[0] = 255;
        count[1] = (unsigned char)(entry->event_id_count >> 8);
        count[2] = (unsigned char)entry->event_id_count;
        count_length = 3;
    }
    static const char seal[STATE_SEAL_SIZE];
    int store = (unsigned char)entry->key.data[0];
    bool ok = buffer_append(scratch, seal, sizeof seal) && buffer_append(scratch, count, count_length) &&
              buffer_append(scratch, entry->event_ids, entry->event_id_count * sizeof *entry->event_ids) &&
              (!entry->object || codec_encode(engine->store_types[store], entry->object, scratch));
    if (!ok) {
        error_set(error, "a record of store %d cannot be encoded (%s)", store, scratch->failed ? "out of memory" : "a value has no place in its schema");
        return scratch->failed ? ENGINE_ABORT : ENGINE_FATAL;
    }
    state_seal(scratch->data, scratch->length, entry->key, (uint8_t)engine->processor->layout_version);
    char *kept = arena_copy(&engine->arena, scratch->data, scratch->length);
    if (!kept) { error_set(error, "out of batch memory (batch.memory.bytes)"); return ENGINE_ABORT; }
    entry->sealed = (struct slice){kept, scratch->length};
    return ENGINE_DONE;
}

enum engine_result overlay_seal(struct engine *engine, struct error *error) {
    enum engine_result result = ENGINE_DONE;
    for (struct overlay_entry *entry = engine->overlay.first_dirty; entry && result == ENGINE_DONE; entry = entry->next_dirty) result = entry_seal(engine, entry, error);
    return result;
}

void overlay_reset(struct engine *engine) {
    struct overlay *overlay = &engine->overlay;
    if (overlay->entry_count) memset(overlay->slots, 0, overlay->slot_count * sizeof *overlay->slots);
    overlay->entry_count = 0;
    overlay->first_dirty = NULL;
    overlay->last_dirty = NULL;
    arena_reset(&engine->arena);
    tables_trim(engine->options.tables);   /* no row that was looked up is needed any more */
}
