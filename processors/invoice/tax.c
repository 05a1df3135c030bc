/* tax: what the tax of each line is: by the line, by the sum of its tax code, or as the external tax engine answered (docs/purchase-to-pay.md, "Tax"). */
#include "processors/invoice/invoice.h"
#include "processors/shared/spread.h"
#include "processors/shared/tax_id.h"
#include "schemas/tax_answer.h"
#include "schemas/tax_code.h"

enum { PER_CENT_SCALE = 6 };   /* a rate in per cent at scale 4 is a share at scale 6 */
static const int64_t per_cent_unit = 1000000;

static const struct tax_code *code_find(struct invoice *invoice, struct slice tax_code) {
    return look_up(invoice->decision, MASTER_TAX_CODES, KEY(invoice->decision, invoice->event->entity, tax_code), invoice->tax_date, NULL);
}

static bool is_off(int64_t given_e4, int64_t computed_e4, int64_t unit_e4) { return given_e4 - computed_e4 > unit_e4 || computed_e4 - given_e4 > unit_e4; }

static const char *tax_path(struct invoice *invoice, size_t i, const char *field) { return decision_format(invoice->decision, "taxes[%zu].%s", i, field).data; }

void invoice_tax_id_check(struct invoice *invoice) {
    const struct supplier *supplier = invoice->facts.supplier;
    if (supplier && supplier->tax_id.length && tax_id_check(supplier->tax_id, supplier->country) == TAX_ID_IMPOSSIBLE)
        report(invoice->decision, REASON_TAX_ID_INVALID, "supplier", "\"" SLICE_FORMAT "\"", SLICE_ARGUMENT(supplier->tax_id));
}

/* ---- on the sum of a tax code ---- */

/* The lines of one tax code. */
struct group {
    size_t first, count;
    struct slice code;
    const struct tax_code *master;      /* NULL: lines without a code */
    const struct invoice_tax *stated;   /* by the document; NULL: it does not */
    size_t stated_place;
    int64_t taxable_e4, given_e4;
    bool all_given;
};

static const struct invoice_tax *stated_find(const struct invoice_event *event, struct slice code, size_t *place) {
    for (*place = 0; *place < event->taxes.count; ++*place)
        if (slice_equal(event->taxes.items[*place].tax_code, code)) return &event->taxes.items[*place];
    return NULL;
}

/* False: its tax is not computed here: an amount of it is none, or its code is unknown or another's to compute. All reported elsewhere. */
static bool group_make(struct invoice *invoice, size_t first, struct group *group) {
    const struct invoice_event *event = invoice->event;
    *group = (struct group){.first = first, .code = event->lines.items[first].tax_code, .all_given = true};
    group->stated = stated_find(event, group->code, &group->stated_place);
    for (size_t i = first; i < event->lines.count; i++) {
        const struct invoice_line *line = &event->lines.items[i];
        if (!slice_equal(line->tax_code, group->code)) continue;
        if (!facts_amount_fits(line->net_e4) || (line->has_tax && !facts_amount_fits(line->tax_e4)) || !decimal_add(group->taxable_e4, line->net_e4,
            &group->taxable_e4) ||
            !decimal_add(group->given_e4, line->has_tax ? line->tax_e4 : 0, &group->given_e4)) return false;
        group->all_given &= line->has_tax;
        group->count++;
    }
    if (group->stated && (!facts_amount_fits(group->stated->taxable_e4) || !facts_amount_fits(group->stated->tax_e4))) return false;
    if (group->code.length && !(group->master = code_find(invoice, group->code))) return false;
    return !group->master || !group->master->external;
}

static void group_spread(struct invoice *invoice, const struct group *group, int64_t whole_e4, int64_t *taxes_e4) {
    const struct invoice_event *event = invoice->event;
    struct spread_share *shares = decision_alloc(invoice->decision, (group->count + 1) * sizeof *shares);
    size_t count = 0;
    for (size_t i = group->first; i < event->lines.count; i++)
        if (slice_equal(event->lines.items[i].tax_code, group->code)) shares[count++].numerator = (__int128)event->lines.items[i].net_e4 * group->master->rate_e4;
    if (!spread_out(shares, count, per_cent_unit, money_minor_unit_e4(invoice->facts.currency), whole_e4)) {
        report(invoice->decision, REASON_TAX_AMOUNT_WRONG, facts_path(invoice->decision, group->first, "tax"), "cannot be spread over the lines");
        return;
    }
    for (size_t i = group->first, at = 0; i < event->lines.count; i++) {
        if (!slice_equal(event->lines.items[i].tax_code, group->code)) continue;
        taxes_e4[i] = shares[at++].part_e4;
        invoice->taxes_known[i] = true;
    }
}

