"""Invoices without order, and a few with one, up to the bank and back. By docs/purchase-to-pay.md and docs/payments.md."""

from datetime import date, timedelta
from decimal import Decimal

from . import company
from .book import convert, cr, dr, exchange, half_up

FIRST_DAY, LAST_DAY = date(2018, 1, 10), date(2019, 10, 10)
PLAN = (("paid_at_term", 26), ("paid_with_discount", 14), ("paid_in_two_parts", 7), ("several_tax_codes", 8), ("foreign_currency", 10), ("paid_by_shared_service", 7),
        ("rejected_by_bank_and_paid_again", 4), ("returned_and_paid_again", 4), ("credit_refunded", 4), ("credit_set_off", 4), ("prepaid", 6), ("bank_charges", 3),
        ("withholding_tax", 3), ("with_order", 6), ("blocked_then_released", 3), ("corrected_then_paid", 3), ("cancelled", 3), ("prepayment_called_off", 1),
        ("approved_twice", 1), ("same_number_again", 1), ("total_wrong", 1), ("supplier_unknown", 1), ("paid_too_much", 1), ("discount_too_large", 1),
        ("payment_self_approved", 1), ("invoice_sent_twice", 1))


class Deal:
    """An invoice and what is paid on it."""

    def __init__(self, book, chance, entity, day):
        self.book, self.chance, self.entity, self.day = book, chance, entity, day
        self.currency = company.FUNCTIONAL[entity]
        self.discounted = False
        self.supplier = company.supplier(entity, chance.randint(11, company.SUPPLIERS - 1))
        self.standard = company.STANDARD_TAX[entity]

    def later(self, least, most):
        self.day += timedelta(self.chance.randint(least, most))

    def amount(self, low=50, high=9000):
        return Decimal(self.chance.randint(low * 100, high * 100)) / 100 * (10 if self.currency == "SEK" else 1)

    # ---- invoices

    def say(self, kind, document, outcome="accepted", reason="", **fields):
        value = {"kind": kind, "entity": self.entity, "supplier": self.supplier, "document": document, **fields}
        return self.book.say("invoice.events", self.day, value, outcome, reason)

    def lines(self, count, codes=None):
        return [{"line": str(i + 1), "net": self.amount(), "tax_code": (codes or [self.standard] * count)[i], "category": self.chance.choice(list(company.PURCHASES))}
                for i in range(count)]

    def taxes(self, line):
        """Of a line: deductible, not deductible."""
        tax = half_up(line["net"] * company.TAX_RATE[line["tax_code"]] / 100)
        deductible = half_up(tax / 2) if line["tax_code"].startswith("H") else tax
        return deductible, tax - deductible

    def gross(self, lines):
        return sum(line["net"] + sum(self.taxes(line)) for line in lines)

    def functional(self, lines, day):
        return sum(convert(self.gross([line]), self.currency, self.entity, day) for line in lines)

    def tax(self, lines):
        return sum(self.taxes(line)[0] for line in lines)

    def entries(self, lines):
        """As an invoice is booked."""
        result = []
        for line in lines:
            deductible, rest = self.taxes(line)
            account = company.PURCHASES[line["category"]]
            result += [dr(account, line["net"]), dr("154000", deductible), dr(account, rest), cr("160000", self.gross([line]))]
        return result

    def invoice(self, lines, announce=True):
        """Received, released two to five days later; returns its number and its journal."""
        document = self.book.number("IV")
        fields = {"number": f"N-{document}", "currency": self.currency, "total": self.gross(lines), "lines": lines, "document_date": self.day}
        if announce:
            self.say("received", document, **fields)
            self.later(1, 4)
        self.say("approved", document, **fields)
        self.posted = self.day
        return document, self.book.post(self.entity, document, self.day, self.currency, self.entries(lines))

    # ---- payments

    def pay_say(self, kind, document, outcome="accepted", refusal="", **fields):
        value = {"kind": kind, "entity": self.entity, "supplier": self.supplier, "document": document, **fields}
        return self.book.say("payment.events", self.day, value, outcome, refusal)

    def instruct(self, items, payer=None, outcome="accepted", reason="", **more):
        """items: (document, amount, discount, withheld)."""
        document = self.book.number("PM")
        bank = company.BANKS[payer or self.entity, self.currency][0]
        fields = {"payer": payer} if payer else {}
        self.pay_say("instructed", document, outcome, reason, currency=self.currency, amount=sum(item[1] for item in items), bank_account=bank,
                     supplier_account=f"{self.supplier}A", user="CLERK", **fields, **more,
                     items=[{"document": name, "amount": amount, "discount": discount, "withheld": withheld} for name, amount, discount, withheld in items])
        return document

    def approve(self, document):
        self.pay_say("approved", document, user="TREASURER")

    def send(self, document, amount, settled, payer=None, carried=None, fields=()):
        """settled: lines that debit payables and take discount and withholding; carried: the functional value of one foreign item."""
        self.later(0, 2)
        self.pay_say("sent", document, **dict(fields))
        today = convert(amount, self.currency, self.entity, self.day)
        lines = [dr("160000", settled, carried)] if carried is not None else settled
        fx = exchange(carried - today) if carried is not None else []
        journals = [self.book.post(self.entity, document, self.day, self.currency, [*lines, cr("182000" if payer else self.bank(payer)[2], amount), *fx])]
        if payer:
            journals.append(self.book.post(payer, document, self.day, self.currency, [dr("181000", amount), cr(self.bank(payer)[2], amount)]))
        self.sent = self.day
        return journals

    def bank(self, payer=None):
        return company.BANKS[payer or self.entity, self.currency]

    def settle(self, document, amount, payer=None, charges=Decimal(0)):
        books = payer or self.entity
        self.later(1, 5)
        self.pay_say("bank_accepted", document)
        self.pay_say("settled", document, value_date=self.day, amount=amount + charges, **({"charges": charges} if charges else {}))
        carried, today = convert(amount, self.currency, books, self.sent), convert(amount, self.currency, books, self.day)
        _, account, transit = self.bank(payer)
        lines = [dr(transit, amount, carried), dr("468000", charges), cr(account, amount + charges), *exchange(carried - today)]
        self.book.post(books, document, self.day, self.currency, lines)

    def pay(self, document, amount, payer=None, carried=None):
        """All of an invoice, or a part of one in functional currency, without discount."""
        payment = self.instruct([(document, amount, 0, 0)], payer)
        self.approve(payment)
        self.send(payment, amount, amount if carried is not None else [dr("160000", amount)], payer, carried)
        self.settle(payment, amount, payer)


