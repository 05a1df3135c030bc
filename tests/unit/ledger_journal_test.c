/* Journals: balanced or not at all, in both currencies; the remainder named; a reversal that leaves nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/ledger/fx.h"
#include "common/ledger/journal.h"
#include "tests/unit/random_numbers.h"

#define EUR CURRENCY("EUR")
#define USD CURRENCY("USD")
#define JPY CURRENCY("JPY")
enum { LINES = 16 };

static const struct journal_rounding to_rounding = {.account = {"659000", 6}};

static struct ledger_line line_of(const char *account, int64_t amount_e4, int64_t functional_e4) {
    return (struct ledger_line){.account = slice_of(account), .amount_e4 = amount_e4, .functional_e4 = functional_e4};
}

static void check_line(const struct ledger_line *line, enum ledger_side side, const char *account, int64_t amount_e4, int64_t functional_e4) {
    assert_int_equal(line->side, side);
    assert_true(slice_equal(line->account, slice_of(account)));
    assert_int_equal(line->amount_e4, amount_e4);
    assert_int_equal(line->functional_e4, functional_e4);
}

static void check_sums(const struct journal *journal) {
    int64_t amount_e4 = 0, functional_e4 = 0, debit_e4 = 0, functional_debit_e4 = 0;
    for (size_t i = 0; i < journal->count; i++) {
        const struct ledger_line *line = &journal->lines[i];
        int64_t sign = line->side == LEDGER_DEBIT ? 1 : -1;
        amount_e4 += sign * line->amount_e4;
        functional_e4 += sign * line->functional_e4;
        if (sign > 0) debit_e4 += line->amount_e4, functional_debit_e4 += line->functional_e4;
        assert_true(line->account.length > 0);
        assert_true(line->amount_e4 != 0 || line->functional_e4 != 0);
        if (!journal->negative_posting) assert_true(line->amount_e4 >= 0 && line->functional_e4 >= 0);
    }
    assert_int_equal(amount_e4, 0);
    assert_int_equal(functional_e4, 0);
    assert_int_equal(debit_e4, journal->debit_e4);
    assert_int_equal(debit_e4, journal->credit_e4);
    assert_int_equal(functional_debit_e4, journal->functional_debit_e4);
    assert_int_equal(functional_debit_e4, journal->functional_credit_e4);
}

static void posts_an_invoice(void **state) {
    (void)state;
    struct ledger_line lines[LINES];
    struct journal journal;
    journal_begin(&journal, lines, LINES, EUR, EUR);
    struct ledger_line grni = line_of("191100", 10000000, 10000000);
    grni.cost_centre = SLICE("CC1"), grni.source_line = SLICE("00010"), grni.tax_code = SLICE("V19");
    journal_debit(&journal, grni);
    journal_debit(&journal, line_of("154000", 1900000, 1900000));
    journal_debit(&journal, line_of("", 0, 0)); /* no variance */
    int64_t amount_e4, functional_e4;
    assert_true(journal_difference(&journal, &amount_e4, &functional_e4));
    assert_int_equal(amount_e4, 11900000);
    assert_int_equal(functional_e4, 11900000);
    journal_credit(&journal, line_of("160000", 11900000, 11900000));
    assert_int_equal(journal_finish(&journal, (struct journal_rounding){0}), JOURNAL_OK);
    assert_true(journal.finished);
    assert_int_equal(journal.count, 3);
    assert_int_equal(journal.zero_lines, 1);
    assert_int_equal(journal.rounding_e4, 0);
    check_line(&lines[0], LEDGER_DEBIT, "191100", 10000000, 10000000);
    assert_true(slice_equal(lines[0].cost_centre, SLICE("CC1")) && slice_equal(lines[0].source_line, SLICE("00010")) && slice_equal(lines[0].tax_code, SLICE("V19")));
    check_line(&lines[1], LEDGER_DEBIT, "154000", 1900000, 1900000);
    check_line(&lines[2], LEDGER_CREDIT, "160000", 11900000, 11900000);
    check_sums(&journal);
}

