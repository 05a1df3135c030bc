/* Two journals of one decision, one of them another entity's: a small processor over the real engine, tables and state. ACME (euro, Amsterdam) pays what BETA
 * (pound, London) bears. The event is of 31 March 2026, 22:30 UTC: 1 April in Amsterdam, 31 March in London, and BETA's March is closed. */
#include "tests/unit/state_support.h"

#include <jansson.h>

#include "common/codec/calendar.h"
#include "common/codec/encode.h"
#include "common/codec/json.h"
#include "common/codec/wire.h"
#include "common/platform/hash.h"
#include "common/runtime/engine.h"
#include "processors/shared/posting.h"
#include "schemas/commitment.h"
#include "schemas/invoice_event.h"
#include "schemas/invoice_state.h"

enum { STORE_DOCUMENTS };
enum { OUTPUT_COMMANDS, OUTPUT_TOLD };
enum { SENT_MAXIMUM = 32 };
static const int64_t event_ms = INT64_C(1774996200000);     /* 2026-03-31T22:30:00Z */

/* ---- the processor ---- */

static char kept[2][4096];
static struct slice journals[2];

static void pair_envelope(struct decision *decision, const void *record, struct envelope *envelope) {
    const struct invoice_event *event = record;
    *envelope = (struct envelope){.event_id = event->event_id, .source = event->source, .entity = event->entity, .partner = event->supplier, .number = event->document,
        .kind = "pair", .document = {STORE_DOCUMENTS, KEY(decision, event->entity, event->document)}};
}

static void keep(int i, struct slice bytes) {
    assert_true(bytes.length && bytes.length <= sizeof kept[i]);
    memcpy(kept[i], bytes.data, bytes.length);
    journals[i] = (struct slice){kept[i], bytes.length};
}

static void half_begin(struct posting *posting, struct decision *decision, const struct facts *facts, const char *step, struct slice account,
                       struct slice document, int64_t net_e4) {
    posting_begin(posting, decision, facts, slice_of(step), document, 1);
    posting->accounts.intercompany.account = account;
    struct posting_line line = {.category = SLICE("RENT")};
    line.amounts_e4[RULE_RECEIPT_VALUE] = net_e4;
    posting_add(posting, &line);
    posting_check(posting);
}

static void decide_pair(struct decision *decision, const void *record) {
    const struct invoice_event *event = record;
    const bool reverses = event->kind == INVOICE_KIND_CANCELLED;
    struct facts payer, bearer;
    const struct facts_given given = {.document_date = event->document_date, .currency = event->currency, .posts = true, .reverses = reverses};
    facts_establish(decision, given, &payer);
    facts_of_entity(decision, SLICE("BETA"), given, "lines.bearer", &bearer);
    if (reverses) {
        posting_reversal_check(decision, &payer);
        posting_reversal_check(decision, &bearer);
        if (refused(decision)) return;
        (void)posting_reverse(decision, &payer, OUTPUT_COMMANDS, journals[0]);
        (void)posting_reverse(decision, &bearer, OUTPUT_COMMANDS, journals[1]);
        return;
    }
    const struct intercompany *agreement = facts_agreement(decision, event->entity, SLICE("BETA"), payer.posting_date, "lines.bearer");
    if (!agreement) return;
    struct posting payers, bearers;
    half_begin(&payers, decision, &payer, "intercompany_payer", agreement->due_from_account, event->document, event->total_e4);
    half_begin(&bearers, decision, &bearer, "intercompany_bearer", agreement->due_to_account, event->document, event->total_e4);
    if (refused(decision)) return;
    posting_pair(&payers, &bearers);
    keep(0, posting_emit(&payers, OUTPUT_COMMANDS));
    keep(1, posting_emit(&bearers, OUTPUT_COMMANDS));
    const struct commitment told = {.entity = event->entity, .supplier = event->supplier, .currency = event->currency};
    (void)emit(decision, OUTPUT_TOLD, (struct slice){0}, &told);
}

