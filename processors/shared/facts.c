#include "processors/shared/facts.h"

#include "common/ledger/date.h"
#include "common/ledger/time_zone.h"
#include "processors/shared/review.h"

enum { OLDEST_DOCUMENT = 7305 /* 1990-01-01 */, FUTURE_DAYS = 730 };
static const int64_t day_ms = 86400000;
/* One document's amounts and quantities; sums over many stay checked. */
static const int64_t amount_maximum_e4 = INT64_C(10000000000000000), quantity_maximum_e6 = INT64_C(1000000000000000);

static const struct tolerance default_policy = {.over_receipt = {"hold", 4}, .early_invoice = {"park", 4},
                                                .invoice_posts_on = {"received", 8}, .receipt_wait_days = 90, .wait_days = 30,
                                                .card_percent_e4 = 30000, .card_days = 5};

/* Entity, its local date and policy, and the day on which its journal is booked. */
static bool entity_establish(struct decision *decision, struct slice entity, const char *field, const struct facts_given *given, struct facts *facts) {
    struct slice key = KEY(decision, entity);
    int32_t utc = date_at(decision_time_ms(decision), 0);
    struct table_row row;
    facts->asked_date = facts->posting_date = given->has_posting_date ? given->posting_date : utc;
    if (!require_row(decision, MASTER_LEGAL_ENTITIES, key, utc, REASON_ENTITY_UNKNOWN, field, &row)) return false;
    facts->entity = row.record;
    facts->local_date = time_zone_date_at(row.compiled, decision_time_ms(decision));
    if (!given->has_posting_date) facts->asked_date = facts->posting_date = facts->local_date;
    if (!currency_find(facts->entity->functional_currency, &facts->functional)) {
        facts->entity = NULL;   /* the table's hook refuses such a record: it is stale */
        wait_for_table(decision, REASON_MASTER_STALE, field, MASTER_LEGAL_ENTITIES, key, utc);
        return false;
    }
    facts->ledger = given->ledger.length ? given->ledger : facts->entity->ledger;
    if (given->posts || given->reverses) {
        enum period_policy policy = given->reverses ? PERIOD_REVERSAL : PERIOD_BY_ENTITY;
        facts->period = period_choose(decision, facts->entity, facts->ledger, facts->asked_date, policy);
        facts->posting_date = facts->period.date;
    }
    const struct tolerance *tolerance = look_up(decision, MASTER_TOLERANCES, key, facts->posting_date, NULL);
    if (tolerance) facts->tolerance = tolerance;
    if (given->posts && !facts->other_entity) facts->review = review_policy_find(decision, entity, facts->posting_date);
    return true;
}

static void partner_establish(struct decision *decision, const struct facts_given *given, struct facts *facts) {
    const struct envelope *envelope = decision_envelope(decision);
    facts->partner = envelope->partner;
    if (given->partner == PARTNER_SUPPLIER) {
        facts->supplier = require(decision, MASTER_SUPPLIERS, KEY(decision, envelope->partner), facts->posting_date, REASON_SUPPLIER_UNKNOWN, "supplier");
        if (!facts->supplier) return;
        facts->group = facts->supplier->group;
        if (given->posts && slice_equal(facts->supplier->status, SLICE("blocked_for_posting")))
            report(decision, REASON_SUPPLIER_BLOCKED_FOR_POSTING, "supplier", "");
    } else if (given->partner == PARTNER_EMPLOYEE) {
        const struct slice key = KEY(decision, envelope->entity, envelope->partner);
        facts->employee = require(decision, MASTER_EMPLOYEES, key, facts->posting_date, REASON_EMPLOYEE_UNKNOWN, "employee");
        if (!facts->employee) return;
        facts->group = facts->employee->group;
        if (given->posts && slice_equal(facts->employee->status, SLICE("left"))) report(decision, REASON_EMPLOYEE_LEFT, "employee", "");
    }
}

