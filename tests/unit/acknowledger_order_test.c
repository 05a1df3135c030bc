/* A document is a function of the set of its steps: random lives, told in any order in which the steps of one event keep theirs, with repetitions, through the real engine over
 * real LMDB, end in the same records; and what is paid is what the test itself reckons. */
#include "tests/unit/state_support.h"

#include "common/codec/encode.h"
#include "common/codec/plan.h"
#include "common/codec/wire.h"
#include "common/runtime/engine.h"
#include "schemas/acknowledgment.h"
#include "schemas/document.h"
#include "schemas/document_step.h"
#include "schemas/flow_policy.h"
#include "schemas/posting_ack.h"

extern const struct processor acknowledger_processor;

enum { STEP = 1, ACK, DOCUMENT, OTHER, TOLD_MAXIMUM = 400, DOCUMENTS_MAXIMUM = 16, LIVES = 300, ORDERS = 4, TEXTS = 1 << 16 };
static const int64_t begin_ms = 1700000000000, minute_ms = 60000;
static struct error error;
static unsigned long long seed;

static size_t below(size_t limit) { return (size_t)random_below(limit); }
static bool chance(int percent) { return random_below(100) < (uint64_t)percent; }

/* ---- texts that live as long as a life ---- */

static char texts[TEXTS];
static size_t texts_used;

__attribute__((format(printf, 1, 2))) static struct slice text(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(texts + texts_used, TEXTS - texts_used, format, arguments);
    va_end(arguments);
    assert_true(length >= 0 && (size_t)length < TEXTS - texts_used);
    struct slice made = {texts + texts_used, (size_t)length};
    texts_used += (size_t)length + 1;
    return made;
}

/* ---- what is told ---- */

struct told { bool is_ack; struct document_step step; struct posting_ack ack; struct step_link links[2]; struct slice journals[2]; struct step_reason reason; struct step_entry entry; };
static struct told told[TOLD_MAXIMUM];
static size_t told_count;
static int64_t offset;

static struct told *tell(const char *flow, struct slice document, const char *step, const char *kind, int64_t minute, struct slice origin) {
    assert_true(told_count < TOLD_MAXIMUM);
    struct told *made = &told[told_count++];
    *made = (struct told){.step = {.entity = SLICE("ACME"), .flow = slice_of(flow), .partner = SLICE("S1"), .document = document, .step = slice_of(step), .processor = slice_of(flow),
        .kind = slice_of(kind), .event_id = origin, .source = SLICE("ERP1"), .origin = origin, .occurred_at_ms = begin_ms + minute * minute_ms,
        .decided_at_ms = begin_ms + (minute + 1) * minute_ms, .currency = SLICE("EUR")}};
    return made;
}

static struct slice new_origin(const char *flow) { return text("%s.events/0/%lld", flow, (long long)offset++); }

static void with_links(struct told *made, const char *relation, const char *flow, struct slice document, int64_t amount_e4) {
    struct step_link *link = &made->links[made->step.links.count++];
    *link = (struct step_link){slice_of(relation), slice_of(flow), document, amount_e4, 0, 0};
    made->step.links.items = made->links;
}

/* An event that may wait and be held before it is validated or rejected. */
static struct told *event_tell(const char *flow, struct slice document, const char *kind, int64_t minute, bool accepted) {
    const struct slice origin = new_origin(flow);
    static const char *const before[] = {"waiting", "waiting", "needs decision"};
    for (int i = 0; i < 3; i++) {
        if (!chance(25)) continue;
        struct told *open = tell(flow, document, before[i], kind, minute, origin);
        open->reason = (struct step_reason){text("REASON_%d", i), SLICE("field"), SLICE("")};
        open->step.reasons.items = &open->reason;
        open->step.reasons.count = 1;
    }
    return tell(flow, document, accepted ? "validated" : "rejected", kind, minute, origin);
}

/* One of its journals is in a summary. */
static void in_summary_tell(const struct told *made, size_t journal, int64_t minute) {
    struct told *told_of = tell("invoice", made->step.document, "in summary", "", minute + 1, made->step.origin);
    told_of->step.flow = made->step.flow;
    told_of->entry = (struct step_entry){made->journals[journal], SLICE("ACME"), made->step.flow, SLICE("S1"), made->step.document, made->step.origin};
    told_of->step.entries.items = &told_of->entry;
    told_of->step.entries.count = 1;
    told_of->journals[0] = text("ACME/W/settlement/%lld", (long long)minute);
    told_of->step.journals.items = told_of->journals;
    told_of->step.journals.count = 1;
}

