/* payment: no money leaves but for what is open, once, to whom it is owed, released by two; and what happened to it is booked.
 *
 * Refuses, in this order: ENTITY_UNKNOWN, SUPPLIER_UNKNOWN, SUPPLIER_BLOCKED_FOR_POSTING, DATE_IMPLAUSIBLE, CURRENCY_UNKNOWN, CURRENCY_MISMATCH, AMOUNT_OVERFLOW,
 * CURRENCY_PRECISION; what the payment's status does not let happen (ORIGINAL_UNKNOWN, DUPLICATE_DOCUMENT, ALREADY_CLEARED, ALREADY_REVERSED, PAYMENT_UNMATCHED);
 * then by kind TOTAL_MISMATCH, SUPPLIER_BLOCKED_FOR_PAYMENT, INTERCOMPANY_UNPAIRED, BANK_ACCOUNT_UNKNOWN, BANK_ACCOUNT_UNVERIFIED, ORIGINAL_UNKNOWN, PAYMENT_BLOCKED,
 * ALREADY_CLEARED, PAYMENT_EXCEEDS_OPEN, DISCOUNT_EXCEEDED, TAX_CODE_UNKNOWN, WITHHOLDING_WRONG, TAX_AMOUNT_WRONG, APPROVAL_MISSING, SELF_APPROVAL; then what a
 * journal needs (docs/payments.md). Open items are followed on payables. */
#include "processors/payment/payment.h"

#include "schemas/paid_account.h"
#include "schemas/payable.h"

static const int64_t day_ms = 86400000;

/* ---- what the status lets happen ---- */

enum answer { DUE, WAITS, NOTHING, DUPLICATE, CLEARED, REVERSED, UNMATCHED };
enum { NEVER_HEARD_OF = PAYMENT_STATUS_CANCELLED + 1, STATUS_COUNT };

/* The table of docs/payments.md, "Which event when". */
static const unsigned char answers[][STATUS_COUNT] = {
    /*                                       instructed sent       settled    rejected   returned   cancelled  never heard of */
    [PAYMENT_KIND_INSTRUCTED] =             {DUPLICATE, DUPLICATE, DUPLICATE, DUE,       DUE,       DUE,       DUE},
    [PAYMENT_KIND_REFUNDED] =               {DUPLICATE, DUPLICATE, DUPLICATE, DUE,       DUE,       DUE,       DUE},
    [PAYMENT_KIND_APPROVED] =               {DUE,       NOTHING,   NOTHING,   REVERSED,  REVERSED,  REVERSED,  WAITS},
    [PAYMENT_KIND_CANCELLED] =              {DUE,       CLEARED,   CLEARED,   REVERSED,  REVERSED,  REVERSED,  WAITS},
    [PAYMENT_KIND_SENT] =                   {DUE,       NOTHING,   NOTHING,   UNMATCHED, UNMATCHED, UNMATCHED, WAITS},
    [PAYMENT_KIND_BANK_ACCEPTED] =          {WAITS,     DUE,       NOTHING,   UNMATCHED, UNMATCHED, UNMATCHED, WAITS},
    [PAYMENT_KIND_BANK_PARTLY_ACCEPTED] =   {WAITS,     DUE,       UNMATCHED, UNMATCHED, UNMATCHED, UNMATCHED, WAITS},
    [PAYMENT_KIND_BANK_REJECTED] =          {WAITS,     DUE,       UNMATCHED, NOTHING,   UNMATCHED, UNMATCHED, WAITS},
    [PAYMENT_KIND_SETTLED] =                {WAITS,     DUE,       CLEARED,   UNMATCHED, UNMATCHED, UNMATCHED, WAITS},
    [PAYMENT_KIND_RETURNED] =               {WAITS,     DUE,       DUE,       UNMATCHED, REVERSED,  UNMATCHED, WAITS},
    [PAYMENT_KIND_PREPAYMENT_APPLIED] =     {WAITS,     DUE,       DUE,       UNMATCHED, UNMATCHED, UNMATCHED, WAITS},
};

