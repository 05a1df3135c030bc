/* Records of the topics into the tables. Changes are gathered in memory and written in one transaction at the commit, or before when they are many:
 * then without the offsets, so that after a kill the same records are read and put again, with the same end. */
#include <string.h>

#include "common/codec/encode.h"
#include "common/state/state.h"
#include "common/tables/internal.h"

enum { CHANGES_BYTES = 1 << 20 };

/* A change as it lies in the buffer: this, the key, the sealed value; without a value the record goes. */
struct change { uint32_t table, key_length, value_length; };

static bool gather(struct tables *tables, size_t table, const struct key_bytes *key, struct slice value) {
    struct change change = {(uint32_t)table, (uint32_t)key->length, (uint32_t)value.length};
    size_t before = tables->changes.length;
    if (buffer_append(&tables->changes, &change, sizeof change) && buffer_append(&tables->changes, key->bytes, key->length) &&
        buffer_append(&tables->changes, value.data, value.length))
        return true;
    tables->changes.length = before;
    tables->changes.failed = false;
    return false;
}

/* ---- writing what was gathered ---- */

struct writing { const struct buffer *changes; const struct tables_about *before; struct tables_about after; };

static bool is_stale(MDB_val value) {
    return value.mv_size > STATE_SEAL_SIZE && ((const char *)value.mv_data)[STATE_SEAL_SIZE] == ENTRY_STALE;
}

static int write_change(MDB_txn *transaction, MDB_dbi records, MDB_val key, MDB_val value, struct table_count *count) {
    MDB_val old = value;
    int code = value.mv_size ? mdb_put(transaction, records, &key, &old, MDB_NOOVERWRITE) : mdb_get(transaction, records, &key, &old);
    bool existed = value.mv_size ? code == MDB_KEYEXIST : !code;
    if (code == MDB_NOTFOUND) return 0; /* a tombstone for nothing */
    if (code && code != MDB_KEYEXIST) return code;
    if (existed) { /* `old` does not outlive the next call */
        count->stale -= is_stale(old);
        code = value.mv_size ? mdb_put(transaction, records, &key, &value, 0) : mdb_del(transaction, records, &key, NULL);
        if (code) return code;
    }
    if (value.mv_size) {
        count->entries += !existed;
        count->stale += is_stale(value);
    } else count->entries--;
    return 0;
}

static int write_changes(void *context, MDB_txn *transaction, const struct environment *environment) {
    struct writing *writing = context;
    for (size_t i = 0; i < TABLES_MAXIMUM; i++) { /* from the start, when the file had to grow */
        writing->after.counts[i].entries = writing->before->counts[i].entries;
        writing->after.counts[i].stale = writing->before->counts[i].stale;
    }
    for (size_t at = 0; at < writing->changes->length;) {
        struct change change;
        memcpy(&change, writing->changes->data + at, sizeof change);
        char *key = writing->changes->data + at + sizeof change;
        MDB_val name = {change.key_length, key}, value = {change.value_length, key + change.key_length};
        int code = write_change(transaction, environment->records, name, value, &writing->after.counts[change.table]);
        if (code) return code;
        at += sizeof change + change.key_length + change.value_length;
    }
    return tables_put_about(&writing->after, transaction, environment);
}

/* after: with the offsets and time that are to hold then. */
static bool write_gathered(struct tables *tables, const struct tables_about *after, struct error *error) {
    struct writing writing = {&tables->changes, &tables->about, *after};
    bool ok = environment_write(&tables->environment, 2 * tables->changes.length, write_changes, &writing, error);
    buffer_reset(&tables->changes);
    cache_empty(&tables->cache);
    if (ok) tables->about = writing.after;
    else {
        compiled_empty(&tables->compiled); /* it may be ahead of what is stored */
        tables->loading = false;
    }
    return ok;
}

bool tables_begin(struct tables *tables, struct error *error) {
    (void)error;
    if (tables->loading) compiled_empty(&tables->compiled); /* the last batch was given up */
    buffer_reset(&tables->changes);
    cache_empty(&tables->cache);
    tables->loading = true;
    return true;
}

