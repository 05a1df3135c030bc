/* expense: employees get back what they spent for the company, once, by policy and after somebody else approved it; company cards are what the issuer charged.
 *
 * Refuses, in this order: ENTITY_UNKNOWN, EMPLOYEE_UNKNOWN, EMPLOYEE_LEFT, DATE_IMPLAUSIBLE, CURRENCY_UNKNOWN, AMOUNT_OVERFLOW, CURRENCY_PRECISION; then by kind
 * DUPLICATE_DOCUMENT, ORIGINAL_UNKNOWN, ALREADY_POSTED, ALREADY_REVERSED, APPROVAL_MISSING, SELF_APPROVAL; of the lines CARD_MISMATCH, TRAVEL_RATE_MISSING,
 * CURRENCY_MISMATCH, QUANTITY_TOLERANCE, TOTAL_MISMATCH, EXPENSE_CATEGORY_UNKNOWN, FX_RATE_MISSING, POLICY_LIMIT, PROOF_MISSING, COST_CENTRE_*, PROJECT_*,
 * TAX_CODE_UNKNOWN, TAX_AMOUNT_WRONG, POSSIBLE_DUPLICATE; CARD_UNKNOWN, ADVANCE_EXCEEDED, PAYMENT_EXCEEDS_OPEN, BANK_ACCOUNT_UNKNOWN; then what a journal needs
 * (docs/expenses.md). */
#include "processors/expense/expense.h"

#include "processors/shared/budget.h"
#include "schemas/bank_account.h"

/* ---- what the parts share ---- */

struct slice expense_key(struct expense *expense, struct slice document) {
    return KEY(expense->decision, expense->event->entity, expense->event->employee, document);
}

bool expense_amount_require(struct expense *expense) {
    const struct expense_event *event = expense->event;
    if (!event->has_amount) report(expense->decision, REASON_TOTAL_MISMATCH, "amount", "missing");
    else if (facts_amount_fits(event->amount_e4) && event->amount_e4 <= 0) report(expense->decision, REASON_TOTAL_MISMATCH, "amount", "not above 0");
    return event->has_amount && facts_amount_fits(event->amount_e4) && event->amount_e4 > 0;
}

void expense_bank_take(struct expense *expense, struct posting *posting) {
    struct decision *decision = expense->decision;
    const struct expense_event *event = expense->event;
    if (!event->bank_account.length) return;
    const struct slice key = KEY(decision, event->entity, event->bank_account);
    const struct bank_account *bank = require(decision, MASTER_BANK_ACCOUNTS, key, expense->facts.posting_date, REASON_BANK_ACCOUNT_UNKNOWN, "bank_account");
    if (!bank) return;
    if (slice_equal(bank->status, SLICE("closed"))) report_as(decision, CLASS_HELD, REASON_BANK_ACCOUNT_UNKNOWN, "bank_account", "it is closed");
    posting->accounts.bank = (struct posting_account){bank->account, MASTER_BANK_ACCOUNTS, key};
    posting->accounts.transit = (struct posting_account){bank->transit_account, MASTER_BANK_ACCOUNTS, key};
}

struct slice expense_emit(struct expense *expense, struct posting *posting) {
    const struct expense_event *event = expense->event;
    posting->has_tax_date = true;
    posting->tax_date = event->has_tax_date ? event->tax_date : event->document_date;
    const struct slice journal = posting_emit(posting, OUTPUT_COMMANDS);
    if (!journal.length) report(expense->decision, REASON_ZERO_VALUE, "", "");
    return journal;
}

int64_t expense_carried(const struct expense *expense, int64_t functional_e4, int64_t part_e4, int64_t whole_e4) {
    const struct facts *facts = &expense->facts;
    int64_t share_e4 = 0;
    if (part_e4 == whole_e4) return functional_e4;
    if (facts->has_currency && currency_equal(facts->currency, facts->functional)) return part_e4;
    if (!money_share(functional_e4, part_e4, whole_e4, facts->functional, &share_e4)) report(expense->decision, REASON_AMOUNT_OVERFLOW, "amount", "in functional currency");
    return share_e4;
}

/* ---- the event ---- */

