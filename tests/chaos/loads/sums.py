"""A load in which many documents come together, whichever comes first: card charges and reports in windows of kontor-settler; orders, receipts and reports on budgets of kontor-budget.

Both processors decide by the order in which topics come, so the load is in rounds of a month each, and made so that within a round the order is of no consequence: a window's
grace outlasts the round, an entry's part is the only one of its window, a budget has room for all or for nothing. Between rounds everything must have been taken."""

import datetime
import json
import random
from collections import Counter, defaultdict
from decimal import Decimal

from cluster import REPOSITORY, wait_until
from loads.feeding import Answering, Feeding
from people import FLOWS
from small import FROM, master, write_master
from world import consume

CENTRES = tuple(f"CC{number}" for number in range(6))
SHUT = "CC0"                        # its budget is nothing until the end, when it is raised
EMPLOYEES = tuple(f"E{number}" for number in range(12))
SUPPLIERS = tuple(f"S{number}" for number in range(8))
CLOSING = 25                        # day of the month whose entries end the windows of the days before, grace and all
TAKEN_BY = {"procurement.events": "procurement", "expense.events": "expense", "settlement.entries": "settler", "settlement.events": "settler", "budget.movements": "budget"}


def money(cents):
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02}"


def record(**fields):
    return {"valid_from": FROM, "status": "active", "source": "MDM", **fields}


def budget(centre, amount):
    return record(entity="ACME", cost_centre=centre, amount=str(amount), valid_from="2026-01-01", last_day="2026-12-31")


def company():
    may = [("ERP1", "procurement.events"), ("ERP1", "expense.events"), ("kontor-expense", "settlement.entries"), ("kontor-settler", "settlement.events"), ("CARDCO", "settlement.events"),
           ("kontor-procurement", "budget.movements"), ("kontor-expense", "budget.movements")]
    tables = master(
        suppliers=[record(supplier=name) for name in SUPPLIERS],
        source_permissions=[record(source_system=source, topic=topic, entities=["*"]) for source, topic in may],
        employees=[record(entity="ACME", employee=name, account="160000") for name in EMPLOYEES],
        cards=[record(entity="ACME", card=f"C-{name}", employee=name, issuer="ISSUER", currency="EUR") for name in EMPLOYEES],
        expense_policies=[record(entity="ACME", category="OTHER", grade="*", currency="EUR")],
        flow_policies=[record(entity="*", flow=flow, limits=[{"step": "decided", "minutes": 100000000}], control_owner="AP", exception_path="desk") for flow in FLOWS],
        cost_centres=[record(entity="ACME", cost_centre=centre) for centre in CENTRES],
        budgets=[budget(centre, 0 if centre == SHUT else 10 ** 9) for centre in CENTRES],
        settlement_rules=[record(entity="ACME", batches=[{"batch": "CARDS", "window": "day", "grace_minutes": 10080, "awaits_report": True, "decides": "controller"},
                                                         {"batch": "RUN", "window": "week", "grace_minutes": 10080}],
                                 takes=[{"step": "card_transaction", "batch": "CARDS"}, {"step": "expense_report", "batch": "RUN"}])])
    tables["legal-entities"][0]["budget_control"] = "cost_centre"
    tables["posting-rules"][0]["rules"] += [
        {"rule": "cards", "step": "card_transaction", "lines": [{"side": "debit", "account": "191100", "amount": "gross"}, {"side": "credit", "account": "160000", "amount": "gross", "partner": True}]},
        {"rule": "reports", "step": "expense_paid_by_employee", "lines": [{"side": "debit", "account": "400000", "amount": "gross", "cost_centre": True},
                                                                {"side": "credit", "account": "160000", "amount": "gross", "partner": True}]}]
    return tables


