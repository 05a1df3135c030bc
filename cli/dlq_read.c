#include "cli/dlq_read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/intern.h"
#include "cli/trial.h"
#include "cli/values.h"
#include "common/platform/hash.h"
#include "schemas/audit_entry.h"

enum { RECENT = 1 << 16, BATCH_BYTES = 4 << 20, VALUE_MEMORY = 64 << 20, TEXT_MAXIMUM = 4096 };

struct reading {
    struct dlq_index *index;
    const struct connection *connection;
    struct topic_list list;
    struct scan scan;
    const struct codec_type *types[SCAN_TOPICS_MAXIMUM];    /* of the original topics' values; NULL: not ours */
    const struct codec_field *sources[SCAN_TOPICS_MAXIMUM], *event_ids[SCAN_TOPICS_MAXIMUM], *entities[SCAN_TOPICS_MAXIMUM];
    uint32_t topics[SCAN_TOPICS_MAXIMUM];                   /* strings */
    struct values *values;
    struct arena arena;
    struct buffer entries, strings;     /* not written yet */
    uint64_t count, strings_size;       /* with those */
    struct { uint64_t hash; uint32_t string; uint32_t length; } recent[RECENT]; /* a string that was seen is written once, mostly */
    struct intern replayed;             /* places */
    bool again;                         /* a topic was made anew: all is to be read again */
    bool dirty;                         /* the state is to be written */
};

int64_t header_number(const struct kafka_record *record, const char *name, int64_t fallback) {
    const struct slice value = record_header(record, name);
    char text[24], *end;
    if (!value.length || value.length >= sizeof text) return fallback;
    memcpy(text, value.data, value.length);
    text[value.length] = 0;
    const long long number = strtoll(text, &end, 10);
    return *end ? fallback : number;
}

int64_t dead_repeats(const struct kafka_record *record) {
    const struct slice before = record_header(record, HEADER_REPLAY_REASON), now = record_header(record, "kontor-reason");
    return before.length && slice_equal(before, now) ? header_number(record, HEADER_REPLAY_REPEATS, 1) : 0;
}

/* ---- writing ---- */

static bool write_all(int file, const struct buffer *bytes, off_t at) {
    for (size_t done = 0; done < bytes->length;) {
        ssize_t count = pwrite(file, bytes->data + done, bytes->length - done, at + (off_t)done);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        done += (size_t)count;
    }
    return true;
}

static bool flush(struct reading *reading, struct error *error) {
    struct dlq_index *index = reading->index;
    const off_t entries_at = (off_t)(reading->count * sizeof(struct dead) - reading->entries.length), strings_at = (off_t)(reading->strings_size - reading->strings.length);
    if (!write_all(index->entries_file, &reading->entries, entries_at) || !write_all(index->strings_file, &reading->strings, strings_at))
        return error_set(error, "%s cannot be written: %s; make room, or name another folder with --index", index->folder, strerror(errno));
    buffer_reset(&reading->entries);
    buffer_reset(&reading->strings);
    return true;
}

static bool string_add(struct reading *reading, struct slice text, uint32_t *string, struct error *error) {
    if (text.length > TEXT_MAXIMUM) text.length = TEXT_MAXIMUM;
    const uint64_t hash = hash_slice(text);
    const uint32_t length = (uint32_t)text.length;
    const size_t slot = hash % RECENT;
    if (reading->recent[slot].string && reading->recent[slot].hash == hash && reading->recent[slot].length == length) {
        *string = reading->recent[slot].string - 1;
        return true;
    }
    if (reading->strings_size + sizeof length + length >= UINT32_MAX) return error_set(error, "%s: the texts are more than 4 GiB; delete what is old from the dead-letter topics", reading->index->folder);
    if (!buffer_append(&reading->strings, &length, sizeof length) || !buffer_append(&reading->strings, text.data, length)) return error_set(error, "out of memory");
    *string = (uint32_t)reading->strings_size;
    reading->strings_size += sizeof length + length;
    reading->recent[slot].hash = hash;
    reading->recent[slot].length = length;
    reading->recent[slot].string = *string + 1;
    return true;
}

/* ---- a dead letter ---- */

static struct slice field_text(const void *record, const struct codec_field *field) {
    return field ? *(const struct slice *)((const char *)record + field->slot.offset) : (struct slice){0};
}

