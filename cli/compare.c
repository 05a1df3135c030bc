#include "cli/compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/compare_internal.h"
#include "cli/field_path.h"
#include "common/codec/plan.h"
#include "common/codec/wire.h"
#include "common/platform/hash.h"

enum { VALUE_MEMORY = 64 << 20, FIELDS_TOLD = 4 };
static const size_t kept_memory = (size_t)4 << 30;

/* ---- the topics ---- */

static const struct codec_field *text_field(const struct codec_type *type, const char *name) {
    for (uint32_t i = 0; type && i < type->field_count; i++)
        if (strcmp(type->fields[i].name, name) == 0 && type->fields[i].slot.type->kind == CODEC_STRING) return &type->fields[i];
    return NULL;
}

static void topic_add(struct compare *compare, const char *name, const struct codec_type *type) {
    for (size_t i = 0; i < compare->topic_count; i++)
        if (strcmp(compare->topics[i].name, name) == 0) return;
    if (compare->topic_count == COMPARED_TOPICS) return;
    struct compared_topic *topic = &compare->topics[compare->topic_count++];
    *topic = (struct compared_topic){.type = type, .origin = text_field(type, "origin"), .processor = text_field(type, "processor"), .document = text_field(type, "document")};
    snprintf(topic->name, sizeof topic->name, "%s", name);
}

struct listing { struct compare *compare; struct error *error; bool ok; };

static void topic_visit(void *context, const char *name, const struct codec_type *type, bool per_erp) {
    struct listing *listing = context;
    char prefix[256];
    if (!type && strncmp(name, "dlq.", 4) != 0) return;     /* the changelog and the timers are nobody's result */
    if (!per_erp) {
        topic_add(listing->compare, name, type);
        return;
    }
    struct topic_names names = {.count = 0};
    snprintf(prefix, sizeof prefix, "%s.", name);
    listing->ok = listing->ok && connection_topics(listing->compare->connection, prefix, &names, listing->error);
    for (size_t i = 0; i < names.count; i++) topic_add(listing->compare, names.names[i], type);
    topic_names_free(&names);
}

static bool topics_find(struct compare *compare, struct error *error) {
    struct listing listing = {compare, error, true};
    engine_outputs(compare->processor, topic_visit, &listing);
    for (size_t i = 0; listing.ok && i < compare->topic_count; i++) {
        if (!compare->topics[i].type) continue;
        compare->topics[i].plan = codec_plan_own(compare->topics[i].type, error);
        listing.ok = compare->topics[i].plan != NULL;
    }
    return listing.ok;
}

static struct compared_topic *topic_of(struct compare *compare, const char *name) {
    for (size_t i = 0; i < compare->topic_count; i++)
        if (strcmp(compare->topics[i].name, name) == 0) return &compare->topics[i];
    return NULL;
}

/* ---- what the topics hold ---- */

static uint64_t hash_of(size_t topic, struct slice key, struct slice value, struct slice more) {
    uint64_t hash = hash_slice(value) * 0x9E3779B97F4A7C15u + topic + 1;
    hash = (hash ^ hash_slice(key)) * 0x9E3779B97F4A7C15u;
    hash = (hash ^ hash_slice(more)) * 0x9E3779B97F4A7C15u;
    return hash ? hash : 1;
}

static size_t slot_of(const struct compare *compare, uint64_t hash) {
    size_t at = hash & (compare->slot_count - 1);
    while (compare->slots[at].hash && compare->slots[at].hash != hash) at = (at + 1) & (compare->slot_count - 1);
    return at;
}

static bool grow(struct compare *compare) {
    if (compare->slot_count && compare->used * 2 < compare->slot_count) return true;
    const size_t before = compare->slot_count;
    void *old = compare->slots;
    struct { uint64_t hash; uint32_t count; } *from = old;
    compare->slot_count = before ? before * 2 : 1 << 16;
    compare->slots = calloc(compare->slot_count, sizeof *compare->slots);
    if (!compare->slots) {
        compare->slots = old;
        compare->slot_count = before;
        return false;
    }
    for (size_t i = 0; i < before; i++) {
        if (!from[i].hash) continue;
        size_t at = slot_of(compare, from[i].hash);
        compare->slots[at].hash = from[i].hash;
        compare->slots[at].count = from[i].count;
    }
    free(old);
    return true;
}

/* What of the headers is part of a dead letter: all but the time. */
static struct slice dead_part(struct slice reason, struct slice partition, struct slice offset, char text[256]) {
    int length = snprintf(text, 256, SLICE_FORMAT " " SLICE_FORMAT "/" SLICE_FORMAT, SLICE_ARGUMENT(reason), SLICE_ARGUMENT(partition), SLICE_ARGUMENT(offset));
    return (struct slice){text, length < 256 ? (size_t)length : 255};
}

