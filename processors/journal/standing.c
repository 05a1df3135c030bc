/* standing: what stands of a document – its journals, the bearers' and what reverses them by itself – and how it is taken back. */
#include "processors/journal/journal.h"

#include "common/ledger/date.h"

/* ---- taking back ---- */

/* Facts of one journal's reversal: of its entity and ledger, and not before the day of what reverses an accrual. */
static struct facts facts_of_reversal(struct canonical *canonical, const struct posting_command *sent) {
    struct facts facts = canonical->facts;
    if (!slice_equal(sent->entity, canonical->event->entity)) {
        struct facts_given given = canonical->given;
        given.posts = false;
        given.reverses = true;
        facts_of_entity(canonical->decision, sent->entity, given, "lines.bearer", &facts);
    }
    facts.ledger = sent->ledger;
    if (sent->reverses.length && sent->posting_date > facts.asked_date) facts.asked_date = sent->posting_date;
    return facts;
}

struct reversals standing_reversals(struct canonical *canonical) {
    struct decision *decision = canonical->decision;
    const struct journal_state *state = canonical->state;
    struct reversals reversals = {.items = decision_alloc(decision, (state->journals.count + 1) * sizeof *reversals.items), .count = state->journals.count};
    for (size_t i = 0; i < reversals.count; i++) {
        struct reversal *reversal = &reversals.items[i];
        reversal->command = state->journals.items[i].command;
        reversal->facts = facts_of_reversal(canonical, emitted(decision, OUTPUT_COMMANDS, reversal->command));
        posting_reversal_check(decision, &reversal->facts);
    }
    return reversals;
}

void standing_reverse(struct canonical *canonical, const struct reversals *reversals) {
    for (size_t i = 0; i < reversals->count; i++)
        (void)posting_reverse(canonical->decision, &reversals->items[i].facts, OUTPUT_COMMANDS, reversals->items[i].command);
}

/* ---- posting ---- */

/* Of the reversal that comes by itself: its day is asked for as a reversal's is. */
static struct facts facts_of_end(const struct canonical *canonical, const struct facts *facts) {
    struct facts end = *facts;
    const int32_t reverse_on = canonical->event->reverse_on;
    end.asked_date = reverse_on > facts->posting_date ? reverse_on : facts->posting_date;
    return end;
}

static void end_check(struct canonical *canonical, const struct facts *facts) {
    if (!facts->entity) return;
    const struct facts end = facts_of_end(canonical, facts);
    const struct period_choice period = period_choose(canonical->decision, end.entity, end.ledger, end.asked_date, PERIOD_REVERSAL);
    period_report_of(canonical->decision, end.entity, end.ledger, &period, "reverse_on");
}

void standing_check(struct canonical *canonical) {
    const struct journal_event *event = canonical->event;
    if (!event->has_reverse_on) return;
    if (!date_is_valid(event->reverse_on) || event->reverse_on <= canonical->facts.asked_date) {
        report(canonical->decision, REASON_DATE_IMPLAUSIBLE, "reverse_on", "not behind the posting date");
        return;
    }
    end_check(canonical, &canonical->facts);
    for (size_t i = 0; i < canonical->share_count; i++)
        if (share_is_usable(&canonical->shares[i])) end_check(canonical, &canonical->shares[i].facts);
}

static void post_one(struct canonical *canonical, struct posting *posting, struct journal_state *state) {
    posting->has_tax_date = true;
    posting->tax_date = canonical->tax_date;
    posting->text = canonical->event->text;
    const struct slice command = posting_emit(posting, OUTPUT_COMMANDS);
    if (!command.length) return;
    state->journals.items[state->journals.count++].command = command;
    if (!canonical->event->has_reverse_on) return;
    const struct facts end = facts_of_end(canonical, posting->facts);
    state->journals.items[state->journals.count++].command = posting_reverse_as(canonical->decision, &end, OUTPUT_COMMANDS, command, "_auto_reversal");
}

/* Each share's journal names the entity's, the entity's the first share's. */
static void counterparts_name(struct canonical *canonical) {
    for (size_t i = canonical->share_count; i-- > 0;) posting_pair(&canonical->own, &canonical->shares[i].posting);
}

void standing_post(struct canonical *canonical, struct journal_state *state) {
    state->journals.items = decision_alloc(canonical->decision, 2 * (canonical->share_count + 1) * sizeof *state->journals.items);
    counterparts_name(canonical);
    post_one(canonical, &canonical->own, state);
    for (size_t i = 0; i < canonical->share_count; i++) post_one(canonical, &canonical->shares[i].posting, state);
}
