/* parking: the events that wait, under their document and under every missing key. The events are records of the state (store STORE_PARKED, key: their
 * sequence number); the indexes are memory, rebuilt when a task opens or a batch is aborted.
 *
 * Release is level-triggered: when a task opens and after a table has changed, every distinct missing key is looked up; nothing depends on having seen the
 * change go by. A put under a key of the state triggers what waits for it at once. Triggers are worked off, oldest event first, before the next record
 * is taken; those that a kill leaves behind are found again by the look-up at opening. */
#include <stdio.h>
#include <stdlib.h>

#include "common/platform/hash.h"
#include "common/runtime/engine_internal.h"

static struct slice sequence_key(char bytes[8], uint64_t sequence) {
    for (int i = 7; i >= 0; i--, sequence >>= 8) bytes[i] = (char)(sequence & 255);
    return (struct slice){bytes, 8};
}

static uint64_t sequence_read(struct slice key) {
    uint64_t sequence = 0;
    for (size_t i = 0; i < 8; i++) sequence = sequence << 8 | (unsigned char)key.data[i];
    return sequence;
}

/* Keys of the indexes: a document is its store and key; a missing key says besides whether it is a table's, as of when, and whether any change will do. */
enum { INDEX_KEY_SIZE = STATE_KEY_MAXIMUM + 16 };

static struct slice document_index_key(char bytes[INDEX_KEY_SIZE], int wire_store, struct slice key) {
    size_t length = key.length < STATE_KEY_MAXIMUM ? key.length : STATE_KEY_MAXIMUM;
    bytes[0] = (char)wire_store;
    if (length) memcpy(bytes + 1, key.data, length);
    return (struct slice){bytes, length + 1};
}

static struct slice missing_index_key(char bytes[INDEX_KEY_SIZE], const struct parked_missing *missing) {
    size_t length = missing->key.length < STATE_KEY_MAXIMUM ? missing->key.length : STATE_KEY_MAXIMUM, at = 0;
    bytes[at++] = missing->table < 0 ? 'S' : 'T';
    bytes[at++] = (char)(missing->table < 0 ? STORE_FIRST + missing->store : missing->table);
    bytes[at++] = missing->any_change ? 1 : 0;
    memcpy(bytes + at, &missing->date, sizeof missing->date);
    at += sizeof missing->date;
    if (length) memcpy(bytes + at, missing->key.data, length);
    return (struct slice){bytes, at + length};
}

/* Where an event came from; only those that were brought to this task from another are found by it: people know them by their number there. */
static struct slice origin_index_key(char bytes[INDEX_KEY_SIZE], int32_t input, int32_t partition, int64_t offset) {
    memcpy(bytes, &input, sizeof input);
    memcpy(bytes + sizeof input, &partition, sizeof partition);
    memcpy(bytes + sizeof input + sizeof partition, &offset, sizeof offset);
    return (struct slice){bytes, sizeof input + sizeof partition + sizeof offset};
}

/* ---- deadlines: a heap ---- */

static bool deadline_before(struct parked_deadline a, struct parked_deadline b) {
    return a.at_ms != b.at_ms ? a.at_ms < b.at_ms : a.sequence < b.sequence;
}

bool deadlines_push(struct deadlines *deadlines, struct parked_deadline deadline) {
    if (deadlines->count == deadlines->capacity) {
        size_t capacity = deadlines->capacity ? deadlines->capacity * 2 : 64;
        struct parked_deadline *grown = realloc(deadlines->items, capacity * sizeof *grown);
        if (!grown) return false;
        deadlines->items = grown;
        deadlines->capacity = capacity;
    }
    struct parked_deadline *items = deadlines->items;
    size_t at = deadlines->count++;
    for (; at && deadline_before(deadline, items[(at - 1) / 2]); at = (at - 1) / 2) items[at] = items[(at - 1) / 2];
    items[at] = deadline;
    return true;
}

