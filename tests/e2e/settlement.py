"""A card programme's day on a real broker: charges and refunds go into its window while the settler is killed at random; the day is posted once, in parts, and its drill-down adds up."""

import json
import random
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from small import FROM, line, master, write_master  # noqa: E402
from world import REPOSITORY, consume, prepare  # noqa: E402
from quiescence import await_caught_up  # noqa: E402
from cluster import Cluster, finish, seed, test, wait_until  # noqa: E402
from asking import MDM, acknowledged, reasons, send  # noqa: E402

FOLDER = REPOSITORY / "build" / "tests" / "settlement"
ROUNDS, CHARGES_A_ROUND, PART = 5, 60, 90
DAY, EVENING, NEXT_DAY = 600, 500, 2000     # minutes after 2 March, 10:00 UTC: the window ends at 23:00, minute 780
WINDOW = "CARDS.2026-03-02.EUR"


def company():
    def record(**fields):
        return {"valid_from": FROM, "status": "active", "source": "MDM", **fields}
    may = [("ERP1", "expense.events"), ("kontor-expense", "settlement.entries"), ("kontor-settler", "settlement.events"), ("CARDCO", "settlement.events"), ("DESK", "settlement.events")]
    tables = master(source_permissions=[record(source_system=source, topic=topic, entities=["*"]) for source, topic in may],
                    employees=[record(entity="ACME", employee=name, account="160000") for name in ("E1", "E2", "E3")],
                    cards=[record(entity="ACME", card=f"C-{name}", employee=name, issuer="ISSUER", currency="EUR") for name in ("E1", "E2", "E3")],
                    settlement_rules=[record(entity="ACME", batches=[{"batch": "CARDS", "window": "day", "awaits_report": True, "decides": "controller", "part_entries": PART}],
                                             takes=[{"step": "card_transaction", "batch": "CARDS", "programme": "ISSUER"}])])
    tables["posting-rules"][0]["rules"].append({"rule": "cards", "step": "card_transaction", "lines": [
        {"side": "debit", "account": "191100", "amount": "gross"}, {"side": "credit", "account": "160000", "amount": "gross", "partner": True}]})
    return tables


def charge(number, chance):
    """Charges, one refund in ten of them."""
    cents = chance.randrange(1, 50000)
    employee = chance.choice(("E1", "E2", "E3"))
    return {"event_id": f"F{number}", "kind": "card_transaction", "source": "ERP1", "entity": "ACME", "employee": employee, "document": f"T{number}", "card": f"C-{employee}",
            "document_date": "2026-03-02", "currency": "EUR", "amount": f"{'-' if number % 10 == 0 else ''}{cents // 100}.{cents % 100:02}"}


def told(value, minute):
    return line(value, minute, f"ACME|{value['employee']}")


def window_event(kind, **fields):
    return json.dumps({"timestamp": 1772445600000 + NEXT_DAY * 60000, "key": "ACME|CARDS", "value": {
        "event_id": f"{kind}-{sorted(fields.items())}", "kind": kind, "source": "CARDCO", "entity": "ACME", "batch": "CARDS", "document": WINDOW, **fields}}) + "\n"


def amount_of(values):
    return sum((Decimal(value["amount"]) for value in values), Decimal(0))


def summaries(cluster):
    return [record["value"] for record in consume(cluster, "posting.commands.tryton")]


def kill_and_start(settler, chance):
    settler.kill()
    if chance.random() < 0.5:
        shutil.rmtree(settler.state)
    settler.start()


def feed_and_kill(cluster, expense, settler, chance):
    """All charges of the day, in rounds; after each the settler is killed, while it works. What was fed."""
    fed = []
    for turn in range(ROUNDS):
        values = [charge(turn * CHARGES_A_ROUND + i + 1, chance) for i in range(CHARGES_A_ROUND)]
        send(cluster, "expense.events", *(told(value, chance.randrange(DAY - EVENING, DAY)) for value in values))
        fed += values
        wait_until(lambda: settler.ready() or not settler.alive(), 60, "the settler ready")
        handled = settler.metric("kontor_events_total", outcome="accepted") or 0
        wait_until(lambda: (settler.metric("kontor_events_total", outcome="accepted") or 0) > handled or settler.caught_up(), 20, "an entry taken", interval_s=0.001)
        kill_and_start(settler, chance)
    settler.wait_ready()
    await_caught_up([expense, settler])
    return fed


