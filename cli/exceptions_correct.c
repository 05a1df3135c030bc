/* kontor exceptions correct: fields of an event by path, as a new event that takes its place. The old one stays as it came. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/exceptions.h"
#include "cli/field_path.h"
#include "cli/record_line.h"
#include "cli/scan.h"
#include "cli/topic_list.h"
#include "cli/trial.h"
#include "common/codec/encode.h"
#include "common/codec/json.h"
#include "common/codec/wire.h"

enum { EVENT_MEMORY = 64 << 20, ID_SIZE = 512 };

struct correcting {
    const struct invocation *invocation;
    struct decider decider;
    struct connection connection;
    struct exception_set set;
    const struct exception_item *item;
    struct topic_list list;
    const struct topic *topic;          /* of the event */
    struct arena arena;
    json_t *before, *after, *difference;
    char *difference_text, event_id[ID_SIZE];
    bool already;                       /* the same correction is on review.decisions */
    struct buffer value, key;
    struct trial_case tried;
};

static bool find_item(struct correcting *correcting, struct error *error) {
    struct exception_filter filter = {.ids = correcting->invocation->words + 1, .id_count = 1, .values = true};
    if (!exceptions_find(&correcting->set, &correcting->connection, correcting->invocation, &filter, error)) return false;
    if (correcting->set.count > 1) {
        char first[EXCEPTION_ID_SIZE], second[EXCEPTION_ID_SIZE];
        return error_set(error, "%s names %u events, %s and %s among them: give the ID of one", correcting->invocation->words[1], correcting->set.count,
                         exception_id(&correcting->set.items[0].record, first), exception_id(&correcting->set.items[1].record, second));
    }
    correcting->item = &correcting->set.items[0];
    const struct slice origin = correcting->item->record.origin;
    const char *slash = memchr(origin.data, '/', origin.length);
    char topic[256];
    snprintf(topic, sizeof topic, "%.*s", slash ? (int)(slash - origin.data) : 0, origin.data);
    correcting->topic = topic_list_find(&correcting->list, topic);
    return (correcting->topic && correcting->topic->type) || error_set(error, "the events of %s have no schema here", topic);
}

static json_t *event_json(struct correcting *correcting, struct error *error) {
    const struct codec_type *type = correcting->topic->type;
    struct buffer text = {0};
    json_t *json = NULL;
    struct error why;
    void *event = arena_alloc(&correcting->arena, type->size);
    if (!event) error_set(error, "out of memory");
    else if (values_decode(correcting->set.values, correcting->item->record.value, type, &correcting->arena, event, &why) != VALUES_OK) error_set(error, "the event cannot be read: %s", why.text);
    else if (!codec_to_json(type, event, &text) || !(json = json_loadb(text.data, text.length, 0, NULL))) error_set(error, "out of memory");
    buffer_free(&text);
    return json;
}

/* An earlier correction to the same is the same decision; another one gets the next number. */
struct earlier { struct correcting *correcting; uint32_t last; bool same; };

static enum scan_step take_earlier(void *context, const struct kafka_record *record, struct error *error) {
    struct earlier *earlier = context;
    struct correcting *correcting = earlier->correcting;
    struct review_decision decision;
    arena_reset(&correcting->set.arena);
    enum values_result read = values_decode(correcting->set.values, record->value, &review_decision_type, &correcting->set.arena, &decision, error);
    if (read == VALUES_FAILED) return SCAN_FAILED;
    if (read != VALUES_OK || decision.action != REVIEW_ACTION_CORRECT || !slice_equal(decision.origin, correcting->item->record.origin)) return SCAN_MORE;
    const struct slice old = correcting->item->record.event_id, made = decision.corrected_event_id;
    char number[16] = "";
    if (made.length > old.length + 2 && memcmp(made.data, old.data, old.length) == 0 && memcmp(made.data + old.length, "~c", 2) == 0)
        snprintf(number, sizeof number, "%.*s", (int)(made.length - old.length - 2), made.data + old.length + 2);
    if ((uint32_t)strtoul(number, NULL, 10) > earlier->last) earlier->last = (uint32_t)strtoul(number, NULL, 10);
    if (!slice_equal(decision.difference, slice_of(correcting->difference_text)) || !slice_equal(decision.user, slice_of(correcting->decider.user)) ||
        !slice_equal(decision.shown, correcting->item->record.shown) || decision.corrected_event_id.length >= ID_SIZE) return SCAN_MORE;
    earlier->same = true;
    snprintf(correcting->event_id, ID_SIZE, SLICE_FORMAT, SLICE_ARGUMENT(decision.corrected_event_id));
    return SCAN_ENOUGH;
}