uint64_t deadlines_pop_until(struct deadlines *deadlines, int64_t time_ms) {
    struct parked_deadline *items = deadlines->items;
    if (!deadlines->count || items[0].at_ms > time_ms) return INDEX_NONE;
    uint64_t sequence = items[0].sequence;
    size_t at = 0, count = --deadlines->count;
    struct parked_deadline last = items[count];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && deadline_before(items[child + 1], items[child])) child++;
        if (!deadline_before(items[child], last)) break;
        items[at] = items[child];
    }
    if (count) items[at] = last;
    return sequence;
}

uint64_t parking_expired(struct task *task, int64_t time_ms) { return deadlines_pop_until(&task->parking.by_stream, time_ms); }

/* ---- indexes ---- */

static uint64_t *count_of(struct parking *parking, enum parked_status status) {
    switch (status) {
    case PARKED_STATUS_WAITING: return &parking->counts.parked;
    case PARKED_STATUS_HELD: return &parking->counts.held;
    case PARKED_STATUS_DEFERRED: return &parking->counts.deferred;
    case PARKED_STATUS_BEHIND: break;
    }
    return &parking->counts.behind;
}

static bool has_deadline(const struct parked_event *parked) { return parked->status == PARKED_STATUS_WAITING || parked->status == PARKED_STATUS_DEFERRED; }

/* One more of it, or one less: the sums of what people are shown. */
static void sums_change(struct task *task, const struct parked_event *parked, int by) {
    struct waiting_sums *sums = &task->parking.sums;
    if (parked->status != PARKED_STATUS_WAITING && parked->status != PARKED_STATUS_HELD) return;
    uint64_t *by_reason = parked->status == PARKED_STATUS_HELD ? sums->held_by_reason : sums->parked_by_reason;
    for (size_t i = 0; i < parked->reasons.count; i++) {
        const enum reason reason = reason_of(parked->reasons.items[i].code);
        if (reason < REASON_COUNT && reasons[reason].class != CLASS_NOTE) by_reason[reason] += (uint64_t)(int64_t)by;
    }
    for (size_t i = 0; i < parked->missing.count; i++) {
        const struct parked_missing *missing = &parked->missing.items[i];
        if (missing->table >= 0 && missing->table < MASTER_COUNT) sums->for_table[missing->table] += (uint64_t)(int64_t)by;
        else if (missing->table < 0 && missing->store >= 0 && missing->store < STORES_MAXIMUM) sums->for_store[missing->store] += (uint64_t)(int64_t)by;
    }
}

static bool index_insert(struct task *task, uint64_t sequence, const struct parked_event *parked) {
    struct parking *parking = &task->parking;
    char key[INDEX_KEY_SIZE];
    if (!index_add(&parking->by_document, document_index_key(key, parked->document_store, parked->document), sequence)) return false;
    if (parked->partition >= 0 && !index_add(&parking->by_origin, origin_index_key(key, parked->input, parked->partition, parked->offset), sequence)) return false;
    ++*count_of(parking, parked->status);
    sums_change(task, parked, 1);
    char number[8];
    if (parked->status != PARKED_STATUS_DEFERRED && (!index_add(&parking->by_number, sequence_key(number, sequence), sequence) ||
        !deadlines_push(&parking->by_age, (struct parked_deadline){parked->timestamp_ms, sequence}))) return false;
    if (parked->status == PARKED_STATUS_HELD && (!index_add(&parking->held, sequence_key(number, sequence), sequence) ||
        !deadlines_push(&parking->held_by_age, (struct parked_deadline){parked->timestamp_ms, sequence}))) return false;
    for (size_t i = 0; i < parked->missing.count; i++)
        if (!index_add(&parking->by_missing, missing_index_key(key, &parked->missing.items[i]), sequence)) return false;
    if (!has_deadline(parked)) return true;
    return deadlines_push(&parking->by_stream, (struct parked_deadline){parked->deadline_ms, sequence}) && ticks_wait(task, sequence, parked);
}