def paid_at_term(deal):
    lines = deal.lines(deal.chance.randint(1, 3))
    document, _ = deal.invoice(lines)
    deal.later(15, 30)
    deal.pay(document, deal.gross(lines))


def several_tax_codes(deal):
    codes = [deal.standard, "V0", "H21" if deal.entity == "HOME" else deal.standard]
    lines = deal.lines(3, codes)
    document, _ = deal.invoice(lines, announce=False)
    deal.later(15, 30)
    deal.pay(document, deal.gross(lines))


def discounted(deal, percent):
    """(gross, discount) of an invoice with terms 2 % within ten days, on its fifth day at the latest."""
    deal.supplier = company.supplier(deal.entity, deal.chance.randint(1, 10))
    lines = deal.lines(deal.chance.randint(1, 2))
    document, _ = deal.invoice(lines)
    return lines, document, half_up(deal.gross(lines) * percent / 100)


def paid_with_discount(deal):
    lines, document, discount = discounted(deal, 2)
    gross = deal.gross(lines)
    tax = half_up(deal.tax(lines) * discount / gross)
    payment = deal.instruct([(document, gross - discount, discount, 0)])
    deal.approve(payment)
    deal.send(payment, gross - discount, [dr("160000", gross), cr("478000", discount - tax), cr("154000", tax)])
    deal.settle(payment, gross - discount)


