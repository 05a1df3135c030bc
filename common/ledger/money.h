/* money: an amount is an int64 in 1/10,000 of the currency's unit (suffix _e4) beside its currency: every currency of ISO 4217 has at most four
 * minor digits, so each amount is held exactly. Unit prices, rates and quantities may have more digits; what is posted has the currency's.
 *
 * money_round is the one place where an amount is rounded, once, a half away from zero. Failures are as in decimal.h, or a currency without
 * minor digits. */
#ifndef KONTOR_LEDGER_MONEY_H
#define KONTOR_LEDGER_MONEY_H
#include "common/ledger/currency.h"
#include "common/ledger/decimal.h"

enum { MONEY_SCALE = 4 };
#define MONEY_MAXIMUM_E4 INT64_C(999999999999999999) /* the 18 digits that an amount has in the schemas */

/* Whether the amount has no more digits than the currency's minor unit (CURRENCY_PRECISION), fits MONEY_MAXIMUM_E4 and the currency is known. */
bool money_precise(int64_t amount_e4, struct currency currency);

/* Rounds an exact result to the currency's minor unit. */
MUST_CHECK bool money_round(struct decimal_exact exact, struct currency currency, int64_t *amount_e4);

/* Rounded once, each: a number at any scale; price × quantity; part / whole of an amount. */
MUST_CHECK bool money_from(int64_t value, int scale, struct currency currency, int64_t *amount_e4);
MUST_CHECK bool money_product(int64_t a, int a_scale, int64_t b, int b_scale, struct currency currency, int64_t *amount_e4);
MUST_CHECK bool money_share(int64_t amount_e4, int64_t part, int64_t whole, struct currency currency, int64_t *share_e4);

/* One minor unit: 100 for EUR (a cent), 10000 for JPY, 10 for KWD. 0 for a currency without. */
int64_t money_minor_unit_e4(struct currency currency);

/* "1234.50" for EUR, "1235" for JPY; more digits when the amount has them, never fewer than it has. Returns the length. */
size_t money_print(int64_t amount_e4, struct currency currency, char text[DECIMAL_TEXT_SIZE]);
#endif
