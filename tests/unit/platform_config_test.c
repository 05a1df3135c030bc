/* Configuration: what is read from where, and each message as an operator sees it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/platform/config.h"

static const struct config_key keys[] = {
    {.name = "instance.name", .help = "Name of this instance."},
    {.name = "metrics.listen", .fallback = "127.0.0.1:9464", .help = "Address for metrics."},
    {.name = "batch.max.records", .fallback = "500", .help = "Records of a batch.", .kind = CONFIG_INTEGER, .minimum = 1, .maximum = 100000},
    {.name = "batch.max.bytes", .fallback = "4MiB", .help = "Bytes of a batch.", .kind = CONFIG_BYTES, .minimum = 1024, .maximum = INT64_C(1) << 40},
    {.name = "seen.window", .fallback = "35d", .help = "How long event ids are kept.", .kind = CONFIG_DURATION_MS},
    {.name = "rekey", .fallback = "false", .help = "Publish under the right key.", .kind = CONFIG_BOOLEAN},
    {.name = "log.format", .fallback = "human", .help = "Form of the log.", .kind = CONFIG_CHOICE, .choices = "human json"},
    {.name = "offset", .fallback = "-5", .help = "Any number.", .kind = CONFIG_INTEGER, .minimum = -10, .maximum = 10},
    {.name = "registry.password", .fallback = "", .help = "Password of the registry.", .secret = true},
    {.name = "retry.limit", .fallback = "", .help = "Optional limit.", .kind = CONFIG_INTEGER},
};
enum { KEYS = sizeof keys / sizeof *keys };

static struct config *parse(const char *text, char *const *environment, struct error *error) {
    error->text[0] = 0;
    return config_parse(keys, KEYS, slice_of(text), "k.properties", environment, error);
}

static struct config *good(const char *text, char *const *environment) {
    struct error error;
    struct config *config = parse(text, environment, &error);
    if (!config) fail_msg("%s", error.text);
    return config;
}

static void refused(const char *text, char *const *environment, const char *message) {
    struct error error;
    struct config *config = parse(text, environment, &error);
    assert_null(config);
    assert_string_equal(error.text, message);
}

#define ENVIRONMENT(...) ((char *[]){__VA_ARGS__, NULL})
#define NAME "instance.name=a\n"

static void reads_the_file(void **state) {
    (void)state;
    struct config *config = good("\xef\xbb\xbf# a comment \\\n"
                                 "\n"
                                 "  instance.name =  invoice-0 \t\r\n"
                                 "   # indented comment\n"
                                 "batch.max.records=1000\n"
                                 "batch.max.bytes=512KiB\n"
                                 "seen.window=90s\n"
                                 "rekey=true\n"
                                 "log.format=json\n"
                                 "metrics.listen=a=b:\\\n"
                                 "    1 \\  \n"
                                 "   #2\n"
                                 "offset=10", NULL);
    assert_string_equal(config_text(config, "instance.name"), "invoice-0");
    assert_int_equal(config_integer(config, "batch.max.records"), 1000);
    assert_int_equal(config_integer(config, "batch.max.bytes"), 512 * 1024);
    assert_int_equal(config_integer(config, "seen.window"), 90000);
    assert_true(config_boolean(config, "rekey"));
    assert_int_equal(config_choice(config, "log.format"), 1);
    assert_string_equal(config_text(config, "metrics.listen"), "a=b:1 #2");
    assert_int_equal(config_integer(config, "offset"), 10);
    config_free(config);
}

static void falls_back(void **state) {
    (void)state;
    struct config *config = good("instance.name=Zürich\nretry.limit=\n", NULL);
    assert_string_equal(config_text(config, "instance.name"), "Zürich");
    assert_int_equal(config_integer(config, "batch.max.records"), 500);
    assert_int_equal(config_integer(config, "batch.max.bytes"), 4 * 1024 * 1024);
    assert_int_equal(config_integer(config, "seen.window"), INT64_C(35) * 86400000);
    assert_false(config_boolean(config, "rekey"));
    assert_int_equal(config_choice(config, "log.format"), 0);
    assert_int_equal(config_integer(config, "offset"), -5);
    assert_string_equal(config_text(config, "registry.password"), "");
    assert_false(config_is_set(config, "registry.password"));
    assert_true(config_is_set(config, "rekey"));
    assert_false(config_is_set(config, "retry.limit"));
    assert_int_equal(config_integer(config, "retry.limit"), 0);
    config_free(config);
    struct config *bare = good("", ENVIRONMENT("KONTOR_INSTANCE_NAME=x"));
    assert_string_equal(config_text(bare, "instance.name"), "x");
    config_free(bare);
}

static void environment_wins(void **state) {
    (void)state;
    struct config *config = good(NAME "batch.max.records=7\nseen.window=5m\n",
                                 ENVIRONMENT("PATH=/bin", "KONTOR_BATCH_MAX_RECORDS=8", "KONTOR_METRICS_LISTEN=:1", "HOME=/", "KONTORX=1"));
    assert_int_equal(config_integer(config, "batch.max.records"), 8);
    assert_int_equal(config_integer(config, "seen.window"), 300000);
    assert_string_equal(config_text(config, "metrics.listen"), ":1");
    config_free(config);
}

struct collected { char text[1024]; };

static void collect(void *context, const char *name, const char *value) {
    struct collected *collected = context;
    size_t used = strlen(collected->text);
    snprintf(collected->text + used, sizeof collected->text - used, "%s=%s;", name, value);
}

static void passes_kafka_keys_through(void **state) {
    (void)state;
    struct config *config = good(NAME "kafka.socket.nagle.disable=true\nkafka.bootstrap.servers=a:1\nkafka.empty=\n",
                                 ENVIRONMENT("KONTOR_KAFKA_BOOTSTRAP_SERVERS=b:2,c:3", "KONTOR_KAFKA_ACKS=all"));
    struct collected collected = {""};
    config_each(config, "kafka.", collect, &collected);
    assert_string_equal(collected.text, "acks=all;bootstrap.servers=b:2,c:3;empty=;socket.nagle.disable=true;");
    collected.text[0] = 0;
    config_each(config, "batch.", collect, &collected);
    assert_string_equal(collected.text, "max.records=500;max.bytes=4MiB;");
    config_free(config);
    /* A declared one is checked and given once. */
    static const struct config_key declared[] = {{.name = "kafka.bootstrap.servers", .help = "Brokers."}};
    struct error error;
    assert_null(config_parse(declared, 1, SLICE(""), NULL, NULL, &error));
    assert_string_equal(error.text, "required key kafka.bootstrap.servers is missing; set it in a properties file or as KONTOR_KAFKA_BOOTSTRAP_SERVERS (Brokers.)");
    config = config_parse(declared, 1, SLICE("kafka.acks=1"), "f", ENVIRONMENT("KONTOR_KAFKA_BOOTSTRAP_SERVERS=x:1"), &error);
    assert_non_null(config);
    collected.text[0] = 0;
    config_each(config, "kafka.", collect, &collected);
    assert_string_equal(collected.text, "bootstrap.servers=x:1;acks=1;");
    assert_string_equal(config_text(config, "kafka.bootstrap.servers"), "x:1");
    config_free(config);
}

