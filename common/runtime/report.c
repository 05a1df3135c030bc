#include "common/runtime/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/platform/clock.h"
#include "common/runtime/health.h"

enum { REASONS_MS = 100, GAUGES_MS = 1000 };

struct report {
    struct report_options options;
    struct engine_counts said;
    struct producer_counts producer_said;
    uint64_t *tallies_said;     /* of engine_tallies, as many as were met */
    size_t tally_count;
    uint64_t (*shares_said)[OUTCOME_COUNT];     /* of engine_shares, as many as were met */
    size_t share_count;
    int64_t failed_said[SERVE_CLIENTS];
    struct buffer lines;
    bool behind;                /* as last told */
    int64_t reasons_ms, gauges_ms, now_ms, looked_at;
};

bool report_open(struct report **result, const struct report_options *options, struct error *error) {
    struct report *report = calloc(1, sizeof *report);
    if (!report) return error_set(error, "out of memory");
    report->options = *options;
    *result = report;
    return true;
}

void report_close(struct report *report) {
    if (!report) return;
    buffer_free(&report->lines);
    free(report->tallies_said);
    free(report->shares_said);
    free(report);
}

void report_record(void *context, const rd_kafka_message_t *message) {
    struct report *report = context;
    if (report->now_ms == 0) report->now_ms = clock_wall_ms();
    histogram_observe(serve_metrics(report->options.serve)->end_to_end_seconds, (report->now_ms - rd_kafka_message_timestamp(message, NULL)) * 1000000);
}

/* What the processor counts itself: a series for each entity and step that comes up. Out of memory: said with the next batch. */
static void tallies_tell(struct report *report) {
    const struct report_options *o = &report->options;
    size_t count;
    const struct engine_tally *tallies = engine_tallies(o->engine, &count);
    if (count > report->tally_count) {
        uint64_t *said = realloc(report->tallies_said, count * sizeof *said);
        if (!said) return;
        memset(said + report->tally_count, 0, (count - report->tally_count) * sizeof *said);
        report->tallies_said = said;
        report->tally_count = count;
    }
    for (size_t i = 0; i < count; i++) {
        if (tallies[i].committed == report->tallies_said[i]) continue;
        serve_count(o->serve, tallies[i].counter, tallies[i].entity, tallies[i].step, (int64_t)(tallies[i].committed - report->tallies_said[i]));
        report->tallies_said[i] = tallies[i].committed;
    }
}

/* The same of sources and entities. */
static void shares_tell(struct report *report) {
    const struct report_options *o = &report->options;
    size_t count;
    const struct engine_share *shares = engine_shares(o->engine, &count);
    if (count > report->share_count) {
        uint64_t (*said)[OUTCOME_COUNT] = realloc(report->shares_said, count * sizeof *said);
        if (!said) return;
        memset(said + report->share_count, 0, (count - report->share_count) * sizeof *said);
        report->shares_said = said;
        report->share_count = count;
    }
    for (size_t i = 0; i < count; i++)
        for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
            const uint64_t more = shares[i].committed[outcome] - report->shares_said[i][outcome];
            if (more) serve_share(o->serve, shares[i].kind, shares[i].name, outcome, (int64_t)more);
            report->shares_said[i][outcome] = shares[i].committed[outcome];
        }
}

void report_committed(struct report *report, size_t records, int64_t commit_ns) {
    struct serve_metrics *metrics = serve_metrics(report->options.serve);
    const struct engine_counts *counts = engine_counts(report->options.engine);
    report->now_ms = 0;
    counter_add(metrics->records, (int64_t)records);
    counter_add(metrics->transactions_committed, 1);
    histogram_observe(metrics->batch_records, (int64_t)records);
    histogram_observe(metrics->commit_seconds, commit_ns);
    for (int i = 0; i < OUTCOME_COUNT; i++) counter_add(metrics->outcomes[i], (int64_t)(counts->outcomes[i] - report->said.outcomes[i]));
    for (int i = 0; i < REASON_COUNT; i++) counter_add(metrics->reasons[i], (int64_t)(counts->reasons[i] - report->said.reasons[i]));
    for (int i = 0; i < OUTCOME_POISON; i++) counter_add(metrics->synthetic[i], (int64_t)(counts->synthetic[i] - report->said.synthetic[i]));
    counter_add(metrics->journals, (int64_t)(counts->journals - report->said.journals));
    counter_add(metrics->released, (int64_t)(counts->released - report->said.released));
    counter_add(metrics->expired, (int64_t)(counts->expired - report->said.expired));
    counter_add(metrics->ticks, (int64_t)(counts->ticks - report->said.ticks));
    report->said = *counts;
    tallies_tell(report);
    shares_tell(report);
}

void report_aborted(struct report *report) {
    counter_add(serve_metrics(report->options.serve)->transactions_aborted, 1);
    report->now_ms = 0;
}

static void add_line(struct report *report, const char *what, const char *why) {
    buffer_append(&report->lines, what, strlen(what));
    buffer_append(&report->lines, why, strlen(why));
    buffer_append(&report->lines, "\n", 1);
}

