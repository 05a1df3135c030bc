"""Documents of an order line: receipts, invoices and what later events of the log do to them (README.md, Documents)."""

import collections

from . import units


class Invoice:
    """A recorded invoice. `cancelled` is the rank of the event that cancels it, None for ever live ones."""

    def __init__(self, document, event, quantity):
        self.document = document
        self.cents = event.cents
        self.quantity = quantity
        self.ranges = []
        self.net = None
        self.number = ""
        self.dated = event.moment
        self.chain = [self]         # the same paper recorded again: oldest first, shared by all of it
        self.cancelled = None
        self.recorded_again = False
        self.cleared = False
        self.blocked_when_cleared = False
        self.blocked = False
        self.paired = False


class Line:
    """An order line with its events in order, and everything that looking ahead finds out about it."""

    def __init__(self, case, events, record, codes):
        self.case = case
        self.events = events
        self.codes = codes
        self.is_service = record.get("item_type", "") == "Service"
        self.name = f"{events[0].order}-{events[0].item}"
        self.unlinked = collections.Counter()
        self.linked = collections.Counter()
        self.serials = collections.Counter()
        self.invoices = []
        self.subsequent = []
        self.find_value()
        units.count_receipts(events, self.is_service)
        self.link_receipts()
        self.link_requisitions()
        self.link_invoices()
        self.pair_vendor_invoices()
        self.pair_debit_memos()

    def new_document(self, letters):
        """A document number unique on the line."""
        self.serials[letters] += 1
        return f"{self.name}-{letters}{self.serials[letters]}"

    def find_value(self):
        """The line's one value b: at its creation, else at the first event that always carries it, else the least amount."""
        for activities in (("Create Purchase Order Item",), ("Create Purchase Requisition Item", "Change Price", "Change Quantity",
                           "Vendor creates invoice", "Clear Invoice")):
            for event in self.events:
                if event.activity in activities and event.cents is not None:
                    self.value = event.cents
                    self.value_guessed = event.activity != "Create Purchase Order Item"
                    return
        self.value = min((event.cents for event in self.events if event.cents is not None), default=0)
        self.value_guessed = True

    def link_receipts(self):
        """Numbers receipts and entries, links a cancellation to the latest live receipt, and finds N: the peak of net units."""
        live, received, self.ordered = [], 0, 1
        for event in self.events:
            if event.activity == "Record Goods Receipt":
                event.document = self.new_document("GR")
                live.append(event)
                received += event.quantity
                self.ordered = max(self.ordered, received)
            elif event.activity == "Cancel Goods Receipt":
                event.document = self.new_document("GC")
                if live:
                    original = live.pop()
                    event.reverses, event.quantity = original.document, original.quantity
                    received -= original.quantity
                else:
                    event.reverses = self.new_document("GR-unknown-")
                    self.unlinked["goods_receipt_cancelled"] += 1
            elif event.activity == "Record Service Entry Sheet":
                event.document = self.new_document("SE")
        self.received = received

    def link_requisitions(self):
        """A requisition has a number of its own; the SRM steps that follow are about it."""
        number = None
        for event in self.events:
            if event.activity in ("SRM: Created", "Create Purchase Requisition Item"):
                event.document = self.new_document("RQ")
                number = event.document if event.activity == "SRM: Created" else number
            elif event.activity.startswith("SRM: "):
                event.document = number or event.order

    def link_invoices(self):
        """Walks the line's events in order and links each to the document it is about."""
        coverage = units.Coverage()
        steps = {
            "Record Invoice Receipt": lambda event: self.record_invoice(event, coverage),
            "Cancel Invoice Receipt": lambda event: self.cancel_invoice(event, coverage),
            "Record Subsequent Invoice": self.record_subsequent,
            "Cancel Subsequent Invoice": self.cancel_subsequent,
            "Clear Invoice": self.clear_invoice,
            "Set Payment Block": self.block_invoice,
            "Remove Payment Block": self.unblock_invoice,
        }
        for event in self.events:
            step = steps.get(event.activity)
            if step:
                step(event)

    def record_invoice(self, event, coverage):
        invoice = Invoice(self.new_document("IR"), event, units.units_of_value(event.cents, self.value))
        invoice.ranges = coverage.take_lowest(invoice.quantity)
        invoice.net = sum(units.value_of_units(self.value, self.ordered, start, end) for start, end in invoice.ranges)
        again = [other for other in self.invoices if other.cancelled is not None and not other.recorded_again and other.cents == event.cents]
        if again:
            earlier = min(again, key=lambda other: other.cancelled)
            earlier.recorded_again = True
            invoice.chain = earlier.chain
            invoice.chain.append(invoice)
            invoice.number = earlier.number
            self.linked["invoice_recorded_again_under_its_number"] += 1
        else:
            self.serials["number"] += 1
            invoice.number = f"{event.order}-L{event.item}-N{self.serials['number']}"
        self.invoices.append(invoice)
        event.invoice = invoice

    def cancel_invoice(self, event, coverage):
        live = [invoice for invoice in self.invoices if invoice.cancelled is None]
        same = [invoice for invoice in live if invoice.cents == event.cents]
        if not live:
            self.unlinked["invoice_cancelled"] += 1
            event.document = self.new_document("IR-unknown-")
            return
        if not same:
            self.linked["invoice_cancelled_of_another_value"] += 1
        invoice = (same or live)[-1]
        invoice.cancelled = event.rank
        coverage.give_back(invoice.ranges)
        event.invoice, event.document = invoice, invoice.document

    def record_subsequent(self, event):
        event.document = self.new_document("SD")
        self.subsequent.append(event.document)

    def cancel_subsequent(self, event):
        if self.subsequent:
            event.document = self.subsequent.pop()
        else:
            event.document = self.new_document("SD-unknown-")
            self.unlinked["subsequent_debit_cancelled"] += 1

    def clear_invoice(self, event):
        """The earliest uncleared invoice, cancelled or not: a cancelled one is offset."""
        open_ones = [invoice for invoice in self.invoices if not invoice.cleared]
        if not open_ones:
            event.document = self.new_document("unknown-")
            self.unlinked["cleared"] += 1
            return
        invoice = open_ones[0]
        invoice.cleared = True
        invoice.blocked_when_cleared = invoice.blocked
        event.invoice, event.document = invoice, invoice.document

    def latest_uncleared(self):
        open_ones = [invoice for invoice in self.invoices if not invoice.cleared]
        live = [invoice for invoice in open_ones if invoice.cancelled is None]
        return (live or open_ones or [None])[-1]

    def block_invoice(self, event):
        self.link_block(event, self.latest_uncleared(), "blocked", True)

    def unblock_invoice(self, event):
        """A block that is set comes off first, so that no invoice stays blocked although the log lifts it."""
        blocked = [invoice for invoice in self.invoices if invoice.blocked and not invoice.cleared]
        self.link_block(event, blocked[-1] if blocked else self.latest_uncleared(), "unblocked", False)

    def link_block(self, event, invoice, kind, blocked):
        if invoice is None:
            event.document = self.name
            self.unlinked[kind] += 1
            return
        if not blocked and not invoice.blocked:
            self.linked["unblocked_without_a_block"] += 1
        invoice.blocked = blocked
        event.invoice, event.document = invoice, invoice.document

    def pair_vendor_invoices(self):
        """The vendor's invoices in order belong to the never-cancelled recorded ones in order, and date their whole chain."""
        lasting = [invoice for invoice in self.invoices if invoice.cancelled is None]
        announcements = [event for event in self.events if event.activity == "Vendor creates invoice"]
        for event, invoice in zip(announcements, lasting):
            for member in invoice.chain:
                member.dated = event.moment
                member.paired = True
            # One paper: before its first record is cancelled the vendor's invoice is about that one.
            event.invoice = next(member for member in invoice.chain if member.cancelled is None or member.cancelled > event.rank)
            event.document = event.invoice.document
        for event in announcements[len(lasting):]:
            event.document = self.new_document("VI")
            self.unlinked["received"] += 1

    def pair_debit_memos(self):
        """The vendor's memos in order belong to the cancellations in order, and date them."""
        cancellations = [event for event in self.events if event.activity == "Cancel Invoice Receipt"]
        memos = [event for event in self.events if event.activity == "Vendor creates debit memo"]
        for memo, cancellation in zip(memos, cancellations):
            memo.reverses = cancellation.document
            cancellation.dated = memo.moment
        for event in memos:
            event.document = self.new_document("DM")
        self.unlinked["debit_memo"] += max(0, len(memos) - len(cancellations))
