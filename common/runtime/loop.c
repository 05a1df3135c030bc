#include "common/runtime/loop.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "common/platform/clock.h"
#include "common/platform/log.h"
#include "common/runtime/batch.h"
#include "common/runtime/follow.h"
#include "common/runtime/report.h"
#include "common/runtime/schemas.h"
#include "common/runtime/tasks.h"

enum {
    CALL_MS = 250,              /* the longest that a turn waits for the broker on one matter */
    IDLE_MS = 1000,             /* the longest sleep */
    BUSY_MS = 20,               /* ... while something is being waited for */
    TASK_RECORDS = 64,          /* taken from a task before the next has its turn */
    LEAVE_MS = 700,
    QUIET_MS = 1000,            /* without a batch: a burst is over */
    TRIM_EVERY_MS = 10000,
    DAY_MS = 86400000
};

struct loop {
    const struct loop_options *options;
    struct topics_inputs inputs;
    int64_t *ticked_ms;         /* by partition: when a tick of the task was last sent or taken */
    struct ends *ends;
    struct consumer *consumer;
    struct producer *producer;
    struct batch *batch;
    struct engine *engine;
    struct tasks *tasks;
    struct follow *follow;
    struct report *report;
    bool rewind, producer_ready;
    int32_t turn;               /* the task that begins the next round */
    int64_t committed_ns;       /* when the last batch was */
    int64_t trimmed_ns;         /* when memory was last given back */
    struct error paused;        /* a flood of poison; "" not paused */
    bool need_asked;            /* the tables were looked at once */
    struct error need;          /* what the processor cannot be without and is not in them; "" it is */
    int32_t need_day;           /* when that was */
};

/* ---- making and closing ---- */

static bool make_clients(struct loop *loop, const char **outputs, struct error *error) {
    const struct loop_options *o = loop->options;
    size_t count = 0;
    for (; count < o->topics->output_count; count++) outputs[count] = o->topics->outputs[count];
    outputs[count++] = o->topics->changelog;
    const struct producer_options producer = {o->settings, o->transactional_id, o->transaction_timeout_ms, o->call_timeout_ms, o->compression, outputs, count, o->hurried,
                                              o->at_least_once};
    if (!ends_open(&loop->ends, tail_client(o->tail), loop->inputs.names, loop->inputs.count, o->topics->partition_count, error)) return false;
    const struct consumer_options consumer = {o->settings, o->group, o->instance, loop->inputs.names, loop->inputs.count, o->topics->partition_count,
                                              o->session_timeout_ms, o->wake, loop->ends};
    return producer_open(&loop->producer, &producer, error) && consumer_open(&loop->consumer, &consumer, error);
}

static uint64_t new_id(void) {
    uint64_t id;
    if (getrandom(&id, sizeof id, 0) == (ssize_t)sizeof id) return id;
    return (uint64_t)clock_wall_ms() << 20 ^ (uint64_t)getpid();    /* of a signal: as good as never */
}

static bool make_engine(struct loop *loop, struct error *error) {
    const struct loop_options *o = loop->options;
    const struct batch_options batch = {loop->producer, loop->consumer, loop->inputs.names, loop->inputs.count, o->topics->partition_count, o->at_least_once};
    if (!batch_new(&loop->batch, &batch, error)) return false;
    const struct engine_options engine = {
        .processor = o->processor, .version = o->version, .new_id = new_id, .changelog = o->topics->changelog, .schemas = schemas_for_engine(o->schemas), .tables = o->tables, .sink = batch_sink(loop->batch),
        .partition_count = o->topics->partition_count, .batch_memory = (size_t)o->batch_memory, .erps = o->topics->erps, .wait_limit_ms = o->wait_limit_ms,
        .keep_event_ids_days = o->keep_event_ids_days, .keep_documents_days = o->keep_documents_days,
        .flood_window = o->flood_window, .flood_percent = o->flood_percent};
    if (!engine_new(&loop->engine, &engine, error)) return false;
    batch_set_engine(loop->batch, loop->engine);
    const struct follow_options follow = {o->tail, o->tables, o->table_list, o->registry, o->schemas, o->tables_dir};
    if (!follow_open(&loop->follow, &follow, error)) return false;
    size_t table_count = 0;
    while (o->table_list[table_count]) table_count++;
    const struct tasks_options tasks = {o->states_dir, o->processor, o->topics, loop->inputs.count, table_count, o->tail, loop->consumer, loop->engine, o->tables,
                                        serve_metrics(o->serve)->restore_seconds};
    if (!tasks_open(&loop->tasks, &tasks, error)) return false;
    const struct report_options report = {o->processor, o->serve, o->tables, table_count, loop->consumer, loop->producer, loop->engine, loop->tasks, loop->follow,
                                          loop->ends, &loop->need};
    return report_open(&loop->report, &report, error);
}

