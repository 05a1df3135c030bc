#include "common/runtime/tasks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/platform/clock.h"
#include "common/platform/log.h"
#include "common/runtime/restore.h"

enum { RETRY_FIRST_MS = 200, RETRY_LAST_MS = 5000, REBUILDS_MAXIMUM = 1, SWEEP_AGE_MS = 24 * 3600 * 1000, PATH_SIZE = 4096 };

enum phase {
    PHASE_NONE,         /* not ours; the state may be open still */
    PHASE_RESTORING,
    PHASE_TABLES,       /* opened, the tables are behind what its last batch saw */
    PHASE_READY
};

struct entry {
    enum phase phase;
    struct state *state;
    struct task *task;
    int64_t began_ms, not_before_ms, retry_ms;
    int rebuilds;           /* since it was last ready */
    struct error reason;
};

struct tasks {
    struct tasks_options options;
    struct restore *restore;
    struct entry *entries;  /* by partition */
    char identity[TOPIC_NAME_MAXIMUM + 80];
};

bool tasks_open(struct tasks **result, const struct tasks_options *options, struct error *error) {
    struct tasks *tasks = calloc(1, sizeof *tasks);
    if (!tasks) return error_set(error, "out of memory");
    tasks->options = *options;
    tasks->entries = calloc((size_t)options->topics->partition_count, sizeof *tasks->entries);
    snprintf(tasks->identity, sizeof tasks->identity, "%s/%s", options->topics->cluster, options->topics->changelog);
    const struct restore_options restore = {options->tail, options->topics->changelog, options->topics->partition_count};
    bool fine = tasks->entries ? restore_open(&tasks->restore, &restore, error) : error_set(error, "out of memory");
    if (fine && mkdir(options->dir, 0750) != 0 && errno != EEXIST) fine = error_set(error, "%s cannot be made: %m", options->dir);
    if (fine) *result = tasks;
    else tasks_close(tasks);
    return fine;
}

static int32_t count_of(const struct tasks *tasks) { return tasks->options.topics->partition_count; }

static void close_task(struct tasks *tasks, int32_t partition) {
    struct entry *entry = &tasks->entries[partition];
    restore_remove(tasks->restore, partition);
    task_close(entry->task);
    entry->task = NULL;
    entry->phase = PHASE_NONE;
}

static void close_state(struct entry *entry) {
    state_close(entry->state);
    entry->state = NULL;
}

void tasks_close(struct tasks *tasks) {
    if (!tasks) return;
    for (int32_t p = 0; tasks->entries && tasks->restore && p < count_of(tasks); p++) {
        close_task(tasks, p);
        close_state(&tasks->entries[p]);
    }
    restore_close(tasks->restore);
    free(tasks->entries);
    free(tasks);
}

void tasks_revoke(struct tasks *tasks) {
    for (int32_t p = 0; p < count_of(tasks); p++) close_task(tasks, p);
}

static void begin_restore(struct tasks *tasks, int32_t partition) {
    struct entry *entry = &tasks->entries[partition];
    close_task(tasks, partition);
    entry->phase = PHASE_RESTORING;
    entry->began_ms = clock_monotonic_ms();
    entry->not_before_ms = entry->retry_ms = 0;
    restore_add(tasks->restore, partition, entry->state);
}

static enum step open_state(struct tasks *tasks, int32_t partition, struct fatal_cause *fatal) {
    struct entry *entry = &tasks->entries[partition];
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%d", tasks->options.dir, partition);
    const struct state_identity identity = {tasks->options.processor->name, (uint32_t)partition, (uint32_t)count_of(tasks), tasks->identity};
    struct state_opening opening;
    struct error error;
    if (!state_open(&entry->state, path, &identity, clock_wall_ms(), tasks->options.topics->state_maximum_age_ms, &opening, &error))
        return fatal_because(fatal, EXIT_CONFIGURATION, "%.500s", error.text);
    if (opening.rebuilt_because)
        log_warning_with("state_dropped", LOG_FIELDS(LOG_INTEGER("partition", partition)), "the state of partition %d is rebuilt: %s", partition, opening.rebuilt_because);
    return STEP_DONE;
}

/* Folders of partitions that went elsewhere long ago. */
static void sweep(struct tasks *tasks) {
    char (*names)[16] = calloc((size_t)count_of(tasks), sizeof *names);
    const char **keep = calloc((size_t)count_of(tasks), sizeof *keep);
    size_t kept = 0;
    for (int32_t p = 0; names && keep && p < count_of(tasks); p++) {
        if (!tasks->entries[p].state) continue;
        snprintf(names[kept], sizeof names[kept], "%d", p);
        keep[kept] = names[kept];
        kept++;
    }
    if (names && keep) state_sweep(tasks->options.dir, keep, kept, SWEEP_AGE_MS);
    free(names);
    free(keep);
}

