/* log: what the process tells its operator, one line each on standard error, written with one write(2) so that lines of threads never mix.
 *
 *     log_info("partition_assigned", "took over %d partitions", count);
 *     log_warning_with("broker_gone", LOG_FIELDS(LOG_TEXT("broker", name), LOG_INTEGER("retry_ms", 250)), "no broker answers");
 *
 *     json   {"ts":"2026-11-21T06:40:59.123Z","level":"info","process":"kontor-invoice","event":"partition_assigned","message":"took over 4 partitions"}
 *     human  2026-11-21T06:40:59.123Z info  partition_assigned: took over 4 partitions
 *
 * The event is short and stable, in snake case: alerts are built on it. The message is a sentence for people. Fields hold what differs.
 * A call site that speaks more often than LOG_RATE_LINES in LOG_RATE_MS is counted, not repeated; its next line carries `suppressed`.
 * Control characters and bytes that are not UTF-8 are escaped: a line stays a line whatever a record holds. Longer than LOG_LINE_SIZE, the
 * message and then the fields are cut, and `truncated` says so.
 * Never called on the hot path. Any thread. */
#ifndef KONTOR_PLATFORM_LOG_H
#define KONTOR_PLATFORM_LOG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/platform/slice.h"

enum { LOG_RATE_LINES = 10, LOG_RATE_MS = 10000, LOG_LINE_SIZE = 4096 /* PIPE_BUF: what a pipe takes in one piece */ };

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_HUMAN, LOG_FORMAT_JSON };
/* For the choices of a configuration key, in the order of the enums. */
#define LOG_LEVEL_CHOICES "debug info warning error"
#define LOG_FORMAT_CHOICES "human json"

/* From then on lines below `minimum` are not written. process: its name, kept as pointer. Before the first call: info, human, no name. */
void log_start(enum log_level minimum, enum log_format format, const char *process);
/* Where lines go instead of standard error; for tests. */
void log_to(int descriptor);
/* Says what was counted and not repeated and has had no next line. Before the process ends. */
void log_finish(void);
bool log_enabled(enum log_level level);

struct log_field { const char *name; bool is_text; struct slice text; int64_t integer; };
#define LOG_TEXT(name, value) ((struct log_field){(name), true, slice_of(value), 0})
#define LOG_SLICE(name, value) ((struct log_field){(name), true, (value), 0})
#define LOG_INTEGER(name, value) ((struct log_field){(name), false, {0}, (value)})
struct log_fields { const struct log_field *items; size_t count; };
#define LOG_FIELDS(...) \
    ((struct log_fields){(const struct log_field[]){__VA_ARGS__}, sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field)})

/* What is remembered of a call site; all zero at first. */
struct log_site {
    const char *event;
    enum log_level level;
    int64_t window_start_ms, lines, suppressed;
    bool known;
    struct log_site *next;
};
void log_write(struct log_site *site, enum log_level level, const char *event, struct log_fields fields, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#define LOG_AT(level, event, fields, ...) \
    do { \
        static struct log_site log_site_here; \
        if (log_enabled(level)) log_write(&log_site_here, (level), (event), fields, __VA_ARGS__); \
    } while (0)
#define LOG_NO_FIELDS ((struct log_fields){0})
#define log_debug(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, LOG_NO_FIELDS, __VA_ARGS__)
#define log_info(event, ...) LOG_AT(LOG_LEVEL_INFO, event, LOG_NO_FIELDS, __VA_ARGS__)
#define log_warning(event, ...) LOG_AT(LOG_LEVEL_WARNING, event, LOG_NO_FIELDS, __VA_ARGS__)
#define log_error(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, LOG_NO_FIELDS, __VA_ARGS__)
/* With fields: log_info_with("event", LOG_FIELDS(LOG_TEXT(...), ...), "sentence %s", ...). */
#define log_debug_with(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define log_info_with(event, ...) LOG_AT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_warning_with(event, ...) LOG_AT(LOG_LEVEL_WARNING, event, __VA_ARGS__)
#define log_error_with(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#endif
