/* order_events: what a procurement event does, for kontor-procurement, which posts and acknowledges it, and for kontor-invoice, which follows it: the same
 * checks and the same changes, so that both know the same orders and receipts. */
#ifndef KONTOR_SHARED_ORDER_EVENTS_H
#define KONTOR_SHARED_ORDER_EVENTS_H
#include "processors/shared/posting.h"
#include "schemas/procurement_event.h"
#include "schemas/receipt.h"

/* Positions in the processor's declaration. */
struct order_declaration {
    int orders, receipts;               /* stores */
    bool follows;                       /* keeps the order book and emits nothing */
    int commands, commitments;          /* outputs; unused when it follows */
};

void order_event_envelope(struct decision *decision, const struct procurement_event *event, const struct order_declaration *declaration, struct envelope *envelope);
/* Whose the order lines and receipts are: their keys do not say it. */
void order_event_owner(const struct order_declaration *declaration, int store, const void *record, struct record_owner *owner);
/* They are another supplier's. */
void order_event_change(const struct order_declaration *declaration, int store, void *record, const struct partner_change *change);
void order_event_decide(struct decision *decision, const struct procurement_event *event, const struct order_declaration *declaration);
#endif
