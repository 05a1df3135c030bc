/* budgets: hooks of master.budgets (tables.h): a budget below 0, that ends before it begins or has another control than hold and warn is refused when it is loaded.
 * compiled: a struct budget_terms. */
#ifndef KONTOR_POSTING_BUDGETS_H
#define KONTOR_POSTING_BUDGETS_H
#include <stdbool.h>

#include "common/platform/error.h"

struct budget_terms { bool warns; };   /* what goes over it is accepted with a note, not held */

void *budget_compile(const void *record, struct error *error);
void budget_release(void *compiled);
#endif
