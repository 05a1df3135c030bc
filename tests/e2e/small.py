"""A small company for tests that need few records: entity ACME in EUR, suppliers S1 and S2, one order at a time."""

import base64
import calendar
import datetime
import itertools
import json

FROM = "1990-01-01"
RULE_LINES = {
    "goods_receipt": [("debit", "map:purchase-account:category", "receipt_value"), ("credit", "191100", "receipt_value")],
    "invoice_with_order": [("debit", "191100", "receipt_value"), ("debit", "154000", "tax_deductible"), ("debit", "map:purchase-account:category", "tax_not_deductible"),
                           ("debit", "399000", "variance_above"), ("credit", "399000", "variance_below"), ("credit", "160000", "gross")],
    "clearing": [("debit", "160000", "gross"), ("credit", "179000", "gross")],
}


def master(**changes):
    """Records by table; changes: table=list replaces a table's."""
    def record(**fields):
        return {"valid_from": FROM, "status": "active", "source": "MDM", **fields}
    years = sorted({2026, datetime.date.today().year, datetime.date.today().year + 1})      # a corrected event is of the day on which it was corrected
    months = [(f"{year}-{month:02}", calendar.monthrange(year, month)[1]) for year in years for month in range(1, 13)]
    tables = {
        "legal-entities": [record(entity="ACME", functional_currency="EUR", time_zone="Europe/Amsterdam", rule_set="std", chart="std", rounding_account="399900")],
        "accounts": [record(chart="std", account=number, type="expense") for number in ("400000", "191100", "154000", "399000", "160000", "179000", "399900")],
        "suppliers": [record(supplier=name) for name in ("S1", "S2")],
        "tax-codes": [record(entity="ACME", tax_code="V19", rate="19")],
        "periods": [record(entity="ACME", ledger="GL", period=month, valid_from=f"{month}-01", last_day=f"{month}-{days}", status="open") for month, days in months],
        "tolerances": [record(entity="ACME", price_percent="2", price_amount="1")],
        "source-permissions": [record(source_system="ERP1", topic=topic, entities=["*"]) for topic in ("procurement.events", "invoice.events")],
        "erp-routes": [record(entity="ACME", erp="tryton")],
        "code-mappings": [record(mapping_set="purchase-account", code="*", target="400000")],
        "posting-rules": [record(rule_set="std", rules=[{"rule": step, "step": step, "lines": [{"side": side, "account": account, "amount": amount}
                                                                                                for side, account, amount in lines]} for step, lines in RULE_LINES.items()])],
    }
    tables.update({table.replace("_", "-"): records for table, records in changes.items()})
    return tables


def write_master(folder, tables):
    folder.mkdir(parents=True, exist_ok=True)
    for table, records in tables.items():
        (folder / f"{table}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


_ids = itertools.count(1)


def line(value, minute, key=None, **extra):
    """A line for kontor produce; minute: minutes after 2026-03-02 10:00 UTC."""
    timestamp = 1772445600000 + minute * 60000
    return json.dumps({"timestamp": timestamp, "key": key or f"{value['entity']}|{value['supplier']}", "value": value, **extra}) + "\n"


def event(kind, document, supplier="S1", **fields):
    return {"event_id": f"E{next(_ids)}", "kind": kind, "source": "ERP1", "entity": "ACME", "supplier": supplier, "document": document,
            "document_date": "2026-03-02", "currency": "EUR", **fields}


def order(number, quantity="10", net="1000.00", **fields):
    return event("order_created", number, order=number, lines=[{"line": "1", "quantity": quantity, "net": net, "category": "goods"}], **fields)


def receipt(document, number, quantity="10", **fields):
    return event("goods_received", document, order=number, lines=[{"line": "1", "quantity": quantity}], **fields)


def invoice(document, number, quantity="10", net="1000.00", tax="190.00", total="1190.00", kind="received", **fields):
    return event(kind, document, number=f"N-{document}", total=total,
                 lines=[{"line": "1", "order": number, "order_line": "1", "quantity": quantity, "net": net, "tax_code": "V19", "tax": tax}], **fields)


def raw(value, key, minute=0, headers=None):
    """A line for kontor produce --raw."""
    return json.dumps({"timestamp": 1772445600000 + minute * 60000, "key": key, "headers": headers or {}, "value": base64.b64encode(value).decode()}) + "\n"
