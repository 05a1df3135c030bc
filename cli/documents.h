/* documents: the newest record of each document on the compacted topic `documents`, as kontor-acknowledger wrote it. */
#ifndef KONTOR_CLI_DOCUMENTS_H
#define KONTOR_CLI_DOCUMENTS_H
#include <jansson.h>
#include <stdbool.h>

#include "cli/connection.h"
#include "cli/intern.h"

/* What is read of a document; texts live as long as the list. */
struct document_line {
    struct slice key, entity, flow, partner, document, state, owner, overdue, awaited, reasons, currency;
    int64_t since_ms, overdue_since_ms, due_ms;
    bool has_amount, has_due;
    int64_t amount_e4;
};
struct document_list { struct document_line *items; size_t count; struct intern keys, texts; };

/* wanted: of these keys only; NULL: all. Where the cluster has no such topic the list is empty. */
MUST_CHECK bool documents_read(struct document_list *list, const struct connection *connection, const struct intern *wanted, struct error *error);
void documents_free(struct document_list *list);

/* Where it is in one line: "invoice I1: paid since 2026-03-02T09:08:00Z, settled is due by ... (AP)". */
void documents_describe(const struct document_line *line, FILE *out);
#endif
