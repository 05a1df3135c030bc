/* journal: canonical journals of permitted sources – payroll, billing, treasury, close – by the same checks, rules and periods as every other document.
 *
 * Refuses, in this order: ENTITY_UNKNOWN, DATE_IMPLAUSIBLE, CURRENCY_UNKNOWN, FX_RATE_MISSING, AMOUNT_OVERFLOW, CURRENCY_PRECISION; then by kind DUPLICATE_DOCUMENT,
 * POSSIBLE_DUPLICATE, ORIGINAL_UNKNOWN, ALREADY_REVERSED; of the lines SOURCE_NOT_AUTHORISED, TOTAL_MISMATCH, ACCOUNT_UNKNOWN, INTERCOMPANY_UNPAIRED, TAX_CODE_UNKNOWN,
 * TAX_PENDING, TAX_AMOUNT_WRONG, JOURNAL_UNBALANCED; then what a journal needs (docs/journals.md). */
#include "processors/journal/journal.h"

#include "common/ledger/date.h"

enum { STEP_MAXIMUM = 100 };

/* ---- the event ---- */

/* A reversal or correction with a number of its own: the journal keeps its. */
static struct slice document_of(const struct journal_event *event) {
    const bool refers = event->kind == JOURNAL_KIND_REVERSED || event->kind == JOURNAL_KIND_CORRECTED;
    return refers && event->reverses.length ? event->reverses : event->document;
}

/* What the journal comes to, for people: the debits of lines that name accounts, else the sum of the lines. False: its amounts are no numbers. */
static bool total_of(const struct journal_event *event, int64_t *total_e4) {
    int64_t sum_e4 = 0;
    for (size_t i = 0; i < event->lines.count; i++) {
        const struct journal_event_line *line = &event->lines.items[i];
        const bool debit = (line->side == JOURNAL_EVENT_SIDE_DEBIT) == (line->amount_e4 >= 0);
        if (!facts_amount_fits(line->amount_e4)) return false;
        if (event->by_rules ? !decimal_add(sum_e4, line->amount_e4, &sum_e4)
                            : debit && !decimal_add(sum_e4, line->amount_e4 < 0 ? -line->amount_e4 : line->amount_e4, &sum_e4)) return false;
    }
    *total_e4 = sum_e4;
    return event->lines.count > 0;
}

static void journal_envelope(struct decision *decision, const void *record, struct envelope *envelope) {
    const struct journal_event *event = record;
    const struct document document = {STORE_JOURNALS, KEY(decision, event->entity, event->partner, document_of(event))};
    *envelope = (struct envelope){.event_id = event->event_id, .source = event->source, .entity = event->entity, .partner = event->partner,
        .correlation_id = event->correlation_id, .number = event->document, .kind = journal_kind_name(event->kind), .document = document,
        .establishes = event->kind == JOURNAL_KIND_SUBMITTED, .overtakes = event->kind == JOURNAL_KIND_REVERSED,
        .user = event->user, .currency = event->currency, .document_date = event->document_date};
    envelope->has_amount = total_of(event, &envelope->amount_e4);
    linked(decision, "original", "journal", event->reverses);
    if (envelope->overtakes) envelope->cancels = document;
}

static bool step_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

/* No other processor's steps begin like this, and no / is in it: so no two documents share an idempotency key. */
static struct slice step_name(struct decision *decision, struct slice step) {
    static const struct slice journal = {"journal", 7};
    char name[STEP_MAXIMUM + 1];
    size_t length = step.length < STEP_MAXIMUM ? step.length : STEP_MAXIMUM;
    for (size_t i = 0; i < length; i++) name[i] = step_character(step.data[i]) ? step.data[i] : '_';
    name[length] = 0;
    if (!length) return journal;
    const bool begins = length >= journal.length && memcmp(name, journal.data, journal.length) == 0;
    return decision_format(decision, "%s%s", begins ? "" : "journal_", name);
}

bool canonical_may(const struct canonical *canonical, struct slice entity) {
    const struct source_permission *permission = canonical->permission;
    for (size_t i = 0; permission && i < permission->entities.count; i++)
        if (slice_equal(permission->entities.items[i], SLICE("*")) || slice_equal(permission->entities.items[i], entity)) return true;
    return false;
}

/* ---- kinds ---- */

static bool stands(const struct canonical *canonical) { return canonical->state && !canonical->state->reversed; }

static bool is_repeated(const struct canonical *canonical) {
    const struct journal_state *state = canonical->state;
    return canonical->has_total && canonical->total_e4 == state->total_e4 && slice_equal(canonical->event->currency, state->currency) &&
           canonical->event->document_date == state->document_date;
}

/* What a reversal or correction refers to. */
static void original_check(struct canonical *canonical) {
    const char *field = canonical->event->reverses.length ? "reverses" : "document";
    if (!canonical->state) wait_for_state(canonical->decision, REASON_ORIGINAL_UNKNOWN, field, STORE_JOURNALS, canonical->key);
    else if (canonical->state->reversed) report(canonical->decision, REASON_ALREADY_REVERSED, field, "");
}

