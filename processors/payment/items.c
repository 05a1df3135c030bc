/* items: the open items of suppliers, followed on payables, and how much of them a payment may settle. */
#include "processors/payment/payment.h"

#include "common/codec/measure.h"
#include "schemas/payable.h"
#include "schemas/tax_code.h"

enum { PER_CENT_SCALE = 6 };   /* a rate in per cent at scale 4 is a share at scale 6 */

struct slice item_key(struct decision *decision, struct slice entity, struct slice supplier, struct slice document) {
    return KEY(decision, entity, supplier, document);
}

const char *item_path(struct decision *decision, size_t position, const char *field) { return decision_format(decision, "items[%zu].%s", position, field).data; }

/* ---- payables ---- */

static void terms_take(struct decision *decision, const struct payable *payable, struct open_item *item) {
    item->blocked = payable->blocked;
    item->method = payable->method;
    item->due_date = payable->due_date;
    item->discounts.count = payable->discounts.count;
    item->discounts.items = decision_alloc(decision, (payable->discounts.count + 1) * sizeof *item->discounts.items);
    for (size_t i = 0; i < payable->discounts.count; i++)
        item->discounts.items[i] = (struct open_item_discount){payable->discounts.items[i].date, payable->discounts.items[i].percent_e4};
}

static void item_open(struct decision *decision, const struct payable *payable, struct open_item *item) {
    const int sign = payable->credit ? -1 : 1;
    item->version = payable->version;
    item->closed = false;
    item->currency = payable->currency;
    item->amount_e4 = sign * payable->amount_e4;
    item->functional_e4 = sign * payable->functional_e4;
    item->tax_e4 = sign * payable->tax_e4;
    item->tax_code = payable->tax_code;
    item->category = payable->category;
    terms_take(decision, payable, item);
}

static bool payable_is_number(const struct payable *payable) {
    return facts_amount_fits(payable->amount_e4) && facts_amount_fits(payable->functional_e4) && facts_amount_fits(payable->tax_e4) && !codec_not_a_number(&payable_type, payable);
}

void payable_follow(struct decision *decision, const void *record) {
    const struct payable *payable = record;
    struct slice key = item_key(decision, payable->entity, payable->supplier, payable->document);
    const struct open_item *known = state_find(decision, STORE_ITEMS, key);
    struct open_item item = known ? *known : (struct open_item){0};
    if (!payable_is_number(payable)) report(decision, REASON_AMOUNT_OVERFLOW, "amount", "");
    if (refused(decision)) return;
    if (payable->kind == PAYABLE_KIND_OPENED) {
        if (known && payable->version <= known->version) return;
        item_open(decision, payable, &item);
    } else {
        if (!known || payable->version != known->version || item.closed) return;
        if (payable->kind == PAYABLE_KIND_CHANGED) terms_take(decision, payable, &item);
        else if (payable->kind == PAYABLE_KIND_CLOSED) {
            item.closed = true;
            item.amount_e4 = item.functional_e4 = item.tax_e4 = 0;
        } else return;
    }
    state_put(decision, STORE_ITEMS, key, &item);
}

/* ---- the event's items ---- */

void items_begin(struct payment *payment, size_t count) {
    payment->items = decision_alloc(payment->decision, (count + 1) * sizeof *payment->items);
    payment->item_count = 0;
}

struct open_item *item_find(struct payment *payment, struct slice document) {
    const struct payment_event *event = payment->event;
    struct slice key = item_key(payment->decision, event->entity, event->supplier, document);
    for (size_t i = 0; i < payment->item_count; i++)
        if (slice_equal(payment->items[i].key, key)) return &payment->items[i].item;
    const struct open_item *known = state_find(payment->decision, STORE_ITEMS, key);
    if (!known) return NULL;
    struct item_copy *copy = &payment->items[payment->item_count++];
    *copy = (struct item_copy){key, *known};
    return &copy->item;
}

void items_put(struct payment *payment) {
    for (size_t i = 0; i < payment->item_count; i++) state_put(payment->decision, STORE_ITEMS, payment->items[i].key, &payment->items[i].item);
}

/* ---- checks ---- */

