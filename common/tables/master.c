#include "common/tables/master.h"

#include "common/posting/budgets.h"
#include "common/posting/entity.h"
#include "common/posting/flows.h"
#include "common/posting/rules.h"
#include "common/posting/settlement.h"
#include "schemas/account.h"
#include "schemas/approver.h"
#include "schemas/bank_account.h"
#include "schemas/budget.h"
#include "schemas/card.h"
#include "schemas/code_mapping.h"
#include "schemas/cost_centre.h"
#include "schemas/employee.h"
#include "schemas/erp_route.h"
#include "schemas/expense_policy.h"
#include "schemas/flow_policy.h"
#include "schemas/fx_rate.h"
#include "schemas/intercompany.h"
#include "schemas/legal_entity.h"
#include "schemas/payment_term.h"
#include "schemas/period.h"
#include "schemas/posting_rule_set.h"
#include "schemas/project.h"
#include "schemas/review_policy.h"
#include "schemas/settlement_rules.h"
#include "schemas/source_permission.h"
#include "schemas/supplier.h"
#include "schemas/supplier_account.h"
#include "schemas/tax_code.h"
#include "schemas/tolerance.h"
#include "schemas/travel_rate.h"

const struct table master_tables[MASTER_COUNT] = {
    [MASTER_SOURCE_PERMISSIONS] = {"source-permissions", &source_permission_type, {"source_system", "topic"}, NULL, NULL},
    [MASTER_LEGAL_ENTITIES] = {"legal-entities", &legal_entity_type, {"entity"}, entity_compile, entity_release},
    [MASTER_ACCOUNTS] = {"accounts", &account_type, {"chart", "account"}, NULL, NULL},
    [MASTER_SUPPLIERS] = {"suppliers", &supplier_type, {"supplier"}, NULL, NULL},
    [MASTER_COST_CENTRES] = {"cost-centres", &cost_centre_type, {"entity", "cost_centre"}, NULL, NULL},
    [MASTER_PROJECTS] = {"projects", &project_type, {"entity", "project"}, NULL, NULL},
    [MASTER_TAX_CODES] = {"tax-codes", &tax_code_type, {"entity", "tax_code"}, NULL, NULL},
    [MASTER_FX_RATES] = {"fx-rates", &fx_rate_type, {"rate_type", "from_currency", "to_currency"}, NULL, NULL},
    [MASTER_PERIODS] = {"periods", &period_type, {"entity", "ledger"}, NULL, NULL},
    [MASTER_TOLERANCES] = {"tolerances", &tolerance_type, {"entity"}, NULL, NULL},
    [MASTER_ERP_ROUTES] = {"erp-routes", &erp_route_type, {"entity"}, NULL, NULL},
    [MASTER_CODE_MAPPINGS] = {"code-mappings", &code_mapping_type, {"mapping_set", "code"}, NULL, NULL},
    [MASTER_POSTING_RULES] = {"posting-rules", &posting_rule_set_type, {"rule_set"}, rules_compile, rules_release},
    [MASTER_PAYMENT_TERMS] = {"payment-terms", &payment_term_type, {"terms"}, NULL, NULL},
    [MASTER_BANK_ACCOUNTS] = {"bank-accounts", &bank_account_type, {"entity", "bank_account"}, NULL, NULL},
    [MASTER_SUPPLIER_ACCOUNTS] = {"supplier-accounts", &supplier_account_type, {"supplier", "supplier_account"}, NULL, NULL},
    [MASTER_EMPLOYEES] = {"employees", &employee_type, {"entity", "employee"}, NULL, NULL},
    [MASTER_EXPENSE_POLICIES] = {"expense-policies", &expense_policy_type, {"entity", "category", "grade"}, NULL, NULL},
    [MASTER_TRAVEL_RATES] = {"travel-rates", &travel_rate_type, {"entity", "rate_kind", "place"}, NULL, NULL},
    [MASTER_CARDS] = {"cards", &card_type, {"entity", "card"}, NULL, NULL},
    [MASTER_SETTLEMENT_RULES] = {"settlement-rules", &settlement_rules_type, {"entity"}, settlement_compile, settlement_release},
    [MASTER_INTERCOMPANY] = {"intercompany", &intercompany_type, {"payer", "bearer"}, NULL, NULL},
    [MASTER_REVIEW_POLICIES] = {"review-policies", &review_policy_type, {"entity"}, NULL, NULL},
    [MASTER_APPROVERS] = {"approvers", &approver_type, {"entity", "user"}, NULL, NULL},
    [MASTER_FLOW_POLICIES] = {"flow-policies", &flow_policy_type, {"entity", "flow"}, flow_compile, flow_release},
    [MASTER_BUDGETS] = {"budgets", &budget_type, {"entity", "cost_centre"}, budget_compile, budget_release},
};
