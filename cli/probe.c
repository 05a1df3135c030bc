/* kontor probe: a synthetic event of every flow, each minute, followed to its acknowledgment (docs/probe.md). */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cli/probe_file.h"
#include "cli/probe_metrics.h"
#include "cli/probe_send.h"
#include "cli/probe_watch.h"
#include "cli/table.h"
#include "common/platform/clock.h"
#include "common/platform/http.h"
#include "common/platform/log.h"
#include "common/platform/signals.h"
#include "common/runtime/health.h"

enum { EVERY_MS = 60000, TIMEOUT_MS = 30000, STEP_MS = 50, ONCE_MS = 60000 };

/* A flow that is probed, and the event of it that is on its way. */
struct flow {
    char *name;
    size_t turn;                /* whose of its events it is */
    bool waiting, delivered, failing, done;
    uint32_t round;
    char id[PROBE_ID_SIZE];
    struct buffer key;
    const char *outcome;        /* what is to become of it */
    int64_t sent_ns;
    char told[400];             /* --once: what became of it */
    int64_t took_ns;
    struct probe_counts counts;
};

struct probe {
    const struct invocation *invocation;
    struct connection connection;
    struct topic_list topics;
    struct probe_file file;
    struct probe_watch *watch;
    struct probe_send *send;
    struct metrics *metrics;
    struct http_server *server;
    struct flow flows[PROBE_FLOWS_MAXIMUM];
    size_t flow_count, named;   /* named: flows with a policy in this round */
    uint64_t run;               /* tells this process' events from every other's */
    uint32_t round;
    int64_t every_ms, timeout_ms, due_ms;
    bool once, began;
    pthread_mutex_t lock;
    struct error unready;       /* under the lock, for /readyz */
};

/* ---- what an operator sees ---- */

static bool is_ready(void *context, struct buffer *reasons) {
    struct probe *probe = context;
    pthread_mutex_lock(&probe->lock);
    const size_t length = strlen(probe->unready.text);
    (void)!(buffer_append(reasons, probe->unready.text, length) && (!length || buffer_append(reasons, "\n", 1)));
    pthread_mutex_unlock(&probe->lock);
    return !length;
}

static void set_reason(struct probe *probe, const char *reason) {
    pthread_mutex_lock(&probe->lock);
    error_set(&probe->unready, "%s", reason);
    pthread_mutex_unlock(&probe->lock);
}

/* ---- a flow's event, from one end to the other ---- */

static void flow_failed(struct flow *flow, enum probe_reached reached, const char *why) {
    flow->waiting = false;
    flow->failing = flow->done = true;
    snprintf(flow->told, sizeof flow->told, "%s", why);
    counter_add(flow->counts.failures[reached], 1);
    log_warning_with("probe_failed", LOG_FIELDS(LOG_TEXT("flow", flow->name), LOG_TEXT("reached", probe_reached_names[reached]), LOG_TEXT("event_id", flow->id)), "%s: %s", flow->name, why);
}

static void flow_succeeded(struct flow *flow) {
    flow->took_ns = clock_monotonic_ns() - flow->sent_ns;
    histogram_observe(flow->counts.seconds, flow->took_ns);
    gauge_set(flow->counts.succeeded_ms, clock_wall_ms());
    if (flow->failing) log_info_with("probe_succeeded", LOG_FIELDS(LOG_TEXT("flow", flow->name)), "%s: synthetic events go round again", flow->name);
    flow->waiting = flow->failing = false;
    flow->done = true;
    snprintf(flow->told, sizeof flow->told, "%s", flow->outcome);
}

static uintptr_t number_of(const struct probe *probe, const struct flow *flow) { return (uintptr_t)(flow - probe->flows) | (uintptr_t)flow->round << 8; }

static void take_delivery(void *context, uintptr_t number, const char *why) {
    struct probe *probe = context;
    struct flow *flow = &probe->flows[number & 0xff];
    char text[300];
    if (number_of(probe, flow) != number || !flow->waiting) return;     /* of an earlier round */
    flow->delivered = !why;
    if (!why) return;
    snprintf(text, sizeof text, "the broker has not taken it: %.200s", why);
    flow_failed(flow, REACHED_NOTHING, text);
}

