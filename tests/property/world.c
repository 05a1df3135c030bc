#include "tests/property/world.h"

#include <stdio.h>
#include <time.h>

#include "tests/property/chance.h"

/* Digits: ISO 4217. */
const struct world_currency world_currencies[CURRENCIES] = {{"EUR", 2}, {"JPY", 0}, {"KWD", 3}, {"CLF", 4}, {"USD", 2}, {"ISK", 0}, {"TND", 3}, {"UYW", 4},
                                                            {"IRR", 2}, {"OMR", 3}};
enum { TINY_RATES = 8, HUGE_RATES = 9 };

const struct world_entity world_entities[ENTITIES] = {
    {"E0", "Europe/Amsterdam", 0, true, false, false, "160000", "399000"},
    {"E1", "Asia/Tokyo", 1, false, false, true, "161000", NULL},
    {"E2", "Asia/Kuwait", 2, false, true, false, "160000", "399000"},
    {"E3", "America/Santiago", 3, true, false, true, "161000", NULL}};

const struct world_tax world_taxes[TAX_CODES] = {
    {"V0", 0, 1000000, false}, {"V7", 70000, 1000000, false}, {"V19", 190000, 1000000, false}, {"V21", 210000, 1000000, false}, {"H50", 190000, 500000, false},
    {"N10", 100000, 0, false}, {"Q81", 81000, 333333, false}, {"RC20", 200000, 1000000, true}, {"RH25", 250000, 371111, true}};

int world_tax_find(struct slice code) {
    for (int i = 0; i < TAX_CODES; i++)
        if (slice_equal(code, slice_of(world_taxes[i].code))) return i;
    return -1;
}

static bool number_is_blocked(int supplier) { return supplier % 7 == 6; }
bool supplier_is_blocked(struct slice supplier) {
    int number = 0;
    for (size_t i = 1; i < supplier.length; i++) number = number * 10 + supplier.data[i] - '0';
    return number_is_blocked(number);
}

const char *world_date(int32_t day, char text[16]) {
    time_t seconds = (time_t)day * 86400;
    struct tm parts;
    strftime(text, 16, "%Y-%m-%d", gmtime_r(&seconds, &parts));
    return text;
}

/* ---- rates ---- */

static void rates_make(struct world *world, int currency, int entity) {
    static const int64_t largest_e10 = INT64_C(999999999999999999);
    int64_t rate_e10 = chance_magnitude(40) + 1000;
    if (currency == TINY_RATES) rate_e10 = chance_below(40) + 1;
    if (currency == HUGE_RATES) rate_e10 = largest_e10 - chance_below(INT64_C(100000000000000000));
    for (int day = 0; day < DAYS; day++) {
        if (chance_below(4) == 0) rate_e10 += (int64_t)((wide)rate_e10 * (chance_below(41) - 20) / 1000);
        if (rate_e10 > largest_e10) rate_e10 = largest_e10;
        if (rate_e10 < 1) rate_e10 = 1;
        world->rates_e10[currency][entity][day] = currency == world_entities[entity].functional ? INT64_C(10000000000) : rate_e10;
    }
}

void world_make(struct world *world) {
    for (int currency = 0; currency < CURRENCIES; currency++)
        for (int entity = 0; entity < ENTITIES; entity++) rates_make(world, currency, entity);
}

/* ---- as master data ---- */

static void rates_load(const struct world *world, struct harness *harness) {
    char date[16];
    for (int currency = 0; currency < CURRENCIES; currency++)
        for (int entity = 0; entity < ENTITIES; entity++) {
            const int64_t *rates_e10 = world->rates_e10[currency][entity];
            if (currency == world_entities[entity].functional) continue;
            for (int day = 0; day < DAYS; day++)
                if (day == 0 || rates_e10[day] != rates_e10[day - 1])
                    world_put(harness, "fx-rates",
                        "{'rate_type':'M','from_currency':'%s','to_currency':'%s','rate':'%" PRId64 ".%010" PRId64 "','max_age_days':400,'valid_from':'%s'}",
                        world_currencies[currency].code, world_currencies[world_entities[entity].functional].code, rates_e10[day] / INT64_C(10000000000),
                        rates_e10[day] % INT64_C(10000000000), world_date(FIRST_DAY + day, date));
        }
}

/* Calendar months; of E3 every fifth is closed. */
static void periods_load(struct harness *harness, const char *entity, bool some_closed) {
    char first[16], last[16];
    for (int month = 0; month < 36; month++) {
        struct tm begin = {.tm_year = 126, .tm_mon = month, .tm_mday = 1}, end = {.tm_year = 126, .tm_mon = month + 1, .tm_mday = 0};
        world_date((int32_t)(timegm(&begin) / 86400), first);
        world_date((int32_t)(timegm(&end) / 86400), last);
        world_put(harness, "periods", "{'entity':'%s','ledger':'GL','valid_from':'%s','last_day':'%s','period':'%.7s','status':'%s'}", entity, first, last, first,
            some_closed && month % 5 == 4 ? "closed" : "open");
    }
}

