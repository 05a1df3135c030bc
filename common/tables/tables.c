#include "common/tables/tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/platform/hash.h"
#include "common/state/state.h"
#include "common/tables/internal.h"

static const struct slice about_key = {"about", 5};

bool entry_read(struct slice key, struct slice value, struct entry *entry) {
    struct slice body;
    uint8_t version;
    if (!state_unseal(key, value, &body, &version) || version != TABLES_FORMAT || body.length < ENTRY_HEAD_SIZE) return false;
    const unsigned char *bytes = (const unsigned char *)body.data;
    uint64_t offset = 0;
    for (int i = 1; i < ENTRY_HEAD_SIZE; i++) offset = offset << 8 | bytes[i];
    *entry = (struct entry){(enum entry_kind)bytes[0], (int64_t)offset, {body.data + ENTRY_HEAD_SIZE, body.length - ENTRY_HEAD_SIZE}};
    return true;
}

/* ---- opening ---- */

static bool find_field(const struct table *table, const char *name, enum codec_kind kind, uint32_t *offset, struct error *error) {
    for (uint32_t i = 0; i < table->type->field_count; i++) {
        const struct codec_field *field = &table->type->fields[i];
        if (strcmp(field->name, name) != 0) continue;
        *offset = field->slot.offset;
        if (field->slot.type->kind == kind) return true;
    }
    return error_set(error, "table %s: its schema %s has no field %s that is a %s", table->name, table->type->name, name, codec_kind_name(kind));
}

static bool place_table(struct table_place *place, const struct table *table, const char *sources, struct error *error) {
    place->table = table;
    while (place->key_count < TABLE_KEY_FIELDS_MAXIMUM && table->keys[place->key_count]) {
        if (!find_field(table, table->keys[place->key_count], CODEC_STRING, &place->keys[place->key_count], error)) return false;
        place->key_count++;
    }
    if (place->key_count == 0) return error_set(error, "table %s has no key fields", table->name);
    if (!find_field(table, "valid_from", CODEC_DATE, &place->valid_from, error) || !find_field(table, "status", CODEC_STRING, &place->status, error) ||
        !find_field(table, "source", CODEC_STRING, &place->source, error))
        return false;
    if (!sources || sources[strspn(sources, ", ")] == '\0')
        return error_set(error, "table %s has no authoritative source: name one in tables.source or tables.%s.source", table->name, table->name);
    if ((size_t)snprintf(place->sources, sizeof place->sources, "%s", sources) >= sizeof place->sources)
        return error_set(error, "table %s: its list of sources is longer than %d bytes", table->name, TABLE_SOURCES_SIZE - 1);
    place->plan = codec_plan_own(table->type, error);
    return place->plan || error_prefix(error, "table %s", table->name);
}

/* With another list of tables the numbers in the keys mean others; with other sources or schemas the records are to be judged anew. */
static uint32_t checksum_of(const struct tables *tables) {
    uint32_t sum = 0;
    for (size_t i = 0; i < tables->count; i++) {
        const struct table *table = tables->places[i].table;
        const char *texts[3 + TABLE_KEY_FIELDS_MAXIMUM] = {table->name, table->type->schema, tables->places[i].sources};
        memcpy(texts + 3, table->keys, tables->places[i].key_count * sizeof *texts);
        for (size_t text = 0; text < 3 + tables->places[i].key_count; text++)
            if (texts[text]) sum = hash_crc32c(sum, texts[text], strlen(texts[text]) + 1);
        sum = hash_crc32c(sum, table->compile ? "compiled" : "plain", 5);
    }
    return sum;
}

int tables_put_about(const struct tables_about *about, MDB_txn *transaction, const struct environment *environment) {
    char sealed[STATE_SEAL_SIZE + sizeof *about];
    memcpy(sealed + STATE_SEAL_SIZE, about, sizeof *about);
    state_seal(sealed, sizeof sealed, about_key, TABLES_FORMAT);
    MDB_val key = {about_key.length, (void *)(uintptr_t)about_key.data}, value = {sizeof sealed, sealed};
    return mdb_put(transaction, environment->about, &key, &value, 0);
}

