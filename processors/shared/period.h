/* period: where a journal is booked: the accounting period of its day, or of the next day that is open (docs/purchase-to-pay.md, "Dates"). */
#ifndef KONTOR_SHARED_PERIOD_H
#define KONTOR_SHARED_PERIOD_H
#include "common/runtime/processor.h"
#include "schemas/legal_entity.h"
#include "schemas/period.h"

enum period_answer {
    PERIOD_NOT_ASKED,
    PERIOD_OPEN,            /* also soft-closed, and the source may */
    PERIOD_ABSENT,          /* there is none for the day, or none open within PERIODS_AHEAD behind a closed one */
    PERIOD_CLOSED,
    PERIOD_SOFT_CLOSED      /* and the source may not */
};
enum { PERIODS_AHEAD = 24 };

struct period_choice {
    enum period_answer answer;
    const struct period *period;    /* PERIOD_OPEN, PERIOD_SOFT_CLOSED: where it is booked ... */
    int32_t date;                   /* ... and on which day; otherwise the day that was asked for */
    bool moved;                     /* that is the first day of a later period */
};

/* What to do about a closed period. */
enum period_policy {
    PERIOD_STAYS,           /* nothing */
    PERIOD_BY_ENTITY,       /* legal_entity.late_documents: wait, or the next open one */
    PERIOD_REVERSAL         /* the next open one, also behind one soft-closed to the source: what was taken back stays taken back */
};

/* Reports nothing. */
struct period_choice period_choose(struct decision *decision, const struct legal_entity *entity, struct slice ledger, int32_t date, enum period_policy policy);
/* PERIOD_UNKNOWN, PERIOD_CLOSED (parked; held for a soft-closed one), or the note PERIOD_MOVED. */
void period_report(struct decision *decision, const struct legal_entity *entity, struct slice ledger, const struct period_choice *choice);
/* The same of another day than the posting date: field is the event's field that names it. */
void period_report_of(struct decision *decision, const struct legal_entity *entity, struct slice ledger, const struct period_choice *choice, const char *field);
#endif