def discount_too_large(deal):
    lines, document, discount = discounted(deal, 3)
    deal.instruct([(document, deal.gross(lines) - discount, discount, 0)], outcome="held", reason="DISCOUNT_EXCEEDED")


def paid_in_two_parts(deal):
    lines = deal.lines(2)
    document, _ = deal.invoice(lines)
    first = half_up(deal.gross(lines) * deal.chance.randint(20, 70) / 100)
    deal.later(10, 20)
    deal.pay(document, first)
    deal.later(10, 20)
    deal.pay(document, deal.gross(lines) - first)


def foreign_currency(deal):
    deal.currency = "USD" if deal.entity == "HOME" else "EUR"
    lines = deal.lines(2)
    document, _ = deal.invoice(lines)
    carried = deal.functional(lines, deal.posted)
    deal.later(15, 45)
    deal.pay(document, deal.gross(lines), carried=carried)


def paid_by_shared_service(deal):
    """HOME pays an invoice in euro of NORD from its own account: NORD owes HOME."""
    deal.currency = "EUR"
    lines = deal.lines(1)
    document, _ = deal.invoice(lines)
    carried = deal.functional(lines, deal.posted)
    deal.later(15, 45)
    deal.pay(document, deal.gross(lines), "HOME", carried)


def rejected_by_bank_and_paid_again(deal):
    lines = deal.lines(2)
    document, _ = deal.invoice(lines)
    amount = deal.gross(lines)
    deal.later(15, 25)
    payment = deal.instruct([(document, amount, 0, 0)])
    deal.approve(payment)
    journals = deal.send(payment, amount, [dr("160000", amount)])
    deal.later(1, 2)
    deal.pay_say("bank_rejected", payment, reason="AC01")
    deal.book.reverse(journals[0])
    deal.later(1, 3)
    deal.pay(document, amount)


def returned_and_paid_again(deal):
    lines = deal.lines(1)
    document, _ = deal.invoice(lines)
    amount = deal.gross(lines)
    deal.later(15, 25)
    payment = deal.instruct([(document, amount, 0, 0)])
    deal.approve(payment)
    journals = deal.send(payment, amount, [dr("160000", amount)])
    deal.settle(payment, amount)
    deal.later(2, 6)
    charges = Decimal("3.50")
    deal.pay_say("returned", payment, amount=amount - charges, charges=charges, reason="AC04")
    deal.book.reverse(journals[0])
    _, account, transit = deal.bank()
    deal.book.post(deal.entity, payment, deal.day, deal.currency, [dr(account, amount - charges), dr("468000", charges), cr(transit, amount)])
    deal.later(2, 5)
    deal.pay(document, amount)


def credit(deal, low, high):
    document, lines = deal.book.number("CN"), [{**deal.lines(1)[0], "net": deal.amount(low, high)}]
    deal.say("credit_note", document, number=f"N-{document}", currency=deal.currency, total=deal.gross(lines), lines=lines)
    entries = [({"debit": "credit", "credit": "debit"}[side], *rest) for side, *rest in deal.entries(lines)]
    deal.book.post(deal.entity, document, deal.day, deal.currency, entries)
    return document, deal.gross(lines)


def credit_refunded(deal):
    document, amount = credit(deal, 50, 2000)
    deal.later(10, 20)
    refund = deal.book.number("PM")
    name, account, _ = deal.bank()
    deal.pay_say("refunded", refund, currency=deal.currency, amount=amount, bank_account=name, items=[{"document": document, "amount": amount}])
    deal.book.post(deal.entity, refund, deal.day, deal.currency, [dr(account, amount), cr("160000", amount)])


def credit_set_off(deal):
    lines = deal.lines(3)
    document, _ = deal.invoice(lines)
    amount = deal.gross(lines)
    deal.later(3, 8)
    other, less = credit(deal, 5, 45)       # less than any invoice of three lines
    deal.later(10, 20)
    payment = deal.instruct([(document, amount, 0, 0), (other, -less, 0, 0)])
    deal.approve(payment)
    deal.send(payment, amount - less, [dr("160000", amount), cr("160000", less)])
    deal.settle(payment, amount - less)


