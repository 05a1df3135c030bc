/* kontor exceptions show: everything about one: the event, why it is where it is, what to do about it, and what has happened so far. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/exceptions.h"
#include "cli/scan.h"
#include "cli/show.h"
#include "cli/topic_list.h"
#include "schemas/audit_entry.h"
#include "schemas/reasons.h"

enum { RECORD_MEMORY = 64 << 20 };

struct showing { struct exception_set *set; struct slice origin; struct arena arena; json_t *history; };

static json_t *text_json(struct slice text) { return json_stringn(text.length ? text.data : "", text.length); }

/* ---- history ---- */

static bool entry_add(struct showing *showing, const struct kafka_record *record, const char *what, const char *outcome, struct slice by, struct slice text) {
    char time[TIME_TEXT_SIZE];
    json_t *entry = json_pack("{s:s, s:s, s:s, s:o, s:o, s:I}", "time", time_text(record->timestamp_ms, time), "what", what, "outcome", outcome, "by", text_json(by), "text", text_json(text),
                              "timestamp", (json_int_t)record->timestamp_ms);
    return entry && !json_array_append_new(showing->history, entry);
}

static bool take_exception(struct showing *showing, const struct kafka_record *record, const struct exception_record *exception) {
    char cell[CELL_SIZE], outcome[64];
    if (!slice_equal(exception->origin, showing->origin)) return true;
    snprintf(outcome, sizeof outcome, SLICE_FORMAT, SLICE_ARGUMENT(exception->outcome));
    return entry_add(showing, record, "event", outcome, exception->processor, slice_of(reasons_cell(exception, cell)));
}

static bool take_decision(struct showing *showing, const struct kafka_record *record, const struct review_decision *decision) {
    if (!slice_equal(decision->origin, showing->origin)) return true;
    return entry_add(showing, record, review_action_name(decision->action), "asked for", decision->user, decision->difference.length ? decision->difference : decision->reason);
}

static bool take_audit(struct showing *showing, const struct kafka_record *record, const struct audit_entry *audit) {
    char action[64], by[256], text[512];
    if (!slice_equal(audit->origin, showing->origin)) return true;
    snprintf(action, sizeof action, SLICE_FORMAT, SLICE_ARGUMENT(audit->action));
    snprintf(by, sizeof by, SLICE_FORMAT, SLICE_ARGUMENT(audit->processor));
    snprintf(text, sizeof text, SLICE_FORMAT "%s" SLICE_FORMAT, SLICE_ARGUMENT(audit->reason), audit->reason.length && audit->text.length ? ": " : "", SLICE_ARGUMENT(audit->text));
    return entry_add(showing, record, action, audit_outcome_name(audit->outcome), slice_of(by), slice_of(text));
}

static enum scan_step take(void *context, const struct kafka_record *record, struct error *error) {
    struct showing *showing = context;
    static const struct codec_type *const types[] = {&exception_record_type, &exception_record_type, &exception_record_type, &review_decision_type, &audit_entry_type};
    union { struct exception_record exception; struct review_decision decision; struct audit_entry audit; } read;
    struct error why;
    arena_reset(&showing->arena);
    enum values_result result = values_decode(showing->set->values, record->value, types[record->topic_index], &showing->arena, &read, &why);
    if (result == VALUES_FAILED) {
        error_set(error, "%s: %s", record->topic, why.text);
        return SCAN_FAILED;
    }
    if (result != VALUES_OK) return SCAN_MORE;
    bool ok = record->topic_index < EXCEPTION_STATES ? take_exception(showing, record, &read.exception)
              : record->topic_index == EXCEPTION_STATES ? take_decision(showing, record, &read.decision) : take_audit(showing, record, &read.audit);
    if (!ok) error_set(error, "out of memory");
    return ok ? SCAN_MORE : SCAN_FAILED;
}

static int by_time(const void *a, const void *b) {
    const json_int_t x = json_integer_value(json_object_get(*(json_t *const *)a, "timestamp")), y = json_integer_value(json_object_get(*(json_t *const *)b, "timestamp"));
    return (x > y) - (x < y);
}

static bool sort_history(struct showing *showing) {
    const size_t count = json_array_size(showing->history);
    json_t **entries = calloc(count + 1, sizeof *entries), *sorted = json_array();
    for (size_t i = 0; entries && i < count; i++) entries[i] = json_array_get(showing->history, i);
    if (entries && count) qsort(entries, count, sizeof *entries, by_time);
    bool ok = entries && sorted;
    for (size_t i = 0; ok && i < count; i++) ok = !json_array_append(sorted, entries[i]);
    free(entries);
    json_decref(showing->history);
    showing->history = sorted;
    return ok;
}

