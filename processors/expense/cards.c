/* cards: the issuer's feed, what it takes back, and the statements that were paid. */
#include "processors/expense/expense.h"

/* The card as of the document's day; NULL: unknown, and reported. What was charged before a card was closed is paid all the same. */
static const struct card *card_require(struct expense *expense) {
    struct decision *decision = expense->decision;
    const struct expense_event *event = expense->event;
    const struct card *card = require(decision, MASTER_CARDS, KEY(decision, event->entity, event->card), event->document_date, REASON_CARD_UNKNOWN, "card");
    if (!card) return NULL;
    const bool charged = event->kind == EXPENSE_KIND_CARD_TRANSACTION;
    if (!slice_equal(card->employee, event->employee)) report(decision, REASON_CARD_MISMATCH, "card", "it is " SLICE_FORMAT "'s", SLICE_ARGUMENT(card->employee));
    else if (charged && !slice_equal(card->status, SLICE("active")))
        report(decision, REASON_CARD_MISMATCH, "card", "it is " SLICE_FORMAT, SLICE_ARGUMENT(card->status));
    if (!slice_equal(card->currency, event->currency)) report(decision, REASON_CURRENCY_MISMATCH, "currency", "the card is in " SLICE_FORMAT, SLICE_ARGUMENT(card->currency));
    return card;
}

static struct book_entry *account_find(struct expense *expense, struct slice card) {
    return book_record(&expense->book, STORE_CARD_ACCOUNTS, expense_key(expense, card), sizeof(struct card_account));
}

/* What the issuer is owed changes. AMOUNT_OVERFLOW. */
static void account_change(struct expense *expense, const struct card_charge *charge, int sign) {
    struct book_entry *entry = account_find(expense, charge->card);
    struct card_account *account = entry->value;
    account->currency = charge->currency;
    entry->changed = true;
    if (decimal_add(account->open_e4, sign * charge->amount_e4, &account->open_e4) && facts_amount_fits(account->open_e4) &&
        decimal_add(account->open_functional_e4, sign * charge->functional_e4, &account->open_functional_e4) && facts_amount_fits(account->open_functional_e4)) return;
    report(expense->decision, REASON_AMOUNT_OVERFLOW, "amount", "what the card has open");
}

static void known_check(struct expense *expense, const struct card_charge *charge) {
    const struct expense_event *event = expense->event;
    const bool same = event->has_amount && event->amount_e4 == charge->amount_e4 && event->document_date == charge->date && slice_equal(event->currency, charge->currency);
    report(expense->decision, same ? REASON_DUPLICATE_DOCUMENT : REASON_POSSIBLE_DUPLICATE, "document", "fed already%s", same ? "" : ", with another amount, currency or date");
}

void expense_decide_card_transaction(struct expense *expense) {
    struct decision *decision = expense->decision;
    const struct expense_event *event = expense->event;
    const struct card_charge *before = state_find(decision, STORE_CHARGES, expense->key);
    const struct card *card = card_require(expense);
    if (before && !before->reversed) known_check(expense, before);
    if (!event->has_amount) report(decision, REASON_TOTAL_MISMATCH, "amount", "missing");
    duplicates_charge_note(expense);
    struct card_charge charge = {.version = (before ? before->version : 0) + 1, .card = event->card, .currency = event->currency, .date = event->document_date,
                                 .amount_e4 = event->has_amount && facts_amount_fits(event->amount_e4) ? event->amount_e4 : 0};
    struct posting posting;
    posting_begin(&posting, decision, &expense->facts, SLICE("card_transaction"), expense->document, charge.version);
    struct posting_line line = {.method = event->method};
    if (card) line.partner = card->issuer, posting.programme = card->programme.length ? card->programme : card->issuer;
    line.amounts_e4[RULE_RECEIPT_VALUE] = charge.amount_e4;
    posting_add(&posting, &line);
    posting_check(&posting);
    charge.functional_e4 = posting_functional(&posting, charge.amount_e4);
    account_change(expense, &charge, 1);
    if (refused(decision)) return;
    charge.journal = expense_emit(expense, &posting);
    charge.place = duplicates_key(expense, event->currency, charge.amount_e4, charge.date);
    duplicates_charge_put(expense, charge.place);
    book_put(&expense->book);
    state_put(decision, STORE_CHARGES, expense->key, &charge);
}

