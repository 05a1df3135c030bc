/* checks: what holds of every story. */
#include "common/platform/hash.h"
#include "tests/property/story.h"

bool happening_took_effect(const struct happening *happening) { return happening->outcome == OUTCOME_ACCEPTED_ && !happening->no_effect; }

static int currency_find_of(struct slice code) {
    for (int i = 0; i < CURRENCIES; i++)
        if (slice_equal(code, slice_of(world_currencies[i].code))) return i;
    return NOTHING;
}

int64_t story_rate(const struct story *story, wide posting_date) {
    if (posting_date < FIRST_DAY || posting_date >= FIRST_DAY + DAYS) return 0;
    return story->world->rates_e10[story->currency][story->entity][(int)posting_date - FIRST_DAY];
}

/* ---- one journal ---- */

static void lines_check(struct story *story, const struct story_journal *journal, int currency, int functional) {
    const struct seen_journal *seen = &journal->seen;
    wide sum_e4 = 0, functional_sum_e4 = 0;
    for (size_t i = 0; i < seen->lines.count; i++) {
        const struct seen_line *line = &seen->lines.items[i];
        int sign = line->side ? -1 : 1;
        sum_e4 += sign * line->amount_e4;
        functional_sum_e4 += sign * line->functional_e4;
        story_check(story, PROPERTY_BALANCED, journal->document, line->side == 0 || line->side == 1, "line %zu is on side %d", i, (int)line->side);
        story_check(story, PROPERTY_BALANCED, journal->document, world_account(line->account), "account " SLICE_FORMAT " is not in the chart",
                    SLICE_ARGUMENT(line->account));
        story_check(story, PROPERTY_BALANCED, journal->document, line->amount_e4 % wide_unit(world_currencies[currency].digits) == 0 &&
                    line->functional_e4 % wide_unit(world_currencies[functional].digits) == 0, "line %zu has more digits than its currency", i);
        story_check(story, PROPERTY_BALANCED, journal->document, line->amount_e4 >= 0 && line->functional_e4 >= 0 && (line->amount_e4 || line->functional_e4),
                    "line %zu is negative, or nothing", i);
        story_check(story, PROPERTY_BALANCED, journal->document, currency != functional || line->amount_e4 == line->functional_e4,
                    "line %zu has two amounts in one currency", i);
    }
    story_check(story, PROPERTY_BALANCED, journal->document, sum_e4 == 0 && seen->lines.count >= 2, "debits and credits differ in transaction currency");
    story_check(story, PROPERTY_BALANCED, journal->document, functional_sum_e4 == 0, "debits and credits differ in functional currency");
}

/* An application of a prepayment names the prepayment's rate. */
static bool is_application(struct slice step) { return step.length >= 18 && memcmp(step.data, "prepayment_applied", 18) == 0; }

static void journal_check(struct story *story, const struct story_journal *journal) {
    const struct seen_journal *seen = &journal->seen;
    const struct world_entity *entity = &world_entities[story->entity];
    int currency = currency_find_of(seen->currency), functional = currency_find_of(seen->functional_currency);
    char date[16];
    struct slice key = story_text(story, SLICE_FORMAT "/" SLICE_FORMAT "/" SLICE_FORMAT "/%d", SLICE_ARGUMENT(seen->entity), SLICE_ARGUMENT(seen->document),
                                  SLICE_ARGUMENT(seen->step),
                                  (int)seen->version);
    struct slice record_key = story_text(story, SLICE_FORMAT "|" SLICE_FORMAT, SLICE_ARGUMENT(seen->entity), SLICE_ARGUMENT(seen->partner));
    struct slice topic = story_text(story, "posting.commands." SLICE_FORMAT, SLICE_ARGUMENT(seen->erp));
    story_check(story, PROPERTY_BALANCED, journal->document, journal->happening >= 0 && journal->document >= 0, "a journal of a document that nobody sent");
    story_check(story, PROPERTY_BALANCED, journal->document, currency == story->currency && functional == entity->functional, "in " SLICE_FORMAT " and " SLICE_FORMAT,
                SLICE_ARGUMENT(seen->currency), SLICE_ARGUMENT(seen->functional_currency));
    story_check(story, PROPERTY_BALANCED, journal->document, slice_equal(seen->entity, slice_of(entity->id)) && slice_equal(seen->partner, story->partner),
                "another entity or partner");
    story_check(story, PROPERTY_BALANCED, journal->document, slice_equal(key, seen->idempotency_key), "its key is not entity/document/step/version");
    story_check(story, PROPERTY_BALANCED, journal->document, slice_equal(record_key, journal->key) && slice_equal(topic, journal->topic),
                "lies under " SLICE_FORMAT " in " SLICE_FORMAT,
                SLICE_ARGUMENT(journal->key), SLICE_ARGUMENT(journal->topic));
    world_date((int32_t)seen->posting_date, date);
    story_check(story, PROPERTY_BALANCED, journal->document, seen->period.length == 7 && memcmp(seen->period.data, date, 7) == 0, "%s is not in period " SLICE_FORMAT,
                date,
                SLICE_ARGUMENT(seen->period));
    if (!seen->reverses.length && !is_application(seen->step))
        story_check(story, PROPERTY_AMOUNTS, journal->document, seen->rate_e10 == story_rate(story, seen->posting_date), "not the rate of %s", date);
    if (currency >= 0 && functional >= 0) lines_check(story, journal, currency, functional);
}

