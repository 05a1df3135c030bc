#include "cli/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "schemas/acknowledgment.h"

enum { VALUE_MEMORY = 64 << 20, NAME_SIZE = 256 };
static const size_t kept_memory = (size_t)8 << 30;

struct reading {
    struct history *history;
    const struct sandbox *sandbox;
    struct scan scan;
    char names[SCAN_TOPICS_MAXIMUM][NAME_SIZE];
    int tables[SCAN_TOPICS_MAXIMUM];    /* by topic of the scan: position of its table, or one of these */
};
enum { TOPIC_LOG = -1, TOPIC_RESOLUTIONS = -2, TOPIC_TICKS = -3, TOPIC_ACKNOWLEDGMENTS = -4, TOPIC_DEAD = -5 };

static enum scan_step failed(struct error *error, const char *what) {
    error_set(error, "%s", what);
    return SCAN_FAILED;
}

static enum scan_step add(struct history *history, struct happening happening, struct error *error) {
    if (history->count == history->capacity) {
        size_t capacity = history->capacity ? history->capacity * 2 : 4096;
        struct happening *grown = realloc(history->items, capacity * sizeof *grown);
        if (!grown) return failed(error, "out of memory");
        history->items = grown;
        history->capacity = capacity;
    }
    const char *key = arena_copy(&history->kept, happening.key.data, happening.key.length);
    const char *value = happening.value.data ? arena_copy(&history->kept, happening.value.data, happening.value.length) : NULL;
    if (!key || (happening.value.data && !value)) return failed(error, "out of memory for the history of the master data");
    happening.key.data = key;
    happening.value.data = value;
    history->items[history->count++] = happening;
    return SCAN_MORE;
}

/* master.log: key <table>|<key>, headers kontor-offset. */
static enum scan_step take_logged(struct reading *reading, const struct kafka_record *record, struct error *error) {
    const char *bar = record->key.length ? memchr(record->key.data, '|', record->key.length) : NULL;
    struct slice offset = record_header(record, "kontor-offset");
    char text[32], *end;
    if (!bar || !offset.length || offset.length >= sizeof text) return SCAN_MORE;  /* not of ours */
    snprintf(text, sizeof text, SLICE_FORMAT, SLICE_ARGUMENT(offset));
    const long long place = strtoll(text, &end, 10);
    const struct slice name = {record->key.data, (size_t)(bar - record->key.data)};
    for (size_t i = 0; !*end && i < reading->sandbox->table_count; i++)
        if (slice_equal(name, slice_of(reading->sandbox->list[i]->name)))
            return add(reading->history, (struct happening){HAPPENED_MASTER, (int32_t)i, place, record->timestamp_ms, true,
                                                            {bar + 1, record->key.length - name.length - 1}, record->value}, error);
    return SCAN_MORE;
}

static enum scan_step decided(struct history *history, struct slice origin, int64_t time_ms, struct error *error) {
    uint32_t number;
    bool added;
    if (!intern_add(&history->origins, origin, &number, &added)) return failed(error, "out of memory");
    if (number >= history->decided_capacity) {
        uint32_t capacity = history->decided_capacity ? history->decided_capacity * 2 : 4096;
        int64_t *grown = realloc(history->decided_ms, capacity * sizeof *grown);
        if (!grown) return failed(error, "out of memory");
        history->decided_ms = grown;
        history->decided_capacity = capacity;
    }
    if (added || time_ms < history->decided_ms[number]) history->decided_ms[number] = time_ms;
    return SCAN_MORE;
}

static enum scan_step take_acknowledgment(struct reading *reading, const struct kafka_record *record, struct error *error) {
    struct history *history = reading->history;
    struct acknowledgment acknowledgment;
    struct error why;
    arena_reset(&history->arena);
    enum values_result read = values_decode(reading->sandbox->values, record->value, &acknowledgment_type, &history->arena, &acknowledgment, &why);
    if (read == VALUES_FAILED) return failed(error, why.text);
    if (read != VALUES_OK || !slice_equal(acknowledgment.processor, slice_of(reading->sandbox->processor->name))) return SCAN_MORE;
    return decided(history, acknowledgment.origin, record->timestamp_ms, error);
}

