/* kontor-property: random stories on the production processors; what must hold of every journal, whatever the documents are, is checked by reckoning of its own.
 * One line per property: `ok NAME (checks)` or `not ok NAME: failures of checks`. The seed is printed; SEED=<number> repeats the run. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/codec/wire.h"
#include "common/platform/hash.h"
#include "tests/property/story.h"
#include "tests/property/chance.h"

static const char usage[] =
    "kontor-property [--documents N] [--story N]\n"
    "  --documents  how many to make (60000, or KONTOR_PROPERTY_DOCUMENTS)\n"
    "  --story      only the story of that number, of SEED and as many documents\n";

extern const struct generator purchase_generator, splits_generator, extremes_generator, payments_generator, expenses_generator, journals_generator;
static const struct generator *const generators[] = {&purchase_generator, &splits_generator, &extremes_generator, &payments_generator, &expenses_generator,
                                                     &journals_generator};
enum { GENERATORS = sizeof generators / sizeof *generators, BLOCK_STORIES = 500, STORY_DOCUMENTS_LEAST = 6, TURNS_MAXIMUM = BLOCK_STORIES * HAPPENINGS_MAXIMUM,
       TOPICS = 8, PARTITIONS_MAXIMUM = 4, REORDERED_ONE_IN = 4 };

/* ---- idempotency keys: each once, reversals of what was sent ---- */

struct keys { uint64_t *slots; size_t capacity, count; };
static const uint64_t reversed_mark = 0x5bd1e9955bd1e995u, accrual_mark = 0xc2b2ae3d27d4eb4fu;

/* False: it is there already. */
static bool keys_add(struct keys *keys, uint64_t hash) {
    if (!hash) hash = 1;
    if (keys->count * 2 >= keys->capacity) {
        struct keys grown = {.capacity = keys->capacity ? keys->capacity * 2 : 1 << 16};
        if (!(grown.slots = calloc(grown.capacity, sizeof *grown.slots))) die("out of memory");
        for (size_t i = 0; i < keys->capacity; i++)
            if (keys->slots[i]) (void)keys_add(&grown, keys->slots[i]);
        free(keys->slots);
        *keys = grown;
    }
    size_t at = hash & (keys->capacity - 1);
    for (; keys->slots[at]; at = (at + 1) & (keys->capacity - 1))
        if (keys->slots[at] == hash) return false;
    keys->slots[at] = hash;
    keys->count++;
    return true;
}

static bool keys_have(const struct keys *keys, uint64_t hash) {
    if (!hash) hash = 1;
    for (size_t at = hash & (keys->capacity - 1); keys->capacity && keys->slots[at]; at = (at + 1) & (keys->capacity - 1))
        if (keys->slots[at] == hash) return true;
    return false;
}

/* ---- a run: one harness and the block that goes through it ---- */

/* Whose event lies where. */
struct place { struct story *story; int happening; };
struct log { const char *topic; int64_t first; struct place *places; size_t count, capacity; };

struct run {
    struct harness *harness;
    struct arena *arena;
    struct keys keys;
    struct log logs[TOPICS][PARTITIONS_MAXIMUM];
    int partitions;
    uint64_t journals, answers, waiting, late;  /* late: answers for events of earlier blocks, that waited */
};

static struct log *log_of(struct run *run, struct slice topic, int partition) {
    for (int i = 0; i < TOPICS; i++)
        if (run->logs[i][partition].topic && slice_equal(topic, slice_of(run->logs[i][partition].topic))) return &run->logs[i][partition];
    return NULL;
}

static void log_add(struct run *run, const char *topic, int partition, int64_t offset, struct place place) {
    int at = 0;
    while (at < TOPICS && run->logs[at][partition].topic && strcmp(run->logs[at][partition].topic, topic) != 0) at++;
    if (at == TOPICS) die("more than %d topics", TOPICS);
    struct log *log = &run->logs[at][partition];
    log->topic = topic;
    if (!log->count) log->first = offset;
    if (log->count == log->capacity) {
        log->capacity = log->capacity ? log->capacity * 2 : 1024;
        if (!(log->places = realloc(log->places, log->capacity * sizeof *log->places))) die("out of memory");
    }
    log->places[log->count++] = place;
}