static const struct processor pair_processor = {
    .name = "pair",
    .inputs = {{"invoice.events", &invoice_event_type, .envelope = pair_envelope, .decide = decide_pair}},
    .tables = {MASTER_SOURCE_PERMISSIONS, POSTING_TABLES, MASTER_INTERCOMPANY, END_OF_TABLES},
    .stores = {[STORE_DOCUMENTS] = {"documents", &invoice_state_type, NULL}},
    .outputs = {[OUTPUT_COMMANDS] = {"posting.commands", &posting_command_type, .per_erp = true}, [OUTPUT_TOLD] = {"commitments", &commitment_type, .event_time = true}},
};

/* ---- what it stands on: every schema has the id of its place here ---- */

struct sent { const char *topic; struct slice key, value; int64_t timestamp_ms; };
static const struct codec_type *seen_types[16];
static struct codec_plan *plans[16];
static struct sent sent[SENT_MAXIMUM];
static size_t sent_count;
static struct arena arena;

static uint32_t id_of(void *context, const struct codec_type *type, const char *topic) {
    (void)context, (void)topic;
    struct error error = {{0}};
    for (uint32_t i = 0; i < 16; i++) {
        if (seen_types[i] == type) return i + 1;
        if (seen_types[i]) continue;
        seen_types[i] = type;
        plans[i] = codec_plan_own(type, &error);
        assert_non_null(plans[i]);
        return i + 1;
    }
    fail();
    return 0;
}

static enum schema_answer plan_of(void *context, const struct codec_type *reader, uint32_t schema_id, const struct codec_plan **plan, struct error *error) {
    (void)context, (void)reader, (void)error;
    *plan = plans[schema_id - 1];
    return SCHEMA_READABLE;
}

static bool take(void *context, const struct engine_output *output, struct error *error) {
    (void)context, (void)error;
    assert_true(sent_count < SENT_MAXIMUM);
    sent[sent_count++] = (struct sent){output->topic, {arena_copy(&arena, output->key.data, output->key.length), output->key.length},
                                       {arena_copy(&arena, output->value.data, output->value.length), output->value.length}, output->timestamp_ms};
    return true;
}

static void master_put(struct tables *tables, enum master table, const char *key, const char *text) {
    struct error error = {{0}};
    json_error_t where;
    json_t *json = json_loads(text, 0, &where);
    if (!json) fail_msg("%s: %s", text, where.text);
    json_object_set_new(json, "valid_from", json_string(strrchr(key, '|') + 1));
    json_object_set_new(json, "source", json_string("mdm"));
    void *record = arena_alloc(&arena, master_tables[table].type->size);
    if (!codec_from_json(master_tables[table].type, json, &arena, record, &error)) fail_msg("%s: %s", key, error.text);
    json_decref(json);
    size_t position = 0;
    while (pair_processor.tables[position] != table) position++;
    static int64_t offset;
    if (tables_put(tables, position, slice_of(key), record, NULL, offset++, &error) != TABLE_PUT_GOOD) fail_msg("%s: %s", key, error.text);
}

