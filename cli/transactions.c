#include "cli/transactions.h"

#include <stdlib.h>

#include "common/platform/clock.h"
#include "common/runtime/producer.h"

enum { TRANSACTION_MS = 15000, CALL_MS = 15000, READY_MS = 60000 };

struct transactions { struct producer *producer; bool ready; int64_t renewed; };

bool transactions_open(struct transactions **transactions, const struct client_settings *settings, const char *transactional_id, struct error *error) {
    const struct producer_options options = {.settings = settings, .transactional_id = transactional_id, .transaction_timeout_ms = TRANSACTION_MS, .call_timeout_ms = CALL_MS,
                                             .compression = "lz4"};
    struct transactions *made = calloc(1, sizeof *made);
    if (!made) return error_set(error, "out of memory");
    if (!producer_open(&made->producer, &options, error)) {
        free(made);
        return false;
    }
    *transactions = made;
    return true;
}

void transactions_close(struct transactions *transactions) {
    if (!transactions) return;
    producer_close(transactions->producer);
    free(transactions);
}

bool transactions_ready(struct transactions *transactions, struct error *error) {
    struct fatal_cause fatal;
    const int64_t deadline_ms = clock_monotonic_ms() + READY_MS;
    enum producer_state state;
    while ((state = producer_prepare(transactions->producer, 1000, &fatal)) == PRODUCER_WAITING)
        if (clock_monotonic_ms() > deadline_ms) return error_set(error, "a transaction cannot be begun: %s", producer_reason(transactions->producer));
    if (state != PRODUCER_READY) return error_set(error, "%s", fatal.error.text);
    const int64_t renewed = producer_counts(transactions->producer).renewed;
    if (transactions->ready && renewed != transactions->renewed)
        return error_set(error, "the producer was in doubt (%s) and was made anew: another process may have been at work meanwhile", *producer_reason(transactions->producer) ? producer_reason(transactions->producer) : "a request had no answer");
    transactions->ready = true;
    transactions->renewed = renewed;
    return true;
}

static bool failed(struct transactions *transactions, const struct abort_cause *cause, struct error *error) {
    producer_discard(transactions->producer);
    return error_set(error, "%s", cause->error.text);
}

/* In doubt the producer makes itself anew, with the same id, so that nothing of an earlier transaction can act on this one; but then it may have fenced another process
 * that had fenced it, and what that one did is not known here. */
bool transactions_begin(struct transactions *transactions, struct error *error) {
    struct abort_cause cause;
    return transactions_ready(transactions, error) && (producer_begin(transactions->producer, &cause) == STEP_DONE || failed(transactions, &cause, error));
}

bool transactions_send(struct transactions *transactions, const struct engine_output *output, struct error *error) {
    struct abort_cause cause;
    return producer_send(transactions->producer, output, NULL, &cause) == STEP_DONE || failed(transactions, &cause, error);
}

bool transactions_commit(struct transactions *transactions, struct error *error) {
    struct abort_cause cause;
    return producer_commit(transactions->producer, &cause) == COMMIT_DONE || failed(transactions, &cause, error);
}
