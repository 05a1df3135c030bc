/* kontor consume: a topic as JSON lines. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scan.h"
#include "cli/table.h"
#include "cli/values.h"

struct consumption {
    const struct invocation *invocation;
    struct connection connection;
    struct values *values;
    struct buffer line;
    struct text_table *table;           /* --format table; NULL: JSON lines */
    struct slice key;                   /* only records of this key; data NULL: all */
    int64_t limit, printed;
    bool follow, raw;
};

/* "name": and the text as JSON; bytes that are no text as {"base64": "..."}. */
static void append_member(struct buffer *line, const char *name, struct slice bytes) {
    buffer_append(line, ",\"", 2);
    buffer_append(line, name, strlen(name));
    buffer_append(line, "\":", 2);
    if (!bytes.data) {
        buffer_append(line, "null", 4);
    } else if (bytes_are_text(bytes)) {
        json_t *text = json_stringn(bytes.data, bytes.length);
        char *quoted = text ? json_dumps(text, JSON_ENCODE_ANY) : NULL;
        if (quoted) buffer_append(line, quoted, strlen(quoted));
        else line->failed = true;
        free(quoted);
        json_decref(text);
    } else {
        buffer_append(line, "{\"base64\":\"", 11);
        (void)!base64_append(line, bytes);
        buffer_append(line, "\"}", 2);
    }
}

/* All headers as members of one object; of two with the same name JSON readers take the last, as we do. */
static void append_headers(struct buffer *line, rd_kafka_message_t *message) {
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t size;
    buffer_append(line, ",\"headers\":{", 12);
    size_t start = line->length;
    if (rd_kafka_message_headers(message, &headers)) headers = NULL;
    for (size_t i = 0; headers && !rd_kafka_header_get_all(headers, i, &name, &value, &size); i++)
        if (bytes_are_text(slice_of(name)) && !strpbrk(name, "\"\\\b\f\n\r\t")) append_member(line, name, (struct slice){value, size});
    if (line->length > start) memmove(line->data + start, line->data + start + 1, --line->length - start); /* the first comma */
    buffer_append(line, "}", 1);
}

/* "value": as the writer's schema has it, or base64 and why it cannot be read. */
static bool append_value(struct consumption *consumption, struct slice value, struct error *error) {
    struct buffer *line = &consumption->line;
    struct error why;
    if (!value.data) return buffer_append(line, ",\"value\":null", 13);
    size_t before = line->length;
    if (consumption->raw) return buffer_append(line, ",\"value\":\"", 10) && base64_append(line, value) && buffer_append(line, "\"", 1);
    buffer_append(line, ",\"value\":", 9);
    enum values_result result = values_to_json(consumption->values, value, line, &why);
    if (result == VALUES_OK) return true;
    if (result == VALUES_FAILED) return error_set(error, "%s", why.text);
    line->length = before;
    buffer_append(line, ",\"value\":\"", 10);
    (void)!base64_append(line, value);
    buffer_append(line, "\"", 1);
    append_member(line, "error", slice_of(why.text));
    return true;
}

static void add_row(struct consumption *consumption, const struct kafka_record *record, size_t value_at) {
    char text[TIME_TEXT_SIZE];
    table_number(consumption->table, record->partition);
    table_number(consumption->table, record->offset);
    table_text(consumption->table, record->timestamp_ms < 0 ? NULL : time_text(record->timestamp_ms, text));
    table_slice(consumption->table, record->key);
    const char *value = consumption->line.data + value_at + strlen(",\"value\":");
    table_slice(consumption->table, (struct slice){value, consumption->line.length - value_at - strlen(",\"value\":")});
}

static enum scan_step print_record(void *context, const struct kafka_record *record, struct error *error) {
    struct consumption *consumption = context;
    struct buffer *line = &consumption->line;
    char head[128];
    if (consumption->key.data && !(record->key.data && slice_equal(record->key, consumption->key))) return SCAN_MORE;
    buffer_reset(line);
    int length = snprintf(head, sizeof head, "{\"partition\":%" PRId32 ",\"offset\":%" PRId64 ",\"timestamp\":%" PRId64, record->partition, record->offset, record->timestamp_ms);
    buffer_append(line, head, (size_t)length);
    append_member(line, "key", record->key);
    append_headers(line, record->message);
    size_t value_at = line->length;
    if (!append_value(consumption, record->value, error)) return SCAN_FAILED;
    if (consumption->table) add_row(consumption, record, value_at);
    buffer_append(line, "}\n", 2);
    if (line->failed) {
        error_set(error, "out of memory");
        return SCAN_FAILED;
    }
    if (!consumption->table && (fwrite(line->data, 1, line->length, stdout) != line->length || (consumption->follow && fflush(stdout)))) {
        error_set(error, "standard output cannot be written: %s", strerror(errno));
        return SCAN_FAILED;
    }
    consumption->printed++;
    return consumption->limit && consumption->printed >= consumption->limit ? SCAN_ENOUGH : SCAN_MORE;
}

