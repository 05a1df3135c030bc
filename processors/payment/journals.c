/* journals: what is booked when a payment goes out, is seen on the statement, or comes from a supplier. */
#include "processors/payment/payment.h"

#include "schemas/paid_account.h"
#include "schemas/supplier_account.h"
#include "schemas/tax_code.h"

static struct posting_account tax_code_account(const struct payment *payment, struct slice code) {
    if (!code.length || !payment->facts.entity) return (struct posting_account){0};
    const struct slice key = KEY(payment->decision, payment->facts.entity->entity, code);
    const struct tax_code *record = look_up(payment->decision, MASTER_TAX_CODES, key, payment->facts.posting_date, NULL);
    return (struct posting_account){record ? record->account : (struct slice){0}, MASTER_TAX_CODES, key};
}

void payment_posting_begin(struct payment *payment, struct posting *posting, const struct facts *facts, const char *step, int32_t version) {
    posting_begin(posting, payment->decision, facts, slice_of(step), payment->document, version);
    posting->by_item = true;
    posting->item_amount = RULE_SETTLED;
    posting->payment_method = payment->next.method;
    posting->number = payment->event->reference;
    posting->has_value_date = payment->event->has_value_date;
    posting->value_date = payment->event->value_date;
    if (payment->bank) {
        const struct slice key = KEY(payment->decision, payment->bank->entity, payment->bank->bank_account);
        posting->accounts.bank = (struct posting_account){payment->bank->account, MASTER_BANK_ACCOUNTS, key};
        posting->accounts.transit = (struct posting_account){payment->bank->transit_account, MASTER_BANK_ACCOUNTS, key};
    } else if (facts->entity && !payment->next.amount_e4) {
        posting->accounts.transit.account = facts->entity->rounding_account;   /* nothing is on its way but what conversion leaves */
    }
    if (!payment->other_pays) return;
    const struct slice agreement = KEY(payment->decision, payment->next.payer, payment->event->entity);
    posting->accounts.intercompany = (struct posting_account){facts->other_entity ? payment->due_from : payment->due_to, MASTER_INTERCOMPANY, agreement};
}

struct posting_line paid_item_line(const struct payment *payment, const char *step, const struct paid_item *paid, int sign) {
    struct posting_line line = {.step = slice_of(step), .source_line = paid->document, .category = paid->category, .tax_code = paid->tax_code,
                                .method = payment->next.method};
    line.amounts_e4[RULE_PAID] = sign * paid->amount_e4;
    line.amounts_e4[RULE_DISCOUNT_TAX] = sign * paid->discount_tax_e4;
    line.amounts_e4[RULE_DISCOUNT_NET] = sign * (paid->discount_e4 - paid->discount_tax_e4);
    line.amounts_e4[RULE_WITHHELD] = sign * paid->withheld_e4;
    line.carried.has = true;
    line.carried.amount = RULE_SETTLED;
    line.carried.functional_e4 = sign * paid->functional_e4;
    if (paid->discount_tax_e4) line.tax_account = tax_code_account(payment, paid->tax_code);
    if (paid->withheld_e4 && payment->facts.supplier) line.withholding_account = tax_code_account(payment, payment->facts.supplier->withholding_code);
    return line;
}

/* ---- sent ---- */

/* The items as they are now: settled, no longer instructed. */
static void items_send(struct payment *payment, struct posting *posting, const char *step) {
    struct payment_state *next = &payment->next;
    items_begin(payment, next->items.count);
    struct paid_item *items = decision_alloc(payment->decision, (next->items.count + 1) * sizeof *items);
    for (size_t i = 0; i < next->items.count; i++) {
        items[i] = next->items.items[i];
        const int64_t part_e4 = paid_item_settles(&items[i]);
        struct open_item *item = item_check(payment, i, items[i].document, part_e4, ITEM_SENT);
        if (!item) continue;
        items[i].functional_e4 = item_settle(payment, item, part_e4);
        item->instructed_e4 -= part_e4;
        const struct posting_line line = paid_item_line(payment, step, &items[i], 1);
        posting_add(posting, &line);
        next->transit_functional_e4 += posting_functional(posting, items[i].amount_e4);
    }
    next->items.items = items;
}

