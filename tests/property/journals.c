/* journals: canonical journals that name their accounts, or go by rules; accruals, corrections, reversals; some do not balance, some are too large. */
#include "schemas/journal_event.h"
#include "tests/property/chance.h"
#include "tests/property/story.h"

#define JOURNAL_TOPIC "journal.events"
enum { STREAMS = 20, LINES_MAXIMUM = 9 };

static struct journal_event *journal_make(struct story *story, enum journal_kind kind, int document, size_t lines) {
    struct journal_event *event = story_alloc(story, sizeof *event);
    *event = (struct journal_event){.event_id = story_text(story, "e%" PRIu64 "-%d", story->number, story->count), .kind = kind, .source = SLICE("SRC"),
        .entity = slice_of(world_entities[story->entity].id), .partner = story->partner, .document = story->documents[document], .document_date = story_day(story),
        .currency = story_currency(story), .step = SLICE("journal")};
    event->has_posting_date = one_in(2);
    event->posting_date = story_day(story);
    event->lines.items = story_alloc(story, lines * sizeof *event->lines.items);
    event->lines.count = lines;
    return event;
}

static void journal_add(struct story *story, const struct journal_event *event, int document, int takes_back) {
    story_add(story, JOURNAL_TOPIC, journal_kind_name(event->kind), event, document, takes_back);
}

/* The last line takes what the others leave. */
static void outright_fill(struct story *story, struct journal_event *event) {
    int64_t sum_e4 = 0;
    for (size_t i = 0; i < event->lines.count; i++) {
        struct journal_event_line *line = &event->lines.items[i];
        bool last = i + 1 == event->lines.count;
        *line = (struct journal_event_line){.line = story_text(story, "%zu", i + 1), .account = story_text(story, PREFIX_EXPENSE "%d", (int)chance_below(CATEGORIES)),
            .side = one_in(2) ? JOURNAL_EVENT_SIDE_DEBIT : JOURNAL_EVENT_SIDE_CREDIT, .amount_e4 = story_amount(story, one_in(20) ? 38 : 26)};
        if (last) {
            line->side = sum_e4 > 0 ? JOURNAL_EVENT_SIDE_CREDIT : JOURNAL_EVENT_SIDE_DEBIT;
            line->amount_e4 = sum_e4 > 0 ? sum_e4 : -sum_e4;
        } else if (one_in(10)) {
            line->amount_e4 = -line->amount_e4;
        }
        sum_e4 += line->side == JOURNAL_EVENT_SIDE_DEBIT ? line->amount_e4 : -line->amount_e4;
    }
    if (one_in(25)) event->lines.items[0].amount_e4 += story_unit(story);   /* does not balance */
}

static void by_rules_fill(struct story *story, struct journal_event *event) {
    event->by_rules = true;
    for (size_t i = 0; i < event->lines.count; i++) {
        struct journal_event_line *line = &event->lines.items[i];
        *line = (struct journal_event_line){.line = story_text(story, "%zu", i + 1), .account = story_text(story, PREFIX_EXPENSE "%d", (int)chance_below(CATEGORIES)),
            .amount_e4 = story_amount(story, 26), .cost_centre = SLICE("CC1")};
        if (!one_in(3)) line->tax_code = slice_of(world_taxes[chance_below(TAX_CODES)].code);
    }
}

static void fill(struct story *story, struct journal_event *event) {
    if (one_in(3)) by_rules_fill(story, event);
    else outright_fill(story, event);
    if (!one_in(5)) return;
    event->has_posting_date = event->has_reverse_on = true;
    event->reverse_on = event->posting_date + 1 + (int32_t)chance_below(20);
}

static void journals_make(struct story *story) {
    int entity = (int)chance_below(ENTITIES);
    story_begin(story, entity, one_in(2) ? world_entities[entity].functional : (int)chance_below(ORDINARY_CURRENCIES));
    story_partner(story, "STREAM", STREAMS);
    for (int documents = 1 + (int)chance_below(3); documents > 0; documents--) {
        int document = story_document(story, "J");
        struct journal_event *event = journal_make(story, JOURNAL_KIND_SUBMITTED, document, 2 + (size_t)chance_below(LINES_MAXIMUM - 1));
        fill(story, event);
        journal_add(story, event, document, NOTHING);
        if (one_in(4)) {
            event = journal_make(story, JOURNAL_KIND_CORRECTED, document, 2 + (size_t)chance_below(LINES_MAXIMUM - 1));
            fill(story, event);
            journal_add(story, event, document, NOTHING);
        }
        if (one_in(6)) story_repeat(story, (int)chance_below(story->count));
        if (one_in(3)) journal_add(story, journal_make(story, JOURNAL_KIND_REVERSED, document, 0), document, document);
    }
}

/* ---- the check ---- */

static void line_expect(struct story *story, int happening, const struct journal_event *event, const struct journal_event_line *line, struct balances *expected) {
    int digits = world_currencies[story->currency].digits, tax = world_tax_find(line->tax_code);
    if (!event->by_rules) {
        story_expect(story, happening, expected, line->account, line->side == JOURNAL_EVENT_SIDE_DEBIT ? line->amount_e4 : -(wide)line->amount_e4);
        return;
    }
    wide tax_e4 = tax < 0 ? 0 : wide_share(line->amount_e4, world_taxes[tax].rate_e4, digits), charged_e4 = tax >= 0 && world_taxes[tax].reverse_charge ? 0 : tax_e4;
    wide deductible_e4 = tax < 0 ? 0 : wide_share(tax_e4, world_taxes[tax].deductible_e4, digits);
    story_expect(story, happening, expected, line->account, line->amount_e4);
    story_expect(story, happening, expected, line->account, tax_e4 - deductible_e4);
    story_expect(story, happening, expected, SLICE(ACCOUNT_INPUT_TAX), deductible_e4);
    story_expect(story, happening, expected, SLICE(ACCOUNT_REVERSE_TAX), charged_e4 - tax_e4);
    story_expect(story, happening, expected, SLICE(ACCOUNT_PAYROLL), -(line->amount_e4 + charged_e4));
}

/* What was submitted is posted as it is; with its own reversal it is nothing. */
static void submitted_check(struct story *story, int number) {
    struct balances expected = {.count = 0};
    const struct journal_event *event = story->happenings[number].event;
    wide sides_e4[2] = {0, 0};
    for (size_t i = 0; i < event->lines.count; i++) {
        if (!event->has_reverse_on) line_expect(story, number, event, &event->lines.items[i], &expected);
        sides_e4[event->lines.items[i].side] += event->lines.items[i].amount_e4;
    }
    story_check(story, PROPERTY_BALANCED, story->happenings[number].document, event->by_rules || sides_e4[0] == sides_e4[1], "accepted, and debits and credits differ");
    story_check_posted(story, number, &expected, NULL);
}

static void journals_check(struct story *story) {
    for (int i = 0; i < story->decision_count; i++) {
        int number = story->decisions[i].happening;
        const struct journal_event *event = story->happenings[number].event;
        if (event->kind == JOURNAL_KIND_SUBMITTED && happening_took_effect(&story->happenings[number])) submitted_check(story, number);
    }
}

extern const struct generator journals_generator;
const struct generator journals_generator = {.name = "journals", .topic = JOURNAL_TOPIC, .weight = 4, .make = journals_make, .check = journals_check};
