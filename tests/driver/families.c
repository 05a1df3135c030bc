#include "tests/driver/families.h"

#define DECLARE(name) extern const struct processor name##_processor;
KONTOR_PROCESSORS(DECLARE)
#undef DECLARE

const char default_document[] = "the document", default_day[] = "the event's day";

/* What events say when a case does not, so that a case tells only what matters in it. */
static const struct family_words words[] = {
    {.name = "procurement", .partner_field = "supplier", .partner = "S1", .order_named = true,
     .item = {{"order_created", "category", "GOODS"}, {"requisition", "category", "GOODS"}}},
    {.name = "invoice", .partner_field = "supplier", .partner = "S1",
     .head = {{"received", "number", default_document}, {"approved", "number", default_document}, {"credit_note", "number", default_document},
              {"subsequent_debit", "number", default_document}}},
    {.name = "payment", .partner_field = "supplier", .partner = "S1",
     .head = {{"instructed", "bank_account", "MAIN"}, {"instructed", "supplier_account", "S1A"}, {"instructed", "user", "ann"}, {"approved", "user", "bob"},
              {"refunded", "bank_account", "MAIN"}}},
    {.name = "expense", .partner_field = "employee", .partner = "E1", .item = {{NULL, "date", default_day}}},
    {.name = "journal", .partner_field = "partner", .partner = "P1", .item = {{NULL, "side", "debit"}}},
    {.name = "settler", .partner_field = "batch", .partner = "CARDS"},
    {.name = "reviewer", .partner_field = "partner", .partner = "S1"},     /* its events are told by review.c */
    {.name = "acknowledger", .partner_field = "partner", .partner = "S1"},
};

/* What processors read that another one sends: told outright where that one does not matter. */
static const struct family_words followed[] = {
    {.name = "settlement.entries", .partner_field = "batch", .partner = "CARDS",
     .head = {{NULL, "idempotency_key", default_document}, {NULL, "posting_date", default_day}, {NULL, "period", "2026-03"}, {NULL, "functional_currency", "EUR"},
              {NULL, "rate", "1"}, {NULL, "origin", "expense.events/0/0"}, {NULL, "ledger", "GL"}, {NULL, "currency", "EUR"},
              {NULL, "erp", "tryton"}, {NULL, "partner", "P1"}, {NULL, "rule", "-"}, {NULL, "occurred_at", "2026-03-05T09:00:00Z"}}},
    {.name = "payables", .partner_field = "supplier", .partner = "S1",
     .head = {{NULL, "version", "1"}, {NULL, "cause", default_document}, {NULL, "credit", "no"}, {NULL, "posting_date", default_day}, {NULL, "due_date", default_day},
              {NULL, "blocked", "no"}, {NULL, "amount", "0"}, {NULL, "functional", "0"}}},
};

#define FAMILY(name) [FAMILY_##name] = {.processor = &name##_processor},
struct family families[FAMILY_COUNT] = {KONTOR_PROCESSORS(FAMILY)};
#undef FAMILY

static bool family_make(struct family *family, struct error *error) {
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].name, family->processor->name) == 0) family->words = &words[i];
    const struct processor_input *inputs = family->processor->inputs;
    for (size_t i = INPUTS_MAXIMUM; i-- > 0;)
        if (inputs[i].topic && !inputs[i].follows && !inputs[i].internal) family->events = &inputs[i];
    if (!family->events) family->events = &inputs[0];   /* kontor's own alone */
    return family->words || error_set(error, "families.c says nothing of the events of %s", family->processor->name);
}

bool families_make(struct error *error) {
    for (int i = 0; i < FAMILY_COUNT; i++)
        if (!family_make(&families[i], error)) return false;
    return true;
}

int family_find(const char *name) {
    for (int i = 0; i < FAMILY_COUNT; i++)
        if (strcmp(families[i].processor->name, name) == 0) return i;
    return -1;
}

int family_answering(const char *topic) {
    for (int i = 0; i < FAMILY_COUNT; i++)
        for (size_t n = 0; n < INPUTS_MAXIMUM && families[i].processor->inputs[n].topic; n++)
            if (!families[i].processor->inputs[n].follows && !families[i].processor->inputs[n].internal && strcmp(families[i].processor->inputs[n].topic, topic) == 0) return i;
    return -1;
}

const struct family_words *followed_find(const char *topic, const struct processor_input **input) {
    for (size_t i = 0; i < sizeof followed / sizeof *followed; i++) {
        if (strcmp(followed[i].name, topic) != 0) continue;
        for (int k = 0; k < FAMILY_COUNT; k++)
            for (size_t n = 0; n < INPUTS_MAXIMUM && families[k].processor->inputs[n].topic; n++) {
                if (strcmp(families[k].processor->inputs[n].topic, topic) != 0) continue;
                if (input) *input = &families[k].processor->inputs[n];
                return &followed[i];
            }
    }
    return NULL;
}

bool family_follows(const struct family *family) {
    for (size_t i = 0; i < INPUTS_MAXIMUM && family->processor->inputs[i].topic; i++)
        if (family->processor->inputs[i].follows) return true;
    return false;
}
