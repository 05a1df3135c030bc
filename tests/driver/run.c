#include "tests/driver/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/platform/hash.h"
#include "tests/driver/records.h"

enum { ARENA_BLOCK = 1 << 20, FOLDER_ROOM = 400, FLOWED_ROOM = 4000 /* records of processors that another one answers for */ };

/* Each line of the text under the first. */
static void lines_indent(const char *label, const char *text) {
    printf("    %-9s ", label);
    for (; *text; text++) {
        putchar(*text);
        if (*text == '\n') printf("%14s", "");
    }
    putchar('\n');
}

void run_stop(struct run *run, const struct statement *statement, const char *expected, const char *got) {
    printf("%s:%d: %s\n", statement->file ? statement->file : run->path, statement->line, statement->text);
    lines_indent("expected", expected);
    lines_indent("got", got);
    if (run->spoiled[0]) printf("    with %s\n", run->spoiled);
    run->failures++;
}

void run_fail(struct run *run, const struct statement *statement, const char *expected, const char *got) {
    if (run->mode != MODE_MASTERS) run_stop(run, statement, expected, got);
}

static void problem(struct run *run, const struct statement *statement, const struct error *error) { run_fail(run, statement, "a statement of the case language", error->text); }

/* ---- statements ---- */

static void run_event(struct run *run, const struct statement *statement, bool raw) {
    struct given *given = &run->given[run->given_count];
    struct error error = {{0}};
    *given = (struct given){.statement = statement};
    if (!(raw ? raw_build : review_is(statement) ? review_build : event_build)(run, statement, given, &error)) { problem(run, statement, &error); return; }
    run->given_count++;
    batch_give(run, given);
    outcome_expect(run, statement, given, statement_arrow(statement) + 1);
}

/* event TOPIC ..., raw TOPIC ...: of a topic that another processor would send. Where the reader answers for it, what becomes of it is looked at. */
static void run_followed(struct run *run, const struct statement *statement) {
    struct given given = {.statement = statement};
    struct error error = {{0}};
    if (!followed_build(run, statement, &given, &error)) { problem(run, statement, &error); return; }
    if (given.family < 0) { batch_give(run, &given); return; }
    struct given *kept = &run->given[run->given_count++];
    *kept = given;
    batch_give(run, kept);
    batch_name(run, kept);
    outcome_expect(run, statement, kept, statement_arrow(statement) + 1);
}

/* again ID: the same bytes once more. */
static void run_again(struct run *run, const struct statement *statement) {
    const struct given *before = statement->count > 1 ? given_find(run, statement->words[1]) : NULL;
    struct error error = {{0}};
    const char *at = statement_value(statement, "at", NULL);
    if (!before) { error_set(&error, "no such event"); problem(run, statement, &error); return; }
    struct given *given = &run->given[run->given_count];
    *given = *before;
    given->statement = statement;
    given->origin = NULL;
    run->clock_ms += 60000;
    if (at && !time_read(at, &run->clock_ms, &error)) { problem(run, statement, &error); return; }
    given->time_ms = given->received_ms = run->clock_ms;
    run->given_count++;
    batch_give(run, given);
    outcome_expect(run, statement, given, statement_arrow(statement) + 1);
}

/* When the registry answers again, what was not taken is given once more, in order. */
static void run_registry(struct run *run, const struct statement *statement) {
    run->surroundings.registry_down = statement->count > 1 && strcmp(statement->words[1], "down") == 0;
    batch_follow_tables(run, statement);   /* what was to be released meanwhile */
    for (size_t i = 0; !run->surroundings.registry_down && i < run->given_count; i++)
        if (run->given[i].untaken) batch_give(run, &run->given[i]);
}

/* What a processor found wrong with the newest bad record; those that do not read its table found nothing. */
static const char *bad_record(const struct run *run) {
    const char *text = "it was refused";
    for (int i = 0; i < family_count; i++)
        if (run->instances[i].bad_record.text[0]) text = run->instances[i].bad_record.text;
    return text;
}

