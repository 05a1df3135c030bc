#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/rewrite.h"
#include "cli/holding.h"
#include "cli/state.h"
#include "cli/table.h"
#include "common/platform/clock.h"
#include "common/runtime/layout_text.h"

enum { DAY_MS = 86400000 };

static bool not_done(void) {
    fprintf(stderr, "kontor: nothing was changed; --yes does it\n");
    return true;
}

/* ---- an instance's own copy ---- */

/* Holds the instance's lock, which a running one has. */
static bool drop_local(const struct invocation *invocation, const char *dir, struct error *error) {
    char path[4096];
    struct stat status;
    snprintf(path, sizeof path, "%s/tasks", dir);
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) return error_set(error, "%s is no state.dir of an instance: it has no folder tasks", dir);
    snprintf(path, sizeof path, "%s/lock", dir);
    int lock = open(path, O_RDWR | O_CLOEXEC);
    if (lock < 0) return error_set(error, "%s is no state.dir of an instance: %s: %m", dir, path);
    bool ok = flock(lock, LOCK_EX | LOCK_NB) == 0 || error_set(error, "%s is in use: stop the instance first", dir);
    snprintf(path, sizeof path, "%s/tasks", dir);
    if (ok && option_given(invocation, "yes")) {
        state_sweep(path, NULL, 0, -(int64_t)DAY_MS);
        printf("dropped %s: it is rebuilt from the changelog when the instance starts\n", path);
    } else if (ok) {
        printf("%s would be dropped, and rebuilt from the changelog when the instance starts\n", path);
        ok = not_done();
    }
    close(lock);
    return ok;
}

/* ---- an older generation ---- */

static bool topic_delete(const struct connection *connection, const char *topic, struct error *error) {
    struct client_events events = {.role = "admin"};
    rd_kafka_t *client;
    if (!connection_client(connection, RD_KAFKA_PRODUCER, NULL, NULL, &events, NULL, &events, &client, error)) return false;
    rd_kafka_DeleteTopic_t *wanted = rd_kafka_DeleteTopic_new(topic);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_DeleteTopics(client, &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, KAFKA_TIMEOUT_MS);
    bool ok = event && !rd_kafka_event_error(event);
    if (!ok) error_set(error, "%s cannot be deleted: %s", topic, event ? rd_kafka_event_error_string(event) : "no answer; try again");
    size_t count = 0;
    const rd_kafka_topic_result_t **results = ok ? rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count) : NULL;
    if (count && rd_kafka_topic_result_error(results[0])) ok = error_set(error, "%s cannot be deleted: %s", topic, rd_kafka_err2str(rd_kafka_topic_result_error(results[0])));
    if (event) rd_kafka_event_destroy(event);
    rd_kafka_DeleteTopic_destroy(wanted);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(client);
    return ok;
}

static bool drop_generation(const struct invocation *invocation, const struct connection *connection, const char *processor, int64_t number, struct error *error) {
    char topic[CHANGELOG_NAME_SIZE];
    struct topic_names names = {.count = 0};
    bool found = false;
    if (number < 1 || number > 100000) return error_set(error, "--generation %" PRId64 ": generations begin with 1", number);
    changelog_name(processor, (int)number, topic);
    if (!connection_topics(connection, topic, &names, error)) return false;
    for (size_t i = 0; i < names.count; i++) found |= strcmp(names.names[i], topic) == 0;
    topic_names_free(&names);
    if (!found) return error_set(error, "there is no %s; kontor state show %s lists what is kept", topic, processor);
    if (!option_given(invocation, "yes")) {
        printf("%s would be deleted: kontor state migrate --back is not possible then\n", topic);
        return not_done();
    }
    if (!topic_delete(connection, topic, error)) return false;
    printf("deleted %s\n", topic);
    return true;
}

/* ---- the changelog ---- */

struct dropping { const struct invocation *invocation; const char *processor; struct connection *connection; struct group group; char folder[FOLDER_SIZE]; int64_t records; };

/* The group must be where the past begins: what lies before its place would never be decided again. */
static bool at_beginning(const struct dropping *dropping, struct error *error) {
    const struct group *group = &dropping->group;
    for (int i = 0; i < group->places->cnt; i++) {
        const rd_kafka_topic_partition_t *place = &group->places->elems[i];
        if (place->offset != group->begins[i] && !(place->offset < 0 && group->ends[i] == group->begins[i]))
            return error_set(error, "group %s is at %" PRId64 " of %s/%" PRId32 ", whose first record is %" PRId64 ": with an empty state nothing before it would be known or ever decided. First: "
                             "kontor offsets reset %s --everything --to beginning --yes", group->name, place->offset, place->topic, place->partition, group->begins[i], dropping->processor);
    }
    return true;
}

struct keeping { struct fold *target; struct filling *filling; struct error *error; bool ok; };

static bool keep_one(void *context, struct slice key, struct state_value value) {
    struct keeping *keeping = context;
    const struct slice sealed = {value.body.data - STATE_SEAL_SIZE, value.body.length + STATE_SEAL_SIZE};
    return keeping->ok = fold_fill(keeping->target, &keeping->filling, key, sealed, keeping->error);
}

