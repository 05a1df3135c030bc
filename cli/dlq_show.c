/* kontor dlq show: a dead letter with everything that came with it, what to do about it, and what became of it when it was sent again. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/dlq.h"
#include "cli/dlq_read.h"
#include "cli/show.h"
#include "cli/trial.h"
#include "cli/values.h"
#include "schemas/acknowledgment.h"
#include "schemas/audit_entry.h"
#include "schemas/reasons.h"

enum { VALUE_MEMORY = 64 << 20 };

struct showing {
    const struct connection *connection;
    struct values *values;
    struct arena arena;
    const char *name;               /* the dead letter's place */
    json_t *json, *replays, *found; /* replays: what audit has; found: where it lies now */
};

/* Text as it is, other bytes as base64. */
static json_t *bytes_json(struct slice bytes) {
    if (!bytes.data) return json_null();
    if (bytes_are_text(bytes)) return json_stringn(bytes.data, bytes.length);
    struct buffer coded = {0};
    json_t *json = base64_append(&coded, bytes) ? json_pack("{s:s%}", "base64", coded.data, coded.length) : NULL;
    buffer_free(&coded);
    return json;
}

static json_t *headers_json(const struct kafka_record *record, bool ours) {
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t size;
    json_t *json = json_object();
    if (rd_kafka_message_headers(record->message, &headers)) return json;
    for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &size); i++)
        if ((strncmp(name, "kontor-", 7) == 0) == ours) json_object_set_new(json, name, bytes_json((struct slice){value, size}));
    return json;
}

static enum scan_step take_record(void *context, const struct kafka_record *record, struct error *error) {
    struct showing *showing = context;
    struct buffer text = {0};
    struct error why = {""};
    char time[TIME_TEXT_SIZE], name[DEAD_NAME_SIZE];
    snprintf(name, sizeof name, "%s/%" PRId32 "/%" PRId64, record->topic, record->partition, record->offset);
    if (strcmp(name, showing->name) != 0) return SCAN_ENOUGH;
    const struct slice code = record_header(record, "kontor-reason");
    const struct reason_description *known = NULL;
    for (int i = 0; i < REASON_COUNT; i++)
        if (slice_equal(code, slice_of(reasons[i].code))) known = &reasons[i];
    json_t *value = record->value.data && values_to_json(showing->values, record->value, &text, &why) == VALUES_OK ? json_loadb(text.data, text.length, 0, NULL) : NULL;
    buffer_free(&text);
    showing->json = json_pack("{s:s, s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o}", "id", name, "time", time_text(record->timestamp_ms, time), "reason", bytes_json(code), "meaning",
                              known ? known->text : "", "what_to_do", known ? known->what_to_do : "", "key", bytes_json(record->key), "headers", headers_json(record, false), "kontor",
                              headers_json(record, true), "value", value ? value : bytes_json(record->value));
    if (showing->json && !value) json_object_set_new(showing->json, "unreadable", json_string(record->value.data ? why.text : "no value"));
    if (!showing->json) error_set(error, "out of memory");
    return showing->json ? SCAN_ENOUGH : SCAN_FAILED;
}

static enum scan_step take_audit(void *context, const struct kafka_record *record, struct error *error) {
    struct showing *showing = context;
    struct audit_entry entry;
    struct error why;
    char time[TIME_TEXT_SIZE];
    arena_reset(&showing->arena);
    enum values_result read = values_decode(showing->values, record->value, &audit_entry_type, &showing->arena, &entry, &why);
    if (read == VALUES_FAILED) {
        error_set(error, "%s", why.text);
        return SCAN_FAILED;
    }
    if (read == VALUES_OK && slice_equal(entry.action, SLICE("replay")) && slice_equal(entry.origin, slice_of(showing->name)))
        json_array_append_new(showing->replays, json_pack("{s:s, s:o, s:o, s:o}", "time", time_text(record->timestamp_ms, time), "by", bytes_json(entry.by), "why", bytes_json(entry.why),
                                                          "text", bytes_json(entry.text)));
    return SCAN_MORE;
}

/* The record that came back: on its topic, and dead again. */
static enum scan_step take_again(void *context, const struct kafka_record *record, struct error *error) {
    struct showing *showing = context;
    char place[DEAD_NAME_SIZE];
    (void)error;
    if (!slice_equal(record_header(record, HEADER_REPLAY_OF), slice_of(showing->name))) return SCAN_MORE;
    snprintf(place, sizeof place, "%s/%" PRId32 "/%" PRId64, record->topic, record->partition, record->offset);
    const struct slice code = strncmp(record->topic, "dlq.", 4) == 0 ? record_header(record, "kontor-reason") : (struct slice){0};
    json_array_append_new(showing->found, json_pack("{s:s, s:o, s:o}", "place", place, "outcome", code.data ? json_string("dead again") : json_string(""), "reasons",
                                                    code.data ? bytes_json(code) : json_string("")));
    return SCAN_MORE;
}