class Round:
    """What is sent in one month, and what it comes to in cents."""

    def __init__(self, number, size, chance):
        self.number, self.month, self.chance = number, f"2026-{number + 1:02}", chance
        self.lines = {"procurement.events": [], "expense.events": []}
        self.windows = defaultdict(dict)                # name: {journal: cents}, of both batches
        self.reserved, self.spent, self.receipts = Counter(), Counter(), {}     # by cost centre; by journal
        for item in range(size):
            self.lines["expense.events"].append(self.charge(item, chance.choice((5, 6, 7))))
            if item % 2:
                self.lines["expense.events"].append(self.report(item, chance.choice((5, 6, 7))))
            else:
                self.lines["procurement.events"] += self.order(item)
        self.to_settle = sorted(name for name in self.windows if name.startswith("CARDS"))
        before = set(self.windows)
        self.closing = [self.charge(size, CLOSING), self.report(size, CLOSING)]
        self.left_open = set(self.windows) - before     # until the next round

    def line(self, day, minute, key, **value):
        at = datetime.datetime.fromisoformat(f"{self.month}-{day:02}T08:00:00+00:00") + datetime.timedelta(minutes=minute)
        return json.dumps({"timestamp": int(at.timestamp() * 1000), "key": f"ACME|{key}", "value": {"source": "ERP1", "entity": "ACME", **value}}) + "\n"

    def document(self, day, key, **value):
        return self.line(day, self.chance.randrange(600), key, currency="EUR", document_date=f"{self.month}-{day:02}", **value)

    def charge(self, item, day):
        """One in ten is a refund."""
        cents, employee, document = self.chance.randrange(1, 50000) * (-1 if item % 10 == 9 else 1), self.chance.choice(EMPLOYEES), f"T{self.number}-{item}"
        self.windows[f"CARDS.{self.month}-{day:02}.EUR"][f"ACME/{document}/card_transaction/1"] = cents
        return self.document(day, employee, event_id=document, kind="card_transaction", employee=employee, document=document, card=f"C-{employee}", amount=money(cents))

    def report(self, item, day):
        employee, document, total, lines = self.chance.choice(EMPLOYEES), f"R{self.number}-{item}", 0, []
        date = datetime.date.fromisoformat(f"{self.month}-{day:02}")
        for number in range(self.chance.choice((1, 2, 3))):
            cents, centre = self.chance.randrange(1, 40000), self.chance.choice(CENTRES)
            lines.append({"line": str(number + 1), "category": "OTHER", "date": str(date), "gross": money(cents), "cost_centre": centre, "proof": True})
            self.spent[centre] += cents
            total += cents
        month_end = (date.replace(day=28) + datetime.timedelta(days=4)).replace(day=1) - datetime.timedelta(days=1)
        end = min(date + datetime.timedelta(days=6 - date.weekday()), month_end)
        self.windows[f"RUN.{end}.EUR"][f"ACME/{document}/expense_report/1"] = total
        return self.document(day, employee, event_id=document, kind="approved", employee=employee, document=document, user="BOSS", total=money(total), lines=lines)

    def order(self, item):
        """A tenth of its value is whole cents: what is received of ten pieces is exact."""
        supplier, order, cents, centre = self.chance.choice(SUPPLIERS), f"PO{self.number}-{item}", self.chance.randrange(1, 9000) * 10, self.chance.choice(CENTRES)
        of_order = {"supplier": supplier, "order": order}
        result = [self.document(5, supplier, event_id=order, kind="order_created", document=order, user="ann", **of_order,
                            lines=[{"line": "1", "quantity": "10", "net": money(cents), "category": "goods", "cost_centre": centre}])]
        received = self.chance.choice((0, 4, 7))
        if received:
            receipt = f"GR{self.number}-{item}"
            result.append(self.document(6, supplier, event_id=receipt, kind="goods_received", document=receipt, **of_order, lines=[{"line": "1", "quantity": str(received)}]))
            self.receipts[f"ACME/{receipt}/goods_receipt/1"] = cents * received // 10
        self.spent[centre] += cents * received // 10
        if self.chance.random() < 0.2:
            result.append(self.document(7, supplier, event_id=f"{order}-X", kind="order_cancelled", document=order, **of_order, lines=[{"line": "1"}]))
        else:
            self.reserved[centre] += cents - cents * received // 10
        return result

    def control_totals(self, window, wrong=0):
        """What the card programme reports; wrong: so many payments more than there are."""
        payments, refunds = ([abs(cents) for cents in self.windows[window].values() if (cents < 0) == refund] for refund in (False, True))
        return self.line(8 if wrong else CLOSING + 1, 0, "CARDS", event_id=f"{window}-{wrong}", kind="reported", source="CARDCO", batch="CARDS", document=window, payments=len(payments) + wrong,
                         payments_amount=money(sum(payments)), refunds=len(refunds), refunds_amount=money(sum(refunds)))