static uint64_t hash_record(const struct compare *compare, const struct kafka_record *record) {
    char text[256];
    struct slice more = {0};
    if (!compare->topics[record->topic_index].type) more = dead_part(record_header(record, "kontor-reason"), record_header(record, "kontor-partition"), record_header(record, "kontor-offset"), text);
    return hash_of(record->topic_index, record->key, record->value, more);
}

static enum scan_step take_there(void *context, const struct kafka_record *record, struct error *error) {
    struct compare *compare = context;
    if (!grow(compare)) {
        error_set(error, "out of memory");
        return SCAN_FAILED;
    }
    const uint64_t hash = hash_record(compare, record);
    const size_t at = slot_of(compare, hash);
    compare->used += !compare->slots[at].hash;
    compare->slots[at].hash = hash;
    compare->slots[at].count++;
    return SCAN_MORE;
}

static bool topics_read(struct compare *compare, enum scan_step (*visit)(void *, const struct kafka_record *, struct error *), struct error *error) {
    struct scan scan = {.connection = compare->connection, .partition = SCAN_ALL_PARTITIONS, .from_offset = SCAN_FROM_BEGINNING, .progress = "reading the outputs", .visit = visit,
                        .context = compare};
    for (size_t i = 0; i < compare->topic_count; i++) scan.topics[scan.topic_count++] = compare->topics[i].name;
    return scan_run(&scan, error);
}

bool compare_open(struct compare **result, const struct connection *connection, const struct processor *processor, int64_t from_ms, int64_t to_ms, struct error *error) {
    struct compare *compare = calloc(1, sizeof *compare);
    if (!compare) return error_set(error, "out of memory");
    *compare = (struct compare){.connection = connection, .processor = processor, .from_ms = from_ms, .to_ms = to_ms};
    arena_init(&compare->arena, 1 << 16, VALUE_MEMORY);
    arena_init(&compare->kept, 1 << 20, kept_memory);
    intern_init(&compare->origins);
    if (values_open(&compare->values, connection, error) && topics_find(compare, error) && (grow(compare) || error_set(error, "out of memory"))) {
        *result = compare;
        return true;
    }
    compare_close(compare);
    return false;
}

void compare_close(struct compare *compare) {
    if (!compare) return;
    for (size_t i = 0; i < compare->topic_count; i++) codec_plan_free(compare->topics[i].plan);
    values_close(compare->values);
    arena_free(&compare->arena);
    arena_free(&compare->kept);
    intern_free(&compare->origins);
    free(compare->slots);
    free(compare->differences);
    free(compare->superseded);
    free(compare);
}

/* ---- the replay ---- */

bool compare_began(void *context, const struct history *history, int32_t partition_count, struct error *error) {
    struct compare *compare = context;
    (void)partition_count;
    compare->history = history;
    return topics_read(compare, take_there, error);
}

/* Nobody is told of kontor's own records. */
static bool is_internal(const struct compare *compare, struct slice origin) {
    for (int i = 0; i < INPUTS_MAXIMUM && compare->processor->inputs[i].topic; i++) {
        const size_t length = strlen(compare->processor->inputs[i].topic);
        if (origin.length > length && origin.data[length] == '/' && memcmp(origin.data, compare->processor->inputs[i].topic, length) == 0) return compare->processor->inputs[i].internal;
    }
    return false;
}

bool compare_event(void *context, struct slice origin, int64_t event_time_ms, struct error *error) {
    struct compare *compare = context;
    uint32_t number;
    if (event_time_ms < compare->from_ms || event_time_ms >= compare->to_ms) return true;
    compare->events++;
    /* What the processor has not come to yet cannot be compared. */
    if (compare->history && history_decided_ms(compare->history, origin) == INT64_MIN && !is_internal(compare, origin)) {
        compare->undecided++;
        return true;
    }
    return intern_add(&compare->origins, origin, &number, NULL) || error_set(error, "out of memory");
}

static struct slice text_of(const void *record, const struct codec_field *field) {
    return field ? *(const struct slice *)((const char *)record + field->slot.offset) : (struct slice){0};
}

static struct slice header_of(const struct engine_output *output, const char *name) {
    for (size_t i = output->header_count; i-- > 0;)
        if (strcmp(output->headers[i].name, name) == 0) return output->headers[i].value;
    return (struct slice){0};
}