static enum scan_step take_acknowledgment(void *context, const struct kafka_record *record, struct error *error) {
    static const char *const texts[] = {"accepted", "duplicate", "rejected", "held", "parked"};
    struct showing *showing = context;
    struct acknowledgment told;
    struct error why;
    size_t i;
    json_t *place;
    arena_reset(&showing->arena);
    enum values_result read = values_decode(showing->values, record->value, &acknowledgment_type, &showing->arena, &told, &why);
    if (read == VALUES_FAILED) {
        error_set(error, "%s", why.text);
        return SCAN_FAILED;
    }
    json_array_foreach(showing->found, i, place) {
        if (read != VALUES_OK || !slice_equal(told.origin, slice_of(show_text(place, "place")))) continue;
        char codes[1024] = "";
        for (size_t k = 0; k < told.reasons.count; k++)
            snprintf(codes + strlen(codes), sizeof codes - strlen(codes), "%s" SLICE_FORMAT, k ? ", " : "", SLICE_ARGUMENT(told.reasons.items[k].code));
        json_object_set_new(place, "outcome", json_string(texts[told.outcome]));
        json_object_set_new(place, "reasons", json_string(codes));
    }
    return SCAN_MORE;
}

static bool scan_for(struct showing *showing, const char *topic, int32_t partition, int64_t from, enum scan_step (*visit)(void *, const struct kafka_record *, struct error *), struct error *error) {
    const struct scan scan = {.connection = showing->connection, .topics = {topic}, .topic_count = 1, .partition = partition, .from_offset = from, .visit = visit, .context = showing,
                              .progress = "reading"};
    return scan_run(&scan, error);
}

static bool show_find(struct showing *showing, struct error *error) {
    char topic[DEAD_NAME_SIZE];
    int64_t offset = 0;
    const int32_t partition = origin_partition(slice_of(showing->name), &offset);
    if (partition < 0) return error_set(error, "%s is no dead letter's ID: expected <topic>/<partition>/<offset>, as kontor dlq list prints it", showing->name);
    snprintf(topic, sizeof topic, "%s", showing->name);
    for (int slashes = 0; slashes < 2; slashes++) *strrchr(topic, '/') = 0;
    if (!scan_for(showing, topic, partition, offset, take_record, error)) return false;
    if (!showing->json) return error_set(error, "%s is not there: it was deleted from the topic, or never was; kontor dlq list shows what is", showing->name);
    const char *origin = show_text(json_object_get(showing->json, "kontor"), "kontor-topic");
    if (!*origin) origin = strncmp(topic, "dlq.", 4) == 0 ? topic + 4 : topic;
    showing->replays = json_array();
    showing->found = json_array();
    if (!scan_for(showing, "audit", SCAN_ALL_PARTITIONS, SCAN_FROM_BEGINNING, take_audit, error)) return false;
    if (json_array_size(showing->replays) && (!scan_for(showing, origin, SCAN_ALL_PARTITIONS, SCAN_FROM_BEGINNING, take_again, error) ||
        !scan_for(showing, "acknowledgments", SCAN_ALL_PARTITIONS, SCAN_FROM_BEGINNING, take_acknowledgment, error) ||
        !scan_for(showing, topic, SCAN_ALL_PARTITIONS, SCAN_FROM_BEGINNING, take_again, error))) return false;
    json_object_set(showing->json, "replays", showing->replays);
    json_object_set(showing->json, "came_back_as", showing->found);
    return true;
}

static void print_member(const json_t *json, const char *name) {
    json_t *value = json_object_get(json, name);
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_INDENT(2)) : NULL;
    printf("\n%s\n%s\n", name, text ? text : "");
    free(text);
}

static void print_text(const json_t *json) {
    size_t i;
    json_t *entry;
    printf("%s\n  dead since  %s\n  reason      %s  %s\n  found       %s\n  do          %s\n  came from   %s/%s/%s\n", show_text(json, "id"), show_text(json, "time"), show_text(json, "reason"),
           show_text(json, "meaning"), show_text(json_object_get(json, "kontor"), "kontor-text"), show_text(json, "what_to_do"), show_text(json_object_get(json, "kontor"), "kontor-topic"),
           show_text(json_object_get(json, "kontor"), "kontor-partition"), show_text(json_object_get(json, "kontor"), "kontor-offset"));
    json_array_foreach(json_object_get(json, "replays"), i, entry)
        printf("  replayed    %s  by %s  %s\n", show_text(entry, "time"), show_text(entry, "by"), show_text(entry, "why"));
    json_array_foreach(json_object_get(json, "came_back_as"), i, entry)
        printf("  came back   %s  %s  %s\n", show_text(entry, "place"), show_text(entry, "outcome"), show_text(entry, "reasons"));
    print_member(json, "key");
    print_member(json, "headers");
    print_member(json, "kontor");
    if (*show_text(json, "unreadable")) printf("\nunreadable: %s\n", show_text(json, "unreadable"));
    print_member(json, "value");
}

enum exit_status dlq_show(const struct invocation *invocation) {
    struct connection connection = {0};
    struct error error = {"out of memory"};
    struct showing showing = {.connection = &connection};
    if (invocation->word_count != 2) {
        error_set(&error, "which? kontor dlq show ID; kontor dlq list prints them");
        (void)command_failed(&error);
        return EXIT_USAGE;
    }
    showing.name = invocation->words[1];
    arena_init(&showing.arena, 1 << 16, VALUE_MEMORY);
    bool ok = connection_open(&connection, invocation, &error) && values_open(&showing.values, &connection, &error) && show_find(&showing, &error);
    if (ok && invocation->format == FORMAT_JSON) ok = (!json_dumpf(showing.json, stdout, JSON_INDENT(2)) && putchar('\n') != EOF) || error_set(&error, "out of memory");
    else if (ok) print_text(showing.json);
    json_decref(showing.json);
    json_decref(showing.replays);
    json_decref(showing.found);
    values_close(showing.values);
    arena_free(&showing.arena);
    connection_close(&connection);
    return ok ? EXIT_DONE : command_failed(&error);
}
