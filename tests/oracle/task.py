"""A task: one partition of both topics, replayed in the order of the rule book, with its state, its waits and its queues."""
import collections
import heapq

import invoices
import journals
import procurement
from amounts import AMOUNT_LIMIT, DAY_MS, MINOR_UNIT, QUANTITY_LIMIT
from decision import Decision
from events import INVOICE, PROCUREMENT, TOPICS

KINDS_WITHOUT_EFFECT = frozenset(("status", "unknown", "order_approved", "debit_memo"))
# Kinds that bring a document into being: a cancellation voids them where they wait.
ESTABLISHING = frozenset(("received", "approved", "credit_note", "subsequent_debit", "order_created", "requisition", "goods_received",
                          "service_entered"))
DECIDE = (procurement.DECIDE, invoices.DECIDE)


class Task:
    """State of one partition number. `queues` holds, per document, its waiting first event and what is parked behind it."""

    def __init__(self, masters, picked_rules):
        self.masters, self.picked_rules = masters, picked_rules
        self.orders = {}             # (entity, order, line) -> OrderLine
        self.requisitions = {}       # same key, or (entity, None, document, line) -> (pre-committed amount, currency)
        self.receipts, self.services = {}, {}        # (entity, document) -> Receipt
        self.documents, self.numbers = {}, {}        # (entity, document) -> Document; (entity, supplier, number) -> its key
        self.journals, self.versions = [], {}
        self.payables = []           # what payments follow: (time, kind, entity, supplier, document, amount, currency, blocked)
        self.seen = set()            # (document's identity, event id)
        self.queues = {}             # document's identity -> deque of events
        self.waiting = {}            # key of state -> events parked under it
        self.limits = []             # heap of (limit, taken, event)
        self.ready = []              # heap of (taken, event) to be decided anew
        self.stream_time = None
        self.taken = 0

    def replay(self, procurement_events, invoice_events):
        """Takes the events of both inputs: the head with the smallest (event time, input), each input in the order of its offsets."""
        inputs = (procurement_events, invoice_events)
        positions = [0, 0]
        while True:
            heads = [(inputs[topic][positions[topic]].time or 0, topic) for topic in (PROCUREMENT, INVOICE)
                     if positions[topic] < len(inputs[topic])]
            if not heads:
                return
            topic = min(heads)[1]
            self.take(inputs[topic][positions[topic]])
            positions[topic] += 1

    def take(self, event):
        self.taken += 1
        event.taken = self.taken
        if event.time is not None:
            self.stream_time = event.time if self.stream_time is None else max(self.stream_time, event.time)
            self.end_waits()
        if event.outcome in ("poison", "clock"):
            return
        event.identity = identity(event)
        date = self.masters.entity_at(event.entity, event.time, event.posting_date)[1]
        if not self.masters.may_say(event.source, TOPICS[event.topic], event.entity, date):
            event.becomes("poison", ("SOURCE_NOT_AUTHORISED",))
            return
        if (event.identity, event.event_id) in self.seen:
            event.becomes("duplicate", ("DUPLICATE_EVENT",))
            return
        self.seen.add((event.identity, event.event_id))
        overtaken = overtaken_identity(event)
        if overtaken in self.queues:
            self.overtake(event, overtaken)
        elif event.identity not in self.queues:
            self.decide_first(event)
        elif event.kind in ESTABLISHING and not any(waiting.kind in ESTABLISHING for waiting in self.queues[event.identity]):
            self.pass_by(event)
        else:
            self.queues[event.identity].append(event)
            event.becomes("parked", ("OUT_OF_ORDER",))
        self.release()

    def end_waits(self):
        while self.limits and self.limits[0][0] <= self.stream_time:
            event = heapq.heappop(self.limits)[2]
            if event.outcome == "parked":
                event.becomes("held", event.reasons)

    def pass_by(self, event):
        """What brings the document into being does not wait behind what needs it; once it is there, that is decided."""
        self.decide_first(event)
        if event.outcome == "accepted":
            self.next_in(event.identity)

    def decide_first(self, event):
        """Decides an event that nothing of its document waits before; what must wait heads the document's queue."""
        self.decide(event)
        if event.outcome in ("parked", "held"):
            self.queues.setdefault(event.identity, collections.deque()).appendleft(event)

    def overtake(self, event, overtaken):
        """A cancellation voids what waits to establish its document; where nothing does, or it stands already, it is decided at once."""
        queue = self.queues[overtaken]
        voided = [waiting for waiting in queue if waiting.kind in ESTABLISHING]
        for waiting in voided:
            queue.remove(waiting)
            waiting.becomes("rejected", ("ALREADY_REVERSED",))
        if not queue:
            del self.queues[overtaken]
        if voided and not self.is_live(event):
            self.void(event)
            event.becomes("accepted", ("NO_EFFECT",))
        else:
            self.decide_first(event)
        if event.outcome in ("accepted", "rejected") and overtaken in self.queues:
            self.next_in(overtaken)

    def is_live(self, event):
        """Whether the document that the event cancels is posted (an order line: known)."""
        if event.topic == INVOICE:
            document = self.documents.get(invoices.cancelled_document(event))
            return document is not None and document.state == "posted"
        if event.kind == "order_cancelled":
            return overtaken_identity(event)[1:] in self.orders
        return procurement.cancelled_receipt(event) in self.receipts

    def void(self, event):
        """An invoice that never came to be posted is cancelled then, and its number free. A receipt or order leaves no trace."""
        if event.topic == INVOICE:
            key = invoices.cancelled_document(event)
            document = self.documents.setdefault(key, invoices.Document(event.supplier))
            document.state = "cancelled"
            invoices.release_number(self, key, document)

    def next_in(self, document):
        """The next event of a document's queue is to be decided; an empty queue goes."""
        queue = self.queues[document]
        if queue:
            heapq.heappush(self.ready, (queue[0].taken, queue[0]))
        else:
            del self.queues[document]

    def release(self):
        """Decides anew, the oldest first, until nothing that waits has had its key arrive."""
        while self.ready:
            event = heapq.heappop(self.ready)[1]
            queue = self.queues.get(event.identity)
            if not queue or queue[0] is not event:
                continue
            self.decide(event)
            if event.outcome not in ("parked", "held"):
                queue.popleft()
                self.next_in(event.identity)

    def arrived(self, key):
        for event in self.waiting.pop(key, ()):
            if event.outcome == "parked":
                heapq.heappush(self.ready, (event.taken, event))

    def decide(self, event):
        """All checks; the effects when the event is accepted; its place among what waits when it is parked."""
        decision = Decision(self, event)
        decision.check_parties()
        if check_amounts(decision):
            if event.kind in KINDS_WITHOUT_EFFECT:
                decision.found("NO_EFFECT")
            else:
                DECIDE[event.topic][event.kind](decision)
        if decision.journal_follows:
            decision.check_ledger()
        outcome = decision.outcome()
        event.becomes(outcome, decision.reasons)
        if outcome == "accepted":
            for effect in decision.effects:
                effect()
        elif outcome == "parked":
            self.park(event, decision)

    def park(self, event, decision):
        for key in sorted(decision.keys):
            waiting = self.waiting.setdefault(key, [])
            if event not in waiting:
                waiting.append(event)
        if event.limit is None:
            days = decision.tolerance["receipt_wait_days" if decision.waits_for_order_or_receipt() else "wait_days"]
            event.limit = self.stream_time + days * DAY_MS
            heapq.heappush(self.limits, (event.limit, event.taken, event))
        elif event.limit <= self.stream_time:        # its wait has ended once already; decided anew, it does not wait for longer
            heapq.heappush(self.limits, (event.limit, event.taken, event))

    def post(self, journal):
        """Keeps a journal under its idempotency key, the next version where the key is taken; returns it. None stays None."""
        if journal is not None:
            name = (journal.entity, journal.document, journal.step)
            journal.version = self.versions[name] = self.versions.get(name, 0) + 1
            self.journals.append(journal)
        return journal

    def pick_rule(self, rule_set, step, category, group, tax_code):
        if rule_set is None:
            return None
        key = (id(rule_set), step, category, group, tax_code)
        if key not in self.picked_rules:
            self.picked_rules[key] = journals.pick_rule(rule_set, step, category, group, tax_code)
        return self.picked_rules[key]


