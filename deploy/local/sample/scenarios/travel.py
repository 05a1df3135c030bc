"""Expenses: trips declared, approved and paid back; advances, cards, rejections. By docs/expenses.md."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from types import SimpleNamespace

from . import company
from .book import convert, cr, dr, exchange, half_up

TOPIC = "expense.events"
FIRST_TRIP, LAST_TRIP, TRIP_DAYS = date(2018, 1, 15), date(2019, 11, 10), 26
PLAN = (("domestic_trip", 25), ("international_trip_with_advance", 14), ("prepaid_trip_rest_returned", 8), ("card_expenses", 15), ("dollar_card", 6), ("resubmitted", 10),
        ("mileage_only", 6), ("two_reimbursements", 3), ("private_purchase_on_card", 2), ("report_in_euro_of_krona_company", 3), ("posted_then_cancelled", 2),
        ("withdrawn", 1), ("self_approval_then_manager", 1), ("above_hotel_limit", 1), ("no_receipt", 1), ("reimbursed_too_early", 1), ("reimbursed_too_much", 1),
        ("event_sent_twice", 1), ("claimed_twice", 1), ("employee_who_left", 1), ("unknown_travel_rate", 1))


class Trip:
    """One employee's trip: the lines of its report, with what each is worth in the report's currency."""

    def __init__(self, book, chance, entity, number, start, grosses, currency=None):
        self.book, self.chance, self.entity, self.start, self.grosses = book, chance, entity, start, grosses
        self.employee, self.manager = company.employee(entity, number), company.employee(entity, 1 if number > 1 else 2)
        self.payroll, self.functional = company.by_payroll(entity, number), company.FUNCTIONAL[entity]
        self.currency = currency or self.functional
        self.length = chance.randint(2, 5)
        self.day = start + timedelta(self.length + 1)       # of the next event at the desk
        self.document = book.number("XR")
        self.lines, self.parts, self.charges = [], [], []

    def scale(self):
        return 10 if self.functional == "SEK" and self.currency == "SEK" else 1

    def amount(self, low, high, currency):
        """One that the employee has not spent yet: like amounts near in time are held as possible duplicates."""
        while True:
            gross = Decimal(self.chance.randint(low * 100, high * 100)) / 100
            if (currency, gross) not in self.grosses:
                self.grosses.add((currency, gross))
                return gross

    def receipt(self, category, low, high, country=None, currency=None, **more):
        """A line with a receipt; a small meal has none. Scaled: the same things cost ten times as much in krona."""
        country, currency = country or company.HOME_COUNTRY[self.entity], currency or self.currency
        scale = 10 if currency == "SEK" else 1
        gross = self.amount(low * scale, high * scale, currency)
        day = self.start + timedelta(self.chance.randint(0, self.length - 1))
        compared = convert(gross, currency, self.entity, day)
        proof = not (category == "MEAL" and compared <= Decimal(company.PROOF_ABOVE[self.entity]))
        line = {"category": category, "date": day, "country": country, "currency": currency, "gross": gross, "proof": proof,
                "merchant": self.book.number("Merchant "), **more}
        value = gross if currency == self.currency else half_up(gross * company.rate(currency, self.currency, day))
        return self.add(line, value, *self.tax(category, country, gross, value, proof))

    def tax(self, category, country, gross, value, proof):
        """Deductible and not deductible tax in the report's currency: by the policy's code at home, by that of the country abroad, by none elsewhere."""
        code, rates = company.EXPENSE_TAX.get(category, ("", {}))
        if code == "VH" and country == "DE":
            rate, share = 7, 0
        elif code and country == company.HOME_COUNTRY[self.entity]:
            rate, share = rates[self.entity], 50 if code == "VM" else 100
        else:
            return Decimal(0), Decimal(0)
        tax = half_up(value * half_up(gross * rate / (100 + rate)) / gross)
        deductible = half_up(tax * share / 100) if proof else Decimal(0)
        return deductible, tax - deductible

    def by_rate(self, category, kind, quantity, day, value, **more):
        line = {"category": category, "date": day, "rate_kind": kind, "quantity": quantity, "currency": self.functional, **more}
        if self.chance.random() < 0.5:
            line["gross"] = value
        return self.add(line, value, Decimal(0), Decimal(0))

    def per_diem(self, country):
        """Two halves for the days of travel, whole days between; hotel breakfasts taken off the whole ones."""
        whole = Decimal(company.PER_DIEM[self.entity][country])
        days = self.length - 2
        self.by_rate("PERDIEM", "per_diem_half", 2, self.start, half_up(2 * (whole / 2)), country=country)
        if days:
            breakfasts, dinners = self.chance.randint(0, days), self.chance.randint(0, 1)
            value = half_up(days * whole) - half_up(breakfasts * whole * 20 / 100) - half_up(dinners * whole * 40 / 100)
            self.by_rate("PERDIEM", "per_diem", days, self.start + timedelta(1), max(value, Decimal(0)), country=country, place=country,
                         breakfasts=breakfasts, dinners=dinners)

    def mileage(self):
        distance = self.chance.randint(12, 420)
        self.by_rate("MILEAGE", "mileage", distance, self.start, half_up(distance * Decimal(company.MILEAGE[self.entity])), place=company.HOME_COUNTRY[self.entity])

    def add(self, line, value, deductible, not_deductible):
        self.lines.append({"line": str(len(self.lines) + 1), **line})
        part = SimpleNamespace(category=line["category"], value=value, deductible=deductible, not_deductible=not_deductible, net=value - deductible - not_deductible,
                               paid_by="personal" if line.get("personal") else line.get("paid_by", "employee"))
        self.parts.append(part)
        return part

    def on_card(self, category, low, high, currency=None, **more):
        """A card transaction and the line that names it. The line is worth what the transaction was booked at."""
        currency = currency or self.functional
        scale = 10 if currency == "SEK" else 1
        gross = self.amount(low * scale, high * scale, currency)
        day = self.start + timedelta(self.chance.randint(0, self.length - 1))
        booked_on = day + timedelta(1)
        charge = self.book.number("CT")
        country = company.HOME_COUNTRY[self.entity] if currency == self.functional else "US"
        merchant = self.book.number("Merchant ")
        self.say(booked_on, "card_transaction", charge, document_date=day, currency=currency, amount=gross, card=f"{self.employee}-{currency}", merchant=merchant)
        self.book.post(self.entity, charge, booked_on, currency, [dr("163000", gross), cr("164000", gross)])
        booked = convert(gross, currency, self.entity, booked_on)
        self.charges.append((currency, gross, booked))
        personal = more.get("personal", False)
        taxes = (Decimal(0), Decimal(0)) if personal else self.tax(category, country, gross, booked, True)
        return self.add({"category": category, "date": day, "country": country, "currency": currency, "gross": gross, "proof": True, "merchant": merchant,
                         "paid_by": "card", "card_transaction": charge, **more}, booked, *taxes)

    # ---- events

    def say(self, day, kind, document=None, outcome="accepted", reason="", **fields):
        value = {"kind": kind, "entity": self.entity, "employee": self.employee, "document": document or self.document, **fields}
        return self.book.say(TOPIC, day, value, outcome, reason)

    def total(self):
        return sum(part.value for part in self.parts)

    def owed(self):
        return sum(part.value for part in self.parts if part.paid_by == "employee")

    def submit(self, outcome="accepted", reason="", **fields):
        self.day += timedelta(1)
        return self.say(self.day, "submitted", outcome=outcome, reason=reason, currency=self.currency, total=self.total(), user=self.employee,
                        lines=list(self.lines), **fields)

    def approve(self, advance=None):
        """The report's journal; an advance is set against what the employee paid."""
        self.day += timedelta(self.chance.randint(0, 3))
        self.say(self.day, "approved", user=self.manager)
        lines = []
        for part in self.parts:
            account = company.EXPENSES[part.category]
            if part.paid_by == "personal":
                lines += [dr("132000", part.value), cr("163000", part.value)]
                continue
            lines += [dr(account, part.net), dr("154000", part.deductible), dr(account, part.not_deductible),
                      cr("161000" if part.paid_by == "employee" else "163000", part.value)]
        if advance:
            applied = min(advance, self.owed())
            lines += [dr("161000", applied), cr("133000", applied)]
        return self.book.post(self.entity, self.document, self.day, self.currency, lines)

    def bank(self, currency=None):
        return company.BANKS[self.entity, currency or self.currency]

    def reimburse(self, amount, method=None, carried=None):
        """carried: what is owed in functional currency, when the report is in another."""
        self.day += timedelta(self.chance.randint(1, 4))
        payroll = self.payroll if method is None else method == "payroll"
        bank, _, transit = self.bank()
        fields = {"method": method} if method else {}
        if not payroll:
            fields["bank_account"] = bank
        self.say(self.day, "reimbursed", currency=self.currency, amount=amount, **fields)
        lines = [dr("161000", amount, carried), cr("165000" if payroll else transit, amount)]
        if carried is not None:
            lines += exchange(carried - convert(amount, self.currency, self.entity, self.day))
        self.book.post(self.entity, self.document, self.day, self.currency, lines)

    def take_advance(self, amount):
        document, day = self.book.number("AD"), self.start - timedelta(3)
        bank, _, transit = self.bank()
        self.say(day, "advance_paid", document, currency=self.currency, amount=amount, bank_account=bank)
        self.book.post(self.entity, document, day, self.currency, [dr("133000", amount), cr(transit, amount)])
        return document

    def pay_statement(self):
        """All that the card has open; the issuer takes it a month later, at the rate of that day."""
        currency = self.charges[0][0]
        amount, booked = sum(charge[1] for charge in self.charges), sum(charge[2] for charge in self.charges)
        document, bank = self.book.number("ST"), self.bank(currency)
        self.day += timedelta(2)
        self.say(self.day, "card_statement_paid", document, currency=currency, amount=amount, card=f"{self.employee}-{currency}", bank_account=bank[0])
        paid = convert(amount, currency, self.entity, self.day)
        self.book.post(self.entity, document, self.day, currency, [dr("164000", amount, booked), cr(bank[2], amount, paid), *exchange(booked - paid)])

    def usual_lines(self, country=None, currency=None):
        self.receipt("HOTEL", 80, 340, country, currency)
        self.receipt("TRANSPORT", 8, 160, country, currency)
        if self.chance.random() < 0.6:
            self.receipt("MEAL", 5, 60, country, currency)
        if self.chance.random() < 0.3:
            self.receipt("OTHER", 5, 90, country, currency)


