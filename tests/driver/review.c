/* event reviewer ACTION DOCUMENT|ID [user=] [role=] [reason=] [set=PATH:VALUE ...] ...: what a person decides about something that is held or was rejected, as the command
 * line and the console write it: item, origin and shown are those of its newest exception. Of correct, set= says what the corrected event has otherwise. */
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/encode.h"
#include "common/codec/json.h"
#include "common/codec/wire.h"
#include "common/platform/hash.h"
#include "schemas/audit_entry.h"
#include "schemas/exception.h"
#include "schemas/review_decision.h"
#include "tests/driver/records.h"
#include "tests/driver/run.h"

bool review_is(const struct statement *statement) {
    return statement->count > 3 && strcmp(statement->words[0], "event") == 0 && strcmp(statement->words[1], "reviewer") == 0;
}

/* What people see of it: its newest record in the topics of exceptions that does not take one back. */
static const struct exception_record *exception_find(const struct run *run, const struct given *about) {
    for (size_t i = run->broker.count; about && i-- > 0;) {
        const struct stored *stored = run->broker.items[i];
        if (strncmp(stored->topic, "exceptions.", 11) != 0) continue;
        const struct exception_record *exception = stored->decoded;
        if (slice_equal(exception->origin, slice_of(about->origin)) && !slice_equal(exception->outcome, SLICE("released"))) return exception;
    }
    return NULL;
}

static void text_set(json_t *record, const char *field, struct slice text) { json_object_set_new(record, field, json_stringn(text.data, text.length)); }

/* ---- correct ---- */

/* Walks to what holds the last name of the path: lines.0.net. */
static json_t *path_walk(json_t *value, const struct codec_type **type, const char *path, const char **last) {
    char name[64];
    for (const char *dot; value && (dot = strchr(path, '.')); path = dot + 1) {
        snprintf(name, sizeof name, "%.*s", (int)(dot - path), path);
        if ((*type)->kind == CODEC_ARRAY) {
            value = json_array_get(value, strtoul(name, NULL, 10));
            *type = (*type)->element.type;
            continue;
        }
        const struct codec_field *field = record_field(*type, name);
        value = field ? json_object_get(value, name) : NULL;
        if (field) *type = field->slot.type;
    }
    *last = path;
    return value;
}

static bool field_change(json_t *event, const struct codec_type *type, const char *change, struct error *error) {
    const char *colon = strchr(change, ':'), *last;
    char path[128];
    if (!colon) return error_set(error, "set=PATH:VALUE, not %s", change);
    snprintf(path, sizeof path, "%.*s", (int)(colon - change), change);
    json_t *place = path_walk(event, &type, path, &last);
    return place && type->kind == CODEC_RECORD ? record_set(place, type, last, colon + 1, error) : error_set(error, "there is no %s", path);
}

/* The event of the exception with what the case changes in it. */
static bool corrected_build(struct run *run, const struct statement *statement, struct slice original, struct review_decision *decision, struct error *error) {
    uint32_t schema_id;
    struct slice payload;
    if (!codec_wire_read(original.data, original.length, &schema_id, &payload) || !schema_id || schema_id > broker_schema_count) return error_set(error, "the event has no schema");
    const struct codec_type *type = broker_schemas[schema_id - 1];
    void *event = arena_alloc(&run->arena, type->size);
    struct buffer text = {0};
    char id[64];
    if (codec_decode(run->broker.plans[schema_id - 1], payload.data, payload.length, &run->arena, event) != CODEC_OK) return error_set(error, "the event cannot be read");
    json_t *json = codec_to_json(type, event, &text) ? json_loadb(text.data, text.length, 0, NULL) : NULL;
    buffer_free(&text);
    snprintf(id, sizeof id, "%s-corrected", json_string_value(json_object_get(json, "event_id")));
    json_object_set_new(json, "event_id", json_string(id));
    bool ok = json != NULL;
    for (size_t i = 4; ok && i < statement_arrow(statement); i++)
        if (strncmp(statement->words[i], "set=", 4) == 0) ok = field_change(json, type, statement->words[i] + 4, error);
    ok = ok && record_encode(&run->arena, type, json, schema_id, &decision->value, error);
    if (ok) {
        const char *new_id = json_string_value(json_object_get(json, "event_id"));
        decision->corrected_event_id = (struct slice){arena_copy(&run->arena, new_id, strlen(new_id)), strlen(new_id)};
    }
    json_decref(json);
    return ok;
}

/* ---- the decision ---- */

static bool words_set(json_t *record, const struct statement *statement, struct error *error) {
    static const char *const record_words[] = {"at", "shown_at", "set", "raw", "key"};
    for (size_t i = 4; i < statement_arrow(statement); i++) {
        const char *word = statement->words[i], *equals = strchr(word, '=');
        char name[64];
        bool other = false;
        if (!equals) return error_set(error, "\"%s\" is not name=value", word);
        snprintf(name, sizeof name, "%.*s", (int)(equals - word), word);
        for (size_t k = 0; k < sizeof record_words / sizeof *record_words; k++) other |= strcmp(name, record_words[k]) == 0;
        if (!other && !record_set(record, &review_decision_type, strcmp(name, "id") == 0 ? "event_id" : name, equals + 1, error)) return false;
    }
    return true;
}