static struct slice item_key_of(struct payment *payment, struct slice document) {
    return item_key(payment->decision, payment->event->entity, payment->event->supplier, document);
}

/* Held until the item changes: it may open again by a return, a rejection or a correction that is not here yet. */
static void exceeds_check(struct payment *payment, size_t i, struct slice document, int64_t part_e4, const struct open_item *item, enum item_use use) {
    struct decision *decision = payment->decision;
    const struct slice key = item_key_of(payment, document);
    const char *amount = item_path(decision, i, "amount"), *field = item_path(decision, i, "document");
    const int64_t open_e4 = item->amount_e4 - item->settled_e4, free_e4 = use == ITEM_SENT ? open_e4 : open_e4 - item->instructed_e4;
    if (!part_e4) report(decision, REASON_TOTAL_MISMATCH, amount, "settles nothing");
    else if (!open_e4 && !free_e4) hold_until_state(decision, REASON_ALREADY_CLEARED, field, STORE_ITEMS, key);
    else if (part_e4 > 0 ? part_e4 > free_e4 : part_e4 < free_e4) hold_until_state(decision, REASON_PAYMENT_EXCEEDS_OPEN, amount, STORE_ITEMS, key);
}

struct open_item *item_check(struct payment *payment, size_t i, struct slice document, int64_t part_e4, enum item_use use) {
    struct decision *decision = payment->decision;
    struct open_item *item = item_find(payment, document);
    if (!item) {
        wait_for_state(decision, REASON_ORIGINAL_UNKNOWN, item_path(decision, i, "document"), STORE_ITEMS, item_key_of(payment, document));
        return NULL;
    }
    const struct facts *facts = &payment->facts;
    if (facts->has_currency && !slice_equal(item->currency, currency_slice(&facts->currency)))
        report(decision, REASON_CURRENCY_MISMATCH, item_path(decision, i, "document"), "it is in " SLICE_FORMAT, SLICE_ARGUMENT(item->currency));
    if (item->blocked && use != ITEM_REFUNDED)
        hold_until_state(decision, REASON_PAYMENT_BLOCKED, item_path(decision, i, "document"), STORE_ITEMS, item_key_of(payment, document));
    exceeds_check(payment, i, document, part_e4, item, use);
    return item;
}

void supplier_block_check(struct payment *payment) {
    const struct facts *facts = &payment->facts;
    if (facts->supplier && slice_equal(facts->supplier->status, SLICE("blocked_for_payment")))
        hold_until_table(payment->decision, REASON_SUPPLIER_BLOCKED_FOR_PAYMENT, "supplier", MASTER_SUPPLIERS, KEY(payment->decision, payment->event->supplier),
                         facts->posting_date);
}

void items_blocks_check(struct payment *payment) {
    const struct payment_state *state = payment->state;
    supplier_block_check(payment);
    items_begin(payment, state->items.count);
    for (size_t i = 0; i < state->items.count; i++) {
        const struct slice document = state->items.items[i].document;
        const struct open_item *item = item_find(payment, document);
        if (item && item->blocked)
            hold_until_state(payment->decision, REASON_PAYMENT_BLOCKED, item_path(payment->decision, i, "document"), STORE_ITEMS, item_key_of(payment, document));
    }
}

void hold_until_policy(struct payment *payment, enum reason reason, const char *field) {
    hold_until_table(payment->decision, reason, field, MASTER_TOLERANCES, KEY(payment->decision, payment->event->entity), payment->facts.posting_date);
}

/* ---- discount and withholding ---- */

static int64_t discount_percent(const struct payment *payment, const struct open_item *item) {
    const struct facts *facts = &payment->facts;
    const int64_t day = payment->event->has_value_date ? payment->event->value_date : facts->posting_date;
    int64_t percent_e4 = 0;
    for (size_t i = 0; i < item->discounts.count; i++) {
        const struct open_item_discount *discount = &item->discounts.items[i];
        if (day <= (int64_t)discount->date + facts->tolerance->discount_grace_days && discount->percent_e4 > percent_e4) percent_e4 = discount->percent_e4;
    }
    return percent_e4;
}