static bool is_advance(enum expense_kind kind) { return kind == EXPENSE_KIND_ADVANCE_PAID || kind == EXPENSE_KIND_ADVANCE_RETURNED; }
static bool is_charge(enum expense_kind kind) { return kind == EXPENSE_KIND_CARD_TRANSACTION || kind == EXPENSE_KIND_CARD_TRANSACTION_REVERSED; }

/* Takes back what is there, or waits. */
static bool takes_back(enum expense_kind kind) {
    return kind == EXPENSE_KIND_REJECTED || kind == EXPENSE_KIND_WITHDRAWN || kind == EXPENSE_KIND_CANCELLED || kind == EXPENSE_KIND_CARD_TRANSACTION_REVERSED;
}

static int store_of(enum expense_kind kind) {
    if (is_advance(kind)) return STORE_ADVANCES;
    if (is_charge(kind)) return STORE_CHARGES;
    return kind == EXPENSE_KIND_CARD_STATEMENT_PAID ? STORE_STATEMENTS : STORE_REPORTS;
}

/* The document keeps its number when a correction or a cancellation has one of its own. */
static struct slice document_of(const struct expense_event *event) {
    const bool refers = takes_back(event->kind) || event->kind == EXPENSE_KIND_CORRECTED;
    return refers && event->reverses.length ? event->reverses : event->document;
}

static bool establishes(const struct expense_event *event) {
    return event->kind == EXPENSE_KIND_SUBMITTED || (event->kind == EXPENSE_KIND_APPROVED && event->lines.count) || event->kind == EXPENSE_KIND_ADVANCE_PAID ||
           event->kind == EXPENSE_KIND_CARD_TRANSACTION || event->kind == EXPENSE_KIND_CARD_STATEMENT_PAID;
}

static void expense_envelope(struct decision *decision, const void *record, struct envelope *envelope) {
    const struct expense_event *event = record;
    const struct document document = {store_of(event->kind), KEY(decision, event->entity, event->employee, document_of(event))};
    *envelope = (struct envelope){.event_id = event->event_id, .source = event->source, .entity = event->entity, .partner = event->employee,
        .correlation_id = event->correlation_id, .number = event->document, .kind = expense_kind_name(event->kind), .document = document,
        .establishes = establishes(event), .overtakes = takes_back(event->kind),
        .user = event->user, .currency = event->currency, .document_date = event->document_date, .has_amount = event->has_total || event->has_amount,
        .amount_e4 = event->has_total ? event->total_e4 : event->amount_e4};
    linked(decision, "original", "expense", event->reverses);
    linked(decision, "advance", "expense", event->advance);
    for (size_t i = 0; i < event->lines.count; i++) linked(decision, "card transaction", "expense", event->lines.items[i].card_transaction);
    if (envelope->overtakes) envelope->cancels = document;
}

static void facts_fill(struct expense *expense) {
    const struct expense_event *event = expense->event;
    const enum expense_kind kind = event->kind;
    const bool told = kind == EXPENSE_KIND_STATUS || kind == EXPENSE_KIND_UNKNOWN;
    const bool reverses = kind == EXPENSE_KIND_CANCELLED || kind == EXPENSE_KIND_CARD_TRANSACTION_REVERSED;
    const bool posts = !told && !reverses && kind != EXPENSE_KIND_SUBMITTED && kind != EXPENSE_KIND_REJECTED && kind != EXPENSE_KIND_WITHDRAWN;
    expense->currency = event->currency.length ? event->currency : expense->report ? expense->report->currency : (struct slice){0};
    const struct facts_given given = {.has_posting_date = event->has_posting_date, .posting_date = event->posting_date, .document_date = event->document_date,
        .currency = expense->currency, .partner = PARTNER_EMPLOYEE, .has_amounts = event->has_total || event->has_amount || event->lines.count, .posts = posts, .reverses = reverses};
    facts_establish(expense->decision, given, &expense->facts);
    if (event->has_amount) facts_amount_check(expense->decision, &expense->facts, event->amount_e4, FACTS_HEAD, "amount");
}

static void decide_voided(struct expense *expense) {
    switch (expense->event->kind) {
    case EXPENSE_KIND_CARD_TRANSACTION_REVERSED: expense_decide_charge_voided(expense); break;
    case EXPENSE_KIND_REJECTED: expense_decide_report_voided(expense, REPORT_STATUS_REJECTED); break;
    case EXPENSE_KIND_WITHDRAWN: expense_decide_report_voided(expense, REPORT_STATUS_WITHDRAWN); break;
    default: expense_decide_report_voided(expense, REPORT_STATUS_CANCELLED); break;
    }
}

