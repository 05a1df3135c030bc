/* The registry client over TLS: against libmicrohttpd with a certificate of its own, and against `openssl s_server` that wants one of its clients.
 * Keys and certificates are made by `openssl` for each run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/codec/registry.h"
#include "common/platform/clock.h"
#include "common/platform/file.h"

#define FOUND_ANSWER "{\"schema\":\"\\\"string\\\"\"}"

static char folder[] = "/tmp/kontor-registry-tls-XXXXXX";

/* ---- the servers ---- */

struct server { struct MHD_Daemon *daemon; char url[64]; };
static struct server here, elsewhere; /* certificates for 127.0.0.1, and for registry.example */
static atomic_int requests;
static char authorization[128];
static struct strict { pid_t process; char url[64]; } strict[2]; /* want a certificate of their clients: by TLS 1.3, where the handshake is over when
                                                                  * it is missed, and by 1.2 */

static const char *in_folder(const char *name) {
    static char paths[8][sizeof folder + 64];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static enum MHD_Result answer(void *user, struct MHD_Connection *connection, const char *path, const char *method, const char *version,
                              const char *upload, size_t *upload_size, void **state) {
    (void)user; (void)path; (void)method; (void)version; (void)upload; (void)upload_size;
    if (!*state) { *state = folder; return MHD_YES; }
    const char *given = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
    snprintf(authorization, sizeof authorization, "%s", given ? given : "");
    atomic_fetch_add(&requests, 1);
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(FOUND_ANSWER), (void *)(uintptr_t)FOUND_ANSWER, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

static void read_file(const char *path, struct buffer *bytes) {
    struct error error;
    buffer_reset(bytes);
    if (!file_read(path, 1 << 20, bytes, &error) || !buffer_append(bytes, "", 1)) fail_msg("%s", error.text);
}

static bool serve(struct server *server, const char *name) {
    struct buffer key = {0}, certificate = {0};
    char file[64];
    snprintf(file, sizeof file, "%s.key", name);
    read_file(in_folder(file), &key);
    snprintf(file, sizeof file, "%s.pem", name);
    read_file(in_folder(file), &certificate);
    server->daemon = MHD_start_daemon(MHD_USE_TLS | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, 0, NULL, NULL, answer, NULL,
                                      MHD_OPTION_HTTPS_MEM_KEY, key.data, MHD_OPTION_HTTPS_MEM_CERT, certificate.data, MHD_OPTION_END);
    buffer_free(&key);
    buffer_free(&certificate);
    if (!server->daemon) return false;
    snprintf(server->url, sizeof server->url, "https://127.0.0.1:%d", (int)MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    return true;
}

/* The port out of the server's line ACCEPT 127.0.0.1:<port>. */
static bool await_port(int output, char url[64]) {
    char text[512] = "";
    size_t used = 0;
    int64_t deadline = clock_monotonic_ms() + 20000;
    while (used + 1 < sizeof text && clock_monotonic_ms() < deadline) {
        struct pollfd waiting = {output, POLLIN, 0};
        if (poll(&waiting, 1, 100) <= 0) continue;
        ssize_t got = read(output, text + used, sizeof text - 1 - used);
        if (got <= 0) return false;
        text[used += (size_t)got] = 0;
        const char *line = strstr(text, "ACCEPT ");
        if (!line || !strchr(line, '\n')) continue;
        snprintf(url, 64, "https://127.0.0.1:%d", atoi(strchr(line, ':') + 1));
        return true;
    }
    return false;
}

/* Serves the files of the folder, each with its HTTP head, to who has a certificate of the authority. */
static bool serve_strictly(struct strict *server, const char *version) {
    int pipes[2];
    if (pipe(pipes) != 0) return false;
    server->process = fork();
    if (server->process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (chdir(folder) != 0 || dup2(pipes[1], 1) < 0 || !freopen("/dev/null", "w", stderr)) _exit(127);
        execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "here.pem", "-key", "here.key", "-CAfile", "authority.pem", "-Verify", "1",
               "-verify_return_error", "-HTTP", version, (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    bool ok = server->process > 0 && await_port(pipes[0], server->url);
    close(pipes[0]);
    return ok;
}

/* ---- the files ---- */

static const char make_files[] =
    "cd '%s' && exec >openssl.log 2>&1 && set -ex\n"
    "new() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout $1.key -out $1.pem -subj \"/CN=$1\" ${2:+-CA $2.pem -CAkey $2.key} "
    "-addext \"${3:-subjectAltName=DNS:$1.example}\"; }\n"
    "new authority; new stranger\n"
    "new here authority subjectAltName=IP:127.0.0.1; new elsewhere authority subjectAltName=DNS:registry.example\n"
    "new client authority; new intruder stranger\n"
    "cat client.pem client.key >both.pem; echo nothing >nothing.pem; : >empty.pem\n"
    "openssl pkey -in client.key -aes256 -passout pass:secret -out locked.key\n"
    "mkdir -p schemas/ids; printf 'HTTP/1.0 200 OK\\r\\nContent-Type: application/json\\r\\n\\r\\n%%s' '%s' >schemas/ids/7\n";

static int start(void **state) {
    (void)state;
    char command[2048];
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES || !mkdtemp(folder)) return -1;
    snprintf(command, sizeof command, make_files, folder, FOUND_ANSWER);
    if (system(command) == 0 && serve(&here, "here") && serve(&elsewhere, "elsewhere") &&
        serve_strictly(&strict[0], "-tls1_3") && serve_strictly(&strict[1], "-tls1_2"))
        return 0;
    fprintf(stderr, "certificates or servers could not be made; see %s\n", folder);
    return -1;
}

static int stop(void **state) {
    (void)state;
    if (here.daemon) MHD_stop_daemon(here.daemon);
    if (elsewhere.daemon) MHD_stop_daemon(elsewhere.daemon);
    for (int i = 0; i < 2; i++) {
        if (strict[i].process <= 0) continue;
        kill(strict[i].process, SIGKILL);
        waitpid(strict[i].process, NULL, 0);
    }
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* ---- asking ---- */

/* Asks for an id with these options. The text is the schema, or the error's. */
static enum registry_result ask(struct registry_options options, char text[512]) {
    struct error error = {{0}};
    options.timeout_ms = 5000;
    options.backoff_ms = 5;
    struct registry *registry = registry_new(&options, &error);
    if (!registry) fail_msg("%s", error.text);
    struct slice schema = {NULL, 0};
    enum registry_result result = registry_schema_by_id(registry, 7, &schema, &error);
    if (result == REGISTRY_FOUND) snprintf(text, 512, SLICE_FORMAT, SLICE_ARGUMENT(schema));
    else memcpy(text, error.text, 512);
    registry_free(registry);
    return result;
}

static void found(struct registry_options options) {
    char text[512];
    if (ask(options, text) != REGISTRY_FOUND) fail_msg("%s", text);
    assert_string_equal(text, "\"string\"");
}

#define REFUSED(words, ...) refused((struct registry_options){__VA_ARGS__}, (const char *const[])words)
#define WORDS(...) {__VA_ARGS__, NULL}

/* REFUSED, with all these words in the error. */
static void refused(struct registry_options options, const char *const *words) {
    char text[512];
    enum registry_result result = ask(options, text);
    if (result != REGISTRY_REFUSED) fail_msg("%d: %s", (int)result, text);
    for (; *words; words++)
        if (!strstr(text, *words)) fail_msg("\"%s\" is not in: %s", *words, text);
}

static void test_trusted(void **state) {
    (void)state;
    found((struct registry_options){.urls = here.url, .ca_file = in_folder("authority.pem")});
    assert_string_equal(authorization, "");
    found((struct registry_options){.urls = here.url, .ca_file = in_folder("authority.pem"), .user = "kontor", .password = "se:cret"});
    assert_string_equal(authorization, "Basic a29udG9yOnNlOmNyZXQ="); /* printf 'kontor:se:cret' | base64 */
}

static void test_untrusted(void **state) {
    (void)state;
    atomic_store(&requests, 0);
    REFUSED(WORDS(here.url, "not trusted", "certificate", "registry.ca.file"), .urls = here.url, .ca_file = in_folder("stranger.pem"), .user = "u", .password = "p");
    REFUSED(WORDS("not trusted", "registry.ca.file"), .urls = here.url); /* the system's authorities do not know it */
    REFUSED(WORDS(elsewhere.url, "another host", "127.0.0.1", "registry.url"),
            .urls = elsewhere.url, .ca_file = in_folder("authority.pem"), .user = "u", .password = "p");
    assert_int_equal(atomic_load(&requests), 0); /* no password went to a stranger */
}

static void test_next_registry_is_trusted(void **state) {
    (void)state;
    char urls[160];
    snprintf(urls, sizeof urls, "%s,%s", elsewhere.url, here.url);
    found((struct registry_options){.urls = urls, .ca_file = in_folder("authority.pem")});
    snprintf(urls, sizeof urls, "%s,%s", elsewhere.url, elsewhere.url);
    REFUSED(WORDS("another host"), .urls = urls, .ca_file = in_folder("authority.pem"));
}

static void check_client_certificate(const struct strict *server) {
    const struct registry_options options = {.urls = server->url, .ca_file = in_folder("authority.pem")};
    struct registry_options with = options;
    with.certificate_file = in_folder("client.pem");
    with.key_file = in_folder("client.key");
    found(with);
    with.certificate_file = in_folder("both.pem");
    with.key_file = NULL;
    found(with);
    refused(options, (const char *const[])WORDS(server->url, "wants a certificate of its clients", "registry.certificate.file", "registry.key.file"));
    with.certificate_file = in_folder("intruder.pem");
    with.key_file = in_folder("intruder.key");
    refused(with, (const char *const[])WORDS(server->url, "does not accept the certificate", "registry.certificate.file"));
    with.key_file = in_folder("client.key");
    refused(with, (const char *const[])WORDS("registry.certificate.file", "registry.key.file", "cannot be used together"));
}

static void test_client_certificate(void **state) {
    (void)state;
    check_client_certificate(&strict[0]);
    check_client_certificate(&strict[1]);
}

/* Told when the client is made, before anything is asked. */
static void test_files_are_checked(void **state) {
    (void)state;
    const struct { const char *authority, *certificate, *key, *setting, *file, *words; } rows[] = {
        {"missing.pem", NULL, NULL, "registry.ca.file", "missing.pem", "No such file"},
        {".", NULL, NULL, "registry.ca.file", folder, "not a regular file"},
        {"empty.pem", NULL, NULL, "registry.ca.file", "empty.pem", "no certificate"},
        {"here.key", NULL, NULL, "registry.ca.file", "here.key", "no certificate"},
        {NULL, "missing.pem", "client.key", "registry.certificate.file", "missing.pem", "No such file"},
        {NULL, "nothing.pem", "client.key", "registry.certificate.file", "nothing.pem", "no certificate"},
        {NULL, "client.pem", "missing.key", "registry.key.file", "missing.key", "No such file"},
        {NULL, "client.pem", "client.pem", "registry.key.file", "client.pem", "no private key"},
        {NULL, "client.pem", NULL, "registry.key.file", "client.pem", "no private key"},
        {NULL, "client.pem", "locked.key", "registry.key.file", "locked.key", "pass phrase"},
        {NULL, NULL, "client.key", "registry.key.file", "registry.certificate.file", "belongs to"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error = {{0}};
        const struct registry_options options = {.urls = here.url, .ca_file = rows[i].authority ? in_folder(rows[i].authority) : NULL,
            .certificate_file = rows[i].certificate ? in_folder(rows[i].certificate) : NULL, .key_file = rows[i].key ? in_folder(rows[i].key) : NULL};
        struct registry *registry = registry_new(&options, &error);
        if (registry || strncmp(error.text, rows[i].setting, strlen(rows[i].setting)) != 0 || !strstr(error.text, rows[i].file) || !strstr(error.text, rows[i].words))
            fail_msg("row %zu: \"%s\"", i, error.text);
    }
}

/* Root may read everything: as nobody then. */
static void test_unreadable_file(void **state) {
    (void)state;
    struct error error = {{0}};
    bool root = geteuid() == 0;
    assert_int_equal(chmod(folder, 0755) | chmod(in_folder("stranger.key"), 0), 0);
    const struct registry_options options = {.urls = here.url, .certificate_file = in_folder("stranger.pem"), .key_file = in_folder("stranger.key")};
    if (root) assert_int_equal(seteuid(65534), 0);
    struct registry *registry = registry_new(&options, &error);
    if (root) assert_int_equal(seteuid(0), 0);
    assert_null(registry);
    if (!strstr(error.text, "registry.key.file") || !strstr(error.text, "stranger.key") || !strstr(error.text, strerror(EACCES))) fail_msg("%s", error.text);
}

/* curl reads them anew: renewed files serve without a restart, and lost ones are told by name. */
static void test_renewed_file(void **state) {
    (void)state;
    struct error error = {{0}};
    struct slice schema;
    char command[300];
    snprintf(command, sizeof command, "cd '%s' && cp stranger.pem renewed.pem", folder);
    assert_int_equal(system(command), 0);
    const char *file = in_folder("renewed.pem");
    struct registry *registry = registry_new(&(struct registry_options){.urls = here.url, .ca_file = file}, &error);
    assert_non_null(registry);
    assert_int_equal(registry_schema_by_id(registry, 7, &schema, &error), REGISTRY_REFUSED);
    assert_int_equal(unlink(in_folder("renewed.pem")), 0);
    assert_int_equal(registry_schema_by_id(registry, 7, &schema, &error), REGISTRY_REFUSED);
    if (!strstr(error.text, "registry.ca.file cannot be used") || !strstr(error.text, "renewed.pem")) fail_msg("%s", error.text);
    snprintf(command, sizeof command, "cd '%s' && cp authority.pem renewed.pem", folder);
    assert_int_equal(system(command), 0);
    if (registry_schema_by_id(registry, 7, &schema, &error) != REGISTRY_FOUND) fail_msg("%s", error.text);
    registry_free(registry);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trusted), cmocka_unit_test(test_untrusted), cmocka_unit_test(test_next_registry_is_trusted),
        cmocka_unit_test(test_client_certificate), cmocka_unit_test(test_files_are_checked), cmocka_unit_test(test_unreadable_file),
        cmocka_unit_test(test_renewed_file)};
    return cmocka_run_group_tests(tests, start, stop);
}
