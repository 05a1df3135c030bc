/* kontor produce: JSON lines into a topic. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/feed.h"
#include "cli/table.h"
#include "common/platform/clock.h"

static bool print_result(const struct invocation *invocation, const struct feed_result *result, int64_t duration_ms) {
    static const struct table_column columns[] = {{"topic", false}, {"lines", true}, {"sent", true}, {"bad lines", true}, {"milliseconds", true}};
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    table_text(table, invocation->words[0]);
    table_number(table, result->lines);
    table_number(table, result->sent);
    table_number(table, result->bad);
    table_number(table, duration_ms);
    bool ok = table_print(table, invocation->format, stdout);
    table_free(table);
    return ok;
}

static enum exit_status produce_run(const struct invocation *invocation) {
    struct connection connection = {0};
    struct topic_list list = {.count = 0};
    struct error error;
    struct feed_result result = {0};
    int64_t started_ms = clock_monotonic_ms();
    bool ok = connection_open(&connection, invocation, &error) && connection_topic_list(&connection, &list, NULL, NULL, 0, &error);
    if (ok) {
        const struct feed_options options = {
            .topic = invocation->words[0],
            .path = invocation->word_count > 1 ? invocation->words[1] : NULL,
            .declared = topic_list_find(&list, invocation->words[0]),
            .raw = option_given(invocation, "raw"),
            .keep_going = option_given(invocation, "keep-going"),
            .partition = (int32_t)option_number(invocation, "partition", RD_KAFKA_PARTITION_UA),
            .limit = option_number(invocation, "limit", 0),
            .rate = option_number(invocation, "rate", 0),
        };
        ok = feed_run(&connection, &options, &result, &error);
        if (!ok && result.sent) error_prefix(&error, "%" PRId64 " records were sent, then", result.sent);
    }
    if (ok && !print_result(invocation, &result, clock_monotonic_ms() - started_ms)) ok = error_set(&error, "out of memory");
    if (ok && result.bad) ok = error_set(&error, "%" PRId64 " lines were passed over; they are not in the topic", result.bad);
    connection_close(&connection);
    topic_list_free(&list);
    return ok ? EXIT_DONE : command_failed(&error);
}

static const struct option options[] = {
    {"limit", OPTION_NUMBER, "N", "the first N lines only"},
    {"rate", OPTION_NUMBER, "N", "at most N records a second"},
    {"keep-going", OPTION_FLAG, NULL, "tell and count a bad line and go on; without it the first one ends the command"},
    {"partition", OPTION_NUMBER, "N", "onto this partition, whatever the key says"},
    {"raw", OPTION_FLAG, NULL, "values are base64 and sent as they are: no schema, no framing"},
    {NULL, OPTION_FLAG, NULL, NULL},
};

const struct command produce_command = {
    .name = "produce",
    .summary = "sends JSON lines to a topic, as Avro",
    .usage = "TOPIC [FILE]",
    .description = "Each line of FILE (plain or gzip; without it standard input) is a record:\n"
                   "  {\"timestamp\": 1517392800000, \"key\": \"1000|V21\", \"headers\": {\"name\": \"text\"}, \"value\": {...}}\n"
                   "or the value alone. Only the value must be there: the key is made of it (<entity>|<supplier>, or what the topic is\n"
                   "keyed by), the time is now. Amounts are \"100.00\", dates \"2018-01-31\"; a value null is a tombstone. The schema is the\n"
                   "one registered for the topic. Of a bad line nothing is sent.",
    .words_minimum = 1,
    .words_maximum = 2,
    .default_format = "table",
    .options = options,
    .example = "  kontor produce invoice.events invoices.jsonl.gz\n"
               "  echo '{\"event_id\":\"e1\",\"kind\":\"cleared\",\"source\":\"ap\",\"entity\":\"1000\",\"supplier\":\"V21\",\"document\":\"I1\",\"document_date\":\"2018-01-31\"}' | kontor produce invoice.events",
    .run = produce_run,
};
