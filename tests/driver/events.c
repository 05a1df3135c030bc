/* events: the statements `event` and `raw` as records of the event topics. */
#include <stdio.h>
#include <stdlib.h>

#include "common/ledger/decimal.h"
#include "common/platform/hash.h"
#include "tests/driver/records.h"
#include "tests/driver/run.h"

enum { QUANTITY_SCALE = 6, AMOUNT_SCALE = 4, MINUTE_MS = 60000 };

/* Words of the case language for fields of the schemas. */
static const struct { const char *word, *field; } head_words[] = {{"id", "event_id"}, {"posting", "posting_date"}, {"date", "document_date"}, {"due", "due_date"}},
    line_words[] = {{"qty", "quantity"}, {"cc", "cost_centre"}, {"tax", "tax_code"}, {"tax_amount", "tax"}};
/* Said of the record, not in it. */
static const char *const record_words[] = {"at", "received", "key", "partition", "schema", "synthetic"};

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
    given->synthetic = strcmp(statement_value(statement, "synthetic", "no"), "yes") == 0;
    if (received && !time_read(received, &given->received_ms, error)) return false;
    given->key = slice_of(statement_value(statement, "key", key));
    const char *partition = statement_value(statement, "partition", NULL);
    given->partition = hash_partition(given->key, PARTITIONS);
    if (partition && strcmp(partition, "wrong") == 0) given->partition = (given->partition + 1) % PARTITIONS;
    else if (partition) given->partition = atoi(partition);
    return true;
}

static bool family_read(const struct statement *statement, struct given *given, struct error *error) {
    char known[200] = "";
    given->family = statement->count > 1 ? family_find(statement->words[1]) : -1;
    if (given->family >= 0) {
        given->topic = families[given->family].events->topic;
        return true;
    }
    for (int i = 0; i < family_count; i++)
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "", families[i].processor->name);
    return error_set(error, "%s of which processor: %s?", statement->words[0], known);
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

struct words {
    const struct family_words *said;
    const struct codec_type *type, *item_type;
    json_t *event, *item;           /* item: the line that is being told, NULL before the first */
    const char *order;
};

static void default_set(json_t *record, const char *field, const char *text) {
    if (!json_object_get(record, field)) json_object_set_new(record, field, json_string(text));
}

static bool is_items(const struct codec_field *field) {
    return field->slot.type->kind == CODEC_ARRAY && field->slot.type->element.type->kind == CODEC_RECORD;
}

/* The list that such a word begins an item of: `line` of lines, `item` of items. */
static const struct codec_field *items_find(const struct codec_type *type, const char *word) {
    for (uint32_t i = 0; i < type->field_count; i++) {
        const char *name = type->fields[i].name;
        size_t length = strlen(name);
        if (is_items(&type->fields[i]) && strlen(word) + 1 == length && name[length - 1] == 's' && begins(name, word)) return &type->fields[i];
    }
    return NULL;
}

/* The word's value is the item's first field. Lines with an order are of that of the head, and of the order line of their own number. */
static bool item_begin(struct words *words, const struct codec_field *items, const char *value, struct error *error) {
    words->item = json_object();
    words->item_type = items->slot.type->element.type;
    json_array_append_new(json_object_get(words->event, items->name), words->item);
    if (!record_set(words->item, words->item_type, words->item_type->fields[0].name, value, error)) return false;
    if (!*words->order || !record_field(words->item_type, "order_line")) return true;
    return record_set(words->item, words->item_type, "order", words->order, error) &&
           record_set(words->item, words->item_type, "order_line", value, error);
}

/* dr=ACCOUNT or cr=ACCOUNT of a line that has sides. */
static bool side_take(struct words *words, const char *name, const char *account, struct error *error) {
    return record_set(words->item, words->item_type, "side", *name == 'd' ? "debit" : "credit", error) &&
           record_set(words->item, words->item_type, "account", account, error);
}

