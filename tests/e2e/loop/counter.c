#include "tests/e2e/loop/counter.h"

#include "schemas/count_copy.h"
#include "schemas/count_event.h"

/* The state's schema differs from version to version. */
#if defined COUNTER_next
#include "schemas/next_count_state.h"
#define COUNT events
#define OF_VERSION .last_event = event->event_id
#elif defined COUNTER_other
#include "schemas/other_count_state.h"
#define COUNT count
#define OF_VERSION .owner = event->source
#else
#include "schemas/count_state.h"
#define COUNT count
#define OF_VERSION .count = 0
#endif

enum { STORE_COUNTS };
enum { OUTPUT_COPIES };

static void envelope(struct decision *decision, const void *record, struct envelope *envelope) {
    const struct count_event *event = record;
    (void)decision;
    *envelope = (struct envelope){.event_id = event->event_id, .source = event->source, .entity = event->entity, .partner = event->partner,
                                  .correlation_id = SLICE(""), .number = event->event_id, .kind = "count", .document = {-1, {0}}};
}

static void decide(struct decision *decision, const void *record) {
    const struct count_event *event = record;
    const struct count_state *before = state_find(decision, STORE_COUNTS, event->partner);
    if (refused(decision)) return;
    struct count_state *stored = decision_alloc(decision, sizeof *stored);
    *stored = (struct count_state){OF_VERSION};
    stored->COUNT = (before ? before->COUNT : 0) + 1;
    state_put(decision, STORE_COUNTS, event->partner, stored);
    struct count_copy *copy = decision_alloc(decision, sizeof *copy);
    *copy = (struct count_copy){event->event_id, event->partner, stored->COUNT};
    emit(decision, OUTPUT_COPIES, (struct slice){0}, copy);
}

const struct processor counter_processor = {
    .name = "counter",
    .inputs = {{"count.left", &count_event_type, .envelope = envelope, .decide = decide}, {"count.right", &count_event_type, .envelope = envelope, .decide = decide}},
    .tables = {MASTER_SOURCE_PERMISSIONS, END_OF_TABLES},
    .stores = {{"counts", &count_state_type, NULL}},
    .outputs = {{"count.copies", &count_copy_type, .per_erp = false}},
};
