/* payments: invoices and credit notes, paid at once or in parts, with and without discount, offset, refunded, rejected and returned by the bank, or by a
 * prepayment that is applied in parts.
 *
 * The check keeps each open item of its own and says after every event: payables are what is open, and nothing in functional currency once nothing is; what is
 * in transit is what was sent and not settled, in both currencies; a prepayment that is used up is zero on every account. In a story of halves one invoice is
 * paid at once and its like in parts: the same balances. */
#include "schemas/payment_event.h"
#include "tests/property/chance.h"
#include "tests/property/purchase.h"

#define PAYMENT_TOPIC "payment.events"
enum { ITEMS_MAXIMUM = 4, PARTS_MAXIMUM = 5 };

struct planned_item { int document; int64_t open_e4; };
struct plan {
    struct planned_item items[ITEMS_MAXIMUM];
    int item_count;
    bool halves;                /* items[0] at once, items[1] in parts, all on one day */
    bool one_day;
    int32_t day;
};

/* ---- making ---- */

static struct payment_event *payment_make(struct story *story, const struct plan *plan, enum payment_kind kind, int document, size_t items) {
    struct payment_event *event = story_alloc(story, sizeof *event);
    *event = (struct payment_event){.event_id = story_text(story, "e%" PRIu64 "-%d", story->number, story->count), .kind = kind, .source = SLICE("SRC"),
        .entity = slice_of(world_entities[story->entity].id), .supplier = story->partner, .document = story->documents[document], .document_date = story_day(story),
        .currency = story_currency(story), .user = SLICE("u1")};
    event->has_posting_date = plan->one_day || one_in(2);
    event->posting_date = plan->one_day ? plan->day : story_day(story);
    event->items.items = story_alloc(story, items * sizeof *event->items.items);
    event->items.count = items;
    return event;
}

static void payment_add(struct story *story, const struct payment_event *event, int document, int takes_back) {
    story_add(story, PAYMENT_TOPIC, payment_kind_name(event->kind), event, document, takes_back);
}

static void payment_step(struct story *story, const struct plan *plan, enum payment_kind kind, int document, int takes_back) {
    struct payment_event *event = payment_make(story, plan, kind, document, 0);
    if (kind == PAYMENT_KIND_APPROVED) event->user = SLICE("u2");
    payment_add(story, event, document, takes_back);
}

static void bank_set(struct story *story, struct payment_event *event) {
    event->bank_account = story_text(story, "B" SLICE_FORMAT, SLICE_ARGUMENT(story_currency(story)));
    if (one_in(2)) event->supplier_account = SLICE("A1");
    else event->method = SLICE("cheque");
}

static int64_t charges_make(const struct story *story) { return one_in(3) ? story_amount(story, 10) : 0; }

static void settle(struct story *story, const struct plan *plan, int document, int64_t charges_e4) {
    struct payment_event *event = payment_make(story, plan, PAYMENT_KIND_SETTLED, document, 0);
    event->has_charges = charges_e4 != 0;
    event->charges_e4 = charges_e4;
    payment_add(story, event, document, NOTHING);
}

/* What becomes of a payment that was instructed. False: in the end nothing is paid by it. */
static bool payment_end(struct story *story, const struct plan *plan, int document, bool to_the_end) {
    if (!to_the_end && one_in(10)) {
        payment_step(story, plan, PAYMENT_KIND_CANCELLED, document, NOTHING);
        return false;
    }
    if (one_in(3)) payment_step(story, plan, PAYMENT_KIND_APPROVED, document, NOTHING);
    payment_step(story, plan, PAYMENT_KIND_SENT, document, NOTHING);
    if (one_in(4)) payment_step(story, plan, PAYMENT_KIND_BANK_ACCEPTED, document, NOTHING);
    if (!to_the_end && one_in(6)) {
        payment_step(story, plan, one_in(2) ? PAYMENT_KIND_BANK_REJECTED : PAYMENT_KIND_RETURNED, document, document);
        return false;
    }
    if (!to_the_end && one_in(6)) return true;
    settle(story, plan, document, plan->halves ? 0 : charges_make(story));
    if (to_the_end || !one_in(8)) return true;
    payment_step(story, plan, PAYMENT_KIND_RETURNED, document, NOTHING);
    return false;
}

