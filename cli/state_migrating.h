/* state_migrating: what `kontor state migrate` does to a changelog, and what it has to say.
 *
 *     look      every partition of the live changelog is read, with the layouts that it names, and converted to see that each value can be: nothing is written
 *     write     the next generation's changelog, which nobody reads yet, gets the new values, partition by partition, and is read back and compared
 *
 * What makes it the live one, and goes back to the one before, is state_making.h's. */
#ifndef KONTOR_CLI_STATE_MIGRATING_H
#define KONTOR_CLI_STATE_MIGRATING_H
#include <jansson.h>

#include "cli/state_making.h"
#include "common/runtime/migration.h"

struct store_sums { int64_t records, bytes, new_records, new_bytes; };

struct migrating {
    const struct invocation *invocation;
    const char *processor;
    bool back;
    struct connection *connection;
    struct group group;
    struct state_making making;
    struct generation before;           /* to go back to */
    struct migration *migration;
    struct buffer layout;               /* the new one */
    char folder[FOLDER_SIZE];
    /* what a look has found */
    int problems, todo;                 /* todo: partitions with something in another layout */
    json_t *remarks;
    char names[STORE_NUMBERS][STORE_NAME_SIZE];     /* by number in the new layout */
    struct store_sums sums[STORE_NUMBERS];
};

MUST_CHECK bool migrating_look(struct migrating *migrating, struct error *error);
/* Whether the group is where it was when the live generation was made from the one before. */
MUST_CHECK bool migrating_look_back(struct migrating *migrating, struct error *error);
MUST_CHECK bool migrating_write(struct migrating *migrating, struct error *error);
#endif