static json_t *record_begin(struct run *run, const struct statement *statement, const struct given *about, const struct exception_record *exception) {
    json_t *record = json_object();
    char id[32];
    snprintf(id, sizeof id, "e%zu", run->given_count + 1);
    json_object_set_new(record, "event_id", json_string(id));
    json_object_set_new(record, "source", json_string("console"));
    json_object_set_new(record, "action", json_string(statement->words[2]));
    json_object_set_new(record, "document", json_string(statement->words[3]));
    json_object_set_new(record, "user", json_string("bob"));
    json_object_set_new(record, "role", json_string("manager"));
    json_object_set_new(record, "reason", json_string("looked at it"));
    text_set(record, "entity", exception ? exception->entity : SLICE("ACME"));
    text_set(record, "partner", exception ? exception->partner : SLICE("S1"));
    text_set(record, "processor", exception ? exception->processor : SLICE("invoice"));
    text_set(record, "origin", exception ? exception->origin : slice_of(about ? about->origin : "invoice.events/0/999"));
    text_set(record, "shown", exception ? exception->shown : SLICE(""));
    if (exception) text_set(record, "document", exception->document);
    json_object_set_new(record, "item", json_integer(exception && !slice_equal(exception->outcome, SLICE("rejected")) ? exception->item : 0));
    return record;
}

/* Its time, and when the person saw it: just then, unless the case says otherwise. */
static bool times_set(struct run *run, const struct statement *statement, struct given *given, struct review_decision *decision, struct error *error) {
    const char *at = statement_value(statement, "at", NULL), *shown_at = statement_value(statement, "shown_at", NULL);
    run->clock_ms += 60000;
    if (at && !time_read(at, &run->clock_ms, error)) return false;
    given->time_ms = given->received_ms = decision->shown_at_ms = run->clock_ms;
    return !shown_at || time_read(shown_at, &decision->shown_at_ms, error);
}

bool review_build(struct run *run, const struct statement *statement, struct given *given, struct error *error) {
    const struct given *about = given_find(run, statement->words[3]);
    const struct exception_record *exception = exception_find(run, about);
    struct review_decision *decision = arena_alloc(&run->arena, sizeof *decision);
    struct buffer bytes = {0};
    char key[STATE_KEY_MAXIMUM];
    json_t *record = record_begin(run, statement, about, exception);
    json_object_set_new(record, "shown_at", json_string("2026-01-01T00:00:00Z"));   /* times_set says it */
    bool ok = words_set(record, statement, error) && codec_from_json(&review_decision_type, record, &run->arena, decision, error) && times_set(run, statement, given, decision, error);
    json_decref(record);
    if (ok && decision->action == REVIEW_ACTION_CORRECT) {
        if (!decision->topic.length && about) decision->topic = slice_of(about->topic);
        ok = exception ? corrected_build(run, statement, exception->value, decision, error) : error_set(error, "nothing of it is in a topic of exceptions");
        if (ok && statement_value(statement, "raw", NULL)) decision->value = slice_of(statement_value(statement, "raw", NULL));
    }
    if (ok && !(codec_wire_append(&bytes, broker_schema_id(&review_decision_type)) && codec_encode(&review_decision_type, decision, &bytes))) ok = error_set(error, "it cannot be encoded");
    if (!ok) { buffer_free(&bytes); return false; }
    given->value = (struct slice){arena_copy(&run->arena, bytes.data, bytes.length), bytes.length};
    buffer_free(&bytes);
    const struct slice parts[] = {decision->entity, decision->partner}, whole = tables_key(key, sizeof key, parts, 2);
    given->family = family_find("reviewer");
    given->topic = families[given->family].events->topic;
    given->id = arena_alloc(&run->arena, decision->event_id.length + 1);
    memcpy((char *)given->id, decision->event_id.data, decision->event_id.length);
    given->document = statement->words[3];
    const char *other_key = statement_value(statement, "key", NULL);
    given->key = other_key ? slice_of(other_key) : (struct slice){arena_copy(&run->arena, whole.data, whole.length), whole.length};
    given->partition = hash_partition(given->key, PARTITIONS);
    return true;
}

/* A word of a case has no quotes in it: nor has the difference then. */
static struct audit_entry unquoted(struct run *run, const struct audit_entry *entry) {
    struct audit_entry plain = *entry;
    char *text = arena_alloc(&run->arena, entry->difference.length + 1);
    plain.difference = (struct slice){text, 0};
    for (size_t i = 0; i < entry->difference.length; i++)
        if (entry->difference.data[i] != '"') text[plain.difference.length++] = entry->difference.data[i];
    return plain;
}

/* expect audit DOCUMENT|EVENT-ID [processor=] name=value ...: the newest entry of the topic audit about it, of the reviewer's unless another processor is named. */
void expect_audit(struct run *run, const struct statement *statement) {
    const struct slice about = slice_of(statement->words[2]), processor = slice_of(statement_value(statement, "processor", "reviewer"));
    for (size_t i = run->broker.count; i-- > 0;) {
        const struct audit_entry *entry = run->broker.items[i]->decoded;
        if (!stored_in(run->broker.items[i], "audit") || !slice_equal(entry->processor, processor)) continue;
        if (!slice_equal(entry->document, about) && !slice_equal(entry->event_id, about)) continue;
        const struct audit_entry plain = unquoted(run, entry);
        fields_expect(run, statement, 3, statement->count, &audit_entry_type, &plain);
        return;
    }
    run_fail(run, statement, "an entry on the topic audit", "there is none");
}
