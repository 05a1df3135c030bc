"""A million master records and a million documents' events: what an event costs as the state grows, memory, and how long an instance needs to be ready again."""

import json
import shutil

from figures import BUILD, measured, medians, memory_mb, seconds_until_ready, settled
from world import INPUTS, TABLES_SOURCE, prepare, sample
from cluster import Cluster, wait_until

READY_ROUNDS = 3


def write_masters(folder, source, suppliers):
    """The sample's master data, and suppliers until there are so many."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    like = json.loads(next(open(source / "suppliers.jsonl")))
    like = like.get("value", like)
    with open(folder / "suppliers.jsonl", "a") as out:
        for number in range(suppliers):
            out.write(json.dumps({**like, "supplier": f"EXTRA{number:07}"}, separators=(",", ":")) + "\n")


def copies_of(line, number):
    """The event of another supplier: other keys, so other documents."""
    return line if number == 0 else line.replace("vendorID_", f"vendorID_c{number}x").replace('"event_id":"', f'"event_id":"c{number}/')


def write_copies(folder, source, copies):
    """The sample's events as those of other suppliers, and these in the master data."""
    for topic in INPUTS:
        for number in range(copies):
            with open(source / f"{topic}.jsonl") as lines, open(folder / f"{topic}.{number}.jsonl", "w") as out:
                out.writelines(copies_of(line, number) for line in lines)
    with open(source / "master" / "suppliers.jsonl") as lines, open(folder / "master" / "suppliers.jsonl", "a") as out:
        for line in lines:
            out.writelines(copies_of(line, number) for number in range(1, copies))


def growth(cluster, folder, instance, copies):
    """What an event costs in each copy of the sample, one after the other."""
    rows, before = [], 0
    for number in range(copies):
        events = sum(sum(1 for _ in open(folder / f"{topic}.{number}.jsonl")) for topic in INPUTS)
        if instance.alive():
            instance.stop()
        for topic in INPUTS:
            cluster.kontor("produce", topic, folder / f"{topic}.{number}.jsonl", deadline_s=240)
        instance.start()    # from the clean state: metrics begin at 0 again
        row = measured(instance, events)
        entries = settled(instance, "kontor_state_entries")
        rows.append({"state_records_before": before, "state_records": entries, **{name: round(value, 2) for name, value in row.items()}})
        before = entries
    return rows


def ready_again(instance):
    """kill -9 and started again: with its folders, and with nothing but the topics. Medians."""
    warm, cold = [], []
    for _ in range(READY_ROUNDS):
        instance.kill()
        warm.append({"seconds": seconds_until_ready(instance)})
    for _ in range(READY_ROUNDS):
        instance.kill()
        shutil.rmtree(instance.state)
        cold.append({"seconds": seconds_until_ready(instance)})
    return medians(warm)["seconds"], medians(cold)["seconds"]


def at_rest(instance):
    """The memory when the load is over: what only the load needed is given back after a second or some (loop.c)."""
    least = []

    def settled_down():
        least.append(memory_mb(instance.process))
        return len(least) > 15
    wait_until(settled_down, 30, "the memory at rest", interval_s=1)
    return min(least)


def run(suppliers, copies, part=None, partitions=None):
    source, folder = sample(part), BUILD / "bench-scale"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_masters(folder / "master", source / "master", suppliers)
    write_copies(folder, source, copies)
    with Cluster(BUILD / "bench", heap="768m") as cluster:
        prepare(cluster, folder, partitions)
        instance = cluster.processor("kontor-invoice", properties=TABLES_SOURCE)
        figures = {"suppliers": suppliers, "ready_from_masters_alone_s": round(seconds_until_ready(instance), 2), "rss_anon_of_masters_mb": round(memory_mb(instance.process), 1)}
        figures["growth"] = growth(cluster, folder, instance, copies)
        figures["rss_anon_mb"] = round(memory_mb(instance.process), 1)
        figures["rss_anon_at_rest_mb"] = round(at_rest(instance), 1)
        figures["state_records"], figures["master_records"] = settled(instance, "kontor_state_entries"), settled(instance, "kontor_table_entries")
        figures["ready_warm_s"], figures["ready_from_nothing_s"] = ready_again(instance)
        figures["rss_anon_restored_mb"] = round(memory_mb(instance.process), 1)
        restored = settled(instance, "kontor_state_entries")
        assert restored == figures["state_records"], f"restored are {restored:,.0f} records of state, there were {figures['state_records']:,.0f}"
        instance.stop()
    shutil.rmtree(folder)
    print(f"  scale  {figures}", flush=True)
    return figures
