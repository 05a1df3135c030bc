/* sandbox: a processor away from everything: the production struct and engine, master tables and state in a temporary folder, outputs to whoever asked. Nothing is
 * written to Kafka. */
#ifndef KONTOR_CLI_SANDBOX_H
#define KONTOR_CLI_SANDBOX_H
#include "cli/connection.h"
#include "cli/scan.h"
#include "cli/values.h"
#include "common/runtime/engine.h"
#include "common/runtime/schemas.h"

struct sandbox {
    const struct connection *connection;
    const struct processor *processor;
    bool (*output)(void *context, const struct engine_output *output, struct error *error);     /* everything but the changelog */
    void *context;
    int32_t partition_count;                    /* of the first input */
    struct registry *registry;
    struct schemas *schemas;
    struct values *values;
    struct arena arena;
    const struct table *list[MASTER_COUNT + 1]; /* the processor's tables, NULL behind the last */
    size_t table_count;
    struct tables *tables;
    int64_t next_offset[TABLES_MAXIMUM];
    struct engine *engine;
    int64_t changelog_offset;
    char folder[64], erps[1024];
    int tables_made;
};

/* Makes the folder and looks at the cluster; then sandbox_tables or sandbox_tables_today, then sandbox_start. sandbox_close also after a failure. */
MUST_CHECK bool sandbox_open(struct sandbox *sandbox, const struct connection *connection, const struct processor *processor,
                             bool (*output)(void *context, const struct engine_output *output, struct error *error), void *context, struct error *error);
void sandbox_close(struct sandbox *sandbox);

/* Empty tables, instead of those that were there. Not while there is an engine. */
MUST_CHECK bool sandbox_tables(struct sandbox *sandbox, struct error *error);
/* ... as the topics have them now. */
MUST_CHECK bool sandbox_tables_today(struct sandbox *sandbox, struct error *error);
/* Between tables_begin and sandbox_tables_commit: a record as it lies on master.<table>, or one whose value is Avro of our own schema without the wire header. A record that
 * cannot be used is stale here as there; of the second kind it is an error. */
MUST_CHECK bool sandbox_put(struct sandbox *sandbox, size_t table, struct slice key, struct slice value, int64_t offset, struct error *error);
MUST_CHECK bool sandbox_put_own(struct sandbox *sandbox, size_t table, struct slice key, struct slice value, struct error *error);
MUST_CHECK bool sandbox_tables_commit(struct sandbox *sandbox, struct error *error);

/* The engine, over the tables. Ended by sandbox_stop or sandbox_close. */
MUST_CHECK bool sandbox_start(struct sandbox *sandbox, struct error *error);
void sandbox_stop(struct sandbox *sandbox);

/* A task: with nothing in its state, or with what the processor's changelog has of it. */
struct sandbox_task { struct task *task; struct state *state; char folder[160]; };
MUST_CHECK bool sandbox_task_open(struct sandbox *sandbox, int32_t partition, bool restored, struct sandbox_task *task, struct error *error);
void sandbox_task_close(struct sandbox_task *task);

/* Releases that are due, then the record. message NULL: releases alone. Bytes must live until sandbox_commit. */
MUST_CHECK bool sandbox_take(struct sandbox *sandbox, struct sandbox_task *task, const struct engine_message *message, struct error *error);
/* A record of resolutions.<processor>. */
MUST_CHECK bool sandbox_resolve(struct sandbox *sandbox, struct sandbox_task *task, const struct engine_message *message, struct error *error);
/* Ends the batch. */
MUST_CHECK bool sandbox_commit(struct sandbox *sandbox, struct error *error);

/* The processors of this program; the one of that name, NULL: none. */
extern const struct processor *const known_processors[];
extern const size_t known_processor_count;
const struct processor *processor_named(struct slice name);
/* Whether it posts by rules; the others sum up, decide or tell of what these do. */
bool processor_posts(const struct processor *processor);
#endif
