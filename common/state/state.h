/* state: what one task knows, in one LMDB environment in a folder of its own, written only after Kafka's commit.
 *
 * The truth is the changelog; this is its fold up to a position. It may lag and is brought forward by state_apply; it is never ahead. A key is the
 * store's number (one byte) and the store's own key; the changelog's records have the same keys and the same values.
 *
 * A value is sealed: version byte, CRC-32C (big endian) over key, version byte and body, then the body. The version byte is the owner's and says how the
 * body is to be read (common/runtime/layouts.c). LMDB has no page checksums, so a value that fails its seal means that the file cannot be trusted: the
 * caller drops it and rebuilds from the changelog.
 *
 * LMDB is used with MDB_WRITEMAP|MDB_NOSYNC on a preallocated file: it is grown with fallocate, never sparse, so that a full disk is an error here and
 * not a fault in a page later. After an unclean stop of the machine (other boot id, not closed cleanly) nothing in the file is believed.
 *
 * One thread. */
#ifndef KONTOR_STATE_STATE_H
#define KONTOR_STATE_STATE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/platform/buffer.h"
#include "common/platform/error.h"
#include "common/platform/slice.h"
#include "common/state/seal.h"

enum { STATE_KEY_MAXIMUM = 480, STATE_FORMAT = 2 };

struct state;

/* Whose state it is. A folder made for another processor, partition or partition count is refused. */
struct state_identity {
    const char *processor;
    uint32_t partition, partition_count;
    const char *changelog_id;   /* Kafka's topic id or name+creation mark of the changelog: state of a deleted and re-created changelog is not ours */
};

/* How far the state is. position: the changelog offset that comes next, -1 when the state is empty. broker_time_ms: the broker's time of that
 * position: when it is older than half of the changelog's delete.retention.ms, tombstones may be gone and the state is rebuilt from nothing. */
struct state_position { int64_t position, broker_time_ms; };

/* Why an existing folder was not believed and made empty: NULL when it was believed or did not exist. A static text. */
struct state_opening { struct state_position at; const char *rebuilt_because; };

/* Opens or makes DIR (parents must exist). maximum_age_ms: see state_position, with now_ms the broker's time now; 0: no limit. An unreadable or
 * foreign-boot file is emptied and said in opening; wrong identity or no room is an error. Owns the state until state_close. */
MUST_CHECK bool state_open(struct state **state, const char *dir, const struct state_identity *identity, int64_t now_ms, int64_t maximum_age_ms,
                           struct state_opening *opening, struct error *error);

/* Syncs, marks the folder cleanly closed and frees. NULL is allowed. */
void state_close(struct state *state);

/* Empties it, to be rebuilt from the changelog's beginning. */
MUST_CHECK bool state_clear(struct state *state, struct error *error);

enum state_result { STATE_FOUND, STATE_ABSENT, STATE_CORRUPT, STATE_FAILED };

/* What stands behind a seal. */
struct state_value { struct slice body; uint8_t version; };

/* The value under a key, valid until the next state_apply, state_clear or state_close. STATE_CORRUPT: the seal is broken. About 0.4 µs hot. */
enum state_result state_get(struct state *state, struct slice key, struct state_value *value, struct error *error);

/* A change: the sealed value, or none (data NULL) to delete. */
struct state_change { struct slice key, value; };

/* Applies all changes and moves the position in one LMDB transaction; grows the file when it must. Call it after Kafka's commit, or with what a
 * changelog reader brought (verify = true checks every seal). On error nothing is applied; a full disk says so. Keys need not be sorted; of
 * two changes of a key the later holds. The slices must not point into what state_get gave. A position that goes back is an error. */
MUST_CHECK bool state_apply(struct state *state, const struct state_change *changes, size_t count, struct state_position at, bool verify, struct error *error);

/* Calls visit for each key that begins with `prefix` in byte order, with its value; it stops when visit answers false. STATE_ABSENT: there was none.
 * visit may not change the state. */
enum state_result state_scan(struct state *state, struct slice prefix, bool (*visit)(void *context, struct slice key, struct state_value value), void *context,
                             struct error *error);

/* The same for every key at or after `from`. */
enum state_result state_scan_from(struct state *state, struct slice from, bool (*visit)(void *context, struct slice key, struct state_value value), void *context,
                                  struct error *error);

struct state_position state_at(const struct state *state);
uint64_t state_bytes(const struct state *state), state_entries(const struct state *state);

/* Deletes the folders below `root` of tasks that nobody owned for older than age_ms (by their last clean mark or file time), except those in keep[]. */
void state_sweep(const char *root, const char *const *keep, size_t keep_count, int64_t age_ms);
#endif
