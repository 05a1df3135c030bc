/* trial: what a decision about exceptions would lead to, tried against today's master data and the processor's state as its changelog has it, in memory
 * (sandbox.h). Cases of one processor and partition are tried one after another, each on what those before it have left. */
#ifndef KONTOR_CLI_TRIAL_H
#define KONTOR_CLI_TRIAL_H
#include "cli/connection.h"
#include "schemas/exception.h"
#include "schemas/resolution.h"

struct trial_case {
    const struct exception_record *record;
    enum resolution_action action;      /* REPLACE: with `event` in its place */
    struct slice by;
    struct slice topic, event, key;     /* of the event that comes: of REPLACE, and of a rejected one that is tried again; event.data NULL: none */
    bool synthetic;                     /* it carries the mark of docs/probe.md */
    struct slice event_id;              /* of it */
    /* The answer: texts are in the arena that was given. */
    struct slice outcome, reasons, why; /* accepted, rejected, held, parked, poison ...; why: what the processor says where nothing was decided */
    size_t journals;
};

struct arena;
/* Cases in the order of processor and partition. */
MUST_CHECK bool trial_run(const struct connection *connection, struct trial_case *cases, size_t count, struct arena *arena, struct error *error);
/* The partition of an origin, -1 when it is none; *offset (may be NULL). */
int32_t origin_partition(struct slice origin, int64_t *offset);
#endif
