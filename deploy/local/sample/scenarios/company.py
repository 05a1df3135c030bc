"""The two companies: master data, exchange rates, posting rules. All of it is invented but the rates, which are the European Central Bank's."""

import csv
import functools
import json
from calendar import monthrange
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from converter import rates     # these for the master data alone
from converter.master import flow_policies, iban

SOURCE = "OFFICE"           # the system that all events come from
FIRST, LAST = date(2018, 1, 1), date(2019, 12, 31)
RATES = Path(__file__).resolve().parents[1] / "fx" / "eurofxref-2016-2019.csv"
FOREIGN = ("EUR", "USD", "GBP", "SEK")
FUNCTIONAL = {"HOME": "EUR", "NORD": "SEK"}
ROUNDING, FX_LOSS, FX_GAIN = "499900", "481000", "482000"
STANDARD_TAX = {"HOME": "V21", "NORD": "V25"}
TAX_RATE = {"V21": 21, "V25": 25, "H21": 21, "V0": 0, "O21": 21, "O25": 25}
SUPPLIERS, EMPLOYEES = 40, 30                           # of each company
BANKS = {("HOME", "EUR"): ("MAIN", "110000", "179000"), ("HOME", "USD"): ("DOLLAR", "111000", "179100"),
         ("NORD", "SEK"): ("KRONA", "112000", "179200"), ("NORD", "EUR"): ("EURO", "113000", "179300")}
ACCOUNTS = {
    "110000": ("Bank, euro", "asset"), "111000": ("Bank, dollar", "asset"), "112000": ("Bank, krona", "asset"), "113000": ("Bank, euro in Sweden", "asset"),
    "130000": ("Trade receivables", "asset"), "132000": ("Due from employees", "asset"), "133000": ("Advances to employees", "asset"),
    "145000": ("Prepayments to suppliers", "asset"), "154000": ("Input tax", "asset"), "155000": ("Output tax", "liability"), "160000": ("Trade payables", "liability"),
    "161000": ("Due to employees", "liability"), "163000": ("Card clearing", "liability"), "164000": ("Card issuer", "liability"),
    "165000": ("Payroll clearing", "liability"),
    "166000": ("Wage tax payable", "liability"), "175000": ("Withholding tax payable", "liability"), "179000": ("In transit, euro", "liability"),
    "179100": ("In transit, dollar", "liability"), "179200": ("In transit, krona", "liability"), "179300": ("In transit, euro in Sweden", "liability"),
    "181000": ("Due from group", "asset"), "182000": ("Due to group", "liability"), "190000": ("Accrued liabilities", "liability"),
    "191100": ("Goods received, not invoiced", "liability"), "300000": ("Inventory", "asset"), "399000": ("Price variance", "expense"), "400000": ("Wages", "expense"),
    "440000": ("Services", "expense"), "441000": ("Hotels", "expense"), "442000": ("Meals", "expense"), "443000": ("Transport", "expense"),
    "444000": ("Per diem and mileage", "expense"), "450000": ("Rent", "expense"), "449000": ("Other expenses", "expense"), "468000": ("Bank charges", "expense"),
    "470000": ("Group services", "expense"), "478000": ("Discounts received", "income"), FX_LOSS: ("Exchange loss", "expense"), FX_GAIN: ("Exchange gain", "income"),
    ROUNDING: ("Rounding differences", "expense"), "800000": ("Revenue", "income")}
PURCHASES = {"GOODS": "300000", "SERVICES": "440000", "RENT": "450000"}
EXPENSES = {"HOTEL": "441000", "MEAL": "442000", "TRANSPORT": "443000", "PERDIEM": "444000", "MILEAGE": "444000", "OTHER": "449000"}
# Per diem of a day by entity and country, in functional currency; half a day is half of it. A breakfast takes 20 %, lunch and dinner 40 % of a day.
PER_DIEM = {"HOME": {"NL": "30.00", "DE": "28.00", "US": "59.00", "GB": "66.00"}, "NORD": {"SE": "290.00", "DE": "652.00", "US": "868.00", "GB": "731.00"}}
MILEAGE = {"HOME": "0.23", "NORD": "2.50"}
HOTEL_LIMIT = {"HOME": "400.00", "NORD": "4500.00"}
PROOF_ABOVE = {"HOME": "15.00", "NORD": "150.00"}
EXPENSE_TAX = {"HOTEL": ("VH", {"HOME": 9, "NORD": 12}), "TRANSPORT": ("VT", {"HOME": 9, "NORD": 6}), "MEAL": ("VM", {"HOME": 9, "NORD": 12})}
HOME_COUNTRY = {"HOME": "NL", "NORD": "SE"}


