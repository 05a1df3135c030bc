/* The rules that are not of one VAT category: what must be there, what must add up, how many digits. Amounts are compared as published: sums rounded to
 * cents, a half upwards. */
#include <stdio.h>
#include <string.h>

#include "common/einvoice/checking.h"

static bool same_number(const struct einvoice_number *number, __int128 e4) { return einvoice_is_number(number) && number->value == e4; }

/* found is not what is expected; true when one of the parts could not be read, about which FORMAT speaks. */
static bool compare(struct asked *asked, const struct einvoice_number *found, struct sum expected, const char *term) {
    char one[NUMBER_TEXT_SIZE], other[NUMBER_TEXT_SIZE];
    if (found->line) asked->line = found->line;
    if (!expected.known || is_unreadable(found) || same_number(found, expected.e4)) return true;
    return detail(asked, "%s is %s, expected %s", term, number_text(found, one), sum_text(expected.e4, other));
}

static bool kind_is_known(struct asked *asked) {
    const struct einvoice_text *code = &asked->invoice->type_code;
    if (code->line) asked->line = code->line;
    return !code->given || einvoice_kind(asked->invoice) != EINVOICE_KIND_UNKNOWN || detail(asked, "it is " SLICE_FORMAT, SLICE_ARGUMENT(code->text));
}

static bool has_seller_address(struct asked *asked) { return asked->invoice->seller.address_given; }
static bool has_buyer_address(struct asked *asked) { return asked->invoice->buyer.address_given; }
static bool has_lines(struct asked *asked) { return asked->invoice->lines.count > 0; }
/* CII asks for the country whether or not there is an address. */
static bool has_seller_country(struct asked *asked) {
    const struct einvoice_party *seller = &asked->invoice->seller;
    return einvoice_filled(&seller->country) || (!asked->cii && !seller->address_given);
}
static bool has_buyer_country(struct asked *asked) {
    const struct einvoice_party *buyer = &asked->invoice->buyer;
    return einvoice_filled(&buyer->country) || (!asked->cii && !buyer->address_given);
}
static bool has_representative_address(struct asked *asked) { return asked->invoice->representative.address_given; }
static bool has_representative_country(struct asked *asked) {
    const struct einvoice_party *party = &asked->invoice->representative;
    return einvoice_filled(&party->country) || (!asked->cii && !party->address_given);
}
static bool has_representative_vat_id(struct asked *asked) {
    const struct einvoice_text *id = &asked->invoice->representative.vat_id;
    return asked->cii ? einvoice_filled(id) : id->given;
}

static bool has_unit(struct asked *asked) { return ((const struct einvoice_line *)asked->object)->quantity.attribute_given; }
static bool has_price_not_negative(struct asked *asked) {
    const struct einvoice_number *price = &((const struct einvoice_line *)asked->object)->price;
    char text[NUMBER_TEXT_SIZE];
    bool negative = price->text.length && price->text.data[0] == '-' && strpbrk(number_text(price, text), "123456789");
    return (price->given && !negative) || detail(asked, "it is %s", number_text(price, text));
}
static bool has_vat_category(struct asked *asked) {
    const struct einvoice_tax *tax = &((const struct einvoice_line *)asked->object)->tax;
    return tax->vat && tax->category.given;
}
static bool has_one_category(struct asked *asked) {
    size_t count = ((const struct einvoice_line *)asked->object)->tax_count;
    return asked->cii || count == 1 || detail(asked, "it has %zu", count);
}

/* In CII a beginning or an end may be there without a date in it: then nothing can be said of their order. */
static bool ends_after_start(struct asked *asked) {
    const struct einvoice_period *period = asked->object;
    bool both = period->start.text.given && period->end.text.given;
    if (asked->cii && both && (!einvoice_filled(&period->start.text) || !einvoice_filled(&period->end.text))) return detail(asked, "one of them is no date");
    if (period->start.date == DATE_NONE || period->end.date == DATE_NONE || period->end.date >= period->start.date) return true;
    return detail(asked, "it begins " SLICE_FORMAT " and ends " SLICE_FORMAT, SLICE_ARGUMENT(period->start.text.text), SLICE_ARGUMENT(period->end.text.text));
}
static bool has_start_or_end(struct asked *asked) {
    const struct einvoice_period *period = asked->object;
    return period->start.text.given || period->end.text.given;
}
static bool period_says_something(struct asked *asked) { return has_start_or_end(asked) || (!asked->cii && asked->invoice->tax_point_code.given); }