static int write_about(void *context, MDB_txn *transaction, const struct environment *environment) {
    return tables_put_about(context, transaction, environment);
}

/* Why what is stored is not to be believed, or NULL; *found: whether anything is stored. */
static const char *read_about(const struct tables *tables, const struct tables_options *options, struct tables_about *about, bool *found) {
    struct slice value, body;
    uint8_t version;
    int code = environment_read(&tables->environment, tables->environment.about, about_key, &value);
    *found = code != MDB_NOTFOUND;
    if (!*found) return NULL;
    if (code || !state_unseal(about_key, value, &body, &version)) return "the record of what it holds is damaged";
    if (version != TABLES_FORMAT || body.length != sizeof *about) return "it is in another format";
    memcpy(about, body.data, sizeof *about);
    if (about->configuration != tables->about.configuration) return "tables, schemas or sources have changed";
    if (options->maximum_age_ms > 0 && about->broker_time_ms > 0 && options->now_ms - about->broker_time_ms > options->maximum_age_ms)
        return "it is so old that deletions may be gone from the topics";
    return NULL;
}

static bool believe(struct tables *tables, const struct tables_options *options, struct error *error) {
    struct tables_about stored;
    bool found;
    const char *problem = read_about(tables, options, &stored, &found);
    if (problem) {
        tables->rebuilt_because = problem;
        if (!environment_empty(&tables->environment, error)) return false;
    } else if (found) {
        tables->about = stored;
        return true;
    }
    return environment_write(&tables->environment, 0, write_about, &tables->about, error);
}

static bool open_parts(struct tables *tables, const struct tables_options *options, struct error *error) {
    for (; options->tables[tables->count]; tables->count++) {
        if (tables->count == TABLES_MAXIMUM) return error_set(error, "more than %d tables", TABLES_MAXIMUM);
        const char *sources = options->sources ? options->sources[tables->count] : NULL;
        if (!place_table(&tables->places[tables->count], options->tables[tables->count], sources, error)) return false;
    }
    if (!cache_open(&tables->cache)) return error_set(error, "tables: out of memory");
    tables->about.format = TABLES_FORMAT;
    tables->about.configuration = checksum_of(tables);
    return environment_open(&tables->environment, options->dir, &tables->rebuilt_because, error);
}

static void free_parts(struct tables *tables) {
    compiled_empty(&tables->compiled);
    cache_close(&tables->cache);
    buffer_free(&tables->changes);
    buffer_free(&tables->value);
    for (size_t i = 0; i < TABLES_MAXIMUM; i++) codec_plan_free(tables->places[i].plan);
    free(tables);
}

bool tables_open(struct tables **out, const struct tables_options *options, struct error *error) {
    struct tables *tables = calloc(1, sizeof *tables);
    *out = NULL;
    if (!tables) return error_set(error, "tables: out of memory");
    if (!open_parts(tables, options, error)) {
        free_parts(tables);
        return false;
    }
    if (!believe(tables, options, error)) {
        tables_close(tables);
        return false;
    }
    *out = tables;
    return true;
}

void tables_close(struct tables *tables) {
    if (!tables) return;
    environment_close(&tables->environment);
    free_parts(tables);
}

/* ---- look-ups ---- */

static enum table_result failed(struct tables *tables, const char *what) {
    error_set(&tables->problem, "%s: %s", tables->environment.path, what);
    return TABLE_FAILED;
}

/* The newest record of the id on or before the key's date. */
static int seek(const struct tables *tables, const struct key_bytes *wanted, MDB_val *key, MDB_val *value, int32_t *valid_from) {
    MDB_cursor *cursor;
    if (!tables->environment.reader) return MDB_BAD_TXN;
    int code = mdb_cursor_open(tables->environment.reader, tables->environment.records, &cursor);
    if (code) return code;
    *key = (MDB_val){wanted->length, (void *)(uintptr_t)wanted->bytes};
    code = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
    bool exact = !code && slice_equal((struct slice){key->mv_data, key->mv_size}, key_slice(wanted));
    if (code == MDB_NOTFOUND) code = mdb_cursor_get(cursor, key, value, MDB_LAST);
    else if (!code && !exact) code = mdb_cursor_get(cursor, key, value, MDB_PREV);
    mdb_cursor_close(cursor);
    if (!code && !key_same_id(wanted, (struct slice){key->mv_data, key->mv_size}, valid_from)) code = MDB_NOTFOUND;
    return code;
}

