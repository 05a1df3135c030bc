/* extremes: amounts, quantities and rates at the ends of what there is, and documents of many lines. Such a document is refused with AMOUNT_OVERFLOW, or it is
 * accepted and right in 128 bits; one that is refused for it has a figure that is too large. */
#include "tests/property/purchase.h"
#include "tests/property/chance.h"

static const int64_t amount_limit_e4 = INT64_C(10000000000000000), schema_limit = INT64_C(999999999999999999), quantity_limit_e6 = INT64_C(1000000000000000);

/* Near a limit, or of any size. */
static int64_t near(int64_t limit, int64_t unit) {
    int64_t value;
    switch (chance_below(6)) {
    case 0: value = limit; break;
    case 1: value = limit - chance_magnitude(20) * unit; break;
    case 2: value = limit + chance_magnitude(20) * unit; break;
    case 3: value = limit / (1 + chance_below(1000)); break;
    case 4: value = limit + chance_magnitude(60); break;
    default: value = chance_magnitude(59); break;
    }
    if (value > schema_limit || value < 0) value = schema_limit;
    return value < unit ? unit : value / unit * unit;
}

static int line_count(void) { return chance_below(3) ? 1 + (int)chance_below(4) : 1 + (int)chance_below(300); }

static void line_fill(struct story *story, struct invoice_line *line, int number, int64_t limit_e4) {
    *line = (struct invoice_line){.line = line_name(story, number), .net_e4 = near(limit_e4, story_unit(story)),
                                  .account = story_text(story, PREFIX_EXPENSE "%d", number % CATEGORIES)};
    if (chance_below(2)) line->tax_code = slice_of(world_taxes[chance_below(TAX_CODES)].code);
    if (chance_below(8) == 0) line->net_e4 = -line->net_e4;
}

static void invoice_send(struct story *story, struct invoice_event *event, int document) {
    event->number = story->documents[document];
    if (world_entities[story->entity].posts_on_approval) event->kind = INVOICE_KIND_APPROVED;
    invoice_add(story, event, document, NOTHING);
}

static void invoices_make(struct story *story) {
    for (int i = 1 + (int)chance_below(3); i > 0; i--) {
        int document = story_document(story, "I"), lines = line_count();
        struct invoice_event *event = invoice_make(story, INVOICE_KIND_RECEIVED, document, (size_t)lines);
        for (int k = 0; k < lines; k++) line_fill(story, &event->lines.items[k], k, amount_limit_e4 / (chance_below(3) ? lines : 1));
        invoice_send(story, event, document);
        if (chance_below(4) == 0) invoice_add(story, invoice_make(story, INVOICE_KIND_CLEARED, document, 0), document, NOTHING);
        else if (chance_below(3) == 0) invoice_add(story, invoice_make(story, INVOICE_KIND_CANCELLED, document, 0), document, document);
    }
}

/* Lines that are small in their own currency, each of which fits once it is converted, and whose sum is about 2^64: in 64 bits it would be a small number. */
static void turning_make(struct story *story) {
    enum { LEAST = 20, MORE = 12 };
    int document = story_document(story, "I"), lines = LEAST + (int)chance_below(MORE);
    struct invoice_event *event = invoice_make(story, INVOICE_KIND_RECEIVED, document, (size_t)lines);
    wide sum_e4 = ((wide)1 << 64) * 10000000000 / story_rate(story, story_day(story)), unit_e4 = story_unit(story);
    for (int k = 0; k < lines; k++) {
        wide net_e4 = sum_e4 / lines * (995 + chance_below(11)) / 1000 / unit_e4 * unit_e4;
        event->lines.items[k] = (struct invoice_line){.line = line_name(story, k), .account = SLICE(PREFIX_EXPENSE "1"),
                                                      .net_e4 = (int64_t)(net_e4 > amount_limit_e4 ? amount_limit_e4 : net_e4 < unit_e4 ? unit_e4 : net_e4)};
    }
    invoice_send(story, event, document);
}

