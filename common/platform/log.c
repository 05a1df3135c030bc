#include "common/platform/log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/platform/clock.h"
#include "common/platform/utf8.h"

static _Atomic int least = LOG_LEVEL_INFO, format_chosen = LOG_FORMAT_HUMAN, output = STDERR_FILENO;
static _Atomic(const char *) process_name;

/* Guards what is remembered of the call sites. */
static pthread_mutex_t sites_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_site *sites;

static const char *const level_names[] = {"debug", "info", "warning", "error"};

void log_start(enum log_level minimum, enum log_format format, const char *process) {
    atomic_store(&least, minimum);
    atomic_store(&format_chosen, format);
    atomic_store(&process_name, process);
}

void log_to(int descriptor) { atomic_store(&output, descriptor); }

bool log_enabled(enum log_level level) { return (int)level >= atomic_load_explicit(&least, memory_order_relaxed); }

/* ---- a line ---- */

/* Text goes in up to `limit`; what lies behind it is kept for what closes the line. */
struct line {
    char text[LOG_LINE_SIZE];
    size_t length, limit;
    bool truncated, json;
};
enum { LINE_RESERVE = 64, LINE_LIMIT = LOG_LINE_SIZE - LINE_RESERVE, MESSAGE_LIMIT = LOG_LINE_SIZE * 3 / 4, MESSAGE_SIZE = 2048 };

static bool put(struct line *line, const char *bytes, size_t length) {
    if (line->truncated || line->length + length > line->limit) { line->truncated = true; return false; }
    memcpy(line->text + line->length, bytes, length);
    line->length += length;
    return true;
}

static void put_text(struct line *line, const char *text) { put(line, text, strlen(text)); }

/* For what the reserve was kept for. */
static void close_with(struct line *line, const char *text) {
    size_t length = strlen(text);
    memcpy(line->text + line->length, text, length);
    line->length += length;
}

static size_t escape(const struct line *line, unsigned char byte, bool is_text, char out[8]) {
    if (byte == '\n') return (size_t)snprintf(out, 8, "\\n");
    if (byte == '\t') return (size_t)snprintf(out, 8, "\\t");
    if (byte == '"' || byte == '\\') return (size_t)snprintf(out, 8, "\\%c", byte);
    if (!line->json) return (size_t)snprintf(out, 8, "\\x%02x", byte);
    if (!is_text || byte == 0) return (size_t)snprintf(out, 8, "\\ufffd"); /* many readers of JSON refuse a zero */
    return (size_t)snprintf(out, 8, "\\u%04x", byte);
}

/* In a JSON string or a quoted value " and \ are escaped; in plain text they stand for themselves. */
static void put_escaped(struct line *line, struct slice text, bool quoted) {
    for (size_t at = 0, step; at < text.length && !line->truncated; at += step) {
        unsigned char byte = (unsigned char)text.data[at];
        step = utf8_character(text.data + at, text.length - at);
        bool control = byte < 0x20 || byte == 0x7f, special = quoted && (byte == '"' || byte == '\\');
        if (step > 0 && !control && !special) { put(line, text.data + at, step); continue; }
        char escaped[8];
        put(line, escaped, escape(line, byte, step > 0, escaped));
        if (step == 0) step = 1;
    }
}

static void put_string(struct line *line, struct slice text) {
    if (!put(line, "\"", 1)) return;
    put_escaped(line, text, true);
    close_with(line, "\"");
}

static bool wants_quotes(struct slice text) {
    if (text.length == 0) return true;
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.data[i] <= ' ' || strchr("\"\\=", text.data[i])) return true;
    return false;
}

static void put_integer(struct line *line, int64_t value) {
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, value);
    put_text(line, digits);
}

static void put_field(struct line *line, const struct log_field *field) {
    /* Name and punctuation go in whole or not at all, so that a cut line is still well-formed. */
    size_t name_length = strlen(field->name), needed = name_length + 8 + (field->is_text ? 0 : 24);
    if (line->truncated || line->length + needed > line->limit) { line->truncated = true; return; }
    put_text(line, line->json ? ",\"" : " ");
    put_text(line, field->name);
    put_text(line, line->json ? "\":" : "=");
    if (!field->is_text) put_integer(line, field->integer);
    else if (line->json || wants_quotes(field->text)) put_string(line, field->text);
    else put_escaped(line, field->text, false);
}

