/* summaries: a journal that stands for many. The documents that are in it hear of it, and what the ERP does with it is done with each of theirs. */
#include "processors/acknowledger/acknowledger.h"

/* An entry of a settler before this was told names no document. */
static bool is_told(const struct summary_entry *entry) {
    return entry->journal.length && entry->entity.length && entry->flow.length && entry->partner.length && entry->document.length && entry->origin.length;
}

static struct slice key_of(struct decision *decision, const struct summary_entry *entry) { return KEY(decision, entry->entity, entry->flow, entry->partner, entry->document); }

/* To the document: its journal is in that summary. */
static void entry_tell(struct decision *decision, const struct document_step *summary, const struct summary_entry *entry) {
    struct step_entry *own = decision_alloc(decision, sizeof *own);
    *own = (struct step_entry){entry->journal, entry->entity, entry->flow, entry->partner, entry->document, entry->origin};
    struct document_step told = {.entity = entry->entity, .flow = entry->flow, .partner = entry->partner, .document = entry->document, .step = SLICE("in summary"),
        .processor = SLICE("acknowledger"), .origin = entry->origin, .occurred_at_ms = summary->occurred_at_ms, .decided_at_ms = summary->decided_at_ms};
    told.journals.items = summary->journals.items;
    told.journals.count = 1;
    told.entries.items = own;
    told.entries.count = 1;
    (void)emit_keyed(decision, OUTPUT_STEPS, (struct slice){0}, &told, key_of(decision, entry));
}

/* The ERP's answer to the summary, as its answer to each journal in it. */
static void answer_pass_on(struct decision *decision, const struct summary_entries *summary, const struct posting_ack *ack) {
    for (size_t i = 0; i < summary->entries.count; i++) {
        const struct summary_entry *entry = &summary->entries.items[i];
        struct posting_ack own = *ack;
        if (!is_told(entry)) continue;
        own.idempotency_key = entry->journal;
        own.entity = entry->entity;
        own.flow = entry->flow;
        own.partner = entry->partner;
        own.document = entry->document;
        own.origin = entry->origin;
        own.source = own.event_id = own.correlation_id = (struct slice){0};
        (void)emit_keyed(decision, OUTPUT_ACKS, (struct slice){0}, &own, key_of(decision, entry));
    }
}

/* The topics have no order between them: the answer may have come before. */
static void answer_heard(struct decision *decision, const struct document_step *step, const struct summary_entries *summary) {
    struct life life;
    life_begin(&life, decision, step->entity, step->flow, step->partner, step->document);
    for (size_t i = 0; i < life.state.journals.count; i++) {
        const struct document_journal *journal = &life.state.journals.items[i];
        if (!slice_equal(journal->key, step->journals.items[0]) || !journal->has_answered_at) continue;
        const bool posted = slice_equal(journal->state, SLICE("posted"));
        const struct posting_ack ack = {.outcome = posted ? POSTING_OUTCOME_POSTED : POSTING_OUTCOME_REFUSED, .erp = journal->erp, .number = journal->number, .year = journal->year,
            .period = journal->period, .has_posting_date = journal->has_posting_date, .posting_date = journal->posting_date, .reason = journal->reason, .text = journal->text,
            .occurred_at_ms = journal->answered_at_ms};
        answer_pass_on(decision, summary, &ack);
    }
}

/* Under the key of the window's document and its own: where the answer to it comes. */
static struct slice summary_key(struct decision *decision, struct slice entity, struct slice flow, struct slice partner, struct slice document, struct slice journal) {
    return KEY(decision, entity, flow, partner, document, journal);
}

void summaries_take(struct decision *decision, const struct document_step *step) {
    if (!step->journals.count) return;
    const struct slice key = summary_key(decision, step->entity, step->flow, step->partner, step->document, step->journals.items[0]);
    if (state_find(decision, STORE_SUMMARIES, key)) return;
    struct summary_entries summary = {.entries.count = step->entries.count};
    summary.entries.items = decision_alloc(decision, (step->entries.count + 1) * sizeof *summary.entries.items);
    for (size_t i = 0; i < step->entries.count; i++) {
        const struct step_entry *from = &step->entries.items[i];
        summary.entries.items[i] = (struct summary_entry){from->journal, from->entity, from->flow, from->partner, from->document, from->origin};
        if (is_told(&summary.entries.items[i])) entry_tell(decision, step, &summary.entries.items[i]);
    }
    state_put(decision, STORE_SUMMARIES, key, &summary);
    answer_heard(decision, step, &summary);
}

void summaries_answer(struct decision *decision, const struct posting_ack *ack) {
    const struct slice key = summary_key(decision, ack->entity, ack->flow, ack->partner, ack->document, ack->idempotency_key);
    const struct summary_entries *summary = state_find(decision, STORE_SUMMARIES, key);
    if (summary) answer_pass_on(decision, summary, ack);
}
