#include "processors/shared/period.h"

#include "common/ledger/date.h"
#include "schemas/source_permission.h"

static bool may_post_soft_closed(struct decision *decision) {
    struct slice key = KEY(decision, decision_envelope(decision)->source, decision_topic(decision));
    const struct source_permission *permission = look_up(decision, MASTER_SOURCE_PERMISSIONS, key, date_at(decision_time_ms(decision), 0), NULL);
    return permission && permission->soft_closed;
}

/* The period that holds the day and whether it is open to the source. */
static enum period_answer period_at(struct decision *decision, struct slice key, int32_t date, const struct period **period) {
    *period = look_up(decision, MASTER_PERIODS, key, date, NULL);
    if (!*period || date > (*period)->last_day) return PERIOD_ABSENT;
    if (slice_equal((*period)->status, SLICE("closed"))) return PERIOD_CLOSED;
    return slice_equal((*period)->status, SLICE("soft_closed")) && !may_post_soft_closed(decision) ? PERIOD_SOFT_CLOSED : PERIOD_OPEN;
}

struct period_choice period_choose(struct decision *decision, const struct legal_entity *entity, struct slice ledger, int32_t date, enum period_policy policy) {
    const struct slice key = KEY(decision, entity->entity, ledger);
    struct period_choice choice = {.date = date};
    const struct period *period;
    choice.answer = period_at(decision, key, date, &period);
    bool moves = policy == PERIOD_REVERSAL ? choice.answer == PERIOD_CLOSED || choice.answer == PERIOD_SOFT_CLOSED
                                           : policy == PERIOD_BY_ENTITY && choice.answer == PERIOD_CLOSED && slice_equal(entity->late_documents, SLICE("next_open"));
    if (choice.answer == PERIOD_OPEN || choice.answer == PERIOD_SOFT_CLOSED) choice.period = period;   /* soft-closed: a person may approve of it */
    if (!moves) return choice;
    for (int i = 0; i < PERIODS_AHEAD; i++) {
        if (period->last_day >= DATE_MAXIMUM) break;
        const int32_t next = period->last_day + 1;
        enum period_answer answer = period_at(decision, key, next, &period);
        if (answer == PERIOD_OPEN) return (struct period_choice){PERIOD_OPEN, period, next, true};
        if (answer == PERIOD_ABSENT) break;
    }
    choice.answer = PERIOD_ABSENT;
    return choice;
}

void period_report(struct decision *decision, const struct legal_entity *entity, struct slice ledger, const struct period_choice *choice) {
    period_report_of(decision, entity, ledger, choice, "posting_date");
}

void period_report_of(struct decision *decision, const struct legal_entity *entity, struct slice ledger, const struct period_choice *choice, const char *field) {
    const struct slice key = KEY(decision, entity->entity, ledger);
    switch (choice->answer) {
    case PERIOD_OPEN:
        if (choice->moved) report(decision, REASON_PERIOD_MOVED, field, "");
        break;
    case PERIOD_ABSENT:
        if (!require(decision, MASTER_PERIODS, key, choice->date, REASON_PERIOD_UNKNOWN, field)) break;
        wait_for_table(decision, REASON_PERIOD_UNKNOWN, field, MASTER_PERIODS, key, choice->date);
        break;
    case PERIOD_CLOSED: wait_for_table(decision, REASON_PERIOD_CLOSED, field, MASTER_PERIODS, key, choice->date); break;
    case PERIOD_SOFT_CLOSED:
        report_as(decision, CLASS_HELD, REASON_PERIOD_CLOSED, field, "soft-closed, and " SLICE_FORMAT " may not post there",
                  SLICE_ARGUMENT(decision_envelope(decision)->source));
        break;
    case PERIOD_NOT_ASKED: break;
    }
}
