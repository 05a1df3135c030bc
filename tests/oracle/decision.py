"""One decision about one event: the reasons found, what the event lacks, and the effects that follow when it is accepted."""
import os

from amounts import DAY_MS
from events import TOPICS

# reason code -> class, from the repository's table of reasons
_WEIGHT = ("rejected", "held", "parked")
EARLIEST_DATE = 7_305        # 1990-01-01 in days since 1970-01-01
MOST_DAYS_AHEAD = 730
REVERSING_KINDS = frozenset(("goods_receipt_cancelled", "cancelled", "bank_rejected", "returned"))
POSTING_KINDS = REVERSING_KINDS | {"goods_received", "received", "approved", "credit_note", "subsequent_debit", "cleared", "sent", "settled", "refunded"}


def _read_classes():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "schemas", "reasons.tsv")
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file if line.strip() and not line.startswith("#")]
    return {row[0]: row[1] for row in rows}


CLASS = _read_classes()


class Decision:
    """Collects what the checks of one event find. `masters` as of its dates; nothing is changed before `effects` are run."""

    def __init__(self, task, event):
        self.task, self.event, self.masters = task, event, task.masters
        self.reasons = set()
        self.keys = set()            # state that it waits for: ("order" | "receipt", entity, order, line)
        self.effects = []            # functions without arguments, run when it is accepted
        self.journal_follows = False
        self.early_invoice_is_held = self.period_is_held = False
        self.entity, self.date = self.masters.entity_at(event.entity, event.time, event.posting_date)
        self.period_reason = None
        if self.entity is not None and event.kind in POSTING_KINDS:
            may = self.masters.may_soft_closed(event.source, TOPICS[event.topic], event.time // DAY_MS)
            self.date, self.period_reason, self.period_is_held = self.masters.booked(self.entity, self.date, may, event.kind in REVERSING_KINDS)
        self.tax_date = event.document_date if event.tax_date is None else event.tax_date
        self.supplier = self.masters.suppliers.find((event.supplier,), self.date)
        self.tolerance = self.masters.tolerance(event.entity, self.date)

    def found(self, code, key=None):
        self.reasons.add(code)
        if key is not None:
            self.keys.add(key)

    def order_unknown(self, line):
        self.found("ORDER_UNKNOWN", ("order", self.event.entity, line.order, line.order_line))

    def outcome(self):
        classes = {CLASS[code] for code in self.reasons}
        if self.early_invoice_is_held or (self.period_is_held and "PERIOD_CLOSED" in self.reasons):
            classes.add("held")
        return next((outcome for outcome in _WEIGHT if outcome in classes), "accepted")

    def waits_for_order_or_receipt(self):
        return bool(self.keys)

    def check_parties(self):
        """Check 4, less the supplier's block, which needs to know whether a journal follows."""
        if self.entity is None:
            self.found("ENTITY_UNKNOWN")
        if self.supplier is None:
            self.found("SUPPLIER_UNKNOWN")
        document_date = self.event.document_date
        if document_date < EARLIEST_DATE or document_date > self.date + MOST_DAYS_AHEAD:
            self.found("DATE_IMPLAUSIBLE")

    def check_ledger(self):
        """What every journal asks for, whatever its lines are: a supplier that may be posted to, an open period."""
        if self.supplier is not None and self.supplier["status"] == "blocked_for_posting":
            self.found("SUPPLIER_BLOCKED_FOR_POSTING")
        if self.period_reason:
            self.found(self.period_reason)
