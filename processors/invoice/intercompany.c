/* intercompany: lines that another entity bears than the one that pays: both halves in one decision (docs/purchase-to-pay.md, "Intercompany"). */
#include "processors/invoice/invoice.h"
#include "schemas/companion_journals.h"
#include "schemas/tax_code.h"

enum { PAIRS_MAXIMUM = 16, PER_CENT_SCALE = 6 };

/* What one entity bears of the document. */
struct invoice_pair {
    struct invoice_pair *next;
    struct slice bearer;
    const struct intercompany *agreement;
    struct facts facts;                 /* the bearer's */
    struct posting payers, bearers;
};

static bool another_bears(const struct invoice *invoice, const struct invoice_line *line) {
    return line->bearer.length && !slice_equal(line->bearer, invoice->event->entity);
}

static struct slice step_name(struct invoice *invoice, const char *half, bool recharged, size_t place) {
    const char *step = recharged ? "recharge" : "intercompany";
    if (!place) return decision_format(invoice->decision, "%s_%s", step, half);
    return decision_format(invoice->decision, "%s_%s-%zu", step, half, place + 1);   /* the document's keys must differ */
}

/* The pair with the line's bearer, made when the first line names it; NULL: it cannot be made, and that is reported. */
static struct invoice_pair *pair_find(struct invoice *invoice, size_t i, const struct posting *own) {
    struct decision *decision = invoice->decision;
    const struct slice bearer = invoice->event->lines.items[i].bearer;
    struct invoice_pair **place = &invoice->pairs;
    size_t before = 0;
    for (; *place; place = &(*place)->next, before++)
        if (slice_equal((*place)->bearer, bearer)) return (*place)->agreement && (*place)->facts.entity ? *place : NULL;
    struct invoice_pair *pair = *place = decision_alloc(decision, sizeof *pair);
    const char *path = facts_path(decision, i, "bearer");
    pair->bearer = bearer;
    if (before == PAIRS_MAXIMUM) { report(decision, REASON_INTERCOMPANY_UNPAIRED, path, "more than %d bearers in one document", PAIRS_MAXIMUM); return NULL; }
    const struct slice key = KEY(decision, invoice->event->entity, bearer);
    pair->agreement = facts_agreement(decision, invoice->event->entity, bearer, invoice->facts.posting_date, path);
    facts_of_entity(decision, bearer, invoice->given, path, &pair->facts);
    if (!pair->agreement || !pair->facts.entity) return NULL;
    const bool recharged = pair->agreement->has_markup_percent;
    posting_begin(&pair->payers, decision, &invoice->facts, step_name(invoice, "payer", recharged, before), own->document, own->version);
    posting_begin(&pair->bearers, decision, &pair->facts, step_name(invoice, "bearer", recharged, before), own->document, own->version);
    pair->payers.accounts.intercompany = (struct posting_account){pair->agreement->due_from_account, MASTER_INTERCOMPANY, key};
    pair->bearers.accounts.intercompany = (struct posting_account){pair->agreement->due_to_account, MASTER_INTERCOMPANY, key};
    return pair;
}

static const struct tax_code *code_require(struct invoice *invoice, struct slice entity, struct slice tax_code, const char *path) {
    return require(invoice->decision, MASTER_TAX_CODES, KEY(invoice->decision, entity, tax_code), invoice->tax_date, REASON_TAX_CODE_UNKNOWN, path);
}

/* The bearer's tax on its half: what was charged, by its own code, or what it owes itself under reverse charge. */
static void bearer_tax(struct invoice *invoice, const struct invoice_pair *pair, struct slice tax_code, const char *path, int64_t net_e4, int64_t charged_e4,
    struct posting_line *line) {
    int64_t deductible_e4 = 0, whole_e4 = charged_e4;
    const struct tax_code *code = tax_code.length ? code_require(invoice, pair->bearer, tax_code, path) : NULL;
    line->amounts_e4[RULE_TAX_NOT_DEDUCTIBLE] = charged_e4;
    line->tax_code = tax_code;
    if (!code || !invoice->facts.has_currency) return;
    line->tax_account = (struct posting_account){code->account, MASTER_TAX_CODES, KEY(invoice->decision, pair->bearer, tax_code)};
    bool fits = !code->reverse_charge || money_product(net_e4, MONEY_SCALE, code->rate_e4, PER_CENT_SCALE, invoice->facts.currency, &whole_e4);
    if (!fits || !money_product(whole_e4, MONEY_SCALE, code->deductible_e4, PER_CENT_SCALE, invoice->facts.currency, &deductible_e4)) {
        report(invoice->decision, REASON_AMOUNT_OVERFLOW, path, "");
        return;
    }
    line->amounts_e4[code->reverse_charge ? RULE_TAX_REVERSE_DEDUCTIBLE : RULE_TAX_DEDUCTIBLE] = deductible_e4;
    line->amounts_e4[code->reverse_charge ? RULE_TAX_REVERSE_NOT_DEDUCTIBLE : RULE_TAX_NOT_DEDUCTIBLE] = whole_e4 - deductible_e4;
}

