"""Payments of what the log clears, and what the bank says of them (README.md, Payments). Seeded: the log holds no bank."""

import hashlib
import json

from .events import decimal_text, key_text

PAYMENT = "payment.events"
DAY_MS = 86_400_000
SATURDAY, SUNDAY = 5, 6
# Of a thousand payments so many end so, by the digest of their number; what is left is settled as it was sent.
FATES = (("rejected", 10), ("returned", 10), ("returned_before_it_settled", 5), ("settled_with_charges", 30))
REJECTED_FOR, RETURNED_FOR = ("AC01", "AC04", "AG01", "RC01"), ("AC04", "AC06", "MD07")    # ISO 20022 external status and return reasons
SETTLED_AS_USUAL = "settled"


def bank_days_after(moment, days):
    """The same time of day so many bank days later: Saturdays and Sundays (UTC) do not count."""
    while days:
        moment += DAY_MS
        if (moment // DAY_MS + 3) % 7 not in (SATURDAY, SUNDAY):     # 1970-01-01 was a Thursday, Monday is 0
            days -= 1
    return moment


class Digest:
    """Numbers that look random and depend on seed and document alone: one after the other out of a SHA-256."""

    def __init__(self, seed, document):
        self.rest = int.from_bytes(hashlib.sha256(f"{seed}|{document}".encode()).digest(), "big")

    def below(self, limit):
        self.rest, found = divmod(self.rest, limit)
        return found

    def fate(self):
        place = self.below(1000)
        for fate, share in FATES:
            if place < share:
                return fate
            place -= share
        return SETTLED_AS_USUAL


class Payments:
    """Which clears are payments, and their events. `rules`: the derivation's section "payments"."""

    def __init__(self, rules, seed, writer, events):
        self.rules, self.seed, self.writer = rules, seed, writer
        self.approval_from = int(rules["approval_from"].replace(".", ""))
        self.times = [event.time for event in events]       # by rank
        self.records = []                                   # (time, number, value)
        self.count = {name: 0 for name in ("clears", "payments", "clears_without_an_invoice", "clears_of_an_invoice_cancelled_before", "clears_of_a_blocked_invoice",
                                           "clears_of_nothing_to_pay",
                                           SETTLED_AS_USUAL, *(fate for fate, _ in FATES), "paid_again", "not_paid_again_cancelled_meanwhile", "approved", "refunds")}
        self.cents = 0

    def reason_against(self, line, event):
        """None when the clear is a payment; else what it is counted as, and stays `cleared` on invoice.events."""
        invoice = event.invoice
        if invoice is None:
            return "clears_without_an_invoice"
        if invoice.cancelled is not None and invoice.cancelled < event.rank:
            return "clears_of_an_invoice_cancelled_before"
        if invoice.blocked_when_cleared:
            return "clears_of_a_blocked_invoice"
        return "clears_of_nothing_to_pay" if self.writer.gross(line, invoice) <= 0 else None

    def take(self, line, event):
        """Whether the clear is a payment; then its events are among the records."""
        self.count["clears"] += 1
        reason = self.reason_against(line, event)
        if reason:
            self.count[reason] += 1
            return False
        self.pay(line, event)
        return True

    # ---- one invoice

    def pay(self, line, event):
        invoice, amount = event.invoice, self.writer.gross(line, event.invoice)
        cancelled_at = None if invoice.cancelled is None else self.times[invoice.cancelled]
        fate, moment = self.one_payment(line, event, amount, event.time, "")
        out = fate in (SETTLED_AS_USUAL, "settled_with_charges")
        if not out:
            if cancelled_at is not None and cancelled_at <= moment:
                self.count["not_paid_again_cancelled_meanwhile"] += 1
            else:
                self.count["paid_again"] += 1
                _, moment = self.one_payment(line, event, amount, moment, "/again", SETTLED_AS_USUAL)
                out = True
        if out and cancelled_at is not None:
            self.refund(line, event, amount, bank_days_after(max(moment, cancelled_at), self.rules["refund_days"]))

    def one_payment(self, line, event, amount, moment, suffix, fate=None):
        """From instruction to the bank's last word; returns what became of it, and when it is over or can be paid again."""
        document = line.new_document("PM")
        digest = Digest(self.seed, document)
        fate = fate or digest.fate()
        self.count[fate] += not suffix
        self.count["payments"] += 1
        self.cents += amount

        def say(kind, when, **fields):
            self.say(event, document, kind, when, suffix, **fields)
        say("instructed", moment, source=self.writer.source, currency=self.writer.currency, amount=decimal_text(amount), bank_account=self.rules["bank_account"],
            supplier_account=event.supplier + self.rules["supplier_account_ends"], user=event.user or self.rules["instructed_by"], items=[
                {"document": event.invoice.document, "amount": decimal_text(amount)}])
        if amount >= self.approval_from:
            self.count["approved"] += 1
            say("approved", moment, source=self.writer.source, user=self.rules["approved_by"])
        say("sent", moment, source=self.writer.source, amount=decimal_text(amount))
        answered = moment + 3_600_000 * (1 + digest.below(4))
        if fate == "rejected":
            say("bank_rejected", answered, reason=REJECTED_FOR[digest.below(len(REJECTED_FOR))])
            return fate, bank_days_after(answered, 1 + digest.below(3))
        say("bank_accepted", answered)
        done = bank_days_after(moment, 1 + digest.below(2))
        if fate != "returned_before_it_settled":
            charges = 250 + digest.below(2000) if fate == "settled_with_charges" else 0
            date = self.writer.calendar.date(done)
            say("settled", done, value_date=date, amount=decimal_text(amount + charges), **({"charges": decimal_text(charges)} if charges else {}))
        if fate in ("returned", "returned_before_it_settled"):
            done = bank_days_after(done, 1 + digest.below(5))
            kept = min(500, amount - 1) if fate == "returned" else 0
            say("returned", done, reason=RETURNED_FOR[digest.below(len(RETURNED_FOR))], amount=decimal_text(amount - kept), **({"charges": decimal_text(kept)} if kept else {}))
            return fate, bank_days_after(done, 1 + digest.below(3))
        return fate, done

    def refund(self, line, event, amount, moment):
        self.count["refunds"] += 1
        self.say(event, line.new_document("PM"), "refunded", moment, "", currency=self.writer.currency, amount=decimal_text(amount),
                 bank_account=self.rules["bank_account"], items=[{"document": event.invoice.document, "amount": decimal_text(amount)}])

    def say(self, event, document, kind, moment, suffix, **fields):
        value = {"event_id": f"{event.event_id}{suffix}/{kind}", "kind": kind, "source": self.rules["bank_source"], "entity": event.entity, "supplier": event.supplier,
                 "document": document, "correlation_id": event.case, "document_date": self.writer.calendar.date(moment), "text": event.activity, **fields}
        self.records.append((moment, len(self.records), kind, {"timestamp": moment, "key": key_text(event.entity, event.supplier), "value": value}))

    # ---- all of them

    def write(self, file):
        """All events in the order of their time; returns the count by kind."""
        kinds = {}
        for _, _, kind, record in sorted(self.records, key=lambda entry: entry[:2]):
            file.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n")
            kinds[kind] = kinds.get(kind, 0) + 1
        return kinds

    def found(self):
        """For conversion.json."""
        return {**self.count, "instructed": decimal_text(self.cents), "seed": self.seed}
