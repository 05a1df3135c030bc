/* http: the operator's door: /metrics, /healthz (the process is alive), /readyz (it can do its work; 503 with the reasons when not).
 * GET and HEAD; any other path is 404, any other method 405. No authentication: it listens on 127.0.0.1 unless told otherwise. */
#ifndef KONTOR_PLATFORM_HTTP_H
#define KONTOR_PLATFORM_HTTP_H
#include <stdbool.h>

#include "common/platform/buffer.h"
#include "common/platform/error.h"
#include "common/platform/metrics.h"

#define HTTP_LISTEN_DEFAULT "127.0.0.1:9464"

struct http_server;

struct http_options {
    const char *listen;      /* HOST:PORT, [IPV6]:PORT; an empty host is 127.0.0.1, port 0 picks a free one */
    struct metrics *metrics;
    /* Called on the server's thread for /readyz. False: not ready, with the reasons appended, a line each. NULL: always ready. */
    bool (*ready)(void *context, struct buffer *reasons);
    void *context;
};

/* options are copied; metrics and context must outlive the server. */
MUST_CHECK struct http_server *http_start(const struct http_options *options, struct error *error);
/* The address it really listens on, for example 127.0.0.1:38117; lives as long as the server. */
const char *http_address(const struct http_server *server);
/* Waits for running requests. NULL is let be. */
void http_stop(struct http_server *server);
#endif
