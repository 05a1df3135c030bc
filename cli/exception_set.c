#include "cli/exception_set.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/scan.h"
#include "cli/trial.h"
#include "common/codec/encode.h"
#include "common/codec/plan.h"
#include "common/platform/clock.h"
#include "common/platform/nearest.h"
#include "schemas/audit_entry.h"
#include "schemas/reasons.h"
#include "schemas/review_decision.h"

enum { VALUE_MEMORY = 64 << 20, NAME_SIZE = 1024 };
static const size_t kept_memory = (size_t)8 << 30;

const char *const exception_state_names[EXCEPTION_STATES] = {"held", "waiting", "rejected"};
const char *const exception_topics[EXCEPTION_STATES] = {"exceptions.held", "exceptions.parked", "exceptions.rejected"};

/* ---- the filter ---- */

static struct slice text_option(const struct invocation *invocation, const char *name) { return slice_of(option_text(invocation, name, "")); }

struct code_walk { int at; };
static const char *next_code(void *context) {
    struct code_walk *walk = context;
    return walk->at < REASON_COUNT ? reasons[walk->at++].code : NULL;
}

bool exception_filter_read(struct exception_filter *filter, const struct invocation *invocation, struct error *error) {
    *filter = (struct exception_filter){.processor = text_option(invocation, "processor"), .entity = text_option(invocation, "entity"),
        .partner = text_option(invocation, "partner"), .document = text_option(invocation, "document"), .kind = text_option(invocation, "kind"),
        .reason = slice_of(option_text(invocation, "code", strcmp(invocation->words[0], "list") == 0 ? option_text(invocation, "reason", "") : "")), .source = text_option(invocation, "source"), .correlation_id = text_option(invocation, "correlation-id"),
        .batch = text_option(invocation, "batch"), .period = text_option(invocation, "period"),
        .has_minimum = option_given(invocation, "amount-from"), .has_maximum = option_given(invocation, "amount-to"),
        .minimum_e4 = option_number(invocation, "amount-from", 0), .maximum_e4 = option_number(invocation, "amount-to", 0),
        .older_ms = option_number(invocation, "older", 0), .newer_ms = option_number(invocation, "newer", 0)};
    if (option_given(invocation, "supplier")) filter->partner = text_option(invocation, "supplier");
    struct code_walk walk = {0};
    for (int i = 0; filter->reason.length && i < REASON_COUNT; i++)
        if (slice_equal(filter->reason, slice_of(reasons[i].code))) return true;
    if (!filter->reason.length) return true;
    const char *nearest = nearest_name(filter->reason.data, next_code, &walk);
    return nearest ? error_set(error, "there is no reason %s; did you mean %s?", filter->reason.data, nearest)
                   : error_set(error, "there is no reason %s; docs/reasons.md lists them", filter->reason.data);
}

bool exception_filter_asks(const struct exception_filter *filter) {
    return filter->processor.length || filter->entity.length || filter->partner.length || filter->document.length || filter->kind.length || filter->reason.length ||
           filter->source.length || filter->correlation_id.length || filter->batch.length || filter->period.length || filter->has_minimum || filter->has_maximum ||
           filter->older_ms || filter->newer_ms;
}

static bool asked(struct slice wanted, struct slice found) { return !wanted.length || slice_equal(wanted, found); }
static bool begins(struct slice text, struct slice with) { return text.length >= with.length && memcmp(text.data, with.data, with.length) == 0; }

static bool in_batch(struct slice correlation_id, struct slice batch) {
    return !batch.length || (begins(correlation_id, batch) && (correlation_id.length == batch.length || strchr("/:-", correlation_id.data[batch.length])));
}

static bool in_period(const struct exception_record *record, struct slice period) {
    char date[TIME_TEXT_SIZE];
    if (!period.length) return true;
    return record->has_document_date && begins(slice_of(date_text(record->document_date, date)), period);
}

static bool has_reason(const struct exception_record *record, struct slice code) {
    for (size_t i = 0; i < record->reasons.count; i++)
        if (slice_equal(record->reasons.items[i].code, code)) return true;
    return !code.length;
}

