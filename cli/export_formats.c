#include "cli/export.h"

#include <ctype.h>
#include <string.h>

#include "cli/command.h"
#include "cli/table.h"

/* Text where a line end, a quote or one of `unwanted` would end it: those become blanks. */
static void put_plain(FILE *out, struct slice text, const char *unwanted) {
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        putc(c < 32 || c == 127 || strchr(unwanted, c) ? ' ' : c, out);
    }
}

static const char *amount_signed(const struct journal_line *line, int64_t amount_e4, char text[AMOUNT_TEXT_SIZE]) {
    return amount_text(line->side == JOURNAL_SIDE_DEBIT ? amount_e4 : -(sum_e4)amount_e4, false, text);
}

/* A line in functional currency only: an exchange difference. */
static bool is_functional(const struct posting_command *journal, const struct journal_line *line) {
    return slice_equal(journal->currency, journal->functional_currency) || line->amount_e4 == 0;
}

/* ---- hledger ---- */

static void hledger_head(FILE *out) {
    fputs("; Journals of kontor. Amounts in transaction currency, @@ in the entity's functional currency: `hledger bal --cost` gives the trial balance.\n", out);
}

static void hledger_account_name(FILE *out, const struct export_account *account) {
    put_plain(out, account->entity, ":;");
    putc(':', out);
    put_plain(out, account->account, ":;");
}

static void hledger_journal(FILE *out, const struct posting_command *journal, const struct export_account *accounts) {
    char date[TIME_TEXT_SIZE], amount[AMOUNT_TEXT_SIZE], functional[AMOUNT_TEXT_SIZE];
    fprintf(out, "\n%s (", date_text(journal->posting_date, date));
    put_plain(out, journal->idempotency_key, "()");
    fputs(") ", out);
    put_plain(out, journal->partner, "|;");
    fputs(" | ", out);
    put_plain(out, journal->step, "|;");
    putc(' ', out);
    put_plain(out, journal->document, "|;");
    fputs("\n    ; origin:", out);
    put_plain(out, journal->origin, ",");
    fputs(", rule:", out);
    put_plain(out, journal->rule, ",");
    if (journal->reverses.length) {
        fputs(", reverses:", out);
        put_plain(out, journal->reverses, ",");
    }
    putc('\n', out);
    for (size_t i = 0; i < journal->lines.count; i++) {
        const struct journal_line *line = &journal->lines.items[i];
        fputs("    ", out);
        hledger_account_name(out, &accounts[i]);
        amount_signed(line, line->functional_e4, functional);
        if (is_functional(journal, line)) {
            fprintf(out, "  " SLICE_FORMAT " %s\n", SLICE_ARGUMENT(journal->functional_currency), functional);
            continue;
        }
        amount_signed(line, line->amount_e4, amount);
        fprintf(out, "  " SLICE_FORMAT " %s @@ " SLICE_FORMAT " %s\n", SLICE_ARGUMENT(journal->currency), amount, SLICE_ARGUMENT(journal->functional_currency),
                amount_text(line->functional_e4, false, functional));
    }
}

/* The letters that hledger has for account types. */
static const char *hledger_type(struct slice type) {
    static const struct { const char *type, *letter; } letters[] = {{"asset", "A"}, {"liability", "L"}, {"equity", "E"}, {"income", "R"}, {"expense", "X"}};
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (slice_equal(type, slice_of(letters[i].type))) return letters[i].letter;
    return NULL;
}

static void hledger_account(FILE *out, const struct export_account *account) {
    const char *letter = hledger_type(account->type);
    fputs("account ", out);
    hledger_account_name(out, account);
    fputs("  ; ", out);
    if (letter) fprintf(out, "type:%s, ", letter);
    fputs("name:", out);
    put_plain(out, account->name, ",");
    putc('\n', out);
}

static void hledger_commodity(FILE *out, struct slice currency, int digits) {
    fprintf(out, "commodity " SLICE_FORMAT " 1000.%.*s\n", SLICE_ARGUMENT(currency), digits, "0000");
}

const struct export_format export_hledger = {"hledger", hledger_head, hledger_journal, hledger_account, hledger_commodity};

/* ---- Beancount ---- */

/* A total (@@) becomes a price for each unit of 28 digits, and the total reckoned back from it is not always exact: where all of a journal's amounts in the functional
 * currency are such totals Beancount infers no tolerance from them and would refuse the journal. This one is far below every currency's minor unit. */
static void beancount_head(FILE *out) {
    fputs("; Journals of kontor, as a Beancount ledger.\noption \"title\" \"kontor\"\noption \"inferred_tolerance_default\" \"*:0.000001\"\n", out);
}

/* A component of an account: begins with a capital letter or a digit, goes on with letters, digits and dashes. */
static void beancount_component(FILE *out, struct slice text) {
    if (!text.length || !isalnum((unsigned char)text.data[0])) putc('X', out);
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        putc(!isalnum(c) ? '-' : i == 0 ? toupper(c) : c, out);
    }
}

