#include "common/runtime/follow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/platform/clock.h"
#include "common/platform/log.h"
#include "common/runtime/schemas.h"

enum { LOAD_MAXIMUM = 4000, FOLLOW_MAXIMUM = 500, RECORD_MEMORY = 16 << 20, RETRY_MS = 500 };

struct followed {
    char topic[256];
    struct codec_reader *reader;
    bool asked, started, reached, at_end;
    int64_t end, last_at_end_ms;
    uint64_t bad;
};

struct follow {
    struct follow_options options;
    struct tail_queue *queue;
    struct followed tables[TABLES_MAXIMUM];
    size_t count;
    struct arena arena;
    rd_kafka_message_t *messages[LOAD_MAXIMUM];
    size_t message_count, next;     /* what was read and not taken yet */
    int64_t retry_ms;
    struct error reason;
};

bool follow_open(struct follow **result, const struct follow_options *options, struct error *error) {
    struct follow *follow = calloc(1, sizeof *follow);
    if (!follow) return error_set(error, "out of memory");
    follow->options = *options;
    arena_init(&follow->arena, 64 << 10, RECORD_MEMORY);
    bool fine = tail_queue_open(options->tail, &follow->queue, error);
    for (; fine && options->list[follow->count]; follow->count++) {
        struct followed *table = &follow->tables[follow->count];
        snprintf(table->topic, sizeof table->topic, "master.%s", options->list[follow->count]->name);
        table->last_at_end_ms = clock_monotonic_ms();
        table->reader = codec_reader_new(options->list[follow->count]->type, options->registry);
        if (!table->reader) fine = error_set(error, "out of memory");
    }
    if (fine) *result = follow;
    else follow_close(follow);
    return fine;
}

void follow_close(struct follow *follow) {
    if (!follow) return;
    while (follow->next < follow->message_count) rd_kafka_message_destroy(follow->messages[follow->next++]);
    for (size_t i = 0; i < follow->count; i++) {
        if (follow->tables[i].started) tail_stop(follow->queue, follow->tables[i].topic, 0);
        codec_reader_free(follow->tables[i].reader);
    }
    tail_queue_close(follow->queue);
    arena_free(&follow->arena);
    free(follow);
}

/* Asks where the topic ends now and starts to read from the checkpoint. */
static enum step start(struct follow *follow, size_t index, int timeout_ms, bool *moved, struct fatal_cause *fatal) {
    struct followed *table = &follow->tables[index];
    int64_t low, high, position = tables_position(follow->options.tables, index);
    if (!tail_bounds(follow->options.tail, table->topic, 0, timeout_ms, &low, &high, &follow->reason)) return STEP_DONE;
    *moved = table->asked = true;
    if (position > high || (position > 0 && position < low))
        return fatal_because(fatal, EXIT_RUN, "the local copy of %s ends at %" PRId64 ", the topic reaches from %" PRId64 " to %" PRId64
                             ": it was made anew. Delete %s, it is read again", table->topic, position, low, high, follow->options.dir);
    table->end = high;
    table->reached = position >= high || low == high;
    struct error error;
    if (!tail_start(follow->queue, table->topic, 0, position > low ? position : low, &error)) return fatal_because(fatal, EXIT_RUN, "%s", error.text);
    table->started = true;
    return STEP_DONE;
}

static size_t table_of(const struct follow *follow, const rd_kafka_message_t *message) {
    const char *topic = rd_kafka_topic_name(message->rkt);
    size_t i = 0;
    while (i < follow->count && strcmp(follow->tables[i].topic, topic) != 0) i++;
    return i;
}

enum taken { TAKEN, TAKEN_WAIT, TAKEN_FATAL };

