/* key: how a master record is named, in Kafka and in LMDB.
 *
 *     Kafka   its key fields and valid_from, joined with |, `%` and `|` of ids as %25 and %7C:    1000|V21|2018-01-01
 *     LMDB    table number, the key without valid_from, 0, valid_from as 4 bytes, big endian, sign bit turned: records of one key lie together in
 *             order of their dates. An id with a zero byte would lie between another's, so it names nothing. */
#ifndef KONTOR_TABLES_KEY_H
#define KONTOR_TABLES_KEY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/platform/slice.h"
#include "common/tables/tables.h"

enum { KEY_ID_MAXIMUM = 480, KEY_DATE_SIZE = 4, KEY_SIZE_MAXIMUM = 1 + KEY_ID_MAXIMUM + 1 + KEY_DATE_SIZE, KEY_DATE_TEXT = 10 };

/* A Kafka key taken apart. id: the key fields, still joined and encoded: what look-ups name. */
struct key { struct slice id; int32_t valid_from; };

/* NULL, or why it is no key of a table with so many key fields. */
const char *key_parse(struct slice kafka_key, size_t field_count, struct key *key);

/* Whether the Kafka key is what these parts and this date make. */
bool key_is(struct slice kafka_key, const struct slice *parts, size_t count, int32_t valid_from);

struct key_bytes { size_t length; char bytes[KEY_SIZE_MAXIMUM]; };

/* False when no record can have this id. */
bool key_write(struct key_bytes *out, size_t table, struct slice id, int32_t valid_from);

/* Whether an LMDB key names the same id, at any date; *valid_from is its date. */
bool key_same_id(const struct key_bytes *key, struct slice other, int32_t *valid_from);
#endif
