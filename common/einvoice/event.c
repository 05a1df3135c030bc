#include "common/einvoice/event.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/ledger/money.h"
#include "common/platform/buffer.h"
#include "common/platform/hash.h"

enum { NOTE_LENGTH = 300, NUMBER_LENGTH = 200 };

struct mapping {
    const struct einvoice *invoice;
    const struct einvoice_target *target;
    struct arena *arena;
    struct invoice_event *event;
    int32_t tax_date;
    struct error *error;
};

static bool no_memory(struct mapping *mapping) { return error_set(mapping->error, "out of memory"); }

/* A cut in the middle of a character would make the whole text unreadable. */
static size_t whole_characters(const char *text, size_t length, size_t maximum) {
    if (length <= maximum) return length;
    length = maximum;
    while (length && ((unsigned char)text[length] & 0xC0) == 0x80) length--;
    return length;
}

/* A text made with printf, in the arena; data NULL: memory is out. */
static struct slice make_text(struct mapping *mapping, const char *format, ...) __attribute__((format(printf, 2, 3)));
static struct slice make_text(struct mapping *mapping, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t kept = length < 0 ? 0 : (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
    return (struct slice){arena_copy(mapping->arena, text, kept), kept};
}

/* An amount that is there, can be read, is in the invoice's currency and fits the event. */
static bool take_amount(struct mapping *mapping, const struct einvoice_number *number, const char *term, int line, int64_t *amount_e4) {
    struct slice currency = mapping->invoice->currency.text;
    if (!einvoice_is_number(number)) return error_set(mapping->error, "line %d: %s: an amount is expected here", number->line ? number->line : line, term);
    if (number->attribute_given && !slice_equal(number->attribute, currency))
        return error_set(mapping->error, "line %d: %s is in " SLICE_FORMAT ", the invoice (BT-5) in " SLICE_FORMAT "; an invoice has one currency", number->line, term,
                         SLICE_ARGUMENT(number->attribute), SLICE_ARGUMENT(currency));
    if (number->value > MONEY_MAXIMUM_E4 || number->value < -MONEY_MAXIMUM_E4)
        return error_set(mapping->error, "line %d: %s: " SLICE_FORMAT " is larger than any amount that is kept", number->line, term, SLICE_ARGUMENT(number->text));
    *amount_e4 = number->value;
    return true;
}

/* <category><rate>, when the entity has no code for them: the invoice then waits for it (TAX_CODE_UNKNOWN), by a name that says what is missing. */
static struct slice made_code(struct mapping *mapping, const struct einvoice_tax *tax) {
    char rate[DECIMAL_TEXT_SIZE] = "";
    if (einvoice_is_number(&tax->rate)) decimal_print(tax->rate.value, 4, 0, rate);
    return make_text(mapping, SLICE_FORMAT "%s", SLICE_ARGUMENT(tax->category.text), rate);
}

static bool take_tax_code(struct mapping *mapping, const struct einvoice_tax *tax, struct slice *code) {
    const int64_t *rate = einvoice_is_number(&tax->rate) ? &tax->rate.value : NULL;
    *code = mapping->target->tax_code(mapping->target->context, tax->category.text, rate, mapping->tax_date);
    if (!code->length) *code = made_code(mapping, tax);
    return code->data || no_memory(mapping);
}

/* BT-8, by UNTDID 2005 (UBL) or 2475 (CII): 3 or 5 date of the invoice, 35 or 29 of delivery, 432 or 72 of payment, which nobody knows yet. */
static int32_t tax_point(const struct einvoice *invoice) {
    const struct einvoice_text *code = &invoice->tax_point_code;
    if (invoice->tax_point.date != DATE_NONE) return invoice->tax_point.date;
    bool delivery = slice_equal(code->text, SLICE("35")) || slice_equal(code->text, SLICE("29"));
    if (delivery && invoice->delivered.date != DATE_NONE) return invoice->delivered.date;
    return delivery ? invoice->period.end.date : DATE_NONE;
}

/* A direct debit or a card takes the money without us: it must not be paid again by transfer. Everything else is decided by our own master data. */
static struct slice method_of(const struct einvoice *invoice) {
    static const struct { const char *code; struct slice method; } methods[] = {
        {"49", SLICE("direct_debit")}, {"59", SLICE("direct_debit")}, {"48", SLICE("card")}, {"54", SLICE("card")}, {"55", SLICE("card")}};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        for (size_t k = 0; k < invoice->means.count; k++)
            if (slice_equal(invoice->means.items[k].code.text, slice_of(methods[i].code))) return methods[i].method;
    return SLICE("");
}

static bool take_head(struct mapping *mapping) {
    const struct einvoice *invoice = mapping->invoice;
    struct invoice_event *event = mapping->event;
    enum einvoice_kind kind = einvoice_kind(invoice);
    if (!einvoice_filled(&invoice->number) || invoice->issued.date == DATE_NONE || !einvoice_filled(&invoice->currency) || kind == EINVOICE_KIND_UNKNOWN)
        return error_set(mapping->error, "line %d: number (BT-1), date (BT-2), type (BT-3) and currency (BT-5) are needed", invoice->line);
    event->kind = kind == EINVOICE_KIND_CREDIT_NOTE ? INVOICE_KIND_CREDIT_NOTE : INVOICE_KIND_RECEIVED;
    event->source = mapping->target->source;
    event->entity = mapping->target->entity;
    event->supplier = mapping->target->supplier;
    event->document = event->number = invoice->number.text;
    event->event_id = make_text(mapping, "einvoice/" SLICE_FORMAT "/" SLICE_FORMAT "/" SLICE_FORMAT "/%016" PRIx64, SLICE_ARGUMENT(event->entity),
                                SLICE_ARGUMENT(event->supplier), (int)whole_characters(event->number.data, event->number.length, NUMBER_LENGTH), event->number.data,
                                hash_slice(mapping->target->bytes));
    if (!event->event_id.data) return no_memory(mapping);
    if (kind == EINVOICE_KIND_CREDIT_NOTE && invoice->preceding.count == 1) event->reverses = invoice->preceding.items[0].id.text;
    event->document_date = invoice->issued.date;
    int32_t tax_date = tax_point(invoice);
    event->has_tax_date = tax_date != DATE_NONE;
    event->tax_date = event->has_tax_date ? tax_date : 0;
    mapping->tax_date = event->has_tax_date ? tax_date : event->document_date;
    event->has_due_date = invoice->due.date != DATE_NONE;
    event->due_date = event->has_due_date ? invoice->due.date : 0;
    event->currency = invoice->currency.text;
    event->payment_method = method_of(invoice);
    return true;
}

static bool take_totals(struct mapping *mapping) {
    const struct einvoice *invoice = mapping->invoice;
    struct invoice_event *event = mapping->event;
    const struct einvoice_number *vat = einvoice_vat_total(invoice);
    event->has_total = event->has_tax = true;
    if (!take_amount(mapping, &invoice->gross_total, "BT-112", invoice->line, &event->total_e4)) return false;
    if (vat) return take_amount(mapping, vat, "BT-110", invoice->line, &event->tax_e4);
    event->tax_e4 = 0; /* BR-CO-15 let it pass: the totals with and without VAT are the same */
    return true;
}

/* Where a sender must name an order and there is none it writes NA (Peppol BIS Billing 3.0 asks for that) or n/a. */
static struct slice order_of(const struct einvoice *invoice) {
    struct slice order = invoice->order.text;
    bool none = (order.length == 2 && strncasecmp(order.data, "NA", 2) == 0) || (order.length == 3 && strncasecmp(order.data, "N/A", 3) == 0);
    return none ? SLICE("") : order;
}

static bool take_line(struct mapping *mapping, const struct einvoice_line *from, struct invoice_line *line) {
    line->line = from->id.text;
    line->order = order_of(mapping->invoice);
    line->order_line = line->order.length ? from->order_line.text : SLICE("");
    if (!line->order.length) line->category = mapping->target->category;
    if (!einvoice_is_number(&from->quantity)) return error_set(mapping->error, "line %d: BT-129: a quantity is expected here", from->line);
    if (from->quantity.value > MONEY_MAXIMUM_E4 || from->quantity.value < -MONEY_MAXIMUM_E4)
        return error_set(mapping->error, "line %d: BT-129: " SLICE_FORMAT " is larger than any quantity that is kept", from->line, SLICE_ARGUMENT(from->quantity.text));
    line->quantity_e6 = from->quantity.value;
    line->unit = from->quantity.attribute;
    return take_amount(mapping, &from->net, "BT-131", from->line, &line->net_e4) && take_tax_code(mapping, &from->tax, &line->tax_code);
}

/* An allowance or charge of the document, as a line of its own. */
static bool take_allowance(struct mapping *mapping, const struct einvoice_allowance *from, size_t number, struct invoice_line *line) {
    line->category = from->charge ? SLICE("CHARGE") : SLICE("ALLOWANCE");
    line->line = make_text(mapping, SLICE_FORMAT "-%zu", SLICE_ARGUMENT(line->category), number);
    if (!line->line.data) return no_memory(mapping);
    if (!take_amount(mapping, &from->amount, from->charge ? "BT-99" : "BT-92", from->line, &line->net_e4)) return false;
    if (!from->charge) line->net_e4 = -line->net_e4;
    return take_tax_code(mapping, &from->tax, &line->tax_code);
}

static bool take_lines(struct mapping *mapping) {
    const struct einvoice *invoice = mapping->invoice;
    size_t count = invoice->lines.count + invoice->allowances.count, numbers[2] = {0};
    struct invoice_line *lines = count ? arena_alloc(mapping->arena, count * sizeof *lines) : NULL;
    if (count && !lines) return no_memory(mapping);
    for (size_t i = 0; i < invoice->lines.count; i++)
        if (!take_line(mapping, &invoice->lines.items[i], &lines[i])) return false;
    for (size_t i = 0; i < invoice->allowances.count; i++) {
        const struct einvoice_allowance *allowance = &invoice->allowances.items[i];
        if (!take_allowance(mapping, allowance, ++numbers[allowance->charge], &lines[invoice->lines.count + i])) return false;
    }
    mapping->event->lines.items = lines;
    mapping->event->lines.count = count;
    return true;
}

/* Two breakdowns that come to one tax code are one entry. */
static bool add_tax(struct mapping *mapping, struct invoice_tax one) {
    struct invoice_event *event = mapping->event;
    for (size_t i = 0; i < event->taxes.count; i++) {
        struct invoice_tax *there = &event->taxes.items[i];
        if (!slice_equal(there->tax_code, one.tax_code)) continue;
        return (decimal_add(there->taxable_e4, one.taxable_e4, &there->taxable_e4) && decimal_add(there->tax_e4, one.tax_e4, &there->tax_e4)) ||
               error_set(mapping->error, "BT-116 or BT-117: their sum is larger than any amount that is kept");
    }
    event->taxes.items[event->taxes.count++] = one;
    return true;
}

static bool take_taxes(struct mapping *mapping) {
    const struct einvoice *invoice = mapping->invoice;
    size_t count = invoice->breakdowns.count;
    mapping->event->taxes.items = count ? arena_alloc(mapping->arena, count * sizeof *mapping->event->taxes.items) : NULL;
    if (count && !mapping->event->taxes.items) return no_memory(mapping);
    for (size_t i = 0; i < count; i++) {
        const struct einvoice_breakdown *from = &invoice->breakdowns.items[i];
        struct invoice_tax tax = {0};
        if (!take_amount(mapping, &from->taxable, "BT-116", from->line, &tax.taxable_e4) || !take_amount(mapping, &from->amount, "BT-117", from->line, &tax.tax_e4) ||
            !take_tax_code(mapping, &from->tax, &tax.tax_code) || !add_tax(mapping, tax))
            return false;
    }
    return true;
}

/* What a person who looks at the document should know and no field holds. */
static void note(struct buffer *notes, const char *what, struct slice text) {
    if (!text.length) return;
    if (notes->length) buffer_append(notes, "; ", 2);
    buffer_append(notes, what, strlen(what));
    buffer_append(notes, text.data, whole_characters(text.data, text.length, NOTE_LENGTH));
}

static bool take_text(struct mapping *mapping) {
    const struct einvoice *invoice = mapping->invoice;
    struct buffer notes = {0};
    bool paid = einvoice_is_number(&invoice->prepaid) && invoice->prepaid.value, rounded = einvoice_is_number(&invoice->rounding) && invoice->rounding.value;
    if (!slice_equal(invoice->type_code.text, SLICE("380")) && !slice_equal(invoice->type_code.text, SLICE("381"))) note(&notes, "type ", invoice->type_code.text);
    for (size_t i = 0; i < invoice->preceding.count && i < 10; i++) note(&notes, "refers to ", invoice->preceding.items[i].id.text);
    if (paid) note(&notes, "prepaid ", invoice->prepaid.text);
    if (rounded) note(&notes, "rounding ", invoice->rounding.text);
    if (paid || rounded) note(&notes, "due ", invoice->payable.text);
    note(&notes, "terms: ", invoice->terms.text);
    for (size_t i = 0; i < invoice->means.count && i < 4; i++) note(&notes, "account ", invoice->means.items[i].account.text);
    bool ok = !notes.failed;
    char *text = ok ? arena_copy(mapping->arena, notes.length ? notes.data : "", notes.length) : NULL;
    mapping->event->text = (struct slice){text, notes.length};
    buffer_free(&notes);
    return text || no_memory(mapping);
}

bool einvoice_to_event(const struct einvoice *invoice, const struct einvoice_target *target, struct arena *arena, struct invoice_event *event,
                       struct error *error) {
    *event = (struct invoice_event){.kind = INVOICE_KIND_UNKNOWN};
    struct mapping mapping = {invoice, target, arena, event, 0, error};
    return take_head(&mapping) && take_totals(&mapping) && take_lines(&mapping) && take_taxes(&mapping) && take_text(&mapping);
}
