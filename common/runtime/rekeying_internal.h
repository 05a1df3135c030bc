/* What the files of rekeying share: rekeying.c (life, clocks, what is given out), rekeying_put.c (into the new states), rekeying_place.c (where each record goes),
 * rekeying_merge.c (a partner that becomes another one). */
#ifndef KONTOR_RUNTIME_REKEYING_INTERNAL_H
#define KONTOR_RUNTIME_REKEYING_INTERNAL_H
#include "common/runtime/engine_internal.h"
#include "common/runtime/rekeying.h"

enum { PENDING_MAXIMUM = 2000, PENDING_BYTES = 8 << 20, HEAD_SIZE = 6, EVENT_SIZE = 12, OWN_LAYOUT = 1 };

/* Records on their way into a new state: key and sealed value one behind the other. */
struct rekeying_pending { struct buffer bytes; struct { size_t key, value; } lengths[PENDING_MAXIMUM]; size_t count; };

/* A new partition. */
struct rekeying_target {
    struct state *state;
    struct rekeying_pending pending;
    int64_t position;               /* counts what was put: the state wants one */
    uint64_t next_number;           /* of what waits */
    bool has_clock;
    struct task_clock clock;        /* tables: positions below; marks: those that something waits from */
    int64_t table_offsets[MASTER_COUNT];
    int64_t *marks;
    size_t mark_count, mark_capacity;
};

/* An old one. */
struct rekeying_source {
    struct state *state;
    struct task *task;
    bool has_clock;
    int64_t stream_time_ms, broker_time_ms, *marks;
    size_t mark_count;
};

struct rekeying {
    struct rekeying_options options;
    char keys[2][STATE_KEY_MAXIMUM];    /* of the partner that becomes another, and of that one */
    struct partner_change change;       /* key_from empty: none does */
    int32_t merge_from, merge_to;       /* old partition of the one, new of the other */
    struct engine engine;           /* of it what reading and writing values takes: schemas, layouts, memory */
    struct rekeying_source *sources;
    struct rekeying_target *targets;
    struct rekeying_counts counts;
    struct buffer scratch;
    struct error *error;            /* of the call that runs */
    int32_t source;                 /* whose records are being placed */
    void (*progress)(void *context, uint64_t records);
    void *context;
};

/* ---- rekeying_put.c ---- */
/* Counts a conflict, and keeps the first of them for people. */
void rekeying_say(struct rekeying *r, uint64_t *count, int store, struct slice key, const char *what);
/* A record for a new partition: its body as it is, under our layout; or, text of our own, under none. */
MUST_CHECK bool rekeying_put(struct rekeying *r, int32_t partition, struct slice key, struct slice body, uint8_t layout);
MUST_CHECK bool rekeying_flush(struct rekeying *r, struct rekeying_target *target);
/* Day and seen events as they are before, the record in our schema. */
MUST_CHECK bool rekeying_body(struct rekeying *r, int store, struct slice before, const struct kept *kept, struct buffer *body);

/* ---- rekeying_place.c ---- */
/* For state_scan over an old partition. */
bool rekeying_place(void *context, struct slice key, struct state_value value);

/* ---- rekeying_merge.c ---- */
/* A record of the partner that becomes the other; own: its key without the store. */
MUST_CHECK bool rekeying_merge_record(struct rekeying *r, int store, struct slice own, struct slice before, struct kept *kept);
/* A record of the other: with what the one has under the same key, where both can be one. */
MUST_CHECK bool rekeying_take_in(struct rekeying *r, int store, struct slice own, struct kept *kept, bool *changed);
/* What waits of the one waits for the other then: with its keys, and with that partner in the event itself, whose bytes are `event`. */
MUST_CHECK bool rekeying_merge_waiting(struct rekeying *r, struct parked_event *parked, struct buffer *event);
#endif
