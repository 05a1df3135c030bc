/* facts: what every document is checked for first, and what its other checks stand on: entity, partner, dates, currency, policy
 * (docs/purchase-to-pay.md, "Checks of every event", 4 and 5). */
#ifndef KONTOR_SHARED_FACTS_H
#define KONTOR_SHARED_FACTS_H
#include "common/ledger/money.h"
#include "common/runtime/processor.h"
#include "processors/shared/period.h"
#include "schemas/employee.h"
#include "schemas/intercompany.h"
#include "schemas/legal_entity.h"
#include "schemas/review_policy.h"
#include "schemas/supplier.h"
#include "schemas/tolerance.h"

/* Who the event's partner is. An employee: the processor declares MASTER_EMPLOYEES. */
enum facts_partner { PARTNER_SUPPLIER, PARTNER_EMPLOYEE, PARTNER_NONE };

struct facts {
    const struct legal_entity *entity;      /* NULL: unknown, and reported */
    const struct supplier *supplier;        /* NULL: unknown, and reported; or the partner is none */
    const struct employee *employee;        /* the same */
    const struct tolerance *tolerance;      /* the entity's policy; never NULL */
    const struct review_policy *review;     /* its policy of review; NULL: none, it says nothing of the event's family, or nothing is to be posted in the event's own entity */
    struct slice partner, group;            /* of the journals: the event's partner and the group of its record; facts_of_entity: the paying entity, and no group */
    struct slice ledger;
    bool of_order_lines;                    /* set by the caller: what is posted is the cost of order lines, which count in budgets by themselves (budget.h) */
    bool other_entity;                      /* made by facts_of_entity: journals go out under a key of their own */
    int32_t posting_date, document_date;    /* posting_date: as moved by the period policy */
    int32_t asked_date;                     /* the posting date before that */
    int32_t local_date;                     /* the entity's, of the event time */
    struct period_choice period;            /* of the posting date; PERIOD_NOT_ASKED: nothing is to be posted */
    struct currency currency, functional;
    bool has_currency;                      /* currency is one of ISO 4217 */
    int64_t rate_e10;                       /* agreed; 0: the table's */
};

/* What the event says of them. */
struct facts_given {
    bool has_posting_date;
    int32_t posting_date, document_date;
    struct slice currency;
    struct slice ledger;                    /* empty: the entity's */
    int64_t rate_e10;                       /* a rate that the document names instead of the table's: positive; 0: none */
    enum facts_partner partner;
    bool has_amounts;                       /* then a currency is needed */
    bool posts;                             /* a journal would follow: a blocked supplier and an employee who has left are refused, the period policy moves the date */
    bool reverses;                          /* a reversal would follow: the date moves out of a closed period whatever the policy */
};

/* ENTITY_UNKNOWN; SUPPLIER_UNKNOWN, SUPPLIER_BLOCKED_FOR_POSTING or EMPLOYEE_UNKNOWN, EMPLOYEE_LEFT; DATE_IMPLAUSIBLE; CURRENCY_UNKNOWN. */
void facts_establish(struct decision *decision, struct facts_given given, struct facts *facts);

/* The same for another entity that the event concerns: the other half of an intercompany pair. Its journal's partner is the event's entity, it has no supplier
 * or employee, and goes out under the key <entity>|<the event's entity>. field: the event's field that names the entity, for ENTITY_UNKNOWN. */
void facts_of_entity(struct decision *decision, struct slice entity, struct facts_given given, const char *field, struct facts *facts);
/* What lets the one entity pay what the other bears; NULL: INTERCOMPANY_UNPAIRED, or MASTER_STALE. The processor declares MASTER_INTERCOMPANY. */
const struct intercompany *facts_agreement(struct decision *decision, struct slice payer, struct slice bearer, int32_t date, const char *field);

/* `lines[3].net`: for reports only, it formats. FACTS_HEAD: a field of the document itself. */
#define FACTS_HEAD SIZE_MAX
const char *facts_path(struct decision *decision, size_t line, const char *field);

/* Whether an amount, a quantity at scale 6, is a number within what one document may have: what is not is reported once and then left out of sums. */
bool facts_amount_fits(int64_t amount_e4);
bool facts_quantity_fits(int64_t quantity_e6);
/* AMOUNT_OVERFLOW, CURRENCY_PRECISION. */
void facts_amount_check(struct decision *decision, const struct facts *facts, int64_t amount_e4, size_t line, const char *field);
void facts_quantity_check(struct decision *decision, int64_t quantity_e6, size_t line, const char *field);
#endif
