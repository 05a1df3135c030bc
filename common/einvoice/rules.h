/* rules: the business rules of EN 16931-1 over what was read.
 *
 * Source: EN 16931-1:2017, 6.4, in the form that CEN/TC 434 publishes as validation artefacts, release 1.3.16
 * (https://github.com/ConnectingEurope/eInvoicing-EN16931, EUPL 1.2). Conditions and words are written anew here; which codes of UNTDID 1001, UNCL 5305 and
 * ISO 3166 count is as listed there. Where the two syntaxes are checked with different tolerances, each is checked as published for its syntax;
 * docs/einvoice.md says which, and where we are stricter.
 *
 * A rule is a row of a table: what it is asked of (scope), what must hold, and what it says to a person. */
#ifndef KONTOR_EINVOICE_RULES_H
#define KONTOR_EINVOICE_RULES_H
#include "common/einvoice/einvoice.h"

enum { EINVOICE_MESSAGE_SIZE = 512, EINVOICE_FINDINGS_MAXIMUM = 200 };

/* One rule broken in one place. rule: its id; "FORMAT": a number or date that cannot be read, of no rule's own. */
struct einvoice_finding { char rule[16]; bool warning; int line; char message[EINVOICE_MESSAGE_SIZE]; };

/* fatal: how many that are no warnings, those beyond the maximum included: with one the invoice is not to be taken. */
struct einvoice_findings { struct einvoice_finding items[EINVOICE_FINDINGS_MAXIMUM]; size_t count, fatal; };

/* Asks every rule. Findings in the order of the rules, and of the document within each. */
void einvoice_check(const struct einvoice *invoice, struct einvoice_findings *findings);

/* Every rule that is asked, one by one, for lists; NULL behind the last. says: in words. */
const char *einvoice_rule(size_t position, char id[16], const char **says, bool *warning);
#endif
