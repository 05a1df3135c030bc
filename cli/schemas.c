/* kontor schemas: puts kontor's schemas under their topics' subjects in the registry, or says whether they would be taken. */
#include <stdio.h>
#include <string.h>

#include "cli/connection.h"
#include "cli/table.h"
#include "cli/topic_list.h"

/* New schemas must read what was written before: topics are kept, state is rebuilt from them. */
static const char compatibility[] = "BACKWARD";

/* One subject; *taken: whether the registry has it or would take it. False when the registry does not answer. */
static bool handle(struct registry *registry, const struct topic *topic, bool add, struct text_table *table, bool *taken,
                   struct error *error) {
    char subject[SUBJECT_SIZE];
    uint32_t id = 0;
    bool compatible = true;
    struct error why = {""};
    subject_of(topic->name, subject);
    enum registry_result result = registry_check_compatible(registry, subject, topic->type->schema, &compatible, &why);
    if (result == REGISTRY_REFUSED) return error_set(error, "%s", why.text); /* the question itself: a password, a certificate */
    if (result == REGISTRY_FOUND && compatible && add) {
        result = registry_register(registry, subject, topic->type->schema, &id, &why);
        if (result == REGISTRY_FOUND) result = registry_set_compatibility(registry, subject, compatibility, &why);
    } else if (result == REGISTRY_FOUND && compatible) {
        result = registry_lookup_id(registry, subject, topic->type->schema, &id, &why);
    }
    if (result == REGISTRY_UNREACHABLE || result == REGISTRY_CHANGED) return error_set(error, "%s; is the schema registry running?", why.text);
    bool unknown = result == REGISTRY_UNKNOWN; /* only for the look-up: it would be taken */
    *taken = compatible && (result == REGISTRY_FOUND || unknown);
    table_text(table, subject);
    table_text(table, topic->schema);
    if (id) table_number(table, id);
    else table_text(table, NULL);
    table_text(table, !*taken ? "refused" : unknown ? "would be taken" : add ? "registered" : "is registered");
    table_text(table, *taken ? "" : why.text);
    return true;
}

static bool handle_all(const struct connection *connection, const struct topic_list *list, const struct invocation *invocation, struct error *error) {
    static const struct table_column columns[] = {{"subject", false}, {"schema", false}, {"id", true}, {"state", false}, {"why", false}};
    struct registry *registry = connection_registry(connection, error);
    if (!registry) return false;
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    bool ok = true, add = strcmp(invocation->words[0], "register") == 0;
    int refused = 0;
    for (size_t i = 0; ok && i < list->count; i++) {
        bool taken = true;
        if (list->topics[i].type) ok = handle(registry, &list->topics[i], add, table, &taken, error);
        refused += !taken;
    }
    if (ok && !table_print(table, invocation->format, stdout)) ok = error_set(error, "out of memory");
    if (ok && refused) ok = error_set(error, "%d schemas are refused: they could not read what was written before; give new fields defaults, or take a new topic", refused);
    table_free(table);
    registry_free(registry);
    return ok;
}

static enum exit_status schemas_run(const struct invocation *invocation) {
    struct connection connection = {0};
    struct topic_list list = {.count = 0};
    struct error error;
    bool ok = connection_open(&connection, invocation, &error) &&
              connection_topic_list(&connection, &list, option_text(invocation, "topics", NULL), option_text(invocation, "also", NULL), 0, &error) &&
              handle_all(&connection, &list, invocation, &error);
    connection_close(&connection);
    topic_list_free(&list);
    return ok ? EXIT_DONE : command_failed(&error);
}

static const char *const words[] = {"register", "check", NULL};
static const struct option options[] = {
    {"topics", OPTION_TEXT, "FILE", "list of topics; without it the one this program was built with (deploy/topics.tsv)"},
    {"also", OPTION_TEXT, "FILE", "the list of a processor from another project besides, its schemas beside it; several with commas between them"},
    {NULL, OPTION_FLAG, NULL, NULL},
};

const struct command schemas_command = {
    .name = "schemas",
    .summary = "registers kontor's schemas, or asks whether the registry would take them",
    .usage = "register|check",
    .description = "register puts the schema of every listed topic under the subject <topic>-value, sets the subject's compatibility to\n"
                   "BACKWARD and shows the ids; it can be repeated. check only asks. Both exit with 1 when a schema is refused.",
    .words = words,
    .words_minimum = 1,
    .words_maximum = 1,
    .default_format = "table",
    .options = options,
    .example = "  kontor schemas register\n  kontor schemas register --also payroll/topics.tsv\n  kontor schemas check --format json",
    .run = schemas_run,
};