/* Pays so much of each item; negative of a credit note. */
static void pay(struct story *story, struct plan *plan, const int64_t parts_e4[ITEMS_MAXIMUM], bool to_the_end) {
    int document = story_document(story, "Y");
    struct payment_event *event = payment_make(story, plan, PAYMENT_KIND_INSTRUCTED, document, ITEMS_MAXIMUM);
    size_t count = 0;
    event->has_amount = true;
    for (int i = 0; i < plan->item_count; i++) {
        if (!parts_e4[i]) continue;
        int64_t unit_e4 = story_unit(story), discount_e4 = !plan->halves && one_in(3) ? parts_e4[i] / 100 / unit_e4 * unit_e4 : 0;
        event->items.items[count++] = (struct payment_item){.document = story->documents[plan->items[i].document], .amount_e4 = parts_e4[i] - discount_e4,
            .discount_e4 = discount_e4};
        event->amount_e4 += parts_e4[i] - discount_e4;
    }
    event->items.count = count;
    if (!count || event->amount_e4 < 0) return;
    if (event->amount_e4) bank_set(story, event);
    payment_add(story, event, document, NOTHING);
    if (payment_end(story, plan, document, to_the_end))
        for (int i = 0; i < plan->item_count; i++) plan->items[i].open_e4 -= parts_e4[i];
}

static int64_t part_of(const struct story *story, int64_t whole_e4) {
    int64_t unit_e4 = story_unit(story), units = whole_e4 / unit_e4, size = units < 0 ? -units : units;
    if (size < 2 || one_in(3)) return whole_e4;
    int64_t part = (chance_below(size - 1) + 1) * unit_e4;
    return whole_e4 < 0 ? -part : part;
}

/* The credits among the items, paid back. */
static void refund(struct story *story, struct plan *plan) {
    for (int i = 0; i < plan->item_count; i++) {
        if (plan->items[i].open_e4 >= 0) continue;
        int document = story_document(story, "F");
        struct payment_event *event = payment_make(story, plan, PAYMENT_KIND_REFUNDED, document, 1);
        int64_t part_e4 = -part_of(story, plan->items[i].open_e4);
        event->items.items[0] = (struct payment_item){.document = story->documents[plan->items[i].document], .amount_e4 = part_e4};
        event->has_amount = true;
        event->amount_e4 = part_e4;
        bank_set(story, event);
        payment_add(story, event, document, NOTHING);
        plan->items[i].open_e4 += part_e4;
    }
}

/* A prepayment, then applied to an invoice in parts. */
static void prepay(struct story *story, struct plan *plan, struct planned_item *item) {
    int document = story_document(story, "V"), tax = (int)chance_below(TAX_CODES + 2);
    struct payment_event *event = payment_make(story, plan, PAYMENT_KIND_INSTRUCTED, document, 0);
    int64_t left_e4 = part_of(story, item->open_e4);
    event->prepayment = event->has_amount = true;
    event->amount_e4 = left_e4;
    if (tax < TAX_CODES && !world_taxes[tax].reverse_charge) event->tax_code = slice_of(world_taxes[tax].code);
    bank_set(story, event);
    payment_add(story, event, document, NOTHING);
    payment_step(story, plan, PAYMENT_KIND_SENT, document, NOTHING);
    if (one_in(2)) settle(story, plan, document, 0);
    for (int parts = 0; left_e4 && parts < PARTS_MAXIMUM; parts++) {
        int64_t part_e4 = parts + 1 == PARTS_MAXIMUM ? left_e4 : part_of(story, left_e4);
        struct payment_event *applied = payment_make(story, plan, PAYMENT_KIND_PREPAYMENT_APPLIED, document, 1);
        applied->items.items[0] = (struct payment_item){.document = story->documents[item->document], .amount_e4 = part_e4};
        payment_add(story, applied, document, NOTHING);
        item->open_e4 -= part_e4;
        left_e4 -= part_e4;
    }
}

