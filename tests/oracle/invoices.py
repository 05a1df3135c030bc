"""Invoice events: numbers, totals, tax, the match with order and receipts, journals. Each function checks one kind."""
from amounts import AMOUNT_LIMIT, MINOR_UNIT, round_half_up
from coverage import lowest_uncovered, united, without
from journals import Coding, Draft, reverse
from procurement import PERCENT, order_key


class Document:
    """An invoice, subsequent debit or credit note as the processor knows it by its number in the source."""
    __slots__ = ("state", "supplier", "number", "total", "currency", "document_date", "blocked", "cleared", "gross", "journal", "covers")

    def __init__(self, supplier):
        self.state = "unknown"           # announced, posted, cancelled; unknown: none of them yet
        self.supplier, self.number = supplier, ""
        self.total, self.currency, self.document_date = None, "", None
        self.blocked = self.cleared = False
        self.gross = 0                   # what clears it: below 0 where the supplier owes
        self.journal = None
        self.covers = ()                 # (order line's key, ranges of units, quantity, receipt value)

    def is_live(self):
        return self.state in ("announced", "posted")

    def was_posted(self):
        return self.state in ("posted", "cancelled")


def normalised(number):
    """Upper case, letters and digits only, leading zeros off."""
    return "".join(character for character in number.upper() if character.isalnum()).lstrip("0")


def cancelled_document(event):
    return event.entity, event.reverses or event.document


def _document(decision):
    return decision.task.documents.get((decision.event.entity, decision.event.document))


def check_number(decision, document):
    """Another live document of the supplier under the same number; returns the number under which this one will be known."""
    task, event = decision.task, decision.event
    number = normalised(event.number) or (document.number if document else "")
    holder = task.numbers.get((event.entity, event.supplier, number)) if number else None
    if holder is not None and holder != (event.entity, event.document):
        other = task.documents[holder]
        same = (other.total, other.currency, other.document_date) == (event.total, event.currency, event.document_date)
        decision.found("DUPLICATE_DOCUMENT" if same else "POSSIBLE_DUPLICATE")
    return number


def tell_payable(decision, kind, key, document):
    """Effect: what whoever pays is told of a posted document."""
    if document.gross:
        decision.task.payables.append((decision.task.stream_time, kind, key[0], document.supplier, key[1], document.gross, document.currency, document.blocked))


def register(decision, number):
    """Effect: the event's document with its number taken, made where it is new."""
    task, event = decision.task, decision.event
    key = (event.entity, event.document)
    document = task.documents.get(key) or Document(event.supplier)
    task.documents[key] = document
    if document.number != number:
        release_number(task, key, document)
    document.number = number
    if number:
        task.numbers[(event.entity, document.supplier, number)] = key
    document.total, document.currency, document.document_date = event.total, event.currency, event.document_date
    return document


def release_number(task, key, document):
    holder = (key[0], document.supplier, document.number)
    if document.number and task.numbers.get(holder) == key:
        del task.numbers[holder]


def decide_received(decision):
    event = decision.event
    if decision.tolerance["invoice_posts_on"] != "approved" and event.lines:
        decide_posting(decision)
        return
    document = _document(decision)
    if document is not None and document.is_live():
        decision.found("NO_EFFECT")
        return
    for line in event.lines:
        if line.order and order_key(event, line) not in decision.task.orders:
            decision.order_unknown(line)
    number = check_number(decision, document)
    decision.effects.append(lambda: setattr(register(decision, number), "state", "announced"))


class Tax:
    """Tax of a line: charged by the supplier, its deductible part, and what reverse charge makes due to the authority."""
    __slots__ = ("charged", "deductible", "reverse", "reverse_deductible")

    def __init__(self, charged, deductible=0, reverse=0, reverse_deductible=0):
        self.charged, self.deductible, self.reverse, self.reverse_deductible = charged, deductible, reverse, reverse_deductible


def check_tax(decision, line):
    """The line's tax, or None where its code is not known and it gives none."""
    unit = MINOR_UNIT[decision.event.currency]
    if not line.tax_code:                       # outside the scope of tax
        if line.tax:
            decision.found("TAX_AMOUNT_WRONG")
        return Tax(line.tax or 0)
    code = decision.masters.tax_codes.find((decision.event.entity, line.tax_code), decision.tax_date)
    if code is None:
        decision.found("TAX_CODE_UNKNOWN")
        return None if line.tax is None else Tax(line.tax)
    computed = round_half_up(line.net * code["rate"], PERCENT, unit)
    if code["reverse_charge"]:
        if line.tax:
            decision.found("TAX_AMOUNT_WRONG")
        return Tax(line.tax or 0, 0, computed, round_half_up(computed * code["deductible"], PERCENT, unit))
    charged = computed if line.tax is None else line.tax
    if abs(charged - computed) > unit:
        decision.found("TAX_AMOUNT_WRONG")
    return Tax(charged, round_half_up(charged * code["deductible"], PERCENT, unit))


