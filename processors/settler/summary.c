/* summary: a part of a window as one journal. */
#include "processors/settler/settler.h"

/* A part in the making. */
struct summary {
    struct decision *decision;
    const struct window_id *id;
    const struct settlement_window *window;
    const struct settlement_part *part;
    int32_t number;
    struct facts facts;
    struct posting posting;
    struct settled_entry *entries;
    struct step_entry *documents;       /* of the entries */
};

/* That of all its entries, or the average. */
static int64_t rate_of(const struct settlement_part *part) {
    int64_t average_e10;
    if (!part->rates_differ || part->debits_e4 <= 0 || part->functional_debits_e4 <= 0) return part->rate_e10;
    const bool fits = decimal_divide(part->functional_debits_e4, MONEY_SCALE, part->debits_e4, MONEY_SCALE, 10, DECIMAL_HALF_UP, &average_e10);
    return fits && average_e10 > 0 ? average_e10 : part->rate_e10;
}

static void facts_fill(struct summary *summary) {
    const struct settlement_part *part = summary->part;
    const struct facts_given given = {.has_posting_date = true, .posting_date = part->posting_date, .document_date = summary->window->last_day,
        .currency = summary->id->currency, .ledger = part->ledger, .rate_e10 = rate_of(part), .partner = PARTNER_NONE, .has_amounts = true, .posts = true};
    facts_establish(summary->decision, given, &summary->facts);
    summary->facts.review = NULL;   /* its documents were reviewed, each */
}

static void entry_add(struct summary *summary, const struct settlement_entry *entry, size_t place) {
    summary->entries[place] = (struct settled_entry){entry->idempotency_key, entry->debits_e4, entry->functional_debits_e4};
    summary->documents[place] = (struct step_entry){entry->idempotency_key, entry->entity, entry->flow, entry->partner, entry->document, entry->origin};
    for (size_t i = 0; i < entry->lines.count; i++) {
        const struct entry_line *from = &entry->lines.items[i];
        posting_add_merged(&summary->posting, (struct ledger_line){.account = from->account, .side = from->credit ? LEDGER_CREDIT : LEDGER_DEBIT, .amount_e4 = from->amount_e4,
            .functional_e4 = from->functional_e4, .cost_centre = from->cost_centre, .project = from->project, .tax_code = from->tax_code, .partner = from->partner});
    }
}

/* False: one of its entries is gone, which nothing here does: a defect that a person must see. */
static bool entries_add(struct summary *summary) {
    struct decision *decision = summary->decision;
    summary->entries = decision_alloc(decision, ((size_t)summary->part->entries + 1) * sizeof *summary->entries);
    summary->documents = decision_alloc(decision, ((size_t)summary->part->entries + 1) * sizeof *summary->documents);
    for (int32_t i = 1; i <= summary->part->entries; i++) {
        const struct settlement_entry *entry = state_find(decision, STORE_ENTRIES, entry_key(decision, summary->id, summary->number, i));
        if (!entry) {
            report_as(decision, CLASS_HELD, REASON_ORIGINAL_UNKNOWN, "number", "entry %d of the part is gone from the state", (int)i);
            return false;
        }
        entry_add(summary, entry, (size_t)i - 1);
    }
    return true;
}

static struct slice text_of(const struct summary *summary) {
    const struct settlement_part *part = summary->part;
    char payments[DECIMAL_TEXT_SIZE], refunds[DECIMAL_TEXT_SIZE];
    decimal_print(part->payments_amount_e4, MONEY_SCALE, 2, payments);
    decimal_print(part->refunds_amount_e4, MONEY_SCALE, 2, refunds);
    return decision_format(summary->decision, SLICE_FORMAT ", part %d: %d payments %s, %d refunds %s", SLICE_ARGUMENT(summary->id->name), (int)summary->number,
                           (int)part->payments, payments, (int)part->refunds, refunds);
}

static void posting_fill(struct summary *summary) {
    const struct settlement_part *part = summary->part;
    struct posting *posting = &summary->posting;
    posting_begin_outright(posting, summary->decision, &summary->facts, SLICE("settlement"), summary->id->name, summary->number);
    posting->merges = true;
    posting->text = text_of(summary);
    posting->number = summary->id->name;
    posting->has_tax_date = part->has_tax_date;
    posting->tax_date = part->tax_date;
    posting->rate_type = part->rates_differ ? SLICE("average") : part->rate_type;
    posting->rate_undated = part->rates_differ || !part->has_rate_date;
    posting->rate_date = part->rate_date;
}

