/* summary: what became of all events, read back from the topics, read_committed, never from counters.
 *
 * Events are the records of the input topics (those with a topic dlq.<name>). The outcome of one is its newest acknowledgment, or poison when it lies on the
 * dlq topic. What cannot be is a problem: an event with two outcomes or after a final one another, an acknowledgment of no event, a journal that is unbalanced or
 * there twice. All sums are exact integers. */
#ifndef KONTOR_CLI_SUMMARY_H
#define KONTOR_CLI_SUMMARY_H
#include <stdbool.h>
#include <stdint.h>

#include "cli/connection.h"
#include "cli/intern.h"
#include "cli/table.h"
#include "cli/topic_list.h"

enum summary_outcome { SUMMARY_ACCEPTED, SUMMARY_DUPLICATE, SUMMARY_REJECTED, SUMMARY_HELD, SUMMARY_PARKED, SUMMARY_POISON, SUMMARY_OUTCOMES };
extern const char *const summary_outcome_names[SUMMARY_OUTCOMES];

/* What may be wrong, each with the number of times and the first one met. */
enum summary_problem {
    PROBLEM_NO_OUTCOME, PROBLEM_TWO_OUTCOMES, PROBLEM_NO_EVENT, PROBLEM_JOURNAL_UNBALANCED, PROBLEM_JOURNAL_TWICE, PROBLEM_UNREADABLE, PROBLEM_KINDS
};
struct summary_trouble { int64_t count; char first[256]; };
extern const char *const summary_problem_texts[PROBLEM_KINDS];

struct summary_total { sum_e4 debit, credit; };
struct summary_account { struct slice entity, account, currency; struct summary_total functional; };

struct summary {
    int64_t events_in, outcomes[SUMMARY_OUTCOMES];
    struct intern reasons;              /* codes ... */
    int64_t *reason_events;             /* ... and how many events have each */
    int64_t journals, journal_lines;
    struct intern currencies;           /* transaction currencies ... */
    struct summary_total *totals;       /* ... and their sums */
    struct intern account_keys;
    struct summary_account *accounts;   /* by number of their key: functional amounts per entity, account, functional currency */
    int64_t acknowledgments, acknowledged_documents;
    int64_t first_output_ms, last_output_ms;   /* record times; 0: no output */
    struct summary_trouble troubles[PROBLEM_KINDS];
};

/* Fills the summary; the caller frees it, also when it failed. False: the topics cannot be read. */
MUST_CHECK bool summary_read(struct summary *summary, const struct connection *connection, const struct topic_list *list, struct error *error);
void summary_free(struct summary *summary);

/* How many kinds of problems it has. */
int summary_problems(const struct summary *summary);
#endif