static void approval_check(struct payment *payment, const struct posting *posting) {
    const struct tolerance *policy = payment->facts.tolerance;
    if (payment->state->approved || !policy->has_payment_approval || !posting->has_rate) return;
    if (posting_functional(posting, payment->state->amount_e4) < policy->payment_approval_e4) return;
    hold_until_state(payment->decision, REASON_APPROVAL_MISSING, "user", STORE_PAYMENTS, payment->key);
    hold_until_policy(payment, REASON_APPROVAL_MISSING, "user");
}

/* The payer's half: what it lays out for the entity. */
static void payer_add(struct payment *payment, struct posting *payers) {
    payment_posting_begin(payment, payers, &payment->payer, "payment_sent_payer", payment->state->version);
    struct posting_line line = {.method = payment->next.method};
    line.amounts_e4[RULE_PAID] = payment->state->amount_e4;
    posting_add(payers, &line);
    payment->next.transit_functional_e4 = posting_functional(payers, payment->state->amount_e4);
}

/* The account that was paid to counts as one that the supplier is known by. */
static void paid_account_put(struct payment *payment) {
    struct decision *decision = payment->decision;
    const struct payment_event *event = payment->event;
    const struct slice number = payment->state->supplier_account;
    if (!number.length) return;
    const struct supplier_account *account = look_up(decision, MASTER_SUPPLIER_ACCOUNTS, KEY(decision, event->supplier, number), payment->facts.posting_date, NULL);
    const struct paid_account paid = {.supplier_account = number, .iban = account ? account->iban : (struct slice){0}};
    state_put(decision, STORE_PAID_ACCOUNTS, KEY(decision, event->entity, event->supplier), &paid);
}

void payment_decide_sent(struct payment *payment) {
    struct decision *decision = payment->decision;
    const struct payment_event *event = payment->event;
    const struct payment_state *state = payment->state;
    struct payment_state *next = &payment->next;
    struct posting posting, payers = {0};
    if (event->has_amount && event->amount_e4 != state->amount_e4) report(decision, REASON_PAYMENT_UNMATCHED, "amount", "not what was instructed");
    supplier_block_check(payment);
    payer_check(payment);
    if (state->amount_e4) bank_account_check(payment, state->bank_account);
    next->transit_functional_e4 = 0;
    static const char *const steps[2][2] = {{"payment_sent", "payment_sent_bearer"}, {"prepayment_sent", "prepayment_sent_bearer"}};
    const char *step = steps[state->prepayment][payment->other_pays];
    payment_posting_begin(payment, &posting, &payment->facts, step, state->version);
    items_send(payment, &posting, step);
    if (state->prepayment) prepayment_line_add(payment, &posting, step);
    approval_check(payment, &posting);
    if (payment->other_pays) payer_add(payment, &payers);
    posting_check(&posting);
    if (payment->other_pays) posting_check(&payers);
    if (refused(decision)) return;
    if (payment->other_pays) posting_pair(&posting, &payers);
    next->status = state->amount_e4 ? PAYMENT_STATUS_SENT : PAYMENT_STATUS_SETTLED;
    next->journal = posting_emit(&posting, OUTPUT_COMMANDS);
    if (payment->other_pays) next->payer_journal = posting_emit(&payers, OUTPUT_COMMANDS);
    paid_account_put(payment);
    items_put(payment);
    state_put(decision, STORE_PAYMENTS, payment->key, next);
}

/* ---- settled ---- */