/* 3 × 33.33 USD at 0.5150 = 17.16495 -> 17.16 each, 51.48; 99.99 at once = 51.49485 -> 51.49: a cent is left on the debit side. */
static void names_the_remainder(void **state) {
    (void)state;
    struct ledger_line lines[LINES];
    struct journal journal;
    journal_begin(&journal, lines, LINES, USD, EUR);
    for (int i = 0; i < 3; i++) journal_debit(&journal, line_of("400000", 333300, 171600));
    journal_credit(&journal, line_of("160000", 999900, 514900));
    assert_int_equal(journal_finish(&journal, to_rounding), JOURNAL_OK);
    assert_int_equal(journal.count, 5);
    assert_int_equal(journal.rounding_e4, 100);
    check_line(&lines[4], LEDGER_DEBIT, "659000", 0, 100);
    check_sums(&journal);

    struct ledger_line reversed[LINES];
    struct journal reversal;
    journal.key = SLICE("E1/I1/invoice/1");
    assert_int_equal(journal_reverse(&journal, &reversal, reversed, LINES, false), JOURNAL_OK);
    assert_true(slice_equal(reversal.reverses, journal.key));
    assert_int_equal(reversal.count, 5);
    assert_int_equal(reversal.rounding_e4, -100);
    check_line(&reversed[0], LEDGER_CREDIT, "400000", 333300, 171600);
    check_line(&reversed[3], LEDGER_DEBIT, "160000", 999900, 514900);
    check_line(&reversed[4], LEDGER_CREDIT, "659000", 0, 100);
    check_sums(&reversal);
}

static void takes_an_exchange_difference(void **state) {
    (void)state;
    struct ledger_line lines[LINES];
    struct journal journal;
    int64_t amount_e4, functional_e4;
    journal_begin(&journal, lines, LINES, USD, EUR);
    journal_debit(&journal, line_of("191100", 1000000, 900000));
    journal_credit(&journal, line_of("160000", 1000000, 920000));
    assert_true(journal_difference(&journal, &amount_e4, &functional_e4));
    assert_int_equal(amount_e4, 0);
    assert_int_equal(functional_e4, -20000);
    journal_credit(&journal, line_of("660000", 0, functional_e4)); /* a negative credit is a debit */
    assert_int_equal(journal_finish(&journal, to_rounding), JOURNAL_OK);
    check_line(&lines[2], LEDGER_DEBIT, "660000", 0, 20000);
    check_sums(&journal);
}

/* Begins with a balanced pair, adds one line, and tells what comes of it. */
static enum journal_status with_line(struct currency currency, struct currency functional, struct ledger_line line, struct journal_rounding rounding) {
    struct ledger_line lines[4];
    struct journal journal;
    journal_begin(&journal, lines, 4, currency, functional);
    journal_debit(&journal, line_of("1", 10000, 10000));
    journal_credit(&journal, line_of("2", 10000, 10000));
    journal_debit(&journal, line);
    enum journal_status status = journal_finish(&journal, rounding);
    if (status != JOURNAL_OK) {
        int64_t ignored;
        assert_int_equal(journal.count, 0);
        assert_false(journal.finished);
        assert_false(journal_difference(&journal, &ignored, &ignored));
    }
    return status;
}

