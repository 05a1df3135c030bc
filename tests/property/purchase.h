/* purchase: events of procurement and invoices for stories, and the checker's own book of order lines by the rules of docs/purchase-to-pay.md. */
#ifndef KONTOR_PROPERTY_PURCHASE_H
#define KONTOR_PROPERTY_PURCHASE_H
#include "schemas/invoice_event.h"
#include "schemas/procurement_event.h"
#include "tests/property/story.h"

#define PROCUREMENT_TOPIC "procurement.events"
#define INVOICE_TOPIC "invoice.events"

/* ---- events: made, filled in by the caller, then added ---- */

/* order: the document of the order, NOTHING: none. */
struct procurement_event *procurement_make(struct story *story, enum procurement_kind kind, int document, int order, size_t lines);
struct invoice_event *invoice_make(struct story *story, enum invoice_kind kind, int document, size_t lines);
struct happening *procurement_add(struct story *story, const struct procurement_event *event, int document, int takes_back);
/* Makes the total of the lines first, when there are lines. */
struct happening *invoice_add(struct story *story, struct invoice_event *event, int document, int takes_back);
/* CAT0 ... */
struct slice category_name(int category);
struct slice line_name(struct story *story, int line);
/* An order with lines of these quantities and values, line i of category first_category + i. */
void order_add(struct story *story, int order, int lines, const int64_t quantities_e6[], const int64_t nets_e4[], int first_category);
/* What the supplier charges on the line, by the rule book. */
wide tax_charged(const struct story *story, const struct invoice_line *line);

/* ---- the check: replays what was accepted, in the order in which it was decided ---- */

void purchase_check(struct story *story);
#endif
