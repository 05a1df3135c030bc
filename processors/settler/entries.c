/* entries: a journal that a rule took finds its window and its part there. */
#include "processors/settler/settler.h"

#include "common/platform/hash.h"
#include "schemas/source_permission.h"

enum { PART_LINES_MAXIMUM = 5000, ID_MAXIMUM = 200, ID_KEPT = 180 };
static const int64_t part_debits_maximum_e4 = INT64_C(10000000000000) * 10000;

/* An entry in the making. */
struct entry {
    struct decision *decision;
    const struct posting_command *command;
    struct window_id id;
    struct settlement_window window;
    struct settlement_part part;
    int32_t part_number;
    bool begins, changes;               /* the window: a new one; not as it was */
    int64_t debits_e4, functional_debits_e4;
};

/* As an identifier of the envelope: what is too long has a hash in the place of its end. */
static struct slice identifier(struct decision *decision, struct slice text) {
    if (text.length <= ID_MAXIMUM) return text;
    return decision_format(decision, "%.*s#%016llx", ID_KEPT, text.data, (unsigned long long)hash_slice(text));
}

/* kontor-<processor>, by the topic of the event that it comes of: <processor>.events. */
static struct slice processor_of(struct decision *decision, struct slice origin) {
    size_t length = 0;
    while (length < origin.length && origin.data[length] != '.' && origin.data[length] != '/') length++;
    return decision_format(decision, "kontor-%.*s", (int)length, origin.length ? origin.data : "");
}

void entry_envelope(struct decision *decision, const void *record, struct envelope *envelope) {
    const struct posting_command *command = record;
    const struct slice id = identifier(decision, command->idempotency_key);
    *envelope = (struct envelope){.event_id = id, .source = processor_of(decision, command->origin), .entity = command->entity, .partner = command->batch,
        .correlation_id = command->correlation_id, .number = identifier(decision, command->document), .kind = "entry",
        .currency = command->currency, .document_date = command->document_date, .has_amount = command->has_batch_amount, .amount_e4 = command->batch_amount_e4,
        .document = {STORE_PLACES, KEY(decision, command->entity, command->batch, id)}};
}

/* ---- checks ---- */

/* JOURNAL_UNBALANCED: it was checked where it was made, and a part with such an entry could never be posted. */
static bool lines_check(struct entry *entry) {
    const struct posting_command *command = entry->command;
    __int128 sums[2][2] = {{0}};
    bool ok = command->lines.count > 0;
    for (size_t i = 0; i < command->lines.count; i++) {
        const struct journal_line *line = &command->lines.items[i];
        ok = ok && line->account.length && line->amount_e4 >= 0 && line->amount_e4 <= MONEY_MAXIMUM_E4 && line->functional_e4 >= 0 && line->functional_e4 <= MONEY_MAXIMUM_E4;
        sums[0][line->side == JOURNAL_SIDE_CREDIT] += line->amount_e4;
        sums[1][line->side == JOURNAL_SIDE_CREDIT] += line->functional_e4;
    }
    ok = ok && sums[0][0] == sums[0][1] && sums[1][0] == sums[1][1] && sums[0][0] <= MONEY_MAXIMUM_E4 && sums[1][0] <= MONEY_MAXIMUM_E4;
    ok = ok && decimal_is_number(command->batch_amount_e4) && decimal_is_number(command->rate_e10) && command->rate_e10 > 0;
    entry->debits_e4 = (int64_t)sums[0][0];
    entry->functional_debits_e4 = (int64_t)sums[1][0];
    if (!ok) report(entry->decision, REASON_JOURNAL_UNBALANCED, "lines", "no journal that could be part of a summary");
    return ok;
}

static void currencies_check(struct entry *entry) {
    const struct slice codes[] = {entry->command->currency, entry->command->functional_currency};
    const char *const fields[] = {"currency", "functional_currency"};
    struct currency currency;
    for (int i = 0; i < 2; i++)
        if (!currency_find(codes[i], &currency)) report(entry->decision, REASON_CURRENCY_UNKNOWN, fields[i], "\"" SLICE_FORMAT "\"", SLICE_ARGUMENT(codes[i]));
}

/* What this processor says to itself when a window is due must be trusted, or the window would never end: without that permission the entry waits. */
static void permission_check(struct decision *decision) {
    const struct slice key = KEY(decision, SLICE(SETTLER), SLICE("settlement.events")), entity = decision_envelope(decision)->entity;
    const int32_t date = date_at(decision_time_ms(decision), 0);
    const struct source_permission *permission = look_up(decision, MASTER_SOURCE_PERMISSIONS, key, date, NULL);
    for (size_t i = 0; permission && i < permission->entities.count; i++)
        if (slice_equal(permission->entities.items[i], SLICE("*")) || slice_equal(permission->entities.items[i], entity)) return;
    wait_for_table(decision, REASON_SOURCE_NOT_AUTHORISED, "batch", MASTER_SOURCE_PERMISSIONS, key, date);
}

