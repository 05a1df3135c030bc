"""Canonical journals of payroll, billing and period close. By docs/journals.md."""

from datetime import date, timedelta
from decimal import Decimal

from . import company
from .book import cr, dr, half_up

TOPIC = "journal.events"


def entry(line, **more):
    side, account, amount, _ = line
    return {"side": side, "account": account, "amount": amount, **more}


class Stream:
    def __init__(self, book, chance, entity):
        self.book, self.chance, self.entity = book, chance, entity
        self.currency = company.FUNCTIONAL[entity]

    def begin(self, name):
        self.book.begin("journals: " + name)

    def amount(self, low, high):
        return Decimal(self.chance.randint(low * 100, high * 100)) / 100

    def say(self, kind, partner, document, day, outcome="accepted", reason="", **fields):
        return self.book.say(TOPIC, day, {"kind": kind, "entity": self.entity, "partner": partner, "document": document, **fields}, outcome, reason)

    def submit(self, partner, document, day, lines, currency=None, kind="submitted", rate=None, **fields):
        """Says the lines and books them."""
        currency = currency or self.currency
        if rate:
            fields["rate"] = rate
        self.say(kind, partner, document, day, currency=currency, lines=[{"line": str(i + 1), **entry(line)} for i, line in enumerate(lines)], **fields)
        return self.book.post(self.entity, document, day, currency, lines, rate)

    def wages(self):
        gross = self.amount(80000, 120000)
        tax = half_up(gross * 37 / 100)
        return [dr("400000", gross), cr("166000", tax), cr("165000", gross - tax)]

    def payroll(self, last):
        self.begin("payroll")
        self.submit("PAYROLL", self.book.number("JP"), last - timedelta(5), self.wages(), step="payroll")

    def accrual(self, last):
        """Taken back by itself on the first of the next month: nothing is left of it."""
        if last == company.LAST:
            return
        self.begin("accrual_reversed_by_itself")
        amount = self.amount(500, 9000)
        journal = self.submit("CLOSE", self.book.number("JA"), last, [dr("440000", amount), cr("190000", amount)], reverse_on=last + timedelta(1))
        self.book.reverse(journal)

    def billing(self, last):
        """By rules, with output tax."""
        self.begin("billing_by_rules")
        net, document, code = self.amount(1000, 30000), self.book.number("JB"), {"HOME": "O21", "NORD": "O25"}[self.entity]
        tax = half_up(net * company.TAX_RATE[code] / 100)
        self.say("submitted", "CUSTOMERS", document, last - timedelta(3), currency=self.currency, step="billing", by_rules=True, source="BILLING",
                 lines=[{"line": "1", "side": "debit", "amount": net, "tax_code": code}])
        self.book.post(self.entity, document, last - timedelta(3), self.currency, [dr("130000", net + tax), cr("800000", net), cr("155000", tax)])

    def dollars(self, last):
        """At an agreed rate; what rounding leaves goes to the rounding account."""
        self.begin("dollars_at_agreed_rate")
        one, two = self.amount(10, 900), self.amount(10, 900)
        rate = Decimal("0.86157") if self.entity == "HOME" else Decimal("8.91233")
        self.submit("TREASURY", self.book.number("JD"), last - timedelta(7), [dr("130000", one + two), cr("800000", one), cr("800000", two)], "USD", rate=rate)

    def reversed(self, last):
        self.begin("reversed")
        amount, document = self.amount(100, 900), self.book.number("JR")
        journal = self.submit("CLOSE", document, last - timedelta(9), [dr("450000", amount), cr("190000", amount)])
        self.say("reversed", "CLOSE", document, last - timedelta(8), currency=self.currency, lines=[])
        self.book.reverse(journal)

    def corrected(self, last):
        self.begin("corrected")
        amount, document = self.amount(100, 900), self.book.number("JC")
        journal = self.submit("CLOSE", document, last - timedelta(9), [dr("450000", amount), cr("190000", amount)])
        self.book.reverse(journal)
        self.submit("CLOSE", document, last - timedelta(7), [dr("450000", amount + 1), cr("190000", amount + 1)], kind="corrected")

    def group(self, last):
        """A cost in euro that HOME has and NORD bears."""
        self.begin("borne_by_other_company")
        amount, document, day = self.amount(500, 5000), self.book.number("JG"), last - timedelta(4)
        self.say("submitted", "GROUP", document, day, currency="EUR", lines=[{"line": "1", **entry(dr("470000", amount)), "bearer": "NORD"},
                                                                             {"line": "2", **entry(cr("190000", amount))}])
        self.book.post("HOME", document, day, "EUR", [dr("181000", amount), cr("190000", amount)])
        self.book.post("NORD", document, day, "EUR", [dr("470000", amount), cr("182000", amount)])

    def refused(self):
        day, lines = date(2018, 6, 10), [{"line": "1", **entry(dr("450000", Decimal(10)))}, {"line": "2", **entry(cr("190000", Decimal(10)))}]
        self.begin("unbalanced")
        self.say("submitted", "CLOSE", self.book.number("JX"), day, "rejected", "JOURNAL_UNBALANCED", currency=self.currency,
                 lines=[lines[0], {**lines[1], "amount": Decimal(11)}])
        self.begin("accounts_named_without_permission")
        self.say("submitted", "CUSTOMERS", self.book.number("JX"), day, "rejected", "SOURCE_NOT_AUTHORISED", currency=self.currency, source="BILLING", lines=lines)
        self.begin("document_again")
        document = self.book.number("JX")
        self.submit("CLOSE", document, day, [dr("450000", Decimal(10)), cr("190000", Decimal(10))])
        self.say("submitted", "CLOSE", document, day, "rejected", "DUPLICATE_DOCUMENT", currency=self.currency, lines=lines)
        # HOME parks what comes for a closed period, NORD moves it to the next open one.
        self.begin("closed_period")
        fields = {"currency": self.currency, "lines": lines, "posting_date": date(2017, 12, 20)}
        document = self.book.number("JX")
        if self.entity == "HOME":
            self.say("submitted", "CLOSE", document, day, "parked", "PERIOD_CLOSED", **fields)
        else:
            self.say("submitted", "CLOSE", document, day, **fields)
            self.book.post(self.entity, document, date(2018, 1, 1), self.currency, [dr("450000", Decimal(10)), cr("190000", Decimal(10))])


def run(book, chance):
    for entity in company.FUNCTIONAL:
        stream = Stream(book, chance, entity)
        for place, (_, last) in enumerate(company.months()):
            stream.payroll(last)
            stream.accrual(last)
            stream.billing(last)
            stream.dollars(last)
            (stream.reversed, stream.corrected)[place % 2](last)
            if entity == "HOME":
                stream.group(last)
        stream.refused()
