/* kontor import: documents of the outside world as events. einvoice: EN 16931 in UBL or CII into invoice.events. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/feed.h"
#include "cli/import_masters.h"
#include "cli/table.h"
#include "common/codec/json.h"
#include "common/einvoice/event.h"
#include "common/einvoice/rules.h"
#include "common/platform/file.h"

static const char topic_name[] = "invoice.events";

/* One call. Events are gathered as JSON lines and sent when all files were read. */
struct import {
    const struct invocation *invocation;
    struct connection connection;
    struct topic_list list;
    struct import_masters masters;
    struct arena arena;                 /* of one file */
    struct einvoice *invoice;
    struct einvoice_findings *findings;
    struct buffer bytes, events;
    struct text_table *table;
    bool check, dry_run;
    int64_t taken, refused;
};

/* A finding without a line is one of the file itself. */
static void tell(struct import *import, const char *path, int line, const char *rule, bool warning, const char *message) {
    if (!import->check) {
        if (line) fprintf(stderr, "kontor: %s: line %d: %s: %s%s\n", path, line, rule, message, warning ? " (a warning)" : "");
        else fprintf(stderr, "kontor: %s: %s\n", path, message);
        return;
    }
    table_text(import->table, path);
    if (line) table_number(import->table, line);
    else table_text(import->table, NULL);
    table_text(import->table, rule);
    table_text(import->table, warning ? "warning" : "fatal");
    table_text(import->table, message);
}

static void tell_findings(struct import *import, const char *path) {
    const struct einvoice_findings *findings = import->findings;
    for (size_t i = 0; i < findings->count; i++)
        tell(import, path, findings->items[i].line, findings->items[i].rule, findings->items[i].warning, findings->items[i].message);
    if (findings->count == EINVOICE_FINDINGS_MAXIMUM) tell(import, path, 0, "...", true, "there may be more; these are the first 200");
}

/* --supplier, else the one whose tax id is the seller's VAT identifier (BT-31), or its other tax registration (BT-32) when it has none. */
static bool find_supplier(const struct import *import, struct slice *supplier, struct error *error) {
    const char *given = option_text(import->invocation, "supplier", NULL);
    const struct einvoice_party *seller = &import->invoice->seller;
    const struct einvoice_text *id = einvoice_filled(&seller->vat_id) ? &seller->vat_id : &seller->tax_id;
    const char *term = einvoice_filled(&seller->vat_id) ? "BT-31" : "BT-32";
    size_t count;
    if (given) {
        *supplier = slice_of(given);
        return true;
    }
    if (!einvoice_filled(id))
        return error_set(error, "line %d: the seller has neither VAT identifier (BT-31) nor tax registration (BT-32) to find it by; name it with --supplier",
                         seller->line ? seller->line : import->invoice->line);
    *supplier = import_supplier_by_tax_id(&import->masters, id->text, &count);
    if (count == 1) return true;
    if (!count)
        return error_set(error, "line %d: no supplier has the tax id " SLICE_FORMAT " (%s); put it into master.suppliers, or name the supplier with --supplier", id->line,
                         SLICE_ARGUMENT(id->text), term);
    return error_set(error, "line %d: %zu suppliers have the tax id " SLICE_FORMAT " (%s), " SLICE_FORMAT " is one; name the right one with --supplier", id->line,
                     count, SLICE_ARGUMENT(id->text), term, SLICE_ARGUMENT(*supplier));
}

static struct slice tax_code_of(void *context, struct slice category, const int64_t *rate_e4, int32_t date) {
    const struct import *import = context;
    return import_tax_code(&import->masters, slice_of(option_text(import->invocation, "entity", "")), category, rate_e4, date);
}

static void add_row(struct import *import, const char *path, const struct invoice_event *event) {
    table_text(import->table, path);
    table_slice(import->table, event->document);
    table_text(import->table, invoice_kind_name(event->kind));
    table_slice(import->table, event->supplier);
    table_slice(import->table, event->currency);
    table_amount(import->table, event->total_e4);
    table_number(import->table, (int64_t)event->lines.count);
}

