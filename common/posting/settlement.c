#include "common/posting/settlement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ledger/decimal.h"
#include "common/platform/arena.h"
#include "common/platform/nearest.h"
#include "common/posting/steps.h"
#include "schemas/settlement_rules.h"

enum { COMPILED_MAXIMUM = 16 << 20, COMPILED_BLOCK = 4 << 10, GRACE_MAXIMUM = 7 * MINUTES_OF_DAY, CONDITIONS = 3 };

struct taking {
    struct slice step, conditions[CONDITIONS];  /* category, group, programme; data NULL: any */
    bool has_maximum;
    int64_t maximum_e4;
    int specificity;
    const struct batch_terms *batch;
};

struct batch_rules { struct arena arena; struct batch_terms *batches; struct taking *takings; size_t batch_count, taking_count; };

/* Here and below an empty error says that memory is out (tables.h). */
static bool keep(struct batch_rules *rules, struct slice text, struct slice *kept, struct error *error) {
    char *copy = arena_copy(&rules->arena, text.data, text.length);
    *kept = (struct slice){copy, text.length};
    return copy || error_set(error, "");
}

/* ---- batches ---- */

static bool name_check(struct slice name, struct error *error) {
    bool ok = name.length && name.length <= BATCH_NAME_MAXIMUM;
    for (size_t i = 0; ok && i < name.length; i++) {
        const char c = name.data[i];
        ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    }
    return ok || error_set(error, "batch \"" SLICE_FORMAT "\": a name has 1 to %d letters, digits, - and _", SLICE_ARGUMENT(name), BATCH_NAME_MAXIMUM);
}

/* hhmm, to 2400. -1: it is none. */
static int minutes_read(struct slice text) {
    if (text.length != 4) return -1;
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] < '0' || text.data[i] > '9') return -1;
    const int hours = (text.data[0] - '0') * 10 + text.data[1] - '0', minutes = (text.data[2] - '0') * 10 + text.data[3] - '0';
    return minutes < 60 && hours * 60 + minutes <= MINUTES_OF_DAY ? hours * 60 + minutes : -1;
}

static bool window_kind_read(const struct settlement_batch *from, enum batch_window *window, struct error *error) {
    static const char *const names[] = {"day", "week", "period"};
    for (int i = 0; i < 3; i++)
        if (slice_equal(from->window, slice_of(names[i]))) {
            *window = (enum batch_window)i;
            return true;
        }
    return error_set(error, "batch " SLICE_FORMAT ": there is no window " SLICE_FORMAT "; did you mean %s?", SLICE_ARGUMENT(from->batch), SLICE_ARGUMENT(from->window),
                     nearest_of(from->window, names, 3));
}

static bool batch_compile(struct batch_rules *rules, const struct settlement_batch *from, struct batch_terms *batch, struct error *error) {
    const int cut_off = minutes_read(from->cut_off);
    if (!name_check(from->batch, error)) return false;
    if (settlement_find(rules, from->batch)) return error_set(error, "two batches are named " SLICE_FORMAT, SLICE_ARGUMENT(from->batch));
    if (cut_off < 1)
        return error_set(error, "batch " SLICE_FORMAT ": cut_off \"" SLICE_FORMAT "\" is not hhmm from 0001 to 2400", SLICE_ARGUMENT(from->batch), SLICE_ARGUMENT(from->cut_off));
    if (from->week_ends < 1 || from->week_ends > 7)
        return error_set(error, "batch " SLICE_FORMAT ": week_ends %d is no day from 1 (Monday) to 7", SLICE_ARGUMENT(from->batch), (int)from->week_ends);
    if (from->grace_minutes < 0 || from->grace_minutes > GRACE_MAXIMUM)
        return error_set(error, "batch " SLICE_FORMAT ": grace_minutes %d is not from 0 to %d", SLICE_ARGUMENT(from->batch), (int)from->grace_minutes, GRACE_MAXIMUM);
    if (from->part_entries < 1 || from->part_entries > PART_ENTRIES_MAXIMUM)
        return error_set(error, "batch " SLICE_FORMAT ": part_entries %d is not from 1 to %d", SLICE_ARGUMENT(from->batch), (int)from->part_entries, PART_ENTRIES_MAXIMUM);
    *batch = (struct batch_terms){.cut_off = cut_off, .week_ends = from->week_ends, .grace_minutes = from->grace_minutes, .part_entries = from->part_entries,
                                  .awaits_report = from->awaits_report};
    return window_kind_read(from, &batch->window, error) && keep(rules, from->batch, &batch->name, error) && keep(rules, from->decides, &batch->decides, error);
}

