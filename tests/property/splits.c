/* splits: one order is received and invoiced as a whole, another of the same quantity and value in random parts. Both end with the same balances, and with
 * nothing received that is not invoiced.
 *
 * When the whole's documents have the same lines as the parts are (line_by_line), functional amounts are the same too, to the cent. Otherwise the whole is
 * one line: each conversion and each part may then round otherwise, by half a minor unit of each line at most. */
#include "tests/property/purchase.h"
#include "tests/property/chance.h"

enum { PARTS_MAXIMUM = 9 };

struct side { int order, documents[2 * PARTS_MAXIMUM + 1], count; };
struct plan {
    struct side whole, parts;
    bool line_by_line, one_rate, cleared;
    int32_t day;
    int receipts, invoices;             /* parts */
    int64_t received_e6[PARTS_MAXIMUM], invoiced_e6[PARTS_MAXIMUM], nets_e4[PARTS_MAXIMUM];
    int64_t ordered_e6, net_e4;
    struct slice tax_code;
};

/* Into so many parts of at least one unit. */
static void cut(int64_t whole, int64_t unit, int parts, int64_t into[PARTS_MAXIMUM]) {
    int64_t left = whole / unit;
    for (int i = 0; i < parts - 1; i++) {
        int64_t spare = left - (parts - i - 1), part = 1 + chance_below(spare) / (1 + chance_below(4));
        into[i] = part * unit;
        left -= part;
    }
    into[parts - 1] = left * unit;
}

static void date_set(struct story *story, const struct plan *plan, bool *has, int32_t *date) {
    *has = true;
    *date = plan->one_rate ? plan->day : story_day(story);
}

static void receive(struct story *story, const struct plan *plan, struct side *side, const int64_t units_e6[], int count) {
    int document = side->documents[side->count++] = story_document(story, "R");
    struct procurement_event *event = procurement_make(story, PROCUREMENT_KIND_GOODS_RECEIVED, document, side->order, (size_t)count);
    date_set(story, plan, &event->has_posting_date, &event->posting_date);
    for (int i = 0; i < count; i++) event->lines.items[i] = (struct procurement_line){.line = line_name(story, 0), .quantity_e6 = units_e6[i]};
    procurement_add(story, event, document, NOTHING);
}

static void invoice(struct story *story, const struct plan *plan, struct side *side, const int64_t units_e6[], const int64_t nets_e4[], int count) {
    int document = side->documents[side->count++] = story_document(story, "I");
    struct invoice_event *event = invoice_make(story, INVOICE_KIND_RECEIVED, document, (size_t)count);
    date_set(story, plan, &event->has_posting_date, &event->posting_date);
    event->number = story->documents[document];
    for (int i = 0; i < count; i++)
        event->lines.items[i] = (struct invoice_line){.line = line_name(story, i), .order = story->documents[side->order], .order_line = line_name(story, 0),
            .quantity_e6 = units_e6[i],
                                                      .net_e4 = nets_e4[i], .tax_code = plan->tax_code};
    invoice_add(story, event, document, NOTHING);
}

static void clear(struct story *story, const struct plan *plan, const struct side *side) {
    for (int i = 0; i < side->count; i++) {
        if (story->documents[side->documents[i]].data[0] != 'I') continue;
        struct invoice_event *event = invoice_make(story, INVOICE_KIND_CLEARED, side->documents[i], 0);
        date_set(story, plan, &event->has_posting_date, &event->posting_date);
        invoice_add(story, event, side->documents[i], NOTHING);
    }
}

static void whole_make(struct story *story, struct plan *plan) {
    const int64_t all_e6[] = {plan->ordered_e6}, net_e4[] = {plan->net_e4};
    if (plan->line_by_line) {
        receive(story, plan, &plan->whole, plan->received_e6, plan->receipts);
        invoice(story, plan, &plan->whole, plan->invoiced_e6, plan->nets_e4, plan->invoices);
    } else {
        receive(story, plan, &plan->whole, all_e6, 1);
        invoice(story, plan, &plan->whole, all_e6, net_e4, 1);
    }
}

/* In turns: an invoice when its units are there; sometimes before, then it waits for them. */
static void parts_make(struct story *story, struct plan *plan) {
    int64_t received_e6 = 0, invoiced_e6 = 0;
    for (int r = 0, i = 0; r < plan->receipts || i < plan->invoices;) {
        bool there = i < plan->invoices && received_e6 >= invoiced_e6 + plan->invoiced_e6[i], early = i < plan->invoices && !plan->line_by_line && chance_below(5) == 0;
        if ((there && chance_below(2)) || early || r == plan->receipts) {
            invoice(story, plan, &plan->parts, &plan->invoiced_e6[i], &plan->nets_e4[i], 1);
            invoiced_e6 += plan->invoiced_e6[i++];
        } else {
            receive(story, plan, &plan->parts, &plan->received_e6[r], 1);
            received_e6 += plan->received_e6[r++];
        }
    }
}

