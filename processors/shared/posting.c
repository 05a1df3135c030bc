#include "processors/shared/posting.h"

#include "common/ledger/date.h"
#include "common/ledger/fx.h"
#include "common/platform/hash.h"
#include "schemas/account.h"
#include "schemas/code_mapping.h"
#include "schemas/cost_centre.h"
#include "schemas/erp_route.h"
#include "schemas/fx_rate.h"
#include "schemas/period.h"
#include "schemas/project.h"

enum { LINES_AT_START = 16 };

/* ---- what a journal needs of the day: period, route, rate, rules ---- */

static const struct period *period_find(struct decision *decision, const struct facts *facts) {
    struct slice key = KEY(decision, facts->entity->entity, facts->entity->ledger);
    const struct period *period = require(decision, MASTER_PERIODS, key, facts->posting_date, REASON_PERIOD_UNKNOWN, "posting_date");
    if (!period) return NULL;
    if (facts->posting_date > period->last_day) {
        wait_for_table(decision, REASON_PERIOD_UNKNOWN, "posting_date", MASTER_PERIODS, key, facts->posting_date);
        return NULL;
    }
    if (!slice_equal(period->status, SLICE("closed"))) return period;
    wait_for_table(decision, REASON_PERIOD_CLOSED, "posting_date", MASTER_PERIODS, key, facts->posting_date);
    return NULL;
}

static struct slice route_find(struct decision *decision, const struct facts *facts) {
    struct slice key = KEY(decision, facts->entity->entity);
    const struct erp_route *route = require(decision, MASTER_ERP_ROUTES, key, facts->posting_date, REASON_MAPPING_MISSING, "entity");
    if (route && erp_known(decision, route->erp)) return route->erp;
    if (route) wait_for_table(decision, REASON_MAPPING_MISSING, "entity", MASTER_ERP_ROUTES, key, facts->posting_date);
    return (struct slice){0};
}

static void rate_find(struct posting *posting) {
    const struct facts *facts = posting->facts;
    if (!facts->entity || !facts->has_currency) return;
    posting->rate_e10 = FX_RATE_ONE_E10;
    posting->rate_date = facts->posting_date;
    posting->has_rate = currency_equal(facts->currency, facts->functional);
    if (posting->has_rate) return;
    struct slice key = KEY(posting->decision, SLICE("M"), currency_slice(&facts->currency), currency_slice(&facts->functional));
    const struct fx_rate *rate = require(posting->decision, MASTER_FX_RATES, key, facts->posting_date, REASON_FX_RATE_MISSING, "currency");
    if (!rate) return;
    if (facts->posting_date - rate->valid_from > rate->max_age_days || !codec_decimal_is_number(rate->rate_e10) || rate->rate_e10 <= 0) {
        wait_for_table(posting->decision, REASON_FX_RATE_MISSING, "currency", MASTER_FX_RATES, key, facts->posting_date);
        return;
    }
    posting->rate_e10 = rate->rate_e10;
    posting->rate_date = rate->valid_from;
    posting->has_rate = true;
}

void posting_begin(struct posting *posting, struct decision *decision, const struct facts *facts, struct slice step, struct slice document, int32_t version) {
    *posting = (struct posting){.decision = decision, .facts = facts, .step = step, .document = document, .version = version};
    if (!facts->entity) return;
    struct table_row row;
    struct slice key = KEY(decision, facts->entity->rule_set);
    if (require_row(decision, MASTER_POSTING_RULES, key, facts->posting_date, REASON_RULE_MISSING, "entity", &row)) posting->rules = row.compiled;
    rate_find(posting);
}

int64_t posting_functional(const struct posting *posting, int64_t amount_e4) {
    int64_t converted = 0;
    if (!posting->has_rate) return 0;
    if (currency_equal(posting->facts->currency, posting->facts->functional)) return amount_e4;
    if (fx_convert(amount_e4, posting->rate_e10, FX_DIRECT, posting->facts->functional, &converted)) return converted;
    report(posting->decision, REASON_AMOUNT_OVERFLOW, "currency", "in functional currency");
    return 0;
}