static void order_of_extremes(struct story *story) {
    int order = story_document(story, "O");
    const int64_t quantity_e6[] = {near(quantity_limit_e6 / (1 + chance_below(3)), 1)}, net_e4[] = {near(amount_limit_e4, story_unit(story))};
    order_add(story, order, 1, quantity_e6, net_e4, 2);
    for (int i = 1 + (int)chance_below(3); i > 0; i--) {
        int document = story_document(story, "R"), lines = chance_below(4) ? 1 : 1 + (int)chance_below(40);
        struct procurement_event *event = procurement_make(story, PROCUREMENT_KIND_GOODS_RECEIVED, document, order, (size_t)lines);
        for (int k = 0; k < lines; k++) event->lines.items[k] = (struct procurement_line){.line = line_name(story, 0), .quantity_e6 = near(quantity_e6[0] / lines, 1)};
        procurement_add(story, event, document, NOTHING);
        int invoice = story_document(story, "I");
        struct invoice_event *invoiced = invoice_make(story, INVOICE_KIND_RECEIVED, invoice, 1);
        line_fill(story, &invoiced->lines.items[0], 0, net_e4[0]);
        invoiced->lines.items[0].net_e4 = (int64_t)wide_size(invoiced->lines.items[0].net_e4);
        invoiced->lines.items[0].order = story->documents[order];
        invoiced->lines.items[0].order_line = line_name(story, 0);
        invoiced->lines.items[0].quantity_e6 = event->lines.items[0].quantity_e6;
        invoice_send(story, invoiced, invoice);
    }
}

static void extremes_make(struct story *story) {
    story_begin(story, (int)chance_below(ENTITIES),
                (int)chance_below(2) ? ORDINARY_CURRENCIES + (int)chance_below(CURRENCIES - ORDINARY_CURRENCIES) : (int)chance_below(CURRENCIES));
    if (one_in(4)) turning_make(story);
    else if (one_in(2)) invoices_make(story);
    else order_of_extremes(story);
}

/* The largest figure of an invoice without order: its amounts, their sums, and these in functional currency at the dearest rate there was. */
static bool is_too_large(const struct story *story, const struct invoice_event *event) {
    wide largest_e4 = 0, sum_e4 = 0, sizes_e4 = 0;
    int64_t rate_e10 = 0;
    for (size_t i = 0; i < event->lines.count; i++) {
        const struct invoice_line *line = &event->lines.items[i];
        int tax = world_tax_find(line->tax_code);
        wide tax_e4 = tax < 0 ? 0 : wide_share(line->net_e4, world_taxes[tax].rate_e4, world_currencies[story->currency].digits);
        sum_e4 += line->net_e4;
        sizes_e4 += wide_size(line->net_e4) + wide_size(tax_e4);
        if (wide_size(sum_e4) > largest_e4) largest_e4 = wide_size(sum_e4);
    }
    if (wide_size(event->total_e4) > largest_e4) largest_e4 = wide_size(event->total_e4);
    for (int day = 0; day < DAYS; day++)
        if (story->world->rates_e10[story->currency][story->entity][day] > rate_e10) rate_e10 = story->world->rates_e10[story->currency][story->entity][day];
    wide functional_e4 = sizes_e4 / 10000 * rate_e10 / 1000000;
    return sizes_e4 > amount_limit_e4 || functional_e4 > amount_limit_e4 || largest_e4 > amount_limit_e4;
}

static void extremes_check(struct story *story) {
    purchase_check(story);
    for (int i = 0; i < story->count; i++) {
        const struct happening *happening = &story->happenings[i];
        if (!happening->overflow || strcmp(happening->topic, INVOICE_TOPIC) != 0) continue;
        const struct invoice_event *event = happening->event;
        if (!event->lines.count || event->lines.items[0].order.length) continue;
        story_check(story, PROPERTY_OVERFLOW, happening->document, is_too_large(story, event), "%s was refused as too large, and nothing in it is", happening->kind);
    }
}

extern const struct generator extremes_generator;
const struct generator extremes_generator = {.name = "extremes", .topic = INVOICE_TOPIC, .weight = 1, .make = extremes_make, .check = extremes_check};
