#include <dirent.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/generation.h"
#include "cli/state.h"
#include "cli/table.h"
#include "common/platform/clock.h"
#include "common/runtime/layout_text.h"

struct sums { int64_t records, bytes; };

struct showing {
    const struct invocation *invocation;
    const char *processor;
    struct connection connection;
    struct topic_names changelogs;
    int partition_count, empty, layouts;
    struct changelog_about about;
    struct generation live;
    struct store_names *names;
    struct sums stores[STORE_NUMBERS], partition[STORE_NUMBERS];
    char folder[FOLDER_SIZE];
    json_t *rows;
};

static bool count_record(void *context, struct slice key, struct state_value value) {
    struct showing *showing = context;
    struct sums *sums = &showing->partition[(unsigned char)key.data[0]];
    sums->records++;
    sums->bytes += (int64_t)(key.length + value.body.length + STATE_SEAL_SIZE);
    return true;
}

static bool count_layout(void *context, struct slice key, struct state_value value) {
    (void)key;
    (void)value;
    ++*(int *)context;
    return true;
}

static bool add_row(struct showing *showing, int32_t partition, int store, const struct sums *sums) {
    json_t *row = json_pack("{s:s, s:I, s:I}", "store", showing->names->names[store], "records", (json_int_t)sums->records, "bytes", (json_int_t)sums->bytes);
    if (row && partition >= 0) json_object_set_new(row, "partition", json_integer(partition));
    return row && json_array_append_new(showing->rows, row) == 0;
}

static bool look(struct showing *showing, struct fold *fold, int32_t partition, struct error *error) {
    bool empty;
    int layouts = 0;
    const struct error none = {{0}};
    *error = none;
    if (!fold_about(fold, &showing->about, &empty, error)) {
        showing->empty += empty;
        const struct error why = *error;
        return empty || error_set(error, "%s/%" PRId32 ": %.400s", showing->live.changelog, partition, why.text);
    }
    if (!store_names_read(showing->names, fold, error)) return false;
    memset(showing->partition, 0, sizeof showing->partition);
    state_scan(fold->state, layout_record_prefix, count_layout, &layouts, error);
    if (layouts > showing->layouts) showing->layouts = layouts;
    const enum state_result result = state_scan(fold->state, (struct slice){0}, count_record, showing, error);
    if (result == STATE_CORRUPT || result == STATE_FAILED) return false;
    for (int i = 0; i < STORE_NUMBERS; i++) {
        showing->stores[i].records += showing->partition[i].records;
        showing->stores[i].bytes += showing->partition[i].bytes;
        if (option_given(showing->invocation, "partitions") && showing->partition[i].records && !add_row(showing, partition, i, &showing->partition[i])) return error_set(error, "out of memory");
    }
    return true;
}

static bool count_partitions(struct showing *showing, struct error *error) {
    struct client_events events = {.role = "admin"};
    rd_kafka_t *client;
    const struct rd_kafka_metadata *metadata = NULL;
    const char *topic = showing->live.changelog;
    if (!connection_client(&showing->connection, RD_KAFKA_PRODUCER, NULL, NULL, &events, NULL, &events, &client, error)) return false;
    bool ok = connection_metadata(&showing->connection, client, &metadata, error);
    const struct rd_kafka_metadata_topic *found = ok ? metadata_topic(metadata, topic) : NULL;
    if (found) showing->partition_count = found->partition_cnt;
    else if (ok) ok = connection_no_topic(&showing->connection, metadata, topic, error);
    if (metadata) rd_kafka_metadata_destroy(metadata);
    rd_kafka_destroy(client);
    return ok;
}

static bool read_all(struct showing *showing, struct error *error) {
    char first[GENERATION_NAME_MAXIMUM];
    const char *topic = showing->live.changelog;
    struct progress progress;
    int64_t records = 0;
    generation_changelog(first, showing->processor, 1);
    if (!generation_live(&showing->connection, showing->processor, &showing->live, error) || !count_partitions(showing, error) ||
        !connection_topics(&showing->connection, first, &showing->changelogs, error) || !folder_make(showing->folder, "state", error)) return false;
    progress_start(&progress, "reading the changelog", showing->partition_count);
    bool ok = true;
    for (int32_t p = 0; ok && p < showing->partition_count; p++) {
        struct fold fold = {.state = NULL};
        ok = fold_open(&fold, showing->folder, "fold", showing->processor, p, error) && fold_read(&fold, &showing->connection, topic, p, error) && look(showing, &fold, p, error);
        records += fold.state ? (int64_t)state_entries(fold.state) : 0;
        fold_close(&fold);
        progress_at(&progress, p + 1, records);
    }
    progress_end(&progress);
    for (int i = 0; ok && !option_given(showing->invocation, "partitions") && i < STORE_NUMBERS; i++)
        if (showing->stores[i].records && !add_row(showing, -1, i, &showing->stores[i])) ok = error_set(error, "out of memory");
    return ok;
}

/* ---- printing ---- */