/* ---- its window ---- */

/* What the state has of the window; one that begins is open if it ends behind all that were closed. */
static bool window_takes(struct entry *entry, const struct calendar *calendar, const struct window *window, int64_t closed_until_ms) {
    struct decision *decision = entry->decision;
    const struct posting_command *command = entry->command;
    entry->id = window_id_make(decision, command->entity, command->batch, window, command->currency);
    const struct settlement_window *known = state_find(decision, STORE_WINDOWS, entry->id.key);
    entry->begins = !known;
    entry->window = known ? *known : window_begin(calendar, window);
    return known ? known->status == WINDOW_STATUS_OPEN : window->ends_ms > closed_until_ms;
}

/* The window of its event time or, when that is closed, the first behind all that were closed. */
static bool window_choose(struct entry *entry, struct calendar *calendar) {
    struct decision *decision = entry->decision;
    const struct posting_command *command = entry->command;
    const struct settlement_batch_state *batch = state_find(decision, STORE_BATCHES, KEY(decision, command->entity, command->batch));
    const int64_t closed_until_ms = batch ? batch->closed_until_ms : INT64_MIN;
    struct window window;
    if (!calendar_window(decision, calendar, decision_time_ms(decision), &window)) return false;
    if (window_takes(entry, calendar, &window, closed_until_ms)) return true;
    report(decision, REASON_WINDOW_CLOSED, "batch", "it belongs to " SLICE_FORMAT, SLICE_ARGUMENT(entry->id.name));
    int64_t moment_ms = closed_until_ms > window.ends_ms ? closed_until_ms : window.ends_ms;
    for (;;) {   /* what is not closed lies behind what was closed latest: once, or twice where the calendar was changed */
        struct calendar then;
        if (calendar_find(decision, command->entity, command->batch, moment_ms, &then)) *calendar = then;
        if (!calendar_window(decision, calendar, moment_ms, &window)) return false;
        if (window_takes(entry, calendar, &window, closed_until_ms)) return true;
        moment_ms = window.ends_ms;
    }
}

/* ---- its part ---- */

/* Entries of one such name can be one journal. */
static struct slice group_name(const struct entry *entry) {
    const struct posting_command *command = entry->command;
    return KEY(entry->decision, command->ledger, command->functional_currency, command->period);
}

/* The month in which its tax is reported; empty: it has none. */
static struct slice tax_month(const struct entry *entry) {
    const struct posting_command *command = entry->command;
    bool taxed = false;
    for (size_t i = 0; i < command->lines.count; i++) taxed |= command->lines.items[i].tax_code.length > 0;
    if (!taxed || !command->has_tax_date) return (struct slice){0};
    const struct civil_date day = date_to_civil(command->tax_date);
    return decision_format(entry->decision, "%04d-%02d", day.year, day.month);
}

static bool part_has_room(const struct entry *entry, const struct calendar *calendar, const struct settlement_part *part) {
    const int64_t amount_e4 = entry->command->batch_amount_e4 < 0 ? -entry->command->batch_amount_e4 : entry->command->batch_amount_e4;
    return part->entries < calendar->terms->part_entries && part->lines + (int64_t)entry->command->lines.count <= PART_LINES_MAXIMUM &&
           part->debits_e4 <= part_debits_maximum_e4 - entry->debits_e4 && part->functional_debits_e4 <= part_debits_maximum_e4 - entry->functional_debits_e4 &&
           part->payments_amount_e4 <= part_debits_maximum_e4 - amount_e4 && part->refunds_amount_e4 <= part_debits_maximum_e4 - amount_e4;
}

static struct settlement_part part_begin(const struct posting_command *command) {
    return (struct settlement_part){.ledger = command->ledger, .functional_currency = command->functional_currency, .posting_date = command->posting_date,
        .rate_e10 = command->rate_e10, .rate_type = command->rate_type, .has_rate_date = command->has_rate_date, .rate_date = command->rate_date};
}

/* The group's place in a copy of the window's list: the state's own is not changed before the end. */
static struct window_group *group_find(struct entry *entry) {
    struct settlement_window *window = &entry->window;
    const struct slice name = group_name(entry), month = tax_month(entry);
    const size_t count = window->groups.count;
    struct window_group *groups = decision_alloc(entry->decision, (count + 1) * sizeof *groups);
    if (count) memcpy(groups, window->groups.items, count * sizeof *groups);
    window->groups.items = groups;
    for (size_t i = 0; i < count; i++) {
        struct window_group *group = &groups[i];
        if (!slice_equal(group->name, name) || (month.length && group->tax_month.length && !slice_equal(group->tax_month, month))) continue;
        entry->changes |= month.length && !group->tax_month.length;
        if (month.length) group->tax_month = month;
        return group;
    }
    groups[count] = (struct window_group){.name = name, .tax_month = month};
    window->groups.count = count + 1;
    return &groups[count];
}