bool tables_commit(struct tables *tables, const int64_t *next, int64_t broker_time_ms, struct error *error) {
    struct tables_about after = tables->about;
    if (!tables->loading) return error_set(error, "%s: commit without begin", tables->environment.path);
    for (size_t i = 0; i < tables->count; i++)
        if (next[i] >= 0) after.counts[i].next_offset = next[i];
    after.broker_time_ms = broker_time_ms;
    if (!write_gathered(tables, &after, error)) return false;
    tables->loading = false;
    return true;
}

/* ---- one record ---- */

static const struct slice *text_at(const void *record, uint32_t offset) { return (const void *)((const char *)record + offset); }

static bool is_authoritative(const struct table_place *place, struct slice source) {
    for (const char *at = place->sources; *at;) {
        at += strspn(at, ", ");
        size_t length = strcspn(at, ", ");
        if (length > 0 && slice_equal(source, (struct slice){at, length})) return true;
        at += length;
    }
    return false;
}

/* A record that was decoded: whether it may stand under its key; the error says why not. */
static bool is_good(const struct table_place *place, struct slice kafka_key, const void *record, struct error *error) {
    struct slice parts[TABLE_KEY_FIELDS_MAXIMUM], source = *text_at(record, place->source);
    int32_t valid_from;
    for (size_t i = 0; i < place->key_count; i++) parts[i] = *text_at(record, place->keys[i]);
    memcpy(&valid_from, (const char *)record + place->valid_from, sizeof valid_from);
    if (!key_is(kafka_key, parts, place->key_count, valid_from)) return error_set(error, "its content has another key");
    if (!is_authoritative(place, source))
        return error_set(error, "it comes from source `" SLICE_FORMAT "`; only %s may write this table", SLICE_ARGUMENT(source), place->sources);
    return true;
}

/* Makes tables->value: the sealed entry. False when memory is out or the record has no place in its schema: *no_memory tells which. */
static bool make_value(struct tables *tables, const struct table_place *place, struct slice key, enum entry_kind kind, const void *record, int64_t offset,
                       bool *no_memory) {
    struct buffer *value = &tables->value;
    char head[STATE_SEAL_SIZE + ENTRY_HEAD_SIZE] = {0};
    head[STATE_SEAL_SIZE] = (char)kind;
    for (int i = 0; i < 8; i++) head[STATE_SEAL_SIZE + 1 + i] = (char)((uint64_t)offset >> (56 - 8 * i));
    buffer_reset(value);
    bool ok = buffer_append(value, head, sizeof head) && (kind != ENTRY_GOOD || codec_encode(place->table->type, record, value));
    *no_memory = value->failed;
    if (ok) state_seal(value->data, value->length, key, TABLES_FORMAT);
    return ok;
}

static enum table_put failed(struct tables *tables, struct error *error) {
    error_set(error, "%s: out of memory", tables->environment.path);
    return TABLE_PUT_FAILED;
}

/* The environment is to hold what was put before, for what follows. */
static bool make_room(struct tables *tables, size_t bytes, struct error *error) {
    return tables->changes.length < bytes || write_gathered(tables, &tables->about, error);
}

/* For a table with a hook: whether the key has a good record now. */
static enum table_put good_one_stays(struct tables *tables, struct slice key, struct error *error) {
    struct slice value;
    struct entry entry;
    if (!make_room(tables, 1, error)) return TABLE_PUT_FAILED;
    int code = environment_read(&tables->environment, tables->environment.records, key, &value);
    if (code == MDB_NOTFOUND) return TABLE_PUT_BAD;
    if (!code && entry_read(key, value, &entry)) return entry.kind == ENTRY_STALE ? TABLE_PUT_BAD : TABLE_PUT_GOOD;
    environment_failed(&tables->environment, code ? code : MDB_CORRUPTED, "reading", error);
    return TABLE_PUT_FAILED;
}

/* why: already in error. */
static enum table_put put_bad(struct tables *tables, size_t table, const struct key_bytes *key, int64_t offset, struct error *error) {
    struct table_place *place = &tables->places[table];
    struct error problem;
    bool no_memory;
    if (place->table->compile) {
        enum table_put stays = good_one_stays(tables, key_slice(key), &problem);
        if (stays == TABLE_PUT_FAILED && error) *error = problem;
        if (stays == TABLE_PUT_FAILED) return stays;
        if (stays == TABLE_PUT_GOOD) {
            if (error) strncat(error->text, "; the good record before it stays", sizeof error->text - strlen(error->text) - 1);
            return TABLE_PUT_BAD;
        }
    }
    if (!make_value(tables, place, key_slice(key), ENTRY_STALE, NULL, offset, &no_memory) || !gather(tables, table, key, buffer_slice(&tables->value)))
        return failed(tables, error);
    place->version++;
    return TABLE_PUT_BAD;
}

