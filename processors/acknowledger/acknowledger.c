/* acknowledger: folds the steps of every document into where it is, tells its source what comes later, and raises an alarm when a step does not come in time
 * (docs/document-life.md). It refuses nothing: a step that is there already, or that this version does not know, changes nothing. */
#include "processors/acknowledger/acknowledger.h"

#include "processors.h"
#include "schemas/acknowledgment.h"

/* ---- a document ---- */

static enum standing standing_find(struct slice name) {
    for (int i = 0; i < STANDING_COUNT; i++)
        if (slice_equal(name, slice_of(standing_names[i]))) return (enum standing)i;
    return STANDING_NAMED;
}

static const struct flow_policy *policy_find(struct decision *decision, struct slice entity, struct slice flow, const struct flow_limits **limits) {
    const int32_t day = date_at(decision_time_ms(decision), 0);
    struct table_row row = {0};
    const struct flow_policy *policy = look_up(decision, MASTER_FLOW_POLICIES, KEY(decision, entity, flow), day, &row);
    if (!policy) policy = look_up(decision, MASTER_FLOW_POLICIES, KEY(decision, SLICE("*"), flow), day, &row);
    *limits = policy ? row.compiled : NULL;
    return policy;
}

void life_begin(struct life *life, struct decision *decision, struct slice entity, struct slice flow, struct slice partner, struct slice document) {
    *life = (struct life){.decision = decision, .key = KEY(decision, entity, flow, partner, document)};
    const struct document_state *known = state_find(decision, STORE_DOCUMENTS, life->key);
    if (known) life->state = *known;
    life->state.entity = entity;
    life->state.flow = flow;
    life->state.partner = partner;
    life->state.document = document;
    life->standing = standing_find(life->state.standing);
    life->policy = policy_find(decision, entity, flow, &life->limits);
}

/* ---- document.steps ---- */

static void step_envelope(struct decision *decision, const void *record, struct envelope *envelope) {
    const struct document_step *step = record;
    *envelope = (struct envelope){.event_id = step->step, .source = step->processor, .entity = step->entity, .partner = step->partner, .number = step->document, .kind = "step",
        .key = KEY(decision, step->entity, step->flow, step->partner, step->document), .document.store = -1, .cancels.store = -1};
}

static void decide_step(struct decision *decision, const void *record) {
    struct document_step *step = decision_alloc(decision, sizeof *step);
    struct life life, before;
    *step = *(const struct document_step *)record;
    if (step->links.count > LINKS_KEPT) step->links.count = LINKS_KEPT;     /* no processor says more */
    if (slice_equal(step->step, SLICE("summary"))) { summaries_take(decision, step); return; }
    life_begin(&life, decision, step->entity, step->flow, step->partner, step->document);
    before = life;
    if (!steps_take(&life, step)) return;
    life_derive(&life);
    telling_step(&before, &life, step);
}

/* ---- posting.acks ---- */

static void ack_envelope(struct decision *decision, const void *record, struct envelope *envelope) {
    const struct posting_ack *ack = record;
    *envelope = (struct envelope){.event_id = ack->origin, .source = ack->erp, .entity = ack->entity, .partner = ack->partner, .number = ack->document, .kind = "ack",
        .key = KEY(decision, ack->entity, ack->flow, ack->partner, ack->document), .document.store = -1, .cancels.store = -1};
}

static void decide_ack(struct decision *decision, const void *record) {
    const struct posting_ack *ack = record;
    struct life life, before;
    life_begin(&life, decision, ack->entity, ack->flow, ack->partner, ack->document);
    before = life;
    if (!steps_take_ack(&life, ack)) return;
    life_derive(&life);
    telling_ack(&before, &life, ack);
    summaries_answer(decision, ack);
}

/* ---- what it cannot be without ---- */

#define DECLARE(name) extern const struct processor name##_processor;
KONTOR_PROCESSORS(DECLARE)
#undef DECLARE
#define ADDRESS(name) &name##_processor,
static const struct processor *const processors[] = {KONTOR_PROCESSORS(ADDRESS)};
#undef ADDRESS

static bool flow_has_policy(struct tables *tables, size_t position, struct slice flow, int32_t today) {
    char key[256];
    struct table_row row;
    const struct slice parts[] = {SLICE("*"), flow};
    return tables_find(tables, position, tables_key(key, sizeof key, parts, 2), today, &row) == TABLE_FOUND;
}

static struct slice flow_of(const char *topic) { return (struct slice){topic, strcspn(topic, ".")}; }

