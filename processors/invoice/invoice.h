/* invoice: what the processor's files share: invoice.c (kinds of events), lines.c (amounts and match of the lines), tax.c (their tax), numbers.c (duplicates),
 * payables.c (terms and open items), retention.c (what is kept back), intercompany.c (what another entity bears),
 * write_off.c. */
#ifndef KONTOR_INVOICE_INVOICE_H
#define KONTOR_INVOICE_INVOICE_H
#include "processors/shared/order_book.h"
#include "processors/shared/posting.h"
#include "schemas/invoice_event.h"
#include "schemas/invoice_state.h"
#include "schemas/payable.h"

enum { STORE_ORDERS, STORE_RECEIPTS, STORE_INVOICES, STORE_NUMBERS, STORE_PAYABLES, STORE_AMOUNTS, STORE_TAX_ANSWERS, STORE_RETENTIONS, STORE_COMPANIONS };
enum { OUTPUT_COMMANDS, OUTPUT_PAYABLES, OUTPUT_ENTRIES, OUTPUT_MOVEMENTS };

/* What kind of document it is, whatever event tells of it. */
enum invoice_form { FORM_INVOICE, FORM_SUBSEQUENT_DEBIT, FORM_CREDIT_NOTE, FORM_REBATE };

struct invoice_pair;
/* The facts of another entity whose half is reversed. */
struct reversing { struct reversing *next; struct slice entity; struct facts facts; };

/* One event in the making. */
struct invoice {
    struct decision *decision;
    const struct invoice_event *event;  /* of a negative invoice: as the credit note that it is */
    struct slice key, number_key;
    const struct invoice_state *state;  /* as it was; NULL: never heard of */
    struct facts_given given;
    struct facts facts;
    struct order_book book;
    struct invoice_pair *pairs;
    struct reversing *reversing;
    enum invoice_form form;
    bool negated;                       /* the event says the amounts with the other sign */
    int32_t tax_date;
    bool match_failed;                  /* and the policy is to block the payment */
    const int64_t *taxes_e4;            /* tax by line, where it was computed on the sum of a tax code; NULL: nowhere */
    bool *taxes_known;                  /* for which lines */
    struct engine_tax *answered;        /* tax by line, where the external engine told it by tax code; NULL: not asked yet */
    int64_t retained_e4, retained_functional_e4;
    size_t taxed_lines;                 /* with deductible tax that was charged */
    struct payable payable;             /* the open item in the making: sums of the lines, terms */
};

static inline bool invoice_is_credit(const struct invoice *invoice) { return invoice->form == FORM_CREDIT_NOTE || invoice->form == FORM_REBATE; }
struct slice invoice_key(struct decision *decision, const struct invoice_event *event, struct slice document);

/* ---- lines.c ---- */

/* Step of the journal: with order as soon as a line has one. */
const char *invoice_step(const struct invoice *invoice);
/* AMOUNT_OVERFLOW, CURRENCY_PRECISION of everything that the event gives. */
void invoice_amounts_check(struct invoice *invoice);
/* ORDER_UNKNOWN, SUPPLIER_MISMATCH; NULL then. */
struct order_copy *invoice_order_require(struct invoice *invoice, size_t line);
/* Totals, tax and match; adds each line to the posting and what it covers to the state. */
void invoice_lines_check(struct invoice *invoice, struct posting *posting, struct invoice_state *state);
/* Remembers what the document covers of an order line. */
void invoice_cover_keep(struct decision *decision, struct slice key, const struct order_cover *cover, struct invoice_state *state);
/* Gives back what a posted document covers; of a credit note: covers again what it gave back. */
void invoice_uncover(struct invoice *invoice, const struct invoice_state *posted);

/* ---- tax.c ---- */

/* Tax by code, where it is computed on the sum of the lines: before the lines. */
void invoice_taxes_check(struct invoice *invoice);
/* Fills the tax amounts of a line and tells what the supplier charged. *known is cleared when the document does not say and we cannot tell. */
int64_t invoice_line_tax(struct invoice *invoice, size_t line, struct posting_line *amounts, bool *known);
/* TAX_ID_INVALID of the supplier when a line is under reverse charge. */
void invoice_tax_id_check(struct invoice *invoice);
/* Keeps the external engine's answer; decides tax_answered. */
void invoice_tax_answered(struct invoice *invoice);

/* ---- numbers.c ---- */

/* DUPLICATE_DOCUMENT, POSSIBLE_DUPLICATE, by number and by amount. */
void invoice_duplicate_check(struct invoice *invoice);
/* Number and amount are the document's; what it had before under others is free. */
void invoice_number_take(struct invoice *invoice, struct invoice_state *state);
void invoice_number_free(struct invoice *invoice, struct slice document, const struct invoice_state *state);

/* ---- payables.c ---- */

/* Due date, discounts and method: PAYMENT_TERMS_UNKNOWN. After posting_begin; fills the posting's head too. */
void invoice_terms_find(struct invoice *invoice, struct posting *posting);
/* After posting_emit. document: of the item. */
void payable_open(struct invoice *invoice, const struct posting *posting, const struct invoice_state *state, struct slice document);
/* Of the document with that key, if it has an open item. */
void payable_change(struct invoice *invoice, struct slice key, bool blocked);
void payable_close(struct invoice *invoice, struct slice key);
bool payable_is_open(const void *record);

/* ---- retention.c ---- */

/* The event's retained amount over the lines, by their gross; the total is positive. TOTAL_MISMATCH. */
void retention_spread(struct invoice *invoice, struct posting_line *lines, const int64_t gross_e4[], size_t count);
/* Of the version that is posted now. */
void retention_keep(struct invoice *invoice);
int64_t retention_of(struct invoice *invoice, struct slice key);
/* Decides retention_released. */
void retention_release(struct invoice *invoice);
/* Reverses what was released of a document and closes its items. forget: the document is cancelled. */
void retention_take_back(struct invoice *invoice, struct slice key, bool forget);
void retention_block(struct invoice *invoice, bool blocked);
/* Items of the document that were released and are open. */
size_t retention_open_items(struct invoice *invoice, const struct payable ***items);

/* ---- write_off.c ---- */

/* Decides grni_written_off. */
void invoice_write_off(struct invoice *invoice);

/* ---- intercompany.c ---- */

/* Adds the line to the halves when another entity bears it. True: nothing of it is the payer's own; the line's deductible tax is then 0. own: the document's posting,
 * begun. INTERCOMPANY_UNPAIRED, ENTITY_UNKNOWN, TAX_CODE_UNKNOWN. */
bool intercompany_add(struct invoice *invoice, size_t i, const struct posting *own, struct posting_line *line);
/* posting_check of every half. */
void intercompany_check(struct invoice *invoice);
/* After the document's own; takes the head from it. False: there were no halves. */
bool intercompany_emit(struct invoice *invoice, struct posting *own);
/* Of the document's halves: PERIOD_UNKNOWN, PERIOD_MOVED; then their reversals, false when there are none. */
void intercompany_reversal_check(struct invoice *invoice, struct slice key);
bool intercompany_reverse(struct invoice *invoice, struct slice key, bool forget);
#endif
