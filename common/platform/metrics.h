/* metrics: what the process counts, in Prometheus' text format (version 0.0.4).
 *
 * Metrics are registered at start and then used through their handle: an add on the hot path is one atomic operation, no lock, no look-up.
 * Registering a name again with other label values adds a series; again with the same gives the same handle. A name keeps its kind, help and
 * label names: anything else is a defect and aborts. Past METRICS_SERIES_MAXIMUM series of a name, further ones share one whose label values
 * are all "other": cardinality is bounded whatever the input holds.
 *
 *     struct counter *accepted = metrics_counter(metrics, "kontor_events_total", "Events by outcome.",
 *                                                METRIC_LABELS("processor", "invoice", "outcome", "accepted"));
 *     counter_add(accepted, 1);
 *
 * Names start with kontor_, are in base units (seconds, bytes), and counters end with _total. Times are not money: they may be doubles.
 * Registration and rendering take a lock and may be done by any thread; handles live as long as the metrics. Out of memory aborts. */
#ifndef KONTOR_PLATFORM_METRICS_H
#define KONTOR_PLATFORM_METRICS_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/platform/buffer.h"
#include "common/platform/error.h"

enum { METRICS_SERIES_MAXIMUM = 1000, METRICS_LABELS_MAXIMUM = 8, METRICS_BOUNDS_MAXIMUM = 32 };

struct metrics;
MUST_CHECK struct metrics *metrics_new(void); /* NULL: out of memory */
void metrics_free(struct metrics *metrics);

/* name, value, name, value, ..., NULL; both are copied. NULL: no labels. */
typedef const char *const *metric_labels;
#define METRIC_LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})

struct counter { _Atomic int64_t value; };
struct counter *metrics_counter(struct metrics *metrics, const char *name, const char *help, metric_labels labels);
static inline void counter_add(struct counter *counter, int64_t count) { atomic_fetch_add_explicit(&counter->value, count, memory_order_relaxed); }

struct gauge { _Atomic int64_t value; };
struct gauge *metrics_gauge(struct metrics *metrics, const char *name, const char *help, metric_labels labels);
/* A gauge of seconds that is set in milliseconds. */
struct gauge *metrics_gauge_ms(struct metrics *metrics, const char *name, const char *help, metric_labels labels);
/* ... in microseconds. */
struct gauge *metrics_gauge_us(struct metrics *metrics, const char *name, const char *help, metric_labels labels);
static inline void gauge_set(struct gauge *gauge, int64_t value) { atomic_store_explicit(&gauge->value, value, memory_order_relaxed); }
static inline void gauge_add(struct gauge *gauge, int64_t change) { atomic_fetch_add_explicit(&gauge->value, change, memory_order_relaxed); }

/* A gauge asked at every scrape, on the thread of the HTTP server, while the lock is held: `read` must be quick, safe on any thread, and
 * must not register or render. NaN leaves the series out of this scrape. */
void metrics_gauge_read(struct metrics *metrics, const char *name, const char *help, metric_labels labels, double (*read)(void *context),
                        void *context);
/* Forgets every gauge with that context, before the context goes; when it returns none is being read. */
void metrics_gauge_forget(struct metrics *metrics, const void *context);

/* A histogram. bounds: upper bounds, ascending, without +Inf; all series of a name have the same. */
struct histogram;
/* Of seconds, observed in nanoseconds. */
struct histogram *metrics_histogram_seconds(struct metrics *metrics, const char *name, const char *help, metric_labels labels,
                                            const double *bounds, size_t bound_count);
/* Of plain numbers: records of a batch, bytes. */
struct histogram *metrics_histogram(struct metrics *metrics, const char *name, const char *help, metric_labels labels, const double *bounds,
                                    size_t bound_count);
/* value: nanoseconds for a histogram of seconds, else the number. A negative one counts as 0. */
void histogram_observe(struct histogram *histogram, int64_t value);

/* Bounds that fit what is named. */
extern const double metrics_latency_bounds[];  /* 1 ms to 1 hour */
extern const size_t metrics_latency_bound_count;
extern const double metrics_size_bounds[];     /* 1 to 1,000,000 */
extern const size_t metrics_size_bound_count;

/* Appends all metrics in the order of their registration. False: out of memory (the buffer is marked). */
MUST_CHECK bool metrics_render(struct metrics *metrics, struct buffer *text);
/* How often that was done. */
int64_t metrics_rendered(const struct metrics *metrics);
#endif
