#include "tests/driver/cases.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/platform/hash.h"
#include "tests/driver/run.h"

static const char usage[] =
    "kontor-cases [--mode plain|packed|restart|twice|truncate|extremes|lists|masters|allocation] [--one-in N [--seed NUMBER]] [--verbose] FILE|FOLDER...\n"
    "  plain       each event is a batch of its own\n"
    "  packed      as many events in a batch as can be: the same must come of it\n"
    "  restart     everything is closed and opened again after each event, and again after what it released: from the local state, and from the topics alone\n"
    "  twice       two runs send the same bytes\n"
    "  truncate    each event is first given cut at every length: poison, and nothing changes\n"
    "  extremes    each event is first given with each of its numbers and texts at the ends of what can be: the processor goes on, and what it makes of it can be written\n"
    "  lists       each sort of event is first given with lists as long as can be, and longer: it is decided, or rejected\n"
    "  masters     some master records have a number or text at the ends of what can be, by --seed: the processors go on; what the case expects is not looked at\n"
    "  allocation  each event is first given with every allocation failing in its turn: aborted, and nothing changes\n"
    "--one-in: only every N-th file, by its name; another seed takes others\n";

static char **paths;
static size_t path_count;

static int path_add(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status; (void)place;
    size_t length = strlen(path);
    if (kind != FTW_F || length < 5 || strcmp(path + length - 5, ".case") != 0) return 0;
    if (strcmp(path + place->base, "world.case") == 0) return 0;   /* only ever included */
    char **grown = realloc(paths, (path_count + 1) * sizeof *paths);
    if (!grown) return 1;
    paths = grown;
    paths[path_count++] = strdup(path);
    return 0;
}

/* Whether the file is among those that one-in takes. */
static bool is_taken(const char *path, uint64_t one_in, uint64_t seed) {
    struct slice name = slice_of(path);
    return (hash_bytes(name.data, name.length) + seed) % one_in == 0;
}

static int path_order(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int run_twice(const char *path, uint64_t *tried) {
    uint64_t first = 0, second = 0;
    int failures = run_file(path, MODE_PLAIN, 0, &first, tried) + run_file(path, MODE_PLAIN, 0, &second, tried);
    if (first == second) return failures;
    printf("%s: the second run sent other bytes than the first\n", path);
    return failures + 1;
}

static int run_mode(const char *path, const char *mode, uint64_t seed, uint64_t *tried) {
    static const struct { const char *name; enum mode mode; } modes[] = {{"plain", MODE_PLAIN}, {"packed", MODE_PACKED}, {"restart", MODE_RESTART},
        {"restart", MODE_REBUILD}, {"truncate", MODE_TRUNCATE}, {"extremes", MODE_EXTREMES}, {"lists", MODE_LISTS}, {"masters", MODE_MASTERS}, {"allocation", MODE_ALLOCATION}};
    int failures = 0;
    if (strcmp(mode, "twice") == 0) return run_twice(path, tried);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(modes[i].name, mode) == 0) failures += run_file(path, modes[i].mode, seed, NULL, tried);
    return failures;
}

int cases_main(int count, char **arguments, const struct processor *outside) {
    static const char *const modes[] = {"plain", "packed", "restart", "twice", "truncate", "extremes", "lists", "masters", "allocation"};
    const char *mode = "plain";
    bool verbose = false, known = false;
    uint64_t one_in = 1, seed = 0;
    int at = 1, bad = 0;
    for (; at < count && arguments[at][0] == '-'; at++) {
        if (strcmp(arguments[at], "--mode") == 0 && at + 1 < count) mode = arguments[++at];
        else if (strcmp(arguments[at], "--one-in") == 0 && at + 1 < count) one_in = strtoull(arguments[++at], NULL, 10);
        else if (strcmp(arguments[at], "--seed") == 0 && at + 1 < count) seed = strtoull(arguments[++at], NULL, 10);
        else if (strcmp(arguments[at], "--verbose") == 0) verbose = true;
        else break;
    }
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) known |= strcmp(modes[i], mode) == 0;
    if (!known || !one_in || at == count || arguments[at][0] == '-') { fputs(usage, stderr); return 2; }
    for (; at < count; at++)
        if (nftw(arguments[at], path_add, 16, FTW_PHYS) != 0) { fprintf(stderr, "%s cannot be read\n", arguments[at]); return 2; }
    struct error error;
    if (outside && !families_add(outside, &error)) { fprintf(stderr, "%s\n", error.text); return 2; }
    if (outside) broker_schemas_add(outside);
    if (!path_count) { fputs("no case file was found\n", stderr); return 2; }
    qsort(paths, path_count, sizeof *paths, path_order);
    for (size_t i = 0; i < path_count; i++) {
        if (!is_taken(paths[i], one_in, seed)) { free(paths[i]); continue; }
        uint64_t tried = 0;
        int failures = run_mode(paths[i], mode, seed, &tried);
        if (failures) printf("not ok %s: %d failures\n", paths[i], failures);
        else if (verbose) printf("ok %s (%llu faults)\n", paths[i], (unsigned long long)tried);
        else printf("ok %s\n", paths[i]);
        fflush(stdout);
        bad += failures != 0;
        free(paths[i]);
    }
    free(paths);
    return bad != 0;
}
