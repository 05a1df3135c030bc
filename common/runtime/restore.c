#include "common/runtime/restore.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/platform/clock.h"
#include "common/platform/log.h"
#include "common/runtime/generations.h"

enum { READ_MAXIMUM = 4000, ENDS_AT_ONCE = 8 };
#ifdef KONTOR_FAULT_POINTS
enum { PROGRESS_MS = 500, HANGING_MS = 2000 };      /* for the tests */
#else
enum { PROGRESS_MS = 5000, HANGING_MS = 60000 };    /* no transaction of ours lives so long */
#endif
enum phase {
    PHASE_NONE,
    PHASE_ASK,      /* for the log's bounds */
    PHASE_FIRST,    /* reads the log's first record: is it the changelog that the state is the fold of? */
    PHASE_READ,
    PHASE_DONE
};

static const char header_key[] = {0, 'h', 'e', 'a', 'd', 'e', 'r'};     /* engine.c writes it */

struct restoring {
    enum phase phase;
    struct state *state;
    bool strayed;       /* the state's position is not in the log */
    int64_t next, end, started_ms, records;
    int64_t held_at, held_ms;   /* where an open transaction is in the way, and since when; 0: none is */
};

struct restore {
    struct restore_options options;
    struct tail_queue *queue;
    struct restoring *tasks;        /* by partition */
    rd_kafka_message_t *messages[READ_MAXIMUM];
    struct state_change changes[READ_MAXIMUM];
    int64_t said_ms;
    struct error reason;
};

bool restore_open(struct restore **result, const struct restore_options *options, struct error *error) {
    struct restore *restore = calloc(1, sizeof *restore);
    if (!restore || !(restore->tasks = calloc((size_t)options->partition_count, sizeof *restore->tasks))) {
        free(restore);
        return error_set(error, "out of memory");
    }
    restore->options = *options;
    if (tail_queue_open(options->tail, &restore->queue, error)) {
        *result = restore;
        return true;
    }
    restore_close(restore);
    return false;
}

static bool is_reading(const struct restoring *task) { return task->phase == PHASE_FIRST || task->phase == PHASE_READ; }

void restore_close(struct restore *restore) {
    if (!restore) return;
    for (int32_t p = 0; restore->queue && p < restore->options.partition_count; p++) restore_remove(restore, p);
    tail_queue_close(restore->queue);
    free(restore->tasks);
    free(restore);
}

void restore_add(struct restore *restore, int32_t partition, struct state *state) {
    restore_remove(restore, partition);
    restore->tasks[partition] = (struct restoring){.phase = PHASE_ASK, .state = state, .started_ms = clock_monotonic_ms()};
}

void restore_remove(struct restore *restore, int32_t partition) {
    if (is_reading(&restore->tasks[partition])) tail_stop(restore->queue, restore->options.changelog, partition);
    restore->tasks[partition].phase = PHASE_NONE;
}

bool restore_is_done(const struct restore *restore, int32_t partition) { return restore->tasks[partition].phase == PHASE_DONE; }

/* Without its first record it is not whole: others may be gone with it, and their fold would be wrong without a sign. */
static enum step beginning_is_gone(const struct restore *restore, int32_t partition, struct fatal_cause *fatal) {
    return fatal_because(fatal, EXIT_CONFIGURATION, "%s/%d does not begin with its header: records were deleted from it, what is left is not the whole state; see `kontor state drop`",
                         restore->options.changelog, partition);
}

