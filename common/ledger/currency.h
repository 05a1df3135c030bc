/* currency: codes and minor digits of ISO 4217. The list is iso4217.csv beside this file; currency_list.c is the same as a C table, and the
 * tests compare the two row by row. */
#ifndef KONTOR_LEDGER_CURRENCY_H
#define KONTOR_LEDGER_CURRENCY_H
#include <stdbool.h>
#include <stddef.h>

#include "common/platform/error.h"
#include "common/platform/slice.h"

/* Three capitals and a terminating 0; all zero is no currency. Compare with currency_equal. */
struct currency { char code[4]; };
#define CURRENCY(literal) ((struct currency){literal})

static inline bool currency_equal(struct currency a, struct currency b) { return memcmp(a.code, b.code, sizeof a.code) == 0; }
static inline struct slice currency_slice(const struct currency *currency) { return slice_of(currency->code); }

enum { CURRENCY_DIGITS_NONE = -1 }; /* ISO 4217 gives no minor unit: metals, units of account, test codes */

struct currency_entry { struct currency currency; short numeric; signed char minor_digits; const char *name; };
extern const struct currency_entry currency_list[];  /* by code, ascending */
extern const size_t currency_list_count;

/* False (CURRENCY_UNKNOWN): not in the list, or without a minor unit, so that no amount can be posted in it. Capitals only. */
MUST_CHECK bool currency_find(struct slice code, struct currency *currency);
/* The row of the list, with those that have no minor unit, or NULL. */
const struct currency_entry *currency_look_up(struct slice code);
/* Digits behind the point of an amount, 0 to 4; CURRENCY_DIGITS_NONE for anything that currency_find refuses. */
int currency_minor_digits(struct currency currency);
#endif
