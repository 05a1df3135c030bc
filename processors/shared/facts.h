/* facts: what every document is checked for first, and what its other checks stand on: entity, partner, dates, currency, policy
 * (docs/purchase-to-pay.md, "Checks of every event", 4 and 5). */
#ifndef KONTOR_SHARED_FACTS_H
#define KONTOR_SHARED_FACTS_H
#include "common/ledger/money.h"
#include "common/runtime/processor.h"
#include "schemas/legal_entity.h"
#include "schemas/supplier.h"
#include "schemas/tolerance.h"

struct facts {
    const struct legal_entity *entity;      /* NULL: unknown, and reported */
    const struct supplier *supplier;        /* NULL: unknown, and reported */
    const struct tolerance *tolerance;      /* the entity's policy; never NULL */
    int32_t posting_date, document_date;
    struct currency currency, functional;
    bool has_currency;                      /* currency is one of ISO 4217 */
};

/* What the event says of them. */
struct facts_given {
    bool has_posting_date;
    int32_t posting_date, document_date;
    struct slice currency;
    bool has_amounts;                       /* then a currency is needed */
    bool posts;                             /* a journal would follow: a supplier blocked for posting is refused */
};

void facts_establish(struct decision *decision, struct facts_given given, struct facts *facts);

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
