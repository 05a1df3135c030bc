#include "tests/driver/families.h"

#include "tests/driver/records.h"

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
    {.name = "budget", .partner_field = "cost_centre", .partner = "CC10"},  /* what it reads is told by its topic, below */
    {.name = "reviewer", .partner_field = "partner", .partner = "S1"},     /* its events are told by review.c */
    {.name = "acknowledger", .partner_field = "partner", .partner = "S1"},
};

/* What processors read that another one sends: told outright where that one does not matter. */
static const struct family_words followed[] = {
    {.name = "settlement.entries", .partner_field = "batch", .partner = "CARDS",
     .head = {{NULL, "idempotency_key", default_document}, {NULL, "posting_date", default_day}, {NULL, "period", "2026-03"}, {NULL, "functional_currency", "EUR"},
              {NULL, "rate", "1"}, {NULL, "origin", "expense.events/0/0"}, {NULL, "ledger", "GL"}, {NULL, "currency", "EUR"},
              {NULL, "erp", "tryton"}, {NULL, "partner", "P1"}, {NULL, "rule", "-"}, {NULL, "occurred_at", "2026-03-05T09:00:00Z"}}},
    {.name = "budget.movements", .partner_field = "cost_centre", .partner = "CC10",
     .head = {{NULL, "origin", "procurement.events/0/0"}, {NULL, "cause", default_document}, {NULL, "posting_date", default_day}, {NULL, "currency", "EUR"}, {NULL, "reserved", "0"},
              {NULL, "spent", "0"}}},
    {.name = "payables", .partner_field = "supplier", .partner = "S1",
     .head = {{NULL, "version", "1"}, {NULL, "cause", default_document}, {NULL, "credit", "no"}, {NULL, "posting_date", default_day}, {NULL, "due_date", default_day},
              {NULL, "blocked", "no"}, {NULL, "amount", "0"}, {NULL, "functional", "0"}}},
};

#define FAMILY(name) [FAMILY_##name] = {.processor = &name##_processor},
struct family families[FAMILY_MAXIMUM] = {KONTOR_PROCESSORS(FAMILY)};
#undef FAMILY
int family_count = FAMILY_OF_TREE;

static struct family_words outside_words;

static const struct processor_input *events_of(const struct processor *processor) {
    const struct processor_input *events = NULL;
    for (size_t i = INPUTS_MAXIMUM; i-- > 0;)
        if (processor->inputs[i].topic && !processor->inputs[i].follows && !processor->inputs[i].internal) events = &processor->inputs[i];
    return events ? events : &processor->inputs[0];   /* kontor's own alone */
}

bool families_add(const struct processor *processor, struct error *error) {
    if (family_count == FAMILY_MAXIMUM) return error_set(error, "the driver takes one processor from outside, and has %s", families[FAMILY_OF_TREE].processor->name);
    if (family_find(processor->name) >= 0) return error_set(error, "kontor has a processor of the name %s itself", processor->name);
    if (!processor->inputs[0].topic) return error_set(error, "%s has no input", processor->name);
    const struct codec_type *type = events_of(processor)->type;
    outside_words = (struct family_words){.name = processor->name, .partner_field = "partner", .partner = "P1"};
    if (record_field(type, "supplier")) outside_words.partner_field = "supplier", outside_words.partner = "S1";
    else if (record_field(type, "employee")) outside_words.partner_field = "employee", outside_words.partner = "E1";
    families[family_count++] = (struct family){.processor = processor, .words = &outside_words};
    return true;
}

static bool family_make(struct family *family, struct error *error) {
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].name, family->processor->name) == 0) family->words = &words[i];
    family->events = events_of(family->processor);
    return family->words || error_set(error, "families.c says nothing of the events of %s", family->processor->name);
}

bool families_make(struct error *error) {
    for (int i = 0; i < family_count; i++)
        if (!family_make(&families[i], error)) return false;
    return true;
}

int family_find(const char *name) {
    for (int i = 0; i < family_count; i++)
        if (strcmp(families[i].processor->name, name) == 0) return i;
    return -1;
}

int family_answering(const char *topic) {
    for (int i = 0; i < family_count; i++)
        for (size_t n = 0; n < INPUTS_MAXIMUM && families[i].processor->inputs[n].topic; n++)
            if (!families[i].processor->inputs[n].follows && !families[i].processor->inputs[n].internal && strcmp(families[i].processor->inputs[n].topic, topic) == 0) return i;
    return -1;
}

const struct family_words *followed_find(const char *topic, const struct processor_input **input) {
    for (size_t i = 0; i < sizeof followed / sizeof *followed; i++) {
        if (strcmp(followed[i].name, topic) != 0) continue;
        for (int k = 0; k < family_count; k++)
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
