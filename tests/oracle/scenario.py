"""What the tests of the oracle are told in: a small world of master data, and events one after another."""
import json
import os
import tempfile
import unittest

from amounts import amount_text, parse_decimal
from events import TOPICS, key_of
from replay import replay

DAY = 86_400_000
START = 1_514_804_400_000        # 2018-01-01T11:00:00Z, noon in Amsterdam

EXPENSE, GRNI, TAX, PAYABLE, VARIANCE, TRANSIT, OUTPUT_TAX = "4000", "1900", "1540", "1600", "4900", "1700", "1550"
BANK, CHARGES = "1100", "4680"


def row(side, account, amount, **carry):
    return {"side": side, "account": account, "amount": amount, **carry}


def tax_rows(cost):
    return [row("debit", TAX, "tax_deductible", tax_code=True), row("debit", cost, "tax_not_deductible", cost_centre=True),
            row("debit", TAX, "tax_reverse_deductible", tax_code=True),
            row("debit", cost, "tax_reverse_not_deductible", cost_centre=True),
            row("credit", OUTPUT_TAX, "tax_reverse", tax_code=True)]


def rules():
    cost = "map:cost:category"
    return [
        {"rule": "receipt", "step": "goods_receipt",
         "lines": [row("debit", cost, "net", cost_centre=True), row("credit", GRNI, "net", partner=True)]},
        {"rule": "matched", "step": "invoice_with_order",
         "lines": [row("debit", GRNI, "receipt_value", partner=True), row("debit", VARIANCE, "variance_above", cost_centre=True),
                   *tax_rows(cost),
                   row("credit", VARIANCE, "variance_below", cost_centre=True), row("credit", PAYABLE, "gross", partner=True)]},
        {"rule": "unmatched", "step": "invoice_without_order",
         "lines": [row("debit", cost, "net", cost_centre=True), *tax_rows(cost), row("credit", PAYABLE, "gross", partner=True)]},
        {"rule": "energy", "step": "invoice_without_order", "category": "energy",
         "lines": [row("debit", "4100", "net", cost_centre=True), *tax_rows(cost), row("credit", PAYABLE, "gross", partner=True)]},
        {"rule": "subsequent", "step": "subsequent_debit",
         "lines": [row("debit", VARIANCE, "net", cost_centre=True), *tax_rows(cost), row("credit", PAYABLE, "gross", partner=True)]},
        {"rule": "credit", "step": "credit_note",
         "lines": [row("debit", PAYABLE, "gross", partner=True), row("credit", cost, "net", cost_centre=True),
                   row("credit", TAX, "tax_deductible", tax_code=True), row("credit", cost, "tax_not_deductible", cost_centre=True)]},
        {"rule": "clearing", "step": "clearing",
         "lines": [row("debit", PAYABLE, "gross", partner=True), row("credit", TRANSIT, "gross", partner=True)]},
        {"rule": "sent", "step": "payment_sent", "lines": [row("debit", PAYABLE, "settled", partner=True), row("credit", "transit", "paid")]},
        {"rule": "settled", "step": "payment_settled",
         "lines": [row("debit", "transit", "paid"), row("debit", CHARGES, "charges"), row("credit", "bank", "bank")]},
        {"rule": "returned", "step": "payment_returned",
         "lines": [row("debit", "bank", "bank"), row("credit", CHARGES, "charges"), row("credit", "transit", "paid")]},
        {"rule": "refunded", "step": "payment_refunded",
         "lines": [row("debit", "bank", "bank"), row("credit", CHARGES, "charges"), row("credit", PAYABLE, "paid", partner=True)]},
    ]


def master(**tolerance):
    always = {"valid_from": "2000-01-01", "source": "erp"}
    accounts = (EXPENSE, "4100", GRNI, TAX, PAYABLE, VARIANCE, TRANSIT, OUTPUT_TAX, BANK, CHARGES)
    tables = {
        "legal-entities": [{"entity": "E1", "functional_currency": "EUR", "time_zone": "Europe/Amsterdam", "rule_set": "R", "chart": "C",
                            "rounding_account": VARIANCE}],
        "suppliers": [{"supplier": "S1"}, {"supplier": "BLOCKED", "status": "blocked_for_posting"}],
        "accounts": [{"chart": "C", "account": account, "type": "expense"} for account in accounts],
        "cost-centres": [{"entity": "E1", "cost_centre": "K1"}],
        "projects": [],
        "tax-codes": [{"entity": "E1", "tax_code": "V21", "rate": "21"}, {"entity": "E1", "tax_code": "V0", "rate": "0"},
                      {"entity": "E1", "tax_code": "HALF", "rate": "21", "deductible": "50"},
                      {"entity": "E1", "tax_code": "RC", "rate": "21", "deductible": "50", "reverse_charge": True}],
        "periods": [{"entity": "E1", "ledger": "GL", "period": "2018", "last_day": "2018-12-31", "valid_from": "2018-01-01"},
                    {"entity": "E1", "ledger": "GL", "period": "2017", "last_day": "2017-12-31", "valid_from": "2017-01-01",
                     "status": "closed"}],
        "tolerances": [{"entity": "E1", "price_percent": "2", "price_amount": "5.00", **tolerance}],
        "posting-rules": [{"rule_set": "R", "rules": rules()}],
        "code-mappings": [{"mapping_set": "cost", "code": "*", "target": EXPENSE}],
        "source-permissions": [{"source_system": "s", "topic": topic, "entities": ["*"]} for topic in TOPICS],
        "bank-accounts": [{"entity": "E1", "bank_account": "MAIN", "currency": "EUR", "account": BANK, "transit_account": TRANSIT}],
        "supplier-accounts": [{"supplier": "S1", "supplier_account": "S1A"}],
        "fx-rates": [{"from_currency": "USD", "to_currency": "EUR", "rate": "0.8333", "valid_from": "2018-01-01"}],
    }
    return {name: [{**always, **record} for record in records] for name, records in tables.items()}