static bool wants(void *context, struct slice key) {
    struct probe *probe = context;
    for (size_t i = 0; i < probe->flow_count; i++)
        if (probe->flows[i].waiting && slice_equal(buffer_slice(&probe->flows[i].key), key)) return true;
    return false;
}

static void take_acknowledgment(void *context, const struct acknowledgment *told) {
    static const char *const names[ACKNOWLEDGED_OUTCOME_COUNT] = {
        [ACKNOWLEDGED_OUTCOME_ACCEPTED] = "accepted", [ACKNOWLEDGED_OUTCOME_DUPLICATE] = "duplicate", [ACKNOWLEDGED_OUTCOME_REJECTED] = "rejected",
        [ACKNOWLEDGED_OUTCOME_HELD] = "held", [ACKNOWLEDGED_OUTCOME_PARKED] = "parked"};
    struct probe *probe = context;
    struct flow *flow = NULL;
    char why[sizeof flow->told];
    for (size_t i = 0; i < probe->flow_count && !flow; i++)
        if (probe->flows[i].waiting && slice_equal(told->event_id, slice_of(probe->flows[i].id))) flow = &probe->flows[i];
    if (!flow) return;
    if (strcmp(names[told->outcome], flow->outcome) == 0) {
        flow_succeeded(flow);
        return;
    }
    size_t length = (size_t)snprintf(why, sizeof why, "acknowledged as %s, not %s", names[told->outcome], flow->outcome);
    for (size_t i = 0; i < told->reasons.count && length < sizeof why; i++)
        length += (size_t)snprintf(why + length, sizeof why - length, "; " SLICE_FORMAT " " SLICE_FORMAT " " SLICE_FORMAT, SLICE_ARGUMENT(told->reasons.items[i].code),
                                   SLICE_ARGUMENT(told->reasons.items[i].field), SLICE_ARGUMENT(told->reasons.items[i].text));
    flow_failed(flow, REACHED_ACKNOWLEDGED, why);
}

static void flow_silent(const struct probe *probe, struct flow *flow) {
    char why[200];
    snprintf(why, sizeof why, flow->delivered ? "no acknowledgment within %" PRId64 " s" : "the broker has not taken it within %" PRId64 " s", probe->timeout_ms / 1000);
    flow_failed(flow, flow->delivered ? REACHED_PRODUCED : REACHED_NOTHING, why);
}

static void flow_send(struct probe *probe, struct flow *flow, const struct probe_flow *declared) {
    struct error why;
    if (flow->waiting) flow_silent(probe, flow);
    flow->round = probe->round;
    flow->waiting = flow->delivered = flow->done = false;
    snprintf(flow->id, sizeof flow->id, "probe-%016" PRIx64 "-%" PRIu32 "-%.24s", probe->run, probe->round, flow->name);
    if (!declared) {
        flow_failed(flow, REACHED_NOTHING, "master.flow-policies has the flow, and the file has no event of it, nor says null");
        return;
    }
    const struct probe_event *event = &declared->events[flow->turn++ % declared->count];
    const int32_t today = (int32_t)(clock_wall_ms() / 86400000);
    if (!probe_watch_permits(probe->watch, event->source, event->topic, event->entity, today)) {
        error_set(&why, "%s may not send synthetic events of %s to %s: master.source-permissions needs a record that says so", event->source, event->entity, event->topic);
        flow_failed(flow, REACHED_NOTHING, why.text);
        return;
    }
    buffer_reset(&flow->key);
    flow->outcome = event->outcome;
    flow->sent_ns = clock_monotonic_ns();
    if (!probe_send_event(probe->send, event, flow->id, number_of(probe, flow), &flow->key, &why)) {
        flow_failed(flow, REACHED_NOTHING, why.text);
        return;
    }
    flow->waiting = true;
    counter_add(flow->counts.sent, 1);
}

/* ---- a round ---- */

/* A flow that has a policy. */
static void visit_flow(void *context, const char *name) {
    struct probe *probe = context;
    const struct probe_flow *declared = probe_file_flow(&probe->file, name);
    size_t i = 0;
    probe->named++;
    if (declared && !declared->count) return;
    while (i < probe->flow_count && strcmp(probe->flows[i].name, name) != 0) i++;
    if (i == PROBE_FLOWS_MAXIMUM) return;
    struct flow *flow = &probe->flows[i];
    if (i == probe->flow_count) {
        if (!(flow->name = strdup(name))) return;   /* in the next round */
        probe->flow_count++;
        probe_metrics_flow(probe->metrics, name, &flow->counts);
    }
    flow_send(probe, flow, declared);
}

