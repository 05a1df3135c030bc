/* The registry client and the reader against a small registry in this process (libmicrohttpd), which can be told to misbehave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <microhttpd.h>
#include <pthread.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/codec/encode.h"
#include "common/codec/layout.h"
#include "common/codec/reader.h"
#include "common/codec/registry.h"
#include "common/codec/wire.h"
#include "common/platform/clock.h"

#define SCHEMA "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"}]}"
#define OTHER "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"string\"}]}"
#define NOT_FOUND "{\"error_code\":40403,\"message\":\"Schema not found\"}"

/* What the server answers with, and what it saw. */
static struct {
    struct MHD_Daemon *daemon;
    char url[64];
    atomic_int requests, fail_first; /* fail_first: so many requests are answered 404 (or 500, fail_status) before the answer */
    int status, fail_status, delay_ms;
    const char *body, *fail_body;
    size_t body_length; /* 0: strlen */
    char path[256], method[16], posted[1024], authorization[128];
} server;
/* An answer that is late still goes out when the test has gone on and told what comes next: it is chosen before the waiting, under this. */
static pthread_mutex_t choosing = PTHREAD_MUTEX_INITIALIZER;

static enum MHD_Result answer(void *user, struct MHD_Connection *connection, const char *path, const char *method, const char *version,
                              const char *upload, size_t *upload_size, void **state) {
    (void)user; (void)version;
    if (!*state) { server.posted[0] = 0; *state = &server; return MHD_YES; }
    if (*upload_size) {
        snprintf(server.posted, sizeof server.posted, "%.*s", (int)*upload_size, upload);
        *upload_size = 0;
        return MHD_YES;
    }
    snprintf(server.path, sizeof server.path, "%s", path);
    snprintf(server.method, sizeof server.method, "%s", method);
    const char *authorization = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
    snprintf(server.authorization, sizeof server.authorization, "%s", authorization ? authorization : "");
    atomic_fetch_add(&server.requests, 1);
    pthread_mutex_lock(&choosing);
    bool fails = atomic_load(&server.fail_first) > 0;
    if (fails) atomic_fetch_sub(&server.fail_first, 1);
    const char *body = fails ? server.fail_body : server.body;
    const size_t length = !fails && server.body_length ? server.body_length : strlen(body);
    const int status = fails ? server.fail_status : server.status, delay_ms = server.delay_ms;
    struct MHD_Response *response = MHD_create_response_from_buffer(length, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
    pthread_mutex_unlock(&choosing);
    if (delay_ms) nanosleep(&(struct timespec){delay_ms / 1000, delay_ms % 1000 * 1000000L}, NULL); /* a slow server is the case */
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)status, response);
    MHD_destroy_response(response);
    return result;
}

