/* defer: records of a processor's own that are sent when their time has come: the real engine over real LMDB. */
#include "tests/unit/state_support.h"

#include "common/codec/encode.h"
#include "common/codec/layout.h"
#include "common/codec/wire.h"
#include "common/runtime/engine.h"
#include "schemas/source_permission.h"

enum { SCHEMA = 5, SENT_MAXIMUM = 20 };
static const int64_t begin_ms = 1700000000000, minute_ms = 60000;
static struct error error;

/* wait: minutes after the event's own time at which a record named `name` is to come back; 0: none, below: the one of that name is taken back. */
struct event { struct slice event_id, source, entity, partner, name; int64_t wait; };
static const struct codec_type *event_type;
static struct codec_plan *event_plan;

static void envelope(struct decision *decision, const void *record, struct envelope *envelope) {
    const struct event *event = record;
    (void)decision;
    *envelope = (struct envelope){.event_id = event->event_id, .source = event->source, .entity = event->entity, .partner = event->partner, .correlation_id = SLICE(""),
                                  .number = event->event_id, .kind = "wait", .document = {-1, {0}}};
}

static void decide(struct decision *decision, const void *record) {
    const struct event *event = record;
    if (event->wait < 0) defer_cancel(decision, event->name);
    if (event->wait <= 0) return;
    struct event *later = decision_alloc(decision, sizeof *later);
    *later = *event;
    later->event_id = decision_format(decision, SLICE_FORMAT "-due", SLICE_ARGUMENT(event->event_id));
    later->wait = 0;
    defer(decision, event->name, 0, later, KEY(decision, event->entity, event->partner), decision_time_ms(decision) + event->wait * minute_ms);
}

static struct processor processor = {.name = "waiter", .tables = {MASTER_SOURCE_PERMISSIONS, END_OF_TABLES}};

static struct { char event_id[32], key[32]; int64_t time_ms; int32_t partition; } sent[SENT_MAXIMUM];
static size_t sent_count;
static uint64_t changelog_records;