static bool has_amount(const struct exception_record *record, const struct exception_filter *filter) {
    if (!filter->has_minimum && !filter->has_maximum) return true;
    int64_t amount = record->amount_e4 < 0 ? -record->amount_e4 : record->amount_e4;
    return record->has_amount && (!filter->has_minimum || amount >= filter->minimum_e4) && (!filter->has_maximum || amount <= filter->maximum_e4);
}

static bool is_named(const struct exception_record *record, const struct exception_filter *filter) {
    for (size_t i = 0; i < filter->id_count; i++)
        if (exception_is(record, filter->ids[i])) return true;
    return !filter->id_count;
}

/* A decision that was refused is told to who took it; as an exception it is shown when it is asked for. */
static bool is_document(const struct exception_record *record, const struct exception_filter *filter) {
    if (!slice_equal(record->processor, SLICE("reviewer")) || slice_equal(filter->processor, record->processor)) return true;
    for (size_t i = 0; i < filter->id_count; i++)
        if (begins(slice_of(filter->ids[i]), SLICE("reviewer/")) || begins(slice_of(filter->ids[i]), SLICE("review.decisions/"))) return true;
    return false;
}

static bool passes(const struct exception_record *record, const struct exception_filter *filter) {
    return is_document(record, filter) && asked(filter->processor, record->processor) && asked(filter->entity, record->entity) && asked(filter->partner, record->partner) &&
           asked(filter->document, record->document) && asked(filter->kind, record->kind) && asked(filter->source, record->source) &&
           asked(filter->correlation_id, record->correlation_id) && in_batch(record->correlation_id, filter->batch) && in_period(record, filter->period) &&
           has_reason(record, filter->reason) && has_amount(record, filter) && is_named(record, filter);
}

const char *exception_id(const struct exception_record *record, char id[EXCEPTION_ID_SIZE]) {
    const char *place = record->origin.length ? memchr(record->origin.data, '/', record->origin.length) : NULL;
    size_t length = place ? record->origin.length - (size_t)(place - record->origin.data) : 0;
    snprintf(id, EXCEPTION_ID_SIZE, SLICE_FORMAT "%.*s", SLICE_ARGUMENT(record->processor), (int)length, place ? place : "");
    return id;
}

bool exception_is(const struct exception_record *record, const char *word) {
    char id[EXCEPTION_ID_SIZE];
    const struct slice text = slice_of(word);
    return strcmp(exception_id(record, id), word) == 0 || slice_equal(record->origin, text) || slice_equal(record->document, text) || slice_equal(record->event_id, text);
}

/* ---- reading ---- */

/* A copy that lasts: through its own bytes. */
static bool copy_record(struct exception_set *set, const struct exception_record *record, struct exception_record *copy) {
    struct exception_record without = *record;
    if (!set->filter.values) without.value = (struct slice){"", 0};
    buffer_reset(&set->scratch);
    const char *bytes = codec_encode(&exception_record_type, &without, &set->scratch) ? arena_copy(&set->kept, set->scratch.data, set->scratch.length) : NULL;
    return bytes && codec_decode(set->plan, bytes, set->scratch.length, &set->kept, copy) == CODEC_OK;
}

static bool item_of(struct exception_set *set, enum exception_state state, struct slice origin, struct exception_item **item) {
    char name[NAME_SIZE];
    uint32_t number;
    bool added;
    int length = snprintf(name, sizeof name, "%d" SLICE_FORMAT, (int)state, SLICE_ARGUMENT(origin));
    if (!intern_add(&set->origins, (struct slice){name, (size_t)length < sizeof name ? (size_t)length : sizeof name - 1}, &number, &added)) return false;
    if (number >= set->capacity) {
        uint32_t capacity = set->capacity ? set->capacity * 2 : 1024;
        struct exception_item *grown = realloc(set->items, capacity * sizeof *grown);
        if (!grown) return false;
        set->items = grown;
        set->capacity = capacity;
    }
    *item = &set->items[number];
    if (added) **item = (struct exception_item){.state = state};
    if (number >= set->count) set->count = number + 1;
    return true;
}

