/* purchase: orders, receipts, invoices, credit notes, cancellations, payments in random order; most of it is accepted, some waits, is held or rejected. */
#include "tests/property/purchase.h"
#include "tests/property/chance.h"

enum { ORDER_LINES = 3, DOCUMENTS_OF_A_KIND = 20 };

struct planned_invoice { int document; bool cancelled, done; struct invoice_event *event; };
struct plan {
    int order, lines, first_category;
    int64_t ordered_e6[ORDER_LINES], nets_e4[ORDER_LINES];
    int64_t received_e6[ORDER_LINES], invoiced_e6[ORDER_LINES];     /* as far as everything is accepted */
    struct { int document; int64_t units_e6[ORDER_LINES]; } receipts[DOCUMENTS_OF_A_KIND];
    int receipt_count;
    struct planned_invoice invoices[DOCUMENTS_OF_A_KIND];
    int invoice_count;
};


/* ---- order and receipts ---- */

static int64_t quantity_make(void) { return one_in(3) ? chance_magnitude(34) + 1 : (chance_below(500) + 1) * 1000000; }

static void order_make(struct story *story, struct plan *plan) {
    plan->order = story_document(story, "O");
    plan->lines = 1 + (int)chance_below(ORDER_LINES);
    plan->first_category = (int)chance_below(CATEGORIES);
    for (int i = 0; i < plan->lines; i++) {
        plan->ordered_e6[i] = quantity_make();
        plan->nets_e4[i] = story_amount(story, 28);
    }
    order_add(story, plan->order, plan->lines, plan->ordered_e6, plan->nets_e4, plan->first_category);
}

static void order_change(struct story *story, struct plan *plan) {
    struct procurement_event *event = procurement_make(story, PROCUREMENT_KIND_ORDER_CHANGED, plan->order, plan->order, 1);
    int line = (int)chance_below(plan->lines);
    event->lines.items[0] = (struct procurement_line){.line = line_name(story, line), .has_net = true, .net_e4 = story_amount(story, 28)};
    if (one_in(2)) event->lines.items[0].quantity_e6 = plan->ordered_e6[line] = quantity_make();
    plan->nets_e4[line] = event->lines.items[0].net_e4;
    procurement_add(story, event, plan->order, NOTHING);
}

static void order_status(struct story *story, const struct plan *plan) {
    static const enum procurement_kind kinds[] = {PROCUREMENT_KIND_ORDER_COMPLETED, PROCUREMENT_KIND_ORDER_REOPENED, PROCUREMENT_KIND_ORDER_APPROVED,
        PROCUREMENT_KIND_STATUS};
    struct procurement_event *event = procurement_make(story, kinds[chance_below(4)], plan->order, plan->order, 1);
    event->lines.items[0] = (struct procurement_line){.line = line_name(story, (int)chance_below(plan->lines))};
    procurement_add(story, event, plan->order, NOTHING);
}

static int64_t part_of(int64_t whole) { return one_in(3) ? whole : one_in(2) ? whole / (2 + chance_below(4)) + 1 : chance_below(whole) + 1; }

static void receipt_make(struct story *story, struct plan *plan, bool everything) {
    if (plan->receipt_count == DOCUMENTS_OF_A_KIND) return;
    int document = story_document(story, "R"), only = one_in(2) ? (int)chance_below(plan->lines) : NOTHING, count = 0;
    struct procurement_event *event = procurement_make(story, PROCUREMENT_KIND_GOODS_RECEIVED, document, plan->order, (size_t)plan->lines + 1);
    if (one_in(2)) event->currency = (struct slice){0};
    for (int i = 0; i < plan->lines; i++) {
        int64_t left_e6 = plan->ordered_e6[i] - plan->received_e6[i], units_e6 = everything ? left_e6 : left_e6 > 0 ? part_of(left_e6) : quantity_make() / 20 + 1;
        if (units_e6 <= 0 || (only >= 0 && only != i && !everything)) continue;
        event->lines.items[count++] = (struct procurement_line){.line = line_name(story, i), .quantity_e6 = units_e6,
            .unit = one_in(2) ? SLICE("C62") : (struct slice){0}};
        plan->received_e6[i] += plan->receipts[plan->receipt_count].units_e6[i] = units_e6;
    }
    if (!count) return;
    event->lines.count = (size_t)count;
    plan->receipts[plan->receipt_count++].document = document;
    procurement_add(story, event, document, NOTHING);
}

