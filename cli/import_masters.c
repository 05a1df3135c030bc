#include "cli/import_masters.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/lines.h"
#include "cli/record_line.h"
#include "cli/scan.h"
#include "cli/values.h"
#include "schemas/supplier.h"
#include "schemas/tax_code.h"

enum { TEXTS_MEMORY = 1 << 30, PATH_SIZE = 4096, VALUE_MEMORY = 16 << 20 };

static const char supplier_topic[] = "master.suppliers", tax_code_topic[] = "master.tax-codes";

void import_masters_init(struct import_masters *masters) {
    *masters = (struct import_masters){.suppliers = NULL};
    intern_init(&masters->supplier_keys);
    intern_init(&masters->tax_code_keys);
    arena_init(&masters->texts, 1 << 16, TEXTS_MEMORY);
}

void import_masters_free(struct import_masters *masters) {
    intern_free(&masters->supplier_keys);
    intern_free(&masters->tax_code_keys);
    arena_free(&masters->texts);
    free(masters->suppliers);
    free(masters->tax_codes);
    masters->suppliers = NULL;
    masters->tax_codes = NULL;
}

/* The row of a key, made when it is new; NULL: memory is out. */
static void *row_of(struct intern *keys, void **rows, size_t *capacity, size_t size, struct slice key) {
    uint32_t number;
    if (!intern_add(keys, key, &number, NULL)) return NULL;
    if (number >= *capacity) {
        size_t more = *capacity ? *capacity * 2 : 256;
        void *grown = realloc(*rows, more * size);
        if (!grown) return NULL;
        memset((char *)grown + *capacity * size, 0, (more - *capacity) * size);
        *rows = grown;
        *capacity = more;
    }
    return (char *)*rows + number * size;
}

static bool keep(struct import_masters *masters, struct slice text, struct slice *kept) {
    *kept = (struct slice){arena_copy(&masters->texts, text.length ? text.data : "", text.length), text.length};
    return kept->data;
}

/* Letters as capitals and digits, in place. */
static void normalise(struct slice *text) {
    char *at = (char *)text->data;
    size_t length = 0;
    for (size_t i = 0; i < text->length; i++)
        if (!strchr(" .-/", at[i])) at[length++] = (char)toupper((unsigned char)at[i]);
    text->length = length;
}

static bool put_supplier(struct import_masters *masters, struct slice key, const struct supplier *record) {
    struct import_supplier *row = row_of(&masters->supplier_keys, (void **)&masters->suppliers, &masters->supplier_capacity, sizeof *row, key);
    if (!row) return false;
    *row = (struct import_supplier){.there = record != NULL};
    if (!record) return true;
    row->ended = slice_equal(record->status, SLICE("ended"));
    row->valid_from = record->valid_from;
    if (!keep(masters, record->supplier, &row->supplier) || !keep(masters, record->tax_id, &row->tax_id)) return false;
    normalise(&row->tax_id);
    return true;
}

static bool put_tax_code(struct import_masters *masters, struct slice key, const struct tax_code *record) {
    struct import_tax_code *row = row_of(&masters->tax_code_keys, (void **)&masters->tax_codes, &masters->tax_code_capacity, sizeof *row, key);
    if (!row) return false;
    /* A withholding code is no VAT, whatever its category. */
    *row = (struct import_tax_code){.there = record && slice_equal(record->kind, SLICE("vat"))};
    if (!row->there) return true;
    row->ended = slice_equal(record->status, SLICE("ended"));
    row->reverse_charge = record->reverse_charge;
    row->rate_e4 = record->rate_e4;
    row->valid_from = record->valid_from;
    return keep(masters, record->entity, &row->entity) && keep(masters, record->tax_code, &row->tax_code) && keep(masters, record->category, &row->category);
}

static bool put(struct import_masters *masters, bool suppliers, struct slice key, const void *record, struct error *error) {
    return (suppliers ? put_supplier(masters, key, record) : put_tax_code(masters, key, record)) || error_set(error, "out of memory");
}

static bool read_file(struct import_masters *masters, const struct topic *topic, bool suppliers, const char *path, struct error *error) {
    struct record_maker maker = {.type = NULL};
    struct lines lines = {.file = NULL};
    struct slice line;
    enum lines_result step = LINES_GIVEN;
    bool ok = lines_open(&lines, path, error) && record_maker_open(&maker, topic->type, 0, topic->key, error);
    while (ok && (step = lines_next(&lines, &line, error)) == LINES_GIVEN) {
        struct error why;
        if (!record_make(&maker, line, &why)) ok = error_set(error, "%s: line %lld: %s", path, (long long)lines.number, why.text);
        else ok = put(masters, suppliers, buffer_slice(&maker.key_bytes), maker.has_value ? maker.value : NULL, error);
    }
    record_maker_close(&maker);
    lines_close(&lines);
    return ok && step != LINES_FAILED;
}