/* What the table's hook makes of the record; made now when it was stored before this process started. NULL and no problem: memory is out. */
static const void *compiled_of(struct tables *tables, const struct table *table, struct slice key, const void *record) {
    void *object = compiled_find(&tables->compiled, key);
    if (object) return object;
    tables->problem.text[0] = '\0';
    object = table->compile(record, &tables->problem);
    if (!object || compiled_put(&tables->compiled, key, object, table->release)) return object;
    if (table->release) table->release(object);
    tables->problem.text[0] = '\0';
    return NULL;
}

static enum table_result look_up(struct tables *tables, const struct table_place *place, const struct key_bytes *wanted, struct table_row *row) {
    MDB_val key, value;
    struct entry entry;
    int code = seek(tables, wanted, &key, &value, &row->valid_from);
    if (code == MDB_NOTFOUND) return TABLE_MISSING;
    if (code) {
        environment_failed(&tables->environment, code, "reading", &tables->problem);
        return TABLE_FAILED;
    }
    struct slice name = {key.mv_data, key.mv_size};
    if (!entry_read(name, (struct slice){value.mv_data, value.mv_size}, &entry)) {
        environment_damaged(&tables->environment);
        return failed(tables, "a record fails its checksum; start again, the tables are read anew then");
    }
    row->offset = entry.offset;
    if (entry.kind == ENTRY_ENDED) return TABLE_MISSING;
    if (entry.kind != ENTRY_GOOD) return TABLE_STALE;
    void *record = arena_alloc(&tables->cache.arena, place->table->type->size);
    enum codec_result result = record ? codec_decode(place->plan, entry.record.data, entry.record.length, &tables->cache.arena, record) : CODEC_NO_MEMORY;
    if (result == CODEC_NO_MEMORY) return failed(tables, "one batch looked up more master data than memory allows; make batches smaller");
    if (result != CODEC_OK) return TABLE_STALE;
    row->record = record;
    if (place->table->compile && !(row->compiled = compiled_of(tables, place->table, name, record)))
        return tables->problem.text[0] ? TABLE_STALE : failed(tables, "out of memory");
    return TABLE_FOUND;
}

enum table_result tables_find(struct tables *tables, size_t table, struct slice key, int32_t date, struct table_row *row) {
    struct key_bytes wanted;
    size_t slot;
    const struct cache_entry *known = cache_find(&tables->cache, table, key, date, &slot);
    if (known) {
        *row = known->row;
        return known->result;
    }
    *row = (struct table_row){0};
    if (table >= tables->count || !key_write(&wanted, table, key, date)) return TABLE_MISSING;
    enum table_result result = look_up(tables, &tables->places[table], &wanted, row);
    if (result != TABLE_FOUND) *row = (struct table_row){.offset = row->offset};
    if (result != TABLE_FAILED) cache_remember(&tables->cache, slot, table, key, date, result, row);
    return result;
}

void tables_trim(struct tables *tables) {
    if (cache_is_full(&tables->cache)) cache_empty(&tables->cache);
}

const char *tables_problem(const struct tables *tables) { return tables->problem.text; }
const char *tables_rebuilt_because(const struct tables *tables) { return tables->rebuilt_because; }
int64_t tables_position(const struct tables *tables, size_t table) { return tables->about.counts[table].next_offset; }
uint64_t tables_version(const struct tables *tables, size_t table) { return tables->places[table].version; }
uint64_t tables_entries(const struct tables *tables, size_t table) { return tables->about.counts[table].entries; }
uint64_t tables_stale(const struct tables *tables, size_t table) { return tables->about.counts[table].stale; }
uint64_t tables_bytes(const struct tables *tables) { return tables->environment.size; }
