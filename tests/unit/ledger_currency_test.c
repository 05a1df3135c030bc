/* The currency table is the list of ISO 4217, row by row, in both directions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/ledger/currency.h"

static void is_the_list(void **state) {
    (void)state;
    FILE *file = fopen("common/ledger/iso4217.csv", "r");
    assert_non_null(file);
    char line[256];
    size_t row = 0;
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "code,numeric,minor_unit,name\n");
    for (; fgets(line, sizeof line, file); row++) {
        assert_true(row < currency_list_count);
        line[strcspn(line, "\n")] = 0;
        char *rest = line, *code = strsep(&rest, ","), *numeric = strsep(&rest, ","), *digits = strsep(&rest, ",");
        const struct currency_entry *entry = &currency_list[row];
        assert_string_equal(entry->currency.code, code);
        assert_int_equal(entry->numeric, strtol(numeric, NULL, 10));
        assert_int_equal(entry->minor_digits, strcmp(digits, "-") == 0 ? CURRENCY_DIGITS_NONE : strtol(digits, NULL, 10));
        assert_string_equal(entry->name, rest);
        assert_ptr_equal(currency_look_up(slice_of(code)), entry);
        assert_int_equal(currency_minor_digits(entry->currency), entry->minor_digits);
    }
    fclose(file);
    assert_int_equal(row, currency_list_count);
}

static void counts_as_published(void **state) {
    (void)state;
    int by_digits[6] = {0}; /* none, 0, 1, 2, 3, 4 */
    for (size_t i = 0; i < currency_list_count; i++) {
        assert_in_range(currency_list[i].minor_digits + 1, 0, 5);
        by_digits[currency_list[i].minor_digits + 1]++;
        if (i > 0) assert_true(strcmp(currency_list[i - 1].currency.code, currency_list[i].currency.code) < 0);
    }
    assert_int_equal(by_digits[1], 17);
    assert_int_equal(by_digits[2], 0);
    assert_int_equal(by_digits[4], 7);
    assert_int_equal(by_digits[5], 2);
}

static void finds_only_what_can_be_posted(void **state) {
    (void)state;
    struct currency currency = {0};
    assert_true(currency_find(SLICE("EUR"), &currency));
    assert_string_equal(currency.code, "EUR");
    assert_true(currency_equal(currency, CURRENCY("EUR")));
    assert_false(currency_equal(currency, CURRENCY("USD")));
    static const char *const refused[] = {"eur", "EU", "EURO", "", "ZZZ", "AAA", "XAU", "XXX", "XTS", "DEM", "E\tR"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) assert_false(currency_find(slice_of(refused[i]), &currency));
    assert_int_equal(currency_minor_digits((struct currency){0}), CURRENCY_DIGITS_NONE);
    assert_int_equal(currency_minor_digits(CURRENCY("XAU")), CURRENCY_DIGITS_NONE);
    assert_int_equal(currency_minor_digits(CURRENCY("JPY")), 0);
    assert_int_equal(currency_minor_digits(CURRENCY("KWD")), 3);
    assert_int_equal(currency_minor_digits(CURRENCY("CLF")), 4);
    assert_int_equal(currency_minor_digits((struct currency){{'E', 'U', 'R', 'O'}}), CURRENCY_DIGITS_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(is_the_list), cmocka_unit_test(counts_as_published), cmocka_unit_test(finds_only_what_can_be_posted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
