/* Generations of a changelog: their names, what says which one is live, the mark that closes one, and whether the group is where it was then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/generation_make.h"
#include "cli/state_making.h"
#include "common/runtime/layout_text.h"

static void names_are_numbered_from_the_second_on(void **state) {
    (void)state;
    char name[GENERATION_NAME_MAXIMUM];
    generation_changelog(name, "invoice", 1);
    assert_string_equal(name, "kontor.invoice.changelog");
    generation_changelog(name, "invoice", 12);
    assert_string_equal(name, "kontor.invoice.changelog.12");
    assert_int_equal(generation_number("kontor.invoice.changelog", "invoice"), 1);
    assert_int_equal(generation_number("kontor.invoice.changelog.2", "invoice"), 2);
    assert_int_equal(generation_number("kontor.invoice.changelog.999999", "invoice"), 999999);
    static const char *const others[] = {"kontor.invoice.changelog.", "kontor.invoice.changelog.1", "kontor.invoice.changelog.0", "kontor.invoice.changelog.-2", "kontor.invoice.changelog.2x",
                                         "kontor.invoice.changelog.kept.1", "kontor.invoice.changelogs", "kontor.invoice.timers", "kontor.invoices.changelog", "invoice"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) assert_int_equal(generation_number(others[i], "invoice"), 0);
}

static void the_record_is_as_documented(void **state) {
    (void)state;
    char text[GENERATION_TEXT_SIZE];
    const struct generation made = {.number = 3, .partitions = 64, .changelog = "kontor.invoice.changelog.3"};
    struct generation read;
    generation_format(text, &made, "kontor.invoice.changelog");
    assert_string_equal(text, "generation=3 changelog=kontor.invoice.changelog.3 partitions=64 from=kontor.invoice.changelog");
    assert_true(generation_parse(&read, slice_of(text)));
    assert_int_equal(read.number, 3);
    assert_int_equal(read.partitions, 64);
    assert_string_equal(read.changelog, "kontor.invoice.changelog.3");
    static const char *const wrong[] = {"", "generation=3", "generation=0 changelog=a partitions=4 from=b", "generation=2 changelog=a partitions=0 from=b", "changelog=a generation=2 partitions=4"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) assert_false(generation_parse(&read, slice_of(wrong[i])));
    assert_false(generation_parse(&read, (struct slice){0}));
}

/* Who knows nothing of offsets, however many there are, reads which generation holds. */
static void what_a_mark_says_besides_is_passed_over(void **state) {
    (void)state;
    char text[GENERATION_MARK_SIZE] = "generation=2 changelog=kontor.invoice.changelog.2 partitions=4 from=kontor.invoice.changelog" GENERATION_OFFSETS;
    struct generation read;
    while (strlen(text) < 3000) strcat(text, "procurement.events:1234567890,");
    assert_true(generation_parse(&read, slice_of(text)));
    assert_int_equal(read.number, 2);
    assert_string_equal(read.changelog, "kontor.invoice.changelog.2");
    assert_int_equal(read.partitions, 4);
}

static void the_next_name_is_behind_all_that_are_there(void **state) {
    (void)state;
    struct rd_kafka_metadata_topic topics[] = {{.topic = "kontor.invoice.changelog"}, {.topic = "kontor.invoice.changelog.4"}, {.topic = "kontor.payment.changelog.9"},
                                               {.topic = "kontor.invoice.changelog.2"}};
    const struct rd_kafka_metadata metadata = {.topic_cnt = 4, .topics = topics};
    struct generation next;
    making_next(&metadata, "invoice", 2, &next);
    assert_int_equal(next.number, 5);
    assert_string_equal(next.changelog, "kontor.invoice.changelog.5");
    making_next(&metadata, "payment", 9, &next);
    assert_int_equal(next.number, 10);
    making_next(&metadata, "expense", 1, &next);
    assert_string_equal(next.changelog, "kontor.expense.changelog.2");
}

/* ---- where the group was ---- */

static void put(struct fold *fold, struct slice key, const char *text) {
    struct error error;
    char bytes[STATE_SEAL_SIZE + GENERATION_MARK_SIZE];
    struct filling *filling = NULL;
    const size_t length = STATE_SEAL_SIZE + strlen(text);
    memcpy(bytes + STATE_SEAL_SIZE, text, strlen(text));
    state_seal(bytes, length, key, 0);
    if (!fold_fill(fold, &filling, key, (struct slice){bytes, length}, &error) || !fold_filled(fold, &filling, true, &error)) fail_msg("%s", error.text);
}

