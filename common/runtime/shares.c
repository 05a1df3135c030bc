/* shares: events by outcome, of each source and of each legal entity. A name is looked up by its hash, without allocation once it is known; past
 * SHARES_MAXIMUM names of a kind further ones count together under `other`, so that neither memory nor the metrics grow with what sources write. */
#include <stdlib.h>

#include "common/platform/hash.h"
#include "common/runtime/engine_internal.h"

enum { SLOTS = 1024, SHARES_MAXIMUM = 150 };

_Static_assert(SHARE_KINDS * (SHARES_MAXIMUM + 1) < SLOTS / 2, "the slots are never full");

struct shares {
    struct engine_share items[SHARE_KINDS * (SHARES_MAXIMUM + 1)];
    size_t count, of_kind[SHARE_KINDS];
    uint16_t slots[SLOTS];      /* position + 1; 0: free */
};

static uint16_t *slot_of(struct shares *shares, enum engine_share_kind kind, struct slice name) {
    uint64_t at = hash_slice(name) + (uint64_t)kind * 0x9E3779B97F4A7C15u;
    for (;; at++) {
        uint16_t *slot = &shares->slots[at % SLOTS];
        if (!*slot) return slot;
        const struct engine_share *share = &shares->items[*slot - 1];
        if (share->kind == kind && slice_equal(slice_of(share->name), name)) return slot;
    }
}

/* NULL: out of memory. */
static struct engine_share *share_of(struct shares *shares, enum engine_share_kind kind, struct slice name) {
    uint16_t *slot = slot_of(shares, kind, name);
    if (!*slot && shares->of_kind[kind] >= SHARES_MAXIMUM) slot = slot_of(shares, kind, name = SLICE("other"));
    if (*slot) return &shares->items[*slot - 1];
    char *copy = strndup(name.data, name.length);
    if (!copy) return NULL;
    shares->items[shares->count] = (struct engine_share){.kind = kind, .name = copy};
    shares->of_kind[kind]++;
    *slot = (uint16_t)++shares->count;
    return &shares->items[shares->count - 1];
}

struct shares *shares_new(void) { return calloc(1, sizeof(struct shares)); }

void shares_free(struct shares *shares) {
    for (size_t i = 0; shares && i < shares->count; i++) free(shares->items[i].name);
    free(shares);
}

void shares_add(struct decision *decision, int outcome) {
    const struct slice names[SHARE_KINDS] = {[SHARE_SOURCE] = decision->envelope.source, [SHARE_ENTITY] = decision->envelope.entity};
    for (int kind = 0; kind < SHARE_KINDS; kind++) {
        if (!names[kind].length) continue;
        struct engine_share *share = share_of(decision->engine->shares, (enum engine_share_kind)kind, names[kind]);
        if (!share) decision_fail(decision, ENGINE_ABORT, "out of memory");
        share->batch[outcome]++;
    }
}

void shares_commit(struct shares *shares, bool committed) {
    for (size_t i = 0; i < shares->count; i++)
        for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
            if (committed) shares->items[i].committed[outcome] += shares->items[i].batch[outcome];
            shares->items[i].batch[outcome] = 0;
        }
}

const struct engine_share *engine_shares(const struct engine *engine, size_t *count) {
    *count = engine->shares->count;
    return engine->shares->items;
}
