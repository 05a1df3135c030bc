/* What the tests of tables share: two tables of their own, tax codes and, with a hook, rule sets. */
#ifndef KONTOR_TESTS_TABLES_SUPPORT_H
#define KONTOR_TESTS_TABLES_SUPPORT_H
#include "tests/unit/state_support.h"

#include "common/codec/layout.h"
#include "common/tables/tables.h"

/* Days since 1970, from Python's datetime. */
enum {
    DAY_1899_12_31 = -25568, DAY_1969_12_31 = -1, DAY_1970_01_01 = 0, DAY_2018_01_01 = 17532, DAY_2020_02_28 = 18320, DAY_2020_02_29 = 18321,
    DAY_2020_03_01 = 18322
};

enum { TAX_CODES, RULES };

struct tax_code {
    struct slice entity, tax_code;
    int64_t rate;
    struct codec_list tags; /* of struct slice */
    int32_t valid_from;
    struct slice status, source;
};

struct rule_text { struct slice rule_set, text; int32_t valid_from; struct slice status, source; };

#define COMMON_FIELDS \
    "{'name':'valid_from','type':{'type':'int','logicalType':'date'}},{'name':'status','type':'string','default':'active'},{'name':'source','type':'string'}]}"

static int rules_made, rules_alive;

static inline void *make_rules(const void *record, struct error *error) {
    const struct rule_text *text = record;
    if (text->text.length >= 3 && memcmp(text->text.data, "bad", 3) == 0) {
        error_set(error, "rule " SLICE_FORMAT " does not balance", SLICE_ARGUMENT(text->text));
        return NULL;
    }
    rules_made++;
    rules_alive++;
    return strndup(text->text.data, text->text.length);
}

static inline void free_rules(void *compiled) {
    rules_alive--;
    free(compiled);
}

static const struct codec_type *tax_type, *rule_type;
static struct table tax_table = {.name = "tax-codes", .keys = {"entity", "tax_code"}};
static struct table rule_table = {.name = "posting-rules", .keys = {"rule_set"}, .compile = make_rules, .release = free_rules};
static const struct table *table_list[] = {&tax_table, &rule_table, NULL};
static const char *source_list[] = {"mdm, sap", "finance"};
static struct error error;

static inline const struct codec_type *parse_type(const char *text, size_t size) {
    char json[2000];
    snprintf(json, sizeof json, "%s", text);
    for (char *at = json; *at; at++)
        if (*at == '\'') *at = '"';
    const struct codec_type *type = codec_type_parse(json, &error);
    if (!type) fail_msg("%s", error.text);
    assert_int_equal(type->size, size);
    return type;
}

static inline int make_types(void **unused) {
    (void)unused;
    tax_table.type = tax_type = parse_type("{'type':'record','name':'TaxCode','fields':[{'name':'entity','type':'string'},{'name':'tax_code','type':'string'},"
        "{'name':'rate','type':{'type':'bytes','logicalType':'decimal','precision':6,'scale':4}},{'name':'tags','type':{'type':'array','items':'string'}},"
        COMMON_FIELDS, sizeof(struct tax_code));
    rule_table.type = rule_type = parse_type("{'type':'record','name':'RuleText','fields':[{'name':'rule_set','type':'string'},{'name':'text','type':'string'},"
        COMMON_FIELDS, sizeof(struct rule_text));
    return 0;
}

static inline int free_types(void **unused) {
    (void)unused;
    codec_type_free(tax_type);
    codec_type_free(rule_type);
    return 0;
}

static inline struct tables *open_with(const char *dir, int64_t now_ms, int64_t maximum_age_ms) {
    struct tables *tables;
    const struct tables_options options = {dir, table_list, source_list, now_ms, maximum_age_ms};
    return tables_open(&tables, &options, &error) ? tables : NULL;
}

static inline struct tables *open_tables(void) {
    struct tables *tables = open_with(path_in("tables"), 0, 0);
    if (!tables) fail_msg("%s", error.text);
    return tables;
}

static inline struct tax_code tax_code(const char *code, int32_t valid_from, int64_t rate) {
    return (struct tax_code){SLICE("1000"), slice_of(code), rate, {NULL, 0}, valid_from, SLICE("active"), SLICE("mdm")};
}

static inline struct rule_text rule_text(const char *set, int32_t valid_from, const char *text) {
    return (struct rule_text){slice_of(set), slice_of(text), valid_from, SLICE("active"), SLICE("finance")};
}

static inline void begin(struct tables *tables) {
    if (!tables_begin(tables, &error)) fail_msg("%s", error.text);
}

static inline void commit(struct tables *tables, int64_t tax_next, int64_t rules_next) {
    const int64_t next[] = {tax_next, rules_next};
    if (!tables_commit(tables, next, 0, &error)) fail_msg("%s", error.text);
}

static inline enum table_put put(struct tables *tables, size_t table, const char *key, const void *record, int64_t offset) {
    return tables_put(tables, table, slice_of(key), record, "truncated", offset, &error);
}

/* One put, committed. */
static inline enum table_put put_alone(struct tables *tables, size_t table, const char *key, const void *record, int64_t offset) {
    begin(tables);
    enum table_put result = put(tables, table, key, record, offset);
    commit(tables, -1, -1);
    return result;
}

static inline enum table_result find(struct tables *tables, size_t table, const char *key, int32_t date, struct table_row *row) {
    struct table_row again;
    enum table_result result = tables_find(tables, table, slice_of(key), date, row);
    assert_int_equal(tables_find(tables, table, slice_of(key), date, &again), result); /* from the cache */
    assert_ptr_equal(again.record, row->record);
    assert_ptr_equal(again.compiled, row->compiled);
    return result;
}

/* rate: of the record that must be found; -1: missing; -2: stale. */
static inline void assert_rate(struct tables *tables, const char *key, int32_t date, int64_t rate) {
    struct table_row row;
    enum table_result result = find(tables, TAX_CODES, key, date, &row);
    if (rate < 0) {
        assert_int_equal(result, rate == -1 ? TABLE_MISSING : TABLE_STALE);
        assert_null(row.record);
        return;
    }
    if (result != TABLE_FOUND) fail_msg("%s on %d: %d", key, date, result);
    assert_int_equal(((const struct tax_code *)row.record)->rate, rate);
}

/* text: what the compiled rules must hold; NULL: missing; "": stale. */
static inline void assert_rules(struct tables *tables, const char *key, int32_t date, const char *text) {
    struct table_row row;
    enum table_result result = find(tables, RULES, key, date, &row);
    assert_int_equal(result, !text ? TABLE_MISSING : *text ? TABLE_FOUND : TABLE_STALE);
    if (text && *text) assert_string_equal(row.compiled, text);
}
#endif
