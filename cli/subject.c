#include "cli/subject.h"

#include <stdio.h>
#include <string.h>

#include "common/codec/registry_http.h"
#include "common/platform/clock.h"

enum { CALL_MS = 10000 };

const char *subject_of(const char *topic, char subject[SUBJECT_SIZE]) {
    snprintf(subject, SUBJECT_SIZE, "%s-value", topic);
    return subject;
}

/* One call; method NULL: GET. */
static enum registry_result call(const struct connection *connection, const char *path, const char *method, const char *body, json_t **answer,
                                 struct error *error) {
    const struct registry_options options = connection_registry_options(connection);
    struct registry_http http;
    enum registry_result result = REGISTRY_UNREACHABLE;
    if (registry_http_open(&http, &options, error)) {
        if (method) curl_easy_setopt(http.curl, CURLOPT_CUSTOMREQUEST, method);
        result = registry_http_call(&http, path, body, clock_monotonic_ms() + CALL_MS, answer, error);
    }
    registry_http_close(&http);
    return result;
}

enum registry_result subject_latest(const struct connection *connection, const char *subject, uint32_t *id, struct buffer *schema, struct error *error) {
    char path[SUBJECT_SIZE + 64];
    json_t *answer = NULL;
    snprintf(path, sizeof path, "subjects/%s/versions/latest", subject);
    enum registry_result result = call(connection, path, NULL, NULL, &answer, error);
    if (result != REGISTRY_FOUND) return result;
    const json_t *text = json_object_get(answer, "schema"), *number = json_object_get(answer, "id");
    buffer_reset(schema);
    if (!json_is_string(text) || !json_is_integer(number) || !buffer_append(schema, json_string_value(text), json_string_length(text) + 1)) {
        error_set(error, "the registry's answer about %s has no schema and id: is registry.url a schema registry?", subject);
        result = REGISTRY_UNREACHABLE;
    } else {
        *id = (uint32_t)json_integer_value(number);
    }
    json_decref(answer);
    return result;
}

enum registry_result subject_set_compatibility(const struct connection *connection, const char *subject, const char *level, struct error *error) {
    char path[SUBJECT_SIZE + 64], body[64];
    json_t *answer = NULL;
    snprintf(path, sizeof path, "config/%s", subject);
    snprintf(body, sizeof body, "{\"compatibility\": \"%s\"}", level);
    enum registry_result result = call(connection, path, "PUT", body, &answer, error);
    json_decref(answer);
    return result;
}