static void loop_close(struct loop *loop) {
    if (loop->consumer && loop->tasks) tasks_revoke(loop->tasks);
    producer_close(loop->producer);
    batch_free(loop->batch);   /* before the consumer: librdkafka waits for every record that somebody holds */
    consumer_close(loop->consumer, loop->options->leave, LEAVE_MS);
    ends_close(loop->ends);
    tasks_close(loop->tasks);
    follow_close(loop->follow);
    engine_free(loop->engine);
    report_close(loop->report);
    free(loop->ticked_ms);
}

/* ---- between batches ---- */

static enum step serve_group(struct loop *loop, bool *moved, struct fatal_cause *fatal) {
    struct consumer_change change;
    enum step step = consumer_poll(loop->consumer, &change, fatal);
    if (step != STEP_DONE) return step;
    if (change.revoked) {
        tasks_revoke(loop->tasks);
        log_info("partitions_revoked", "the group takes its partitions back to share them anew");
    }
    if (!change.assigned) return STEP_DONE;
    *moved = true;
    loop->rewind = false;   /* the assignment has just read the committed offsets */
    return tasks_assign(loop->tasks, fatal);
}

/* Whether the tables have what the processor cannot be without (processor.h). Before they are read, and while they do not change, as it was. */
static enum step serve_need(struct loop *loop, bool changed, struct fatal_cause *fatal) {
    const struct loop_options *o = loop->options;
    const struct processor_need *need = &o->processor->need;
    const int32_t today = (int32_t)(clock_wall_ms() / DAY_MS);
    size_t position = 0;
    struct error why = {{0}};
    if (!need->is_met || !follow_is_caught_up(loop->follow) || (loop->need_asked && !changed && today == loop->need_day)) return STEP_DONE;
    while (o->processor->tables[position] != need->table) position++;
    const bool first = !loop->need_asked, met = need->is_met(o->tables, position, today, &why), empty = tables_entries(o->tables, position) == 0;
    loop->need_asked = true;
    loop->need_day = today;
    if (!met && first && !empty) return fatal_because(fatal, EXIT_CONFIGURATION, "%.500s", why.text);
    if (!met && strcmp(why.text, loop->need.text) != 0) log_warning("not_ready", "%s", why.text);
    if (met && loop->need.text[0]) log_info("ready", "the master data that was missing is there");
    loop->need = why;
    if (met) loop->need.text[0] = 0;
    return STEP_DONE;
}

static enum step serve_tables(struct loop *loop, bool *moved, struct fatal_cause *fatal) {
    bool changed = false;
    enum step step = follow_step(loop->follow, CALL_MS, moved, &changed, fatal);
    if (changed) engine_tables_changed(loop->engine);
    return step == STEP_DONE ? serve_need(loop, changed, fatal) : step;
}