static bool word_take(struct words *words, const char *word, struct error *error) {
    const char *equals = strchr(word, '='), *value = equals ? equals + 1 : NULL;
    if (!equals) return error_set(error, "\"%s\" is not name=value", word);
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(equals - word), word);
    for (size_t i = 0; i < sizeof record_words / sizeof *record_words; i++)
        if (strcmp(name, record_words[i]) == 0) return true;
    const struct codec_field *items = items_find(words->type, name);
    if (items) return item_begin(words, items, value, error);
    const char *field = name;
    if (words->item) {
        if (strcmp(name, "price") == 0 && record_field(words->item_type, "net")) return line_price(words->item, value, error);
        if ((strcmp(name, "dr") == 0 || strcmp(name, "cr") == 0) && record_field(words->item_type, "side")) return side_take(words, name, value, error);
        for (size_t i = 0; i < sizeof line_words / sizeof *line_words; i++)
            if (strcmp(name, line_words[i].word) == 0) field = line_words[i].field;
        if (record_field(words->item_type, field)) return record_set(words->item, words->item_type, field, value, error);
    }
    for (size_t i = 0; i < sizeof head_words / sizeof *head_words; i++)
        if (strcmp(name, head_words[i].word) == 0) field = head_words[i].field;
    return record_set(words->event, words->type, field, value, error);
}

/* Whether a currency is said: an amount is, or the schema asks for one always. */
static bool has_currency(const struct words *words) {
    static const char *const amounts[] = {"net", "gross", "amount", "total"};
    const struct codec_field *currency = record_field(words->type, "currency");
    bool has = currency && !currency->default_json;
    for (size_t k = 0; k < sizeof amounts / sizeof *amounts; k++) {
        has |= json_object_get(words->event, amounts[k]) != NULL;
        for (uint32_t i = 0; i < words->type->field_count; i++) {
            size_t at;
            json_t *item;
            if (!is_items(&words->type->fields[i])) continue;
            json_array_foreach(json_object_get(words->event, words->type->fields[i].name), at, item) has |= json_object_get(item, amounts[k]) != NULL;
        }
    }
    return has;
}

static void table_set(json_t *record, const struct codec_type *type, const struct word_default defaults[DEFAULTS_MAXIMUM], const char *kind, const char *document,
                      const char *day) {
    for (size_t i = 0; i < DEFAULTS_MAXIMUM && defaults[i].field; i++) {
        const char *text = defaults[i].text;
        if ((defaults[i].kind && strcmp(defaults[i].kind, kind) != 0) || !record_field(type, defaults[i].field)) continue;
        struct error error;   /* the table's texts are those of its fields */
        if (json_object_get(record, defaults[i].field)) continue;
        if (!record_set(record, type, defaults[i].field, text == default_document ? document : text == default_day ? day : text, &error)) abort();
    }
}

/* What an event says when the case does not: so that a case tells only what matters in it. */
static void defaults_set(struct words *words, const char *kind, const char *document, const char *day) {
    if (record_field(words->type, "document_date")) default_set(words->event, "document_date", day);
    if (has_currency(words)) default_set(words->event, "currency", "EUR");
    const char *amount = json_string_value(json_object_get(words->event, "amount"));
    if (amount && record_field(words->type, "functional")) default_set(words->event, "functional", amount);
    if (*words->order && record_field(words->type, "order")) default_set(words->event, "order", words->order);
    table_set(words->event, words->type, words->said->head, kind, document, day);
    for (uint32_t i = 0; i < words->type->field_count; i++) {
        size_t at;
        json_t *item;
        if (!is_items(&words->type->fields[i])) continue;
        json_array_foreach(json_object_get(words->event, words->type->fields[i].name), at, item)
            table_set(item, words->type->fields[i].slot.type->element.type, words->said->item, kind, document, day);
    }
}

