#include "common/runtime/main.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/platform/clock.h"
#include "common/platform/log.h"
#include "common/platform/signals.h"
#include "common/runtime/consumer.h"
#include "common/runtime/fault.h"
#include "common/runtime/health.h"
#include "common/runtime/layout_text.h"
#include "common/runtime/loop.h"
#include "common/runtime/schemas.h"
#include "common/runtime/settings.h"

#ifndef KONTOR_VERSION
#define KONTOR_VERSION "0.1.0"
#endif

enum { DAY_MS = 86400000 };
enum {
    ASK_MS = 500,               /* of the broker, at start */
    RETRY_MS = 500,
    HURRY_AFTER_MS = 1000,      /* after the request to stop: waits are given up */
    END_AFTER_MS = 1700,        /* ... the process ends, whatever it waits for; as safe as kill -9 is */
    LEAVE_JOIN_MS = 30000, LEAVE_PARTITIONS = 4096,
    NAME_SIZE = 256, PATH_SIZE = 4096
};

/* All that a process holds, in the order it is made; freed in the other. */
struct process {
    const struct processor *processor;
    struct config *config;
    struct client_settings settings;
    struct serve *serve;
    struct tail *tail;
    struct topics *topics;
    struct registry *registry;
    struct schemas *schemas;
    struct tables *tables;
    const struct table *table_list[MASTER_COUNT + 1];
    int lock, wake;
    char program[NAME_SIZE], group[NAME_SIZE], transactional_id[2 * NAME_SIZE], dir[PATH_SIZE], states_dir[PATH_SIZE], tables_dir[PATH_SIZE], schemas_dir[PATH_SIZE];
};

/* ---- stopping in time ---- */

static atomic_llong stopped_ms;
static atomic_int end_code = EXIT_STOPPED;

static bool hurried(void) {
    long long at = atomic_load_explicit(&stopped_ms, memory_order_relaxed);
    return at && clock_monotonic_ms() - at > HURRY_AFTER_MS;
}

/* A thread of its own: librdkafka has calls that nothing interrupts. */
static void *watch_the_end(void *nothing) {
    (void)nothing;
    while (!signals_wait(-1)) {}
    atomic_store(&stopped_ms, clock_monotonic_ms());
    struct timespec rest = {END_AFTER_MS / 1000, END_AFTER_MS % 1000 * 1000000L};
    nanosleep(&rest, NULL);
    log_warning("stopped", "stopped without waiting any longer; what was not committed is taken again at the next start");
    log_finish();
    _exit(atomic_load(&end_code));
}

/* Says why it ends, and sees to it that it does. */
static void end(const struct fatal_cause *fatal) {
    log_error_with("ended", LOG_FIELDS(LOG_INTEGER("exit_code", fatal->exit_code)), "%s", fatal->error.text);
    atomic_store(&end_code, (int)fatal->exit_code);
    signals_stop();
}

static bool start_watch(struct error *error) {
    pthread_t thread;
    if (!signals_install(error)) return false;
    if (pthread_create(&thread, NULL, watch_the_end, NULL) != 0) return error_set(error, "no thread can be started: %m");
    pthread_detach(thread);
    return true;
}

/* ---- the environment ---- */

static bool make_dir(const char *path, struct error *error) {
    char part[PATH_SIZE];
    snprintf(part, sizeof part, "%s", path);
    for (char *at = part + 1;; at++) {
        if (*at != '/' && *at != 0) continue;
        char kept = *at;
        *at = 0;
        if (mkdir(part, 0750) != 0 && errno != EEXIST) return error_set(error, "state.dir: %s cannot be made: %m", part);
        *at = kept;
        if (kept == 0) return true;
    }
}

/* One process for each state folder. */
static enum step lock_dir(struct process *process, struct fatal_cause *fatal) {
    char path[PATH_SIZE + 8];
    struct error error;
    if (!make_dir(process->dir, &error)) return fatal_because(fatal, EXIT_CONFIGURATION, "%.500s", error.text);
    snprintf(path, sizeof path, "%s/lock", process->dir);
    process->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (process->lock < 0) return fatal_because(fatal, EXIT_CONFIGURATION, "%.400s cannot be opened: %m", path);
    if (flock(process->lock, LOCK_EX | LOCK_NB) == 0) return STEP_DONE;
    return fatal_because(fatal, EXIT_TWIN, "another process uses state.dir %.400s: give each instance its own", process->dir);
}

static void say_unready(struct process *process, const char *what, const struct error *error) {
    char line[700];
    int length = snprintf(line, sizeof line, "%s: %s\n", what, error->text);
    serve_set_reasons(process->serve, (struct slice){line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1});
    log_warning("not_ready", "%s: %s", what, error->text);
}

