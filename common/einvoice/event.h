/* event: an e-invoice that passed the rules as an event of invoice.events. docs/einvoice.md has the table of terms and fields.
 *
 * The same bytes for the same entity and supplier give the same event, id included: a file imported twice is a duplicate, not a second invoice. */
#ifndef KONTOR_EINVOICE_EVENT_H
#define KONTOR_EINVOICE_EVENT_H
#include "common/einvoice/einvoice.h"
#include "schemas/invoice_event.h"

/* What the document itself does not say. */
struct einvoice_target {
    struct slice source, entity, supplier;
    struct slice category;              /* of lines without order */
    struct slice bytes;                 /* of the file, for the event's id */
    /* The entity's tax code of a category (UNCL 5305) and rate (NULL: none) on a date; length 0: it has none. */
    struct slice (*tax_code)(void *context, struct slice category, const int64_t *rate_e4, int32_t date);
    void *context;
};

/* What the event says lies in the arena and in the invoice. False: the invoice has something that the event has no place for; the term is named. */
MUST_CHECK bool einvoice_to_event(const struct einvoice *invoice, const struct einvoice_target *target, struct arena *arena, struct invoice_event *event,
                                  struct error *error);
#endif
