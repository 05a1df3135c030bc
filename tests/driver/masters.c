/* masters: the statements `master`, `master-remove`, `rule` and `rules` as records of the master topics. */
#include <stdio.h>

#include "common/codec/wire.h"
#include "common/platform/hash.h"
#include "schemas/posting_rule_set.h"
#include "tests/driver/records.h"
#include "tests/driver/run.h"

enum { MASTER_SCHEMA_ID = 100 };

static bool table_find(const char *name, int *table, struct error *error) {
    for (*table = 0; *table < MASTER_COUNT; ++*table)
        if (strcmp(master_tables[*table].name, name) == 0) return true;
    return error_set(error, "there is no table %s", name);
}

/* One record in SPOILED_ONE_IN. */
static void spoil(struct run *run, int table, struct slice key, struct slice *value) {
    enum { SPOILED_ONE_IN = 40 };
    if (run->mode != MODE_MASTERS) return;
    run->chance = hash_bytes(&run->chance, sizeof run->chance);
    if (run->chance % SPOILED_ONE_IN || !extreme_put(master_tables[table].type, value, run->chance / SPOILED_ONE_IN, &run->arena)) return;
    const size_t length = strlen(run->spoiled);
    snprintf(run->spoiled + length, sizeof run->spoiled - length, "%s%s " SLICE_FORMAT, length ? ", " : "master ", master_tables[table].name, SLICE_ARGUMENT(key));
    run->tried++;
}

static bool topic_put(struct run *run, int table, struct slice key, struct slice value, struct error *error) {
    char topic[128];
    spoil(run, table, key, &value);
    snprintf(topic, sizeof topic, "master.%s", master_tables[table].name);
    const struct engine_output output = {.topic = topic, .key = key, .value = value};
    return broker_append(&run->broker, NULL, &output, error);
}

/* The Kafka key: the key words and the first day, as the record has them unless the case says otherwise. */
static struct slice key_make(struct run *run, const struct statement *statement, size_t key_count, const char *from) {
    struct slice parts[TABLE_KEY_FIELDS_MAXIMUM + 1];
    char buffer[STATE_KEY_MAXIMUM];
    for (size_t i = 0; i < key_count; i++) parts[i] = slice_of(statement->words[2 + i]);
    parts[key_count] = slice_of(from);
    struct slice key = tables_key(buffer, sizeof buffer, parts, key_count + 1);
    const char *given = statement_value(statement, "key", NULL);
    return given ? slice_of(given) : (struct slice){arena_copy(&run->arena, key.data, key.length), key.length};
}

static bool fields_set(json_t *record, const struct table *table, const struct statement *statement, size_t at, struct error *error) {
    for (; at < statement_arrow(statement); at++) {
        char name[64];
        const char *word = statement->words[at], *equals = strchr(word, '=');
        if (!equals) return error_set(error, "\"%s\" is not name=value", word);
        snprintf(name, sizeof name, "%.*s", (int)(equals - word), word);
        if (strcmp(name, "from") == 0 || strcmp(name, "key") == 0 || strcmp(name, "bytes") == 0) continue;
        if (!record_set(record, table->type, name, equals + 1, error)) return false;
    }
    return true;
}

/* master TABLE KEY... [from=DATE] [source=MDM] [field=value ...] [bytes=nonsense] */
bool master_put(struct run *run, const struct statement *statement, bool removed, struct error *error) {
    int number;
    size_t key_count = 0;
    if (statement->count < 3 || !table_find(statement->words[1], &number, error)) return statement->count < 3 ? error_set(error, "master TABLE KEY...") : false;
    const struct table *table = &master_tables[number];
    while (key_count < TABLE_KEY_FIELDS_MAXIMUM && table->keys[key_count]) key_count++;
    if (statement->count < 2 + key_count) return error_set(error, "%s has %zu key words, first %s", table->name, key_count, table->keys[0]);
    const char *from = statement_value(statement, "from", "2000-01-01"), *nonsense = statement_value(statement, "bytes", NULL);
    struct slice key = key_make(run, statement, key_count, from), value = {0};
    if (removed) return topic_put(run, number, key, value, error);
    if (nonsense) return topic_put(run, number, key, slice_of(nonsense), error);
    json_t *record = json_object();
    bool ok = true;
    for (size_t i = 0; i < key_count; i++) json_object_set_new(record, table->keys[i], json_string(statement->words[2 + i]));
    json_object_set_new(record, "valid_from", json_string(from));
    json_object_set_new(record, "source", json_string(MASTER_SOURCE));
    ok = fields_set(record, table, statement, 2 + key_count, error) && record_encode(&run->arena, table->type, record, MASTER_SCHEMA_ID, &value, error);
    json_decref(record);
    return ok && topic_put(run, number, key, value, error);
}