static enum step await_topics(struct process *process, struct fatal_cause *fatal) {
    struct error error;
    while (!signals_stopping()) {
        switch (topics_look(process->tail, process->processor, ASK_MS, process->topics, &error)) {
        case TOPICS_FINE: return STEP_DONE;
        case TOPICS_WRONG: return fatal_because(fatal, EXIT_CONFIGURATION, "%.500s", error.text);
        case TOPICS_UNREACHABLE: say_unready(process, "kafka", &error);
        }
        signals_wait(RETRY_MS);
    }
    return STEP_DONE;
}

static enum step await_schemas(struct process *process, struct fatal_cause *fatal) {
    struct error error = {{0}};
    while (!signals_stopping()) {
        switch (schemas_prepare(process->schemas, process->processor, process->topics->erps, &error)) {
        case REGISTRY_FOUND: return STEP_DONE;
        case REGISTRY_UNREACHABLE: say_unready(process, "schema registry", &error); break;
        case REGISTRY_UNKNOWN: case REGISTRY_REFUSED: case REGISTRY_NOT_AVRO: case REGISTRY_CHANGED:
            return fatal_because(fatal, EXIT_CONFIGURATION, "%.500s", error.text);
        }
        signals_wait(RETRY_MS);
    }
    return STEP_DONE;
}

static const char *text_or_null(const struct config *config, const char *name) { return config_is_set(config, name) ? config_text(config, name) : NULL; }

static bool open_registry(struct process *process, struct error *error) {
    const struct config *c = process->config;
    const struct registry_options options = {
        .urls = config_text(c, "registry.url"), .user = text_or_null(c, "registry.user"), .password = text_or_null(c, "registry.password"),
        .ca_file = text_or_null(c, "registry.ca.file"), .certificate_file = text_or_null(c, "registry.certificate.file"),
        .key_file = text_or_null(c, "registry.key.file"), .directory = process->schemas_dir,
        .connect_timeout_ms = (uint32_t)config_integer(c, "registry.timeout.ms"), .timeout_ms = (uint32_t)config_integer(c, "registry.timeout.ms")};
    process->registry = registry_new(&options, error);
    return process->registry && schemas_open(&process->schemas, process->registry, error);
}

static bool open_tables(struct process *process, struct error *error) {
    const char *sources[MASTER_COUNT] = {0};
    settings_table_sources(process->config, process->processor, sources);
    engine_tables(process->processor, process->table_list);
    const struct tables_options options = {process->tables_dir, process->table_list, sources, clock_wall_ms(), process->topics->tables_maximum_age_ms};
    return tables_open(&process->tables, &options, error);
}

/* ---- running ---- */

static struct loop_options loop_options(const struct process *process) {
    const struct config *c = process->config;
    return (struct loop_options){
        .processor = process->processor, .version = KONTOR_VERSION, .settings = &process->settings, .group = process->group,
        .instance = config_text(c, "instance.name"), .transactional_id = process->transactional_id, .states_dir = process->states_dir,
        .tables_dir = process->tables_dir, .topics = process->topics, .tail = process->tail, .tables = process->tables, .table_list = process->table_list,
        .registry = process->registry, .schemas = process->schemas, .serve = process->serve, .wake = process->wake,
        .compression = config_text(c, "compression"), .session_timeout_ms = (int)config_integer(c, "session.timeout.ms"),
        .transaction_timeout_ms = (int)config_integer(c, "transaction.timeout.ms"), .call_timeout_ms = (int)config_integer(c, "transaction.call.timeout.ms"),
        .batch_records = config_integer(c, "batch.max.records"), .batch_bytes = config_integer(c, "batch.max.bytes"),
        .batch_memory = config_integer(c, "batch.memory"), .batch_ms = config_integer(c, "batch.max.ms"), .commit_gap_ms = config_integer(c, "commit.gap.ms"),
        .keep_event_ids_days = (int32_t)(config_integer(c, "state.keep.event.ids") / DAY_MS), .keep_documents_days = (int32_t)(config_integer(c, "state.keep.documents") / DAY_MS),
        .wait_limit_ms = config_integer(c, "parking.limit"), .timers_interval_ms = config_integer(c, "timers.interval"),
        .flood_window = (int)config_integer(c, "poison.flood.window"),
        .flood_percent = (int)config_integer(c, "poison.flood.percent"), .leave = config_boolean(c, "leave.on.stop"), .stopping = signals_stopping,
        .hurried = hurried, .ending = end, .stop_descriptor = signals_descriptor(),
#ifdef KONTOR_FAULT_POINTS
        .at_least_once = config_choice(c, "processing.guarantee") == 1,
#endif
    };
}