/* <topic>/<partition>/<offset>; story NULL: of an earlier block, or none. */
static struct place place_of(struct run *run, struct slice origin) {
    size_t end = origin.length, partition_at;
    int64_t offset = 0, partition = 0;
    while (end && origin.data[end - 1] != '/') end--;
    for (size_t i = end; i < origin.length; i++) offset = offset * 10 + origin.data[i] - '0';
    for (partition_at = end ? end - 1 : 0; partition_at && origin.data[partition_at - 1] != '/'; partition_at--) {}
    for (size_t i = partition_at; i + 1 < end; i++) partition = partition * 10 + origin.data[i] - '0';
    struct log *log = partition_at && partition < run->partitions ? log_of(run, (struct slice){origin.data, partition_at - 1}, (int)partition) : NULL;
    if (!log || offset < log->first || offset >= log->first + (int64_t)log->count) return (struct place){NULL, NOTHING};
    return log->places[offset - log->first];
}

static struct slice payload_of(struct run *run, struct slice value) {
    uint32_t schema_id;
    struct slice payload;
    if (!codec_wire_read(value.data, value.length, &schema_id, &payload)) die("a record without a schema id");
    char *copy = arena_copy(run->arena, payload.data, payload.length);
    if (!copy) die("out of memory");
    return (struct slice){copy, payload.length};
}

/* The reversal of an accrual on its day: when the accrual is taken back later, both are reversed. */
static bool is_accrual_end(struct slice step) {
    static const struct slice end = {"_auto_reversal", 14};
    return step.length > end.length && memcmp(step.data + step.length - end.length, end.data, end.length) == 0;
}

static void journal_watch(void *context, const char *topic, struct slice key, struct slice value) {
    struct run *run = context;
    struct seen_journal journal;
    if (!journal_read(payload_of(run, value), run->arena, &journal)) die("a posting command cannot be read");
    struct place place = place_of(run, journal.origin);
    run->journals++;
    if (!place.story) die("journal " SLICE_FORMAT " comes of no event of its time", SLICE_ARGUMENT(journal.idempotency_key));
    story_posted(place.story, place.happening, slice_of(topic), key, &journal);
    story_check(place.story, PROPERTY_BALANCED, NOTHING, keys_add(&run->keys, hash_slice(journal.idempotency_key)), "idempotency key " SLICE_FORMAT " was sent before",
                SLICE_ARGUMENT(journal.idempotency_key));
    if (!journal.reverses.length) return;
    uint64_t reversed = hash_slice(journal.reverses);
    story_check(place.story, PROPERTY_REVERSAL, NOTHING, keys_have(&run->keys, reversed), SLICE_FORMAT " reverses what was never sent",
                SLICE_ARGUMENT(journal.idempotency_key));
    story_check(place.story, PROPERTY_REVERSAL, NOTHING, keys_add(&run->keys, reversed ^ (is_accrual_end(journal.step) ? accrual_mark : reversed_mark)),
                SLICE_FORMAT " was reversed before", SLICE_ARGUMENT(journal.reverses));
}

static void answer_watch(void *context, struct slice value) {
    struct run *run = context;
    struct seen_answer answer;
    if (!answer_read(payload_of(run, value), run->arena, &answer)) die("an acknowledgment cannot be read");
    if (answer.later) return;
    struct place place = place_of(run, answer.origin);
    run->answers++;
    if (place.story) story_answered(place.story, place.happening, &answer);
    else run->late++;
}

static void dead_watch(void *context, const char *topic, struct slice text) {
    (void)context;
    die("%s got a record: " SLICE_FORMAT, topic, SLICE_ARGUMENT(text));
}

static void run_open(struct run *run, const struct world *world, const char *folder, const char *name, int partitions, int batch_records, struct arena *arena) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    run->arena = arena;
    run->partitions = partitions;
    run->harness = harness_open(path, partitions, batch_records, (struct watcher){run, journal_watch, answer_watch, dead_watch});
    world_load(world, run->harness);
}

static void run_close(struct run *run) {
    harness_close(run->harness);
    free(run->keys.slots);
    for (int i = 0; i < TOPICS; i++)
        for (int p = 0; p < PARTITIONS_MAXIMUM; p++) free(run->logs[i][p].places);
}

/* ---- a block of stories ---- */

struct block { struct story *stories[BLOCK_STORIES]; size_t count; uint64_t documents; };
static struct block block;
static uint32_t turns[TURNS_MAXIMUM];

static uint64_t campaign_seed;

static const struct generator *generator_pick(void) {
    int sum = 0;
    for (int i = 0; i < GENERATORS; i++) sum += harness_topic_type(generators[i]->topic) ? generators[i]->weight : 0;
    int at = (int)chance_below(sum);
    for (int i = 0; i < GENERATORS; i++)
        if (harness_topic_type(generators[i]->topic) && (at -= generators[i]->weight) < 0) return generators[i];
    return generators[0];
}

