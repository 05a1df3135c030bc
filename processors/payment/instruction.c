/* instruction: what must be right before money leaves: who pays, from and to which account, what for, and who released it. */
#include "processors/payment/payment.h"

#include "schemas/paid_account.h"
#include "schemas/supplier_account.h"

/* ---- amounts ---- */

static bool fits(struct payment *payment, int64_t amount_e4, const char *field) {
    facts_amount_check(payment->decision, &payment->facts, amount_e4, FACTS_HEAD, field);
    payment->summed &= facts_amount_fits(amount_e4);
    return facts_amount_fits(amount_e4);
}

static void item_amount_check(struct payment *payment, size_t i, int64_t amount_e4, const char *name) {
    if (!facts_amount_fits(amount_e4) || (payment->facts.has_currency && !money_precise(amount_e4, payment->facts.currency)))
        (void)fits(payment, amount_e4, item_path(payment->decision, i, name));
}

void payment_amounts_check(struct payment *payment) {
    const struct payment_event *event = payment->event;
    payment->summed = true;
    if (event->has_amount) (void)fits(payment, event->amount_e4, "amount");
    if (event->has_tax) (void)fits(payment, event->tax_e4, "tax");
    if (event->has_charges && fits(payment, event->charges_e4, "charges") && event->charges_e4 < 0)
        report(payment->decision, REASON_TOTAL_MISMATCH, "charges", "negative");
    for (size_t i = 0; i < event->items.count; i++) {
        item_amount_check(payment, i, event->items.items[i].amount_e4, "amount");
        item_amount_check(payment, i, event->items.items[i].discount_e4, "discount");
        item_amount_check(payment, i, event->items.items[i].withheld_e4, "withheld");
    }
}

/* ---- who pays, from which account ---- */

void payer_check(struct payment *payment) {
    struct decision *decision = payment->decision;
    const struct slice payer = payment->next.payer, entity = payment->event->entity;
    if (!payment->other_pays || !payment->payer.entity) return;
    const struct intercompany *agreement = look_up(decision, MASTER_INTERCOMPANY, KEY(decision, payer, entity), payment->facts.posting_date, NULL);
    if (!agreement) {
        hold_until_table(decision, REASON_INTERCOMPANY_UNPAIRED, "payer", MASTER_INTERCOMPANY, KEY(decision, payer, entity), payment->facts.posting_date);
        return;
    }
    payment->due_from = agreement->due_from_account;
    payment->due_to = agreement->due_to_account;
}

void bank_account_check(struct payment *payment, struct slice number) {
    struct decision *decision = payment->decision;
    const struct facts *payer = &payment->payer;
    if (!number.length) {
        report_as(decision, CLASS_HELD, REASON_BANK_ACCOUNT_UNKNOWN, "bank_account", "none is given");
        return;
    }
    if (!payer->entity) return;
    const struct slice key = KEY(decision, payer->entity->entity, number);
    const struct bank_account *bank = require(decision, MASTER_BANK_ACCOUNTS, key, payer->posting_date, REASON_BANK_ACCOUNT_UNKNOWN, "bank_account");
    if (!bank) return;
    const bool leaves = payment->event->kind == PAYMENT_KIND_INSTRUCTED || payment->event->kind == PAYMENT_KIND_SENT;   /* what the bank tells is booked in any case */
    if (leaves && slice_equal(bank->status, SLICE("closed"))) {
        report(decision, REASON_BANK_ACCOUNT_UNKNOWN, "bank_account", SLICE_FORMAT " is closed", SLICE_ARGUMENT(number));
        wait_for_table(decision, REASON_BANK_ACCOUNT_UNKNOWN, "bank_account", MASTER_BANK_ACCOUNTS, key, payer->posting_date);
    }
    if (payment->facts.has_currency && !slice_equal(bank->currency, currency_slice(&payment->facts.currency)))
        report(decision, REASON_CURRENCY_MISMATCH, "bank_account", "it is kept in " SLICE_FORMAT, SLICE_ARGUMENT(bank->currency));
    payment->bank = bank;
}

/* ---- whom it is paid to ---- */

