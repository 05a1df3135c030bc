"""Events a second and CPU an event, in turns: the plain copy loop of librdkafka (the floor), kontor-procurement, kontor-invoice exactly once, and the same binary
at least once: that of a test build, which production's does not know (processing.guarantee). The log's events lie there before anything starts. The first
round warms the broker and the files up and does not count."""

import json
import os
import subprocess

from figures import BUILD, REPOSITORY, measured, medians, spread
from world import TABLES_SOURCE, feed, prepare, sample
from cluster import Cluster, spawn

FAULT = REPOSITORY / "build" / "fault" / "bin"      # the test build
AUTOMATIC = {"auto.create.topics.enable": "true", "num.partitions": 32}     # for the copies


def copy(cluster, events, number):
    """The floor, over the records of procurement.events."""
    process = spawn([BUILD / "copy_bench", cluster.bootstrap, "procurement.events", f"bench.copy.{number}", str(events), f"bench-copy-{number}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    text=True)
    out, err = process.communicate(timeout=120)
    if process.returncode != 0:
        raise RuntimeError(f"copy_bench: {err}")
    said = json.loads(out)
    return {"events_per_second": said["events"] / said["seconds"], "cpu_us_per_event": said["cpu_seconds"] * 1e6 / said["events"], "rss_mb": said["rss_mb"],
            "events_per_transaction": said["events"] / said["transactions"]}


# Settings that are to be tried: BENCH_PROPERTIES=batch.max.records=10000,batch.max.ms=200
TRIED = dict(setting.split("=", 1) for setting in os.environ.get("BENCH_PROPERTIES", "").split(",") if setting)


def processor(cluster, binary, events, name, properties=None, binaries=None):
    instance = cluster.processor(binary, name, {**TABLES_SOURCE, "leave.on.stop": "true", **TRIED, **(properties or {})}, binaries)
    instance.start()
    result = measured(instance, events)
    instance.stop()
    return result


def forget(cluster, group, partitions):
    """What a run of kontor-invoice leaves in the cluster, so that the next is the first again: its group's offsets and its changelog."""
    said = cluster.kafka_tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--delete", "--group", f"kontor.{group}")
    assert "was successful" in said, said
    cluster.kafka_tool("org.apache.kafka.tools.TopicCommand", "--delete", "--topic", f"kontor.{group}.changelog")
    cluster.kontor("topics", "apply", *(["--partitions", str(partitions)] if partitions else []))


def turn(folder, counts, number, partitions):
    """One round, in a cluster of its own; each run begins as on the first day."""
    turns = [("exactly once", {}), ("at least once", {"processing.guarantee": "at_least_once"})]
    if number % 2:
        turns.reverse()     # neither is always the first
    with Cluster(BUILD / "bench", heap="768m", broker_properties=AUTOMATIC) as cluster:
        prepare(cluster, folder, partitions)
        feed(cluster, folder)
        results = {"floor": copy(cluster, counts["kontor-procurement"], number)}
        results["kontor-procurement"] = processor(cluster, "kontor-procurement", counts["kontor-procurement"], "procurement-0")
        results["kontor-invoice"] = processor(cluster, "kontor-invoice", counts["kontor-invoice"], "invoice-0")
        for name, properties in turns:
            forget(cluster, "invoice", partitions)
            results[name] = processor(cluster, "kontor-invoice", counts["kontor-invoice"], "invoice-" + name.replace(" ", "-"), properties, FAULT)
    return results


def run(rounds, part=None, partitions=None):
    folder = sample(part)
    counts = {"kontor-procurement": sum(1 for _ in open(folder / "procurement.events.jsonl"))}
    counts["kontor-invoice"] = counts["kontor-procurement"] + sum(1 for _ in open(folder / "invoice.events.jsonl"))
    results = [turn(folder, counts, number, partitions) for number in range(rounds + 1)][1:]
    figures = {name: medians([result[name] for result in results]) for name in results[0]}
    for name, values in figures.items():
        values["events_per_second_least_most"] = spread([result[name] for result in results], "events_per_second")
        print("  " + name + "  " + "  ".join(f"{key} {value}" for key, value in values.items()), flush=True)
    once, least = figures["exactly once"], figures["at least once"]
    figures["exactly_once_loses_percent"] = round(100 * (1 - once["events_per_second"] / least["events_per_second"]), 1)
    figures["events"], figures["tried"] = counts, TRIED
    return figures
