/* expect: what a case says must be so now. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/ledger/decimal.h"
#include "schemas/commitment.h"
#include "schemas/posting_command.h"
#include "tests/driver/records.h"
#include "tests/driver/run.h"

enum { LINES_EXPECTED = 64, TEXT_SIZE = 6000, AMOUNT_SCALE = 4 };

struct text { char bytes[TEXT_SIZE]; size_t length; };

__attribute__((format(printf, 2, 3))) static void text_add(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text->bytes + text->length, TEXT_SIZE - text->length, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
    if (text->length >= TEXT_SIZE) text->length = TEXT_SIZE - 1;
}

static const char *amount_text(int64_t amount_e4, char text[DECIMAL_TEXT_SIZE]) {
    decimal_print(amount_e4, AMOUNT_SCALE, 2, text);
    return text;
}

static bool amount_read(struct run *run, const struct statement *statement, const char *text, int64_t *amount_e4) {
    struct error error;
    if (decimal_text_read(text, AMOUNT_SCALE, amount_e4, &error)) return true;
    run_fail(run, statement, "an amount", error.text);
    return false;
}

static void amounts_compare(struct run *run, const struct statement *statement, const char *expected, int64_t got_e4) {
    int64_t expected_e4;
    char wanted[DECIMAL_TEXT_SIZE], got[DECIMAL_TEXT_SIZE];
    if (!amount_read(run, statement, expected, &expected_e4) || expected_e4 == got_e4) return;
    run_fail(run, statement, amount_text(expected_e4, wanted), amount_text(got_e4, got));
}

/* ---- journals ---- */

struct line_expected {
    enum journal_side side;
    const char *account, *cost_centre, *project, *tax, *partner;
    int64_t amount_e4, functional_e4;
    bool has_functional;
};

static bool attribute_is(const char *expected, struct slice got) { return !expected || slice_equal(slice_of(expected), got); }

static bool line_is(const struct line_expected *expected, const struct journal_line *got) {
    return expected->side == got->side && slice_equal(slice_of(expected->account), got->account) && expected->amount_e4 == got->amount_e4 &&
           (!expected->has_functional || expected->functional_e4 == got->functional_e4) && attribute_is(expected->cost_centre, got->cost_centre) &&
           attribute_is(expected->project, got->project) && attribute_is(expected->tax, got->tax_code) && attribute_is(expected->partner, got->partner);
}

/* dr|cr ACCOUNT AMOUNT [=FUNCTIONAL] [cc=] [project=] [tax=] [partner=] ...; the lines' number, or -1. */
static int lines_read(struct run *run, const struct statement *statement, size_t at, struct line_expected lines[LINES_EXPECTED]) {
    int count = 0;
    while (at + 2 < statement->count && count < LINES_EXPECTED) {
        const char *side = statement->words[at], *value;
        struct line_expected line = {.account = statement->words[at + 1], .side = strcmp(side, "dr") == 0 ? JOURNAL_SIDE_DEBIT : JOURNAL_SIDE_CREDIT};
        if (line.side == JOURNAL_SIDE_CREDIT && strcmp(side, "cr") != 0) { run_fail(run, statement, "dr or cr", side); return -1; }
        if (!amount_read(run, statement, statement->words[at + 2], &line.amount_e4)) return -1;
        for (at += 3; at < statement->count && strcmp(statement->words[at], "dr") != 0 && strcmp(statement->words[at], "cr") != 0; at++) {
            const char *word = statement->words[at];
            if (*word == '=') { line.has_functional = true; if (!amount_read(run, statement, word + 1, &line.functional_e4)) return -1; }
            else if ((value = word_value(word, "cc"))) line.cost_centre = value;
            else if ((value = word_value(word, "project"))) line.project = value;
            else if ((value = word_value(word, "tax"))) line.tax = value;
            else if ((value = word_value(word, "partner"))) line.partner = value;
            else { run_fail(run, statement, "dr or cr ACCOUNT AMOUNT [=FUNCTIONAL] [cc=] [project=] [tax=] [partner=]", word); return -1; }
        }
        lines[count++] = line;
    }
    return count;
}

