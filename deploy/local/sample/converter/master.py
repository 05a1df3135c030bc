"""Derives the master data by the rules of derivation.json (README.md, Master data)."""

import datetime
import json
import re

from .source import UNKNOWN, InputError

TABLES = ("legal-entities", "accounts", "suppliers", "cost-centres", "projects", "tax-codes", "fx-rates", "periods", "tolerances",
          "source-permissions", "erp-routes", "code-mappings", "posting-rules", "flow-policies")


def slug(text):
    """Lower case letters and digits, joined by hyphens: "Trading & End Products" becomes "trading-end-products"."""
    return "-".join(re.findall(r"[^\W_]+", text.lower()))


class Derivation:
    """The rules of derivation.json, and what they say about a case."""

    def __init__(self, path):
        try:
            with open(path, encoding="utf-8") as file:
                self.rules = json.load(file)
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be read: {error}") from error
        self.rates = {code["tax_code"]: [(rate["valid_from"], hundredths(rate["rate"])) for rate in code["rates"]] for code in self.rules["tax_codes"]}

    def category(self, case):
        parts = [slug(case.get(name, "")) for name in ("spend_class", "spend_area")]
        return "-".join(part for part in parts if part) or self.rules["without_spend_class"]

    def cost_centre(self, case):
        return "CC-" + (slug(case.get("spend_area", "")) or self.rules["without_spend_class"])

    def account(self, case):
        return first_match(self.rules["purchase_accounts"], case)["account"]

    def codes(self, case):
        """Fields of an order line that the case decides."""
        return {"category": self.category(case), "cost_centre": self.cost_centre(case),
                "tax_code": first_match(self.rules["tax_code_of_spend"], case)["tax_code"]}

    def rate(self, tax_code, date):
        """Hundredths of a per cent on an ISO date; before the first rate the first one holds."""
        rates = self.rates[tax_code]
        return next((rate for valid_from, rate in reversed(rates) if valid_from <= date), rates[0][1])


def hundredths(text):
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int((part + "00")[:2])


def first_match(rules, case):
    """The first rule whose spend fields are * or the case's."""
    fields = ("spend_class", "spend_area", "sub_spend_area")
    return next(rule for rule in rules if all(rule.get(name, "*") in ("*", case.get(name, "")) for name in fields))


