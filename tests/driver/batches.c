/* batches: how an event reaches the processors, and what is done to it before: the modes. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/driver/allocation.h"
#include "tests/driver/run.h"

static const char *const result_names[] = {[ENGINE_DONE] = "done", [ENGINE_WAIT] = "wait", [ENGINE_FLOOD] = "flood", [ENGINE_REBUILD] = "rebuild", [ENGINE_ABORT] = "abort", [ENGINE_FATAL] = "fatal"};

void result_fail(struct run *run, const struct statement *statement, const struct instance *instance, const char *expected, enum engine_result result, const struct error *error) {
    char text[800];
    snprintf(text, sizeof text, "%s: %s: %s", instance->processor->name, result_names[result], error->text);
    run_stop(run, statement, expected, text);
}

struct engine_message message_of(const struct given *given, struct slice value) {
    static const struct record_header mark = {SYNTHETIC_HEADER, {"yes", 3}};
    return (struct engine_message){.partition = given->partition, .offset = given->offset, .timestamp_ms = given->time_ms, .received_ms = given->received_ms,
                                   .key = given->key, .value = value, .headers = &mark, .header_count = given->synthetic};
}

bool undo(struct run *run, struct instance *instance, size_t mark, const struct statement *statement) {
    struct error error = {{0}};
    bool ok = instance_abort(instance, &error);
    if (!ok) result_fail(run, statement, instance, "an abort", ENGINE_FATAL, &error);
    broker_cut(&run->broker, mark);
    return ok;
}

static void restart(struct run *run, struct instance *instance, bool forget, const struct statement *statement) {
    struct error error = {{0}};
    if (!instance_restart(instance, forget, &error)) {
        result_fail(run, statement, instance, "a restart", ENGINE_FATAL, &error);
        exit(1);   /* nothing can be done without an instance */
    }
}

/* ---- truncate ---- */

/* Given cut at every length, the event is poison each time, and nothing is changed. */
static void truncations_try(struct run *run, struct instance *instance, const struct given *given) {
    size_t mark = run->broker.count, length = given->value.length, dead = 0;
    uint64_t before = instance_fingerprint(instance);
    struct task_waiting waited = instance_waiting(instance);
    struct error error = {{0}};
    enum engine_result result = ENGINE_DONE;
    bool follows = instance->processor->inputs[instance_input(instance, given->topic)].follows;
    char **pieces = calloc(length + 1, sizeof *pieces);   /* each of exactly its size: a read behind it is seen by the sanitizer */
    for (size_t i = 0; i < length && result == ENGINE_DONE; i++) {
        pieces[i] = malloc(i ? i : 1);
        memcpy(pieces[i], given->value.data, i);
        struct engine_message message = message_of(given, (struct slice){pieces[i], i});
        result = instance_take(instance, given->topic, &message, &error);
    }
    if (result == ENGINE_DONE) result = instance_commit(instance, &error);
    for (size_t i = 0; i < length; i++) free(pieces[i]);
    free(pieces);
    if (result != ENGINE_DONE) result_fail(run, given->statement, instance, "each cut event taken", result, &error);
    for (size_t i = mark; i < run->broker.count; i++)
        dead += slice_equal(stored_header(run->broker.items[i], "kontor-reason"), SLICE("DECODE_FAILED"));
    char got[160];
    snprintf(got, sizeof got, "%zu of %zu sent are dead letters", dead, run->broker.count - mark);
    if (dead != run->broker.count - mark || dead != (follows ? 0 : length)) run_fail(run, given->statement, "cut at every length: a dead letter DECODE_FAILED each, and nothing else", got);
    struct task_waiting waiting = instance_waiting(instance);
    if (before != instance_fingerprint(instance) || waited.parked != waiting.parked || waited.held != waiting.held || waited.behind != waiting.behind)
        run_fail(run, given->statement, "cut events leave the state as it was", "it changed");
    broker_cut(&run->broker, mark);
    run->tried += length;
}

/* ---- allocation ---- */

/* Given with the nth allocation failing, for every n: the batch is to be aborted, and leaves nothing; or it was an allocation that can be done without,
 * and the same bytes are sent. */
