#include "processors/shared/posting.h"

#include "common/ledger/date.h"
#include "common/ledger/fx.h"
#include "common/platform/hash.h"
#include "common/posting/settlement.h"
#include "processors/shared/budget.h"
#include "processors/shared/review.h"
#include "schemas/account.h"
#include "schemas/code_mapping.h"
#include "schemas/cost_centre.h"
#include "schemas/erp_route.h"
#include "schemas/fx_rate.h"
#include "schemas/project.h"

enum { LINES_AT_START = 4 };

/* ---- what a journal needs of the day: route, rate, rules ---- */

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
    if (facts->rate_e10) {
        posting->rate_e10 = facts->rate_e10;
        posting->has_rate = true;
        return;
    }
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

void posting_begin_outright(struct posting *posting, struct decision *decision, const struct facts *facts, struct slice step, struct slice document, int32_t version) {
    *posting = (struct posting){.decision = decision, .facts = facts, .step = step, .document = document, .version = version};
    rate_find(posting);
}

void posting_begin(struct posting *posting, struct decision *decision, const struct facts *facts, struct slice step, struct slice document, int32_t version) {
    const struct envelope *envelope = decision_envelope(decision);
    posting_begin_outright(posting, decision, facts, step, document, version);
    struct posting_accounts *accounts = &posting->accounts;
    if (facts->supplier) accounts->supplier = (struct posting_account){facts->supplier->account, MASTER_SUPPLIERS, KEY(decision, envelope->partner)};
    if (facts->employee) accounts->employee = (struct posting_account){facts->employee->account, MASTER_EMPLOYEES, KEY(decision, envelope->entity, envelope->partner)};
    if (!facts->entity) return;
    struct table_row row;
    struct slice key = KEY(decision, facts->entity->rule_set);
    if (require_row(decision, MASTER_POSTING_RULES, key, facts->posting_date, REASON_RULE_MISSING, "entity", &row)) posting->rules = row.compiled;
}

