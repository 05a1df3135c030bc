/* history: what a processor decided with besides its events, in the order of time: every version of its master records, what people resolved, the ticks of the
 * broker's time; and when each event was decided.
 *
 * Versions come from master.log, which `kontor master load` and `kontor produce master.*` write in one transaction with the table's topic, and from the compacted
 * topics themselves: of what was written before there was a master.log only the newest of a key may be left. */
#ifndef KONTOR_CLI_HISTORY_H
#define KONTOR_CLI_HISTORY_H
#include "cli/intern.h"
#include "cli/sandbox.h"

enum happening_kind { HAPPENED_MASTER, HAPPENED_RESOLUTION, HAPPENED_TICK };
struct happening {
    enum happening_kind kind;
    int32_t number;             /* the table's position in the sandbox's list; of the others the partition */
    int64_t offset, time_ms;    /* on master.<table> or its own topic */
    bool logged;                /* from master.log */
    struct slice key, value;    /* value.data NULL: a tombstone */
};

struct history {
    struct arena kept, arena;
    struct happening *items;    /* ascending in time */
    size_t count, capacity;
    uint32_t *by_place;         /* of the versions: by table and offset */
    size_t version_count;
    struct intern origins;      /* of decided events */
    int64_t *decided_ms;        /* by number: when first */
    uint32_t decided_capacity;
    const struct sandbox *sandbox;
};

MUST_CHECK bool history_read(struct history *history, const struct sandbox *sandbox, struct error *error);
void history_free(struct history *history);

/* When the event with that origin was decided first; INT64_MIN: it was not, or nobody was told. */
int64_t history_decided_ms(const struct history *history, struct slice origin);
/* The version at that place; NULL: not known. The next and the newest of its key behind it; NULL: none. */
const struct happening *history_version(const struct history *history, int32_t table, int64_t offset);
const struct happening *history_newest(const struct history *history, const struct happening *version);
/* The version of the key before this one; NULL: none is known. */
const struct happening *history_before(const struct history *history, const struct happening *version);
/* The first version whose key is this id with any valid_from; NULL: none. */
const struct happening *history_first(const struct history *history, int32_t table, struct slice id);
#endif
