#include "common/einvoice/xml.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static const struct { const char *prefix, *uri; } namespaces[] = {
    {"cbc", "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"},
    {"cac", "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"},
    {"ubl", "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"},
    {"cn", "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2"},
    {"rsm", "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"},
    {"ram", "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"},
    {"udt", "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100"},
    {"qdt", "urn:un:unece:uncefact:data:standard:QualifiedDataType:100"},
};

const char *xml_namespace(const char *prefix) {
    size_t length = strcspn(prefix, ":");
    for (size_t i = 0; i < sizeof namespaces / sizeof *namespaces; i++)
        if (strlen(namespaces[i].prefix) == length && memcmp(namespaces[i].prefix, prefix, length) == 0) return namespaces[i].uri;
    return "";
}

/* An internal subset is where entities are declared: the document is refused there, before any is expanded. */
struct guard { bool doctype; };

static void refuse_doctype(void *context, const xmlChar *name, const xmlChar *external, const xmlChar *system) {
    (void)name, (void)external, (void)system;
    xmlParserCtxtPtr parser = context;
    ((struct guard *)parser->_private)->doctype = true;
    xmlStopParser(parser);
}

static void say_nothing(void *context, const char *format, ...) { (void)context, (void)format; }

/* libxml2's own words, without their line end. */
static void parse_error(xmlParserCtxtPtr parser, struct error *error) {
    const xmlError *last = xmlCtxtGetLastError(parser);
    const char *words = last && last->message ? last->message : "it ends too soon";
    error_set(error, "line %d: not well-formed XML: %.*s; an e-invoice is one XML document in UBL or CII, get it again from where it came",
              last && last->line > 0 ? last->line : 1, (int)strcspn(words, "\n"), words);
}

xmlDoc *xml_parse(struct slice bytes, struct error *error) {
    if (!bytes.length) return error_set(error, "the file is empty; an e-invoice is one XML document in UBL or CII"), NULL;
    if (bytes.length > EINVOICE_BYTES_MAXIMUM)
        return error_set(error, "%zu bytes are more than the %d of the largest e-invoice that is read", bytes.length, EINVOICE_BYTES_MAXIMUM), NULL;
    struct guard guard = {false};
    xmlParserCtxtPtr parser = xmlCreateMemoryParserCtxt(bytes.data, (int)bytes.length);
    if (!parser) return error_set(error, "out of memory"), NULL;
    xmlCtxtUseOptions(parser, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA | XML_PARSE_BIG_LINES | XML_PARSE_COMPACT);
    parser->_private = &guard;
    parser->sax->internalSubset = refuse_doctype;
    parser->sax->error = parser->sax->warning = say_nothing;
    /* Some of its errors (encodings) go past the parser's own handlers to standard error. */
    xmlSetGenericErrorFunc(NULL, say_nothing);
    xmlParseDocument(parser);
    xmlSetGenericErrorFunc(NULL, NULL);
    xmlDoc *document = parser->wellFormed && !guard.doctype && parser->myDoc && xmlDocGetRootElement(parser->myDoc) ? parser->myDoc : NULL;
    if (guard.doctype) error_set(error, "it has a DOCTYPE, which no e-invoice has and which is how XML attacks its reader; nothing of it was read");
    else if (!document) parse_error(parser, error);
    if (!document && parser->myDoc) xmlFreeDoc(parser->myDoc);
    xmlFreeParserCtxt(parser);
    return document;
}

/* The name's length up to the next step of a path. */
static bool is_step(const xmlNode *node, const char *name, size_t length) {
    if (node->type != XML_ELEMENT_NODE || !node->ns || !node->ns->href) return false;
    size_t prefix = strcspn(name, ":") + 1;
    const char *local = (const char *)node->name;
    return strncmp(local, name + prefix, length - prefix) == 0 && !local[length - prefix] && strcmp((const char *)node->ns->href, xml_namespace(name)) == 0;
}

bool xml_is(const xmlNode *node, const char *name) { return is_step(node, name, strlen(name)); }

