/* UN/CEFACT Cross Industry Invoice D16B: which element is which term, by EN 16931-3-3. */
#include <strings.h>

#include "common/einvoice/xml.h"

/* A date stands in an element with its format beside it; EN 16931 has 102 only: YYYYMMDD. Another one counts as none, and is a fault. */
static struct einvoice_date read_102(struct reading *reading, const xmlNode *moment, const char *term) {
    for (const xmlNode *node = moment ? moment->children : NULL; node; node = node->next) {
        if (!xml_is(node, "udt:DateTimeString") && !xml_is(node, "udt:DateString") && !xml_is(node, "qdt:DateTimeString")) continue;
        struct einvoice_text format = read_attribute(reading, node, "format");
        if (text_is(&format, "102")) return read_date(reading, node, term, true);
        read_fault(reading, term, xml_line(node), format.text, "is the format of a date; 102 is expected, which is YYYYMMDD");
    }
    return (struct einvoice_date){.text = {.text = {"", 0}}, .date = DATE_NONE};
}

static struct einvoice_tax read_tax(struct reading *reading, const xmlNode *node, const char *rate_term) {
    struct einvoice_tax tax = {.given = node != NULL, .line = xml_line(node)};
    if (!node) return tax;
    struct einvoice_text type = read_text(reading, xml_child(node, "ram:TypeCode"));
    tax.vat = type.text.length == 3 && strncasecmp(type.text.data, "VAT", 3) == 0;
    tax.category = read_text(reading, xml_child(node, "ram:CategoryCode"));
    tax.reason = read_text(reading, xml_child(node, "ram:ExemptionReason"));
    tax.reason_code = read_text(reading, xml_child(node, "ram:ExemptionReasonCode"));
    tax.rate = read_number(reading, xml_child(node, "ram:RateApplicablePercent"), rate_term, 4, NULL, false);
    return tax;
}

static struct einvoice_period read_period(struct reading *reading, const xmlNode *node, const char *start, const char *end) {
    struct einvoice_period period = {.given = node != NULL, .line = xml_line(node)};
    const xmlNode *first = xml_child(node, "ram:StartDateTime"), *last = xml_child(node, "ram:EndDateTime");
    period.start = read_102(reading, first, start);
    period.end = read_102(reading, last, end);
    period.start.text.given = first != NULL;
    period.end.text.given = last != NULL;
    return period;
}

static struct einvoice_party read_party(struct reading *reading, const xmlNode *party) {
    struct einvoice_party read = {.given = party != NULL, .line = xml_line(party)};
    if (!party) return read;
    read.name = read_text(reading, xml_child(party, "ram:Name"));
    const xmlNode *address = xml_child(party, "ram:PostalTradeAddress");
    read.address_given = address != NULL;
    read.country = read_text(reading, xml_child(address, "ram:CountryID"));
    read.legal_id = read_text(reading, xml_find(party, "ram:SpecifiedLegalOrganization/ram:ID"));
    read.identified = xml_child(party, "ram:ID") || xml_child(party, "ram:GlobalID");
    for (const xmlNode *tax = xml_child(party, "ram:SpecifiedTaxRegistration"); tax; tax = xml_next(tax, "ram:SpecifiedTaxRegistration")) {
        const xmlNode *id = xml_child(tax, "ram:ID");
        struct einvoice_text scheme = read_attribute(reading, id, "schemeID");
        if (text_is(&scheme, "VA") && !read.vat_id.given) read.vat_id = read_text(reading, id);
        if (text_is(&scheme, "FC") && !read.tax_id.given) read.tax_id = read_text(reading, id);
    }
    return read;
}

static const char allowance_name[] = "ram:SpecifiedTradeAllowanceCharge";

static struct einvoice_allowances read_allowances(struct reading *reading, const xmlNode *parent, bool of_document) {
    struct einvoice_allowances list = {read_items(reading, xml_count(parent, allowance_name), sizeof *list.items), 0};
    if (!list.items) return list;
    for (const xmlNode *node = xml_child(parent, allowance_name); node; node = xml_next(node, allowance_name)) {
        struct einvoice_allowance *item = &list.items[list.count];
        bool found;
        item->line = xml_line(node);
        item->charge = read_boolean(reading, xml_find(node, "ram:ChargeIndicator/udt:Indicator"), of_document ? "BG-20/BG-21" : "BG-27/BG-28", &found);
        if (!found) continue;
        list.count++;
        item->amount = read_amount(reading, xml_child(node, "ram:ActualAmount"), of_document ? "BT-92/BT-99" : "BT-136/BT-141");
        item->base = read_amount(reading, xml_child(node, "ram:BasisAmount"), of_document ? "BT-93/BT-100" : "BT-137/BT-142");
        item->tax = read_tax(reading, read_only(reading, node, "ram:CategoryTradeTax", "BT-95/BT-102"), "BT-96/BT-103");
        item->reason = read_text(reading, xml_child(node, "ram:Reason"));
        item->reason_code = read_text(reading, xml_child(node, "ram:ReasonCode"));
    }
    return list;
}