static bool has_allowance_category(struct asked *asked) {
    const struct einvoice_tax *tax = &((const struct einvoice_allowance *)asked->object)->tax;
    return tax->vat && tax->category.given;
}
static bool has_reason(struct asked *asked) {
    const struct einvoice_allowance *allowance = asked->object;
    return allowance->reason.given || allowance->reason_code.given;
}

/* UNCL 5305, the part that EN 16931 allows; B is Italy's split payment. A category that is not there is for other rules. */
static bool category_is_known(struct asked *asked, const struct einvoice_text *category) {
    static const char list[] = " AE L M E S Z G O K B ";
    char word[8] = "";
    if (!category->given) return true;
    if (category->text.length && category->text.length < 4 && !memchr(category->text.data, ' ', category->text.length))
        snprintf(word, sizeof word, " " SLICE_FORMAT " ", SLICE_ARGUMENT(category->text));
    if (category->line) asked->line = category->line;
    return (*word && strstr(list, word)) || detail(asked, "it is " SLICE_FORMAT, (int)(category->text.length < 40 ? category->text.length : 40), category->text.data);
}
static bool line_category_is_known(struct asked *asked) { return category_is_known(asked, &((const struct einvoice_line *)asked->object)->tax.category); }
static bool allowance_category_is_known(struct asked *asked) { return category_is_known(asked, &((const struct einvoice_allowance *)asked->object)->tax.category); }
/* A breakdown's is BR-CL-17 in UBL and BR-CL-18 in CII. */
static bool ubl_breakdown_category_is_known(struct asked *asked) {
    return asked->cii || category_is_known(asked, &((const struct einvoice_breakdown *)asked->object)->tax.category);
}
static bool cii_breakdown_category_is_known(struct asked *asked) {
    return !asked->cii || category_is_known(asked, &((const struct einvoice_breakdown *)asked->object)->tax.category);
}

static bool has_breakdown_category(struct asked *asked) {
    const struct einvoice_tax *tax = &((const struct einvoice_breakdown *)asked->object)->tax;
    return tax->vat && tax->category.given;
}
static bool has_breakdown_rate(struct asked *asked) {
    const struct einvoice_tax *tax = &((const struct einvoice_breakdown *)asked->object)->tax;
    return tax->vat && (tax->rate.given || slice_equal(tax->category.text, SLICE("O")));
}

static bool has_accounting_tax(struct asked *asked) {
    const struct einvoice *invoice = asked->invoice;
    if (!invoice->tax_currency.given || (asked->cii && !invoice->totals_given)) return true;
    if (asked->cii && slice_equal(invoice->tax_currency.text, invoice->currency.text)) return false;
    for (size_t i = 0; i < invoice->tax_totals.count; i++) {
        const struct einvoice_number *amount = &invoice->tax_totals.items[i].amount;
        if (amount->given && slice_equal(amount->attribute, invoice->tax_currency.text)) return true;
    }
    return false;
}

/* Not shown: a card's number does not belong into a message either. */
static bool card_is_cut(struct asked *asked) { return ((const struct einvoice_means *)asked->object)->card.text.length <= 10; }
static bool has_means(struct asked *asked) { return ((const struct einvoice_means *)asked->object)->code.given; }
/* UBL asks that the number is there, CII that it says something. */
static bool has_preceding_number(struct asked *asked) {
    const struct einvoice_text *id = &((const struct einvoice_reference *)asked->object)->id;
    return asked->cii ? einvoice_filled(id) : id->given;
}

static bool has_one_tax_point(struct asked *asked) {
    const struct einvoice *invoice = asked->invoice;
    return !(invoice->tax_point.text.given && invoice->tax_point_code.given);
}

/* ISO 3166 alpha-2 with EL and XI, and the 1A of Kosovo. */
static const char countries[] =
    " 1A AD AE AF AG AI AL AM AN AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV "
    "CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH EL ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM "
    "IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX "
    "MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV "
    "SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XI YE YT ZA ZM ZW ";

static bool begins_with_country(struct asked *asked) {
    struct slice id = ((const struct einvoice_text *)asked->object)->text;
    char word[5] = "";
    if (id.length >= 2) snprintf(word, sizeof word, " %.2s ", id.data);
    return (*word && strstr(countries, word)) || detail(asked, "it is " SLICE_FORMAT, (int)(id.length < 40 ? id.length : 40), id.data);
}

