/* procurement: what was ordered, received and taken back, posted as accruals and commitments.
 *
 * Refuses, in this order: ENTITY_UNKNOWN, SUPPLIER_UNKNOWN, SUPPLIER_BLOCKED_FOR_POSTING, DATE_IMPLAUSIBLE, CURRENCY_UNKNOWN, AMOUNT_OVERFLOW,
 * CURRENCY_PRECISION, then what the kind asks for, then what a journal needs (docs/purchase-to-pay.md). The decision itself is in
 * processors/shared/order_events.c, because kontor-invoice keeps the same order book. */
#include "processors/shared/budget.h"
#include "processors/shared/order_book.h"
#include "processors/shared/order_events.h"
#include "schemas/order_line.h"
#include "schemas/commitment.h"

enum { STORE_ORDERS, STORE_RECEIPTS };
enum { OUTPUT_COMMANDS, OUTPUT_COMMITMENTS, OUTPUT_MOVEMENTS };

static const struct order_declaration declaration = {.orders = STORE_ORDERS, .receipts = STORE_RECEIPTS, .commands = OUTPUT_COMMANDS, .commitments = OUTPUT_COMMITMENTS};

static void procurement_envelope(struct decision *decision, const void *record, struct envelope *envelope) {
    order_event_envelope(decision, record, &declaration, envelope);
}

static void decide_procurement(struct decision *decision, const void *record) { order_event_decide(decision, record, &declaration); }

static void owner_of(int store, struct slice key, const void *record, struct record_owner *owner) {
    (void)key;
    order_event_owner(&declaration, store, record, owner);
}

static bool change_record(int store, void *record, const struct partner_change *change) {
    order_event_change(&declaration, store, record, change);
    return true;
}

static void change_event(int input, void *event, const struct partner_change *change) {
    (void)input;
    ((struct procurement_event *)event)->supplier = change->partner_to;
}

extern const struct processor procurement_processor;
const struct processor procurement_processor = {
    .name = "procurement",
    .inputs = {{"procurement.events", &procurement_event_type, .envelope = procurement_envelope, .decide = decide_procurement}},
    .tables = {MASTER_SOURCE_PERMISSIONS, POSTING_TABLES, END_OF_TABLES},
    .stores = {[STORE_ORDERS] = {"orders", &order_line_type, order_line_is_undelivered}, [STORE_RECEIPTS] = {"receipts", &receipt_state_type, NULL}},
    .outputs = {[OUTPUT_COMMANDS] = {"posting.commands", &posting_command_type, .per_erp = true}, [OUTPUT_COMMITMENTS] = {"commitments", &commitment_type, .per_erp = false},
                [OUTPUT_MOVEMENTS] = {BUDGET_MOVEMENTS, &budget_movement_type, .event_time = true}},
    .owner = owner_of, .change_record = change_record, .change_event = change_event,
};