static void run_master(struct run *run, const struct statement *statement, bool removed, bool rules) {
    struct error error = {{0}};
    const size_t arrow = statement_arrow(statement);
    bool bad_expected = arrow + 1 < statement->count && strcmp(statement->words[arrow + 1], "bad") == 0;
    if (run->mode == MODE_PACKED && run->opened) batch_flush(run, statement);
    size_t place = run->broker.count;
    if (!(rules ? rules_put(run, statement, &error) : master_put(run, statement, removed, &error))) { problem(run, statement, &error); return; }
    if (!run->opened) return;   /* the world is loaded as a whole, before the first statement of the case */
    batch_follow_tables(run, statement);
    if (run->broker.items[place]->bad != bad_expected) run_fail(run, statement, bad_expected ? "a bad record" : "a good record", bad_expected ? "it was taken" : bad_record(run));
}

/* tick TIME */
static void run_tick(struct run *run, const struct statement *statement) {
    struct error error = {{0}};
    int64_t time_ms;
    if (!time_read(statement->count > 1 ? statement->words[1] : "", &time_ms, &error)) { problem(run, statement, &error); return; }
    batch_tick(run, statement, time_ms);
}

/* quiet TIME -> ticks NUMBER */
static void run_quiet(struct run *run, const struct statement *statement) {
    struct error error = {{0}};
    int64_t time_ms;
    char got[32];
    if (statement->count != 5 || strcmp(statement->words[3], "ticks") != 0) { error_set(&error, "quiet TIME -> ticks NUMBER"); problem(run, statement, &error); return; }
    if (!time_read(statement->words[1], &time_ms, &error)) { problem(run, statement, &error); return; }
    snprintf(got, sizeof got, "%d", batch_quiet(run, statement, time_ms));
    if (strcmp(got, statement->words[4]) != 0) run_fail(run, statement, statement->words[4], got);
}

static void run_statement(struct run *run, const struct statement *statement) {
    static const char *const words[] = {"event", "raw", "again", "registry", "master", "master-remove", "rule", "rules", "expect", "journals", "tick", "quiet", "resolve", "erp"};
    struct error error = {{0}};
    size_t word = 0;
    while (word < sizeof words / sizeof *words && strcmp(words[word], statement->words[0]) != 0) word++;
    switch (word) {
    case 0: case 1:
        if (followed_is(statement)) run_followed(run, statement);
        else run_event(run, statement, word == 1);
        break;
    case 2: run_again(run, statement); break;
    case 3: run_registry(run, statement); break;
    case 4: run_master(run, statement, false, false); break;
    case 5: run_master(run, statement, true, false); break;
    case 6: if (!rule_add(run, statement, &error)) problem(run, statement, &error); break;
    case 7: run_master(run, statement, false, true); break;
    case 8: expect(run, statement); break;
    case 9: run->journals_not_listed = true; break;
    case 10: run_tick(run, statement); break;
    case 11: run_quiet(run, statement); break;
    case 12: run_resolve(run, statement); break;
    case 13: run_erp(run, statement); break;
    default: error_set(&error, "there is no statement %s", statement->words[0]); problem(run, statement, &error);
    }
}

/* ---- the whole ---- */

static bool folder_make(struct run *run, struct error *error) {
    const char *root = getenv("TMPDIR");
    if (!root) root = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(run->folder, sizeof run->folder, "%s/kontor-cases-XXXXXX", root);
    if (!mkdtemp(run->folder)) return error_set(error, "%s cannot be made", run->folder);
    run->surroundings = (struct surroundings){.folder = run->folder, .broker = &run->broker};
    return true;
}

/* Whether the case has rules by which journals are settled, or budgets, and the processor does that. */
static bool family_is_asked_for(const struct statement *statement, const struct family *family) {
    static const struct { const char *table, *topic; } asking[] = {{"settlement-rules", "settlement.entries"}, {"budgets", "budget.movements"}};
    if (statement->count < 2 || strcmp(statement->words[0], "master") != 0) return false;
    for (size_t i = 0; i < sizeof asking / sizeof *asking; i++)
        for (int k = 0; strcmp(statement->words[1], asking[i].table) == 0 && k < INPUTS_MAXIMUM && family->processor->inputs[k].topic; k++)
            if (strcmp(family->processor->inputs[k].topic, asking[i].topic) == 0) return true;
    return false;
}

