#include "common/platform/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM };
static const char *const kind_names[] = {"counter", "gauge", "histogram"};

struct histogram {
    _Atomic int64_t buckets[METRICS_BOUNDS_MAXIMUM + 1]; /* each for itself; rendered cumulated */
    _Atomic double sum;                                  /* in the observed unit: nanoseconds of years overflow an int64 */
    int64_t bounds[METRICS_BOUNDS_MAXIMUM];              /* in the observed unit */
    size_t bound_count;
};

/* One line, or one histogram, of a family. */
struct series {
    struct series *next;
    char *labels; /* as rendered, without braces: name="value",name="value" */
    double (*read)(void *context);
    void *context;
    union { struct counter counter; struct gauge gauge; struct histogram histogram; };
};

/* Everything of one name. */
struct family {
    struct family *next;
    char *name, *help, *label_names; /* names joined with commas */
    enum kind kind;
    double unit; /* a stored value divided by this is the value told */
    double bounds[METRICS_BOUNDS_MAXIMUM];
    size_t bound_count;
    struct series *first, *last, *overflow;
    size_t count;
};

struct metrics {
    pthread_mutex_t lock;
    struct family *first, *last;
    _Atomic int64_t rendered;
};

static const double nanoseconds_per_second = 1e9, microseconds_per_second = 1e6, milliseconds_per_second = 1e3;

const double metrics_latency_bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600};
const size_t metrics_latency_bound_count = sizeof metrics_latency_bounds / sizeof *metrics_latency_bounds;
const double metrics_size_bounds[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 100000, 1000000};
const size_t metrics_size_bound_count = sizeof metrics_size_bounds / sizeof *metrics_size_bounds;

static _Noreturn void defect(const char *name, const char *what) {
    fprintf(stderr, "metric %s: %s\n", name, what);
    abort();
}

static void *allocate(size_t size) {
    void *memory = calloc(1, size);
    if (!memory) defect("(any)", "out of memory");
    return memory;
}

/* ---- labels ---- */

/* Source of the escaping: Prometheus, "Exposition formats", text format. Help escapes no quotes. */
static void append_escaped(struct buffer *out, const char *text, bool quotes) {
    for (const char *c = text; *c; c++) {
        if (*c == '\n') buffer_append(out, "\\n", 2);
        else if (*c == '\\') buffer_append(out, "\\\\", 2);
        else if (*c == '"' && quotes) buffer_append(out, "\\\"", 2);
        else buffer_append(out, c, 1);
    }
}

static void append_text(struct buffer *out, const char *text) { buffer_append(out, text, strlen(text)); }

static bool is_name(const char *name) {
    return name[0] && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name) && (name[0] < '0' || name[0] > '9');
}

/* The owned text that a buffer holds. */
static char *take_text(struct buffer *buffer) {
    buffer_append(buffer, "", 1);
    if (buffer->failed) defect("(any)", "out of memory");
    return buffer->data;
}

/* value: NULL for the labels' own. */
static char *render_labels(const char *metric, metric_labels labels, const char *value) {
    struct buffer out = {0};
    size_t count = 0;
    for (; labels && labels[2 * count]; count++) {
        if (count == METRICS_LABELS_MAXIMUM) defect(metric, "too many labels");
        if (!is_name(labels[2 * count]) || strcmp(labels[2 * count], "le") == 0) defect(metric, "a label's name is not allowed");
        if (!labels[2 * count + 1]) defect(metric, "a label has no value");
        if (count) append_text(&out, ",");
        append_text(&out, labels[2 * count]);
        append_text(&out, "=\"");
        append_escaped(&out, value ? value : labels[2 * count + 1], true);
        append_text(&out, "\"");
    }
    return take_text(&out);
}

static char *join_label_names(metric_labels labels) {
    struct buffer out = {0};
    for (size_t i = 0; labels && labels[i]; i += 2) {
        if (i) append_text(&out, ",");
        append_text(&out, labels[i]);
    }
    return take_text(&out);
}

static char *copy_text(const char *text) {
    char *copy = strdup(text);
    if (!copy) defect("(any)", "out of memory");
    return copy;
}

/* ---- registration ---- */

struct description { const char *name, *help; enum kind kind; double unit; const double *bounds; size_t bound_count; };

static void check_description(const struct description *wanted) {
    static const char prefix[] = "kontor_", total[] = "_total";
    size_t length = strlen(wanted->name);
    if (strncmp(wanted->name, prefix, sizeof prefix - 1) != 0 || !is_name(wanted->name)) defect(wanted->name, "the name must be kontor_ and lower case");
    bool ends_with_total = length >= sizeof total && strcmp(wanted->name + length - (sizeof total - 1), total) == 0;
    if ((wanted->kind == KIND_COUNTER) != ends_with_total) defect(wanted->name, "counters, and only they, end with _total");
    if (wanted->bound_count > METRICS_BOUNDS_MAXIMUM) defect(wanted->name, "too many bounds");
    for (size_t i = 1; i < wanted->bound_count; i++)
        if (!(wanted->bounds[i - 1] < wanted->bounds[i])) defect(wanted->name, "the bounds do not ascend");
}