static void dates_check(struct decision *decision, const struct facts_given *given, const struct facts *facts) {
    if (given->document_date < OLDEST_DOCUMENT || (int64_t)given->document_date > (int64_t)facts->posting_date + FUTURE_DAYS)
        report(decision, REASON_DATE_IMPLAUSIBLE, "document_date", "before 1990 or more than %d days after the posting date", FUTURE_DAYS);
    if (given->has_posting_date && !date_is_valid(given->posting_date)) report(decision, REASON_DATE_IMPLAUSIBLE, "posting_date", "");
}

static void currency_establish(struct decision *decision, const struct facts_given *given, struct facts *facts) {
    facts->has_currency = given->currency.length && currency_find(given->currency, &facts->currency);
    if (!facts->has_currency && (given->currency.length || given->has_amounts))
        report(decision, REASON_CURRENCY_UNKNOWN, "currency", "\"" SLICE_FORMAT "\"", SLICE_ARGUMENT(given->currency));
}

void facts_establish(struct decision *decision, struct facts_given given, struct facts *facts) {
    *facts = (struct facts){.tolerance = &default_policy, .document_date = given.document_date, .rate_e10 = given.rate_e10};
    if (entity_establish(decision, decision_envelope(decision)->entity, "entity", &given, facts))
        wait_limits(decision, facts->tolerance->wait_days * day_ms, facts->tolerance->receipt_wait_days * day_ms);
    partner_establish(decision, &given, facts);
    dates_check(decision, &given, facts);
    currency_establish(decision, &given, facts);
}

void facts_of_entity(struct decision *decision, struct slice entity, struct facts_given given, const char *field, struct facts *facts) {
    *facts = (struct facts){.tolerance = &default_policy, .document_date = given.document_date, .rate_e10 = given.rate_e10, .other_entity = true,
                            .partner = decision_envelope(decision)->entity};
    (void)entity_establish(decision, entity, field, &given, facts);
    currency_establish(decision, &given, facts);
}

const struct intercompany *facts_agreement(struct decision *decision, struct slice payer, struct slice bearer, int32_t date, const char *field) {
    return require(decision, MASTER_INTERCOMPANY, KEY(decision, payer, bearer), date, REASON_INTERCOMPANY_UNPAIRED, field);
}

const char *facts_path(struct decision *decision, size_t line, const char *field) {
    return line == FACTS_HEAD ? field : decision_format(decision, "lines[%zu].%s", line, field).data;
}

bool facts_amount_fits(int64_t amount_e4) { return amount_e4 <= amount_maximum_e4 && amount_e4 >= -amount_maximum_e4; }
bool facts_quantity_fits(int64_t quantity_e6) { return quantity_e6 <= quantity_maximum_e6 && quantity_e6 >= -quantity_maximum_e6; }

void facts_amount_check(struct decision *decision, const struct facts *facts, int64_t amount_e4, size_t line, const char *field) {
    if (amount_e4 == CODEC_DECIMAL_INEXACT)
        report(decision, REASON_CURRENCY_PRECISION, facts_path(decision, line, field), "more than four digits behind the point");
    else if (!facts_amount_fits(amount_e4))
        report(decision, REASON_AMOUNT_OVERFLOW, facts_path(decision, line, field), "beyond 1,000,000,000,000");
    else if (facts->has_currency && !money_precise(amount_e4, facts->currency))
        report(decision, REASON_CURRENCY_PRECISION, facts_path(decision, line, field), "%s has %d digits", facts->currency.code, currency_minor_digits(facts->currency));
}

void facts_quantity_check(struct decision *decision, int64_t quantity_e6, size_t line, const char *field) {
    if (!facts_quantity_fits(quantity_e6))
        report(decision, REASON_AMOUNT_OVERFLOW, facts_path(decision, line, field), "a quantity beyond 1,000,000,000 or with more than six digits behind the point");
}