/* Passed on at cost: the payer has a claim for what it owes the supplier, the bearer the expense. */
static void pass_on(struct invoice *invoice, struct invoice_pair *pair, size_t i, struct posting_line *own) {
    const int sign = invoice_is_credit(invoice) ? -1 : 1;
    const int64_t net_e4 = sign * own->amounts_e4[RULE_RECEIPT_VALUE],
        charged_e4 = sign * (own->amounts_e4[RULE_TAX_DEDUCTIBLE] + own->amounts_e4[RULE_TAX_NOT_DEDUCTIBLE]);
    struct posting_line payers = *own, bearers = {.step = SLICE("intercompany_bearer"), .source_line = own->source_line, .category = own->category,
        .method = own->method, .cost_centre = own->cost_centre, .project = own->project, .account = own->account};
    payers.step = SLICE("intercompany_payer");
    payers.cost_centre = payers.project = payers.account = (struct slice){0};
    payers.amounts_e4[RULE_RECEIPT_VALUE] = net_e4;
    payers.amounts_e4[RULE_TAX_DEDUCTIBLE] = 0;   /* the payer bears nothing: it has nothing to deduct from */
    payers.amounts_e4[RULE_TAX_NOT_DEDUCTIBLE] = charged_e4;
    payers.amounts_e4[RULE_TAX_REVERSE_DEDUCTIBLE] *= sign;
    payers.amounts_e4[RULE_TAX_REVERSE_NOT_DEDUCTIBLE] *= sign;
    bearers.amounts_e4[RULE_RECEIPT_VALUE] = net_e4;
    bearer_tax(invoice, pair, charged_e4 ? own->tax_code : (struct slice){0}, facts_path(invoice->decision, i, "tax_code"), net_e4, charged_e4, &bearers);
    posting_add(&pair->payers, &payers);
    posting_add(&pair->bearers, &bearers);
    own->amounts_e4[RULE_TAX_DEDUCTIBLE] = 0;
}

/* Recharged: the payer has its own expense, and sells it to the bearer. */
static void recharge(struct invoice *invoice, struct invoice_pair *pair, size_t i, const struct posting_line *own, int64_t line_net_e4) {
    const struct intercompany *agreement = pair->agreement;
    const int64_t all_e4 = 1000000 + (agreement->has_markup_percent ? agreement->markup_percent_e4 : 0);   /* per cent at scale 4 */
    const char *path = facts_path(invoice->decision, i, "bearer");
    int64_t net_e4 = 0, tax_e4 = 0;
    struct posting_line payers = {.step = SLICE("recharge_payer"), .source_line = own->source_line, .category = own->category, .method = own->method}, bearers = payers;
    bearers.step = SLICE("recharge_bearer");
    payers.cost_centre = own->cost_centre;
    payers.project = own->project;
    bool fits = invoice->facts.has_currency && money_product(invoice_is_credit(invoice) ? -line_net_e4 : line_net_e4, MONEY_SCALE, all_e4, PER_CENT_SCALE,
        invoice->facts.currency, &net_e4);
    const struct tax_code *code = agreement->payer_tax_code.length ? code_require(invoice, invoice->event->entity, agreement->payer_tax_code, path) : NULL;
    if (code) fits = fits && money_product(net_e4, MONEY_SCALE, code->rate_e4, PER_CENT_SCALE, invoice->facts.currency, &tax_e4);
    if (!fits || !facts_amount_fits(net_e4) || !facts_amount_fits(tax_e4)) { report(invoice->decision, REASON_AMOUNT_OVERFLOW, path, ""); return; }
    payers.tax_code = agreement->payer_tax_code;
    if (code) payers.tax_account = (struct posting_account){code->account, MASTER_TAX_CODES, KEY(invoice->decision, invoice->event->entity, agreement->payer_tax_code)};
    payers.amounts_e4[RULE_RECEIPT_VALUE] = bearers.amounts_e4[RULE_RECEIPT_VALUE] = net_e4;
    payers.amounts_e4[RULE_TAX_DEDUCTIBLE] = tax_e4;
    bearer_tax(invoice, pair, agreement->bearer_tax_code, path, net_e4, tax_e4, &bearers);
    posting_add(&pair->payers, &payers);
    posting_add(&pair->bearers, &bearers);
}

