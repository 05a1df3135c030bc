/* registry: the client of a Confluent-compatible schema registry (Confluent, Apicurio's ccompat/v7, Karapace).
 *
 * A schema under an id never changes, so what was seen once is kept: in memory, and in a directory, one file per id, so that a processor starts without
 * a registry when all its ids are known. The directory belongs to one registry: a registry that lost its memory and gives an id to another schema would
 * have records read wrongly in silence; REGISTRY_CHANGED tells of it, and is fatal.
 *
 * REGISTRY_UNKNOWN (the registry answered that there is none) and REGISTRY_UNREACHABLE (it did not answer sensibly) are never mixed. A new id may reach
 * one of several registries late, so 404 counts as unknown only after it was the answer for unknown_after_ms. One call takes at most timeout_ms; a 404
 * that is not yet old enough by then is reported as UNREACHABLE: ask again later. One thread per client.
 * Source: Confluent Schema Registry API reference; error codes 40401, 40402, 40403. */
#ifndef KONTOR_CODEC_REGISTRY_H
#define KONTOR_CODEC_REGISTRY_H
#include <stdbool.h>
#include <stdint.h>

#include "common/platform/error.h"
#include "common/platform/slice.h"

enum registry_result {
    REGISTRY_FOUND,       /* done */
    REGISTRY_UNKNOWN,     /* no such schema, subject or id */
    REGISTRY_UNREACHABLE, /* no answer, an answer of 5xx or nonsense: ask again later */
    REGISTRY_REFUSED,     /* one side says no, and will again: not allowed (401, 403), incompatible (409), not a schema (422), a certificate */
    REGISTRY_NOT_AVRO,    /* there is such an id, but it is no Avro schema, or one with references to others */
    REGISTRY_CHANGED      /* another schema than the one known under this id: stop */
};

/* All texts are copied. 0 stands for the default in brackets. */
struct registry_options {
    const char *urls;               /* base URLs, separated by commas, asked in turn: http://localhost:8081 */
    const char *user, *password;    /* basic authentication; NULL: none */
    const char *ca_file;            /* PEM; NULL: the system's */
    const char *certificate_file, *key_file; /* the client's, PEM; NULL: none */
    const char *directory;          /* where schemas are kept; made when missing; NULL: memory only */
    uint32_t connect_timeout_ms;    /* [2000] */
    uint32_t timeout_ms;            /* of a whole call, with its repetitions [10000] */
    uint32_t attempts;              /* requests of a call that fail [4] */
    uint32_t backoff_ms;            /* before the second attempt, doubled for each further one [100] */
    uint32_t unknown_after_ms;      /* how long 404 must be the answer before an id is unknown [3000] */
};

struct registry;

/* NULL with the reason: a file of the options that is missing or is not what it should be is told here. Asks nothing yet. */
struct registry *registry_new(const struct registry_options *options, struct error *error) MUST_CHECK;
void registry_free(struct registry *registry);

/* The schema's text for an id, from memory, else the directory, else the registry. The text is the client's and stays until registry_free.
 * An id above 2^31 - 1 is unknown without asking: no registry gives one. UNKNOWN is remembered for unknown_after_ms, so that a flood of records
 * with a wrong id is no flood of requests.
 * For every result but FOUND *error tells why. */
enum registry_result registry_schema_by_id(struct registry *registry, uint32_t id, struct slice *text, struct error *error) MUST_CHECK;

/* Asks the registry itself and compares with what is known under the id: FOUND or CHANGED (or UNKNOWN: the registry has lost it). */
enum registry_result registry_verify(struct registry *registry, uint32_t id, struct error *error) MUST_CHECK;

/* The text that the registry itself gives for an id now; nothing of it is kept. *text is the caller's to free. */
enum registry_result registry_ask(struct registry *registry, uint32_t id, char **text, struct error *error) MUST_CHECK;

/* Forgets the schema under an id: the registry was not to be believed when it gave it. A text that was handed out stays. */
void registry_forget(struct registry *registry, uint32_t id);

/* Whether the registry itself, whatever is kept here, has the schema in the subject under that id: FOUND; UNKNOWN: it has none, or under another id. Says
 * whether a registry that does not have some other id is to be believed, or is empty, or another one. */
enum registry_result registry_confirm(struct registry *registry, const char *subject, const char *schema, uint32_t id, struct error *error) MUST_CHECK;

/* Registers the schema under the subject (again: harmless, the same id) and keeps its id. */
enum registry_result registry_register(struct registry *registry, const char *subject, const char *schema, uint32_t *id,
                                       struct error *error) MUST_CHECK;

/* The id of a registered schema, from memory or directory without asking when known. */
enum registry_result registry_lookup_id(struct registry *registry, const char *subject, const char *schema, uint32_t *id,
                                        struct error *error) MUST_CHECK;

/* FOUND: *compatible says whether the schema may follow the subject's latest (a new subject: yes); *error then has the registry's reasons. */
enum registry_result registry_check_compatible(struct registry *registry, const char *subject, const char *schema, bool *compatible,
                                               struct error *error) MUST_CHECK;

/* The newest schema of the subject, asked for; it is kept under its id. The text is the client's, with a 0 behind it, until registry_free. */
enum registry_result registry_latest(struct registry *registry, const char *subject, uint32_t *id, struct slice *text, struct error *error) MUST_CHECK;

/* Sets the level that the subject's new schemas are checked with: BACKWARD, FULL, ... */
enum registry_result registry_set_compatibility(struct registry *registry, const char *subject, const char *level, struct error *error) MUST_CHECK;
#endif