static void splits_make(struct story *story) {
    struct plan *plan = story->plan = story_alloc(story, sizeof *plan);
    int entity = chance_below(2) ? 0 : 3;
    story_begin(story, entity, chance_below(3) == 0 ? world_entities[entity].functional : (int)chance_below(ORDINARY_CURRENCIES));
    while (supplier_is_blocked(story->partner)) story_begin(story, entity, story->currency);
    int64_t unit_e4 = story_unit(story);
    *plan = (struct plan){.line_by_line = chance_below(2), .one_rate = chance_below(3) != 0, .cleared = chance_below(2), .day = story_day(story),
                          .receipts = 2 + (int)chance_below(PARTS_MAXIMUM - 1), .invoices = 2 + (int)chance_below(PARTS_MAXIMUM - 1)};
    plan->one_rate |= plan->line_by_line;
    plan->ordered_e6 = chance_below(2) ? (chance_below(1000) + PARTS_MAXIMUM) * 1000000 : chance_magnitude(40) + 1000;
    plan->net_e4 = story_amount(story, 30) + 100 * unit_e4;
    if (plan->line_by_line && chance_below(4)) plan->tax_code = slice_of(world_taxes[chance_below(TAX_CODES)].code);
    cut(plan->ordered_e6, plan->ordered_e6 % 1000000 ? 1 : 1000000, plan->receipts, plan->received_e6);
    cut(plan->ordered_e6, 1, plan->invoices, plan->invoiced_e6);
    cut(plan->net_e4, unit_e4, plan->invoices, plan->nets_e4);
    const int64_t value_e4[] = {chance_below(3) ? plan->net_e4 : story_amount(story, 30)};
    plan->whole.order = story_document(story, "O");
    plan->parts.order = story_document(story, "P");
    order_add(story, plan->whole.order, 1, &plan->ordered_e6, value_e4, 1);
    order_add(story, plan->parts.order, 1, &plan->ordered_e6, value_e4, 1);
    whole_make(story, plan);
    parts_make(story, plan);
    if (!plan->cleared) return;
    clear(story, plan, &plan->whole);
    clear(story, plan, &plan->parts);
}

/* ---- the check ---- */

static void side_sum(const struct story *story, const struct side *side, struct balances *balances) {
    for (const struct story_journal *journal = story->journals; journal; journal = journal->next)
        for (int i = 0; i < side->count; i++)
            if (journal->document == side->documents[i]) balances_add_journal(balances, &journal->seen);
    /* Exchange differences of one line may be a loss and of another a gain: together they are what counts. */
    struct balance *loss = balances_of(balances, SLICE(ACCOUNT_FX_LOSS)), *gain = balances_of(balances, SLICE(ACCOUNT_FX_GAIN));
    loss->functional_e4 += gain->functional_e4;
    gain->functional_e4 = 0;
}

static void settled_check(struct story *story, const struct plan *plan, const struct balances *balances, const char *which) {
    for (size_t i = 0; i < balances->count; i++) {
        const struct balance *balance = &balances->items[i];
        if (memcmp(balance->account.data, PREFIX_GRNI, 5) == 0)
            story_check(story, PROPERTY_SPLITTING, NOTHING, balance->amount_e4 == 0 && balance->functional_e4 == 0,
                        "%s: everything is received and invoiced, and " SLICE_FORMAT " is not zero",
                        which, SLICE_ARGUMENT(balance->account));
        if (plan->cleared && slice_equal(balance->account, slice_of(world_entities[story->entity].payable)))
            story_check(story, PROPERTY_SPLITTING, NOTHING, balance->amount_e4 == 0, "%s: everything is paid, and payables are not zero", which);
    }
}

static void splits_check(struct story *story) {
    const struct plan *plan = story->plan;
    struct balances whole = {.count = 0}, parts = {.count = 0};
    int functional = world_entities[story->entity].functional;
    purchase_check(story);
    for (int i = 0; i < story->count; i++)
        story_check(story, PROPERTY_SPLITTING, story->happenings[i].document, happening_took_effect(&story->happenings[i]), "%s was not accepted",
                    story->happenings[i].kind);
    side_sum(story, &plan->whole, &whole);
    side_sum(story, &plan->parts, &parts);
    settled_check(story, plan, &whole, "the whole");
    settled_check(story, plan, &parts, "the parts");
    for (size_t i = 0; i < whole.count; i++) (void)balances_of(&parts, whole.items[i].account);
    for (size_t i = 0; i < parts.count; i++) {
        const struct balance *of_parts = &parts.items[i], *of_whole = balances_of(&whole, of_parts->account);
        char text[2][WIDE_TEXT_SIZE];
        story_check(story, PROPERTY_SPLITTING, NOTHING, of_parts->amount_e4 == of_whole->amount_e4, "account " SLICE_FORMAT ": %s of the whole, %s of its parts",
                    SLICE_ARGUMENT(of_parts->account), wide_print(of_whole->amount_e4, text[0]), wide_print(of_parts->amount_e4, text[1]));
        if (!plan->one_rate) continue;
        bool exact = story->currency == functional || (plan->line_by_line && !plan->cleared);
        wide off_e4 = wide_size(of_parts->functional_e4 - of_whole->functional_e4), lines = 4 * (plan->receipts + plan->invoices) + 8;
        story_check(story, PROPERTY_SPLITTING, NOTHING, exact ? off_e4 == 0 : off_e4 <= lines * wide_unit(world_currencies[functional].digits),
                    "account " SLICE_FORMAT ": %s of the whole, %s of its parts in functional currency", SLICE_ARGUMENT(of_parts->account),
                        wide_print(of_whole->functional_e4, text[0]),
                    wide_print(of_parts->functional_e4, text[1]));
    }
}

extern const struct generator splits_generator;
const struct generator splits_generator = {.name = "splits", .topic = INVOICE_TOPIC, .weight = 3, .make = splits_make, .check = splits_check};
