#include "tests/fuzz/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/driver/records.h"

#define CASES KONTOR_SOURCE "/tests/cases/"

static const char *const scripts[] = {CASES "world.case", CASES "payment-world.include", CASES "expenses.include", CASES "intercompany.include", CASES "settlement.include",
                                      CASES "review.include", CASES "purchase.include", CASES "journals/journals.include", CASES "document-life/life.include"};

static void must(bool ok, const char *what, const struct error *error) {
    if (ok) return;
    fprintf(stderr, "the fuzzer's world: %s: %s\n", what, error->text);
    exit(1);
}

static bool is(const struct statement *statement, const char *word) { return strcmp(statement->words[0], word) == 0; }

static void master_take(struct run *run, const struct statement *statement) {
    struct error error = {{0}};
    bool ok = is(statement, "master") ? master_put(run, statement, false, &error) : is(statement, "rule") ? rule_add(run, statement, &error) :
              is(statement, "rules") ? rules_put(run, statement, &error) : true;
    must(ok, statement->text, &error);
}

void world_open(struct run *run, bool instances) {
    struct error error = {{0}};
    *run = (struct run){.mode = MODE_PLAIN, .path = "world", .rules = json_object()};
    arena_init(&run->arena, 1 << 20, (size_t)1 << 32);
    must(families_make(&error) && broker_open(&run->broker, &error) && time_read("2026-03-02T09:00Z", &run->clock_ms, &error), "broker", &error);
    snprintf(run->folder, sizeof run->folder, "%s/kontor-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(run->folder)) must(false, run->folder, &(struct error){"cannot be made"});
    run->surroundings = (struct surroundings){.folder = run->folder, .broker = &run->broker, .now_ms = run->clock_ms};
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        struct script script = {0};
        must(script_read(&run->arena, scripts[i], true, &script, &error), scripts[i], &error);
        for (size_t k = 0; k < script.count; k++) master_take(run, &script.items[k]);
        script_free(&script);
    }
    for (int i = 0; instances && i < family_count; i++)
        must(instance_open(&run->instances[i], families[i].processor, &run->surroundings, &error), families[i].processor->name, &error);
    run->opened = true;
}

void world_close(struct run *run) {
    for (int i = 0; i < family_count; i++)
        if (run->instances[i].processor) instance_close(&run->instances[i]);
    folder_delete(run->folder);
    broker_close(&run->broker);
    json_decref(run->rules);
    arena_free(&run->arena);
}

/* To every processor that reads its topic. */
static void instances_take(struct run *run, const struct given *given) {
    struct error error = {{0}};
    for (int i = 0; i < family_count; i++) {
        struct instance *instance = &run->instances[i];
        if (!instance->processor || instance_input(instance, given->topic) < 0) continue;
        struct engine_message message = {.partition = given->partition, .offset = given->offset, .timestamp_ms = given->time_ms, .received_ms = given->received_ms,
                                         .key = given->key, .value = given->value};
        must(instance_take(instance, given->topic, &message, &error) == ENGINE_DONE && instance_commit(instance, &error) == ENGINE_DONE, given->topic, &error);
    }
}

void world_give(struct run *run, const char *path, void (*each)(const struct given *given)) {
    struct error error = {{0}};
    struct script script = {0};
    must(script_read(&run->arena, path, false, &script, &error), path, &error);
    for (size_t i = 0; i < script.count; i++) {
        const struct statement *statement = &script.items[i];
        struct given given = {.statement = statement};
        if (statement->included || !is(statement, "event") || review_is(statement)) continue;
        bool built = followed_is(statement) ? followed_build(run, statement, &given, &error) : event_build(run, statement, &given, &error);
        if (!built) continue;   /* cases of nonsense have some */
        run->given_count++;
        if (each) each(&given);
        else instances_take(run, &given);
    }
    script_free(&script);
}
