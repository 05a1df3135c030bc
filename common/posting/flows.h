/* flows: what look-ups need of a flow policy beyond its record: its limits by step. Hooks of master.flow-policies (tables.h): a policy without control owner or exception
 * path, or with a limit of a step that is not known, named twice or not above 0 is refused when it is loaded. compiled: a struct flow_limits. */
#ifndef KONTOR_POSTING_FLOWS_H
#define KONTOR_POSTING_FLOWS_H
#include <stdint.h>

#include "common/platform/error.h"

/* Steps that a document may be waited for to reach (docs/document-life.md, Time). */
enum flow_step { FLOW_DECIDED, FLOW_POSTED, FLOW_PAID, FLOW_SETTLED, FLOW_STEP_COUNT };
extern const char *const flow_step_names[FLOW_STEP_COUNT];

struct flow_limits { int64_t ms[FLOW_STEP_COUNT]; };   /* 0: not watched */

void *flow_compile(const void *record, struct error *error);
void flow_release(void *compiled);
#endif
