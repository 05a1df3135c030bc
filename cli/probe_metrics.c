#include "cli/probe_metrics.h"

#include "common/platform/clock.h"

const char *const probe_reached_names[REACHED_COUNT] = {"nothing", "produced", "acknowledged"};

void probe_metrics_process(struct metrics *metrics, const char *version, int64_t every_ms) {
    gauge_set(metrics_gauge(metrics, "kontor_build_info", "1; which version runs.", METRIC_LABELS("processor", "probe", "version", version)), 1);
    gauge_set(metrics_gauge_ms(metrics, "kontor_start_time_seconds", "When the process started, since 1970.", METRIC_LABELS("processor", "probe")), clock_wall_ms());
    gauge_set(metrics_gauge_ms(metrics, "kontor_probe_interval_seconds", "How often a synthetic event of each flow is sent.", NULL), every_ms);
}

void probe_metrics_flow(struct metrics *metrics, const char *flow, struct probe_counts *counts) {
    const metric_labels labels = METRIC_LABELS("flow", flow);
    counts->seconds = metrics_histogram_seconds(metrics, "kontor_probe_seconds", "From a synthetic event's sending to its acknowledgment, of those that became what they should.",
                                                labels, metrics_latency_bounds, metrics_latency_bound_count);
    counts->sent = metrics_counter(metrics, "kontor_probe_sent_total", "Synthetic events sent.", labels);
    for (int i = 0; i < REACHED_COUNT; i++)
        counts->failures[i] = metrics_counter(metrics, "kontor_probe_failures_total", "Synthetic events that did not become what they should, by how far they came.",
                                              METRIC_LABELS("flow", flow, "reached", probe_reached_names[i]));
    counts->succeeded_ms = metrics_gauge_ms(metrics, "kontor_probe_last_success_timestamp_seconds",
                                            "When the last synthetic event that became what it should was acknowledged, since 1970; before the first, when the flow was first probed.", labels);
    gauge_set(counts->succeeded_ms, clock_wall_ms());
}