static void refresh_reasons(struct report *report, bool producer_is_ready, const char *paused) {
    const struct report_options *o = &report->options;
    buffer_reset(&report->lines);
    if (*paused) add_line(report, "paused: ", paused);
    if (!consumer_is_assigned(o->consumer)) add_line(report, "group: ", consumer_reason(o->consumer));
    if (!follow_is_caught_up(o->follow)) add_line(report, "tables are being loaded. ", follow_reason(o->follow));
    if (o->need->text[0]) add_line(report, HEALTH_MASTER_DATA, o->need->text);
    const char *why = producer_reason(o->producer);
    if (!producer_is_ready) add_line(report, "producer: ", *why ? why : "going back to the committed offsets");
    tasks_explain(o->tasks, &report->lines);
    serve_set_reasons(o->serve, buffer_slice(&report->lines));
}

static void refresh_waiting(const struct report_options *o, struct serve_metrics *metrics) {
    struct waiting_sums sums;
    tasks_waiting(o->tasks, &sums);
    for (int i = 0; i < REASON_COUNT; i++) {
        if (!metrics->parked_by_reason[i]) continue;
        gauge_set(metrics->parked_by_reason[i], (int64_t)sums.parked_by_reason[i]);
        gauge_set(metrics->held_by_reason[i], (int64_t)sums.held_by_reason[i]);
    }
    for (int i = 0; i < MASTER_COUNT; i++)
        if (metrics->for_table[i]) gauge_set(metrics->for_table[i], (int64_t)sums.for_table[i]);
    for (int i = 0; i < STORES_MAXIMUM; i++)
        if (metrics->for_store[i]) gauge_set(metrics->for_store[i], (int64_t)sums.for_store[i]);
}

static void refresh_clients(struct report *report) {
    const struct client_statistics *all[SERVE_CLIENTS] = {[SERVE_PRODUCER] = producer_statistics(report->options.producer),
                                                          [SERVE_CONSUMER] = consumer_statistics(report->options.consumer)};
    for (int i = 0; i < SERVE_CLIENTS; i++) {
        const struct client_statistics *now = all[i];
        if (!atomic_load(&now->taken)) continue;
        struct serve_client_metrics *metrics = serve_client(report->options.serve, (enum serve_client)i);
        gauge_set(metrics->queued_records, atomic_load(&now->queued_records));
        gauge_set(metrics->queued_bytes, atomic_load(&now->queued_bytes));
        gauge_set(metrics->round_trip_us, atomic_load(&now->round_trip_us));
        gauge_set(metrics->brokers_up, atomic_load(&now->brokers_up));
        const int64_t failed = atomic_load(&now->failed_requests);
        counter_add(metrics->failed_requests, failed - report->failed_said[i]);
        report->failed_said[i] = failed;
    }
}

static void refresh_gauges(struct report *report, bool paused) {
    const struct report_options *o = &report->options;
    struct serve_metrics *metrics = serve_metrics(o->serve);
    const int64_t lag_time_ms = ends_time_ms(o->ends);  /* before what is taken from the ends: those may be newer, not older */
    struct tasks_totals totals = tasks_totals(o->tasks);
    report->behind = false;
    for (int i = 0; i < INPUT_TOPICS_MAXIMUM && metrics->lag[i]; i++) {
        const int64_t lag = consumer_lag(o->consumer, i);
        gauge_set(metrics->lag[i], lag);
        report->behind |= lag > 0;
    }
    gauge_set(metrics->lag_time_ms, lag_time_ms);
    gauge_set(metrics->parked, (int64_t)totals.parked);
    gauge_set(metrics->held, (int64_t)totals.held);
    gauge_set(metrics->behind, (int64_t)totals.behind);
    refresh_waiting(o, metrics);
    gauge_set(metrics->waiting_age_ms, totals.oldest_ms ? clock_wall_ms() - totals.oldest_ms : 0);
    gauge_set(metrics->held_age_ms, totals.oldest_held_ms ? clock_wall_ms() - totals.oldest_held_ms : 0);
    gauge_set(metrics->state_bytes, (int64_t)totals.state_bytes);
    gauge_set(metrics->state_entries, (int64_t)totals.state_entries);
    gauge_set(metrics->tasks_owned, totals.owned);
    gauge_set(metrics->tasks_ready, totals.ready);
    gauge_set(metrics->paused, paused);
    for (size_t i = 0; i < o->table_count; i++) {
        gauge_set(metrics->table_entries[i], (int64_t)tables_entries(o->tables, i));
        gauge_set(metrics->table_stale[i], (int64_t)tables_stale(o->tables, i));
        gauge_set(metrics->table_bad[i], (int64_t)follow_bad_records(o->follow, i));
        gauge_set(metrics->table_staleness_ms[i], follow_staleness_ms(o->follow, i, consumer_is_assigned(o->consumer)));
    }
    struct producer_counts now = producer_counts(o->producer);
    counter_add(metrics->producer_renewals, now.renewed - report->producer_said.renewed);
    counter_add(metrics->transactions_unknown, now.unknown - report->producer_said.unknown);
    report->producer_said = now;
    refresh_clients(report);
}

bool report_refresh(struct report *report, bool producer_is_ready, const char *paused) {
    int64_t now = clock_monotonic_ms();
    bool due = now - report->reasons_ms >= REASONS_MS;
    if (due) {
        report->reasons_ms = now;
        refresh_reasons(report, producer_is_ready, paused);
    }
    if (now - report->gauges_ms < REASONS_MS) return due;
    const int64_t looked_at = metrics_rendered(serve_registry(report->options.serve));
    if (looked_at != report->looked_at && !report->behind) ends_hurry(report->options.ends);
    else if (now - report->gauges_ms < GAUGES_MS) return due;
    report->looked_at = looked_at;
    report->gauges_ms = now;
    refresh_gauges(report, *paused != 0);
    return due;
}