static bool lines_match(const struct line_expected *expected, int count, const struct posting_command *got) {
    bool used[LINES_EXPECTED] = {false};
    if ((size_t)count != got->lines.count) return false;
    for (int i = 0; i < count; i++) {
        int k = 0;
        while (k < count && (used[k] || !line_is(&expected[i], &got->lines.items[k]))) k++;
        if (k == count) return false;
        used[k] = true;
    }
    return true;
}

static void lines_print(const struct posting_command *got, struct text *text) {
    char amount[DECIMAL_TEXT_SIZE], functional[DECIMAL_TEXT_SIZE];
    for (size_t i = 0; i < got->lines.count; i++) {
        const struct journal_line *line = &got->lines.items[i];
        text_add(text, "%s%s " SLICE_FORMAT " %12s =%s", i ? "\n" : "", line->side == JOURNAL_SIDE_DEBIT ? "dr" : "cr", SLICE_ARGUMENT(line->account),
                 amount_text(line->amount_e4, amount), amount_text(line->functional_e4, functional));
        if (line->cost_centre.length) text_add(text, " cc=" SLICE_FORMAT, SLICE_ARGUMENT(line->cost_centre));
        if (line->project.length) text_add(text, " project=" SLICE_FORMAT, SLICE_ARGUMENT(line->project));
        if (line->tax_code.length) text_add(text, " tax=" SLICE_FORMAT, SLICE_ARGUMENT(line->tax_code));
        if (line->partner.length) text_add(text, " partner=" SLICE_FORMAT, SLICE_ARGUMENT(line->partner));
    }
}

static void lines_expected_print(const struct line_expected *lines, int count, struct text *text) {
    char amount[DECIMAL_TEXT_SIZE], functional[DECIMAL_TEXT_SIZE];
    for (int i = 0; i < count; i++) {
        text_add(text, "%s%s %s %12s", i ? "\n" : "", lines[i].side == JOURNAL_SIDE_DEBIT ? "dr" : "cr", lines[i].account, amount_text(lines[i].amount_e4, amount));
        if (lines[i].has_functional) text_add(text, " =%s", amount_text(lines[i].functional_e4, functional));
        if (lines[i].cost_centre) text_add(text, " cc=%s", lines[i].cost_centre);
        if (lines[i].project) text_add(text, " project=%s", lines[i].project);
        if (lines[i].tax) text_add(text, " tax=%s", lines[i].tax);
        if (lines[i].partner) text_add(text, " partner=%s", lines[i].partner);
    }
}

/* The oldest journal (or entry of a batch) of the document, and step and entity if given, that no expectation has named yet. */
static struct stored *journal_find(struct run *run, bool entry, const char *document, const char *step, const char *entity) {
    for (size_t i = 0; i < run->broker.count; i++) {
        struct stored *stored = run->broker.items[i];
        const struct posting_command *command = stored->decoded;
        if ((entry ? is_entry(stored) : is_journal(stored)) && !stored->claimed && slice_equal(command->document, slice_of(document)) && attribute_is(step, command->step) &&
            attribute_is(entity, command->entity)) return stored;
    }
    return NULL;
}

static bool is_side(const char *word) { return strcmp(word, "dr") == 0 || strcmp(word, "cr") == 0; }

/* The step, if there is one at the place. */
static const char *step_read(const struct statement *statement, size_t *at) {
    if (*at == statement->count || strchr(statement->words[*at], '=') || is_side(statement->words[*at])) return NULL;
    return statement->words[(*at)++];
}

/* Of a journal: any entity's unless the case names one. */
static const char *entity_of(const struct statement *statement) { return statement_value(statement, "entity", NULL); }

static void expect_journal(struct run *run, const struct statement *statement, bool entry) {
    struct line_expected lines[LINES_EXPECTED];
    struct text expected = {.length = 0}, got = {.length = 0};
    size_t at = 3;
    const char *step = step_read(statement, &at);
    size_t first = at;
    while (first < statement->count && !is_side(statement->words[first])) first++;
    int count = lines_read(run, statement, first, lines);
    if (count < 0) return;
    lines_expected_print(lines, count, &expected);
    struct stored *stored = journal_find(run, entry, statement->words[2], step, entity_of(statement));
    if (!stored) { run_fail(run, statement, expected.bytes, entry ? "no entry" : "no journal"); return; }
    stored->claimed = true;
    const struct posting_command *command = stored->decoded;
    fields_expect(run, statement, at, first, &posting_command_type, command);
    if (lines_match(lines, count, command)) return;
    lines_print(command, &got);
    run_fail(run, statement, expected.bytes, got.bytes);
}

