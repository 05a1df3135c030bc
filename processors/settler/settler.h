/* settler: what the parts of kontor-settler share (docs/settlement.md): a window of a batch in one currency, its parts and their entries. Amounts are _e4. */
#ifndef KONTOR_SETTLER_SETTLER_H
#define KONTOR_SETTLER_SETTLER_H
#include "common/ledger/currency.h"
#include "common/posting/settlement.h"
#include "processors/shared/posting.h"
#include "schemas/document_step.h"
#include "schemas/settlement_batch.h"
#include "schemas/settlement_entry.h"
#include "schemas/settlement_event.h"
#include "schemas/settlement_part.h"
#include "schemas/settlement_place.h"
#include "schemas/settlement_window.h"

enum { STORE_WINDOWS, STORE_PARTS, STORE_ENTRIES, STORE_PLACES, STORE_BATCHES };
enum { OUTPUT_COMMANDS, OUTPUT_EVENTS, OUTPUT_STEPS };
#define SETTLER "kontor-settler"

/* A batch at a moment: what its windows are made by. */
struct calendar {
    const struct legal_entity *entity;
    const struct time_zone *zone;
    const struct batch_terms *terms;
};

/* Which window: of the batch, by its end, in a currency. name: <batch>.<end>.<currency>. */
struct window_id { struct slice entity, batch, end, currency, name, key; };

/* calendar.c */
/* ENTITY_UNKNOWN; RULE_MISSING. As of the moment. */
MUST_CHECK bool calendar_require(struct decision *decision, struct slice entity, struct slice batch, int64_t moment_ms, struct calendar *calendar);
/* The same without reporting. */
MUST_CHECK bool calendar_find(struct decision *decision, struct slice entity, struct slice batch, int64_t moment_ms, struct calendar *calendar);
/* The window in which the moment lies; PERIOD_UNKNOWN, of a batch by period. */
MUST_CHECK bool calendar_window(struct decision *decision, const struct calendar *calendar, int64_t moment_ms, struct window *window);
struct window_id window_id_make(struct decision *decision, struct slice entity, struct slice batch, const struct window *window, struct slice currency);
/* From an event's document. False: it names no window. */
MUST_CHECK bool window_id_read(struct decision *decision, const struct settlement_event *event, struct window_id *id, struct window *window);
struct slice part_key(struct decision *decision, const struct window_id *id, int32_t part);
struct slice entry_key(struct decision *decision, const struct window_id *id, int32_t part, int32_t entry);
struct slice batch_key(struct decision *decision, const struct window_id *id);
/* A window as it begins; window_await sends window_due at its due time. */
struct settlement_window window_begin(const struct calendar *calendar, const struct window *window);
void window_await(struct decision *decision, const struct window_id *id, const struct settlement_window *window, int64_t due_ms);
static inline int64_t window_due_at(const struct calendar *calendar, int64_t ends_ms) { return ends_ms + calendar->terms->grace_minutes * INT64_C(60000); }

/* entries.c */
void entry_envelope(struct decision *decision, const void *record, struct envelope *envelope);
void entry_decide(struct decision *decision, const void *record);

/* windows.c: all but what posts */
void window_decide_due(struct decision *decision, const struct settlement_event *event, const struct window_id *id);
void window_decide_settle(struct decision *decision, const struct settlement_event *event, const struct window_id *id);
void window_decide_reported(struct decision *decision, const struct settlement_event *event, const struct window_id *id, const struct window *window);
void window_decide_reopened(struct decision *decision, const struct settlement_event *event, const struct window_id *id);
void window_decide_released(struct decision *decision, const struct settlement_event *event, const struct window_id *id);

/* summary.c */
void part_decide_due(struct decision *decision, const struct settlement_event *event, const struct window_id *id);
#endif