/* The acknowledger reads what every processor writes: it has a part where the life of documents is looked at. */
static bool life_takes_part(const struct script *script) {
    for (size_t i = 0; i < script->count; i++) {
        const char *const *words = script->items[i].words;
        if (strcmp(words[0], "erp") == 0) return true;
        if (strcmp(words[0], "expect") == 0 && script->items[i].count > 2 && (strcmp(words[1], "document") == 0 || strcmp(words[1], "told") == 0)) return true;
    }
    return false;
}

/* Whether the processor has a part in the case: its events or records that it follows are told, its state is looked at, or it follows what another answers for. */
static bool family_takes_part(const struct script *script, const struct family *family) {
    if (strcmp(family->processor->name, "acknowledger") == 0) return life_takes_part(script);
    for (size_t i = 0; i < script->count; i++) {
        const struct statement *statement = &script->items[i];
        if (family_is_asked_for(statement, family)) return true;
        size_t at = strcmp(statement->words[0], "expect") == 0 && statement->count > 2 && strcmp(statement->words[1], "state") == 0 ? 2 : 1;
        if (statement->count <= at || (at == 1 && strcmp(statement->words[0], "event") != 0 && strcmp(statement->words[0], "raw") != 0)) continue;
        const int named = family_find(statement->words[at]);
        const char *topic = named >= 0 ? families[named].events->topic : statement->words[at];
        for (int k = 0; k < INPUTS_MAXIMUM && family->processor->inputs[k].topic; k++)
            if (strcmp(family->processor->inputs[k].topic, topic) == 0) return true;
    }
    return false;
}

/* The included statements are the world: its masters are in the topics before the processors start. */
static bool world_make(struct run *run, size_t *first, struct error *error) {
    for (*first = 0; *first < run->script.count && run->script.items[*first].included; ++*first) run_statement(run, &run->script.items[*first]);
    if (!time_read("2026-03-02T09:00Z", &run->clock_ms, error)) return false;
    run->surroundings.now_ms = run->clock_ms;
    for (int i = 0; i < family_count; i++)
        if (family_takes_part(&run->script, &families[i]) && !instance_open(&run->instances[i], families[i].processor, &run->surroundings, error)) return false;
    run->opened = true;
    for (int i = 0; i < family_count; i++)
        if (run->instances[i].bad_record.text[0] && run->mode != MODE_MASTERS) return error_set(error, "the world has a bad record: %s", run->instances[i].bad_record.text);
    return true;
}

int run_file(const char *path, enum mode mode, uint64_t seed, uint64_t *outputs, uint64_t *tried) {
    struct run *run = calloc(1, sizeof *run);
    struct error error = {{0}};
    size_t first = 0;
    if (!run) return 1;
    run->mode = mode;
    run->chance = hash_bytes(path, strlen(path)) + seed;
    run->path = path;
    run->rules = json_object();
    arena_init(&run->arena, ARENA_BLOCK, (size_t)1 << 32);
    bool ok = families_make(&error) && script_read(&run->arena, path, false, &run->script, &error) && broker_open(&run->broker, &error) && folder_make(run, &error);
    run->given_capacity = run->script.count + FLOWED_ROOM;
    run->given = ok ? calloc(run->given_capacity, sizeof *run->given) : NULL;
    if (ok && run->given && world_make(run, &first, &error)) {
        for (size_t i = first; i < run->script.count; i++) run_statement(run, &run->script.items[i]);
        if (mode == MODE_PACKED && run->script.count) batch_flush(run, &run->script.items[run->script.count - 1]);
        invariants_check(run);
        if (outputs) *outputs = broker_sent(&run->broker, 0);
        if (tried) *tried += run->tried;
    } else {
        printf("%s: %s\n", path, error.text);
        run->failures++;
    }
    for (int i = 0; i < family_count; i++)
        if (run->instances[i].processor) instance_close(&run->instances[i]);
    if (*run->folder) folder_delete(run->folder);
    broker_close(&run->broker);
    script_free(&run->script);
    free(run->given);
    json_decref(run->rules);
    arena_free(&run->arena);
    int failures = run->failures;
    free(run);
    return failures;
}
