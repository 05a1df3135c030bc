#include "tests/property/story.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/codec/encode.h"
#include "common/codec/json.h"
#include "common/codec/wire.h"
#include "tests/property/chance.h"

const char *const property_names[PROPERTY_COUNT] = {"every journal balances in both currencies", "every amount is what the rule book says", "a reversal sums to zero",
    "parts end in the balance of the whole", "the order of unrelated documents does not matter", "no overflow goes unnoticed", "every event has one newest outcome",
    "goods received, not invoiced, is what it should be"};
struct property_count property_counts[PROPERTY_COUNT];
static const char *const outcome_texts[OUTCOMES] = {"accepted", "duplicate", "rejected", "held", "parked"};
static const int64_t day_ms = 86400000;

/* ---- making ---- */

uint64_t story_seed(uint64_t seed, uint64_t number) { return seed * 0x9e3779b97f4a7c15u ^ (number + 1) * 0xd1342543de82ef95u; }

void *story_alloc(struct story *story, size_t size) {
    void *memory = arena_alloc(story->arena, size ? size : 1);
    if (!memory) die("out of memory");
    return memory;
}

struct slice story_text(struct story *story, const char *format, ...) {
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof text) length = sizeof text - 1;
    char *copy = arena_copy(story->arena, text, (size_t)length);
    if (!copy) die("out of memory");
    return (struct slice){copy, (size_t)length};
}

void story_partner(struct story *story, const char *letters, int count) {
    story->partner = story_text(story, "%s%d", letters, (int)chance_below(count));
    story->key = story_text(story, "%s|" SLICE_FORMAT, world_entities[story->entity].id, SLICE_ARGUMENT(story->partner));
}

void story_begin(struct story *story, int entity, int currency) {
    story->entity = entity;
    story->currency = currency;
    story->journals_end = &story->journals;
    story_partner(story, "S", SUPPLIERS);
}

int story_document(struct story *story, const char *letters) {
    if (story->document_count == DOCUMENTS_MAXIMUM) die("a story has too many documents");
    story->documents[story->document_count] = story_text(story, "%s%" PRIu64 "X%d", letters, story->number, story->document_count);
    return story->document_count++;
}

int32_t story_day(const struct story *story) { return (int32_t)(story->clock_ms / day_ms); }
void story_wait_days(struct story *story, int days) { story->clock_ms += days * day_ms; }
struct slice story_currency(const struct story *story) { return slice_of(world_currencies[story->currency].code); }
int64_t story_unit(const struct story *story) { return wide_unit(world_currencies[story->currency].digits); }
int64_t story_amount(const struct story *story, int bits) { return (chance_magnitude(bits) + 1) * story_unit(story); }

struct happening *story_add(struct story *story, const char *topic, const char *kind, const void *event, int document, int takes_back) {
    if (story->count == HAPPENINGS_MAXIMUM) die("a story has too many events");
    const struct codec_type *type = harness_topic_type(topic);
    static struct buffer bytes;
    buffer_reset(&bytes);
    if (!codec_wire_append(&bytes, harness_schema_id(type)) || !codec_encode(type, event, &bytes)) die("%s: an event of %s cannot be encoded", topic, kind);
    char *copy = arena_copy(story->arena, bytes.data, bytes.length);
    if (!copy) die("out of memory");
    struct happening *happening = &story->happenings[story->count++];
    *happening = (struct happening){.topic = topic, .kind = kind, .key = story->key, .value = {copy, bytes.length}, .time_ms = story->clock_ms, .event = event,
                                    .document = document, .takes_back = takes_back, .outcome = OUTCOME_NONE};
    story->clock_ms += 1 + chance_below(INT64_C(6) * 3600000);
    return happening;
}

