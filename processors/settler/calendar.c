/* calendar: the windows of a batch, and how they, their parts and entries are named. */
#include "processors/settler/settler.h"

#include "schemas/settlement_rules.h"

static bool calendar_fill(struct decision *decision, struct slice entity, struct slice batch, int64_t moment_ms, struct calendar *calendar, bool reports) {
    const struct slice key = KEY(decision, entity);
    const int32_t utc = date_at(moment_ms, 0);
    struct table_row row;
    *calendar = (struct calendar){0};
    if (reports ? !require_row(decision, MASTER_LEGAL_ENTITIES, key, utc, REASON_ENTITY_UNKNOWN, "entity", &row)
                : !look_up(decision, MASTER_LEGAL_ENTITIES, key, utc, &row)) return false;
    calendar->entity = row.record;
    calendar->zone = row.compiled;   /* its first member (common/posting/entity.h) */
    const int32_t today = time_zone_date_at(calendar->zone, moment_ms);
    if (reports ? !require_row(decision, MASTER_SETTLEMENT_RULES, key, today, REASON_RULE_MISSING, "batch", &row)
                : !look_up(decision, MASTER_SETTLEMENT_RULES, key, today, &row)) return false;
    calendar->terms = settlement_find(row.compiled, batch);
    if (calendar->terms || !reports) return calendar->terms != NULL;
    report(decision, REASON_RULE_MISSING, "batch", "no batch " SLICE_FORMAT, SLICE_ARGUMENT(batch));
    wait_for_table(decision, REASON_RULE_MISSING, "batch", MASTER_SETTLEMENT_RULES, key, today);
    return false;
}

bool calendar_require(struct decision *decision, struct slice entity, struct slice batch, int64_t moment_ms, struct calendar *calendar) {
    return calendar_fill(decision, entity, batch, moment_ms, calendar, true);
}

bool calendar_find(struct decision *decision, struct slice entity, struct slice batch, int64_t moment_ms, struct calendar *calendar) {
    return calendar_fill(decision, entity, batch, moment_ms, calendar, false);
}

bool calendar_window(struct decision *decision, const struct calendar *calendar, int64_t moment_ms, struct window *window) {
    const struct slice key = KEY(decision, calendar->entity->entity, calendar->entity->ledger);
    const int32_t today = time_zone_date_at(calendar->zone, moment_ms);
    const struct period *period = look_up(decision, MASTER_PERIODS, key, today, NULL);
    if (period && today > period->last_day) period = NULL;
    if (!period && calendar->terms->window == BATCH_BY_PERIOD) {
        if (require(decision, MASTER_PERIODS, key, today, REASON_PERIOD_UNKNOWN, "batch"))
            wait_for_table(decision, REASON_PERIOD_UNKNOWN, "batch", MASTER_PERIODS, key, today);
        return false;
    }
    *window = settlement_window(calendar->terms, calendar->zone, period ? period->last_day : DATE_NONE, moment_ms);
    return true;
}

/* ---- names ---- */

static void keys_make(struct decision *decision, struct window_id *id) {
    id->name = decision_format(decision, SLICE_FORMAT "." SLICE_FORMAT "." SLICE_FORMAT, SLICE_ARGUMENT(id->batch), SLICE_ARGUMENT(id->end), SLICE_ARGUMENT(id->currency));
    id->key = KEY(decision, id->entity, id->batch, id->end, id->currency);
}

struct window_id window_id_make(struct decision *decision, struct slice entity, struct slice batch, const struct window *window, struct slice currency) {
    char end[WINDOW_NAME_SIZE];
    window_print(window, end);
    struct window_id id = {.entity = entity, .batch = batch, .end = decision_format(decision, "%s", end), .currency = currency};
    keys_make(decision, &id);
    return id;
}

bool window_id_read(struct decision *decision, const struct settlement_event *event, struct window_id *id, struct window *window) {
    const struct slice document = event->document, batch = event->batch;
    *id = (struct window_id){.entity = event->entity, .batch = batch};
    if (document.length <= batch.length + 1 || memcmp(document.data, batch.data, batch.length) != 0 || document.data[batch.length] != '.') return false;
    const char *end = document.data + batch.length + 1, *behind = document.data + document.length, *point = memchr(end, '.', (size_t)(behind - end));
    struct currency currency;
    if (!point) return false;
    id->end = (struct slice){end, (size_t)(point - end)};
    id->currency = (struct slice){point + 1, (size_t)(behind - point) - 1};
    if (!window_parse(id->end, &window->last_day, &window->minutes) || !currency_find(id->currency, &currency)) return false;
    keys_make(decision, id);
    return true;
}

struct slice part_key(struct decision *decision, const struct window_id *id, int32_t part) {
    return KEY(decision, id->entity, id->batch, id->end, id->currency, decision_format(decision, "%d", (int)part));
}

struct slice entry_key(struct decision *decision, const struct window_id *id, int32_t part, int32_t entry) {
    return KEY(decision, id->entity, id->batch, id->end, id->currency, decision_format(decision, "%d", (int)part), decision_format(decision, "%d", (int)entry));
}

struct slice batch_key(struct decision *decision, const struct window_id *id) { return KEY(decision, id->entity, id->batch); }

/* ---- how a window begins ---- */

struct settlement_window window_begin(const struct calendar *calendar, const struct window *window) {
    return (struct settlement_window){.status = WINDOW_STATUS_OPEN, .ends_ms = window->ends_ms, .last_day = window->last_day, .awaits_report = calendar->terms->awaits_report};
}

void window_await(struct decision *decision, const struct window_id *id, const struct settlement_window *window, int64_t due_ms) {
    const struct settlement_event due = {.event_id = decision_format(decision, SLICE_FORMAT "/window/%d", SLICE_ARGUMENT(id->name), (int)window->closings + 1),
        .kind = SETTLEMENT_KIND_WINDOW_DUE, .source = SLICE(SETTLER), .entity = id->entity, .batch = id->batch, .document = id->name, .number = window->closings + 1};
    defer(decision, id->key, OUTPUT_EVENTS, &due, batch_key(decision, id), due_ms);
}