/* Lines without a code: no tax may be stated on them; their own is looked at line by line. */
static void untaxed_check(struct invoice *invoice, const struct group *group) {
    if (group->stated && group->stated->tax_e4) report(invoice->decision, REASON_TAX_AMOUNT_WRONG, tax_path(invoice, group->stated_place, "tax"),
        "tax without a tax code");
}

static void group_check(struct invoice *invoice, const struct group *group, int64_t *taxes_e4) {
    struct decision *decision = invoice->decision;
    const struct invoice_event *event = invoice->event;
    const struct invoice_tax *stated = group->stated;
    const int64_t unit_e4 = money_minor_unit_e4(invoice->facts.currency);
    int64_t computed_e4;
    if (stated && stated->taxable_e4 != group->taxable_e4) report(decision, REASON_TOTAL_MISMATCH, tax_path(invoice, group->stated_place, "taxable"),
        "not the sum of the lines' net");
    if (!group->master) { untaxed_check(invoice, group); return; }
    if (event->taxes.count && !stated) report(decision, REASON_TOTAL_MISMATCH, "taxes", "no tax of code " SLICE_FORMAT, SLICE_ARGUMENT(group->code));
    if (!money_product(group->taxable_e4, MONEY_SCALE, group->master->rate_e4, PER_CENT_SCALE, invoice->facts.currency, &computed_e4) ||
        !facts_amount_fits(computed_e4)) {
        report(decision, REASON_AMOUNT_OVERFLOW, facts_path(decision, group->first, "tax"), "");
        return;
    }
    const char *path = stated ? tax_path(invoice, group->stated_place, "tax") : facts_path(decision, group->first, "tax");
    if (group->master->reverse_charge) {
        if (stated && stated->tax_e4) report(decision, REASON_TAX_AMOUNT_WRONG, path, "reverse charge: the supplier charges none");
        group_spread(invoice, group, computed_e4, taxes_e4);
        return;
    }
    int64_t charged_e4 = stated ? stated->tax_e4 : group->all_given ? group->given_e4 : computed_e4;
    if (is_off(charged_e4, computed_e4, unit_e4)) {
        report(decision, REASON_TAX_AMOUNT_WRONG, path, "not the sum of the nets times the rate");
        group_spread(invoice, group, computed_e4, taxes_e4);
        return;
    }
    if (stated && group->all_given && group->given_e4 != charged_e4) report(decision, REASON_TOTAL_MISMATCH, path, "not the sum of the lines' tax");
    if (!group->all_given) { group_spread(invoice, group, charged_e4, taxes_e4); return; }
    for (size_t i = group->first; i < event->lines.count; i++) {
        if (!slice_equal(event->lines.items[i].tax_code, group->code)) continue;
        taxes_e4[i] = event->lines.items[i].tax_e4;
        invoice->taxes_known[i] = true;
    }
}

static void stated_check(struct invoice *invoice) {
    const struct invoice_event *event = invoice->event;
    for (size_t i = 0; i < event->taxes.count; i++) {
        size_t first, line = 0;
        (void)stated_find(event, event->taxes.items[i].tax_code, &first);
        while (line < event->lines.count && !slice_equal(event->lines.items[line].tax_code, event->taxes.items[i].tax_code)) line++;
        if (first != i) report(invoice->decision, REASON_TOTAL_MISMATCH, tax_path(invoice, i, "tax_code"), "stated twice");
        else if (line == event->lines.count) report(invoice->decision, REASON_TOTAL_MISMATCH, tax_path(invoice, i, "tax_code"), "no line has it");
    }
}