static void part_choose(struct entry *entry, const struct calendar *calendar) {
    struct decision *decision = entry->decision;
    struct window_group *group = group_find(entry);
    const struct settlement_part *part = group->part ? state_find(decision, STORE_PARTS, part_key(decision, &entry->id, group->part)) : NULL;
    if (part && part_has_room(entry, calendar, part)) entry->part = *part;
    else {
        group->part = ++entry->window.parts;
        entry->part = part_begin(entry->command);
        entry->changes = true;
    }
    entry->part_number = group->part;
}

/* The latest, of the entries that have tax where one has. */
static void part_tax_date(const struct entry *entry, struct settlement_part *part) {
    const struct posting_command *command = entry->command;
    const bool taxed = tax_month(entry).length > 0;
    if (!command->has_tax_date || (part->taxed && !taxed)) return;
    if (!part->has_tax_date || (taxed && !part->taxed) || command->tax_date > part->tax_date) part->tax_date = command->tax_date;
    part->has_tax_date = true;
    part->taxed |= taxed;
}

static void part_add(struct entry *entry) {
    const struct posting_command *command = entry->command;
    struct settlement_part *part = &entry->part;
    part->entries++;
    part->lines += (int32_t)command->lines.count;
    part->debits_e4 += entry->debits_e4;
    part->functional_debits_e4 += entry->functional_debits_e4;
    if (command->batch_amount_e4 < 0) part->refunds++, part->refunds_amount_e4 -= command->batch_amount_e4;
    else part->payments++, part->payments_amount_e4 += command->batch_amount_e4;
    if (command->posting_date > part->posting_date) part->posting_date = command->posting_date;
    part_tax_date(entry, part);
    part->rates_differ |= command->rate_e10 != part->rate_e10 || !slice_equal(command->rate_type, part->rate_type) ||
                          command->has_rate_date != part->has_rate_date || (command->has_rate_date && command->rate_date != part->rate_date);
}

/* What the summary needs of it. */
static struct settlement_entry entry_kept(const struct entry *entry) {
    const struct posting_command *command = entry->command;
    struct settlement_entry kept = {.idempotency_key = command->idempotency_key, .flow = command->flow, .entity = command->origin_entity, .partner = command->origin_partner,
        .document = command->origin_document, .origin = command->origin, .debits_e4 = entry->debits_e4, .functional_debits_e4 = entry->functional_debits_e4};
    kept.lines.items = decision_alloc(entry->decision, (command->lines.count + 1) * sizeof *kept.lines.items);
    kept.lines.count = command->lines.count;
    for (size_t i = 0; i < command->lines.count; i++) {
        const struct journal_line *from = &command->lines.items[i];
        kept.lines.items[i] = (struct entry_line){.account = from->account, .credit = from->side == JOURNAL_SIDE_CREDIT, .amount_e4 = from->amount_e4,
            .functional_e4 = from->functional_e4, .cost_centre = from->cost_centre, .project = from->project, .tax_code = from->tax_code, .partner = from->partner};
    }
    return kept;
}

/* ---- the whole ---- */

void entry_decide(struct decision *decision, const void *record) {
    struct entry entry = {.decision = decision, .command = record};
    const struct posting_command *command = record;
    struct calendar calendar;
    if (state_find(decision, STORE_PLACES, decision_envelope(decision)->document.key)) report(decision, REASON_DUPLICATE_DOCUMENT, "idempotency_key", "");
    currencies_check(&entry);
    const bool sound = lines_check(&entry);
    permission_check(decision);
    if (!calendar_require(decision, command->entity, command->batch, decision_time_ms(decision), &calendar) || !sound || refused(decision)) return;
    if (!window_choose(&entry, &calendar) || refused(decision)) return;
    /* effects */
    part_choose(&entry, &calendar);
    part_add(&entry);
    const struct settlement_entry kept = entry_kept(&entry);
    const struct settlement_place place = {.window = entry.id.name, .part = entry.part_number, .entry = entry.part.entries};
    state_put(decision, STORE_ENTRIES, entry_key(decision, &entry.id, entry.part_number, entry.part.entries), &kept);
    state_put(decision, STORE_PARTS, part_key(decision, &entry.id, entry.part_number), &entry.part);
    state_put(decision, STORE_PLACES, decision_envelope(decision)->document.key, &place);
    if (entry.changes) state_put(decision, STORE_WINDOWS, entry.id.key, &entry.window);
    if (entry.begins) window_await(decision, &entry.id, &entry.window, window_due_at(&calendar, entry.window.ends_ms));
}
