/* purchase_book: what each accepted event of a purchase must have posted, worked out anew from the rule book, and what the order lines' accruals must be then. */
#include "tests/property/purchase.h"

enum { LINES_MAXIMUM = 12, PIECES_MAXIMUM = 160, RANGES_MAXIMUM = 64 };

struct piece { wide from_e6, to_e6, net_e4, ordered_e6; };          /* units received, and the price that held */
struct range { wide from_e6, to_e6; };
struct order_line_book {
    struct slice order, line;
    int category;
    wide net_e4, ordered_e6;            /* the order as it stands */
    struct piece pieces[PIECES_MAXIMUM];
    int piece_count;
    wide received_e6, received_e4;
    struct range covered[RANGES_MAXIMUM];
    int covered_count;
    wide covered_e6, covered_e4;
    bool settled;                       /* the last that happened was an invoice of all that was left */
};

/* What a document did, to be taken back. */
struct deed { struct order_line_book *line; wide units_e6, value_e4; struct range *ranges; int range_count; };
struct deeds { struct deed *items; int count; wide total_e4; };   /* total: owed to the supplier */

struct book {
    struct story *story;
    struct order_line_book lines[LINES_MAXIMUM];
    int line_count;
    struct deeds deeds[DOCUMENTS_MAXIMUM];
    struct balances posted;             /* by all journals so far */
    int happening;                      /* the one that is looked at */
    int digits;                         /* of the currency */
};

static struct order_line_book *line_find(struct book *book, struct slice order, struct slice line) {
    for (int i = 0; i < book->line_count; i++)
        if (slice_equal(book->lines[i].order, order) && slice_equal(book->lines[i].line, line)) return &book->lines[i];
    return NULL;
}

static struct slice account_of(struct book *book, const char *prefix, struct slice category) {
    return story_text(book->story, "%s%c", prefix, category.data[category.length - 1]);
}

/* ---- units ---- */

/* Value of received units. */
static wide value_of(const struct book *book, const struct order_line_book *line, wide from_e6, wide to_e6) {
    wide sum_e4 = 0;
    for (int i = 0; i < line->piece_count; i++) {
        const struct piece *piece = &line->pieces[i];
        wide from = from_e6 > piece->from_e6 ? from_e6 : piece->from_e6, to = to_e6 < piece->to_e6 ? to_e6 : piece->to_e6;
        if (from >= to) continue;
        sum_e4 += wide_value_up_to(piece->net_e4, to, piece->ordered_e6, book->digits) - wide_value_up_to(piece->net_e4, from, piece->ordered_e6, book->digits);
    }
    return sum_e4;
}

static void units_receive(struct book *book, struct order_line_book *line, wide units_e6) {
    if (line->piece_count == PIECES_MAXIMUM) die("an order line has too many receipts");
    line->pieces[line->piece_count++] = (struct piece){line->received_e6, line->received_e6 + units_e6, line->net_e4, line->ordered_e6};
    line->received_e6 += units_e6;
    (void)book;
}

/* The units received last go. */
static void units_take_back(struct order_line_book *line, wide units_e6) {
    line->received_e6 -= units_e6;
    while (line->piece_count && line->pieces[line->piece_count - 1].from_e6 >= line->received_e6) line->piece_count--;
    if (line->piece_count && line->pieces[line->piece_count - 1].to_e6 > line->received_e6) line->pieces[line->piece_count - 1].to_e6 = line->received_e6;
}

static void range_add(struct order_line_book *line, struct range range) {
    if (line->covered_count == RANGES_MAXIMUM) die("an order line has too many invoices");
    int at = line->covered_count++;
    for (; at && line->covered[at - 1].from_e6 > range.from_e6; at--) line->covered[at] = line->covered[at - 1];
    line->covered[at] = range;
    line->covered_e6 += range.to_e6 - range.from_e6;
}

static void range_remove(struct order_line_book *line, struct range range) {
    for (int i = 0; i < line->covered_count; i++) {
        if (line->covered[i].from_e6 != range.from_e6 || line->covered[i].to_e6 != range.to_e6) continue;
        for (line->covered_count--; i < line->covered_count; i++) line->covered[i] = line->covered[i + 1];
        line->covered_e6 -= range.to_e6 - range.from_e6;
        return;
    }
}