static void reads_units(void **state) {
    (void)state;
    static const struct { const char *line, *key; int64_t value; } cases[] = {
        {"seen.window=1500", "seen.window", 1500}, {"seen.window=1500ms", "seen.window", 1500}, {"seen.window=10s", "seen.window", 10000},
        {"seen.window=6h", "seen.window", 21600000}, {"seen.window=0", "seen.window", 0}, {"batch.max.bytes=1024", "batch.max.bytes", 1024},
        {"batch.max.bytes=2GiB", "batch.max.bytes", INT64_C(2147483648)}, {"batch.max.bytes=1024GiB", "batch.max.bytes", INT64_C(1) << 40},
        {"offset=-10", "offset", -10}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128];
        snprintf(text, sizeof text, NAME "%s\n", cases[i].line);
        struct config *config = good(text, NULL);
        assert_int_equal(config_integer(config, cases[i].key), cases[i].value);
        config_free(config);
    }
}

static void tells_bad_values(void **state) {
    (void)state;
    static const struct { const char *line, *message; } cases[] = {
        {"batch.max.records=abc", "batch.max.records = \"abc\" is not valid; expected a whole number from 1 to 100000"},
        {"batch.max.records=0", "batch.max.records = \"0\" is not valid; expected a whole number from 1 to 100000"},
        {"batch.max.records=100001", "batch.max.records = \"100001\" is not valid; expected a whole number from 1 to 100000"},
        {"batch.max.records=1 0", "batch.max.records = \"1 0\" is not valid; expected a whole number from 1 to 100000"},
        {"batch.max.records=+1", "batch.max.records = \"+1\" is not valid; expected a whole number from 1 to 100000"},
        {"batch.max.records=1KiB", "batch.max.records = \"1KiB\" is not valid; expected a whole number from 1 to 100000"},
        {"batch.max.records=99999999999999999999", "batch.max.records = \"99999999999999999999\" is not valid; expected a whole number from 1 to 100000"},
        {"batch.max.records=", "batch.max.records = \"\" is not valid; expected a whole number from 1 to 100000"},
        {"batch.max.bytes=1MB", "batch.max.bytes = \"1MB\" is not valid; expected a size such as 1048576, 512KiB or 64MiB from 1024 to 1099511627776 bytes"},
        /* 2^64 + 2^30 bytes */
        {"batch.max.bytes=17179869185GiB",
         "batch.max.bytes = \"17179869185GiB\" is not valid; expected a size such as 1048576, 512KiB or 64MiB from 1024 to 1099511627776 bytes"},
        {"seen.window=-1", "seen.window = \"-1\" is not valid; expected a duration such as 1500ms, 30s, 5m, 12h or 7d, 0 or more"},
        {"seen.window=5 m", "seen.window = \"5 m\" is not valid; expected a duration such as 1500ms, 30s, 5m, 12h or 7d, 0 or more"},
        {"rekey=yes", "rekey = \"yes\" is not valid; expected true or false"},
        {"rekey=TRUE", "rekey = \"TRUE\" is not valid; expected true or false"},
        {"log.format=xml", "log.format = \"xml\" is not valid; expected one of: human json"},
        {"log.format=human json", "log.format = \"human json\" is not valid; expected one of: human json"},
        {"log.format=", "log.format = \"\" is not valid; expected one of: human json"},
        {"metrics.listen=", "metrics.listen = \"\" is not valid; expected a text that is not empty"},
        {"offset=-11", "offset = \"-11\" is not valid; expected a whole number from -10 to 10"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128], message[512], variable[128] = "KONTOR_";
        snprintf(text, sizeof text, NAME "\n%s\n", cases[i].line);
        snprintf(message, sizeof message, "k.properties:3: %s", cases[i].message);
        refused(text, NULL, message);
        /* The same from the environment. */
        size_t used = 7, equals = strcspn(cases[i].line, "=");
        for (size_t c = 0; c < equals; c++) variable[used++] = cases[i].line[c] == '.' ? '_' : (char)(cases[i].line[c] - 32);
        snprintf(message, sizeof message, "environment %.*s: %s", (int)used, variable, cases[i].message);
        snprintf(variable + used, sizeof variable - used, "%s", cases[i].line + equals);
        refused(NAME, ENVIRONMENT(variable), message);
    }
}