def prepayment(deal, gross):
    """Its number; net and tax in it."""
    document, rate = deal.book.number("PP"), company.TAX_RATE[deal.standard]
    deal.pay_say("instructed", document, prepayment=True, currency=deal.currency, amount=gross, tax_code=deal.standard, bank_account=deal.bank()[0],
                 supplier_account=f"{deal.supplier}A", user="CLERK")
    tax = half_up(gross * rate / (100 + rate))
    return document, gross - tax, tax


def prepaid(deal):
    lines = deal.lines(1)
    total = deal.gross(lines)
    part = half_up(total * deal.chance.randint(20, 80) / 100)
    advance, net, tax = prepayment(deal, part)
    deal.approve(advance)
    deal.send(advance, part, [dr("145000", net), dr("154000", tax)])
    deal.settle(advance, part)
    deal.later(5, 30)
    document, _ = deal.invoice(lines)
    deal.later(1, 3)
    deal.pay_say("prepayment_applied", advance, amount=part, items=[{"document": document, "amount": part}])
    deal.book.post(deal.entity, advance, deal.day, deal.currency, [dr("160000", part), cr("145000", net), cr("154000", tax)])
    deal.later(10, 20)
    deal.pay(document, total - part)


def prepayment_called_off(deal):
    document, _, _ = prepayment(deal, deal.amount())
    deal.later(1, 2)
    deal.pay_say("cancelled", document)


def bank_charges(deal):
    lines = deal.lines(1)
    document, _ = deal.invoice(lines)
    amount = deal.gross(lines)
    deal.later(15, 25)
    payment = deal.instruct([(document, amount, 0, 0)])
    deal.approve(payment)
    deal.send(payment, amount, [dr("160000", amount)])
    deal.settle(payment, amount, charges=Decimal(deal.chance.randint(50, 900)) / 100)


def withholding_tax(deal):
    deal.supplier = company.supplier(deal.entity, company.SUPPLIERS)
    lines = deal.lines(1)
    document, _ = deal.invoice(lines)
    amount = deal.gross(lines)
    withheld = half_up((amount - deal.tax(lines)) * 5 / 100)
    deal.later(15, 25)
    payment = deal.instruct([(document, amount - withheld, 0, withheld)])
    deal.approve(payment)
    deal.send(payment, amount - withheld, [dr("160000", amount), cr("175000", withheld)])
    deal.settle(payment, amount - withheld)


