/* fx: an amount in another currency. The rate is an int64 at scale 10 (suffix _e10), greater than zero; rounded once, to the target's minor
 * digits, by money_round. */
#ifndef KONTOR_LEDGER_FX_H
#define KONTOR_LEDGER_FX_H
#include "common/ledger/money.h"

enum { FX_RATE_SCALE = 10 };
#define FX_RATE_ONE_E10 INT64_C(10000000000)

enum fx_quotation {
    FX_DIRECT,  /* units of the target currency per one unit of the amount's: multiplies */
    FX_INVERSE  /* units of the amount's currency per one unit of the target's: divides */
};

/* False: the rate is not above zero, the result does not fit, or the target has no minor digits. */
MUST_CHECK bool fx_convert(int64_t amount_e4, int64_t rate_e10, enum fx_quotation quotation, struct currency target, int64_t *converted_e4);

/* The rate that leads from one currency to another over a third (the euro of the ECB's list): both are units per one of the third.
 * Rounded half up to ten digits. False as above, and when it would round to zero. */
MUST_CHECK bool fx_cross(int64_t from_per_pivot_e10, int64_t to_per_pivot_e10, int64_t *rate_e10);
#endif