static void receipt_cancel(struct story *story, struct plan *plan) {
    if (!plan->receipt_count) return;
    int at = (int)chance_below(plan->receipt_count), document = story_document(story, "RC"), back = plan->receipts[at].document;
    struct procurement_event *event = procurement_make(story, PROCUREMENT_KIND_GOODS_RECEIPT_CANCELLED, document, plan->order, 0);
    event->reverses = story->documents[back];
    procurement_add(story, event, document, back);
    for (int i = 0; i < plan->lines; i++) {
        plan->received_e6[i] -= plan->receipts[at].units_e6[i];
        plan->receipts[at].units_e6[i] = 0;
    }
}

/* ---- invoices ---- */

static void tax_make(const struct story *story, struct invoice_line *line) {
    if (one_in(8)) return;
    int tax = (int)chance_below(TAX_CODES);
    int64_t unit_e4 = story_unit(story);
    line->tax_code = slice_of(world_taxes[tax].code);
    if (one_in(2) || world_taxes[tax].reverse_charge) return;
    line->has_tax = true;
    line->tax_e4 = (int64_t)wide_share(line->net_e4, world_taxes[tax].rate_e4, world_currencies[story->currency].digits) + (chance_below(3) - 1) * unit_e4;
    if (one_in(60)) line->tax_e4 += 5 * unit_e4;   /* wrong */
}

static struct slice own_account(struct story *story) { return story_text(story, PREFIX_EXPENSE "%d", (int)chance_below(CATEGORIES)); }

static void free_line(struct story *story, struct invoice_line *line, int number) {
    *line = (struct invoice_line){.line = line_name(story, number), .net_e4 = story_amount(story, 26), .account = own_account(story), .cost_centre = SLICE("CC1"),
                                  .category = category_name((int)chance_below(CATEGORIES))};
    tax_make(story, line);
}

/* What the order says that the units are worth, about. */
static int64_t net_make(const struct story *story, const struct plan *plan, int line, int64_t units_e6) {
    static const wide largest_e4 = 1000000000000000;   /* after a change of the order it may be anything */
    wide share_e4 = (wide)plan->nets_e4[line] * units_e6 / plan->ordered_e6[line];
    int64_t unit_e4 = story_unit(story), net_e4 = (int64_t)((share_e4 < largest_e4 ? share_e4 : largest_e4) / unit_e4) * unit_e4;
    int64_t off_e4 = net_e4 / 50 / unit_e4 * unit_e4;
    if (one_in(2) && off_e4) net_e4 += (chance_below(41) - 20) * (off_e4 / 20 / unit_e4) * unit_e4;
    return net_e4 + (one_in(4) ? (chance_below(5) - 2) * unit_e4 : 0);
}

static int ordered_lines(struct story *story, struct plan *plan, struct invoice_event *event, bool everything, bool early) {
    int count = 0;
    for (int i = 0; i < plan->lines; i++) {
        int64_t open_e6 = early ? plan->ordered_e6[i] - plan->invoiced_e6[i] : plan->received_e6[i] - plan->invoiced_e6[i];
        if (open_e6 <= 0 || (!everything && one_in(3))) continue;
        int64_t units_e6 = everything ? open_e6 : part_of(open_e6);
        struct invoice_line *line = &event->lines.items[count];
        *line = (struct invoice_line){.line = line_name(story, count), .order = story->documents[plan->order], .order_line = line_name(story, i), .quantity_e6 = units_e6,
                                      .net_e4 = net_make(story, plan, i, units_e6)};
        if (line->net_e4 < 0) line->net_e4 = 0;
        tax_make(story, line);
        plan->invoiced_e6[i] += units_e6;
        count++;
    }
    return count;
}