static void put_time(struct line *line) {
    int64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    char text[32];
    size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + length, sizeof text - length, ".%03dZ", (int)(now_ms % 1000));
    put_text(line, text);
}

/* Everything before the fields. */
static void put_head(struct line *line, enum log_level level, const char *event, const char *message) {
    const char *process = atomic_load(&process_name);
    if (line->json) {
        put_text(line, "{\"ts\":\"");
        put_time(line);
        put_text(line, "\",\"level\":\"");
        put_text(line, level_names[level]);
        put_text(line, "\"");
        if (process) put_field(line, &LOG_TEXT("process", process));
        put_field(line, &LOG_TEXT("event", event));
        put_text(line, ",\"message\":");
        line->limit = MESSAGE_LIMIT;
        put_string(line, slice_of(message));
    } else {
        put_time(line);
        char level_text[16];
        snprintf(level_text, sizeof level_text, " %-7s ", level_names[level]);
        put_text(line, level_text);
        put_text(line, event);
        put_text(line, ": ");
        line->limit = MESSAGE_LIMIT;
        put_escaped(line, slice_of(message), false);
    }
}

static void write_line(struct line *line) {
    int descriptor = atomic_load(&output);
    for (size_t written = 0; written < line->length;) {
        ssize_t count = write(descriptor, line->text + written, line->length - written);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return; /* there is nobody left to tell */
        written += (size_t)count;
    }
}

static void compose(enum log_level level, const char *event, struct log_fields fields, int64_t suppressed, const char *message, bool message_cut) {
    struct line line = {.length = 0, .limit = LINE_LIMIT, .json = atomic_load(&format_chosen) == LOG_FORMAT_JSON};
    put_head(&line, level, event, message);
    bool cut = message_cut || line.truncated;
    line.truncated = false;
    line.limit = LINE_LIMIT;
    if (suppressed > 0) put_field(&line, &LOG_INTEGER("suppressed", suppressed));
    for (size_t i = 0; i < fields.count; i++) put_field(&line, &fields.items[i]);
    if (cut || line.truncated) close_with(&line, line.json ? ",\"truncated\":true" : " truncated=true");
    close_with(&line, line.json ? "}\n" : "\n");
    write_line(&line);
}

/* ---- call sites ---- */

/* Whether the site may speak; *suppressed is what it was kept from saying since it last spoke. */
static bool may_speak(struct log_site *site, enum log_level level, const char *event, int64_t *suppressed) {
    int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&sites_lock);
    if (!site->known) {
        *site = (struct log_site){.event = event, .level = level, .window_start_ms = now_ms, .known = true, .next = sites};
        sites = site;
    }
    if (now_ms - site->window_start_ms >= LOG_RATE_MS) {
        site->window_start_ms = now_ms;
        site->lines = 0;
    }
    bool speaks = site->lines < LOG_RATE_LINES;
    if (speaks) {
        site->lines++;
        *suppressed = site->suppressed;
        site->suppressed = 0;
    } else {
        site->suppressed++;
    }
    pthread_mutex_unlock(&sites_lock);
    return speaks;
}

void log_write(struct log_site *site, enum log_level level, const char *event, struct log_fields fields, const char *format, ...) {
    int reason = errno; /* the caller keeps it, and %m tells it */
    int64_t suppressed = 0;
    if (!may_speak(site, level, event, &suppressed)) return;
    errno = reason;
    char message[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (length < 0) message[0] = 0;
    compose(level, event, fields, suppressed, message, length >= (int)sizeof message);
    errno = reason;
}

void log_finish(void) {
    pthread_mutex_lock(&sites_lock);
    struct log_site *first = sites;
    pthread_mutex_unlock(&sites_lock);
    /* Sites are only ever put before the first, so the chain from here on stays as it is. */
    for (struct log_site *site = first; site; site = site->next) {
        pthread_mutex_lock(&sites_lock);
        int64_t suppressed = site->suppressed;
        site->suppressed = 0;
        pthread_mutex_unlock(&sites_lock);
        if (suppressed > 0) compose(site->level, site->event, LOG_NO_FIELDS, suppressed, "was said more often than it was written", false);
    }
}
