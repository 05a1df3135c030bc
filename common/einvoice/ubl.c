/* UBL 2.1, Invoice and CreditNote: which element is which term, by EN 16931-3-2. */
#include <strings.h>

#include "common/einvoice/xml.h"

/* Whether the tax scheme of a category or registration is VAT. */
static bool is_vat(struct reading *reading, const xmlNode *node) {
    struct einvoice_text scheme = read_text(reading, xml_find(node, "cac:TaxScheme/cbc:ID"));
    return scheme.text.length == 3 && strncasecmp(scheme.text.data, "VAT", 3) == 0;
}

static struct einvoice_tax read_tax(struct reading *reading, const xmlNode *node, const char *rate_term) {
    struct einvoice_tax tax = {.given = node != NULL, .line = xml_line(node)};
    if (!node) return tax;
    tax.vat = is_vat(reading, node);
    tax.category = read_text(reading, xml_child(node, "cbc:ID"));
    tax.reason = read_text(reading, xml_child(node, "cbc:TaxExemptionReason"));
    tax.reason_code = read_text(reading, xml_child(node, "cbc:TaxExemptionReasonCode"));
    tax.rate = read_number(reading, xml_child(node, "cbc:Percent"), rate_term, 4, NULL, false);
    return tax;
}

static struct einvoice_period read_period(struct reading *reading, const xmlNode *node, const char *start, const char *end) {
    struct einvoice_period period = {.given = node != NULL, .line = xml_line(node)};
    period.start = read_date(reading, xml_child(node, "cbc:StartDate"), start, false);
    period.end = read_date(reading, xml_child(node, "cbc:EndDate"), end, false);
    return period;
}

/* party: cac:Party, or the representative itself. */
static struct einvoice_party read_party(struct reading *reading, const xmlNode *party, const char *name) {
    struct einvoice_party read = {.given = party != NULL, .line = xml_line(party)};
    if (!party) return read;
    read.name = read_text(reading, xml_find(party, name));
    const xmlNode *address = xml_child(party, "cac:PostalAddress");
    read.address_given = address != NULL;
    read.country = read_text(reading, xml_find(address, "cac:Country/cbc:IdentificationCode"));
    read.legal_id = read_text(reading, xml_find(party, "cac:PartyLegalEntity/cbc:CompanyID"));
    for (const xmlNode *id = xml_child(party, "cac:PartyIdentification"); id; id = xml_next(id, "cac:PartyIdentification")) {
        struct einvoice_text scheme = read_attribute(reading, xml_child(id, "cbc:ID"), "schemeID");
        read.identified = read.identified || (xml_child(id, "cbc:ID") && !text_is(&scheme, "SEPA"));
    }
    for (const xmlNode *tax = xml_child(party, "cac:PartyTaxScheme"); tax; tax = xml_next(tax, "cac:PartyTaxScheme")) {
        struct einvoice_text *id = is_vat(reading, tax) ? &read.vat_id : &read.tax_id;
        if (!id->given) *id = read_text(reading, xml_child(tax, "cbc:CompanyID"));
    }
    return read;
}

static struct einvoice_allowances read_allowances(struct reading *reading, const xmlNode *parent, bool of_document) {
    struct einvoice_allowances list = {read_items(reading, xml_count(parent, "cac:AllowanceCharge"), sizeof *list.items), 0};
    if (!list.items) return list;
    for (const xmlNode *node = xml_child(parent, "cac:AllowanceCharge"); node; node = xml_next(node, "cac:AllowanceCharge")) {
        struct einvoice_allowance *item = &list.items[list.count];
        bool found;
        item->line = xml_line(node);
        item->charge = read_boolean(reading, xml_child(node, "cbc:ChargeIndicator"), of_document ? "BG-20/BG-21" : "BG-27/BG-28", &found);
        if (!found) continue;
        list.count++;
        item->amount = read_amount(reading, xml_child(node, "cbc:Amount"), of_document ? "BT-92/BT-99" : "BT-136/BT-141");
        item->base = read_amount(reading, xml_child(node, "cbc:BaseAmount"), of_document ? "BT-93/BT-100" : "BT-137/BT-142");
        item->tax = read_tax(reading, read_only(reading, node, "cac:TaxCategory", "BT-95/BT-102"), "BT-96/BT-103");
        item->reason = read_text(reading, xml_child(node, "cbc:AllowanceChargeReason"));
        item->reason_code = read_text(reading, xml_child(node, "cbc:AllowanceChargeReasonCode"));
    }
    return list;
}

