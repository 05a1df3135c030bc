/* Synthetic events in the real engine over real LMDB: whatever a decision asks for, nothing leaves but the marked acknowledgment; and real ones that come to too much. */
#include "tests/unit/state_support.h"

#include "common/codec/encode.h"
#include "common/codec/layout.h"
#include "common/codec/wire.h"
#include "common/runtime/engine.h"
#include "schemas/acknowledgment.h"
#include "schemas/source_permission.h"

enum { SCHEMA = 5, SENT_MAXIMUM = 32, INPUT_EVENTS = 0, INPUT_FOLLOWED, INPUT_OWN, OUTPUT_EVENTS = 0, STORE_THINGS = 0 };
static const int64_t begin_ms = 1700000000000, day_ms = 86400000;
static struct error error;

struct event { struct slice event_id, source, entity, partner, verdict; int64_t unused; };
static const struct codec_type *event_type;
static struct codec_plan *event_plan, *acknowledgment_plan;

static void envelope(struct decision *decision, const void *record, struct envelope *envelope) {
    const struct event *event = record;
    *envelope = (struct envelope){.event_id = event->event_id, .source = event->source, .entity = event->entity, .partner = event->partner, .correlation_id = SLICE(""),
                                  .number = event->partner, .kind = "made", .document = {STORE_THINGS, KEY(decision, event->partner)}, .cancels.store = -1};
}

/* Everything that a decision may ask for, then the verdict. */
static void decide(struct decision *decision, const void *record) {
    const struct event *event = record;
    const struct audit_entry entry = {.action = SLICE("try"), .by = SLICE("me"), .outcome = AUDIT_OUTCOME_DONE};
    state_put(decision, STORE_THINGS, KEY(decision, event->partner), event);
    (void)emit(decision, OUTPUT_EVENTS, (struct slice){0}, event);
    defer(decision, SLICE("later"), OUTPUT_EVENTS, event, KEY(decision, event->entity, event->partner), decision_time_ms(decision) + 1);
    linked(decision, "order", "thing", SLICE("other"));
    posted(decision, SLICE("T/journal/1"));
    tallied(decision, 0, event->entity, "made");
    audited(decision, &entry);
    if (slice_equal(event->verdict, SLICE("parked"))) wait_for_state(decision, REASON_ORIGINAL_UNKNOWN, "document", STORE_THINGS, SLICE("missing"));
    if (slice_equal(event->verdict, SLICE("held"))) report(decision, REASON_POSSIBLE_DUPLICATE, "document", "");
    const bool is_sent = event->verdict.data[0] == 'S', is_kept = event->verdict.data[0] == 'K';
    if (is_sent || is_kept) {
        static char text[4 << 20];
        struct event large = *event;
        large.verdict = (struct slice){text, sizeof text};
        if (is_sent) (void)emit(decision, OUTPUT_EVENTS, (struct slice){0}, &large);
        else state_put(decision, STORE_THINGS, KEY(decision, event->partner), &large);
    }
    if (slice_equal(event->verdict, SLICE("rejected"))) report(decision, REASON_TOTAL_MISMATCH, "total", "");
}

static struct processor processor = {.name = "maker", .tables = {MASTER_SOURCE_PERMISSIONS, END_OF_TABLES}, .counters = {{"kontor_made_total", "Made."}}};

static struct { char topic[64]; struct acknowledgment told; } sent[SENT_MAXIMUM];
static size_t sent_count;
static uint64_t changelog_records;
static struct arena kept;

static bool keep(void *context, const struct engine_output *output, struct error *why) {
    (void)context; (void)why;
    changelog_records += output->changelog;
    assert_true(sent_count < SENT_MAXIMUM);
    snprintf(sent[sent_count].topic, sizeof sent->topic, "%s", output->topic);
    if (strcmp(output->topic, "acknowledgments") == 0) {
        char *bytes = arena_copy(&kept, output->value.data, output->value.length);
        assert_int_equal(codec_decode(acknowledgment_plan, bytes + 5, output->value.length - 5, &kept, &sent[sent_count].told), CODEC_OK);
    }
    sent_count++;
    return true;
}

static enum schema_answer find_plan(void *context, const struct codec_type *reader, uint32_t id, const struct codec_plan **plan, struct error *why) {
    (void)context; (void)reader; (void)id; (void)why;
    *plan = event_plan;
    return SCHEMA_READABLE;
}

