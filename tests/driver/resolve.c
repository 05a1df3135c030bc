/* resolve ACTION DOCUMENT|ID [by=NAME] [text=WHY] [shown=OTHER] -> done | refused REASON: what people decided of what is held or waits, as kontor-reviewer would
 * pass it on, and what the processor says on the topic audit that it did. */
#include <stdio.h>

#include "common/codec/encode.h"
#include "common/codec/wire.h"
#include "schemas/audit_entry.h"
#include "schemas/exception.h"
#include "schemas/resolution.h"
#include "tests/driver/run.h"

/* Where people see it: its newest record in the topics of exceptions. */
static const struct exception_record *shown_find(const struct run *run, const struct given *given) {
    for (size_t i = run->broker.count; i-- > 0;) {
        const struct stored *stored = run->broker.items[i];
        if (!stored_in(stored, "exceptions.held") && !stored_in(stored, "exceptions.parked")) continue;
        const struct exception_record *exception = stored->decoded;
        if (slice_equal(exception->origin, slice_of(given->origin)) && !slice_equal(exception->outcome, SLICE("released"))) return exception;
    }
    return NULL;
}

static const enum resolution_action actions[] = {RESOLUTION_ACTION_RETRY, RESOLUTION_ACTION_APPROVE, RESOLUTION_ACTION_REFUSE, RESOLUTION_ACTION_REPLACE};

static bool resolution_build(struct run *run, const struct statement *statement, const struct given *about, const struct exception_record *exception, struct given *given, struct error *error) {
    const char *shown = statement_value(statement, "shown", NULL);
    struct resolution resolution = {.processor = exception->processor, .item = exception->item, .origin = exception->origin, .shown = shown ? slice_of(shown) : exception->shown,
        .by = slice_of(statement_value(statement, "by", "carol")), .text = slice_of(statement_value(statement, "text", "")), .occurred_at_ms = run->clock_ms};
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcmp(resolution_action_name(actions[i]), statement->words[1]) == 0) resolution.action = actions[i];
    if (resolution.action == RESOLUTION_ACTION_UNKNOWN) return error_set(error, "there is no action %s", statement->words[1]);
    struct buffer bytes = {0};
    bool ok = codec_wire_append(&bytes, broker_schema_id(&resolution_type)) && codec_encode(&resolution_type, &resolution, &bytes);
    if (!ok) return error_set(error, "it cannot be encoded");
    given->value = (struct slice){arena_copy(&run->arena, bytes.data, bytes.length), bytes.length};
    buffer_free(&bytes);
    char *topic = arena_alloc(&run->arena, 128);
    snprintf(topic, 128, "resolutions." SLICE_FORMAT, SLICE_ARGUMENT(exception->processor));
    given->statement = statement;
    given->family = -1;
    given->topic = topic;
    given->id = given->document = "";
    given->partition = about->partition;
    given->time_ms = given->received_ms = run->clock_ms;
    given->key = about->key;
    return true;
}

static void audit_expect(struct run *run, const struct statement *statement, size_t mark) {
    static const char *const outcomes[] = {[AUDIT_OUTCOME_UNKNOWN] = "unknown", [AUDIT_OUTCOME_DONE] = "done", [AUDIT_OUTCOME_REFUSED] = "refused", [AUDIT_OUTCOME_PENDING] = "pending"};
    const size_t arrow = statement_arrow(statement);
    const char *outcome = arrow + 1 < statement->count ? statement->words[arrow + 1] : "done", *reason = arrow + 2 < statement->count ? statement->words[arrow + 2] : "";
    char expected[200], got[600] = "nothing on the topic audit";
    int entries = 0;
    snprintf(expected, sizeof expected, "%s %s", outcome, reason);
    for (size_t i = mark; i < run->broker.count; i++) {
        if (!stored_in(run->broker.items[i], "audit")) continue;
        const struct audit_entry *entry = run->broker.items[i]->decoded;
        snprintf(got, sizeof got, "%s " SLICE_FORMAT, outcomes[entry->outcome], SLICE_ARGUMENT(entry->reason));
        entries++;
    }
    if (entries != 1 || strcmp(expected, got) != 0) run_fail(run, statement, expected, got);
}

void run_resolve(struct run *run, const struct statement *statement) {
    struct error error = {{0}};
    const struct given *about = statement->count > 2 ? given_find(run, statement->words[2]) : NULL;
    const struct exception_record *exception = about ? shown_find(run, about) : NULL;
    struct given given = {.statement = statement};
    run->clock_ms += 60000;
    if (!exception) { run_fail(run, statement, "resolve ACTION DOCUMENT|ID of what was held or waits", "nothing of it is in exceptions.held or exceptions.parked"); return; }
    if (!resolution_build(run, statement, about, exception, &given, &error)) { run_fail(run, statement, "a resolution", error.text); return; }
    size_t mark = run->broker.count;
    batch_give(run, &given);
    audit_expect(run, statement, mark);
}