const struct batch_terms *settlement_find(const struct batch_rules *rules, struct slice name) {
    for (size_t i = 0; i < rules->batch_count; i++)
        if (slice_equal(rules->batches[i].name, name)) return &rules->batches[i];
    return NULL;
}

/* ---- what they take ---- */

/* A journal has the step of its document; these are of lines within one. */
static bool step_check(const struct settlement_rule *from, struct error *error) {
    static const char *const of_lines[] = {"expense_paid_by_employee", "expense_paid_by_card", "expense_personal", "advance_applied"};
    for (size_t i = 0; i < sizeof of_lines / sizeof *of_lines; i++)
        if (slice_equal(from->step, slice_of(of_lines[i])))
            return error_set(error, "step " SLICE_FORMAT " is one of lines; their journal's is expense_report", SLICE_ARGUMENT(from->step));
    if (slice_equal(from->step, SLICE("expense_report")) || (steps_find(from->step) >= 0 && !steps_is_journal(steps_find(from->step)))) return true;
    const char *names[64] = {"expense_report"};
    for (size_t i = 0; i < rule_step_count; i++) names[i + 1] = rule_steps[i].name;
    return error_set(error, "there is no step " SLICE_FORMAT " that can be batched; did you mean %s?", SLICE_ARGUMENT(from->step), nearest_of(from->step, names, rule_step_count));
}

static bool taking_compile(struct batch_rules *rules, const struct settlement_rule *from, struct taking *taking, struct error *error) {
    const struct slice *conditions[CONDITIONS] = {&from->category, &from->group, &from->programme};
    *taking = (struct taking){.batch = settlement_find(rules, from->batch), .has_maximum = from->has_maximum, .maximum_e4 = from->maximum_e4, .specificity = from->has_maximum};
    if (!step_check(from, error)) return false;
    if (!taking->batch) return error_set(error, "step " SLICE_FORMAT ": there is no batch " SLICE_FORMAT, SLICE_ARGUMENT(from->step), SLICE_ARGUMENT(from->batch));
    if (from->has_maximum && (!decimal_is_number(from->maximum_e4) || from->maximum_e4 <= 0))
        return error_set(error, "step " SLICE_FORMAT ", batch " SLICE_FORMAT ": the maximum is not above 0, or has too many digits", SLICE_ARGUMENT(from->step),
                         SLICE_ARGUMENT(from->batch));
    for (int i = 0; i < CONDITIONS; i++) {
        if (slice_equal(*conditions[i], SLICE("*"))) continue;
        if (!conditions[i]->length) return error_set(error, "step " SLICE_FORMAT ": an empty condition matches nothing; * matches all", SLICE_ARGUMENT(from->step));
        taking->specificity++;
        if (!keep(rules, *conditions[i], &taking->conditions[i], error)) return false;
    }
    return keep(rules, from->step, &taking->step, error);
}

/* Whether a document could match both with neither more specific, and it makes a difference. */
static bool tie(const struct taking *a, const struct taking *b) {
    if (a->batch == b->batch || a->specificity != b->specificity || !slice_equal(a->step, b->step)) return false;
    for (int i = 0; i < CONDITIONS; i++)
        if (a->conditions[i].data && b->conditions[i].data && !slice_equal(a->conditions[i], b->conditions[i])) return false;
    return true;
}

static bool ties_check(const struct batch_rules *rules, struct error *error) {
    for (size_t i = 0; i < rules->taking_count; i++)
        for (size_t k = i + 1; k < rules->taking_count; k++)
            if (tie(&rules->takings[i], &rules->takings[k]))
                return error_set(error, "entries %zu (" SLICE_FORMAT ") and %zu (" SLICE_FORMAT ") of step " SLICE_FORMAT " take the same documents and neither is more specific", i + 1,
                                 SLICE_ARGUMENT(rules->takings[i].batch->name), k + 1, SLICE_ARGUMENT(rules->takings[k].batch->name), SLICE_ARGUMENT(rules->takings[i].step));
    return true;
}