/* ---- posting rules: rule SET NAME STEP [DIMENSION=..] dr ACCOUNT AMOUNT [cc] [project] [tax] [partner] [FIELD=..] cr ...: whatever accounts, amounts and
 * dimensions there are; the processors judge them ---- */

static json_t *rule_line_add(json_t *lines, const struct statement *statement, size_t at) {
    json_t *line = json_object();
    json_object_set_new(line, "side", json_string(statement->words[at][0] == 'd' ? "debit" : "credit"));
    json_object_set_new(line, "account", json_string(statement->words[at + 1]));
    json_object_set_new(line, "amount", json_string(statement->words[at + 2]));
    json_array_append_new(lines, line);
    return line;
}

/* name=value of the rule or its line; the name of one of the line's flags alone sets it. */
static bool rule_word(json_t *record, const struct codec_type *type, const char *word, struct error *error) {
    static const struct { const char *word, *field; } flags[] = {{"cc", "cost_centre"}, {"tax", "tax_code"}};
    const char *equals = strchr(word, '='), *field = word;
    char name[64];
    if (equals) {
        snprintf(name, sizeof name, "%.*s", (int)(equals - word), word);
        return record_set(record, type, name, equals + 1, error);
    }
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strcmp(word, flags[i].word) == 0) field = flags[i].field;
    const struct codec_field *flag = record_field(type, field);
    if (!flag || flag->slot.type->kind != CODEC_BOOLEAN) return error_set(error, "\"%s\" in a rule", word);
    return record_set(record, type, field, "yes", error);
}

static bool rule_words(json_t *rule, const struct statement *statement, struct error *error) {
    const struct codec_type *rule_type = record_field(&posting_rule_set_type, "rules")->slot.type->element.type;
    const struct codec_type *line_type = record_field(rule_type, "lines")->slot.type->element.type;
    json_t *lines = json_object_get(rule, "lines"), *line = NULL;
    for (size_t at = 4; at < statement->count; at++) {
        const char *word = statement->words[at];
        if (strcmp(word, "dr") == 0 || strcmp(word, "cr") == 0) {
            if (at + 2 >= statement->count) return error_set(error, "%s ACCOUNT AMOUNT", word);
            line = rule_line_add(lines, statement, at);
            at += 2;
        } else if (!rule_word(line ? line : rule, line ? line_type : rule_type, word, error)) {
            return false;
        }
    }
    return true;
}

bool rule_add(struct run *run, const struct statement *statement, struct error *error) {
    if (statement->count < 7) return error_set(error, "rule SET NAME STEP dr ACCOUNT AMOUNT ... cr ACCOUNT AMOUNT ...");
    json_t *set = json_object_get(run->rules, statement->words[1]), *rule = json_object();
    if (!set) json_object_set_new(run->rules, statement->words[1], set = json_object());
    json_object_set_new(rule, "rule", json_string(statement->words[2]));
    json_object_set_new(rule, "step", json_string(statement->words[3]));
    json_object_set_new(rule, "lines", json_array());
    json_object_set_new(set, statement->words[2], rule);
    return rule_words(rule, statement, error);
}

/* rules SET [from=DATE] [without=NAME]: loads the set as the rules so far have it. */
bool rules_put(struct run *run, const struct statement *statement, struct error *error) {
    if (statement->count < 2) return error_set(error, "rules SET");
    const char *name = statement->words[1], *from = statement_value(statement, "from", "2000-01-01"), *without = statement_value(statement, "without", NULL), *rule_name;
    json_t *record = json_object(), *rules = json_array(), *rule;
    json_object_foreach(json_object_get(run->rules, name), rule_name, rule)
        if (!without || strcmp(rule_name, without) != 0) json_array_append(rules, rule);
    json_object_set_new(record, "rule_set", json_string(name));
    json_object_set_new(record, "valid_from", json_string(from));
    json_object_set_new(record, "source", json_string(statement_value(statement, "source", MASTER_SOURCE)));
    json_object_set_new(record, "rules", rules);
    char key[256];
    struct slice value;
    bool ok = record_encode(&run->arena, &posting_rule_set_type, record, MASTER_SCHEMA_ID, &value, error);
    json_decref(record);
    snprintf(key, sizeof key, "%s|%s", name, from);
    return ok && topic_put(run, MASTER_POSTING_RULES, slice_of(key), value, error);
}
