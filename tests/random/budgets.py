#!/usr/bin/env python3
"""Prints a random case of budgets with what must come of it, worked out here and not by kontor: what every order line takes, what is held, what waits behind it.

    budgets.py SEED >case; kontor-cases case

Order lines of three cost centres are ordered, changed, received, taken back, cancelled, reopened and completed at random; budgets are raised, cut, and one comes late.
Amounts are whole tens, so that a receipt of q of 10 is worth q tenths of the line to the cent."""

import random
import sys
from collections import deque
from itertools import count

QUANTITY = 10
TASK = 21       # the partition of ACME|S1 among 32: with the event's place in it, the name of what came of it


class Line:
    """An order line as procurement keeps it, and what is counted of it."""

    def __init__(self, number, centre, value):
        self.number, self.centre = number, centre
        self.value, self.committed, self.received, self.units = value, value, 0, 0
        self.cancelled = self.completed = False
        self.receipts, self.received_ever = {}, 0       # number: (units, value), of those that stand
        self.counted = (0, 0)                   # reserved, spent
        self.waiting = []                       # its movements, in order; the first is held or waits for a budget, the others for it

    def takes(self):
        return max(self.committed, 0), self.received


class Movement:
    def __init__(self, line, takes, sequence, event):
        self.line, self.takes, self.sequence, self.event = line, takes, sequence, event
        self.status = None                      # None, "held", "unknown", "behind"


class World:
    """What kontor-budget is to make of it: first come, first served; what is held is tried again, the oldest first, when a budget changes or something is given back."""

    def __init__(self, budgets):
        self.budgets = dict(budgets)            # centre: amount, None: there is none yet
        self.taken = {centre: [0, 0] for centre in budgets}
        self.sequence, self.turns, self.events = count(), deque(), 0
        self.lines = {}

    def tell(self, line, before):
        after = line.takes()
        if after == before:
            return
        movement = Movement(line, after, next(self.sequence), self.events)
        if sum(after) < sum(before):            # it overtakes, and what waits is void
            line.waiting.clear()
            self.decide(movement)
            self.turns.append(("line", line))
        elif line.waiting:
            movement.status = "behind"
            line.waiting.append(movement)
        else:
            self.decide(movement)
        self.work_off()

    def decide(self, movement):
        """True: it is counted now, or there was nothing to count."""
        line = movement.line
        taken, more = self.taken[line.centre], sum(movement.takes) - sum(line.counted)
        if movement.takes == line.counted:
            status = None
        elif self.budgets[line.centre] is None:
            status = "unknown"
        elif more > 0 and sum(taken) + more > self.budgets[line.centre]:
            status = "held"
        else:
            status = None
        if status:
            if movement.status is None:
                line.waiting.append(movement)
            movement.status = status
            return False
        for i in range(2):
            taken[i] += movement.takes[i] - line.counted[i]
        line.counted = movement.takes
        if more < 0:
            self.turns.append(("freed", line.centre))
        return True

    def again(self, movement):
        if self.decide(movement):
            movement.line.waiting.remove(movement)
            self.turns.append(("line", movement.line))

    def work_off(self):
        while self.turns:
            what, of = self.turns.popleft()
            if what == "line":
                if of.waiting:
                    self.again(of.waiting[0])
                continue
            wanted = "held" if what == "freed" else what
            met = -1
            while True:                         # each once, in the order in which they came
                found = [m for line in self.lines.values() if line.centre == of for m in line.waiting if m.status == wanted and m.sequence > met]
                if not found:
                    break
                movement = min(found, key=lambda m: m.sequence)
                met = movement.sequence
                self.again(movement)

    def set_budget(self, centre, amount):
        """Every change of the table has all tried anew that waits for any budget, the keys by their oldest."""
        self.budgets[centre] = amount
        keys = {}
        for line in self.lines.values():
            for movement in line.waiting:
                if movement.status in ("held", "unknown"):
                    key = movement.status, line.centre
                    keys[key] = min(keys.get(key, movement.sequence), movement.sequence)
        self.turns.extend(sorted(keys, key=keys.get))
        self.work_off()


