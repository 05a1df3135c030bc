/* docs/reasons.md is generated; what is checked in must be what schemas/reasons.tsv makes now. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/text_file.h"
#include "schemas/reasons.h"

static void documentation_is_current(void **state) {
    (void)state;
    char *checked_in = read_whole("docs/reasons.md"), *generated = read_whole(KONTOR_GENERATED "/schemas/reasons.md");
    if (strcmp(checked_in, generated) != 0) fail_msg("docs/reasons.md is stale: cp %s/schemas/reasons.md docs/", KONTOR_GENERATED);
    free(checked_in);
    free(generated);
}

static void every_code_is_documented_and_reached_by_a_case(void **state) {
    (void)state;
    char *text = read_whole("docs/reasons.md"), row[128];
    for (int i = 0; i < REASON_COUNT; i++) {
        snprintf(row, sizeof row, "\n| %s | ", reasons[i].code);
        assert_non_null(strstr(text, row));
        assert_true(strlen(reasons[i].text) > 0 && strlen(reasons[i].what_to_do) > 0);
        const char *at = strstr(text, row), *end = at + 1 + strcspn(at + 1, "\n");
        if (!memmem(at, (size_t)(end - at), ".case)", 6)) fail_msg("no case file reaches %s", reasons[i].code);
    }
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(documentation_is_current), cmocka_unit_test(every_code_is_documented_and_reached_by_a_case)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
