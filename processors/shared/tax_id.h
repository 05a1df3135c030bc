/* tax_id: whether a VAT number of a member state of the European Union can be right: its length and characters, and its check digits where the state has published
 * how they are computed (AT BE DE DK ES FI FR IE IT LU NL PL PT SE). It does not say that the number was given to anyone.
 *
 * Blanks, points, dashes, slashes and colons do not count, nor do small letters. */
#ifndef KONTOR_SHARED_TAX_ID_H
#define KONTOR_SHARED_TAX_ID_H
#include <stdbool.h>

#include "common/platform/slice.h"

enum tax_id_result { TAX_ID_POSSIBLE, TAX_ID_IMPOSSIBLE, TAX_ID_NOT_EUROPEAN };

/* country: ISO 3166 code of who has the number, may be empty. A number that begins with a state's letters is read as that state's; else, or when it cannot be that, as
 * the country's without letters. TAX_ID_NOT_EUROPEAN: neither letters nor country are of a member state. */
enum tax_id_result tax_id_check(struct slice tax_id, struct slice country);
#endif
