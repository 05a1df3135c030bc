/* Asking: goes over the table, and over what each rule is asked of. */
#include "common/einvoice/rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/einvoice/checking.h"

bool detail(struct asked *asked, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(asked->detail, sizeof asked->detail, format, arguments);
    va_end(arguments);
    return false;
}

const char *sum_text(__int128 e4, char text[NUMBER_TEXT_SIZE]) {
    if (e4 > DECIMAL_MAXIMUM || e4 < -DECIMAL_MAXIMUM) return "more than any amount";
    char digits[DECIMAL_TEXT_SIZE];
    decimal_print((int64_t)e4, 4, 2, digits);
    snprintf(text, NUMBER_TEXT_SIZE, "%s", digits);
    return text;
}

const char *number_text(const struct einvoice_number *number, char text[NUMBER_TEXT_SIZE]) {
    if (!number->given) return "nothing";
    snprintf(text, NUMBER_TEXT_SIZE, "%.*s", (int)(number->text.length < 40 ? number->text.length : 40), number->text.data);
    return *text ? text : "nothing";
}

void sum_add(struct sum *sum, const struct einvoice_number *number, int sign) {
    if (!number->given) return;
    if (number->reading != DECIMAL_READ) sum->known = false;
    else sum->e4 += (__int128)number->value * sign;
}

__int128 floor_divide(__int128 a, __int128 b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }
__int128 round_to_cents(__int128 e4) { return floor_divide(e4 + 50, 100) * 100; }

static bool text_holds(const struct rule *rule, const void *object) {
    return einvoice_filled((const void *)((const char *)object + rule->offset));
}

static bool number_holds(const struct rule *rule, struct asked *asked) {
    const struct einvoice_number *number = (const void *)((const char *)asked->object + rule->offset);
    char text[NUMBER_TEXT_SIZE];
    if (number->line) asked->line = number->line;
    if (rule->must == MUST_BE_GIVEN) return number->given;
    if (rule->must == MUST_HAVE_TWO_DIGITS) return number->digits <= 2 || detail(asked, "it is %s", number_text(number, text));
    bool negative = number->text.length && number->text.data[0] == '-' && strpbrk(number_text(number, text), "123456789");
    return !negative || detail(asked, "it is %s", number_text(number, text));
}

struct asking { const struct rule *rule; struct einvoice_findings *findings; const struct einvoice *invoice; };

static void add_finding(struct einvoice_findings *findings, const char *id, bool warning, int line, const char *says, const char *details) {
    findings->fatal += !warning;
    if (findings->count == EINVOICE_FINDINGS_MAXIMUM) return;
    struct einvoice_finding *finding = &findings->items[findings->count++];
    *finding = (struct einvoice_finding){.warning = warning, .line = line};
    snprintf(finding->rule, sizeof finding->rule, "%s", id);
    snprintf(finding->message, sizeof finding->message, "%s%s%s", says, *details ? "; " : "", details);
}

/* Numbers and texts lie in the objects; which of them the offset means follows from what must hold of it. */
static void ask(const struct asking *asking, const void *object, int line) {
    const struct rule *rule = asking->rule;
    struct asked asked = {.invoice = asking->invoice, .object = object, .line = line ? line : asking->invoice->line, .detail = "",
                          .cii = asking->invoice->syntax == EINVOICE_CII};
    bool holds = rule->holds ? rule->holds(&asked) : rule->must == MUST_BE_FILLED ? text_holds(rule, object) : number_holds(rule, &asked);
    if (!holds) add_finding(asking->findings, rule->id, rule->warning, asked.line, rule->says, asked.detail);
}

static void ask_parties(const struct asking *asking) {
    const struct einvoice *invoice = asking->invoice;
    const struct einvoice_party *parties[] = {&invoice->seller, &invoice->representative, &invoice->buyer};
    enum scope scope = asking->rule->scope;
    if (scope == OF_SELLER && invoice->seller.given) ask(asking, &invoice->seller, invoice->seller.line);
    if (scope == OF_REPRESENTATIVE && invoice->representative.given) ask(asking, &invoice->representative, invoice->representative.line);
    for (size_t i = 0; scope == OF_VAT_ID && i < 3; i++)
        if (parties[i]->vat_id.given) ask(asking, &parties[i]->vat_id, parties[i]->vat_id.line);
}

static void ask_allowances(const struct asking *asking, const struct einvoice_allowances *list, bool charge) {
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].charge == charge) ask(asking, &list->items[i], list->items[i].line);
}

static void ask_lines(const struct asking *asking) {
    const struct einvoice *invoice = asking->invoice;
    for (size_t i = 0; i < invoice->lines.count; i++) {
        const struct einvoice_line *line = &invoice->lines.items[i];
        switch (asking->rule->scope) {
        case OF_LINE: ask(asking, line, line->line); break;
        case OF_LINE_PERIOD: if (line->period.given) ask(asking, &line->period, line->period.line); break;
        case OF_LINE_ALLOWANCE: ask_allowances(asking, &line->allowances, false); break;
        default: ask_allowances(asking, &line->allowances, true); break;
        }
    }
}

#define EACH(list) for (size_t i = 0; i < invoice->list.count; i++) ask(asking, &invoice->list.items[i], invoice->list.items[i].line)

static void ask_rule(const struct asking *asking) {
    const struct einvoice *invoice = asking->invoice;
    switch (asking->rule->scope) {
    case OF_INVOICE: ask(asking, invoice, invoice->line); break;
    case OF_TOTALS: if (invoice->totals_given) ask(asking, invoice, invoice->totals_line); break;
    case OF_SELLER: case OF_REPRESENTATIVE: case OF_VAT_ID: ask_parties(asking); break;
    case OF_PERIOD: if (invoice->period.given) ask(asking, &invoice->period, invoice->period.line); break;
    case OF_MEANS: EACH(means); break;
    case OF_PRECEDING: EACH(preceding); break;
    case OF_TAX_TOTAL: EACH(tax_totals); break;
    case OF_BREAKDOWN: EACH(breakdowns); break;
    case OF_ALLOWANCE: ask_allowances(asking, &invoice->allowances, false); break;
    case OF_CHARGE: ask_allowances(asking, &invoice->allowances, true); break;
    default: ask_lines(asking); break;
    }
}

static void vat_found(void *context, const char *id, const struct asked *asked, const char *says) {
    add_finding(context, id, false, asked->line ? asked->line : asked->invoice->line, says, asked->detail);
}

void einvoice_check(const struct einvoice *invoice, struct einvoice_findings *findings) {
    findings->count = findings->fatal = 0;
    for (size_t i = 0; i < invoice->fault_count; i++) {
        const struct einvoice_fault *fault = &invoice->faults[i];
        char says[EINVOICE_MESSAGE_SIZE];
        snprintf(says, sizeof says, "%s: \"%.*s\" %s", fault->term, (int)(fault->found.length < 60 ? fault->found.length : 60), fault->found.data, fault->why);
        add_finding(findings, "FORMAT", false, fault->line ? fault->line : invoice->line, says, "");
    }
    for (const struct rule *rule = rules_table; rule->id; rule++) ask_rule(&(struct asking){rule, findings, invoice});
    vat_check(invoice, vat_found, findings);
}

const char *einvoice_rule(size_t position, char id[16], const char **says, bool *warning) {
    size_t count = 0;
    while (rules_table[count].id && count < position) count++;
    *warning = rules_table[count].warning;
    *says = rules_table[count].says;
    if (rules_table[count].id) return strcpy(id, rules_table[count].id);
    return vat_rule(position - count, id, says) ? id : NULL;
}