def check_totals(decision):
    """Check of tax and total; returns each line's tax."""
    event = decision.event
    taxes = [check_tax(decision, line) for line in event.lines]
    if not event.lines or event.total is None:
        decision.found("TOTAL_MISMATCH")
    elif None not in taxes:
        tax = sum(tax.charged for tax in taxes)
        total = tax + sum(line.net for line in event.lines)
        if total != event.total or event.tax not in (None, tax):
            decision.found("TOTAL_MISMATCH")
        if abs(total) >= AMOUNT_LIMIT:
            decision.found("AMOUNT_OVERFLOW")
    return taxes


class Match:
    """The match of one invoice's lines: what they would cover, on top of what order lines have covered already."""

    def __init__(self, decision):
        self.decision = decision
        self.covers = []             # (order line's key, ranges, quantity, receipt value)
        self.before = {}             # order line's key -> (covered ranges, quantity, value) with the lines matched so far

    def line(self, line):
        """(order line or None, receipt value or None) of a line with an order; None where something forbids to tell it."""
        decision, event = self.decision, self.decision.event
        key = order_key(event, line)
        order = decision.task.orders.get(key)
        if order is None:
            decision.order_unknown(line)
            return None, None
        if order.supplier != event.supplier:
            decision.found("SUPPLIER_MISMATCH")
        if order.currency != event.currency:
            decision.found("CURRENCY_MISMATCH")
        if line.unit and order.unit and line.unit != order.unit:
            decision.found("UNIT_MISMATCH")
        if order.cancelled:
            decision.found("ORDER_DELETED")
        if line.quantity <= 0:
            decision.found("QUANTITY_TOLERANCE")
            return order, None
        return order, self._cover(key, order, line)

    def _cover(self, key, order, line):
        decision, tolerance = self.decision, self.decision.tolerance
        ranges, quantity, value = self.before.get(key, (order.covered, order.covered_quantity, order.covered_value))
        allowed = order.allows(quantity + line.quantity, tolerance["quantity_percent"])
        received = line.quantity <= order.received - quantity
        if not allowed:
            decision.found("OVER_INVOICED")
        if not received:
            decision.found("GOODS_RECEIPT_MISSING", ("receipt", *key))
            decision.early_invoice_is_held |= tolerance["early_invoice"] == "hold"
        if not (allowed and received):
            return None
        taken = lowest_uncovered(ranges, order.received, line.quantity)
        if quantity + line.quantity == order.received:
            worth = order.received_value - value
        else:
            worth = sum(order.value_of(end) - order.value_of(first) for first, end in taken)
        self.before[key] = (united(ranges, taken), quantity + line.quantity, value + worth)
        self.covers.append((key, taken, line.quantity, worth))
        over = line.net - worth
        if over * PERCENT > max(worth * tolerance["price_percent"], tolerance["price_amount"] * PERCENT):
            decision.found("PRICE_TOLERANCE")
        return worth


def line_amounts(line, tax, receipt_value):
    amounts = {
        "net": line.net, "gross": line.net + tax.charged,
        "tax_deductible": tax.deductible,
        # What is not deductible of a reverse charge is in the amounts of its own.
        "tax_not_deductible": 0 if tax.reverse else tax.charged - tax.deductible,
        "tax_reverse": tax.reverse, "tax_reverse_deductible": tax.reverse_deductible,
        "tax_reverse_not_deductible": tax.reverse - tax.reverse_deductible,
    }
    if receipt_value is not None:
        amounts["receipt_value"] = receipt_value
        amounts["variance_above"] = max(line.net - receipt_value, 0)
        amounts["variance_below"] = max(receipt_value - line.net, 0)
    return amounts


def coding_of(line, order):
    """An order line's own coding goes before the invoice's; the tax code is the invoice's."""
    if order is None:
        return Coding(line.category, line.tax_code, line.account, line.cost_centre, line.project)
    return Coding(order.coding.category, line.tax_code, line.account, order.coding.cost_centre, order.coding.project)


def post_document(decision, step, covers, journal, sign=1):
    """Effect: the document is posted, its number taken, its units covered."""
    task, event = decision.task, decision.event
    document = register(decision, decision.number)
    document.state, document.gross, document.covers = "posted", sign * event.total, covers
    document.journal = task.post(journal)
    tell_payable(decision, "opened", (event.entity, event.document), document)
    for key, ranges, quantity, value in covers:
        order = task.orders[key]
        order.covered = united(order.covered, ranges)
        order.covered_quantity += quantity
        order.covered_value += value
        task.arrived(("receipt", *key))


def _posted_already(decision):
    document = _document(decision)
    if document is not None and document.state == "posted":
        decision.found("NO_EFFECT")
        return True
    return False