static bool print_rows(const struct showing *showing) {
    const bool by_partition = option_given(showing->invocation, "partitions");
    static const struct table_column columns[] = {{"partition", true}, {"store", false}, {"records", true}, {"bytes", true}};
    struct text_table *table = table_new(columns + !by_partition, 3 + by_partition);
    size_t i;
    json_t *row;
    json_array_foreach(showing->rows, i, row) {
        if (by_partition) table_number(table, json_integer_value(json_object_get(row, "partition")));
        table_text(table, json_string_value(json_object_get(row, "store")));
        table_number(table, json_integer_value(json_object_get(row, "records")));
        table_number(table, json_integer_value(json_object_get(row, "bytes")));
    }
    bool ok = table_print(table, FORMAT_TABLE, stdout);
    table_free(table);
    return ok;
}

static bool is_kept(const struct showing *showing, const char *topic) {
    const int number = generation_number(topic, showing->processor);
    return number && number != showing->live.number;
}

static bool print_all(struct showing *showing, struct error *error) {
    const char *topic = showing->live.changelog;
    if (showing->invocation->format == FORMAT_JSON) {
        json_t *kept = json_array();
        for (size_t i = 0; i < showing->changelogs.count; i++)
            if (is_kept(showing, showing->changelogs.names[i])) json_array_append_new(kept, json_string(showing->changelogs.names[i]));
        json_t *all = json_pack("{s:s, s:s, s:i, s:i, s:s, s:i, s:i, s:i, s:o, s:O}", "processor", showing->processor, "changelog", topic, "generation", showing->live.number,
                                "format", showing->about.format, "version", showing->about.version, "partitions", showing->partition_count, "empty_partitions", showing->empty,
                                "layouts", showing->layouts, "kept", kept, "stores", showing->rows);
        char *text = all ? json_dumps(all, JSON_INDENT(1)) : NULL;
        if (text) puts(text);
        free(text);
        json_decref(all);
        return text || error_set(error, "out of memory");
    }
    printf("%s, generation %d\n", topic, showing->live.number);
    if (showing->empty < showing->partition_count)
        printf("  format %d, begun by version %s, %d partitions (%d without anything), written with %d layout%s\n", showing->about.format, showing->about.version, showing->partition_count,
               showing->empty, showing->layouts, showing->layouts == 1 ? "" : "s");
    else printf("  %d partitions, nothing in them yet\n", showing->partition_count);
    for (size_t i = 0; i < showing->changelogs.count; i++)
        if (is_kept(showing, showing->changelogs.names[i])) printf("  kept: %s, generation %d\n", showing->changelogs.names[i], generation_number(showing->changelogs.names[i], showing->processor));
    return print_rows(showing) || error_set(error, "out of memory");
}

/* ---- an instance's own copy ---- */

static void add_local(struct text_table *table, const char *tasks, const char *name) {
    char path[4096 + 300], age[TIME_TEXT_SIZE];
    int64_t bytes = 0, newest_s = 0;
    snprintf(path, sizeof path, "%s/%s", tasks, name);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        struct stat status;
        if (fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode)) continue;
        bytes += status.st_size;
        if (status.st_mtim.tv_sec > newest_s) newest_s = status.st_mtim.tv_sec;
    }
    if (folder) closedir(folder);
    table_text(table, name);
    table_number(table, bytes);
    table_text(table, newest_s ? age_text(clock_wall_ms() - newest_s * 1000, age) : NULL);
}

static enum exit_status show_local(const struct invocation *invocation, const char *dir) {
    static const struct table_column columns[] = {{"partition", true}, {"bytes on disk", true}, {"last written", false}};
    char tasks[4096];
    struct error error;
    snprintf(tasks, sizeof tasks, "%s/tasks", dir);
    DIR *folder = opendir(tasks);
    if (!folder) {
        error_set(&error, "%s is no state.dir of an instance: %s: %m", dir, tasks);
        return command_failed(&error);
    }
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    for (struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] != '.') add_local(table, tasks, entry->d_name);
    closedir(folder);
    bool ok = table_print(table, invocation->format, stdout) || error_set(&error, "out of memory");
    table_free(table);
    return ok ? EXIT_DONE : command_failed(&error);
}

enum exit_status state_show(const struct invocation *invocation) {
    struct showing showing = {.invocation = invocation, .rows = json_array(), .names = calloc(1, sizeof *showing.names)};
    struct error error;
    if (!state_processor(invocation, &showing.processor, &error)) {
        (void)command_failed(&error);
        free(showing.names);
        json_decref(showing.rows);
        return EXIT_USAGE;
    }
    const char *local = option_text(invocation, "local", NULL);
    bool ok = local || (showing.rows && showing.names) || error_set(&error, "out of memory");
    if (!local) ok = ok && connection_open(&showing.connection, invocation, &error) && read_all(&showing, &error) && print_all(&showing, &error);
    if (showing.folder[0]) folder_delete(showing.folder);
    topic_names_free(&showing.changelogs);
    connection_close(&showing.connection);
    json_decref(showing.rows);
    free(showing.names);
    if (!ok) return command_failed(&error);
    return local ? show_local(invocation, local) : EXIT_DONE;
}