/* ---- what was posted against what should be ---- */

void story_expect(struct story *story, int happening, struct balances *expected, struct slice account, wide amount_e4) {
    int64_t rate_e10 = 0;
    for (const struct story_journal *journal = story->journals; journal && !rate_e10; journal = journal->next)
        if (journal->happening == happening && !journal->seen.reverses.length) rate_e10 = story_rate(story, journal->seen.posting_date);
    balances_add(expected, account, amount_e4, wide_convert(amount_e4, rate_e10, world_currencies[world_entities[story->entity].functional].digits));
}

static bool is_difference(struct slice account) {
    return slice_equal(account, SLICE(ACCOUNT_FX_LOSS)) || slice_equal(account, SLICE(ACCOUNT_FX_GAIN)) || slice_equal(account, SLICE(ACCOUNT_ROUNDING));
}

/* 18 digits: what a posting command can say. */
static bool is_sayable(wide amount_e4) { return wide_size(amount_e4) < (wide)1000000000000000000; }

void story_check_posted(struct story *story, int number, struct balances *expected, bool (*is_carried)(struct slice account)) {
    const struct happening *happening = &story->happenings[number];
    struct balances posted = {.count = 0};
    for (const struct story_journal *journal = story->journals; journal; journal = journal->next)
        if (journal->happening == number) balances_add_journal(&posted, &journal->seen);
    for (size_t i = 0; i < posted.count; i++) (void)balances_of(expected, posted.items[i].account);
    for (size_t i = 0; i < expected->count; i++) {
        const struct balance *should = &expected->items[i], *is = balances_of(&posted, should->account);
        bool free = is_difference(should->account) || (is_carried && is_carried(should->account));
        char text[4][WIDE_TEXT_SIZE];
        story_check(story, PROPERTY_OVERFLOW, happening->document, is_sayable(should->amount_e4) && is_sayable(should->functional_e4),
                    "%s: account " SLICE_FORMAT " should have %s (%s), which no journal can have, and it was accepted", happening->kind,
                    SLICE_ARGUMENT(should->account), wide_print(should->amount_e4, text[2]), wide_print(should->functional_e4, text[3]));
        story_check(story, PROPERTY_AMOUNTS, happening->document, is->amount_e4 == should->amount_e4 && (free || is->functional_e4 == should->functional_e4),
                    "%s: account " SLICE_FORMAT " has %s (%s), and should have %s (%s)", happening->kind, SLICE_ARGUMENT(should->account), 
                    wide_print(is->amount_e4, text[0]),
                    wide_print(is->functional_e4, text[1]), wide_print(should->amount_e4, text[2]), wide_print(should->functional_e4, text[3]));
    }
}

/* ---- reversals ---- */

/* Clearing is not taken back with the invoice. */
static bool is_clearing(struct slice step) { return step.length >= 8 && memcmp(step.data, "clearing", 8) == 0; }

