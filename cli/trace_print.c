#include <stdlib.h>
#include <string.h>

#include "cli/show.h"
#include "cli/trace.h"

/* An entry of a batch is a journal, any other event has lines of its own kind. */
static void print_event_lines(const json_t *value, FILE *out) {
    enum { LINES_SHOWN = 20 };
    if (*show_text(value, "batch") && *show_text(value, "idempotency_key")) {
        show_journal_lines(value, "  │ ", NULL, out);
        return;
    }
    size_t i;
    json_t *line;
    const json_t *lines = json_object_get(value, "lines");
    json_array_foreach(lines, i, line) {
        if (i == LINES_SHOWN) {
            fprintf(out, "  │ … and %zu lines more; --format json has them\n", json_array_size(lines) - LINES_SHOWN);
            return;
        }
        fprintf(out, "  │ ");
        show_document_line(line, out);
        fputc('\n', out);
    }
}

static void print_reasons(const json_t *record, const char *indent, FILE *out) {
    size_t i;
    json_t *reason, *missing;
    json_array_foreach(json_object_get(record, "reasons"), i, reason) {
        fprintf(out, "  %s   %s", indent, show_text(reason, "code"));
        show_if(out, "", show_text(reason, "field"));
        show_if(out, "–", show_text(reason, "text"));
        fputc('\n', out);
    }
    json_array_foreach(json_object_get(record, "missing"), i, missing)
        fprintf(out, "  %s   waits for %s %s\n", indent, show_text(missing, "table"), show_text(missing, "key"));
}

static void print_acknowledgment(const json_t *record, const char *indent, FILE *out) {
    fprintf(out, "%s  (%s)  told by %s at %s%s\n", show_text(record, "outcome"), show_text(record, "step"), show_text(record, "processor"), show_text(record, "time"),
            json_is_true(json_object_get(record, "synthetic")) ? "  synthetic: nothing else came of it" : "");
    print_reasons(record, indent, out);
}

static void print_exception(const json_t *record, const char *indent, FILE *out) {
    (void)indent; /* its reasons are those of the acknowledgment */
    fprintf(out, "%s  in %s at %s\n", show_text(record, "outcome"), show_text(record, "topic"), show_text(record, "time"));
}

static void print_dead_letter(const json_t *record, const char *indent, FILE *out) {
    (void)indent;
    fprintf(out, "poison  %s – %s  in %s/%d/%lld\n", show_text(record, "reason"), show_text(record, "text"), show_text(record, "topic"),
            (int)json_integer_value(json_object_get(record, "partition")), (long long)json_integer_value(json_object_get(record, "offset")));
}

static void print_commitment(const json_t *record, const char *indent, FILE *out) {
    char amount[AMOUNT_TEXT_SIZE], committed[AMOUNT_TEXT_SIZE];
    (void)indent;
    fprintf(out, "commitment  %s %s %s, then committed %s  order %s/%s\n", show_text(record, "movement"), show_amount(record, "amount", amount),
            show_text(record, "currency"), show_amount(record, "committed", committed), show_text(record, "order"), show_text(record, "line"));
}

static void print_journal(const json_t *record, const char *indent, FILE *out) {
    char deeper[32];
    fprintf(out, "journal %s  posted on %s, period %s, to %s", show_text(record, "idempotency_key"), show_text(record, "posting_date"), show_text(record, "period"),
            show_text(record, "erp"));
    show_if(out, "reverses", show_text(record, "reverses"));
    show_if(out, "rule", show_text(record, "rule"));
    if (json_is_true(json_object_get(record, "payment_block"))) fprintf(out, "  blocked for payment");
    fputc('\n', out);
    snprintf(deeper, sizeof deeper, "  %s   ", indent);
    show_journal_lines(record, deeper, NULL, out);
}

static const struct branch { const char *name; void (*print)(const json_t *record, const char *indent, FILE *out); } branches[] = {
    {"acknowledgments", print_acknowledgment}, {"exceptions", print_exception}, {"dead_letters", print_dead_letter},
    {"commitments", print_commitment},         {"journals", print_journal},
};
enum { BRANCHES = sizeof branches / sizeof *branches };

static void print_event(const json_t *event, FILE *out) {
    const json_t *value = json_object_get(event, "value");
    char amount[AMOUNT_TEXT_SIZE];
    size_t left = 0, i;
    json_t *record;
    fprintf(out, "%s  %s", show_text(event, "time"), show_text(event, "unreadable")[0] ? "unreadable" : *show_text(value, "kind") ? show_text(value, "kind") : "entry");
    show_if(out, "", show_text(value, "document"));
    show_if(out, "number", show_text(value, "number"));
    if (strcmp(show_text(value, "order"), show_text(value, "document")) != 0) show_if(out, "order", show_text(value, "order"));
    show_if(out, "takes back", show_text(value, "reverses"));
    show_if(out, "batch", show_text(value, "batch"));
    if (*show_text(value, "total")) fprintf(out, "  total %s %s", show_amount(value, "total", amount), show_text(value, "currency"));
    fprintf(out, "\n  │ event %s from %s, %s/%d/%lld", show_text(value, "event_id"), show_text(value, "source"), show_text(event, "topic"),
            (int)json_integer_value(json_object_get(event, "partition")), (long long)json_integer_value(json_object_get(event, "offset")));
    show_if(out, "–", show_text(value, "text"));
    show_if(out, "–", show_text(event, "unreadable"));
    fputc('\n', out);
    print_event_lines(value, out);
    for (int b = 0; b < BRANCHES; b++) left += json_array_size(json_object_get(event, branches[b].name));
    if (!left) fprintf(out, "  └─ nothing follows from it yet\n");
    for (int b = 0; b < BRANCHES; b++)
        json_array_foreach(json_object_get(event, branches[b].name), i, record) {
            fprintf(out, "  %s ", --left ? "├─" : "└─");
            branches[b].print(record, left ? "│" : " ", out);
        }
}

void trace_print(const json_t *trace, FILE *out) {
    size_t i;
    json_t *event, *link;
    const json_t *events = json_object_get(trace, "events"), *first = json_object_get(json_array_get(events, 0), "value");
    fprintf(out, "%s", show_text(trace, "document"));
    show_if(out, "entity", show_text(first, "entity"));
    show_if(out, "supplier", show_text(first, "supplier"));
    fprintf(out, "  %zu event%s\n", json_array_size(events), json_array_size(events) == 1 ? "" : "s");
    json_array_foreach(json_object_get(trace, "documents"), i, event) fprintf(out, "  %s\n", show_text(event, "text"));
    json_array_foreach(events, i, event) print_event(event, out);
    const json_t *linked = json_object_get(trace, "linked");
    if (json_array_size(linked)) fprintf(out, "linked\n");
    json_array_foreach(linked, i, link) fprintf(out, "  %s: kontor trace %s\n", show_text(link, "how"), show_text(link, "document"));
}