static bool history_find(struct showing *showing, struct error *error) {
    const struct scan scan = {.connection = showing->set->connection, .topics = {exception_topics[0], exception_topics[1], exception_topics[2], "review.decisions", "audit"},
                              .topic_count = 5, .partition = SCAN_ALL_PARTITIONS, .from_offset = SCAN_FROM_BEGINNING, .visit = take, .context = showing};
    showing->history = json_array();
    return showing->history && scan_run(&scan, error) && (sort_history(showing) || error_set(error, "out of memory"));
}

/* ---- the whole ---- */

static json_t *reasons_json(const struct exception_record *record) {
    json_t *list = json_array();
    for (size_t i = 0; i < record->reasons.count; i++) {
        const struct exception_reason *reason = &record->reasons.items[i];
        const struct reason_description *known = NULL;
        for (int k = 0; k < REASON_COUNT; k++)
            if (slice_equal(reason->code, slice_of(reasons[k].code))) known = &reasons[k];
        json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:s, s:s, s:b}", "code", text_json(reason->code), "field", text_json(reason->field), "text", text_json(reason->text), "meaning",
                                              known ? known->text : "", "what_to_do", known ? known->what_to_do : "", "approvable", known && known->approvable));
    }
    return list;
}

static json_t *missing_json(const struct exception_record *record) {
    json_t *list = json_array();
    for (size_t i = 0; i < record->missing.count; i++)
        json_array_append_new(list, json_pack("{s:o, s:o}", "table", text_json(record->missing.items[i].table), "key", text_json(record->missing.items[i].key)));
    return list;
}

static json_t *event_json(struct exception_set *set, const struct exception_record *record, struct error *why) {
    struct buffer text = {0};
    json_t *json = values_to_json(set->values, record->value, &text, why) == VALUES_OK ? json_loadb(text.data, text.length, 0, NULL) : NULL;
    buffer_free(&text);
    return json;
}

static json_t *whole(struct showing *showing, const struct exception_item *item) {
    const struct exception_record *record = &item->record;
    char id[EXCEPTION_ID_SIZE], since[TIME_TEXT_SIZE], amount[AMOUNT_TEXT_SIZE], date[TIME_TEXT_SIZE];
    struct error why = {""};
    json_t *event = event_json(showing->set, record, &why);
    const bool released = slice_equal(record->outcome, SLICE("released"));
    json_t *json = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:s, s:o, s:s, s:o}", "id", exception_id(record, id), "state",
                             released ? "released" : exception_state_name(item), "since", time_text(item->since_ms, since), "processor", text_json(record->processor), "origin",
                             text_json(record->origin), "entity", text_json(record->entity), "partner", text_json(record->partner), "document", text_json(record->document), "kind",
                             text_json(record->kind), "source", text_json(record->source), "item", (json_int_t)record->item, "user", text_json(record->user), "event_id",
                             text_json(record->event_id), "document_date", record->has_document_date ? date_text(record->document_date, date) : "", "currency", text_json(record->currency),
                             "amount", record->has_amount ? amount_text(record->amount_e4, false, amount) : "", "correlation_id", text_json(record->correlation_id));
    if (!json) {
        json_decref(event);
        return NULL;
    }
    json_object_set_new(json, "reasons", reasons_json(record));
    json_object_set_new(json, "missing", missing_json(record));
    json_object_set_new(json, "to_decide", text_json(item->assignee));
    json_object_set(json, "history", showing->history);
    json_object_set_new(json, "event", event ? event : json_null());
    if (!event) json_object_set_new(json, "unreadable", json_string(why.text));
    return json;
}

static const char *next_step(const json_t *json, char text[512]) {
    const char *id = show_text(json, "id"), *state = show_text(json, "state");
    bool approvable = false;
    size_t i;
    json_t *reason;
    json_array_foreach(json_object_get(json, "reasons"), i, reason) approvable |= json_is_true(json_object_get(reason, "approvable"));
    if (strcmp(state, "released") == 0 || strcmp(state, "corrected") == 0) snprintf(text, 512, "kontor trace %s", show_text(json, "document"));
    else if (strcmp(state, "rejected") == 0) snprintf(text, 512, "kontor exceptions correct %s FIELD=VALUE --user ... --role ... --reason ...", id);
    else snprintf(text, 512, "kontor exceptions %s %s --user ... --role ... --reason ...  (or %scorrect, refuse, ask; --dry-run shows what would become of it)",
                  strcmp(state, "held") == 0 && approvable ? "approve" : "retry", id, strcmp(state, "held") == 0 && approvable ? "retry, " : "");
    return text;
}

