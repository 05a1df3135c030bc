#include "processors/shared/terms.h"

/* The date that days count from, so many months later. */
static bool baseline(const struct payment_term *terms, int months, int32_t document_date, int32_t posting_date, int32_t *date) {
    const bool month_end = slice_equal(terms->baseline, SLICE("end_of_month")), posting = slice_equal(terms->baseline, SLICE("posting_date"));
    if (!month_end && !posting && !slice_equal(terms->baseline, SLICE("document_date"))) return false;
    if (months < 0 || !date_add_months(posting ? posting_date : document_date, months, date)) return false;
    if (month_end) *date = date_last_of_month(*date);   /* after the months: the end of February and a month is the end of March */
    return true;
}

bool terms_due_date(const struct payment_term *terms, int32_t document_date, int32_t posting_date, int32_t *due_date) {
    int32_t from;
    return terms->net_days >= 0 && baseline(terms, terms->net_months, document_date, posting_date, &from) && date_add_days(from, terms->net_days, due_date);
}

bool terms_discount_date(const struct payment_term *terms, size_t discount, int32_t document_date, int32_t posting_date, int32_t *date) {
    int32_t from, days = terms->discounts.items[discount].days;
    return days >= 0 && baseline(terms, 0, document_date, posting_date, &from) && date_add_days(from, days, date);
}