/* ---- lines ---- */

static bool lines_alike(const struct ledger_line *a, const struct ledger_line *b) {
    return a->side == b->side && slice_equal(a->account, b->account) && slice_equal(a->cost_centre, b->cost_centre) && slice_equal(a->project, b->project) &&
           slice_equal(a->tax_code, b->tax_code) && slice_equal(a->partner, b->partner);
}

static uint64_t line_hash(const struct ledger_line *line) {
    return hash_slice(line->account) * 31 + hash_slice(line->cost_centre) * 37 + hash_slice(line->project) * 41 + hash_slice(line->tax_code) * 43 + line->side;
}

static void lines_grow(struct posting *posting) {
    size_t capacity = posting->capacity ? posting->capacity * 2 : LINES_AT_START;
    struct ledger_line *lines = decision_alloc(posting->decision, capacity * sizeof *lines);
    if (posting->count) memcpy(lines, posting->lines, posting->count * sizeof *lines);
    posting->lines = lines;
    posting->capacity = capacity;
    posting->slot_count = capacity * 2;
    posting->slots = decision_alloc(posting->decision, posting->slot_count * sizeof *posting->slots);
    for (size_t i = 0; i < posting->count; i++) {
        size_t at = line_hash(&lines[i]) & (posting->slot_count - 1);
        while (posting->slots[at]) at = (at + 1) & (posting->slot_count - 1);
        posting->slots[at] = (uint32_t)i + 1;
    }
}

/* Adds to the like line, or as a new one. A negative amount changes the side. */
static void line_merge(struct posting *posting, struct ledger_line line) {
    if (!line.amount_e4 && !line.functional_e4) return;
    posting->merged++;
    if (line.amount_e4 < 0 || (line.amount_e4 == 0 && line.functional_e4 < 0)) {
        line.side = line.side == LEDGER_DEBIT ? LEDGER_CREDIT : LEDGER_DEBIT;
        line.amount_e4 = -line.amount_e4;
        line.functional_e4 = -line.functional_e4;
    }
    if (posting->count == posting->capacity) lines_grow(posting);
    size_t at = line_hash(&line) & (posting->slot_count - 1);
    for (; posting->slots[at]; at = (at + 1) & (posting->slot_count - 1)) {
        struct ledger_line *like = &posting->lines[posting->slots[at] - 1];
        if (!lines_alike(like, &line)) continue;
        if (!decimal_add(like->amount_e4, line.amount_e4, &like->amount_e4) || !decimal_add(like->functional_e4, line.functional_e4, &like->functional_e4))
            report(posting->decision, REASON_AMOUNT_OVERFLOW, "lines", "their sum");
        return;
    }
    posting->lines[posting->count++] = line;
    posting->slots[at] = (uint32_t)posting->count;
}

static struct slice account_of(struct posting *posting, const struct rule_line *rule, const struct posting_line *line, const struct slice dimensions[]) {
    if (rule->from == RULE_ACCOUNT_FIXED) return rule->account;
    if (rule->from == RULE_ACCOUNT_OF_LINE && line->account.length) return line->account;
    struct decision *decision = posting->decision;
    int32_t date = posting->facts->posting_date;
    if (rule->from == RULE_ACCOUNT_OF_LINE) {
        report_as(decision, CLASS_HELD, REASON_ACCOUNT_UNKNOWN, "lines.account", "the rule takes the line's own account and it has none");
        return (struct slice){0};
    }
    const struct code_mapping *mapping = look_up(decision, MASTER_CODE_MAPPINGS, KEY(decision, rule->account, dimensions[rule->dimension]), date, NULL);
    if (!mapping) mapping = look_up(decision, MASTER_CODE_MAPPINGS, KEY(decision, rule->account, SLICE("*")), date, NULL);
    if (!mapping) mapping = require(decision, MASTER_CODE_MAPPINGS, KEY(decision, rule->account, dimensions[rule->dimension]), date, REASON_MAPPING_MISSING, rule_dimension_names[rule->dimension]);
    return mapping ? mapping->target : (struct slice){0};
}

