/* internal: what tables.c (opening, look-ups) and load.c (taking records in) share. */
#ifndef KONTOR_TABLES_INTERNAL_H
#define KONTOR_TABLES_INTERNAL_H
#include "common/codec/plan.h"
#include "common/platform/buffer.h"
#include "common/state/environment.h"
#include "common/tables/cache.h"
#include "common/tables/compiled.h"
#include "common/tables/key.h"

enum { TABLES_FORMAT = 1, TABLE_SOURCES_SIZE = 1024 };

/* A table with what was worked out at the opening. */
struct table_place {
    const struct table *table;
    struct codec_plan *plan;
    uint32_t keys[TABLE_KEY_FIELDS_MAXIMUM], valid_from, status, source;    /* offsets in the record */
    size_t key_count;
    char sources[TABLE_SOURCES_SIZE];
    uint64_t version;
};

struct table_count { int64_t next_offset; uint64_t entries, stale; };

/* What stands in the environment's `about`, sealed. */
struct tables_about {
    uint32_t format, configuration;     /* a checksum over tables, keys, sources and schemas */
    int64_t broker_time_ms;
    struct table_count counts[TABLES_MAXIMUM];
};

struct tables {
    struct environment environment;
    struct tables_about about;
    struct table_place places[TABLES_MAXIMUM];
    size_t count;
    const char *rebuilt_because;
    struct cache cache;
    struct compiled compiled;
    struct buffer changes;              /* not written yet (load.c) */
    struct buffer value;                /* the one being made */
    bool loading;
    struct error problem;               /* of the last TABLE_FAILED */
};

/* A stored value is sealed (state.h); its body: a byte of enum entry_kind, the offset as 8 bytes, big endian, and for ENTRY_GOOD the record in Avro. */
enum entry_kind { ENTRY_GOOD, ENTRY_ENDED, ENTRY_STALE };
enum { ENTRY_HEAD_SIZE = 9 };

struct entry { enum entry_kind kind; int64_t offset; struct slice record; };

/* False when the value is not what was written. */
bool entry_read(struct slice key, struct slice value, struct entry *entry);

static inline struct slice key_slice(const struct key_bytes *key) { return (struct slice){key->bytes, key->length}; }

int tables_put_about(const struct tables_about *about, MDB_txn *transaction, const struct environment *environment);
#endif
