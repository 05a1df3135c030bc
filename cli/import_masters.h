/* import_masters: the two master tables that an import looks into: who the supplier is by its tax id, and which tax code stands for a category and rate. Read
 * once, from the topics or from a folder as kontor master load takes it. */
#ifndef KONTOR_CLI_IMPORT_MASTERS_H
#define KONTOR_CLI_IMPORT_MASTERS_H
#include <stdbool.h>
#include <stdint.h>

#include "cli/connection.h"
#include "cli/intern.h"
#include "cli/topic_list.h"
#include "common/platform/slice.h"

struct import_supplier { bool there, ended; struct slice supplier, tax_id /* capitals and digits alone */; int32_t valid_from; };
struct import_tax_code { bool there, ended, reverse_charge; struct slice entity, tax_code, category; int64_t rate_e4; int32_t valid_from; };

/* Rows by the number of their Kafka key: a later record takes an earlier one's place. */
struct import_masters {
    struct intern supplier_keys, tax_code_keys;
    struct import_supplier *suppliers;
    struct import_tax_code *tax_codes;
    size_t supplier_capacity, tax_code_capacity;
    struct arena texts;
};

void import_masters_init(struct import_masters *masters);
void import_masters_free(struct import_masters *masters);

/* suppliers.jsonl and tax-codes.jsonl, plain or .gz, of the folder; one that is not there is an empty table. */
MUST_CHECK bool import_masters_from_folder(struct import_masters *masters, const struct topic_list *list, const char *folder, struct error *error);
MUST_CHECK bool import_masters_from_topics(struct import_masters *masters, const struct connection *connection, struct error *error);

/* The supplier with this tax id, by each supplier's newest record; blanks, dots and dashes do not count, nor do small letters. count: how many suppliers have
 * it: the one that is named is right only with 1. */
struct slice import_supplier_by_tax_id(const struct import_masters *masters, struct slice tax_id, size_t *count);

/* The entity's tax code of the category (UNCL 5305) and rate (NULL: none) on the date, the smallest where several fit. Of a category where the buyer owes the
 * tax (AE, K) the invoice's rate is 0 and the code's is what is owed: a code with reverse charge fits whatever its rate. Length 0: none. */
struct slice import_tax_code(const struct import_masters *masters, struct slice entity, struct slice category, const int64_t *rate_e4, int32_t date);
#endif