/* The changelog's header, which the engine writes as its first record, says whether its keys and values are ours. */
static enum step check_header(const struct restore *restore, struct state *state, int32_t partition, struct fatal_cause *fatal) {
    struct state_value value;
    char text[160], partitioner[32], version[32], id[17];
    int format, partitions;
    if (state_get(state, generation_closed_key, &value, &fatal->error) == STATE_FOUND)
        return fatal_because(fatal, EXIT_RUN, "%s is closed, another generation holds: start again. It says: " SLICE_FORMAT, restore->options.changelog, SLICE_ARGUMENT(value.body));
    enum state_result result = state_get(state, (struct slice){header_key, sizeof header_key}, &value, &fatal->error);
    if (result == STATE_ABSENT && state_entries(state) == 0) return STEP_DONE;
    if (result == STATE_ABSENT) return beginning_is_gone(restore, partition, fatal);
    if (result != STATE_FOUND) return fatal_because(fatal, EXIT_RUN, "partition %d: the header in the state cannot be read", partition);
    snprintf(text, sizeof text, SLICE_FORMAT, SLICE_ARGUMENT(value.body));
    int parts = sscanf(text, "format=%d partitions=%d partitioner=%31s version=%31s id=%16s", &format, &partitions, partitioner, version, id);
    if (parts < 1)
        return fatal_because(fatal, EXIT_CONFIGURATION, "%s/%d: its header record is not ours: %s", restore->options.changelog, partition, text);
    if (parts != 5 || format != STATE_FORMAT || strcmp(partitioner, "murmur2") != 0)
        return fatal_because(fatal, EXIT_CONFIGURATION, "%s/%d is of another format (%s): see `kontor state migrate`", restore->options.changelog, partition, text);
    if (partitions != restore->options.partition_count)
        return fatal_because(fatal, EXIT_CONFIGURATION, "%s was written with %d partitions, there are %d now: keys are elsewhere; see `kontor rekey`",
                             restore->options.changelog, partitions, restore->options.partition_count);
    return STEP_DONE;
}

static enum step finish(struct restore *restore, int32_t partition, struct fatal_cause *fatal) {
    struct restoring *task = &restore->tasks[partition];
    if (is_reading(task)) tail_stop(restore->queue, restore->options.changelog, partition);
    task->phase = PHASE_DONE;
    if (task->records)
        log_info_with("state_restored", LOG_FIELDS(LOG_INTEGER("partition", partition), LOG_INTEGER("records", task->records)),
                      "brought the state of partition %d forward by %lld records in %lld ms", partition, (long long)task->records,
                      (long long)(clock_monotonic_ms() - task->started_ms));
    return check_header(restore, task->state, partition, fatal);
}

static enum step drop(struct restoring *task, int32_t partition, const char *why, struct fatal_cause *fatal) {
    log_warning_with("state_dropped", LOG_FIELDS(LOG_INTEGER("partition", partition)), "the state of partition %d is rebuilt: %s", partition, why);
    if (state_clear(task->state, &fatal->error)) return STEP_DONE;
    return fatal_because(fatal, EXIT_RUN, "partition %d: the state cannot be emptied", partition);
}

static enum step drop_strayed(struct restoring *task, int32_t partition, struct fatal_cause *fatal) {
    char why[120];
    snprintf(why, sizeof why, "its position %lld is not in the changelog (%lld to %lld)", (long long)state_at(task->state).position, (long long)task->next, (long long)task->end);
    return drop(task, partition, why, fatal);
}

/* Asks for the log's bounds and starts to read. */
static enum step begin(struct restore *restore, int32_t partition, int timeout_ms, bool *moved, struct fatal_cause *fatal) {
    struct restoring *task = &restore->tasks[partition];
    const char *topic = restore->options.changelog;
    int64_t low, high;
    if (!tail_bounds(restore->options.tail, topic, partition, timeout_ms, &low, &high, &restore->reason)) return STEP_DONE;
    *moved = true;
    int64_t position = state_at(task->state).position;
    if (position >= 0 && low == high && low > 0) return beginning_is_gone(restore, partition, fatal);
    task->next = low;
    task->end = high;
    task->strayed = position >= 0 && (position < low || position > high);
    if (low == high) return task->strayed && drop_strayed(task, partition, fatal) != STEP_DONE ? STEP_FATAL : finish(restore, partition, fatal);
    struct error error;
    if (!tail_start(restore->queue, topic, partition, low, &error)) return fatal_because(fatal, EXIT_RUN, "%s", error.text);
    task->phase = position >= 0 ? PHASE_FIRST : PHASE_READ;
    return STEP_DONE;
}

