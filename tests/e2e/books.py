"""What must come of the invented office (deploy/local/sample/office), as its generator says, against what a run has come to."""

import json
from collections import Counter, defaultdict
from decimal import Decimal

from world import check_journals, consume, said_in


def final_events(cluster):
    """By event id: the last outcome and reasons of each time that it was sent."""
    newest = {}
    for record in consume(cluster, "acknowledgments"):
        if not record["value"]["later"]:
            newest[record["value"]["origin"]] = record["value"]
    result = defaultdict(list)
    for acknowledgment in newest.values():
        result[acknowledgment["event_id"]].append((acknowledgment["outcome"], {reason["code"] for reason in acknowledgment["reasons"]}))
    return result


def disagreements(expected, found):
    """Events that end otherwise than expected, in words. A refusal must name the expected reason; beside it others may stand."""
    wrong = []
    for topic, events in expected["events"].items():
        for name, event in events.items():
            wanted = event["outcomes"]
            got = sorted(found.get(name, []), key=lambda result: result[0])
            fits = len(got) == len(wanted) and all(outcome == g_outcome and (not reason or outcome == "duplicate" or reason in g_reasons)
                                                   for (outcome, reason), (g_outcome, g_reasons) in zip(sorted(wanted), got))
            if not fits:
                wrong.append(f"{topic} {name}, {event['scenario']}: expected {wanted}, kontor {[(outcome, sorted(reasons)) for outcome, reasons in got]}")
    return wrong


def journal_sums(commands):
    """From the commands themselves: number of journals by entity, and every document's balance on each account in functional currency."""
    journals, documents = Counter(), defaultdict(Counter)
    for line, times in commands.items():
        _, journal = said_in(line)
        journals[journal["entity"]] += times
        for entry in journal["lines"]:
            value = Decimal(entry["functional"])
            documents[f"{journal['entity']}/{journal['document']}"][entry["account"]] += times * (value if entry["side"] == "debit" else -value)
    return journals, {name: {account: value for account, value in accounts.items() if value} for name, accounts in documents.items()}


def amounts(accounts):
    return {name: {account: Decimal(value) for account, value in balances.items()} for name, balances in accounts.items()}


def in_words(accounts):
    return ", ".join(f"{account} {value}" for account, value in sorted(accounts.items())) or "nothing"


def said(commands):
    """Journals without what tells when and from which master record: an event that waited is decided later in another run."""
    result = Counter()
    for line, times in commands.items():
        key, journal = said_in(line)
        result[json.dumps([key, {name: value for name, value in journal.items() if name not in ("occurred_at", "master_offsets")}], sort_keys=True)] += times
    return result


def check_books(expected, all_outputs, found):
    """What a run must have come to, however it went."""
    wrong = disagreements(expected, found)
    assert not wrong, f"{len(wrong)} events end otherwise\n" + "\n".join(wrong[:15])
    check_journals(all_outputs)
    journals, documents = journal_sums(all_outputs["posting.commands.tryton"])
    wanted = {name: accounts for name, accounts in amounts(expected["documents"]).items() if accounts}
    documents = {name: accounts for name, accounts in documents.items() if accounts}
    wrong = [f"{name}: expected {in_words(wanted.get(name, {}))}, kontor {in_words(documents.get(name, {}))}"
             for name in sorted({*wanted, *documents}) if wanted.get(name) != documents.get(name)]
    assert not wrong, f"{len(wrong)} documents are booked otherwise\n" + "\n".join(wrong[:12])
    assert journals == expected["journals"], f"journals: expected {expected['journals']}, kontor {dict(journals)}"