/* Where the stories of a block begin: evenly over the years that have rates. */
static int64_t begin_ms(uint64_t number, uint64_t wanted) {
    uint64_t at = number / BLOCK_STORIES, blocks = wanted / (BLOCK_STORIES * STORY_DOCUMENTS_LEAST) + 1;
    if (at > blocks) at = blocks;
    return (FIRST_DAY + 5 + (int64_t)((uint64_t)(DAYS - 60) * at / blocks)) * INT64_C(86400000);
}

static struct story *story_make(const struct world *world, struct arena *arena, uint64_t number, uint64_t wanted) {
    struct story *story = arena_alloc(arena, sizeof *story);
    if (!story) die("out of memory");
    chance_set(story_seed(campaign_seed, number));
    *story = (struct story){.world = world, .arena = arena, .number = number, .seed = campaign_seed, .wanted = wanted,
                            .clock_ms = begin_ms(number, wanted) + chance_below(INT64_C(3) * 86400000)};
    story->generator = generator_pick();
    story->generator->make(story);
    return story;
}

/* Takes the events in a random order that keeps each story's own. */
static void block_take(struct run *run, uint64_t seed) {
    size_t count = 0;
    chance_set(seed);
    for (size_t i = 0; i < block.count; i++)
        for (int k = 0; k < block.stories[i]->count; k++) turns[count++] = (uint32_t)i;
    for (size_t i = count; i > 1; i--) {
        size_t other = (size_t)chance_below((int64_t)i);
        uint32_t turn = turns[i - 1];
        turns[i - 1] = turns[other];
        turns[other] = turn;
    }
    for (int i = 0; i < TOPICS; i++)
        for (int p = 0; p < PARTITIONS_MAXIMUM; p++) run->logs[i][p].count = 0;
    for (size_t i = 0; i < count; i++) {
        struct story *story = block.stories[turns[i]];
        int number = story->taken++, partition;
        int64_t offset;
        const struct happening *happening = &story->happenings[number];
        harness_place(run->harness, happening->topic, happening->key, &partition, &offset);
        log_add(run, happening->topic, partition, offset, (struct place){story, number});
        harness_take(run->harness, happening->topic, happening->key, happening->value, happening->time_ms);
    }
    harness_commit(run->harness);
}

/* ---- figures ---- */

static struct { uint64_t stories, outcomes[OUTCOMES], overflows; } figures[GENERATORS];
static uint64_t documents_made, events_made, reordered_stories;

static void figures_add(struct run *run, const struct story *story) {
    int generator = 0;
    while (generators[generator] != story->generator) generator++;
    figures[generator].stories++;
    for (int i = 0; i < story->count; i++) {
        const struct happening *happening = &story->happenings[i];
        if (happening->outcome < 0) continue;
        figures[generator].outcomes[happening->outcome]++;
        figures[generator].overflows += happening->overflow;
        run->waiting += !happening->final;
    }
}

static void figures_print(const struct run *run, double seconds) {
    for (int i = 0; i < GENERATORS; i++) {
        const uint64_t *outcomes = figures[i].outcomes;
        printf("%s: %" PRIu64 " stories; events accepted %" PRIu64 ", duplicate %" PRIu64 ", rejected %" PRIu64 ", held %" PRIu64 ", waiting %" PRIu64
               "; too large %" PRIu64 "\n",
               generators[i]->name, figures[i].stories, outcomes[0], outcomes[1], outcomes[2], outcomes[3], outcomes[4], figures[i].overflows);
    }
    printf("%" PRIu64 " documents, %" PRIu64 " events, %" PRIu64 " journals, %" PRIu64 " stories once more in another order, %" PRIu64
           " batches, %.1f s: %.0f documents/s\n", documents_made,
           events_made, run->journals, reordered_stories, harness_batches(run->harness), seconds, (double)documents_made / seconds);
}

/* ---- the campaign ---- */

static void block_check(struct run *run) {
    for (size_t i = 0; i < block.count; i++) {
        struct story *story = block.stories[i];
        story_check_all(story);
        figures_add(run, story);
        documents_made += (uint64_t)story->document_count;
        events_made += (uint64_t)story->count;
    }
}

/* The same events once more: the story as it was before they were taken. */
static void story_reset(struct story *story) {
    for (int i = 0; i < story->count; i++) {
        struct happening *happening = &story->happenings[i];
        *happening = (struct happening){.topic = happening->topic, .kind = happening->kind, .key = happening->key, .value = happening->value,
            .time_ms = happening->time_ms,
            .event = happening->event, .document = happening->document, .takes_back = happening->takes_back, .repeated = happening->repeated, .outcome = OUTCOME_NONE};
    }
    story->taken = story->journal_count = story->decision_count = 0;
    story->journals = NULL;
    story->journals_end = &story->journals;
    story->sequence = 0;
}

