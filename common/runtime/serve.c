#include "common/runtime/serve.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/platform/clock.h"
#include "common/platform/http.h"
#include "common/runtime/engine.h"
#include "common/runtime/topics.h"

struct serve {
    const struct processor *processor;
    struct metrics *registry;
    struct http_server *server;
    struct serve_metrics metrics;
    struct serve_client_metrics clients[SERVE_CLIENTS];
    pthread_mutex_t lock;
    struct buffer unready;      /* why not, under the lock */
};

static bool ready(void *context, struct buffer *lines) {
    struct serve *serve = context;
    pthread_mutex_lock(&serve->lock);
    bool is_ready = serve->unready.length == 0;
    buffer_append(lines, serve->unready.data, serve->unready.length);
    pthread_mutex_unlock(&serve->lock);
    return is_ready;
}

void serve_set_reasons(struct serve *serve, struct slice lines) {
    pthread_mutex_lock(&serve->lock);
    buffer_reset(&serve->unready);
    buffer_append(&serve->unready, lines.data, lines.length);
    pthread_mutex_unlock(&serve->lock);
}

static void register_counters(struct serve *serve, const char *name) {
    struct metrics *m = serve->registry;
    struct serve_metrics *s = &serve->metrics;
    const metric_labels processor = METRIC_LABELS("processor", name);
    for (int i = 0; i < OUTCOME_COUNT; i++)
        s->outcomes[i] = metrics_counter(m, "kontor_events_total", "Events by outcome, as first decided or released.",
                                         METRIC_LABELS("processor", name, "outcome", outcome_names[i]));
    for (int i = 0; i < OUTCOME_POISON; i++)
        s->synthetic[i] = metrics_counter(m, "kontor_synthetic_events_total", "Synthetic events by outcome; they count nowhere else but among the records.",
                                          METRIC_LABELS("processor", name, "outcome", outcome_names[i]));
    s->records = metrics_counter(m, "kontor_records_total", "Records taken from the inputs and committed.", processor);
    s->journals = metrics_counter(m, "kontor_journals_total", "Journals committed.", processor);
    s->released = metrics_counter(m, "kontor_released_total", "Events that waited and were decided.", processor);
    s->expired = metrics_counter(m, "kontor_expired_total", "Events that waited too long and are held now.", processor);
    s->ticks = metrics_counter(m, "kontor_ticks_total", "Ticks of the broker's time taken, so that limits end where nothing comes.", processor);
    static const char *const transactions = "kontor_transactions_total", *const help = "Transactions by what became of them.";
    s->transactions_committed = metrics_counter(m, transactions, help, METRIC_LABELS("processor", name, "outcome", "committed"));
    s->transactions_aborted = metrics_counter(m, transactions, help, METRIC_LABELS("processor", name, "outcome", "aborted"));
    s->transactions_unknown = metrics_counter(m, transactions, help, METRIC_LABELS("processor", name, "outcome", "unknown"));
    s->producer_renewals = metrics_counter(m, "kontor_producer_renewals_total", "Producers made anew because the last one was in doubt.", processor);
}

struct serve_client_metrics *serve_client(struct serve *serve, enum serve_client which) {
    static const char *const roles[SERVE_CLIENTS] = {[SERVE_PRODUCER] = "producer", [SERVE_CONSUMER] = "consumer"};
    struct metrics *m = serve->registry;
    struct serve_client_metrics *s = &serve->clients[which];
    if (s->brokers_up) return s;
    const metric_labels client = METRIC_LABELS("processor", serve->processor->name, "client", roles[which]);
    s->queued_records = metrics_gauge(m, "kontor_kafka_queued_records", "Records produced and not yet delivered; fetched and not yet taken.", client);
    s->queued_bytes = metrics_gauge(m, "kontor_kafka_queued_bytes", "... their bytes.", client);
    s->round_trip_us = metrics_gauge_us(m, "kontor_kafka_round_trip_seconds", "Mean of the last interval, of the slowest broker; 0: nothing was asked. A fetch waits for records.", client);
    s->brokers_up = metrics_gauge(m, "kontor_kafka_brokers_up", "Brokers that the client is connected to.", client);
    s->failed_requests = metrics_counter(m, "kontor_kafka_failed_requests_total", "Requests to brokers that could not be sent, were answered wrongly or not in time.", client);
    return s;
}