static void journals_tell(struct told *made, int64_t minute) {
    const size_t count = 1 + below(2);
    for (size_t i = 0; i < count; i++) made->journals[i] = text("ACME/%.*s/%zu", (int)made->step.origin.length, made->step.origin.data, i);
    made->step.journals.items = made->journals;
    made->step.journals.count = count;
    for (size_t i = 0; i < count; i++) {
        if (chance(20)) in_summary_tell(made, i, minute);
        if (chance(30)) continue;
        const int answers = chance(20) ? 2 : 1;
        for (int k = 0; k < answers; k++) {
            struct told *answer = &told[told_count++];
            const bool refused = k + 1 < answers || chance(15);
            *answer = (struct told){.is_ack = true, .ack = {.idempotency_key = made->journals[i], .outcome = refused ? POSTING_OUTCOME_REFUSED : POSTING_OUTCOME_POSTED,
                .erp = SLICE("tryton"), .number = refused ? SLICE("") : text("%llu", (unsigned long long)below(100000)), .year = 2026, .entity = SLICE("ACME"), .flow = made->step.flow,
                .partner = SLICE("S1"), .document = made->step.document, .origin = made->step.origin, .event_id = made->step.event_id, .source = made->step.source,
                .occurred_at_ms = begin_ms + (minute + 2 + k) * minute_ms}};
        }
    }
}

/* What counts of each payment at the end, reckoned here. */
static int64_t payment_tell(struct slice payment, struct slice invoice, int64_t minute) {
    const int64_t amount_e4 = (int64_t)(1 + below(1500)) * 10000;
    struct told *instructed = event_tell("payment", payment, "instructed", minute, true);
    with_links(instructed, "invoice", "invoice", invoice, amount_e4);
    if (chance(20)) return 0;
    struct told *sent = event_tell("payment", payment, "sent", minute + 10, true);
    with_links(sent, "invoice", "invoice", invoice, amount_e4);
    if (chance(50)) journals_tell(sent, minute + 10);
    if (chance(60)) with_links(event_tell("payment", payment, "settled", minute + 20, true), "invoice", "invoice", invoice, amount_e4);
    if (!chance(25)) return amount_e4;
    const bool own = chance(50);
    struct told *back = event_tell("payment", own ? text("%.*sR", (int)payment.length, payment.data) : payment, chance(50) ? "returned" : "bank_rejected", minute + 30, true);
    with_links(back, "invoice", "invoice", invoice, amount_e4);
    if (own) with_links(back, "original", "payment", payment, 0);
    if (chance(50)) return 0;
    struct told *again = event_tell("payment", payment, "sent", minute + 40, true);     /* once more under its number */
    with_links(again, "invoice", "invoice", invoice, amount_e4 / 2);
    return amount_e4 / 2;
}

static int64_t life_tell(void) {
    told_count = texts_used = 0;
    offset = (int64_t)below(200);
    int64_t paid_e4 = 0;
    const struct slice invoice = SLICE("I1"), order = SLICE("PO1");
    (void)event_tell("procurement", order, "order_created", 1, chance(90));
    for (size_t i = 0, count = below(4); i < count; i++) {
        struct told *receipt = event_tell("procurement", text("R%zu", i), "goods_received", 5, true);
        with_links(receipt, "order", "procurement", order, 0);
        journals_tell(receipt, 5);
        if (!chance(30)) continue;
        struct told *cancelled = event_tell("procurement", text("R%zuC", i), "goods_receipt_cancelled", 5 + (int64_t)below(3), true);
        with_links(cancelled, "original", "procurement", text("R%zu", i), 0);
    }
    struct told *received = event_tell("invoice", invoice, "received", 10, chance(90));
    received->step.has_amount = true;
    received->step.amount_e4 = 10000000;
    with_links(received, "order", "procurement", order, 0);
    received->step.payment_blocked = chance(30);
    if (slice_equal(received->step.step, SLICE("validated"))) journals_tell(received, 10);
    if (chance(20)) (void)event_tell("invoice", invoice, "received", 12, false);
    if (chance(20)) (void)event_tell("invoice", invoice, "blocked", 15 + (int64_t)below(10), true);
    if (chance(20)) (void)event_tell("invoice", invoice, "unblocked", 15 + (int64_t)below(10), true);
    if (chance(15)) (void)event_tell("invoice", invoice, "cancelled", 20, true);
    if (chance(15)) (void)event_tell("invoice", invoice, "cleared", 30, true);
    for (size_t i = 0, count = below(4); i < count; i++) {   /* a prepayment, applied in parts */
        const int64_t part_e4 = (int64_t)(1 + below(300)) * 10000;
        with_links(event_tell("payment", SLICE("A1"), "prepayment_applied", 25 + (int64_t)below(3), true), "invoice", "invoice", invoice, part_e4);
        paid_e4 += part_e4;
    }
    for (size_t i = 0, count = below(4); i < count; i++) paid_e4 += payment_tell(text("P%zu", i), invoice, 20 + (int64_t)below(20));
    if (chance(50)) {
        struct told *overdue = tell("invoice", invoice, "overdue", "", 10, received->step.origin);
        overdue->step.awaited = chance(50) ? SLICE("decided") : SLICE("paid");
        overdue->step.due_at_ms = begin_ms + (10 + 600) * minute_ms;
    }
    return paid_e4;
}