static void index_erase(struct task *task, uint64_t sequence, const struct parked_event *parked) {
    struct parking *parking = &task->parking;
    char key[INDEX_KEY_SIZE];
    index_remove(&parking->by_document, document_index_key(key, parked->document_store, parked->document), sequence);
    if (parked->partition >= 0) index_remove(&parking->by_origin, origin_index_key(key, parked->input, parked->partition, parked->offset), sequence);
    --*count_of(parking, parked->status);
    sums_change(task, parked, -1);
    char number[8];
    index_remove(&parking->by_number, sequence_key(number, sequence), sequence);
    if (!parking->by_number.key_count) parking->by_age.count = 0;
    index_remove(&parking->held, sequence_key(number, sequence), sequence);
    if (!parking->held.key_count) parking->held_by_age.count = 0;
    for (size_t i = 0; i < parked->missing.count; i++) index_remove(&parking->by_missing, missing_index_key(key, &parked->missing.items[i]), sequence);
    if (!has_deadline(parked)) return;
    ticks_leave(task, parked);
    if (!parking->counts.parked && !parking->counts.deferred) parking->by_stream.count = parking->by_broker.count = 0;   /* all of them have left */
}

void parking_free(struct task *task) {
    index_free(&task->parking.by_document);
    index_free(&task->parking.by_missing);
    index_free(&task->parking.by_origin);
    index_free(&task->parking.by_number);
    index_free(&task->parking.held);
    free(task->parking.by_age.items);
    free(task->parking.held_by_age.items);
    free(task->parking.by_stream.items);
    free(task->parking.by_broker.items);
    free(task->parking.unmarked);
    task->parking = (struct parking){0};
    for (struct trigger *trigger = task->first_trigger, *next; trigger; trigger = next) {
        next = trigger->next;
        free(trigger);
    }
    task->first_trigger = NULL;
    task->last_trigger = &task->first_trigger;
}

static bool trigger_add(struct task *task, bool document, struct slice key) {
    struct trigger *trigger = malloc(sizeof *trigger + key.length);
    if (!trigger) return false;
    *trigger = (struct trigger){.document = document, .length = key.length};
    memcpy(trigger->key, key.data, key.length);
    *task->last_trigger = trigger;
    task->last_trigger = &trigger->next;
    return true;
}

struct loading { struct task *task; bool failed, unreadable; };

/* Whether it can have come from there, or, deferred, can go there: what kontor has not written may say anything. */
static bool has_topic(const struct processor *processor, const struct parked_event *parked) {
    const bool deferred = parked->status == PARKED_STATUS_DEFERRED;
    if (parked->input < 0 || parked->input >= (deferred ? OUTPUTS_MAXIMUM : INPUTS_MAXIMUM)) return false;
    return deferred ? processor->outputs[parked->input].topic : processor->inputs[parked->input].topic;
}

static bool load_one(void *context, struct slice key, struct state_value value) {
    struct loading *loading = context;
    struct engine *engine = loading->task->engine;
    struct kept kept;
    enum engine_result result = key.length == 9 ? overlay_decode(loading->task, STORE_PARKED, value, &kept) : ENGINE_REBUILD;
    if (result == ENGINE_ABORT) return !(loading->failed = true);
    if (result != ENGINE_DONE || !kept.object || !has_topic(engine->processor, kept.object)) return !(loading->unreadable = true);
    const struct parked_event *parked = kept.object;
    struct task *task = loading->task;
    uint64_t sequence = sequence_read((struct slice){key.data + 1, 8});
    char document[INDEX_KEY_SIZE];
    struct slice document_key = document_index_key(document, parked->document_store, parked->document);
    /* Behind nothing, or held and its turn had come: a kill came before it. The scan ascends, so the first of a document is met first. */
    bool orphan = (parked->status == PARKED_STATUS_BEHIND || parked->again) && index_next(&task->parking.by_document, document_key, 0) == INDEX_NONE;
    if (!index_insert(task, sequence, parked) || (orphan && !trigger_add(task, true, document_key))) loading->failed = true;
    if (sequence >= task->next_sequence) task->next_sequence = sequence + 1;
    arena_reset(&engine->arena);
    return !loading->failed;
}