static void refuses(void **state) {
    (void)state;
    assert_int_equal(with_line(USD, EUR, line_of("3", 0, 0), to_rounding), JOURNAL_OK);
    assert_int_equal(with_line(USD, EUR, line_of("3", 100, 0), to_rounding), JOURNAL_UNBALANCED);
    assert_int_equal(with_line(USD, EUR, line_of("3", -100, 0), to_rounding), JOURNAL_UNBALANCED);
    assert_int_equal(with_line(EUR, EUR, line_of("3", 100, 100), to_rounding), JOURNAL_UNBALANCED);
    /* Three lines explain three halves of a cent, no more: one cent. */
    assert_int_equal(with_line(USD, EUR, line_of("3", 0, 100), to_rounding), JOURNAL_OK);
    assert_int_equal(with_line(USD, EUR, line_of("3", 0, -100), to_rounding), JOURNAL_OK);
    assert_int_equal(with_line(USD, EUR, line_of("3", 0, 200), to_rounding), JOURNAL_UNBALANCED);
    assert_int_equal(with_line(USD, EUR, line_of("3", 0, -200), to_rounding), JOURNAL_UNBALANCED);
    assert_int_equal(with_line(USD, EUR, line_of("3", 0, 200), (struct journal_rounding){.account = SLICE("R"), .limit_e4 = 200}), JOURNAL_OK);
    assert_int_equal(with_line(USD, EUR, line_of("3", 0, 300), (struct journal_rounding){.account = SLICE("R"), .limit_e4 = 200}), JOURNAL_UNBALANCED);
    assert_int_equal(with_line(USD, EUR, line_of("3", 0, 100), (struct journal_rounding){0}), JOURNAL_NO_ROUNDING_ACCOUNT);
    assert_int_equal(with_line(USD, JPY, line_of("3", 0, 100), to_rounding), JOURNAL_IMPRECISE);
    assert_int_equal(with_line(USD, EUR, line_of("3", 50, 100), to_rounding), JOURNAL_IMPRECISE);
    assert_int_equal(with_line(USD, EUR, line_of("", 100, 100), to_rounding), JOURNAL_LINE_INVALID);
    assert_int_equal(with_line(USD, EUR, line_of("3", 100, -100), to_rounding), JOURNAL_LINE_INVALID);
    assert_int_equal(with_line(USD, EUR, line_of("3", -100, 100), to_rounding), JOURNAL_LINE_INVALID);
    assert_int_equal(with_line(EUR, EUR, line_of("3", 0, 100), to_rounding), JOURNAL_LINE_INVALID);
    assert_int_equal(with_line(USD, EUR, line_of("3", DECIMAL_OVERFLOW, 100), to_rounding), JOURNAL_OVERFLOW);
    assert_int_equal(with_line(USD, EUR, line_of("3", 100, DECIMAL_INEXACT), to_rounding), JOURNAL_OVERFLOW);
    assert_int_equal(with_line(USD, EUR, line_of("3", INT64_C(1000000000000000000), 100), to_rounding), JOURNAL_OVERFLOW);
    assert_int_equal(with_line(CURRENCY("XAU"), EUR, line_of("3", 0, 0), to_rounding), JOURNAL_CURRENCY_UNKNOWN);
    assert_int_equal(with_line(EUR, CURRENCY("ZZZ"), line_of("3", 0, 0), to_rounding), JOURNAL_CURRENCY_UNKNOWN);
}

static void keeps_within_its_room(void **state) {
    (void)state;
    struct ledger_line lines[3];
    struct journal journal, reversal;
    journal_begin(&journal, lines, 1, EUR, EUR);
    journal_debit(&journal, line_of("1", 10000, 10000));
    journal_credit(&journal, line_of("2", 10000, 10000));
    assert_int_equal(journal_finish(&journal, to_rounding), JOURNAL_FULL);
    /* The remainder needs a line too. */
    journal_begin(&journal, lines, 2, USD, EUR);
    journal_debit(&journal, line_of("1", 10000, 10000));
    journal_credit(&journal, line_of("2", 10000, 9900));
    assert_int_equal(journal_finish(&journal, to_rounding), JOURNAL_FULL);
    assert_int_equal(journal.count, 0);
    journal_begin(&journal, lines, 2, EUR, EUR);
    journal_debit(&journal, line_of("1", 10000, 10000));
    journal_credit(&journal, line_of("2", 10000, 10000));
    assert_int_equal(journal_finish(&journal, to_rounding), JOURNAL_OK);
    struct ledger_line reversed[1];
    assert_int_equal(journal_reverse(&journal, &reversal, reversed, 1, false), JOURNAL_FULL);
    assert_int_equal(reversal.count, 0);
}

/* Ten lines of a little over a tenth of all that 18 digits can say; each alone is allowed. */
static void refuses_sums_that_do_not_fit(void **state) {
    (void)state;
    struct ledger_line lines[LINES];
    struct journal journal;
    const int64_t tenth_e4 = INT64_C(109999999999999900);
    journal_begin(&journal, lines, LINES, EUR, EUR);
    for (int i = 0; i < 9; i++) journal_debit(&journal, line_of("1", tenth_e4, tenth_e4));
    assert_int_equal(journal.status, JOURNAL_OK);
    journal_debit(&journal, line_of("1", tenth_e4, tenth_e4));
    assert_int_equal(journal_finish(&journal, to_rounding), JOURNAL_OVERFLOW);
}