static void tells_unknown_keys(void **state) {
    (void)state;
    refused(NAME "metrics.lisen=x\n", NULL, "k.properties:2: unknown key \"metrics.lisen\"; did you mean \"metrics.listen\"?");
    refused(NAME "batch.records=x\n", NULL, "k.properties:2: unknown key \"batch.records\"; did you mean \"batch.max.records\"?");
    refused(NAME "registry.pasword.file=x\n", NULL, "k.properties:2: unknown key \"registry.pasword.file\"; did you mean \"registry.password.file\"?");
    refused(NAME "offset.file=x\n", NULL, "k.properties:2: unknown key \"offset.file\"; did you mean \"offset\"?");
    refused(NAME "kafka.=x\n", NULL, "k.properties:2: unknown key \"kafka.\"; did you mean \"rekey\"?");
    refused(NAME, ENVIRONMENT("KONTOR_METRICS_LISEN=x"), "environment: unknown variable \"KONTOR_METRICS_LISEN\"; did you mean \"KONTOR_METRICS_LISTEN\"?");
    struct error error;
    assert_null(config_parse(NULL, 0, SLICE("a=b"), "f", NULL, &error));
    assert_string_equal(error.text, "f:1: unknown key \"a\"; no keys are known here");
}

static void tells_bad_lines(void **state) {
    (void)state;
    refused(NAME "nonsense\n", NULL, "k.properties:2: the line is not KEY=VALUE");
    refused(NAME "=nonsense\n", NULL, "k.properties:2: the line is not KEY=VALUE");
    refused(NAME "log.format=\xff\n", NULL, "k.properties:2: the line is not UTF-8 text; remove the bytes that are none");
    refused(NAME "log.format=\x01\n", NULL, "k.properties:2: the line is not UTF-8 text; remove the bytes that are none");
    refused(NAME "\n# a\nrekey=\\\n\\\ntrue\nrekey=true\n", NULL, "k.properties:7: rekey is given twice, first at k.properties:4; keep one");
    refused("instance.name=\n", NULL, "k.properties:1: instance.name = \"\" is not valid; expected a text that is not empty");
    refused("", NULL, "required key instance.name is missing; set it in k.properties or as KONTOR_INSTANCE_NAME (Name of this instance.)");
}

