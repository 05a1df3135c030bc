#include "cli/summary.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/origins.h"
#include "cli/scan.h"
#include "cli/values.h"
#include "schemas/acknowledgment.h"
#include "schemas/posting_command.h"

enum { VALUE_MEMORY = 256 << 20, CODES_SIZE = 1024, NAME_SIZE = 1024 };

const char *const summary_outcome_names[SUMMARY_OUTCOMES] = {"accepted", "duplicate", "rejected", "held", "parked", "poison"};
const char *const summary_problem_texts[PROBLEM_KINDS] = {
    "events have no outcome yet",
    "events have another outcome after a final one",
    "acknowledgments or dead letters are of no event",
    "journals are not balanced",
    "journals are there twice",
    "records cannot be read",
};

enum role { ROLE_EVENTS, ROLE_ACKNOWLEDGMENTS, ROLE_DEAD_LETTERS, ROLE_JOURNALS };

struct reading {
    struct summary *summary;
    struct scan scan;
    enum role roles[SCAN_TOPICS_MAXIMUM];
    struct values *values;
    struct arena arena;
    struct origins origins;
    struct intern label_codes;          /* reason codes of an event, sorted and joined by commas */
    struct intern documents, journal_keys;
    struct topic_names journal_topics;
    bool out_of_memory;
};

