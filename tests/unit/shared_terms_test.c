/* Due and discount dates against dates made by hand with a calendar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "processors/shared/terms.h"

static int32_t day(const char *text) {
    int32_t date = DATE_NONE;
    if (!date_parse(slice_of(text), &date)) fail_msg("no date: %s", text);
    return date;
}

static void finds_the_due_date(void **state) {
    (void)state;
    static const struct { const char *baseline; int months, days; const char *document, *posting, *due; } dates[] = {
        {"document_date", 0, 0, "2026-03-02", "2026-03-05", "2026-03-02"},
        {"document_date", 0, 30, "2026-03-02", "2026-03-05", "2026-04-01"},
        {"posting_date", 0, 30, "2026-03-02", "2026-03-05", "2026-04-04"},
        {"document_date", 0, 30, "2024-01-31", "2024-02-01", "2024-03-01"},   /* over 29 February 2024 */
        {"document_date", 0, 30, "2023-01-31", "2023-02-01", "2023-03-02"},
        {"document_date", 0, 365, "2023-03-01", "2023-03-01", "2024-02-29"},
        {"document_date", 1, 0, "2024-01-31", "2024-02-01", "2024-02-29"},
        {"document_date", 1, 0, "2023-01-31", "2023-02-01", "2023-02-28"},
        {"document_date", 12, 0, "2024-02-29", "2024-03-01", "2025-02-28"},
        {"document_date", 48, 0, "2024-02-29", "2024-03-01", "2028-02-29"},
        {"document_date", 1, 10, "2026-11-30", "2026-11-30", "2027-01-09"},   /* 30 December and 10 days */
        {"posting_date", 2, 0, "2026-01-01", "2026-12-31", "2027-02-28"},
        {"end_of_month", 0, 0, "2026-02-01", "2026-03-05", "2026-02-28"},
        {"end_of_month", 0, 0, "2024-02-29", "2024-03-05", "2024-02-29"},
        {"end_of_month", 0, 30, "2026-03-02", "2026-03-05", "2026-04-30"},
        {"end_of_month", 1, 0, "2026-02-28", "2026-03-05", "2026-03-31"},
        {"end_of_month", 1, 0, "2026-01-31", "2026-03-05", "2026-02-28"},
        {"end_of_month", 2, 15, "2025-12-31", "2026-01-05", "2026-03-15"},
        {"end_of_month", 0, 10, "2026-12-31", "2027-01-05", "2027-01-10"},
        {"document_date", 0, 45, "1900-02-01", "1900-02-01", "1900-03-18"},   /* 1900 was no leap year */
    };
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
        const struct payment_term terms = {.baseline = slice_of(dates[i].baseline), .net_months = dates[i].months, .net_days = dates[i].days};
        int32_t due = DATE_NONE;
        char text[DATE_TEXT_SIZE];
        if (!terms_due_date(&terms, day(dates[i].document), day(dates[i].posting), &due)) fail_msg("line %zu: no due date", i);
        date_print(due, text);
        if (strcmp(text, dates[i].due) != 0) fail_msg("line %zu: %s, expected %s", i, text, dates[i].due);
    }
}

/* Months are of the due date only: a discount counts from the baseline itself. */
static void finds_discount_dates(void **state) {
    (void)state;
    struct payment_discount discounts[] = {{10, 30000}, {20, 20000}};
    struct payment_term terms = {.baseline = SLICE("end_of_month"), .net_months = 1, .net_days = 0, .discounts = {discounts, 2}};
    int32_t date = DATE_NONE;
    assert_true(terms_discount_date(&terms, 0, day("2026-02-05"), day("2026-03-01"), &date));
    assert_int_equal(date, day("2026-03-10"));
    assert_true(terms_discount_date(&terms, 1, day("2026-02-05"), day("2026-03-01"), &date));
    assert_int_equal(date, day("2026-03-20"));
    terms.baseline = SLICE("posting_date");
    assert_true(terms_discount_date(&terms, 0, day("2026-02-05"), day("2028-02-20"), &date));
    assert_int_equal(date, day("2028-03-01"));
}

static void refuses_terms_that_cannot_be(void **state) {
    (void)state;
    struct payment_discount discount = {-1, 30000};
    int32_t date = 7;
    const struct payment_term refused[] = {
        {.baseline = SLICE("full_moon"), .net_days = 30}, {.baseline = SLICE(""), .net_days = 30}, {.baseline = SLICE("document_date"), .net_days = -1},
        {.baseline = SLICE("document_date"), .net_months = -1}, {.baseline = SLICE("document_date"), .net_days = INT32_MAX}, {.baseline = SLICE("end_of_month"),
            .net_months = INT32_MAX}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (terms_due_date(&refused[i], day("2026-02-05"), day("2026-02-05"), &date)) fail_msg("line %zu was taken", i);
    const struct payment_term negative = {.baseline = SLICE("document_date"), .discounts = {&discount, 1}};
    assert_false(terms_discount_date(&negative, 0, day("2026-02-05"), day("2026-02-05"), &date));
    const struct payment_term plain = {.baseline = SLICE("document_date"), .net_days = 1};
    assert_false(terms_due_date(&plain, DATE_MAXIMUM, DATE_MAXIMUM, &date));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_the_due_date), cmocka_unit_test(finds_discount_dates), cmocka_unit_test(refuses_terms_that_cannot_be)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
