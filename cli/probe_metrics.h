/* probe_metrics: what `kontor probe` counts, for Prometheus. docs/metrics.md has the table, which a unit test holds to it. */
#ifndef KONTOR_CLI_PROBE_METRICS_H
#define KONTOR_CLI_PROBE_METRICS_H
#include <stdint.h>

#include "common/platform/metrics.h"

/* How far a synthetic event came that failed: not into its topic, not to an acknowledgment, or to one that says something else than it should. */
enum probe_reached { REACHED_NOTHING, REACHED_PRODUCED, REACHED_ACKNOWLEDGED, REACHED_COUNT };
extern const char *const probe_reached_names[REACHED_COUNT];

struct probe_counts { struct counter *sent, *failures[REACHED_COUNT]; struct histogram *seconds; struct gauge *succeeded_ms; };

void probe_metrics_process(struct metrics *metrics, const char *version, int64_t every_ms);
/* The metrics of a flow, from when it is first probed: that counts as its last success until there is one. */
void probe_metrics_flow(struct metrics *metrics, const char *flow, struct probe_counts *counts);
#endif