static void expire(struct probe *probe) {
    for (size_t i = 0; i < probe->flow_count; i++)
        if (probe->flows[i].waiting && clock_monotonic_ns() - probe->flows[i].sent_ns >= probe->timeout_ms * 1000000) flow_silent(probe, &probe->flows[i]);
}

static void round_begin(struct probe *probe) {
    const int64_t now = clock_monotonic_ms();
    probe->due_ms = probe->due_ms && now - probe->due_ms < probe->every_ms ? probe->due_ms + probe->every_ms : now + probe->every_ms;
    probe->round++;
    probe->named = 0;
    probe_watch_flows(probe->watch, (int32_t)(clock_wall_ms() / 86400000), visit_flow, probe);
    probe->began = probe->named > 0;
    if (!probe->named) set_reason(probe, HEALTH_MASTER_DATA "master.flow-policies has no policy that holds today: no flow is probed");
}

/* --once: whether everything that was sent has come to its end. */
static bool is_done(const struct probe *probe) {
    bool done = probe->began;
    for (size_t i = 0; i < probe->flow_count; i++) done = done && probe->flows[i].done;
    return done;
}

static void run(struct probe *probe) {
    const struct probe_listener listener = {probe, wants, take_acknowledgment};
    const int64_t until_ms = clock_monotonic_ms() + ONCE_MS;
    while (!signals_stopping() && !(probe->once && (is_done(probe) || clock_monotonic_ms() > until_ms))) {
        probe_watch_step(probe->watch, STEP_MS, &listener);
        probe_send_step(probe->send);
        expire(probe);
        const char *reason = probe_watch_reason(probe->watch);
        if (*reason) set_reason(probe, reason);
        if (*reason && (!probe->began || probe->once)) {
            signals_wait(STEP_MS);
        } else if (clock_monotonic_ms() >= probe->due_ms && !(probe->once && probe->began)) {
            set_reason(probe, "");
            round_begin(probe);
        }
    }
}

/* ---- the command ---- */

static enum exit_status print_round(const struct probe *probe) {
    static const struct table_column columns[] = {{"flow", false}, {"milliseconds", true}, {"what became of it", false}};
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    bool all = is_done(probe);
    for (size_t i = 0; i < probe->flow_count; i++) {
        const struct flow *flow = &probe->flows[i];
        table_text(table, flow->name);
        table_number(table, flow->took_ns / 1000000);
        table_text(table, flow->told);
        all = all && !flow->failing;
    }
    bool ok = table_print(table, probe->invocation->format, stdout);
    table_free(table);
    if (!probe->began) fprintf(stderr, "kontor: nothing was sent: %s\n", probe->unready.text[0] ? probe->unready.text : probe_watch_reason(probe->watch));
    return ok && all ? EXIT_DONE : EXIT_FAILED;
}

