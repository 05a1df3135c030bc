/* environment: an LMDB environment in a folder of its own, as local state and master tables both need it: a copy of what Kafka has, fast, and thrown
 * away whenever it cannot be trusted.
 *
 * No page fault can fail: MDB_WRITEMAP runs on a file that posix_fallocate has filled to its whole size before it is mapped, at every growth, so that a
 * full disk or a file size limit is an error here and never a SIGBUS. (A file system that copies on write keeps no such promise: use ext4 or XFS.)
 *
 * Nothing is synced while running (MDB_NOSYNC): after kill -9 the page cache has everything, after a crash of the machine it may have anything. So a
 * mark file beside the data says who had it open, and is believed before LMDB may look at the data:
 *     open <boot id>    in use, or its process was killed: believed while the machine is still in the same boot
 *     closed            synced and closed in order
 *     damaged           LMDB or a checksum found the data wrong
 * The mark is replaced whole and synced, before the first write and after the last.
 *
 * Two databases: `about`, one record that its owner writes in the same transaction as the records, and `records`. One process at a time holds the
 * folder (flock); one thread. */
#ifndef KONTOR_STATE_ENVIRONMENT_H
#define KONTOR_STATE_ENVIRONMENT_H
#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/platform/error.h"
#include "common/platform/slice.h"

enum { ENVIRONMENT_PATH_MAXIMUM = 1024 };

struct environment {
    MDB_env *lmdb;
    MDB_dbi about, records;
    MDB_txn *reader;        /* what the last write left; renewed after each, so that it keeps no old pages */
    uint64_t size;          /* bytes of the file, all of them allocated and mapped */
    int folder;
    bool damaged;           /* the mark says so already */
    char path[ENVIRONMENT_PATH_MAXIMUM];
};

/* Opens or makes the folder; its parents must exist. What is there is looked through whole before it is believed (inspect.h): every value is sealed
 * (seal.h). *emptied_because: why what was there was thrown away, a static text, or NULL. False when it cannot
 * be used: held by another process, no room, no permission. After false there is nothing to close. */
MUST_CHECK bool environment_open(struct environment *environment, const char *path, const char **emptied_because,
                                 struct error *error);

/* Syncs and marks as closed; what is damaged stays marked so. */
void environment_close(struct environment *environment);

/* Throws everything away and begins anew. After false only environment_close is allowed. */
MUST_CHECK bool environment_empty(struct environment *environment, struct error *error);

/* What a write does; answers an LMDB code. It runs again from the start, in a new transaction, after the file had to grow. */
typedef int environment_work(void *context, MDB_txn *transaction, const struct environment *environment);

/* One transaction: all of it or nothing. bytes: about how much will be written; the file grows before if its unused end is shorter. What was read before
 * is not valid any more. */
MUST_CHECK bool environment_write(struct environment *environment, size_t bytes, environment_work *work, void *context, struct error *error);

/* The value under a key, valid until the next write; an LMDB code. */
int environment_read(const struct environment *environment, MDB_dbi database, struct slice key, struct slice *value);

uint64_t environment_entries(const struct environment *environment);

/* Remembers in the mark file that the data is wrong, so that the next opening empties it. */
void environment_damaged(struct environment *environment);

/* The error text for an LMDB code other than 0; a code that means damage is remembered too. Returns false. */
bool environment_failed(struct environment *environment, int code, const char *doing, struct error *error);
/* Whether the code means that the file is not what LMDB wrote. */
bool environment_is_damage(int code);

/* Deletes such a folder when nobody holds it and it was last used before the time (seconds since 1970). */
void environment_delete_unused(const char *path, int64_t before_s);

/* Where the boot id stands; tests point it at a file of theirs. */
extern const char *environment_boot_id_path;
#endif
