/* invoice: what the processor's files share: invoice.c (kinds of events), lines.c (amounts, tax and match of the lines). */
#ifndef KONTOR_INVOICE_INVOICE_H
#define KONTOR_INVOICE_INVOICE_H
#include "processors/shared/order_book.h"
#include "processors/shared/posting.h"
#include "schemas/invoice_event.h"
#include "schemas/invoice_state.h"

enum { STORE_ORDERS, STORE_RECEIPTS, STORE_INVOICES, STORE_NUMBERS };
enum { OUTPUT_COMMANDS };

/* One event in the making. */
struct invoice {
    struct decision *decision;
    const struct invoice_event *event;
    struct slice key, number_key;
    const struct invoice_state *state;  /* as it was; NULL: never heard of */
    struct facts facts;
    struct order_book book;
    int32_t tax_date;
};

/* Step of the journal: with order as soon as a line has one. */
const char *invoice_step(const struct invoice_event *event);
/* AMOUNT_OVERFLOW, CURRENCY_PRECISION of everything that the event gives. */
void invoice_amounts_check(struct invoice *invoice);
/* ORDER_UNKNOWN, SUPPLIER_MISMATCH; NULL then. */
struct order_copy *invoice_order_require(struct invoice *invoice, size_t line);
/* Totals, tax and match; adds each line to the posting and what it covers to the state. */
void invoice_lines_check(struct invoice *invoice, struct posting *posting, struct invoice_state *state);
#endif
