/* registry_http: one call to the registry over HTTP, repeated until it is answered, its time is over or its attempts are used up. Private to registry.c. */
#ifndef KONTOR_CODEC_REGISTRY_HTTP_H
#define KONTOR_CODEC_REGISTRY_HTTP_H
#include <curl/curl.h>
#include <jansson.h>

#include "common/codec/registry.h"
#include "common/platform/buffer.h"

#define REGISTRY_ANSWER_MAXIMUM (4u << 20) /* bytes */

struct registry_http {
    CURL *curl;
    struct curl_slist *headers;
    char **urls;
    uint32_t url_count, current; /* current: the one that answered last */
    uint32_t timeout_ms, attempts, backoff_ms;
    bool distrust; /* the last request failed for a certificate */
    char problem[CURL_ERROR_SIZE];
    struct buffer answer;
};

bool registry_http_open(struct registry_http *http, const struct registry_options *options, struct error *error) MUST_CHECK;
void registry_http_close(struct registry_http *http);

/* method: "PUT" or the like; NULL: GET, or POST when there is a body. Of <url>/<path>. FOUND: *json is the answer's object, to be freed by json_decref. UNKNOWN: 404. The
 * deadline is a time of clock_monotonic_ms (platform/clock.h). */
enum registry_result registry_http_call(struct registry_http *http, const char *method, const char *path, const char *body, int64_t deadline_ms,
                                        json_t **json, struct error *error) MUST_CHECK;

/* Sleeps, but not beyond the deadline; false when that is over. */
bool registry_wait(uint32_t milliseconds, int64_t deadline_ms);
#endif