/* Two inputs of a processor may be of one flow. */
static bool named_before(const struct processor *processor, int input) {
    for (int i = 0; i < input; i++)
        if (slice_equal(flow_of(processor->inputs[i].topic), flow_of(processor->inputs[input].topic))) return true;
    return false;
}

static bool policies_are_there(struct tables *tables, size_t position, int32_t today, struct error *why) {
    char lacking[300] = "";
    size_t length = 0;
    for (size_t p = 0; p < sizeof processors / sizeof *processors; p++)
        for (int i = 0; i < INPUTS_MAXIMUM && processors[p]->inputs[i].topic; i++) {
            const struct processor_input *input = &processors[p]->inputs[i];
            const struct slice flow = flow_of(input->topic);
            if (input->follows || input->internal || named_before(processors[p], i) || flow_has_policy(tables, position, flow, today)) continue;
            if (length < sizeof lacking - 1) length += (size_t)snprintf(lacking + length, sizeof lacking - length, "%s" SLICE_FORMAT, length ? ", " : "", SLICE_ARGUMENT(flow));
        }
    tables_trim(tables);
    if (!length) return true;
    return error_set(why, "master.flow-policies has no active policy of entity * for %s: load one for each flow, with control_owner, exception_path and limits "
                     "(kontor master load; docs/document-life.md)", lacking);
}

/* ---- the declaration ---- */

/* What waits, is not answered or not paid yet is kept whatever its age. */
static bool document_is_open(const void *record) {
    const struct document_state *state = record;
    for (size_t i = 0; i < state->journals.count; i++)
        if (!state->journals.items[i].has_answered_at) return true;
    if (!slice_equal(state->state, state->standing) || state->has_due_at || state->has_overdue_since) return true;
    const bool is_invoice = slice_equal(state->flow, SLICE("invoice"));
    const enum standing standing = standing_find(state->standing);
    return standing == STANDING_REFUSED_BY_ERP || standing == STANDING_PART_PAID ||
           (is_invoice && (standing == STANDING_POSTED || standing == STANDING_BLOCKED || standing == STANDING_PAID || standing == STANDING_RETURNED));
}

/* The key's first parts, as many as a document's has. */
static struct slice document_part(struct slice key) {
    enum { DOCUMENT_PARTS = 4 };
    size_t length = 0;
    for (int parts = 0; length < key.length; length++)
        if (key.data[length] == '|' && ++parts == DOCUMENT_PARTS) break;
    return (struct slice){key.data, length};
}

/* Its events have the document's whole key; a summary's is the window's, and the summary behind it. */
static void document_owner(int store, struct slice key, const void *record, struct record_owner *owner) {
    (void)record;
    *owner = (struct record_owner){.told = OWNER_KEY, .key = store == STORE_SUMMARIES ? document_part(key) : key};
}

const struct processor acknowledger_processor = {
    .name = "acknowledger",
    .inputs = {{"document.steps", &document_step_type, .envelope = step_envelope, .decide = decide_step, .internal = true},
               {"posting.acks", &posting_ack_type, .envelope = ack_envelope, .decide = decide_ack, .internal = true}},
    .tables = {MASTER_SOURCE_PERMISSIONS, MASTER_FLOW_POLICIES, END_OF_TABLES},
    .stores = {[STORE_DOCUMENTS] = {"documents", &document_state_type, document_is_open}, [STORE_SUMMARIES] = {"summaries", &summary_entries_type, NULL}},
    .outputs = {[OUTPUT_DOCUMENTS] = {"documents", &document_state_type, .event_time = true}, [OUTPUT_STEPS] = {"document.steps", &document_step_type, .event_time = true},
                [OUTPUT_ACKNOWLEDGMENTS] = {"acknowledgments", &acknowledgment_type, .event_time = false},
                [OUTPUT_ACKS] = {"posting.acks", &posting_ack_type, .event_time = true}},
    .counters = {[COUNTER_BREACHES] = {"kontor_sla_breaches_total", "Documents whose next step did not come in time, by entity and step."},
                 [COUNTER_BREACHES_ENDED] = {"kontor_sla_breaches_ended_total", "... for which it has come since."},
                 [COUNTER_DURATIONS] = {"kontor_document_durations_total", "Documents that came to a step: confirmed (of all), invoice posted, invoice paid."},
                 [COUNTER_DURATION_SECONDS] = {"kontor_document_duration_seconds_total", "... how long they took: confirmed from the command sent, the others from the receipt; summed."}},
    .need = {MASTER_FLOW_POLICIES, policies_are_there},
    .owner = document_owner,
};