def months(first_year, last_year):
    """(name, first day, last day) of every month of the years."""
    for year in range(first_year, last_year + 1):
        for month in range(1, 13):
            first = datetime.date(year, month, 1)
            next_first = datetime.date(year + month // 12, month % 12 + 1, 1)
            yield f"{year:04d}-{month:02d}", first.isoformat(), (next_first - datetime.timedelta(days=1)).isoformat()


def iban(country, account):
    """With check digits of ISO 13616."""
    digits = "".join(str(int(letter, 36)) for letter in account + country + "00")
    return f"{country}{98 - int(digits) % 97:02d}{account}"


def derive(derivation, cases, events, first_year, last_year, pays=False):
    """All tables as lists of records. Entities and suppliers are those of the events and the cases; an unknown one gets no record.

    pays: also what payments need, by the derivation's section "payments"."""
    rules = derivation.rules
    entities = sorted(({event.entity for event in events} | {case["company"] for case in cases.values()}) - {"", UNKNOWN})
    names = {event.supplier: "" for event in events}
    names.update({case["vendor"]: case["vendor_name"] for case in cases.values() if case["vendor"]})
    names.pop(UNKNOWN, None)
    tables = {table: [] for table in TABLES}

    def add(table, valid_from=rules["valid_from"], status="active", **fields):
        tables[table].append({**fields, "valid_from": valid_from, "status": status, "source": rules["source"]})

    for entity in entities:
        add("legal-entities", entity=entity, name=entity, functional_currency=rules["currency"], time_zone=rules["time_zone"],
            ledger=rules["ledger"], rule_set=rules["rule_set"], chart=rules["chart"], rounding_account=rules["rounding_account"])
        add("tolerances", entity=entity, **rules["tolerance"])
        add("erp-routes", entity=entity, erp=rules["erp"])
        for code in rules["tax_codes"]:
            for rate in code["rates"]:
                add("tax-codes", valid_from=rate["valid_from"], entity=entity, tax_code=code["tax_code"], name=code["name"],
                    rate=rate["rate"], deductible="100.0000", reverse_charge=False)
        for period, first_day, last_day in months(first_year, last_year):
            add("periods", valid_from=first_day, status="open", entity=entity, ledger=rules["ledger"], period=period, last_day=last_day)
        for cost_centre, name in sorted(cost_centres(derivation, cases).items()):
            add("cost-centres", entity=entity, cost_centre=cost_centre, name=name)
    for supplier, name in sorted(names.items()):
        add("suppliers", supplier=supplier, name=name or supplier, country=rules["country"], group="trade", tax_id="", payment_terms="")
    for account in rules["accounts"]:
        add("accounts", chart=rules["chart"], **account)
    mapping = {derivation.category(case): derivation.account(case) for case in cases.values()}
    for code, target in [("*", derivation.account({})), *sorted(mapping.items())]:
        add("code-mappings", mapping_set=rules["mapping_set"], code=code, target=target)
    for topic in ("procurement.events", "invoice.events"):
        add("source-permissions", source_system=rules["source"], topic=topic, entities=["*"])
    for policy in flow_policies():
        add("flow-policies", **policy)
    add("posting-rules", rule_set=rules["rule_set"], rules=rules["posting_rules"] + (rules["payments"]["posting_rules"] if pays else []))
    if pays:
        add_payments(rules["payments"], rules, entities, sorted(names), tables, add)
    return tables


def add_payments(payments, rules, entities, suppliers, tables, add):
    """Bank accounts, the accounts they go to, the policy of payments, and who may say what of them."""
    tables.update({"bank-accounts": [], "supplier-accounts": []})
    for number, entity in enumerate(entities, 1):
        add("bank-accounts", entity=entity, bank_account=payments["bank_account"], iban=iban(rules["country"], f"{payments['own_bank']}{number:010d}"),
            currency=rules["currency"], account=payments["bank_ledger_account"], transit_account=payments["transit_ledger_account"])
    for number, supplier in enumerate(suppliers, 1):
        add("supplier-accounts", supplier=supplier, supplier_account=supplier + payments["supplier_account_ends"], holder=supplier,
            iban=iban(rules["country"], f"{payments['supplier_bank']}{number:010d}"))
    for account in payments["accounts"]:
        add("accounts", chart=rules["chart"], **account)
    for tolerance in tables["tolerances"]:
        tolerance.update(payment_approval=payments["approval_from"], wait_days=payments["wait_days"])
    for source, topic in ((rules["source"], "payment.events"), (payments["bank_source"], "payment.events"), ("kontor-invoice", "payables")):
        add("source-permissions", source_system=source, topic=topic, entities=["*"])


# Days until a document must be decided, and who answers for the flow; nothing is watched that only an ERP answers, since none takes the sample's journals.
FLOWS = {"procurement": (30, "Purchasing", "purchasing desk"), "invoice": (30, "Accounts payable", "head of accounts payable"),
         "payment": (5, "Treasury", "head of treasury"), "expense": (30, "Travel and expense", "head of human resources"), "journal": (5, "General ledger", "head of accounting"),
         "settlement": (5, "General ledger", "head of accounting"), "budget": (5, "Controlling", "chief financial officer"), "review": (5, "Controlling", "chief financial officer")}


def flow_policies():
    """Fields of master.flow-policies: one of every flow, for all entities."""
    for flow, (days, owner, path) in FLOWS.items():
        yield {"entity": "*", "flow": flow, "limits": [{"step": "decided", "minutes": days * 24 * 60}], "control_owner": owner, "exception_path": path}


def cost_centres(derivation, cases):
    """Cost centre to name; one for cases without a spend area always, since events may have no case."""
    found = {derivation.cost_centre(case): case["spend_area"] for case in cases.values()}
    found[derivation.cost_centre({})] = derivation.rules["without_spend_class"]
    return found
