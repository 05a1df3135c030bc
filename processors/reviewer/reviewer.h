/* reviewer: people's decisions on what processors hold, let wait or have rejected (docs/review.md): who may decide, whether one person is enough, what is sent. Everything
 * lives in the decision's memory. */
#ifndef KONTOR_REVIEWER_REVIEWER_H
#define KONTOR_REVIEWER_REVIEWER_H
#include "common/runtime/processor.h"
#include "schemas/approver.h"
#include "schemas/review_decision.h"
#include "schemas/review_item.h"
#include "schemas/review_policy.h"

enum { STORE_ITEMS, STORE_CORRECTIONS };
enum { OUTPUT_RESOLUTIONS, OUTPUT_EVENTS };      /* from OUTPUT_EVENTS on: the topics of events, as correction.c lists them */

/* One decision, and what it is judged by. */
struct ruling {
    struct decision *decision;
    const struct review_decision *asked;
    struct slice key;                           /* of the item */
    const struct review_item *item;
    const struct review_policy *policy;         /* NULL: the entity has none */
    const struct approver *approver;            /* of who decides, or of whom that is done for; NULL: no such */
    int32_t date;                               /* of the decision, in the entity's time zone */
    bool has_functional;
    int64_t functional_e4;                      /* the item's amount in functional currency, without its sign */
    struct audit_entry entry;
};

/* ---- items.c ---- */

void item_held(struct decision *decision, const void *exception);
void item_parked(struct decision *decision, const void *exception);
void item_rejected(struct decision *decision, const void *exception);
/* <topic> of an origin. */
struct slice origin_topic(struct slice origin);
struct slice origin_flow(struct slice origin);
/* Whether a person may approve of the reason. */
bool reason_is_approvable(struct slice code);
/* The item with the decision among those taken; the caller puts it. counts: as an approval of several. */
struct review_item *item_decided(const struct ruling *ruling, bool counts);

/* ---- rights.c ---- */

/* Policy, approver, date and amount. */
void rights_find(struct ruling *ruling);
/* ROLE_MISSING, NOT_DELEGATED, SELF_APPROVAL, LIMIT_EXCEEDED. */
void rights_check(struct ruling *ruling);
/* Whether the two are the same person or act for the same. */
bool same_person(struct slice user, struct slice for_user, struct slice other, struct slice for_other);
/* How many different people must approve. */
size_t approvals_needed(const struct ruling *ruling);
/* Whether something done then is too old to count now. */
bool is_expired(const struct ruling *ruling, int64_t time_ms);

/* ---- correction.c ---- */

/* CORRECTION_INVALID; the correction that was asked for. */
struct proposed_correction correction_check(struct ruling *ruling);
/* Sends it, and the item says so; the caller sends the resolution of a held one. */
void correction_send(struct ruling *ruling, struct review_item *item, const struct proposed_correction *correction);
#endif
