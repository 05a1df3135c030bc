/* kontor state migrate: see state_migrating.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/holding.h"
#include "cli/sandbox.h"
#include "cli/state_migrating.h"
#include "cli/table.h"
#include "common/platform/file.h"

enum { FILE_MAXIMUM = 16 << 20 };

/* ---- what it is to be ---- */

static bool layout_take(struct migrating *migrating, struct error *error) {
    const char *path = option_text(migrating->invocation, "layout", NULL);
    if (path) return file_read(path, FILE_MAXIMUM, &migrating->layout, error);
    const struct processor *processor = processor_named(slice_of(migrating->processor));
    if (!processor)
        return error_set(error, "%s is a processor of another project: give its layout with --layout FILE, as kontor-%s --print-layout prints it", migrating->processor, migrating->processor);
    return layout_text_append(processor, &migrating->layout) || error_set(error, "out of memory");
}

static bool migration_make(struct migrating *migrating, struct error *error) {
    const char *layout = option_text(migrating->invocation, "layout", NULL), *path = option_text(migrating->invocation, "changes", NULL);
    struct buffer changes = {0};
    struct layout_text text;
    bool ok = layout_take(migrating, error) && (!path || file_read(path, FILE_MAXIMUM, &changes, error));
    if (ok && !layout_text_read(buffer_slice(&migrating->layout), &text))
        ok = error_set(error, "%s is no layout: it must be what kontor-%s --print-layout prints", layout ? layout : "it", migrating->processor);
    for (size_t i = 0; ok && i < text.store_count; i++) snprintf(migrating->names[text.stores[i].number], STORE_NAME_SIZE, SLICE_FORMAT, SLICE_ARGUMENT(text.stores[i].name));
    if (ok && !migration_open(&migrating->migration, buffer_slice(&migrating->layout), buffer_slice(&changes), error)) ok = path ? error_prefix(error, "%s", path) : false;
    buffer_free(&changes);
    return ok;
}

/* ---- what there is to say ---- */

static bool print_remarks(const struct migrating *migrating) {
    static const struct table_column columns[] = {{"store", false}, {"field", false}, {"", false}, {"what", false}};
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    size_t i;
    json_t *remark;
    json_array_foreach(migrating->remarks, i, remark) {
        table_text(table, json_string_value(json_object_get(remark, "store")));
        table_text(table, json_string_value(json_object_get(remark, "field")));
        table_text(table, json_is_true(json_object_get(remark, "problem")) ? "PROBLEM" : "");
        table_text(table, json_string_value(json_object_get(remark, "what")));
    }
    bool ok = !table_rows(table) || (table_print(table, FORMAT_TABLE, stdout) && puts("") >= 0);
    table_free(table);
    return ok;
}

static bool print_sums(const struct migrating *migrating) {
    static const struct table_column columns[] = {{"store", false}, {"records", true}, {"bytes", true}, {"new records", true}, {"new bytes", true}};
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    for (int i = 0; i < STORE_NUMBERS; i++) {
        const struct store_sums *sums = &migrating->sums[i];
        if (!sums->records) continue;
        table_text(table, migrating->names[i][0] ? migrating->names[i] : "(forgotten)");
        table_number(table, sums->records);
        table_number(table, sums->bytes);
        table_number(table, sums->new_records);
        table_number(table, sums->new_bytes);
    }
    bool ok = table_print(table, FORMAT_TABLE, stdout);
    table_free(table);
    return ok;
}

static bool print_json(const struct migrating *migrating, bool done) {
    json_t *stores = json_array();
    for (int i = 0; i < STORE_NUMBERS; i++) {
        const struct store_sums *sums = &migrating->sums[i];
        if (sums->records)
            json_array_append_new(stores, json_pack("{s:s, s:I, s:I, s:I, s:I}", "store", migrating->names[i], "records", (json_int_t)sums->records, "bytes", (json_int_t)sums->bytes, "new_records",
                                                    (json_int_t)sums->new_records, "new_bytes", (json_int_t)sums->new_bytes));
    }
    json_t *all = json_pack("{s:s, s:i, s:i, s:i, s:b, s:O, s:o}", "processor", migrating->processor, "generation", migrating->from, "new_generation", migrating->to, "problems", migrating->problems,
                            "done", done, "remarks", migrating->remarks, "stores", stores);
    char *text = all ? json_dumps(all, JSON_INDENT(1)) : NULL;
    if (text) puts(text);
    json_decref(all);
    bool ok = text != NULL;
    free(text);
    return ok;
}

