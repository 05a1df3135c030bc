/* events: the statements `event` and `raw` as records of the event topics. */
#include <stdio.h>
#include <stdlib.h>

#include "common/ledger/decimal.h"
#include "common/platform/hash.h"
#include "schemas/invoice_event.h"
#include "schemas/procurement_event.h"
#include "tests/driver/records.h"
#include "tests/driver/run.h"

const char *const event_topics[PROCESSOR_COUNT + 1] = {"procurement.events", "invoice.events", [TICKS] = TICKS_INPUT};
enum { QUANTITY_SCALE = 6, AMOUNT_SCALE = 4, MINUTE_MS = 60000 };

/* Words of the case language for fields of the schemas. */
static const struct { const char *word, *field; } head_words[] = {{"id", "event_id"}, {"posting", "posting_date"}, {"date", "document_date"}},
    line_words[] = {{"qty", "quantity"}, {"cc", "cost_centre"}, {"tax", "tax_code"}, {"tax_amount", "tax"}};
/* Said of the record, not in it. */
static const char *const record_words[] = {"at", "received", "key", "partition", "schema"};

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

static const char *key_make(struct run *run, const char *entity, const char *partner) {
    char buffer[STATE_KEY_MAXIMUM];
    const struct slice parts[] = {slice_of(entity), slice_of(partner)};
    struct slice key = tables_key(buffer, sizeof buffer, parts, 2);
    return arena_copy(&run->arena, key.data, key.length);
}

/* Everything that is said of a record: time, key, partition. */
static bool record_place(struct run *run, const struct statement *statement, const char *key, struct given *given, struct error *error) {
    const char *at = statement_value(statement, "at", NULL), *received = statement_value(statement, "received", NULL);
    run->clock_ms += MINUTE_MS;
    if (at && !time_read(at, &run->clock_ms, error)) return false;
    given->time_ms = given->received_ms = run->clock_ms;
    if (received && !time_read(received, &given->received_ms, error)) return false;
    given->key = slice_of(statement_value(statement, "key", key));
    const char *partition = statement_value(statement, "partition", NULL);
    given->partition = hash_partition(given->key, PARTITIONS);
    if (partition && strcmp(partition, "wrong") == 0) given->partition = (given->partition + 1) % PARTITIONS;
    else if (partition) given->partition = atoi(partition);
    return true;
}

static bool topic_find(const struct statement *statement, int *topic, struct error *error) {
    const char *word = statement->count > 1 ? statement->words[1] : "";
    if (strcmp(word, "procurement") == 0) *topic = PROCUREMENT;
    else if (strcmp(word, "invoice") == 0) *topic = INVOICE;
    else return error_set(error, "%s of which topic: procurement or invoice?", statement->words[0]);
    return true;
}

/* net = quantity × price, where a price is given. */
static bool line_price(json_t *line, const char *price, struct error *error) {
    int64_t quantity_e6, price_e4, net_e4;
    char text[DECIMAL_TEXT_SIZE];
    const char *quantity = json_string_value(json_object_get(line, "quantity"));
    if (!quantity) return error_set(error, "price= needs qty= before it");
    if (!decimal_text_read(quantity, QUANTITY_SCALE, &quantity_e6, error) || !decimal_text_read(price, AMOUNT_SCALE, &price_e4, error)) return false;
    if (!decimal_multiply(quantity_e6, QUANTITY_SCALE, price_e4, AMOUNT_SCALE, AMOUNT_SCALE, DECIMAL_EXACT, &net_e4)) return error_set(error, "qty × price has too many digits");
    decimal_print(net_e4, AMOUNT_SCALE, 2, text);
    json_object_set_new(line, "net", json_string(text));
    return true;
}

struct words { json_t *event, *line; const struct codec_type *type, *line_type; int topic; const char *order; };

static json_t *line_begin(struct words *words, const char *number) {
    const char *kind = json_string_value(json_object_get(words->event, "kind"));
    json_t *line = json_object();
    json_object_set_new(line, "line", json_string(number));
    if (words->topic == INVOICE && *words->order) {
        json_object_set_new(line, "order", json_string(words->order));
        json_object_set_new(line, "order_line", json_string(number));
    }
    if (words->topic == PROCUREMENT && (strcmp(kind, "order_created") == 0 || strcmp(kind, "requisition") == 0)) json_object_set_new(line, "category", json_string("GOODS"));
    json_array_append_new(json_object_get(words->event, "lines"), line);
    return line;
}

