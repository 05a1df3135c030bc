/* invariants: what holds after every case, whatever it is about. */
#include <stdio.h>

#include "schemas/exception.h"
#include "tests/driver/run.h"

static const struct statement whole_case = {.text = "after the case"};

static void fail(struct run *run, const char *expected, const char *what, struct slice which) {
    char got[600];
    snprintf(got, sizeof got, "%s: " SLICE_FORMAT, what, SLICE_ARGUMENT(which));
    run_fail(run, &whole_case, expected, got);
}

struct command_difference command_difference(const struct posting_command *command) {
    struct command_difference difference = {0, 0};
    for (size_t i = 0; i < command->lines.count; i++) {
        const struct journal_line *line = &command->lines.items[i];
        const int sign = line->side == JOURNAL_SIDE_DEBIT ? 1 : -1;
        difference.amount_e4 += sign * (__int128)line->amount_e4;
        difference.functional_e4 += sign * (__int128)line->functional_e4;
    }
    return difference;
}

static void journal_check(struct run *run, const struct stored *stored) {
    const struct posting_command *command = stored->decoded;
    const struct command_difference difference = command_difference(command);
    for (size_t i = 0; i < command->lines.count; i++) {
        const struct journal_line *line = &command->lines.items[i];
        if (line->amount_e4 < 0 || line->functional_e4 < 0) fail(run, "no negative amount in a journal", "journal", command->idempotency_key);
        if (!line->amount_e4 && !line->functional_e4) fail(run, "no line of nothing in a journal", "journal", command->idempotency_key);
    }
    if (difference.amount_e4) fail(run, "debits equal credits in transaction currency", "journal", command->idempotency_key);
    if (difference.functional_e4) fail(run, "debits equal credits in functional currency", "journal", command->idempotency_key);
    if (!stored->claimed && !run->journals_not_listed) fail(run, "each journal named by an `expect journal`", "not named", command->idempotency_key);
    for (size_t i = 0; i < run->broker.count; i++) {
        const struct stored *other = run->broker.items[i];
        if (other != stored && is_journal(other) && slice_equal(((const struct posting_command *)other->decoded)->idempotency_key, command->idempotency_key))
            fail(run, "an idempotency key once", "twice", command->idempotency_key);
    }
}

/* Every acknowledgment is of an event that was given, by the processor whose topic it is. */
static void acknowledgment_check(struct run *run, const struct stored *stored) {
    const struct acknowledgment *acknowledgment = stored->decoded;
    for (size_t i = 0; i < run->given_count; i++) {
        const struct given *given = &run->given[i];
        if (!slice_equal(acknowledgment->origin, slice_of(given->origin))) continue;
        const char *processor = acknowledgment->later ? "acknowledger" : families[given->family].processor->name;
        if (!slice_equal(acknowledgment->processor, slice_of(processor))) fail(run, "acknowledged by the processor that answers for the topic", "by", acknowledgment->processor);
        if (!slice_equal(stored->key, given->key)) fail(run, "an acknowledgment under its event's key", "under", stored->key);
        if (!slice_equal(acknowledgment->event_id, slice_of(given->id))) fail(run, "an acknowledgment with its event's id", "with", acknowledgment->event_id);
        return;
    }
    fail(run, "acknowledgments of given events", "of", acknowledgment->origin);
}

/* How often the event is in the topic and not taken back. */
static int exceptions_open(struct run *run, const struct given *given, const char *topic) {
    int open = 0;
    for (size_t i = 0; i < run->broker.count; i++) {
        const struct stored *stored = run->broker.items[i];
        const struct exception_record *exception = stored->decoded;
        if (!stored_in(stored, topic) || !slice_equal(exception->origin, slice_of(given->origin))) continue;
        if (slice_equal(exception->outcome, SLICE("released"))) open = 0;
        else open = 1;
        if (!slice_equal(exception->value, given->value)) fail(run, "an exception with the event's bytes", "other bytes", exception->origin);
    }
    return open;
}