static void read_line(struct reading *reading, const xmlNode *node, struct einvoice_line *line) {
    const xmlNode *agreement = xml_child(node, "ram:SpecifiedLineTradeAgreement"), *settlement = xml_child(node, "ram:SpecifiedLineTradeSettlement");
    line->line = xml_line(node);
    line->id = read_text(reading, xml_find(node, "ram:AssociatedDocumentLineDocument/ram:LineID"));
    line->name = read_text(reading, xml_find(node, "ram:SpecifiedTradeProduct/ram:Name"));
    line->order_line = read_text(reading, xml_find(agreement, "ram:BuyerOrderReferencedDocument/ram:LineID"));
    line->quantity = read_number(reading, xml_find(node, "ram:SpecifiedLineTradeDelivery/ram:BilledQuantity"), "BT-129", 6, "unitCode", false);
    line->net = read_amount(reading, xml_find(settlement, "ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount"), "BT-131");
    line->price = read_number(reading, xml_find(agreement, "ram:NetPriceProductTradePrice/ram:ChargeAmount"), "BT-146", 4, "currencyID", true);
    line->gross_price = read_number(reading, xml_find(agreement, "ram:GrossPriceProductTradePrice/ram:ChargeAmount"), "BT-148", 4, "currencyID", true);
    line->period = read_period(reading, xml_child(settlement, "ram:BillingSpecifiedPeriod"), "BT-134", "BT-135");
    line->tax = read_tax(reading, read_only(reading, settlement, "ram:ApplicableTradeTax", "BT-151"), "BT-152");
    line->tax_count = xml_count(settlement, "ram:ApplicableTradeTax");
    line->allowances = read_allowances(reading, settlement, false);
}

static void read_lines(struct reading *reading, const xmlNode *transaction) {
    static const char name[] = "ram:IncludedSupplyChainTradeLineItem";
    struct einvoice *invoice = reading->invoice;
    invoice->lines.items = read_items(reading, xml_count(transaction, name), sizeof *invoice->lines.items);
    for (const xmlNode *node = xml_child(transaction, name); invoice->lines.items && node; node = xml_next(node, name))
        read_line(reading, node, &invoice->lines.items[invoice->lines.count++]);
}

static void read_breakdowns(struct reading *reading, const xmlNode *settlement) {
    static const char name[] = "ram:ApplicableTradeTax";
    struct einvoice *invoice = reading->invoice;
    invoice->breakdowns.items = read_items(reading, xml_count(settlement, name), sizeof *invoice->breakdowns.items);
    for (const xmlNode *node = xml_child(settlement, name); invoice->breakdowns.items && node; node = xml_next(node, name)) {
        struct einvoice_breakdown *breakdown = &invoice->breakdowns.items[invoice->breakdowns.count++];
        breakdown->line = xml_line(node);
        breakdown->taxable = read_amount(reading, xml_child(node, "ram:BasisAmount"), "BT-116");
        breakdown->amount = read_amount(reading, xml_child(node, "ram:CalculatedAmount"), "BT-117");
        breakdown->tax = read_tax(reading, node, "BT-119");
        if (!invoice->tax_point.text.given && xml_child(node, "ram:TaxPointDate")) {
            invoice->tax_point = read_102(reading, xml_child(node, "ram:TaxPointDate"), "BT-7");
            invoice->tax_point.text.given = true;
        }
        if (!invoice->tax_point_code.given) invoice->tax_point_code = read_text(reading, xml_child(node, "ram:DueDateTypeCode"));
    }
}

static void read_totals(struct reading *reading, const xmlNode *totals) {
    static const char tax[] = "ram:TaxTotalAmount";
    struct einvoice *invoice = reading->invoice;
    invoice->totals_given = totals != NULL;
    invoice->totals_line = xml_line(totals);
    invoice->line_total = read_amount(reading, xml_child(totals, "ram:LineTotalAmount"), "BT-106");
    invoice->allowance_total = read_amount(reading, xml_child(totals, "ram:AllowanceTotalAmount"), "BT-107");
    invoice->charge_total = read_amount(reading, xml_child(totals, "ram:ChargeTotalAmount"), "BT-108");
    invoice->net_total = read_amount(reading, xml_child(totals, "ram:TaxBasisTotalAmount"), "BT-109");
    invoice->gross_total = read_amount(reading, xml_child(totals, "ram:GrandTotalAmount"), "BT-112");
    invoice->prepaid = read_amount(reading, xml_child(totals, "ram:TotalPrepaidAmount"), "BT-113");
    invoice->rounding = read_amount(reading, xml_child(totals, "ram:RoundingAmount"), "BT-114");
    invoice->payable = read_amount(reading, xml_child(totals, "ram:DuePayableAmount"), "BT-115");
    invoice->tax_totals.items = read_items(reading, xml_count(totals, tax), sizeof *invoice->tax_totals.items);
    for (const xmlNode *node = xml_child(totals, tax); invoice->tax_totals.items && node; node = xml_next(node, tax))
        invoice->tax_totals.items[invoice->tax_totals.count++] = (struct einvoice_tax_total){xml_line(node), read_amount(reading, node, "BT-110/BT-111")};
}