static void masters_put(struct tables *tables) {
    struct error error = {{0}};
    int64_t next[MASTER_COUNT];
    for (int i = 0; i < MASTER_COUNT; i++) next[i] = -1;
    assert_true(tables_begin(tables, &error));
    master_put(tables, MASTER_SOURCE_PERMISSIONS, "ERP1|invoice.events|2000-01-01",
               "{\"source_system\":\"ERP1\",\"topic\":\"invoice.events\",\"entities\":[\"*\"]}");
    master_put(tables, MASTER_LEGAL_ENTITIES, "ACME|2000-01-01", "{\"entity\":\"ACME\",\"functional_currency\":\"EUR\",\"time_zone\":\"Europe/Amsterdam\",\"rule_set\":\"A\","
               "\"chart\":\"NL\",\"rounding_account\":\"499900\"}");
    master_put(tables, MASTER_LEGAL_ENTITIES, "BETA|2000-01-01", "{\"entity\":\"BETA\",\"functional_currency\":\"GBP\",\"time_zone\":\"Europe/London\",\"rule_set\":\"B\","
               "\"chart\":\"UK\",\"rounding_account\":\"9999\",\"late_documents\":\"next_open\"}");
    master_put(tables, MASTER_SUPPLIERS, "S1|2000-01-01", "{\"supplier\":\"S1\",\"account\":\"160001\"}");
    static const char *const periods[] = {"ACME|GL|2026-04-01", "BETA|GL|2026-03-01", "BETA|GL|2026-04-01"};
    for (int i = 0; i < 3; i++) {
        char text[200];
        snprintf(text, sizeof text, "{\"entity\":\"%.4s\",\"ledger\":\"GL\",\"period\":\"%.7s\",\"last_day\":\"%s\",\"status\":\"%s\"}", periods[i], periods[i] + 8,
                 i == 1 ? "2026-03-31" : "2026-04-30", i == 1 ? "closed" : "open");
        master_put(tables, MASTER_PERIODS, periods[i], text);
    }
    master_put(tables, MASTER_ERP_ROUTES, "ACME|2000-01-01", "{\"entity\":\"ACME\",\"erp\":\"tryton\"}");
    master_put(tables, MASTER_ERP_ROUTES, "BETA|2000-01-01", "{\"entity\":\"BETA\",\"erp\":\"sap\"}");
    master_put(tables, MASTER_FX_RATES, "M|EUR|GBP|2026-03-31",
               "{\"rate_type\":\"M\",\"from_currency\":\"EUR\",\"to_currency\":\"GBP\",\"rate\":\"0.90\"}");
    master_put(tables, MASTER_FX_RATES, "M|EUR|GBP|2026-04-01",
               "{\"rate_type\":\"M\",\"from_currency\":\"EUR\",\"to_currency\":\"GBP\",\"rate\":\"0.80\"}");
    static const char *const accounts[] = {"NL|131000", "NL|160001", "UK|7000", "UK|2310"};
    for (int i = 0; i < 4; i++) {
        char key[40], text[120];
        snprintf(key, sizeof key, "%s|2000-01-01", accounts[i]);
        snprintf(text, sizeof text, "{\"chart\":\"%.2s\",\"account\":\"%s\",\"type\":\"asset\"}", accounts[i], accounts[i] + 3);
        master_put(tables, MASTER_ACCOUNTS, key, text);
    }
    master_put(tables, MASTER_INTERCOMPANY, "ACME|BETA|2000-01-01",
               "{\"payer\":\"ACME\",\"bearer\":\"BETA\",\"due_from_account\":\"131000\",\"due_to_account\":\"2310\"}");
    master_put(tables, MASTER_POSTING_RULES, "A|2000-01-01",
               "{\"rule_set\":\"A\",\"rules\":[{\"rule\":\"payer\",\"step\":\"intercompany_payer\",\"lines\":["
               "{\"side\":\"debit\",\"account\":\"intercompany\",\"amount\":\"gross\",\"partner\":true},{\"side\":\"credit\",\"account\":\"supplier\",\"amount\":\"gross\"}]}]}");
    master_put(tables, MASTER_POSTING_RULES, "B|2000-01-01",
               "{\"rule_set\":\"B\",\"rules\":[{\"rule\":\"bearer\",\"step\":\"intercompany_bearer\",\"lines\":["
               "{\"side\":\"debit\",\"account\":\"7000\",\"amount\":\"gross\"},{\"side\":\"credit\",\"account\":\"intercompany\",\"amount\":\"gross\",\"partner\":true}]}]}");
    assert_true(tables_commit(tables, next, 0, &error));
}

/* ---- telling it an event ---- */

static struct tables *tables;
static struct engine *engine;
static struct state *state;
static struct task *task;