/* Exactly one newest outcome, and the exception topics agree with it. */
static void event_check(struct run *run, const struct given *given, int outcomes[ACKNOWLEDGED_OUTCOME_PARKED + 2]) {
    const struct stored *stored = outcome_newest(run, given);
    int letters = 0;
    for (size_t i = 0; i < run->broker.count; i++) {
        struct slice topic = stored_header(run->broker.items[i], "kontor-topic");
        char offset[32], partition[16];
        snprintf(offset, sizeof offset, "%lld", (long long)given->offset);
        snprintf(partition, sizeof partition, "%d", (int)given->partition);
        letters += slice_equal(topic, slice_of(given->topic)) && slice_equal(stored_header(run->broker.items[i], "kontor-offset"), slice_of(offset)) &&
                   slice_equal(stored_header(run->broker.items[i], "kontor-partition"), slice_of(partition));
    }
    if (!stored) { fail(run, "an outcome of every event", "nothing was said of", slice_of(given->origin)); return; }
    bool poison = !stored->decoded;
    if (letters != poison) fail(run, "a poison event once in its dead letter topic, another never", "otherwise", slice_of(given->origin));
    if (poison && (!slice_equal(stored->key, given->key) || !slice_equal(stored->value, given->value)))
        fail(run, "a dead letter with key and value as they came", "otherwise", slice_of(given->origin));
    int outcome = poison ? ACKNOWLEDGED_OUTCOME_PARKED + 1 : (int)((const struct acknowledgment *)stored->decoded)->outcome;
    outcomes[outcome]++;
    if (given->synthetic) {
        if (exceptions_open(run, given, "exceptions.parked") || exceptions_open(run, given, "exceptions.held") || exceptions_open(run, given, "exceptions.rejected"))
            fail(run, "no exception of a synthetic event", "one", slice_of(given->origin));
        return;
    }
    if (exceptions_open(run, given, "exceptions.parked") != (outcome == ACKNOWLEDGED_OUTCOME_PARKED)) fail(run, "in exceptions.parked while it waits, and not after", "otherwise", slice_of(given->origin));
    if (exceptions_open(run, given, "exceptions.held") != (outcome == ACKNOWLEDGED_OUTCOME_HELD)) fail(run, "in exceptions.held while it is held, and not after", "otherwise", slice_of(given->origin));
    if (exceptions_open(run, given, "exceptions.rejected") != (outcome == ACKNOWLEDGED_OUTCOME_REJECTED)) fail(run, "in exceptions.rejected if it is rejected", "otherwise", slice_of(given->origin));
}

/* ---- batches: what went in is in one summary, or in a part that is not posted ---- */

/* The entry's debits, once for the one summary that lists it. */
static void summaries_add(struct run *run, const struct posting_command *entry, size_t *posted) {
    size_t found = 0;
    int64_t debits_e4 = 0, functional_e4 = 0;
    for (size_t i = 0; i < entry->lines.count; i++)
        if (entry->lines.items[i].side == JOURNAL_SIDE_DEBIT) debits_e4 += entry->lines.items[i].amount_e4, functional_e4 += entry->lines.items[i].functional_e4;
    for (size_t i = 0; i < run->broker.count; i++) {
        if (!is_journal(run->broker.items[i])) continue;
        const struct posting_command *summary = run->broker.items[i]->decoded;
        for (size_t k = 0; k < summary->entries.count; k++) {
            const struct settled_entry *listed = &summary->entries.items[k];
            if (!slice_equal(listed->idempotency_key, entry->idempotency_key)) continue;
            found++;
            if (listed->amount_e4 != debits_e4 || listed->functional_e4 != functional_e4) fail(run, "an entry in its summary with its debits", "others", entry->idempotency_key);
        }
    }
    if (found > 1) fail(run, "an entry in one summary", "in several", entry->idempotency_key);
    *posted += found;
}

