/* einvoice: an electronic invoice by EN 16931-1, read from either of its two syntaxes – UBL 2.1 (Invoice, CreditNote; OASIS) and Cross Industry Invoice
 * D16B (UN/CEFACT) – into one struct of the standard's terms (BT) and groups (BG). What the rules say of it is in rules.h, what becomes of it in event.h.
 *
 * Which element is which term: EN 16931-3-2 (UBL) and EN 16931-3-3 (CII). It is read by names, not by a schema: what the standard does not know is passed
 * over, order does not matter. A number or date that cannot be read is a fault, with the term and the line of the file; it never becomes 0 or nothing.
 *
 * Everything lies in the caller's arena. One thread; the bytes come from outside and may be anything. */
#ifndef KONTOR_EINVOICE_EINVOICE_H
#define KONTOR_EINVOICE_EINVOICE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ledger/date.h"
#include "common/ledger/decimal.h"
#include "common/platform/arena.h"
#include "common/platform/error.h"
#include "common/platform/slice.h"

enum {
    EINVOICE_BYTES_MAXIMUM = 32 << 20,     /* of a file; attached documents are inside it */
    EINVOICE_MEMORY = 256 << 20,           /* for the arena */
    EINVOICE_FAULTS_MAXIMUM = 100
};

enum einvoice_syntax { EINVOICE_UBL_INVOICE, EINVOICE_UBL_CREDIT_NOTE, EINVOICE_CII };

/* given: the element is there; its text, blanks around it and doubled within it taken out, may still be empty. line: of the file. */
struct einvoice_text { struct slice text; int line; bool given; };

/* value: times 10^scale of the field: amounts 4, rates 4, quantities 6. Only with reading DECIMAL_READ. */
struct einvoice_number {
    struct slice text;
    struct slice attribute;                /* an amount's currency, a quantity's unit */
    int64_t value;
    enum decimal_reading reading;
    int digits;                            /* behind the point, as written */
    int line;
    bool given, attribute_given;
};

struct einvoice_date { struct einvoice_text text; int32_t date; /* DATE_NONE: none that can be read */ };
struct einvoice_period { bool given; int line; struct einvoice_date start, end; };

/* vat: its scheme is VAT. category: UNCL 5305. */
struct einvoice_tax {
    bool given, vat;
    int line;
    struct einvoice_text category, reason, reason_code;
    struct einvoice_number rate;
};

/* BG-4 seller, BG-7 buyer, BG-11 tax representative */
struct einvoice_party {
    bool given, address_given;
    int line;
    bool identified;                       /* by an identifier other than a SEPA creditor's */
    struct einvoice_text name, country, vat_id, tax_id /* another tax registration */, legal_id;
};

/* BG-20, BG-21; of a line BG-27, BG-28 */
struct einvoice_allowance {
    bool charge;
    int line;
    struct einvoice_number amount, base;
    struct einvoice_tax tax;
    struct einvoice_text reason, reason_code;
};
struct einvoice_allowances { struct einvoice_allowance *items; size_t count; };

/* BG-25 */
struct einvoice_line {
    int line;
    struct einvoice_text id, name, order_line;
    struct einvoice_number quantity, net, price, gross_price;
    struct einvoice_period period;
    struct einvoice_tax tax;
    size_t tax_count;
    struct einvoice_allowances allowances;
};

/* BG-23; total: which of tax_totals it stands under */
struct einvoice_breakdown { int line; size_t total; struct einvoice_number taxable, amount; struct einvoice_tax tax; };
/* BT-110, and BT-111 in another currency */
struct einvoice_tax_total { int line; struct einvoice_number amount; };
/* BG-3 */
struct einvoice_reference { int line; struct einvoice_text id; };
/* BG-16 */
struct einvoice_means { int line; struct einvoice_text code, account, card; };

/* What could not be read: the term, the line, and why. */
struct einvoice_fault { const char *term; int line; struct slice found; const char *why; };

struct einvoice {
    enum einvoice_syntax syntax;
    int line;
    struct einvoice_text specification, number, type_code, currency, tax_currency, tax_point_code, order, terms, deliver_country;
    struct einvoice_date issued, tax_point, due, delivered;
    struct einvoice_period period;
    bool period_said;                       /* BG-14 has anything */
    struct einvoice_party seller, buyer, representative;
    struct { struct einvoice_reference *items; size_t count; } preceding;
    struct { struct einvoice_means *items; size_t count; } means;
    struct einvoice_allowances allowances;
    struct { struct einvoice_tax_total *items; size_t count; } tax_totals;
    struct { struct einvoice_breakdown *items; size_t count; } breakdowns;
    /* BG-22 */
    bool totals_given;
    int totals_line;
    struct einvoice_number line_total, allowance_total, charge_total, net_total, gross_total, prepaid, rounding, payable;
    struct { struct einvoice_line *items; size_t count; } lines;
    struct einvoice_fault faults[EINVOICE_FAULTS_MAXIMUM];
    size_t fault_count;                     /* those beyond the maximum are not kept, the document is refused anyway */
};

/* Reads the bytes. False: they are no e-invoice; error says what they are, in which line, and what is expected. A document with a DOCTYPE is refused (no
 * e-invoice has one, and entities are how XML attacks its reader); nothing is ever fetched. */
MUST_CHECK bool einvoice_read(struct einvoice *invoice, struct slice bytes, struct arena *arena, struct error *error);

/* The document's total VAT in its own currency (BT-110); NULL: none. */
const struct einvoice_number *einvoice_vat_total(const struct einvoice *invoice);

/* Whether the number can be reckoned with. */
static inline bool einvoice_is_number(const struct einvoice_number *number) { return number->given && number->reading == DECIMAL_READ; }
static inline bool einvoice_filled(const struct einvoice_text *text) { return text->text.length > 0; }

/* UNTDID 1001, the part that EN 16931 allows. */
enum einvoice_kind { EINVOICE_KIND_UNKNOWN, EINVOICE_KIND_INVOICE, EINVOICE_KIND_CREDIT_NOTE };
enum einvoice_kind einvoice_kind(const struct einvoice *invoice);
#endif