/* A producer that can begin, and after an abort everything back to what the group has committed. */
static enum step serve_producer(struct loop *loop, bool *moved, struct fatal_cause *fatal) {
    loop->producer_ready = false;
    switch (producer_prepare(loop->producer, CALL_MS, fatal)) {
    case PRODUCER_FAILED: return STEP_FATAL;
    case PRODUCER_WAITING: return STEP_DONE;
    case PRODUCER_READY: break;
    }
    loop->producer_ready = true;
    if (!loop->rewind || !consumer_rewind(loop->consumer, CALL_MS)) return STEP_DONE;
    loop->rewind = false;
    *moved = true;
    tasks_renew(loop->tasks);
    return STEP_DONE;
}

/* ---- a batch ---- */

static bool is_full(const struct loop *loop) {
    const struct loop_options *o = loop->options;
    return (int64_t)batch_records(loop->batch) >= o->batch_records || (int64_t)batch_bytes(loop->batch) >= o->batch_bytes ||
           batch_age_ns(loop->batch) >= o->batch_ms * 1000000 || engine_full(loop->engine);
}

static bool is_timers(const struct loop *loop, int input) { return (size_t)input + 1 == loop->inputs.count; }

/* What people decided, and ticks. */
static bool is_seldom(const struct loop *loop, int input) { return (size_t)input + 2 >= loop->inputs.count; }

/* The input whose record is the task's next, or -1: none, or one may still come that stands before it. *quiet: bits of inputs where seldom something comes, that were
 * at their end a moment ago; they are not asked again: nearly always they are, and it would cost something for each record. */
static int next_input(struct loop *loop, int32_t partition, unsigned *quiet, const rd_kafka_message_t **message) {
    int input = -1;
    int64_t least = 0, now = clock_wall_ms();
    bool waits = false;
    for (int i = 0; i < (int)loop->inputs.count; i++) {
        const rd_kafka_message_t *head;
        if (*quiet & 1u << i) continue;
        enum consumer_head result = consumer_head(loop->consumer, i, partition, &head);
        if (result == HEAD_WAIT) waits = true;
        if (result == HEAD_END && is_seldom(loop, i)) *quiet |= 1u << i;
        if (result != HEAD_RECORD) continue;
        int64_t time = rd_kafka_message_timestamp(head, NULL);
        if (time > now) time = now;     /* as the engine clamps it */
        if (input >= 0 && time >= least) continue;
        input = i;
        least = time;
        *message = head;
    }
    return waits ? -1 : input;
}

/* Releases, then records, until the task has no more, had its share, or the batch is full. */
static enum engine_result work(struct loop *loop, struct task *task, bool *moved, struct error *error) {
    int32_t partition = task_partition(task);
    unsigned quiet = 0;
    for (int taken = 0; taken < TASK_RECORDS && !is_full(loop);) {
        bool more = false, again = false;
        enum engine_result result = batch_step(loop->batch, task, &more, moved, error);
        if (result != ENGINE_DONE) return result;
        if (more) continue;
        const rd_kafka_message_t *message = NULL;
        int input = next_input(loop, partition, &quiet, &message);
        if (input < 0) break;
        result = batch_take(loop->batch, task, input, message, &again, error);
        if (result != ENGINE_DONE) return result;
        *moved = true;
        if (is_timers(loop, input)) loop->ticked_ms[partition] = clock_monotonic_ms();
        if (!again) taken++;
    }
    return ENGINE_DONE;
}

static enum step sort_result(struct loop *loop, int32_t partition, enum engine_result result, const struct error *error, struct abort_cause *abort,
                             struct fatal_cause *fatal) {
    const char *changed = schemas_changed(loop->options->schemas);
    switch (result) {
    case ENGINE_DONE: return STEP_DONE;
    case ENGINE_WAIT:
        if (changed) return fatal_because(fatal, EXIT_RUN, "%.500s", changed);
        tasks_wait(loop->tasks, partition, error->text);
        return STEP_DONE;
    case ENGINE_FLOOD:
        loop->paused = *error;
        log_error("paused", "%s. Nothing more is taken until this process is started again", error->text);
        return STEP_DONE;
    case ENGINE_REBUILD:
        if (tasks_rebuild(loop->tasks, partition, fatal) != STEP_DONE) return STEP_FATAL;
        return abort_because(abort, "partition %d: the state is damaged: %.300s", partition, error->text);
    case ENGINE_ABORT: return abort_because(abort, "partition %d: %.400s", partition, error->text[0] ? error->text : batch_sink_error(loop->batch));
    case ENGINE_FATAL: break;
    }
    return fatal_because(fatal, EXIT_RUN, "partition %d: %.400s", partition, error->text);
}

