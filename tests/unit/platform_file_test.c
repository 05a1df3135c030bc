/* Files: whole or not at all; and text that is UTF-8 or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/platform/file.h"
#include "common/platform/utf8.h"

static char folder[64], path[128];

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/kontor-file-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/content", folder);
    return 0;
}

static int files_in_folder(void) {
    DIR *listing = opendir(folder);
    assert_non_null(listing);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(listing));) count += entry->d_name[0] != '.';
    closedir(listing);
    return count;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void holds(const char *expected) {
    struct buffer bytes = {0};
    struct error error;
    if (!file_read(path, 1 << 20, &bytes, &error)) fail_msg("%s", error.text);
    assert_int_equal(bytes.length, strlen(expected));
    assert_memory_equal(bytes.data, expected, bytes.length);
    buffer_free(&bytes);
}

static void replaces_whole(void **state) {
    (void)state;
    struct error error;
    assert_true(file_write(path, SLICE("first"), 0644, &error));
    holds("first");
    assert_true(file_write(path, SLICE("second, longer"), 0600, &error));
    holds("second, longer");
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(files_in_folder(), 1);
    assert_true(file_write(path, (struct slice){0}, 0644, &error));
    struct buffer bytes = {0};
    assert_true(file_read(path, 0, &bytes, &error));
    assert_int_equal(bytes.length, 0);
    buffer_free(&bytes);
}

static void keeps_the_old_when_it_fails(void **state) {
    (void)state;
    struct error error;
    char expected[512];
    assert_true(file_write(path, SLICE("old"), 0644, &error));
    /* A disk that is full in the middle of the file, as far as a limit on its size can show it. */
    static char large[100000];
    struct rlimit before, small;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 5000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool ok = file_write(path, (struct slice){large, sizeof large}, 0644, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(ok);
    snprintf(expected, sizeof expected, "%s cannot be written: File too large", path);
    assert_string_equal(error.text, expected);
    holds("old");
    assert_int_equal(files_in_folder(), 1);
    /* The target cannot be replaced. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_false(file_write(path, SLICE("x"), 0644, &error));
    assert_int_equal(files_in_folder(), 1);
    assert_int_equal(rmdir(path), 0);
    assert_false(file_write("/nowhere/at/all", SLICE("x"), 0644, &error));
    assert_string_equal(error.text, "/nowhere/at/all cannot be written: no file can be made beside it: No such file or directory");
}

static void reads_bounded(void **state) {
    (void)state;
    struct error error;
    char expected[512];
    struct buffer bytes = {0};
    assert_true(buffer_append(&bytes, "before ", 7));
    assert_true(file_write(path, SLICE("12345"), 0644, &error));
    assert_true(file_read(path, 5, &bytes, &error));
    assert_int_equal(bytes.length, 12);
    assert_memory_equal(bytes.data, "before 12345", 12);
    assert_false(file_read(path, 4, &bytes, &error));
    assert_int_equal(bytes.length, 12);
    snprintf(expected, sizeof expected, "%s is larger than the 4 bytes that are allowed", path);
    assert_string_equal(error.text, expected);
    assert_false(file_read(folder, 10, &bytes, &error));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes: it must not wait */
    assert_false(file_read(path, 10, &bytes, &error));
    snprintf(expected, sizeof expected, "%s is not a regular file", path);
    assert_string_equal(error.text, expected);
    assert_int_equal(bytes.length, 12);
    buffer_free(&bytes);
}

/* RFC 3629 and Markus Kuhn's UTF-8 decoder stress test. */
static void knows_utf8(void **state) {
    (void)state;
    static const char *const good[] = {"", "plain", "Z\xc3\xbcrich", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf", "\xc2\x80", "\xe0\xa0\x80",
                                       "\xf0\x90\x80\x80"};
    static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe2\x82", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xfe", "\xff", "\xf8\x88\x80\x80\x80", "\xf0\x9f\x98", "a\xe2\x28\xa1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_true(utf8_is_valid(slice_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(utf8_is_valid(slice_of(bad[i])));
    assert_true(utf8_is_valid((struct slice){"a\0b", 3}));
    /* Every code point of up to four bytes, encoded by the definition. */
    int count = 0;
    for (uint32_t first = 0xf0; first <= 0xff; first++)
        for (uint32_t rest = 0; rest < 1 << 18; rest++) {
            char bytes[4] = {(char)first, (char)(0x80 | rest >> 12), (char)(0x80 | (rest >> 6 & 63)), (char)(0x80 | (rest & 63))};
            uint32_t point = (first & 7) << 18 | rest;
            bool valid = first < 0xf8 && point >= 0x10000 && point <= 0x10ffff;
            if ((utf8_character(bytes, 4) == 4) != valid) fail_msg("U+%X", point);
            count += valid;
        }
    assert_int_equal(count, 0x100000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(replaces_whole, make_folder, remove_folder), cmocka_unit_test_setup_teardown(keeps_the_old_when_it_fails, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(reads_bounded, make_folder, remove_folder), cmocka_unit_test(knows_utf8)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
