"""The end of a month: invoices in mass, a payment run, expenses, journals and an update of the suppliers all at once, and the time until all of it is posted or
told; then each flow's processor is killed, and how long until it answers again, and whether anything is missing."""

import json
import shutil
import subprocess
import threading
import time

from figures import BUILD, REPOSITORY, medians, memory_mb, seconds_until_ready, settled
from world import TABLES_SOURCE, check_journals, outputs, prepare
from quiescence import await_caught_up
from cluster import Cluster, test, wait_until

SAMPLE = REPOSITORY / "deploy" / "local" / "sample"
HISTORY = "procurement.events"                                              # what was ordered and received before
AT_ONCE = ("invoice.events", "payment.events", "expense.events", "journal.events")
FLOWS = {"procurement": "procurement.events", "invoice": "invoice.events", "payment": "payment.events", "expense": "expense.events", "journal": "journal.events"}
KILLS = 3
AGAIN = 200         # events that come while a processor is down
JOURNALS_TIMES = 60


def converted(part=None):
    """The demo's sample: the real log with payments, and the invented office, whose journals come JOURNALS_TIMES times, under other numbers. Made once."""
    folder = BUILD / "bench-close-sample"
    if not (folder / "whole" / "journal.events.jsonl").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for command in ((SAMPLE / "p2p-to-events", SAMPLE / "p2p" / "events.jsonl.gz", SAMPLE / "p2p" / "cases.jsonl.gz", folder / "log", "--payments"),
                        (SAMPLE / "office", folder / "office", "--master-source", "SAP-P2P"),
                        (SAMPLE / "together", folder / "whole", folder / "log", folder / "office")):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        journals = open(folder / "whole" / "journal.events.jsonl").read().splitlines(keepends=True)
        with open(folder / "whole" / "journal.events.jsonl", "a") as out:
            for number in range(1, JOURNALS_TIMES):
                out.writelines(line.replace('"JR', f'"J{number}R').replace('"EV', f'"E{number}V') for line in journals)
    whole = folder / "whole"
    if part is None:
        return whole
    some = folder / "part"
    shutil.rmtree(some, ignore_errors=True)
    some.mkdir()
    (some / "master").symlink_to(whole / "master")
    for topic in (HISTORY, *AT_ONCE):
        with open(whole / f"{topic}.jsonl") as lines, open(some / f"{topic}.jsonl", "w") as out:
            out.writelines(line for number, line in enumerate(lines) if number < part)
    return some


def together(*calls):
    """All at once; the first error is raised."""
    errors = []

    def run(call):
        try:
            call()
        except Exception as error:
            errors.append(error)
    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def drain(cluster, folder, processors):
    """Seconds from the first event until nothing is left to do."""
    suppliers = BUILD / "bench-close-suppliers"
    shutil.rmtree(suppliers, ignore_errors=True)
    suppliers.mkdir()
    shutil.copy(folder / "master" / "suppliers.jsonl", suppliers / "suppliers.jsonl")
    begun = time.monotonic()
    together(*(lambda topic=topic: cluster.kontor("produce", topic, folder / f"{topic}.jsonl", deadline_s=240) for topic in AT_ONCE),
             lambda: cluster.kontor("master", "load", suppliers, deadline_s=240))
    fed = time.monotonic() - begun
    await_caught_up(list(processors.values()), deadline_s=300)
    return round(fed, 2), round(time.monotonic() - begun, 2)


def counted(cluster):
    return json.loads(cluster.kontor("status", "--format", "json", deadline_s=240).stdout)


def recovery(cluster, folder, processors):
    """By flow: kill -9, and while it is down its topic gets events that it knows already; seconds from the kill until it is ready, and until these are taken."""
    rows = {}
    for name, topic in FLOWS.items():
        processor, again = processors[name], "".join(open(folder / f"{topic}.jsonl").readlines()[-AGAIN:])
        times = []
        for _ in range(KILLS):
            begun = time.monotonic()
            processor.kill()
            cluster.kontor("produce", topic, input=again)
            down = time.monotonic() - begun
            ready = seconds_until_ready(processor)
            wait_until(lambda: (processor.metric("kontor_records_total") or 0) > 0 and processor.caught_up(), 60, f"{name} has taken what came meanwhile", interval_s=0.005)
            times.append({"ready_s": ready, "caught_up_s": time.monotonic() - begun - down})
        processor.kill()
        shutil.rmtree(processor.state)
        rows[name] = {**medians(times), "ready_from_nothing_s": round(seconds_until_ready(processor), 2), "state_records": settled(processor, "kontor_state_entries")}
    return rows


def run(part=None, partitions=None):
    folder = converted(part)
    lines = {topic: sum(1 for _ in open(folder / f"{topic}.jsonl")) for topic in (HISTORY, *AT_ONCE)}
    figures = {"events": lines}
    with Cluster(BUILD / "bench", heap="768m") as cluster:
        prepare(cluster, folder, partitions)
        cluster.kontor("produce", HISTORY, folder / f"{HISTORY}.jsonl", deadline_s=240)
        processors = {name: cluster.processor(f"kontor-{name}", properties=TABLES_SOURCE) for name in FLOWS}
        for processor in processors.values():
            processor.start()
        await_caught_up(list(processors.values()), deadline_s=300)
        figures["fed_s"], figures["drained_s"] = drain(cluster, folder, processors)
        figures["rss_anon_mb"] = {name: round(memory_mb(processor.process), 1) for name, processor in processors.items()}
        before = counted(cluster)
        figures["journals"] = before["journals"]
        with test("close: every event has its outcome, debits are credits"):
            assert before["events_in"] == sum(lines.values()), (before["events_in"], lines)
            assert all(sides["debit"] == sides["credit"] for sides in before["currencies"].values()), before["currencies"]
        figures["recovery"] = recovery(cluster, folder, processors)
        await_caught_up(list(processors.values()))
        after = counted(cluster)
        with test("close: after every processor was killed nothing is lost and nothing posted twice"):
            sent = sum(min(AGAIN, lines[topic]) for topic in FLOWS.values()) * KILLS
            assert after["events_in"] == before["events_in"] + sent, (before["events_in"], sent, after["events_in"])
            assert all(sides["debit"] == sides["credit"] for sides in after["currencies"].values()), after["currencies"]
            check_journals(outputs(cluster, ("posting.commands.tryton",)))
    events = sum(lines[topic] for topic in AT_ONCE)
    figures["events_per_second"] = round(events / figures["drained_s"])
    print(f"  close  {figures}", flush=True)
    return figures
