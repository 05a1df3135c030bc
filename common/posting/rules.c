#include "common/posting/rules.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/platform/arena.h"
#include "common/platform/nearest.h"
#include "schemas/posting_rule_set.h"

struct compiled { struct rule_set set; struct arena arena; };
enum { COMPILED_MAXIMUM = 64 << 20, COMPILED_BLOCK = 16 << 10 };

static bool text_keep(struct arena *arena, struct slice text, struct slice *kept) {
    char *copy = arena_copy(arena, text.data, text.length);
    *kept = (struct slice){copy, text.length};
    return copy != NULL;
}

static bool name_find(struct slice name, const char *const *names, int count, int *found) {
    for (int i = 0; i < count; i++)
        if (names[i] && slice_equal(name, slice_of(names[i]))) { *found = i; return true; }
    return false;
}

/* Here and below an empty error says that memory is out (tables.h). */

/* ---- names to numbers ---- */

static bool step_compile(const struct posting_rule *rule, struct rule *compiled, struct error *error) {
    compiled->step_number = steps_find(rule->step);
    if (compiled->step_number >= 0) return true;
    const char *names[64];
    for (size_t i = 0; i < rule_step_count; i++) names[i] = rule_steps[i].name;
    return error_set(error, "rule " SLICE_FORMAT ": there is no step " SLICE_FORMAT "; did you mean %s?", SLICE_ARGUMENT(rule->rule), SLICE_ARGUMENT(rule->step),
                     nearest_of(rule->step, names, rule_step_count));
}

static bool amount_compile(const struct posting_rule *rule, const struct rule *compiled, struct slice name, struct rule_line *line, struct error *error) {
    const struct rule_step *step = &rule_steps[compiled->step_number];
    int amount;
    if (!name_find(name, rule_amount_names, RULE_AMOUNT_COUNT, &amount)) {
        const char *names[RULE_AMOUNT_COUNT];
        size_t count = 0;
        for (int i = 0; i < RULE_AMOUNT_COUNT; i++)
            if (step->amounts & RULE_BIT(i)) names[count++] = rule_amount_names[i];
        return error_set(error, "rule " SLICE_FORMAT ": there is no amount " SLICE_FORMAT "; did you mean %s?", SLICE_ARGUMENT(rule->rule), SLICE_ARGUMENT(name),
                         nearest_of(name, names, count));
    }
    if (!(step->amounts & RULE_BIT(amount)))
        return error_set(error, "rule " SLICE_FORMAT ": step " SLICE_FORMAT " has no amount %s", SLICE_ARGUMENT(rule->rule), SLICE_ARGUMENT(rule->step),
                         rule_amount_names[amount]);
    line->amount = (enum rule_amount)amount;
    if ((amount == RULE_FX_LOSS && !line->debit) || (amount == RULE_FX_GAIN && line->debit))
        return error_set(error, "rule " SLICE_FORMAT ": fx_loss is debited and fx_gain credited", SLICE_ARGUMENT(rule->rule));
    return true;
}

/* map:<set>:<dimension> */
static bool mapping_compile(struct arena *arena, const struct posting_rule *rule, struct slice account, struct rule_line *line, struct error *error) {
    const char *end = account.data + account.length, *set = account.data + 4, *colon = memchr(set, ':', (size_t)(end - set));
    if (!colon || colon == set)
        return error_set(error, "rule " SLICE_FORMAT ": account " SLICE_FORMAT " is not map:<set>:<dimension>", SLICE_ARGUMENT(rule->rule), SLICE_ARGUMENT(account));
    struct slice name = {colon + 1, (size_t)(end - colon) - 1};
    int dimension;
    if (!name_find(name, rule_dimension_names, RULE_DIMENSION_COUNT, &dimension))
        return error_set(error, "rule " SLICE_FORMAT ": account " SLICE_FORMAT ": there is no dimension " SLICE_FORMAT "; did you mean %s?", SLICE_ARGUMENT(rule->rule),
                         SLICE_ARGUMENT(account), SLICE_ARGUMENT(name), nearest_of(name, rule_dimension_names, RULE_DIMENSION_COUNT));
    line->from = RULE_ACCOUNT_MAPPED;
    line->dimension = (enum rule_dimension)dimension;
    return text_keep(arena, (struct slice){set, (size_t)(colon - set)}, &line->account) || error_set(error, "");
}

