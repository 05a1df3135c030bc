/* migration: values of a state, from the layouts that they were written with into one other layout.
 *
 * What Avro's rules resolve needs no word: fields in another order, left out, added with a default, renamed with an alias, promoted. What they cannot is said in lines, each
 * about a store's name or a field's path from its record (lists and unions are gone through by themselves: invoices.items.price):
 *
 *     rename STORE.FIELD NAME     what was FIELD there is NAME now
 *     default STORE.FIELD JSON    what FIELD is to be where nothing says so: Avro's own form of a default
 *     forget STORE.FIELD          what was in FIELD is let go, whatever FIELD is now
 *     rename-store STORE NAME     the store has another name now
 *     forget-store STORE          its records are let go
 *
 * A line that fits nothing is an error. Stores and inputs may stand in another order than before: they are known by their names here, and events that wait are told where theirs
 * are now. Pure: no broker, no files. The same value gives the same bytes. */
#ifndef KONTOR_RUNTIME_MIGRATION_H
#define KONTOR_RUNTIME_MIGRATION_H
#include "common/runtime/layout_text.h"
#include "common/state/state.h"

struct migration;

/* target: the layout's text; changes: the lines, may be empty. Both are copied. */
MUST_CHECK bool migration_open(struct migration **migration, struct slice target, struct slice changes, struct error *error);
void migration_close(struct migration *migration);

/* What is said of a layout: what becomes of a field, or why it cannot be. store: its name there; field: "" for the store as a whole. */
struct migration_remark { const char *store, *field, *text; bool problem; };

/* Makes the plans for values of a layout; known ones are not said again. Each remark is said to tell. *problems: how many there were: its values cannot be converted.
 * False: the text is not a layout's, a line of the changes is wrong, or memory is out. */
MUST_CHECK bool migration_learn(struct migration *migration, struct slice layout, void (*tell)(void *context, const struct migration_remark *remark), void *context, int *problems,
                                struct error *error);
/* After all layouts were learned: whether each line of the changes had something to say. */
MUST_CHECK bool migration_all_used(const struct migration *migration, struct error *error);

enum migration_result {
    MIGRATION_CONVERTED,
    MIGRATION_FORGOTTEN,    /* of a store that is let go */
    MIGRATION_FAILED        /* this value cannot be: error says why */
};
/* A value of that layout, which was learned: key and sealed value with the version byte `number`, valid until the next call. */
MUST_CHECK enum migration_result migration_convert(struct migration *migration, struct slice layout, struct slice key, struct slice body, uint8_t number, struct slice *new_key,
                                                   struct slice *new_value, struct error *error);
#endif
