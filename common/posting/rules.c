#include "common/posting/rules.h"

#include <stdlib.h>

#include "common/platform/arena.h"
#include "schemas/posting_rule_set.h"

const char *const rule_amount_names[RULE_AMOUNT_COUNT] = {
    "net", "receipt_value", "variance_above", "variance_below", "tax_deductible", "tax_not_deductible",
    "tax_reverse", "tax_reverse_deductible", "tax_reverse_not_deductible", "gross", "fx_loss", "fx_gain"};
const char *const rule_dimension_names[RULE_DIMENSION_COUNT] = {"category", "supplier_group", "tax_code"};

/* Each amount as a sum of amounts that vary freely; a rule balances if debits and credits have the same sum of each.
 * fx_loss and fx_gain are functional only: they balance against the difference that the line's other amounts leave (posting.c). */
enum { FREE_RECEIPT, FREE_ABOVE, FREE_BELOW, FREE_TAX, FREE_TAX_LOST, FREE_REVERSE, FREE_REVERSE_LOST, FREE_COUNT };
static const signed char parts[RULE_AMOUNT_COUNT][FREE_COUNT] = {
    [RULE_NET] = {[FREE_RECEIPT] = 1, [FREE_ABOVE] = 1, [FREE_BELOW] = -1},
    [RULE_RECEIPT_VALUE] = {[FREE_RECEIPT] = 1},
    [RULE_VARIANCE_ABOVE] = {[FREE_ABOVE] = 1},
    [RULE_VARIANCE_BELOW] = {[FREE_BELOW] = 1},
    [RULE_TAX_DEDUCTIBLE] = {[FREE_TAX] = 1},
    [RULE_TAX_NOT_DEDUCTIBLE] = {[FREE_TAX_LOST] = 1},
    [RULE_TAX_REVERSE] = {[FREE_REVERSE] = 1, [FREE_REVERSE_LOST] = 1},
    [RULE_TAX_REVERSE_DEDUCTIBLE] = {[FREE_REVERSE] = 1},
    [RULE_TAX_REVERSE_NOT_DEDUCTIBLE] = {[FREE_REVERSE_LOST] = 1},
    [RULE_GROSS] = {[FREE_RECEIPT] = 1, [FREE_ABOVE] = 1, [FREE_BELOW] = -1, [FREE_TAX] = 1, [FREE_TAX_LOST] = 1},
};

struct compiled { struct rule_set set; struct arena arena; };
enum { COMPILED_MAXIMUM = 64 << 20, COMPILED_BLOCK = 16 << 10 };

static bool text_keep(struct arena *arena, struct slice text, struct slice *kept) {
    char *copy = arena_copy(arena, text.data, text.length);
    *kept = (struct slice){copy, text.length};
    return copy != NULL;
}

static bool name_find(struct slice name, const char *const *names, int count, int *found) {
    for (int i = 0; i < count; i++)
        if (slice_equal(name, slice_of(names[i]))) { *found = i; return true; }
    return false;
}

/* Here and below an empty error says that memory is out (tables.h). */
/* `map:<set>:<dimension>`, `line` or a number. */
static bool account_compile(struct arena *arena, const struct posting_rule *rule, struct slice account, struct rule_line *line, struct error *error) {
    static const struct slice map = {"map:", 4};
    if (slice_equal(account, SLICE("line"))) { line->from = RULE_ACCOUNT_OF_LINE; return true; }
    line->from = RULE_ACCOUNT_FIXED;
    if (account.length > map.length && memcmp(account.data, map.data, map.length) == 0) {
        struct slice rest = {account.data + map.length, account.length - map.length};
        const char *colon = memchr(rest.data, ':', rest.length);
        int dimension;
        if (!colon || colon == rest.data ||
            !name_find((struct slice){colon + 1, rest.length - (size_t)(colon - rest.data) - 1}, rule_dimension_names, RULE_DIMENSION_COUNT, &dimension))
            return error_set(error, "rule " SLICE_FORMAT ": account " SLICE_FORMAT " is not map:<set>:<category, supplier_group or tax_code>",
                             SLICE_ARGUMENT(rule->rule), SLICE_ARGUMENT(account));
        line->from = RULE_ACCOUNT_MAPPED;
        line->dimension = (enum rule_dimension)dimension;
        account = (struct slice){rest.data, (size_t)(colon - rest.data)};
    }
    if (!account.length) return error_set(error, "rule " SLICE_FORMAT ": a line has no account", SLICE_ARGUMENT(rule->rule));
    return text_keep(arena, account, &line->account) || error_set(error, "");
}

