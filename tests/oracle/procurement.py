"""Procurement events: order lines, receipts, commitments. Each function checks one kind and leaves its effects in the decision."""
from amounts import MINOR_UNIT, floor_to_unit
from journals import Coding, Draft, reverse

PERCENT = 10 ** 6        # 100 % where a per cent has four decimal digits


class OrderLine:
    """An order line. Quantities are in 1/1,000,000, values in 1/10,000 of the currency."""
    __slots__ = ("supplier", "quantity", "net", "currency", "unit", "coding", "cancelled", "completed", "received", "received_value",
                 "covered", "covered_quantity", "covered_value", "committed")

    def __init__(self, event, line):
        self.supplier, self.currency = event.supplier, event.currency
        self.quantity, self.net, self.unit = line.quantity, line.net, line.unit
        self.coding = Coding(line.category, line.tax_code, "", line.cost_centre, line.project)
        self.cancelled = self.completed = False
        self.received = self.received_value = 0          # by live receipts
        self.covered = []                                # ranges of units that live invoices cover, sorted, apart
        self.covered_quantity = self.covered_value = 0
        self.committed = line.net

    def value_of(self, units):
        """What the first `units` are worth."""
        return floor_to_unit(self.net * units, self.quantity, MINOR_UNIT[self.currency])

    def is_shut(self):
        """Cancelled or completed: nothing is committed on it, and nothing relieved."""
        return self.cancelled or self.completed

    def allows(self, quantity, quantity_percent):
        return quantity * PERCENT <= self.quantity * (PERCENT + quantity_percent)


class Receipt:
    """A goods receipt or service entry: what it brought, to be taken back by its cancellation."""
    __slots__ = ("parts", "journal", "cancelled")

    def __init__(self, parts, journal):
        self.parts, self.journal, self.cancelled = parts, journal, False       # parts: (order line's key, quantity, value)


def order_key(event, line):
    return event.entity, line.order, line.order_line


def decide_requisition(decision):
    task, event = decision.task, decision.event
    news = {}
    for line in event.lines:
        key = order_key(event, line) if event.order else (event.entity, None, event.document, line.line)
        if key not in task.requisitions and key not in news:
            news[key] = (line.net or 0, event.currency)
    if not news:
        decision.found("NO_EFFECT")
    decision.effects.append(lambda: task.requisitions.update(news))


def decide_order_created(decision):
    task, event = decision.task, decision.event
    news = {}
    for line in event.lines:
        key = order_key(event, line)
        if key in task.orders or key in news:
            decision.found("DUPLICATE_DOCUMENT")
        elif line.quantity <= 0 or line.net is None:
            decision.found("QUANTITY_TOLERANCE")
        else:
            news[key] = OrderLine(event, line)
    if not event.lines:
        decision.found("NO_EFFECT")

    def effect():
        task.orders.update(news)
        for key in news:
            if key in task.requisitions:
                task.requisitions[key] = (0, event.currency)
            task.arrived(("order", *key))
    decision.effects.append(effect)


def known_lines(decision):
    """(line, order line) of every line whose order line is known; the others are found unknown."""
    pairs = []
    for line in decision.event.lines:
        order = decision.task.orders.get(order_key(decision.event, line))
        if order is None:
            decision.order_unknown(line)
        else:
            pairs.append((line, order))
    return pairs


def order_lines_changed(decision):
    """An invoice that waits for an order line is decided anew whenever the line changes."""
    for line in decision.event.lines:
        decision.task.arrived(("receipt", *order_key(decision.event, line)))


def decide_order_changed(decision):
    changes = [(line, order) for line, order in known_lines(decision) if line.net is not None]
    if not any(line.net is not None for line in decision.event.lines):
        decision.found("NO_EFFECT")

    def effect():
        for line, order in changes:
            if not order.is_shut():
                order.committed += line.net - order.net
            order.net = line.net
            if line.quantity > 0:
                order.quantity = line.quantity
        order_lines_changed(decision)
    decision.effects.append(effect)


def decide_order_cancelled(decision):
    pairs = known_lines(decision)
    live = [order for _, order in pairs if not order.cancelled]
    if not live and len(pairs) == len(decision.event.lines):
        decision.found("NO_EFFECT")

    def effect():
        for order in live:
            order.cancelled, order.committed = True, 0
        order_lines_changed(decision)
    decision.effects.append(effect)


def decide_order_reopened(decision):
    pairs = known_lines(decision)
    shut = [order for _, order in pairs if order.is_shut()]
    if not shut and len(pairs) == len(decision.event.lines):
        decision.found("NO_EFFECT")

    def effect():
        for order in shut:
            order.cancelled = order.completed = False
            order.committed = order.net - order.received_value
        order_lines_changed(decision)
    decision.effects.append(effect)