class Scenario(unittest.TestCase):
    """Events are told one after another, an hour apart unless `day` says otherwise; `run` replays them."""

    def setUp(self):
        self.master = master()
        self.events = ([], [], [])
        self.time = START

    def tell(self, topic, event_id, kind, document, lines=(), day=None, key=None, **fields):
        self.time = self.time + DAY // 24 if day is None else START + int(day * DAY)
        value = {"event_id": event_id, "kind": kind, "source": "s", "entity": "E1", "supplier": "S1", "document": document,
                 "document_date": "2018-01-01", "lines": list(lines), **fields}
        self.events[topic].append({"timestamp": self.time, "key": key or key_of(value["entity"], value["supplier"]), "value": value})

    def procurement(self, event_id, kind, document, quantity=None, net=None, day=None, order="O1", **fields):
        line = {"line": "10"}
        if quantity is not None:
            line["quantity"] = quantity
        if net is not None:
            line.update(net=net)
            fields["currency"] = "EUR"
        if kind == "order_created":
            line.update(cost_centre="K1", category="goods", unit="C62")
        self.tell(0, event_id, kind, document, [line], day, order=order, **fields)

    def order(self, event_id="o", quantity="10", net="100.00", **fields):
        self.procurement(event_id, "order_created", "O1", quantity, net, **fields)

    def receipt(self, event_id, document, quantity, **fields):
        self.procurement(event_id, "goods_received", document, quantity, **fields)

    def invoice(self, event_id, document, quantity, net, kind="approved", tax="0.00", tax_code="V0", total=None, **fields):
        total = total or amount_text(parse_decimal(net, 4) + parse_decimal(tax, 4))
        line = {"line": "1", "order": "O1", "order_line": "10", "quantity": quantity, "net": net, "tax_code": tax_code, "tax": tax}
        self.tell(1, event_id, kind, document, [line], currency="EUR", total=total, **fields)

    def coded(self, event_id, document, net, kind="approved", total=None, tax=None, tax_code="V0", category="", **fields):
        line = {"line": "1", "net": net, "tax_code": tax_code, "cost_centre": "K1", "category": category}
        if tax is not None:
            line["tax"] = tax
        self.tell(1, event_id, kind, document, [line], currency="EUR", total=total or net, **fields)

    def said(self, event_id, kind, document, **fields):
        self.tell(1, event_id, kind, document, **fields)

    def payment(self, event_id, kind, document="P1", **fields):
        self.tell(2, event_id, kind, document, **fields)

    def instruct(self, event_id, amount, document="P1", invoice="I1", **fields):
        self.payment(event_id, "instructed", document, currency="EUR", amount=amount, bank_account="MAIN", supplier_account="S1A", user="ann",
                     items=[{"document": invoice, "amount": amount}], **fields)

    def run_oracle(self):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(folder + "/master")
            for name, records in self.master.items():
                with open(f"{folder}/master/{name}.jsonl", "w", encoding="utf-8") as file:
                    file.writelines(json.dumps(record) + "\n" for record in records)
            for topic, events in zip(TOPICS, self.events):
                with open(f"{folder}/{topic}.jsonl", "w", encoding="utf-8") as file:
                    file.writelines(event if isinstance(event, str) else json.dumps(event) + "\n" for event in events)
            events, tasks = replay(folder)
        self.tasks = tasks
        return events

    def expect(self, outcomes):
        """event id -> outcome and reasons, for example `held OVER_INVOICED`; ids told twice have their outcomes in a list."""
        found = {}
        for event in self.run_oracle():
            found.setdefault(event.event_id, []).append(" ".join((event.outcome, *event.reasons)))
        self.assertEqual({event: texts[0] if len(texts) == 1 else texts for event, texts in found.items()}, outcomes)

    def expect_journals(self, journals):
        """idempotency key -> `side account amount`, one line each, sorted."""
        found = {journal.key(): sorted(f"{side} {account} {amount_text(amount)}" for account, side, amount, *_ in journal.lines)
                 for task in self.tasks for journal in task.journals}
        self.assertEqual(found, {key: sorted(lines) for key, lines in journals.items()})

    def line(self):
        """The order line O1/10."""
        return next(task.orders[("E1", "O1", "10")] for task in self.tasks if task.orders)

    def expect_committed(self, amount):
        self.assertEqual(amount_text(self.line().committed), amount)
