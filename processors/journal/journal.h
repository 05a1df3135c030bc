/* journal: canonical journals: lines that name accounts or go by rules, shares of other entities, what stands of a document and is taken back
 * (docs/journals.md). Everything lives in the decision's memory. */
#ifndef KONTOR_JOURNAL_JOURNAL_H
#define KONTOR_JOURNAL_JOURNAL_H
#include "processors/shared/posting.h"
#include "schemas/journal_event.h"
#include "schemas/journal_state.h"
#include "schemas/source_permission.h"

enum { STORE_JOURNALS };
enum { OUTPUT_COMMANDS };
enum { BEARERS_MAXIMUM = 15 };

/* What another entity bears of the journal. */
struct share {
    struct slice bearer;
    size_t first;                           /* place of its first line */
    const struct intercompany *agreement;   /* NULL: none, and reported */
    struct facts facts;                     /* .entity NULL: unknown, and reported */
    struct posting posting;
    /* Debits less credits of its lines, accounts named: in the journal's currency, in the functional currency of the event's entity and in its own. */
    __int128 due_e4, due_functional_e4, due_own_e4;
};

struct canonical {
    struct decision *decision;
    const struct journal_event *event;
    struct slice document, key, step;
    const struct journal_state *state;      /* NULL: never posted */
    int32_t tax_date, version;              /* version: of what is to be posted */
    const struct source_permission *permission;
    struct facts_given given;
    struct facts facts;
    struct posting own;
    struct share *shares;
    size_t share_count;
    int64_t total_e4;                       /* what a repetition is known by */
    bool has_total;
};

/* ---- journal.c ---- */

bool canonical_may(const struct canonical *canonical, struct slice entity);

/* ---- lines.c: fill the postings of the entity and of the shares, and the total ---- */

/* AMOUNT_OVERFLOW, CURRENCY_PRECISION. */
void canonical_amounts_check(struct canonical *canonical);
void canonical_lines_add(struct canonical *canonical);

/* ---- shares.c ---- */

/* The share that the line belongs to, NULL: the event's entity bears it. One that cannot be booked has no agreement or no entity, which is reported. */
struct share *share_find(struct canonical *canonical, size_t i);
bool share_is_usable(const struct share *share);
/* The lines due between the entities, once all lines are there. */
void shares_due_add(struct canonical *canonical);
/* Account of the agreement; empty: MAPPING_MISSING, which waits for it. */
struct slice share_account(struct canonical *canonical, const struct share *share, struct slice account);

/* ---- standing.c: what stands of a document ---- */

/* Checks that what stands can be taken back, then does it: nothing may be refused in between. */
struct reversal { struct facts facts; struct slice command; };
struct reversals { struct reversal *items; size_t count; };
struct reversals standing_reversals(struct canonical *canonical);
void standing_reverse(struct canonical *canonical, const struct reversals *reversals);

/* DATE_IMPLAUSIBLE, PERIOD_UNKNOWN, PERIOD_MOVED of the day on which the journals are reversed by themselves. */
void standing_check(struct canonical *canonical);
/* Sends the journals and what reverses them by itself, and fills in what stands now. */
void standing_post(struct canonical *canonical, struct journal_state *state);
#endif