/* Covers the lowest units that no invoice covers; their value is the receipts', all that is left when they are all that is left. */
static wide units_cover(struct book *book, struct order_line_book *line, wide units_e6, struct deed *deed) {
    struct range taken[RANGES_MAXIMUM];
    wide value_e4 = 0, left_e6 = units_e6, at_e6 = 0;
    int count = 0;
    line->settled = units_e6 == line->received_e6 - line->covered_e6;
    for (int i = 0; i <= line->covered_count && left_e6 > 0; i++) {
        wide end_e6 = i < line->covered_count && line->covered[i].from_e6 < line->received_e6 ? line->covered[i].from_e6 : line->received_e6;
        if (end_e6 > at_e6) {
            wide part_e6 = end_e6 - at_e6 < left_e6 ? end_e6 - at_e6 : left_e6;
            taken[count++] = (struct range){at_e6, at_e6 + part_e6};
            value_e4 += value_of(book, line, at_e6, at_e6 + part_e6);
            left_e6 -= part_e6;
        }
        if (i < line->covered_count && line->covered[i].to_e6 > at_e6) at_e6 = line->covered[i].to_e6;
    }
    if (line->settled) value_e4 = line->received_e4 - line->covered_e4;
    for (int i = 0; i < count; i++) range_add(line, taken[i]);
    line->covered_e4 += value_e4;
    *deed = (struct deed){.line = line, .value_e4 = value_e4, .ranges = story_alloc(book->story, (size_t)count * sizeof *taken), .range_count = count};
    memcpy(deed->ranges, taken, (size_t)count * sizeof *taken);
    return value_e4;
}

/* ---- what was posted against what should be ---- */

static bool is_grni(struct slice account) { return account.length == 6 && memcmp(account.data, PREFIX_GRNI, 5) == 0; }

static void posted_compare(struct book *book, struct balances *expected, bool carried) {
    story_check_posted(book->story, book->happening, expected, carried ? is_grni : NULL);
}

static void expect(struct book *book, struct balances *expected, struct slice account, wide amount_e4) {
    story_expect(book->story, book->happening, expected, account, amount_e4);
}

/* ---- procurement ---- */

static void order_take(struct book *book, const struct procurement_event *event) {
    for (size_t i = 0; i < event->lines.count; i++) {
        const struct procurement_line *from = &event->lines.items[i];
        struct order_line_book *line = line_find(book, event->order, from->line);
        if (event->kind == PROCUREMENT_KIND_ORDER_CHANGED && line && from->has_net) {
            line->net_e4 = from->net_e4;
            if (from->quantity_e6 > 0) line->ordered_e6 = from->quantity_e6;
        }
        if (event->kind != PROCUREMENT_KIND_ORDER_CREATED || line) continue;
        if (book->line_count == LINES_MAXIMUM) die("a story has too many order lines");
        book->lines[book->line_count++] = (struct order_line_book){.order = event->order, .line = from->line,
                                                                   .category = from->category.data[from->category.length - 1] - '0',
                                                                   .net_e4 = from->net_e4, .ordered_e6 = from->quantity_e6};
    }
}

static void receipt_take(struct book *book, const struct procurement_event *event, struct deeds *deeds) {
    struct balances expected = {.count = 0};
    deeds->items = story_alloc(book->story, event->lines.count * sizeof *deeds->items);
    deeds->count = 0;
    for (size_t i = 0; i < event->lines.count; i++) {
        struct order_line_book *line = line_find(book, event->order, event->lines.items[i].line);
        if (!line) { story_fail(book->story, PROPERTY_OUTCOMES, NOTHING, "a receipt of an unknown order line was accepted"); return; }
        wide from_e6 = line->received_e6, units_e6 = event->lines.items[i].quantity_e6;
        wide value_e4 = wide_value_up_to(line->net_e4, from_e6 + units_e6, line->ordered_e6, book->digits) -
                        wide_value_up_to(line->net_e4, from_e6, line->ordered_e6, book->digits);
        units_receive(book, line, units_e6);
        line->received_e4 += value_e4;
        line->settled = false;
        deeds->items[deeds->count++] = (struct deed){.line = line, .units_e6 = units_e6, .value_e4 = value_e4};
        expect(book, &expected, account_of(book, PREFIX_EXPENSE, category_name(line->category)), value_e4);
        expect(book, &expected, account_of(book, PREFIX_GRNI, category_name(line->category)), -value_e4);
    }
    posted_compare(book, &expected, false);
}

