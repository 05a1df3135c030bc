/* state: kills, machine stops, truncation, flipped bytes, full disks, limits. What was committed is there, or nothing is and it is said why;
 * never something else, and no signal. */
#include "tests/unit/state_support.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "common/state/inspect.h"
#include "common/state/state.h"

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ADDRESS_SANITIZER 1
#endif
#endif

static const struct state_identity identity = {"invoice", 7, 32, "changelog/1"};
static struct error error;
static struct state_opening opening;

static struct state *open_in(const char *folder) {
    struct state *state;
    if (state_open(&state, folder, &identity, 0, 0, &opening, &error)) return state;
    return NULL;
}

static struct state *open_state(void) {
    struct state *state = open_in(path_in("7"));
    if (!state) fail_msg("%s", error.text);
    return state;
}

/* Value number `value` of a key: 100 to 300 bytes that name both. */
static struct state_change change_of(int key, int64_t value, char room[400]) {
    size_t name = (size_t)sprintf(room, "k|%06d", key);
    char *bytes = room + 32;
    size_t length = STATE_SEAL_SIZE + 100 + (size_t)(key % 200);
    memset(bytes, 'x', length);
    memcpy(bytes + STATE_SEAL_SIZE + sprintf(bytes + STATE_SEAL_SIZE, "value %d %" PRId64 " ", key, value), "of it ", 6);
    state_seal(bytes, length, (struct slice){room, name}, 1);
    return (struct state_change){{room, name}, {bytes, length}};
}

/* Puts one value under keys [from, to) in one transaction. */
static bool put_range(struct state *state, int from, int to, int64_t value) {
    size_t count = (size_t)(to - from);
    char (*rooms)[400] = malloc(count * sizeof *rooms);
    struct state_change *changes = malloc(count * sizeof *changes);
    for (size_t i = 0; i < count; i++) changes[i] = change_of(from + (int)i, value, rooms[i]);
    bool ok = state_apply(state, changes, count, (struct state_position){value, value}, false, &error);
    free(rooms);
    free(changes);
    return ok;
}

/* Exactly the keys [0, count) are there, with this value. */
static void assert_range(struct state *state, int count, int64_t value) {
    assert_int_equal(state_entries(state), count);
    for (int key = 0; key < count; key++) {
        char room[400];
        struct state_value found;
        struct state_change want = change_of(key, value, room);
        if (state_get(state, want.key, &found, &error) != STATE_FOUND) fail_msg("key %d: %s", key, error.text);
        assert_int_equal(found.body.length, want.value.length - STATE_SEAL_SIZE);
        assert_memory_equal(found.body.data, want.value.data + STATE_SEAL_SIZE, found.body.length);
    }
}

static void fill_and_close(int count, int64_t value) {
    struct state *state = open_state();
    if (!put_range(state, 0, count, value)) fail_msg("%s", error.text);
    state_close(state);
}

/* ---- kills and machine stops ---- */

/* A child that writes rounds without end, telling each through a pipe. */
static pid_t start_writer(int *told) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct state *state = open_in(path_in("7"));
        for (int64_t round = state ? state_at(state).position + 1 : INT64_MAX; round < INT64_MAX; round++) {
            if (round < 0) round = 0;
            if (!put_range(state, 0, 200, round) || write(ends[1], &round, sizeof round) != sizeof round) _exit(1);
        }
        _exit(2);
    }
    close(ends[1]);
    *told = ends[0];
    return child;
}

/* Kills it after so many rounds and some more time; the last round that it told. */
static int64_t kill_writer(pid_t child, int told, int rounds, int spins) {
    int64_t round = -1, last = -1;
    int status;
    for (int i = 0; i < rounds; i++) assert_int_equal(read(told, &round, sizeof round), sizeof round);
    for (volatile int i = 0; i < spins; i++) {} /* anywhere in the next round */
    kill(child, SIGKILL);
    for (last = round; read(told, &round, sizeof round) == sizeof round;) last = round;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(told);
    return last;
}

static void write_and_be_killed(int rounds) {
    int told;
    pid_t child = start_writer(&told);
    kill_writer(child, told, rounds, 0);
}