static void back_is_open_while_the_group_is_where_it_was(void **state) {
    (void)state;
    struct error error;
    char folder[FOLDER_SIZE];
    struct group group = {.processor = "invoice", .name = "kontor.invoice", .partition_count = 2, .places = rd_kafka_topic_partition_list_new(4)};
    struct state_making making = {.group = &group, .live = {.number = 2, .changelog = "kontor.invoice.changelog.2"}};
    const struct generation before = {.number = 1, .changelog = "kontor.invoice.changelog", .partitions = 2};
    struct fold fold;
    static const char mark[] = "generation=2 changelog=kontor.invoice.changelog.2 partitions=2 from=kontor.invoice.changelog";
    char text[400];
    rd_kafka_topic_partition_list_add(group.places, "invoice.events", 0)->offset = 7;
    rd_kafka_topic_partition_list_add(group.places, "invoice.events", 1)->offset = 50;
    rd_kafka_topic_partition_list_add(group.places, "procurement.events", 0)->offset = 12;
    rd_kafka_topic_partition_list_add(group.places, "kontor.invoice.timers", 0)->offset = RD_KAFKA_OFFSET_INVALID;
    assert_true(folder_make(folder, "generations", &error));
    if (!fold_open(&fold, folder, "before", "invoice", 0, &error)) fail_msg("%s", error.text);

    assert_false(state_making_may_go_back(&making, &before, &fold, 0, &error));                      /* it was never closed */
    put(&fold, generation_closed_key, mark);
    assert_false(state_making_may_go_back(&making, &before, &fold, 0, &error));
    assert_non_null(strstr(error.text, "kontor rekey"));                                             /* which does not say where the group was */
    snprintf(text, sizeof text, "%s offsets=invoice.events:7,procurement.events:12", mark);
    put(&fold, generation_closed_key, text);
    assert_true(state_making_may_go_back(&making, &before, &fold, 0, &error));
    assert_false(state_making_may_go_back(&making, &before, &fold, 1, &error));                      /* 50 of the other partition */
    group.places->elems[3].offset = 0;                                                               /* the first tick */
    assert_false(state_making_may_go_back(&making, &before, &fold, 0, &error));
    assert_non_null(strstr(error.text, "has gone on in partition 0"));
    group.places->elems[3].offset = RD_KAFKA_OFFSET_INVALID;
    making.live.number = 3;                                                                          /* what came behind it was another one */
    assert_false(state_making_may_go_back(&making, &before, &fold, 0, &error));
    fold_close(&fold);
    folder_delete(folder);
    rd_kafka_topic_partition_list_destroy(group.places);
}

static void offsets_that_do_not_fit_are_an_error(void **state) {
    (void)state;
    struct error error;
    char text[OFFSETS_TEXT_SIZE], topic[120];
    struct group group = {.name = "kontor.invoice", .partition_count = 1, .places = rd_kafka_topic_partition_list_new(4)};
    memset(topic, 'a', sizeof topic - 1);
    topic[sizeof topic - 1] = 0;
    for (int i = 0; i < 40; i++) {
        snprintf(topic, 4, "%03d", i);
        topic[3] = 'a';
        rd_kafka_topic_partition_list_add(group.places, topic, 0)->offset = 1;
    }
    assert_false(state_offsets_text(&group, 0, text, &error));
    rd_kafka_topic_partition_list_destroy(group.places);
}

/* ---- comparing ---- */

static void two_states_are_equal_record_by_record(void **state) {
    (void)state;
    struct error error;
    char folder[FOLDER_SIZE];
    struct fold a, b;
    bool equal;
    assert_true(folder_make(folder, "generations", &error));
    if (!fold_open(&a, folder, "a", "invoice", 0, &error) || !fold_open(&b, folder, "b", "invoice", 0, &error)) fail_msg("%s", error.text);
    assert_true(fold_equal(&a, &b, &equal, &error) && equal);
    put(&a, SLICE("1x"), "one");
    assert_true(fold_equal(&a, &b, &equal, &error) && !equal);
    assert_true(fold_equal(&b, &a, &equal, &error) && !equal);
    put(&b, SLICE("1x"), "another");
    assert_true(fold_equal(&a, &b, &equal, &error) && !equal);
    put(&b, SLICE("1x"), "one");
    assert_true(fold_equal(&a, &b, &equal, &error) && equal);
    fold_close(&a);
    fold_close(&b);
    folder_delete(folder);
}

static void a_header_is_as_documented(void **state) {
    (void)state;
    char text[HEADER_TEXT_SIZE];
    header_text(text, 32, "0.1.0", 0xabc);
    assert_string_equal(text, "format=2 partitions=32 partitioner=murmur2 version=0.1.0 id=0000000000000abc");
    assert_true(making_new_id() != making_new_id());
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_are_numbered_from_the_second_on), cmocka_unit_test(the_record_is_as_documented),
                                       cmocka_unit_test(what_a_mark_says_besides_is_passed_over), cmocka_unit_test(the_next_name_is_behind_all_that_are_there),
                                       cmocka_unit_test(back_is_open_while_the_group_is_where_it_was), cmocka_unit_test(offsets_that_do_not_fit_are_an_error),
                                       cmocka_unit_test(two_states_are_equal_record_by_record), cmocka_unit_test(a_header_is_as_documented)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
