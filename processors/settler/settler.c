/* settler: many documents, one journal: what the rules of settlement take is summed up by window.
 *
 * An entry is refused, in this order: DUPLICATE_DOCUMENT, CURRENCY_UNKNOWN, JOURNAL_UNBALANCED, SOURCE_NOT_AUTHORISED, ENTITY_UNKNOWN, RULE_MISSING, PERIOD_UNKNOWN.
 * An event: SOURCE_NOT_AUTHORISED, ORIGINAL_UNKNOWN; by kind REPORT_PENDING, BALANCE_MISMATCH, TOTAL_MISMATCH, ENTITY_UNKNOWN, RULE_MISSING, APPROVAL_MISSING,
 * ROLE_MISSING, ALREADY_OPEN; a part CURRENCY_MISMATCH and what its journal needs (docs/settlement.md). */
#include "processors/settler/settler.h"

static bool is_due(enum settlement_kind kind) {
    return kind == SETTLEMENT_KIND_WINDOW_DUE || kind == SETTLEMENT_KIND_SETTLE_DUE || kind == SETTLEMENT_KIND_PART_DUE;
}

/* A part waits by itself. What waits of a window waits for what comes of it: nothing queues behind it. */
static void event_envelope(struct decision *decision, const void *record, struct envelope *envelope) {
    const struct settlement_event *event = record;
    struct window_id id;
    struct window window;
    *envelope = (struct envelope){.event_id = event->event_id, .source = event->source, .entity = event->entity, .partner = event->batch,
        .correlation_id = event->correlation_id, .number = event->document, .kind = settlement_kind_name(event->kind), .user = event->user, .document = {-1, {0}}, .passes = true};
    if (!window_id_read(decision, event, &id, &window)) return;
    envelope->currency = id.currency;
    envelope->document_date = window.last_day;
    envelope->document = event->kind == SETTLEMENT_KIND_PART_DUE ? (struct document){STORE_PARTS, part_key(decision, &id, event->number)} : (struct document){STORE_WINDOWS, id.key};
}

static void decide_event(struct decision *decision, const void *record) {
    const struct settlement_event *event = record;
    struct window_id id;
    struct window window;
    if (is_due(event->kind) != slice_equal(event->source, SLICE(SETTLER)))
        report_as(decision, CLASS_REJECTED, REASON_SOURCE_NOT_AUTHORISED, "kind", SLICE_FORMAT " may not say %s", SLICE_ARGUMENT(event->source), settlement_kind_name(event->kind));
    else if (event->kind != SETTLEMENT_KIND_UNKNOWN && !window_id_read(decision, event, &id, &window))
        report_as(decision, CLASS_REJECTED, REASON_ORIGINAL_UNKNOWN, "document", "\"" SLICE_FORMAT "\" is not <batch>.<end>.<currency> of batch " SLICE_FORMAT,
                  SLICE_ARGUMENT(event->document), SLICE_ARGUMENT(event->batch));
    if (refused(decision)) return;
    switch (event->kind) {
    case SETTLEMENT_KIND_WINDOW_DUE: window_decide_due(decision, event, &id); break;
    case SETTLEMENT_KIND_SETTLE_DUE: window_decide_settle(decision, event, &id); break;
    case SETTLEMENT_KIND_PART_DUE: part_decide_due(decision, event, &id); break;
    case SETTLEMENT_KIND_REPORTED: window_decide_reported(decision, event, &id, &window); break;
    case SETTLEMENT_KIND_REOPENED: window_decide_reopened(decision, event, &id); break;
    case SETTLEMENT_KIND_RELEASED: window_decide_released(decision, event, &id); break;
    case SETTLEMENT_KIND_UNKNOWN: report(decision, REASON_NO_EFFECT, "", ""); break;
    }
}

/* ---- the declaration ---- */

static bool window_is_open(const void *record) { return ((const struct settlement_window *)record)->status != WINDOW_STATUS_SETTLED; }
static bool part_is_open(const void *record) { return !((const struct settlement_part *)record)->posted; }
static bool always(const void *record) { return record != NULL; }

extern const struct processor settler_processor;
const struct processor settler_processor = {
    .name = "settler",
    .inputs = {{"settlement.events", &settlement_event_type, .envelope = event_envelope, .decide = decide_event},
               {SETTLEMENT_ENTRIES, &posting_command_type, .envelope = entry_envelope, .decide = entry_decide}},
    /* What a journal outright looks up, and whose windows they are. */
    .tables = {MASTER_SOURCE_PERMISSIONS, MASTER_LEGAL_ENTITIES, MASTER_TOLERANCES, MASTER_PERIODS, MASTER_ACCOUNTS, MASTER_COST_CENTRES, MASTER_PROJECTS, MASTER_FX_RATES,
               MASTER_ERP_ROUTES, MASTER_REVIEW_POLICIES, MASTER_SETTLEMENT_RULES, END_OF_TABLES},
    .stores = {[STORE_WINDOWS] = {"windows", &settlement_window_type, window_is_open}, [STORE_PARTS] = {"parts", &settlement_part_type, part_is_open},
               [STORE_ENTRIES] = {"entries", &settlement_entry_type, always}, [STORE_PLACES] = {"places", &settlement_place_type, NULL},
               [STORE_BATCHES] = {"batches", &settlement_batch_state_type, always}},
    .outputs = {[OUTPUT_COMMANDS] = {"posting.commands", &posting_command_type, .per_erp = true}, [OUTPUT_EVENTS] = {"settlement.events", &settlement_event_type, .event_time = true},
                [OUTPUT_STEPS] = {"document.steps", &document_step_type, .event_time = true}},
};