/* Takes from the tasks in turn until the batch is full or nothing is left that may be taken now. */
static enum step collect(struct loop *loop, struct abort_cause *abort, struct fatal_cause *fatal) {
    int32_t count = loop->options->topics->partition_count;
    bool moved = true;
    while (moved && !is_full(loop) && !loop->paused.text[0]) {
        moved = false;
        for (int32_t i = 0; i < count && !is_full(loop); i++) {
            int32_t partition = (loop->turn + i) % count;
            struct task *task = tasks_ready(loop->tasks, partition);
            if (!task) continue;
            struct error error = {{0}};
            bool worked = false;
            enum engine_result result = work(loop, task, &worked, &error);
            if (worked && result == ENGINE_DONE) tasks_went_on(loop->tasks, partition);
            moved |= worked;
            enum step step = sort_result(loop, partition, result, &error, abort, fatal);
            if (step != STEP_DONE) return step;
            if (loop->paused.text[0]) break;
        }
        loop->turn = (loop->turn + 1) % count;
    }
    return STEP_DONE;
}

/* Ticks for the tasks where something waits that needs one. The clock here only says when to ask: what counts is the broker's time of the tick. */
static enum step send_ticks(struct loop *loop, struct abort_cause *abort) {
    int64_t now = clock_monotonic_ms(), wall = clock_wall_ms();
    for (int32_t p = 0; p < loop->options->topics->partition_count; p++) {
        struct task *task = tasks_ready(loop->tasks, p);
        if (!task || now - loop->ticked_ms[p] < loop->options->timers_interval_ms || !task_wants_tick(task, wall)) continue;
        struct error error = {{0}};
        loop->ticked_ms[p] = now;
        if (engine_send_tick(loop->engine, task, &error) != ENGINE_DONE) return abort_because(abort, "%s: %.400s", loop->inputs.timers, error.text);
    }
    return STEP_DONE;
}

static void abort_batch(struct loop *loop, const struct abort_cause *cause) {
    struct error error;
    log_warning("batch_aborted", "%s; going back to the committed offsets", cause->error.text);
    if (!batch_abort(loop->batch, &error)) log_warning("batch_aborted", "%s", error.text);
    report_aborted(loop->report);
    loop->rewind = true;
    tasks_revoke(loop->tasks);  /* none may take records before the way back is done */
}

/* One batch, if there is anything for one. */
static enum step run_batch(struct loop *loop, bool *moved, struct fatal_cause *fatal) {
    struct abort_cause abort;
    if (!batch_begin(loop->batch)) return STEP_DONE;
    enum step step = collect(loop, &abort, fatal);
    if (step == STEP_DONE && !loop->paused.text[0]) step = send_ticks(loop, &abort);
    if (step == STEP_DONE && batch_is_empty(loop->batch)) {
        batch_cancel(loop->batch);
        return STEP_DONE;
    }
    *moved = true;
    int64_t sealed_ns = clock_monotonic_ns();
    size_t records = batch_records(loop->batch);
    if (step == STEP_DONE) step = batch_commit(loop->batch, report_record, loop->report, &abort, fatal);
    loop->committed_ns = clock_monotonic_ns();
    if (step == STEP_DONE) report_committed(loop->report, records, loop->committed_ns - sealed_ns);
    if (step != STEP_ABORT) return step;
    abort_batch(loop, &abort);
    return STEP_DONE;
}

/* ---- the loop ---- */

static bool may_take(const struct loop *loop) {
    return loop->producer_ready && !loop->rewind && !loop->paused.text[0] && consumer_is_assigned(loop->consumer) && follow_is_caught_up(loop->follow) &&
           !loop->need.text[0];
}

