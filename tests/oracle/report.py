"""What a replay came to: the summary, the trial balance, and files that show where another run differs."""
import collections
import json

from amounts import amount_text, date_text
from events import TOPICS

OUTCOMES = ("accepted", "duplicate", "rejected", "held", "parked", "poison")


def summary(events, tasks):
    """The oracle's JSON: names and meanings of `build/demo/summary.json`, and totals per account."""
    outcomes = collections.Counter(event.outcome for event in events)
    reasons = collections.Counter(code for event in events for code in set(event.reasons))
    journals = [journal for task in tasks for journal in task.journals]
    sides, accounts = {}, {}
    for journal in journals:
        for account, side, amount, *_ in journal.lines:
            for totals, key in ((sides, journal.currency), (accounts, (journal.currency, account))):
                entry = totals.setdefault(key, {"debit": 0, "credit": 0})
                entry[side] += amount
    per_account = {}
    for (currency, account), entry in sorted(accounts.items()):
        per_account.setdefault(currency, {})[account] = _texts(entry)
    committed, pre_committed = collections.Counter(), collections.Counter()
    open_receipts = collections.Counter()
    lines_open = 0
    for task in tasks:
        for order in task.orders.values():
            committed[order.currency] += order.committed
            open_receipts[order.currency] += order.received_value - order.covered_value
            lines_open += order.received_value != order.covered_value
        for amount, currency in task.requisitions.values():
            pre_committed[currency] += amount
    return {
        "events_in": len(events),
        **{outcome: outcomes.get(outcome, 0) for outcome in OUTCOMES},
        "reasons": dict(sorted(reasons.items())),
        "journals": len(journals),
        "journal_lines": sum(len(journal.lines) for journal in journals),
        "currencies": {currency: _texts(entry) for currency, entry in sorted(sides.items())},
        "accounts": per_account,
        "committed": _texts(committed),
        "pre_committed": _texts(pre_committed),
        "received_not_invoiced": {"order_lines": lines_open, **_texts(open_receipts)},
        "kinds": _kinds(events),
        "steps": _steps(journals),
    }


def _texts(totals):
    return {name: amount_text(amount) for name, amount in sorted(totals.items())}


def _kinds(events):
    """topic -> kind -> outcome -> number of events."""
    kinds = {}
    for event in events:
        kind = getattr(event, "kind", "") or ""
        outcomes = kinds.setdefault(TOPICS[event.topic], {}).setdefault(kind, {})
        outcomes[event.outcome] = outcomes.get(event.outcome, 0) + 1
    return {topic: {kind: dict(sorted(outcomes.items())) for kind, outcomes in sorted(by_kind.items())}
            for topic, by_kind in kinds.items()}


def _steps(journals):
    """step -> number of journals and the debits of its lines, over all currencies."""
    steps = {}
    for journal in journals:
        entry = steps.setdefault(journal.step, {"journals": 0, "debit": 0})
        entry["journals"] += 1
        entry["debit"] += sum(line[2] for line in journal.lines if line[1] == "debit")
    return {step: {"journals": entry["journals"], "debit": amount_text(entry["debit"])} for step, entry in sorted(steps.items())}


def trial_balance(report):
    rows = [("currency", "account", "debit", "credit")]
    for currency, accounts in report["accounts"].items():
        rows += [(currency, account, entry["debit"], entry["credit"]) for account, entry in accounts.items()]
        rows.append((currency, "total", report["currencies"][currency]["debit"], report["currencies"][currency]["credit"]))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]:>{widths[3]}}" for row in rows)


def journal_rows(tasks):
    """One JSON line per journal, sorted by idempotency key."""
    for journal in sorted((journal for task in tasks for journal in task.journals), key=lambda journal: journal.key()):
        lines = [[account, side, amount_text(amount), cost_centre, project, tax_code, partner]
                 for account, side, amount, _, cost_centre, project, tax_code, partner in journal.lines]
        yield json.dumps({"key": journal.key(), "posting_date": date_text(journal.posting_date), "currency": journal.currency,
                          "lines": sorted(lines)})


def outcome_rows(events):
    """One JSON line per event in the order of the input files."""
    for event in events:
        yield json.dumps({"event_id": event.event_id, "topic": TOPICS[event.topic], "kind": getattr(event, "kind", ""),
                          "document": getattr(event, "document", ""), "outcome": event.outcome, "reasons": list(event.reasons)})


def write_rows(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(row + "\n")