int64_t posting_functional(const struct posting *posting, int64_t amount_e4) {
    int64_t converted = 0;
    if (!posting->has_rate || !amount_e4) return 0;
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

/* Whether lines of the amount stand on one side only: what the bank moves is one sum. */
static bool amount_nets(const struct posting *posting, enum rule_amount amount) {
    return posting->by_item && amount != posting->item_amount && (amount == RULE_PAID || amount == RULE_BANK);
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
    if (!posting->rules && !posting->merges) return;    /* outright: nothing is merged */
    posting->slot_count = capacity * 2;
    posting->slots = decision_alloc(posting->decision, posting->slot_count * sizeof *posting->slots);
    for (size_t i = 0; i < posting->count; i++) {
        size_t at = line_hash(&lines[i]) & (posting->slot_count - 1);
        while (posting->slots[at]) at = (at + 1) & (posting->slot_count - 1);
        posting->slots[at] = (uint32_t)i + 1;
    }
}

/* Adds to the like line whatever its side; it may become negative. False: there is none. */
static bool line_net(struct posting *posting, const struct ledger_line *line) {
    for (size_t i = 0; i < posting->count; i++) {
        struct ledger_line *like = &posting->lines[i], same_side = *line;
        same_side.side = like->side;
        if (!lines_alike(like, &same_side) || like->source_line.length) continue;
        posting->merged++;
        bool (*sum)(int64_t, int64_t, int64_t *) = like->side == line->side ? decimal_add : decimal_subtract;
        if (!sum(like->amount_e4, line->amount_e4, &like->amount_e4) || !sum(like->functional_e4, line->functional_e4, &like->functional_e4))
            report(posting->decision, REASON_AMOUNT_OVERFLOW, "lines", "their sum");
        return true;
    }
    return false;
}

/* A negative amount changes the side. */
static void line_turn(struct ledger_line *line) {
    if (line->amount_e4 > 0 || (line->amount_e4 == 0 && line->functional_e4 >= 0)) return;
    line->side = line->side == LEDGER_DEBIT ? LEDGER_CREDIT : LEDGER_DEBIT;
    line->amount_e4 = -line->amount_e4;
    line->functional_e4 = -line->functional_e4;
}

/* Adds to the like line, or as a new one. */
static void line_merge(struct posting *posting, struct ledger_line line) {
    if (!line.amount_e4 && !line.functional_e4) return;
    posting->merged++;
    line_turn(&line);
    if (posting->count == posting->capacity) lines_grow(posting);
    size_t at = line_hash(&line) & (posting->slot_count - 1);
    for (; posting->slots[at]; at = (at + 1) & (posting->slot_count - 1)) {
        struct ledger_line *like = &posting->lines[posting->slots[at] - 1];
        if (!lines_alike(like, &line) || (posting->by_item && !slice_equal(like->source_line, line.source_line))) continue;
        if (!decimal_add(like->amount_e4, line.amount_e4, &like->amount_e4) || !decimal_add(like->functional_e4, line.functional_e4, &like->functional_e4))
            report(posting->decision, REASON_AMOUNT_OVERFLOW, "lines", "their sum");
        return;
    }
    posting->lines[posting->count++] = line;
    posting->slots[at] = (uint32_t)posting->count;
}

/* ---- accounts ---- */

/* The code itself, else the longest prefix of it that the set has with a * behind it, else *. */
static struct slice account_mapped(struct posting *posting, struct slice set, struct slice code, const char *field) {
    struct decision *decision = posting->decision;
    int32_t date = posting->facts->posting_date;
    const struct slice key = KEY(decision, set, code);
    const struct code_mapping *mapping = look_up(decision, MASTER_CODE_MAPPINGS, key, date, NULL);
    char *prefix = mapping ? NULL : decision_alloc(decision, code.length + 1);
    for (size_t length = code.length + 1; !mapping && length-- > 0;) {
        if (length) memcpy(prefix, code.data, length);
        prefix[length] = '*';
        mapping = look_up(decision, MASTER_CODE_MAPPINGS, KEY(decision, set, (struct slice){prefix, length + 1}), date, NULL);
    }
    if (mapping) return mapping->target;
    if (!require(decision, MASTER_CODE_MAPPINGS, key, date, REASON_MAPPING_MISSING, field))
        wait_for_table(decision, REASON_MAPPING_MISSING, field, MASTER_CODE_MAPPINGS, key, date);   /* also for a prefix of it */
    return (struct slice){0};
}

/* An account that a rule names by a word. */
static struct slice account_named(struct posting *posting, const struct rule *rule, const struct rule_line *from, const struct posting_line *line) {
    const struct posting_accounts *accounts = &posting->accounts;
    const struct posting_account *account = NULL;
    switch (from->from) {
    case RULE_ACCOUNT_OF_SUPPLIER: account = &accounts->supplier; break;
    case RULE_ACCOUNT_OF_EMPLOYEE: account = &accounts->employee; break;
    case RULE_ACCOUNT_OF_TAX_CODE: account = from->amount == RULE_WITHHELD ? &line->withholding_account : &line->tax_account; break;
    case RULE_ACCOUNT_OF_BANK: account = &accounts->bank; break;
    case RULE_ACCOUNT_IN_TRANSIT: account = &accounts->transit; break;
    case RULE_ACCOUNT_INTERCOMPANY: account = &accounts->intercompany; break;
    case RULE_ACCOUNT_FIXED:
    case RULE_ACCOUNT_OF_LINE:
    case RULE_ACCOUNT_MAPPED:
    case RULE_ACCOUNT_COUNT: return (struct slice){0};
    }
    if (account->account.length) return account->account;
    struct decision *decision = posting->decision;
    const char *name = rule_account_names[from->from];
    if (account->key.length) {
        report(decision, REASON_MAPPING_MISSING, name, "rule " SLICE_FORMAT " takes the account of the %s, and its record has none", SLICE_ARGUMENT(rule->name), name);
        wait_for_table(decision, REASON_MAPPING_MISSING, name, account->table, account->key, posting->facts->posting_date);
    } else if (!refused(decision)) {   /* otherwise the record is missing, and that was reported */
        report_as(decision, CLASS_HELD, REASON_MAPPING_MISSING, name, "rule " SLICE_FORMAT " takes the account of the %s, and the document has none",
                  SLICE_ARGUMENT(rule->name), name);
    }
    return (struct slice){0};
}

static struct slice account_of(struct posting *posting, const struct rule *rule, const struct rule_line *from, const struct posting_line *line,
                               const struct slice dimensions[]) {
    if (from->from == RULE_ACCOUNT_FIXED) return from->account;
    if (from->from == RULE_ACCOUNT_MAPPED)
        return account_mapped(posting, from->account, dimensions[from->dimension], rule_dimension_names[from->dimension]);
    if (from->from != RULE_ACCOUNT_OF_LINE) return account_named(posting, rule, from, line);
    if (!line->account.length)
        report_as(posting->decision, CLASS_HELD, REASON_ACCOUNT_UNKNOWN, "lines.account", "the rule takes the line's own account and it has none");
    return line->account;
}

/* ---- a document line ---- */

/* Functional amounts that are known all: the exchange difference is what the rule's lines do not balance by. */
static void booked_fill(struct posting *posting, const struct rule *rule, const int64_t *booked_e4, int64_t functional_e4[RULE_AMOUNT_COUNT]) {
    __int128 debits_e4 = 0;
    for (int i = 0; i < RULE_AMOUNT_COUNT; i++) {
        functional_e4[i] = booked_e4[i];
        debits_e4 += (__int128)booked_e4[i] * rules_debits(rule, (enum rule_amount)i);
    }
    if (debits_e4 > DECIMAL_MAXIMUM || debits_e4 < -DECIMAL_MAXIMUM) report(posting->decision, REASON_AMOUNT_OVERFLOW, "currency", "in functional currency");
    else functional_e4[debits_e4 < 0 ? RULE_FX_LOSS : RULE_FX_GAIN] = (int64_t)(debits_e4 < 0 ? -debits_e4 : debits_e4);
}

/* Functional amounts of one document line. What was booked already stays at its value; the difference is the rule's exchange line's: a loss when what was carried
 * is debited and has become dearer. */
static void functional_fill(struct posting *posting, const struct rule *rule, const struct posting_line *line, int64_t functional_e4[RULE_AMOUNT_COUNT]) {
    if (line->booked_e4 && !currency_equal(posting->facts->currency, posting->facts->functional)) { booked_fill(posting, rule, line->booked_e4, functional_e4); return; }
    for (int i = 0; i < RULE_AMOUNT_COUNT; i++) functional_e4[i] = posting_functional(posting, line->amounts_e4[i]);
    if (!line->carried.has || currency_equal(posting->facts->currency, posting->facts->functional)) return;
    int64_t difference = 0;
    if (!decimal_subtract(functional_e4[line->carried.amount], line->carried.functional_e4, &difference) ||
        __builtin_mul_overflow(difference, rules_debits(rule, line->carried.amount), &difference)) {
        report(posting->decision, REASON_AMOUNT_OVERFLOW, "currency", "in functional currency");
        return;
    }
    functional_e4[line->carried.amount] = line->carried.functional_e4;
    functional_e4[difference > 0 ? RULE_FX_LOSS : RULE_FX_GAIN] = difference > 0 ? difference : -difference;
}

/* The rule for the line, or NULL: none, or it leaves out what the line has. */
static const struct rule *rule_find(struct posting *posting, const struct posting_line *line, const struct slice dimensions[]) {
    const struct rule *rule = rules_pick(posting->rules, line->step, dimensions);
    const char *left_out = rule ? rules_left_out(rule, line->amounts_e4) : NULL;
    if (rule && !left_out) return rule;
    struct decision *decision = posting->decision;
    const struct facts *facts = posting->facts;
    if (rule) report(decision, REASON_RULE_MISSING, "lines.category", "rule " SLICE_FORMAT " leaves out %s, which the line has", SLICE_ARGUMENT(rule->name), left_out);
    else report(decision, REASON_RULE_MISSING, "lines.category", "no rule of step " SLICE_FORMAT " fits", SLICE_ARGUMENT(line->step));
    wait_for_table(decision, REASON_RULE_MISSING, "lines.category", MASTER_POSTING_RULES, KEY(decision, facts->entity->rule_set), facts->posting_date);
    return NULL;
}

static void rule_line_add(struct posting *posting, const struct rule *rule, const struct rule_line *from, const struct posting_line *line,
                          const struct slice dimensions[], int64_t functional_e4) {
    const bool exchange = from->amount == RULE_FX_LOSS || from->amount == RULE_FX_GAIN;
    if (!functional_e4 && (exchange || !line->amounts_e4[from->amount])) return;
    struct slice account = account_of(posting, rule, from, line, dimensions);
    if (!account.length) return;
    struct ledger_line to = {.account = account, .text = from->text, .source_line = line->source_line,
                             .side = from->debit != posting->takes_back ? LEDGER_DEBIT : LEDGER_CREDIT,
                             .amount_e4 = exchange ? 0 : line->amounts_e4[from->amount], .functional_e4 = functional_e4};
    if (from->cost_centre) to.cost_centre = line->cost_centre;
    if (from->project) to.project = line->project;
    if (from->tax_code) to.tax_code = line->tax_code;
    if (from->partner) to.partner = line->partner.length ? line->partner : posting->facts->partner;
    if (posting->by_item && from->amount != posting->item_amount) to.source_line = (struct slice){0};
    if (amount_nets(posting, from->amount) && line_net(posting, &to)) return;
    line_merge(posting, to);
}

/* What the document comes to and is about, for the rules of settlement. Sums that do not fit are refused with the journal. */
static void document_add(struct posting *posting, const struct posting_line *line) {
    (void)!decimal_add(posting->gross_e4, line->amounts_e4[RULE_GROSS], &posting->gross_e4);
    (void)!decimal_add(posting->settled_e4, line->amounts_e4[RULE_SETTLED], &posting->settled_e4);
    if (!line->category.length) return;
    posting->categories_differ |= posting->category.length && !slice_equal(posting->category, line->category);
    posting->category = line->category;
}

void posting_add(struct posting *posting, const struct posting_line *given) {
    if (posting->facts->review) review_line(posting, given->tax_code);
    if (!posting->rules) return;
    struct decision *decision = posting->decision;
    const struct facts *facts = posting->facts;
    struct posting_line line = *given;
    if (!line.step.length) line.step = posting->step;
    if (!steps_amounts_sum(line.amounts_e4)) report(decision, REASON_AMOUNT_OVERFLOW, "lines", "their sum");
    const struct slice dimensions[RULE_DIMENSION_COUNT] = {line.category, facts->group, line.tax_code, line.method};
    const struct rule *rule = rule_find(posting, &line, dimensions);
    if (!rule) return;
    int64_t functional_e4[RULE_AMOUNT_COUNT];
    functional_fill(posting, rule, &line, functional_e4);
    for (size_t i = 0; i < rule->line_count; i++)
        rule_line_add(posting, rule, &rule->lines[i], &line, dimensions, functional_e4[rule->lines[i].amount]);
    document_add(posting, &line);
    if (!rule->exchange && (functional_e4[RULE_FX_LOSS] || functional_e4[RULE_FX_GAIN]))
        wait_for_table(decision, REASON_RULE_MISSING, "currency", MASTER_POSTING_RULES, KEY(decision, facts->entity->rule_set), facts->posting_date);
    if (!posting->rule_name.length) posting->rule_name = rule->name;
}

void posting_add_outright(struct posting *posting, struct ledger_line line) {
    if (posting->facts->review) review_line(posting, line.tax_code);
    if (!line.amount_e4 && !line.functional_e4) return;
    line_turn(&line);
    if (posting->count == posting->capacity) lines_grow(posting);
    posting->merged++;
    posting->lines[posting->count++] = line;
}

void posting_add_merged(struct posting *posting, struct ledger_line line) { line_merge(posting, line); }

/* ---- batches ---- */

/* What the document comes to: below 0 a refund. */
static int64_t document_amount(const struct posting *posting) {
    static const char *const refunds[] = {"credit_note", "credit_note_goods", "rebate", "goods_returned", "payment_returned", "payment_refunded", "advance_returned"};
    bool refund = posting->takes_back && !posting->followed_refund;
    for (size_t i = 0; !posting->takes_back && !refund && i < sizeof refunds / sizeof *refunds; i++) refund = slice_equal(posting->step, slice_of(refunds[i]));
    const int64_t amount_e4 = posting->gross_e4 ? posting->gross_e4 : posting->settled_e4 ? posting->settled_e4 : posting->journal.debit_e4;
    return refund ? -amount_e4 : amount_e4;
}

void posting_follow(struct posting *posting, const struct posting_command *sent) {
    posting->follows = true;
    posting->batch = sent->batch;
    posting->followed_refund = sent->batch_amount_e4 < 0;
}

static void batch_find(struct posting *posting) {
    struct decision *decision = posting->decision;
    const struct facts *facts = posting->facts;
    struct table_row row;
    if (posting->follows || output_find(decision, SETTLEMENT_ENTRIES) < 0) return;
    if (!look_up_trusted(decision, MASTER_SETTLEMENT_RULES, KEY(decision, facts->entity->entity), facts->local_date, "entity", &row)) return;
    const struct settled_document document = {.step = posting->step, .category = posting->categories_differ ? (struct slice){0} : posting->category, .group = facts->group,
        .programme = posting->programme, .functional_e4 = posting_functional(posting, document_amount(posting))};
    const struct batch_terms *batch = settlement_pick(row.compiled, &document);
    if (batch) posting->batch = batch->name;
}

/* ---- checks ---- */

static struct slice key_make(struct decision *decision, struct slice entity, struct slice document, struct slice step, int32_t version) {
    return decision_format(decision, SLICE_FORMAT "/" SLICE_FORMAT "/" SLICE_FORMAT "/%d", SLICE_ARGUMENT(entity), SLICE_ARGUMENT(document), SLICE_ARGUMENT(step), (int)version);
}

/* Path of a journal line's field: of the document's line where it is one. */
static const char *line_path(struct decision *decision, const struct ledger_line *line, const char *field) {
    return line->place ? facts_path(decision, line->place - 1, field) : decision_format(decision, "lines.%s", field).data;
}

/* What the line's field names. */
static const void *line_require(struct posting *posting, const struct ledger_line *line, enum master table, struct slice key, enum reason missing, const char *field) {
    const int32_t date = posting->facts->posting_date;
    const void *record = look_up(posting->decision, table, key, date, NULL);
    return record ? record : require(posting->decision, table, key, date, missing, line_path(posting->decision, line, field));
}

static void line_check(struct posting *posting, const struct ledger_line *line) {
    if (!line->amount_e4 && !line->functional_e4) return;   /* netted to nothing: it is left out */
    struct decision *decision = posting->decision;
    const struct facts *facts = posting->facts;
    const struct account *account = line_require(posting, line, MASTER_ACCOUNTS, KEY(decision, facts->entity->chart, line->account), REASON_ACCOUNT_UNKNOWN, "account");
    if (account && slice_equal(account->status, SLICE("closed")))
        report(decision, REASON_ACCOUNT_CLOSED, line_path(decision, line, "account"), SLICE_FORMAT, SLICE_ARGUMENT(line->account));
    if (account && ((slice_equal(account->cost_centre, SLICE("required")) && !line->cost_centre.length) ||
                    (slice_equal(account->cost_centre, SLICE("forbidden")) && line->cost_centre.length)))
        report(decision, REASON_ACCOUNT_COMBINATION_INVALID, line_path(decision, line, "cost_centre"), "account " SLICE_FORMAT ": cost centre " SLICE_FORMAT,
               SLICE_ARGUMENT(line->account), SLICE_ARGUMENT(account->cost_centre));
    if (line->cost_centre.length) {
        const struct slice key = KEY(decision, facts->entity->entity, line->cost_centre);
        const struct cost_centre *centre = line_require(posting, line, MASTER_COST_CENTRES, key, REASON_COST_CENTRE_UNKNOWN, "cost_centre");
        if (centre && slice_equal(centre->status, SLICE("closed")))
            report(decision, REASON_COST_CENTRE_CLOSED, line_path(decision, line, "cost_centre"), SLICE_FORMAT, SLICE_ARGUMENT(line->cost_centre));
    }
    if (line->project.length) {
        const struct slice key = KEY(decision, facts->entity->entity, line->project);
        const struct project *project = line_require(posting, line, MASTER_PROJECTS, key, REASON_PROJECT_UNKNOWN, "project");
        if (project && slice_equal(project->status, SLICE("closed")))
            report(decision, REASON_PROJECT_CLOSED, line_path(decision, line, "project"), SLICE_FORMAT, SLICE_ARGUMENT(line->project));
    }
}

/* Of what was booked, each part that was settled carried its share rounded: less than nothing may be left for the last, in functional currency. By a rule that is
 * then a line of its own. A line outright is as its source says it. */
static void line_enter(struct journal *journal, struct ledger_line line, bool by_rule) {
    void (*enter)(struct journal *, struct ledger_line) = line.side == LEDGER_DEBIT ? journal_debit : journal_credit;
    if (by_rule && ((line.amount_e4 > 0 && line.functional_e4 < 0) || (line.amount_e4 < 0 && line.functional_e4 > 0))) {
        struct ledger_line left = line;
        left.amount_e4 = line.functional_e4 = 0;
        enter(journal, left);
    }
    enter(journal, line);
}

/* Rules were shown to balance when they were loaded, and amounts were checked. If the journal is refused all the same, a person must look: the document is held,
 * and the others go on. */
static void journal_build(struct posting *posting) {
    struct decision *decision = posting->decision;
    const struct facts *facts = posting->facts;
    struct ledger_line *lines = decision_alloc(decision, (2 * posting->count + 1) * sizeof *lines);
    journal_begin(&posting->journal, lines, 2 * posting->count + 1, facts->currency, facts->functional);
    for (size_t i = 0; i < posting->count; i++) line_enter(&posting->journal, posting->lines[i], posting->rules != NULL);
    const struct journal_rounding rounding = {.account = facts->entity->rounding_account,
        .limit_e4 = (int64_t)posting->merged * money_minor_unit_e4(facts->functional)};   /* each line was converted once */
    enum journal_status status = journal_finish(&posting->journal, rounding);
    if (status == JOURNAL_OK || status == JOURNAL_EMPTY) return;
    enum reason reason = status == JOURNAL_OVERFLOW ? REASON_AMOUNT_OVERFLOW : status == JOURNAL_IMPRECISE ? REASON_CURRENCY_PRECISION : REASON_TOTAL_MISMATCH;
    report_as(decision, CLASS_HELD, reason, "lines", "the journal cannot be posted: %s", journal_status_text(status));
}

void posting_check(struct posting *posting) {
    if (!posting->facts->entity) return;
    const struct facts *facts = posting->facts;
    posting->period = facts->period;
    if (facts->period.answer == PERIOD_NOT_ASKED)
        posting->period = period_choose(posting->decision, facts->entity, facts->ledger, facts->posting_date, PERIOD_STAYS);
    period_report(posting->decision, facts->entity, facts->ledger, &posting->period);
    posting->erp = route_find(posting->decision, posting->facts);
    for (size_t i = 0; i < posting->count; i++) line_check(posting, &posting->lines[i]);
    if (!posting->count || refused(posting->decision)) return;
    journal_build(posting);
    posting->idempotency_key = key_make(posting->decision, facts->entity->entity, posting->document, posting->step, posting->version);
    if (posting->journal.count && !refused(posting->decision)) review_check(posting);
    if (posting->journal.count) batch_find(posting);
}

void posting_pair(struct posting *one, struct posting *other) {
    if (!one->journal.count || !other->journal.count) return;
    one->counterpart = other->idempotency_key;
    other->counterpart = one->idempotency_key;
}

/* ---- emitting ---- */

/* The head that every command has of its event and day. */
static void head_fill(struct decision *decision, const struct facts *facts, const struct period_choice *period, struct posting_command *command) {
    const struct envelope *envelope = decision_envelope(decision);
    command->entity = facts->entity->entity;
    command->ledger = facts->ledger;
    command->partner = facts->partner;
    command->event_id = envelope->event_id;
    command->source = envelope->source;
    command->correlation_id = envelope->correlation_id;
    command->origin = decision_origin(decision);
    command->flow = decision_flow(decision);
    command->origin_entity = envelope->entity;
    command->origin_partner = envelope->partner;
    command->origin_document = envelope->number;
    command->occurred_at_ms = decision_time_ms(decision);
    command->posting_date = period->date;
    command->period = period->period->period;
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

/* The journal of another entity than the event's goes out in that entity's order, an entry of a batch in the batch's. */
static struct slice command_send(struct decision *decision, const struct facts *facts, int output, const struct posting_command *command) {
    posted(decision, command->idempotency_key);
    budget_journal(decision, facts, command);
    if (command->batch.length)
        return emit_keyed(decision, output_find(decision, SETTLEMENT_ENTRIES), (struct slice){0}, command, KEY(decision, command->entity, command->batch));
    if (!facts->other_entity) return emit(decision, output, command->erp, command);
    return emit_keyed(decision, output, command->erp, command, KEY(decision, command->entity, command->partner));
}

struct slice posting_emit(struct posting *posting, int output) {
    if (!posting->journal.count) return (struct slice){0};
    struct decision *decision = posting->decision;
    const struct facts *facts = posting->facts;
    const bool foreign = !currency_equal(facts->currency, facts->functional);
    struct posting_command command = {.idempotency_key = posting->idempotency_key, .erp = posting->erp, .document = posting->document, .number = posting->number,
        .step = posting->step, .version = posting->version,
        .currency = currency_slice(&facts->currency), .functional_currency = currency_slice(&facts->functional), .rate_e10 = posting->rate_e10,
        .rate_type = !foreign ? (struct slice){0} : posting->rate_type.length ? posting->rate_type : facts->rate_e10 ? SLICE("agreed") : SLICE("M"),
        .has_rate_date = foreign && !posting->rate_undated, .rate_date = posting->rate_date,
        .has_tax_date = posting->has_tax_date, .tax_date = posting->tax_date, .has_due_date = posting->has_due_date, .due_date = posting->due_date,
        .has_discount_date = posting->has_discount_date, .discount_date = posting->discount_date,
        .has_value_date = posting->has_value_date, .value_date = posting->value_date,
        .payment_terms = posting->payment_terms, .payment_method = posting->payment_method, .payment_block = posting->payment_block, .counterpart = posting->counterpart,
        .reverses = posting->reverses, .text = posting->text};
    head_fill(decision, facts, &posting->period, &command);
    if (posting->rules) {
        char date[DATE_TEXT_SIZE];
        date_print(posting->rules->valid_from, date);
        command.rule = decision_format(decision, SLICE_FORMAT "/" SLICE_FORMAT "@%s", SLICE_ARGUMENT(posting->rules->name), SLICE_ARGUMENT(posting->rule_name), date);
    }
    lines_fill(decision, &posting->journal, &command);
    command.entries.items = (struct settled_entry *)(uintptr_t)posting->entries;
    command.entries.count = posting->entry_count;
    /* One half of a pair is named by the other, and a summary could not be blocked for one of its documents. */
    if (posting->batch.length && !posting->counterpart.length && !posting->payment_block) {
        command.batch = posting->batch;
        command.has_batch_amount = true;
        command.batch_amount_e4 = document_amount(posting);
    }
    if (posting->payment_block) payment_blocked(decision);
    return command_send(decision, facts, output, &command);
}

/* ---- reversal ---- */

static struct period_choice reversal_period(struct decision *decision, const struct facts *facts) {
    return period_choose(decision, facts->entity, facts->ledger, facts->asked_date, PERIOD_REVERSAL);
}

void posting_reversal_check(struct decision *decision, const struct facts *facts) {
    if (!facts->entity) return;
    const struct period_choice period = reversal_period(decision, facts);
    period_report(decision, facts->entity, facts->ledger, &period);
}

/* The counterpart of a reversal is the reversal of the counterpart: the same version of the same document. */
static struct slice counterpart_reversed(struct decision *decision, struct slice counterpart, const char *suffix) {
    size_t end = counterpart.length;
    while (end > 0 && counterpart.data[end - 1] != '/') end--;
    if (!end) return (struct slice){0};
    return decision_format(decision, "%.*s%s/%.*s", (int)(end - 1), counterpart.data, suffix, (int)(counterpart.length - end), counterpart.data + end);
}

struct slice posting_reverse(struct decision *decision, const struct facts *facts, int output, struct slice original) {
    return posting_reverse_as(decision, facts, output, original, "_reversal");
}

struct slice posting_reverse_as(struct decision *decision, const struct facts *facts, int output, struct slice original, const char *suffix) {
    if (!original.length) return (struct slice){0};
    const struct posting_command *sent = emitted(decision, output, original);
    const struct period_choice period = reversal_period(decision, facts);
    struct posting_command command = *sent;
    head_fill(decision, facts, &period, &command);
    command.ledger = sent->ledger;
    command.step = decision_format(decision, SLICE_FORMAT "%s", SLICE_ARGUMENT(sent->step), suffix);
    command.idempotency_key = key_make(decision, sent->entity, sent->document, command.step, sent->version);
    command.reverses = sent->idempotency_key;
    command.counterpart = counterpart_reversed(decision, sent->counterpart, suffix);
    command.payment_block = false;
    command.batch_amount_e4 = -sent->batch_amount_e4;
    command.lines.items = decision_alloc(decision, (sent->lines.count + 1) * sizeof *command.lines.items);
    for (size_t i = 0; i < sent->lines.count; i++) {
        command.lines.items[i] = sent->lines.items[i];
        command.lines.items[i].side = sent->lines.items[i].side == JOURNAL_SIDE_DEBIT ? JOURNAL_SIDE_CREDIT : JOURNAL_SIDE_DEBIT;
    }
    return command_send(decision, facts, output, &command);
}
