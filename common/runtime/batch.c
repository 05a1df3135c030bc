#include "common/runtime/batch.h"

#include <stdlib.h>

#include "common/platform/clock.h"
#include "common/runtime/fault.h"

enum { HEADERS_BLOCK = 64 << 10, HEADERS_MEMORY = 64 << 20 };

struct batch {
    struct batch_options options;
    struct engine *engine;
    rd_kafka_consumer_group_metadata_t *group;  /* of the batch's start; NULL: no batch */
    bool open;                                  /* a transaction is */
    rd_kafka_message_t **messages;
    size_t message_count, message_capacity, bytes;
    struct delivery *deliveries;                /* of the changelog, by partition */
    bool *touched;                              /* by partition */
    struct arena headers;
    struct abort_cause sink_cause;
    int64_t started_ns;
};

bool batch_new(struct batch **result, const struct batch_options *options, struct error *error) {
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch) return error_set(error, "out of memory");
    batch->options = *options;
    batch->deliveries = calloc((size_t)options->partition_count, sizeof *batch->deliveries);
    batch->touched = calloc((size_t)options->partition_count, sizeof *batch->touched);
    arena_init(&batch->headers, HEADERS_BLOCK, HEADERS_MEMORY);
    if (!batch->deliveries || !batch->touched) {
        batch_free(batch);
        return error_set(error, "out of memory");
    }
    *result = batch;
    return true;
}

static void forget(struct batch *batch) {
    for (size_t i = 0; i < batch->message_count; i++) rd_kafka_message_destroy(batch->messages[i]);
    batch->message_count = batch->bytes = 0;
    if (batch->group) rd_kafka_consumer_group_metadata_destroy(batch->group);
    batch->group = NULL;
    batch->open = false;
    arena_reset(&batch->headers);
}

void batch_free(struct batch *batch) {
    if (!batch) return;
    forget(batch);
    arena_free(&batch->headers);
    free(batch->messages);
    free(batch->deliveries);
    free(batch->touched);
    free(batch);
}

void batch_set_engine(struct batch *batch, struct engine *engine) { batch->engine = engine; }

static enum step open_transaction(struct batch *batch, struct abort_cause *abort) {
    if (batch->open) return STEP_DONE;
    enum step step = producer_begin(batch->options.producer, abort);
    batch->open = step == STEP_DONE;
    return step;
}

static bool sink_send(void *context, const struct engine_output *output, struct error *error) {
    struct batch *batch = context;
    int32_t partition = task_partition(output->task);
    batch->touched[partition] = true;
    enum step step = open_transaction(batch, &batch->sink_cause);
    if (step == STEP_DONE)
        step = producer_send(batch->options.producer, output, output->changelog ? &batch->deliveries[partition] : NULL, &batch->sink_cause);
    if (step == STEP_DONE) return true;
    *error = batch->sink_cause.error;
    return false;
}

struct engine_sink batch_sink(struct batch *batch) { return (struct engine_sink){batch, sink_send}; }

bool batch_begin(struct batch *batch) {
    batch->group = consumer_group(batch->options.consumer);
    if (!batch->group) return false;
    for (int32_t p = 0; p < batch->options.partition_count; p++) {
        batch->deliveries[p] = (struct delivery){-1, -1};
        batch->touched[p] = false;
    }
    batch->sink_cause.error.text[0] = 0;
    batch->started_ns = clock_monotonic_ns();
    return true;
}

enum engine_result batch_step(struct batch *batch, struct task *task, bool *more, bool *moved, struct error *error) {
    uint64_t before = engine_batch_records(batch->engine);
    enum engine_result result = engine_step(batch->engine, task, more, error);
    if (engine_batch_records(batch->engine) != before) *moved = batch->touched[task_partition(task)] = true;
    return result;
}

static bool headers_of(struct batch *batch, const rd_kafka_message_t *message, struct engine_message *to, struct error *error) {
    rd_kafka_headers_t *headers;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return true;
    size_t count = rd_kafka_header_cnt(headers);
    struct record_header *list = arena_alloc(&batch->headers, count * sizeof *list + 1);
    if (!list) return error_set(error, "the records' headers take more than %d bytes", HEADERS_MEMORY);
    for (size_t i = 0; i < count; i++) {
        const void *value;
        size_t length;
        rd_kafka_header_get_all(headers, i, &list[i].name, &value, &length);
        list[i].value = (struct slice){value, length};
    }
    to->headers = list;
    to->header_count = count;
    return true;
}

static bool keep(struct batch *batch, rd_kafka_message_t *message) {
    if (batch->message_count == batch->message_capacity) {
        size_t capacity = batch->message_capacity ? batch->message_capacity * 2 : 1024;
        rd_kafka_message_t **messages = realloc(batch->messages, capacity * sizeof *messages);
        if (!messages) return false;
        batch->messages = messages;
        batch->message_capacity = capacity;
    }
    batch->messages[batch->message_count++] = message;
    batch->bytes += message->len + message->key_len;
    return true;
}

/* Nothing of the record is needed: it is let go at once. Where its time is not the broker's, somebody has changed the topic: it moves nothing. */
static enum engine_result take_tick(struct batch *batch, struct task *task, int input, const rd_kafka_message_t *message, bool *again, struct error *error) {
    rd_kafka_timestamp_type_t type;
    int64_t time_ms = rd_kafka_message_timestamp(message, &type);
    enum engine_result result = engine_tick(batch->engine, task, type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? time_ms : 0, again, error);
    if (result != ENGINE_DONE) return result;
    batch->touched[task_partition(task)] = true;
    if (!*again) rd_kafka_message_destroy(consumer_take(batch->options.consumer, input, task_partition(task)));
    return ENGINE_DONE;
}