/* Origin and document; strings point into the output or the arena. */
static bool output_look(struct compare *compare, const struct compared_topic *topic, const struct engine_output *output, struct slice *origin, struct slice *document, struct error *error) {
    uint32_t id;
    struct slice payload;
    *origin = *document = (struct slice){0};
    arena_reset(&compare->arena);
    if (!topic->type) {
        const struct slice from = header_of(output, "kontor-topic"), partition = header_of(output, "kontor-partition"), offset = header_of(output, "kontor-offset");
        char *text = arena_alloc(&compare->arena, from.length + partition.length + offset.length + 3);
        if (!text) return error_set(error, "out of memory");
        int length = sprintf(text, SLICE_FORMAT "/" SLICE_FORMAT "/" SLICE_FORMAT, SLICE_ARGUMENT(from), SLICE_ARGUMENT(partition), SLICE_ARGUMENT(offset));
        *origin = (struct slice){text, (size_t)length};
        return true;
    }
    void *record = arena_alloc(&compare->arena, topic->type->size);
    if (!record || !codec_wire_read(output->value.data, output->value.length, &id, &payload) ||
        codec_decode(topic->plan, payload.data, payload.length, &compare->arena, record) != CODEC_OK) return error_set(error, "out of memory");
    *origin = text_of(record, topic->origin);
    *document = text_of(record, topic->document);
    return true;
}

static bool is_in_range(const struct compare *compare, const struct compared_topic *topic, struct slice origin, int64_t time_ms) {
    return topic->origin || !topic->type ? intern_has(&compare->origins, origin) : time_ms >= compare->from_ms && time_ms < compare->to_ms;
}

bool compare_in_range(struct compare *compare, const struct engine_output *output, int64_t event_time_ms, bool *in_range, struct error *error) {
    const struct compared_topic *topic = topic_of(compare, output->topic);
    struct slice origin, document;
    *in_range = false;
    if (!topic) return true;
    if (!output_look(compare, topic, output, &origin, &document, error)) return false;
    *in_range = is_in_range(compare, topic, origin, output->timestamp_ms ? output->timestamp_ms : event_time_ms);
    return true;
}

static bool keep(struct compare *compare, struct slice bytes, struct slice *kept) {
    const char *copy = arena_copy(&compare->kept, bytes.data ? bytes.data : "", bytes.length);
    *kept = (struct slice){copy, bytes.length};
    return copy;
}

static bool difference_add(struct compare *compare, size_t topic, struct slice origin, struct slice document, struct slice value, bool there, struct error *error) {
    if (compare->count == compare->capacity) {
        size_t capacity = compare->capacity ? compare->capacity * 2 : 256;
        struct difference *grown = realloc(compare->differences, capacity * sizeof *grown);
        if (!grown) return error_set(error, "out of memory");
        compare->differences = grown;
        compare->capacity = capacity;
    }
    struct difference *difference = &compare->differences[compare->count++];
    *difference = (struct difference){.topic = topic};
    if (!keep(compare, origin, &difference->origin) || !keep(compare, document, &difference->document) || !keep(compare, value, there ? &difference->there : &difference->here))
        return error_set(error, "out of memory for the differences; compare a shorter time");
    return true;
}

bool compare_output(void *context, const struct engine_output *output, int64_t event_time_ms, struct error *error) {
    struct compare *compare = context;
    struct compared_topic *topic = topic_of(compare, output->topic);
    struct slice origin, document;
    char text[256];
    if (!topic) return true;
    if (!output_look(compare, topic, output, &origin, &document, error)) return false;
    if (!is_in_range(compare, topic, origin, output->timestamp_ms ? output->timestamp_ms : event_time_ms)) return true;
    const struct slice more = topic->type ? (struct slice){0} : dead_part(header_of(output, "kontor-reason"), header_of(output, "kontor-partition"), header_of(output, "kontor-offset"), text);
    const size_t at = slot_of(compare, hash_of((size_t)(topic - compare->topics), output->key, output->value, more));
    if (compare->slots[at].count) {
        compare->slots[at].count--;
        topic->same++;
        return true;
    }
    return difference_add(compare, (size_t)(topic - compare->topics), origin, document, output->value, false, error);
}

/* ---- what is left on the topics ---- */

static enum scan_step take_left(void *context, const struct kafka_record *record, struct error *error) {
    struct compare *compare = context;
    const struct compared_topic *topic = &compare->topics[record->topic_index];
    struct slice origin = {0}, document = {0};
    struct error why;
    char text[512];
    const size_t at = slot_of(compare, hash_record(compare, record));
    if (!compare->slots[at].count) return SCAN_MORE;
    arena_reset(&compare->arena);
    if (topic->type) {
        void *read = arena_alloc(&compare->arena, topic->type->size);
        enum values_result result = read ? values_decode(compare->values, record->value, topic->type, &compare->arena, read, &why) : VALUES_FAILED;
        if (result == VALUES_FAILED) {
            error_set(error, "%s", read ? why.text : "out of memory");
            return SCAN_FAILED;
        }
        if (result != VALUES_OK || (topic->processor && !slice_equal(text_of(read, topic->processor), slice_of(compare->processor->name)))) return SCAN_MORE;
        origin = text_of(read, topic->origin);
        document = text_of(read, topic->document);
    } else {
        const struct slice from = record_header(record, "kontor-topic"), partition = record_header(record, "kontor-partition"), offset = record_header(record, "kontor-offset");
        int length = snprintf(text, sizeof text, SLICE_FORMAT "/" SLICE_FORMAT "/" SLICE_FORMAT, SLICE_ARGUMENT(from), SLICE_ARGUMENT(partition), SLICE_ARGUMENT(offset));
        origin = (struct slice){text, length < (int)sizeof text ? (size_t)length : sizeof text - 1};
    }
    if (!is_in_range(compare, topic, origin, record->timestamp_ms)) return SCAN_MORE;
    compare->slots[at].count--;
    return difference_add(compare, record->topic_index, origin, document, record->value, true, error) ? SCAN_MORE : SCAN_FAILED;
}