static void expect_no_journal(struct run *run, const struct statement *statement, bool entry) {
    struct text got = {.length = 0};
    size_t at = 4;
    const char *step = step_read(statement, &at);
    struct stored *stored = journal_find(run, entry, statement->words[3], step, entity_of(statement));
    if (!stored) return;
    lines_print(stored->decoded, &got);
    run_fail(run, statement, entry ? "no entry" : "no journal", got.bytes);
}

static void expect_balance(struct run *run, const struct statement *statement) {
    const char *entity = statement_value(statement, "entity", "ACME");
    int64_t sum_e4 = 0;
    for (size_t i = 0; i < run->broker.count; i++) {
        const struct posting_command *command = run->broker.items[i]->decoded;
        if (!is_journal(run->broker.items[i]) || !slice_equal(command->entity, slice_of(entity))) continue;
        for (size_t k = 0; k < command->lines.count; k++) {
            const struct journal_line *line = &command->lines.items[k];
            if (slice_equal(line->account, slice_of(statement->words[2]))) sum_e4 += line->side == JOURNAL_SIDE_DEBIT ? line->functional_e4 : -line->functional_e4;
        }
    }
    amounts_compare(run, statement, statement->words[3], sum_e4);
}

/* ---- commitments ---- */

static void expect_commitment(struct run *run, const struct statement *statement, bool before_order) {
    int64_t sum_e4 = 0, last_e4 = 0;
    for (size_t i = 0; i < run->broker.count; i++) {
        const struct commitment *movement = run->broker.items[i]->decoded;
        if (!stored_in(run->broker.items[i], "commitments")) continue;
        /* A requisition may have no order: then it is known by its document. */
        struct slice order = movement->order.length ? movement->order : movement->document;
        if (!slice_equal(order, slice_of(statement->words[2])) || !slice_equal(movement->line, slice_of(statement->words[3]))) continue;
        if ((movement->movement == COMMITMENT_MOVEMENT_PRE_COMMIT) != before_order) continue;
        sum_e4 += movement->amount_e4;
        last_e4 = movement->committed_e4;
    }
    /* The movements add up to what the last of them says. */
    amounts_compare(run, statement, statement->words[4], sum_e4);
    if (!before_order && last_e4 != sum_e4) run_fail(run, statement, "the sum of the movements in the last one", "another amount");
}

/* ---- outcomes and what waits ---- */

static void expect_outcome(struct run *run, const struct statement *statement) {
    const struct given *given = given_find(run, statement->words[2]);
    if (given) outcome_expect(run, statement, given, 3);
    else run_fail(run, statement, "an event or document that was told something", "none");
}

static void expect_waiting(struct run *run, const struct statement *statement) {
    char got[32];
    int count = 0;
    for (size_t i = 0; i < run->given_count; i++) {
        const struct stored *stored = outcome_newest(run, &run->given[i]);
        count += stored && stored->decoded && !run->given[i].synthetic && ((const struct acknowledgment *)stored->decoded)->outcome == ACKNOWLEDGED_OUTCOME_PARKED;
    }
    snprintf(got, sizeof got, "%d", count);
    if (strcmp(statement->words[2], got) != 0) run_fail(run, statement, statement->words[2], got);
}

/* expect waits DOC TABLE KEY [TABLE KEY ...]: what its acknowledgment names as missing, all of it. */
static void expect_waits(struct run *run, const struct statement *statement) {
    const struct given *given = given_find(run, statement->words[2]);
    const struct stored *stored = given ? outcome_newest(run, given) : NULL;
    if (!stored || !stored->decoded) { run_fail(run, statement, "an event that waits", "none"); return; }
    const struct acknowledgment *acknowledgment = stored->decoded;
    struct text expected = {.length = 0}, got = {.length = 0};
    for (size_t i = 3; i + 1 < statement->count; i += 2) text_add(&expected, "%s%s %s", i > 3 ? "\n" : "", statement->words[i], statement->words[i + 1]);
    for (size_t i = 0; i < acknowledgment->missing.count; i++)
        text_add(&got, "%s" SLICE_FORMAT " " SLICE_FORMAT, i ? "\n" : "", SLICE_ARGUMENT(acknowledgment->missing.items[i].table), SLICE_ARGUMENT(acknowledgment->missing.items[i].key));
    if (strcmp(expected.bytes, got.bytes) != 0) run_fail(run, statement, expected.bytes, got.bytes);
}

