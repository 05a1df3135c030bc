/* The rules of the VAT categories. EN 16931-1 says the same of each – one breakdown, who is registered, the rate, what adds up, the reason – with differences
 * that are a table here: a row is a category, a column what it asks. 01 to 10 by category; BR-IC-11, -12 and BR-O-11 to -14 are theirs alone. */
#include <stdio.h>
#include <string.h>

#include "common/einvoice/checking.h"

/* Who has to be registered where the category is used. */
enum registered { SELLER_TAX_ID, SELLER_TAX_ID_AND_BUYER, SELLER_VAT_ID, SELLER_AND_BUYER_VAT_ID, NOBODY_VAT_ID };
enum rate { RATE_ABOVE_ZERO, RATE_NOT_NEGATIVE, RATE_ZERO, RATE_NONE };

struct vat_category {
    const char *code, *rules;           /* UNCL 5305; BR-<rules>-01 ... */
    enum registered registered;
    enum rate rate;
    bool by_rate;                       /* one breakdown for each rate, with tax; else one breakdown without tax */
    bool exempt;                        /* the breakdown says why (-10); else it must not */
};

static const struct vat_category categories[] = {
    {"S", "S", SELLER_TAX_ID, RATE_ABOVE_ZERO, true, false},
    {"Z", "Z", SELLER_TAX_ID, RATE_ZERO, false, false},
    {"E", "E", SELLER_TAX_ID, RATE_ZERO, false, true},
    {"AE", "AE", SELLER_TAX_ID_AND_BUYER, RATE_ZERO, false, true},
    {"K", "IC", SELLER_AND_BUYER_VAT_ID, RATE_ZERO, false, true},
    {"G", "G", SELLER_VAT_ID, RATE_ZERO, false, true},
    {"O", "O", NOBODY_VAT_ID, RATE_NONE, false, true},
    {"L", "AF", SELLER_TAX_ID, RATE_NOT_NEGATIVE, true, false},
    {"M", "AG", SELLER_TAX_ID, RATE_NOT_NEGATIVE, true, false},
};
enum { CATEGORIES = sizeof categories / sizeof *categories, COMMON_RULES = 10 };

static const char *const says[COMMON_RULES] = {
    "a VAT category that is used has its VAT breakdown (BG-23): each rate one, or one alone where there is no tax",
    "a line with this VAT category (BT-151) needs the tax registrations that the category asks for (BT-31, BT-32, BT-63, BT-47, BT-48)",
    "an allowance with this VAT category (BT-95) needs the tax registrations that the category asks for (BT-31, BT-32, BT-63, BT-47, BT-48)",
    "a charge with this VAT category (BT-102) needs the tax registrations that the category asks for (BT-31, BT-32, BT-63, BT-47, BT-48)",
    "a line's VAT rate (BT-152) is as its category asks",
    "an allowance's VAT rate (BT-96) is as its category asks",
    "a charge's VAT rate (BT-103) is as its category asks",
    "the taxable amount (BT-116) is lines (BT-131) less allowances (BT-92) plus charges (BT-99) of the category, and of the rate where it has several",
    "VAT (BT-117) is taxable amount (BT-116) times rate (BT-119), and 0 where there is no tax",
    "a VAT breakdown says why there is no tax (BT-120, BT-121) where there is none, and only there",
};
static const struct { const char *id, *says; } own_rules[] = {
    {"BR-IC-11", "an intra-community supply has the date of delivery (BT-72) or the invoicing period (BG-14)"},
    {"BR-IC-12", "an intra-community supply has the country it is delivered to (BT-80)"},
    {"BR-O-11", "an invoice that is not subject to VAT has no other VAT breakdown (BG-23)"},
    {"BR-O-12", "an invoice that is not subject to VAT has no line with another category (BT-151)"},
    {"BR-O-13", "an invoice that is not subject to VAT has no allowance with another category (BT-95)"},
    {"BR-O-14", "an invoice that is not subject to VAT has no charge with another category (BT-102)"},
};
enum { OWN_RULES = sizeof own_rules / sizeof *own_rules };

bool vat_rule(size_t position, char id[16], const char **words) {
    if (position >= CATEGORIES * COMMON_RULES + OWN_RULES) return false;
    if (position >= CATEGORIES * COMMON_RULES) {
        *words = own_rules[position - CATEGORIES * COMMON_RULES].says;
        return strcpy(id, own_rules[position - CATEGORIES * COMMON_RULES].id);
    }
    *words = says[position % COMMON_RULES];
    return snprintf(id, 16, "BR-%s-%02d", categories[position / COMMON_RULES].rules, (int)(position % COMMON_RULES) + 1) > 0;
}

