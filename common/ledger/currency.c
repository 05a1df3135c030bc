#include "common/ledger/currency.h"

const struct currency_entry *currency_look_up(struct slice code) {
    if (code.length != 3) return NULL;
    for (size_t low = 0, high = currency_list_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(code.data, currency_list[middle].currency.code, 3);
        if (order == 0) return &currency_list[middle];
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return NULL;
}

bool currency_find(struct slice code, struct currency *currency) {
    const struct currency_entry *entry = currency_look_up(code);
    if (!entry || entry->minor_digits == CURRENCY_DIGITS_NONE) return false;
    *currency = entry->currency;
    return true;
}

int currency_minor_digits(struct currency currency) {
    const struct currency_entry *entry = currency_look_up((struct slice){currency.code, strnlen(currency.code, sizeof currency.code)});
    return entry ? entry->minor_digits : CURRENCY_DIGITS_NONE;
}