/* --from: an offset when it is a bare number, otherwise a time. */
static bool set_start(struct scan *scan, const char *from, struct error *error) {
    scan->from_offset = SCAN_FROM_BEGINNING;
    if (!from) return true;
    size_t digits = strspn(from, "0123456789");
    if (digits && digits <= 18 && !from[digits]) {
        scan->from_offset = strtoll(from, NULL, 10);
        return true;
    }
    return time_parse(from, &scan->from_ms) || error_set(error, "--from %s: expected an offset, or a time such as 2018-01-31 or 2018-01-31T10:00:00Z", from);
}

static bool consume(struct consumption *consumption, struct error *error) {
    static const struct table_column columns[] = {{"partition", true}, {"offset", true}, {"time", false}, {"key", false}, {"value", false}};
    const struct invocation *invocation = consumption->invocation;
    bool as_table = invocation->format == FORMAT_TABLE;
    struct scan scan = {
        .connection = &consumption->connection,
        .topics = {invocation->words[0]},
        .topic_count = 1,
        .partition = (int32_t)option_number(invocation, "partition", SCAN_ALL_PARTITIONS),
        .uncommitted = option_given(invocation, "uncommitted"),
        .follow = consumption->follow,
        .progress = as_table ? "reading" : NULL, /* lines show progress themselves */
        .visit = print_record,
        .context = consumption,
    };
    if (!set_start(&scan, option_text(invocation, "from", NULL), error)) return false;
    if (as_table && scan.follow) return error_set(error, "--follow prints JSON lines as they come; a table needs an end: take one of the two");
    if (as_table && !(consumption->table = table_new(columns, sizeof columns / sizeof *columns))) return error_set(error, "out of memory");
    if (!scan_run(&scan, error)) return false;
    return !as_table || table_print(consumption->table, FORMAT_TABLE, stdout) || error_set(error, "out of memory");
}

static enum exit_status consume_run(const struct invocation *invocation) {
    struct consumption consumption = {.invocation = invocation, .limit = option_number(invocation, "limit", 0), .follow = option_given(invocation, "follow"),
                                      .raw = option_given(invocation, "raw")};
    struct error error;
    const char *key = option_text(invocation, "key", NULL);
    if (key) consumption.key = slice_of(key);
    bool ok = connection_open(&consumption.connection, invocation, &error) && values_open(&consumption.values, &consumption.connection, &error) &&
              consume(&consumption, &error);
    values_close(consumption.values);
    connection_close(&consumption.connection);
    table_free(consumption.table);
    buffer_free(&consumption.line);
    return ok ? EXIT_DONE : command_failed(&error);
}

static const struct option options[] = {
    {"follow", OPTION_FLAG, NULL, "go on with what comes, until interrupted"},
    {"from", OPTION_TEXT, "FROM", "an offset, or a time such as 2018-01-31T10:00:00Z; without it the beginning"},
    {"partition", OPTION_NUMBER, "N", "this partition only"},
    {"key", OPTION_TEXT, "KEY", "records of this key only"},
    {"limit", OPTION_NUMBER, "N", "N records at most"},
    {"uncommitted", OPTION_FLAG, NULL, "also what belongs to open or aborted transactions"},
    {"raw", OPTION_FLAG, NULL, "values as base64, byte for byte; produce --raw takes them back"},
    {NULL, OPTION_FLAG, NULL, NULL},
};

const struct command consume_command = {
    .name = "consume",
    .summary = "prints a topic as JSON lines",
    .usage = "TOPIC",
    .description = "Each record is a line {\"partition\", \"offset\", \"timestamp\", \"key\", \"headers\", \"value\"}, its value read by the schema that\n"
                   "wrote it. A value that cannot be read is base64, with \"error\" saying why; a tombstone is null. It ends at the end that\n"
                   "the topic had when it began. Records of one partition come in order. Nothing is committed, no group is joined.",
    .words_minimum = 1,
    .words_maximum = 1,
    .default_format = "json",
    .options = options,
    .example = "  kontor consume acknowledgments --limit 3\n  kontor consume posting.commands.tryton --key '1000|V21'\n  kontor consume master.suppliers --format table",
    .run = consume_run,
};