static void item_make(struct story *story, struct plan *plan, bool credit) {
    struct planned_item *item = &plan->items[plan->item_count++];
    item->document = story_document(story, credit ? "C" : "I");
    enum invoice_kind kind = credit ? INVOICE_KIND_CREDIT_NOTE : world_entities[story->entity].posts_on_approval ? INVOICE_KIND_APPROVED : INVOICE_KIND_RECEIVED;
    struct invoice_event *event = invoice_make(story, kind, item->document, 1 + (size_t)chance_below(3));
    event->number = story->documents[item->document];
    event->payment_terms = credit ? (struct slice){0} : SLICE("T2");
    event->has_posting_date |= plan->one_day;
    if (plan->one_day) event->posting_date = plan->day;
    for (size_t i = 0; i < event->lines.count; i++) {
        struct invoice_line *line = &event->lines.items[i];
        *line = (struct invoice_line){.line = line_name(story, (int)i), .net_e4 = story_amount(story, credit ? 18 : 28),
                                      .category = category_name((int)chance_below(CATEGORIES))};
        line->account = story_text(story, PREFIX_EXPENSE "%d", (int)chance_below(CATEGORIES));
        if (!one_in(4)) line->tax_code = slice_of(world_taxes[chance_below(TAX_CODES)].code);
    }
    if (plan->halves && plan->item_count == 2) {   /* the like of the first */
        const struct invoice_event *first = story->happenings[0].event;
        event->lines = first->lines;
    }
    invoice_add(story, event, item->document, NOTHING);
    item->open_e4 = credit ? -event->total_e4 : event->total_e4;
}

static void halves_pay(struct story *story, struct plan *plan) {
    int64_t whole_e4[ITEMS_MAXIMUM] = {plan->items[0].open_e4};
    pay(story, plan, whole_e4, true);
    for (int parts = 0; plan->items[1].open_e4; parts++) {
        int64_t part_e4[ITEMS_MAXIMUM] = {0, parts + 1 == PARTS_MAXIMUM ? plan->items[1].open_e4 : part_of(story, plan->items[1].open_e4)};
        pay(story, plan, part_e4, true);
    }
}

static void payments_make(struct story *story) {
    struct plan *plan = story->plan = story_alloc(story, sizeof *plan);
    int entity = (int)chance_below(ENTITIES), currency = one_in(3) ? world_entities[entity].functional : (int)chance_below(ORDINARY_CURRENCIES);
    do story_begin(story, entity, currency);
    while (supplier_is_blocked(story->partner));
    plan->halves = one_in(3);
    plan->one_day = plan->halves || one_in(3);
    plan->day = story_day(story);
    int items = plan->halves ? 2 : 1 + (int)chance_below(ITEMS_MAXIMUM);
    for (int i = 0; i < items; i++) item_make(story, plan, !plan->halves && i > 0 && one_in(4));
    if (plan->halves) { halves_pay(story, plan); return; }
    if (one_in(4)) prepay(story, plan, &plan->items[0]);
    for (int rounds = (int)chance_below(4); rounds > 0; rounds--) {
        int64_t parts_e4[ITEMS_MAXIMUM] = {0};
        for (int i = 0; i < plan->item_count; i++)
            if (plan->items[i].open_e4 && one_in(2)) parts_e4[i] = part_of(story, plan->items[i].open_e4);
        pay(story, plan, parts_e4, false);
    }
    if (one_in(2)) refund(story, plan);
    if (one_in(8)) invoice_add(story, invoice_make(story, INVOICE_KIND_CANCELLED, plan->items[0].document, 0), plan->items[0].document, plan->items[0].document);
    else if (one_in(2)) {
        int64_t rest_e4[ITEMS_MAXIMUM] = {0};
        for (int i = 0; i < plan->item_count; i++) rest_e4[i] = plan->items[i].open_e4;
        pay(story, plan, rest_e4, true);
    }
}

/* ---- the book ---- */