static void tells_all_at_once(void **state) {
    (void)state;
    refused("rekey=1\nofset=1\n", ENVIRONMENT("KONTOR_OFFSET=x", "KONTOR_LOG_FORMAT=y"),
            "k.properties:1: rekey = \"1\" is not valid; expected true or false\n"
            "k.properties:2: unknown key \"ofset\"; did you mean \"offset\"?\n"
            "environment KONTOR_LOG_FORMAT: log.format = \"y\" is not valid; expected one of: human json\n"
            "environment KONTOR_OFFSET: offset = \"x\" is not valid; expected a whole number from -10 to 10\n"
            "required key instance.name is missing; set it in k.properties or as KONTOR_INSTANCE_NAME (Name of this instance.)");
    /* Whole lines as far as they fit, and how many are left. */
    struct error error;
    char text[4096] = "";
    for (int i = 0; i < 50; i++) strcat(text, "nonsense\n");
    assert_null(parse(text, NULL, &error));
    const char *last = strrchr(error.text, '\n');
    assert_non_null(last);
    assert_string_equal(last, "\n... and 40 more problems");
    assert_int_equal(strncmp(error.text, "k.properties:1: the line is not KEY=VALUE\nk.properties:2: ", 57), 0);
}

/* ---- secrets ---- */

static void write_file(const char *path, const char *bytes, size_t length) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void hides_secrets(void **state) {
    (void)state;
    char path[] = "/tmp/kontor-config-XXXXXX";
    close(mkstemp(path));
    write_file(path, "s3cret\r\n", 8);
    char text[512], variable[128];
    snprintf(text, sizeof text, NAME "registry.password.file=%s\nkafka.sasl.password.file=%s\nkafka.ssl.key.location=/k\n", path, path);
    struct config *config = good(text, NULL);
    assert_string_equal(config_text(config, "registry.password"), "s3cret");
    struct collected collected = {""};
    config_each(config, "kafka.", collect, &collected);
    assert_string_equal(collected.text, "sasl.password=s3cret;ssl.key.location=/k;");
    char *printed = NULL, expected[4096];
    size_t size = 0;
    FILE *stream = open_memstream(&printed, &size);
    config_print(config, stream);
    fclose(stream);
    snprintf(expected, sizeof expected,
             "# k.properties:1\ninstance.name=a\n# default\nmetrics.listen=127.0.0.1:9464\n# default\nbatch.max.records=500\n# default\nbatch.max.bytes=4MiB\n"
             "# default\nseen.window=35d\n# default\nrekey=false\n# default\nlog.format=human\n# default\noffset=-5\n"
             "# k.properties:2, from the file %s\nregistry.password=********\n# default\nretry.limit=\n"
             "# k.properties:3, from the file %s\nkafka.sasl.password=********\n# k.properties:4\nkafka.ssl.key.location=/k\n", path, path);
    assert_string_equal(printed, expected);
    free(printed);
    config_free(config);

    snprintf(variable, sizeof variable, "KONTOR_REGISTRY_PASSWORD_FILE=%s", path);
    config = good(NAME "registry.password=other\n", ENVIRONMENT(variable));
    assert_string_equal(config_text(config, "registry.password"), "s3cret");
    config_free(config);
    snprintf(variable, sizeof variable, "KONTOR_KAFKA_SASL_PASSWORD_FILE=%s", path);
    config = good(NAME, ENVIRONMENT(variable));
    collected.text[0] = 0;
    config_each(config, "kafka.", collect, &collected);
    assert_string_equal(collected.text, "sasl.password=s3cret;");
    config_free(config);

    refused(NAME "registry.password=x\nregistry.password.file=/nowhere/at/all\n", NULL,
            "k.properties:3: the secret registry.password: /nowhere/at/all cannot be opened: No such file or directory");
    snprintf(text, sizeof text, NAME "registry.password=hunter2\nregistry.password.file=%s\n", path);
    snprintf(expected, sizeof expected, "k.properties:3, from the file %s: registry.password is given twice, first at k.properties:2; keep one", path);
    refused(text, NULL, expected);
    write_file(path, "a\0b", 3);
    snprintf(text, sizeof text, NAME "registry.password.file=%s\n", path);
    snprintf(expected, sizeof expected, "k.properties:2: the secret registry.password: %s holds a zero byte", path);
    refused(text, NULL, expected);
    /* A secret number that is wrong is not shown either. */
    static const struct config_key pin[] = {{.name = "pin", .help = "h", .kind = CONFIG_INTEGER, .secret = true}};
    struct error error;
    assert_null(config_parse(pin, 1, SLICE("pin=hunter2"), "f", NULL, &error));
    assert_string_equal(error.text, "f:1: pin = \"********\" is not valid; expected a whole number, 0 or more");
    unlink(path);
}