static void procurement_take(struct book *book, const struct happening *happening) {
    const struct procurement_event *event = happening->event;
    if (event->kind == PROCUREMENT_KIND_ORDER_CREATED || event->kind == PROCUREMENT_KIND_ORDER_CHANGED) order_take(book, event);
    if (event->kind == PROCUREMENT_KIND_GOODS_RECEIVED) receipt_take(book, event, &book->deeds[happening->document]);
    if (event->kind != PROCUREMENT_KIND_GOODS_RECEIPT_CANCELLED) return;
    struct deeds *deeds = &book->deeds[happening->takes_back];
    for (int i = 0; i < deeds->count; i++) {
        units_take_back(deeds->items[i].line, deeds->items[i].units_e6);
        deeds->items[i].line->received_e4 -= deeds->items[i].value_e4;
        deeds->items[i].line->settled = false;
    }
    deeds->count = 0;
}

/* ---- invoices ---- */

/* Tax of a line, with the sign of an invoice: 1, or of a credit note: -1. Returns what the supplier charges. */
static wide tax_take(struct book *book, const struct invoice_line *line, struct slice cost, int sign, struct balances *expected) {
    int number = world_tax_find(line->tax_code);
    wide charged_e4 = tax_charged(book->story, line);
    if (number < 0) return charged_e4;
    const struct world_tax *tax = &world_taxes[number];
    wide computed_e4 = wide_share(line->net_e4, tax->rate_e4, book->digits), whole_e4 = tax->reverse_charge ? computed_e4 : charged_e4;
    wide deductible_e4 = wide_share(whole_e4, tax->deductible_e4, book->digits);
    story_check(book->story, PROPERTY_AMOUNTS, book->story->happenings[book->happening].document,
                tax->reverse_charge ? charged_e4 == 0 : wide_size(charged_e4 - computed_e4) <= wide_unit(book->digits),
                    "the tax of line " SLICE_FORMAT " is wrong, and was accepted",
                SLICE_ARGUMENT(line->line));
    expect(book, expected, SLICE(ACCOUNT_INPUT_TAX), sign * deductible_e4);
    expect(book, expected, cost, sign * (whole_e4 - deductible_e4));
    if (tax->reverse_charge) expect(book, expected, SLICE(ACCOUNT_REVERSE_TAX), -sign * whole_e4);
    return charged_e4;
}

static void line_take(struct book *book, const struct invoice_event *event, const struct invoice_line *line, struct deeds *deeds, struct balances *expected,
                      wide *total_e4) {
    const struct world_entity *entity = &world_entities[book->story->entity];
    const bool value_only = event->kind == INVOICE_KIND_CREDIT_NOTE || event->kind == INVOICE_KIND_SUBSEQUENT_DEBIT;
    struct order_line_book *ordered = line->order.length ? line_find(book, line->order, line->order_line) : NULL;
    struct slice cost = ordered ? account_of(book, PREFIX_EXPENSE, category_name(ordered->category)) : line->account;
    if (!ordered && value_only) cost = account_of(book, PREFIX_EXPENSE, line->category);
    int sign = event->kind == INVOICE_KIND_CREDIT_NOTE ? -1 : 1;
    wide charged_e4 = tax_take(book, line, cost, sign, expected);
    if (ordered && !value_only) {
        wide received_e4 = units_cover(book, ordered, line->quantity_e6, &deeds->items[deeds->count++]);
        expect(book, expected, account_of(book, PREFIX_GRNI, category_name(ordered->category)), received_e4);
        expect(book, expected, entity->variance ? slice_of(entity->variance) : cost, line->net_e4 - received_e4);
    } else {
        expect(book, expected, cost, sign * line->net_e4);
    }
    expect(book, expected, slice_of(entity->payable), -sign * (line->net_e4 + charged_e4));
    *total_e4 += line->net_e4 + charged_e4;
}

/* An invoice with a total below zero is read as a credit note: everything with the other sign. */
static const struct invoice_event *credit_note_of(struct book *book, const struct invoice_event *event) {
    struct invoice_event *turned = story_alloc(book->story, sizeof *turned);
    *turned = *event;
    turned->kind = INVOICE_KIND_CREDIT_NOTE;
    turned->total_e4 = -event->total_e4;
    turned->lines.items = story_alloc(book->story, event->lines.count * sizeof *event->lines.items);
    for (size_t i = 0; i < event->lines.count; i++) {
        turned->lines.items[i] = event->lines.items[i];
        turned->lines.items[i].net_e4 *= -1;
        turned->lines.items[i].tax_e4 *= -1;
        turned->lines.items[i].quantity_e6 *= -1;
    }
    return turned;
}