static bool print(const struct migrating *migrating, bool done, struct error *error) {
    bool ok = migrating->invocation->format == FORMAT_JSON ? print_json(migrating, done)
                                                           : (done || print_remarks(migrating)) && (done || migrating->back || migrating->problems || print_sums(migrating));
    fflush(stdout);
    return ok || error_set(error, "out of memory");
}

/* ---- the whole ---- */

static bool work(struct migrating *migrating, struct error *error) {
    const bool yes = option_given(migrating->invocation, "yes"), json = migrating->invocation->format == FORMAT_JSON;
    char kept[CHANGELOG_NAME_SIZE];
    if (!group_read(&migrating->group, migrating->connection, migrating->processor, error) || !group_is_empty(&migrating->group, holding_instance, error) ||
        !folder_make(migrating->folder, "state", error) || !migrating_look(migrating, error)) return false;
    changelog_name(migrating->processor, migrating->from, kept);
    if (migrating->back && !migrating_may_go_back(migrating, error)) return false;
    if ((!yes || migrating->problems || !json) && !print(migrating, false, error)) return false;
    if (migrating->problems)
        return error_set(error, "%d of them do not fit: nothing was written. Say what they are to be in a file of --changes: default STORE.FIELD JSON, rename STORE.FIELD NAME, forget STORE.FIELD, "
                         "forget-store STORE", migrating->problems);
    if (!migrating->todo && !migrating->back) {
        fprintf(stderr, "kontor: the state of %s is in that layout already\n", migrating->processor);
        return true;
    }
    if (!yes) {
        if (migrating->back) fprintf(stderr, "kontor: the state would be made that of generation %d again, as %s keeps it\n", migrating->from, kept);
        fprintf(stderr, "kontor: nothing was changed; --yes does it\n");
        return true;
    }
    bool ok = rewriting_open(&migrating->rewriting, migrating->connection, &migrating->group, error) && (migrating->back || migrating_keep(migrating, error)) && migrating_rewrite(migrating, error);
    rewriting_close(&migrating->rewriting);
    if (!ok) return false;
    if (json) return print(migrating, true, error);
    if (migrating->back) printf("the state of %s is that of generation %d again; every partition was read back and compared\n", migrating->processor, migrating->from);
    else printf("the state of %s is generation %d; every partition was read back and compared; the one before is kept as %s\n", migrating->processor, migrating->to, kept);
    return true;
}

enum exit_status state_migrate(const struct invocation *invocation) {
    struct connection connection = {0};
    struct error error;
    struct migrating *migrating = calloc(1, sizeof *migrating);
    if (!migrating) return EXIT_FAILED;
    migrating->invocation = invocation;
    migrating->connection = &connection;
    migrating->remarks = json_array();
    migrating->back = option_given(invocation, "back");
    bool asked = state_processor(invocation, &migrating->processor, &error);
    if (asked && migrating->back && (option_given(invocation, "layout") || option_given(invocation, "changes"))) asked = error_set(&error, "--back takes neither --layout nor --changes");
    asked = asked && (migrating->back || migration_make(migrating, &error));
    bool ok = asked && connection_open(&connection, invocation, &error) && work(migrating, &error);
    if (migrating->folder[0]) folder_delete(migrating->folder);
    migration_close(migrating->migration);
    buffer_free(&migrating->layout);
    group_free(&migrating->group);
    json_decref(migrating->remarks);
    free(migrating->generations);
    free(migrating->gone_on);
    free(migrating);
    connection_close(&connection);
    if (ok) return EXIT_DONE;
    (void)command_failed(&error);
    return asked ? EXIT_FAILED : EXIT_USAGE;
}
