"""A part of the real log whose clears are paid: three processors, an invented bank, against the oracle's reckoning of invoices and payments."""

import gzip
import json
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from world import REPOSITORY, TABLES_SOURCE, await_caught_up, check_journals, consume, feed, outputs, prepare  # noqa: E402
from cluster import Cluster, finish, seed, test  # noqa: E402

FOLDER = REPOSITORY / "build" / "tests" / "payments"
SAMPLE = REPOSITORY / "deploy" / "local" / "sample"
TOPICS = ("procurement.events", "invoice.events", "payment.events")
PROCESSORS = ("kontor-procurement", "kontor-invoice", "kontor-payment")
ONE_SUPPLIER_IN, PARTITIONS = 12, 8


def converted(number):
    """One supplier in twelve with all that is theirs, by their names' order; the bank by this seed."""
    log, folder = FOLDER / "log", FOLDER / "sample"
    log.mkdir(parents=True, exist_ok=True)
    cases = [json.loads(line) for line in gzip.open(SAMPLE / "p2p" / "cases.jsonl.gz", "rt")]
    suppliers = set(sorted({case["vendor"] for case in cases})[number % ONE_SUPPLIER_IN::ONE_SUPPLIER_IN])
    for name in ("events", "cases"):
        with gzip.open(SAMPLE / "p2p" / f"{name}.jsonl.gz", "rt") as whole, open(log / f"{name}.jsonl", "w") as part:
            part.writelines(line for line in whole if json.loads(line)["vendor"] in suppliers)
    subprocess.run([SAMPLE / "p2p-to-events", log / "events.jsonl", log / "cases.jsonl", folder, "--payments", "--seed", str(number)], check=True, stdout=subprocess.DEVNULL)
    return folder, json.loads((folder / "conversion.json").read_text())


def reckoned(folder):
    """The oracle's summary, and the outcome and reasons of every event by its id."""
    rows = FOLDER / "outcomes.jsonl"
    text = subprocess.run([REPOSITORY / "tests" / "oracle" / "oracle", folder, "--partitions", str(PARTITIONS), "--outcomes", rows], check=True, capture_output=True, text=True).stdout
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
                 for record in consume(cluster, "acknowledgments")}
        balances = json.loads(cluster.kontor("status", "--trial-balance", "--format", "json").stdout)
        return found, json.loads(cluster.kontor("status", "--format", "json").stdout), balances, outputs(cluster, ("posting.commands.tryton",))


def sums(balances):
    """Debit and credit by account, over the entities."""
    result = {}
    for row in balances:
        debit, credit = result.get(row["account"], (Decimal(0), Decimal(0)))
        result[row["account"]] = (debit + Decimal(row["debit"]), credit + Decimal(row["credit"]))
    return result


def check_run(expected, outcomes, result):
    found, summary, balances, commands = result
    wrong = [f"{event}: oracle {outcome}, kontor {found.get(event)}" for event, outcome in outcomes.items() if found.get(event) != outcome]
    assert not wrong and len(found) == len(outcomes), f"{len(wrong)} events end otherwise\n" + "\n".join(wrong[:12])
    names = ("events_in", "accepted", "duplicate", "rejected", "held", "parked", "poison", "reasons", "journals", "journal_lines")
    wrong = [f"{name}: oracle {expected[name]}, kontor {summary[name]}" for name in names if expected[name] != summary[name]]
    assert not wrong, "; ".join(wrong)
    check_journals(commands)
    theirs = {account: (Decimal(entry["debit"]), Decimal(entry["credit"])) for account, entry in expected["accounts"]["EUR"].items()}
    assert sums(balances) == theirs, {account: (theirs.get(account), sums(balances).get(account)) for account in {*theirs, *sums(balances)}
                                      if theirs.get(account) != sums(balances).get(account)}


def main():
    number = seed()
    folder, conversion = converted(number)
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
    result = run(folder)
    with test("payments: every event, journal and account as the oracle says"):
        check_run(expected, outcomes, result)
    with test("payments: what was sent is settled or taken back, and nothing is left in transit"):
        sent, settled, back = (expected["steps"].get(step, {"journals": 0})["journals"] for step in ("payment_sent", "payment_settled", "payment_sent_reversal"))
        returned = expected["steps"].get("payment_returned", {"journals": 0})["journals"]
        assert sent == settled + back - returned and sent > 500
        debit, credit = sums(result[2])["179000"]
        assert debit == credit > 0


main()
sys.exit(finish())
