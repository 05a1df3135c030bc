"""Seeded changes of e-invoices: an amount, a rate, a category, an element dropped or doubled. The same seed gives the same documents."""
import copy
import random
import xml.etree.ElementTree as tree
from decimal import Decimal, InvalidOperation

CATEGORIES = "S Z E AE K G O L M XX".split()
TYPES = "380 381 384 386 389 326 81 999".split()
DOUBLED = {"TaxSubtotal", "TaxTotal", "InvoiceLine", "CreditNoteLine", "AllowanceCharge", "ApplicableTradeTax", "IncludedSupplyChainTradeLineItem",
           "SpecifiedTradeAllowanceCharge", "BillingReference", "PaymentMeans"}
AMOUNTS = {"Amount", "TaxableAmount", "TaxAmount", "LineExtensionAmount", "TaxExclusiveAmount", "TaxInclusiveAmount", "AllowanceTotalAmount", "ChargeTotalAmount",
           "PrepaidAmount", "PayableRoundingAmount", "PayableAmount", "BaseAmount", "PriceAmount", "ActualAmount", "BasisAmount", "CalculatedAmount", "LineTotalAmount",
           "TaxBasisTotalAmount", "GrandTotalAmount", "DuePayableAmount", "TaxTotalAmount", "RoundingAmount", "TotalPrepaidAmount", "ChargeAmount"}
RATES = {"Percent", "RateApplicablePercent"}
# What would make the published stylesheet itself fail: it takes these for single.
NEVER_DROPPED = {"CrossIndustryInvoice", "Invoice", "CreditNote", "SupplyChainTradeTransaction", "ApplicableHeaderTradeSettlement"}


def name(element):
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def elements(root):
    """(parent, child) of every element below the root."""
    return [(parent, child) for parent in root.iter() for child in parent if isinstance(child.tag, str)]


def change_amount(rng, root):
    found = [e for e in root.iter() if name(e) in AMOUNTS and e.text and e.text.strip()]
    if not found:
        return None
    element = rng.choice(found)
    try:
        value = Decimal(element.text.strip())
    except InvalidOperation:
        return None
    new = rng.choice([value + Decimal("0.01"), value - Decimal("0.01"), value + 1, value - 1, value + Decimal("0.99"), -value, Decimal(0), value * 2,
                      value + Decimal("0.001"), value + Decimal("0.5"), value - Decimal("0.005")])
    element.text = format(new, "f")
    return f"{name(element)} {value} -> {element.text}"


def change_rate(rng, root):
    found = [e for e in root.iter() if name(e) in RATES]
    if not found:
        return None
    element = rng.choice(found)
    old, element.text = element.text, rng.choice(["0", "0.4", "0.5", "6", "21.00", "25", "19.5", "-5"])
    return f"{name(element)} {old} -> {element.text}"


def change_category(rng, root):
    found = [e for p, e in elements(root) if (name(p) in ("TaxCategory", "ClassifiedTaxCategory") and name(e) == "ID") or name(e) == "CategoryCode"]
    if not found:
        return None
    new = rng.choice(CATEGORIES)
    chosen = [rng.choice(found)] if rng.random() < 0.5 else [e for e in found if e.text == found[0].text]
    for element in chosen:
        element.text = new
    return f"category of {len(chosen)} -> {new}"


def change_type(rng, root):
    found = [e for p, e in elements(root) if name(e) in ("InvoiceTypeCode", "CreditNoteTypeCode") or (name(p), name(e)) == ("ExchangedDocument", "TypeCode")]
    if not found:
        return None
    found[0].text = rng.choice(TYPES)
    return f"type -> {found[0].text}"


def change_currency(rng, root):
    found = [e for e in root.iter() if "currencyID" in e.attrib and name(e) in ("TaxAmount", "TaxTotalAmount")]
    if not found:
        return None
    element = rng.choice(found)
    element.set("currencyID", rng.choice(["EUR", "USD"]))
    return f"currency of {name(element)}"


def empty_text(rng, root):
    found = [e for e in root.iter() if e.text and e.text.strip() and not len(e) and name(e) in ("ID", "Name", "CustomizationID", "RegistrationName", "IdentificationCode",
                                                                                             "CountryID", "LineID", "IssuerAssignedID", "InvoiceCurrencyCode")]
    if not found:
        return None
    element = rng.choice(found)
    element.text = rng.choice(["", " "])
    return f"{name(element)} emptied"


def drop(rng, root):
    found = [(p, e) for p, e in elements(root) if name(e) not in NEVER_DROPPED]
    parent, element = rng.choice(found)
    parent.remove(element)
    return f"{name(parent)}/{name(element)} dropped"


def drop_attribute(rng, root):
    found = [e for e in root.iter() if e.attrib]
    if not found:
        return None
    element = rng.choice(found)
    key = rng.choice(sorted(element.attrib))
    del element.attrib[key]
    return f"{name(element)}/@{key} dropped"


def double(rng, root):
    found = [(p, e) for p, e in elements(root) if name(e) in DOUBLED]
    if not found:
        return None
    parent, element = rng.choice(found)
    parent.insert(list(parent).index(element), copy.deepcopy(element))
    return f"{name(element)} doubled"


REGISTRATIONS = {"PartyTaxScheme", "SpecifiedTaxRegistration", "PartyLegalEntity", "SpecifiedLegalOrganization", "Delivery", "InvoicePeriod", "ShipToTradeParty",
                 "ActualDeliverySupplyChainEvent", "BillingSpecifiedPeriod", "TaxExemptionReason", "ExemptionReason"}


def change_registration(rng, root):
    """Another category for all, or for one, and some of what the categories ask for taken away."""
    what = change_category(rng, root) or "no category"
    for rate in root.iter():
        if name(rate) in RATES and rng.random() < 0.5:
            rate.text = "0"
    for parent, element in elements(root):
        if name(element) in REGISTRATIONS and element in list(parent) and rng.random() < 0.4:
            parent.remove(element)
            what += f", without {name(element)}"
    for element in root.iter():
        if element.get("schemeID") in ("VA", "FC") and rng.random() < 0.3:
            element.set("schemeID", "VA" if element.get("schemeID") == "FC" else "FC")
    return what


MUTATIONS = [(change_amount, 8), (drop, 6), (change_registration, 5), (change_category, 4), (change_rate, 3), (double, 2), (empty_text, 2), (drop_attribute, 1),
             (change_type, 1), (change_currency, 1)]


def mutants(path, seed, count):
    """Yields (what was changed, the document as bytes); one to three changes each."""
    rng = random.Random(f"{seed} {path.name}")
    original = tree.parse(path).getroot()
    kinds, weights = zip(*MUTATIONS)
    for _ in range(count):
        root, done = copy.deepcopy(original), []
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            done.append(rng.choices(kinds, weights)[0](rng, root))
        yield ", ".join(filter(None, done)) or "nothing", tree.tostring(root, encoding="utf-8", xml_declaration=True)