/* False: memory is out or standard output is broken; a document that cannot be taken is told and counted. */
static bool make_event(struct import *import, const char *path, struct error *error) {
    struct einvoice_target target = {.source = slice_of(option_text(import->invocation, "source", "einvoice")),
                                     .entity = slice_of(option_text(import->invocation, "entity", "")),
                                     .category = slice_of(option_text(import->invocation, "category", "")),
                                     .bytes = buffer_slice(&import->bytes), .tax_code = tax_code_of, .context = import};
    struct invoice_event event;
    struct error why;
    if (!find_supplier(import, &target.supplier, &why) || !einvoice_to_event(import->invoice, &target, &import->arena, &event, &why)) {
        tell(import, path, 0, "", false, why.text);
        import->refused++;
        return true;
    }
    if (!codec_to_json(&invoice_event_type, &event, &import->events) || !buffer_append(&import->events, "\n", 1)) return error_set(error, "out of memory");
    add_row(import, path, &event);
    import->taken++;
    return true;
}

static bool take_file(struct import *import, const char *path, struct error *error) {
    struct error why;
    arena_reset(&import->arena);
    buffer_reset(&import->bytes);
    if (!file_read(path, EINVOICE_BYTES_MAXIMUM, &import->bytes, &why) || !einvoice_read(import->invoice, buffer_slice(&import->bytes), &import->arena, &why)) {
        tell(import, path, 0, "XML", false, why.text);
        import->refused++;
        return true;
    }
    einvoice_check(import->invoice, import->findings);
    tell_findings(import, path);
    import->refused += import->findings->fatal > 0;
    import->taken += import->check && !import->findings->fatal;
    if (import->check || import->findings->fatal) return true;
    return make_event(import, path, error);
}

static bool send_events(struct import *import, struct error *error) {
    const struct buffer *lines = &import->events;
    if (import->dry_run) return fwrite(lines->data, 1, lines->length, stdout) == lines->length || error_set(error, "standard output cannot be written");
    struct feed_result result = {0};
    const struct feed_options options = {.topic = topic_name, .path = "the invoices", .text = buffer_slice(&import->events),
                                         .declared = topic_list_find(&import->list, topic_name), .partition = RD_KAFKA_PARTITION_UA};
    if (feed_run(&import->connection, &options, &result, error)) return true;
    return error_prefix(error, "%" PRId64 " of %" PRId64 " were sent, then", result.sent, import->taken);
}

/* Nothing is needed to check. A supplier that is named and a folder of master data make a broker needless for --dry-run too. */
static bool open_sources(struct import *import, struct error *error) {
    const char *folder = option_text(import->invocation, "master", NULL);
    if (import->check) return true;
    if (!topic_list_read(&import->list, NULL, 0, error)) return false;
    if ((!import->dry_run || !folder) && !connection_open(&import->connection, import->invocation, error)) return false;
    return folder ? import_masters_from_folder(&import->masters, &import->list, folder, error)
                  : import_masters_from_topics(&import->masters, &import->connection, error);
}

static bool conclude(struct import *import, struct error *error) {
    bool keep_going = option_given(import->invocation, "keep-going"), sent = !import->check && import->taken && (!import->refused || keep_going);
    if (sent && !send_events(import, error)) return false;
    bool show = import->check || (sent && !import->dry_run);
    if (show && !table_print(import->table, import->invocation->format, stdout)) return error_set(error, "out of memory");
    if (!import->refused) return true;
    int64_t files = import->taken + import->refused;
    if (import->check) return error_set(error, "%" PRId64 " of %" PRId64 " files break a rule that has to hold; docs/einvoice.md explains them", import->refused, files);
    return error_set(error, "%" PRId64 " of %" PRId64 " files cannot be taken; %s. Ask the supplier for a corrected invoice; docs/einvoice.md explains the rules",
                     import->refused, files, sent ? "the others were" : import->taken ? "nothing was sent (--keep-going takes the others)" : "nothing was sent");
}

static bool run(struct import *import, struct error *error) {
    static const struct table_column found[] = {{"file", false}, {"line", true}, {"rule", false}, {"severity", false}, {"message", false}};
    static const struct table_column made[] = {{"file", false},     {"document", false}, {"kind", false}, {"supplier", false},
                                               {"currency", false}, {"total", true},     {"lines", true}};
    import->table = import->check ? table_new(found, sizeof found / sizeof *found) : table_new(made, sizeof made / sizeof *made);
    import->invoice = malloc(sizeof *import->invoice);
    import->findings = malloc(sizeof *import->findings);
    if (!import->table || !import->invoice || !import->findings) return error_set(error, "out of memory");
    if (!open_sources(import, error)) return false;
    for (size_t i = 1; i < import->invocation->word_count; i++)
        if (!take_file(import, import->invocation->words[i], error)) return false;
    return conclude(import, error);
}

