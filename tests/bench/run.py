"""All that is measured of the processors, in one run of about ten minutes, held against the goals: build/tests/bench.md and bench.json.

BENCH_ROUNDS (3): rounds that count, after one that does not. BENCH_SMALL=yes: everything in small, to see that it works; such figures are never valid."""

import os
import sys

from figures import QUIET_LOAD, at_least, at_most, await_quiet, load, machine, table, write
import close
import latency
import scale
import throughput
from cluster import finish, test

SMALL = os.environ.get("BENCH_SMALL") == "yes"
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "1" if SMALL else "3"))
SECONDS = 5 if SMALL else 25                # of the latency, at its rate; a fifth warms up
SUPPLIERS = 20000 if SMALL else 1000000
COPIES = 2 if SMALL else 9                  # of the sample: so many give a million records of state
PART = 20000 if SMALL else None
CLOSE_PART = 2000 if SMALL else None        # of each topic
PARTITIONS = 4 if SMALL else None
WAIT_S = 60


def goals_of(figures):
    """The numbers to reach, as far as this measures them."""
    once, few, growth = figures["throughput"]["kontor-invoice"], figures["latency"]["few partitions"], figures["scale"]["growth"]
    many = growth[-1]
    yield at_most("kontor-invoice, CPU an event, the sample", once["cpu_us_per_event"], 10, "µs")
    yield at_most(f"kontor-invoice, CPU an event, from {many['state_records_before']:,.0f} records of state on", many["cpu_us_per_event"], 10, "µs")
    yield at_least("kontor-invoice, broker on the same cores", once["events_per_second"], 70000, "events/s")
    yield at_most("exactly once against at least once, throughput lost", figures["throughput"]["exactly_once_loses_percent"], 10, "%")
    yield at_most("latency p50 at 1,000 events/s, at most 8 output partitions", few["p50_ms"], 10, "ms")
    yield at_most("latency p99 at 1,000 events/s, at most 8 output partitions", few["p99_ms"], 25, "ms")
    yield at_most(f"memory (RssAnon) with {figures['scale']['master_records']:,.0f} master records", figures["scale"]["rss_anon_mb"], 64, "MB")
    yield at_most(f"ready again after kill -9, {figures['scale']['state_records']:,.0f} records of state", figures["scale"]["ready_warm_s"], 1, "s")
    yield at_most("ready from nothing but the topics", figures["scale"]["ready_from_nothing_s"], 10, "s")
    yield at_most("growth: CPU an event, last copy of the sample against the first", many["cpu_us_per_event"] / growth[0]["cpu_us_per_event"], 2, "times")


def throughput_section(figures):
    names = ("events_per_second", "cpu_us_per_event", "events_per_transaction")
    rows = [[title, *(figures[name][key] for key in names), "–".join(f"{value:,.0f}" for value in figures[name]["events_per_second_least_most"]),
             figures[name].get("rss_anon_mb") or figures[name]["rss_mb"]]
            for name, title in (("floor", "plain librdkafka copy loop, exactly once: the floor"), ("kontor-procurement", "kontor-procurement"), ("kontor-invoice", "kontor-invoice"),
                                ("exactly once", "the same, test build, exactly once"), ("at least once", "the same, test build, at least once"))]
    return table(["", "events/s", "CPU µs an event", "events a transaction", "events/s, least–most", "memory MB"], rows) + \
        f"\n\nExactly once loses {figures['exactly_once_loses_percent']} % of the throughput. The memory is RssAnon, the floor's its whole resident set."


def latency_section(figures):
    rows = [[title, *(figures[title][key] for key in ("p50_ms", "p90_ms", "p99_ms", "longest_ms", "events_per_transaction", "cores_used_percent"))] for title in ("few partitions", "all partitions")]
    return table([f"{figures['rate']:,} events/s", "p50 ms", "p90 ms", "p99 ms", "longest ms", "events a transaction", "% of a core"], rows) + \
        "\n\nFrom the produce of an invoice to the poll of a read_committed consumer that returns its acknowledgment. Few: one partition of every topic, so a transaction touches" \
        "\nat most eight; all: as many as deploy/topics.tsv has."