/* A topic that was deleted and made anew has a header with another id, however far it reaches by now. `first` NULL: nothing is committed in it. */
static enum step look_at_first(struct restore *restore, int32_t partition, const rd_kafka_message_t *first, struct fatal_cause *fatal) {
    struct restoring *task = &restore->tasks[partition];
    const struct slice key = {header_key, sizeof header_key};
    struct slice body;
    struct state_value ours = {0};
    uint8_t version;
    task->phase = PHASE_READ;
    const struct slice begins = first ? (struct slice){first->key, first->key_len} : (struct slice){0};
    /* It was empty when another generation was made, which was gone back from: its header comes behind the mark. */
    if (first && slice_equal(begins, generation_closed_key)) return drop(task, partition, "the changelog was closed and opened again before it had a header", fatal);
    if (first ? !slice_equal(begins, key) : task->next > 0) return beginning_is_gone(restore, partition, fatal);
    if (task->strayed) return drop_strayed(task, partition, fatal);
    if (!first && state_entries(task->state) == 0) return STEP_DONE;
    bool read = first && state_unseal(key, (struct slice){first->payload, first->len}, &body, &version);
    bool same = read && state_get(task->state, key, &ours, &fatal->error) == STATE_FOUND && slice_equal(body, ours.body);
    if (!same) return drop(task, partition, "the changelog is another one than it was made from: the topic was deleted and made anew", fatal);
    struct error error;
    task->next = state_at(task->state).position;
    if (task->next >= task->end) return finish(restore, partition, fatal);
    tail_stop(restore->queue, restore->options.changelog, partition);
    if (!tail_start(restore->queue, restore->options.changelog, partition, task->next, &error)) return fatal_because(fatal, EXIT_RUN, "%s", error.text);
    return STEP_DONE;
}

/* Applies a run of records of one partition. */
static enum step apply(struct restore *restore, int32_t partition, rd_kafka_message_t *const *messages, size_t count, struct fatal_cause *fatal) {
    struct restoring *task = &restore->tasks[partition];
    if (task->phase == PHASE_FIRST && look_at_first(restore, partition, messages[0], fatal) != STEP_DONE) return STEP_FATAL;
    /* Behind the first record there may be what the state has already. */
    while (count && messages[0]->offset < task->next) messages++, count--;
    if (task->phase != PHASE_READ || !count) return STEP_DONE;
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_message_t *message = messages[i];
        restore->changes[i] = (struct state_change){{message->key, message->key_len}, {message->payload, message->payload ? message->len : 0}};
    }
    const rd_kafka_message_t *last = messages[count - 1];
    struct state_position at = {last->offset + 1, rd_kafka_message_timestamp(last, NULL)};
    struct error error;
    if (!state_apply(task->state, restore->changes, count, at, true, &error))
        return fatal_because(fatal, EXIT_RUN, "restoring partition %d at %lld: %.400s", partition, (long long)last->offset, error.text);
    task->records += (int64_t)count;
    task->next = at.position;
    task->held_ms = 0;
    return STEP_DONE;
}

static enum step take_notice(struct restore *restore, const rd_kafka_message_t *message, struct fatal_cause *fatal) {
    int32_t partition = message->partition;
    struct restoring *task = &restore->tasks[partition];
    if (!is_reading(task)) return STEP_DONE;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (task->phase == PHASE_FIRST && look_at_first(restore, partition, NULL, fatal) != STEP_DONE) return STEP_FATAL;
        if (message->offset < task->end) {  /* an open transaction is in the way: its end comes */
            if (!task->held_ms || task->held_at != message->offset) task->held_ms = clock_monotonic_ms();
            task->held_at = message->offset;
            return STEP_DONE;
        }
        struct error error;
        struct state_position at = {message->offset, state_at(task->state).broker_time_ms};
        if (at.broker_time_ms <= 0) at.broker_time_ms = clock_wall_ms();
        if (!state_apply(task->state, NULL, 0, at, false, &error)) return fatal_because(fatal, EXIT_RUN, "%s", error.text);
        return finish(restore, partition, fatal);
    }
    if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
        restore_add(restore, partition, task->state);   /* the log's start has moved meanwhile: ask again */
        return STEP_DONE;
    }
    error_set(&restore->reason, "%s/%d: %s", restore->options.changelog, partition, rd_kafka_message_errstr(message));
    return STEP_DONE;
}

