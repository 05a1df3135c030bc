/* kontor explain: why a journal was posted as it was. */
#include "cli/explain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/origins.h"
#include "cli/scan.h"
#include "cli/show.h"
#include "cli/values.h"
#include "schemas/posting_command.h"

enum { VALUE_MEMORY = 64 << 20 };

struct explaining {
    struct connection connection;
    struct values *values;
    struct arena arena;
    struct buffer json;
    struct topic_names journal_topics, entry_topics;    /* entry_topics: settlement.entries, where there is one */
    const char *wanted;             /* the journal looked for */
    int64_t searched;
    int64_t offset_wanted, offset_last;     /* of a single record; of the newest version that counts */
    json_t *found;                  /* what the scan under way is to find: an object, or an array of all */
};

/* ---- reading ---- */

/* The record with where it lies; NULL when its value cannot be read. */
static bool to_json(struct explaining *explaining, const struct kafka_record *record, json_t **json, struct error *error) {
    struct error why;
    *json = NULL;
    buffer_reset(&explaining->json);
    enum values_result result = record->value.data ? values_to_json(explaining->values, record->value, &explaining->json, &why) : VALUES_UNREADABLE;
    if (result == VALUES_FAILED) return error_set(error, "%s", why.text);
    if (result != VALUES_OK) return true;
    *json = json_loadb(explaining->json.data, explaining->json.length, 0, NULL);
    if (!*json) return error_set(error, "out of memory");
    json_object_set_new(*json, "key_of_record", json_stringn(record->key.length ? record->key.data : "", record->key.length));
    json_object_set_new(*json, "offset_of_record", json_integer(record->offset));
    return true;
}

static bool run(struct explaining *explaining, struct scan *scan, enum scan_step (*visit)(void *, const struct kafka_record *, struct error *), struct error *error) {
    scan->connection = &explaining->connection;
    scan->progress = "searching";
    scan->visit = visit;
    scan->context = explaining;
    return scan_run(scan, error);
}

static enum scan_step take_journal(void *context, const struct kafka_record *record, struct error *error) {
    struct explaining *explaining = context;
    struct posting_command journal;
    struct error why;
    explaining->searched++;
    arena_reset(&explaining->arena);
    enum values_result result = values_decode(explaining->values, record->value, &posting_command_type, &explaining->arena, &journal, &why);
    if (result == VALUES_FAILED) {
        error_set(error, "%s", why.text);
        return SCAN_FAILED;
    }
    if (result != VALUES_OK || !slice_equal(journal.idempotency_key, slice_of(explaining->wanted))) return SCAN_MORE;
    if (!to_json(explaining, record, &explaining->found, error)) return SCAN_FAILED;
    if (explaining->found) json_object_set_new(explaining->found, "topic_of_record", json_string(record->topic));
    return SCAN_ENOUGH;
}

/* The journal that lists what is wanted among its entries. */
static enum scan_step take_summary(void *context, const struct kafka_record *record, struct error *error) {
    struct explaining *explaining = context;
    struct posting_command journal;
    struct error why;
    arena_reset(&explaining->arena);
    enum values_result result = values_decode(explaining->values, record->value, &posting_command_type, &explaining->arena, &journal, &why);
    if (result == VALUES_FAILED) {
        error_set(error, "%s", why.text);
        return SCAN_FAILED;
    }
    for (size_t i = 0; result == VALUES_OK && i < journal.entries.count; i++)
        if (slice_equal(journal.entries.items[i].idempotency_key, slice_of(explaining->wanted)))
            return to_json(explaining, record, &explaining->found, error) ? SCAN_ENOUGH : SCAN_FAILED;
    return SCAN_MORE;
}

static void add_topics(struct scan *scan, const struct topic_names *names) {
    for (size_t i = 0; i < names->count && scan->topic_count < SCAN_TOPICS_MAXIMUM; i++) scan->topics[scan->topic_count++] = names->names[i];
}