static void decide_expense(struct decision *decision, const void *record) {
    const struct expense_event *event = record;
    struct expense expense = {.decision = decision, .event = event, .document = document_of(event)};
    expense.key = expense_key(&expense, expense.document);
    book_begin(&expense.book, decision);
    if (store_of(event->kind) == STORE_REPORTS) expense.report = state_find(decision, STORE_REPORTS, expense.key);
    if (decision_voided(decision)) { decide_voided(&expense); return; }
    facts_fill(&expense);
    switch (event->kind) {
    case EXPENSE_KIND_SUBMITTED: expense_decide_submitted(&expense); break;
    case EXPENSE_KIND_APPROVED: expense_decide_approved(&expense); break;
    case EXPENSE_KIND_REJECTED: expense_decide_refused(&expense, REPORT_STATUS_REJECTED); break;
    case EXPENSE_KIND_WITHDRAWN: expense_decide_refused(&expense, REPORT_STATUS_WITHDRAWN); break;
    case EXPENSE_KIND_CORRECTED: expense_decide_corrected(&expense); break;
    case EXPENSE_KIND_CANCELLED: expense_decide_cancelled(&expense); break;
    case EXPENSE_KIND_REIMBURSED: expense_decide_reimbursed(&expense); break;
    case EXPENSE_KIND_ADVANCE_PAID: expense_decide_advance_paid(&expense); break;
    case EXPENSE_KIND_ADVANCE_RETURNED: expense_decide_advance_returned(&expense); break;
    case EXPENSE_KIND_CARD_TRANSACTION: expense_decide_card_transaction(&expense); break;
    case EXPENSE_KIND_CARD_TRANSACTION_REVERSED: expense_decide_card_transaction_reversed(&expense); break;
    case EXPENSE_KIND_CARD_STATEMENT_PAID: expense_decide_card_statement_paid(&expense); break;
    case EXPENSE_KIND_UNKNOWN:
    case EXPENSE_KIND_STATUS:
        if (!refused(decision)) report(decision, REASON_NO_EFFECT, "", "");
    }
}

/* ---- the declaration ---- */

static bool report_is_open(const void *record) {
    const struct expense_report *report = record;
    return report->status == REPORT_STATUS_SUBMITTED || report->owed_e4 != report->paid_e4;
}

static bool charge_is_open(const void *record) {
    const struct card_charge *charge = record;
    return !charge->reversed && !charge->report.length;
}

static bool account_is_open(const void *record) { return ((const struct card_account *)record)->open_e4 != 0; }
static bool advance_is_open(const void *record) { return ((const struct employee_advance *)record)->open_e4 != 0; }

extern const struct processor expense_processor;
const struct processor expense_processor = {
    .name = "expense",
    .inputs = {{"expense.events", &expense_event_type, .envelope = expense_envelope, .decide = decide_expense}},
    .tables = {MASTER_SOURCE_PERMISSIONS, POSTING_TABLES, MASTER_TAX_CODES, MASTER_BANK_ACCOUNTS, MASTER_EMPLOYEES, MASTER_EXPENSE_POLICIES, MASTER_TRAVEL_RATES,
               MASTER_CARDS, MASTER_SETTLEMENT_RULES, END_OF_TABLES},
    .stores = {[STORE_REPORTS] = {"reports", &expense_report_type, report_is_open}, [STORE_CHARGES] = {"charges", &card_charge_type, charge_is_open},
               [STORE_CARD_ACCOUNTS] = {"card-accounts", &card_account_type, account_is_open}, [STORE_STATEMENTS] = {"statements", &card_statement_type, NULL},
               [STORE_ADVANCES] = {"advances", &employee_advance_type, advance_is_open}, [STORE_DAYS] = {"days", &expense_day_type, NULL}},
    .outputs = {[OUTPUT_COMMANDS] = {"posting.commands", &posting_command_type, .per_erp = true}, [OUTPUT_ENTRIES] = {SETTLEMENT_ENTRIES, &posting_command_type, .event_time = true},
                [OUTPUT_MOVEMENTS] = {BUDGET_MOVEMENTS, &budget_movement_type, .event_time = true}},
};