static enum scan_step take_dead(struct reading *reading, const struct kafka_record *record, struct error *error) {
    char origin[512];
    const struct slice topic = record_header(record, "kontor-topic"), partition = record_header(record, "kontor-partition"), offset = record_header(record, "kontor-offset");
    int length = snprintf(origin, sizeof origin, SLICE_FORMAT "/" SLICE_FORMAT "/" SLICE_FORMAT, SLICE_ARGUMENT(topic), SLICE_ARGUMENT(partition), SLICE_ARGUMENT(offset));
    return length < (int)sizeof origin ? decided(reading->history, (struct slice){origin, (size_t)length}, record->timestamp_ms, error) : SCAN_MORE;
}

static enum scan_step take(void *context, const struct kafka_record *record, struct error *error) {
    struct reading *reading = context;
    const int table = reading->tables[record->topic_index];
    switch (table) {
    case TOPIC_LOG: return take_logged(reading, record, error);
    case TOPIC_ACKNOWLEDGMENTS: return take_acknowledgment(reading, record, error);
    case TOPIC_DEAD: return take_dead(reading, record, error);
    case TOPIC_RESOLUTIONS:
    case TOPIC_TICKS:
        return add(reading->history, (struct happening){table == TOPIC_TICKS ? HAPPENED_TICK : HAPPENED_RESOLUTION, record->partition, record->offset, record->timestamp_ms, false,
                                                        record->key, record->value}, error);
    default:
        return add(reading->history, (struct happening){HAPPENED_MASTER, table, record->offset, record->timestamp_ms, false, record->key, record->value}, error);
    }
}

static void topic_add(struct reading *reading, int table, const char *before, const char *name, const char *behind) {
    const size_t at = reading->scan.topic_count++;
    snprintf(reading->names[at], NAME_SIZE, "%s%s%s", before, name, behind);
    reading->scan.topics[at] = reading->names[at];
    reading->tables[at] = table;
}

/* A version once: as the log has it, whose time is nearest to its commit. */
static int by_place(const void *a, const void *b) {
    const struct happening *x = a, *y = b;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return (int)y->logged - (int)x->logged;
}

static int by_time(const void *a, const void *b) {
    const struct happening *x = a, *y = b;
    if (x->time_ms != y->time_ms) return x->time_ms < y->time_ms ? -1 : 1;
    return by_place(a, b);
}

static const struct history *sorted;
static int by_version(const void *a, const void *b) { return by_place(&sorted->items[*(const uint32_t *)a], &sorted->items[*(const uint32_t *)b]); }

static bool put_in_order(struct history *history, struct error *error) {
    size_t kept = 0;
    if (history->count) qsort(history->items, history->count, sizeof *history->items, by_place);
    for (size_t i = 0; i < history->count; i++) {
        const struct happening *last = kept ? &history->items[kept - 1] : NULL, *this = &history->items[i];
        if (last && this->kind == HAPPENED_MASTER && last->kind == this->kind && last->number == this->number && last->offset == this->offset) continue;
        history->items[kept++] = *this;
    }
    history->count = kept;
    /* The offsets of a table say the order, should a clock have gone back. */
    for (size_t i = 1; i < kept; i++) {
        struct happening *last = &history->items[i - 1], *this = &history->items[i];
        if (last->kind == this->kind && last->number == this->number && this->time_ms < last->time_ms) this->time_ms = last->time_ms;
    }
    if (kept) qsort(history->items, kept, sizeof *history->items, by_time);
    history->by_place = malloc((kept + 1) * sizeof *history->by_place);
    if (!history->by_place) return error_set(error, "out of memory");
    for (size_t i = 0; i < kept; i++)
        if (history->items[i].kind == HAPPENED_MASTER) history->by_place[history->version_count++] = (uint32_t)i;
    sorted = history;
    if (history->version_count) qsort(history->by_place, history->version_count, sizeof *history->by_place, by_version);
    return true;
}

