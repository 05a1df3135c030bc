/* travel: per diem and mileage: quantity times the rate of the day and place, less the meals that were provided. */
#include "processors/expense/expense.h"
#include "schemas/travel_rate.h"

enum { QUANTITY_SCALE = 6 };
static const int64_t whole_quantity_e6 = 1000000;
static const struct slice any_place = {"*", 1};

static const struct travel_rate *rate_find(struct claim *claim, size_t i, struct slice rate_kind) {
    struct expense *expense = claim->expense;
    struct decision *decision = expense->decision;
    const struct expense_line *line = claim->items[i].line;
    const struct slice place = line->place.length ? line->place : line->country, entity = expense->event->entity;
    const struct slice own = KEY(decision, entity, rate_kind, place), any = KEY(decision, entity, rate_kind, any_place);
    const struct travel_rate *rate = place.length ? look_up(decision, MASTER_TRAVEL_RATES, own, line->date, NULL) : NULL;
    if (!rate) rate = look_up(decision, MASTER_TRAVEL_RATES, any, line->date, NULL);
    if (!rate) {
        const char *path = facts_path(decision, i, "rate_kind");
        if (place.length) (void)require(decision, MASTER_TRAVEL_RATES, own, line->date, REASON_TRAVEL_RATE_MISSING, path);
        (void)require(decision, MASTER_TRAVEL_RATES, any, line->date, REASON_TRAVEL_RATE_MISSING, path);
        return NULL;
    }
    struct currency currency;
    const bool sound = currency_find(rate->currency, &currency) && facts_amount_fits(rate->rate_e4) && facts_amount_fits(rate->breakfast_percent_e4) &&
                       facts_amount_fits(rate->lunch_percent_e4) && facts_amount_fits(rate->dinner_percent_e4);
    if (sound) return rate;
    wait_for_table(decision, REASON_MASTER_STALE, facts_path(decision, i, "rate_kind"), MASTER_TRAVEL_RATES, KEY(decision, entity, rate_kind, rate->place), line->date);
    return NULL;
}

/* The record whose rate the meals' per cents are of: for half a day the whole day's. */
static const struct travel_rate *day_rate_find(struct claim *claim, size_t i, const struct travel_rate *rate) {
    static const struct slice half = {"_half", 5};
    const struct slice kind = claim->items[i].line->rate_kind;
    if (kind.length <= half.length || memcmp(kind.data + kind.length - half.length, half.data, half.length) != 0) return rate;
    return rate_find(claim, i, (struct slice){kind.data, kind.length - half.length});
}

struct meal { int32_t count; int64_t percent_e4; const char *field; };

static bool quantity_check(struct claim *claim, size_t i, const struct travel_rate *rate, const struct meal *meals, size_t meal_count) {
    struct decision *decision = claim->expense->decision;
    const int64_t quantity_e6 = claim->items[i].line->quantity_e6;
    if (!facts_quantity_fits(quantity_e6)) { facts_quantity_check(decision, quantity_e6, i, "quantity"); return false; }
    if (quantity_e6 <= 0) { report(decision, REASON_QUANTITY_TOLERANCE, facts_path(decision, i, "quantity"), "not positive"); return false; }
    const int64_t days = (quantity_e6 + whole_quantity_e6 - 1) / whole_quantity_e6;
    bool possible = true;
    for (size_t k = 0; k < meal_count; k++) {
        if (meals[k].count >= 0 && (meals[k].count <= days || !slice_equal(rate->unit, SLICE("day")))) continue;
        report(decision, REASON_QUANTITY_TOLERANCE, facts_path(decision, i, meals[k].field), "%d on %lld days", (int)meals[k].count, (long long)days);
        possible = false;
    }
    return possible;
}

/* False: it does not fit. */
static bool gross_compute(const struct item *item, const struct travel_rate *rate, const struct travel_rate *day, const struct meal *meals, size_t meal_count, int64_t *gross_e4) {
    if (!money_product(item->line->quantity_e6, QUANTITY_SCALE, rate->rate_e4, MONEY_SCALE, item->currency, gross_e4)) return false;
    for (size_t k = 0; k < meal_count; k++) {
        int64_t percent_e4, kept_e4;
        if (__builtin_mul_overflow(meals[k].percent_e4, (int64_t)meals[k].count, &percent_e4)) return false;
        if (!money_product(day->rate_e4, MONEY_SCALE, percent_e4, PER_CENT_SCALE, item->currency, &kept_e4)) return false;
        if (!decimal_subtract(*gross_e4, kept_e4, gross_e4)) return false;
    }
    if (*gross_e4 < 0) *gross_e4 = 0;
    return facts_amount_fits(*gross_e4);
}

void travel_line_check(struct claim *claim, size_t i) {
    struct decision *decision = claim->expense->decision;
    struct item *item = &claim->items[i];
    const struct expense_line *line = item->line;
    const struct travel_rate *rate = rate_find(claim, i, line->rate_kind), *day = rate ? day_rate_find(claim, i, rate) : NULL;
    if (!rate || !day) return;
    const struct meal meals[] = {{line->breakfasts, rate->breakfast_percent_e4, "breakfasts"}, {line->lunches, rate->lunch_percent_e4, "lunches"},
                                 {line->dinners, rate->dinner_percent_e4, "dinners"}};
    const size_t meal_count = sizeof meals / sizeof *meals;
    item->has_currency = currency_find(rate->currency, &item->currency);
    if (line->currency.length && !slice_equal(line->currency, rate->currency)) {
        report(decision, REASON_CURRENCY_MISMATCH, facts_path(decision, i, "currency"), "the rate is in " SLICE_FORMAT, SLICE_ARGUMENT(rate->currency));
        return;
    }
    int64_t gross_e4;
    if (!quantity_check(claim, i, rate, meals, meal_count)) return;
    if (!gross_compute(item, rate, day, meals, meal_count, &gross_e4)) { report(decision, REASON_AMOUNT_OVERFLOW, facts_path(decision, i, "quantity"), ""); return; }
    if (line->has_gross && line->gross_e4 != gross_e4) {
        char computed[DECIMAL_TEXT_SIZE];
        money_print(gross_e4, item->currency, computed);
        report(decision, REASON_TOTAL_MISMATCH, facts_path(decision, i, "gross"), "by the rate it is %s", computed);
        return;
    }
    item->gross_e4 = gross_e4;
    item->has_gross = true;
}
