"""Canonical journals on a real broker: periods made by the command, an accrual that two entities bear, kill -9 and lost state, all of it taken back."""

import json
import shutil
import sys
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from small import FROM, event, line, master, write_master  # noqa: E402
from world import REPOSITORY, consume, prepare  # noqa: E402
from quiescence import await_caught_up  # noqa: E402
from cluster import Cluster, finish, test  # noqa: E402
from asking import MDM, outcome_of, reasons, send  # noqa: E402

FOLDER = REPOSITORY / "build" / "tests" / "journals"
KEY = "ACME|CLOSE"


def company(cluster):
    """ACME in calendar months, BETA in 4-4-5 as the command makes them: its April begins on 29 March."""
    def record(**fields):
        return {"valid_from": FROM, "status": "active", "source": "MDM", **fields}
    calendars = [("ACME", "monthly"), ("BETA", "4-4-5")]
    periods = [json.loads(text) for entity, calendar in calendars
               for text in cluster.kontor("master", "periods", entity, "GL", "--calendar", calendar, "--year", "2026", "--source", "MDM").stdout.splitlines()]
    entities = [record(entity=entity, functional_currency="EUR", time_zone="Europe/Amsterdam", rule_set="std", chart="std", rounding_account="399900") for entity, _ in calendars]
    return master(legal_entities=entities, periods=periods, erp_routes=[record(entity=entity, erp="tryton") for entity, _ in calendars],
                  source_permissions=[record(source_system="ERP1", topic="journal.events", entities=["*"], journals=True)],
                  intercompany=[record(payer="ACME", bearer="BETA", due_from_account="160000", due_to_account="179000")])


def journal(kind, document, *lines, **fields):
    value = event(kind, document, partner="CLOSE", lines=list(lines), **fields)
    del value["supplier"]
    return value


def entry(name, side, account, amount, **fields):
    return {"line": name, "side": side, "account": account, "amount": amount, **fields}


def accrual(document):
    """31 March, taken back by itself on 1 April: BETA bears 40.00 of 100.00."""
    return journal("submitted", document, entry("1", "debit", "400000", "60.00"), entry("2", "debit", "400000", "40.00", bearer="BETA"), entry("3", "credit", "191100", "100.00"),
                   posting_date="2026-03-31", reverse_on="2026-04-01")


def commands(cluster):
    return [(record["key"], record["value"]) for record in consume(cluster, "posting.commands.tryton")]


def balances(posted):
    sums = {}
    for _, command in posted:
        for posted_line in command["lines"]:
            sign = 1 if posted_line["side"] == "debit" else -1
            place = (command["entity"], posted_line["account"])
            sums[place] = sums.get(place, Decimal(0)) + sign * Decimal(posted_line["functional"])
    return {place: amount for place, amount in sums.items() if amount}


def main():
    with Cluster(FOLDER) as cluster:
        write_master(FOLDER / "small" / "master", company(cluster))
        prepare(cluster, FOLDER / "small", partitions=4)
        processor = cluster.processor("kontor-journal", properties=MDM)
        processor.start().wait_ready()
        first = accrual("A1")
        send(cluster, "journal.events", line(first, 0, KEY))
        with test("an accrual of two entities: four journals, each under its entity's key and in its entity's period"):
            assert outcome_of(cluster, first)["outcome"] == "accepted", outcome_of(cluster, first)
            found = {(key, command["step"], command["posting_date"], command["period"]) for key, command in commands(cluster)}
            assert found == {(KEY, "journal", "2026-03-31", "2026-03"), (KEY, "journal_auto_reversal", "2026-04-01", "2026-04"),
                             ("BETA|ACME", "journal_for_ACME", "2026-03-31", "2026-04"), ("BETA|ACME", "journal_for_ACME_auto_reversal", "2026-04-01", "2026-04")}, found
        originals = {command["idempotency_key"] for _, command in commands(cluster)}
        processor.kill()
        shutil.rmtree(processor.state)
        processor.start().wait_ready()
        again = accrual("A1")
        corrected = journal("corrected", "A1", entry("1", "debit", "400000", "70.00"), entry("2", "credit", "191100", "70.00"))
        unbalanced = journal("submitted", "A2", entry("1", "debit", "400000", "70.00"), entry("2", "credit", "191100", "69.00"))
        send(cluster, "journal.events", line(again, 1, KEY), line(corrected, 2, KEY), line(unbalanced, 3, KEY))
        with test("after a kill and a lost state: the repetition is known, the correction takes back all four"):
            assert reasons(outcome_of(cluster, again)) == ["DUPLICATE_DOCUMENT"], outcome_of(cluster, again)
            assert outcome_of(cluster, corrected)["outcome"] == "accepted", outcome_of(cluster, corrected)
            assert reasons(outcome_of(cluster, unbalanced)) == ["JOURNAL_UNBALANCED"]
            posted = commands(cluster)
            assert balances(posted) == {("ACME", "400000"): 70, ("ACME", "191100"): -70}, balances(posted)
            assert {command["reverses"] for _, command in posted if command["step"].endswith("_reversal")} == originals
        with test("no journal twice"):
            await_caught_up([processor])
            keys = [command["idempotency_key"] for _, command in commands(cluster)]
            assert len(keys) == len(set(keys)) == 9, keys
        processor.stop()


main()
sys.exit(finish())
