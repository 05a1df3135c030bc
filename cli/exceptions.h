/* exceptions: what the files of `kontor exceptions` share. exceptions.c: the command and list; exceptions_show.c; exceptions_decide.c: what people decide;
 * exceptions_correct.c. */
#ifndef KONTOR_CLI_EXCEPTIONS_H
#define KONTOR_CLI_EXCEPTIONS_H
#include <jansson.h>

#include "cli/exception_set.h"
#include "cli/table.h"
#include "schemas/review_decision.h"

enum exit_status exceptions_show(const struct invocation *invocation);
enum exit_status exceptions_decide(const struct invocation *invocation, enum review_action action);
enum exit_status exceptions_correct(const struct invocation *invocation);

/* "CODE, CODE"; "table key, table key"; "1,234.50": cells of tables. */
enum { CELL_SIZE = 1024 };
const char *reasons_cell(const struct exception_record *record, char cell[CELL_SIZE]);
const char *missing_cell(const struct exception_record *record, char cell[CELL_SIZE]);

/* Reads what the words behind the first (but `skip` at the end) and the filter name; with what people have decided about it. False also when a word names nothing. */
MUST_CHECK bool exceptions_find(struct exception_set *set, const struct connection *connection, const struct invocation *invocation, struct exception_filter *filter,
                                struct error *error);

/* Who decides, as typed; *usage: something is missing. */
struct decider { const char *user, *role, *reason, *on_behalf_of, *source, *assignee; };
MUST_CHECK bool decider_read(struct decider *decider, const struct invocation *invocation, enum review_action action, struct error *error);
/* The decision as a JSON value of review.decisions, without what correct adds. extra: tells one decision of the same kind from another. The caller's; NULL: memory is out. */
json_t *decision_json(const struct exception_item *item, enum review_action action, const struct decider *decider, int64_t now_ms, const char *extra);
/* Sends decisions, values of review.decisions as lines. */
MUST_CHECK bool decisions_send(const struct connection *connection, struct slice lines, int64_t rate, struct error *error);
#endif
