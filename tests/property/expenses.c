/* expenses: reports, corrected and cancelled, set against advances, reimbursed in parts; advances given back in parts. The check keeps what is open of each of its
 * own: what the employee is owed and what is advanced is what is open, and nothing in functional currency once nothing is. */
#include <stdlib.h>

#include "schemas/expense_event.h"
#include "tests/property/chance.h"
#include "tests/property/story.h"

#define EXPENSE_TOPIC "expense.events"
enum { LINES_MAXIMUM = 4, PARTS_MAXIMUM = 5 };

/* ---- making ---- */

static struct expense_event *expense_make(struct story *story, enum expense_kind kind, int document, size_t lines) {
    struct expense_event *event = story_alloc(story, sizeof *event);
    *event = (struct expense_event){.event_id = story_text(story, "e%" PRIu64 "-%d", story->number, story->count), .kind = kind, .source = SLICE("SRC"),
        .entity = slice_of(world_entities[story->entity].id), .employee = story->partner, .document = story->documents[document], .document_date = story_day(story),
        .currency = story_currency(story), .user = SLICE("BOSS")};
    event->has_posting_date = one_in(2);
    event->posting_date = story_day(story);
    event->lines.items = story_alloc(story, lines * sizeof *event->lines.items);
    event->lines.count = lines;
    return event;
}

static void expense_add(struct story *story, const struct expense_event *event, int document, int takes_back) {
    story_add(story, EXPENSE_TOPIC, expense_kind_name(event->kind), event, document, takes_back);
}

static void amount_set(struct story *story, struct expense_event *event, int64_t amount_e4) {
    event->has_amount = true;
    event->amount_e4 = amount_e4;
    event->bank_account = story_text(story, "B" SLICE_FORMAT, SLICE_ARGUMENT(story_currency(story)));
}

static wide tax_in(const struct story *story, int64_t gross_e4, int64_t rate_e4) {
    int64_t unit_e4 = story_unit(story);
    return wide_divide_half_up((wide)gross_e4 * rate_e4, (wide)(1000000 + rate_e4) * unit_e4) * unit_e4;
}

/* Amounts that no other report has, so that no line is taken for another's. Returns their sum. */
static int64_t lines_make(struct story *story, struct expense_event *event) {
    int64_t sum_e4 = 0;
    for (size_t i = 0; i < event->lines.count; i++) {
        int tax = (int)chance_below(TAX_CODES + 2);
        struct expense_line *line = &event->lines.items[i];
        int64_t gross_e4 = (chance_below(INT64_C(900000000)) + 1000) * story_unit(story);
        *line = (struct expense_line){.line = story_text(story, "%zu", i + 1), .category = story_text(story, "CAT%d", (int)chance_below(CATEGORIES)),
            .date = story_day(story), .has_gross = true,
            .gross_e4 = gross_e4, .paid_by = SLICE("employee"), .proof = !one_in(4), .cost_centre = SLICE("CC1")};
        sum_e4 += gross_e4;
        if (tax >= TAX_CODES || world_taxes[tax].reverse_charge) continue;
        line->tax_code = slice_of(world_taxes[tax].code);
        line->has_tax = one_in(3);
        line->tax_e4 = (int64_t)tax_in(story, gross_e4, world_taxes[tax].rate_e4) / (one_in(2) ? 1 : 2) / story_unit(story) * story_unit(story);
    }
    return sum_e4;
}

static int64_t part_of(const struct story *story, int64_t whole_e4, bool last) {
    int64_t units = whole_e4 / story_unit(story);
    return last || units < 2 || one_in(4) ? whole_e4 : (chance_below(units - 1) + 1) * story_unit(story);
}

/* Returns what the report comes to. */
static int64_t report_send(struct story *story, int report, int advance, int64_t applied_e4) {
    struct expense_event *event = expense_make(story, EXPENSE_KIND_SUBMITTED, report, 1 + (size_t)chance_below(LINES_MAXIMUM)), *approved;
    int64_t sum_e4 = lines_make(story, event);
    if (advance >= 0) event->advance = story->documents[advance];
    if (advance >= 0) amount_set(story, event, applied_e4 < sum_e4 ? applied_e4 : sum_e4);
    if (one_in(3)) {
        event->kind = EXPENSE_KIND_APPROVED;
    } else {
        event->user = story->partner;
        expense_add(story, event, report, NOTHING);
        approved = expense_make(story, EXPENSE_KIND_APPROVED, report, 0);
        event = approved;
    }
    expense_add(story, event, report, NOTHING);
    return sum_e4;
}

static void parts_send(struct story *story, enum expense_kind kind, int document, int64_t open_e4, int least) {
    for (int parts = 0; open_e4 > 0; parts++) {
        int64_t part_e4 = part_of(story, open_e4, parts + 1 == PARTS_MAXIMUM);
        struct expense_event *event = expense_make(story, kind, document, 0);
        amount_set(story, event, part_e4);
        expense_add(story, event, document, NOTHING);
        open_e4 -= part_e4;
        if (parts >= least && one_in(6)) return;
    }
}

