#include "common/posting/entity.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/ledger/currency.h"
#include "common/ledger/time_zone.h"
#include "common/platform/timezone.h"
#include "schemas/legal_entity.h"

struct compiled { struct time_zone zone; struct buffer bytes; };

void *entity_compile(const void *record, struct error *error) {
    const struct legal_entity *entity = record;
    struct currency functional;
    char name[64];
    if (!currency_find(entity->functional_currency, &functional)) {
        error_set(error, "functional currency " SLICE_FORMAT " is not in ISO 4217", SLICE_ARGUMENT(entity->functional_currency));
        return NULL;
    }
    if (!entity->rounding_account.length) {
        error_set(error, "no rounding account: what conversion to functional currency leaves has no place to go");
        return NULL;
    }
    if (!slice_equal(entity->budget_control, SLICE("none")) && !slice_equal(entity->budget_control, SLICE("cost_centre"))) {
        error_set(error, "budget_control is " SLICE_FORMAT ", neither none nor cost_centre", SLICE_ARGUMENT(entity->budget_control));
        return NULL;
    }
    struct compiled *compiled = calloc(1, sizeof *compiled);
    if (!compiled) { error_set(error, ""); return NULL; }
    snprintf(name, sizeof name, SLICE_FORMAT, SLICE_ARGUMENT(entity->time_zone));
    if (timezone_read(name, &compiled->bytes, error) && time_zone_parse(buffer_slice(&compiled->bytes), &compiled->zone, error)) return compiled;
    if (compiled->bytes.failed) error_set(error, "");   /* memory is out (tables.h) */
    entity_release(compiled);
    return NULL;
}

void entity_release(void *whole) {
    struct compiled *compiled = whole;   /* the zone is its first member */
    if (!compiled) return;
    buffer_free(&compiled->bytes);
    free(compiled);
}
