"""Units of an order line: what its receipts and invoices count, and what each unit is worth (README.md, Units)."""

import collections

MINUTE_MS = 60_000


def units_of_value(cents, base):
    """k: the number of units that the log's amount stands for, where `base` is the line's one value; both in cents."""
    if base == 0 or cents is None:
        return 1
    half = base + 50                                # b + 1/2, in cents
    return max(1, (2 * cents + half) // (2 * half))     # rounded half up, without floating point


def value_of_units(value, ordered, start, end):
    """Cents of the units in (start, end] of a line worth `value` cents and of `ordered` units; units beyond `ordered` go on alike."""
    return value * end // ordered - value * start // ordered


class Coverage:
    """The units of a line that live invoices cover: sorted, disjoint ranges (start, end]."""

    def __init__(self):
        self.ranges = []

    def take_lowest(self, count):
        """Covers the lowest `count` free units and returns them as ranges."""
        taken, kept, position = [], [], 0
        for start, end in self.ranges:
            if count and position < start:
                part = min(count, start - position)
                taken.append((position, position + part))
                count -= part
            kept.append((start, end))
            position = end
        if count:
            taken.append((position, position + count))
        self.ranges = sorted(kept + taken)
        return taken

    def give_back(self, ranges):
        """Frees ranges as take_lowest returned them."""
        gone = set(ranges)
        self.ranges = [part for part in self.ranges if part not in gone]


def count_receipts(events, is_service):
    """Sets `quantity` of every goods receipt.

    Goods: 1. Services: the service entries of its minute and earlier ones that no receipt has covered. Where a minute has
    several receipts the first takes the entries that the others, with 1 each, leave; every receipt counts at least 1.
    """
    receipts = collections.defaultdict(list)
    entries = collections.Counter()
    for event in events:
        if event.activity == "Record Goods Receipt":
            event.quantity = 1
            receipts[event.moment // MINUTE_MS].append(event)
        elif event.activity == "Record Service Entry Sheet":
            event.quantity = 1
            entries[event.moment // MINUTE_MS] += 1
    if not is_service:
        return
    uncovered = 0
    for minute in sorted(entries.keys() | receipts.keys()):
        uncovered += entries[minute]
        if minute in receipts:
            group = receipts[minute]
            group[0].quantity = max(1, uncovered - (len(group) - 1))
            uncovered = 0