static void expenses_make(struct story *story) {
    int entity = (int)chance_below(ENTITIES), advance = NOTHING, report;
    int64_t advanced_e4 = 0, applied_e4 = 0, open_e4;
    story_begin(story, entity, one_in(2) ? world_entities[entity].functional : (int)chance_below(ORDINARY_CURRENCIES));
    story_partner(story, "W", EMPLOYEES);
    if (one_in(2)) {
        advance = story_document(story, "A");
        struct expense_event *event = expense_make(story, EXPENSE_KIND_ADVANCE_PAID, advance, 0);
        advanced_e4 = one_in(2) ? story_amount(story, 30) : (INT64_C(4000000000) + chance_below(1000)) * story_unit(story);   /* more than any report */
        amount_set(story, event, advanced_e4);
        expense_add(story, event, advance, NOTHING);
        applied_e4 = part_of(story, advanced_e4, advanced_e4 / story_unit(story) >= INT64_C(4000000000));
    }
    report = story_document(story, "X");
    open_e4 = report_send(story, report, advance, applied_e4);
    if (applied_e4 > open_e4) applied_e4 = open_e4;
    if (one_in(4)) {
        struct expense_event *event = expense_make(story, EXPENSE_KIND_CORRECTED, report, 1 + (size_t)chance_below(LINES_MAXIMUM));
        open_e4 = lines_make(story, event);
        applied_e4 = 0;
        expense_add(story, event, report, NOTHING);
    }
    if (one_in(6)) story_repeat(story, (int)chance_below(story->count));
    if (one_in(5)) expense_add(story, expense_make(story, EXPENSE_KIND_CANCELLED, report, 0), report, report);
    else if (!one_in(5)) parts_send(story, EXPENSE_KIND_REIMBURSED, report, open_e4 - applied_e4, 1);
    if (advance >= 0 && one_in(2)) parts_send(story, EXPENSE_KIND_ADVANCE_RETURNED, advance, advanced_e4 - applied_e4, 1);
}

/* ---- the check ---- */

struct paper { const struct expense_event *lines, *head; wide open_e4, applied_e4; int advance; };
struct book {
    struct story *story;
    struct paper papers[DOCUMENTS_MAXIMUM];     /* reports and advances, by document */
    struct balances posted;
    int happening, digits;
};

static bool is_carried(struct slice account) { return slice_equal(account, SLICE(ACCOUNT_EMPLOYEE)) || slice_equal(account, SLICE(ACCOUNT_ADVANCE)); }
static bool is_advance(struct slice account) { return slice_equal(account, SLICE(ACCOUNT_ADVANCE)); }

static void expect(struct book *book, struct balances *expected, struct slice account, wide amount_e4) {
    story_expect(book->story, book->happening, expected, account, amount_e4);
}

static wide line_expect(struct book *book, const struct expense_line *line, struct balances *expected) {
    int tax = world_tax_find(line->tax_code);
    wide tax_e4 = tax < 0 ? 0 : line->has_tax ? line->tax_e4 : tax_in(book->story, line->gross_e4, world_taxes[tax].rate_e4);
    wide deductible_e4 = tax < 0 || !line->proof ? 0 : wide_share(tax_e4, world_taxes[tax].deductible_e4, book->digits);
    struct slice cost = story_text(book->story, PREFIX_EXPENSE "%c", line->category.data[line->category.length - 1]);
    expect(book, expected, cost, line->gross_e4 - tax_e4);
    expect(book, expected, cost, tax_e4 - deductible_e4);
    expect(book, expected, SLICE(ACCOUNT_INPUT_TAX), deductible_e4);
    expect(book, expected, SLICE(ACCOUNT_EMPLOYEE), -line->gross_e4);
    return line->gross_e4;
}

static int document_of(const struct book *book, struct slice name) {
    for (int i = 0; i < book->story->document_count; i++)
        if (name.length && slice_equal(book->story->documents[i], name)) return i;
    return NOTHING;
}

static void report_take_back(struct book *book, struct paper *paper) {
    if (paper->advance >= 0) book->papers[paper->advance].open_e4 += paper->applied_e4;
    paper->open_e4 = paper->applied_e4 = 0;
}

/* lines: with the lines; head: that names the advance. compare: nothing but this report was posted by the event. */
static void report_book(struct book *book, struct paper *paper, bool compare) {
    struct balances expected = {.count = 0};
    wide sum_e4 = 0;
    for (size_t i = 0; i < paper->lines->lines.count; i++) sum_e4 += line_expect(book, &paper->lines->lines.items[i], &expected);
    paper->advance = document_of(book, paper->head->advance);
    paper->applied_e4 = paper->advance >= 0 ? paper->head->amount_e4 : 0;
    paper->open_e4 = sum_e4 - paper->applied_e4;
    if (paper->advance >= 0) book->papers[paper->advance].open_e4 -= paper->applied_e4;
    if (paper->applied_e4 == sum_e4) balances_add(&expected, SLICE(ACCOUNT_EMPLOYEE), sum_e4, -balances_of(&expected, SLICE(ACCOUNT_EMPLOYEE))->functional_e4);
    else expect(book, &expected, SLICE(ACCOUNT_EMPLOYEE), paper->applied_e4);
    expect(book, &expected, SLICE(ACCOUNT_ADVANCE), -paper->applied_e4);
    if (compare) story_check_posted(book->story, book->happening, &expected, is_advance);
}

