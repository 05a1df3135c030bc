#include "common/runtime/health.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/runtime/failure.h"

enum { ANSWER_MAXIMUM = 16384, WAIT_MS = 3000, URL_SIZE = 512 };

static size_t take_answer(char *bytes, size_t size, size_t count, void *user) {
    struct buffer *answer = user;
    size_t length = size * count, left = answer->length < ANSWER_MAXIMUM ? ANSWER_MAXIMUM - answer->length : 0;
    return buffer_append(answer, bytes, length < left ? length : left) ? length : 0;
}

/* Where a server that listens on any address, or on none that is named, can be asked. */
static void url_of(const char *listen, char url[URL_SIZE]) {
    const char *colon = strrchr(listen, ':');
    size_t length = colon ? (size_t)(colon - listen) : 0;
    if (!colon) snprintf(url, URL_SIZE, "http://%s/readyz", listen);
    else if (length == 0 || (length == 7 && strncmp(listen, "0.0.0.0", 7) == 0)) snprintf(url, URL_SIZE, "http://127.0.0.1%s/readyz", colon);
    else if (length == 4 && strncmp(listen, "[::]", 4) == 0) snprintf(url, URL_SIZE, "http://[::1]%s/readyz", colon);
    else snprintf(url, URL_SIZE, "http://%s/readyz", listen);
}

/* Every line says that master data is missing. */
static bool lacks_master_data_only(struct slice lines) {
    const char *at = lines.data, *end = lines.data + lines.length;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *line_end = newline ? newline : end;
        if ((size_t)(line_end - at) < strlen(HEALTH_MASTER_DATA) || strncmp(at, HEALTH_MASTER_DATA, strlen(HEALTH_MASTER_DATA)) != 0) return false;
        at = newline ? newline + 1 : end;
    }
    return lines.length > 0;
}

static bool fail(struct buffer *answer, const char *url, const char *why) {
    char line[URL_SIZE + CURL_ERROR_SIZE + 32];
    int length = snprintf(line, sizeof line, "%s does not answer: %s\n", url, why);
    buffer_reset(answer);
    (void)!buffer_append(answer, line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1); /* only the text would be missing */
    return false;
}

bool health_ask(const char *listen, struct buffer *answer) {
    char url[URL_SIZE], problem[CURL_ERROR_SIZE] = "";
    url_of(listen, url);
    CURL *curl = curl_easy_init();
    if (!curl) return fail(answer, url, "out of memory");
    long status = 0;
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, problem);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)WAIT_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* it runs beside */
    CURLcode code = curl_easy_setopt(curl, CURLOPT_URL, url);
    if (code == CURLE_OK) code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK) return fail(answer, url, problem[0] ? problem : curl_easy_strerror(code));
    return status == 200 || (status == 503 && lacks_master_data_only(buffer_slice(answer)));
}

int health_check(const struct config_key *keys, size_t count, const char *config_path) {
    struct error error;
    struct config_key *optional = calloc(count, sizeof *optional);
    struct config *config = NULL;
    if (optional) {
        memcpy(optional, keys, count * sizeof *keys);
        for (size_t i = 0; i < count; i++)
            if (!optional[i].fallback) optional[i].fallback = "";
        config = config_load(optional, count, config_path, &error);
    } else {
        error_set(&error, "out of memory");
    }
    struct buffer answer = {0};
    bool healthy = config && health_ask(config_text(config, "metrics.listen"), &answer);
    if (config) fwrite(answer.data, 1, answer.length, stdout);
    else fprintf(stderr, "%s\n", error.text);
    buffer_free(&answer);
    config_free(config);
    free(optional);
    return healthy ? EXIT_STOPPED : EXIT_CONFIGURATION;
}