@functools.cache
def per_euro():
    """Day: currency: units of it per euro, as the central bank lists them."""
    with open(RATES, newline="", encoding="utf-8") as file:
        return {date.fromisoformat(row.pop("date")): {"EUR": Decimal(1), **{code: Decimal(value) for code, value in row.items() if value != "N/A"}}
                for row in csv.DictReader(file)}


@functools.cache
def rate(currency, into, day):
    """The rate that holds on the day: of the day itself or the last one before it that has both currencies, to ten digits, half up.

    Reckoned apart from what writes the master data (converter/rates.py): there whole numbers, here decimals."""
    if currency == into:
        return Decimal(1)
    for age in range(8):
        found = per_euro().get(day - timedelta(age), {})
        if currency in found and into in found:
            return (found[into] / found[currency]).quantize(Decimal("1E-10"), ROUND_HALF_UP)
    raise ValueError(f"no rate from {currency} to {into} on {day}")


def months():
    for year in range(FIRST.year, LAST.year + 1):
        for month in range(1, 13):
            yield date(year, month, 1), date(year, month, monthrange(year, month)[1])


# A rule a paragraph: step, then its lines; their words are those of docs/posting-rules.md.
RULES = """
goods_receipt: dr map:purchase-account:category receipt_value; cr 191100 receipt_value
invoice_with_order: dr 191100 receipt_value; dr 154000 tax_deductible; dr map:purchase-account:category tax_not_deductible; dr 399000 variance_above;
  cr 399000 variance_below; dr 481000 fx_loss; cr 482000 fx_gain; cr 160000 gross partner
invoice_without_order: dr map:purchase-account:category net; dr 154000 tax_deductible; dr map:purchase-account:category tax_not_deductible; cr 160000 gross partner
credit_note: dr 160000 gross partner; cr map:purchase-account:category net; cr 154000 tax_deductible; cr map:purchase-account:category tax_not_deductible
payment_sent: dr 160000 settled partner; cr transit paid; cr 478000 discount_net; cr 154000 discount_tax; cr tax_code withheld; dr 481000 fx_loss; cr 482000 fx_gain
payment_sent_bearer: dr 160000 settled partner; cr intercompany paid; cr 478000 discount_net; cr 154000 discount_tax; cr tax_code withheld; dr 481000 fx_loss;
  cr 482000 fx_gain
payment_sent_payer: dr intercompany paid partner; cr transit paid
payment_settled: dr transit paid; dr 468000 charges; cr bank bank; dr 481000 fx_loss; cr 482000 fx_gain
payment_returned: dr bank bank; cr 468000 charges; cr transit paid; dr 481000 fx_loss; cr 482000 fx_gain
payment_refunded: dr bank bank; cr 468000 charges; cr 160000 paid partner; dr 481000 fx_loss; cr 482000 fx_gain
prepayment_sent: dr 145000 net partner; dr 145000 tax_not_deductible partner; dr 154000 tax_deductible; cr transit gross
prepayment_applied: dr 160000 gross partner; cr 145000 net partner; cr 145000 tax_not_deductible partner; cr 154000 tax_deductible; dr 481000 fx_loss;
  cr 482000 fx_gain
expense_paid_by_employee: dr map:expense-account:category net; dr 154000 tax_deductible; dr map:expense-account:category tax_not_deductible;
  cr employee gross partner
expense_paid_by_card: dr map:expense-account:category net; dr 154000 tax_deductible; dr map:expense-account:category tax_not_deductible; cr 163000 gross;
  dr 481000 fx_loss; cr 482000 fx_gain
expense_personal: dr 132000 gross partner; cr 163000 gross; dr 481000 fx_loss; cr 482000 fx_gain
card_transaction: dr 163000 gross; cr 164000 gross partner
card_statement_paid: dr 164000 settled partner; cr transit paid; dr 481000 fx_loss; cr 482000 fx_gain
advance_paid: dr 133000 paid partner; cr transit paid
advance_applied: dr employee paid partner; cr 133000 settled partner; dr 481000 fx_loss; cr 482000 fx_gain
advance_returned: dr bank paid; cr 133000 settled partner; dr 481000 fx_loss; cr 482000 fx_gain
reimbursement_bank: dr employee settled partner; cr transit paid; dr 481000 fx_loss; cr 482000 fx_gain
reimbursement_payroll: dr employee settled partner; cr 165000 paid; dr 481000 fx_loss; cr 482000 fx_gain
journal_billing: dr 130000 gross partner; cr 800000 net; cr 155000 tax_deductible; cr 155000 tax_not_deductible
"""


