#include "common/state/state.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/platform/clock.h"
#include "common/state/environment.h"

/* What stands in `about`, sealed, as this machine holds it: the file is of no use on another. */
struct about {
    uint32_t format;
    uint32_t partition, partition_count;
    struct state_position at;
    char processor[64], changelog_id[320];
};

struct state {
    struct environment environment;
    struct about about;
};

static const struct slice about_key = {"about", 5};

/* ---- opening ---- */

/* What the identity makes of a state that is empty. False when a name is too long. */
static bool about_new(struct about *about, const struct state_identity *identity, struct error *error) {
    memset(about, 0, sizeof *about); /* its padding is stored too */
    about->format = STATE_FORMAT;
    about->partition = identity->partition;
    about->partition_count = identity->partition_count;
    about->at = (struct state_position){-1, 0};
    if (strlen(identity->processor) >= sizeof about->processor || strlen(identity->changelog_id) >= sizeof about->changelog_id)
        return error_set(error, "state: the processor's name %s or the changelog's id %s is too long", identity->processor, identity->changelog_id);
    strcpy(about->processor, identity->processor);
    strcpy(about->changelog_id, identity->changelog_id);
    return true;
}

static int put_about(const struct about *about, MDB_txn *transaction, MDB_dbi database) {
    char sealed[STATE_SEAL_SIZE + sizeof *about];
    memcpy(sealed + STATE_SEAL_SIZE, about, sizeof *about);
    state_seal(sealed, sizeof sealed, about_key, STATE_FORMAT);
    MDB_val key = {about_key.length, (void *)(uintptr_t)about_key.data}, value = {sizeof sealed, sealed};
    return mdb_put(transaction, database, &key, &value, 0);
}

static int write_about(void *context, MDB_txn *transaction, const struct environment *environment) {
    return put_about(context, transaction, environment->about);
}

/* Why what is stored is not to be believed, or NULL; *found: whether anything is stored. */
static const char *read_about(const struct state *state, struct about *about, bool *found) {
    struct slice value, body;
    uint8_t version;
    int code = environment_read(&state->environment, state->environment.about, about_key, &value);
    *found = code != MDB_NOTFOUND;
    if (!*found) return NULL; /* new, or its making was interrupted before anything was in it */
    if (code || !state_unseal(about_key, value, &body, &version)) return "the record of what it holds is damaged";
    if (version != STATE_FORMAT || body.length != sizeof *about) return "it is in another format";
    memcpy(about, body.data, sizeof *about);
    return NULL;
}

static bool is_ours(const struct state *state, const struct about *stored, struct error *error) {
    const struct about *ours = &state->about;
    const char *path = state->environment.path;
    if (strcmp(stored->processor, ours->processor) != 0)
        return error_set(error, "%s holds the state of processor %s, not of %s: give each processor a state folder of its own", path, stored->processor,
                         ours->processor);
    if (stored->partition != ours->partition)
        return error_set(error, "%s holds the state of partition %" PRIu32 ", not of %" PRIu32 ": put the folders back as they were, or delete this one", path,
                         stored->partition, ours->partition);
    /* Of another changelog the state is thrown away, whatever its keys were. */
    if (stored->partition_count != ours->partition_count && strcmp(stored->changelog_id, ours->changelog_id) == 0)
        return error_set(error, "%s was made with %" PRIu32 " partitions, the topic has %" PRIu32 ": keys lie elsewhere now; `kontor rekey` moves them", path,
                         stored->partition_count, ours->partition_count);
    return true;
}

static const char *out_of_date(const struct state *state, const struct about *stored, int64_t now_ms, int64_t maximum_age_ms) {
    if (strcmp(stored->changelog_id, state->about.changelog_id) != 0) return "it followed another changelog topic";
    if (maximum_age_ms > 0 && stored->at.position >= 0 && now_ms - stored->at.broker_time_ms > maximum_age_ms)
        return "it is so old that deletions may be gone from the changelog";
    return NULL;
}

