#include <stdio.h>
#include <string.h>

#include "cli/explain.h"
#include "cli/show.h"

enum { HOW_SIZE = 512 };

/* A journal line and what can have made it. */
struct explanation {
    const json_t *line, *mappings;
    bool swapped, by_record;    /* by_record: rule lines that take the account from a master record are looked at too */
    json_t *made_by;
};

/* Whether the line carries what a rule line lets it carry. */
static bool carries(const json_t *line, const json_t *rule_line) {
    static const char *const dimensions[] = {"cost_centre", "project", "tax_code", "partner"};
    for (size_t i = 0; i < sizeof dimensions / sizeof *dimensions; i++)
        if (*show_text(line, dimensions[i]) && !json_is_true(json_object_get(rule_line, dimensions[i]))) return false;
    /* Every document has a partner: a line without one comes from a rule line that does not carry it. */
    return *show_text(line, "partner") || !json_is_true(json_object_get(rule_line, "partner"));
}

/* The codes of the mapping set that lead to the account; false: none does. */
static bool mapped(const json_t *mappings, const char *set, size_t set_length, const char *dimension, const char *account, char how[HOW_SIZE]) {
    size_t i, found = 0, length;
    json_t *mapping;
    length = (size_t)snprintf(how, HOW_SIZE, "master.code-mappings %.*s: %s", (int)set_length, set, dimension);
    json_array_foreach(mappings, i, mapping) {
        const char *name = show_text(mapping, "mapping_set");
        if (strlen(name) != set_length || strncmp(name, set, set_length) != 0 || strcmp(show_text(mapping, "target"), account) != 0) continue;
        if (strcmp(show_text(mapping, "status"), "ended") == 0) continue;
        if (length < HOW_SIZE) length += (size_t)snprintf(how + length, HOW_SIZE - length, "%s%s", found ? ", " : " ", show_text(mapping, "code"));
        found++;
    }
    if (length < HOW_SIZE) snprintf(how + length, HOW_SIZE - length, " → %s", account);
    return found;
}

/* Where a word of a rule takes the account from; NULL: it is no such word. */
static const char *record_of(const char *source) {
    static const struct { const char *word, *how; } records[] = {
        {"supplier", "the supplier's account (master.suppliers)"}, {"employee", "the employee's account (master.employees)"},
        {"tax_code", "the tax code's account (master.tax-codes)"}, {"bank", "the bank account's ledger account (master.bank-accounts)"},
        {"transit", "the bank account's account of payments in transit (master.bank-accounts)"}, {"intercompany", "the agreement's account (master.intercompany)"}};
    for (size_t i = 0; i < sizeof records / sizeof *records; i++)
        if (strcmp(records[i].word, source) == 0) return records[i].how;
    return NULL;
}

/* How the rule line comes to the account; false: it cannot. */
static bool leads_to(const struct explanation *explanation, const char *source, const char *account, char how[HOW_SIZE]) {
    const json_t *mappings = explanation->mappings;
    const char *record = record_of(source);
    if (record) {
        snprintf(how, HOW_SIZE, "%s", record);
        return explanation->by_record;
    }
    const char *colon = strncmp(source, "map:", 4) == 0 ? strchr(source + 4, ':') : NULL;
    if (colon) return mapped(mappings, source + 4, (size_t)(colon - source - 4), colon + 1, account, how);
    if (strcmp(source, "line") == 0) {
        snprintf(how, HOW_SIZE, "the document line's own coding");
        return true;
    }
    snprintf(how, HOW_SIZE, "fixed");
    return strcmp(source, account) == 0;
}

static void try_rule(struct explanation *explanation, const json_t *rule) {
    size_t i;
    json_t *rule_line;
    char how[HOW_SIZE];
    const char *side = show_text(explanation->line, "side"), *account = show_text(explanation->line, "account");
    json_array_foreach(json_object_get(rule, "lines"), i, rule_line) {
        bool same_side = strcmp(show_text(rule_line, "side"), side) == 0;
        if (same_side == explanation->swapped || !carries(explanation->line, rule_line)) continue;
        if (!leads_to(explanation, show_text(rule_line, "account"), account, how)) continue;
        json_array_append_new(explanation->made_by,
                              json_pack("{s:s, s:i, s:s, s:s, s:s, s:s}", "rule", show_text(rule, "rule"), "line", (int)i + 1, "side", show_text(rule_line, "side"),
                                        "account", show_text(rule_line, "account"), "amount", show_text(rule_line, "amount"), "how", how));
    }
}

/* The rule's name in <set>/<rule>@<valid from>; a set's name has no slash. */
static void rule_of(const json_t *journal, char *name, size_t size) {
    const char *text = show_text(journal, "rule"), *slash = strchr(text, '/'), *at = strrchr(text, '@');
    snprintf(name, size, "%.*s", slash && at > slash ? (int)(at - slash - 1) : 0, slash ? slash + 1 : "");
}

/* The step that rules know: a reversal has its original's. Lines of a journal_payroll may have steps of their own: journal_payroll_gross. */
static bool is_step(const char *step, const char *of_rule) {
    static const char canonical[] = "journal_", reversal[] = "_reversal";
    size_t length = strlen(of_rule), whole = strlen(step);
    if (whole > sizeof reversal && strcmp(step + whole - (sizeof reversal - 1), reversal) == 0) whole -= sizeof reversal - 1;
    if (strncmp(step, canonical, sizeof canonical - 1) == 0 && length > whole && strncmp(of_rule, step, whole) == 0 && of_rule[whole] == '_') return true;
    return strncmp(step, of_rule, length) == 0 && (!step[length] || strcmp(step + length, "_reversal") == 0);
}

void explain_lines(json_t *journal, const json_t *set, const json_t *mappings, const char *rounding_account, bool swapped) {
    char named[256];
    size_t i, k;
    json_t *line, *rule;
    rule_of(journal, named, sizeof named);
    json_array_foreach(json_object_get(journal, "lines"), i, line) {
        struct explanation explanation = {.line = line, .mappings = mappings, .swapped = swapped, .made_by = json_array()};
        const json_t *rules = json_object_get(set, "rules");
        /* What cannot be seen from the rules alone – an account out of a master record, sides that a negative net has swapped – only where nothing else explains the line. */
        for (int attempt = 0; attempt < 4 && !json_array_size(explanation.made_by); attempt++) {
            explanation.by_record = attempt & 1;
            explanation.swapped = swapped != (attempt > 1);
            json_array_foreach(rules, k, rule)
                if (strcmp(show_text(rule, "rule"), named) == 0) try_rule(&explanation, rule);
            json_array_foreach(rules, k, rule)
                if (strcmp(show_text(rule, "rule"), named) != 0 && is_step(show_text(journal, "step"), show_text(rule, "step"))) try_rule(&explanation, rule);
        }
        if (!json_array_size(explanation.made_by) && strcmp(show_text(line, "account"), rounding_account) == 0)
            json_array_append_new(explanation.made_by, json_pack("{s:s}", "how", "the legal entity's rounding account takes what the conversion left"));
        json_object_set_new(line, "made_by", explanation.made_by);
    }
}