static bool lines_add_up(struct asked *asked) {
    struct sum sum = {0, true};
    for (size_t i = 0; i < asked->invoice->lines.count; i++) sum_add(&sum, &asked->invoice->lines.items[i].net, 1);
    sum.e4 = round_to_cents(sum.e4);
    return compare(asked, &asked->invoice->line_total, sum, "BT-106");
}

static bool allowances_add_up(struct asked *asked, bool charge, const struct einvoice_number *total, const char *term) {
    struct sum sum = {0, true};
    bool any = false;
    for (size_t i = 0; i < asked->invoice->allowances.count; i++) {
        const struct einvoice_allowance *allowance = &asked->invoice->allowances.items[i];
        if (allowance->charge != charge) continue;
        any = true;
        sum_add(&sum, &allowance->amount, 1);
    }
    sum.e4 = round_to_cents(sum.e4);
    return (!any && !total->given) || compare(asked, total, sum, term);
}
static bool document_allowances_add_up(struct asked *asked) { return allowances_add_up(asked, false, &asked->invoice->allowance_total, "BT-107"); }
static bool document_charges_add_up(struct asked *asked) { return allowances_add_up(asked, true, &asked->invoice->charge_total, "BT-108"); }

/* In UBL the sum is rounded only when there is something to add. */
static bool net_adds_up(struct asked *asked) {
    const struct einvoice *invoice = asked->invoice;
    struct sum sum = {0, true};
    sum_add(&sum, &invoice->line_total, 1);
    sum_add(&sum, &invoice->allowance_total, -1);
    sum_add(&sum, &invoice->charge_total, 1);
    if (asked->cii || invoice->allowance_total.given || invoice->charge_total.given) sum.e4 = round_to_cents(sum.e4);
    if (!invoice->line_total.given) return detail(asked, "BT-106 is missing");
    return compare(asked, &invoice->net_total, sum, "BT-109");
}

/* UBL: each total with the breakdowns under it. CII: the one in the invoice's currency with all of them. */
static bool taxes_add_up(struct asked *asked) {
    const struct einvoice *invoice = asked->invoice;
    const struct einvoice_tax_total *total = asked->object;
    size_t position = (size_t)(total - invoice->tax_totals.items), count = 0;
    if (asked->cii && !(invoice->currency.given && slice_equal(total->amount.attribute, invoice->currency.text))) return true;
    struct sum sum = {0, true};
    for (size_t i = 0; i < invoice->breakdowns.count; i++) {
        if (!asked->cii && invoice->breakdowns.items[i].total != position) continue;
        count++;
        sum_add(&sum, &invoice->breakdowns.items[i].amount, 1);
    }
    sum.e4 = round_to_cents(sum.e4);
    return (!asked->cii && !count) || compare(asked, &total->amount, sum, "BT-110");
}

static bool gross_adds_up(struct asked *asked) {
    const struct einvoice *invoice = asked->invoice;
    const struct einvoice_number *vat = einvoice_vat_total(invoice);
    size_t totals = 0;
    if (!invoice->currency.given) return true;
    for (size_t i = 0; i < invoice->tax_totals.count; i++)
        totals += invoice->tax_totals.items[i].amount.given && slice_equal(invoice->tax_totals.items[i].amount.attribute, invoice->currency.text);
    struct sum sum = {0, true};
    sum_add(&sum, &invoice->net_total, 1);
    if (asked->cii && sum.known && invoice->net_total.given && same_number(&invoice->gross_total, sum.e4)) return true;
    if (totals != 1) return detail(asked, "BT-110 in " SLICE_FORMAT " is there %zu times, expected once", SLICE_ARGUMENT(invoice->currency.text), totals);
    sum_add(&sum, vat, 1);
    sum.e4 = round_to_cents(sum.e4);
    if (!invoice->net_total.given) return detail(asked, "BT-109 is missing");
    return compare(asked, &invoice->gross_total, sum, "BT-112");
}