static void money_book(struct book *book, const struct expense_event *event, struct paper *paper) {
    struct balances expected = {.count = 0};
    bool by_payroll = (atoi(story_text(book->story, SLICE_FORMAT, (int)event->employee.length - 1, event->employee.data + 1).data)) % 3 == 0;
    wide amount_e4 = event->amount_e4;
    switch (event->kind) {
    case EXPENSE_KIND_ADVANCE_PAID:
        paper->open_e4 = amount_e4;
        expect(book, &expected, SLICE(ACCOUNT_ADVANCE), amount_e4);
        expect(book, &expected, SLICE(ACCOUNT_TRANSIT), -amount_e4);
        break;
    case EXPENSE_KIND_ADVANCE_RETURNED:
        paper->open_e4 -= amount_e4;
        expect(book, &expected, SLICE(ACCOUNT_BANK), amount_e4);
        expect(book, &expected, SLICE(ACCOUNT_ADVANCE), -amount_e4);
        break;
    default:
        paper->open_e4 -= amount_e4;
        expect(book, &expected, SLICE(ACCOUNT_EMPLOYEE), amount_e4);
        expect(book, &expected, by_payroll ? SLICE(ACCOUNT_PAYROLL) : SLICE(ACCOUNT_TRANSIT), -amount_e4);
        break;
    }
    story_check_posted(book->story, book->happening, &expected, is_carried);
}

static void happening_book(struct book *book, const struct happening *happening) {
    const struct expense_event *event = happening->event;
    struct paper *paper = &book->papers[happening->document];
    switch (event->kind) {
    case EXPENSE_KIND_SUBMITTED:
        paper->lines = paper->head = event;
        break;
    case EXPENSE_KIND_APPROVED:
        if (event->lines.count) paper->lines = paper->head = event;
        report_book(book, paper, true);
        break;
    case EXPENSE_KIND_CORRECTED:
        report_take_back(book, paper);
        paper->lines = paper->head = event;
        report_book(book, paper, false);
        break;
    case EXPENSE_KIND_CANCELLED: report_take_back(book, paper); break;
    default: money_book(book, event, paper); break;
    }
}

static void open_check(struct book *book) {
    static const struct { const char *account, *what; int sign; char letter; } sums[] = {{ACCOUNT_EMPLOYEE, "owed to the employee", -1, 'X'},
        {ACCOUNT_ADVANCE, "advanced", 1, 'A'}};
    struct story *story = book->story;
    for (size_t k = 0; k < sizeof sums / sizeof *sums; k++) {
        wide open_e4 = 0;
        bool any = false;
        for (int i = 0; i < story->document_count; i++) {
            if (story->documents[i].data[0] != sums[k].letter) continue;
            open_e4 += book->papers[i].open_e4;
            any |= book->papers[i].open_e4 != 0;
        }
        const struct balance *balance = balances_of(&book->posted, slice_of(sums[k].account));
        char text[2][WIDE_TEXT_SIZE];
        story_check(story, PROPERTY_SPLITTING, NOTHING, sums[k].sign * balance->amount_e4 == open_e4, "after %s %s is %s, and open is %s",
                    story->happenings[book->happening].kind, sums[k].what,
                    wide_print(sums[k].sign * balance->amount_e4, text[0]), wide_print(open_e4, text[1]));
        if (!any) story_check(story, PROPERTY_SPLITTING, NOTHING, balance->functional_e4 == 0, "after %s nothing is %s any more, and %s are left in functional currency",
                              story->happenings[book->happening].kind, sums[k].what, wide_print(balance->functional_e4, text[0]));
    }
}

static void expenses_check(struct story *story) {
    struct book *book = story_alloc(story, sizeof *book);
    book->story = story;
    book->digits = world_currencies[story->currency].digits;
    for (int i = 0; i < story->decision_count; i++) {
        const struct happening *happening = &story->happenings[book->happening = story->decisions[i].happening];
        if (!happening_took_effect(happening)) continue;
        happening_book(book, happening);
        for (const struct story_journal *journal = story->journals; journal; journal = journal->next)
            if (journal->happening == book->happening) balances_add_journal(&book->posted, &journal->seen);
        open_check(book);
    }
}

extern const struct generator expenses_generator;
const struct generator expenses_generator = {.name = "expenses", .topic = EXPENSE_TOPIC, .weight = 5, .make = expenses_make, .check = expenses_check};