static bool is_due(struct payment *payment) {
    struct decision *decision = payment->decision;
    static const char *const names[STATUS_COUNT] = {"instructed", "sent", "settled", "rejected by the bank", "returned", "cancelled", "unknown"};
    const int status = payment->state ? (int)payment->state->status : NEVER_HEARD_OF;
    switch ((enum answer)answers[payment->event->kind][status]) {
    case DUE: return true;
    case WAITS: wait_for_state(decision, REASON_ORIGINAL_UNKNOWN, "document", STORE_PAYMENTS, payment->key); break;
    case NOTHING:
        if (!refused(decision)) report(decision, REASON_NO_EFFECT, "document", "the payment is %s", names[status]);
        break;
    case DUPLICATE: report(decision, REASON_DUPLICATE_DOCUMENT, "document", "the payment is %s", names[status]); break;
    case CLEARED: report(decision, REASON_ALREADY_CLEARED, "document", "the payment is %s", names[status]); break;
    case REVERSED: report(decision, REASON_ALREADY_REVERSED, "document", "the payment is %s", names[status]); break;
    case UNMATCHED: report(decision, REASON_PAYMENT_UNMATCHED, "document", "the payment is %s", names[status]); break;
    }
    return false;
}

/* ---- envelopes ---- */

static void payable_envelope(struct decision *decision, const void *record, struct envelope *envelope) {
    const struct payable *payable = record;
    *envelope = (struct envelope){.event_id = payable->event_id, .source = payable->source, .entity = payable->entity, .partner = payable->supplier,
        .correlation_id = payable->correlation_id, .number = payable->document, .kind = payable_kind_name(payable->kind),
        .document = {STORE_ITEMS, item_key(decision, payable->entity, payable->supplier, payable->document)}};
}

/* The payment that an event is about: a return or cancellation may have a number of its own. */
static struct slice payment_document(const struct payment_event *event) {
    const bool own = event->kind == PAYMENT_KIND_RETURNED || event->kind == PAYMENT_KIND_CANCELLED;
    return own && event->reverses.length ? event->reverses : event->document;
}

/* Nothing of it is left: its number may be instructed again. */
static bool is_over(const struct payment_state *state) {
    return !state || state->status == PAYMENT_STATUS_REJECTED || state->status == PAYMENT_STATUS_RETURNED || state->status == PAYMENT_STATUS_CANCELLED;
}

/* The invoices that the event moves, with what it moves on each: those that it names, else what the payment pays. */
static void invoices_linked(struct decision *decision, const struct payment_event *event, const struct payment_state *state) {
    for (size_t i = 0; i < event->items.count; i++) {
        const struct payment_item *item = &event->items.items[i];
        const bool fits = codec_decimal_is_number(item->amount_e4) && codec_decimal_is_number(item->discount_e4) && codec_decimal_is_number(item->withheld_e4);
        if (fits) linked_amounts(decision, "invoice", "invoice", item->document, item->amount_e4, item->discount_e4, item->withheld_e4);
        else linked(decision, "invoice", "invoice", item->document);
    }
    for (size_t i = 0; !event->items.count && state && i < state->items.count; i++) {
        const struct paid_item *item = &state->items.items[i];
        linked_amounts(decision, "invoice", "invoice", item->document, item->amount_e4, item->discount_e4, item->withheld_e4);
    }
}

static void payment_envelope(struct decision *decision, const void *record, struct envelope *envelope) {
    const struct payment_event *event = record;
    const struct slice key = KEY(decision, event->entity, event->supplier, payment_document(event));
    const struct payment_state *state = state_find(decision, STORE_PAYMENTS, key);
    *envelope = (struct envelope){.event_id = event->event_id, .source = event->source, .entity = event->entity, .partner = event->supplier,
        .correlation_id = event->correlation_id, .number = event->document, .kind = payment_kind_name(event->kind), .document = {STORE_PAYMENTS, key},
        .establishes = event->kind == PAYMENT_KIND_INSTRUCTED || event->kind == PAYMENT_KIND_REFUNDED,
        .overtakes = event->kind == PAYMENT_KIND_CANCELLED && is_over(state),
        .passes = (event->kind == PAYMENT_KIND_SENT || event->kind == PAYMENT_KIND_APPROVED) && state && state->status == PAYMENT_STATUS_INSTRUCTED,
        .user = event->user, .currency = event->currency, .document_date = event->document_date, .has_amount = event->has_amount, .amount_e4 = event->amount_e4,
        .method = event->method.length || !state ? event->method : state->method, .reference = event->reference, .has_value_date = event->has_value_date, .value_date = event->value_date};
    linked(decision, "original", "payment", event->reverses);
    linked(decision, "order", "procurement", event->order);
    invoices_linked(decision, event, state);
    if (envelope->overtakes) envelope->cancels = envelope->document;
}

