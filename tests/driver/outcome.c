/* outcome: what became of an event, by its newest acknowledgment or its dead letter. */
#include <stdio.h>
#include <stdlib.h>

#include "schemas/reasons.h"
#include "tests/driver/run.h"

enum { REASONS_EXPECTED = 40, TEXT_SIZE = 4000 };

static bool dead_letter_of(const struct stored *stored, const struct given *given) {
    char origin[96];
    if (strncmp(stored->topic, "dlq.", 4) != 0) return false;
    struct slice topic = stored_header(stored, "kontor-topic"), partition = stored_header(stored, "kontor-partition"), offset = stored_header(stored, "kontor-offset");
    snprintf(origin, sizeof origin, SLICE_FORMAT "/" SLICE_FORMAT "/" SLICE_FORMAT, SLICE_ARGUMENT(topic), SLICE_ARGUMENT(partition), SLICE_ARGUMENT(offset));
    return strcmp(origin, given->origin) == 0;
}

const struct stored *outcome_newest(const struct run *run, const struct given *given) {
    for (size_t i = run->broker.count; i-- > 0;) {
        const struct stored *stored = run->broker.items[i];
        const struct acknowledgment *acknowledgment = stored_in(stored, "acknowledgments") ? stored->decoded : NULL;
        if (acknowledgment && !acknowledgment->later && slice_equal(acknowledgment->origin, slice_of(given->origin))) return stored;
        if (dead_letter_of(stored, given)) return stored;
    }
    return NULL;
}

const struct given *given_find(const struct run *run, const char *name) {
    for (size_t i = run->given_count; i-- > 0;)
        if (strcmp(run->given[i].id, name) == 0) return &run->given[i];
    for (size_t i = run->broker.count; i-- > 0;) {
        if (!stored_in(run->broker.items[i], "acknowledgments")) continue;
        const struct acknowledgment *acknowledgment = run->broker.items[i]->decoded;
        if (!slice_equal(acknowledgment->document, slice_of(name)) || slice_equal(acknowledgment->processor, SLICE("reviewer"))) continue;   /* of a decision about it */
        for (size_t k = 0; k < run->given_count; k++)
            if (slice_equal(acknowledgment->origin, slice_of(run->given[k].origin ? run->given[k].origin : ""))) return &run->given[k];
    }
    return NULL;
}

/* ---- expected and got, as the same kind of list ---- */

struct expected_reason { const char *code, *field; };

static size_t expected_read(const struct statement *statement, size_t from, const char **outcome, struct expected_reason reasons_expected[REASONS_EXPECTED]) {
    size_t count = 0;
    *outcome = from < statement->count ? statement->words[from] : "accepted";
    for (size_t i = from + 1; i < statement->count && count < REASONS_EXPECTED; i++) {
        const char *word = statement->words[i];
        if (*word >= 'A' && *word <= 'Z') reasons_expected[count++] = (struct expected_reason){word, NULL};
        else if (count) reasons_expected[count - 1].field = word;
    }
    if (!count && strcmp(*outcome, "duplicate") == 0) reasons_expected[count++] = (struct expected_reason){"DUPLICATE_EVENT", NULL};
    return count;
}

static bool reason_is_known(const char *code) {
    for (int i = 0; i < REASON_COUNT; i++)
        if (strcmp(reasons[i].code, code) == 0) return true;
    return false;
}

static bool list_matches(const struct acknowledgment *got, const struct expected_reason *expected, size_t count) {
    bool used[REASONS_EXPECTED] = {false};
    if (got->reasons.count != count) return false;
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        for (size_t k = 0; k < count && !found; k++) {
            const struct acknowledged_reason *reason = &got->reasons.items[k];
            if (used[k] || !slice_equal(reason->code, slice_of(expected[i].code))) continue;
            if (expected[i].field && !slice_equal(reason->field, slice_of(expected[i].field))) continue;
            used[k] = found = true;
        }
        if (!found) return false;
    }
    return true;
}

