#include "common/platform/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAXIMUM = 64, IDLE_SECONDS = 10 };

struct http_server {
    struct http_options options;
    struct MHD_Daemon *daemon;
    char address[NI_MAXHOST + NI_MAXSERV + 4];
};

/* ---- requests ---- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type, struct slice body, const char *allow) {
    struct MHD_Response *response = MHD_create_response_from_buffer(body.length, (void *)(uintptr_t)(body.length ? body.data : ""),
                                                                    MHD_RESPMEM_MUST_COPY);
    if (!response) return MHD_NO;
    enum MHD_Result result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (result == MHD_YES) result = MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (result == MHD_YES && allow) result = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
    if (result == MHD_YES) result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status, const char *text) {
    return answer(connection, status, "text/plain; charset=utf-8", slice_of(text), NULL);
}

static enum MHD_Result answer_metrics(struct http_server *server, struct MHD_Connection *connection) {
    struct buffer text = {0};
    enum MHD_Result result = metrics_render(server->options.metrics, &text)
                                 ? answer(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", buffer_slice(&text), NULL)
                                 : answer_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
    buffer_free(&text);
    return result;
}

static enum MHD_Result answer_ready(struct http_server *server, struct MHD_Connection *connection) {
    struct buffer reasons = {0};
    bool ready = !server->options.ready || server->options.ready(server->options.context, &reasons);
    enum MHD_Result result = ready ? answer_text(connection, MHD_HTTP_OK, "ready\n")
                                   : answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain; charset=utf-8",
                                            reasons.length ? buffer_slice(&reasons) : SLICE("not ready\n"), NULL);
    buffer_free(&reasons);
    return result;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path, const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **request) {
    (void)version, (void)upload, (void)upload_size, (void)request;
    struct http_server *server = context;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", SLICE("only GET and HEAD\n"), "GET, HEAD");
    if (strcmp(path, "/metrics") == 0) return answer_metrics(server, connection);
    if (strcmp(path, "/healthz") == 0) return answer_text(connection, MHD_HTTP_OK, "alive\n");
    if (strcmp(path, "/readyz") == 0) return answer_ready(server, connection);
    return answer_text(connection, MHD_HTTP_NOT_FOUND, "there are /metrics, /healthz and /readyz\n");
}

/* ---- listening ---- */

/* HOST:PORT or [IPV6]:PORT into its parts. */
static bool split_listen(const char *listen, char host[NI_MAXHOST], char port[NI_MAXSERV]) {
    const char *colon = strrchr(listen, ':');
    if (!colon) return false;
    const char *start = listen, *end = colon;
    if (*start == '[') {
        if (end == start || end[-1] != ']') return false;
        start++, end--;
    } else if (memchr(start, ':', (size_t)(end - start))) {
        return false; /* an IPv6 address without brackets: its last group would be taken for the port */
    }
    size_t host_length = (size_t)(end - start), port_length = strlen(colon + 1);
    if (host_length >= NI_MAXHOST || port_length == 0 || port_length > 5 || strspn(colon + 1, "0123456789") != port_length) return false;
    if (strtol(colon + 1, NULL, 10) > 65535) return false;
    memcpy(host, start, host_length);
    host[host_length] = 0;
    if (host_length == 0) strcpy(host, "127.0.0.1");
    strcpy(port, colon + 1);
    return true;
}

static int bind_to(const char *host, const char *port, const char *listen_text, struct error *error) {
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
    int failure = getaddrinfo(host, port, &wanted, &found);
    if (failure != 0) {
        error_set(error, "cannot listen on %s: %s", listen_text, gai_strerror(failure));
        return -1;
    }
    int descriptor = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    bool ok = descriptor >= 0 && setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
              bind(descriptor, found->ai_addr, found->ai_addrlen) == 0 && listen(descriptor, CONNECTIONS_MAXIMUM) == 0;
    int reason = errno;
    freeaddrinfo(found);
    if (ok) return descriptor;
    if (descriptor >= 0) close(descriptor);
    error_set(error, "cannot listen on %s: %s; choose another address or stop what uses it", listen_text, strerror(reason));
    return -1;
}

static bool name_address(int descriptor, char *text, size_t size) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (getsockname(descriptor, (struct sockaddr *)&address, &length) != 0) return false;
    if (getnameinfo((struct sockaddr *)&address, length, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0) return false;
    snprintf(text, size, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    return true;
}

struct http_server *http_start(const struct http_options *options, struct error *error) {
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (!split_listen(options->listen, host, port)) {
        error_set(error, "\"%s\" is no address to listen on; expected HOST:PORT, for example " HTTP_LISTEN_DEFAULT, options->listen);
        return NULL;
    }
    int descriptor = bind_to(host, port, options->listen, error);
    if (descriptor < 0) return NULL;
    struct http_server *server = calloc(1, sizeof *server);
    if (server) {
        server->options = *options;
        if (name_address(descriptor, server->address, sizeof server->address))
            server->daemon = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD, 0, NULL, NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET, descriptor,
                                              MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAXIMUM, MHD_OPTION_CONNECTION_TIMEOUT,
                                              (unsigned)IDLE_SECONDS, MHD_OPTION_END);
    }
    if (server && server->daemon) return server;
    free(server);
    close(descriptor);
    error_set(error, "the HTTP server on %s cannot be started: out of memory or threads", options->listen);
    return NULL;
}

const char *http_address(const struct http_server *server) { return server->address; }

void http_stop(struct http_server *server) {
    if (!server) return;
    MHD_stop_daemon(server->daemon); /* closes the socket too */
    free(server);
}