/* ---- the whole ---- */

static bool posts(enum payment_kind kind) {
    return kind == PAYMENT_KIND_SENT || kind == PAYMENT_KIND_SETTLED || kind == PAYMENT_KIND_REFUNDED || kind == PAYMENT_KIND_PREPAYMENT_APPLIED;
}

static bool takes_back(enum payment_kind kind) {
    return kind == PAYMENT_KIND_BANK_PARTLY_ACCEPTED || kind == PAYMENT_KIND_BANK_REJECTED || kind == PAYMENT_KIND_RETURNED;
}

static void facts_find(struct payment *payment) {
    const struct payment_event *event = payment->event;
    const struct payment_state *state = payment->state;
    const bool anew = event->kind == PAYMENT_KIND_INSTRUCTED || event->kind == PAYMENT_KIND_REFUNDED, settled = event->kind == PAYMENT_KIND_SETTLED;
    const struct slice payer = anew || !state ? event->payer : state->payer;
    payment->other_pays = payer.length && !slice_equal(payer, event->entity);
    payment->next.payer = payment->other_pays ? payer : (struct slice){0};
    struct facts_given given = {.has_posting_date = event->has_posting_date, .posting_date = event->posting_date, .document_date = event->document_date,
        .currency = !anew && state ? state->currency : event->currency, .has_amounts = anew, .partner = settled ? PARTNER_NONE : PARTNER_SUPPLIER,
        .posts = posts(event->kind) && !(settled && payment->other_pays), .reverses = takes_back(event->kind)};
    facts_establish(payment->decision, given, &payment->facts);
    wait_limits(payment->decision, payment->facts.tolerance->wait_days * day_ms, payment->facts.tolerance->wait_days * day_ms);
    payment->payer = payment->facts;
    if (payment->other_pays) {
        given.posts = posts(event->kind);
        facts_of_entity(payment->decision, payer, given, "payer", &payment->payer);
    }
    if (!anew && state && event->currency.length && !slice_equal(event->currency, state->currency))
        report(payment->decision, REASON_CURRENCY_MISMATCH, "currency", "the payment is in " SLICE_FORMAT, SLICE_ARGUMENT(state->currency));
}

/* Cancelled while its instruction waited: it never was. */
static void decide_voided(struct payment *payment) {
    const struct payment_state *before = state_find(payment->decision, STORE_PAYMENTS, payment->key);
    struct payment_state state = before ? *before : (struct payment_state){0};
    state.status = PAYMENT_STATUS_CANCELLED;
    state_put(payment->decision, STORE_PAYMENTS, payment->key, &state);
    report(payment->decision, REASON_NO_EFFECT, "", "cancelled what waited");
}

static void decide_accepted(struct payment *payment) {
    if (refused(payment->decision)) return;
    if (payment->state->answered) { report(payment->decision, REASON_NO_EFFECT, "document", "the bank answered already"); return; }
    payment->next.answered = true;
    state_put(payment->decision, STORE_PAYMENTS, payment->key, &payment->next);
}