static void decide_posted(struct canonical *canonical) {
    struct decision *decision = canonical->decision;
    const struct journal_event *event = canonical->event;
    const bool corrects = event->kind == JOURNAL_KIND_CORRECTED;
    canonical->version = (canonical->state ? canonical->state->version : 0) + 1;
    canonical_lines_add(canonical);
    if (corrects) original_check(canonical);
    else if (stands(canonical))
        report(decision, is_repeated(canonical) ? REASON_DUPLICATE_DOCUMENT : REASON_POSSIBLE_DUPLICATE, "document", SLICE_FORMAT " is posted as version %d",
               SLICE_ARGUMENT(canonical->document), (int)canonical->state->version);
    posting_check(&canonical->own);
    for (size_t i = 0; i < canonical->share_count; i++)
        if (share_is_usable(&canonical->shares[i])) posting_check(&canonical->shares[i].posting);
    standing_check(canonical);
    struct reversals reversals = {0};
    if (corrects && stands(canonical)) reversals = standing_reversals(canonical);
    if (refused(decision)) return;
    /* effects */
    standing_reverse(canonical, &reversals);
    struct journal_state state = {.version = canonical->version, .currency = event->currency, .total_e4 = canonical->total_e4, .document_date = event->document_date};
    standing_post(canonical, &state);
    if (!state.journals.count) report(decision, REASON_ZERO_VALUE, "", "");
    state_put(decision, STORE_JOURNALS, canonical->key, &state);
}

static void reversed_put(struct canonical *canonical) {
    struct journal_state state = canonical->state ? *canonical->state : (struct journal_state){0};
    state.reversed = true;
    state.journals.count = 0;
    state_put(canonical->decision, STORE_JOURNALS, canonical->key, &state);
}

static void decide_reversed(struct canonical *canonical) {
    struct decision *decision = canonical->decision;
    original_check(canonical);
    struct reversals reversals = {0};
    if (stands(canonical)) reversals = standing_reversals(canonical);
    if (refused(decision)) return;
    /* effects */
    standing_reverse(canonical, &reversals);
    if (!reversals.count) report(decision, REASON_ZERO_VALUE, "", "");
    reversed_put(canonical);
}

/* ---- the whole ---- */

static void facts_fill(struct canonical *canonical) {
    struct decision *decision = canonical->decision;
    const struct journal_event *event = canonical->event;
    const bool posts = event->kind == JOURNAL_KIND_SUBMITTED || event->kind == JOURNAL_KIND_CORRECTED;
    const bool has_rate = event->has_rate && codec_decimal_is_number(event->rate_e10) && event->rate_e10 > 0;
    canonical->given = (struct facts_given){.has_posting_date = event->has_posting_date, .posting_date = event->posting_date, .document_date = event->document_date,
        .currency = event->currency, .ledger = event->ledger, .rate_e10 = has_rate ? event->rate_e10 : 0, .partner = PARTNER_NONE,
        .has_amounts = posts && event->lines.count, .posts = posts, .reverses = event->kind == JOURNAL_KIND_REVERSED};
    facts_establish(decision, canonical->given, &canonical->facts);
    if (!posts) return;
    if (event->has_rate && !has_rate) report_as(decision, CLASS_REJECTED, REASON_FX_RATE_MISSING, "rate", "not above 0, or with more than ten digits behind the point");
    canonical_amounts_check(canonical);
}

static void decide_journal(struct decision *decision, const void *record) {
    const struct journal_event *event = record;
    struct canonical canonical = {.decision = decision, .event = event, .document = document_of(event), .step = step_name(decision, event->step),
        .tax_date = event->has_tax_date ? event->tax_date : event->document_date};
    canonical.key = KEY(decision, event->entity, event->partner, canonical.document);
    canonical.state = state_find(decision, STORE_JOURNALS, canonical.key);
    if (decision_voided(decision) && !stands(&canonical)) {
        report(decision, REASON_NO_EFFECT, "", "reversed what waited");
        reversed_put(&canonical);
        return;
    }
    const struct slice permission = KEY(decision, event->source, decision_topic(decision));
    canonical.permission = look_up(decision, MASTER_SOURCE_PERMISSIONS, permission, date_at(decision_time_ms(decision), 0), NULL);
    facts_fill(&canonical);
    switch (event->kind) {
    case JOURNAL_KIND_SUBMITTED:
    case JOURNAL_KIND_CORRECTED: decide_posted(&canonical); break;
    case JOURNAL_KIND_REVERSED: decide_reversed(&canonical); break;
    case JOURNAL_KIND_UNKNOWN:
    case JOURNAL_KIND_STATUS:
        if (!refused(decision)) report(decision, REASON_NO_EFFECT, "", "");
    }
}

/* ---- the declaration ---- */

extern const struct processor journal_processor;
const struct processor journal_processor = {
    .name = "journal",
    .inputs = {{"journal.events", &journal_event_type, .envelope = journal_envelope, .decide = decide_journal}},
    /* What posting looks up, but no suppliers: a partner may be anybody. */
    .tables = {MASTER_SOURCE_PERMISSIONS, MASTER_LEGAL_ENTITIES, MASTER_TOLERANCES, MASTER_PERIODS, MASTER_POSTING_RULES, MASTER_CODE_MAPPINGS, MASTER_ACCOUNTS,
               MASTER_COST_CENTRES, MASTER_PROJECTS, MASTER_TAX_CODES, MASTER_FX_RATES, MASTER_ERP_ROUTES, MASTER_INTERCOMPANY, MASTER_REVIEW_POLICIES,
               END_OF_TABLES},
    .stores = {[STORE_JOURNALS] = {"journals", &journal_state_type, NULL}},   /* posted is finished */
    .outputs = {[OUTPUT_COMMANDS] = {"posting.commands", &posting_command_type, .per_erp = true}},
};