static enum exit_status list_rules(const struct invocation *invocation) {
    static const struct table_column columns[] = {{"rule", false}, {"severity", false}, {"says", false}};
    struct text_table *table = table_new(columns, sizeof columns / sizeof *columns);
    struct error error = {"out of memory"};
    char id[16];
    const char *says;
    bool warning;
    for (size_t i = 0; einvoice_rule(i, id, &says, &warning); i++) {
        table_text(table, id);
        table_text(table, warning ? "warning" : "fatal");
        table_text(table, says);
    }
    bool ok = table_print(table, invocation->format, stdout);
    table_free(table);
    return ok ? EXIT_DONE : command_failed(&error);
}

static enum exit_status usage_error(const char *text) {
    fprintf(stderr, "kontor: %s\n", text);
    return EXIT_USAGE;
}

static enum exit_status import_run(const struct invocation *invocation) {
    if (strcmp(invocation->words[0], "rules") == 0) return list_rules(invocation);
    if (invocation->word_count < 2) return usage_error("FILE is missing: kontor import einvoice FILE...");
    struct import import = {.invocation = invocation, .check = option_given(invocation, "check"), .dry_run = option_given(invocation, "dry-run")};
    struct error error;
    if (!import.check && !option_given(invocation, "entity"))
        return usage_error("--entity is missing: no field of an e-invoice says which of our entities the buyer is; --check needs none");
    arena_init(&import.arena, 1 << 16, EINVOICE_MEMORY);
    import_masters_init(&import.masters);
    bool ok = run(&import, &error);
    table_free(import.table);
    free(import.invoice);
    free(import.findings);
    buffer_free(&import.bytes);
    buffer_free(&import.events);
    import_masters_free(&import.masters);
    arena_free(&import.arena);
    connection_close(&import.connection);
    topic_list_free(&import.list);
    return ok ? EXIT_DONE : command_failed(&error);
}

static const char *const words[] = {"einvoice", "rules", NULL};
static const struct option options[] = {
    {"entity", OPTION_TEXT, "E", "our entity that is the buyer"},
    {"supplier", OPTION_TEXT, "S", "the seller's supplier id; without it the supplier in master.suppliers that has the seller's tax id (BT-31)"},
    {"source", OPTION_TEXT, "NAME", "source system of the events; without it einvoice"},
    {"category", OPTION_TEXT, "C", "category of lines that name no order"},
    {"master", OPTION_TEXT, "DIR", "look suppliers and tax codes up in this folder (as kontor master load takes it), not in the topics"},
    {"dry-run", OPTION_FLAG, NULL, "print the events as JSON lines and send nothing"},
    {"check", OPTION_FLAG, NULL, "only ask the rules; a row for each that is broken"},
    {"keep-going", OPTION_FLAG, NULL, "take the good files when others are bad; without it nothing is sent then"},
    {NULL, OPTION_FLAG, NULL, NULL},
};

const struct command import_command = {
    .name = "import",
    .summary = "turns e-invoices into events",
    .usage = "einvoice FILE... | rules",
    .description = "Each FILE is an e-invoice by EN 16931, in UBL 2.1 (Invoice, CreditNote) or UN/CEFACT CII D16B. It is checked by the\n"
                   "standard's business rules; one that breaks any is refused with the rule, the line and what was found, and nothing is\n"
                   "sent. A good one becomes an event of invoice.events: received, or credit_note. docs/einvoice.md says which term goes\n"
                   "into which field. The same file imported again is the same event, which the processor knows as a duplicate.\n"
                   "rules lists the rules that are asked.",
    .words = words,
    .words_minimum = 1,
    .words_maximum = WORDS_MAXIMUM,
    .default_format = "table",
    .options = options,
    .example = "  kontor import einvoice invoice.xml --entity 1000\n"
               "  kontor import einvoice *.xml --check --format json\n"
               "  kontor import einvoice invoice.xml --entity 1000 --supplier V21 --master deploy/local/sample/master --dry-run",
    .run = import_run,
};
