/* review: whether the entity's policy wants a person to decide before a document is posted (docs/review.md, "What is held for review"). */
#ifndef KONTOR_SHARED_REVIEW_H
#define KONTOR_SHARED_REVIEW_H
#include "processors/shared/posting.h"

/* The entity's policy as of the date where it speaks of this event's family, else NULL. */
const struct review_policy *review_policy_find(struct decision *decision, struct slice entity, int32_t date);
/* A line of the document, while there is a policy. */
void review_line(struct posting *posting, struct slice tax_code);
/* REVIEW_NEEDED, once per cause. The last of a posting's checks: nothing else refuses it. */
void review_check(struct posting *posting);
#endif
