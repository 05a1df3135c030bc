#include "common/codec/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/registry_files.h"
#include "common/codec/registry_http.h"
#include "common/platform/clock.h"

#define SCHEMAS_MAXIMUM 100000
#define MISSING_MAXIMUM 64

struct known_schema { uint32_t id; char *text; size_t length; };
struct known_id { uint32_t id; char *subject, *schema; };

/* An id that the registry said it has not: since when, and when it was asked last. */
struct missing { uint32_t id; int64_t first_ms, last_ms; };

struct registry {
    struct registry_http http;
    char *directory;
    int64_t unknown_after_ms;
    struct known_schema *schemas; /* in no order: look-ups are once per id and process, reader.c remembers the plans */
    uint32_t schema_count, schema_capacity;
    struct known_id *ids;
    uint32_t id_count, id_capacity;
    struct missing missing[MISSING_MAXIMUM];
    uint32_t missing_count;
};

/* ---- life ---- */

struct registry *registry_new(const struct registry_options *options, struct error *error) {
    struct registry *registry = calloc(1, sizeof *registry);
    if (!registry) {
        error_set(error, "out of memory");
        return NULL;
    }
    registry->unknown_after_ms = options->unknown_after_ms ? options->unknown_after_ms : 3000;
    bool ok = registry_http_open(&registry->http, options, error);
    if (ok && options->directory) {
        registry->directory = strdup(options->directory);
        ok = registry->directory ? registry_files_open(registry->directory, error) : error_set(error, "out of memory");
    }
    if (ok) return registry;
    registry_free(registry);
    return NULL;
}

void registry_free(struct registry *registry) {
    if (!registry) return;
    registry_http_close(&registry->http);
    for (uint32_t i = 0; i < registry->schema_count; i++) free(registry->schemas[i].text);
    for (uint32_t i = 0; i < registry->id_count; i++) {
        free(registry->ids[i].subject);
        free(registry->ids[i].schema);
    }
    free(registry->schemas);
    free(registry->ids);
    free(registry->directory);
    free(registry);
}

/* ---- what is known ---- */

static const struct known_schema *find_schema(const struct registry *registry, uint32_t id) {
    for (uint32_t i = 0; i < registry->schema_count; i++)
        if (registry->schemas[i].id == id) return &registry->schemas[i];
    return NULL;
}

static bool remember_schema(struct registry *registry, uint32_t id, struct slice text, struct error *error) {
    if (registry->schema_count == SCHEMAS_MAXIMUM) return error_set(error, "registry: more than %d schemas are in use", SCHEMAS_MAXIMUM);
    if (registry->schema_count == registry->schema_capacity) {
        uint32_t capacity = registry->schema_capacity ? registry->schema_capacity * 2 : 32;
        struct known_schema *schemas = realloc(registry->schemas, capacity * sizeof *schemas);
        if (!schemas) return error_set(error, "out of memory");
        registry->schemas = schemas;
        registry->schema_capacity = capacity;
    }
    char *copy = malloc(text.length + 1);
    if (!copy) return error_set(error, "out of memory");
    memcpy(copy, text.data, text.length);
    copy[text.length] = 0;
    registry->schemas[registry->schema_count++] = (struct known_schema){id, copy, text.length};
    return true;
}

static bool remember_id(struct registry *registry, const char *subject, const char *schema, uint32_t id) {
    if (registry->id_count == registry->id_capacity) {
        uint32_t capacity = registry->id_capacity ? registry->id_capacity * 2 : 32;
        struct known_id *ids = realloc(registry->ids, capacity * sizeof *ids);
        if (!ids) return false;
        registry->ids = ids;
        registry->id_capacity = capacity;
    }
    struct known_id known = {id, strdup(subject), strdup(schema)};
    if (!known.subject || !known.schema) {
        free(known.subject);
        free(known.schema);
        return false;
    }
    registry->ids[registry->id_count++] = known;
    return true;
}