static uint32_t find_id(void *context, const struct codec_type *type, const char *topic) {
    (void)context; (void)type; (void)topic;
    return SCHEMA;
}

static struct { struct tables *tables; struct engine *engine; struct state *state; struct task *task; } here;

static void permit(const char *source, const char *topic, bool synthetic) {
    const struct slice everyone = SLICE("*");
    char key[80];
    struct source_permission permission = {.source_system = slice_of(source), .topic = slice_of(topic), .status = SLICE("active"), .source = SLICE("MDM"), .synthetic = synthetic};
    permission.entities.items = (struct slice *)(uintptr_t)&everyone;
    permission.entities.count = 1;
    snprintf(key, sizeof key, "%s|%s|1970-01-01", source, topic);
    assert_int_equal(tables_put(here.tables, 0, slice_of(key), &permission, NULL, 0, &error), TABLE_PUT_GOOD);
}

static int set_up(void **state) {
    static const struct state_identity identity = {"maker", 0, 1, "changelog"};
    const struct table *list[MASTER_COUNT + 1];
    const char *const sources[] = {"MDM"};
    const int64_t next = 1;
    struct state_opening opening;
    if (make_scratch(state)) return -1;
    sent_count = 0;
    memset(sent, 0, sizeof sent);
    changelog_records = 0;
    arena_init(&kept, 1 << 12, 1 << 20);
    engine_tables(&processor, list);
    const struct tables_options tables = {.dir = path_in("tables"), .tables = list, .sources = sources};
    if (!tables_open(&here.tables, &tables, &error) || !tables_begin(here.tables, &error)) fail_msg("%s", error.text);
    permit("PROBE", "thing.events", true);
    permit("TEST", "thing.events", false);
    permit("TEST", "other.events", false);
    assert_true(tables_commit(here.tables, &next, 0, &error));
    const struct engine_options options = {.processor = &processor, .version = "0.1.0", .schemas = {NULL, find_plan, find_id}, .tables = here.tables, .sink = {NULL, keep},
        .partition_count = 1, .batch_memory = 8 << 20, .keep_event_ids_days = 35, .keep_documents_days = 100, .erps = "", .wait_limit_ms = day_ms, .flood_window = 100,
        .flood_percent = 100};
    if (!engine_new(&here.engine, &options, &error) || !state_open(&here.state, path_in("state"), &identity, 0, 0, &opening, &error)) fail_msg("%s", error.text);
    if (task_open(&here.task, here.engine, 0, here.state, &error) != ENGINE_DONE) fail_msg("%s", error.text);
    return 0;
}

static int tear_down(void **state) {
    task_close(here.task);
    engine_free(here.engine);
    state_close(here.state);
    tables_close(here.tables);
    arena_free(&kept);
    return delete_scratch(state);
}

static struct state_position position_after(void *context, const struct task *task) {
    (void)context; (void)task;
    return (struct state_position){(int64_t)changelog_records, 0};
}

static bool count_entry(void *context, struct slice key, struct state_value value) {
    (void)key; (void)value;
    ++*(size_t *)context;
    return true;
}

static size_t kept_in_state(void) {
    size_t count = 0;
    const enum state_result result = state_scan_from(here.state, (struct slice){"", 0}, count_entry, &count, &error);
    assert_true(result == STATE_FOUND || result == STATE_ABSENT);
    return count;
}

/* One event of a partner, taken and committed. */
static void tell(int input, const char *source, const char *partner, const char *verdict, bool marked, int64_t day) {
    static const struct record_header headers[] = {{"traceparent", {"00", 2}}, {SYNTHETIC_HEADER, {NULL, 0}}};
    static int64_t offset;
    struct buffer value = {0};
    char key[40];
    bool again = true;
    snprintf(key, sizeof key, "T|%s", partner);
    const struct event event = {.event_id = SLICE("e"), .source = slice_of(source), .entity = SLICE("T"), .partner = slice_of(partner), .verdict = slice_of(verdict)};
    assert_true(codec_wire_append(&value, SCHEMA) && codec_encode(event_type, &event, &value));
    const struct engine_message message = {.input = input, .offset = offset++, .timestamp_ms = begin_ms + day * day_ms, .received_ms = begin_ms + day * day_ms, .key = slice_of(key),
                                           .value = buffer_slice(&value), .headers = headers, .header_count = marked ? 2 : 1};
    enum engine_result result = ENGINE_DONE;
    while (again && result == ENGINE_DONE) result = engine_take(here.engine, here.task, &message, &again, &error);
    if (result != ENGINE_DONE) fail_msg("%s", error.text);
    assert_true(engine_batch_records(here.engine) > 0);     /* its offset is committed */
    if (engine_seal(here.engine, &error) != ENGINE_DONE) fail_msg("%s", error.text);
    if (!engine_commit(here.engine, position_after, NULL, &error)) fail_msg("%s", error.text);
    buffer_free(&value);
}