static void read_line(struct reading *reading, const xmlNode *node, struct einvoice_line *line) {
    bool credit = reading->invoice->syntax == EINVOICE_UBL_CREDIT_NOTE;
    line->line = xml_line(node);
    line->id = read_text(reading, xml_child(node, "cbc:ID"));
    line->name = read_text(reading, xml_find(node, "cac:Item/cbc:Name"));
    line->order_line = read_text(reading, xml_find(node, "cac:OrderLineReference/cbc:LineID"));
    line->quantity = read_number(reading, xml_child(node, credit ? "cbc:CreditedQuantity" : "cbc:InvoicedQuantity"), "BT-129", 6, "unitCode", false);
    line->net = read_amount(reading, xml_child(node, "cbc:LineExtensionAmount"), "BT-131");
    line->price = read_number(reading, xml_find(node, "cac:Price/cbc:PriceAmount"), "BT-146", 4, "currencyID", true);
    line->gross_price = read_number(reading, xml_find(node, "cac:Price/cac:AllowanceCharge/cbc:BaseAmount"), "BT-148", 4, "currencyID", true);
    line->period = read_period(reading, xml_child(node, "cac:InvoicePeriod"), "BT-134", "BT-135");
    line->tax = read_tax(reading, xml_find(node, "cac:Item/cac:ClassifiedTaxCategory"), "BT-152");
    line->tax_count = xml_count(xml_child(node, "cac:Item"), "cac:ClassifiedTaxCategory");
    line->allowances = read_allowances(reading, node, false);
}

static void read_lines(struct reading *reading, const xmlNode *root) {
    struct einvoice *invoice = reading->invoice;
    const char *name = invoice->syntax == EINVOICE_UBL_CREDIT_NOTE ? "cac:CreditNoteLine" : "cac:InvoiceLine";
    invoice->lines.items = read_items(reading, xml_count(root, name), sizeof *invoice->lines.items);
    for (const xmlNode *node = xml_child(root, name); invoice->lines.items && node; node = xml_next(node, name))
        read_line(reading, node, &invoice->lines.items[invoice->lines.count++]);
}

static void read_tax_totals(struct reading *reading, const xmlNode *root) {
    struct einvoice *invoice = reading->invoice;
    size_t breakdowns = 0;
    for (const xmlNode *node = xml_child(root, "cac:TaxTotal"); node; node = xml_next(node, "cac:TaxTotal")) breakdowns += xml_count(node, "cac:TaxSubtotal");
    invoice->tax_totals.items = read_items(reading, xml_count(root, "cac:TaxTotal"), sizeof *invoice->tax_totals.items);
    invoice->breakdowns.items = read_items(reading, breakdowns, sizeof *invoice->breakdowns.items);
    if (reading->failed) return;
    for (const xmlNode *node = xml_child(root, "cac:TaxTotal"); node; node = xml_next(node, "cac:TaxTotal")) {
        size_t total = invoice->tax_totals.count++;
        invoice->tax_totals.items[total] = (struct einvoice_tax_total){xml_line(node), read_amount(reading, xml_child(node, "cbc:TaxAmount"), "BT-110/BT-111")};
        for (const xmlNode *part = xml_child(node, "cac:TaxSubtotal"); part; part = xml_next(part, "cac:TaxSubtotal")) {
            struct einvoice_breakdown *breakdown = &invoice->breakdowns.items[invoice->breakdowns.count++];
            breakdown->line = xml_line(part);
            breakdown->total = total;
            breakdown->taxable = read_amount(reading, xml_child(part, "cbc:TaxableAmount"), "BT-116");
            breakdown->amount = read_amount(reading, xml_child(part, "cbc:TaxAmount"), "BT-117");
            breakdown->tax = read_tax(reading, read_only(reading, part, "cac:TaxCategory", "BT-118"), "BT-119");
        }
    }
}

static void read_totals(struct reading *reading, const xmlNode *totals) {
    struct einvoice *invoice = reading->invoice;
    invoice->totals_given = totals != NULL;
    invoice->totals_line = xml_line(totals);
    invoice->line_total = read_amount(reading, xml_child(totals, "cbc:LineExtensionAmount"), "BT-106");
    invoice->allowance_total = read_amount(reading, xml_child(totals, "cbc:AllowanceTotalAmount"), "BT-107");
    invoice->charge_total = read_amount(reading, xml_child(totals, "cbc:ChargeTotalAmount"), "BT-108");
    invoice->net_total = read_amount(reading, xml_child(totals, "cbc:TaxExclusiveAmount"), "BT-109");
    invoice->gross_total = read_amount(reading, xml_child(totals, "cbc:TaxInclusiveAmount"), "BT-112");
    invoice->prepaid = read_amount(reading, xml_child(totals, "cbc:PrepaidAmount"), "BT-113");
    invoice->rounding = read_amount(reading, xml_child(totals, "cbc:PayableRoundingAmount"), "BT-114");
    invoice->payable = read_amount(reading, xml_child(totals, "cbc:PayableAmount"), "BT-115");
}

