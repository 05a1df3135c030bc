/* budget: what order lines and journals take of the budget of their cost centre, held where it is more than is left (docs/budget.md).
 *
 * Refuses, in this order: ENTITY_UNKNOWN, DATE_IMPLAUSIBLE, CURRENCY_UNKNOWN, AMOUNT_OVERFLOW, CURRENCY_PRECISION, TOTAL_MISMATCH, DUPLICATE_DOCUMENT, CURRENCY_MISMATCH,
 * BUDGET_UNKNOWN, FX_RATE_MISSING, BUDGET_EXCEEDED.
 *
 * A movement of an order line says all that it takes by now, not by how much that changed: what was refused, voided or never told is made up for by the next. One that
 * takes less overtakes what waits of its line, and is never held for the budget. */
#include "common/ledger/date.h"
#include "common/posting/budgets.h"
#include "processors/shared/budget.h"
#include "processors/shared/posting.h"
#include "schemas/budget.h"
#include "schemas/budget_freed.h"
#include "schemas/budget_line.h"
#include "schemas/budget_use.h"

enum { STORE_LINES, STORE_BUDGETS, STORE_FREED };
enum { OUTPUT_BUDGETS };

/* A movement in the making. Amounts _e4; those of `before` and `after` in the movement's currency and, as functional_, in that of the budget. */
struct movement {
    struct decision *decision;
    const struct budget_movement *record;
    struct facts facts;
    bool known;                             /* its line or journal has been counted before */
    struct budget_line before, after;
    const struct budget *budget;
    struct slice key;                       /* of the budget, in our state */
    struct budget_use use;                  /* with what this movement takes */
};

/* ---- envelope ---- */

static struct slice line_key(struct decision *decision, const struct budget_movement *record, struct slice document) {
    return KEY(decision, record->entity, record->cost_centre, budget_identifier(decision, document));
}

/* kontor-<processor>, by the topic of the event that it comes of: <processor>.events. */
static struct slice processor_of(struct decision *decision, struct slice origin) {
    size_t length = 0;
    while (length < origin.length && origin.data[length] != '.' && origin.data[length] != '/') length++;
    return decision_format(decision, "kontor-%.*s", (int)length, origin.length ? origin.data : "");
}

static void movement_envelope(struct decision *decision, const void *given, struct envelope *envelope) {
    const struct budget_movement *record = given;
    const struct document document = {STORE_LINES, line_key(decision, record, record->document)};
    *envelope = (struct envelope){.event_id = budget_identifier(decision, record->event_id), .source = processor_of(decision, record->origin), .entity = record->entity,
        .partner = record->cost_centre, .correlation_id = record->correlation_id, .number = budget_identifier(decision, record->document),
        .kind = budget_movement_kind_name(record->kind), .user = record->user, .currency = record->currency, .document_date = record->posting_date,
        .document = document, .establishes = true, .overtakes = record->reduces || record->reverses.length, .cancels = document};
    envelope->has_amount = decimal_add(record->reserved_e4, record->spent_e4, &envelope->amount_e4);
    if (record->reverses.length) envelope->cancels.key = line_key(decision, record, record->reverses);
}

/* ---- what is known ---- */

static int64_t taken(const struct budget_line *line) { return line->functional_reserved_e4 + line->functional_spent_e4; }   /* both at most 10^16 */

/* An order line that takes nothing has no budget: what it takes next is of the budget of that day. */
static bool is_bound(const struct movement *movement) {
    return movement->known && (movement->before.reserved_e4 || movement->before.spent_e4);
}

