#include "common/codec/registry_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/codec/registry_tls.h"
#include "common/platform/clock.h"

bool registry_wait(uint32_t milliseconds, int64_t deadline_ms) {
    int64_t now = clock_monotonic_ms();
    if (now >= deadline_ms) return false;
    int64_t wait = (int64_t)milliseconds < deadline_ms - now ? (int64_t)milliseconds : deadline_ms - now;
    struct timespec time = {.tv_sec = (time_t)(wait / 1000), .tv_nsec = (long)(wait % 1000) * 1000000};
    nanosleep(&time, NULL);
    return clock_monotonic_ms() < deadline_ms;
}

static size_t take_answer(char *bytes, size_t size, size_t count, void *user) {
    struct buffer *answer = user;
    size_t length = size * count;
    if (length > REGISTRY_ANSWER_MAXIMUM - answer->length) return 0; /* curl ends the transfer */
    return buffer_append(answer, bytes, length) ? length : 0;
}

static bool split_urls(struct registry_http *http, const char *text, struct error *error) {
    http->urls = calloc(strlen(text) + 1, sizeof *http->urls);
    if (!http->urls) return error_set(error, "out of memory");
    for (const char *at = text; *at;) {
        at += strspn(at, ", ");
        size_t length = strcspn(at, ", ");
        const char *start = at;
        at += length;
        while (length && start[length - 1] == '/') length--;
        if (length == 0) continue;
        if (memchr(start, '@', length)) return error_set(error, "registry: user and password have settings of their own, they do not belong in the URL");
        if (strncmp(start, "http://", 7) != 0 && strncmp(start, "https://", 8) != 0)
            return error_set(error, "registry: %.*s does not start with http:// or https://", (int)length, start);
        http->urls[http->url_count] = strndup(start, length);
        if (!http->urls[http->url_count]) return error_set(error, "out of memory");
        http->url_count++;
    }
    return http->url_count > 0 || error_set(error, "registry: no URL is given");
}

static bool set_texts(struct registry_http *http, const struct registry_options *options) {
    const struct { CURLoption option; const char *value; } texts[] = {
        {CURLOPT_USERNAME, options->user}, {CURLOPT_PASSWORD, options->password}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].value && curl_easy_setopt(http->curl, texts[i].option, texts[i].value) != CURLE_OK) return false;
    return true;
}