def rules():
    for line in RULES.strip().replace("\n  ", " ").splitlines():
        step, _, lines = line.partition(": ")
        entries = [entry.split() for entry in lines.split("; ")]
        yield {"rule": step.replace("_", "-"), "step": step, "lines": [
            {"side": {"dr": "debit", "cr": "credit"}[entry[0]], "account": entry[1], "amount": entry[2], "partner": "partner" in entry[3:]} for entry in entries]}


def supplier(entity, number):
    """Of each company's forty the first ten give a discount, and the last keeps its withholding tax back."""
    return f"{entity[0]}S{number:02d}"


def suppliers():
    for entity in FUNCTIONAL:
        country = HOME_COUNTRY[entity]
        for number in range(1, SUPPLIERS + 1):
            name = supplier(entity, number)
            bank_account = f"RABO{number:010d}" if country == "NL" else f"{number:020d}"
            yield ({"supplier": name, "name": f"Supplier {name}", "country": country, "payment_terms": "D10" if number <= 10 else "N30",
                    "withholding_code": f"W5{entity[0]}" if number == SUPPLIERS else ""},
                   {"supplier": name, "supplier_account": f"{name}A", "iban": iban(country, bank_account), "holder": f"Supplier {name}"})


def employee(entity, number):
    return f"{entity[0]}E{number:02d}"


def by_payroll(entity, number):
    return number % 5 == 0


def tables():
    """Table: records without valid_from, status and source, where they are the usual ones."""
    yield "legal-entities", [{"entity": entity, "name": entity.title(), "functional_currency": currency, "time_zone": zone, "ledger": "GL", "rule_set": "OFFICE",
                              "chart": "OFFICE", "rounding_account": ROUNDING, "country": HOME_COUNTRY[entity], "late_documents": late}
                             for (entity, currency), zone, late in zip(FUNCTIONAL.items(), ("Europe/Amsterdam", "Europe/Stockholm"), ("park", "next_open"))]
    yield "erp-routes", [{"entity": entity, "erp": "tryton"} for entity in FUNCTIONAL]
    # What waits, waits through the whole time: payables come by a topic of their own, and how late they are to payments is not for the sample to decide.
    yield "tolerances", [{"entity": entity, "price_percent": "2", "price_amount": "1", "quantity_percent": "0", "receipt_wait_days": 2000, "wait_days": 2000,
                          "invoice_posts_on": "approved"} for entity in FUNCTIONAL]
    topics = ("procurement.events", "invoice.events", "payment.events", "expense.events", "journal.events")
    yield "source-permissions", [{"source_system": SOURCE, "topic": topic, "entities": ["*"], "journals": topic == "journal.events"} for topic in topics] + [
        {"source_system": "BILLING", "topic": "journal.events", "entities": ["*"]}, {"source_system": "kontor-invoice", "topic": "payables", "entities": ["*"]}] + [
        {"source_system": "PROBE", "topic": topic, "entities": ["HOME"], "journals": topic == "journal.events", "synthetic": True}    # deploy/probe/sample.json
        for topic in (*topics, "settlement.events", "review.decisions")]
    yield "periods", [{"entity": entity, "ledger": "GL", "period": f"{first:%Y-%m}", "valid_from": first, "last_day": last, "status": status}
                      for entity in FUNCTIONAL for first, last, status in [(date(2017, 12, 1), date(2017, 12, 31), "closed"), *((*month, "open") for month in months())]]
    yield "fx-rates", list(rates.records(rates.read_days(RATES), str(FIRST), str(LAST), tuple(FUNCTIONAL.values()), FOREIGN, SOURCE))
    yield "accounts", [{"chart": "OFFICE", "account": number, "name": name, "type": kind} for number, (name, kind) in ACCOUNTS.items()]
    yield "code-mappings", [{"mapping_set": name, "code": code, "target": target} for name, codes in (("purchase-account", PURCHASES), ("expense-account", EXPENSES))
                            for code, target in codes.items()]
    yield "posting-rules", [{"rule_set": "OFFICE", "rules": list(rules())}]
    yield "tax-codes", list(tax_codes())
    yield "cost-centres", [{"entity": entity, "cost_centre": "CC10", "name": "Office"} for entity in FUNCTIONAL]
    yield "projects", []
    yield "flow-policies", list(flow_policies())
    pairs = list(suppliers())
    yield "suppliers", [record for record, _ in pairs]
    yield "supplier-accounts", [account for _, account in pairs]
    yield "payment-terms", [{"terms": "N30", "net_days": 30}, {"terms": "D10", "net_days": 30, "discounts": [{"days": 10, "percent": "2"}]}]
    yield "bank-accounts", [{"entity": entity, "bank_account": name, "currency": currency, "account": account, "transit_account": transit}
                            for (entity, currency), (name, account, transit) in BANKS.items()]
    yield "intercompany", [{"payer": "HOME", "bearer": "NORD", "due_from_account": "181000", "due_to_account": "182000"}]
    yield from travel_tables()


