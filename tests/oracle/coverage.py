"""The units of an order line that invoices cover: sorted ranges (from, to) that neither overlap nor touch."""


def lowest_uncovered(covered, received, quantity):
    """The lowest `quantity` units of [0, received) that `covered` leaves, as ranges; there must be so many."""
    ranges, start = [], 0
    for first, end in [*covered, (received, received)]:
        gap_end = min(first, received)
        if gap_end > start and quantity > 0:
            taken = min(quantity, gap_end - start)
            ranges.append((start, start + taken))
            quantity -= taken
        start = max(start, end)
    assert quantity == 0, "more units covered than received"
    return ranges


def united(covered, ranges):
    """The ranges of both, joined where they touch."""
    result = []
    for first, end in sorted([*covered, *ranges]):
        if result and first <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((first, end))
    return result


def without(covered, ranges):
    """`covered` less `ranges`, which lie in it."""
    result = covered
    for taken_first, taken_end in ranges:
        left = []
        for first, end in result:
            if first < min(end, taken_first):
                left.append((first, min(end, taken_first)))
            if max(first, taken_end) < end:
                left.append((max(first, taken_end), end))
        result = left
    return result