/* The n-th of the replay stands for the n-th of the topic, of the same event. */
static void pair(struct compare *compare, size_t replayed) {
    for (size_t i = replayed; i < compare->count; i++) {
        struct difference *there = &compare->differences[i];
        for (size_t k = 0; k < replayed; k++) {
            struct difference *here = &compare->differences[k];
            if (here->paired || here->topic != there->topic || !slice_equal(here->origin, there->origin)) continue;
            here->there = there->there;
            here->paired = there->paired = true;
            break;
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < compare->count; i++)
        if (i < replayed || !compare->differences[i].paired) compare->differences[kept++] = compare->differences[i];
    compare->count = kept;
    for (size_t i = 0; i < kept; i++) {
        struct compared_topic *topic = &compare->topics[compare->differences[i].topic];
        uint64_t *count = compare->differences[i].paired ? &topic->other : compare->differences[i].there.data ? &topic->only_there : &topic->only_here;
        ++*count;
    }
}

bool compare_ended(void *context, struct error *error) {
    struct compare *compare = context;
    const size_t replayed = compare->count;
    if (!topics_read(compare, take_left, error)) return false;
    pair(compare, replayed);
    return compare_names(compare, error);
}

/* ---- the answer ---- */

static json_t *value_json(const struct compare *compare, struct slice value) {
    struct buffer text = {0};
    struct error why;
    json_t *json = value.data && values_to_json(compare->values, value, &text, &why) == VALUES_OK ? json_loadb(text.data, text.length, 0, NULL) : NULL;
    buffer_free(&text);
    return json;
}

/* The first fields that differ; which master records were used is told besides. */
static json_t *fields_json(const struct compare *compare, const struct difference *difference) {
    json_t *there = value_json(compare, difference->there), *here = value_json(compare, difference->here), *all = there && here ? field_difference(there, here) : NULL, *told = json_object(), *pair_of;
    const char *path;
    for (int of_master = 0; of_master < 2 && !json_object_size(told); of_master++)
        json_object_foreach(all, path, pair_of)
            if ((strncmp(path, "master_offsets", 14) == 0) == of_master && json_object_size(told) < FIELDS_TOLD) json_object_set(told, path, pair_of);
    json_decref(there);
    json_decref(here);
    json_decref(all);
    return told;
}

static json_t *slice_json(struct slice text) { return json_stringn(text.length ? text.data : "", text.length); }

json_t *compare_json(const struct compare *compare, size_t limit) {
    json_t *topics = json_array(), *differences = json_array();
    for (size_t i = 0; i < compare->topic_count; i++) {
        const struct compared_topic *topic = &compare->topics[i];
        json_array_append_new(topics, json_pack("{s:s, s:I, s:I, s:I, s:I}", "topic", topic->name, "same", (json_int_t)topic->same, "other", (json_int_t)topic->other, "only_on_topic",
                                                (json_int_t)topic->only_there, "only_in_replay", (json_int_t)topic->only_here));
    }
    for (size_t i = 0; i < compare->count && i < limit; i++) {
        const struct difference *difference = &compare->differences[i];
        json_array_append_new(differences, json_pack("{s:s, s:o, s:o, s:s, s:o, s:o}", "topic", compare->topics[difference->topic].name, "event", slice_json(difference->origin), "document",
                                                     slice_json(difference->document), "difference",
                                                     difference->paired ? "other bytes" : difference->there.data ? "only on the topic" : "only in the replay", "fields",
                                                     fields_json(compare, difference), "superseded", slice_json(compare->superseded[i])));
    }
    return json_pack("{s:s, s:I, s:I, s:o, s:I, s:o}", "processor", compare->processor->name, "events", (json_int_t)compare->events, "undecided", (json_int_t)compare->undecided, "topics", topics, "difference_count", (json_int_t)compare->count,
                     "differences", differences);
}

size_t compare_differences(const struct compare *compare) { return compare->count; }
size_t compare_unexplained(const struct compare *compare) { return compare->unexplained; }
