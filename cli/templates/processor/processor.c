/* @NAME@: CHANGE: what it promises, in one line.
 *
 * Refuses, in this order: ENTITY_UNKNOWN, DATE_IMPLAUSIBLE, CURRENCY_UNKNOWN; of a submission DUPLICATE_DOCUMENT, TOTAL_MISMATCH, AMOUNT_OVERFLOW,
 * CURRENCY_PRECISION, then what a journal needs (RULE_MISSING, MAPPING_MISSING, PERIOD_CLOSED ...: processors/shared/posting.h); of a cancellation
 * ORIGINAL_UNKNOWN, ALREADY_REVERSED. Every reason there is: schemas/reasons.h. */
#include "common/runtime/processor.h"
#include "processors/shared/posting.h"
#include "schemas/@SYMBOL@_event.h"
#include "schemas/@SYMBOL@_state.h"

enum { STORE_DOCUMENTS };
enum { OUTPUT_COMMANDS };

static void envelope_fill(struct decision *decision, const void *record, struct envelope *envelope);
static void decide(struct decision *decision, const void *record);

/* ---- the declaration: what is not in it cannot be read or written. CHANGE: other inputs, tables, stores, outputs ---- */

extern const struct processor @SYMBOL@_processor;
const struct processor @SYMBOL@_processor = {
    .name = "@NAME@",
    .inputs = {{"@NAME@.events", &@SYMBOL@_event_type, .envelope = envelope_fill, .decide = decide}},
    .tables = {MASTER_SOURCE_PERMISSIONS, POSTING_TABLES, END_OF_TABLES},
    .stores = {[STORE_DOCUMENTS] = {"documents", &@SYMBOL@_state_type, NULL}},
    .outputs = {[OUTPUT_COMMANDS] = {"posting.commands", &posting_command_type, .per_erp = true}},
};

/* ---- the decision: pure. All checks, then `effects`, and no return behind that ---- */

struct work {
    struct decision *decision;
    const struct @SYMBOL@_event *event;
    const struct @SYMBOL@_state *state;     /* NULL: the document was never posted */
    struct slice key;
    struct facts facts;
};

static void decide_submitted(struct work *work);
static void decide_cancelled(struct work *work);

static void decide(struct decision *decision, const void *record) {
    const struct @SYMBOL@_event *event = record;
    struct work work = {.decision = decision, .event = event, .key = decision_envelope(decision)->document.key};
    work.state = state_find(decision, STORE_DOCUMENTS, work.key);
    const struct facts_given given = {.has_posting_date = event->has_posting_date, .posting_date = event->posting_date, .document_date = event->document_date,
        .currency = event->currency, .partner = PARTNER_NONE, .has_amounts = event->kind == @UPPER@_EVENT_KIND_SUBMITTED,
        .posts = event->kind == @UPPER@_EVENT_KIND_SUBMITTED, .reverses = event->kind == @UPPER@_EVENT_KIND_CANCELLED};
    facts_establish(decision, given, &work.facts);
    switch (event->kind) {
    case @UPPER@_EVENT_KIND_SUBMITTED: decide_submitted(&work); break;
    case @UPPER@_EVENT_KIND_CANCELLED: decide_cancelled(&work); break;
    case @UPPER@_EVENT_KIND_UNKNOWN:
        if (!refused(decision)) report(decision, REASON_NO_EFFECT, "kind", "");
    }
}

/* ---- helpers ---- */

static bool stands(const struct work *work) { return work->state && !work->state->cancelled; }

/* CHANGE: what a line is to the posting rules. Their step begins with `journal`: it may name every account and amount of docs/posting-rules.md. */
static void line_add(struct work *work, struct posting *posting, size_t i) {
    const struct @SYMBOL@_event_line *from = &work->event->lines.items[i];
    facts_amount_check(work->decision, &work->facts, from->amount_e4, i, "amount");
    if (!facts_amount_fits(from->amount_e4)) return;
    struct posting_line line = {.source_line = from->line, .category = from->category, .cost_centre = from->cost_centre, .project = from->project};
    line.amounts_e4[RULE_RECEIPT_VALUE] = from->amount_e4;   /* the parts are set, sums like `net` are made of them */
    posting_add(posting, &line);
}

static void decide_submitted(struct work *work) {
    struct decision *decision = work->decision;
    const struct @SYMBOL@_event *event = work->event;
    const int32_t version = (work->state ? work->state->version : 0) + 1;
    struct posting posting;
    if (stands(work)) report(decision, REASON_DUPLICATE_DOCUMENT, "document", "it is posted as version %d", (int)work->state->version);
    if (!event->lines.count) report(decision, REASON_TOTAL_MISMATCH, "lines", "missing");
    posting_begin(&posting, decision, &work->facts, SLICE("journal_@SYMBOL@"), event->document, version);
    for (size_t i = 0; i < event->lines.count; i++) line_add(work, &posting, i);
    posting_check(&posting);
    if (refused(decision)) return;
    /* effects */
    posting.text = event->text;
    const struct @SYMBOL@_state state = {.version = version, .command = posting_emit(&posting, OUTPUT_COMMANDS)};
    if (!state.command.length) report(decision, REASON_ZERO_VALUE, "", "");
    state_put(decision, STORE_DOCUMENTS, work->key, &state);
}

static void decide_cancelled(struct work *work) {
    struct decision *decision = work->decision;
    struct @SYMBOL@_state state = {.version = work->state ? work->state->version : 0, .cancelled = true};
    const bool voided = decision_voided(decision) && !stands(work);   /* it took back what still waited: nothing was posted of it */
    if (voided) report(decision, REASON_NO_EFFECT, "", "cancelled what waited");
    else if (!work->state) wait_for_state(decision, REASON_ORIGINAL_UNKNOWN, "document", STORE_DOCUMENTS, work->key);
    else if (work->state->cancelled) report(decision, REASON_ALREADY_REVERSED, "document", "");
    const struct slice command = stands(work) ? work->state->command : (struct slice){0};
    if (command.length) posting_reversal_check(decision, &work->facts);
    if (refused(decision)) return;
    /* effects */
    if (command.length) (void)posting_reverse(decision, &work->facts, OUTPUT_COMMANDS, command);
    state_put(decision, STORE_DOCUMENTS, work->key, &state);
}

/* What the runtime must know of any event. CHANGE where the fields change. */
static void envelope_fill(struct decision *decision, const void *record, struct envelope *envelope) {
    const struct @SYMBOL@_event *event = record;
    const struct document document = {STORE_DOCUMENTS, KEY(decision, event->entity, event->partner, event->document)};
    *envelope = (struct envelope){.event_id = event->event_id, .source = event->source, .entity = event->entity, .partner = event->partner,
        .correlation_id = event->correlation_id, .number = event->document, .kind = @SYMBOL@_event_kind_name(event->kind), .document = document,
        .establishes = event->kind == @UPPER@_EVENT_KIND_SUBMITTED, .overtakes = event->kind == @UPPER@_EVENT_KIND_CANCELLED,
        .currency = event->currency, .document_date = event->document_date};
    if (envelope->overtakes) envelope->cancels = document;
}