static bool event_id_make(struct correcting *correcting, struct error *error) {
    struct earlier earlier = {correcting, 0, false};
    const struct scan scan = {.connection = &correcting->connection, .topics = {"review.decisions"}, .topic_count = 1, .partition = SCAN_ALL_PARTITIONS,
                              .from_offset = SCAN_FROM_BEGINNING, .visit = take_earlier, .context = &earlier};
    if (!scan_run(&scan, error)) return false;
    const struct slice old = correcting->item->record.event_id;
    if (!earlier.same) snprintf(correcting->event_id, ID_SIZE, SLICE_FORMAT "~c%u", SLICE_ARGUMENT(old), earlier.last + 1);
    correcting->already = earlier.same;
    return true;
}

static bool fields_set(struct correcting *correcting, struct error *error) {
    const struct invocation *invocation = correcting->invocation;
    correcting->before = event_json(correcting, error);
    correcting->after = correcting->before ? json_deep_copy(correcting->before) : NULL;
    if (!correcting->after) return correcting->before ? error_set(error, "out of memory") : false;
    for (size_t i = 2; i < invocation->word_count; i++) {
        if (strncmp(invocation->words[i], "event_id=", 9) == 0) return error_set(error, "event_id: a corrected event gets its own, %s~c1 and so on", json_string_value(json_object_get(correcting->before, "event_id")));
        if (!field_path_set(correcting->topic->type, correcting->after, slice_of(invocation->words[i]), error)) return false;
    }
    return true;
}

/* The event's bytes by our schema, and what that makes of it as JSON: an amount in another writing is no difference. */
static bool event_encode(struct correcting *correcting, struct error *error) {
    const struct codec_type *type = correcting->topic->type;
    struct buffer text = {0};
    uint32_t schema_id = 0;
    char subject[SUBJECT_SIZE];
    void *event = arena_alloc(&correcting->arena, type->size);
    if (!event) return error_set(error, "out of memory");
    if (!codec_from_json(type, correcting->after, &correcting->arena, event, error)) return false;
    enum registry_result found = registry_lookup_id(values_registry(correcting->set.values), subject_of(correcting->topic->name, subject), type->schema, &schema_id, error);
    if (found != REGISTRY_FOUND) return found == REGISTRY_UNKNOWN ? error_set(error, "the registry does not have this program's schema of %s; kontor schemas register puts it there", subject) : false;
    buffer_reset(&correcting->value);
    bool ok = codec_to_json(type, event, &text);
    json_decref(correcting->after);
    correcting->after = ok ? json_loadb(text.data, text.length, 0, NULL) : NULL;
    buffer_free(&text);
    if (!correcting->after) return error_set(error, "out of memory");
    if (codec_wire_append(&correcting->value, schema_id) && codec_encode(type, event, &correcting->value)) return true;
    return error_set(error, correcting->value.failed ? "out of memory" : "an amount has more digits than %s allows", type->name);
}

static bool correct_event(struct correcting *correcting, struct error *error) {
    if (!fields_set(correcting, error) || !event_encode(correcting, error)) return false;
    correcting->difference = field_difference(correcting->before, correcting->after);
    correcting->difference_text = correcting->difference ? json_dumps(correcting->difference, JSON_COMPACT) : NULL;
    if (!correcting->difference_text) return error_set(error, "out of memory");
    if (!json_object_size(correcting->difference)) return error_set(error, "nothing differs: the event says that already");
    if (!event_id_make(correcting, error)) return false;
    return (!json_object_set_new(correcting->after, "event_id", json_string(correcting->event_id)) || error_set(error, "out of memory")) && event_encode(correcting, error);
}

static bool key_make(struct correcting *correcting, struct error *error) {
    for (const char *const *field = correcting->topic->key; *field; field++) {
        const json_t *value = json_object_get(correcting->after, *field);
        const struct slice text = {json_string_value(value), json_string_length(value)};
        if ((correcting->key.length && !buffer_append(&correcting->key, "|", 1)) || !key_append(&correcting->key, text)) return error_set(error, "out of memory");
    }
    return true;
}

static bool try_it(struct correcting *correcting, struct error *error) {
    if (!key_make(correcting, error)) return false;
    correcting->tried = (struct trial_case){.record = &correcting->item->record, .action = RESOLUTION_ACTION_REPLACE, .by = slice_of("you"), .topic = slice_of(correcting->topic->name),
                                            .event = buffer_slice(&correcting->value), .key = buffer_slice(&correcting->key), .event_id = slice_of(correcting->event_id)};
    return trial_run(&correcting->connection, &correcting->tried, 1, &correcting->arena, error);
}

