/* state_making: a new generation of one processor's changelog, or going back to the one before, while this command holds the processor's group (holding.h): the transaction that
 * switches carries the group's generation and is void as soon as an instance has come. The same partitions, and the group stays where it is. */
#ifndef KONTOR_CLI_STATE_MAKING_H
#define KONTOR_CLI_STATE_MAKING_H
#include "cli/generation_make.h"
#include "cli/state.h"

struct holding;

/* Does not move once it is looked at. */
struct state_making {
    const struct connection *connection;
    const struct group *group;
    struct topic_list list;
    struct making making;
    struct holding *holding;
    const char *topics[INPUT_TOPICS_MAXIMUM];       /* which it holds */
    struct generation live, next;
    struct making_writer *writer;
};

/* Which generation is the live one, and which would be the next. state_making_close also after a failure. */
MUST_CHECK bool state_making_look(struct state_making *making, const struct connection *connection, const struct group *group, struct error *error);
void state_making_close(struct state_making *making);

/* Takes hold of the group, which must have no other members (one that a killed command left behind is taken the place of), and of other runs; waits until no transaction is open on the
 * live changelog. The group must be where it was when it was read, and must have committed something; the live generation must be the one that was looked at. */
MUST_CHECK bool state_making_hold(struct state_making *making, struct error *error);
/* Whether it still has hold: to be asked every few seconds. */
MUST_CHECK bool state_making_alone(struct state_making *making, struct error *error);
/* The next one's topic; what earlier runs have left behind is deleted. */
MUST_CHECK bool state_making_create(struct state_making *making, struct error *error);
/* A partition of it: writes what the state has, the header first, reads it back and compares it, record by record. */
MUST_CHECK bool state_making_write(struct state_making *making, const char *folder, struct fold *target, int32_t partition, struct error *error);
/* From the live one to the next. */
MUST_CHECK bool state_making_switch(struct state_making *making, struct error *error);

/* The generation that the live one was made from, as long as its topic is there and can be gone back to; before.partitions 0: there is none. */
MUST_CHECK bool state_making_before(const struct state_making *making, struct generation *before, struct error *error);
/* Whether a partition of it says that the group was where it is now; it is of a state that has the mark. */
MUST_CHECK bool state_making_may_go_back(const struct state_making *making, const struct generation *before, struct fold *fold, int32_t partition, struct error *error);
MUST_CHECK bool state_making_back(struct state_making *making, const struct generation *before, struct error *error);
#endif