static void goes_in_turn(void **state) {
    (void)state;
    struct ledger_line lines[4], reversed[4];
    struct journal journal, reversal;
    journal_begin(&journal, lines, 4, EUR, EUR);
    journal_debit(&journal, line_of("1", 0, 0));
    assert_int_equal(journal_finish(&journal, to_rounding), JOURNAL_EMPTY);
    assert_int_equal(journal.zero_lines, 1);
    journal_begin(&journal, lines, 4, EUR, EUR);
    journal_debit(&journal, line_of("1", 100, 100));
    journal_credit(&journal, line_of("2", 100, 100));
    assert_int_equal(journal_reverse(&journal, &reversal, reversed, 4, false), JOURNAL_OUT_OF_TURN);
    assert_int_equal(journal_finish(&journal, to_rounding), JOURNAL_OK);
    journal_debit(&journal, line_of("3", 100, 100));
    assert_int_equal(journal.status, JOURNAL_OUT_OF_TURN);
    assert_int_equal(journal_reverse(&journal, &reversal, reversed, 4, false), JOURNAL_OUT_OF_TURN);
    assert_int_equal(journal_finish(&journal, to_rounding), JOURNAL_OUT_OF_TURN);
    assert_int_equal(journal.count, 0);
    for (int status = JOURNAL_OK; status <= JOURNAL_OUT_OF_TURN; status++) assert_string_not_equal(journal_status_text((enum journal_status)status), "unknown");
}

static void keeps_the_side_with_negative_posting(void **state) {
    (void)state;
    struct ledger_line lines[4], reversed[4], back[4];
    struct journal journal, reversal, again;
    journal_begin(&journal, lines, 4, EUR, EUR);
    journal_debit(&journal, line_of("1", -100, -100)); /* without the flag: a credit */
    journal_credit(&journal, line_of("2", -100, -100));
    assert_int_equal(journal_finish(&journal, to_rounding), JOURNAL_OK);
    check_line(&lines[0], LEDGER_CREDIT, "1", 100, 100);
    check_line(&lines[1], LEDGER_DEBIT, "2", 100, 100);
    assert_int_equal(journal_reverse(&journal, &reversal, reversed, 4, true), JOURNAL_OK);
    assert_true(reversal.negative_posting);
    check_line(&reversed[0], LEDGER_CREDIT, "1", -100, -100);
    check_line(&reversed[1], LEDGER_DEBIT, "2", -100, -100);
    check_sums(&reversal);
    /* The reversal of a negative posting is a plain one, or with the flag the first again. */
    assert_int_equal(journal_reverse(&reversal, &again, back, 4, false), JOURNAL_OK);
    check_line(&back[0], LEDGER_CREDIT, "1", 100, 100);
    check_line(&back[1], LEDGER_DEBIT, "2", 100, 100);
    check_sums(&again);

    journal_begin(&journal, lines, 4, EUR, EUR);
    journal.negative_posting = true;
    journal_debit(&journal, line_of("1", -100, -100));
    journal_credit(&journal, line_of("2", -100, -100));
    assert_int_equal(journal_finish(&journal, to_rounding), JOURNAL_OK);
    check_line(&lines[0], LEDGER_DEBIT, "1", -100, -100);
    check_sums(&journal);
}

/* ---- random journals ---- */

/* Net effect on account n of the random journals below: debits less credits. */
static void add_to_accounts(const struct journal *journal, int64_t amounts_e4[10], int64_t functional_e4[10]) {
    for (size_t i = 0; i < journal->count; i++) {
        int account = journal->lines[i].account.data[0] - '0';
        int64_t sign = journal->lines[i].side == LEDGER_DEBIT ? 1 : -1;
        amounts_e4[account] += sign * journal->lines[i].amount_e4;
        functional_e4[account] += sign * journal->lines[i].functional_e4;
    }
}