/* The same schema, whatever the spaces: registries format as they like. */
static bool same_schema(struct slice a, struct slice b) {
    if (slice_equal(a, b)) return true;
    json_t *left = json_loadb(a.data, a.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    json_t *right = json_loadb(b.data, b.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool same = left && right && json_equal(left, right);
    json_decref(left);
    json_decref(right);
    return same;
}

static bool is_json(struct slice text) {
    json_t *json = json_loadb(text.data, text.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    json_decref(json);
    return json != NULL;
}

/* From memory, else from the directory into memory. A file that is no JSON (damaged) is asked for again. */
static const struct known_schema *known(struct registry *registry, uint32_t id) {
    const struct known_schema *schema = find_schema(registry, id);
    if (schema || !registry->directory) return schema;
    struct buffer text = {0};
    if (registry_files_read_schema(registry->directory, id, &text) && is_json(buffer_slice(&text)) &&
        remember_schema(registry, id, buffer_slice(&text), NULL))
        schema = find_schema(registry, id);
    buffer_free(&text);
    return schema;
}

static enum registry_result changed(uint32_t id, const struct registry *registry, struct error *error) {
    error_set(error, "registry: id %" PRIu32 " now means another schema than the one kept in %s; records would be read wrongly. The registry has lost "
              "its memory, or is another one: restore it, or use another directory for it", id, registry->directory ? registry->directory : "memory");
    return REGISTRY_CHANGED;
}

/* Keeps a schema that the registry gave, or finds that it contradicts what is kept. */
static enum registry_result keep(struct registry *registry, uint32_t id, struct slice text, struct error *error) {
    const struct known_schema *before = known(registry, id);
    if (before) return same_schema((struct slice){before->text, before->length}, text) ? REGISTRY_FOUND : changed(id, registry, error);
    if (registry->directory && !registry_files_write_schema(registry->directory, id, text, error)) return REGISTRY_UNREACHABLE;
    return remember_schema(registry, id, text, error) ? REGISTRY_FOUND : REGISTRY_UNREACHABLE;
}

/* ---- schema by id ---- */

static struct missing *find_missing(struct registry *registry, uint32_t id) {
    for (uint32_t i = 0; i < registry->missing_count; i++)
        if (registry->missing[i].id == id) return &registry->missing[i];
    return NULL;
}

static struct missing *note_missing(struct registry *registry, uint32_t id, int64_t now) {
    struct missing *missing = find_missing(registry, id);
    /* An answer of long ago says nothing about the time between. */
    if (missing && now - missing->last_ms > 2 * registry->unknown_after_ms + 60000) missing->first_ms = now;
    if (!missing) {
        missing = &registry->missing[0];
        if (registry->missing_count < MISSING_MAXIMUM) missing = &registry->missing[registry->missing_count++];
        else
            for (uint32_t i = 1; i < MISSING_MAXIMUM; i++)
                if (registry->missing[i].last_ms < missing->last_ms) missing = &registry->missing[i];
        *missing = (struct missing){id, now, now};
    }
    missing->last_ms = now;
    return missing;
}

static void forget_missing(struct registry *registry, uint32_t id) {
    struct missing *missing = find_missing(registry, id);
    if (missing) *missing = registry->missing[--registry->missing_count];
}

/* The schema's text out of {"schema": "...", "schemaType": "AVRO"}. */
static enum registry_result schema_text(const json_t *answer, uint32_t id, struct slice *text, struct error *error) {
    const json_t *schema = json_object_get(answer, "schema");
    const char *type = json_string_value(json_object_get(answer, "schemaType"));
    if (!json_is_string(schema)) {
        error_set(error, "registry: the answer for id %" PRIu32 " has no schema in it", id);
        return REGISTRY_UNREACHABLE;
    }
    if ((type && strcmp(type, "AVRO") != 0) || json_array_size(json_object_get(answer, "references")) > 0) {
        error_set(error, "registry: id %" PRIu32 " is %s; only Avro without references can be read", id,
                  type && strcmp(type, "AVRO") != 0 ? type : "a schema with references");
        return REGISTRY_NOT_AVRO;
    }
    *text = (struct slice){json_string_value(schema), json_string_length(schema)};
    if (is_json(*text)) return REGISTRY_FOUND;
    error_set(error, "registry: the schema of id %" PRIu32 " is not JSON", id);
    return REGISTRY_UNREACHABLE;
}

static enum registry_result ask_for_id(struct registry *registry, uint32_t id, int64_t deadline_ms, struct error *error) {
    char path[64];
    snprintf(path, sizeof path, "schemas/ids/%" PRIu32, id);
    json_t *answer = NULL;
    enum registry_result result = registry_http_call(&registry->http, NULL, path, NULL, deadline_ms, &answer, error);
    if (result != REGISTRY_FOUND) return result;
    struct slice text;
    result = schema_text(answer, id, &text, error);
    if (result == REGISTRY_FOUND) result = keep(registry, id, text, error);
    json_decref(answer);
    return result;
}

/* 404 is asked again until it has been the answer for long enough. */
static enum registry_result fetch(struct registry *registry, uint32_t id, int64_t deadline_ms, struct error *error) {
    uint32_t backoff_ms = registry->http.backoff_ms;
    for (;;) {
        enum registry_result result = ask_for_id(registry, id, deadline_ms, error);
        if (result == REGISTRY_FOUND) forget_missing(registry, id);
        if (result != REGISTRY_UNKNOWN) return result;
        const struct missing *missing = note_missing(registry, id, clock_monotonic_ms());
        int64_t left_ms = registry->unknown_after_ms - (missing->last_ms - missing->first_ms);
        if (left_ms <= 0) return REGISTRY_UNKNOWN;
        if (!registry_wait(left_ms < (int64_t)backoff_ms ? (uint32_t)left_ms : backoff_ms, deadline_ms)) {
            error_set(error, "registry: id %" PRIu32 " is not there, but not for %" PRId64 " ms yet", id, registry->unknown_after_ms);
            return REGISTRY_UNREACHABLE;
        }
        if (backoff_ms < 2000) backoff_ms *= 2;
    }
}

enum registry_result registry_schema_by_id(struct registry *registry, uint32_t id, struct slice *text, struct error *error) {
    if (id > INT32_MAX) {
        error_set(error, "registry: id %" PRIu32 " is none that a registry gives", id);
        return REGISTRY_UNKNOWN;
    }
    const struct known_schema *schema = known(registry, id);
    if (!schema) {
        const int64_t now = clock_monotonic_ms();
        const struct missing *missing = find_missing(registry, id);
        if (missing && missing->last_ms - missing->first_ms >= registry->unknown_after_ms && now - missing->last_ms < registry->unknown_after_ms) {
            error_set(error, "registry: id %" PRIu32 " is not there (asked %" PRId64 " ms ago)", id, now - missing->last_ms);
            return REGISTRY_UNKNOWN;
        }
        enum registry_result result = fetch(registry, id, now + registry->http.timeout_ms, error);
        if (result != REGISTRY_FOUND) return result;
        schema = find_schema(registry, id);
    }
    *text = (struct slice){schema->text, schema->length};
    return REGISTRY_FOUND;
}

enum registry_result registry_verify(struct registry *registry, uint32_t id, struct error *error) {
    return ask_for_id(registry, id, clock_monotonic_ms() + registry->http.timeout_ms, error);
}

enum registry_result registry_ask(struct registry *registry, uint32_t id, char **text, struct error *error) {
    char path[64];
    json_t *answer = NULL;
    struct slice given;
    snprintf(path, sizeof path, "schemas/ids/%" PRIu32, id);
    enum registry_result result = registry_http_call(&registry->http, NULL, path, NULL, clock_monotonic_ms() + registry->http.timeout_ms, &answer, error);
    if (result == REGISTRY_FOUND) result = schema_text(answer, id, &given, error);
    if (result == REGISTRY_FOUND && !(*text = strndup(given.data, given.length))) {
        error_set(error, "out of memory");
        result = REGISTRY_UNREACHABLE;
    }
    json_decref(answer);
    return result;
}

void registry_forget(struct registry *registry, uint32_t id) {
    struct error ignored; /* the file stays then, and is found to contradict the registry when that is right again */
    for (uint32_t i = 0; i < registry->schema_count; i++)
        if (registry->schemas[i].id == id) registry->schemas[i].id = UINT32_MAX; /* no registry gives that */
    if (registry->directory && !registry_files_write_schema(registry->directory, id, (struct slice){"", 0}, &ignored)) return; /* no JSON: asked for again */
}

/* ---- subjects ---- */

/* Asks <before><subject><after>. */
static enum registry_result ask_about(struct registry *registry, const char *method, const char *before, const char *subject, const char *after,
                                      const char *body, json_t **answer, struct error *error) {
    char *escaped = curl_easy_escape(registry->http.curl, subject, 0);
    char path[900];
    enum registry_result result = REGISTRY_REFUSED;
    if (!escaped) error_set(error, "out of memory");
    else if ((size_t)snprintf(path, sizeof path, "%s%s%s", before, escaped, after) >= sizeof path)
        error_set(error, "registry: the subject %.100s is too long", subject);
    else result = registry_http_call(&registry->http, method, path, body, clock_monotonic_ms() + registry->http.timeout_ms, answer, error);
    curl_free(escaped);
    if (result != REGISTRY_FOUND) error_prefix(error, "subject %.100s", subject);
    return result;
}

/* {"<name>": "<text>"} by the method to <before><subject><after>. */
static enum registry_result send_text(struct registry *registry, const char *method, const char *before, const char *subject, const char *after,
                                      const char *name, const char *text, json_t **answer, struct error *error) {
    json_t *request = json_pack("{s:s}", name, text);
    char *body = request ? json_dumps(request, JSON_COMPACT) : NULL;
    enum registry_result result = REGISTRY_REFUSED;
    if (body) result = ask_about(registry, method, before, subject, after, body, answer, error);
    else error_set(error, "registry: the %s of %.100s is not UTF-8, or memory is out", name, subject);
    free(body);
    json_decref(request);
    return result;
}

/* POST {"schema": "..."} to <before><subject><after>. */
static enum registry_result post_schema(struct registry *registry, const char *before, const char *subject, const char *after, const char *schema,
                                        json_t **answer, struct error *error) {
    return send_text(registry, NULL, before, subject, after, "schema", schema, answer, error);
}

static bool id_of(const json_t *answer, const char *subject, uint32_t *id, struct error *error) {
    const json_t *number = json_object_get(answer, "id");
    if (!json_is_integer(number) || json_integer_value(number) < 0 || json_integer_value(number) > UINT32_MAX)
        return error_set(error, "registry: the answer for subject %.100s has no id in it", subject);
    *id = (uint32_t)json_integer_value(number);
    return true;
}

/* The id of {"id": 7}, kept for the next start. */
static enum registry_result take_id(struct registry *registry, const json_t *answer, const char *subject, const char *schema, uint32_t *id,
                                    struct error *error) {
    if (!id_of(answer, subject, id, error)) return REGISTRY_UNREACHABLE;
    /* Our text may differ from the registered one in spaces and doc; that it is kept under the id is for schema_by_id to find out. */
    if (registry->directory && !registry_files_write_id(registry->directory, subject, schema, *id, error)) return REGISTRY_UNREACHABLE;
    if (remember_id(registry, subject, schema, *id)) return REGISTRY_FOUND;
    error_set(error, "out of memory");
    return REGISTRY_UNREACHABLE;
}

static enum registry_result ask_for_subject(struct registry *registry, const char *after, const char *subject, const char *schema, uint32_t *id,
                                            struct error *error) {
    json_t *answer = NULL;
    enum registry_result result = post_schema(registry, "subjects/", subject, after, schema, &answer, error);
    if (result == REGISTRY_FOUND) result = take_id(registry, answer, subject, schema, id, error);
    json_decref(answer);
    return result;
}

enum registry_result registry_register(struct registry *registry, const char *subject, const char *schema, uint32_t *id, struct error *error) {
    return ask_for_subject(registry, "/versions", subject, schema, id, error);
}

enum registry_result registry_lookup_id(struct registry *registry, const char *subject, const char *schema, uint32_t *id, struct error *error) {
    for (uint32_t i = 0; i < registry->id_count; i++)
        if (strcmp(registry->ids[i].subject, subject) == 0 && strcmp(registry->ids[i].schema, schema) == 0) {
            *id = registry->ids[i].id;
            return REGISTRY_FOUND;
        }
    if (registry->directory && registry_files_read_id(registry->directory, subject, schema, id) && remember_id(registry, subject, schema, *id))
        return REGISTRY_FOUND;
    return ask_for_subject(registry, "", subject, schema, id, error);
}

enum registry_result registry_confirm(struct registry *registry, const char *subject, const char *schema, uint32_t id, struct error *error) {
    json_t *answer = NULL;
    enum registry_result result = post_schema(registry, "subjects/", subject, "", schema, &answer, error);
    const json_t *number = json_object_get(answer, "id");
    if (result == REGISTRY_FOUND && !json_is_integer(number)) {
        error_set(error, "registry: the answer for subject %.100s has no id in it", subject);
        result = REGISTRY_UNREACHABLE;
    } else if (result == REGISTRY_FOUND && json_integer_value(number) != id) {
        error_set(error, "subject %.100s: the registry has its schema under id %" JSON_INTEGER_FORMAT ", not %" PRIu32, subject, json_integer_value(number), id);
        result = REGISTRY_UNKNOWN;
    }
    json_decref(answer);
    return result;
}

enum registry_result registry_check_compatible(struct registry *registry, const char *subject, const char *schema, bool *compatible,
                                               struct error *error) {
    json_t *answer = NULL;
    enum registry_result result = post_schema(registry, "compatibility/subjects/", subject, "/versions/latest?verbose=true", schema, &answer, error);
    if (result == REGISTRY_UNKNOWN) { /* nothing to be compatible with */
        *compatible = true;
        return REGISTRY_FOUND;
    }
    if (result != REGISTRY_FOUND) return result;
    const json_t *verdict = json_object_get(answer, "is_compatible");
    if (!json_is_boolean(verdict)) {
        error_set(error, "registry: the answer for subject %.100s has no is_compatible in it", subject);
        result = REGISTRY_UNREACHABLE;
    } else if (!(*compatible = json_is_true(verdict))) {
        char *messages = json_dumps(json_object_get(answer, "messages"), JSON_COMPACT | JSON_ENCODE_ANY);
        error_set(error, "subject %.100s: not compatible with the latest version: %.380s", subject, messages ? messages : "no reason is given");
        free(messages);
    }
    json_decref(answer);
    return result;
}

enum registry_result registry_latest(struct registry *registry, const char *subject, uint32_t *id, struct slice *text, struct error *error) {
    json_t *answer = NULL;
    enum registry_result result = ask_about(registry, NULL, "subjects/", subject, "/versions/latest", NULL, &answer, error);
    struct slice latest;
    if (result == REGISTRY_FOUND && !id_of(answer, subject, id, error)) result = REGISTRY_UNREACHABLE;
    if (result == REGISTRY_FOUND) result = schema_text(answer, *id, &latest, error);
    if (result == REGISTRY_FOUND) result = keep(registry, *id, latest, error);
    json_decref(answer);
    if (result != REGISTRY_FOUND) return result;
    const struct known_schema *schema = find_schema(registry, *id);
    *text = (struct slice){schema->text, schema->length};
    return REGISTRY_FOUND;
}

enum registry_result registry_set_compatibility(struct registry *registry, const char *subject, const char *level, struct error *error) {
    json_t *answer = NULL;
    enum registry_result result = send_text(registry, "PUT", "config/", subject, "", "compatibility", level, &answer, error);
    json_decref(answer);
    return result;
}
