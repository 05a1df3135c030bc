/* world: master data, made from the seed, and what the checker itself must know of it. Four entities post by two sets of rules:
 *
 *     E0  EUR  everything within tolerance, goods before the invoice are waited for
 *     E1  JPY  narrow tolerances, rules of the second set
 *     E2  KWD  posts when approved, an invoice before its goods is held
 *     E3  CLF  everything within tolerance, second set, a closed period moves documents to the next open one
 *
 * Documents are in any of ten currencies with 0, 2, 3 and 4 digits; two of them have rates at the ends of what a rate may be. */
#ifndef KONTOR_PROPERTY_WORLD_H
#define KONTOR_PROPERTY_WORLD_H
#include "tests/property/harness.h"
#include "tests/property/wide.h"

enum { CURRENCIES = 10, ORDINARY_CURRENCIES = 8, ENTITIES = 4, CATEGORIES = 6, TAX_CODES = 9, SUPPLIERS = 40, EMPLOYEES = 40, FIRST_DAY = 20454 /* 2026-01-01 */,
    DAYS = 730 };

struct world_currency { const char *code; int digits; };
extern const struct world_currency world_currencies[CURRENCIES];

struct world_entity {
    const char *id, *zone;
    int functional;             /* in world_currencies */
    bool wide_tolerances;       /* nothing is held for price or quantity, and an early invoice waits */
    bool posts_on_approval, second_set;
    const char *payable, *variance; /* accounts; variance NULL: the category's */
};
extern const struct world_entity world_entities[ENTITIES];

struct world_tax { const char *code; int64_t rate_e4, deductible_e4; bool reverse_charge; };
extern const struct world_tax world_taxes[TAX_CODES];
/* -1: none of that code. */
int world_tax_find(struct slice code);

/* Accounts of both sets. grni, expense: <prefix><number of the category>. */
#define ACCOUNT_INPUT_TAX "154000"
#define ACCOUNT_REVERSE_TAX "176000"
#define ACCOUNT_TRANSIT "179000"
#define ACCOUNT_FX_LOSS "481000"
#define ACCOUNT_FX_GAIN "482000"
#define ACCOUNT_ROUNDING "499900"
#define ACCOUNT_BANK "110000"
#define ACCOUNT_ADVANCE "133000"
#define ACCOUNT_PREPAYMENT "145000"
#define ACCOUNT_EMPLOYEE "162000"
#define ACCOUNT_PAYROLL "165000"
#define ACCOUNT_WITHHELD "175000"
#define ACCOUNT_CHARGES "468000"
#define ACCOUNT_DISCOUNT "478000"
#define PREFIX_GRNI "19110"
#define PREFIX_EXPENSE "30000"

struct world {
    int64_t rates_e10[CURRENCIES][ENTITIES][DAYS];  /* functional units of the entity for one of the currency */
};

void world_make(struct world *world);
void world_load(const struct world *world, struct harness *harness);
/* One master record; ' stands for ". */
__attribute__((format(printf, 3, 4))) void world_put(struct harness *harness, const char *table, const char *format, ...);
void world_load_rules(struct harness *harness);
/* Whether the supplier may not be paid. */
bool supplier_is_blocked(struct slice supplier);
/* Whether a journal may name the account. */
bool world_account(struct slice account);
const char *world_date(int32_t day, char text[16]);
#endif