def tax_codes():
    for entity in FUNCTIONAL:
        standard = TAX_RATE[STANDARD_TAX[entity]]
        yield {"entity": entity, "tax_code": STANDARD_TAX[entity], "rate": standard}
        yield {"entity": entity, "tax_code": f"O{standard}", "rate": standard}
        yield {"entity": entity, "tax_code": "V0", "rate": 0}
        yield {"entity": entity, "tax_code": f"W5{entity[0]}", "rate": 5, "kind": "withholding", "account": "175000"}
        yield {"entity": entity, "tax_code": "VH.DE", "rate": 7, "deductible": 0}
        for code, rates in EXPENSE_TAX.values():
            yield {"entity": entity, "tax_code": code, "rate": rates[entity], "deductible": 50 if code == "VM" else 100}
    yield {"entity": "HOME", "tax_code": "H21", "rate": 21, "deductible": 50}


def travel_tables():
    people = [(entity, number) for entity in FUNCTIONAL for number in range(1, EMPLOYEES + 1)]
    yield "employees", [{"entity": entity, "employee": employee(entity, number), "name": f"Employee {number}", "grade": "senior" if number % 6 == 0 else "staff",
                         "cost_centre": "CC10", "manager": employee(entity, 1 if number > 1 else 2), "account": "161000",
                         "reimbursed_by": "payroll" if by_payroll(entity, number) else "bank"} for entity, number in people] + [
        {"entity": entity, "employee": f"{entity[0]}E99", "name": "Gone", "account": "161000", "status": "left"} for entity in FUNCTIONAL]
    yield "cards", [{"entity": entity, "card": f"{employee(entity, number)}-{currency}", "employee": employee(entity, number), "issuer": "ISSUER", "currency": currency}
                    for entity, number in people for currency in ((FUNCTIONAL[entity], "USD") if entity == "HOME" else (FUNCTIONAL[entity],))]
    policies = []
    for entity, currency in FUNCTIONAL.items():
        for category in EXPENSES:
            policy = {"entity": entity, "category": category, "grade": "*", "currency": currency}
            if category in EXPENSE_TAX:
                policy.update(tax_code=EXPENSE_TAX[category][0], proof_above=PROOF_ABOVE[entity])
            if category == "HOTEL":
                policy.update(limit=HOTEL_LIMIT[entity])
            policies.append(policy)
    yield "expense-policies", policies
    rates = [{"entity": entity, "rate_kind": "mileage", "place": "*", "currency": FUNCTIONAL[entity], "rate": MILEAGE[entity], "unit": "km"} for entity in FUNCTIONAL]
    for entity, places in PER_DIEM.items():
        for place, day in places.items():
            for kind, value in (("per_diem", day), ("per_diem_half", Decimal(day) / 2)):
                rates.append({"entity": entity, "rate_kind": kind, "place": place, "currency": FUNCTIONAL[entity], "rate": value, "breakfast_percent": 20,
                              "lunch_percent": 40, "dinner_percent": 40})
    yield "travel-rates", rates


def write(folder, source):
    """folder/<table>.jsonl of every table; source: the system that the master data comes from."""
    for table, records in tables():
        with open(folder / f"{table}.jsonl", "w") as out:
            for record in records:
                whole = {"valid_from": "1990-01-01", "status": "active", **record, "source": source}
                out.write(json.dumps({name: str(value) if isinstance(value, (Decimal, date)) else value for name, value in whole.items()}) + "\n")