static struct family *find_family(struct metrics *metrics, const struct description *wanted, metric_labels labels) {
    char *label_names = join_label_names(labels);
    for (struct family *family = metrics->first; family; family = family->next) {
        if (strcmp(family->name, wanted->name) != 0) continue;
        bool same = family->kind == wanted->kind && strcmp(family->help, wanted->help) == 0 && strcmp(family->label_names, label_names) == 0 &&
                    family->unit == wanted->unit && family->bound_count == wanted->bound_count &&
                    (wanted->bound_count == 0 || memcmp(family->bounds, wanted->bounds, wanted->bound_count * sizeof *wanted->bounds) == 0);
        if (!same) defect(wanted->name, "registered again with another kind, help, label names or bounds");
        free(label_names);
        return family;
    }
    check_description(wanted);
    struct family *family = allocate(sizeof *family);
    *family = (struct family){.name = copy_text(wanted->name), .help = copy_text(wanted->help), .label_names = label_names, .kind = wanted->kind,
                              .unit = wanted->unit, .bound_count = wanted->bound_count};
    if (wanted->bound_count) memcpy(family->bounds, wanted->bounds, wanted->bound_count * sizeof *wanted->bounds);
    if (metrics->last) metrics->last->next = family;
    else metrics->first = family;
    return metrics->last = family;
}

static struct series *add_series(struct family *family, char *labels) {
    struct series *series = allocate(sizeof *series);
    series->labels = labels;
    if (family->kind == KIND_HISTOGRAM) {
        series->histogram.bound_count = family->bound_count;
        for (size_t i = 0; i < family->bound_count; i++) series->histogram.bounds[i] = (int64_t)(family->bounds[i] * family->unit + 0.5);
    }
    if (family->last) family->last->next = series;
    else family->first = series;
    family->last = series;
    family->count++;
    return series;
}

static struct series *find_series(struct family *family, metric_labels labels) {
    char *rendered = render_labels(family->name, labels, NULL);
    for (struct series *series = family->first; series; series = series->next) {
        if (strcmp(series->labels, rendered) != 0) continue;
        free(rendered);
        return series;
    }
    if (family->count < METRICS_SERIES_MAXIMUM) return add_series(family, rendered);
    free(rendered);
    if (!family->overflow) family->overflow = add_series(family, render_labels(family->name, labels, "other"));
    return family->overflow;
}

static struct series *register_series(struct metrics *metrics, struct description wanted, metric_labels labels) {
    pthread_mutex_lock(&metrics->lock);
    struct series *series = find_series(find_family(metrics, &wanted, labels), labels);
    pthread_mutex_unlock(&metrics->lock);
    return series;
}

struct counter *metrics_counter(struct metrics *metrics, const char *name, const char *help, metric_labels labels) {
    return &register_series(metrics, (struct description){name, help, KIND_COUNTER, 1, NULL, 0}, labels)->counter;
}

struct gauge *metrics_gauge(struct metrics *metrics, const char *name, const char *help, metric_labels labels) {
    return &register_series(metrics, (struct description){name, help, KIND_GAUGE, 1, NULL, 0}, labels)->gauge;
}

struct gauge *metrics_gauge_ms(struct metrics *metrics, const char *name, const char *help, metric_labels labels) {
    return &register_series(metrics, (struct description){name, help, KIND_GAUGE, milliseconds_per_second, NULL, 0}, labels)->gauge;
}

struct gauge *metrics_gauge_us(struct metrics *metrics, const char *name, const char *help, metric_labels labels) {
    return &register_series(metrics, (struct description){name, help, KIND_GAUGE, microseconds_per_second, NULL, 0}, labels)->gauge;
}

void metrics_gauge_read(struct metrics *metrics, const char *name, const char *help, metric_labels labels, double (*read)(void *context),
                        void *context) {
    struct series *series = register_series(metrics, (struct description){name, help, KIND_GAUGE, 1, NULL, 0}, labels);
    pthread_mutex_lock(&metrics->lock);
    series->read = read;
    series->context = context;
    pthread_mutex_unlock(&metrics->lock);
}

static double read_nothing(void *context) {
    (void)context;
    return NAN;
}

void metrics_gauge_forget(struct metrics *metrics, const void *context) {
    pthread_mutex_lock(&metrics->lock);
    for (struct family *family = metrics->first; family; family = family->next)
        for (struct series *series = family->first; series; series = series->next)
            if (series->read && series->context == context) {
                series->read = read_nothing;
                series->context = NULL;
            }
    pthread_mutex_unlock(&metrics->lock);
}

struct histogram *metrics_histogram_seconds(struct metrics *metrics, const char *name, const char *help, metric_labels labels,
                                            const double *bounds, size_t bound_count) {
    return &register_series(metrics, (struct description){name, help, KIND_HISTOGRAM, nanoseconds_per_second, bounds, bound_count}, labels)->histogram;
}

