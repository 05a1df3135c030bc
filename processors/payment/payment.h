/* payment: what the processor's files share: payment.c (kinds of events, what a payment's status lets happen), items.c (open items and what a payment may
 * settle of them), instruction.c (what must be right before money leaves), journals.c (what is booked), prepayment.c (paid before there is an invoice).
 * The rule book is docs/payments.md. Amounts are signed: a payable is positive, a credit negative. */
#ifndef KONTOR_PAYMENT_PAYMENT_H
#define KONTOR_PAYMENT_PAYMENT_H
#include "processors/shared/posting.h"
#include "schemas/bank_account.h"
#include "schemas/open_item.h"
#include "schemas/payment_event.h"
#include "schemas/payment_state.h"

enum { STORE_ITEMS, STORE_PAYMENTS, STORE_PAID_ACCOUNTS };
enum { OUTPUT_COMMANDS, OUTPUT_ENTRIES };

/* An open item as this event sees and changes it: one document may be in a payment twice. */
struct item_copy { struct slice key; struct open_item item; };

/* One event in the making. */
struct payment {
    struct decision *decision;
    const struct payment_event *event;
    struct slice document, key;             /* of the payment that it is about */
    const struct payment_state *state;      /* as it was; NULL: never heard of */
    struct payment_state next;              /* as it becomes */
    struct facts facts, payer;              /* payer: where the bank account is; of another entity or the same as facts */
    bool other_pays;
    struct slice due_from, due_to;          /* accounts of the agreement, when another entity pays */
    const struct bank_account *bank;        /* NULL: not needed, or reported */
    struct slice iban;                      /* of the supplier's account */
    struct item_copy *items;
    size_t item_count;
    bool summed;                            /* all amounts are numbers that fit: sums can be compared */
};

/* ---- items.c ---- */
/* A payable of kontor-invoice: what is open becomes what it says. */
void payable_follow(struct decision *decision, const void *record);
struct slice item_key(struct decision *decision, struct slice entity, struct slice supplier, struct slice document);
/* `items[3].amount`: for reports only, it formats. */
const char *item_path(struct decision *decision, size_t position, const char *field);
/* The item, or NULL. One that this event has met keeps what was done to it. */
struct open_item *item_find(struct payment *payment, struct slice document);
/* Makes room for what the event, or the payment that it is about, names. */
void items_begin(struct payment *payment, size_t count);
/* All items that the event has met go into the state as they are now. */
void items_put(struct payment *payment);

enum item_use { ITEM_INSTRUCTED, ITEM_SENT, ITEM_REFUNDED, ITEM_APPLIED };
/* Unknown (waits), ALREADY_CLEARED, PAYMENT_EXCEEDS_OPEN, CURRENCY_MISMATCH, and where it matters PAYMENT_BLOCKED. part: what it would settle, signed. NULL: reported. */
struct open_item *item_check(struct payment *payment, size_t position, struct slice document, int64_t part_e4, enum item_use use);
/* PAYMENT_BLOCKED of all items of the payment, and SUPPLIER_BLOCKED_FOR_PAYMENT. */
void items_blocks_check(struct payment *payment);
void supplier_block_check(struct payment *payment);
/* Reports and holds, also until the entity's policy changes. */
void hold_until_policy(struct payment *payment, enum reason reason, const char *field);
/* DISCOUNT_EXCEEDED, WITHHOLDING_WRONG. */
void item_deductions_check(struct payment *payment, size_t position, const struct open_item *item, const struct payment_item *paid);
/* whole × part / of, half up; all of it when part is `of`. Reports AMOUNT_OVERFLOW and is 0 then. */
int64_t payment_share(struct payment *payment, int64_t whole_e4, int64_t part_e4, int64_t of_e4, struct currency currency);
/* Takes a part off what is open and returns the functional value that it carries away; gives it back. */
int64_t item_settle(struct payment *payment, struct open_item *item, int64_t part_e4);
void item_reopen(struct open_item *item, int64_t part_e4, int64_t functional_e4);
static inline int64_t paid_item_settles(const struct paid_item *paid) { return paid->amount_e4 + paid->discount_e4 + paid->withheld_e4; }

/* ---- instruction.c ---- */
void payment_decide_instructed(struct payment *payment);
void payment_decide_approved(struct payment *payment);
void payment_decide_cancelled(struct payment *payment);
/* Own bank account and, when another entity pays, the agreement, as of the posting date. */
void bank_account_check(struct payment *payment, struct slice bank_account);
void payer_check(struct payment *payment);
/* The event's amount and charges, each item's amounts; clears payment->summed. */
void payment_amounts_check(struct payment *payment);

/* ---- journals.c ---- */
void payment_decide_sent(struct payment *payment);
void payment_decide_settled(struct payment *payment);
void payment_decide_refunded(struct payment *payment);
/* ... reversals.c: a bank that refuses, money that comes back. */
void payment_decide_partly_accepted(struct payment *payment);
void payment_decide_back(struct payment *payment);
/* Begins a posting of the event's entity, or of the payer, with the accounts that rules may take from bank account and agreement. */
void payment_posting_begin(struct payment *payment, struct posting *posting, const struct facts *facts, const char *step, int32_t version);
/* The document line of an item, at what it carries away; sign -1: taken back. */
struct posting_line paid_item_line(const struct payment *payment, const char *step, const struct paid_item *paid, int sign);

/* ---- prepayment.c ---- */
void prepayment_tax_check(struct payment *payment);
void prepayment_line_add(struct payment *payment, struct posting *posting, const char *step);
void payment_decide_prepayment_applied(struct payment *payment);
#endif
