/* Any bytes as what a changelog brings: byte 0 chooses the processor, behind it records – length of the key, key, version, length of the value in two bytes, value –, each
 * sealed as it should be, so that only what is inside can be wrong. A task is opened over them and its waits are worked on: it goes on, or says that its
 * state is damaged or not for this version. The raw bytes are also unsealed as they are. */
#include <stdio.h>
#include <stdlib.h>

#include "common/runtime/engine_internal.h"
#include "tests/fuzz/world.h"

enum { PARTITION = 5, RECORDS_MAXIMUM = 64, STEPS_MAXIMUM = 1000 };

static struct run run;
static struct state *state;
static char sealed[1 << 17];

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition, const struct error *error) {
    if (condition) return;
    fprintf(stderr, "%s\n", error->text);
    abort();
}

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    (void)count; (void)arguments;
    struct error error = {""};
    struct state_opening opening;
    char path[256];
    const struct state_identity identity = {.processor = "fuzz", .partition = PARTITION, .partition_count = PARTITIONS, .changelog_id = "fuzz"};
    world_open(&run, true);
    snprintf(path, sizeof path, "%s/fuzz", run.folder);
    must(state_open(&state, path, &identity, run.clock_ms, 0, &opening, &error), &error);
    return 0;
}

static bool record_take(const uint8_t **at, const uint8_t *end, size_t *used, struct state_change *change) {
    if (end - *at < 1) return false;
    size_t key_length = **at;
    if ((size_t)(end - *at) < key_length + 4 || key_length == 0) return false;
    change->key = (struct slice){(const char *)*at + 1, key_length};
    const uint8_t *value = *at + 1 + key_length;
    size_t length = (size_t)value[1] | (size_t)value[2] << 8;
    if ((size_t)(end - value) < 3 + length) length = (size_t)(end - value) - 3;
    if (sizeof sealed - *used < length + STATE_SEAL_SIZE) return false;
    char *to = sealed + *used;
    memcpy(to + STATE_SEAL_SIZE, value + 3, length);
    state_seal(to, length + STATE_SEAL_SIZE, change->key, value[0]);
    change->value = (struct slice){to, length + STATE_SEAL_SIZE};
    *used += length + STATE_SEAL_SIZE;
    *at = value + 3 + length;
    return true;
}

static void open_over(struct instance *instance) {
    struct error error = {""};
    struct task *task = NULL;
    size_t mark = run.broker.count;
    enum engine_result result = task_open(&task, instance->engine, PARTITION, state, &error);
    must(result == ENGINE_DONE || result == ENGINE_REBUILD || (result == ENGINE_FATAL && error.text[0]), &error);
    if (result == ENGINE_DONE) {
        bool more = true;
        for (int i = 0; more && result == ENGINE_DONE && i < STEPS_MAXIMUM; i++) result = engine_step(instance->engine, task, &more, &error);
        must(result != ENGINE_FATAL && result != ENGINE_FLOOD, &error);
        must(engine_abort(instance->engine, &error), &error);
        task_close(task);
    }
    broker_cut(&run.broker, mark);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct state_change changes[RECORDS_MAXIMUM];
    struct error error = {""};
    struct slice body;
    uint8_t version;
    size_t count = 0, used = 0;
    if (size < 2) return 0;
    if (state_unseal(SLICE("key"), (struct slice){(const char *)data, size}, &body, &version) && body.length > size) abort();
    struct instance *instance = &run.instances[data[0] % family_count];
    const uint8_t *at = data + 1;
    while (count < RECORDS_MAXIMUM && record_take(&at, data + size, &used, &changes[count])) count++;
    if (!count) return 0;
    must(state_apply(state, changes, count, (struct state_position){(int64_t)count, run.clock_ms}, true, &error), &error);
    open_over(instance);
    must(state_clear(state, &error), &error);
    return 0;
}
