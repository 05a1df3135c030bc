/* report: from the loop's parts to the metrics and to /readyz. */
#ifndef KONTOR_RUNTIME_REPORT_H
#define KONTOR_RUNTIME_REPORT_H
#include "common/runtime/consumer.h"
#include "common/runtime/ends.h"
#include "common/runtime/engine.h"
#include "common/runtime/follow.h"
#include "common/runtime/producer.h"
#include "common/runtime/serve.h"
#include "common/runtime/tasks.h"

struct report;

struct report_options {
    const struct processor *processor;
    struct serve *serve;
    struct tables *tables;
    size_t table_count;
    struct consumer *consumer;
    struct producer *producer;
    struct engine *engine;
    struct tasks *tasks;
    struct follow *follow;
    struct ends *ends;
    const struct error *need;   /* why the tables do not do; "" they do */
};
MUST_CHECK bool report_open(struct report **report, const struct report_options *options, struct error *error);
void report_close(struct report *report);

/* A record whose batch has been committed (context: the report), the batch itself, one that was aborted. */
void report_record(void *context, const rd_kafka_message_t *message);
void report_committed(struct report *report, size_t records, int64_t commit_ns);
void report_aborted(struct report *report);
/* Gauges and readiness, at most once in a while; gauges also soon after somebody looked at them and
 * was told that nothing is left to take: who looks again is not told so from memory. paused: why, "" when not. False: what /readyz says is not from now. */
bool report_refresh(struct report *report, bool producer_is_ready, const char *paused);
#endif
