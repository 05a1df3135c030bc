"""Payments by docs/payments.md: open items as the invoices of this replay make them, then what treasury and the bank say of each payment.

Told here: instructed, approved, sent, bank_accepted, bank_rejected, settled, returned and refunded, without prepayment, discount, withholding and another payer, in the
entity's own currency. An event that asks for more ends the replay with an error: it would be told wrongly."""
import heapq

from amounts import DAY_MS, MINOR_UNIT
from decision import CLASS, Decision
from journals import Coding, Draft, check_lines
from task import Task

ESTABLISHING = frozenset(("instructed", "refunded"))
# "Which event when": kind -> status of the payment -> what that does to it; None: it takes effect.
NOTHING, WAITS = "NO_EFFECT", "ORIGINAL_UNKNOWN"
OVER = dict.fromkeys(("none", "rejected", "returned"))
UNMATCHED = dict.fromkeys(("rejected", "returned"), "PAYMENT_UNMATCHED")
ANEW = {**OVER, **dict.fromkeys(("instructed", "sent", "settled"), "DUPLICATE_DOCUMENT")}
WHEN = {
    "instructed": ANEW,
    "refunded": ANEW,
    "approved": {"none": WAITS, "instructed": None, "sent": NOTHING, "settled": NOTHING, "rejected": "ALREADY_REVERSED", "returned": "ALREADY_REVERSED"},
    "sent": {"none": WAITS, "instructed": None, "sent": NOTHING, "settled": NOTHING, **UNMATCHED},
    "bank_accepted": {"none": WAITS, "instructed": WAITS, "sent": None, "settled": NOTHING, **UNMATCHED},
    "bank_rejected": {"none": WAITS, "instructed": WAITS, "sent": None, "settled": "PAYMENT_UNMATCHED", "rejected": NOTHING, "returned": "PAYMENT_UNMATCHED"},
    "settled": {"none": WAITS, "instructed": WAITS, "sent": None, "settled": "ALREADY_CLEARED", **UNMATCHED},
    "returned": {"none": WAITS, "instructed": WAITS, "sent": None, "settled": None, "rejected": "PAYMENT_UNMATCHED", "returned": "ALREADY_REVERSED"},
}


class OpenItem:
    """What is owed on a document; `settled` and `instructed` of it."""
    __slots__ = ("amount", "currency", "blocked", "settled", "instructed")

    def __init__(self):
        self.amount, self.currency, self.blocked, self.settled, self.instructed = 0, "", False, 0, 0


class Payment:
    __slots__ = ("status", "user", "currency", "amount", "bank_account", "items", "approved", "answered", "sent_journal")

    def __init__(self, event):
        self.status, self.user, self.currency, self.amount = "instructed", event.payment.user, event.currency, event.payment.amount
        self.bank_account, self.items = event.payment.bank_account, event.payment.items
        self.approved = self.answered = False
        self.sent_journal = None


class PaymentDecision(Decision):
    def __init__(self, task, event):
        super().__init__(task, event)
        self.until = set()           # reasons of this decision that hold until what they found changes

    def hold_until(self, code, key=None):
        self.until.add(code)
        self.found(code, key)

    def outcome(self):
        """An open item or a payment that is not there yet is waited for (of other documents that reason holds), and what is marked ° holds."""
        classes = {"parked" if code == "ORIGINAL_UNKNOWN" else "held" if code in self.until else CLASS[code] for code in self.reasons}
        return next((outcome for outcome in ("rejected", "held", "parked") if outcome in classes), "accepted")


class PaymentDraft(Draft):
    """A journal whose rules may name the bank account's accounts."""

    def __init__(self, decision, currency, bank):
        super().__init__(decision, currency)
        self.bank = bank

    def _account(self, account, coding, group):
        if account in ("bank", "transit"):
            return self.bank["account" if account == "bank" else "transit_account"]
        return super()._account(account, coding, group)