def check_posted(cluster, fed):
    posted = summaries(cluster)
    assert [summary["idempotency_key"] for summary in posted] == [f"ACME/{WINDOW}/settlement/{i + 1}" for i in range(len(posted))], posted
    assert len(posted) == -(-len(fed) // PART), len(posted)
    listed = [entry for summary in posted for entry in summary["entries"]]
    assert sorted(entry["idempotency_key"] for entry in listed) == sorted(f"ACME/{value['document']}/card_transaction/1" for value in fed)
    amounts = {f"ACME/{value['document']}/card_transaction/1": abs(Decimal(value["amount"])) for value in fed}
    assert all(Decimal(entry["amount"]) == Decimal(entry["functional"]) == amounts[entry["idempotency_key"]] for entry in listed)
    for summary in posted:
        debits = sum(Decimal(posted_line["amount"]) for posted_line in summary["lines"] if posted_line["side"] == "debit")
        assert debits == sum(Decimal(entry["amount"]) for entry in summary["entries"]), summary["idempotency_key"]
    return posted


def check_balances(cluster, fed):
    """By another program, from what is exported."""
    journals = FOLDER / "journals"
    journals.write_text(cluster.kontor("export", "journal").stdout)
    subprocess.run(["hledger", "--file", journals, "check", "--strict"], check=True)
    table = subprocess.run(["hledger", "--file", journals, "balance", "--flat", "--no-total", "--output-format", "csv"], check=True, capture_output=True, text=True).stdout
    balances = {row.split(",")[0].strip('"'): Decimal(row.split(",")[1].strip('"').split()[1]) for row in table.splitlines()[1:]}
    assert balances == {"ACME:191100": amount_of(fed), "ACME:160000": -amount_of(fed)}, balances


def explain(cluster, posted):
    summary = json.loads(cluster.kontor("explain", posted[0]["idempotency_key"], "--format", "json").stdout)
    assert len(summary["journal"]["entries"]) == PART and summary["event"]["kind"] == "part_due", summary["event"]
    text = cluster.kontor("explain", posted[0]["idempotency_key"]).stdout
    assert f"{PART} entries" in text and all(entry["idempotency_key"] in text for entry in posted[0]["entries"])
    entry = posted[1]["entries"][0]["idempotency_key"]
    assert json.loads(cluster.kontor("explain", entry, "--format", "json").stdout)["summary"]["idempotency_key"] == posted[1]["idempotency_key"]
    assert f"posted by {posted[1]['idempotency_key']}" in cluster.kontor("explain", entry).stdout
    assert "not posted yet" in cluster.kontor("explain", "ACME/T0/card_transaction/1").stdout
    document = entry.split("/")[1]
    traced = json.loads(cluster.kontor("trace", document, "--format", "json").stdout)["events"]
    assert [event["topic"] for event in traced] == ["settlement.entries", "expense.events"] or [event["topic"] for event in traced] == ["expense.events", "settlement.entries"], traced
    assert all(event["acknowledgments"][-1]["outcome"] == "accepted" for event in traced)
    journals = [journal["idempotency_key"] for event in json.loads(cluster.kontor("trace", WINDOW, "--format", "json").stdout)["events"] for journal in event.get("journals", [])]
    assert sorted(journals) == sorted(summary["idempotency_key"] for summary in posted), journals


def main():
    chance = random.Random(seed())
    with Cluster(FOLDER) as cluster:
        write_master(FOLDER / "small" / "master", company())
        prepare(cluster, FOLDER / "small", partitions=4)
        expense, settler = (cluster.processor(name, properties=MDM) for name in ("kontor-expense", "kontor-settler"))
        for processor in (expense, settler):
            processor.start().wait_ready()
        fed = feed_and_kill(cluster, expense, settler, chance)
        with test("each document is validated by its own processor, with the key of its entry; nothing is posted before the cut-off"):
            told_of = acknowledged(cluster)
            assert all(told_of[value["event_id"]]["journals"] == [f"ACME/{value['document']}/card_transaction/1"] for value in fed)
            assert summaries(cluster) == []
        tomorrow = {**charge(1, chance), "event_id": "F0", "document": "T0"}
        send(cluster, "expense.events", told(tomorrow, NEXT_DAY))
        with test("at the cut-off the window waits for its control totals; those that differ hold it, and the text names both"):
            settle = f"{WINDOW}/settle/1"
            wait_until(lambda: settle in acknowledged(cluster), 30, "the cut-off", interval_s=0.2)
            assert reasons(acknowledged(cluster)[settle]) == ["REPORT_PENDING"]
            charges, refunds = ([value for value in fed if value["amount"].startswith("-") == refund] for refund in (False, True))
            totals = {"payments": len(charges), "payments_amount": str(amount_of(charges)), "refunds": len(refunds), "refunds_amount": str(-amount_of(refunds))}
            send(cluster, "settlement.events", window_event("reported", **{**totals, "refunds": len(refunds) + 1}))
            wait_until(lambda: acknowledged(cluster)[settle]["outcome"] == "held", 30, "held", interval_s=0.2)
            text = acknowledged(cluster)[settle]["reasons"][0]["text"]
            assert f"{len(refunds) + 1} refunds" in text and f"{len(refunds)} refunds" in text and str(amount_of(charges)) in text, text
            assert summaries(cluster) == []
        kill_and_start(settler, chance)
        settler.wait_ready()
        send(cluster, "settlement.events", window_event("reported", **totals))
        wait_until(lambda: (settler.metric("kontor_events_total", outcome="accepted") or 0) > 0, 30, "the totals taken", interval_s=0.001)
        kill_and_start(settler, chance)
        settler.wait_ready()
        wait_until(lambda: len(summaries(cluster)) >= -(-len(fed) // PART), 30, "the day posted", interval_s=0.2)
        await_caught_up([expense, settler])
        with test("the day is posted once, in parts: every entry in one of them, its amounts added up to the cent"):
            posted = check_posted(cluster, fed)
        with test("exported journals balance, and are what was charged less what was given back"):
            check_balances(cluster, fed)
        with test("explain lists a summary's entries and names an entry's summary; trace shows both ways"):
            explain(cluster, posted)
        with test("status: every event has one outcome, nothing is missing"):
            state = json.loads(cluster.kontor("status", "--format", "json").stdout)
            assert "problems" not in state and state["poison"] == state["held"] == state["parked"] == 0, state
        for processor in (expense, settler):
            processor.stop()


main()
sys.exit(finish())