static bool send_it(struct correcting *correcting, struct error *error) {
    struct buffer coded = {0};
    if (correcting->already) return true;
    json_t *json = decision_json(correcting->item, REVIEW_ACTION_CORRECT, &correcting->decider, correcting->set.now_ms, correcting->difference_text);
    bool ok = json && base64_append(&coded, buffer_slice(&correcting->value)) && !json_object_set_new(json, "topic", json_string(correcting->topic->name)) &&
              !json_object_set_new(json, "value", json_stringn(coded.data, coded.length)) && !json_object_set_new(json, "corrected_event_id", json_string(correcting->event_id)) &&
              !json_object_set_new(json, "difference", json_string(correcting->difference_text));
    char *line = ok ? json_dumps(json, JSON_COMPACT) : NULL;
    ok = line ? decisions_send(&correcting->connection, slice_of(line), 0, error) : error_set(error, "out of memory");
    free(line);
    json_decref(json);
    buffer_free(&coded);
    return ok;
}

static const char *shown(const json_t *value, char **text) {
    *text = json_is_string(value) ? strdup(json_string_value(value)) : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    return *text ? *text : "";
}

static bool print(const struct correcting *correcting, bool dry, struct error *error) {
    char id[EXCEPTION_ID_SIZE];
    exception_id(&correcting->item->record, id);
    if (correcting->invocation->format == FORMAT_JSON) {
        json_t *json = json_pack("{s:s, s:s, s:O, s:b, s:s%, s:s%, s:I}", "id", id, "event_id", correcting->event_id, "difference", correcting->difference, "sent", !dry,
                                 "would_be", correcting->tried.outcome.data ? correcting->tried.outcome.data : "", correcting->tried.outcome.length,
                                 "reasons", correcting->tried.reasons.data ? correcting->tried.reasons.data : "", correcting->tried.reasons.length,
                                 "journals", (json_int_t)correcting->tried.journals);
        bool ok = json && !json_dumpf(json, stdout, JSON_INDENT(2)) && putchar('\n') != EOF;
        json_decref(json);
        return ok || error_set(error, "out of memory");
    }
    static const struct table_column columns[] = {{"field", false}, {"before", false}, {"after", false}};
    struct text_table *table = table_new(columns, 3);
    const char *path;
    json_t *pair;
    json_object_foreach(correcting->difference, path, pair) {
        char *before, *after;
        table_text(table, path);
        table_text(table, shown(json_array_get(pair, 0), &before));
        table_text(table, shown(json_array_get(pair, 1), &after));
        free(before);
        free(after);
    }
    bool ok = table_print(table, FORMAT_TABLE, stdout) || error_set(error, "out of memory");
    table_free(table);
    if (ok && dry) printf("\n%s would become event %s: " SLICE_FORMAT "%s" SLICE_FORMAT ", journals: %zu%s" SLICE_FORMAT "\n", id, correcting->event_id,
                          SLICE_ARGUMENT(correcting->tried.outcome), correcting->tried.outcome.length ? "" : "undecided: ",
                          (int)(correcting->tried.outcome.length ? 0 : correcting->tried.why.length), correcting->tried.why.data ? correcting->tried.why.data : "",
                          correcting->tried.journals, correcting->tried.reasons.length ? "; " : "", SLICE_ARGUMENT(correcting->tried.reasons));
    else if (ok) printf("\n%s: the decision %s; event %s takes its place when it is agreed to\n", id, correcting->already ? "had been sent already" : "was sent", correcting->event_id);
    return ok;
}

enum exit_status exceptions_correct(const struct invocation *invocation) {
    struct error error;
    struct correcting correcting = {.invocation = invocation};
    const bool dry = option_given(invocation, "dry-run");
    if (invocation->word_count < 3 && !error_set(&error, "correct needs an ID and what is to be set: kontor exceptions correct ID FIELD=VALUE...")) {
        (void)command_failed(&error);
        return EXIT_USAGE;
    }
    if (!decider_read(&correcting.decider, invocation, REVIEW_ACTION_CORRECT, &error)) {
        (void)command_failed(&error);
        return EXIT_USAGE;
    }
    arena_init(&correcting.arena, 1 << 16, EVENT_MEMORY);
    bool ok = connection_open(&correcting.connection, invocation, &error) && connection_topic_list(&correcting.connection, &correcting.list, NULL, NULL, 0, &error) && find_item(&correcting, &error) &&
              correct_event(&correcting, &error) && (dry ? try_it(&correcting, &error) : send_it(&correcting, &error)) && print(&correcting, dry, &error);
    exception_set_close(&correcting.set);
    connection_close(&correcting.connection);
    topic_list_free(&correcting.list);
    arena_free(&correcting.arena);
    buffer_free(&correcting.value);
    buffer_free(&correcting.key);
    json_decref(correcting.before);
    json_decref(correcting.after);
    json_decref(correcting.difference);
    free(correcting.difference_text);
    return ok ? EXIT_DONE : command_failed(&error);
}