static int start(void **unused) {
    struct error error = {{0}};
    const struct table *list[MASTER_COUNT + 1];
    const char *sources[MASTER_COUNT];
    struct state_opening opening;
    if (make_scratch(unused)) return -1;
    arena_init(&arena, 1 << 16, 1 << 26);
    sent_count = 0;
    for (int i = 0; i < MASTER_COUNT; i++) sources[i] = "mdm";
    engine_tables(&pair_processor, list);
    const struct tables_options table_options = {.dir = path_in("tables"), .tables = list, .sources = sources};
    assert_true(tables_open(&tables, &table_options, &error));
    masters_put(tables);
    const struct engine_options options = {.processor = &pair_processor, .version = "1", .schemas = {NULL, plan_of, id_of}, .tables = tables, .sink = {NULL, take},
        .partition_count = 1, .batch_memory = 16 << 20, .erps = "tryton,sap", .wait_limit_ms = 86400000, .flood_window = 1000, .flood_percent = 100};
    if (!engine_new(&engine, &options, &error)) fail_msg("%s", error.text);
    const struct state_identity identity = {.processor = "pair", .partition_count = 1, .changelog_id = "test"};
    if (!state_open(&state, path_in("state"), &identity, event_ms, 0, &opening, &error)) fail_msg("%s", error.text);
    assert_int_equal(task_open(&task, engine, 0, state, &error), ENGINE_DONE);
    return 0;
}

static int stop(void **unused) {
    task_close(task);
    state_close(state);
    engine_free(engine);
    tables_close(tables);
    arena_free(&arena);
    for (int i = 0; i < 16; i++) {
        codec_plan_free(plans[i]);
        plans[i] = NULL;
        seen_types[i] = NULL;
    }
    return delete_scratch(unused);
}

static struct state_position position_at(void *context, const struct task *of) {
    (void)context, (void)of;
    return (struct state_position){1, event_ms};
}

static void tell(enum invoice_kind kind, const char *id) {
    static int64_t offset;
    struct error error = {{0}};
    struct buffer bytes = {0};
    int32_t day;
    assert_true(codec_date_parse(SLICE("2026-03-31"), &day));
    const struct invoice_event event = {.event_id = slice_of(id), .kind = kind, .source = SLICE("ERP1"), .entity = SLICE("ACME"), .supplier = SLICE("S1"),
        .document = SLICE("I1"), .document_date = day, .currency = SLICE("EUR"), .has_total = true, .total_e4 = 1190000};
    assert_true(codec_wire_append(&bytes, id_of(NULL, &invoice_event_type, "")));
    assert_true(codec_encode(&invoice_event_type, &event, &bytes));
    const struct engine_message message = {.offset = offset++, .timestamp_ms = event_ms, .received_ms = event_ms, .key = SLICE("ACME|S1"), .value = buffer_slice(&bytes)};
    bool again = true, more = true;
    sent_count = 0;
    while (more) assert_int_equal(engine_step(engine, task, &more, &error), ENGINE_DONE);
    while (again) {
        if (engine_take(engine, task, &message, &again, &error) != ENGINE_DONE) fail_msg("%s", error.text);
    }
    assert_int_equal(engine_seal(engine, &error), ENGINE_DONE);
    assert_true(engine_commit(engine, position_at, NULL, &error));
    buffer_free(&bytes);
}

static const struct sent *sent_to(const char *topic) {
    for (size_t i = 0; i < sent_count; i++)
        if (strcmp(sent[i].topic, topic) == 0) return &sent[i];
    fail_msg("nothing was sent to %s", topic);
    return NULL;
}

static const struct posting_command *command_of(const struct sent *record) {
    uint32_t schema_id = 1;
    struct slice payload = {0};
    assert_true(codec_wire_read(record->value.data, record->value.length, &schema_id, &payload));
    struct posting_command *command = arena_alloc(&arena, sizeof *command);
    assert_int_equal(codec_decode(plans[schema_id - 1], payload.data, payload.length, &arena, command), CODEC_OK);
    return command;
}

static void is(struct slice found, const char *expected) {
    if (!slice_equal(found, slice_of(expected))) fail_msg(SLICE_FORMAT " instead of %s", SLICE_ARGUMENT(found), expected);
}

