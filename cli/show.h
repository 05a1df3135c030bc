/* show: members of JSON records as people read them. */
#ifndef KONTOR_CLI_SHOW_H
#define KONTOR_CLI_SHOW_H
#include <jansson.h>
#include <stdio.h>

#include "cli/table.h"

/* A member's text; "" when there is none. */
const char *show_text(const json_t *object, const char *name);
/* An amount such as "1234.5000" as 1,234.50. */
const char *show_amount(const json_t *object, const char *name, char text[AMOUNT_TEXT_SIZE]);
/* A quantity without the zeros at its end. */
const char *show_quantity(const json_t *object, const char *name, char text[AMOUNT_TEXT_SIZE]);
/* "  name value" when there is a value. */
void show_if(FILE *out, const char *name, const char *value);

/* A document line: order, quantity, net and coding, in one line without its end. */
void show_document_line(const json_t *line, FILE *out);
/* One journal's lines, aligned, each behind `indent`; below each, when below is given, what that prints. */
void show_journal_lines(const json_t *journal, const char *indent, void (*below)(const json_t *line, FILE *out), FILE *out);
#endif
