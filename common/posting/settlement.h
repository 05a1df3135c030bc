/* settlement: which journals go to which batch, and the windows that a batch is cut into (docs/settlement.md). A record of master.settlement-rules is compiled once,
 * when it is loaded: names become numbers, and what cannot be meant or leaves two rules equal is refused as a whole. */
#ifndef KONTOR_POSTING_SETTLEMENT_H
#define KONTOR_POSTING_SETTLEMENT_H
#include "common/ledger/time_zone.h"
#include "common/platform/error.h"

enum { BATCH_NAME_MAXIMUM = 40, PART_ENTRIES_MAXIMUM = 1000, MINUTES_OF_DAY = 1440 };
enum batch_window { BATCH_BY_DAY, BATCH_BY_WEEK, BATCH_BY_PERIOD };

struct batch_terms {
    struct slice name, decides;     /* decides: the role; empty: nobody */
    enum batch_window window;
    int cut_off;                    /* minutes of the day, 1 to 1440 */
    int week_ends, grace_minutes, part_entries;
    bool awaits_report;
};

/* For table.compile and .release: record is a struct settlement_rules; the result is one allocation with copies of all texts. */
struct batch_rules;
void *settlement_compile(const void *record, struct error *error);
void settlement_release(void *compiled);

/* The batch of that name, or NULL. */
const struct batch_terms *settlement_find(const struct batch_rules *rules, struct slice name);

/* What a rule asks of a journal. category empty: the lines have none, or several. */
struct settled_document { struct slice step, category, group, programme; int64_t functional_e4; };
/* The batch that takes it, or NULL. */
const struct batch_terms *settlement_pick(const struct batch_rules *rules, const struct settled_document *document);

/* A window by its end. */
struct window { int32_t last_day; int minutes; int64_t ends_ms; };
/* The one in which the moment lies. period_ends: last day of the accounting period that holds the moment's local date, DATE_NONE: there is none; then nothing is cut,
 * and a batch by period has no windows: do not ask. */
struct window settlement_window(const struct batch_terms *batch, const struct time_zone *zone, int32_t period_ends, int64_t moment_ms);

/* Its name without batch and currency: 2026-03-05, 2026-03-05T1800. */
enum { WINDOW_NAME_SIZE = 16 };
size_t window_print(const struct window *window, char name[WINDOW_NAME_SIZE]);
/* The day and minutes that such a name says. False: it is none. */
MUST_CHECK bool window_parse(struct slice name, int32_t *last_day, int *minutes);
#endif