def decide_order_completed(decision):
    pairs = known_lines(decision)
    news = [order for _, order in pairs if not order.completed]
    if not news and len(pairs) == len(decision.event.lines):
        decision.found("NO_EFFECT")

    def effect():
        for order in news:
            order.completed, order.committed = True, 0
        order_lines_changed(decision)
    decision.effects.append(effect)


def _check_received_line(decision, line, order, received):
    """The checks of one received line when `received` units are there already; the value that it brings, or None."""
    if line.unit and order.unit and line.unit != order.unit:
        decision.found("UNIT_MISMATCH")
    if decision.event.currency and decision.event.currency != order.currency:
        decision.found("CURRENCY_MISMATCH")
    if order.cancelled:
        decision.found("ORDER_DELETED")
    if order.completed:
        decision.found("DELIVERY_COMPLETED")
    if line.quantity <= 0:
        decision.found("QUANTITY_TOLERANCE")
        return None
    if not order.allows(received + line.quantity, decision.tolerance["quantity_percent"]) and decision.tolerance["over_receipt"] == "hold":
        decision.found("OVER_RECEIVED")
    value = order.value_of(received + line.quantity) - order.value_of(received)
    if value == 0:
        decision.found("ZERO_VALUE")
    return value


def decide_goods_received(decision):
    task, event = decision.task, decision.event
    document = (event.entity, event.document)
    if document in task.receipts:
        decision.found("DUPLICATE_DOCUMENT")
    pairs = known_lines(decision)
    draft = Draft(decision, pairs[0][1].currency) if pairs else None
    received, parts = {}, []
    for line, order in pairs:
        key = order_key(event, line)
        before = received.get(key, order.received)
        value = _check_received_line(decision, line, order, before)
        if value is not None:
            received[key] = before + line.quantity
            parts.append((key, line.quantity, value))
            if order.currency == draft.currency:
                draft.add("goods_receipt", order.coding, {"net": value, "receipt_value": value, "gross": value})
            else:
                decision.found("CURRENCY_MISMATCH")
    if not event.lines:
        decision.found("NO_EFFECT")
    worthless = len(parts) == len(event.lines) and not any(value for _, _, value in parts)
    decision.journal_follows = not worthless
    journal = draft.finish(event.document, "goods_receipt") if draft else None

    def effect():
        task.receipts[document] = Receipt(parts, task.post(journal))
        for key, quantity, value in parts:
            order = task.orders[key]
            order.received += quantity
            order.received_value += value
            if not order.is_shut():
                order.committed -= value
            task.arrived(("receipt", *key))
    decision.effects.append(effect)


def cancelled_receipt(event):
    """The document that a cancellation takes back: `reverses`, or its own number when it names no other."""
    return event.entity, event.reverses or event.document


def decide_goods_receipt_cancelled(decision):
    task, event = decision.task, decision.event
    receipt = task.receipts.get(cancelled_receipt(event))
    if receipt is None:
        decision.found("ORIGINAL_UNKNOWN")
        return
    if receipt.cancelled:
        decision.found("ALREADY_REVERSED")
        return
    if receipt.journal is None:
        decision.found("ZERO_VALUE")
    journal = reverse(decision, receipt.journal)

    def effect():
        receipt.cancelled = True
        task.post(journal)
        for key, quantity, value in receipt.parts:
            order = task.orders[key]
            order.received -= quantity
            order.received_value -= value
            if not order.is_shut():
                order.committed += value
            task.arrived(("receipt", *key))
    decision.effects.append(effect)


def decide_service_entered(decision):
    task, event = decision.task, decision.event
    if (event.entity, event.document) in task.services:
        decision.found("DUPLICATE_DOCUMENT")
    known_lines(decision)
    decision.effects.append(lambda: task.services.update({(event.entity, event.document): Receipt((), None)}))


def decide_service_entry_cancelled(decision):
    entry = decision.task.services.get(cancelled_receipt(decision.event))
    if entry is None:
        decision.found("ORIGINAL_UNKNOWN")
    elif entry.cancelled:
        decision.found("ALREADY_REVERSED")
    else:
        decision.effects.append(lambda: setattr(entry, "cancelled", True))


DECIDE = {
    "requisition": decide_requisition,
    "order_created": decide_order_created,
    "order_changed": decide_order_changed,
    "order_cancelled": decide_order_cancelled,
    "order_reopened": decide_order_reopened,
    "order_completed": decide_order_completed,
    "goods_received": decide_goods_received,
    "goods_receipt_cancelled": decide_goods_receipt_cancelled,
    "service_entered": decide_service_entered,
    "service_entry_cancelled": decide_service_entry_cancelled,
}
