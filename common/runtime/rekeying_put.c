#include <stdio.h>
#include <stdlib.h>

#include "common/codec/encode.h"
#include "common/runtime/rekeying_internal.h"

void rekeying_say(struct rekeying *r, uint64_t *count, int store, struct slice key, const char *what) {
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
        rekeying_say(r, &r->counts.conflicts, store, (struct slice){key.data + 1, key.length - 1}, "is in two partitions that would become one");
        return true;
    }
    if (!events_join(r, key, alone ? there : body, alone ? body : there)) return false;
    *put = buffer_slice(&r->scratch);
    return true;
}

bool rekeying_flush(struct rekeying *r, struct rekeying_target *target) {
    struct rekeying_pending *pending = &target->pending;
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
bool rekeying_put(struct rekeying *r, int32_t partition, struct slice key, struct slice body, uint8_t layout) {
    struct rekeying_target *target = &r->targets[partition];
    struct rekeying_pending *pending = &target->pending;
    static const char spare[STATE_SEAL_SIZE] = {0};
    if ((pending->count == PENDING_MAXIMUM || pending->bytes.length > PENDING_BYTES) && !rekeying_flush(r, target)) return false;
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
bool rekeying_body(struct rekeying *r, int store, struct slice before, const struct kept *kept, struct buffer *body) {
    buffer_reset(body);
    bool ok = buffer_append(body, before.data, HEAD_SIZE + (size_t)kept->event_count * EVENT_SIZE) && (!kept->object || codec_encode(r->engine.store_types[store], kept->object, body));
    return ok || error_set(r->error, "a record of store %d cannot be written (%s)", store, body->failed ? "out of memory" : "a value has no place in its schema");
}