static void loads_from_disk(void **state) {
    (void)state;
    char path[] = "/tmp/kontor-config-XXXXXX", expected[256];
    close(mkstemp(path));
    write_file(path, NAME "rekey=maybe\n", strlen(NAME "rekey=maybe\n"));
    struct error error;
    assert_null(config_load(keys, KEYS, path, &error));
    snprintf(expected, sizeof expected, "%s:2: rekey = \"maybe\" is not valid; expected true or false", path);
    assert_string_equal(error.text, expected);
    setenv("KONTOR_INSTANCE_NAME", "from-outside", 1);
    struct config *config = config_load(keys, KEYS, NULL, &error);
    assert_non_null(config);
    assert_string_equal(config_text(config, "instance.name"), "from-outside");
    config_free(config);
    unsetenv("KONTOR_INSTANCE_NAME");
    unlink(path);
    assert_null(config_load(keys, KEYS, path, &error));
    snprintf(expected, sizeof expected, "the configuration file: %s cannot be opened: No such file or directory", path);
    assert_string_equal(error.text, expected);
    assert_null(config_load(keys, KEYS, "/tmp", &error));
    assert_string_equal(error.text, "the configuration file: /tmp is not a regular file");
}

static void describes_itself(void **state) {
    (void)state;
    char *printed = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&printed, &size);
    config_describe(keys, 3, stream);
    fclose(stream);
    assert_string_equal(printed, "instance.name  (KONTOR_INSTANCE_NAME)\n    Name of this instance.\n    a text that is not empty; required\n"
                                 "metrics.listen  (KONTOR_METRICS_LISTEN)\n    Address for metrics.\n    a text that is not empty; default 127.0.0.1:9464\n"
                                 "batch.max.records  (KONTOR_BATCH_MAX_RECORDS)\n    Records of a batch.\n    a whole number from 1 to 100000; default 500\n");
    free(printed);
}

/* ---- defects of the program abort ---- */

static void ask_undeclared(void) { config_text(good(NAME, NULL), "nobody.knows"); }
static void ask_wrong_kind(void) { config_integer(good(NAME, NULL), "rekey"); }
static void declare_twice(void) {
    static const struct config_key twice[] = {{.name = "a.b", .fallback = "x", .help = "h"}, {.name = "a_b", .fallback = "x", .help = "h"}};
    struct error error;
    config_free(config_parse(twice, 2, SLICE(""), NULL, NULL, &error));
}
static void declare_bad_fallback(void) {
    static const struct config_key bad[] = {{.name = "a", .fallback = "11", .help = "h", .kind = CONFIG_INTEGER, .minimum = 1, .maximum = 10}};
    struct error error;
    config_free(config_parse(bad, 1, SLICE(""), NULL, NULL, &error));
}

static void aborts(void (*defect)(void), const char *message) {
    int ends[2];
    char said[256] = "";
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        defect();
        _exit(0);
    }
    close(ends[1]);
    FILE *stream = fdopen(ends[0], "r");
    assert_non_null(fgets(said, sizeof said, stream));
    fclose(stream);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_string_equal(said, message);
}

static void aborts_on_defects(void **state) {
    (void)state;
    aborts(ask_undeclared, "configuration key nobody.knows: asked for, but not declared\n");
    aborts(ask_wrong_kind, "configuration key rekey: asked for as a number, but declared as none\n");
    aborts(declare_twice, "configuration key a_b: declared twice, or with the same environment variable as another\n");
    aborts(declare_bad_fallback, "configuration key a: its fallback is no value that it allows\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_file), cmocka_unit_test(falls_back), cmocka_unit_test(environment_wins), cmocka_unit_test(passes_kafka_keys_through),
        cmocka_unit_test(reads_units), cmocka_unit_test(tells_bad_values), cmocka_unit_test(tells_unknown_keys), cmocka_unit_test(tells_bad_lines),
        cmocka_unit_test(tells_all_at_once), cmocka_unit_test(hides_secrets), cmocka_unit_test(loads_from_disk), cmocka_unit_test(describes_itself),
        cmocka_unit_test(aborts_on_defects)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