/* As the entity takes them: received and posted, or received and then approved. */
static void invoice_send(struct story *story, struct invoice_event *event, int document) {
    if (world_entities[story->entity].posts_on_approval && one_in(3)) {
        struct invoice_event *received = invoice_make(story, INVOICE_KIND_RECEIVED, document, event->lines.count);
        memcpy(received->lines.items, event->lines.items, event->lines.count * sizeof *event->lines.items);
        received->number = event->number;
        received->document_date = event->document_date;
        invoice_add(story, received, document, NOTHING);
        event->event_id = story_text(story, "e%" PRIu64 "-%d", story->number, story->count);
    }
    if (world_entities[story->entity].posts_on_approval) event->kind = INVOICE_KIND_APPROVED;
    invoice_add(story, event, document, NOTHING);
}

static void invoice_of_order(struct story *story, struct plan *plan, bool everything) {
    if (plan->invoice_count == DOCUMENTS_OF_A_KIND) return;
    int document = story_document(story, "I");
    struct invoice_event *event = invoice_make(story, INVOICE_KIND_RECEIVED, document, ORDER_LINES + 2);
    int count = ordered_lines(story, plan, event, everything, !everything && one_in(6));
    if (!count || one_in(6)) {
        free_line(story, &event->lines.items[count], count);
        count++;
        if (one_in(12)) event->lines.items[count - 1].net_e4 *= -1;
        if (event->lines.items[count - 1].net_e4 < 0) event->lines.items[count - 1].has_tax = false;
    }
    event->lines.count = (size_t)count;
    if (!one_in(4)) event->number = one_in(30) ? story_text(story, "SAME%" PRIu64, story->number) : story->documents[document];
    if (one_in(50)) { event->has_total = true; event->total_e4 = story_amount(story, 20); }   /* wrong */
    plan->invoices[plan->invoice_count++] = (struct planned_invoice){.document = document, .event = event};
    invoice_send(story, event, document);
}

static struct planned_invoice *invoice_pick(struct plan *plan) {
    if (!plan->invoice_count) return NULL;
    struct planned_invoice *invoice = &plan->invoices[chance_below(plan->invoice_count)];
    return invoice->done ? NULL : invoice;
}

static void invoice_cancel(struct story *story, struct plan *plan) {
    struct planned_invoice *invoice = invoice_pick(plan);
    if (!invoice || invoice->cancelled) return;
    bool own_number = one_in(2);
    int document = own_number ? story_document(story, "IC") : invoice->document;
    struct invoice_event *event = invoice_make(story, INVOICE_KIND_CANCELLED, document, 0);
    if (own_number) event->reverses = story->documents[invoice->document];
    invoice_add(story, event, document, invoice->document);
    invoice->cancelled = true;
    for (size_t i = 0; i < invoice->event->lines.count; i++)
        for (int k = 0; k < plan->lines && invoice->event->lines.items[i].order.length; k++)
            if (slice_equal(invoice->event->lines.items[i].order_line, line_name(story, k))) plan->invoiced_e6[k] -= invoice->event->lines.items[i].quantity_e6;
}

/* The same document again after it was cancelled: another version. */
static void invoice_again(struct story *story, struct plan *plan) {
    struct planned_invoice *invoice = invoice_pick(plan);
    if (!invoice || !invoice->cancelled) return;
    int document = invoice->document;
    struct invoice_event *event = invoice_make(story, INVOICE_KIND_RECEIVED, document, 1);
    free_line(story, &event->lines.items[0], 0);
    event->number = story->documents[document];
    invoice->event = event;
    invoice->cancelled = false;
    invoice_send(story, event, document);
}

