"""What deploy/local/demo shows, in small: a part of the real log whose clears are paid, an invented bank, and the office beside it, through all five processors; against the
oracle's reckoning of the log and the office's own."""

import gzip
import json
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from world import REPOSITORY, TABLES_SOURCE, check_journals, consume, feed, outputs, prepare  # noqa: E402
from quiescence import await_caught_up  # noqa: E402
from cluster import Cluster, finish, seed, test  # noqa: E402

FOLDER = REPOSITORY / "build" / "tests" / "payments"
SAMPLE = REPOSITORY / "deploy" / "local" / "sample"
TOPICS = ("procurement.events", "invoice.events", "payment.events", "expense.events", "journal.events")
PROCESSORS = ("kontor-procurement", "kontor-invoice", "kontor-payment", "kontor-expense", "kontor-journal")
OUTCOMES = ("accepted", "duplicate", "rejected", "held", "parked", "poison")
ONE_SUPPLIER_IN, PARTITIONS = 12, 8
MOST_CLEARED = (4, 8)       # of these twelfths of the suppliers about two thousand invoices are cleared each


def converted(number):
    """(folder, conversion.json, the office's expected.json): one supplier in twelve with all that is theirs, and a small office; both by this seed."""
    log, part, office, whole = (FOLDER / name for name in ("log", "part", "office", "sample"))
    log.mkdir(parents=True, exist_ok=True)
    cases = [json.loads(line) for line in gzip.open(SAMPLE / "p2p" / "cases.jsonl.gz", "rt")]
    suppliers = set(sorted({case["vendor"] for case in cases})[MOST_CLEARED[number % 2]::ONE_SUPPLIER_IN])
    for name in ("events", "cases"):
        with gzip.open(SAMPLE / "p2p" / f"{name}.jsonl.gz", "rt") as every, open(log / f"{name}.jsonl", "w") as some:
            some.writelines(line for line in every if json.loads(line)["vendor"] in suppliers)
    for command in ((SAMPLE / "p2p-to-events", log / "events.jsonl", log / "cases.jsonl", part, "--payments", "--seed", str(number)),
                    (SAMPLE / "office", office, "--seed", str(number), "--reports", "60", "--invoices", "60", "--master-source", "SAP-P2P"),
                    (SAMPLE / "together", whole, part, office)):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return whole, json.loads((part / "conversion.json").read_text()), json.loads((office / "expected.json").read_text())


def reckoned(folder):
    """The oracle's summary of the log's events, and the outcome and reasons of each by its id. Of the office's it takes no more than the time."""
    rows = FOLDER / "outcomes.jsonl"
    text = subprocess.run([REPOSITORY / "tests" / "oracle" / "oracle", folder, "--partitions", str(PARTITIONS), "--source", "SAP-P2P", "--source", "BANK", "--outcomes", rows],
                          check=True, capture_output=True, text=True).stdout
    return json.loads(text), {row["event_id"]: (row["outcome"], sorted(row["reasons"])) for row in map(json.loads, open(rows))}


def run(folder):
    """Loaded whole, all processors at once: payables come while payments are decided already."""
    with Cluster(FOLDER / "cluster") as cluster:
        prepare(cluster, folder, partitions=PARTITIONS)
        feed(cluster, folder, TOPICS)
        processors = [cluster.processor(binary, properties=TABLES_SOURCE) for binary in PROCESSORS]
        begun = time.monotonic()
        for processor in processors:
            processor.start()
        await_caught_up(processors)
        print(f"  payments: {time.monotonic() - begun:.1f} s", flush=True)
        found = {record["value"]["event_id"]: (record["value"]["outcome"], sorted({reason["code"] for reason in record["value"]["reasons"]}))
                 for record in consume(cluster, "acknowledgments") if record["value"]["source"] in ("SAP-P2P", "BANK")}
        balances = json.loads(cluster.kontor("status", "--trial-balance", "--format", "json").stdout)
        return found, json.loads(cluster.kontor("status", "--format", "json").stdout), balances, outputs(cluster, ("posting.commands.tryton",))


