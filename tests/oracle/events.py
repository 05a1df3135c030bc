"""Events as they are read from JSON lines, and the partition that their key belongs to."""
import json
import os
import types

from amounts import AMOUNT_DIGITS, QUANTITY_DIGITS, parse_date, parse_decimal

PROCUREMENT, INVOICE, PAYMENT = 0, 1, 2      # of the first two also the order in which a task takes two events of the same time
TOPICS = ("procurement.events", "invoice.events", "payment.events")
KINDS = (
    frozenset("unknown requisition order_created order_changed order_approved order_cancelled order_reopened order_completed "
              "goods_received goods_receipt_cancelled service_entered service_entry_cancelled status".split()),
    frozenset("unknown received approved credit_note debit_memo subsequent_debit cancelled blocked unblocked cleared status".split()),
    # Those that payments.py tells; another ends the replay.
    frozenset("instructed approved sent bank_accepted bank_rejected settled returned refunded".split()),
)


class Line:
    """A line of an event; `order` and `order_line` name the order line, of a procurement event with its own order and line."""
    __slots__ = ("line", "order", "order_line", "quantity", "unit", "net", "tax_code", "tax", "category", "account", "cost_centre",
                 "project")


class Event:
    """An event, where it lies, and what has become of it so far."""
    __slots__ = ("topic", "time", "key", "partition", "offset", "event_id", "kind", "source", "entity", "supplier", "order", "document",
                 "number", "reverses", "document_date", "posting_date", "tax_date", "currency", "total", "tax", "lines",
                 "outcome", "reasons", "taken", "limit", "identity", "payment")

    def __init__(self, topic):
        self.topic = topic
        self.event_id = ""
        self.key = None
        self.time = None
        self.partition = 0
        self.outcome = None      # accepted, duplicate, rejected, held, parked, poison
        self.reasons = ()        # codes, sorted
        self.taken = 0           # the how-manieth event of its task it is
        self.limit = None        # stream time at which its wait ends

    def __lt__(self, other):
        return self.taken < other.taken

    def becomes(self, outcome, reasons):
        self.outcome, self.reasons = outcome, tuple(sorted(reasons))


def murmur2(data):
    """Kafka's (Java's) murmur2 of the bytes, as an unsigned 32-bit number: org.apache.kafka.common.utils.Utils.murmur2."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    length = len(data)
    h = (0x9747B28C ^ length) & mask
    whole = length & ~3
    for position in range(0, whole, 4):
        k = int.from_bytes(data[position:position + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def key_of(entity, supplier):
    """<entity>|<supplier>, with % and | in the ids percent-encoded."""
    return "|".join(part.replace("%", "%25").replace("|", "%7C") for part in (entity, supplier))


def _text(value, field, default=None):
    text = value.get(field, default)
    if not isinstance(text, str):
        raise ValueError(f"{field} is {text!r}")
    return text


def _date(value, field):
    given = value.get(field)
    return None if given is None else parse_date(given)


def _decimal(value, field, digits=AMOUNT_DIGITS):
    given = value.get(field)
    return None if given is None else parse_decimal(given, digits)


def _line(value, topic, order):
    line = Line()
    line.line = _text(value, "line")
    line.order, line.order_line = order, line.line
    line.quantity = parse_decimal(value.get("quantity", 0), QUANTITY_DIGITS)
    line.unit = _text(value, "unit", "")
    line.net = _decimal(value, "net")
    line.tax_code = _text(value, "tax_code", "")
    line.category = _text(value, "category", "")
    line.cost_centre = _text(value, "cost_centre", "")
    line.project = _text(value, "project", "")
    line.tax, line.account = None, ""
    if topic == INVOICE:
        if line.net is None:
            raise ValueError("an invoice line without net")
        line.order, line.order_line = _text(value, "order", ""), _text(value, "order_line", "")
        line.tax, line.account = _decimal(value, "tax"), _text(value, "account", "")
    return line


def _payment(value):
    """What payment events have besides."""
    for beyond in ("payer", "prepayment", "method", "tax_code", "order"):
        if value.get(beyond):
            raise NotImplementedError(f"{value['event_id']}: {beyond} of a payment")
    items = []
    for item in value.get("items", ()):
        if any(item.get(part) and parse_decimal(item[part], AMOUNT_DIGITS) for part in ("discount", "withheld")):
            raise NotImplementedError(f"{value['event_id']}: discount or withholding")
        items.append((_text(item, "document"), parse_decimal(item["amount"], AMOUNT_DIGITS)))
    return types.SimpleNamespace(amount=_decimal(value, "amount"), charges=_decimal(value, "charges"), user=_text(value, "user", ""), items=items,
                                 bank_account=_text(value, "bank_account", ""), supplier_account=_text(value, "supplier_account", ""))


def _fill(event, record):
    event.time = record["timestamp"]
    if not isinstance(event.time, int):
        raise ValueError("timestamp is not a number of milliseconds")
    value = record["value"]
    event.event_id = _text(value, "event_id")
    event.kind = _text(value, "kind")
    if event.kind not in KINDS[event.topic]:
        if event.topic == PAYMENT:
            raise NotImplementedError(f"{event.event_id}: payment events of kind {event.kind}")
        raise ValueError(f"kind {event.kind!r}")
    for field in ("source", "entity", "supplier", "document"):
        setattr(event, field, _text(value, field))
    for field in ("order", "number", "reverses", "currency"):
        setattr(event, field, _text(value, field, ""))
    event.document_date = parse_date(value["document_date"])
    event.posting_date = _date(value, "posting_date")
    event.tax_date = _date(value, "tax_date")
    event.total = _decimal(value, "total")
    event.tax = _decimal(value, "tax")
    event.lines = [_line(line, event.topic, event.order) for line in value.get("lines", ())]
    if event.topic == PAYMENT:
        event.payment = _payment(value)
    if event.key != key_of(event.entity, event.supplier):
        event.becomes("poison", ("KEY_MISMATCH",))


def read_events(folder, topic, partitions, source=None):
    """All events of a topic in the order of their lines, each with its partition and offset; what cannot be read is poison.

    source: events of other sources have the outcome `clock`: nothing of them counts but their time."""
    events, offsets, partition_of = [], [0] * partitions, {}
    path = os.path.join(folder, TOPICS[topic] + ".jsonl")
    if not os.path.exists(path):
        return events
    with open(path, "rb") as file:
        for text in file:
            event = Event(topic)
            try:
                record = json.loads(text, parse_float=str)
                event.time = record["timestamp"]
                event.key = record["key"]
                if source is not None and record["value"].get("source") not in source:
                    event.becomes("clock", ())
                else:
                    _fill(event, record)
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
                event.becomes("poison", ("DECODE_FAILED",))
            if not isinstance(event.time, int):
                event.time = None
            key = event.key if isinstance(event.key, str) else ""
            event.partition = partition_of.get(key, -1)
            if event.partition < 0:
                event.partition = partition_of[key] = (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
            event.offset = offsets[event.partition]
            offsets[event.partition] += 1
            events.append(event)
    return events