static const xmlNode *from(const xmlNode *node, const char *name) {
    while (node && !xml_is(node, name)) node = node->next;
    return node;
}

const xmlNode *xml_child(const xmlNode *node, const char *name) { return node ? from(node->children, name) : NULL; }
const xmlNode *xml_next(const xmlNode *node, const char *name) { return from(node->next, name); }

bool xml_repeats(const xmlNode *node) {
    for (const xmlNode *other = node->next; other; other = other->next)
        if (other->type == XML_ELEMENT_NODE && other->ns && node->ns && xmlStrEqual(other->name, node->name) && xmlStrEqual(other->ns->href, node->ns->href)) return true;
    return false;
}

size_t xml_count(const xmlNode *node, const char *name) {
    size_t count = 0;
    for (const xmlNode *child = xml_child(node, name); child; child = xml_next(child, name)) count++;
    return count;
}

const xmlNode *xml_find(const xmlNode *node, const char *path) {
    size_t length = strcspn(path, "/");
    for (const xmlNode *child = node ? node->children : NULL; child; child = child->next) {
        if (!is_step(child, path, length)) continue;
        const xmlNode *found = path[length] ? xml_find(child, path + length + 1) : child;
        if (found) return found;
    }
    return NULL;
}

int xml_line(const xmlNode *node) {
    long line = node ? xmlGetLineNo(node) : 0;
    return line > 0 && line < INT_MAX ? (int)line : 0;
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* Blanks at both ends taken out, several within made one, in place. */
static size_t squeeze(char *text, size_t length) {
    size_t kept = 0;
    for (size_t i = 0; i < length; i++) {
        if (!is_blank(text[i])) text[kept++] = text[i];
        else if (kept && text[kept - 1] != ' ') text[kept++] = ' ';
    }
    return kept && text[kept - 1] == ' ' ? kept - 1 : kept;
}

/* The text nodes under a node, one behind the other. */
static struct slice content(struct reading *reading, const xmlNode *children) {
    size_t length = 0, at = 0;
    for (const xmlNode *child = children; child; child = child->next)
        if (child->type == XML_TEXT_NODE && child->content) length += strlen((const char *)child->content);
    char *text = length ? arena_alloc(reading->arena, length) : NULL;
    if (length && !text) reading->failed = true;
    if (!text) return (struct slice){"", 0};
    for (const xmlNode *child = children; child; child = child->next) {
        if (child->type != XML_TEXT_NODE || !child->content) continue;
        size_t part = strlen((const char *)child->content);
        memcpy(text + at, child->content, part);
        at += part;
    }
    return (struct slice){text, squeeze(text, length)};
}

struct einvoice_text read_text(struct reading *reading, const xmlNode *node) {
    if (!node) return (struct einvoice_text){.text = {"", 0}};
    return (struct einvoice_text){.text = content(reading, node->children), .line = xml_line(node), .given = true};
}

struct einvoice_text read_attribute(struct reading *reading, const xmlNode *node, const char *name) {
    for (const xmlAttr *attribute = node ? node->properties : NULL; attribute; attribute = attribute->next)
        if (!attribute->ns && strcmp((const char *)attribute->name, name) == 0)
            return (struct einvoice_text){.text = content(reading, attribute->children), .line = xml_line(node), .given = true};
    return (struct einvoice_text){.text = {"", 0}};
}

void read_fault(struct reading *reading, const char *term, int line, struct slice found, const char *why) {
    struct einvoice *invoice = reading->invoice;
    if (invoice->fault_count < EINVOICE_FAULTS_MAXIMUM) invoice->faults[invoice->fault_count++] = (struct einvoice_fault){term, line, found, why};
}

static const char twice[] = "is there twice; once is expected";

const xmlNode *read_only(struct reading *reading, const xmlNode *node, const char *name, const char *term) {
    const xmlNode *found = xml_child(node, name);
    if (found && xml_repeats(found)) read_fault(reading, term, xml_line(found), slice_of((const char *)found->name), twice);
    return found;
}

/* xs:decimal allows ".5" and "5.", which decimal_parse does not: a zero takes the missing place. */
static enum decimal_reading parse_decimal(struct slice text, int scale, int64_t *value) {
    char full[64];
    size_t sign = text.length && (text.data[0] == '-' || text.data[0] == '+'), digits = text.length - sign;
    if (digits < 2 || digits > sizeof full - 3) return decimal_parse(text, scale, value);
    int length = snprintf(full, sizeof full, "%.*s%s%.*s%s", (int)sign, text.data, text.data[sign] == '.' ? "0" : "", (int)digits, text.data + sign,
                          text.data[text.length - 1] == '.' ? "0" : "");
    return decimal_parse((struct slice){full, (size_t)length}, scale, value);
}

struct einvoice_number read_number(struct reading *reading, const xmlNode *node, const char *term, int scale, const char *attribute, bool loose) {
    struct einvoice_text text = read_text(reading, node), extra = attribute ? read_attribute(reading, node, attribute) : (struct einvoice_text){.given = false};
    struct einvoice_number number = {.text = text.text, .attribute = extra.text, .attribute_given = extra.given, .line = text.line, .given = text.given};
    if (!number.given) return number;
    /* CII has the VAT total in each currency under one name; BR-CO-15 counts those. */
    if (xml_repeats(node) && strcmp((const char *)node->name, "TaxTotalAmount") != 0) read_fault(reading, term, number.line, text.text, twice);
    const char *point = memchr(text.text.data, '.', text.text.length);
    number.digits = point ? (int)(text.text.data + text.text.length - point - 1) : 0;
    number.reading = parse_decimal(text.text, scale, &number.value);
    if (number.reading == DECIMAL_NOT_A_NUMBER) read_fault(reading, term, number.line, text.text, "is no number; digits with a point are expected, such as 1234.50");
    else if (number.reading == DECIMAL_TOO_LARGE) read_fault(reading, term, number.line, text.text, "is larger than any amount that is kept");
    else if (number.reading == DECIMAL_TOO_PRECISE && !loose)
        read_fault(reading, term, number.line, text.text, scale == 6 ? "has more than 6 digits behind the point" : "has more than 4 digits behind the point");
    return number;
}

struct einvoice_number read_amount(struct reading *reading, const xmlNode *node, const char *term) {
    return read_number(reading, node, term, 4, "currencyID", false);
}

/* Z, +01:00 or -01:00 behind a date. */
static bool is_zone(struct slice zone) {
    if (zone.length == 1) return zone.data[0] == 'Z';
    return zone.length == 6 && (zone.data[0] == '+' || zone.data[0] == '-') && zone.data[3] == ':';
}

struct einvoice_date read_date(struct reading *reading, const xmlNode *node, const char *term, bool compact) {
    struct einvoice_date date = {.text = read_text(reading, node), .date = DATE_NONE};
    struct slice text = date.text.text;
    char full[DATE_TEXT_SIZE] = "";
    if (!date.text.given || !text.length) return date;
    if (xml_repeats(node)) read_fault(reading, term, date.text.line, text, twice);
    if (compact && text.length == 8) {
        snprintf(full, sizeof full, "%.4s-%.2s-%.2s", text.data, text.data + 4, text.data + 6);
        text = slice_of(full);
    } else if (!compact && text.length > 10 && is_zone((struct slice){text.data + 10, text.length - 10})) {
        text.length = 10;
    }
    if (!date_parse(text, &date.date)) {
        date.date = DATE_NONE;
        read_fault(reading, term, date.text.line, date.text.text, compact ? "is no date; YYYYMMDD is expected" : "is no date; YYYY-MM-DD is expected");
    }
    return date;
}

void *read_items(struct reading *reading, size_t count, size_t size) {
    void *items = count ? arena_alloc(reading->arena, count * size) : NULL;
    if (count && !items) reading->failed = true;
    return items;
}

bool text_is(const struct einvoice_text *text, const char *expected) { return slice_equal(text->text, slice_of(expected)); }

bool read_boolean(struct reading *reading, const xmlNode *node, const char *term, bool *found) {
    struct einvoice_text text = read_text(reading, node);
    bool yes = text_is(&text, "true") || text_is(&text, "1");
    *found = yes || text_is(&text, "false") || text_is(&text, "0");
    if (!*found) read_fault(reading, term, text.line ? text.line : 0, text.text, "does not say whether it is a charge (true) or an allowance (false)");
    return yes;
}

/* The name of the root as it stands there, for the message. */
static bool refuse_root(const xmlNode *root, struct error *error) {
    const char *uri = root->ns && root->ns->href ? (const char *)root->ns->href : "no namespace";
    return error_set(error, "line %d: the document is %.80s in %.120s; expected Invoice in %s, CreditNote in %s or CrossIndustryInvoice in %s", xml_line(root),
                     (const char *)root->name, uri, xml_namespace("ubl"), xml_namespace("cn"), xml_namespace("rsm"));
}

bool einvoice_read(struct einvoice *invoice, struct slice bytes, struct arena *arena, struct error *error) {
    memset(invoice, 0, sizeof *invoice);
    xmlDoc *document = xml_parse(bytes, error);
    if (!document) return false;
    const xmlNode *root = xmlDocGetRootElement(document);
    struct reading reading = {.invoice = invoice, .arena = arena};
    bool ubl = xml_is(root, "ubl:Invoice"), credit = xml_is(root, "cn:CreditNote"), cii = xml_is(root, "rsm:CrossIndustryInvoice");
    invoice->syntax = cii ? EINVOICE_CII : credit ? EINVOICE_UBL_CREDIT_NOTE : EINVOICE_UBL_INVOICE;
    invoice->line = xml_line(root);
    bool ok = ubl || credit || cii || refuse_root(root, error);
    if (ok && cii) read_cii(&reading, root);
    else if (ok) read_ubl(&reading, root);
    if (ok && reading.failed) ok = error_set(error, "it needs more memory than the %d MiB that one invoice may take", EINVOICE_MEMORY >> 20);
    xmlFreeDoc(document);
    return ok;
}

const struct einvoice_number *einvoice_vat_total(const struct einvoice *invoice) {
    for (size_t i = 0; i < invoice->tax_totals.count; i++) {
        const struct einvoice_number *amount = &invoice->tax_totals.items[i].amount;
        if (amount->given && slice_equal(amount->attribute, invoice->currency.text)) return amount;
    }
    return NULL;
}

static bool is_listed(const char *list, const struct einvoice_text *code) {
    char word[16];
    if (!code->text.length || code->text.length > 8 || memchr(code->text.data, ' ', code->text.length)) return false;
    snprintf(word, sizeof word, " " SLICE_FORMAT " ", SLICE_ARGUMENT(code->text));
    return strstr(list, word);
}

/* UNTDID 1001 as the code lists of EN 16931 have it. 81 is in both: in UBL the document's own name decides; in CII it is a credit note ("related to goods or
 * services"). */
enum einvoice_kind einvoice_kind(const struct einvoice *invoice) {
    static const char invoices[] = " 71 80 81 82 84 102 130 202 203 204 211 218 219 295 325 326 331 380 382 383 384 385 386 387 388 389 390 393 394 395 456 457 471 "
                                   "472 473 500 501 527 553 575 623 633 751 780 817 870 875 876 877 935 ";
    static const char credit_notes[] = " 81 83 261 262 296 308 381 396 420 458 502 503 532 ";
    bool credit = is_listed(credit_notes, &invoice->type_code);
    if (invoice->syntax != EINVOICE_UBL_INVOICE && credit) return EINVOICE_KIND_CREDIT_NOTE;
    if (invoice->syntax != EINVOICE_UBL_CREDIT_NOTE && is_listed(invoices, &invoice->type_code)) return EINVOICE_KIND_INVOICE;
    return EINVOICE_KIND_UNKNOWN;
}