/* Functional amounts of one document line. What the receipt was booked at stays; the difference is the rule's exchange line's. */
static void functional_fill(struct posting *posting, const struct posting_line *line, int64_t functional_e4[RULE_AMOUNT_COUNT]) {
    for (int i = 0; i < RULE_AMOUNT_COUNT; i++) functional_e4[i] = posting_functional(posting, line->amounts_e4[i]);
    if (!line->has_receipt_functional) return;
    int64_t difference = 0;
    if (!decimal_subtract(functional_e4[RULE_RECEIPT_VALUE], line->receipt_functional_e4, &difference)) return;
    functional_e4[RULE_RECEIPT_VALUE] = line->receipt_functional_e4;
    functional_e4[difference > 0 ? RULE_FX_LOSS : RULE_FX_GAIN] = difference > 0 ? difference : -difference;
}

void posting_add(struct posting *posting, const struct posting_line *line) {
    if (!posting->rules) return;
    struct decision *decision = posting->decision;
    const struct facts *facts = posting->facts;
    const struct slice group = facts->supplier ? facts->supplier->group : (struct slice){0};
    const struct slice dimensions[RULE_DIMENSION_COUNT] = {line->category, group, line->tax_code};
    const struct rule *rule = rules_pick(posting->rules, line->step, dimensions);
    if (!rule) {
        wait_for_table(decision, REASON_RULE_MISSING, "lines.category", MASTER_POSTING_RULES, KEY(decision, facts->entity->rule_set), facts->posting_date);
        return;
    }
    int64_t functional_e4[RULE_AMOUNT_COUNT];
    functional_fill(posting, line, functional_e4);
    bool exchange_posted = false;
    for (size_t i = 0; i < rule->line_count; i++) {
        const struct rule_line *from = &rule->lines[i];
        bool exchange = from->amount == RULE_FX_LOSS || from->amount == RULE_FX_GAIN;
        exchange_posted |= exchange;
        if (!line->amounts_e4[from->amount] && !functional_e4[from->amount]) continue;
        struct slice account = account_of(posting, from, line, dimensions);
        if (!account.length) continue;
        struct ledger_line to = {.account = account, .text = from->text, .source_line = line->source_line, .side = from->debit ? LEDGER_DEBIT : LEDGER_CREDIT,
                                 .amount_e4 = exchange ? 0 : line->amounts_e4[from->amount], .functional_e4 = functional_e4[from->amount]};
        if (from->cost_centre) to.cost_centre = line->cost_centre;
        if (from->project) to.project = line->project;
        if (from->tax_code) to.tax_code = line->tax_code;
        if (from->partner) to.partner = decision_envelope(decision)->partner;
        line_merge(posting, to);
    }
    if (!exchange_posted && (functional_e4[RULE_FX_LOSS] || functional_e4[RULE_FX_GAIN]))
        wait_for_table(decision, REASON_RULE_MISSING, "currency", MASTER_POSTING_RULES, KEY(decision, facts->entity->rule_set), facts->posting_date);
    if (!posting->rule_name.length) posting->rule_name = rule->name;
}

/* ---- checks ---- */