struct payment_book { bool prepayment, sent; wide left_e4, transit_e4, transit_functional_e4; const struct payment_event *event; wide discount_taxes_e4[ITEMS_MAXIMUM]; };
struct item_book { wide amount_e4, settled_e4, tax_e4; };
struct book {
    struct story *story;
    struct item_book items[DOCUMENTS_MAXIMUM];          /* by document */
    struct payment_book payments[DOCUMENTS_MAXIMUM];
    struct balances posted;
    wide transit_e4, transit_functional_e4;             /* credited and not debited */
    int happening, digits;
};

static bool is_payable_or_transit(struct slice account) {
    return slice_equal(account, SLICE("160000")) || slice_equal(account, SLICE("161000")) || slice_equal(account, SLICE(ACCOUNT_PREPAYMENT)) ||
           slice_equal(account, SLICE(ACCOUNT_INPUT_TAX));
}
static bool is_anything(struct slice account) { return account.length > 0; }
static struct slice payable(const struct book *book) { return slice_of(world_entities[book->story->entity].payable); }

static int document_of(const struct book *book, struct slice name) {
    for (int i = 0; i < book->story->document_count; i++)
        if (slice_equal(book->story->documents[i], name)) return i;
    return NOTHING;
}

static void invoice_book(struct book *book, const struct happening *happening) {
    const struct invoice_event *event = happening->event;
    struct item_book *item = &book->items[happening->document];
    if (event->kind == INVOICE_KIND_CANCELLED) { book->items[happening->takes_back].amount_e4 = book->items[happening->takes_back].tax_e4 = 0; return; }
    int sign = event->kind == INVOICE_KIND_CREDIT_NOTE ? -1 : 1;
    item->amount_e4 = item->tax_e4 = 0;
    for (size_t i = 0; i < event->lines.count; i++) {
        const struct invoice_line *line = &event->lines.items[i];
        int tax = world_tax_find(line->tax_code);
        wide charged_e4 = tax_charged(book->story, line);
        item->amount_e4 += sign * (line->net_e4 + charged_e4);
        if (tax >= 0) item->tax_e4 += sign * wide_share(charged_e4, world_taxes[tax].deductible_e4, book->digits);
    }
}

static wide minor(const struct book *book, wide amount_e4, wide part_e4, wide whole_e4) {
    wide unit_e4 = wide_unit(book->digits), size_e4 = wide_size(whole_e4);
    if (!whole_e4) return 0;
    return wide_divide_half_up((whole_e4 < 0 ? -amount_e4 : amount_e4) * part_e4, size_e4 * unit_e4) * unit_e4;
}

static void instructed_book(struct book *book, const struct happening *happening) {
    const struct payment_event *event = happening->event;
    struct payment_book *payment = &book->payments[happening->document];
    *payment = (struct payment_book){.prepayment = event->prepayment, .left_e4 = event->amount_e4, .event = event};
    for (size_t i = 0; i < event->items.count; i++) {
        const struct payment_item *from = &event->items.items[i];
        int document = document_of(book, from->document);
        if (document >= 0) payment->discount_taxes_e4[i] = minor(book, book->items[document].tax_e4, from->discount_e4, book->items[document].amount_e4);
    }
}

/* What the transit account got by the journals of this happening, in functional currency. */
static wide transit_functional(const struct book *book) {
    wide sum_e4 = 0;
    for (const struct story_journal *journal = book->story->journals; journal; journal = journal->next) {
        if (journal->happening != book->happening) continue;
        for (size_t i = 0; i < journal->seen.lines.count; i++) {
            const struct seen_line *line = &journal->seen.lines.items[i];
            if (slice_equal(line->account, SLICE(ACCOUNT_TRANSIT))) sum_e4 += line->side ? line->functional_e4 : -line->functional_e4;
        }
    }
    return sum_e4;
}