/* One category under examination. */
struct examined {
    const struct vat_category *category;
    struct asked asked;
    void (*found)(void *context, const char *id, const struct asked *asked, const char *says);
    void *context;
};

static void broken(struct examined *examined, int number, int line) {
    char id[16];
    snprintf(id, sizeof id, "BR-%s-%02d", examined->category->rules, number);
    examined->asked.line = line;
    examined->found(examined->context, id, &examined->asked, says[number - 1]);
    examined->asked.detail[0] = 0;
}

static bool is_of(const struct einvoice_tax *tax, const struct vat_category *category) {
    return tax->given && slice_equal(tax->category.text, slice_of(category->code));
}
/* With the scheme VAT beside the category. */
static bool is_vat_of(const struct einvoice_tax *tax, const struct vat_category *category) { return tax->vat && is_of(tax, category); }

/* Some conditions of CII look at the category alone, and so does one of UBL. */
static bool counts_in(const struct examined *examined, const struct einvoice_tax *tax) {
    bool alone = examined->asked.cii || examined->category->rules[0] == 'S';
    return alone ? is_of(tax, examined->category) : is_vat_of(tax, examined->category);
}

static void check_breakdown_count(struct examined *examined) {
    const struct einvoice *invoice = examined->asked.invoice;
    size_t lines = 0, allowances = 0, breakdowns = 0;
    for (size_t i = 0; i < invoice->lines.count; i++) lines += counts_in(examined, &invoice->lines.items[i].tax);
    for (size_t i = 0; i < invoice->allowances.count; i++) allowances += counts_in(examined, &invoice->allowances.items[i].tax);
    for (size_t i = 0; i < invoice->breakdowns.count; i++) breakdowns += counts_in(examined, &invoice->breakdowns.items[i].tax);
    bool used = lines + allowances > 0, holds;
    if (examined->category->by_rate) holds = examined->asked.cii ? !used || breakdowns > 0 : used == (breakdowns > 0);
    else if (examined->asked.cii) holds = used ? breakdowns == 1 : breakdowns == 0;
    else holds = !(used || breakdowns) || breakdowns == 1;
    if (holds) return;
    detail(&examined->asked, "category %s is in %zu lines, allowances and charges, and in %zu breakdowns", examined->category->code, lines + allowances, breakdowns);
    broken(examined, 1, breakdowns || !invoice->breakdowns.count ? invoice->line : invoice->breakdowns.items[0].line);
}

static bool is_registered(const struct examined *examined) {
    const struct einvoice *invoice = examined->asked.invoice;
    bool seller_vat = invoice->seller.vat_id.given, agent_vat = invoice->representative.vat_id.given, buyer_vat = invoice->buyer.vat_id.given;
    bool seller = seller_vat || invoice->seller.tax_id.given || agent_vat;
    switch (examined->category->registered) {
    case SELLER_TAX_ID: return seller;
    case SELLER_TAX_ID_AND_BUYER: return seller && (buyer_vat || invoice->buyer.legal_id.given);
    case SELLER_VAT_ID: return seller_vat || agent_vat;
    case SELLER_AND_BUYER_VAT_ID: return (seller_vat || agent_vat) && buyer_vat;
    case NOBODY_VAT_ID: return !seller_vat && !agent_vat && !buyer_vat;
    }
    return true;
}

static bool rate_fits(const struct examined *examined, const struct einvoice_number *rate) {
    if (is_unreadable(rate)) return true;
    switch (examined->category->rate) {
    case RATE_ABOVE_ZERO: return rate->given && rate->value > 0;
    /* In CII the published condition for L is above zero; the rule says 0 or above. */
    case RATE_NOT_NEGATIVE: return rate->given && rate->value >= 0;
    case RATE_ZERO: return rate->given && rate->value == 0;
    case RATE_NONE: return !rate->given;
    }
    return true;
}

/* 02 to 04 and 05 to 07, of one line, allowance or charge; kind 0, 1, 2. The first place of each kind is enough for the registration. */
static void check_use(struct examined *examined, const struct einvoice_tax *tax, int kind, int line, bool said[3]) {
    char text[NUMBER_TEXT_SIZE];
    if (!is_vat_of(tax, examined->category)) return;
    if (!said[kind] && !is_registered(examined)) {
        said[kind] = true;
        detail(&examined->asked, "the category is %s", examined->category->code);
        broken(examined, 2 + kind, line);
    }
    if (rate_fits(examined, &tax->rate)) return;
    detail(&examined->asked, "category %s with the rate %s", examined->category->code, number_text(&tax->rate, text));
    broken(examined, 5 + kind, line);
}

