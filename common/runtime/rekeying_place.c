#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/platform/hash.h"
#include "common/runtime/rekeying_internal.h"

enum { PROGRESS_EVERY = 1000 };

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
        const struct rekeying_source *source = &r->sources[r->source];
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

/* Whether all seen events of the one body are in the other. */
static bool has_events(struct slice all, struct slice some) {
    const unsigned char *a = (const unsigned char *)all.data, *s = (const unsigned char *)some.data;
    const size_t have = (size_t)(a[4] | a[5] << 8), wanted = (size_t)(s[4] | s[5] << 8);
    for (size_t i = 0, k; i < wanted; i++) {
        for (k = 0; k < have && memcmp(all.data + HEAD_SIZE + k * EVENT_SIZE, some.data + HEAD_SIZE + i * EVENT_SIZE, EVENT_SIZE) != 0; k++) {}
        if (k == have) return false;
    }
    return true;
}

/* What an earlier rekey has put everywhere comes again from every old partition: once is enough. */
static bool place_everywhere(struct rekeying *r, struct slice key, struct slice body) {
    struct state_value there;
    if (state_get(r->targets[0].state, key, &there, r->error) == STATE_FOUND && has_events(there.body, body)) return true;
    r->counts.everywhere++;
    for (int32_t q = 0; q < r->options.to; q++)
        if (!rekeying_put(r, q, key, body, OWN_LAYOUT)) return false;
    return true;
}

static bool place_record(struct rekeying *r, struct slice key, struct state_value value) {
    const struct rekeying_source *source = &r->sources[r->source];
    const int store = (unsigned char)key.data[0];
    const struct slice own = {key.data + 1, key.length - 1};
    struct kept kept;
    struct slice owner;
    char text[STATE_KEY_MAXIMUM];
    if (overlay_decode(source->task, store, value, &kept) != ENGINE_DONE)
        return error_set(r->error, "old partition %" PRId32 ": a record of store %d cannot be read", r->source, store);
    if (!owner_find(r, store, own, kept.object, 0, text, &owner)) return false;
    r->counts.records++;
    bool changed = false;
    if (r->change.key_from.length && slice_equal(owner, r->change.key_from)) return rekeying_merge_record(r, store, own, value.body, &kept);
    if (r->change.key_from.length && slice_equal(owner, r->change.key_to) && !rekeying_take_in(r, store, own, &kept, &changed)) return false;
    struct buffer body = {0};
    const bool ours = !changed && (!kept.object || source->task->layouts[value.version] == r->engine.own_layout);
    if (!ours && !rekeying_body(r, store, value.body, &kept, &body)) { buffer_free(&body); return false; }
    const struct slice written = ours ? value.body : buffer_slice(&body);
    bool ok = true;
    if (owner.length) {
        const int32_t to = hash_partition(owner, r->options.to);
        r->counts.moved += to != r->source;
        ok = rekeying_put(r, to, key, written, OWN_LAYOUT);
    } else if (!kept.object) ok = place_everywhere(r, key, written);
    else rekeying_say(r, &r->counts.unowned, store, own, "does not say whose it is: written before that was kept");
    buffer_free(&body);
    return ok;
}

/* The mark from which the limit of what waits is counted, among those of its own task; -1: it has none yet. */
static int64_t mark_of(const struct rekeying_source *source, const struct parked_event *parked) {
    for (size_t i = 0; i < source->mark_count; i++)
        if (source->marks[i] > parked->waits_from_ms) return source->marks[i];
    return -1;
}

static bool mark_add(struct rekeying *r, struct rekeying_target *target, int64_t mark) {
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
static bool keep_limit(struct rekeying *r, struct rekeying_target *target, struct parked_event *parked) {
    if (parked->limit_ms < 0) return true;
    const int64_t mark = mark_of(&r->sources[r->source], parked);
    parked->waits_from_ms = mark >= 0 ? mark - 1 : target->clock.broker_time_ms;
    return mark < 0 || mark_add(r, target, mark);
}

static bool place_waiting(struct rekeying *r, struct slice key, struct state_value value) {
    const struct rekeying_source *source = &r->sources[r->source];
    struct kept kept;
    if (key.length != 9 || overlay_decode(source->task, STORE_PARKED, value, &kept) != ENGINE_DONE || !kept.object)
        return error_set(r->error, "old partition %" PRId32 ": an event that waits cannot be read", r->source);
    struct parked_event parked = *(const struct parked_event *)kept.object;
    struct buffer event = {0}, body = {0};
    const enum parked_status status = parked.status;
    if (r->change.key_from.length && slice_equal(parked.key, r->change.key_from) && !rekeying_merge_waiting(r, &parked, &event)) { buffer_free(&event); return false; }
    const int32_t to = hash_partition(parked.key, r->options.to);
    struct rekeying_target *target = &r->targets[to];
    switch (status) {
    case PARKED_STATUS_WAITING: r->counts.waiting++; break;
    case PARKED_STATUS_HELD: r->counts.held++; break;
    case PARKED_STATUS_BEHIND: r->counts.behind++; break;
    case PARKED_STATUS_DEFERRED: r->counts.deferred++; break;
    }
    r->counts.waits_moved += to != r->source;
    /* Also of what stays in its partition: its number is new, and it is found by where it came from. It may have come from another one before. */
    if (parked.status != PARKED_STATUS_DEFERRED && parked.partition < 0) parked.partition = r->source;
    if (!keep_limit(r, target, &parked)) { buffer_free(&event); return false; }
    char name[9] = {STORE_PARKED};
    uint64_t number = target->next_number++;
    for (int i = 8; i >= 1; i--, number >>= 8) name[i] = (char)(number & 255);
    kept.object = &parked;
    bool ok = rekeying_body(r, STORE_PARKED, value.body, &kept, &body) && rekeying_put(r, to, (struct slice){name, sizeof name}, buffer_slice(&body), OWN_LAYOUT);
    buffer_free(&event);
    buffer_free(&body);
    return ok;
}

bool rekeying_place(void *context, struct slice key, struct state_value value) {
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
