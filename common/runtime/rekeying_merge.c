#include <stdlib.h>

#include "common/platform/hash.h"
#include "common/runtime/rekeying_internal.h"

/* A key that begins with the one partner's, with the other's instead; as it is when it does not. */
static struct slice key_change(struct slice key, struct slice from, struct slice to, char text[STATE_KEY_MAXIMUM]) {
    const size_t rest = key.length - from.length;
    const bool is_its = key.length >= from.length && memcmp(key.data, from.data, from.length) == 0 && (!rest || key.data[from.length] == '|');
    if (!is_its || to.length + rest >= STATE_KEY_MAXIMUM) return key;
    memcpy(text, to.data, to.length);
    memcpy(text + to.length, key.data + from.length, rest);
    return (struct slice){text, to.length + rest};
}

/* What stands under the key, as a whole with its store, in the old partition of that owner. False: nothing, or seen events alone. */
static bool counterpart(struct rekeying *r, int store, struct slice own, struct slice owner, struct kept *kept) {
    const struct rekeying_source *source = &r->sources[hash_partition(owner, r->options.from)];
    char whole[STATE_KEY_MAXIMUM];
    struct state_value value;
    whole[0] = (char)store;
    memcpy(whole + 1, own.data, own.length);
    return state_get(source->state, (struct slice){whole, own.length + 1}, &value, r->error) == STATE_FOUND && overlay_decode(source->task, store, value, kept) == ENGINE_DONE && kept->object;
}

static void *record_copy(struct rekeying *r, int store, const void *record) {
    const size_t size = r->engine.store_types[store]->size;
    void *copy = arena_alloc(&r->engine.arena, size);
    if (copy) memcpy(copy, record, size);
    else error_set(r->error, "out of memory");
    return copy;
}

/* A record of the partner that becomes the other. */
bool rekeying_merge_record(struct rekeying *r, int store, struct slice own, struct slice before, struct kept *kept) {
    const struct partner_change *change = &r->change;
    const struct processor *processor = r->engine.processor;
    char text[STATE_KEY_MAXIMUM], whole[STATE_KEY_MAXIMUM];
    const struct slice renamed = key_change(own, change->key_from, change->key_to, text);
    struct kept there;
    const bool same = renamed.length == own.length && memcmp(renamed.data, own.data, own.length) == 0;
    r->counts.merged++;
    if (renamed.length + 1 >= sizeof whole) return error_set(r->error, "a key would be too long");
    if (kept->object && !same && counterpart(r, store, renamed, change->key_to, &there)) {
        void *into = record_copy(r, store, there.object);
        if (!into) return false;
        if (processor->join && processor->join(store - STORE_FIRST, into, kept->object, change)) return true;     /* the other takes it when its turn comes */
        rekeying_say(r, &r->counts.conflicts, store, own, "is there under both partners");
        return true;
    }
    if (kept->object) {
        void *record = record_copy(r, store, kept->object);
        if (!record) return false;
        if (!processor->change_record(store - STORE_FIRST, record, change)) return error_set(r->error, "out of memory");
        kept->object = record;
    }
    whole[0] = (char)store;
    memcpy(whole + 1, renamed.data, renamed.length);
    struct buffer body = {0};
    bool ok = rekeying_body(r, store, before, kept, &body) && rekeying_put(r, r->merge_to, (struct slice){whole, renamed.length + 1}, buffer_slice(&body), OWN_LAYOUT);
    buffer_free(&body);
    return ok;
}

/* A record of the other: with what the one has under the same key, where both can be one. */
bool rekeying_take_in(struct rekeying *r, int store, struct slice own, struct kept *kept, bool *changed) {
    const struct partner_change *change = &r->change;
    char text[STATE_KEY_MAXIMUM];
    const struct slice theirs = key_change(own, change->key_to, change->key_from, text);
    struct kept more;
    if (!kept->object || !r->engine.processor->join || theirs.data == own.data || !counterpart(r, store, theirs, change->key_from, &more)) return true;
    void *into = record_copy(r, store, kept->object);
    if (!into) return false;
    if (!r->engine.processor->join(store - STORE_FIRST, into, more.object, change)) return true;
    kept->object = into;
    return *changed = true;
}

/* What waits of the one waits for the other then: with its keys, and with that partner in the event itself. */
bool rekeying_merge_waiting(struct rekeying *r, struct parked_event *parked, struct buffer *event) {
    const struct partner_change *change = &r->change;
    if (parked->status == PARKED_STATUS_DEFERRED || parked->status == PARKED_STATUS_HELD) {
        rekeying_say(r, &r->counts.conflicts, parked->document_store < STORE_FIRST ? STORE_FIRST : parked->document_store, parked->document, "is held: decide on it first");
        return true;
    }
    r->counts.waits_merged++;
    char encoded[2][STATE_KEY_MAXIMUM];
    const struct slice id_from = tables_key(encoded[0], sizeof encoded[0], &change->partner_from, 1), id_to = tables_key(encoded[1], sizeof encoded[1], &change->partner_to, 1);
    char text[STATE_KEY_MAXIMUM];
    struct parked_missing *missing = arena_alloc(&r->engine.arena, (parked->missing.count + 1) * sizeof *missing);
    const struct slice document = key_change(parked->document, change->key_from, change->key_to, text);
    const char *kept = missing ? arena_copy(&r->engine.arena, document.data, document.length) : NULL;
    if (!kept) return error_set(r->error, "out of memory");
    parked->document = (struct slice){kept, document.length};
    struct kept there;
    if (parked->establishes && parked->document_store >= STORE_FIRST && counterpart(r, parked->document_store, document, change->key_to, &there))
        rekeying_say(r, &r->counts.conflicts, parked->document_store, document, "waits, and is there under the other partner");
    for (size_t i = 0; i < parked->missing.count; i++) {
        missing[i] = parked->missing.items[i];
        const bool suppliers = missing[i].table == MASTER_SUPPLIERS || missing[i].table == MASTER_SUPPLIER_ACCOUNTS;
        const struct slice key = missing[i].table < 0 ? key_change(missing[i].key, change->key_from, change->key_to, text) : suppliers ? key_change(missing[i].key, id_from, id_to, text)
                                                                                                                                      : missing[i].key;
        if (!(kept = arena_copy(&r->engine.arena, key.data, key.length))) return error_set(r->error, "out of memory");
        missing[i].key = (struct slice){kept, key.length};
    }
    parked->missing.items = missing;
    parked->key = change->key_to;
    if (!r->options.merge->rewrite(r->options.merge->context, parked->input, change, parked->value, event, r->error)) return false;
    parked->value = buffer_slice(event);
    return true;
}