class PaymentTask(Task):
    """One partition of `payables` and payment.events."""

    def __init__(self, masters, picked_rules):
        super().__init__(masters, picked_rules)
        self.items, self.payments = {}, {}       # (entity, supplier, document) -> OpenItem, Payment

    def replay(self, payables, events):
        """payables: (time, kind, entity, supplier, document, amount, currency, blocked) in the order in which they came to be; of equal times they go before."""
        position = 0
        for event in events:
            while position < len(payables) and payables[position][0] <= (event.time or 0):
                self.follow(*payables[position])
                position += 1
            self.take(event)
        for payable in payables[position:]:
            self.follow(*payable)

    def follow(self, time, kind, entity, supplier, document, amount, currency, blocked):
        self.stream_time = time if self.stream_time is None else max(self.stream_time, time)
        self.end_waits()
        item = self.items.setdefault((entity, supplier, document), OpenItem())
        if kind == "closed":
            item.amount = 0
        elif kind == "opened":
            item.amount, item.currency, item.blocked = amount, currency, blocked
        else:
            item.blocked = blocked
        self.arrived(("item", entity, supplier, document))
        self.release()

    def take(self, event):
        self.taken += 1
        event.taken = self.taken
        if event.time is not None:
            self.stream_time = event.time if self.stream_time is None else max(self.stream_time, event.time)
            self.end_waits()
        if event.outcome in ("poison", "clock"):
            return
        event.identity = ("payment", event.entity, event.supplier, event.document)
        if not self.masters.may_say(event.source, "payment.events", event.entity, self.masters.entity_at(event.entity, event.time, event.posting_date)[1]):
            event.becomes("poison", ("SOURCE_NOT_AUTHORISED",))
        elif (event.identity, event.event_id) in self.seen:
            event.becomes("duplicate", ("DUPLICATE_EVENT",))
        else:
            self.seen.add((event.identity, event.event_id))
            self.queue_or_decide(event)
            self.release()

    def queue_or_decide(self, event):
        queue, payment = self.queues.get(event.identity), self.payments.get(event.identity[1:])
        if queue is None:
            self.decide_first(event)
            return
        establishes = event.kind in ESTABLISHING and not any(waiting.kind in ESTABLISHING for waiting in queue)
        its_turn = event.kind in ("sent", "approved") and payment is not None and payment.status == "instructed"
        if establishes or its_turn:
            self.pass_by(event)
        else:
            queue.append(event)
            event.becomes("parked", ("OUT_OF_ORDER",))

    def arrived(self, key):
        for event in self.waiting.pop(key, ()):
            if event.outcome in ("parked", "held"):
                heapq.heappush(self.ready, (event.taken, event))

    def decide(self, event):
        decision = PaymentDecision(self, event)
        decision.check_parties()
        self.check(decision, event)
        if decision.journal_follows:
            decision.check_ledger()
        outcome = decision.outcome()
        event.becomes(outcome, decision.reasons)
        if outcome == "accepted":
            for effect in decision.effects:
                effect()
        elif outcome == "parked" or decision.until:
            self.park(event, decision)

    def park(self, event, decision):
        for key in sorted(decision.keys):
            waiting = self.waiting.setdefault(key, [])
            if event not in waiting:
                waiting.append(event)
        if event.outcome == "parked" and event.limit is None:
            event.limit = self.stream_time + decision.tolerance["wait_days"] * DAY_MS
            heapq.heappush(self.limits, (event.limit, event.taken, event))

    def check(self, decision, event):
        payment = self.payments.get(event.identity[1:])
        anew = event.kind in ESTABLISHING
        decision.key = ("payment", *event.identity[1:])
        currency = event.currency if anew else payment.currency if payment else None
        if currency is not None and currency not in MINOR_UNIT:
            decision.found("CURRENCY_UNKNOWN")
            return
        if payment and not anew and event.currency not in ("", payment.currency):
            decision.found("CURRENCY_MISMATCH")
        reason = WHEN[event.kind]["none" if payment is None else payment.status]
        if reason:
            decision.found(reason, decision.key if reason == WAITS else None)
            return
        if currency and decision.entity and currency != decision.entity["functional_currency"]:
            raise NotImplementedError(f"{event.event_id}: a payment in {currency}; the oracle tells payments in the entity's currency only")
        decision.effects.append(lambda: self.arrived(decision.key))
        getattr(self, "check_" + event.kind)(decision, event.payment, payment)

    # ---- what treasury says

    def bank(self, decision, name):
        record = self.masters.bank_accounts.find((decision.event.entity, name), decision.date)
        if not name or record is None or record["status"] == "closed":
            decision.found("BANK_ACCOUNT_UNKNOWN")
            return None
        return record

    def check_item(self, decision, document, amount, sign, free):
        """The open item when `amount` of it may be settled, or instructed; sign -1: the supplier owes it."""
        key = (decision.event.entity, decision.event.supplier, document)
        item = self.items.get(key)
        if item is None:
            decision.found("ORIGINAL_UNKNOWN", ("item", *key))
            return None
        opened = sign * (item.amount - item.settled)
        left = opened - sign * item.instructed if free else opened
        reasons = set()
        if item.currency != decision.currency:
            decision.found("CURRENCY_MISMATCH")
        if item.blocked and sign > 0:
            reasons.add("PAYMENT_BLOCKED")
        if amount <= 0:
            decision.found("TOTAL_MISMATCH")
        elif opened == 0 and left == 0:
            reasons.add("ALREADY_CLEARED")
        elif amount > left:
            reasons.add("PAYMENT_EXCEEDS_OPEN")
        for reason in reasons:
            decision.hold_until(reason, ("item", *key))
        return item

    def check_items(self, decision, items, sign, free):
        return [(self.check_item(decision, document, amount, sign, free), amount) for document, amount in items]

    def check_instructed(self, decision, said, _before):
        event = decision.event
        decision.currency = event.currency
        if not said.items or said.amount is None or said.amount <= 0:
            decision.found("TOTAL_MISMATCH")
        bank = self.bank(decision, said.bank_account)
        account = self.masters.supplier_accounts.find((event.supplier, said.supplier_account), decision.date)
        if account is None or account["status"] == "closed":
            decision.found("BANK_ACCOUNT_UNKNOWN")
        elif account["status"] == "unverified" or decision.tolerance["bank_details_days"]:
            raise NotImplementedError(f"{event.event_id}: bank details that are not verified")
        if bank is not None and bank["currency"] != event.currency or account is not None and account["currency"] not in ("", event.currency):
            decision.found("CURRENCY_MISMATCH")
        items = self.check_items(decision, said.items, 1, True)
        if said.amount != sum(amount for _, amount in said.items):
            decision.found("TOTAL_MISMATCH")

        def effect():
            self.payments[event.identity[1:]] = Payment(event)
            for item, amount in items:
                item.instructed += amount
        decision.effects.insert(0, effect)

    def check_blocks(self, decision, payment):
        if decision.supplier and decision.supplier["status"] == "blocked_for_payment":
            decision.hold_until("SUPPLIER_BLOCKED_FOR_PAYMENT")
        for document, _ in payment.items:
            key = (decision.event.entity, decision.event.supplier, document)
            if self.items[key].blocked:
                decision.hold_until("PAYMENT_BLOCKED", ("item", *key))

    def check_approved(self, decision, said, payment):
        if payment.approved:
            decision.found("NO_EFFECT")
            return
        if not said.user:
            decision.found("APPROVAL_MISSING")
        elif said.user == payment.user:
            decision.found("SELF_APPROVAL")
        self.check_blocks(decision, payment)
        decision.effects.insert(0, lambda: setattr(payment, "approved", True))

    def check_sent(self, decision, said, payment):
        event, decision.currency = decision.event, payment.currency
        if said.amount not in (None, payment.amount):
            decision.found("PAYMENT_UNMATCHED")
        self.check_blocks(decision, payment)
        items = self.check_items(decision, payment.items, 1, False)
        least = decision.tolerance["payment_approval"]
        if not payment.approved and least is not None and payment.amount >= least:
            decision.hold_until("APPROVAL_MISSING", decision.key)
        draft = self.draft(decision, payment)
        if draft:
            for _, amount in items:
                draft.add("payment_sent", Coding(), {"paid": amount, "settled": amount})
            journal = self.finish(decision, draft, "payment_sent")

        def effect():
            payment.status, payment.sent_journal = "sent", self.post(journal)
            for (document, amount), (item, _) in zip(payment.items, items):
                item.settled += amount
                item.instructed -= amount
                self.arrived(("item", event.entity, event.supplier, document))
        decision.effects.insert(0, effect)

    def draft(self, decision, payment):
        bank = self.bank(decision, payment.bank_account)
        return PaymentDraft(decision, payment.currency, bank) if bank else None

    def finish(self, decision, draft, step):
        decision.journal_follows = True
        return draft.finish(decision.event.document, step)

    def check_refunded(self, decision, said, _before):
        event = decision.event
        decision.currency = event.currency
        if not said.items:
            decision.found("PAYMENT_UNMATCHED")
        bank = self.bank(decision, said.bank_account)
        items = self.check_items(decision, said.items, -1, True)
        if said.amount is None or said.amount != sum(amount for _, amount in said.items):
            decision.found("TOTAL_MISMATCH")
        if bank is None:
            return
        if bank["currency"] != event.currency:
            decision.found("CURRENCY_MISMATCH")
        charges = said.charges or 0
        draft = PaymentDraft(decision, event.currency, bank)
        draft.add("payment_refunded", Coding(), {"paid": said.amount, "charges": -charges, "bank": said.amount - charges})
        journal = self.finish(decision, draft, "payment_refunded")

        def effect():
            payment = self.payments[event.identity[1:]] = Payment(event)
            payment.status = "settled"
            self.post(journal)
            for (document, amount), (item, _) in zip(said.items, items):
                item.settled -= amount
                self.arrived(("item", event.entity, event.supplier, document))
        decision.effects.insert(0, effect)

    # ---- what the bank says

    def check_bank_accepted(self, decision, _said, payment):
        if payment.answered:
            decision.found("NO_EFFECT")
        else:
            decision.effects.insert(0, lambda: setattr(payment, "answered", True))

    def check_bank_rejected(self, decision, _said, payment):
        self.take_back(decision, payment, "rejected")

    def take_back(self, decision, payment, status):
        """The journal of `sent` reversed by link, the items open again."""
        event, journal = decision.event, payment.sent_journal
        reversal = None
        if journal is not None:
            decision.journal_follows = True
            check_lines(decision, journal.lines)
            reversal = journal.reversed_on(decision.date)

        def effect():
            payment.status = status
            self.post(reversal)
            for document, amount in payment.items:
                item = self.items[event.entity, event.supplier, document]
                item.settled -= amount
                self.arrived(("item", event.entity, event.supplier, document))
        decision.effects.insert(0, effect)

    def check_settled(self, decision, said, payment):
        charges = said.charges or 0
        if charges < 0:
            decision.found("TOTAL_MISMATCH")
        if said.amount not in (None, payment.amount, payment.amount + charges):
            decision.found("PAYMENT_UNMATCHED")
        draft = self.draft(decision, payment)
        journal = None
        if draft:
            draft.add("payment_settled", Coding(), {"paid": payment.amount, "charges": charges, "bank": payment.amount + charges})
            journal = self.finish(decision, draft, "payment_settled")

        def effect():
            payment.status = "settled"
            self.post(journal)
        decision.effects.insert(0, effect)

    def check_returned(self, decision, said, payment):
        charges = said.charges or 0
        if said.amount not in (None, payment.amount, payment.amount - charges):
            decision.found("PAYMENT_UNMATCHED")
        if payment.status == "settled":
            draft = self.draft(decision, payment)
            if draft:
                draft.add("payment_returned", Coding(), {"paid": payment.amount, "charges": -charges, "bank": payment.amount - charges})
                journal = self.finish(decision, draft, "payment_returned")
                decision.effects.insert(0, lambda: self.post(journal))
        elif charges:
            decision.found("PAYMENT_UNMATCHED")
        self.take_back(decision, payment, "returned")
