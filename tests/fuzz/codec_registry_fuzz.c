/* Any bytes as a registry's answer: the first byte chooses the status and the call, the rest is the body that a server in this process sends. */
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/registry.h"

static const uint8_t *body;
static size_t body_length;
static unsigned status;
static char url[64];

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum MHD_Result answer(void *user, struct MHD_Connection *connection, const char *path, const char *method, const char *version,
                              const char *upload, size_t *upload_size, void **state) {
    (void)user; (void)path; (void)method; (void)version; (void)upload;
    if (!*state) { *state = &status; return MHD_YES; }
    if (*upload_size) { *upload_size = 0; return MHD_YES; }
    struct MHD_Response *response = MHD_create_response_from_buffer(body_length, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    (void)count; (void)arguments;
    struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, answer, NULL, MHD_OPTION_END);
    if (!daemon) abort();
    snprintf(url, sizeof url, "http://127.0.0.1:%d", (int)MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const unsigned statuses[] = {200, 404, 500, 409};
    static struct registry *registry;
    static unsigned used;
    struct error error;
    if (size == 0) return 0;
    status = statuses[data[0] & 3];
    body = data + 1;
    body_length = size - 1;
    if (used++ % 200 == 0) { /* what was found is kept: now and then from new */
        registry_free(registry);
        registry = registry_new(&(struct registry_options){.urls = url, .attempts = 1, .timeout_ms = 1000, .unknown_after_ms = 1, .backoff_ms = 1}, &error);
        if (!registry) abort();
    }
    struct slice text = {NULL, 0};
    uint32_t id = 0;
    bool compatible = false;
    enum registry_result result = REGISTRY_UNKNOWN;
    switch (data[0] >> 2 & 3) {
    case 0: result = registry_schema_by_id(registry, used, &text, &error); break;
    case 1: result = registry_verify(registry, 1, &error); break;
    case 2: result = registry_register(registry, "subject", "\"int\"", &id, &error); break;
    case 3: result = registry_check_compatible(registry, "subject", "\"int\"", &compatible, &error); break;
    }
    if (status == 500 && result == REGISTRY_FOUND) abort();
    if (text.length && strlen(text.data) > text.length) abort();
    return 0;
}