/* When and what: a restart or an upgrade shows in every panel. */
static void register_process(struct serve *serve, const char *name, const char *version) {
    gauge_set(metrics_gauge(serve->registry, "kontor_build_info", "1; which version runs.", METRIC_LABELS("processor", name, "version", version)), 1);
    gauge_set(metrics_gauge_ms(serve->registry, "kontor_start_time_seconds", "When the process started, since 1970.", METRIC_LABELS("processor", name)), clock_wall_ms());
}

static void register_histograms(struct serve *serve, const char *name) {
    struct metrics *m = serve->registry;
    struct serve_metrics *s = &serve->metrics;
    const metric_labels processor = METRIC_LABELS("processor", name);
    s->commit_seconds = metrics_histogram_seconds(m, "kontor_commit_seconds", "From the batch's seal to the state written.", processor,
                                                  metrics_latency_bounds, metrics_latency_bound_count);
    s->batch_records = metrics_histogram(m, "kontor_batch_records", "Records of a transaction.", processor, metrics_size_bounds, metrics_size_bound_count);
    s->end_to_end_seconds = metrics_histogram_seconds(m, "kontor_end_to_end_seconds", "From a record's time to the commit of what came of it.", processor,
                                                      metrics_latency_bounds, metrics_latency_bound_count);
    s->restore_seconds = metrics_histogram_seconds(m, "kontor_restore_seconds", "From assignment until a task's state was at the changelog's end.", processor,
                                                   metrics_latency_bounds, metrics_latency_bound_count);
}

static void register_gauges(struct serve *serve, const struct processor *p) {
    struct metrics *m = serve->registry;
    struct serve_metrics *s = &serve->metrics;
    const metric_labels processor = METRIC_LABELS("processor", p->name);
    struct topics_inputs inputs;
    topics_inputs(p, &inputs);
    /* Before the lag, which is set before it: who reads a new time reads the new lag as well. */
    s->lag_time_ms = metrics_gauge_ms(m, "kontor_lag_time_seconds", "When the ends were asked for that the lag counts to, since 1970.", processor);
    for (size_t i = 0; i < inputs.count; i++)
        s->lag[i] = metrics_gauge(m, "kontor_lag_records", "Records not taken yet, over the owned partitions.", METRIC_LABELS("processor", p->name, "topic", inputs.names[i]));
    s->parked = metrics_gauge(m, "kontor_parked_events", "Events that wait for data.", processor);
    s->held = metrics_gauge(m, "kontor_held_events", "Events that wait for a person.", processor);
    s->behind = metrics_gauge(m, "kontor_behind_events", "Events that wait behind another of their document.", processor);
    s->waiting_age_ms = metrics_gauge_ms(m, "kontor_waiting_oldest_seconds", "Age of the oldest event that waits for data or for a person.", processor);
    s->held_age_ms = metrics_gauge_ms(m, "kontor_held_oldest_seconds", "Age of the oldest event that waits for a person.", processor);
    s->state_bytes = metrics_gauge(m, "kontor_state_bytes", "Size of the owned tasks' states.", processor);
    s->state_entries = metrics_gauge(m, "kontor_state_entries", "Records in the owned tasks' states.", processor);
    s->tasks_owned = metrics_gauge(m, "kontor_tasks_owned", "Tasks assigned to this instance.", processor);
    s->tasks_ready = metrics_gauge(m, "kontor_tasks_ready", "... that take records.", processor);
    s->paused = metrics_gauge(m, "kontor_paused", "1 while a flood of poison has paused the processor.", processor);
    for (int i = 0; p->tables[i] != END_OF_TABLES; i++) {
        const metric_labels table = METRIC_LABELS("processor", p->name, "table", master_tables[p->tables[i]].name);
        s->table_entries[i] = metrics_gauge(m, "kontor_table_entries", "Records of a master table.", table);
        s->table_stale[i] = metrics_gauge(m, "kontor_table_stale_keys", "Keys that cannot be trusted until a good record comes.", table);
        s->table_bad[i] = metrics_gauge(m, "kontor_table_bad_records", "Records not usable, since the start.", table);
        s->table_staleness_ms[i] = metrics_gauge_ms(m, "kontor_table_staleness_seconds", "Since the table was last at its topic's end.", table);
    }
}

