#include "processors/shared/budget.h"

#include "common/platform/hash.h"

enum { ID_MAXIMUM = 200, ID_KEPT = 180 };

struct slice budget_identifier(struct decision *decision, struct slice text) {
    if (text.length <= ID_MAXIMUM) return text;
    return decision_format(decision, "%.*s#%016llx", ID_KEPT, text.data, (unsigned long long)hash_slice(text));
}

/* The output, -1: nothing is to be told. */
static int output_of(struct decision *decision, const struct facts *facts) {
    if (!facts->entity || !slice_equal(facts->entity->budget_control, SLICE("cost_centre"))) return -1;
    return output_find(decision, BUDGET_MOVEMENTS);
}

static void movement_emit(struct decision *decision, int output, struct budget_movement movement) {
    const struct envelope *envelope = decision_envelope(decision);
    movement.user = envelope->user;
    movement.cause = envelope->event_id;
    movement.correlation_id = envelope->correlation_id;
    movement.origin = decision_origin(decision);
    movement.event_id = decision_format(decision, SLICE_FORMAT "/" SLICE_FORMAT, SLICE_ARGUMENT(movement.origin), SLICE_ARGUMENT(movement.document));
    (void)emit_keyed(decision, output, (struct slice){0}, &movement, KEY(decision, movement.entity, movement.cost_centre));
}

/* ---- order lines ---- */

/* More was received than committed: nothing is reserved any more, all of it is spent. */
static int64_t reserved_of(const struct order_line *line) { return line->committed_e4 > 0 ? line->committed_e4 : 0; }

void budget_order_line(struct decision *decision, const struct facts *facts, const struct order_copy *copy, int store) {
    const int output = output_of(decision, facts);
    const struct order_line *line = &copy->line;
    if (output < 0 || !copy->changed || !order_is_known(copy) || !line->cost_centre.length) return;
    const struct order_line *stored = state_find(decision, store, copy->key);
    const struct order_line before = stored ? *stored : (struct order_line){.committed_e4 = 0};
    const int64_t reserved_e4 = reserved_of(line), spent_e4 = line->received_value_e4;
    if (reserved_e4 == reserved_of(&before) && spent_e4 == before.received_value_e4) return;
    const struct slice order = order_key_part(decision, copy->key, 1), number = order_key_part(decision, copy->key, 2);
    movement_emit(decision, output, (struct budget_movement){.kind = BUDGET_MOVEMENT_KIND_ORDER_LINE, .entity = facts->entity->entity, .cost_centre = line->cost_centre,
        .document = decision_format(decision, SLICE_FORMAT "/" SLICE_FORMAT, SLICE_ARGUMENT(order), SLICE_ARGUMENT(number)), .partner = line->supplier,
        .order = order, .line = number, .reserved_e4 = reserved_e4, .spent_e4 = spent_e4, .currency = line->currency, .posting_date = facts->posting_date,
        .reduces = reserved_e4 + spent_e4 < reserved_of(&before) + before.received_value_e4});   /* bounded by checked values of the order line */
}

/* ---- journals ---- */

static int64_t signed_of(const struct journal_line *line) { return line->side == JOURNAL_SIDE_DEBIT ? line->functional_e4 : -line->functional_e4; }

static bool met_before(const struct posting_command *command, size_t place) {
    for (size_t i = 0; i < place; i++)
        if (slice_equal(command->lines.items[i].cost_centre, command->lines.items[place].cost_centre)) return true;
    return false;
}

void budget_journal(struct decision *decision, const struct facts *facts, const struct posting_command *command) {
    const int output = facts->of_order_lines ? -1 : output_of(decision, facts);
    for (size_t i = 0; output >= 0 && i < command->lines.count; i++) {
        const struct slice cost_centre = command->lines.items[i].cost_centre;
        int64_t spent_e4 = 0;
        if (!cost_centre.length || met_before(command, i)) continue;
        for (size_t k = i; k < command->lines.count; k++)   /* the journal balances, and its sums fit: so does a part of them */
            if (slice_equal(command->lines.items[k].cost_centre, cost_centre)) spent_e4 += signed_of(&command->lines.items[k]);
        if (!spent_e4) continue;
        movement_emit(decision, output, (struct budget_movement){.kind = BUDGET_MOVEMENT_KIND_JOURNAL, .entity = command->entity, .cost_centre = cost_centre,
            .document = command->idempotency_key, .partner = command->partner, .spent_e4 = spent_e4, .currency = command->functional_currency,
            .posting_date = command->posting_date, .reverses = command->reverses});
    }
}