/* *journal NULL: there is none of that key, among those of batches either. */
static bool find_journal(struct explaining *explaining, const char *key, json_t **journal, struct error *error) {
    struct scan scan = {.partition = SCAN_ALL_PARTITIONS, .from_offset = SCAN_FROM_BEGINNING};
    add_topics(&scan, &explaining->journal_topics);
    add_topics(&scan, &explaining->entry_topics);
    explaining->wanted = key;
    explaining->found = NULL;
    if (!run(explaining, &scan, take_journal, error)) return false;
    *journal = explaining->found;
    return true;
}

/* *summary NULL: the entry is not posted yet. */
static bool find_summary(struct explaining *explaining, const char *key, json_t **summary, struct error *error) {
    struct scan scan = {.partition = SCAN_ALL_PARTITIONS, .from_offset = SCAN_FROM_BEGINNING};
    add_topics(&scan, &explaining->journal_topics);
    explaining->wanted = key;
    explaining->found = NULL;
    if (!run(explaining, &scan, take_summary, error)) return false;
    *summary = explaining->found;
    return true;
}

static enum scan_step take_one(void *context, const struct kafka_record *record, struct error *error) {
    struct explaining *explaining = context;
    if (record->offset != explaining->offset_wanted) return SCAN_ENOUGH; /* compacted away, or deleted */
    return to_json(explaining, record, &explaining->found, error) ? SCAN_ENOUGH : SCAN_FAILED;
}

/* One record by its place; *json NULL: it is gone, or cannot be read. */
static bool read_record(struct explaining *explaining, const char *topic, int32_t partition, int64_t offset, json_t **json, struct error *error) {
    struct scan scan = {.topics = {topic}, .topic_count = 1, .partition = partition, .from_offset = offset};
    explaining->offset_wanted = offset;
    explaining->found = NULL;
    bool ok = run(explaining, &scan, take_one, error);
    *json = explaining->found;
    return ok;
}

/* Versions up to the offset that the decision knew count, later ones where nothing older is left of their key. */
static enum scan_step take_version(void *context, const struct kafka_record *record, struct error *error) {
    struct explaining *explaining = context;
    json_t *json;
    if (!to_json(explaining, record, &json, error)) return SCAN_FAILED;
    char *key = strndup(record->key.length ? record->key.data : "", record->key.length);
    if (json && key && (record->offset <= explaining->offset_last || !json_object_get(explaining->found, key))) json_object_set(explaining->found, key, json);
    json_decref(json);
    free(key);
    return SCAN_MORE;
}

/* All keys of a master table as they were at an offset: an object by record key. */
static bool read_table(struct explaining *explaining, const char *topic, int64_t offset, json_t **table, struct error *error) {
    struct scan scan = {.topics = {topic}, .topic_count = 1, .partition = SCAN_ALL_PARTITIONS, .from_offset = SCAN_FROM_BEGINNING};
    explaining->offset_last = offset;
    explaining->found = json_object();
    bool ok = run(explaining, &scan, take_version, error);
    *table = explaining->found;
    return ok;
}

/* ---- putting together ---- */

static bool is_summary(const json_t *journal) { return json_array_size(json_object_get(journal, "entries")) > 0; }

static int64_t offset_of_table(const json_t *journal, const char *table) {
    size_t i;
    json_t *used;
    json_array_foreach(json_object_get(journal, "master_offsets"), i, used)
        if (strcmp(show_text(used, "table"), table) == 0) return json_integer_value(json_object_get(used, "offset"));
    return INT64_MAX;
}

/* The set that the journal's rule names: <set>/<rule>@<valid from>. */
static const json_t *rule_set_of(const json_t *journal, const json_t *sets) {
    const char *rule = show_text(journal, "rule"), *slash = strchr(rule, '/'), *at = strrchr(rule, '@'), *key;
    json_t *set;
    json_object_foreach((json_t *)(uintptr_t)sets, key, set) {
        const char *name = show_text(set, "rule_set");
        if (slash && at && strlen(name) == (size_t)(slash - rule) && strncmp(name, rule, strlen(name)) == 0 && strcmp(show_text(set, "valid_from"), at + 1) == 0) return set;
    }
    return NULL;
}