static int start(void **state) {
    (void)state;
    server.daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, 0, NULL, NULL, answer, NULL, MHD_OPTION_END);
    if (!server.daemon) return -1;
    snprintf(server.url, sizeof server.url, "http://127.0.0.1:%d/", (int)MHD_get_daemon_info(server.daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    return 0;
}

static int stop(void **state) {
    (void)state;
    MHD_stop_daemon(server.daemon);
    return 0;
}

static void answers(int status, const char *body) {
    pthread_mutex_lock(&choosing);
    server.status = status;
    server.body = body;
    server.body_length = 0;
    server.delay_ms = 0;
    pthread_mutex_unlock(&choosing);
    atomic_store(&server.fail_first, 0);
    atomic_store(&server.requests, 0);
}

static struct registry *open_with(struct registry_options options) {
    struct error error;
    if (!options.urls) options.urls = server.url;
    if (!options.timeout_ms) options.timeout_ms = 3000;
    if (!options.backoff_ms) options.backoff_ms = 5;
    if (!options.unknown_after_ms) options.unknown_after_ms = 60;
    struct registry *registry = registry_new(&options, &error);
    if (!registry) fail_msg("%s", error.text);
    return registry;
}

static enum registry_result ask(struct registry *registry, uint32_t id, char text[512]) {
    struct slice schema = {NULL, 0};
    struct error error = {{0}};
    enum registry_result result = registry_schema_by_id(registry, id, &schema, &error);
    if (result == REGISTRY_FOUND) snprintf(text, 512, SLICE_FORMAT, SLICE_ARGUMENT(schema));
    else memcpy(text, error.text, 512);
    return result;
}

#define FOUND_ANSWER "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"R\\\",\\\"fields\\\":[{\\\"name\\\":\\\"a\\\",\\\"type\\\":\\\"int\\\"}]}\"}"

static void test_found_once(void **state) {
    (void)state;
    char text[512];
    answers(200, FOUND_ANSWER);
    struct registry *registry = open_with((struct registry_options){.user = "kontor", .password = "se:cret"});
    assert_int_equal(ask(registry, 7, text), REGISTRY_FOUND);
    assert_string_equal(text, SCHEMA);
    assert_string_equal(server.path, "/schemas/ids/7");
    assert_string_equal(server.authorization, "Basic a29udG9yOnNlOmNyZXQ="); /* printf 'kontor:se:cret' | base64 */
    assert_int_equal(ask(registry, 7, text), REGISTRY_FOUND);
    assert_int_equal(atomic_load(&server.requests), 1);
    registry_free(registry);
}

static void test_unknown_only_after_a_while(void **state) {
    (void)state;
    char text[512];
    answers(404, NOT_FOUND);
    struct registry *registry = open_with((struct registry_options){.unknown_after_ms = 150});
    int64_t before = clock_monotonic_ms();
    assert_int_equal(ask(registry, 7, text), REGISTRY_UNKNOWN);
    assert_true(clock_monotonic_ms() - before >= 140);
    int asked = atomic_load(&server.requests);
    assert_true(asked >= 2);
    assert_int_equal(ask(registry, 7, text), REGISTRY_UNKNOWN); /* known to be unknown: not asked again at once */
    assert_int_equal(atomic_load(&server.requests), asked);
    assert_int_equal(ask(registry, 0x80000000u, text), REGISTRY_UNKNOWN);
    registry_free(registry);
}

static void test_late_id_is_found(void **state) {
    (void)state;
    char text[512];
    answers(200, FOUND_ANSWER);
    server.fail_status = 404;
    server.fail_body = NOT_FOUND;
    atomic_store(&server.fail_first, 3);
    struct registry *registry = open_with((struct registry_options){.unknown_after_ms = 2000});
    assert_int_equal(ask(registry, 7, text), REGISTRY_FOUND);
    assert_int_equal(atomic_load(&server.requests), 4);
    registry_free(registry);
}

static void test_unknown_is_undecided_within_a_short_call(void **state) {
    (void)state;
    char text[512];
    answers(404, NOT_FOUND);
    struct registry *registry = open_with((struct registry_options){.unknown_after_ms = 400, .timeout_ms = 100});
    assert_int_equal(ask(registry, 7, text), REGISTRY_UNREACHABLE);
    assert_non_null(strstr(text, "not for 400 ms yet"));
    int64_t deadline = clock_monotonic_ms() + 5000;
    while (ask(registry, 7, text) == REGISTRY_UNREACHABLE && clock_monotonic_ms() < deadline) {}
    assert_int_equal(ask(registry, 7, text), REGISTRY_UNKNOWN);
    registry_free(registry);
}

static void test_trouble_is_unreachable(void **state) {
    (void)state;
    static const struct { int status; const char *body; enum registry_result result; } rows[] = {
        {500, "{\"error_code\":50001,\"message\":\"store\"}", REGISTRY_UNREACHABLE}, {503, "", REGISTRY_UNREACHABLE}, {200, "<html>", REGISTRY_UNREACHABLE},
        {200, "", REGISTRY_UNREACHABLE}, {200, "{}", REGISTRY_UNREACHABLE}, {200, "[]", REGISTRY_UNREACHABLE}, {200, "{\"schema\":17}", REGISTRY_UNREACHABLE},
        {200, "{\"schema\":\"{\"}", REGISTRY_UNREACHABLE}, {302, "", REGISTRY_UNREACHABLE}, {429, "", REGISTRY_UNREACHABLE},
        {404, "<html>nothing here</html>", REGISTRY_UNREACHABLE}, /* a proxy's 404 is no registry's word */
        {401, "{\"error_code\":401,\"message\":\"who are you\"}", REGISTRY_REFUSED}, {403, "", REGISTRY_REFUSED},
        {200, "{\"schema\":\"syntax\",\"schemaType\":\"PROTOBUF\"}", REGISTRY_NOT_AVRO},
        {200, "{\"schema\":\"{}\",\"references\":[{\"name\":\"x\"}]}", REGISTRY_NOT_AVRO}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        answers(rows[i].status, rows[i].body);
        struct registry *registry = open_with((struct registry_options){.attempts = 2});
        enum registry_result result = ask(registry, 7, text);
        if (result != rows[i].result) fail_msg("%d %s: %d (%s)", rows[i].status, rows[i].body, (int)result, text);
        assert_true(strlen(text) > 10);
        registry_free(registry);
    }
}

static void test_failures_are_repeated(void **state) {
    (void)state;
    char text[512];
    answers(200, FOUND_ANSWER);
    server.fail_status = 500;
    server.fail_body = "{}";
    atomic_store(&server.fail_first, 2);
    struct registry *registry = open_with((struct registry_options){.attempts = 3});
    assert_int_equal(ask(registry, 7, text), REGISTRY_FOUND);
    assert_int_equal(atomic_load(&server.requests), 3);
    registry_free(registry);
}

static void test_slow_and_huge(void **state) {
    (void)state;
    char text[512];
    answers(200, FOUND_ANSWER);
    server.delay_ms = 400;
    struct registry *registry = open_with((struct registry_options){.timeout_ms = 100});
    int64_t before = clock_monotonic_ms();
    assert_int_equal(ask(registry, 7, text), REGISTRY_UNREACHABLE);
    assert_true(clock_monotonic_ms() - before < 350);
    registry_free(registry);

    char *huge = malloc(6u << 20);
    memset(huge, ' ', 6u << 20);
    answers(200, huge);
    server.body_length = 6u << 20;
    registry = open_with((struct registry_options){.attempts = 1});
    assert_int_equal(ask(registry, 7, text), REGISTRY_UNREACHABLE);
    registry_free(registry);
    answers(200, "");
    free(huge);
}

/* A port that nobody listens on: bound, so that nobody else takes it. */
static int closed_port(char url[64]) {
    int socket_id = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert_int_equal(bind(socket_id, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(socket_id, (struct sockaddr *)&address, &size), 0);
    snprintf(url, 64, "http://127.0.0.1:%d", ntohs(address.sin_port));
    return socket_id;
}

static void test_second_registry_answers(void **state) {
    (void)state;
    char text[512], closed[64], both[200];
    int socket_id = closed_port(closed);
    answers(200, FOUND_ANSWER);
    struct registry *registry = open_with((struct registry_options){.urls = closed, .attempts = 2});
    assert_int_equal(ask(registry, 7, text), REGISTRY_UNREACHABLE);
    assert_non_null(strstr(text, "does not answer"));
    registry_free(registry);
    snprintf(both, sizeof both, "%s, %s", closed, server.url);
    registry = open_with((struct registry_options){.urls = both});
    assert_int_equal(ask(registry, 7, text), REGISTRY_FOUND);
    registry_free(registry);
    close(socket_id);
}

static void test_options_are_checked(void **state) {
    (void)state;
    struct error error;
    assert_null(registry_new(&(struct registry_options){.urls = ""}, &error));
    assert_null(registry_new(&(struct registry_options){.urls = "localhost:8081"}, &error));
    assert_null(registry_new(&(struct registry_options){.urls = "http://user:password@localhost"}, &error));
    assert_null(strstr(error.text, "password@")); /* secrets stay out of messages */
}

static void remove_folder(const char *folder) {
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

static void test_directory(void **state) {
    (void)state;
    char text[512], folder[] = "/tmp/kontor-registry-XXXXXX", inner[100], closed[64];
    struct error error;
    uint32_t id = 0;
    assert_non_null(mkdtemp(folder));
    snprintf(inner, sizeof inner, "%s/a/b", folder);
    answers(200, FOUND_ANSWER);
    struct registry *registry = open_with((struct registry_options){.directory = inner});
    assert_int_equal(ask(registry, 7, text), REGISTRY_FOUND);
    answers(200, "{\"id\":9}");
    assert_int_equal(registry_register(registry, "topic/with odd:letters-value", SCHEMA, &id, &error), REGISTRY_FOUND);
    assert_int_equal(id, 9);
    assert_string_equal(server.path, "/subjects/topic/with odd:letters-value/versions"); /* the server has unescaped it */
    assert_string_equal(server.posted, FOUND_ANSWER); /* {"schema": ...}, as it is given back */
    registry_free(registry);

    /* No registry at all: both are known from the directory. */
    int socket_id = closed_port(closed);
    registry = open_with((struct registry_options){.directory = inner, .urls = closed, .attempts = 1});
    assert_int_equal(ask(registry, 7, text), REGISTRY_FOUND);
    assert_string_equal(text, SCHEMA);
    assert_int_equal(registry_lookup_id(registry, "topic/with odd:letters-value", SCHEMA, &id, &error), REGISTRY_FOUND);
    assert_int_equal(id, 9);
    assert_int_equal(registry_lookup_id(registry, "another", SCHEMA, &id, &error), REGISTRY_UNREACHABLE);
    assert_int_equal(registry_lookup_id(registry, "topic/with odd:letters-value", OTHER, &id, &error), REGISTRY_UNREACHABLE);
    registry_free(registry);
    close(socket_id);

    /* The registry has lost its memory and gives the id to another schema. */
    registry = open_with((struct registry_options){.directory = inner});
    answers(200, "{\"schema\":\"{ \\\"type\\\":\\\"record\\\", \\\"name\\\":\\\"R\\\",\\\"fields\\\":[{\\\"name\\\":\\\"a\\\",\\\"type\\\":\\\"int\\\"}]}\"}");
    assert_int_equal(registry_verify(registry, 7, &error), REGISTRY_FOUND); /* only spaces differ */
    answers(200, "{\"schema\":\"\\\"string\\\"\"}");
    assert_int_equal(registry_verify(registry, 7, &error), REGISTRY_CHANGED);
    assert_non_null(strstr(error.text, "id 7 now means another schema"));
    registry_free(registry);

    /* A file that a person or a disk has damaged is asked for again, not believed. */
    snprintf(text, sizeof text, "%s/8.avsc", inner);
    FILE *file = fopen(text, "w");
    fputs("{\"type\":", file);
    fclose(file);
    answers(200, FOUND_ANSWER);
    registry = open_with((struct registry_options){.directory = inner});
    assert_int_equal(ask(registry, 8, text), REGISTRY_FOUND);
    assert_string_equal(text, SCHEMA);
    registry_free(registry);
    remove_folder(folder);
}

static void test_subjects(void **state) {
    (void)state;
    struct error error;
    uint32_t id;
    bool compatible = false;
    struct registry *registry = open_with((struct registry_options){.attempts = 1});
    answers(404, "{\"error_code\":40401,\"message\":\"Subject not found\"}");
    assert_int_equal(registry_lookup_id(registry, "s-value", SCHEMA, &id, &error), REGISTRY_UNKNOWN);
    assert_string_equal(server.path, "/subjects/s-value");
    assert_int_equal(registry_check_compatible(registry, "s-value", SCHEMA, &compatible, &error), REGISTRY_FOUND);
    assert_true(compatible);
    answers(200, "{\"is_compatible\":false,\"messages\":[\"reader type int\"]}");
    assert_int_equal(registry_check_compatible(registry, "s-value", SCHEMA, &compatible, &error), REGISTRY_FOUND);
    assert_false(compatible);
    assert_non_null(strstr(error.text, "reader type int"));
    answers(200, "{\"is_compatible\":true}");
    assert_int_equal(registry_check_compatible(registry, "s-value", SCHEMA, &compatible, &error), REGISTRY_FOUND);
    assert_true(compatible);
    answers(409, "{\"error_code\":409,\"message\":\"incompatible with an earlier schema\"}");
    assert_int_equal(registry_register(registry, "s-value", SCHEMA, &id, &error), REGISTRY_REFUSED);
    assert_non_null(strstr(error.text, "incompatible with an earlier schema"));
    answers(200, "{\"id\":-1}");
    assert_int_equal(registry_register(registry, "s-value", SCHEMA, &id, &error), REGISTRY_UNREACHABLE);
    answers(200, "{\"id\":3}");
    assert_int_equal(registry_lookup_id(registry, "s-value", SCHEMA, &id, &error), REGISTRY_FOUND);
    assert_int_equal(id, 3);
    answers(500, "");
    assert_int_equal(registry_lookup_id(registry, "s-value", SCHEMA, &id, &error), REGISTRY_FOUND);
    registry_free(registry);
}

static void test_latest_and_compatibility(void **state) {
    (void)state;
    struct error error;
    struct slice text;
    uint32_t id = 0;
    struct registry *registry = open_with((struct registry_options){.attempts = 1});
    answers(404, "{\"error_code\":40401,\"message\":\"Subject not found\"}");
    assert_int_equal(registry_latest(registry, "s value", &id, &text, &error), REGISTRY_UNKNOWN);
    assert_string_equal(server.path, "/subjects/s value/versions/latest"); /* the server has unescaped it */
    assert_string_equal(server.method, "GET");
    answers(200, "{\"subject\":\"s value\",\"version\":2,\"id\":7,\"schema\":\"\\\"string\\\"\"}");
    assert_int_equal(registry_latest(registry, "s value", &id, &text, &error), REGISTRY_FOUND);
    assert_int_equal(id, 7);
    assert_string_equal(text.data, "\"string\"");
    answers(200, "{\"schema\":\"\\\"string\\\"\"}");
    assert_int_equal(registry_latest(registry, "s value", &id, &text, &error), REGISTRY_UNREACHABLE);
    answers(200, "{\"id\":7,\"schema\":\"\\\"int\\\"\"}");
    assert_int_equal(registry_latest(registry, "s value", &id, &text, &error), REGISTRY_CHANGED);

    answers(200, "{\"compatibility\":\"FULL\"}");
    assert_int_equal(registry_set_compatibility(registry, "s value", "FULL", &error), REGISTRY_FOUND);
    assert_string_equal(server.path, "/config/s value");
    assert_string_equal(server.method, "PUT");
    assert_string_equal(server.posted, "{\"compatibility\":\"FULL\"}");
    answers(200, "{\"id\":3}"); /* the next call is a POST again, and the one after it a GET */
    assert_int_equal(registry_register(registry, "s value", SCHEMA, &id, &error), REGISTRY_FOUND);
    assert_string_equal(server.method, "POST");
    answers(200, FOUND_ANSWER);
    assert_int_equal(registry_verify(registry, 9, &error), REGISTRY_FOUND);
    assert_string_equal(server.method, "GET");
    answers(422, "{\"error_code\":42203,\"message\":\"Invalid compatibility level\"}");
    assert_int_equal(registry_set_compatibility(registry, "s value", "SOME", &error), REGISTRY_REFUSED);
    assert_non_null(strstr(error.text, "Invalid compatibility level"));
    registry_free(registry);
}

/* Whatever is kept: the registry itself has to say that it has our schema under our id. */
static void test_confirmed_by_the_registry_itself(void **state) {
    (void)state;
    struct error error;
    uint32_t id;
    struct registry *registry = open_with((struct registry_options){.attempts = 1});
    answers(200, "{\"id\":3}");
    assert_int_equal(registry_lookup_id(registry, "s-value", SCHEMA, &id, &error), REGISTRY_FOUND);
    int asked = atomic_load(&server.requests);
    assert_int_equal(registry_confirm(registry, "s-value", SCHEMA, 3, &error), REGISTRY_FOUND);
    assert_int_equal(atomic_load(&server.requests), asked + 1);
    assert_string_equal(server.path, "/subjects/s-value");
    assert_string_equal(server.posted, FOUND_ANSWER);
    answers(200, "{\"id\":4}");
    assert_int_equal(registry_confirm(registry, "s-value", SCHEMA, 3, &error), REGISTRY_UNKNOWN);
    assert_non_null(strstr(error.text, "under id 4, not 3"));
    answers(404, "{\"error_code\":40403,\"message\":\"Schema not found\"}");
    assert_int_equal(registry_confirm(registry, "s-value", SCHEMA, 3, &error), REGISTRY_UNKNOWN);
    answers(200, "{}");
    assert_int_equal(registry_confirm(registry, "s-value", SCHEMA, 3, &error), REGISTRY_UNREACHABLE);
    answers(503, "");
    assert_int_equal(registry_confirm(registry, "s-value", SCHEMA, 3, &error), REGISTRY_UNREACHABLE);
    registry_free(registry);
}

static enum codec_reader_result decode(struct codec_reader *reader, const void *message, size_t length, int32_t *out, struct error *error) {
    struct arena arena;
    arena_init(&arena, 1024, 4096);
    enum codec_reader_result result = codec_reader_decode(reader, message, length, &arena, out, error);
    arena_free(&arena);
    return result;
}

static void test_reader(void **state) {
    (void)state;
    struct error error;
    int32_t value = 0;
    const struct codec_type *type = codec_type_parse(SCHEMA, &error);
    struct registry *registry = open_with((struct registry_options){.attempts = 1});
    struct codec_reader *reader = codec_reader_new(type, registry);
    assert_int_equal(decode(reader, "\0\0\0\0", 4, &value, &error), CODEC_READER_NOT_FRAMED);
    assert_int_equal(decode(reader, "\1\0\0\0\7\6", 6, &value, &error), CODEC_READER_NOT_FRAMED);
    answers(500, "");
    assert_int_equal(decode(reader, "\0\0\0\0\7\6", 6, &value, &error), CODEC_READER_REGISTRY_UNREACHABLE);
    answers(404, NOT_FOUND);
    assert_int_equal(decode(reader, "\0\0\0\0\7\6", 6, &value, &error), CODEC_READER_SCHEMA_UNKNOWN);
    answers(200, FOUND_ANSWER); /* an id that was unknown may appear: it is asked for again after a while */
    int64_t deadline = clock_monotonic_ms() + 5000;
    enum codec_reader_result result;
    while ((result = decode(reader, "\0\0\0\0\7\6", 6, &value, &error)) == CODEC_READER_SCHEMA_UNKNOWN && clock_monotonic_ms() < deadline) {}
    assert_int_equal(result, CODEC_READER_OK);
    assert_int_equal(value, 3);
    assert_int_equal(decode(reader, "\0\0\0\0\7", 5, &value, &error), CODEC_READER_DECODE_FAILED);
    assert_non_null(strstr(error.text, "truncated"));
    answers(200, "{\"schema\":\"\\\"string\\\"\"}");
    assert_int_equal(decode(reader, "\0\0\0\0\x08\6", 6, &value, &error), CODEC_READER_INCOMPATIBLE);
    int asked = atomic_load(&server.requests);
    assert_int_equal(decode(reader, "\0\0\0\0\x08\6", 6, &value, &error), CODEC_READER_INCOMPATIBLE);
    assert_non_null(strstr(error.text, "schema id 8"));
    assert_int_equal(atomic_load(&server.requests), asked);
    answers(200, FOUND_ANSWER);
    for (unsigned char id = 20; id < 120; id++) { /* more ids than the first table holds */
        const unsigned char message[] = {0, 0, 0, 0, id, 6};
        assert_int_equal(decode(reader, message, sizeof message, &value, &error), CODEC_READER_OK);
        assert_int_equal(decode(reader, "\0\0\0\0\7\6", 6, &value, &error), CODEC_READER_OK);
    }
    codec_reader_free(reader);
    registry_free(registry);
    codec_type_free(type);
}

static void test_wire(void **state) {
    (void)state;
    struct buffer out = {0};
    uint32_t id;
    struct slice payload;
    assert_true(codec_wire_append(&out, 0x01020304));
    assert_memory_equal(out.data, "\0\1\2\3\4", 5);
    assert_true(codec_wire_read(out.data, out.length, &id, &payload));
    assert_int_equal(id, 0x01020304);
    assert_int_equal(payload.length, 0);
    buffer_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_once), cmocka_unit_test(test_unknown_only_after_a_while), cmocka_unit_test(test_late_id_is_found),
        cmocka_unit_test(test_unknown_is_undecided_within_a_short_call), cmocka_unit_test(test_trouble_is_unreachable),
        cmocka_unit_test(test_failures_are_repeated), cmocka_unit_test(test_slow_and_huge), cmocka_unit_test(test_second_registry_answers),
        cmocka_unit_test(test_options_are_checked), cmocka_unit_test(test_directory), cmocka_unit_test(test_subjects),
        cmocka_unit_test(test_latest_and_compatibility), cmocka_unit_test(test_confirmed_by_the_registry_itself),
        cmocka_unit_test(test_reader), cmocka_unit_test(test_wire)};
    return cmocka_run_group_tests(tests, start, stop);
}
