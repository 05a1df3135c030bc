/* exchange: the rate of a day between any two currencies: the table's own, or over the functional currency. */
#include "common/ledger/fx.h"
#include "processors/expense/expense.h"
#include "schemas/fx_rate.h"

/* The table's rate; false: none that holds on the day. key: what it was looked up by. */
static bool rate_find(struct expense *expense, int32_t date, struct currency from, struct currency to, int64_t *rate_e10, struct slice *key) {
    *rate_e10 = FX_RATE_ONE_E10;
    if (currency_equal(from, to)) return true;
    *key = KEY(expense->decision, SLICE("M"), currency_slice(&from), currency_slice(&to));
    const struct fx_rate *rate = look_up(expense->decision, MASTER_FX_RATES, *key, date, NULL);
    if (!rate || (int64_t)date - rate->valid_from > rate->max_age_days || !codec_decimal_is_number(rate->rate_e10) || rate->rate_e10 <= 0) return false;
    *rate_e10 = rate->rate_e10;
    return true;
}

static void missing_report(struct expense *expense, struct slice key, int32_t date, const char *path) {
    if (!require(expense->decision, MASTER_FX_RATES, key, date, REASON_FX_RATE_MISSING, path)) return;
    wait_for_table(expense->decision, REASON_FX_RATE_MISSING, path, MASTER_FX_RATES, key, date);   /* too old, or no rate */
}

bool exchange_rate(struct expense *expense, int32_t date, struct currency from, struct currency to, size_t line, const char *field, int64_t *rate_e10) {
    const struct currency functional = expense->facts.functional;
    struct slice direct = {0}, numerator = {0}, denominator = {0};
    int64_t from_e10, to_e10;
    if (rate_find(expense, date, from, to, rate_e10, &direct)) return true;
    if (!expense->facts.entity) return false;   /* the functional currency is not known, and the event waits for that */
    const bool has_from = rate_find(expense, date, from, functional, &from_e10, &numerator);
    const bool has_to = rate_find(expense, date, to, functional, &to_e10, &denominator);
    /* Both are units of the functional currency: one `from` is from/to of the other. */
    if (has_from && has_to && decimal_divide(from_e10, FX_RATE_SCALE, to_e10, FX_RATE_SCALE, FX_RATE_SCALE, DECIMAL_HALF_UP, rate_e10) && *rate_e10 > 0) return true;
    const char *path = facts_path(expense->decision, line, field);
    missing_report(expense, direct, date, path);
    if (!has_from) missing_report(expense, numerator, date, path);
    if (!has_to) missing_report(expense, denominator, date, path);
    return false;
}

bool exchange_value(struct expense *expense, int64_t amount_e4, int32_t date, struct currency from, struct currency to, size_t line, const char *field,
                    int64_t *value_e4) {
    int64_t rate_e10;
    *value_e4 = amount_e4;
    if (currency_equal(from, to)) return true;
    if (!exchange_rate(expense, date, from, to, line, field, &rate_e10)) return false;
    if (fx_convert(amount_e4, rate_e10, FX_DIRECT, to, value_e4) && facts_amount_fits(*value_e4)) return true;
    report(expense->decision, REASON_AMOUNT_OVERFLOW, facts_path(expense->decision, line, field), "in %s", to.code);
    return false;
}