static void sent_book(struct book *book, const struct happening *happening) {
    struct balances expected = {.count = 0};
    struct payment_book *payment = &book->payments[happening->document];
    const struct payment_event *event = payment->event;
    payment->sent = true;
    payment->transit_e4 = event->amount_e4;
    payment->transit_functional_e4 = transit_functional(book);
    for (size_t i = 0; i < event->items.count; i++) {
        const struct payment_item *from = &event->items.items[i];
        struct item_book *item = &book->items[document_of(book, from->document)];
        story_expect(book->story, book->happening, &expected, payable(book), from->amount_e4 + from->discount_e4);
        story_expect(book->story, book->happening, &expected, SLICE(ACCOUNT_TRANSIT), -from->amount_e4);
        story_expect(book->story, book->happening, &expected, SLICE(ACCOUNT_DISCOUNT), -(from->discount_e4 - payment->discount_taxes_e4[i]));
        story_expect(book->story, book->happening, &expected, SLICE(ACCOUNT_INPUT_TAX), -payment->discount_taxes_e4[i]);
        item->settled_e4 += from->amount_e4 + from->discount_e4;
    }
    if (!payment->prepayment) { story_check_posted(book->story, book->happening, &expected, is_payable_or_transit); return; }
    int tax = world_tax_find(event->tax_code);
    wide rate_e4 = tax < 0 ? 0 : world_taxes[tax].rate_e4, unit_e4 = wide_unit(book->digits);
    wide tax_e4 = wide_divide_half_up(event->amount_e4 * rate_e4, (1000000 + rate_e4) * unit_e4) * unit_e4;
    wide deductible_e4 = tax < 0 ? 0 : wide_share(tax_e4, world_taxes[tax].deductible_e4, book->digits);
    story_expect(book->story, book->happening, &expected, SLICE(ACCOUNT_INPUT_TAX), deductible_e4);
    story_expect(book->story, book->happening, &expected, SLICE(ACCOUNT_PREPAYMENT), event->amount_e4 - deductible_e4);
    story_expect(book->story, book->happening, &expected, SLICE(ACCOUNT_TRANSIT), -event->amount_e4);
    story_check_posted(book->story, book->happening, &expected, is_payable_or_transit);
}

static void settled_book(struct book *book, const struct happening *happening) {
    struct balances expected = {.count = 0};
    const struct payment_event *event = happening->event;
    struct payment_book *payment = &book->payments[happening->document];
    wide charges_e4 = event->has_charges ? event->charges_e4 : 0;
    story_expect(book->story, book->happening, &expected, SLICE(ACCOUNT_BANK), -(payment->transit_e4 + charges_e4));
    story_expect(book->story, book->happening, &expected, SLICE(ACCOUNT_CHARGES), charges_e4);
    balances_add(&expected, SLICE(ACCOUNT_TRANSIT), payment->transit_e4, payment->transit_functional_e4);
    story_check_posted(book->story, book->happening, &expected, NULL);
    payment->transit_e4 = payment->transit_functional_e4 = 0;
}

/* The money is back: items open again. */
static void returned_book(struct book *book, const struct happening *happening) {
    struct payment_book *payment = &book->payments[happening->document];
    for (size_t i = 0; payment->sent && i < payment->event->items.count; i++) {
        const struct payment_item *from = &payment->event->items.items[i];
        book->items[document_of(book, from->document)].settled_e4 -= from->amount_e4 + from->discount_e4;
    }
    payment->sent = false;
    payment->transit_e4 = payment->transit_functional_e4 = 0;
}

static void refunded_book(struct book *book, const struct happening *happening) {
    struct balances expected = {.count = 0};
    const struct payment_event *event = happening->event;
    for (size_t i = 0; i < event->items.count; i++) {
        const struct payment_item *from = &event->items.items[i];
        book->items[document_of(book, from->document)].settled_e4 -= from->amount_e4;
        story_expect(book->story, book->happening, &expected, payable(book), -from->amount_e4);
    }
    story_expect(book->story, book->happening, &expected, SLICE(ACCOUNT_BANK), event->amount_e4);
    story_check_posted(book->story, book->happening, &expected, is_payable_or_transit);
}