static bool keep(void *context, const struct engine_output *output, struct error *why) {
    (void)context; (void)why;
    changelog_records += output->changelog;
    if (strcmp(output->topic, "waiter.events") != 0) return true;
    struct arena arena;
    struct event event;
    arena_init(&arena, 1 << 12, 1 << 16);
    assert_true(sent_count < SENT_MAXIMUM);
    assert_int_equal(codec_decode(event_plan, output->value.data + 5, output->value.length - 5, &arena, &event), CODEC_OK);
    snprintf(sent[sent_count].event_id, sizeof sent->event_id, SLICE_FORMAT, SLICE_ARGUMENT(event.event_id));
    snprintf(sent[sent_count].key, sizeof sent->key, SLICE_FORMAT, SLICE_ARGUMENT(output->key));
    sent[sent_count].time_ms = output->timestamp_ms;
    sent[sent_count++].partition = output->partition;
    arena_free(&arena);
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

static void open_tables(void) {
    const struct table *list[MASTER_COUNT + 1];
    const char *const sources[] = {"MDM"};
    const struct slice everyone = SLICE("*");
    const int64_t next = 1;
    struct source_permission permission = {.source_system = SLICE("TEST"), .topic = SLICE("waiter.events"), .status = SLICE("active"), .source = SLICE("MDM")};
    permission.entities.items = (struct slice *)(uintptr_t)&everyone;
    permission.entities.count = 1;
    engine_tables(&processor, list);
    const struct tables_options options = {.dir = path_in("tables"), .tables = list, .sources = sources};
    if (!tables_open(&here.tables, &options, &error) || !tables_begin(here.tables, &error)) fail_msg("%s", error.text);
    assert_int_equal(tables_put(here.tables, 0, SLICE("TEST|waiter.events|1970-01-01"), &permission, NULL, 0, &error), TABLE_PUT_GOOD);
    assert_true(tables_commit(here.tables, &next, 0, &error));
}

static void open_instance(void) {
    static const struct state_identity identity = {"waiter", 0, 1, "changelog"};
    struct state_opening opening;
    open_tables();
    const struct engine_options options = {.processor = &processor, .version = "0.1.0", .schemas = {NULL, find_plan, find_id}, .tables = here.tables, .sink = {NULL, keep},
        .partition_count = 1, .batch_memory = 8 << 20, .keep_event_ids_days = 35, .keep_documents_days = 100, .erps = "", .wait_limit_ms = minute_ms, .flood_window = 100,
        .flood_percent = 100};
    if (!engine_new(&here.engine, &options, &error) || !state_open(&here.state, path_in("state"), &identity, 0, 0, &opening, &error)) fail_msg("%s", error.text);
    if (task_open(&here.task, here.engine, 0, here.state, &error) != ENGINE_DONE) fail_msg("%s", error.text);
}

static void close_instance(void) {
    task_close(here.task);
    engine_free(here.engine);
    state_close(here.state);
    tables_close(here.tables);
}

static void reopen(void) {
    close_instance();
    open_instance();
}

static struct state_position position_after(void *context, const struct task *task) {
    (void)context; (void)task;
    return (struct state_position){(int64_t)changelog_records, 0};
}

/* Values of the batch's events: they live until it is committed or aborted. */
static struct buffer values[SENT_MAXIMUM];
static size_t value_count;

static void values_free(void) {
    while (value_count) buffer_free(&values[--value_count]);
}

static void commit(void) {
    if (engine_seal(here.engine, &error) != ENGINE_DONE) fail_msg("%s", error.text);
    if (!engine_commit(here.engine, position_after, NULL, &error)) fail_msg("%s", error.text);
    values_free();
}

static void abort_batch(void) {
    assert_true(engine_abort(here.engine, &error));
    values_free();
}

/* One event of partner P at that minute, not committed. */
static void take(const char *event_id, const char *name, int64_t minute, int64_t wait) {
    static int64_t offset;
    assert_true(value_count < SENT_MAXIMUM);
    struct buffer *value = &values[value_count++];
    *value = (struct buffer){0};
    bool again = true;
    const struct event event = {slice_of(event_id), SLICE("TEST"), SLICE("T"), SLICE("P"), slice_of(name), wait};
    assert_true(codec_wire_append(value, SCHEMA) && codec_encode(event_type, &event, value));
    const struct engine_message message = {.offset = offset++, .timestamp_ms = begin_ms + minute * minute_ms, .received_ms = begin_ms + minute * minute_ms, .key = SLICE("T|P"),
                                           .value = buffer_slice(value)};
    enum engine_result result = ENGINE_DONE;
    while (again && result == ENGINE_DONE) result = engine_take(here.engine, here.task, &message, &again, &error);
    if (result != ENGINE_DONE) fail_msg("%s", error.text);
}

static void tell(const char *event_id, const char *name, int64_t minute, int64_t wait) {
    take(event_id, name, minute, wait);
    commit();
}

static void tick(int64_t minute) {
    bool again = true;
    enum engine_result result = ENGINE_DONE;
    while (again && result == ENGINE_DONE) result = engine_tick(here.engine, here.task, begin_ms + minute * minute_ms, &again, &error);
    if (result != ENGINE_DONE) fail_msg("%s", error.text);
    commit();
}

static void assert_sent(size_t count, const char *newest, int64_t minute) {
    assert_int_equal(sent_count, count);
    assert_int_equal(task_waiting(here.task).parked, 0);    /* nothing of it is an event that waits */
    if (!newest) return;
    assert_string_equal(sent[count - 1].event_id, newest);
    assert_string_equal(sent[count - 1].key, "T|P");
    assert_int_equal(sent[count - 1].time_ms, begin_ms + minute * minute_ms);
    assert_int_equal(sent[count - 1].partition, 0);
}

/* ---- the tests ---- */

static void sent_by_stream_time_not_before(void **unused) {
    (void)unused;
    tell("a", "bell", 0, 10);
    assert_int_equal(task_waiting(here.task).deferred, 1);
    tell("b", "", 9, 0);
    assert_sent(0, NULL, 0);
    tell("c", "", 10, 0);
    assert_sent(1, "a-due", 10);
    assert_int_equal(task_waiting(here.task).deferred, 0);
    tell("d", "", 99, 0);
    assert_sent(1, NULL, 0);
}

static void in_the_order_of_their_times(void **unused) {
    (void)unused;
    tell("a", "second", 0, 20);
    tell("b", "first", 1, 5);
    tell("c", "third", 2, 30);
    tell("d", "", 60, 0);
    assert_int_equal(sent_count, 3);
    assert_string_equal(sent[0].event_id, "b-due");
    assert_string_equal(sent[1].event_id, "a-due");
    assert_string_equal(sent[2].event_id, "c-due");
}

static void where_nothing_comes_by_the_brokers_clock(void **unused) {
    (void)unused;
    tell("a", "bell", 0, 10);
    assert_true(task_wants_tick(here.task, 0));
    tick(1000);                             /* counted from here */
    tick(1009);
    assert_sent(0, NULL, 0);
    assert_true(task_wants_tick(here.task, begin_ms + 1010 * minute_ms));
    tick(1010);
    assert_sent(1, "a-due", 10);            /* its time is the one that it was to come at */
    assert_false(task_wants_tick(here.task, INT64_MAX));
}

static void a_later_one_takes_the_place_of_its_name(void **unused) {
    (void)unused;
    tell("a", "bell", 0, 10);
    tell("b", "bell", 1, 20);
    assert_int_equal(task_waiting(here.task).deferred, 1);
    tell("c", "", 15, 0);
    assert_sent(0, NULL, 0);
    tell("d", "", 21, 0);
    assert_sent(1, "b-due", 21);
}

static void taken_back(void **unused) {
    (void)unused;
    tell("a", "bell", 0, 10);
    tell("b", "gong", 0, 10);
    tell("c", "bell", 1, -1);
    tell("d", "nobody", 2, -1);
    tell("e", "", 30, 0);
    assert_sent(1, "b-due", 10);
}

static void of_one_batch(void **unused) {
    (void)unused;
    take("a", "bell", 0, 10);
    take("b", "bell", 1, 11);
    take("c", "", 12, 0);
    commit();
    assert_sent(1, "b-due", 12);
}

static void survives_a_restart(void **unused) {
    (void)unused;
    tell("a", "bell", 0, 10);
    reopen();
    assert_int_equal(task_waiting(here.task).deferred, 1);
    tell("b", "bell", 1, 14);
    reopen();
    tell("c", "", 14, 0);
    reopen();
    assert_sent(0, NULL, 0);
    tell("d", "", 15, 0);
    assert_sent(1, "b-due", 15);
    reopen();
    tell("e", "", 16, 0);
    assert_sent(1, NULL, 0);
}

static void an_aborted_batch_keeps_it(void **unused) {
    (void)unused;
    tell("a", "bell", 0, 10);
    take("b", "", 11, 0);
    abort_batch();
    sent_count = 0;                         /* the broker's abort */
    assert_int_equal(task_waiting(here.task).deferred, 1);
    take("c", "gong", 1, 5);
    abort_batch();
    tell("b", "", 11, 0);
    assert_sent(1, "a-due", 10);
}

static void more_than_one_step_at_once(void **unused) {
    (void)unused;
    char name[16];
    for (int i = 0; i < 15; i++) {
        snprintf(name, sizeof name, "bell-%d", i);
        take(name, name, 0, 10);
    }
    commit();
    tick(5);
    tick(15);
    assert_int_equal(sent_count, 15);
    assert_int_equal(task_waiting(here.task).deferred, 0);
}

static int make_all(void **unused) {
    sent_count = 0;
    changelog_records = 0;
    if (make_scratch(unused) != 0) return -1;
    open_instance();
    return 0;
}

static int delete_all(void **unused) {
    close_instance();
    return delete_scratch(unused);
}

static int make_types(void **unused) {
    (void)unused;
    static const char text[] = "{\"type\":\"record\",\"name\":\"Event\",\"fields\":[{\"name\":\"event_id\",\"type\":\"string\"},{\"name\":\"source\",\"type\":\"string\"},"
        "{\"name\":\"entity\",\"type\":\"string\"},{\"name\":\"partner\",\"type\":\"string\"},{\"name\":\"name\",\"type\":\"string\"},{\"name\":\"wait\",\"type\":\"long\"}]}";
    event_type = codec_type_parse(text, &error);
    if (!event_type) fail_msg("%s", error.text);
    assert_int_equal(event_type->size, sizeof(struct event));
    event_plan = codec_plan_own(event_type, &error);
    assert_non_null(event_plan);
    processor.inputs[0] = (struct processor_input){"waiter.events", event_type, .envelope = envelope, .decide = decide};
    processor.outputs[0] = (struct processor_output){.topic = "waiter.events", .type = event_type, .event_time = true};
    return 0;
}

static int free_types(void **unused) {
    (void)unused;
    codec_plan_free(event_plan);
    codec_type_free(event_type);
    return 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_all, delete_all)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(sent_by_stream_time_not_before), TEST(in_the_order_of_their_times), TEST(where_nothing_comes_by_the_brokers_clock),
        TEST(a_later_one_takes_the_place_of_its_name), TEST(taken_back), TEST(of_one_batch), TEST(survives_a_restart), TEST(an_aborted_batch_keeps_it),
        TEST(more_than_one_step_at_once),
    };
    return cmocka_run_group_tests_name("runtime_defer", tests, make_types, free_types);
}