static bool believe(struct state *state, int64_t now_ms, int64_t maximum_age_ms, struct state_opening *opening, struct error *error) {
    struct about stored;
    bool found;
    const char *problem = read_about(state, &stored, &found);
    if (found && !problem) {
        if (!is_ours(state, &stored, error)) return false;
        problem = out_of_date(state, &stored, now_ms, maximum_age_ms);
    }
    if (problem) {
        opening->rebuilt_because = problem;
        if (!state_clear(state, error)) return false;
    } else if (found) state->about.at = stored.at;
    else if (!environment_write(&state->environment, 0, write_about, &state->about, error)) return false;
    opening->at = state->about.at;
    return true;
}

bool state_open(struct state **out, const char *dir, const struct state_identity *identity, int64_t now_ms, int64_t maximum_age_ms,
                struct state_opening *opening, struct error *error) {
    struct state *state = calloc(1, sizeof *state);
    *out = NULL;
    if (!state) return error_set(error, "state: out of memory");
    if (!about_new(&state->about, identity, error) || !environment_open(&state->environment, dir, &opening->rebuilt_because, error)) {
        free(state);
        return false;
    }
    if (!believe(state, now_ms, maximum_age_ms, opening, error)) {
        state_close(state);
        return false;
    }
    *out = state;
    return true;
}

void state_close(struct state *state) {
    if (!state) return;
    environment_close(&state->environment);
    free(state);
}

bool state_clear(struct state *state, struct error *error) {
    state->about.at = (struct state_position){-1, 0};
    return environment_empty(&state->environment, error) && environment_write(&state->environment, 0, write_about, &state->about, error);
}

/* ---- reading ---- */

static enum state_result failed(struct state *state, int code, struct error *error) {
    environment_failed(&state->environment, code, "reading", error);
    return environment_is_damage(code) ? STATE_CORRUPT : STATE_FAILED;
}

static enum state_result broken_seal(struct state *state, struct slice key, struct error *error) {
    environment_damaged(&state->environment);
    error_set(error, "%s: the value of a key of %zu bytes, store %u, fails its checksum; the state is to be rebuilt from the changelog",
              state->environment.path, key.length, (unsigned)(unsigned char)key.data[0]);
    return STATE_CORRUPT;
}

enum state_result state_get(struct state *state, struct slice key, struct state_value *value, struct error *error) {
    struct slice sealed;
    int code = environment_read(&state->environment, state->environment.records, key, &sealed);
    if (code == MDB_NOTFOUND) return STATE_ABSENT;
    if (code) return failed(state, code, error);
    return state_unseal(key, sealed, &value->body, &value->version) ? STATE_FOUND : broken_seal(state, key, error);
}

static bool begins_with(struct slice text, struct slice prefix) {
    return text.length >= prefix.length && (prefix.length == 0 || memcmp(text.data, prefix.data, prefix.length) == 0);
}

/* Keys at or after `from` that begin with `prefix`. */
static enum state_result scan(struct state *state, struct slice from, struct slice prefix, bool (*visit)(void *context, struct slice key, struct state_value value), void *context,
                              struct error *error) {
    MDB_cursor *cursor;
    if (!state->environment.reader) return failed(state, MDB_BAD_TXN, error);
    int code = mdb_cursor_open(state->environment.reader, state->environment.records, &cursor);
    if (code) return failed(state, code, error);
    enum state_result result = STATE_ABSENT;
    MDB_val name = {from.length, (void *)(uintptr_t)from.data}, found;
    for (code = mdb_cursor_get(cursor, &name, &found, from.length ? MDB_SET_RANGE : MDB_FIRST); !code;
         code = mdb_cursor_get(cursor, &name, &found, MDB_NEXT)) {
        struct slice key = {name.mv_data, name.mv_size}, sealed = {found.mv_data, found.mv_size};
        struct state_value value;
        if (!begins_with(key, prefix)) break;
        if (!state_unseal(key, sealed, &value.body, &value.version)) {
            result = broken_seal(state, key, error);
            break;
        }
        result = STATE_FOUND;
        if (!visit(context, key, value)) break;
    }
    mdb_cursor_close(cursor);
    return code && code != MDB_NOTFOUND ? failed(state, code, error) : result;
}

