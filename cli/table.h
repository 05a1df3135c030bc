/* table: rows for people (aligned columns) or for programs (a JSON array of objects), from the same cells.
 *
 * Cells are given row by row in the order of the columns. Widths are those of a terminal (UTF-8, wide and combining characters counted); control
 * characters, which data from outside may hold, are shown as U+FFFD. Numbers are right-aligned, with thousands separated; in JSON they are plain
 * numbers, amounts are strings. */
#ifndef KONTOR_CLI_TABLE_H
#define KONTOR_CLI_TABLE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/command.h"
#include "common/platform/slice.h"

typedef __int128 sum_e4; /* a sum of amounts, times 10^4: 2^63 of the largest amounts fit */

struct table_column { const char *name; bool right; }; /* name: the title, and the JSON name with blanks as _ */

struct text_table;

/* NULL when memory is out; every other function then does nothing, and table_print answers false. */
struct text_table *table_new(const struct table_column *columns, size_t count);
void table_free(struct text_table *table);

void table_text(struct text_table *table, const char *text);        /* NULL: empty; JSON null */
void table_slice(struct text_table *table, struct slice text);
void table_number(struct text_table *table, int64_t number);
void table_amount(struct text_table *table, sum_e4 amount);

size_t table_rows(const struct text_table *table);
/* False when memory was out: then the rows are not complete. */
MUST_CHECK bool table_print(const struct text_table *table, enum output_format format, FILE *out);

enum { AMOUNT_TEXT_SIZE = 80 };
/* 1234.50 or, with separators, 1,234.50: at least two decimal digits, up to four where they are not 0. */
const char *amount_text(sum_e4 amount, bool separators, char text[AMOUNT_TEXT_SIZE]);
/* 255,462 */
const char *count_text(int64_t number, char text[AMOUNT_TEXT_SIZE]);
/* Columns that the text takes on a terminal. */
size_t text_width(const char *text);
#endif