def abroad(trip):
    country, currency = trip.chance.choice((("DE", "EUR"), ("US", "USD"), ("GB", "GBP")))
    trip.usual_lines(country, currency)
    trip.per_diem(country)


def domestic_trip(trip):
    trip.usual_lines()
    trip.per_diem(company.HOME_COUNTRY[trip.entity])
    trip.submit()
    trip.approve()
    trip.reimburse(trip.owed())


def international_trip_with_advance(trip):
    abroad(trip)
    advance = half_up(trip.owed() * trip.chance.randint(20, 80) / 100)
    document = trip.take_advance(advance)
    trip.submit(advance=document)
    trip.approve(advance)
    trip.reimburse(trip.owed() - advance)


def prepaid_trip_rest_returned(trip):
    abroad(trip)
    rest = trip.amount(10 * trip.scale(), 200 * trip.scale(), trip.currency)
    document = trip.take_advance(trip.owed() + rest)
    trip.submit(advance=document)
    trip.approve(trip.owed() + rest)
    trip.day += timedelta(2)
    name, account, _ = trip.bank()
    trip.say(trip.day, "advance_returned", document, currency=trip.currency, amount=rest, bank_account=name)
    trip.book.post(trip.entity, document, trip.day, trip.currency, [dr(account, rest), cr("133000", rest)])