static enum table_put put_good(struct tables *tables, size_t table, const struct key_bytes *key, const void *record, int64_t offset, struct error *error) {
    struct table_place *place = &tables->places[table];
    const struct table *what = place->table;
    bool ended = slice_equal(*text_at(record, place->status), SLICE("ended")), no_memory;
    void *object = NULL;
    if (!make_value(tables, place, key_slice(key), ended ? ENTRY_ENDED : ENTRY_GOOD, record, offset, &no_memory)) {
        if (no_memory) return failed(tables, error);
        error_set(error, "a value of it has no place in its schema: an amount with too many digits, or an unknown symbol");
        return put_bad(tables, table, key, offset, error);
    }
    if (what->compile && !ended) {
        error->text[0] = '\0';
        object = what->compile(record, error);
        if (!object && !error->text[0]) return failed(tables, error);
        if (!object) return put_bad(tables, table, key, offset, error);
    }
    if (!gather(tables, table, key, buffer_slice(&tables->value)) || (object && !compiled_put(&tables->compiled, key_slice(key), object, what->release))) {
        if (object && what->release) what->release(object);
        return failed(tables, error);
    }
    if (what->compile && ended) compiled_remove(&tables->compiled, key_slice(key));
    place->version++;
    return TABLE_PUT_GOOD;
}

/* False: the key is none of the table's. */
static bool read_key(const struct tables *tables, size_t table, struct slice kafka_key, struct key_bytes *out, struct error *error) {
    struct key key;
    const char *problem = key_parse(kafka_key, tables->places[table].key_count, &key);
    if (problem) return error_set(error, "its key is none of this table: %s", problem);
    return key_write(out, table, key.id, key.valid_from) || error_set(error, "its key is empty, longer than %d bytes or holds a zero byte", KEY_ID_MAXIMUM);
}

static enum table_put named(const struct tables *tables, size_t table, struct slice kafka_key, int64_t offset, enum table_put result, struct error *error) {
    if (result == TABLE_PUT_BAD)
        error_prefix(error, "master.%s, offset %lld, key `" SLICE_FORMAT "`", tables->places[table].table->name, (long long)offset, SLICE_ARGUMENT(kafka_key));
    return result;
}

enum table_put tables_put(struct tables *tables, size_t table, struct slice kafka_key, const void *record, const char *why, int64_t offset, struct error *error) {
    struct key_bytes key;
    enum table_put result;
    if (table >= tables->count || !tables->loading) {
        error_set(error, "%s: a put outside of begin and commit, or of a table that is not there", tables->environment.path);
        return TABLE_PUT_FAILED;
    }
    if (!make_room(tables, CHANGES_BYTES, error)) return TABLE_PUT_FAILED;
    if (!read_key(tables, table, kafka_key, &key, error)) result = TABLE_PUT_BAD;
    else if (!record) {
        error_set(error, "it cannot be decoded: %s", why ? why : "no reason is known");
        result = put_bad(tables, table, &key, offset, error);
    } else if (!is_good(&tables->places[table], kafka_key, record, error)) result = put_bad(tables, table, &key, offset, error);
    else result = put_good(tables, table, &key, record, offset, error);
    return named(tables, table, kafka_key, offset, result, error);
}

enum table_put tables_remove(struct tables *tables, size_t table, struct slice kafka_key, int64_t offset, struct error *error) {
    struct key_bytes key;
    if (table >= tables->count || !tables->loading) {
        error_set(error, "%s: a removal outside of begin and commit, or of a table that is not there", tables->environment.path);
        return TABLE_PUT_FAILED;
    }
    if (!make_room(tables, CHANGES_BYTES, error)) return TABLE_PUT_FAILED;
    if (!read_key(tables, table, kafka_key, &key, error)) return named(tables, table, kafka_key, offset, TABLE_PUT_BAD, error);
    if (!gather(tables, table, &key, (struct slice){"", 0})) return failed(tables, error);
    compiled_remove(&tables->compiled, key_slice(&key));
    tables->places[table].version++;
    return TABLE_PUT_GOOD;
}