/* UBL rounds both sides to cents where something is subtracted; CII compares as it is. */
static bool payable_adds_up(struct asked *asked) {
    const struct einvoice *invoice = asked->invoice;
    struct sum left = {0, true}, right = {0, true};
    sum_add(&left, &invoice->payable, 1);
    sum_add(&left, &invoice->rounding, -1);
    sum_add(&right, &invoice->gross_total, 1);
    sum_add(&right, &invoice->prepaid, -1);
    char one[NUMBER_TEXT_SIZE], other[NUMBER_TEXT_SIZE];
    if (!left.known || !right.known) return true;
    if (!asked->cii && invoice->rounding.given) left.e4 = round_to_cents(left.e4);
    if (!asked->cii && invoice->prepaid.given) right.e4 = round_to_cents(right.e4);
    if (invoice->payable.given && invoice->gross_total.given && left.e4 == right.e4) return true;
    if (invoice->payable.line) asked->line = invoice->payable.line;
    __int128 expected = right.e4 + (einvoice_is_number(&invoice->rounding) ? invoice->rounding.value : 0);
    return detail(asked, "BT-115 is %s, expected %s", number_text(&invoice->payable, one), sum_text(expected, other));
}

bool tax_is_near(const struct einvoice_number *basis, const struct einvoice_number *rate, const struct einvoice_number *amount, bool inclusive) {
    if (!einvoice_is_number(basis) || !einvoice_is_number(rate) || !einvoice_is_number(amount)) return false;
    __int128 taxable = basis->value < 0 ? -(__int128)basis->value : basis->value, tax = amount->value < 0 ? -(__int128)amount->value : amount->value;
    /* e4 × per cent e4 is e10 of the amount; to cents, then as e4 again */
    __int128 reckoned = floor_divide(taxable * rate->value + 50000000, 100000000) * 100, difference = tax - reckoned;
    if (difference < 0) difference = -difference;
    return inclusive ? difference <= 10000 : difference < 10000;
}

static bool tax_fits_rate(struct asked *asked) {
    const struct einvoice_breakdown *breakdown = asked->object;
    const struct einvoice_number *rate = &breakdown->tax.rate, *amount = &breakdown->amount;
    char one[NUMBER_TEXT_SIZE], other[NUMBER_TEXT_SIZE], third[NUMBER_TEXT_SIZE];
    bool rated = breakdown->tax.vat && rate->given;
    if ((rated && is_unreadable(rate)) || is_unreadable(amount) || is_unreadable(&breakdown->taxable)) return true;
    bool rate_is_zero = !rated || floor_divide(rate->value + 5000, 10000) == 0;
    bool amount_is_zero = amount->given && floor_divide((__int128)amount->value + 5000, 10000) == 0;
    if (rate_is_zero ? amount_is_zero : tax_is_near(&breakdown->taxable, rate, amount, asked->cii)) return true;
    return detail(asked, "%s %% of %s is not %s", rated ? number_text(rate, one) : "0", number_text(&breakdown->taxable, other), number_text(amount, third));
}

/* CII asks this of the lines: without one it is not asked. */
static bool has_breakdown(struct asked *asked) { return asked->invoice->breakdowns.count > 0 || (asked->cii && !asked->invoice->lines.count); }

static bool seller_is_identified(struct asked *asked) {
    const struct einvoice_party *seller = asked->object;
    return seller->identified || seller->legal_id.given || seller->vat_id.given;
}

static bool vat_total_has_two_digits(struct asked *asked) {
    const struct einvoice_number *vat = einvoice_vat_total(asked->invoice);
    char text[NUMBER_TEXT_SIZE];
    return !vat || vat->digits <= 2 || detail(asked, "it is %s", number_text(vat, text));
}

#define FILLED(id, scope, type, field, says) {id, scope, MUST_BE_FILLED, offsetof(struct type, field), NULL, says, false}
#define GIVEN(id, scope, type, field, says) {id, scope, MUST_BE_GIVEN, offsetof(struct type, field), NULL, says, false}
#define DIGITS(id, scope, type, field, says) {id, scope, MUST_HAVE_TWO_DIGITS, offsetof(struct type, field), NULL, says " has at most two digits behind the point", false}
#define HOLDS(id, scope, holds, says) {id, scope, MUST_HOLD, 0, holds, says, false}
#define KNOWN_CATEGORY(term) "the VAT category (" term ") is one of UNCL 5305: S, Z, E, AE, K, G, O, L, M, B"

