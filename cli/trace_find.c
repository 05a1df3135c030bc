#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/documents.h"
#include "cli/intern.h"
#include "cli/scan.h"
#include "cli/show.h"
#include "cli/trace.h"
#include "cli/values.h"
#include "common/tables/tables.h"

enum { VALUE_MEMORY = 64 << 20, NAME_SIZE = 1024 };

/* The fields of an event that name documents; NULL: its type has none of that name. */
enum { FIELD_EVENT_ID, FIELD_DOCUMENT, FIELD_NUMBER, FIELD_ORDER, FIELD_REVERSES, FIELD_CORRELATION_ID, FIELD_COUNT };
static const char *const field_names[FIELD_COUNT] = {"event_id", "document", "number", "order", "reverses", "correlation_id"};

struct event_type { const struct codec_type *type; const struct codec_field *fields[FIELD_COUNT], *lines, *line_document; };

struct finding {
    const char *wanted;
    struct slice wanted_text;
    const struct topic_list *list;
    struct values *values;
    struct arena arena;
    struct buffer json;
    struct scan scan;
    struct event_type types[SCAN_TOPICS_MAXIMUM];   /* by topic of the scan; type NULL: not an event */
    struct intern keys, documents, origins;         /* Kafka keys; document_name; of the events found */
    int32_t partition;                              /* of all matches; SCAN_ALL_PARTITIONS when they differ */
    bool matched_any;
    int64_t searched;
    json_t *events, *outputs;
};

static const struct codec_field *text_field(const struct codec_type *type, const char *name) {
    for (uint32_t i = 0; i < type->field_count; i++)
        if (strcmp(type->fields[i].name, name) == 0 && type->fields[i].slot.type->kind == CODEC_STRING) return &type->fields[i];
    return NULL;
}

static struct event_type describe_events(const struct codec_type *type) {
    struct event_type described = {.type = type};
    for (int i = 0; i < FIELD_COUNT; i++) described.fields[i] = text_field(type, field_names[i]);
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct codec_type *list = type->fields[i].slot.type;
        if (list->kind != CODEC_ARRAY || list->element.type->kind != CODEC_RECORD) continue;
        /* An invoice's lines name orders, a payment's items invoices. */
        const struct codec_field *named = text_field(list->element.type, "order");
        if (!named) named = text_field(list->element.type, "document");
        if (!named) continue;
        described.line_document = named;
        described.lines = &type->fields[i];
    }
    return described;
}

static struct slice text_of(const void *record, const struct codec_field *field) {
    return field ? *(const struct slice *)((const char *)record + field->slot.offset) : (struct slice){0};
}

static bool names_wanted(const struct finding *finding, const struct event_type *type, const void *record) {
    for (int i = 0; i < FIELD_COUNT; i++)
        if (type->fields[i] && slice_equal(text_of(record, type->fields[i]), finding->wanted_text)) return true;
    if (!type->lines) return false;
    const struct codec_list *lines = (const void *)((const char *)record + type->lines->slot.offset);
    uint32_t size = type->lines->slot.type->element_size;
    for (size_t i = 0; i < lines->count; i++)
        if (slice_equal(text_of((const char *)lines->items + i * size, type->line_document), finding->wanted_text)) return true;
    return false;
}

static bool is_origin(const struct finding *finding, const struct kafka_record *record) {
    char origin[512];
    snprintf(origin, sizeof origin, "%s/%" PRId32 "/%" PRId64, record->topic, record->partition, record->offset);
    return strcmp(origin, finding->wanted) == 0;
}

/* A document's name among those of the input topics. */
static struct slice document_name(char name[NAME_SIZE], const char *topic, struct slice key, struct slice document) {
    int length = snprintf(name, NAME_SIZE, "%s\n" SLICE_FORMAT "\n" SLICE_FORMAT, topic, SLICE_ARGUMENT(key), SLICE_ARGUMENT(document));
    return (struct slice){name, length < NAME_SIZE ? (size_t)length : NAME_SIZE - 1};
}