static bool account_compile(struct arena *arena, const struct posting_rule *rule, const struct rule *compiled, struct slice account, struct rule_line *line,
                            struct error *error) {
    const uint32_t of_tax = RULE_BIT(RULE_TAX_DEDUCTIBLE) | RULE_BIT(RULE_TAX_NOT_DEDUCTIBLE) | RULE_BIT(RULE_TAX_REVERSE) |
                            RULE_BIT(RULE_TAX_REVERSE_DEDUCTIBLE) | RULE_BIT(RULE_TAX_REVERSE_NOT_DEDUCTIBLE) | RULE_BIT(RULE_DISCOUNT_TAX) | RULE_BIT(RULE_WITHHELD);
    static const struct slice map = {"map:", 4};
    if (!account.length) return error_set(error, "rule " SLICE_FORMAT ": a line has no account", SLICE_ARGUMENT(rule->rule));
    if (account.length >= map.length && memcmp(account.data, map.data, map.length) == 0) return mapping_compile(arena, rule, account, line, error);
    int from;
    if (!name_find(account, rule_account_names, RULE_ACCOUNT_COUNT, &from)) {
        line->from = RULE_ACCOUNT_FIXED;
        return text_keep(arena, account, &line->account) || error_set(error, "");
    }
    line->from = (enum rule_account)from;
    if (!(rule_steps[compiled->step_number].accounts & RULE_BIT(from)))
        return error_set(error, "rule " SLICE_FORMAT ": step " SLICE_FORMAT " has no account of %s", SLICE_ARGUMENT(rule->rule), SLICE_ARGUMENT(rule->step),
                         rule_account_names[from]);
    if (line->from == RULE_ACCOUNT_OF_TAX_CODE && !(of_tax & RULE_BIT(line->amount)) && !steps_is_journal(compiled->step_number))
        return error_set(error, "rule " SLICE_FORMAT ": %s is no tax: it cannot go to the account of a tax code", SLICE_ARGUMENT(rule->rule),
                         rule_amount_names[line->amount]);
    return true;
}

/* ---- what a rule must be ---- */

/* A step that has no discount and no withholding never has those parts: settled is paid there, and a rule may book the one against the other. */
static bool part_is_possible(const struct rule *compiled, int part) {
    const uint32_t deductions = RULE_BIT(RULE_DISCOUNT_NET) | RULE_BIT(RULE_DISCOUNT_TAX) | RULE_BIT(RULE_WITHHELD), amount = RULE_BIT(steps_part_amounts[part]);
    return !(amount & deductions) || (amount & rule_steps[compiled->step_number].amounts);
}

static bool balance_check(const struct posting_rule *rule, const struct rule *compiled, struct error *error) {
    int sums[PART_COUNT] = {0};
    for (size_t i = 0; i < compiled->line_count; i++)
        for (int k = 0; k < PART_COUNT; k++) sums[k] += (compiled->lines[i].debit ? 1 : -1) * steps_parts[compiled->lines[i].amount][k];
    for (int k = 0; k < PART_COUNT; k++)
        if (sums[k] && part_is_possible(compiled, k)) return error_set(error, "rule " SLICE_FORMAT " does not balance: %s is %s more than %s", SLICE_ARGUMENT(rule->rule),
                                      rule_amount_names[steps_part_amounts[k]], sums[k] > 0 ? "debited" : "credited", sums[k] > 0 ? "credited" : "debited");
    return true;
}