static void check_uses(struct examined *examined) {
    const struct einvoice *invoice = examined->asked.invoice;
    bool said[3] = {false};
    for (size_t i = 0; i < invoice->lines.count; i++) check_use(examined, &invoice->lines.items[i].tax, 0, invoice->lines.items[i].line, said);
    for (size_t i = 0; i < invoice->allowances.count; i++)
        check_use(examined, &invoice->allowances.items[i].tax, invoice->allowances.items[i].charge ? 2 : 1, invoice->allowances.items[i].line, said);
}

static bool same_rate(const struct einvoice_number *a, const struct einvoice_number *b) {
    return einvoice_is_number(a) && einvoice_is_number(b) && a->value == b->value;
}

/* What lines, charges and allowances of the category add up to, in CII each of the three rounded; uses: how many there were. */
static struct sum sum_of_uses(const struct examined *examined, const struct einvoice_breakdown *breakdown, size_t *uses) {
    const struct einvoice *invoice = examined->asked.invoice;
    const struct einvoice_number *rate = examined->category->by_rate ? &breakdown->tax.rate : NULL;
    struct sum sum = {0, true}, charges = {0, true}, deductions = {0, true};
    *uses = 0;
    for (size_t i = 0; i < invoice->lines.count; i++) {
        const struct einvoice_line *line = &invoice->lines.items[i];
        if (!is_of(&line->tax, examined->category) || (rate && !same_rate(&line->tax.rate, rate))) continue;
        sum_add(&sum, &line->net, 1);
        ++*uses;
    }
    for (size_t i = 0; i < invoice->allowances.count; i++) {
        const struct einvoice_allowance *allowance = &invoice->allowances.items[i];
        if (!is_of(&allowance->tax, examined->category) || (rate && !same_rate(&allowance->tax.rate, rate))) continue;
        sum_add(allowance->charge ? &charges : &deductions, &allowance->amount, 1);
        ++*uses;
    }
    bool known = sum.known && charges.known && deductions.known;
    if (!examined->asked.cii) return (struct sum){sum.e4 + charges.e4 - deductions.e4, known};
    return (struct sum){round_to_cents(sum.e4) + round_to_cents(charges.e4) - round_to_cents(deductions.e4), known};
}

/* Tolerance as published: UBL less than one unit where there are rates, else exactly; CII the other way round, but O exactly. */
static bool taxable_fits(struct examined *examined, const struct einvoice_breakdown *breakdown) {
    const struct vat_category *category = examined->category;
    const struct einvoice *invoice = examined->asked.invoice;
    char one[NUMBER_TEXT_SIZE], other[NUMBER_TEXT_SIZE];
    bool cii = examined->asked.cii, near = cii ? !category->by_rate && category->rate != RATE_NONE : category->by_rate;
    size_t uses;
    struct sum sum = sum_of_uses(examined, breakdown, &uses);
    const struct einvoice_number *taxable = &breakdown->taxable;
    if (category->by_rate && !einvoice_is_number(&breakdown->tax.rate)) return true; /* no rate to add up for: BR-48 */
    if (!sum.known || is_unreadable(taxable)) return true;
    bool something = cii || (category->rules[0] == 'S' ? uses > 0 : invoice->lines.count > 0);
    __int128 difference = taxable->given ? taxable->value - sum.e4 : 0;
    if (difference < 0) difference = -difference;
    if (taxable->given && something && (near ? difference < 10000 : difference == 0)) return true;
    return detail(&examined->asked, "category %s: BT-116 is %s, expected %s", category->code, number_text(taxable, one), sum_text(sum.e4, other));
}

static bool tax_fits(struct examined *examined, const struct einvoice_breakdown *breakdown) {
    const struct einvoice_number *amount = &breakdown->amount, *taxable = &breakdown->taxable, *rate = &breakdown->tax.rate;
    char one[NUMBER_TEXT_SIZE], other[NUMBER_TEXT_SIZE], third[NUMBER_TEXT_SIZE];
    if (is_unreadable(amount) || is_unreadable(taxable) || is_unreadable(rate)) return true;
    if (!examined->category->by_rate && amount->given && amount->value == 0) return true;
    if (!examined->category->by_rate) return detail(&examined->asked, "category %s: BT-117 is %s, expected 0", examined->category->code, number_text(amount, one));
    /* CII publishes nothing for L and M here: BR-CO-17 is the same. */
    if (examined->asked.cii && examined->category->rules[0] == 'A') return true;
    if (tax_is_near(taxable, rate, amount, false)) return true;
    return detail(&examined->asked, "category %s: %s %% of %s is not %s", examined->category->code, number_text(rate, one), number_text(taxable, other),
                  number_text(amount, third));
}