/* What a load, or a restore, needed at its height goes back to the system when it is over: by itself glibc keeps it. Some milliseconds, when nothing waits for them. */
static void give_memory_back(struct loop *loop) {
    const int64_t now = clock_monotonic_ns();
    if (loop->trimmed_ns > loop->committed_ns || now - loop->committed_ns < QUIET_MS * INT64_C(1000000) || now - loop->trimmed_ns < TRIM_EVERY_MS * INT64_C(1000000)) return;
    malloc_trim(0);
    loop->trimmed_ns = now;
}

/* Sleeps until a client has something, stopping is asked for, or the time is over. */
static void sleep_a_while(struct loop *loop, bool busy) {
    int64_t timeout_ms = busy ? BUSY_MS : IDLE_MS, next_try = tasks_next_try_ms(loop->tasks);
    if (next_try >= 0 && next_try < timeout_ms) timeout_ms = next_try + 1;
    struct pollfd descriptors[] = {{loop->options->wake, POLLIN, 0}, {loop->options->stop_descriptor, POLLIN, 0}};
    if (poll(descriptors, 2, (int)timeout_ms) <= 0 || !(descriptors[0].revents & POLLIN)) return;
    uint64_t count;
    if (read(loop->options->wake, &count, sizeof count) < 0 && errno != EAGAIN) log_warning("wake", "the wake-up cannot be read: %m");
}

/* The gap between two transactions: the broker is still writing the last one's markers, and a new one would be told to come again later. */
static void keep_gap(struct loop *loop) {
    int64_t left = loop->committed_ns + loop->options->commit_gap_ms * 1000000 - clock_monotonic_ns();
    if (loop->committed_ns == 0 || left <= 0) return;
    struct timespec rest = {left / 1000000000, left % 1000000000};
    nanosleep(&rest, NULL);
}

static enum step turn(struct loop *loop, struct fatal_cause *fatal) {
    bool moved = false;
    enum step step = serve_group(loop, &moved, fatal);
    if (step == STEP_DONE) step = serve_tables(loop, &moved, fatal);
    if (step == STEP_DONE) step = serve_producer(loop, &moved, fatal);
    if (step == STEP_DONE && !loop->rewind) step = tasks_step(loop->tasks, CALL_MS, &moved, fatal);
    if (step == STEP_DONE && may_take(loop)) {
        keep_gap(loop);
        step = run_batch(loop, &moved, fatal);
    }
    if (step != STEP_DONE) return step;
    /* A long sleep is for when /readyz says how it is. */
    if (!moved && may_take(loop)) give_memory_back(loop);
    bool told = report_refresh(loop->report, loop->producer_ready && !loop->rewind, loop->paused.text);
    if (!moved) sleep_a_while(loop, !told || (!may_take(loop) && !loop->paused.text[0]));
    return STEP_DONE;
}

enum step loop_run(const struct loop_options *options, struct fatal_cause *fatal) {
    struct loop loop = {.options = options};
    const char *outputs[TOPIC_NAMES_MAXIMUM + 1];
    enum step step = STEP_DONE;
    struct error error;
    topics_inputs(options->processor, &loop.inputs);
    loop.ticked_ms = calloc((size_t)options->topics->partition_count, sizeof *loop.ticked_ms);
    for (int32_t p = 0; loop.ticked_ms && p < options->topics->partition_count; p++) loop.ticked_ms[p] = -options->timers_interval_ms;
    if (!loop.ticked_ms) step = fatal_because(fatal, EXIT_RUN, "out of memory");
    else if (!make_clients(&loop, outputs, &error) || !make_engine(&loop, &error)) step = fatal_because(fatal, EXIT_CONFIGURATION, "%.500s", error.text);
    while (step == STEP_DONE && !options->stopping()) step = turn(&loop, fatal);
    if (step != STEP_DONE) options->ending(fatal);
    loop_close(&loop);
    return step;
}