static void line_check(struct posting *posting, const struct ledger_line *line) {
    struct decision *decision = posting->decision;
    const struct facts *facts = posting->facts;
    int32_t date = facts->posting_date;
    const struct account *account = require(decision, MASTER_ACCOUNTS, KEY(decision, facts->entity->chart, line->account), date, REASON_ACCOUNT_UNKNOWN, "lines.account");
    if (account && slice_equal(account->status, SLICE("closed")))
        report(decision, REASON_ACCOUNT_CLOSED, "lines.account", SLICE_FORMAT, SLICE_ARGUMENT(line->account));
    if (account && ((slice_equal(account->cost_centre, SLICE("required")) && !line->cost_centre.length) ||
                    (slice_equal(account->cost_centre, SLICE("forbidden")) && line->cost_centre.length)))
        report(decision, REASON_ACCOUNT_COMBINATION_INVALID, "lines.cost_centre", "account " SLICE_FORMAT ": cost centre " SLICE_FORMAT, SLICE_ARGUMENT(line->account),
               SLICE_ARGUMENT(account->cost_centre));
    if (line->cost_centre.length) {
        const struct cost_centre *centre = require(decision, MASTER_COST_CENTRES, KEY(decision, facts->entity->entity, line->cost_centre), date, REASON_COST_CENTRE_UNKNOWN, "lines.cost_centre");
        if (centre && slice_equal(centre->status, SLICE("closed"))) report(decision, REASON_COST_CENTRE_CLOSED, "lines.cost_centre", SLICE_FORMAT, SLICE_ARGUMENT(line->cost_centre));
    }
    if (line->project.length) {
        const struct project *project = require(decision, MASTER_PROJECTS, KEY(decision, facts->entity->entity, line->project), date, REASON_PROJECT_UNKNOWN, "lines.project");
        if (project && slice_equal(project->status, SLICE("closed"))) report(decision, REASON_PROJECT_CLOSED, "lines.project", SLICE_FORMAT, SLICE_ARGUMENT(line->project));
    }
}

/* Rules were shown to balance when they were loaded, and amounts were checked. If the journal is refused all the same, a person must look: the document is held,
 * and the others go on. */
static void journal_build(struct posting *posting) {
    struct decision *decision = posting->decision;
    const struct facts *facts = posting->facts;
    struct ledger_line *lines = decision_alloc(decision, (posting->count + 1) * sizeof *lines);
    journal_begin(&posting->journal, lines, posting->count + 1, facts->currency, facts->functional);
    for (size_t i = 0; i < posting->count; i++)
        (posting->lines[i].side == LEDGER_DEBIT ? journal_debit : journal_credit)(&posting->journal, posting->lines[i]);
    const struct journal_rounding rounding = {.account = facts->entity->rounding_account,
        .limit_e4 = (int64_t)posting->merged * money_minor_unit_e4(facts->functional)};   /* each line was converted once */
    enum journal_status status = journal_finish(&posting->journal, rounding);
    if (status == JOURNAL_OK || status == JOURNAL_EMPTY) return;
    enum reason reason = status == JOURNAL_OVERFLOW ? REASON_AMOUNT_OVERFLOW : status == JOURNAL_IMPRECISE ? REASON_CURRENCY_PRECISION : REASON_TOTAL_MISMATCH;
    report_as(decision, CLASS_HELD, reason, "lines", "the journal cannot be posted: %s", journal_status_text(status));
}

void posting_check(struct posting *posting) {
    if (!posting->facts->entity) return;
    posting->period = period_find(posting->decision, posting->facts);
    posting->erp = route_find(posting->decision, posting->facts);
    for (size_t i = 0; i < posting->count; i++) line_check(posting, &posting->lines[i]);
    if (posting->count && !refused(posting->decision)) journal_build(posting);
}

/* ---- emitting ---- */

static struct slice key_make(struct decision *decision, struct slice entity, struct slice document, struct slice step, int32_t version) {
    return decision_format(decision, SLICE_FORMAT "/" SLICE_FORMAT "/" SLICE_FORMAT "/%d", SLICE_ARGUMENT(entity), SLICE_ARGUMENT(document), SLICE_ARGUMENT(step), (int)version);
}

/* The head that every command has of its event and day. */
static void head_fill(struct decision *decision, const struct facts *facts, const struct period *period, struct posting_command *command) {
    const struct envelope *envelope = decision_envelope(decision);
    command->entity = facts->entity->entity;
    command->ledger = facts->entity->ledger;
    command->partner = envelope->partner;
    command->event_id = envelope->event_id;
    command->source = envelope->source;
    command->correlation_id = envelope->correlation_id;
    command->origin = decision_origin(decision);
    command->occurred_at_ms = decision_time_ms(decision);
    command->posting_date = facts->posting_date;
    command->period = period->period;
    command->document_date = facts->document_date;
    enum master tables[MASTER_COUNT];
    int64_t offsets[MASTER_COUNT];
    size_t count = decision_master_offsets(decision, tables, offsets, MASTER_COUNT);
    command->master_offsets.items = decision_alloc(decision, (count + 1) * sizeof *command->master_offsets.items);
    command->master_offsets.count = count;
    for (size_t i = 0; i < count; i++) command->master_offsets.items[i] = (struct master_offset){slice_of(master_name(tables[i])), offsets[i]};
}