static void beancount_account_name(FILE *out, const struct export_account *account) {
    static const struct { const char *type, *root; } roots[] = {{"asset", "Assets"}, {"liability", "Liabilities"}, {"income", "Income"}, {"expense", "Expenses"}};
    const char *root = "Equity";
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        if (slice_equal(account->type, slice_of(roots[i].type))) root = roots[i].root;
    fprintf(out, "%s:", root);
    beancount_component(out, account->entity);
    putc(':', out);
    beancount_component(out, account->account);
}

static void beancount_journal(FILE *out, const struct posting_command *journal, const struct export_account *accounts) {
    char date[TIME_TEXT_SIZE], amount[AMOUNT_TEXT_SIZE], functional[AMOUNT_TEXT_SIZE];
    fprintf(out, "\n%s * \"", date_text(journal->posting_date, date));
    put_plain(out, journal->partner, "\"\\");
    fputs("\" \"", out);
    put_plain(out, journal->step, "\"\\");
    putc(' ', out);
    put_plain(out, journal->document, "\"\\");
    fputs("\"\n  key: \"", out);
    put_plain(out, journal->idempotency_key, "\"\\");
    fputs("\"\n", out);
    for (size_t i = 0; i < journal->lines.count; i++) {
        const struct journal_line *line = &journal->lines.items[i];
        fputs("  ", out);
        beancount_account_name(out, &accounts[i]);
        amount_signed(line, line->functional_e4, functional);
        if (is_functional(journal, line)) {
            fprintf(out, "  %s " SLICE_FORMAT "\n", functional, SLICE_ARGUMENT(journal->functional_currency));
            continue;
        }
        amount_signed(line, line->amount_e4, amount);
        fprintf(out, "  %s " SLICE_FORMAT " @@ %s " SLICE_FORMAT "\n", amount, SLICE_ARGUMENT(journal->currency),
                amount_text(line->functional_e4, false, functional), SLICE_ARGUMENT(journal->functional_currency));
    }
}

static void beancount_account(FILE *out, const struct export_account *account) {
    fputs("1900-01-01 open ", out);
    beancount_account_name(out, account);
    fputs("\n  name: \"", out);
    put_plain(out, account->name, "\"\\");
    fputs("\"\n", out);
}

static void beancount_commodity(FILE *out, struct slice currency, int digits) {
    (void)digits;
    fprintf(out, "1900-01-01 commodity " SLICE_FORMAT "\n", SLICE_ARGUMENT(currency));
}

const struct export_format export_beancount = {"beancount", beancount_head, beancount_journal, beancount_account, beancount_commodity};

/* ---- CSV ---- */

static void csv_head(FILE *out) {
    fputs("key,erp,entity,ledger,posting_date,period,document_date,partner,document,number,step,version,reverses,rule,line,account,account_name,side,currency,amount,"
          "functional_currency,functional,cost_centre,project,tax_code,line_partner,text\r\n", out);
}

/* A text that a spreadsheet would take for a formula is put behind an apostrophe. */
static void csv_text(FILE *out, struct slice text) {
    bool formula = text.length && strchr("=+-@\t\r", text.data[0]), quoted = formula;
    for (size_t i = 0; i < text.length && !quoted; i++) quoted = text.data[i] && strchr(",\"\r\n", text.data[i]);
    if (quoted) putc('"', out);
    if (formula) putc('\'', out);
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '"') putc('"', out);
        putc(text.data[i], out);
    }
    if (quoted) putc('"', out);
}

static void csv_texts(FILE *out, size_t count, const struct slice *texts) {
    for (size_t i = 0; i < count; i++) {
        csv_text(out, texts[i]);
        putc(',', out);
    }
}

static void csv_journal(FILE *out, const struct posting_command *journal, const struct export_account *accounts) {
    char posted[TIME_TEXT_SIZE], dated[TIME_TEXT_SIZE], amount[AMOUNT_TEXT_SIZE], functional[AMOUNT_TEXT_SIZE];
    date_text(journal->posting_date, posted);
    date_text(journal->document_date, dated);
    for (size_t i = 0; i < journal->lines.count; i++) {
        const struct journal_line *line = &journal->lines.items[i];
        csv_texts(out, 11, (const struct slice[]){journal->idempotency_key, journal->erp, journal->entity, journal->ledger, slice_of(posted), journal->period,
                                                  slice_of(dated), journal->partner, journal->document, journal->number, journal->step});
        fprintf(out, "%d,", (int)journal->version);
        csv_texts(out, 2, (const struct slice[]){journal->reverses, journal->rule});
        fprintf(out, "%zu,", i + 1);
        csv_texts(out, 2, (const struct slice[]){line->account, accounts[i].name});
        fprintf(out, "%s," SLICE_FORMAT ",%s," SLICE_FORMAT ",%s,", line->side == JOURNAL_SIDE_DEBIT ? "debit" : "credit", SLICE_ARGUMENT(journal->currency),
                amount_text(line->amount_e4, false, amount), SLICE_ARGUMENT(journal->functional_currency), amount_text(line->functional_e4, false, functional));
        csv_texts(out, 4, (const struct slice[]){line->cost_centre, line->project, line->tax_code, line->partner});
        csv_text(out, line->text);
        fputs("\r\n", out);
    }
}

const struct export_format export_csv = {"csv", csv_head, csv_journal, NULL, NULL};