void expense_decide_card_transaction_reversed(struct expense *expense) {
    struct decision *decision = expense->decision;
    const struct card_charge *charge = state_find(decision, STORE_CHARGES, expense->key);
    if (!charge) report(decision, REASON_ORIGINAL_UNKNOWN, "document", SLICE_FORMAT, SLICE_ARGUMENT(expense->document));
    else if (charge->reversed) report(decision, REASON_ALREADY_REVERSED, "document", "");
    else if (charge->report.length) {
        report(decision, REASON_CARD_MISMATCH, "document", "report " SLICE_FORMAT " has it: correct or cancel that first", SLICE_ARGUMENT(charge->report));
        hold_until_state(decision, REASON_CARD_MISMATCH, "document", STORE_CHARGES, expense->key);
    }
    posting_reversal_check(decision, &expense->facts);
    if (charge) account_change(expense, charge, -1);
    if (refused(decision)) return;
    struct card_charge changed = *charge;
    if (!posting_reverse(decision, &expense->facts, OUTPUT_COMMANDS, charge->journal).length) report(decision, REASON_ZERO_VALUE, "", "");
    duplicates_charge_remove(expense, charge->place, expense->document);
    book_put(&expense->book);
    changed.reversed = true;
    changed.journal = (struct slice){0};
    state_put(decision, STORE_CHARGES, expense->key, &changed);
}

void expense_decide_charge_voided(struct expense *expense) {
    const struct card_charge *before = state_find(expense->decision, STORE_CHARGES, expense->key);
    struct card_charge charge = before ? *before : (struct card_charge){.date = expense->event->document_date};
    charge.reversed = true;
    state_put(expense->decision, STORE_CHARGES, expense->key, &charge);
    report(expense->decision, REASON_NO_EFFECT, "", "reversed what waited");
}

void expense_decide_card_statement_paid(struct expense *expense) {
    struct decision *decision = expense->decision;
    const struct expense_event *event = expense->event;
    if (state_find(decision, STORE_STATEMENTS, expense->key)) report(decision, REASON_DUPLICATE_DOCUMENT, "document", "the statement was paid already");
    const struct card *card = card_require(expense);
    struct book_entry *entry = account_find(expense, event->card);
    struct card_account *account = entry->value;
    const bool known = expense_amount_require(expense), covered = known && event->amount_e4 <= account->open_e4;
    if (known && !covered) {   /* the feed may be late */
        report(decision, REASON_PAYMENT_EXCEEDS_OPEN, "amount", "more than the card's transactions have open");
        hold_until_state(decision, REASON_PAYMENT_EXCEEDS_OPEN, "amount", STORE_CARD_ACCOUNTS, entry->key);
    }
    struct posting posting;
    posting_begin(&posting, decision, &expense->facts, SLICE("card_statement_paid"), expense->document, 1);
    expense_bank_take(expense, &posting);
    struct posting_line line = {.method = event->method};
    if (card) line.partner = card->issuer, posting.programme = card->programme.length ? card->programme : card->issuer;
    if (known) line.amounts_e4[RULE_PAID] = event->amount_e4;
    if (covered) {
        line.carried.has = true;
        line.carried.amount = RULE_SETTLED;
        line.carried.functional_e4 = expense_carried(expense, account->open_functional_e4, event->amount_e4, account->open_e4);
    }
    posting_add(&posting, &line);
    posting_check(&posting);
    if (refused(decision)) return;
    const struct card_statement statement = {.card = event->card, .amount_e4 = event->amount_e4};
    (void)expense_emit(expense, &posting);
    account->open_e4 -= event->amount_e4;
    account->open_functional_e4 -= line.carried.functional_e4;
    entry->changed = true;
    book_put(&expense->book);
    state_put(decision, STORE_STATEMENTS, expense->key, &statement);
}
