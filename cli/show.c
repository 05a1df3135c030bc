#include "cli/show.h"

#include <string.h>

const char *show_text(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

const char *show_amount(const json_t *object, const char *name, char text[AMOUNT_TEXT_SIZE]) {
    const char *from = show_text(object, name);
    sum_e4 amount = 0;
    int digits = -1; /* behind the point; -1: before it */
    if (!*from) return strcpy(text, "");
    for (const char *c = from; *c; c++) {
        if (*c == '.') digits = 0;
        if (*c < '0' || *c > '9' || digits == 4) continue;
        amount = amount * 10 + (*c - '0');
        if (digits >= 0) digits++;
    }
    for (int i = digits < 0 ? 0 : digits; i < 4; i++) amount *= 10;
    return amount_text(*from == '-' ? -amount : amount, true, text);
}

const char *show_quantity(const json_t *object, const char *name, char text[AMOUNT_TEXT_SIZE]) {
    snprintf(text, AMOUNT_TEXT_SIZE, "%s", show_text(object, name));
    if (!strchr(text, '.')) return text;
    size_t length = strlen(text);
    while (text[length - 1] == '0') length--;
    if (text[length - 1] == '.') length--;
    text[length] = 0;
    return text;
}

void show_if(FILE *out, const char *name, const char *value) {
    if (*value) fprintf(out, "  %s%s%s", name, *name ? " " : "", value);
}

void show_document_line(const json_t *line, FILE *out) {
    char text[AMOUNT_TEXT_SIZE];
    fprintf(out, "line %s", show_text(line, "line"));
    if (*show_text(line, "order")) fprintf(out, "  order %s/%s", show_text(line, "order"), show_text(line, "order_line"));
    show_if(out, "quantity", show_quantity(line, "quantity", text));
    show_if(out, "net", show_amount(line, "net", text));
    show_if(out, "tax code", show_text(line, "tax_code"));
    show_if(out, "category", show_text(line, "category"));
    show_if(out, "cost centre", show_text(line, "cost_centre"));
    show_if(out, "project", show_text(line, "project"));
}

void show_journal_lines(const json_t *journal, const char *indent, void (*below)(const json_t *line, FILE *out), FILE *out) {
    size_t i, account_width = 0, amount_width = 0;
    json_t *line;
    char amount[AMOUNT_TEXT_SIZE];
    const json_t *lines = json_object_get(journal, "lines");
    const char *currency = show_text(journal, "currency"), *functional = show_text(journal, "functional_currency");
    json_array_foreach(lines, i, line) {
        size_t account = text_width(show_text(line, "account")), digits = strlen(show_amount(line, "amount", amount));
        if (account > account_width) account_width = account;
        if (digits > amount_width) amount_width = digits;
    }
    json_array_foreach(lines, i, line) {
        fprintf(out, "%s%-6s  %s%*s  %*s %s", indent, show_text(line, "side"), show_text(line, "account"),
                (int)(account_width - text_width(show_text(line, "account"))), "", (int)amount_width, show_amount(line, "amount", amount), currency);
        if (strcmp(currency, functional) != 0) fprintf(out, "  = %s %s", show_amount(line, "functional", amount), functional);
        show_if(out, "cost centre", show_text(line, "cost_centre"));
        show_if(out, "project", show_text(line, "project"));
        show_if(out, "tax code", show_text(line, "tax_code"));
        show_if(out, "partner", show_text(line, "partner"));
        show_if(out, "from line", show_text(line, "source_line"));
        fputc('\n', out);
        if (below) below(line, out);
    }
}
