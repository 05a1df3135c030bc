#include "cli/probe_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "common/codec/json.h"
#include "common/platform/file.h"

enum { FILE_BYTES_MAXIMUM = 4 << 20, RECORD_MEMORY = 16 << 20 };

static const char *const outcomes[] = {"accepted", "duplicate", "rejected", "held", "parked", NULL};
static const char *const placeholders[] = {"{id}", "{today}", "{now}", NULL};
enum { PLACEHOLDERS = 3 };

/* ---- placeholders ---- */

/* Which one stands there; -1: none. */
static int placeholder_at(const char *text) {
    for (int i = 0; placeholders[i]; i++)
        if (strncmp(text, placeholders[i], strlen(placeholders[i])) == 0) return i;
    return -1;
}

static json_t *text_fill(const char *text, const char *const with[PLACEHOLDERS]) {
    struct buffer filled = {0};
    bool ok = true;
    while (*text && ok) {
        const int which = *text == '{' ? placeholder_at(text) : -1;
        ok = which < 0 ? buffer_append(&filled, text, 1) : buffer_append(&filled, with[which], strlen(with[which]));
        text += which < 0 ? 1 : strlen(placeholders[which]);
    }
    json_t *made = ok ? json_stringn(filled.length ? filled.data : "", filled.length) : NULL;
    buffer_free(&filled);
    return made;
}

static json_t *value_fill(const json_t *json, const char *const with[PLACEHOLDERS]) {
    const char *name;
    json_t *part;
    size_t at;
    if (json_is_string(json)) return text_fill(json_string_value(json), with);
    if (!json_is_object(json) && !json_is_array(json)) return json_deep_copy(json);
    json_t *made = json_is_object(json) ? json_object() : json_array();
    bool ok = made;
    if (json_is_object(json)) {
        json_object_foreach((json_t *)json, name, part) ok = ok && json_object_set_new(made, name, value_fill(part, with)) == 0;
    } else {
        json_array_foreach(json, at, part) ok = ok && json_array_append_new(made, value_fill(part, with)) == 0;
    }
    if (ok) return made;
    json_decref(made);
    return NULL;
}

json_t *probe_event_fill(const struct probe_event *event, const char *id, int64_t now_ms) {
    char now[TIME_TEXT_SIZE], today[TIME_TEXT_SIZE];
    const char *const with[PLACEHOLDERS] = {id, date_text((int32_t)(now_ms / 86400000), today), time_text(now_ms, now)};
    json_t *made = value_fill(event->value, with);
    if (made && json_object_set_new(made, "event_id", json_string(id)) == 0) return made;
    json_decref(made);
    return NULL;
}

/* ---- reading ---- */

/* What is between braces must be a placeholder: a misspelt one would go out as it is. */
static bool texts_check(const json_t *json, struct error *error) {
    const char *name;
    json_t *part;
    size_t at;
    if (json_is_string(json)) {
        for (const char *open = strchr(json_string_value(json), '{'); open; open = strchr(open + 1, '{'))
            if (placeholder_at(open) < 0) return error_set(error, "\"%s\": what is between braces is {id}, {today} or {now}", json_string_value(json));
    } else if (json_is_object(json)) {
        json_object_foreach((json_t *)json, name, part)
            if (!texts_check(part, error)) return false;
    } else if (json_is_array(json)) {
        json_array_foreach(json, at, part)
            if (!texts_check(part, error)) return false;
    }
    return true;
}

static bool schema_check(const struct probe_event *event, const struct topic *topic, struct error *error) {
    struct arena arena;
    arena_init(&arena, 1 << 16, RECORD_MEMORY);
    json_t *filled = probe_event_fill(event, "probe", 0);
    void *record = arena_alloc(&arena, topic->type->size);
    bool ok = filled && record ? codec_from_json(topic->type, filled, &arena, record, error) : error_set(error, "out of memory");
    json_decref(filled);
    arena_free(&arena);
    return ok;
}