static int64_t magnitude(int64_t amount_e4) { return amount_e4 < 0 ? -amount_e4 : amount_e4; }

static void discount_check(struct payment *payment, size_t i, const struct open_item *item, const struct payment_item *paid, int64_t settled_e4) {
    int64_t allowed_e4 = 0;
    if (!paid->discount_e4) return;
    if (!money_product(settled_e4, MONEY_SCALE, discount_percent(payment, item), PER_CENT_SCALE, payment->facts.currency, &allowed_e4)) {
        report(payment->decision, REASON_AMOUNT_OVERFLOW, item_path(payment->decision, i, "discount"), "");
        return;
    }
    if ((paid->discount_e4 < 0) == (settled_e4 < 0) && magnitude(paid->discount_e4) <= magnitude(allowed_e4)) return;
    hold_until_state(payment->decision, REASON_DISCOUNT_EXCEEDED, item_path(payment->decision, i, "discount"), STORE_ITEMS, item_key_of(payment, paid->document));
    hold_until_policy(payment, REASON_DISCOUNT_EXCEEDED, item_path(payment->decision, i, "discount"));
}

static void withholding_check(struct payment *payment, size_t i, const struct open_item *item, const struct payment_item *paid) {
    struct decision *decision = payment->decision;
    const struct facts *facts = &payment->facts;
    int64_t expected_e4 = 0;
    if (!facts->supplier || !facts->entity) return;
    if (facts->supplier->withholding_code.length) {
        const struct slice key = KEY(decision, facts->entity->entity, facts->supplier->withholding_code);
        const struct tax_code *code = require(decision, MASTER_TAX_CODES, key, facts->posting_date, REASON_TAX_CODE_UNKNOWN, "supplier");
        if (!code) return;
        if (!slice_equal(code->kind, SLICE("withholding"))) {
            wait_for_table(decision, REASON_TAX_CODE_UNKNOWN, "supplier", MASTER_TAX_CODES, key, facts->posting_date);
            return;
        }
        const int64_t whole_e4 = paid->amount_e4 + paid->withheld_e4, tax_e4 = payment_share(payment, item->tax_e4, whole_e4, item->amount_e4, facts->currency);
        if (!money_product(whole_e4 - tax_e4, MONEY_SCALE, code->rate_e4, PER_CENT_SCALE, facts->currency, &expected_e4)) return;
    }
    if (paid->withheld_e4 == expected_e4) return;
    char text[DECIMAL_TEXT_SIZE];
    money_print(expected_e4, facts->currency, text);
    report(decision, REASON_WITHHOLDING_WRONG, item_path(decision, i, "withheld"), "it is %s", text);
}

void item_deductions_check(struct payment *payment, size_t i, const struct open_item *item, const struct payment_item *paid) {
    if (!payment->facts.has_currency) return;
    discount_check(payment, i, item, paid, paid->amount_e4 + paid->discount_e4 + paid->withheld_e4);
    withholding_check(payment, i, item, paid);
}

/* ---- arithmetic ---- */

int64_t payment_share(struct payment *payment, int64_t whole_e4, int64_t part_e4, int64_t of_e4, struct currency currency) {
    int64_t share_e4 = 0;
    if (part_e4 == of_e4 || !whole_e4) return whole_e4;
    if (!of_e4 || money_share(whole_e4, part_e4, of_e4, currency, &share_e4)) return share_e4;
    report(payment->decision, REASON_AMOUNT_OVERFLOW, "items", "");
    return 0;
}

int64_t item_settle(struct payment *payment, struct open_item *item, int64_t part_e4) {
    const int64_t open_e4 = item->amount_e4 - item->settled_e4, open_functional_e4 = item->functional_e4 - item->settled_functional_e4;
    const int64_t carried_e4 = payment->facts.entity ? payment_share(payment, open_functional_e4, part_e4, open_e4, payment->facts.functional) : 0;
    item->settled_e4 += part_e4;
    item->settled_functional_e4 += carried_e4;
    return carried_e4;
}

void item_reopen(struct open_item *item, int64_t part_e4, int64_t functional_e4) {
    item->settled_e4 -= part_e4;
    item->settled_functional_e4 -= functional_e4;
}
