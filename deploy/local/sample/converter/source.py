"""Reads the log: EVENTS and CASES, one JSON object a line, gzip or plain. Whatever is wrong is told with file and line."""

import collections
import datetime
import decimal
import gzip
import json
import zlib

LARGEST_CENTS = 10 ** 15        # with tax it still fits decimal(18,4)
UNKNOWN = "unknown"


class InputError(Exception):
    """The input cannot be read; the text names file, line and what is wrong."""


class Event:
    """One event of the log. `moment` is ms since 1970 as the log says it, `time` the record's time, `cents` the log's net_worth."""

    __slots__ = ("rank", "case", "seq", "activity", "moment", "time", "user", "cents", "entity", "supplier", "order", "item",
                 "event_id", "document", "reverses", "quantity", "dated", "invoice", "topic", "kind")


class Defaults:
    """Counts what the input leaves out and the converter fills in."""

    def __init__(self):
        self.counts = collections.Counter()


def read_objects(path):
    """Yields (line number, object) for every line that is not blank."""
    number = 0
    try:
        with open(path, "rb") as probe:
            packed = probe.read(2) == b"\x1f\x8b"
        with (gzip.open if packed else open)(path, "rt", encoding="utf-8") as lines:
            for number, text in enumerate(lines, 1):
                if not text.strip():
                    continue
                found = json.loads(text)
                if not isinstance(found, dict):
                    raise InputError(f"{path}: line {number}: expected a JSON object, found {text.strip()[:60]}")
                if "\\u" in text:
                    json.dumps(found, ensure_ascii=False).encode()      # half a surrogate pair is no text
                yield number, found
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: line {number}: not JSON: {error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: after line {number}: not UTF-8: {error.reason}") from error
    except UnicodeEncodeError as error:
        raise InputError(f"{path}: line {number}: not text: {error.reason}") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: after line {number}: gzip data broken: {error}") from error
    except RecursionError as error:
        raise InputError(f"{path}: line {number}: nested too deeply") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_text(found, name, where, required=False):
    """A field as text, "" where it is missing."""
    value = found.get(name)
    if value is None or value == "":
        if required:
            raise InputError(f"{where}: field {name!r} is missing")
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InputError(f"{where}: field {name!r}: expected text, found {json.dumps(value)[:60]}")
    return str(value)


def read_cases(path):
    """CASES as a dict from case to its object."""
    cases = {}
    first_lines = {}
    for number, found in read_objects(path):
        where = f"{path}: line {number}"
        case = read_text(found, "case", where, required=True)
        if case in cases:
            raise InputError(f"{where}: case {case!r} is given twice, first in line {first_lines[case]}")
        cases[case] = {name: read_text(found, name, where) for name in
                       ("company", "vendor", "vendor_name", "po", "item", "item_type", "spend_class", "spend_area", "sub_spend_area")}
        first_lines[case] = number
    return cases


def read_moment(text, where):
    """ms since 1970 of an ISO 8601 time with its zone."""
    try:
        moment = datetime.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no time zone")
        if not 1 < moment.year < 9999:
            raise ValueError("the year cannot be right")
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{where}: expected a time like 2018-01-31T22:59:00Z, found {text[:60]!r} ({error})") from error


def read_cents(value, where, defaults):
    """net_worth in cents, None where it is missing; parts of a cent are cut off and counted."""
    if value is None or value == "":
        defaults.counts["net_worth"] += 1
        return None
    try:
        amount = decimal.Decimal(str(value))
    except decimal.InvalidOperation:
        amount = decimal.Decimal("NaN")
    if not amount.is_finite() or isinstance(value, bool):
        raise InputError(f"{where}: field 'net_worth': expected an amount, found {json.dumps(value)[:60]}")
    if abs(amount) * 100 >= LARGEST_CENTS:
        raise InputError(f"{where}: field 'net_worth': {amount} is larger than can be booked")
    cents = (amount * 100).to_integral_value(decimal.ROUND_FLOOR)
    if cents != amount * 100:
        defaults.counts["part_of_a_cent_cut_off"] += 1
    return int(cents)


def read_sequence(found, number, where, defaults):
    """The log's own order within a minute; the line number where it is missing."""
    value = found.get("seq")
    if value is None or value == "":
        defaults.counts["seq"] += 1
        return number
    try:
        if isinstance(value, (bool, float)):
            raise ValueError
        return int(value)
    except (ValueError, TypeError) as error:
        raise InputError(f"{where}: field 'seq': expected a whole number, found {json.dumps(value)[:60]}") from error


def fill_identity(event, found, case, where, defaults):
    """Entity, supplier, order and item: of the event, else of its case, else from the case's name, else unknown and counted."""
    order, _, item = event.case.rpartition("_")
    for attribute, name, last in (("entity", "company", UNKNOWN), ("supplier", "vendor", UNKNOWN), ("order", "po", order or event.case), ("item", "item", item)):
        value = found.get(name)
        if type(value) is not str or not value:
            value = read_text(found, name, where) or case.get(name, "")
            if not value:
                defaults.counts[name] += 1
                value = last
        setattr(event, attribute, value)


def read_events(path, cases, defaults):
    """All events in the log's order: by time, then seq, then line. Sets `rank` (place in that order) and a unique event_id."""
    events = []
    moments, amounts, empty = {}, {}, {}
    for number, found in read_objects(path):
        where = f"{path}: line {number}"
        event = Event()
        event.case = read_text(found, "case", where, required=True)
        event.activity = read_text(found, "activity", where, required=True)
        text = read_text(found, "ts", where, required=True)
        if text not in moments:
            moments[text] = read_moment(text, f"{where}: field 'ts'")
        event.moment = moments[text]
        event.seq = read_sequence(found, number, where, defaults)
        event.user = read_text(found, "user", where)
        worth = found.get("net_worth")
        if type(worth) is not str or worth not in amounts:
            event.cents = read_cents(worth, where, defaults)
            if type(worth) is str and worth:
                amounts[worth] = event.cents
        else:
            event.cents = amounts[worth]
        fill_identity(event, found, cases.get(event.case, empty), where, defaults)
        event.dated = event.moment
        event.document = event.reverses = event.invoice = event.quantity = None
        events.append(event)
    events.sort(key=lambda event: (event.moment, event.seq))    # stable: the line decides the rest
    taken = set()
    for rank, event in enumerate(events):
        event.rank = rank
        event.event_id = f"{event.case}/{event.seq}"
        repetition = 2
        while event.event_id in taken:
            event.event_id = f"{event.case}/{event.seq}/{repetition}"
            repetition += 1
        if repetition > 2:
            defaults.counts["seq_repeated_in_its_case"] += 1
        taken.add(event.event_id)
    return events