static enum taken put(struct follow *follow, size_t index, const rd_kafka_message_t *message, struct error *error) {
    struct followed *table = &follow->tables[index];
    struct slice key = {message->key, message->key_len};
    enum table_put result;
    if (!message->payload) {
        result = tables_remove(follow->options.tables, index, key, message->offset, error);
    } else {
        arena_reset(&follow->arena);
        struct error why = {{0}};
        void *record = arena_alloc(&follow->arena, follow->options.list[index]->type->size);
        if (!record) { error_set(error, "out of memory"); return TAKEN_FATAL; }
        enum codec_reader_result read = codec_reader_decode(table->reader, message->payload, message->len, &follow->arena, record, &why);
        if (read == CODEC_READER_REGISTRY_CHANGED) { *error = why; return TAKEN_FATAL; }
        bool blind = read == CODEC_READER_SCHEMA_UNKNOWN && !schemas_registry_is_right(follow->options.schemas, &why);
        if (read == CODEC_READER_REGISTRY_UNREACHABLE || blind) {
            error_set(&follow->reason, "%s: %.400s", table->topic, why.text);
            return TAKEN_WAIT;
        }
        result = tables_put(follow->options.tables, index, key, read == CODEC_READER_OK ? record : NULL, why.text, message->offset, error);
    }
    if (result == TABLE_PUT_FAILED) return TAKEN_FATAL;
    if (result == TABLE_PUT_BAD && table->bad++ < 10)
        log_warning_with("master_record_bad", LOG_FIELDS(LOG_TEXT("topic", table->topic), LOG_INTEGER("offset", message->offset), LOG_SLICE("key", key)),
                         "a master record is not usable; its key cannot be trusted until a good one comes: %.600s", error->text);
    return TAKEN;
}

static void take_notice(struct follow *follow, struct followed *table, const rd_kafka_message_t *message) {
    if (message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        error_set(&follow->reason, "%s: %s", table->topic, rd_kafka_message_errstr(message));
        return;
    }
    table->at_end = true;
    if (message->offset >= table->end) table->reached = true;
}

/* Puts what was read into the tables, in one transaction of theirs. */
static enum step put_all(struct follow *follow, bool *changed, struct fatal_cause *fatal) {
    int64_t next[TABLES_MAXIMUM], broker_time_ms = 0;
    struct error error;
    enum taken taken = TAKEN;
    for (size_t i = 0; i < TABLES_MAXIMUM; i++) next[i] = -1;
    if (!tables_begin(follow->options.tables, &error)) return fatal_because(fatal, EXIT_RUN, "tables: %.400s", error.text);
    while (follow->next < follow->message_count) {
        rd_kafka_message_t *message = follow->messages[follow->next];
        size_t index = table_of(follow, message);
        if (message->err) {
            if (index < follow->count) take_notice(follow, &follow->tables[index], message);
            if (index < follow->count && message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) next[index] = message->offset;
        } else {
            taken = put(follow, index, message, &error);
            if (taken != TAKEN) break;
            next[index] = message->offset + 1;
            broker_time_ms = rd_kafka_message_timestamp(message, NULL);
            follow->tables[index].at_end = false;
            follow->tables[index].last_at_end_ms = clock_monotonic_ms();
            *changed = true;
        }
        rd_kafka_message_destroy(message);
        follow->next++;
    }
    if (taken == TAKEN_FATAL) return fatal_because(fatal, EXIT_RUN, "tables: %.400s", error.text);
    if (taken == TAKEN_WAIT) follow->retry_ms = clock_monotonic_ms() + RETRY_MS;
    if (!tables_commit(follow->options.tables, next, broker_time_ms ? broker_time_ms : clock_wall_ms(), &error))
        return fatal_because(fatal, EXIT_RUN, "tables: %.400s", error.text);
    return STEP_DONE;
}

enum step follow_step(struct follow *follow, int timeout_ms, bool *moved, bool *changed, struct fatal_cause *fatal) {
    for (size_t i = 0; i < follow->count; i++) {
        if (follow->tables[i].asked) continue;
        bool answered = false;
        enum step step = start(follow, i, timeout_ms, &answered, fatal);
        if (step != STEP_DONE || !answered) return step;
        *moved = true;
    }
    if (follow->next == follow->message_count) {
        follow->next = 0;
        follow->message_count = tail_read(follow->queue, follow->messages, follow_is_caught_up(follow) ? FOLLOW_MAXIMUM : LOAD_MAXIMUM);
    } else if (clock_monotonic_ms() < follow->retry_ms) {
        return STEP_DONE;
    }
    if (follow->message_count == 0) return STEP_DONE;
    *moved = true;
    return put_all(follow, changed, fatal);
}

bool follow_is_caught_up(const struct follow *follow) {
    for (size_t i = 0; i < follow->count; i++)
        if (!follow->tables[i].reached) return false;
    return true;
}

const char *follow_reason(const struct follow *follow) { return follow->reason.text; }
uint64_t follow_bad_records(const struct follow *follow, size_t table) { return follow->tables[table].bad; }

int64_t follow_staleness_ms(const struct follow *follow, size_t table, bool broker_is_reachable) {
    const struct followed *followed = &follow->tables[table];
    return followed->at_end && broker_is_reachable ? 0 : clock_monotonic_ms() - followed->last_at_end_ms;
}