static void got_print(const struct stored *stored, char text[TEXT_SIZE]) {
    static const char *const names[] = {[ACKNOWLEDGED_OUTCOME_ACCEPTED] = "accepted", [ACKNOWLEDGED_OUTCOME_DUPLICATE] = "duplicate",
        [ACKNOWLEDGED_OUTCOME_REJECTED] = "rejected", [ACKNOWLEDGED_OUTCOME_HELD] = "held", [ACKNOWLEDGED_OUTCOME_PARKED] = "parked"};
    if (!stored) { strcpy(text, "nothing was said of it"); return; }
    if (!stored->decoded) {
        struct slice reason = stored_header(stored, "kontor-reason"), why = stored_header(stored, "kontor-text");
        snprintf(text, TEXT_SIZE, "poison " SLICE_FORMAT "  (" SLICE_FORMAT ")", SLICE_ARGUMENT(reason), SLICE_ARGUMENT(why));
        return;
    }
    const struct acknowledgment *got = stored->decoded;
    size_t at = (size_t)snprintf(text, TEXT_SIZE, "%s", names[got->outcome]);
    for (size_t i = 0; i < got->reasons.count && at < TEXT_SIZE; i++) {
        const struct acknowledged_reason *reason = &got->reasons.items[i];
        at += (size_t)snprintf(text + at, TEXT_SIZE - at, " " SLICE_FORMAT " " SLICE_FORMAT, SLICE_ARGUMENT(reason->code), SLICE_ARGUMENT(reason->field));
        if (reason->text.length && at < TEXT_SIZE) at += (size_t)snprintf(text + at, TEXT_SIZE - at, " (" SLICE_FORMAT ")", SLICE_ARGUMENT(reason->text));
    }
}

static void expected_print(const char *outcome, const struct expected_reason *expected, size_t count, char text[TEXT_SIZE]) {
    size_t at = (size_t)snprintf(text, TEXT_SIZE, "%s", outcome);
    for (size_t i = 0; i < count && at < TEXT_SIZE; i++)
        at += (size_t)snprintf(text + at, TEXT_SIZE - at, " %s %s", expected[i].code, expected[i].field ? expected[i].field : "");
}

static bool outcome_is(const struct stored *stored, const char *outcome, const struct expected_reason *expected, size_t count) {
    static const char *const steps[][2] = {{"accepted", "validated"}, {"duplicate", "already received"}, {"rejected", "rejected"}, {"held", "held"}, {"parked", "waiting"}};
    if (!stored) return false;
    if (!stored->decoded) return strcmp(outcome, "poison") == 0 && count == 1 && slice_equal(stored_header(stored, "kontor-reason"), slice_of(expected[0].code));
    const struct acknowledgment *got = stored->decoded;
    if ((size_t)got->outcome >= sizeof steps / sizeof *steps || strcmp(steps[got->outcome][0], outcome) != 0) return false;
    return slice_equal(got->step, slice_of(steps[got->outcome][1])) && list_matches(got, expected, count);
}

void outcome_expect(struct run *run, const struct statement *statement, const struct given *given, size_t from) {
    struct expected_reason expected[REASONS_EXPECTED];
    const char *outcome;
    char expected_text[TEXT_SIZE], got_text[TEXT_SIZE];
    size_t count = expected_read(statement, from, &outcome, expected);
    for (size_t i = 0; i < count; i++)
        if (!reason_is_known(expected[i].code)) run_fail(run, statement, "a reason code of schemas/reasons.tsv", expected[i].code);
    const struct stored *stored = outcome_newest(run, given);
    if (strcmp(outcome, "untaken") == 0 && given->untaken && !stored) return;
    if (outcome_is(stored, outcome, expected, count)) return;
    expected_print(outcome, expected, count, expected_text);
    got_print(stored, got_text);
    if (!stored && given->untaken) strcpy(got_text, "untaken: the processor waits for its surroundings");
    run_fail(run, statement, expected_text, got_text);
}