/* A transaction whose end the broker lost blocks its readers for ever (KIP-664): only an operator may end it. A broker of 4.3 that its controller takes for
 * dead while markers are due skips them ("Couldn't find leader endpoint ... likely deleted"). */
static void say_hanging(struct restore *restore, int64_t now) {
    for (int32_t p = 0; p < restore->options.partition_count; p++) {
        const struct restoring *task = &restore->tasks[p];
        if (!is_reading(task) || !task->held_ms || now - task->held_ms < HANGING_MS) continue;
        error_set(&restore->reason, "%s/%d ends at offset %lld in a transaction that has been open for %lld s: it hangs in the broker. Find its start with `kafka-transactions.sh "
                  "find-hanging` and end it with `kafka-transactions.sh abort --topic %s --partition %d --start-offset OFFSET`", restore->options.changelog, (int)p,
                  (long long)task->held_at, (long long)((now - task->held_ms) / 1000), restore->options.changelog, (int)p);
        log_error("transaction_hangs", "%s", restore->reason.text);
    }
}

static void say_progress(struct restore *restore) {
    int64_t now = clock_monotonic_ms();
    if (now - restore->said_ms < PROGRESS_MS) return;
    struct restore_progress progress = restore_progress(restore);
    if (restore->said_ms && progress.tasks)
        log_info("restoring", "%d tasks, about %lld changelog records to go", progress.tasks, (long long)progress.records_left);
    say_hanging(restore, now);
    restore->said_ms = now;
}

static enum step read_some(struct restore *restore, bool *moved, struct fatal_cause *fatal) {
    size_t count = tail_read(restore->queue, restore->messages, READ_MAXIMUM), from = 0;
    enum step step = STEP_DONE;
    while (step == STEP_DONE && from < count) {
        const rd_kafka_message_t *first = restore->messages[from];
        size_t to = from;
        while (to < count && !restore->messages[to]->err && restore->messages[to]->partition == first->partition) to++;
        if (to > from) step = apply(restore, first->partition, restore->messages + from, to - from, fatal);
        else step = take_notice(restore, restore->messages[to++], fatal);
        from = to;
    }
    for (size_t i = 0; i < count; i++) rd_kafka_message_destroy(restore->messages[i]);
    *moved |= count > 0;
    return step;
}

enum step restore_step(struct restore *restore, int timeout_ms, bool *moved, struct fatal_cause *fatal) {
    int asked = 0;
    bool reading = false;
    for (int32_t p = 0; p < restore->options.partition_count && asked < ENDS_AT_ONCE; p++) {
        if (restore->tasks[p].phase != PHASE_ASK) continue;
        bool answered = false;
        enum step step = begin(restore, p, timeout_ms, &answered, fatal);
        if (step != STEP_DONE) return step;
        *moved |= answered;
        if (!answered) break;   /* the broker is away */
        asked++;
    }
    for (int32_t p = 0; p < restore->options.partition_count && !reading; p++) reading = is_reading(&restore->tasks[p]);
    if (!reading) return STEP_DONE;
    say_progress(restore);
    return read_some(restore, moved, fatal);
}

struct restore_progress restore_progress(const struct restore *restore) {
    struct restore_progress progress = {0};
    for (int32_t p = 0; p < restore->options.partition_count; p++) {
        const struct restoring *task = &restore->tasks[p];
        if (task->phase != PHASE_ASK && !is_reading(task)) continue;
        progress.tasks++;
        if (task->phase == PHASE_READ && task->end > task->next) progress.records_left += task->end - task->next;
    }
    return progress;
}

const char *restore_reason(const struct restore *restore) { return restore->reason.text; }
