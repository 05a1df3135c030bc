/* export: journals in the form of another program: what kontor export writes for each posting command, and behind the last one.
 *
 *     hledger    an hledger journal, strict checks on: accounts and commodities are declared
 *     beancount  a Beancount ledger: accounts are opened below their type
 *     csv        one line for each journal line (RFC 4180), a head line first */
#ifndef KONTOR_CLI_EXPORT_H
#define KONTOR_CLI_EXPORT_H
#include <stdbool.h>
#include <stdio.h>

#include "cli/intern.h"
#include "schemas/posting_command.h"

/* What an account of the journals is: its place among the roots of bookkeeping, from master.accounts; "" when it is not there. */
struct export_account { struct slice entity, account, type, name; };

struct export_format {
    const char *name;
    void (*head)(FILE *out);
    void (*journal)(FILE *out, const struct posting_command *journal, const struct export_account *accounts);    /* accounts: of each line */
    void (*account)(FILE *out, const struct export_account *account);           /* once for each account used, behind the journals; NULL: nothing */
    void (*commodity)(FILE *out, struct slice currency, int digits);            /* once for each currency used */
};

extern const struct export_format export_hledger, export_beancount, export_csv;
#endif