static void read_references(struct reading *reading, const xmlNode *root) {
    struct einvoice *invoice = reading->invoice;
    invoice->preceding.items = read_items(reading, xml_count(root, "cac:BillingReference"), sizeof *invoice->preceding.items);
    for (const xmlNode *node = xml_child(root, "cac:BillingReference"); invoice->preceding.items && node; node = xml_next(node, "cac:BillingReference"))
        invoice->preceding.items[invoice->preceding.count++] =
            (struct einvoice_reference){xml_line(node), read_text(reading, xml_find(node, "cac:InvoiceDocumentReference/cbc:ID"))};
    invoice->means.items = read_items(reading, xml_count(root, "cac:PaymentMeans"), sizeof *invoice->means.items);
    for (const xmlNode *node = xml_child(root, "cac:PaymentMeans"); invoice->means.items && node; node = xml_next(node, "cac:PaymentMeans"))
        invoice->means.items[invoice->means.count++] = (struct einvoice_means){
            xml_line(node), read_text(reading, xml_child(node, "cbc:PaymentMeansCode")), read_text(reading, xml_find(node, "cac:PayeeFinancialAccount/cbc:ID")),
            read_text(reading, xml_find(node, "cac:CardAccount/cbc:PrimaryAccountNumberID"))};
}

void read_ubl(struct reading *reading, const xmlNode *root) {
    struct einvoice *invoice = reading->invoice;
    bool credit = invoice->syntax == EINVOICE_UBL_CREDIT_NOTE;
    invoice->specification = read_text(reading, xml_child(root, "cbc:CustomizationID"));
    invoice->number = read_text(reading, read_only(reading, root, "cbc:ID", "BT-1"));
    invoice->type_code = read_text(reading, read_only(reading, root, credit ? "cbc:CreditNoteTypeCode" : "cbc:InvoiceTypeCode", "BT-3"));
    invoice->currency = read_text(reading, read_only(reading, root, "cbc:DocumentCurrencyCode", "BT-5"));
    invoice->tax_currency = read_text(reading, xml_child(root, "cbc:TaxCurrencyCode"));
    invoice->issued = read_date(reading, xml_child(root, "cbc:IssueDate"), "BT-2", false);
    invoice->tax_point = read_date(reading, xml_child(root, "cbc:TaxPointDate"), "BT-7", false);
    invoice->due = read_date(reading, xml_find(root, credit ? "cac:PaymentMeans/cbc:PaymentDueDate" : "cbc:DueDate"), "BT-9", false);
    invoice->order = read_text(reading, xml_find(root, "cac:OrderReference/cbc:ID"));
    invoice->terms = read_text(reading, xml_find(root, "cac:PaymentTerms/cbc:Note"));
    invoice->delivered = read_date(reading, xml_find(root, "cac:Delivery/cbc:ActualDeliveryDate"), "BT-72", false);
    invoice->deliver_country = read_text(reading, xml_find(root, "cac:Delivery/cac:DeliveryLocation/cac:Address/cac:Country/cbc:IdentificationCode"));
    const xmlNode *period = xml_child(root, "cac:InvoicePeriod");
    invoice->period = read_period(reading, period, "BT-73", "BT-74");
    invoice->tax_point_code = read_text(reading, xml_child(period, "cbc:DescriptionCode"));
    invoice->period_said = invoice->period.start.text.given || invoice->period.end.text.given || invoice->tax_point_code.given;
    const xmlNode *seller = read_only(reading, root, "cac:AccountingSupplierParty", "BG-4");
    invoice->seller = read_party(reading, xml_child(seller, "cac:Party"), "cac:PartyLegalEntity/cbc:RegistrationName");
    invoice->seller.given = seller != NULL;
    invoice->buyer = read_party(reading, xml_find(root, "cac:AccountingCustomerParty/cac:Party"), "cac:PartyLegalEntity/cbc:RegistrationName");
    invoice->representative = read_party(reading, xml_child(root, "cac:TaxRepresentativeParty"), "cac:PartyName/cbc:Name");
    read_references(reading, root);
    invoice->allowances = read_allowances(reading, root, true);
    read_tax_totals(reading, root);
    read_totals(reading, read_only(reading, root, "cac:LegalMonetaryTotal", "BG-22"));
    read_lines(reading, root);
}
