/* Bytes of a sound file of local state turned, as a disk or memory may do it: five bytes of input each, where and with what. However it is damaged, the next
 * opening throws it away, or every value is there as it was; then it can be written. LMDB, which trusts its pages, never faults over it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/state/state.h"

enum { PAGE = 4096, KEYS = 300, VALUE = 150, LARGE = 9000 /* has pages of its own */, EDIT_SIZE = 5, EDITS_MAXIMUM = 16 };

static const struct state_identity identity = {"fuzz", 0, 1, "changelog"};
static char folder[256], data_path[300], mark_path[300];
static char *sound, *tried;           /* as it was written; as it is tried */
static size_t sound_size;

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static struct state *open_state(struct state_opening *opening) {
    struct state *state;
    struct error error = {""};
    *opening = (struct state_opening){0};
    must(state_open(&state, folder, &identity, 0, 0, opening, &error), error.text);
    return state;
}

static struct state_change change_of(int key, char round, char room[LARGE + 64]) {
    size_t name = (size_t)sprintf(room, "k|%06d", key), length = STATE_SEAL_SIZE + (key % 50 ? VALUE : LARGE);
    memset(room + 32, round, length);
    snprintf(room + 32 + STATE_SEAL_SIZE, 32, "%d %c", key, round);
    state_seal(room + 32, length, (struct slice){room, name}, 1);
    return (struct state_change){{room, name}, {room + 32, length}};
}

static void put(struct state *state, char round) {
    static char rooms[KEYS][LARGE + 64];
    struct state_change changes[KEYS];
    struct error error = {""};
    for (int key = 0; key < KEYS; key++) changes[key] = change_of(key, round, rooms[key]);
    must(state_apply(state, changes, KEYS, (struct state_position){round, round}, true, &error), error.text);
}

static void write_all(const char *path, const char *bytes, size_t size) {
    int file = open(path, O_WRONLY | O_CREAT, 0640);
    must(file >= 0 && write(file, bytes, size) == (ssize_t)size, path);
    close(file);
}

static void delete_folder(void) {
    static const char *const names[] = {"data.mdb", "lock.mdb", "mark"};
    char path[300];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    (void)count; (void)arguments;
    struct state_opening opening;
    struct stat status;
    snprintf(folder, sizeof folder, "%s/kontor-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    must(mkdtemp(folder), folder);
    atexit(delete_folder);
    snprintf(data_path, sizeof data_path, "%s/data.mdb", folder);
    snprintf(mark_path, sizeof mark_path, "%s/mark", folder);
    struct state *state = open_state(&opening);
    put(state, 'a');
    put(state, 'b'); /* so that there are free pages */
    state_close(state);
    int file = open(data_path, O_RDONLY);
    must(file >= 0 && fstat(file, &status) == 0, data_path);
    sound_size = (size_t)status.st_size;
    sound = malloc(sound_size);
    tried = malloc(sound_size);
    must(sound && tried && read(file, sound, sound_size) == (ssize_t)sound_size, data_path);
    close(file);
    return 0;
}

/* The position before the last is as sound as the last: the changelog brings the rest. */
static void check(struct state *state) {
    struct state_value found;
    struct error error = {""};
    char room[LARGE + 64], round = (char)state_at(state).position;
    must(round == 'a' || round == 'b', "a position that never was");
    must(state_entries(state) == KEYS, "another number of records");
    for (int key = 0; key < KEYS; key++) {
        struct state_change want = change_of(key, round, room);
        must(state_get(state, want.key, &found, &error) == STATE_FOUND, "a value is gone, and nobody was told");
        must(found.body.length == want.value.length - STATE_SEAL_SIZE && memcmp(found.body.data, want.value.data + STATE_SEAL_SIZE, found.body.length) == 0, "another value");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct state_opening opening;
    memcpy(tried, sound, sound_size);
    for (size_t at = 0; at + EDIT_SIZE <= size && at < EDITS_MAXIMUM * EDIT_SIZE; at += EDIT_SIZE) {
        /* Page, place in it; a page's first half kilobyte is as often meant as the rest. */
        size_t page = (size_t)(data[at] | data[at + 1] << 8) % (sound_size / PAGE), place = (size_t)(data[at + 2] | data[at + 3] << 8) % (2 * PAGE);
        tried[page * PAGE + (place < PAGE ? place : place % 512)] ^= (char)data[at + 4];
    }
    write_all(data_path, tried, sound_size);
    must(truncate(data_path, (off_t)sound_size) == 0, data_path);
    write_all(mark_path, "closed\n", 7);
    must(truncate(mark_path, 7) == 0, mark_path);
    struct state *state = open_state(&opening);
    if (opening.rebuilt_because) must(state_at(state).position == -1 && state_entries(state) == 0, "thrown away, and not empty");
    else check(state);
    put(state, 'c');
    state_close(state);
    return 0;
}