/* What waits by reason, and by the table or store that lacks a key. */
static void register_waiting(struct serve *serve, const struct processor *p) {
    struct metrics *m = serve->registry;
    struct serve_metrics *s = &serve->metrics;
    static const char *const waiting = "kontor_waiting_events", *const waiting_help = "Events that wait (parked) or are held, by reason; one with several counts for each.";
    static const char *const lacking = "kontor_waiting_for_events", *const lacking_help = "Events that wait for a key of a master table, or of the processor's own state; one that lacks several counts for each.";
    for (int i = 0; i < REASON_COUNT; i++) {
        if (reasons[i].class == CLASS_NOTE || reasons[i].class == CLASS_POISON || reasons[i].class == CLASS_DUPLICATE) continue;
        s->parked_by_reason[i] = metrics_gauge(m, waiting, waiting_help, METRIC_LABELS("processor", p->name, "outcome", "parked", "reason", reasons[i].code));
        s->held_by_reason[i] = metrics_gauge(m, waiting, waiting_help, METRIC_LABELS("processor", p->name, "outcome", "held", "reason", reasons[i].code));
    }
    for (int i = 0; p->tables[i] != END_OF_TABLES; i++)
        s->for_table[p->tables[i]] = metrics_gauge(m, lacking, lacking_help, METRIC_LABELS("processor", p->name, "table", master_tables[p->tables[i]].name));
    for (int i = 0; i < STORES_MAXIMUM && p->stores[i].name; i++)
        s->for_store[i] = metrics_gauge(m, lacking, lacking_help, METRIC_LABELS("processor", p->name, "table", p->stores[i].name));
}

bool serve_open(struct serve **result, const struct processor *processor, const char *version, const char *listen, struct error *error) {
    struct serve *serve = calloc(1, sizeof *serve);
    if (!serve || !(serve->registry = metrics_new())) {
        free(serve);
        return error_set(error, "out of memory");
    }
    serve->processor = processor;
    pthread_mutex_init(&serve->lock, NULL);
    register_process(serve, processor->name, version);
    register_counters(serve, processor->name);
    for (int i = 0; i < REASON_COUNT; i++)
        serve->metrics.reasons[i] = metrics_counter(serve->registry, "kontor_reasons_total", "Reasons reported, one event may have several.",
                                                    METRIC_LABELS("processor", processor->name, "reason", reasons[i].code));
    register_waiting(serve, processor);
    register_histograms(serve, processor->name);
    register_gauges(serve, processor);
    serve_set_reasons(serve, SLICE("starting\n"));
    const struct http_options options = {listen, serve->registry, ready, serve};
    serve->server = http_start(&options, error);
    if (!serve->server) {
        serve_close(serve);
        return false;
    }
    *result = serve;
    return true;
}

void serve_close(struct serve *serve) {
    if (!serve) return;
    http_stop(serve->server);
    metrics_free(serve->registry);
    buffer_free(&serve->unready);
    pthread_mutex_destroy(&serve->lock);
    free(serve);
}

const char *serve_address(const struct serve *serve) { return http_address(serve->server); }
struct metrics *serve_registry(const struct serve *serve) { return serve->registry; }
struct serve_metrics *serve_metrics(struct serve *serve) { return &serve->metrics; }

void serve_count(struct serve *serve, int counter, const char *entity, const char *step, int64_t count) {
    const struct processor_counter *declared = &serve->processor->counters[counter];
    counter_add(metrics_counter(serve->registry, declared->name, declared->help, METRIC_LABELS("processor", serve->processor->name, "entity", entity, "step", step)), count);
}

void serve_share(struct serve *serve, enum engine_share_kind kind, const char *name, int outcome, int64_t count) {
    static const struct { const char *metric, *help, *label; } kinds[SHARE_KINDS] = {
        [SHARE_SOURCE] = {"kontor_source_events_total", "Events of sources by the system they came from and outcome, without poison; the 151st source and further ones as `other`.", "source"},
        [SHARE_ENTITY] = {"kontor_entity_events_total", "Events of sources by legal entity and outcome, without poison; the 151st entity and further ones as `other`.", "entity"}};
    counter_add(metrics_counter(serve->registry, kinds[kind].metric, kinds[kind].help,
                                METRIC_LABELS("processor", serve->processor->name, kinds[kind].label, name, "outcome", outcome_names[outcome])), count);
}