/* False: there is nothing to do, or it is refused already. */
static bool line_find(struct movement *movement) {
    struct decision *decision = movement->decision;
    const struct budget_movement *record = movement->record;
    const struct budget_line *known = state_find(decision, STORE_LINES, decision_envelope(decision)->document.key);
    const bool journal = record->kind == BUDGET_MOVEMENT_KIND_JOURNAL;
    if (known) movement->before = *known;
    movement->known = known != NULL;
    movement->after = (struct budget_line){.budget = record->posting_date, .currency = record->currency, .reserved_e4 = record->reserved_e4, .spent_e4 = record->spent_e4};
    if (is_bound(movement)) movement->after.budget = movement->before.budget;
    if (journal && known) report(decision, REASON_DUPLICATE_DOCUMENT, "document", "");
    if (journal && record->reverses.length && !state_find(decision, STORE_LINES, line_key(decision, record, record->reverses))) {
        report(decision, REASON_NO_EFFECT, "reverses", "the journal that it reverses was not counted");
        return false;
    }
    if (!journal && is_bound(movement) && !slice_equal(known->currency, record->currency))
        report(decision, REASON_CURRENCY_MISMATCH, "currency", "the order line was counted in " SLICE_FORMAT, SLICE_ARGUMENT(known->currency));
    return !refused(decision);
}

static void amounts_check(struct movement *movement) {
    const struct budget_movement *record = movement->record;
    const int64_t amounts_e4[] = {record->reserved_e4, record->spent_e4};
    const char *const fields[] = {"reserved", "spent"};
    for (int i = 0; i < 2; i++) facts_amount_check(movement->decision, &movement->facts, amounts_e4[i], FACTS_HEAD, fields[i]);
    if (record->reserved_e4 < 0 && decimal_is_number(record->reserved_e4)) report(movement->decision, REASON_TOTAL_MISMATCH, "reserved", "below 0");
}

/* ---- the budget ---- */

/* BUDGET_UNKNOWN. All that waits for a budget of the cost centre waits under one key, whatever its day: so it is decided in the order in which it came. */
static bool budget_missing(struct movement *movement, struct slice key, const char *why, int32_t date) {
    char text[DATE_TEXT_SIZE];
    date_print(date, text);
    report(movement->decision, REASON_BUDGET_UNKNOWN, "cost_centre", "of " SLICE_FORMAT ": %s %s", SLICE_ARGUMENT(movement->record->cost_centre), why, text);
    wait_for_table(movement->decision, REASON_BUDGET_UNKNOWN, "cost_centre", MASTER_BUDGETS, key, 0);
    return false;
}

/* The record that holds the day. */
static bool budget_find(struct movement *movement, struct table_row *row) {
    struct decision *decision = movement->decision;
    const struct budget_movement *record = movement->record;
    const struct slice key = KEY(decision, record->entity, record->cost_centre);
    const int32_t date = movement->after.budget;
    char text[DATE_TEXT_SIZE];
    if (!look_up_trusted(decision, MASTER_BUDGETS, key, date, "cost_centre", row)) return !refused(decision) && budget_missing(movement, key, "none on", date);
    movement->budget = row->record;
    if (date > movement->budget->last_day) return budget_missing(movement, key, "the newest ends on", movement->budget->last_day);
    if (is_bound(movement) && movement->budget->valid_from != date) return budget_missing(movement, key, "its line was counted in one that is gone, from", date);
    date_print(movement->budget->valid_from, text);
    movement->after.budget = movement->budget->valid_from;
    movement->key = KEY(decision, record->entity, record->cost_centre, slice_of(text));
    return true;
}

/* ---- in functional currency ---- */

/* More is taken at the rate of the day; FX_RATE_MISSING. */
static bool converted(struct movement *movement, int64_t amount_e4, int64_t *functional_e4) {
    struct posting rate;
    posting_begin_outright(&rate, movement->decision, &movement->facts, SLICE("budget"), movement->record->document, 1);
    *functional_e4 = posting_functional(&rate, amount_e4);
    return !refused(movement->decision);
}

/* Less is taken at the value at which it was: towards 0, and not past it. */
static bool is_towards_nothing(int64_t before_e4, int64_t after_e4) {
    return (before_e4 >= 0 && after_e4 >= 0 && after_e4 <= before_e4) || (before_e4 <= 0 && after_e4 <= 0 && after_e4 >= before_e4);
}

