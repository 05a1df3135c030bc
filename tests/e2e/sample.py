"""The real log through both processors: against the oracle, twice from nothing, and with everything killed under way."""

import json
import random
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from world import PROCESSORS, REPOSITORY, TABLES_SOURCE, await_caught_up, check_journals, differences, feed, feed_live, finals, outputs, prepare, sample  # noqa: E402
from cluster import Cluster, finish, seed, test, wait_until  # noqa: E402

LIVE_EVENTS, LIVE_SLICES = 60000, 140   # about a day each: within a slice the topics come one after the other
FOLDER = REPOSITORY / "build" / "tests" / "e2e"


def run(name, folder, disturb=None, live=False):
    """Loads everything, starts the processors (live: first the processors), waits; returns what came of it."""
    with Cluster(FOLDER / name, controller=disturb is not None) as cluster:
        prepare(cluster, folder)
        if not live:
            feed(cluster, folder)
        processors = [cluster.processor(binary, properties=TABLES_SOURCE) for binary in PROCESSORS]
        begun = time.monotonic()
        for processor in processors:
            processor.start()
        if live:
            feed_live(cluster, folder, LIVE_SLICES)
        if disturb:
            disturb(cluster, processors)
        await_caught_up(processors)
        print(f"  {name}: {time.monotonic() - begun:.1f} s", flush=True)
        summary = json.loads(cluster.kontor("status", "--format", "json").stdout)
        balances = trial_balance(cluster)
        stop_seconds = [processor.stop() for processor in processors]
        return outputs(cluster), summary, balances, finals(cluster), stop_seconds


def trial_balance(cluster):
    """Debit and credit by account, over the entities."""
    sums = {}
    for row in json.loads(cluster.kontor("status", "--trial-balance", "--format", "json").stdout):
        debit, credit = sums.get(row["account"], (Decimal(0), Decimal(0)))
        sums[row["account"]] = (debit + Decimal(row["debit"]), credit + Decimal(row["credit"]))
    return sums


def kill_at_random(chance, kills, broker_kills):
    def disturb(cluster, processors):
        plan = ["processor"] * kills + ["broker"] * broker_kills
        chance.shuffle(plan)
        for what in plan:
            time.sleep(chance.uniform(0.1, 0.7))  # the fault's own moment, not a wait for something
            if what == "broker":
                cluster.broker.kill()
                cluster.broker.start().wait_ready()
            else:
                victim = chance.choice(processors)
                victim.kill()
                victim.start()
    return disturb


def oracle(folder):
    result = subprocess.run([REPOSITORY / "tests" / "oracle" / "oracle", folder], check=True, capture_output=True, text=True)
    return json.loads(result.stdout)


def main():
    chance = random.Random(seed())
    folder = sample()
    first, summary, balances, _, stop_seconds = run("first", folder)
    with test("outcomes add up to the input"):
        assert summary["events_in"] == sum(1 for topic in ("procurement.events", "invoice.events") for _ in open(folder / f"{topic}.jsonl"))
        assert summary["events_in"] == sum(summary[outcome] for outcome in ("accepted", "duplicate", "rejected", "held", "parked", "poison"))
    with test("every journal balances and is there once"):
        check_journals(first)
    with test("SIGTERM ends a processor in under 2 s"):
        assert max(stop_seconds) < 2, stop_seconds
    with test("the oracle agrees"):
        expected = oracle(folder)
        names = ("events_in", "accepted", "duplicate", "rejected", "held", "parked", "poison", "reasons", "journals", "journal_lines")
        wrong = [f"{name}: oracle {expected[name]}, kontor {summary[name]}" for name in names if expected[name] != summary[name]]
        assert not wrong, "; ".join(wrong)
    with test("the oracle agrees on every account's debit and credit"):
        assert balances == {account: (Decimal(sums["debit"]), Decimal(sums["credit"])) for account, sums in expected["accounts"]["EUR"].items()}
    with test("again from nothing: the same bytes"):
        second, *_ = run("second", folder)
        found = differences(first, second)
        assert not found, "\n".join(found)
    with test("fed live: the same final outcomes and balances"):
        part = sample(LIVE_EVENTS)
        _, _, balances, outcomes, _ = run("loaded", part)
        _, _, live_balances, live_outcomes, _ = run("live", part, live=True)
        other = [origin for origin in outcomes if outcomes[origin] != live_outcomes.get(origin)]
        assert not other, f"{len(other)} events end otherwise, for example {[(origin, outcomes[origin], live_outcomes.get(origin)) for origin in other[:5]]}"
        assert live_balances == balances
    with test("20 kills of processors and 3 of the broker: the same bytes"):
        third, *_ = run("killed", folder, kill_at_random(chance, 20, 3))
        found = differences(first, third)
        assert not found, "\n".join(found)


main()
sys.exit(finish())