bool parking_load(struct task *task, struct error *error) {
    static const char prefix = STORE_PARKED;
    struct loading loading = {task, false, false};
    parking_free(task);
    enum state_result result = state_scan(task->state, (struct slice){&prefix, 1}, load_one, &loading, error);
    if (loading.unreadable || result == STATE_CORRUPT) return error_set(error, "partition %d: an event that waits cannot be read from the state", task->partition);
    if (result == STATE_FAILED) return false;
    if (loading.failed) return error_set(error, "partition %d: out of memory for the events that wait", task->partition);
    task->look_all_up = task->opened = true;
    return true;
}

/* The earliest event time of those in the index; 0: there is none. */
static int64_t oldest_of(struct deadlines *by_age, struct index *index) {
    char number[8];
    while (by_age->count && index_next(index, sequence_key(number, by_age->items[0].sequence), 0) == INDEX_NONE) (void)deadlines_pop_until(by_age, INT64_MAX);
    return by_age->count ? by_age->items[0].at_ms : 0;
}

struct task_waiting task_waiting(struct task *task) {
    struct parking *parking = &task->parking;
    struct task_waiting waiting = parking->counts;
    waiting.oldest_ms = oldest_of(&parking->by_age, &parking->by_number);
    waiting.oldest_held_ms = oldest_of(&parking->held_by_age, &parking->held);
    waiting.stream_time_ms = task->stream_time_ms;
    return waiting;
}

void task_waiting_add(const struct task *task, struct waiting_sums *sums) {
    const struct waiting_sums *own = &task->parking.sums;
    for (int i = 0; i < REASON_COUNT; i++) {
        sums->parked_by_reason[i] += own->parked_by_reason[i];
        sums->held_by_reason[i] += own->held_by_reason[i];
    }
    for (int i = 0; i < MASTER_COUNT; i++) sums->for_table[i] += own->for_table[i];
    for (int i = 0; i < STORES_MAXIMUM; i++) sums->for_store[i] += own->for_store[i];
}

/* ---- storing and leaving ---- */

const struct parked_event *parking_find(struct decision *decision, uint64_t sequence) {
    char key[8];
    return overlay_find(decision, STORE_PARKED, sequence_key(key, sequence))->kept.object;
}

/* The later of the event's time and the task's. */
static int64_t time_now(const struct decision *decision) {
    const struct task *task = decision->task;
    return decision->time_ms > task->stream_time_ms ? decision->time_ms : task->stream_time_ms;
}

static void put(struct decision *decision, uint64_t sequence, const struct parked_event *parked) {
    char key[8];
    overlay_put(overlay_find(decision, STORE_PARKED, sequence_key(key, sequence)), parked);
    if (!index_insert(decision->task, sequence, parked)) decision_fail(decision, ENGINE_ABORT, "out of memory for the events that wait");
}

void parking_store(struct decision *decision, uint64_t sequence, const struct parked_event *before, enum parked_status status) {
    struct task *task = decision->task;
    const struct engine_message *message = decision->message;
    struct parked_event *parked = decision_alloc(decision, sizeof *parked);
    if (before) {
        index_erase(task, sequence, before);
        *parked = *before;
    } else {
        const struct document *document = &decision->envelope.document;
        sequence = task->next_sequence++;
        *parked = (struct parked_event){.input = message->input, .offset = message->offset, .timestamp_ms = decision->time_ms, .key = message->key,
            .value = message->value, .document_store = STORE_FIRST + document->store, .document = document->key,
            .establishes = decision->envelope.establishes, .deadline_ms = INT64_MAX, .limit_ms = -1, .partition = -1};
    }
    /* The limit runs from the first time that the event itself waits; waiting again prolongs nothing. */
    if (status == PARKED_STATUS_WAITING && parked->deadline_ms == INT64_MAX) {
        int64_t limit = INT64_MAX;
        for (size_t i = 0; i < decision->missing_count; i++) {
            int64_t kind_ms = decision->missing[i].table < 0 ? decision->state_limit_ms : decision->table_limit_ms;
            if (kind_ms < limit) limit = kind_ms;
        }
        if (limit < 0) limit = 0;   /* a master record may have any number */
        int64_t from = time_now(decision);
        parked->deadline_ms = from > INT64_MAX - limit ? INT64_MAX - 1 : from + limit;
        parked->limit_ms = limit;
        parked->waits_from_ms = task->broker_time_ms;
    }
    decision->item = sequence;
    parked->again = false;
    parked->status = status;
    struct parked_reason *why = decision_alloc(decision, (decision->reason_count + 1) * sizeof *why);
    for (size_t i = 0; i < decision->reason_count; i++)
        why[i] = (struct parked_reason){slice_of(reasons[decision->reasons[i].reason].code), slice_of(decision->reasons[i].field), slice_of(decision->reasons[i].text)};
    parked->reasons.items = why;
    parked->reasons.count = decision->reason_count;
    struct parked_missing *missing = decision_alloc(decision, (decision->missing_count + 1) * sizeof *missing);
    memcpy(missing, decision->missing, decision->missing_count * sizeof *missing);
    parked->missing.items = missing;
    /* What is held until something changes keeps all its keys: decided anew it may still miss the others. */
    parked->missing.count = status == PARKED_STATUS_WAITING || (status == PARKED_STATUS_HELD && decision->held_until) ? decision->missing_count : 0;
    put(decision, sequence, parked);
}

