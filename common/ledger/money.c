#include "common/ledger/money.h"

int64_t money_minor_unit_e4(struct currency currency) {
    static const int64_t units[MONEY_SCALE + 1] = {10000, 1000, 100, 10, 1};
    int digits = currency_minor_digits(currency);
    return digits == CURRENCY_DIGITS_NONE ? 0 : units[digits];
}

bool money_precise(int64_t amount_e4, struct currency currency) {
    int64_t unit = money_minor_unit_e4(currency);
    return unit > 0 && amount_e4 >= -MONEY_MAXIMUM_E4 && amount_e4 <= MONEY_MAXIMUM_E4 && amount_e4 % unit == 0;
}

bool money_round(struct decimal_exact exact, struct currency currency, int64_t *amount_e4) {
    int64_t unit = money_minor_unit_e4(currency), units;
    if (unit == 0 || !decimal_round(exact, currency_minor_digits(currency), DECIMAL_HALF_UP, &units)) return false;
    if (units > MONEY_MAXIMUM_E4 / unit || units < -MONEY_MAXIMUM_E4 / unit) return false;
    *amount_e4 = units * unit;
    return true;
}

bool money_from(int64_t value, int scale, struct currency currency, int64_t *amount_e4) {
    struct decimal_exact exact;
    return decimal_value(value, scale, &exact) && money_round(exact, currency, amount_e4);
}

bool money_product(int64_t a, int a_scale, int64_t b, int b_scale, struct currency currency, int64_t *amount_e4) {
    struct decimal_exact exact;
    return decimal_product(a, a_scale, b, b_scale, &exact) && money_round(exact, currency, amount_e4);
}

bool money_share(int64_t amount_e4, int64_t part, int64_t whole, struct currency currency, int64_t *share_e4) {
    struct decimal_exact exact;
    return decimal_share(amount_e4, MONEY_SCALE, part, whole, &exact) && money_round(exact, currency, share_e4);
}

size_t money_print(int64_t amount_e4, struct currency currency, char text[DECIMAL_TEXT_SIZE]) {
    int digits = currency_minor_digits(currency);
    return decimal_print(amount_e4, MONEY_SCALE, digits == CURRENCY_DIGITS_NONE ? 0 : digits, text);
}
