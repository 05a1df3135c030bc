/* expect_records: what a case says of payables, of journals' heads and of the state, field by field, whatever the schema. */
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/json.h"
#include "schemas/payable.h"
#include "tests/driver/records.h"
#include "tests/driver/run.h"

/* Short words of the case language, where the record has no field of that name. */
static const struct { const char *word, *field; } short_words[] = {{"on", "posting_date"}, {"functional", "functional_currency"}, {"block", "payment_block"},
    {"due", "due_date"}, {"date", "document_date"}, {"terms", "payment_terms"}, {"method", "payment_method"}};

static const char *field_name(const struct codec_type *type, const char *word) {
    for (size_t i = 0; !record_field(type, word) && i < sizeof short_words / sizeof *short_words; i++)
        if (strcmp(short_words[i].word, word) == 0) return short_words[i].field;
    return word;
}

/* One step of a path: a record's field, or a list's item by its position. */
static bool path_step(const struct codec_type **type, const json_t **value, const char *name) {
    if ((*type)->kind == CODEC_OPTIONAL) *type = (*type)->element.type;
    if ((*type)->kind == CODEC_ARRAY) {
        *value = json_array_get(*value, strtoul(name, NULL, 10));
        *type = (*type)->element.type;
        return *value != NULL;
    }
    const struct codec_field *field = (*type)->kind == CODEC_RECORD ? record_field(*type, field_name(*type, name)) : NULL;
    if (!field) return false;
    *value = json_object_get(*value, field->name);
    *type = field->slot.type;
    return true;
}

static bool path_walk(const struct codec_type **type, const json_t **value, const char *path) {
    char name[64];
    for (size_t length; *path; path += length + (path[length] == '.')) {
        length = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)length, path);
        if (!path_step(type, value, name)) return false;
    }
    return true;
}

static void field_expect(struct run *run, const struct statement *statement, const char *word, const struct codec_type *type, const json_t *record) {
    const char *equals = strchr(word, '=');
    char path[128], got[1000];
    const json_t *value = record;
    const struct codec_type *value_type = type;
    snprintf(path, sizeof path, "%.*s", equals ? (int)(equals - word) : 0, word);
    if (!equals || !path_walk(&value_type, &value, path)) {
        snprintf(got, sizeof got, "%s: %s has no such field", word, type->name);
        run_fail(run, statement, "name=value, a field of the record", got);
        return;
    }
    if (value_matches(value_type, value, equals + 1)) return;
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    snprintf(got, sizeof got, "%s=%s", path, text ? text : "nothing");
    free(text);
    run_fail(run, statement, word, got);
}

void fields_expect(struct run *run, const struct statement *statement, size_t from, size_t to, const struct codec_type *type, const void *record) {
    struct buffer text = {0};
    json_t *json = codec_to_json(type, record, &text) ? json_loadb(text.data, text.length, 0, NULL) : NULL;
    buffer_free(&text);
    if (!json) { run_fail(run, statement, "a record that can be shown", type->name); return; }
    for (size_t i = from; i < to; i++) field_expect(run, statement, statement->words[i], type, json);
    json_decref(json);
}

/* ---- payables ---- */

/* The oldest of the document, of any kind when kind is NULL, that no expectation has named yet. */
static struct stored *payable_find(struct run *run, const char *document, const char *kind) {
    const struct codec_type *kinds = record_field(&payable_type, "kind")->slot.type;
    for (size_t i = 0; i < run->broker.count; i++) {
        struct stored *stored = run->broker.items[i];
        const struct payable *payable = stored->decoded;
        if (!payable || stored->claimed || !stored_in(stored, "payables") || !slice_equal(payable->document, slice_of(document))) continue;
        if (!kind || strcmp(kinds->symbols[payable->kind], kind) == 0) return stored;
    }
    return NULL;
}

/* expect payable DOCUMENT KIND [name=value ...], expect no payable DOCUMENT */
void expect_payable(struct run *run, const struct statement *statement, bool none) {
    const char *document = statement->words[none ? 3 : 2], *kind = none ? NULL : statement->words[3];
    struct stored *stored = payable_find(run, document, kind);
    if (!stored != none) run_fail(run, statement, none ? "no payable" : "a payable", none ? "one that was not expected before" : "none");
    if (!stored || none) return;
    stored->claimed = true;
    fields_expect(run, statement, 4, statement->count, &payable_type, stored->decoded);
}

/* ---- the state ---- */

static int store_find(const struct processor *processor, const char *name) {
    for (int i = 0; i < STORES_MAXIMUM && processor->stores[i].name; i++)
        if (strcmp(processor->stores[i].name, name) == 0) return i;
    return -1;
}

/* expect state PROCESSOR STORE KEY [name=value ...], expect no state PROCESSOR STORE KEY */
void expect_state(struct run *run, const struct statement *statement, bool none) {
    const char *const *words = statement->words + (none ? 3 : 2);
    int family = family_find(words[0]);
    int store = family < 0 ? -1 : store_find(families[family].processor, words[1]);
    const void *record;
    struct error error = {{0}};
    if (store < 0) { run_fail(run, statement, "a processor and one of its stores", words[family < 0 ? 0 : 1]); return; }
    if (run->mode == MODE_PACKED) batch_flush(run, statement);   /* what is not committed is not in the state */
    if (!instance_state(&run->instances[family], store, slice_of(words[2]), &record, &error)) {
        run_fail(run, statement, "a state that can be read", error.text);
        return;
    }
    if (!record != none) run_fail(run, statement, none ? "no such record in the state" : "a record in the state", none ? "one" : "none");
    if (record && !none) fields_expect(run, statement, 5, statement->count, families[family].processor->stores[store].type, record);
}
