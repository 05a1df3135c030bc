/* terms: when a document falls due, and what may be kept of it when it is paid early (docs/purchase-to-pay.md, "Payment terms").
 * Pure: dates are days since 1970-01-01. */
#ifndef KONTOR_SHARED_TERMS_H
#define KONTOR_SHARED_TERMS_H
#include "common/ledger/date.h"
#include "schemas/payable.h"
#include "schemas/payment_term.h"

/* Of a document under these terms. False: a baseline that is none of document_date, posting_date and end_of_month, a negative number of days or months, or a
 * date beyond the calendar. */
MUST_CHECK bool terms_due_date(const struct payment_term *terms, int32_t document_date, int32_t posting_date, int32_t *due_date);
/* Last day of the terms' discount at a position. False: as above. */
MUST_CHECK bool terms_discount_date(const struct payment_term *terms, size_t discount, int32_t document_date, int32_t posting_date, int32_t *date);
#endif