static bool is_new(const struct payment *payment, const struct supplier_account *account, const struct paid_account *last) {
    const struct facts *facts = &payment->facts;
    if ((int64_t)facts->posting_date - account->valid_from >= facts->tolerance->bank_details_days) return false;
    return !last || !slice_equal(last->supplier_account, account->supplier_account) || !slice_equal(last->iban, account->iban);
}

static void supplier_account_check(struct payment *payment) {
    struct decision *decision = payment->decision;
    const struct payment_event *event = payment->event;
    const int32_t date = payment->facts.posting_date;
    if (!event->supplier_account.length) {
        if (slice_equal(payment->next.method, SLICE("transfer")))
            report_as(decision, CLASS_HELD, REASON_BANK_ACCOUNT_UNKNOWN, "supplier_account", "none is given, and a transfer needs one");
        return;
    }
    const struct slice key = KEY(decision, event->supplier, event->supplier_account);
    const struct supplier_account *account = require(decision, MASTER_SUPPLIER_ACCOUNTS, key, date, REASON_BANK_ACCOUNT_UNKNOWN, "supplier_account");
    if (!account) return;
    if (slice_equal(account->status, SLICE("closed"))) {
        report(decision, REASON_BANK_ACCOUNT_UNKNOWN, "supplier_account", SLICE_FORMAT " is closed", SLICE_ARGUMENT(event->supplier_account));
        wait_for_table(decision, REASON_BANK_ACCOUNT_UNKNOWN, "supplier_account", MASTER_SUPPLIER_ACCOUNTS, key, date);
    }
    if (account->currency.length && !slice_equal(account->currency, event->currency))
        report(decision, REASON_CURRENCY_MISMATCH, "supplier_account", "it takes " SLICE_FORMAT, SLICE_ARGUMENT(account->currency));
    const struct slice paid_key = KEY(decision, event->entity, event->supplier);
    const bool new = is_new(payment, account, state_find(decision, STORE_PAID_ACCOUNTS, paid_key));
    if (new || slice_equal(account->status, SLICE("unverified")))
        hold_until_table(decision, REASON_BANK_ACCOUNT_UNVERIFIED, "supplier_account", MASTER_SUPPLIER_ACCOUNTS, key, date);
    if (new) {
        hold_until_state(decision, REASON_BANK_ACCOUNT_UNVERIFIED, "supplier_account", STORE_PAID_ACCOUNTS, paid_key);
        hold_until_policy(payment, REASON_BANK_ACCOUNT_UNVERIFIED, "supplier_account");
    }
    payment->iban = account->iban;
}

/* The event's method, else that of the first item that has one, else the supplier's. */
static struct slice method_find(struct payment *payment) {
    const struct payment_event *event = payment->event;
    if (event->method.length) return event->method;
    for (size_t i = 0; i < event->items.count; i++) {
        const struct open_item *item = item_find(payment, event->items.items[i].document);
        if (item && item->method.length) return item->method;
    }
    const struct supplier *supplier = payment->facts.supplier;
    return supplier && supplier->payment_method.length ? supplier->payment_method : SLICE("transfer");
}

/* ---- instructed ---- */

static void head_check(struct payment *payment) {
    struct decision *decision = payment->decision;
    const struct payment_event *event = payment->event;
    if (event->prepayment ? event->items.count != 0 : event->items.count == 0)
        report(decision, REASON_TOTAL_MISMATCH, "items", event->prepayment ? "a prepayment has none" : "missing");
    if (!event->has_amount) report(decision, REASON_TOTAL_MISMATCH, "amount", "missing");
    else if (facts_amount_fits(event->amount_e4) && (event->amount_e4 < 0 || (event->prepayment && !event->amount_e4)))
        report(decision, REASON_TOTAL_MISMATCH, "amount", event->amount_e4 < 0 ? "the supplier owes: that is a refund" : "a prepayment of nothing");
}

static bool item_fits(const struct payment_item *paid) {
    return facts_amount_fits(paid->amount_e4) && facts_amount_fits(paid->discount_e4) && facts_amount_fits(paid->withheld_e4);
}

