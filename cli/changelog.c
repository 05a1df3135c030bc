#include "cli/changelog.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/scan.h"
#include "common/platform/clock.h"
#include "common/runtime/layout_text.h"

enum { BATCH = 4000, BATCH_BYTES = 32 << 20 };

/* Changes, applied in pieces. */
struct filling { struct state *state; struct state_change changes[BATCH]; size_t count; struct buffer bytes; int64_t next, time_ms; };

void changes_place(struct state_change *changes, size_t count, const char *bytes) {
    for (size_t i = 0; i < count; i++) {
        struct state_change *change = &changes[i];
        change->key.data = bytes;
        bytes += change->key.length;
        if (change->value.data) change->value.data = bytes;
        bytes += change->value.length;
    }
}

static bool filling_apply(struct filling *filling, struct error *error) {
    changes_place(filling->changes, filling->count, filling->bytes.data);
    bool ok = !filling->count || state_apply(filling->state, filling->changes, filling->count, (struct state_position){filling->next, filling->time_ms}, true, error);
    filling->count = 0;
    buffer_reset(&filling->bytes);
    return ok;
}

static bool filling_take(struct filling *filling, struct slice key, struct slice value, struct error *error) {
    if (!buffer_append(&filling->bytes, key.data, key.length) || !buffer_append(&filling->bytes, value.data, value.length)) return error_set(error, "out of memory");
    filling->changes[filling->count++] = (struct state_change){{"", key.length}, {value.data ? "" : NULL, value.data ? value.length : 0}};
    return (filling->count < BATCH && filling->bytes.length < BATCH_BYTES) || filling_apply(filling, error);
}

static enum scan_step take_change(void *context, const struct kafka_record *record, struct error *error) {
    struct filling *filling = context;
    filling->next = record->offset + 1;
    filling->time_ms = record->timestamp_ms;
    if (filling_take(filling, record->key, record->value, error)) return SCAN_MORE;
    const struct error why = *error;
    error_set(error, "%s/%" PRId32 " at %" PRId64 ": %.400s", record->topic, record->partition, record->offset, why.text);
    return SCAN_FAILED;
}

bool changelog_apply(const struct connection *connection, const char *topic, int32_t partition, struct state *state, int64_t *next, struct error *error) {
    struct filling *filling = calloc(1, sizeof *filling);
    if (!filling) return error_set(error, "out of memory");
    filling->state = state;
    const struct scan scan = {.connection = connection, .topics = {topic}, .topic_count = 1, .partition = partition, .from_offset = SCAN_FROM_BEGINNING, .visit = take_change,
                              .context = filling};
    bool ok = scan_run(&scan, error) && filling_apply(filling, error);
    *next = filling->next;
    buffer_free(&filling->bytes);
    free(filling);
    return ok;
}

/* ---- folds ---- */

bool fold_open(struct fold *fold, const char *folder, const char *name, const char *processor, int32_t partition, struct error *error) {
    struct state_opening opening;
    const struct state_identity identity = {processor, (uint32_t)partition, 1, "fold"};
    *fold = (struct fold){.state = NULL};
    snprintf(fold->folder, sizeof fold->folder, "%s/%s-%" PRId32, folder, name, partition);
    return state_open(&fold->state, fold->folder, &identity, clock_wall_ms(), 0, &opening, error);
}

bool fold_read(struct fold *fold, const struct connection *connection, const char *topic, int32_t partition, struct error *error) {
    return changelog_apply(connection, topic, partition, fold->state, &fold->next, error);
}

void fold_close(struct fold *fold) {
    if (!fold->state) return;
    state_close(fold->state);
    folder_delete(fold->folder);
    *fold = (struct fold){.state = NULL};
}

bool fold_fill(struct fold *fold, struct filling **filling, struct slice key, struct slice value, struct error *error) {
    if (!*filling && !(*filling = calloc(1, sizeof **filling))) return error_set(error, "out of memory");
    (*filling)->state = fold->state;
    (*filling)->next = ++fold->next;
    (*filling)->time_ms = clock_wall_ms();
    return filling_take(*filling, key, value, error);
}

bool fold_filled(struct fold *fold, struct filling **filling, bool keep, struct error *error) {
    (void)fold;
    bool ok = !keep || !*filling || filling_apply(*filling, error);
    if (*filling) buffer_free(&(*filling)->bytes);
    free(*filling);
    *filling = NULL;
    return ok;
}

/* ---- what it says of itself ---- */

static bool text_of(struct fold *fold, struct slice key, char *text, size_t size, bool *found, struct error *error) {
    struct state_value value;
    const enum state_result result = state_get(fold->state, key, &value, error);
    *found = result == STATE_FOUND;
    *text = 0;
    if (*found) snprintf(text, size, SLICE_FORMAT, SLICE_ARGUMENT(value.body));
    return result == STATE_FOUND || result == STATE_ABSENT;
}

bool fold_about(struct fold *fold, struct changelog_about *about, bool *empty, struct error *error) {
    char text[200];
    bool found;
    *about = (struct changelog_about){.format = 0};
    *empty = state_entries(fold->state) == 0;
    if (!text_of(fold, header_record_key, text, sizeof text, &found, error)) return false;
    if (!found) return error_set(error, "it has no header: its first records were deleted, what is left is not the whole state");
    return sscanf(text, "format=%d partitions=%d partitioner=%31s version=%31s id=%16s", &about->format, &about->partitions, about->partitioner, about->version, about->id) == 5 ||
           error_set(error, "its header is not ours: %s", text);
}

/* ---- comparing ---- */

/* Its sealed bytes lie before its body. */
struct slice state_value_sealed(struct state_value value) { return (struct slice){value.body.data - STATE_SEAL_SIZE, value.body.length + STATE_SEAL_SIZE}; }

struct comparing { struct fold *other; struct error *error; bool equal, failed; };

static bool compare_one(void *context, struct slice key, struct state_value value) {
    struct comparing *comparing = context;
    struct state_value there;
    const enum state_result result = state_get(comparing->other->state, key, &there, comparing->error);
    comparing->failed = result == STATE_CORRUPT || result == STATE_FAILED;
    return comparing->equal = result == STATE_FOUND && slice_equal(state_value_sealed(there), state_value_sealed(value));
}

bool fold_equal(struct fold *a, struct fold *b, bool *equal, struct error *error) {
    struct comparing comparing = {.other = b, .error = error, .equal = true};
    const enum state_result result = state_scan(a->state, (struct slice){0}, compare_one, &comparing, error);
    *equal = comparing.equal && state_entries(a->state) == state_entries(b->state);
    return !comparing.failed && result != STATE_CORRUPT && result != STATE_FAILED;
}