static bool explain_rules(struct explaining *explaining, json_t *journal, bool swapped, const char *rounding_account, struct error *error) {
    json_t *sets = NULL, *by_key = NULL, *mappings = json_array(), *mapping;
    const char *key;
    bool ok = read_table(explaining, "master.posting-rules", offset_of_table(journal, "posting-rules"), &sets, error) &&
              read_table(explaining, "master.code-mappings", offset_of_table(journal, "code-mappings"), &by_key, error);
    json_object_foreach(by_key, key, mapping) json_array_append(mappings, mapping);
    const json_t *set = ok ? rule_set_of(journal, sets) : NULL;
    if (ok) explain_lines(journal, set, mappings, rounding_account, swapped);
    if (set) json_object_set_new(journal, "rule_offset", json_incref(json_object_get(set, "offset_of_record")));
    json_decref(sets);
    json_decref(by_key);
    json_decref(mappings);
    return ok;
}

/* The master records by the offsets that the journal names; *rounding_account: of its legal entity, "" when that is gone. */
static bool add_master(struct explaining *explaining, json_t *journal, json_t *all, char *rounding_account, size_t size, struct error *error) {
    size_t i;
    json_t *used, *master = json_array();
    bool ok = true;
    json_object_set_new(all, "master", master);
    rounding_account[0] = 0;
    json_array_foreach(json_object_get(journal, "master_offsets"), i, used) {
        char topic[300];
        json_t *record = NULL;
        int64_t offset = json_integer_value(json_object_get(used, "offset"));
        snprintf(topic, sizeof topic, "master.%s", show_text(used, "table"));
        ok = ok && read_record(explaining, topic, 0, offset, &record, error);
        if (strcmp(topic, "master.legal-entities") == 0) snprintf(rounding_account, size, "%s", show_text(record, "rounding_account"));
        json_array_append_new(master, json_pack("{s:s, s:I, s:s, s:s, s:o}", "table", show_text(used, "table"), "offset", (json_int_t)offset, "key",
                                                show_text(record, "key_of_record"), "source", show_text(record, "source"), "record", record ? record : json_null()));
    }
    return ok;
}

static bool add_event(struct explaining *explaining, const json_t *journal, json_t *all, struct error *error) {
    struct slice topic;
    int32_t partition;
    int64_t offset;
    json_t *event = NULL;
    if (!origin_parse(slice_of(show_text(journal, "origin")), &topic, &partition, &offset)) return error_set(error, "the journal's origin %s is no <topic>/<partition>/<offset>", show_text(journal, "origin"));
    char name[300];
    snprintf(name, sizeof name, SLICE_FORMAT, SLICE_ARGUMENT(topic));
    if (!read_record(explaining, name, partition, offset, &event, error)) return false;
    json_object_set_new(all, "event", event ? event : json_null());
    return true;
}

/* An entry of a batch is posted by its summary, which has its lines from its entries and not from rules. */
static bool add_batch(struct explaining *explaining, const json_t *journal, json_t *all, struct error *error) {
    json_t *summary = NULL;
    if (!*show_text(journal, "batch")) return true;
    if (!find_summary(explaining, show_text(journal, "idempotency_key"), &summary, error)) return false;
    json_object_set_new(all, "summary", summary ? json_pack("{s:O, s:O, s:O, s:O}", "idempotency_key", json_object_get(summary, "idempotency_key"), "posting_date",
                                                            json_object_get(summary, "posting_date"), "period", json_object_get(summary, "period"), "erp",
                                                            json_object_get(summary, "erp")) : json_null());
    json_decref(summary);
    return true;
}

