/* rewrite: makes a partition of a changelog topic hold another state than it does: records that differ are written, those that are too many are deleted, in transactions that are
 * void as soon as an instance of the processor takes part in its group. A run that was interrupted anywhere is run again.
 *
 * Order, so that what stands there can be read at every moment: the engine's own records first (with the layout that new values name), then the values, then deletions of values,
 * at last those of the engine's own records (with the layout that old values named). */
#ifndef KONTOR_CLI_REWRITE_H
#define KONTOR_CLI_REWRITE_H
#include "cli/changelog.h"
#include "cli/group.h"

struct holding;
struct transactions;

struct rewriting {
    struct connection *connection;
    const struct group *group;
    struct holding *holding;
    struct transactions *transactions;
    char transactional_id[GROUP_NAME_SIZE + 24];
    int64_t written;
};

/* Takes hold of the group, which must have no other members (one that a killed command left behind is taken the place of), and waits until no transaction is open on the changelog. The group must be
 * where it was when it was read, and must have committed something. rewriting_close also after a failure. */
MUST_CHECK bool rewriting_open(struct rewriting *rewriting, struct connection *connection, const struct group *group, struct error *error);
void rewriting_close(struct rewriting *rewriting);

/* From what the topic has (now) to the target. begun: is put first, as long as it goes on, in place of the target's generation record; empty: none. */
MUST_CHECK bool rewrite(struct rewriting *rewriting, const char *topic, struct fold *now, struct fold *target, struct slice begun, struct error *error);
/* Reads the topic's partition anew and compares it with the target, record by record. */
MUST_CHECK bool rewrite_verify(struct rewriting *rewriting, const char *topic, const char *folder, struct fold *target, int32_t partition, struct error *error);
/* Whether two states are the same but for the records of their generations. */
MUST_CHECK bool fold_equal(struct fold *a, struct fold *b, bool *equal, struct error *error);
#endif
