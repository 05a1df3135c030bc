"""Writes the log's events as kontor's procurement and invoice events (schemas/procurement-event.avsc, schemas/invoice-event.avsc).

Fields at their default are left out; decimals are text, dates ISO 8601.
"""

import datetime
import json
import zoneinfo

from .source import InputError

PROCUREMENT, INVOICE = "procurement.events", "invoice.events"
UNIT = "C62"        # UN/ECE Rec 20 "one": a receipt, a service entry; the log holds no other quantity


def decimal_text(cents):
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def key_text(entity, supplier):
    """<entity>|<supplier>, with % and | in either percent-encoded."""
    return "|".join(part.replace("%", "%25").replace("|", "%7C") for part in (entity, supplier))


class Calendar:
    """Local dates of a time zone."""

    def __init__(self, name):
        try:
            self.zone = zoneinfo.ZoneInfo(name)
        except zoneinfo.ZoneInfoNotFoundError as error:
            raise InputError(f"time zone {name}: not on this machine; install the package tzdata") from error
        self.known = {}

    def date(self, moment):
        found = self.known.get(moment)
        if found is None:
            try:
                found = datetime.datetime.fromtimestamp(moment // 1000, self.zone).date().isoformat()
            except (ValueError, OverflowError, OSError) as error:
                raise InputError(f"a time of {moment} ms since 1970 has no local date") from error
            self.known[moment] = found
        return found


class Writer:
    """Makes the record value of an event; `rates` answers the tax rate of a code on a date in hundredths of a per cent."""

    def __init__(self, source, currency, calendar, rates):
        self.source = source
        self.currency = currency
        self.calendar = calendar
        self.rates = rates
        self.encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode

    def record(self, line, event):
        """The JSON line of an event; sets its topic and kind."""
        make, event.kind = ACTIVITIES.get(event.activity, (Writer.status, "status"))
        event.topic = INVOICE if make in INVOICE_MAKERS else PROCUREMENT
        value = {"event_id": event.event_id, "kind": event.kind, "source": self.source, "entity": event.entity, "supplier": event.supplier,
                 "correlation_id": event.case, "document_date": self.calendar.date(event.dated), "text": event.activity}
        if event.user:
            value["user"] = event.user
        if event.topic is PROCUREMENT:
            value["order"] = event.order
        make(self, line, event, value)
        return self.encode({"timestamp": event.time, "key": key_text(event.entity, event.supplier), "value": value})

    # Procurement

    def status(self, _line, event, value):
        value["document"] = event.document or event.order
        value["lines"] = [{"line": event.item}]

    def order(self, _line, event, value):
        value["document"] = event.order
        value["lines"] = [{"line": event.item}]

    def order_with_value(self, line, event, value):
        """A requisition or an order: quantity N and the line's value."""
        value["document"] = event.document or event.order
        value["currency"] = self.currency
        value["lines"] = [{"line": event.item, "quantity": str(line.ordered), "unit": UNIT,
                           "net": decimal_text(line.value if event.cents is None else event.cents), **line.codes}]

    def evidence(self, _line, event, value):
        """A receipt, a service entry or a cancelled receipt: quantity only, its value is the order's."""
        value["document"] = event.document
        if event.reverses:
            value["reverses"] = event.reverses
        found = {"line": event.item}
        if event.quantity is not None:
            found.update(quantity=str(event.quantity), unit=UNIT)
        value["lines"] = [found]

    # Invoice

    def amounts(self, line, event, value, quantity, net):
        """One line for the order line, its tax, and the total."""
        code = line.codes["tax_code"]
        tax = self.tax(line, net, value["document_date"])
        found = {"line": "1", "order": event.order, "order_line": event.item}
        if quantity is not None:
            found.update(quantity=str(quantity), unit=UNIT)
        found.update(net=decimal_text(net), tax_code=code, tax=decimal_text(tax))
        value.update(currency=self.currency, total=decimal_text(net + tax), tax=decimal_text(tax), lines=[found])

    def tax(self, line, net, date):
        return round_half_up(net * self.rates(line.codes["tax_code"], date), 10_000)

    def gross(self, line, invoice):
        """Total of a recorded invoice, in cents."""
        return invoice.net + self.tax(line, invoice.net, self.calendar.date(invoice.dated))

    def invoice(self, line, event, value):
        """A recorded invoice, and the vendor's announcement that is paired with it: the same paper, so the same content."""
        invoice = event.invoice
        value["document"], value["number"] = invoice.document, invoice.number
        value["document_date"] = self.calendar.date(invoice.dated)
        self.amounts(line, event, value, invoice.quantity, invoice.net)

    def announcement(self, line, event, value):
        if event.invoice:
            self.invoice(line, event, value)
            return
        value["document"] = event.document
        value["number"] = f"{event.order}-L{event.item}-V{event.document.rpartition('VI')[2]}"
        value["currency"] = self.currency
        value["lines"] = [{"line": "1", "order": event.order, "order_line": event.item,
                           "net": decimal_text(line.value if event.cents is None else event.cents)}]

    def subsequent(self, line, event, value):
        value["document"] = event.document
        value["number"] = f"{event.order}-L{event.item}-S{event.document.rpartition('SD')[2]}"
        self.amounts(line, event, value, None, line.value if event.cents is None else event.cents)

    def reference(self, _line, event, value):
        """What happens to a document that is known already."""
        value["document"] = event.document
        if event.reverses:
            value["reverses"] = event.reverses


def round_half_up(numerator, denominator):
    """Halves go away from zero."""
    rounded = (2 * abs(numerator) + denominator) // (2 * denominator)
    return -rounded if numerator < 0 else rounded


INVOICE_MAKERS = (Writer.invoice, Writer.announcement, Writer.subsequent, Writer.reference)

ACTIVITIES = {
    "Create Purchase Requisition Item": (Writer.order_with_value, "requisition"),
    "SRM: Created": (Writer.order_with_value, "requisition"),
    "Create Purchase Order Item": (Writer.order_with_value, "order_created"),
    "Change Price": (Writer.order, "order_changed"),
    "Change Quantity": (Writer.order, "order_changed"),
    "Delete Purchase Order Item": (Writer.order, "order_cancelled"),
    "Reactivate Purchase Order Item": (Writer.order, "order_reopened"),
    "Change Delivery Indicator": (Writer.order, "order_completed"),
    "Change Final Invoice Indicator": (Writer.order, "order_completed"),
    "Record Service Entry Sheet": (Writer.evidence, "service_entered"),
    "Record Goods Receipt": (Writer.evidence, "goods_received"),
    "Cancel Goods Receipt": (Writer.evidence, "goods_receipt_cancelled"),
    "Vendor creates invoice": (Writer.announcement, "received"),
    "Record Invoice Receipt": (Writer.invoice, "approved"),
    "Vendor creates debit memo": (Writer.reference, "debit_memo"),
    "Cancel Invoice Receipt": (Writer.reference, "cancelled"),
    "Record Subsequent Invoice": (Writer.subsequent, "subsequent_debit"),
    "Cancel Subsequent Invoice": (Writer.reference, "cancelled"),
    "Set Payment Block": (Writer.reference, "blocked"),
    "Remove Payment Block": (Writer.reference, "unblocked"),
    "Clear Invoice": (Writer.reference, "cleared"),
}

# Told for completeness, as p2p-log's table of activities lists them; any other activity is a status event too, and is listed in conversion.json.
STATUS_ACTIVITIES = frozenset(("Receive Order Confirmation", "Change Approval for Purchase Order", "Change Storage Location", "Change payment term"))


def is_listed(activity):
    return activity in ACTIVITIES or activity in STATUS_ACTIVITIES or activity.startswith("SRM: ")