/* "gross", "payable and retained" */
static void amounts_print(uint32_t amounts, char *text, size_t size) {
    size_t at = 0;
    for (int i = 0; i < RULE_AMOUNT_COUNT; i++)
        if (amounts & RULE_BIT(i)) at += (size_t)snprintf(text + at, size - at, "%s%s", at ? " and " : "", rule_amount_names[i]);
}

/* Whether it posts what its step is there for, and exchange differences on both sides or not at all. */
static bool complete_check(const struct posting_rule *rule, const struct rule *compiled, struct error *error) {
    const struct rule_step *step = &rule_steps[compiled->step_number];
    uint32_t posted = 0;
    for (size_t i = 0; i < compiled->line_count; i++) posted |= RULE_BIT(compiled->lines[i].amount);
    if (!(posted & RULE_BIT(RULE_FX_LOSS)) != !(posted & RULE_BIT(RULE_FX_GAIN)))
        return error_set(error, "rule " SLICE_FORMAT " posts %s only: fx_loss and fx_gain both or neither", SLICE_ARGUMENT(rule->rule),
                         posted & RULE_BIT(RULE_FX_LOSS) ? "fx_loss" : "fx_gain");
    char wanted[160] = "";
    for (size_t i = 0; i < STEP_ALTERNATIVES && step->posts_one_of[i]; i++) {
        if ((posted & step->posts_one_of[i]) == step->posts_one_of[i]) return true;
        size_t at = strlen(wanted);
        if (at) at += (size_t)snprintf(wanted + at, sizeof wanted - at, ", or ");
        amounts_print(step->posts_one_of[i], wanted + at, sizeof wanted - at);
    }
    return !wanted[0] || error_set(error, "rule " SLICE_FORMAT " is incomplete: a rule of step " SLICE_FORMAT " posts %s", SLICE_ARGUMENT(rule->rule),
                                   SLICE_ARGUMENT(rule->step), wanted);
}

static bool line_compile(struct arena *arena, const struct posting_rule *rule, struct rule *compiled, size_t i, struct error *error) {
    const struct posting_rule_line *from = &rule->lines.items[i];
    struct rule_line *to = &compiled->lines[i];
    *to = (struct rule_line){.debit = from->side == POSTING_RULE_SIDE_DEBIT, .cost_centre = from->cost_centre, .project = from->project,
                             .tax_code = from->tax_code, .partner = from->partner};
    if (!amount_compile(rule, compiled, from->amount, to, error) || !account_compile(arena, rule, compiled, from->account, to, error)) return false;
    for (int part = 0; part < PART_COUNT; part++)
        if (steps_parts[to->amount][part] && part_is_possible(compiled, part)) compiled->parts |= UINT32_C(1) << part;
    compiled->exchange |= to->amount == RULE_FX_LOSS;
    return text_keep(arena, from->text, &to->text) || error_set(error, "");
}

static bool rule_compile(struct arena *arena, const struct posting_rule *rule, struct rule *compiled, struct error *error) {
    const struct slice *dimensions[RULE_DIMENSION_COUNT] = {&rule->category, &rule->supplier_group, &rule->tax_code, &rule->method};
    if (!rule->rule.length || !rule->step.length) return error_set(error, "a rule has no name or no step");
    if (!rule->lines.count) return error_set(error, "rule " SLICE_FORMAT " has no lines", SLICE_ARGUMENT(rule->rule));
    *compiled = (struct rule){.line_count = rule->lines.count};
    if (!step_compile(rule, compiled, error)) return false;
    bool ok = text_keep(arena, rule->rule, &compiled->name) && text_keep(arena, rule->step, &compiled->step);
    for (int i = 0; ok && i < RULE_DIMENSION_COUNT; i++) {
        if (slice_equal(*dimensions[i], SLICE("*"))) continue;
        compiled->specificity++;
        ok = text_keep(arena, *dimensions[i], &compiled->dimensions[i]);
    }
    compiled->lines = ok ? arena_alloc(arena, compiled->line_count * sizeof *compiled->lines) : NULL;
    if (!compiled->lines) return error_set(error, "");
    for (size_t i = 0; i < compiled->line_count; i++)
        if (!line_compile(arena, rule, compiled, i, error)) return false;
    return balance_check(rule, compiled, error) && complete_check(rule, compiled, error);
}

