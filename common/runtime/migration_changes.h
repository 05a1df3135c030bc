/* migration_changes: the lines that say what Avro's resolution cannot know (migration.h), and schemas as JSON changed by them. */
#ifndef KONTOR_RUNTIME_MIGRATION_CHANGES_H
#define KONTOR_RUNTIME_MIGRATION_CHANGES_H
#include <jansson.h>

#include "common/platform/error.h"
#include "common/platform/slice.h"

enum change_kind { CHANGE_RENAME, CHANGE_DEFAULT, CHANGE_FORGET, CHANGE_RENAME_STORE, CHANGE_FORGET_STORE };
struct change { enum change_kind kind; int line; char *store, *path, *name; json_t *value; bool used; };
struct changes { struct change *items; size_t count; };

MUST_CHECK bool changes_read(struct changes *changes, struct slice text, struct error *error);
void changes_free(struct changes *changes);

/* The store's name in the target; NULL: it is forgotten. */
const char *changes_store(struct changes *changes, const char *store);
/* Changes the writer's and the reader's schema by the lines about the store, by its name there or here. told: said of every line that has found its field. Returns how many
 * did, -1: memory is out. */
int changes_apply(struct changes *changes, const char *store, const char *name, json_t *writer, json_t *reader);

/* The field at a path such as items.price below a record: lists, maps and unions are gone through. *fields, *index: where it stands. NULL: none. */
json_t *schema_field(json_t *schema, const char *path, json_t **fields, size_t *index);
/* The writer's field for one of the reader's: by name, or by an alias on either side. NULL: none. */
json_t *schema_pair(json_t *writer, const json_t *field);
/* Whether two types are the same but for what is said about them. */
bool schema_same(json_t *a, json_t *b);
/* What the writer's fields are called that were forgotten. */
extern const char forgotten_prefix[];
#endif
