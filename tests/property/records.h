/* records: posting commands and acknowledgments read from their Avro bytes, by a reader of its own: only names and types come from the schemas, and decimals are
 * read in 128 bits. Texts are slices into the bytes; lists lie in the arena. */
#ifndef KONTOR_PROPERTY_RECORDS_H
#define KONTOR_PROPERTY_RECORDS_H
#include "common/platform/arena.h"
#include "common/platform/error.h"
#include "common/platform/slice.h"
#include "tests/property/wide.h"

struct seen_line { struct slice account, cost_centre, project, tax_code, partner, source_line; wide side, amount_e4, functional_e4; };   /* side: 0 debit, 1 credit */
struct seen_journal {
    struct slice idempotency_key, erp, entity, ledger, partner, document, step, reverses, origin, period, currency, functional_currency, rule, counterpart, event_id;
    wide version, posting_date, document_date, rate_e10, negative_posting;
    struct { struct seen_line *items; size_t count; } lines;
};

struct seen_reason { struct slice code, field, text; };
struct seen_answer {
    struct slice origin, processor, event_id;
    wide outcome;                   /* position in the schema's symbols: accepted duplicate rejected held parked */
    wide later;                     /* not 0: a later step, not the outcome (docs/document-life.md) */
    wide journals;                  /* how many it names */
    struct { struct seen_reason *items; size_t count; } reasons;
};

/* Works the schemas out; once, before anything is read. */
void records_prepare(void);
/* payload: without the wire format's header. */
MUST_CHECK bool journal_read(struct slice payload, struct arena *arena, struct seen_journal *journal);
MUST_CHECK bool answer_read(struct slice payload, struct arena *arena, struct seen_answer *answer);
#endif