def identity(event):
    """The document of an event: order events are of their first order line."""
    if event.topic == INVOICE:
        return "invoice", event.entity, event.document
    if event.kind.startswith("order_"):
        return "order", event.entity, event.order, event.lines[0].line if event.lines else ""
    return "document", event.entity, event.document


def overtaken_identity(event):
    """The document that a cancellation overtakes; None of other events."""
    if event.topic == INVOICE:
        return ("invoice", *invoices.cancelled_document(event)) if event.kind == "cancelled" else None
    if event.kind == "order_cancelled":
        return identity(event)
    if event.kind in ("goods_receipt_cancelled", "service_entry_cancelled"):
        return ("document", *procurement.cancelled_receipt(event))
    return None


def check_amounts(decision):
    """Check 5. False when no check that reckons with the amounts makes sense."""
    event = decision.event
    amounts = [amount for amount in (event.total, event.tax) if amount is not None]
    for line in event.lines:
        amounts += [amount for amount in (line.net, line.tax) if amount is not None]
    unit = MINOR_UNIT.get(event.currency)
    if unit is None and (event.currency or amounts):
        decision.found("CURRENCY_UNKNOWN")
    overflow = any(abs(amount) >= AMOUNT_LIMIT for amount in amounts) or any(abs(line.quantity) >= QUANTITY_LIMIT for line in event.lines)
    if overflow:
        decision.found("AMOUNT_OVERFLOW")
    if unit is not None and any(amount % unit for amount in amounts):
        decision.found("CURRENCY_PRECISION")
    return not overflow and not (unit is None and (event.currency or amounts))