def decide_posting(decision):
    """received or approved: the three-way match, and the journal."""
    event = decision.event
    if _posted_already(decision):
        return
    decision.number = check_number(decision, _document(decision))
    taxes = check_totals(decision)
    match, draft = Match(decision), Draft(decision, event.currency)
    for line, tax in zip(event.lines, taxes):
        order, value = match.line(line) if line.order else (None, None)
        known = value is not None if line.order else True
        if known and tax is not None:
            step = "invoice_with_order" if line.order else "invoice_without_order"
            draft.add(step, coding_of(line, order), line_amounts(line, tax, value))
    step = "invoice_with_order" if any(line.order for line in event.lines) else "invoice_without_order"
    finish_posting(decision, draft, step, match.covers)


def finish_posting(decision, draft, step, covers, sign=1):
    journal = draft.finish(decision.event.document, step)
    if journal is None and decision.outcome() == "accepted":
        decision.found("ZERO_VALUE")
    else:
        decision.journal_follows = True
    decision.effects.append(lambda: post_document(decision, step, covers, journal, sign))


def _add_lines_without_match(decision, step, taxes):
    draft = Draft(decision, decision.event.currency)
    for line, tax in zip(decision.event.lines, taxes):
        order = None
        if line.order:
            order = decision.task.orders.get(order_key(decision.event, line))
            if order is None:
                decision.order_unknown(line)
                continue
        if tax is not None:
            draft.add(step, coding_of(line, order), line_amounts(line, tax, None))
    return draft


def decide_subsequent_debit(decision):
    if _posted_already(decision):
        return
    document = _document(decision)
    decision.number = document.number if document else ""
    draft = _add_lines_without_match(decision, "subsequent_debit", check_totals(decision))
    finish_posting(decision, draft, "subsequent_debit", ())


def decide_credit_note(decision):
    task, event = decision.task, decision.event
    if _posted_already(decision):
        return
    if event.reverses:
        original = task.documents.get((event.entity, event.reverses))
        if original is None or not original.was_posted():
            decision.found("ORIGINAL_UNKNOWN")
        elif event.total is not None and event.total > original.gross:
            decision.found("CREDIT_EXCEEDS_ORIGINAL")
    decision.number = check_number(decision, _document(decision))
    draft = _add_lines_without_match(decision, "credit_note", check_totals(decision))
    finish_posting(decision, draft, "credit_note", (), -1)


def decide_cancelled(decision):
    task = decision.task
    key = cancelled_document(decision.event)
    document = task.documents.get(key)
    if document is None or not document.was_posted():
        decision.found("ORIGINAL_UNKNOWN")
        return
    if document.state == "cancelled":
        decision.found("ALREADY_REVERSED")
        return
    if document.journal is None:
        decision.found("ZERO_VALUE")
    journal = reverse(decision, document.journal)

    def effect():
        task.post(journal)
        document.state = "cancelled"
        release_number(task, key, document)
        for order_line, ranges, quantity, value in document.covers:
            order = task.orders[order_line]
            order.covered = without(order.covered, ranges)
            order.covered_quantity -= quantity
            order.covered_value -= value
            task.arrived(("receipt", *order_line))
        tell_payable(decision, "closed", key, document)
        document.covers, document.journal = (), None
    decision.effects.append(effect)


def set_block(decision, document, blocked):
    def effect():
        changes = document.state == "posted" and document.blocked != blocked
        document.blocked = blocked
        if changes:
            tell_payable(decision, "changed", (decision.event.entity, decision.event.document), document)
    decision.effects.append(effect)


def decide_blocked(decision):
    document = _document(decision)
    if document is None:
        decision.found("ORIGINAL_UNKNOWN")
    else:
        set_block(decision, document, True)


def decide_unblocked(decision):
    document = _document(decision)
    if document is None or not document.blocked:
        decision.found("NO_EFFECT")
    else:
        set_block(decision, document, False)


def decide_cleared(decision):
    document = _document(decision)
    if document is None or not document.was_posted():
        decision.found("ORIGINAL_UNKNOWN")
        return
    if document.cleared:
        decision.found("ALREADY_CLEARED")
    if document.blocked:
        decision.found("PAYMENT_BLOCKED")
    if document.state == "cancelled":
        decision.found("NO_EFFECT")
        return
    draft = Draft(decision, document.currency)
    draft.add("clearing", Coding(), {"gross": document.gross})
    journal = draft.finish(decision.event.document, "clearing")
    if document.gross == 0:
        decision.found("ZERO_VALUE")
    decision.journal_follows = document.gross != 0

    def effect():
        document.cleared = True
        decision.task.post(journal)
        tell_payable(decision, "closed", (decision.event.entity, decision.event.document), document)
    decision.effects.append(effect)


DECIDE = {
    "received": decide_received,
    "approved": decide_posting,
    "credit_note": decide_credit_note,
    "subsequent_debit": decide_subsequent_debit,
    "cancelled": decide_cancelled,
    "blocked": decide_blocked,
    "unblocked": decide_unblocked,
    "cleared": decide_cleared,
}
