/* Events by source and by entity: the batch counts when it is committed, and names are bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/runtime/engine_internal.h"

static struct engine engine;

static int set_up(void **state) {
    (void)state;
    engine = (struct engine){.shares = shares_new()};
    return engine.shares ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    shares_free(engine.shares);
    return 0;
}

static void add(const char *source, const char *entity, int outcome) {
    struct decision decision = {.engine = &engine, .envelope = {.source = slice_of(source), .entity = slice_of(entity)}};
    shares_add(&decision, outcome);
}

static uint64_t committed(enum engine_share_kind kind, const char *name, int outcome) {
    size_t count;
    const struct engine_share *shares = engine_shares(&engine, &count);
    for (size_t i = 0; i < count; i++)
        if (shares[i].kind == kind && strcmp(shares[i].name, name) == 0) return shares[i].committed[outcome];
    return 0;
}

static void batch_counts_when_committed(void **state) {
    (void)state;
    add("ERP", "1000", OUTCOME_ACCEPTED);
    add("ERP", "2000", OUTCOME_ACCEPTED);
    add("BANK", "1000", OUTCOME_HELD);
    assert_int_equal(committed(SHARE_SOURCE, "ERP", OUTCOME_ACCEPTED), 0);
    shares_commit(engine.shares, true);
    assert_int_equal(committed(SHARE_SOURCE, "ERP", OUTCOME_ACCEPTED), 2);
    assert_int_equal(committed(SHARE_ENTITY, "1000", OUTCOME_ACCEPTED), 1);
    assert_int_equal(committed(SHARE_ENTITY, "1000", OUTCOME_HELD), 1);
    add("ERP", "1000", OUTCOME_ACCEPTED);
    shares_commit(engine.shares, false);
    shares_commit(engine.shares, true);
    assert_int_equal(committed(SHARE_SOURCE, "ERP", OUTCOME_ACCEPTED), 2);
}

/* A source and an entity of one name are two; nothing is counted under an empty one. */
static void kinds_are_apart(void **state) {
    (void)state;
    add("ACME", "ACME", OUTCOME_PARKED);
    add("", "ACME", OUTCOME_PARKED);
    shares_commit(engine.shares, true);
    assert_int_equal(committed(SHARE_SOURCE, "ACME", OUTCOME_PARKED), 1);
    assert_int_equal(committed(SHARE_ENTITY, "ACME", OUTCOME_PARKED), 2);
    assert_int_equal(committed(SHARE_SOURCE, "", OUTCOME_PARKED), 0);
}

static void past_the_150th_they_are_other(void **state) {
    (void)state;
    char name[16];
    for (int round = 0; round < 2; round++)
        for (int i = 1; i <= 1000; i++) {
            snprintf(name, sizeof name, "E%d", i);
            add("ERP", name, OUTCOME_ACCEPTED);
        }
    shares_commit(engine.shares, true);
    size_t count;
    (void)engine_shares(&engine, &count);
    assert_int_equal(count, 1 + 150 + 1);
    assert_int_equal(committed(SHARE_ENTITY, "E150", OUTCOME_ACCEPTED), 2);
    assert_int_equal(committed(SHARE_ENTITY, "E151", OUTCOME_ACCEPTED), 0);
    assert_int_equal(committed(SHARE_ENTITY, "other", OUTCOME_ACCEPTED), 2 * 850);
    assert_int_equal(committed(SHARE_SOURCE, "ERP", OUTCOME_ACCEPTED), 2000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(batch_counts_when_committed, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(kinds_are_apart, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(past_the_150th_they_are_other, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
