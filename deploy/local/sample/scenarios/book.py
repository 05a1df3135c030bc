"""What the generator writes down: events in time, the expected outcome of each, and the expected balances.

The balances are reckoned here from the rule books alone (docs/*.md): each journal as the scenario says it, its amounts converted at the rate of its day and rounded half
up, what rounding leaves on the entity's rounding account. Nothing of kontor's code is used."""

import json
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal

from . import company

CENT = Decimal("0.01")
PARTNER = {"expense.events": "employee", "journal.events": "partner"}


def half_up(amount):
    """To the cent; a half away from zero. All currencies here have two digits."""
    return Decimal(amount).quantize(CENT, ROUND_HALF_UP)


def convert(amount, currency, entity, day):
    return half_up(amount * company.rate(currency, company.FUNCTIONAL[entity], day))


def dr(account, amount, functional=None):
    """A debit; functional: a value booked before, kept whatever the rate is now."""
    return "debit", account, amount, functional


def cr(account, amount, functional=None):
    return "credit", account, amount, functional


def exchange(gain):
    """The difference of what comes and what goes, in functional currency alone: positive is a gain."""
    return [cr(company.FX_GAIN, Decimal(0), gain)] if gain > 0 else [dr(company.FX_LOSS, Decimal(0), -gain)] if gain < 0 else []


class Journal:
    """A posted journal: what it put on each account in functional currency, for its reversal."""

    def __init__(self, entity, document, effects):
        self.entity, self.document, self.effects = entity, document, effects


class Book:
    def __init__(self):
        self.records = defaultdict(list)            # topic: (ms, number, key, value)
        self.expected = defaultdict(dict)           # topic: event id: scenario, [(outcome, reason)]
        self.documents = defaultdict(Counter)       # "entity/document": account: balance
        self.journals = Counter()                   # entity
        self.cases, self.scenario_events = Counter(), Counter()
        self.scenario = None
        self.numbers = Counter()

    def begin(self, scenario):
        self.scenario = scenario
        self.cases[scenario] += 1
        self.step = 0

    def number(self, prefix):
        self.numbers[prefix] += 1
        return f"{prefix}{self.numbers[prefix]:05d}"

    def say(self, topic, day, value, outcome="accepted", reason=""):
        """One event on that day; those of a scenario follow each other by twenty minutes from 8 h UTC on, so the local day is the same everywhere here."""
        moment = datetime(day.year, day.month, day.day, 8, tzinfo=timezone.utc) + timedelta(minutes=20 * self.step)
        self.step += 1
        count = sum(self.cases.values())
        if "event_id" not in value:
            value = {"event_id": self.number("EV"), "source": company.SOURCE, "document_date": str(day), **value,
                     "correlation_id": f"{self.scenario}/{self.cases[self.scenario]}"}
        self.records[topic].append((int(moment.timestamp() * 1000) + count % 1000, len(self.records[topic]), value))
        self.expected[topic].setdefault(value["event_id"], {"scenario": self.scenario, "outcomes": []})["outcomes"].append([outcome, reason])
        self.scenario_events[self.scenario] += 1
        return value

    def post(self, entity, document, day, currency, lines, rate=None):
        """A journal of amounts in `currency`. Lines are dr(...) and cr(...); they must balance in it. rate: agreed, instead of the table's."""
        assert sum(line[2] if line[0] == "debit" else -line[2] for line in lines) == 0, (document, lines)
        rate = rate or company.rate(currency, company.FUNCTIONAL[entity], day)
        effects = Counter()
        for side, account, amount, functional in lines:
            value = half_up(amount * rate) if functional is None else functional
            effects[account] += value if side == "debit" else -value
        effects[company.ROUNDING] -= sum(effects.values())
        return self._book(Journal(entity, document, effects))

    def reverse(self, journal):
        return self._book(Journal(journal.entity, journal.document, Counter({account: -value for account, value in journal.effects.items()})))

    def _book(self, journal):
        self.journals[journal.entity] += 1
        for account, value in journal.effects.items():
            self.documents[f"{journal.entity}/{journal.document}"][account] += value
        return journal

    def balances(self):
        """Entity: account: balance, debit positive."""
        result = defaultdict(Counter)
        for document, accounts in self.documents.items():
            for account, value in accounts.items():
                result[document.split("/")[0]][account] += value
        return result

    def write(self, folder, seed):
        for topic, records in self.records.items():
            records.sort(key=lambda record: record[:2])
            with open(folder / f"{topic}.jsonl", "w") as out:
                for ms, _, value in records:
                    key = f"{value['entity']}|{value[PARTNER.get(topic, 'supplier')]}"
                    out.write(json.dumps({"timestamp": ms, "key": key, "value": texts(value)}) + "\n")

        def plain(accounts):
            return {account: str(half_up(value)) for account, value in sorted(accounts.items()) if value}
        outcomes = Counter(outcome for events in self.expected.values() for event in events.values() for outcome, _ in event["outcomes"])
        (folder / "expected.json").write_text(json.dumps({
            "seed": seed, "events_in": sum(outcomes.values()), "outcomes": dict(sorted(outcomes.items())),
            "scenarios": {name: {"cases": self.cases[name], "events": self.scenario_events[name]} for name in sorted(self.cases)},
            "journals": dict(sorted(self.journals.items())),
            "balances": {entity: plain(accounts) for entity, accounts in sorted(self.balances().items())},
            "documents": {document: plain(accounts) for document, accounts in sorted(self.documents.items())},
            "events": self.expected}, indent=1) + "\n")


def texts(value):
    """Amounts and dates as text, as kontor produce reads them."""
    if isinstance(value, (Decimal, date)):
        return str(value)
    if isinstance(value, dict):
        return {name: texts(inner) for name, inner in value.items()}
    return [texts(inner) for inner in value] if isinstance(value, list) else value
