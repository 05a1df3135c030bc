"""The figures by which the conversion is checked (README.md, Figures): what the log holds, and how its invoices match its receipts."""

import collections
import datetime

from . import units

MILLISECONDS_A_DAY = 86_400_000
TOLERANCE_CENTS, TOLERANCE_PERCENT = 100, 2
WAIT_DAYS = 90


def of(events, activity):
    return [event for event in events if event.activity == activity]


class Matching:
    """Walks a line's receipts and invoices in order, as README.md (Figures) tells for both ways of matching."""

    def __init__(self, line, count):
        self.line, self.count = line, count
        self.received = self.covered = 0
        self.waiting, self.matched, self.held = [], set(), set()

    def value(self, start, end):
        return units.value_of_units(self.line.value, self.line.ordered, start, end)

    def run(self):
        for event in self.line.events:
            if event.activity == "Record Goods Receipt":
                self.received += event.quantity
                self.release(event)
            elif event.activity == "Cancel Goods Receipt" and event.quantity is not None:
                self.received -= event.quantity
            elif event.activity == "Record Invoice Receipt":
                self.decide(event)
            elif event.activity == "Cancel Invoice Receipt" and event.invoice:
                self.cancel(event)
        self.count["short"] += len(self.waiting)

    def cover(self, invoice):
        self.matched.add(invoice)
        self.covered += invoice.quantity

    def decide(self, event):
        if self.fits(event.invoice):
            self.cover(event.invoice)
            self.count["matched"] += 1
        else:
            self.waiting.append((event.invoice, event.time))

    def release(self, event):
        for entry in list(self.waiting):
            if self.fits(entry[0]):
                self.waiting.remove(entry)
                self.cover(entry[0])
                self.count["healed"] += 1

    def cancel(self, event):
        if event.invoice in self.matched:
            self.covered -= event.invoice.quantity
        self.release(event)


class ByValue(Matching):
    """Everything invoiced so far may exceed everything received by 1.00 or 2 %; an invoice that waits goes on waiting when it is cancelled."""

    def fits(self, invoice):
        received = self.value(0, self.received)
        excess = self.value(0, self.covered + invoice.quantity) - received
        return excess <= TOLERANCE_CENTS or 100 * excess <= TOLERANCE_PERCENT * received


class ByUnits(Matching):
    """As kontor-invoice decides (docs/purchase-to-pay.md, Match): whole units, never more than ordered, 90 days of waiting, voided by a cancellation."""

    def fits(self, invoice):
        return self.covered + invoice.quantity <= self.received

    def decide(self, event):
        if self.covered + event.invoice.quantity > self.line.ordered:
            self.count["over_invoiced"] += 1
        else:
            super().decide(event)

    def release(self, event):
        for entry in list(self.waiting):
            if event.time >= entry[1] + WAIT_DAYS * MILLISECONDS_A_DAY:
                self.waiting.remove(entry)
                self.count["waited_too_long"] += 1
        super().release(event)

    def cancel(self, event):
        for entry in self.waiting:
            if entry[0] is event.invoice:
                self.waiting.remove(entry)
                self.count["voided_by_cancellation"] += 1
                break
        super().cancel(event)


def match(lines, way):
    """Counts and euro totals of one way of matching over all lines."""
    count, cents, open_lines = collections.Counter(), collections.Counter(), 0
    for line in lines:
        matching = way(line, count)
        matching.run()
        received, invoiced = matching.value(0, matching.received), matching.value(0, matching.covered)
        cents["received"] += received
        cents["invoiced"] += invoiced
        open_lines += received > invoiced
    return {**count, "received": text(cents["received"]), "invoiced": text(cents["invoiced"]),
            "open": text(cents["received"] - cents["invoiced"]), "open_lines": open_lines}


def text(cents):
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def line_figures(line, count):
    """Adds what one line shows."""
    events = line.events
    created, receipts = of(events, "Create Purchase Order Item"), of(events, "Record Goods Receipt")
    announced, memos, cancelled = (of(events, name) for name in ("Vendor creates invoice", "Vendor creates debit memo", "Cancel Invoice Receipt"))
    invoices, changed = of(events, "Record Invoice Receipt"), of(events, "Change Price")
    delivered = of(events, "Change Delivery Indicator")
    count["zero_value_lines"] += line.value == 0
    count["lines_with_vendor_invoice_before_order"] += bool(announced and created and announced[0].rank < created[0].rank)
    count["lines_with_vendor_invoice_before_first_receipt"] += bool(announced and receipts and announced[0].rank < receipts[0].rank)
    count["lines_received_after_delivery_indicator"] += bool(delivered and receipts and receipts[-1].rank > delivered[0].rank)
    count["lines_with_price_change_after_receipt"] += bool(changed and receipts and changed[-1].rank > receipts[0].rank)
    count["lines_with_debit_memo_or_cancelled_invoice"] += bool(memos or cancelled)
    count["lines_with_as_many_debit_memos_as_cancelled_invoices"] += bool(memos) and len(memos) == len(cancelled)
    count["lines_with_debit_memos_alone"] += bool(memos) and not cancelled
    count["cancelled_invoices_followed_by_an_invoice"] += sum(invoices[-1].rank > event.rank for event in cancelled if invoices)
    if not line.is_service and len(invoices) == 1:
        live = sum({"Record Goods Receipt": 1, "Cancel Goods Receipt": -1}.get(event.activity, 0) for event in events if event.rank < invoices[0].rank)
        count["goods_lines_with_one_invoice"] += 1
        count["goods_lines_with_one_invoice_whose_k_is_the_receipts_before_it"] += invoices[0].invoice.quantity == live
    for event in events:
        if event.activity == "Clear Invoice" and event.invoice:
            end = event.invoice.cancelled
            count["clears_of_a_cancelled_invoice"] += end is not None
            count["clears_of_an_invoice_cancelled_before"] += end is not None and end < event.rank


def gather(lines, events, calendar):
    """All figures as a dict for conversion.json."""
    count = collections.Counter()
    for line in lines:
        line_figures(line, count)
    months = {}
    papers = collections.Counter()
    for event in events:
        if event.moment not in months:
            day = calendar.date(event.moment)
            months[event.moment] = day[:7] != utc_month(event.moment)
        count["events_in_another_month_in_utc"] += months[event.moment]
        if event.activity == "Record Invoice Receipt":
            papers[event.entity, event.supplier, event.cents, calendar.date(event.moment)] += 1
    count["invoices_repeating_supplier_value_and_day"] = sum(papers.values()) - len(papers)
    totals = {"lines": len(lines), "ordered": text(sum(line.value for line in lines if not line.value_guessed)),
              "receipts_read_as_amounts": text(sum(event.cents or 0 for event in events if event.activity == "Record Goods Receipt"))}
    return {"totals": totals, "counts": dict(sorted(count.items())), "match_by_value": match(lines, ByValue), "match_by_units": match(lines, ByUnits)}


def utc_month(moment):
    return datetime.datetime.fromtimestamp(moment // 1000, datetime.timezone.utc).strftime("%Y-%m")