/* Whether a document line could match both with neither more specific. */
static bool tie(const struct rule *a, const struct rule *b) {
    if (a->specificity != b->specificity || !slice_equal(a->step, b->step)) return false;
    for (int i = 0; i < RULE_DIMENSION_COUNT; i++)
        if (a->dimensions[i].data && b->dimensions[i].data && !slice_equal(a->dimensions[i], b->dimensions[i])) return false;
    return true;
}

static bool set_check(const struct rule_set *set, struct error *error) {
    for (size_t i = 0; i < set->rule_count; i++)
        for (size_t k = i + 1; k < set->rule_count; k++) {
            const struct rule *a = &set->rules[i], *b = &set->rules[k];
            if (slice_equal(a->name, b->name)) return error_set(error, "two rules are named " SLICE_FORMAT, SLICE_ARGUMENT(a->name));
            if (tie(a, b)) return error_set(error, "rules " SLICE_FORMAT " and " SLICE_FORMAT " of step " SLICE_FORMAT " match the same lines and neither is more specific",
                                            SLICE_ARGUMENT(a->name), SLICE_ARGUMENT(b->name), SLICE_ARGUMENT(a->step));
        }
    return true;
}

void *rules_compile(const void *record, struct error *error) {
    const struct posting_rule_set *source = record;
    struct compiled *compiled = calloc(1, sizeof *compiled);
    if (!compiled) { error_set(error, ""); return NULL; }
    arena_init(&compiled->arena, COMPILED_BLOCK, COMPILED_MAXIMUM);
    struct rule_set *set = &compiled->set;
    set->valid_from = source->valid_from;
    set->rule_count = source->rules.count;
    set->rules = arena_alloc(&compiled->arena, set->rule_count * sizeof *set->rules + 1);
    bool ok = set->rules && text_keep(&compiled->arena, source->rule_set, &set->name);
    if (!ok) error_set(error, "");
    for (size_t i = 0; ok && i < set->rule_count; i++) ok = rule_compile(&compiled->arena, &source->rules.items[i], &set->rules[i], error);
    ok = ok && set_check(set, error);
    if (ok) return set;
    rules_release(set);
    return NULL;
}

void rules_release(void *compiled) {
    if (!compiled) return;
    struct compiled *whole = compiled;   /* the set is its first member */
    arena_free(&whole->arena);
    free(whole);
}

const struct rule *rules_pick(const struct rule_set *set, struct slice step, const struct slice dimensions[RULE_DIMENSION_COUNT]) {
    const struct rule *best = NULL;
    const int number = steps_find(step);
    for (size_t i = 0; i < set->rule_count; i++) {
        const struct rule *rule = &set->rules[i];
        if (rule->step_number != number || (best && rule->specificity <= best->specificity)) continue;
        if (steps_is_journal(number) && !slice_equal(rule->step, step)) continue;
        bool fits = true;
        for (int k = 0; fits && k < RULE_DIMENSION_COUNT; k++) fits = !rule->dimensions[k].data || slice_equal(rule->dimensions[k], dimensions[k]);
        if (fits) best = rule;
    }
    return best;
}

const char *rules_left_out(const struct rule *rule, const int64_t amounts_e4[RULE_AMOUNT_COUNT]) {
    for (int part = 0; part < PART_COUNT; part++)
        if (amounts_e4[steps_part_amounts[part]] && !(rule->parts & UINT32_C(1) << part)) return rule_amount_names[steps_part_amounts[part]];
    return NULL;
}

int rules_debits(const struct rule *rule, enum rule_amount amount) {
    int debits = 0;
    for (size_t i = 0; i < rule->line_count; i++)
        if (rule->lines[i].amount == amount) debits += rule->lines[i].debit ? 1 : -1;
    return debits;
}