static size_t position_told(const struct run *run, const struct given *given) {
    const struct stored *stored = given ? outcome_newest(run, given) : NULL;
    for (size_t i = 0; i < run->broker.count; i++)
        if (run->broker.items[i] == stored) return i;
    return 0;
}

/* expect order ID ID ...: what became of them at last was told in this order. */
static void expect_order(struct run *run, const struct statement *statement) {
    for (size_t i = 2; i + 1 < statement->count; i++) {
        size_t first = position_told(run, given_find(run, statement->words[i])), second = position_told(run, given_find(run, statement->words[i + 1]));
        if (first < second) continue;
        struct text got = {.length = 0};
        text_add(&got, "%s was told before %s", statement->words[i + 1], statement->words[i]);
        run_fail(run, statement, "told in this order", got.bytes);
    }
}

/* expect acknowledged DOCUMENT|ID name=value ...: fields of what its source was told last. */
static void expect_acknowledged(struct run *run, const struct statement *statement) {
    const struct given *given = given_find(run, statement->words[2]);
    const struct stored *stored = given ? outcome_newest(run, given) : NULL;
    if (!stored || !stored->decoded) { run_fail(run, statement, "an acknowledgment", "none"); return; }
    fields_expect(run, statement, 3, statement->count, &acknowledgment_type, stored->decoded);
}

static void expect_no(struct run *run, const struct statement *statement) {
    const char *what = statement->words[2];
    if (strcmp(what, "journal") == 0 || strcmp(what, "entry") == 0) expect_no_journal(run, statement, *what == 'e');
    else if (strcmp(what, "payable") == 0) expect_payable(run, statement, true);
    else if (strcmp(what, "state") == 0 && statement->count == 6) expect_state(run, statement, true);
    else if (strcmp(what, "document") == 0 && statement->count > 4) expect_document(run, statement, true);
    else if (strcmp(what, "told") == 0) expect_told(run, statement, true);
    else run_fail(run, statement, "expect no journal DOCUMENT [STEP], no entry DOCUMENT [STEP], no payable DOCUMENT, no state PROCESSOR STORE KEY, no document FLOW DOCUMENT or no told DOCUMENT", what);
}

void expect(struct run *run, const struct statement *statement) {
    static const struct { const char *word; size_t words; } forms[] = {{"journal", 3}, {"no", 4}, {"outcome", 4}, {"commitment", 5}, {"pre-commitment", 5},
                                                                       {"waiting", 3}, {"balance", 4}, {"order", 4}, {"waits", 5}, {"payable", 4}, {"state", 5}, {"audit", 4},
                                                                       {"entry", 3}, {"document", 4}, {"told", 4}, {"breaches", 4}, {"acknowledged", 4}};
    const char *what = statement->count > 1 ? statement->words[1] : "";
    size_t form = 0;
    while (form < sizeof forms / sizeof *forms && strcmp(forms[form].word, what) != 0) form++;
    if (form == sizeof forms / sizeof *forms || statement->count < forms[form].words) {
        run_fail(run, statement, "expect [no] journal, [no] entry, [no] payable, [no] state, [no] document, [no] told, breaches, outcome, commitment, pre-commitment, waiting, balance, order, waits, acknowledged or audit, and of what", what);
        return;
    }
    switch (form) {
    case 0: expect_journal(run, statement, false); break;
    case 1: expect_no(run, statement); break;
    case 2: expect_outcome(run, statement); break;
    case 3: expect_commitment(run, statement, false); break;
    case 4: expect_commitment(run, statement, true); break;
    case 5: expect_waiting(run, statement); break;
    case 6: expect_balance(run, statement); break;
    case 7: expect_order(run, statement); break;
    case 8: expect_waits(run, statement); break;
    case 9: expect_payable(run, statement, false); break;
    case 10: expect_state(run, statement, false); break;
    case 11: expect_audit(run, statement); break;
    case 12: expect_journal(run, statement, true); break;
    case 13: expect_document(run, statement, false); break;
    case 14: expect_told(run, statement, false); break;
    case 15: expect_breaches(run, statement); break;
    default: expect_acknowledged(run, statement);
    }
}