bool history_read(struct history *history, const struct sandbox *sandbox, struct error *error) {
    *history = (struct history){.sandbox = sandbox};
    arena_init(&history->kept, 1 << 20, kept_memory);
    arena_init(&history->arena, 1 << 16, VALUE_MEMORY);
    intern_init(&history->origins);
    struct reading *reading = calloc(1, sizeof *reading);
    if (!reading) return error_set(error, "out of memory");
    reading->history = history;
    reading->sandbox = sandbox;
    reading->scan = (struct scan){.connection = sandbox->connection, .partition = SCAN_ALL_PARTITIONS, .from_offset = SCAN_FROM_BEGINNING, .visit = take, .context = reading,
                                  .progress = "reading the history"};
    for (size_t i = 0; i < sandbox->table_count; i++) topic_add(reading, (int)i, "master.", sandbox->list[i]->name, "");
    topic_add(reading, TOPIC_LOG, "", "master.log", "");
    topic_add(reading, TOPIC_RESOLUTIONS, "resolutions.", sandbox->processor->name, "");
    topic_add(reading, TOPIC_TICKS, "kontor.", sandbox->processor->name, ".timers");
    topic_add(reading, TOPIC_ACKNOWLEDGMENTS, "", "acknowledgments", "");
    for (int i = 0; i < INPUTS_MAXIMUM && sandbox->processor->inputs[i].topic; i++)
        if (!sandbox->processor->inputs[i].follows) topic_add(reading, TOPIC_DEAD, "dlq.", sandbox->processor->inputs[i].topic, "");
    bool ok = scan_run(&reading->scan, error) && put_in_order(history, error);
    free(reading);
    return ok;
}

void history_free(struct history *history) {
    arena_free(&history->kept);
    arena_free(&history->arena);
    intern_free(&history->origins);
    free(history->items);
    free(history->by_place);
    free(history->decided_ms);
    *history = (struct history){.count = 0};
}

/* ---- asking ---- */

int64_t history_decided_ms(const struct history *history, struct slice origin) {
    uint32_t number;
    return intern_find(&history->origins, origin, &number) ? history->decided_ms[number] : INT64_MIN;
}

/* The first in by_place at or behind that place. */
static size_t place_find(const struct history *history, int32_t table, int64_t offset) {
    size_t from = 0, to = history->version_count;
    while (from < to) {
        size_t middle = (from + to) / 2;
        const struct happening *at = &history->items[history->by_place[middle]];
        if (at->number < table || (at->number == table && at->offset < offset)) from = middle + 1;
        else to = middle;
    }
    return from;
}

const struct happening *history_version(const struct history *history, int32_t table, int64_t offset) {
    size_t at = place_find(history, table, offset);
    const struct happening *found = at < history->version_count ? &history->items[history->by_place[at]] : NULL;
    return found && found->number == table && found->offset == offset ? found : NULL;
}

const struct happening *history_newest(const struct history *history, const struct happening *version) {
    const struct happening *newest = NULL;
    for (size_t at = place_find(history, version->number, version->offset + 1); at < history->version_count; at++) {
        const struct happening *other = &history->items[history->by_place[at]];
        if (other->number != version->number) break;
        if (slice_equal(other->key, version->key)) newest = other;
    }
    return newest;
}

const struct happening *history_before(const struct history *history, const struct happening *version) {
    const struct happening *before = NULL;
    for (size_t at = place_find(history, version->number, 0); at < history->version_count; at++) {
        const struct happening *other = &history->items[history->by_place[at]];
        if (other->number != version->number || other->offset >= version->offset) break;
        if (slice_equal(other->key, version->key)) before = other;
    }
    return before;
}

const struct happening *history_first(const struct history *history, int32_t table, struct slice id) {
    for (size_t at = place_find(history, table, 0); at < history->version_count; at++) {
        const struct happening *version = &history->items[history->by_place[at]];
        if (version->number != table) break;
        if (version->key.length > id.length && memcmp(version->key.data, id.data, id.length) == 0 && version->key.data[id.length] == '|') return version;
    }
    return NULL;
}
