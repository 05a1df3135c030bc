"""An office's invoices, payments, expenses and journals through all five processors, against what the generator of them says must come of it."""

import json
import random
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from books import amounts, check_books, final_events, said  # noqa: E402
from world import REPOSITORY, feed, outputs, prepare  # noqa: E402
from quiescence import await_caught_up  # noqa: E402
from cluster import Cluster, finish, seed, test  # noqa: E402

FOLDER = REPOSITORY / "build" / "tests" / "office"
TOPICS = ("procurement.events", "invoice.events", "payment.events", "expense.events", "journal.events")
PROCESSORS = ("kontor-procurement", "kontor-invoice", "kontor-payment", "kontor-expense", "kontor-journal")
PARTITIONS = 8
KILLS = 5


def generated(number):
    folder = FOLDER / "sample"
    subprocess.run([REPOSITORY / "deploy" / "local" / "sample" / "office", folder, "--seed", str(number), "--reports", "360", "--invoices", "240"], check=True, stdout=subprocess.DEVNULL)
    return folder, json.loads((folder / "expected.json").read_text())


def other_ledgers(cluster, folder):
    hledger, beancount = folder / "journals.hledger", folder / "journals.beancount"
    hledger.write_text(cluster.kontor("export", "journal").stdout)
    beancount.write_text(cluster.kontor("export", "journal", "--format", "beancount").stdout)
    subprocess.run(["hledger", "--file", hledger, "check", "--strict"], check=True, capture_output=True, text=True)
    return subprocess.run(["bean-check", beancount], capture_output=True, text=True)


def run(name, folder, chance=None):
    """Loaded whole, all processors at once: payables come while payments are decided already. chance: kills on the way."""
    with Cluster(FOLDER / name) as cluster:
        prepare(cluster, folder, partitions=PARTITIONS)
        feed(cluster, folder, TOPICS)
        processors = [cluster.processor(binary, properties={"tables.source": "OFFICE"}) for binary in PROCESSORS]
        begun = time.monotonic()
        for processor in processors:
            processor.start()
        for _ in range(KILLS if chance else 0):
            time.sleep(chance.uniform(0.05, 0.5))  # the fault's own moment, not a wait for something
            victim = chance.choice(processors)
            victim.kill()
            victim.start()
        await_caught_up(processors)
        print(f"  {name}: {time.monotonic() - begun:.1f} s", flush=True)
        commands, found = outputs(cluster, ("posting.commands.tryton",)), final_events(cluster)
        if chance:
            return commands, found
        summary = json.loads(cluster.kontor("status", "--format", "json").stdout)
        balances = json.loads(cluster.kontor("status", "--trial-balance", "--format", "json").stdout)
        return commands, found, summary, balances, other_ledgers(cluster, FOLDER / name)


def main():
    number = seed()
    folder, expected = generated(number)
    with ThreadPoolExecutor() as both:      # mostly waiting: for brokers to start, for groups to form
        undisturbed, killed = both.submit(run, "first", folder), both.submit(run, "killed", folder, random.Random(number))
    first, found, summary, balances, taken = undisturbed.result()
    with test("office: outcomes add up to the input, every kind of outcome is there"):
        names = ("accepted", "duplicate", "rejected", "held", "parked", "poison")
        assert summary["events_in"] == expected["events_in"] == sum(summary[name] for name in names)
        assert {name: summary[name] for name in names if summary[name]} == expected["outcomes"], ({name: summary[name] for name in names}, expected["outcomes"])
    with test("office: every event, journal and document as the generator says"):
        check_books(expected, first, found)
    with test("office: trial balance of both companies, account by account"):
        ours = defaultdict(dict)
        for row in balances:
            if Decimal(row["balance"]):
                ours[row["entity"]][row["account"]] = Decimal(row["balance"])
        wrong = [f"{entity} {account}: expected {accounts.get(account, 0)}, kontor {ours[entity].get(account, 0)}"
                 for entity, accounts in amounts(expected["balances"]).items() for account in sorted({*accounts, *ours[entity]}) if accounts.get(account, 0) != ours[entity].get(account, 0)]
        assert not wrong and set(ours) == set(expected["balances"]), "\n".join(wrong)
    with test("office: hledger and Beancount take the journals of both companies and all currencies"):
        assert taken.returncode == 0, taken.stderr[-2000:]
    with test(f"office: {KILLS} kills of processors: the same journals and final outcomes"):
        second, found_again = killed.result()
        check_books(expected, second, found_again)
        one, other = (said(outputs_of_run["posting.commands.tryton"]) for outputs_of_run in (first, second))
        assert one == other, f"{sum((one - other).values())} lost, {sum((other - one).values())} too many, for example {list((one - other) + (other - one))[:2]}"


main()
sys.exit(finish())
