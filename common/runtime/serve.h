/* serve: what a processor tells its operator over HTTP: its metrics, and why it is not ready. The loop writes, the HTTP server's thread reads. */
#ifndef KONTOR_RUNTIME_SERVE_H
#define KONTOR_RUNTIME_SERVE_H
#include <stdbool.h>
#include <stdint.h>

#include "common/platform/buffer.h"
#include "common/platform/metrics.h"
#include "common/runtime/engine.h"
#include "common/runtime/processor.h"
#include "common/runtime/topics.h"

struct serve;

/* Listens at once; not ready: "starting". listen: HOST:PORT. */
MUST_CHECK bool serve_open(struct serve **serve, const struct processor *processor, const char *version, const char *listen, struct error *error);
void serve_close(struct serve *serve);
const char *serve_address(const struct serve *serve);
struct metrics *serve_registry(const struct serve *serve);

/* What /readyz answers from now on. lines: the reasons why not, a line each; empty: ready. */
void serve_set_reasons(struct serve *serve, struct slice lines);

/* Set by the loop; every one labelled with the processor. */
struct serve_metrics {
    struct counter *outcomes[OUTCOME_COUNT], *synthetic[OUTCOME_POISON], *reasons[REASON_COUNT], *records, *journals, *released, *expired, *ticks, *transactions_committed, *transactions_aborted,
        *transactions_unknown, *producer_renewals;
    struct histogram *commit_seconds, *batch_records, *end_to_end_seconds, *restore_seconds;
    struct gauge *parked_by_reason[REASON_COUNT], *held_by_reason[REASON_COUNT];    /* NULL: of a reason that holds nothing */
    struct gauge *for_table[MASTER_COUNT], *for_store[STORES_MAXIMUM];              /* NULL: not declared */
    struct gauge *lag[INPUT_TOPICS_MAXIMUM], *lag_time_ms, *parked, *held, *behind, *waiting_age_ms, *held_age_ms, *state_bytes, *state_entries, *tasks_owned, *tasks_ready, *paused,
        *table_entries[MASTER_COUNT], *table_stale[MASTER_COUNT], *table_bad[MASTER_COUNT], *table_staleness_ms[MASTER_COUNT];
};
struct serve_metrics *serve_metrics(struct serve *serve);
/* Adds to a counter that the processor declares. */
void serve_count(struct serve *serve, int counter, const char *entity, const char *step, int64_t count);
/* What librdkafka says of one of the clients; served from the first time that it is asked for. */
enum serve_client { SERVE_PRODUCER, SERVE_CONSUMER, SERVE_CLIENTS };
struct serve_client_metrics { struct gauge *queued_records, *queued_bytes, *round_trip_us, *brokers_up; struct counter *failed_requests; };
struct serve_client_metrics *serve_client(struct serve *serve, enum serve_client which);
/* Adds to an outcome of a source or an entity. */
void serve_share(struct serve *serve, enum engine_share_kind kind, const char *name, int outcome, int64_t count);
#endif