static enum scan_step take(void *context, const struct kafka_record *record, struct error *error) {
    struct exception_set *set = context;
    struct exception_record exception;
    struct exception_item *item = NULL;
    struct error why;
    const enum exception_state state = set->states[record->topic_index];
    arena_reset(&set->arena);
    enum values_result read = values_decode(set->values, record->value, &exception_record_type, &set->arena, &exception, &why);
    if (read == VALUES_OK) {
        const bool open = !slice_equal(exception.outcome, SLICE("released"));
        bool ok = item_of(set, state, exception.origin, &item);
        if (ok && (!item->open || !open)) item->since_ms = record->timestamp_ms;
        if (ok) {
            item->told_ms = record->timestamp_ms;
            item->open = (open || set->filter.closed) && passes(&exception, &set->filter);
            ok = !item->open || copy_record(set, &exception, &item->record);
        }
        if (ok) return SCAN_MORE;
        error_set(error, "out of memory for the exceptions; ask for fewer with a filter");
        return SCAN_FAILED;
    }
    error_set(error, "%s/%" PRId32 "/%" PRId64 ": %s", record->topic, record->partition, record->offset, why.text);
    return SCAN_FAILED;
}

static int by_place(const void *a, const void *b) {
    const struct exception_item *x = a, *y = b;
    int32_t partition[2];
    int64_t offset[2] = {0, 0};
    int order = slice_compare(x->record.processor, y->record.processor);
    if (order) return order;
    partition[0] = origin_partition(x->record.origin, &offset[0]);
    partition[1] = origin_partition(y->record.origin, &offset[1]);
    if (partition[0] != partition[1]) return partition[0] < partition[1] ? -1 : 1;
    if (offset[0] != offset[1]) return offset[0] < offset[1] ? -1 : 1;
    return (int)x->state - (int)y->state;
}

/* Those that are open and of the age that is asked for. */
static void keep_asked(struct exception_set *set) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        const int64_t age_ms = set->now_ms - set->items[i].since_ms;
        if (!set->items[i].open || (set->filter.older_ms && age_ms < set->filter.older_ms) || (set->filter.newer_ms && age_ms >= set->filter.newer_ms)) continue;
        set->items[kept++] = set->items[i];
    }
    set->count = kept;
    if (kept) qsort(set->items, kept, sizeof *set->items, by_place);
}

bool exception_set_read(struct exception_set *set, const struct connection *connection, const struct exception_filter *filter, struct error *error) {
    *set = (struct exception_set){.connection = connection, .filter = *filter, .now_ms = clock_wall_ms()};
    arena_init(&set->arena, 1 << 16, VALUE_MEMORY);
    arena_init(&set->kept, 1 << 20, kept_memory);
    intern_init(&set->origins);
    intern_init(&set->decisions);
    set->plan = codec_plan_own(&exception_record_type, error);
    if (!set->plan || !values_open(&set->values, connection, error)) return false;
    struct scan scan = {.connection = connection, .partition = SCAN_ALL_PARTITIONS, .from_offset = SCAN_FROM_BEGINNING, .progress = "reading", .visit = take, .context = set};
    for (int state = 0; state < EXCEPTION_STATES; state++) {
        if (!filter->states[state]) continue;
        set->states[scan.topic_count] = (enum exception_state)state;
        scan.topics[scan.topic_count++] = exception_topics[state];
    }
    if (!scan_run(&scan, error)) return false;
    keep_asked(set);
    return true;
}

void exception_set_close(struct exception_set *set) {
    codec_plan_free(set->plan);
    values_close(set->values);
    arena_free(&set->arena);
    arena_free(&set->kept);
    buffer_free(&set->scratch);
    intern_free(&set->origins);
    intern_free(&set->decisions);
    free(set->items);
    *set = (struct exception_set){.count = 0};
}

/* ---- what people have decided so far ---- */

/* It was held or waited when its correction went out. */
static bool was_replaced(const struct exception_record *record) { return has_reason(record, SLICE("REPLACED")); }

struct decided { struct exception_set *set; struct intern origins; uint32_t *item_of; };

static struct exception_item *decided_item(struct decided *decided, struct slice origin) {
    uint32_t number;
    return intern_find(&decided->origins, origin, &number) ? &decided->set->items[decided->item_of[number]] : NULL;
}

