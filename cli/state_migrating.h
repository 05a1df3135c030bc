/* state_migrating: what `kontor state migrate` does to a changelog, and what it has to say.
 *
 *     look      every partition is read, with the layouts that it names, and converted to see that each value can be: nothing is written
 *     keep      what is there is copied to kontor.<processor>.changelog.kept.<generation>, and compared
 *     rewrite   the changelog is made to hold the new values, partition by partition, and compared
 *
 * A partition that is being rewritten says so in the record of its generation until it is done: a run that was interrupted goes on there, without keeping what is half new. */
#ifndef KONTOR_CLI_STATE_MIGRATING_H
#define KONTOR_CLI_STATE_MIGRATING_H
#include <jansson.h>

#include "cli/rewrite.h"
#include "cli/state.h"
#include "common/runtime/migration.h"

struct store_sums { int64_t records, bytes, new_records, new_bytes; };

struct migrating {
    const struct invocation *invocation;
    const char *processor;
    bool back;
    struct connection *connection;
    struct group group;
    struct migration *migration;
    struct buffer layout;               /* the new one */
    char folder[FOLDER_SIZE];
    struct rewriting rewriting;
    /* what a look has found */
    struct changelog_generation *generations;     /* by partition; number 0: nothing is in it */
    bool *gone_on;                      /* by partition: the processor has written there since its generation was made, or begun */
    bool anew;                          /* ... in one: an interrupted run is not gone on with */
    int from, to, problems, todo;       /* generations; partitions that are not there yet */
    json_t *remarks;
    char names[STORE_NUMBERS][STORE_NAME_SIZE];     /* by number in the new layout */
    struct store_sums sums[STORE_NUMBERS];
};

MUST_CHECK bool migrating_look(struct migrating *migrating, struct error *error);
MUST_CHECK bool migrating_keep(struct migrating *migrating, struct error *error);
MUST_CHECK bool migrating_rewrite(struct migrating *migrating, struct error *error);
/* Whether the group is where it was when the generation was made: before going back to the one before. */
MUST_CHECK bool migrating_may_go_back(const struct migrating *migrating, struct error *error);
#endif
