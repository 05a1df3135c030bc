/* What the tests of state and tables share: a folder for each test, files in it, children that are killed. */
#ifndef KONTOR_TESTS_STATE_SUPPORT_H
#define KONTOR_TESTS_STATE_SUPPORT_H
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/state/environment.h"

static char scratch[256];   /* a new folder for each test */

static inline const char *path_in(const char *name) {
    static char paths[4][512];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(paths[turn], sizeof paths[turn], "%s/%s", scratch, name);
    return paths[turn];
}

static inline int delete_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status; (void)kind; (void)place;
    return remove(path);
}

static inline void delete_folder(const char *path) { nftw(path, delete_entry, 16, FTW_DEPTH | FTW_PHYS); }

static inline void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* The machine as it is after its n-th start, for all that state can see. */
static inline void boot(int number) {
    char text[64];
    snprintf(text, sizeof text, "00000000-0000-0000-0000-%012d\n", number);
    write_text(path_in("boot_id"), text);
}

static inline int make_scratch(void **unused) {
    (void)unused;
    static char boot_path[300];
    const char *root = getenv("TMPDIR");
    snprintf(scratch, sizeof scratch, "%s/kontor-state-XXXXXX", root ? root : "/tmp");
    if (!mkdtemp(scratch)) return -1;
    snprintf(boot_path, sizeof boot_path, "%s/boot_id", scratch);
    environment_boot_id_path = boot_path;
    boot(1);
    return 0;
}

static inline int delete_scratch(void **unused) {
    (void)unused;
    delete_folder(scratch);
    return 0;
}

static inline uint64_t file_size(const char *path) {
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return (uint64_t)status.st_size;
}

static inline void flip_byte(const char *path, uint64_t at, unsigned char mask) {
    unsigned char byte;
    int file = open(path, O_RDWR);
    assert_true(file >= 0);
    assert_int_equal(pread(file, &byte, 1, (off_t)at), 1);
    byte ^= mask;
    assert_int_equal(pwrite(file, &byte, 1, (off_t)at), 1);
    close(file);
}

/* Where the text stands in the file, from `from` on; -1: nowhere. */
static inline int64_t find_in_file(const char *path, const char *text, uint64_t from) {
    uint64_t size = file_size(path);
    char *bytes = malloc(size);
    FILE *file = fopen(path, "r");
    assert_non_null(bytes);
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, size, file), size);
    fclose(file);
    char *found = from < size ? memmem(bytes + from, size - from, text, strlen(text)) : NULL;
    int64_t at = found ? found - bytes : -1;
    free(bytes);
    return at;
}

/* Runs it in a child; answers the exit code, or 1000 + signal. */
static inline int in_child(void (*work)(void *context), void *context) {
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE}; /* cmocka's handlers would go on with the tests here */
        for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) signal(signals[i], SIG_DFL);
        work(context);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* xorshift64*: the same everywhere, so that a printed seed repeats the run. */
static uint64_t random_state;
static inline uint64_t random_next(void) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 0x2545F4914F6CDD1Du;
}
static inline uint64_t random_below(uint64_t limit) { return random_next() % limit; }

static inline void random_start(void) {
    const char *given = getenv("KONTOR_SEED");
    random_state = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761u + (uint64_t)getpid();
    if (random_state == 0) random_state = 1;
    print_message("seed: KONTOR_SEED=0x%llx\n", (unsigned long long)random_state);
}
#endif
