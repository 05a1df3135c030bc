/* schemas: the engine's view of the schema registry: plans for writers' schemas, by id, and the ids of our own. One thread. */
#ifndef KONTOR_RUNTIME_SCHEMAS_H
#define KONTOR_RUNTIME_SCHEMAS_H
#include "common/codec/reader.h"
#include "common/runtime/engine.h"

struct schemas;

/* registry must outlive it. */
MUST_CHECK bool schemas_open(struct schemas **schemas, struct registry *registry, struct error *error);
void schemas_close(struct schemas *schemas);

/* Looks up the id of every output's schema, subject <topic>-value. FOUND; UNREACHABLE: ask again; else error says what to do. */
enum registry_result schemas_prepare(struct schemas *schemas, const struct processor *processor, const char *erps, struct error *error);
/* Whether a registry that says it has no such id is to be believed: asked itself, it has one of our own schemas under the id that we know. One that is empty,
 * or another, has not; error says so. Remembered for a few seconds. */
MUST_CHECK bool schemas_registry_is_right(struct schemas *schemas, struct error *error);
/* For engine_options. An unknown id is SCHEMA_UNKNOWN only if the registry is right, one that cannot be read as ours SCHEMA_INCOMPATIBLE only if the registry gives
 * our own schemas under our own ids; otherwise SCHEMA_UNREACHABLE, and what it gave is forgotten. */
struct engine_schemas schemas_for_engine(struct schemas *schemas);
/* Whether the registry has given a known id another meaning: the process must stop. The text says which, NULL: no. */
const char *schemas_changed(const struct schemas *schemas);
#endif