static void entity_load(struct harness *harness, int number) {
    const struct world_entity *entity = &world_entities[number];
    const bool moves = number == 3;
    world_put(harness, "legal-entities",
        "{'entity':'%s','name':'%s','functional_currency':'%s','time_zone':'%s','ledger':'GL','rule_set':'%s','chart':'C','rounding_account':'"
        ACCOUNT_ROUNDING "','late_documents':'%s'}", entity->id, entity->id, world_currencies[entity->functional].code, entity->zone,
        entity->second_set ? "SECOND" : "FIRST",
        moves ? "next_open" : "park");
    world_put(harness, "erp-routes", "{'entity':'%s','erp':'%s'}", entity->id, number % 2 ? "other" : "tryton");
    world_put(harness, "tolerances",
        "{'entity':'%s','price_percent':'%s','price_amount':'%s','quantity_percent':'%s','over_receipt':'%s','early_invoice':'%s','receipt_wait_days':30,"
        "'wait_days':20,'invoice_posts_on':'%s'}", entity->id, entity->wide_tolerances ? "90000000" : "2", entity->wide_tolerances ? "99999999999" : "5",
        entity->wide_tolerances ? "900000000" : "10", entity->wide_tolerances ? "accept" : "hold", number == 2 ? "hold" : "park",
        entity->posts_on_approval ? "approved" : "received");
    periods_load(harness, entity->id, moves);
    for (int i = 0; i < TAX_CODES; i++)
        world_put(harness, "tax-codes", "{'entity':'%s','tax_code':'%s','rate':'%d.%04d','deductible':'%d.%04d','reverse_charge':%s,'account':'" ACCOUNT_INPUT_TAX "'}",
                  entity->id, world_taxes[i].code,
            (int)(world_taxes[i].rate_e4 / 10000), (int)(world_taxes[i].rate_e4 % 10000), (int)(world_taxes[i].deductible_e4 / 10000),
                (int)(world_taxes[i].deductible_e4 % 10000),
            world_taxes[i].reverse_charge ? "true" : "false");
    world_put(harness, "cost-centres", "{'entity':'%s','cost_centre':'CC1','name':'x'}", entity->id);
    world_put(harness, "cost-centres", "{'entity':'%s','cost_centre':'CC2','name':'x'}", entity->id);
    for (int i = 0; i < CURRENCIES; i++)
        world_put(harness, "bank-accounts", "{'entity':'%s','bank_account':'B%s','currency':'%s','account':'" ACCOUNT_BANK "','transit_account':'" ACCOUNT_TRANSIT "'}",
                  entity->id,
            world_currencies[i].code, world_currencies[i].code);
    for (int i = 0; i < EMPLOYEES; i++)
        world_put(harness, "employees", "{'entity':'%s','employee':'W%d','name':'x','account':'" ACCOUNT_EMPLOYEE "','reimbursed_by':'%s'}", entity->id, i,
                  i % 3 ? "bank" : "payroll");
    for (int i = 0; i < CATEGORIES; i++)
        world_put(harness, "expense-policies", "{'entity':'%s','category':'CAT%d','grade':'*','currency':'%s'}", entity->id, i,
                  world_currencies[entity->functional].code);
    world_put(harness, "projects", "{'entity':'%s','project':'P1','name':'x'}", entity->id);
}

static void suppliers_load(struct harness *harness) {
    for (int i = 0; i < SUPPLIERS; i++) {
        world_put(harness, "suppliers", "{'supplier':'S%d','name':'x','country':'US','account':'161000'%s}", i,
                  number_is_blocked(i) ? ",'status':'blocked_for_payment'" : "");
        world_put(harness, "supplier-accounts", "{'supplier':'S%d','supplier_account':'A1','iban':'NL02RABO0123456789'}", i);
    }
}

static void permission_load(void *harness, const char *topic) {
    world_put(harness, "source-permissions", "{'source_system':'SRC','topic':'%s','entities':['*'],'journals':true}", topic);
}

void world_load(const struct world *world, struct harness *harness) {
    harness_masters(harness, true);
    harness_topics(permission_load, harness);
    world_put(harness, "source-permissions", "{'source_system':'kontor-invoice','topic':'payables','entities':['*']}");
    suppliers_load(harness);
    world_put(harness, "payment-terms", "{'terms':'T2','net_days':30,'discounts':[{'days':14,'percent':'2'}]}");
    for (int i = 0; i < ENTITIES; i++) entity_load(harness, i);
    world_load_rules(harness);
    rates_load(world, harness);
    harness_masters(harness, false);
}
