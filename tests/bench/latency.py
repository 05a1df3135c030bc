"""From the produce of an invoice to the read_committed poll that returns its acknowledgment, at a steady rate: once with few partitions of everything, so that a
transaction touches at most eight of its outputs, once with as many as deploy/topics.tsv has."""

import json
import subprocess
import time

from company import company, write_invoices, write_orders
from figures import BUILD, cpu_seconds
from world import prepare
from cluster import Cluster, spawn, wait_until

RATE = 1000
FEW = 1


def probe(cluster, invoices, rate):
    process = spawn([BUILD / "latency_bench", cluster.bootstrap, cluster.registry_url, invoices, str(rate)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = process.communicate(timeout=180)
    if process.returncode != 0:
        raise RuntimeError(f"latency_bench: {err}")
    return json.loads(out)


def one(seconds, partitions):
    folder, events = BUILD / "bench-company", seconds * RATE
    company(folder / "master")
    write_orders(folder / "procurement.events.jsonl", events)
    write_invoices(folder / "invoice.events.jsonl", events)
    with Cluster(BUILD / "bench", heap="768m") as cluster:
        prepare(cluster, folder, partitions)
        cluster.kontor("produce", "procurement.events", folder / "procurement.events.jsonl")
        instance = cluster.processor("kontor-invoice", properties={"tables.source": "MDM"})
        instance.start().wait_ready()
        wait_until(lambda: instance.metric("kontor_records_total") == 2 * events and instance.caught_up(), 120, "orders and receipts are taken")
        begun, cpu, commits = time.monotonic(), cpu_seconds(instance.process), instance.metric("kontor_commit_seconds_count")
        result = probe(cluster, folder / "invoice.events.jsonl", RATE)
        result["cores_used_percent"] = round(100 * (cpu_seconds(instance.process) - cpu) / (time.monotonic() - begun), 1)
        result["events_per_transaction"] = round(events / (instance.metric("kontor_commit_seconds_count") - commits), 1)
        instance.stop()
    return result


def run(seconds, partitions=None):
    figures = {"rate": RATE, "few partitions": one(seconds, FEW), "all partitions": one(seconds, partitions)}
    print(f"  latency  {figures}", flush=True)
    return figures