static void failures_try(struct run *run, struct instance *instance, const struct given *given, enum allocation_kind kind) {
    uint64_t without = 0;
    bool done_without = false;
    for (long nth = 1; ; nth++) {
        /* Memory that is kept for the next batch would be found there: begin each time without. */
        if (kind == ALLOCATION_HEAP) restart(run, instance, false, given->statement);
        size_t mark = run->broker.count;
        struct error error = {{0}};
        struct engine_message message = message_of(given, given->value);
        uint64_t before = instance_fingerprint(instance);
        allocation_fail_at(kind, nth);
        enum engine_result result = instance_take(instance, given->topic, &message, &error);
        if (result == ENGINE_DONE) result = instance_settle(instance, &error);
        if (result == ENGINE_DONE) result = engine_seal(instance->engine, &error);
        bool failed = allocation_end();
        uint64_t sent = broker_sent(&run->broker, mark);
        if (failed && result != ENGINE_ABORT && result != ENGINE_DONE) {
            char expected[100];
            snprintf(expected, sizeof expected, "abort when %s allocation %ld fails", kind == ALLOCATION_HEAP ? "heap" : "arena", nth);
            result_fail(run, given->statement, instance, expected, result, &error);
        }
        bool same = !done_without || sent == without;
        if (result == ENGINE_DONE && !same) run_fail(run, given->statement, "the same bytes sent when an allocation that can be done without fails", "other bytes");
        if (failed && result == ENGINE_DONE) { done_without = true; without = sent; }
        if (!undo(run, instance, mark, given->statement)) return;
        if (before != instance_fingerprint(instance)) run_fail(run, given->statement, "an aborted batch leaves the state as it was", "it changed");
        if (!failed) return;
        run->tried++;
    }
}

/* ---- giving ---- */

static bool words_have(const struct statement *statement, const char *word) {
    for (size_t i = statement_arrow(statement); i < statement->count; i++)
        if (strcmp(statement->words[i], word) == 0) return true;
    return false;
}

static bool is_tick(const struct given *given) { return strcmp(given->topic, TICKS_INPUT) == 0; }
/* Of a source, so that it can be dead-lettered. */
static bool is_event(const struct given *given) { return !is_tick(given) && strncmp(given->topic, RESOLUTIONS, strlen(RESOLUTIONS)) != 0; }

static void before_giving(struct run *run, struct instance *instance, struct given *given) {
    bool settled = !run->surroundings.registry_down, readable = is_event(given) && strcmp(given->statement->words[0], "raw") != 0 && !words_have(given->statement, "SCHEMA_UNKNOWN");
    if (run->mode == MODE_TRUNCATE && settled && readable) truncations_try(run, instance, given);
    if ((run->mode == MODE_EXTREMES || run->mode == MODE_LISTS) && settled && readable) extremes_try(run, instance, given);
    if (run->mode == MODE_ALLOCATION && settled)
        for (int kind = 0; kind < ALLOCATION_KINDS; kind++) failures_try(run, instance, given, (enum allocation_kind)kind);
}

static void commit(struct run *run, struct instance *instance, const struct statement *statement) {
    if (!instance->processor) return;
    struct error error = {{0}};
    instance->commit_fails = run->mode == MODE_ALLOCATION;
    enum engine_result result = instance_commit(instance, &error);
    /* Kafka has the batch and the state does not: the processor stops, and the changelog brings the state forward. */
    if (instance->commit_fails && instance->reopen) restart(run, instance, false, statement);
    else if (result != ENGINE_DONE) result_fail(run, statement, instance, "a commit", result, &error);
}

/* What an event or a table has released. When restarts are the mode, one comes between, and one after. */
static enum engine_result release(struct run *run, struct instance *instance, const struct statement *statement, struct error *error) {
    bool restarts = run->mode == MODE_RESTART || run->mode == MODE_REBUILD, forget = run->mode == MODE_REBUILD;
    if (restarts) {
        commit(run, instance, statement);
        restart(run, instance, forget, statement);
    }
    enum engine_result result = instance_settle(instance, error);
    if (restarts && result == ENGINE_DONE && engine_batch_records(instance->engine)) {
        commit(run, instance, statement);
        restart(run, instance, forget, statement);
        result = instance_settle(instance, error);
    }
    return result;
}

/* Of a synthetic event one marked acknowledgment was sent by the processor that answers for it, or a dead letter, and nothing by those that follow; and no state was
 * changed, not even the task's clock. */