static void lines_fill(struct decision *decision, const struct journal *journal, struct posting_command *command) {
    command->lines.items = decision_alloc(decision, (journal->count + 1) * sizeof *command->lines.items);
    command->lines.count = journal->count;
    for (size_t i = 0; i < journal->count; i++) {
        const struct ledger_line *from = &journal->lines[i];
        command->lines.items[i] = (struct journal_line){.account = from->account, .side = from->side == LEDGER_DEBIT ? JOURNAL_SIDE_DEBIT : JOURNAL_SIDE_CREDIT,
            .amount_e4 = from->amount_e4, .functional_e4 = from->functional_e4, .cost_centre = from->cost_centre, .project = from->project,
            .tax_code = from->tax_code, .partner = from->partner, .text = from->text, .source_line = from->source_line};
    }
}

struct slice posting_emit(struct posting *posting, int output) {
    if (!posting->journal.count) return (struct slice){0};
    struct decision *decision = posting->decision;
    const struct facts *facts = posting->facts;
    const bool foreign = !currency_equal(facts->currency, facts->functional);
    struct posting_command command = {.erp = posting->erp, .document = posting->document, .number = posting->number, .step = posting->step, .version = posting->version,
        .currency = currency_slice(&facts->currency), .functional_currency = currency_slice(&facts->functional), .rate_e10 = posting->rate_e10,
        .rate_type = foreign ? SLICE("M") : (struct slice){0}, .has_rate_date = foreign, .rate_date = posting->rate_date,
        .has_tax_date = posting->has_tax_date, .tax_date = posting->tax_date, .payment_block = posting->payment_block};
    head_fill(decision, facts, posting->period, &command);
    command.idempotency_key = key_make(decision, command.entity, posting->document, posting->step, posting->version);
    char date[DATE_TEXT_SIZE];
    date_print(posting->rules->valid_from, date);
    command.rule = decision_format(decision, SLICE_FORMAT "/" SLICE_FORMAT "@%s", SLICE_ARGUMENT(posting->rules->name), SLICE_ARGUMENT(posting->rule_name), date);
    lines_fill(decision, &posting->journal, &command);
    posted(decision, command.idempotency_key);
    return emit(decision, output, posting->erp, &command);
}

/* ---- reversal ---- */

void posting_reversal_check(struct decision *decision, const struct facts *facts) {
    if (facts->entity) (void)period_find(decision, facts);
}

struct slice posting_reverse(struct decision *decision, const struct facts *facts, int output, struct slice original) {
    if (!original.length) return (struct slice){0};
    const struct posting_command *sent = emitted(decision, output, original);
    struct posting_command command = *sent;
    head_fill(decision, facts, period_find(decision, facts), &command);
    command.step = decision_format(decision, SLICE_FORMAT "_reversal", SLICE_ARGUMENT(sent->step));
    command.idempotency_key = key_make(decision, sent->entity, sent->document, command.step, sent->version);
    command.reverses = sent->idempotency_key;
    command.payment_block = false;
    command.lines.items = decision_alloc(decision, (sent->lines.count + 1) * sizeof *command.lines.items);
    for (size_t i = 0; i < sent->lines.count; i++) {
        command.lines.items[i] = sent->lines.items[i];
        command.lines.items[i].side = sent->lines.items[i].side == JOURNAL_SIDE_DEBIT ? JOURNAL_SIDE_CREDIT : JOURNAL_SIDE_DEBIT;
    }
    posted(decision, command.idempotency_key);
    return emit(decision, output, command.erp, &command);
}