/* Reads the event; record NULL: it cannot be read, why says so. */
static bool read_event(struct finding *finding, const struct kafka_record *record, void **event, struct error *why, struct error *error) {
    const struct codec_type *type = finding->types[record->topic_index].type;
    arena_reset(&finding->arena);
    *event = arena_alloc(&finding->arena, type->size);
    if (!*event) return error_set(error, "out of memory");
    enum values_result result = values_decode(finding->values, record->value, type, &finding->arena, *event, why);
    if (result == VALUES_FAILED) return error_set(error, "%s", why->text);
    if (result == VALUES_UNREADABLE) *event = NULL;
    return true;
}

/* First reading: which keys and documents it is about. */
static enum scan_step take_candidate(void *context, const struct kafka_record *record, struct error *error) {
    struct finding *finding = context;
    const struct event_type *type = &finding->types[record->topic_index];
    void *event;
    struct error why;
    finding->searched++;
    if (!read_event(finding, record, &event, &why, error)) return SCAN_FAILED;
    if (!(event && names_wanted(finding, type, event)) && !is_origin(finding, record)) return SCAN_MORE;
    char name[NAME_SIZE];
    uint32_t number;
    struct slice document = event ? text_of(event, type->fields[FIELD_DOCUMENT]) : (struct slice){0};
    if (!intern_add(&finding->keys, record->key, &number, NULL) ||
        !intern_add(&finding->documents, document_name(name, record->topic, record->key, document), &number, NULL)) {
        error_set(error, "out of memory");
        return SCAN_FAILED;
    }
    if (!finding->matched_any) finding->partition = record->partition;
    else if (finding->partition != record->partition) finding->partition = SCAN_ALL_PARTITIONS;
    finding->matched_any = true;
    return SCAN_MORE;
}

static json_t *record_json(const struct kafka_record *record) {
    char time[TIME_TEXT_SIZE];
    return json_pack("{s:s, s:i, s:I, s:I, s:s}", "topic", record->topic, "partition", (int)record->partition, "offset", (json_int_t)record->offset, "timestamp",
                     (json_int_t)record->timestamp_ms, "time", time_text(record->timestamp_ms, time));
}

/* The value by its writer's schema; NULL: it cannot be read. */
static bool value_json(struct finding *finding, const struct kafka_record *record, json_t **value, struct error *error) {
    struct error why;
    *value = NULL;
    buffer_reset(&finding->json);
    switch (values_to_json(finding->values, record->value, &finding->json, &why)) {
    case VALUES_OK: *value = json_loadb(finding->json.data, finding->json.length, 0, NULL); return true;
    case VALUES_UNREADABLE: return true;
    case VALUES_FAILED: break;
    }
    return error_set(error, "%s", why.text);
}

static bool event_origin_add(struct finding *finding, const struct kafka_record *record, struct error *error) {
    char origin[512];
    uint32_t number;
    snprintf(origin, sizeof origin, "%s/%" PRId32 "/%" PRId64, record->topic, record->partition, record->offset);
    return intern_add(&finding->origins, slice_of(origin), &number, NULL) || error_set(error, "out of memory");
}

/* Second reading, events: those of the documents, and those that name what is wanted. */
static bool take_event(struct finding *finding, const struct kafka_record *record, struct error *error) {
    const struct event_type *type = &finding->types[record->topic_index];
    char name[NAME_SIZE];
    void *event;
    struct error why = {""};
    if (!read_event(finding, record, &event, &why, error)) return false;
    bool wanted = is_origin(finding, record);
    if (event) wanted = wanted || names_wanted(finding, type, event) ||
                        intern_has(&finding->documents, document_name(name, record->topic, record->key, text_of(event, type->fields[FIELD_DOCUMENT])));
    if (!wanted) return true;
    json_t *json = record_json(record), *value = NULL;
    bool ok = event_origin_add(finding, record, error) && (!event || value_json(finding, record, &value, error));
    json_object_set_new(json, "value", value ? value : json_null());
    if (!event) json_object_set_new(json, "unreadable", json_string(why.text));
    json_array_append_new(finding->events, json);
    return ok;
}