/* The key's first part, decoded. */
static struct slice key_entity(struct slice key, char text[256]) {
    size_t length = 0;
    for (size_t i = 0; i < key.length && key.data[i] != '|' && length < 256; i++) {
        const bool coded = key.data[i] == '%' && i + 2 < key.length;
        text[length++] = coded && memcmp(key.data + i, "%7C", 3) == 0 ? '|' : key.data[i];
        if (coded) i += 2;
    }
    return (struct slice){text, bytes_are_text((struct slice){text, length}) ? length : 0};
}

/* Source and ids of an event that is readable, as those are that lie here for another reason. */
static bool event_look(struct reading *reading, const struct kafka_record *record, struct slice reason, struct slice *source, struct slice *event_id, struct slice *entity, struct error *error) {
    const size_t at = record->topic_index;
    const struct codec_type *type = reading->types[at];
    struct error why;
    if (!type || !record->value.data || slice_equal(reason, SLICE("DECODE_FAILED")) || slice_equal(reason, SLICE("SCHEMA_UNKNOWN"))) return true;
    arena_reset(&reading->arena);
    void *event = arena_alloc(&reading->arena, type->size);
    enum values_result read = event ? values_decode(reading->values, record->value, type, &reading->arena, event, &why) : VALUES_FAILED;
    if (read == VALUES_FAILED) return error_set(error, "%s", event ? why.text : "out of memory");
    if (read != VALUES_OK) return true;
    *source = field_text(event, reading->sources[at]);
    *event_id = field_text(event, reading->event_ids[at]);
    *entity = field_text(event, reading->entities[at]);
    return true;
}

static bool dead_add(struct reading *reading, const struct kafka_record *record, struct error *error) {
    char text[256];
    const struct slice reason = record_header(record, "kontor-reason");
    struct slice source = {0}, event_id = {0}, entity = key_entity(record->key, text), topic = record_header(record, "kontor-topic");
    struct dead dead = {.offset = record->offset, .time_ms = record->timestamp_ms, .partition = record->partition, .topic = reading->topics[record->topic_index],
                        .origin_partition = (int32_t)header_number(record, "kontor-partition", -1), .origin_offset = header_number(record, "kontor-offset", -1),
                        .replays = (uint16_t)header_number(record, HEADER_REPLAYS, 0), .repeats = (uint16_t)dead_repeats(record)};
    if (!topic.length) topic = slice_of(reading->scan.topics[record->topic_index] + strlen("dlq."));
    bool ok = event_look(reading, record, reason, &source, &event_id, &entity, error) && string_add(reading, topic, &dead.origin_topic, error) &&
              string_add(reading, reason, &dead.reason, error) && string_add(reading, record_header(record, "kontor-text"), &dead.text, error) &&
              string_add(reading, entity, &dead.entity, error) && string_add(reading, source, &dead.source, error) && string_add(reading, record->key, &dead.key, error) &&
              string_add(reading, event_id, &dead.event_id, error);
    if (!ok) return false;
    if (!buffer_append(&reading->entries, &dead, sizeof dead)) return error_set(error, "out of memory");
    reading->count++;
    struct index_place *place = dlq_index_place(reading->index, record->topic, record->partition);
    if (!place) return error_set(error, "more than 65536 partitions of dead letters");
    place->next = record->offset + 1;
    return reading->entries.length + reading->strings.length < BATCH_BYTES || flush(reading, error);
}

/* ---- audit ---- */

static bool audit_look(struct reading *reading, const struct kafka_record *record, struct error *error) {
    struct audit_entry entry;
    struct error why;
    uint32_t number;
    struct index_place *place = dlq_index_place(reading->index, record->topic, record->partition);
    if (!place) return error_set(error, "out of memory");
    place->next = record->offset + 1;
    arena_reset(&reading->arena);
    enum values_result read = values_decode(reading->values, record->value, &audit_entry_type, &reading->arena, &entry, &why);
    if (read == VALUES_FAILED) return error_set(error, "%s", why.text);
    if (read != VALUES_OK || entry.outcome != AUDIT_OUTCOME_DONE || !slice_equal(entry.action, SLICE("replay"))) return true;
    return intern_add(&reading->replayed, entry.origin, &number, NULL) || error_set(error, "out of memory");
}