static void credit_note(struct story *story, struct plan *plan) {
    int document = story_document(story, "C");
    const struct planned_invoice *original = one_in(2) ? invoice_pick(plan) : NULL;
    struct invoice_event *event = invoice_make(story, INVOICE_KIND_CREDIT_NOTE, document, 1 + (size_t)chance_below(2));
    for (size_t i = 0; i < event->lines.count; i++) {
        free_line(story, &event->lines.items[i], (int)i);
        event->lines.items[i].net_e4 = story_amount(story, 16);
        event->lines.items[i].has_tax = false;
    }
    event->number = story->documents[document];
    if (original) event->reverses = story->documents[original->document];
    if (plan->invoice_count < DOCUMENTS_OF_A_KIND) plan->invoices[plan->invoice_count++] = (struct planned_invoice){.document = document, .event = event};
    invoice_add(story, event, document, NOTHING);
}

static void subsequent_debit(struct story *story, struct plan *plan) {
    int document = story_document(story, "D");
    struct invoice_event *event = invoice_make(story, INVOICE_KIND_SUBSEQUENT_DEBIT, document, 1);
    free_line(story, &event->lines.items[0], 0);
    event->number = story->documents[document];
    event->lines.items[0].order = story->documents[plan->order];
    event->lines.items[0].order_line = line_name(story, (int)chance_below(plan->lines));
    invoice_add(story, event, document, NOTHING);
}

static void invoice_status(struct story *story, struct plan *plan, enum invoice_kind kind) {
    struct planned_invoice *invoice = invoice_pick(plan);
    if (!invoice || (kind == INVOICE_KIND_CLEARED && invoice->cancelled)) return;
    invoice_add(story, invoice_make(story, kind, invoice->document, 0), invoice->document, NOTHING);
    invoice->done = kind == INVOICE_KIND_CLEARED && !one_in(8);
}

/* ---- the story ---- */

static void step_make(struct story *story, struct plan *plan) {
    switch (chance_below(24)) {
    case 0: case 1: case 2: case 3: case 4: case 5: receipt_make(story, plan, false); break;
    case 6: case 7: case 8: case 9: case 10: case 11: invoice_of_order(story, plan, false); break;
    case 12: receipt_cancel(story, plan); break;
    case 13: case 14: invoice_cancel(story, plan); break;
    case 15: invoice_again(story, plan); break;
    case 16: credit_note(story, plan); break;
    case 17: subsequent_debit(story, plan); break;
    case 18: case 19: invoice_status(story, plan, INVOICE_KIND_CLEARED); break;
    case 20: invoice_status(story, plan, one_in(2) ? INVOICE_KIND_BLOCKED : INVOICE_KIND_UNBLOCKED); break;
    case 21: order_change(story, plan); break;
    case 22: if (one_in(3)) order_status(story, plan); break;
    case 23: story_repeat(story, (int)chance_below(story->count)); break;
    default: break;
    }
}

static void purchase_make(struct story *story) {
    int entity = (int)chance_below(ENTITIES);
    struct plan *plan = story_alloc(story, sizeof *plan);
    story_begin(story, entity, one_in(2) ? world_entities[entity].functional : (int)chance_below(ORDINARY_CURRENCIES));
    order_make(story, plan);
    for (int steps = 3 + (int)chance_below(12); steps > 0; steps--)
        if (story->count < HAPPENINGS_MAXIMUM - 6 && story->document_count < DOCUMENTS_MAXIMUM - 4) step_make(story, plan);
    if (one_in(2)) return;
    receipt_make(story, plan, true);
    invoice_of_order(story, plan, true);
}

extern const struct generator purchase_generator;
const struct generator purchase_generator = {.name = "purchase", .topic = INVOICE_TOPIC, .weight = 12, .make = purchase_make, .check = purchase_check};
