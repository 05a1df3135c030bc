/* batch: one transaction's worth of records: taken from the consumer, decided by the engine, sent by the producer, committed in Kafka, then in the state.
 *
 *     batch_begin        the group's generation is the assignment's
 *     batch_step/_take   any number; outputs go to the producer as they come
 *     batch_commit       changelog, offsets, commit, state – in this order
 * or batch_abort at any time before. Records are kept until then, their bytes are in the outputs. One thread. */
#ifndef KONTOR_RUNTIME_BATCH_H
#define KONTOR_RUNTIME_BATCH_H
#include "common/runtime/consumer.h"
#include "common/runtime/engine.h"
#include "common/runtime/failure.h"
#include "common/runtime/producer.h"

struct batch;

struct batch_options {
    struct producer *producer;
    struct consumer *consumer;
    const char *const *topics;      /* the inputs, the last two what people decided, and the timers */
    size_t topic_count;
    int32_t partition_count;
    bool at_least_once;             /* the producer's */
};
/* What options point to must outlive it. */
MUST_CHECK bool batch_new(struct batch **batch, const struct batch_options *options, struct error *error);
void batch_free(struct batch *batch);
/* Where the engine is to send to; the engine is told to the batch afterwards. */
struct engine_sink batch_sink(struct batch *batch);
void batch_set_engine(struct batch *batch, struct engine *engine);

/* False: a rebalance is on its way, poll the consumer first. Nothing is open then. */
bool batch_begin(struct batch *batch);
/* Due releases of a task, a bounded piece; *moved: something was decided. */
enum engine_result batch_step(struct batch *batch, struct task *task, bool *more, bool *moved, struct error *error);
/* The record at the head of the task's input; of the timers it is a tick. */
enum engine_result batch_take(struct batch *batch, struct task *task, int input, const rd_kafka_message_t *message, bool *again, struct error *error);

bool batch_is_empty(const struct batch *batch);     /* nothing to commit: nothing taken and nothing sent */
size_t batch_records(const struct batch *batch), batch_bytes(const struct batch *batch);
int64_t batch_age_ns(const struct batch *batch);
/* What stopped the sink, for the log. */
const char *batch_sink_error(const struct batch *batch);

/* STEP_DONE: committed in Kafka and in the state. STEP_ABORT: batch_abort is to be called; what became of the transaction, only the group's offsets say.
 * STEP_FATAL: Kafka has committed and the state cannot follow: stop, the changelog is the truth. each (NULL: none) is called for every record committed. */
MUST_CHECK enum step batch_commit(struct batch *batch, void (*each)(void *context, const rd_kafka_message_t *message), void *context, struct abort_cause *abort,
                                  struct fatal_cause *fatal);
/* The producer is gone afterwards (producer_prepare makes a new one), the engine's tasks are as before the batch. False: a task's state is damaged. */
MUST_CHECK bool batch_abort(struct batch *batch, struct error *error);
/* Ends a batch in which nothing was done. */
void batch_cancel(struct batch *batch);
#endif