static void reversal_check(struct story *story, const struct decided *decided) {
    const struct happening *happening = &story->happenings[decided->happening];
    if (happening->takes_back < 0 || happening->repeated || !happening_took_effect(happening)) return;
    struct balances balances = {.count = 0};
    int journals = 0;
    for (const struct story_journal *journal = story->journals; journal; journal = journal->next) {
        if (journal->sequence > decided->sequence || journal->document != happening->takes_back || is_clearing(journal->seen.step)) continue;
        balances_add_journal(&balances, &journal->seen);
        journals++;
    }
    story_check(story, PROPERTY_REVERSAL, happening->takes_back, journals % 2 == 0 && (journals > 0 || happening->zero_value),
                "%d journals, of which the last took the others back", journals);
    for (size_t i = 0; i < balances.count; i++)
        story_check(story, PROPERTY_REVERSAL, happening->takes_back, balances.items[i].amount_e4 == 0 && balances.items[i].functional_e4 == 0,
                    "after its cancellation account " SLICE_FORMAT " is not zero", SLICE_ARGUMENT(balances.items[i].account));
}

/* ---- outcomes ---- */

static void outcome_check(struct story *story, const struct happening *happening) {
    bool posts = happening->outcome == OUTCOME_ACCEPTED_;
    story_check(story, PROPERTY_OUTCOMES, happening->document, happening->answers > 0, "%s has no answer", happening->kind);
    story_check(story, PROPERTY_OUTCOMES, happening->document, posts || happening->journals == 0, "%s was not accepted and posted %d journals", happening->kind,
                happening->journals);
    story_check(story, PROPERTY_OUTCOMES, happening->document, happening->journals_named == happening->journals, "%s: %d journals, the answer names %d",
                happening->kind, happening->journals,
                (int)happening->journals_named);
    if (happening->repeated) return;
    story_check(story, PROPERTY_OVERFLOW, happening->document, !happening->overflow || happening->outcome == OUTCOME_REJECTED_ || happening->outcome == OUTCOME_HELD_,
                "%s has an amount that does not fit, and was not refused for good", happening->kind);
}

void story_check_all(struct story *story) {
    for (const struct story_journal *journal = story->journals; journal; journal = journal->next) journal_check(story, journal);
    for (int i = 0; i < story->decision_count; i++) reversal_check(story, &story->decisions[i]);
    for (int i = 0; i < story->count; i++) outcome_check(story, &story->happenings[i]);
    if (story->generator->check) story->generator->check(story);
}

/* ---- the same in another order ---- */

static uint64_t mix(uint64_t hash, uint64_t with) { return (hash ^ with) * 0x9e3779b97f4a7c15u + (hash >> 29); }
static uint64_t mix_wide(uint64_t hash, wide with) { return mix(mix(hash, (uint64_t)with), (uint64_t)(with >> 64)); }

static uint64_t journal_hash(const struct seen_journal *journal) {
    uint64_t hash = hash_slice(journal->idempotency_key);
    const struct slice texts[] = {journal->erp, journal->ledger, journal->reverses, journal->period, journal->currency, journal->functional_currency, journal->rule,
        journal->event_id};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) hash = mix(hash, hash_slice(texts[i]));
    hash = mix_wide(mix_wide(mix_wide(hash, journal->posting_date), journal->document_date), journal->rate_e10);
    for (size_t i = 0; i < journal->lines.count; i++) {
        const struct seen_line *line = &journal->lines.items[i];
        const struct slice parts[] = {line->account, line->cost_centre, line->project, line->tax_code, line->partner, line->source_line};
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) hash = mix(hash, hash_slice(parts[k]));
        hash = mix_wide(mix_wide(mix_wide(hash, line->side), line->amount_e4), line->functional_e4);
    }
    return hash;
}

uint64_t story_fingerprint(const struct story *story) {
    uint64_t sum = 0;
    for (const struct story_journal *journal = story->journals; journal; journal = journal->next) sum += journal_hash(&journal->seen);
    for (int i = 0; i < story->count; i++) sum += mix((uint64_t)i, (uint64_t)story->happenings[i].outcome + 7) + hash_slice(story->happenings[i].reasons);
    return sum;
}