static enum step run(struct process *process, struct fatal_cause *fatal) {
    struct error error;
    enum step step = lock_dir(process, fatal);
    if (step != STEP_DONE) return step;
    process->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    process->topics = calloc(1, sizeof *process->topics);
    if (process->wake < 0 || !process->topics) return fatal_because(fatal, EXIT_RUN, "out of memory or descriptors");
    if (!serve_open(&process->serve, process->processor, KONTOR_VERSION, config_text(process->config, "metrics.listen"), &error) ||
        !tail_open(&process->tail, &process->settings, process->wake, &error) || !open_registry(process, &error))
        return fatal_because(fatal, EXIT_CONFIGURATION, "%.500s", error.text);
    log_info_with("started", LOG_FIELDS(LOG_TEXT("instance", config_text(process->config, "instance.name")), LOG_TEXT("version", KONTOR_VERSION),
                                        LOG_TEXT("metrics", serve_address(process->serve))), "%s has started", process->program);
    step = await_topics(process, fatal);
    if (step == STEP_DONE) step = await_schemas(process, fatal);
    if (step != STEP_DONE || signals_stopping()) return step;
    if (!open_tables(process, &error)) return fatal_because(fatal, EXIT_CONFIGURATION, "%.500s", error.text);
    const struct loop_options options = loop_options(process);
    return loop_run(&options, fatal);
}

/* Takes the place of this (stopped) instance in the group and gives it up, so that its partitions move at once. */
static enum step leave(struct process *process, struct fatal_cause *fatal) {
    const struct processor *processor = process->processor;
    struct topics_inputs inputs;
    topics_inputs(processor, &inputs);
    enum step step = lock_dir(process, fatal);
    if (step != STEP_DONE) return step;
    struct consumer *consumer;
    struct error error;
    const struct consumer_options options = {&process->settings, process->group, config_text(process->config, "instance.name"), inputs.names, inputs.count, LEAVE_PARTITIONS,
                                             (int)config_integer(process->config, "session.timeout.ms"), eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), NULL};
    if (!consumer_open(&consumer, &options, &error)) return fatal_because(fatal, EXIT_CONFIGURATION, "%.500s", error.text);
    int64_t deadline = clock_monotonic_ms() + LEAVE_JOIN_MS;
    struct consumer_change change;
    while (step == STEP_DONE && !consumer_is_assigned(consumer) && !signals_wait(50)) {
        step = consumer_poll(consumer, &change, fatal);
        if (step == STEP_DONE && clock_monotonic_ms() > deadline)
            step = fatal_because(fatal, EXIT_RUN, "group %s did not answer within %d s: %s", process->group, LEAVE_JOIN_MS / 1000, consumer_reason(consumer));
    }
    consumer_close(consumer, true, 5000);
    close(options.wake);
    if (step == STEP_DONE) log_info("left", "gave the place in group %s up", process->group);
    return step;
}

static void process_close(struct process *process) {
    tables_close(process->tables);
    schemas_close(process->schemas);
    registry_free(process->registry);
    tail_close(process->tail);
    serve_close(process->serve);
    free(process->topics);
    if (process->wake >= 0) close(process->wake);
    if (process->lock >= 0) close(process->lock);
    config_free(process->config);
}

/* ---- the command line ---- */

struct arguments { const char *config; bool print_config, print_layout, help, version, leave, health; };

static bool parse(int argc, char **argv, struct arguments *arguments) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) arguments->config = argv[++i];
        else if (strncmp(argv[i], "--config=", 9) == 0) arguments->config = argv[i] + 9;
        else if (strcmp(argv[i], "--print-config") == 0) arguments->print_config = true;
        else if (strcmp(argv[i], "--print-layout") == 0) arguments->print_layout = true;
        else if (strcmp(argv[i], "--leave") == 0) arguments->leave = true;
        else if (strcmp(argv[i], "--health") == 0) arguments->health = true;
        else if (strcmp(argv[i], "--version") == 0) arguments->version = true;
        else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) arguments->help = true;
        else {
            fprintf(stderr, "%s: unknown argument %s; see --help\n", argv[0], argv[i]);
            return false;
        }
    }
    return true;
}