/* Lines converted each for itself against one total converted at once: the remainder is within the bound, and goes to account 9. */
static void balances_whatever_comes(void **state) {
    (void)state;
    random_seed("balances_whatever_comes");
    const struct currency currencies[] = {EUR, USD, JPY, CURRENCY("KWD"), CURRENCY("CLF")};
    const char *const accounts[] = {"0", "1", "2", "3", "4", "5", "6", "7"};
    int finished = 0, with_remainder = 0;
    for (int n = 0; n < 50000; n++) {
        struct ledger_line lines[LINES], reversed[LINES];
        struct journal journal, reversal;
        struct currency currency = currencies[random_below(5)], functional = currencies[random_below(5)];
        int64_t rate_e10 = currency_equal(currency, functional) ? FX_RATE_ONE_E10 : random_below(200 * FX_RATE_ONE_E10) + 1000000, total_e4 = 0, converted_e4;
        bool negative = random_below(4) == 0, fits = true;
        journal_begin(&journal, lines, LINES, currency, functional);
        journal.negative_posting = negative;
        for (int64_t count = random_below(12) + 1; count > 0 && fits; count--) {
            int64_t amount_e4 = random_magnitude(36) * money_minor_unit_e4(currency) * (random_below(3) ? 1 : -1);
            fits = fx_convert(amount_e4, rate_e10, FX_DIRECT, functional, &converted_e4) && decimal_add(total_e4, amount_e4, &total_e4);
            if (fits) journal_debit(&journal, line_of(accounts[random_below(8)], amount_e4, converted_e4));
        }
        if (!fits || !fx_convert(total_e4, rate_e10, FX_DIRECT, functional, &converted_e4)) continue;
        journal_credit(&journal, line_of("8", total_e4, converted_e4));
        enum journal_status status = journal_finish(&journal, (struct journal_rounding){.account = SLICE("9")});
        /* A line that converts to nothing is no reason for a refusal; all of them being zero is. */
        if (status == JOURNAL_EMPTY) continue;
        assert_int_equal(status, JOURNAL_OK);
        check_sums(&journal);
        finished++;
        with_remainder += journal.rounding_e4 != 0;
        int64_t amounts_e4[10] = {0}, functional_e4[10] = {0};
        add_to_accounts(&journal, amounts_e4, functional_e4);
        assert_int_equal(amounts_e4[8], -total_e4);
        assert_int_equal(functional_e4[8], -converted_e4);
        assert_int_equal(functional_e4[9], journal.rounding_e4);
        assert_int_equal(journal_reverse(&journal, &reversal, reversed, LINES, random_below(2)), JOURNAL_OK);
        check_sums(&reversal);
        add_to_accounts(&reversal, amounts_e4, functional_e4);
        for (int account = 0; account < 10; account++) assert_true(amounts_e4[account] == 0 && functional_e4[account] == 0);
    }
    printf("%d journals, %d with a remainder\n", finished, with_remainder);
    assert_true(finished > 30000 && with_remainder > 1000);
}

/* Lines of anything: what is finished balances, the rest has no lines. */
static void never_comes_out_unbalanced(void **state) {
    (void)state;
    random_seed("never_comes_out_unbalanced");
    static const int64_t amounts_e4[] = {0, 1, 100, -100, 200, 10000, -10000, 999999999999999900, -999999999999999900, INT64_MAX, INT64_MIN, INT64_MIN + 1, 150};
    const struct currency currencies[] = {EUR, USD, JPY, CURRENCY("XAU")};
    int finished = 0;
    for (int n = 0; n < 200000; n++) {
        struct ledger_line lines[6];
        struct journal journal;
        journal_begin(&journal, lines, (size_t)random_below(7), currencies[random_below(50) ? random_below(2) : random_below(4)], EUR);
        journal.negative_posting = random_below(2);
        int choices = random_below(3) ? 7 : 13;
        for (int64_t count = random_below(5); count > 0; count--) {
            int64_t amount_e4 = amounts_e4[random_below(choices)];
            struct ledger_line line = line_of(random_below(50) ? "1" : "", amount_e4, random_below(2) ? amount_e4 : amounts_e4[random_below(choices)]);
            if (random_below(2)) journal_debit(&journal, line);
            else journal_credit(&journal, line);
        }
        if (journal_finish(&journal, to_rounding) == JOURNAL_OK) check_sums(&journal), finished++;
        else assert_int_equal(journal.count, 0);
    }
    printf("%d of 200000 finished\n", finished);
    assert_true(finished > 500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_an_invoice), cmocka_unit_test(names_the_remainder), cmocka_unit_test(takes_an_exchange_difference), cmocka_unit_test(refuses),
        cmocka_unit_test(keeps_within_its_room), cmocka_unit_test(refuses_sums_that_do_not_fit), cmocka_unit_test(goes_in_turn),
        cmocka_unit_test(keeps_the_side_with_negative_posting), cmocka_unit_test(balances_whatever_comes), cmocka_unit_test(never_comes_out_unbalanced)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
