/* trace: everything on the topics about one document, as JSON, and as a tree for people. */
#ifndef KONTOR_CLI_TRACE_H
#define KONTOR_CLI_TRACE_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/connection.h"
#include "cli/topic_list.h"

/* Looks for `wanted` as document, number, order, reversed document, event id, correlation id or origin (<topic>/<partition>/<offset>) of an event, then
 * for all that was made of these events and of the other events of their documents. *found, the caller's to be freed by json_decref:
 *
 *     {"document": wanted, "documents": [{"flow", "document", "state", "since", "owner", "awaited", "due_at", "overdue", "overdue_since", "text": all of it in a line}],
 *      "events": [{"topic", "partition", "offset", "timestamp", "time", "value": {...} or null, "unreadable": why,
 *        "acknowledgments": [{"time", ...}], "exceptions": [...], "dead_letters": [{"reason", "text"}], "commitments": [...], "journals": [...]}],
 *      "linked": [{"document", "how"}]}
 *
 * events in order of time. *found NULL: no such event among the `searched` ones. */
MUST_CHECK bool trace_find(const struct connection *connection, const struct topic_list *list, const char *wanted, json_t **found, int64_t *searched,
                           struct error *error);

void trace_print(const json_t *trace, FILE *out);
#endif