/* A part that is held is decided anew when what its journal stands on changes, or the window. */
static void held_until_put_right(struct summary *summary) {
    struct decision *decision = summary->decision;
    const struct facts *facts = &summary->facts;
    const int32_t date = facts->posting_date;
    retry_held_at_state(decision, STORE_WINDOWS, summary->id->key);
    if (!facts->entity) return;
    retry_held_at_table(decision, MASTER_LEGAL_ENTITIES, KEY(decision, facts->entity->entity), date);
    retry_held_at_table(decision, MASTER_PERIODS, KEY(decision, facts->entity->entity, facts->ledger), date);
    retry_held_at_table(decision, MASTER_SOURCE_PERMISSIONS, KEY(decision, SLICE(SETTLER), decision_topic(decision)), date);
    for (size_t i = 0; i < summary->posting.count; i++) {
        const struct ledger_line *line = &summary->posting.lines[i];
        retry_held_at_table(decision, MASTER_ACCOUNTS, KEY(decision, facts->entity->chart, line->account), date);
        if (line->cost_centre.length) retry_held_at_table(decision, MASTER_COST_CENTRES, KEY(decision, facts->entity->entity, line->cost_centre), date);
        if (line->project.length) retry_held_at_table(decision, MASTER_PROJECTS, KEY(decision, facts->entity->entity, line->project), date);
    }
}

/* On document.steps, about the window: whose documents the summary posts. kontor-acknowledger tells each of them, and what the ERP does with it. */
static void summary_tell(const struct summary *summary) {
    struct decision *decision = summary->decision;
    const struct window_id *id = summary->id;
    struct slice *journal = decision_alloc(decision, sizeof *journal);
    *journal = summary->posting.idempotency_key;
    struct document_step step = {.entity = id->entity, .flow = decision_flow(decision), .partner = id->batch, .document = id->name, .step = SLICE("summary"), .processor = SLICE("settler"),
        .origin = decision_origin(decision), .occurred_at_ms = decision_time_ms(decision), .decided_at_ms = decision_time_ms(decision)};
    step.journals.items = journal;
    step.journals.count = 1;
    step.entries.items = summary->documents;
    step.entries.count = (size_t)summary->part->entries;
    (void)emit_keyed(decision, OUTPUT_STEPS, (struct slice){0}, &step, KEY(decision, id->entity, step.flow, id->batch, id->name));
}

void part_decide_due(struct decision *decision, const struct settlement_event *event, const struct window_id *id) {
    struct summary summary = {.decision = decision, .id = id, .number = event->number, .window = state_find(decision, STORE_WINDOWS, id->key),
                              .part = state_find(decision, STORE_PARTS, part_key(decision, id, event->number))};
    if (!summary.window || !summary.part || summary.part->posted || event->number > summary.window->parts_sent) {
        report(decision, REASON_NO_EFFECT, "number", "");
        return;
    }
    facts_fill(&summary);
    posting_fill(&summary);
    if (!entries_add(&summary)) return;
    if (summary.facts.entity && !slice_equal(summary.part->functional_currency, summary.facts.entity->functional_currency))
        report_as(decision, CLASS_HELD, REASON_CURRENCY_MISMATCH, "entity", "its entries were valued in " SLICE_FORMAT, SLICE_ARGUMENT(summary.part->functional_currency));
    posting_check(&summary.posting);
    held_until_put_right(&summary);
    if (refused(decision)) return;
    /* effects */
    summary.posting.entries = summary.entries;
    summary.posting.entry_count = (size_t)summary.part->entries;
    if (posting_emit(&summary.posting, OUTPUT_COMMANDS).length) summary_tell(&summary);
    for (int32_t i = 1; i <= summary.part->entries; i++) state_remove(decision, STORE_ENTRIES, entry_key(decision, id, event->number, i));
    struct settlement_part posted_part = *summary.part;
    posted_part.posted = true;
    state_put(decision, STORE_PARTS, part_key(decision, id, event->number), &posted_part);
}