static void survives_kill(void **unused) {
    (void)unused;
    random_start();
    for (int i = 0; i < 40; i++) {
        int told;
        pid_t child = start_writer(&told);
        int64_t last = kill_writer(child, told, 1 + (int)random_below(5), (int)random_below(400000));
        struct state *state = open_state();
        assert_null(opening.rebuilt_because);
        assert_in_range(opening.at.position, last, last + 1); /* it may have been killed before it told */
        assert_range(state, 200, opening.at.position);
        state_close(state);
    }
}

static void killed_and_machine_restarted_is_emptied(void **unused) {
    (void)unused;
    write_and_be_killed(3);
    boot(2);
    struct state *state = open_state();
    assert_string_equal(opening.rebuilt_because, "the machine stopped before it was closed");
    assert_int_equal(opening.at.position, -1);
    assert_range(state, 0, 0);
    state_close(state);
}

static void closed_and_machine_restarted_is_believed(void **unused) {
    (void)unused;
    fill_and_close(200, 5);
    boot(2);
    struct state *state = open_state();
    assert_null(opening.rebuilt_because);
    assert_range(state, 200, 5);
    state_close(state);
}

/* Opened in the second boot, read only, and the machine stops again: the close of the first boot counts no more. */
static void every_opening_takes_the_clean_mark_away(void **unused) {
    (void)unused;
    fill_and_close(200, 5);
    boot(2);
    write_and_be_killed(1);
    boot(3);
    struct state *state = open_state();
    assert_non_null(opening.rebuilt_because);
    state_close(state);
}

static void without_boot_id_only_a_clean_close_is_believed(void **unused) {
    (void)unused;
    unlink(path_in("boot_id"));
    fill_and_close(200, 5);
    struct state *state = open_state();
    assert_null(opening.rebuilt_because);
    state_close(state);
    write_and_be_killed(1);
    state = open_state();
    assert_non_null(opening.rebuilt_because);
    state_close(state);
}

static void data_without_a_mark_is_emptied(void **unused) {
    (void)unused;
    fill_and_close(200, 5);
    unlink(path_in("7/mark"));
    struct state *state = open_state();
    assert_string_equal(opening.rebuilt_because, "nothing tells how it was closed");
    assert_range(state, 0, 0);
    state_close(state);
}

static void copy_file(const char *from, const char *to) {
    char command[1100];
    snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
}

static void old_copy_is_a_lower_position(void **unused) {
    (void)unused;
    fill_and_close(200, 5);
    copy_file(path_in("7/data.mdb"), path_in("copy"));
    struct state *state = open_state();
    for (int64_t round = 6; round < 50; round++) assert_true(put_range(state, 0, 300, round));
    state_close(state);
    copy_file(path_in("copy"), path_in("7/data.mdb"));
    state = open_state();
    assert_null(opening.rebuilt_because);
    assert_int_equal(opening.at.position, 5);
    assert_range(state, 200, 5);
    assert_true(put_range(state, 0, 5000, 6));
    assert_range(state, 5000, 6);
    state_close(state);
}

/* ---- damage ---- */

static void truncated_file_is_emptied(void **unused) {
    (void)unused;
    fill_and_close(5000, 5);
    copy_file(path_in("7/data.mdb"), path_in("copy"));
    const uint64_t whole = file_size(path_in("copy"));
    int emptied = 0;
    for (uint64_t size = 0; size <= whole; size += size < 20000 ? 977 : 65536 + 13) {
        copy_file(path_in("copy"), path_in("7/data.mdb"));
        assert_int_equal(truncate(path_in("7/data.mdb"), (off_t)size), 0);
        struct state *state = open_state();
        if (opening.at.position == -1) {
            emptied++;
            assert_true(size == 0 || opening.rebuilt_because);
            assert_range(state, 0, 0);
        } else {
            assert_range(state, 5000, 5); /* only the unused end was missing */
        }
        assert_true(put_range(state, 0, 100, 6));
        state_close(state);
    }
    assert_true(emptied > 10);
}

static void flip_in_value(const char *text, int behind, unsigned char bits) {
    int64_t at = -1;
    for (int64_t next; (next = find_in_file(path_in("7/data.mdb"), text, (uint64_t)(at + 1))) >= 0; at = next)
        flip_byte(path_in("7/data.mdb"), (uint64_t)(next + behind), bits);
    assert_true(at >= 0);
}