enum step tasks_assign(struct tasks *tasks, struct fatal_cause *fatal) {
    int owned = 0;
    for (int32_t p = 0; p < count_of(tasks); p++) {
        struct entry *entry = &tasks->entries[p];
        if (!consumer_owns(tasks->options.consumer, p)) {
            close_task(tasks, p);
            close_state(entry);
            continue;
        }
        owned++;
        enum step step = entry->state ? STEP_DONE : open_state(tasks, p, fatal);
        if (step != STEP_DONE) return step;
        begin_restore(tasks, p);
    }
    sweep(tasks);
    log_info_with("partitions_assigned", LOG_FIELDS(LOG_INTEGER("tasks", owned)), "assigned %d of %d tasks", owned, count_of(tasks));
    return STEP_DONE;
}

void tasks_renew(struct tasks *tasks) {
    for (int32_t p = 0; p < count_of(tasks); p++)
        if (consumer_owns(tasks->options.consumer, p) && tasks->entries[p].state) begin_restore(tasks, p);
}

enum step tasks_rebuild(struct tasks *tasks, int32_t partition, struct fatal_cause *fatal) {
    struct entry *entry = &tasks->entries[partition];
    struct error error;
    close_task(tasks, partition);
    if (entry->rebuilds++ >= REBUILDS_MAXIMUM)
        return fatal_because(fatal, EXIT_RUN, "partition %d: the state is damaged again right after it was rebuilt: look at the disk and the memory of this machine", partition);
    if (!state_clear(entry->state, &error)) return fatal_because(fatal, EXIT_RUN, "partition %d: %.400s", partition, error.text);
    log_warning_with("state_dropped", LOG_FIELDS(LOG_INTEGER("partition", partition)), "the state of partition %d is damaged: rebuilding it", partition);
    begin_restore(tasks, partition);
    return STEP_DONE;
}

/* A state without a single committed position: the group's offsets have expired, and the log would be taken again from its beginning. */
static bool offsets_are_gone(const struct tasks *tasks, int32_t partition) {
    for (size_t i = 0; i < tasks->options.input_count; i++)
        if (consumer_position(tasks->options.consumer, (int)i, partition) >= 0) return false;
    return state_entries(tasks->entries[partition].state) > 0;
}

static enum step open_task(struct tasks *tasks, int32_t partition, struct fatal_cause *fatal) {
    struct entry *entry = &tasks->entries[partition];
    restore_remove(tasks->restore, partition);
    if (tasks->options.restore_seconds) histogram_observe(tasks->options.restore_seconds, (clock_monotonic_ms() - entry->began_ms) * 1000000);
    if (offsets_are_gone(tasks, partition))
        return fatal_because(fatal, EXIT_RUN, "partition %d has a state, but the group has no committed offset of any of its inputs: they have expired or were deleted. "
                             "Say with `kontor offsets reset` where to go on", partition);
    struct error error;
    enum engine_result opened = task_open(&entry->task, tasks->options.engine, partition, entry->state, &error);
    if (opened == ENGINE_FATAL) return fatal_because(fatal, EXIT_CONFIGURATION, "%s", error.text);
    if (opened != ENGINE_DONE) {
        entry->task = NULL;
        log_warning("task_not_opened", "%s", error.text);
        return tasks_rebuild(tasks, partition, fatal);
    }
    entry->phase = PHASE_TABLES;
    return STEP_DONE;
}

static bool tables_reached(const struct tasks *tasks, struct entry *entry) {
    for (size_t i = 0; i < tasks->options.table_count; i++) {
        int64_t wanted = task_table_offset(entry->task, i), there = tables_position(tasks->options.tables, i);
        if (there < wanted) return error_set(&entry->reason, "its last batch saw a table at %lld, this instance's is at %lld", (long long)wanted, (long long)there);
    }
    return true;
}

enum step tasks_step(struct tasks *tasks, int timeout_ms, bool *moved, struct fatal_cause *fatal) {
    enum step step = restore_step(tasks->restore, timeout_ms, moved, fatal);
    for (int32_t p = 0; step == STEP_DONE && p < count_of(tasks); p++) {
        struct entry *entry = &tasks->entries[p];
        if (entry->phase == PHASE_RESTORING && restore_is_done(tasks->restore, p)) step = open_task(tasks, p, fatal);
        if (step == STEP_DONE && entry->phase == PHASE_TABLES && tables_reached(tasks, entry)) {
            entry->phase = PHASE_READY;
            *moved = true;
        }
    }
    return step;
}

