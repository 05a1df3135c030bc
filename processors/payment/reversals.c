/* reversals: a bank that refuses, money that comes back: what was booked is taken back at its own rate, and the items are open again at theirs. */
#include "processors/payment/payment.h"

/* ---- some of the items ---- */

/* A part of a journal that was sent, taken back: the same lines with the sides swapped, at its own rate. */
struct piece { struct posting posting; struct facts facts; const char *step; };

static void piece_begin(struct payment *payment, struct piece *piece, const struct facts *facts, struct slice journal, const char *suffix) {
    const struct posting_command *sent = emitted(payment->decision, OUTPUT_COMMANDS, journal);
    piece->facts = *facts;
    piece->facts.rate_e10 = currency_equal(facts->currency, facts->functional) ? 0 : sent->rate_e10;
    piece->step = decision_format(payment->decision, SLICE_FORMAT, SLICE_ARGUMENT(sent->step)).data;
    const char *step = decision_format(payment->decision, "%s%s", piece->step, suffix).data;
    payment_posting_begin(payment, &piece->posting, &piece->facts, step, payment->state->version);
    piece->posting.takes_back = true;
    piece->posting.rate_date = sent->rate_date;
    piece->posting.reverses = sent->idempotency_key;
    posting_follow(&piece->posting, sent);
}

/* The entity's half and, when another one pays, that one's: of the items named by the event, or of all that the payment still has. */
struct pieces { struct piece own, payers; };

static bool is_named(struct payment *payment, struct slice document) {
    for (size_t i = 0; i < payment->event->items.count; i++)
        if (slice_equal(payment->event->items.items[i].document, document)) return true;
    return false;
}

static void pieces_make(struct payment *payment, struct pieces *pieces, const char *suffix, bool named) {
    const struct payment_state *state = payment->state;
    int64_t paid_e4 = 0;
    bank_account_check(payment, state->bank_account);
    payer_check(payment);
    piece_begin(payment, &pieces->own, &payment->facts, state->journal, suffix);
    for (size_t i = 0; i < state->items.count; i++) {
        if (named && !is_named(payment, state->items.items[i].document)) continue;
        const struct posting_line line = paid_item_line(payment, pieces->own.step, &state->items.items[i], 1);
        posting_add(&pieces->own.posting, &line);
        paid_e4 += state->items.items[i].amount_e4;
        if (!payment->other_pays) payment->next.transit_functional_e4 -= posting_functional(&pieces->own.posting, state->items.items[i].amount_e4);
    }
    payment->next.amount_e4 -= paid_e4;
    posting_check(&pieces->own.posting);
    if (!payment->other_pays) return;
    piece_begin(payment, &pieces->payers, &payment->payer, state->payer_journal, suffix);
    struct posting_line line = {.step = slice_of(pieces->payers.step), .method = state->method};
    line.amounts_e4[RULE_PAID] = paid_e4;
    posting_add(&pieces->payers.posting, &line);
    payment->next.transit_functional_e4 -= posting_functional(&pieces->payers.posting, paid_e4);
    posting_check(&pieces->payers.posting);
}

static void pieces_emit(struct payment *payment, struct pieces *pieces) {
    if (payment->other_pays) posting_pair(&pieces->own.posting, &pieces->payers.posting);
    (void)posting_emit(&pieces->own.posting, OUTPUT_COMMANDS);
    if (payment->other_pays) (void)posting_emit(&pieces->payers.posting, OUTPUT_COMMANDS);
}

static void items_give_back(struct payment *payment, bool named) {
    const struct payment_state *state = payment->state;
    items_begin(payment, state->items.count);
    for (size_t i = 0; i < state->items.count; i++) {
        const struct paid_item *paid = &state->items.items[i];
        struct open_item *item = named && !is_named(payment, paid->document) ? NULL : item_find(payment, paid->document);
        if (item) item_reopen(item, paid_item_settles(paid), paid->functional_e4);
    }
}

static void named_check(struct payment *payment) {
    struct decision *decision = payment->decision;
    const struct payment_event *event = payment->event;
    const struct payment_state *state = payment->state;
    if (!event->items.count) report(decision, REASON_TOTAL_MISMATCH, "items", "it names none that was not accepted");
    else if (state->prepayment) report(decision, REASON_PAYMENT_UNMATCHED, "items", "a prepayment has no items");
    for (size_t i = 0; i < event->items.count; i++) {
        bool found = false;
        for (size_t k = 0; !found && k < state->items.count; k++) found = slice_equal(state->items.items[k].document, event->items.items[i].document);
        if (!found) report(decision, REASON_ORIGINAL_UNKNOWN, item_path(decision, i, "document"), "the payment has no such item");
    }
}