void invoice_taxes_check(struct invoice *invoice) {
    const struct invoice_event *event = invoice->event;
    const struct facts *facts = &invoice->facts;
    const size_t count = event->lines.count;
    if (!facts->entity || !facts->has_currency || !count) return;
    if (!event->taxes.count && !slice_equal(facts->entity->tax_rounding, SLICE("document"))) return;
    stated_check(invoice);
    int64_t *taxes_e4 = decision_alloc(invoice->decision, count * sizeof *taxes_e4);
    bool *seen = decision_alloc(invoice->decision, count * sizeof *seen);
    invoice->taxes_known = decision_alloc(invoice->decision, count * sizeof *invoice->taxes_known);
    for (size_t i = 0; i < count; i++) {
        struct group group;
        if (seen[i]) continue;
        for (size_t k = i; k < count; k++) seen[k] |= slice_equal(event->lines.items[k].tax_code, event->lines.items[i].tax_code);
        if (group_make(invoice, i, &group)) group_check(invoice, &group, taxes_e4);
    }
    invoice->taxes_e4 = taxes_e4;
}

/* ---- the external engine ---- */

struct engine_tax { bool tried, known; int64_t tax_e4; };

/* What the answer says of a tax code, over all lines that have it; once, or a long invoice would need the square of its lines in memory. */
static void answer_spread(struct invoice *invoice, const struct answered_tax *answered) {
    const struct invoice_event *event = invoice->event;
    struct spread_share *shares = decision_alloc(invoice->decision, event->lines.count * sizeof *shares);
    const int sign = invoice->negated ? -1 : 1;
    size_t count = 0;
    int64_t taxable_e4 = 0;
    bool fits = true;
    for (size_t n = 0; n < event->lines.count; n++) {
        const struct invoice_line *line = &event->lines.items[n];
        if (!slice_equal(line->tax_code, answered->tax_code)) continue;
        invoice->answered[n].tried = true;
        fits = fits && facts_amount_fits(line->net_e4) && decimal_add(taxable_e4, line->net_e4, &taxable_e4);
        if (fits) shares[count++].numerator = (__int128)line->net_e4 * sign * answered->tax_e4;
    }
    for (size_t n = 0; taxable_e4 < 0 && n < count; n++) shares[n].numerator = -shares[n].numerator;
    if (!fits || !taxable_e4 || !spread_out(shares, count, taxable_e4 < 0 ? -taxable_e4 : taxable_e4, money_minor_unit_e4(invoice->facts.currency), sign * answered->tax_e4)) return;
    for (size_t n = 0, at = 0; n < event->lines.count; n++)
        if (slice_equal(event->lines.items[n].tax_code, answered->tax_code)) invoice->answered[n] = (struct engine_tax){true, true, shares[at++].part_e4};
}

/* The answer for a line; false: none yet. */
static bool answer_find(struct invoice *invoice, size_t i, int64_t *tax_e4) {
    const struct invoice_event *event = invoice->event;
    const struct tax_answer *answer = state_find(invoice->decision, STORE_TAX_ANSWERS, invoice->key);
    const struct invoice_line *line = &event->lines.items[i];
    if (!answer || (answer->currency.length && !slice_equal(answer->currency, event->currency))) return false;
    const int sign = invoice->negated ? -1 : 1;
    for (size_t k = 0; k < answer->lines.count; k++)
        if (slice_equal(answer->lines.items[k].line, line->line)) { *tax_e4 = sign * answer->lines.items[k].tax_e4; return true; }
    if (!invoice->answered) invoice->answered = decision_alloc(invoice->decision, event->lines.count * sizeof *invoice->answered);
    for (size_t k = 0; !invoice->answered[i].tried && k < answer->taxes.count; k++)
        if (slice_equal(answer->taxes.items[k].tax_code, line->tax_code)) answer_spread(invoice, &answer->taxes.items[k]);
    if (!invoice->answered[i].known) return false;
    *tax_e4 = invoice->answered[i].tax_e4;
    return true;
}

void invoice_tax_answered(struct invoice *invoice) {
    const struct invoice_event *event = invoice->event;
    if (!event->lines.count && !event->taxes.count) report(invoice->decision, REASON_TOTAL_MISMATCH, "taxes", "the answer is empty");
    if (refused(invoice->decision)) return;
    struct tax_answer answer = {.currency = event->currency, .lines.items = decision_alloc(invoice->decision, (event->lines.count + 1) * sizeof *answer.lines.items),
                                .taxes.items = decision_alloc(invoice->decision, (event->taxes.count + 1) * sizeof *answer.taxes.items)};
    for (size_t i = 0; i < event->lines.count; i++)
        if (event->lines.items[i].has_tax) answer.lines.items[answer.lines.count++] = (struct answered_line){event->lines.items[i].line, event->lines.items[i].tax_e4};
    for (size_t i = 0; i < event->taxes.count; i++) answer.taxes.items[answer.taxes.count++] = (struct answered_tax){event->taxes.items[i].tax_code,
        event->taxes.items[i].tax_e4};
    state_put(invoice->decision, STORE_TAX_ANSWERS, invoice->key, &answer);
}