static void trouble(struct summary *summary, enum summary_problem problem, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void trouble(struct summary *summary, enum summary_problem problem, const char *format, ...) {
    struct summary_trouble *at = &summary->troubles[problem];
    if (at->count++) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(at->first, sizeof at->first, format, arguments);
    va_end(arguments);
}

static int compare_slices(const void *a, const void *b) { return slice_compare(*(const struct slice *)a, *(const struct slice *)b); }

/* The label of a set of reason codes; 0: none. A code that an event has twice counts once. */
static bool label_of(struct reading *reading, struct slice *codes, size_t count, uint32_t *label) {
    char joined[CODES_SIZE];
    size_t length = 0;
    qsort(codes, count, sizeof *codes, compare_slices);
    for (size_t i = 0; i < count; i++) {
        if ((i && slice_equal(codes[i], codes[i - 1])) || length + codes[i].length + 1 > sizeof joined) continue;
        if (length) joined[length++] = ',';
        if (codes[i].length) memcpy(joined + length, codes[i].data, codes[i].length);
        length += codes[i].length;
    }
    return intern_add(&reading->label_codes, (struct slice){joined, length}, label, NULL) && *label <= ORIGIN_LABEL_MAXIMUM;
}

static bool is_final(enum summary_outcome outcome) { return outcome != SUMMARY_HELD && outcome != SUMMARY_PARKED; }

/* An event's outcome as its newest record says. origin: as text, for messages. */
static void set_outcome(struct reading *reading, enum origin_result found, struct origin *event, struct slice origin, enum summary_outcome outcome,
                        struct slice *codes, size_t count) {
    if (found == ORIGIN_NONE) trouble(reading->summary, PROBLEM_NO_EVENT, SLICE_FORMAT, SLICE_ARGUMENT(origin));
    if (found != ORIGIN_FOUND) return;
    uint32_t label = 0;
    if (!label_of(reading, codes, count, &label)) reading->out_of_memory = true;
    if (event->outcome && is_final((enum summary_outcome)event->outcome - 1))
        trouble(reading->summary, PROBLEM_TWO_OUTCOMES, SLICE_FORMAT ": %s, then %s", SLICE_ARGUMENT(origin), summary_outcome_names[event->outcome - 1],
                summary_outcome_names[outcome]);
    event->outcome = (uint32_t)outcome + 1;
    event->label = label & ORIGIN_LABEL_MAXIMUM;
}

static void take_event(struct reading *reading, const struct kafka_record *record) {
    struct origin *event;
    if (origins_find(&reading->origins, record->topic_index, record->partition, record->offset, &event) != ORIGIN_FOUND) return;
    event->there = 1;
    event->synthetic = record_is_synthetic(record);
}

static void take_acknowledgment(struct reading *reading, const struct acknowledgment *acknowledgment) {
    static const enum summary_outcome outcomes[ACKNOWLEDGED_OUTCOME_COUNT] = {
        [ACKNOWLEDGED_OUTCOME_ACCEPTED] = SUMMARY_ACCEPTED, [ACKNOWLEDGED_OUTCOME_DUPLICATE] = SUMMARY_DUPLICATE,
        [ACKNOWLEDGED_OUTCOME_REJECTED] = SUMMARY_REJECTED, [ACKNOWLEDGED_OUTCOME_HELD] = SUMMARY_HELD, [ACKNOWLEDGED_OUTCOME_PARKED] = SUMMARY_PARKED};
    if (acknowledgment->later) return;      /* of what was accepted and counted (docs/document-life.md) */
    struct origin *event = NULL;
    size_t count = acknowledgment->reasons.count;
    struct slice *codes = arena_alloc(&reading->arena, (count + 1) * sizeof *codes);
    if (!codes) {
        reading->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < count; i++) codes[i] = acknowledgment->reasons.items[i].code;
    enum origin_result found = origins_find_text(&reading->origins, acknowledgment->origin, &event);
    if (found == ORIGIN_NONE && slice_equal(acknowledgment->processor, SLICE("reviewer"))) return;   /* a person's decision: no source's event, no document */
    set_outcome(reading, found, event, acknowledgment->origin, outcomes[acknowledgment->outcome], codes, count);
    /* A document is one of a kind of source: the topic, the entity, the partner and its number there. */
    struct slice topic = acknowledgment->origin;
    int32_t partition;
    int64_t offset;
    char name[NAME_SIZE];
    if (!origin_parse(acknowledgment->origin, &topic, &partition, &offset)) topic.length = 0;
    int length = snprintf(name, sizeof name, SLICE_FORMAT "\n" SLICE_FORMAT "\n" SLICE_FORMAT "\n" SLICE_FORMAT, SLICE_ARGUMENT(topic),
                          SLICE_ARGUMENT(acknowledgment->entity), SLICE_ARGUMENT(acknowledgment->partner), SLICE_ARGUMENT(acknowledgment->document));
    uint32_t number;
    if (!intern_add(&reading->documents, (struct slice){name, (size_t)length < sizeof name ? (size_t)length : sizeof name - 1}, &number, NULL))
        reading->out_of_memory = true;
    reading->summary->acknowledgments++;
}

static void take_dead_letter(struct reading *reading, const struct kafka_record *record) {
    char origin[512];
    struct slice topic = record_header(record, "kontor-topic"), partition = record_header(record, "kontor-partition");
    struct slice offset = record_header(record, "kontor-offset"), code = record_header(record, "kontor-reason");
    int length = snprintf(origin, sizeof origin, SLICE_FORMAT "/" SLICE_FORMAT "/" SLICE_FORMAT, SLICE_ARGUMENT(topic), SLICE_ARGUMENT(partition), SLICE_ARGUMENT(offset));
    struct slice text = {origin, (size_t)length < sizeof origin ? (size_t)length : sizeof origin - 1};
    struct origin *event = NULL;
    enum origin_result found = origins_find_text(&reading->origins, text, &event);
    set_outcome(reading, found, event, text, SUMMARY_POISON, &code, code.length > 0);
}

/* Room for one more at `number`, when the list has grown by one. */
static bool extend(void **list, uint32_t number, size_t size) {
    if (number & (number - 1)) return true; /* room is doubled at powers of two */
    size_t room = number ? (size_t)number * 2 : 1;
    void *grown = realloc(*list, room * size);
    if (grown) *list = grown;
    return grown;
}

static bool total_of_currency(struct summary *summary, struct slice currency, struct summary_total **total) {
    uint32_t number;
    bool added;
    if (!intern_add(&summary->currencies, currency, &number, &added) || (added && !extend((void **)&summary->totals, number, sizeof *summary->totals))) return false;
    if (added) summary->totals[number] = (struct summary_total){0, 0};
    *total = &summary->totals[number];
    return true;
}

static bool total_of_account(struct summary *summary, const struct posting_command *journal, struct slice account, struct summary_total **total) {
    char key[NAME_SIZE];
    uint32_t number;
    bool added;
    int length = snprintf(key, sizeof key, SLICE_FORMAT "\n" SLICE_FORMAT "\n" SLICE_FORMAT, SLICE_ARGUMENT(journal->entity), SLICE_ARGUMENT(account),
                          SLICE_ARGUMENT(journal->functional_currency));
    if ((size_t)length >= sizeof key) length = sizeof key - 1;
    if (!intern_add(&summary->account_keys, (struct slice){key, (size_t)length}, &number, &added)) return false;
    if (added && !extend((void **)&summary->accounts, number, sizeof *summary->accounts)) return false;
    if (added) {
        struct slice kept = intern_text(&summary->account_keys, number);
        size_t a = journal->entity.length < kept.length ? journal->entity.length : kept.length, b = a + 1 + account.length;
        struct summary_account made = {.entity = {kept.data, a}};
        if (b < kept.length) {
            made.account = (struct slice){kept.data + a + 1, account.length};
            made.currency = (struct slice){kept.data + b + 1, kept.length - b - 1};
        }
        summary->accounts[number] = made;
    }
    *total = &summary->accounts[number].functional;
    return true;
}

static void add_to(struct summary_total *total, enum journal_side side, int64_t amount) {
    if (side == JOURNAL_SIDE_DEBIT) total->debit += amount;
    else total->credit += amount;
}

static void take_journal(struct reading *reading, const struct posting_command *journal) {
    struct summary *summary = reading->summary;
    struct summary_total transaction = {0, 0}, functional = {0, 0}, *currency, *account;
    bool added, numbers = true;
    uint32_t number;
    if (!intern_add(&reading->journal_keys, journal->idempotency_key, &number, &added) || !total_of_currency(summary, journal->currency, &currency)) {
        reading->out_of_memory = true;
        return;
    }
    if (!added) trouble(summary, PROBLEM_JOURNAL_TWICE, SLICE_FORMAT, SLICE_ARGUMENT(journal->idempotency_key));
    summary->journals++;
    for (size_t i = 0; i < journal->lines.count; i++) {
        const struct journal_line *line = &journal->lines.items[i];
        summary->journal_lines++;
        numbers = numbers && codec_decimal_is_number(line->amount_e4) && codec_decimal_is_number(line->functional_e4);
        if (!numbers) break;
        if (!total_of_account(summary, journal, line->account, &account)) reading->out_of_memory = true;
        else add_to(account, line->side, line->functional_e4);
        add_to(&transaction, line->side, line->amount_e4);
        add_to(&functional, line->side, line->functional_e4);
    }
    currency->debit += transaction.debit;
    currency->credit += transaction.credit;
    if (!numbers || transaction.debit != transaction.credit || functional.debit != functional.credit)
        trouble(summary, PROBLEM_JOURNAL_UNBALANCED, SLICE_FORMAT, SLICE_ARGUMENT(journal->idempotency_key));
}

static void note_output(struct summary *summary, int64_t time_ms) {
    if (time_ms <= 0) return;
    if (!summary->first_output_ms || time_ms < summary->first_output_ms) summary->first_output_ms = time_ms;
    if (time_ms > summary->last_output_ms) summary->last_output_ms = time_ms;
}

static enum scan_step take_output(struct reading *reading, const struct kafka_record *record, bool journal, struct error *error) {
    union { struct acknowledgment acknowledgment; struct posting_command journal; } value;
    struct error why;
    arena_reset(&reading->arena);
    const struct codec_type *type = journal ? &posting_command_type : &acknowledgment_type;
    switch (values_decode(reading->values, record->value, type, &reading->arena, &value, &why)) {
    case VALUES_FAILED: error_set(error, "%s", why.text); return SCAN_FAILED;
    case VALUES_UNREADABLE:
        trouble(reading->summary, PROBLEM_UNREADABLE, "%s/%d/%lld: %.120s", record->topic, (int)record->partition, (long long)record->offset, why.text);
        return SCAN_MORE;
    case VALUES_OK: break;
    }
    if (journal) take_journal(reading, &value.journal);
    else if (!value.acknowledgment.synthetic) {   /* of no document (docs/probe.md) */
        note_output(reading->summary, record->timestamp_ms);
        take_acknowledgment(reading, &value.acknowledgment);
    }
    return SCAN_MORE;
}

static enum scan_step take_record(void *context, const struct kafka_record *record, struct error *error) {
    struct reading *reading = context;
    enum role role = reading->roles[record->topic_index];
    enum scan_step step = SCAN_MORE;
    if (role == ROLE_DEAD_LETTERS || role == ROLE_JOURNALS) note_output(reading->summary, record->timestamp_ms);
    if (role == ROLE_EVENTS) take_event(reading, record);
    else if (role == ROLE_DEAD_LETTERS) take_dead_letter(reading, record);
    else step = take_output(reading, record, role == ROLE_JOURNALS, error);
    if (!reading->out_of_memory) return step;
    error_set(error, "out of memory");
    return SCAN_FAILED;
}

static void take_range(void *context, size_t topic, int32_t partition, int64_t begin, int64_t end) {
    struct reading *reading = context;
    if (reading->roles[topic] == ROLE_EVENTS && !origins_set_range(&reading->origins, topic, partition, begin, end)) reading->out_of_memory = true;
}

static bool add_topic(struct reading *reading, const char *topic, enum role role) {
    if (reading->scan.topic_count == SCAN_TOPICS_MAXIMUM) return false;
    reading->roles[reading->scan.topic_count] = role;
    reading->scan.topics[reading->scan.topic_count++] = topic;
    return true;
}

/* Of events; what is kontor's own may be unreadable too, and is no event. */
static bool is_dead_letters(const struct topic_list *list, const char *name) {
    const struct topic *of = strncmp(name, "dlq.", 4) == 0 ? topic_list_find(list, name + 4) : NULL;
    return of && topic_is_input(list, of);
}

/* Inputs first: their places in the scan are those in origins. */
static bool choose_topics(struct reading *reading, const struct topic_list *list, struct error *error) {
    bool ok = true;
    for (size_t i = 0; i < list->count; i++)
        if (topic_is_input(list, &list->topics[i]))
            ok = ok && origins_add_topic(&reading->origins, list->topics[i].name) && add_topic(reading, list->topics[i].name, ROLE_EVENTS);
    ok = ok && add_topic(reading, "acknowledgments", ROLE_ACKNOWLEDGMENTS);
    for (size_t i = 0; i < list->count; i++)
        if (is_dead_letters(list, list->topics[i].name)) ok = ok && add_topic(reading, list->topics[i].name, ROLE_DEAD_LETTERS);
    for (size_t i = 0; i < reading->journal_topics.count; i++) ok = ok && add_topic(reading, reading->journal_topics.names[i], ROLE_JOURNALS);
    return ok || error_set(error, "the list has more topics than can be summed up");
}

/* Counts the outcomes of the events and, for each code, the events that have it. */
static bool count_outcomes(struct reading *reading) {
    struct summary *summary = reading->summary;
    int64_t *by_label = calloc(reading->label_codes.count + 1, sizeof *by_label);
    if (!by_label) return false;
    for (size_t t = 0; t < reading->origins.topic_count; t++)
        for (int32_t p = 0; p < ORIGIN_PARTITIONS_MAXIMUM; p++) {
            const struct origin_partition *partition = &reading->origins.partitions[t][p];
            for (int64_t i = 0; i < partition->end - partition->begin; i++) {
                const struct origin *event = &partition->events[i];
                long long offset = partition->begin + i;
                if (event->synthetic && event->outcome != SUMMARY_POISON + 1) continue;     /* a dead letter is one, marked or not */
                summary->events_in += event->there;
                if (event->there && !event->outcome) trouble(summary, PROBLEM_NO_OUTCOME, "%s/%d/%lld", reading->origins.topics[t], (int)p, offset);
                if (!event->there && event->outcome) trouble(summary, PROBLEM_NO_EVENT, "%s/%d/%lld", reading->origins.topics[t], (int)p, offset);
                if (!event->there || !event->outcome) continue;
                summary->outcomes[event->outcome - 1]++;
                by_label[event->label]++;
            }
        }
    bool ok = true;
    for (uint32_t label = 0; ok && label < reading->label_codes.count; label++) {
        struct slice rest = intern_text(&reading->label_codes, label);
        while (ok && rest.length) {
            const char *comma = memchr(rest.data, ',', rest.length);
            struct slice code = {rest.data, comma ? (size_t)(comma - rest.data) : rest.length};
            uint32_t number;
            bool added;
            ok = intern_add(&summary->reasons, code, &number, &added) && (!added || extend((void **)&summary->reason_events, number, sizeof *summary->reason_events));
            if (ok && added) summary->reason_events[number] = 0;
            if (ok) summary->reason_events[number] += by_label[label];
            rest = comma ? (struct slice){comma + 1, rest.length - code.length - 1} : (struct slice){0};
        }
    }
    free(by_label);
    return ok;
}

bool summary_read(struct summary *summary, const struct connection *connection, const struct topic_list *list, struct error *error) {
    *summary = (struct summary){.events_in = 0};
    struct reading *reading = calloc(1, sizeof *reading);
    if (!reading) return error_set(error, "out of memory");
    struct intern *const interns[] = {&summary->reasons, &summary->currencies, &summary->account_keys, &reading->label_codes, &reading->documents, &reading->journal_keys};
    for (size_t i = 0; i < sizeof interns / sizeof *interns; i++) intern_init(interns[i]);
    arena_init(&reading->arena, 1 << 16, VALUE_MEMORY);
    reading->summary = summary;
    reading->scan = (struct scan){.connection = connection, .partition = SCAN_ALL_PARTITIONS, .from_offset = SCAN_FROM_BEGINNING, .progress = "reading",
                                  .visit = take_record, .partition_range = take_range, .context = reading};
    uint32_t none;
    bool ok = intern_add(&reading->label_codes, SLICE(""), &none, NULL) || error_set(error, "out of memory");
    ok = ok && values_open(&reading->values, connection, error) && connection_topics(connection, "posting.commands.", &reading->journal_topics, error) &&
         choose_topics(reading, list, error) && scan_run(&reading->scan, error);
    if (ok) ok = count_outcomes(reading) || error_set(error, "out of memory");
    summary->acknowledged_documents = reading->documents.count;
    values_close(reading->values);
    topic_names_free(&reading->journal_topics);
    origins_free(&reading->origins);
    intern_free(&reading->label_codes);
    intern_free(&reading->documents);
    intern_free(&reading->journal_keys);
    arena_free(&reading->arena);
    free(reading);
    return ok;
}

void summary_free(struct summary *summary) {
    intern_free(&summary->reasons);
    intern_free(&summary->currencies);
    intern_free(&summary->account_keys);
    free(summary->reason_events);
    free(summary->totals);
    free(summary->accounts);
    *summary = (struct summary){.events_in = 0};
}

int summary_problems(const struct summary *summary) {
    int problems = 0;
    for (int i = 0; i < PROBLEM_KINDS; i++) problems += summary->troubles[i].count > 0;
    return problems;
}
