/* life: the ERP's answers, and what the life of a document came to: erp, expect document, expect told, expect breaches. */
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/encode.h"
#include "common/codec/wire.h"
#include "common/ledger/date.h"
#include "common/platform/hash.h"
#include "schemas/document.h"
#include "schemas/posting_ack.h"
#include "schemas/posting_command.h"
#include "tests/driver/records.h"
#include "tests/driver/run.h"

static const char *word_after(const struct statement *statement, size_t at) {
    return at < statement->count && !strchr(statement->words[at], '=') ? statement->words[at] : NULL;
}

/* ---- erp ---- */

/* The oldest command of the event's document that the ERP has not answered yet, of the step if one is named. */
static struct stored *command_find(struct run *run, const char *document, const char *step) {
    for (size_t i = 0; i < run->broker.count; i++) {
        struct stored *stored = run->broker.items[i];
        const struct posting_command *command = stored->decoded;
        if (is_journal(stored) && !stored->answered && slice_equal(command->origin_document, slice_of(document)) && (!step || slice_equal(command->step, slice_of(step))))
            return stored;
    }
    return NULL;
}

static bool ack_build(struct run *run, const struct statement *statement, const struct posting_command *command, struct given *given, struct error *error) {
    const char *at = statement_value(statement, "at", NULL), *day = statement_value(statement, "on", NULL);
    struct buffer bytes = {0};
    run->clock_ms += 60000;
    if (at && !time_read(at, &run->clock_ms, error)) return false;
    struct posting_ack ack = {.idempotency_key = command->idempotency_key, .outcome = strcmp(statement->words[1], "posted") == 0 ? POSTING_OUTCOME_POSTED : POSTING_OUTCOME_REFUSED,
        .erp = command->erp, .number = slice_of(statement_value(statement, "number", "")), .year = atoi(statement_value(statement, "year", "2026")),
        .period = slice_of(statement_value(statement, "period", "")), .reason = slice_of(statement_value(statement, "reason", "")),
        .text = slice_of(statement_value(statement, "text", "")), .entity = command->origin_entity, .flow = command->flow, .partner = command->origin_partner,
        .document = command->origin_document, .source = command->source, .event_id = command->event_id, .origin = command->origin,
        .correlation_id = command->correlation_id, .occurred_at_ms = run->clock_ms, .has_posting_date = day != NULL};
    if (day && !date_parse(slice_of(day), &ack.posting_date)) return error_set(error, "on=%s is no day", day);
    bool ok = codec_wire_append(&bytes, broker_schema_id(&posting_ack_type)) && codec_encode(&posting_ack_type, &ack, &bytes);
    char key[512];
    const struct slice parts[] = {ack.entity, ack.flow, ack.partner, ack.document}, made = tables_key(key, sizeof key, parts, 4);
    *given = (struct given){.statement = statement, .family = -1, .topic = "posting.acks", .id = "", .document = "", .time_ms = run->clock_ms, .received_ms = run->clock_ms,
        .key = {arena_copy(&run->arena, made.data, made.length), made.length}, .value = {arena_copy(&run->arena, bytes.data, bytes.length), bytes.length}};
    given->partition = hash_partition(given->key, PARTITIONS);
    buffer_free(&bytes);
    return ok || error_set(error, "it cannot be encoded");
}

/* erp posted|refused DOCUMENT [STEP] [number= year= period= on= reason= text= at=], erp again */
void run_erp(struct run *run, const struct statement *statement) {
    struct error error = {{0}};
    const char *what = statement->count > 1 ? statement->words[1] : "";
    if (strcmp(what, "again") == 0 && run->answer.topic) {
        run->answer.origin = NULL;
        batch_give(run, &run->answer);
        return;
    }
    struct stored *stored = statement->count > 2 ? command_find(run, statement->words[2], word_after(statement, 3)) : NULL;
    if (!stored) { run_fail(run, statement, "erp posted|refused DOCUMENT [STEP] of a command that is not answered yet", "there is none"); return; }
    if (!ack_build(run, statement, stored->decoded, &run->answer, &error)) { run_fail(run, statement, "an answer of the ERP", error.text); return; }
    stored->answered = true;
    batch_give(run, &run->answer);
}

