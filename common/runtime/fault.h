/* fault: named places of the exactly-once loop where the chaos tests let the process die, as kill -9 would. Compiled in with KONTOR_FAULT_POINTS only.
 *
 * Armed with POINT:N (configuration key `fault`): the N-th time the process comes to POINT it kills itself; with POINT:N:stop it stops itself there, as
 * SIGSTOP would, and goes on when somebody continues it. The points, in the order of a batch:
 * after-begin after-produce before-seal after-seal before-offsets after-offsets before-commit after-commit before-state after-state. */
#ifndef KONTOR_RUNTIME_FAULT_H
#define KONTOR_RUNTIME_FAULT_H
#include "common/platform/error.h"

#ifdef KONTOR_FAULT_POINTS
/* text: POINT:N, POINT:N:stop, or "" for none. */
MUST_CHECK bool fault_arm(const char *text, struct error *error);
void fault_reached(const char *point);
#define FAULT_POINT(point) fault_reached(point)
#else
#define FAULT_POINT(point) ((void)0)
#endif
#endif