/* At rest it is found by the opening; under the feet of the process by the reading, and that is remembered. */
static void flipped_value_is_found_and_then_emptied(void **unused) {
    (void)unused;
    char room[400];
    struct state_value found;
    fill_and_close(200, 5);
    flip_in_value("value 77 5 of it", 20, 1);
    struct state *state = open_state();
    assert_string_equal(opening.rebuilt_because, "a value fails its checksum");
    assert_range(state, 0, 0);
    assert_true(put_range(state, 0, 200, 6));
    flip_in_value("value 77 6 of it", 20, 1);
    assert_int_equal(state_get(state, change_of(76, 6, room).key, &found, &error), STATE_FOUND);
    assert_int_equal(state_get(state, change_of(77, 6, room).key, &found, &error), STATE_CORRUPT);
    assert_non_null(strstr(error.text, "checksum"));
    state_close(state); /* closing in order does not make it sound */
    state = open_state();
    assert_string_equal(opening.rebuilt_because, "it was found damaged");
    assert_range(state, 0, 0);
    state_close(state);
}

static bool count_key(void *context, struct slice key, struct state_value value) {
    (void)key; (void)value;
    ++*(int *)context;
    return true;
}

static void flipped_value_is_found_by_a_scan(void **unused) {
    (void)unused;
    fill_and_close(200, 5);
    struct state *state = open_state();
    flip_in_value("value 77 5 of it", 0, 0x80);
    int count = 0;
    assert_int_equal(state_scan(state, SLICE("k|"), count_key, &count, &error), STATE_CORRUPT);
    assert_int_equal(count, 77);
    assert_true(state_clear(state, &error)); /* what the caller does then */
    assert_true(put_range(state, 0, 200, 6));
    state_close(state);
    state = open_state();
    assert_null(opening.rebuilt_because);
    assert_range(state, 200, 6);
    state_close(state);
}

/* Reads and writes after damage anywhere, of so many keys. 0: each value was right, gone or known as damaged. */
static void use_damaged(void *context) {
    const int keys = *(const int *)context;
    if (!freopen("/dev/null", "w", stderr)) _exit(4); /* LMDB says there why it aborts */
    struct state *state = open_in(path_in("7"));
    if (!state) _exit(0);
    for (int key = 0; key < keys; key++) {
        char room[400];
        struct state_value found;
        struct state_change want = change_of(key, 5, room);
        enum state_result result = state_get(state, want.key, &found, &error);
        /* Absent where it should be there would be as wrong: unless all is as it was before, when the changelog brings it again. */
        if (result == STATE_ABSENT && state_at(state).position >= 0) _exit(5);
        if (result != STATE_FOUND) continue;
        if (found.body.length != want.value.length - STATE_SEAL_SIZE || memcmp(found.body.data, want.value.data + STATE_SEAL_SIZE, found.body.length) != 0) _exit(3);
    }
    (void)!put_range(state, 0, keys, 6);
    state_close(state);
}

static void leave_branches_one_key(void) {
    int file = open(path_in("7/data.mdb"), O_RDWR), branches = 0;
    for (uint64_t page = 2; page < file_size(path_in("7/data.mdb")) / 4096; page++) {
        struct { uint64_t number; uint16_t pad, flags, lower, upper; } head; /* MDB_page of mdb.c */
        if (pread(file, &head, sizeof head, (off_t)page * 4096) != (ssize_t)sizeof head) _exit(6);
        if (head.number != page || head.flags != 1 /* branch */) continue;
        head.lower = 16 + 2;
        if (pwrite(file, &head, sizeof head, (off_t)page * 4096) != (ssize_t)sizeof head) _exit(6);
        branches++;
    }
    close(file);
    if (!branches) _exit(7);
}

static void use_what_is_damaged_meanwhile(void *context) {
    (void)context;
    char room[400];
    struct state_value found;
    if (!freopen("/dev/null", "w", stderr)) _exit(4);
    struct state *state = open_in(path_in("7"));
    leave_branches_one_key();
    (void)!state_get(state, change_of(1, 5, room).key, &found, &error);
}