def scale_section(figures):
    rows = [[f"{row['state_records_before']:,.0f} to {row['state_records']:,.0f}", row["events_per_second"], row["cpu_us_per_event"], row["rss_anon_mb"]] for row in figures["growth"]]
    ready = [["masters only, from the topics", figures["ready_from_masters_alone_s"]], ["after kill -9, with its folders", figures["ready_warm_s"]],
             ["after kill -9, from nothing but the topics", figures["ready_from_nothing_s"]]]
    return table(["records of state", "events/s", "CPU µs an event", "RssAnon MB"], rows) + \
        f"\n\nReady, with {figures['master_records']:,.0f} master records and {figures['state_records']:,.0f} records of state:\n\n" + table(["from", "seconds"], ready) + \
        f"\n\nRssAnon {figures['rss_anon_of_masters_mb']} MB with the masters alone, {figures['rss_anon_mb']} MB at the end of the load, {figures['rss_anon_at_rest_mb']} MB some seconds later, {figures['rss_anon_restored_mb']} MB after the last restart."


def close_section(figures):
    events = ", ".join(f"{count:,} of {topic}" for topic, count in figures["events"].items() if topic != close.HISTORY)
    rows = [[name, row["ready_s"], row["caught_up_s"], row["ready_from_nothing_s"], row["state_records"]] for name, row in figures["recovery"].items()]
    return f"{figures['events'][close.HISTORY]:,} orders and receipts before; then at once {events}, and all suppliers again: in the topics after {figures['fed_s']} s, all decided and posted after" \
        f"\n**{figures['drained_s']} s** ({figures['events_per_second']:,} events/s; {figures['journals']:,} journals with those of before).\n\nEach flow's processor killed, and what came meanwhile:\n\n" + \
        table(["flow", "ready s", "caught up s", "ready from nothing s", "records of state"], rows) + \
        "\n\nSeconds from the start of the killed process (a supervisor's own delay comes on top). The recovery point is the last committed transaction: what a source has an acknowledgment of is\n" \
        "never lost, what it has none of is taken again; after the kills every event has its outcome, every journal balances, none comes twice."


def main():
    figures = {"load_at_start": await_quiet(WAIT_S), "machine": machine(), "rounds": ROUNDS}
    print(f"  {figures}", flush=True)
    figures["throughput"] = throughput.run(ROUNDS, PART, PARTITIONS)
    figures["latency"] = latency.run(SECONDS, PARTITIONS)
    figures["scale"] = scale.run(SUPPLIERS, COPIES, PART, PARTITIONS)
    figures["close"] = close.run(CLOSE_PART, PARTITIONS)
    figures["load_at_end"] = load()
    figures["valid"] = figures["load_at_start"] <= QUIET_LOAD and not SMALL
    figures["why_not_valid"] = "" if figures["valid"] else "everything was made small" if SMALL else f"the load average was {figures['load_at_start']} at the start, something else had the cores"
    goals = list(goals_of(figures))
    sections = [("Throughput", throughput_section(figures["throughput"])), ("Latency", latency_section(figures["latency"])), ("Growth, memory, readiness", scale_section(figures["scale"])),
                ("Close", close_section(figures["close"]))]
    write(figures, goals, sections)
    for goal in goals:
        print(f"  {'reached    ' if goal.met else 'falls short'} {goal.name}: {goal.value:,.2f} {goal.unit} (wanted {goal.text})", flush=True)
    with test("bench: kontor-invoice takes 50,000 events a second"):
        assert not figures["valid"] or figures["throughput"]["kontor-invoice"]["events_per_second"] >= 50000, figures["throughput"]["kontor-invoice"]


main()
sys.exit(finish())
