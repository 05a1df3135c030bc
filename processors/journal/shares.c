/* shares: what other entities bear of a journal: a journal of theirs beside the entity's, the two bound by what one owes the other (docs/journals.md, "Lines of
 * another entity"). */
#include "processors/journal/journal.h"

bool share_is_usable(const struct share *share) { return share->agreement && share->facts.entity; }

static void share_begin(struct canonical *canonical, struct share *share, const char *path) {
    struct decision *decision = canonical->decision;
    const struct journal_event *event = canonical->event;
    const struct facts *facts = &canonical->facts;
    share->agreement = facts_agreement(decision, event->entity, share->bearer, facts->posting_date, path);
    facts_of_entity(decision, share->bearer, canonical->given, path, &share->facts);
    if (!canonical_may(canonical, share->bearer))
        report_as(decision, CLASS_REJECTED, REASON_SOURCE_NOT_AUTHORISED, path, SLICE_FORMAT " may not say this for " SLICE_FORMAT, SLICE_ARGUMENT(event->source),
                  SLICE_ARGUMENT(share->bearer));
    /* The agreed rate leads to the functional currency of the event's entity. */
    if (share->facts.entity && !(facts->entity && currency_equal(facts->functional, share->facts.functional))) share->facts.rate_e10 = 0;
    const struct slice step = decision_format(decision, SLICE_FORMAT "_for_" SLICE_FORMAT, SLICE_ARGUMENT(canonical->step), SLICE_ARGUMENT(event->entity));
    (event->by_rules ? posting_begin : posting_begin_outright)(&share->posting, decision, &share->facts, step, canonical->document, canonical->version);
}

struct share *share_find(struct canonical *canonical, size_t i) {
    const struct journal_event *event = canonical->event;
    const struct slice bearer = event->lines.items[i].bearer;
    static struct share unusable;   /* never written */
    if (!bearer.length || slice_equal(bearer, event->entity)) return NULL;
    for (size_t k = 0; k < canonical->share_count; k++)
        if (slice_equal(canonical->shares[k].bearer, bearer)) return &canonical->shares[k];
    const char *path = facts_path(canonical->decision, i, "bearer");
    if (canonical->share_count == BEARERS_MAXIMUM) {
        report(canonical->decision, REASON_AMOUNT_OVERFLOW, path, "more than %d bearers: split the journal", BEARERS_MAXIMUM);
        return &unusable;
    }
    if (!canonical->shares) canonical->shares = decision_alloc(canonical->decision, BEARERS_MAXIMUM * sizeof *canonical->shares);
    struct share *share = &canonical->shares[canonical->share_count++];
    share->bearer = bearer;
    share->first = i;
    share_begin(canonical, share, path);
    return share;
}

struct slice share_account(struct canonical *canonical, const struct share *share, struct slice account) {
    if (account.length) return account;
    struct decision *decision = canonical->decision;
    const char *path = facts_path(decision, share->first, "bearer");
    report(decision, REASON_MAPPING_MISSING, path, "the agreement has no account for it");
    wait_for_table(decision, REASON_MAPPING_MISSING, path, MASTER_INTERCOMPANY, KEY(decision, canonical->event->entity, share->bearer), canonical->facts.posting_date);
    return account;
}

static bool fits(__int128 sum_e4) { return sum_e4 <= MONEY_MAXIMUM_E4 && sum_e4 >= -(__int128)MONEY_MAXIMUM_E4; }

void shares_due_add(struct canonical *canonical) {
    for (size_t i = 0; i < canonical->share_count; i++) {
        struct share *share = &canonical->shares[i];
        if (!share_is_usable(share) || !share->due_e4) continue;
        if (!fits(share->due_e4) || !fits(share->due_functional_e4) || !fits(share->due_own_e4)) {
            report(canonical->decision, REASON_AMOUNT_OVERFLOW, facts_path(canonical->decision, share->first, "bearer"), "the sum of its lines");
            continue;
        }
        struct ledger_line line = {.place = share->first + 1, .side = LEDGER_DEBIT, .amount_e4 = (int64_t)share->due_e4};
        struct ledger_line due_from = line, due_to = line;
        due_from.account = share_account(canonical, share, share->agreement->due_from_account);
        due_from.partner = share->bearer;
        due_from.functional_e4 = (int64_t)share->due_functional_e4;
        due_to.account = share_account(canonical, share, share->agreement->due_to_account);
        due_to.partner = canonical->event->entity;
        due_to.side = LEDGER_CREDIT;
        due_to.functional_e4 = (int64_t)share->due_own_e4;
        if (!due_from.account.length || !due_to.account.length) continue;
        posting_add_outright(&canonical->own, due_from);
        posting_add_outright(&share->posting, due_to);
    }
}
