"""What the end-to-end suites share: the sample as a folder, a loaded cluster, its outputs in a form that can be compared."""

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
from cluster import REPOSITORY  # noqa: E402

INPUTS = ("procurement.events", "invoice.events")
PROCESSORS = ("kontor-procurement", "kontor-invoice")
OUTPUTS = ("posting.commands.tryton", "acknowledgments", "document.steps", "audit", "commitments", "exceptions.rejected", "exceptions.held", "exceptions.parked",
           "dlq.procurement.events", "dlq.invoice.events")
TABLES_SOURCE = {"tables.source": "SAP-P2P"}


def sample(part=None):
    """The converted sample; part: only the first so many events, in the order of time over both topics."""
    whole = REPOSITORY / "build" / "tests" / "sample"
    source = REPOSITORY / "deploy" / "local" / "sample"
    made_from = [source / "p2p-to-events", source / "derivation.json", *(source / "converter").glob("*.py"), *(source / "p2p").glob("*.gz")]
    if not (whole / "conversion.json").exists() or (whole / "conversion.json").stat().st_mtime < max(path.stat().st_mtime for path in made_from):
        shutil.rmtree(whole, ignore_errors=True)
        whole.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([source / "p2p-to-events", source / "p2p" / "events.jsonl.gz", source / "p2p" / "cases.jsonl.gz", whole], check=True,
                       stdout=subprocess.DEVNULL)
    if part is None:
        return whole
    folder = REPOSITORY / "build" / "tests" / f"sample-{part}"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "master").exists():
        (folder / "master").symlink_to(whole / "master")
    lines = []
    for order, topic in enumerate(INPUTS):
        for number, line in enumerate(open(whole / f"{topic}.jsonl")):
            lines.append((int(line[line.index(":") + 1:line.index(",")]), order, number, line))
    lines.sort(key=lambda entry: entry[:3])
    for order, topic in enumerate(INPUTS):
        with open(folder / f"{topic}.jsonl", "w") as out:
            out.writelines(entry[3] for entry in lines[:part] if entry[1] == order)
    return folder


def prepare(cluster, folder, partitions=None):
    """Topics, schemas and master data."""
    cluster.kontor("topics", "apply", *(["--partitions", str(partitions)] if partitions else []))
    cluster.kontor("schemas", "register")
    cluster.kontor("master", "load", folder / "master")


def feed(cluster, folder, topics=INPUTS):
    for topic in topics:
        cluster.kontor("produce", topic, folder / f"{topic}.jsonl")


def feed_live(cluster, folder, slices):
    """The same records in the order of their time, a slice of all topics after the other, while the processors run."""
    files = {topic: [(int(line[line.index(":") + 1:line.index(",")]), line) for line in open(folder / f"{topic}.jsonl")] for topic in INPUTS}
    times = sorted(time for records in files.values() for time, _ in records)
    edges = [times[len(times) * k // slices] for k in range(1, slices)] + [times[-1] + 1]
    positions = dict.fromkeys(INPUTS, 0)
    for edge in edges:
        for topic, records in files.items():
            begin = end = positions[topic]
            while end < len(records) and records[end][0] < edge:
                end += 1
            positions[topic] = end
            if end > begin:
                cluster.kontor("produce", topic, input="".join(line for _, line in records[begin:end]))


def consume(cluster, topic, *options):
    return [json.loads(line) for line in cluster.kontor("consume", topic, *options, deadline_s=240).stdout.splitlines()]


def outputs(cluster, topics=OUTPUTS):
    """Every output record's key, headers and value, without its time and place, as the text that `kontor consume` prints: a multiset by topic. There are a
    million of them: they are not parsed, see said_in."""
    result = {}
    for topic in topics:
        lines = Counter()
        for line in cluster.kontor("consume", topic, deadline_s=240, text=False).stdout.splitlines():
            line = line[line.index(b',"key"') + 1:]
            if topic.startswith("dlq."):    # a dead letter says when it was written
                line = re.sub(rb'"kontor-time":"[0-9]*"', b'', line)
            lines[line] += 1
        result[topic] = lines
    return result


def said_in(line):
    """Key and value of a line of outputs()."""
    record = json.loads(b"{" + line)
    return record["key"], record["value"]


def differences(expected, found, most=3):
    """Texts of what differs, a few for each topic; none when both are equal."""
    texts = []
    for topic in expected:
        lost, extra = expected[topic] - found[topic], found[topic] - expected[topic]
        if lost or extra:
            texts.append(f"{topic}: {sum(lost.values())} lost, {sum(extra.values())} too many")
            texts += [f"  lost {line[:600].decode()}" for line in list(lost)[:most]] + [f"  extra {line[:600].decode()}" for line in list(extra)[:most]]
    return texts


def finals(cluster):
    """Every event's newest outcome."""
    return {record["value"]["origin"]: record["value"]["outcome"] for record in consume(cluster, "acknowledgments") if not record["value"]["later"]}


def check_journals(all_outputs):
    """Every journal balances in both currencies, and no idempotency key comes twice."""
    from decimal import Decimal
    keys = Counter()
    for line, times in all_outputs["posting.commands.tryton"].items():
        _, journal = said_in(line)
        keys[journal["idempotency_key"]] += times
        for amount in ("amount", "functional"):
            sums = {"debit": Decimal(0), "credit": Decimal(0)}
            for entry in journal["lines"]:
                sums[entry["side"]] += Decimal(entry[amount])
            assert sums["debit"] == sums["credit"], f"{journal['idempotency_key']}: {amount} {sums}"
    doubled = [key for key, times in keys.items() if times > 1]
    assert not doubled, f"{len(doubled)} journals more than once, for example {doubled[:3]}"