void story_repeat(struct story *story, int happening) {
    if (story->count == HAPPENINGS_MAXIMUM) return;
    story->happenings[story->count] = story->happenings[happening];
    story->happenings[story->count].repeated = true;
    story->happenings[story->count++].time_ms = story->clock_ms;
    story->clock_ms += 1 + chance_below(3600000);
}

/* ---- what became of it ---- */

static struct slice reasons_print(struct story *story, const struct seen_answer *answer) {
    char text[1024] = "";
    size_t at = 0;
    for (size_t i = 0; i < answer->reasons.count && at + 1 < sizeof text; i++) {
        const struct seen_reason *reason = &answer->reasons.items[i];
        int length = snprintf(text + at, sizeof text - at, " " SLICE_FORMAT " on " SLICE_FORMAT " (" SLICE_FORMAT ")", SLICE_ARGUMENT(reason->code),
                              SLICE_ARGUMENT(reason->field),
                              SLICE_ARGUMENT(reason->text));
        at += (size_t)length < sizeof text - at ? (size_t)length : sizeof text - at - 1;
    }
    return story_text(story, "%s", text);
}

void story_answered(struct story *story, int number, const struct seen_answer *answer) {
    struct happening *happening = &story->happenings[number];
    story_check(story, PROPERTY_OUTCOMES, happening->document, !happening->final, "%s had its last outcome (%s), and then another one (%d)", happening->kind,
                outcome_texts[happening->outcome], (int)answer->outcome);
    if (answer->outcome < 0 || answer->outcome >= OUTCOMES) { story_fail(story, PROPERTY_OUTCOMES, happening->document, "outcome %d", (int)answer->outcome); return; }
    happening->outcome = (enum outcome)answer->outcome;
    happening->final = happening->outcome <= OUTCOME_REJECTED_;
    happening->answers++;
    happening->journals_named += answer->journals;
    happening->no_effect = happening->overflow = happening->zero_value = false;
    for (size_t i = 0; i < answer->reasons.count; i++) {
        struct slice code = answer->reasons.items[i].code;
        happening->no_effect |= slice_equal(code, SLICE("NO_EFFECT"));
        happening->overflow |= slice_equal(code, SLICE("AMOUNT_OVERFLOW"));
        happening->zero_value |= slice_equal(code, SLICE("ZERO_VALUE"));
    }
    happening->reasons = answer->reasons.count ? reasons_print(story, answer) : (struct slice){0};
    if (happening->final && story->decision_count < HAPPENINGS_MAXIMUM) story->decisions[story->decision_count++] = (struct decided){number, story->sequence++};
}

static struct slice kept(struct story *story, struct slice text) {
    char *copy = arena_copy(story->arena, text.data, text.length);
    if (!copy) die("out of memory");
    return (struct slice){copy, text.length};
}

static int document_find(const struct story *story, struct slice name) {
    for (int i = 0; i < story->document_count; i++)
        if (slice_equal(story->documents[i], name)) return i;
    return NOTHING;
}

void story_posted(struct story *story, int happening, struct slice topic, struct slice key, const struct seen_journal *journal) {
    struct story_journal *entry = story_alloc(story, sizeof *entry);
    *entry = (struct story_journal){.seen = *journal, .topic = kept(story, topic), .key = kept(story, key), .happening = happening, .sequence = story->sequence++};
    entry->document = document_find(story, journal->document);
    if (happening >= 0) story->happenings[happening].journals++;
    *story->journals_end = entry;
    story->journals_end = &entry->next;
    story->journal_count++;
}

/* ---- failing ---- */