static bool mark_replayed(struct reading *reading) {
    const struct dlq_index *index = reading->index;
    char name[DEAD_NAME_SIZE];
    for (uint64_t i = 0; reading->replayed.count && i < index->count; i++)
        if (!(index->entries[i].flags & DEAD_REPLAYED) && intern_has(&reading->replayed, slice_of(dead_name(index, &index->entries[i], name)))) index->entries[i].flags |= DEAD_REPLAYED;
    return true;
}

/* ---- reading ---- */

static enum scan_step take(void *context, const struct kafka_record *record, struct error *error) {
    struct reading *reading = context;
    reading->dirty = true;
    bool ok = record->topic_index + 1 < reading->scan.topic_count ? dead_add(reading, record, error) : audit_look(reading, record, error);
    return ok ? SCAN_MORE : SCAN_FAILED;
}

static int64_t resume(void *context, size_t topic, int32_t partition, int64_t begin, int64_t end) {
    struct reading *reading = context;
    struct index_place *place = dlq_index_place(reading->index, reading->scan.topics[topic], partition);
    if (!place) return begin;
    reading->dirty |= place->begin != begin;
    place->begin = begin;
    if (place->next > end) reading->again = true;
    if (place->next < begin) place->next = begin;
    return place->next;
}

static const struct codec_field *text_field(const struct codec_type *type, const char *name) {
    for (uint32_t i = 0; type && i < type->field_count; i++)
        if (strcmp(type->fields[i].name, name) == 0 && type->fields[i].slot.type->kind == CODEC_STRING) return &type->fields[i];
    return NULL;
}

static bool read_new(struct reading *reading, const struct topic_names *names, struct error *error) {
    reading->scan = (struct scan){.connection = reading->connection, .partition = SCAN_ALL_PARTITIONS, .from_offset = SCAN_FROM_BEGINNING, .progress = "indexing", .visit = take,
                                  .resume = resume, .context = reading};
    reading->count = reading->index->count;
    reading->strings_size = reading->index->strings_size;
    for (size_t i = 0; i < names->count; i++) {
        const struct topic *topic = topic_list_find(&reading->list, names->names[i] + strlen("dlq."));
        const struct codec_type *type = reading->types[i] = topic ? topic->type : NULL;
        reading->scan.topics[reading->scan.topic_count++] = names->names[i];
        reading->sources[i] = text_field(type, "source");
        reading->event_ids[i] = text_field(type, "event_id");
        reading->entities[i] = text_field(type, "entity");
        if (!string_add(reading, slice_of(names->names[i]), &reading->topics[i], error)) return false;
    }
    reading->scan.topics[reading->scan.topic_count++] = "audit";
    return scan_run(&reading->scan, error) && (reading->again || flush(reading, error));
}

static bool update(struct reading *reading, const struct topic_names *names, struct error *error) {
    if (!read_new(reading, names, error)) return false;
    if (reading->again) {
        reading->again = false;
        reading->dirty = true;
        buffer_reset(&reading->entries);
        buffer_reset(&reading->strings);
        memset(reading->recent, 0, sizeof reading->recent);
        if (!dlq_index_reset(reading->index, error) || !read_new(reading, names, error)) return false;
    }
    dlq_index_unmap(reading->index);
    reading->index->count = reading->count;
    reading->index->strings_size = reading->strings_size;
    return dlq_index_map(reading->index, error) && mark_replayed(reading) && (!reading->dirty || dlq_index_write_state(reading->index, error));
}

bool dlq_index_update(struct dlq_index *index, const struct connection *connection, uint64_t *read, struct error *error) {
    struct topic_names names = {.count = 0};
    struct reading *reading = calloc(1, sizeof *reading);
    const uint64_t before = index->count;
    if (!reading) return error_set(error, "out of memory");
    reading->index = index;
    reading->connection = connection;
    intern_init(&reading->replayed);
    arena_init(&reading->arena, 1 << 16, VALUE_MEMORY);
    bool ok = connection_topic_list(connection, &reading->list, NULL, NULL, 0, error) && values_open(&reading->values, connection, error) && connection_topics(connection, "dlq.", &names, error) &&
              update(reading, &names, error);
    *read = ok ? index->count - (before < index->count ? before : 0) : 0;
    topic_names_free(&names);
    values_close(reading->values);
    topic_list_free(&reading->list);
    arena_free(&reading->arena);
    intern_free(&reading->replayed);
    buffer_free(&reading->entries);
    buffer_free(&reading->strings);
    free(reading);
    return ok;
}