static void items_instruct(struct payment *payment) {
    const struct payment_event *event = payment->event;
    struct payment_state *next = &payment->next;
    int64_t sum_e4 = 0;
    next->items.items = decision_alloc(payment->decision, (event->items.count + 1) * sizeof *next->items.items);
    next->items.count = event->items.count;
    for (size_t i = 0; i < event->items.count; i++) {
        const struct payment_item *from = &event->items.items[i];
        if (!item_fits(from)) continue;
        const int64_t part_e4 = from->amount_e4 + from->discount_e4 + from->withheld_e4;
        struct paid_item *paid = &next->items.items[i];
        *paid = (struct paid_item){.document = from->document, .amount_e4 = from->amount_e4, .discount_e4 = from->discount_e4, .withheld_e4 = from->withheld_e4};
        payment->summed &= decimal_add(sum_e4, from->amount_e4, &sum_e4);
        struct open_item *item = item_check(payment, i, from->document, part_e4, ITEM_INSTRUCTED);
        if (!item) continue;
        item_deductions_check(payment, i, item, from);
        if (payment->facts.has_currency) paid->discount_tax_e4 = payment_share(payment, item->tax_e4, from->discount_e4, item->amount_e4, payment->facts.currency);
        paid->tax_code = item->tax_code;
        paid->category = item->category;
        item->instructed_e4 += part_e4;
    }
    if (payment->summed && event->items.count && event->has_amount && sum_e4 != event->amount_e4)
        report(payment->decision, REASON_TOTAL_MISMATCH, "amount", "not the sum of the items");
}

void payment_decide_instructed(struct payment *payment) {
    struct decision *decision = payment->decision;
    const struct payment_event *event = payment->event;
    const bool offset = !event->prepayment && event->has_amount && !event->amount_e4;
    items_begin(payment, event->items.count);
    payment->next = (struct payment_state){.status = PAYMENT_STATUS_INSTRUCTED, .version = (payment->state ? payment->state->version : 0) + 1,
        .prepayment = event->prepayment, .currency = event->currency, .amount_e4 = event->has_amount ? event->amount_e4 : 0, .payer = payment->next.payer,
        .bank_account = event->bank_account, .supplier_account = event->supplier_account, .method = method_find(payment), .order = event->order,
        .user = event->user, .tax_code = event->tax_code};
    head_check(payment);
    supplier_block_check(payment);
    payer_check(payment);
    if (!offset) {
        bank_account_check(payment, event->bank_account);
        supplier_account_check(payment);
    }
    items_instruct(payment);
    prepayment_tax_check(payment);
    if (refused(decision)) return;
    items_put(payment);
    state_put(decision, STORE_PAYMENTS, payment->key, &payment->next);
}

/* ---- approved, cancelled ---- */

void payment_decide_approved(struct payment *payment) {
    struct decision *decision = payment->decision;
    const struct payment_event *event = payment->event;
    if (payment->state->approved) {
        if (!refused(decision)) report(decision, REASON_NO_EFFECT, "document", "approved already");
        return;
    }
    if (!event->user.length) report(decision, REASON_APPROVAL_MISSING, "user", "an approval names who gives it");
    else if (slice_equal(event->user, payment->state->user)) report(decision, REASON_SELF_APPROVAL, "user", SLICE_FORMAT " instructed it", SLICE_ARGUMENT(event->user));
    items_blocks_check(payment);
    if (refused(decision)) return;
    payment->next.approved = true;
    state_put(decision, STORE_PAYMENTS, payment->key, &payment->next);
}

void payment_decide_cancelled(struct payment *payment) {
    struct decision *decision = payment->decision;
    const struct payment_state *state = payment->state;
    if (refused(decision)) return;
    items_begin(payment, state->items.count);
    for (size_t i = 0; i < state->items.count; i++) {
        struct open_item *item = item_find(payment, state->items.items[i].document);
        if (item) item->instructed_e4 -= paid_item_settles(&state->items.items[i]);
    }
    payment->next.status = PAYMENT_STATUS_CANCELLED;
    items_put(payment);
    state_put(decision, STORE_PAYMENTS, payment->key, &payment->next);
}