struct histogram *metrics_histogram(struct metrics *metrics, const char *name, const char *help, metric_labels labels, const double *bounds,
                                    size_t bound_count) {
    return &register_series(metrics, (struct description){name, help, KIND_HISTOGRAM, 1, bounds, bound_count}, labels)->histogram;
}

void histogram_observe(struct histogram *histogram, int64_t value) {
    if (value < 0) value = 0;
    size_t bucket = 0;
    while (bucket < histogram->bound_count && value > histogram->bounds[bucket]) bucket++;
    atomic_fetch_add_explicit(&histogram->buckets[bucket], 1, memory_order_relaxed);
    double before = atomic_load_explicit(&histogram->sum, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&histogram->sum, &before, before + (double)value, memory_order_relaxed, memory_order_relaxed)) {}
}

/* ---- rendering ---- */

/* The shortest text that reads back as the same number; whole numbers without an exponent. */
static void append_number(struct buffer *out, double value) {
    char text[40];
    if (isinf(value)) snprintf(text, sizeof text, value > 0 ? "+Inf" : "-Inf");
    else if (value > -1e15 && value < 1e15 && value == (double)(int64_t)value) snprintf(text, sizeof text, "%.0f", value);
    else
        for (int digits = 1; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, value);
            if (strtod(text, NULL) == value) break;
        }
    append_text(out, text);
}

static void append_integer(struct buffer *out, int64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    append_text(out, text);
}

/* name_suffix{labels,le="bound"} without the value. bound: NULL for none. */
static void append_series_name(struct buffer *out, const struct family *family, const char *suffix, const char *labels, const double *bound) {
    append_text(out, family->name);
    append_text(out, suffix);
    if (*labels || bound) {
        append_text(out, "{");
        append_text(out, labels);
        if (bound) {
            append_text(out, *labels ? ",le=\"" : "le=\"");
            append_number(out, *bound);
            append_text(out, "\"");
        }
        append_text(out, "}");
    }
    append_text(out, " ");
}

static void append_histogram(struct buffer *out, const struct family *family, struct series *series) {
    int64_t count = 0;
    /* The count is what the buckets say, so that both agree however observations go on meanwhile. */
    for (size_t i = 0; i <= family->bound_count; i++) {
        double bound = i < family->bound_count ? family->bounds[i] : INFINITY;
        count += atomic_load_explicit(&series->histogram.buckets[i], memory_order_relaxed);
        append_series_name(out, family, "_bucket", series->labels, &bound);
        append_integer(out, count);
        append_text(out, "\n");
    }
    append_series_name(out, family, "_sum", series->labels, NULL);
    append_number(out, atomic_load_explicit(&series->histogram.sum, memory_order_relaxed) / family->unit);
    append_text(out, "\n");
    append_series_name(out, family, "_count", series->labels, NULL);
    append_integer(out, count);
    append_text(out, "\n");
}

static void append_series(struct buffer *out, const struct family *family, struct series *series) {
    if (family->kind == KIND_HISTOGRAM) {
        append_histogram(out, family, series);
        return;
    }
    double told = series->read ? series->read(series->context) : 0;
    if (isnan(told)) return;
    append_series_name(out, family, "", series->labels, NULL);
    if (series->read) {
        append_number(out, told);
    } else {
        int64_t value = family->kind == KIND_COUNTER ? atomic_load_explicit(&series->counter.value, memory_order_relaxed)
                                                     : atomic_load_explicit(&series->gauge.value, memory_order_relaxed);
        if (family->unit == 1) append_integer(out, value);
        else append_number(out, (double)value / family->unit);
    }
    append_text(out, "\n");
}

bool metrics_render(struct metrics *metrics, struct buffer *text) {
    pthread_mutex_lock(&metrics->lock);
    for (struct family *family = metrics->first; family; family = family->next) {
        append_text(text, "# HELP ");
        append_text(text, family->name);
        append_text(text, " ");
        append_escaped(text, family->help, false);
        append_text(text, "\n# TYPE ");
        append_text(text, family->name);
        append_text(text, " ");
        append_text(text, kind_names[family->kind]);
        append_text(text, "\n");
        for (struct series *series = family->first; series; series = series->next) append_series(text, family, series);
    }
    pthread_mutex_unlock(&metrics->lock);
    atomic_fetch_add(&metrics->rendered, 1);
    return !text->failed;
}

int64_t metrics_rendered(const struct metrics *metrics) { return atomic_load(&metrics->rendered); }

struct metrics *metrics_new(void) {
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (metrics && pthread_mutex_init(&metrics->lock, NULL) != 0) {
        free(metrics);
        return NULL;
    }
    return metrics;
}

void metrics_free(struct metrics *metrics) {
    if (!metrics) return;
    for (struct family *family = metrics->first, *next_family; family; family = next_family) {
        next_family = family->next;
        for (struct series *series = family->first, *next; series; series = next) {
            next = series->next;
            free(series->labels);
            free(series);
        }
        free(family->name);
        free(family->help);
        free(family->label_names);
        free(family);
    }
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}