static void summary_check(struct run *run, const struct posting_command *summary) {
    int64_t amount_e4 = 0, functional_e4 = 0;
    if (!summary->entries.count) return;
    for (size_t i = 0; i < summary->lines.count; i++)
        if (summary->lines.items[i].side == JOURNAL_SIDE_DEBIT) amount_e4 += summary->lines.items[i].amount_e4, functional_e4 += summary->lines.items[i].functional_e4;
    for (size_t i = 0; i < summary->entries.count; i++) amount_e4 -= summary->entries.items[i].amount_e4, functional_e4 -= summary->entries.items[i].functional_e4;
    if (amount_e4 || functional_e4) fail(run, "entries that add up to their summary", "otherwise", summary->idempotency_key);
}

static int entries_store(const struct processor *processor) {
    int store = 0;
    while (processor->stores[store].name && strcmp(processor->stores[store].name, "entries") != 0) store++;
    return store;
}

static void batches_check(struct run *run) {
    const int family = family_answering("settlement.entries");
    size_t accepted = 0, posted = 0;
    char expected[200], got[200];
    for (size_t i = 0; i < run->broker.count; i++)
        if (is_journal(run->broker.items[i])) summary_check(run, run->broker.items[i]->decoded);
    for (size_t i = 0; i < run->given_count; i++) {
        const struct given *given = &run->given[i];
        if (strcmp(given->topic, "settlement.entries") != 0 || given->synthetic) continue;
        const struct stored *stored = outcome_newest(run, given), *entry = broker_read(&run->broker, given->topic, given->partition, given->offset);
        if (!stored || !stored->decoded || ((const struct acknowledgment *)stored->decoded)->outcome != ACKNOWLEDGED_OUTCOME_ACCEPTED) continue;
        accepted++;
        if (entry && entry->decoded) summaries_add(run, entry->decoded, &posted);
    }
    const size_t open = family >= 0 && run->instances[family].processor ? instance_count(&run->instances[family], entries_store(families[family].processor)) : 0;
    if (accepted == posted + open) return;
    snprintf(expected, sizeof expected, "%zu entries accepted, each in a summary or waiting for it", accepted);
    snprintf(got, sizeof got, "%zu in summaries, %zu waiting", posted, open);
    run_fail(run, &whole_case, expected, got);
}

static void waiting_check(struct run *run, int family) {
    struct task_waiting waiting = instance_waiting(&run->instances[family]);
    uint64_t parked = 0, held = 0;
    char expected[200], got[200];
    for (size_t i = 0; i < run->given_count; i++) {
        const struct stored *stored = run->given[i].family == family ? outcome_newest(run, &run->given[i]) : NULL;
        if (!stored || !stored->decoded || run->given[i].synthetic) continue;
        enum acknowledged_outcome outcome = ((const struct acknowledgment *)stored->decoded)->outcome;
        parked += outcome == ACKNOWLEDGED_OUTCOME_PARKED;
        held += outcome == ACKNOWLEDGED_OUTCOME_HELD;
    }
    if (waiting.parked + waiting.behind == parked && waiting.held == held) return;
    snprintf(expected, sizeof expected, "as many %s events waiting and held in the state as were told so: %llu and %llu", families[family].processor->name,
             (unsigned long long)parked, (unsigned long long)held);
    snprintf(got, sizeof got, "%llu and %llu", (unsigned long long)(waiting.parked + waiting.behind), (unsigned long long)waiting.held);
    run_fail(run, &whole_case, expected, got);
}

void invariants_check(struct run *run) {
    int outcomes[ACKNOWLEDGED_OUTCOME_PARKED + 2] = {0}, sum = 0;
    char got[200];
    for (size_t i = 0; i < run->broker.count; i++) {
        if (is_journal(run->broker.items[i])) journal_check(run, run->broker.items[i]);
        if (stored_in(run->broker.items[i], "acknowledgments")) acknowledgment_check(run, run->broker.items[i]);
    }
    for (size_t i = 0; i < run->given_count; i++) event_check(run, &run->given[i], outcomes);
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) sum += outcomes[i];
    snprintf(got, sizeof got, "%zu events, %d outcomes", run->given_count, sum);
    if ((size_t)sum != run->given_count) run_fail(run, &whole_case, "as many outcomes as events", got);
    batches_check(run);
    for (int i = 0; i < family_count; i++)
        if (!family_follows(&families[i])) waiting_check(run, i);   /* what follows waits too, and nobody is told */
}