static void synthetic_check(struct run *run, const struct instance *instance, const struct given *given, size_t mark, uint64_t before) {
    const bool answers = !instance->processor->inputs[instance_input(instance, given->topic)].follows;
    const struct stored *told = run->broker.count > mark ? run->broker.items[mark] : NULL;
    const bool acknowledged = told && stored_in(told, "acknowledgments") && ((const struct acknowledgment *)told->decoded)->synthetic;
    const bool dead = told && strncmp(told->topic, "dlq.", 4) == 0;
    char got[200];
    snprintf(got, sizeof got, "%s sent %zu records, the first to %s", instance->processor->name, run->broker.count - mark, told ? told->topic : "no topic");
    if (run->broker.count - mark != answers || (answers && !acknowledged && !dead)) run_fail(run, given->statement, "a synthetic event's acknowledgment, and nothing else", got);
    if (before != instance_fingerprint(instance)) run_fail(run, given->statement, "no state of a synthetic event", "the state changed");
}

static void give(struct run *run, struct instance *instance, struct given *given) {
    if (!instance->processor || instance_input(instance, given->topic) < 0 || (is_tick(given) && !instance->tasks[given->partition].used)) return;
    struct error error = {{0}};
    before_giving(run, instance, given);
    size_t mark = run->broker.count;
    struct engine_message message = message_of(given, given->value);
    if (given->synthetic) commit(run, instance, given->statement);   /* so that what it changes is its own */
    const uint64_t before = given->synthetic ? instance_fingerprint(instance) : 0;
    mark = run->broker.count;
    enum engine_result result = instance_take(instance, given->topic, &message, &error);
    if (given->synthetic && result == ENGINE_DONE) {
        commit(run, instance, given->statement);
        synthetic_check(run, instance, given, mark, before);
    }
    if (result == ENGINE_DONE) result = release(run, instance, given->statement, &error);
    if (result == ENGINE_DONE && run->mode != MODE_PACKED) commit(run, instance, given->statement);
    if (result == ENGINE_DONE) return;
    if (result == ENGINE_WAIT) {   /* nothing was taken */
        given->untaken = true;
        return;
    }
    result_fail(run, given->statement, instance, "the event taken", result, &error);
    undo(run, instance, mark, given->statement);
}

/* A record that somebody answers for counts among what was given: what became of it is looked at after the case. */
static struct given *flowed_keep(struct run *run, const struct given *given) {
    if (run->given_count == run->given_capacity) {
        run_fail(run, given->statement, "no more records between processors than there is room for", "more");
        return NULL;
    }
    char *origin = arena_alloc(&run->arena, 96);
    sprintf(origin, "%.60s/%d/%lld", given->topic, (int)given->partition, (long long)given->offset);
    struct given *kept = &run->given[run->given_count++];
    *kept = *given;
    kept->origin = origin;
    return kept;
}

static const char *text_keep(struct run *run, struct slice text) { return arena_copy(&run->arena, text.length ? text.data : "", text.length); }

/* Its event id and document are those of its acknowledgment. */
void batch_name(struct run *run, struct given *kept) {
    const struct stored *stored = outcome_newest(run, kept);
    if (!stored || !stored->decoded) return;
    const struct acknowledgment *acknowledgment = stored->decoded;
    kept->id = text_keep(run, acknowledgment->event_id);
    kept->document = text_keep(run, acknowledgment->document);
}

/* What processors have sent to topics that others read reaches those, in the order in which it was sent, until nothing more comes of it. When batches are
 * packed it does so before the sender's batch is committed: the same is to come of it, and the batches stay as large. */
static void flow(struct run *run, const struct statement *statement) {
    for (; run->flowed < run->broker.count && !run->surroundings.registry_down; run->flowed++) {
        const struct stored *stored = run->broker.items[run->flowed];
        if (!stored->processor) continue;
        int64_t now_ms = run->surroundings.now_ms;
        struct given given = {.statement = statement, .family = family_answering(stored->topic), .topic = stored->topic, .id = "", .document = "",
                              .partition = stored->partition, .offset = stored->offset, .time_ms = stored->timestamp_ms ? stored->timestamp_ms : now_ms, .received_ms = now_ms, .key = stored->key, .value = stored->value};
        struct given *kept = given.family >= 0 && run->instances[given.family].processor ? flowed_keep(run, &given) : NULL;
        for (int i = 0; i < family_count; i++) give(run, &run->instances[i], &given);
        if (kept) batch_name(run, kept);
        if (given.untaken) run_fail(run, statement, "a record that a processor sent taken by those that read it", "it waits");
    }
}