/* A prepayment that is used up has left nothing on any account of its own, but what the bank moved and what exchange rates made. */
static void used_up_check(struct book *book, int document) {
    struct balances balances = {.count = 0};
    for (const struct story_journal *journal = book->story->journals; journal; journal = journal->next)
        if (journal->document == document) balances_add_journal(&balances, &journal->seen);
    static const char *const accounts[] = {ACCOUNT_PREPAYMENT, ACCOUNT_INPUT_TAX};
    for (size_t i = 0; i < sizeof accounts / sizeof *accounts; i++) {
        const struct balance *balance = balances_of(&balances, slice_of(accounts[i]));
        story_check(book->story, PROPERTY_SPLITTING, document, balance->amount_e4 == 0 && balance->functional_e4 == 0,
                    "the prepayment is used up, and account %s is not zero", accounts[i]);
    }
}

static void applied_book(struct book *book, const struct happening *happening) {
    struct balances expected = {.count = 0};
    const struct payment_event *event = happening->event;
    struct payment_book *payment = &book->payments[happening->document];
    wide applied_e4 = 0, prepaid_e4 = 0, tax_e4 = 0;
    for (size_t i = 0; i < event->items.count; i++) {
        book->items[document_of(book, event->items.items[i].document)].settled_e4 += event->items.items[i].amount_e4;
        applied_e4 += event->items.items[i].amount_e4;
    }
    for (const struct story_journal *journal = book->story->journals; journal; journal = journal->next) {
        if (journal->happening != book->happening) continue;
        struct balances posted = {.count = 0};
        balances_add_journal(&posted, &journal->seen);
        prepaid_e4 -= balances_of(&posted, SLICE(ACCOUNT_PREPAYMENT))->amount_e4;
        tax_e4 -= balances_of(&posted, SLICE(ACCOUNT_INPUT_TAX))->amount_e4;
    }
    story_expect(book->story, book->happening, &expected, payable(book), applied_e4);
    story_expect(book->story, book->happening, &expected, SLICE(ACCOUNT_INPUT_TAX), -tax_e4);       /* its share is checked when all is used up */
    story_expect(book->story, book->happening, &expected, SLICE(ACCOUNT_PREPAYMENT), tax_e4 - applied_e4);
    story_check_posted(book->story, book->happening, &expected, is_anything);
    story_check(book->story, PROPERTY_AMOUNTS, happening->document, prepaid_e4 >= 0 && tax_e4 >= 0, "an application takes from the wrong side");
    payment->left_e4 -= applied_e4;
    if (!payment->left_e4) used_up_check(book, happening->document);
}

static void payment_book(struct book *book, const struct happening *happening) {
    switch (((const struct payment_event *)happening->event)->kind) {
    case PAYMENT_KIND_INSTRUCTED: instructed_book(book, happening); break;
    case PAYMENT_KIND_SENT: sent_book(book, happening); break;
    case PAYMENT_KIND_SETTLED: settled_book(book, happening); break;
    case PAYMENT_KIND_BANK_REJECTED:
    case PAYMENT_KIND_RETURNED: returned_book(book, happening); break;
    case PAYMENT_KIND_REFUNDED: refunded_book(book, happening); break;
    case PAYMENT_KIND_PREPAYMENT_APPLIED: applied_book(book, happening); break;
    default: break;
    }
}

/* ---- the check ---- */

static void open_check(struct book *book) {
    struct story *story = book->story;
    wide open_e4 = 0, transit_e4 = 0, transit_functional_e4 = 0;
    bool any = false;
    for (int i = 0; i < story->document_count; i++) {
        wide item_e4 = book->items[i].amount_e4 - book->items[i].settled_e4;
        open_e4 += item_e4;
        any |= item_e4 != 0;
        transit_e4 += book->payments[i].transit_e4;
        transit_functional_e4 += book->payments[i].transit_functional_e4;
    }
    const char *kind = story->happenings[book->happening].kind;
    const struct balance owed = *balances_of(&book->posted, payable(book)), transit = *balances_of(&book->posted, SLICE(ACCOUNT_TRANSIT));
    char text[2][WIDE_TEXT_SIZE];
    story_check(story, PROPERTY_SPLITTING, NOTHING, -owed.amount_e4 == open_e4, "after %s payables are %s, and open is %s", kind, wide_print(-owed.amount_e4, text[0]),
                wide_print(open_e4, text[1]));
    if (!any) story_check(story, PROPERTY_SPLITTING, NOTHING, owed.functional_e4 == 0, "after %s nothing is open, and payables are %s in functional currency", kind,
                          wide_print(-owed.functional_e4, text[0]));
    story_check(story, PROPERTY_SPLITTING, NOTHING, -transit.amount_e4 == transit_e4 && -transit.functional_e4 == transit_functional_e4,
                "after %s %s are in transit, and %s were sent and not settled",
                kind, wide_print(-transit.amount_e4, text[0]), wide_print(transit_e4, text[1]));
}