def step(chance, world):
    def tell(text):
        print(f"event procurement {text}")
        world.events += 1

    line = chance.choice(list(world.lines.values())) if world.lines and chance.random() < 0.72 else None
    if line is None:
        number, centre = f"PO{len(world.lines) + 1}", chance.choice(list(world.budgets))
        line = world.lines[number] = Line(number, centre, 10 * chance.randint(1, 40))
        tell(f"order_created {number} line=1 qty={QUANTITY} net={line.value}.00 cc={centre}")
        world.tell(line, (0, 0))
        return
    before, what = line.takes(), chance.choice(("change", "receive", "receive", "take back", "cancel", "reopen", "complete"))
    if what == "change":
        value = 10 * chance.randint(1, 40)
        if not line.cancelled and not line.completed:
            line.committed += value - line.value
        line.value = value
        tell(f"order_changed {line.number} line=1 net={value}.00")
    elif what == "receive" and line.units < QUANTITY and not line.cancelled:
        units = chance.randint(1, QUANTITY - line.units)
        line.received_ever += 1
        number, worth = f"R{line.number}-{line.received_ever}", line.value // QUANTITY * units
        line.receipts[number] = units, worth
        line.units, line.received = line.units + units, line.received + worth
        if not line.completed:
            line.committed -= worth
        tell(f"goods_received {number} {line.number} line=1 qty={units} -> accepted{' DELIVERY_COMPLETED lines[0].line' if line.completed else ''}")
    elif what == "take back" and line.receipts:
        number = chance.choice(list(line.receipts))
        units, worth = line.receipts.pop(number)
        line.units, line.received = line.units - units, line.received - worth
        if not line.cancelled and not line.completed:
            line.committed += worth
        tell(f"goods_receipt_cancelled {number}-C reverses={number}")
    elif what == "cancel" and not line.cancelled:
        line.cancelled, line.committed = True, 0
        tell(f"order_cancelled {line.number} line=1")
    elif what == "reopen" and (line.cancelled or line.completed):
        line.cancelled = line.completed = False
        line.committed = line.value - line.received
        tell(f"order_reopened {line.number} line=1")
    elif what == "complete" and not line.completed:
        line.completed, line.committed = True, 0
        tell(f"order_completed {line.number} line=1")
    world.tell(line, before)


def main(seed):
    chance = random.Random(seed)
    world = World({"CC10": 10 * chance.randint(20, 150), "CC20": 10 * chance.randint(20, 150), "CC30": None})
    print(f"# seed {seed}")
    print("include world")
    print("master legal-entities ACME name=\"ACME BV\" functional_currency=EUR time_zone=Europe/Amsterdam ledger=GL rule_set=STANDARD chart=NL rounding_account=499900 "
          "budget_control=cost_centre")
    print("master source-permissions kontor-procurement budget.movements entities=*\nmaster cost-centres ACME CC30 name=Late")
    record = "master budgets ACME {} from=2026-01-01 last_day=2026-12-31 amount={}.00".format
    for centre, amount in world.budgets.items():
        if amount is not None:
            print(record(centre, amount))
    print("event procurement status X1 PO1 line=1 -> accepted NO_EFFECT\njournals not listed")
    for i in range(chance.randint(20, 90)):
        if chance.random() < 0.08 or (i == 15 and world.budgets["CC30"] is None):
            centre = "CC30" if i == 15 else chance.choice(("CC10", "CC20"))
            amount = 10 * chance.randint(0, 200)
            print(record(centre, amount))
            world.set_budget(centre, amount)
        else:
            step(chance, world)
    for centre, (reserved, spent) in world.taken.items():
        if any(line.centre == centre and line.counted != (0, 0) for line in world.lines.values()):
            print(f"expect state budget budgets ACME|{centre}|2026-01-01 reserved={reserved}.00 spent={spent}.00")
    for line in world.lines.values():
        if line.counted != (0, 0):
            print(f"expect state budget lines ACME|{line.centre}|{line.number}/1 reserved={line.counted[0]}.00 spent={line.counted[1]}.00")
        for movement in line.waiting:
            outcome = {"held": "held BUDGET_EXCEEDED cost_centre", "unknown": "parked BUDGET_UNKNOWN cost_centre", "behind": "parked OUT_OF_ORDER"}[movement.status]
            print(f"expect outcome procurement.events/{TASK}/{movement.event}/{line.number}/1 {outcome}")
    print(f"expect waiting {sum(m.status != 'held' for line in world.lines.values() for m in line.waiting)}")


main(int(sys.argv[1]))