/* A branch page with a single key is what LMDB never writes; it aborts when it meets one. */
static void lmdb_giving_up_leaves_word(void **unused) {
    (void)unused;
    fill_and_close(3000, 5);
    assert_int_equal(in_child(use_what_is_damaged_meanwhile, NULL), 1000 + SIGABRT);
    struct state *state = open_state();
    assert_string_equal(opening.rebuilt_because, "it was found damaged");
    assert_range(state, 0, 0);
    state_close(state);
}

/* A sound file of so many keys, to be damaged. */
static void fill_to_damage(int keys) {
    fill_and_close(keys, 5);
    copy_file(path_in("7/data.mdb"), path_in("copy"));
}

static void use_with_a_flipped_bit(int keys, uint64_t at, unsigned bit) {
    copy_file(path_in("copy"), path_in("7/data.mdb"));
    write_text(path_in("7/mark"), "closed\n");
    flip_byte(path_in("7/data.mdb"), at, (unsigned char)(1U << bit));
    int outcome = in_child(use_damaged, &keys);
    if (outcome) fail_msg("bit %u of byte %" PRIu64 ": outcome %d", bit, at, outcome);
}

/* LMDB trusts its pages, and would give up or fault: what it is given has been looked through. A wrong value is never given. */
static void flipped_bit_anywhere_gives_no_wrong_value(void **unused) {
    (void)unused;
    random_start();
    fill_to_damage(3000);
    for (int flips = getenv("STATE_FLIPS") ? atoi(getenv("STATE_FLIPS")) : 150; flips > 0; flips--) {
        /* Anywhere; in what LMDB writes of its pages. */
        uint64_t at = flips % 2 ? random_below(200 * 4096) : random_below(200) * 4096 + random_below(160);
        use_with_a_flipped_bit(3000, at, (unsigned)random_below(8));
    }
}

/* What reads the file is fuzzed under the sanitizer (state_file): here it is slow, and takes a bit of each byte. */
#ifdef UNDER_ADDRESS_SANITIZER
enum { BITS = 1 };
#else
enum { BITS = 8 };
#endif

static uint64_t transaction_of(uint64_t page) {
    struct meta_page meta;
    FILE *file = fopen(path_in("copy"), "r");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)page * 4096, SEEK_SET), 0);
    assert_int_equal(fread(&meta, sizeof meta, 1, file), 1);
    fclose(file);
    return meta.transaction;
}

/* The two pages that say what all others are: few bits, of which each one may be what a lookup hangs on. Of the older the trees are of no consequence. */
static void each_bit_of_the_beginnings_gives_no_wrong_value(void **unused) {
    (void)unused;
    fill_to_damage(300);
    const uint64_t older = transaction_of(0) > transaction_of(1);
    for (uint64_t page = 0; page < 2; page++)
        for (uint64_t byte = 0; byte < sizeof(struct meta_page); byte++) {
            if (page == older && byte >= offsetof(struct meta_page, trees) && byte < offsetof(struct meta_page, last_page)) continue;
            for (unsigned bit = 0; bit < BITS; bit++) use_with_a_flipped_bit(300, page * 4096 + byte, bit);
        }
}

/* What is looked for under a name, and made anew, empty, when it is not found. */
static void each_bit_of_the_names_gives_no_wrong_value(void **unused) {
    (void)unused;
    static const char *const names[] = {"about", "records"};
    enum { NODE = 8 /* what LMDB writes before a key */ };
    int places = 0;
    fill_to_damage(300);
    for (size_t i = 0; i < 2; i++)
        for (int64_t at = -1; (at = find_in_file(path_in("copy"), names[i], (uint64_t)(at + 1))) >= 0; places++)
            for (uint64_t byte = (uint64_t)at - NODE; byte < (uint64_t)at + strlen(names[i]); byte++)
                for (unsigned bit = 0; bit < BITS; bit++) use_with_a_flipped_bit(300, byte, bit);
    assert_true(places >= 3); /* both among the names, and what is kept about all */
}

