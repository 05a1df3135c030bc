/* entity: what look-ups need of a legal entity beyond its record: its time zone, read once. Hooks of master.legal-entities (tables.h): a record whose time
 * zone or functional currency is unknown, or that names no rounding account, or that has a budget_control that is none, is refused when it is loaded. compiled: a struct time_zone. */
#ifndef KONTOR_POSTING_ENTITY_H
#define KONTOR_POSTING_ENTITY_H
#include "common/platform/error.h"

void *entity_compile(const void *record, struct error *error);
void entity_release(void *compiled);
#endif