static void journal_print(const struct seen_journal *journal) {
    char amount[WIDE_TEXT_SIZE], functional[WIDE_TEXT_SIZE], date[16];
    printf("    journal " SLICE_FORMAT " of %s, " SLICE_FORMAT " in " SLICE_FORMAT ", rate %.10f, by " SLICE_FORMAT "%s" SLICE_FORMAT "\n",
           SLICE_ARGUMENT(journal->idempotency_key),
           world_date((int32_t)journal->posting_date, date), SLICE_ARGUMENT(journal->currency), SLICE_ARGUMENT(journal->functional_currency),
               (double)journal->rate_e10 / 1e10,
           SLICE_ARGUMENT(journal->rule), journal->reverses.length ? ", reverses " : "", SLICE_ARGUMENT(journal->reverses));
    for (size_t i = 0; i < journal->lines.count && i < 40; i++) {
        const struct seen_line *line = &journal->lines.items[i];
        printf("      %s " SLICE_FORMAT " %s  %s  line " SLICE_FORMAT "\n", line->side ? "cr" : "dr", SLICE_ARGUMENT(line->account), wide_print(line->amount_e4, amount),
               wide_print(line->functional_e4, functional), SLICE_ARGUMENT(line->source_line));
    }
    if (journal->lines.count > 40) printf("      ... %zu lines\n", journal->lines.count);
}

static void happening_print(const struct story *story, const struct happening *happening, bool whole) {
    struct slice document = happening->document >= 0 ? story->documents[happening->document] : (struct slice){0};
    struct slice back = happening->takes_back >= 0 ? story->documents[happening->takes_back] : (struct slice){0};
    printf("    %s %s " SLICE_FORMAT "%s" SLICE_FORMAT "%s: %s" SLICE_FORMAT "\n", happening->topic, happening->kind, SLICE_ARGUMENT(document),
           back.length ? ", takes back " : "",
           SLICE_ARGUMENT(back), happening->repeated ? ", repeated" : "", happening->outcome >= 0 ? outcome_texts[happening->outcome] : "no answer",
               SLICE_ARGUMENT(happening->reasons));
    if (happening->repeated || !whole) return;
    struct buffer json = {0};
    if (codec_to_json(harness_topic_type(happening->topic), happening->event, &json)) printf("      %.*s\n", json.length > 1500 ? 1500 : (int)json.length, json.data);
    buffer_free(&json);
}

void story_print(const struct story *story, int document) {
    for (int i = 0; i < story->count; i++) happening_print(story, &story->happenings[i], document < 0 || story->happenings[i].document == document);
    for (const struct story_journal *journal = story->journals; journal; journal = journal->next)
        if (document < 0 || journal->document == document) journal_print(&journal->seen);
}

void story_fail(struct story *story, enum property property, int document, const char *format, ...) {
    enum { SHOWN = 20 };
    va_list arguments;
    property_counts[property].failures++;
    if (story->failed || property_counts[property].failures > SHOWN) return;   /* the first says enough */
    story->failed = true;
    printf("%s: does not hold in story %" PRIu64 " (%s; SEED=%" PRIu64 ", --documents %" PRIu64 " --story %" PRIu64 "), entity %s, document " SLICE_FORMAT ":\n    ",
           property_names[property], story->number,
           story->generator->name, story->seed, story->wanted, story->number, world_entities[story->entity].id,
               SLICE_ARGUMENT(document >= 0 ? story->documents[document] : SLICE("(all)")));
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    puts("");
    story_print(story, document);
    fflush(stdout);
}

/* ---- sums ---- */

struct balance *balances_of(struct balances *balances, struct slice account) {
    for (size_t i = 0; i < balances->count; i++)
        if (slice_equal(balances->items[i].account, account)) return &balances->items[i];
    if (balances->count == BALANCES_MAXIMUM) die("more than %d accounts", BALANCES_MAXIMUM);
    balances->items[balances->count] = (struct balance){.account = account};
    return &balances->items[balances->count++];
}

void balances_add_journal(struct balances *balances, const struct seen_journal *journal) {
    for (size_t i = 0; i < journal->lines.count; i++) {
        const struct seen_line *line = &journal->lines.items[i];
        int sign = line->side ? -1 : 1;
        balances_add(balances, line->account, sign * line->amount_e4, sign * line->functional_e4);
    }
}