enum state_result state_scan(struct state *state, struct slice prefix, bool (*visit)(void *context, struct slice key, struct state_value value), void *context,
                             struct error *error) {
    return scan(state, prefix, prefix, visit, context, error);
}

enum state_result state_scan_from(struct state *state, struct slice from, bool (*visit)(void *context, struct slice key, struct state_value value), void *context,
                                  struct error *error) {
    return scan(state, from, (struct slice){0}, visit, context, error);
}

struct state_position state_at(const struct state *state) { return state->about.at; }
uint64_t state_bytes(const struct state *state) { return state->environment.size; }
uint64_t state_entries(const struct state *state) { return environment_entries(&state->environment); }

/* ---- writing ---- */

struct application { const struct state_change *changes; size_t count; struct about about; };

static int write_changes(void *context, MDB_txn *transaction, const struct environment *environment) {
    const struct application *application = context;
    for (size_t i = 0; i < application->count; i++) {
        const struct state_change *change = &application->changes[i];
        MDB_val key = {change->key.length, (void *)(uintptr_t)change->key.data};
        MDB_val value = {change->value.length, (void *)(uintptr_t)change->value.data};
        int code = change->value.data ? mdb_put(transaction, environment->records, &key, &value, 0) : mdb_del(transaction, environment->records, &key, NULL);
        if (code && !(code == MDB_NOTFOUND && !change->value.data)) return code;
    }
    return put_about(&application->about, transaction, environment->about);
}

static bool check_change(const struct state *state, const struct state_change *change, bool verify, struct error *error) {
    struct slice body;
    uint8_t version;
    if (change->key.length == 0 || change->key.length > STATE_KEY_MAXIMUM)
        return error_set(error, "%s: a key of %zu bytes; 1 to %d are allowed", state->environment.path, change->key.length, STATE_KEY_MAXIMUM);
    if (!change->value.data) return true;
    if (change->value.length < STATE_SEAL_SIZE || (verify && !state_unseal(change->key, change->value, &body, &version)))
        return error_set(error, "%s: a value for a key of %zu bytes, store %u, fails its checksum; its changelog record is damaged: see "
                         "`kontor state show`", state->environment.path, change->key.length, (unsigned)(unsigned char)change->key.data[0]);
    return true;
}

bool state_apply(struct state *state, const struct state_change *changes, size_t count, struct state_position at, bool verify, struct error *error) {
    struct application application = {changes, count, state->about};
    size_t bytes = sizeof state->about;
    if (at.position < state->about.at.position)
        return error_set(error, "%s: position %" PRId64 " would go back behind %" PRId64, state->environment.path, at.position, state->about.at.position);
    for (size_t i = 0; i < count; i++) {
        if (!check_change(state, &changes[i], verify, error)) return false;
        bytes += 2 * (changes[i].key.length + changes[i].value.length);
    }
    application.about.at = at;
    if (!environment_write(&state->environment, bytes, write_changes, &application, error)) return false;
    state->about.at = at;
    return true;
}

/* ---- folders of tasks that went elsewhere ---- */

static bool is_kept(const char *name, const char *const *keep, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, keep[i]) == 0) return true;
    return false;
}

void state_sweep(const char *root, const char *const *keep, size_t keep_count, int64_t age_ms) {
    DIR *entries = opendir(root);
    if (!entries) return;
    for (struct dirent *entry; (entry = readdir(entries));) {
        char path[PATH_MAX];
        if (entry->d_name[0] == '.' || is_kept(entry->d_name, keep, keep_count)) continue;
        if (snprintf(path, sizeof path, "%s/%s", root, entry->d_name) < (int)sizeof path)
            environment_delete_unused(path, (clock_wall_ms() - age_ms) / 1000);
    }
    closedir(entries);
}