/* ---- a line ---- */

/* The tax on the line, whoever owes it. False: unknown, and reported. */
static bool line_computed(struct invoice *invoice, size_t i, const struct tax_code *code, int64_t *tax_e4) {
    struct decision *decision = invoice->decision;
    if (code->external) {
        if (answer_find(invoice, i, tax_e4)) return true;
        wait_for_state(decision, REASON_TAX_PENDING, facts_path(decision, i, "tax_code"), STORE_TAX_ANSWERS, invoice->key);
        return false;
    }
    if (invoice->taxes_e4 && invoice->taxes_known[i]) { *tax_e4 = invoice->taxes_e4[i]; return true; }
    if (money_product(invoice->event->lines.items[i].net_e4, MONEY_SCALE, code->rate_e4, PER_CENT_SCALE, invoice->facts.currency, tax_e4)) return true;
    report(decision, REASON_AMOUNT_OVERFLOW, facts_path(decision, i, "tax"), "");
    return false;
}

int64_t invoice_line_tax(struct invoice *invoice, size_t i, struct posting_line *amounts, bool *known) {
    struct decision *decision = invoice->decision;
    const struct facts *facts = &invoice->facts;
    const struct invoice_line *line = &invoice->event->lines.items[i];
    int64_t given_e4 = line->has_tax ? line->tax_e4 : 0, computed_e4 = 0, deductible_e4 = 0;
    if (!line->tax_code.length) {
        if (given_e4) report(decision, REASON_TAX_AMOUNT_WRONG, facts_path(decision, i, "tax"), "tax without a tax code");
        return given_e4;
    }
    const struct tax_code *code = code_find(invoice, line->tax_code);
    if (!code) (void)require(decision, MASTER_TAX_CODES, KEY(decision, invoice->event->entity, line->tax_code), invoice->tax_date, REASON_TAX_CODE_UNKNOWN,
        facts_path(decision, i, "tax_code"));
    if (code) amounts->tax_account = (struct posting_account){code->account, MASTER_TAX_CODES, KEY(decision, invoice->event->entity, line->tax_code)};
    if (code && code->reverse_charge) invoice_tax_id_check(invoice);
    if (!code || !facts->has_currency || !line_computed(invoice, i, code, &computed_e4)) {
        *known &= line->has_tax;
        return given_e4;
    }
    /* Tax by the sum of its code was compared there: the lines' own is not looked at, unless each has one. */
    const bool by_sum = !code->external && invoice->taxes_e4 && invoice->taxes_known[i];
    int64_t charged_e4 = code->reverse_charge || (line->has_tax && !by_sum) ? given_e4 : computed_e4;
    if (code->reverse_charge ? given_e4 != 0 : is_off(charged_e4, computed_e4, money_minor_unit_e4(facts->currency)))
        report(decision, REASON_TAX_AMOUNT_WRONG, facts_path(decision, i, "tax"), code->reverse_charge ? "reverse charge: the supplier charges none" : code->external
            ? "not as the tax engine answered" : "not net times rate");
    int64_t whole_e4 = code->reverse_charge ? computed_e4 : charged_e4;
    if (!money_product(whole_e4, MONEY_SCALE, code->deductible_e4, PER_CENT_SCALE, facts->currency, &deductible_e4)) return charged_e4;
    if (code->reverse_charge) {
        amounts->amounts_e4[RULE_TAX_REVERSE_DEDUCTIBLE] = deductible_e4;
        amounts->amounts_e4[RULE_TAX_REVERSE_NOT_DEDUCTIBLE] = whole_e4 - deductible_e4;
    } else {
        amounts->amounts_e4[RULE_TAX_DEDUCTIBLE] = deductible_e4;
        amounts->amounts_e4[RULE_TAX_NOT_DEDUCTIBLE] = whole_e4 - deductible_e4;
    }
    return charged_e4;
}
