/* explain: why a journal's lines are what they are: the rule lines that can have made each. */
#ifndef KONTOR_CLI_EXPLAIN_H
#define KONTOR_CLI_EXPLAIN_H
#include <jansson.h>
#include <stdbool.h>

/* Adds to every line of the journal "made_by": the lines of `set` (a record of master.posting-rules) that post to its side and account and carry what it carries:
 *
 *     {"rule", "line" (from 1), "side", "account", "amount", "how"}
 *
 * The rule that the journal names (<set>/<rule>@<valid from>) comes first; others of its step follow, since document lines may have rules of their own. Lines of the
 * same account are merged in a journal: several rule lines may have made one. swapped: sides are the other way round, as in a reversal.
 * mappings: records of master.code-mappings. rounding_account: of the legal entity. */
void explain_lines(json_t *journal, const json_t *set, const json_t *mappings, const char *rounding_account, bool swapped);
#endif