def card_expenses(trip, currency=None):
    trip.on_card("HOTEL", 80, 340, currency)
    trip.on_card("MEAL", 20, 60, currency)
    trip.receipt("TRANSPORT", 8, 60)
    trip.submit()
    trip.approve()
    trip.reimburse(trip.owed())
    trip.pay_statement()


def dollar_card(trip):
    card_expenses(trip, "USD")


def resubmitted(trip):
    trip.usual_lines()
    trip.submit()
    trip.say(trip.day, "rejected", user=trip.manager)
    trip.mileage()
    trip.submit()
    trip.approve()
    trip.reimburse(trip.owed())


def mileage_only(trip):
    trip.mileage()
    trip.submit()
    trip.approve()
    trip.reimburse(trip.owed(), "payroll")


def two_reimbursements(trip):
    trip.usual_lines()
    trip.submit()
    trip.approve()
    first = half_up(trip.owed() / 3)
    trip.reimburse(first, "bank")
    trip.reimburse(trip.owed() - first, "payroll")


def private_purchase_on_card(trip):
    trip.on_card("HOTEL", 80, 340)
    trip.on_card("OTHER", 10, 90, personal=True)
    trip.submit()
    trip.approve()
    trip.pay_statement()


def report_in_euro_of_krona_company(trip):
    """The payable stays at the rates of the report's day, line by line; the bank pays at its own day's."""
    trip.receipt("HOTEL", 80, 340, "DE")
    trip.receipt("TRANSPORT", 8, 160, "DE")
    trip.receipt("OTHER", 5, 90, "DE")
    trip.submit()
    trip.approve()
    posted = trip.day
    trip.reimburse(trip.owed(), "bank", sum(convert(part.value, "EUR", trip.entity, posted) for part in trip.parts))