static void other_files_in_its_place_are_emptied(void **unused) {
    (void)unused;
    fill_and_close(10, 5);
    write_text(path_in("7/data.mdb"), "this is not what LMDB writes\n");
    struct state *state = open_state();
    assert_non_null(opening.rebuilt_because);
    assert_true(put_range(state, 0, 10, 6));
    state_close(state);
}

/* ---- room ---- */

static void assert_not_sparse(const char *path) {
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_true((uint64_t)status.st_blocks * 512 >= (uint64_t)status.st_size);
}

static void grows_and_is_never_sparse(void **unused) {
    (void)unused;
    struct state *state = open_state();
    uint64_t last = state_bytes(state);
    int growths = 0;
    assert_int_equal(last, 1 << 20);
    assert_not_sparse(path_in("7/lock.mdb"));
    for (int64_t round = 0; round < 60; round++) {
        assert_true(put_range(state, (int)round * 3000, (int)(round + 1) * 3000, round));
        assert_true(file_size(path_in("7/data.mdb")) == state_bytes(state));
        assert_not_sparse(path_in("7/data.mdb"));
        if (state_bytes(state) != last) growths++;
        last = state_bytes(state);
    }
    assert_int_equal(state_entries(state), 180000);
    assert_in_range(growths, 4, 7);
    state_close(state);
    copy_file(path_in("7/data.mdb"), path_in("copy"));
    char command[1200];
    snprintf(command, sizeof command, "cp --sparse=always '%s' '%s'", path_in("copy"), path_in("7/data.mdb"));
    assert_int_equal(system(command), 0);
    state = open_state(); /* a copy with holes gets them filled before it is mapped */
    assert_null(opening.rebuilt_because);
    assert_not_sparse(path_in("7/data.mdb"));
    assert_int_equal(state_entries(state), 180000);
    state_close(state);
}

static void one_large_batch_grows_many_steps(void **unused) {
    (void)unused;
    struct state *state = open_state();
    assert_true(put_range(state, 0, 100000, 1));
    assert_range(state, 100000, 1);
    state_close(state);
}

static void large_value_fits(void **unused) {
    (void)unused;
    static char value[STATE_SEAL_SIZE + 20000000];
    struct state *state = open_state();
    memset(value, 'v', sizeof value);
    state_seal(value, sizeof value, SLICE("large"), 1);
    struct state_change change = {SLICE("large"), {value, sizeof value}};
    for (int64_t i = 0; i < 5; i++) {
        struct state_value found;
        assert_true(state_apply(state, &change, 1, (struct state_position){i, i}, true, &error));
        assert_int_equal(state_get(state, SLICE("large"), &found, &error), STATE_FOUND);
        assert_int_equal(found.body.length, sizeof value - STATE_SEAL_SIZE);
    }
    state_close(state);
}

/* A reader left behind would keep every old page. */
static void old_pages_are_used_again(void **unused) {
    (void)unused;
    struct state *state = open_state();
    for (int64_t round = 0; round < 3000; round++) assert_true(put_range(state, 0, 100, round));
    assert_int_equal(state_bytes(state), 1 << 20);
    state_close(state);
}

static void full_disk_is_an_error(void **unused) {
    (void)unused;
    assert_int_equal(mkdir(path_in("disk"), 0700), 0);
    if (mount("tmpfs", path_in("disk"), "tmpfs", 0, "size=5m") != 0) {
        print_message("skipped: no small disk can be mounted here: %s\n", strerror(errno));
        skip();
    }
    struct state *state = open_in(path_in("disk/7"));
    assert_non_null(state);
    int64_t round = 0;
    while (put_range(state, 0, 500 * ((int)round + 1), round)) round++;
    assert_non_null(strstr(error.text, path_in("disk/7")));
    assert_non_null(strstr(error.text, "bytes"));
    assert_true(round > 1);
    assert_range(state, 500 * (int)round, round - 1); /* nothing of the last was applied */
    assert_int_equal(state_at(state).position, round - 1);
    assert_true(put_range(state, 0, 10, round)); /* and what still fits, fits */
    state_close(state);
    state = open_in(path_in("disk/7"));
    assert_null(opening.rebuilt_because);
    assert_int_equal(opening.at.position, round);
    assert_null(open_in(path_in("disk/8/nowhere"))); /* its parent is missing */
    write_text(path_in("disk/fill"), "");
    int fill = open(path_in("disk/fill"), O_WRONLY);
    static char block[65536];
    while (write(fill, block, sizeof block) > 0) {}
    while (write(fill, block, 512) > 0) {}
    close(fill);
    assert_null(open_in(path_in("disk/8")));
    assert_non_null(strstr(error.text, path_in("disk/8")));
    assert_non_null(strstr(error.text, "bytes"));
    while (put_range(state, 0, 500, ++round) && round < 100) {} /* freed pages may do: an error or not, but no signal */
    state_close(state);
    assert_int_equal(umount(path_in("disk")), 0);
}