void payment_decide_partly_accepted(struct payment *payment) {
    struct decision *decision = payment->decision;
    const struct payment_state *state = payment->state;
    struct payment_state *next = &payment->next;
    if (state->answered) {
        if (!refused(decision)) report(decision, REASON_NO_EFFECT, "document", "the bank answered already");
        return;
    }
    named_check(payment);
    if (refused(decision)) return;
    struct paid_item *kept = decision_alloc(decision, (state->items.count + 1) * sizeof *kept);
    next->items.items = kept;
    next->items.count = 0;
    for (size_t i = 0; i < state->items.count; i++)
        if (!is_named(payment, state->items.items[i].document)) kept[next->items.count++] = state->items.items[i];
    if (!next->items.count) {
        *next = *state;
        payment_decide_back(payment);
        return;
    }
    struct pieces pieces = {0};
    pieces_make(payment, &pieces, "_partial_reversal", true);
    if (next->amount_e4 < 0) report(decision, REASON_PAYMENT_UNMATCHED, "items", "credits alone would be left of the payment");
    if (refused(decision)) return;
    items_give_back(payment, true);
    pieces_emit(payment, &pieces);
    next->answered = next->partly = true;
    if (!next->amount_e4) next->status = PAYMENT_STATUS_SETTLED;
    items_put(payment);
    state_put(decision, STORE_PAYMENTS, payment->key, next);
}

/* ---- the whole, or what is left of it ---- */

/* After the statement the money is on the bank account again; what the bank kept of it is lost. */
static void returned_add(struct payment *payment, struct posting *posting, int64_t charges_e4) {
    const struct payment_state *state = payment->state;
    bank_account_check(payment, state->bank_account);
    payment_posting_begin(payment, posting, &payment->payer, "payment_returned", state->version);
    struct posting_line line = {.method = state->method, .carried = {true, RULE_PAID, state->transit_functional_e4}};
    line.amounts_e4[RULE_PAID] = state->amount_e4;
    line.amounts_e4[RULE_CHARGES] = -charges_e4;
    posting_add(posting, &line);
    posting_check(posting);
}

static void back_check(struct payment *payment, int64_t charges_e4) {
    struct decision *decision = payment->decision;
    const struct payment_event *event = payment->event;
    const struct payment_state *state = payment->state;
    const bool settled = state->status == PAYMENT_STATUS_SETTLED;
    if (event->has_amount && payment->summed && event->amount_e4 != state->amount_e4 && (!settled || event->amount_e4 != state->amount_e4 - charges_e4))
        report(decision, REASON_PAYMENT_UNMATCHED, "amount", "not what was sent");
    if (charges_e4 && (!settled || state->refund)) report(decision, REASON_PAYMENT_UNMATCHED, "charges", "nothing was on the bank account that they could be kept from");
    if (state->prepayment && state->applications) report(decision, REASON_PAYMENT_UNMATCHED, "document", "the prepayment is applied to an invoice");
}

void payment_decide_back(struct payment *payment) {
    struct decision *decision = payment->decision;
    const struct payment_event *event = payment->event;
    const struct payment_state *state = payment->state;
    const int64_t charges_e4 = event->has_charges && facts_amount_fits(event->charges_e4) ? event->charges_e4 : 0;
    const bool onto_bank = state->status == PAYMENT_STATUS_SETTLED && !state->refund && state->amount_e4;
    struct posting returned = {0};
    struct pieces rest = {0};
    back_check(payment, charges_e4);
    if (onto_bank) returned_add(payment, &returned, charges_e4);
    if (state->partly && !refused(decision)) pieces_make(payment, &rest, "_reversal", false);
    else posting_reversal_check(decision, &payment->facts);
    if (payment->other_pays) posting_reversal_check(decision, &payment->payer);
    if (refused(decision)) return;
    items_give_back(payment, false);
    if (state->partly) pieces_emit(payment, &rest);
    else {
        (void)posting_reverse(decision, &payment->facts, OUTPUT_COMMANDS, state->journal);
        if (payment->other_pays) (void)posting_reverse(decision, &payment->payer, OUTPUT_COMMANDS, state->payer_journal);
    }
    if (onto_bank) (void)posting_emit(&returned, OUTPUT_COMMANDS);
    payment->next.status = event->kind == PAYMENT_KIND_RETURNED ? PAYMENT_STATUS_RETURNED : PAYMENT_STATUS_REJECTED;
    payment->next.journal = payment->next.payer_journal = (struct slice){0};
    items_put(payment);
    state_put(decision, STORE_PAYMENTS, payment->key, &payment->next);
}