static bool probe_open(struct probe *probe, struct error *error) {
    const struct invocation *invocation = probe->invocation;
    probe->every_ms = option_number(invocation, "every", EVERY_MS);
    probe->timeout_ms = option_number(invocation, "timeout", probe->every_ms < TIMEOUT_MS ? probe->every_ms : TIMEOUT_MS);
    probe->once = option_given(invocation, "once");
    if (!probe->every_ms || !probe->timeout_ms || (probe->timeout_ms > probe->every_ms && !probe->once))
        return error_set(error, "--timeout is from 1s to what --every says: an event is to have come round before the next one is sent");
    if (getrandom(&probe->run, sizeof probe->run, 0) != (ssize_t)sizeof probe->run) probe->run = (uint64_t)clock_wall_ms();
    /* The command line's usual level is for commands that end: this one has an operator's log to write. */
    if (config_choice(probe->connection.config, "log.level") == LOG_LEVEL_ERROR && !probe->once)
        log_start(LOG_LEVEL_INFO, (enum log_format)config_choice(probe->connection.config, "log.format"), "kontor-probe");
    probe->metrics = metrics_new();
    if (!probe->metrics) return error_set(error, "out of memory");
    probe_metrics_process(probe->metrics, KONTOR_VERSION, probe->every_ms);
    if (!connection_topic_list(&probe->connection, &probe->topics, NULL, NULL, 0, error) || !probe_file_read(&probe->file, invocation->words[0], &probe->topics, error) ||
        !signals_install(error) || !probe_watch_open(&probe->watch, &probe->connection, error) ||
        !probe_send_open(&probe->send, &probe->connection, &probe->topics, probe->timeout_ms, take_delivery, probe, error)) return false;
    if (probe->once) return true;
    const struct http_options http = {config_text(probe->connection.config, "metrics.listen"), probe->metrics, is_ready, probe};
    set_reason(probe, probe_watch_reason(probe->watch));
    probe->server = http_start(&http, error);
    if (!probe->server) return false;
    log_info("started", "synthetic events every %" PRId64 " s; metrics at http://%s/metrics", probe->every_ms / 1000, http_address(probe->server));
    return true;
}

static void probe_close(struct probe *probe) {
    http_stop(probe->server);
    probe_send_close(probe->send);
    probe_watch_close(probe->watch);
    metrics_free(probe->metrics);
    for (size_t i = 0; i < probe->flow_count; i++) {
        free(probe->flows[i].name);
        buffer_free(&probe->flows[i].key);
    }
    probe_file_free(&probe->file);
    topic_list_free(&probe->topics);
    connection_close(&probe->connection);
    pthread_mutex_destroy(&probe->lock);
    free(probe);
}

static enum exit_status ask_health(const struct connection *connection) {
    struct buffer answer = {0};
    const bool healthy = health_ask(config_text(connection->config, "metrics.listen"), &answer);
    fwrite(answer.data ? answer.data : "", 1, answer.length, stdout);
    buffer_free(&answer);
    return healthy ? EXIT_DONE : EXIT_FAILED;
}

static enum exit_status probe_run(const struct invocation *invocation) {
    struct error error;
    struct probe *probe = calloc(1, sizeof *probe);
    if (!probe) {
        error_set(&error, "out of memory");
        return command_failed(&error);
    }
    probe->invocation = invocation;
    pthread_mutex_init(&probe->lock, NULL);
    enum exit_status status = EXIT_FAILED;
    if (!connection_open(&probe->connection, invocation, &error)) status = command_failed(&error);
    else if (option_given(invocation, "health")) status = ask_health(&probe->connection);
    else if (!invocation->word_count) {
        error_set(&error, "something is missing: kontor probe FILE");
        command_failed(&error);
        status = EXIT_USAGE;
    } else if (!probe_open(probe, &error)) status = command_failed(&error);
    else {
        run(probe);
        status = probe->once ? print_round(probe) : EXIT_DONE;
    }
    probe_close(probe);
    return status;
}

static const struct option options[] = {
    {"every", OPTION_AGE, "AGE", "how often an event of each flow is sent; without it 60s"},
    {"timeout", OPTION_AGE, "AGE", "how long its acknowledgment may take; without it 30s, or as long as --every says if that is less"},
    {"once", OPTION_FLAG, NULL, "one of each flow, and what became of them; exit status 1 when one failed"},
    {"health", OPTION_FLAG, NULL, "asks the one that runs beside whether it is ready, for a container's health check"},
    {NULL, OPTION_FLAG, NULL, NULL},
};

const struct command probe_command = {
    .name = "probe",
    .summary = "sends synthetic events and follows them to their acknowledgment",
    .usage = "FILE",
    .description = "Runs until it is stopped: sends an event of every flow that master.flow-policies names, marked as synthetic, and waits for what is told of\n"
                   "it. Nothing is posted or kept of such an event. How long they take and whether they come round is in its metrics, at metrics.listen\n"
                   "(127.0.0.1:9464). FILE has an event of each flow, for your own master data: docs/probe.md.",
    .words_minimum = 0,
    .words_maximum = 1,
    .default_format = "table",
    .options = options,
    .example = "  kontor probe deploy/probe/sample.json --once\n  kontor probe probe.json --every 60s",
    .run = probe_run,
};