/* The header and the layouts stay: the changelog is the same one, with nothing in it. */
static bool make_empty(struct dropping *dropping, struct fold *now, struct fold *target, int32_t partition, char begun[OFFSETS_TEXT_SIZE + 128], struct error *error) {
    struct keeping keeping = {.target = target, .error = error, .ok = true};
    struct changelog_generation generation;
    char text[STATE_SEAL_SIZE + OFFSETS_TEXT_SIZE + 128];
    if (!fold_generation(now, &generation, error)) return false;
    generation.number += !generation.rewriting;
    generation.rewriting = true;
    generation.made_ms = clock_wall_ms();
    state_offsets_text(&dropping->group, partition, generation.offsets);
    generation_text(&generation, begun);
    generation.rewriting = false;
    generation_text(&generation, text + STATE_SEAL_SIZE);
    const size_t length = STATE_SEAL_SIZE + strlen(text + STATE_SEAL_SIZE);
    state_seal(text, length, generation_record_key, 0);
    state_scan(now->state, header_record_key, keep_one, &keeping, error);
    if (keeping.ok) state_scan(now->state, layout_record_prefix, keep_one, &keeping, error);
    bool ok = keeping.ok && fold_fill(target, &keeping.filling, generation_record_key, (struct slice){text, length}, error);
    return fold_filled(target, &keeping.filling, ok, error) && ok;
}

/* Without it no deletion of records makes a changelog that a processor takes. */
static bool begins_with_header(struct fold *now, const char *topic, int32_t partition, struct error *error) {
    struct changelog_about about;
    bool empty;
    return fold_about(now, &about, &empty, error) ||
           error_set(error, "%s/%" PRId32 " has no header of ours: its first records were deleted. Delete the topic (kafka-topics.sh --delete --topic %s) and make it anew (kontor topics apply): with "
                     "the group at the beginning that is a new generation", topic, partition, topic);
}

static bool drop_partition(struct dropping *dropping, struct rewriting *rewriting, int32_t partition, struct error *error) {
    char topic[CHANGELOG_NAME_SIZE], begun[OFFSETS_TEXT_SIZE + 128];
    struct fold now = {.state = NULL}, target = {.state = NULL};
    changelog_name(dropping->processor, 0, topic);
    bool ok = fold_open(&now, dropping->folder, "now", dropping->processor, partition, error) && fold_read(&now, dropping->connection, topic, partition, error);
    const int64_t records = ok ? (int64_t)state_entries(now.state) : 0;
    dropping->records += records;
    if (ok && records) ok = begins_with_header(&now, topic, partition, error);
    if (ok && records && rewriting)
        ok = fold_open(&target, dropping->folder, "target", dropping->processor, partition, error) && make_empty(dropping, &now, &target, partition, begun, error) &&
             rewrite(rewriting, topic, &now, &target, slice_of(begun), error) && rewrite_verify(rewriting, topic, dropping->folder, &target, partition, error);
    fold_close(&now);
    fold_close(&target);
    return ok;
}

static bool drop_all(struct dropping *dropping, struct rewriting *rewriting, struct error *error) {
    struct progress progress;
    bool ok = true;
    dropping->records = 0;
    progress_start(&progress, rewriting ? "dropping" : "reading the changelog", dropping->group.partition_count);
    for (int32_t p = 0; ok && p < dropping->group.partition_count; p++) {
        ok = drop_partition(dropping, rewriting, p, error);
        progress_at(&progress, p + 1, dropping->records);
    }
    progress_end(&progress);
    return ok;
}

static bool drop_changelog(struct dropping *dropping, struct error *error) {
    struct rewriting rewriting;
    char count[AMOUNT_TEXT_SIZE];
    const bool yes = option_given(dropping->invocation, "yes");
    if (!group_read(&dropping->group, dropping->connection, dropping->processor, error) || !group_is_empty(&dropping->group, holding_instance, error) || !at_beginning(dropping, error) ||
        !folder_make(dropping->folder, "state", error)) return false;
    if (!yes) {
        if (!drop_all(dropping, NULL, error)) return false;
        printf("%s records of the state of %s would be dropped, and everything it has ever decided would be decided and sent again\n", count_text(dropping->records, count), dropping->processor);
        return not_done();
    }
    bool ok = rewriting_open(&rewriting, dropping->connection, &dropping->group, error) && drop_all(dropping, &rewriting, error);
    rewriting_close(&rewriting);
    if (ok) printf("dropped the state of %s: %s records; a new generation begins\n", dropping->processor, count_text(dropping->records, count));
    return ok;
}

/* ---- the words ---- */

enum exit_status state_drop(const struct invocation *invocation) {
    struct connection connection = {0};
    struct error error;
    struct dropping dropping = {.invocation = invocation, .connection = &connection};
    const char *local = option_text(invocation, "local", NULL);
    const bool changelog = option_given(invocation, "changelog"), generation = option_given(invocation, "generation");
    bool asked = state_processor(invocation, &dropping.processor, &error);
    if (asked && (local != NULL) + changelog + generation != 1) asked = error_set(&error, "what? one of --local DIR, --changelog, --generation N");
    if (asked && changelog && !option_given(invocation, "repeat-outputs"))
        asked = error_set(&error, "--changelog makes %s forget what it has seen: every journal, acknowledgment and exception of the past is sent AGAIN, under the same idempotency keys, and whoever "
                          "takes them must know them by these. If that is what you want, add --repeat-outputs", dropping.processor);
    if (!asked) {
        (void)command_failed(&error);
        return EXIT_USAGE;
    }
    bool ok;
    if (local) ok = drop_local(invocation, local, &error);
    else ok = connection_open(&connection, invocation, &error) &&
              (generation ? drop_generation(invocation, &connection, dropping.processor, option_number(invocation, "generation", 0), &error) : drop_changelog(&dropping, &error));
    if (dropping.folder[0]) folder_delete(dropping.folder);
    group_free(&dropping.group);
    connection_close(&connection);
    return ok ? EXIT_DONE : command_failed(&error);
}