/* {"journal", "summary", "reversed", "event", "master"} */
static bool explain(struct explaining *explaining, const char *key, json_t *all, struct error *error) {
    json_t *journal = NULL, *reversed = NULL;
    char rounding_account[128], count[AMOUNT_TEXT_SIZE];
    if (!find_journal(explaining, key, &journal, error)) return false;
    if (!journal)
        return error_set(error, "none of %s journals has the idempotency key %s; kontor trace DOCUMENT shows the keys of a document's journals",
                         count_text(explaining->searched, count), key);
    json_object_set_new(all, "journal", journal);
    const char *reverses = show_text(journal, "reverses");
    if (*reverses && !find_journal(explaining, reverses, &reversed, error)) return false;
    if (reversed) json_object_set_new(all, "reversed", reversed);
    /* A reversal has its lines from its original, and that from the rules of its time. */
    const json_t *ruled = reversed ? reversed : journal;
    if (!*show_text(journal, "rule")) json_object_set(journal, "rule", json_object_get(ruled, "rule"));
    if (!json_array_size(json_object_get(journal, "master_offsets"))) json_object_set(journal, "master_offsets", json_object_get(ruled, "master_offsets"));
    return add_batch(explaining, journal, all, error) && add_event(explaining, journal, all, error) &&
           add_master(explaining, journal, all, rounding_account, sizeof rounding_account, error) &&
           (is_summary(journal) || explain_rules(explaining, journal, reversed, rounding_account, error));
}

/* ---- showing ---- */

static void print_entries(const json_t *journal, FILE *out) {
    size_t i;
    json_t *entry;
    char amount[AMOUNT_TEXT_SIZE];
    const json_t *entries = json_object_get(journal, "entries");
    const bool foreign = strcmp(show_text(journal, "currency"), show_text(journal, "functional_currency")) != 0;
    fprintf(out, "\n%zu entr%s, with their debits\n", json_array_size(entries), json_array_size(entries) == 1 ? "y" : "ies");
    json_array_foreach(entries, i, entry) {
        fprintf(out, "  %12s %s", show_amount(entry, "amount", amount), show_text(journal, "currency"));
        if (foreign) fprintf(out, "  = %s %s", show_amount(entry, "functional", amount), show_text(journal, "functional_currency"));
        fprintf(out, "  %s\n", show_text(entry, "idempotency_key"));
    }
}

static void print_batch(const json_t *all, FILE *out) {
    const json_t *journal = json_object_get(all, "journal"), *summary = json_object_get(all, "summary");
    if (!*show_text(journal, "batch")) return;
    fprintf(out, "  entry of batch %s: ", show_text(journal, "batch"));
    if (json_is_object(summary))
        fprintf(out, "posted by %s on %s, period %s\n", show_text(summary, "idempotency_key"), show_text(summary, "posting_date"), show_text(summary, "period"));
    else fprintf(out, "not posted yet: its window is open, or its part waits\n");
}

static void print_made_by(const json_t *line, FILE *out) {
    size_t i;
    json_t *made;
    const json_t *made_by = json_object_get(line, "made_by");
    json_array_foreach(made_by, i, made) {
        if (!*show_text(made, "rule")) fprintf(out, "      %s\n", show_text(made, "how"));
        else
            fprintf(out, "      %srule %s, line %d: %s %s, amount %s – %s\n", i ? "and " : "by ", show_text(made, "rule"), (int)json_integer_value(json_object_get(made, "line")),
                    show_text(made, "side"), show_text(made, "account"), show_text(made, "amount"), show_text(made, "how"));
    }
    if (!json_array_size(made_by)) fprintf(out, "      no rule line of today's tables leads to it: the rules or mappings of that time are gone\n");
}