static void write_past_limit(void *context) {
    const struct rlimit limit = {4 << 20, 4 << 20};
    setrlimit(*(int *)context, &limit);
    struct state *state = open_in(path_in("7"));
    if (!state) _exit(9);
    int64_t round = 0;
    while (round < 100 && put_range(state, 0, 500 * ((int)round + 1), round)) round++;
    if (!strstr(error.text, "ulimit -f") || !strstr(error.text, path_in("7"))) _exit(8);
    if (!put_range(state, 0, 10, round)) _exit(7);
    state_close(state);
    _exit((int)round);
}

static void file_size_limit_is_an_error(void **unused) {
    (void)unused;
    int limit = RLIMIT_FSIZE;
    int rounds = in_child(write_past_limit, &limit);
    assert_in_range(rounds, 10, 90);
    struct state *state = open_state();
    assert_null(opening.rebuilt_because);
    assert_int_equal(opening.at.position, rounds);
    state_close(state);
}

#if !defined(UNDER_ADDRESS_SANITIZER) && !defined(__SANITIZE_THREAD__)     /* both have maps larger than any limit */
static void map_past_limit(void *context) {
    (void)context;
    struct state *state = open_in(path_in("7"));
    const struct rlimit limit = {120 << 20, 120 << 20};
    setrlimit(RLIMIT_AS, &limit);
    int64_t round = 0;
    while (put_range(state, (int)round * 3000, ((int)round + 1) * 3000, round)) round++;
    if (!strstr(error.text, "ulimit -v")) _exit(200);
    if (put_range(state, 0, 1, round + 1)) _exit(201); /* it is unusable now, and says so */
    struct state_value found;
    if (state_get(state, SLICE("k"), &found, &error) != STATE_FAILED) _exit(202);
    state_close(state);
    _exit((int)round);
}

static void memory_limit_is_an_error(void **unused) {
    (void)unused;
    int rounds = in_child(map_past_limit, NULL);
    assert_in_range(rounds, 5, 199);
    struct state *state = open_state();
    assert_null(opening.rebuilt_because);
    assert_int_equal(state_entries(state), rounds * 3000);
    state_close(state);
}
#endif

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_scratch, delete_scratch)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(survives_kill), TEST(killed_and_machine_restarted_is_emptied), TEST(closed_and_machine_restarted_is_believed),
        TEST(every_opening_takes_the_clean_mark_away), TEST(without_boot_id_only_a_clean_close_is_believed), TEST(data_without_a_mark_is_emptied),
        TEST(old_copy_is_a_lower_position), TEST(truncated_file_is_emptied), TEST(flipped_value_is_found_and_then_emptied),
        TEST(flipped_value_is_found_by_a_scan), TEST(lmdb_giving_up_leaves_word),
        TEST(flipped_bit_anywhere_gives_no_wrong_value), TEST(each_bit_of_the_beginnings_gives_no_wrong_value), TEST(each_bit_of_the_names_gives_no_wrong_value),
        TEST(other_files_in_its_place_are_emptied),
        TEST(grows_and_is_never_sparse), TEST(one_large_batch_grows_many_steps), TEST(large_value_fits), TEST(old_pages_are_used_again),
        TEST(full_disk_is_an_error), TEST(file_size_limit_is_an_error),
#if !defined(UNDER_ADDRESS_SANITIZER) && !defined(__SANITIZE_THREAD__)
        TEST(memory_limit_is_an_error),
#endif
    };
    return cmocka_run_group_tests_name("state_faults", tests, NULL, NULL);
}