static void check_breakdowns(struct examined *examined) {
    const struct einvoice *invoice = examined->asked.invoice;
    bool loose = examined->asked.cii && (examined->category->rules[0] == 'S' || examined->category->rules[0] == 'Z');
    for (size_t i = 0; i < invoice->breakdowns.count; i++) {
        const struct einvoice_breakdown *breakdown = &invoice->breakdowns.items[i];
        if (!(loose ? is_of(&breakdown->tax, examined->category) : is_vat_of(&breakdown->tax, examined->category))) continue;
        if (!taxable_fits(examined, breakdown)) broken(examined, 8, breakdown->line);
        if (!tax_fits(examined, breakdown)) broken(examined, 9, breakdown->line);
        bool reason = breakdown->tax.reason.given || breakdown->tax.reason_code.given;
        if (reason == examined->category->exempt) continue;
        detail(&examined->asked, "category %s %s", examined->category->code, reason ? "has a reason" : "has none");
        broken(examined, 10, breakdown->line);
    }
}

static void own_rule(struct examined *examined, size_t rule, int line) {
    examined->asked.line = line;
    examined->found(examined->context, own_rules[rule].id, &examined->asked, own_rules[rule].says);
}

static bool has_breakdown_of(const struct einvoice *invoice, const char *code) {
    for (size_t i = 0; i < invoice->breakdowns.count; i++)
        if (invoice->breakdowns.items[i].tax.vat && slice_equal(invoice->breakdowns.items[i].tax.category.text, slice_of(code))) return true;
    return false;
}

/* In UBL a VAT category without its code is another one too. */
static bool is_other(const struct examined *examined, const struct einvoice_tax *tax) {
    return (examined->asked.cii ? tax->category.given : tax->vat) && !slice_equal(tax->category.text, SLICE("O"));
}

/* CII asks 11 and 12 both of breakdowns and lines, 13 and 14 both of allowances and charges. */
static void check_mixture(struct examined *examined) {
    const struct einvoice *invoice = examined->asked.invoice;
    int others[4] = {0}; /* the line of the file where another category is: breakdown, line, allowance, charge */
    for (size_t i = 0; i < invoice->breakdowns.count; i++)
        if (is_other(examined, &invoice->breakdowns.items[i].tax)) others[0] = invoice->breakdowns.items[i].line;
    for (size_t i = 0; i < invoice->lines.count; i++)
        if (is_other(examined, &invoice->lines.items[i].tax)) others[1] = invoice->lines.items[i].line;
    for (size_t i = 0; i < invoice->allowances.count; i++)
        if (is_other(examined, &invoice->allowances.items[i].tax)) others[invoice->allowances.items[i].charge ? 3 : 2] = invoice->allowances.items[i].line;
    for (size_t i = 0; i < 4; i++) {
        int line = others[i] || !examined->asked.cii ? others[i] : others[i ^ 1];
        if (line) own_rule(examined, 2 + i, line);
    }
}

static void check_own(struct examined *examined) {
    const struct einvoice *invoice = examined->asked.invoice;
    if (has_breakdown_of(invoice, "K")) {
        bool delivered = invoice->delivered.text.text.length > 1 || invoice->period_said;
        bool country = examined->asked.cii ? invoice->deliver_country.given : invoice->deliver_country.text.length > 1;
        if (!delivered) own_rule(examined, 0, invoice->line);
        if (!country) own_rule(examined, 1, invoice->line);
    }
    if (has_breakdown_of(invoice, "O")) check_mixture(examined);
}

void vat_check(const struct einvoice *invoice, void (*found)(void *context, const char *id, const struct asked *asked, const char *says), void *context) {
    struct examined examined = {.asked = {.invoice = invoice, .detail = "", .cii = invoice->syntax == EINVOICE_CII}, .found = found, .context = context};
    for (size_t i = 0; i < CATEGORIES; i++) {
        examined.category = &categories[i];
        check_breakdown_count(&examined);
        check_uses(&examined);
        check_breakdowns(&examined);
    }
    check_own(&examined);
}
