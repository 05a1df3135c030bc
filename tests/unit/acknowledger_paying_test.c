/* paying: what payments of a document come to, at the end of what a record can hold. Payments through kontor are smaller (AMOUNT_OVERFLOW); these are nobody's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "processors/acknowledger/acknowledger.h"

static struct document_payment payment_of(const char *document, int64_t at_ms, int64_t amount_e4) {
    return (struct document_payment){.document = slice_of(document), .kind = SLICE("sent"), .at_ms = at_ms, .origin = slice_of(document), .amount_e4 = amount_e4};
}

static int64_t paid_by(struct document_payment first, struct document_payment second) {
    struct document_payment payments[] = {first, second};
    struct life life = {0};
    life.state.payments.items = payments;
    life.state.payments.count = 2;
    return paying_find(&life).paid_e4;
}

/* A sum that cannot be written would end the processor, at every start anew. */
static void sum_stays_what_can_be_written(void **unused) {
    (void)unused;
    const int64_t most_e4 = INT64_C(999999999999999999);    /* eighteen digits, as the schema's decimals have */
    assert_int_equal(paid_by(payment_of("P1", 1, most_e4 - 1), payment_of("P2", 2, 1)), most_e4);
    assert_int_equal(paid_by(payment_of("P1", 1, most_e4), payment_of("P2", 2, 1)), most_e4);
    assert_int_equal(paid_by(payment_of("P1", 1, -most_e4), payment_of("P2", 2, -most_e4)), -most_e4);
    assert_int_equal(paid_by(payment_of("P1", 1, most_e4), payment_of("P2", 2, -most_e4)), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sum_stays_what_can_be_written)};
    return cmocka_run_group_tests_name("acknowledger_paying", tests, NULL, NULL);
}