void payment_decide_settled(struct payment *payment) {
    struct decision *decision = payment->decision;
    const struct payment_event *event = payment->event;
    const struct payment_state *state = payment->state;
    const int64_t charges_e4 = event->has_charges && facts_amount_fits(event->charges_e4) ? event->charges_e4 : 0;
    if (event->has_amount && payment->summed && event->amount_e4 != state->amount_e4 && event->amount_e4 != state->amount_e4 + charges_e4)
        report(decision, REASON_PAYMENT_UNMATCHED, "amount", "not what was sent, and the charges do not explain it");
    bank_account_check(payment, state->bank_account);
    struct posting posting;
    payment_posting_begin(payment, &posting, &payment->payer, "payment_settled", state->version);
    struct posting_line line = {.method = state->method, .carried = {true, RULE_PAID, state->transit_functional_e4}};
    line.amounts_e4[RULE_PAID] = state->amount_e4;
    line.amounts_e4[RULE_CHARGES] = charges_e4;
    posting_add(&posting, &line);
    posting_check(&posting);
    if (refused(decision)) return;
    (void)posting_emit(&posting, OUTPUT_COMMANDS);
    payment->next.status = PAYMENT_STATUS_SETTLED;
    state_put(decision, STORE_PAYMENTS, payment->key, &payment->next);
}

/* ---- refunded ---- */

static void items_refund(struct payment *payment, struct posting *posting, int64_t charges_e4) {
    const struct payment_event *event = payment->event;
    struct payment_state *next = &payment->next;
    int64_t sum_e4 = 0;
    items_begin(payment, event->items.count);
    next->items.items = decision_alloc(payment->decision, (event->items.count + 1) * sizeof *next->items.items);
    next->items.count = event->items.count;
    for (size_t i = 0; i < event->items.count; i++) {
        const struct payment_item *from = &event->items.items[i];
        if (!facts_amount_fits(from->amount_e4)) continue;
        payment->summed &= decimal_add(sum_e4, from->amount_e4, &sum_e4);
        if (from->amount_e4 < 0 || from->discount_e4 || from->withheld_e4) {
            report(payment->decision, REASON_TOTAL_MISMATCH, item_path(payment->decision, i, "amount"), "a refund has positive amounts, no discount and no withholding");
            continue;
        }
        struct open_item *item = item_check(payment, i, from->document, -from->amount_e4, ITEM_REFUNDED);
        if (!item) continue;
        struct paid_item *paid = &next->items.items[i];
        *paid = (struct paid_item){.document = from->document, .amount_e4 = -from->amount_e4, .category = item->category, .tax_code = item->tax_code};
        paid->functional_e4 = item_settle(payment, item, -from->amount_e4);
        struct posting_line line = paid_item_line(payment, "payment_refunded", paid, -1);
        line.carried.amount = RULE_PAID;
        if (i == 0) line.amounts_e4[RULE_CHARGES] = -charges_e4;
        posting_add(posting, &line);
    }
    if (payment->summed && event->items.count && event->has_amount && sum_e4 != event->amount_e4)
        report(payment->decision, REASON_TOTAL_MISMATCH, "amount", "not the sum of the items");
}

void payment_decide_refunded(struct payment *payment) {
    struct decision *decision = payment->decision;
    const struct payment_event *event = payment->event;
    const int64_t charges_e4 = event->has_charges && facts_amount_fits(event->charges_e4) ? event->charges_e4 : 0;
    payment->next = (struct payment_state){.status = PAYMENT_STATUS_SETTLED, .version = (payment->state ? payment->state->version : 0) + 1, .refund = true,
        .currency = event->currency, .amount_e4 = event->has_amount ? event->amount_e4 : 0, .bank_account = event->bank_account, .method = event->method,
        .user = event->user};
    if (payment->other_pays) report(decision, REASON_INTERCOMPANY_UNPAIRED, "payer", "a refund comes to the entity itself");
    if (!event->has_amount) report(decision, REASON_TOTAL_MISMATCH, "amount", "missing");
    if (!event->items.count) report(decision, REASON_PAYMENT_UNMATCHED, "items", "it names no open credit");
    bank_account_check(payment, event->bank_account);
    struct posting posting;
    payment_posting_begin(payment, &posting, &payment->facts, "payment_refunded", payment->next.version);
    posting.item_amount = RULE_PAID;
    items_refund(payment, &posting, charges_e4);
    posting_check(&posting);
    if (refused(decision)) return;
    payment->next.journal = posting_emit(&posting, OUTPUT_COMMANDS);
    items_put(payment);
    state_put(decision, STORE_PAYMENTS, payment->key, &payment->next);
}