/* The record is ours: its bytes live until the commit. */
static enum engine_result taken_keep(struct batch *batch, int input, int32_t partition, struct error *error) {
    batch->touched[partition] = true;
    rd_kafka_message_t *ours = consumer_take(batch->options.consumer, input, partition);
    if (keep(batch, ours)) return ENGINE_DONE;
    rd_kafka_message_destroy(ours);
    error_set(error, "out of memory");
    return ENGINE_FATAL;
}

enum engine_result batch_take(struct batch *batch, struct task *task, int input, const rd_kafka_message_t *message, bool *again, struct error *error) {
    int32_t partition = task_partition(task);
    if ((size_t)input + 1 == batch->options.topic_count) return take_tick(batch, task, input, message, again, error);
    struct engine_message taken = {
        .input = input, .partition = partition, .offset = message->offset, .timestamp_ms = rd_kafka_message_timestamp(message, NULL),
        .received_ms = clock_wall_ms(), .key = {message->key, message->key_len}, .value = {message->payload, message->len}};
    if (!headers_of(batch, message, &taken, error)) return ENGINE_ABORT;
    if ((size_t)input + 2 == batch->options.topic_count) {   /* what people decided */
        taken.input = 0;
        enum engine_result resolved = engine_resolve(batch->engine, task, &taken, error);
        return resolved == ENGINE_DONE ? taken_keep(batch, input, partition, error) : resolved;
    }
    enum engine_result result = engine_take(batch->engine, task, &taken, again, error);
    if (result != ENGINE_DONE) return result;
    if (!*again) return taken_keep(batch, input, partition, error);
    batch->touched[partition] = true;
    return ENGINE_DONE;
}

bool batch_is_empty(const struct batch *batch) { return !batch->open && batch->message_count == 0 && engine_batch_records(batch->engine) == 0; }
size_t batch_records(const struct batch *batch) { return batch->message_count; }
size_t batch_bytes(const struct batch *batch) { return batch->bytes; }
int64_t batch_age_ns(const struct batch *batch) { return clock_monotonic_ns() - batch->started_ns; }
const char *batch_sink_error(const struct batch *batch) { return batch->sink_cause.error.text; }

/* The positions of every input of every task that took part, also of inputs it took nothing from: a transaction without offsets would not be fenced by
 * the group's generation. */
static rd_kafka_topic_partition_list_t *offsets_of(const struct batch *batch) {
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(16);
    for (int32_t p = 0; p < batch->options.partition_count; p++)
        for (size_t i = 0; batch->touched[p] && i < batch->options.topic_count; i++) {
            int64_t position = consumer_position(batch->options.consumer, (int)i, p);
            if (position >= 0) rd_kafka_topic_partition_list_add(offsets, batch->options.topics[i], p)->offset = position;
        }
    return offsets;
}

static enum step send_offsets(struct batch *batch, struct abort_cause *abort) {
    rd_kafka_topic_partition_list_t *offsets = offsets_of(batch);
    enum step step = producer_send_offsets(batch->options.producer, offsets, batch->group, abort);
    rd_kafka_topic_partition_list_destroy(offsets);
    return step;
}

/* Without a transaction, behind the records. */
static enum step commit_offsets(struct batch *batch, struct abort_cause *abort) {
    rd_kafka_topic_partition_list_t *offsets = offsets_of(batch);
    enum step step = consumer_commit(batch->options.consumer, offsets, abort);
    rd_kafka_topic_partition_list_destroy(offsets);
    return step;
}

static struct state_position position_of(void *context, const struct task *task) {
    const struct batch *batch = context;
    const struct delivery *delivery = &batch->deliveries[task_partition(task)];
    return (struct state_position){delivery->offset + 1, delivery->broker_time_ms};
}

static enum step seal(struct batch *batch, struct abort_cause *abort, struct fatal_cause *fatal) {
    FAULT_POINT("before-seal");
    struct error error = {{0}};
    enum engine_result result = engine_seal(batch->engine, &error);
    FAULT_POINT("after-seal");
    if (result == ENGINE_DONE) return open_transaction(batch, abort);
    if (result == ENGINE_FATAL) return fatal_because(fatal, EXIT_RUN, "sealing the batch: %.400s", error.text);
    return abort_because(abort, "sealing the batch: %.400s", error.text);
}

enum step batch_commit(struct batch *batch, void (*each)(void *context, const rd_kafka_message_t *message), void *context, struct abort_cause *abort,
                       struct fatal_cause *fatal) {
    enum step step = seal(batch, abort, fatal);
    if (step != STEP_DONE) return step;
    FAULT_POINT("before-offsets");
    step = send_offsets(batch, abort);
    if (step != STEP_DONE) return step;
    FAULT_POINT("after-offsets");
    FAULT_POINT("before-commit");
    if (producer_commit(batch->options.producer, abort) != COMMIT_DONE) return STEP_ABORT;
    if (batch->options.at_least_once && commit_offsets(batch, abort) != STEP_DONE) return STEP_ABORT;
    FAULT_POINT("after-commit");
    FAULT_POINT("before-state");
    struct error error;
    if (!engine_commit(batch->engine, position_of, batch, &error))
        return fatal_because(fatal, EXIT_RUN, "Kafka has committed the batch, the local state cannot follow: %.300s; it is brought forward from the changelog at the next start",
                             error.text);
    FAULT_POINT("after-state");
    for (size_t i = 0; each && i < batch->message_count; i++) each(context, batch->messages[i]);
    forget(batch);
    return STEP_DONE;
}

bool batch_abort(struct batch *batch, struct error *error) {
    producer_discard(batch->options.producer);  /* first: it still has the outputs' bytes */
    bool fine = engine_abort(batch->engine, error);
    forget(batch);
    return fine;
}

void batch_cancel(struct batch *batch) { forget(batch); }
