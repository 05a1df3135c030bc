/* checking: how a rule is written down and asked; private to the rules. */
#ifndef KONTOR_EINVOICE_CHECKING_H
#define KONTOR_EINVOICE_CHECKING_H
#include "common/einvoice/rules.h"

/* What a rule is asked of: each object of that kind that the invoice has. */
enum scope {
    OF_INVOICE, OF_TOTALS, OF_SELLER, OF_REPRESENTATIVE, OF_VAT_ID, OF_PERIOD, OF_MEANS, OF_PRECEDING, OF_TAX_TOTAL, OF_BREAKDOWN, OF_ALLOWANCE, OF_CHARGE,
    OF_LINE, OF_LINE_PERIOD, OF_LINE_ALLOWANCE, OF_LINE_CHARGE
};

/* The object a rule is asked of, and what it found and expected, which goes into the message. */
struct asked {
    const struct einvoice *invoice;
    const void *object;
    int line;
    char detail[256];
    bool cii;
};

/* MUST_HOLD: as the function says. MUST_BE_FILLED is of texts, the others are of numbers. */
enum must { MUST_HOLD, MUST_BE_FILLED, MUST_BE_GIVEN, MUST_HAVE_TWO_DIGITS, MUST_NOT_BE_NEGATIVE };

struct rule {
    const char *id;
    enum scope scope;
    enum must must;
    size_t offset;                                  /* of the text or number in the object */
    bool (*holds)(struct asked *asked);             /* MUST_HOLD */
    const char *says;
    bool warning;
};

extern const struct rule rules_table[];             /* id NULL behind the last */

/* Says what was found and expected; for `return detail(...)`: always false. */
bool detail(struct asked *asked, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* There, but FORMAT speaks of it: the other rules then say nothing. */
static inline bool is_unreadable(const struct einvoice_number *number) { return number->given && number->reading != DECIMAL_READ; }
enum { NUMBER_TEXT_SIZE = 64 };
/* An amount, or "nothing" when there is none. */
const char *number_text(const struct einvoice_number *number, char text[NUMBER_TEXT_SIZE]);
const char *sum_text(__int128 e4, char text[NUMBER_TEXT_SIZE]);

/* Sums in 1/10,000. A number that is not given adds nothing; known is false once one could not be read: then no rule can say anything (FORMAT does). */
struct sum { __int128 e4; bool known; };
void sum_add(struct sum *sum, const struct einvoice_number *number, int sign);
/* To cents, a half upwards, as XPath's round(). */
__int128 round_to_cents(__int128 e4);
__int128 floor_divide(__int128 a, __int128 b);
/* |amount| against |basis| × rate: tax as reckoned, with less than one unit of difference, or with inclusive at most one. */
bool tax_is_near(const struct einvoice_number *basis, const struct einvoice_number *rate, const struct einvoice_number *amount, bool inclusive);

/* The rules of the VAT categories: the same ten for each, and a few of their own. Calls found() for each that is broken. */
void vat_check(const struct einvoice *invoice, void (*found)(void *context, const char *id, const struct asked *asked, const char *says), void *context);
/* Their ids and words by position; false behind the last. */
bool vat_rule(size_t position, char id[16], const char **says);
#endif