def posted_then_cancelled(trip):
    trip.usual_lines()
    trip.submit()
    journal = trip.approve()
    trip.say(trip.day + timedelta(1), "cancelled", user=trip.manager)
    trip.book.reverse(journal)


def withdrawn(trip):
    trip.usual_lines()
    trip.submit()
    trip.say(trip.day, "withdrawn", user=trip.employee)


def self_approval_then_manager(trip):
    trip.usual_lines()
    trip.submit()
    trip.say(trip.day, "approved", user=trip.employee, outcome="rejected", reason="SELF_APPROVAL")
    trip.approve()
    trip.reimburse(trip.owed())


def above_hotel_limit(trip):
    trip.receipt("HOTEL", 451, 700)
    trip.submit("held", "POLICY_LIMIT")


def no_receipt(trip):
    trip.receipt("TRANSPORT", 30, 160)
    trip.lines[-1]["proof"] = False
    trip.submit("held", "PROOF_MISSING")


def reimbursed_too_early(trip):
    trip.usual_lines()
    trip.submit()
    trip.say(trip.day + timedelta(1), "reimbursed", outcome="held", reason="APPROVAL_MISSING", currency=trip.currency, amount=trip.owed(), method="payroll")


def reimbursed_too_much(trip):
    trip.usual_lines()
    trip.submit()
    trip.approve()
    trip.say(trip.day + timedelta(1), "reimbursed", outcome="held", reason="PAYMENT_EXCEEDS_OPEN", currency=trip.currency, amount=trip.owed() + 1, method="payroll")


def event_sent_twice(trip):
    trip.usual_lines()
    value = trip.submit()
    trip.book.say(TOPIC, trip.day, value, "duplicate", "DUPLICATE_EVENT")
    trip.approve()
    trip.reimburse(trip.owed())


def claimed_twice(trip):
    trip.receipt("HOTEL", 80, 340)
    trip.submit()
    trip.approve()
    trip.day += timedelta(1)
    trip.document = trip.book.number("XR")
    trip.submit("rejected", "DUPLICATE_DOCUMENT")


def employee_who_left(trip):
    trip.employee = f"{trip.entity[0]}E99"
    trip.receipt("HOTEL", 80, 340)
    trip.submit("held", "EMPLOYEE_LEFT")


def unknown_travel_rate(trip):
    trip.by_rate("PERDIEM", "per_diem", 2, trip.start, Decimal("100.00"), country="JP", place="JP")
    trip.submit("parked", "TRAVEL_RATE_MISSING")


def run(book, chance, reports):
    """Trips one after the other for each employee, far enough apart that no two are taken for one."""
    names = [name for name, weight in PLAN for _ in range(weight)]
    names = [name for name, _ in PLAN] + chance.choices(names, k=max(0, reports - len(PLAN)))
    entities = [{"report_in_euro_of_krona_company": "NORD", "dollar_card": "HOME"}.get(name) or chance.choice(("HOME", "NORD")) for name in names]
    most = max(entities.count(entity) for entity in company.FUNCTIONAL)
    width = (LAST_TRIP - FIRST_TRIP).days // -(-most // company.EMPLOYEES)
    if width < TRIP_DAYS:
        raise ValueError(f"too many reports: an employee has at most {(LAST_TRIP - FIRST_TRIP).days // TRIP_DAYS}")
    trips, grosses = dict.fromkeys(company.FUNCTIONAL, 0), defaultdict(set)
    for name, entity in zip(names, entities):
        slot, number = divmod(trips[entity], company.EMPLOYEES)
        trips[entity] += 1
        start = FIRST_TRIP + timedelta(slot * width + chance.randint(0, width - TRIP_DAYS))
        book.begin("expenses: " + name)
        currency = "EUR" if name == "report_in_euro_of_krona_company" else None
        globals()[name](Trip(book, chance, entity, number + 1, start, grosses[entity, number], currency))