/* ---- the processor ---- */

static struct codec_plan *plans[OTHER];
static const struct codec_type *types[OTHER];
static struct { struct tables *tables; struct engine *engine; struct state *state; struct task *task; } here;

/* What was sent to its own input, and the newest record of every document. */
struct sent { struct slice key, value; };
static struct sent passed[TOLD_MAXIMUM * 2], documents[DOCUMENTS_MAXIMUM];
static size_t passed_count, passed_taken, document_count, acknowledged;

static struct slice copied(struct slice from) {
    char *to = malloc(from.length + 1);
    memcpy(to, from.data, from.length);
    return (struct slice){to, from.length};
}

static bool keep(void *context, const struct engine_output *output, struct error *why) {
    (void)context; (void)why;
    acknowledged += strcmp(output->topic, "acknowledgments") == 0;
    if (strcmp(output->topic, "document.steps") == 0) {
        assert_true(passed_count < TOLD_MAXIMUM * 2);
        passed[passed_count++] = (struct sent){copied(output->key), copied(output->value)};
    }
    if (strcmp(output->topic, "documents") != 0) return true;
    size_t i = 0;
    while (i < document_count && !slice_equal(documents[i].key, output->key)) i++;
    assert_true(i < DOCUMENTS_MAXIMUM);
    if (i < document_count) free((char *)(uintptr_t)documents[i].value.data);
    else documents[document_count++].key = copied(output->key);
    documents[i].value = copied(output->value);
    return true;
}

static enum schema_answer find_plan(void *context, const struct codec_type *reader, uint32_t id, const struct codec_plan **plan, struct error *why) {
    (void)context; (void)reader; (void)why;
    *plan = plans[id];
    return SCHEMA_READABLE;
}

static uint32_t find_id(void *context, const struct codec_type *type, const char *topic) {
    (void)context; (void)topic;
    return type == &document_step_type ? STEP : type == &posting_ack_type ? ACK : type == &document_state_type ? DOCUMENT : OTHER;
}

static void open_tables(void) {
    const struct table *list[MASTER_COUNT + 1];
    const char *const sources[] = {"MDM", "MDM"};
    const int64_t next[] = {0, 1};
    struct flow_limit limits[] = {{SLICE("decided"), 600}, {SLICE("posted"), 600}, {SLICE("paid"), 600}, {SLICE("settled"), 600}};
    struct flow_policy policy = {.entity = SLICE("*"), .flow = SLICE("invoice"), .control_owner = SLICE("AP"), .exception_path = SLICE("lead"), .status = SLICE("active"),
                                 .source = SLICE("MDM")};
    policy.limits.items = limits;
    policy.limits.count = 4;
    engine_tables(&acknowledger_processor, list);
    const struct tables_options options = {.dir = path_in("tables"), .tables = list, .sources = sources};
    if (!tables_open(&here.tables, &options, &error) || !tables_begin(here.tables, &error)) fail_msg("%s", error.text);
    if (tables_put(here.tables, 1, SLICE("*|invoice|1970-01-01"), &policy, NULL, 0, &error) != TABLE_PUT_GOOD) fail_msg("%s", error.text);
    assert_true(tables_commit(here.tables, next, 0, &error));
}