static void print_explanation(const json_t *all, FILE *out) {
    const json_t *journal = json_object_get(all, "journal"), *event = json_object_get(all, "event"), *lines = json_object_get(event, "lines");
    size_t i;
    json_t *line, *record;
    fprintf(out, "%s\n  %s, posted on %s, period %s, ledger %s, to %s\n  rule %s\n", show_text(journal, "idempotency_key"), show_text(journal, "step"),
            show_text(journal, "posting_date"), show_text(journal, "period"), show_text(journal, "ledger"), show_text(journal, "erp"), show_text(journal, "rule"));
    print_batch(all, out);
    if (*show_text(journal, "reverses")) fprintf(out, "  reverses %s: its lines with the sides swapped\n", show_text(journal, "reverses"));
    if (strcmp(show_text(journal, "currency"), show_text(journal, "functional_currency")) != 0)
        fprintf(out, "  rate %s %s per %s  %s  of %s\n", show_text(journal, "rate"), show_text(journal, "functional_currency"), show_text(journal, "currency"),
                show_text(journal, "rate_type"), show_text(journal, "rate_date"));
    fputc('\n', out);
    show_journal_lines(journal, "  ", is_summary(journal) ? NULL : print_made_by, out);
    if (is_summary(journal)) print_entries(journal, out);
    fprintf(out, "\nevent %s  %s of %s, from %s, %s\n", show_text(journal, "event_id"), show_text(event, "kind"), show_text(journal, "document"),
            show_text(journal, "source"), show_text(journal, "origin"));
    if (!json_is_object(event)) fprintf(out, "  it is no longer there, or cannot be read\n");
    json_array_foreach(lines, i, line) {
        fprintf(out, "  ");
        show_document_line(line, out);
        fputc('\n', out);
    }
    fprintf(out, "\nmaster records, the newest that was looked up of each table\n");
    json_array_foreach(json_object_get(all, "master"), i, record) {
        bool gone = json_is_null(json_object_get(record, "record"));
        fprintf(out, "  %-20s offset %lld  %s%s\n", show_text(record, "table"), (long long)json_integer_value(json_object_get(record, "offset")),
                gone ? "superseded: the topic keeps newer versions only" : show_text(record, "key"), "");
    }
    fprintf(out, "\nkontor trace %s shows the whole document\n", show_text(journal, "document"));
}

static enum exit_status explain_run(const struct invocation *invocation) {
    struct explaining explaining = {.searched = 0};
    struct error error = {"out of memory"};
    json_t *all = json_object();
    arena_init(&explaining.arena, 1 << 16, VALUE_MEMORY);
    bool ok = all && connection_open(&explaining.connection, invocation, &error) && values_open(&explaining.values, &explaining.connection, &error) &&
              connection_topics(&explaining.connection, "posting.commands.", &explaining.journal_topics, &error) &&
              connection_topics(&explaining.connection, "settlement.entries", &explaining.entry_topics, &error) &&
              explain(&explaining, invocation->words[0], all, &error);
    if (ok && invocation->format == FORMAT_JSON) ok = (json_dumpf(all, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF) || error_set(&error, "out of memory");
    else if (ok) print_explanation(all, stdout);
    json_decref(all);
    values_close(explaining.values);
    topic_names_free(&explaining.journal_topics);
    topic_names_free(&explaining.entry_topics);
    connection_close(&explaining.connection);
    arena_free(&explaining.arena);
    buffer_free(&explaining.json);
    return ok ? EXIT_DONE : command_failed(&error);
}

const struct command explain_command = {
    .name = "explain",
    .summary = "why a journal was posted to these accounts",
    .usage = "JOURNAL",
    .description = "JOURNAL is the idempotency key <entity>/<document>/<step>/<version>. Shows each line with the lines of the posting rules that made\n"
                   "it (lines of the same account are merged), the event it comes from, and the master records by their offsets. Of a summary of a batch:\n"
                   "the journals in it; of one of those: the summary that posts it.",
    .words_minimum = 1,
    .words_maximum = 1,
    .default_format = "table",
    .example = "  kontor explain companyID_0000/4507001238-00010-IR1/invoice_with_order/1",
    .run = explain_run,
};
