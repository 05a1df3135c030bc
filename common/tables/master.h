/* master: every master table that kontor knows, in one list: what a processor declares, the command line loads and deploy/topics.tsv creates. */
#ifndef KONTOR_TABLES_MASTER_H
#define KONTOR_TABLES_MASTER_H
#include "common/tables/tables.h"

enum master {
    MASTER_SOURCE_PERMISSIONS, MASTER_LEGAL_ENTITIES, MASTER_ACCOUNTS, MASTER_SUPPLIERS, MASTER_COST_CENTRES, MASTER_PROJECTS, MASTER_TAX_CODES,
    MASTER_FX_RATES, MASTER_PERIODS, MASTER_TOLERANCES, MASTER_ERP_ROUTES, MASTER_CODE_MAPPINGS, MASTER_POSTING_RULES,
    MASTER_COUNT
};

extern const struct table master_tables[MASTER_COUNT];
#endif
