/* tables: compacted master-data topics as local, read-only, effective-dated tables, in one LMDB environment shared by all tasks of an instance.
 *
 * A record's Kafka key is its key fields and its valid_from joined with | (ids percent-encoded: `%` %25, `|` %7C), for example
 * `1000|V21|2018-01-01`. A look-up is as of a date: the record with the largest valid_from on or before it; one with status `ended` means: no longer.
 * A tombstone takes a mistaken record away.
 *
 * A record that is nonsense (undecodable, key and content differ), or from another than the table's authoritative source, makes its key unusable
 * (TABLE_STALE) until a good one comes; for a table with a `compile` hook a bad record never replaces a good one of the same key: the good one stays, and
 * the bad one is reported.
 *
 * Broker-free: the runtime reads the topics and calls tables_put. Checkpointed with offsets, so that a restart reads only the tail. One thread;
 * a batch decides on one snapshot because changes come between batches. */
#ifndef KONTOR_TABLES_TABLES_H
#define KONTOR_TABLES_TABLES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/codec/type.h"
#include "common/platform/error.h"
#include "common/platform/slice.h"

enum { TABLE_KEY_FIELDS_MAXIMUM = 4, TABLES_MAXIMUM = 32 };

/* One table. The type must have fields valid_from (date), status (string) and source (string), and the key fields as strings. */
struct table {
    const char *name;                                       /* topic master.<name> */
    const struct codec_type *type;
    const char *keys[TABLE_KEY_FIELDS_MAXIMUM + 1];         /* names of the key fields, NULL behind the last */
    /* Optional: makes what look-ups need of a record (for example a compiled rule set), once; NULL and error when the record cannot be used, NULL and an
     * empty error when memory is out, which is not the record's fault. It copies what it keeps: the record's strings do not last. Not called for a record
     * with status `ended`. */
    void *(*compile)(const void *record, struct error *error);
    void (*release)(void *compiled);
};

struct tables;
struct tables_options {
    const char *dir;                        /* made if missing */
    const struct table *const *tables;      /* NULL behind the last */
    const char *const *sources;             /* per table: comma-separated authoritative sources, at least one */
    int64_t now_ms, maximum_age_ms;         /* older checkpoints are read anew from the start: tombstones may be gone; 0: no limit */
};

/* Another list of tables, another schema, key or source of one, damage, an unclean stop of the machine or age empty the folder: all is read anew. */
MUST_CHECK bool tables_open(struct tables **tables, const struct tables_options *options, struct error *error);
void tables_close(struct tables *tables);
/* Why what was in the folder was thrown away; NULL: it was not, or nothing was there. A static text. */
const char *tables_rebuilt_because(const struct tables *tables);

/* Where to go on reading the topic of a table: the next offset, 0 when nothing is known. */
int64_t tables_position(const struct tables *tables, size_t table);

/* One record of the topic. record: decoded by our reader type, NULL when it could not be (then why says it). Between tables_begin and tables_commit,
 * where nothing is looked up. BAD: error says why, for the log; it counts as read. A bad record whose Kafka key cannot be read as one of the table's spoils
 * nothing. FAILED: the environment; begin again after the last commit. */
enum table_put { TABLE_PUT_GOOD, TABLE_PUT_BAD, TABLE_PUT_FAILED };
MUST_CHECK bool tables_begin(struct tables *tables, struct error *error);
enum table_put tables_put(struct tables *tables, size_t table, struct slice kafka_key, const void *record, const char *why, int64_t offset, struct error *error);
enum table_put tables_remove(struct tables *tables, size_t table, struct slice kafka_key, int64_t offset, struct error *error);
/* Makes the puts since tables_begin visible and durable as far as LMDB without sync goes; next: per table the next offset to read, -1: unchanged. */
MUST_CHECK bool tables_commit(struct tables *tables, const int64_t *next, int64_t broker_time_ms, struct error *error);

/* What a look-up found. record: our struct, valid until the next tables_begin or tables_trim; compiled: what the hook made. */
struct table_row { const void *record; const void *compiled; int64_t offset; int32_t valid_from; };
/* TABLE_FAILED: no answer (memory is out, or the file is damaged; tables_problem says it): the batch is to be aborted. A damaged file is emptied and
 * read anew at the next tables_open. */
enum table_result { TABLE_FOUND, TABLE_MISSING, TABLE_STALE, TABLE_FAILED };

/* As of `date` (days since 1970). key: the key fields joined with | and encoded (tables_key). Hot: an in-memory cache, bounded, answers repeated look-ups
 * in well under 100 ns; otherwise LMDB and one decode. */
enum table_result tables_find(struct tables *tables, size_t table, struct slice key, int32_t date, struct table_row *row);
const char *tables_problem(const struct tables *tables);
/* Rows found so far are not used any more: call it after every batch, so that the cache can stay within its bound. */
void tables_trim(struct tables *tables);

/* Joins parts into buffer with | and percent-encoding; the slice points into buffer, length 0 when it does not fit. */
struct slice tables_key(char *buffer, size_t size, const struct slice *parts, size_t count);

/* Rises with every change of the table: what waits for its keys is looked up again when it moved. */
uint64_t tables_version(const struct tables *tables, size_t table);
/* Records of the table, those of them that make their key unusable, and the file's bytes. */
uint64_t tables_entries(const struct tables *tables, size_t table);
uint64_t tables_stale(const struct tables *tables, size_t table);
uint64_t tables_bytes(const struct tables *tables);
#endif
