#include "common/posting/budgets.h"

#include <stdlib.h>

#include "common/ledger/money.h"
#include "schemas/budget.h"

void *budget_compile(const void *record, struct error *error) {
    const struct budget *budget = record;
    const bool warns = slice_equal(budget->control, SLICE("warn"));
    struct budget_terms *compiled = NULL;
    if (!decimal_is_number(budget->amount_e4) || budget->amount_e4 < 0) error_set(error, "an amount below 0 or with too many digits");
    else if (budget->last_day < budget->valid_from) error_set(error, "it ends before it begins");
    else if (!warns && !slice_equal(budget->control, SLICE("hold"))) error_set(error, "control is " SLICE_FORMAT ", neither hold nor warn", SLICE_ARGUMENT(budget->control));
    else if (!(compiled = malloc(sizeof *compiled))) error_set(error, "");   /* not the record's fault (tables.h) */
    if (compiled) *compiled = (struct budget_terms){.warns = warns};
    return compiled;
}

void budget_release(void *compiled) { free(compiled); }