static void open_instance(void) {
    static const struct state_identity identity = {"acknowledger", 0, 1, "changelog"};
    struct state_opening opening;
    open_tables();
    const struct engine_options options = {.processor = &acknowledger_processor, .version = "0.1.0", .schemas = {NULL, find_plan, find_id}, .tables = here.tables,
        .sink = {NULL, keep}, .partition_count = 1, .batch_memory = 64 << 20, .keep_event_ids_days = 35, .keep_documents_days = 100, .erps = "", .wait_limit_ms = minute_ms,
        .flood_window = 100, .flood_percent = 100};
    if (!engine_new(&here.engine, &options, &error) || !state_open(&here.state, path_in("state"), &identity, 0, 0, &opening, &error)) fail_msg("%s", error.text);
    if (task_open(&here.task, here.engine, 0, here.state, &error) != ENGINE_DONE) fail_msg("%s", error.text);
}

static void close_instance(void) {
    task_close(here.task);
    engine_free(here.engine);
    state_close(here.state);
    tables_close(here.tables);
}

/* All records bear the same time: no alarm rings but those that are told. */
static void take(int input, struct slice key, struct slice value) {
    static int64_t record;
    const struct engine_message message = {.input = input, .offset = record++, .timestamp_ms = begin_ms, .received_ms = begin_ms, .key = key, .value = value};
    bool again = true;
    enum engine_result result = ENGINE_DONE;
    while (again && result == ENGINE_DONE) result = engine_take(here.engine, here.task, &message, &again, &error);
    if (result != ENGINE_DONE) fail_msg("%s", error.text);
}

/* Records that were told live until their batch is over. */
static char records[1 << 22];
static size_t records_used;

static struct slice record_keep(struct slice from) {
    assert_true(from.length <= sizeof records - records_used);
    char *to = memcpy(records + records_used, from.data, from.length);
    records_used += from.length;
    return (struct slice){to, from.length};
}

static void told_take(const struct told *what) {
    struct buffer value = {0};
    char key[200];
    const struct slice step_parts[] = {what->step.entity, what->step.flow, what->step.partner, what->step.document};
    const struct slice ack_parts[] = {what->ack.entity, what->ack.flow, what->ack.partner, what->ack.document};
    bool ok = codec_wire_append(&value, what->is_ack ? ACK : STEP) &&
              (what->is_ack ? codec_encode(&posting_ack_type, &what->ack, &value) : codec_encode(&document_step_type, &what->step, &value));
    assert_true(ok);
    take(what->is_ack, record_keep(tables_key(key, sizeof key, what->is_ack ? ack_parts : step_parts, 4)), record_keep(buffer_slice(&value)));
    buffer_free(&value);
}

static void passed_take(void) {
    const struct sent *next = &passed[passed_taken++];
    take(0, next->key, next->value);
}

/* ---- the orders ---- */

static bool same_origin(const struct told *a, const struct told *b) {
    return !a->is_ack && !b->is_ack && slice_equal(a->step.origin, b->step.origin) && !slice_equal(a->step.step, SLICE("overdue")) && !slice_equal(b->step.step, SLICE("overdue"));
}

/* A random order in which the steps of an event keep theirs. */
static void order_make(size_t order[TOLD_MAXIMUM]) {
    for (size_t i = 0; i < told_count; i++) order[i] = i;
    for (size_t i = told_count; i > 1; i--) {
        const size_t k = below(i), other = order[i - 1];
        order[i - 1] = order[k];
        order[k] = other;
    }
    for (size_t i = 0; i < told_count; i++)
        for (size_t k = i + 1; k < told_count; k++)
            if (order[k] < order[i] && same_origin(&told[order[k]], &told[order[i]])) {
                const size_t other = order[i];
                order[i] = order[k];
                order[k] = other;
            }
}

static void forget(void) {
    for (size_t i = 0; i < passed_count; i++) {
        free((char *)(uintptr_t)passed[i].key.data);
        free((char *)(uintptr_t)passed[i].value.data);
    }
    records_used = 0;
    for (size_t i = 0; i < document_count; i++) {
        free((char *)(uintptr_t)documents[i].key.data);
        free((char *)(uintptr_t)documents[i].value.data);
    }
    document_count = passed_count = passed_taken = acknowledged = 0;
}

static void run(const size_t order[TOLD_MAXIMUM], bool shuffled) {
    forget();
    for (size_t i = 0; i < told_count; i++) {
        told_take(&told[order[i]]);
        if (shuffled && chance(20)) told_take(&told[order[below(i + 1)]]);     /* what was told before, once more */
        while (passed_taken < passed_count && (!shuffled || chance(40))) passed_take();
    }
    while (passed_taken < passed_count) passed_take();
    if (!engine_abort(here.engine, &error)) fail_msg("%s", error.text);     /* the next begins with nothing */
}