static void assert_told(enum acknowledged_outcome outcome, const char *step) {
    const struct acknowledgment *told = &sent[sent_count - 1].told;
    assert_string_equal(sent[sent_count - 1].topic, "acknowledgments");
    assert_true(told->synthetic);
    assert_int_equal(told->outcome, outcome);
    assert_true(slice_equal(told->step, slice_of(step)));
    assert_int_equal(told->journals.count, 1);
}

/* ---- the tests ---- */

static void nothing_leaves_but_the_acknowledgment(void **unused) {
    (void)unused;
    static const struct { const char *verdict; enum acknowledged_outcome outcome; const char *step; int count; } all[] = {
        {"accepted", ACKNOWLEDGED_OUTCOME_ACCEPTED, "validated", OUTCOME_ACCEPTED}, {"parked", ACKNOWLEDGED_OUTCOME_PARKED, "waiting", OUTCOME_PARKED},
        {"held", ACKNOWLEDGED_OUTCOME_HELD, "held", OUTCOME_HELD}, {"rejected", ACKNOWLEDGED_OUTCOME_REJECTED, "rejected", OUTCOME_REJECTED}};
    const size_t before = kept_in_state();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        tell(INPUT_EVENTS, "PROBE", "P", all[i].verdict, true, 0);
        assert_int_equal(sent_count, i + 1);
        assert_told(all[i].outcome, all[i].step);
        assert_int_equal(engine_counts(here.engine)->synthetic[all[i].count], 1);
    }
    size_t tallies, shares;
    (void)engine_tallies(here.engine, &tallies);
    (void)engine_shares(here.engine, &shares);
    assert_int_equal(tallies + shares, 0);
    for (int i = 0; i < OUTCOME_COUNT; i++) assert_int_equal(engine_counts(here.engine)->outcomes[i], 0);
    for (int i = 0; i < REASON_COUNT; i++) assert_int_equal(engine_counts(here.engine)->reasons[i], 0);
    assert_int_equal(engine_counts(here.engine)->journals, 0);
    assert_int_equal(changelog_records, 0);
    assert_int_equal(kept_in_state(), before);
    const struct task_waiting waiting = task_waiting(here.task);
    assert_int_equal(waiting.parked + waiting.held + waiting.behind + waiting.deferred, 0);
    assert_false(task_wants_tick(here.task, INT64_MAX));
}

/* The same for real does all of it: what the test above counts can be counted. */
static void a_real_one_leaves_all_of_it(void **unused) {
    (void)unused;
    tell(INPUT_EVENTS, "TEST", "P", "accepted", false, 0);
    static const char *const topics[] = {"acknowledgments", "document.steps", "audit", "thing.events", "kontor.maker.changelog"};
    for (size_t k = 0; k < sizeof topics / sizeof *topics; k++) {
        bool found = false;
        for (size_t i = 0; i < sent_count; i++) found |= strcmp(sent[i].topic, topics[k]) == 0 && !sent[i].told.synthetic;
        if (!found) fail_msg("nothing for %s", topics[k]);
    }
    assert_int_equal(task_waiting(here.task).deferred, 1);
    size_t tallies;
    (void)engine_tallies(here.engine, &tallies);
    assert_int_equal(tallies, 1);
}

