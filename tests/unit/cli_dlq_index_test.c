/* The index of dead letters as it lies in its folder: what is good of it is found again, what is not is made anew. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/dlq_read.h"

static char folder[] = "/tmp/kontor-dlq-index-XXXXXX";

static void clear(void) {
    static const char *const names[] = {"entries", "strings", "state", "lock"};
    char path[4096];
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
}

static struct dlq_index open_index(void) {
    struct dlq_index index = {.lock = -1, .entries_file = -1, .strings_file = -1};
    struct error error = {""};
    snprintf(index.folder, sizeof index.folder, "%s", folder);
    bool ok = dlq_index_open_folder(&index, &error);
    assert_string_equal(error.text, "");
    assert_true(ok);
    return index;
}

static uint32_t add_string(struct dlq_index *index, const char *text) {
    const uint32_t length = (uint32_t)strlen(text), at = (uint32_t)index->strings_size;
    assert_int_equal(pwrite(index->strings_file, &length, sizeof length, at), sizeof length);
    assert_int_equal(pwrite(index->strings_file, text, length, at + (off_t)sizeof length), length);
    index->strings_size += sizeof length + length;
    return at;
}

/* Three dead letters in two partitions, and places of both. */
static void make(void) {
    struct error error = {""};
    clear();
    struct dlq_index index = open_index();
    const uint32_t topic = add_string(&index, "dlq.invoice.events"), reason = add_string(&index, "DECODE_FAILED"), key = add_string(&index, "1000|V1"), empty = add_string(&index, "");
    for (int i = 0; i < 3; i++) {
        const struct dead dead = {.offset = 10 + i, .time_ms = 1000 + i, .partition = i % 2, .topic = topic, .origin_topic = topic, .reason = reason, .text = empty, .entity = empty, .source = empty,
                                  .key = key, .event_id = empty, .replays = (uint16_t)i};
        assert_int_equal(pwrite(index.entries_file, &dead, sizeof dead, (off_t)(i * (int)sizeof dead)), sizeof dead);
    }
    index.count = 3;
    for (int32_t p = 0; p < 2; p++) {
        struct index_place *place = dlq_index_place(&index, "dlq.invoice.events", p);
        place->next = 13;
        place->begin = p == 0 ? 11 : 0;
    }
    assert_true(dlq_index_write_state(&index, &error));
    dlq_index_close(&index);
}

static void test_found_again(void **state) {
    (void)state;
    char name[DEAD_NAME_SIZE];
    make();
    struct dlq_index index = open_index();
    assert_int_equal(index.count, 3);
    assert_string_equal(dead_name(&index, &index.entries[1], name), "dlq.invoice.events/1/11");
    assert_true(slice_equal(dead_string(&index, index.entries[2].key), SLICE("1000|V1")));
    assert_int_equal(dead_string(&index, index.entries[2].text).length, 0);
    assert_ptr_equal(dlq_index_find(&index, SLICE("dlq.invoice.events"), 1, 11), &index.entries[1]);
    assert_null(dlq_index_find(&index, SLICE("dlq.invoice.events"), 0, 11));
    assert_null(dlq_index_find(&index, SLICE("dlq.payment.events"), 1, 11));
    assert_false(dead_is_there(&index, &index.entries[0]));     /* offset 10 of a log that begins at 11 */
    assert_true(dead_is_there(&index, &index.entries[1]));
    assert_int_equal(dlq_index_place(&index, "dlq.invoice.events", 1)->next, 13);
    assert_int_equal(index.place_count, 2);
    dlq_index_close(&index);
}

static void test_strings_of_nowhere(void **state) {
    (void)state;
    make();
    struct dlq_index index = open_index();
    assert_int_equal(dead_string(&index, (uint32_t)index.strings_size).length, 0);
    assert_int_equal(dead_string(&index, (uint32_t)index.strings_size - 2).length, 0);
    assert_int_equal(dead_string(&index, UINT32_MAX).length, 0);
    dlq_index_close(&index);
}

/* What an interrupted run has left behind what is good is cut off. */
static void test_interrupted(void **state) {
    (void)state;
    struct dead more = {.offset = 99};
    make();
    struct dlq_index index = open_index();
    assert_int_equal(pwrite(index.entries_file, &more, sizeof more, (off_t)(3 * sizeof more)), sizeof more);
    assert_int_equal(pwrite(index.strings_file, "left", 4, (off_t)index.strings_size), 4);
    const uint64_t size = index.strings_size;
    dlq_index_close(&index);
    index = open_index();
    assert_int_equal(index.count, 3);
    assert_int_equal(index.strings_size, size);
    assert_int_equal(lseek(index.entries_file, 0, SEEK_END), (off_t)(3 * sizeof more));
    assert_int_equal(lseek(index.strings_file, 0, SEEK_END), (off_t)size);
    dlq_index_close(&index);
}

static void test_not_believed(void **state) {
    (void)state;
    static const struct { const char *name; const char *content; int length; } damages[] = {
        {"state", "", 0}, {"state", "nonsense", -1}, {"state", "format=2 entry=72 entries=3 strings=60\n", -1}, {"state", "format=1 entry=8 entries=3 strings=60\n", -1},
        {"state", "format=1 entry=72 entries=3 strings=60\ndlq.invoice.events 0 x 0\n", -1}, {"state", "format=1 entry=72 entries=4000000 strings=60\n", -1}, {"entries", NULL, 20}, {"strings", NULL, 20}};
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        char path[4096];
        make();
        snprintf(path, sizeof path, "%s/%s", folder, damages[i].name);
        int file = open(path, O_RDWR);
        assert_true(file >= 0);
        assert_int_equal(ftruncate(file, damages[i].content ? 0 : damages[i].length), 0);
        if (damages[i].content) assert_int_equal(write(file, damages[i].content, strlen(damages[i].content)), strlen(damages[i].content));
        close(file);
        struct dlq_index index = open_index();
        assert_int_equal(index.count, 0);
        assert_int_equal(index.place_count, 0);
        assert_int_equal(lseek(index.entries_file, 0, SEEK_END), 0);
        dlq_index_close(&index);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_found_again), cmocka_unit_test(test_strings_of_nowhere), cmocka_unit_test(test_interrupted), cmocka_unit_test(test_not_believed)};
    if (!mkdtemp(folder)) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    clear();
    rmdir(folder);
    return failed;
}
