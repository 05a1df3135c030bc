#include "cli/documents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scan.h"
#include "cli/values.h"
#include "schemas/document.h"

enum { VALUE_MEMORY = 64 << 20, REASONS_SIZE = 500 };

struct reading { struct document_list *list; const struct intern *wanted; struct values *values; struct arena arena; size_t capacity; };

/* Most texts are those of other documents too. */
static bool text_keep(struct document_list *list, struct slice text, struct slice *kept) {
    uint32_t number;
    if (!intern_add(&list->texts, text, &number, NULL)) return false;
    *kept = intern_text(&list->texts, number);
    return true;
}

static bool reasons_keep(struct document_list *list, const struct document_state *state, struct slice *kept) {
    char text[REASONS_SIZE];
    size_t length = 0;
    for (size_t i = 0; i < state->reasons.count; i++) {
        const struct slice code = state->reasons.items[i].code;
        if (length + code.length + 1 >= sizeof text) break;
        if (length) text[length++] = ' ';
        if (code.length) memcpy(text + length, code.data, code.length);
        length += code.length;
    }
    return text_keep(list, (struct slice){text, length}, kept);
}

static bool line_fill(struct document_list *list, const struct document_state *state, struct document_line *line) {
    line->since_ms = state->since_ms;
    line->overdue_since_ms = state->has_overdue_since ? state->overdue_since_ms : 0;
    line->has_due = state->has_due_at;
    line->due_ms = state->due_at_ms;
    line->has_amount = state->has_amount && codec_decimal_is_number(state->amount_e4);
    line->amount_e4 = state->amount_e4;
    return text_keep(list, state->entity, &line->entity) && text_keep(list, state->flow, &line->flow) && text_keep(list, state->partner, &line->partner) &&
           text_keep(list, state->document, &line->document) && text_keep(list, state->state, &line->state) && text_keep(list, state->owner, &line->owner) &&
           text_keep(list, state->overdue, &line->overdue) && text_keep(list, state->awaited, &line->awaited) && text_keep(list, state->currency, &line->currency) &&
           reasons_keep(list, state, &line->reasons);
}

/* The place of the key; a new one where it was not met before. NULL: memory is out. */
static struct document_line *line_of(struct reading *reading, struct slice key) {
    struct document_list *list = reading->list;
    uint32_t number;
    bool added;
    if (!intern_add(&list->keys, key, &number, &added)) return NULL;
    if (added && list->count == reading->capacity) {
        const size_t capacity = reading->capacity ? reading->capacity * 2 : 256;
        struct document_line *grown = realloc(list->items, capacity * sizeof *grown);
        if (!grown) return NULL;
        list->items = grown;
        reading->capacity = capacity;
    }
    if (added) list->items[list->count++] = (struct document_line){.key = intern_text(&list->keys, number)};
    return &list->items[number];
}

static enum scan_step take_record(void *context, const struct kafka_record *record, struct error *error) {
    struct reading *reading = context;
    struct document_state state;
    struct error why;
    if (!record->value.data || (reading->wanted && !intern_has(reading->wanted, record->key))) return SCAN_MORE;
    arena_reset(&reading->arena);
    enum values_result result = values_decode(reading->values, record->value, &document_state_type, &reading->arena, &state, &why);
    struct document_line *line = result == VALUES_OK ? line_of(reading, record->key) : NULL;
    if (result != VALUES_OK) error_set(error, "documents/%d/%lld: %s", (int)record->partition, (long long)record->offset, why.text);
    else if (!line || !line_fill(reading->list, &state, line)) error_set(error, "out of memory");
    else return SCAN_MORE;
    return SCAN_FAILED;
}

/* Whether the cluster has the topic. */
static bool is_there(const struct connection *connection, bool *there, struct error *error) {
    struct topic_names names = {.count = 0};
    if (!connection_topics(connection, "documents", &names, error)) return false;
    *there = names.count && strcmp(names.names[0], "documents") == 0;
    topic_names_free(&names);
    return true;
}

bool documents_read(struct document_list *list, const struct connection *connection, const struct intern *wanted, struct error *error) {
    struct reading reading = {.list = list, .wanted = wanted};
    struct scan scan = {.connection = connection, .topics = {"documents"}, .topic_count = 1, .partition = SCAN_ALL_PARTITIONS, .from_offset = SCAN_FROM_BEGINNING,
                        .progress = "reading documents", .visit = take_record, .context = &reading};
    bool there = false;
    *list = (struct document_list){.items = NULL};
    intern_init(&list->keys);
    intern_init(&list->texts);
    arena_init(&reading.arena, 1 << 16, VALUE_MEMORY);
    bool ok = is_there(connection, &there, error) && (!there || (values_open(&reading.values, connection, error) && scan_run(&scan, error)));
    values_close(reading.values);
    arena_free(&reading.arena);
    if (!ok) documents_free(list);
    return ok;
}

void documents_free(struct document_list *list) {
    free(list->items);
    intern_free(&list->keys);
    intern_free(&list->texts);
    *list = (struct document_list){.items = NULL};
}

void documents_describe(const struct document_line *line, FILE *out) {
    char time[TIME_TEXT_SIZE];
    fprintf(out, SLICE_FORMAT " " SLICE_FORMAT ": " SLICE_FORMAT " since %s", SLICE_ARGUMENT(line->flow), SLICE_ARGUMENT(line->document), SLICE_ARGUMENT(line->state),
            time_text(line->since_ms, time));
    if (line->reasons.length) fprintf(out, " for " SLICE_FORMAT, SLICE_ARGUMENT(line->reasons));
    if (line->overdue.length) fprintf(out, ", OVERDUE: " SLICE_FORMAT " since %s", SLICE_ARGUMENT(line->overdue), time_text(line->overdue_since_ms, time));
    if (line->has_due) fprintf(out, ", " SLICE_FORMAT " due by %s", SLICE_ARGUMENT(line->awaited), time_text(line->due_ms, time));
    if (line->owner.length) fprintf(out, " (" SLICE_FORMAT ")", SLICE_ARGUMENT(line->owner));
    fputc('\n', out);
}