static void read_references(struct reading *reading, const xmlNode *settlement) {
    static const char preceding[] = "ram:InvoiceReferencedDocument", means[] = "ram:SpecifiedTradeSettlementPaymentMeans";
    struct einvoice *invoice = reading->invoice;
    invoice->preceding.items = read_items(reading, xml_count(settlement, preceding), sizeof *invoice->preceding.items);
    for (const xmlNode *node = xml_child(settlement, preceding); invoice->preceding.items && node; node = xml_next(node, preceding))
        invoice->preceding.items[invoice->preceding.count++] = (struct einvoice_reference){xml_line(node), read_text(reading, xml_child(node, "ram:IssuerAssignedID"))};
    invoice->means.items = read_items(reading, xml_count(settlement, means), sizeof *invoice->means.items);
    for (const xmlNode *node = xml_child(settlement, means); invoice->means.items && node; node = xml_next(node, means)) {
        const xmlNode *account = xml_find(node, "ram:PayeePartyCreditorFinancialAccount/ram:IBANID");
        if (!account) account = xml_find(node, "ram:PayeePartyCreditorFinancialAccount/ram:ProprietaryID");
        invoice->means.items[invoice->means.count++] =
            (struct einvoice_means){xml_line(node), read_text(reading, xml_child(node, "ram:TypeCode")), read_text(reading, account),
                                    read_text(reading, xml_find(node, "ram:ApplicableTradeSettlementFinancialCard/ram:ID"))};
    }
}

void read_cii(struct reading *reading, const xmlNode *root) {
    struct einvoice *invoice = reading->invoice;
    const xmlNode *document = read_only(reading, root, "rsm:ExchangedDocument", "BT-1");
    const xmlNode *transaction = read_only(reading, root, "rsm:SupplyChainTradeTransaction", "BG-25");
    const xmlNode *agreement = read_only(reading, transaction, "ram:ApplicableHeaderTradeAgreement", "BG-4");
    const xmlNode *delivery = read_only(reading, transaction, "ram:ApplicableHeaderTradeDelivery", "BG-13");
    const xmlNode *settlement = read_only(reading, transaction, "ram:ApplicableHeaderTradeSettlement", "BG-22");
    invoice->specification = read_text(reading, xml_find(root, "rsm:ExchangedDocumentContext/ram:GuidelineSpecifiedDocumentContextParameter/ram:ID"));
    invoice->number = read_text(reading, read_only(reading, document, "ram:ID", "BT-1"));
    invoice->type_code = read_text(reading, read_only(reading, document, "ram:TypeCode", "BT-3"));
    invoice->issued = read_102(reading, xml_child(document, "ram:IssueDateTime"), "BT-2");
    invoice->currency = read_text(reading, read_only(reading, settlement, "ram:InvoiceCurrencyCode", "BT-5"));
    invoice->tax_currency = read_text(reading, xml_child(settlement, "ram:TaxCurrencyCode"));
    invoice->tax_point.date = DATE_NONE;
    invoice->due = read_102(reading, xml_find(settlement, "ram:SpecifiedTradePaymentTerms/ram:DueDateDateTime"), "BT-9");
    invoice->terms = read_text(reading, xml_find(settlement, "ram:SpecifiedTradePaymentTerms/ram:Description"));
    invoice->order = read_text(reading, xml_find(agreement, "ram:BuyerOrderReferencedDocument/ram:IssuerAssignedID"));
    invoice->delivered = read_102(reading, xml_find(delivery, "ram:ActualDeliverySupplyChainEvent/ram:OccurrenceDateTime"), "BT-72");
    invoice->deliver_country = read_text(reading, xml_find(delivery, "ram:ShipToTradeParty/ram:PostalTradeAddress/ram:CountryID"));
    invoice->period = read_period(reading, xml_child(settlement, "ram:BillingSpecifiedPeriod"), "BT-73", "BT-74");
    invoice->period_said = invoice->period.start.text.given || invoice->period.end.text.given;
    invoice->seller = read_party(reading, read_only(reading, agreement, "ram:SellerTradeParty", "BG-4"));
    invoice->buyer = read_party(reading, xml_child(agreement, "ram:BuyerTradeParty"));
    invoice->representative = read_party(reading, xml_child(agreement, "ram:SellerTaxRepresentativeTradeParty"));
    read_references(reading, settlement);
    invoice->allowances = read_allowances(reading, settlement, true);
    read_breakdowns(reading, settlement);
    read_totals(reading, read_only(reading, settlement, "ram:SpecifiedTradeSettlementHeaderMonetarySummation", "BG-22"));
    read_lines(reading, transaction);
}