/* KIND DOCUMENT [ORDER] and what of the record is its key. */
static bool words_begin(struct words *words, const struct statement *statement, size_t *at, struct error *error) {
    size_t arrow = statement_arrow(statement);
    if (arrow < 4) return error_set(error, "event PROCESSOR KIND DOCUMENT ...");
    const char *kind = statement->words[2], *document = statement->words[3];
    bool order_itself = words->said->order_named && begins(kind, "order_");
    words->order = order_itself ? document : *at < arrow && !strchr(statement->words[*at], '=') ? statement->words[(*at)++] : "";
    json_object_set_new(words->event, record_field(words->type, "kind") ? "kind" : "step", json_string(kind));
    json_object_set_new(words->event, "document", json_string(document));
    for (uint32_t i = 0; i < words->type->field_count; i++)
        if (is_items(&words->type->fields[i])) json_object_set_new(words->event, words->type->fields[i].name, json_array());
    return true;
}

static bool event_words(struct run *run, const struct statement *statement, struct words *words, struct given *given, struct error *error) {
    const struct family_words *said = words->said;
    size_t at = 4;
    if (!words_begin(words, statement, &at, error)) return false;
    for (; at < statement_arrow(statement); at++)
        if (!word_take(words, statement->words[at], error)) return false;
    char id[32];
    if (given->family < 0) snprintf(id, sizeof id, "followed %lld", (long long)run->clock_ms);
    else snprintf(id, sizeof id, "e%zu", run->given_count + 1);
    default_set(words->event, "event_id", id);
    if (record_field(words->type, "source")) default_set(words->event, "source", "ERP1");
    default_set(words->event, "entity", "ACME");
    default_set(words->event, said->partner_field, said->partner);
    const char *entity = json_string_value(json_object_get(words->event, "entity")), *partner = json_string_value(json_object_get(words->event, said->partner_field));
    if (!record_place(run, statement, key_make(run, entity, partner), given, error)) return false;
    given->document = statement->words[3];
    defaults_set(words, statement->words[2], given->document, date_text(&run->arena, given->time_ms));
    const char *given_id = json_string_value(json_object_get(words->event, record_field(words->type, "idempotency_key") ? "idempotency_key" : "event_id"));
    given->id = arena_copy(&run->arena, given_id, strlen(given_id));
    return true;
}

static bool record_build(struct run *run, const struct statement *statement, const struct family_words *said, const struct processor_input *input,
                         struct given *given, struct error *error) {
    struct words words = {.said = said, .event = json_object(), .type = input->type};
    const char *schema = statement_value(statement, "schema", NULL);
    bool ok = event_words(run, statement, &words, given, error) &&
              record_encode(&run->arena, words.type, words.event, schema ? (uint32_t)atoi(schema) : broker_schema_id(words.type), &given->value, error);
    json_decref(words.event);
    return ok;
}

bool event_build(struct run *run, const struct statement *statement, struct given *given, struct error *error) {
    if (!family_read(statement, given, error)) return false;
    return record_build(run, statement, families[given->family].words, families[given->family].events, given, error);
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

static bool raw_value(struct run *run, const struct statement *statement, const struct family_words *said, struct given *given, struct error *error) {
    const char *hex = statement_value(statement, "hex", NULL), *text = statement_value(statement, "text", NULL);
    if (hex && !hex_read(run, hex, &given->value)) return error_set(error, "hex=%s is not bytes", hex);
    if (text) given->value = slice_of(text);
    given->id = given->document = "";
    return record_place(run, statement, key_make(run, "ACME", said->partner), given, error);
}

/* raw PROCESSOR hex=.. | text=.. | nothing */
bool raw_build(struct run *run, const struct statement *statement, struct given *given, struct error *error) {
    return family_read(statement, given, error) && raw_value(run, statement, families[given->family].words, given, error);
}

bool followed_is(const struct statement *statement) { return statement->count > 1 && followed_find(statement->words[1], NULL); }

bool followed_build(struct run *run, const struct statement *statement, struct given *given, struct error *error) {
    const struct processor_input *input = NULL;
    const struct family_words *said = followed_find(statement->words[1], &input);
    given->family = family_answering(input->topic);
    given->topic = input->topic;
    if (strcmp(statement->words[0], "raw") == 0) return raw_value(run, statement, said, given, error);
    return record_build(run, statement, said, input, given, error);
}