struct task *tasks_ready(struct tasks *tasks, int32_t partition) {
    struct entry *entry = &tasks->entries[partition];
    if (entry->phase != PHASE_READY) return NULL;
    if (entry->not_before_ms && clock_monotonic_ms() < entry->not_before_ms) return NULL;
    return entry->task;
}

void tasks_wait(struct tasks *tasks, int32_t partition, const char *why) {
    struct entry *entry = &tasks->entries[partition];
    entry->retry_ms = entry->retry_ms ? entry->retry_ms * 2 : RETRY_FIRST_MS;
    if (entry->retry_ms > RETRY_LAST_MS) entry->retry_ms = RETRY_LAST_MS;
    entry->not_before_ms = clock_monotonic_ms() + entry->retry_ms;
    error_set(&entry->reason, "%s", why);
    log_warning_with("task_waits", LOG_FIELDS(LOG_INTEGER("partition", partition)), "partition %d waits: %s", partition, why);
}

void tasks_went_on(struct tasks *tasks, int32_t partition) {
    struct entry *entry = &tasks->entries[partition];
    entry->not_before_ms = entry->retry_ms = 0;
    entry->rebuilds = 0;
}

int64_t tasks_next_try_ms(const struct tasks *tasks) {
    int64_t next = -1, now = clock_monotonic_ms();
    for (int32_t p = 0; p < count_of(tasks); p++) {
        const struct entry *entry = &tasks->entries[p];
        if (entry->phase != PHASE_READY || entry->not_before_ms == 0) continue;
        int64_t left = entry->not_before_ms > now ? entry->not_before_ms - now : 0;
        if (next < 0 || left < next) next = left;
    }
    return next;
}

/* ---- telling ---- */

static void explain(struct buffer *lines, const char *text) {
    buffer_append(lines, text, strlen(text));
    buffer_append(lines, "\n", 1);
}

bool tasks_explain(const struct tasks *tasks, struct buffer *lines) {
    bool all = true;
    char line[600];
    struct restore_progress progress = restore_progress(tasks->restore);
    if (progress.tasks) {
        snprintf(line, sizeof line, "restoring %d tasks, about %lld changelog records to go. %.300s", progress.tasks, (long long)progress.records_left,
                 restore_reason(tasks->restore));
        explain(lines, line);
        all = false;
    }
    for (int32_t p = 0; p < count_of(tasks); p++) {
        const struct entry *entry = &tasks->entries[p];
        bool waits = entry->phase == PHASE_TABLES || (entry->phase == PHASE_READY && entry->not_before_ms);
        if (!waits) continue;
        snprintf(line, sizeof line, "partition %d waits: %.500s", p, entry->reason.text);
        explain(lines, line);
        all = false;
    }
    return all;
}

void tasks_waiting(const struct tasks *tasks, struct waiting_sums *sums) {
    *sums = (struct waiting_sums){0};
    for (int32_t p = 0; p < count_of(tasks); p++)
        if (tasks->entries[p].task) task_waiting_add(tasks->entries[p].task, sums);
}

struct tasks_totals tasks_totals(const struct tasks *tasks) {
    struct tasks_totals totals = {0};
    for (int32_t p = 0; p < count_of(tasks); p++) {
        const struct entry *entry = &tasks->entries[p];
        totals.owned += entry->phase != PHASE_NONE;
        totals.ready += entry->phase == PHASE_READY;
        if (entry->state && entry->phase != PHASE_NONE) {
            totals.state_bytes += state_bytes(entry->state);
            totals.state_entries += state_entries(entry->state);
        }
        if (!entry->task) continue;
        struct task_waiting waiting = task_waiting(entry->task);
        totals.parked += waiting.parked;
        totals.held += waiting.held;
        totals.behind += waiting.behind;
        if (waiting.oldest_ms > 0 && (totals.oldest_ms == 0 || waiting.oldest_ms < totals.oldest_ms)) totals.oldest_ms = waiting.oldest_ms;
        if (waiting.oldest_held_ms > 0 && (totals.oldest_held_ms == 0 || waiting.oldest_held_ms < totals.oldest_held_ms)) totals.oldest_held_ms = waiting.oldest_held_ms;
    }
    return totals;
}
