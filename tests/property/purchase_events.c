#include "tests/property/purchase.h"
#include "tests/property/chance.h"

struct slice category_name(int category) {
    static const char *const names[CATEGORIES] = {"CAT0", "CAT1", "CAT2", "CAT3", "CAT4", "CAT5"};
    return slice_of(names[category]);
}

struct slice line_name(struct story *story, int line) { return story_text(story, "%d", line + 1); }

static struct slice event_id(struct story *story) { return story_text(story, "e%" PRIu64 "-%d", story->number, story->count); }

/* Of two events in three; the others leave it to the entity's local date. */
static bool posting_date_make(const struct story *story, int32_t *date) {
    *date = story_day(story) - (int32_t)chance_below(3);
    if (*date < FIRST_DAY) *date = FIRST_DAY;
    return chance_below(3) != 0;
}

struct procurement_event *procurement_make(struct story *story, enum procurement_kind kind, int document, int order, size_t lines) {
    struct procurement_event *event = story_alloc(story, sizeof *event);
    *event = (struct procurement_event){.event_id = event_id(story), .kind = kind, .source = SLICE("SRC"),
        .entity = slice_of(world_entities[story->entity].id), .supplier = story->partner,
        .order = order >= 0 ? story->documents[order] : (struct slice){0}, .document = story->documents[document], .document_date = story_day(story),
        .currency = story_currency(story)};
    event->has_posting_date = posting_date_make(story, &event->posting_date);
    event->lines.items = story_alloc(story, lines * sizeof *event->lines.items);
    event->lines.count = lines;
    return event;
}

struct invoice_event *invoice_make(struct story *story, enum invoice_kind kind, int document, size_t lines) {
    struct invoice_event *event = story_alloc(story, sizeof *event);
    *event = (struct invoice_event){.event_id = event_id(story), .kind = kind, .source = SLICE("SRC"),
        .entity = slice_of(world_entities[story->entity].id), .supplier = story->partner,
        .document = story->documents[document], .document_date = story_day(story), .currency = story_currency(story)};
    event->has_posting_date = posting_date_make(story, &event->posting_date);
    event->lines.items = story_alloc(story, lines * sizeof *event->lines.items);
    event->lines.count = lines;
    return event;
}

struct happening *procurement_add(struct story *story, const struct procurement_event *event, int document, int takes_back) {
    return story_add(story, PROCUREMENT_TOPIC, procurement_kind_name(event->kind), event, document, takes_back);
}

wide tax_charged(const struct story *story, const struct invoice_line *line) {
    int tax = world_tax_find(line->tax_code);
    if (line->has_tax) return line->tax_e4;
    if (tax < 0 || world_taxes[tax].reverse_charge) return 0;
    return wide_share(line->net_e4, world_taxes[tax].rate_e4, world_currencies[story->currency].digits);
}

struct happening *invoice_add(struct story *story, struct invoice_event *event, int document, int takes_back) {
    static const wide largest_e4 = 999999999999999999;   /* 18 digits: what the schema holds */
    wide total_e4 = 0;
    for (size_t i = 0; i < event->lines.count; i++) total_e4 += event->lines.items[i].net_e4 + tax_charged(story, &event->lines.items[i]);
    if (event->lines.count && !event->has_total) {
        event->has_total = true;
        event->total_e4 = (int64_t)(total_e4 > largest_e4 ? largest_e4 : total_e4 < -largest_e4 ? -largest_e4 : total_e4);
    }
    return story_add(story, INVOICE_TOPIC, invoice_kind_name(event->kind), event, document, takes_back);
}

void order_add(struct story *story, int order, int lines, const int64_t quantities_e6[], const int64_t nets_e4[], int first_category) {
    struct procurement_event *event = procurement_make(story, PROCUREMENT_KIND_ORDER_CREATED, order, order, (size_t)lines);
    for (int i = 0; i < lines; i++)
        event->lines.items[i] = (struct procurement_line){.line = line_name(story, i), .quantity_e6 = quantities_e6[i], .unit = SLICE("C62"), .has_net = true,
            .net_e4 = nets_e4[i],
            .category = category_name((first_category + i) % CATEGORIES), .cost_centre = chance_below(2) ? SLICE("CC1") : SLICE("CC2"),
            .project = chance_below(3) ? (struct slice){0} : SLICE("P1")};
    procurement_add(story, event, order, NOTHING);
}