/* ---- what is expected ---- */

/* The usual partner of the flow's events. */
static const char *partner_of(const char *flow) {
    const size_t length = strlen(flow);
    for (int i = 0; i < family_count; i++)
        if (strncmp(families[i].events->topic, flow, length) == 0 && families[i].events->topic[length] == '.') return families[i].words->partner;
    return "S1";
}

static const struct document_state *document_find(const struct run *run, const char *flow, const char *document, const struct statement *statement) {
    const char *entity = statement_value(statement, "entity", "ACME"), *partner = statement_value(statement, "partner", partner_of(flow));
    for (size_t i = run->broker.count; i-- > 0;) {
        const struct document_state *state = run->broker.items[i]->decoded;
        if (stored_in(run->broker.items[i], "documents") && slice_equal(state->entity, slice_of(entity)) && slice_equal(state->flow, slice_of(flow)) &&
            slice_equal(state->partner, slice_of(partner)) && slice_equal(state->document, slice_of(document))) return state;
    }
    return NULL;
}

/* expect [no] document FLOW DOCUMENT [entity=] [partner=] [name=value ...]: its newest record of the topic documents */
void expect_document(struct run *run, const struct statement *statement, bool none) {
    const char *const *words = statement->words + (none ? 3 : 2);
    const struct document_state *state = document_find(run, words[0], words[1], statement);
    if (!state != none) run_fail(run, statement, none ? "no such document" : "the document", none ? "one" : "nothing is known of it");
    if (state && !none) fields_expect(run, statement, 4, statement->count, &document_state_type, state);
}

static struct stored *told_find(const struct run *run, const char *document, const char *step) {
    for (size_t i = 0; i < run->broker.count; i++) {
        struct stored *stored = run->broker.items[i];
        const struct acknowledgment *told = stored->decoded;
        if (stored_in(stored, "acknowledgments") && told->later && !stored->claimed && slice_equal(told->document, slice_of(document)) &&
            (!step || slice_equal(told->step, slice_of(step)))) return stored;
    }
    return NULL;
}

/* expect told DOCUMENT STEP [name=value ...]: the oldest later acknowledgment of the document that no expectation has named yet; expect no told DOCUMENT */
void expect_told(struct run *run, const struct statement *statement, bool none) {
    struct stored *stored = none ? told_find(run, statement->words[3], NULL) : told_find(run, statement->words[2], NULL);
    if (!stored || none) {
        char got[200];
        if (stored) snprintf(got, sizeof got, SLICE_FORMAT, SLICE_ARGUMENT(((const struct acknowledgment *)stored->decoded)->step));
        if (!stored != none) run_fail(run, statement, none ? "nothing more told" : statement->words[3], none ? got : "nothing more was told");
        return;
    }
    const struct acknowledgment *told = stored->decoded;
    char step[100];
    stored->claimed = true;
    snprintf(step, sizeof step, SLICE_FORMAT, SLICE_ARGUMENT(told->step));
    if (strcmp(step, statement->words[3]) != 0) run_fail(run, statement, statement->words[3], step);
    fields_expect(run, statement, 4, statement->count, &acknowledgment_type, told);
}

/* expect breaches STEP NUMBER [ended=NUMBER]: what the acknowledger has counted. Where it is started again in between it counts anew, and that is not looked at. */
void expect_breaches(struct run *run, const struct statement *statement) {
    const struct instance *instance = &run->instances[family_find("acknowledger")];
    uint64_t counted[2] = {0};
    size_t count;
    char got[64], expected[64];
    if (run->mode != MODE_PLAIN && run->mode != MODE_PACKED && run->mode != MODE_TRUNCATE) return;
    const struct engine_tally *tallies = engine_tallies(instance->engine, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(tallies[i].step, statement->words[2]) == 0) counted[tallies[i].counter] += tallies[i].committed + tallies[i].batch;
    snprintf(expected, sizeof expected, "%s, ended %s", statement->words[3], statement_value(statement, "ended", "0"));
    snprintf(got, sizeof got, "%llu, ended %llu", (unsigned long long)counted[0], (unsigned long long)counted[1]);
    if (strcmp(expected, got) != 0) run_fail(run, statement, expected, got);
}