static void print_text(const json_t *json) {
    static const char *const heads[] = {"state", "since", "entity", "partner", "document", "kind", "document_date", "amount", "currency", "user", "source", "event_id", "correlation_id", "origin",
                                        "to_decide"};
    char text[512];
    size_t i;
    json_t *entry;
    printf("%s\n", show_text(json, "id"));
    for (size_t k = 0; k < sizeof heads / sizeof *heads; k++)
        if (*show_text(json, heads[k])) printf("  %-15s %s\n", heads[k], show_text(json, heads[k]));
    printf("\nReasons\n");
    json_array_foreach(json_object_get(json, "reasons"), i, entry) {
        printf("  %s  %s\n", show_text(entry, "code"), show_text(entry, "meaning"));
        if (*show_text(entry, "field") || *show_text(entry, "text")) printf("      found: %s  %s\n", show_text(entry, "field"), show_text(entry, "text"));
        printf("      do: %s%s\n", show_text(entry, "what_to_do"), json_is_true(json_object_get(entry, "approvable")) ? " (a person may approve of it)" : "");
    }
    if (json_array_size(json_object_get(json, "missing"))) printf("\nWaits for\n");
    json_array_foreach(json_object_get(json, "missing"), i, entry) printf("  %s  %s\n", show_text(entry, "table"), show_text(entry, "key"));
    printf("\nHistory\n");
    json_array_foreach(json_object_get(json, "history"), i, entry)
        printf("  %s  %s %s  by %s  %s\n", show_text(entry, "time"), show_text(entry, "what"), show_text(entry, "outcome"), show_text(entry, "by"), show_text(entry, "text"));
    printf("\nEvent\n");
    char *event = json_dumps(json_object_get(json, "event"), JSON_INDENT(2) | JSON_ENCODE_ANY);
    if (*show_text(json, "unreadable")) printf("  unreadable: %s\n", show_text(json, "unreadable"));
    else printf("%s\n", event ? event : "");
    free(event);
    printf("\nNext: %s\n", next_step(json, text));
}

static bool show_all(struct exception_set *set, enum output_format format, struct error *error) {
    json_t *list = json_array();
    bool ok = list != NULL;
    for (uint32_t i = 0; ok && i < set->count; i++) {
        struct showing showing = {.set = set, .origin = set->items[i].record.origin};
        arena_init(&showing.arena, 1 << 16, RECORD_MEMORY);
        ok = history_find(&showing, error);
        json_t *json = ok ? whole(&showing, &set->items[i]) : NULL;
        if (ok && !json) ok = error_set(error, "out of memory");
        if (json && format == FORMAT_TABLE) printf("%s", i ? "\n" : "");
        if (json && format == FORMAT_TABLE) print_text(json);
        if (json) json_array_append_new(list, json);
        json_decref(showing.history);
        arena_free(&showing.arena);
    }
    if (ok && format == FORMAT_JSON) ok = (!json_dumpf(list, stdout, JSON_INDENT(2)) && putchar('\n') != EOF) || error_set(error, "out of memory");
    json_decref(list);
    return ok;
}

/* Of an event that was held and then rejected, or the like, the newest. */
static void keep_newest(struct exception_set *set) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        struct exception_item *last = kept ? &set->items[kept - 1] : NULL, *this = &set->items[i];
        if (last && slice_equal(last->record.origin, this->record.origin)) {
            const bool gone = slice_equal(this->record.outcome, SLICE("released")), last_gone = slice_equal(last->record.outcome, SLICE("released"));
            if (last_gone > gone || (last_gone == gone && this->told_ms >= last->told_ms)) *last = *this;
        } else set->items[kept++] = *this;
    }
    set->count = kept;
}

enum exit_status exceptions_show(const struct invocation *invocation) {
    struct connection connection = {0};
    struct exception_set set = {.count = 0};
    struct error error;
    struct exception_filter filter = {.ids = invocation->words + 1, .id_count = invocation->word_count - 1, .values = true, .closed = true};
    if (!filter.id_count) {
        error_set(&error, "which? kontor exceptions show ID; kontor exceptions list prints them");
        (void)command_failed(&error);
        return EXIT_USAGE;
    }
    bool ok = connection_open(&connection, invocation, &error) && exceptions_find(&set, &connection, invocation, &filter, &error);
    if (ok) keep_newest(&set);
    ok = ok && show_all(&set, invocation->format, &error);
    exception_set_close(&set);
    connection_close(&connection);
    return ok ? EXIT_DONE : command_failed(&error);
}
