/* acknowledger: the parts of kontor-acknowledger (docs/document-life.md): the set of a document's steps (steps.c), what its kinds mean (kinds.c), where it stands by them
 * (standing.c, paying.c), when its next step is due (times.c), who is told (telling.c), and journals that stand for many (summaries.c). */
#ifndef KONTOR_ACKNOWLEDGER_H
#define KONTOR_ACKNOWLEDGER_H
#include <stdio.h>
#include <string.h>

#include "common/ledger/date.h"
#include "common/ledger/decimal.h"
#include "common/posting/flows.h"
#include "common/runtime/processor.h"
#include "schemas/document.h"
#include "schemas/document_step.h"
#include "schemas/flow_policy.h"
#include "schemas/posting_ack.h"
#include "schemas/summary_entries.h"

enum { STORE_DOCUMENTS, STORE_SUMMARIES };
enum { OUTPUT_DOCUMENTS, OUTPUT_STEPS, OUTPUT_ACKNOWLEDGMENTS, OUTPUT_ACKS };
enum { COUNTER_BREACHES, COUNTER_BREACHES_ENDED, COUNTER_DURATIONS, COUNTER_DURATION_SECONDS };

/* How much of a document's life is kept. */
enum { EVENTS_KEPT = 64, JOURNALS_KEPT = 256, LINKS_KEPT = 256, LINKED_BY_KEPT = 32, PAYMENTS_KEPT = 64, BREACHES_KEPT = 16 };

/* ---- kinds.c ---- */

/* What an accepted event of a kind does to its document, or to the one that it names as its original. */
enum effect {
    EFFECT_NONE, EFFECT_ESTABLISHES, EFFECT_REVERSES, EFFECT_REVERSES_ORIGINAL, EFFECT_REFUSES, EFFECT_CORRECTS, EFFECT_BLOCKS, EFFECT_UNBLOCKS, EFFECT_CLEARS,
    EFFECT_SENT, EFFECT_ACCEPTED_BY_BANK, EFFECT_SETTLED, EFFECT_CAME_BACK, EFFECT_PARTLY_BACK, EFFECT_REFUNDED, EFFECT_APPLIED
};
enum effect kind_effect(struct slice flow, struct slice kind);
/* What a document with an event of that kind is to one that it refers to: receipt, invoice, cancellation ...; the flow where there is no word. */
struct slice kind_noun(struct slice flow, struct slice kind);
static inline bool effect_takes_back(enum effect effect) {
    return effect == EFFECT_REVERSES || effect == EFFECT_REVERSES_ORIGINAL || effect == EFFECT_CORRECTS || effect == EFFECT_REFUSES;
}
/* Of a payment's event: it moves money on its invoices, or takes that back. */
bool kind_moves_money(struct slice flow, struct slice kind);

/* ---- a document in the making ---- */

enum standing {
    STANDING_NAMED, STANDING_RECEIVED, STANDING_VALIDATED, STANDING_REJECTED, STANDING_COMMAND_SENT, STANDING_POSTED, STANDING_REFUSED_BY_ERP, STANDING_BLOCKED,
    STANDING_PART_PAID, STANDING_PAID, STANDING_SETTLED, STANDING_RETURNED, STANDING_CORRECTED, STANDING_REVERSED, STANDING_COUNT
};
extern const char *const standing_names[STANDING_COUNT];

struct life {
    struct decision *decision;
    struct slice key;
    struct document_state state;        /* lists are copied before they are changed */
    enum standing standing;
    int64_t standing_since_ms;
    const struct flow_policy *policy;   /* NULL: none */
    const struct flow_limits *limits;
};

/* Where the document is in its partition's state, or a new one, with what is derived of it. */
void life_begin(struct life *life, struct decision *decision, struct slice entity, struct slice flow, struct slice partner, struct slice document);
/* state, standing, since, reached, amounts, what is due: everything that follows from the set of steps. */
void life_derive(struct life *life);

/* ---- steps.c: the set. Each returns whether it has changed. ---- */
bool steps_take(struct life *life, const struct document_step *step);
bool steps_take_ack(struct life *life, const struct posting_ack *ack);
const struct document_event *event_find(const struct life *life, struct slice origin);
static inline bool event_is(const struct document_event *event, const char *step) { return slice_equal(event->step, slice_of(step)); }
static inline bool event_is_open(const struct document_event *event) { return event_is(event, "waiting") || event_is(event, "needs decision"); }
/* Events and movements in the order in which they happened: below 0, 0, above 0. */
int order_compare(int64_t at_ms, struct slice origin, int64_t other_ms, struct slice other_origin);
/* What the ERP did with the journals of an event: 0 not all are answered, 1 posted, -1 one was refused. */
int event_answer(const struct life *life, struct slice origin);
/* The first time that a state was reached; the earliest counts. */
void reached_at(struct life *life, const char *state, int64_t at_ms);

/* ---- standing.c ---- */
/* When a state was first reached; otherwise_ms: never. */
int64_t reached_ms(const struct life *life, const char *state, int64_t otherwise_ms);

/* ---- paying.c ---- */
struct paying { enum standing standing; int64_t since_ms; int64_t first_ms[STANDING_COUNT]; int64_t paid_e4; };   /* STANDING_NAMED: nothing; first_ms 0: never */
struct paying paying_find(const struct life *life);

/* ---- times.c ---- */
void times_derive(struct life *life);

/* ---- summaries.c ---- */
/* The step summary, of kontor-settler: what a summary posts is kept, and its documents are told. */
void summaries_take(struct decision *decision, const struct document_step *step);
/* The ERP's answer, where it is one to a summary, goes on to posting.acks for each journal in it. */
void summaries_answer(struct decision *decision, const struct posting_ack *ack);

/* ---- telling.c ---- */
/* What has come about between before and after is told to sources, passed on to other documents, counted and watched. step or ack: what has come. */
void telling_step(const struct life *before, struct life *after, const struct document_step *step);
void telling_ack(const struct life *before, struct life *after, const struct posting_ack *ack);
#endif