/* All that is taken after the movement. */
static bool total_value(struct movement *movement, int64_t *functional_e4) {
    const struct budget_line *before = &movement->before, *after = &movement->after;
    const int64_t total_e4 = after->reserved_e4 + after->spent_e4;     /* each at most 10^16 */
    const int64_t total_before_e4 = is_bound(movement) ? before->reserved_e4 + before->spent_e4 : 0;
    int64_t more_e4 = 0;
    if (total_e4 == total_before_e4) *functional_e4 = is_bound(movement) ? taken(before) : 0;
    else if (!total_e4) *functional_e4 = 0;
    else if (is_towards_nothing(total_before_e4, total_e4)) return money_share(taken(before), total_e4, total_before_e4, movement->facts.functional, functional_e4);
    else if (total_before_e4 && (total_before_e4 > 0) != (total_e4 > 0)) return converted(movement, total_e4, functional_e4);
    else return converted(movement, total_e4 - total_before_e4, &more_e4) && decimal_add(is_bound(movement) ? taken(before) : 0, more_e4, functional_e4);
    return true;
}

/* Reserved and spent, which add up to the total exactly. */
static bool value(struct movement *movement) {
    struct budget_line *after = &movement->after;
    int64_t total_e4, reserved_e4 = 0;
    const int64_t whole_e4 = after->reserved_e4 + after->spent_e4;
    bool fits = total_value(movement, &total_e4);
    if (fits && after->reserved_e4 && whole_e4) fits = money_share(total_e4, after->reserved_e4, whole_e4, movement->facts.functional, &reserved_e4);
    if (fits) fits = facts_amount_fits(total_e4) && facts_amount_fits(reserved_e4);
    if (!fits) {
        if (!refused(movement->decision)) report(movement->decision, REASON_AMOUNT_OVERFLOW, "currency", "in functional currency");
        return false;
    }
    after->functional_reserved_e4 = reserved_e4;
    after->functional_spent_e4 = total_e4 - reserved_e4;
    return true;
}

/* ---- what it makes of the budget ---- */

/* Of a line without a budget nothing was taken. */
static struct budget_line taken_before(const struct movement *movement) { return is_bound(movement) ? movement->before : (struct budget_line){.budget = 0}; }

static bool use_make(struct movement *movement) {
    const struct budget_movement *record = movement->record;
    const struct budget *budget = movement->budget;
    const struct budget_line before = taken_before(movement), *after = &movement->after;
    const struct budget_use *known = state_find(movement->decision, STORE_BUDGETS, movement->key);
    struct budget_use *use = &movement->use;
    int64_t sum_e4;
    if (known) *use = *known;
    *use = (struct budget_use){.entity = record->entity, .cost_centre = record->cost_centre, .valid_from = budget->valid_from, .last_day = budget->last_day,
        .currency = movement->facts.entity->functional_currency, .amount_e4 = budget->amount_e4, .reserved_e4 = use->reserved_e4, .spent_e4 = use->spent_e4,
        .owner = budget->owner, .document = record->document, .event_id = record->event_id, .occurred_at_ms = decision_time_ms(movement->decision)};
    if (decimal_add(use->reserved_e4, after->functional_reserved_e4 - before.functional_reserved_e4, &use->reserved_e4) &&
        decimal_add(use->spent_e4, after->functional_spent_e4 - before.functional_spent_e4, &use->spent_e4) &&
        decimal_add(use->reserved_e4, use->spent_e4, &sum_e4) && decimal_subtract(use->amount_e4, sum_e4, &use->available_e4)) return true;
    report(movement->decision, REASON_AMOUNT_OVERFLOW, "cost_centre", "all that is taken of the budget");
    return false;
}

