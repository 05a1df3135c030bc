/* kinds: what the kinds of events mean for the life of a document. */
#include "processors/acknowledger/acknowledger.h"

/* flow NULL: of every flow. A kind that is not here does nothing but be there. */
static const struct { const char *flow, *kind; enum effect effect; const char *noun; } kinds[] = {
    {"procurement", "requisition", EFFECT_ESTABLISHES, "requisition"},
    {"procurement", "order_created", EFFECT_ESTABLISHES, "order"},
    {"procurement", "goods_received", EFFECT_ESTABLISHES, "receipt"},
    {"procurement", "goods_returned", EFFECT_ESTABLISHES, "return of goods"},
    {"procurement", "service_entered", EFFECT_ESTABLISHES, "service entry"},
    {"procurement", "goods_receipt_cancelled", EFFECT_REVERSES_ORIGINAL, "cancellation"},
    {"procurement", "service_entry_cancelled", EFFECT_REVERSES_ORIGINAL, "cancellation"},
    {"invoice", "received", EFFECT_ESTABLISHES, "invoice"},
    {"invoice", "approved", EFFECT_ESTABLISHES, "invoice"},
    {"invoice", "credit_note", EFFECT_ESTABLISHES, "credit note"},
    {"invoice", "subsequent_debit", EFFECT_ESTABLISHES, "subsequent debit"},
    {"invoice", "rebate", EFFECT_ESTABLISHES, "rebate"},
    {"invoice", "grni_written_off", EFFECT_ESTABLISHES, "write-off"},
    {"invoice", "blocked", EFFECT_BLOCKS, "block"},
    {"invoice", "unblocked", EFFECT_UNBLOCKS, "block lifted"},
    {"invoice", "cleared", EFFECT_CLEARS, "clearing"},
    {"payment", "instructed", EFFECT_ESTABLISHES, "payment"},
    {"payment", "sent", EFFECT_SENT, "payment"},
    {"payment", "bank_accepted", EFFECT_ACCEPTED_BY_BANK, "payment"},
    {"payment", "bank_partly_accepted", EFFECT_PARTLY_BACK, "payment"},
    {"payment", "bank_rejected", EFFECT_CAME_BACK, "payment"},
    {"payment", "settled", EFFECT_SETTLED, "payment"},
    {"payment", "returned", EFFECT_CAME_BACK, "return"},
    {"payment", "refunded", EFFECT_REFUNDED, "refund"},
    {"payment", "prepayment_applied", EFFECT_APPLIED, "prepayment"},
    {"expense", "submitted", EFFECT_ESTABLISHES, "report"},
    {"expense", "approved", EFFECT_ESTABLISHES, "report"},
    {"expense", "rejected", EFFECT_REFUSES, "rejection"},
    {"expense", "withdrawn", EFFECT_REVERSES, "withdrawal"},
    {"expense", "reimbursed", EFFECT_CLEARS, "reimbursement"},
    {"expense", "advance_paid", EFFECT_ESTABLISHES, "advance"},
    {"expense", "card_transaction", EFFECT_ESTABLISHES, "card transaction"},
    {"expense", "card_transaction_reversed", EFFECT_REVERSES, "cancellation"},
    {"journal", "submitted", EFFECT_ESTABLISHES, "journal"},
    {"journal", "reversed", EFFECT_REVERSES, "reversal"},
    {NULL, "cancelled", EFFECT_REVERSES, "cancellation"},
    {NULL, "corrected", EFFECT_CORRECTS, "correction"},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static int kind_find(struct slice flow, struct slice kind) {
    int i = 0;
    while (i < KINDS && (!slice_equal(kind, slice_of(kinds[i].kind)) || (kinds[i].flow && !slice_equal(flow, slice_of(kinds[i].flow))))) i++;
    return i;
}

enum effect kind_effect(struct slice flow, struct slice kind) {
    const int i = kind_find(flow, kind);
    return i < KINDS ? kinds[i].effect : EFFECT_NONE;
}

struct slice kind_noun(struct slice flow, struct slice kind) {
    const int i = kind_find(flow, kind);
    return i < KINDS ? slice_of(kinds[i].noun) : flow;
}

bool kind_moves_money(struct slice flow, struct slice kind) {
    if (!slice_equal(flow, SLICE("payment"))) return false;
    switch (kind_effect(flow, kind)) {
    case EFFECT_SENT: case EFFECT_SETTLED: case EFFECT_CAME_BACK: case EFFECT_PARTLY_BACK: case EFFECT_REFUNDED: case EFFECT_APPLIED: return true;
    case EFFECT_NONE: case EFFECT_ESTABLISHES: case EFFECT_REVERSES: case EFFECT_REVERSES_ORIGINAL: case EFFECT_REFUSES: case EFFECT_CORRECTS: case EFFECT_BLOCKS: case EFFECT_UNBLOCKS:
    case EFFECT_CLEARS: case EFFECT_ACCEPTED_BY_BANK: break;
    }
    return false;
}