/* Kafka would refuse it, the batch would be aborted, and decided again, for ever. */
static void assert_too_large(char verdict) {
    static char text[70000];    /* what little comes in is not looked at */
    memset(text, verdict, sizeof text - 1);
    tell(INPUT_EVENTS, "TEST", "P", text, false, 0);
    const struct acknowledgment *told = NULL;
    for (size_t i = 0; i < sent_count; i++) {
        assert_string_not_equal(sent[i].topic, "thing.events");
        if (strcmp(sent[i].topic, "acknowledgments") == 0) told = &sent[i].told;
    }
    assert_non_null(told);
    assert_int_equal(told->outcome, ACKNOWLEDGED_OUTCOME_REJECTED);
    assert_int_equal(told->reasons.count, 1);
    assert_true(slice_equal(told->reasons.items[0].code, SLICE("AMOUNT_OVERFLOW")));
}

static void what_no_record_can_hold_is_not_sent(void **unused) {
    (void)unused;
    assert_too_large('S');
}

static void what_no_record_can_hold_is_not_kept(void **unused) {
    (void)unused;
    assert_too_large('K');
}

static void time_stands_still(void **unused) {
    (void)unused;
    tell(INPUT_EVENTS, "TEST", "W", "parked", false, 0);
    const int64_t then_ms = task_waiting(here.task).stream_time_ms;
    tell(INPUT_EVENTS, "PROBE", "P", "accepted", true, 1000);
    assert_int_equal(task_waiting(here.task).stream_time_ms, then_ms);
    assert_int_equal(task_waiting(here.task).parked, 1);
}

static void followers_pass_it_over(void **unused) {
    (void)unused;
    tell(INPUT_FOLLOWED, "PROBE", "P", "accepted", true, 0);
    tell(INPUT_FOLLOWED, "TEST", "P", "accepted", true, 0);
    assert_int_equal(sent_count, 0);
    assert_int_equal(changelog_records, 0);
}

static void assert_dead(size_t count) {
    assert_int_equal(sent_count, count);
    assert_int_equal(strncmp(sent[count - 1].topic, "dlq.", 4), 0);
    assert_int_equal(engine_counts(here.engine)->outcomes[OUTCOME_POISON], count);
    assert_int_equal(changelog_records, 0);
}

static void mark_and_permission_must_agree(void **unused) {
    (void)unused;
    tell(INPUT_EVENTS, "TEST", "P", "accepted", true, 0);
    assert_dead(1);
    tell(INPUT_EVENTS, "PROBE", "P", "accepted", false, 0);
    assert_dead(2);
    tell(INPUT_OWN, "TEST", "P", "accepted", true, 0);      /* kontor's own topic */
    assert_dead(3);
}

static const char schema[] = "{\"type\":\"record\",\"name\":\"E\",\"fields\":[{\"name\":\"event_id\",\"type\":\"string\"},{\"name\":\"source\",\"type\":\"string\"},"
    "{\"name\":\"entity\",\"type\":\"string\"},{\"name\":\"partner\",\"type\":\"string\"},{\"name\":\"verdict\",\"type\":\"string\"},{\"name\":\"unused\",\"type\":\"long\"}]}";

int main(void) {
    event_type = codec_type_parse(schema, &error);
    event_plan = event_type ? codec_plan_own(event_type, &error) : NULL;
    acknowledgment_plan = codec_plan_own(&acknowledgment_type, &error);
    if (!event_plan || !acknowledgment_plan || event_type->size != sizeof(struct event)) { fprintf(stderr, "schema: %s\n", error.text); return 1; }
    processor.inputs[INPUT_EVENTS] = (struct processor_input){"thing.events", event_type, .envelope = envelope, .decide = decide};
    processor.inputs[INPUT_FOLLOWED] = (struct processor_input){"other.events", event_type, .follows = true, .envelope = envelope, .decide = decide};
    processor.inputs[INPUT_OWN] = (struct processor_input){"own.events", event_type, .internal = true, .envelope = envelope, .decide = decide};
    processor.stores[STORE_THINGS] = (struct processor_store){"things", event_type, NULL};
    processor.outputs[OUTPUT_EVENTS] = (struct processor_output){"thing.events", event_type, .event_time = true};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_leaves_but_the_acknowledgment, set_up, tear_down), cmocka_unit_test_setup_teardown(a_real_one_leaves_all_of_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_no_record_can_hold_is_not_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_no_record_can_hold_is_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(time_stands_still, set_up, tear_down), cmocka_unit_test_setup_teardown(followers_pass_it_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mark_and_permission_must_agree, set_up, tear_down)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    codec_plan_free(event_plan);
    codec_plan_free(acknowledgment_plan);
    codec_type_free(event_type);
    return failed;
}