void batch_give(struct run *run, struct given *given) {
    const struct engine_output input = {.topic = given->topic, .partition = given->partition, .key = given->key, .value = given->value};
    struct error error = {{0}};
    if (!given->origin) {
        char *origin = arena_alloc(&run->arena, 96);
        given->offset = broker_end(&run->broker, input.topic, input.partition);
        sprintf(origin, "%s/%d/%lld", input.topic, (int)input.partition, (long long)given->offset);
        given->origin = origin;
        if (!broker_append(&run->broker, NULL, &input, &error)) run_fail(run, given->statement, "a record in the topic", error.text);
    }
    given->untaken = false;
    if (run->surroundings.now_ms < given->received_ms) run->surroundings.now_ms = given->received_ms;
    for (int i = 0; i < family_count; i++) give(run, &run->instances[i], given);
    flow(run, given->statement);
}

/* The table's new records, with every allocation failing in its turn when that is the mode: they are read again then. */
static void tables_follow(struct run *run, struct instance *instance, const struct statement *statement) {
    if (!instance->processor) return;
    for (long nth = 1; ; nth++) {
        size_t mark = run->broker.count;
        struct error error = {{0}};
        if (run->mode == MODE_ALLOCATION) allocation_fail_at(nth % 2 ? ALLOCATION_HEAP : ALLOCATION_ARENA, (nth + 1) / 2);
        enum engine_result result = instance_follow_tables(instance, &error);
        if (result == ENGINE_DONE) result = release(run, instance, statement, &error);
        bool failed = allocation_end();
        run->tried += failed;
        if (result == ENGINE_DONE) {
            commit(run, instance, statement);
            if (!failed && nth % 2 == 0) return;
            if (run->mode != MODE_ALLOCATION) return;
            continue;
        }
        if (!failed) { result_fail(run, statement, instance, "the tables followed", result, &error); return; }
        if (!undo(run, instance, mark, statement)) return;
    }
}

static struct given tick_of(const struct statement *statement, int32_t partition, int64_t time_ms) {
    return (struct given){.statement = statement, .family = -1, .topic = TICKS_INPUT, .id = "", .origin = "", .partition = partition, .time_ms = time_ms, .received_ms = time_ms};
}

void batch_tick(struct run *run, const struct statement *statement, int64_t time_ms) {
    for (int32_t p = 0; p < PARTITIONS; p++) {
        struct given given = tick_of(statement, p, time_ms);
        batch_give(run, &given);
    }
}

int batch_quiet(struct run *run, const struct statement *statement, int64_t now_ms) {
    int ticks = 0;
    batch_flush(run, statement);   /* what is sent can be read when it is committed */
    for (int i = 0; i < family_count; i++)
        for (int32_t p = 0; p < PARTITIONS; p++) {
            struct instance *instance = &run->instances[i];
            struct error error = {{0}};
            char topic[128];
            if (!instance->processor || !instance->tasks[p].task || !task_wants_tick(instance->tasks[p].task, now_ms)) continue;
            snprintf(topic, sizeof topic, "kontor.%s.timers", instance->processor->name);
            int64_t end = broker_end(&run->broker, topic, p);
            enum engine_result result = engine_send_tick(instance->engine, instance->tasks[p].task, &error);
            if (result != ENGINE_DONE || broker_end(&run->broker, topic, p) != end + 1) result_fail(run, statement, instance, "a tick in the timers topic", result, &error);
            struct given given = tick_of(statement, p, now_ms);
            give(run, instance, &given);
            ticks++;
        }
    flow(run, statement);
    return ticks;
}

void batch_follow_tables(struct run *run, const struct statement *statement) {
    for (int i = 0; i < family_count; i++) tables_follow(run, &run->instances[i], statement);
    flow(run, statement);
}

void batch_flush(struct run *run, const struct statement *statement) {
    for (int i = 0; i < family_count; i++) commit(run, &run->instances[i], statement);
}