/* Second reading, outputs of the keys: those that belong to one of the events. A batch's key has those of many documents. */
static bool take_output(struct finding *finding, const struct kafka_record *record, struct error *error) {
    json_t *json, *value;
    if (strncmp(record->topic, "dlq.", 4) == 0) {
        char origin[512];
        struct slice topic = record_header(record, "kontor-topic"), partition = record_header(record, "kontor-partition"), offset = record_header(record, "kontor-offset");
        struct slice reason = record_header(record, "kontor-reason"), text = record_header(record, "kontor-text");
        snprintf(origin, sizeof origin, SLICE_FORMAT "/" SLICE_FORMAT "/" SLICE_FORMAT, SLICE_ARGUMENT(topic), SLICE_ARGUMENT(partition), SLICE_ARGUMENT(offset));
        value = json_pack("{s:s, s:s%, s:s%}", "origin", origin, "reason", reason.length ? reason.data : "", reason.length, "text", text.length ? text.data : "", text.length);
    } else if (!value_json(finding, record, &value, error)) {
        return false;
    }
    if (!value) return true;
    if (!intern_has(&finding->origins, slice_of(show_text(value, "origin")))) {
        json_decref(value);
        return true;
    }
    json = record_json(record);
    json_object_del(value, "value"); /* an exception's copy of the event */
    json_object_update_missing(value, json);
    json_decref(json);
    json_array_append_new(finding->outputs, value);
    return true;
}

static enum scan_step take_record(void *context, const struct kafka_record *record, struct error *error) {
    struct finding *finding = context;
    if (!intern_has(&finding->keys, record->key)) return SCAN_MORE;
    bool event = finding->types[record->topic_index].type;
    return (event ? take_event(finding, record, error) : take_output(finding, record, error)) ? SCAN_MORE : SCAN_FAILED;
}

/* Where an output belongs below its event. */
static const char *kind_of_output(const char *topic) {
    if (strncmp(topic, "dlq.", 4) == 0) return "dead_letters";
    if (strncmp(topic, "exceptions.", 11) == 0) return "exceptions";
    if (strncmp(topic, "posting.commands.", 17) == 0) return "journals";
    return topic;
}

static int compare_records(const void *a, const void *b) {
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int64_t first = json_integer_value(json_object_get(x, "timestamp")), second = json_integer_value(json_object_get(y, "timestamp"));
    if (first != second) return first < second ? -1 : 1;
    /* Procurement before invoice, as a task takes them; within a partition the offset. */
    int order = -strcmp(show_text(x, "topic"), show_text(y, "topic"));
    if (order) return order;
    first = json_integer_value(json_object_get(x, "offset"));
    second = json_integer_value(json_object_get(y, "offset"));
    return (first > second) - (first < second);
}

static bool sort(json_t *array, struct error *error) {
    size_t count = json_array_size(array);
    json_t **items = malloc((count + 1) * sizeof *items);
    if (!items) return error_set(error, "out of memory");
    for (size_t i = 0; i < count; i++) items[i] = json_incref(json_array_get(array, i));
    qsort(items, count, sizeof *items, compare_records);
    json_array_clear(array);
    for (size_t i = 0; i < count; i++) json_array_append_new(array, items[i]);
    free(items);
    return true;
}

/* Puts each output below its event. */
static void attach(struct finding *finding) {
    size_t i;
    json_t *event, *output, *by_origin = json_object();
    json_array_foreach(finding->events, i, event) {
        char origin[512];
        snprintf(origin, sizeof origin, "%s/%d/%lld", show_text(event, "topic"), (int)json_integer_value(json_object_get(event, "partition")),
                 (long long)json_integer_value(json_object_get(event, "offset")));
        json_object_set(by_origin, origin, event);
    }
    json_array_foreach(finding->outputs, i, output) {
        json_t *of = json_object_get(by_origin, show_text(output, "origin"));
        const char *kind = kind_of_output(show_text(output, "topic"));
        if (!of) continue;
        if (!json_object_get(of, kind)) json_object_set_new(of, kind, json_array());
        json_array_append(json_object_get(of, kind), output);
    }
    json_decref(by_origin);
}