static void block_reorder(struct run *run, uint64_t seed) {
    struct story *before = arena_alloc(run->arena, block.count * sizeof *before);
    if (!before) die("out of memory");
    for (size_t i = 0; i < block.count; i++) {
        before[i] = *block.stories[i];
        story_reset(block.stories[i]);
    }
    block_take(run, seed);
    for (size_t i = 0; i < block.count; i++) {
        struct story *story = block.stories[i];
        bool same = story_fingerprint(story) == story_fingerprint(&before[i]), told = story->failed;
        story_check(story, PROPERTY_ORDER, NOTHING, same, "other journals or outcomes than when the events of all documents were mixed otherwise; now:");
        if (!same && !told && story->failed) {
            puts("    and before:");
            story_print(&before[i], NOTHING);
        }
        reordered_stories++;
    }
}

static void campaign(uint64_t wanted, int64_t only, const char *folder) {
    static struct world world;
    static struct run run, reordered;
    struct arena arena;
    arena_init(&arena, 8 << 20, (size_t)4 << 30);
    chance_set(campaign_seed);
    world_make(&world);
    int partitions = 1 + (int)chance_below(PARTITIONS_MAXIMUM), batch_records = 1000 + (int)chance_below(4000);
    printf("%d partitions, batches of %d records\n", partitions, batch_records);
    run_open(&run, &world, folder, "first", partitions, batch_records, &arena);
    run_open(&reordered, &world, folder, "reordered", 1 + partitions % PARTITIONS_MAXIMUM, 1 + batch_records / 3, &arena);
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    uint64_t number = only >= 0 ? (uint64_t)only : 0;
    bool more = true;
    for (uint64_t blocks = 0; more; blocks++) {
        block.count = block.documents = 0;
        while (more && block.count < BLOCK_STORIES) {
            struct story *story = story_make(&world, &arena, number++, wanted);
            block.stories[block.count++] = story;
            block.documents += (uint64_t)story->document_count;
            more = only < 0 && block.documents + documents_made < wanted;
        }
        block_take(&run, story_seed(campaign_seed, ~blocks));
        block_check(&run);
        if (blocks % REORDERED_ONE_IN == 0) block_reorder(&reordered, story_seed(~campaign_seed, ~blocks));
        arena_reset(&arena);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    property_counts[PROPERTY_OUTCOMES].checks++;
    if (run.late > run.waiting) {   /* what waits is held once, when its limit is over */
        printf("%" PRIu64 " events waited at the end of their block, and %" PRIu64 " answers came later\n", run.waiting, run.late);
        property_counts[PROPERTY_OUTCOMES].failures++;
    }
    figures_print(&run, (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
    run_close(&run);
    run_close(&reordered);
    arena_free(&arena);
}

/* A property that was never checked does not hold; of one story it need not be. */
static int verdict(bool one_story) {
    int failed = 0;
    for (int i = 0; i < PROPERTY_COUNT; i++) {
        const struct property_count *count = &property_counts[i];
        bool good = !count->failures && (count->checks || one_story);
        if (good) printf("ok %s (%" PRIu64 " checks)\n", property_names[i], count->checks);
        else printf("not ok %s: %" PRIu64 " of %" PRIu64 " checks failed\n", property_names[i], count->failures, count->checks);
        failed += !good;
    }
    return failed ? 1 : 0;
}

int main(int count, char **arguments) {
    const char *documents = getenv("KONTOR_PROPERTY_DOCUMENTS"), *temporary = getenv("TMPDIR");
    uint64_t wanted = documents ? strtoull(documents, NULL, 10) : 60000;
    int64_t only = NOTHING;
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--documents") == 0 && i + 1 < count) wanted = strtoull(arguments[++i], NULL, 10);
        else if (strcmp(arguments[i], "--story") == 0 && i + 1 < count) only = strtoll(arguments[++i], NULL, 10);
        else { fputs(usage, stderr); return 2; }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    campaign_seed = chance_seed();
    records_prepare();
    char folder[256];
    snprintf(folder, sizeof folder, "%s/kontor-property-XXXXXX", temporary ? temporary : "/tmp");
    if (!mkdtemp(folder)) die("%s: %s", folder, strerror(errno));
    campaign(wanted, only, folder);
    rmdir(folder);
    return verdict(only >= 0);
}
