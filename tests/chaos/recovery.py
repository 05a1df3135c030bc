#!/usr/bin/env python3
"""How soon work goes on: after kill -9 and restart, and by another instance, at default settings with a million master records and a million records of state.

    recovery.py [--records N] [--rounds N]      N: of master data, and of state; prints the figures, and what must hold of them as tests"""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from asking import MDM  # noqa: E402
from cluster import REPOSITORY, Cluster, finish, test, wait_until  # noqa: E402
from people import record  # noqa: E402
from small import line, master, order, write_master  # noqa: E402
from world import prepare  # noqa: E402
from quiescence import await_caught_up  # noqa: E402

FOLDER = REPOSITORY / "build" / "chaos" / "recovery"
PARTITIONS, SESSION_S = 8, 8            # session.timeout.ms of a processor that nobody configures


def write_orders(path, count):
    """An order makes a record of state, with its line."""
    with open(path, "w") as out:
        for number in range(count):
            out.write(line(order(f"PO{number:07}", supplier=f"S{number % 1000}"), number // 1000))


def poke(cluster, number):
    """Something for every partition to take."""
    cluster.kontor("produce", "procurement.events", input="".join(line(order(f"PX{number}-{supplier}", supplier=f"S{supplier}"), 1000) for supplier in range(64)))


def works(processor, at_least):
    return (processor.metric("kontor_records_total") or 0) >= at_least


def restarts(cluster, processor, rounds):
    times = []
    for number in range(rounds):
        processor.kill()
        poke(cluster, number)
        begun = time.monotonic()
        processor.start()
        wait_until(lambda: works(processor, 64), 120, "what came meanwhile is taken", interval_s=0.01)
        times.append(time.monotonic() - begun)
    return times


def takeover(cluster, first, second):
    """Seconds from the death of one of two until the other has taken records of every partition, less the session that the group waits."""
    second.start().wait_ready(300)
    wait_until(lambda: [one.metric("kontor_tasks_owned") for one in (first, second)] == [PARTITIONS / 2] * 2, 60, "half and half")
    before = second.metric("kontor_records_total")
    begun = time.monotonic()
    first.kill()
    poke(cluster, "takeover")
    wait_until(lambda: works(second, before + 64), 180, "the other takes what came for all partitions", interval_s=0.02)
    return time.monotonic() - begun


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1000000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with Cluster(FOLDER, heap="1g") as cluster:
        write_master(FOLDER / "small" / "master", master(suppliers=[record(supplier=f"S{number}") for number in range(options.records)]))
        write_orders(FOLDER / "orders.jsonl", options.records)
        begun = time.monotonic()
        prepare(cluster, FOLDER / "small", partitions=PARTITIONS)
        print(f"  master data loaded in {time.monotonic() - begun:.0f} s", flush=True)
        cluster.kontor("produce", "procurement.events", FOLDER / "orders.jsonl", deadline_s=600)
        first, second = (cluster.processor("kontor-procurement", f"procurement-{number}", MDM) for number in (0, 1))
        first.start().wait_ready(300)
        await_caught_up([first], 600)
        entries = wait_until(lambda: (first.metric("kontor_state_entries") or 0) >= options.records and first.metric("kontor_state_entries"), 10, "as many records of state")
        print(f"  {options.records:,} suppliers, {entries:,.0f} records of state; built in {time.monotonic() - begun:.0f} s", flush=True)
        with test("kill -9 and restart: work goes on within 3 s"):
            times = restarts(cluster, first, options.rounds)
            print(f"  {', '.join(f'{seconds:.2f}' for seconds in times)} s", flush=True)
            assert max(times) <= 3, times
        with test("the partitions of an instance that died are served by another within 10 s of its being declared dead"):
            took = takeover(cluster, first, second)
            print(f"  {took:.1f} s after its death, {took - SESSION_S:.1f} s after the session's end", flush=True)
            assert took - SESSION_S <= 10, took
    (FOLDER / "result.json").write_text(json.dumps({"records": options.records, "restarts": times, "takeover": took}))
    sys.exit(finish())


if __name__ == "__main__":
    main()