/* BUDGET_EXCEEDED: until the budget is changed, or something is given back to it. */
static void use_check(struct movement *movement, const struct budget_terms *terms) {
    struct decision *decision = movement->decision;
    const struct budget_line before = taken_before(movement);
    const int64_t more_e4 = taken(&movement->after) - taken(&before);
    char amount[DECIMAL_TEXT_SIZE], more[DECIMAL_TEXT_SIZE], over[DECIMAL_TEXT_SIZE], text[DATE_TEXT_SIZE];
    if (more_e4 <= 0 || movement->use.available_e4 >= 0) return;
    (void)money_print(movement->budget->amount_e4, movement->facts.functional, amount);
    (void)money_print(more_e4, movement->facts.functional, more);
    (void)money_print(-movement->use.available_e4, movement->facts.functional, over);
    date_print(movement->budget->valid_from, text);
    report_as(decision, terms->warns ? CLASS_NOTE : CLASS_HELD, REASON_BUDGET_EXCEEDED, "cost_centre",
              "budget of " SLICE_FORMAT " from %s: %s %s; this takes %s more, which is %s too much", SLICE_ARGUMENT(movement->record->cost_centre), text,
              movement->facts.functional.code, amount, more, over);
    retry_held_at_table(decision, MASTER_BUDGETS, KEY(decision, movement->record->entity, movement->record->cost_centre), movement->after.budget);
    retry_held_at_state(decision, STORE_FREED, movement->key);
}

/* ---- the whole ---- */

static void freed(struct movement *movement) {
    const struct budget_freed *known = state_find(movement->decision, STORE_FREED, movement->key);
    const struct budget_freed now = {.times = (known ? known->times : 0) + 1};
    state_put(movement->decision, STORE_FREED, movement->key, &now);
}

static void decide_movement(struct decision *decision, const void *given) {
    const struct budget_movement *record = given;
    struct movement movement = {.decision = decision, .record = record};
    struct table_row row;
    facts_establish(decision, (struct facts_given){.has_posting_date = true, .posting_date = record->posting_date, .document_date = record->posting_date, .currency = record->currency,
        .has_amounts = true, .partner = PARTNER_NONE}, &movement.facts);
    amounts_check(&movement);
    if (refused(decision)) return;
    if (record->kind == BUDGET_MOVEMENT_KIND_UNKNOWN) { report(decision, REASON_NO_EFFECT, "kind", ""); return; }
    if (record->reverses.length && decision_voided(decision)) { report(decision, REASON_NO_EFFECT, "reverses", "what it reverses had not been counted yet"); return; }
    if (!line_find(&movement)) return;
    if (movement.known && movement.before.reserved_e4 == record->reserved_e4 && movement.before.spent_e4 == record->spent_e4) {
        report(decision, REASON_NO_EFFECT, "", "");
        return;
    }
    if (!is_bound(&movement) && !record->reserved_e4 && !record->spent_e4) { report(decision, REASON_NO_EFFECT, "", "it takes nothing"); return; }
    if (!budget_find(&movement, &row) || !value(&movement) || !use_make(&movement)) return;
    use_check(&movement, row.compiled);
    if (refused(decision)) return;
    /* effects */
    const struct budget_line before = taken_before(&movement);
    state_put(decision, STORE_LINES, decision_envelope(decision)->document.key, &movement.after);
    state_put(decision, STORE_BUDGETS, movement.key, &movement.use);
    if (taken(&movement.after) < taken(&before)) freed(&movement);
    (void)emit_keyed(decision, OUTPUT_BUDGETS, (struct slice){0}, &movement.use, movement.key);
}

/* ---- the declaration ---- */

static bool line_is_reserved(const void *record) { return ((const struct budget_line *)record)->reserved_e4 != 0; }
static bool always(const void *record) { return record != NULL; }

extern const struct processor budget_processor;
const struct processor budget_processor = {
    .name = "budget",
    .inputs = {{BUDGET_MOVEMENTS, &budget_movement_type, .envelope = movement_envelope, .decide = decide_movement}},
    .tables = {MASTER_SOURCE_PERMISSIONS, MASTER_LEGAL_ENTITIES, MASTER_TOLERANCES, MASTER_FX_RATES, MASTER_BUDGETS, END_OF_TABLES},
    .stores = {[STORE_LINES] = {"lines", &budget_line_type, line_is_reserved}, [STORE_BUDGETS] = {"budgets", &budget_use_type, always},
               [STORE_FREED] = {"freed", &budget_freed_type, NULL}},
    .outputs = {[OUTPUT_BUDGETS] = {"budgets", &budget_use_type, .event_time = true}},
};
