#include "cli/table.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum cell_kind { CELL_NULL, CELL_TEXT, CELL_NUMBER };
struct cell { enum cell_kind kind; int64_t number; char *text; /* as shown */ char *plain; /* amounts in JSON; NULL: as shown */ };

struct text_table {
    const struct table_column *columns;
    size_t column_count, cell_count, capacity;
    struct cell *cells;
    bool failed;
};

/* Puts a comma before every third digit of the whole part that `digits` holds. */
static void separate(const char *digits, size_t length, char *text) {
    for (size_t i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0) *text++ = ',';
        *text++ = digits[i];
    }
    *text = 0;
}

const char *amount_text(sum_e4 amount, bool separators, char text[AMOUNT_TEXT_SIZE]) {
    char digits[48], whole[64];
    size_t at = sizeof digits;
    unsigned __int128 rest = amount < 0 ? -(unsigned __int128)amount : (unsigned __int128)amount;
    digits[--at] = 0;
    for (int i = 0; i < 5 || rest; i++, rest /= 10) digits[--at] = (char)('0' + (int)(rest % 10));
    size_t length = sizeof digits - 1 - at, fraction = digits[at + length - 1] != '0' ? 4 : digits[at + length - 2] != '0' ? 3 : 2;
    if (separators) separate(digits + at, length - 4, whole);
    else snprintf(whole, sizeof whole, "%.*s", (int)(length - 4), digits + at);
    snprintf(text, AMOUNT_TEXT_SIZE, "%s%s.%.*s", amount < 0 ? "-" : "", whole, (int)fraction, digits + at + length - 4);
    return text;
}

const char *count_text(int64_t number, char text[AMOUNT_TEXT_SIZE]) {
    char digits[32];
    snprintf(digits, sizeof digits, "%lld", (long long)number);
    size_t sign = digits[0] == '-';
    text[0] = '-';
    separate(digits + sign, strlen(digits) - sign, text + sign);
    return text;
}

/* The character at *text, and moves behind it; U+FFFD for bytes that are no UTF-8. */
static uint32_t next_character(const char **text) {
    const unsigned char *t = (const unsigned char *)*text;
    size_t more = t[0] < 0x80 ? 0 : t[0] >= 0xF0 && t[0] < 0xF8 ? 3 : t[0] >= 0xE0 && t[0] < 0xF0 ? 2 : t[0] >= 0xC2 && t[0] < 0xE0 ? 1 : 4;
    uint32_t character = more == 4 ? 0xFFFD : more ? t[0] & (0x3Fu >> more) : t[0];
    (*text)++;
    for (size_t i = 1; more < 4 && i <= more; i++) {
        if ((t[i] & 0xC0) != 0x80) return 0xFFFD;
        character = character << 6 | (t[i] & 0x3F);
        (*text)++;
    }
    return character;
}

/* After Unicode's East Asian Width (wide) and combining marks, the ranges that occur in names and addresses. */
static size_t character_width(uint32_t c) {
    if ((c >= 0x300 && c <= 0x36F) || (c >= 0x200B && c <= 0x200F) || (c >= 0xFE00 && c <= 0xFE0F)) return 0;
    bool wide = (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) || (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) ||
                (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) || (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD);
    return wide ? 2 : 1;
}

size_t text_width(const char *text) {
    size_t width = 0;
    while (*text) width += character_width(next_character(&text));
    return width;
}

/* A copy that a terminal can show: no control characters, no broken UTF-8. */
static char *shown(struct slice text) {
    char *copy = malloc(text.length * 3 + 1), *out = copy, *source = strndup(text.length ? text.data : "", text.length);
    if (!copy || !source) {
        free(copy);
        free(source);
        return NULL;
    }
    for (const char *at = source; *at;) {
        const char *start = at;
        uint32_t c = next_character(&at);
        bool control = c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xFFFD;
        size_t length = control ? 3 : (size_t)(at - start);
        memcpy(out, control ? "\xEF\xBF\xBD" : start, length);
        out += length;
    }
    *out = 0;
    free(source);
    return copy;
}

struct text_table *table_new(const struct table_column *columns, size_t count) {
    struct text_table *table = calloc(1, sizeof *table);
    if (table) *table = (struct text_table){.columns = columns, .column_count = count};
    return table;
}