def sums(balances, entities):
    """Debit and credit by account, over these entities."""
    result = {}
    for row in balances:
        if row["entity"] in entities:
            debit, credit = result.get(row["account"], (Decimal(0), Decimal(0)))
            result[row["account"]] = (debit + Decimal(row["debit"]), credit + Decimal(row["credit"]))
    return result


def main():
    number = seed()
    folder, conversion, office = converted(number)
    expected, outcomes = reckoned(folder)
    counted = conversion["payments"]
    with test("payments: nothing is dropped, every clear is a payment or stays what it is"):
        stay = sum(count for name, count in counted.items() if name.startswith("clears_"))
        kinds = conversion["output"]["payment.events"]["kinds"]
        assert conversion["dropped"] == 0 and counted["clears"] == conversion["input"]["activities"]["Clear Invoice"]
        assert conversion["output"]["invoice.events"]["kinds"].get("cleared", 0) == stay
        assert counted["payments"] == kinds["instructed"] == kinds["sent"] == counted["clears"] - stay + counted["paid_again"]
        assert kinds["bank_rejected"] == counted["rejected"] > 0 and kinds["returned"] == counted["returned"] + counted["returned_before_it_settled"] > 0
        assert kinds["bank_accepted"] == counted["payments"] - counted["rejected"] and counted["settled_with_charges"] > 0 and kinds.get("refunded", 0) == counted["refunds"]
        assert kinds["settled"] == kinds["bank_accepted"] - counted["returned_before_it_settled"]
    found, summary, balances, commands = run(folder)
    companies = {row["entity"] for row in balances} - set(office["balances"])
    with test("payments: every event of the log as the oracle says"):
        wrong = [f"{event}: oracle {outcome}, kontor {found.get(event)}" for event, outcome in outcomes.items() if found.get(event) != outcome]
        assert not wrong and len(found) == len(outcomes), f"{len(wrong)} events end otherwise\n" + "\n".join(wrong[:12])
    with test("payments: outcomes and journals of both samples add up to the summary"):
        assert summary["events_in"] == expected["events_in"] + office["events_in"] == sum(summary[name] for name in OUTCOMES)
        wrong = [name for name in OUTCOMES if summary[name] != expected[name] + office["outcomes"].get(name, 0)]
        assert not wrong, [(name, summary[name], expected[name], office["outcomes"].get(name, 0)) for name in wrong]
        assert summary["journals"] == expected["journals"] + sum(office["journals"].values())
        assert set(summary["currencies"]) >= {"EUR", "SEK", "USD"} and all(sides["debit"] == sides["credit"] for sides in summary["currencies"].values())
        check_journals(commands)
    with test("payments: every account of the log's companies as the oracle says, of the office's as the generator says"):
        theirs, ours = {account: (Decimal(entry["debit"]), Decimal(entry["credit"])) for account, entry in expected["accounts"]["EUR"].items()}, sums(balances, companies)
        assert ours == theirs, {account: (theirs.get(account), ours.get(account)) for account in {*theirs, *ours} if theirs.get(account) != ours.get(account)}
        for entity, accounts in office["balances"].items():
            ours = {account: debit - credit for account, (debit, credit) in sums(balances, {entity}).items() if debit != credit}
            assert ours == {account: Decimal(balance) for account, balance in accounts.items()}, entity
    with test("payments: what was sent is settled or taken back, and nothing is left in transit"):
        sent, settled, back, returned = (expected["steps"].get(step, {"journals": 0})["journals"] for step in ("payment_sent", "payment_settled", "payment_sent_reversal", "payment_returned"))
        assert sent == settled + back - returned and sent > 1000
        debit, credit = sums(balances, companies)["179000"]
        assert debit == credit > 0


main()
sys.exit(finish())