static const struct document_state *document_read(struct slice value, struct arena *arena) {
    struct document_state *state = arena_alloc(arena, sizeof *state);
    assert_int_equal(codec_decode(plans[DOCUMENT], value.data + 5, value.length - 5, arena, state), CODEC_OK);
    return state;
}

static void compare(const struct sent *expected, size_t count, int life) {
    if (count != document_count) fail_msg("seed %llu, life %d: %zu documents, then %zu", seed, life, count, document_count);
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < document_count && !slice_equal(documents[k].key, expected[i].key)) k++;
        if (k == document_count) fail_msg("seed %llu, life %d: no " SLICE_FORMAT, seed, life, SLICE_ARGUMENT(expected[i].key));
        if (slice_equal(documents[k].value, expected[i].value)) continue;
        struct arena arena;
        arena_init(&arena, 1 << 16, 1 << 20);
        const struct document_state *a = document_read(expected[i].value, &arena), *b = document_read(documents[k].value, &arena);
        fail_msg("seed %llu, life %d: " SLICE_FORMAT " is " SLICE_FORMAT " (%zu events, %zu payments), then " SLICE_FORMAT " (%zu events, %zu payments)",
                 seed, life, SLICE_ARGUMENT(expected[i].key), SLICE_ARGUMENT(a->state), a->events.count, a->payments.count, SLICE_ARGUMENT(b->state),
                 b->events.count, b->payments.count);
    }
}

static void any_order_gives_the_same(void **unused) {
    (void)unused;
    size_t order[TOLD_MAXIMUM];
    for (int life = 0; life < LIVES; life++) {
        const int64_t paid_e4 = life_tell();
        for (size_t i = 0; i < told_count; i++) order[i] = i;
        run(order, false);
        struct sent expected[DOCUMENTS_MAXIMUM];
        const size_t count = document_count;
        memcpy(expected, documents, sizeof expected);
        for (size_t i = 0; i < count; i++) {
            struct arena arena;
            arena_init(&arena, 1 << 16, 1 << 20);
            if (slice_equal(expected[i].key, SLICE("ACME|invoice|S1|I1"))) assert_int_equal(document_read(expected[i].value, &arena)->paid_e4, paid_e4);
            arena_free(&arena);
        }
        document_count = 0;     /* they are expected's now */
        for (int i = 0; i < ORDERS; i++) {
            order_make(order);
            run(order, true);
            compare(expected, count, life);
        }
        for (size_t i = 0; i < count; i++) {
            free((char *)(uintptr_t)expected[i].key.data);
            free((char *)(uintptr_t)expected[i].value.data);
        }
        forget();
    }
}

/* Told twice from the beginning, nothing is acknowledged or passed on again. */
static void told_again_nothing_comes_of_it(void **unused) {
    (void)unused;
    for (int life = 0; life < LIVES; life++) {
        (void)life_tell();
        forget();
        for (int round = 0; round < 2; round++) {
            const size_t acknowledged_before = acknowledged, passed_before = passed_count;
            for (size_t i = 0; i < told_count; i++) {
                told_take(&told[i]);
                while (passed_taken < passed_count) passed_take();
            }
            if (round && (acknowledged != acknowledged_before || passed_count != passed_before))
                fail_msg("seed %llu, life %d: %zu acknowledgments and %zu steps more", seed, life, acknowledged - acknowledged_before,
                         passed_count - passed_before);
        }
        if (!engine_abort(here.engine, &error)) fail_msg("%s", error.text);
    }
    forget();
}

static int make_all(void **unused) {
    types[STEP] = &document_step_type;
    types[ACK] = &posting_ack_type;
    types[DOCUMENT] = &document_state_type;
    for (int i = STEP; i < OTHER; i++)
        if (!(plans[i] = codec_plan_own(types[i], &error))) fail_msg("%s", error.text);
    if (make_scratch(unused) != 0) return -1;
    open_instance();
    return 0;
}

static int delete_all(void **unused) {
    close_instance();
    for (int i = STEP; i < OTHER; i++) codec_plan_free(plans[i]);
    return delete_scratch(unused);
}

int main(void) {
    random_start();
    seed = random_state;
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(any_order_gives_the_same, make_all, delete_all),
                                       cmocka_unit_test_setup_teardown(told_again_nothing_comes_of_it, make_all, delete_all)};
    return cmocka_run_group_tests_name("acknowledger_order", tests, NULL, NULL);
}