static void print_help(const char *program, const struct config_key *keys, size_t count) {
    printf("usage: %s --config FILE [--print-config | --leave | --health] | --print-layout | --help | --version\n\n"
           "Example:\n"
           "    %s --config /etc/kontor/%s.properties\n"
           "with at least\n"
           "    instance.name=%s-0\n"
           "    state.dir=/var/lib/kontor/%s-0\n"
           "    kafka.bootstrap.servers=127.0.0.1:9092\n"
           "    tables.source=SAP\n\n"
           "    --print-config  prints the configuration in force, secrets masked, and ends\n"
           "    --print-layout  prints with which schemas this program keeps its state, for kontor state migrate, and ends\n"
           "    --leave         gives up the place in the group of this instance, which must be stopped, so that its partitions move at once, and ends\n"
           "    --health        asks the instance that runs at metrics.listen whether it is ready, prints what it says, and ends with 0 or 1: for a health check\n\n"
           "SIGTERM stops it within two seconds; its place in the group is kept for session.timeout.ms.\n"
           "Exit codes: 0 stopped as asked; 1 the configuration or the environment cannot work; 2 usage; 3 it could not go on; 4 another instance has this name.\n\n"
           "Configuration: a properties file; each key also as KONTOR_ and its name in upper case with underscores for dots.\n\n",
           program, program, program, program + strlen("kontor-"), program + strlen("kontor-"));
    config_describe(keys, count, stdout);
}

static int print_layout(const struct processor *processor) {
    struct buffer text = {0};
    bool ok = layout_text_append(processor, &text) && fwrite(text.data, 1, text.length, stdout) == text.length && fflush(stdout) == 0;
    buffer_free(&text);
    return ok ? EXIT_STOPPED : EXIT_RUN;
}

static bool prepare(struct process *process, struct error *error) {
    const struct config *c = process->config;
    const char *dir = config_text(c, "state.dir");
    if (strlen(dir) > PATH_SIZE - 32) return error_set(error, "state.dir is too long");
    snprintf(process->group, sizeof process->group, "kontor.%s", process->processor->name);
    snprintf(process->transactional_id, sizeof process->transactional_id, "%s.%s", process->group, config_text(c, "instance.name"));
    snprintf(process->dir, sizeof process->dir, "%s", dir);
    snprintf(process->states_dir, sizeof process->states_dir, "%.4000s/tasks", dir);
    snprintf(process->tables_dir, sizeof process->tables_dir, "%.4000s/tables", dir);
    snprintf(process->schemas_dir, sizeof process->schemas_dir, "%.4000s/schemas", dir);
    log_start((enum log_level)config_choice(c, "log.level"), (enum log_format)config_choice(c, "log.format"), process->program);
#ifdef KONTOR_FAULT_POINTS
    if (!fault_arm(config_text(c, "fault"), error)) return false;
    if (config_choice(c, "processing.guarantee") == 1) log_warning("at_least_once", "a test build that was told to send without transactions: outputs may come twice");
#endif
    return settings_kafka(c, &process->settings, error);
}

int processor_main(int argc, char **argv, const struct processor *processor) {
    struct process process = {.processor = processor, .lock = -1, .wake = -1};
    struct arguments arguments = {0};
    struct error error;
    size_t count;
    const struct config_key *keys = settings_keys(processor, &count);
    snprintf(process.program, sizeof process.program, "kontor-%s", processor->name);
    if (!parse(argc, argv, &arguments)) return EXIT_USAGE;
    if (arguments.help) return print_help(process.program, keys, count), EXIT_STOPPED;
    if (arguments.version) return printf("%s %s\n", process.program, KONTOR_VERSION), EXIT_STOPPED;
    if (arguments.print_layout) return print_layout(processor);
    if (arguments.health) return health_check(keys, count, arguments.config);
    process.config = config_load(keys, count, arguments.config, &error);
    if (!process.config) {
        fprintf(stderr, "%s: %s\n", process.program, error.text);
        return EXIT_CONFIGURATION;
    }
    if (arguments.print_config) return config_print(process.config, stdout), config_free(process.config), EXIT_STOPPED;
    struct fatal_cause fatal;
    enum step step = STEP_DONE;
    if (!prepare(&process, &error) || !start_watch(&error)) step = fatal_because(&fatal, EXIT_CONFIGURATION, "%.500s", error.text);
    if (step == STEP_DONE) step = arguments.leave ? leave(&process, &fatal) : run(&process, &fatal);
    if (step != STEP_DONE && atomic_load(&end_code) == EXIT_STOPPED) end(&fatal);
    process_close(&process);
    if (step == STEP_DONE) log_info("stopped", "%s has stopped", process.program);
    log_finish();
    return step == STEP_DONE ? EXIT_STOPPED : (int)fatal.exit_code;
}