static bool member_check(const json_t *json, struct error *error) {
    static const char *const members[] = {"topic", "outcome", "value"};
    const char *name;
    json_t *part;
    json_object_foreach((json_t *)json, name, part) {
        size_t i = 0;
        while (i < sizeof members / sizeof *members && strcmp(members[i], name) != 0) i++;
        if (i == sizeof members / sizeof *members) return error_set(error, "%s: there is topic, outcome and value", name);
    }
    return true;
}

static bool event_read(struct probe_event *event, const char *flow, const json_t *json, const struct topic_list *topics, struct error *error) {
    char usual[256];
    size_t outcome = 0;
    if (!json_is_object(json) || !json_is_object(json_object_get(json, "value"))) return error_set(error, "expected {\"value\": {...}}");
    if (!member_check(json, error)) return false;
    snprintf(usual, sizeof usual, "%.200s.events", flow);
    const char *named = json_string_value(json_object_get(json, "topic")), *wanted = json_string_value(json_object_get(json, "outcome"));
    const struct topic *topic = topic_list_find(topics, named ? named : usual);
    if (!topic || !topic->type) return error_set(error, "%s is no topic of events that kontor knows", named ? named : usual);
    if (strncmp(topic->name, flow, strlen(flow)) != 0 || topic->name[strlen(flow)] != '.') return error_set(error, "%s is not of this flow", topic->name);
    while (wanted && outcomes[outcome] && strcmp(outcomes[outcome], wanted) != 0) outcome++;
    if (wanted && !outcomes[outcome]) return error_set(error, "outcome: \"%s\" is not accepted, duplicate, rejected, held or parked", wanted);
    const json_t *value = json_object_get(json, "value");
    *event = (struct probe_event){.topic = topic->name, .outcome = outcomes[outcome], .value = value, .source = json_string_value(json_object_get(value, "source")),
                                  .entity = json_string_value(json_object_get(value, "entity"))};
    if (!event->source || !event->entity) return error_set(error, "value: source and entity are needed");
    return texts_check(value, error) && schema_check(event, topic, error);
}

static bool flow_read(struct probe_flow *flow, const json_t *json, const struct topic_list *topics, struct error *error) {
    if (json_is_null(json)) return true;
    const size_t count = json_is_array(json) ? json_array_size(json) : 1;
    if (!count) return error_set(error, "an empty list; null says that a flow is not to be probed");
    flow->events = calloc(count, sizeof *flow->events);
    if (!flow->events) return error_set(error, "out of memory");
    for (; flow->count < count; flow->count++)
        if (!event_read(&flow->events[flow->count], flow->name, json_is_array(json) ? json_array_get(json, flow->count) : json, topics, error)) return false;
    return true;
}

bool probe_file_read(struct probe_file *file, const char *path, const struct topic_list *topics, struct error *error) {
    struct buffer bytes = {0};
    json_error_t why;
    const char *name;
    json_t *flow;
    *file = (struct probe_file){.count = 0};
    bool ok = file_read(path, FILE_BYTES_MAXIMUM, &bytes, error);
    if (ok && !(file->root = json_loadb(bytes.data ? bytes.data : "", bytes.length, JSON_REJECT_DUPLICATES, &why)))
        ok = error_set(error, "%s: not JSON: %s, line %d", path, why.text, why.line);
    if (ok && (!json_is_object(file->root) || !json_object_size(file->root))) ok = error_set(error, "%s: expected an object with an event for each flow", path);
    buffer_free(&bytes);
    if (!ok) return false;
    json_object_foreach(file->root, name, flow) {
        if (file->count == PROBE_FLOWS_MAXIMUM) return error_set(error, "%s: more than %d flows", path, PROBE_FLOWS_MAXIMUM);
        file->flows[file->count] = (struct probe_flow){.name = name};
        if (!flow_read(&file->flows[file->count++], flow, topics, error)) return error_prefix(error, "%s: %s", path, name);
    }
    return true;
}

void probe_file_free(struct probe_file *file) {
    for (size_t i = 0; i < file->count; i++) free(file->flows[i].events);
    json_decref(file->root);
    *file = (struct probe_file){.count = 0};
}

const struct probe_flow *probe_file_flow(const struct probe_file *file, const char *name) {
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->flows[i].name, name) == 0) return &file->flows[i];
    return NULL;
}