class Sums:
    topics = ("procurement.events", "expense.events", "settlement.events", "settlement.entries", "budget.movements")
    processors = ("procurement", "expense", "settler", "budget", "acknowledger")
    properties = {"tables.source": "MDM"}
    inputs_too = ("budgets",)
    keys_are_places = ()
    of_the_order = {"acknowledger": ("",), "settler": ("05",), "budget": ("03",)}     # an entry's number in its part; what changed a budget last
    hot = False

    def __init__(self, seed, seconds):
        chance = random.Random(seed)
        count = min(8, 3 + seconds // 90)
        size = max(10, 4 * seconds // count)
        self.name = f"sums-{seed}-{count}x{size}"
        self.rounds = [Round(number, size, chance) for number in range(count)]
        self.events = sum(len(lines) for a_round in self.rounds for lines in a_round.lines.values()) + 2 * count
        self.folder = REPOSITORY / "build" / "chaos" / "load" / self.name
        write_master(self.folder / "master", company())

    def fed(self):
        """topic -> event ids that a source sends."""
        return {topic: Counter(json.loads(text)["value"]["event_id"] for a_round in self.rounds for text in a_round.lines[topic] + (a_round.closing if topic == "expense.events" else []))
                for topic in ("procurement.events", "expense.events")}

    def disagreements(self, found):
        """With what the documents add up to."""
        wrong, open_ = [], self.rounds[-1].left_open
        windows = {name: entries for a_round in self.rounds for name, entries in a_round.windows.items() if not (a_round is self.rounds[-1] and name in open_)}
        posted, receipts = {}, {}
        for record_ in found["records"]["posting.commands.tryton"]:
            journal = record_["value"]
            debits = int(sum(Decimal(line["amount"]) for line in journal["lines"] if line["side"] == "debit") * 100)
            if journal["step"] == "settlement":
                posted[journal["document"]] = {entry["idempotency_key"]: int(Decimal(entry["amount"]) * 100) for entry in journal["entries"]}
                if debits != sum(posted[journal["document"]].values()):
                    wrong.append(f"{journal['document']}: {debits} cents of debits, entries of {sum(posted[journal['document']].values())}")
            else:
                receipts[journal["idempotency_key"]] = debits
        for name in {*windows, *posted}:
            wanted = {key: abs(cents) for key, cents in windows.get(name, {}).items()}
            if posted.get(name) != wanted:
                wrong.append(f"window {name}: {len(wanted)} entries of {sum(wanted.values())} cents, posted {len(posted.get(name, {}))} of {sum(posted.get(name, {}).values())}")
        if receipts != (wanted := {key: cents for a_round in self.rounds for key, cents in a_round.receipts.items()}):
            wrong.append(f"receipts: {len(wanted)} of {sum(wanted.values())} cents, posted {len(receipts)} of {sum(receipts.values())}")
        taken = {record_["value"]["cost_centre"]: tuple(int(Decimal(record_["value"][name]) * 100) for name in ("reserved", "spent")) for record_ in found["records"]["budgets"]}
        wanted = {centre: tuple(sum(getattr(a_round, name)[centre] for a_round in self.rounds) for name in ("reserved", "spent")) for centre in CENTRES}
        return wrong + [f"budget of {centre}: reserved and spent {taken.get(centre)} instead of {wanted[centre]} cents" for centre in CENTRES if taken.get(centre) != wanted[centre]]

    def start_feeding(self, world, seconds):
        return Rounds(world, self, seconds)


class Rounds(Answering):
    """Sends one round after the other, each when the one before has been taken."""

    def __init__(self, world, load, seconds):
        super().__init__(world)
        self.load, self.seconds = load, seconds
        self.thread.start()

    def send_all(self):
        for number, a_round in enumerate(self.load.rounds):
            self.one_round(a_round, self.load.rounds[number - 1] if number else None)
        self.raise_budget()

    def one_round(self, a_round, before):
        self.standing = f"round {a_round.number} is sent"
        wrong = a_round.to_settle[0]
        files = {}
        for topic, lines in a_round.lines.items():
            path = self.world.folder / f"round-{a_round.number}-{topic}.jsonl"
            path.write_text("".join(lines))
            files[topic] = (path, max(1, round(len(lines) * len(self.load.rounds) / self.seconds / 0.4)))
        self.feeding = Feeding(self.cluster, files)
        self.feeding.end(300)
        self.await_taken(a_round)
        self.send("settlement.events", [a_round.control_totals(wrong, 1)])
        self.await_taken(a_round)
        self.send("expense.events", a_round.closing)
        self.await_taken(a_round, f"{wrong}/settle/1")
        self.send("settlement.events", [a_round.control_totals(name) for name in a_round.to_settle] +
                  ([before.control_totals(name) for name in before.left_open if name.startswith("CARDS")] if before else []))
        self.await_taken(a_round)

    def raise_budget(self):
        """What is held goes on."""
        self.standing = "the budget is raised"
        self.send("master.budgets", [json.dumps(budget(SHUT, 10 ** 9)) + "\n"])
        self.until(lambda: not any(outcome == "held" for (processor, _), outcome in self.outcomes().items() if processor == "budget"), "nothing is held for a budget")

    def outcomes(self):
        return {(record_["value"]["processor"], record_["value"]["event_id"]): record_["value"]["outcome"] for record_ in consume(self.cluster, "acknowledgments")}

    def until(self, what, why, deadline_s=300):
        def done():
            try:
                return self.killed or what()
            except (RuntimeError, TimeoutError):        # a broker is away: asked again
                return False
        self.standing = f"waiting until {why}"
        wait_until(done, deadline_s, why, interval_s=0.5)

    def await_taken(self, a_round, held=None):
        """Until every event, and what came of it, has been decided. held: a settlement event that a wrong total must hold. Seen twice: the markers of a transaction are written one
        after the other."""
        seen = 0

        def taken():
            nonlocal seen
            outcomes = self.outcomes()      # first: what comes of an event is there when its acknowledgment is
            values = [(processor, record_["value"]) for topic, processor in TAKEN_BY.items() for record_ in consume(self.cluster, topic) if isinstance(record_["value"], dict)]
            events = [(processor, value.get("idempotency_key") or value["event_id"]) for processor, value in values]
            seen = seen + 1 if all(event in outcomes for event in events) and (not held or outcomes.get(("settler", held)) == "held") else 0
            return seen == 2
        self.until(taken, f"round {a_round.number} is taken" + (f" and {held} held" if held else ""))