bool import_masters_from_folder(struct import_masters *masters, const struct topic_list *list, const char *folder, struct error *error) {
    static const char *const names[] = {supplier_topic, tax_code_topic}, *const endings[] = {".jsonl", ".jsonl.gz"};
    char path[PATH_SIZE];
    if (access(folder, R_OK | X_OK) != 0) return error_set(error, "%s cannot be read; give a folder with suppliers.jsonl and tax-codes.jsonl", folder);
    for (size_t i = 0; i < 4; i++) {
        const char *name = names[i / 2];
        snprintf(path, sizeof path, "%s/%s%s", folder, strchr(name, '.') + 1, endings[i % 2]);
        if (access(path, R_OK) == 0 && !read_file(masters, topic_list_find(list, name), i < 2, path, error)) return false;
    }
    return true;
}

struct reading { struct import_masters *masters; struct values *values; struct arena arena; union { struct supplier supplier; struct tax_code tax_code; } record; };

/* A record that cannot be read is no record, as it is for the processors. */
static enum scan_step take_record(void *context, const struct kafka_record *record, struct error *error) {
    struct reading *reading = context;
    bool suppliers = strcmp(record->topic, supplier_topic) == 0;
    struct error why;
    enum values_result result = VALUES_OK;
    arena_reset(&reading->arena);
    if (record->value.data)
        result = values_decode(reading->values, record->value, suppliers ? &supplier_type : &tax_code_type, &reading->arena, &reading->record, &why);
    if (result == VALUES_FAILED) error_set(error, "%s", why.text);
    if (result == VALUES_UNREADABLE) return SCAN_MORE;
    bool ok = result == VALUES_OK && put(reading->masters, suppliers, record->key, record->value.data ? &reading->record : NULL, error);
    return ok ? SCAN_MORE : SCAN_FAILED;
}

bool import_masters_from_topics(struct import_masters *masters, const struct connection *connection, struct error *error) {
    struct reading *reading = calloc(1, sizeof *reading);
    if (!reading) return error_set(error, "out of memory");
    reading->masters = masters;
    arena_init(&reading->arena, 1 << 16, VALUE_MEMORY);
    const struct scan scan = {.connection = connection, .topics = {supplier_topic, tax_code_topic}, .topic_count = 2, .partition = SCAN_ALL_PARTITIONS,
                              .from_offset = SCAN_FROM_BEGINNING, .progress = "reading master data", .visit = take_record, .context = reading};
    bool ok = values_open(&reading->values, connection, error) && scan_run(&scan, error);
    values_close(reading->values);
    arena_free(&reading->arena);
    free(reading);
    return ok;
}

/* Whether a newer record of the same supplier is there. */
static bool is_superseded(const struct import_masters *masters, const struct import_supplier *row) {
    for (uint32_t i = 0; i < masters->supplier_keys.count; i++) {
        const struct import_supplier *other = &masters->suppliers[i];
        if (other->there && other->valid_from > row->valid_from && slice_equal(other->supplier, row->supplier)) return true;
    }
    return false;
}

struct slice import_supplier_by_tax_id(const struct import_masters *masters, struct slice tax_id, size_t *count) {
    char bytes[64];
    struct slice wanted = {bytes, tax_id.length}, found = {"", 0};
    *count = 0;
    if (!tax_id.length || tax_id.length > sizeof bytes) return found;
    memcpy(bytes, tax_id.data, tax_id.length);
    normalise(&wanted);
    for (uint32_t i = 0; wanted.length && i < masters->supplier_keys.count; i++) {
        const struct import_supplier *row = &masters->suppliers[i];
        if (!row->there || row->ended || !slice_equal(row->tax_id, wanted) || is_superseded(masters, row)) continue;
        ++*count;
        if (!found.length || slice_compare(row->supplier, found) < 0) found = row->supplier;
    }
    return found;
}

/* A code without category is taken by its rate: reverse charge is AE, a rate is S, none is Z. */
static struct slice category_of(const struct import_tax_code *row) {
    if (row->category.length) return row->category;
    return row->reverse_charge ? SLICE("AE") : row->rate_e4 > 0 ? SLICE("S") : SLICE("Z");
}

/* Whether another record of the same code is the one that holds on the date. */
static bool is_other_on(const struct import_masters *masters, const struct import_tax_code *row, int32_t date) {
    for (uint32_t i = 0; i < masters->tax_code_keys.count; i++) {
        const struct import_tax_code *other = &masters->tax_codes[i];
        if (other->there && other->valid_from > row->valid_from && other->valid_from <= date && slice_equal(other->entity, row->entity) &&
            slice_equal(other->tax_code, row->tax_code))
            return true;
    }
    return false;
}

struct slice import_tax_code(const struct import_masters *masters, struct slice entity, struct slice category, const int64_t *rate_e4, int32_t date) {
    struct slice found = {"", 0};
    bool found_exactly = false;
    for (uint32_t i = 0; i < masters->tax_code_keys.count; i++) {
        const struct import_tax_code *row = &masters->tax_codes[i];
        if (!row->there || row->ended || row->valid_from > date || !slice_equal(row->entity, entity) || !slice_equal(category_of(row), category)) continue;
        bool exactly = rate_e4 ? row->rate_e4 == *rate_e4 : row->rate_e4 == 0;
        if ((!exactly && !row->reverse_charge) || is_other_on(masters, row, date)) continue;
        if (found.length && (found_exactly > exactly || (found_exactly == exactly && slice_compare(row->tax_code, found) > 0))) continue;
        found = row->tax_code;
        found_exactly = exactly;
    }
    return found;
}