void parking_replace(struct decision *decision, uint64_t sequence, const struct parked_event *parked) {
    char key[8];
    overlay_put(overlay_find(decision, STORE_PARKED, sequence_key(key, sequence)), parked);
}

void parking_defer(struct decision *decision, const struct deferral *deferral) {
    struct task *task = decision->task;
    uint64_t earlier = parking_first_of(task, STORE_ENGINE, deferral->name, 0);
    if (earlier != INDEX_NONE) parking_remove(decision, earlier, parking_find(decision, earlier));
    if (!deferral->bytes.length) return;
    struct parked_event *parked = decision_alloc(decision, sizeof *parked);
    int64_t now = time_now(decision);
    *parked = (struct parked_event){.status = PARKED_STATUS_DEFERRED, .input = deferral->output, .timestamp_ms = deferral->at_ms, .key = deferral->key, .value = deferral->bytes,
        .document_store = STORE_ENGINE, .document = deferral->name, .deadline_ms = deferral->at_ms, .limit_ms = deferral->at_ms > now ? deferral->at_ms - now : 0,
        .waits_from_ms = task->broker_time_ms, .partition = -1};
    put(decision, task->next_sequence++, parked);
}

void parking_remove(struct decision *decision, uint64_t sequence, const struct parked_event *parked) {
    char key[8];
    index_erase(decision->task, sequence, parked);
    overlay_put(overlay_find(decision, STORE_PARKED, sequence_key(key, sequence)), NULL);
}

uint64_t parking_first_of(const struct task *task, int wire_store, struct slice document, uint64_t from) {
    char key[INDEX_KEY_SIZE];
    return index_next(&task->parking.by_document, document_index_key(key, wire_store, document), from);
}

uint64_t parking_of_origin(const struct task *task, struct slice origin) {
    for (int i = 0; task->parking.by_origin.key_count && i < INPUTS_MAXIMUM && task->engine->processor->inputs[i].topic; i++) {
        const struct slice topic = slice_of(task->engine->processor->inputs[i].topic);
        char text[64], key[INDEX_KEY_SIZE];
        int partition;
        long long offset;
        if (origin.length <= topic.length || origin.length - topic.length >= sizeof text || memcmp(origin.data, topic.data, topic.length) != 0) continue;
        snprintf(text, sizeof text, "%.*s", (int)(origin.length - topic.length), origin.data + topic.length);
        if (sscanf(text, "/%d/%lld", &partition, &offset) == 2) return index_next(&task->parking.by_origin, origin_index_key(key, i, partition, offset), 0);
    }
    return INDEX_NONE;
}

/* ---- triggers ---- */

static void trigger(struct decision *decision, bool document, struct slice key) {
    if (!trigger_add(decision->task, document, key)) decision_fail(decision, ENGINE_ABORT, "out of memory for the events that wait");
}