def with_order(deal):
    """Ten pieces ordered and received in one or two parts, invoiced as ordered."""
    order, net = deal.book.number("PO"), deal.amount()

    def procure(kind, document, quantity, **more):
        deal.book.say("procurement.events", deal.day, {"kind": kind, "entity": deal.entity, "supplier": deal.supplier, "document": document, "order": order,
                                                       "currency": deal.currency, "lines": [{"line": "1", "quantity": quantity, "unit": "C62", **more}]})
    procure("order_created", order, 10, net=net, category="GOODS")
    received, value = 0, Decimal(0)
    for quantity in deal.chance.choice(((10,), (3, 7), (4, 6))):
        deal.later(2, 8)
        receipt, received = deal.book.number("GR"), received + quantity
        procure("goods_received", receipt, quantity)
        worth = (int(net * 100) * received // 10) / Decimal(100) - value
        value += worth
        deal.book.post(deal.entity, receipt, deal.day, deal.currency, [dr("300000", worth), cr("191100", worth)])
    deal.later(2, 8)
    document, tax = deal.book.number("IV"), half_up(net * company.TAX_RATE[deal.standard] / 100)
    deal.say("approved", document, number=f"N-{document}", currency=deal.currency, total=net + tax,
             lines=[{"line": "1", "order": order, "order_line": "1", "quantity": 10, "unit": "C62", "net": net, "tax_code": deal.standard}])
    deal.book.post(deal.entity, document, deal.day, deal.currency, [dr("191100", net), dr("154000", tax), cr("160000", net + tax)])
    deal.later(15, 25)
    deal.pay(document, net + tax)


def blocked_then_released(deal):
    lines = deal.lines(1)
    document, _ = deal.invoice(lines)
    deal.later(1, 3)
    deal.say("blocked", document, user="CLERK")
    deal.later(3, 9)
    deal.say("unblocked", document, user="TREASURER")
    deal.later(3, 9)
    deal.pay(document, deal.gross(lines))


def corrected_then_paid(deal):
    """To more than it was."""
    lines = deal.lines(1)
    document, journal = deal.invoice(lines)
    lines = [{**lines[0], "net": lines[0]["net"] + deal.amount(1, 90)}]
    deal.later(1, 5)
    deal.say("corrected", document, number=f"N-{document}", currency=deal.currency, total=deal.gross(lines), lines=lines)
    deal.book.reverse(journal)
    deal.book.post(deal.entity, document, deal.day, deal.currency, deal.entries(lines))
    deal.later(10, 20)
    deal.pay(document, deal.gross(lines))


def cancelled(deal):
    document, journal = deal.invoice(deal.lines(2))
    deal.later(1, 40)
    deal.say("cancelled", document)
    deal.book.reverse(journal)


def approved_twice(deal):
    lines = deal.lines(1)
    document, _ = deal.invoice(lines)
    deal.later(1, 5)
    deal.say("approved", document, number=f"N-{document}", currency=deal.currency, total=deal.gross(lines), lines=lines)
    deal.pay(document, deal.gross(lines))


def same_number_again(deal):
    lines, dated = deal.lines(1), deal.day
    document, _ = deal.invoice(lines)
    deal.later(1, 5)
    deal.say("approved", deal.book.number("IV"), "rejected", "DUPLICATE_DOCUMENT", number=f"n {document}", currency=deal.currency, total=deal.gross(lines), lines=lines,
             document_date=dated)


def total_wrong(deal):
    lines = deal.lines(2)
    deal.say("approved", deal.book.number("IV"), "rejected", "TOTAL_MISMATCH", number="N-wrong", currency=deal.currency, total=deal.gross(lines) + 1, lines=lines)


def supplier_unknown(deal):
    lines, deal.supplier = deal.lines(1), f"{deal.entity}-NOBODY"
    document = deal.book.number("IV")
    deal.say("approved", document, "parked", "SUPPLIER_UNKNOWN", number=f"N-{document}", currency=deal.currency, total=deal.gross(lines), lines=lines)


def paid_too_much(deal):
    lines = deal.lines(1)
    document, _ = deal.invoice(lines)
    deal.instruct([(document, deal.gross(lines) + 1, 0, 0)], outcome="held", reason="PAYMENT_EXCEEDS_OPEN")


def payment_self_approved(deal):
    lines = deal.lines(1)
    document, _ = deal.invoice(lines)
    amount = deal.gross(lines)
    deal.later(5, 10)
    payment = deal.instruct([(document, amount, 0, 0)])
    deal.pay_say("approved", payment, "rejected", "SELF_APPROVAL", user="CLERK")
    deal.approve(payment)
    deal.send(payment, amount, [dr("160000", amount)])
    deal.settle(payment, amount)


def invoice_sent_twice(deal):
    lines, document = deal.lines(1), deal.book.number("IV")
    value = deal.say("approved", document, number=f"N-{document}", currency=deal.currency, total=deal.gross(lines), lines=lines)
    deal.book.post(deal.entity, document, deal.day, deal.currency, deal.entries(lines))
    deal.book.say("invoice.events", deal.day, value, "duplicate", "DUPLICATE_EVENT")


def run(book, chance, invoices):
    names = [name for name, weight in PLAN for _ in range(weight)]
    names = [name for name, _ in PLAN] + chance.choices(names, k=max(0, invoices - len(PLAN)))
    for name in names:
        entity = "NORD" if name == "paid_by_shared_service" else chance.choice(("HOME", "NORD"))
        book.begin("payables: " + name)
        globals()[name](Deal(book, chance, entity, FIRST_DAY + timedelta(chance.randint(0, (LAST_DAY - FIRST_DAY).days))))