static bool balance_check(const struct posting_rule *rule, const struct rule *compiled, struct error *error) {
    int sums[FREE_COUNT] = {0};
    for (size_t i = 0; i < compiled->line_count; i++)
        for (int k = 0; k < FREE_COUNT; k++) sums[k] += (compiled->lines[i].debit ? 1 : -1) * parts[compiled->lines[i].amount][k];
    static const char *const free_names[FREE_COUNT] = {"receipt_value", "variance_above", "variance_below", "tax_deductible", "tax_not_deductible",
                                                       "tax_reverse_deductible", "tax_reverse_not_deductible"};
    for (int k = 0; k < FREE_COUNT; k++)
        if (sums[k]) return error_set(error, "rule " SLICE_FORMAT " does not balance: %s is %s more than %s", SLICE_ARGUMENT(rule->rule), free_names[k],
                                      sums[k] > 0 ? "debited" : "credited", sums[k] > 0 ? "credited" : "debited");
    return true;
}

static bool rule_compile(struct arena *arena, const struct posting_rule *rule, struct rule *compiled, struct error *error) {
    const struct slice *dimensions[RULE_DIMENSION_COUNT] = {&rule->category, &rule->supplier_group, &rule->tax_code};
    if (!rule->rule.length || !rule->step.length) return error_set(error, "a rule has no name or no step");
    if (!rule->lines.count) return error_set(error, "rule " SLICE_FORMAT " has no lines", SLICE_ARGUMENT(rule->rule));
    bool ok = text_keep(arena, rule->rule, &compiled->name) && text_keep(arena, rule->step, &compiled->step);
    for (int i = 0; ok && i < RULE_DIMENSION_COUNT; i++) {
        if (slice_equal(*dimensions[i], SLICE("*"))) continue;
        compiled->specificity++;
        ok = text_keep(arena, *dimensions[i], &compiled->dimensions[i]);
    }
    compiled->line_count = rule->lines.count;
    compiled->lines = ok ? arena_alloc(arena, compiled->line_count * sizeof *compiled->lines) : NULL;
    if (!compiled->lines) return error_set(error, "");
    for (size_t i = 0; i < compiled->line_count; i++) {
        const struct posting_rule_line *from = &rule->lines.items[i];
        struct rule_line *to = &compiled->lines[i];
        int amount;
        *to = (struct rule_line){.debit = from->side == POSTING_RULE_SIDE_DEBIT, .cost_centre = from->cost_centre, .project = from->project,
                                 .tax_code = from->tax_code, .partner = from->partner};
        if (!name_find(from->amount, rule_amount_names, RULE_AMOUNT_COUNT, &amount))
            return error_set(error, "rule " SLICE_FORMAT ": unknown amount " SLICE_FORMAT, SLICE_ARGUMENT(rule->rule), SLICE_ARGUMENT(from->amount));
        to->amount = (enum rule_amount)amount;
        if (!account_compile(arena, rule, from->account, to, error)) return false;
        if (!text_keep(arena, from->text, &to->text)) return error_set(error, "");
    }
    return balance_check(rule, compiled, error);
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
    for (size_t i = 0; i < set->rule_count; i++) {
        const struct rule *rule = &set->rules[i];
        if ((best && rule->specificity <= best->specificity) || !slice_equal(rule->step, step)) continue;
        bool fits = true;
        for (int k = 0; fits && k < RULE_DIMENSION_COUNT; k++) fits = !rule->dimensions[k].data || slice_equal(rule->dimensions[k], dimensions[k]);
        if (fits) best = rule;
    }
    return best;
}
