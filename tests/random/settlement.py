#!/usr/bin/env python3
"""Prints a random case of batches with what must come of it, worked out here and not by kontor: windows by the time zones of Python, who is late, parts, sums.

    settlement.py SEED >case; kontor-cases case

It is told a feed of card transactions and their reversals in the order in which they arrive, some of them late, over the days when the clock changes and a period ends."""

import random
import sys
from collections import defaultdict
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Amsterdam")
FIRST = datetime(2026, 3, 23, 0, 0, tzinfo=timezone.utc)


def period_of(day):
    """Calendar months, as world.case has them."""
    following = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return day.strftime("%Y-%m"), following - timedelta(days=1)


def moment(day, minutes):
    """Local midnight or time of a day; the case has no cut-off between 02:00 and 03:00, when a clock may jump."""
    if minutes == 1440:
        day, minutes = day + timedelta(days=1), 0
    return datetime.combine(day, time(minutes // 60, minutes % 60), ZONE).astimezone(timezone.utc)


class Batch:
    def __init__(self, chance):
        self.kind = chance.choice(("day", "week", "period"))
        self.cut_off = chance.choice((1440, 1440, 1080, 60, 721))
        self.week_ends = chance.randint(1, 7)
        self.grace = chance.choice((0, 0, 30, 600))
        self.part = chance.choice((1, 2, 3, 1000))

    def told(self):
        return f"CARDS:{self.kind}:{self.cut_off // 60:02}{self.cut_off % 60:02}:{self.week_ends}:{self.grace}:no:controller:{self.part}"

    def window(self, at):
        """(end, name) of the window that holds the moment: the nearest of all ends behind it."""
        today = at.astimezone(ZONE).date()
        ends = []
        for i in range(-1, 40):
            day = today + timedelta(days=i)
            last_of_period = period_of(day)[1]
            if self.kind == "day" or (self.kind == "week" and day.isoweekday() == self.week_ends) or (self.kind == "period" and day == last_of_period):
                ends.append((moment(day, self.cut_off), day.isoformat() + ("" if self.cut_off == 1440 else f"T{self.cut_off // 60:02}{self.cut_off % 60:02}")))
            if day == last_of_period:
                ends.append((moment(day, 1440), day.isoformat()))
        return min(end for end in ends if end[0] > at)


class World:
    """What kontor-settler is to make of it."""

    def __init__(self, batch):
        self.batch = batch
        self.closed_until = datetime.min.replace(tzinfo=timezone.utc)
        self.windows = {}                       # name: {"end", "due", "open", "current": {group: part}, "parts": [[entry, ...], ...]}
        self.posted = []                        # (window, part number, entries)
        self.late = []

    def take(self, entry):
        due = sorted((window["due"], number, name) for number, (name, window) in enumerate(self.windows.items()) if window["open"] and window["due"] <= entry["at"])
        end, name = self.batch.window(entry["at"])
        known = self.windows.get(name)
        if not known["open"] if known else end <= self.closed_until:
            self.late.append(entry["key"])
            end, name = self.batch.window(max(self.closed_until, end))
        window = self.windows.setdefault(name, {"end": end, "due": end + timedelta(minutes=self.batch.grace), "open": True, "current": {}, "parts": []})
        part = window["current"].get(entry["period"])
        if part is None or len(window["parts"][part]) == self.batch.part:
            window["parts"].append([])
            part = window["current"][entry["period"]] = len(window["parts"]) - 1
        window["parts"][part].append(entry)
        for _, _, closing in due:
            self.close(closing)

    def close(self, name):
        window = self.windows[name]
        window["open"] = False
        self.closed_until = max(self.closed_until, window["end"])
        self.posted += [(name, number + 1, entries) for number, entries in enumerate(window["parts"])]


def feed(chance):
    """Transactions in the order in which they arrive: (arrives, happened)."""
    clock, events = FIRST, []
    for _ in range(chance.randint(15, 40)):
        clock += timedelta(minutes=chance.choice((1, 10, 60, 500, 1500, 4000)))
        late = chance.random() < 0.3
        events.append((clock, clock - timedelta(minutes=chance.randint(1, 4000)) if late else clock))
    return events


def stamp(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def main():
    chance = random.Random(int(sys.argv[1]))
    batch = Batch(chance)
    world = World(batch)
    print(f"# Made by tests/random/settlement.py {sys.argv[1]}\ninclude settlement\nmaster settlement-rules ACME batches={batch.told()} takes=card_transaction:CARDS")
    standing = []
    for number, (arrives, happened) in enumerate(feed(chance)):
        local = happened.astimezone(ZONE).date()
        entry = {"at": happened, "day": local, "period": period_of(local)[0]}
        if standing and chance.random() < 0.25:
            taken_back = standing.pop(chance.randrange(len(standing)))
            entry |= {"key": f"ACME/{taken_back['document']}/card_transaction_reversal/1", "amount": taken_back["amount"], "refund": not taken_back["refund"]}
            print(f"event expense card_transaction_reversed {taken_back['document']} card=C1 at={stamp(happened)} received={stamp(arrives)}")
        else:
            entry |= {"document": f"T{number}", "key": f"ACME/T{number}/card_transaction/1", "amount": Decimal(chance.randrange(1, 100000)) / 100, "refund": chance.random() < 0.2}
            sign = "-" if entry["refund"] else ""
            print(f"event expense card_transaction T{number} card=C1 amount={sign}{entry['amount']} at={stamp(happened)} received={stamp(arrives)}")
            standing.append(entry)
        world.take(entry)
    print("tick 2027-01-01T00:00Z\ntick 2028-01-01T00:00Z")
    for name in sorted((name for name, window in world.windows.items() if window["open"]), key=lambda name: world.windows[name]["due"]):
        world.close(name)
    for key in world.late:
        print(f"expect outcome {key} accepted WINDOW_CLOSED batch")
    for name, number, entries in world.posted:
        sums = defaultdict(Decimal)
        for entry in entries:
            sums["refund" if entry["refund"] else "charge"] += entry["amount"]
        listed = ",".join(f"{entry['key']}:{entry['amount']}:{entry['amount']}" for entry in entries)
        lines = "".join(f"  dr 163000 {amount}  cr 164000 {amount} partner=ISSUER" if kind == "charge" else f"  cr 163000 {amount}  dr 164000 {amount} partner=ISSUER"
                        for kind, amount in sums.items())
        print(f"expect journal CARDS.{name}.EUR settlement version={number} on={max(entry['day'] for entry in entries)} period={entries[0]['period']} entries={listed} {lines}")
    print(f"expect balance 164000 {-sum((-entry['amount'] if entry['refund'] else entry['amount'] for entry in standing), Decimal(0))}")


main()