static void link_to(struct finding *finding, json_t *linked, const char *document, const char *how) {
    size_t i;
    json_t *other;
    if (!*document || strcmp(document, finding->wanted) == 0) return;
    json_array_foreach(finding->events, i, other)
        if (strcmp(show_text(json_object_get(other, "value"), "document"), document) == 0) return;
    json_array_foreach(linked, i, other)
        if (strcmp(show_text(other, "document"), document) == 0) return;
    json_array_append_new(linked, json_pack("{s:s, s:s}", "document", document, "how", how));
}

/* Documents that the events name and that are not shown themselves. */
static json_t *links(struct finding *finding) {
    json_t *linked = json_array(), *event, *line;
    size_t i, k;
    json_array_foreach(finding->events, i, event) {
        const json_t *value = json_object_get(event, "value");
        link_to(finding, linked, show_text(value, "order"), "order");
        link_to(finding, linked, show_text(value, "reverses"), "what it takes back");
        json_array_foreach(json_object_get(value, "lines"), k, line) link_to(finding, linked, show_text(line, "order"), "order of its lines");
    }
    return linked;
}

static bool add_topic(struct finding *finding, const char *name, const struct codec_type *type) {
    if (finding->scan.topic_count == SCAN_TOPICS_MAXIMUM) return false;
    finding->types[finding->scan.topic_count] = type ? describe_events(type) : (struct event_type){.type = NULL};
    finding->scan.topics[finding->scan.topic_count++] = name;
    return true;
}

/* The event topics in the partition of the matches. */
static bool read_events(struct finding *finding, bool candidates, struct error *error) {
    finding->scan.topic_count = 0;
    for (size_t i = 0; i < finding->list->count; i++)
        if (topic_is_input(finding->list, &finding->list->topics[i]) && finding->list->topics[i].type)
            (void)!add_topic(finding, finding->list->topics[i].name, finding->list->topics[i].type);
    finding->scan.partition = candidates ? SCAN_ALL_PARTITIONS : finding->partition;
    finding->scan.visit = candidates ? take_candidate : take_record;
    return scan_run(&finding->scan, error);
}

static bool read_outputs(struct finding *finding, const struct connection *connection, struct error *error) {
    struct topic_names journals = {.count = 0};
    if (!connection_topics(connection, "posting.commands.", &journals, error)) return false;
    finding->scan.topic_count = 0;
    for (size_t i = 0; i < finding->list->count; i++) {
        const char *name = finding->list->topics[i].name;
        if (strcmp(name, "acknowledgments") == 0 || strcmp(name, "commitments") == 0 || strncmp(name, "exceptions.", 11) == 0 || strncmp(name, "dlq.", 4) == 0)
            (void)!add_topic(finding, name, NULL);
    }
    bool ok = true;
    for (size_t i = 0; i < journals.count; i++) ok = ok && (add_topic(finding, journals.names[i], NULL) || error_set(error, "too many posting.commands topics"));
    finding->scan.partition = SCAN_ALL_PARTITIONS;
    ok = ok && scan_run(&finding->scan, error);
    topic_names_free(&journals);
    return ok;
}

/* The documents of the events, by their keys on the topic documents: entity, flow, partner and number. */
static bool document_keys(struct finding *finding, struct intern *keys, struct error *error) {
    static const char *const partners[] = {"supplier", "employee", "partner", "batch"};
    size_t i;
    json_t *event;
    json_array_foreach(finding->events, i, event) {
        const json_t *value = json_object_get(event, "value");
        const char *topic = show_text(event, "topic"), *partner = "";
        char key[NAME_SIZE];
        uint32_t number;
        for (size_t k = 0; k < sizeof partners / sizeof *partners && !*partner; k++) partner = show_text(value, partners[k]);
        const struct slice parts[] = {slice_of(show_text(value, "entity")), {topic, strcspn(topic, ".")}, slice_of(partner), slice_of(show_text(value, "document"))};
        if (!intern_add(keys, tables_key(key, sizeof key, parts, 4), &number, NULL)) return error_set(error, "out of memory");
    }
    return true;
}