static bool word_take(struct words *words, const char *word, struct error *error) {
    const char *equals = strchr(word, '='), *value = equals ? equals + 1 : NULL;
    if (!equals) return error_set(error, "\"%s\" is not name=value", word);
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(equals - word), word);
    for (size_t i = 0; i < sizeof record_words / sizeof *record_words; i++)
        if (strcmp(name, record_words[i]) == 0) return true;
    if (strcmp(name, "line") == 0) { words->line = line_begin(words, value); return true; }
    if (words->line && strcmp(name, "price") == 0) return line_price(words->line, value, error);
    const char *field = name;
    for (size_t i = 0; words->line && i < sizeof line_words / sizeof *line_words; i++)
        if (strcmp(name, line_words[i].word) == 0) field = line_words[i].field;
    if (words->line && record_field(words->line_type, field)) return record_set(words->line, words->line_type, field, value, error);
    for (size_t i = 0; i < sizeof head_words / sizeof *head_words; i++)
        if (strcmp(name, head_words[i].word) == 0) field = head_words[i].field;
    return record_set(words->event, words->type, field, value, error);
}

static bool has_amounts(const json_t *event) {
    size_t i;
    json_t *line;
    json_array_foreach(json_object_get(event, "lines"), i, line)
        if (json_object_get(line, "net")) return true;
    return json_object_get(event, "total") != NULL;
}

static void default_set(json_t *event, const char *field, const char *text) {
    if (!json_object_get(event, field)) json_object_set_new(event, field, json_string(text));
}

/* What an event says when the case does not: so that a case tells only what matters in it. */
static void defaults_set(struct run *run, struct words *words, const char *kind, const char *document, const struct given *given) {
    json_t *event = words->event;
    default_set(event, "source", "ERP1");
    default_set(event, "entity", "ACME");
    default_set(event, "supplier", "S1");
    default_set(event, "document_date", date_text(&run->arena, given->time_ms));
    if (has_amounts(event)) default_set(event, "currency", "EUR");
    static const char *const numbered[] = {"received", "approved", "credit_note", "subsequent_debit"};
    for (size_t i = 0; words->topic == INVOICE && i < sizeof numbered / sizeof *numbered; i++)
        if (strcmp(kind, numbered[i]) == 0) default_set(event, "number", document);
    if (words->topic == PROCUREMENT && *words->order) default_set(event, "order", words->order);
}

static bool event_words(struct run *run, const struct statement *statement, struct words *words, struct given *given, struct error *error) {
    size_t arrow = statement_arrow(statement), at = 4;
    if (arrow < 4) return error_set(error, "event TOPIC KIND DOCUMENT ...");
    const char *kind = statement->words[2], *document = statement->words[3];
    bool order_itself = words->topic == PROCUREMENT && begins(kind, "order_");
    words->order = order_itself ? document : at < arrow && !strchr(statement->words[at], '=') ? statement->words[at++] : "";
    json_object_set_new(words->event, "kind", json_string(kind));
    json_object_set_new(words->event, "document", json_string(document));
    json_object_set_new(words->event, "lines", json_array());
    for (; at < arrow; at++)
        if (!word_take(words, statement->words[at], error)) return false;
    char id[32];
    snprintf(id, sizeof id, "e%zu", run->given_count + 1);
    default_set(words->event, "event_id", id);
    const char *entity = statement_value(statement, "entity", "ACME"), *supplier = statement_value(statement, "supplier", "S1");
    if (!record_place(run, statement, key_make(run, entity, supplier), given, error)) return false;
    defaults_set(run, words, kind, document, given);
    given->document = document;
    const char *given_id = json_string_value(json_object_get(words->event, "event_id"));
    given->id = arena_copy(&run->arena, given_id, strlen(given_id));
    return true;
}

bool event_build(struct run *run, const struct statement *statement, struct given *given, struct error *error) {
    if (!topic_find(statement, &given->topic, error)) return false;
    struct words words = {.event = json_object(), .topic = given->topic, .type = given->topic == PROCUREMENT ? &procurement_event_type : &invoice_event_type};
    words.line_type = record_field(words.type, "lines")->slot.type->element.type;
    const char *schema = statement_value(statement, "schema", NULL);
    bool ok = event_words(run, statement, &words, given, error) &&
              record_encode(&run->arena, words.type, words.event, schema ? (uint32_t)atoi(schema) : broker_schema_id(words.type), &given->value, error);
    json_decref(words.event);
    return ok;
}

static bool hex_read(struct run *run, const char *text, struct slice *bytes) {
    size_t length = strlen(text) / 2;
    char *to = arena_alloc(&run->arena, length + 1);
    for (size_t i = 0; i < length; i++) {
        unsigned byte;
        if (sscanf(text + 2 * i, "%2x", &byte) != 1) return false;
        to[i] = (char)byte;
    }
    *bytes = (struct slice){to, length};
    return strlen(text) % 2 == 0;
}

/* raw TOPIC hex=.. | text=.. | nothing */
bool raw_build(struct run *run, const struct statement *statement, struct given *given, struct error *error) {
    if (!topic_find(statement, &given->topic, error)) return false;
    const char *hex = statement_value(statement, "hex", NULL), *text = statement_value(statement, "text", NULL);
    if (hex && !hex_read(run, hex, &given->value)) return error_set(error, "hex=%s is not bytes", hex);
    if (text) given->value = slice_of(text);
    given->id = given->document = "";
    return record_place(run, statement, "ACME|S1", given, error);
}
