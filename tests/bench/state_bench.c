/* state_bench: what local state costs: get and put of 100-byte values under random keys, 1,000 changes in a batch, as a processor does under load.
 *
 *     state_bench FOLDER [keys...]      default 10000 1000000
 *
 * Prints a line per size: nanoseconds per get, per put (with its seal and its share of the transaction), both; the file and the process. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/platform/clock.h"
#include "common/state/state.h"

enum { BATCH = 1000, BODY = 100, KEY = 24 };

static struct state *state;
static int64_t position;
static uint64_t random_state = 88172645463325252u;

static uint64_t random_next(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static void or_stop(bool ok, const struct error *error) {
    if (ok) return;
    fprintf(stderr, "%s\n", error->text);
    exit(1);
}

/* Keys spread over the whole tree: locality would flatter. */
static struct slice key_of(uint64_t number, char text[KEY + 1]) {
    return (struct slice){text, (size_t)snprintf(text, KEY + 1, "\x01" "1000|%016" PRIx64, number * 0x9E3779B97F4A7C15u)};
}

static void put(const uint64_t *numbers, size_t count) {
    static char keys[BATCH][KEY + 1], values[BATCH][STATE_SEAL_SIZE + BODY];
    static struct state_change changes[BATCH];
    struct error error;
    for (size_t i = 0; i < count; i++) {
        changes[i].key = key_of(numbers[i], keys[i]);
        memset(values[i] + STATE_SEAL_SIZE, (int)position, BODY);
        state_seal(values[i], sizeof values[i], changes[i].key, 1);
        changes[i].value = (struct slice){values[i], sizeof values[i]};
    }
    position++;
    or_stop(state_apply(state, changes, count, (struct state_position){position, 0}, false, &error), &error);
}

static void get(const uint64_t *numbers, size_t count) {
    struct error error;
    for (size_t i = 0; i < count; i++) {
        char text[KEY + 1];
        struct state_value value;
        error_set(&error, "a key is missing");
        or_stop(state_get(state, key_of(numbers[i], text), &value, &error) == STATE_FOUND && value.body.length == BODY, &error);
    }
}

static void measure(uint64_t keys) {
    static uint64_t numbers[BATCH];
    const int rounds = 1000;
    int64_t getting = 0, putting = 0, begun = clock_monotonic_ns();
    for (uint64_t done = 0; done < keys;) {
        size_t count = 0;
        while (count < BATCH && done < keys) numbers[count++] = done++;
        put(numbers, count);
    }
    int64_t filled = clock_monotonic_ns() - begun;
    for (int round = -50; round < rounds; round++) {
        for (int i = 0; i < BATCH; i++) numbers[i] = random_next() % keys;
        int64_t start = clock_monotonic_ns();
        get(numbers, BATCH);
        int64_t between = clock_monotonic_ns();
        put(numbers, BATCH);
        if (round < 0) continue; /* warming up */
        getting += between - start;
        putting += clock_monotonic_ns() - between;
    }
    int64_t operations = (int64_t)rounds * BATCH;
    printf("%9" PRIu64 " keys: get %5" PRId64 " ns, put %5" PRId64 " ns, both %5" PRId64 " ns; ", keys, getting / operations, putting / operations,
           (getting + putting) / operations);
    printf("filled in %" PRId64 " ms (%" PRId64 " ns a key); file %" PRIu64 " MiB\n", filled / 1000000, filled / (int64_t)keys, state_bytes(state) >> 20);
}

int main(int count, char **arguments) {
    const struct state_identity identity = {"bench", 0, 1, "bench"};
    if (count < 2) {
        fprintf(stderr, "usage: %s FOLDER [keys...]\n", arguments[0]);
        return 2;
    }
    for (int i = 2; i < (count > 2 ? count : 4); i++) {
        struct error error;
        struct state_opening opening;
        uint64_t keys = count > 2 ? strtoull(arguments[i], NULL, 10) : i == 2 ? 10000 : 1000000;
        or_stop(state_open(&state, arguments[1], &identity, 0, 0, &opening, &error), &error);
        or_stop(state_clear(state, &error), &error);
        position = 0;
        measure(keys ? keys : 1);
        int64_t start = clock_monotonic_ns();
        state_close(state);
        int64_t closed = clock_monotonic_ns();
        or_stop(state_open(&state, arguments[1], &identity, 0, 0, &opening, &error), &error);
        printf("%9s       closed in %" PRId64 " ms, opened in %" PRId64 " ms\n", "", (closed - start) / 1000000, (clock_monotonic_ns() - closed) / 1000000);
        state_close(state);
    }
    return 0;
}