static void line_is(const struct journal_line *line, const char *account, enum journal_side side, int64_t amount_e4, int64_t functional_e4, const char *partner) {
    is(line->account, account);
    is(line->partner, partner);
    assert_int_equal(line->side, side);
    assert_int_equal(line->amount_e4, amount_e4);
    assert_int_equal(line->functional_e4, functional_e4);
}

static void date_is(int32_t date, const char *expected) {
    int32_t day;
    assert_true(codec_date_parse(slice_of(expected), &day));
    assert_int_equal(date, day);
}

/* ---- tests ---- */

/* 119.00 EUR; BETA's half at the rate of 1 April, to which its date moves: 119.00 x 0.80 = 95.20 GBP. */
static void both_halves_are_posted(void **unused) {
    (void)unused;
    tell(INVOICE_KIND_RECEIVED, "e1");
    const struct sent *payers = sent_to("posting.commands.tryton"), *bearers = sent_to("posting.commands.sap"), *told = sent_to("commitments");
    is(payers->key, "ACME|S1");
    is(bearers->key, "BETA|ACME");
    assert_int_equal(payers->timestamp_ms, 0);
    assert_int_equal(told->timestamp_ms, event_ms);
    is(told->key, "ACME|S1");
    const struct posting_command *payer = command_of(payers), *bearer = command_of(bearers);
    is(payer->idempotency_key, "ACME/I1/intercompany_payer/1");
    is(payer->counterpart, "BETA/I1/intercompany_bearer/1");
    is(bearer->idempotency_key, "BETA/I1/intercompany_bearer/1");
    is(bearer->counterpart, "ACME/I1/intercompany_payer/1");
    is(payer->partner, "S1");
    is(bearer->partner, "ACME");
    is(bearer->functional_currency, "GBP");
    assert_int_equal(bearer->rate_e10, INT64_C(8000000000));
    date_is(payer->posting_date, "2026-04-01");
    date_is(bearer->posting_date, "2026-04-01");
    is(bearer->period, "2026-04");
    assert_int_equal(payer->lines.count, 2);
    line_is(&payer->lines.items[0], "131000", JOURNAL_SIDE_DEBIT, 1190000, 1190000, "S1");
    line_is(&payer->lines.items[1], "160001", JOURNAL_SIDE_CREDIT, 1190000, 1190000, "");
    assert_int_equal(bearer->lines.count, 2);
    line_is(&bearer->lines.items[0], "7000", JOURNAL_SIDE_DEBIT, 1190000, 952000, "");
    line_is(&bearer->lines.items[1], "2310", JOURNAL_SIDE_CREDIT, 1190000, 952000, "ACME");
}

static void both_halves_are_reversed(void **unused) {
    (void)unused;
    tell(INVOICE_KIND_RECEIVED, "e1");
    tell(INVOICE_KIND_CANCELLED, "e2");
    const struct sent *payers = sent_to("posting.commands.tryton"), *bearers = sent_to("posting.commands.sap");
    is(bearers->key, "BETA|ACME");
    const struct posting_command *payer = command_of(payers), *bearer = command_of(bearers);
    is(payer->idempotency_key, "ACME/I1/intercompany_payer_reversal/1");
    is(payer->counterpart, "BETA/I1/intercompany_bearer_reversal/1");
    is(bearer->idempotency_key, "BETA/I1/intercompany_bearer_reversal/1");
    is(bearer->counterpart, "ACME/I1/intercompany_payer_reversal/1");
    is(bearer->reverses, "BETA/I1/intercompany_bearer/1");
    is(bearer->partner, "ACME");
    date_is(bearer->posting_date, "2026-04-01");
    line_is(&bearer->lines.items[0], "7000", JOURNAL_SIDE_CREDIT, 1190000, 952000, "");
    line_is(&bearer->lines.items[1], "2310", JOURNAL_SIDE_DEBIT, 1190000, 952000, "ACME");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(both_halves_are_posted, start, stop),
                                       cmocka_unit_test_setup_teardown(both_halves_are_reversed, start, stop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