static void posted_invoice_take(struct book *book, const struct invoice_event *event, struct deeds *deeds) {
    if (event->total_e4 < 0 && (event->kind == INVOICE_KIND_RECEIVED || event->kind == INVOICE_KIND_APPROVED)) event = credit_note_of(book, event);
    struct balances expected = {.count = 0};
    wide total_e4 = 0;
    deeds->items = story_alloc(book->story, event->lines.count * sizeof *deeds->items);
    deeds->count = 0;
    for (size_t i = 0; i < event->lines.count; i++) line_take(book, event, &event->lines.items[i], deeds, &expected, &total_e4);
    story_check(book->story, PROPERTY_OVERFLOW, book->story->happenings[book->happening].document, total_e4 == event->total_e4,
                "lines and tax do not add up to the total, and it was accepted");
    deeds->total_e4 = event->kind == INVOICE_KIND_CREDIT_NOTE ? -total_e4 : total_e4;
    posted_compare(book, &expected, true);
}

static void clearing_take(struct book *book, const struct happening *happening) {
    struct balances expected = {.count = 0};
    wide total_e4 = book->deeds[happening->document].total_e4;
    expect(book, &expected, slice_of(world_entities[book->story->entity].payable), total_e4);
    expect(book, &expected, SLICE(ACCOUNT_TRANSIT), -total_e4);
    posted_compare(book, &expected, false);
}

static void invoice_take(struct book *book, const struct happening *happening) {
    const struct invoice_event *event = happening->event;
    const bool on_approval = world_entities[book->story->entity].posts_on_approval;
    switch (event->kind) {
    case INVOICE_KIND_RECEIVED:
        if (on_approval || !event->lines.count) break;
        posted_invoice_take(book, event, &book->deeds[happening->document]);
        break;
    case INVOICE_KIND_APPROVED:
    case INVOICE_KIND_CREDIT_NOTE:
    case INVOICE_KIND_SUBSEQUENT_DEBIT: posted_invoice_take(book, event, &book->deeds[happening->document]); break;
    case INVOICE_KIND_CLEARED: clearing_take(book, happening); break;
    case INVOICE_KIND_CANCELLED: {
        struct deeds *deeds = &book->deeds[happening->takes_back];
        for (int i = 0; i < deeds->count; i++) {
            struct deed *deed = &deeds->items[i];
            for (int k = 0; k < deed->range_count; k++) range_remove(deed->line, deed->ranges[k]);
            deed->line->covered_e4 -= deed->value_e4;
            deed->line->settled = false;
        }
        deeds->count = 0;
        break;
    }
    default: break;
    }
}

/* ---- the identity ---- */

static void grni_check(struct book *book) {
    struct story *story = book->story;
    for (const struct story_journal *journal = story->journals; journal; journal = journal->next)
        if (journal->happening == book->happening) balances_add_journal(&book->posted, &journal->seen);
    for (int category = 0; category < CATEGORIES; category++) {
        wide open_e4 = 0;
        bool any = false, settled = true;
        for (int i = 0; i < book->line_count; i++) {
            if (book->lines[i].category != category) continue;
            any = true;
            settled &= book->lines[i].settled;
            open_e4 += book->lines[i].received_e4 - book->lines[i].covered_e4;
        }
        if (!any) continue;
        const struct balance *balance = balances_of(&book->posted, account_of(book, PREFIX_GRNI, category_name(category)));
        char text[2][WIDE_TEXT_SIZE];
        story_check(story, PROPERTY_GRNI, NOTHING, -balance->amount_e4 == open_e4, "after %s the accrual of category %d is %s, received and not covered are %s",
                    story->happenings[book->happening].kind, category, wide_print(-balance->amount_e4, text[0]), wide_print(open_e4, text[1]));
        if (settled) story_check(story, PROPERTY_GRNI, NOTHING, balance->functional_e4 == 0,
                                 "after %s all of category %d is invoiced, and %s are left in functional currency",
                                 story->happenings[book->happening].kind, category, wide_print(-balance->functional_e4, text[0]));
    }
}

void purchase_check(struct story *story) {
    struct book *book = story_alloc(story, sizeof *book);
    book->story = story;
    book->digits = world_currencies[story->currency].digits;
    for (int i = 0; i < story->decision_count; i++) {
        const struct happening *happening = &story->happenings[book->happening = story->decisions[i].happening];
        if (!happening_took_effect(happening)) continue;
        if (strcmp(happening->topic, PROCUREMENT_TOPIC) == 0) procurement_take(book, happening);
        else if (strcmp(happening->topic, INVOICE_TOPIC) == 0) invoice_take(book, happening);
        grni_check(book);
    }
}