const struct rule rules_table[] = {
    FILLED("BR-01", OF_INVOICE, einvoice, specification, "an invoice names its specification (BT-24)"),
    FILLED("BR-02", OF_INVOICE, einvoice, number, "an invoice has a number (BT-1)"),
    FILLED("BR-03", OF_INVOICE, einvoice, issued.text, "an invoice has a date of issue (BT-2)"),
    FILLED("BR-04", OF_INVOICE, einvoice, type_code, "an invoice has a type (BT-3)"),
    HOLDS("BR-CL-01", OF_INVOICE, kind_is_known, "the type (BT-3) is one of UNTDID 1001 for invoices, or for credit notes, such as 380 or 381"),
    FILLED("BR-05", OF_INVOICE, einvoice, currency, "an invoice has a currency (BT-5)"),
    FILLED("BR-06", OF_INVOICE, einvoice, seller.name, "an invoice names the seller (BT-27)"),
    FILLED("BR-07", OF_INVOICE, einvoice, buyer.name, "an invoice names the buyer (BT-44)"),
    HOLDS("BR-08", OF_INVOICE, has_seller_address, "an invoice has the seller's address (BG-5)"),
    HOLDS("BR-09", OF_INVOICE, has_seller_country, "the seller's address has a country (BT-40)"),
    HOLDS("BR-10", OF_INVOICE, has_buyer_address, "an invoice has the buyer's address (BG-8)"),
    HOLDS("BR-11", OF_INVOICE, has_buyer_country, "the buyer's address has a country (BT-55)"),
    GIVEN("BR-12", OF_TOTALS, einvoice, line_total, "an invoice has the sum of its lines (BT-106)"),
    GIVEN("BR-13", OF_TOTALS, einvoice, net_total, "an invoice has a total without VAT (BT-109)"),
    GIVEN("BR-14", OF_TOTALS, einvoice, gross_total, "an invoice has a total with VAT (BT-112)"),
    GIVEN("BR-15", OF_TOTALS, einvoice, payable, "an invoice has the amount due (BT-115)"),
    HOLDS("BR-16", OF_INVOICE, has_lines, "an invoice has at least one line (BG-25)"),
    FILLED("BR-18", OF_REPRESENTATIVE, einvoice_party, name, "a tax representative has a name (BT-62)"),
    HOLDS("BR-19", OF_REPRESENTATIVE, has_representative_address, "a tax representative has an address (BG-12)"),
    HOLDS("BR-20", OF_REPRESENTATIVE, has_representative_country, "a tax representative's address has a country (BT-69)"),
    FILLED("BR-21", OF_LINE, einvoice_line, id, "a line has an identifier (BT-126)"),
    GIVEN("BR-22", OF_LINE, einvoice_line, quantity, "a line has a quantity (BT-129)"),
    HOLDS("BR-23", OF_LINE, has_unit, "a line's quantity has a unit (BT-130)"),
    GIVEN("BR-24", OF_LINE, einvoice_line, net, "a line has a net amount (BT-131)"),
    FILLED("BR-25", OF_LINE, einvoice_line, name, "a line names its item (BT-153)"),
    GIVEN("BR-26", OF_LINE, einvoice_line, price, "a line has the item's net price (BT-146)"),
    HOLDS("BR-27", OF_LINE, has_price_not_negative, "the item's net price (BT-146) is not negative"),
    {"BR-28", OF_LINE, MUST_NOT_BE_NEGATIVE, offsetof(struct einvoice_line, gross_price), NULL, "the item's gross price (BT-148) is not negative", false},
    HOLDS("BR-29", OF_PERIOD, ends_after_start, "the invoicing period (BG-14) does not end before it begins"),
    HOLDS("BR-30", OF_LINE_PERIOD, ends_after_start, "a line's period (BG-26) does not end before it begins"),
    GIVEN("BR-31", OF_ALLOWANCE, einvoice_allowance, amount, "an allowance has an amount (BT-92)"),
    HOLDS("BR-32", OF_ALLOWANCE, has_allowance_category, "an allowance has a VAT category (BT-95)"),
    HOLDS("BR-33", OF_ALLOWANCE, has_reason, "an allowance has a reason (BT-97) or its code (BT-98)"),
    GIVEN("BR-36", OF_CHARGE, einvoice_allowance, amount, "a charge has an amount (BT-99)"),
    HOLDS("BR-37", OF_CHARGE, has_allowance_category, "a charge has a VAT category (BT-102)"),
    HOLDS("BR-38", OF_CHARGE, has_reason, "a charge has a reason (BT-104) or its code (BT-105)"),
    GIVEN("BR-41", OF_LINE_ALLOWANCE, einvoice_allowance, amount, "a line's allowance has an amount (BT-136)"),
    HOLDS("BR-42", OF_LINE_ALLOWANCE, has_reason, "a line's allowance has a reason (BT-139) or its code (BT-140)"),
    GIVEN("BR-43", OF_LINE_CHARGE, einvoice_allowance, amount, "a line's charge has an amount (BT-141)"),
    HOLDS("BR-44", OF_LINE_CHARGE, has_reason, "a line's charge has a reason (BT-144) or its code (BT-145)"),
    GIVEN("BR-45", OF_BREAKDOWN, einvoice_breakdown, taxable, "a VAT breakdown has a taxable amount (BT-116)"),
    GIVEN("BR-46", OF_BREAKDOWN, einvoice_breakdown, amount, "a VAT breakdown has a tax amount (BT-117)"),
    HOLDS("BR-47", OF_BREAKDOWN, has_breakdown_category, "a VAT breakdown has a category (BT-118)"),
    HOLDS("BR-48", OF_BREAKDOWN, has_breakdown_rate, "a VAT breakdown has a rate (BT-119), unless it is not subject to VAT"),
    HOLDS("BR-49", OF_MEANS, has_means, "payment instructions say the means of payment (BT-81)"),
    {"BR-51", OF_MEANS, MUST_HOLD, 0, card_is_cut, "of a card's number (BT-87) only the last 4 to 6 digits are shown", true},
    HOLDS("BR-53", OF_INVOICE, has_accounting_tax, "with a currency for VAT (BT-6) there is the VAT total in it (BT-111)"),
    HOLDS("BR-55", OF_PRECEDING, has_preceding_number, "a reference to a preceding invoice has its number (BT-25)"),
    HOLDS("BR-56", OF_REPRESENTATIVE, has_representative_vat_id, "a tax representative has a VAT identifier (BT-63)"),
    HOLDS("BR-CO-03", OF_INVOICE, has_one_tax_point, "the date of the tax point is given (BT-7) or its code is (BT-8), not both"),
    HOLDS("BR-CO-04", OF_LINE, has_vat_category, "a line has a VAT category (BT-151)"),
    HOLDS("UBL-SR-48", OF_LINE, has_one_category, "a line has one VAT category, and only one"),
    HOLDS("BR-CO-09", OF_VAT_ID, begins_with_country, "a VAT identifier (BT-31, BT-48, BT-63) begins with the code of a country"),
    HOLDS("BR-CO-10", OF_TOTALS, lines_add_up, "the sum of the lines (BT-106) is what their net amounts (BT-131) add up to"),
    HOLDS("BR-CO-11", OF_TOTALS, document_allowances_add_up, "the sum of allowances (BT-107) is what they (BT-92) add up to"),
    HOLDS("BR-CO-12", OF_TOTALS, document_charges_add_up, "the sum of charges (BT-108) is what they (BT-99) add up to"),
    HOLDS("BR-CO-13", OF_TOTALS, net_adds_up, "the total without VAT (BT-109) is lines (BT-106) less allowances (BT-107) plus charges (BT-108)"),
    HOLDS("BR-CO-14", OF_TAX_TOTAL, taxes_add_up, "the VAT total (BT-110) is what the breakdowns (BT-117) add up to"),
    HOLDS("BR-CO-15", OF_INVOICE, gross_adds_up, "the total with VAT (BT-112) is the total without (BT-109) plus VAT (BT-110)"),
    HOLDS("BR-CO-16", OF_TOTALS, payable_adds_up, "the amount due (BT-115) is the total (BT-112) less what is paid (BT-113) plus rounding (BT-114)"),
    HOLDS("BR-CO-17", OF_BREAKDOWN, tax_fits_rate, "VAT (BT-117) is the taxable amount (BT-116) times the rate (BT-119)"),
    HOLDS("BR-CO-18", OF_INVOICE, has_breakdown, "an invoice has at least one VAT breakdown (BG-23)"),
    HOLDS("BR-CO-19", OF_PERIOD, period_says_something, "the invoicing period (BG-14) has a beginning (BT-73) or an end (BT-74)"),
    HOLDS("BR-CO-20", OF_LINE_PERIOD, has_start_or_end, "a line's period (BG-26) has a beginning (BT-134) or an end (BT-135)"),
    HOLDS("BR-CO-21", OF_ALLOWANCE, has_reason, "an allowance has a reason (BT-97) or its code (BT-98)"),
    HOLDS("BR-CO-22", OF_CHARGE, has_reason, "a charge has a reason (BT-104) or its code (BT-105)"),
    HOLDS("BR-CO-23", OF_LINE_ALLOWANCE, has_reason, "a line's allowance has a reason (BT-139) or its code (BT-140)"),
    HOLDS("BR-CO-24", OF_LINE_CHARGE, has_reason, "a line's charge has a reason (BT-144) or its code (BT-145)"),
    HOLDS("BR-CO-26", OF_SELLER, seller_is_identified, "the seller has an identifier (BT-29), a legal registration (BT-30) or a VAT identifier (BT-31)"),
    DIGITS("BR-DEC-01", OF_ALLOWANCE, einvoice_allowance, amount, "an allowance (BT-92)"),
    DIGITS("BR-DEC-02", OF_ALLOWANCE, einvoice_allowance, base, "an allowance's base (BT-93)"),
    DIGITS("BR-DEC-05", OF_CHARGE, einvoice_allowance, amount, "a charge (BT-99)"),
    DIGITS("BR-DEC-06", OF_CHARGE, einvoice_allowance, base, "a charge's base (BT-100)"),
    DIGITS("BR-DEC-09", OF_TOTALS, einvoice, line_total, "the sum of the lines (BT-106)"),
    DIGITS("BR-DEC-10", OF_TOTALS, einvoice, allowance_total, "the sum of allowances (BT-107)"),
    DIGITS("BR-DEC-11", OF_TOTALS, einvoice, charge_total, "the sum of charges (BT-108)"),
    DIGITS("BR-DEC-12", OF_TOTALS, einvoice, net_total, "the total without VAT (BT-109)"),
    HOLDS("BR-DEC-13", OF_TOTALS, vat_total_has_two_digits, "the VAT total (BT-110) has at most two digits behind the point"),
    DIGITS("BR-DEC-14", OF_TOTALS, einvoice, gross_total, "the total with VAT (BT-112)"),
    DIGITS("BR-DEC-16", OF_TOTALS, einvoice, prepaid, "the amount paid (BT-113)"),
    DIGITS("BR-DEC-17", OF_TOTALS, einvoice, rounding, "the rounding (BT-114)"),
    DIGITS("BR-DEC-18", OF_TOTALS, einvoice, payable, "the amount due (BT-115)"),
    DIGITS("BR-DEC-19", OF_BREAKDOWN, einvoice_breakdown, taxable, "a taxable amount (BT-116)"),
    DIGITS("BR-DEC-20", OF_BREAKDOWN, einvoice_breakdown, amount, "a VAT amount (BT-117)"),
    DIGITS("BR-DEC-23", OF_LINE, einvoice_line, net, "a line's net amount (BT-131)"),
    DIGITS("BR-DEC-24", OF_LINE_ALLOWANCE, einvoice_allowance, amount, "a line's allowance (BT-136)"),
    DIGITS("BR-DEC-25", OF_LINE_ALLOWANCE, einvoice_allowance, base, "the base of a line's allowance (BT-137)"),
    DIGITS("BR-DEC-27", OF_LINE_CHARGE, einvoice_allowance, amount, "a line's charge (BT-141)"),
    DIGITS("BR-DEC-28", OF_LINE_CHARGE, einvoice_allowance, base, "the base of a line's charge (BT-142)"),
    HOLDS("BR-CL-17", OF_ALLOWANCE, allowance_category_is_known, KNOWN_CATEGORY("BT-95")),
    HOLDS("BR-CL-17", OF_CHARGE, allowance_category_is_known, KNOWN_CATEGORY("BT-102")),
    HOLDS("BR-CL-17", OF_BREAKDOWN, ubl_breakdown_category_is_known, KNOWN_CATEGORY("BT-118")),
    HOLDS("BR-CL-18", OF_BREAKDOWN, cii_breakdown_category_is_known, KNOWN_CATEGORY("BT-118")),
    HOLDS("BR-CL-18", OF_LINE, line_category_is_known, KNOWN_CATEGORY("BT-151")),
    {NULL, OF_INVOICE, MUST_HOLD, 0, NULL, NULL, false},
};