void table_free(struct text_table *table) {
    if (!table) return;
    for (size_t i = 0; i < table->cell_count; i++) {
        free(table->cells[i].text);
        free(table->cells[i].plain);
    }
    free(table->cells);
    free(table);
}

/* Takes over the texts of the cell. */
static void add(struct text_table *table, struct cell cell) {
    if (table && table->cell_count == table->capacity) {
        size_t capacity = table->capacity ? table->capacity * 2 : 64;
        struct cell *cells = realloc(table->cells, capacity * sizeof *cells);
        if (cells) {
            table->cells = cells;
            table->capacity = capacity;
        }
    }
    if (!table || table->cell_count == table->capacity || !cell.text) {
        if (table) table->failed = true;
        free(cell.text);
        free(cell.plain);
        return;
    }
    table->cells[table->cell_count++] = cell;
}

void table_slice(struct text_table *table, struct slice text) {
    add(table, (struct cell){.kind = CELL_TEXT, .text = shown(text), .plain = strndup(text.length ? text.data : "", text.length)});
}

void table_text(struct text_table *table, const char *text) {
    if (text) table_slice(table, slice_of(text));
    else add(table, (struct cell){.kind = CELL_NULL, .text = strdup("")});
}

void table_number(struct text_table *table, int64_t number) {
    char text[AMOUNT_TEXT_SIZE];
    add(table, (struct cell){.kind = CELL_NUMBER, .number = number, .text = strdup(count_text(number, text))});
}

void table_amount(struct text_table *table, sum_e4 amount) {
    char text[AMOUNT_TEXT_SIZE], plain[AMOUNT_TEXT_SIZE];
    add(table, (struct cell){.kind = CELL_TEXT, .text = strdup(amount_text(amount, true, text)), .plain = strdup(amount_text(amount, false, plain))});
}

size_t table_rows(const struct text_table *table) { return table ? table->cell_count / table->column_count : 0; }

static void print_cell(const char *text, size_t width, bool right, bool last, FILE *out) {
    int blanks = (int)(width - text_width(text));
    if (right) fprintf(out, "%*s%s", blanks, "", text);
    else fprintf(out, "%s%*s", text, last ? 0 : blanks, "");
    fputs(last ? "\n" : "  ", out);
}

static bool print_aligned(const struct text_table *table, FILE *out) {
    size_t columns = table->column_count, *widths = calloc(columns, sizeof *widths);
    if (!widths) return false;
    for (size_t i = 0; i < columns; i++) widths[i] = text_width(table->columns[i].name);
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t width = text_width(table->cells[i].text);
        if (width > widths[i % columns]) widths[i % columns] = width;
    }
    for (size_t i = 0; i < columns; i++) print_cell(table->columns[i].name, widths[i], table->columns[i].right, i + 1 == columns, out);
    for (size_t i = 0; i < table->cell_count; i++)
        print_cell(table->cells[i].text, widths[i % columns], table->columns[i % columns].right, i % columns + 1 == columns, out);
    free(widths);
    return true;
}

static json_t *cell_json(const struct cell *cell) {
    if (cell->kind == CELL_NUMBER) return json_integer(cell->number);
    if (cell->kind == CELL_NULL) return json_null();
    json_t *text = json_string(cell->plain);
    return text ? text : json_string(cell->text); /* not UTF-8: as shown */
}

static bool print_json(const struct text_table *table, FILE *out) {
    json_t *rows = json_array();
    bool ok = rows;
    for (size_t i = 0; ok && i < table->cell_count; i++) {
        if (i % table->column_count == 0) ok = json_array_append_new(rows, json_object()) == 0;
        char name[64];
        snprintf(name, sizeof name, "%s", table->columns[i % table->column_count].name);
        for (char *c = name; *c; c++)
            if (*c == ' ') *c = '_';
        ok = ok && json_object_set_new(json_array_get(rows, json_array_size(rows) - 1), name, cell_json(&table->cells[i])) == 0;
    }
    ok = ok && json_dumpf(rows, out, JSON_INDENT(2)) == 0 && fputc('\n', out) != EOF;
    json_decref(rows);
    return ok;
}

bool table_print(const struct text_table *table, enum output_format format, FILE *out) {
    if (!table) return false;
    return (format == FORMAT_JSON ? print_json(table, out) : print_aligned(table, out)) && !table->failed;
}
