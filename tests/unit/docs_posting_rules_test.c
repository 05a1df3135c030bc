/* docs/posting-rules.md: its table of steps is what common/posting/steps.c says, and it names every amount, dimension and account source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/text_file.h"
#include "common/posting/steps.h"

static void amounts_append(FILE *row, uint32_t amounts, const char *between) {
    const uint32_t taxes = RULE_BIT(RULE_TAX_DEDUCTIBLE) | RULE_BIT(RULE_TAX_NOT_DEDUCTIBLE) | RULE_BIT(RULE_TAX_REVERSE) | RULE_BIT(RULE_TAX_REVERSE_DEDUCTIBLE) |
                           RULE_BIT(RULE_TAX_REVERSE_NOT_DEDUCTIBLE);
    const bool all_taxes = (amounts & taxes) == taxes;
    const char *before = "";
    for (int i = 0; i < RULE_AMOUNT_COUNT; i++) {
        if (!(amounts & RULE_BIT(i))) continue;
        if (all_taxes && (taxes & RULE_BIT(i))) {
            if (i == RULE_TAX_DEDUCTIBLE) fprintf(row, "%staxes", before);
            continue;
        }
        fprintf(row, "%s%s", before, rule_amount_names[i]);
        before = between;
    }
}

static void row_append(FILE *row, const struct rule_step *step, bool journal) {
    fprintf(row, "| %s%s | ", step->name, journal ? "..." : "");
    for (int i = 0; i < STEP_ALTERNATIVES && step->posts_one_of[i]; i++) {
        if (i) fprintf(row, ", or ");
        amounts_append(row, step->posts_one_of[i], " and ");
    }
    fprintf(row, " | ");
    if (journal) fprintf(row, "all");
    else amounts_append(row, step->amounts, ", ");
    fprintf(row, " | ");
    const char *before = "";
    for (int i = 0; i < RULE_ACCOUNT_COUNT; i++) {
        if (!rule_account_names[i] || !(step->accounts & RULE_BIT(i))) continue;
        fprintf(row, "%s%s", before, rule_account_names[i]);
        before = ", ";
    }
    fprintf(row, " |\n");
}

static void table_is_current(void **state) {
    (void)state;
    char *document = read_whole("docs/posting-rules.md");
    char *expected;
    size_t length;
    FILE *table = open_memstream(&expected, &length);
    assert_non_null(table);
    fprintf(table, "| step | posts at least | amounts | accounts by word |\n|---|---|---|---|\n");
    for (size_t i = 0; i < rule_step_count; i++) row_append(table, &rule_steps[i], steps_is_journal((int)i));
    fprintf(table, "\n");   /* the table ends here */
    fclose(table);
    if (!strstr(document, expected)) {
        fputs(expected, stdout);
        fail_msg("the table of steps in docs/posting-rules.md is stale; it is now as above");
    }
    free(expected);
    free(document);
}

static void everything_is_named(void **state) {
    (void)state;
    char *document = read_whole("docs/posting-rules.md"), name[64];
    const char *const *const lists[] = {rule_amount_names, rule_dimension_names, rule_account_names};
    const int counts[] = {RULE_AMOUNT_COUNT, RULE_DIMENSION_COUNT, RULE_ACCOUNT_COUNT};
    for (int list = 0; list < 3; list++)
        for (int i = 0; i < counts[list]; i++) {
            if (!lists[list][i]) continue;
            snprintf(name, sizeof name, "`%s`", lists[list][i]);
            if (!strstr(document, name)) fail_msg("docs/posting-rules.md does not explain %s", name);
        }
    free(document);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(table_is_current), cmocka_unit_test(everything_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