static void decide_payment(struct decision *decision, const void *record) {
    const struct payment_event *event = record;
    struct payment payment = {.decision = decision, .event = event, .document = payment_document(event)};
    payment.key = KEY(decision, event->entity, event->supplier, payment.document);
    if (decision_voided(decision)) { decide_voided(&payment); return; }
    payment.state = state_find(decision, STORE_PAYMENTS, payment.key);
    facts_find(&payment);
    payment_amounts_check(&payment);
    if (event->kind == PAYMENT_KIND_UNKNOWN || event->kind == PAYMENT_KIND_STATUS) {
        if (!refused(decision)) report(decision, REASON_NO_EFFECT, "", "");
        return;
    }
    if (!is_due(&payment)) return;
    const struct slice payer = payment.next.payer;
    if (payment.state) payment.next = *payment.state;
    payment.next.payer = payer;
    switch (event->kind) {
    case PAYMENT_KIND_INSTRUCTED: payment_decide_instructed(&payment); break;
    case PAYMENT_KIND_APPROVED: payment_decide_approved(&payment); break;
    case PAYMENT_KIND_CANCELLED: payment_decide_cancelled(&payment); break;
    case PAYMENT_KIND_SENT: payment_decide_sent(&payment); break;
    case PAYMENT_KIND_BANK_ACCEPTED: decide_accepted(&payment); break;
    case PAYMENT_KIND_BANK_PARTLY_ACCEPTED: payment_decide_partly_accepted(&payment); break;
    case PAYMENT_KIND_BANK_REJECTED:
    case PAYMENT_KIND_RETURNED: payment_decide_back(&payment); break;
    case PAYMENT_KIND_SETTLED: payment_decide_settled(&payment); break;
    case PAYMENT_KIND_REFUNDED: payment_decide_refunded(&payment); break;
    case PAYMENT_KIND_PREPAYMENT_APPLIED: payment_decide_prepayment_applied(&payment); break;
    case PAYMENT_KIND_UNKNOWN:
    case PAYMENT_KIND_STATUS: break;
    }
}

static bool item_is_open(const void *record) {
    const struct open_item *item = record;
    return item->amount_e4 != item->settled_e4 || item->instructed_e4 != 0;
}

static bool payment_is_open(const void *record) {
    const struct payment_state *state = record;
    const bool live = state->status == PAYMENT_STATUS_INSTRUCTED || state->status == PAYMENT_STATUS_SENT;
    return live || (state->status == PAYMENT_STATUS_SETTLED && state->prepayment && state->left_e4);
}

static bool change_record(int store, void *record, const struct partner_change *change) {
    (void)store, (void)record, (void)change;    /* whose they are is in their keys alone */
    return true;
}

static void change_event(int input, void *event, const struct partner_change *change) {
    if (input == 0) ((struct payable *)event)->supplier = change->partner_to;
    else ((struct payment_event *)event)->supplier = change->partner_to;
}

/* Bank details that were last paid to: those of the supplier that stays. */
static bool join_records(int store, void *into, const void *other, const struct partner_change *change) {
    (void)into, (void)other, (void)change;
    return store == STORE_PAID_ACCOUNTS;
}

extern const struct processor payment_processor;
const struct processor payment_processor = {
    .name = "payment",
    .inputs = {{"payables", &payable_type, .follows = true, .envelope = payable_envelope, .decide = payable_follow}, {"payment.events", &payment_event_type, .envelope = payment_envelope, .decide = decide_payment}},
    .tables = {MASTER_SOURCE_PERMISSIONS, POSTING_TABLES, MASTER_TAX_CODES, MASTER_BANK_ACCOUNTS, MASTER_SUPPLIER_ACCOUNTS, MASTER_INTERCOMPANY,
               MASTER_SETTLEMENT_RULES, END_OF_TABLES},
    .stores = {[STORE_ITEMS] = {"items", &open_item_type, item_is_open}, [STORE_PAYMENTS] = {"payments", &payment_state_type, payment_is_open},
               [STORE_PAID_ACCOUNTS] = {"paid-accounts", &paid_account_type, NULL}},
    .outputs = {[OUTPUT_COMMANDS] = {"posting.commands", &posting_command_type, true, false}, [OUTPUT_ENTRIES] = {SETTLEMENT_ENTRIES, &posting_command_type, .event_time = true}},
    .change_record = change_record, .change_event = change_event, .join = join_records,
};