bool intercompany_add(struct invoice *invoice, size_t i, const struct posting *own, struct posting_line *line) {
    const struct invoice_line *from = &invoice->event->lines.items[i];
    if (!another_bears(invoice, from)) return false;
    struct invoice_pair *pair = pair_find(invoice, i, own);
    if (!pair) return true;   /* reported: there is nothing to post */
    /* What was ordered and received is the payer's already: it cannot be passed on unbooked. */
    if (pair->agreement->has_markup_percent || from->order.length) { recharge(invoice, pair, i, line, from->net_e4); return false; }
    pass_on(invoice, pair, i, line);
    return true;
}

void intercompany_check(struct invoice *invoice) {
    for (struct invoice_pair *pair = invoice->pairs; pair; pair = pair->next) {
        if (!pair->agreement || !pair->facts.entity) continue;
        posting_check(&pair->payers);
        posting_check(&pair->bearers);
    }
}

static void head_copy(struct posting *to, const struct posting *from, bool owed) {
    to->number = from->number;
    to->has_tax_date = from->has_tax_date;
    to->tax_date = from->tax_date;
    if (!owed) return;
    to->payment_terms = from->payment_terms;
    to->payment_method = from->payment_method;
    to->has_due_date = from->has_due_date;
    to->due_date = from->due_date;
    to->has_discount_date = from->has_discount_date;
    to->discount_date = from->discount_date;
    to->payment_block = from->payment_block;
}

bool intercompany_emit(struct invoice *invoice, struct posting *own) {
    struct decision *decision = invoice->decision;
    struct companion_journals kept = {.journals.items = invoice->pairs ? decision_alloc(decision, 2 * PAIRS_MAXIMUM * sizeof *kept.journals.items) : NULL};
    for (struct invoice_pair *pair = invoice->pairs; pair; pair = pair->next) {
        struct posting *halves[] = {&pair->payers, &pair->bearers};
        posting_pair(&pair->payers, &pair->bearers);
        for (int i = 0; i < 2; i++) {
            head_copy(halves[i], own, i == 0 && !pair->agreement->has_markup_percent);
            struct slice journal = posting_emit(halves[i], OUTPUT_COMMANDS);
            if (journal.length) kept.journals.items[kept.journals.count++] = (struct companion_journal){halves[i]->facts->entity->entity, journal};
        }
        if (!own->idempotency_key.length) own->idempotency_key = pair->payers.idempotency_key;   /* nothing of the document is the payer's own */
    }
    if (kept.journals.count) state_put(decision, STORE_COMPANIONS, invoice->key, &kept);
    else if (state_find(decision, STORE_COMPANIONS, invoice->key)) state_remove(decision, STORE_COMPANIONS, invoice->key);
    return kept.journals.count > 0;
}

/* ---- taking back ---- */

/* Each in its own entity's period. */
static const struct facts *facts_for(struct invoice *invoice, struct slice entity) {
    if (slice_equal(entity, invoice->event->entity)) return &invoice->facts;
    for (struct reversing *known = invoice->reversing; known; known = known->next)
        if (slice_equal(known->entity, entity)) return &known->facts;
    struct reversing *made = decision_alloc(invoice->decision, sizeof *made);
    struct facts_given given = invoice->given;
    given.reverses = true;
    made->entity = entity;
    made->next = invoice->reversing;
    invoice->reversing = made;
    facts_of_entity(invoice->decision, entity, given, "lines.bearer", &made->facts);
    return &made->facts;
}

void intercompany_reversal_check(struct invoice *invoice, struct slice key) {
    const struct companion_journals *kept = state_find(invoice->decision, STORE_COMPANIONS, key);
    for (size_t i = 0; kept && i < kept->journals.count; i++) posting_reversal_check(invoice->decision, facts_for(invoice, kept->journals.items[i].entity));
}

bool intercompany_reverse(struct invoice *invoice, struct slice key, bool forget) {
    const struct companion_journals *kept = state_find(invoice->decision, STORE_COMPANIONS, key);
    for (size_t i = 0; kept && i < kept->journals.count; i++)
        (void)posting_reverse(invoice->decision, facts_for(invoice, kept->journals.items[i].entity), OUTPUT_COMMANDS, kept->journals.items[i].journal);
    if (kept && forget) state_remove(invoice->decision, STORE_COMPANIONS, key);
    return kept && kept->journals.count;
}