/* Everything of the invoice paid at once against everything of the one in parts. The payments of the parts are all that come after the whole's. */
static void halves_check(struct story *story, const struct plan *plan) {
    struct balances sides[2] = {{.count = 0}, {.count = 0}};
    int functional = world_entities[story->entity].functional, parts = 0;
    for (const struct story_journal *journal = story->journals; journal; journal = journal->next) {
        int side = journal->document == plan->items[0].document ? 0 : journal->document == plan->items[1].document ? 1 : journal->document > 2;
        balances_add_journal(&sides[side], &journal->seen);
        parts += side;
    }
    for (int i = 0; i < story->count; i++)
        story_check(story, PROPERTY_SPLITTING, story->happenings[i].document, happening_took_effect(&story->happenings[i]), "%s was not accepted",
                    story->happenings[i].kind);
    for (size_t i = 0; i < sides[0].count; i++) (void)balances_of(&sides[1], sides[0].items[i].account);
    for (size_t i = 0; i < sides[1].count; i++) {
        const struct balance *of_parts = &sides[1].items[i], *of_whole = balances_of(&sides[0], of_parts->account);
        wide off_e4 = wide_size(of_parts->functional_e4 - of_whole->functional_e4);
        bool zero = slice_equal(of_parts->account, slice_of(world_entities[story->entity].payable)) || slice_equal(of_parts->account, SLICE(ACCOUNT_TRANSIT));
        story_check(story, PROPERTY_SPLITTING, NOTHING, of_parts->amount_e4 == of_whole->amount_e4, "account " SLICE_FORMAT " is not the same when paid in parts",
                    SLICE_ARGUMENT(of_parts->account));
        story_check(story, PROPERTY_SPLITTING, NOTHING, !zero || (of_parts->amount_e4 == 0 && of_parts->functional_e4 == 0 && of_whole->functional_e4 == 0),
                    "all is paid, and account " SLICE_FORMAT " is not zero", SLICE_ARGUMENT(of_parts->account));
        story_check(story, PROPERTY_SPLITTING, NOTHING, off_e4 <= (story->currency == functional ? 0 : 2 * parts * wide_unit(world_currencies[functional].digits)),
                    "account " SLICE_FORMAT " is not the same in functional currency when paid in parts", SLICE_ARGUMENT(of_parts->account));
    }
}

static void payments_check(struct story *story) {
    const struct plan *plan = story->plan;
    struct book *book = story_alloc(story, sizeof *book);
    book->story = story;
    book->digits = world_currencies[story->currency].digits;
    purchase_check(story);
    for (int i = 0; i < story->decision_count; i++) {
        const struct happening *happening = &story->happenings[book->happening = story->decisions[i].happening];
        if (!happening_took_effect(happening)) continue;
        if (strcmp(happening->topic, PAYMENT_TOPIC) == 0) payment_book(book, happening);
        else invoice_book(book, happening);
        for (const struct story_journal *journal = story->journals; journal; journal = journal->next)
            if (journal->happening == book->happening) balances_add_journal(&book->posted, &journal->seen);
        open_check(book);
    }
    if (plan->halves) halves_check(story, plan);
}

extern const struct generator payments_generator;
const struct generator payments_generator = {.name = "payments", .topic = PAYMENT_TOPIC, .weight = 5, .make = payments_make, .check = payments_check};