static bool fill(struct batch_rules *rules, const struct settlement_rules *from, struct error *error) {
    rules->batches = arena_alloc(&rules->arena, (from->batches.count + 1) * sizeof *rules->batches);
    rules->takings = arena_alloc(&rules->arena, (from->takes.count + 1) * sizeof *rules->takings);
    if (!rules->batches || !rules->takings) return error_set(error, "");
    for (; rules->batch_count < from->batches.count; rules->batch_count++)
        if (!batch_compile(rules, &from->batches.items[rules->batch_count], &rules->batches[rules->batch_count], error)) return false;
    for (; rules->taking_count < from->takes.count; rules->taking_count++)
        if (!taking_compile(rules, &from->takes.items[rules->taking_count], &rules->takings[rules->taking_count], error)) return false;
    return ties_check(rules, error);
}

void *settlement_compile(const void *record, struct error *error) {
    struct batch_rules *rules = calloc(1, sizeof *rules);
    if (!rules) { error_set(error, ""); return NULL; }
    arena_init(&rules->arena, COMPILED_BLOCK, COMPILED_MAXIMUM);
    if (fill(rules, record, error)) return rules;
    settlement_release(rules);
    return NULL;
}

void settlement_release(void *compiled) {
    struct batch_rules *rules = compiled;
    if (!rules) return;
    arena_free(&rules->arena);
    free(rules);
}

const struct batch_terms *settlement_pick(const struct batch_rules *rules, const struct settled_document *document) {
    const struct slice asked[CONDITIONS] = {document->category, document->group, document->programme};
    const int64_t amount_e4 = document->functional_e4 < 0 ? -document->functional_e4 : document->functional_e4;
    const struct taking *best = NULL;
    for (size_t i = 0; i < rules->taking_count; i++) {
        const struct taking *taking = &rules->takings[i];
        if ((best && taking->specificity <= best->specificity) || !slice_equal(taking->step, document->step)) continue;
        bool fits = !taking->has_maximum || amount_e4 <= taking->maximum_e4;
        for (int k = 0; fits && k < CONDITIONS; k++) fits = !taking->conditions[k].data || slice_equal(taking->conditions[k], asked[k]);
        if (fits) best = taking;
    }
    return best ? best->batch : NULL;
}

/* ---- windows ---- */

static struct window window_ending(const struct time_zone *zone, int32_t last_day, int minutes) {
    return (struct window){last_day, minutes, time_zone_moment(zone, last_day, minutes)};
}

/* The next cut-off behind the moment. */
static struct window window_regular(const struct batch_terms *batch, const struct time_zone *zone, int32_t today, int32_t period_ends, int64_t moment_ms) {
    int32_t last_day = today;
    if (batch->window == BATCH_BY_WEEK) last_day += (batch->week_ends - date_day_of_week(today) + 7) % 7;
    if (batch->window == BATCH_BY_PERIOD) last_day = period_ends;
    const struct window window = window_ending(zone, last_day, batch->cut_off);
    if (moment_ms < window.ends_ms || batch->window == BATCH_BY_PERIOD) return window;
    return window_ending(zone, last_day + (batch->window == BATCH_BY_WEEK ? 7 : 1), batch->cut_off);
}

struct window settlement_window(const struct batch_terms *batch, const struct time_zone *zone, int32_t period_ends, int64_t moment_ms) {
    const struct window window = window_regular(batch, zone, time_zone_date_at(zone, moment_ms), period_ends, moment_ms);
    if (period_ends == DATE_NONE || (window.last_day <= period_ends && moment_ms < window.ends_ms)) return window;
    return window_ending(zone, period_ends, MINUTES_OF_DAY);
}

size_t window_print(const struct window *window, char name[WINDOW_NAME_SIZE]) {
    size_t length = date_print(window->last_day, name);
    if (window->minutes != MINUTES_OF_DAY) length += (size_t)snprintf(name + length, WINDOW_NAME_SIZE - length, "T%02u%02u", (unsigned)window->minutes / 60 % 24, (unsigned)window->minutes % 60);
    return length;
}

bool window_parse(struct slice name, int32_t *last_day, int *minutes) {
    enum { DAY = DATE_TEXT_SIZE - 1 };
    *minutes = MINUTES_OF_DAY;
    if (name.length == DAY) return date_parse(name, last_day);
    if (name.length != DAY + 5 || name.data[DAY] != 'T' || !date_parse((struct slice){name.data, DAY}, last_day)) return false;
    *minutes = minutes_read((struct slice){name.data + DAY + 1, 4});
    return *minutes > 0 && *minutes < MINUTES_OF_DAY;
}
