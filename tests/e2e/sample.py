"""The real log through both processors: against the oracle, twice from nothing, and with everything killed under way."""

import csv
import io
import json
import os
import random
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from world import PROCESSORS, REPOSITORY, TABLES_SOURCE, check_journals, differences, feed, feed_live, finals, outputs, prepare, sample  # noqa: E402
from quiescence import await_caught_up  # noqa: E402
from cluster import Cluster, again_where_markers_were_lost, finish, seed, test, wait_until  # noqa: E402

# About a day each slice: within one the topics come one after the other. A part of it within the twenty minutes of tests/run.
LIVE_EVENTS, LIVE_SLICES = (20000, 50) if os.environ.get("TESTS_SHORT") == "yes" else (60000, 140)
FOLDER = REPOSITORY / "build" / "tests" / "e2e"


def run(name, folder, look, disturb=None, live=False):
    """Loads everything, starts the processors (live: first the processors), waits; returns what look(cluster) sees of what came of it."""
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
        await_caught_up(processors, meanwhile=cluster.check_markers if disturb else None)
        print(f"  {name}: {time.monotonic() - begun:.1f} s", flush=True)
        stop_seconds.extend(processor.stop() for processor in processors)
        return look(cluster)


stop_seconds = []   # of every processor, in every run


def look_at_all(cluster, folder, name):
    summary = json.loads(cluster.kontor("status", "--format", "json").stdout)
    return outputs(cluster), summary, trial_balance(cluster), other_ledgers(cluster, FOLDER / name), try_rules(cluster, folder, FOLDER / name)


def look_at_ends(cluster):
    return trial_balance(cluster), finals(cluster)


def trial_balance(cluster):
    """Debit and credit by account, over the entities."""
    sums = {}
    for row in json.loads(cluster.kontor("status", "--trial-balance", "--format", "json").stdout):
        debit, credit = sums.get(row["account"], (Decimal(0), Decimal(0)))
        sums[row["account"]] = (debit + Decimal(row["debit"]), credit + Decimal(row["credit"]))
    return sums


def other_ledgers(cluster, folder):
    """The journals as hledger and Beancount take them, strict checks on, and hledger's own trial balance by entity and account beside kontor's."""
    hledger, beancount = folder / "journals.hledger", folder / "journals.beancount"
    hledger.write_text(cluster.kontor("export", "journal").stdout)
    beancount.write_text(cluster.kontor("export", "journal", "--format", "beancount").stdout)
    subprocess.run(["hledger", "--file", hledger, "check", "--strict"], check=True, capture_output=True)
    subprocess.run(["bean-check", beancount], check=True, capture_output=True)
    table = subprocess.run(["hledger", "--file", hledger, "balance", "--cost", "--flat", "--no-total", "--empty", "--output-format", "csv"], check=True, capture_output=True, text=True).stdout
    theirs = {row["account"]: Decimal(row["balance"].split()[-1]) for row in csv.DictReader(io.StringIO(table))}
    ours = {f"{row['entity']}:{row['account']}": Decimal(row["balance"]) for row in json.loads(cluster.kontor("status", "--trial-balance", "--format", "json").stdout)}
    return theirs, ours


def try_rules(cluster, sample_folder, folder):
    """What `kontor rules try` says of a set in which payments in transit are booked to GRNI, and of one that does not balance."""
    rules = [json.loads(line) for line in open(sample_folder / "master" / "posting-rules.jsonl")]
    lines = [line for record in rules for rule in record.get("value", record)["rules"] for line in rule["lines"]]
    for line in lines:
        if line["account"] == "179000":
            line["account"] = "191100"
    good, bad = folder / "new-rules.jsonl", folder / "bad-rules.jsonl"
    good.write_text("".join(json.dumps(record) + "\n" for record in rules))
    lines[0]["amount"] = "gross"
    bad.write_text("".join(json.dumps(record) + "\n" for record in rules))
    config = folder / "rules.properties"
    config.write_text("".join(f"{name}={value}\n" for name, value in TABLES_SOURCE.items()))
    rows = json.loads(cluster.kontor("rules", "try", good, "--config", config, "--format", "json").stdout)
    return rows, cluster.kontor("rules", "try", bad, "--config", config, check=False)


def kill_at_random(chance, kills, broker_kills):
    def disturb(cluster, processors):
        plan = ["processor"] * kills + ["broker"] * broker_kills
        chance.shuffle(plan)
        for what in plan:
            time.sleep(chance.uniform(0.1, 0.7))  # the fault's own moment, not a wait for something
            if what == "broker":
                cluster.kill_broker()
                cluster.broker.start().wait_ready()
                cluster.check_markers()
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
    first, summary, balances, (theirs, ours), tried = run("first", folder, lambda cluster: look_at_all(cluster, folder, "first"))
    with test("outcomes add up to the input"):
        assert summary["events_in"] == sum(1 for topic in ("procurement.events", "invoice.events") for _ in open(folder / f"{topic}.jsonl"))
        assert summary["events_in"] == sum(summary[outcome] for outcome in ("accepted", "duplicate", "rejected", "held", "parked", "poison"))
    with test("every journal balances and is there once"):
        check_journals(first)
    with test("hledger and Beancount take the journals; hledger's trial balance is kontor's"):
        assert theirs == ours and len(ours) > 20
    with test("rules try: what other rules would have made of the log, and nothing else"):
        rows, refused = tried
        moved = {account: balance for account, balance in ours.items() if account.endswith(":179000") and balance}
        assert {f"{row['entity']}:{row['account']}": Decimal(row["balance_now"]) for row in rows} == \
            {account.replace("179000", to): ours[account.replace("179000", to)] for account in moved for to in ("179000", "191100")}
        for account, balance in moved.items():
            then = {f"{row['entity']}:{row['account']}": Decimal(row["balance_then"]) for row in rows}
            assert then[account] == 0 and then[account.replace("179000", "191100")] == ours[account.replace("179000", "191100")] + balance
        assert refused.returncode == 1 and "rule goods-receipt" in refused.stderr, refused.stderr
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
        found = differences(first, run("second", folder, outputs))
        assert not found, "\n".join(found)
    with test("fed live: the same final outcomes and balances"):
        part = sample(LIVE_EVENTS)
        balances, outcomes = run("loaded", part, look_at_ends)
        live_balances, live_outcomes = run("live", part, look_at_ends, live=True)
        other = [origin for origin in outcomes if outcomes[origin] != live_outcomes.get(origin)]
        assert not other, f"{len(other)} events end otherwise, for example {[(origin, outcomes[origin], live_outcomes.get(origin)) for origin in other[:5]]}"
        assert live_balances == balances
    with test("20 kills of processors and 3 of the broker: the same bytes"):
        found = differences(first, again_where_markers_were_lost(lambda: run("killed", folder, outputs, kill_at_random(chance, 20, 3))))
        assert not found, "\n".join(found)


main()
sys.exit(finish())