void parking_trigger_document(struct decision *decision, int wire_store, struct slice document) {
    char key[INDEX_KEY_SIZE];
    const struct slice index_key = document_index_key(key, wire_store, document);
    const uint64_t first = index_next(&decision->task->parking.by_document, index_key, 0);
    if (first == INDEX_NONE) return;
    const struct parked_event *parked = parking_find(decision, first);
    if (parked && parked->status == PARKED_STATUS_HELD && !parked->again) {
        struct parked_event *due = decision_alloc(decision, sizeof *due);
        *due = *parked;
        due->again = true;
        parking_replace(decision, first, due);
    }
    trigger(decision, true, index_key);
}

void parking_trigger_state(struct decision *decision, int wire_store, struct slice state_key) {
    char key[INDEX_KEY_SIZE];
    const struct parked_missing missing = {.table = -1, .store = wire_store - STORE_FIRST, .key = state_key};
    const struct slice index_key = missing_index_key(key, &missing);
    if (index_next(&decision->task->parking.by_missing, index_key, 0) != INDEX_NONE) trigger(decision, false, index_key);
}

/* Keys whose events are to be decided anew, in the order of their oldest events, so that the order does not hang on the index's. */
struct found { uint64_t first; size_t length; char *key; };
struct looking { struct task *task; struct found *found; size_t count, capacity; bool failed; };

static bool look_one_up(void *context, struct slice key, uint64_t first) {
    struct looking *looking = context;
    struct task *task = looking->task;
    if (key.data[0] == 'S' && !task->opened) return true;
    if (key.data[0] == 'T' && !key.data[2]) {
        int position = task->engine->table_positions[(unsigned char)key.data[1]];
        int32_t date;
        struct table_row row;
        memcpy(&date, key.data + 3, sizeof date);
        const struct slice id = {key.data + 7, key.length - 7};
        enum table_result result = position < 0 ? TABLE_MISSING : tables_find(task->engine->options.tables, (size_t)position, id, date, &row);
        if (result == TABLE_FAILED) return !(looking->failed = true);
        if (result != TABLE_FOUND) return true;
    }
    if (looking->count == looking->capacity) {
        size_t capacity = looking->capacity ? looking->capacity * 2 : 64;
        struct found *grown = realloc(looking->found, capacity * sizeof *grown);
        if (!grown) return !(looking->failed = true);
        looking->found = grown;
        looking->capacity = capacity;
    }
    char *copy = malloc(key.length);
    if (!copy) return !(looking->failed = true);
    memcpy(copy, key.data, key.length);
    looking->found[looking->count++] = (struct found){first, key.length, copy};
    return true;
}

static int found_order(const void *a, const void *b) {
    const struct found *left = a, *right = b;
    if (left->first != right->first) return left->first < right->first ? -1 : 1;
    return slice_compare((struct slice){left->key, left->length}, (struct slice){right->key, right->length});
}

bool parking_look_up(struct task *task, struct error *error) {
    struct looking looking = {.task = task};
    index_each(&task->parking.by_missing, look_one_up, &looking);
    if (looking.count) qsort(looking.found, looking.count, sizeof *looking.found, found_order);
    for (size_t i = 0; i < looking.count; i++) {
        if (!looking.failed && !trigger_add(task, false, (struct slice){looking.found[i].key, looking.found[i].length})) looking.failed = true;
        free(looking.found[i].key);
    }
    free(looking.found);
    if (looking.failed) return error_set(error, "partition %d: out of memory, or a damaged table, while looking up what waits", task->partition);
    task->look_all_up = task->opened = false;
    return true;
}

uint64_t parking_next(struct task *task) {
    for (struct trigger *trigger; (trigger = task->first_trigger);) {
        const struct index *index = trigger->document ? &task->parking.by_document : &task->parking.by_missing;
        uint64_t sequence = index_next(index, (struct slice){trigger->key, trigger->length}, trigger->from);
        if (sequence != INDEX_NONE) {
            trigger->from = sequence + 1;
            /* Of a document only the first is decided: if it goes, it triggers the document again. */
            if (!trigger->document) return sequence;
        }
        task->first_trigger = trigger->next;
        if (!task->first_trigger) task->last_trigger = &task->first_trigger;
        free(trigger);
        if (sequence != INDEX_NONE) return sequence;
    }
    return INDEX_NONE;
}