static bool keep_text(struct exception_set *set, struct slice text, struct slice *kept) {
    const char *copy = arena_copy(&set->kept, text.data, text.length);
    *kept = (struct slice){copy, copy ? text.length : 0};
    return copy;
}

static enum scan_step take_decision(struct decided *decided, struct slice value, struct error *why) {
    struct exception_set *set = decided->set;
    struct review_decision decision;
    uint32_t number;
    enum values_result read = values_decode(set->values, value, &review_decision_type, &set->arena, &decision, why);
    if (read == VALUES_FAILED) return SCAN_FAILED;
    struct exception_item *item = read == VALUES_OK ? decided_item(decided, decision.origin) : NULL;
    if (!item) return SCAN_MORE;
    bool ok = intern_add(&set->decisions, decision.event_id, &number, NULL);
    if (ok && (decision.action == REVIEW_ACTION_REASSIGN || decision.action == REVIEW_ACTION_ASK) && decision.assignee.length) ok = keep_text(set, decision.assignee, &item->assignee);
    if (decision.action == REVIEW_ACTION_CORRECT) item->corrections++;
    if (!ok) error_set(why, "out of memory");
    return ok ? SCAN_MORE : SCAN_FAILED;
}

/* Retries that the processor has made: each may be asked for again, and is counted. Corrections that the reviewer has sent. */
static enum scan_step take_audit(struct decided *decided, const struct kafka_record *record, struct error *why) {
    struct exception_set *set = decided->set;
    struct audit_entry entry;
    enum values_result read = values_decode(set->values, record->value, &audit_entry_type, &set->arena, &entry, why);
    if (read == VALUES_FAILED) return SCAN_FAILED;
    struct exception_item *item = read == VALUES_OK ? decided_item(decided, entry.origin) : NULL;
    if (item && entry.outcome == AUDIT_OUTCOME_DONE && slice_equal(entry.action, SLICE("retry")) && slice_equal(entry.processor, item->record.processor)) {
        item->retries++;
        item->failures += record->timestamp_ms >= item->told_ms;    /* other reasons would have been told */
    }
    if (item && item->state == EXCEPTION_REJECTED && entry.outcome == AUDIT_OUTCOME_DONE && entry.corrected_to.length) item->corrected = true;
    return SCAN_MORE;
}

static enum scan_step take_decided(void *context, const struct kafka_record *record, struct error *error) {
    struct decided *decided = context;
    struct error why;
    arena_reset(&decided->set->arena);
    enum scan_step step = record->topic_index == 0 ? take_decision(decided, record->value, &why) : take_audit(decided, record, &why);
    if (step == SCAN_FAILED) error_set(error, "%s: %s", record->topic, why.text);
    return step;
}

const char *exception_state_name(const struct exception_item *item) { return item->corrected ? "corrected" : exception_state_names[item->state]; }

static void keep_by_correction(struct exception_set *set) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        const bool wanted = set->filter.corrected == CORRECTED_TOO || (set->filter.corrected == CORRECTED_ALONE) == set->items[i].corrected;
        if (wanted) set->items[kept++] = set->items[i];
    }
    set->count = kept;
}

bool exception_set_decisions(struct exception_set *set, struct error *error) {
    struct decided decided = {.set = set, .item_of = calloc((size_t)set->count + 1, sizeof *decided.item_of)};
    bool ok = decided.item_of != NULL;
    intern_init(&decided.origins);
    for (uint32_t i = 0, number; ok && i < set->count; i++) {
        ok = intern_add(&decided.origins, set->items[i].record.origin, &number, NULL);
        if (ok) decided.item_of[number] = i;
        set->items[i].corrected = set->items[i].state == EXCEPTION_REJECTED && was_replaced(&set->items[i].record);
    }
    if (!ok) error_set(error, "out of memory");
    const struct scan scan = {.connection = set->connection, .topics = {"review.decisions", "audit"}, .topic_count = 2, .partition = SCAN_ALL_PARTITIONS,
                              .from_offset = SCAN_FROM_BEGINNING, .progress = "reading decisions", .visit = take_decided, .context = &decided};
    ok = ok && (!set->count || scan_run(&scan, error));
    intern_free(&decided.origins);
    free(decided.item_of);
    if (ok) keep_by_correction(set);
    return ok;
}