bool registry_http_open(struct registry_http *http, const struct registry_options *options, struct error *error) {
    *http = (struct registry_http){
        .timeout_ms = options->timeout_ms ? options->timeout_ms : 10000,
        .attempts = options->attempts ? options->attempts : 4,
        .backoff_ms = options->backoff_ms ? options->backoff_ms : 100};
    if (!split_urls(http, options->urls ? options->urls : "", error)) return false;
    http->curl = curl_easy_init();
    http->headers = curl_slist_append(NULL, "Content-Type: application/vnd.schemaregistry.v1+json");
    struct curl_slist *second = http->headers
        ? curl_slist_append(http->headers, "Accept: application/vnd.schemaregistry.v1+json, application/json") : NULL;
    if (!http->curl || !second || !set_texts(http, options)) return error_set(error, "registry: the HTTP client cannot be made: out of memory");
    if (!registry_tls_open(http->curl, options, error)) return false;
    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, http->headers);
    curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, http->problem);
    curl_easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(http->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(options->connect_timeout_ms ? options->connect_timeout_ms : 2000));
    curl_easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, &http->answer);
    curl_easy_setopt(http->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    curl_easy_setopt(http->curl, CURLOPT_PROXY, ""); /* a registry is a neighbour: no proxy out of the environment */
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(http->curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(http->curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    return true;
}

void registry_http_close(struct registry_http *http) {
    curl_easy_cleanup(http->curl);
    curl_slist_free_all(http->headers);
    for (uint32_t i = 0; i < http->url_count; i++) free(http->urls[i]);
    free(http->urls);
    buffer_free(&http->answer);
    *http = (struct registry_http){0};
}

/* The registry's own words: {"error_code": 409, "message": "..."}. */
static enum registry_result refused(const char *url, long status, const json_t *json, struct error *error) {
    const char *message = json_string_value(json_object_get(json, "message"));
    error_set(error, "registry %s answered %ld: %.300s", url, status, message ? message : "(no message)");
    if (status == 404) return REGISTRY_UNKNOWN;
    return status >= 500 || status == 408 || status == 429 || status < 400 ? REGISTRY_UNREACHABLE : REGISTRY_REFUSED;
}

static enum registry_result request_once(struct registry_http *http, const char *method, const char *path, const char *body, int64_t left_ms,
                                         json_t **json, struct error *error) {
    const char *base = http->urls[http->current];
    char url[1024];
    if ((size_t)snprintf(url, sizeof url, "%s/%s", base, path) >= sizeof url) {
        error_set(error, "registry %s: the URL is too long", base);
        return REGISTRY_REFUSED;
    }
    buffer_reset(&http->answer);
    curl_easy_setopt(http->curl, CURLOPT_URL, url);
    curl_easy_setopt(http->curl, CURLOPT_TIMEOUT_MS, (long)left_ms);
    if (body) {
        curl_easy_setopt(http->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
        curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS, body);
    } else curl_easy_setopt(http->curl, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(http->curl, CURLOPT_CUSTOMREQUEST, method); /* NULL: as the lines above say */
    http->problem[0] = 0;
    CURLcode code = curl_easy_perform(http->curl);
    const char *problem = http->problem[0] ? http->problem : curl_easy_strerror(code);
    http->distrust = code != CURLE_OK && registry_tls_refused(code, problem, base, error);
    if (http->distrust) return REGISTRY_REFUSED;
    if (code != CURLE_OK) {
        error_set(error, "registry %s does not answer: %s", base, problem);
        return REGISTRY_UNREACHABLE;
    }
    long status = 0;
    curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
    json_t *answer = json_loadb(http->answer.length ? http->answer.data : "", http->answer.length, JSON_ALLOW_NUL, NULL);
    enum registry_result result = REGISTRY_FOUND;
    if (status < 200 || status > 299) result = refused(base, status, answer, error);
    else if (!json_is_object(answer)) {
        error_set(error, "registry %s answered %ld, but not with a JSON object: is this a registry?", base, status);
        result = REGISTRY_UNREACHABLE;
    }
    /* A 404 without the registry's own error code comes from something in front of it. */
    if (result == REGISTRY_UNKNOWN && !json_is_integer(json_object_get(answer, "error_code"))) {
        error_set(error, "registry %s answered 404 without an error_code: is the base URL right?", base);
        result = REGISTRY_UNREACHABLE;
    }
    if (result == REGISTRY_FOUND) *json = answer;
    else json_decref(answer);
    return result;
}

enum registry_result registry_http_call(struct registry_http *http, const char *method, const char *path, const char *body, int64_t deadline_ms,
                                        json_t **json, struct error *error) {
    uint32_t backoff_ms = http->backoff_ms;
    for (uint32_t attempt = 1;; attempt++) {
        int64_t now = clock_monotonic_ms();
        if (now >= deadline_ms) {
            error_set(error, "registry %s does not answer in time", http->urls[http->current]);
            return REGISTRY_UNREACHABLE;
        }
        /* With several registries a silent one must leave time for the next. */
        int64_t left = deadline_ms - now;
        if (http->url_count > 1 && attempt < http->attempts && left > 2) left /= 2;
        enum registry_result result = request_once(http, method, path, body, left, json, error);
        /* One of several registries whose certificate has expired is like one that is down: ask the next. */
        if (result != REGISTRY_UNREACHABLE && !(http->distrust && http->url_count > 1)) return result;
        http->current = (http->current + 1) % http->url_count;
        if (attempt >= http->attempts || !registry_wait(backoff_ms, deadline_ms)) return result;
        backoff_ms = backoff_ms > 5000 ? 10000 : backoff_ms * 2;
    }
}
