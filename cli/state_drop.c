#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/generation.h"
#include "cli/holding.h"
#include "cli/state_making.h"
#include "cli/table.h"

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

/* ---- another generation ---- */

static bool drop_generation(const struct invocation *invocation, const struct connection *connection, const char *processor, int64_t number, struct error *error) {
    char topic[GENERATION_NAME_MAXIMUM];
    struct topic_names names = {.count = 0};
    struct generation live;
    struct making making = {.connection = connection};
    bool found = false;
    if (number < 1 || number >= 1000000) return error_set(error, "--generation %" PRId64 ": generations begin with 1", number);
    generation_changelog(topic, processor, (int)number);
    if (!generation_live(connection, processor, &live, error) || !connection_topics(connection, topic, &names, error)) return false;
    for (size_t i = 0; i < names.count; i++) found |= strcmp(names.names[i], topic) == 0;
    topic_names_free(&names);
    if (!found) return error_set(error, "there is no %s; kontor state show %s lists what is kept", topic, processor);
    if (number == live.number) return error_set(error, "%s is the live changelog of %s", topic, processor);
    if (!option_given(invocation, "yes")) {
        printf("%s would be deleted: kontor state migrate --back to it is not possible then\n", topic);
        return not_done();
    }
    bool ok = making_open(&making, connection, NULL, error) && making_delete(&making, topic, error);
    making_close(&making);
    if (ok) printf("deleted %s\n", topic);
    return ok;
}

/* ---- the changelog ---- */

struct dropping { const struct invocation *invocation; const char *processor; struct connection *connection; struct group group; struct state_making making; char folder[FOLDER_SIZE]; int64_t records; };

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

static bool count_all(struct dropping *dropping, struct error *error) {
    struct progress progress;
    bool ok = true;
    progress_start(&progress, "reading the changelog", dropping->group.partition_count);
    for (int32_t p = 0; ok && p < dropping->group.partition_count; p++) {
        struct fold now = {.state = NULL};
        ok = fold_open(&now, dropping->folder, "now", dropping->processor, p, error) && fold_read(&now, dropping->connection, dropping->making.live.changelog, p, error);
        dropping->records += now.state ? (int64_t)state_entries(now.state) : 0;
        fold_close(&now);
        progress_at(&progress, p + 1, dropping->records);
    }
    progress_end(&progress);
    return ok;
}

/* The next generation has nothing in it: who starts there begins it, with a header of its own, as on the first day. */
static bool drop_changelog(struct dropping *dropping, struct error *error) {
    char count[AMOUNT_TEXT_SIZE];
    struct state_making *making = &dropping->making;
    if (!group_read(&dropping->group, dropping->connection, dropping->processor, error) || !group_is_empty(&dropping->group, holding_instance, error) || !at_beginning(dropping, error) ||
        !folder_make(dropping->folder, "state", error) || !state_making_look(making, dropping->connection, &dropping->group, error) || !count_all(dropping, error)) return false;
    if (!option_given(dropping->invocation, "yes")) {
        printf("%s records of the state of %s would be dropped, and everything it has ever decided would be decided and sent again\n", count_text(dropping->records, count), dropping->processor);
        return not_done();
    }
    if (!state_making_hold(making, error) || !state_making_create(making, error) || !state_making_switch(making, error)) return false;
    printf("dropped the state of %s: %s records; a new generation begins, %s; the one before is kept as %s\n", dropping->processor, count_text(dropping->records, count),
           making->next.changelog, making->live.changelog);
    return true;
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
    state_making_close(&dropping.making);
    group_free(&dropping.group);
    connection_close(&connection);
    return ok ? EXIT_DONE : command_failed(&error);
}