static json_t *document_json(const struct document_line *line) {
    char since[TIME_TEXT_SIZE], due[TIME_TEXT_SIZE], overdue[TIME_TEXT_SIZE];
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory) return NULL;
    documents_describe(line, memory);
    if (fclose(memory) != 0) return NULL;
    json_t *json = json_pack("{s:s%, s:s%, s:s%, s:s, s:s%, s:s%, s:s, s:s%, s:s, s:s%}", "flow", line->flow.data, line->flow.length, "document", line->document.data,
                             line->document.length, "state", line->state.data, line->state.length, "since", time_text(line->since_ms, since), "owner", line->owner.data,
                             line->owner.length, "awaited", line->awaited.data, line->awaited.length, "due_at", line->has_due ? time_text(line->due_ms, due) : "", "overdue",
                             line->overdue.data, line->overdue.length, "overdue_since", line->overdue_since_ms ? time_text(line->overdue_since_ms, overdue) : "", "text", text,
                             strcspn(text, "\n"));
    free(text);
    return json;
}

/* Where they are, by the topic documents; nothing where there is none. */
static bool read_documents(struct finding *finding, const struct connection *connection, json_t **documents, struct error *error) {
    struct document_list list = {.items = NULL};
    struct intern keys;
    intern_init(&keys);
    *documents = json_array();
    bool ok = document_keys(finding, &keys, error) && documents_read(&list, connection, &keys, error);
    for (size_t i = 0; ok && i < list.count; i++)
        if (json_array_append_new(*documents, document_json(&list.items[i])) != 0) ok = error_set(error, "out of memory");
    documents_free(&list);
    intern_free(&keys);
    return ok;
}

static bool find(struct finding *finding, const struct connection *connection, json_t **found, struct error *error) {
    if (!read_events(finding, true, error)) return false;
    if (!finding->matched_any) return true;
    if (!read_events(finding, false, error) || !read_outputs(finding, connection, error) || !sort(finding->events, error) || !sort(finding->outputs, error)) return false;
    attach(finding);
    json_t *documents = NULL;
    if (!read_documents(finding, connection, &documents, error)) {
        json_decref(documents);
        return false;
    }
    *found = json_pack("{s:s, s:o, s:O, s:o}", "document", finding->wanted, "documents", documents, "events", finding->events, "linked", links(finding));
    return *found || error_set(error, "out of memory, or %s is no UTF-8", finding->wanted);
}

bool trace_find(const struct connection *connection, const struct topic_list *list, const char *wanted, json_t **found, int64_t *searched, struct error *error) {
    struct finding *finding = calloc(1, sizeof *finding);
    *found = NULL;
    if (!finding) return error_set(error, "out of memory");
    finding->wanted = wanted;
    finding->wanted_text = slice_of(wanted);
    finding->list = list;
    finding->events = json_array();
    finding->outputs = json_array();
    finding->scan = (struct scan){.connection = connection, .from_offset = SCAN_FROM_BEGINNING, .progress = "searching", .context = finding};
    arena_init(&finding->arena, 1 << 16, VALUE_MEMORY);
    intern_init(&finding->keys);
    intern_init(&finding->documents);
    intern_init(&finding->origins);
    bool ok = values_open(&finding->values, connection, error) && find(finding, connection, found, error);
    *searched = finding->searched;
    values_close(finding->values);
    intern_free(&finding->keys);
    intern_free(&finding->documents);
    intern_free(&finding->origins);
    arena_free(&finding->arena);
    buffer_free(&finding->json);
    json_decref(finding->events);
    json_decref(finding->outputs);
    free(finding);
    return ok;
}
