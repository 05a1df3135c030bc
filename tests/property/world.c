#include "tests/property/world.h"

#include <stdarg.h>
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

static const char *const single_accounts[] = {"160000", "161000", "399000", ACCOUNT_INPUT_TAX, ACCOUNT_REVERSE_TAX, ACCOUNT_TRANSIT, ACCOUNT_FX_LOSS, ACCOUNT_FX_GAIN, ACCOUNT_ROUNDING};
enum { SINGLE_ACCOUNTS = sizeof single_accounts / sizeof *single_accounts };

bool world_account(struct slice account) {
    for (size_t i = 0; i < SINGLE_ACCOUNTS; i++)
        if (slice_equal(account, slice_of(single_accounts[i]))) return true;
    if (account.length != 6 || account.data[5] < '0' || account.data[5] >= '0' + CATEGORIES) return false;
    return memcmp(account.data, PREFIX_GRNI, 5) == 0 || memcmp(account.data, PREFIX_EXPENSE, 5) == 0;
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

__attribute__((format(printf, 3, 4))) static void put(struct harness *harness, const char *table, const char *format, ...) {
    char json[16384];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(json, sizeof json, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof json) die("a master record is too long");
    for (char *at = json; *at; at++)
        if (*at == '\'') *at = '"';
    harness_master(harness, table, json);
}

static void rates_load(const struct world *world, struct harness *harness) {
    char date[16];
    for (int currency = 0; currency < CURRENCIES; currency++)
        for (int entity = 0; entity < ENTITIES; entity++) {
            const int64_t *rates_e10 = world->rates_e10[currency][entity];
            if (currency == world_entities[entity].functional) continue;
            for (int day = 0; day < DAYS; day++)
                if (day == 0 || rates_e10[day] != rates_e10[day - 1])
                    put(harness, "fx-rates", "{'rate_type':'M','from_currency':'%s','to_currency':'%s','rate':'%" PRId64 ".%010" PRId64 "','max_age_days':400,'valid_from':'%s'}",
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
        put(harness, "periods", "{'entity':'%s','ledger':'GL','valid_from':'%s','last_day':'%s','period':'%.7s','status':'%s'}", entity, first, last, first,
            some_closed && month % 5 == 4 ? "closed" : "open");
    }
}

static void entity_load(struct harness *harness, int number) {
    const struct world_entity *entity = &world_entities[number];
    const bool moves = number == 3;
    put(harness, "legal-entities", "{'entity':'%s','name':'%s','functional_currency':'%s','time_zone':'%s','ledger':'GL','rule_set':'%s','chart':'C','rounding_account':'" ACCOUNT_ROUNDING
        "','late_documents':'%s'}", entity->id, entity->id, world_currencies[entity->functional].code, entity->zone, entity->second_set ? "SECOND" : "FIRST", moves ? "next_open" : "park");
    put(harness, "erp-routes", "{'entity':'%s','erp':'%s'}", entity->id, number % 2 ? "other" : "tryton");
    put(harness, "tolerances", "{'entity':'%s','price_percent':'%s','price_amount':'%s','quantity_percent':'%s','over_receipt':'%s','early_invoice':'%s','receipt_wait_days':30,"
        "'wait_days':20,'invoice_posts_on':'%s'}", entity->id, entity->wide_tolerances ? "90000000" : "2", entity->wide_tolerances ? "99999999999" : "5",
        entity->wide_tolerances ? "900000000" : "10", entity->wide_tolerances ? "accept" : "hold", number == 2 ? "hold" : "park", entity->posts_on_approval ? "approved" : "received");
    periods_load(harness, entity->id, moves);
    for (int i = 0; i < TAX_CODES; i++)
        put(harness, "tax-codes", "{'entity':'%s','tax_code':'%s','rate':'%d.%04d','deductible':'%d.%04d','reverse_charge':%s,'account':'" ACCOUNT_INPUT_TAX "'}", entity->id, world_taxes[i].code,
            (int)(world_taxes[i].rate_e4 / 10000), (int)(world_taxes[i].rate_e4 % 10000), (int)(world_taxes[i].deductible_e4 / 10000), (int)(world_taxes[i].deductible_e4 % 10000),
            world_taxes[i].reverse_charge ? "true" : "false");
    put(harness, "cost-centres", "{'entity':'%s','cost_centre':'CC1','name':'x'}", entity->id);
    put(harness, "cost-centres", "{'entity':'%s','cost_centre':'CC2','name':'x'}", entity->id);
    put(harness, "projects", "{'entity':'%s','project':'P1','name':'x'}", entity->id);
}

#define LINE(side, account, amount, more) "{'side':'" side "','account':'" account "','amount':'" amount "'" more "},"
#define DR(account, amount, more) LINE("debit", account, amount, more)
#define CR(account, amount, more) LINE("credit", account, amount, more)
#define CODED ",'cost_centre':true,'project':true"
#define OWED ",'partner':true"
#define TAXED ",'tax_code':true"
#define GRNI "map:grni:category"
#define COST "map:cost:category"
#define TAXES(tax, cost) DR(tax, "tax_deductible", TAXED) DR(cost, "tax_not_deductible", CODED) DR(tax, "tax_reverse_deductible", TAXED) \
    DR(cost, "tax_reverse_not_deductible", CODED) CR(ACCOUNT_REVERSE_TAX, "tax_reverse", TAXED)
#define TAXES_BACK(tax, cost) CR(tax, "tax_deductible", TAXED) CR(cost, "tax_not_deductible", CODED) CR(tax, "tax_reverse_deductible", TAXED) \
    CR(cost, "tax_reverse_not_deductible", CODED) DR(ACCOUNT_REVERSE_TAX, "tax_reverse", TAXED)
#define RULE(step, lines) "{'rule':'" step "','step':'" step "','lines':[" lines "null]},"
#define SET(payable, variance, tax) "[" \
    RULE("goods_receipt", DR(COST, "receipt_value", CODED) CR(GRNI, "receipt_value", OWED)) \
    RULE("invoice_with_order", DR(GRNI, "receipt_value", OWED) TAXES(tax, COST) DR(variance, "variance_above", CODED) CR(variance, "variance_below", CODED) \
         DR(ACCOUNT_FX_LOSS, "fx_loss", "") CR(ACCOUNT_FX_GAIN, "fx_gain", "") CR(payable, "gross", OWED)) \
    RULE("invoice_without_order", DR("line", "net", CODED) TAXES(tax, "line") CR(payable, "gross", OWED)) \
    RULE("subsequent_debit", DR(COST, "net", CODED) TAXES(tax, COST) CR(payable, "gross", OWED)) \
    RULE("credit_note", DR(payable, "gross", OWED) CR(COST, "net", CODED) TAXES_BACK(tax, COST)) \
    RULE("clearing", DR(payable, "gross", OWED) CR(ACCOUNT_TRANSIT, "gross", OWED)) "null]"

/* The macros end every list with `null`, which is taken out here. */
static void rules_load(struct harness *harness, const char *set, const char *rules) {
    static char json[32768];
    size_t length = (size_t)snprintf(json, sizeof json, "{'rule_set':'%s','rules':%s}", set, rules);
    if (length >= sizeof json) die("the rules are too long");
    char *to = json;
    for (const char *from = json; *from; from++) {
        if (strncmp(from, ",null", 5) == 0) from += 4;
        else *to++ = *from == '\'' ? '"' : *from;
    }
    *to = 0;
    harness_master(harness, "posting-rules", json);
}

static void permission_load(void *harness, const char *topic) {
    put(harness, "source-permissions", "{'source_system':'SRC','topic':'%s','entities':['*']}", topic);
}

static void codes_load(struct harness *harness) {
    for (size_t i = 0; i < SINGLE_ACCOUNTS; i++) put(harness, "accounts", "{'chart':'C','account':'%s','name':'x','type':'asset'}", single_accounts[i]);
    for (int i = 0; i < CATEGORIES; i++) {
        put(harness, "accounts", "{'chart':'C','account':'" PREFIX_GRNI "%d','name':'x','type':'liability'}", i);
        put(harness, "accounts", "{'chart':'C','account':'" PREFIX_EXPENSE "%d','name':'x','type':'expense'}", i);
        put(harness, "code-mappings", "{'mapping_set':'grni','code':'CAT%d','target':'" PREFIX_GRNI "%d'}", i, i);
        put(harness, "code-mappings", "{'mapping_set':'cost','code':'CAT%d','target':'" PREFIX_EXPENSE "%d'}", i, i);
    }
    for (int i = 0; i < SUPPLIERS; i++)
        put(harness, "suppliers", "{'supplier':'S%d','name':'x','country':'US','account':'161000'%s}", i, number_is_blocked(i) ? ",'status':'blocked_for_payment'" : "");
}

void world_load(const struct world *world, struct harness *harness) {
    harness_masters(harness, true);
    harness_topics(permission_load, harness);
    for (int i = 0; i < ENTITIES; i++) entity_load(harness, i);
    codes_load(harness);
    rules_load(harness, "FIRST", SET("160000", "399000", ACCOUNT_INPUT_TAX));
    rules_load(harness, "SECOND", SET("supplier", COST, "tax_code"));
    rates_load(world, harness);
    harness_masters(harness, false);
}
